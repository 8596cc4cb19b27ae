"""A bandwidth found from the events: it follows their scale and says when it cannot."""

from __future__ import annotations

import numpy as np
import pytest

from maps import heatmap_text as text
from maps.bandwidth import from_events
from tests.maps.heatmaps import a_heatmap

SIDE = 20_000.0
BOX = (0.0, 0.0, SIDE, SIDE)


def clusters(spread_m: float, seed: int = 1) -> np.ndarray:
    rng = np.random.default_rng(seed)
    centres = rng.uniform(0.1, 0.9, (30, 2)) * SIDE
    return centres[rng.integers(0, 30, 1_500)] + rng.normal(0, spread_m, (1_500, 2))


def _score_by_sums(xy: np.ndarray, metres: float) -> float:
    """The same criterion by plain sums over pairs, each event a place of its own."""
    squared = ((xy[:, None] - xy[None]) ** 2).sum(axis=2)
    kernel = np.exp(squared / (-2 * metres**2)) / (2 * np.pi * metres**2)
    np.fill_diagonal(kernel, 0)
    density = kernel.sum(axis=1) / (len(xy) - 1)
    return float(np.log(0.98 * density + 0.02 / SIDE**2).mean())


@pytest.mark.parametrize("spread_m", [500.0, 1_200.0])
def test_it_is_the_best_by_plain_sums_too(spread_m: float) -> None:
    xy = clusters(spread_m)
    found = from_events(xy, BOX)
    assert found.reason == "likelihood"
    tried = np.geomspace(found.metres / 3, found.metres * 3, 25)
    best = tried[np.argmax([_score_by_sums(xy, metres) for metres in tried])]
    assert found.metres == pytest.approx(best, rel=0.12)


def test_disputes_that_repeat_at_one_address_do_not_narrow_it() -> None:
    xy = clusters(800.0)
    repeated = np.vstack([xy, np.repeat(xy[:100], 20, axis=0)])
    assert from_events(repeated, BOX).metres > 0.5 * from_events(xy, BOX).metres


def test_bounds_are_said() -> None:
    rng = np.random.default_rng(2)
    assert from_events(rng.random((3_000, 2)) * SIDE, BOX).reason == "widest"
    tight = from_events(clusters(30.0), BOX)
    assert (tight.reason, tight.metres) == ("narrowest", 100.0)


def test_nothing_wider_than_a_tenth_of_the_place_is_tried() -> None:
    rng = np.random.default_rng(2)
    assert from_events(rng.random((500, 2)) * 3_000, (0.0, 0.0, 3_000.0, 2_000.0)).metres == 300


@pytest.mark.parametrize("n", [0, 1, 500])
def test_no_events_one_and_all_on_one_point_take_the_usual(n: int) -> None:
    found = from_events(np.full((n, 2), 1_234.0), BOX)
    assert (found.metres, found.reason, found.places) == (300.0, "few", min(n, 1))


def test_the_map_says_how_its_bandwidth_came_about() -> None:
    heatmap = a_heatmap(bandwidth_m="auto")
    assert heatmap.chosen is not None
    assert heatmap.bandwidth_m == heatmap.chosen.metres
    assert heatmap.cell_m == pytest.approx(max(10, heatmap.bandwidth_m / 6))
    assert "likelihood cross-validation between 100 m" in " ".join(
        text.notes(heatmap, "en")
    ).replace("\u00a0", " ")
    assert "似然交叉验证" in "".join(text.notes(heatmap, "zh"))
    few = a_heatmap(8, bandwidth_m="auto")
    assert few.bandwidth_m == 300
    assert "too few" in " ".join(text.notes(few, "en"))
    assert not any("bandwidth is" in note for note in text.notes(a_heatmap(), "en"))
