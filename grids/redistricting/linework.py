"""All lines of a plan, noded once on a 1 cm grid, and the faces they enclose.

Blocks are the faces of barriers and unit lines. Faces are those of all lines together: blocks,
the Voronoi edges between buildings of one block, footprints, and barriers that end in the open,
which close no block but still shape the cells beside them.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import shapely
from scipy.spatial import Voronoi

from grids.redistricting.compiled import Flags, Floats, Ints
from grids.redistricting.inputs import Geometries, Town, line_array, point_array, straight_pieces
from grids.redistricting.rules import BARRIER_KINDS, CLOSED_KINDS, NODE_M
from grids.redistricting.sites import Sites, outline_samples

ALONG_M = 0.03
"""A piece of line within this of a barrier is that barrier: noding moves lines by 1 cm."""


@dataclass(frozen=True)
class Segments:
    """Straight pieces of line between two neighbouring faces.

    Attributes
    ----------
    faces
        (n, 2) the faces on its sides; -1 for none.
    metres
        Length of each.
    kind
        1 + index in `BARRIER_KINDS` of the barrier it lies on, 0 for none.
    geometry
        Line of each.
    """

    faces: Ints
    metres: Floats
    kind: Ints
    geometry: Geometries


def node(lines: Geometries) -> Geometries:
    """Node lines against each other on the 1 cm grid; one element per noded piece."""
    return shapely.get_parts(shapely.union_all(lines, grid_size=NODE_M))


def polygonize(lines: Geometries) -> Geometries:
    """Faces enclosed by noded lines; lines that end in the open or touch once close none."""
    return shapely.get_parts(shapely.polygonize(lines))


def draw_blocks(town: Town) -> tuple[Geometries, Geometries]:
    """Noded barriers and unit lines, and the blocks they enclose inside the units."""
    lines = node(np.concatenate([shapely.boundary(town.units), town.barriers]))
    faces = polygonize(lines)
    _, inside = shapely.STRtree(shapely.point_on_surface(faces)).query(
        town.units, predicate="intersects"
    )
    return lines, faces[np.unique(inside)]


def draw_faces(
    town: Town, sites: Sites, block_of: Ints, blocks: Geometries, lines: Geometries
) -> Geometries:
    """Faces of blocks, Voronoi edges and footprints together."""
    solid = shapely.get_dimensions(sites.geometry) == 2
    footprints = shapely.intersection(
        sites.geometry[solid], town.units[sites.unit[solid]], grid_size=NODE_M
    )
    edges = _in_the_open(_voronoi_edges(sites, block_of, blocks), footprints)
    return polygonize(node(np.concatenate([lines, edges, shapely.boundary(footprints)])))


def _voronoi_edges(sites: Sites, block_of: Ints, blocks: Geometries) -> Geometries:
    """Edges between the Voronoi regions of different sites of a block, clipped to the block."""
    xy, site = outline_samples(sites)
    block = block_of[site]
    order = np.argsort(block, kind="stable")
    xy, site, block = xy[order], site[order], block[order]
    ends = np.searchsorted(block, np.arange(len(blocks) + 1))
    starts_at, ends_at, of_block = [], [], []
    for number in range(len(blocks)):
        rows = slice(ends[number], ends[number + 1])
        if len(np.unique(site[rows])) < 2:
            continue
        a, b = _ridges(xy[rows], site[rows])
        starts_at.append(a)
        ends_at.append(b)
        of_block.append(np.full(len(a), number))
    if not of_block:
        return np.array([], dtype=object)
    ridges = line_array(np.concatenate(starts_at), np.concatenate(ends_at))
    around = blocks[np.concatenate(of_block)]
    shapely.prepare(blocks)
    crossing = ~shapely.contains_properly(around, ridges)
    ridges[crossing] = shapely.intersection(around[crossing], ridges[crossing])
    ridges = shapely.get_parts(ridges)
    return _lines_only(ridges)


def _ridges(xy: Floats, site: Ints) -> tuple[Floats, Floats]:
    """Ends of the Voronoi edges between points of different sites, unclipped."""
    points, kept = np.unique(np.round(xy, 3), axis=0, return_index=True)
    site = site[kept]
    middle = (points.min(axis=0) + points.max(axis=0)) / 2
    reach = 20.0 * max(1.0, float(np.ptp(points, axis=0).max()))
    # Four far points close every region near the block, and keep points in a row in general
    # position.
    far = reach * np.array([[-1.0, -1.1], [1.2, -1.0], [1.0, 1.3], [-1.1, 1.0]])
    diagram = Voronoi(np.concatenate([points - middle, far]))
    pairs = diagram.ridge_points
    ends = np.array([v if len(v) == 2 else (-1, -1) for v in diagram.ridge_vertices])
    near = np.asarray((pairs < len(points)).all(axis=1) & (ends >= 0).all(axis=1))
    near[near] = site[pairs[near, 0]] != site[pairs[near, 1]]
    return diagram.vertices[ends[near, 0]] + middle, diagram.vertices[ends[near, 1]] + middle


def _in_the_open(edges: Geometries, footprints: Geometries) -> Geometries:
    """Edges but those inside footprints or along a common wall, which divide nothing.

    Edges that run into a footprint stay: whatever lies inside it is labelled with it afterwards.
    """
    if not len(edges) or not len(footprints):
        return edges
    spots = np.concatenate(
        [shapely.line_interpolate_point(edges, at, normalized=True) for at in (0.0, 0.5, 1.0)]
    )
    covered = np.zeros(len(spots), dtype=bool)
    covered[shapely.STRtree(spots).query(footprints, predicate="intersects")[1]] = True
    return np.asarray(edges[~covered.reshape(3, -1).all(axis=0)])


def _lines_only(parts: Geometries) -> Geometries:
    kept = (shapely.get_dimensions(parts) == 1) & (shapely.length(parts) > NODE_M)
    return np.asarray(parts[kept])


def segments_between(faces: Geometries, town: Town) -> Segments:
    """Every straight piece of the faces' outlines, with the faces on both sides and its kind."""
    polygon_rings, face = shapely.get_rings(faces, return_index=True)
    xy, ring = shapely.get_coordinates(polygon_rings, return_index=True)
    following = np.flatnonzero(ring[1:] == ring[:-1])
    place = np.round(xy / NODE_M).astype(np.int64)
    key = (place[:, 0] << 32) ^ (place[:, 1] & 0xFFFFFFFF)
    a, b = key[following], key[following + 1]
    swap = a > b
    low, high = np.where(swap, b, a), np.where(swap, a, b)
    owner = face[ring[following]]
    order = np.lexsort((owner, high, low))
    low, high, owner, following = low[order], high[order], owner[order], following[order]
    new = np.ones(len(low), dtype=bool)
    new[1:] = (low[1:] != low[:-1]) | (high[1:] != high[:-1])
    first = np.flatnonzero(new)
    twice = np.diff(np.append(first, len(low))) == 2
    other = np.full(len(first), -1)
    other[twice] = owner[first[twice] + 1]
    start, end = xy[following[first]], xy[following[first] + 1]
    geometry = line_array(start, end)
    kind = _kinds((start + end) / 2, town)
    return Segments(
        np.column_stack([owner[first], other]), np.hypot(*(end - start).T), kind, geometry
    )


def _kinds(middles: Floats, town: Town) -> Ints:
    """1 + the strongest barrier kind that each point lies on, 0 for none."""
    result = np.zeros(len(middles), dtype=np.int64)
    if len(town.barriers):
        pieces, of_line = straight_pieces(town.barriers)
        point, piece = shapely.STRtree(pieces).query(
            point_array(middles), predicate="dwithin", distance=ALONG_M
        )
        np.maximum.at(result, point, town.kinds[of_line[piece]] + 1)
    return result


def closed(kind: Ints) -> Flags:
    """Whether each segment kind can be crossed only at a bridge."""
    return np.isin(kind, [BARRIER_KINDS.index(k) + 1 for k in CLOSED_KINDS])
