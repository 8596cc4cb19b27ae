"""Elastic recombination: a grid out of tolerance and some neighbours are divided anew.

The ground of one to four grids is divided by cutting random spanning trees of its walk graph,
which avoid crossing barriers, so that cuts fall on them; the number of grids may change by one.
The result is polished by single-cell moves and kept only when the total price fell.
"""

# Compiled kernels take plain arrays, many of them, and are one loop each.
# ruff: noqa: PLR0912, PLR0915, PLR0917

from __future__ import annotations

import numpy as np

from grids.redistricting.annealing import anneal, load_cost
from grids.redistricting.compiled import (
    Floats,
    Ints,
    Labels,
    State,
    below,
    decay,
    kernel,
    uniform,
)
from grids.redistricting.division import Division, Network, Roll, Scratch, link, transfer, unlink


@kernel
def _gather(
    grid: int,
    extra: int,
    network: Network,
    label: Labels,
    roll: Roll,
    cells: Labels,
    chosen: Ints,
    state: State,
) -> tuple[int, int]:
    """Cells of `grid` and of up to `extra` neighbours; returns numbers of cells and of grids."""
    starts, ends, walk, _, _, _, _ = network
    chosen[0] = grid
    grids, count = 0, 0
    while True:
        cell = roll.first[chosen[grids]]
        while cell >= 0:
            cells[count] = cell
            count += 1
            cell = roll.following[cell]
        grids += 1
        if grids > extra:
            break
        found = -1
        seen = 0
        for i in range(count):
            cell = cells[i]
            for e in range(starts[cell], starts[cell + 1]):
                other = label[ends[e]]
                if not walk[e]:
                    continue
                fresh = True
                for k in range(grids):
                    if chosen[k] == other:
                        fresh = False
                if fresh:
                    # A reservoir of one: each crossing edge has the same chance.
                    seen += 1
                    if below(state, seen) == 0:
                        found = other
        if found < 0:
            break
        chosen[grids] = found
    return count, grids


@kernel
def _find(parent: Labels, item: int) -> int:
    while parent[item] != item:
        parent[item] = parent[parent[item]]
        item = parent[item]
    return item


@kernel
def _by_key(keys: Floats) -> Labels:
    """Places of random keys from the smallest to the largest, but for the last few bits."""
    most = 0.0
    for key in keys:
        most = max(most, key)
    bins = len(keys)
    scale = (bins - 1) / max(most, 1e-9)
    fill = np.zeros(bins + 1, dtype=np.int32)
    for key in keys:
        fill[int(key * scale) + 1] += 1
    for i in range(bins):
        fill[i + 1] += fill[i]
    order = np.empty(len(keys), dtype=np.int32)
    for i in range(len(keys)):
        at = int(keys[i] * scale)
        order[fill[at]] = i
        fill[at] += 1
    return order


@kernel
def _random_tree(
    n: int,
    left: Labels,
    right: Labels,
    reluctance: Floats,
    order: Labels,
    above: Labels,
    state: State,
) -> None:
    """Random spanning tree that avoids reluctant edges: breadth-first order and parents."""
    edges = len(left)
    keys = np.empty(edges)
    for e in range(edges):
        keys[e] = uniform(state) + reluctance[e]
    parent = np.arange(n).astype(np.int32)
    degree = np.zeros(n + 1, dtype=np.int32)
    kept = np.empty(n, dtype=np.int32)
    number = 0
    for e in _by_key(keys):
        a, b = _find(parent, left[e]), _find(parent, right[e])
        if a != b:
            parent[a] = b
            kept[number] = e
            number += 1
            degree[left[e] + 1] += 1
            degree[right[e] + 1] += 1
    for i in range(n):
        degree[i + 1] += degree[i]
    near = np.empty(2 * number, dtype=np.int32)
    fill = degree[:n].copy()
    for i in range(number):
        a, b = left[kept[i]], right[kept[i]]
        near[fill[a]] = b
        fill[a] += 1
        near[fill[b]] = a
        fill[b] += 1
    root = below(state, n)
    order[0] = root
    above[root] = -1
    head, tail = 0, 1
    while head < tail:
        here = order[head]
        head += 1
        for k in range(degree[here], degree[here + 1]):
            other = near[k]
            if other != above[here]:
                above[other] = here
                order[tail] = other
                tail += 1


@kernel
def _cut_tree(
    n: int,
    parts: int,
    order: Labels,
    above: Labels,
    count: Ints,
    part: Labels,
    centre: float,
    low: float,
    high: float,
    target: float,
    steep: Floats,
    state: State,
) -> float:
    """Cut a tree into `parts` pieces, one after the other, each the best to be had.

    Returns the price of the loads; infinite when the tree has too few cells.
    """
    part[:n] = 0
    below_load = np.empty(n, dtype=np.int64)
    cost = 0.0
    for made in range(1, parts):
        total = 0
        for i in range(n):
            below_load[i] = count[i]
        top = -1
        for i in range(n - 1, -1, -1):
            cell = order[i]
            if part[cell] != 0:
                continue
            total += count[cell]
            up = above[cell]
            if up >= 0 and part[up] == 0:
                below_load[up] += below_load[cell]
            else:
                top = cell
        left_over = parts - made
        best = np.inf
        at = -1
        flip = False
        for i in range(n):
            cell = order[i]
            if part[cell] != 0 or cell == top:
                continue
            for turned in range(2):
                one = below_load[cell] if turned == 0 else total - below_load[cell]
                rest = (total - one) / left_over
                price = (
                    load_cost(one, centre, low, high, target, steep)
                    + left_over * load_cost(rest, centre, low, high, target, steep)
                    + 0.3 * uniform(state)
                )
                if price < best:
                    best, at, flip = price, cell, turned == 1
        if at < 0:
            return np.inf
        # Mark what hangs under `at`; breadth-first order meets parents before children.
        inside = np.zeros(n, dtype=np.bool_)
        taken = 0
        for i in range(n):
            cell = order[i]
            if part[cell] != 0:
                continue
            up = above[cell]
            inside[cell] = cell == at or (up >= 0 and part[up] == 0 and inside[up])
        for i in range(n):
            cell = order[i]
            if part[cell] == 0 and inside[cell] != flip:
                taken += count[cell]
                inside[cell] = True
            else:
                inside[cell] = False
        for i in range(n):
            if inside[i]:
                part[i] = made
        cost += load_cost(taken, centre, low, high, target, steep)
    last = 0
    for i in range(n):
        if part[i] == 0:
            last += count[i]
    return cost + load_cost(last, centre, low, high, target, steep)


@kernel
def _name_parts(
    mine: Labels, part: Labels, parts: int, network: Network, chosen: Ints, grids: int
) -> None:
    """Order `chosen` so that each part takes the name that keeps most at home."""
    home, stay = network.home, network.stay
    worth = np.zeros((parts, grids))
    for i in range(len(mine)):
        for g in range(grids):
            if home[mine[i]] == chosen[g]:
                worth[part[i], g] += stay[mine[i]]
    if worth.max() <= 0.0:
        return
    names = np.full(parts, -1, dtype=np.int64)
    for _ in range(parts):
        best = -1.0
        row, column = 0, 0
        for p in range(parts):
            for g in range(grids):
                if names[p] < 0 and worth[p, g] > best:
                    best, row, column = worth[p, g], p, g
        names[row] = chosen[column]
        for p in range(parts):
            worth[p, column] = -2.0
    chosen[:parts] = names


@kernel
def recombine(
    grids: Ints,
    network: Network,
    reluctance: Floats,
    division: Division,
    roll: Roll,
    target: float,
    steep: Floats,
    trees: int,
    polish: int,
    most: int,
    hot: float,
    cooling: float,
    accept: float,
    is_elastic: bool,  # noqa: FBT001 - kernels take no names
    scratch: Scratch,
    state: State,
) -> int:
    """Divide each of `grids` anew with one to `most` neighbours; returns how many were kept."""
    starts, ends, walk, price, households, home, stay = network
    label, load, members, centre, low, high = division
    size = len(label)
    cells = np.empty(size, dtype=np.int32)
    local = np.full(size, -1, dtype=np.int32)
    chosen = np.zeros(most + 3, dtype=np.int64)
    nothing = np.empty(0)
    kept = 0
    for grid in grids:
        if members[grid] == 0:
            continue
        extra = 1 + below(state, most)
        n, k = _gather(grid, extra, network, label, roll, cells, chosen, state)
        mine = cells[:n].copy()
        old = np.empty(n, dtype=np.int32)
        old_roll = np.empty(n, dtype=np.int32)
        count = np.empty(n, dtype=np.int64)
        total = 0
        edges = 0
        for i in range(n):
            cell = mine[i]
            local[cell] = i
            old[i] = label[cell]
            count[i] = households[cell]
            total += count[i]
            edges += starts[cell + 1] - starts[cell]
        left = np.empty(edges, dtype=np.int32)
        right = np.empty(edges, dtype=np.int32)
        resist = np.empty(edges)
        cost_of = np.empty(edges)
        on_foot = np.zeros(edges, dtype=np.bool_)
        edges = 0
        before = 0.0
        for i in range(n):
            cell = mine[i]
            if home[cell] >= 0 and label[cell] != home[cell]:
                before += stay[cell]
            for e in range(starts[cell], starts[cell + 1]):
                j = local[ends[e]]
                if j > i:
                    left[edges], right[edges] = i, j
                    resist[edges], cost_of[edges] = reluctance[e], price[e]
                    on_foot[edges] = walk[e]
                    edges += 1
                    if label[ends[e]] != label[cell]:
                        before += price[e]
        for i in range(n):
            local[mine[i]] = -1
        for g in range(k):
            before += load_cost(load[chosen[g]], centre[grid], low[grid], high[grid], target, steep)
        left, right, cost_of = left[:edges], right[:edges], cost_of[:edges]
        footways = np.flatnonzero(on_foot[:edges])
        walk_left, walk_right = left[footways], right[footways]
        walk_resist = resist[:edges][footways]
        # One grid more or fewer where that brings the mean nearer to the fair load.
        parts = k
        free = -1
        pick = below(state, 3) if is_elastic else 0
        if pick == 1 and k > 1 and total / (k - 1) <= high[grid]:
            parts = k - 1
        if pick == 2 and total / (k + 1) >= low[grid]:
            for g in range(len(members)):
                if members[g] == 0:
                    free = g
                    break
            if free >= 0:
                parts = k + 1
                chosen[k] = free
        if parts > n or parts < 1 or (parts == 1 and k == 1):
            continue
        order = np.empty(n, dtype=np.int32)
        above = np.empty(n, dtype=np.int32)
        part = np.zeros(n, dtype=np.int32)
        best_part = part.copy()
        best = np.inf
        for _ in range(trees if parts > 1 else 1):
            _random_tree(n, walk_left, walk_right, walk_resist, order, above, state)
            cost = _cut_tree(
                n,
                parts,
                order,
                above,
                count,
                part,
                centre[grid],
                low[grid],
                high[grid],
                target,
                steep,
                state,
            )
            if cost >= best:
                continue
            for e in range(edges):
                if part[left[e]] != part[right[e]]:
                    cost += cost_of[e]
            if cost < best:
                best = cost
                best_part[:] = part
        if best == np.inf:
            continue
        if free >= 0:
            centre[free], low[free], high[free] = centre[grid], low[grid], high[grid]
        _name_parts(mine, best_part, parts, network, chosen, max(parts, k))
        for i in range(n):
            cell, to = mine[i], chosen[best_part[i]]
            if home[cell] >= 0 and to != home[cell]:
                best += stay[cell]
            if label[cell] != to:
                transfer(cell, to, households, label, load, members, roll)
            old_roll[i] = to
        change = (
            best
            - before
            + anneal(
                network,
                division,
                target,
                steep,
                mine,
                polish * n,
                hot,
                cooling,
                nothing,
                0.0,
                scratch,
                state,
            )
        )
        # The moves changed labels and loads; the lists follow.
        for i in range(n):
            cell = mine[i]
            if label[cell] != old_roll[i]:
                unlink(cell, old_roll[i], roll)
                link(cell, label[cell], roll)
        if change <= 0.0 or uniform(state) < decay(change / accept):
            kept += 1
        else:
            for i in range(n):
                if label[mine[i]] != old[i]:
                    transfer(mine[i], old[i], households, label, load, members, roll)
    return kept
