"""All that ``GET /locate`` asks of a database, in memory: an answer for any moment.

Grids are compiled (`gis.locator`), one file for an edition, mapped by every process; what is shown
of them, units and the roster are read into memory. Nothing in a snapshot changes: a newer one takes
its place. What it cannot answer it says so by None, and the database is asked.
"""

from __future__ import annotations

import math
from bisect import bisect_right
from typing import TYPE_CHECKING, Final, NamedTuple

from boundaries.access import EVERYWHERE
from boundaries.service import ancestors
from grids.incidents.responsibility import Answer, Candidate, is_on_duty
from grids.people.answering import Duties, Responsible

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence
    from datetime import datetime

    from boundaries.access import Scope
    from gis.locator import Locator
    from grids.locating.facts import EditionFacts, GridFacts, UnitFacts
    from grids.locating.table import GridTable
    from grids.people.roster import Roster

TILE_DEG: Final = 0.1
ON_BORDER_M: Final = 1e-6
"""Nearer than a micrometre is on the border: less than the coordinates can tell."""
LEVELS: Final = 5
DEGREE_M: Final = 110_574.0
SIGMAS: Final = 5.0 / 1.5096
"""How far shares are looked for, in radii of 68 %."""


class Compiled(NamedTuple):
    """An edition's grids: the index, and what is shown of the grid at each of its positions."""

    edition: EditionFacts
    locator: Locator
    grids: GridTable
    bounds: tuple[float, float, float, float]


class Hit(NamedTuple):
    """The grid that answers for a point in one edition."""

    compiled: Compiled
    position: int

    @property
    def grid(self) -> GridFacts:
        """The grid."""
        return self.compiled.grids[self.position]


class Series:
    """Editions of one area and kind, one after the other: at most one is in force at a moment."""

    def __init__(self, compiled: Iterable[Compiled]) -> None:
        self.compiled = sorted(compiled, key=lambda each: each.edition.since)
        self.kind = self.compiled[0].edition.kind
        self.sinces = [each.edition.since for each in self.compiled]
        self.untils = [each.edition.until for each in self.compiled]

    def at(self, seconds: float) -> Compiled | None:
        """The edition in force at a moment, from its first second to before its last."""
        place = bisect_right(self.sinces, seconds) - 1
        return self.compiled[place] if place >= 0 and seconds < self.untils[place] else None


class Snapshot:
    """Editions of all time, their units, and the roster.

    Parameters
    ----------
    compiled
        Every published edition, in any order.
    units
        Units by code, each of all its times.
    """

    def __init__(
        self,
        compiled: Iterable[Compiled],
        units: Mapping[str, Sequence[UnitFacts]],
        roster: Roster,
    ) -> None:
        self.compiled = sorted(compiled, key=lambda each: each.edition.id)
        self.units, self.roster = units, roster
        areas: dict[tuple[str, str], list[Compiled]] = {}
        for each in self.compiled:
            areas.setdefault((each.edition.area_code, each.edition.kind), []).append(each)
        self.series = [Series(each) for _, each in sorted(areas.items())]
        self._tiles: dict[tuple[int, int], list[Series]] = {}
        for series in self.series:
            for tile in {tile for each in series.compiled for tile in _tiles_of(each.bounds)}:
                self._tiles.setdefault(tile, []).append(series)
        self._chains: dict[str, tuple[float, float, tuple[UnitFacts, ...] | None]] = {}

    def find(self, lon: float, lat: float, at: float) -> dict[str, Hit]:
        """The grid of each kind that a point lies in at a moment, by kind of edition.

        Parameters
        ----------
        at
            Seconds since 1970.
        """
        found: dict[str, Hit] = {}
        for series in self._tiles.get((_tile(lon), _tile(lat)), ()):
            each = series.at(at)
            if each is None:
                continue
            position = each.locator.locate_one(lon, lat)
            if position < 0:
                continue
            kind = series.kind
            # On the line between two editions the lowest code answers, as within one.
            if kind not in found or each.grids[position].code < found[kind].grid.code:
                found[kind] = Hit(each, position)
        return found

    def answer(
        self,
        lon: float,
        lat: float,
        *,
        at: datetime,
        accuracy_m: float | None = None,
        scope: Scope = EVERYWHERE,
        matter: str | None = None,
        explain: bool = False,
    ) -> Answer | None:
        """What `grids.incidents.responsibility.answer` says; None where that has to be asked.

        It is asked of places outside every grid and outside the caller's area, and where a unit of
        the grid is not known by its code.
        """
        seconds = at.timestamp()
        hits = self.find(lon, lat, seconds)
        if "base" not in hits:
            return None
        hit = hits["base"]
        grid = hit.grid
        units = self.chain(grid.unit_code, seconds)
        if units is None or not scope.covers(grid.unit_code):
            return None
        micro, exclusive = (
            hits[kind].grid if kind in hits else None for kind in ("micro", "exclusive")
        )
        people = self.people(grid, exclusive, micro, seconds, matter)
        border = hit.compiled.locator.border_distance(lon, lat)
        border_m = border.distance_m if border is not None else None
        is_on_border = border_m is not None and border_m <= ON_BORDER_M
        is_manned = is_on_duty(people, grid, exclusive)
        candidates: tuple[Candidate, ...] = ()
        if accuracy_m:
            candidates = self.candidates(lon, lat, seconds, accuracy_m, scope)
        duties = None
        if explain:
            asked = {
                "grid": grid.grid_id,
                "exclusive": exclusive.grid_id if exclusive else None,
                "micro": micro.grid_id if micro else None,
            }
            duties = Duties(
                self.roster.is_emergency(grid.unit_code, seconds),
                self.roster.considered(unit=grid.unit_code, at=seconds, matter=matter, **asked),
            )
        return Answer(
            lon=lon,
            lat=lat,
            at=at,
            reason=("on_border" if is_on_border else "in_grid") if is_manned else "nobody",
            grid=grid,
            edition=hit.compiled.edition,
            units=units,
            responsible=people,
            distance_to_border_m=0.0 if is_on_border else border_m,
            confidence=_share(candidates, grid.grid_id) if accuracy_m else None,
            candidates=candidates,
            micro=micro,
            exclusive=exclusive,
            departments=self.roster.concerned(grid.unit_code, matter, seconds) if matter else (),
            duties=duties,
        )

    def people(
        self,
        grid: GridFacts,
        exclusive: GridFacts | None,
        micro: GridFacts | None,
        at: float,
        matter: str | None,
    ) -> list[Responsible]:
        """Who answers for a grid, its units and a matter, the first to be called first."""
        named = self.roster.answering(
            grid=grid.grid_id,
            unit=grid.unit_code,
            at=at,
            exclusive=exclusive.grid_id if exclusive else None,
            micro=micro.grid_id if micro else None,
            matter=matter,
        )
        return [
            Responsible(
                each.person, each.assignment, each.name, each.role, each.is_primary, each.reason,
                each.grid, each.unit, each.department,
            )
            for each in named
        ]  # fmt: skip

    def candidates(
        self, lon: float, lat: float, at: float, accuracy_m: float, scope: Scope = EVERYWHERE
    ) -> tuple[Candidate, ...]:
        """Each base grid's share of a doubtful point, the largest first."""
        reach_m = accuracy_m * SIGMAS
        high = reach_m / DEGREE_M
        wide = high / max(math.cos(math.radians(min(abs(lat) + high, 89.9))), 0.01)
        found = []
        for series in self.series:
            each = series.at(at) if series.kind == "base" else None
            if each is None:
                continue
            west, south, east, north = each.bounds
            if not (west - wide <= lon <= east + wide and south - high <= lat <= north + high):
                continue
            shares = each.locator.share(lon, lat, accuracy_m)
            for position, share in zip(
                shares.positions.tolist(), shares.shares.tolist(), strict=True
            ):
                grid = each.grids[position]
                if scope.covers(grid.unit_code):
                    found.append(Candidate(grid.grid_id, grid.code, share, grid.name))
        return tuple(sorted(found, key=lambda each: (-each.share, each.code)))

    def chain(self, unit: str, at: float) -> tuple[UnitFacts, ...] | None:
        """Units from province down to one; None where one of them is not known at that moment."""
        known = self._chains.get(unit)
        if known is not None and known[0] <= at < known[1]:
            return known[2]
        since, until, found = -math.inf, math.inf, []
        for code in ancestors(unit):
            for each in self.units.get(code, ()):
                if each.since <= at < each.until:
                    since, until = max(since, each.since), min(until, each.until)
                    found.append(each)
                    break
            else:
                return None
        chain = tuple(found) if len(found) == LEVELS else None
        self._chains[unit] = (since, until, chain)
        return chain


class Team:
    """Who answers for grids, asked once for each and each time without change.

    A grid keeps its people from edition to edition, so that many editions ask no more often.
    """

    def __init__(self, snapshot: Snapshot, matter: str | None) -> None:
        self._snapshot, self._matter = snapshot, matter
        self._known: dict[
            tuple[int, str, int | None, int | None], list[tuple[float, float, list[Responsible]]]
        ] = {}

    def of(
        self, grid: GridFacts, over: GridFacts | None, within: GridFacts | None, at: float
    ) -> tuple[float, list[Responsible]]:
        """Until when, and who, at a moment."""
        exclusive, micro = (each.grid_id if each else None for each in (over, within))
        spans = self._known.setdefault((grid.grid_id, grid.unit_code, exclusive, micro), [])
        for since, until, people in spans:
            if since <= at < until:
                return until, people
        since, until = self._snapshot.roster.steady(
            grid=grid.grid_id, unit=grid.unit_code, at=at, exclusive=exclusive, micro=micro,
            matter=self._matter,
        )  # fmt: skip
        people = self._snapshot.people(grid, over, within, at, self._matter)
        spans.append((since, until, people))
        return until, people


def _share(candidates: Sequence[Candidate], grid: int) -> float:
    return next((each.share for each in candidates if each.grid_id == grid), 0.0)


def _tiles_of(bounds: tuple[float, float, float, float]) -> Iterator[tuple[int, int]]:
    west, south, east, north = bounds
    for column in range(_tile(west), _tile(east) + 1):
        for row in range(_tile(south), _tile(north) + 1):
            yield column, row


def _tile(degrees: float) -> int:
    return math.floor(degrees / TILE_DEG)
