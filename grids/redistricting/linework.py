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
from grids.redistricting.inputs import (
    Geometries,
    Town,
    line_array,
    point_array,
    straight_ends,
    straight_pieces,
)
from grids.redistricting.rules import BARRIER_KINDS, CLOSED_KINDS, NODE_M
from grids.redistricting.sites import Sites, outline_samples

ALONG_M = 0.03
"""A piece of line within this of a barrier is that barrier: noding moves lines by 1 cm."""


TILE_LINES = 40_000
"""Lines noded at once, about."""

OVER_M = 0.02
"""How far edges are drawn over the lines they end on."""

NEAR_M = 0.05
"""Lines this near to each other are noded together: noding moves them by 1 cm at most."""


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
    ends
        (n, 2, 2) where each begins and ends.
    """

    faces: Ints
    metres: Floats
    kind: Ints
    ends: Floats

    def lines(self, rows: Ints | Flags) -> Geometries:
        """Lines of some of the segments."""
        return line_array(self.ends[rows, 0], self.ends[rows, 1])


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
    layers = [lines, edges, shapely.boundary(footprints)]
    across = int(np.ceil(np.sqrt(sum(map(len, layers)) / TILE_LINES)))
    if across > 1:
        # A city has a million edges, which as geometries take ten times the room of their ends.
        ends, _ = straight_ends(edges)
        del edges
        layers[1] = _reaching_over(ends, lines)
        faces = faces_in_tiles(layers, blocks, across)
        if shapely.coverage_is_valid(faces):
            return faces
        layers = [lines, line_array(ends[:, 0], ends[:, 1]), shapely.boundary(footprints)]
    # A small place, or tiles that do not meet to the centimetre: all is noded at once.
    return polygonize(node(np.concatenate(layers)))


def _reaching_over(ends: Floats, lines: Geometries) -> Geometries:
    """Straight edges, those that end on a line drawn a little over it.

    What is noded in two turns is rounded twice, and an end may come to lie beside its line; a
    crossing stays one. The stubs close no face.

    Parameters
    ----------
    ends
        (n, 2, 2) where each edge begins and ends.
    """
    reach = ends.copy()
    way = ends[:, 1] - ends[:, 0]
    way *= OVER_M / np.maximum(np.hypot(*way.T), 1e-9)[:, None]
    tree = shapely.STRtree(lines)
    for side, sign in ((0, -1.0), (1, 1.0)):
        spots = point_array(ends[:, side])
        on_line = np.unique(tree.query(spots, predicate="dwithin", distance=NODE_M / 10)[0])
        reach[on_line, side] += sign * way[on_line]
    return line_array(reach[:, 0], reach[:, 1])


def faces_in_tiles(layers: list[Geometries], blocks: Geometries, across: int) -> Geometries:
    """Faces of lines noded tile by tile, which takes less memory and time than all at once.

    A tile is some neighbouring blocks. Lines between tiles, or over several, are left out at
    first; then they are noded with what came out near them.

    Parameters
    ----------
    layers
        Lines; each layer is noded against itself and all others. The list is emptied, so that
        lines go as soon as they are noded.
    blocks
        Polygons that the lines run along or inside.
    across
        Tiles from west to east, and from south to north.
    """
    middles = shapely.get_coordinates(shapely.centroid(blocks))
    corner = middles.min(axis=0)
    step = np.maximum((middles.max(axis=0) - corner) / across, 1.0)
    column, row = np.minimum((middles - corner) // step, across - 1).astype(np.int64).T
    tile = column * across + row
    tree = shapely.STRtree(blocks)
    tiles: list[list[Geometries]] = [[] for _ in range(across**2)]
    between = []
    while layers:
        lines = layers.pop(0)
        line, block = tree.query(lines, predicate="dwithin", distance=NEAR_M)
        low, high = np.full(len(lines), across**2), np.full(len(lines), -1)
        np.minimum.at(low, line, tile[block])
        np.maximum.at(high, line, tile[block])
        between.append(lines[low != high])
        for number in np.unique(low[low == high]):
            tiles[number].append(lines[(low == number) & (high == number)])
        del lines  # the tiles have them now
    loose = shapely.STRtree(np.concatenate(between))
    inside = []
    for members in tiles:
        pieces = node(np.concatenate(members)) if members else np.array([], dtype=object)
        members.clear()
        near = np.zeros(len(pieces), dtype=bool)
        near[loose.query(pieces, predicate="dwithin", distance=NEAR_M)[0]] = True
        inside.append(pieces[~near])
        between.append(pieces[near])
    shared = node(np.concatenate(between))
    faces = []
    for number in np.unique(tile).tolist():
        pieces = inside[number]
        frame = shapely.buffer(shapely.box(*shapely.total_bounds(blocks[tile == number])), 1.0)
        drawn = polygonize(np.concatenate([pieces, shared[shapely.intersects(shared, frame)]]))
        middles = shapely.point_on_surface(drawn)
        face, block = tree.query(middles, predicate="intersects")
        faces.append(drawn[np.unique(face[tile[block] == number])])
        inside[number] = pieces[:0]
    return np.concatenate(faces)


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
    low, high = np.minimum(a, b), np.maximum(a, b)
    owner = face[ring[following]]
    del polygon_rings, ring, place, key, a, b
    order = np.lexsort((owner, high, low))
    low, high, owner, following = low[order], high[order], owner[order], following[order]
    del order
    new = np.ones(len(low), dtype=bool)
    new[1:] = (low[1:] != low[:-1]) | (high[1:] != high[:-1])
    first = np.flatnonzero(new)
    twice = np.diff(np.append(first, len(low))) == 2
    other = np.full(len(first), -1)
    other[twice] = owner[first[twice] + 1]
    start, end = xy[following[first]], xy[following[first] + 1]
    del low, high, new, following, xy
    kind = _kinds((start + end) / 2, town)
    return Segments(
        np.column_stack([owner[first], other]),
        np.hypot(*(end - start).T),
        kind,
        np.stack([start, end], axis=1),
    )


def _kinds(middles: Floats, town: Town) -> Ints:
    """1 + the strongest barrier kind that each point lies on, 0 for none."""
    result = np.zeros(len(middles), dtype=np.int64)
    if len(town.barriers):
        pieces, of_line = straight_pieces(town.barriers)
        tree = shapely.STRtree(pieces)
        for begin in range(0, len(middles), TILE_LINES):
            some = point_array(middles[begin : begin + TILE_LINES])
            point, piece = tree.query(some, predicate="dwithin", distance=ALONG_M)
            np.maximum.at(result, begin + point, town.kinds[of_line[piece]] + 1)
    return result


def closed(kind: Ints) -> Flags:
    """Whether each segment kind can be crossed only at a bridge."""
    return np.isin(kind, [BARRIER_KINDS.index(k) + 1 for k in CLOSED_KINDS])
