"""A question of the access matrix, and what has to come back."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from tests.access import rules
from tests.access.place import A11, A12, A21, B11

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from tests.access.conftest import Answer
    from tests.access.place import Caller, Mark, Place, Row

TARGETS: Final = (A11, A12, A21, B11)
"""Villages asked about: each is inside for one account, a sibling or elsewhere for another."""


@dataclass(frozen=True, slots=True)
class Question:
    """One request, and what has to come back.

    Attributes
    ----------
    marks
        Rows that the answer has to show: these, and no other; or, where rows are put together,
        rows of which it may show some.
    look
        What else has to hold of the answer; returns what is wrong, or nothing.
    """

    door: str
    method: str
    path: str
    status: int
    marks: frozenset[Mark] = frozenset()
    query: str = ""
    body: bytes | None = None
    look: Callable[[Answer], str | None] = field(default=lambda _: None)
    at_most: bool = False

    @property
    def name(self) -> str:
        """As it is told when it fails."""
        return f"{self.method} {self.path}?{self.query}"


def marks_of(rows: Iterable[Row]) -> frozenset[Mark]:
    return frozenset(rules.marks(rows))


def says(key: str, wanted: Any) -> Callable[[Answer], str | None]:
    def look(answer: Answer) -> str | None:
        found: Any = json.loads(answer.body)
        for part in key.split("."):
            found = found[part] if found is not None else None
        return None if found == wanted else f"{key} is {found!r}, not {wanted!r}"

    return look


def is_on_duty(place: Place, caller: Caller, grid: str) -> bool:
    return any(row.key == grid for row in rules.visible(place, caller, "assignment"))


def people_of(place: Place, caller: Caller, grid: str) -> set[Mark]:
    rows = [row for row in rules.visible(place, caller, "person") if row.key == grid]
    return rules.marks(rows) if is_on_duty(place, caller, grid) else set()
