"""Which incidents, on which grids, of which weeks: what every question about hot spots begins with.

Weeks begin on Monday, local time. A map of the past counts incidents by when they happened, the
attention list and its back-test by when they were reported.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, time, timedelta
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

import numpy as np
import pandas as pd
import sqlalchemy as sa

from boundaries.access import EVERYWHERE, Scope
from boundaries.errors import UnitNotFound
from boundaries.models import AdminUnit
from boundaries.service import INVENTED_SOURCE
from gis.errors import BadInput, Problem
from gis.wording import counted
from grids.incidents.repository import Filter, categories
from maps.hotspots import repository
from maps.hotspots.checks import Ints, refuse
from maps.hotspots.forecast import MIN_WEEKS
from maps.hotspots.repository import Clock, Events, Ground
from maps.hotspots.texts import Said
from maps.sharing import words_of_future

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sqlalchemy.orm import Session

WEEK = timedelta(days=7)
WEEKS_BY_DEFAULT = 12
MAX_WEEKS = 156
"""Of history that a forecast looks back on: three years."""
FIRST_YEAR, LAST_YEAR = 1900, 2199
SILENCE = timedelta(days=28)
"""Without any report for longer, the list is that of the week after the last one, and says so."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """What a caller wants to know about.

    Attributes
    ----------
    wanted
        Period, categories and scope; an open end is the day after the last report, an open start
        lies 12 weeks before the end. The attention list takes no period.
    unit
        Code of a unit; the whole scope when left out.
    timezone
        Of days and weeks.
    now
        The present moment, for tests.
    """

    wanted: Filter
    unit: str | None = None
    timezone: str = "Asia/Shanghai"
    now: datetime | None = None

    @property
    def zone(self) -> ZoneInfo:
        """As a time zone."""
        return ZoneInfo(self.timezone)

    @property
    def present(self) -> datetime:
        """The present moment."""
        return self.now or datetime.now(UTC)

    @property
    def part(self) -> Scope:
        """The unit as a scope."""
        return Scope(self.unit) if self.unit else EVERYWHERE

    def midnight(self, day: date) -> datetime:
        """When a day begins."""
        return datetime.combine(day, time(), self.zone)


@dataclass(frozen=True, slots=True, eq=False)
class Study:
    """Incidents of a period on the grids in force at its end.

    Attributes
    ----------
    ground, events
        Grids, and incidents by the row of their grid.
    start, end
        The period, the end not included.
    clock
        By which the incidents are counted.
    timezone
        Of days and weeks.
    place, category
        In words; the category is empty for all.
    notes
        What a reader has to know of how it was counted.
    """

    ground: Ground
    events: Events
    start: datetime
    end: datetime
    clock: Clock
    timezone: str
    place: Said
    category: Said
    notes: tuple[Said, ...]

    @property
    def counts(self) -> Ints:
        """Incidents of the whole period per grid."""
        inside = self.events.grid[self.events.grid >= 0]
        return np.bincount(inside, minlength=self.ground.n).astype(np.int64)

    @property
    def outside(self) -> int:
        """Incidents that lie in none of the grids."""
        return int((self.events.grid < 0).sum())

    @property
    def weeks(self) -> int:
        """Whole weeks of the period, counted back from its end by the local clock."""
        return int((_local(self.end, self.timezone) - _local(self.start, self.timezone)) / WEEK)

    def weekly(self) -> Ints:
        """Incidents per grid and whole week, the oldest first, shape (n, weeks)."""
        made = np.zeros((self.ground.n, self.weeks), dtype=np.int64)
        local = (
            pd.to_datetime(self.events.times, unit="s", utc=True)
            .tz_convert(self.timezone)
            .tz_localize(None)
        )
        ago = np.ceil(((_local(self.end, self.timezone) - local) / WEEK).to_numpy(float)) - 1
        inside = (self.events.grid >= 0) & (ago < self.weeks)
        rows, columns = self.events.grid[inside], self.weeks - 1 - ago[inside].astype(np.int64)
        np.add.at(made, (rows, columns), 1)
        return made


def over_period(session: Session, asked: Asked, clock: Clock) -> Study:
    """The incidents of a period on the grids in force at its end.

    Where no edition was in force then, on those in force now.

    Raises
    ------
    BadInput
        There are no grids, a category is not in the dictionary, or the period ends before it
        begins.
    UnitNotFound
        There is no such unit.
    """
    wanted = asked.wanted
    end = wanted.end
    if end is None:
        seen = repository.reported(session, replace(wanted, start=None), asked.part)
        last = seen[1] if seen else asked.present
        end = asked.midnight(last.astimezone(asked.zone).date() + timedelta(days=1))
    refuse([
        Problem(f"the year {moment.year} is out of range", f"Give {FIRST_YEAR} to {LAST_YEAR}",
                field=name)
        for name, moment in (("start", wanted.start), ("end", end))
        if moment is not None and not FIRST_YEAR <= moment.year <= LAST_YEAR
    ])  # fmt: skip
    start = wanted.start or end - WEEKS_BY_DEFAULT * WEEK
    if start >= end:
        raise BadInput(
            Problem("the period ends before it begins", "Give start before end", field="end")
        )
    return _study(session, asked, start, end, clock)


def before_week(session: Session, asked: Asked, week: date | None) -> Study:
    """All that had been reported before a week began, in whole weeks from Monday on.

    Parameters
    ----------
    week
        Any day of the week; the present one when left out. Where nothing has been reported for
        four weeks, it is the week after the last report instead.

    Raises
    ------
    BadInput
        As ``over_period``; the week has not begun, or fewer than 12 weeks were reported before it.
    """
    today = asked.present.astimezone(asked.zone).date()
    seen = repository.reported(
        session, replace(asked.wanted, start=None, end=asked.present), asked.part
    )
    stale = None
    if week is None:
        week = today
        if seen and asked.present - seen[1] > SILENCE:
            stale = seen[1].astimezone(asked.zone).date()
            week = stale + WEEK
    monday = week - timedelta(days=week.weekday())
    if not FIRST_YEAR <= monday.year <= LAST_YEAR or monday > today:
        raise BadInput(
            Problem(
                f"the week of {monday} has not begun, or is out of range",
                "Its list is made of all reports before it: ask for this week or an earlier one",
                field="week",
            )
        )
    first = seen[0].astimezone(asked.zone).date() if seen else monday
    first += timedelta(days=-first.weekday() % 7)  # a week that began before is no whole one
    first = max(first, monday - MAX_WEEKS * WEEK)
    weeks = max(0, (monday - first) // WEEK)
    if weeks < MIN_WEEKS:
        known = f"reports begin on {first}" if seen else "nothing has been reported"
        raise BadInput(
            Problem(
                f"{known}: {weeks} whole weeks before the week of {monday}",
                f"{MIN_WEEKS} are needed; from less nothing can be learnt",
                field="week",
            )
        )
    made = _study(session, asked, asked.midnight(first), asked.midnight(monday), Clock.REPORT)
    if stale is None:
        return made
    said = Said(
        f"{stale}之后没有新上报的事件，清单是此后第一周的。",
        f"Nothing has been reported since {stale}: this is the list of the week after.",
    )
    return replace(made, notes=(said, *made.notes))


def _study(session: Session, asked: Asked, start: datetime, end: datetime, clock: Clock) -> Study:
    named = _categories(session, asked.wanted.categories)
    place = _place(session, asked)
    scope = asked.wanted.scope
    moment = min(end, asked.present)
    on = repository.ground(session, moment - timedelta(microseconds=1), scope, asked.part)
    is_later = not on.n
    if is_later:
        on = repository.ground(session, asked.present, scope, asked.part)
    if not on.n:
        raise BadInput(
            Problem(
                "there are no grids in force here",
                "Publish an edition first, or ask for another unit",
                field="unit" if asked.unit else None,
            )
        )
    found = repository.events(
        session, replace(asked.wanted, start=start, end=end), on, clock, asked.part
    )
    return Study(
        ground=on,
        events=found,
        start=start,
        end=end,
        clock=clock,
        timezone=asked.timezone,
        place=place,
        category=named,
        notes=tuple(_notes(asked, on, found, start=start, is_later=is_later)),
    )


def _notes(
    asked: Asked, on: Ground, found: Events, *, start: datetime, is_later: bool
) -> Sequence[Said]:
    notes = []
    if not len(found.grid):
        notes.append(Said("本时段内无事件。", "No incidents in this period."))
        if start > asked.present:
            zh, en = (words_of_future(start, start, asked.present, each) for each in ("zh", "en"))
            notes.append(Said(zh, en))
    if is_later and on.since:
        notes.append(Said(
            "当时尚无生效的网格版本，按现行版本统计。",
            "No edition was in force then: counted on the grids in force now.",
        ))  # fmt: skip
    elif on.since and on.since > start:
        day = on.since.astimezone(asked.zone).date()
        notes.append(Said(
            f"网格版本于{day}更换，事件按位置归入新网格，其中{found.carried:,}件原属旧版本。",
            f"A new edition of the grids came into force on {day}: incidents are counted where "
            f"their point lies now; given to a grid of another edition when reported: "
            f"{counted(found.carried, 'incident')}.",
        ))  # fmt: skip
    outside = int((found.grid < 0).sum())
    if outside:
        notes.append(Said(
            f"{outside:,}件不在任何网格内，未计入。",
            f"Not counted, for it lies outside all grids: {counted(outside, 'incident')}.",
        ))  # fmt: skip
    if found.without_place:
        notes.append(Said(
            f"{found.without_place:,}件没有位置，未计入。",
            f"Not counted, for want of a place: {counted(found.without_place, 'incident')}.",
        ))  # fmt: skip
    if found.without_event_time:
        notes.append(Said(
            f"{found.without_event_time:,}件不知发生时间，按上报时间计。",
            "Counted by the time of the report, for it is not known when it happened: "
            f"{counted(found.without_event_time, 'incident')}.",
        ))  # fmt: skip
    islands = len(on.neighbours.islands)
    if islands:
        notes.append(Said(
            f"{islands:,}个网格没有相邻网格，只与自身比较。",
            f"Touching no other grid, and so judged by itself: {counted(islands, 'grid')}.",
        ))  # fmt: skip
    if on.exposure is None:
        notes.append(Said(
            "没有户数资料：某网格事件多，可能只是住户多。",
            "No households are known: a grid may stand out only because many people live there.",
        ))  # fmt: skip
    else:
        unknown = int((on.households <= 0).sum())
        if unknown:
            notes.append(Said(
                f"{unknown:,}个网格户数为0或不详，不参与按户检验。",
                "Not tested by rates per household, for there are none or none known: "
                f"{counted(unknown, 'grid')}.",
            ))  # fmt: skip
    return notes


def _categories(session: Session, codes: Sequence[str]) -> Said:
    names = {each.code: each for each in categories(session)}
    unknown = [code for code in codes if code not in names]
    if unknown:
        raise BadInput(
            Problem(
                f"unknown category '{unknown[0]}'",
                f"One of: {', '.join(sorted(names))}",
                field="category",
            )
        )
    return Said(
        "、".join(names[code].name_zh for code in codes),
        ", ".join(names[code].name_en for code in codes),
    )


def _place(session: Session, asked: Asked) -> Said:
    """The unit asked for, else the counties that are seen."""
    condition: sa.ColumnElement[bool] = AdminUnit.level == 6
    if asked.unit:
        condition = AdminUnit.code == asked.unit
    elif asked.wanted.scope != EVERYWHERE:
        areas = (asked.wanted.scope.area, *asked.wanted.scope.also)
        condition = AdminUnit.code.in_([code for code in areas if code])
    rows: Sequence[Any] = session.execute(
        sa.select(AdminUnit.name, AdminUnit.name_en, AdminUnit.source)
        .where(condition, AdminUnit.valid.contains(asked.present))
        .order_by(AdminUnit.code)
        .limit(3)
    ).all()
    if asked.unit and not rows:
        raise UnitNotFound(f"there is no unit {asked.unit}")
    invented = any(row.source == INVENTED_SOURCE for row in rows)
    return Said(
        "、".join(row.name for row in rows) + ("（虚构示范）" if invented else ""),
        ", ".join(row.name_en or row.name for row in rows) + (" (invented)" if invented else ""),
    )


def _local(moment: datetime, timezone: str) -> datetime:
    return moment.astimezone(ZoneInfo(timezone)).replace(tzinfo=None)
