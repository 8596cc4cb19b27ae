"""The scan against every window counted by hand, the published clusters, and its promise of p."""

from __future__ import annotations

import importlib
import math

import numpy as np
import pytest

from gis.errors import BadInput
from maps.hotspots import scan, scan_kernels
from tests.maps.hotspots.places import Counties

COUNTIES = Counties()
scanning = importlib.import_module("maps.hotspots.scan")  # the package's scan is the function


def names(cluster: object) -> set[str]:
    return {COUNTIES.names[row] for row in cluster.rows}  # type: ignore[attr-defined]


def test_the_clusters_of_1974_are_the_published_ones() -> None:
    # Int. J. of Health Geographics 20 (2021), s12942-021-00298-6, table 1, spatial scan statistic:
    # most likely in the northeast, 4 counties, 5.12 per 1,000 births; second in the south,
    # 6 counties, 3.76. Windows up to a quarter of the births (any limit from .1 to .25).
    made = scan(
        COUNTIES.xy_m, COUNTIES.sids_1974, exposure=COUNTIES.births_1974, max_share=0.25, seed=1
    )
    first, second = made.clusters[:2]
    assert names(first) == {"Northampton", "Halifax", "Hertford", "Bertie"}
    assert names(second) == {"Scotland", "Hoke", "Richmond", "Robeson", "Moore", "Anson"}
    for cluster, rate in ((first, 5.12), (second, 3.76)):
        births = COUNTIES.births_1974[cluster.rows].sum()
        assert round(1000 * cluster.observed / births, 2) == rate
        assert cluster.p <= 0.01


def test_both_periods_together_point_to_the_same_two_corners() -> None:
    made = scan(
        COUNTIES.xy_m,
        COUNTIES.sids_1974 + COUNTIES.sids_1979,
        exposure=COUNTIES.births_1974 + COUNTIES.births_1979,
        seed=1,
    )
    first, second, third = made.clusters[:3]
    assert names(first) == {"Bladen", "Hoke", "Robeson", "Scotland"}
    assert names(second) == {"Halifax", "Hertford", "Northampton", "Bertie"}
    assert names(third) == {"Columbus"}
    assert first.p <= 0.01
    assert second.p <= 0.01


def ratio(count: float, expected: float, total: float) -> float:
    if count <= expected:
        return 0.0
    outside = total - count
    return count * math.log(count / expected) + (
        outside * math.log(outside / (total - expected)) if outside else 0.0
    )


def by_hand(xy: np.ndarray, counts: np.ndarray, homes: np.ndarray, longest: int) -> float:
    """Largest ratio of all circles and runs of weeks, each counted afresh."""
    total = counts.sum()
    expected = homes * total / homes.sum()
    best = 0.0
    for centre in range(len(xy)):
        apart = np.hypot(*(xy - xy[centre]).T)
        for radius in np.unique(apart.round(6)):
            inside = apart <= radius + 1e-6
            if homes[inside].sum() > 0.5 * homes.sum():
                break
            for first in range(counts.shape[1]):
                for last in range(first + 1, min(first + longest, counts.shape[1]) + 1):
                    window = np.ix_(inside, range(first, last))
                    best = max(best, ratio(counts[window].sum(), expected[window].sum(), total))
    return best


@pytest.mark.parametrize("layout", ["lattice", "scattered"])
@pytest.mark.parametrize("weeks", [1, 4])
@pytest.mark.parametrize("mean", [0.4, 300.0])
def test_the_likeliest_window_is_that_of_all_windows(layout: str, weeks: int, mean: float) -> None:
    generator = np.random.default_rng(weeks)
    if layout == "lattice":  # full of equal distances
        xy = np.column_stack(np.divmod(np.arange(36), 6)) * 100.0 + [4_000_000, 500_000]
    else:
        xy = generator.random((36, 2)) * 1_000
    homes = generator.gamma(2, 100, (36, weeks))
    counts = generator.poisson(mean, (36, weeks))
    made = scan(xy, counts, exposure=homes, simulations=19)
    assert made.clusters[0].log_ratio == pytest.approx(
        by_hand(xy, counts, homes, max(1, weeks // 2))
    )
    # The simulated maps go another way through the same windows: deal the first ones out again.
    expected = homes * counts.sum() / homes.sum()
    lanes = 16 if counts.sum() <= 32_766 else 8
    dealt = np.random.default_rng([0, 0]).multinomial(
        counts.sum(), (expected / expected.sum()).ravel(), size=min(lanes, 19)
    )
    for simulated in dealt[:4]:
        hand = by_hand(xy, simulated.reshape(36, weeks), homes, max(1, weeks // 2))
        assert np.abs(made.simulated - hand).min() < 1e-9


def test_quiet_maps_are_called_quiet() -> None:
    generator = np.random.default_rng(6)
    p = [
        scan(
            generator.random((50, 2)) * 1_000,
            generator.poisson(0.6, (50, 4)),
            simulations=99,
            seed=each,
        )
        .clusters[0]
        .p
        for each in range(120)
    ]
    assert np.sum(np.array(p) <= 0.05) <= 12  # 120 at 5 %: 13 or more with a chance of 1 %
    assert 0.3 < np.mean(np.array(p) <= 0.5) < 0.7


def test_two_outbreaks_are_told_apart_and_dated() -> None:
    generator = np.random.default_rng(3)
    y, x = np.divmod(np.arange(400), 20)
    xy = np.column_stack([x, y]) * 100.0
    counts = generator.poisson(0.3, (400, 8))
    near = np.hypot(x - 4, y - 4) <= 1.5
    far = np.hypot(x - 15, y - 14) <= 1.5
    counts[near, 6:] += generator.poisson(3, (9, 2))
    counts[far, 1:4] += generator.poisson(3, (9, 3))
    made = scan(xy, counts, max_share=0.1, simulations=199)
    first, second = made.clusters[:2]
    assert {first.first_week, second.first_week} == {1, 6}
    assert set(first.rows.tolist()).isdisjoint(second.rows.tolist())
    assert first.p == second.p == 0.005
    assert first.relative_risk > 5
    assert first.observed > first.expected
    late = scan(xy, counts, max_share=0.1, ending="last", simulations=199)
    assert late.clusters[0].last_week == 7
    assert len(scan(xy, counts, max_share=0.1, most=1, simulations=19).clusters) == 1


def test_the_seed_decides_and_grids_without_households_are_left_out() -> None:
    generator = np.random.default_rng(4)
    xy = generator.random((40, 2)) * 1_000
    counts = generator.poisson(2, 40)
    homes = np.full(40, 50.0)
    homes[3], homes[7] = np.nan, 0
    made, again = (scan(xy, counts, exposure=homes, simulations=99, seed=5) for _ in range(2))
    assert (made.simulated == again.simulated).all()
    other = scan(xy, counts, exposure=homes, simulations=99, seed=6)
    assert (made.simulated != other.simulated).any()
    assert made.left_out == counts[[3, 7]].sum()
    for cluster in made.clusters:
        assert not set(cluster.rows.tolist()) & {3, 7}


def test_no_events_one_event_all_in_one_grid() -> None:
    xy = np.random.default_rng(4).random((40, 2)) * 1_000
    one = np.zeros(40)
    assert scan(xy, one).clusters == ()
    one[8] = 1
    assert scan(xy, one).clusters[0].p > 0.5
    one[8] = 30
    made = scan(xy, one).clusters
    assert (made[0].rows.tolist(), made[0].radius_m, made[0].relative_risk) == ([8], 0, math.inf)
    assert made[0].p == 0.001
    assert scan(xy[:1], [5]).clusters == ()
    assert scan(xy[:0], []).clusters == ()


def test_everything_wrong_is_said_at_once() -> None:
    with pytest.raises(BadInput) as caught:
        scan(
            [[0, 0], [1, np.nan]],
            [1.5, 2],
            exposure=[-1, 2],
            max_share=0.9,
            max_weeks=3,
            ending="now",  # type: ignore[arg-type]
            most=0,
            simulations=5,
            seed=-1,
        )
    fields = [problem.field for problem in caught.value.problems]
    for field in ("counts", "xy_m", "exposure", "max_share", "max_weeks", "ending", "most",
                  "simulations", "seed"):  # fmt: skip
        assert field in fields
    with pytest.raises(BadInput, match="one row per grid"):
        scan([[0, 0]], [[[1]]])


@pytest.mark.parametrize("total", [40_000, 65_500])
def test_counts_of_16_bits_give_what_those_of_32_give(
    monkeypatch: pytest.MonkeyPatch, total: int
) -> None:
    """At 65,500 a window of half the map has more events than 16 bits can tell: done again."""
    random = np.random.default_rng(3)
    places = random.random((60, 2)) * 5_000
    circles = scanning._circles(places, np.ones(60), 0.5)
    expected = np.full((60, 1), total / 60)

    def maxima() -> list[float]:
        return scanning._simulated(
            circles, expected, total=float(total), runs=[(0, 1)], simulations=8, seed=5
        ).tolist()

    monkeypatch.setattr(scan_kernels, "MAX_WINDOW", 0)
    in_32 = maxima()
    monkeypatch.setattr(scan_kernels, "MAX_WINDOW", 10**9)
    assert maxima() == in_32
    assert min(in_32) > 0
