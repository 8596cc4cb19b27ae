"""Settling: the ground of a few adjoining grids is divided anew in the best of all ways.

Where a handful of buildings makes a grid, all divisions of two, three or four grids can be gone
through (`exact.py`), and what one gives up in balance another takes back in its borders. With
prices that are shaken a little each time, less and less, plans come out of what no three grids
alone can mend.
"""

# Compiled kernels take plain arrays, many of them, and are one loop each.
# ruff: noqa: PLR0912, PLR0915, PLR0917

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from grids.redistricting.annealing import load_cost
from grids.redistricting.compiled import Flags, Floats, Ints, Labels, State, kernel, uniform
from grids.redistricting.division import Division, Network, Roll, enrol, transfer
from grids.redistricting.exact import CELLS, Ground, best_names, divide_best, empty_ground

NEIGHBOURS = 40
"""Most neighbours of a grid that are looked at."""

SHAKEN = (1.0, 0.08)
"""Share by which prices are shaken in the first pass over a plan and in the last, chosen on made
towns, see `bench/README.md`."""

STEPS_SHAKEN = ((3, 3_000), (4, 1_000))
STEPS_LAST = ((2, 20_000), (3, 20_000), (4, 5_000))
"""Grids divided at once, and steps of each search: with shaken prices, and at the end."""

TURNS = 3
"""Times a plan is gone through at the end, where something changed the time before."""


@kernel
def _neighbours(grid: int, network: Network, label: Labels, roll: Roll, found: Ints) -> int:
    """Fill `found` with the grids that can be walked to from a grid; returns their number."""
    number = 0
    cell = roll.first[grid]
    while cell >= 0:
        for e in range(network.starts[cell], network.starts[cell + 1]):
            other = label[network.ends[e]]
            if not network.walk[e] or other == grid:
                continue
            known = 0
            while known < number and found[known] != other:
                known += 1
            if known == number and number < len(found):
                found[number] = other
                number += 1
        cell = roll.following[cell]
    return number


@kernel
def _read(
    chosen: Ints,
    network: Network,
    roll: Roll,
    shaken: float,
    local: Ints,
    cells: Ints,
    rank: Ints,
    ground: Ground,
    state: State,
) -> int:
    """Fill `ground` with the cells of some grids; returns their number, -1 for too many.

    `rank` takes the place in `chosen` of each cell's grid, `cells` the cells themselves.
    """
    starts, ends, walk, price, households, home, stay = network
    count = 0
    for k in range(len(chosen)):
        cell = roll.first[chosen[k]]
        while cell >= 0 and count < CELLS:
            cells[count], rank[count] = cell, k
            local[cell] = count
            count += 1
            cell = roll.following[cell]
        if cell >= 0:
            for i in range(count):
                local[cells[i]] = -1
            return -1
    for i in range(count):
        cell = cells[i]
        ground.near[i], ground.weight[i] = 0, households[cell]
        ground.apart[i, :count] = 0.0
        ground.together[i, :count] = 0.0
        ground.home[i], ground.stay[i] = -1, 0.0
        for k in range(len(chosen)):
            if home[cell] == chosen[k]:
                ground.home[i], ground.stay[i] = k, stay[cell]
    for i in range(count):
        for e in range(starts[cells[i]], starts[cells[i] + 1]):
            j = local[ends[e]]
            if j < 0:
                continue
            if walk[e]:
                ground.near[i] |= 1 << j
            if j < i:
                worth = price[e]
                if shaken > 0.0:
                    worth *= 1.0 + shaken * (2.0 * uniform(state) - 1.0)
                ground.apart[i, j] += max(worth, 0.0)
                ground.together[i, j] += max(-worth, 0.0)
                ground.apart[j, i], ground.together[j, i] = (
                    ground.apart[i, j],
                    ground.together[i, j],
                )
    for i in range(count):
        local[cells[i]] = -1
    return count


@kernel
def _is_tried_elsewhere(
    chosen: Ints, is_asked: Flags, rank: Ints, count: int, ground: Ground
) -> bool:
    """Whether another grid that touches all the others, and is asked too, has a lower number."""
    size = len(chosen)
    members = np.zeros(size, dtype=np.int64)
    reach = np.zeros(size, dtype=np.int64)
    for i in range(count):
        members[rank[i]] |= 1 << i
        reach[rank[i]] |= ground.near[i]
    for k in range(1, size):
        if chosen[k] > chosen[0] or not is_asked[chosen[k]]:
            continue
        touched = 0
        for other in range(size):
            touched += (reach[k] & members[other]) != 0 and other != k
        if touched == size - 1:
            return True
    return False


@kernel
def settle(
    grids: Ints,
    network: Network,
    division: Division,
    roll: Roll,
    target: float,
    steep: Floats,
    size: int,
    nodes: int,
    shaken: float,
    changed: Ints,
    now: int,
    state: State,
) -> float:
    """Divide each of `grids` anew with any `size - 1` of its neighbours, as well as can be.

    Parameters
    ----------
    roll
        Members of each grid; kept up to date.
    nodes
        Steps of each search.
    shaken
        Share by which each price of a border is changed at random, another one in each ground.
    changed, now
        Turn in which each grid changed last, and the number of this one: where nothing changed
        since the turn before nothing is tried.

    Returns
    -------
    float
        What was gained, by the prices as they were shaken.
    """
    label, load, members, centre, low, high = division
    local = np.full(len(label), -1, dtype=np.int64)
    cells = np.zeros(CELLS, dtype=np.int64)
    rank = np.zeros(CELLS, dtype=np.int64)
    part = np.zeros(CELLS, dtype=np.int64)
    ground = empty_ground()
    near = np.zeros(NEIGHBOURS, dtype=np.int64)
    chosen = np.zeros(size, dtype=np.int64)
    names = np.zeros(size, dtype=np.int64)
    worth = np.zeros((size, size))
    pick = np.zeros(size, dtype=np.int64)
    is_asked = np.zeros(len(load), dtype=np.bool_)
    for grid in grids:
        is_asked[grid] = True
    gained = 0.0
    for grid in grids:
        if members[grid] == 0:
            continue
        number = _neighbours(grid, network, label, roll, near)
        for k in range(1, size):
            pick[k] = k - 1
        while number >= size - 1:
            chosen[0] = grid
            fresh, alike = changed[grid] >= now - 1, True
            for k in range(1, size):
                chosen[k] = near[pick[k]]
                fresh = fresh or changed[chosen[k]] >= now - 1
                alike = alike and low[chosen[k]] == low[grid]
            count = -1
            if fresh and alike:
                count = _read(chosen, network, roll, shaken, local, cells, rank, ground, state)
            if count > 0 and not _is_tried_elsewhere(chosen, is_asked, rank, count, ground):
                before = 0.0
                for k in range(size):
                    at = chosen[k]
                    before += load_cost(load[at], centre[at], low[at], high[at], target, steep)
                for i in range(count):
                    if ground.home[i] >= 0 and ground.home[i] != rank[i]:
                        before += ground.stay[i]
                    for j in range(i):
                        if rank[i] == rank[j]:
                            before += ground.together[i, j]
                        else:
                            before += ground.apart[i, j]
                price, _ = divide_best(
                    ground,
                    count,
                    size,
                    centre[grid],
                    low[grid],
                    high[grid],
                    target,
                    steep,
                    before,
                    nodes,
                    part,
                )
                if price < before:
                    gained += before - price
                    # What stays is paid for; among equals a name goes where most of its own are.
                    worth[:] = 0.0
                    for i in range(count):
                        if ground.home[i] >= 0:
                            worth[part[i], ground.home[i]] += ground.stay[i]
                        worth[part[i], rank[i]] += 1e-9 * (ground.weight[i] + 0.01)
                    best_names(worth, names)
                    for i in range(count):
                        to = chosen[names[part[i]]]
                        if label[cells[i]] != to:
                            transfer(cells[i], to, network.households, label, load, members, roll)
                    for k in range(size):
                        changed[chosen[k]] = now
                    number = _neighbours(grid, network, label, roll, near)
            k = size - 1
            while k > 0 and pick[k] >= number - size + k:
                k -= 1
            if k == 0:
                break
            pick[k] += 1
            for later in range(k + 1, size):
                pick[later] = pick[later - 1] + 1
    return gained


def settle_all(
    network: Network,
    division: Division,
    roll: Roll,
    *,
    target: float,
    steep: Floats,
    passes: int,
    generator: np.random.Generator,
    state: State,
    is_over: Callable[[], bool],
    between: Callable[[], None],
) -> None:
    """Settle a whole plan: with prices that are shaken less and less, then as they are.

    Parameters
    ----------
    passes
        Times all grids are gone through with shaken prices.
    is_over
        Asked between passes; ends early when it says so.
    between
        Called before each pass with shaken prices; may change the plan.
    """
    order = [(turn, *step) for turn in range(passes) for step in STEPS_SHAKEN]
    order += [(passes, *step) for step in STEPS_LAST]
    begun = -1
    for turn, size, nodes in order:
        shaken = 0.0
        if turn < passes:
            shaken = SHAKEN[0] * (SHAKEN[1] / SHAKEN[0]) ** (turn / max(1, passes - 1))
        if turn > begun:
            begun = turn
            if turn < passes:
                between()
            enrol(division.label, roll)
        changed = np.zeros(len(division.load), dtype=np.int64)
        for now in range(1, 2 if shaken else TURNS + 1):
            if is_over():
                return
            gained = settle(
                generator.permutation(np.flatnonzero(division.members)),
                network,
                division,
                roll,
                target,
                steep,
                size,
                nodes,
                shaken,
                changed,
                now,
                state,
            )
            if gained == 0.0:
                break
