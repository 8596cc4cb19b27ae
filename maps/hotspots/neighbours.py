"""Which grids are neighbours: queen contiguity as a sparse table of ones, bridges added by hand."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING, Literal

import numpy as np
import numpy.typing as npt
import shapely
from scipy import sparse

from gis.errors import Problem
from gis.wording import counted
from maps.hotspots.checks import Floats, Ints, Rows, refuse

if TYPE_CHECKING:
    from collections.abc import Sequence

    from shapely.geometry.base import BaseGeometry

ROUNDING = 1e-9
"""Part of the largest coordinate up to which a gap on the ground is a matter of rounding."""


class Neighbours:
    """Who is whose neighbour: symmetric, every weight 1, nobody its own neighbour.

    Attributes
    ----------
    starts
        Shape (n + 1,), int64: the neighbours of row ``i`` are ``rows[starts[i]:starts[i + 1]]``.
    rows
        Shape (links * 2,), int32: rows of neighbours, ascending within each grid.
    """

    def __init__(self, n: int, pairs: npt.ArrayLike = ()) -> None:
        """Make the table from pairs of rows.

        Parameters
        ----------
        n
            Number of grids, 0 or more.
        pairs
            Shape (m, 2), whole numbers from 0 to n - 1, in any order; doubled ones count once.

        Raises
        ------
        BadInput
            A pair names a row that is not there, or a grid as its own neighbour.
        """
        links = np.asarray(pairs)
        links = links.reshape(-1, 2) if links.size else np.empty((0, 2), dtype=np.int64)
        refuse(_pair_problems(links, n))
        links = links.astype(np.int64)
        both = np.concatenate([links[:, 0] * n + links[:, 1], links[:, 1] * n + links[:, 0]])
        both = _distinct(both)
        self.starts: Ints = np.searchsorted(both, np.arange(n + 1, dtype=np.int64) * n).astype(
            np.int64
        )
        self.rows: Rows = (both % max(n, 1)).astype(np.int32)

    @property
    def n(self) -> int:
        """Number of grids."""
        return len(self.starts) - 1

    @cached_property
    def degrees(self) -> Ints:
        """Number of neighbours of each grid, shape (n,)."""
        return np.diff(self.starts)

    @property
    def islands(self) -> Ints:
        """Rows of the grids that have no neighbour, ascending."""
        return np.flatnonzero(self.degrees == 0)

    @cached_property
    def matrix(self) -> sparse.csr_array:
        """The n x n table of ones with an empty diagonal."""
        ones = np.ones(self.rows.size)
        return sparse.csr_array((ones, self.rows, self.starts), shape=(self.n, self.n))

    def sums(self, values: Floats) -> Floats:
        """Sum of the neighbours' values, the grid itself left out; 0 for an island.

        `values` has the shape (n,) or (n, m); so has the answer.
        """
        summed: Floats = self.matrix @ values
        return summed

    def windows(self, values: Floats) -> Floats:
        """Sum over each grid and its neighbours: the window that the tests look through."""
        return values + self.sums(values)

    def pairs(self) -> Ints:
        """Each link once, shape (links, 2), the lower row first."""
        first = np.repeat(np.arange(self.n, dtype=np.int64), self.degrees)
        once = first < self.rows
        return np.column_stack([first[once], self.rows[once].astype(np.int64)])

    def linked(self, bridges: npt.ArrayLike) -> Neighbours:
        """The same with more links: over a bridge, through an underpass, to an island.

        Parameters
        ----------
        bridges
            Shape (m, 2), pairs of rows.
        """
        more = np.asarray(bridges)
        if not more.size:
            return self
        refuse(_pair_problems(more.reshape(-1, 2), self.n))
        return Neighbours(self.n, np.concatenate([self.pairs(), more.reshape(-1, 2)]))


def neighbours_of(
    polygons: npt.NDArray[np.object_] | Sequence[BaseGeometry],
    *,
    bridges: npt.ArrayLike = (),
    contact: Literal["vertices", "ground"] = "vertices",
) -> Neighbours:
    """Queen contiguity: grids that share an edge or a corner are neighbours.

    Parameters
    ----------
    polygons
        Polygons or multipolygons of one CRS, one per grid.
    bridges
        Shape (m, 2): pairs of rows that are neighbours besides.
    contact
        ``"vertices"`` compares vertices, to the last bit. That is exact for a tiling as wangge
        makes and publishes it, where grids share all vertices of a common border. ``"ground"``
        finds every touch and overlap also where one grid's corner lies in the middle of another's
        edge, and allows for the rounding of files: a gap of 1e-9 of the largest coordinate (1 cm
        in degrees, 5 mm in metres) is none. It takes much longer.

    Returns
    -------
    Neighbours
        Its `islands` are the grids that touch no other.

    Raises
    ------
    BadInput
        Something is no polygon, is empty, or has coordinates that are not finite; a bridge names
        a row that is not there.
    """
    shapes = np.asarray(polygons, dtype=np.object_)
    n = len(shapes)
    extra = np.asarray(bridges)
    extra = extra.reshape(-1, 2) if extra.size else np.empty((0, 2), dtype=np.int64)
    refuse([*_shape_problems(shapes), *_pair_problems(extra, n)])
    if contact == "ground":
        # Without the allowance, corners that differ in the last bit would part most neighbours.
        gap = ROUNDING * np.abs(shapely.get_coordinates(shapes)).max(initial=0.0)
        pairs = shapely.STRtree(shapes).query(shapes, predicate="dwithin", distance=gap).T
        pairs = pairs[pairs[:, 0] < pairs[:, 1]]
    else:
        pairs = _sharing_a_vertex(shapes)
    return Neighbours(n, np.concatenate([pairs, extra.astype(np.int64)]))


def _sharing_a_vertex(shapes: npt.NDArray[np.object_]) -> Ints:
    from maps.hotspots.kernels import count_meetings, list_meetings  # noqa: PLC0415

    xy, owner = shapely.get_coordinates(shapes, return_index=True)
    xy += 0.0  # -0.0 and 0.0 are one place, but not one pattern of bits
    bits = xy.view(np.uint64)
    # Vertices are brought together by a hash of their bits, which sorts faster than two columns;
    # the kernels compare the coordinates themselves.
    hashed = bits[:, 0] * np.uint64(0x9E3779B97F4A7C15)
    hashed ^= hashed >> np.uint64(29)
    hashed = (hashed + bits[:, 1]) * np.uint64(0xBF58476D1CE4E5B9)
    order = np.argsort(hashed)
    keys, xy, owner = hashed[order], xy[order], owner[order].astype(np.int64)
    found = np.empty(count_meetings(keys, xy, owner), dtype=np.int64)
    list_meetings(keys, xy, owner, len(shapes), found)
    found = _distinct(found)
    return np.column_stack(np.divmod(found, max(len(shapes), 1)))


def _distinct(keys: Ints) -> Ints:
    """The keys in order, each once. ``np.unique`` goes by a hash table, 20 times slower here."""
    keys.sort()
    new = np.ones(keys.size, dtype=np.bool_)
    new[1:] = keys[1:] != keys[:-1]
    return keys[new]


def _shape_problems(shapes: npt.NDArray[np.object_]) -> list[Problem]:
    areal = np.isin(shapely.get_type_id(shapes), (3, 6)) & ~shapely.is_empty(shapes)
    finite = np.ones(len(shapes), dtype=np.bool_)
    finite[areal] = np.isfinite(shapely.bounds(shapes[areal])).all(axis=1)
    return [
        Problem(
            counted(len(rows), f"grid {one}", f"grids {many}"),
            "Mend the layer, or leave these grids out.",
            row=int(rows[0]) + 1,
            field="polygons",
        )
        for rows, one, many in (
            (np.flatnonzero(~areal), "is no polygon, or empty", "are no polygons, or empty"),
            (
                np.flatnonzero(~finite),
                "has coordinates that are not finite",
                "have coordinates that are not finite",
            ),
        )
        if rows.size
    ]


def _pair_problems(pairs: npt.NDArray[np.generic], n: int) -> list[Problem]:
    if not pairs.size:
        return []
    if not np.issubdtype(pairs.dtype, np.integer):
        return [Problem("pairs are not whole numbers", "Give pairs of row numbers.", field="pairs")]
    rows = pairs.astype(np.int64)
    beyond = np.flatnonzero(((rows < 0) | (rows >= n)).any(axis=1))
    own = np.flatnonzero(rows[:, 0] == rows[:, 1])
    problems = []
    if beyond.size:
        problems.append(
            Problem(
                f"{counted(beyond.size, 'pair names', 'pairs name')} rows that are not there, "
                f"the first is {tuple(rows[beyond[0]].tolist())}",
                f"Rows are counted from 0 to {n - 1}.",
                row=int(beyond[0]) + 1,
                field="pairs",
            )
        )
    if own.size:
        problems.append(
            Problem(
                f"{counted(own.size, 'pair links', 'pairs link')} a grid to itself",
                "Leave them out: the tests add the grid itself where it belongs.",
                row=int(own[0]) + 1,
                field="pairs",
            )
        )
    return problems
