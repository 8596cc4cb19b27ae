"""Ground that somebody lives on, told by the buildings: a density is cut to and corrected at it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np
import shapely
import sqlalchemy as sa

from gis.crs import metric_crs, transformer
from gis.errors import BadInput, Problem
from grids.models import Building

if TYPE_CHECKING:
    from shapely.geometry.base import BaseGeometry
    from sqlalchemy.orm import Session

REACH_M: Final = 500.0
"""Farther from every building nobody lives, and hardly a dispute arises."""
SQUARE_M: Final = 100.0
"""Buildings are taken by squares of this side: a county's are some thousand circles then."""


def inhabited(session: Session, area: BaseGeometry) -> BaseGeometry:
    """The part of an area within `REACH_M` of a building that the caller sees, WGS 84.

    A building counts from the middle of its square of `SQUARE_M`, up to 71 m away. One that is
    known to have no households does not count.

    Raises
    ------
    BadInput
        No such building lies in the area or near it.
    """
    rows = session.execute(
        sa.select(sa.func.ST_X(Building.point), sa.func.ST_Y(Building.point)).where(
            sa.func.coalesce(Building.households, 1) > 0
        )
    ).all()
    crs = metric_crs(area.bounds)
    there = transformer("EPSG:4326", crs)
    back = transformer(crs, "EPSG:4326")
    table = np.array([tuple(row) for row in rows], dtype=np.float64).reshape(-1, 2)
    x, y = there.transform(table[:, 0], table[:, 1])
    squares = np.unique(np.floor(np.column_stack((x, y)) / SQUARE_M), axis=0)
    circles = shapely.buffer(shapely.points((squares + 0.5) * SQUARE_M), REACH_M, quad_segs=4)
    lived_in = shapely.transform(
        shapely.union_all(circles), lambda xy: np.column_stack(back.transform(*xy.T))
    )
    common = shapely.intersection(lived_in, area)
    if common.is_empty:
        raise BadInput(
            Problem(
                "no building with households is known in the area, so none of it is inhabited",
                "Import some with 'wangge import buildings', or map all of the area",
                field="inhabited",
            )
        )
    # Where two outlines touch, an intersection can hold lines as well.
    return common if common.geom_type.endswith("Polygon") else common.buffer(0)
