"""The test of hot spots that wangge shows: exact p per window, false alarms held down over the map.

On a quiet map - every household at the same risk - the share of weeks with any hot grid at all
stays at or under the level. Normal theory does not keep that promise for small counts.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt
from scipy.special import betainc, gammainc

from gis.errors import Problem
from maps.hotspots.checks import (
    Floats,
    Ints,
    Mask,
    exposures,
    fraction,
    numbers,
    refuse,
    simulations_problems,
)
from maps.hotspots.local import seed_problems
from maps.hotspots.neighbours import Neighbours

Control = Literal["bh", "by"]
Test = Literal["exact", "permutation"]


@dataclass(frozen=True, slots=True, eq=False)
class HotGrids:
    """Which grids are hot, each judged with its neighbours.

    Attributes
    ----------
    hot
        Shape (n,): more than chance explains, at `level` over the whole map.
    p
        Shape (n,): chance of as many events in the window, or more, if risk were even.
    q
        Shape (n,): the same corrected for looking at every grid; hot is ``q <= level``.
    observed, expected
        Shape (n,): events in the window, and those to be expected at even risk.
    tested
        Shape (n,): False where exposure is unknown or 0; p and q are 1 there.
    left_out
        Events in grids that were not tested; they count nowhere in the test.
    level
        Of the test.
    """

    hot: Mask
    p: Floats
    q: Floats
    observed: Floats
    expected: Floats
    tested: Mask
    left_out: int
    level: float

    @property
    def ratio(self) -> Floats:
        """Observed over expected, shape (n,); NaN where nothing is expected."""
        with np.errstate(invalid="ignore", divide="ignore"):
            ratio: Floats = np.where(self.expected > 0, self.observed / self.expected, np.nan)
        return ratio


def adjusted(p: npt.ArrayLike, control: Control = "bh") -> Floats:
    """P values corrected for their number: reject those at or under the level.

    Parameters
    ----------
    p
        Shape (n,), 0 to 1.
    control
        ``"bh"``: Benjamini and Hochberg (1995), right for windows that overlap, since their counts
        rise together (Benjamini and Yekutieli 2001, theorem 1.2). ``"by"``: the latter's theorem
        1.3, right whatever the dependence, and stricter by ``1 + 1/2 + ... + 1/n``.

    Returns
    -------
    array
        Shape (n,): the smallest level at which each would still be rejected, at most 1.

    Raises
    ------
    BadInput
        A p is unknown or beyond 0 to 1, or the control is neither.
    """
    values, problems = numbers(p, "p")
    beyond = np.flatnonzero(values > 1)
    if beyond.size:
        problems.append(
            Problem(
                f"{beyond.size} values are above 1",
                "Give p values.",
                row=int(beyond[0]) + 1,
                field="p",
            )
        )
    problems += _control_problems(control)
    refuse(problems)
    n = values.size
    if not n:
        return values
    order = np.argsort(values)
    factor = n / np.arange(1, n + 1)
    if control == "by":
        factor *= (1 / np.arange(1, n + 1)).sum()
    stepped = np.minimum.accumulate((values[order] * factor)[::-1])[::-1]
    q = np.empty(n)
    q[order] = np.minimum(stepped, 1.0)
    return q


def poisson_p(observed: npt.ArrayLike, expected: npt.ArrayLike, *, mid: bool = False) -> Floats:
    """Chance of at least so many events when `expected` are to be expected.

    Parameters
    ----------
    observed, expected
        Shape (n,): whole numbers; means, 0 or more.
    mid
        Half the chance of exactly the observed number is taken off. Closer to the level on
        average, but no longer sure to keep it.

    Returns
    -------
    array
        Shape (n,). 1 where nothing was observed (with `mid` 1 minus half of its chance); 0 where
        something was and nothing expected.

    Raises
    ------
    BadInput
        Numbers are fractional, negative or unknown, or the shapes differ.
    """
    counts, problems = numbers(observed, "observed", whole=True)
    means, more = numbers(expected, "expected", counts.shape)
    refuse(problems + more)
    # P(X >= k) of a Poisson variable is the regularised lower incomplete gamma function of k.
    p = np.where(counts > 0, gammainc(np.maximum(counts, 1), means), 1.0)
    if mid:
        p -= (p - gammainc(counts + 1, means)) / 2
    return p


def binomial_p(observed: npt.ArrayLike, total: int, share: npt.ArrayLike) -> Floats:
    """Chance of at least so many of `total` events, when each falls in with chance `share`.

    It is the exact test of a Poisson count against its share of the map's own total: the rate,
    which is estimated from the same map, drops out.

    Parameters
    ----------
    observed, share
        Shape (n,): whole numbers; 0 to 1.
    total
        Events on the map.

    Raises
    ------
    BadInput
        Numbers are fractional, negative or unknown, shares are above 1, or the shapes differ.
    """
    counts, problems = numbers(observed, "observed", whole=True)
    shares, more = numbers(share, "share", counts.shape)
    problems += more
    if (shares > 1 + 1e-9).any():
        problems.append(Problem("shares above 1", "Give parts of the whole.", field="share"))
    if (counts > total).any():
        problems.append(
            Problem("more events than in total", "Give the map's total.", field="total")
        )
    refuse(problems)
    k = np.maximum(counts, 1)
    return np.where(
        counts > 0, betainc(k, np.maximum(total - k + 1, 1), np.minimum(shares, 1.0)), 1.0
    )


def hot_grids(
    counts: npt.ArrayLike,
    neighbours: Neighbours,
    *,
    exposure: npt.ArrayLike | None = None,
    expected: npt.ArrayLike | None = None,
    test: Test = "exact",
    control: Control = "bh",
    level: float = 0.05,
    permutations: int = 999,
    seed: int = 0,
) -> HotGrids:
    """Grids that, with their neighbours, have more events than chance explains.

    Parameters
    ----------
    counts
        Shape (n,): whole numbers of events, one period.
    neighbours
        Of the same n grids. An island is judged by itself alone.
    exposure
        Shape (n,): households or the like that events come from. Each window's events are then
        compared with its share of the map's exposure (exact binomial p). Left out: each grid the
        same. Grids of unknown (NaN) or no exposure are not tested.
    expected
        Shape (n,): events to be expected per grid, from history or a model, instead of exposure
        (exact Poisson p). Then a rise of the whole map is also a rise.
    test
        ``"exact"``, or ``"permutation"``: counts are shuffled over the grids and the largest
        standardised window of each shuffle is what p is measured by. It holds for counts of any
        distribution, also where events come in bursts, but takes grids for alike, so it goes
        with neither exposure nor expected.
    control
        Of the exact p; see `adjusted`. The permutation's p needs none.
    level
        Highest share of quiet maps on which any grid may be called hot. Exact p are those of
        whole numbers and lie above the nominal ones, so the true share is lower.
    permutations, seed
        Of the permutation test.

    Returns
    -------
    HotGrids
        Without any events nothing is hot and p is 1 everywhere.

    Raises
    ------
    BadInput
        Everything that is wrong with the arguments, at once.
    """
    n = neighbours.n
    values, problems = numbers(counts, "counts", (n,), whole=True)
    homes, more = exposures(exposure, n)
    problems += more
    if expected is not None:
        homes, more = numbers(expected, "expected", (n,), unknown=True)
        problems += more
        if exposure is not None:
            problems.append(
                Problem("both exposure and expected", "Give one of them.", field="expected")
            )
    problems += _control_problems(control) + fraction(level, "level", 0.5) + seed_problems(seed)
    if test not in {"exact", "permutation"}:
        problems.append(Problem(f"{test!r} is no test", "Give exact or permutation.", field="test"))
    if test == "permutation":
        problems += simulations_problems(permutations, "permutations")
        if exposure is not None or expected is not None:
            problems.append(
                Problem(
                    "a permutation takes all grids for alike",
                    "Leave exposure and expected out, or take the exact test.",
                    field="test",
                )
            )
    refuse(problems)

    tested = np.isfinite(homes) & (homes > 0)
    left_out = int(values[~tested].sum())
    values = np.where(tested, values, 0.0)
    homes = np.where(tested, homes, 0.0)
    observed, around = neighbours.windows(values), neighbours.windows(homes)
    total = values.sum()
    if expected is None and homes.any():
        around = around / homes.sum()
        means = around * total
    else:
        means = around
    if test == "permutation":
        p, q = _shuffled(values, neighbours, observed, permutations, seed)
    else:
        p = np.ones(n)
        if expected is None:
            p[tested] = binomial_p(observed[tested], int(total), around[tested])
        else:
            p[tested] = poisson_p(observed[tested], means[tested])
        q = np.ones(n)
        q[tested] = adjusted(p[tested], control)
    return HotGrids(q <= level, p, q, observed, means, tested, left_out, level)


def _shuffled(
    values: Floats, neighbours: Neighbours, observed: Floats, permutations: int, seed: int
) -> tuple[Floats, Floats]:
    """P of each window alone, and among the largest of each shuffled map (Westfall and Young)."""
    from maps.hotspots.kernels import largest_window  # noqa: PLC0415

    n = values.size
    if n < 2 or np.ptp(values) == 0:
        return np.ones(n), np.ones(n)
    window = (neighbours.degrees + 1).astype(np.float64)
    centre = window * values.mean()
    spread = values.std() * np.sqrt(np.maximum(window * (n - window), 0) / (n - 1))
    generator = np.random.default_rng(seed)
    state = int(generator.integers(1, 2**62))
    largest = np.empty(permutations)
    largest_window(
        values, neighbours.starts, neighbours.rows, centre, spread, permutations, state, largest
    )
    z = np.divide(observed - centre, spread, out=np.full(n, -np.inf), where=spread > 0)
    largest.sort()
    beaten = permutations - np.searchsorted(largest, z - 1e-9)
    return _alone(values, window, observed, permutations, generator), (1 + beaten) / (
        1 + permutations
    )


def _alone(
    values: Floats,
    window: Floats,
    observed: Floats,
    permutations: int,
    generator: np.random.Generator,
) -> Floats:
    """P of each window by draws of windows of its size, shared by all windows of that size."""
    p = np.ones(values.size)
    for size in np.unique(window).astype(np.int64):
        draws = np.array(
            [generator.choice(values, size, replace=False).sum() for _ in range(permutations)]
        )
        draws.sort()
        here = window == size
        beaten = permutations - np.searchsorted(draws, observed[here] - 1e-9)
        p[here] = (1 + beaten) / (1 + permutations)
    return p


def _control_problems(control: str) -> list[Problem]:
    if control in {"bh", "by"}:
        return []
    return [Problem(f"{control!r} is no control", "Give bh or by.", field="control")]


def alarms(
    neighbours: Neighbours,
    exposure: npt.ArrayLike,
    mean: float,
    *,
    weeks: int = 200,
    level: float = 0.05,
    control: Control = "bh",
    seed: int = 0,
) -> Ints:
    """Hot grids on simulated quiet weeks: what this map's false alarms are like.

    Parameters
    ----------
    neighbours, exposure
        Of the map; events fall on grids in proportion to exposure.
    mean
        Events per grid and week on average, above 0.
    weeks, seed
        Weeks simulated, 1 or more.
    level, control
        As for `hot_grids`.

    Returns
    -------
    array
        Shape (weeks,): number of hot grids in each. All of them are false.

    Raises
    ------
    BadInput
        Everything that is wrong with the arguments, at once.
    """
    homes, problems = numbers(exposure, "exposure", (neighbours.n,), unknown=True)
    homes = np.where(np.isfinite(homes), homes, 0.0)
    problems += seed_problems(seed) + fraction(mean, "mean", 1e6)
    if weeks < 1:
        problems.append(Problem(f"{weeks} weeks", "Give 1 or more.", field="weeks"))
    if not problems and not homes.any():
        problems.append(Problem("no grid has any exposure", "Give households.", field="exposure"))
    refuse(problems)
    generator = np.random.default_rng(seed)
    rate = mean * homes * (homes.size / homes.sum())
    return np.array(
        [
            hot_grids(
                generator.poisson(rate), neighbours, exposure=homes, control=control, level=level
            ).hot.sum()
            for _ in range(weeks)
        ],
        dtype=np.int64,
    )
