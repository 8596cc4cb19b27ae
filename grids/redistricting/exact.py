"""The best of all divisions of a small ground, found by branching and bounding.

Cells are bits of one number. The first part is a connected set around one cell; each cell at its
rim is taken or left, in turn, and what both decisions cost is known at once, so that most sets are
never looked at. What is left of the ground is divided in the same way into one part fewer.
"""

# Compiled kernels take plain arrays, many of them, and are one loop each.
# ruff: noqa: PLR0912, PLR0915, PLR0917

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from grids.redistricting.annealing import load_cost
from grids.redistricting.compiled import Floats, Ints, kernel

CELLS = 36
"""Most cells of one ground; 62 would fit into a number, but take long."""

LEAST = 1e-9
"""Smallest gain that counts: sums in another order differ by less."""


class Ground(NamedTuple):
    """Cells of a few grids, numbered from 0, as the search for their best division takes them.

    Attributes
    ----------
    near
        Cells that can be walked to from each cell, as bits.
    apart, together
        Price of two cells being in different parts, and in the same one; 0 or more, symmetric.
    weight
        Households of each cell.
    home, stay
        Part whose name each cell should bear (-1 for none), and the price of another.
    """

    near: Ints
    apart: Floats
    together: Floats
    weight: Ints
    home: Ints
    stay: Floats


@kernel
def empty_ground() -> Ground:
    """Room for the cells of one ground."""
    return Ground(
        np.zeros(CELLS, dtype=np.int64),
        np.zeros((CELLS, CELLS)),
        np.zeros((CELLS, CELLS)),
        np.zeros(CELLS, dtype=np.int64),
        np.full(CELLS, -1, dtype=np.int64),
        np.zeros(CELLS),
    )


@kernel
def place_of(bit: int) -> int:
    """Place of the only bit of a number below 2 ** 63."""
    place = 0
    if bit & 0xFFFFFFFF == 0:
        place += 32
        bit >>= 32
    if bit & 0xFFFF == 0:
        place += 16
        bit >>= 16
    if bit & 0xFF == 0:
        place += 8
        bit >>= 8
    if bit & 0xF == 0:
        place += 4
        bit >>= 4
    if bit & 0x3 == 0:
        place += 2
        bit >>= 2
    if bit & 0x1 == 0:
        place += 1
    return place


@kernel
def _count(bits: int) -> int:
    number = 0
    while bits != 0:
        bits &= bits - 1
        number += 1
    return number


@kernel
def _piece(ground: int, near: Ints) -> int:
    """The connected piece of a set that its lowest cell lies in; 0 for the empty set."""
    piece = ground & -ground
    waiting = piece
    while waiting != 0:
        bit = waiting & -waiting
        waiting ^= bit
        fresh = near[place_of(bit)] & ground & ~piece
        piece |= fresh
        waiting |= fresh
    return piece


@kernel
def _can_be_parts(ground: int, near: Ints, parts: int) -> bool:
    """Whether a set has no more pieces than it is to have parts."""
    pieces = 0
    while ground != 0:
        pieces += 1
        if pieces > parts:
            return False
        ground &= ~_piece(ground, near)
    return True


@kernel
def _corner(ground: int, near: Ints, weight: Ints) -> int:
    """Cell of a set with fewest neighbours in it, heavy ones first: few sets contain it."""
    best, corner = np.inf, -1
    left = ground
    while left != 0:
        bit = left & -left
        left ^= bit
        cell = place_of(bit)
        rank = _count(near[cell] & ground) - 0.004 * weight[cell]
        if rank < best:
            best, corner = rank, cell
    return corner


@kernel
def best_names(worth: Floats, names: Ints) -> float:
    """Give each part a name so that most stays, over all ways; returns what stays.

    Parameters
    ----------
    worth
        (parts, parts) what stays when a part bears a name.
    names
        Filled with the name of each part.
    """
    parts = len(worth)
    size = 1 << parts
    most = np.full(size, -1.0)
    last = np.full(size, -1, dtype=np.int64)
    most[0] = 0.0
    for taken in range(size - 1):
        part = _count(taken)
        for name in range(parts):
            more = taken | (1 << name)
            if more != taken and most[taken] + worth[part, name] > most[more]:
                most[more] = most[taken] + worth[part, name]
                last[more] = name
    taken = size - 1
    for part in range(parts - 1, -1, -1):
        names[part] = last[taken]
        taken ^= 1 << last[taken]
    return float(most[size - 1])


@kernel
def divide_best(
    ground: Ground,
    count: int,
    parts: int,
    centre: float,
    low: float,
    high: float,
    target: float,
    steep: Floats,
    limit: float,
    nodes: int,
    part: Ints,
) -> tuple[float, int]:
    """Divide a ground into connected parts at the lowest price.

    Parameters
    ----------
    count, parts
        Cells of the ground and parts to make of it, two or more.
    centre, low, high, target, steep
        As `annealing.load_cost` takes them.
    limit
        Only what is cheaper counts.
    nodes
        Steps after which the search gives up.
    part
        Filled with the part of each cell where something cheaper was found.

    Returns
    -------
    price, steps
        Of the best division, `limit` when there is none cheaper; and the steps it took, more than
        `nodes` when it gave up, with the best that was found so far.
    """
    near, apart, together, weight, home, stay = ground
    # One frame for each cell taken: the set, what was left out, and the ground both are of.
    room = count + 2
    taken = np.zeros(room, dtype=np.int64)
    without = np.zeros(room, dtype=np.int64)
    whole = np.zeros(room, dtype=np.int64)
    reach = np.zeros(room, dtype=np.int64)
    people = np.zeros(room, dtype=np.int64)
    crowd = np.zeros(room, dtype=np.int64)
    turn = np.zeros(room, dtype=np.int64)
    cost = np.zeros(room)
    done = np.zeros(room)
    leaving = np.zeros(room)
    kept = np.zeros((room, parts))
    # Of finished parts.
    sets = np.zeros(parts, dtype=np.int64)
    worth = np.zeros((parts, parts))
    lost = np.zeros(parts)
    names = np.zeros(parts, dtype=np.int64)
    moves = False
    for i in range(count):
        moves = moves or stay[i] > 0.0
        crowd[0] += weight[i]
    whole[0] = (1 << count) - 1
    root = _corner(whole[0], near, weight)
    taken[0], reach[0], people[0] = 1 << root, near[root], weight[root]
    if home[root] >= 0:
        leaving[0] = stay[root]
        kept[0, home[root]] = stay[root]
    best = limit
    steps = 0
    at = 0
    while at >= 0:
        steps += 1
        if steps > nodes:
            break
        to_make = parts - turn[at]
        load, total = people[at], crowd[at]
        fair = total / to_make
        if load >= fair:
            loads = load_cost(load, centre, low, high, target, steep)
            loads += (to_make - 1) * load_cost(
                (total - load) / (to_make - 1), centre, low, high, target, steep
            )
        else:
            loads = to_make * load_cost(fair, centre, low, high, target, steep)
        moved = 0.0
        if moves:
            moved = leaving[at] - kept[at].max()
        if done[at] + cost[at] + moved + loads >= best - LEAST:
            at -= 1
            continue
        rim = reach[at] & whole[at] & ~taken[at] & ~without[at]
        if rim != 0:
            # The heaviest cell of the rim is taken first, and left out when that is done.
            heaviest, cell = -1, -1
            while rim != 0:
                bit = rim & -rim
                rim ^= bit
                if weight[place_of(bit)] > heaviest:
                    cell = place_of(bit)
                    heaviest = weight[cell]
            to_taken, with_taken, to_others = 0.0, 0.0, 0.0
            left = taken[at]
            while left != 0:
                bit = left & -left
                left ^= bit
                to_taken += apart[cell, place_of(bit)]
                with_taken += together[cell, place_of(bit)]
            left = without[at]
            while left != 0:
                bit = left & -left
                left ^= bit
                to_others += apart[cell, place_of(bit)]
            up = at + 1
            taken[up], without[up] = taken[at] | (1 << cell), without[at]
            whole[up], reach[up] = whole[at], reach[at] | near[cell]
            people[up], crowd[up] = load + weight[cell], total
            turn[up], done[up] = turn[at], done[at]
            cost[up] = cost[at] + with_taken + to_others
            leaving[up] = leaving[at]
            kept[up] = kept[at]
            if home[cell] >= 0:
                leaving[up] += stay[cell]
                kept[up, home[cell]] += stay[cell]
            without[at] |= 1 << cell
            cost[at] += to_taken
            at = up
            continue
        rest = whole[at] & ~taken[at]
        if rest == 0 or not _can_be_parts(rest, near, to_make - 1):
            at -= 1
            continue
        price = cost[at] + load_cost(load, centre, low, high, target, steep)
        # Cells that touch but cannot be walked to were never at the rim.
        left = rest & ~without[at]
        while left != 0:
            bit = left & -left
            left ^= bit
            cell = place_of(bit)
            inside = taken[at]
            while inside != 0:
                bit = inside & -inside
                inside ^= bit
                price += apart[cell, place_of(bit)]
        now = turn[at]
        sets[now], lost[now] = taken[at], leaving[at]
        worth[now] = kept[at]
        price += done[at] + moved
        to_make -= 1
        fair = (total - load) / to_make
        if price + to_make * load_cost(fair, centre, low, high, target, steep) >= best - LEAST:
            at -= 1
            continue
        if to_make > 1:
            # This frame is finished: the next part begins in it.
            root = _corner(rest, near, weight)
            taken[at], without[at], whole[at] = 1 << root, 0, rest
            reach[at], people[at], crowd[at] = near[root], weight[root], total - load
            turn[at], done[at], cost[at], leaving[at] = now + 1, price, 0.0, 0.0
            kept[at] = 0.0
            if home[root] >= 0:
                leaving[at] = stay[root]
                kept[at, home[root]] = stay[root]
            continue
        price += load_cost(fair, centre, low, high, target, steep)
        sets[now + 1], lost[now + 1] = rest, 0.0
        worth[now + 1] = 0.0
        left = rest
        while left != 0:
            bit = left & -left
            left ^= bit
            cell = place_of(bit)
            if home[cell] >= 0:
                lost[now + 1] += stay[cell]
                worth[now + 1, home[cell]] += stay[cell]
            others = left
            while others != 0:
                bit = others & -others
                others ^= bit
                price += together[cell, place_of(bit)]
        if moves:
            # So far each part bore the name it likes best, two perhaps the same.
            for i in range(parts - 1):
                price -= lost[i] - worth[i].max()
            price += lost.sum() - best_names(worth, names)
        if price < best - LEAST:
            best = price
            for i in range(parts):
                left = sets[i]
                while left != 0:
                    bit = left & -left
                    left ^= bit
                    part[place_of(bit)] = i
        at -= 1
    return best, steps
