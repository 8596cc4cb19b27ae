"""From a point to the address that people there would give."""

from __future__ import annotations

import math
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final

from boundaries.repository import units_by_code, units_covering
from gis.database import execute
from gis.errors import BadInput, Problem

if TYPE_CHECKING:
    from sqlalchemy import Row
    from sqlalchemy.orm import Session

HOUSE_M: Final = 50.0
"""A house farther away than this is not the address of a place."""
STREET_M: Final = 300.0
METRES_PER_DEGREE: Final = 111_320.0  # of latitude, on the sphere of the equator's radius


@dataclass(frozen=True, slots=True, kw_only=True)
class Reverse:
    """What a point is called.

    Attributes
    ----------
    text
        Divisions, then the house, place or street; '' where nothing at all is known.
    method
        ``address``: a house number is near; ``place``: it lies in a place; ``street``: beside a
        street; ``division``: the units alone; ``none``.
    name
        The house number, place or street by itself.
    distance_m
        Metres from the point to it; None for divisions.
    divisions
        Code and name of each unit, from the largest down.
    """

    text: str
    method: str
    name: str | None
    distance_m: float | None
    divisions: tuple[tuple[str, str], ...]


def reverse(session: Session, lon: float, lat: float, *, within_m: float = HOUSE_M) -> Reverse:
    """The address of a point.

    Parameters
    ----------
    lon, lat
        WGS 84, degrees.
    within_m
        How far the house may be, 1 to 1000 m; a street may be 300 m away.

    Returns
    -------
    The place that the point lies in when it says how far it reaches and is nearer than the next
    house; else the nearest house number within reach (the lower id of two at the same distance);
    else the nearest street; else the units; else ``none``.

    Raises
    ------
    BadInput
        The point or the distance is not on the earth, or not finite.
    """
    _check(lon, lat, within_m)
    divisions = _divisions(session, lon, lat)
    house = _nearest(session, _HOUSES, lon, lat, within_m)
    place = _nearest(session, _PLACES, lon, lat, within_m)
    method, row = "address", house
    if place is not None and (house is None or place.m < house.m):
        method, row = "place", place
    if row is None:
        method, row = "street", _nearest(session, _STREETS, lon, lat, STREET_M)
    if row is None:
        method = "division" if divisions else "none"
    name = None if row is None else str(row.label)
    return Reverse(
        text=_written(divisions, name, method), method=method, name=name,
        distance_m=None if row is None else round(float(row.m), 1), divisions=divisions,
    )  # fmt: skip


def _divisions(session: Session, lon: float, lat: float) -> tuple[tuple[str, str], ...]:
    """The units that a point lies in; those above the finest by its code, drawn or not."""
    now = datetime.now(UTC)
    covering = units_covering(session, lon, lat, now)
    if not covering:
        return ()
    finest = covering[-1].code
    codes = [finest[:digits] for digits in (2, 4, 6, 9, 12) if digits <= len(finest)]
    return tuple((unit.code, unit.name) for unit in units_by_code(session, codes, now))


def _check(lon: float, lat: float, within_m: float) -> None:
    problems = [
        Problem(f"{value} is not between {low:g} and {high:g}", "Give degrees of WGS 84." if
                name != "within_m" else "Give metres.", field=name)
        for name, value, low, high in (
            ("lon", lon, -180.0, 180.0), ("lat", lat, -90.0, 90.0), ("within_m", within_m, 1, 1000),
        )
        if not low <= value <= high  # NaN, too
    ]  # fmt: skip
    if problems:
        raise BadInput(problems)


def _written(divisions: tuple[tuple[str, str], ...], name: str | None, method: str) -> str:
    """Divisions before the name, those left out that it begins with itself."""
    names = [each for _, each in divisions]
    if name is None:
        return "".join(names)
    # A house number as it was written holds its divisions: 示范旗样例镇标高街27号.
    for place, each in enumerate(names):
        if name.startswith(each):
            return "".join(names[:place]) + name
    # Streets run through villages and are named without them.
    shown = names[:-1] if method == "address" and len(names) > 1 else names
    is_spaced = name.isascii() and any(c.isalpha() for c in name)
    return f"{name}, {', '.join(reversed(shown))}" if is_spaced and shown else "".join(shown) + name


# Of rows in a box (whose index a row-level policy leaves in use) the nearest on the ellipsoid.
_BOX: Final = "ST_MakeEnvelope(:west, :south, :east, :north, 4326)"
_POINT: Final = "ST_SetSRID(ST_MakePoint(:lon, :lat), 4326)::geography"
_HOUSES: Final = f"""
    SELECT a.label, ST_Distance(COALESCE(b.geom, a.geom)::geography, {_POINT}) AS m, a.id
    FROM addresses AS a LEFT JOIN buildings AS b ON b.id = a.building_id
    WHERE a.geom && {_BOX} AND a.number_to IS NULL
"""  # noqa: S608 - constants
_PLACES: Final = f"""
    SELECT p.name AS label, ST_Distance(p.geom::geography, {_POINT}) AS m, p.id
    FROM places AS p
    WHERE p.geom && {_BOX} AND ST_Distance(p.geom::geography, {_POINT}) <= p.radius_m
"""  # noqa: S608 - constants
_STREETS: Final = f"""
    SELECT b.name AS label, ST_Distance(b.geom::geography, {_POINT}) AS m, b.id
    FROM barriers AS b
    WHERE b.geom && {_BOX} AND b.kind IN ('street', 'arterial') AND b.name IS NOT NULL
"""  # noqa: S608 - constants
WIDEST_M: Final = 100.0
"""Half of a large building, or of the grounds of a place: its point may lie so much farther."""


def _nearest(session: Session, sql: str, lon: float, lat: float, reach: float) -> Row[Any] | None:
    # The box is wider than the circle everywhere: a degree of longitude is narrowest at its edge
    # towards the pole.
    up = (reach + WIDEST_M) / METRES_PER_DEGREE * 1.01
    across = up / max(0.01, math.cos(math.radians(min(89.0, abs(lat) + up))))
    return execute(
        session,
        f"SELECT * FROM ({sql}) AS near WHERE m <= :reach ORDER BY m, id LIMIT 1",  # noqa: S608 - constants
        lon=lon, lat=lat, west=lon - across, east=lon + across, south=lat - up, north=lat + up,
        reach=reach,
    ).first()  # fmt: skip
