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
from grids.redistricting.camps import Camps, camp_problems, seasons_of, settle, ties_of
from grids.redistricting.cells import Cells, draw_cells
from grids.redistricting.checks import column_problems, ids_of
from grids.redistricting.compiled import Flags, Floats, Ints, Labels
from grids.redistricting.explain import tell_exclusive
from grids.redistricting.graph import CellGraph, build_graph
from grids.redistricting.ground import prepare_ground
from grids.redistricting.inputs import Town, read_town
from grids.redistricting.limits import Limits, asked_for, counts_for
from grids.redistricting.lineage import older_grids
from grids.redistricting.memory import give_back, pack
from grids.redistricting.pins import Pins, pin_problems, place_pins
from grids.redistricting.plan import Plan
from grids.redistricting.rules import GROUND, TAKEN, Effort, Prices, Speeds
from grids.redistricting.search import Progress, divide, fair_counts
from grids.redistricting.shapes import Shapes
from grids.redistricting.ties import Ties
from grids.redistricting.travel import Travel, draw_ways, step_metres


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
    camps: Camps | None = None
    ties: Ties | None = None
    travel: Travel | None = None
    pins: Pins | None = None


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
    pinned: pd.DataFrame | None = None,
    exclusive: gpd.GeoDataFrame | None = None,
    second: str | None = None,
    camps: gpd.GeoDataFrame | None = None,
    speeds: Speeds | None = None,
    travel_min: float = np.inf,
) -> Layout:
    """Check the layers and cut the area into cells."""
    tell("reading", 0.0)
    is_locked, parents = None, None
    layer = before.grids if isinstance(before, Plan) else before
    if (locked is not None and len(locked)) or (exclusive is not None and len(exclusive)):
        ground = prepare_ground(area, locked, exclusive)
        area, is_locked, parents = ground.area, ground.is_locked, ground.codes
    town = read_town(
        area,
        buildings,
        barriers,
        target=target,
        tolerance=tolerance,
        more=[
            *camp_problems(camps, buildings),
            *pin_problems(pinned, buildings, layer),
        ],
    )
    if exclusive is not None and len(exclusive):
        tell_exclusive(town, exclusive)
    measure = None if second in {None, GROUND} else _measure_of(town, buildings, second or "")
    held = None
    if camps is not None and len(camps):
        town, held = settle(town, camps)
    tell("drawing cells", 0.05)
    cells = draw_cells(town)
    pack(cells.polygons)
    travel = None
    if speeds is not None or np.isfinite(travel_min):
        tell("measuring ways", 0.25)
        ways = draw_ways(town, cells, speeds or Speeds())
        travel = Travel(ways, seasons_of(town, cells, held), travel_min)
    older: Ints | None = None
    older_codes: list[str] = []
    if layer is not None:
        older, older_codes = older_grids(town, cells, layer)
    graph = graph_of(cells)
    give_back()
    if is_locked is None:
        is_locked = np.zeros(len(town.units), dtype=bool)
    pins = None
    if pinned is not None and len(pinned) and older is not None:
        pins = place_pins(
            town,
            cells,
            graph,
            pinned,
            older=older,
            older_codes=older_codes,
            is_locked=is_locked,
        )
    return Layout(
        town,
        cells,
        graph,
        is_locked,
        town.unit_codes if parents is None else parents,
        older,
        older_codes,
        graph.area_m2 if second == GROUND else _of_cells(cells, measure),
        held,
        None if held is None else ties_of(town, cells, held),
        travel,
        pins,
    )


def _of_cells(cells: Cells, measure: Floats | None) -> Floats | None:
    """Sum of a measure of buildings in each cell; None for none."""
    if measure is None:
        return None
    mine = cells.of_building[: len(measure)]
    return np.asarray(np.bincount(mine, measure, len(cells.unit)), dtype=float)


def _measure_of(town: Town, buildings: gpd.GeoDataFrame, name: str) -> Floats:
    """Another measure of each building."""
    if name in TAKEN:
        reason, remedy = f"{name} is a figure of the grids already", "Call the column otherwise"
        raise BadInput(Problem(reason, remedy, field="second"))
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
    return np.asarray(pd.Series(figures, index=ids_of(buildings))[town.ids], dtype=float)


def counted(ground: Layout, limits: Limits) -> tuple[Layout, Ints | None]:
    """Grids each part must have where their number is asked for, with the target that gives."""
    town, cells = ground.town, ground.cells
    free = np.flatnonzero(~ground.is_locked[cells.unit])
    if (limits.count, limits.minimum, limits.maximum) == (None, None, None):
        return ground, None
    locked = int(ground.is_locked.sum())
    if not len(free):
        wanted = limits.count or limits.minimum
        if wanted is None:
            return ground, None
        raise BadInput(
            Problem(
                f"{asked_for(wanted, locked)}, but these are the whole area",
                "Unlock some of them, or leave the number out",
                field="minimum" if limits.count is None else "count",
            )
        )
    graph = graph_of(cells, free)
    demand = graph.households / town.targets[graph.unit]
    natural = 0
    for target, tolerance, mine in _norms(town, graph.unit):
        counts, _ = fair_counts(graph_of(cells, free[mine]), target, tolerance)
        natural += int(counts.sum())
    number = limits.asked(natural)
    if number is None:
        return ground, None
    counts = counts_for(graph, demand, number, locked)
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
    """Divide the units of each norm on their own: grids never cross from one to another."""
    town, cells = ground.town, ground.cells
    generator = np.random.default_rng(request.seed)
    label = np.zeros(len(cells.unit), dtype=np.int32)
    locked = ground.is_locked[cells.unit]
    grids = 0
    if locked.any():
        label[locked] = np.unique(cells.unit[locked], return_inverse=True)[1]
        grids = int(label[locked].max()) + 1
    older = ground.older if ground.pins is None else ground.pins.led
    pinned = None if ground.pins is None else ground.pins.wanted >= 0
    free = np.flatnonzero(~locked)
    norms = [norm for norm in _norms(town, cells.unit[free]) if len(norm[2])]
    for number, (target, tolerance, which) in enumerate(norms):
        mine = free[which]
        # A city's graph is large: not made twice where all of it is divided by one norm.
        graph = ground.graph if len(mine) == len(label) else graph_of(cells, mine)
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
            before=None if older is None else older[mine],
            keep=request.keep,
            pinned=None if pinned is None else pinned[mine],
            second=None if ground.second is None else ground.second[mine],
            second_weight=request.second_weight,
            is_over=request.is_over,
            ties=None if ground.ties is None else ground.ties.within(mine, len(label)),
            steps=None if ground.travel is None else _steps(ground, mine, graph),
            shapes=_shapes(ground, request.limits, mine, graph),
        )
        label[mine] = division.label + grids
        grids = int(label[mine].max()) + 1
    return label


def _steps(ground: Layout, mine: Ints, graph: CellGraph) -> Floats:
    """Metres of open ground that take as long as each step of a part's graph."""
    assert ground.travel is not None
    left = np.repeat(np.arange(graph.size), np.diff(graph.starts))
    straight = np.hypot(graph.x[left] - graph.x[graph.ends], graph.y[left] - graph.y[graph.ends])
    return step_metres(ground.travel.ways, graph.starts, graph.ends, straight, mine)


def _shapes(ground: Layout, limits: Limits, mine: Ints, graph: CellGraph) -> Shapes | None:
    """What is asked of the shapes of a part's grids; None for nothing."""
    is_timed = np.isfinite(limits.travel_min)
    if not (limits.compactness > 0 or np.isfinite(limits.walk_m) or is_timed):
        return None
    outline = shapely.length(ground.cells.polygons[mine])
    return Shapes(limits, graph, outline, ground.travel if is_timed else None, mine)


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
