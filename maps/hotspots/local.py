"""Where a grid and its neighbours differ from the rest: Gi* and local Moran, two-sided and seeded.

Both measure association, not risk: they compare counts with the map's own mean and know nothing of
households, and their normal p values are wrong for small counts (see `maps.hotspots.discovery` for
the test that wangge shows).
"""

from __future__ import annotations

import os
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt
from scipy.special import ndtr

from gis.errors import Problem
from maps.hotspots.checks import Floats, Ints, numbers, refuse, simulations_problems
from maps.hotspots.neighbours import Neighbours

Alternative = Literal["greater", "less", "two-sided"]

_CHUNK = 2_048  # Grids that a thread permutes at a time.
_MAX_THREADS = 4


@dataclass(frozen=True, slots=True, eq=False)
class GiStar:
    """Gi* of each grid.

    Attributes
    ----------
    z
        Shape (n,): standard deviations by which the window's sum lies above what it would be on
        average if the same values were laid out at random.
    p
        Shape (n,): two-sided, by the normal approximation. Not corrected for many tests, and too
        small where counts are few.
    window
        Shape (n,): grids in the window, the grid itself included; 1 for an island.
    """

    z: Floats
    p: Floats
    window: Ints


@dataclass(frozen=True, slots=True, eq=False)
class LocalMoran:
    """Local Moran's I of each grid.

    Attributes
    ----------
    i
        Shape (n,): ``d_i / m2 * sum of d_j over neighbours``, d the deviation from the mean and
        ``m2`` the mean of d squared (over n: spdep's ``mlvar=TRUE``; esda divides by n - 1
        instead, its I is ours times (n - 1) / n). 0 for an island, which has nothing to be
        compared with.
    expected, variance
        Shape (n,): of I, given the grid's own value, when the others are laid out at random.
    z, p
        Shape (n,): the standardised I and its two-sided normal p. 0 and 1 for an island and where
        the grid has exactly the mean.
    kind
        Shape (n,), int8: 1 high among high, 2 low among high, 3 low among low, 4 high among low;
        0 for an island and on a map without variation. That is the class by signs alone, whether
        or not p says anything.
    """

    i: Floats
    expected: Floats
    variance: Floats
    z: Floats
    p: Floats
    kind: npt.NDArray[np.int8]


def gi_star(counts: npt.ArrayLike, neighbours: Neighbours) -> GiStar:
    """Getis and Ord's Gi*, binary weights with the grid itself.

    ``z = (S_i - k_i m) / (s sqrt(k_i (n - k_i) / (n - 1)))`` with S_i the sum over the k_i grids
    of the window, m the mean and s the standard deviation over n (Ord and Getis 1995, equation 14,
    for weights of 0 and 1). esda gives the same with ``transform="B", star=True``; its default,
    row-standardised weights, leaves the squares of the weights out of the variance.

    Parameters
    ----------
    counts
        Shape (n,): counts or rates, finite, not negative.
    neighbours
        Of the same n grids.

    Returns
    -------
    GiStar
        An island is compared by itself alone. Where nothing varies - no grid, one grid, the same
        count everywhere - or the window is the whole map, z is 0 and p is 1.

    Raises
    ------
    BadInput
        The counts have another shape, or are negative or unknown.
    """
    values, problems = numbers(counts, "counts", (neighbours.n,))
    refuse(problems)
    n = values.size
    window = neighbours.degrees + 1
    if n < 2:
        return GiStar(np.zeros(n), np.ones(n), window)
    mean = values.mean()
    deviation = values - mean
    spread = np.sqrt((deviation @ deviation) / n)
    # Sums of counts are exact; sums of deviations are not, and would differ between equal windows.
    above = neighbours.windows(values) - window * mean
    scale = spread * np.sqrt(window * (n - window) / (n - 1))
    z = np.divide(above, scale, out=np.zeros(n), where=scale > _noise(values))
    return GiStar(z, 2 * ndtr(-np.abs(z)), window)


def local_moran(counts: npt.ArrayLike, neighbours: Neighbours) -> LocalMoran:
    """Local Moran's I with binary weights; moments given the grid's own value.

    Moments are those of conditional randomisation (Sokal, Oden and Thomson 1998, equations A7 and
    A8), for I with the same divisor as the moments. (esda's I has n - 1 and its moments n, so
    that its z, where one makes it from them, is off by that factor.)

    Parameters
    ----------
    counts
        Shape (n,): counts or rates, finite, not negative.
    neighbours
        Of the same n grids.

    Returns
    -------
    LocalMoran
        See there for islands and maps without variation, which have I 0 and p 1.

    Raises
    ------
    BadInput
        The counts have another shape, or are negative or unknown.
    """
    values, problems = numbers(counts, "counts", (neighbours.n,))
    refuse(problems)
    n = values.size
    zeros = np.zeros(n)
    deviation = values - values.mean() if n else values
    m2 = float(deviation @ deviation / n) if n else 0.0
    if n < 3 or np.sqrt(m2) <= _noise(values):
        return LocalMoran(
            zeros, zeros.copy(), zeros.copy(), zeros.copy(), np.ones(n), zeros.astype(np.int8)
        )
    degree = neighbours.degrees.astype(np.float64)
    around = neighbours.sums(values) - degree * values.mean()
    i = deviation * around / m2
    expected = -(deviation**2) * degree / ((n - 1) * m2)
    variance = (
        (deviation / m2) ** 2
        * (n / (n - 2))
        * (degree - degree**2 / (n - 1))
        * (m2 - deviation**2 / (n - 1))
    )
    deviates = np.sqrt(np.maximum(variance, 0))
    z = np.divide(i - expected, deviates, out=np.zeros(n), where=deviates > 1e-12)
    high, high_around = deviation > 0, around > 0
    kind = np.select(
        [high & high_around, ~high & high_around, ~high & ~high_around], [1, 2, 3], default=4
    ).astype(np.int8)
    kind[neighbours.degrees == 0] = 0
    return LocalMoran(i, expected, variance, z, 2 * ndtr(-np.abs(z)), kind)


def permutation_p(
    counts: npt.ArrayLike,
    neighbours: Neighbours,
    *,
    statistic: Literal["gi_star", "local_moran"] = "gi_star",
    alternative: Alternative = "two-sided",
    permutations: int = 999,
    seed: int = 0,
) -> Floats:
    """P of Gi* or local Moran when all other grids' counts are laid out at random.

    The grid keeps its own count; as many others as it has neighbours are drawn without
    replacement. ``p = (1 + as extreme) / (1 + permutations)`` on one side; two-sided is twice the
    smaller of the two, at most 1. (esda's ``p_sim`` is the smaller of the two, not doubled.)

    Parameters
    ----------
    counts, neighbours
        As for `gi_star`.
    statistic
        What is compared. Both hang on the sum of the neighbours; for local Moran "greater" means
        more like the neighbours.
    alternative
        ``"greater"``, ``"less"`` or ``"two-sided"``.
    permutations
        19 to 99,999.
    seed
        0 or more; the same seed gives the same p on any number of cores.

    Returns
    -------
    array
        Shape (n,), float64; 1 for islands.

    Raises
    ------
    BadInput
        Everything that is wrong with the arguments, at once.
    """
    from maps.hotspots.kernels import conditional_draws  # noqa: PLC0415

    values, problems = numbers(counts, "counts", (neighbours.n,))
    problems += simulations_problems(permutations, "permutations")
    problems += seed_problems(seed)
    if alternative not in {"greater", "less", "two-sided"}:
        problems.append(
            Problem(
                f"{alternative!r} is no alternative",
                "Give greater, less or two-sided.",
                field="alternative",
            )
        )
    if statistic not in {"gi_star", "local_moran"}:
        problems.append(
            Problem(
                f"{statistic!r} is no statistic", "Give gi_star or local_moran.", field="statistic"
            )
        )
    refuse(problems)
    n = values.size
    if not n:
        return np.empty(0)
    observed = neighbours.sums(values)
    at_least, at_most = np.empty(n, dtype=np.int64), np.empty(n, dtype=np.int64)
    state = int(np.random.default_rng(seed).integers(1, 2**62))
    tolerance = 1e-9 * max(1.0, float(np.abs(values).max()))

    def share(first: int) -> None:
        conditional_draws(
            values, neighbours.degrees, observed, tolerance, permutations, state,
            first, min(first + _CHUNK, n), at_least, at_most,
        )  # fmt: skip

    with ThreadPoolExecutor(min(_MAX_THREADS, os.cpu_count() or 1)) as pool:
        list(pool.map(share, range(0, n, _CHUNK)))
    high, low = (at_least + 1) / (permutations + 1), (at_most + 1) / (permutations + 1)
    if statistic == "local_moran":
        below = values < values.mean()
        high, low = np.where(below, low, high), np.where(below, high, low)
    if alternative == "greater":
        return high
    if alternative == "less":
        return low
    return np.minimum(1.0, 2 * np.minimum(high, low))


def seed_problems(seed: int) -> list[Problem]:
    """What is wrong with a seed."""
    if seed >= 0:
        return []
    return [Problem(f"a seed of {seed}", "Give a whole number from 0 on.", field="seed")]


def _noise(values: Floats) -> float:
    """Standard deviation below which values differ by rounding only."""
    return 1e-12 * max(1.0, float(np.abs(values).max())) if values.size else 0.0
