"""The border nearest to a point: of a polygon that holds it, or of the layer when none does."""

# Compiled functions take positional arguments only.
# ruff: noqa: FBT001

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np

from gis.locator.compiled import Floats, Ints, Ranks, Words, kernel, part
from gis.locator.plane import metres


class Borders(NamedTuple):
    """Arcs and polygons as the kernels of borders and doubt read them (see ``arcs.Arcs``).

    Attributes
    ----------
    xy
        Vertices, x and y in turns.
    arc_starts, owner_starts, owners, ring_starts, ring_arcs
        As in ``arcs.Arcs``.
    polygon_rings
        First ring of each polygon by rank, and the end.
    """

    xy: Floats
    arc_starts: Words
    owner_starts: Words
    owners: Ranks
    ring_starts: Words
    ring_arcs: Ranks
    polygon_rings: Words


@kernel
def outer_arcs(borders: Borders) -> Ints:
    """Arcs with polygons on one side only."""
    found = np.empty(len(borders.arc_starts) - 1, dtype=np.int64)
    count = 0
    for arc in range(len(borders.arc_starts) - 1):
        left, right = False, False
        for k in range(borders.owner_starts[arc], borders.owner_starts[arc + 1]):
            if borders.owners[k] & 1:
                right = True
            else:
                left = True
        if left != right:
            found[count] = arc
            count += 1
    return found[:count]


@part
def _to_arc(
    borders: Borders, arc: int, lon: float, lat: float, geographic: bool
) -> tuple[float, int, float]:
    """Squared distance to an arc, the nearest edge, and how far along it."""
    best, edge, share = math.inf, -1, 0.0
    first, last = np.int64(borders.arc_starts[arc]), np.int64(borders.arc_starts[arc + 1]) - 1
    ax, ay = metres(lon, lat, borders.xy[2 * first], borders.xy[2 * first + 1], geographic)
    for k in range(first, last):
        bx, by = metres(lon, lat, borders.xy[2 * k + 2], borders.xy[2 * k + 3], geographic)
        dx, dy = bx - ax, by - ay
        length = dx * dx + dy * dy
        t = 0.0
        if length > 0.0:
            t = min(max(-(ax * dx + ay * dy) / length, 0.0), 1.0)
        x, y = ax + t * dx, ay + t * dy
        square = x * x + y * y
        if square < best:
            best, edge, share = square, k, t
        ax, ay = bx, by
    return best, edge, share


@kernel
def nearest_of(
    borders: Borders, arcs: Ints, lon: float, lat: float, geographic: bool
) -> tuple[int, int, float, float]:
    """The arc nearest to a point, of those given: arc, edge, and the place on it."""
    best, best_arc, best_edge, best_share = math.inf, -1, -1, 0.0
    for arc in arcs:
        square, edge, share = _to_arc(borders, arc, lon, lat, geographic)
        if square < best:
            best, best_arc, best_edge, best_share = square, arc, edge, share
    if best_arc < 0:
        return -1, -1, math.nan, math.nan
    ux, uy = borders.xy[2 * best_edge], borders.xy[2 * best_edge + 1]
    vx, vy = borders.xy[2 * best_edge + 2], borders.xy[2 * best_edge + 3]
    return best_arc, best_edge, ux + best_share * (vx - ux), uy + best_share * (vy - uy)


@kernel
def arcs_of_polygon(borders: Borders, rank: int) -> Ints:
    """Arcs of the rings of a polygon."""
    first = borders.ring_starts[borders.polygon_rings[rank]]
    last = borders.ring_starts[borders.polygon_rings[rank + 1]]
    arcs = np.empty(last - first, dtype=np.int64)
    for k in range(len(arcs)):
        arcs[k] = borders.ring_arcs[first + k] >> 1
    return arcs
