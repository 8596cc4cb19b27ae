"""Near repeats, repeat addresses, and hot spots over weeks."""

from __future__ import annotations

import numpy as np
import pytest

from gis.errors import BadInput
from maps.hotspots import Kind, emerging, knox, repeat_addresses
from tests.maps.hotspots.places import lattice


def test_pairs_fall_in_the_first_band_that_holds_them() -> None:
    xy = [[0, 0], [0, 0], [100, 0], [300, 0]]
    days = [0, 7, 8, 100]
    made = knox(xy, days, distances_m=(0, 100, 200), day_bands=(7, 14), simulations=19)
    # 0-1: same place, 7 days; 0-2: 100 m, 8 days; 1-2: 100 m, 1 day; 2-3: 200 m, 92 days.
    assert made.observed.tolist() == [[1, 0], [1, 1], [0, 0]]


def test_expected_is_what_all_orders_of_the_times_give() -> None:
    xy = [[0, 0], [0, 0], [50, 0], [400, 0]]
    days = np.array([0, 1, 20, 30.0])
    made = knox(xy, days, distances_m=(100,), day_bands=(10,), simulations=9_999, seed=1)
    # Of the 6 pairs 3 are near in space and 2 near in time: 3 * 2 / 6 on average.
    assert made.expected[0, 0] == pytest.approx(1.0, abs=0.03)


def test_contagion_shows_and_chance_does_not() -> None:
    generator = np.random.default_rng(9)
    xy = generator.random((400, 2)) * 5_000
    days = generator.random(400) * 365
    quiet = knox(xy, days, simulations=199)
    assert quiet.p.min() > 0.005
    again = generator.integers(0, 400, 80)
    near = np.concatenate([xy, xy[again] + generator.normal(0, 40, (80, 2))])
    soon = np.concatenate([days, days[again] + generator.random(80) * 6])
    caught = knox(near, soon, simulations=199)
    assert caught.p[1, 0] == 0.005
    assert caught.ratio[1, 0] > 3
    assert caught.p[:, -1].min() > 0.01
    assert (knox(near, soon, simulations=199).expected == caught.expected).all()


def test_knox_of_nothing_of_one_and_of_one_point() -> None:
    for n in (0, 1):
        made = knox(np.zeros((n, 2)), np.zeros(n))
        assert made.observed.shape == (4, 4)
        assert not made.observed.any()
        assert (made.p == 1).all()
    here = knox(np.zeros((30, 2)), np.arange(30), simulations=19)
    assert here.observed[0].tolist() == [
        sum(1 for a in range(30) for b in range(a) if low < a - b <= high)
        for low, high in ((-1, 7), (7, 14), (14, 28), (28, 56))
    ]
    assert (here.p == 1).all()
    with pytest.raises(BadInput, match="pairs of events lie within"):
        knox(np.zeros((9_000, 2)), np.arange(9_000.0))


def test_knox_says_everything_wrong_at_once() -> None:
    with pytest.raises(BadInput) as caught:
        knox([[0, 0]], [np.nan], distances_m=(100, 50), day_bands=(), simulations=1, seed=-1)
    fields = [problem.field for problem in caught.value.problems]
    assert fields == ["days", "distances_m", "day_bands", "simulations", "seed"]


def test_repeat_addresses() -> None:
    made = repeat_addresses(
        ["A", "B", "A", None, "A", "C", "B", "B"], [9, 2, 1, 5, 3, 4, 2, 8], known=100
    )
    assert made.addresses == ("A", "B")
    assert made.events.tolist() == [3, 3]
    assert made.first_day.tolist() == [1, 2]
    assert made.last_day.tolist() == [9, 8]
    assert made.median_gap_days.tolist() == [4, 3]
    assert made.share_of_events == 6 / 7
    assert made.share_of_addresses == 2 / 3
    assert made.expected == pytest.approx(100 * 0.07**3 / 6, rel=0.06)
    none = repeat_addresses([], [])
    assert (none.addresses, none.share_of_events, none.expected) == ((), 0, None)
    with pytest.raises(BadInput) as caught:
        repeat_addresses(["A"], [1, 2], least=1, known=0)
    assert len(caught.value.problems) == 3


def weeks_of(**spots: list[int]) -> np.ndarray:
    """A quiet town of 20 x 20 grids over 24 weeks, with spots of 9 grids in blocks of 4 weeks."""
    counts = np.random.default_rng(12).poisson(0.2, (400, 24))
    for place, blocks in spots.items():
        middle = int(place.removeprefix("at"))
        for row in (-20, 0, 20):
            for column in (-1, 0, 1):
                for block in blocks:
                    counts[middle + row + column, block * 4 : block * 4 + 4] += 1
    return counts


def test_kinds_over_the_weeks() -> None:
    counts = weeks_of(at63=[5], at76=[0, 1, 2, 3, 4, 5], at263=[0, 1, 2, 3], at276=[2], at170=[])
    made = emerging(counts, lattice(20, 20))
    assert made.kinds[63] is Kind.EMERGING
    assert made.kinds[76] is Kind.PERSISTING
    assert made.kinds[263] is Kind.FADING
    assert made.kinds[276] is Kind.SPORADIC
    assert made.kinds[170] is Kind.NONE
    assert made.hot[263].tolist() == [True] * 4 + [False] * 2
    assert made.trend[63] > 3
    assert made.trend[263] < -3
    assert (made.weeks_per_block, made.weeks_unused) == (4, 0)


def test_a_season_of_the_whole_map_is_no_trend() -> None:
    generator = np.random.default_rng(1)
    made = emerging(generator.poisson(0.3 * np.arange(1, 27), (400, 26)), lattice(20, 20))
    assert made.weeks_unused == 2
    assert (made.trend_q > 0.05).all()
    assert np.std(made.trend) == pytest.approx(1.0, abs=0.2)
    nothing = emerging(np.zeros((400, 12)), lattice(20, 20))
    assert set(nothing.kinds) == {Kind.NONE}


def test_too_few_weeks_are_refused() -> None:
    with pytest.raises(BadInput, match="11 weeks are fewer than 3 blocks of 4"):
        emerging(np.zeros((400, 11)), lattice(20, 20))
    with pytest.raises(BadInput) as caught:
        emerging(np.full((400, 12), -1), lattice(20, 20), weeks_per_block=0, level=0)
    assert [each.field for each in caught.value.problems] == ["counts", "level", "weeks_per_block"]
