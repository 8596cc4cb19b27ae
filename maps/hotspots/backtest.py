"""The attention list put to the test on weeks that are over, beside what anyone could do by hand.

Each week is forecast from what had been reported before it began, and judged by what was reported
in it. PAI, the predictive accuracy index, is the share of events caught by the share of area looked
at (Chainey, Tompson and Uhlig 2008): 1 is chance. PEI, the predictive efficiency index, is the
share of the best that could have been caught on as much area (Hunt 2016): 1 is foresight.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

import numpy as np
import numpy.typing as npt

from gis.errors import Problem
from maps.hotspots.attention import areas, interval
from maps.hotspots.checks import Floats, Ints, fraction, refuse
from maps.hotspots.forecast import MIN_WEEKS, History, checked
from maps.hotspots.neighbours import Neighbours

RECENT_WEEKS = 4
CONFIDENCE = 0.9
CLEAR = 2.0
"""Standard errors of the weekly difference from which one way is called better than another."""
LEAST_PART = 1e-9
"""Of the events of a week: a difference below it is that of computing, not of what was caught."""


class Method(StrEnum):
    """Ways of choosing where to look."""

    ATTENTION = "attention"
    """The blend of `maps.hotspots.attention`."""
    NAIVE = "naive"
    """The naive count: all events reported so far."""
    LAST_WEEKS = "last_weeks"
    """Events reported in the last four weeks."""


class Verdict(StrEnum):
    """How the attention list did beside another way."""

    BETTER = "better"
    LEVEL = "level"
    WORSE = "worse"


METHODS = tuple(Method)


@dataclass(frozen=True, slots=True, eq=False)
class BackTest:
    """How each way would have done.

    Attributes
    ----------
    weeks
        Columns of the counts that were forecast, shape (w,).
    shares
        Parts of the area looked at, shape (s,).
    events
        Events of each week, shape (w,).
    caught, possible
        Events on the area looked at, shape (3, s, w) in the order of `METHODS`; and the most that
        as much area could hold, shape (s, w). Not whole where grids are tied, or only part of a
        grid fits: then as much of its events is counted as of its area.
    expected
        Events expected by the attention list on the whole map, shape (w,).
    within
        Part of all grids and weeks whose count lay in its 90 % interval.
    """

    weeks: Ints
    shares: Floats
    events: Floats
    caught: Floats
    possible: Floats
    expected: Floats
    within: float

    @property
    def pai(self) -> Floats:
        """Over all weeks together, shape (3, s); NaN without events."""
        total = self.events.sum()
        caught: Floats = self.caught.sum(axis=2)
        return caught / total / self.shares if total else np.full(caught.shape, np.nan)

    @property
    def pei(self) -> Floats:
        """Over all weeks together, shape (3, s); NaN without events."""
        possible = self.possible.sum(axis=1)
        caught: Floats = self.caught.sum(axis=2)
        return caught / possible if possible.all() else np.full(caught.shape, np.nan)

    def verdict(self, other: Method, share: int) -> Verdict:
        """Attention beside another way at the share with this index.

        Better or worse if the mean weekly difference of what was caught is at least two standard
        errors from 0; otherwise the weeks do not tell the two apart.
        """
        apart = self.caught[0, share] - self.caught[METHODS.index(other), share]
        error = apart.std(ddof=1) / np.sqrt(apart.size) if apart.size > 1 else np.inf
        # Parts of a grid's events are not whole numbers: the same part may differ in a last digit.
        nothing = LEAST_PART * max(float(self.events.mean()), 1.0)
        if abs(apart.mean()) < max(nothing, CLEAR * error):
            return Verdict.LEVEL
        return Verdict.BETTER if apart.mean() > 0 else Verdict.WORSE


def backtest(
    counts: npt.ArrayLike,
    neighbours: Neighbours,
    *,
    households: npt.ArrayLike | None = None,
    area_m2: npt.ArrayLike | None = None,
    weeks: int = 8,
    shares: tuple[float, ...] = (0.01, 0.05),
    refit_weeks: int = 4,
) -> BackTest:
    """Forecast each of the last weeks from those before it and count what would have been caught.

    Parameters
    ----------
    counts, neighbours, households, area_m2
        As for `maps.hotspots.attention`; the weeks to be judged are the last columns.
    weeks
        Number of weeks judged, 1 or more; at least 12 must lie before them.
    shares
        Parts of the area, above 0, at most 1.
    refit_weeks
        The weights are fitted anew so often; every forecast uses the newest counts all the same.

    Raises
    ------
    BadInput
        Everything that is wrong with the arguments, at once; fewer weeks than needed.
    """
    values, homes, problems = checked(counts, neighbours, households)
    area, more = areas(area_m2, neighbours.n)
    problems += more
    for each in shares:
        problems += fraction(each, "shares")
    if not shares:
        problems.append(Problem("no shares", "Give one or more.", field="shares"))
    if refit_weeks < 1:
        problems.append(Problem(f"{refit_weeks} weeks", "Give 1 or more.", field="refit_weeks"))
    had = values.shape[1]
    if weeks < 1 or (had >= MIN_WEEKS and had - weeks < MIN_WEEKS):
        problems.append(
            Problem(
                f"{weeks} weeks to be judged of {had}",
                f"Give 1 or more, and {MIN_WEEKS} weeks before them.",
                field="weeks",
            )
        )
    refuse(problems)

    judged = np.arange(had - weeks, had)
    history = History(values, neighbours, homes)
    caught = np.zeros((len(METHODS), len(shares), weeks))
    possible = np.zeros((len(shares), weeks))
    expected = np.zeros(weeks)
    inside = 0
    made = history.forecast(int(judged[0]))
    dispersion = made.dispersion
    for at, week in enumerate(judged.tolist()):
        if at and at % refit_weeks == 0:
            made = history.forecast(week)
            dispersion = made.dispersion
        elif at:
            made = history.forecast(week, made.weights)
        truth = values[:, week]
        low, high = interval(made.expected, dispersion, CONFIDENCE)
        inside += int(((truth >= low) & (truth <= high)).sum())
        expected[at] = made.expected.sum()
        scores = (
            made.expected,
            values[:, :week].sum(axis=1),
            values[:, week - RECENT_WEEKS : week].sum(axis=1),
        )
        for s, share in enumerate(shares):
            possible[s, at] = events_caught(truth, truth, area, share)
            for m, score in enumerate(scores):
                caught[m, s, at] = events_caught(score, truth, area, share)
    return BackTest(
        weeks=judged,
        shares=np.asarray(shares, dtype=np.float64),
        events=values[:, judged].sum(axis=0),
        caught=caught,
        possible=possible,
        expected=expected,
        within=inside / max(values.shape[0] * weeks, 1),
    )


def events_caught(score: Floats, events: Floats, area: Floats, share: float) -> float:
    """Events on the `share` of the area with the highest score per area.

    Grids with the same score per area are taken together: of a group that fits in part, the same
    part of its events counts. That is what drawing lots among them would catch on average.
    """
    if not score.size:
        return 0.0
    density = score / area
    order = np.argsort(-density, kind="stable")
    ends = np.flatnonzero(np.append(np.diff(density[order]) != 0, True))
    covered = np.concatenate([[0.0], np.cumsum(area[order])[ends]])
    held = np.concatenate([[0.0], np.cumsum(events[order])[ends]])
    return float(np.interp(share * covered[-1], covered, held))
