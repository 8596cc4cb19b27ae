"""The best of all divisions of a few grids, beside going through every one of them."""

from itertools import product

import numpy as np
import pytest

from grids.redistricting import divide_graph
from grids.redistricting.annealing import load_cost
from grids.redistricting.compiled import random_state
from grids.redistricting.division import Division, Network, empty_roll, enrol
from grids.redistricting.exact import LEAST, best_names, divide_best, empty_ground
from grids.redistricting.settling import settle

STEEP = np.array([90.0, 60.0, 30.0])
TARGET = 300.0
BAND = (300.0, 270.0, 330.0)


def board(rows, columns, seed):
    """Edges (each once) of a board of buildings, their prices, and the buildings' households."""
    dice = np.random.default_rng(seed)
    number = np.arange(rows * columns).reshape(rows, columns)
    across = np.column_stack([number[:, :-1].ravel(), number[:, 1:].ravel()])
    down = np.column_stack([number[:-1].ravel(), number[1:].ravel()])
    edges = np.concatenate([across, down])
    # An arterial is dearer inside a grid than as its border: a price below 0.
    prices = dice.choice([0.8, 0.4, -1.2], len(edges))
    return edges, prices, dice.integers(20, 250, rows * columns)


def whole(edges, walk, label, part):
    """Whether the cells of a part hang together on foot."""
    mine = np.flatnonzero(label == part)
    seen = {int(mine[0])}
    while True:
        more = {
            int(b)
            for a, b in np.concatenate([edges[walk], edges[walk][:, ::-1]])
            if int(a) in seen and label[b] == part
        } - seen
        if not more:
            return len(seen) == len(mine)
        seen |= more


def price_of(edges, prices, people, label, *, home=None, stay=None):
    total = prices[label[edges[:, 0]] != label[edges[:, 1]]].sum()
    for load in np.bincount(label, people):
        total += load_cost(load, *BAND, TARGET, STEEP)
    if home is not None:
        total += stay[(home >= 0) & (label != home)].sum()
    return total


@pytest.mark.parametrize("parts", [2, 3])
@pytest.mark.parametrize("seed", range(6))
def test_no_division_is_cheaper_than_the_one_found(seed, parts):
    edges, prices, people = board(2, 4, seed)
    count = len(people)
    dice = np.random.default_rng(seed)
    walk = dice.random(len(edges)) < 0.9
    people = people * parts * 300 // people.sum()
    home, stay = np.full(count, -1), np.zeros(count)
    if seed % 2:
        home, stay = dice.integers(-1, parts, count), dice.random(count) * 3
        stay[home < 0] = 0
    ground = empty_ground()
    for (a, b), price, open_ in zip(edges, prices, walk, strict=True):
        ground.apart[a, b] = ground.apart[b, a] = max(price, 0)
        ground.together[a, b] = ground.together[b, a] = max(-price, 0)
        if open_:
            ground.near[a] |= 1 << int(b)
            ground.near[b] |= 1 << int(a)
    ground.weight[:count], ground.home[:count], ground.stay[:count] = people, home, stay
    every = [
        label
        for label in map(np.array, product(range(parts), repeat=count))
        if len(set(label.tolist())) == parts
        and all(whole(edges, walk, label, part) for part in range(parts))
    ]
    shift = np.minimum(prices, 0).sum()
    least = min(
        (price_of(edges, prices, people, label, home=home, stay=stay) for label in every),
        default=np.inf,
    )
    part = np.zeros(count, dtype=np.int64)
    found, _ = divide_best(ground, count, parts, *BAND, TARGET, STEEP, np.inf, 10**6, part)
    assert found + shift == pytest.approx(least)
    if every:
        label = part
        if seed % 2:
            worth = np.zeros((parts, parts))
            for cell in np.flatnonzero(home >= 0):
                worth[part[cell], home[cell]] += stay[cell]
            names = np.zeros(parts, dtype=np.int64)
            best_names(worth, names)
            label = names[part]
        assert price_of(edges, prices, people, label, home=home, stay=stay) == pytest.approx(least)
        assert all(whole(edges, walk, label, k) for k in range(parts))
    # Nothing is cheaper than the best.
    again, _ = divide_best(ground, count, parts, *BAND, TARGET, STEEP, found, 10**6, part)
    assert again == found


@pytest.mark.parametrize("seed", range(4))
def test_settling_makes_plans_cheaper_and_leaves_grids_whole(seed):
    edges, prices, people = board(8, 8, seed)
    twice = np.concatenate([edges, edges[:, ::-1]])
    order = np.lexsort((twice[:, 1], twice[:, 0]))
    starts = np.searchsorted(twice[order, 0], np.arange(len(people) + 1))
    # Sixteen grids of four cells.
    row, column = np.divmod(np.arange(64), 8)
    label = (row // 2 * 4 + column // 2).astype(np.int32)
    network = Network(
        starts,
        twice[order, 1].astype(np.int32),
        np.ones(len(twice), dtype=bool),
        np.concatenate([prices, prices])[order],
        people,
        np.full(64, -1, dtype=np.int32),
        np.zeros(64),
    )
    division = Division(
        label,
        np.bincount(label, people).astype(np.int64),
        np.bincount(label),
        np.full(16, 300.0),
        np.full(16, 270.0),
        np.full(16, 330.0),
    )
    before = price_of(edges, prices, people, label)
    roll = empty_roll(division)
    enrol(label, roll)
    state = random_state(np.random.default_rng(seed))
    changed = np.zeros(16, dtype=np.int64)
    grids = np.arange(16)
    # Nothing changed since the turn before: nothing is tried.
    assert not settle(
        grids, network, division, roll, TARGET, STEEP, 3, 10**5, 0.0, changed, 5, state
    )
    gained = settle(grids, network, division, roll, TARGET, STEEP, 3, 10**5, 0.0, changed, 1, state)
    assert gained > LEAST
    assert before - price_of(edges, prices, people, label) == pytest.approx(gained)
    np.testing.assert_array_equal(division.load, np.bincount(label, people, 16))
    np.testing.assert_array_equal(division.members, np.bincount(label, minlength=16))
    assert all(whole(edges, np.ones(len(edges), dtype=bool), label, grid) for grid in grids)
    for grid in grids:
        listed, cell = set(), roll.first[grid]
        while cell >= 0:
            listed.add(int(cell))
            cell = roll.following[cell]
        assert listed == set(np.flatnonzero(label == grid).tolist())


def test_same_seed_same_plan_of_large_buildings():
    edges, _, people = board(12, 12, 1)
    plan, again, other = (
        divide_graph(edges, people, target=500, tolerance=0.1, seed=seed) for seed in (3, 3, 4)
    )
    assert (plan == again).all()
    assert (plan != other).any()
