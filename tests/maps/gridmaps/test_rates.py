"""Shrunken rates against esda's, and what an interval of a rate has to be."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gis.errors import BadInput
from maps.gridmaps.rates import exact_interval, shrunk_to_all, shrunk_to_neighbours
from maps.hotspots import Neighbours
from tests.maps.hotspots.places import Counties

# Sudden infant deaths 1974-78 of sids.csv, computed by esda 2.9.0 (numpy 2.4.6, libpysal 4.14.1):
# ``smoothing.Empirical_Bayes(sids_1974, births_1974).r`` and ``Spatial_Empirical_Bayes`` with the
# queen neighbours of the file.
ESDA = {
    "Alamance": (0.0025085643960971464, 0.0022407230233057944),
    "Alexander": (0.0013411082177448035, 0.0010566709304265613),
    "Anson": (0.004838804052126551, 0.00813542367897774),
    "Johnston": (0.0017069944192728546, 0.0016785463643234995),
    "Yancey": (0.0015633325399100008, 0.001367776330649721),
}
ESDA_SUMS = (0.20684533445542436, 0.2090183594311512)


def test_rates_are_those_of_esda() -> None:
    c = Counties()
    found = (
        shrunk_to_all(c.sids_1974, c.births_1974),
        shrunk_to_neighbours(c.sids_1974, c.births_1974, c.neighbours),
    )
    for which, each in enumerate(found):
        assert each.rates.sum() == pytest.approx(ESDA_SUMS[which], rel=1e-12)
        for name, wanted in ESDA.items():
            assert each.rates[c.names.index(name)] == pytest.approx(wanted[which], rel=1e-12)
        assert (each.low <= each.rates).all()
        assert (each.rates <= each.high).all()


def test_exact_limits_are_garwood_s() -> None:
    # Table of exact 95 % limits, Garwood 1936: 0, 1, 5 and 10 events.
    low, high = exact_interval([0, 1, 5, 10], np.ones(4))
    np.testing.assert_allclose(low, [0, 0.0253, 1.6235, 4.7954], atol=6e-5)
    np.testing.assert_allclose(high, [3.6889, 5.5716, 11.6683, 18.3904], atol=6e-5)


def test_the_interval_covers_the_truth_as_often_as_it_says() -> None:
    rng = np.random.default_rng(3)
    exposure = rng.uniform(1, 20, 4000)
    truth = rng.gamma(4, 0.25, 4000)
    counts = rng.poisson(truth * exposure)
    found = shrunk_to_all(counts, exposure)
    covered = ((found.low <= truth) & (truth <= found.high)).mean()
    assert 0.93 < covered < 0.97
    # Shrinking is worth it: the squared error is smaller than that of the raw rates.
    assert ((found.rates - truth) ** 2).sum() < 0.8 * ((counts / exposure - truth) ** 2).sum()


def test_fewer_households_are_moved_further() -> None:
    found = shrunk_to_all([30, 3, 0, 40, 2], [300.0, 30.0, 30.0, 200.0, 100.0])
    assert found.weights[0] > found.weights[1] == found.weights[2]
    assert 0 < found.rates[2] < 33 / 330


def test_unknown_households_have_no_rate_and_change_no_other() -> None:
    counts, exposure = [9, 1, 4, 7, 2], [100.0, 90.0, np.nan, 110.0, 0.0]
    found = shrunk_to_all(counts, exposure)
    assert np.isnan(found.rates[[2, 4]]).all()
    assert np.isnan(found.low[[2, 4]]).all()
    kept = shrunk_to_all([9, 1, 7], [100.0, 90.0, 110.0])
    np.testing.assert_array_equal(found.rates[[0, 1, 3]], kept.rates)


def test_no_events_and_no_grids() -> None:
    found = shrunk_to_all([0, 0], [10.0, 20.0])
    assert found.rates.tolist() == [0, 0]
    assert found.high[0] == pytest.approx(3.6889 / 30, abs=1e-5)
    assert shrunk_to_all([], []).rates.size == 0
    assert np.isnan(shrunk_to_all([1], [0.0]).rates).all()


def test_an_island_keeps_its_own_rate() -> None:
    found = shrunk_to_neighbours([6, 2, 9], [10.0, 20.0, 30.0], Neighbours(3, [(0, 1)]))
    assert found.rates[2] == 9 / 30
    assert found.weights[2] == 1
    assert found.low[2] < 9 / 30 < found.high[2]


COUNTS = st.lists(st.tuples(st.integers(0, 50), st.floats(0.5, 500)), min_size=1, max_size=30)


@given(COUNTS)
def test_a_shrunken_rate_lies_between_its_own_and_the_mean(rows: list[tuple[int, float]]) -> None:
    counts, exposure = (np.array(each, dtype=float) for each in zip(*rows, strict=True))
    found = shrunk_to_all(counts, exposure)
    own, mean = counts / exposure, counts.sum() / exposure.sum()
    assert (np.minimum(own, mean) * (1 - 1e-9) <= found.rates).all()
    assert (found.rates <= np.maximum(own, mean) * (1 + 1e-9)).all()


def test_what_is_no_count_is_refused() -> None:
    with pytest.raises(BadInput, match="negative"):
        shrunk_to_all([-1, 2], [1.0, 1.0])
    with pytest.raises(BadInput, match="fractional"):
        exact_interval([0.5], [1.0])
