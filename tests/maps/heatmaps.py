"""A made-up place with heat maps of it, for the tests of everything that draws them."""

from __future__ import annotations

from datetime import datetime
from itertools import pairwise
from typing import Any
from zoneinfo import ZoneInfo

import geopandas as gpd
import numpy as np
import shapely

from maps.heatmap import Heatmap, build

SHANGHAI = ZoneInfo("Asia/Shanghai")
WEST, SOUTH, EAST, NORTH = 116.02, 43.92, 116.08, 43.96
AREA = shapely.box(WEST, SOUTH, EAST, NORTH)
HOT_SPOT = (116.05, 43.94)


def events(n: int = 400) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(11)
    lon = np.clip(rng.normal(HOT_SPOT[0], 0.006, n), WEST, EAST)
    lat = np.clip(rng.normal(HOT_SPOT[1], 0.004, n), SOUTH, NORTH)
    return lon, lat


def a_heatmap(n: int = 400, **changes: Any) -> Heatmap:
    lon, lat = events(n)
    given: dict[str, Any] = {
        "start": datetime(2025, 7, 1, tzinfo=SHANGHAI),
        "end": datetime(2025, 8, 1, tzinfo=SHANGHAI),
        "area": AREA,
        "title": "邻里纠纷热力图",
        "category": "邻里纠纷",
        "place": "示范旗",
        "source": "示例数据",
        "made_on": datetime(2025, 8, 2, 9, tzinfo=SHANGHAI),
        "case_team": True,
    }
    given.update(changes)
    return build(given.pop("lon", lon), given.pop("lat", lat), **given)


COUNTY = shapely.box(115.6, 43.6, 116.6, 44.4)
"""A county of 80 km that `AREA` is a small town in."""


def rates(*, case_team: bool = False, far: int = 3) -> Heatmap:
    """Return events per household: a town with many of both, and some events in a far village.

    Households live in the town, in the village and in another one without events.
    """
    lon, lat = events(200)
    village, quiet = (115.8, 44.2), (116.4, 43.75)
    return a_heatmap(
        lon=np.append(lon, [village[0]] * far),
        lat=np.append(lat, [village[1]] * far),
        area=COUNTY,
        per="households",
        cell_m=150,
        households=(
            np.append(lon, [village[0], quiet[0]]),
            np.append(lat, [village[1], quiet[1]]),
            np.full(202, 30.0),
        ),
        case_team=case_team,
    )


def some_grids() -> gpd.GeoDataFrame:
    columns = np.linspace(WEST, EAST, 5)
    boxes = [shapely.box(a, SOUTH, b, NORTH) for a, b in pairwise(columns)]
    return gpd.GeoDataFrame(
        {"code": [f"152522{i:03}" for i in range(4)], "worker": ["王其其格"] * 4},
        geometry=boxes,
        crs=4326,
    )
