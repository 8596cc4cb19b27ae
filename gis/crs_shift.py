"""The compiled kernels of GCJ-02 and BD-09, the two shifted systems of Chinese web maps.

Import this module late: it pulls in numba (0.5-1.5 s). ``gis.crs`` does so when a shifted system is
first asked for, and is what other code should call.

The kernels use nothing but addition, multiplication, division, square root and floor. IEEE 754
fixes the result of each to the last bit, so a point gets the same answer alone, anywhere in an
array and on every machine (two neighbours that share a vertex still share it after conversion), and
LLVM can work on four or eight points at once. Sines of the published formula are whole multiples of
two base angles and follow from them by the addition theorems.

The constants are those of the published formula (a = 6378245 m, the Krasovsky axis; BD
uses pi * 3000 / 180, that is 3,000 degrees of phase per degree, not pi).
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import TypeVar

import numba
import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

KRASOVSKY_AXIS_M = 6378245.0
KRASOVSKY_E2 = 0.00669342162296594323
ORIGIN_LON, ORIGIN_LAT = 105.0, 35.0
BD_OFFSET_LON, BD_OFFSET_LAT = 0.0065, 0.006
BD_RADIUS_AMPLITUDE, BD_ANGLE_AMPLITUDE = 0.00002, 0.000003
BD_TURNS_PER_DEGREE = 3000.0 / 360.0

# Each step divides the error by 150 or more: 5 m, 31 mm, 0.2 mm, 1.3 um, 9 nm over all China.
GCJ_STEPS = 5
BD_STEPS = 5

_RAD = math.pi / 180.0
_COS_ORIGIN = math.cos(ORIGIN_LAT * _RAD)
_SIN_ORIGIN = math.sin(ORIGIN_LAT * _RAD)
_EAST_DEG_PER_M = 180.0 / math.pi / KRASOVSKY_AXIS_M
_NORTH_DEG_PER_M = 180.0 / math.pi / (KRASOVSKY_AXIS_M * (1.0 - KRASOVSKY_E2))

_Function = TypeVar("_Function", bound=Callable[..., object])


def _compiled(function: _Function) -> _Function:
    """Compile on first call; keep the machine code on disk where a folder can be written.

    numba looks beside the source, then in ``NUMBA_CACHE_DIR`` and the user's cache folder, and
    raises RuntimeError when none can be written. Then each process compiles anew (about 3 s).
    """
    # error_model="numpy" leaves out Python's check for division by zero, which would keep the
    # loops from being vectorised. fastmath stays off: it would cost the bit-equality.
    try:
        kernel = numba.njit(function, cache=True, error_model="numpy")
    except RuntimeError:
        kernel = numba.njit(function, error_model="numpy")
    return kernel


def _part(function: _Function) -> _Function:
    """Compile as a part of a kernel, inlined there, so that its loop can be vectorised."""
    return numba.njit(function, error_model="numpy", forceinline=True)


@_part
def _sin_cos_of_turns(turns: float) -> tuple[float, float]:
    """Sine and cosine of a whole circle times ``turns``, to 2e-16."""
    quarter = (turns - np.floor(turns + 0.5)) * (math.pi / 2.0)  # a quarter of the angle
    z = quarter * quarter
    # Taylor's series: the first term left out is 5e-17 at 45 degrees.
    s = -1.0 / 1307674368000.0
    s = s * z + 1.0 / 6227020800.0
    s = s * z - 1.0 / 39916800.0
    s = s * z + 1.0 / 362880.0
    s = s * z - 1.0 / 5040.0
    s = s * z + 1.0 / 120.0
    s = s * z - 1.0 / 6.0
    s = quarter + quarter * z * s
    half_cos = 1.0 - 2.0 * s * s
    half_sin = 2.0 * s * math.sqrt(1.0 - s * s)
    return 2.0 * half_sin * half_cos, 1.0 - 2.0 * half_sin * half_sin


@_part
def _turned_back(s: float, c: float, degrees: float) -> tuple[float, float]:
    """Sine and cosine after turning back by a small angle (under 0.01 degree: error 1e-17)."""
    a = degrees * _RAD
    h = a * a
    sin_a = a - a * h * (1.0 / 6.0)
    cos_a = 1.0 - 0.5 * h
    return s * cos_a - c * sin_a, c * cos_a + s * sin_a


@_part
def _multiples(s: float, c: float) -> tuple[float, float, float, float, float]:
    """Sines of 6, 15, 60, 180 and 360 times an angle, from its sine and cosine."""
    t = 4.0 * s * s
    s3 = s * (3.0 - t)
    c3 = c * (1.0 - t)
    s6 = 2.0 * s3 * c3
    c6 = 1.0 - 2.0 * s3 * s3
    s12 = 2.0 * s6 * c6
    c12 = 1.0 - 2.0 * s6 * s6
    s15 = s12 * c3 + c12 * s3
    c15 = c12 * c3 - s12 * s3
    s30 = 2.0 * s15 * c15
    c30 = 1.0 - 2.0 * s15 * s15
    s60 = 2.0 * s30 * c30
    c60 = 1.0 - 2.0 * s30 * s30
    t = 4.0 * s60 * s60
    s180 = s60 * (3.0 - t)
    c180 = c60 * (1.0 - t)
    return s6, s15, s60, s180, 2.0 * s180 * c180


@_part
def _gcj_offset(
    lon: float, lat: float, base: tuple[float, float, float, float]
) -> tuple[float, float]:
    """Degrees east and north that GCJ-02 adds at a WGS 84 place; ``base`` as from _base_angles."""
    sin_x, cos_x, sin_y, cos_y = base
    x = lon - ORIGIN_LON
    y = lat - ORIGIN_LAT
    x6, x15, x60, x180, x360 = _multiples(sin_x, cos_x)
    y6, y15, y60, y180, _ = _multiples(sin_y, cos_y)
    # The formula's sin(6 pi x) + sin(2 pi x) are the 1080- and 360-fold: 4 (s - s^3) of the latter.
    wave = (160.0 / 3.0) * x360 * (1.0 - x360 * x360)
    root = math.sqrt(abs(x))
    east_m = (
        300.0
        + x * (1.0 + 0.1 * x + 0.1 * y)
        + 2.0 * y
        + 0.1 * root
        + wave
        + ((40.0 / 3.0) * x180 + (80.0 / 3.0) * x60 + 100.0 * x15 + 200.0 * x6)
    )
    north_m = (
        -100.0
        + 2.0 * x
        + y * (3.0 + 0.2 * y + 0.1 * x)
        + 0.2 * root
        + wave
        + ((40.0 / 3.0) * y180 + (80.0 / 3.0) * y60 + (320.0 / 3.0) * y15 + (640.0 / 3.0) * y6)
    )
    sin_lat = sin_y * _COS_ORIGIN + cos_y * _SIN_ORIGIN
    cos_lat = cos_y * _COS_ORIGIN - sin_y * _SIN_ORIGIN
    q = 1.0 - KRASOVSKY_E2 * sin_lat * sin_lat
    root_q = math.sqrt(q)
    return east_m * root_q * _EAST_DEG_PER_M / cos_lat, north_m * root_q * q * _NORTH_DEG_PER_M


@_part
def _base_angles(lon: float, lat: float) -> tuple[float, float, float, float]:
    """Sine and cosine of lon - 105, and of lat - 35."""
    sin_x, cos_x = _sin_cos_of_turns((lon - ORIGIN_LON) / 360.0)
    sin_y, cos_y = _sin_cos_of_turns((lat - ORIGIN_LAT) / 360.0)
    return sin_x, cos_x, sin_y, cos_y


@_part
def _gcj_from_wgs84_at(lon: float, lat: float) -> tuple[float, float]:
    east, north = _gcj_offset(lon, lat, _base_angles(lon, lat))
    return lon + east, lat + north


@_part
def _wgs84_from_gcj_at(lon: float, lat: float) -> tuple[float, float]:
    """Find the place whose GCJ-02 position this is, by p <- q - offset(p).

    The base angles are computed once; each step turns them by the small offset.
    """
    sin_x, cos_x, sin_y, cos_y = _base_angles(lon, lat)
    east, north = _gcj_offset(lon, lat, (sin_x, cos_x, sin_y, cos_y))
    for _ in range(GCJ_STEPS - 1):
        sx, cx = _turned_back(sin_x, cos_x, east)
        sy, cy = _turned_back(sin_y, cos_y, north)
        east, north = _gcj_offset(lon - east, lat - north, (sx, cx, sy, cy))
    return lon - east, lat - north


@_part
def _bd_from_gcj_at(x: float, y: float) -> tuple[float, float]:
    radius = math.sqrt(x * x + y * y)
    sin_y, _ = _sin_cos_of_turns(y * BD_TURNS_PER_DEGREE)
    _, cos_x = _sin_cos_of_turns(x * BD_TURNS_PER_DEGREE)
    # The formula turns (x, y) by at most 3e-6 rad, where sin a = a and cos a = 1 - a^2 / 2 hold to
    # the last bit, so its atan2 is not needed. The floor on the radius is for the point 0, 0.
    stretch = 1.0 + BD_RADIUS_AMPLITUDE * sin_y / max(radius, 1e-9)
    a = BD_ANGLE_AMPLITUDE * cos_x
    cos_a = 1.0 - 0.5 * a * a
    return (
        stretch * (x * cos_a - y * a) + BD_OFFSET_LON,
        stretch * (y * cos_a + x * a) + BD_OFFSET_LAT,
    )


@_part
def _gcj_from_bd_at(lon: float, lat: float) -> tuple[float, float]:
    x = lon - BD_OFFSET_LON
    y = lat - BD_OFFSET_LAT
    for _ in range(BD_STEPS):
        to_lon, to_lat = _bd_from_gcj_at(x, y)
        x += lon - to_lon
        y += lat - to_lat
    return x, y


@_compiled
def gcj_from_wgs84(lon: Floats, lat: Floats, out_lon: Floats, out_lat: Floats) -> None:
    """Fill the outputs with the GCJ-02 positions of WGS 84 points, in degrees.

    All four are contiguous one-dimensional float64 arrays of one length. NaN gives NaN; what is off
    the globe gives a number without meaning, which ``gis.crs`` blanks.
    """
    for i in range(lon.size):
        out_lon[i], out_lat[i] = _gcj_from_wgs84_at(lon[i], lat[i])


@_compiled
def wgs84_from_gcj(lon: Floats, lat: Floats, out_lon: Floats, out_lat: Floats) -> None:
    """Fill the outputs with the WGS 84 positions of GCJ-02 points; arrays as above."""
    for i in range(lon.size):
        out_lon[i], out_lat[i] = _wgs84_from_gcj_at(lon[i], lat[i])


@_compiled
def bd_from_wgs84(lon: Floats, lat: Floats, out_lon: Floats, out_lat: Floats) -> None:
    """Fill the outputs with the BD-09 positions of WGS 84 points; arrays as above."""
    for i in range(lon.size):
        x, y = _gcj_from_wgs84_at(lon[i], lat[i])
        out_lon[i], out_lat[i] = _bd_from_gcj_at(x, y)


@_compiled
def wgs84_from_bd(lon: Floats, lat: Floats, out_lon: Floats, out_lat: Floats) -> None:
    """Fill the outputs with the WGS 84 positions of BD-09 points; arrays as above."""
    for i in range(lon.size):
        x, y = _gcj_from_bd_at(lon[i], lat[i])
        out_lon[i], out_lat[i] = _wgs84_from_gcj_at(x, y)
