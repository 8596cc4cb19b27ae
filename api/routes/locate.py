"""Which grid a place belongs to, and who answers for it."""

from __future__ import annotations

from typing import Annotated, Literal

from fastapi import APIRouter, Query

from api.auth import Access, needs
from api.dependencies import MomentIn
from api.schemas.places import LocateOut
from grids.incidents.categories import check_category
from grids.incidents.responsibility import answer, position, told

router = APIRouter(prefix="/api/v1", tags=["locate"])


@router.get("/locate", summary="Grid and responsible people of a place at a moment")
def locate(
    access: Annotated[Access, needs("grids.read")],
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
    category: Annotated[
        str | None,
        Query(max_length=50, description="Of an incident: its departments answer too"),
    ] = None,
    explain: Annotated[
        Literal["true", "false"],
        Query(description="Also who could have been called and was not, and why"),
    ] = "false",
) -> LocateOut:
    """On a shared border the grid with the lowest code answers.

    Outside every grid, ``inside`` is false and ``nearest`` names the nearest grid and its
    distance. Outside the caller's area the reason is ``outside_area``: whether a grid is there is
    not told, and ``nearest`` is the nearest of the area's own. With ``accuracy_m`` each
    candidate's share of the probability is given, and ``ask_back`` is true where the grid that
    answers holds less than 80 % of it.
    """
    if category is not None:
        check_category(access.session, category)
    found = answer(
        access.session,
        *position(lon, lat, crs),
        at=at,
        accuracy_m=accuracy_m,
        scope=access.caller.scope,
        matter=category,
        explain=explain == "true",
    )
    return LocateOut.of(told(access.session, found), crs, category)
