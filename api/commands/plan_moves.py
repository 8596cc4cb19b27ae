"""``wangge plan``: moves on a plan, and taking them back."""

from __future__ import annotations

from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import numpy as np
import shapely
import sqlalchemy as sa
import typer

from api.commands.layers import read_layer
from api.commands.shared import (
    Actor,
    AsJson,
    DataDir,
    actor_name,
    open_database,
    out,
    print_json,
    print_table,
)
from api.schemas.plans import PlanOut, StepOut
from boundaries import editions
from data.importers.reading import read
from gis.errors import BadInput, Problem
from gis.wording import counted, verb
from grids.models import GridShape
from grids.plans import (
    changes,
    history,
    kinds,
    lists,
    locks,
    notes,
    opening,
)

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from sqlalchemy.orm import Session

    from grids.plans.changes import Change, Done
    from grids.plans.models import PlanRow

Plan = Annotated[int, typer.Argument(help="Number of the plan, which is that of its edition")]
Code = Annotated[str, typer.Argument(help="Code of a grid")]
Codes = Annotated[list[str] | None, typer.Argument(help="Codes of grids")]


def register(app: typer.Typer) -> None:
    """Add the commands to those of ``wangge plan``."""
    for name, command, example in (
        ("open", open_, "wangge plan open 3"),
        (
            "branch",
            branch,
            "wangge plan branch 3 --title 'north'    or: wangge plan branch 3 --part 7",
        ),
        ("grids", grids, "wangge plan grids 4"),
        ("move", move, "wangge plan move 4 990121001001003 --cells 17,18 --take-along"),
        (
            "assign",
            assign,
            "wangge plan assign 4 cells.csv    the list of: wangge plan export 4 --cells cells.csv",
        ),
        ("split", split, "wangge plan split 4 990121001001003 --parts 2"),
        (
            "border",
            border,
            "wangge plan border 4 drawn.gpkg --to 990121001001003    or: --new",
        ),
        ("merge", merge, "wangge plan merge 4 990121001001003 990121001001004"),
        ("rebalance", rebalance, "wangge plan rebalance 4 990121001001003 990121001001004"),
        ("repair", repair, "wangge plan repair 4"),
        ("undo", undo, "wangge plan undo 4"),
        ("redo", redo, "wangge plan redo 4"),
        ("go-to", go_to, "wangge plan go-to 4 --save-point first"),
        ("history", history_, "wangge plan history 4"),
    ):
        app.command(name, epilog=f"Example: {example}")(command)


def open_(
    plan: Plan, data_dir: DataDir = None, actor: Actor = None, as_json: AsJson = False
) -> None:
    """Take a draft under work, so that it can be changed move by move."""
    with open_database(data_dir) as database, database.transaction() as session:
        row = opening.open_draft(session, plan, author=actor_name(actor))
        tell_plan(session, row, as_json=as_json)


def branch(
    edition: Annotated[int, typer.Argument(help="Number of an edition")],
    title: Annotated[str, typer.Option(help="Of the plan; that of the edition when left out")] = "",
    part: Annotated[
        int | None,
        typer.Option(
            help="A township or village of it as drawn in this draft, the rest as in the edition"
        ),
    ] = None,
    data_dir: DataDir = None,
    actor: Actor = None,
    as_json: AsJson = False,
) -> None:
    """Make a plan that begins as an edition is; its grids keep their identity."""
    with open_database(data_dir) as database, database.transaction(timeout_s=0) as session:
        row = opening.branch(session, edition, title=title, author=actor_name(actor), part=part)
        tell_plan(session, row, as_json=as_json)


def grids(plan: Plan, data_dir: DataDir = None, as_json: AsJson = False) -> None:
    """Grids of a plan by code, with what is locked."""
    with open_database(data_dir) as database, database.transaction() as session:
        row = opening.get(session, plan)
        locked = {each.grid_id: each.author for each in locks.locks(session, row)}
        found = session.scalars(
            sa.select(GridShape).where(GridShape.edition_id == plan).order_by(GridShape.code)
        ).all()
        listed = [
            {
                "code": each.code, "name": each.name, "households": each.households,
                "target": each.target, "deviation": each.households / each.target - 1,
                "compactness": each.compactness, "locked by": locked.get(each.grid_id),
            }
            for each in found
        ]  # fmt: skip
    if as_json:
        print_json(listed)
        return
    print_table(
        ["code", "name", "households", "target", "deviation", "compactness", "locked by"],
        (
            (e["code"], e["name"], e["households"], e["target"], f"{e['deviation']:+.1%}",
             f"{e['compactness']:.2f}", e["locked by"] or "")
            for e in listed
        ),
    )  # fmt: skip


def move(
    plan: Plan,
    to: Annotated[str, typer.Argument(help="Code of the grid they go to; 'none' for no grid")],
    cells: Annotated[str, typer.Option(help="Ids of cells, with commas between")],
    take_along: Annotated[bool, typer.Option(help="Also what they would cut off")] = False,
    data_dir: DataDir = None,
    actor: Actor = None,
    as_json: AsJson = False,
) -> None:
    """Cells go to another grid."""
    with _step(data_dir, plan, as_json=as_json) as (session, row, tell):
        target = None if to == "none" else _grid(session, plan, to)
        change = kinds.move(session, row, _numbers(cells), target, take_along=take_along)
        tell(_do(session, row, change, actor))


def assign(
    plan: Plan,
    file: Annotated[Path, typer.Argument(help="Table with 'cell_id' and 'grid' (its code)")],
    data_dir: DataDir = None,
    actor: Actor = None,
    as_json: AsJson = False,
) -> None:
    """Each cell of a list goes to the grid beside it, in one move; no code: to no grid."""
    table = read(file).frame
    with _step(data_dir, plan, as_json=as_json) as (session, row, tell):
        change = kinds.assign(session, row, lists.read_list(session, plan, table, file.name))
        tell(_do(session, row, change, actor))


def split(
    plan: Plan,
    grid: Code,
    parts: Annotated[int | None, typer.Option(min=2, max=20, help="Of about equal size")] = None,
    line: Annotated[
        str | None, typer.Option(help="Across it: 'lon lat, lon lat, ...' in WGS 84 degrees")
    ] = None,
    data_dir: DataDir = None,
    actor: Actor = None,
    as_json: AsJson = False,
) -> None:
    """Divide a grid; the part with the most households keeps its code and people."""
    if (parts is None) == (line is None):
        raise typer.BadParameter("give --parts or --line, one of them")
    with _step(data_dir, plan, as_json=as_json) as (session, row, tell):
        number = _grid(session, plan, grid)
        change = (
            kinds.split_by_line(session, row, number, _line(line))
            if line is not None
            else kinds.split(session, row, number, parts or 2)
        )
        tell(_do(session, row, change, actor))


def border(
    plan: Plan,
    file: Annotated[
        Path | None, typer.Argument(help="Layer of one polygon in any CRS: FILE or 'FILE|LAYER'")
    ] = None,
    polygon: Annotated[
        str | None, typer.Option(help="Or its outline: 'lon lat, lon lat, ...' in WGS 84 degrees")
    ] = None,
    to: Annotated[str | None, typer.Option(help="Code of the grid that what lies in it is")] = None,
    new: Annotated[bool, typer.Option("--new", help="Make it a grid of its own")] = False,
    data_dir: DataDir = None,
    actor: Actor = None,
    as_json: AsJson = False,
) -> None:
    """Give the cells that mostly lie in a polygon drawn by hand to a grid, or make them a new one.

    One polygon is one move: several are refused, for each goes to a grid of its own.
    """
    if (file is None) == (polygon is None):
        raise typer.BadParameter("give FILE or --polygon, one of them")
    if (to is None) != new:
        raise typer.BadParameter("give --to CODE or --new, one of them")
    ground = _of_file(file) if file is not None else shapely.Polygon(_points(polygon or "", 3))
    with _step(data_dir, plan, as_json=as_json) as (session, row, tell):
        target = None if to is None else _grid(session, plan, to)
        tell(_do(session, row, kinds.border(session, row, ground, target), actor))


def merge(
    plan: Plan,
    codes: Codes = None,
    data_dir: DataDir = None,
    actor: Actor = None,
    as_json: AsJson = False,
) -> None:
    """Make neighbouring grids one: that with the most households goes on."""
    with _step(data_dir, plan, as_json=as_json) as (session, row, tell):
        change = kinds.merge(session, row, grid_numbers(session, plan, codes))
        tell(_do(session, row, change, actor))


def rebalance(
    plan: Plan,
    codes: Codes = None,
    data_dir: DataDir = None,
    actor: Actor = None,
    as_json: AsJson = False,
) -> None:
    """Divide neighbouring grids anew, into as many, as evenly as their buildings allow."""
    with _step(data_dir, plan, as_json=as_json) as (session, row, tell):
        change = kinds.rebalance(session, row, grid_numbers(session, plan, codes))
        tell(_do(session, row, change, actor))


def repair(
    plan: Plan,
    codes: Codes = None,
    data_dir: DataDir = None,
    actor: Actor = None,
    as_json: AsJson = False,
) -> None:
    """Give ground without a grid, and parts cut off on foot, to a neighbour."""
    with _step(data_dir, plan, as_json=as_json) as (session, row, tell):
        wanted = grid_numbers(session, plan, codes) if codes else None
        tell(_do(session, row, kinds.repair(session, row, wanted), actor))


def undo(
    plan: Plan, data_dir: DataDir = None, actor: Actor = None, as_json: AsJson = False
) -> None:
    """Take the last move back."""
    with _step(data_dir, plan, as_json=as_json) as (session, row, tell):
        tell(history.undo(session, row, author=actor_name(actor), version=row.version))


def redo(
    plan: Plan, data_dir: DataDir = None, actor: Actor = None, as_json: AsJson = False
) -> None:
    """Make again what was taken back last."""
    with _step(data_dir, plan, as_json=as_json) as (session, row, tell):
        tell(history.redo(session, row, author=actor_name(actor), version=row.version))


def go_to(
    plan: Plan,
    number: Annotated[int | None, typer.Option("--move", help="Number of a move; 0: begin")] = None,
    save_point: Annotated[str | None, typer.Option(help="Name of a save point")] = None,
    data_dir: DataDir = None,
    actor: Actor = None,
    as_json: AsJson = False,
) -> None:
    """Bring the plan to a state of its history; nothing of the others is lost."""
    if (number is None) == (save_point is None):
        raise typer.BadParameter("give --move or --save-point, one of them")
    with _step(data_dir, plan, as_json=as_json) as (session, row, tell):
        seq = number if save_point is None else notes.named(session, row, save_point).seq
        tell(history.go_to(session, row, seq or 0, author=actor_name(actor), version=row.version))


def history_(
    plan: Plan,
    limit: Annotated[int, typer.Option(min=1, max=1000)] = 50,
    data_dir: DataDir = None,
    as_json: AsJson = False,
) -> None:
    """Moves of a plan, those taken back too, newest first."""
    with open_database(data_dir) as database, database.transaction() as session:
        row = opening.get(session, plan)
        line = history.line_of(session, row)
        listed = [
            {
                "move": each.seq, "when": each.at, "who": each.author, "kind": each.kind,
                "cells": len(each.cells), "holds": each.seq in line,
            }
            for each in history.moves(session, row, limit=limit, before=None)
        ]  # fmt: skip
    if as_json:
        print_json(listed)
        return
    print_table(
        ["move", "when (UTC)", "who", "kind", "cells", "state"],
        (
            (e["move"], f"{e['when']:%Y-%m-%d %H:%M:%S}", e["who"], e["kind"], e["cells"],
             "holds" if e["holds"] else "taken back")
            for e in listed
        ),
    )  # fmt: skip


@contextmanager
def _step(data_dir: Path | None, plan: int, *, as_json: bool) -> Iterator[tuple[Any, Any, Any]]:
    """A transaction with the plan locked in it, and how to tell what was done."""
    told: list[StepOut] = []
    with open_database(data_dir) as database, database.transaction(timeout_s=0) as session:
        row = changes.plan_for_change(session, plan)
        yield session, row, lambda done: told.append(StepOut.of(done))
    for each in told:
        _tell_step(each, as_json=as_json)


def _do(session: Session, row: PlanRow, change: Change, actor: str | None) -> Done:
    return changes.carry_out(session, row, change, author=actor_name(actor), version=row.version)


def _tell_step(told: StepOut, *, as_json: bool) -> None:
    if as_json:
        print_json(told.model_dump(mode="json"))
        return
    print_table(
        ["grid", "households", "deviation", "compactness"],
        (
            (each.code, each.households, f"{each.deviation:+.1%}", f"{each.compactness:.2f}")
            for each in told.grids
        ),
    )
    if told.gone:
        out.print(f"gone: {', '.join(told.gone)}", markup=False)
    if told.apart:
        out.print(f"not whole on foot: {', '.join(told.apart)}", markup=False)
    if told.left_out:
        stays = counted(told.left_out, "cell", "cells")
        out.print(f"{stays} in the polygon {verb(told.left_out, 'stays', 'stay')}: of other units")
    whole = told.figures
    state = f"after move {told.head}" if told.head else "as it began"
    out.print(
        f"the plan {state}: {counted(whole.grids, 'grid')}, "
        f"{whole.within_tolerance or 0:.1%} within tolerance, mean deviation "
        f"{whole.mean_deviation or 0:.1%}, {counted(whole.unassigned, 'cell')} without a grid"
    )


def tell_plan(session: Session, row: PlanRow, *, as_json: bool) -> None:
    """Print a plan and its figures."""
    shown = PlanOut.of(row, editions.get(session, row.edition_id))
    if as_json:
        print_json(shown.model_dump(mode="json"))
        return
    out.print(
        f"plan {shown.id} '{shown.title}' of {shown.area_code}: "
        f"{counted(shown.figures.grids, 'grid')}, "
        f"{shown.figures.within_tolerance or 0:.1%} within tolerance",
        markup=False,
    )


def _grid(session: Session, plan: int, code: str) -> int:
    found = session.scalar(
        sa.select(GridShape.grid_id).where(GridShape.edition_id == plan, GridShape.code == code)
    )
    if found is None:
        raise BadInput(
            Problem(
                f"plan {plan} has no grid {code}", f"See: wangge plan grids {plan}", field="grid"
            )
        )
    return found


def grid_numbers(session: Session, plan: int, codes: Sequence[str] | None) -> list[int]:
    """Numbers of the grids of a plan that have these codes."""
    return [_grid(session, plan, code) for code in codes or ()]


def _numbers(text: str) -> list[int]:
    try:
        return [int(part) for part in text.split(",")]
    except ValueError:
        raise BadInput(
            Problem(f"'{text}' are no ids of cells", "Write 17,18,19", field="--cells")
        ) from None


def _line(text: str) -> shapely.LineString:
    return shapely.LineString(_points(text, 2))


def _points(text: str, fewest: int) -> list[tuple[float, float]]:
    """Positions of a line or, where three are the fewest, of an outline."""
    what, option = ("line", "--line") if fewest == 2 else ("polygon", "--polygon")
    try:
        points = [(float(lon), float(lat)) for lon, lat in (e.split() for e in text.split(","))]
    except ValueError:
        points = []
    if len(points) < fewest or not all(abs(x) <= 180 and abs(y) <= 90 for x, y in points):
        remedy = "Write " + repr(", ".join(["lon lat"] * fewest)) + ", in degrees"
        raise BadInput(Problem(f"'{text}' is no {what}", remedy, field=option))
    return points


def _of_file(path: Path) -> shapely.Polygon | shapely.MultiPolygon:
    """The one polygon of a layer, in WGS 84."""
    layer = read_layer(path)
    problem = None
    if len(layer) > 1:
        problem = Problem(
            f"there are {len(layer):,} features, and one is a move",
            "Save the one that is meant in a layer of its own; several moves are several commands",
            path.name,
        )
    else:
        shape = shapely.force_2d(layer.to_crs(4326).geometry.iloc[0])
        if isinstance(shape, shapely.Polygon | shapely.MultiPolygon) and not shape.is_empty:
            if np.isfinite(shape.bounds).all():
                return shape
            remedy = "Check the coordinate system that the file declares"
            problem = Problem("it has no place on the earth", remedy, path.name, 1, "geometry")
        else:
            kind = "empty" if shape is None or shape.is_empty else f"a {shape.geom_type}"
            problem = Problem(f"it is {kind}", "Give one polygon", path.name, 1, "geometry")
    raise BadInput(problem)
