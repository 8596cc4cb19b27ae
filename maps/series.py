"""Heat maps that are to be compared: by week, month or category, with one legend for all."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Final, Literal, TypeAlias
from zoneinfo import ZoneInfo

from gis.errors import BadInput, Problem
from maps.palettes import nice_breaks

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from maps.heatmap import Heatmap

By: TypeAlias = Literal["week", "month"]

MAX_PARTS: Final = 120
"""Steps of a page or an animation: two years of weeks."""


@dataclass(frozen=True, slots=True)
class Part:
    """One of the maps, and what it is called beside the others, in Chinese and English."""

    heatmap: Heatmap
    zh: str
    en: str


@dataclass(frozen=True, slots=True)
class Series:
    """Maps of one place on one raster, whose colours mean the same.

    Attributes
    ----------
    whole
        The map of everything.
    parts
        In order.
    breaks
        Lower class bounds for all of them, the whole included.
    short_parts
        Whether the first or last part was left out: see `in_time`.
    """

    whole: Heatmap
    parts: tuple[Part, ...]
    breaks: list[float]
    short_parts: bool = False

    @property
    def maximum(self) -> float:
        """The highest value of all maps, the whole included: that of one month may be above it."""
        return max(self.whole.maximum, *(part.heatmap.maximum for part in self.parts))


def periods(
    start: datetime, end: datetime, by: By, timezone: str
) -> list[tuple[datetime, datetime]]:
    """Cut a period at the local midnights that begin its months, or its weeks (Mondays).

    The first and last one may be shorter; their densities are still per 30 days.

    Raises
    ------
    BadInput
        There would be more than 120.
    """
    zone = ZoneInfo(timezone)
    cuts = [start]
    day = start.astimezone(zone).replace(hour=0, minute=0, second=0, microsecond=0)
    while True:
        if by == "month":
            day = (day.replace(day=1) + timedelta(days=32)).replace(day=1)
        else:
            day += timedelta(days=7 - day.weekday())
        if day >= end:
            break
        cuts.append(day)
        if len(cuts) > MAX_PARTS:
            raise BadInput(
                Problem(
                    f"more than {MAX_PARTS} {by}s",
                    "Give a shorter period, or take months.",
                    field="by",
                )
            )
    return list(zip(cuts, [*cuts[1:], end], strict=True))


def in_time(whole: Heatmap, by: By, make: Callable[[datetime, datetime], Heatmap]) -> Series:
    """Return the maps of the weeks or months of a period.

    A first or last part shorter than half a step is left out, unless it is all there is: a few
    hours, given per 30 days, would be the darkest map of all and mean nothing.

    Parameters
    ----------
    whole
        The map of the whole period; it must have an area, so that all are of one raster.
    make
        Gives the map of a part of the period, with the bandwidth and cell of the whole.
    """
    _check_area(whole)
    parts = []
    spans = periods(whole.start, whole.end, by, whole.timezone)
    least = timedelta(days=14 if by == "month" else 3.5)
    long = [span for span in spans if span[1] - span[0] >= least] or spans
    for start, end in long:
        first = start.astimezone(ZoneInfo(whole.timezone))
        if by == "month":
            names = f"{first.year}年{first.month}月", f"{first:%Y-%m}"
        else:
            names = f"{first:%Y-%m-%d}起一周", f"week of {first:%Y-%m-%d}"
        parts.append(Part(make(start, end), *names))
    return dataclasses.replace(together(whole, parts), short_parts=len(long) < len(spans))


def together(whole: Heatmap, parts: Sequence[Part]) -> Series:
    """Return maps as a series, with classes up to the highest value that one of them has.

    Raises
    ------
    BadInput
        There are none, or they are not all of one raster.
    """
    _check_area(whole)
    if not parts:
        raise BadInput(Problem("there is nothing to show side by side", field="by"))
    if any(part.heatmap.values.shape != whole.values.shape for part in parts):
        raise BadInput(
            Problem("the maps are not of one raster", "Use one cell for all.", field="by")
        )
    # How the bandwidth was found is known of the whole alone.
    kept = tuple(
        Part(dataclasses.replace(part.heatmap, chosen=whole.chosen), part.zh, part.en)
        for part in parts
    )
    series = Series(whole, kept, [])
    return dataclasses.replace(series, breaks=nice_breaks(series.maximum))


def _check_area(whole: Heatmap) -> None:
    if whole.area is None:
        raise BadInput(
            Problem(
                "maps side by side need an area: without one each would have a frame of its own",
                "Give the area the events were looked for in.",
                field="area",
            )
        )
