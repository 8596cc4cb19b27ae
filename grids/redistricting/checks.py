"""What can be wrong with the layers and figures that the planner is given: every row of it."""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from typing import Any, Final

import geopandas as gpd
import numpy as np
import numpy.typing as npt
import pandas as pd
import shapely

from gis.errors import Problem
from grids.redistricting.compiled import Flags
from grids.redistricting.rules import BARRIER_KINDS, BRIDGE

ID_COLUMNS: Final = ("building_id", "id", "fid", "gid", "osm_id", "objectid", "code")
"""Columns taken for a building's id, in this order, in upper or lower case; else the index."""

ROWS_SHOWN: Final = 1_000
"""Problems of one kind told row by row before the rest is only counted."""

MOST_DEGREES: Final = np.array([180.0, 90.0, 180.0, 90.0])
"""West, south, east and north that longitudes and latitudes stay within, but for their signs."""

POLYGONS: Final = ("Polygon", "MultiPolygon")
BUILDINGS: Final = ("Point", *POLYGONS)
BARRIERS: Final = ("LineString", "MultiLineString", "Point", *POLYGONS, "MultiPoint")


def nearest_names(name: str, columns: Iterable[object]) -> str:
    """Remedy for a missing column: the columns whose names come nearest, or all of them."""
    names = [str(column) for column in columns if str(column) != "geometry"]
    near = [c for c in names if name[:4].lower() in c.lower()]
    near += [c for c in difflib.get_close_matches(name, names, n=3, cutoff=0.5) if c not in near]
    if near:
        return f"Nearest names here: {', '.join(near[:5])}"
    return f"Columns here: {', '.join(names[:12]) or 'none'}"


def figure_problems(target: Any, tolerance: Any) -> Iterable[Problem]:
    """Target and tolerance that cannot be used."""
    if not (isinstance(target, (int, float, np.number)) and np.isfinite(target) and target >= 1):
        yield Problem(f"target is {target}", "Give households per grid, 1 or more", field="target")
    if not (
        isinstance(tolerance, (int, float, np.number))
        and np.isfinite(tolerance)
        and 0 <= tolerance < 1
    ):
        yield Problem(
            f"tolerance is {tolerance}",
            "Give a share from 0 to 0.99, such as 0.10",
            field="tolerance",
        )


def norm_problems(area: Any) -> Iterable[Problem]:
    """Rows of the area whose own target or tolerance cannot be used."""
    for name, low, high, remedy in (
        ("target", 1, np.inf, "Give households per grid, 1 or more"),
        ("tolerance", 0, 0.99, "Give a share from 0 to 0.99"),
    ):
        if not isinstance(area, gpd.GeoDataFrame) or name not in area:
            continue
        figures = pd.to_numeric(area[name], errors="coerce").to_numpy(dtype=float)
        given = area[name].notna().to_numpy()
        for row in np.flatnonzero(given & ~((figures >= low) & (figures <= high))):
            yield Problem(f"{name} is {area[name].iloc[row]}", remedy, "area", int(row) + 1, name)


def layer_problems(
    frame: Any, source: str, kinds: tuple[str, ...], *, may_lack: bool = False
) -> Iterable[Problem]:
    """Problems that any layer may have: not a layer, no CRS, empty or wrong geometries.

    With `may_lack` a row without a geometry is none.
    """
    if not isinstance(frame, gpd.GeoDataFrame):
        yield Problem("is not a layer of geometries", "Give a GeoDataFrame", source)
        return
    if frame.empty:
        yield Problem("has no rows", f"Give at least one of: {', '.join(kinds)}", source)
        return
    if frame.crs is None:
        yield Problem("has no coordinate system", "Set its CRS, such as EPSG:4326", source)
    geometries = frame.geometry.to_numpy()
    types = frame.geometry.geom_type.to_numpy()
    empty = shapely.is_missing(geometries) | shapely.is_empty(geometries)
    bounds = shapely.bounds(geometries)
    wild = ~empty & ~np.isfinite(bounds).all(axis=1)
    off = np.zeros(len(frame), dtype=bool)
    if frame.crs is not None and frame.crs.is_geographic:
        off = ~empty & ~wild & (np.abs(bounds) > MOST_DEGREES + 1e-6).any(axis=1)
    wrong = ~empty & ~np.isin(types, kinds)
    yield from _rows(
        empty & (not may_lack), lambda _: "the geometry is missing or empty", source, "geometry"
    )
    yield from _rows(wild, lambda _: "a coordinate is not finite", source, "geometry")
    if off.any():
        x, y = bounds[off.argmax()][:2]
        reason = (
            f"coordinates such as ({x:.10g}, {y:.10g}) are no longitude and latitude, as "
            f"{frame.crs.to_string()} says they are"
        )
        remedy = "Declare the system that they are in; longitude comes first"
        yield from _rows(off, lambda _: reason, source, "geometry", remedy)
    yield from _rows(
        wrong,
        lambda i: f"the geometry is a {types[i]}",
        source,
        "geometry",
        f"Give {' or '.join(kinds)}",
    )


def _rows(
    bad: Flags, reason: Any, source: str, field: str, remedy: str = "Correct or remove the row"
) -> Iterable[Problem]:
    """One problem per bad row, the rest counted once past `ROWS_SHOWN`."""
    rows = np.flatnonzero(bad)
    for row in rows[:ROWS_SHOWN]:
        yield Problem(reason(row), remedy, source, int(row) + 1, field)
    if len(rows) > ROWS_SHOWN:
        more = len(rows) - ROWS_SHOWN
        yield Problem(f"and {more} more rows of this kind", "", source, None, field)


def area_problems(area: Any) -> Iterable[Problem]:
    """Rows that are no valid polygon, and codes that lack or are there twice."""
    yield from (found := list(layer_problems(area, "area", POLYGONS)))
    if found:
        return
    geometries = area.geometry.to_numpy()
    invalid = ~shapely.is_valid(geometries)
    yield from _rows(
        invalid,
        lambda i: f"the polygon is invalid: {shapely.is_valid_reason(geometries[i])}",
        "area",
        "geometry",
        "Repair it, for example with make_valid, and look at the result",
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
            "Dissolve the rows of one code, or give each its own",
        )


def building_problems(buildings: Any) -> Iterable[Problem]:
    """Rows without a sound place, an id of their own or a number of households."""
    source = "buildings"
    found = list(layer_problems(buildings, source, BUILDINGS))
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
        "Repair it, for example with make_valid, and look at the result",
    )
    ids = ids_of(buildings)
    missing = _id_column(buildings).isna().to_numpy()
    yield from _rows(
        missing,
        lambda _: "the id is missing",
        source,
        "id",
        "Give each building an id, or leave the whole column out",
    )
    yield from _rows(
        pd.Series(ids).duplicated(keep="first").to_numpy() & ~missing,
        lambda i: f"id {ids[i]} is there before",
        source,
        "id",
        "Give each building one row and one id, or merge the rows",
    )
    yield from household_problems(buildings, source)


def column_problems(frame: gpd.GeoDataFrame, source: str, name: str) -> Iterable[Problem]:
    """A column that is not there, with the names that come nearest."""
    if name not in frame.columns:
        remedy = nearest_names(name, frame.columns)
        yield Problem(f"there is no column {name}", remedy, source, None, name)


def household_problems(
    frame: gpd.GeoDataFrame, source: str, *, most: float = 1e6, is_whole: bool = True
) -> Iterable[Problem]:
    """Rows whose households are no (whole) number from 0 to `most`, or a column that lacks."""
    if "households" not in frame.columns:
        yield from column_problems(frame, source, "households")
        return
    column = frame["households"]
    values = column.to_numpy(dtype=object)
    text = np.array([isinstance(v, (str, bytes, bool, np.bool_)) for v in values], dtype=bool)
    missing = pd.isna(column).to_numpy()
    number = pd.to_numeric(column.where(~text), errors="coerce").to_numpy(dtype=float)
    odd = ~text & ~missing & ~np.isfinite(number)
    remedy = f"Give a {'whole ' if is_whole else ''}number, 0 or more"
    if len(values) > 1 and (text | missing).all() and text.any():
        # The column as a whole is text: told once, not for each of its values.
        some = ", ".join(repr(each) for each in dict.fromkeys(values[text][:100].tolist()))[:60]
        whole = f"households is text in every row ({some})"
        yield Problem(whole, "Save the column as numbers", source, None, "households")
        return
    yield from _rows(
        text, lambda i: f"households is not a number ({values[i]!r})", source, "households", remedy
    )
    yield from _rows(missing, lambda _: "households is missing", source, "households", remedy)
    yield from _rows(
        odd, lambda i: f"households is not finite ({values[i]})", source, "households", remedy
    )
    fine = np.isfinite(number)
    with np.errstate(invalid="ignore"):
        negative, part = fine & (number < 0), fine & (number != np.floor(number))
        huge = fine & (number > most)
    yield from _rows(
        negative, lambda i: f"households is negative ({values[i]})", source, "households", remedy
    )
    yield from _rows(
        part & ~negative & is_whole,
        lambda i: f"households is fractional ({values[i]})",
        source,
        "households",
        remedy,
    )
    yield from _rows(
        huge,
        lambda i: f"households is {values[i]}, more than {most:,.0f}",
        source,
        "households",
        remedy,
    )


def barrier_problems(barriers: Any) -> Iterable[Problem]:
    """Rows of no known kind, or of a shape that their kind cannot have."""
    if barriers is None or (isinstance(barriers, gpd.GeoDataFrame) and barriers.empty):
        return
    yield from layer_problems(barriers, "barriers", BARRIERS)
    if not isinstance(barriers, gpd.GeoDataFrame):
        return
    if "kind" not in barriers.columns:
        yield from column_problems(barriers, "barriers", "kind")
        return
    kind = barriers["kind"].astype(object).to_numpy()
    allowed = (*BARRIER_KINDS, BRIDGE)
    yield from _rows(
        ~np.isin(kind.astype(str), allowed),
        lambda i: "kind is missing" if pd.isna(kind[i]) else f"kind is {kind[i]!r}",
        "barriers",
        "kind",
        f"Use one of {', '.join(allowed)}",
    )
    point = np.isin(barriers.geometry.geom_type.to_numpy(), ("Point", "MultiPoint"))
    yield from _rows(
        point & np.isin(kind.astype(str), BARRIER_KINDS),
        lambda i: f"a {kind[i]} is a point",
        "barriers",
        "geometry",
        "Give barriers as lines; only a bridge may be a point",
    )


def ids_of(buildings: gpd.GeoDataFrame) -> npt.NDArray[np.object_]:
    """Id of each building as text: of the first id column there is, else the index."""
    return np.array([str(value) for value in _id_column(buildings)], dtype=object)


def _id_column(buildings: gpd.GeoDataFrame) -> pd.Series:
    by_name = {str(column).lower(): column for column in buildings.columns}
    found = next((by_name[name] for name in ID_COLUMNS if name in by_name), None)
    return buildings.index.to_series() if found is None else buildings[found]
