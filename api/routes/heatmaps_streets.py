"""Density of incidents along streets: figures as JSON, pieces of streets as GeoJSON."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any
from urllib.parse import urlencode

from fastapi import APIRouter, Depends, Query, Request, Response
from pydantic import BaseModel, Field
from pyproj import Transformer

from api.dependencies import PeriodIn, SettingsIn
from api.kept_maps import KNOWN, Asked, Both, Category, Reading, wanted
from api.routes.heatmaps import Bandwidth
from maps.network import layer, words
from maps.network.density import Kernel, NetworkDensity
from maps.network.service import incident_density
from maps.palettes import nice_breaks

if TYPE_CHECKING:
    from sqlalchemy.orm import Session

    from grids.incidents.repository import Filter

router = APIRouter(prefix="/api/v1/heatmaps", tags=["heatmaps"])

KernelIn = Annotated[
    Kernel,
    Query(
        description="quartic: the bandwidth is its reach; gaussian: it is its standard deviation"
    ),
]


def _asked(
    request: Request,
    access: Reading,
    settings: SettingsIn,
    period: PeriodIn,
    category: Category = None,
    bandwidth_m: Bandwidth = 300,
    kernel: KernelIn = "quartic",
) -> Asked[NetworkDensity]:
    # It shows incidents singly.
    access.caller.require("incidents.read")

    def make(session: Session, of: Filter) -> NetworkDensity:
        return incident_density(
            session, of, bandwidth_m=bandwidth_m, kernel=kernel, timezone=settings.timezone
        )

    return Asked(
        request,
        access,
        wanted(access, period, category),
        ("streets", bandwidth_m, kernel),
        make,
        layer="streets",
    )


AskedIn = Annotated[Asked[NetworkDensity], Depends(_asked)]


class StreetsOut(BaseModel):
    """A density along streets with all that its legend has to say."""

    bounds: tuple[float, float, float, float]
    tiles: str = Field(description="Address of vector tiles of the classes, with {z} {x} {y}")
    lines: str = Field(description="Address of every piece of street as GeoJSON")
    legend: list[dict[str, float | str | None]] = Field(
        description="From below the first class, which has no 'from', to the highest, without 'to'"
    )
    unit: Both
    kernel: Kernel
    bandwidth_m: float
    piece_m: float = Field(description="Longest piece of street with one value")
    street_km: float
    start: str
    end: str
    n: int
    n_far: int = Field(description="Too far from any street")
    n_without_place: int
    note: Both


@router.get(
    "/streets",
    summary="Density of incidents per km of street per 30 days",
    response_model=StreetsOut,
    responses=KNOWN,
)
def figures(request: Request, response: Response, asked: AskedIn) -> Any:
    """Along the streets and arterials of the database; for the case team alone."""
    made, headers = asked.made()
    if made is None:
        return Response(status_code=304, headers=headers)
    response.headers.update(headers)
    query = [("start", made.start.isoformat()), ("end", made.end.isoformat())]
    query += [("bandwidth_m", f"{made.bandwidth_m:g}"), ("kernel", made.kernel)]
    query += [("category", each) for each in asked.wanted.categories]
    to_degrees = Transformer.from_crs(made.crs, "EPSG:4326", always_xy=True)
    x, y, right, top = made.lines.together().bounds
    west, south, east, north = to_degrees.transform_bounds(x, y, right, top, densify_pts=21)
    return StreetsOut(
        bounds=(west, south, east, north),
        tiles=f"/tiles/streets/{{z}}/{{x}}/{{y}}?{urlencode(query)}",
        lines=f"{request.url.path}.geojson?{urlencode(query)}",
        legend=layer.legend(nice_breaks(made.maximum)),
        unit=Both(zh=words.word("unit", "zh"), en=words.word("unit", "en")),
        kernel=made.kernel,
        bandwidth_m=made.bandwidth_m,
        piece_m=made.lixel_m,
        street_km=float(made.length_m.sum()) / 1000,
        start=made.start.isoformat(),
        end=made.end.isoformat(),
        n=made.n,
        n_far=made.n_far,
        n_without_place=made.n_without_place,
        note=Both(zh="".join(words.notes(made, "zh")), en=" ".join(words.notes(made, "en"))),
    )


@router.get(
    "/streets.geojson",
    summary="Every piece of street with its density",
    response_class=Response,
    responses={200: {"content": {"application/geo+json": {}}}, **KNOWN},
)
def lines(asked: AskedIn) -> Response:
    """A feature per piece: ``value``, ``unit``, ``events``, ``length_m`` and ``color``, WGS 84."""
    made, headers = asked.made()
    if made is None:
        return Response(status_code=304, headers=headers)
    document: Any = layer.pieces(made).to_json(drop_id=True)
    return Response(document, media_type="application/geo+json", headers=headers)
