"""From rings to arcs: every shared edge once, with the polygons on either side of it.

An arc is a run of edges between two nodes. A node is a vertex where other than two edges meet, or
where a ring begins; between nodes the polygons beside the edges do not change. Edges are shared
where both ends are, to the last bit; where polygons touch or overlap otherwise each keeps its own.
"""

# Compiled functions take positional arguments only.
# ruff: noqa: PLR0917

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from gis.locator.compiled import Flags, Floats, Ints, Ranks, kernel
from gis.locator.predicates import side


class Arcs(NamedTuple):
    """All edges of a layer.

    Attributes
    ----------
    xy
        Vertices of the arcs one after another, shape (n, 2). Edge ``j`` goes from vertex ``j`` to
        ``j + 1``; none begins at the last vertex of an arc.
    starts
        First vertex of each arc, and the end.
    owner_starts, owners
        Polygons beside each arc: twice the rank, plus 1 where the polygon lies right of the arc.
    ring_starts, ring_arcs
        Arcs of each ring in the order of the ring: twice the arc, plus 1 where it goes backwards.
    """

    xy: Floats
    starts: Ints
    owner_starts: Ints
    owners: Ranks
    ring_starts: Ints
    ring_arcs: Ranks


@kernel
def _mixed(value: np.uint64) -> np.uint64:
    """A 64-bit hash (the finaliser of MurmurHash3)."""
    value ^= value >> np.uint64(33)
    value *= np.uint64(0xFF51AFD7ED558CCD)
    value ^= value >> np.uint64(33)
    value *= np.uint64(0xC4CEB9FE1A85EC53)
    return value ^ (value >> np.uint64(33))


@kernel
def _same_vertices(xy: Floats, keys: np.ndarray) -> Ints:
    """For each coordinate pair the number of the first one equal to it."""
    bits = 4
    while (1 << bits) < 2 * len(xy):
        bits += 1
    mask = np.uint64((1 << bits) - 1)
    table = np.full(1 << bits, -1, dtype=np.int32)
    first = np.empty(len(xy), dtype=np.int64)
    for k in range(len(xy)):
        slot = _mixed(_mixed(keys[k, 0]) ^ keys[k, 1]) & mask
        while True:
            other = table[slot]
            if other < 0:
                table[slot] = k
                first[k] = k
                break
            if keys[other, 0] == keys[k, 0] and keys[other, 1] == keys[k, 1]:
                first[k] = other
                break
            slot = (slot + np.uint64(1)) & mask
    return first


@kernel
def _same_edges(first: Ints, ring_starts: Ints) -> Ints:
    """For each place of a ring the number of the first edge with the same ends, -1 at its end."""
    bits = 4
    while (1 << bits) < 2 * len(first):
        bits += 1
    mask = np.uint64((1 << bits) - 1)
    table = np.full(1 << bits, -1, dtype=np.int32)
    edge = np.full(len(first), -1, dtype=np.int64)
    for ring in range(len(ring_starts) - 1):
        for k in range(ring_starts[ring], ring_starts[ring + 1] - 1):
            low, high = min(first[k], first[k + 1]), max(first[k], first[k + 1])
            slot = _mixed((np.uint64(low) << np.uint64(32)) ^ np.uint64(high)) & mask
            while True:
                other = table[slot]
                if other < 0:
                    table[slot] = k
                    edge[k] = k
                    break
                a, b = first[other], first[other + 1]
                if min(a, b) == low and max(a, b) == high:
                    edge[k] = other
                    break
                slot = (slot + np.uint64(1)) & mask
    return edge


@kernel
def _nodes(first: Ints, edge: Ints, ring_starts: Ints) -> Flags:
    """Which vertices are nodes."""
    degree = np.zeros(len(first), dtype=np.int32)
    for ring in range(len(ring_starts) - 1):
        for k in range(ring_starts[ring], ring_starts[ring + 1] - 1):
            if edge[k] == k:
                degree[first[k]] += 1
                degree[first[k + 1]] += 1
    node = degree != 2
    for ring in range(len(ring_starts) - 1):
        node[first[ring_starts[ring]]] = True
    return node


@kernel
def _goes_left_around(xy: Floats, start: int, end: int) -> bool:
    """Whether the ring of ``xy[start:end]``, closed, runs anticlockwise."""
    lowest = start
    for k in range(start, end - 1):
        if xy[k, 0] < xy[lowest, 0] or (xy[k, 0] == xy[lowest, 0] and xy[k, 1] < xy[lowest, 1]):
            lowest = k
    before = lowest - 1 if lowest > start else end - 2
    after = lowest + 1
    return (
        side(xy[before, 0], xy[before, 1], xy[lowest, 0], xy[lowest, 1], xy[after, 0], xy[after, 1])
        > 0
    )


@kernel
def _arcs(
    xy: Floats, first: Ints, edge: Ints, node: Flags, ring_starts: Ints, order: Ints
) -> tuple[Floats, Ints, Ints, Ranks]:
    """Lay out the arcs: vertices, starts, arcs of the rings in the order given."""
    rings = len(ring_starts) - 1
    laid = np.empty((2 * len(xy) + 1, 2), dtype=np.float64)
    starts = np.empty(len(xy) + 1, dtype=np.int64)
    arc_of = np.full(len(xy), -1, dtype=np.int32)
    first_edge = np.empty(len(xy) + 1, dtype=np.int64)
    ring_counts = np.zeros(rings + 1, dtype=np.int64)
    ring_at = np.zeros(rings, dtype=np.int64)
    ring_arcs = np.empty(len(xy) + 1, dtype=np.int32)
    vertices, arcs, used = 0, 0, 0
    for ring in order:
        k, end = ring_starts[ring], ring_starts[ring + 1] - 1
        ring_at[ring] = used
        while k < end:
            arc = arc_of[edge[k]]
            if arc >= 0:
                backwards = not (
                    first_edge[arc] == edge[k]
                    and laid[starts[arc], 0] == xy[k, 0]
                    and laid[starts[arc], 1] == xy[k, 1]
                )
                length = (starts[arc + 1] if arc + 1 < arcs else vertices) - starts[arc] - 1
                ring_arcs[used] = 2 * arc + (1 if backwards else 0)
                k += length
            else:
                arc = arcs
                arcs += 1
                starts[arc] = vertices
                first_edge[arc] = edge[k]
                laid[vertices] = xy[k]
                vertices += 1
                while True:
                    arc_of[edge[k]] = arc
                    k += 1
                    laid[vertices] = xy[k]
                    vertices += 1
                    if node[first[k]]:
                        break
                ring_arcs[used] = 2 * arc
            used += 1
        ring_counts[ring + 1] = used - ring_at[ring]
    starts[arcs] = vertices
    # Back to the order of the rings themselves.
    ends = np.cumsum(ring_counts)
    sorted_arcs = np.empty(used, dtype=np.int32)
    for ring in range(rings):
        size = ring_counts[ring + 1]
        sorted_arcs[ends[ring] : ends[ring] + size] = ring_arcs[
            ring_at[ring] : ring_at[ring] + size
        ]
    return laid[:vertices].copy(), starts[: arcs + 1].copy(), ends, sorted_arcs


@kernel
def _owners(
    arcs: int, ring_starts: Ints, ring_arcs: Ranks, ring_rank: Ints, inside_left: Flags
) -> tuple[Ints, Ranks]:
    """Polygons beside each arc, smallest rank first when the rings come in the order of ranks."""
    counts = np.zeros(arcs + 1, dtype=np.int64)
    for reference in ring_arcs:
        counts[(reference >> 1) + 1] += 1
    starts = np.cumsum(counts)
    filled = starts[:-1].copy()
    owners = np.empty(len(ring_arcs), dtype=np.int32)
    for ring in range(len(ring_starts) - 1):
        for k in range(ring_starts[ring], ring_starts[ring + 1]):
            arc, backwards = ring_arcs[k] >> 1, ring_arcs[k] & 1
            right = backwards ^ (0 if inside_left[ring] else 1)
            owners[filled[arc]] = 2 * ring_rank[ring] + right
            filled[arc] += 1
    return starts, owners


@kernel
def _lefts(xy: Floats, ring_starts: Ints, hole: Flags) -> Flags:
    """Whether the polygon lies left of each of its rings."""
    left = np.empty(len(hole), dtype=np.bool_)
    for ring in range(len(hole)):
        left[ring] = _goes_left_around(xy, ring_starts[ring], ring_starts[ring + 1]) != hole[ring]
    return left


def arcs_of(xy: Floats, ring_starts: Ints, ring_rank: Ints, hole: Flags, order: Ints) -> Arcs:
    """Arcs of closed rings.

    Parameters
    ----------
    xy
        Vertices of all rings, each closed and without a vertex twice in a row, shape (n, 2); no
        negative zeros.
    ring_starts
        First vertex of each ring, and the end.
    ring_rank, hole
        Rank of the polygon of each ring, and whether the ring is a hole in it.
    order
        Rings in the order in which their arcs are laid out: neighbours near each other.
    """
    first = _same_vertices(xy, xy.view(np.uint64))
    edge = _same_edges(first, ring_starts)
    node = _nodes(first, edge, ring_starts)
    laid, starts, arc_starts, ring_arcs = _arcs(xy, first, edge, node, ring_starts, order)
    owner_starts, owners = _owners(
        len(starts) - 1, arc_starts, ring_arcs, ring_rank, _lefts(xy, ring_starts, hole)
    )
    return Arcs(laid, starts, owner_starts, owners, arc_starts, ring_arcs)
