"""Densities as polygons: the edges of the picture, in a form that any GIS takes."""

from __future__ import annotations

from pathlib import Path

import geopandas as gpd
import numpy as np
import pytest
import shapely

from gis.errors import BadInput
from maps.contours import contours
from maps.layer_files import write_layer
from maps.palettes import hex_colour, nice_breaks, ramp
from maps.raster import sample
from tests.maps.heatmaps import AREA, a_heatmap, rates

COLUMNS = {"from", "to", "color", "unit", "bandwidth_m", "period", "note", "geometry"}


def test_polygons_are_disjoint_valid_and_hold_their_values() -> None:
    heatmap = a_heatmap()
    frame = contours(heatmap)
    breaks = nice_breaks(heatmap.maximum)
    assert frame.crs.to_epsg() == 4326
    assert set(frame.columns) == COLUMNS
    assert frame["from"].tolist() == breaks
    assert frame["to"].tolist()[:-1] == breaks[1:]
    assert np.isnan(frame["to"].iloc[-1])
    assert frame["color"].tolist() == [hex_colour(each) for each in ramp(len(breaks))]
    assert set(frame["unit"]) == {"incidents per km² per 30 days"}
    assert frame.is_valid.all()
    metric = frame.to_crs(heatmap.crs)
    assert metric.union_all().area == pytest.approx(metric.area.sum(), rel=1e-9)
    for low, high, shape in zip(metric["from"], metric["to"], metric.geometry, strict=True):
        within = shape.buffer(-10).representative_point()
        value = sample(heatmap, np.array([within.x]), np.array([within.y]))[0]
        assert low * 0.99 <= value
        assert not value > high * 1.01


def test_polygons_reach_the_edge_of_the_area_and_not_beyond() -> None:
    # A slanted edge, which cells can only follow in steps, straight through the hot spot.
    corner = shapely.Polygon([(116.02, 43.92), (116.08, 43.92), (116.02, 43.96)])
    heatmap = a_heatmap(area=corner)
    # From far below the lowest value up: the whole area, to the last square metre.
    frame = contours(heatmap, [1e-12], crs="metric")
    area = gpd.GeoSeries([corner], crs=4326).to_crs(heatmap.crs).area.iloc[0]
    assert frame.crs == heatmap.crs
    assert frame.area.sum() == pytest.approx(area, rel=1e-3)
    assert contours(heatmap).union_all().difference(corner.buffer(1e-5)).is_empty


def test_what_is_hidden_or_unknown_is_in_no_polygon() -> None:
    heatmap = rates()
    frame = contours(heatmap, [1e-12], crs="metric")
    west, south = heatmap.bbox_m[:2]
    for blank in (heatmap.hidden, heatmap.no_data):
        rows, columns = np.nonzero(blank)
        x, y = west + (columns + 0.5) * heatmap.cell_m, south + (rows + 0.5) * heatmap.cell_m
        assert len(x)
        assert not shapely.intersects_xy(frame.union_all().buffer(-1), x, y).any()


def test_contours_of_nothing_are_no_rows_with_the_same_columns() -> None:
    for heatmap in (a_heatmap(lon=[], lat=[]), a_heatmap(2, case_team=False)):
        frame = contours(heatmap)
        assert len(frame) == 0
        assert set(frame.columns) == COLUMNS
        assert frame.crs.to_epsg() == 4326


@pytest.mark.parametrize("suffix", [".gpkg", ".geojson"])
def test_files_keep_polygons_and_their_meaning(suffix: str, tmp_path: Path) -> None:
    path = tmp_path / f"contours{suffix}"
    write_layer(contours(a_heatmap()), path, layer="density")
    read = gpd.read_file(path)
    assert set(read.columns) == COLUMNS
    assert read.is_valid.all()
    assert read["from"].is_monotonic_increasing
    assert AREA.buffer(1e-6).covers(read.union_all())


@pytest.mark.parametrize("levels", [[2.0, 1.0], [0.0, 1.0], [1.0, 1.0]])
def test_levels_have_to_rise_from_above_zero(levels: list[float]) -> None:
    with pytest.raises(BadInput, match="rising"):
        contours(a_heatmap(), levels)
