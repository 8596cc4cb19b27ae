"""Hot spots over weeks: which are new, which stay, which fade, which come and go."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

import numpy as np
import numpy.typing as npt
from scipy.special import ndtr

from gis.errors import Problem
from maps.hotspots.checks import Floats, Mask, exposures, fraction, numbers, refuse
from maps.hotspots.discovery import adjusted, hot_grids
from maps.hotspots.neighbours import Neighbours

MIN_BLOCKS = 3
"""Blocks of weeks without which there is no before and after."""


class Kind(StrEnum):
    """What a grid's hot spot does over the weeks.

    ``EMERGING``: hot in the last block and never before; or hot in less than half of the blocks
    before and rising; or rising, though not hot yet. ``PERSISTING``: hot in the last block and in
    at least half of those before. ``FADING``: not hot in the last block, but in at least half of
    those before, or hot before and falling. ``SPORADIC``: hot in any block, and none of the
    former. ``NONE``: never hot, not rising.
    """

    EMERGING = "emerging"
    PERSISTING = "persisting"
    FADING = "fading"
    SPORADIC = "sporadic"
    NONE = "none"


@dataclass(frozen=True, slots=True, eq=False)
class Emerging:
    """What hot spots do over the weeks.

    Attributes
    ----------
    kinds
        One per grid.
    hot
        Shape (n, blocks), the oldest first: hot in that block, by `hot_grids`.
    trend
        Shape (n,): standardised trend of the window's share of the map's events; above 0 rising.
    trend_q
        Shape (n,): its two-sided p, corrected for the number of grids.
    weeks_per_block, weeks_unused
        Length of a block; the oldest weeks that filled no block.
    """

    kinds: tuple[Kind, ...]
    hot: Mask
    trend: Floats
    trend_q: Floats
    weeks_per_block: int
    weeks_unused: int


def emerging(
    counts: npt.ArrayLike,
    neighbours: Neighbours,
    *,
    exposure: npt.ArrayLike | None = None,
    weeks_per_block: int = 4,
    level: float = 0.05,
) -> Emerging:
    """Follow hot spots over blocks of weeks, counted back from the last week.

    The trend of a window is that of its part in the map's events, so that a season which lifts the
    whole map is no trend: given the window's total, its events fall on the blocks as the map's do,
    and ``sum of b (y_b - Y s_b)`` over blocks b has mean 0 and variance
    ``Y (sum s_b b^2 - (sum s_b b)^2)``, y the window's counts with total Y, s the map's shares
    (score test of a Poisson trend, after Cochran 1954 and Armitage 1955).

    Parameters
    ----------
    counts
        Shape (n, weeks): whole numbers of events, the oldest week first.
    neighbours
        Of the same n grids.
    exposure
        As for `hot_grids`.
    weeks_per_block
        1 or more; there must be at least 3 blocks.
    level
        Of each block's test and of the trends.

    Raises
    ------
    BadInput
        Everything that is wrong with the arguments, at once; fewer weeks than 3 blocks.
    """
    shape = np.shape(counts)
    weeks = shape[1] if len(shape) == 2 else 0
    values, problems = numbers(counts, "counts", (neighbours.n, weeks), whole=True)
    homes, more = exposures(exposure, neighbours.n)
    problems += more + fraction(level, "level", 0.5)
    if weeks_per_block < 1:
        problems.append(Problem("no weeks", "Give 1 or more.", field="weeks_per_block"))
    elif len(shape) == 2 and weeks < MIN_BLOCKS * weeks_per_block:
        problems.append(
            Problem(
                f"{weeks} weeks are fewer than {MIN_BLOCKS} blocks of {weeks_per_block}",
                f"Give {MIN_BLOCKS * weeks_per_block} weeks or more, or shorter blocks.",
                field="counts",
            )
        )
    refuse(problems)
    blocks = weeks // weeks_per_block
    unused = weeks - blocks * weeks_per_block
    per_block = values[:, unused:].reshape(neighbours.n, blocks, weeks_per_block).sum(axis=2)
    hot = np.column_stack(
        [hot_grids(each, neighbours, exposure=homes, level=level).hot for each in per_block.T]
    )
    trend = _trend(neighbours.windows(per_block), per_block.sum(axis=0))
    q = adjusted(2 * ndtr(-np.abs(trend)))
    now, often = hot[:, -1], hot[:, :-1].mean(axis=1)
    rising, falling = (q <= level) & (trend > 0), (q <= level) & (trend < 0)
    kinds = np.select(
        [
            (now & ((often == 0) | (rising & (often < 0.5)))) | (rising & ~now),
            now & (often >= 0.5),
            ~now & (often > 0) & (falling | (often >= 0.5)),
            hot.any(axis=1),
        ],
        [Kind.EMERGING.value, Kind.PERSISTING.value, Kind.FADING.value, Kind.SPORADIC.value],
        default=Kind.NONE.value,
    )
    return Emerging(
        tuple(Kind(each) for each in kinds.tolist()), hot, trend, q, weeks_per_block, unused
    )


def _trend(windows: Floats, whole: Floats) -> Floats:
    n = len(windows)
    if not whole.sum():
        return np.zeros(n)
    share = whole / whole.sum()
    moment = np.arange(whole.size, dtype=np.float64)
    total = windows.sum(axis=1)
    score = windows @ moment - total * (share @ moment)
    variance = total * (share @ moment**2 - (share @ moment) ** 2)
    return np.divide(score, np.sqrt(variance), out=np.zeros(n), where=variance > 1e-12)
