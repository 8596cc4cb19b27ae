"""First labels that are not laid out anew: an older plan's, or a number of grids to meet."""

from __future__ import annotations

import heapq

import numpy as np

from grids.redistricting.compiled import Ints, Labels
from grids.redistricting.graph import CellGraph, connected


def continued(graph: CellGraph, before: Ints) -> Labels:
    """Labels of an older plan made whole: every cell in a grid, every grid in one piece.

    Of a grid in pieces the one with most households keeps its name. The other pieces and the
    cells without a grid go to the neighbour with fewest households, or are grids of their own
    where they have none.
    """
    left = np.repeat(np.arange(graph.size), np.diff(graph.starts))
    same = graph.walk & (before[left] == before[graph.ends])
    piece = connected(left[same], graph.ends[same], graph.size)
    count = int(piece.max()) + 1
    people = np.bincount(piece, graph.households + 1e-6, count)
    name = np.full(count, -1, dtype=np.int64)
    name[piece] = before
    order = np.lexsort((np.arange(count), -people, name))
    kept = order[np.unique(name[order], return_index=True)[1]]
    kept = kept[name[kept] >= 0]
    grid_of_piece = np.full(count, -1, dtype=np.int64)
    grid_of_piece[kept] = np.arange(len(kept))
    label = grid_of_piece[piece]
    return _filled(graph, label, len(kept))


def _filled(graph: CellGraph, label: Ints, grids: int) -> Labels:
    """Labels grown into the cells that have none, the lightest grid first."""
    label = label.copy()
    load = np.bincount(label[label >= 0], graph.households[label >= 0], grids).tolist()
    waiting = [
        (load[label[cell]], int(label[cell]), cell) for cell in np.flatnonzero(label >= 0).tolist()
    ]
    heapq.heapify(waiting)
    empty = np.flatnonzero(label < 0).tolist()
    while True:
        while waiting:
            was, grid, cell = heapq.heappop(waiting)
            if was < load[grid]:
                heapq.heappush(waiting, (load[grid], grid, cell))
                continue
            for edge in range(graph.starts[cell], graph.starts[cell + 1]):
                other = int(graph.ends[edge])
                if graph.walk[edge] and label[other] < 0:
                    label[other] = grid
                    load[grid] += int(graph.households[other])
                    heapq.heappush(waiting, (load[grid], grid, other))
        empty = [cell for cell in empty if label[cell] < 0]
        if not empty:
            return label.astype(np.int32)
        # A part no grid of the older plan reaches: a grid of its own, mended by the search.
        label[empty[0]] = len(load)
        load.append(int(graph.households[empty[0]]))
        waiting = [(load[-1], len(load) - 1, empty[0])]


def with_counts(graph: CellGraph, label: Labels, counts: Ints) -> Labels:
    """Labels with exactly so many grids in each component of the walk graph.

    What is too many is joined to its lightest neighbour, the lightest grid first; what is too few
    is made of single cells split off from the heaviest grids. Loads are left to the search.
    """
    given: Ints = label.astype(np.int64)
    for part, wanted in enumerate(counts.tolist()):
        cells = np.flatnonzero(graph.component == part)
        while len(np.unique(given[cells])) > wanted:
            _join_lightest(graph, given, cells)
        while len(np.unique(given[cells])) < wanted:
            _split_heaviest(graph, given, cells)
    return np.unique(given, return_inverse=True)[1].astype(np.int32)


def _join_lightest(graph: CellGraph, label: Ints, cells: Ints) -> None:
    grids, at = np.unique(label[cells], return_inverse=True)
    load = np.bincount(at, graph.households[cells])
    grid = grids[np.argmin(load)]
    near = {
        int(label[graph.ends[edge]])
        for cell in cells[label[cells] == grid].tolist()
        for edge in range(graph.starts[cell], graph.starts[cell + 1])
        if graph.walk[edge]
    } - {int(grid)}
    to = min(near, key=lambda other: (load[np.searchsorted(grids, other)], other))
    label[cells[label[cells] == grid]] = to


def _split_heaviest(graph: CellGraph, label: Ints, cells: Ints) -> None:
    at = np.unique(label[cells], return_inverse=True)[1]
    size = np.bincount(at)
    load = np.where(size > 1, np.bincount(at, graph.households[cells]), -1.0)
    mine = cells[at == int(np.argmax(load))]
    local = np.full(graph.size, -1, dtype=np.int64)
    local[mine] = np.arange(len(mine))
    # The last cell that a walk through the grid comes to: without it the rest holds together.
    seen, queue = {int(mine[0])}, [int(mine[0])]
    for cell in queue:
        for edge in range(graph.starts[cell], graph.starts[cell + 1]):
            other = int(graph.ends[edge])
            if graph.walk[edge] and local[other] >= 0 and other not in seen:
                seen.add(other)
                queue.append(other)
    label[queue[-1]] = int(label.max()) + 1
