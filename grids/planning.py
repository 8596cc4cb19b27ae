"""Draw the grids of an area that is in the database, and read an edition's grids back."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import geopandas as gpd
import sqlalchemy as sa

from gis.errors import BadInput
from grids import service
from grids.models import Cell, GridShape
from grids.redistricting import AREA_TYPES, draw
from grids.redistricting.checks import figure_problems

if TYPE_CHECKING:
    from collections.abc import Callable

    from sqlalchemy.orm import Session

    from boundaries.models import Edition
    from grids.redistricting import Plan

HAN = re.compile("[\u4e00-\u9fff]")


def draw_draft(
    session: Session,
    area_code: str,
    *,
    author: str,
    target: float | None = None,
    tolerance: float | None = None,
    seed: int = 1,
    title: str | None = None,
    progress: Callable[[str, float], None] | None = None,
) -> tuple[Plan, Edition]:
    """Draw grids for every unit under a code and keep them as a draft edition.

    Parameters
    ----------
    target, tolerance
        For all units; by each unit's area type when left out (urban where it is unknown).

    Returns
    -------
    The plan in EPSG:4326, and the draft.

    Raises
    ------
    BadInput
        Target or tolerance, or a layer of the area, cannot be used.
    """
    asked = (300 if target is None else target, 0.1 if tolerance is None else tolerance)
    if problems := list(figure_problems(*asked)):
        raise BadInput(problems)
    now = datetime.now(UTC)
    area, buildings, barriers = service.planning_input(session, area_code, now)
    norms = [AREA_TYPES[kind or "urban"] for kind in area["area_type"]]
    area["target"] = [norm.target if target is None else target for norm in norms]
    area["tolerance"] = [norm.tolerance if tolerance is None else tolerance for norm in norms]
    plan = draw(area, buildings, barriers, seed=seed, progress=progress)
    names = dict(zip(area["code"], area["name"], strict=True))
    kinds = dict(zip(area["code"], area["area_type"], strict=True))
    grids = plan.grids.assign(
        name=[
            grid_name(names[unit], int(code[len(unit) :]))
            for unit, code in zip(plan.grids["unit"], plan.grids["code"], strict=True)
        ],
        area_type=[kinds[unit] or "urban" for unit in plan.grids["unit"]],
    )
    edition = service.save_draft(
        session,
        area_code,
        grids,
        title=title or f"{area_code} {now:%Y-%m-%d}",
        author=author,
        cells=plan.cells,
        rules={"seed": seed, "target": target, "tolerance": tolerance},
    )
    return plan, edition


def grid_name(unit: str, number: int) -> str:
    """What a grid is called: 河东社区第3网格, or "Riverside 3" where the name is not Chinese."""
    return f"{unit}第{number}网格" if HAN.search(unit) else f"{unit} {number}"


def grids_frame(session: Session, edition_id: int) -> gpd.GeoDataFrame:
    """Grids of an edition: code, unit, name, figures and polygon in EPSG:4326, by code."""
    columns = ("code", "name", "area_type", "households", "buildings", "target")
    figures = ("deviation", "compactness", "area_m2")
    rows = session.execute(
        sa.select(
            GridShape.grid_id,
            GridShape.unit_code.label("unit"),
            *(getattr(GridShape, name) for name in (*columns, *figures)),
            sa.func.ST_AsBinary(GridShape.geom).label("wkb"),
        )
        .where(GridShape.edition_id == edition_id)
        .order_by(GridShape.code)
    ).all()
    names = ("grid_id", "unit", *columns, *figures)
    return gpd.GeoDataFrame(
        {name: [getattr(row, name) for row in rows] for name in names},
        geometry=gpd.GeoSeries.from_wkb([bytes(row.wkb) for row in rows], crs=4326),
    )


def cells_frame(session: Session, edition_id: int) -> gpd.GeoDataFrame:
    """Cells of an edition, by id: grid code (None: of none), unit, households, buildings.

    Returns
    -------
    GeoDataFrame
        ``cell_id``, ``grid``, ``unit``, ``block``, ``households``, ``building_ids`` (list) and
        polygon in EPSG:4326.
    """
    rows = session.execute(
        sa.select(
            Cell.cell_id,
            GridShape.code.label("grid"),
            Cell.unit_code.label("unit"),
            Cell.block,
            Cell.households,
            Cell.building_ids,
            sa.func.ST_AsBinary(Cell.geom).label("wkb"),
        )
        .outerjoin(
            GridShape,
            (GridShape.edition_id == Cell.edition_id) & (GridShape.grid_id == Cell.grid_id),
        )
        .where(Cell.edition_id == edition_id)
        .order_by(Cell.cell_id)
    ).all()
    names = ("cell_id", "grid", "unit", "block", "households", "building_ids")
    return gpd.GeoDataFrame(
        {name: [getattr(row, name) for row in rows] for name in names},
        geometry=gpd.GeoSeries.from_wkb([bytes(row.wkb) for row in rows], crs=4326),
    )
