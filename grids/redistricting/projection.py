"""The metre CRS in which a plan is computed, chosen in this one place."""

from __future__ import annotations

import geopandas as gpd
import pyproj

from gis.crs import metric_crs


def metre_crs(area: gpd.GeoSeries) -> pyproj.CRS:
    """The 3-degree Gauss-Kruger zone of the area's middle."""
    west, south, east, north = area.to_crs(4326).total_bounds
    return metric_crs((float(west), float(south), float(east), float(north)))
