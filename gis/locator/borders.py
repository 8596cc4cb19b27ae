"""The border nearest to a point: of a polygon that holds it, or of the layer when none does."""

# Compiled functions take positional arguments only.
# ruff: noqa: FBT001, PLR0917

from __future__ import annotations

import math
from typing import Final, NamedTuple

import numpy as np

from gis.locator.compiled import Flags, Floats, Ints, Ranks, Words, kernel, part, signed
from gis.locator.plane import AXIS_M, E2, metres, pieces

BEND_M: Final = 1e-3
ALIKE_M: Final = 5e-4
"""Distances that differ by less are taken for equal."""
SLACK_M: Final = 2e-3
"""By so much at most an edge is nearer than its box says: pieces of it are cut to ``BEND_M``."""


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
def _nearest_along(ax: float, ay: float, bx: float, by: float) -> float:
    """Where on the way from a to b the origin is nearest, 0 to 1."""
    dx, dy = bx - ax, by - ay
    length = dx * dx + dy * dy
    if length == 0.0:
        return 0.0
    return min(max(-(ax * dx + ay * dy) / length, 0.0), 1.0)


@part
def _least(
    ux: float, uy: float, vx: float, vy: float,
    lon: float, lat: float, cosine: float, geographic: bool,
) -> float:  # fmt: skip
    """Squared, what an edge is at least away, by its box: no angle is looked up for it.

    A degree north is shortest on the equator, and the cosine of the latitude in between differs
    from that of the point, ``cosine``, by no more than the latitudes do.
    """
    east = max(min(ux, vx) - lon, lon - max(ux, vx), 0.0)
    north = max(min(uy, vy) - lat, lat - max(uy, vy), 0.0)
    if geographic:
        turn = math.radians(max(abs(uy - lat), abs(vy - lat))) / 2
        east = math.radians(east) * AXIS_M * max(cosine - turn, 0.0)
        north = math.radians(north) * AXIS_M * (1.0 - E2)
    return east * east + north * north


@part
def _to_arc(
    borders: Borders, arc: int, lon: float, lat: float, geographic: bool, nearest: float
) -> tuple[float, int, float]:
    """Squared distance to an arc, the nearest edge, and how far along it.

    What is farther than ``nearest``, squared, is not looked at closely.
    """
    best, edge, share = math.inf, -1, 0.0
    first, last = np.int64(borders.arc_starts[arc]), np.int64(borders.arc_starts[arc + 1]) - 1
    cosine = math.cos(math.radians(lat))
    reach = (math.sqrt(nearest) + SLACK_M) ** 2
    ax, ay, is_here = 0.0, 0.0, False
    for k in range(first, last):
        ux, uy = borders.xy[2 * k], borders.xy[2 * k + 1]
        vx, vy = borders.xy[2 * k + 2], borders.xy[2 * k + 3]
        if _least(ux, uy, vx, vy, lon, lat, cosine, geographic) > reach:
            is_here = False
            continue
        if not is_here:
            ax, ay = metres(lon, lat, ux, uy, geographic)
            is_here = True
        bx, by = metres(lon, lat, vx, vy, geographic)
        count = 1
        if geographic:
            count = pieces(ax, ay, bx, by, lat, BEND_M, math.sqrt(min(nearest, best)))
        for piece in range(1, count + 1):
            cx, cy = bx, by
            if piece < count:
                t = piece / count
                cx, cy = metres(lon, lat, ux + t * (vx - ux), uy + t * (vy - uy), geographic)
            t = _nearest_along(ax, ay, cx, cy)
            square = (ax + t * (cx - ax)) ** 2 + (ay + t * (cy - ay)) ** 2
            if square < best:
                best, edge, share = square, k, (piece - 1 + t) / count
            ax, ay = cx, cy
        reach = (math.sqrt(min(nearest, best)) + SLACK_M) ** 2
    return best, edge, share


@part
def _vertex_near(
    borders: Borders, arc: int, lon: float, lat: float, cosine: float, nearest: float, vertex: int
) -> tuple[float, int]:
    """The vertex of an arc that is roughly the nearest, if nearer than what is known."""
    for k in range(borders.arc_starts[arc], borders.arc_starts[arc + 1]):
        east, north = (borders.xy[2 * k] - lon) * cosine, borders.xy[2 * k + 1] - lat
        square = east * east + north * north
        if square < nearest:
            nearest, vertex = square, signed(k)
    return nearest, vertex


@part
def _to_vertex(borders: Borders, vertex: int, lon: float, lat: float, geographic: bool) -> float:
    """Squared distance to a vertex; without bound for none."""
    if vertex < 0:
        return math.inf
    x, y = borders.xy[2 * vertex], borders.xy[2 * vertex + 1]
    east, north = metres(lon, lat, x, y, geographic)
    return east * east + north * north


@kernel
def border_of(
    borders: Borders, rank: int, lon: float, lat: float, geographic: bool
) -> tuple[float, float, float]:
    """The nearest border of one polygon: the distance in the plane, and the place."""
    best, best_edge, best_share = math.inf, -1, 0.0
    first = borders.ring_starts[borders.polygon_rings[rank]]
    last = borders.ring_starts[borders.polygon_rings[rank + 1]]
    cosine = math.cos(math.radians(lat)) if geographic else 1.0
    nearest, vertex = math.inf, signed(-1)
    for k in range(first, last):
        arc = borders.ring_arcs[k] >> 1
        nearest, vertex = _vertex_near(borders, arc, lon, lat, cosine, nearest, vertex)
    reach = _to_vertex(borders, vertex, lon, lat, geographic)
    for k in range(first, last):
        arc = borders.ring_arcs[k] >> 1
        square, edge, share = _to_arc(borders, arc, lon, lat, geographic, min(best, reach))
        if square < best:
            best, best_edge, best_share = square, edge, share
    if best_edge < 0:
        return math.inf, math.nan, math.nan
    ux, uy = borders.xy[2 * best_edge], borders.xy[2 * best_edge + 1]
    vx, vy = borders.xy[2 * best_edge + 2], borders.xy[2 * best_edge + 3]
    x, y = ux + best_share * (vx - ux), uy + best_share * (vy - uy)
    # To the place itself: edges were cut so that they are right to a millimetre only.
    east, north = metres(lon, lat, x, y, geographic)
    return math.hypot(east, north), x, y


@kernel
def borders_of(
    borders: Borders, ranks: Ints, lon: Floats, lat: Floats, geographic: bool
) -> tuple[Floats, Floats, Floats]:
    """``border_of`` for many points, each with its polygon."""
    away, x, y = np.empty(len(ranks)), np.empty(len(ranks)), np.empty(len(ranks))
    for k in range(len(ranks)):
        away[k], x[k], y[k] = border_of(borders, ranks[k], lon[k], lat[k], geographic)
    return away, x, y


@kernel
def outline_of(borders: Borders, seen: Flags) -> Ints:
    """Arcs with polygons of a choice (by rank) on one side only."""
    found = np.empty(len(borders.arc_starts) - 1, dtype=np.int64)
    count = 0
    for arc in range(len(borders.arc_starts) - 1):
        left, right = False, False
        for k in range(borders.owner_starts[arc], borders.owner_starts[arc + 1]):
            if seen[borders.owners[k] >> 1]:
                if borders.owners[k] & 1:
                    right = True
                else:
                    left = True
        if left != right:
            found[count] = arc
            count += 1
    return found[:count]


@kernel
def nearest_among(
    borders: Borders, arcs: Ints, seen: Flags, lon: Floats, lat: Floats, geographic: bool
) -> tuple[Ints, Floats, Floats]:
    """The polygon of a choice that is nearest to each of many points outside all of it.

    Of those equally far, to the millimetre, the one of the lowest rank. Answers with its rank (-1
    where there are none) and the place on its border.
    """
    ranks = np.full(len(lon), -1, dtype=np.int64)
    x, y = np.full(len(lon), math.nan), np.full(len(lon), math.nan)
    for k in range(len(lon)):
        best = math.inf
        for arc in arcs:
            reach = (best + ALIKE_M) ** 2
            square, edge, share = _to_arc(borders, arc, lon[k], lat[k], geographic, reach)
            away = math.sqrt(square)
            if away > best + ALIKE_M:
                continue
            rank = -1
            for m in range(borders.owner_starts[arc], borders.owner_starts[arc + 1]):
                owner = borders.owners[m] >> 1
                if seen[owner] and (rank < 0 or owner < rank):
                    rank = owner
            if away < best - ALIKE_M or ranks[k] < 0 or rank < ranks[k]:
                ranks[k] = rank
                ux, uy = borders.xy[2 * edge], borders.xy[2 * edge + 1]
                vx, vy = borders.xy[2 * edge + 2], borders.xy[2 * edge + 3]
                x[k], y[k] = ux + share * (vx - ux), uy + share * (vy - uy)
            best = min(best, away)
    return ranks, x, y


@kernel
def nearest_of(
    borders: Borders, arcs: Ints, lon: float, lat: float, geographic: bool
) -> tuple[int, int, float, float]:
    """The arc nearest to a point, of those given: arc, edge, and the place on it."""
    best, best_arc, best_edge, best_share = math.inf, -1, -1, 0.0
    cosine = math.cos(math.radians(lat)) if geographic else 1.0
    nearest, vertex = math.inf, signed(-1)
    for arc in arcs:
        nearest, vertex = _vertex_near(borders, arc, lon, lat, cosine, nearest, vertex)
    reach = _to_vertex(borders, vertex, lon, lat, geographic)
    for arc in arcs:
        square, edge, share = _to_arc(borders, arc, lon, lat, geographic, min(best, reach))
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
