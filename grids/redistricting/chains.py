"""Ejection chains: a grid out of its band gives or takes, the next passes it on, until all fit.

One large building changes two grids by more than the tolerance, so that no single move helps. A
chain is judged as a whole: A gives to B what B gives to C, or back to A, which is an exchange. What
moves is a cell with all that hangs on it alone: a cell whose leaving would cut its grid in two
takes the lighter part along, so every grid is in one piece after every step.
"""

# Compiled kernels take plain arrays, many of them, and are one loop each.
# ruff: noqa: PLR0912, PLR0915, PLR0917

from __future__ import annotations

import numpy as np

from grids.redistricting.annealing import load_cost
from grids.redistricting.compiled import Floats, Ints, Labels, State, decay, kernel, uniform
from grids.redistricting.division import Division, Network, Roll, Scratch, transfer

DEPTH = 5
"""Steps of the longest chain."""


@kernel
def _hanging(
    cell: int,
    network: Network,
    label: Labels,
    stamp: Ints,
    mark: int,
    queue: Labels,
    piece: Labels,
) -> tuple[int, int]:
    """Cells that leave a grid with `cell`, itself first, and their households; 0 when all would.

    Of what falls apart the part with most households stays. `mark` must be new to `stamp`.
    """
    starts, ends, walk, _, households, _, _ = network
    grid = label[cell]
    stamp[cell] = mark
    tail = 0
    kept_from, kept_to, most, total = 0, 0, -1, 0
    for e in range(starts[cell], starts[cell + 1]):
        first = ends[e]
        if not walk[e] or label[first] != grid or stamp[first] == mark:
            continue
        begin = tail
        queue[tail] = first
        stamp[first] = mark
        head, tail, load = tail, tail + 1, 0
        while head < tail:
            here = queue[head]
            head += 1
            load += households[here]
            for k in range(starts[here], starts[here + 1]):
                other = ends[k]
                if walk[k] and label[other] == grid and stamp[other] != mark:
                    stamp[other] = mark
                    queue[tail] = other
                    tail += 1
        total += load
        if load > most:
            kept_from, kept_to, most = begin, tail, load
    if most < 0:
        return 0, 0
    piece[0] = cell
    count = 1
    for i in range(tail):
        if not kept_from <= i < kept_to:
            piece[count] = queue[i]
            count += 1
    return count, households[cell] + total - most


@kernel
def _border_change(
    piece: Labels, count: int, sink: int, network: Network, label: Labels, stamp: Ints, mark: int
) -> float:
    """Change of the price of borders and of staying when a piece moves; `mark` is new."""
    starts, ends, _, price, _, home, stay = network
    source = label[piece[0]]
    for i in range(count):
        stamp[piece[i]] = mark
    change = 0.0
    for i in range(count):
        cell = piece[i]
        if home[cell] == source:
            change += stay[cell]
        elif home[cell] == sink:
            change -= stay[cell]
        for e in range(starts[cell], starts[cell + 1]):
            other = ends[e]
            if stamp[other] == mark:
                continue
            if label[other] == source:
                change += price[e]
            elif label[other] == sink:
                change -= price[e]
    return change


@kernel
def exchange(
    grids: Ints,
    network: Network,
    division: Division,
    roll: Roll,
    target: float,
    steep: Floats,
    tries: int,
    hot: float,
    scratch: Scratch,
    state: State,
) -> int:
    """Try chains from each of `grids`; those that make the plan cheaper are kept.

    Parameters
    ----------
    roll
        Members of each grid; kept up to date.
    tries
        Chains tried from each grid.
    hot
        Temperature at which a chain that costs something is kept all the same.

    Returns
    -------
    int
        Chains kept.
    """
    starts, ends, walk, _, households, _, _ = network
    label, load, members, centre, low, high = division
    size = len(label)
    stamp, queue, marks = scratch
    mark = marks[0] + 1
    moved = np.zeros(size, dtype=np.int64)
    piece = np.empty(size + 1, dtype=np.int32)
    chosen = np.empty(size + 1, dtype=np.int32)
    log_cell = np.empty(size * DEPTH + 1, dtype=np.int32)
    log_from = np.empty(size * DEPTH + 1, dtype=np.int32)
    chain, kept = 0, 0
    for start in grids:
        # Grids of many small cells are mended by single moves; chains through them take long.
        for _ in range(max(2, tries * 8 // max(8, members[start]))):
            if members[start] == 0 or low[start] <= load[start] <= high[start]:
                break
            chain += 1
            share = uniform(state)
            noise = 3.0 * uniform(state)
            active = start
            length, best_length = 0, 0
            cost, best = 0.0, np.inf
            for _ in range(DEPTH):
                best_score = np.inf
                best_count, best_other, best_change = 0, -1, 0.0
                gives = True
                now = load_cost(
                    load[active], centre[active], low[active], high[active], target, steep
                )
                cell = roll.first[active]
                while cell >= 0:
                    count, people, own = 0, 0, False
                    for e in range(starts[cell], starts[cell + 1]):
                        near = ends[e]
                        other = label[near]
                        if other == active or not walk[e]:
                            continue
                        before = load_cost(
                            load[other], centre[other], low[other], high[other], target, steep
                        )
                        if moved[cell] != chain:
                            if not own:
                                mark += 1
                                count, people = _hanging(
                                    cell, network, label, stamp, mark, queue, piece
                                )
                                own = True
                            if count > 0:
                                mark += 1
                                change = _border_change(
                                    piece, count, other, network, label, stamp, mark
                                )
                                mine = (
                                    load_cost(
                                        load[active] - people,
                                        centre[active],
                                        low[active],
                                        high[active],
                                        target,
                                        steep,
                                    )
                                    - now
                                )
                                its = (
                                    load_cost(
                                        load[other] + people,
                                        centre[other],
                                        low[other],
                                        high[other],
                                        target,
                                        steep,
                                    )
                                    - before
                                )
                                score = mine + change + share * its + noise * uniform(state)
                                if score < best_score:
                                    best_score, best_other, gives = score, other, True
                                    best_change = change + mine + its
                                    best_count = count
                                    chosen[:count] = piece[:count]
                        if moved[near] != chain:
                            mark += 1
                            taken, crowd = _hanging(near, network, label, stamp, mark, queue, piece)
                            own = False
                            if taken > 0:
                                mark += 1
                                change = _border_change(
                                    piece, taken, active, network, label, stamp, mark
                                )
                                mine = (
                                    load_cost(
                                        load[active] + crowd,
                                        centre[active],
                                        low[active],
                                        high[active],
                                        target,
                                        steep,
                                    )
                                    - now
                                )
                                its = (
                                    load_cost(
                                        load[other] - crowd,
                                        centre[other],
                                        low[other],
                                        high[other],
                                        target,
                                        steep,
                                    )
                                    - before
                                )
                                score = mine + change + share * its + noise * uniform(state)
                                if score < best_score:
                                    best_score, best_other, gives = score, other, False
                                    best_change = change + mine + its
                                    best_count = taken
                                    chosen[:taken] = piece[:taken]
                    cell = roll.following[cell]
                if best_other < 0 or length + best_count > len(log_cell):
                    break
                source, sink = (active, best_other) if gives else (best_other, active)
                for i in range(best_count):
                    log_cell[length], log_from[length] = chosen[i], source
                    length += 1
                    moved[chosen[i]] = chain
                    transfer(chosen[i], sink, households, label, load, members, roll)
                cost += best_change
                if cost < best:
                    best, best_length = cost, length
                active = best_other
            keep = best < -1e-9 or (
                best_length > 0 and hot > 0.0 and uniform(state) < decay(max(best, 0.0) / hot)
            )
            if keep:
                kept += 1
            else:
                best_length = 0
            while length > best_length:
                length -= 1
                transfer(log_cell[length], log_from[length], households, label, load, members, roll)
    marks[0] = mark
    return kept
