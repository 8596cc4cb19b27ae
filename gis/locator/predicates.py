"""On which side of an edge a point lies, exactly, whatever doubles the coordinates are.

The sign of ``(v - u) x (p - u)`` is first taken in plain double precision and believed when it is
larger than its own rounding error can be. Else the same determinant is worked out without error as
a sum of doubles that do not overlap, after Shewchuk ("Adaptive Precision Floating-Point Arithmetic
and Fast Robust Geometric Predicates", 1997): differences and products are split into their rounded
value and what the rounding lost, and added one by one to the exact sum.

Both hold for edges whose coordinates are zero or between ``SMALLEST`` and ``LARGEST`` in magnitude,
and for every point within their extent, subnormal numbers included. ``gis.locator`` refuses other
edges.
"""

# Compiled functions take positional arguments only.
# ruff: noqa: PLR0917

from __future__ import annotations

from typing import Final

import numpy as np

from gis.locator.compiled import Floats, kernel, part

SMALLEST: Final = 2.0**-400
LARGEST: Final = 2.0**49

# Shewchuk's bound for the first stage, (3 + 16 e) e with e = 2^-53. What underflow may add to the
# error of two products, 2^-1073, is far below the constant beside it.
_BOUND: Final = (3.0 + 16.0 * 2.0**-53) * 2.0**-53
_UNDERFLOW: Final = 1e-290
# The exact stage multiplies both vectors by this. Within the limits above no product of theirs is
# then too large for a double, nor has bits too small for one: 2^-3 * 2^-624 with 106 bits more is
# above 2^-1074, and 2^1002 times sixteen below 2^1024.
_SCALE: Final = 2.0**450
_SPLITTER: Final = 2.0**27 + 1.0


@part
def _sum(a: float, b: float) -> tuple[float, float]:
    """``a + b`` rounded, and what the rounding lost (Knuth)."""
    total = a + b
    b_part = total - a
    a_part = total - b_part
    return total, (a - a_part) + (b - b_part)


@part
def _product(a: float, b: float) -> tuple[float, float]:
    """``a * b`` rounded, and what the rounding lost (Dekker, Veltkamp)."""
    total = a * b
    c = _SPLITTER * a
    a_high = c - (c - a)
    a_low = a - a_high
    c = _SPLITTER * b
    b_high = c - (c - b)
    b_low = b - b_high
    lost = a_low * b_low - (((total - a_high * b_high) - a_low * b_high) - a_high * b_low)
    return total, lost


@kernel
def _add(terms: Floats, count: int, value: float) -> int:
    """Add ``value`` to the exact sum in ``terms[:count]``, smallest first; how many there are now.

    The terms stay free of overlap, so the last one, if not zero, has the sign of the sum.
    """
    kept = 0
    for k in range(count):
        value, lost = _sum(value, terms[k])
        if lost != 0.0:
            terms[kept] = lost
            kept += 1
    if value != 0.0:
        terms[kept] = value
        kept += 1
    return kept


@kernel
def exact_side(ux: float, uy: float, vx: float, vy: float, px: float, py: float) -> int:
    """1 when ``p`` lies left of the line from ``u`` to ``v``, -1 right of it, 0 on it: exact."""
    s = _SCALE
    edge_x, edge_x_lost = _sum(vx * s, -ux * s)
    edge_y, edge_y_lost = _sum(vy * s, -uy * s)
    to_x, to_x_lost = _sum(px * s, -ux * s)
    to_y, to_y_lost = _sum(py * s, -uy * s)
    terms = np.empty(17, dtype=np.float64)
    count = 0
    for a in (edge_x_lost, edge_x):
        for b in (to_y_lost, to_y):
            total, lost = _product(a, b)
            count = _add(terms, count, lost)
            count = _add(terms, count, total)
    for a in (-edge_y_lost, -edge_y):
        for b in (to_x_lost, to_x):
            total, lost = _product(a, b)
            count = _add(terms, count, lost)
            count = _add(terms, count, total)
    if count == 0:
        return 0
    return 1 if terms[count - 1] > 0.0 else -1


@part
def side(ux: float, uy: float, vx: float, vy: float, px: float, py: float) -> int:
    """1 when ``p`` lies left of the line from ``u`` to ``v``, -1 right of it, 0 on it."""
    left = (vx - ux) * (py - uy)
    right = (vy - uy) * (px - ux)
    sign = left - right
    error = _BOUND * (abs(left) + abs(right)) + _UNDERFLOW
    if sign > error:
        return 1
    if sign < -error:
        return -1
    return exact_side(ux, uy, vx, vy, px, py)


@part
def moved_left(ux: float, uy: float, vx: float, vy: float, px: float, py: float) -> bool:
    """Whether ``p`` lies left of the line from ``u`` to ``v`` once moved an infinitely small way.

    The way is east, and north by an infinitely small share of that: no point moved so is on any
    line, nor straight above or beside any vertex, and no case is left out when crossings of a path
    with edges are counted. ``x > px`` says which vertices lie east of the moved point, ``y > py``
    which north.
    """
    sign = side(ux, uy, vx, vy, px, py)
    if sign != 0:
        return sign > 0
    if vy != uy:
        return vy < uy
    return vx > ux
