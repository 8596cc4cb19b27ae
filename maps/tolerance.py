"""Where a rate per household differs from the area's mean by more than chance.

Tolerance contours of a ratio of two kernel densities: Kelsall and Diggle (1995) drew them from
simulations, Hazelton and Davies (2009) from the ratio's variance. Here the number of households is
known and only the events are left to chance. If every household were at the same risk, the events
would be a draw from the households, and the kernel sum at a place would be a sum of as many
independent kernel values: its mean, variance and third moment follow from the households alone,
smoothed by the kernel, its square and its cube. A Pearson type III distribution of these three
moments then says how likely a sum as high or low as the one seen is.
"""

from __future__ import annotations

import math
from typing import Final

import numpy as np

from maps.smoothing import Bbox, Floats, density

LEVEL: Final = 0.05
"""Chance, at any one place, of being called higher or lower although it is not; half of it each."""
SCORE: Final = 1.959964
"""Normal score beyond which a place is called different at `LEVEL`, two-sided."""

METHOD: Final = (
    "pointwise tolerance contour, two-sided 5 %; Pearson III with the exact first three moments of "
    "the kernel sum under equal risk, households taken as known"
)
"""How a difference was judged, for files."""

_MOST = 8.0  # Normal scores are cut here: no probability that small can be trusted.


def scores(
    events: Floats,
    n: int,
    homes_m: Floats,
    households: Floats,
    *,
    bbox_m: Bbox,
    bandwidth_m: float,
) -> Floats:
    """Normal score of the events' density at each cell, if all households had the same risk.

    Parameters
    ----------
    events
        Kernel density of the `n` events, per m^2, without edge correction, shape (ny, nx).
    homes_m, households
        Places, shape (m, 2), metres, and their numbers of households.
    bbox_m, bandwidth_m
        Of the raster and the kernel; a cell must be at most 0.57 bandwidths wide.

    Returns
    -------
    array (ny, nx): above 1.96 the rate is higher than the mean at 5 %, below -1.96 lower, each
    place taken alone; NaN where no household is near or there are no events.
    """
    from scipy import special  # noqa: PLC0415  (slow to load)

    shape = (events.shape[0], events.shape[1])
    total = float(households.sum())
    if not (n and total):
        return np.full(shape, np.nan)
    peak = 1 / (2 * math.pi * bandwidth_m**2)
    # Powers of a Gaussian are Gaussians: K^p = peak^(p - 1) / p times one of bandwidth / sqrt(p).
    means = [
        density(homes_m, bbox_m, shape, bandwidth_m / math.sqrt(power), weights=households)
        * (peak ** (power - 1) / power / total)
        for power in (1, 2, 3)
    ]
    first, second, third = means
    variance = np.maximum(second - first**2, 0)
    skewed = third - 3 * first * second + 2 * first**3
    with np.errstate(divide="ignore", invalid="ignore"):
        spread = np.sqrt(n * variance)
        z = (events - n * first) / spread
        skewness = np.maximum(n * skewed / spread**3, 1e-3)
        shape_ = 4 / skewness**2
        at = np.maximum(shape_ + z * np.sqrt(shape_), 0)
        # Of the smaller tail, which keeps its digits.
        above, below = special.gammaincc(shape_, at), special.gammainc(shape_, at)
        score = np.where(above < below, -special.ndtri(above), special.ndtri(below))
    # Nothing can be said where no household is within reach of the kernel.
    score[first < 1e-6 * peak / total] = np.nan
    clipped: Floats = np.clip(score, -_MOST, _MOST)
    return clipped
