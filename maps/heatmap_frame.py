"""Where a heat map lies: its raster, scale and mask, and which events belong on it."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt
import shapely
from pyproj import CRS, Transformer
from shapely.geometry.base import BaseGeometry

from gis.crs import metric_crs, transformer
from gis.errors import BadInput, Problem
from maps.bandwidth import PLACE_M, Bandwidth, from_events
from maps.heatmap_checks import MIN_EVENTS, check_bandwidth_fits, coordinates
from maps.smoothing import MAX_CELLS, Bbox, Floats, Mask, too_many_cells

CELLS_PER_BANDWIDTH = 6
MIN_CELL_M = 10.0
"""Side of a cell when none is given: a sixth of the bandwidth, but never less than this."""

_MARGIN_BANDWIDTHS = 3
_MASK_CELLS = 1000  # Along the longer side: fine enough to find a bandwidth by.


@dataclass(frozen=True, slots=True, eq=False)
class Events:
    """Events inside the area, degrees, and how many are left out."""

    lons: Floats
    lats: Floats
    n_outside: int
    n_without_place: int


def placed(lon: npt.ArrayLike, lat: npt.ArrayLike, polygon: BaseGeometry | None) -> Events:
    """Return the events that have a place in the area."""
    lons, lats = coordinates(lon, lat, "lon", "lat")
    known = np.isfinite(lons) & np.isfinite(lats)
    lons, lats = lons[known], lats[known]
    inside = np.ones(lons.size, dtype=np.bool_)
    if polygon is not None:
        inside = shapely.intersects_xy(polygon, lons, lats)
    return Events(
        lons[inside],
        lats[inside],
        int(inside.size - inside.sum()),
        int(known.size - known.sum()),
    )


def together(parts: Iterable[Events]) -> Events:
    """Return all parts as one."""
    every = list(parts)
    return Events(
        np.concatenate([np.zeros(0), *(part.lons for part in every)]),
        np.concatenate([np.zeros(0), *(part.lats for part in every)]),
        sum(part.n_outside for part in every),
        sum(part.n_without_place for part in every),
    )


@dataclass(frozen=True, slots=True, eq=False)
class Frame:
    """The raster of a map, before there is anything on it."""

    crs: CRS
    to_metres: Transformer
    bbox_m: Bbox
    shape: tuple[int, int]
    mask: Mask | None
    cell_m: float
    bandwidth_m: float
    chosen: Bandwidth | None


def framed(
    polygon: BaseGeometry | None,
    events: Events | None,
    bandwidth_m: float | Literal["auto"],
    cell_m: float | None,
    *,
    shared: bool,
) -> Frame:
    """Return the raster over the area, or without one around all events."""
    if polygon is not None:
        extent: Bbox = polygon.bounds
    elif events is None or not events.lons.size:
        raise BadInput("no events and no area: there is no place to draw", "Give an area.")
    elif shared and events.lons.size < MIN_EVENTS:
        raise BadInput(
            Problem(
                f"fewer than {MIN_EVENTS} events and no area: the map's frame would show "
                "where they were",
                "Give the area they were looked for in.",
                field="area",
            )
        )
    else:
        lons, lats = events.lons, events.lats
        extent = (float(lons.min()), float(lats.min()), float(lons.max()), float(lats.max()))
    crs = metric_crs(extent)
    to_metres = transformer("EPSG:4326", crs)
    xy = np.zeros((0, 2))
    if events is not None:
        xy = np.column_stack(to_metres.transform(events.lons, events.lats))
    projected = None
    if polygon is not None:
        projected = shapely.transform(
            polygon, lambda xy: np.column_stack(to_metres.transform(xy[:, 0], xy[:, 1]))
        )
    is_given = cell_m is not None
    bandwidth_m, cell_m, chosen = _scale(bandwidth_m, cell_m, xy, projected)
    mask = None
    if projected is None:
        margin = _MARGIN_BANDWIDTHS * bandwidth_m
        low, high = xy.min(axis=0) - margin, xy.max(axis=0) + margin
        bbox, shape = _raster((low[0], low[1], high[0], high[1]), cell_m, is_given=is_given)
    else:
        bbox, shape = _raster(projected.bounds, cell_m, is_given=is_given)
        check_bandwidth_fits(bandwidth_m, bbox)
        mask = mask_of(projected, bbox, shape, cell_m)
    return Frame(crs, to_metres, bbox, shape, mask, float(cell_m), float(bandwidth_m), chosen)


def _scale(
    bandwidth_m: float | Literal["auto"],
    cell_m: float | None,
    xy: Floats,
    projected: BaseGeometry | None,
) -> tuple[float, float, Bandwidth | None]:
    """Return bandwidth and cell as given or found, and how the bandwidth was found."""
    if bandwidth_m != "auto":
        return bandwidth_m, cell_m or max(MIN_CELL_M, bandwidth_m / CELLS_PER_BANDWIDTH), None
    chosen = _found_bandwidth(xy, projected)
    if cell_m is None:
        cell_m = max(MIN_CELL_M, chosen.metres / CELLS_PER_BANDWIDTH)
        if projected is not None:
            # Nobody asked for a bandwidth that is fine for so wide an area: half of it still does.
            west, south, east, north = projected.bounds
            least = 1.01 * math.sqrt((east - west) * (north - south) / MAX_CELLS)
            cell_m = max(cell_m, min(least, chosen.metres / 2))
    return chosen.metres, cell_m, chosen


def _found_bandwidth(xy: Floats, projected: BaseGeometry | None) -> Bandwidth:
    """Find the bandwidth from events within the area, or within their own box."""
    if projected is None:
        low, high = xy.min(axis=0) - PLACE_M, xy.max(axis=0) + PLACE_M
        return from_events(xy, (low[0], low[1], high[0], high[1]))
    west, south, east, north = projected.bounds
    coarse = max(east - west, north - south) / _MASK_CELLS
    bbox, shape = _raster(projected.bounds, coarse)
    return from_events(xy, bbox, mask_of(projected, bbox, shape, coarse))


def _raster(box: Bbox, cell_m: float, *, is_given: bool = True) -> tuple[Bbox, tuple[int, int]]:
    """Return the raster of whole cells, on multiples of the cell, that covers a box in metres.

    A cell that nobody gave follows from the bandwidth: of that is spoken then.
    """
    west, south, east, north = box
    column, row = math.floor(west / cell_m), math.floor(south / cell_m)
    nx = max(1, math.ceil(east / cell_m) - column)
    ny = max(1, math.ceil(north / cell_m) - row)
    if nx * ny > MAX_CELLS:
        least = math.ceil(1.01 * math.sqrt((east - west) * (north - south) / MAX_CELLS))
        remedy = (
            f"Use cells of at least {least:,} m"
            if is_given
            else f"Give a bandwidth of at least {CELLS_PER_BANDWIDTH * least:,} m"
        )
        raise BadInput(
            Problem(
                f"{too_many_cells(ny, nx)} (the map would be {(east - west) / 1000:,.0f} x "
                f"{(north - south) / 1000:,.0f} km)",
                f"{remedy}, or give a smaller area: single events far from the rest widen the map.",
                field="cell_m" if is_given else "bandwidth_m",
            )
        )
    return (
        (column * cell_m, row * cell_m, (column + nx) * cell_m, (row + ny) * cell_m),
        (ny, nx),
    )


def mask_of(projected: BaseGeometry, bbox: Bbox, shape: tuple[int, int], cell_m: float) -> Mask:
    """Return the cells whose centre lies in the area, row 0 south."""
    from rasterio import Affine, features  # noqa: PLC0415  (GDAL is slow to load)

    north_up: npt.NDArray[np.uint8] = features.rasterize(
        [projected],
        out_shape=shape,
        transform=Affine(cell_m, 0, bbox[0], 0, -cell_m, bbox[3]),
        dtype="uint8",
    )
    mask: Mask = np.ascontiguousarray(north_up[::-1]) == 1
    if not mask.any():
        raise BadInput(
            Problem(
                f"the area holds no centre of a cell of {cell_m:g} m",
                "Use smaller cells.",
                field="cell_m",
            )
        )
    return mask
