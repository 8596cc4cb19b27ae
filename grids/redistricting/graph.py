"""The cell graph: which cells touch, what lies on the line between them, and who can walk across.

Two cells are neighbours when they share a line; one can walk from one to the other when at least
`DOOR_M` of that line is neither rail nor river, or a bridge crosses it. Grids are contiguous on
this walk graph, hence also on the ground.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from grids.redistricting.compiled import Flags, Floats, Ints, Labels, kernel
from grids.redistricting.rules import BARRIER_KINDS, CLOSED_KINDS, Prices

DOOR_M = 0.5
"""Shortest open line between two cells that counts as a way through, in metres."""


@dataclass(frozen=True)
class CellGraph:
    """Cells as the search sees them; a symmetric graph in compressed rows.

    Attributes
    ----------
    starts, ends
        Row starts (n + 1) and neighbours of the compressed rows.
    metres
        (edges, 1 + barrier kinds) metres of shared line without barrier and by kind.
    walk
        Whether each edge can be crossed on foot.
    same_block
        Whether each edge joins two cells of one block.
    households, area_m2, x, y, unit
        One per cell; x and y in metres.
    component
        Number of the cell's connected part of the walk graph.
    joined
        Cells of parts where nobody lives that were linked across rail or river to a neighbour.
    """

    starts: Ints
    ends: Labels
    metres: Floats
    walk: Flags
    same_block: Flags
    households: Ints
    area_m2: Floats
    x: Floats
    y: Floats
    unit: Ints
    component: Labels
    joined: Ints

    @property
    def size(self) -> int:
        """Number of cells."""
        return len(self.households)

    def border_prices(self, prices: Prices) -> Floats:
        """Price of each edge as border minus its price inside a grid, in weighted metres."""
        inside = np.array([0.0] + [prices.inside[kind] for kind in BARRIER_KINDS])
        border = np.full(len(inside), prices.border)
        border[0] += prices.block_cut
        return np.asarray(self.metres @ (border - inside))

    def step_lengths(self, prices: Prices) -> Floats:
        """Metres of each step between cells, barriers crossed counted on top."""
        crossing = np.array([0.0] + [prices.crossing_m[kind] for kind in BARRIER_KINDS])
        left = np.repeat(np.arange(self.size), np.diff(self.starts))
        straight = np.hypot(self.x[left] - self.x[self.ends], self.y[left] - self.y[self.ends])
        total = np.maximum(self.metres.sum(axis=1), 1e-9)
        return np.asarray(straight + self.metres @ crossing / total + 0.1)


def build_graph(
    pairs: Ints,
    metres: Floats,
    bridged: Flags,
    *,
    households: Ints,
    area_m2: Floats,
    x: Floats,
    y: Floats,
    unit: Ints,
    block: Ints,
) -> CellGraph:
    """Cell graph from pairs of neighbours (each once), metres of line by kind, and bridges.

    Parts of the walk graph where nobody lives (the ground between two tracks, an islet) are
    linked to one neighbour each, over the shortest line, so that no grid is drawn for nobody.
    """
    count = len(households)
    shut = metres[:, [1 + BARRIER_KINDS.index(kind) for kind in CLOSED_KINDS]].sum(axis=1)
    free = metres.sum(axis=1) - shut
    walk = (free >= DOOR_M) | bridged
    walk = _with_narrow_ways(pairs, free, walk, count)
    walk, joined = _with_links_to_empty(pairs, shut, walk, households)
    left = np.concatenate([pairs[:, 0], pairs[:, 1]])
    right = np.concatenate([pairs[:, 1], pairs[:, 0]])
    order = np.lexsort((right, left))
    twice = np.concatenate([np.arange(len(pairs))] * 2)[order]
    starts = np.zeros(count + 1, dtype=np.int64)
    np.add.at(starts, left + 1, 1)
    return CellGraph(
        starts=np.cumsum(starts),
        ends=right[order].astype(np.int32),
        metres=metres[twice],
        walk=walk[twice],
        same_block=(block[left] == block[right])[order],
        households=households,
        area_m2=area_m2,
        x=x,
        y=y,
        unit=unit,
        component=connected(pairs[walk, 0], pairs[walk, 1], count).astype(np.int32),
        joined=joined,
    )


def connected(left: Ints | Labels, right: Ints | Labels, count: int) -> Ints:
    """Part of each of `count` nodes joined by edges; parts are numbered by their lowest node.

    Parameters
    ----------
    left, right
        Ends of the edges, in any order.
    """
    return _connected(
        np.ascontiguousarray(left, dtype=np.int64),
        np.ascontiguousarray(right, dtype=np.int64),
        count,
    )


@kernel
def _connected(left: Ints, right: Ints, count: int) -> Ints:
    root = np.arange(count)
    for edge in range(len(left)):
        a, b = left[edge], right[edge]
        while root[a] != a:
            root[a] = root[root[a]]
            a = root[a]
        while root[b] != b:
            root[b] = root[root[b]]
            b = root[b]
        # The lower one stays, so that roots come before what hangs on them.
        if a < b:
            root[b] = a
        else:
            root[a] = b
    part = np.empty(count, dtype=np.int64)
    parts = 0
    for node in range(count):
        if root[node] == node:
            part[node] = parts
            parts += 1
        else:
            part[node] = part[root[node]]
    return part


def _with_narrow_ways(pairs: Ints, free: Floats, walk: Flags, count: int) -> Flags:
    """Open the widest narrow line of parts that only lack a door, so that none stands alone."""
    walk = walk.copy()
    narrow = np.flatnonzero(~walk & (free > 0))
    component = connected(pairs[walk, 0], pairs[walk, 1], count)
    for edge in narrow[np.argsort(-free[narrow], kind="stable")]:
        a, b = component[pairs[edge]]
        if a != b:
            walk[edge] = True
            component[component == b] = a
    return walk


def _with_links_to_empty(
    pairs: Ints, shut: Floats, walk: Flags, households: Ints
) -> tuple[Flags, Ints]:
    """Link each part where nobody lives to a neighbour by one edge, populated parts first."""
    walk = walk.copy()
    count = len(households)
    component = connected(pairs[walk, 0], pairs[walk, 1], count)
    people = np.bincount(component, households)
    joined: list[int] = []
    # Parts are linked in rounds: an empty part may touch only other empty ones.
    while True:
        a, b = component[pairs].T
        reach = (a != b) & ((people[a] > 0) != (people[b] > 0))
        if not reach.any():
            break
        edges = np.flatnonzero(reach)
        empty = np.where(people[a[edges]] > 0, b[edges], a[edges])
        order = np.lexsort((edges, shut[edges], empty))
        chosen = edges[order][np.unique(empty[order], return_index=True)[1]]
        walk[chosen] = True
        empty_parts = np.unique(empty)
        joined += np.flatnonzero(np.isin(component, empty_parts)).tolist()
        component = connected(pairs[walk, 0], pairs[walk, 1], count)
        people = np.bincount(component, households)
    return walk, np.array(sorted(set(joined)), dtype=np.int64)
