"""Take grids that were drawn by hand under work: found wrong where they are, and cleaned by rules.

The planner's cells are drawn for their units, and each goes to the grid that most of it lies in:
overlaps end so, borders are straightened to where no building is cut, and small gaps close. Ground
of which less than half lies in any grid stays without one, and so does what would leave a grid in
pieces; both are for people, or `repair`, to decide. What was found is left as comments, pinned to
its place.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final

import geopandas as gpd
import numpy as np
import pandas as pd
import shapely
import sqlalchemy as sa
from geoalchemy2 import WKBElement

from gis.errors import Problem
from gis.wording import counted
from grids import service
from grids.models import Cell, GridShape
from grids.plans.errors import MoveRefused
from grids.plans.members import figures, grid_rows, members, pieces

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray
    from sqlalchemy.orm import Session

    from boundaries.models import Edition

# A cell has a grid when at least this share of it lies in one.
LEAST_SHARE: Final = 0.5


@dataclass(frozen=True, slots=True)
class Remark:
    """Something that was found on the way, and where."""

    words: str
    lon: float
    lat: float


def give_cells(session: Session, source: Edition, copy: Edition) -> list[Remark]:
    """Give the grids of a copied edition cells, and the shapes and figures that follow from these.

    Raises
    ------
    MoveRefused
        Their units have no polygons or buildings to draw cells of.
    """
    # Here, not above: it brings the planner, which no other move needs.
    from grids.redistricting.borders import to_area_crs  # noqa: PLC0415
    from grids.redistricting.cells import draw_cells  # noqa: PLC0415
    from grids.redistricting.inputs import read_town  # noqa: PLC0415
    from grids.redistricting.layout import graph_of  # noqa: PLC0415

    area, buildings, barriers = service.planning_input(session, source.area_code, datetime.now(UTC))
    if buildings.empty:
        raise MoveRefused(
            Problem(
                f"area {source.area_code} has no buildings, so its grids have no cells to move",
                "Import buildings first",
                field="edition",
            )
        )
    town = read_town(area, buildings, barriers, target=300, tolerance=0.1)
    cells = draw_cells(town)
    graph = graph_of(cells)
    polygons = to_area_crs(town, cells.polygons, cells.unit)
    units = np.array(town.unit_codes, dtype=object)[cells.unit]
    grid, remarks = grid_of_each(session, copy, polygons, units, cells.households)
    near = np.split(graph.ends, graph.starts[1:-1])
    walk = np.split(graph.walk, graph.starts[1:-1])
    ids = pd.Series(town.ids).groupby(cells.of_building).agg(list)
    number = np.arange(len(units))
    frame = gpd.GeoDataFrame(
        {
            "cell_id": number,
            "grid": grid,
            "unit": units,
            "block": cells.block,
            "households": cells.households,
            "building_ids": [ids.get(cell, []) for cell in number],
            "neighbours": near,
            "doors": [each[way] for each, way in zip(near, walk, strict=True)],
        },
        geometry=polygons,
        crs=4326,
    )
    service.save_cells(session, copy, frame)
    known = session.scalars(
        sa.select(GridShape.grid_id).where(GridShape.edition_id == copy.id)
    ).all()
    return remarks + whole_grids(session, copy, known)


def grid_of_each(
    session: Session,
    copy: Edition,
    polygons: NDArray[np.object_],
    units: NDArray[np.object_],
    households: NDArray[np.int64],
) -> tuple[list[int | None], list[Remark]]:
    """Grid of each cell, None for a gap; and the gaps."""
    rows = session.execute(
        sa.select(
            GridShape.grid_id,
            GridShape.unit_code,
            sa.func.ST_AsBinary(GridShape.geom).label("wkb"),
        )
        .where(GridShape.edition_id == copy.id)
        .order_by(GridShape.code)
    ).all()
    shapes = shapely.from_wkb([bytes(row.wkb) for row in rows])
    tree = shapely.STRtree(shapes)
    cell, place = tree.query(polygons, predicate="intersects")
    same = np.array([rows[p].unit_code == units[c] for c, p in zip(cell, place, strict=True)])
    cell, place = cell[same], place[same]
    shared = shapely.area(shapely.intersection(polygons[cell], shapes[place]))
    share = shared / shapely.area(polygons)[cell]
    best: dict[int, tuple[float, int]] = {}
    # By code: of two grids that hold as much of it, the one with the lower code.
    for c, p, part in zip(cell.tolist(), place.tolist(), share.tolist(), strict=True):
        if part > best.get(c, (0.0, 0))[0] + 1e-9:
            best[c] = (part, rows[p].grid_id)
    found: list[int | None] = [
        best[c][1] if best.get(c, (0.0, 0))[0] >= LEAST_SHARE else None
        for c in range(len(polygons))
    ]
    gaps = [
        _remark(polygons[c], f"no grid: {counted(households[c], 'household')}")
        for c, grid in enumerate(found)
        if grid is None
    ]
    return found, gaps


def whole_grids(session: Session, copy: Edition, known: Sequence[int]) -> list[Remark]:
    """Shapes and figures of the grids from their cells; what is cut off loses its grid."""
    rows = grid_rows(session, copy.id, known)
    of_grid = defaultdict(list)
    for each in members(session, copy.id, known).values():
        of_grid[each.grid_id].append(each)
    remarks: list[Remark] = []
    for grid in known:
        mine = {each.cell_id: each for each in of_grid.get(grid, [])}
        code, before = rows[grid]["code"], rows[grid]["households"]
        if not mine:
            shape = shapely.from_wkb(rows[grid]["geom"])
            remarks.append(_remark(shape, f"{code}: no cell lies in it; it is no more"))
            session.execute(
                sa.delete(GridShape).where(
                    GridShape.edition_id == copy.id, GridShape.grid_id == grid
                )
            )
            continue
        kept, *cut = pieces(mine.values())
        for part in cut:
            _release(session, copy, part)
            lost = sum(mine[cell].households for cell in part)
            remarks.append(
                _remark(
                    mine[part[0]].geom, f"{code}: a part of {counted(lost, 'household')} is cut off"
                )
            )
        fresh = figures([mine[cell] for cell in kept])
        if fresh["households"] != before:
            shape = shapely.from_wkb(fresh["geom"])
            remarks.append(
                _remark(shape, f"{code}: {counted(fresh['households'], 'household')} in it, "
                               f"{before:,} named")
            )  # fmt: skip
        shape = WKBElement(bytes.fromhex(fresh.pop("geom")), srid=4326)
        session.execute(
            sa.update(GridShape)
            .where(GridShape.edition_id == copy.id, GridShape.grid_id == grid)
            .values(**fresh, geom=shape)
        )
    return remarks


def _release(session: Session, copy: Edition, cells: Sequence[int]) -> None:
    session.execute(
        sa.update(Cell)
        .where(Cell.edition_id == copy.id, Cell.cell_id.in_(list(cells)))
        .values(grid_id=None)
    )


def _remark(shape: shapely.Geometry, words: str) -> Remark:
    at = shapely.point_on_surface(shape)
    return Remark(words, at.x, at.y)
