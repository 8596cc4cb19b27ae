"""Cells and grids as moves see them: who touches whom, pieces, shapes and figures."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, NamedTuple

import numpy as np
import shapely
import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import ARRAY

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


class Member(NamedTuple):
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


def _cells_where(column: sa.ColumnElement[int], kind: type[sa.Integer]) -> sa.Select[Any]:
    """Fields of a `Member` of an edition's cells, chosen by one of their numbers."""
    cell = Cell.__table__.c
    return (
        sa.select(
            cell.cell_id,
            sa.func.coalesce(cell.grid_id, NONE),
            cell.unit_code,
            cell.block,
            cell.households,
            sa.func.cardinality(cell.building_ids),
            cell.neighbours,
            cell.doors,
            sa.func.ST_AsBinary(cell.geom),
        )
        .where(
            cell.edition_id == sa.bindparam("edition"),
            column == sa.any_(sa.bindparam("numbers", type_=ARRAY(kind))),
        )
        .order_by(cell.cell_id)
    )


# Built once: putting a statement together takes as long as the database takes to answer it.
_OF_GRIDS: Final = _cells_where(Cell.__table__.c.grid_id, sa.BigInteger)
_BY_ID: Final = _cells_where(Cell.__table__.c.cell_id, sa.Integer)
_ROWS: Final = sa.select(
    GridShape.__table__.c.grid_id,
    *(GridShape.__table__.c[name] for name in FIGURES),
    sa.func.encode(sa.func.ST_AsBinary(GridShape.__table__.c.geom), "hex").label("geom"),
).where(
    GridShape.__table__.c.edition_id == sa.bindparam("edition"),
    GridShape.__table__.c.grid_id == sa.any_(sa.bindparam("grids", type_=ARRAY(sa.BigInteger))),
)


def members(session: Session, edition_id: int, grids: Iterable[int]) -> dict[int, Member]:
    """Cells of some grids, by id."""
    return _members(session, edition_id, _OF_GRIDS, grids)


def members_by_id(session: Session, edition_id: int, cells: Iterable[int]) -> dict[int, Member]:
    """Cells by id; those that are not there are left out."""
    return _members(session, edition_id, _BY_ID, cells)


def _members(
    session: Session, edition_id: int, wanted: sa.Select[Any], numbers: Iterable[int]
) -> dict[int, Member]:
    rows = session.execute(wanted, {"edition": edition_id, "numbers": sorted(set(numbers))}).all()
    shapes = shapely.from_wkb([bytes(row[-1]) for row in rows])
    return {
        row[0]: Member(
            row[0], row[1], row[2], row[3], row[4], row[5],
            frozenset(row[6] or ()), frozenset(row[7] or ()), shape,
        )
        for row, shape in zip(rows, shapes, strict=True)
    }  # fmt: skip


def grid_rows(session: Session, edition_id: int, grids: Collection[int]) -> dict[int, Row]:
    """Figures and shape of some grids, as the history keeps them."""
    rows = session.execute(_ROWS, {"edition": edition_id, "grids": sorted(grids)}).mappings()
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
