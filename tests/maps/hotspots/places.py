"""Small places to look for hot spots in: lattices of grids, and the counties of North Carolina."""

from __future__ import annotations

import csv
from pathlib import Path
from typing import Any

import numpy as np
import shapely

from maps.hotspots import Neighbours, neighbours_of

SIDE_M = 100.0


def squares(columns: int, rows: int) -> Any:
    """Square grids of 100 m, row by row from the south-west corner."""
    y, x = np.divmod(np.arange(columns * rows), columns)
    return shapely.box(x * SIDE_M, y * SIDE_M, (x + 1) * SIDE_M, (y + 1) * SIDE_M)


def lattice(columns: int, rows: int) -> Neighbours:
    return neighbours_of(squares(columns, rows))


class Counties:
    """Births and sudden infant deaths in the 100 counties, 1974-78 and 1979-84.

    Counts: Symons, Grimson and Yuan 1983, Cressie and Read 1985, Cressie 1991 pages 386-389, as in
    libpysal 4.14.1's example ``sids2``; so are the polygons that centroids and queen neighbours
    were taken from. The columns after them were computed by esda 2.9.0 (numpy 2.4.6) from
    sids_1974: ``G_Local(transform="B", star=True).Zs``, and ``Is``, ``EIc`` and ``VIc`` of
    ``Moran_Local(transformation="B")``.
    """

    def __init__(self) -> None:
        path = Path(__file__).parent / "sids.csv"
        with path.open(encoding="utf-8", newline="") as file:
            rows = list(csv.DictReader(file))
        self.names = [row["county"] for row in rows]
        for name in rows[0]:
            if name not in {"county", "neighbours"}:
                setattr(self, name, np.array([float(row[name]) for row in rows]))
        pairs = [(i, int(j)) for i, row in enumerate(rows) for j in row["neighbours"].split()]
        self.neighbours = Neighbours(len(rows), pairs)

    def __getattr__(self, name: str) -> Any:
        raise AttributeError(name)

    @property
    def xy_m(self) -> Any:
        """Centroids in metres: 35.5 N, equal distances to well under a percent in the state."""
        east = np.radians(self.lon) * 6_371_000 * np.cos(np.radians(35.5))
        return np.column_stack([east, np.radians(self.lat) * 6_371_000])
