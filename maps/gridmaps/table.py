"""A grid map as rows with polygons, for GeoPackage, GeoJSON, GeoParquet and CSV."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from maps.gridmaps import words

if TYPE_CHECKING:
    import geopandas as gpd

    from maps.gridmaps.gridmap import GridMap


def table(made: GridMap) -> gpd.GeoDataFrame:
    """Return one row for each grid, in WGS 84.

    Columns ``code, name, unit_code, households, incidents, value, low, high, class, state``;
    `state` is ``shown``, ``hidden`` or ``unknown`` (no households are known), and what is not shown
    is empty, never zero. ``measure``, ``unit``, ``start`` and ``end`` are the same in each row, so
    that a copy of the file still says what it holds.
    """
    import geopandas as gpd  # noqa: PLC0415  (slow to load)
    import pandas as pd  # noqa: PLC0415

    grids, about = made.grids, made.about
    state = np.select([made.hidden, made.unknown], ["hidden", "unknown"], "shown")

    def whole(values: np.ndarray) -> pd.Series:
        return pd.Series(values).round().astype("Int64")

    return gpd.GeoDataFrame(
        {
            "code": list(grids.codes),
            "name": list(grids.names),
            "unit_code": list(grids.units),
            "households": whole(grids.households),
            "incidents": whole(made.counts),
            "value": made.values,
            "low": made.low,
            "high": made.high,
            "class": pd.Series(made.classes.astype(int)).where(made.classes >= 0).astype("Int64"),
            "state": state,
            "measure": made.measure,
            "unit": words.unit(made, "en"),
            "start": about.start.isoformat(),
            "end": about.end.isoformat(),
        },
        geometry=list(grids.shapes),
        crs=4326,
    )
