from __future__ import annotations

import json
import math
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gis.errors import BadInput
from maps.gridmaps.gridmap import ZERO
from maps.palettes import (
    classify,
    hatched,
    hex_colour,
    labels,
    nice_breaks,
    over,
    ramp,
    rgba,
    stippled,
)

VIEWER = Path(__file__).parents[2] / "maps" / "viewer"
# Linear sRGB as people without one kind of cone see it, in full: G. M. Machado, M. M. Oliveira,
# L. A. F. Fernandes, "A physiologically-based model for simulation of color vision
# deficiency", 2009.
VISION = {
    "full": np.eye(3),
    "protanopia": np.array(
        [
            [0.152286, 1.052583, -0.204868],
            [0.114503, 0.786281, 0.099216],
            [-0.003882, -0.048116, 1.051998],
        ]
    ),
    "deuteranopia": np.array(
        [
            [0.367322, 0.860646, -0.227968],
            [0.280085, 0.672501, 0.047413],
            [-0.011820, 0.042940, 0.968881],
        ]
    ),
    "tritanopia": np.array(
        [
            [1.255528, -0.076749, -0.178779],
            [-0.078411, 0.930809, 0.147602],
            [0.004733, 0.691367, 0.303900],
        ]
    ),
}


def lab(colours: list[tuple[int, int, int]], vision: np.ndarray) -> np.ndarray:
    """CIE L*a*b* (D65) of sRGB colours as a kind of vision sees them."""
    coded = np.array(colours) / 255
    linear = np.where(coded <= 0.04045, coded / 12.92, ((coded + 0.055) / 1.055) ** 2.4)
    seen = np.clip(linear @ vision.T, 0, 1)
    to_xyz = np.array(
        [[0.4124, 0.3576, 0.1805], [0.2126, 0.7152, 0.0722], [0.0193, 0.1192, 0.9505]]
    )
    xyz = seen @ to_xyz.T / np.array([0.9505, 1.0, 1.089])
    f = np.where(xyz > 216 / 24389, np.cbrt(xyz), (24389 / 27 * xyz + 16) / 116)
    return np.column_stack(
        [116 * f[:, 1] - 16, 500 * (f[:, 0] - f[:, 1]), 200 * (f[:, 1] - f[:, 2])]
    )


@pytest.mark.parametrize("vision", VISION)
@pytest.mark.parametrize("classes", [5, 6, 7])
def test_the_ramp_darkens_and_neighbours_differ_for_everyone(vision: str, classes: int) -> None:
    seen = lab(ramp(classes), VISION[vision])
    assert (np.diff(seen[:, 0]) < -5).all()
    # A difference of 10 is told apart at a glance, side by side on a map.
    assert (np.linalg.norm(np.diff(seen, axis=0), axis=1) > 10).all()


@pytest.mark.parametrize("vision", VISION)
@pytest.mark.parametrize("classes", [5, 6, 7])
def test_grids_in_the_viewer_darken_from_zero_on_for_everyone(vision: str, classes: int) -> None:
    land = json.loads((VIEWER / "style.json").read_text("utf-8"))["layers"][0]["paint"]
    red, green, blue = bytes.fromhex(land["background-color"][1:])
    script = (VIEWER / "layers" / "gridmap.js").read_text("utf-8")
    opacity = float(script.split("GRIDMAP_OPACITY = ")[1].split(";")[0])
    drawn = [over(each, (red, green, blue), opacity) for each in (ZERO, *ramp(classes))]
    seen = lab(drawn, VISION[vision])
    assert (np.diff(seen[:, 0]) < -2.5).all()
    apart = np.linalg.norm(np.diff(seen, axis=0), axis=1)
    # Without blue cones white and the palest yellow are hardest to tell apart.
    assert apart[0] > 7
    assert (apart[1:] > 10).all()


def test_ramp_refuses_more_classes_than_can_be_told_apart() -> None:
    with pytest.raises(BadInput):
        ramp(13)
    assert len(ramp(1)) == 1


@given(st.floats(1e-6, 1e9), st.integers(1, 8))
def test_breaks_are_1_2_5_numbers_below_the_maximum(maximum: float, classes: int) -> None:
    breaks = nice_breaks(maximum, classes)
    assert len(breaks) == classes
    assert breaks == sorted(set(breaks))
    assert breaks[0] > 0
    assert breaks[-1] < maximum <= breaks[-1] * 2.5 * (1 + 1e-9)
    for value in breaks:
        digit = value / 10 ** math.floor(math.log10(value) + 1e-9)
        assert min(abs(digit - nice) for nice in (1, 2, 5)) < 1e-6


def test_labels_read_well() -> None:
    assert labels(nice_breaks(37)) == ["0.5 – 1", "1 – 2", "2 – 5", "5 – 10", "10 – 20", "≥ 20"]
    assert labels([1000.0]) == ["≥ 1,000"]
    assert labels(nice_breaks(0)) == []


@pytest.mark.parametrize("maximum", [-1.0, math.nan, math.inf])
def test_a_maximum_that_is_none_is_refused(maximum: float) -> None:
    with pytest.raises(BadInput):
        nice_breaks(maximum)


def test_a_value_on_a_break_belongs_to_the_class_above() -> None:
    assert classify([0.0, 0.99, 1.0, 2.0, 50.0, math.nan], [1.0, 2.0]).tolist() == [
        0, 0, 1, 2, 2, -1,
    ]  # fmt: skip


def test_zero_and_nan_are_transparent_and_classes_are_not() -> None:
    picture = rgba(np.array([[0.0, math.nan, 1.0, 9.0]]), [1.0, 5.0], opacity=0.5)
    assert picture[0, :, 3].tolist() == [0, 0, 128, 128]
    assert tuple(picture[0, 3, :3]) == ramp(2)[1]
    assert rgba(np.zeros((2, 2)), []).max() == 0


@pytest.mark.parametrize("pattern", [hatched, stippled])
def test_patterns_cover_only_what_is_asked(pattern: Callable[..., np.ndarray]) -> None:
    where = np.zeros((40, 40), dtype=bool)
    where[5:35, 5:35] = True
    picture = pattern(where)
    assert ((picture[..., 3] == 255) == where).all()
    assert len(np.unique(picture[where], axis=0)) == 2


def test_hidden_and_no_data_do_not_look_alike() -> None:
    where = np.ones((90, 90), dtype=bool)
    stripes, dots = (pattern(where)[..., 0] < 200 for pattern in (hatched, stippled))
    # Stripes run on from row to row, dots leave whole rows free.
    assert stripes.any(axis=1).all()
    assert not dots.any(axis=1).all()
    assert 0 < dots.mean() < stripes.mean() / 2


def test_colours_over_a_ground() -> None:
    assert over((0, 0, 0), (255, 255, 255), 0.2) == (204, 204, 204)
    assert hex_colour((255, 0, 16)) == "#ff0010"
