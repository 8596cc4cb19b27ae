"""The density as a raster or as polygons: GeoTIFF, Web Mercator picture, PNG bytes, contours."""

from __future__ import annotations

import struct
import zlib
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, cast

import numpy as np
import numpy.typing as npt
import shapely
from pyproj import Transformer
from shapely import MultiPolygon, Polygon

from gis.errors import BadInput, Problem
from maps.heatmap import Heatmap
from maps.heatmap_text import notes, number_of, period, unit
from maps.output import replacing
from maps.palettes import nice_breaks, rgba
from maps.smoothing import Bbox, Floats, Mask

if TYPE_CHECKING:
    import geopandas as gpd

Rgba = npt.NDArray[np.uint8]

MAX_PICTURE_PX = 8192
"""Longest side of a picture."""

OPACITY = 0.75
"""Of the colours of a picture that is laid over a map, unless another is asked for."""

_LATTICE_PX = 16  # Pixels between exactly transformed points; between them it is interpolated.


def sample(heatmap: Heatmap, x_m: Floats, y_m: Floats, *, beyond_edge: bool = False) -> Floats:
    """Values between cell centres, by bilinear interpolation of the cells that have one.

    Parameters
    ----------
    x_m, y_m
        Places in the CRS of the heat map, any shape.
    beyond_edge
        True also fills up to one cell into places without a value, for pictures that are cut
        along the exact outline afterwards.

    Returns
    -------
    array of that shape; NaN outside the raster and in cells without a value.
    """
    values = heatmap.values
    ny, nx = values.shape
    west, south = heatmap.bbox_m[:2]
    u = (np.asarray(x_m) - west) / heatmap.cell_m - 0.5
    v = (np.asarray(y_m) - south) / heatmap.cell_m - 0.5
    on_raster = (u >= -0.5) & (u <= nx - 0.5) & (v >= -0.5) & (v <= ny - 0.5)
    u, v = np.clip(u, 0, nx - 1), np.clip(v, 0, ny - 1)
    column, row = u.astype(np.int64), v.astype(np.int64)
    a, b = u - column, v - row
    right, above = np.minimum(column + 1, nx - 1), np.minimum(row + 1, ny - 1)
    total, weight = np.zeros(u.shape), np.zeros(u.shape)
    for share, r, c in (
        ((1 - a) * (1 - b), row, column),
        (a * (1 - b), row, right),
        ((1 - a) * b, above, column),
        (a * b, above, right),
    ):
        value = values[r, c]
        known = np.isfinite(value)
        total += np.where(known, share * value, 0)
        weight += np.where(known, share, 0)
    shown = on_raster & (weight > 1e-9)
    if not beyond_edge:
        shown &= np.isfinite(values[np.round(v).astype(np.int64), np.round(u).astype(np.int64)])
    result = np.full(u.shape, np.nan)
    np.divide(total, weight, out=result, where=shown)
    return result


def gaps(heatmap: Heatmap, x_m: Floats, y_m: Floats) -> tuple[Mask, Mask]:
    """Return at which places there is no data, and at which a value is hidden.

    Up to one cell beyond the edge of the area as well, for pictures that are cut along the exact
    outline.

    Parameters
    ----------
    x_m, y_m
        Places in the CRS of the heat map, any shape.
    """
    ny, nx = heatmap.values.shape
    west, south = heatmap.bbox_m[:2]
    column = np.floor((np.asarray(x_m) - west) / heatmap.cell_m).astype(np.int64)
    row = np.floor((np.asarray(y_m) - south) / heatmap.cell_m).astype(np.int64)
    on_raster = (column >= 0) & (column < nx) & (row >= 0) & (row < ny)
    at = np.clip(row, 0, ny - 1), np.clip(column, 0, nx - 1)
    outside = np.isnan(heatmap.values) & ~heatmap.no_data & ~heatmap.hidden
    # Hidden last: an edge cell between both kinds must not be taken for missing data.
    hidden = heatmap.hidden | (outside & _grown(heatmap.hidden))
    no_data = heatmap.no_data | (outside & _grown(heatmap.no_data) & ~hidden)
    return no_data[at] & on_raster, hidden[at] & on_raster


def _grown(mask: Mask) -> Mask:
    """Return a mask with the eight neighbours of its cells."""
    padded = np.pad(mask, 1)
    ny, nx = mask.shape
    grown = np.zeros_like(mask)
    for dy in range(3):
        for dx in range(3):
            grown |= padded[dy : dy + ny, dx : dx + nx]
    return grown


def to_mercator(
    heatmap: Heatmap,
    width: int = 1024,
    *,
    breaks: list[float] | None = None,
    opacity: float = OPACITY,
) -> tuple[Rgba, Bbox]:
    """Return the coloured density on a Web Mercator pixel grid.

    Each pixel takes the value at its own place, so that a map library may stretch the picture over
    its bounds in Web Mercator and every place keeps its colour.

    Parameters
    ----------
    width
        Pixels from west to east, 1 to 8192.
    breaks
        Lower class bounds as of `maps.palettes.nice_breaks`, which is used when left out.
    opacity
        Of coloured pixels, 0 to 1.

    Returns
    -------
    rgba, (west, south, east, north)
        Array (height, width, 4) of 8 bits, row 0 NORTH; bounds in WGS 84 degrees.
    """
    values, bounds = mercator_values(heatmap, width)
    used = nice_breaks(heatmap.maximum) if breaks is None else breaks
    return rgba(values, used, opacity=opacity), bounds


def mercator_values(heatmap: Heatmap, width: int) -> tuple[Floats, Bbox]:
    """Return the density on a Web Mercator pixel grid, row 0 north, and its bounds in degrees."""
    x, y, bounds = _mercator_places(heatmap, width)
    return sample(heatmap, x, y), bounds


def mercator_gaps(heatmap: Heatmap, width: int) -> tuple[Mask, Mask]:
    """Return the `gaps` on the pixel grid of `mercator_values`, cut along the area."""
    x, y, bounds = _mercator_places(heatmap, width)
    inside = inside_area(heatmap, x.shape, bounds)
    no_data, hidden = gaps(heatmap, x, y)
    return no_data & inside, hidden & inside


def _mercator_places(heatmap: Heatmap, width: int) -> tuple[Floats, Floats, Bbox]:
    """Return where the pixels lie in the CRS of the heat map, and the bounds in degrees."""
    west, south, east, north = _mercator_box(heatmap)
    height = max(1, round(width * (north - south) / (east - west)))
    if not 1 <= width <= MAX_PICTURE_PX or height > MAX_PICTURE_PX:
        raise BadInput(
            Problem(
                f"a picture of {width:,} x {height:,} pixels",
                f"The longer side may have 1 to {MAX_PICTURE_PX:,}.",
                field="width",
            )
        )
    to_metric = Transformer.from_crs("EPSG:3857", heatmap.crs, always_xy=True)
    columns = west + (np.arange(width) + 0.5) * (east - west) / width
    rows = north - (np.arange(height) + 0.5) * (north - south) / height
    x, y = _transform_lattice(to_metric, columns, rows)
    to_wgs84 = Transformer.from_crs("EPSG:3857", "EPSG:4326", always_xy=True)
    lon, lat = to_wgs84.transform([west, east], [south, north])
    return x, y, (lon[0], lat[0], lon[1], lat[1])


def inside_area(heatmap: Heatmap, shape: tuple[int, ...], bounds: Bbox) -> npt.NDArray[np.bool_]:
    """Return which pixels of `mercator_values` lie in the area; all of them without an area."""
    if heatmap.area is None:
        return np.ones(shape, dtype=np.bool_)
    from rasterio import Affine, features  # noqa: PLC0415  (GDAL is slow to load)

    to_mercator_m = Transformer.from_crs("EPSG:4326", "EPSG:3857", always_xy=True)
    area = shapely.transform(
        heatmap.area, lambda xy: np.column_stack(to_mercator_m.transform(xy[:, 0], xy[:, 1]))
    )
    west, south = to_mercator_m.transform(bounds[0], bounds[1])
    east, north = to_mercator_m.transform(bounds[2], bounds[3])
    placed = Affine((east - west) / shape[1], 0, west, 0, (south - north) / shape[0], north)
    inside: npt.NDArray[np.uint8] = features.rasterize(
        [area], out_shape=shape, transform=placed, dtype="uint8"
    )
    return inside == 1


def _mercator_box(heatmap: Heatmap) -> Bbox:
    """Return the box of the raster in Web Mercator metres."""
    to_mercator_m = Transformer.from_crs(heatmap.crs, "EPSG:3857", always_xy=True)
    west, south, east, north = to_mercator_m.transform_bounds(*heatmap.bbox_m, densify_pts=21)
    return west, south, east, north


def _transform_lattice(
    transformer: Transformer, columns: Floats, rows: Floats
) -> tuple[Floats, Floats]:
    """Transform a pixel grid by its every 16th point and linear interpolation between.

    A transverse Mercator is so nearly linear over 16 pixels that the error stays far below a
    pixel (a millimetre per metre of cell at 45 degrees), and a million exact transformations would
    take longer than all the rest.
    """
    knots_x = np.linspace(columns[0], columns[-1], 2 + len(columns) // _LATTICE_PX)
    knots_y = np.linspace(rows[0], rows[-1], 2 + len(rows) // _LATTICE_PX)
    exact = transformer.transform(*np.meshgrid(knots_x, knots_y))
    result = []
    for knots in exact:
        along = _interpolate(columns, knots_x, np.asarray(knots).T).T
        result.append(_interpolate(rows, knots_y, along))
    return result[0], result[1]


def _interpolate(at: Floats, knots: Floats, values: Floats) -> Floats:
    """Interpolate rows of values given at evenly spaced knots."""
    if len(at) == 1:
        return values[:1]
    place = (at - knots[0]) / (knots[1] - knots[0])
    low = np.clip(place.astype(np.int64), 0, len(knots) - 2)
    share = (place - low)[:, None]
    between: Floats = values[low] * (1 - share) + values[low + 1] * share
    return between


def png_bytes(picture: Rgba) -> bytes:
    """Return a picture (height, width, 4) of 8 bits as a PNG file."""
    height, width = picture.shape[:2]
    # Every row begins with the number of its filter; classed colours need none.
    rows = np.zeros((height, 1 + 4 * width), dtype=np.uint8)
    rows[:, 1:] = picture.reshape(height, -1)
    header = struct.pack(">2I5B", width, height, 8, 6, 0, 0, 0)
    parts = [(b"IHDR", header), (b"IDAT", zlib.compress(rows.tobytes(), 9)), (b"IEND", b"")]
    chunks = [
        struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
        for kind, data in parts
    ]
    return b"\x89PNG\r\n\x1a\n" + b"".join(chunks)


def write_geotiff(heatmap: Heatmap, path: Path | str) -> None:
    """Write the density as a cloud-optimised GeoTIFF.

    One band of float32 in the metric CRS of the heat map, row 0 north, NaN where nothing is said;
    unit, bandwidth, period and number of events are in its tags.
    """
    import rasterio  # noqa: PLC0415  (GDAL is slow to load)

    west, _, _, north = heatmap.bbox_m
    ny, nx = heatmap.values.shape
    with (
        replacing(path) as temporary,
        rasterio.open(
            temporary,
            "w",
            driver="COG",
            width=nx,
            height=ny,
            count=1,
            dtype="float32",
            nodata=np.nan,
            crs=heatmap.crs.to_wkt(),
            transform=rasterio.Affine(heatmap.cell_m, 0, west, 0, -heatmap.cell_m, north),
            compress="DEFLATE",
            predictor="FLOATING_POINT",
        ) as file,
    ):
        file.write(heatmap.values[::-1].astype(np.float32), 1)
        file.set_band_description(1, unit(heatmap, "en"))
        file.set_band_unit(1, unit(heatmap, "en"))
        file.update_tags(**tags(heatmap))


def tags(heatmap: Heatmap) -> dict[str, str]:
    """Return what a file has to say of its density, as text by name."""
    return {
        "TITLE": heatmap.title,
        "CATEGORY": heatmap.category,
        "UNIT": unit(heatmap, "en"),
        "BANDWIDTH_M": f"{heatmap.bandwidth_m:g}",
        "CELL_M": f"{heatmap.cell_m:g}",
        "PERIOD": period(heatmap, "en"),
        "PERIOD_START": heatmap.start.isoformat(),
        "PERIOD_END_EXCLUSIVE": heatmap.end.isoformat(),
        "N": "fewer than 5" if heatmap.n is None else str(heatmap.n),
        "N_OUTSIDE": number_of(heatmap, heatmap.n_outside, "en"),
        "N_WITHOUT_PLACE": number_of(heatmap, heatmap.n_without_place, "en"),
        "NOTES": " ".join(notes(heatmap, "en")),
        "SOURCE": heatmap.source,
        "MADE_ON": heatmap.made_on.isoformat(),
    }


def contours(heatmap: Heatmap, levels: list[float] | None = None) -> gpd.GeoDataFrame:
    """Return the classes of the density as polygons.

    Parameters
    ----------
    levels
        Rising lower bounds of the classes, above 0; readable numbers when left out.

    Returns
    -------
    GeoDataFrame in WGS 84 with ``low``, ``high`` (NaN: no upper bound) and ``unit``, one row per
    class that occurs, low classes first. Polygons follow the density between cell centres, so they
    end half a cell inside the edge of the area. No rows for a density of zero or a blank map.
    """
    import geopandas as gpd  # noqa: PLC0415  (slow to load)

    bounds = nice_breaks(heatmap.maximum) if levels is None else [float(x) for x in levels]
    if any(low >= high for low, high in pairwise([0.0, *bounds])):
        raise BadInput(Problem(f"levels {bounds}", "Give rising numbers above 0.", field="levels"))
    to_wgs84 = Transformer.from_crs(heatmap.crs, "EPSG:4326", always_xy=True)
    rows = []
    for low, high in pairwise([*bounds, np.inf]):
        shape = _band(heatmap, low, high, to_wgs84)
        if not shape.is_empty:
            rows.append((low, high if np.isfinite(high) else np.nan, shape))
    return gpd.GeoDataFrame(
        {
            "low": np.array([row[0] for row in rows], dtype=np.float64),
            "high": np.array([row[1] for row in rows], dtype=np.float64),
            "unit": np.array([unit(heatmap, "en")] * len(rows), dtype=object),
        },
        geometry=[row[2] for row in rows],
        crs="EPSG:4326",
    )


def _band(heatmap: Heatmap, low: float, high: float, to_wgs84: Transformer) -> MultiPolygon:
    """Return where the density lies between two bounds, WGS 84."""
    from contourpy import FillType, contour_generator  # noqa: PLC0415

    ny, nx = heatmap.values.shape
    if min(ny, nx) < 2:
        return MultiPolygon()
    west, south = heatmap.bbox_m[:2]
    generator = contour_generator(
        west + (np.arange(nx) + 0.5) * heatmap.cell_m,
        south + (np.arange(ny) + 0.5) * heatmap.cell_m,
        np.ma.masked_invalid(heatmap.values),
        fill_type=FillType.OuterOffset,
    )
    rings, offsets = cast(
        "tuple[list[Floats], list[npt.NDArray[np.uint32]]]", generator.filled(low, high)
    )
    polygons = []
    for points, starts in zip(rings, offsets, strict=True):
        degrees = np.column_stack(to_wgs84.transform(points[:, 0], points[:, 1]))
        shell, *holes = [degrees[a:b] for a, b in pairwise(starts)]
        polygons.append(Polygon(shell, holes))
    # Where a bound runs exactly through a cell centre two rings can touch along a line.
    merged = shapely.make_valid(MultiPolygon(polygons), method="structure")
    parts = [p for p in shapely.get_parts(merged) if p.geom_type == "Polygon"]
    return MultiPolygon(parts)
