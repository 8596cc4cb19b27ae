"""Cells and grids as moves see them: who touches whom, pieces, shapes and figures."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import shapely
import sqlalchemy as sa

from gis.crs import from_wgs84_geometry, metric_crs
from gis.errors import Problem
from grids.models import Cell, GridShape
from grids.plans.errors import MoveRefused

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Sequence

    from numpy.typing import NDArray
    from sqlalchemy.orm import Session

Row = dict[str, Any]
FIGURES: Final = (
    "code", "unit_code", "name", "area_type", "households", "buildings", "target", "compactness",
    "area_m2",
)  # fmt: skip
NAMED: Final = 5
NONE: Final = 0
"""Stands for no grid where cells are given a number."""


@dataclass(frozen=True)
class Member:
    """A cell with its grid, as a move sees it."""

    cell_id: int
    grid_id: int
    unit_code: str
    block: int
    households: int
    buildings: int
    neighbours: frozenset[int]
    doors: frozenset[int]
    geom: shapely.Polygon


def members(session: Session, edition_id: int, grids: Iterable[int]) -> dict[int, Member]:
    """Cells of some grids, by id."""
    return _members(session, edition_id, Cell.grid_id.in_(sorted(set(grids))))


def members_by_id(session: Session, edition_id: int, cells: Iterable[int]) -> dict[int, Member]:
    """Cells by id; those that are not there are left out."""
    return _members(session, edition_id, Cell.cell_id.in_(sorted(set(cells))))


def _members(
    session: Session, edition_id: int, condition: sa.ColumnElement[bool]
) -> dict[int, Member]:
    rows = session.execute(
        sa.select(
            Cell.cell_id,
            sa.func.coalesce(Cell.grid_id, NONE).label("grid_id"),
            Cell.unit_code,
            Cell.block,
            Cell.households,
            sa.func.cardinality(Cell.building_ids).label("buildings"),
            Cell.neighbours,
            Cell.doors,
            sa.func.ST_AsBinary(Cell.geom).label("wkb"),
        )
        .where(Cell.edition_id == edition_id, condition)
        .order_by(Cell.cell_id)
    ).all()
    shapes = shapely.from_wkb([bytes(row.wkb) for row in rows])
    return {
        row.cell_id: Member(
            row.cell_id, row.grid_id, row.unit_code, row.block, row.households, row.buildings,
            frozenset(row.neighbours or ()), frozenset(row.doors or ()), shape,
        )
        for row, shape in zip(rows, shapes, strict=True)
    }  # fmt: skip


def grid_rows(session: Session, edition_id: int, grids: Collection[int]) -> dict[int, Row]:
    """Figures and shape of some grids, as the history keeps them."""
    rows = session.execute(
        sa.select(
            GridShape.grid_id,
            *(getattr(GridShape, name) for name in FIGURES),
            sa.func.encode(sa.func.ST_AsBinary(GridShape.geom), "hex").label("geom"),
        ).where(GridShape.edition_id == edition_id, GridShape.grid_id.in_(sorted(grids)))
    ).mappings()
    return {row["grid_id"]: {k: v for k, v in row.items() if k != "grid_id"} for row in rows}


def pieces(mine: Collection[Member], *, on_foot: bool = False) -> list[list[int]]:
    """Connected parts of some cells, the one with the most households first."""
    left = {each.cell_id: each for each in mine}
    found: list[list[int]] = []
    while left:
        first = min(left)
        reached, edge = [first], [left.pop(first)]
        while edge:
            each = edge.pop()
            for other in (each.doors if on_foot else each.neighbours) & left.keys():
                reached.append(other)
                edge.append(left.pop(other))
        found.append(sorted(reached))
    people = {each.cell_id: each.households for each in mine}
    return sorted(found, key=lambda part: (-sum(people[cell] for cell in part), part))


def figures(mine: Sequence[Member]) -> Row:
    """Shape and figures of a grid of these cells, which are in one piece."""
    shapes: NDArray[np.object_] = np.array([each.geom for each in mine], dtype=object)
    whole = shapely.get_parts(shapely.coverage_union_all(shapes))
    if len(whole) != 1 or not shapely.is_valid(whole[0]):
        # Cells that meet in a point only: in one piece by their lines, not as a polygon.
        raise MoveRefused(
            Problem("the grid would be no single polygon", "Choose other cells", field="cells")
        )
    flat = from_wgs84_geometry(whole, metric_crs(tuple(whole[0].bounds)))[0]
    return {
        "households": sum(each.households for each in mine),
        "buildings": sum(each.buildings for each in mine),
        "compactness": float(np.clip(4 * np.pi * flat.area / flat.length**2, 0, 1)),
        "area_m2": float(flat.area),
        "geom": shapely.to_wkb(whole[0], hex=True),
    }


def some(numbers: Sequence[int]) -> str:
    """The first of some numbers, and how many more there are."""
    more = len(numbers) - NAMED
    return ", ".join(map(str, numbers[:NAMED])) + (f" and {more} more" if more > 0 else "")
