"""Compiled inner loops of the scan statistic.

A window's likelihood ratio grows with its count and falls with its expectation. So, for a ratio to
beat, there is a critical count for each expectation. Simulations go through the windows together,
their counts packed in four 64-bit words, sixteen of 16 bits or eight of 32 (where there are more
events than fit). Adding what lies between the critical count and the field's highest bit sets that
bit where a count is critical: an addition looks at all of a word's counts at once, and logarithms
are taken only where a bit is set.
"""

# Compiled functions take positional arguments only.
# ruff: noqa: PLR0917, PLR0912

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt

from grids.redistricting.compiled import kernel
from maps.hotspots.checks import Floats, Ints, Mask, Rows

Words = npt.NDArray[np.uint64]

WORDS = 4
"""Words in which the simulations that go through the windows together are packed."""

MAX_NARROW = 65_535
"""Events on a map up to which a count may be packed in 16 bits, so that none runs into the next."""

MAX_WINDOW = 32_767
"""Events in a window up to which its 16 bits tell whether a critical count is reached."""

_BINS = 8_192
_BLOCK = 64  # Centres between two looks at whether the critical counts have risen.


@kernel
def log_ratio(count: float, expected: float, total: float) -> float:
    """Kulldorff's log likelihood ratio of a window (1997, Poisson model); 0 if not high."""
    if count <= expected:
        return 0.0
    if expected <= 0.0:
        return np.inf
    inside = count * math.log(count / expected)
    outside = total - count
    if outside > 0.0:
        inside += outside * math.log(outside / (total - expected))
    return inside


@kernel
def _critical(threshold: float, total: float, width: float, bits: int, table: Words) -> None:
    """For each bin of expectation, what to add so that the counts to look at set the highest bit.

    That is, counts whose ratio reaches the threshold at the lower end of the bin.
    """
    highest = np.uint64(1) << np.uint64(bits - 1)
    each = np.uint64(0)
    for at in range(0, 64, bits):
        each |= np.uint64(1) << np.uint64(at)
    # A count of the highest bit has it set by itself: more need not be told apart.
    most = min(int(total) + 1, 1 << (bits - 1))
    count = 1
    for b in range(table.shape[0]):
        while count < most and log_ratio(float(count), b * width, total) < threshold:
            count += 1
        table[b] = (highest - np.uint64(count)) * each


@kernel
def _lane(word: int, lane: int, bits: int) -> float:
    field = (np.uint64(1) << np.uint64(bits)) - np.uint64(1)
    return float((np.uint64(word) >> np.uint64(lane * bits)) & field)


@kernel
def simulated_maxima(
    order: Rows,
    closes: Mask,
    starts: Ints,
    cases: Words,
    bits: int,
    expected: Floats,
    total: float,
    largest_expected: float,
    best: Floats,
) -> bool:
    """Raise `best`, one per lane, to the largest ratio of any window.

    `cases` has the shape (n, WORDS), each word 64 / bits counts, the first in the lowest bits.
    Lanes that are not used have an infinite `best`. False: a window had more events than its bits
    can tell, and `best` is worth nothing.
    """
    n = starts.shape[0] - 1
    per_word = 64 // bits
    for word in range(WORDS):
        for lane in range(per_word):
            at = word * per_word + lane
            for centre in range(n):
                if starts[centre + 1] > starts[centre] and closes[starts[centre]]:
                    count = _lane(cases[centre, word], lane, bits)
                    best[at] = max(best[at], log_ratio(count, expected[centre], total))
    highest = np.uint64(0)
    for at in range(bits - 1, 64, bits):
        highest |= np.uint64(1) << np.uint64(at)
    width = largest_expected / (_BINS - 2)
    per_bin = 1.0 / width
    table = np.empty(_BINS, dtype=np.uint64)
    threshold = best.min()
    _critical(threshold, total, width, bits, table)
    counted = np.empty(WORDS, dtype=np.uint64)
    for centre in range(n):
        if centre % _BLOCK == 0 and best.min() > threshold * 1.02 + 1e-9:
            threshold = best.min()
            _critical(threshold, total, width, bits, table)
        a = b = c = d = np.uint64(0)
        e = 0.0
        for at in range(starts[centre], starts[centre + 1]):
            grid = order[at]
            e += expected[grid]
            a += cases[grid, 0]
            b += cases[grid, 1]
            c += cases[grid, 2]
            d += cases[grid, 3]
            lift = table[min(int(e * per_bin), _BINS - 1)]
            if closes[at] and ((a + lift) | (b + lift) | (c + lift) | (d + lift)) & highest:
                counted[0], counted[1], counted[2], counted[3] = a, b, c, d
                for word in range(WORDS):
                    if not (counted[word] + lift) & highest:
                        continue
                    for lane in range(per_word):
                        k = _lane(counted[word], lane, bits)
                        over = k - e
                        lowest = best[word * per_word + lane]
                        # The chi-squared distance is never below the ratio: most need no logarithm.
                        if over > 0 and over * over * total > lowest * e * (total - e):
                            ratio = log_ratio(k, e, total)
                            best[word * per_word + lane] = max(lowest, ratio)
        # The last window of a centre holds all the others.
        if (a | b | c | d) & highest:
            return False
    return True


@kernel
def best_window(
    order: Rows,
    closes: Mask,
    starts: Ints,
    cases: Floats,
    expected: Floats,
    total: float,
    blocked: Mask,
    least: float,
) -> tuple[float, int, int]:
    """Ratio, centre and size of the best window above `least` that holds no blocked grid.

    Size 0: there is none.
    """
    best = least
    where, size = 0, 0
    for centre in range(starts.shape[0] - 1):
        c = 0.0
        e = 0.0
        for at in range(starts[centre], starts[centre + 1]):
            grid = order[at]
            if blocked[grid]:
                break
            c += cases[grid]
            e += expected[grid]
            if closes[at] and c > e and (c - e) * (c - e) * total > best * e * (total - e):
                ratio = log_ratio(c, e, total)
                if ratio > best:
                    best, where, size = ratio, centre, at + 1 - starts[centre]
    return best, where, size
