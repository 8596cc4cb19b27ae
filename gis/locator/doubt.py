"""What share of a circular normal error falls into each polygon.

The share of a polygon is a sum over its edges, each seen from the point as a triangle with its
tip there. In units of the standard deviation, with the edge's line at distance h and places t
along it counted from the foot of the perpendicular, the triangle's share is

    1 / 2 pi * integral of (1 - exp(-(h^2 + t^2) / 2)) * h / (h^2 + t^2) dt

(the radial part of the normal law integrated, the angle written as arctan(t / h)). The first part
is the angle at the tip. In the second t = h sinh(s) makes the integrand exp(-h^2 cosh(s)^2 / 2) /
cosh(s), smooth for every h: Gauss-Legendre in steps of one gives it to 1e-9. Edges farther than
``FAR`` standard deviations count by their angle alone; beyond lies 1e-9 of the probability.
"""

# Compiled functions take positional arguments only.
# ruff: noqa: FBT001, PLR0917

from __future__ import annotations

import math
from typing import Final

import numpy as np

from gis.locator.borders import Borders
from gis.locator.cells import BORDER, FINER, MANY_RUNS, PLACE, Frame, finer_frame
from gis.locator.compiled import Body, Flags, Floats, Ints, Words, kernel, part, signed
from gis.locator.lookup import WORDS, frame_of
from gis.locator.plane import metres, pieces

SIGMA_PER_RADIUS: Final = 1 / math.sqrt(-2 * math.log(1 - 0.68))
"""Standard deviation per radius that holds 68 % of a circular normal error (Rayleigh's law)."""
FAR: Final = 6.5
BEND: Final = 1e-5
"""How far a straight piece may be from the edge it stands for, in standard deviations."""

_NODES, _WEIGHTS = (
    tuple(float(each) for each in column) for column in np.polynomial.legendre.leggauss(8)
)


@kernel
def _tail(h: float, low: float, high: float) -> float:
    """Integral of exp(-h^2 cosh(s)^2 / 2) / cosh(s) from low to high."""
    steps = max(1, math.ceil(high - low))
    half = (high - low) / steps / 2
    total = 0.0
    for step in range(steps):
        middle = low + (2 * step + 1) * half
        for node, weight in zip(_NODES, _WEIGHTS):  # noqa: B905 - numba knows no strict
            cosh = math.cosh(middle + half * node)
            total += weight * math.exp(-0.5 * (h * cosh) ** 2) / cosh
    return total * half


@kernel
def triangle(ax: float, ay: float, bx: float, by: float) -> float:
    """Share of the standard normal law in the triangle (0, a, b), negative if it is clockwise."""
    dx, dy = bx - ax, by - ay
    length = math.hypot(dx, dy)
    cross = ax * by - ay * bx
    if length == 0.0 or abs(cross) < 1e-13 * length:
        return 0.0
    angle = math.atan2(cross, ax * bx + ay * by)
    h = abs(cross) / length
    if h < FAR:
        furthest = math.acosh(FAR / h)
        low = max(math.asinh((ax * dx + ay * dy) / length / h), -furthest)
        high = min(math.asinh((bx * dx + by * dy) / length / h), furthest)
        if low < high:
            angle -= math.copysign(_tail(h, low, high), cross)
    return angle / (2 * math.pi)


@kernel
def _edge_share(
    ux: float,
    uy: float,
    vx: float,
    vy: float,
    lon: float,
    lat: float,
    sigma_m: float,
    geographic: bool,
) -> float:
    """Share of the triangle of a point and an edge that is straight in its coordinates."""
    ax, ay = metres(lon, lat, ux, uy, geographic)
    bx, by = metres(lon, lat, vx, vy, geographic)
    count = pieces(ax, ay, bx, by, lat, BEND * sigma_m, FAR * sigma_m) if geographic else 1
    total = 0.0
    for piece in range(1, count + 1):
        cx, cy = bx, by
        if piece < count:
            t = piece / count
            cx, cy = metres(lon, lat, ux + t * (vx - ux), uy + t * (vy - uy), geographic)
        total += triangle(ax / sigma_m, ay / sigma_m, cx / sigma_m, cy / sigma_m)
        ax, ay = cx, cy
    return total


@kernel
def ring_share(xy: Floats, lon: float, lat: float, sigma_m: float, geographic: bool) -> float:
    """Share of a closed ring of vertices (n, 2), negative when it runs clockwise."""
    total = 0.0
    for k in range(len(xy) - 1):
        total += _edge_share(
            xy[k, 0], xy[k, 1], xy[k + 1, 0], xy[k + 1, 1], lon, lat, sigma_m, geographic
        )
    return total


@part
def _note_record(words: Words, place: int, seen: Flags) -> None:
    """Note the candidates of a border cell."""
    while True:
        head = signed(words[place])
        runs, candidates, more = head & MANY_RUNS, (head >> 12) & 15, head >> 24
        place += 1
        if runs == MANY_RUNS:
            runs = signed(words[place])
            place += 1
        for k in range(candidates):
            seen[words[place + k]] = True
        if not more:
            return
        place += candidates + 2 * runs


@kernel
def _note_cells(
    words: Words, begin: int, frame: Frame, box: tuple[float, float, float, float], seen: Flags
) -> None:
    """Note the polygons of all cells of a frame that touch a box (west, south, east, north)."""
    todo = [(signed(begin), frame)]
    while todo:
        start, frame = todo.pop()
        left = int(min(max((box[0] - frame.x) * frame.per_x - 0.01, 0.0), frame.columns - 1.0))
        right = int(min(max((box[2] - frame.x) * frame.per_x + 0.01, 0.0), frame.columns - 1.0))
        low = int(min(max((box[1] - frame.y) * frame.per_y - 0.01, 0.0), frame.rows - 1.0))
        high = int(min(max((box[3] - frame.y) * frame.per_y + 0.01, 0.0), frame.rows - 1.0))
        for row in range(low, high + 1):
            for column in range(left, right + 1):
                word = signed(words[start + row * frame.columns + column])
                if word >= FINER:
                    place = word & PLACE
                    sides = signed(words[place])
                    todo.append((place + 1, finer_frame(frame, column, row, sides)))
                elif word >= BORDER:
                    _note_record(words, word & PLACE, seen)
                elif word:
                    seen[word - 1] = True


@kernel
def near(body: Body, count: int, box: tuple[float, float, float, float]) -> Ints:
    """Ranks of the polygons of the cells that touch a box: all that come into it, and some more."""
    words = body.view(np.uint32)[body[WORDS] :]
    seen = np.zeros(count, dtype=np.bool_)
    _note_cells(words, 0, frame_of(body), box, seen)
    return np.flatnonzero(seen)


@kernel
def shares_of(
    borders: Borders, ranks: Ints, lon: float, lat: float, sigma_m: float, geographic: bool
) -> Floats:
    """Share of each polygon."""
    shares = np.zeros(len(ranks))
    for m in range(len(ranks)):
        rank = ranks[m]
        first = borders.ring_starts[borders.polygon_rings[rank]]
        last = borders.ring_starts[borders.polygon_rings[rank + 1]]
        for k in range(first, last):
            arc = borders.ring_arcs[k] >> 1
            share = _arc_share(borders, arc, lon, lat, sigma_m, geographic)
            shares[m] += share if _is_left(borders, arc, rank) else -share
    return shares


@kernel
def own_shares(
    borders: Borders, ranks: Ints, lon: Floats, lat: Floats, sigma_m: Floats, geographic: bool
) -> Floats:
    """Share of one polygon for each of many points."""
    shares = np.empty(len(ranks))
    one = np.empty(1, dtype=np.int64)
    for k in range(len(ranks)):
        one[0] = ranks[k]
        shares[k] = shares_of(borders, one, lon[k], lat[k], sigma_m[k], geographic)[0]
    return shares


@kernel
def outline_shares(
    borders: Borders, arcs: Ints, seen: Flags, lon: Floats, lat: Floats, sigma_m: Floats,
    geographic: bool,
) -> Floats:  # fmt: skip
    """Share of all polygons of a choice (by rank) together, by the arcs of their outline."""
    shares = np.zeros(len(lon))
    for arc in arcs:
        left = False
        for k in range(borders.owner_starts[arc], borders.owner_starts[arc + 1]):
            if seen[borders.owners[k] >> 1]:
                left = not borders.owners[k] & 1
        for k in range(len(lon)):
            share = _arc_share(borders, arc, lon[k], lat[k], sigma_m[k], geographic)
            shares[k] += share if left else -share
    return shares


@kernel
def _is_left(borders: Borders, arc: int, rank: int) -> bool:
    """Whether a polygon lies left of an arc of its own."""
    for k in range(borders.owner_starts[arc], borders.owner_starts[arc + 1]):
        if borders.owners[k] >> 1 == rank:
            return not borders.owners[k] & 1
    return False


@kernel
def _arc_share(
    borders: Borders, arc: int, lon: float, lat: float, sigma_m: float, geographic: bool
) -> float:
    """Sum of the triangles of an arc's edges."""
    total = 0.0
    start, end = signed(borders.arc_starts[arc]), signed(borders.arc_starts[arc + 1])
    xy = borders.xy
    for k in range(2 * start, 2 * end - 2, 2):
        total += _edge_share(xy[k], xy[k + 1], xy[k + 2], xy[k + 3], lon, lat, sigma_m, geographic)
    return total
