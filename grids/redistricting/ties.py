"""Cells that should lie in one grid though they do not touch: homes and seasonal camps.

A tie is an edge that can never be walked and costs its price when it leads from one grid to
another. So every move of the search counts it as it counts a border.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from grids.redistricting.compiled import Flags, Floats, Ints, Labels
from grids.redistricting.graph import CellGraph


@dataclass(frozen=True)
class Ties:
    """Pairs of cells that belong together.

    Attributes
    ----------
    pairs
        (n, 2) different cells.
    households
        How many want them in one grid.
    """

    pairs: Ints
    households: Floats

    def within(self, cells: Ints, size: int) -> Ties:
        """Ties between some of `size` cells, numbered as these are listed."""
        place = np.full(size, -1, dtype=np.int64)
        place[cells] = np.arange(len(cells))
        kept = (place[self.pairs] >= 0).all(axis=1)
        return Ties(place[self.pairs[kept]], self.households[kept])


@dataclass(frozen=True)
class Wiring:
    """Neighbours and ties of each cell in compressed rows.

    Attributes
    ----------
    starts, ends, walk
        Row starts, other ends, and whether one can walk there.
    is_tie, households
        Whether each edge is a tie, and the households of ties.
    """

    starts: Ints
    ends: Labels
    walk: Flags
    is_tie: Flags
    households: Floats

    def priced(self, borders: Floats, apart: Floats | float) -> Floats:
        """A figure of each edge: of the graph's edges as given, of a tie by its households."""
        result = self.households * apart
        result[~self.is_tie] = borders
        return result


def wire(graph: CellGraph, ties: Ties | None) -> Wiring:
    """The cell graph with ties in it."""
    edges = len(graph.ends)
    if ties is None or not len(ties.pairs):
        return Wiring(
            graph.starts,
            graph.ends,
            graph.walk,
            np.zeros(edges, dtype=bool),
            np.zeros(edges),
        )
    left = np.concatenate(
        [np.repeat(np.arange(graph.size), np.diff(graph.starts)), *ties.pairs.T[[0, 1]]]
    )
    right = np.concatenate([graph.ends, *ties.pairs.T[[1, 0]]])
    is_tie = np.arange(len(left)) >= edges
    # Within a row the graph's edges come first and in their order.
    order = np.argsort(left, kind="stable")
    households = np.concatenate([np.zeros(edges), ties.households, ties.households])
    return Wiring(
        np.searchsorted(left[order], np.arange(graph.size + 1)).astype(np.int64),
        right[order].astype(np.int32),
        np.concatenate([graph.walk, np.zeros(2 * len(ties.pairs), dtype=bool)])[order],
        is_tie[order],
        households[order],
    )
