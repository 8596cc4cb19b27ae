"""``wangge plan``: two plans side by side, approval, and what is left to do."""

from __future__ import annotations

from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import geopandas as gpd
import shapely
import typer

from api.commands.plan_moves import Plan
from api.commands.shared import (
    Actor,
    AsJson,
    DataDir,
    actor_name,
    figure,
    open_database,
    out,
    print_json,
    print_table,
)
from boundaries import editions
from gis.errors import BadInput, Problem
from gis.wording import counted, verb
from grids import planning, succession
from grids.plans import approval, changeover, comparison
from maps.layer_files import SHEETS, WRITERS, write_layer, write_letters
from maps.plan_report import write_comparison

if TYPE_CHECKING:
    from collections.abc import Sequence

SHOWN = 20


def register(app: typer.Typer) -> None:
    """Add the commands to those of ``wangge plan``."""
    for name, command, example in (
        ("compare", compare, "wangge plan compare 3 4 --letters letters.csv --out changed.gpkg"),
        ("submit", submit, "wangge plan submit 4"),
        ("approve", approve, "wangge plan approve 4 --note agreed"),
        ("return", give_back, "wangge plan return 4 --note 'look at the river again'"),
        ("to-do", to_do, "wangge plan to-do 4"),
        ("lineage", lineage, "wangge plan lineage 4 --code 990121001001003"),
    ):
        app.command(name, epilog=f"Example: {example}")(command)


def compare(
    first: Annotated[int, typer.Argument(help="Edition or plan: as it is")],
    second: Annotated[int, typer.Argument(help="Edition or plan: as it would be")],
    letters: Annotated[
        Path | None, typer.Option(help="A row for each building that moves: .csv, .xlsx")
    ] = None,
    out_file: Annotated[
        Path | None, typer.Option("--out", help="Ground that changes hands: .gpkg, .geojson")
    ] = None,
    report: Annotated[Path | None, typer.Option(help="Maps and lists on a page: .html")] = None,
    data_dir: DataDir = None,
    as_json: AsJson = False,
) -> None:
    """What would be different: households, buildings, open incidents, workers, cameras."""
    _check_ending(letters, "--letters", SHEETS)
    _check_ending(out_file, "--out", WRITERS)
    _check_ending(report, "--report", (".html", ".htm"))
    now = datetime.now(UTC)
    with open_database(data_dir) as database, database.transaction(timeout_s=0) as session:
        found = comparison.compare(session, first, second, at=now)
        rows = comparison.letters(session, found, at=now) if letters else []
        ground = comparison.difference(session, found) if out_file or report else []
        frames = [planning.grids_frame(session, each) for each in (first, second) if report]
        # An edition may go beyond what both are of.
        frames = [each[each["unit"].str.startswith(found.area_code)] for each in frames]
    if letters is not None:
        write_letters(rows, letters)
    if out_file is not None:
        shapes = shapely.from_wkb([each["wkb"] for each in ground])
        names = ("from_grid", "to_grid", "area_m2")
        frame = gpd.GeoDataFrame(
            {name: [each[name] for each in ground] for name in names}, geometry=shapes, crs=4326
        )
        write_layer(frame, out_file, layer="difference")
    if report is not None:
        write_comparison(found, (frames[0], frames[1]), ground, report)
    if as_json:
        told = asdict(found)
        told.pop("grid_of")
        print_json(told)
        return
    _tell_comparison(found)
    for written in (letters, out_file, report):
        if written is not None:
            out.print(f"written to {written}")


def _tell_comparison(found: comparison.Comparison) -> None:
    before, after = (asdict(each) for each in found.loads)
    print_table(
        ["", f"edition {found.first}", f"edition {found.second}"],
        ((name.replace("_", " "), figure(before[name]), figure(after[name])) for name in before),
    )
    out.print(
        f"{counted(found.households_moved, 'household')} in "
        f"{counted(found.buildings_moved, 'building')} "
        f"{verb(found.households_moved, 'gets', 'get')} another grid; "
        f"{counted(found.incidents_moved or 0, 'open incident')}, "
        f"{counted(found.cameras_moved or 0, 'camera')} and "
        f"{counted(found.places_moved, 'key place')} there; "
        f"{counted(found.workers_concerned, 'worker')} concerned"
    )
    for flow in found.flows[:SHOWN]:
        who = f" ({flow.worker_before or 'nobody'} -> {flow.worker_after or 'nobody'})"
        out.print(
            f"  {flow.from_code or 'no grid'} -> {flow.to_code or 'no grid'}: "
            f"{counted(flow.households, 'household')}, {counted(flow.buildings, 'building')}{who}",
            markup=False,
        )
    if len(found.flows) > SHOWN:
        out.print(f"  and {len(found.flows) - SHOWN:,} more: --json or --letters lists them all")
    for kind in ("split", "merged", "new", "gone"):
        lines = [line for line in found.lineage if line.kind == kind]
        if lines:
            told = ", ".join(f"{line.code} ({' '.join(line.codes)})" for line in lines[:SHOWN])
            out.print(f"{kind}: {told}", markup=False)


def submit(plan: Plan, data_dir: DataDir = None, actor: Actor = None) -> None:
    """Hand a plan in for approval; it takes no moves until it is returned."""
    with open_database(data_dir) as database, database.transaction(timeout_s=0) as session:
        approval.submit(session, plan, author=actor_name(actor), at=datetime.now(UTC))
    out.print(f"plan {plan} waits for another person: wangge plan approve {plan} --actor NAME")


def approve(
    plan: Plan,
    note: Annotated[str, typer.Option(help="Remark")] = "",
    data_dir: DataDir = None,
    actor: Actor = None,
) -> None:
    """Approve a submitted plan; not by who worked on it."""
    with open_database(data_dir) as database, database.transaction() as session:
        approval.approve(session, plan, approver=actor_name(actor), note=note)
    out.print(f"plan {plan} is approved: put it in force with 'wangge plan publish {plan}'")


def give_back(
    plan: Plan,
    note: Annotated[str, typer.Option(help="What is to be changed")],
    data_dir: DataDir = None,
    actor: Actor = None,
) -> None:
    """Take a submitted or approved plan back to the table, with remarks."""
    with open_database(data_dir) as database, database.transaction() as session:
        approval.give_back(session, plan, author=actor_name(actor), note=note)
    out.print(f"plan {plan} is open again")


def to_do(
    edition: Annotated[int, typer.Argument(help="Number of an edition")],
    data_dir: DataDir = None,
    as_json: AsJson = False,
) -> None:
    """What people have to decide: grids without anybody, people of grids that are gone."""
    with open_database(data_dir) as database, database.transaction() as session:
        found = changeover.tasks(session, edition, at=datetime.now(UTC))
    if as_json:
        print_json([asdict(each) for each in found])
    elif not found:
        out.print("nothing: everybody has a grid, and every grid somebody")
    else:
        words = {"nobody": "nobody is in charge", "grid_gone": "the grid is gone; relieve"}
        print_table(
            ["grid", "households", "what"],
            (
                (each.code, each.households, f"{words[each.kind]} {each.name or ''}".strip())
                for each in found
            ),
        )


def lineage(
    edition: Annotated[int, typer.Argument(help="Number of a published edition")],
    code: Annotated[str | None, typer.Option(help="Of one grid, before or since")] = None,
    data_dir: DataDir = None,
    as_json: AsJson = False,
) -> None:
    """What became of each grid when the edition took the place of the one before."""
    with open_database(data_dir) as database, database.transaction() as session:
        editions.get(session, edition)
        found = succession.lineage(session, edition, code=code)
    if as_json:
        print_json([asdict(each) for each in found])
    elif not found:
        out.print("nothing is written down: it is the first of its area, a draft, or no such grid")
    else:
        print_table(
            ["before", "since", "what became of it", "households", "buildings", "hectares"],
            (
                (each.predecessor, each.successor, each.fate, f"{each.households:,}",
                 f"{each.buildings:,}", f"{each.area_m2 / 1e4:,.1f}")
                for each in found
                if code is not None or each.fate != "kept"
            ),
        )  # fmt: skip
        kept = sum(each.fate == "kept" for each in found)
        out.print(counted(kept, "grid goes on as it was called", "grids go on as they were called"))


def _check_ending(path: Path | None, option: str, endings: Sequence[str]) -> None:
    if path is not None and path.suffix.lower() not in endings:
        raise BadInput(
            Problem(
                f"cannot write '{path.suffix}'", f"Use one of: {', '.join(endings)}",
                source=path.name, field=option,
            )
        )  # fmt: skip
