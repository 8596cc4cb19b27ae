"""``wangge incidents``: duplicates, repeats, and the grids of another edition."""

from __future__ import annotations

import csv
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.progress import Progress

from api.commands import incident_duplicates
from api.commands.shared import (
    Actor,
    AsJson,
    DataDir,
    actor_name,
    database_settings,
    moment,
    open_database,
    out,
    print_json,
    print_table,
    progress,
)
from gis.wording import counted
from grids.incidents.relocating import Outcome, Wanted, relocate
from maps.output import replacing

if TYPE_CHECKING:
    from collections.abc import Iterator

    from data.bulk.incidents import Workers

app = typer.Typer(no_args_is_help=True, rich_markup_mode=None)
SHOWN = 20
COLUMNS = ("from_grid", "to_grid", "incidents", "open")


@app.callback()
def _incidents() -> None:
    """Incidents: which may be one, which places come again, and the grids of another edition."""


@app.command(
    name="relocate",
    epilog="Example: wangge incidents relocate --area 150121 --csv moved.csv    and then: wangge "
    "incidents relocate --area 150121 --commit --reason 'edition of July'",
)
def relocate_command(
    at: Annotated[
        str | None, typer.Option(help="By the edition of that moment; now when left out")
    ] = None,
    area: Annotated[str, typer.Option(help="Code of a unit; every area when left out")] = "",
    since: Annotated[str | None, typer.Option("--from", help="Reported at or after")] = None,
    until: Annotated[str | None, typer.Option("--to", help="Reported before")] = None,
    open_only: Annotated[bool, typer.Option("--open", help="Only those that are not over")] = False,
    table: Annotated[
        Path | None, typer.Option("--csv", help="Write there how many go from where to where")
    ] = None,
    commit: Annotated[
        bool, typer.Option("--commit", help="Write events; otherwise only look")
    ] = False,
    reason: Annotated[str, typer.Option(help="Why, for the events and the audit log")] = "",
    scheduler: Annotated[
        str | None,
        typer.Option(help="Look up on a Dask cluster: tcp://HOST:8786, or local:N for N processes"),
    ] = None,
    data_dir: DataDir = None,
    actor: Actor = None,
    as_json: AsJson = False,
) -> None:
    """Find the grid that incidents lie in now, and note by events where it is another one.

    The grid and worker of the report time stay. What was written is not written again: a run that
    was ended goes on when it is repeated.
    """
    wanted = Wanted(
        area=area,
        since=moment(since, "--from"),
        until=moment(until, "--to"),
        open_only=open_only,
    )
    folder = database_settings(data_dir).data_dir / "index"
    bar = Progress(console=progress, transient=True, disable=not progress.is_terminal)
    with ExitStack() as stack:
        # First, as it may be missing, and opening the database may take a while.
        placing = stack.enter_context(_workers(scheduler)) if scheduler else None
        database = stack.enter_context(open_database(data_dir))
        stack.enter_context(bar)
        task = bar.add_task("locating", total=None)
        outcome = relocate(
            database,
            folder,
            wanted,
            actor=actor_name(actor),
            at=moment(at, "--at"),
            commit=commit,
            reason=reason,
            placing=placing,
            on_page=lambda done, total: bar.update(task, completed=done, total=total),
        )
    if table is not None:
        table.parent.mkdir(parents=True, exist_ok=True)
        with replacing(table) as fresh, fresh.open("w", encoding="utf-8-sig", newline="") as file:
            writer = csv.writer(file)
            writer.writerow(COLUMNS)
            writer.writerows(_rows(outcome))
    if as_json:
        print_json(_document(outcome, is_committed=commit))
    else:
        _tell(outcome, is_committed=commit)


@contextmanager
def _workers(address: str) -> Iterator[Workers]:
    """Those of a Dask cluster; what was written when they are gone stays written."""
    from data.bulk import cluster, incidents  # noqa: PLC0415 - loads what only this needs

    with cluster.connected(address) as client:
        yield incidents.Workers(client)


def _rows(outcome: Outcome) -> Iterator[tuple[str, str, int, int]]:
    """From, to, how many and how many of them open; the most first."""
    pairs = sorted(outcome.moved.items(), key=lambda each: (-each[1], each[0][0] or "", each[0][1]))
    for (before, now), count in pairs:
        yield before or "", now, count, outcome.moved_open[before, now]


def _tell(outcome: Outcome, *, is_committed: bool) -> None:
    editions = ", ".join(map(str, outcome.editions)) or "none"
    out.print(
        f"{counted(outcome.looked_at, 'incident')} by edition {editions} of "
        f"{outcome.at.isoformat()}: "
        f"{counted(outcome.unchanged, 'stays', 'stay')}, "
        f"{counted(outcome.moved.total(), 'lies', 'lie')} in another grid, "
        f"{outcome.outside:,} in none, {outcome.without_place:,} without a place"
    )
    rows = list(_rows(outcome))
    if rows:
        print_table(COLUMNS, rows[:SHOWN])
    if len(rows) > SHOWN:
        out.print(f"... and {counted(len(rows) - SHOWN, 'more pair')}; --csv FILE has all")
    if is_committed:
        out.print(counted(outcome.written, "event was written", "events were written"))
    else:
        out.print("Nothing was changed. Add --commit --reason '...' to write events.")


def _document(outcome: Outcome, *, is_committed: bool) -> dict[str, Any]:
    return {
        "at": outcome.at.isoformat(),
        "editions": list(outcome.editions),
        "looked_at": outcome.looked_at,
        "unchanged": outcome.unchanged,
        "moved": outcome.moved.total(),
        "outside": outcome.outside,
        "without_place": outcome.without_place,
        "pairs": [dict(zip(COLUMNS, row, strict=True)) for row in _rows(outcome)],
        "committed": is_committed,
        "events": outcome.written,
    }


incident_duplicates.register(app)
