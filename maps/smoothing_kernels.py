"""Compiled inner loops of the density: spreading points on a raster and smoothing its rows.

Importing this module loads the compiler, so ``maps.smoothing`` does it on the first call. The
machine code is kept on disk by numba and is compiled once per machine. The loops hold no lock, so
that threads can share the work.
"""

# Compiled functions take positional arguments only.
# ruff: noqa: PLR0917

from __future__ import annotations

import math

import numba
import numpy as np
import numpy.typing as npt

from maps.smoothing import Floats

Words = npt.NDArray[np.uint32]

# Sums may be reordered and multiply-add fused, which lets the loops use vector registers. NaN and
# infinity keep their meaning, since the check for broken coordinates needs them.
_FAST = {"contract", "reassoc", "nsz"}


@numba.njit(cache=True, nogil=True, fastmath=_FAST)  # type: ignore[misc, unused-ignore]
def spread_linear(
    xy: Floats, weights: Floats, west: float, south: float, dx: float, dy: float, raster: Floats
) -> int:
    """Add each point to the 4 cells around it; return how many points are not finite.

    ``west, south`` is the centre of the first cell, ``dx, dy`` the cell. ``weights`` has one value
    per point, or none at all for 1 each. Points beyond the raster are left out.
    """
    ny, nx = raster.shape
    weighted = weights.shape[0] > 0
    per_x, per_y = 1.0 / dx, 1.0 / dy
    broken = 0
    for i in range(xy.shape[0]):
        u = (xy[i, 0] - west) * per_x
        v = (xy[i, 1] - south) * per_y
        if not (u >= 0 and v >= 0 and u < nx - 1 and v < ny - 1):
            if not (math.isfinite(u) and math.isfinite(v)):
                broken += 1
            continue
        column = int(u)
        row = int(v)
        a = u - column
        b = v - row
        upper = b
        lower = 1.0 - b
        if weighted:
            upper *= weights[i]
            lower *= weights[i]
        raster[row, column] += lower * (1.0 - a)
        raster[row, column + 1] += lower * a
        raster[row + 1, column] += upper * (1.0 - a)
        raster[row + 1, column + 1] += upper * a
    return broken


# A word of `count_moments` holds how many points lie in its cell and the sums of their places in
# it, along x and y, in steps of a 16th of a cell: 8, 12 and 12 bits.
_STEP_BITS = 4
_STEPS = 1 << _STEP_BITS
_FULL = 0xFF000000  # 255 points, whose sums are 3,825 at the most: one more would not fit.
_BLOCK = 512  # Points whose words are worked out at once, with vector registers.


@numba.njit(cache=True, nogil=True, fastmath=_FAST)  # type: ignore[misc, unused-ignore]
def count_moments(
    xy: Floats, west: float, south: float, dx: float, dy: float, cells: Words, raster: Floats
) -> int:
    """Count points and sum up their places per cell; return how many are not finite.

    One word of ``cells``, the flattened raster, is touched per point, where a spline touches four
    or sixteen numbers. Full words are emptied into ``raster``; at the end `empty_moments` is due.
    Otherwise as `spread_linear`.
    """
    ny, nx = raster.shape
    width = np.int32(nx)
    per_x, per_y = _STEPS / dx, _STEPS / dy
    off_x, off_y = 0.5 * _STEPS - west * per_x, 0.5 * _STEPS - south * per_y
    end_x, end_y = float((nx - 1) * _STEPS), float((ny - 1) * _STEPS)
    index, word = np.empty(_BLOCK, np.int32), np.empty(_BLOCK, np.uint32)
    broken = 0
    for start in range(0, xy.shape[0], _BLOCK):
        size = min(_BLOCK, xy.shape[0] - start)
        lost = 0
        for i in range(size):
            u = xy[start + i, 0] * per_x + off_x
            v = xy[start + i, 1] * per_y + off_y
            # Never on the outermost cells, whose neighbours a dipole would need.
            fits = (u >= _STEPS) & (v >= _STEPS) & (u < end_x) & (v < end_y)
            a = np.int32(u if fits else 0.0)
            b = np.int32(v if fits else 0.0)
            index[i] = (b >> np.int32(_STEP_BITS)) * width + (a >> np.int32(_STEP_BITS))
            places = ((a & np.int32(_STEPS - 1)) << np.int32(12)) + (b & np.int32(_STEPS - 1))
            word[i] = np.uint32(places) + np.uint32(1 << 24) if fits else np.uint32(0)
            lost += not fits
        if lost:
            for i in range(size):
                if not (math.isfinite(xy[start + i, 0]) and math.isfinite(xy[start + i, 1])):
                    broken += 1
        for i in range(size):
            # Unsigned: a signed index would be tested for counting from the end.
            at = np.uint32(index[i])
            summed = cells[at] + word[i]
            if summed >= np.uint32(_FULL):
                _empty_word(summed, raster, np.int64(at) // nx, np.int64(at) % nx)
                summed = np.uint32(0)
            cells[at] = summed
    return broken


@numba.njit(cache=True, nogil=True)  # type: ignore[misc, unused-ignore]
def _empty_word(word: int, raster: Floats, row: int, column: int) -> None:
    """Put the points of a word on its cell, shifted to their mean place by a dipole.

    Half the sum of their distances from the centre goes to the neighbour on one side and is taken
    from the one on the other: number and mean place are kept, and the variance is too small by
    cell^2 / 12 on average, which the Gaussian makes up for.
    """
    n = np.float64(word >> np.uint32(24))
    # A step is counted at its middle.
    a = (np.float64((word >> np.uint32(12)) & np.uint32(0xFFF)) + 0.5 * n) / _STEPS - 0.5 * n
    b = (np.float64(word & np.uint32(0xFFF)) + 0.5 * n) / _STEPS - 0.5 * n
    raster[row, column] += n
    raster[row, column + 1] += 0.5 * a
    raster[row, column - 1] -= 0.5 * a
    raster[row + 1, column] += 0.5 * b
    raster[row - 1, column] -= 0.5 * b


@numba.njit(cache=True, nogil=True)  # type: ignore[misc, unused-ignore]
def empty_moments(cells: Words, raster: Floats) -> None:
    """Put what `count_moments` has counted on the raster of the same shape."""
    ny, nx = raster.shape
    for row in range(1, ny - 1):
        for column in range(1, nx - 1):
            word = cells[row * nx + column]
            if word:
                _empty_word(word, raster, row, column)


@numba.njit(inline="always")  # type: ignore[misc, unused-ignore]
def _add_to_row(
    row: Floats, column: int, share: float, a0: float, a1: float, a2: float, a3: float
) -> None:
    row[column - 1] += share * a0
    row[column] += share * a1
    row[column + 1] += share * a2
    row[column + 2] += share * a3


@numba.njit(cache=True, nogil=True, fastmath=_FAST)  # type: ignore[misc, unused-ignore]
def spread_cubic(
    xy: Floats, weights: Floats, west: float, south: float, dx: float, dy: float, raster: Floats
) -> int:
    """Add each point to the 16 cells around it by a cubic B-spline; else as `spread_linear`."""
    ny, nx = raster.shape
    weighted = weights.shape[0] > 0
    per_x, per_y = 1.0 / dx, 1.0 / dy
    broken = 0
    for i in range(xy.shape[0]):
        u = (xy[i, 0] - west) * per_x
        v = (xy[i, 1] - south) * per_y
        if not (u >= 1 and v >= 1 and u < nx - 2 and v < ny - 2):
            if not (math.isfinite(u) and math.isfinite(v)):
                broken += 1
            continue
        column = int(u)
        row = int(v)
        a = u - column
        b = v - row
        a0 = (1.0 - a) ** 3 / 6.0
        a3 = a**3 / 6.0
        a1 = 2.0 / 3.0 - a * a * (1.0 - 0.5 * a)
        a2 = 1.0 - a0 - a1 - a3
        b0 = (1.0 - b) ** 3 / 6.0
        b3 = b**3 / 6.0
        b1 = 2.0 / 3.0 - b * b * (1.0 - 0.5 * b)
        b2 = 1.0 - b0 - b1 - b3
        if weighted:
            b0 *= weights[i]
            b1 *= weights[i]
            b2 *= weights[i]
            b3 *= weights[i]
        _add_to_row(raster[row - 1], column, b0, a0, a1, a2, a3)
        _add_to_row(raster[row], column, b1, a0, a1, a2, a3)
        _add_to_row(raster[row + 1], column, b2, a0, a1, a2, a3)
        _add_to_row(raster[row + 2], column, b3, a0, a1, a2, a3)
    return broken


@numba.njit(cache=True, nogil=True, fastmath=_FAST)  # type: ignore[misc, unused-ignore]
def smooth_rows(
    padded: Floats, taps_y: Floats, taps_x: Floats, first: int, last: int, out: Floats
) -> None:
    """Fill rows ``first`` to ``last`` of ``out`` with ``padded`` smoothed down and along.

    The taps are the right half of symmetric kernels, centre first; ``padded`` is wider than ``out``
    by one kernel radius on each side, all three of one precision. Each row is smoothed down into a
    buffer that stays in the first-level cache, then along; four taps a pass halve the loads and
    stores.
    """
    radius_y = taps_y.shape[0] - 1
    radius_x = taps_x.shape[0] - 1
    width = padded.shape[1]
    nx = out.shape[1]
    row = np.empty(width, padded.dtype)
    for j in range(first, last):
        centre = j + radius_y
        middle = padded[centre]
        for x in range(width):
            row[x] = taps_y[0] * middle[x]
        k = 1
        while k + 3 <= radius_y:
            s0, n0 = padded[centre - k], padded[centre + k]
            s1, n1 = padded[centre - k - 1], padded[centre + k + 1]
            s2, n2 = padded[centre - k - 2], padded[centre + k + 2]
            s3, n3 = padded[centre - k - 3], padded[centre + k + 3]
            t0, t1, t2, t3 = taps_y[k], taps_y[k + 1], taps_y[k + 2], taps_y[k + 3]
            for x in range(width):
                row[x] += (
                    t0 * (s0[x] + n0[x])
                    + t1 * (s1[x] + n1[x])
                    + t2 * (s2[x] + n2[x])
                    + t3 * (s3[x] + n3[x])
                )
            k += 4
        while k <= radius_y:
            s0, n0, t0 = padded[centre - k], padded[centre + k], taps_y[k]
            for x in range(width):
                row[x] += t0 * (s0[x] + n0[x])
            k += 1

        target = out[j]
        for x in range(nx):
            target[x] = taps_x[0] * row[x + radius_x]
        k = 1
        while k + 3 <= radius_x:
            w0, e0 = row[radius_x - k :], row[radius_x + k :]
            w1, e1 = row[radius_x - k - 1 :], row[radius_x + k + 1 :]
            w2, e2 = row[radius_x - k - 2 :], row[radius_x + k + 2 :]
            w3, e3 = row[radius_x - k - 3 :], row[radius_x + k + 3 :]
            t0, t1, t2, t3 = taps_x[k], taps_x[k + 1], taps_x[k + 2], taps_x[k + 3]
            for x in range(nx):
                target[x] += (
                    t0 * (w0[x] + e0[x])
                    + t1 * (w1[x] + e1[x])
                    + t2 * (w2[x] + e2[x])
                    + t3 * (w3[x] + e3[x])
                )
            k += 4
        while k <= radius_x:
            w0, e0, t0 = row[radius_x - k :], row[radius_x + k :], taps_x[k]
            for x in range(nx):
                target[x] += t0 * (w0[x] + e0[x])
            k += 1
