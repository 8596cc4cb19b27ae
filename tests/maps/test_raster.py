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
from maps.palettes import nice_breaks, ramp
from maps.raster import (
    contours,
    inside_area,
    mercator_gaps,
    mercator_values,
    png_bytes,
    sample,
    to_mercator,
    write_geotiff,
)
from tests.maps.heatmaps import AREA, a_heatmap, rates


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


def test_contours_are_disjoint_valid_and_hold_their_values() -> None:
    heatmap = a_heatmap()
    frame = contours(heatmap)
    breaks = nice_breaks(heatmap.maximum)
    assert frame.crs.to_epsg() == 4326
    assert frame["low"].tolist() == breaks
    assert frame["high"].tolist()[:-1] == breaks[1:]
    assert np.isnan(frame["high"].iloc[-1])
    assert set(frame["unit"]) == {"incidents per km² per 30 days"}
    assert frame.is_valid.all()
    metric = frame.to_crs(heatmap.crs)
    assert metric.union_all().area == pytest.approx(metric.area.sum(), rel=1e-9)
    for low, high, shape in zip(metric["low"], metric["high"], metric.geometry, strict=True):
        within = shape.buffer(-10).representative_point()
        value = sample(heatmap, np.array([within.x]), np.array([within.y]))[0]
        assert low * 0.99 <= value
        assert not value > high * 1.01


def test_contours_of_nothing_are_no_rows_with_the_same_columns() -> None:
    for heatmap in (a_heatmap(lon=[], lat=[]), a_heatmap(2, case_team=False)):
        frame = contours(heatmap)
        assert len(frame) == 0
        assert set(frame.columns) == {"low", "high", "unit", "geometry"}


@pytest.mark.parametrize("levels", [[2.0, 1.0], [0.0, 1.0], [1.0, 1.0]])
def test_levels_have_to_rise_from_above_zero(levels: list[float]) -> None:
    with pytest.raises(BadInput, match="rising"):
        contours(a_heatmap(), levels)
