"""Metric coordinate systems: the zone or projection that fits a place."""

from __future__ import annotations

import math

import numpy as np
import pytest
import shapely
from hypothesis import given
from hypothesis import strategies as st

from gis.crs import (
    equal_area_crs,
    from_wgs84,
    from_wgs84_geometry,
    gauss_kruger_zone,
    metric_crs,
    to_wgs84,
)
from gis.errors import BadInput


class TestZones:
    @pytest.mark.parametrize(
        ("lon", "zone"),
        [
            (111.7, 37),
            (112.5, 38),
            (112.4999, 37),
            (75, 25),
            (0, 120),
            (-1.4, 120),
            (1.5, 1),
            (-71.1, 96),
            (180, 60),
            (-180, 60),
        ],
    )
    def test_number(self, lon, zone):
        assert gauss_kruger_zone(lon) == zone

    @given(lon=st.floats(-180, 180))
    def test_central_meridian_is_at_most_1_5_degrees_off(self, lon):
        zone = gauss_kruger_zone(lon)
        assert 1 <= zone <= 120
        assert abs((lon - 3 * zone + 180) % 360 - 180) <= 1.5 + 1e-9

    @pytest.mark.parametrize(
        ("place", "lon", "code"),
        [
            ("Hohhot", 111.67, 4546),
            ("Bayannur", 107.4, 4545),
            ("Xilinhot", 116.1, 4548),
            ("Yakeshi", 120.7, 4549),
            ("Tieling", 123.8, 4550),
            ("Changchun", 125.3, 4551),
            ("Longjing", 129.4, 4552),
            ("Guang'an", 106.6, 4545),
        ],
    )
    def test_seed_places(self, place, lon, code):
        assert metric_crs(lon, 41.0).to_epsg() == code

    @pytest.mark.parametrize("place", [(-71.11, 42.37), (-95.37, 29.76), (18.4, -33.9), (179, 60)])
    def test_elsewhere_the_same_projection(self, place):
        crs = metric_crs(*place)
        lon, lat = np.array([place[0], place[0] + 0.01]), np.array([place[1], place[1]])
        x, y = from_wgs84(lon, lat, crs)
        assert abs(x[0] - 500_000) < 170_000
        true = crs.get_geod().inv(lon[0], lat[0], lon[1], lat[1])[2]
        assert math.hypot(x[1] - x[0], y[1] - y[0]) == pytest.approx(true, rel=4e-4)
        np.testing.assert_allclose(to_wgs84(x, y, crs), (lon, lat), atol=1e-10)

    def test_bounds(self):
        assert metric_crs((110.0, 40.0, 113.0, 41.0)).to_epsg() == 4546
        assert "180W" in metric_crs((179.0, 60.0, -179.0, 61.0)).name
        for wrong in ((1.0, 2.0, 3.0), (1, 5, 2, 4), (math.nan, 1, 2, 3), (500000, 0, 600000, 1)):
            with pytest.raises(BadInput):
                metric_crs(wrong)
        with pytest.raises(BadInput):
            gauss_kruger_zone(math.nan)

    def test_equal_area(self):
        box = shapely.box(116.0, 41.5, 116.5, 42.0)
        crs = equal_area_crs(box.bounds)
        flat = from_wgs84_geometry(shapely.segmentize(box, 0.01), crs)
        true = abs(crs.get_geod().geometry_area_perimeter(shapely.segmentize(box, 0.01))[0])
        assert flat.area == pytest.approx(true, rel=1e-6)
