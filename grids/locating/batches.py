"""Many places at once, from a snapshot: columns in, groups of alike answers out.

Points are looked up edition by edition, not one by one; who answers is asked once for each grid and
time without change. Places outside of all grids, and whether they lie across the national border,
need what no snapshot holds, so a transaction of the caller's comes along. Without a snapshot each
place is asked of the database (``from_database``): the same answers, a thousand times slower.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from boundaries.access import EVERYWHERE
from boundaries.border import border_lines
from gis import audit
from gis.audit.entries import KEPT_IDS
from gis.database import execute
from grids.incidents.responsibility import (
    ASK_BACK_BELOW,
    NEAREST_WITHIN_M,
    Nearest,
    answer,
    is_on_duty,
)
from grids.locating.snapshot import DEGREE_M, ON_BORDER_M, SIGMAS, Team

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from sqlalchemy.orm import Session

    from boundaries.access import Scope
    from boundaries.border import Across
    from boundaries.models import Edition
    from grids.locating.facts import EditionFacts, GridFacts
    from grids.locating.snapshot import Compiled, Snapshot
    from grids.models import GridShape
    from grids.people.answering import Responsible

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

MOST_POINTS: Final = 100_000
MOST_NEAREST: Final = 10_000
"""Points of a request that also asks for the nearest grid of those outside."""
MOST_FROM_DATABASE: Final = 1_000


@dataclass(frozen=True, slots=True)
class Points:
    """Places in WGS 84 degrees; arrays of one length.

    Attributes
    ----------
    at
        Seconds since 1970.
    accuracy_m
        68 % radius of each position's error; NaN where it is not known.
    """

    lon: Floats
    lat: Floats
    at: Floats
    accuracy_m: Floats

    def __len__(self) -> int:
        """How many."""
        return len(self.lon)


@dataclass(frozen=True, slots=True)
class Group:
    """What is the same for many points: why, the grid, and who answers for it."""

    reason: str
    grid: GridFacts | GridShape | None = None
    edition: EditionFacts | Edition | None = None
    responsible: Sequence[Responsible] = ()
    exclusive: GridFacts | GridShape | None = None


class Outside(NamedTuple):
    """What is told of a point outside: the nearest grid, or the border that it lies across."""

    nearest: Nearest | None = None
    across: Across | None = None


@dataclass(frozen=True, slots=True)
class Answers:
    """Answers to as many points: which group each is of, and what is its own.

    Attributes
    ----------
    distance_to_border_m, confidence
        NaN where there is none.
    outside
        By the number of the point, only where there is something to tell.
    """

    groups: list[Group]
    group: Ints
    distance_to_border_m: Floats
    confidence: Floats
    outside: dict[int, Outside] = field(default_factory=dict)

    def __len__(self) -> int:
        """How many."""
        return len(self.group)

    @property
    def ask_back(self) -> NDArray[np.bool_]:
        """Whether each position is too vague to send one worker without asking."""
        found: NDArray[np.bool_] = self.confidence < ASK_BACK_BELOW  # NaN is not
        return found


def locate(
    session: Session | None,
    snapshot: Snapshot,
    points: Points,
    *,
    scope: Scope = EVERYWHERE,
    matter: str | None = None,
    nearest: bool = False,
) -> Answers:
    """Which grid each place belongs to at its moment, and who answers for it.

    Parameters
    ----------
    session
        The caller's transaction, for places outside of all grids; where there is none, these are of
        no group (``outside`` numbers them).
    nearest
        Also the nearest grid of those outside.
    """
    asked = _Asked(snapshot, points, scope, matter)
    base, exclusive, micro = (
        _Hits.of(snapshot, kind, points) for kind in ("base", "exclusive", "micro")
    )
    if scope != EVERYWHERE:
        for number, row in base.firsts():
            if not scope.covers(base.grid(row).unit_code):
                base.drop(number)
    inside = np.flatnonzero(base.edition >= 0)
    outside = np.flatnonzero(base.edition < 0)
    groups, group = _people(asked, base, exclusive, micro, inside)
    border_m = np.full(len(points), np.nan)
    confidence = np.full(len(points), np.nan)
    for compiled, rows in base.by_edition(inside):
        locator, where = compiled.locator, base.position[rows]
        border_m[rows] = locator.border_distances_m(points.lon[rows], points.lat[rows], where)
        is_vague = ~np.isnan(points.accuracy_m[rows])
        vague = rows[is_vague]
        confidence[vague] = locator.own_shares(
            points.lon[vague], points.lat[vague], points.accuracy_m[vague], where[is_vague]
        )
    _mark_borders(groups, group, border_m)
    found = Answers(groups, group, border_m, confidence)
    if outside.size and session is not None:
        _tell_outside(session, asked, found, outside)
        if nearest:
            _tell_nearest(asked, found, outside)
    return found


def outside(answers: Answers) -> list[int]:
    """Numbers of places, from 0, of which no group says what they are."""
    found: list[int] = np.flatnonzero(answers.group < 0).tolist()
    return found


def from_database(
    session: Session,
    points: Points,
    *,
    scope: Scope = EVERYWHERE,
    matter: str | None = None,
    nearest: bool = False,
) -> Answers:
    """The same as ``locate``, each place asked of the database."""
    groups, outside = [], {}
    border_m = np.full(len(points), np.nan)
    confidence = np.full(len(points), np.nan)
    for row in range(len(points)):
        accuracy = float(points.accuracy_m[row])
        found = answer(
            session,
            float(points.lon[row]),
            float(points.lat[row]),
            at=datetime.fromtimestamp(float(points.at[row]), UTC),
            accuracy_m=None if math.isnan(accuracy) else accuracy,
            scope=scope,
            matter=matter,
        )
        groups.append(
            Group(found.reason, found.grid, found.edition, found.responsible, found.exclusive)
        )
        if found.distance_to_border_m is not None:
            border_m[row] = found.distance_to_border_m
        if found.confidence is not None:
            confidence[row] = found.confidence
        told = Outside(found.nearest if nearest else None, found.across)
        if any(told):
            outside[row] = told
    return Answers(groups, np.arange(len(points)), border_m, confidence, outside)


def tell(session: Session, answers: Answers, *, first: bool) -> None:
    """Enter in the audit log whom the answers name; of each group all, or only the first."""
    seen: dict[tuple[Any, str], None] = {}
    for each in answers.groups:
        for person in each.responsible[:1] if first else each.responsible:
            if each.grid is not None:
                seen[person.person_id, each.grid.unit_code] = None
    named = list(seen)
    for start in range(0, len(named), KEPT_IDS):
        audit.read(
            session,
            object_kind="person",
            fields=("name", "role"),
            seen=named[start : start + KEPT_IDS],
            asked=len(answers),
        )


class _Asked(NamedTuple):
    """A batch, and who asks."""

    snapshot: Snapshot
    points: Points
    scope: Scope
    matter: str | None


class _Hits:
    """The grid of one kind that each point lies in: number of its edition, and position there."""

    def __init__(self, snapshot: Snapshot, count: int) -> None:
        self.compiled = snapshot.compiled
        self.edition: Ints = np.full(count, -1, dtype=np.int64)
        self.position: Ints = np.zeros(count, dtype=np.int64)
        sizes = [len(each.grids) for each in self.compiled]
        self._offset = np.concatenate([[0], np.cumsum(sizes)]).astype(np.int64)

    @classmethod
    def of(cls, snapshot: Snapshot, kind: str, points: Points) -> _Hits:
        found = cls(snapshot, len(points))
        numbers = {each.edition.id: number for number, each in enumerate(snapshot.compiled)}
        for each, at in _in_force(snapshot, kind, points):
            number = numbers[each.edition.id]
            west, south, east, north = each.bounds
            lon, lat = points.lon[at], points.lat[at]
            rows = at[(lon >= west) & (lon <= east) & (lat >= south) & (lat <= north)]
            if rows.size:
                where = each.locator.locate(points.lon[rows], points.lat[rows])
                found.take(number, rows[where >= 0], where[where >= 0])
        return found

    def take(self, number: int, rows: Ints, where: Ints) -> None:
        # On the line between two editions the lowest code answers, as within one.
        for k in np.flatnonzero(self.edition[rows] >= 0):
            row = rows[k]
            if self.grid(row).code <= self.compiled[number].grids[where[k]].code:
                where[k] = -1
        rows, where = rows[where >= 0], where[where >= 0]
        self.edition[rows], self.position[rows] = number, where

    @property
    def number(self) -> Ints:
        """A number of the grid of each point, the same in no other edition; -1 for none."""
        found: Ints = np.where(self.edition >= 0, self._offset[self.edition] + self.position, -1)
        return found

    def firsts(self) -> Iterator[tuple[int, int]]:
        """Each grid's number, and one of its points."""
        numbers, rows = np.unique(self.number, return_index=True)
        yield from ((n, row) for n, row in zip(numbers.tolist(), rows.tolist(), strict=True)
                    if n >= 0)  # fmt: skip

    def drop(self, number: int) -> None:
        """Take a grid for none."""
        self.edition[self.number == number] = -1

    def grid(self, row: int) -> GridFacts:
        return self.compiled[self.edition[row]].grids[self.position[row]]

    def by_edition(self, rows: Ints) -> Iterator[tuple[Compiled, Ints]]:
        for number in np.unique(self.edition[rows]):
            yield self.compiled[number], rows[self.edition[rows] == number]


def _in_force(snapshot: Snapshot, kind: str, points: Points) -> Iterator[tuple[Compiled, Ints]]:
    """Editions of a kind that are in force at the moments of some points, and which these are."""
    for series in snapshot.series:
        if series.kind != kind:
            continue
        place = np.searchsorted(np.array(series.sinces), points.at, side="right") - 1
        place[points.at >= np.array(series.untils)[place]] = -1
        order = np.argsort(place, kind="stable")
        starts = np.searchsorted(place[order], np.arange(len(series.compiled) + 1))
        for each, start, end in zip(series.compiled, starts[:-1], starts[1:], strict=True):
            if end > start:
                yield each, order[start:end]


def _people(
    asked: _Asked, base: _Hits, exclusive: _Hits, micro: _Hits, inside: Ints
) -> tuple[list[Group], Ints]:
    """Groups of points of one grid of each kind and one time without change."""
    snapshot, points, _, matter = asked
    groups: list[Group] = []
    group = np.full(len(points), -1, dtype=np.int64)
    numbers = [each.number[inside] for each in (base, exclusive, micro)]
    _, place = np.unique(np.stack(numbers), axis=1, return_inverse=True)
    place = place.reshape(-1)
    by_place = np.lexsort((points.at[inside], place))
    order, places = inside[by_place], place[by_place]
    at = points.at[order]
    team, start = Team(snapshot, matter), 0
    while start < len(order):
        row = int(order[start])
        end = start + int(np.searchsorted(places[start:], places[start], side="right"))
        grid = base.grid(row)
        over, within = (
            each.grid(row) if each.edition[row] >= 0 else None for each in (exclusive, micro)
        )
        until, people = team.of(grid, over, within, float(at[start]))
        end = start + int(np.searchsorted(at[start:end], until, side="left"))
        is_manned = is_on_duty(people, grid, over)
        edition = base.compiled[base.edition[row]].edition
        group[order[start:end]] = len(groups)
        groups.append(Group("in_grid" if is_manned else "nobody", grid, edition, people, over))
        start = end
    return groups, group


def _mark_borders(groups: list[Group], group: Ints, border_m: Floats) -> None:
    """Put points on a border in groups that say so."""
    on_border = np.flatnonzero(border_m <= ON_BORDER_M)
    border_m[on_border] = 0.0
    marked: dict[int, int] = {}
    for row in on_border.tolist():
        old = int(group[row])
        told = groups[old]
        if told.reason == "in_grid":
            if old not in marked:
                marked[old] = len(groups)
                groups.append(
                    Group("on_border", told.grid, told.edition, told.responsible, told.exclusive)
                )
            group[row] = marked[old]


_UNITS: Final = """
SELECT p.n - 1 AS n, count(u.code) > 0 AS is_known,
    coalesce(bool_or(EXISTS (
        SELECT FROM unnest(CAST(:low AS text[]), CAST(:high AS text[])) AS r (low, high)
        WHERE u.code >= r.low COLLATE "C" AND u.code < r.high COLLATE "C"
    )), false) AS is_own
FROM unnest(CAST(:lon AS float8[]), CAST(:lat AS float8[]), CAST(:at AS float8[]))
    WITH ORDINALITY AS p (lon, lat, at, n)
LEFT JOIN admin_units AS u
    ON u.geom && ST_SetSRID(ST_MakePoint(p.lon, p.lat), 4326)
    AND ST_Covers(u.geom, ST_SetSRID(ST_MakePoint(p.lon, p.lat), 4326))
    AND u.valid @> to_timestamp(p.at)
GROUP BY p.n
"""


def _tell_outside(session: Session, asked: _Asked, answers: Answers, rows: Ints) -> None:
    """Why there is no grid: across the border, none there, none at that time, or not to be told."""
    snapshot, points, scope, _ = asked
    lines = border_lines(session)
    is_known = np.zeros(len(rows), dtype=bool)
    is_own = np.full(len(rows), scope == EVERYWHERE)
    if lines or scope != EVERYWHERE:
        ranges = scope.ranges()
        found = execute(
            session,
            _UNITS,
            low=[low for low, _ in ranges],
            high=[high for _, high in ranges],
            lon=points.lon[rows].tolist(),
            lat=points.lat[rows].tolist(),
            at=points.at[rows].tolist(),
        )
        for each in found:
            is_known[each.n] = each.is_known
            is_own[each.n] |= each.is_own
    spans = [
        (each.edition.since, each.edition.until)
        for each in snapshot.compiled
        if each.edition.kind == "base" and _is_around(each.edition.area_code, scope)
    ]
    numbers: dict[str, int] = {}
    for row, known, own in zip(rows.tolist(), is_known, is_own, strict=True):
        lon, lat, at = float(points.lon[row]), float(points.lat[row]), float(points.at[row])
        across = lines.across(lon, lat) if lines and not known else None
        if across is not None:
            reason = "across_border"
            answers.outside[row] = Outside(across=across)
        elif not own:
            reason = "outside_area"
        elif any(since <= at < until for since, until in spans):
            reason = "outside"
        else:
            reason = "no_edition"
        if reason not in numbers:
            numbers[reason] = len(answers.groups)
            answers.groups.append(Group(reason))
        answers.group[row] = numbers[reason]
    _doubt_outside(asked, answers, rows[~np.isnan(points.accuracy_m[rows])])


def _is_around(area: str, scope: Scope) -> bool:
    """Whether an edition's area lies in a scope, or the scope in it."""
    return any(area.startswith(own) or own.startswith(area) for own in (scope.area, *scope.also))


def _doubt_outside(asked: _Asked, answers: Answers, rows: Ints) -> None:
    """How sure it is that a place is outside: what no grid that the caller sees has a share of."""
    snapshot, points, scope, _ = asked
    answers.confidence[rows] = 1.0
    for each, seen in _seen(snapshot, scope):
        edition, (west, south, east, north) = each.edition, each.bounds
        lon, lat, at = points.lon[rows], points.lat[rows], points.at[rows]
        high = points.accuracy_m[rows] * SIGMAS / DEGREE_M
        wide = high / np.maximum(np.cos(np.radians(np.minimum(np.abs(lat) + high, 89.9))), 0.01)
        near = rows[
            (at >= edition.since) & (at < edition.until)
            & (lon >= west - wide) & (lon <= east + wide)
            & (lat >= south - high) & (lat <= north + high)
        ]  # fmt: skip
        answers.confidence[near] -= each.locator.share_among(
            points.lon[near], points.lat[near], points.accuracy_m[near], seen
        )


def _seen(snapshot: Snapshot, scope: Scope) -> Iterator[tuple[Compiled, NDArray[np.bool_]]]:
    """Base editions of which the caller sees grids, and which of their positions."""
    for each in snapshot.compiled:
        if each.edition.kind != "base":
            continue
        units, place = np.unique(each.grids.unit_codes, return_inverse=True)
        covered = [scope.covers(unit.decode()) for unit in units.tolist()]
        seen = np.array(covered, dtype=bool)[place.reshape(-1)]
        if seen.any():
            yield each, seen


def _tell_nearest(asked: _Asked, answers: Answers, rows: Ints) -> None:
    """The nearest grid that the caller sees, within 500 km."""
    snapshot, points, scope, _ = asked
    best_m = np.full(len(rows), np.inf)
    best: list[GridFacts | None] = [None] * len(rows)
    for each, seen in _seen(snapshot, scope):
        edition, at = each.edition, points.at[rows]
        open_ = np.flatnonzero((at >= edition.since) & (at < edition.until))
        open_ = open_[_box_m(each.bounds, points, rows[open_]) <= best_m[open_] + 1]
        where, away = each.locator.nearest_among(
            points.lon[rows[open_]], points.lat[rows[open_]], seen
        )
        for k, position, distance_m in zip(
            open_.tolist(), where.tolist(), away.tolist(), strict=True
        ):
            grid = each.grids[position]
            known = best[k]
            if round(distance_m, 3) < round(best_m[k], 3) or (
                known is not None and round(distance_m, 3) == round(best_m[k], 3)
                and grid.code < known.code
            ):  # fmt: skip
                best[k], best_m[k] = grid, distance_m
    for k, row in enumerate(rows.tolist()):
        grid = best[k]
        if grid is not None and best_m[k] <= NEAREST_WITHIN_M:
            told = Nearest(
                grid.grid_id, grid.code, grid.name, grid.unit_code, round(float(best_m[k]), 3)
            )
            answers.outside[row] = answers.outside.get(row, Outside())._replace(nearest=told)


def _box_m(bounds: tuple[float, float, float, float], points: Points, rows: Ints) -> Floats:
    """Metres that a box is away from points at the least."""
    west, south, east, north = bounds
    lon, lat = points.lon[rows], points.lat[rows]
    up = np.maximum(np.maximum(south - lat, lat - north), 0)
    furthest = np.radians(np.minimum(np.maximum(np.abs(lat), max(abs(south), abs(north))), 90))
    aside = np.maximum(np.maximum(west - lon, lon - east), 0) * np.cos(furthest)
    found: Floats = np.hypot(aside, up) * DEGREE_M * 0.99
    return found
