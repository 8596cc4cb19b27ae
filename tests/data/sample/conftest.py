"""The demo place, built once for all tests of it."""

from __future__ import annotations

import numpy as np
import pytest
import shapely

from data.sample import DemoPlace, build
from data.sample.frame import to_local


@pytest.fixture(scope="session")
def place() -> DemoPlace:
    return build()


@pytest.fixture(scope="session")
def villages(place):
    """The lowest units: communities, villages, gachas."""
    return place.units[place.units["level"] == "village"].reset_index(drop=True)


@pytest.fixture(scope="session")
def local():
    """Geometries in metres, for distances and areas."""

    def move(geometries):
        return shapely.transform(np.asarray(geometries, dtype=object), to_local)

    return move
