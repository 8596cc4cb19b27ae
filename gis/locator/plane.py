"""Metres east and north of a point, as the kernels need them.

Differences of longitude and latitude are turned into metres with the radii of curvature of WGS 84
at the middle latitude between the two points, and the direction is turned by half the convergence
of their meridians. Against geodesics the place is then off by less than 5e-7 of the distance up to
10 km and 5e-5 up to 100 km, at latitudes up to 60 degrees. Longitudes are not taken around the
globe: a layer across the 180th meridian has to be built in a plane.

An edge is straight in longitude and latitude, hence bent in this plane and on the earth: one of
10 km along the 45th parallel by 2 m in the middle. ``pieces`` tells into how many an edge is to be
cut so that straight ones will do.
"""

# Compiled functions take positional arguments only.
# ruff: noqa: FBT001, PLR0917

from __future__ import annotations

import math
from typing import Final

from gis.locator.compiled import kernel, part

AXIS_M: Final = 6378137.0
"""Equatorial radius of WGS 84 (NIMA TR8350.2)."""
E2: Final = 0.00669437999014132
"""First eccentricity of WGS 84, squared (the same)."""
MOST_PIECES: Final = 8192


@part
def metres(
    lon: float, lat: float, to_lon: float, to_lat: float, geographic: bool
) -> tuple[float, float]:
    """Metres east and north from one point to another; plane coordinates are metres already."""
    if not geographic:
        return to_lon - lon, to_lat - lat
    middle = math.radians((lat + to_lat) / 2)
    sine = math.sin(middle)
    under = 1.0 - E2 * sine * sine
    across = AXIS_M / math.sqrt(under)
    east = math.radians(to_lon - lon) * across * math.cos(middle)
    north = math.radians(to_lat - lat) * across * (1.0 - E2) / under
    # The direction is that at the first point: meridians converge by half of this until the middle.
    turn = math.radians(to_lon - lon) * sine / 2
    cosine, sine = math.cos(turn), math.sin(turn)
    return east * cosine - north * sine, north * cosine + east * sine


@kernel
def pieces(
    ax: float, ay: float, bx: float, by: float, lat: float, off_m: float, reach_m: float
) -> int:
    """Into how many pieces an edge is cut to stay within ``off_m`` of where it runs.

    Ends of the edge in metres from a point at ``lat``. One piece does if the edge is farther from
    the point than ``reach_m`` anyway. Near the poles and for edges of thousands of kilometres
    there are ``MOST_PIECES``, whatever is asked.
    """
    dx, dy = bx - ax, by - ay
    square = dx * dx + dy * dy
    # The second order of the change to metres: a quarter of it is an upper bound of the bend.
    bend = square * abs(math.tan(math.radians(min(max(lat, -89.0), 89.0)))) / (4 * AXIS_M)
    if bend <= off_m:
        return 1
    t = min(max(-(ax * dx + ay * dy) / square, 0.0), 1.0)
    if math.hypot(ax + t * dx, ay + t * dy) > reach_m + bend:
        return 1
    return min(math.ceil(math.sqrt(bend / off_m)), MOST_PIECES)
