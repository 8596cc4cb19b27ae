"""Calls that compile the planner's inner loops, before the first plan is drawn or changed."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Final

import geopandas as gpd
import numpy as np
import shapely

from grids.redistricting.planner import draw
from grids.redistricting.rules import Effort

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

EFFORT: Final = Effort(sweeps=10, rounds=3)
ACROSS: Final = 10
"""Houses along each side of the town, 60 m from one to the next."""


def calls() -> Iterator[Callable[[], object]]:
    """A small town drawn for the first time, and drawn anew with little change."""
    area = gpd.GeoDataFrame({"code": ["1"]}, geometry=[shapely.box(0, 0, 600, 600)], crs=32650)
    column, row = (each.ravel() for each in np.mgrid[0:ACROSS, 0:ACROSS])
    buildings = gpd.GeoDataFrame(
        {"id": np.arange(len(row)), "households": 1 + (3 * column + 5 * row) % 7},
        geometry=shapely.box(60 * column + 20, 60 * row + 20, 60 * column + 40, 60 * row + 40),
        crs=32650,
    )
    streets = gpd.GeoDataFrame(
        {"kind": ["street", "arterial"]},
        geometry=[
            shapely.LineString([(0, 300), (600, 300)]), shapely.LineString([(360, 0), (360, 600)])
        ],
        crs=32650,
    )  # fmt: skip
    before = area.assign(code=["1001"])
    drawn = partial(draw, area, buildings, streets, target=37, tolerance=0.01, effort=EFFORT)
    yield drawn
    # Few houses to a grid: settled.
    yield partial(drawn, target=18, tolerance=0.1)
    yield partial(drawn, before=before)
    yield partial(drawn, count=8, walk_m=400.0, compactness_floor=0.7)
    yield partial(drawn, travel_min=5.0)
