"""The doctor: which system is this layer in? On real boundaries, and where it must not know."""

from __future__ import annotations

import os
from pathlib import Path

import geopandas as gpd
import numpy as np
import pytest
import shapely

from gis.crs import from_wgs84, from_wgs84_geometry, to_wgs84, to_wgs84_geometry
from gis.crs_check import check
from gis.errors import BadInput

REAL = Path(
    os.environ.get("WANGGE_REAL_DATA", Path(__file__).parents[3] / "shared" / "data")
).resolve()
real = [
    pytest.mark.real,
    pytest.mark.skipif(
        not (REAL / "cn_boundaries").is_dir(),
        reason="REAL DATA MISSING: set WANGGE_REAL_DATA to test on real boundaries",
    ),
]


def winding_lines(n: int = 40, seed: int = 3) -> np.ndarray:
    """Roads near Hohhot: winding lines about a kilometre and a half apart."""
    rng = np.random.default_rng(seed)
    lines = []
    for i in range(n):
        along = np.linspace(0, 0.4, 150)
        wave = 0.004 * np.cumsum(rng.normal(0, 0.15, 150))
        across = 0.4 * i / n + wave
        xy = (along, across) if i % 2 else (across, along)
        lines.append(shapely.LineString(np.column_stack([111.4 + xy[0], 40.6 + xy[1]])))
    return np.array(lines, dtype=object)


def gps_points(lines: np.ndarray, n: int, noise_m: float = 6.0) -> np.ndarray:
    rng = np.random.default_rng(5)
    line = lines[rng.integers(0, len(lines), n)]
    at = shapely.line_interpolate_point(line, rng.uniform(0, 1, n), normalized=True)
    xy = shapely.get_coordinates(at) + rng.normal(0, noise_m / 100_000, (n, 2))
    return shapely.points(xy)


class TestMade:
    @pytest.mark.parametrize("system", ["wgs84", "gcj02", "bd09"])
    @pytest.mark.parametrize("swapped", [False, True])
    def test_gps_points_against_roads(self, system, swapped):
        roads = winding_lines()
        points = from_wgs84_geometry(gps_points(roads, 600), system)
        xy = shapely.get_coordinates(points)
        seen = check(shapely.points(xy[:, ::-1]) if swapped else points, roads)
        assert (seen.system, seen.swapped) == (system, swapped)
        assert seen.confidence >= 0.9
        name = f"{system} swapped" if swapped else system
        assert seen.residual_m[name] == min(seen.residual_m.values()) < 8
        assert ("swapped" in seen.verdict) == ("颠倒" in seen.verdict_zh) == swapped

    def test_offset_is_that_of_the_formula(self):
        roads = winding_lines()
        seen = check(from_wgs84_geometry(roads, "gcj02"), roads)
        lon, lat = shapely.get_coordinates(roads).T
        to_lon, to_lat = from_wgs84(lon, lat, "gcj02")
        north = np.mean(to_lat - lat) * 111_050
        east = np.mean((to_lon - lon) * 111_320 * np.cos(np.radians(lat)))
        assert seen.offset_east_m == pytest.approx(east, abs=3)
        assert seen.offset_north_m == pytest.approx(north, abs=3)
        assert f"{seen.offset_east_m:.0f} m east" in seen.verdict
        assert f"东 {seen.offset_east_m:.0f} 米" in seen.verdict_zh

    def test_the_layer_may_cover_more_or_less_than_the_reference(self):
        roads = winding_lines()
        away = shapely.transform(winding_lines(seed=4), lambda xy: xy + 3)
        layer = from_wgs84_geometry(roads, "gcj02")
        assert check(layer[:6], roads).system == "gcj02"
        assert check(np.concatenate([layer, away]), roads).system == "gcj02"

    def test_a_shift_of_no_known_system_is_not_given_a_name(self):
        roads = winding_lines()
        moved = shapely.transform(roads, lambda xy: np.add(xy, (-0.003, 0.002)))
        seen = check(moved, roads)
        assert seen.system is None
        assert seen.confidence == 0
        assert seen.offset_east_m == pytest.approx(
            -0.003 * 111_320 * np.cos(np.radians(40.8)), abs=8
        )
        assert seen.offset_north_m == pytest.approx(0.002 * 111_050, abs=8)
        assert "no known system explains" in seen.verdict
        assert "不能解释" in seen.verdict_zh

    def test_a_small_rest_is_reported_beside_the_system(self):
        roads = winding_lines()
        moved = shapely.transform(
            from_wgs84_geometry(roads, "gcj02"), lambda xy: np.add(xy, (0.0004, 0))
        )
        seen = check(moved, roads)
        assert seen.system == "gcj02"
        assert seen.remaining_east_m == pytest.approx(0.0004 * 84_300, abs=5)
        assert "does not explain" in seen.verdict

    def test_cannot_tell(self):
        roads = winding_lines()
        rng = np.random.default_rng(1)
        scattered = shapely.points(rng.uniform(111.4, 111.8, 500), rng.uniform(40.6, 41.0, 500))
        nowhere = shapely.transform(roads, lambda xy: np.add(xy, (-180, -60)))
        for layer, text in (
            (scattered, "clearly better"),
            (nowhere, "none of its"),
            (gps_points(roads, 8), "only 8 vertices"),
        ):
            seen = check(layer, roads)
            assert seen.system is None
            assert seen.confidence < 0.9
            assert text in seen.verdict
            assert seen.verdict_zh.startswith("无法判断")

    def test_coordinates_that_are_no_degrees(self):
        roads = winding_lines()
        metres = from_wgs84_geometry(roads, "EPSG:4546")
        assert check(metres, roads).system is None
        broken = np.array([*roads, shapely.Point(np.nan, np.inf), None], dtype=object)
        assert check(broken, roads).system == "wgs84"

    def test_nothing_at_all_is_refused(self):
        for layer, reference in (([], winding_lines(2)), (winding_lines(2), [None])):
            with pytest.raises(BadInput, match="has no geometry"):
                check(layer, reference)


@pytest.fixture(scope="module")
def counties() -> dict[str, gpd.GeoSeries]:
    out = {}
    for name, code in (
        ("amap_gcj02", "adcode"),
        ("amap_wgs84", "district_adcode"),
        ("tianditu_cgcs2000", "district_adcode"),
    ):
        path = REAL / "cn_boundaries" / f"counties_{name}.geojson.gz"
        rows = gpd.read_file(f"/vsigzip/{path}")
        out[name] = rows.set_index(rows[code].astype(str)).geometry
    return out


class TestRealCounties:
    pytestmark = real

    @pytest.mark.parametrize("reference", ["amap_wgs84", "tianditu_cgcs2000"])
    def test_the_gcj02_file_is_recognised(self, counties, reference):
        assert len(counties["amap_gcj02"]) == 116
        seen = check(counties["amap_gcj02"], counties[reference])
        assert (seen.system, seen.swapped) == ("gcj02", False)
        assert seen.confidence >= 0.99
        assert 480 < seen.offset_east_m < 540
        assert 150 < seen.offset_north_m < 190

    def test_unshifted_files_by_different_makers_are_wgs84(self, counties):
        seen = check(counties["amap_wgs84"], counties["tianditu_cgcs2000"])
        assert seen.system == "wgs84"
        assert seen.confidence >= 0.99
        assert abs(seen.offset_east_m) < 40

    def test_known_offset_of_one_county(self, counties):
        seen = check(counties["amap_gcj02"]["150121"], counties["amap_wgs84"]["150121"])
        assert seen.system == "gcj02"
        assert seen.offset_east_m == pytest.approx(562, abs=6)
        assert seen.offset_north_m == pytest.approx(147, abs=6)

    def test_county_by_county_never_wrong(self, counties):
        # All 116, measured apart: 116 recognised against amap_wgs84; against tianditu 110, and the
        # other 6 "cannot tell". Here every sixth, for time.
        layer, same, other = (counties[k] for k in counties)
        codes = layer.index[::6]
        against_same = [check(layer[c], same[c]).system for c in codes]
        against_other = [check(layer[c], other[c]).system for c in codes]
        assert against_same == ["gcj02"] * len(codes)
        assert set(against_other) <= {"gcj02", None}
        assert against_other.count("gcj02") >= 0.9 * len(codes)

    def test_conversion_lands_on_the_unshifted_file(self, counties):
        median, coarse = [], counties["amap_wgs84"]
        for code, shape in counties["amap_gcj02"].items():
            lon, lat = to_wgs84(*shapely.get_coordinates(shape).T, "gcj02")
            scale = np.cos(np.radians(lat.mean()))
            line = shapely.transform(coarse[code].boundary, lambda xy, s=scale: xy * [s, 1])
            shapely.prepare(line)
            far = shapely.distance(shapely.points(lon * scale, lat)[::20], line) * 111_320
            median.append(np.median(far))
        assert np.median(median) < 0.5
        whole = to_wgs84_geometry(counties["amap_gcj02"], "gcj02")
        assert shapely.is_valid(whole).mean() > 0.98
