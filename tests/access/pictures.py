"""What each account is asked to draw: heat maps, maps by grid, hot spots and tiles."""

from __future__ import annotations

import json
import math
from typing import TYPE_CHECKING, Final
from urllib.parse import urlencode

import pyogrio

from maps import tiles
from tests.access import rules
from tests.access.place import A11, B11, MIDDLE, A, middle, overlapping
from tests.access.question import Question, marks_of, people_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tests.access.conftest import Answer
    from tests.access.place import Caller, Place

PICTURED: Final = (A, A11)
"""Areas whose accounts ask for heat maps, which cost a hundred times a list."""
WHOLE_TILE_ZOOM, NEAR_TILE_ZOOM = 9, 14


def _heatmap(place: Place, caller: Caller) -> Iterator[Question]:
    if caller.area not in PICTURED:
        return
    rows = rules.visible(place, caller, "incident")

    def look(answer: Answer) -> str | None:
        found = json.loads(answer.body)
        counted = found["n"] + found["n_outside"] + found["n_without_place"]
        return None if counted == len(rows) else f"it counts {counted} of {len(rows)}"

    yield Question("GET:/api/v1/heatmaps", "GET", "/api/v1/heatmaps", 200 if rows else 422,
                   look=look if rows else lambda _: None)  # fmt: skip


def _picture(place: Place, caller: Caller) -> Iterator[Question]:
    if caller.area not in PICTURED:
        return
    rows = rules.visible(place, caller, "incident")
    yield Question("GET:/api/v1/heatmaps.png", "GET", "/api/v1/heatmaps.png",
                   200 if rows else 422)  # fmt: skip


def _polygons(place: Place, caller: Caller) -> Iterator[Question]:
    if caller.area not in PICTURED:
        return
    rows = rules.visible(place, caller, "incident")
    yield Question("GET:/api/v1/heatmaps.geojson", "GET", "/api/v1/heatmaps.geojson",
                   200 if rows else 422)  # fmt: skip


def _density_tile(door: str, address: str) -> Callable[[Place, Caller], Iterator[Question]]:
    def make(place: Place, caller: Caller) -> Iterator[Question]:
        if caller.area not in PICTURED:
            return
        rows = rules.visible(place, caller, "incident")
        yield Question(door, "GET", address, 200 if rows else 422)

    return make


def _gridmaps(door: str) -> Callable[[Place, Caller], Iterator[Question]]:
    def make(place: Place, caller: Caller) -> Iterator[Question]:
        if caller.area not in PICTURED:
            return
        seen = marks_of(rules.visible(place, caller, "grid"))
        path = door.removeprefix("GET:")
        for shared in ("false", "true"):
            yield Question(
                door, "GET", path, 200 if seen else 422, seen,
                query=f"start=2026-01-05&end=2026-03-02&shared={shared}",
            )  # fmt: skip

    return make


def _hotspots(place: Place, caller: Caller) -> Iterator[Question]:
    """Every incident it sees is counted once, in a grid of its own or beside them all."""
    if caller.area not in PICTURED:
        return
    rows, grids = (rules.visible(place, caller, kind) for kind in ("incident", "grid"))

    def look(answer: Answer) -> str | None:
        found = json.loads(answer.body)
        counted = found["n"] + found["n_outside"] + found["n_without_place"]
        return None if counted == len(rows) else f"it counts {counted} of {len(rows)}"

    query = urlencode({"start": "2025-01-01", "end": "2199-01-01"})
    for method in ("hot_grids", "scan"):
        yield Question(
            "GET:/api/v1/hotspots", "GET", "/api/v1/hotspots", 200, marks_of(grids),
            query=f"{query}&method={method}", look=look,
        )  # fmt: skip


def _hotspot_layer(place: Place, caller: Caller) -> Iterator[Question]:
    if caller.area in PICTURED:
        yield Question(
            "GET:/api/v1/hotspots.geojson", "GET", "/api/v1/hotspots.geojson", 200,
            marks_of(rules.visible(place, caller, "grid")),
        )  # fmt: skip


def _attention(path: str) -> Callable[[Place, Caller], Iterator[Question]]:
    """Its place has been reporting for too short a while; who sees what: tests/api."""

    def ask(_place: Place, caller: Caller) -> Iterator[Question]:
        if caller.area in PICTURED:
            yield Question(f"GET:{path}", "GET", path, 422)

    return ask


def _tilejson(_place: Place, caller: Caller) -> Iterator[Question]:
    for layer in tiles.LAYERS:
        status = 200 if rules.may_ask(caller, layer) else 403
        yield Question("GET:/tiles/{layer}", "GET", f"/tiles/{layer}", status)
    yield Question("GET:/tiles/{layer}", "GET", "/tiles/persons", 404)


IN_LAYER: Final = {
    "units": (), "borders": ("border",), "grids": ("grid",), "barriers": ("barrier",),
    "buildings": ("building",), "cameras": ("camera",), "routes": ("route", "checkpoint"),
    "incidents": ("incident",),
}  # fmt: skip
"""Kinds of rows that a tile layer shows."""


def _tile(place: Place, caller: Caller) -> Iterator[Question]:
    for layer in tiles.LAYERS:
        if layer != "buildings":  # from afar they are not drawn
            yield _tile_question(place, caller, layer, WHOLE_TILE_ZOOM, middle(A11)[0])
        for target in (A11, B11) if layer not in {"units", "borders"} else (A11,):
            # The middle of a village is the line between its grids: a little aside.
            yield _tile_question(place, caller, layer, NEAR_TILE_ZOOM, middle(target)[0] - 0.005)


def _tile_question(place: Place, caller: Caller, layer: str, z: int, lon: float) -> Question:
    count = 2**z
    x = int((lon + 180) / 360 * count)
    y = int((1 - math.asinh(math.tan(math.radians(MIDDLE))) / math.pi) / 2 * count)
    door, path = "GET:/tiles/{layer}/{z}/{x}/{y}", f"/tiles/{layer}/{z}/{x}/{y}"
    if not rules.may_ask(caller, layer):
        return Question(door, "GET", path, 403)
    buffer = 0 if layer == "incidents" else tiles.BUFFER / tiles.EXTENT
    west, east = ((x - buffer) / count * 360 - 180, (x + 1 + buffer) / count * 360 - 180)
    rows = [row for kind in IN_LAYER[layer]
            for row in overlapping(rules.visible(place, caller, kind), west, east)
            if z < NEAR_TILE_ZOOM or row.is_in_row]  # fmt: skip
    marks = rules.marks(rows)
    look = _nothing_to_say
    if layer == "grids":
        marks |= {mark for row in rows for mark in people_of(place, caller, row.key)}
    elif layer == "incidents":
        look = _features("incidents", "n", [len(rows)] if rows else [])
    elif layer == "cameras":
        ids = [place.ids[row.mark] for row in rows]
        look = _features("cameras", "mvt_id", ids)
    status = 200 if rows or layer == "units" else 204
    # From afar several incidents are one feature.
    at_most = layer == "incidents" and z < NEAR_TILE_ZOOM
    return Question(door, "GET", path, status, frozenset(marks), look=look, at_most=at_most)


def _nothing_to_say(_: Answer) -> str | None:
    return None


def _features(part: str, column: str, wanted: list[int]) -> Callable[[Answer], str | None]:
    """Decode a tile: the ids of its features, or how many incidents they stand for."""

    def look(answer: Answer) -> str | None:
        if not answer.body:
            return None if not wanted else "it is empty"
        found = pyogrio.read_dataframe(answer.body, layer=part, CLIP="NO")[column]
        told = [int(found.sum())] if column == "n" else sorted(map(int, found))
        return None if told == sorted(wanted) else f"its {part} have {column} {told}"

    return look


MAKERS: Final = {
    "GET:/api/v1/gridmaps": _gridmaps("GET:/api/v1/gridmaps"),
    "GET:/api/v1/gridmaps.geojson": _gridmaps("GET:/api/v1/gridmaps.geojson"),
    "GET:/api/v1/heatmaps": _heatmap,
    "GET:/api/v1/heatmaps.png": _picture,
    "GET:/api/v1/heatmaps.geojson": _polygons,
    **{
        f"GET:{path}": _density_tile(f"GET:{path}", address)
        for path, address in (
            ("/tiles/heatmap/{z}/{x}/{y}.png", "/tiles/heatmap/9/422/184.png"),
            ("/tiles/heatmap/{z}/{x}/{y}", "/tiles/heatmap/9/422/184"),
            ("/tiles/streets/{z}/{x}/{y}", "/tiles/streets/9/422/184"),
            ("/api/v1/heatmaps/streets", "/api/v1/heatmaps/streets"),
            ("/api/v1/heatmaps/streets.geojson", "/api/v1/heatmaps/streets.geojson"),
        )
    },
    "GET:/api/v1/hotspots": _hotspots,
    "GET:/api/v1/hotspots.geojson": _hotspot_layer,
    **{
        f"GET:{path}": _attention(path)
        for path in (
            "/api/v1/attention",
            "/api/v1/attention.geojson",
            "/api/v1/attention/backtest",
            "/attention/backtest",
        )
    },
    "GET:/tiles/{layer}": _tilejson,
    "GET:/tiles/{layer}/{z}/{x}/{y}": _tile,
}
