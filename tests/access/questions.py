"""What each account is asked to see over HTTP, and the answer that the tables of rules call for."""

from __future__ import annotations

import json
import math
import uuid
from itertools import islice, pairwise
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import urlencode

import pyogrio

from maps import tiles
from tests.access import addresses, administration, plans, rules
from tests.access.place import (
    A11,
    A12,
    A21,
    B11,
    MIDDLE,
    A,
    middle,
    overlapping,
    report,
    shared_address,
)
from tests.access.place import span as span_of
from tests.access.question import Question, marks_of, says

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from tests.access.conftest import Answer
    from tests.access.place import Caller, Mark, Place, Row

PICTURED: Final = (A, A11)
"""Areas whose accounts ask for heat maps, which cost a hundred times a list."""
TARGETS: Final = (A11, A12, A21, B11)
"""Villages asked about: each is inside for one account, a sibling or elsewhere for another."""
SOUTH_SEA: Final = (112.0, 16.0)
WHOLE_TILE_ZOOM, NEAR_TILE_ZOOM = 9, 14
PAGE: Final = 6
REFUSALS: Final = 1
"""Of what a role may not ask at all, so many questions are asked at each door."""


def questions(place: Place, caller: Caller) -> Iterator[Question]:
    """Everything one account is asked."""
    for door, make in MAKERS.items():
        made = make(place, caller)
        if rules.may_ask(caller, door):
            yield from made
        else:
            # Refused before anything is looked up: for what is there and what is not alike.
            for each in islice(made, REFUSALS):
                yield Question(door, each.method, each.path, 403, query=each.query, body=each.body)


def _session(place: Place, caller: Caller) -> Iterator[Question]:
    yield Question(
        "GET:/api/v1/session", "GET", "/api/v1/session", 200,
        frozenset({("account", caller.login)}), look=says("area_code", caller.area),
    )  # fmt: skip


def _meta(place: Place, caller: Caller) -> Iterator[Question]:
    editions = rules.visible(place, caller, "edition")
    yield Question(
        "GET:/api/v1/meta", "GET", "/api/v1/meta", 200, marks_of(editions[:1]),
        look=says("incidents.count", len(rules.visible(place, caller, "incident"))),
    )  # fmt: skip
    yield Question(
        "GET:/api/v1/meta", "GET", "/api/v1/meta", 200, marks_of(editions[:1]),
        look=says(
            "edition.grids", len(rules.visible(place, caller, "grid")) if editions else None
        ),
    )  # fmt: skip


def _named(place: Place, caller: Caller, row: Row) -> set[Mark]:
    """What an incident shows beside itself: its grid and who answered, to those who see them."""
    found = {row.mark}
    for kind in ("grid", "person"):
        key = row.grid if kind == "grid" else row.person
        found |= {("grid" if kind == "grid" else "person", each.key)
                  for each in rules.visible(place, caller, kind) if key and each.key == key
                  and (kind == "grid" or _duty(place, caller, key))}  # fmt: skip
    return found


def _duty(place: Place, caller: Caller, grid: str) -> bool:
    return any(row.key == grid for row in rules.visible(place, caller, "assignment"))


def _listing(place: Place, caller: Caller, rows: list[Row], **query: Any) -> Question:
    newest = sorted(rows, key=lambda row: row.at, reverse=True)  # type: ignore[arg-type, return-value]
    shown = newest[: query.get("limit", 100)]
    marks = frozenset(set().union(*(_named(place, caller, row) for row in shown), set()))

    def look(answer: Answer) -> str | None:
        page = json.loads(answer.body)
        ids = [item["id"] for item in page["items"]]
        if ids != [report(row)["id"] for row in shown]:
            return f"it lists {ids}"
        return None if page["count"] == len(newest) else f"it counts {page['count']}"

    return Question(
        "GET:/api/v1/incidents", "GET", "/api/v1/incidents", 200, marks,
        query=urlencode(query, doseq=True), look=look,
    )  # fmt: skip


def _incidents(place: Place, caller: Caller) -> Iterator[Question]:
    rows = rules.visible(place, caller, "incident")
    yield _listing(place, caller, rows)
    yield _listing(place, caller, rows, limit=PAGE)
    for category in ("neighbour", "hazard"):
        yield _listing(place, caller, [r for r in rows if r.category == category],
                       category=category)  # fmt: skip
    yield _listing(place, caller, [row for row in rows if row.span is None], review="true")
    for target in TARGETS:
        west, east = span_of(target)
        box = f"{west},{MIDDLE - 0.01},{east},{MIDDLE + 0.01}"
        yield _listing(place, caller, overlapping(rows, west, east), bbox=box)


def _incident(place: Place, caller: Caller) -> Iterator[Question]:
    door = "GET:/api/v1/incidents/{id}"
    seen = rules.visible(place, caller, "incident")
    said = {row.key for row in rules.visible(place, caller, "said")}
    for row in _asked(place):
        path = f"/api/v1/incidents/{report(row)['id']}"
        if row in seen:
            marks = _named(place, caller, row) | ({("said", row.key)} if row.key in said else set())
            yield Question(door, "GET", path, 200, frozenset(marks))
        else:
            yield Question(door, "GET", path, 404, look=_same_as_unknown(report(row)["id"]))
    yield Question(door, "GET", f"/api/v1/incidents/{uuid.uuid4()}", 404)


def _duplicates(place: Place, caller: Caller) -> Iterator[Question]:
    """Of each incident, those of the same grid: nothing else is near it."""
    door = "GET:/api/v1/incidents/{id}/duplicates"
    seen = rules.visible(place, caller, "incident")
    for row in _asked(place):
        path = f"/api/v1/incidents/{report(row)['id']}/duplicates"
        if row not in seen:
            yield Question(door, "GET", path, 404, look=_same_as_unknown(report(row)["id"]))
            continue
        near = {each.mark for each in seen if row.grid and each.grid == row.grid}
        yield Question(door, "GET", path, 200, frozenset(near), query="threshold=0")


def _unlike(place: Place, caller: Caller) -> Iterator[Question]:
    """Taken back of a pair of which nobody said anything, which changes nothing."""
    door = "PUT:/api/v1/incidents/{id}/duplicates/{id}"
    seen = rules.visible(place, caller, "incident")
    body = json.dumps({"unlike": False}).encode()
    asked = list(_asked(place))
    for row, other in pairwise(asked):
        path = f"/api/v1/incidents/{report(row)['id']}/duplicates/{report(other)['id']}"
        if row in seen and other in seen:
            yield Question(door, "PUT", path, 200, body=body)
        else:
            hidden = other if row in seen else row
            look = _same_as_unknown(report(hidden)["id"])
            yield Question(door, "PUT", path, 404, body=body, look=look)


def _repeats(place: Place, caller: Caller) -> Iterator[Question]:
    """An address has two incidents for those who see both, and is not there for the others."""
    door, path = "GET:/api/v1/incidents/repeats", "/api/v1/incidents/repeats"
    houses: dict[str, list[Row]] = {}
    for row in rules.visible(place, caller, "incident"):
        if address := shared_address(row):
            houses.setdefault(address, []).append(row)
    both = {address: rows for address, rows in houses.items() if len(rows) > 1}
    for by in ("address", "building", "place"):
        query = f"by={by}&fewest=2&start=2026-01-01&end=2026-12-31"
        wanted = both if by == "address" else {}
        rows = [row for each in wanted.values() for row in each]
        look = _counts_of({address: len(rows) for address, rows in wanted.items()})
        yield Question(door, "GET", path, 200, marks_of(rows), query=query, look=look)


def _counts_of(wanted: dict[str, int]) -> Callable[[Answer], str | None]:
    """That these addresses are told, each with so many."""

    def look(answer: Answer) -> str | None:
        told = {each["label"]: each["count"] for each in json.loads(answer.body)["items"]}
        return None if told == wanted else f"it tells {told}, not {wanted}"

    return look


def _departments(place: Place, caller: Caller) -> Iterator[Question]:
    rows = rules.visible(place, caller, "department")
    door = "GET:/api/v1/departments"
    yield Question(door, "GET", "/api/v1/departments", 200, marks_of(rows))
    for target in TARGETS:
        serving = [row for row in rows if target.startswith(row.areas[0])]
        yield Question(door, "GET", "/api/v1/departments", 200, marks_of(serving),
                       query=f"area={target}")  # fmt: skip


def _asked(place: Place) -> list[Row]:
    """Incidents asked for by id: of each target, of a county, and those that accounts reported."""
    grids = {target + "001" for target in TARGETS}
    return [
        row for row in place.rows["incident"] if row.by or row.span is None or row.grid in grids
    ]


def _same_as_unknown(id_: str) -> Callable[[Answer], str | None]:
    """In words that are used for an id that nobody has."""

    def look(answer: Answer) -> str | None:
        wanted = {
            "type": "urn:wangge:error:IncidentNotFound", "title": "Not Found", "status": 404,
            "detail": f"there is no incident {id_}",
        }  # fmt: skip
        found = json.loads(answer.body)
        return None if found == wanted else f"it says {found}"

    return look


def _step(place: Place, caller: Caller) -> Iterator[Question]:
    """A step that the state machine does not have: refused with 409 to those who may take one."""
    door = "POST:/api/v1/incidents/{id}/events"
    seen = rules.visible(place, caller, "incident")
    body = json.dumps({"to_state": "evaluated"}).encode()
    for row in _asked(place):
        path = f"/api/v1/incidents/{report(row)['id']}/events"
        if row in seen:
            yield Question(door, "POST", path, 409, body=body)
        else:
            look = _same_as_unknown(report(row)["id"])
            yield Question(door, "POST", path, 404, body=body, look=look)


def _report(place: Place, caller: Caller) -> Iterator[Question]:
    """What was reported before, again, and the same place under an id that nobody has."""
    door = "POST:/api/v1/incidents"
    seen = rules.visible(place, caller, "incident")
    said = {row.key for row in rules.visible(place, caller, "said")}
    for row in _asked(place):
        sent = report(row)
        body = json.dumps(sent).encode()
        if row in seen:
            marks = _named(place, caller, row) | ({("said", row.key)} if row.key in said else set())
            yield Question(door, "POST", "/api/v1/incidents", 200, frozenset(marks), body=body)
        elif any(code.startswith(caller.area) for code in row.areas) or (
            row.span is None and caller.area.startswith(row.areas)
        ):
            # In its area (where it has no place, it would be put there), but not for its eyes: its
            # id is taken, and nothing else is told.
            yield Question(door, "POST", "/api/v1/incidents", 409, body=body)
        else:
            yield Question(door, "POST", "/api/v1/incidents", 403, body=body, look=_outside)
            if row.grid not in {A11 + "001", B11 + "001"}:
                continue
            new = json.dumps(sent | {"id": str(uuid.uuid4()), "external_id": "new"}).encode()
            yield Question(door, "POST", "/api/v1/incidents", 403, body=new, look=_outside)


def _outside(answer: Answer) -> str | None:
    wanted = "outside the area of this account"
    return None if wanted in answer.body.decode() else f"it says {answer.body.decode()}"


def _locate(place: Place, caller: Caller) -> Iterator[Question]:
    grids = rules.visible(place, caller, "grid")
    for target in (A11, A12, B11):
        lon, lat = middle(target + "001")
        yield _located(place, caller, target + "001", lon, lat)
    # 240 m from the next village, which lies within the position's error.
    lon = span_of(A11)[1] - 0.003
    near = overlapping(grids, lon - 0.004, lon + 0.004)
    yield _located(place, caller, A11 + "002", lon, MIDDLE, accuracy_m=300, also=near)
    # A place in no unit, 3,000 km away: too far for a nearest grid.
    lon, lat = SOUTH_SEA
    yield Question(
        "GET:/api/v1/locate", "GET", "/api/v1/locate", 200, query=f"lon={lon}&lat={lat}",
        look=_reason("outside" if caller.area == "" else "outside_area"),
    )  # fmt: skip


def _locate_many(place: Place, caller: Caller) -> Iterator[Question]:
    """All targets and a place in no unit at once, everybody who answers and the nearest grids."""
    grids = rules.visible(place, caller, "grid")
    marks: set[Mark] = set()
    reasons, points = [], [SOUTH_SEA]
    for target in TARGETS:
        code = target + "001"
        points.append(middle(code))
        if any(row.key == code for row in grids):
            people = _people(place, caller, code)
            marks |= {("grid", code)} | people
            reasons.append("in_grid" if people else "nobody")
        else:
            marks |= rules.marks(_nearest(grids, middle(code)[0]))
            reasons.append("outside_area")

    def look(answer: Answer) -> str | None:
        found = [each["reason"] for each in json.loads(answer.body)["answers"]]
        wanted = ["outside" if caller.area == "" else "outside_area", *reasons]
        return None if found == wanted else f"the reasons are {found}, not {wanted}"

    body = {
        "points": [{"lon": lon, "lat": lat} for lon, lat in points], "people": "all",
        "nearest": True,
    }  # fmt: skip
    yield Question("POST:/api/v1/locate", "POST", "/api/v1/locate", 200, frozenset(marks),
                   body=json.dumps(body).encode(), look=look)  # fmt: skip


def _located(
    place: Place, caller: Caller, code: str, lon: float, lat: float, *, also: Iterable[Row] = (),
    **query: float,
) -> Question:  # fmt: skip
    grids = rules.visible(place, caller, "grid")
    marks = rules.marks(also)
    if any(row.key == code for row in grids):
        people = _people(place, caller, code)
        marks |= {("grid", code), ("edition", code[:6])} | people
        look = _reason("in_grid" if people else "nobody")
    else:
        # The nearest is the nearest of those it sees.
        marks |= rules.marks(_nearest(grids, lon))
        look = _reason("outside_area")
    return Question(
        "GET:/api/v1/locate", "GET", "/api/v1/locate", 200, frozenset(marks),
        query=urlencode({"lon": lon, "lat": lat} | query), look=look,
    )  # fmt: skip


def _reason(wanted: str) -> Callable[[Answer], str | None]:
    def look(answer: Answer) -> str | None:
        found = json.loads(answer.body)["reason"]["code"]
        return None if found == wanted else f"the reason is {found}, not {wanted}"

    return look


def _people(place: Place, caller: Caller, grid: str) -> set[Mark]:
    rows = [row for row in rules.visible(place, caller, "person") if row.key == grid]
    return rules.marks(rows) if _duty(place, caller, grid) else set()


def _nearest(grids: list[Row], lon: float) -> list[Row]:
    def away(row: Row) -> float:
        assert row.span is not None
        return max(row.span[0] - lon, lon - row.span[1], 0)

    return sorted(grids, key=lambda row: (round(away(row), 9), row.key))[:1]


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
    look: Callable[[Answer], str | None] = lambda _: None  # noqa: E731
    if layer == "grids":
        marks |= {mark for row in rows for mark in _people(place, caller, row.key)}
    elif layer == "incidents":
        look = _features("incidents", "n", [len(rows)] if rows else [])
    elif layer == "cameras":
        ids = [place.ids[row.mark] for row in rows]
        look = _features("cameras", "mvt_id", ids)
    status = 200 if rows or layer == "units" else 204
    # From afar several incidents are one feature.
    at_most = layer == "incidents" and z < NEAR_TILE_ZOOM
    return Question(door, "GET", path, status, frozenset(marks), look=look, at_most=at_most)


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
    "GET:/api/v1/session": _session,
    "GET:/api/v1/meta": _meta,
    "GET:/api/v1/locate": _locate,
    "POST:/api/v1/locate": _locate_many,
    "GET:/api/v1/incidents": _incidents,
    "POST:/api/v1/incidents": _report,
    "GET:/api/v1/incidents/{id}": _incident,
    "GET:/api/v1/incidents/{id}/duplicates": _duplicates,
    "PUT:/api/v1/incidents/{id}/duplicates/{id}": _unlike,
    "GET:/api/v1/incidents/repeats": _repeats,
    "GET:/api/v1/departments": _departments,
    "POST:/api/v1/incidents/{id}/events": _step,
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
    **addresses.MAKERS,
    **administration.MAKERS,
    **plans.MAKERS,
}
