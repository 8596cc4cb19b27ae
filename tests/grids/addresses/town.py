"""The small county with streets, house numbers, an estate and places to look for.

::

    village          990121101001                        990121101002
    人民路       1   3   5 . . 9   11 (odd)          2 - 20 (even numbers along a line)
    和平小区      栋 1  2 (at 人民路5号)                  市场街 7
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from gis.database import execute
from grids.addresses import gazetteer
from tests import factories

if TYPE_CHECKING:
    from sqlalchemy.orm import Session

WEST_VILLAGE, EAST_VILLAGE = factories.VILLAGES
STEP: Final = 0.0005
"""Degrees of longitude between house numbers, 39 m."""
LAT: Final = 45.01
# Address of a building, its longitude.
BUILDINGS: Final = (
    ("示范旗示范镇人民路1号", 117.001),
    ("示范旗示范镇人民路3号", 117.001 + STEP),
    ("示范旗示范镇人民路5号和平小区1栋", 117.001 + 2 * STEP),
    ("示范旗示范镇人民路5号和平小区2栋", 117.001 + 2 * STEP),
    ("示范旗示范镇人民路9号", 117.001 + 4 * STEP),
    ("示范旗示范镇人民路11号", 117.001 + 5 * STEP),
    ("示范旗示范镇示范村1二组3号", 117.02),
    ("没有号码的房子", 117.03),
    ("示范旗示范镇市场街7号", 117.05),
)
RANGE: Final = (117.05, 117.06)
SCHOOL: Final = (117.0101, LAT)


def build(session: Session, *, with_units: bool = True) -> dict[str, int]:
    """Make it; what the refresh counted."""
    if with_units:
        factories.units(session)
    for number, (address, lon) in enumerate(BUILDINGS):
        village = WEST_VILLAGE if lon < 117.04 else EAST_VILLAGE
        execute(
            session,
            "INSERT INTO buildings (county_code, unit_code, address, households_resident, geom, "
            "source, external_id) VALUES (:county, :village, :address, 1, "
            "ST_SetSRID(ST_MakePoint(:lon, :lat), 4326), 't', :id)",
            county=factories.COUNTY, village=village, address=address, lon=lon,
            lat=LAT + 0.0002 * (number == 3), id=str(number),
        )  # fmt: skip
    execute(
        session,
        "INSERT INTO addresses (county_code, label, street, street_key, number, number_to, parity,"
        " geom, source, external_id) VALUES (:county, '人民路 2-20', '人民路', '人民路', 2, 20, "
        "'even', ST_SetSRID(ST_MakeLine(ST_MakePoint(:west, :lat), ST_MakePoint(:east, :lat)), "
        "4326), 't', 'range')",
        county=factories.COUNTY, west=RANGE[0], east=RANGE[1], lat=LAT,
    )  # fmt: skip
    execute(
        session,
        "INSERT INTO places (county_code, kind, name, aliases, geom, radius_m, source, "
        "external_id) VALUES (:county, 'school', '示范第一中学', '{示范一中}', "
        "ST_SetSRID(ST_MakePoint(:lon, :lat), 4326), 40, 't', 'school')",
        county=factories.COUNTY, lon=SCHOOL[0], lat=SCHOOL[1],
    )  # fmt: skip
    execute(
        session,
        "INSERT INTO barriers (county_code, kind, name, geom, source, external_id) VALUES "
        "(:county, 'street', '长青路', ST_SetSRID(ST_MakeLine(ST_MakePoint(117.07, 45.001), "
        "ST_MakePoint(117.07, 45.019)), 4326), 't', 'street')",
        county=factories.COUNTY,
    )  # fmt: skip
    return gazetteer.refresh(session, factories.COUNTY)
