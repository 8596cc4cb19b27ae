"""From checked layers to cells, and from cells to a grid for each: the middle of the planner."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial

import geopandas as gpd
import numpy as np
import pandas as pd
import shapely

from gis.errors import BadInput, Problem
from grids.redistricting.cells import Cells, draw_cells
from grids.redistricting.checks import column_problems, ids_of
from grids.redistricting.compiled import Flags, Floats, Ints, Labels
from grids.redistricting.explain import tell_exclusive
from grids.redistricting.graph import CellGraph, build_graph
from grids.redistricting.ground import prepare_ground
from grids.redistricting.inputs import Town, read_town
from grids.redistricting.limits import Limits, compactness_of, counts_for, ways_m
from grids.redistricting.lineage import older_grids
from grids.redistricting.plan import Plan
from grids.redistricting.rules import Effort, Prices
from grids.redistricting.search import Progress, divide, fair_counts

STRAIGHTER = (1.0, 1.6, 2.5)
"""Prices of borders tried, in turn, while grids are beyond the limits of shape."""


@dataclass(frozen=True)
class Request:
    """What is asked of the search, apart from layers."""

    prices: Prices
    effort: Effort
    limits: Limits
    seed: int
    keep: float
    second_weight: float
    is_over: Callable[[], bool]


@dataclass(frozen=True)
class Layout:
    """A town cut into cells, ready to be divided."""

    town: Town
    cells: Cells
    graph: CellGraph
    is_locked: Flags
    parents: list[str]
    older: Ints | None
    older_codes: list[str]
    second: Floats | None


def lay_ready(
    area: gpd.GeoDataFrame,
    buildings: gpd.GeoDataFrame,
    barriers: gpd.GeoDataFrame | None,
    *,
    target: float,
    tolerance: float,
    tell: Progress,
    before: gpd.GeoDataFrame | Plan | None = None,
    locked: gpd.GeoDataFrame | None = None,
    exclusive: gpd.GeoDataFrame | None = None,
    second: str | None = None,
) -> Layout:
    """Check the layers and cut the area into cells."""
    tell("reading", 0.0)
    is_locked, parents = None, None
    if (locked is not None and len(locked)) or (exclusive is not None and len(exclusive)):
        ground = prepare_ground(area, locked, exclusive)
        area, is_locked, parents = ground.area, ground.is_locked, ground.codes
    town = read_town(area, buildings, barriers, target=target, tolerance=tolerance)
    if exclusive is not None and len(exclusive):
        tell_exclusive(town, exclusive)
    tell("drawing cells", 0.05)
    cells = draw_cells(town)
    older: Ints | None = None
    older_codes: list[str] = []
    if before is not None:
        layer = before.grids if isinstance(before, Plan) else before
        older, older_codes = older_grids(town, cells, layer)
    return Layout(
        town,
        cells,
        graph_of(cells),
        np.zeros(len(town.units), dtype=bool) if is_locked is None else is_locked,
        town.unit_codes if parents is None else parents,
        older,
        older_codes,
        None if second is None else _second_of(town, cells, buildings, second),
    )


def _second_of(town: Town, cells: Cells, buildings: gpd.GeoDataFrame, name: str) -> Floats:
    """Another measure of each cell."""
    problems = list(column_problems(buildings, "buildings", name))
    if problems:
        raise BadInput(problems)
    figures = pd.to_numeric(buildings[name], errors="coerce").to_numpy(dtype=float)
    wrong = np.flatnonzero(~(figures >= 0) | ~np.isfinite(figures))
    if len(wrong):
        raise BadInput(
            [
                Problem(
                    f"{name} is {buildings[name].iloc[row]}",
                    "Give a number, 0 or more",
                    "buildings",
                    int(row) + 1,
                    name,
                )
                for row in wrong[:1000]
            ]
        )
    held = pd.Series(figures, index=ids_of(buildings))[town.ids].to_numpy()
    return np.asarray(np.bincount(cells.of_building, held, len(cells.unit)), dtype=float)


def counted(ground: Layout, limits: Limits) -> tuple[Layout, Ints | None]:
    """Grids each part must have where their number is asked for, with the target that gives."""
    town, cells = ground.town, ground.cells
    free = np.flatnonzero(~ground.is_locked[cells.unit])
    if (limits.count, limits.minimum, limits.maximum) == (None, None, None) or not len(free):
        return ground, None
    graph = graph_of(cells, free)
    demand = graph.households / town.targets[graph.unit]
    natural = 0
    for target, tolerance, mine in _norms(town, graph.unit):
        counts, _ = fair_counts(graph_of(cells, free[mine]), target, tolerance)
        natural += int(counts.sum())
    number = limits.asked(natural)
    if number is None:
        return ground, None
    counts = counts_for(graph, demand, number)
    scale = demand.sum() / number
    if scale > 0:
        targets = np.where(ground.is_locked, town.targets, town.targets * scale)
        ground = replace(ground, town=replace(town, targets=targets))
    of_cell = np.zeros(len(cells.unit), dtype=np.int64)
    of_cell[free] = counts[graph.component]
    return ground, of_cell


def _norms(town: Town, unit: Ints) -> list[tuple[float, float, Ints]]:
    """Target and tolerance of each norm, and the cells it holds for."""
    pairs = np.column_stack([town.targets, town.tolerances])
    kinds, norm = np.unique(pairs, axis=0, return_inverse=True)
    norm_of_cell = norm.reshape(-1)[unit]
    return [
        (float(kinds[number, 0]), float(kinds[number, 1]), np.flatnonzero(norm_of_cell == number))
        for number in range(len(kinds))
    ]


def label_cells(
    ground: Layout, request: Request, counts: Ints | None, progress: Progress
) -> Labels:
    """Label of each cell; straighter borders are tried while limits of shape are broken."""
    limits = request.limits
    is_shaped = limits.compactness > 0 or np.isfinite(limits.walk_m)
    best, fewest = None, (np.inf, np.inf)
    for factor in STRAIGHTER if is_shaped else (1.0,):
        prices = replace(request.prices, border=request.prices.border * factor)
        label = _divide_once(ground, replace(request, prices=prices), counts, progress)
        if not is_shaped:
            return label
        graph = ground.graph
        outline = shapely.length(ground.cells.polygons)
        compact = compactness_of(graph, outline, label)
        broken = (compact < limits.compactness) | (ways_m(graph, label) > limits.walk_m)
        unit = np.zeros(len(compact), dtype=np.int64)
        unit[label] = ground.cells.unit
        broken &= ~ground.is_locked[unit]
        off = np.abs(np.bincount(label, graph.households) / ground.town.targets[unit] - 1)
        rank = (float(broken.sum() + (off > ground.town.tolerances[unit]).sum()), factor)
        if rank < fewest:
            best, fewest = label, rank
        if not broken.any():
            break
    assert best is not None
    return best


def _divide_once(
    ground: Layout, request: Request, counts: Ints | None, progress: Progress
) -> Labels:
    """Divide the units of each norm on their own: grids never cross from one to another."""
    town, cells = ground.town, ground.cells
    generator = np.random.default_rng(request.seed)
    label = np.zeros(len(cells.unit), dtype=np.int32)
    locked = ground.is_locked[cells.unit]
    grids = 0
    if locked.any():
        label[locked] = np.unique(cells.unit[locked], return_inverse=True)[1]
        grids = int(label[locked].max()) + 1
    free = np.flatnonzero(~locked)
    norms = [norm for norm in _norms(town, cells.unit[free]) if len(norm[2])]
    for number, (target, tolerance, which) in enumerate(norms):
        mine = free[which]
        graph = graph_of(cells, mine)
        wanted = None
        if counts is not None:
            wanted = np.zeros(int(graph.component.max()) + 1, dtype=np.int64)
            wanted[graph.component] = counts[mine]
        division = divide(
            graph,
            target=target,
            tolerance=tolerance,
            generator=generator,
            prices=request.prices,
            effort=request.effort,
            progress=partial(_within_whole, progress, number, len(norms)),
            counts=wanted,
            before=None if ground.older is None else ground.older[mine],
            keep=request.keep,
            second=None if ground.second is None else ground.second[mine],
            second_weight=request.second_weight,
            is_over=request.is_over,
        )
        label[mine] = division.label + grids
        grids = int(label[mine].max()) + 1
    return label


def _within_whole(progress: Progress, part: int, parts: int, stage: str, share: float) -> None:
    progress(stage, (part + share) / parts)


def graph_of(cells: Cells, only: Ints | None = None) -> CellGraph:
    """Cell graph of a town's planning cells, or of some of them, numbered from 0 as listed."""
    kept = np.arange(len(cells.unit)) if only is None else only
    place = np.full(len(cells.unit), -1, dtype=np.int64)
    place[kept] = np.arange(len(kept))
    inside = (place[cells.pairs] >= 0).all(axis=1)
    middles = shapely.get_coordinates(shapely.centroid(cells.polygons[kept]))
    return build_graph(
        place[cells.pairs[inside]],
        cells.metres[inside],
        cells.bridged[inside],
        households=cells.households[kept],
        area_m2=shapely.area(cells.polygons[kept]),
        x=middles[:, 0].copy(),
        y=middles[:, 1].copy(),
        unit=cells.unit[kept],
        block=cells.block[kept],
    )
