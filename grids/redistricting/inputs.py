"""What the planner is given, checked as a whole and brought into metres."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import geopandas as gpd
import numpy as np
import numpy.typing as npt
import pandas as pd
import pyproj
import shapely

from gis.errors import BadInput, Problem
from grids.redistricting.compiled import Flags, Floats, Ints
from grids.redistricting.plan import Finding
from grids.redistricting.projection import metre_crs
from grids.redistricting.rules import BARRIER_KINDS, BRIDGE, NODE_M

Geometries = npt.NDArray[Any]

ID_COLUMNS = ("building_id", "id", "fid", "gid", "osm_id", "objectid", "code")
"""Columns taken for a building's id, in this order, in upper or lower case; else the index."""

EDGE_M = 100.0
"""Unit lines are given a vertex at least this often before they are projected, so that a line
straight in degrees stays within a millimetre of itself in metres."""

SLIVER_WIDTH_M = 1.0
"""Units that overlap by no more than this mean width are drawn inexactly, not in conflict."""

ROWS_SHOWN = 20
"""Problems of one kind listed row by row before the rest is only counted."""


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
) -> Town:
    """Check all input at once and bring it into metres.

    Raises
    ------
    BadInput
        With every problem found in area, buildings, barriers and figures.
    """
    problems = list(_figure_problems(target, tolerance))
    problems += _area_problems(area)
    problems += _norm_problems(area)
    problems += _building_problems(buildings)
    problems += _barrier_problems(barriers)
    if problems:
        raise BadInput(problems)
    findings: list[Finding] = []
    metres = metre_crs(area.geometry)
    codes = _unit_codes(area)
    given = shapely.segmentize(
        area.geometry.force_2d().to_numpy(), EDGE_M / metres_per_unit(area.crs)
    )
    units = gpd.GeoSeries(given, crs=area.crs).to_crs(metres).to_numpy()
    units = shapely.set_precision(units, NODE_M)
    units = _without_overlap(units, codes, metres, findings)
    footprints = buildings.geometry.force_2d().to_crs(metres).to_numpy()
    unit_of = _units_of(footprints, units, codes)
    inside = unit_of >= 0
    ids = _ids(buildings)
    households = pd.to_numeric(buildings["households"]).to_numpy().astype(np.int64)
    if not inside.any():
        raise BadInput(
            "none of the buildings lies inside the area",
            "check that both are of one place, their CRS, and the order of longitude and latitude",
        )
    points = to_lonlat(shapely.point_on_surface(footprints[~inside]), metres)
    for identity, count, (lon, lat) in zip(ids[~inside], households[~inside], points, strict=True):
        text = f"lies outside the area; its {count} households are in no grid"
        findings.append(Finding("building_outside", identity, text, float(count), lon, lat))
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


def straight_pieces(lines: Geometries) -> tuple[Geometries, Ints]:
    """Two-point lines that lines or rings are made of, and the index of the line of each."""
    xy, line = shapely.get_coordinates(lines, return_index=True)
    joined = np.flatnonzero(line[1:] == line[:-1])
    return line_array(xy[joined], xy[joined + 1]), np.asarray(line[joined], dtype=np.int64)


def nearest_names(name: str, columns: Iterable[object]) -> str:
    """Remedy for a missing column: the columns whose names come nearest, or all of them."""
    names = [str(column) for column in columns if str(column) != "geometry"]
    near = [c for c in names if name[:4].lower() in c.lower()]
    near += [c for c in difflib.get_close_matches(name, names, n=3, cutoff=0.5) if c not in near]
    if near:
        return f"nearest names here: {', '.join(near[:5])}"
    return f"columns here: {', '.join(names[:12]) or 'none'}"


def _figure_problems(target: Any, tolerance: Any) -> Iterable[Problem]:
    if not (isinstance(target, (int, float, np.number)) and np.isfinite(target) and target >= 1):
        yield Problem(f"target is {target}", "give households per grid, 1 or more", field="target")
    if not (
        isinstance(tolerance, (int, float, np.number))
        and np.isfinite(tolerance)
        and 0 <= tolerance < 1
    ):
        yield Problem(
            f"tolerance is {tolerance}",
            "give a share from 0 to 0.99, such as 0.10",
            field="tolerance",
        )


def _norms(area: gpd.GeoDataFrame, name: str, default: float) -> Floats:
    """A figure of each area row: its own where it has one, else the one for all."""
    if name not in area:
        return np.full(len(area), float(default))
    return np.asarray(pd.to_numeric(area[name]).fillna(default), dtype=np.float64)


def _norm_problems(area: Any) -> Iterable[Problem]:
    """Rows of the area whose own target or tolerance cannot be used."""
    for name, low, high, remedy in (
        ("target", 1, np.inf, "give households per grid, 1 or more"),
        ("tolerance", 0, 0.99, "give a share from 0 to 0.99"),
    ):
        if not isinstance(area, gpd.GeoDataFrame) or name not in area:
            continue
        figures = pd.to_numeric(area[name], errors="coerce").to_numpy(dtype=float)
        given = area[name].notna().to_numpy()
        for row in np.flatnonzero(given & ~((figures >= low) & (figures <= high))):
            yield Problem(f"{name} is {area[name].iloc[row]}", remedy, "area", int(row) + 1, name)


def _frame_problems(frame: Any, source: str, kinds: tuple[str, ...]) -> Iterable[Problem]:
    """Problems that any layer may have: not a layer, no CRS, empty or wrong geometries."""
    if not isinstance(frame, gpd.GeoDataFrame):
        yield Problem("is not a layer of geometries", "give a GeoDataFrame", source)
        return
    if frame.empty:
        yield Problem("has no rows", f"give at least one of: {', '.join(kinds)}", source)
        return
    if frame.crs is None:
        yield Problem("has no coordinate system", "set its CRS, such as EPSG:4326", source)
    geometries = frame.geometry.to_numpy()
    types = frame.geometry.geom_type.to_numpy()
    empty = shapely.is_missing(geometries) | shapely.is_empty(geometries)
    bounds = shapely.bounds(geometries)
    wild = ~empty & ~np.isfinite(bounds).all(axis=1)
    wrong = ~empty & ~np.isin(types, kinds)
    yield from _rows(empty, lambda _: "the geometry is missing or empty", source, "geometry")
    yield from _rows(wild, lambda _: "a coordinate is not finite", source, "geometry")
    yield from _rows(
        wrong,
        lambda i: f"the geometry is a {types[i]}",
        source,
        "geometry",
        f"give {' or '.join(kinds)}",
    )


def _rows(
    bad: Flags, reason: Any, source: str, field: str, remedy: str = "correct or remove the row"
) -> Iterable[Problem]:
    """One problem per bad row, the rest counted once past `ROWS_SHOWN`."""
    rows = np.flatnonzero(bad)
    for row in rows[:ROWS_SHOWN]:
        yield Problem(reason(row), remedy, source, int(row) + 1, field)
    if len(rows) > ROWS_SHOWN:
        more = len(rows) - ROWS_SHOWN
        yield Problem(f"and {more} more rows of this kind", "", source, None, field)


def _area_problems(area: Any) -> Iterable[Problem]:
    yield from (found := list(_frame_problems(area, "area", ("Polygon", "MultiPolygon"))))
    if found:
        return
    geometries = area.geometry.to_numpy()
    invalid = ~shapely.is_valid(geometries)
    yield from _rows(
        invalid,
        lambda i: f"the polygon is invalid: {shapely.is_valid_reason(geometries[i])}",
        "area",
        "geometry",
        "repair it, for example with make_valid, and look at the result",
    )
    yield from _rows(
        ~invalid & (shapely.area(geometries) == 0),
        lambda _: "the polygon has no area",
        "area",
        "geometry",
    )
    if "code" in area.columns:
        codes = area["code"]
        yield from _rows(codes.isna().to_numpy(), lambda _: "code is missing", "area", "code")
        yield from _rows(
            codes.astype(str).duplicated(keep="first").to_numpy() & codes.notna().to_numpy(),
            lambda i: f"code {codes.iloc[i]} is there twice",
            "area",
            "code",
            "dissolve the rows of one code, or give each its own",
        )


def _building_problems(buildings: Any) -> Iterable[Problem]:
    source = "buildings"
    found = list(_frame_problems(buildings, source, ("Point", "Polygon", "MultiPolygon")))
    yield from found
    if not isinstance(buildings, gpd.GeoDataFrame) or buildings.empty:
        return
    geometries = buildings.geometry.to_numpy()
    invalid = ~shapely.is_missing(geometries) & ~shapely.is_valid(geometries)
    yield from _rows(
        invalid,
        lambda i: f"the footprint is invalid: {shapely.is_valid_reason(geometries[i])}",
        source,
        "geometry",
        "repair it, for example with make_valid, and look at the result",
    )
    ids = _ids(buildings)
    yield from _rows(
        pd.Series(ids).duplicated(keep="first").to_numpy(),
        lambda i: f"id {ids[i]} is there before",
        source,
        "id",
        "give each building one row and one id, or merge the rows",
    )
    if "households" not in buildings.columns:
        remedy = nearest_names("households", buildings.columns)
        yield Problem("there is no column households", remedy, source, None, "households")
        return
    column = buildings["households"]
    values = column.to_numpy(dtype=object)
    text = np.array([isinstance(v, (str, bytes, bool, np.bool_)) for v in values], dtype=bool)
    missing = pd.isna(column).to_numpy()
    number = pd.to_numeric(column.where(~text), errors="coerce").to_numpy(dtype=float)
    odd = ~text & ~missing & ~np.isfinite(number)
    whole = "give a whole number, 0 or more"
    yield from _rows(
        text, lambda i: f"households is not a number ({values[i]!r})", source, "households", whole
    )
    yield from _rows(missing, lambda _: "households is missing", source, "households", whole)
    yield from _rows(
        odd, lambda i: f"households is not finite ({values[i]})", source, "households", whole
    )
    fine = np.isfinite(number)
    with np.errstate(invalid="ignore"):
        negative, part = fine & (number < 0), fine & (number != np.floor(number))
        huge = fine & (number > 1e6)
    yield from _rows(
        negative, lambda i: f"households is negative ({values[i]})", source, "households", whole
    )
    yield from _rows(
        part & ~negative,
        lambda i: f"households is fractional ({values[i]})",
        source,
        "households",
        whole,
    )
    yield from _rows(
        huge,
        lambda i: f"households is {values[i]}, more than a million in one building",
        source,
        "households",
        whole,
    )


def _barrier_problems(barriers: Any) -> Iterable[Problem]:
    if barriers is None or (isinstance(barriers, gpd.GeoDataFrame) and barriers.empty):
        return
    kinds = ("LineString", "MultiLineString", "Point", "Polygon", "MultiPolygon", "MultiPoint")
    yield from _frame_problems(barriers, "barriers", kinds)
    if not isinstance(barriers, gpd.GeoDataFrame):
        return
    if "kind" not in barriers.columns:
        remedy = nearest_names("kind", barriers.columns)
        yield Problem("there is no column kind", remedy, "barriers", None, "kind")
        return
    kind = barriers["kind"].astype(object).to_numpy()
    allowed = (*BARRIER_KINDS, BRIDGE)
    yield from _rows(
        ~np.isin(kind.astype(str), allowed),
        lambda i: f"kind is {kind[i]!r}",
        "barriers",
        "kind",
        f"use one of {', '.join(allowed)}",
    )
    point = np.isin(barriers.geometry.geom_type.to_numpy(), ("Point", "MultiPoint"))
    yield from _rows(
        point & np.isin(kind.astype(str), BARRIER_KINDS),
        lambda i: f"a {kind[i]} is a point",
        "barriers",
        "geometry",
        "give barriers as lines; only a bridge may be a point",
    )


def _ids(buildings: gpd.GeoDataFrame) -> npt.NDArray[np.object_]:
    by_name = {str(column).lower(): column for column in buildings.columns}
    for name in ID_COLUMNS:
        if name in by_name:
            values = buildings[by_name[name]]
            break
    else:
        values = buildings.index.to_series()
    return np.array([str(value) for value in values], dtype=object)


def _unit_codes(area: gpd.GeoDataFrame) -> list[str]:
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
            problems.append(Problem(reason, "redraw their common line", "area", b + 1, "geometry"))
            continue
        units[b] = shapely.difference(units[b], units[a], grid_size=NODE_M)
        lon, lat = to_lonlat(np.array([shapely.point_on_surface(common)]), metres)[0]
        text = (
            f"overlaps unit {codes[a]} by {size:,.2f} m² in a strip {width * 100:.0f} cm wide; "
            f"the strip was given to {codes[a]}"
        )
        findings.append(Finding("units_overlap", codes[b], text, float(size), lon, lat))
    if problems:
        raise BadInput(problems)
    return units


def _units_of(footprints: Geometries, units: Geometries, codes: Sequence[str]) -> Ints:
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
