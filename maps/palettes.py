"""Colours of densities: one ramp from light to dark, and class breaks in readable numbers.

The ramp goes from pale yellow over orange and red to dark purple. Its lightness falls in even
steps (OKLab), so that it reads the same in grey and to people with colour-blindness, and no colour
in the middle stands out.
"""

from __future__ import annotations

import math
from itertools import pairwise

import numpy as np
import numpy.typing as npt

from gis.errors import BadInput, Problem
from maps.smoothing import Floats

Rgb = tuple[int, int, int]

CLASSES = 6
"""Classes of a density map: as many as a reader can match with a legend."""

NOT_KNOWN: Rgb = (238, 238, 236)
NOT_KNOWN_MARK: Rgb = (150, 154, 160)
"""Ground of places without a value on the map, and the stripes or dots on it."""

# Lightness, chroma and hue (degrees) in OKLab along the ramp; lightness falls evenly. The points
# were chosen here by eye to stay within what screens and printers can show.
_RAMP = np.array(
    [
        (0.950, 0.065, 100.0),
        (0.825, 0.125, 78.0),
        (0.700, 0.165, 52.0),
        (0.575, 0.185, 30.0),
        (0.450, 0.160, 8.0),
        (0.325, 0.115, -20.0),
    ]
)
# From Oklab to linear sRGB: B. Ottosson, "A perceptual color space for image processing", 2020.
_TO_CONES = np.array(
    [
        [1.0, 0.3963377774, 0.2158037573],
        [1.0, -0.1055613458, -0.0638541728],
        [1.0, -0.0894841775, -1.2914855480],
    ]
)
_TO_LINEAR = np.array(
    [
        [4.0767416621, -3.3077115913, 0.2309699292],
        [-1.2684380046, 2.6097574011, -0.3413193965],
        [-0.0041960863, -0.7034186147, 1.7076147010],
    ]
)


def ramp(classes: int) -> list[Rgb]:
    """Return that many colours, from light (low) to dark (high), 8 bits per channel."""
    if not 1 <= classes <= 12:
        raise BadInput(Problem(f"{classes} classes", "Give 1 to 12.", field="classes"))
    # A single class takes a colour from the middle, which stands out on any ground.
    at = np.linspace(0, 1, classes) if classes > 1 else np.array([0.5])
    along = np.linspace(0, 1, len(_RAMP))
    lightness, chroma, hue = (np.interp(at, along, _RAMP[:, i]) for i in range(3))
    angle = np.radians(hue)
    lab = np.column_stack([lightness, chroma * np.cos(angle), chroma * np.sin(angle)])
    linear = np.clip((lab @ _TO_CONES.T) ** 3 @ _TO_LINEAR.T, 0, 1)
    # The transfer curve of sRGB, IEC 61966-2-1.
    coded = np.where(
        linear <= 0.0031308, 12.92 * linear, 1.055 * np.maximum(linear, 1e-9) ** (1 / 2.4) - 0.055
    )
    return [(int(r), int(g), int(b)) for r, g, b in np.round(coded * 255)]


def hex_colour(colour: Rgb) -> str:
    """Return ``#rrggbb``."""
    return "#{:02x}{:02x}{:02x}".format(*colour)


def over(colour: Rgb, ground: Rgb, opacity: float) -> Rgb:
    """Return what a colour looks like on a ground: a legend has to show that, not the ink."""
    red, green, blue = (
        round(opacity * c + (1 - opacity) * g) for c, g in zip(colour, ground, strict=True)
    )
    return red, green, blue


def nice_breaks(maximum: float, classes: int = CLASSES) -> list[float]:
    """Return the lower bounds of classes for values up to a maximum, in readable numbers.

    Steps of 1, 2 or 5 times a power of ten while that spreads the values; densities are skewed, so
    each class reaches about twice as far as the one below it (1, 2, 5, 10, 20, 50). The first
    bound is above zero: what lies below it is not coloured. The highest bound is below the maximum,
    so that no class of the legend is empty. A maximum of zero has no classes.
    """
    if not (math.isfinite(maximum) and maximum >= 0):
        raise BadInput(Problem(f"a maximum of {maximum}", "Give 0 or more.", field="maximum"))
    if maximum == 0:
        return []
    bounds: list[float] = []
    exponent = math.floor(math.log10(maximum))
    while len(bounds) < classes:
        for digit in (5, 2, 1):
            # Written as text and read back, so that 3 * 0.1 and the like stay readable.
            bound = float(f"{digit}e{exponent}")
            if bound < maximum and len(bounds) < classes:
                bounds.append(bound)
        exponent -= 1
    return bounds[::-1]


def classify(values: npt.ArrayLike, breaks: list[float]) -> npt.NDArray[np.int16]:
    """Return the class of each value: 0 below the first break, -1 for NaN."""
    array: Floats = np.asarray(values, dtype=np.float64)
    classes = np.searchsorted(breaks, array, side="right").astype(np.int16)
    classes[np.isnan(array)] = -1
    return classes


def rgba(
    values: npt.ArrayLike, breaks: list[float], *, opacity: float = 0.75
) -> npt.NDArray[np.uint8]:
    """Colour values by class; transparent below the first break and where NaN.

    Returns
    -------
    array of the shape of `values` with 4 channels of 8 bits more.
    """
    table = np.zeros((len(breaks) + 2, 4), dtype=np.uint8)
    if breaks:
        table[1:-1, :3] = ramp(len(breaks))
        table[1:-1, 3] = round(opacity * 255)
    # Row 0 is "below the first break", the last row answers index -1, NaN: both stay transparent.
    coloured: npt.NDArray[np.uint8] = table[classify(values, breaks)]
    return coloured


def hatched(where: npt.NDArray[np.bool_], *, period_px: int = 9) -> npt.NDArray[np.uint8]:
    """Return a picture with grey diagonal stripes where asked, transparent elsewhere.

    Stripes mean "not shown, because it is a small count", which is no low value.
    """
    row, column = np.indices(where.shape)
    return _patterned(where, np.asarray((row + column) % period_px < period_px / 4))


def stippled(where: npt.NDArray[np.bool_], *, period_px: int = 9) -> npt.NDArray[np.uint8]:
    """Return a picture with grey dots where asked, transparent elsewhere.

    Dots mean "there is no value", which is neither a low value nor a hidden one.
    """
    row, column = np.indices(where.shape)
    dot_px = max(2, period_px // 4)
    # Every other row of dots is shifted by half a period.
    shifted = column + (row // period_px) % 2 * (period_px // 2)
    dot = (row % period_px < dot_px) & (shifted % period_px < dot_px)
    return _patterned(where, np.asarray(dot))


def _patterned(where: npt.NDArray[np.bool_], mark: npt.NDArray[np.bool_]) -> npt.NDArray[np.uint8]:
    picture = np.zeros((*where.shape, 4), dtype=np.uint8)
    picture[where] = (*NOT_KNOWN, 255)
    picture[where & mark] = (*NOT_KNOWN_MARK, 255)
    return picture


def number(value: float) -> str:
    """Write a class bound or value for a legend: 0.05, 2, 1,000."""
    return f"{value:,.10g}"


def labels(breaks: list[float]) -> list[str]:
    """Return the legend text of each class, such as ``2 - 5`` and ``>= 50``."""
    if not breaks:
        return []
    between = [f"{number(low)} – {number(high)}" for low, high in pairwise(breaks)]
    return [*between, f"≥ {number(breaks[-1])}"]
