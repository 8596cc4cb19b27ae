"""Draw grids of equal households: the planner's front door, from layers to a `Plan`."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from dataclasses import asdict, replace
from functools import partial
from types import MappingProxyType
from typing import Any

import geopandas as gpd
import numpy as np
import pandas as pd
import shapely

from gis.errors import BadInput, Problem
from grids.redistricting.borders import TilingBroken, compactness, dissolve, to_area_crs
from grids.redistricting.camps import Camps, camps_apart, explain_camps
from grids.redistricting.causes import Weighing
from grids.redistricting.codes import grid_codes, units_of
from grids.redistricting.compiled import Labels
from grids.redistricting.curve import curve_of, point_of
from grids.redistricting.explain import explain, explain_locks, explain_shapes, explain_travel
from grids.redistricting.layout import Layout, Request, counted, label_cells, lay_ready
from grids.redistricting.limits import (
    Cancel,
    Cancelled,
    Limits,
    effort_of,
    prices_of,
)
from grids.redistricting.lineage import lineage
from grids.redistricting.memory import give_back
from grids.redistricting.pins import explain_pins, pinned_households
from grids.redistricting.plan import RULES, Plan
from grids.redistricting.rules import GROUND, KEEP, Effort, Prices, Speeds
from grids.redistricting.search import Progress
from grids.redistricting.shapes import ways_m


def draw(
    area: gpd.GeoDataFrame,
    buildings: gpd.GeoDataFrame,
    barriers: gpd.GeoDataFrame | None = None,
    *,
    target: float = 300,
    tolerance: float = 0.10,
    seed: int = 1,
    prices: Prices | str | None = None,
    effort: Effort | str | float | None = None,
    before: gpd.GeoDataFrame | Plan | None = None,
    keep: float = KEEP,
    keeps: Sequence[float] = (),
    locked: gpd.GeoDataFrame | None = None,
    pinned: pd.DataFrame | None = None,
    exclusive: gpd.GeoDataFrame | None = None,
    count: int | None = None,
    minimum: int | None = None,
    maximum: int | None = None,
    second: str | None = None,
    second_weight: float = 1.0,
    compactness_floor: float = 0.0,
    walk_m: float = np.inf,
    camps: gpd.GeoDataFrame | None = None,
    speeds: Speeds | None = None,
    travel_min: float = np.inf,
    progress: Progress | None = None,
    cancel: Cancel | None = None,
) -> Plan:
    """Divide an area into grids of about `target` households each.

    Every grid is one valid polygon inside one area row, holds whole buildings, and can be walked
    from end to end without leaving it or crossing rail or river except at a bridge. Grids of one
    area row tile it exactly. Borders follow barriers where they can.

    Parameters
    ----------
    area
        Polygons in any CRS. With a column ``code`` (text) grid codes begin with it; each row is
        divided on its own and no grid crosses into another. Columns ``target`` and
        ``tolerance``, where a row has them, go before the figures for all.
    buildings
        Points or polygons in any CRS with ``households`` (whole numbers) and an id column
        (``building_id``, ``id``, ``fid``, ``gid``, ``osm_id``, ``objectid`` or ``code``, else
        the index).
    barriers
        Lines (or polygons: their outlines) with ``kind`` ``street``, ``arterial``, ``wall``,
        ``rail`` or ``river``, and points, lines or polygons with ``kind`` ``bridge``, which open
        rail and river within 30 m.
    target
        Households per grid, 1 or more.
    tolerance
        Largest share by which a grid should deviate from the target, 0 to 0.99.
    seed
        The same input and seed give the same plan.
    prices, effort
        What the search pays for and how long it goes on, or a name of `PRICES` and `EFFORTS` in
        `rules`. An effort in seconds is this machine's time: only then does the plan depend on it.
    before
        An older plan (its grids with ``code``, or a `Plan`) to change as little as possible. Its
        codes live on where half of a grid's households stay together.
    keep
        Price of each household that goes to another grid than in `before`; 0 for none.
    keeps
        Other such prices to try, one after another, with all else as asked: `Plan.curve` tells
        what each would bring. Each is a search more on the same cells, and has the whole time
        where the effort is in seconds. Only with `before`.
    locked
        Grids with ``code`` that stay exactly as they are; counted within the plan.
    pinned
        Buildings that must lie in a grid of `before`: ``code`` of the grid and ``building_id``;
        or points with ``code``, for ground where nobody lives. What cannot be is told and why.
    exclusive
        Polygons that are no part of the plan, such as a campus with a grid of its own kind.
    count, minimum, maximum
        Grids to draw: exactly so many (the target is then the households divided by it), or
        within bounds; locked grids are not counted.
    second, second_weight
        Another column of `buildings` to be balanced after the households, and its weight beside
        them; the grids get its sum. ``area_m2`` needs no column: it is the ground of the grids.
    compactness_floor, walk_m
        Lowest Polsby-Popper, and longest way on foot across a grid in metres. Grids beyond them
        are divided anew with their neighbours, and named in the findings where nothing helps.
    camps
        Points with ``building_id`` (id of a row of `buildings`) where its households live part
        of the year, and if there are several ``season`` (text). They are counted at home; the
        price ``apart`` of `prices` is paid for households whose camp lies in another grid.
    speeds
        Distances are counted by travel time, at these speeds; as `travel_min` does at the usual.
    travel_min
        Longest time between two households of a grid in minutes, at home and in each season,
        by any way in the area: mended and told like the limits of shape.
    progress
        Called with the name of the stage and the share done, 0 to 1; may raise to cancel.
    cancel
        An event, or a function that says True, to stop: `Cancelled` is raised.

    Returns
    -------
    Plan
        In the CRS of `area`. Rules that could not be kept are in its findings, never hidden:
        where the households of a row do not divide by the target they are divided evenly; a
        building above the tolerance is a grid of its own; ground cut off by rail or river
        without a bridge is a grid of its own, however small; a row below one grid is one grid.

    Raises
    ------
    BadInput
        With every problem found in the layers and figures.
    Cancelled
        `cancel` said so.
    """
    search, is_over = effort_of(effort)
    limits = Limits(count, minimum, maximum, compactness_floor, walk_m, travel_min)
    request = Request(
        prices_of(prices), search, limits, seed, float(keep), float(second_weight), is_over
    )
    others = sorted({float(each) for each in keeps} - {request.keep})
    _check(request, speeds, others, has_before=before is not None)
    tell = _told(progress, cancel, 1 / (1 + len(others)))
    ground = lay_ready(
        area,
        buildings,
        barriers,
        target=target,
        tolerance=tolerance,
        before=before,
        locked=locked,
        pinned=pinned,
        exclusive=exclusive,
        second=second,
        camps=camps,
        speeds=speeds,
        travel_min=travel_min,
        tell=tell,
    )
    ground, counts = counted(ground, limits)
    label = label_cells(
        ground, request, counts, lambda stage, share: tell(stage, 0.3 + 0.5 * share)
    )
    # Before the borders, for which the cells leave the metres that the search needs.
    points = [point_of(ground, label, request.keep, is_drawn=True)] if keeps else []
    for turn, price in enumerate(others):
        asked = replace(request, keep=price, is_over=effort_of(effort)[1])
        tried = label_cells(ground, asked, counts, partial(_at_price, tell, turn, price))
        points.append(point_of(ground, tried, price))
    tell("drawing borders", 0.85 + len(others))
    settings = {"target": target, "tolerance": tolerance, "seed": seed}
    weighing = Weighing(
        request.prices, 0.0 if ground.older is None else request.keep, counts is not None
    )
    plan = _plan(ground, label, limits=limits, weighing=weighing, settings=settings, second=second)
    if keeps:
        plan = replace(plan, curve=curve_of(points))
    tell("done", 1.0 + len(others))
    return plan


def _check(
    request: Request, speeds: Speeds | None, keeps: Sequence[float], *, has_before: bool
) -> None:
    problems = request.limits.problems()
    if request.seed < 0:
        remedy = "Give a whole number, 0 or more"
        problems.append(Problem(f"seed is {request.seed}", remedy, field="seed"))
    if keeps and not has_before:
        remedy = "Give the plan before as well, or leave out the curve"
        problems.append(Problem("a curve compares with an older plan", remedy, field="keeps"))
    for name, value in asdict(speeds).items() if speeds else ():
        if not 0 < value < np.inf:
            problems.append(Problem(f"{name} is {value}", "Give km/h, above 0", field=name))
    figures = [("keep", request.keep), ("second_weight", request.second_weight)]
    for name, value in figures + [("keeps", price) for price in keeps]:
        if not 0 <= value < np.inf:
            problems.append(Problem(f"{name} is {value}", "Give a number, 0 or more", field=name))
    if problems:
        raise BadInput(problems)


def _told(progress: Progress | None, cancel: Cancel | None, scale: float) -> Progress:
    """Progress, its shares times `scale`, that also asks whether to stop."""
    stop = cancel.is_set if isinstance(cancel, threading.Event) else cancel

    def tell(stage: str, share: float) -> None:
        if stop is not None and stop():
            raise Cancelled("the drawing was cancelled; nothing was changed")
        if progress is not None:
            progress(stage, min(1.0, share * scale))

    return tell


def _at_price(tell: Progress, turn: int, price: float, _stage: str, share: float) -> None:
    tell(f"trying a price of {price:g}", 0.8 + turn + share)


def _camp_figures(ground: Layout, camps: Camps, label: Labels) -> dict[str, int]:
    """Households that have a camp in the area, and those with one in another grid."""
    people = ground.town.households
    apart = camps_apart(ground.cells, camps, label)
    return {
        "households_with_camp": int(people[np.unique(camps.home)].sum()),
        "households_apart": int(people[np.unique(camps.home[apart])].sum()),
    }


def _plan(
    ground: Layout,
    label: Labels,
    *,
    limits: Limits,
    weighing: Weighing,
    settings: dict[str, Any],
    second: str | None,
) -> Plan:
    town, cells, graph = ground.town, ground.cells, ground.graph
    give_back()
    outlines = dissolve(cells.polygons, label)
    count = len(outlines)
    unit = units_of(ground, label)
    parents = np.array(ground.parents, dtype=object)
    codes, digits = grid_codes(ground, label, unit, outlines)
    findings = explain(
        town,
        cells,
        graph,
        label,
        codes=codes,
        outlines=outlines,
        is_locked=ground.is_locked,
        pinned=pinned_households(cells, ground.pins, label),
        weighing=weighing,
    )
    findings += explain_shapes(
        town, limits, codes=codes, outlines=outlines, ways=ways_m(graph, label)
    )
    if ground.travel is not None and np.isfinite(limits.travel_min):
        findings += explain_travel(town, cells, ground.travel, label, codes=codes)
    if ground.camps is not None:
        findings += explain_camps(
            town, cells, graph, ground.camps, label=label, codes=codes, is_locked=ground.is_locked
        )
        settings |= _camp_figures(ground, ground.camps, label)
    if ground.pins is not None and ground.older is not None:
        findings += explain_pins(
            town,
            cells,
            graph,
            ground.pins,
            label=label,
            codes=codes,
            older=ground.older,
            older_codes=ground.older_codes,
            is_locked=ground.is_locked,
        )
    findings += explain_locks(town, cells, ground.is_locked, ground.parents)
    # From here on the cells' polygons are no longer in metres.
    given = to_area_crs(town, cells.polygons, cells.unit)
    drawn = dissolve(given, label)
    if not shapely.coverage_is_valid(drawn):
        raise TilingBroken("the grids drawn overlap or leave gaps between them")
    households = np.bincount(label, cells.households, count).astype(np.int64)
    rows = np.argsort(codes, kind="stable")
    # Camps are the last places of the town; they are no buildings.
    of_building = cells.of_building[: None if ground.camps is None else ground.camps.first]
    grids = (
        gpd.GeoDataFrame(
            {
                "code": codes,
                "unit": parents[unit],
                "households": households,
                "buildings": np.bincount(label[of_building], minlength=count).astype(np.int64),
                "target": town.targets[unit],
                "tolerance": town.tolerances[unit],
                "deviation": households / town.targets[unit] - 1,
                "compactness": compactness(outlines),
                "area_m2": shapely.area(outlines),
            },
            geometry=drawn,
            crs=town.crs,
        )
        .iloc[rows]
        .reset_index(drop=True)
    )
    ids = pd.Series(town.ids[: len(of_building)]).groupby(of_building).agg(list)
    number = np.arange(len(label))
    table = gpd.GeoDataFrame(
        {
            "cell_id": number,
            "building_ids": [ids.get(cell, []) for cell in number],
            "households": cells.households,
            "block": cells.block,
            "unit": parents[cells.unit],
            "grid": codes[label],
            "neighbours": np.split(graph.ends, graph.starts[1:-1]),
            "doors": [
                ends[walk]
                for ends, walk in zip(
                    np.split(graph.ends, graph.starts[1:-1]),
                    np.split(graph.walk, graph.starts[1:-1]),
                    strict=True,
                )
            ],
        },
        geometry=given,
        crs=town.crs,
    )
    if second not in {None, GROUND} and ground.second is not None:
        grids.insert(4, second, np.bincount(label, ground.second, count)[rows])
    order = list(RULES)
    findings.sort(key=lambda f: (order.index(f.rule), -abs(f.value), f.place, f.text))
    settings |= {"digits": digits, "metres": town.metres.name}
    history = None
    if ground.older is not None:
        history = lineage(
            label,
            ground.older,
            households=cells.households,
            area_m2=graph.area_m2,
            codes=codes,
            older_codes=ground.older_codes,
        )
        settings["households_moved"] = int(history["moved"].sum())
    return Plan(grids, table, tuple(findings), MappingProxyType(settings), history)
