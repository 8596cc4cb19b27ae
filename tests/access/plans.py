"""What is asked of plans: their own county's show what is there, others' are not found."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Final

from tests.access import rules
from tests.access.question import Question, marks_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tests.access.place import Caller, Place, Row

API: Final = "/api/v1/plans"
# What an answer on a plan shows of the plan itself: kinds of rows of its county.
SHOWN: Final[dict[str, tuple[str, ...]]] = {
    "": ("draft edition",),
    "/grids": ("draft", "plan lock"),
    "/cells": ("draft",),
    "/shapes": ("draft edition", "draft", "plan lock"),
    "/moves": ("plan move",),
    "/comments": ("plan comment",),
    "/save-points": ("save point",),
    "/reviews": ("plan step",),
    "/comparison": ("draft",),
    "/difference": (),
    "/letters": (),
    "/export": ("draft",),
}
LONG: Final = {"/grids", "/cells", "/shapes", "/export"}
BODIES: Final[dict[str, dict[str, Any] | None]] = {
    "/moves": {"kind": "repair", "version": 1},
    "/undo": {"version": 1},
    "/redo": {"version": 1},
    "/go-to": {"version": 1, "move": 0},
    "/locks": {},
    "/unlock": {},
    "/comments": {"words": "mine"},
    "/save-points": {"name": "mine"},
    "/submit": None,
    "/approve": {},
    "/return": {"note": "mine"},
    "/publish": {},
}


def _list(place: Place, caller: Caller) -> Iterator[Question]:
    rows = rules.visible(place, caller, "draft edition")
    yield Question(f"GET:{API}", "GET", API, 200, marks_of(rows))


def _begin(place: Place, caller: Caller) -> Iterator[Question]:
    for county in _hidden(place, caller):
        body = json.dumps({"edition": place.ids["plan", county]}).encode()
        yield Question(f"POST:{API}", "POST", API, 404, body=body)


def _draw(place: Place, caller: Caller) -> Iterator[Question]:
    for county in _hidden(place, caller):
        body = json.dumps({"area": county}).encode()
        yield Question(f"POST:{API}/drawings", "POST", f"{API}/drawings", 404, body=body)
        # Nor by an edition of theirs under an area of one's own.
        if caller.area:
            asked = {"area": caller.area[:6], "before": place.ids["plan", county]}
            body = json.dumps(asked).encode()
            yield Question(f"POST:{API}/drawings", "POST", f"{API}/drawings", 404, body=body)


def _lineage(place: Place, caller: Caller) -> Iterator[Question]:
    door = "GET:/api/v1/editions/{id}/lineage"
    for edition in place.rows["edition"]:
        where = f"/api/v1/editions/{place.ids['edition', edition.key]}/lineage"
        if not rules.sees(caller, edition):
            yield Question(door, "GET", where, 404)
            continue
        rows = [
            row
            for row in rules.visible(place, caller, "lineage")
            if row.areas[0].startswith(edition.key)
        ]
        yield Question(door, "GET", where, 200, marks_of(rows))


EDITIONS: Final = "/api/v1/editions"


def _editions(place: Place, caller: Caller) -> Iterator[Question]:
    rows = [
        row for kind in ("edition", "draft edition") for row in rules.visible(place, caller, kind)
    ]
    yield Question(f"GET:{EDITIONS}", "GET", EDITIONS, 200, marks_of(rows))


def _not_there(path: str) -> Callable[..., Iterator[Question]]:
    def make(place: Place, caller: Caller) -> Iterator[Question]:
        for edition in place.rows["edition"]:
            if not rules.sees(caller, edition):
                where = f"{EDITIONS}/{place.ids['edition', edition.key]}{path}"
                yield Question(f"GET:{EDITIONS}/{{id}}{path}", "GET", where, 404)

    return make


def _in_force(path: str) -> Callable[..., Iterator[Question]]:
    def make(place: Place, caller: Caller) -> Iterator[Question]:
        for edition in place.rows["edition"]:
            if not rules.sees(caller, edition):
                where = f"{EDITIONS}/{place.ids['edition', edition.key]}{path}"
                yield Question(f"POST:{EDITIONS}/{{id}}{path}", "POST", where, 404, body=b"{}")

    return make


def _hidden(place: Place, caller: Caller) -> list[str]:
    """Counties whose plan the caller does not see."""
    return [row.key for row in place.rows["plan"] if not rules.sees(caller, row)]


def _read(path: str) -> Callable[..., Iterator[Question]]:
    def make(place: Place, caller: Caller) -> Iterator[Question]:
        for plan in place.rows["plan"]:
            where = f"{API}/{place.ids[plan.mark]}{path}"
            door = f"GET:{API}/{{id}}{path}"
            if not rules.sees(caller, plan):
                yield Question(door, "GET", where, 404)
                continue
            rows: list[Row] = [
                row
                for kind in SHOWN[path]
                for row in rules.visible(place, caller, kind)
                if row.areas[0].startswith(plan.key)
            ]
            yield Question(door, "GET", where, 200, marks_of(rows), at_most=path in LONG)

    return make


def _write(path: str) -> Callable[..., Iterator[Question]]:
    def make(place: Place, caller: Caller) -> Iterator[Question]:
        asked = BODIES[path]
        body = None if asked is None else json.dumps(asked).encode()
        for county in _hidden(place, caller):
            where = f"{API}/{place.ids['plan', county]}{path}"
            yield Question(f"POST:{API}/{{id}}{path}", "POST", where, 404, body=body)

    return make


def _close(place: Place, caller: Caller) -> Iterator[Question]:
    for county in _hidden(place, caller):
        number = place.ids["plan comment", county]
        where = f"{API}/{place.ids['plan', county]}/comments/{number}/close"
        yield Question(f"POST:{API}/{{id}}/comments/{{id}}/close", "POST", where, 404)


MAKERS: Final = {
    f"GET:{API}": _list,
    f"POST:{API}": _begin,
    "GET:/api/v1/editions/{id}/lineage": _lineage,
    f"GET:{EDITIONS}": _editions,
    f"GET:{EDITIONS}/{{id}}/breaches": _not_there("/breaches"),
    f"GET:{EDITIONS}/{{id}}/to-do": _not_there("/to-do"),
    f"POST:{EDITIONS}/{{id}}/publish": _in_force("/publish"),
    f"POST:{EDITIONS}/{{id}}/rollback": _in_force("/rollback"),
    f"POST:{EDITIONS}/{{id}}/withdraw": _in_force("/withdraw"),
    f"POST:{API}/drawings": _draw,
    f"POST:{API}/{{id}}/comments/{{id}}/close": _close,
    **{f"GET:{API}/{{id}}{path}": _read(path) for path in SHOWN},
    **{f"POST:{API}/{{id}}{path}": _write(path) for path in BODIES},
}
