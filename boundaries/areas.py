"""The ground a plan is drawn for. Apart from the other services: it alone needs geopandas."""

from __future__ import annotations

from typing import TYPE_CHECKING

import geopandas as gpd
import sqlalchemy as sa

from boundaries.errors import UnitNotFound
from boundaries.models import AdminUnit

if TYPE_CHECKING:
    from datetime import datetime

    from sqlalchemy.orm import Session


def planning_area(session: Session, area_code: str, at: datetime) -> gpd.GeoDataFrame:
    """The units that a plan of this area is drawn in: its lowest level that has polygons.

    Returns
    -------
    GeoDataFrame
        Columns ``code``, ``name``, ``area_type``, ``geometry`` in EPSG:4326.

    Raises
    ------
    UnitNotFound
        No unit with a polygon under that code.
    """
    within = (
        AdminUnit.code.startswith(area_code, autoescape=True),
        AdminUnit.valid.contains(at),
        AdminUnit.geom.is_not(None),
    )
    lowest = session.scalar(sa.select(sa.func.max(AdminUnit.level)).where(*within))
    if lowest is None:
        raise UnitNotFound(
            f"no unit with a polygon under code {area_code}: import one with "
            "'wangge import units FILE --commit'"
        )
    rows = session.execute(
        sa.select(
            AdminUnit.code,
            AdminUnit.name,
            AdminUnit.area_type,
            sa.func.ST_AsBinary(AdminUnit.geom).label("wkb"),
        )
        .where(*within, AdminUnit.level == lowest)
        .order_by(AdminUnit.code)
    ).all()
    return gpd.GeoDataFrame(
        {
            "code": [row.code for row in rows],
            "name": [row.name for row in rows],
            "area_type": [row.area_type for row in rows],
        },
        geometry=gpd.GeoSeries.from_wkb([bytes(row.wkb) for row in rows], crs=4326),
    )
