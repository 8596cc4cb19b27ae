"""What to expect in each grid next week: a fitted blend of steady risk, recency and nearness.

Every part is itself a forecast in events a week, made from what was reported before the week it
speaks of; the blend gives each a weight that is not negative, by penalised Poisson regression on
the weeks behind. An expected count is thus a sum of parts that can be told to a reader.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

import numpy as np
import numpy.typing as npt
from scipy import optimize

from gis.errors import Problem
from maps.hotspots.checks import Floats, exposures, numbers
from maps.hotspots.neighbours import Neighbours

MIN_WEEKS = 12
"""Weeks without which nothing is forecast: 4 to look back on, 8 to learn from."""

WARM_UP_WEEKS = 4
WEEKS_FOR_SEASON = 104
"""Two years: with less, a season cannot be told from a rise or fall."""

MAX_TRAINING_WEEKS = 104
MAX_TRAINING_ROWS = 1_000_000
WEEKS_PER_YEAR = 365.2425 / 7

HALF_LIVES_WEEKS = (1.5, 8.0)
"""Of the two recency averages: a flare-up of weeks, a drift of months."""

_PULL_EVENTS = 20.0  # Strength of the penalty: that of so many events.


class Part(StrEnum):
    """Parts of an expected count."""

    STEADY = "steady"
    """The grid's rate per household over all weeks, shrunk towards that of the map."""
    RECENT = "recent"
    """The grid's last weeks, half-life 1.5 weeks."""
    MONTHS = "months"
    """The grid's last months, half-life 8 weeks."""
    NEARBY = "nearby"
    """The neighbours' last weeks, half-life 1.5 weeks."""
    FLARE = "flare"
    """Both together beyond the usual: window's last weeks over what they would be at steady risk,
    times the steady risk."""


PARTS = tuple(Part)


@dataclass(frozen=True, slots=True, eq=False)
class Forecast:
    """What is expected in the week after the last.

    Attributes
    ----------
    parts
        Shape (n, 5): what each of `PARTS` adds to the expected count, season included.
    weights
        Shape (5,): weight of each part.
    season
        By how much the week lies above the year's average; 1 where there are less than two years.
    dispersion
        Variance beyond Poisson as a part of the mean's square (negative binomial); 0 for none.
    weeks_learnt
        Number of weeks that the weights were fitted to.
    """

    parts: Floats
    weights: Floats
    season: float
    dispersion: float
    weeks_learnt: int

    @property
    def expected(self) -> Floats:
        """Expected counts, shape (n,)."""
        total: Floats = self.parts.sum(axis=1)
        return total


class History:
    """The parts of every week's forecast, each from the weeks before it only."""

    def __init__(self, counts: Floats, neighbours: Neighbours, homes: Floats) -> None:
        self.counts, self.neighbours, self.homes = counts, neighbours, homes
        self._season: dict[int, Floats] = {}

    def season(self, weeks: int) -> Floats:
        """Factor of each week up to and including `weeks`, from the weeks before `weeks`."""
        if weeks not in self._season:
            self._season[weeks] = _season(self.counts[:, :weeks].sum(axis=0))
        return self._season[weeks]

    def forecast(self, week: int, weights: Floats | None = None) -> Forecast:
        """What is expected in `week` (a column, or the one after the last) from those before it."""
        season = self.season(week)
        flat = self.counts[:, :week] / season[:week]
        learnt = 0
        dispersion = 0.0
        n = self.neighbours.n
        most = max(8, min(MAX_TRAINING_WEEKS, MAX_TRAINING_ROWS // max(n, 1)))
        first = max(WARM_UP_WEEKS, week - most)
        parts = self._parts(flat, first, week)
        if weights is None:
            learnt = week - first
            rows = parts[:-1].reshape(-1, len(PARTS))
            seen = self.counts[:, first:week].T.ravel()
            scale = np.repeat(season[first:week], n)
            weights = _fitted(rows, seen, scale)
            mean = (rows @ weights) * scale
            excess = float((((seen - mean) ** 2) - mean).sum())
            dispersion = max(0.0, excess / max(float((mean**2).sum()), 1e-12))
        return Forecast(
            parts[-1] * weights * season[week], weights, float(season[week]), dispersion, learnt
        )

    def _parts(self, flat: Floats, first: int, last: int) -> Floats:
        """Parts for weeks `first` to `last`, shape (weeks, n, 5); season taken out of `flat`."""
        n = self.neighbours.n
        made = np.empty((last - first + 1, n, len(PARTS)))
        decays = [0.5 ** (1 / half) for half in HALF_LIVES_WEEKS]
        sums = [np.zeros(n), np.zeros(n)]
        norms = [0.0, 0.0]
        total = np.zeros(n)
        around = np.maximum(self.neighbours.degrees, 1)
        for week in range(last + 1):
            if week >= first:
                steady = _shrunk(total, self.homes, week)
                recent, months = (s / max(norm, 1e-12) for s, norm in zip(sums, norms, strict=True))
                row = made[week - first]
                row[:, 0] = steady
                row[:, 1] = recent
                row[:, 2] = months
                row[:, 3] = self.neighbours.sums(recent) / around
                usual = self.neighbours.windows(steady)
                # Weeks that the recent average is worth: its ratio is shrunk like a count of them.
                worth = norms[0]
                ratio = (self.neighbours.windows(sums[0]) + 1.0) / (usual * worth + 1.0)
                row[:, 4] = steady * np.maximum(ratio - 1.0, 0.0)
            if week < last:
                total += flat[:, week]
                for at, decay in enumerate(decays):
                    sums[at] = sums[at] * decay + flat[:, week]
                    norms[at] = norms[at] * decay + 1.0
        return made


def _shrunk(total: Floats, homes: Floats, weeks: int) -> Floats:
    """Steady events a week: rates per household shrunk to the mean of their kind (Marshall 1991).

    Grids with households share a prior per household; those of unknown or no households, where
    events happen none the less, one per grid.
    """
    steady = np.zeros(total.size)
    known = np.isfinite(homes) & (homes > 0)
    for group, at_risk in ((known, homes), (~known, np.ones(total.size))):
        if not group.any():
            continue
        exposed = at_risk[group] * max(weeks, 1)
        seen = total[group]
        mean = seen.sum() / exposed.sum()
        rate = seen / exposed
        spread = (exposed * (rate - mean) ** 2).sum() / exposed.sum() - mean / exposed.mean()
        if mean > 0 and spread > 0:
            pull = mean / spread  # Exposure that the mean is worth.
            rate = (seen + mean * pull) / (exposed + pull)
        else:
            rate = np.full(seen.size, mean)
        steady[group] = rate * at_risk[group]
    return steady


def _season(totals: Floats) -> Floats:
    """Yearly wave of the map's totals, as a factor with mean about 1, for one week more."""
    weeks = np.arange(totals.size + 1)
    if totals.size < WEEKS_FOR_SEASON or not totals.sum():
        return np.ones(totals.size + 1)
    angle = 2 * np.pi * weeks / WEEKS_PER_YEAR
    waves = np.column_stack([np.sin(angle), np.cos(angle), np.sin(2 * angle), np.cos(2 * angle)])
    trend = weeks / totals.size - 0.5
    design = np.column_stack([np.ones(weeks.size), trend, waves])
    effects = np.zeros(design.shape[1])
    effects[0] = np.log(totals.mean())
    known = design[:-1]
    # Newton's steps of a Poisson regression; a little ridge keeps waves of scarce events flat.
    ridge = np.diag([0, 1, 1, 1, 1, 1]) * _PULL_EVENTS
    for _ in range(25):
        mean = np.exp(np.clip(known @ effects, -20, 20))
        gradient = known.T @ (totals - mean) - ridge @ effects
        step = np.linalg.solve(known.T @ (mean[:, None] * known) + ridge, gradient)
        effects += step
        if np.abs(step).max() < 1e-8:
            break
    wave: Floats = np.exp(waves @ effects[2:])
    return wave


def _fitted(rows: Floats, seen: Floats, scale: Floats) -> Floats:
    """Weights that are not negative, pulled towards steady risk alone.

    Minimises ``sum(mean - seen log mean) + pull / 2 |w - w0|^2`` with w0 = 1 for the steady part.
    """
    # Rows without events matter by their sum only, which makes the search quick.
    some = seen > 0
    slope = (rows * scale[:, None]).sum(axis=0)
    design, events = rows[some] * scale[some, None], seen[some]
    usual = np.zeros(rows.shape[1])
    usual[0] = 1.0
    tiny = 1e-9

    def loss(weights: Floats) -> tuple[float, Floats]:
        mean = design @ weights + tiny
        away = weights - usual
        value = slope @ weights - events @ np.log(mean) + _PULL_EVENTS / 2 * (away @ away)
        return float(value), slope - design.T @ (events / mean) + _PULL_EVENTS * away

    start = np.array([0.6, 0.1, 0.1, 0.1, 0.1])
    found = optimize.minimize(
        loss, start, jac=True, method="L-BFGS-B", bounds=[(0, None)] * start.size
    )
    weights: Floats = found.x
    return weights


def checked(
    counts: npt.ArrayLike, neighbours: Neighbours, households: npt.ArrayLike | None
) -> tuple[Floats, Floats, list[Problem]]:
    """Counts (n, weeks) and households (n,) as arrays, and what is wrong with them."""
    shape = np.shape(counts)
    weeks = shape[1] if len(shape) == 2 else 0
    values, problems = numbers(counts, "counts", (neighbours.n, weeks), whole=True)
    homes, more = exposures(households, neighbours.n)
    problems += [
        Problem(each.reason, each.remedy, row=each.row, field="households") for each in more
    ]
    if len(shape) == 2 and weeks < MIN_WEEKS:
        problems.append(
            Problem(
                f"{weeks} weeks", f"Give {MIN_WEEKS} or more: nothing can be learnt from less.",
                field="counts",
            )
        )  # fmt: skip
    return values, homes, problems
