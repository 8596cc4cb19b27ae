"""Calls that compile the loops of densities and hot spots, before the first map is asked for."""

from __future__ import annotations

from datetime import UTC, datetime
from functools import partial
from typing import TYPE_CHECKING

import geopandas as gpd
import numpy as np
import shapely

from maps.hotspots.near_repeat import knox
from maps.hotspots.neighbours import neighbours_of
from maps.hotspots.scan import scan
from maps.network import density as network
from maps.smoothing import PointField

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from maps.smoothing import Floats, Order


def calls() -> Iterator[Callable[[], object]]:
    """A raster by each order of spline, a street of three arms; neighbours, scan, near repeats."""
    places = np.array([[40.0, 40.0], [60.0, 60.0]])
    for order in (4, 2, -1):
        yield partial(_raster, places, order)
    middle = (116.6, 44.9)
    streets = gpd.GeoSeries(
        [shapely.LineString([middle, (116.6 + x, 44.9 + y)])
         for x, y in ((0.01, 0.0), (0.0, 0.01), (-0.01, 0.0))],
        crs=4326,
    )  # fmt: skip
    yield partial(
        network.along, np.array([116.605]), np.array([44.9]), streets,
        start=datetime(2026, 1, 1, tzinfo=UTC), end=datetime(2026, 1, 31, tzinfo=UTC),
    )  # fmt: skip
    squares = shapely.box(np.arange(4), 0, np.arange(1, 5), 1)
    yield partial(neighbours_of, squares)
    middles = 100.0 * shapely.get_coordinates(shapely.centroid(squares))
    counts = np.array([9, 1, 0, 1])
    yield partial(scan, middles, counts, simulations=19)
    yield partial(scan, middles, np.repeat(counts[:, None], 2, axis=1), ending="last",
                  simulations=19)  # fmt: skip
    yield partial(knox, np.repeat(middles, 2, axis=0), np.arange(8.0), simulations=19)


def _raster(places: Floats, order: Order) -> Floats:
    field = PointField((0.0, 0.0, 100.0, 100.0), (20, 20), 10.0, order=order)
    field.add(places)
    return field.density()
