"""Vector tiles of every layer, made in PostGIS, and the TileJSON that describes them."""

from __future__ import annotations

import math
from functools import cache
from importlib.resources import files
from typing import TYPE_CHECKING, Any, Final

from gis import audit
from gis.database import execute
from gis.errors import BadInput, NotFound, Problem
from maps.tile_layers import LABELS_FROM_ZOOM, LAYERS, SINGLE_INCIDENTS_FROM_ZOOM, Layer

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from sqlalchemy.orm import Session

__all__ = ["LAYERS", "LayerNotFound", "check_address", "layer", "tile", "tilejson"]

EXTENT: Final = 4096
"""Units of a tile's side, as vector tile readers expect it."""
BUFFER: Final = 64
"""Units beyond each side that lines and areas are drawn to, so that their ends do not show."""
MAX_ZOOM: Final = 22
"""Nobody asks for more: a unit of such a tile is 2 mm on the ground."""

RADIUS_M: Final = 6_378_137.0
"""Radius of the sphere that Web Mercator (EPSG:3857) is on."""
MERCATOR_HALF_M: Final = math.pi * RADIUS_M
"""Half the side of the Web Mercator square, in its metres."""


class LayerNotFound(NotFound):
    """There is no layer of this name."""


def layer(name: str) -> Layer:
    """Find a layer by its name.

    Raises
    ------
    LayerNotFound
        None is called that; the message names those there are.
    """
    try:
        return LAYERS[name]
    except KeyError:
        raise LayerNotFound(f"no layer {name!r}; there are {', '.join(LAYERS)}") from None


def tile(
    session: Session,
    name: str,
    z: int,
    x: int,
    y: int,
    *,
    at: datetime | None = None,
    start: datetime | None = None,
    end: datetime | None = None,
    category: Sequence[str] | None = None,
) -> bytes:
    """One vector tile, uncompressed; empty bytes where there is nothing.

    A tile of a restricted layer, or with names of people, is entered in the audit log.

    Parameters
    ----------
    name
        A key of ``LAYERS``.
    z, x, y
        Address in the Web Mercator quad (EPSG:3857), y counted from the north.
    at
        The moment whose units, edition, workers and routes are wanted; None: now.
    start, end
        Report times of incidents, half-open; None: unbounded.
    category
        Codes of incident categories; None or empty: all.

    Raises
    ------
    LayerNotFound
        No such layer.
    BadInput
        The address is outside the pyramid, a time has no zone, or the period ends before it begins.
    """
    wanted = layer(name)
    problems = [*_address_problems(z, x, y), *_time_problems(at=at, start=start, end=end)]
    if problems:
        raise BadInput(problems)
    if z < wanted.min_zoom:
        return b""
    values = _bounds(z, x, y) | {
        "z": z,
        "x": x,
        "y": y,
        "extent": EXTENT,
        "buffer": BUFFER,
        "labels_from": LABELS_FROM_ZOOM,
        "single_from": SINGLE_INCIDENTS_FROM_ZOOM,
        "at": at if at is not None else "now",
        "start": start if start is not None else "-infinity",
        "end": end if end is not None else "infinity",
        "categories": list(category) if category else None,
    }
    answer = execute(session, _sql(name), **values).one()
    if wanted.shows and (wanted.always_logged or answer.seen):
        audit.read(
            session,
            object_kind="tile",
            object_id=f"{name}/{z}/{x}/{y}",
            fields=wanted.shows,
            counts=answer.seen,
            **_asked(wanted, at=at, start=start, end=end, category=category),
        )
    return bytes(answer[0])


def _asked(
    wanted: Layer, *, category: Sequence[str] | None, **times: datetime | None
) -> dict[str, Any]:
    """What a tile was narrowed to, of what its layer can be; unknown categories are left out."""
    asked: dict[str, Any] = {name: value for name, value in times.items() if name in wanted.filters}
    if category and "category" in wanted.filters:
        asked["category"] = [each for each in category if audit.is_code(each)]
    return asked


def tilejson(name: str, base_url: str, bounds: Sequence[float] | None = None) -> dict[str, Any]:
    """Describe a layer in TileJSON 3.0.

    Parameters
    ----------
    base_url
        Absolute address under which ``tiles/`` is served, with or without a slash at its end.
    bounds
        (west, south, east, north) of what is in it; None: the whole pyramid.

    Raises
    ------
    LayerNotFound
        No such layer.
    """
    wanted = layer(name)
    top = math.degrees(math.atan(math.sinh(math.pi)))
    return {
        "tilejson": "3.0.0",
        "name": name,
        "description": wanted.description,
        "scheme": "xyz",
        "tiles": [f"{base_url.rstrip('/')}/tiles/{name}/{{z}}/{{x}}/{{y}}"],
        "minzoom": wanted.min_zoom,
        "maxzoom": wanted.max_zoom,
        "bounds": list(bounds) if bounds is not None else [-180, -top, 180, top],
        "vector_layers": [
            {
                "id": part_name,
                "description": part.description,
                "fields": dict(part.fields),
                "geometry_type": part.geometry,
                "minzoom": max(part.min_zoom, wanted.min_zoom),
                "maxzoom": wanted.max_zoom,
            }
            for part_name, part in wanted.parts.items()
        ],
    }


@cache
def _sql(name: str) -> str:
    return files("maps").joinpath("sql", f"{name}.sql").read_text(encoding="utf-8")


def check_address(z: int, x: int, y: int) -> None:
    """Raise BadInput if there is no such tile in the pyramid."""
    if problems := _address_problems(z, x, y):
        raise BadInput(problems)


def _address_problems(z: int, x: int, y: int) -> list[Problem]:
    if not 0 <= z <= MAX_ZOOM:
        return [Problem(f"zoom {z} is outside 0..{MAX_ZOOM}", "Ask within that range", field="z")]
    last = 2**z - 1
    return [
        Problem(
            f"{axis} {value} is outside 0..{last} at zoom {z}",
            "Ask for a tile that is there",
            field=axis,
        )
        for axis, value in (("x", x), ("y", y))
        if not 0 <= value <= last
    ]


def _time_problems(**times: datetime | None) -> list[Problem]:
    problems = [
        Problem("the time has no zone", "Write it with one: 2026-05-01T00:00:00+08:00", field=key)
        for key, value in times.items()
        if value is not None and value.tzinfo is None
    ]
    start, end = times["start"], times["end"]
    if not problems and start is not None and end is not None and start >= end:
        problems.append(
            Problem("the period ends before it begins", "Give an end after the start", field="end")
        )
    return problems


def _bounds(z: int, x: int, y: int) -> dict[str, float]:
    """Work out the tile's box in lon/lat, alone and with its buffer, and in Web Mercator.

    The sides of a Web Mercator tile are meridians and parallels, so its box in lon/lat is exact.
    It is worked out here, not by ST_Transform, which wraps a buffer across the antimeridian round
    to the other end of the world; and searching lon/lat columns by it is what uses their index.
    """
    count = 2**z
    side = 2 * MERCATOR_HALF_M / count
    margin = BUFFER / EXTENT
    south, north = _lat(y + 1 + margin, count), _lat(y - margin, count)
    steepest = min(max(abs(south), abs(north)), 89.0)
    return {
        "west": max(_lon(x - margin, count), -180.0),
        "east": min(_lon(x + 1 + margin, count), 180.0),
        "south": south if y < count - 1 else -90.0,
        "north": north if y > 0 else 90.0,
        # From the number of the line alone, so that both its neighbours have it to the last bit.
        "tile_west": _lon(x, count),
        "tile_east": _lon(x + 1, count),
        "tile_south": _lat(y + 1, count),
        "tile_north": _lat(y, count),
        "snap_lon": 180 / count / EXTENT,
        "snap_lat": (_lat(y, count) - _lat(y + 1, count)) / EXTENT / 2,
        "tile_x_m": x * side - MERCATOR_HALF_M,
        "tile_y_m": MERCATOR_HALF_M - y * side,
        "unit_m": side / EXTENT,
        "radius_m": RADIUS_M,
        # Degrees that a metre spans at the most here (a tenth to spare): 1/110,574 of a degree of
        # latitude, at the equator of WGS 84, and the more of longitude the nearer the pole.
        "lat_per_m": 1.1 / 110_574,
        "lon_per_m": 1.1 / (110_574 * math.cos(math.radians(steepest))),
    }


def box_of(z: int, x: int, y: int) -> tuple[float, float, float, float]:
    """West, south, east and north of a tile with its buffer, degrees, WGS 84."""
    bounds = _bounds(z, x, y)
    return bounds["west"], bounds["south"], bounds["east"], bounds["north"]


def _lon(line: float, count: int) -> float:
    """Work out the meridian of a line of the pyramid, counted from the west."""
    return line / count * 360 - 180


def _lat(line: float, count: int) -> float:
    """Work out the parallel of a line of the pyramid, counted from the north."""
    return math.degrees(math.atan(math.sinh(math.pi * (1 - 2 * line / count))))
