"""Eight months of a city's police incidents: what must hold on real counts."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
import pytest
import shapely
from pyproj import Transformer

from maps.hotspots import Method, Verdict, backtest, hot_grids, knox, neighbours_of, texts
from maps.hotspots.backtest import METHODS

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.real

SIDE_M = 1_000.0


def test_the_list_is_level_with_the_naive_count_and_says_so(real_data: Path) -> None:
    rows = pd.read_parquet(real_data / "incidents_houston" / "crime_2010.parquet")
    rows = rows[rows.lon.between(-95.80, -95.00) & rows.lat.between(29.50, 30.15)]
    rows = rows[rows.offense == "robbery"]
    to_metres = Transformer.from_crs("EPSG:4326", "EPSG:32615", always_xy=True)
    xy = np.column_stack(to_metres.transform(rows.lon, rows.lat))
    day = ((rows.time - pd.Timestamp("2010-01-01T06:00")).dt.total_seconds() / 86_400).to_numpy()
    week = np.floor(day / 7).astype(int)
    whole = (week >= 0) & (week < 34)
    cells, at = np.unique(np.floor(xy[whole] / SIDE_M), axis=0, return_inverse=True)
    counts = np.zeros((len(cells), 34), dtype=np.int64)
    np.add.at(counts, (at.ravel(), week[whole]), 1)
    west, south = cells.T * SIDE_M
    neighbours = neighbours_of(shapely.box(west, south, west + SIDE_M, south + SIDE_M))
    made = backtest(counts, neighbours, weeks=9)
    naive = METHODS.index(Method.NAIVE)
    assert made.pai[0, 1] > 3
    assert np.abs(made.pai[0] / made.pai[naive] - 1).max() < 0.1
    assert made.verdict(Method.NAIVE, 1) is Verdict.LEVEL
    assert "do not tell the two apart" in texts.verdict(made, "en")[2]
    assert made.expected.sum() == pytest.approx(made.events.sum(), rel=0.15)
    found = hot_grids(counts.sum(axis=1), neighbours)
    assert 0.05 < found.hot.mean() < 0.6
    table = knox(xy, np.floor(day), simulations=99)
    assert table.p[0, 0] == 0.01  # robberies at the same place within a week
    assert table.ratio[0, 0] > 1
