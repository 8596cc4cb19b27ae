"""What each account is asked to see over HTTP, and the answer that the tables of rules call for."""

from __future__ import annotations

import json
from itertools import islice
from typing import TYPE_CHECKING, Final
from urllib.parse import urlencode

from tests.access import addresses, administration, incidents, pictures, plans, rules
from tests.access.place import A11, A12, B11, MIDDLE, middle, overlapping
from tests.access.place import span as span_of
from tests.access.question import TARGETS, Question, marks_of, people_of, says

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from tests.access.conftest import Answer
    from tests.access.place import Caller, Mark, Place, Row

SOUTH_SEA: Final = (112.0, 16.0)
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
            people = people_of(place, caller, code)
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
        people = people_of(place, caller, code)
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


def _nearest(grids: list[Row], lon: float) -> list[Row]:
    def away(row: Row) -> float:
        assert row.span is not None
        return max(row.span[0] - lon, lon - row.span[1], 0)

    return sorted(grids, key=lambda row: (round(away(row), 9), row.key))[:1]


MAKERS: Final = {
    "GET:/api/v1/session": _session,
    "GET:/api/v1/meta": _meta,
    "GET:/api/v1/locate": _locate,
    "POST:/api/v1/locate": _locate_many,
    **incidents.MAKERS,
    **pictures.MAKERS,
    **addresses.MAKERS,
    **administration.MAKERS,
    **plans.MAKERS,
}
