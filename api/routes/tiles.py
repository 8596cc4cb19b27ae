"""Vector tiles and their TileJSON."""

from __future__ import annotations

import gzip
import hashlib
from typing import Annotated, Any

from fastapi import APIRouter, Query, Request, Response

from api.dependencies import MomentIn, PeriodIn, SessionIn
from maps import tiles

router = APIRouter(prefix="/tiles", tags=["tiles"])
MEDIA_TYPE = "application/vnd.mapbox-vector-tile"


@router.get("/{layer}", summary="TileJSON of a layer")
def tilejson(layer: str, request: Request) -> dict[str, Any]:
    """What is in the layer, and the address of its tiles."""
    return tiles.tilejson(layer, str(request.base_url))


@router.get(
    "/{layer}/{z}/{x}/{y}",
    summary="A vector tile",
    response_class=Response,
    responses={200: {"content": {MEDIA_TYPE: {}}}, 204: {"description": "Nothing there"}},
)
def tile(
    layer: str,
    z: int,
    x: int,
    y: int,
    request: Request,
    session: SessionIn,
    at: MomentIn,
    period: PeriodIn,
    category: Annotated[list[str] | None, Query(description="May be repeated")] = None,
) -> Response:
    """Mapbox Vector Tile, gzipped where the client takes it; 304 for a known ETag."""
    body = tiles.tile(
        session, layer, z, x, y, at=at, start=period[0], end=period[1], category=category
    )
    headers = {
        "ETag": f'"{hashlib.sha256(body).hexdigest()[:32]}"',
        "Cache-Control": "private, no-cache",
        "Vary": "Accept-Encoding",
    }
    if request.headers.get("if-none-match") == headers["ETag"]:
        return Response(status_code=304, headers=headers)
    if not body:
        return Response(status_code=204, headers=headers)
    if "gzip" in request.headers.get("accept-encoding", ""):
        # Level 1: tiles are made for one look, and the network is local.
        body = gzip.compress(body, compresslevel=1, mtime=0)
        headers["Content-Encoding"] = "gzip"
    return Response(body, media_type=MEDIA_TYPE, headers=headers)
