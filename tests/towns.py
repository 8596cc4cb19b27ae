"""Towns drawn as text, so that a reader checks a test by eye.

``town`` turns a map like ::

    a a 9 . # b b
    a 5 9 . # 3 b
    = = X = = = =
    a a 7 . # 2 .

into layers. Every character is one square cell, `cell_m` metres wide; blanks between characters
are optional and ignored. North is up.

=============  ======================================================================
``0`` - ``9``  a building with that many households times `scale`, in the cell's middle
``#``          street, ``%`` arterial, ``+`` rail, ``=`` river, ``|`` wall: a line along the
               cells' middles, joined to the next cells (across and down) of the same barrier
``X``          a bridge; the river or rail of the cells beside it goes on underneath
lower case     a named point (``Town.points["a"]``); repeated, they are corners kept in order
upper case     (but ``X``) a building whose households are in `legend`, named by its letter
``.``          open ground
=============  ======================================================================

Units are one rectangle around the map, or the rectangles drawn by a second map of the same size
(`units`), in which each character names the unit of its cell, ``.`` for none.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import geopandas as gpd
import numpy as np
import shapely

BARRIERS = {"#": "street", "%": "arterial", "+": "rail", "=": "river", "|": "wall"}

METRES = 32650
"""Metre CRS the maps are drawn in: UTM 50N."""


@dataclass(frozen=True)
class Town:
    """Layers of a drawn town, all in WGS 84 unless asked otherwise.

    Attributes
    ----------
    area
        ``code`` and polygon of each unit.
    buildings
        ``id`` (``B<row>-<column>`` or its letter), ``households``, point (or square footprint).
    barriers
        ``kind`` and line, or point for bridges.
    points
        Named points by letter, in reading order.
    """

    area: gpd.GeoDataFrame
    buildings: gpd.GeoDataFrame
    barriers: gpd.GeoDataFrame
    points: Mapping[str, list[shapely.Point]]


def _rows(text: str) -> list[str]:
    rows = ["".join(line.split()) for line in text.strip().splitlines()]
    width = max(map(len, rows))
    return [row.ljust(width, ".") for row in rows]


def town(
    text: str,
    *,
    cell_m: float = 100.0,
    scale: int = 10,
    units: str | None = None,
    legend: Mapping[str, int] | None = None,
    footprint_m: float | None = None,
    origin: tuple[float, float] = (116.40, 40.90),
    crs: int = 4326,
    code: str = "150121001001",
) -> Town:
    """Layers of a town drawn as text; see the module for the letters.

    Parameters
    ----------
    text, units
        The map, and the map of its units (each letter's cells are one unit, coded by the letter).
    cell_m, scale, legend
        Metres per character, households per digit, households of upper-case buildings.
    footprint_m
        Side of square footprints; points when None.
    origin
        Longitude and latitude of the map's south-west corner.
    crs
        EPSG code the layers are handed out in.
    code
        Code of the one unit when `units` is not given.
    """
    rows = _rows(text)
    corner = gpd.GeoSeries([shapely.Point(origin)], crs=4326).to_crs(METRES).iloc[0]
    height, width = len(rows), len(rows[0])

    def middle(row: int, column: int) -> shapely.Point:
        return shapely.Point(
            corner.x + (column + 0.5) * cell_m, corner.y + (height - row - 0.5) * cell_m
        )

    def square(row: int, column: int, side: float) -> shapely.Polygon:
        x, y = middle(row, column).coords[0]
        return shapely.box(x - side / 2, y - side / 2, x + side / 2, y + side / 2)

    ids, households, places = [], [], []
    kinds, lines = [], []
    points: dict[str, list[shapely.Point]] = {}
    for row in range(height):
        for column in range(width):
            sign = rows[row][column]
            if sign.isdigit() or (sign.isupper() and sign != "X"):
                ids.append(f"B{row}-{column}" if sign.isdigit() else sign)
                households.append(int(sign) * scale if sign.isdigit() else (legend or {})[sign])
                spot = middle(row, column)
                places.append(square(row, column, footprint_m) if footprint_m else spot)
            elif sign.islower():
                points.setdefault(sign, []).append(middle(row, column))
            elif sign == "X":
                kinds.append("bridge")
                lines.append(middle(row, column))
            for mark, kind in BARRIERS.items():
                for piece in _strokes(rows, row, column, mark):
                    kinds.append(kind)
                    lines.append(shapely.LineString([middle(*place) for place in piece]))
    named = _rows(units) if units else [code_row * width for code_row in ["*"] * height]
    shapes: dict[str, list[shapely.Polygon]] = {}
    for row in range(height):
        for column in range(width):
            if named[row][column] != ".":
                shapes.setdefault(named[row][column], []).append(square(row, column, cell_m))

    def layer(columns: dict[str, list[object]], geometry: list[object]) -> gpd.GeoDataFrame:
        return gpd.GeoDataFrame(columns, geometry=geometry, crs=METRES).to_crs(crs)

    spots = {
        name: list(gpd.GeoSeries(found, crs=METRES).to_crs(crs)) for name, found in points.items()
    }
    return Town(
        area=layer(
            {"code": [code if name == "*" else name for name in shapes]},
            [shapely.union_all(parts, grid_size=0.001) for parts in shapes.values()],
        ),
        buildings=layer({"id": ids, "households": households}, places),
        barriers=layer({"kind": kinds}, lines),
        points=spots,
    )


def _strokes(rows: list[str], row: int, column: int, mark: str) -> list[list[tuple[float, float]]]:
    """Strokes of a barrier that start in a cell: to the cell east and south, and to the rim."""
    if not _carries(rows, row, column, mark):
        return []
    height, width = len(rows), len(rows[0])
    found: list[list[tuple[float, float]]] = []
    for down, across in ((0, 1), (1, 0)):
        if _carries(rows, row + down, column + across, mark):
            found.append([(row, column), (row + down, column + across)])
    # A barrier that runs to the edge of the map runs over it.
    across = _carries(rows, row, column - 1, mark) or _carries(rows, row, column + 1, mark)
    down = _carries(rows, row - 1, column, mark) or _carries(rows, row + 1, column, mark)
    if across or not down:
        found += [[(row, column), (row, -1)]] if column == 0 else []
        found += [[(row, column), (row, width)]] if column == width - 1 else []
    if down or not across:
        found += [[(row, column), (-1, column)]] if row == 0 else []
        found += [[(row, column), (height, column)]] if row == height - 1 else []
    return found


def _carries(rows: list[str], row: int, column: int, mark: str) -> bool:
    """Whether a cell shows the barrier, or a bridge with that rail or river on both sides."""
    if not (0 <= row < len(rows) and 0 <= column < len(rows[0])):
        return False
    if rows[row][column] != "X":
        return rows[row][column] == mark
    if mark not in "=+":
        return False

    def shows(r: int, c: int) -> bool:
        return 0 <= r < len(rows) and 0 <= c < len(rows[0]) and rows[r][c] in (mark, "X")

    def rim(r: int, c: int) -> bool:
        return not (0 <= r < len(rows) and 0 <= c < len(rows[0]))

    def beside(r: int, c: int) -> bool:
        return not rim(r, c) and rows[r][c] == mark

    across = (beside(row, column - 1) or beside(row, column + 1)) and all(
        shows(row, column + d) or rim(row, column + d) for d in (-1, 1)
    )
    down = (beside(row - 1, column) or beside(row + 1, column)) and all(
        shows(row + d, column) or rim(row + d, column) for d in (-1, 1)
    )
    return across or down


def random_town(
    seed: int,
    *,
    width: int = 12,
    height: int = 10,
    river: bool = True,
    crs: int = 4326,
    footprint_m: float | None = None,
    two_units: bool = True,
) -> Town:
    """A small made town with uneven buildings, streets, perhaps a river with one bridge."""
    dice = np.random.default_rng(seed)
    rows = []
    street, water = int(dice.integers(2, width - 2)), int(dice.integers(2, height - 2))
    for row in range(height):
        signs = dice.choice(list("0123456789....."), size=width)
        signs[street] = "#"
        if river and row == water:
            signs[:] = "="
            signs[int(dice.integers(width))] = "X"
        rows.append("".join(signs))
    cut = int(dice.integers(3, width - 3))
    return town(
        "\n".join(rows),
        units="\n".join(["a" * cut + "b" * (width - cut)] * height) if two_units else None,
        cell_m=float(dice.integers(20, 120)),
        scale=int(dice.integers(1, 12)),
        crs=crs,
        footprint_m=footprint_m,
    )
