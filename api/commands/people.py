"""``wangge people``: who answers for which grid, and when they are away."""

from __future__ import annotations

from dataclasses import asdict
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
from api.schemas.tracks import TrackPage
from gis.audit import looks as looking
from gis.errors import BadInput, Problem
from grids.errors import AssignmentNotFound, PersonNotFound
from grids.incidents.responsibility import REASONS
from grids.patrols import tracks as patrol_tracks
from grids.people import service
from grids.people.answering import responsible, tell_people

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
        tell_people(session, shape, [each.person_id for each in people])
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


@app.command(epilog="Example: wangge people tracks 王一 --county 990121 --from 2026-07-01 --json")
def tracks(
    person: Annotated[str, typer.Argument(help="Name, or id in its source")],
    county: Annotated[str, typer.Option(help="6-digit county code")],
    start: Annotated[str | None, typer.Option("--from", help="First moment")] = None,
    end: Annotated[str | None, typer.Option("--to", help="First moment after it")] = None,
    limit: Annotated[int, typer.Option("--limit", min=1, max=1000)] = 50,
    data_dir: DataDir = None,
    as_json: AsJson = False,
) -> None:
    """Show a person's patrols with their fixes (GeoJSON); they are told that somebody looked."""
    first, last = moment(start, "--from"), moment(end, "--to")
    with open_database(data_dir) as database, database.transaction() as session:
        who = service.person_by_name(session, person, county)
        found, following = patrol_tracks.own(session, who.id, start=first, end=last, limit=limit)
        days = patrol_tracks.kept_days(session)
    if as_json:
        page = TrackPage.of(found, kept_days=days, following=following)
        print_json(page.model_dump(mode="json"))
        return
    print_table(
        ["patrol", "from (UTC)", "to", "state", "fixes", "reduced"],
        (
            (
                each.patrol.id,
                *(
                    f"{at.astimezone(UTC):%Y-%m-%d %H:%M}" if at else None
                    for at in (each.patrol.started_at, each.patrol.ended_at)
                ),
                each.patrol.state,
                len(each.fixes),
                each.reduced.fixes if each.reduced else None,
            )
            for each in found
        ),
    )
    if following is not None:
        out.print(f"only the newest {limit}: there are more")


@app.command(epilog="Example: wangge people looks 王一 --county 990121")
def looks(
    person: Annotated[str, typer.Argument(help="Name, or id in its source")],
    county: Annotated[str, typer.Option(help="6-digit county code")],
    limit: Annotated[int, typer.Option("--limit", min=1, max=10_000)] = 50,
    before: Annotated[
        int | None, typer.Option("--before", help="Only older than this id: the next page")
    ] = None,
    data_dir: DataDir = None,
    as_json: AsJson = False,
) -> None:
    """Tell who looked at a person's tracks, patrols, phone or id number."""
    with open_database(data_dir) as database, database.transaction() as session:
        looking.be(session, service.person_by_name(session, person, county).id)
        found, following = looking.page(session, limit=limit, before=before)
    if as_json:
        print_json({"looks": [asdict(each) for each in found], "next": following})
        return
    print_table(
        ["id", "when (UTC)", "role", "who", "did", "to", "fields", "for"],
        (
            (
                each.id,
                f"{each.at.astimezone(UTC):%Y-%m-%d %H:%M:%S}",
                each.role,
                each.name,
                each.action,
                each.object_kind,
                ",".join(each.fields),
                each.purpose,
            )
            for each in found
        ),
    )
    if following is not None:
        out.print(f"more with --before {following}")
