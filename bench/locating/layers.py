"""Made layers of grids: a tiling with winding borders, each vertex shared to the last bit."""

from __future__ import annotations

import numpy as np
import shapely
from numpy.typing import NDArray
from scipy.spatial import Voronoi

WEST, SOUTH, DEGREES = 116.0, 44.0, 2.0
EDGES_PER_BORDER = 13  # some 78 vertices a grid, six borders each


def tiling(count: int, seed: int = 5) -> NDArray[np.object_]:
    """Polygons that cover a box of 2 by 2 degrees, made of the Voronoi regions of random points."""
    rng = np.random.default_rng(seed)
    sites = rng.random((count, 2))
    # Mirrored points make the regions of the others end at the sides of the box.
    reach = min(1.0, 8 / np.sqrt(count))
    mirrors = [
        np.where(np.arange(2) == axis, 2 * wall - sites, sites)[
            np.abs(sites[:, axis] - wall) < reach
        ]
        for axis in (0, 1)
        for wall in (0.0, 1.0)
    ]
    diagram = Voronoi(np.concatenate([sites, *mirrors]))
    inner = (diagram.ridge_points < count).any(axis=1)
    pairs = diagram.ridge_points[inner]
    ends = np.array(diagram.ridge_vertices)[inner]
    lines = _wound(diagram.vertices, ends, rng)
    while True:
        shapes = _polygons(lines, pairs, ends, count)
        bad = ~shapely.is_valid(shapes)
        if not bad.any():
            return shapes
        # Where borders cross, all of that grid go straight.
        cross = np.isin(pairs, np.flatnonzero(bad)).any(axis=1)
        straight = np.linspace(0, 1, lines.shape[1])[None, :, None]
        a, b = lines[cross][:, :1], lines[cross][:, -1:]
        lines[cross, 1:-1] = (a + straight * (b - a))[:, 1:-1]


def _wound(
    vertices: NDArray[np.float64], ends: NDArray[np.int64], rng: np.random.Generator
) -> NDArray[np.float64]:
    """Lines between the ends with bends, shape (lines, EDGES_PER_BORDER + 1, 2), in degrees."""
    along = np.linspace(0, 1, EDGES_PER_BORDER + 1)
    a, b = vertices[ends[:, 0]], vertices[ends[:, 1]]
    normal = (b - a)[:, ::-1] * [-1, 1]
    waves = sum(
        rng.normal(0, 0.06 / k, (len(ends), 1)) * np.sin(k * np.pi * along) for k in (1, 2, 3, 5)
    )
    waves *= 4 * along * (1 - along)
    lines = a[:, None] + along[:, None] * (b - a)[:, None] + waves[..., None] * normal[:, None]
    lines = np.array([WEST, SOUTH]) + lines * DEGREES
    # The ends of all lines of a vertex are the vertex itself.
    lines[:, 0] = np.array([WEST, SOUTH]) + a * DEGREES
    lines[:, -1] = np.array([WEST, SOUTH]) + b * DEGREES
    return lines


def _polygons(
    lines: NDArray[np.float64], pairs: NDArray[np.int64], ends: NDArray[np.int64], count: int
) -> NDArray[np.object_]:
    """Each site's lines joined to a ring."""
    sites = pairs.ravel()
    order = np.argsort(sites, kind="stable")
    order = order[sites[order] < count]
    starts = np.searchsorted(sites[order], np.arange(count + 1))
    shapes = np.empty(count, dtype=object)
    for site in range(count):
        mine = order[starts[site] : starts[site + 1]] // 2
        nearest = {}
        for line in mine:
            for end in ends[line]:
                nearest.setdefault(int(end), []).append(int(line))
        line = int(mine[0])
        at, ring = int(ends[line, 0]), []
        for _ in mine:
            forward = ends[line, 0] == at
            ring.append(lines[line][:-1] if forward else lines[line][:0:-1])
            at = int(ends[line, 1] if forward else ends[line, 0])
            line = next(each for each in nearest[at] if each != line)
        shapes[site] = shapely.Polygon(np.concatenate(ring))
    return shapes
