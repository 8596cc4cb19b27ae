"""Administrative units: which ones a place lies in, and the area a plan is drawn for."""

from __future__ import annotations

from typing import TYPE_CHECKING

import geopandas as gpd
import sqlalchemy as sa

from boundaries import repository
from boundaries.errors import UnitNotFound
from boundaries.models import AdminUnit

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from sqlalchemy.orm import Session

LEVEL_DIGITS = (2, 4, 6, 9, 12)
# Units of this source are invented; whatever shows them says so.
INVENTED_SOURCE = "demo"


def ancestors(code: str) -> list[str]:
    """Codes of the units a code lies under, and itself, from province down.

    Only codes are cut, never ground: whether such a unit exists is asked of the table.
    """
    return [code[:digits] for digits in LEVEL_DIGITS if digits <= len(code)]


def chain(
    session: Session, lon: float, lat: float, at: datetime, unit_code: str | None = None
) -> Sequence[AdminUnit]:
    """Units that a place lies in, from province down.

    Parameters
    ----------
    unit_code
        The unit of the grid that answered, when one did: its ancestors complete the chain where
        a level has codes but no polygons.
    """
    found = {unit.level: unit for unit in repository.units_covering(session, lon, lat, at)}
    deepest = unit_code or (found[max(found)].code if found else None)
    if deepest is not None:
        # The grid's own unit wins over a neighbour that shares the border the point lies on.
        for unit in repository.units_by_code(session, ancestors(deepest), at):
            found[unit.level] = unit
    return [found[level] for level in sorted(found)]


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
