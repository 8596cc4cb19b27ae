from __future__ import annotations

import numpy as np
import pytest

from maps.bulk import BULK, bulk_box

COUNTY = (500_000.0, 4_900_000.0, 600_000.0, 5_000_000.0)  # 100 km, in cells of 500 m.


def county(*towns: tuple[int, int, float]) -> np.ndarray:
    """Return a raster of 200 x 200 cells with towns of 8 x 8 cells: row, column, density."""
    events = np.zeros((200, 200))
    for row, column, density in towns:
        events[row : row + 8, column : column + 8] = density
    return events


def cells(box: tuple[float, ...] | None) -> list[int]:
    assert box is not None
    return [round((side - COUNTY[i % 2]) / 500) for i, side in enumerate(box)]


def test_villages_far_out_do_not_widen_the_box_of_the_town() -> None:
    events = county((60, 120, 9.0), (5, 5, 1.0), (190, 190, 1.0), (100, 20, 1.0))
    assert cells(bulk_box(events, COUNTY, 0)) == [120, 60, 128, 68]


def test_two_towns_alike_are_both_in_it() -> None:
    events = county((60, 60, 5.0), (60, 100, 5.0), (190, 5, 1.0))
    west, south, east, north = cells(bulk_box(events, COUNTY, 0))
    assert 60 <= south < north <= 68
    assert 60 <= west < 68
    assert 100 < east <= 108


@pytest.mark.parametrize("seed", range(5))
def test_it_holds_most_of_the_events(seed: int) -> None:
    rng = np.random.default_rng(seed)
    events = county((int(rng.integers(190)), int(rng.integers(190)), 99.0), (3, 3, 20.0))
    events += rng.random(events.shape) * (rng.random(events.shape) > 0.9)
    west, south, east, north = cells(bulk_box(events, COUNTY, 0))
    assert events[south:north, west:east].sum() >= BULK * events.sum() * (1 - 1e-9)


def test_the_margin_stays_within_the_raster() -> None:
    box = bulk_box(county((0, 50, 1.0)), COUNTY, 1_000)
    assert cells(box) == [48, 0, 60, 10]


def test_no_events_or_events_everywhere_have_no_bulk() -> None:
    assert bulk_box(county(), COUNTY, 0) is None
    assert bulk_box(np.full((200, 200), np.nan), COUNTY, 0) is None
    assert bulk_box(np.ones((200, 200)), COUNTY, 0) is None


def test_a_single_cell() -> None:
    events = np.zeros((30, 30))
    events[29, 0] = 1
    assert bulk_box(events, (0, 0, 30, 30), 0) == (0, 29, 1, 30)
