"""A bandwidth from the events themselves, for those who will not choose 150, 300 or 600 m.

Likelihood cross-validation (Habbema, Hermans and van den Broek, 1974; Duin, 1976): the bandwidth
under which each place's events are foretold best by the events of all the other places. Left out is
a whole place, not one event, since disputes repeat at one address and an address foretells itself
at any bandwidth, however narrow.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, Final, Literal, TypeAlias

import numpy as np
import numpy.typing as npt

from maps.smoothing import Bbox, Floats, Mask, kernel_mass, smoothed

Reason: TypeAlias = Literal["likelihood", "narrowest", "widest", "few"]

NARROWEST_M: Final = 100.0
"""Coordinates of addresses and phones are off by tens of metres; finer detail is that error."""
WIDEST_M: Final = 2_000.0
USUAL_M: Final = 300.0
"""Taken where the events cannot say."""
MIN_PLACES: Final = 20
"""Places with events below which cross-validation only follows chance."""
PLACE_M: Final = 25.0
"""Events within a square of this side are of one place."""

_STEP = 2**0.25
_MAX_CELLS = 1_500_000  # Coarser squares above that; 17 bandwidths then take a second or two.
_EVEN = (
    0.02  # Share of the density that is spread evenly, so that a lone far event decides nothing.
)


@dataclass(frozen=True, slots=True)
class Bandwidth:
    """A bandwidth and how it came about.

    Attributes
    ----------
    metres
        Standard deviation of the Gaussian kernel, two significant digits.
    reason
        ``"likelihood"``: the best by cross-validation; ``"narrowest"``, ``"widest"``: the best of
        those tried is the bound, and a better one may lie beyond; ``"few"``: too few places with
        events, so the usual one was taken.
    tried_m
        Narrowest and widest that were tried; the taken one twice for ``"few"``.
    places
        Places with events, and side of the square that one place is, metres.
    place_m
        See `places`.
    """

    metres: float
    reason: Reason
    tried_m: tuple[float, float]
    places: int
    place_m: float


def from_events(xy_m: Floats, bbox_m: Bbox, mask: Mask | None = None) -> Bandwidth:
    """Choose the bandwidth by likelihood cross-validation, between 100 and 2,000 m.

    Parameters
    ----------
    xy_m
        Events, shape (n, 2), easting and northing in metres; those outside the box are left out.
    bbox_m
        West, south, east, north of the place, metres. No bandwidth wider than a tenth of its
        longer side is tried, since such a map would show one hill.
    mask
        Where in the box events can happen, row 0 south, any shape; the likelihood is then that
        of an edge-corrected density.
    """
    west, south, east, north = bbox_m
    side = max(PLACE_M, math.sqrt((east - west) * (north - south) / _MAX_CELLS))
    ny, nx = max(1, math.ceil((north - south) / side)), max(1, math.ceil((east - west) / side))
    column = np.floor((xy_m[:, 0] - west) / side).astype(np.int64)
    row = np.floor((xy_m[:, 1] - south) / side).astype(np.int64)
    within = (column >= 0) & (column < nx) & (row >= 0) & (row < ny)
    counts: Floats = (
        np.bincount(row[within] * nx + column[within], minlength=ny * nx)
        .reshape(ny, nx)
        .astype(np.float64)
    )
    at = np.nonzero(counts)
    narrowest = max(NARROWEST_M, 2 * side)
    widest = max(narrowest, min(WIDEST_M, max(east - west, north - south) / 10))
    if len(at[0]) < MIN_PLACES:
        return Bandwidth(USUAL_M, "few", (USUAL_M, USUAL_M), len(at[0]), side)

    inside = np.ones((ny, nx), dtype=np.bool_) if mask is None else _resized(mask, (ny, nx))
    inside[at] = True
    steps = max(1, round(math.log(widest / narrowest) / math.log(_STEP)))
    tried = np.geomspace(narrowest, widest, steps + 1)
    scores = np.array([_score(counts, at, inside, metres / side) for metres in tried])
    best = int(scores.argmax())
    reason: Reason = "likelihood"
    metres = float(tried[best])
    if best == 0:
        reason = "narrowest"
    elif best == len(tried) - 1:
        reason = "widest"
    else:
        # The top of the parabola through the best and its neighbours, in steps of the logarithm.
        low, top, high = scores[best - 1 : best + 2]
        bend = low - 2 * top + high
        shift = 0.5 * (low - high) / bend if bend < 0 else 0.0
        metres *= float(_STEP**shift)
    digits = 1 - math.floor(math.log10(metres))
    return Bandwidth(
        round(metres, digits), reason, (float(tried[0]), float(tried[-1])), len(at[0]), side
    )


def _score(
    counts: Floats, at: tuple[npt.NDArray[np.integer[Any]], ...], inside: Mask, bandwidth: float
) -> float:
    """Mean log density of each event by the events of all other places; bandwidth in cells."""
    total = counts.sum()
    others = smoothed(counts, bandwidth)
    # The kernel's own share at its middle, as `smoothed` has it.
    one = np.zeros((1, 1))
    one[0, 0] = 1.0
    middle = smoothed(one, bandwidth)[0, 0]
    own = counts[at]
    mass = kernel_mass(inside, (bandwidth, bandwidth))[at]
    density = np.maximum(others[at] - own * middle, 0) / mass
    # What is left is of `total - own` events.
    density /= np.maximum(total - own, 1)
    even = 1 / inside.sum()
    return float((own * np.log((1 - _EVEN) * density + _EVEN * even)).sum() / total)


def _resized(mask: Mask, shape: tuple[int, int]) -> Mask:
    """Return the mask on another raster of the same box, by nearest cells."""
    rows = (np.arange(shape[0]) + 0.5) * mask.shape[0] / shape[0]
    columns = (np.arange(shape[1]) + 0.5) * mask.shape[1] / shape[1]
    resized: Mask = mask[rows.astype(np.int64)][:, columns.astype(np.int64)]
    return resized
