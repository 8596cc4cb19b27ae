"""The density as a raster: GeoTIFF, Web Mercator picture, map tile, PNG bytes."""

from __future__ import annotations

import math
import struct
import zlib
from pathlib import Path

import numpy as np
import numpy.typing as npt
import shapely
from pyproj import Transformer

from gis.crs import transformer
from gis.errors import BadInput, Problem
from maps.heatmap import Heatmap
from maps.heatmap_text import MADE_BY, crs_name, notes, number_of, period, unit
from maps.output import replacing
from maps.palettes import hatched, nice_breaks, rgba, stippled
from maps.smoothing import Bbox, Floats, Mask

Rgba = npt.NDArray[np.uint8]

MAX_PICTURE_PX = 8192
"""Longest side of a picture."""

OPACITY = 0.75
"""Of the colours of a picture that is laid over a map, unless another is asked for."""

BLOCK_PX = 512
"""Side of the blocks that a cloud-optimised GeoTIFF is stored and read in."""

TILE_PX = 256
"""Side of a map tile."""

_MERCATOR_HALF_M = math.pi * 6_378_137.0  # Half the side of the Web Mercator square.
_PNG_LEVEL = 6  # 9 saves a third of the bytes in six times the time, as long as all else.
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


def mercator_bounds(heatmap: Heatmap) -> Bbox:
    """Return the bounds of `to_mercator` in WGS 84 degrees, without making the picture."""
    west, south, east, north = _mercator_box(heatmap)
    to_wgs84 = transformer("EPSG:3857", "EPSG:4326")
    lon, lat = to_wgs84.transform([west, east], [south, north])
    return lon[0], lat[0], lon[1], lat[1]


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


def tile(
    heatmap: Heatmap,
    z: int,
    x: int,
    y: int,
    *,
    breaks: list[float] | None = None,
    opacity: float = OPACITY,
) -> Rgba:
    """Return the coloured density on one tile of the Web Mercator pyramid.

    Every pixel takes the value at its own place from the same density in metres, and is coloured
    by the same classes: a place has one colour at every zoom, and tiles meet without a seam.

    Parameters
    ----------
    z, x, y
        Zoom, column counted from the west, row counted from the NORTH.
    breaks, opacity
        As for `to_mercator`.

    Returns
    -------
    array (256, 256, 4) of 8 bits, row 0 north; transparent outside the area, stippled where there
    is no data, hatched where a value is hidden.
    """
    picture = np.zeros((TILE_PX, TILE_PX, 4), dtype=np.uint8)
    metres_per_px = 2 * _MERCATOR_HALF_M / 2**z / TILE_PX
    left = x * TILE_PX * metres_per_px - _MERCATOR_HALF_M
    top = _MERCATOR_HALF_M - y * TILE_PX * metres_per_px
    west, south, east, north = _mercator_box(heatmap)
    # Only the part that the raster covers: from afar that is a corner of the tile, and far from
    # its place a transverse Mercator has no answer.
    first_column = max(0, math.floor((west - left) / metres_per_px))
    last_column = min(TILE_PX, math.ceil((east - left) / metres_per_px))
    first_row = max(0, math.floor((top - north) / metres_per_px))
    last_row = min(TILE_PX, math.ceil((top - south) / metres_per_px))
    if first_column >= last_column or first_row >= last_row:
        return picture
    columns = left + (np.arange(first_column, last_column) + 0.5) * metres_per_px
    rows = top - (np.arange(first_row, last_row) + 0.5) * metres_per_px
    to_metric = transformer("EPSG:3857", heatmap.crs)
    at = _transform_lattice(to_metric, columns, rows)
    half = metres_per_px / 2
    box = (columns[0] - half, rows[-1] - half, columns[-1] + half, rows[0] + half)
    inside = _inside_box(heatmap, at[0].shape, box)
    used = nice_breaks(heatmap.maximum) if breaks is None else breaks
    values = sample(heatmap, *at, beyond_edge=heatmap.area is not None)
    values[~inside] = np.nan
    part = picture[first_row:last_row, first_column:last_column]
    part[:] = rgba(values, used, opacity=opacity)
    for where, pattern in zip(gaps(heatmap, *at), (stippled, hatched), strict=True):
        if (where & inside).any():
            # Patterns of 8 pixels, drawn on whole tiles, go on in the next one.
            marks = pattern(np.ones((TILE_PX, TILE_PX), dtype=np.bool_), period_px=8)
            marks = marks[first_row:last_row, first_column:last_column]
            part[where & inside] = marks[where & inside]
    return picture


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
    to_metric = transformer("EPSG:3857", heatmap.crs)
    columns = west + (np.arange(width) + 0.5) * (east - west) / width
    rows = north - (np.arange(height) + 0.5) * (north - south) / height
    x, y = _transform_lattice(to_metric, columns, rows)
    return x, y, mercator_bounds(heatmap)


def inside_area(heatmap: Heatmap, shape: tuple[int, ...], bounds: Bbox) -> npt.NDArray[np.bool_]:
    """Return which pixels of `mercator_values` lie in the area; all of them without an area."""
    if heatmap.area is None:
        return np.ones(shape, dtype=np.bool_)
    to_mercator_m = transformer("EPSG:4326", "EPSG:3857")
    west, south = to_mercator_m.transform(bounds[0], bounds[1])
    east, north = to_mercator_m.transform(bounds[2], bounds[3])
    return _inside_box(heatmap, shape, (west, south, east, north))


def _inside_box(heatmap: Heatmap, shape: tuple[int, ...], box: Bbox) -> Mask:
    """Return which pixels of a box in Web Mercator metres have their centre in the area."""
    if heatmap.area is None:
        return np.ones(shape, dtype=np.bool_)
    from rasterio import Affine, features  # noqa: PLC0415  (GDAL is slow to load)

    west, south, east, north = box
    to_mercator_m = transformer("EPSG:4326", "EPSG:3857")
    area = shapely.transform(
        heatmap.area, lambda xy: np.column_stack(to_mercator_m.transform(xy[:, 0], xy[:, 1]))
    )
    placed = Affine((east - west) / shape[1], 0, west, 0, (south - north) / shape[0], north)
    inside: npt.NDArray[np.uint8] = features.rasterize(
        [area], out_shape=shape, transform=placed, dtype="uint8"
    )
    return inside == 1


def _mercator_box(heatmap: Heatmap) -> Bbox:
    """Return the box of the raster in Web Mercator metres."""
    to_mercator_m = transformer(heatmap.crs, "EPSG:3857")
    west, south, east, north = to_mercator_m.transform_bounds(*heatmap.bbox_m, densify_pts=21)
    return west, south, east, north


def _transform_lattice(change: Transformer, columns: Floats, rows: Floats) -> tuple[Floats, Floats]:
    """Transform a pixel grid by its every 16th point and linear interpolation between.

    A transverse Mercator is so nearly linear over 16 pixels that the error stays far below a
    pixel (a millimetre per metre of cell at 45 degrees), and a million exact transformations would
    take longer than all the rest.
    """
    knots_x = np.linspace(columns[0], columns[-1], 2 + len(columns) // _LATTICE_PX)
    knots_y = np.linspace(rows[0], rows[-1], 2 + len(rows) // _LATTICE_PX)
    exact = change.transform(*np.meshgrid(knots_x, knots_y))
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
    parts = [
        (b"IHDR", header),
        (b"IDAT", zlib.compress(rows.tobytes(), _PNG_LEVEL)),
        (b"IEND", b""),
    ]
    chunks = [
        struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
        for kind, data in parts
    ]
    return b"\x89PNG\r\n\x1a\n" + b"".join(chunks)


def write_geotiff(heatmap: Heatmap, path: Path | str) -> None:
    """Write the density as a cloud-optimised GeoTIFF.

    One band of float32 in the metric CRS of the heat map, row 0 north, NaN where nothing is said;
    unit, bandwidth, period and number of events are in its tags. Rasters of more than one block of
    512 pixels have overviews, whose values are means in the same unit.
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
            # A mean of densities is a density again; the default, cubic, overshoots below zero.
            overview_resampling="AVERAGE",
            blocksize=BLOCK_PX,
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
        "SHARED": "yes, small counts are hidden" if heatmap.shared else "no, for the case team",
        "NOTES": " ".join(notes(heatmap, "en")),
        "CRS": crs_name(heatmap),
        "SOURCE": heatmap.source,
        "MADE_ON": heatmap.made_on.isoformat(),
        "TIFFTAG_SOFTWARE": MADE_BY,
    }
