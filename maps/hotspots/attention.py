"""The attention list of the week: where to look first, how much to expect there, and why."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy import stats

from gis.errors import Problem
from gis.wording import counted
from maps.hotspots.checks import Floats, Ints, fraction, numbers, refuse
from maps.hotspots.forecast import PARTS, History, Part, checked
from maps.hotspots.neighbours import Neighbours

LOOK_BACK_WEEKS = 4
"""Weeks whose counts a reason names."""


@dataclass(frozen=True, slots=True)
class Reason:
    """Why a grid is on the list: a key and the numbers that its text is made from.

    Attributes
    ----------
    row
        Of the grid.
    key
        The part of the expected count that lifts it most above the map's average.
    expected, low, high
        Events expected in the week, and the interval of the count.
    average
        Expected per grid on the whole map.
    shares
        What each part gives to the expected count, 0 to 1, together 1.
    last_weeks, nearby_last_weeks
        Events of the grid, and of its neighbours, in the last 4 weeks.
    usual
        Events of the grid in 4 weeks on average over all weeks before.
    households
        None where unknown or 0.
    """

    row: int
    key: Part
    expected: float
    low: int
    high: int
    average: float
    shares: dict[Part, float]
    last_weeks: int
    nearby_last_weeks: int
    usual: float
    households: float | None


@dataclass(frozen=True, slots=True, eq=False)
class Attention:
    """The list for the week after the last that was reported.

    Attributes
    ----------
    expected, low, high
        Shape (n,): events expected, and the interval that the count lies in with `confidence`.
    order
        Shape (n,): rows by expected events per area, highest first.
    reasons
        Of the grids on the list, in that order.
    weights
        Weight of each part in the blend.
    season
        Factor of the week; 1 without two years of weeks.
    confidence
        Of the intervals.
    weeks_learnt
        Weeks that the weights were fitted to.
    without_households
        Grids whose risk is per grid, households being unknown or 0.
    """

    expected: Floats
    low: Ints
    high: Ints
    order: Ints
    reasons: tuple[Reason, ...]
    weights: dict[Part, float]
    season: float
    confidence: float
    weeks_learnt: int
    without_households: int


def attention(
    counts: npt.ArrayLike,
    neighbours: Neighbours,
    *,
    households: npt.ArrayLike | None = None,
    area_m2: npt.ArrayLike | None = None,
    share: float = 0.05,
    most: int | None = None,
    confidence: float = 0.9,
) -> Attention:
    """Forecast the week after the last and list the grids to attend to.

    Parameters
    ----------
    counts
        Shape (n, weeks): whole numbers of events by the week in which they were reported, the
        oldest week first, at least 12 weeks. Nothing of the week forecast may be in it.
    neighbours
        Of the same n grids.
    households
        Shape (n,). Where they are unknown (NaN) or 0, risk is taken per grid instead, beside the
        other grids of that kind. Left out: per grid everywhere.
    area_m2
        Shape (n,), above 0; left out: every grid the same. The list is by expected events per
        area, since people go to places.
    share
        Part of the whole area that the list may cover, above 0, at most 1; one grid is listed
        even if it is larger. Only grids expected to have more per area than the whole map are.
    most
        Grids that are listed at most, 1 or more; left out: as many as fit. Where a few grids are
        vast, a small part of the area holds most of the others.
    confidence
        Of the intervals, above 0, below 1.

    Returns
    -------
    Attention
        Without any event nothing is expected anywhere, and the list is empty; so it is while no
        grid differs from the rest by more than chance, as after one event.

    Raises
    ------
    BadInput
        Everything that is wrong with the arguments, at once; fewer than 12 weeks.
    """
    values, homes, problems = checked(counts, neighbours, households)
    area, more = areas(area_m2, neighbours.n)
    problems += more + fraction(share, "share")
    if not 0 < confidence < 1:
        problems.append(
            Problem(f"{confidence:g}", "Give more than 0 and less than 1.", field="confidence")
        )
    if most is not None and most < 1:
        problems.append(Problem(counted(most, "grid"), "Give 1 or more.", field="most"))
    refuse(problems)
    made = History(values, neighbours, homes).forecast(values.shape[1])
    expected = made.expected
    low, high = interval(expected, made.dispersion, confidence)
    density = expected / area
    order = np.argsort(-density, kind="stable")
    within = np.cumsum(area[order]) <= share * area.sum() * (1 + 1e-12)
    within[:1] = True
    # Where every grid is expected the same, whichever came first would be listed for nothing.
    stands_out = density[order] > expected.sum() / max(area.sum(), 1e-12) * (1 + 1e-9)
    listed = order[within & stands_out][:most]

    last = values[:, -LOOK_BACK_WEEKS:].sum(axis=1)
    nearby = neighbours.sums(last)
    before = values[:, :-LOOK_BACK_WEEKS]
    usual = before.mean(axis=1) * LOOK_BACK_WEEKS
    above = made.parts - made.parts.mean(axis=0) if len(made.parts) else made.parts
    known = np.isfinite(homes) & (homes > 0)
    told = households is not None
    reasons = tuple(
        Reason(
            row=row,
            key=PARTS[int(np.argmax(above[row]))],
            expected=float(expected[row]),
            low=int(low[row]),
            high=int(high[row]),
            average=float(expected.mean()),
            shares={
                part: float(made.parts[row, at] / expected[row]) for at, part in enumerate(PARTS)
            },
            last_weeks=int(last[row]),
            nearby_last_weeks=int(nearby[row]),
            usual=float(usual[row]),
            households=float(homes[row]) if told and known[row] else None,
        )
        for row in listed.tolist()
    )
    return Attention(
        expected=expected,
        low=low,
        high=high,
        order=order,
        reasons=reasons,
        weights=dict(zip(PARTS, made.weights.tolist(), strict=True)),
        season=made.season,
        confidence=confidence,
        weeks_learnt=made.weeks_learnt,
        without_households=int((~known).sum()) if told else neighbours.n,
    )


def interval(expected: Floats, dispersion: float, confidence: float) -> tuple[Ints, Ints]:
    """The counts between which `confidence` of the weeks lie: negative binomial, or Poisson."""
    tail = (1 - confidence) / 2
    mean = np.maximum(expected, 1e-12)
    ends = np.array([[tail], [1 - tail]])
    if dispersion > 1e-9:
        size = 1 / dispersion
        counts = np.asarray(stats.nbinom.ppf(ends, size, size / (size + mean)))
    else:
        counts = np.asarray(stats.poisson.ppf(ends, mean))
    low, high = counts.astype(np.int64)
    return low, high


def areas(area_m2: npt.ArrayLike | None, n: int) -> tuple[Floats, list[Problem]]:
    """Areas as an array, 1 each when left out, and what is wrong with them."""
    if area_m2 is None:
        return np.ones(n), []
    area, problems = numbers(area_m2, "area_m2", (n,))
    empty = np.flatnonzero(area <= 0)
    if empty.size and not problems:
        problems.append(
            Problem(
                f"{counted(empty.size, 'grid has', 'grids have')} no area",
                "Give square metres above 0.",
                row=int(empty[0]) + 1,
                field="area_m2",
            )
        )
    return np.maximum(area, 1e-12), problems
