from __future__ import annotations

from io import BytesIO
from pathlib import Path

import numpy as np
import pytest
import rasterio
import shapely
from matplotlib.image import imread
from pyproj import Transformer

from gis.errors import BadInput
from maps.palettes import NOT_KNOWN, NOT_KNOWN_MARK, nice_breaks, ramp
from maps.raster import (
    inside_area,
    mercator_gaps,
    mercator_values,
    png_bytes,
    sample,
    tile,
    to_mercator,
    write_geotiff,
)
from tests.maps.heatmaps import AREA, HOT_SPOT, a_heatmap, rates


def test_geotiff_says_what_it_shows(tmp_path: Path) -> None:
    heatmap = a_heatmap()
    write_geotiff(heatmap, tmp_path / "density.tif")
    with rasterio.open(tmp_path / "density.tif") as file:
        band = file.read(1)
        tags = file.tags()
        assert file.crs.to_epsg() == heatmap.crs.to_epsg() == 4547 + 1
        assert tuple(file.bounds) == heatmap.bbox_m
        assert np.isnan(file.nodata)
        assert file.units == ("incidents per km² per 30 days",)
    np.testing.assert_array_equal(band[::-1], heatmap.values.astype(np.float32))
    assert tags["UNIT"] == "incidents per km² per 30 days"
    assert tags["BANDWIDTH_M"] == "300"
    assert tags["PERIOD"] == "2025-07-01 to 2025-07-31 (31 days)"
    assert tags["N"] == "400"


def test_geotiff_of_few_events_does_not_tell_how_many(tmp_path: Path) -> None:
    write_geotiff(a_heatmap(3, case_team=False), tmp_path / "few.tif")
    with rasterio.open(tmp_path / "few.tif") as file:
        assert file.tags()["N"] == "fewer than 5"
        assert np.isnan(file.read(1)).all()


def test_geotiff_says_what_is_hidden(tmp_path: Path) -> None:
    write_geotiff(rates(), tmp_path / "rates.tif")
    with rasterio.open(tmp_path / "rates.tif") as file:
        assert "fewer than 5 incidents, or none, lie under the" in file.tags()["NOTES"]


def test_every_place_of_the_area_has_a_value_or_the_reason_for_none() -> None:
    heatmap = rates()
    values, bounds = mercator_values(heatmap, 700)
    no_data, hidden = mercator_gaps(heatmap, 700)
    inside = inside_area(heatmap, values.shape, bounds)
    assert no_data.any()
    assert hidden.any()
    assert not (no_data & hidden).any()
    assert not ((no_data | hidden) & ~inside).any()
    # Up to the edge, where cells with their centre outside have no reason of their own.
    assert (np.isfinite(values) | no_data | hidden)[inside].all()
    shown = np.isfinite(values) & (no_data | hidden)
    assert not shown.any()


def test_geotiff_is_cloud_optimised_and_its_overviews_keep_the_unit(tmp_path: Path) -> None:
    heatmap = a_heatmap(cell_m=6)
    write_geotiff(heatmap, tmp_path / "density.tif")
    with rasterio.open(tmp_path / "density.tif") as file:
        assert file.tags(ns="IMAGE_STRUCTURE")["LAYOUT"] == "COG"
        assert file.block_shapes == [(512, 512)]
        assert file.overviews(1) == [2]
        assert file.tags()["TIFFTAG_SOFTWARE"].startswith("wangge ")
        assert file.tags()["SHARED"] == "no, for the case team"
        half = file.read(1, out_shape=(file.height // 2, file.width // 2))
        ny, nx = half.shape
        blocks = file.read(1)[: 2 * ny, : 2 * nx].reshape(ny, 2, nx, 2)
    # A mean of four cells, never below zero or above the highest.
    inner = np.isfinite(blocks).all(axis=(1, 3)) & np.isfinite(half)
    assert inner.sum() > 0.97 * inner.size
    off = np.abs(half - blocks.mean(axis=(1, 3)))[inner]
    assert off.max() < 0.02 * heatmap.maximum
    assert np.nanmin(half) >= 0
    assert np.nanmax(half) <= heatmap.maximum


def test_a_failed_write_leaves_the_old_file(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="does not exist"):
        write_geotiff(a_heatmap(), tmp_path / "no" / "density.tif")
    with pytest.raises(BadInput, match="is a folder"):
        write_geotiff(a_heatmap(), tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_sampling_at_cell_centres_gives_the_cells() -> None:
    heatmap = a_heatmap()
    ny, nx = heatmap.values.shape
    x = heatmap.bbox_m[0] + (np.arange(nx) + 0.5) * heatmap.cell_m
    y = heatmap.bbox_m[1] + (np.arange(ny) + 0.5) * heatmap.cell_m
    np.testing.assert_allclose(sample(heatmap, *np.meshgrid(x, y)), heatmap.values)


def test_nothing_is_sampled_beyond_the_raster() -> None:
    heatmap = a_heatmap()
    west, south, east, north = heatmap.bbox_m
    outside = sample(heatmap, np.array([west - 1, east + 1]), np.array([south, north]))
    assert np.isnan(outside).all()


def test_every_mercator_pixel_shows_its_own_place() -> None:
    heatmap = a_heatmap()
    values, (west, south, east, north) = mercator_values(heatmap, 700)
    height, width = values.shape
    mercator = Transformer.from_crs("EPSG:4326", "EPSG:3857", always_xy=True)
    (x0, x1), (y0, y1) = mercator.transform([west, east], [south, north])
    rng = np.random.default_rng(1)
    rows, columns = rng.integers(0, height, 300), rng.integers(0, width, 300)
    lon, lat = mercator.transform(
        x0 + (columns + 0.5) * (x1 - x0) / width,
        y1 - (rows + 0.5) * (y1 - y0) / height,
        direction="INVERSE",
    )
    to_metres = Transformer.from_crs("EPSG:4326", heatmap.crs, always_xy=True)
    truth = sample(heatmap, *(np.asarray(c) for c in to_metres.transform(lon, lat)))
    both = np.isfinite(truth) & np.isfinite(values[rows, columns])
    # Only pixels on the very edge may differ in being there at all.
    assert both.sum() >= np.isfinite(truth).sum() - 3
    np.testing.assert_allclose(
        values[rows, columns][both], truth[both], atol=1e-3 * heatmap.maximum
    )


def test_the_mercator_picture_has_the_colours_of_the_classes() -> None:
    heatmap = a_heatmap()
    picture, bounds = to_mercator(heatmap, 300)
    shown = {tuple(colour) for colour in picture[picture[..., 3] > 0][:, :3].tolist()}
    assert shown == set(ramp(len(nice_breaks(heatmap.maximum))))
    assert shapely.box(*bounds).buffer(1e-6).covers(AREA)


@pytest.mark.parametrize("width", [0, 8193])
def test_pictures_have_a_largest_size(width: int) -> None:
    with pytest.raises(BadInput, match=r"8,192"):
        to_mercator(a_heatmap(), width)


def test_png_holds_the_picture() -> None:
    picture = np.random.default_rng(2).integers(0, 256, (13, 7, 4), dtype=np.uint8)
    read = imread(BytesIO(png_bytes(picture)))
    np.testing.assert_array_equal(np.round(read * 255), picture)


def _tile_of(lon: float, lat: float, z: int) -> tuple[int, int, int, int]:
    """Column and row of the tile with a place, and of its pixel in it."""
    x = (lon + 180) / 360 * 2**z * 256
    y = (1 - np.arcsinh(np.tan(np.radians(lat))) / np.pi) / 2 * 2**z * 256
    return int(x) // 256, int(y) // 256, int(x) % 256, int(y) % 256


def test_a_place_has_one_colour_at_every_zoom() -> None:
    heatmap = a_heatmap()
    breaks = nice_breaks(heatmap.maximum)
    to_metres = Transformer.from_crs("EPSG:4326", heatmap.crs, always_xy=True)
    rng = np.random.default_rng(8)
    lons, lats = rng.uniform(116.025, 116.075, 60), rng.uniform(43.925, 43.955, 60)
    x, y = (np.asarray(c) for c in to_metres.transform(lons, lats))
    value = sample(heatmap, x, y)
    # Places whose class a pixel's shift cannot change.
    clear = [i for i in range(60) if min(abs(value[i] / b - 1) for b in breaks) > 0.15]
    assert len(clear) > 25
    shown: list[list[tuple[int, ...]]] = []
    for z in (13, 15, 18):
        colours = []
        for i in clear:
            column, row, px, py = _tile_of(lons[i], lats[i], z)
            colours.append(tuple(tile(heatmap, z, column, row)[py, px].tolist()))
        shown.append(colours)
    assert shown[0] == shown[1] == shown[2]
    assert len(set(shown[0])) >= 4
    lookup = to_mercator(heatmap, 900)[0]
    assert {c for c in shown[0] if c[3]} <= {tuple(c) for c in lookup.reshape(-1, 4).tolist()}


def test_tiles_meet_without_a_seam_and_are_empty_elsewhere() -> None:
    heatmap = a_heatmap()
    column, row, _, _ = _tile_of(*HOT_SPOT, 14)
    big = tile(heatmap, 14, column, row)
    parts = [[tile(heatmap, 15, 2 * column + i, 2 * row + j) for i in (0, 1)] for j in (0, 1)]
    fine = np.vstack([np.hstack(line) for line in parts])
    # Each pixel of the coarse tile lies between four of the fine ones: of their classes.
    alike = [(fine[dy::2, dx::2] == big).all(axis=2) for dy in (0, 1) for dx in (0, 1)]
    assert np.logical_or.reduce(alike).mean() > 0.999
    assert not tile(heatmap, 14, column + 40, row)[..., 3].any()
    assert not tile(heatmap, 14, column, row + 4000)[..., 3].any()


def test_tiles_end_at_the_outline_and_mark_what_is_hidden() -> None:
    heatmap = rates()
    column, row, px, py = _tile_of(115.8, 44.2, 12)
    hidden = tile(heatmap, 12, column, row)
    marked = {tuple(c) for c in hidden[..., :3].reshape(-1, 3).tolist()}
    assert NOT_KNOWN in marked
    assert NOT_KNOWN_MARK in marked
    assert tuple(hidden[py, px, :3].tolist()) in {NOT_KNOWN, NOT_KNOWN_MARK}
    column, row, px, _ = _tile_of(115.6, 44.0, 12)
    edge = tile(heatmap, 12, column, row)[..., 3] > 0
    assert not edge[:, : px - 1].any()
    assert edge[:, px + 1 :].all()


@pytest.mark.parametrize("z", [0, 3, 22])
def test_tiles_of_the_whole_world_and_of_one_roof(z: int) -> None:
    heatmap = a_heatmap()
    column, row, px, py = _tile_of(*HOT_SPOT, z)
    picture = tile(heatmap, z, column, row)
    assert picture.shape == (256, 256, 4)
    if z == 22:
        assert tuple(picture[py, px, :3].tolist()) in ramp(len(nice_breaks(heatmap.maximum)))[-2:]
    else:
        assert (picture[..., 3] > 0).sum() <= 4
