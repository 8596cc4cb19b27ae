"""Packing: the ground of a few grids is divided anew so that every one lies in its band, or not.

Where a handful of large buildings makes a grid, balance is a matter of which of them go together,
and moves that pass through worse plans do not find out. Here grids are packed one after the other
with backtracking: a connected set in the band is taken from the rim of the ground, provided that
what is left can still be divided. Small cells stick together first, so that few pieces remain.
"""

# Compiled kernels take plain arrays, many of them, and are one loop each.
# ruff: noqa: PLR0912, PLR0915, PLR0917

from __future__ import annotations

import numpy as np

from grids.redistricting.annealing import load_cost
from grids.redistricting.compiled import Floats, Ints, Labels, State, below, kernel, uniform
from grids.redistricting.division import Division, Network, Roll, transfer

PIECES = 60
"""Most pieces of one ground: they are bits of one number."""

GRIDS = 12
"""Most grids of one ground."""

CHOICES = 10
"""Sets weighed for each grid."""

PINNED = 1e6
"""Price of staying from which a cell is pinned to its grid."""

GROWTHS = 40
"""Sets grown to choose from."""


@kernel
def _can_be_divided(
    ground: int, near: Ints, weight: Ints, count: int, low: float, high: float
) -> bool:
    """Whether each connected part has households for a whole number of grids in the band."""
    while ground != 0:
        part = ground & -ground
        waiting = part
        people = 0
        while waiting != 0:
            found = 0
            for i in range(count):
                if (waiting >> i) & 1:
                    people += weight[i]
                    found |= near[i]
            waiting = found & ground & ~part
            part |= waiting
        grids = int(np.ceil(people / high))
        if grids == 0 or grids * low > people:
            return False
        ground &= ~part
    return True


@kernel
def _choices(
    ground: int,
    near: Ints,
    weight: Ints,
    border: Floats,
    count: int,
    centre: float,
    low: float,
    high: float,
    target: float,
    steep: Floats,
    sets: Ints,
    state: State,
) -> int:
    """Fill `sets` with connected sets in the band around one piece of the rim, the best first."""
    root, fewest = -1, 1e9
    for i in range(count):
        if (ground >> i) & 1:
            friends = 0
            for j in range(count):
                friends += (near[i] & ground) >> j & 1
            rank = friends - 0.002 * weight[i] + 0.8 * uniform(state)
            if rank < fewest:
                root, fewest = i, rank
    prices = np.empty(CHOICES)
    number = 0
    for _ in range(GROWTHS):
        taken = 1 << root
        people = weight[root]
        reach = near[root]
        while True:
            if low <= people <= high:
                known = False
                for c in range(number):
                    if sets[c] == taken:
                        known = True
                if not known and _can_be_divided(ground & ~taken, near, weight, count, low, high):
                    price = load_cost(people, centre, low, high, target, steep)
                    for i in range(count):
                        if (taken >> i) & 1:
                            for j in range(count):
                                if (ground & ~taken) >> j & 1:
                                    price += border[i, j]
                    at = number
                    if number < CHOICES:
                        number += 1
                    elif prices[number - 1] <= price:
                        at = -1
                    else:
                        at = number - 1
                    if at >= 0:
                        while at > 0 and prices[at - 1] > price:
                            prices[at], sets[at] = prices[at - 1], sets[at - 1]
                            at -= 1
                        prices[at], sets[at] = price, taken
            seen, chosen = 0, -1
            for i in range(count):
                if (reach & ground & ~taken) >> i & 1 and people + weight[i] <= high:
                    seen += 1
                    if below(state, seen) == 0:
                        chosen = i
            if chosen < 0:
                break
            taken |= 1 << chosen
            people += weight[chosen]
            reach |= near[chosen]
    return number


@kernel
def _pack(
    near: Ints,
    weight: Ints,
    border: Floats,
    count: int,
    centre: float,
    low: float,
    high: float,
    target: float,
    steep: Floats,
    nodes: int,
    part: Ints,
    state: State,
) -> int:
    """Divide all pieces into sets in the band; returns their number, 0 when none was found."""
    whole = (1 << count) - 1
    if not _can_be_divided(whole, near, weight, count, low, high):
        return 0
    sets = np.zeros((GRIDS + 1, CHOICES), dtype=np.int64)
    number = np.zeros(GRIDS + 1, dtype=np.int64)
    turn = np.zeros(GRIDS + 1, dtype=np.int64)
    ground = np.zeros(GRIDS + 2, dtype=np.int64)
    ground[0] = whole
    depth = 0
    number[0] = _choices(
        whole, near, weight, border, count, centre, low, high, target, steep, sets[0], state
    )
    for _ in range(nodes):
        if turn[depth] >= number[depth]:
            if depth == 0:
                return 0
            depth -= 1
            continue
        taken = sets[depth, turn[depth]]
        turn[depth] += 1
        ground[depth + 1] = ground[depth] & ~taken
        for i in range(count):
            if (taken >> i) & 1:
                part[i] = depth
        depth += 1
        if ground[depth] == 0:
            return depth
        if depth == GRIDS:
            depth -= 1
            continue
        turn[depth] = 0
        number[depth] = _choices(
            ground[depth],
            near,
            weight,
            border,
            count,
            centre,
            low,
            high,
            target,
            steep,
            sets[depth],
            state,
        )
    return 0


@kernel
def repack(
    grids: Ints,
    network: Network,
    division: Division,
    roll: Roll,
    target: float,
    steep: Floats,
    tries: int,
    nodes: int,
    is_elastic: bool,  # noqa: FBT001 - kernels take no names
    state: State,
) -> int:
    """Pack the ground of each of `grids` and of its neighbours anew; returns how many were kept.

    Parameters
    ----------
    tries
        Grounds tried for each grid.
    nodes
        Steps of the search in each ground.
    """
    starts, ends, walk, price, households, home, stay = network
    label, load, members, centre, low, high = division
    size = len(label)
    place = np.full(size, -1, dtype=np.int64)
    cells = np.empty(size, dtype=np.int32)
    near = np.zeros(PIECES, dtype=np.int64)
    weight = np.zeros(PIECES, dtype=np.int64)
    part = np.zeros(PIECES, dtype=np.int64)
    chosen = np.zeros(GRIDS + 4, dtype=np.int64)
    kept = 0
    free = 0
    hopeless = np.zeros(len(members), dtype=np.bool_)
    for cell in range(size):
        if households[cell] > high[label[cell]]:
            hopeless[label[cell]] = True
    for grid in grids:
        for _ in range(tries):
            if hopeless[grid] or members[grid] == 0 or low[grid] <= load[grid] <= high[grid]:
                break
            wanted = 3 + below(state, GRIDS - 5)
            grain = 10 + below(state, 40)
            chosen[0] = grid
            count, pieces, k = 0, 0, 0
            # Grids are added while their pieces fit.
            while True:
                begin = count
                cell = roll.first[chosen[k]]
                while cell >= 0:
                    cells[count] = cell
                    place[cell] = count
                    count += 1
                    cell = roll.following[cell]
                k += 1
                pieces += min(count - begin, max(1, int(1.6 * load[chosen[k - 1]] / grain)))
                if k >= wanted or pieces > 0.7 * PIECES:
                    break
                seen, found = 0, -1
                for i in range(count):
                    cell = cells[i]
                    for e in range(starts[cell], starts[cell + 1]):
                        other = label[ends[e]]
                        if not walk[e] or place[ends[e]] >= 0 or low[other] != low[grid]:
                            continue
                        # A grid with a building too large for it never comes into its band.
                        if hopeless[other]:
                            continue
                        seen += 1
                        if below(state, seen) == 0:
                            found = other
                if found < 0:
                    break
                chosen[k] = found
            # Small cells stick to a neighbour of their grid until pieces of some size are left.
            piece = np.arange(count)
            people = np.empty(count, dtype=np.int64)
            for i in range(count):
                people[i] = households[cells[i]]
            left = count
            again = True
            while again:
                again = False
                for i in range(count):
                    mine = piece[i]
                    if people[mine] >= grain:
                        continue
                    best, least = -1, 0.0
                    for j in range(count):
                        if piece[j] != mine:
                            continue
                        cell = cells[j]
                        for e in range(starts[cell], starts[cell + 1]):
                            other = ends[e]
                            if place[other] < 0 or not walk[e] or label[other] != label[cell]:
                                continue
                            to = piece[place[other]]
                            if to == mine:
                                continue
                            rank = people[to] * (0.5 + uniform(state)) + 1.0
                            if best < 0 or rank < least:
                                best, least = to, rank
                    if best >= 0:
                        for j in range(count):
                            if piece[j] == mine:
                                piece[j] = best
                        people[best] += people[mine]
                        left -= 1
                        again = True
            if left <= PIECES:
                number = np.full(count, -1, dtype=np.int64)
                total = 0
                for i in range(count):
                    if number[piece[i]] < 0:
                        number[piece[i]] = total
                        weight[total] = people[piece[i]]
                        near[total] = 0
                        total += 1
                border = np.zeros((total, total))
                before = 0.0
                for i in range(count):
                    cell = cells[i]
                    a = number[piece[i]]
                    if home[cell] >= 0 and label[cell] != home[cell]:
                        before += stay[cell]
                    for e in range(starts[cell], starts[cell + 1]):
                        j = place[ends[e]]
                        if j < 0:
                            continue
                        b = number[piece[j]]
                        if a != b:
                            border[a, b] += price[e]
                            if walk[e]:
                                near[a] |= 1 << b
                            if label[ends[e]] != label[cell]:
                                before += 0.5 * price[e]
                for g in range(k):
                    at = chosen[g]
                    before += load_cost(load[at], centre[at], low[at], high[at], target, steep)
                parts = _pack(
                    near,
                    weight,
                    border,
                    total,
                    centre[grid],
                    low[grid],
                    high[grid],
                    target,
                    steep,
                    nodes,
                    part,
                    state,
                )
                if parts != k and not is_elastic:
                    parts = 0
                for extra in range(k, parts):
                    while free < len(members) and members[free] > 0:
                        free += 1
                    if free >= len(members):
                        parts = 0
                        break
                    chosen[extra] = free
                    free += 1
                if parts > 0:
                    after = 0.0
                    loads = np.zeros(parts, dtype=np.int64)
                    for i in range(total):
                        loads[part[i]] += weight[i]
                        for j in range(i):
                            if part[i] != part[j]:
                                after += border[i, j]
                    for g in range(parts):
                        after += load_cost(
                            loads[g], centre[grid], low[grid], high[grid], target, steep
                        )
                    _keep_names(
                        cells,
                        count,
                        label,
                        home,
                        stay,
                        piece,
                        number,
                        part,
                        households,
                        chosen,
                        parts,
                        max(parts, k),
                    )
                    for i in range(count):
                        to = chosen[part[number[piece[i]]]]
                        if home[cells[i]] >= 0 and to != home[cells[i]]:
                            after += stay[cells[i]]
                    if after < before:
                        kept += 1
                        for g in range(parts):
                            at = chosen[g]
                            centre[at], low[at], high[at] = centre[grid], low[grid], high[grid]
                        for i in range(count):
                            to = chosen[part[number[piece[i]]]]
                            if label[cells[i]] != to:
                                transfer(cells[i], to, households, label, load, members, roll)
                    free = 0
            for i in range(count):
                place[cells[i]] = -1
    return kept


@kernel
def _keep_names(
    cells: Labels,
    count: int,
    label: Labels,
    home: Labels,
    stay: Floats,
    piece: Ints,
    number: Ints,
    part: Ints,
    households: Ints,
    chosen: Ints,
    parts: int,
    grids: int,
) -> None:
    """Order `chosen` so that each set takes the name of what it holds most of."""
    worth = np.zeros((parts, grids))
    for i in range(count):
        for g in range(grids):
            if label[cells[i]] == chosen[g]:
                worth[part[number[piece[i]]], g] += households[cells[i]] + 0.01
            # Whatever is pinned names its set.
            if home[cells[i]] == chosen[g] and stay[cells[i]] >= PINNED:
                worth[part[number[piece[i]]], g] += stay[cells[i]]
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
