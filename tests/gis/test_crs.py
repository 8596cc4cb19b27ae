"""Coordinates: published vectors, a formula written apart from ours, and the traps by name."""

from __future__ import annotations

import json
import math
import os
import subprocess
import sys

import numpy as np
import pytest
import shapely
from hypothesis import given, settings
from hypothesis import strategies as st
from pyproj import CRS

from gis import crs_shift
from gis.crs import (
    LONLAT_PROBLEMS,
    LonLatKind,
    check_lonlat,
    from_wgs84,
    from_wgs84_geometry,
    parse_crs,
    parse_name,
    to_wgs84,
    to_wgs84_geometry,
)
from gis.errors import BadInput

SHIFTED = ("gcj02", "bd09")
M_PER_DEGREE = 111_320.0
CHINA = (73.4, 3.8, 135.1, 53.6)

# WGS 84 lon, lat -> GCJ-02 lon, lat, as printed in the tests of open converters.
GCJ_VECTORS = [
    (121.5272106, 31.1774276, 121.531541859215, 31.17530398364597),
    (113.912316, 22.543847, 113.9171764808363, 22.540796131694766),
    (116.377817, 39.911954, 116.38404722455657, 39.91334545536069),
]
# Hohhot, 111.65 40.82, by the published formulas in 60-digit decimal arithmetic.
HOHHOT_GCJ = (111.656726016009213772, 40.8212925375043542461)
HOHHOT_BD = (111.663363549750908477, 40.8269686427903656711)


def gcj_by_the_book(lon: float, lat: float) -> tuple[float, float]:
    """The published GCJ-02 formula, sine by sine, one point at a time."""
    pi, a, ee = math.pi, 6378245.0, 0.00669342162296594323
    x, y = lon - 105.0, lat - 35.0
    common = (20 * math.sin(6 * x * pi) + 20 * math.sin(2 * x * pi)) * 2 / 3
    north = -100 + 2 * x + 3 * y + 0.2 * y * y + 0.1 * x * y + 0.2 * math.sqrt(abs(x)) + common
    north += (20 * math.sin(y * pi) + 40 * math.sin(y / 3 * pi)) * 2 / 3
    north += (160 * math.sin(y / 12 * pi) + 320 * math.sin(y * pi / 30)) * 2 / 3
    east = 300 + x + 2 * y + 0.1 * x * x + 0.1 * x * y + 0.1 * math.sqrt(abs(x)) + common
    east += (20 * math.sin(x * pi) + 40 * math.sin(x / 3 * pi)) * 2 / 3
    east += (150 * math.sin(x / 12 * pi) + 300 * math.sin(x / 30 * pi)) * 2 / 3
    phi = lat / 180 * pi
    magic = 1 - ee * math.sin(phi) ** 2
    root = math.sqrt(magic)
    north = north * 180 / (a * (1 - ee) / (magic * root) * pi)
    east = east * 180 / (a / root * math.cos(phi) * pi)
    return lon + east, lat + north


def bd_by_the_book(gcj_lon: float, gcj_lat: float) -> tuple[float, float]:
    """The published step from GCJ-02 to BD-09, with its atan2."""
    x_pi = math.pi * 3000 / 180
    radius = math.hypot(gcj_lon, gcj_lat) + 0.00002 * math.sin(gcj_lat * x_pi)
    angle = math.atan2(gcj_lat, gcj_lon) + 0.000003 * math.cos(gcj_lon * x_pi)
    return radius * math.cos(angle) + 0.0065, radius * math.sin(angle) + 0.006


def metres(lon: np.ndarray, lat: np.ndarray, to_lon: np.ndarray, to_lat: np.ndarray) -> np.ndarray:
    east = (to_lon - lon) * M_PER_DEGREE * np.cos(np.radians(lat))
    return np.hypot(east, (to_lat - lat) * M_PER_DEGREE)


def china(n: int) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(7)
    return rng.uniform(CHINA[0], CHINA[2], n), rng.uniform(CHINA[1], CHINA[3], n)


class TestShifted:
    @pytest.mark.parametrize(("lon", "lat", "gcj_lon", "gcj_lat"), GCJ_VECTORS)
    def test_published_gcj_vectors_both_ways(self, lon, lat, gcj_lon, gcj_lat):
        assert from_wgs84(lon, lat, "gcj02") == pytest.approx((gcj_lon, gcj_lat), abs=1e-13)
        assert to_wgs84(gcj_lon, gcj_lat, "gcj02") == pytest.approx((lon, lat), abs=1e-12)

    def test_vectors_of_sixty_digits(self):
        assert from_wgs84(111.65, 40.82, "gcj02") == pytest.approx(HOHHOT_GCJ, abs=2e-13)
        assert from_wgs84(111.65, 40.82, "bd09") == pytest.approx(HOHHOT_BD, abs=2e-13)

    def test_agrees_with_the_book_over_all_china(self):
        lon, lat = china(2_000)
        gcj = np.array([gcj_by_the_book(*p) for p in zip(lon, lat, strict=True)])
        bd = np.array([bd_by_the_book(*p) for p in gcj])
        np.testing.assert_allclose(np.column_stack(from_wgs84(lon, lat, "gcj02")), gcj, atol=1e-12)
        np.testing.assert_allclose(np.column_stack(from_wgs84(lon, lat, "bd09")), bd, atol=1e-12)

    def test_bd_with_pi_instead_of_x_pi_would_be_seen(self):
        lon, lat = china(500)
        gcj = from_wgs84(lon, lat, "gcj02")
        x, y = gcj
        radius = np.hypot(x, y) + 0.00002 * np.sin(y * np.pi)
        angle = np.arctan2(y, x) + 0.000003 * np.cos(x * np.pi)
        wrong = radius * np.cos(angle) + 0.0065, radius * np.sin(angle) + 0.006
        assert np.median(metres(*from_wgs84(lon, lat, "bd09"), *wrong)) > 20

    @pytest.mark.parametrize(("name", "least", "most"), [("gcj02", 10, 900), ("bd09", 500, 1900)])
    def test_inverse_over_all_china_to_ten_nanometres(self, name, least, most):
        lon, lat = (
            a.ravel()
            for a in np.meshgrid(
                np.linspace(CHINA[0], CHINA[2], 700), np.linspace(CHINA[1], CHINA[3], 600)
            )
        )
        there = from_wgs84(lon, lat, name)
        shift = metres(lon, lat, *there)
        assert least < shift.min() < shift.max() < most
        assert metres(lon, lat, *to_wgs84(*there, name)).max() < 2e-8

    @pytest.mark.parametrize("name", SHIFTED)
    @given(
        lon=st.floats(-179, 179, allow_subnormal=False),
        lat=st.floats(-70, 70, allow_subnormal=False),
    )
    @settings(max_examples=200, deadline=None)
    def test_round_trip_anywhere_without_a_box(self, name, lon, lat):
        there = from_wgs84(lon, lat, name)
        assert math.hypot(there[0] - lon, there[1] - lat) > 1e-5
        assert to_wgs84(*there, name) == pytest.approx((lon, lat), abs=1e-8)

    def test_foreign_ground_beside_the_border_is_shifted_too(self):
        # Zamyn-Uud in Mongolia, across from Erenhot: inside every published box, and beside it.
        for lon in (111.9, 137.9, 71.9):
            assert metres(lon, 43.7, *from_wgs84(lon, 43.7, "gcj02")) > 100

    @pytest.mark.parametrize("name", SHIFTED)
    def test_a_point_has_the_same_bits_alone_and_anywhere_in_an_array(self, name):
        lon, lat = china(1_037)
        for convert in (from_wgs84, to_wgs84):
            whole = np.column_stack(convert(lon, lat, name))
            late = np.column_stack(convert(lon[5:], lat[5:], name))
            alone = np.array(
                [
                    convert(*p, name)
                    for p in zip(lon[-20:].tolist(), lat[-20:].tolist(), strict=True)
                ]
            )
            assert (whole[5:] == late).all()
            assert (whole[-20:] == alone).all()

    def test_compiles_without_a_cache_where_no_folder_can_be_written(self, monkeypatch):
        real = crs_shift.numba.njit

        def without_cache(function, **options):
            if options.pop("cache", False):
                raise RuntimeError("cannot cache function: no locator available")
            return real(function, **options)

        monkeypatch.setattr(crs_shift.numba, "njit", without_cache)
        kernel = crs_shift._compiled(lambda x: x + 1.0)
        assert kernel(1.0) == 2.0

    def test_importing_and_plain_systems_leave_numba_alone(self):
        code = (
            "import sys, json; import gis.crs as c; c.to_wgs84(111.0, 40.0, 'cgcs2000');"
            "c.to_wgs84(5e5, 4.5e6, 'EPSG:4546'); print(json.dumps('numba' in sys.modules))"
        )
        out = subprocess.run(
            [sys.executable, "-c", code], check=True, capture_output=True, text=True, env=os.environ
        )
        assert json.loads(out.stdout) is False


class TestDatums:
    def test_cgcs2000_is_wgs84_on_purpose(self):
        lon, lat = china(100)
        for name in ("wgs84", "cgcs2000", "EPSG:4490", 4326, CRS.from_epsg(4490)):
            x, y = to_wgs84(lon, lat, name)
            assert (x == lon).all()
            assert (y == lat).all()
            assert x is not lon

    @pytest.mark.parametrize(
        ("code", "meridian", "easting"),
        [
            (4534, 75, 500_000),
            (4545, 108, 500_000),
            (4546, 111, 500_000),
            (4551, 126, 500_000),
            (4554, 135, 500_000),
            (4513, 75, 25_500_000),
            (4525, 111, 37_500_000),
            (4533, 135, 45_500_000),
            (4491, 75, 13_500_000),
            (4502, 75, 500_000),
            (4512, 135, 500_000),
        ],
    )
    def test_zones_and_false_eastings(self, code, meridian, easting):
        x, y = from_wgs84(float(meridian), 40.0, f"EPSG:{code}")
        assert x == pytest.approx(easting, abs=1e-6)
        # Length of the meridian from the equator to 40 N on the CGCS2000 ellipsoid.
        assert y == pytest.approx(4_429_529.0303, abs=1e-3)
        assert to_wgs84(easting, y, code) == pytest.approx((meridian, 40), abs=1e-10)

    def test_survey_files_are_north_east(self):
        lon, lat = np.array([111.7, 110.2]), np.array([40.8, 41.3])
        east, north = from_wgs84(lon, lat, 4525)
        first, second = from_wgs84(lon, lat, 4525, axis_order="authority")
        assert (first == north).all()
        assert (second == east).all()
        back = to_wgs84(first, second, 4525, axis_order="authority")
        np.testing.assert_allclose(back, (lon, lat), atol=1e-10)
        for name in ("wgs84", "EPSG:4490", "EPSG:4269"):
            back = to_wgs84(lat, lon, name, axis_order="authority")
            np.testing.assert_allclose(back, (lon, lat), atol=1e-9)
            back = from_wgs84(lon, lat, name, axis_order="authority")
            np.testing.assert_allclose(back, (lat, lon), atol=1e-9)

    def test_shapefile_prj_of_cgcs2000_by_esri(self):
        prj = (
            'PROJCS["CGCS2000_3_Degree_GK_CM_111E",GEOGCS["GCS_China_Geodetic_Coordinate_System_'
            '2000",DATUM["D_China_2000",SPHEROID["CGCS2000",6378137.0,298.257222101]],PRIMEM['
            '"Greenwich",0.0],UNIT["Degree",0.0174532925199433]],PROJECTION["Gauss_Kruger"],'
            'PARAMETER["False_Easting",500000.0],PARAMETER["False_Northing",0.0],PARAMETER['
            '"Central_Meridian",111.0],PARAMETER["Scale_Factor",1.0],PARAMETER['
            '"Latitude_Of_Origin",0.0],UNIT["Meter",1.0]]'
        )
        odd = prj.replace('"Central_Meridian",111.0', '"Central_Meridian",110.25')
        lon, lat = to_wgs84(*from_wgs84(111.2, 40.0, 4546), prj)
        assert (lon, lat) == pytest.approx((111.2, 40.0), abs=1e-9)
        assert from_wgs84(110.25, 40.0, odd)[0] == pytest.approx(500_000)

    def test_foreign_datums_go_by_proj(self):
        # Massachusetts State House, state plane feet; NAD83 counts as WGS 84 within 4 m in EPSG.
        x, y = from_wgs84(-71.0638, 42.3582, "EPSG:2249")
        assert 770_000 < x < 780_000
        assert 2_950_000 < y < 2_960_000
        assert to_wgs84(x, y, "EPSG:2249") == pytest.approx((-71.0638, 42.3582), abs=1e-9)

    @pytest.mark.parametrize("name", ["EPSG:4610", "EPSG:2381", "+proj=longlat +ellps=GRS80"])
    def test_no_ballpark_guess_for_a_datum_without_parameters(self, name):
        with pytest.raises(BadInput, match="no transformation of known accuracy"):
            to_wgs84(111.0, 40.0, name)


class TestNames:
    @pytest.mark.parametrize(
        ("given", "name"),
        [
            ("WGS 84", "wgs84"),
            ("wgs-84", "wgs84"),
            ("epsg:4326", "wgs84"),
            ("CGCS_2000", "cgcs2000"),
            (4490, "cgcs2000"),
            ("GCJ-02", "gcj02"),
            ("BD09ll", "bd09"),
            ("epsg: 4546", None),
            ("4546", "EPSG:4546"),
            (CRS.from_epsg(4546), "EPSG:4546"),
            (CRS.from_epsg(4979), "wgs84"),
            ("EPSG:9518", "wgs84"),
            ("urn:ogc:def:crs:EPSG::4546", "EPSG:4546"),
        ],
    )
    def test_known(self, given, name):
        if name is None:
            with pytest.raises(BadInput):
                parse_crs(given)
            return
        crs = parse_crs(given)
        assert str(crs) == name
        assert parse_crs(crs) is crs

    @pytest.mark.parametrize(
        ("given", "text"),
        [
            ("gjc02", "Did you mean gcj02"),
            ("wsg84", "Did you mean wgs84"),
            ("cgcs200", "Did you mean cgcs2000"),
            ("", "Known: wgs84, cgcs2000, gcj02, bd09, EPSG:n"),
            ("EPSG:999999", "PROJ does not know"),
            ("PROJCS[nonsense", "PROJ does not know"),
            ("EPSG:5773", "no position in two coordinates"),
            ("EPSG:4479", "no position in two coordinates"),
            ("bd09mc", "bd09ll"),
        ],
    )
    def test_unknown(self, given, text):
        with pytest.raises(BadInput, match=text):
            parse_crs(given)


class TestArrays:
    @pytest.mark.parametrize("name", ["wgs84", "gcj02", "bd09", "EPSG:4269", "EPSG:4548"])
    def test_no_position_in_gives_nan_in_both(self, name):
        lon = [math.nan, 111.0, math.inf, 111.0, 200.0, 111.0]
        lat = [40.0, math.nan, 40.0, -math.inf, 40.0, 91.0]
        out = np.array(from_wgs84(lon, lat, name))
        assert np.isnan(out).all()
        if not name.startswith("EPSG"):
            far = np.array(to_wgs84(np.array(lon) * 2, np.array(lat) * 2, name))
            assert np.isnan(far).all()
        assert np.isnan(np.array(to_wgs84([math.nan, math.inf], [1.0, 1.0], name))).all()

    @pytest.mark.parametrize("name", ["wgs84", "gcj02", "EPSG:4546"])
    def test_shapes(self, name):
        grid = from_wgs84(np.array([[110.0], [111.0]]), np.array([40.0, 41.0, 42.0]), name)
        assert grid[0].shape == grid[1].shape == (2, 3)
        assert from_wgs84([], [], name)[0].shape == (0,)
        alone = from_wgs84(110, 40, name)
        assert isinstance(alone[0], np.float64)
        assert alone[0] == grid[0][0, 0]
        strided = np.array([[110.0, 40.0], [111.0, 41.0]])
        assert from_wgs84(strided[:, 0], strided[:, 1], name)[0][1] == grid[0][1, 1]

    def test_what_is_no_numbers_is_refused(self):
        for lon, lat in (([1, 2, 3], [1, 2]), (["east"], [1]), ([None, object()], [1, 2])):
            with pytest.raises(BadInput, match="arrays of numbers"):
                to_wgs84(lon, lat, "wgs84")
        with pytest.raises(BadInput, match="axis_order"):
            to_wgs84(1, 1, "wgs84", axis_order="yx")
        with pytest.raises(BadInput, match="no axis order"):
            to_wgs84(1, 1, "bd09", axis_order="authority")

    def test_check_lonlat_names_each_kind(self):
        lon = [111.0, 40.8, math.nan, math.inf, 0.0, 44.0, 200.0, 500_000.0, -180.0]
        lat = [40.8, 111.0, 1.0, 1.0, 0.0, 87.0, 10.0, 4_500_000.0, 90.0]
        kinds = [LonLatKind(k).name for k in check_lonlat(lon, lat)]
        assert " ".join(kinds) == (
            "OK SWAPPED NAN INFINITE NULL_ISLAND OK OUT_OF_RANGE OUT_OF_RANGE OK"
        )
        # Urumqi with axes exchanged is a place in the Arctic: only the expected area tells.
        assert check_lonlat(43.8, 87.6, expected=(80, 40, 95, 50)) == LonLatKind.SWAPPED
        assert check_lonlat(87.6, 43.8, expected=(80, 40, 95, 50)) == LonLatKind.OK
        assert set(LONLAT_PROBLEMS) == set(LonLatKind) - {LonLatKind.OK}


class TestGeometry:
    def test_neighbours_stay_neighbours_bit_by_bit(self):
        # Two counties sharing a 50 km edge that each walks the other way.
        west = shapely.Polygon([(111, 40), (111.513, 40.07), (111.507, 40.61), (111, 40.5)])
        east = shapely.Polygon([(111.507, 40.61), (111.513, 40.07), (112, 40), (112, 40.5)])
        for name in SHIFTED:
            for convert in (from_wgs84_geometry, to_wgs84_geometry):
                pair = convert([west, east], name)
                assert shapely.coverage_is_valid(pair)
                assert shapely.intersection(*pair).length > 0.5
                assert len(shapely.get_coordinates(pair[0])) > 100

    def test_every_kind_keeps_its_kind_and_its_vertices(self):
        texts = [
            "POINT (111 40)",
            "POINT Z (111 40 1200)",
            "MULTIPOINT ((111 40), (112 41))",
            "LINESTRING (111 40, 112 41)",
            "LINESTRING Z (111 40 5, 112 41 7)",
            "LINEARRING (111 40, 112 41, 112 40, 111 40)",
            "MULTILINESTRING ((111 40, 112 41), (113 40, 113 42))",
            "POLYGON ((11 40, 12 40, 12 41, 11 40), (11.5 40.1, 11.6 40.1, 11.6 40.2, 11.5 40.1))",
            "MULTIPOLYGON (((111 40, 112 40, 112 41, 111 40)), ((113 40, 114 40, 114 41, 113 40)))",
            "GEOMETRYCOLLECTION (POINT (111 40), LINESTRING (111 40, 112 41))",
            "POLYGON EMPTY",
            "LINESTRING EMPTY",
            "POINT EMPTY",
        ]
        shapes = np.array([*shapely.from_wkt(texts), None], dtype=object)
        for name in ("gcj02", "bd09", "EPSG:4546", "cgcs2000"):
            out = from_wgs84_geometry(shapes, name)
            assert out[-1] is None
            for old, new in zip(shapes[:-1], out[:-1], strict=True):
                assert (new.geom_type, new.has_z) == (old.geom_type, old.has_z)
                assert new.is_empty == old.is_empty
                vertices = {tuple(v) for v in shapely.get_coordinates(new).tolist()}
                x, y = from_wgs84(*shapely.get_coordinates(old).T, name)
                assert vertices >= set(zip(x.tolist(), y.tolist(), strict=True))
            assert shapely.get_coordinates(out[4], include_z=True)[[0, -1], 2].tolist() == [5, 7]
            back = to_wgs84_geometry(out, name, max_segment_m=None)
            near = shapely.hausdorff_distance(back[:10], shapes[:10])
            assert near.max() < 1e-9

    def test_long_edges_follow_the_bend(self):
        line = shapely.LineString([(111.0, 40.0), (111.117, 40.0)])  # 10 km
        fine = from_wgs84(np.linspace(111.0, 111.117, 5_001), np.full(5_001, 40.0), "gcj02")
        true = shapely.points(*fine)
        bend = {
            step: shapely.distance(from_wgs84_geometry(line, "gcj02", max_segment_m=step), true)
            for step in (None, 1_000.0)
        }
        assert bend[None].max() * M_PER_DEGREE > 1.0
        assert bend[1_000.0].max() * M_PER_DEGREE < 0.06
        assert from_wgs84_geometry(line, "gcj02", max_segment_m=None).length > 0

    def test_one_geometry_and_none(self):
        point = from_wgs84_geometry(shapely.Point(116.377817, 39.911954), "gcj02")
        assert (point.x, point.y) == pytest.approx(GCJ_VECTORS[2][2:], abs=1e-13)
        assert to_wgs84_geometry(None, "gcj02") is None
        assert len(to_wgs84_geometry([], "gcj02")) == 0

    def test_every_lost_geometry_is_named(self):
        shapes = [
            shapely.Point(111, 40),
            shapely.box(500_000, 4_500_000, 501_000, 4_501_000),
            shapely.LineString([(111, 40), (500, 40)]),
        ]
        for name in ("gcj02", "wgs84"):
            with pytest.raises(BadInput, match="no position in") as caught:
                to_wgs84_geometry(shapes, name)
            assert [p.row for p in caught.value.problems] == [2, 3]
        with pytest.raises(BadInput, match="max_segment_m"):
            to_wgs84_geometry(shapes, "gcj02", max_segment_m=0)


@pytest.mark.parametrize(
    "text",
    [
        "+proj=longlat +nadgrids=/etc/passwd +no_defs", "+init=/etc/passwd:1",
        'PROJCS["x",GEOGCS["y"]]', '{"type":"GeographicCRS"}', "EPSG:4326+5773/../x",
        "1" * 6000, "EPSG:" + "1" * 5000, "", "\n", "wgs84\x00",
    ],
)  # fmt: skip
def test_what_a_stranger_sends_is_a_name_or_nothing(text: str) -> None:
    with pytest.raises(BadInput):
        parse_name(text)


@pytest.mark.parametrize("text", ["wgs84", "EPSG:4490", "gcj-02", "4547", " BD09 "])
def test_names_are_names(text: str) -> None:
    assert parse_name(text) == parse_crs(text)


@pytest.mark.parametrize(
    "text", ['{"type":"x","a":' + "[" * 5000, "PROJCS[" * 3000, "EPSG:" + "9" * 5000]
)
def test_definition_that_would_wear_out_its_parser(text: str) -> None:
    with pytest.raises(BadInput):
        parse_crs(text)
