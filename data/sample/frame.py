"""The ground the demo place stands on: local metres, east and north, and the way to WGS 84.

Everything is drawn in a local frame whose origin lies on empty steppe near 116.6 E, 44.9 N, in the
3-degree Gauss-Krueger zone with central meridian 117 E. Coordinates are snapped to a centimetre,
so that lines drawn apart still meet in common vertices.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import shapely
from pyproj import Proj

Array = npt.NDArray[np.float64]
Geometries = npt.NDArray[Any]

ORIGIN_LON, ORIGIN_LAT = 116.6, 44.9
CENTRAL_MERIDIAN_DEG = 117
SNAP_M = 0.01
# 1e-9 degrees are 0.1 mm: a hundredth of the snapping grid, so rounding moves no vertex onto
# another, and the text of a coordinate is the same on every machine.
LONLAT_DECIMALS = 9

_PROJ = Proj(
    f"+proj=tmerc +lat_0=0 +lon_0={CENTRAL_MERIDIAN_DEG} +k=1 +x_0=500000 +y_0=0 +ellps=GRS80"
)
_ORIGIN_X, _ORIGIN_Y = _PROJ(ORIGIN_LON, ORIGIN_LAT)


def to_lonlat(xy: Array) -> Array:
    """Local metres to WGS 84 degrees.

    Parameters
    ----------
    xy
        Shape (n, 2): metres east and north of the origin.

    Returns
    -------
    Shape (n, 2): longitude and latitude, rounded to 1e-9 degrees.
    """
    if len(xy) == 0:
        return np.empty((0, 2))
    lon, lat = _PROJ(xy[:, 0] + _ORIGIN_X, xy[:, 1] + _ORIGIN_Y, inverse=True)
    return np.round(np.column_stack([lon, lat]), LONLAT_DECIMALS)


def to_local(lonlat: Array) -> Array:
    """WGS 84 degrees, shape (n, 2), to local metres, shape (n, 2)."""
    if len(lonlat) == 0:
        return np.empty((0, 2))
    x, y = _PROJ(lonlat[:, 0], lonlat[:, 1])
    return np.column_stack([x - _ORIGIN_X, y - _ORIGIN_Y])


def project(geometries: Sequence[Any] | Geometries) -> Geometries:
    """Geometries in local metres to WGS 84, each vertex by itself, so shared ones stay shared."""
    array = np.empty(len(geometries), dtype=object)
    array[:] = list(geometries)
    moved: Geometries = np.asarray(shapely.transform(array, to_lonlat), dtype=object)
    return moved


def snap(geometry: Any) -> Any:
    """The geometry with its vertices on the centimetre grid."""
    return shapely.set_precision(geometry, SNAP_M)


def spline(points: Sequence[tuple[float, float]] | Array, *, step_m: float = 40.0) -> Array:
    """A smooth curve through the points: Catmull-Rom, centripetal.

    Centripetal because the knots stand kilometres apart on the steppe and a few hundred metres
    apart in town; with even parameters the curve would loop where the two meet.

    Parameters
    ----------
    points
        At least two different points, local metres.
    step_m
        Distance between the vertices of the curve, about.

    Returns
    -------
    Shape (n, 2), beginning and ending exactly at the first and last point.
    """
    knots = np.asarray(points, dtype=np.float64)
    padded = np.vstack([2 * knots[0] - knots[1], knots, 2 * knots[-1] - knots[-2]])
    lengths = np.hypot(*np.diff(padded, axis=0).T)
    dt = np.sqrt(lengths)[:, None]
    slopes = np.diff(padded, axis=0) / dt
    tangents = (slopes[:-1] * dt[1:] + slopes[1:] * dt[:-1]) / (dt[:-1] + dt[1:])
    pieces = []
    for i in range(len(knots) - 1):
        span = float(dt[i + 1, 0])
        count = max(2, round(float(lengths[i + 1]) / step_m))
        t = np.linspace(0, 1, count, endpoint=False)[:, None]
        pieces.append(
            (2 * t**3 - 3 * t**2 + 1) * knots[i]
            + (t**3 - 2 * t**2 + t) * span * tangents[i]
            + (3 * t**2 - 2 * t**3) * knots[i + 1]
            + (t**3 - t**2) * span * tangents[i + 1]
        )
    return np.vstack([*pieces, knots[-1:]])


def chaikin(line: Array, *, rounds: int = 2) -> Array:
    """The line with its corners cut, ends kept; it never leaves the hull of its corners."""
    for _ in range(rounds):
        if len(line) < 3:
            return line
        cut = np.empty((2 * (len(line) - 1), 2))
        cut[0::2] = 0.75 * line[:-1] + 0.25 * line[1:]
        cut[1::2] = 0.25 * line[:-1] + 0.75 * line[1:]
        cut[0], cut[-1] = line[0], line[-1]
        line = cut
    return line


def heading_deg(start: Array, end: Array) -> float:
    """Compass bearing from start to end, clockwise from grid north, 0 to under 360."""
    dx, dy = end - start
    return float(np.degrees(np.arctan2(dx, dy)) % 360)
