"""The test that is shown: exact p, false alarms on quiet maps, and what it still finds."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from gis.errors import BadInput
from maps.hotspots import Neighbours, adjusted, binomial_p, gi_star, hot_grids, poisson_p
from maps.hotspots.discovery import alarms
from tests.maps.hotspots.places import lattice

TOWN = lattice(30, 30)


def test_exact_p_are_sums_of_chances() -> None:
    k = np.arange(12)
    tail = [1 - sum(math.exp(-2.5) * 2.5**j / math.factorial(j) for j in range(n)) for n in k]
    assert poisson_p(k, np.full(12, 2.5)) == pytest.approx(np.array(tail), abs=1e-12)
    at = np.exp(-2.5) * 2.5**k / np.array([math.factorial(int(n)) for n in k])
    mid = np.array(tail) - at / 2
    assert poisson_p(k, np.full(12, 2.5), mid=True) == pytest.approx(mid, abs=1e-12)
    exact = stats.binom.sf(k - 1, 11, 0.3)
    assert binomial_p(k, 11, np.full(12, 0.3)) == pytest.approx(exact, abs=1e-12)
    assert poisson_p([0, 3], [0, 0]).tolist() == [1, 0]


def test_a_tail_far_out_keeps_its_digits() -> None:
    assert poisson_p([60], [1.0])[0] == pytest.approx(stats.poisson.sf(59, 1.0), rel=1e-10)


@settings(max_examples=60, deadline=None)
@given(st.lists(st.floats(0, 1), max_size=40))
def test_adjusted_is_scipys_and_yekutieli_is_stricter(p: list[float]) -> None:
    made = adjusted(p)
    if p:
        assert made == pytest.approx(stats.false_discovery_control(p), abs=1e-12)
        by = stats.false_discovery_control(p, method="by")
        assert adjusted(p, "by") == pytest.approx(by, abs=1e-12)
        assert (adjusted(p, "by") >= made).all()


@pytest.mark.parametrize("mean", [0.2, 0.5, 2.0])
@pytest.mark.parametrize("households", ["even", "uneven"])
def test_quiet_maps_cry_wolf_in_at_most_one_week_in_twenty(mean: float, households: str) -> None:
    generator = np.random.default_rng(11)
    homes = np.full(900, 300.0) if households == "even" else generator.gamma(2, 150, 900) + 1
    false = alarms(TOWN, homes, mean, weeks=400, seed=1) > 0
    # 400 weeks at a true 5 % give 29 or more with a chance of 4 %; measured rates lie at 1 to 4 %.
    assert false.sum() <= 28


def test_normal_theory_would_cry_wolf_on_the_same_maps() -> None:
    generator = np.random.default_rng(3)
    weeks = []
    for _ in range(100):
        made = gi_star(generator.poisson(0.2, 900), TOWN)
        one_sided = np.where(made.z > 0, made.p / 2, 1 - made.p / 2)
        weeks.append((adjusted(one_sided) <= 0.05).any())
    assert np.mean(weeks) > 0.2


def test_permutation_holds_where_events_come_in_bursts() -> None:
    generator = np.random.default_rng(5)
    shuffled, exact = [], []
    for week in range(150):
        bursts = generator.negative_binomial(0.3, 0.3 / 0.8, 900)
        shuffled.append(
            hot_grids(bursts, TOWN, test="permutation", permutations=99, seed=week).hot.any()
        )
        exact.append(hot_grids(bursts, TOWN).hot.any())
    assert np.sum(shuffled) <= 14  # 150 at 5 %: 15 or more with a chance of 1 %
    assert np.mean(exact) > 0.3  # that is why there are two tests


@pytest.mark.parametrize("test", ["exact", "permutation"])
def test_a_planted_spot_is_found(test: str) -> None:
    generator = np.random.default_rng(2)
    counts = generator.poisson(0.5, 900)
    spot = np.array([434, 435, 436, 464, 465, 466, 494, 495, 496])
    counts[spot] += generator.poisson(2.5, 9)
    made = hot_grids(counts, TOWN, test=test)  # type: ignore[arg-type]
    assert made.hot[465]
    assert made.hot.sum() <= 25  # the 9 and those around that touch them
    assert made.ratio[465] > 3


def test_households_decide_what_is_many() -> None:
    homes = np.full(900, 100.0)
    homes[465] = 5_000
    counts = np.random.default_rng(8).poisson(homes * 0.005)
    assert hot_grids(counts, TOWN).hot[465]
    assert not hot_grids(counts, TOWN, exposure=homes).hot.any()


def test_a_rise_of_the_whole_map_shows_against_history_only() -> None:
    counts = np.random.default_rng(8).poisson(2.0, 900)
    assert not hot_grids(counts, TOWN).hot.any()
    assert hot_grids(counts, TOWN, expected=np.full(900, 1.0)).hot.mean() > 0.5


def test_grids_without_households_are_not_tested_and_said_so() -> None:
    homes = np.full(900, 100.0)
    homes[:2] = 0
    homes[2] = np.nan
    counts = np.ones(900)
    counts[:3] = 50
    made = hot_grids(counts, TOWN, exposure=homes)
    assert made.tested.tolist() == [False] * 3 + [True] * 897
    assert made.left_out == 150
    assert not made.hot.any()
    assert made.p[:3].tolist() == [1, 1, 1]
    nobody = hot_grids(counts, TOWN, exposure=np.zeros(900))
    assert not nobody.hot.any()
    assert nobody.left_out == 1_047


def test_no_events_one_event_and_all_in_one_grid() -> None:
    none = hot_grids(np.zeros(900), TOWN)
    assert (none.p == 1).all()
    assert not none.hot.any()
    one = np.zeros(900)
    one[465] = 1
    assert not hot_grids(one, TOWN).hot.any()
    assert not hot_grids(one, TOWN, test="permutation").hot.any()
    one[465] = 40
    assert hot_grids(one, TOWN).hot.sum() == 9
    alone = Neighbours(900)
    assert hot_grids(one, alone).hot.nonzero()[0].tolist() == [465]
    assert hot_grids([3], Neighbours(1)).hot.tolist() == [False]
    assert hot_grids([], Neighbours(0)).hot.tolist() == []


def test_everything_wrong_is_said_at_once() -> None:
    with pytest.raises(BadInput) as caught:
        hot_grids(
            [0.5, -1, 2],
            Neighbours(3),
            exposure=[1, -2, np.inf],
            expected=[1, 1],
            control="fdr",  # type: ignore[arg-type]
            level=0.9,
            seed=-1,
            test="permutation",
            permutations=1,
        )
    fields = [problem.field for problem in caught.value.problems]
    for field in ("counts", "exposure", "expected", "control", "level", "seed", "test"):
        assert field in fields
    assert "fractional" in str(caught.value)
    assert "Give whole numbers of events" in str(caught.value)
    with pytest.raises(BadInput, match="no grid has any exposure"):
        alarms(TOWN, np.zeros(900), 1)
