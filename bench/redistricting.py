"""Grids of equal households: wangge beside METIS, KaHIP and Mt-KaHyPar on made towns.

    python -m bench.redistricting [--profiles urban high-rise] [--seeds 301 302 303]
                                  [--households 120000] [--slow SECONDS]
                                  [--city] [--replan] [--camps] [--real FOLDER]

Towns are made (`bench/planner/towns.py`): street blocks, arterials, a railway, a river with few
bridges, parks where nobody lives, and buildings of 1 to 420 households; villages and herders'
yards too. Every way is given the same cell graph. Herders are drawn at their own prices, all else
at the usual ones.

Columns: grids; share within the tolerance; *fair*, the same without grids of one building too
large for any, and by the band of places whose households do not divide by the target; grids not
in one piece on foot; mean deviation; mean Polsby-Popper; km of arterial, and of rail and river,
inside grids; CPU seconds from the cell graph.

``--city`` is one urban town of 1.2 million; ``--replan`` draws from an older plan after new
estates; ``--camps`` draws herders with summer camps and by travel time; ``--slow`` runs
GerryChain, spopt and fmtm-splitter too, each for so many seconds at most; ``--real`` divides the
real sets of a folder.
"""

from __future__ import annotations

import argparse
import resource
import time
from contextlib import ExitStack
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import shapely
from scipy.sparse import csr_array
from scipy.sparse.csgraph import connected_components

from bench.planner import peers, real, slow
from bench.planner.towns import NORMS, PROFILES, made_camps, made_town
from grids.redistricting import PRICES, Effort, Prices, Speeds, draw
from grids.redistricting.borders import compactness
from grids.redistricting.cells import Cells, draw_cells
from grids.redistricting.graph import CellGraph
from grids.redistricting.inputs import read_town
from grids.redistricting.layout import graph_of
from grids.redistricting.lineage import heirs
from grids.redistricting.rules import BARRIER_KINDS, KEEP
from grids.redistricting.search import divide, fair_counts

URBAN = (300.0, 0.10)
HOUSEHOLDS = {"rural": 12_000, "pastoral": 3_000}
TOWN = 120_000


@dataclass
class Figures:
    """One line of the table."""

    grids: int
    within: float
    fair: float
    broken: int
    deviation: float
    compactness: float
    arterial_km: float
    closed_km: float
    cpu_s: float


def is_fair(graph: CellGraph, label: np.ndarray, norm: peers.Norm) -> np.ndarray:
    """Whether each grid that can be is in its band; grids of one building too large left out."""
    target, tolerance = norm
    load = np.bincount(label, graph.households)
    largest = np.zeros(len(load), dtype=int)
    np.maximum.at(largest, label, graph.households)
    part = np.zeros(len(load), dtype=int)
    part[label] = graph.component
    centre = fair_counts(graph, target, tolerance)[1][part]
    even = np.abs(centre - target) <= target * tolerance
    centre = np.where(even, target, centre)
    good = np.abs(load - centre) <= centre * tolerance + 1e-6
    return good[largest <= target * (1 + tolerance)]


def measure(
    cells: Cells, graph: CellGraph, label: np.ndarray, cpu_s: float, norm: peers.Norm = URBAN
) -> Figures:
    """The same figures for every method, from its labels."""
    target, tolerance = norm
    label = np.unique(label, return_inverse=True)[1]
    load = np.bincount(label, graph.households)
    off = np.abs(load - target) / target
    left = np.repeat(np.arange(graph.size), np.diff(graph.starts))
    same = label[left] == label[graph.ends]
    inside = graph.metres[same].sum(axis=0) / 2
    keep = same & graph.walk
    size = (graph.size, graph.size)
    walks = csr_array((np.ones(keep.sum()), (left[keep], graph.ends[keep])), shape=size)
    piece = connected_components(walks, directed=False)[1]
    pieces = np.unique(np.column_stack([label, piece]), axis=0)[:, 0]
    order = np.argsort(label, kind="stable")
    groups = np.split(order, np.flatnonzero(np.diff(label[order])) + 1)
    outlines = np.array([shapely.coverage_union_all(cells.polygons[g]) for g in groups])

    def km(kind: str) -> float:
        return float(inside[1 + BARRIER_KINDS.index(kind)]) / 1000

    return Figures(
        grids=len(load),
        within=float((off <= tolerance + 1e-9).mean()),
        fair=float(is_fair(graph, label, norm).mean()),
        broken=int((np.bincount(pieces) > 1).sum()),
        deviation=float(off.mean()),
        compactness=float(compactness(outlines).mean()),
        arterial_km=km("arterial"),
        closed_km=km("rail") + km("river"),
        cpu_s=cpu_s,
    )


def by_wangge(
    graph: CellGraph, seed: int, norm: peers.Norm, before: np.ndarray | None = None
) -> np.ndarray:
    return divide(
        graph,
        target=norm[0],
        tolerance=norm[1],
        generator=np.random.default_rng(seed),
        prices=PRICES["pastoral"] if norm == NORMS["pastoral"] else Prices(),
        effort=Effort(),
        before=before,
        keep=KEEP,
    ).label


def cut(households: int, seed: int, profile: str) -> tuple[Cells, CellGraph, float]:
    """Cells and cell graph of a made town, and CPU seconds from its layers to them."""
    layers = made_town(households, seed, profile)
    target, tolerance = NORMS.get(profile, URBAN)
    start = time.process_time()
    cells = draw_cells(read_town(*layers, target=target, tolerance=tolerance))
    graph = graph_of(cells)
    return cells, graph, time.process_time() - start


def compare(
    profile: str, seeds: list[int], households: int, *, alone: bool = False, limit_s: float = 0
) -> None:
    """All ways on some towns of a profile, with their median and worst."""
    norm = NORMS.get(profile, URBAN)
    methods = {"wangge": by_wangge} | ({} if alone else peers.found())
    total: dict[str, list[Figures]] = {name: [] for name in methods}
    for seed in seeds:
        cells, graph, prepared = cut(households, seed, profile)
        for name, method in methods.items():
            start = time.process_time()
            label = method(graph, 1, norm)
            figures = measure(cells, graph, label, time.process_time() - start, norm)
            total[name].append(figures)
            show(f"{profile} {seed}", name, figures)
        if limit_s:
            compare_slow(profile, seed, households, cells=cells, graph=graph, limit_s=limit_s)
        print(
            f"  {graph.households.sum():,} households in {graph.size:,} cells; "
            f"layers to cell graph {prepared:.1f} s CPU"
        )
    for name, rows in total.items():
        columns = {f: [getattr(row, f) for row in rows] for f in Figures.__annotations__}
        best_is_high = {"within", "fair", "compactness"}
        worst = {f: min(v) if f in best_is_high else max(v) for f, v in columns.items()}
        show(f"{profile} median", name, Figures(*(np.median(v) for v in columns.values())))
        show(f"{profile} worst", name, Figures(**worst))


def compare_slow(
    profile: str, seed: int, households: int, *, cells: Cells, graph: CellGraph, limit_s: float
) -> None:
    """Peers that may not finish; their seconds are those of the clock."""
    norm = NORMS.get(profile, URBAN)
    ways = {name: partial(method, graph, 1, norm) for name, method in slow.found().items()}
    with ExitStack() as held:
        if slow.fmtm_splitter is None:
            print("fmtm-splitter is not installed and left out")
        else:
            layers = made_town(households, seed, profile)
            url = held.enter_context(slow.database())
            ways["fmtm-splitter"] = partial(slow.by_fmtm, graph, norm, layers, cells, url)
        for name, method in ways.items():
            answer, spent_s = slow.limited(method, limit_s)
            if isinstance(answer, str):
                print(f"{profile + ' ' + str(seed):16} {name:13} {answer}", flush=True)
            else:
                show(f"{profile} {seed}", name, measure(cells, graph, answer, spent_s, norm))


def camps(seeds: list[int], households: int) -> None:
    """Herders with summer camps: what being together costs, and a limit of travel time."""
    target, tolerance = NORMS["pastoral"]
    own = PRICES["pastoral"]
    ways: dict[str, dict[str, Any]] = {
        "camps free of charge": {"prices": replace(own, apart=0.0)},
        "camps at half the price": {"prices": replace(own, apart=own.apart / 2)},
        "camps": {"prices": own},
        "by travel time": {"prices": own, "speeds": Speeds()},
        "at most 30 minutes": {"prices": own, "travel_min": 30},
        "at most 20 minutes": {"prices": own, "travel_min": 20},
    }
    print("town  way                      within  mean dev  compact  together  longest min  CPU s")
    for seed in seeds:
        area, buildings, barriers = made_town(households, seed, "pastoral")
        summer = made_camps(buildings, area, seed)
        for name, options in ways.items():
            start = time.process_time()
            plan = draw(
                area,
                buildings,
                barriers,
                target=target,
                tolerance=tolerance,
                camps=summer,
                **options,
            )
            spent = time.process_time() - start
            limit = options.get("travel_min", np.inf)
            longest = max((f.value + limit for f in plan.broken("travel_too_long")), default=limit)
            apart = plan.settings["households_apart"] / plan.settings["households_with_camp"]
            print(
                f"{seed:4}  {name:23} {plan.within_tolerance:7.1%}  "
                f"{plan.grids['deviation'].abs().mean():8.1%}  "
                f"{plan.grids['compactness'].mean():7.3f}  {1 - apart:8.1%}  {longest:11.0f}  "
                f"{spent:5.1f}",
                flush=True,
            )


def replan(profile: str, seeds: list[int], households: int) -> None:
    """After new estates (about 2 % more households in three places) from the plan before."""
    norm = NORMS.get(profile, URBAN)
    print("town            grown  grids          fair   moved   a fresh plan moves   CPU s")
    for seed in seeds:
        _, graph, _ = cut(households, seed, profile)
        old = by_wangge(graph, 1, norm).astype(np.int64)
        dice = np.random.default_rng(seed)
        people = graph.households.copy()
        while people.sum() < 1.02 * graph.households.sum():
            middle = dice.integers(graph.size)
            away = np.hypot(graph.x - graph.x[middle], graph.y - graph.y[middle])
            near = np.argsort(away)[: max(3, graph.size // 400)]
            people[near] = np.minimum(2 * people[near] + 1, 330)
        now = replace(graph, households=people)
        start = time.process_time()
        label = by_wangge(now, 1, norm, old)
        spent = time.process_time() - start
        fresh = by_wangge(now, 2, norm)
        moved, anew = (
            people[heirs(each, old, people, graph.area_m2)[each] != old].sum() / people.sum()
            for each in (label, fresh)
        )
        print(
            f"{profile} {seed:4}  {people.sum() / graph.households.sum() - 1:6.1%}  "
            f"{old.max() + 1:5} {label.max() + 1:5}  {is_fair(now, label, norm).mean():7.2%}  "
            f"{moved:6.1%}  {anew:19.1%}  {spent:6.2f}"
        )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--households", type=int, help="of a town; else by profile")
    parser.add_argument("--seeds", type=int, nargs="+", default=[301, 302, 303])
    parser.add_argument("--profiles", choices=sorted(PROFILES), nargs="+", default=list(PROFILES))
    parser.add_argument("--alone", action="store_true", help="without peers")
    parser.add_argument("--city", action="store_true")
    parser.add_argument("--camps", action="store_true")
    parser.add_argument("--slow", type=float, default=0, metavar="SECONDS")
    parser.add_argument("--replan", action="store_true")
    parser.add_argument("--real", type=Path, help="folder of the real sets")
    options = parser.parse_args()
    start = time.process_time()
    _, graph, _ = cut(3_000, 1, "urban")
    by_wangge(graph, 1, URBAN)
    by_wangge(graph, 1, URBAN, by_wangge(graph, 1, (150, 0.02)).astype(np.int64))
    print(f"first call, kernels compiled or loaded: {time.process_time() - start:.1f} s CPU")
    if options.real:
        real.run(options.real)
    elif options.camps:
        camps(options.seeds, options.households or HOUSEHOLDS["pastoral"])
    elif options.replan:
        for profile in options.profiles:
            replan(profile, options.seeds, options.households or HOUSEHOLDS.get(profile, TOWN))
    else:
        print(
            "town             method        grids  within    fair  broken   mean dev  compact  "
            "arterial km  rail+river km   CPU s"
        )
        if options.city:
            compare("urban", options.seeds[:1], 1_200_000, alone=True)
            peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
            print(f"peak memory of the whole run, layers included: {peak:,.0f} MB")
        else:
            for profile in options.profiles:
                size = options.households or HOUSEHOLDS.get(profile, TOWN)
                compare(profile, options.seeds, size, alone=options.alone, limit_s=options.slow)


def show(town: str, name: str, row: Figures) -> None:
    print(
        f"{town:16} {name:13} {row.grids:5.0f}  {row.within:6.1%}  {row.fair:6.2%}  "
        f"{row.broken:6.0f}   {row.deviation:8.1%}  {row.compactness:7.3f}  "
        f"{row.arterial_km:11.2f}  {row.closed_km:13.2f}  {row.cpu_s:6.2f}",
        flush=True,
    )


if __name__ == "__main__":
    main()
