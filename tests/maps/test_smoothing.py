from __future__ import annotations

import math
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gis.errors import BadInput
from maps import smoothing
from maps.smoothing import CUBIC_UP_TO, PointField, density, kernel_mass

CELL_M = 50.0


def exact(
    xy: np.ndarray, probes: np.ndarray, bandwidth_m: float, weights: np.ndarray | float = 1.0
) -> np.ndarray:
    """Sum of Gaussians at the probes, by definition."""
    squared = ((probes[:, None, :] - xy[None]) ** 2).sum(axis=2)
    kernels = np.exp(-squared / (2 * bandwidth_m**2)) / (2 * math.pi * bandwidth_m**2)
    return (kernels * weights).sum(axis=1)


def centres(bbox: tuple[float, float, float, float], shape: tuple[int, int]) -> np.ndarray:
    ny, nx = shape
    x = bbox[0] + (np.arange(nx) + 0.5) * (bbox[2] - bbox[0]) / nx
    y = bbox[1] + (np.arange(ny) + 0.5) * (bbox[3] - bbox[1]) / ny
    return np.stack(np.meshgrid(x, y), axis=-1)


def relative_error(
    values: np.ndarray, xy: np.ndarray, bbox: tuple, bandwidth_m: float, probes: int = 200
) -> np.ndarray:
    """Error at random cells against exact sums, relative to the highest value of the raster."""
    rng = np.random.default_rng(7)
    at = centres(bbox, values.shape)
    rows, columns = (rng.integers(0, n, probes) for n in values.shape)
    truth = exact(xy, at[rows, columns], bandwidth_m)
    return np.abs(values[rows, columns] - truth) / values.max()


@pytest.mark.parametrize("bandwidth_m", [150.0, 300.0, 600.0])
@pytest.mark.parametrize("pattern", ["even", "towns", "one address", "repeat addresses"])
def test_density_is_the_sum_of_gaussians(pattern: str, bandwidth_m: float) -> None:
    rng = np.random.default_rng(1)
    bbox, shape = (0.0, 0.0, 10_000.0, 8_000.0), (160, 200)
    side = np.array(bbox[2:])
    if pattern == "even":
        xy = rng.random((20_000, 2)) * side
    elif pattern == "towns":
        xy = rng.normal(rng.random((8, 1, 2)) * side, 400, (8, 2_000, 2)).reshape(-1, 2)
    elif pattern == "one address":
        xy = np.full((500, 2), (5_013.0, 4_021.0))
    else:
        xy = np.repeat(rng.random((40, 2)) * side, 50, axis=0)
    error = relative_error(density(xy, bbox, shape, bandwidth_m), xy, bbox, bandwidth_m)
    # Three cells to a bandwidth is coarse for a single address; at six it is at 1e-5.
    assert np.median(error) <= 2.5e-5
    assert error.max() <= 2e-4


def test_many_points_go_by_the_linear_spline_and_stay_accurate() -> None:
    rng = np.random.default_rng(2)
    bbox, shape = (0.0, 0.0, 10_000.0, 10_000.0), (200, 200)
    n = CUBIC_UP_TO + 1
    xy = rng.random((n, 2)) * 10_000
    values = density(xy, bbox, shape, 300.0)
    field = PointField(bbox, shape, 300.0)
    for part in np.array_split(xy, 4):  # Each small enough for the cubic spline.
        field.add(part)
    difference = np.abs(values - field.density()) / values.max()
    assert np.median(difference) <= 2.5e-5
    assert difference.max() <= 2e-4


def test_edge_correction_is_the_exact_integral_over_the_mask() -> None:
    rng = np.random.default_rng(3)
    bbox, shape, bandwidth_m = (0.0, 0.0, 2_000.0, 1_500.0), (30, 40), 150.0
    at = centres(bbox, shape)
    mask = np.hypot(at[..., 0] - 900, at[..., 1] - 700) < 620
    mask[10:14, 18:25] = False  # A lake.
    xy = rng.random((4_000, 2)) * bbox[2:]
    inside = mask[(xy[:, 1] // CELL_M).astype(int), (xy[:, 0] // CELL_M).astype(int)]
    values = density(xy[inside], bbox, shape, bandwidth_m, mask=mask)

    assert (np.isnan(values) == ~mask).all()
    # The share of each kernel over the mask by brute force: 8 x 8 points in every cell.
    fine = centres(bbox, (shape[0] * 8, shape[1] * 8))[np.kron(mask, np.ones((8, 8))) == 1]
    probes = at[mask][::13]
    share = exact(fine, probes, bandwidth_m) * (CELL_M / 8) ** 2
    truth = exact(xy[inside], probes, bandwidth_m) / share
    assert (np.abs(values[mask][::13] - truth) / truth).max() <= 1e-3


def test_kernel_mass_is_one_deep_inside_and_half_on_a_straight_edge() -> None:
    mask = np.zeros((80, 81), dtype=bool)
    mask[:, 40:] = True
    mass = kernel_mass(mask, (4.0, 4.0))
    assert mass[40, 60] == pytest.approx(1, abs=1e-6)
    # The edge runs half a cell west of the centre of column 40.
    assert mass[40, 40] == pytest.approx(0.5 * (1 + math.erf(0.5 / 4 / math.sqrt(2))), abs=1e-6)


def test_even_density_stays_even_up_to_the_edge_of_the_mask() -> None:
    rng = np.random.default_rng(4)
    bbox, shape = (0.0, 0.0, 5_000.0, 5_000.0), (100, 100)
    xy = rng.random((200_000, 2)) * 5_000
    mask = np.ones(shape, dtype=bool)
    corrected = density(xy, bbox, shape, 300.0, mask=mask)
    bare = density(xy, bbox, shape, 300.0)
    true = 200_000 / 5_000**2
    assert corrected[0, 0] == pytest.approx(true, rel=0.08)
    assert bare[0, 0] == pytest.approx(true / 4, rel=0.3)  # What the correction is for.


@given(
    st.lists(st.tuples(st.floats(0, 3_000), st.floats(0, 2_000)), max_size=30),
    st.floats(50, 400),
)
def test_every_event_counts_once(points: list[tuple[float, float]], bandwidth_m: float) -> None:
    margin = 6 * bandwidth_m
    bbox = (-margin, -margin, 3_000 + margin, 2_000 + margin)
    shape = (math.ceil((2_000 + 2 * margin) / 50), math.ceil((3_000 + 2 * margin) / 50))
    values = density(np.array(points).reshape(-1, 2), bbox, shape, bandwidth_m)
    cell = (bbox[2] - bbox[0]) * (bbox[3] - bbox[1]) / values.size
    assert values.shape == shape
    assert (values >= 0).all()
    assert values.sum() * cell == pytest.approx(len(points), rel=1e-5, abs=1e-9)


@pytest.mark.parametrize("bandwidth_m", [100.0, 2_000.0])  # By rows, and by Fourier transform.
def test_both_ways_of_smoothing_agree_with_the_definition(bandwidth_m: float) -> None:
    rng = np.random.default_rng(5)
    bbox, shape = (0.0, 0.0, 3_000.0, 2_000.0), (100, 60)  # Cells of 20 m by 50 m.
    xy = rng.random((300, 2)) * bbox[2:]
    error = relative_error(density(xy, bbox, shape, bandwidth_m), xy, bbox, bandwidth_m)
    assert error.max() <= 1e-3 if bandwidth_m == 100 else error.max() <= 1e-5


def test_row_0_is_south_and_column_0_west() -> None:
    values = density([[10.0, 990.0]], (0.0, 0.0, 1_000.0, 1_000.0), (20, 20), 100.0)
    assert np.unravel_index(values.argmax(), values.shape) == (19, 0)


def test_a_point_just_outside_reaches_in_and_a_far_one_does_not() -> None:
    bbox, shape = (0.0, 0.0, 1_000.0, 1_000.0), (20, 20)
    near = density([[-100.0, 500.0]], bbox, shape, 100.0)
    probe = centres(bbox, shape)[10, 0][None]
    assert near[10, 0] == pytest.approx(
        exact(np.array([[-100.0, 500.0]]), probe, 100.0)[0], rel=1e-2
    )
    assert (density([[-5_000.0, 500.0], [1e12, 0.0]], bbox, shape, 100.0) == 0).all()


def test_no_points_and_weights_of_zero_are_zero_everywhere() -> None:
    bbox, shape = (0.0, 0.0, 1_000.0, 500.0), (10, 20)
    assert (density([], bbox, shape, 100.0) == 0).all()
    assert (density([[500.0, 200.0]], bbox, shape, 100.0, weights=[0.0]) == 0).all()


def test_a_weight_of_three_is_three_events() -> None:
    bbox, shape = (0.0, 0.0, 1_000.0, 1_000.0), (20, 20)
    weighted = density([[480.0, 510.0]], bbox, shape, 100.0, weights=[3])
    np.testing.assert_allclose(weighted, density([[480.0, 510.0]] * 3, bbox, shape, 100.0))


@pytest.mark.parametrize("parts", [1, 4])
def test_counting_with_dipoles_is_as_exact_as_it_says(
    parts: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(smoothing, "CUBIC_UP_TO", 0)
    monkeypatch.setattr(smoothing, "LINEAR_UP_TO", 0)
    rng = np.random.default_rng(12)
    bbox, shape = (0.0, 0.0, 6_000.0, 4_000.0), (80, 120)
    # Enough at one address to fill its word many times over, and some far outside.
    xy = np.vstack([
        rng.random((200_000, 2)) * bbox[2:],
        rng.normal((3_000, 2_000), 200, (50_000, 2)),
        np.full((3_000, 2), (1_011.0, 1_017.0)),
        [[1e12, 0.0], [-4_000.0, 2_000.0]],
    ])  # fmt: skip
    field = PointField(bbox, shape, 300.0)
    assert field.order_for(len(xy)) == -1
    for part in np.array_split(rng.permutation(xy), parts):
        field.add(part)
    error = relative_error(field.density(), xy, bbox, 300.0)
    assert np.median(error) <= 1e-4
    assert error.max() <= 1e-3


def test_counting_names_what_is_not_finite(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(smoothing, "CUBIC_UP_TO", 0)
    monkeypatch.setattr(smoothing, "LINEAR_UP_TO", 0)
    xy = np.full((700, 2), 500.0)
    xy[[3, 650], 1] = np.nan, np.inf
    with pytest.raises(BadInput, match="2 points have a coordinate that is not finite") as caught:
        density(xy, (0.0, 0.0, 1_000.0, 1_000.0), (20, 20), 200.0)
    assert caught.value.problems[0].row == 4


def test_a_narrow_kernel_is_never_made_of_dipoles(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(smoothing, "CUBIC_UP_TO", 0)
    monkeypatch.setattr(smoothing, "LINEAR_UP_TO", 0)
    field = PointField((0.0, 0.0, 1_000.0, 1_000.0), (20, 20), 60.0)
    assert field.order_for(10) == 2


def test_an_event_taken_out_again_leaves_nothing() -> None:
    rng = np.random.default_rng(6)
    bbox, shape = (0.0, 0.0, 1_000.0, 1_000.0), (20, 20)
    xy = rng.random((50, 2)) * 1_000
    field = PointField(bbox, shape, 100.0)
    field.add(xy)
    field.add(xy[:1], sign=-1)
    np.testing.assert_allclose(field.density(), density(xy[1:], bbox, shape, 100.0), atol=1e-15)


def test_every_wrong_argument_is_named_at_once() -> None:
    with pytest.raises(BadInput) as caught:
        density([[0.0, 0.0]], (0.0, 0.0, 0.0, 1.0), (0, 5), -1.0)
    assert {problem.field for problem in caught.value.problems} == {
        "bbox_m",
        "shape",
        "bandwidth_m",
    }


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"shape": (40_000, 40_000)}, "the largest possible is 4,096 x 4,096"),
        ({"bandwidth_m": 49.0}, "a bandwidth of at least 50 m"),
        ({"bandwidth_m": 1e9}, "cells wide"),
        ({"bandwidth_m": math.nan}, "bandwidth is nan"),
        ({"xy_m": [[1.0, 2.0, 3.0]]}, "(n, 2)"),
        ({"xy_m": [[1.0, 2.0], [math.nan, 1.0]]}, "row 2"),
        ({"xy_m": [[1.0, math.inf]]}, "not finite"),
        ({"weights": [1.0, 2.0]}, "2 weights for 1 points"),
        ({"weights": [-1.0]}, "negative"),
        ({"mask": np.ones((3, 3), dtype=bool)}, "shape (20, 20)"),
        ({"mask": np.ones((20, 20))}, "boolean"),
    ],
)
def test_wrong_arguments_are_refused_with_the_way_out(arguments: dict, words: str) -> None:
    good = {
        "xy_m": [[500.0, 500.0]],
        "bbox_m": (0.0, 0.0, 1_000.0, 1_000.0),
        "shape": (20, 20),
        "bandwidth_m": 100.0,
    }
    with pytest.raises(BadInput) as caught:
        density(**{**good, **arguments})
    assert words in str(caught.value)


def test_importing_the_module_does_not_load_the_compiler() -> None:
    code = "import sys, maps.smoothing; sys.exit('numba' in sys.modules)"
    root = Path(__file__).parent.parent.parent
    assert subprocess.run([sys.executable, "-c", code], cwd=root, check=False).returncode == 0
