"""Tell which coordinate system a layer is really in, by holding it against a layer that is known.

A file in GCJ-02 looks like any other: it says EPSG:4326, and everything lies half a kilometre off.
Each system the layer might be in is tried: its vertices are converted to WGS 84 and the distance to
the nearest line (or point) of the reference is measured. Two drawings of one boundary may be
generalised differently and cover different parts, so medians are compared, never single points.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, TypeAlias

import numpy as np
import shapely
from numpy.typing import NDArray
from pyproj import CRS

from gis.crs import from_wgs84, to_wgs84
from gis.errors import BadInput

Floats: TypeAlias = NDArray[np.float64]

SYSTEMS = ("wgs84", "gcj02", "bd09")
LABELS = {"wgs84": "WGS 84 / CGCS2000", "gcj02": "GCJ-02", "bd09": "BD-09"}

# No system moves a place by more than 1.5 km; what is farther from the reference shows nothing.
REACH_M = 2_000.0
MOST_POINTS = 1_500
# The remaining shift is an average of all ground; fewer points tell it as well.
_SHIFT_POINTS = 500
FEWEST_POINTS = 20
# A system must leave at most this share of the distance that the next best leaves.
CLEARLY_LESS = 0.8
SURE_ENOUGH = 0.9
_BLOCKS_A_SIDE = 4
_RESAMPLES = 400
_SEED = 20_240_501
_WGS84_E2 = 0.0066943799901413165
# Mercator on the ellipsoid keeps angles: the nearest point stays the nearest and north stays up.
# Distances are divided by its local scale, so they are true metres.
_CONFORMAL = CRS.from_epsg(3395)


@dataclass(frozen=True, slots=True)
class CrsVerdict:
    """What ``check`` found.

    Attributes
    ----------
    system
        ``wgs84`` (CGCS2000 cannot be told from it), ``gcj02`` or ``bd09``; None: cannot tell.
    swapped
        Whether longitude and latitude are exchanged in the layer.
    offset_east_m, offset_north_m
        Mean position of the layer as marked, seen from the reference: the shift of ``system`` plus
        ``remaining_*_m``. NaN when the layers do not meet, or with swapped axes.
    remaining_east_m, remaining_north_m
        The shift that is left after conversion and that no system explains; also given when the
        system cannot be told, for the best one.
    residual_m
        For each system tried (``gcj02 swapped`` ...), the median distance in metres from the
        layer's vertices, converted from that system, to the reference. Capped at ``REACH_M``.
    confidence
        Share of 400 resamples of the layer's parts (16 blocks of ground, drawn with replacement) in
        which this system fits best *and* leaves at most 0.8 of the distance the next one leaves.
        From 0.9 on the system is named. 0 when nothing could be measured, or when a shift of no
        known system fits far better.
    n
        Vertices that were used: a sample of those near the reference.
    verdict, verdict_zh
        One sentence for people.
    """

    system: str | None
    swapped: bool
    offset_east_m: float
    offset_north_m: float
    remaining_east_m: float
    remaining_north_m: float
    residual_m: Mapping[str, float] = field(hash=False)
    confidence: float
    n: int
    verdict: str
    verdict_zh: str


def check(layer: Any, reference: Any) -> CrsVerdict:
    """Tell which coordinate system a layer is in.

    Parameters
    ----------
    layer
        Geometries (array or GeoSeries) with longitude, latitude as the file has them, whatever it
        is marked. Polygons count by their boundaries, points as they are.
    reference
        Geometries known to be in WGS 84 (or CGCS2000) of the same ground: the same boundaries by
        another maker, roads under GPS points. It may cover more or less, and may be generalised
        differently, but its lines should be more than a few hundred metres apart.

    Returns
    -------
    The verdict; ``system`` None when fewer than 20 vertices lie near the reference, or when no
    system fits clearly better than the others.

    Raises
    ------
    BadInput
        One of the two has no geometry at all.
    """
    lon, lat = _sample(_as_array(layer, "layer"))
    index = _Reference(_as_array(reference, "reference"))
    candidates = {
        f"{system}{' swapped' if swapped else ''}": to_wgs84(*pair, system)
        for swapped, pair in ((False, (lon, lat)), (True, (lat, lon)))
        for system in SYSTEMS
    }
    distances = np.array([index.distances(*place) for place in candidates.values()])
    # A vertex counts if any system brings it near the reference, so that none is favoured.
    near = (distances < REACH_M).any(axis=0)
    n = int(near.sum())
    residuals = {
        name: float(np.median(d[near])) if n else REACH_M
        for name, d in zip(candidates, distances, strict=True)
    }
    if n < FEWEST_POINTS:
        return _nothing_to_measure(residuals, n, len(lon))
    names = list(candidates)
    best = min(names, key=residuals.__getitem__)
    confidence = _confidence(distances[:, near], lon[near], lat[near], names.index(best))
    east, north, after = index.remaining_shift(candidates[best][0][near], candidates[best][1][near])
    system, swapped = best.split()[0], best.endswith("swapped")
    moved = (np.nan, np.nan)
    if not swapped:
        back = candidates[best]
        moved = _mean_offset(lon[near], lat[near], back[0][near], back[1][near])
    # A constant shift as large as a good part of the gap between systems is none of theirs.
    others = [residuals[name] for name in names if name != best]
    explained = not (after < 0.5 * residuals[best] and np.hypot(east, north) > 0.25 * min(others))
    told = confidence >= SURE_ENOUGH and explained
    offset = (moved[0] + east, moved[1] + north)
    sentences = _sentences(
        system,
        offset,
        (east, north),
        residuals[best],
        after,
        told=told,
        explained=explained,
        swapped=swapped,
    )
    return CrsVerdict(
        system=system if told else None,
        swapped=swapped and told,
        offset_east_m=offset[0],
        offset_north_m=offset[1],
        remaining_east_m=east,
        remaining_north_m=north,
        residual_m=residuals,
        confidence=confidence if explained else 0.0,
        n=n,
        verdict=sentences[0],
        verdict_zh=sentences[1],
    )


def _as_array(geometries: Any, what: str) -> NDArray[np.object_]:
    shapes = np.atleast_1d(np.asarray(geometries, dtype=object)).ravel()
    shapes = shapes[~(shapely.is_missing(shapes) | shapely.is_empty(shapes))]
    if not shapes.size:
        raise BadInput(f"the {what} has no geometry", "Give a layer with at least one geometry.")
    return shapes


def _sample(shapes: NDArray[np.object_]) -> tuple[Floats, Floats]:
    """Distinct vertices, thinned at random (always the same way) to ``MOST_POINTS``."""
    xy = np.unique(shapely.get_coordinates(shapes), axis=0)
    xy = xy[np.isfinite(xy).all(axis=1)]
    if len(xy) > MOST_POINTS:
        picked = np.random.default_rng(_SEED).choice(len(xy), MOST_POINTS, replace=False)
        xy = xy[np.sort(picked)]
    return xy[:, 0], xy[:, 1]


def _scale(lat: Floats) -> Floats:
    phi = np.radians(lat)
    scale: Floats = np.sqrt(1.0 - _WGS84_E2 * np.sin(phi) ** 2) / np.cos(phi)
    return scale


class _Reference:
    """Nearest distances to the segments and points of the reference."""

    def __init__(self, shapes: NDArray[np.object_]) -> None:
        parts = shapely.get_parts(shapely.get_parts(shapes))  # a collection may hold multiparts
        kinds = shapely.get_type_id(parts)
        lines = np.concatenate([parts[np.isin(kinds, (1, 2))], shapely.get_rings(parts)])
        xy, owner = shapely.get_coordinates(lines, return_index=True)
        x, y = from_wgs84(xy[:, 0], xy[:, 1], _CONFORMAL)
        flat = np.column_stack([x, y])
        joined = (owner[1:] == owner[:-1]) & np.isfinite(flat[1:] + flat[:-1]).all(axis=1)
        segments = shapely.linestrings(np.stack([flat[:-1][joined], flat[1:][joined]], axis=1))
        xy = shapely.get_coordinates(parts[kinds == 0])
        dots = np.column_stack(from_wgs84(xy[:, 0], xy[:, 1], _CONFORMAL))
        points = shapely.points(dots[np.isfinite(dots).all(axis=1)])
        self._pieces = np.concatenate([segments, points])
        self._tree = shapely.STRtree(self._pieces)

    def distances(self, lon: Floats, lat: Floats) -> Floats:
        """Metres to the reference, capped at ``REACH_M``, which also stands for no position."""
        out = np.full(len(lon), REACH_M)
        x, y = from_wgs84(lon, lat, _CONFORMAL)
        placed = np.flatnonzero(np.isfinite(x) & (np.abs(lat) < 85.0))
        scale = _scale(lat[placed])
        found, metres = self._nearest(x[placed], y[placed], scale)[1:]
        rows = placed[found]
        out[rows] = np.minimum(metres / scale[found], REACH_M)
        return out

    def _nearest(self, x: Floats, y: Floats, scale: Floats) -> tuple[Any, Any, Any]:
        if not len(x) or not len(self._pieces):
            empty = np.empty(0, dtype=np.int64)
            return empty, empty, np.empty(0)
        reach = REACH_M * float(scale.max())
        (found, piece), metres = self._tree.query_nearest(
            shapely.points(x, y), max_distance=reach, return_distance=True, all_matches=False
        )
        return piece, found, metres

    def remaining_shift(self, lon: Floats, lat: Floats) -> tuple[float, float, float]:
        """Find the shift that brings the points best onto the reference.

        Weighted least squares from each point to its nearest piece, the far ones counting little,
        until nothing moves. Returns the shift of the points from the reference, east and north, and
        the median distance when it is taken off; metres.
        """
        every = max(1, len(lon) // _SHIFT_POINTS)
        lon, lat = lon[::every], lat[::every]
        x, y = from_wgs84(lon, lat, _CONFORMAL)
        scale = _scale(lat)
        east, north, median = 0.0, 0.0, np.nan
        for _ in range(30):
            px, py = x - east * scale, y - north * scale
            piece, found, metres = self._nearest(px, py, scale)
            if len(found) < FEWEST_POINTS:
                break
            origin = shapely.points(px[found], py[found])
            ways = shapely.get_coordinates(shapely.shortest_line(origin, self._pieces[piece]))
            away = (ways[0::2] - ways[1::2]) / scale[found][:, None]
            distance = metres / scale[found]
            median = float(np.median(distance))
            # Along a line nothing pulls, so each point speaks only across: n n' s = n (n . away).
            normal = away / np.maximum(distance, 1e-9)[:, None]
            weight = 1.0 / (1.0 + (distance / max(2.0 * median, 1e-3)) ** 2)
            normals = (normal * weight[:, None]).T @ normal + 1e-6 * weight.sum() * np.eye(2)
            step = np.linalg.solve(normals, (away * weight[:, None]).sum(axis=0))
            east, north = east + float(step[0]), north + float(step[1])
            if np.hypot(*step) < 0.02 + 0.01 * median:
                break
        return east, north, median


def _confidence(distances: Floats, lon: Floats, lat: Floats, best: int) -> float:
    """Share of resampled blocks of ground in which ``best`` fits clearly better than the rest."""
    column = _slices(lon)
    block = np.zeros(len(lon), dtype=np.int64)
    for c in range(_BLOCKS_A_SIDE):
        members = np.flatnonzero(column == c)
        block[members] = c * _BLOCKS_A_SIDE + _slices(lat[members])
    blocks = _BLOCKS_A_SIDE**2
    draws = np.random.default_rng(_SEED).multinomial(
        blocks, np.full(blocks, 1.0 / blocks), size=_RESAMPLES
    )
    weights = draws[:, block].astype(np.float64)
    medians = np.array([_weighted_medians(d, weights) for d in distances])
    rest = np.delete(medians, best, axis=0).min(axis=0)
    return float(np.mean(medians[best] <= CLEARLY_LESS * rest))


def _slices(values: Floats) -> NDArray[np.int64]:
    """Number each value by its quarter of the sorted values, the quarters equally full."""
    rank = np.empty(len(values), dtype=np.int64)
    rank[np.argsort(values, kind="stable")] = np.arange(len(values))
    return rank * _BLOCKS_A_SIDE // max(len(values), 1)


def _weighted_medians(values: Floats, weights: Floats) -> Floats:
    order = np.argsort(values, kind="stable")
    mass = np.cumsum(weights[:, order], axis=1)
    middle: Floats = values[order][(mass < 0.5 * mass[:, -1:]).sum(axis=1)]
    return middle


def _mean_offset(lon: Floats, lat: Floats, from_lon: Floats, from_lat: Floats) -> tuple[Any, Any]:
    """Mean metres east and north of the first places seen from the second."""
    x, y = from_wgs84(lon, lat, _CONFORMAL)
    x0, y0 = from_wgs84(from_lon, from_lat, _CONFORMAL)
    scale = _scale(from_lat)
    return float(np.nanmean((x - x0) / scale)), float(np.nanmean((y - y0) / scale))


def _nothing_to_measure(residuals: dict[str, float], n: int, of: int) -> CrsVerdict:
    if n:
        text = f"only {n} vertices lie within {REACH_M:.0f} m of the reference"
        text_zh = f"距参考图层 {REACH_M:.0f} 米以内的顶点只有 {n} 个"
    else:
        text = f"none of its {of} vertices comes within {REACH_M:.0f} m of the reference"
        text_zh = f"{of} 个顶点无一在参考图层 {REACH_M:.0f} 米以内"
    nan = float("nan")
    return CrsVerdict(
        system=None,
        swapped=False,
        offset_east_m=nan,
        offset_north_m=nan,
        remaining_east_m=nan,
        remaining_north_m=nan,
        residual_m=residuals,
        confidence=0.0,
        n=n,
        verdict=f"Cannot tell the coordinate system of this layer: {text}.",
        verdict_zh=f"无法判断该图层的坐标系：{text_zh}。",
    )


def _sentences(
    system: str,
    offset: tuple[float, float],
    remaining: tuple[float, float],
    residual: float,
    after: float,
    *,
    told: bool,
    explained: bool,
    swapped: bool,
) -> tuple[str, str]:
    label = LABELS[system]
    way, way_zh = _direction(*offset)
    rest, rest_zh = _direction(*remaining)
    if not explained:
        return (
            (
                f"Cannot tell the coordinate system of this layer: it lies {way} of the reference, "
                f"which no known system explains ({_metres(after)} remain once that is taken off)."
            ),
            (
                f"无法判断该图层的坐标系：它位于参考图层{way_zh}，已知坐标系均不能解释"
                f"（扣除后剩余 {_metres(after, zh=True)}）。"
            ),
        )
    if not told:
        return (
            (
                "Cannot tell the coordinate system of this layer: no system fits the reference "
                f"clearly better than the others (best is {label} with {_metres(residual)})."
            ),
            (
                f"无法判断该图层的坐标系：没有哪个坐标系明显更吻合（最接近的是 {label}，相差"
                f" {_metres(residual, zh=True)}）。"
            ),
        )
    extra, extra_zh = "", ""
    if np.hypot(*remaining) > max(10.0, residual):
        extra = f", among them a shift {rest} that the system does not explain"
        extra_zh = f"，其中含该坐标系不能解释的偏移（{rest_zh}）"
    if swapped:
        return (
            (
                f"This layer has longitude and latitude swapped and looks {label}; put right, "
                f"{_metres(residual)} remain{extra}."
            ),
            (
                f"该图层经纬度颠倒，坐标系应为 {label}；纠正后剩余 {_metres(residual, zh=True)}"
                f"{extra_zh}。"
            ),
        )
    if system == "wgs84":
        return (
            (
                f"This layer looks {label}, as marked: it lies {_metres(residual)} from the "
                f"reference (median){extra}."
            ),
            (
                f"该图层应为 {label}，与标注相符：与参考图层相差"
                f" {_metres(residual, zh=True)}（中位数）{extra_zh}。"
            ),
        )
    return (
        (
            f"This layer looks {label}: it lies {way} of the reference; after conversion "
            f"{_metres(residual)} remain{extra}."
        ),
        (
            f"该图层应为 {label}：它位于参考图层{way_zh}；转换后剩余 {_metres(residual, zh=True)}"
            f"{extra_zh}。"
        ),
    )


def _direction(east: float, north: float) -> tuple[str, str]:
    english = (
        f"{abs(east):.0f} m {'east' if east >= 0 else 'west'} and "
        f"{abs(north):.0f} m {'north' if north >= 0 else 'south'}"
    )
    chinese = (
        f"{'东' if east >= 0 else '西'} {abs(east):.0f} 米、"
        f"{'北' if north >= 0 else '南'} {abs(north):.0f} 米"
    )
    return english, chinese


def _metres(value: float, *, zh: bool = False) -> str:
    return f"{value:.{1 if value < 10 else 0}f} {'米' if zh else 'm'}"
