"""Measure any layer of grids, drawn by the planner or by hand, by the same figures."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import geopandas as gpd
import numpy as np
import pandas as pd
import shapely

from gis.errors import BadInput
from grids.redistricting import checks
from grids.redistricting.borders import compactness
from grids.redistricting.compiled import Flags, Floats, Ints
from grids.redistricting.inputs import Geometries
from grids.redistricting.projection import metre_crs
from grids.redistricting.rules import BRIDGE, BRIDGE_REACH_M, CLOSED_KINDS

ALONG_M = 1.0
"""A barrier within this of a grid's border lies on the border, not inside the grid, metres."""

CUT_M2 = 0.5
"""A building counts as cut when more than this, and more than 1 % of it, lies in each of two
grids: below that two drawings of one line differ."""

SPECK_M2 = 0.01
"""Gaps and overlaps of a grid smaller than this are rounding, not ground; square metres."""


@dataclass(frozen=True, slots=True)
class Score:
    """Figures of a layer of grids. None where the layer needed was not given.

    Attributes
    ----------
    grids
        Number of grids.
    within
        Share of grids whose households lie within the tolerance of the target.
    mean_deviation, max_deviation
        Mean and largest absolute deviation from the target, as shares of it.
    mean_compactness, min_compactness
        Polsby-Popper in metres.
    gaps_m2, overlaps_m2, outside_m2
        Ground of the area in no grid, in more than one, and grids' ground outside the area.
    multipart, invalid
        Grids of several parts (or none), and grids that are no valid polygon.
    across_units
        Grids that reach over the line of an area row.
    not_on_foot
        Grids in whose ground rail or river separates people with no bridge inside.
    buildings_cut
        Footprints in more than one grid.
    households_unassigned
        Households in no grid.
    inside_m
        Metres of barrier inside grids, by kind.
    """

    grids: int
    within: float
    mean_deviation: float
    max_deviation: float
    mean_compactness: float
    min_compactness: float
    overlaps_m2: float
    multipart: int
    invalid: int
    gaps_m2: float | None = None
    outside_m2: float | None = None
    across_units: int | None = None
    not_on_foot: int | None = None
    buildings_cut: int | None = None
    households_unassigned: int | None = None
    inside_m: dict[str, float] | None = None


def score(
    grids: gpd.GeoDataFrame,
    *,
    target: float = 300,
    tolerance: float = 0.10,
    buildings: gpd.GeoDataFrame | None = None,
    area: gpd.GeoDataFrame | None = None,
    barriers: gpd.GeoDataFrame | None = None,
) -> Score:
    """Measure grids against what a plan is asked for.

    Households come from `buildings` where given, each counted in the grid that covers its middle
    (on a common border the grid with the lowest ``code``, else the first row); otherwise from the
    column ``households`` of the grids. Layers may be in any CRS.

    Raises
    ------
    BadInput
        No grids, no CRS, no households anywhere, wrong shapes or figures; all problems at once.
    """
    # Grids without a shape are counted as invalid, not refused.
    problems = [*checks.layer_problems(grids, "grids", checks.POLYGONS, may_lack=True)]
    if buildings is None:
        problems += checks.household_problems(grids, "grids", most=np.inf, is_whole=False)
    else:
        problems += checks.layer_problems(buildings, "buildings", checks.BUILDINGS)
        problems += checks.household_problems(buildings, "buildings")
    if area is not None:
        problems += checks.layer_problems(area, "area", checks.POLYGONS)
    if barriers is not None and len(barriers):
        problems += checks.layer_problems(barriers, "barriers", checks.BARRIERS)
        problems += checks.column_problems(barriers, "barriers", "kind")
    problems += checks.figure_problems(target, tolerance)
    if problems:
        raise BadInput(problems)
    metres = metre_crs(grids.geometry)
    shapes = np.array(grids.geometry.force_2d().to_crs(metres), dtype=object)
    missing = shapely.is_missing(shapes) | shapely.is_empty(shapes)
    shapes[missing] = shapely.Polygon()
    # Judged as handed in: another CRS may pinch a corner by a billionth of a metre.
    invalid = ~shapely.is_valid(grids.geometry.to_numpy()) | missing
    multipart = ~missing & (shapely.get_num_geometries(shapes) != 1)
    sound = np.where(shapely.is_valid(shapes), shapes, shapely.make_valid(shapes))
    own = np.asarray(shapely.make_valid(grids.geometry.force_2d().to_numpy()), dtype=object)
    own = own[~shapely.is_missing(own)]
    measured: dict[str, Any] = {}
    occupied: Geometries | None = None
    if buildings is not None:
        footprints = np.asarray(buildings.geometry.force_2d().to_crs(metres), dtype=object)
        middles = np.asarray(shapely.point_on_surface(footprints), dtype=object)
        people = pd.to_numeric(buildings["households"]).to_numpy(dtype=float)
        home = _homes(middles, sound, grids)
        occupied = middles[people > 0]
        load = np.bincount(home[home >= 0], people[home >= 0], len(shapes))
        measured["households_unassigned"] = int(people[home < 0].sum())
        measured["buildings_cut"] = _cut(footprints, sound)
    else:
        load = grids["households"].to_numpy(dtype=float)
    off = np.abs(load - target) / target
    with np.errstate(invalid="ignore", divide="ignore"):
        compact = np.nan_to_num(compactness(sound))
    if area is not None:
        measured |= _against_area(grids, area, metres)
    inside: dict[str, float] | None = None
    if barriers is not None:
        lines = np.asarray(barriers.geometry.force_2d().to_crs(metres), dtype=object)
        kinds = barriers["kind"].astype(str).to_numpy()
        inside = _inside(lines, kinds, sound)

        measured["not_on_foot"] = _not_on_foot(lines, kinds, sound, occupied)
    return Score(
        grids=len(shapes),
        within=float((off <= tolerance + 1e-9).mean()),
        mean_deviation=float(off.mean()),
        max_deviation=float(off.max()),
        mean_compactness=float(compact.mean()),
        min_compactness=float(compact.min()),
        overlaps_m2=_overlaps(own, _scale(grids.geometry, metres)),
        multipart=int((multipart | missing).sum()),
        invalid=int(invalid.sum()),
        inside_m=inside,
        **measured,
    )


def _homes(middles: Geometries, grids: Geometries, table: gpd.GeoDataFrame) -> Ints:
    """Grid of each point: the lowest code of those that cover it, -1 for none."""
    point, grid = shapely.STRtree(grids).query(middles, predicate="intersects")
    codes = table["code"].astype(str).to_numpy() if "code" in table.columns else np.empty(0)
    rank = np.arange(len(grids))
    if len(codes):
        rank = np.argsort(np.argsort(codes, kind="stable"), kind="stable")
    home = np.full(len(middles), -1, dtype=np.int64)
    order = np.argsort(-rank[grid], kind="stable")
    home[point[order]] = grid[order]
    return home


def _cut(footprints: Geometries, grids: Geometries) -> int:
    solid = footprints[shapely.get_dimensions(footprints) == 2]
    if not len(solid):
        return 0
    building, grid = shapely.STRtree(grids).query(solid, predicate="intersects")
    several = np.bincount(building, minlength=len(solid))[building] > 1
    building, grid = building[several], grid[several]
    share = shapely.area(shapely.intersection(solid[building], grids[grid]))
    large = share > np.maximum(CUT_M2, 0.01 * shapely.area(solid[building]))
    return int((np.bincount(building[large], minlength=len(solid)) > 1).sum())


def _ground_m2(shapes: Any, scale: float) -> Floats:
    """Square metres of the polygons among `shapes`, which lie in some CRS of scale `scale`.

    They are not projected: a sliver of no area whose long side has more vertices on one side
    would gain some, since a line straight in degrees is none in metres.
    """
    return np.asarray(shapely.area(shapely.get_parts(shapes)) * scale, dtype=float)


def _scale(frame: gpd.GeoSeries, metres: Any) -> float:
    """Square metres in one square unit of a layer's CRS, at that layer."""
    given = float(shapely.area(frame.to_numpy()).sum())
    return float(frame.to_crs(metres).area.sum()) / given if given else 1.0


def _overlaps(grids: Geometries, scale: float) -> float:
    """Ground in two grids. Compared in the grids' own CRS, where their lines are straight."""
    first, second = shapely.STRtree(grids).query(grids, predicate="intersects")
    pair = first < second
    common = _ground_m2(shapely.intersection(grids[first[pair]], grids[second[pair]]), scale)
    return float(common[common > SPECK_M2].sum())


def _against_area(
    grids: gpd.GeoDataFrame, area: gpd.GeoDataFrame, metres: Any
) -> dict[str, float | int]:
    """Gaps, ground outside and grids across units, in the CRS and so by the lines of the area."""
    own = np.asarray(shapely.make_valid(grids.geometry.force_2d().to_crs(area.crs).to_numpy()))
    own = own[~shapely.is_missing(own)]
    rows = np.asarray(shapely.make_valid(area.geometry.force_2d().to_numpy()))
    scale = _scale(area.geometry, metres)
    covered, whole = shapely.union_all(own), shapely.union_all(rows)
    gaps = _ground_m2(shapely.difference(whole, covered), scale)
    outside = _ground_m2(shapely.difference(covered, whole), scale)
    grid, row = shapely.STRtree(rows).query(own, predicate="intersects")
    common = np.asarray(shapely.intersection(own[grid], rows[row]), dtype=object)
    # Where two rows overlap, the ground of a grid's own row is not across a line.
    order = np.argsort(shapely.area(common), kind="stable")
    home = np.full(len(own), -1)
    home[grid[order]] = row[order]
    away = home[grid] != row
    common[away] = shapely.difference(common[away], rows[home[grid[away]]])
    share = shapely.area(common)
    real = share > 1e-4 * shapely.area(own[grid])
    reach = np.bincount(grid[real], minlength=len(own))
    return {
        "gaps_m2": float(gaps[gaps > SPECK_M2].sum()),
        "outside_m2": float(outside[outside > SPECK_M2].sum()),
        "across_units": int((reach > 1).sum()),
    }


def _shrunk(grids: Geometries) -> Geometries:
    return np.asarray(shapely.buffer(grids, -ALONG_M, join_style="mitre"), dtype=object)


def _inside(lines: Geometries, kinds: Geometries, grids: Geometries) -> dict[str, float]:
    """Metres of barrier inside grids by kind; where lines of a kind lie on each other once."""
    cores = _shrunk(grids)
    tree = shapely.STRtree(cores)
    result = {}
    for kind in sorted(set(kinds) - {BRIDGE}):
        once = shapely.get_parts(shapely.union_all(_as_lines(lines[kinds == kind])))
        line, grid = tree.query(once, predicate="intersects")
        result[str(kind)] = float(
            shapely.length(shapely.intersection(once[line], cores[grid])).sum()
        )
    return result


def _as_lines(lines: Geometries) -> Geometries:
    lines = lines.copy()
    solid = shapely.get_dimensions(lines) == 2
    lines[solid] = shapely.boundary(lines[solid])
    return lines


def _not_on_foot(
    lines: Geometries, kinds: Geometries, grids: Geometries, people: Geometries | None
) -> int:
    """Grids whose people rail or river keeps apart; without buildings, whose ground."""
    closed = _as_lines(lines[np.isin(kinds, CLOSED_KINDS)])
    bridges = lines[kinds == BRIDGE]
    grid, line = shapely.STRtree(closed).query(_shrunk(grids), predicate="intersects")
    broken = 0
    for number in np.unique(grid):
        mine = closed[line[grid == number]]
        # Banks and tracks just outside count too: they may close what the inner ones open.
        edges = shapely.union_all([shapely.boundary(grids[number]), *mine], grid_size=0.001)
        parts = shapely.get_parts(shapely.polygonize([edges]))
        parts = parts[shapely.covers(shapely.buffer(grids[number], 0.01), parts)]
        broken += _apart(parts, mine, bridges, people, shapely.area(grids[number]))
    return broken


def _apart(
    parts: Geometries,
    closed: Geometries,
    bridges: Geometries,
    people: Geometries | None,
    ground_m2: float,
) -> bool:
    """Whether parts that count are left apart after bridges, and lines that end, join them."""
    weight: Floats = shapely.area(parts)
    counts: Flags = weight > max(CUT_M2, 0.01 * ground_m2)
    if people is not None:
        counts = np.zeros(len(parts), dtype=bool)
        counts[np.unique(shapely.STRtree(people).query(parts, predicate="intersects")[0])] = True
    if np.count_nonzero(counts) < 2:
        return False
    group = np.arange(len(parts))
    barrier = shapely.union_all(closed)
    near = [
        np.flatnonzero(shapely.dwithin(parts, bridge, BRIDGE_REACH_M))
        for bridge in bridges[shapely.dwithin(bridges, barrier, BRIDGE_REACH_M)]
    ]
    for together in near:
        for other in together[1:]:
            group[group == group[other]] = group[together[0]]
    # Of a river through the whole town only what lies here.
    west, south, east, north = shapely.total_bounds(parts)
    here = shapely.clip_by_rect(barrier, west - 1, south - 1, east + 1, north + 1)
    first, second = shapely.STRtree(parts).query(parts, predicate="intersects")
    first, second = first[first < second], second[first < second]
    lines = shapely.intersection(parts[first], parts[second])
    through = shapely.length(lines) > CUT_M2
    open_air = shapely.difference(lines[through], shapely.buffer(here, 0.05))
    through[through] = shapely.length(open_air) > CUT_M2
    for a, b in zip(first[through], second[through], strict=True):
        group[group == group[b]] = group[a]
    return len(np.unique(group[counts])) > 1
