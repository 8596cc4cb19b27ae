"""The ground a plan is drawn on: the area without what is exclusive or locked.

Locked grids become rows of the area of their own, each already one grid. So they share every
vertex with the grids drawn around them, and nothing is added to them or taken away.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import geopandas as gpd
import numpy as np
import pandas as pd
import shapely

from gis.errors import BadInput, Problem
from grids.redistricting import checks
from grids.redistricting.compiled import Flags
from grids.redistricting.inputs import SLIVER_WIDTH_M, unit_codes
from grids.redistricting.projection import metre_crs

REACH_M2 = 1.0
"""A locked grid may reach out of its area row by so many square metres, and by a ten-thousandth of
its ground; more is refused."""


@dataclass(frozen=True)
class Ground:
    """Rows to divide and rows that are grids already.

    Attributes
    ----------
    area
        Rows in the area's CRS: what is left of each, then the locked grids.
    is_locked
        Whether each row is a locked grid.
    codes
        Code of the area row that each belongs to.
    """

    area: gpd.GeoDataFrame
    is_locked: Flags
    codes: list[str]


def prepare_ground(
    area: Any, locked: gpd.GeoDataFrame | None, exclusive: gpd.GeoDataFrame | None
) -> Ground:
    """Area rows without exclusive ground, locked grids as rows of their own.

    Raises
    ------
    BadInput
        Layers that cannot be used; a locked grid that reaches out of its area row or over
        another one; no ground left at all.
    """
    problems = [*checks.area_problems(area)]
    for name, layer in (("locked", locked), ("exclusive", exclusive)):
        if layer is not None and len(layer):
            problems += checks.layer_problems(layer, name, checks.POLYGONS)
    if locked is not None and len(locked):
        problems += checks.column_problems(locked, "locked", "code")
    if problems:
        raise BadInput(problems)
    codes = unit_codes(area)
    area = area.assign(code=codes)
    rows = area.geometry.force_2d().to_numpy()
    if exclusive is not None and len(exclusive):
        cut = shapely.union_all(exclusive.geometry.force_2d().to_crs(area.crs).to_numpy())
        rows = shapely.difference(rows, cut)
    whole: list[gpd.GeoDataFrame] = []
    parents: list[str] = []
    if locked is not None and len(locked):
        shapes = locked.geometry.force_2d().to_crs(area.crs).to_numpy()
        parent = _parents(shapes, rows, locked, area)
        shapes = shapely.intersection(shapes, rows[parent])
        rows = shapely.difference(rows, shapely.union_all(shapes))
        rows, shapes = _without_strips(rows, shapes, parent, area)
        parents = [codes[row] for row in parent]
        own = area.iloc[parent].drop(columns=area.geometry.name).reset_index(drop=True)
        own["code"] = locked["code"].astype(str).to_numpy()
        twice = own["code"].duplicated() | own["code"].isin(codes)
        if twice.any():
            raise BadInput(
                Problem(
                    f"code {own['code'].iloc[row]} is there before, or an area row's",
                    "Give each locked grid a code of its own",
                    "locked",
                    int(row) + 1,
                    "code",
                )
                for row in np.flatnonzero(twice)
            )
        whole = [gpd.GeoDataFrame(own, geometry=shapes, crs=area.crs)]
    rows = np.array([_polygons(row) for row in rows], dtype=object)
    left = shapely.area(rows) > 0
    if not left.any() and not whole:
        raise BadInput("exclusive ground covers the whole area: no ground is left to divide")
    rest = area[left].set_geometry(gpd.GeoSeries(rows[left], index=area.index[left], crs=area.crs))
    if rest.geometry.name != "geometry":
        rest = rest.rename_geometry("geometry")
    merged = gpd.GeoDataFrame(pd.concat([rest, *whole], ignore_index=True), crs=area.crs)
    count = int(left.sum())
    kept = [code for code, is_left in zip(codes, left, strict=True) if is_left]
    return Ground(merged, np.arange(len(merged)) >= count, kept + parents)


def _polygons(shape: Any) -> Any:
    """The polygons of a shape, without the points and lines a difference may leave."""
    parts = shapely.get_parts(shape)
    parts = parts[shapely.get_dimensions(parts) == 2]
    return parts[0] if len(parts) == 1 else shapely.MultiPolygon(list(parts))


def _without_strips(rows: Any, shapes: Any, parent: Any, area: gpd.GeoDataFrame) -> tuple[Any, Any]:
    """Strips that inexact drawing left beside locked grids go to the grid they lie along."""
    rows, shapes = rows.copy(), shapes.copy()
    metres = metre_crs(area.geometry)
    for row in np.unique(parent):
        parts = shapely.get_parts(rows[row])
        parts = parts[shapely.get_dimensions(parts) == 2]
        sized = gpd.GeoSeries(parts, crs=area.crs).to_crs(metres).to_numpy()
        is_strip = 2 * shapely.area(sized) < SLIVER_WIDTH_M * shapely.length(sized)
        mine = np.flatnonzero(parent == row)
        for strip in parts[is_strip]:
            along = shapely.length(shapely.intersection(shapes[mine], strip))
            to = mine[int(np.argmax(along))]
            shapes[to] = _polygons(shapely.union(shapes[to], strip))
        rows[row] = shapely.MultiPolygon(list(parts[~is_strip]))
    return rows, shapes


def _parents(shapes: Any, rows: Any, locked: gpd.GeoDataFrame, area: gpd.GeoDataFrame) -> Any:
    """Area row of each locked grid: the one that holds most of it."""
    metres = metre_crs(area.geometry)
    shares = np.array([shapely.area(shapely.intersection(shape, rows)) for shape in shapes])
    parent = shares.argmax(axis=1)
    # Cut in the area's own system: a long line that is straight there is bent in another, and what
    # lies along it, by its own vertices, would seem to reach out of it.
    beyond = shapely.difference(shapes, rows[parent])
    out = shapely.area(gpd.GeoSeries(beyond, crs=area.crs).to_crs(metres).to_numpy())
    shapes = gpd.GeoSeries(shapes, crs=area.crs).to_crs(metres).to_numpy()
    problems = _overlaps(shapes, locked)
    problems += [
        Problem(
            f"locked grid {locked['code'].iloc[row]} reaches out of its area row by "
            f"{out[row]:,.0f} m²",
            "Unlock it, or lock what lies inside",
            "locked",
            int(row) + 1,
            "geometry",
        )
        for row in np.flatnonzero(out > np.maximum(REACH_M2, 1e-4 * shapely.area(shapes)))
    ]
    if problems:
        raise BadInput(problems)
    return parent


def _overlaps(shapes: Any, locked: gpd.GeoDataFrame) -> list[Problem]:
    """Locked grids, in metres, that lie over one before them; slivers of inexact drawing pass."""
    tree = shapely.STRtree(shapes)
    first, second = tree.query(shapes, predicate="intersects")
    pairs = sorted((a, b) for a, b in zip(first.tolist(), second.tolist(), strict=True) if a < b)
    problems = []
    for a, b in pairs:
        common = shapely.intersection(shapes[a], shapes[b])
        size = float(shapely.area(common))
        if size <= REACH_M2 or 2 * size <= SLIVER_WIDTH_M * shapely.length(common):
            continue
        names = f"{locked['code'].iloc[a]} and {locked['code'].iloc[b]}"
        reason = f"locked grids {names} overlap by {size:,.0f} m²"
        problems.append(Problem(reason, "Unlock one of them", "locked", b + 1, "geometry"))
    return problems
