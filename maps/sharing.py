"""What a map may be asked for once it leaves the case team: fixed periods, categories, bandwidths.

Whoever sees many maps can subtract them. Two periods that differ by a week tell that week's count,
however large the two counts are. Shared maps are therefore made of one quarter each, and no two
quarters have a day in common. Densities are those of all categories together, of whole counties
even where a part is drawn, and of few bandwidths. What is asked for is changed to the nearest of
these, and the map says so. What is then hidden is said in ``maps.disclosure`` and ``maps.heatmap``.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from typing import TYPE_CHECKING, Final, Literal, TypeAlias
from zoneinfo import ZoneInfo

from gis.errors import BadInput, Problem

if TYPE_CHECKING:
    from collections.abc import Sequence

Asked: TypeAlias = "tuple[datetime | None, datetime | None]"
"""A period, aware and half-open; None is open."""
WEEKS: Final = 13
"""Whole ISO weeks of a quarter; the last one of a year of 53 weeks has one more."""
YEARS: Final = (1900, 2200)
"""Of periods that have quarters: at the ends of the calendar there is no day before or after."""
BANDWIDTHS_M: Final = (300.0, 600.0, 1200.0, 2400.0, 4800.0, 9600.0, 19_200.0)
"""Of shared densities. The smallest is the least that a shared map may have."""
DIGITS: Final = 2
"""Figures of a shared density. From exact values the events could be computed back."""
STEP: Final = 5
"""Shared numbers of events of a whole map are rounded down to a multiple of this."""


@dataclass(frozen=True, slots=True)
class Quarter:
    """Thirteen whole ISO weeks, from a Monday midnight up to, not including, another.

    Attributes
    ----------
    year, number
        ISO year, and 1 to 4.
    start, end
        Aware, in the zone that the weeks were cut in.
    """

    year: int
    number: int
    start: datetime
    end: datetime

    @property
    def weeks(self) -> tuple[int, int]:
        """Its first and last ISO week."""
        first = WEEKS * (self.number - 1) + 1
        return first, (self.end.date() - timedelta(days=1)).isocalendar().week

    def words(self, language: str) -> str:
        """Its name: ``2026, ISO weeks 14 to 26``."""
        first, last = self.weeks
        if language == "zh":
            return f"{self.year}年第{first}—{last}周（整周，ISO 8601）"
        return f"{self.year}, ISO weeks {first} to {last}"


def quarter_of(day: date, timezone: str) -> Quarter:
    """The quarter that a local day lies in."""
    year, week, _ = day.isocalendar()
    number = min((week - 1) // WEEKS, 3) + 1
    first = date.fromisocalendar(year, WEEKS * (number - 1) + 1, 1)
    after = (
        date.fromisocalendar(year + 1, 1, 1)
        if number == 4
        else date.fromisocalendar(year, WEEKS * number + 1, 1)
    )
    zone = ZoneInfo(timezone)
    return Quarter(
        year,
        number,
        datetime.combine(first, time(), zone),
        datetime.combine(after, time(), zone),
    )


def quarter(
    start: datetime | None, end: datetime | None, *, timezone: str, now: datetime
) -> Quarter:
    """The quarter that a shared map is made of: the finished one that a period covers most.

    Of several that are covered alike it is the last.

    Parameters
    ----------
    start, end
        What was asked for, aware and half-open; None is open.
    timezone
        IANA name of the installation's zone, in which weeks begin on Monday at midnight.
    now
        Aware. A quarter that is not over would be another map each time something is reported.

    Raises
    ------
    BadInput
        No finished quarter touches the period, which says when the next one can be shared; or it
        lies beyond `YEARS`.
    """
    check_years(start, end)
    zone = ZoneInfo(timezone)
    running = quarter_of(now.astimezone(zone).date(), timezone)
    if end is None or end > running.start:
        found = quarter_of(running.start.date() - timedelta(days=1), timezone)
    else:
        found = quarter_of((end - timedelta(microseconds=1)).astimezone(zone).date(), timezone)
    if start is not None and found.end <= start:
        wanted = quarter_of(start.astimezone(zone).date(), timezone)
        raise BadInput(
            Problem(
                "no quarter of this period is over, and a shared map is of a whole one",
                f"The quarter from {wanted.start.date()} can be shared from {wanted.end.date()} "
                f"on; the last finished one began on {found.start.date()}",
                field="start",
            )
        )
    # April to June also touches, by two days, the quarter after: not what was asked for.
    while start is not None and start < found.start:
        before = quarter_of(found.start.date() - timedelta(days=1), timezone)
        if _covered(before, start, end) <= _covered(found, start, end):
            break
        found = before
    return found


def _covered(each: Quarter, start: datetime, end: datetime | None) -> timedelta:
    """How much of a quarter a period covers."""
    last = each.end if end is None else min(end, each.end)
    return last - max(start, each.start)


def changed(start: datetime | None, end: datetime | None, found: Quarter) -> Asked | None:
    """What was asked for, where it was not the quarter that was found, nor nothing at all."""
    return None if (start, end) in {(None, None), (found.start, found.end)} else (start, end)


def words_of_change(asked: Asked, timezone: str, language: str) -> str:
    """The sentence that a shared map has another period than the one that was asked for."""
    zone = ZoneInfo(timezone)
    first, after = (
        "…" if each is None else f"{each.astimezone(zone):%Y-%m-%d %H:%M}".removesuffix(" 00:00")
        for each in asked
    )
    if language == "zh":
        return f"所求时段{first}—{after}（不含末端）已改为整季13周，使两图不能相减得出个案。"
    return (
        f"The period asked for ({first} up to {after}) was changed to a whole quarter of 13 weeks, "
        "so that no two maps can be subtracted to a single case."
    )


def words_of_future(start: datetime, end: datetime, made_on: datetime, language: str) -> str:
    """The sentence that a period was not over when its map was made; empty where it was.

    Up to a day is let pass: "up to today" ends at midnight.
    """
    if start > made_on:
        return (
            "时段尚未开始，不会有事件。"
            if language == "zh"
            else "The period has not begun yet: nothing can have been reported."
        )
    if end - made_on <= timedelta(days=1):
        return ""
    return (
        "时段尚未结束：事件还会增加；按30天折算的数值把未到的日子也算在内，因此偏低。"
        if language == "zh"
        else "The period is not over: more may be reported, and values per 30 days, which count "
        "the days to come, are too low."
    )


def check_years(start: datetime | None, end: datetime | None) -> None:
    """Refuse a period at the ends of the calendar.

    Raises
    ------
    BadInput
        A moment lies beyond `YEARS`.
    """
    problems = [
        Problem(f"the year {each.year}", f"Give one from {YEARS[0]} to {YEARS[1]}.", field=name)
        for name, each in (("start", start), ("end", end))
        if each is not None and not YEARS[0] <= each.year <= YEARS[1]
    ]
    if problems:
        raise BadInput(problems)


def one_category(asked: Sequence[str]) -> tuple[str, ...]:
    """The category that a shared table is made of; none for all.

    Raises
    ------
    BadInput
        Several were asked for: with one of them less they would tell that one's counts.
    """
    distinct = sorted(set(asked))
    if len(distinct) > 1:
        raise BadInput(
            Problem(
                f"a shared table is of one category or of all, not of {len(distinct)} of them",
                "Make one of each, or leave the categories out",
                field="category",
            )
        )
    return tuple(distinct)


def no_category(asked: Sequence[str]) -> None:
    """Refuse categories of a shared density.

    Raises
    ------
    BadInput
        One was asked for. The density of all less those of the others would show the last one's
        lone events, wherever enough of the others lie.
    """
    if asked:
        raise BadInput(
            Problem(
                "a shared density is of all categories together",
                "Leave the category out, or share a grid map of it",
                field="category",
            )
        )


def bandwidth_m(asked_m: float | Literal["auto"]) -> float:
    """The least bandwidth of shared maps that is not below the one asked for, metres.

    Raises
    ------
    BadInput
        It is to be found from the events, whose number and places it would tell something of.
    """
    if asked_m == "auto":
        raise BadInput(
            Problem(
                "a shared map has a bandwidth that does not hang on its events",
                f"Give metres: one of {', '.join(f'{each:g}' for each in BANDWIDTHS_M)}",
                field="bandwidth_m",
            )
        )
    return next((each for each in BANDWIDTHS_M if each >= asked_m), asked_m)


def rounded(number: int) -> int:
    """A number of events of a whole shared map: at least so many."""
    return number // STEP * STEP
