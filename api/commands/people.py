"""``wangge people``: who answers for which grid, and when they are away."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated

import typer

from api.commands.shared import (
    Actor,
    AsJson,
    DataDir,
    actor_name,
    moment,
    open_database,
    out,
    print_json,
    print_table,
)
from gis.errors import BadInput, Problem
from grids.errors import AssignmentNotFound, PersonNotFound
from grids.incidents.responsibility import REASONS, responsible, tell_people
from grids.people import service

if TYPE_CHECKING:
    from sqlalchemy.orm import Session

    from grids.people.models import Person

app = typer.Typer(no_args_is_help=True, rich_markup_mode=None)


@app.command(epilog="Example: wangge people assign 王一 990121001001001 --since 2026-07-01")
def assign(
    person: Annotated[str, typer.Argument(help="Name, or id in its source")],
    grid: Annotated[str, typer.Argument(help="Code of the grid in force")],
    role: Annotated[str, typer.Option(help="grid_worker, deputy or grid_head")] = "grid_worker",
    primary: Annotated[
        bool, typer.Option("--primary/--no-primary", help="Is in charge of the grid")
    ] = True,
    since: Annotated[str | None, typer.Option(help="From when on; now when left out")] = None,
    until: Annotated[str | None, typer.Option(help="Until when; open when left out")] = None,
    new: Annotated[bool, typer.Option("--new", help="Keep the person when not known yet")] = False,
    data_dir: DataDir = None,
    actor: Actor = None,
) -> None:
    """Let a person answer for a grid."""
    if role not in service.GRID_ROLES:
        raise BadInput(
            Problem(
                f"unknown role '{role}'", f"One of: {', '.join(service.GRID_ROLES)}", field="--role"
            )
        )
    first = moment(since, "--since") or datetime.now(UTC)
    with open_database(data_dir) as database, database.transaction() as session:
        shape = service.grid_by_code(session, grid, first)
        who = _person(session, person, shape.county_code, actor_name(actor), new=new)
        service.assign(
            session,
            who,
            shape,
            actor=actor_name(actor),
            role=role,
            is_primary=primary,
            since=first,
            until=moment(until, "--until"),
        )
    out.print(f"{who.name} answers for grid {grid} as {role} from {first.isoformat()}")


def _person(session: Session, name: str, county: str, actor: str, *, new: bool) -> Person:
    try:
        return service.person_by_name(session, name, county)
    except PersonNotFound as error:
        if not new or "no persons" not in str(error):
            raise
        return service.add(session, name, county_code=county, actor=actor)


@app.command(epilog="Example: wangge people relieve 王一 990121001001001 --at 2026-07-01")
def relieve(
    person: Annotated[str, typer.Argument(help="Name, or id in its source")],
    grid: Annotated[str, typer.Argument(help="Code of the grid in force")],
    at: Annotated[str | None, typer.Option(help="From when on; now when left out")] = None,
    data_dir: DataDir = None,
    actor: Actor = None,
) -> None:
    """Let a person no longer answer for a grid; what was answered before stays."""
    when = moment(at, "--at") or datetime.now(UTC)
    with open_database(data_dir) as database, database.transaction() as session:
        shape = service.grid_by_code(session, grid, when)
        who = service.person_by_name(session, person, shape.county_code)
        held = [
            each
            for each in service.assignments_of(session, shape.grid_id, when)
            if each.person_id == who.id
        ]
        if not held:
            raise AssignmentNotFound(f"{who.name} does not answer for grid {grid} at that time")
        for each in held:
            service.relieve(session, each, actor=actor_name(actor), at=when)
    out.print(f"{who.name} no longer answers for grid {grid} from {when.isoformat()}")


@app.command(epilog="Example: wangge people leave 王一 2026-07-01 2026-07-08 --deputy 李二")
def leave(
    person: Annotated[str, typer.Argument(help="Name, or id in its source")],
    since: Annotated[str, typer.Argument(help="First moment away")],
    until: Annotated[str, typer.Argument(help="First moment back")],
    county: Annotated[str, typer.Option(help="6-digit county code")],
    deputy: Annotated[str | None, typer.Option(help="Who answers instead")] = None,
    data_dir: DataDir = None,
    actor: Actor = None,
) -> None:
    """Record a leave, and who answers in that time."""
    first, last = moment(since, "since"), moment(until, "until")
    if first is None or last is None or first >= last:
        raise BadInput(Problem("the leave ends before it begins", "Give since before until"))
    with open_database(data_dir) as database, database.transaction() as session:
        who = service.person_by_name(session, person, county)
        instead = service.person_by_name(session, deputy, county) if deputy else None
        service.take_leave(
            session, who, since=first, until=last, deputy=instead, actor=actor_name(actor)
        )
    out.print(f"{who.name} is away from {first.isoformat()} to {last.isoformat()}")


@app.command(epilog="Example: wangge people unassigned --at 2026-07-01 --json")
def unassigned(
    at: Annotated[str | None, typer.Option(help="At which moment; now when left out")] = None,
    data_dir: DataDir = None,
    as_json: AsJson = False,
) -> None:
    """Grids in force that nobody answers for."""
    when = moment(at, "--at") or datetime.now(UTC)
    with open_database(data_dir) as database, database.transaction() as session:
        shapes = service.unassigned(session, when)
    if as_json:
        print_json([{"code": each.code, "name": each.name} for each in shapes])
    elif not shapes:
        out.print("every grid in force has somebody to answer for it")
    else:
        print_table(
            ["grid", "name", "households"],
            ((each.code, each.name, each.households) for each in shapes),
        )


@app.command(epilog="Example: wangge people who 990121001001001 --at 2026-06-15T21:30")
def who(
    grid: Annotated[str, typer.Argument(help="Code of the grid")],
    at: Annotated[str | None, typer.Option(help="At which moment; now when left out")] = None,
    data_dir: DataDir = None,
    as_json: AsJson = False,
) -> None:
    """Who answers for a grid at a moment, the first to be called first."""
    when = moment(at, "--at") or datetime.now(UTC)
    with open_database(data_dir) as database, database.transaction() as session:
        shape = service.grid_by_code(session, grid, when)
        people = responsible(session, shape.grid_id, when)
        tell_people(session, shape, people)
    if as_json:
        print_json(
            [{"name": each.name, "role": each.role, "reason": each.reason} for each in people]
        )
    elif not people:
        out.print(REASONS["nobody"][1])
    else:
        print_table(
            ["name", "role", "why"],
            ((each.name, each.role, REASONS[each.reason][1]) for each in people),
        )
