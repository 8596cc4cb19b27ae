"""The classes of a density as polygons, for any GIS: the same edges as in the picture."""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING, cast

import numpy as np
import numpy.typing as npt
import shapely
from shapely import MultiPolygon, Polygon
from shapely.geometry.base import BaseGeometry

from gis.crs import transformer
from gis.errors import BadInput, Problem
from maps.heatmap import Heatmap
from maps.heatmap_text import notes, period, unit
from maps.palettes import hex_colour, nice_breaks, ramp
from maps.smoothing import Bbox, Floats
from maps.tolerance import LEVEL, METHOD, SCORE

if TYPE_CHECKING:
    import geopandas as gpd


def contours(
    heatmap: Heatmap, levels: list[float] | None = None, *, crs: str | None = None
) -> gpd.GeoDataFrame:
    """Return the classes of the density as polygons.

    Parameters
    ----------
    levels
        Rising lower bounds of the classes, above 0; readable numbers when left out, the same ones
        as in the legend of the picture.
    crs
        Of the polygons; WGS 84 when left out, ``"metric"`` for the one the density is computed in.

    Returns
    -------
    GeoDataFrame of valid multipolygons that do not overlap, one row per class that occurs, low
    classes first. Columns: ``from`` and ``to`` (NaN: no upper bound) in ``unit``, ``color`` of
    the class in the picture, ``bandwidth_m``, ``period`` and ``note``. They end at the edge of the
    area and leave out what a picture leaves blank: no data, and what is hidden. No rows for a
    density of zero or a blank map.
    """
    import geopandas as gpd  # noqa: PLC0415  (slow to load)

    bounds = nice_breaks(heatmap.maximum) if levels is None else [float(x) for x in levels]
    if any(low >= high for low, high in pairwise([0.0, *bounds])):
        raise BadInput(Problem(f"levels {bounds}", "Give rising numbers above 0.", field="levels"))
    colours = [hex_colour(colour) for colour in ramp(len(bounds))] if bounds else []
    rows = []
    for (low, high), colour in zip(pairwise([*bounds, np.inf]), colours, strict=True):
        shape = isoband(heatmap, heatmap.values, low, high)
        if not shape.is_empty:
            rows.append((low, high if np.isfinite(high) else np.nan, colour, shape))
    frame = gpd.GeoDataFrame(
        {
            "from": np.array([row[0] for row in rows], dtype=np.float64),
            "to": np.array([row[1] for row in rows], dtype=np.float64),
            "color": np.array([row[2] for row in rows], dtype=object),
            "unit": np.array([unit(heatmap, "en")] * len(rows), dtype=object),
            "bandwidth_m": np.full(len(rows), heatmap.bandwidth_m),
            "period": np.array([period(heatmap, "en")] * len(rows), dtype=object),
            "note": np.array([" ".join(notes(heatmap, "en"))] * len(rows), dtype=object),
        },
        geometry=[row[3] for row in rows],
        crs=heatmap.crs,
    )
    return _moved(frame, crs)


def differences(heatmap: Heatmap, *, crs: str | None = None) -> gpd.GeoDataFrame:
    """Return where a rate differs from the area's mean by more than chance, as polygons.

    Parameters
    ----------
    crs
        As for `contours`.

    Returns
    -------
    GeoDataFrame with at most two rows: ``difference`` (``"higher"``, ``"lower"``), ``mean`` in
    ``unit``, ``level`` (0.05: two-sided, each place taken alone) and ``method``. No rows for a
    density per km^2 and where nothing differs.
    """
    import geopandas as gpd  # noqa: PLC0415

    rows = []
    if heatmap.score is not None:
        for name, score in (("higher", heatmap.score), ("lower", -heatmap.score)):
            shape = isoband(heatmap, score, SCORE, np.inf)
            if not shape.is_empty:
                rows.append((name, shape))
    frame = gpd.GeoDataFrame(
        {
            "difference": np.array([row[0] for row in rows], dtype=object),
            "mean": np.full(len(rows), np.nan if heatmap.mean is None else heatmap.mean),
            "unit": np.array([unit(heatmap, "en")] * len(rows), dtype=object),
            "level": np.full(len(rows), LEVEL),
            "method": np.array([METHOD] * len(rows), dtype=object),
        },
        geometry=[row[1] for row in rows],
        crs=heatmap.crs,
    )
    return _moved(frame, crs)


def _moved(frame: gpd.GeoDataFrame, crs: str | None) -> gpd.GeoDataFrame:
    """Return polygons in a CRS that may be left out or ``"metric"``."""
    if crs == "metric":
        return frame
    if frame.empty:
        return frame.set_crs(crs or 4326, allow_override=True)
    moved = frame.to_crs(crs or 4326)
    # Rounding in another system can make two corners that nearly met cross.
    moved.geometry = [_polygons(shapely.make_valid(shape)) for shape in moved.geometry]
    return moved


def isoband(heatmap: Heatmap, values: Floats, low: float, high: float) -> MultiPolygon:
    """Return where values on the raster of a heat map lie between two bounds, in its metric CRS.

    Parameters
    ----------
    values
        Shape of the heat map's own, NaN where there is none.
    low, high
        The upper one may be infinite.
    """
    from contourpy import FillType, contour_generator  # noqa: PLC0415

    ny, nx = values.shape
    west, south = heatmap.bbox_m[:2]
    # One cell more around, up to which values reach beyond the edge of the area before they are
    # cut along it, as in the picture.
    generator = contour_generator(
        west + (np.arange(-1, nx + 1) + 0.5) * heatmap.cell_m,
        south + (np.arange(-1, ny + 1) + 0.5) * heatmap.cell_m,
        np.ma.masked_invalid(_beyond_edge(heatmap, values)),
        fill_type=FillType.OuterOffset,
    )
    rings, offsets = cast(
        "tuple[list[Floats], list[npt.NDArray[np.uint32]]]", generator.filled(low, high)
    )
    polygons = []
    for points, starts in zip(rings, offsets, strict=True):
        shell, *holes = [points[a:b] for a, b in pairwise(starts)]
        polygons.append(Polygon(shell, holes))
    # Where a bound runs exactly through a cell centre two rings can touch along a line.
    merged = shapely.make_valid(MultiPolygon(polygons), method="structure")
    return _polygons(shapely.intersection(merged, _edge(heatmap)))


def _beyond_edge(heatmap: Heatmap, values: Floats) -> Floats:
    """Return values padded by a cell; cells beyond the area take the mean of their neighbours'."""
    padded = np.pad(values, 1, constant_values=np.nan)
    said = np.pad(heatmap.no_data | heatmap.hidden, 1)
    total, known = np.zeros(padded.shape), np.zeros(padded.shape)
    wide = np.pad(padded, 1, constant_values=np.nan)
    ny, nx = padded.shape
    for dy in range(3):
        for dx in range(3):
            neighbour = wide[dy : dy + ny, dx : dx + nx]
            finite = np.isfinite(neighbour)
            total += np.where(finite, neighbour, 0)
            known += finite
    grown = np.divide(total, known, out=np.full(padded.shape, np.nan), where=known > 0)
    # What is not told stays blank.
    outside = np.isnan(padded) & ~said
    return np.where(outside, grown, padded)


def _edge(heatmap: Heatmap) -> BaseGeometry:
    """Return the area, or without one the box of the raster, in the metric CRS."""
    if heatmap.area is None:
        box: Bbox = heatmap.bbox_m
        return shapely.box(*box)
    to_metres = transformer("EPSG:4326", heatmap.crs)
    area = shapely.transform(
        heatmap.area, lambda xy: np.column_stack(to_metres.transform(xy[:, 0], xy[:, 1]))
    )
    return shapely.make_valid(area)


def _polygons(shape: BaseGeometry) -> MultiPolygon:
    """Return the polygons of a geometry, without the lines and points where they touch."""
    parts = shapely.get_parts(shape)
    flat = [p for part in parts for p in shapely.get_parts(part) if p.geom_type == "Polygon"]
    return MultiPolygon(flat)
