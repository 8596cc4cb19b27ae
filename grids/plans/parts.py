"""Put grids of a part of an area, drawn by itself, into a branch of the whole."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import shapely
import sqlalchemy as sa

from boundaries import editions
from gis.database import execute
from gis.errors import Problem
from gis.wording import counted
from grids.models import Cell, GridShape
from grids.plans.adopting import Remark, grid_of_each, whole_grids
from grids.plans.errors import MoveRefused
from grids.plans.members import some

if TYPE_CHECKING:
    from collections.abc import Mapping

    from sqlalchemy.orm import Session

    from boundaries.models import Edition


def put_part(session: Session, copy: Edition, part_id: int) -> list[Remark]:
    """In a copy of an edition, the grids of a part of its area become those of another edition.

    Cells stay as they are, so that everything outside the part stays to the byte: a cell goes to
    the grid that its buildings have in the part, one without buildings to the grid that most of it
    lies in. Buildings that the copy does not know yet go to the cell that covers them. Households
    are counted anew. Grids keep code, name, target and identity of the part's edition.

    Returns
    -------
    What could not be taken as drawn: ground without a grid, parts cut off, other households.

    Raises
    ------
    EditionNotFound
        There is no edition of that number.
    MoveRefused
        It is not of a part of the area, or has buildings that no cell of the copy covers whole.
    """
    part = editions.get(session, part_id)
    below = part.area_code
    if part.kind != "base" or below == copy.area_code or not below.startswith(copy.area_code):
        raise MoveRefused(
            Problem(
                f"edition {part_id} has {part.kind} grids of {below}, which is no part of "
                f"{copy.area_code}",
                f"Give base grids of a township or village of {copy.area_code}",
                field="part",
            )
        )
    grid_of_building = _grids_of_buildings(session, part)
    _take_in(session, copy, part, grid_of_building)
    in_part = (Cell.edition_id == copy.id, Cell.unit_code.startswith(below))
    rows = session.execute(
        sa.select(
            Cell.cell_id,
            Cell.unit_code,
            Cell.households,
            Cell.building_ids,
            sa.func.ST_AsBinary(Cell.geom).label("wkb"),
        )
        .where(*in_part)
        .order_by(Cell.cell_id)
    ).all()
    _swap_shapes(session, copy, part)
    polygons = np.asarray(shapely.from_wkb([bytes(row.wkb) for row in rows]), dtype=object)
    found, remarks = grid_of_each(
        session,
        copy,
        polygons,
        np.array([row.unit_code for row in rows], dtype=object),
        np.array([row.households for row in rows], dtype=np.int64),
    )
    grids = [
        next((grid_of_building[b] for b in row.building_ids if b in grid_of_building), ground)
        for row, ground in zip(rows, found, strict=True)
    ]
    execute(
        session,
        "UPDATE cells SET grid_id = given.grid, households = COALESCE(("
        " SELECT sum(b.households) FROM buildings AS b WHERE b.id = ANY(cells.building_ids)), 0) "
        "FROM unnest(CAST(:cells AS integer[]), CAST(:grids AS bigint[])) AS given (cell, grid) "
        "WHERE edition_id = :copy AND cell_id = given.cell",
        copy=copy.id,
        cells=[row.cell_id for row in rows],
        grids=grids,
    )
    inside = session.scalars(
        sa.select(GridShape.grid_id).where(
            GridShape.edition_id == copy.id, GridShape.unit_code.startswith(below)
        )
    ).all()
    return remarks + whole_grids(session, copy, inside)


def _grids_of_buildings(session: Session, part: Edition) -> dict[int, int]:
    """Grid of each building of an edition that was drawn here; nothing for an imported one."""
    rows = session.execute(
        sa.select(Cell.grid_id, Cell.building_ids).where(
            Cell.edition_id == part.id, Cell.grid_id.is_not(None)
        )
    )
    return {building: row.grid_id for row in rows for building in row.building_ids}


def _take_in(session: Session, copy: Edition, part: Edition, drawn: Mapping[int, int]) -> None:
    """Put buildings that stand since the copied edition was drawn into the cells that cover them.

    A cell's border may not cut a building, and cells stay as they are: what lies over one is for
    the planner.
    """
    lists = session.scalars(
        sa.select(Cell.building_ids).where(
            Cell.edition_id == copy.id, Cell.unit_code.startswith(part.area_code)
        )
    )
    new = set(drawn).difference(*lists)
    if not new:
        return
    taken = session.scalars(
        sa.text("""
        WITH place AS (
            SELECT DISTINCT ON (b.id) b.id, c.cell_id
            FROM buildings AS b
            JOIN cells AS c ON c.edition_id = :copy AND c.unit_code = b.unit_code
                AND c.geom && b.geom AND ST_Covers(c.geom, b.geom)
            WHERE b.id = ANY(CAST(:new AS bigint[]))
            ORDER BY b.id, c.cell_id
        ), given AS (
            UPDATE cells AS c SET building_ids = c.building_ids || p.ids
            FROM (SELECT cell_id, array_agg(id ORDER BY id) AS ids FROM place GROUP BY 1) AS p
            WHERE c.edition_id = :copy AND c.cell_id = p.cell_id
            RETURNING p.ids
        )
        SELECT unnest(ids) FROM given
        """),
        {"copy": copy.id, "new": sorted(new)},
    ).all()
    session.expire_all()
    if left := sorted(new.difference(taken)):
        raise MoveRefused(
            Problem(
                f"edition {part.id} was drawn with {counted(len(left), 'building')} that no cell "
                f"of edition {copy.based_on_id} covers whole: {some(left)}",
                f"Draw all of it anew: wangge plan draw --unit {copy.area_code} --before "
                f"{copy.based_on_id}. Grids that have to stay: branch {copy.based_on_id} without "
                "--part, lock them in that plan (wangge plan lock) and give its number to --before",
                field="part",
            )
        )


def _swap_shapes(session: Session, copy: Edition, part: Edition) -> None:
    below = part.area_code
    session.execute(
        sa.update(Cell)
        .where(Cell.edition_id == copy.id, Cell.unit_code.startswith(below))
        .values(grid_id=None)
    )
    session.execute(
        sa.delete(GridShape).where(
            GridShape.edition_id == copy.id, GridShape.unit_code.startswith(below)
        )
    )
    names = [
        column.name
        for column in GridShape.__table__.columns
        if column.name != "edition_id" and column.computed is None
    ]
    session.execute(
        sa.insert(GridShape).from_select(
            ["edition_id", *names],
            sa.select(sa.literal(copy.id), *(getattr(GridShape, name) for name in names)).where(
                GridShape.edition_id == part.id
            ),
        )
    )
