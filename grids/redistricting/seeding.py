"""First layout: a place is halved again and again between its far ends until grids are left.

A half is the set of cells nearer, by steps on the walk graph, to one far end than to the other by
more than some distance. Such a set holds the way from each of its cells to its end, so both
halves are in one piece. Steps over barriers count extra, so the line between halves falls on them.
"""

# Compiled kernels take plain arrays, many of them, and are one loop each.
# ruff: noqa: PLR0912, PLR0915, PLR0917

from __future__ import annotations

import numpy as np

from grids.redistricting.compiled import Flags, Floats, Ints, Labels, State, kernel, uniform
from grids.redistricting.heap import pop, push


@kernel
def walk_distances(
    source: int,
    starts: Ints,
    ends: Labels,
    walk: Flags,
    step: Floats,
    region: Labels,
    number: int,
    distance: Floats,
    heap_key: Floats,
    heap_cell: Labels,
) -> None:
    """Dijkstra inside one region; fills `distance` for its cells (they must hold infinity)."""
    distance[source] = 0.0
    heap_key[0], heap_cell[0] = 0.0, source
    size = 1
    while size > 0:
        key, cell = pop(heap_key, heap_cell, size)
        size -= 1
        if key > distance[cell]:
            continue
        for e in range(starts[cell], starts[cell + 1]):
            other = ends[e]
            if not walk[e] or region[other] != number:
                continue
            further = key + step[e]
            if further < distance[other]:
                distance[other] = further
                push(heap_key, heap_cell, size, further, other)
                size += 1


@kernel
def _mend(
    cells: Labels,
    first: int,
    starts: Ints,
    ends: Labels,
    walk: Flags,
    region: Labels,
    side: Labels,
    which: int,
    seen: Ints,
    mark: int,
    queue: Labels,
) -> bool:
    """Keep of one side only what can be walked to from `first`; the rest changes sides."""
    queue[0] = first
    seen[first] = mark
    head, tail = 0, 1
    while head < tail:
        here = queue[head]
        head += 1
        for e in range(starts[here], starts[here + 1]):
            other = ends[e]
            if (
                walk[e]
                and region[other] == region[first]
                and side[other] == which
                and seen[other] != mark
            ):
                seen[other] = mark
                queue[tail] = other
                tail += 1
    changed = False
    for cell in cells:
        if side[cell] == which and seen[cell] != mark:
            side[cell] = 1 - which
            changed = True
    return changed


@kernel
def halve(
    cells: Labels,
    number: int,
    parts: int,
    starts: Ints,
    ends: Labels,
    walk: Flags,
    step: Floats,
    price: Floats,
    households: Ints,
    x: Floats,
    y: Floats,
    region: Labels,
    side: Labels,
    directions: int,
    balance: float,
    scale: float,
    state: State,
    near: Floats,
    far: Floats,
    heap_key: Floats,
    heap_cell: Labels,
    inside: Flags,
    seen: Ints,
    mark: int,
) -> int:
    """Divide a connected region of `parts` grids in two; returns the grids of side 0.

    `side` is filled with 0 or 1 for the cells of the region; 0 is returned when no division into
    two connected sides was found. The arrays after `state` are scratch, one entry per cell or
    edge; `seen` holds no number from `mark` to ``mark + 40``.
    """
    n = len(cells)
    best = np.inf
    best_parts = 0
    best_first, best_last = cells[0], cells[n - 1]
    best_order = np.arange(n)
    best_cut = n // 2
    keys = np.empty(n)
    total = 0
    for cell in cells:
        total += households[cell]
    centre = max(total / parts, 1.0)
    turn = uniform(state)
    fewest = max(1, parts // 3)
    for t in range(directions):
        # From east through north to west along a parabola: only the order of projections counts.
        along = (t + turn) / directions
        ux, uy = 1.0 - 2.0 * along, 4.0 * along * (1.0 - along)
        first, last = cells[0], cells[0]
        for cell in cells:
            here = ux * x[cell] + uy * y[cell]
            if here < ux * x[first] + uy * y[first]:
                first = cell
            if here > ux * x[last] + uy * y[last]:
                last = cell
        if first == last:
            first, last = cells[0], cells[n - 1]
        for cell in cells:
            near[cell] = np.inf
            far[cell] = np.inf
            inside[cell] = False
        walk_distances(first, starts, ends, walk, step, region, number, near, heap_key, heap_cell)
        walk_distances(last, starts, ends, walk, step, region, number, far, heap_key, heap_cell)
        for i in range(n):
            keys[i] = near[cells[i]] - far[cells[i]] + 1e-9 * near[cells[i]]
        order = np.argsort(keys, kind="mergesort")
        load = 0
        border = 0.0
        for i in range(n - 1):
            cell = cells[order[i]]
            inside[cell] = True
            load += households[cell]
            for e in range(starts[cell], starts[cell + 1]):
                other = ends[e]
                if region[other] == number:
                    if inside[other]:
                        border -= price[e]
                    else:
                        border += price[e]
            share = int(load / centre + 0.5)
            share = min(max(share, fewest), parts - fewest)
            off = abs(load - share * centre) / centre
            each = off / min(share, parts - share)
            # Every grid of the smaller side will be off by so much.
            fewer = min(share, parts - share)
            cost = border / scale + fewer * balance * each * each
            if cost < best:
                best, best_parts = cost, share
                best_first, best_last = first, last
                best_order, best_cut = order, i + 1
    for i in range(n):
        side[cells[best_order[i]]] = 0 if i < best_cut else 1
    queue = np.empty(n + 1, dtype=np.int32)
    for attempt in range(20):
        side[best_first], side[best_last] = 0, 1
        at = mark + 2 * attempt
        moved = _mend(cells, best_first, starts, ends, walk, region, side, 0, seen, at, queue)
        again = _mend(cells, best_last, starts, ends, walk, region, side, 1, seen, at + 1, queue)
        if not moved and not again:
            return best_parts
    return 0


@kernel
def lay_out(
    cells: Labels,
    bounds: Ints,
    parts: Ints,
    starts: Ints,
    ends: Labels,
    walk: Flags,
    step: Floats,
    price: Floats,
    households: Ints,
    area_m2: Floats,
    x: Floats,
    y: Floats,
    directions: int,
    balance: float,
    state: State,
) -> Labels:
    """Divide every component into its number of grids; grids are numbered in the order made.

    Parameters
    ----------
    cells, bounds
        Cells in order of component; component ``c`` has ``cells[bounds[c]:bounds[c + 1]]``.
    parts
        Grids wanted of each component. Fewer are made where no division can be found.

    Returns
    -------
    array of int32
        Grid of each cell.
    """
    size = len(households)
    cells = cells.copy()
    region = np.full(size, -1, dtype=np.int32)
    side = np.zeros(size, dtype=np.int32)
    near, far = np.empty(size), np.empty(size)
    heap_key = np.empty(len(ends) + 2)
    heap_cell = np.empty(len(ends) + 2, dtype=np.int32)
    inside = np.zeros(size, dtype=np.bool_)
    seen = np.zeros(size, dtype=np.int64)
    mark = 1
    label = np.full(size, -1, dtype=np.int32)
    done = 0
    number = 0
    for component in range(len(parts)):
        stack = [(bounds[component], bounds[component + 1], parts[component])]
        while len(stack) > 0:
            begin, end, wanted = stack.pop()
            mine = cells[begin:end].copy()
            if wanted <= 1 or end - begin < 2:
                for cell in mine:
                    label[cell] = done
                done += 1
                continue
            number += 1
            ground = 0.0
            for cell in mine:
                region[cell] = number
                ground += area_m2[cell]
            scale = np.sqrt(ground / wanted)
            given = halve(
                mine,
                number,
                wanted,
                starts,
                ends,
                walk,
                step,
                price,
                households,
                x,
                y,
                region,
                side,
                directions,
                balance,
                scale,
                state,
                near,
                far,
                heap_key,
                heap_cell,
                inside,
                seen,
                mark,
            )
            mark += 42
            if given == 0:
                for cell in mine:
                    label[cell] = done
                done += 1
                continue
            head, tail = begin, end - 1
            for cell in mine:
                if side[cell] == 0:
                    cells[head] = cell
                    head += 1
                else:
                    cells[tail] = cell
                    tail -= 1
            stack.append((begin, head, given))
            stack.append((head, end, wanted - given))
    return label
