"""Graph partitioners on the planner's own cell graph: METIS, KaHIP and Mt-KaHyPar.

Each gets the part of the walk graph it divides, households as weights of cells and shared metres
as weights of edges, and is run at several imbalances; the plan with most grids in tolerance counts.
Grids it leaves in pieces are counted and not mended.
"""

# The partitioners take arrays in a row.
# ruff: noqa: PLR0917

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import cache
from types import ModuleType
from typing import Any

import numpy as np

from grids.redistricting.graph import CellGraph
from grids.redistricting.search import fair_counts

try:
    import pymetis
except ImportError:
    pymetis = None
try:
    import kahip
except ImportError:
    kahip = None
try:
    import mtkahypar
except ImportError:
    mtkahypar = None

Norm = tuple[float, float]
PLAIN = np.array([1.0, 0.5, 0.1, 0.1, 0.1, 0.1])
"""Weight of a metre of common line by its kind: what one would rather cut weighs little."""


def found() -> dict[str, Callable[[CellGraph, int, Norm], np.ndarray]]:
    """Name the partitioners that are installed."""
    peers: dict[str, tuple[ModuleType | None, Any]] = {
        "METIS": (pymetis, lambda *each: by_metis(*each, contiguous=False)),
        "METIS contig": (pymetis, lambda *each: by_metis(*each, contiguous=True)),
        "KaHIP": (kahip, by_kahip),
        "Mt-KaHyPar": (mtkahypar, by_mtkahypar),
    }
    for name, (module, _) in peers.items():
        if module is None:
            print(f"{name} is not installed and left out")
    return {name: method for name, (module, method) in peers.items() if module is not None}


def _parts(graph: CellGraph, norm: Norm) -> Iterator[tuple[int, np.ndarray, list, list, list]]:
    """Grids wanted of each component, its cells, and their graph in compressed rows."""
    counts, _ = fair_counts(graph, *norm)
    for part, count in enumerate(counts):
        cells = np.flatnonzero(graph.component == part)
        local = np.full(graph.size, -1)
        local[cells] = np.arange(len(cells))
        near, starts, weights = [], [0], []
        for cell in cells:
            edges = np.arange(graph.starts[cell], graph.starts[cell + 1])
            edges = edges[graph.walk[edges]]
            near += local[graph.ends[edges]].tolist()
            weights += np.maximum(1, graph.metres[edges] @ PLAIN).astype(int).tolist()
            starts.append(len(near))
        yield int(count), cells, starts, near, weights


def _best(
    graph: CellGraph, norm: Norm, tries: tuple[float, ...], divide: Callable[..., Any]
) -> np.ndarray:
    target, tolerance = norm
    best, most = np.zeros(graph.size, dtype=int), -1
    parts = list(_parts(graph, norm))
    for imbalance in tries:
        label = np.zeros(graph.size, dtype=int)
        done = 0
        for count, cells, starts, near, weights in parts:
            label[cells] = done
            if count > 1:
                people = graph.households[cells].tolist()
                label[cells] += np.asarray(divide(count, starts, near, weights, people, imbalance))
            done += count
        load = np.bincount(np.unique(label, return_inverse=True)[1], graph.households)
        good = int((np.abs(load - target) <= target * tolerance).sum())
        if good > most:
            best, most = label, good
    return best


def by_metis(graph: CellGraph, seed: int, norm: Norm, *, contiguous: bool) -> np.ndarray:
    def divide(count, starts, near, weights, people, imbalance):
        options = pymetis.Options(ufactor=int(imbalance), contig=int(contiguous), seed=seed)
        return pymetis.part_graph(
            count,
            adjacency=pymetis.CSRAdjacency(starts, near),
            eweights=weights,
            vweights=people,
            recursive=False,
            options=options,
        )[1]

    return _best(graph, norm, (10, 30, 80), divide)


def by_kahip(graph: CellGraph, seed: int, norm: Norm) -> np.ndarray:
    def divide(count, starts, near, weights, people, imbalance):
        arrays = (np.array(each, dtype=np.int32) for each in (people, starts, weights, near))
        return kahip.kaffpa(*arrays, count, imbalance, True, seed, kahip.ECO)[1]  # noqa: FBT003

    return _best(graph, norm, (0.03, 0.08), divide)


@cache
def _mtkahypar() -> Any:
    return mtkahypar.initialize(1)


def by_mtkahypar(graph: CellGraph, seed: int, norm: Norm) -> np.ndarray:
    base = _mtkahypar()
    mtkahypar.set_seed(seed)

    def divide(count, starts, near, weights, people, imbalance):
        context = base.context_from_preset(mtkahypar.PresetType.QUALITY)
        context.set_partitioning_parameters(count, imbalance, mtkahypar.Objective.CUT)
        context.logging = False
        left = np.repeat(np.arange(len(people)), np.diff(starts))
        right = np.array(near)
        once = left < right
        edges = list(zip(left[once].tolist(), right[once].tolist(), strict=True))
        costs = np.array(weights)[once].tolist()
        made = base.create_graph(context, len(people), len(edges), edges, people, costs)
        plan = made.partition(context)
        return [plan.block_id(node) for node in range(len(people))]

    return _best(graph, norm, (0.03, 0.08), divide)
