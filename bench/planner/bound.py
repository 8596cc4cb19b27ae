"""What no search can reach: ``python -m bench.planner.bound [--seeds 1 2 3 4 5]``.

A cell is *stuck* when no connected set of cells that holds it has 270 to 330 households; all such
sets up to 330 are gone through. The grid that a stuck cell lies in is out of tolerance in every
plan.
"""

from __future__ import annotations

import argparse

import numpy as np

from bench.redistricting import URBAN, by_wangge, cut
from grids.redistricting.graph import CellGraph

STEPS = 20_000
"""Sets looked at for one cell; a cell that needs more is not called stuck."""


def stuck_cells(graph: CellGraph, low: float, high: float) -> set[int]:
    """Cells in no connected set from `low` to `high`; those above `high` alone are left out."""
    people = graph.households.tolist()
    near = [
        [
            int(graph.ends[e])
            for e in range(graph.starts[cell], graph.starts[cell + 1])
            if graph.walk[e]
        ]
        for cell in range(graph.size)
    ]
    return {
        cell
        for cell in range(graph.size)
        if people[cell] <= high and _is_stuck(cell, near, people, low, high)
    }


def _is_stuck(cell: int, near: list[list[int]], people: list[int], low: float, high: float) -> bool:
    waiting = [(frozenset([cell]), people[cell])]
    seen: set[frozenset[int]] = set()
    for _ in range(STEPS):
        if not waiting:
            return True
        mine, total = waiting.pop()
        if low <= total <= high:
            return False
        for other in {o for each in mine for o in near[each]} - mine:
            larger = mine | {other}
            if total + people[other] <= high and larger not in seen:
                seen.add(larger)
                waiting.append((larger, total + people[other]))
    return False


def main() -> None:
    """Print stuck cells of some high-rise towns beside the grids that are out of tolerance."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, nargs="+", default=[1, 2, 3, 4, 5])
    target, tolerance = URBAN
    low, high = target * (1 - tolerance), target * (1 + tolerance)
    for seed in parser.parse_args().seeds:
        _, graph, _ = cut(120_000, seed, "high-rise")
        stuck = stuck_cells(graph, low, high)
        label = by_wangge(graph, 1, URBAN)
        load = np.bincount(label, graph.households)
        largest = np.zeros(len(load), dtype=int)
        np.maximum.at(largest, label, graph.households)
        out = np.flatnonzero((largest <= high) & ((load < low) | (load > high)))
        held = np.intersect1d(out, label[sorted(stuck)])
        print(
            f"{seed}: {len(load)} grids, {(largest > high).sum()} of one building too large, "
            f"{len(out)} others out of tolerance, {len(held)} of them with one of "
            f"{len(stuck)} stuck cells",
            flush=True,
        )


if __name__ == "__main__":
    main()
