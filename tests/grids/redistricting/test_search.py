"""The search on graphs made for it: superblocks, large buildings, bare graphs, real units."""

import gzip
import json

import numpy as np
import pytest

from gis.errors import BadInput
from grids.redistricting import divide_graph, draw, score, search
from grids.redistricting.rules import AREA_TYPES
from tests.towns import town

QUARTERS = """
    3 3 3 3 % 3 3 3 3
    3 3 3 3 % 3 3 3 3
    3 3 3 3 % 3 3 3 3
    % % % % % % % % %
    3 3 3 3 % 3 3 3 3
    3 3 3 3 % 3 3 3 3
    3 3 3 3 % 3 3 3 3
"""


@pytest.mark.parametrize("seed", range(5))
def test_quarters_of_whole_grids_keep_their_arterials_as_borders(seed):
    # Each quarter has 360 households: three grids of 120.
    place = town(QUARTERS)
    plan = draw(place.area, place.buildings, place.barriers, target=120, seed=seed)
    figures = score(plan.grids, target=120, buildings=place.buildings, barriers=place.barriers)
    assert figures.inside_m["arterial"] == 0
    assert figures.within == 1


def test_a_quarter_that_is_no_whole_grid_shares_with_one_neighbour():
    # 60 % 180 % 300 households in a row: the first two make two grids, the third makes 2.5.
    place = town("3 3 % 3 3 3 3 3 3 % 3 3 3 3 3 3 3 3\n. . % . . . . . . % . . . . . . . .")
    plan = draw(place.area, place.buildings, place.barriers, target=120, tolerance=0.1)
    assert plan.grids["households"].tolist() == [120] * 4


def dominoes(rows: int, columns: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Pairs and weights of a board on which only some domino tiling sums to 300 everywhere."""
    dice = np.random.default_rng(seed)
    weights = np.zeros(rows * columns, dtype=int)
    for row in range(rows):
        for column in range(0, columns, 2):
            large = int(dice.integers(170, 260))
            here = row * columns + column
            weights[here : here + 2] = dice.permutation([large, 300 - large])
    number = np.arange(rows * columns).reshape(rows, columns)
    across = np.column_stack([number[:, :-1].ravel(), number[:, 1:].ravel()])
    down = np.column_stack([number[:-1].ravel(), number[1:].ravel()])
    return np.concatenate([across, down]), weights


def test_coarseness_is_the_size_of_the_building_of_a_household():
    assert search.coarseness(np.full(9, 60), 300, 0.1) == pytest.approx(0.2)
    # 10 households live among 10, 30 among 30; one building too large for any grid does not count.
    mixed = np.array([10, 30, 331])
    assert search.coarseness(mixed, 300, 0.1) == pytest.approx((100 + 900) / 40 / 300)
    assert search.coarseness(np.array([0, 400]), 300, 0.1) == 0


@pytest.mark.parametrize("small", [True, False])
def test_balance_is_dearer_only_where_buildings_are_coarse(small, monkeypatch):
    number = np.arange(400).reshape(20, 20)
    across = np.column_stack([number[:, :-1].ravel(), number[:, 1:].ravel()])
    down = np.column_stack([number[:-1].ravel(), number[1:].ravel()])
    pairs = np.concatenate([across, down])
    dice = np.random.default_rng(3)
    weights = dice.integers(20, 60, 400) if small else dice.choice([20, 90, 170], 400)

    def label() -> np.ndarray:
        return divide_graph(pairs, weights, target=300, tolerance=0.1, seed=1)

    def deviation(label: np.ndarray) -> float:
        return float(np.abs(np.bincount(label, weights) / 300 - 1).mean())

    usual = label()
    monkeypatch.setattr(search, "DEARER", 0.0)
    monkeypatch.setattr(search, "DEAREST", 0.0)
    plain = label()
    if small:
        assert (usual == plain).all()
    else:
        assert deviation(usual) < deviation(plain)


@pytest.mark.parametrize("seed", range(6))
def test_large_buildings_are_packed_where_a_packing_exists(seed):
    pairs, weights = dominoes(8, 10, seed)
    label = divide_graph(pairs, weights, target=300, tolerance=0.1, seed=seed)
    load = np.bincount(label, weights)
    assert (np.abs(load - 300) <= 30).mean() >= 0.95
    assert pieces(pairs, label) == len(load)


def pieces(pairs: np.ndarray, label: np.ndarray) -> int:
    """Connected pieces of districts."""
    group = np.arange(len(label))
    for a, b in pairs[label[pairs[:, 0]] == label[pairs[:, 1]]].tolist():
        group[group == group[b]] = group[a]
    return len(np.unique(group))


def test_a_bare_graph_says_what_is_wrong_with_it():
    with pytest.raises(BadInput, match="names a unit that is not there"):
        divide_graph([(0, 5)], [1, 1])
    with pytest.raises(BadInput, match="negative or fractional"):
        divide_graph([(0, 1)], [1, -1])
    with pytest.raises(BadInput, match="at least 2"):
        divide_graph([(0, 1)], [1, 1, 1], count=1)
    assert divide_graph(np.empty((0, 2)), [5, 5]).tolist() in ([0, 1], [1, 0])


def test_same_seed_same_districts():
    pairs, weights = dominoes(8, 10, 3)
    first = divide_graph(pairs, weights, seed=4)
    assert first.tolist() == divide_graph(pairs, weights, seed=4).tolist()


@pytest.mark.real
def test_a_hundred_districts_of_arkansas(real_data):
    path = real_data / "redistricting_arkansas_graph" / "ar_block_group_graph_2020.json.gz"
    told = json.loads(gzip.decompress(path.read_bytes()))
    place = {node["id"]: number for number, node in enumerate(told["nodes"])}
    pairs = np.array(
        [
            (number, place[near["id"]])
            for number, row in enumerate(told["adjacency"])
            for near in row
            if number < place[near["id"]]
        ]
    )
    people = np.array([node["tot_pop_20"] for node in told["nodes"]])
    label = divide_graph(pairs, people, count=100, tolerance=0.05)
    load = np.bincount(label, people)
    assert len(load) == 100
    assert pieces(pairs, label) == 100
    assert np.abs(load / people.sum() * 100 - 1).max() <= 0.05


@pytest.mark.parametrize("name", AREA_TYPES)
def test_norms_of_every_area_type_can_be_drawn(name):
    norm = AREA_TYPES[name]
    place = town("\n".join(["3 3 3 3 3 3"] * 10), scale=5)
    plan = draw(
        place.area, place.buildings, target=norm.target, tolerance=norm.tolerance, prices=name
    )
    assert plan.within_tolerance == 1
