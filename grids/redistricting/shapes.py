"""Limits of shape: how far grids are beyond them, and mending those that are.

A plan is searched without regard to them first. Then each grid beyond a limit is divided anew
with its neighbours, borders dearer on their ground only, and what comes out is kept when the
grids concerned are nearer to their limits and no more of them beyond their band. So a limit that
is kept anyway changes nothing, and one that is not changes the plan where it is broken.
"""

# Compiled kernels take plain arrays, many of them.
# ruff: noqa: PLR0917

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from grids.redistricting.compiled import Flags, Floats, Ints, Labels, State, kernel
from grids.redistricting.division import Division, Network, Roll, Scratch, enrol
from grids.redistricting.graph import CellGraph
from grids.redistricting.limits import Limits
from grids.redistricting.packing import PINNED
from grids.redistricting.recombination import recombine
from grids.redistricting.rules import Effort
from grids.redistricting.seeding import walk_distances
from grids.redistricting.travel import Travel

DEARER = (1.0, 1.6, 2.5, 5.0)
"""Factors of the price of borders on the ground of a grid beyond a limit, one each turn."""

HOPELESS = 1.5
"""Grids this far beyond their limits are named, not mended: the target is too large for them."""

TURNS, TRIES = 24, 2
"""Turns through the grids beyond a limit, and divisions tried for each of them in a turn."""


@dataclass(frozen=True)
class Shapes:
    """What is asked of the shapes of grids, and what it is measured by.

    Attributes
    ----------
    limits
        Limits of compactness, of ways on foot and of travel.
    graph, outline_m
        Cells, and the length of each cell's outline.
    travel
        Minutes between the cells of the town; None where travel is not limited.
    cells
        Number each cell of the graph has in the town.
    """

    limits: Limits
    graph: CellGraph
    outline_m: Floats
    travel: Travel | None
    cells: Ints

    def beyond(self, label: Labels, grids: Ints) -> Floats:
        """How far each of `grids` is beyond its limits, in shares of them; 0 for not at all."""
        total = np.zeros(len(grids))
        wanted = np.zeros(int(label.max()) + 1, dtype=bool)
        wanted[grids] = True
        cells = np.flatnonzero(wanted[label])
        order = np.argsort(label[cells], kind="stable")
        cells = cells[order]
        rows = np.searchsorted(label[cells], np.stack([grids, grids + 1]))
        if self.limits.compactness > 0:
            compact = compactness_of(self.graph, self.outline_m, label, cells)[grids]
            total += np.maximum(0.0, 1 - compact / self.limits.compactness)
        if np.isfinite(self.limits.walk_m):
            ways = ways_m(self.graph, label, cells)[grids]
            total += np.maximum(0.0, ways / self.limits.walk_m - 1)
        if self.travel is not None:
            for number in range(len(grids)):
                mine = cells[rows[0, number] : rows[1, number]]
                total[number] += self.travel.beyond(self.cells[mine])
        return total


@kernel
def _measure(
    cells: Ints,
    starts: Ints,
    ends: Labels,
    metres: Floats,
    outline_m: Floats,
    area_m2: Floats,
    label: Labels,
    around: Floats,
    ground: Floats,
) -> None:
    for cell in cells:
        grid = label[cell]
        ground[grid] += area_m2[cell]
        around[grid] += outline_m[cell]
        for e in range(starts[cell], starts[cell + 1]):
            if label[ends[e]] == grid:
                around[grid] -= metres[e]


def compactness_of(
    graph: CellGraph, outline_m: Floats, label: Labels, cells: Ints | None = None
) -> Floats:
    """Polsby-Popper of each grid from its cells' outlines and the lines between them.

    Only grids whose cells are all among `cells` are measured, where these are given.
    """
    around, ground = np.zeros((2, int(label.max()) + 1))
    _measure(
        np.arange(graph.size) if cells is None else cells,
        graph.starts,
        graph.ends,
        graph.metres.sum(axis=1),
        outline_m,
        graph.area_m2,
        label,
        around,
        ground,
    )
    return 4 * np.pi * ground / np.maximum(around, 1e-9) ** 2


def ways_m(graph: CellGraph, label: Labels, cells: Ints | None = None) -> Floats:
    """Longest shortest way on foot inside each grid, between middles of cells, metres.

    Found by two sweeps: from any cell to the farthest, from there to the farthest again. Only
    grids whose cells are all among `cells` are measured, where these are given.
    """
    result = np.zeros(int(label.max()) + 1)
    left = np.repeat(np.arange(graph.size), np.diff(graph.starts))
    step = np.hypot(graph.x[left] - graph.x[graph.ends], graph.y[left] - graph.y[graph.ends])
    mine = np.arange(graph.size) if cells is None else cells
    _sweep(
        mine[np.argsort(label[mine], kind="stable")],
        graph.starts,
        graph.ends,
        graph.walk,
        step + 1e-6,
        label,
        result,
    )
    return result


@kernel
def _sweep(
    cells: Ints,
    starts: Ints,
    ends: Labels,
    walk: Flags,
    step: Floats,
    label: Labels,
    result: Floats,
) -> None:
    """Fill the ways of grids; `cells` come grid by grid."""
    distance = np.full(len(label), np.inf)
    heap_key = np.empty(len(ends) + 2)
    heap_cell = np.empty(len(ends) + 2, dtype=np.int32)
    begin = 0
    while begin < len(cells):
        grid = label[cells[begin]]
        end = begin
        while end < len(cells) and label[cells[end]] == grid:
            end += 1
        source = cells[begin]
        far = 0.0
        for _ in range(2):
            for i in range(begin, end):
                distance[cells[i]] = np.inf
            walk_distances(
                source, starts, ends, walk, step, label, grid, distance, heap_key, heap_cell
            )
            far = 0.0
            for i in range(begin, end):
                if far < distance[cells[i]] < np.inf:
                    far, source = distance[cells[i]], cells[i]
        result[grid] = far
        begin = end


def mend(
    shapes: Shapes,
    network: Network,
    reluctance: Floats,
    division: Division,
    roll: Roll,
    *,
    target: float,
    steep: Floats,
    effort: Effort,
    is_elastic: bool,
    scratch: Scratch,
    generator: np.random.Generator,
    state: State,
    is_over: Callable[[], bool],
) -> None:
    """Divide the grids beyond a limit of shape anew with their neighbours; changes the division."""
    label = division.label
    beyond = np.zeros(len(division.load))
    present = np.flatnonzero(division.members)
    beyond[present] = shapes.beyond(label, present)
    # A grid that all factors were tried on in vain is left as it is.
    vain = np.zeros(len(beyond), dtype=np.int64)
    for turn in range(TURNS):
        out = np.flatnonzero((beyond > 0) & (beyond < HOPELESS) & (vain <= len(DEARER)))
        if not len(out):
            break
        for grid in generator.permutation(out):
            vain[grid] += 1
            for _ in range(TRIES):
                if is_over():
                    return
                if beyond[grid] <= 0 or not division.members[grid]:
                    break
                trial = division.copy()
                dear = network._replace(
                    price=_dearer(network, label, grid, DEARER[turn % len(DEARER)])
                )
                enrol(trial.label, roll)
                recombine(
                    np.array([grid]),
                    dear,
                    reluctance,
                    trial,
                    roll,
                    target,
                    steep,
                    effort.trees,
                    effort.polish,
                    3,
                    0.1,
                    0.97,
                    # Every division is handed out: which is kept is decided here.
                    1e9,
                    is_elastic,
                    scratch,
                    state,
                )
                if _keep_nearer(shapes, network, division, trial, beyond):
                    vain[grid] = 0


def _dearer(network: Network, label: Labels, grid: int, factor: float) -> Floats:
    """Prices with those of borders multiplied on the ground of a grid and of its neighbours."""
    mine = np.flatnonzero(label == grid)
    edges = np.concatenate(
        [np.arange(network.starts[cell], network.starts[cell + 1]) for cell in mine]
    )
    ground = np.zeros(int(label.max()) + 1, dtype=bool)
    ground[label[network.ends[edges]]] = True
    ground[grid] = True
    left = np.repeat(ground[label], np.diff(network.starts))
    return np.where(left & (network.price > 0), network.price * factor, network.price)


def _keep_nearer(
    shapes: Shapes, network: Network, division: Division, trial: Division, beyond: Floats
) -> bool:
    """Take a trial over when the grids it changed are nearer to their limits."""
    changed = trial.label != division.label
    pinned = network.stay >= PINNED
    if not changed.any() or (changed & pinned & (division.label == network.home)).any():
        return False
    old = np.unique(division.label[changed])
    new = np.unique(trial.label[changed])
    grids = np.union1d(old, new)
    if trial.is_out()[grids].sum() > division.is_out()[grids].sum():
        return False
    now = np.zeros(len(beyond))
    there = grids[trial.members[grids] > 0]
    now[there] = shapes.beyond(trial.label, there)
    if now[grids].sum() >= beyond[grids].sum() - 1e-9 or now.max() > beyond[grids].max():
        return False
    beyond[grids] = now[grids]
    division.become(trial)
    return True
