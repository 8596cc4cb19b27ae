"""Compiled loop of the density along streets; importing this module loads the compiler."""

# Compiled functions take positional arguments only.
# ruff: noqa: PLR0917

from __future__ import annotations

import math

import numba
import numpy as np

from maps.network.streets import Floats, Ints

QUARTIC, GAUSSIAN = 0, 1
CUT = 3.0
"""Standard deviations at which the Gaussian is cut; what is left has a mass of 1."""
LEAST_SHARE = 1e-5
"""Share of an event below which a branch is not followed; what it held is counted."""
AT_NODE_M = 1e-6


@numba.njit(cache=True, nogil=True)  # type: ignore[misc, unused-ignore]
def mass_within(distance_m: float, bandwidth_m: float, kernel: int) -> float:
    """Mass of the kernel between its centre and a distance, on one side: up to 0.5."""
    if kernel == QUARTIC:
        x = min(max(distance_m, 0.0) / bandwidth_m, 1.0)
        return 15.0 / 16.0 * (x - 2.0 * x**3 / 3.0 + x**5 / 5.0)
    x = min(max(distance_m, 0.0) / bandwidth_m, CUT)
    return 0.5 * math.erf(x / math.sqrt(2.0)) / math.erf(CUT / math.sqrt(2.0))


@numba.njit(cache=True, nogil=True)  # type: ignore[misc, unused-ignore]
def chained(first: Ints, beyond: Ints, number: Ints, starts: Ints) -> tuple[Ints, Ints]:
    """Follow segments from each start through vertices of two until one of another degree.

    The segments of vertex ``v`` are ``first[v]`` to ``first[v + 1]``; each leads to ``beyond`` and
    has its ``number``, the same from both its ends. Every segment is walked once. Returns the
    vertices of all chains, one after the other, and shape (chains + 1): where each begins.
    """
    segments = len(number) // 2
    used = np.zeros(segments, dtype=np.bool_)
    walked = np.empty(2 * segments, dtype=np.int64)
    begins = np.zeros(segments + 1, dtype=np.int64)
    chains, length = 0, 0
    for start in starts:
        for way in range(first[start], first[start + 1]):
            if used[number[way]]:
                continue
            walked[length] = start
            length += 1
            at = way
            while True:
                used[number[at]] = True
                here = beyond[at]
                walked[length] = here
                length += 1
                if first[here + 1] - first[here] != 2 or here == start:
                    break
                one, other = first[here], first[here] + 1
                at = other if number[one] == number[at] else one
            chains += 1
            begins[chains] = length
    return walked[:length], begins[: chains + 1]


@numba.njit(cache=True, nogil=True)  # type: ignore[misc, unused-ignore]
def spread(  # noqa: PLR0912, PLR0915  (one loop: a call per arm would cost more)
    ends: Ints,
    length_m: Floats,
    halves: Ints,
    first_half: Ints,
    first_lixel: Ints,
    lixel_m: Floats,
    event_edge: Ints,
    event_at: Floats,
    weights: Floats,
    bandwidth_m: float,
    kernel: int,
    mass: Floats,
) -> tuple[float, float]:
    """Add each event's mass to the lixels it reaches; return what was lost.

    Half ``2 e`` is edge ``e`` walked from its start, ``2 e + 1`` from its end; ``halves`` holds
    those that leave each node, from ``first_half`` on. Returns the mass cut off at dead ends and
    that of branches below `LEAST_SHARE`.
    """
    reach = bandwidth_m if kernel == QUARTIC else CUT * bandwidth_m
    widest = np.max(first_half[1:] - first_half[:-1])
    # A node that branches halves the share at least, so that few are followed below each other.
    size = 2 + (2 + int(math.log2(1.0 / LEAST_SHARE))) * widest
    todo_half = np.empty(size, dtype=np.int64)
    todo_from = np.empty(size)
    todo_share = np.empty(size)
    at_dead_ends = 0.0
    dropped = 0.0
    for i in range(event_edge.shape[0]):
        edge, at = event_edge[i], event_at[i]
        node = -1
        if at <= AT_NODE_M:
            node = ends[edge, 0]
        elif at >= length_m[edge] - AT_NODE_M:
            node = ends[edge, 1]
        if node >= 0:
            arms = first_half[node + 1] - first_half[node]
            for j in range(arms):
                todo_half[j] = halves[first_half[node] + j]
                todo_from[j] = 0.0
                todo_share[j] = 2.0 / arms if arms > 1 else 1.0
            todo = arms
            if arms == 1:
                at_dead_ends += 0.5 * weights[i]
        else:
            todo_half[0], todo_half[1] = 2 * edge, 2 * edge + 1
            todo_from[0], todo_from[1] = -at, at - length_m[edge]
            todo_share[0], todo_share[1] = 1.0, 1.0
            todo = 2
        while todo:
            todo -= 1
            half, start, share = todo_half[todo], todo_from[todo], todo_share[todo]
            edge, backwards = half >> 1, half & 1
            step = lixel_m[edge]
            low, many = first_lixel[edge], first_lixel[edge + 1] - first_lixel[edge]
            k = max(0, int(-start / step) - 1)
            before = mass_within(start + k * step, bandwidth_m, kernel)
            while k < many and start + k * step < reach:
                after = mass_within(start + (k + 1) * step, bandwidth_m, kernel)
                where = low + (many - 1 - k if backwards else k)
                mass[where] += weights[i] * share * (after - before)
                before = after
                k += 1
            distance = start + length_m[edge]
            if distance >= reach:
                continue
            node = ends[edge, 1 - backwards]
            arms = first_half[node + 1] - first_half[node]
            beyond = share * weights[i] * (0.5 - mass_within(distance, bandwidth_m, kernel))
            if arms == 1:
                at_dead_ends += beyond
            elif share / (arms - 1) < LEAST_SHARE:
                dropped += beyond
            else:
                for j in range(first_half[node], first_half[node + 1]):
                    # Never back the way it came: at a loop that is one of its two ends.
                    if halves[j] != half ^ 1:
                        todo_half[todo] = halves[j]
                        todo_from[todo] = distance
                        todo_share[todo] = share / (arms - 1)
                        todo += 1
    return at_dead_ends, dropped
