"""What is asked of addresses: those of the caller's own area are found, others' are not there."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Final

from tests.access import rules
from tests.access.place import A11, A12, B11, MIDDLE, A, middle, word
from tests.access.question import Question, marks_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tests.access.conftest import Answer
    from tests.access.place import Caller, Place, Row

API: Final = "/api/v1/addresses"
ASKED: Final = (A11, A12, B11, A)
SHOWN: Final = 20


def _asked(method: str, path: str, status: int, *rows: Row, **more: Any) -> Question:
    return Question(f"{method}:{API}{path}", method, f"{API}{path}", status, marks_of(rows), **more)


def _seen(place: Place, caller: Caller, kind: str, area: str) -> list[Row]:
    return [row for row in rules.visible(place, caller, kind) if row.key == area]


def _search(place: Place, caller: Caller) -> Iterator[Question]:
    """By a number in a street, and by what somebody said: each named by its area."""
    for area in ASKED:
        body = json.dumps({"text": f"7 {area} street", "limit": SHOWN}).encode()
        there = _seen(place, caller, "house number", area)
        look = _first(there[0]) if there else lambda _: None
        yield _asked("POST", "/search", 200, *_like(place, caller), body=body, at_most=True,
                     look=look)  # fmt: skip
        said = _seen(place, caller, "address alias", area)
        body = json.dumps({"text": f"k{area}", "limit": SHOWN}).encode()
        if said:
            yield _asked("POST", "/search", 200, *said, body=body)
        else:
            yield _asked("POST", "/search", 200, *_like(place, caller), body=body, at_most=True)


def _first(row: Row) -> Callable[[Answer], str | None]:
    """That a row is the first candidate, and sure."""

    def look(answer: Answer) -> str | None:
        told = json.loads(answer.body)
        found = [each["label"] for each in told["candidates"]]
        return None if told["confident"] and found[0] == word(*row.mark) else f"it finds {found}"

    return look


def _like(place: Place, caller: Caller) -> list[Row]:
    """What may be found by a name that is like another: all that one sees, and no more."""
    return [
        row
        for kind in ("place", "house number", "address name")
        for row in rules.visible(place, caller, kind)
    ]


def _reverse(place: Place, caller: Caller) -> Iterator[Question]:
    for area in (A11, A12, B11):
        lon = middle(area)[0] - 0.005
        rows = _seen(place, caller, "house number", area)
        streets = [] if rows else rules.visible(place, caller, "barrier")
        marks = rows or [row for row in streets if area.startswith(row.key)]
        query = f"lon={lon}&lat={MIDDLE}"
        yield _asked("GET", "/reverse", 200, *marks, query=query)


def _reviews(place: Place, caller: Caller) -> Iterator[Question]:
    """Those that stand by themselves, and those that incidents without a place have asked."""
    marks = marks_of(rules.visible(place, caller, "address review"))
    for row in rules.visible(place, caller, "incident"):
        if row.span is None:
            marks |= {row.mark, ("said", row.key)}
    yield Question(f"GET:{API}/reviews", "GET", f"{API}/reviews", 200, marks)


def _one(place: Place, caller: Caller) -> Iterator[Question]:
    for area in ASKED:
        path = f"{API}/reviews/{place.ids['address review', area]}"
        rows = _seen(place, caller, "address review", area)
        status = 200 if rows else 404
        yield Question(f"GET:{API}/reviews/{{id}}", "GET", path, status, marks_of(rows))


def _decide(place: Place, caller: Caller) -> Iterator[Question]:
    """No candidate is there to choose: refused to those who may choose, not found by others."""
    door = f"POST:{API}/reviews/{{id}}"
    body = json.dumps({"candidate": 3}).encode()
    for area in ASKED:
        path = f"{API}/reviews/{place.ids['address review', area]}"
        status = 422 if _seen(place, caller, "address review", area) else 404
        yield Question(door, "POST", path, status, body=body)


def _aliases(place: Place, caller: Caller) -> Iterator[Question]:
    marks = marks_of(rules.visible(place, caller, "address alias"))
    yield Question(f"GET:{API}/aliases", "GET", f"{API}/aliases", 200, marks)


def _end(place: Place, caller: Caller) -> Iterator[Question]:
    """Others' are not there, nor is one that nobody made; to end one's own: test_addresses."""
    hidden = [area for area in ASKED if not _seen(place, caller, "address alias", area)]
    for number in (*(place.ids["address alias", area] for area in hidden), 2**63 - 1):
        yield Question(f"DELETE:{API}/aliases/{{id}}", "DELETE", f"{API}/aliases/{number}", 404)


MAKERS: Final = {
    f"GET:{API}/aliases": _aliases,
    f"DELETE:{API}/aliases/{{id}}": _end,
    f"POST:{API}/search": _search,
    f"GET:{API}/reverse": _reverse,
    f"GET:{API}/reviews": _reviews,
    f"GET:{API}/reviews/{{id}}": _one,
    f"POST:{API}/reviews/{{id}}": _decide,
}
