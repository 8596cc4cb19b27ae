"""Vector tiles and their TileJSON, and raster tiles of a density."""

from __future__ import annotations

import gzip
import hashlib
from typing import Annotated, Any

from fastapi import APIRouter, Path, Query, Request, Response

from api.auth import Access, needs
from api.dependencies import MomentIn, PeriodIn, SettingsIn
from api.kept_maps import KNOWN, Shared
from api.routes import heatmaps
from maps import raster, tiles

router = APIRouter(prefix="/tiles", tags=["tiles"])
LayerName = Annotated[str, Path(examples=["grids"])]
MEDIA_TYPE = "application/vnd.mapbox-vector-tile"


@router.get("/{layer}", summary="TileJSON of a layer")
def tilejson(
    layer: LayerName, request: Request, access: Annotated[Access, needs()]
) -> dict[str, Any]:
    """What is in the layer, and the address of its tiles."""
    _require(access, layer)
    return tiles.tilejson(layer, str(request.base_url))


@router.get(
    "/heatmap/{z}/{x}/{y}.png",
    summary="A raster tile of a density of incidents",
    response_class=Response,
    responses={200: {"content": {"image/png": {}}}, **KNOWN},
)
def heatmap_tile(
    z: Annotated[int, Path(examples=[12])],
    x: Annotated[int, Path(examples=[3379])],
    y: Annotated[int, Path(examples=[1469])],
    request: Request,
    access: heatmaps.Reading,
    settings: SettingsIn,
    period: PeriodIn,
    category: heatmaps.Category = None,
    bandwidth_m: heatmaps.Bandwidth = 300,
    per: heatmaps.PerIn = "km2",
    *,
    shared: Shared = False,
) -> Response:
    """The picture of ``/api/v1/heatmaps`` on one tile of 256 pixels; 304 for a known ETag.

    All tiles are of one density in metres with one legend, whatever their zoom.
    """
    tiles.check_address(z, x, y)
    made, headers = heatmaps.make(
        request, access, settings, period, category, bandwidth_m, per, shared=shared
    )
    if made is None:
        return Response(status_code=304, headers=headers)
    return Response(
        raster.png_bytes(raster.tile(made, z, x, y)), media_type="image/png", headers=headers
    )


@router.get(
    "/{layer}/{z}/{x}/{y}",
    summary="A vector tile",
    response_class=Response,
    responses={200: {"content": {MEDIA_TYPE: {}}}, 204: {"description": "Nothing there"}},
)
def tile(
    layer: LayerName,
    z: Annotated[int, Path(examples=[12])],
    x: Annotated[int, Path(examples=[3379])],
    y: Annotated[int, Path(examples=[1469])],
    request: Request,
    access: Annotated[Access, needs()],
    at: MomentIn,
    period: PeriodIn,
    category: Annotated[list[str] | None, Query(description="May be repeated")] = None,
) -> Response:
    """Mapbox Vector Tile, gzipped where the client takes it; 304 for a known ETag."""
    _require(access, layer)
    body = tiles.tile(
        access.session, layer, z, x, y, at=at, start=period[0], end=period[1], category=category
    )
    # Weak: the same tile with and without gzip is the same to whoever asks again.
    tag = f'"{hashlib.sha256(body).hexdigest()[:32]}"'
    headers = {
        "ETag": f"W/{tag}",
        # Tiles hold ids and counts, no names: kept by this browser, and never shown unasked.
        "Cache-Control": "private, no-cache",
        "Vary": "Accept-Encoding",
    }
    if _knows(request.headers.get("if-none-match", ""), tag):
        return Response(status_code=304, headers=headers)
    if not body:
        return Response(status_code=204, headers=headers)
    if _takes_gzip(request.headers.get("accept-encoding", "")):
        # Level 1: tiles are made for one look, and the network is local.
        body = gzip.compress(body, compresslevel=1, mtime=0)
        headers["Content-Encoding"] = "gzip"
    return Response(body, media_type=MEDIA_TYPE, headers=headers)


def _require(access: Access, layer: str) -> None:
    rights = tiles.layer(layer).rights
    if rights:
        access.caller.require(*rights)


def _knows(if_none_match: str, tag: str) -> bool:
    """Whether a client holds the tile: a list of tags, weak or strong, or a star for any."""
    known = {each.strip().removeprefix("W/") for each in if_none_match.split(",")}
    return tag in known or "*" in known


def _takes_gzip(accept_encoding: str) -> bool:
    for each in accept_encoding.lower().split(","):
        coding, _, weight = each.partition(";")
        if coding.strip() in {"gzip", "*"}:
            return weight.replace(" ", "").rstrip("0").removesuffix(".") not in {"q=", "q=0"}
    return False
