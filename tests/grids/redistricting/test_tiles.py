"""Cells drawn tile by tile are those drawn at once."""

import geopandas as gpd
import numpy as np
import pytest
import shapely

from bench.planner.towns import made_town
from grids.redistricting import linework
from grids.redistricting.cells import draw_cells
from grids.redistricting.inputs import read_town
from tests.towns import METRES, random_town


def cells_of(layers, tile_lines, monkeypatch):
    monkeypatch.setattr(linework, "TILE_LINES", tile_lines)
    return draw_cells(read_town(*layers, target=300, tolerance=0.1))


def check_same(layers, tile_lines, monkeypatch):
    whole = cells_of(layers, 10**9, monkeypatch)
    tiled = cells_of(layers, tile_lines, monkeypatch)
    assert len(tiled.polygons) == len(whole.polygons)
    assert shapely.coverage_is_valid(tiled.polygons)
    assert shapely.area(tiled.polygons).sum() == pytest.approx(
        shapely.area(whole.polygons).sum(), abs=0.1
    )
    # Numbers of cells differ; what stands and lies in them does not.
    assert (tiled.households[tiled.of_building] == whole.households[whole.of_building]).all()
    far = shapely.hausdorff_distance(
        tiled.polygons[tiled.of_building], whole.polygons[whole.of_building]
    )
    # At sharp corners a centimetre across is several along.
    assert far.max() < 0.2
    assert np.allclose(tiled.metres.sum(axis=0), whole.metres.sum(axis=0), atol=0.5)


@pytest.mark.parametrize(("profile", "seed"), [("urban", 3), ("old town", 4), ("rural", 5)])
def test_tiles_make_the_same_cells_of_a_town(profile, seed, monkeypatch):
    households = {"rural": 1_500}.get(profile, 12_000)
    check_same(made_town(households, seed, profile), 150, monkeypatch)


@pytest.mark.parametrize("seed", range(4))
def test_tiles_meet_under_footprints_and_units(seed, monkeypatch):
    place = random_town(seed, width=20, height=16, river=True, two_units=True)
    squares = place.buildings.to_crs(METRES)
    squares["geometry"] = squares.buffer(22, cap_style="square").rotate(10 * seed + 5)
    layers = (place.area, gpd.GeoDataFrame(squares).to_crs(4326), place.barriers)
    check_same(layers, 60, monkeypatch)
