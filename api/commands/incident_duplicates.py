"""``wangge incidents``: likely duplicates, merging one by hand, addresses that come again."""

from __future__ import annotations

import uuid
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Annotated, Final

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
from gis import audit
from gis.errors import BadInput, Problem
from gis.wording import counted
from grids.incidents import duplicates as looking
from grids.incidents import steps
from grids.incidents import unlike as saying

if TYPE_CHECKING:
    from collections.abc import Iterable

    from sqlalchemy.orm import Session

    from grids.incidents.likeness import Part

LATELY: Final = timedelta(days=90)
UNITS: Final = {"place": " m", "time": " h"}
Number = Annotated[str, typer.Argument(help="Id of the incident")]


def register(app: typer.Typer) -> None:
    """Add the commands to those of ``wangge incidents``."""
    for name, command, example in (
        ("duplicates", duplicates, "wangge incidents duplicates 7c9e6679-7425-40de-944b-e07fc1f9"),
        ("merge", merge, "wangge incidents merge 7c9e6679-... 0b1c2d3e-... --note 'same leak'"),
        (
            "unlike",
            unlike,
            "wangge incidents unlike 7c9e6679-... 0b1c2d3e-... --note 'two floors'",
        ),
        ("repeats", repeats, "wangge incidents repeats --by building --from 2026-04-01 --least 5"),
    ):
        app.command(name, epilog=f"Example: {example}")(command)


def duplicates(
    incident: Number,
    threshold: Annotated[
        float, typer.Option(min=0, max=1, help="Least probability to be offered")
    ] = looking.THRESHOLD,
    data_dir: DataDir = None,
    actor: Actor = None,
    as_json: AsJson = False,
) -> None:
    """Incidents that may be the same as one, and why; nothing is merged by it."""
    number = _id(incident)
    with open_database(data_dir) as database, database.transaction() as session:
        found = looking.duplicates(session, number, threshold=threshold)
        _enter(session, ((e.incident.id, e.incident.area_code) for e in found), actor, ("text",))
        told = [
            {
                "id": str(each.incident.id),
                "score": round(each.likeness.score, 3),
                "state": each.incident.state,
                "category": each.incident.category,
                "reported_at": each.incident.reported_at,
                "text": each.incident.text,
                "address": each.incident.address,
                "parts": {
                    name: {"value": round(part.value, 2), "points": round(part.points, 2)}
                    for name, part in each.likeness.parts.items()
                },
            }
            for each in found
        ]
    if as_json:
        print_json(told)
        return
    if not told:
        out.print("nothing near it in place and time tells of the same")
    for each, one in zip(told, found, strict=True):
        out.print(
            f"{each['score']:.0%}  {each['id']}  {each['state']}  {each['category']}  "
            f"{one.incident.reported_at:%Y-%m-%d %H:%M}",
            markup=False,
        )
        out.print(f"      {each['text']}  {each['address']}", markup=False)
        out.print(f"      {'; '.join(_why(one.likeness.parts.items()))}", markup=False)


def _why(parts: Iterable[tuple[str, Part]]) -> list[str]:
    """Each part in words, with its points."""
    return [
        f"{name} {part.value:,.0f}{UNITS[name]} ({part.points:+.1f})"
        if name in UNITS
        else f"{name} {part.value:.2f} ({part.points:+.1f})"
        for name, part in parts
    ]


def merge(
    incident: Number,
    into: Annotated[str, typer.Argument(help="Id of the incident that goes on for both")],
    note: Annotated[str, typer.Option(help="Remark")] = "",
    data_dir: DataDir = None,
    actor: Actor = None,
) -> None:
    """Merge an incident into another one, by an event; the step 'reopened' undoes it."""
    with open_database(data_dir) as database, database.transaction() as session:
        done = steps.step(
            session, _id(incident), steps.MERGED, actor=actor_name(actor), note=note, into=_id(into)
        )
    out.print(f"incident {done.id} is merged into {into}")


def unlike(
    incident: Number,
    other: Annotated[str, typer.Argument(help="Id of the incident that it is not the same as")],
    note: Annotated[str, typer.Option(help="Why")] = "",
    undo: Annotated[bool, typer.Option("--undo", help="Take it back: offered again")] = False,
    data_dir: DataDir = None,
    actor: Actor = None,
) -> None:
    """Say that two incidents are not the same: they are no longer offered as such."""
    with open_database(data_dir) as database, database.transaction() as session:
        saying.say(
            session, _id(incident), _id(other), unlike=not undo, actor=actor_name(actor), note=note
        )
    out.print("offered again" if undo else "noted: no longer offered as the same")


def repeats(
    by: Annotated[str, typer.Option(help="address, building or place (300 m2)")] = "address",
    since: Annotated[
        str | None, typer.Option("--from", help="Reported at or after; 90 days ago when left out")
    ] = None,
    until: Annotated[str | None, typer.Option("--to", help="Reported before")] = None,
    category: Annotated[list[str] | None, typer.Option(help="May be repeated")] = None,
    least: Annotated[int, typer.Option(min=2, help="Incidents that it has at least")] = (
        looking.FEWEST
    ),
    limit: Annotated[int, typer.Option(min=1, max=10_000)] = 50,
    data_dir: DataDir = None,
    actor: Actor = None,
    as_json: AsJson = False,
) -> None:
    """Addresses, buildings or places with several incidents, the most first."""
    ways: dict[str, looking.By] = {
        "address": "address", "building": "building", "place": "place",
    }  # fmt: skip
    if by not in ways:
        raise BadInput(Problem(f"unknown way '{by}'", f"One of: {', '.join(ways)}", field="--by"))
    end = moment(until, "--to") or datetime.now(UTC)
    start = moment(since, "--from") or end - LATELY
    with open_database(data_dir) as database, database.transaction() as session:
        found, more = looking.repeats(
            session, start=start, end=end, by=ways[by], categories=category or (), fewest=least,
            limit=limit,
        )  # fmt: skip
        seen = ((number, each.county_code) for each in found for number in each.incidents)
        _enter(session, seen, actor, ("address", "place"))
    if as_json:
        print_json([{name: getattr(each, name) for name in each.__slots__} for each in found])
    elif not found:
        out.print(f"none has {counted(least, 'incident')} or more in that period")
    else:
        print_table(
            [by, "incidents", "categories", "first", "last"],
            (
                (each.label, each.count,
                 ", ".join(f"{name} {number}" for name, number in each.categories.items()),
                 f"{each.first_at:%Y-%m-%d}", f"{each.last_at:%Y-%m-%d}")
                for each in found
            ),
        )  # fmt: skip
        if more:
            out.print("and more: --limit shows them")


def _enter(
    session: Session,
    seen: Iterable[tuple[uuid.UUID, str]],
    actor: str | None,
    fields: tuple[str, ...],
) -> None:
    """Enter in the audit log what was told."""
    audit.read(
        session, object_kind="incident", fields=fields, seen=list(seen), action="search",
        actor=actor_name(actor),
    )  # fmt: skip


def _id(text: str) -> uuid.UUID:
    try:
        return uuid.UUID(text)
    except ValueError:
        raise BadInput(
            Problem(f"'{text}' is no id of an incident", "Give it whole, as it was told")
        ) from None
