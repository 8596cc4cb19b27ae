"""The metric systems of a place: its 3-degree Gauss-Kruger zone, and an equal-area projection."""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import lru_cache
from typing import TypeAlias, overload

import numpy as np
from numpy.typing import NDArray
from pyproj import CRS, Transformer
from pyproj.crs import ProjectedCRS
from pyproj.crs.coordinate_operation import (
    LambertAzimuthalEqualAreaConversion,
    TransverseMercatorConversion,
)

from gis.errors import BadInput

Bounds: TypeAlias = Sequence[float] | NDArray[np.float64]


def gauss_kruger_zone(lon: float) -> int:
    """Give the number of the 3-degree zone of a longitude: 1 (3 E) to 120 (0 E).

    The central meridian is three times the number; China has 25 to 45. A longitude on the line
    between two zones belongs to the eastern one.
    """
    if not (math.isfinite(lon) and abs(lon) <= 180):
        raise BadInput(f"longitude {lon} is not within 180 degrees")
    return (math.floor(lon / 3.0 + 0.5) - 1) % 120 + 1


@overload
def metric_crs(lon: float, lat: float) -> CRS: ...
@overload
def metric_crs(lon: Bounds) -> CRS: ...
def metric_crs(lon: float | Bounds, lat: float | None = None) -> CRS:
    """Give the local metric system: the 3-degree Gauss-Kruger zone of a place.

    Parameters
    ----------
    lon, lat
        A place in WGS 84 degrees; or bounds (west, south, east, north) alone, whose centre counts
        (west may be the greater, across 180 degrees).

    Returns
    -------
    CGCS2000 with the zone's central meridian and no zone number in the easting (EPSG:4534 for 75 E
    to 4554 for 135 E); at other meridians, the same projection on WGS 84. Metres, false easting
    500,000; use easting first, as ``from_wgs84`` does. Areas are true within 0.02 % inside the
    zone, within 0.25 % in the next one.
    """
    centre_lon, _ = _centre(lon, lat)
    return _zone_crs(gauss_kruger_zone(centre_lon))


@lru_cache(maxsize=120)
def _zone_crs(zone: int) -> CRS:
    if 25 <= zone <= 45:
        return CRS.from_epsg(4534 + zone - 25)
    meridian = (zone * 3 + 180) % 360 - 180
    return ProjectedCRS(
        TransverseMercatorConversion(
            longitude_natural_origin=meridian,
            false_easting=500_000.0,
            scale_factor_natural_origin=1,
        ),
        name=f"WGS 84 / 3-degree Gauss-Kruger CM {abs(meridian)}{'W' if meridian < 0 else 'E'}",
        geodetic_crs=CRS.from_epsg(4326),
    )


@overload
def equal_area_crs(lon: float, lat: float) -> CRS: ...
@overload
def equal_area_crs(lon: Bounds) -> CRS: ...
def equal_area_crs(lon: float | Bounds, lat: float | None = None) -> CRS:
    """Lambert's azimuthal equal-area projection on WGS 84, metres, centred on a place or bounds.

    The centre is rounded to 0.01 degree, so that near-equal bounds give the same system.
    """
    return _equal_area(*(round(v, 2) for v in _centre(lon, lat)))


@lru_cache(maxsize=64)
def _equal_area(lon: float, lat: float) -> CRS:
    return ProjectedCRS(
        LambertAzimuthalEqualAreaConversion(lat, lon),
        name=f"WGS 84 / equal area {lon:.2f} {lat:.2f}",
        geodetic_crs=CRS.from_epsg(4326),
    )


def _centre(lon: float | Bounds, lat: float | None) -> tuple[float, float]:
    if lat is None:
        box = [float(v) for v in np.ravel(np.asarray(lon, dtype=np.float64))]
        if len(box) != 4 or box[1] > box[3]:
            raise BadInput(f"{box} is not west, south, east, north")
        west, south, east, north = box
        east += 360.0 if west > east else 0.0
        x, y = (west + east) / 2.0, (south + north) / 2.0
        x -= 360.0 if x > 180.0 else 0.0
    else:
        x, y = float(np.asarray(lon)), float(lat)
    if not (math.isfinite(x) and math.isfinite(y) and abs(x) <= 180 and abs(y) <= 90):
        raise BadInput(f"{x}, {y} is not a longitude and latitude in degrees")
    return x, y


@lru_cache(maxsize=64)
def transformer(source: CRS | str, target: CRS | str) -> Transformer:
    """Give the transformation between two systems, x before y.

    Kept: PROJ takes some 30 ms to find one, longer than a map of a county takes. Threads may share
    it, each makes its own inside.
    """
    return Transformer.from_crs(source, target, always_xy=True)
