"""Calls that compile what a service asks of a locator, before the first request does."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Final

import numpy as np
import shapely

from gis.crs import to_wgs84
from gis.locator.index import Locator

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

SQUARES: Final = (shapely.box(0, 0, 1, 1), shapely.box(1, 0, 2, 1))
OVER_BOTH: Final = shapely.box(0.5, 0.25, 1.5, 0.75)


def urgent() -> Iterator[Callable[[], object]]:
    """What answers for one place: it runs in the event loop, where nothing may wait."""
    for layer in (SQUARES, (*SQUARES, OVER_BOTH)):
        locator = Locator.build(layer, range(len(layer)))
        yield partial(locator.locate_one, 0.5, 0.5)
        yield partial(locator.border_distance, 0.5, 0.5)
        yield partial(locator.border_distance_m, 0.5, 0.5, 0)
        yield partial(locator.share, 0.5, 0.5, 50.0)
    yield partial(to_wgs84, 116.6, 44.9, "gcj02")
    yield partial(to_wgs84, 116.6, 44.9, "bd09")


def calls() -> Iterator[Callable[[], object]]:
    """What answers for many places, and for those outside every grid."""
    locator = Locator.build(SQUARES, range(len(SQUARES)))
    lon, lat, accuracy_m = np.array([0.5, 1.5]), np.array([0.5, 0.5]), np.array([50.0, 50.0])
    places, seen = np.array([0, 1]), np.array([True, True])
    yield partial(locator.nearest, 2.5, 0.5)
    yield partial(locator.locate, lon, lat)
    yield partial(locator.border_distances_m, lon, lat, places)
    yield partial(locator.own_shares, lon, lat, accuracy_m, places)
    yield partial(locator.nearest_among, lon + 2, lat, seen)
    yield partial(locator.share_among, lon, lat, accuracy_m, seen)
