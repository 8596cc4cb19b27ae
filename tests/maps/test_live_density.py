"""A density kept event by event is the one that would be computed anew."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gis.errors import BadInput
from maps import smoothing
from maps.live_density import LiveDensity
from maps.smoothing import density

BOX, SHAPE = (500.0, -200.0, 3_500.0, 1_800.0), (40, 55)  # Cells of 50 m by 54.5 m.
PLACES = st.tuples(st.floats(-500, 4_500), st.floats(-1_200, 2_800))  # Outside the box as well.


def _mask() -> np.ndarray:
    mask = np.ones(SHAPE, dtype=bool)
    mask[:12, :20] = False
    return mask


@given(
    first=st.lists(PLACES, max_size=20),
    changes=st.lists(st.tuples(st.booleans(), PLACES), max_size=12),
    bandwidth_m=st.sampled_from([60.0, 150.0, 600.0]),
    masked=st.booleans(),
)
def test_it_is_the_density_computed_anew(
    first: list[tuple[float, float]],
    changes: list[tuple[bool, tuple[float, float]]],
    bandwidth_m: float,
    masked: bool,
) -> None:
    mask = _mask() if masked else None
    live = LiveDensity(first, BOX, SHAPE, bandwidth_m, mask=mask)
    there = list(first)
    for leaves, place in changes:
        if leaves and there:
            live.remove([there.pop(0)])
        else:
            live.add([place])
            there.append(place)
    anew = density(np.reshape(there, (-1, 2)), BOX, SHAPE, bandwidth_m, mask=mask)
    assert live.n == len(there)
    np.testing.assert_array_equal(np.isnan(live.values), np.isnan(anew))
    one = 1 / (2 * np.pi * bandwidth_m**2)  # The peak of one kernel.
    np.testing.assert_allclose(live.values, anew, atol=1e-6 * max(one, np.nanmax(anew)), rtol=1e-6)


@pytest.mark.parametrize("order", [2, -1])
def test_a_change_is_spread_as_the_first_many_were(
    order: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(smoothing, "CUBIC_UP_TO", 100)
    monkeypatch.setattr(smoothing, "LINEAR_UP_TO", 100 if order == -1 else 10_000)
    rng = np.random.default_rng(1)
    xy = rng.random((1_000, 2)) * (3_000, 2_000) + (500, -200)
    live = LiveDensity(xy[:-1], BOX, SHAPE, 200.0)
    live.add(xy[-1:])
    anew = density(xy, BOX, SHAPE, 200.0)
    np.testing.assert_allclose(live.values, anew, atol=1e-6 * anew.max(), rtol=0)
    live.remove(xy[-1:])
    before = density(xy[:-1], BOX, SHAPE, 200.0)
    np.testing.assert_allclose(live.values, before, atol=1e-6 * before.max(), rtol=0)


def test_more_cannot_leave_than_came_and_none_without_a_place() -> None:
    live = LiveDensity([[1_000.0, 500.0]], BOX, SHAPE, 200.0)
    with pytest.raises(BadInput, match="2 events to be taken out of 1"):
        live.remove([[1_000.0, 500.0]] * 2)
    with pytest.raises(BadInput, match="no place"):
        live.add([[np.nan, 500.0]])
    live.remove([[1_000.0, 500.0]])
    assert live.values.max() < 1e-12
