"""``wangge duty``: heads and leaders of units, departments, the emergency roster."""

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
from gis.wording import counted
from grids.people import duty, service

if TYPE_CHECKING:
    from sqlalchemy.orm import Session

    from grids.people.models import Department

app = typer.Typer(no_args_is_help=True, rich_markup_mode=None)

Since = Annotated[str | None, typer.Option(help="From when on; now when left out")]
Until = Annotated[str | None, typer.Option(help="Until when; open when left out")]
Unit = Annotated[str, typer.Argument(help="Code of a county, township or village")]


@app.command(epilog="Example: wangge duty link 王书记 990121001 --role leader --level 2")
def link(
    person: Annotated[str, typer.Argument(help="Name, or id in its source")],
    target: Annotated[str, typer.Argument(help="Code of a unit, or number of a department")],
    role: Annotated[str, typer.Option(help="unit_head, leader or officer")] = "unit_head",
    level: Annotated[
        int | None, typer.Option(help="Of a leader: 1 county, 2 area, 3 bureau, 4 the unit itself")
    ] = None,
    mode: Annotated[str, typer.Option(help="Roster: any, normal or emergency")] = "any",
    county: Annotated[
        str | None, typer.Option(help="6-digit code; the unit's when left out")
    ] = None,
    since: Since = None,
    until: Until = None,
    data_dir: DataDir = None,
    actor: Actor = None,
) -> None:
    """Let a person answer for a unit, or for a department as its officer."""
    with open_database(data_dir) as database, database.transaction() as session:
        chosen = None
        if role == "officer":
            chosen = duty.department(session, int(target) if target.isdecimal() else 0)
        where = county or (chosen.county_code if chosen else target[:6])
        who = service.person_by_name(session, person, where)
        duty.link(
            session,
            who,
            actor=actor_name(actor),
            role=role,
            unit=None if chosen else target,
            department=chosen,
            level=level,
            mode=mode,
            since=moment(since, "--since"),
            until=moment(until, "--until"),
        )
    out.print(f"{who.name} answers for {chosen.name if chosen else target} as {role}", markup=False)


@app.command("department", epilog="Example: wangge duty department 信访局 990121 --matter land")
def department(
    name: Annotated[str, typer.Argument(help="What it is called")],
    unit: Unit,
    attendance: Annotated[
        str, typer.Option(help="At the centre: resident, rotating or on_call")
    ] = "on_call",
    matter: Annotated[
        list[str] | None, typer.Option(help="Category that it leads; may be repeated")
    ] = None,
    joint: Annotated[
        list[str] | None, typer.Option(help="Category that it joins in; may be repeated")
    ] = None,
    data_dir: DataDir = None,
    actor: Actor = None,
) -> None:
    """Keep a department of a unit, and say which matters are its."""
    with open_database(data_dir) as database, database.transaction() as session:
        made = duty.add_department(
            session, name, area=unit, attendance=attendance, actor=actor_name(actor)
        )
        _matters(session, made, matter, joint, actor_name(actor))
    out.print(f"department {made.id}: {made.name} of {unit}", markup=False)


@app.command(epilog="Example: wangge duty matters 3 --matter land --joint housing")
def matters(
    number: Annotated[int, typer.Argument(help="Number of the department")],
    matter: Annotated[list[str] | None, typer.Option(help="Category that it leads")] = None,
    joint: Annotated[list[str] | None, typer.Option(help="Category that it joins in")] = None,
    data_dir: DataDir = None,
    actor: Actor = None,
) -> None:
    """Say anew which matters are a department's; those not named are no longer."""
    with open_database(data_dir) as database, database.transaction() as session:
        chosen = duty.department(session, number)
        _matters(session, chosen, matter, joint, actor_name(actor))
    out.print(
        f"{chosen.name} has {counted(len(matter or ()) + len(joint or ()), 'matter')}", markup=False
    )


def _matters(
    session: Session,
    chosen: Department,
    matter: list[str] | None,
    joint: list[str] | None,
    actor: str,
) -> None:
    wanted = dict.fromkeys(joint or (), False) | dict.fromkeys(matter or (), True)
    duty.set_matters(session, chosen, wanted, actor=actor)


@app.command(epilog="Example: wangge duty departments --json")
def departments(data_dir: DataDir = None, as_json: AsJson = False) -> None:
    """Departments, and the matters that they lead or join in."""
    with open_database(data_dir) as database, database.transaction() as session:
        known = duty.matters(session)
        listed = [
            {
                "number": each.id,
                "name": each.name,
                "unit": each.area_code,
                "attendance": each.attendance,
                "leads": sorted(m for m, leads in known.get(each.id, {}).items() if leads),
                "joins": sorted(m for m, leads in known.get(each.id, {}).items() if not leads),
            }
            for each in duty.departments(session)
        ]
    if as_json:
        print_json(listed)
    elif not listed:
        out.print("no departments yet: wangge duty department NAME UNIT --matter CATEGORY")
    else:
        print_table(
            list(listed[0]),
            (
                [" ".join(cell) if isinstance(cell, list) else cell for cell in each.values()]
                for each in listed
            ),
        )


@app.command(epilog="Example: wangge duty emergency 990121001 --reason 'flood warning, red'")
def emergency(
    unit: Unit,
    reason: Annotated[str, typer.Option(help="What has happened")],
    since: Since = None,
    until: Until = None,
    data_dir: DataDir = None,
    actor: Actor = None,
) -> None:
    """Switch an area, and all beneath it, to the emergency roster."""
    with open_database(data_dir) as database, database.transaction() as session:
        mode = duty.begin_emergency(
            session,
            unit,
            reason=reason,
            actor=actor_name(actor),
            since=moment(since, "--since"),
            until=moment(until, "--until"),
        )
        begins = mode.valid.lower
    out.print(f"{unit} is in emergency from {begins.isoformat() if begins else ''}", markup=False)


@app.command(epilog="Example: wangge duty normal 990121001")
def normal(
    unit: Unit,
    at: Annotated[str | None, typer.Option(help="From when on; now when left out")] = None,
    data_dir: DataDir = None,
    actor: Actor = None,
) -> None:
    """Switch an area back to the normal roster."""
    with open_database(data_dir) as database, database.transaction() as session:
        duty.end_emergency(session, unit, actor=actor_name(actor), at=moment(at, "--at"))
    out.print(f"{unit} is back to normal")


@app.command(epilog="Example: wangge duty show")
def show(data_dir: DataDir = None, as_json: AsJson = False) -> None:
    """What is in emergency now, or will be."""
    with open_database(data_dir) as database, database.transaction() as session:
        listed = [
            {
                "unit": each.area_code,
                "since": each.valid.lower,
                "until": each.valid.upper,
                "reason": each.reason,
                "author": each.author,
            }
            for each in duty.emergencies(session, datetime.now(UTC))
        ]
    if as_json:
        print_json(listed)
    elif not listed:
        out.print("everything is normal")
    else:
        print_table(list(listed[0]), (each.values() for each in listed))
