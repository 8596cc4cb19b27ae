"""Who answers for a place at a moment, in order, from rows in memory; and why not others.

The same rules as `wangge_answering` in the database. They stand here a second time because an
answer must not wait for a database, and because an inspection asks why somebody was *not* called.
"""

from __future__ import annotations

import math
from collections import defaultdict
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final, Literal

if TYPE_CHECKING:
    import uuid
    from collections.abc import Iterable, Iterator, Mapping, Sequence

Mode = Literal["any", "normal", "emergency"]
Verdict = Literal[
    "answers", "stands_in", "named_already", "on_leave", "deputy_on_leave", "other_mode",
    "not_yet", "ended",
]  # fmt: skip

VERDICTS: Final[dict[str, tuple[str, str]]] = {
    "answers": ("负责", "answers"),
    "stands_in": ("代理负责", "stands in"),
    "named_already": ("已在名单中", "is named already"),
    "on_leave": ("请假", "is on leave"),
    "deputy_on_leave": ("代理人也请假", "stands in, but is on leave too"),
    "other_mode": ("不属于当前值守模式", "is of the other roster"),
    "not_yet": ("尚未上岗", "begins later"),
    "ended": ("已离岗", "has ended"),
}
"""What became of each who could have been called."""

RANKS: Final[Mapping[str, int]] = {"grid_worker": 3, "grid_head": 5}


@dataclass(frozen=True, slots=True)
class Duty:
    """An assignment: who, as what, for which grid, unit or department, when and in which mode.

    Times are seconds since 1970; infinite where they are open.
    """

    id: int
    person: uuid.UUID
    role: str
    since: float
    until: float
    is_primary: bool = False
    mode: Mode = "any"
    link_level: int | None = None
    grid: int | None = None
    unit: str | None = None
    department: int | None = None


@dataclass(frozen=True, slots=True)
class Away:
    """A leave, and who stands in."""

    person: uuid.UUID
    deputy: uuid.UUID | None
    since: float
    until: float


@dataclass(frozen=True, slots=True)
class Department:
    """A department, the unit it serves, and the matters that are its: True where it leads."""

    id: int
    name: str
    area: str
    attendance: str
    since: float
    until: float
    matters: Mapping[str, bool] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Emergency:
    """A time in which an area, and all beneath it, is in emergency."""

    area: str
    since: float
    until: float


@dataclass(frozen=True, slots=True)
class Named:
    """Somebody who answers, for what, and why."""

    assignment: int
    person: uuid.UUID
    name: str
    role: str
    is_primary: bool
    reason: str
    grid: int | None
    unit: str | None
    department: int | None


@dataclass(frozen=True, slots=True)
class Considered:
    """Somebody who could have been called, and what became of it."""

    assignment: int
    person: uuid.UUID
    name: str
    role: str
    verdict: Verdict


_Standing = tuple[int, int, int]
_IN_MICRO: Final = (2, 1, 0)
_OF_GRIDS: Final[tuple[_Standing, ...]] = ((1, 0, 0), (2, 0, 0), _IN_MICRO)
"""Where people of an exclusive, a base and a micro grid stand."""


class Roster:
    """Everybody's duties, leaves and departments; nothing in it changes.

    Parameters
    ----------
    names
        Name of each person.
    by_matter, categories
        Categories of incidents whose department comes before the grid; all that there are.
    """

    def __init__(
        self,
        duties: Iterable[Duty],
        leaves: Iterable[Away] = (),
        *,
        departments: Iterable[Department] = (),
        emergencies: Iterable[Emergency] = (),
        names: Mapping[uuid.UUID, str] | None = None,
        by_matter: Iterable[str] = (),
        categories: Iterable[str] = (),
    ) -> None:
        self.names = dict(names or {})
        self._by_matter, self.categories = frozenset(by_matter), frozenset(categories)
        self._of_grid: dict[int, list[Duty]] = defaultdict(list)
        self._of_unit: dict[str, list[Duty]] = defaultdict(list)
        self._of_department: dict[int, list[Duty]] = defaultdict(list)
        for duty in duties:
            if duty.grid is not None:
                self._of_grid[duty.grid].append(duty)
            elif duty.unit is not None:
                self._of_unit[duty.unit].append(duty)
            elif duty.department is not None:
                self._of_department[duty.department].append(duty)
        self._leaves: dict[uuid.UUID, list[Away]] = defaultdict(list)
        for leave in leaves:
            self._leaves[leave.person].append(leave)
        self._departments = list(departments)
        self._emergencies = list(emergencies)

    def is_emergency(self, unit: str, at: float) -> bool:
        """Whether a unit, or one above it, is in emergency at a moment."""
        return any(
            unit.startswith(each.area) and each.since <= at < each.until
            for each in self._emergencies
        )

    def concerned(self, unit: str, matter: str | None, at: float) -> list[Department]:
        """Departments that a matter in a unit belongs to, those that lead first."""
        found = [
            each
            for each in self._departments
            if matter in each.matters and unit.startswith(each.area)
            and each.since <= at < each.until
        ]  # fmt: skip
        found.sort(key=lambda each: (not each.matters[matter or ""], -len(each.area), each.id))
        return found

    def answering(
        self,
        *,
        grid: int | None,
        unit: str,
        at: float,
        exclusive: int | None = None,
        micro: int | None = None,
        matter: str | None = None,
    ) -> list[Named]:
        """Who answers for a place, the first to be called first.

        Parameters
        ----------
        grid, exclusive, micro
            The base grid, the exclusive grid and the micro grid that the place lies in.
        unit
            Code of the village or community, 12 digits, or of the unit that is known.
        at
            Seconds since 1970.
        matter
            Category of the incident.
        """
        mode = "emergency" if self.is_emergency(unit, at) else "normal"
        ranked = []
        for standing, duty in self._candidates((exclusive, grid, micro), unit, matter, at):
            if not duty.since <= at < duty.until or duty.mode not in ("any", mode):
                continue
            leave = self._leave(duty.person, at)
            if leave is None:
                rank = 1 if duty.is_primary else RANKS.get(duty.role, 4)
                ranked.append((standing, rank, duty, duty.person, _reason(duty, standing)))
            elif leave.deputy is not None and self._leave(leave.deputy, at) is None:
                rank = 2 if duty.is_primary else 4
                ranked.append((standing, rank, duty, leave.deputy, "deputy_during_leave"))
        # Whoever would be named twice is named where it comes first.
        ranked.sort(key=lambda each: (each[0], each[1], each[2].id))
        first: dict[uuid.UUID, tuple[_Standing, int, Duty, uuid.UUID, str]] = {}
        for each in ranked:
            first.setdefault(each[3], each)
        names = self.names
        return [
            Named(
                duty.id, person, names.get(person, ""), duty.role, duty.is_primary, reason,
                duty.grid, duty.unit, duty.department,
            )
            for _, _, duty, person, reason in sorted(
                first.values(),
                key=lambda each: (each[0], each[1], names.get(each[3], ""), each[2].id),
            )
        ]  # fmt: skip

    def steady(
        self,
        *,
        grid: int | None,
        unit: str,
        at: float,
        exclusive: int | None = None,
        micro: int | None = None,
        matter: str | None = None,
    ) -> tuple[float, float]:
        """A time around a moment, from the first on and before the second, of one answer.

        Nothing that the answer is made of begins or ends in it; it may be shorter than need be.
        """
        duties = [duty for _, duty in self._candidates((exclusive, grid, micro), unit, matter, at)]
        people = {duty.person for duty in duties}
        away = [leave for each in people for leave in self._leaves.get(each, ())]
        deputies = {each.deputy for each in away if each.deputy is not None}
        away += [leave for each in deputies for leave in self._leaves.get(each, ())]
        spans: list[Duty | Away | Emergency | Department] = [*duties, *away]
        spans += [each for each in self._emergencies if unit.startswith(each.area)]
        spans += [each for each in self._departments if matter in each.matters]
        since, until = -math.inf, math.inf
        for span in spans:
            for edge in (span.since, span.until):
                if edge <= at:
                    since = max(since, edge)
                else:
                    until = min(until, edge)
        return since, until

    def considered(
        self,
        *,
        grid: int | None,
        unit: str,
        at: float,
        exclusive: int | None = None,
        micro: int | None = None,
        matter: str | None = None,
    ) -> list[Considered]:
        """Everybody who could have been called for a place, and why they were or were not."""
        mode = "emergency" if self.is_emergency(unit, at) else "normal"
        called = self.answering(
            grid=grid, unit=unit, at=at, exclusive=exclusive, micro=micro, matter=matter
        )
        by_assignment = {(each.assignment, each.person) for each in called}
        found = []
        candidates = sorted(
            self._candidates((exclusive, grid, micro), unit, matter, at),
            key=lambda c: (c[0], c[1].id),
        )
        for _, duty in candidates:
            leave = self._leave(duty.person, at)
            verdict: Verdict = "answers"
            if at < duty.since:
                verdict = "not_yet"
            elif at >= duty.until:
                verdict = "ended"
            elif duty.mode not in ("any", mode):
                verdict = "other_mode"
            elif leave is not None:
                verdict = "on_leave"
            elif (duty.id, duty.person) not in by_assignment:
                verdict = "named_already"
            found.append(self._considered(duty, duty.person, verdict))
            if verdict == "on_leave" and leave is not None and leave.deputy is not None:
                other: Verdict = "stands_in"
                if self._leave(leave.deputy, at) is not None:
                    other = "deputy_on_leave"
                elif (duty.id, leave.deputy) not in by_assignment:
                    other = "named_already"
                found.append(self._considered(duty, leave.deputy, other))
        return found

    def _considered(self, duty: Duty, person: uuid.UUID, verdict: Verdict) -> Considered:
        return Considered(duty.id, person, self.names.get(person, ""), duty.role, verdict)

    def _candidates(
        self, grids: Sequence[int | None], unit: str, matter: str | None, at: float
    ) -> Iterator[tuple[_Standing, Duty]]:
        """Duties for a place at any time, with where they stand in the list."""
        for place, grid in enumerate(grids):
            if grid is not None and grid not in grids[:place]:
                for duty in self._of_grid.get(grid, ()):
                    yield _OF_GRIDS[place], duty
        for code in dict.fromkeys((unit, unit[:9], unit[:6])):
            for duty in self._of_unit.get(code, ()):
                if duty.role == "unit_head":
                    yield (3, -len(code), 0), duty
                else:
                    yield (4, -(duty.link_level or 0), -len(code)), duty
        group = 0 if matter in self._by_matter else 5
        for department in self.concerned(unit, matter, at):
            joins = 0 if department.matters[matter or ""] else 1
            for duty in self._of_department.get(department.id, ()):
                yield (group, joins, -len(department.area)), duty

    def _leave(self, person: uuid.UUID, at: float) -> Away | None:
        for leave in self._leaves.get(person, ()):
            if leave.since <= at < leave.until:
                return leave
        return None


def _reason(duty: Duty, standing: _Standing) -> str:
    if standing == _IN_MICRO:
        return "micro_grid"
    if duty.is_primary:
        return "primary_worker"
    if duty.role == "grid_worker":
        return "team_worker"
    if duty.role == "officer" and standing[1] == 1:
        return "joint_officer"
    return duty.role
