"""Gi* and local Moran against esda's numbers, exhaustive permutations and plain sums."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from gis.errors import BadInput
from maps.hotspots import Neighbours, gi_star, local_moran, permutation_p
from tests.maps.hotspots.places import Counties, lattice

COUNTIES = Counties()


def test_gi_star_is_esdas() -> None:
    made = gi_star(COUNTIES.sids_1974, COUNTIES.neighbours)
    assert np.abs(made.z - COUNTIES.gi_star).max() < 1e-10


def test_local_moran_is_esdas_but_for_its_divisor() -> None:
    made = local_moran(COUNTIES.sids_1974, COUNTIES.neighbours)
    assert np.abs(made.i * 99 / 100 - COUNTIES.moran).max() < 1e-10
    assert np.abs(made.expected - COUNTIES.moran_expected).max() < 1e-10
    assert np.abs(made.variance - COUNTIES.moran_variance).max() < 1e-10


def test_moments_are_those_of_all_permutations() -> None:
    neighbours = Neighbours(6, [(0, 1), (0, 2), (1, 2), (3, 4), (2, 3), (4, 5)])
    values = np.array([5, 0, 2, 7, 1, 1.0])
    made, gi = local_moran(values, neighbours), gi_star(values, neighbours)
    for row in range(6):
        others = np.delete(np.arange(6), row)
        seen = []
        for order in itertools.permutations(others):
            laid = values.copy()
            laid[others] = values[list(order)]
            seen.append(local_moran(laid, neighbours).i[row])
        windows = [
            neighbours.windows(values[list(order)])[row]
            for order in itertools.permutations(range(6))
        ]
        assert np.mean(seen) == pytest.approx(made.expected[row])
        assert np.var(seen) == pytest.approx(made.variance[row])
        window = neighbours.windows(values)[row]
        assert (window - np.mean(windows)) / np.std(windows) == pytest.approx(gi.z[row])


def test_permutation_p_is_the_exhaustive_one() -> None:
    neighbours = Neighbours(7, [(0, 1), (0, 2), (1, 2), (3, 4), (2, 3)])
    values = np.array([5, 0, 2, 7, 1, 1, 3.0])
    drawn = permutation_p(values, neighbours, alternative="greater", permutations=20_000, seed=4)
    observed = neighbours.sums(values)
    for row in range(7):
        others = np.delete(values, row)
        sums = [sum(each) for each in itertools.combinations(others, int(neighbours.degrees[row]))]
        exact = np.mean(np.array(sums) >= observed[row])
        assert drawn[row] == pytest.approx(exact, abs=4 * 0.5 / np.sqrt(20_000))
    two = permutation_p(values, neighbours, permutations=999, seed=4)
    less = permutation_p(values, neighbours, alternative="less", permutations=999, seed=4)
    more = permutation_p(values, neighbours, alternative="greater", permutations=999, seed=4)
    assert two == pytest.approx(np.minimum(1, 2 * np.minimum(less, more)))
    like = permutation_p(
        values, neighbours, statistic="local_moran", alternative="greater", permutations=999, seed=4
    )
    assert like == pytest.approx(np.where(values < values.mean(), less, more))


def test_the_same_seed_gives_the_same_p_and_another_does_not() -> None:
    first, again, other = (
        permutation_p(COUNTIES.sids_1974, COUNTIES.neighbours, permutations=99, seed=seed)
        for seed in (7, 7, 8)
    )
    assert (first == again).all()
    assert (first != other).any()


def test_an_island_is_judged_by_itself() -> None:
    neighbours = Neighbours(4, [(0, 1)])
    values = np.array([1, 2, 3, 10.0])
    made = gi_star(values, neighbours)
    assert made.window.tolist() == [2, 2, 1, 1]
    assert made.z[3] == pytest.approx((10 - 4) / values.std())
    moran = local_moran(values, neighbours)
    assert (moran.i[3], moran.p[3], moran.kind[3]) == (0, 1, 0)
    assert permutation_p(values, neighbours)[3] == 1


@pytest.mark.parametrize("n", [0, 1, 2, 5])
def test_no_variation_says_nothing(n: int) -> None:
    neighbours = Neighbours(n, [(0, 1)] if n > 1 else ())
    for value in (0.0, 0.1, 3.0):
        flat = np.full(n, value)
        made, moran = gi_star(flat, neighbours), local_moran(flat, neighbours)
        assert not made.z.any()
        assert (made.p == 1).all()
        assert (moran.p == 1).all()
        assert (permutation_p(flat, neighbours, permutations=19) == 1).all()


def test_everything_wrong_is_said_at_once() -> None:
    with pytest.raises(BadInput) as caught:
        permutation_p(
            [1, np.nan, -1, 2],
            Neighbours(4),
            permutations=3,
            seed=-1,
            alternative="both",  # type: ignore[arg-type]
            statistic="c",  # type: ignore[arg-type]
        )
    fields = [problem.field for problem in caught.value.problems]
    assert fields == ["counts", "counts", "permutations", "seed", "alternative", "statistic"]
    with pytest.raises(BadInput, match="shape is"):
        gi_star([1, 2], Neighbours(3))


@settings(max_examples=50, deadline=None)
@given(arrays(np.float64, 20, elements=st.integers(0, 30).map(float)), st.randoms())
def test_gi_star_follows_the_grids_and_not_the_unit(values: np.ndarray, random: object) -> None:
    neighbours = lattice(5, 4)
    made = gi_star(values, neighbours)
    assert gi_star(values * 7, neighbours).z == pytest.approx(made.z, abs=1e-9)
    order = list(range(20))
    random.shuffle(order)  # type: ignore[attr-defined]
    place = np.argsort(order)
    turned = Neighbours(20, place[neighbours.pairs()])
    assert gi_star(values[order], turned).z == pytest.approx(made.z[order], abs=1e-9)
