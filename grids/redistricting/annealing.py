"""Single-cell moves between neighbouring grids, accepted as in simulated annealing.

A move is only ever made when the grid that gives the cell stays in one piece on the walk graph
and the cell can be walked to from the grid that takes it: contiguity is never mended afterwards.
"""

# Compiled kernels take plain arrays, many of them.
# ruff: noqa: PLR0912, PLR0915, PLR0917

from __future__ import annotations

import numpy as np

from grids.redistricting.compiled import (
    Flags,
    Floats,
    Ints,
    Labels,
    State,
    below,
    decay,
    kernel,
    uniform,
)
from grids.redistricting.division import Division, Network, Scratch

STEPS = 16
"""Temperatures of one call."""

STRETCH = 2048
"""Cells that are moved by turns before the next as many."""


@kernel
def load_cost(
    households: int, centre: float, low: float, high: float, target: float, steep: Floats
) -> float:
    """Price of a grid's number of households.

    `steep` holds the prices of squared deviation from `centre`, of each 100 % beyond the band
    from `low` to `high`, and of being beyond it at all.
    """
    off = (households - centre) / target
    cost = float(steep[0] * off * off)
    if households > high:
        cost += steep[2] + steep[1] * (households - high) / target
    elif households < low:
        cost += steep[2] + steep[1] * (low - households) / target
    return cost


@kernel
def stays_whole(
    cell: int,
    starts: Ints,
    ends: Labels,
    walk: Flags,
    label: Labels,
    stamp: Ints,
    queue: Labels,
    mark: int,
) -> bool:
    """Whether a grid stays in one piece on the walk graph when `cell` leaves it.

    `mark` must be larger than any stamp used before and leave room for two more.
    """
    grid = label[cell]
    wanted = 0
    first = -1
    for e in range(starts[cell], starts[cell + 1]):
        other = ends[e]
        if walk[e] and label[other] == grid:
            wanted += 1
            stamp[other] = mark
            first = other
    if wanted <= 1:
        return wanted == 1
    # Most often its neighbours touch one another, and no other cell has to be looked at.
    near = mark + 1
    stamp[first] = near
    queue[0] = first
    head, tail = 0, 1
    while head < tail:
        here = queue[head]
        head += 1
        for e in range(starts[here], starts[here + 1]):
            other = ends[e]
            if walk[e] and stamp[other] == mark:
                stamp[other] = near
                queue[tail] = other
                tail += 1
                if tail == wanted:
                    return True
    reached = mark + 2
    stamp[cell] = reached
    found = tail
    for i in range(tail):
        stamp[queue[i]] = reached
    head = 0
    while head < tail:
        here = queue[head]
        head += 1
        for e in range(starts[here], starts[here + 1]):
            other = ends[e]
            if not walk[e] or label[other] != grid or stamp[other] == reached:
                continue
            if stamp[other] == mark:
                found += 1
                if found == wanted:
                    return True
            stamp[other] = reached
            queue[tail] = other
            tail += 1
    return False


@kernel
def anneal(
    network: Network,
    division: Division,
    target: float,
    steep: Floats,
    pool: Labels,
    moves: int,
    hot: float,
    cooling: float,
    second: Floats,
    weight: float,
    scratch: Scratch,
    state: State,
) -> float:
    """Try `moves` moves of cells out of `pool`, cooling from `hot`; changes the division.

    Parameters
    ----------
    pool
        Cells that may move.
    hot, cooling
        First temperature, in the units of the price, and its factor `STEPS` times along the way.
    second, weight
        Another measure of each cell, in parts of what a grid should have, and the price of its
        squared deviation; empty for none.

    Returns
    -------
    float
        Change of the total price.
    """
    starts, ends, walk, price, households, home, stay = network
    label, load, members, centre, low, high = division
    stamp, queue, marks = scratch
    mark = marks[0]
    other_load = np.zeros(len(load) if len(second) > 0 else 0)
    for cell in range(len(second)):
        other_load[label[cell]] += second[cell]
    gained = 0.0
    temperature = hot
    # One stretch of the list at a time: what cells near to one another need stays in the cache.
    stretches = max(1, len(pool) // STRETCH)
    stride = max(1, moves // (STEPS * stretches))
    room = 0
    for cell in pool:
        room += starts[cell + 1] - starts[cell]
    room += room // 4
    rim_cell = np.empty(room, dtype=np.int32)
    rim_other = np.empty(room, dtype=np.int32)
    is_whole = len(pool) == len(label)
    edges, rim, changed = 0, 0, -1
    step, until, tried = -1, 0, 0.0
    while True:
        if tried >= until:
            step += 1
            until = min((step + 1) * stride, moves)
            if step * stride >= moves:
                break
            if step > 0 and step % stretches == 0:
                temperature *= cooling
            if stretches > 1:
                changed = -1
        if changed < 0 or changed * 4 > rim:
            # Most edges lie inside a grid: those that do not are listed, and anew before long.
            edges, rim, changed = 0, 0, 0
            begin = len(pool) * (step % stretches) // stretches
            for i in range(begin, len(pool) * (step % stretches + 1) // stretches):
                cell = pool[i]
                edges += starts[cell + 1] - starts[cell]
                for e in range(starts[cell], starts[cell + 1]):
                    if walk[e] and label[ends[e]] != label[cell]:
                        rim_cell[rim], rim_other[rim] = cell, ends[e]
                        rim += 1
        if rim == 0:
            tried = until
            continue
        # Counts for the edges that were passed over, too.
        tried += edges / rim
        at = below(state, rim)
        cell = rim_cell[at]
        begin, end = starts[cell], starts[cell + 1]
        source, sink = label[cell], label[rim_other[at]]
        if source == sink:
            rim -= 1
            rim_cell[at], rim_other[at] = rim_cell[rim], rim_other[rim]
            continue
        if members[source] == 1:
            continue
        change = 0.0
        if home[cell] == source:
            change = stay[cell]
        elif home[cell] == sink:
            change = -stay[cell]
        for k in range(begin, end):
            grid = label[ends[k]]
            if grid == source:
                change += price[k]
            elif grid == sink:
                change -= price[k]
        count = households[cell]
        if count > 0:
            a, b = load[source], load[sink]
            change += load_cost(
                a - count, centre[source], low[source], high[source], target, steep
            ) - load_cost(a, centre[source], low[source], high[source], target, steep)
            change += load_cost(
                b + count, centre[sink], low[sink], high[sink], target, steep
            ) - load_cost(b, centre[sink], low[sink], high[sink], target, steep)
        if len(second) > 0:
            share = second[cell]
            off, lack = other_load[source] - 1.0, other_load[sink] - 1.0
            change += weight * share * (2.0 * share + 2.0 * lack - 2.0 * off)
        if change > 16.0 * temperature or (
            change > 0.0 and uniform(state) >= decay(change / temperature)
        ):
            continue
        mark += 3
        if not stays_whole(cell, starts, ends, walk, label, stamp, queue, mark):
            continue
        label[cell] = sink
        load[source] -= count
        load[sink] += count
        members[source] -= 1
        members[sink] += 1
        if len(second) > 0:
            other_load[source] -= second[cell]
            other_load[sink] += second[cell]
        gained += change
        changed += 1
        if rim + 2 * (end - begin) > room:
            changed = -1
            continue
        for k in range(begin, end):
            other = ends[k]
            if walk[k] and label[other] == source:
                rim_cell[rim], rim_other[rim] = cell, other
                rim += 1
                # Cells outside the pool stay where they are.
                if is_whole:
                    rim_cell[rim], rim_other[rim] = other, cell
                    rim += 1
    marks[0] = mark + 2
    return gained
