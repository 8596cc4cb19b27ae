"""Coordinates at the door: every system in, WGS 84 longitude and latitude inside, and back.

GCJ-02 (Amap, Tencent, WeCom) and BD-09 (Baidu) are not datums but published distortions of 0.5 and
1.4 km. The *source* of the data says whether they apply, never a box around China: such a box takes
in Mongolian, Russian and Korean ground next to the very border grids that wangge serves.
"""

from __future__ import annotations

from enum import IntEnum
from typing import Any, Literal, TypeAlias, overload

import numpy as np
import shapely
from numpy.typing import ArrayLike, NDArray
from pyproj.enums import TransformDirection
from shapely.geometry.base import BaseGeometry

from gis.crs_names import NAMES, Crs, CrsLike, Kind, parse_crs, parse_name, proj_transformer
from gis.crs_zones import Bounds, equal_area_crs, gauss_kruger_zone, metric_crs, transformer
from gis.errors import BadInput, Problem

__all__ = [
    "LONLAT_PROBLEMS",
    "NAMES",
    "Crs",
    "CrsLike",
    "LonLatKind",
    "check_lonlat",
    "equal_area_crs",
    "from_wgs84",
    "from_wgs84_geometry",
    "gauss_kruger_zone",
    "metric_crs",
    "parse_crs",
    "parse_name",
    "to_wgs84",
    "to_wgs84_geometry",
    "transformer",
]

Floats: TypeAlias = NDArray[np.float64]
AxisOrder: TypeAlias = Literal["xy", "authority"]

# Shifted positions may leave the globe by the shift; anything further is no position.
_SHIFT_MARGIN_DEG = 1.0
# A degree of latitude at the pole, the longest degree there is: so no segment comes out too long.
_LONGEST_DEGREE_M = 111_694.0


@overload
def to_wgs84(
    lon: float, lat: float, source: CrsLike, *, axis_order: AxisOrder = "xy"
) -> tuple[np.float64, np.float64]: ...
@overload
def to_wgs84(
    lon: ArrayLike, lat: ArrayLike, source: CrsLike, *, axis_order: AxisOrder = "xy"
) -> tuple[Floats, Floats]: ...
def to_wgs84(
    lon: ArrayLike, lat: ArrayLike, source: CrsLike, *, axis_order: AxisOrder = "xy"
) -> tuple[Any, Any]:
    """Convert coordinates of a source system to WGS 84 longitude and latitude.

    Parameters
    ----------
    lon, lat
        Arrays that broadcast, or scalars: degrees, or the units of a projected system. For EPSG
        codes the order is always easting (longitude) first, whatever EPSG says.
    source
        See ``parse_crs``.
    axis_order
        ``authority`` for survey files that keep EPSG's own order: ``lon`` is then the first axis,
        which is *north* for all Chinese Gauss-Kruger zones and latitude for EPSG:4326 and 4490.

    Returns
    -------
    Longitude and latitude in degrees, new float64 arrays of the broadcast shape (float64 scalars
    for scalars). A pair that is no position of the source gives NaN in both: NaN or infinite in
    either, off the globe, or outside what the projection can invert. GCJ-02 and BD-09 are inverted
    to 10 nm all over China; CGCS2000 is WGS 84 (decimetres, on purpose).

    Raises
    ------
    BadInput
        Unknown system, no transformation of known accuracy, shapes that do not fit, no numbers, or
        ``authority`` order for GCJ-02 and BD-09, which have none.
    """
    return _convert(lon, lat, source, axis_order, forward=False)


@overload
def from_wgs84(
    lon: float, lat: float, target: CrsLike, *, axis_order: AxisOrder = "xy"
) -> tuple[np.float64, np.float64]: ...
@overload
def from_wgs84(
    lon: ArrayLike, lat: ArrayLike, target: CrsLike, *, axis_order: AxisOrder = "xy"
) -> tuple[Floats, Floats]: ...
def from_wgs84(
    lon: ArrayLike, lat: ArrayLike, target: CrsLike, *, axis_order: AxisOrder = "xy"
) -> tuple[Any, Any]:
    """Convert WGS 84 longitude and latitude to a target system: ``to_wgs84`` backwards.

    Returns easting (longitude) first, or in EPSG's own order with ``axis_order="authority"``; units
    are those of the target. NaN, shapes and errors as in ``to_wgs84``.
    """
    return _convert(lon, lat, target, axis_order, forward=True)


def _convert(
    first: ArrayLike, second: ArrayLike, name: CrsLike, axis_order: AxisOrder, *, forward: bool
) -> tuple[Any, Any]:
    crs = parse_crs(name)
    if axis_order not in ("xy", "authority"):
        raise BadInput(f"axis_order is {axis_order!r}", "Use 'xy' or 'authority'.")
    authority = axis_order == "authority"
    if authority and crs.is_shifted:
        raise BadInput(f"{crs} has no axis order of an authority", "Give longitude, latitude.")
    a, b = _pair(first, second)
    shape = a.shape
    a, b = np.ascontiguousarray(a).ravel(), np.ascontiguousarray(b).ravel()
    if crs.kind is Kind.PROJ:
        a, b = _by_proj(a, b, crs, authority=authority, forward=forward)
    elif crs.kind is Kind.IDENTITY:
        if authority and not forward:
            a, b = b, a
        on_globe = _on_globe(a, b)
        a, b = np.where(on_globe, a, np.nan), np.where(on_globe, b, np.nan)
        if authority and forward:
            a, b = b, a
    else:
        a, b = _by_shift(a, b, crs.kind, forward=forward)
    a, b = a.reshape(shape), b.reshape(shape)
    return (a, b) if shape else (a[()], b[()])


def _pair(first: ArrayLike, second: ArrayLike) -> tuple[Floats, Floats]:
    try:
        a, b = np.broadcast_arrays(
            np.asarray(first, dtype=np.float64), np.asarray(second, dtype=np.float64)
        )
    except (TypeError, ValueError) as error:
        raise BadInput(
            f"longitude and latitude are not two arrays of numbers that fit: {error}",
            "Give numbers, as many of the one as of the other; NaN where there is none.",
        ) from error
    return a, b


def _on_globe(lon: Floats, lat: Floats, margin: float = 0.0) -> NDArray[np.bool_]:
    inside: NDArray[np.bool_] = (np.abs(lon) <= 180.0 + margin) & (np.abs(lat) <= 90.0 + margin)
    return inside  # NaN is not


def _by_proj(
    a: Floats, b: Floats, crs: Crs, *, authority: bool, forward: bool
) -> tuple[Floats, Floats]:
    transformer, lat_first = proj_transformer(crs, authority_order=authority)
    if forward:
        on_globe = _on_globe(a, b)
        a, b = np.where(on_globe, a, np.nan), np.where(on_globe, b, np.nan)
        a, b = transformer.transform(
            *((b, a) if lat_first else (a, b)), direction=TransformDirection.INVERSE
        )
    else:
        a, b = transformer.transform(a, b)
        if lat_first:
            a, b = b, a
    # PROJ writes infinity where it has no answer.
    placed = np.isfinite(a) & np.isfinite(b)
    return np.where(placed, a, np.nan), np.where(placed, b, np.nan)


def _by_shift(a: Floats, b: Floats, kind: Kind, *, forward: bool) -> tuple[Floats, Floats]:
    # Imported late: numba takes 0.5 s or more, and most commands never meet a shifted system.
    from gis import crs_shift  # noqa: PLC0415

    kernel = {
        (Kind.GCJ02, True): crs_shift.gcj_from_wgs84,
        (Kind.GCJ02, False): crs_shift.wgs84_from_gcj,
        (Kind.BD09, True): crs_shift.bd_from_wgs84,
        (Kind.BD09, False): crs_shift.wgs84_from_bd,
    }[kind, forward]
    lon, lat = np.empty_like(a), np.empty_like(b)
    kernel(a, b, lon, lat)
    margin = _SHIFT_MARGIN_DEG
    lost = ~(_on_globe(a, b, 0.0 if forward else margin) & _on_globe(lon, lat, margin))
    if lost.any():
        lon[lost] = lat[lost] = np.nan
    return lon, lat


def to_wgs84_geometry(
    geometries: Any, source: CrsLike, *, max_segment_m: float | None = 1000.0
) -> Any:
    """Convert geometries of a source system to WGS 84, vertex by vertex.

    Parameters
    ----------
    geometries
        One geometry or an array (a GeoSeries counts as one); None and empty ones stay. Heights are
        kept as they are.
    source
        See ``parse_crs``; always easting (longitude) first.
    max_segment_m
        For GCJ-02 and BD-09 only: edges longer than this get vertices in between first, because a
        straight line bends in them (a 10 km edge by up to 5 m, a 1 km edge by 5 cm). The original
        vertices stay, and an edge that two polygons share is cut at the same points in both. None
        adds none.

    Returns
    -------
    A geometry, or an object array of them, in the order given.

    Raises
    ------
    BadInput
        As ``to_wgs84``; and with a Problem for each geometry that has a vertex without a position.
    """
    return _convert_geometry(geometries, parse_crs(source), max_segment_m, forward=False)


def from_wgs84_geometry(
    geometries: Any, target: CrsLike, *, max_segment_m: float | None = 1000.0
) -> Any:
    """Convert WGS 84 geometries to a target system: ``to_wgs84_geometry`` backwards."""
    return _convert_geometry(geometries, parse_crs(target), max_segment_m, forward=True)


def _convert_geometry(
    geometries: Any, crs: Crs, max_segment_m: float | None, *, forward: bool
) -> Any:
    single = geometries is None or isinstance(geometries, BaseGeometry)
    shapes = np.array([geometries], dtype=object) if single else np.array(geometries, dtype=object)
    what = "WGS 84" if forward else crs.name
    if crs.is_shifted and max_segment_m is not None:
        if not max_segment_m > 0:
            raise BadInput(f"max_segment_m is {max_segment_m}", "Give a length above 0, or None.")
        # Metres taken for degrees would be cut into millions of pieces: look before cutting.
        xy, owner = shapely.get_coordinates(shapes, return_index=True)
        _refuse_unplaced(owner, _on_globe(xy[:, 0], xy[:, 1], _SHIFT_MARGIN_DEG), what)
        shapes = _densified(shapes, max_segment_m / _LONGEST_DEGREE_M)
    xyz, owner = shapely.get_coordinates(shapes, include_z=True, return_index=True)
    convert = from_wgs84 if forward else to_wgs84
    xyz[:, 0], xyz[:, 1] = convert(xyz[:, 0], xyz[:, 1], crs)
    _refuse_unplaced(owner, np.isfinite(xyz[:, :2]).all(axis=1), what)
    has_z = shapely.has_z(shapes)
    for members, dimensions in ((~has_z, 2), (has_z, 3)):
        moved = xyz[members[owner], :dimensions]
        shapes[members] = shapely.transform(
            shapes[members], lambda _, moved=moved: moved, include_z=dimensions == 3
        )
    return shapes[0] if single else shapes


def _refuse_unplaced(owner: NDArray[np.int64], is_placed: NDArray[np.bool_], what: str) -> None:
    lost = np.unique(owner[~is_placed])
    if lost.size:
        raise BadInput(
            Problem(
                f"the geometry has a vertex that is no position in {what}",
                "Check the coordinate system, the axis order and the coordinates.",
                row=int(i) + 1,
            )
            for i in lost
        )


def _densified(shapes: NDArray[np.object_], longest: float) -> NDArray[np.object_]:
    """Cut edges longer than ``longest`` (units of the coordinates) into equal pieces.

    shapely.segmentize walks each edge in its own direction, so that neighbours get vertices on
    their shared edge that differ in the last bit. Here each edge is cut from its lesser end.
    """
    out = shapes.copy()
    kinds = shapely.get_type_id(shapes)
    for has_z in (False, True):
        for kind in np.unique(kinds):
            members = (kinds == kind) & (shapely.has_z(shapes) == has_z)
            if kind in (-1, 0, 4) or not members.any():  # None and points have nothing to cut
                continue
            if kind in (2, 7):  # rings by themselves and collections have no ragged form
                out[members] = shapely.segmentize(shapes[members], longest)
                continue
            form, xyz, offsets = shapely.to_ragged_array(shapes[members], include_z=has_z)
            ends = np.asarray(offsets[0], dtype=np.int64)
            cut, start = _cut_edges(xyz, ends, longest)
            levels: Any = (start[ends], *offsets[1:])
            out[members] = shapely.from_ragged_array(form, cut, levels)
    return out


def _cut_edges(
    xyz: Floats, ends: NDArray[np.int64], longest: float
) -> tuple[Floats, NDArray[np.int64]]:
    """Cut the edges of lines whose vertices lie one after the other, ``ends`` between them.

    Returns the vertices, and for each old vertex (and the end) its place among them.
    """
    step = np.hypot(xyz[1:, 0] - xyz[:-1, 0], xyz[1:, 1] - xyz[:-1, 1])
    pieces = np.ones(len(xyz), dtype=np.int64)
    pieces[:-1] = np.maximum(np.ceil(step / longest), 1)
    pieces[ends[1:][ends[1:] > 0] - 1] = 1  # the last vertex of a line or ring begins no edge
    start = np.concatenate([[0], np.cumsum(pieces)])
    first = np.repeat(np.arange(len(xyz)), pieces)
    k = np.arange(len(first)) - start[first]
    a, b = xyz[first], xyz[np.minimum(first + 1, len(xyz) - 1)]
    rising = (a[:, 0] < b[:, 0]) | ((a[:, 0] == b[:, 0]) & (a[:, 1] <= b[:, 1]))
    low, high = np.where(rising[:, None], a, b), np.where(rising[:, None], b, a)
    share = np.where(rising, k, pieces[first] - k) / pieces[first]
    cut = low + (high - low) * share[:, None]
    cut[k == 0] = xyz
    return cut, start


class LonLatKind(IntEnum):
    """What ``check_lonlat`` says of a point."""

    OK = 0
    NAN = 1
    INFINITE = 2
    OUT_OF_RANGE = 3
    NULL_ISLAND = 4
    SWAPPED = 5


LONLAT_PROBLEMS: dict[LonLatKind, tuple[str, str]] = {
    LonLatKind.NAN: ("the position is missing (NaN)", "Give longitude and latitude."),
    LonLatKind.INFINITE: ("a coordinate is infinite", "Give longitude and latitude in degrees."),
    LonLatKind.OUT_OF_RANGE: (
        "the position is not on the globe",
        "Give degrees: longitude within 180, latitude within 90; metres need their EPSG code.",
    ),
    LonLatKind.NULL_ISLAND: ("the position is 0, 0", "Leave it empty where it is not known."),
    LonLatKind.SWAPPED: (
        "longitude and latitude seem to be swapped",
        "Exchange the two columns.",
    ),
}
"""Reason and remedy of each kind, for the ``Problem`` of an importer."""


def check_lonlat(
    lon: ArrayLike, lat: ArrayLike, *, expected: Bounds | None = None
) -> NDArray[np.uint8]:
    """Say what is wrong with longitudes and latitudes, without changing them.

    Parameters
    ----------
    lon, lat
        Degrees, broadcast against each other.
    expected
        West, south, east, north of where the data should lie (its area, some degrees wide). Swapped
        axes are certain when the latitude is beyond 90 and the longitude within (all of China east
        of 90 E); elsewhere only this can tell: outside as given, inside when exchanged.

    Returns
    -------
    A ``LonLatKind`` for each point, uint8: 0 is fine, so ``== 0`` is the mask of good points. Being
    outside ``expected`` is not by itself a problem.
    """
    x, y = _pair(lon, lat)
    kind = np.zeros(x.shape, dtype=np.uint8)
    on_globe = _on_globe(x, y)
    kind[~on_globe] = LonLatKind.OUT_OF_RANGE
    swapped = ~on_globe & _on_globe(y, x)
    if expected is not None:
        swapped |= on_globe & ~_within(x, y, expected) & _within(y, x, expected)
    kind[swapped] = LonLatKind.SWAPPED
    kind[(np.abs(x) < 1e-6) & (np.abs(y) < 1e-6)] = LonLatKind.NULL_ISLAND
    kind[np.isinf(x) | np.isinf(y)] = LonLatKind.INFINITE
    kind[np.isnan(x) | np.isnan(y)] = LonLatKind.NAN
    return kind


def _within(x: Floats, y: Floats, bounds: Bounds) -> NDArray[np.bool_]:
    west, south, east, north = (float(v) for v in bounds)
    across = (x >= west) & (x <= east) if west <= east else (x >= west) | (x <= east)
    inside: NDArray[np.bool_] = across & (y >= south) & (y <= north)
    return inside
