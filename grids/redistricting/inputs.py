"""What the planner is given, checked as a whole and brought into metres."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import geopandas as gpd
import numpy as np
import numpy.typing as npt
import pandas as pd
import pyproj
import shapely

from gis.errors import BadInput, Problem
from grids.redistricting.checks import (
    ROWS_SHOWN,
    area_problems,
    barrier_problems,
    building_problems,
    figure_problems,
    ids_of,
    norm_problems,
)
from grids.redistricting.compiled import Floats, Ints
from grids.redistricting.plan import Finding
from grids.redistricting.projection import metre_crs
from grids.redistricting.rules import BARRIER_KINDS, BRIDGE, NODE_M

Geometries = npt.NDArray[Any]

EDGE_M = 100.0
"""Unit lines are given a vertex at least this often before they are projected, so that a line
straight in degrees stays within a millimetre of itself in metres."""

SLIVER_WIDTH_M = 1.0
"""Units that overlap by no more than this mean width are drawn inexactly, not in conflict."""


LEAST_GROUND_M2 = 1.0
"""Overlaps, and ground joined across rail or river, that are smaller are rounding of lines, not
worth a word."""


@dataclass(frozen=True)
class Town:
    """Checked input in metres.

    Attributes
    ----------
    crs, metres
        CRS of the area as given, and the metre CRS everything here is in.
    unit_codes, units, unit_lines
        Code and polygons of each area row, noded on 1 cm; its lines in the CRS given.
    targets, tolerances
        Households a grid of each area row should have, and the share it may deviate by.
    ids, households, footprints, unit_of
        Buildings inside the area: id as text, households, point or polygon, row in `units`.
    barriers, kinds, bridges
        Barrier lines with the index of their kind in `BARRIER_KINDS`; bridges of any shape.
    findings
        Remarks on the input.
    """

    crs: pyproj.CRS
    metres: pyproj.CRS
    unit_codes: list[str]
    units: Geometries
    unit_lines: Geometries
    targets: Floats
    tolerances: Floats
    ids: npt.NDArray[np.object_]
    households: Ints
    footprints: Geometries
    unit_of: Ints
    barriers: Geometries
    kinds: Ints
    bridges: Geometries
    findings: list[Finding]


def read_town(
    area: gpd.GeoDataFrame,
    buildings: gpd.GeoDataFrame,
    barriers: gpd.GeoDataFrame | None,
    *,
    target: float,
    tolerance: float,
    more: Sequence[Problem] = (),
) -> Town:
    """Check all input at once and bring it into metres.

    Parameters
    ----------
    more
        Problems found in other layers, to be told together with these.

    Raises
    ------
    BadInput
        With every problem found in area, buildings, barriers and figures.
    """
    problems = [
        *figure_problems(target, tolerance),
        *area_problems(area),
        *norm_problems(area),
        *building_problems(buildings),
        *barrier_problems(barriers),
        *more,
    ]
    if problems:
        raise BadInput(problems)
    findings: list[Finding] = []
    west, _, east, _ = area.geometry.to_crs(4326).total_bounds
    if east - west > 180:
        raise BadInput(
            Problem(
                f"it reaches from {west:.4g} to {east:.4g} degrees of longitude, around the earth "
                "or across the 180th meridian",
                "Draw the ground on either side of the meridian on its own",
                "area",
            )
        )
    metres = metre_crs(area.geometry)
    codes = unit_codes(area)
    given = shapely.segmentize(
        area.geometry.force_2d().to_numpy(), EDGE_M / metres_per_unit(area.crs)
    )
    units = gpd.GeoSeries(given, crs=area.crs).to_crs(metres).to_numpy()
    units = shapely.set_precision(units, NODE_M)
    units = _without_overlap(units, codes, metres, findings)
    footprints = buildings.geometry.force_2d().to_crs(metres).to_numpy()
    lost = np.flatnonzero(~np.isfinite(shapely.bounds(footprints)).all(axis=1))
    if len(lost):
        remedy = "Correct or remove the row; it is on another side of the earth than the area"
        reason = "the building has no place in metres around the area"
        rows = [Problem(reason, remedy, "buildings", int(row) + 1, "geometry") for row in lost]
        raise BadInput(rows[:ROWS_SHOWN])
    unit_of = units_of(footprints, units, codes)
    inside = unit_of >= 0
    ids = ids_of(buildings)
    households = pd.to_numeric(buildings["households"]).to_numpy().astype(np.int64)
    if not inside.any():
        raise BadInput(
            "none of the buildings lies inside the area",
            "Check that both are of one place, their CRS, and the order of longitude and latitude",
        )
    points = to_lonlat(shapely.point_on_surface(footprints[~inside]), metres)
    for identity, count, (lon, lat) in zip(ids[~inside], households[~inside], points, strict=True):
        text = f"lies outside the area; its {count} households are in no grid"
        text_zh = f"位于区域之外，其 {count} 户不属于任何网格"
        findings.append(
            Finding("building_outside", identity, text, text_zh, float(count), lon, lat)
        )
    lines, kinds, bridges = _barriers(barriers, metres, units)
    return Town(
        crs=area.crs,
        metres=metres,
        unit_codes=codes,
        units=units,
        unit_lines=shapely.boundary(given),
        targets=_norms(area, "target", target),
        tolerances=_norms(area, "tolerance", tolerance),
        ids=ids[inside],
        households=households[inside],
        footprints=footprints[inside],
        unit_of=unit_of[inside],
        barriers=lines,
        kinds=kinds,
        bridges=bridges,
        findings=findings,
    )


def to_lonlat(points: Geometries, metres: pyproj.CRS) -> npt.NDArray[np.float64]:
    """(n, 2) longitude and latitude in WGS 84 of points in the metre CRS."""
    if not len(points):
        return np.empty((0, 2))
    series = gpd.GeoSeries(points, crs=metres).to_crs(4326)
    return np.column_stack([series.x.to_numpy(), series.y.to_numpy()])


def point_array(xy: npt.NDArray[np.float64]) -> Geometries:
    """Points of an (n, 2) array."""
    return np.asarray(shapely.points(xy), dtype=object).reshape(-1)


def line_array(start: npt.NDArray[np.float64], end: npt.NDArray[np.float64]) -> Geometries:
    """Straight lines between the rows of two (n, 2) arrays."""
    ends = np.stack([start, end], axis=1)
    return np.asarray(shapely.linestrings(ends), dtype=object).reshape(-1)


def straight_ends(lines: Geometries) -> tuple[Floats, Ints]:
    """Ends (n, 2, 2) of the straight pieces that lines or rings are made of, and whose each is."""
    xy, line = shapely.get_coordinates(lines, return_index=True)
    joined = np.flatnonzero(line[1:] == line[:-1])
    ends = np.stack([xy[joined], xy[joined + 1]], axis=1)
    return ends, np.asarray(line[joined], dtype=np.int64)


def straight_pieces(lines: Geometries) -> tuple[Geometries, Ints]:
    """Two-point lines that lines or rings are made of, and the index of the line of each."""
    ends, line = straight_ends(lines)
    return line_array(ends[:, 0], ends[:, 1]), line


def _norms(area: gpd.GeoDataFrame, name: str, default: float) -> Floats:
    """A figure of each area row: its own where it has one, else the one for all."""
    if name not in area:
        return np.full(len(area), float(default))
    return np.asarray(pd.to_numeric(area[name]).fillna(default), dtype=np.float64)


def unit_codes(area: gpd.GeoDataFrame) -> list[str]:
    """Code of each area row: its own, else numbers; none where there is one row."""
    if "code" in area.columns:
        return [str(code) for code in area["code"]]
    if len(area) == 1:
        return [""]
    width = max(3, len(str(len(area))))
    return [f"{row:0{width}d}" for row in range(1, len(area) + 1)]


def metres_per_unit(crs: pyproj.CRS) -> float:
    """Metres in one unit of the CRS's axes, near enough to choose a spacing of vertices."""
    if crs.is_geographic:
        return 111_320.0
    return float(crs.axis_info[0].unit_conversion_factor or 1.0)


def _without_overlap(
    units: Geometries, codes: Sequence[str], metres: pyproj.CRS, findings: list[Finding]
) -> Geometries:
    """Units without the slivers by which they overlap; true overlaps are refused."""
    tree = shapely.STRtree(units)
    first, second = tree.query(units, predicate="intersects")
    problems = []
    units = units.copy()
    for a, b in sorted(zip(first.tolist(), second.tolist(), strict=True)):
        if a >= b:
            continue
        common = shapely.intersection(units[a], units[b], grid_size=NODE_M)
        size = shapely.area(common)
        if size <= 0:
            continue
        width = 2 * size / shapely.length(common)
        if width > SLIVER_WIDTH_M:
            reason = f"units {codes[a]} and {codes[b]} overlap by {size:,.0f} m²"
            problems.append(Problem(reason, "Redraw their common line", "area", b + 1, "geometry"))
            continue
        units[b] = shapely.difference(units[b], units[a], grid_size=NODE_M)
        if size < LEAST_GROUND_M2:
            continue
        lon, lat = to_lonlat(np.array([shapely.point_on_surface(common)]), metres)[0]
        text = (
            f"overlaps unit {codes[a]} by {size:,.2f} m² in a strip {width * 100:.0f} cm wide; "
            f"the strip was given to {codes[a]}"
        )
        text_zh = (
            f"与单元 {codes[a]} 重叠 {size:,.2f} m²，重叠带宽 {width * 100:.0f} cm，"
            f"已划归 {codes[a]}"
        )
        findings.append(Finding("units_overlap", codes[b], text, text_zh, float(size), lon, lat))
    if problems:
        raise BadInput(problems)
    return units


def units_of(footprints: Geometries, units: Geometries, codes: Sequence[str]) -> Ints:
    """Row of the unit each building lies in: where its middle is; on a line the lowest code."""
    middles = shapely.point_on_surface(footprints)
    building, unit = shapely.STRtree(units).query(middles, predicate="dwithin", distance=NODE_M)
    rank = np.argsort(np.argsort(np.array(codes, dtype=str), kind="stable"), kind="stable")
    # A middle within 1 cm of a unit's line counts as on it.
    result = np.full(len(footprints), -1, dtype=np.int64)
    for at in np.argsort(-rank[unit], kind="stable"):
        result[building[at]] = unit[at]
    return result


def _barriers(
    barriers: gpd.GeoDataFrame | None, metres: pyproj.CRS, units: Geometries
) -> tuple[Geometries, Ints, Geometries]:
    """Barrier lines near the units with their kinds, and bridges, in metres."""
    nothing = np.array([], dtype=object)
    if barriers is None or barriers.empty:
        return nothing, np.array([], dtype=np.int64), nothing
    geometry = barriers.geometry.force_2d().to_crs(metres).to_numpy()
    kind = barriers["kind"].astype(str).to_numpy()
    # What has no place in metres around the area is on another side of the earth.
    near = np.isfinite(shapely.bounds(geometry)).all(axis=1)
    geometry, kind = geometry[near], kind[near]
    lines = geometry[kind != BRIDGE]
    kinds = np.array([BARRIER_KINDS.index(k) for k in kind[kind != BRIDGE]], dtype=np.int64)
    surface = shapely.get_dimensions(lines) == 2
    lines = lines.copy()
    lines[surface] = shapely.boundary(lines[surface])  # a lake or a wide river: its banks
    lines, part = shapely.get_parts(lines, return_index=True)
    kinds = kinds[part]
    bounds = shapely.box(*shapely.total_bounds(units))
    near = shapely.intersects(lines, bounds) & (shapely.length(lines) > NODE_M)
    return lines[near], kinds[near], geometry[kind == BRIDGE]
