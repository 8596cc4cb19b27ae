"""Rates of grids with their doubt: exact intervals, and shrinkage towards what is usual.

A grid of thirty households with one dispute has a rate that says nothing. Empirical Bayes (R. J.
Marshall, "Mapping disease and mortality rates using empirical Bayes estimators", Applied
Statistics 40, 1991) moves each rate towards the mean, the more the fewer households it rests on:
the true rates are taken to vary with a mean and a variance that are found from all grids by the
method of moments. Of a gamma distribution with these, what is left of the doubt after counting is
a gamma distribution again.

Exposure is in any unit; rates are events per unit.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np
from scipy import stats

from maps.hotspots.checks import Floats, numbers, refuse

if TYPE_CHECKING:
    import numpy.typing as npt

    from maps.hotspots.neighbours import Neighbours

NOTHING: Final = 1e-9
"""Lower limits below it, events per unit of exposure, are told as 0."""
CONFIDENCE: Final = 0.95


@dataclass(frozen=True, slots=True, eq=False)
class Shrunk:
    """Rates after shrinkage.

    Attributes
    ----------
    rates
        Shape (n,): the posterior means; NaN where the exposure is unknown or zero.
    low, high
        Shape (n,): the interval of `CONFIDENCE` around each. Where the rates vary no more than
        chance lets them, it is the exact interval of the common rate.
    weights
        Shape (n,), 0 to 1: how much of each rate is the grid's own.
    """

    rates: Floats
    low: Floats
    high: Floats
    weights: Floats


def exact_interval(
    counts: npt.ArrayLike, exposure: npt.ArrayLike, *, confidence: float = CONFIDENCE
) -> tuple[Floats, Floats]:
    """Exact limits of Poisson rates, by quantiles of chi-square (F. Garwood, Biometrika 28, 1936).

    Parameters
    ----------
    counts, exposure
        Shape (n,). NaN in either, and an exposure of 0, give NaN.

    Returns
    -------
    lower and upper limits, events per unit of exposure; the lower one of no events is 0.
    """
    events, units = _checked(counts, exposure)
    tail = (1 - confidence) / 2
    low = np.where(events > 0, stats.chi2.ppf(tail, 2 * events) / 2, 0 * events)
    high = stats.chi2.ppf(1 - tail, 2 * events + 2) / 2
    with np.errstate(divide="ignore", invalid="ignore"):
        known = units > 0
        return np.where(known, low / units, np.nan), np.where(known, high / units, np.nan)


def shrunk_to_all(counts: npt.ArrayLike, exposure: npt.ArrayLike) -> Shrunk:
    """Rates moved towards the rate of all grids together.

    Parameters
    ----------
    counts, exposure
        Shape (n,). Grids with NaN in either, or an exposure of 0, take no part.
    """
    events, units = _checked(counts, exposure)
    known = _known(events, units)
    if not known.any():
        nothing = np.full(events.size, np.nan)
        return Shrunk(nothing, nothing, nothing, nothing)
    total, exposed = events[known].sum(), units[known].sum()
    mean = total / exposed
    spread = (units[known] * (events[known] / units[known] - mean) ** 2).sum() / exposed
    variance = spread - mean / units[known].mean()
    n = events.size
    return _posterior(
        events, units, np.full(n, mean), np.full(n, variance),
        (np.full(n, total), np.full(n, exposed)),
    )  # fmt: skip


def shrunk_to_neighbours(
    counts: npt.ArrayLike, exposure: npt.ArrayLike, neighbours: Neighbours
) -> Shrunk:
    """Rates moved towards the rate of each grid and its neighbours.

    Parameters
    ----------
    counts, exposure
        Shape (n,). Grids with NaN in either, or an exposure of 0, take no part. A grid without
        neighbours that take part keeps its own rate, for there is nothing to compare it with.
    """
    events, units = _checked(counts, exposure)
    known = _known(events, units)
    e, n = np.where(known, events, 0.0), np.where(known, units, 0.0)
    total, exposed = neighbours.windows(e), neighbours.windows(n)
    many = neighbours.windows(known.astype(np.float64))
    with np.errstate(divide="ignore", invalid="ignore"):
        rates = np.where(known, e / n, 0.0)
        mean = total / exposed
        # Sum of n (r - m)^2 over each window, multiplied out, for each window has its own mean.
        squares = neighbours.windows(n * rates**2) - 2 * mean * total + mean**2 * exposed
        variance = squares / exposed - mean / (exposed / many)
    variance[many <= 1] = np.inf
    return _posterior(events, units, mean, variance, (total, exposed))


def _posterior(
    events: Floats, units: Floats, mean: Floats, variance: Floats, common: tuple[Floats, Floats]
) -> Shrunk:
    known = _known(events, units)
    with np.errstate(divide="ignore", invalid="ignore"):
        own = events / units
        # Moments may give a variance below zero: the rates differ less than chance would have it.
        weights = np.where(np.isinf(variance), 1, variance / (variance + mean / units))
        weights = np.where((variance > 0) & (mean > 0), weights, 0.0)
        rates = np.where(known, weights * own + (1 - weights) * mean, np.nan)
        # Gamma of shape mean^2 / variance and scale variance / mean; without one, that of the
        # counts alone.
        shape = np.where(np.isinf(variance), 0.5, mean**2 / variance) + events
        per = np.where(np.isinf(variance), 0.0, mean / variance) + units
    low, high = exact_interval(*common)
    varies = known & (variance > 0) & (mean > 0)
    tail = (1 - CONFIDENCE) / 2
    low[varies] = stats.gamma.ppf(tail, shape[varies], scale=1 / per[varies])
    high[varies] = stats.gamma.ppf(1 - tail, shape[varies], scale=1 / per[varies])
    # The tail of a gamma of small shape is as good as nothing: 1e-206 is no number to print.
    low = np.where(low < NOTHING, 0.0, low)
    return Shrunk(
        rates,
        np.where(known, low, np.nan),
        np.where(known, high, np.nan),
        np.where(known, weights, np.nan),
    )


def _known(events: Floats, units: Floats) -> npt.NDArray[np.bool_]:
    known: npt.NDArray[np.bool_] = np.isfinite(events) & np.isfinite(units) & (units > 0)
    return known


def _checked(counts: npt.ArrayLike, exposure: npt.ArrayLike) -> tuple[Floats, Floats]:
    events, problems = numbers(counts, "counts", unknown=True, whole=True)
    units, more = numbers(exposure, "households", events.shape, unknown=True)
    refuse([*problems, *more])
    return events, units
