"""Which grid a place belongs to, and who answers for it."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query

from api.dependencies import MomentIn, SessionIn
from api.schemas.places import LocateOut
from gis.crs import to_wgs84
from gis.errors import BadInput, Problem
from grids.incidents.responsibility import answer

router = APIRouter(prefix="/api/v1", tags=["locate"])


@router.get("/locate", summary="Grid and responsible people of a place at a moment")
def locate(
    session: SessionIn,
    at: MomentIn,
    lon: Annotated[float, Query(description="Longitude or easting", examples=[116.6])],
    lat: Annotated[float, Query(description="Latitude or northing", examples=[44.9])],
    crs: Annotated[
        str,
        Query(description="wgs84, cgcs2000, gcj02, bd09 or EPSG:n; easting always first"),
    ] = "wgs84",
    accuracy_m: Annotated[
        float | None,
        Query(gt=0, le=100_000, description="68 % radius of the position's error, metres"),
    ] = None,
) -> LocateOut:
    """On a shared border the grid with the lowest code answers.

    Outside every grid, ``inside`` is false and ``nearest`` names the nearest grid and its
    distance. With ``accuracy_m`` each candidate's share of the probability is given, and
    ``ask_back`` is true where the grid that answers holds less than 80 % of it.
    """
    wgs_lon, wgs_lat = to_wgs84(lon, lat, crs)
    problems = _position_problems(lon, lat, float(wgs_lon), float(wgs_lat), crs)
    if problems:
        raise BadInput(problems)
    found = answer(session, float(wgs_lon), float(wgs_lat), at=at, accuracy_m=accuracy_m)
    return LocateOut.of(found, crs)


def _position_problems(x: float, y: float, lon: float, lat: float, crs: str) -> list[Problem]:
    if -180 <= lon <= 180 and -90 <= lat <= 90:
        return []
    remedy = "Longitude lies within -180..180 and latitude within -90..90"
    if abs(x) <= 90 < abs(y) <= 180:
        remedy = f"Did you mean lon={y}, lat={x}?"
    return [Problem(f"({x}, {y}) is no position in {crs}", remedy, field="lon,lat")]
