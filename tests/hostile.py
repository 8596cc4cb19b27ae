"""Inputs that end a process in the parsers of today: made here, kept in no file."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Final

import numpy as np
import shapely

from gis.guards import Form

LEVELS: Final = 60_000
MILLION: Final = 1_000_000


def nested_wkb(kind: int) -> bytes:
    """Geometries with one part each, one within the other."""
    return (bytes([1, kind]) + b"\x00\x00\x00\x01\x00\x00\x00") * LEVELS


def nested_wkt() -> str:
    """Collections within collections."""
    return "GEOMETRYCOLLECTION(" * LEVELS + "POINT(1 1)" + ")" * LEVELS


def nested_geojson() -> str:
    """Collections within collections."""
    head = '{"type":"GeometryCollection","geometries":['
    return head * LEVELS + '{"type":"Point","coordinates":[1,1]}' + "]}" * LEVELS


def polygon() -> shapely.Polygon:
    """A polygon of a million vertices, within one degree."""
    angle = np.linspace(0, 2 * np.pi, MILLION, endpoint=False)
    return shapely.polygons(np.column_stack([117 + np.cos(angle) / 2, 45 + np.sin(angle) / 2]))


CORPUS: Final[dict[str, Callable[[], tuple[Form, bytes | str]]]] = {
    "wkb: points within points": lambda: ("wkb", nested_wkb(4)),
    "wkb: lines within lines": lambda: ("wkb", nested_wkb(5)),
    "wkb: polygons within polygons": lambda: ("wkb", nested_wkb(6)),
    "wkb: collections within collections": lambda: ("wkb", nested_wkb(7)),
    "wkb: collections with unused bits of their type set": lambda: (
        "wkb", nested_wkb(7).replace(b"\x01\x07\x00\x00\x00", b"\x01\x07\x00\x01\x00"),
    ),
    "wkb: a million vertices": lambda: ("wkb", shapely.to_wkb(polygon())),
    "wkb: four thousand million points told": lambda: (
        "wkb", b"\x01\x02\x00\x00\x00\xff\xff\xff\xff" + b"\x00" * 64,
    ),
    "hex: collections within collections": lambda: ("hex", nested_wkb(7).hex()),
    "wkt: collections within collections": lambda: ("wkt", nested_wkt()),
    "wkt: brackets only": lambda: ("wkt", "MULTIPOLYGON" + "(" * LEVELS),
    "wkt: a million vertices": lambda: ("wkt", shapely.to_wkt(polygon())),
    "geojson: collections within collections": lambda: ("geojson", nested_geojson()),
    "geojson: arrays within arrays": lambda: (
        "geojson", '{"type":"Polygon","coordinates":' + "[" * LEVELS + "]" * LEVELS + "}",
    ),
    "geojson: a million vertices": lambda: ("geojson", shapely.to_geojson(polygon())),
    "json: arrays within arrays": lambda: ("json", "[" * LEVELS),
    "json: depth after a text that is never closed": lambda: (
        "json", '{"a":"\\\\"' + ',"a":{' * LEVELS,
    ),
    "filter: brackets": lambda: ("filter", "(" * 3_000 + "a=1" + ")" * 3_000),
    "filter: NOT": lambda: ("filter", "NOT " * 5_000 + "a=1"),
    "filter: signs": lambda: ("filter", "a=" + "-" * 5_000 + "1"),
    "filter: brackets behind a quote in a name": lambda: ("filter", '"\'" = 1 AND ' + "(" * 3_000),
}  # fmt: skip


def parse(data: bytes | str, form: Form) -> None:
    """Give a value to the parser that the guard stands before."""
    if form == "wkt":
        shapely.from_wkt(data)
    elif form == "geojson":
        shapely.from_geojson(data)
    elif form in {"wkb", "hex"}:
        shapely.from_wkb(data)
    elif form == "json":
        json.loads(data)
