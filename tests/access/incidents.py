"""What each account is asked about incidents: to read, report, compare and take a step further."""

from __future__ import annotations

import json
import uuid
from itertools import pairwise
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import urlencode

from tests.access import rules
from tests.access.place import A11, B11, MIDDLE, overlapping, report, shared_address
from tests.access.place import span as span_of
from tests.access.question import TARGETS, Question, is_on_duty, marks_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tests.access.conftest import Answer
    from tests.access.place import Caller, Mark, Place, Row

PAGE: Final = 6


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


def _listing(place: Place, caller: Caller, rows: list[Row], **query: Any) -> Question:
    newest = sorted(rows, key=lambda row: row.at, reverse=True)
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


def _named(place: Place, caller: Caller, row: Row) -> set[Mark]:
    """What an incident shows beside itself: its grid and who answered, to those who see them."""
    found = {row.mark}
    for kind in ("grid", "person"):
        key = row.grid if kind == "grid" else row.person
        found |= {("grid" if kind == "grid" else "person", each.key)
                  for each in rules.visible(place, caller, kind) if key and each.key == key
                  and (kind == "grid" or is_on_duty(place, caller, key))}  # fmt: skip
    return found


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


MAKERS: Final = {
    "GET:/api/v1/incidents": _incidents,
    "POST:/api/v1/incidents": _report,
    "GET:/api/v1/incidents/{id}": _incident,
    "GET:/api/v1/incidents/{id}/duplicates": _duplicates,
    "PUT:/api/v1/incidents/{id}/duplicates/{id}": _unlike,
    "GET:/api/v1/incidents/repeats": _repeats,
    "GET:/api/v1/departments": _departments,
    "POST:/api/v1/incidents/{id}/events": _step,
}
