"""Grids of 300 households: wangge beside METIS on the same cell graph of made towns.

    python bench/redistricting.py [--households 40000] [--seeds 1 2 3] [--profile urban]

Towns are made here: street blocks, arterials, a railway, a river with few bridges, parks where
nobody lives, and buildings of 1 to 420 households. METIS (``pymetis``, optional) balances cell
households in each part that can be walked through, with shared metres as edge weights, at its
best setting of several imbalances; grids it leaves in pieces are counted and not mended.

Columns: grids; share within 10 % of 300; grids not in one piece on foot; mean deviation; mean
Polsby-Popper; km of arterial, and of rail and river, inside grids; CPU seconds from the cell
graph. Below each town: what it holds, and CPU seconds from its layers to the cell graph.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable
from dataclasses import dataclass

import geopandas as gpd
import numpy as np
import shapely
from scipy.sparse import csr_array
from scipy.sparse.csgraph import connected_components

from grids.redistricting import Effort, Prices, draw
from grids.redistricting.borders import compactness
from grids.redistricting.cells import Cells, draw_cells
from grids.redistricting.graph import CellGraph
from grids.redistricting.inputs import read_town
from grids.redistricting.layout import graph_of
from grids.redistricting.rules import BARRIER_KINDS
from grids.redistricting.search import divide, fair_counts

try:
    import pymetis
except ImportError:
    pymetis = None

TARGET, TOLERANCE = 300, 0.10
METRES = 4526  # any metre CRS does; the towns are made at its false origin
CORNER = (38_500_000.0, 4_500_000.0)

# What stands in a block: share of blocks, ground per building in m2, median and spread of the
# households of a building, largest.
PROFILES = {
    "urban": [
        (0.08, 0.0, 0.0, 0.0, 0),
        (0.25, 350.0, 1.3, 0.5, 8),
        (0.42, 900.0, 12.0, 0.6, 60),
        (0.25, 2600.0, 60.0, 0.7, 420),
    ],
    "old town": [
        (0.06, 0.0, 0.0, 0.0, 0),
        (0.84, 260.0, 2.0, 0.7, 20),
        (0.10, 800.0, 14.0, 0.6, 80),
    ],
    "high-rise": [
        (0.12, 0.0, 0.0, 0.0, 0),
        (0.28, 1100.0, 20.0, 0.6, 120),
        (0.60, 3200.0, 110.0, 0.5, 420),
    ],
}
BLOCK_M = (110.0, 150.0)


Layers = tuple[gpd.GeoDataFrame, gpd.GeoDataFrame, gpd.GeoDataFrame]


def made_town(households: int, seed: int, profile: str = "urban") -> Layers:
    """Area, buildings and barriers of a made town of about that many households."""
    asked = households
    for _ in range(3):
        layers = _made_town(asked, seed, profile)
        asked = int(asked * households / layers[1]["households"].sum())
    return layers


def _made_town(households: int, seed: int, profile: str) -> Layers:
    dice = np.random.default_rng(seed)
    kinds = PROFILES[profile]
    per_m2 = (
        sum(
            share * min(median * np.exp(spread**2 / 2), top) / ground
            for share, ground, median, spread, top in kinds
            if ground
        )
        * 0.8
    )
    blocks = households / (per_m2 * BLOCK_M[0] * BLOCK_M[1])
    rows = max(4, round(np.sqrt(blocks)))
    columns = max(4, round(blocks / rows))
    xs = np.concatenate([[0], np.cumsum(dice.uniform(0.75, 1.25, columns) * BLOCK_M[0])])
    ys = np.concatenate([[0], np.cumsum(dice.uniform(0.75, 1.25, rows) * BLOCK_M[1])])
    # Corners are shaken so that no street is straight; the rim stays a rectangle.
    grid = np.stack(np.meshgrid(xs, ys), axis=-1)
    grid[1:-1, 1:-1] += dice.normal(0, 9.0, grid[1:-1, 1:-1].shape)
    lines: list[shapely.LineString] = []
    names: list[str] = []
    every = int(dice.integers(4, 7))
    for column in range(1, columns):
        lines.append(shapely.LineString(grid[:, column]))
        names.append("arterial" if column % every == 0 else "street")
    for row in range(1, rows):
        lines.append(shapely.LineString(grid[row]))
        names.append("arterial" if row % every == 0 else "street")
    width, height = xs[-1], ys[-1]
    along = np.linspace(0, 1, 60)
    river = np.column_stack(
        [along * width, height * (0.35 + 0.1 * np.sin(along * 5 + dice.uniform(0, 6)))]
    )
    rail = np.column_stack([width * (0.62 + 0.12 * along), along * height])
    for name, course in (("river", river), ("rail", rail)):
        line = shapely.LineString(course)
        lines.append(line)
        names.append(name)
        for at in np.sort(dice.uniform(0.05, 0.95, max(3, int(line.length // 900)))):
            lines.append(line.interpolate(at, normalized=True))
            names.append("bridge")
    ids, counts, places = [], [], []
    chances = np.array([kind[0] for kind in kinds])
    water = shapely.LineString(river).buffer(12)
    for row in range(rows):
        for column in range(columns):
            corners = [
                grid[row, column],
                grid[row, column + 1],
                grid[row + 1, column + 1],
                grid[row + 1, column],
            ]
            block = shapely.Polygon(corners).buffer(-8)
            # Like stands beside like: the mix drifts from the middle outwards.
            near = np.hypot(column / columns - 0.5, row / rows - 0.5)
            weight = chances * np.exp(-np.arange(len(kinds)) * (near - 0.35) * 1.5)
            _, ground, median, spread, top = kinds[dice.choice(len(kinds), p=weight / weight.sum())]
            if not ground or block.is_empty:
                continue
            number = max(1, int(block.area / ground * dice.uniform(0.7, 1.0)))
            west, south, east, north = block.bounds
            across = max(1, round(np.sqrt(number * (east - west) / (north - south))))
            down = -(-number // across)
            u, v = np.meshgrid(np.arange(across) + 0.5, np.arange(down) + 0.5)
            spots = np.column_stack(
                [
                    west + u.ravel() / across * (east - west),
                    south + v.ravel() / down * (north - south),
                ]
            )[:number]
            spots += dice.normal(0, 2.0, spots.shape)
            for spot in spots:
                if block.contains(shapely.Point(spot)) and not water.contains(shapely.Point(spot)):
                    ids.append(f"b{len(ids):06d}")
                    drawn = np.exp(dice.normal(np.log(median), spread))
                    counts.append(int(np.clip(round(drawn), 1, top)))
                    places.append(shapely.Point(spot))

    def layer(columns: dict[str, list], geometry: list) -> gpd.GeoDataFrame:
        frame = gpd.GeoDataFrame(columns, geometry=geometry, crs=METRES)
        return frame.set_geometry(frame.geometry.translate(*CORNER)).to_crs(4326)

    return (
        layer({"code": ["150121001001"]}, [shapely.box(0, 0, width, height)]),
        layer({"id": ids, "households": counts}, places),
        layer({"kind": names}, lines),
    )


@dataclass
class Figures:
    """One line of the table."""

    grids: int
    within: float
    broken: int
    deviation: float
    compactness: float
    arterial_km: float
    closed_km: float
    cpu_s: float


def measure(cells: Cells, graph: CellGraph, label: np.ndarray, cpu_s: float) -> Figures:
    """The same figures for every method, from its labels."""
    label = np.unique(label, return_inverse=True)[1]
    load = np.bincount(label, graph.households)
    off = np.abs(load - TARGET) / TARGET
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
        within=float((off <= TOLERANCE + 1e-9).mean()),
        broken=int((np.bincount(pieces) > 1).sum()),
        deviation=float(off.mean()),
        compactness=float(compactness(outlines).mean()),
        arterial_km=km("arterial"),
        closed_km=km("rail") + km("river"),
        cpu_s=cpu_s,
    )


def by_wangge(graph: CellGraph, seed: int) -> np.ndarray:
    generator = np.random.default_rng(seed)
    return divide(
        graph,
        target=TARGET,
        tolerance=TOLERANCE,
        generator=generator,
        prices=Prices(),
        effort=Effort(),
    ).label


def by_metis_contiguous(graph: CellGraph, seed: int) -> np.ndarray:
    """METIS asked for contiguous parts."""
    return by_metis(graph, seed, contiguous=True)


def by_metis(graph: CellGraph, seed: int, *, contiguous: bool = False) -> np.ndarray:
    """METIS per part of the walk graph; the best of three imbalances by grids within 10 %."""
    counts, _ = fair_counts(graph, TARGET, TOLERANCE)
    best, most = np.zeros(graph.size, dtype=int), -1
    for imbalance in (10, 30, 80):
        label = np.zeros(graph.size, dtype=int)
        done = 0
        for part, count in enumerate(counts):
            cells = np.flatnonzero(graph.component == part)
            if count > 1:
                local = np.full(graph.size, -1)
                local[cells] = np.arange(len(cells))
                near, starts, weights = [], [0], []
                for cell in cells:
                    edges = np.arange(graph.starts[cell], graph.starts[cell + 1])
                    edges = edges[graph.walk[edges]]
                    near += local[graph.ends[edges]].tolist()
                    plain = graph.metres[edges] @ np.array([1.0, 0.5, 0.1, 0.1, 0.1, 0.1])
                    weights += np.maximum(1, plain).astype(int).tolist()
                    starts.append(len(near))
                options = pymetis.Options(ufactor=imbalance, contig=int(contiguous), seed=seed)
                _, parts = pymetis.part_graph(
                    int(count),
                    adjacency=pymetis.CSRAdjacency(starts, near),
                    eweights=weights,
                    vweights=graph.households[cells].tolist(),
                    recursive=False,
                    options=options,
                )
                label[cells] = done + np.asarray(parts)
            else:
                label[cells] = done
            done += count
        load = np.bincount(np.unique(label, return_inverse=True)[1], graph.households)
        good = int((np.abs(load - TARGET) <= TARGET * TOLERANCE).sum())
        if good > most:
            best, most = label, good
    return best


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--households", type=int, default=40_000)
    parser.add_argument("--seeds", type=int, nargs="+", default=[101, 102, 103])
    parser.add_argument("--profile", choices=sorted(PROFILES), default="urban")
    options = parser.parse_args()
    methods: dict[str, Callable[[CellGraph, int], np.ndarray]] = {"wangge": by_wangge}
    if pymetis is not None:
        methods |= {"METIS": by_metis, "METIS contig": by_metis_contiguous}
    else:
        print("pymetis is not installed: METIS is left out")
    area, buildings, barriers = made_town(3_000, 1)
    draw(area, buildings, barriers)  # compiles, or loads what was compiled
    head = (
        "town          method        grids  within  broken   mean dev  compact  arterial km  "
        "rail+river km   CPU s"
    )
    print(head)
    total: dict[str, list[Figures]] = {name: [] for name in methods}
    for seed in options.seeds:
        area, buildings, barriers = made_town(options.households, seed, options.profile)
        start = time.process_time()
        town = read_town(area, buildings, barriers, target=TARGET, tolerance=TOLERANCE)
        cells = draw_cells(town)
        graph = graph_of(cells)
        prepared = time.process_time() - start
        for name, method in methods.items():
            start = time.process_time()
            label = method(graph, 1)
            figures = measure(cells, graph, label, time.process_time() - start)
            total[name].append(figures)
            show(f"{options.profile} {seed}", name, figures)
        people = int(buildings["households"].sum())
        print(
            f"  {people:,} households, {len(buildings):,} buildings, {graph.size:,} cells; "
            f"layers to cell graph {prepared:.1f} s CPU"
        )
    for name, rows in total.items():
        names = Figures.__annotations__
        median = Figures(*(np.median([getattr(row, f) for row in rows]) for f in names))
        show("median", name, median)


def show(town: str, name: str, row: Figures) -> None:
    print(
        f"{town:13} {name:13} {row.grids:5.0f}  {row.within:6.1%}  {row.broken:6.0f}   "
        f"{row.deviation:8.1%}  {row.compactness:7.3f}  {row.arterial_km:11.2f}  "
        f"{row.closed_km:13.2f}  {row.cpu_s:6.2f}"
    )


if __name__ == "__main__":
    main()
