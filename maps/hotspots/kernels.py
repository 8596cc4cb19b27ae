"""Compiled inner loops of neighbours, permutations and near repeats.

Importing this module loads the compiler, so its users do it on their first call.
"""

# Compiled functions take positional arguments only.
# ruff: noqa: PLR0917

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from grids.redistricting.compiled import below, kernel
from maps.hotspots.checks import Floats, Ints, Rows

Keys = npt.NDArray[np.uint64]
State = npt.NDArray[np.uint64]


@kernel
def count_meetings(keys: Keys, xy: Floats, owner: Ints) -> int:
    """How many pairs `list_meetings` will list."""
    found = 0
    m = keys.shape[0]
    i = 0
    while i < m:
        end = i + 1
        while end < m and keys[end] == keys[i]:
            end += 1
        for a in range(i, end):
            for b in range(a + 1, end):
                if owner[a] != owner[b] and xy[a, 0] == xy[b, 0] and xy[a, 1] == xy[b, 1]:
                    found += 1
        i = end
    return found


@kernel
def list_meetings(keys: Keys, xy: Floats, owner: Ints, n: int, out: Ints) -> None:
    """Write ``lower * n + higher`` for each two owners of one place; keys are ascending."""
    found = 0
    m = keys.shape[0]
    i = 0
    while i < m:
        end = i + 1
        while end < m and keys[end] == keys[i]:
            end += 1
        for a in range(i, end):
            for b in range(a + 1, end):
                if owner[a] != owner[b] and xy[a, 0] == xy[b, 0] and xy[a, 1] == xy[b, 1]:
                    out[found] = min(owner[a], owner[b]) * n + max(owner[a], owner[b])
                    found += 1
        i = end


@kernel
def conditional_draws(
    values: Floats,
    degrees: Ints,
    observed: Floats,
    tolerance: float,
    permutations: int,
    seed: int,
    first: int,
    last: int,
    at_least: Ints,
    at_most: Ints,
) -> None:
    """How often as many other grids, drawn anew, add up to at least, and at most, the observed.

    For rows `first` up to `last`. Each grid has its own stream of random numbers, so that the
    answer does not depend on how the rows are shared between threads.
    """
    n = values.shape[0]
    deck = np.arange(n)
    place = np.arange(n)
    state = np.empty(1, dtype=np.uint64)
    for i in range(first, last):
        k = degrees[i]
        if k == 0:
            at_least[i] = permutations
            at_most[i] = permutations
            continue
        state[0] = np.uint64(seed) + np.uint64(i + 1) * np.uint64(0xD1B54A32D192ED03)
        # The grid itself goes to the end of the deck, where nothing is drawn. The rest of the
        # deck stays as it was last shuffled: any order is as good a start as another.
        other = deck[n - 1]
        deck[place[i]] = other
        place[other] = place[i]
        deck[n - 1] = i
        place[i] = n - 1
        high = 0
        low = 0
        for _ in range(permutations):
            total = 0.0
            for j in range(k):
                chosen = j + below(state, n - 1 - j)
                a, b = deck[j], deck[chosen]
                deck[j], deck[chosen] = b, a
                place[b], place[a] = j, chosen
                total += values[b]
            if total >= observed[i] - tolerance:
                high += 1
            if total <= observed[i] + tolerance:
                low += 1
        at_least[i] = high
        at_most[i] = low


@kernel
def largest_window(
    values: Floats,
    starts: Ints,
    rows: Rows,
    centre: Floats,
    spread: Floats,
    permutations: int,
    seed: int,
    out: Floats,
) -> None:
    """Largest standardised window sum of each of many shuffles of the values."""
    n = values.shape[0]
    shuffled = values.copy()
    state = np.empty(1, dtype=np.uint64)
    state[0] = np.uint64(seed)
    for p in range(permutations):
        for j in range(n - 1, 0, -1):
            chosen = below(state, j + 1)
            shuffled[j], shuffled[chosen] = shuffled[chosen], shuffled[j]
        largest = -np.inf
        for i in range(n):
            if spread[i] > 0:
                total = shuffled[i]
                for at in range(starts[i], starts[i + 1]):
                    total += shuffled[rows[at]]
                largest = max(largest, (total - centre[i]) / spread[i])
        out[p] = largest


@kernel
def count_close(
    first: Rows,
    second: Rows,
    band: npt.NDArray[np.int8],
    times: Floats,
    order: Rows,
    edges: Floats,
    out: Ints,
) -> None:
    """Add up pairs by distance band and by time apart, the times taken in the order given."""
    last = edges[edges.shape[0] - 1]
    for p in range(first.shape[0]):
        apart = abs(times[order[first[p]]] - times[order[second[p]]])
        if apart > last:
            continue
        t = 0
        while apart > edges[t]:
            t += 1
        out[band[p], t] += 1
