"""``wangge plan``: draw grids, score them, publish and roll back editions."""

from __future__ import annotations

from dataclasses import asdict
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import sqlalchemy as sa
import typer

from api.commands import plan_draw, plan_moves, plan_notes, plan_review
from api.commands.plan_layers import BarrierLayers, check_endings, read_plan_layers
from api.commands.shared import (
    Actor,
    AsJson,
    DataDir,
    actor_name,
    figure,
    moment,
    open_database,
    out,
    print_json,
    print_table,
)
from boundaries import editions
from boundaries.models import Edition
from gis.wording import counted, verb
from grids import going_back, planning, service, withdrawal
from grids.models import GridShape
from grids.plans import approval, changeover
from grids.redistricting import score as score_grids
from maps.layer_files import write_layer

if TYPE_CHECKING:
    from grids.redistricting import Score

app = typer.Typer(no_args_is_help=True, rich_markup_mode=None)
SHOWN = 20
FIGURES = {"deviation": 4, "compactness": 4, "area_m2": 1}
"""Figures behind the point that are written to files."""

UNTOLD = {
    "area": "gaps, ground outside, and grids across the lines of units",
    "buildings": "buildings cut and households in no grid",
    "barriers": "metres of barriers inside grids, and whether each grid is whole on foot",
}


@app.command(
    epilog="Example: wangge plan score grids.gpkg --target 300 --area 'town.gpkg|units' --json"
)
def score(
    grids: Annotated[Path, typer.Argument(help="Any layer of grids with 'households'")],
    target: Annotated[float, typer.Option(help="Households a grid should have")] = 300,
    tolerance: Annotated[float, typer.Option(help="Largest deviation that passes")] = 0.10,
    area: Annotated[Path | None, typer.Option(help="Polygons they should tile")] = None,
    buildings: Annotated[Path | None, typer.Option(help="With households")] = None,
    barriers: BarrierLayers = None,
    as_json: AsJson = False,
) -> None:
    """Measure a layer of grids, drawn by the planner or by hand.

    A layer of a file that has several is named behind a bar, in quotes: 'town.gpkg|units'.
    """
    layers = read_plan_layers(grids=grids, area=area, buildings=buildings, barriers=barriers)
    with layers.named():
        found: Score = score_grids(**layers.frames, target=target, tolerance=tolerance)
    figures = asdict(found)
    if as_json:
        print_json(figures)
    else:
        inside = figures.pop("inside_m") or {}
        figures |= {f"inside_m {kind}": metres for kind, metres in inside.items()}
        known = {name: value for name, value in figures.items() if value is not None}
        print_table(["figure", "value"], ((name, figure(v)) for name, v in known.items()))
        for option, given in (("area", area), ("buildings", buildings), ("barriers", barriers)):
            if not given:
                out.print(f"--{option} FILE would tell {UNTOLD[option]}")


@app.command("list", epilog="Example: wangge plan list")
def list_editions(data_dir: DataDir = None, as_json: AsJson = False) -> None:
    """Editions of the database, newest first."""
    with open_database(data_dir) as database, database.transaction() as session:
        rows = session.execute(
            sa.select(Edition, sa.func.count(GridShape.grid_id))
            .outerjoin(GridShape, GridShape.edition_id == Edition.id)
            .group_by(Edition.id)
            .order_by(Edition.id.desc())
        ).all()
    listed = [
        {
            "edition": edition.id,
            "area": edition.area_code,
            "kind": edition.kind,
            "status": edition.status,
            "grids": count,
            "from": edition.valid.lower if edition.valid else None,
            "until": edition.valid.upper if edition.valid else None,
            "title": edition.title,
            "author": edition.author,
        }
        for edition, count in rows
    ]
    if as_json:
        print_json(listed)
    elif not listed:
        out.print("no editions yet: draw one with 'wangge plan draw --unit CODE'")
    else:
        print_table(list(listed[0]), (map(_to_the_second, each.values()) for each in listed))


def _to_the_second(value: object) -> object:
    """A time without its parts of a second; anything else as it is."""
    return value.isoformat(" ", "seconds") if isinstance(value, datetime) else value


@app.command(epilog="Example: wangge plan publish 3 --effective 2026-07-01")
def publish(
    edition: Annotated[int, typer.Argument(help="Number of the draft")],
    effective: Annotated[str | None, typer.Option(help="From when on; now when left out")] = None,
    data_dir: DataDir = None,
    actor: Actor = None,
    as_json: AsJson = False,
) -> None:
    """Put a draft in force: checked whole, the edition before it is closed at that moment."""
    at = moment(effective, "--effective")
    with open_database(data_dir) as database, database.transaction(timeout_s=0) as session:
        done = approval.publish(session, edition, publisher=actor_name(actor), effective=at)
        followed = changeover.change_over(session, author=actor_name(actor)).get(edition, 0)
    _tell_published(done, followed, as_json=as_json)


@app.command(epilog="Example: wangge plan rollback 4")
def rollback(
    edition: Annotated[int, typer.Argument(help="Number of the edition in force")],
    note: Annotated[str, typer.Option(help="Why")] = "",
    data_dir: DataDir = None,
    actor: Actor = None,
    as_json: AsJson = False,
) -> None:
    """Go back to the edition before, from now on; nothing of the past is rewritten."""
    with open_database(data_dir) as database, database.transaction(timeout_s=0) as session:
        done = going_back.roll_back(session, edition, actor=actor_name(actor), note=note)
        followed = changeover.change_over(session, author=actor_name(actor)).get(done.edition.id, 0)
    _tell_published(done, followed, as_json=as_json)


@app.command(epilog="Example: wangge plan withdraw 4 --note 'not before the new year'")
def withdraw(
    edition: Annotated[int, typer.Argument(help="Number of an edition for a later day")],
    note: Annotated[str, typer.Option(help="Why")] = "",
    data_dir: DataDir = None,
    actor: Actor = None,
    as_json: AsJson = False,
) -> None:
    """Take back an edition before the day it was published for; the one before goes on."""
    with open_database(data_dir) as database, database.transaction() as session:
        done = withdrawal.withdraw(session, edition, actor=actor_name(actor), note=note.strip())
        going_on = [old.id for old in done.going_on]
        area = done.edition.area_code
    if as_json:
        print_json({"edition": edition, "effective": done.effective, "going_on": going_on})
        return
    out.print(
        f"edition {edition} of {area} is withdrawn: it will not be in force from "
        f"{_to_the_second(done.effective)}"
    )
    for old in going_on:
        out.print(f"edition {old} goes on")


def _tell_published(done: service.Published, followed: int, *, as_json: bool) -> None:
    edition = done.edition
    if as_json:
        print_json(
            {
                "edition": edition.id,
                "replaced": [each.id for each in done.replaced],
                "grids": done.grids,
                "kept": done.kept,
                "unassigned": done.unassigned,
                "incidents": followed,
                "unnested": [each.reason for each in done.unnested],
                "from": edition.valid.lower if edition.valid else None,
            }
        )
        return
    since = _to_the_second(edition.valid.lower if edition.valid else None)
    out.print(
        f"edition {edition.id} of {edition.area_code} is in force from {since}: "
        f"{counted(done.grids, 'grid')}, {done.kept:,} "
        f"{verb(done.kept, 'keeps its', 'keep their')} identity"
    )
    for old in done.replaced:
        out.print(f"edition {old.id} is superseded from then on")
    if followed:
        have = counted(followed, "open incident has", "open incidents have")
        it = verb(followed, "it", "them")
        out.print(f"{have} another grid or person to answer for {it} now")
    if done.unassigned:
        out.print(
            f"{counted(done.unassigned, 'grid has', 'grids have')} nobody to answer for "
            f"{verb(done.unassigned, 'it', 'them')}: "
            f"'wangge people unassigned' lists {verb(done.unassigned, 'it', 'them')}"
        )
    if done.unnested:
        out.print(
            f"{counted(len(done.unnested), 'place')} where micro grids do not nest in these base "
            "grids: "
            "they stay as they are until they are redrawn; 'wangge db check' lists them"
        )
        for each in done.unnested[:SHOWN]:
            out.print(f"  {each.reason}. {each.remedy}", markup=False)


@app.command(
    epilog="Example: wangge plan export 3 --out grids.gpkg    or the list of cells: "
    "wangge plan export 3 --cells cells.csv"
)
def export(
    edition: Annotated[int, typer.Argument(help="Number of the edition")],
    out_file: Annotated[
        Path | None,
        typer.Option("--out", help="Grids: .gpkg, .geojson, .shp, .zip, .parquet, .csv"),
    ] = None,
    cells: Annotated[
        Path | None, typer.Option(help="Which cell belongs to which grid: the same formats")
    ] = None,
    data_dir: DataDir = None,
) -> None:
    """Write the grids of an edition, its cells, or both to files, in WGS 84."""
    if out_file is None and cells is None:
        raise typer.BadParameter("give --out, --cells or both")
    check_endings(out_file, cells, None)
    with open_database(data_dir) as database, database.transaction() as session:
        editions.get(session, edition)
        grids = planning.grids_frame(session, edition).round(FIGURES) if out_file else None
        pieces = planning.cells_frame(session, edition) if cells else None
    for frame, path, layer in ((grids, out_file, "grids"), (pieces, cells, "cells")):
        if frame is not None and path is not None:
            write_layer(frame, path, layer=layer)
            out.print(f"{counted(len(frame), layer.removesuffix('s'))} written to {path}")


app.command(
    epilog="Example: wangge plan draw --area 'town.gpkg|units' --buildings 'town.gpkg|houses' "
    "--barriers roads.gpkg --out grids.gpkg    or, on the database: wangge plan draw --unit 990121 "
    "--before 3 --curve --report plan.html"
)(plan_draw.draw)
plan_moves.register(app)
plan_notes.register(app)
plan_review.register(app)
