"""From cells in metres to polygons in the area's CRS, without moving a shared vertex apart.

Every distinct vertex is projected once and put back everywhere it occurs, so what was shared
stays shared. Vertices on a unit's line are put back onto the line as it was given, so the grids
cover the area to the last square millimetre instead of to the noding grid.
"""

from __future__ import annotations

import numpy as np
import pyproj
import shapely

from gis.errors import WanggeError
from grids.redistricting.compiled import Flags, Floats, Ints, Labels
from grids.redistricting.inputs import (
    Geometries,
    Town,
    metres_per_unit,
    point_array,
    straight_pieces,
)
from grids.redistricting.memory import AT_ONCE, give_back
from grids.redistricting.rules import NODE_M


class TilingBroken(WanggeError):
    """The grids drawn do not tile the area; a defect of the planner, never of the input."""


def dissolve(polygons: Geometries, label: Labels) -> Geometries:
    """Polygon of each grid: its cells without the edges they share.

    Raises
    ------
    TilingBroken
        A grid is not one valid polygon.
    """
    order = np.argsort(label, kind="stable")
    groups = np.split(order, np.flatnonzero(np.diff(label[order])) + 1)
    grids = np.empty(len(groups), dtype=object)
    for number, members in enumerate(groups):
        whole = shapely.get_parts(shapely.coverage_union_all(polygons[members]))
        if len(whole) != 1 or not shapely.is_valid(whole[0]):
            raise TilingBroken(f"grid {number} has {len(whole)} parts: its cells do not tile it")
        grids[number] = whole[0]
    return grids


def compactness(polygons: Geometries) -> Floats:
    """Polsby-Popper of polygons in a metre CRS: 1 for a circle, 0.785 for a square."""
    return 4 * np.pi * shapely.area(polygons) / shapely.length(polygons) ** 2


def to_area_crs(town: Town, polygons: Geometries, unit: Ints) -> Geometries:
    """Polygons in the CRS of the area, their shared vertices still shared.

    The array is overwritten and is what comes back: the polygons of a city are not held twice.

    Raises
    ------
    TilingBroken
        They do not tile the area there; a defect of the planner.
    """
    xy = shapely.get_coordinates(polygons)
    key, first, inverse = np.unique(_place_keys(xy), return_index=True, return_inverse=True)
    distinct = xy[first]
    del xy, first
    give_back()
    moved = _in_crs(distinct, town.metres, town.crs)
    exact = _onto_unit_lines(town, distinct, moved, np.isin(key, _outer(polygons, unit)))
    inverse = inverse.ravel()
    ends = np.cumsum(shapely.get_num_coordinates(polygons))
    index = np.repeat(np.arange(len(polygons)), np.diff(ends, prepend=0))
    del key, distinct
    give_back()
    for _ in range(8):
        for begin in range(0, len(polygons), AT_ONCE):
            some = slice(begin, min(begin + AT_ONCE, len(polygons)))
            rows = slice(ends[begin - 1] if begin else 0, ends[some.stop - 1])
            polygons[some] = shapely.set_coordinates(polygons[some].copy(), exact[inverse[rows]])
        bad = ~shapely.is_valid(polygons)
        if not bad.any():
            if shapely.coverage_is_valid(polygons):
                give_back()
                return polygons
            bad = ~shapely.is_empty(shapely.coverage_invalid_edges(polygons))
        # Where a cell is thinner than the correction its vertices stay on the noding grid.
        back = inverse[bad[index]]
        exact[back] = moved[back]
    raise TilingBroken("the cells do not tile the area once they are in its coordinate system")


def _place_keys(xy: Floats) -> Ints:
    """One number per place on the noding grid."""
    place = np.round(xy / NODE_M).astype(np.int64)
    return np.asarray((place[:, 0] << 32) ^ (place[:, 1] & 0xFFFFFFFF))


def _in_crs(xy: Floats, given: pyproj.CRS, wanted: pyproj.CRS) -> Floats:
    """Places (n, 2) in another CRS; x is east, or the longitude, in both."""
    change = pyproj.Transformer.from_crs(given, wanted, always_xy=True)
    return np.column_stack(change.transform(xy[:, 0], xy[:, 1]))


def _outer(polygons: Geometries, unit: Ints) -> Ints:
    """Keys of the vertices on the outlines of the units, as the polygons make them up."""
    outlines = []
    for number in np.unique(unit):
        mine = polygons[unit == number]
        # In two steps, which takes less room: neighbours have numbers near each other, mostly.
        parts = [
            shapely.coverage_union_all(mine[begin : begin + AT_ONCE])
            for begin in range(0, len(mine), AT_ONCE)
        ]
        outlines.append(shapely.boundary(shapely.coverage_union_all(parts)))
    return np.unique(_place_keys(shapely.get_coordinates(outlines)))


def _onto_unit_lines(town: Town, metres: Floats, moved: Floats, outer: Flags) -> Floats:
    """`moved` with the `outer` vertices put onto the unit lines as they were given."""
    on_line = np.flatnonzero(outer)
    moved = moved.copy()
    lines = shapely.get_parts(town.unit_lines)
    corners = np.unique(shapely.get_coordinates(lines), axis=0)
    snapped = _in_crs(corners, town.crs, town.metres)
    keys, which = np.unique(_place_keys(snapped), return_index=True)
    mine = _place_keys(metres[on_line])
    at = np.minimum(np.searchsorted(keys, mine), len(keys) - 1)
    is_corner = keys[at] == mine
    moved[on_line[is_corner]] = corners[which[at[is_corner]]]
    loose = on_line[~is_corner]
    pieces, _ = straight_pieces(lines)
    tree = shapely.STRtree(pieces)
    if len(loose):
        points = point_array(moved[loose])
        piece = pieces[tree.nearest(points)]
        foot = shapely.line_interpolate_point(piece, shapely.line_locate_point(piece, points))
        foot_xy = shapely.get_coordinates(foot)
        step = 3 * NODE_M / metres_per_unit(town.crs)
        near = np.hypot(*(foot_xy - moved[loose]).T) < step
        moved[loose[near]] = foot_xy[near]
    return moved
