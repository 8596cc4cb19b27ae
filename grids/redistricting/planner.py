"""Draw grids of equal households: the planner's front door, from layers to a `Plan`."""

from __future__ import annotations

from functools import partial
from types import MappingProxyType

import geopandas as gpd
import numpy as np
import pandas as pd
import shapely

from grids.redistricting.borders import TilingBroken, compactness, dissolve, to_area_crs
from grids.redistricting.cells import Cells, draw_cells
from grids.redistricting.compiled import Ints, Labels
from grids.redistricting.explain import explain
from grids.redistricting.graph import CellGraph, build_graph
from grids.redistricting.inputs import Town, read_town
from grids.redistricting.numbering import number_grids
from grids.redistricting.plan import Plan
from grids.redistricting.rules import Effort, Prices
from grids.redistricting.search import Progress, divide


def draw(
    area: gpd.GeoDataFrame,
    buildings: gpd.GeoDataFrame,
    barriers: gpd.GeoDataFrame | None = None,
    *,
    target: float = 300,
    tolerance: float = 0.10,
    seed: int = 1,
    prices: Prices | None = None,
    effort: Effort | None = None,
    progress: Progress | None = None,
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
        What the search pays for and how long it goes on; defaults in `rules`.
    progress
        Called with the name of the stage and the share done, 0 to 1; may raise to cancel.

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
    """
    tell = progress or (lambda _stage, _share: None)
    tell("reading", 0.0)
    town = read_town(area, buildings, barriers, target=target, tolerance=tolerance)
    tell("drawing cells", 0.05)
    cells = draw_cells(town)
    graph = graph_of(cells)
    label = _divide_by_norm(
        town,
        cells,
        generator=np.random.default_rng(seed),
        prices=prices or Prices(),
        effort=effort or Effort(),
        progress=lambda stage, share: tell(stage, 0.3 + 0.5 * share),
    )
    tell("drawing borders", 0.85)
    plan = _plan(town, cells, graph, label, target=target, tolerance=tolerance, seed=seed)
    tell("done", 1.0)
    return plan


def _divide_by_norm(
    town: Town,
    cells: Cells,
    *,
    generator: np.random.Generator,
    prices: Prices,
    effort: Effort,
    progress: Progress,
) -> Labels:
    """Divide the units of each norm on their own: grids never cross from one to another."""
    norms = np.column_stack([town.targets, town.tolerances])
    kinds, norm_of_unit = np.unique(norms, axis=0, return_inverse=True)
    norm_of_cell = norm_of_unit.reshape(-1)[cells.unit]
    label = np.zeros(len(cells.unit), dtype=np.int32)
    grids = 0
    for number, (target, tolerance) in enumerate(kinds):
        mine = np.flatnonzero(norm_of_cell == number)
        if not len(mine):
            continue
        division = divide(
            graph_of(cells, mine),
            target=float(target),
            tolerance=float(tolerance),
            generator=generator,
            prices=prices,
            effort=effort,
            progress=partial(_within_whole, progress, number, len(kinds)),
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


def _plan(
    town: Town,
    cells: Cells,
    graph: CellGraph,
    label: Labels,
    *,
    target: float,
    tolerance: float,
    seed: int,
) -> Plan:
    outlines = dissolve(cells.polygons, label)
    count = len(outlines)
    first = np.full(count, len(label))
    np.minimum.at(first, label, np.arange(len(label)))
    unit = cells.unit[first]
    codes_of_units = np.array(town.unit_codes, dtype=object)
    digits = max(3, len(str(int(np.bincount(unit).max()))))
    places = shapely.get_coordinates(shapely.point_on_surface(outlines))
    codes = np.array(number_grids(places, list(codes_of_units[unit]), digits), dtype=object)
    given = to_area_crs(town, cells.polygons, cells.unit)
    drawn = dissolve(given, label)
    if not shapely.coverage_is_valid(drawn):
        raise TilingBroken("the grids drawn overlap or leave gaps between them")
    households = np.bincount(label, cells.households, count).astype(np.int64)
    rows = np.argsort(codes, kind="stable")
    grids = (
        gpd.GeoDataFrame(
            {
                "code": codes,
                "unit": codes_of_units[unit],
                "households": households,
                "buildings": np.bincount(label[cells.of_building], minlength=count).astype(
                    np.int64
                ),
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
    ids = pd.Series(town.ids).groupby(cells.of_building).agg(list)
    number = np.arange(len(label))
    table = gpd.GeoDataFrame(
        {
            "cell_id": number,
            "building_ids": [ids.get(cell, []) for cell in number],
            "households": cells.households,
            "block": cells.block,
            "unit": codes_of_units[cells.unit],
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
    findings = explain(
        town,
        cells,
        graph,
        label,
        codes=codes,
        outlines=outlines,
    )
    settings = MappingProxyType(
        {
            "target": target,
            "tolerance": tolerance,
            "seed": seed,
            "digits": digits,
            "metres": town.metres.name,
        }
    )
    return Plan(grids, table, tuple(findings), settings)
