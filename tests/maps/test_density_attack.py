"""What a shared density tells of single addresses to whoever knows where all of them are.

The attacker knows the addresses, the area, the period and this program, and so what one event at
each address would add to each cell. The values of a shared density are then linear equations for
the numbers of events, and a solver is asked how small and how large each can be.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any

import numpy as np
import pytest
import shapely
from scipy.optimize import linprog

from maps import sharing
from maps.disclosure import K
from maps.heatmap import Heatmap, build
from tests.maps.heatmaps import SHANGHAI

AREA = shapely.box(116.0, 43.9, 116.08, 43.95)
SIDE = 5
SPACING_M = 200
EXACT = 15
"""Figures of a number of the computer."""


def addresses() -> tuple[np.ndarray, np.ndarray]:
    """Places in a square, `SPACING_M` apart, and events at each: many, and one in the middle."""
    at = (np.arange(SIDE) - (SIDE - 1) / 2) * SPACING_M
    east, north = (each.ravel() for each in np.meshgrid(at, at))
    counts = np.random.default_rng(3).poisson(6, east.size) + 2
    counts[counts.size // 2] = 1
    return np.column_stack([116.04 + east / 80_300, 43.925 + north / 111_100]), counts


def density_of(places: np.ndarray, counts: np.ndarray, *, shared: bool) -> Heatmap:
    about: dict[str, Any] = {
        "start": datetime(2026, 3, 30, tzinfo=SHANGHAI),
        "end": datetime(2026, 6, 29, tzinfo=SHANGHAI),
    }
    lon, lat = (np.repeat(places[:, i], counts) for i in (0, 1))
    return build(lon, lat, area=AREA, bandwidth_m=300, case_team=not shared, **about)


def ranges(places: np.ndarray, seen: Heatmap, figures: int) -> np.ndarray:
    """The least and most events that each address can have had, shape (n, 2)."""
    shown = np.isfinite(seen.values)
    values = seen.values[shown]
    each = np.eye(len(places), dtype=int)
    added = np.column_stack([density_of(places, one, shared=False).values[shown] for one in each])
    half = 0.5 * 10.0 ** (np.floor(np.log10(values)) - figures + 1) + 1e-9 * values.max()
    limits: dict[str, Any] = {
        "A_ub": np.concatenate([added, -added]),
        "b_ub": np.concatenate([values + half, half - values]),
    }
    found = [[linprog(sign * one, **limits) for sign in (1, -1)] for one in each]
    assert all(end.status == 0 for ends in found for end in ends)
    return np.array([[low.fun, -high.fun] for low, high in found])


def test_two_figures_tell_no_address_to_linear_equations() -> None:
    places, counts = addresses()
    seen = density_of(places, counts, shared=True)
    found = ranges(places, seen, sharing.DIGITS)
    assert (found[:, 0] <= counts).all()
    assert (found[:, 1] >= counts).all()
    # Each small number can still be any from none to five.
    small = counts < K
    assert small.any()
    assert (found[small, 0] < 0.5).all()
    assert (found[small, 1] > K - 0.5).all()


def test_without_rounding_every_address_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sharing, "DIGITS", EXACT)
    places, counts = addresses()
    found = ranges(places, density_of(places, counts, shared=True), EXACT)
    assert np.abs(found - counts[:, None]).max() < 0.1
