"""Travel time between the households of a grid: over open ground, faster along roads.

One goes from a household straight to the corners of its cell, along the lines between cells, and
by the middle of cells where nobody lives; lines on a street or an arterial are roads. Corners on
rail and river are shut but near a bridge, so whoever lives across goes round by one.
"""

# Compiled kernels take plain arrays, many of them.
# ruff: noqa: PLR0917

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import shapely

from grids.redistricting.cells import Cells
from grids.redistricting.compiled import Flags, Floats, Ints, Labels, kernel
from grids.redistricting.heap import pop, push
from grids.redistricting.inputs import Town, point_array
from grids.redistricting.linework import Segments, closed, segments_between
from grids.redistricting.rules import BARRIER_KINDS, BRIDGE_REACH_M, NODE_M, Speeds

M_PER_KM_MIN = 1000.0 / 60.0
"""Metres in a minute at 1 km/h."""


@dataclass(frozen=True)
class Ways:
    """The ways there are, a symmetric graph in compressed rows.

    Attributes
    ----------
    starts, ends, minutes
        Of each node its neighbours and the minutes there. The first nodes are the cells.
    open_m_per_min
        Metres a minute over open ground.
    """

    starts: Ints
    ends: Labels
    minutes: Floats
    open_m_per_min: float


@dataclass
class Travel:
    """Minutes between the places of grids, kept once they were asked for.

    Attributes
    ----------
    ways
        The ways there are.
    seasons
        For each season, whether households live in each cell then.
    limit_min
        Longest time that is allowed; what takes more than twice as long is infinite.
    """

    ways: Ways
    seasons: Sequence[Flags]
    limit_min: float
    rows: dict[int, tuple[Ints, Floats]] = field(default_factory=dict)

    def farthest(self, cells: Ints) -> tuple[float, int, int]:
        """Minutes between the two places farthest apart in one season, and their cells."""
        worst, ends = 0.0, (-1, -1)
        for lived in self.seasons:
            mine = cells[lived[cells]]
            between = self.between(mine)
            if len(mine) > 1 and between.max() > worst:
                a, b = divmod(int(between.argmax()), len(mine))
                worst, ends = float(between.max()), (int(mine[a]), int(mine[b]))
        return worst, *ends

    def beyond(self, cells: Ints) -> float:
        """How far the places of a season are beyond the limit, 0 for not at all; the worst season.

        The share of pairs beyond it, and what the farthest pair is beyond it in shares of it, the
        latter 1 at most.
        """
        worst = 0.0
        for lived in self.seasons:
            mine = cells[lived[cells]]
            if len(mine) > 1:
                times = self.between(mine) / self.limit_min
                share = float((times > 1).sum()) / (len(mine) * (len(mine) - 1))
                if share:
                    worst = max(worst, share + min(float(times.max()), 2.0) - 1)
        return worst

    def between(self, cells: Ints) -> Floats:
        """(n, n) minutes between cells; infinite beyond the limit."""
        result = np.full((len(cells), len(cells)), np.inf)
        for i, cell in enumerate(cells.tolist()):
            if cell not in self.rows:
                self.rows[cell] = reached(self.ways, cell, 2 * self.limit_min, len(self.seasons[0]))
            near, minutes = self.rows[cell]
            at = np.minimum(np.searchsorted(near, cells), len(near) - 1)
            hit = near[at] == cells
            result[i, hit] = minutes[at[hit]]
        return result


def reached(ways: Ways, cell: int, limit_min: float, cells: int) -> tuple[Ints, Floats]:
    """Cells that can be reached within the limit, in order of number, and the minutes there."""
    minutes = np.full(len(ways.starts) - 1, np.inf)
    _reach(cell, ways.starts, ways.ends, ways.minutes, limit_min, minutes)
    near = np.flatnonzero(np.isfinite(minutes[:cells]))
    return near, minutes[near]


@kernel
def _reach(
    source: int, starts: Ints, ends: Labels, cost: Floats, limit: float, minutes: Floats
) -> None:
    """Dijkstra up to a limit; fills `minutes`, which must hold infinity."""
    heap_key = np.empty(len(ends) + 2)
    heap_node = np.empty(len(ends) + 2, dtype=np.int32)
    minutes[source] = 0.0
    heap_key[0], heap_node[0] = 0.0, source
    size = 1
    while size > 0:
        key, node = pop(heap_key, heap_node, size)
        size -= 1
        if key > minutes[node]:
            continue
        for e in range(starts[node], starts[node + 1]):
            further = key + cost[e]
            other = ends[e]
            if further > limit or further >= minutes[other]:
                continue
            minutes[other] = further
            push(heap_key, heap_node, size, further, other)
            size += 1


def draw_ways(town: Town, cells: Cells, speeds: Speeds) -> Ways:
    """Ways of a town from the outlines of its cells."""
    count = len(cells.polygons)
    segments = segments_between(cells.polygons, town)
    corners, at = np.unique(
        np.round(segments.ends.reshape(-1, 2) / NODE_M).astype(np.int64),
        axis=0,
        return_inverse=True,
    )
    corner = at.reshape(-1, 2)
    xy = np.asarray(corners * NODE_M, dtype=np.float64)
    shut = np.zeros(len(corners), dtype=bool)
    barred = closed(segments.kind)
    shut[corner[barred].ravel()] = True
    if len(town.bridges):
        _, near = shapely.STRtree(point_array(xy)).query(
            town.bridges, predicate="dwithin", distance=BRIDGE_REACH_M
        )
        shut[near] = False
    open_m = speeds.open_kmh * M_PER_KM_MIN
    pace = np.full(1 + len(BARRIER_KINDS), open_m)
    pace[1 + BARRIER_KINDS.index("street")] = speeds.street_kmh * M_PER_KM_MIN
    pace[1 + BARRIER_KINDS.index("arterial")] = speeds.arterial_kmh * M_PER_KM_MIN
    usable = ~barred & ~shut[corner].any(axis=1)
    links = [count + corner[usable]]
    minutes = [segments.metres[usable] / pace[segments.kind[usable]]]
    stops = _stops(town, cells)
    owner, reach = _outline_corners(segments, corner, shut)
    links.append(np.column_stack([owner, count + reach]))
    minutes.append(np.hypot(*(stops[owner] - xy[reach]).T) / open_m)
    beside = segments.lines(barred)
    for number, bridge in enumerate(town.bridges):
        near = shapely.dwithin(beside, bridge, BRIDGE_REACH_M)
        banks = np.unique(segments.faces[barred][near])
        banks = banks[banks >= 0]
        spot = shapely.get_coordinates(shapely.centroid(bridge))[0]
        node = np.full(len(banks), count + len(corners) + number)
        links.append(np.column_stack([banks, node]))
        minutes.append(np.hypot(*(stops[banks] - spot).T) / open_m)
    return _rows(
        np.concatenate(links),
        np.concatenate(minutes),
        count + len(corners) + len(town.bridges),
        open_m,
    )


def _outline_corners(segments: Segments, corner: Ints, shut: Flags) -> tuple[Ints, Ints]:
    """Cells and the open corners of their outlines, each pair once."""
    pairs = np.concatenate(
        [
            np.column_stack([segments.faces[:, side], corner[:, end]])
            for side in (0, 1)
            for end in (0, 1)
        ]
    )
    pairs = np.unique(pairs[(pairs[:, 0] >= 0) & ~shut[pairs[:, 1]]], axis=0)
    return pairs[:, 0], pairs[:, 1]


def _stops(town: Town, cells: Cells) -> Floats:
    """(n, 2) where one stops in each cell: at its first building, else in the middle."""
    stops = shapely.get_coordinates(shapely.point_on_surface(cells.polygons))
    places = shapely.get_coordinates(shapely.point_on_surface(town.footprints))
    for building in range(len(places) - 1, -1, -1):
        stops[cells.of_building[building]] = places[building]
    return stops


def _rows(pairs: Ints, minutes: Floats, nodes: int, open_m: float) -> Ways:
    left = np.concatenate([pairs[:, 0], pairs[:, 1]])
    right = np.concatenate([pairs[:, 1], pairs[:, 0]])
    order = np.lexsort((right, left))
    starts = np.searchsorted(left[order], np.arange(nodes + 1)).astype(np.int64)
    twice = np.concatenate([minutes, minutes])[order]
    return Ways(starts, right[order].astype(np.int32), twice, open_m)


def step_metres(ways: Ways, starts: Ints, ends: Labels, metres: Floats, cells: Ints) -> Floats:
    """Each step between neighbouring cells as the metres of open ground that take as long.

    Parameters
    ----------
    starts, ends
        Neighbours of each cell in compressed rows.
    metres
        Straight distance of each step; none counts more than four times as much.
    cells
        Number each cell has among all that the ways join.
    """
    result = metres * 4
    for cell in range(len(starts) - 1):
        mine = slice(starts[cell], starts[cell + 1])
        if starts[cell] == starts[cell + 1]:
            continue
        limit = 4 * float(metres[mine].max()) / ways.open_m_per_min
        near, minutes = reached(ways, int(cells[cell]), limit, int(cells.max()) + 1)
        at = np.minimum(np.searchsorted(near, cells[ends[mine]]), len(near) - 1)
        hit = near[at] == cells[ends[mine]]
        counted = minutes[at[hit]] * ways.open_m_per_min
        row = result[mine]
        row[hit] = np.minimum(counted, row[hit])
    return result
