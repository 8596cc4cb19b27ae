"""Vector tiles and their TileJSON; tiles of densities, as pictures and as shapes."""

from __future__ import annotations

import gzip
import hashlib
from typing import TYPE_CHECKING, Annotated, Any

from fastapi import APIRouter, Depends, Path, Query, Request, Response

from api.auth import Access, needs
from api.dependencies import MomentIn, PeriodIn
from api.kept_maps import KNOWN, Asked, Made, kept_headers, kept_maps, knows
from api.routes import heatmaps, heatmaps_streets
from maps import drawn_tiles, raster, tiles
from maps.contours import contours
from maps.network import layer as streets

if TYPE_CHECKING:
    from collections.abc import Callable

router = APIRouter(prefix="/tiles", tags=["tiles"])
LayerName = Annotated[str, Path(examples=["grids"])]
MEDIA_TYPE = "application/vnd.mapbox-vector-tile"


def _address(
    z: Annotated[int, Path(examples=[12])],
    x: Annotated[int, Path(examples=[3379])],
    y: Annotated[int, Path(examples=[1469])],
) -> tuple[int, int, int]:
    return z, x, y


AddressIn = Annotated[tuple[int, int, int], Depends(_address)]


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
def heatmap_tile(address: AddressIn, asked: heatmaps.AskedIn) -> Response:
    """The picture of ``/api/v1/heatmaps`` on one tile of 256 pixels; 304 for a known ETag.

    All tiles are of one density in metres with one legend, whatever their zoom.
    """
    made, headers = asked.made(address)
    if made is None:
        return Response(status_code=304, headers=headers)
    return Response(
        raster.png_bytes(raster.tile(made, *address)), media_type="image/png", headers=headers
    )


@router.get(
    "/heatmap/{z}/{x}/{y}",
    summary="A vector tile of the classes of a density of incidents",
    response_class=Response,
    responses={200: {"content": {MEDIA_TYPE: {}}}, 204: {"description": "Nothing there"}, **KNOWN},
)
def heatmap_shapes(address: AddressIn, asked: heatmaps.AskedIn) -> Response:
    """The polygons of ``/api/v1/heatmaps.geojson`` on one tile, as Mapbox Vector Tile.

    Its one layer is ``heatmap``: a feature per class of the legend with ``from``, ``to`` (none for
    the highest), ``unit`` and ``color``. What the picture leaves blank is left out.
    """
    return _shapes(
        asked,
        "heatmap",
        address,
        lambda made: drawn_tiles.drawn(
            contours(made, crs="EPSG:3857"), ("from", "to", "unit", "color")
        ),
    )


@router.get(
    "/streets/{z}/{x}/{y}",
    summary="A vector tile of a density of incidents along streets",
    response_class=Response,
    responses={200: {"content": {MEDIA_TYPE: {}}}, 204: {"description": "Nothing there"}, **KNOWN},
)
def street_shapes(address: AddressIn, asked: heatmaps_streets.AskedIn) -> Response:
    """The streets of ``/api/v1/heatmaps/streets`` on one tile, as Mapbox Vector Tile.

    Its one layer is ``streets``: a feature per class of the legend with ``from`` (none below the
    first), ``to`` (none for the highest), ``unit``, ``color`` and ``width``, in points on paper.
    """
    return _shapes(
        asked,
        "streets",
        address,
        lambda made: drawn_tiles.drawn(
            streets.legend_lines(made), ("from", "to", "unit", "color", "width")
        ),
    )


@router.get(
    "/{layer}/{z}/{x}/{y}",
    summary="A vector tile",
    response_class=Response,
    responses={200: {"content": {MEDIA_TYPE: {}}}, 204: {"description": "Nothing there"}},
)
def tile(
    layer: LayerName,
    address: AddressIn,
    request: Request,
    access: Annotated[Access, needs()],
    at: MomentIn,
    period: PeriodIn,
    category: Annotated[list[str] | None, Query(description="May be repeated")] = None,
) -> Response:
    """Mapbox Vector Tile, gzipped where the client takes it; 304 for a known ETag."""
    _require(access, layer)
    body = tiles.tile(
        access.session, layer, *address, at=at, start=period[0], end=period[1], category=category
    )
    tag = f'"{hashlib.sha256(body).hexdigest()[:32]}"'
    # Tiles hold ids and counts, no names: a browser may keep them.
    headers = kept_headers(tag)
    if knows(request, tag):
        return Response(status_code=304, headers=headers)
    return _vector(request, body, headers)


def _shapes(
    asked: Asked[Made],
    layer: str,
    address: tuple[int, int, int],
    draw: Callable[[Made], drawn_tiles.Drawn],
) -> Response:
    """Answer with a vector tile of a density, whose shapes are drawn once for all its tiles."""
    made, headers = asked.made(address)
    if made is None:
        return Response(status_code=304, headers=headers)
    # By the entity tag, which tells what the map is made of and who may see it.
    shapes = kept_maps(asked.request).get((layer, headers["ETag"]), lambda: draw(made))
    return _vector(
        asked.request, drawn_tiles.tile(asked.access.session, layer, shapes, address), headers
    )


def _vector(request: Request, body: bytes, headers: dict[str, str]) -> Response:
    """Answer with a vector tile, gzipped where the client takes it."""
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


def _takes_gzip(accept_encoding: str) -> bool:
    for each in accept_encoding.lower().split(","):
        coding, _, weight = each.partition(";")
        if coding.strip() in {"gzip", "*"}:
            return weight.replace(" ", "").rstrip("0").removesuffix(".") not in {"q=", "q=0"}
    return False
