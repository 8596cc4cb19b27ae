"""Density of incidents in real units: figures as JSON, the picture as PNG."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any
from urllib.parse import urlencode

from fastapi import APIRouter, Depends, Query, Request, Response
from pydantic import BaseModel, Field

from api.dependencies import PeriodIn, SettingsIn
from api.kept_maps import KNOWN, Asked, Both, Category, Reading, Shared, is_shared, today, wanted
from maps import heatmap_text, palettes, raster
from maps.contours import contours
from maps.heatmap import Heatmap
from maps.heatmap_checks import Per
from maps.service import incident_heatmap

if TYPE_CHECKING:
    from sqlalchemy.orm import Session

    from grids.incidents.repository import Filter

router = APIRouter(prefix="/api/v1", tags=["heatmaps"])
WIDTH = 2048

Bandwidth = Annotated[
    float,
    Query(
        ge=50,
        le=5000,
        allow_inf_nan=False,
        description="Standard deviation of the Gaussian kernel, metres",
    ),
]
PerIn = Annotated[
    Per,
    Query(
        description="km2: incidents per km2 per 30 days; households: per 1,000 households per 30 "
        "days, with nothing shown where fewer than 20 households lie under the kernel"
    ),
]

Inhabited = Annotated[
    bool,
    Query(
        description="Only ground within 500 m of a building with households, and corrected at its "
        "edge: without water and empty steppe. Not of a shared map."
    ),
]


def _asked(
    request: Request,
    access: Reading,
    settings: SettingsIn,
    period: PeriodIn,
    category: Category = None,
    bandwidth_m: Bandwidth = 300,
    per: PerIn = "km2",
    *,
    inhabited: Inhabited = False,
    shared: Shared = False,
) -> Asked[Heatmap]:
    case_team = not is_shared(access, shared=shared)

    def make(session: Session, of: Filter) -> Heatmap:
        return incident_heatmap(
            session,
            of,
            bandwidth_m=bandwidth_m,
            per=per,
            timezone=settings.timezone,
            case_team=case_team,
            is_inhabited=inhabited,
        )

    return Asked(
        request,
        access,
        wanted(access, period, category),
        ("heatmap", bandwidth_m, per, inhabited, case_team, today(settings)),
        make,
        layer="heatmap" if case_team else None,
    )


AskedIn = Annotated[Asked[Heatmap], Depends(_asked)]


class HeatmapOut(BaseModel):
    """A density with all that its legend has to say."""

    bounds: tuple[float, float, float, float]
    image: str
    tiles: str = Field(description="Address of raster tiles of the same picture, with {z} {x} {y}")
    contours: str = Field(description="Address of the same classes as polygons")
    contour_tiles: str = Field(description="Address of vector tiles of them, with {z} {x} {y}")
    legend: list[dict[str, float | str | None]]
    opacity: float = Field(description="Of the legend's colours in the picture, 0 to 1")
    per: Per
    unit: Both
    bandwidth_m: float
    start: str
    end: str
    n: int | None
    n_outside: int
    n_without_place: int
    suppressed: bool
    shared: bool = Field(description="Whether small counts are hidden")
    note: Both


@router.get(
    "/heatmaps",
    summary="Density of incidents per km2, or rate per 1,000 households, per 30 days",
    response_model=HeatmapOut,
    responses=KNOWN,
)
def heatmap(request: Request, response: Response, asked: AskedIn) -> Any:
    """Where the picture lies, what its colours mean, and of how many incidents it was made."""
    made, headers = asked.made()
    if made is None:
        return Response(status_code=304, headers=headers)
    response.headers.update(headers)
    breaks = palettes.nice_breaks(made.maximum)
    ramp = palettes.ramp(len(breaks)) if breaks else []
    colours = [palettes.hex_colour(colour) for colour in ramp]
    query = [("start", made.start.isoformat()), ("end", made.end.isoformat())]
    query += [("shared", "true")] if made.shared else []
    query += [("per", made.per)] if made.per != "km2" else []
    query += [("inhabited", "true")] if made.inhabited_m is not None else []
    query += [("bandwidth_m", f"{made.bandwidth_m:g}")] + [
        ("category", each) for each in asked.wanted.categories
    ]
    return HeatmapOut(
        bounds=raster.mercator_bounds(made),
        image=f"{request.url.path}.png?{urlencode(query)}",
        tiles=f"/tiles/heatmap/{{z}}/{{x}}/{{y}}.png?{urlencode(query)}",
        contours=f"{request.url.path}.geojson?{urlencode(query)}",
        contour_tiles=f"/tiles/heatmap/{{z}}/{{x}}/{{y}}?{urlencode(query)}",
        legend=[
            {"from": low, "to": high, "color": colour}
            for low, high, colour in zip(breaks, [*breaks, None][1:], colours, strict=True)
        ],
        opacity=raster.OPACITY,
        per=made.per,
        unit=Both(zh=heatmap_text.unit(made, "zh"), en=heatmap_text.unit(made, "en")),
        bandwidth_m=made.bandwidth_m,
        start=made.start.isoformat(),
        end=made.end.isoformat(),
        n=made.n,
        n_outside=made.n_outside,
        n_without_place=made.n_without_place,
        suppressed=made.suppressed,
        shared=made.shared,
        note=Both(
            zh=" ".join(heatmap_text.notes(made, "zh", has_lines=False)),
            en=" ".join(heatmap_text.notes(made, "en", has_lines=False)),
        ),
    )


@router.get(
    "/heatmaps.png",
    summary="The picture of a density, in Web Mercator",
    response_class=Response,
    responses={200: {"content": {"image/png": {}}}, **KNOWN},
)
def picture(asked: AskedIn) -> Response:
    """Stretch it over the ``bounds`` of ``/heatmaps`` on a Web Mercator map."""
    made, headers = asked.made()
    if made is None:
        return Response(status_code=304, headers=headers)
    rgba, _ = raster.to_mercator(made, WIDTH)
    return Response(raster.png_bytes(rgba), media_type="image/png", headers=headers)


@router.get(
    "/heatmaps.geojson",
    summary="The classes of a density as polygons",
    response_class=Response,
    responses={200: {"content": {"application/geo+json": {}}}, **KNOWN},
)
def polygons(asked: AskedIn) -> Response:
    """One feature per class of the legend, with ``from``, ``to``, ``unit`` and ``color``, WGS 84.

    What the picture leaves blank is left out.
    """
    made, headers = asked.made()
    if made is None:
        return Response(status_code=304, headers=headers)
    document: Any = contours(made).to_json(drop_id=True)
    return Response(document, media_type="application/geo+json", headers=headers)
