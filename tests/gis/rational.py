"""Which polygon covers a point, told by rational arithmetic; and points that are hard to place."""

from __future__ import annotations

from fractions import Fraction
from typing import TYPE_CHECKING, Any

import numpy as np
import shapely

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray


def side(u: Sequence[float], v: Sequence[float], p: Sequence[float]) -> int:
    """1 when p lies left of the line from u to v, -1 right of it, 0 on it."""
    ux, uy, vx, vy, px, py = (Fraction(float(each)) for each in (*u, *v, *p))
    turn = (vx - ux) * (py - uy) - (vy - uy) * (px - ux)
    return (turn > 0) - (turn < 0)


class Oracle:
    """Answers by looking at every edge of every polygon that comes into question."""

    def __init__(self, shapes: Sequence[Any], ids: Sequence[Any]) -> None:
        self.edges = []
        for shape in shapes:
            rings = [
                shapely.get_coordinates(ring)
                for ring in shapely.get_rings(shapely.get_parts(shape))
            ]
            self.edges.append(
                (
                    np.concatenate([ring[:-1] for ring in rings]),
                    np.concatenate([ring[1:] for ring in rings]),
                )
            )
        self.bounds = shapely.bounds(np.asarray(shapes, dtype=object)).reshape(-1, 4)
        self.rank = np.empty(len(ids), dtype=np.int64)
        self.rank[sorted(range(len(ids)), key=lambda k: ids[k])] = np.arange(len(ids))

    def covers(self, k: int, p: Sequence[float]) -> bool:
        """Whether a polygon, border and all, covers a point."""
        u, v = self.edges[k]
        px, py = p
        low, high = np.minimum(u, v), np.maximum(u, v)
        level = (low[:, 1] <= py) & (py <= high[:, 1])
        for e in np.flatnonzero(level & (low[:, 0] <= px) & (px <= high[:, 0])):
            if side(u[e], v[e], p) == 0:
                return True
        # The ray to the east: edges that begin at or below it and end above, or the other way.
        across = (u[:, 1] <= py) != (v[:, 1] <= py)
        odd = int((across & (low[:, 0] > px)).sum()) % 2
        for e in np.flatnonzero(across & (low[:, 0] <= px) & (px <= high[:, 0])):
            a, b = (u[e], v[e]) if u[e, 1] < v[e, 1] else (v[e], u[e])
            odd ^= side(a, b, p) > 0
        return bool(odd)

    def locate(self, x: float, y: float) -> int:
        """Position of the covering polygon with the smallest id, -1 for none."""
        west, south, east, north = self.bounds.T
        near = np.flatnonzero((west <= x) & (x <= east) & (south <= y) & (y <= north))
        for k in sorted(near, key=lambda k: self.rank[k]):
            if self.covers(int(k), (x, y)):
                return int(k)
        return -1


def hard_points(shapes: Sequence[Any], count: int, seed: int = 1) -> NDArray[np.float64]:
    """Points on and beside borders, shape (count, 2).

    A vertex, the middle of an edge or a random place on one (both as near to it as doubles come);
    as it is, or moved by one unit in the last place or by 1e-12 in either coordinate or both.
    """
    rng = np.random.default_rng(seed)
    ends = []
    for ring in shapely.get_rings(shapely.get_parts(np.asarray(shapes, dtype=object))):
        xy = shapely.get_coordinates(ring)
        ends.append(np.stack([xy[:-1], xy[1:]], axis=1))
    edges = np.concatenate(ends)
    u, v = np.moveaxis(edges[rng.integers(0, len(edges), count)], 1, 0)
    kind = rng.integers(0, 3, count)
    share = np.where(kind == 0, 0.0, np.where(kind == 1, 0.5, rng.random(count)))[:, None]
    points = np.where(share == 0.5, (u + v) / 2, u + share * (v - u))
    way = rng.integers(0, 3, count)[:, None]
    sign = rng.integers(-1, 2, (count, 2))
    ulp = np.where(sign == 0, points, np.nextafter(points, np.where(sign > 0, np.inf, -np.inf)))
    return np.where(way == 0, points, np.where(way == 1, ulp, points + 1e-12 * sign))
