"""A made town of 48 grids with incidents, some grids of which must be hidden and some unknown."""

from __future__ import annotations

from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

import numpy as np
import shapely

from maps.gridmaps.gridmap import About, Found, GridMap, Grids, build, hidden_of

SHANGHAI = ZoneInfo("Asia/Shanghai")
COLUMNS, ROWS = 8, 6
KINDS = ("neighbour", "loan", "land")
WEST, SOUTH, STEP = 116.02, 43.92, 0.006


def some_grids() -> Grids:
    """Six communities of eight grids, in two townships; two grids' households are not known."""
    number = np.arange(COLUMNS * ROWS)
    row, column = np.divmod(number, COLUMNS)
    units = [f"1525011{r // 3:02}{r:03}" for r in row]
    households = np.random.default_rng(5).integers(180, 420, number.size).astype(float)
    households[[10, 29]] = np.nan
    x, y = WEST + column * STEP, SOUTH + row * STEP * 0.75
    return Grids(
        codes=[f"{unit}{c + 1:03}" for unit, c in zip(units, column, strict=True)],
        names=[f"第{n + 1}网格" for n in number],
        units=units,
        shapes=shapely.box(x, y, x + STEP, y + STEP * 0.75),
        households=households,
    )


def some_counts() -> Found:
    """Counts by grid and category: many in the middle, few or none at the edges."""
    rng = np.random.default_rng(8)
    found = {}
    for number, code in enumerate(some_grids().codes):
        row, column = divmod(number, COLUMNS)
        usual = 22 * np.exp(-((column - 4) ** 2 + (row - 2.5) ** 2) / 5)
        for kind, share in zip(KINDS, (0.6, 0.3, 0.1), strict=True):
            found[code, kind] = int(rng.poisson(usual * share))
    grids = some_grids()
    return Found(
        by_grid=found, units=dict(zip(grids.codes, grids.units, strict=True)), outside=7,
        without_place=2,
    )  # fmt: skip


def a_gridmap(
    *,
    shared: bool = False,
    grids: Grids | None = None,
    found: Found | None = None,
    gone: frozenset[str] | None = None,
    **changes: Any,
) -> GridMap:
    counted = found or some_counts()
    about = {
        "start": datetime(2026, 3, 30, tzinfo=SHANGHAI),
        "end": datetime(2026, 6, 29, tzinfo=SHANGHAI),
        "timezone": "Asia/Shanghai",
        "place": "示范旗",
        "place_en": "Demo Banner",
        "source": "示例数据",
        "made_on": datetime(2026, 7, 2, 9, tzinfo=SHANGHAI),
    } | changes.pop("about", {})
    if shared and gone is None:
        gone = hidden_of(counted)
    return build(grids or some_grids(), counted, about=About(**about), gone=gone, **changes)
