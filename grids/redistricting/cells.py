"""Planning cells: the smallest pieces a grid is put together from.

A cell is a building (or buildings at one place) with the ground nearest to it in its block, or a
block where nobody lives. Cells tile the units exactly and share every vertex on common lines.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
import shapely
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components
from scipy.spatial import cKDTree

from grids.redistricting.compiled import Flags, Floats, Ints
from grids.redistricting.inputs import Geometries, Town, point_array
from grids.redistricting.linework import (
    Segments,
    closed,
    draw_blocks,
    draw_faces,
    segments_between,
)
from grids.redistricting.memory import give_back
from grids.redistricting.rules import BARRIER_KINDS, BRIDGE_REACH_M
from grids.redistricting.sites import Sites, gather_sites, outline_samples

SLIVER_M2 = 100.0
"""Ground without buildings smaller than this joins a neighbour, such as a traffic island."""

SLIVER_WIDTH_M = 3.0
"""Ground without buildings of a smaller mean width joins a neighbour."""

OWN_BLOCK, ANY_OPEN, ANY = 2, 1, 0
"""How near two pieces of ground belong together: same block and no barrier between; no rail or
river between; anything."""


@dataclass(frozen=True)
class Cells:
    """The planning cells of a town and the lines between them; metres throughout.

    Attributes
    ----------
    polygons, households, unit, block
        One per cell; `block` counts from 0 over the whole town.
    of_building
        Cell of each building of the town.
    pairs
        (n, 2) cells of one unit that share a line, first below second, each pair once.
    metres
        (n, 1 + barrier kinds) metres of the shared line without barrier and along each kind.
    bridged
        Whether a bridge joins the pair over rail or river.
    """

    polygons: Geometries
    households: Ints
    unit: Ints
    block: Ints
    of_building: Ints
    pairs: Ints
    metres: Floats
    bridged: Flags


def draw_cells(town: Town) -> Cells:
    """Divide the units of a town into planning cells."""
    sites = gather_sites(town)
    lines, blocks = draw_blocks(town)
    site_block = _within(shapely.get_coordinates(sites.middle), blocks)
    faces = draw_faces(town, sites, site_block, blocks, lines)
    give_back()
    middles = shapely.get_coordinates(shapely.point_on_surface(faces))
    unit = _within(middles, town.units, nearest=False)
    faces, middles, unit = faces[unit >= 0], middles[unit >= 0], unit[unit >= 0]
    segments = segments_between(faces, town)
    block = _within(middles, blocks)
    site = _nearest_sites(sites, site_block, middles, block, unit)
    block = np.where(site >= 0, site_block[site], block)
    piece = _pieces(segments, np.column_stack([unit, block, site]))
    core = _cores(faces, sites, site, piece)
    piece = _join_loose_pieces(segments, piece, core, block, unit)
    _, cell = np.unique(piece, return_inverse=True)
    give_back()
    return _assemble(town, sites, faces, segments, cell=cell, site=site, unit=unit, block=block)


def _within(points: Floats, polygons: Geometries, *, nearest: bool = True) -> Ints:
    """Polygon each point lies in, the lowest of several; else the nearest one, or -1."""
    tree = shapely.STRtree(polygons)
    spots = point_array(points)
    point, polygon = tree.query(spots, predicate="intersects")
    result = np.full(len(points), len(polygons), dtype=np.int64)
    np.minimum.at(result, point, polygon)
    lost = np.flatnonzero(result == len(polygons))
    result[lost] = tree.nearest(spots[lost]) if nearest and len(lost) else -1
    return result


def _nearest_sites(
    sites: Sites, site_block: Ints, middles: Floats, block: Ints, unit: Ints
) -> Ints:
    """Site each face belongs to: whose footprint it lies in, else the nearest of its block."""
    result = np.full(len(middles), -1, dtype=np.int64)
    xy, of_site = outline_samples(sites)
    order = np.argsort(site_block[of_site], kind="stable")
    xy, of_site = xy[order], of_site[order]
    keys = site_block[of_site]
    faces_by_block = np.argsort(block, kind="stable")
    sorted_blocks = block[faces_by_block]
    for number in np.unique(keys):
        faces = faces_by_block[
            np.searchsorted(sorted_blocks, number) : np.searchsorted(
                sorted_blocks, number, side="right"
            )
        ]
        rows = slice(np.searchsorted(keys, number), np.searchsorted(keys, number, side="right"))
        _, near = cKDTree(xy[rows]).query(middles[faces])
        result[faces] = of_site[rows][near]
    solid = np.flatnonzero(shapely.get_dimensions(sites.geometry) == 2)
    if len(solid):
        point, footprint = shapely.STRtree(sites.geometry[solid]).query(
            point_array(middles), predicate="intersects"
        )
        footprint = solid[footprint]
        own = sites.unit[footprint] == unit[point]
        covered = np.full(len(middles), len(sites.geometry))
        np.minimum.at(covered, point[own], footprint[own])
        inside = covered < len(sites.geometry)
        result[inside] = covered[inside]
    # A block may reach over a unit's line by the width of the noding; sites do not.
    result[(result >= 0) & (sites.unit[result] != unit)] = -1
    return result


def _pieces(segments: Segments, keys: Ints) -> Ints:
    """Connected pieces of faces of one unit, block and site."""
    inner = segments.faces[segments.faces[:, 1] >= 0]
    same = (keys[inner[:, 0]] == keys[inner[:, 1]]).all(axis=1)
    left, right = inner[same].T
    graph = coo_array((np.ones(len(left)), (left, right)), shape=(len(keys), len(keys)))
    return np.asarray(connected_components(graph, directed=False)[1], dtype=np.int64)


def _cores(faces: Geometries, sites: Sites, site: Ints, piece: Ints) -> Flags:
    """Whether each piece is a cell of its own: it holds its site, or is ground worth keeping."""
    count = int(piece.max()) + 1
    core = np.zeros(count, dtype=bool)
    of_piece = np.full(count, -1, dtype=np.int64)
    of_piece[piece] = site
    owned = np.flatnonzero(site >= 0)
    table = pd.DataFrame({"site": site[owned], "piece": piece[owned]})
    pieces_of = table.groupby("site")["piece"].nunique()
    single = table[table["site"].isin(pieces_of.index[pieces_of == 1])]
    core[single["piece"].unique()] = True
    split = table.assign(face=owned)[table["site"].isin(pieces_of.index[pieces_of > 1])]
    middle = sites.middle
    for number in split["site"].unique():
        rows = split[split["site"] == number]
        away = shapely.distance(faces[rows["face"].to_numpy()], middle[int(number)])
        core[rows["piece"].to_numpy()[np.argmin(away)]] = True
    area = np.bincount(piece, shapely.area(faces), count)
    outline = np.bincount(piece, shapely.length(faces), count)
    roomy = (area >= SLIVER_M2) & (2 * area / outline >= SLIVER_WIDTH_M)
    return core | ((of_piece < 0) & roomy)


def _join_loose_pieces(
    segments: Segments, piece: Ints, core: Flags, block: Ints, unit: Ints
) -> Ints:
    """Give pieces that are no cell of their own to the neighbour they share most line with."""
    both = segments.faces[:, 1] >= 0
    left, right = segments.faces[both].T
    metres, kind = segments.metres[both], segments.kind[both]
    same_unit = unit[left] == unit[right]
    nearness = np.where(closed(kind), ANY, ANY_OPEN)
    nearness[(kind == 0) & (block[left] == block[right])] = OWN_BLOCK
    target = np.arange(len(core))
    settled = core.copy()
    for least in (OWN_BLOCK, ANY_OPEN):
        usable = same_unit & (nearness >= least)
        while True:
            a, b = target[piece[left]], target[piece[right]]
            ab = usable & settled[b] & ~settled[a]
            ba = usable & settled[a] & ~settled[b]
            loose = np.concatenate([a[ab], b[ba]])
            if not len(loose):
                break
            table = pd.DataFrame(
                {
                    "loose": loose,
                    "to": np.concatenate([b[ab], a[ba]]),
                    "metres": np.concatenate([metres[ab], metres[ba]]),
                }
            )
            shared = table.groupby(["loose", "to"], as_index=False)["metres"].sum()
            order = np.lexsort((shared["to"], -shared["metres"], shared["loose"]))
            best = shared.iloc[order]
            best = best.drop_duplicates("loose")
            moved = np.arange(len(core))
            moved[best["loose"]] = best["to"]
            target = moved[target]
            settled[best["loose"]] = True
    return target[piece]


def _assemble(
    town: Town,
    sites: Sites,
    faces: Geometries,
    segments: Segments,
    *,
    cell: Ints,
    site: Ints,
    unit: Ints,
    block: Ints,
) -> Cells:
    count = int(cell.max()) + 1
    # The largest face of a cell comes first and gives it its block.
    order = np.lexsort((-shapely.area(faces), cell))
    groups = np.split(order, np.flatnonzero(np.diff(cell[order])) + 1)
    polygons = np.empty(count, dtype=object)
    for number, members in enumerate(groups):
        polygons[number] = (
            faces[members[0]]
            if len(members) == 1
            else shapely.get_parts(shapely.coverage_union_all(faces[members]))[0]
        )
    cell_of_site = np.full(len(sites.geometry), -1, dtype=np.int64)
    # Where the noding cut off a corner of a footprint, its people are where its middle is.
    held = site >= 0
    tally = (
        pd.DataFrame({"site": site[held], "cell": cell[held], "area": shapely.area(faces[held])})
        .groupby(["site", "cell"], as_index=False)["area"]
        .sum()
    )
    middle = sites.middle
    tally["away"] = shapely.distance(
        polygons[tally["cell"].to_numpy()], middle[tally["site"].to_numpy()]
    )
    rank = np.lexsort((-tally["area"], tally["away"], tally["site"]))
    tally = tally.iloc[rank].drop_duplicates("site")
    cell_of_site[tally["site"]] = tally["cell"]
    first = np.array([members[0] for members in groups])
    lost = np.flatnonzero(cell_of_site < 0)
    for number in np.unique(sites.unit[lost]):
        of_unit = np.flatnonzero(unit[first] == number)
        mine = lost[sites.unit[lost] == number]
        spot, near = shapely.STRtree(polygons[of_unit]).query_nearest(middle[mine])
        nearest = np.full(len(mine), count)
        np.minimum.at(nearest, spot, of_unit[near])
        cell_of_site[mine] = nearest
    pairs, metres, bridged = _borders(town, segments, cell, unit)
    return Cells(
        polygons=polygons,
        households=np.bincount(cell_of_site, sites.households, count).astype(np.int64),
        unit=unit[first],
        block=np.unique(block[first], return_inverse=True)[1].astype(np.int64),
        of_building=cell_of_site[sites.of_building],
        pairs=pairs,
        metres=metres,
        bridged=bridged,
    )


def _borders(town: Town, segments: Segments, cell: Ints, unit: Ints) -> tuple[Ints, Floats, Flags]:
    """Pairs of neighbouring cells of one unit, metres of line by kind, and bridges."""
    both = segments.faces[:, 1] >= 0
    left, right = segments.faces[both].T
    between = (cell[left] != cell[right]) & (unit[left] == unit[right])
    rows = np.flatnonzero(both)[between]
    ends = np.sort(cell[segments.faces[rows]], axis=1)
    count = int(cell.max()) + 1
    keys, pair = np.unique(ends[:, 0] * count + ends[:, 1], return_inverse=True)
    kinds = len(BARRIER_KINDS) + 1
    metres = np.bincount(
        pair * kinds + segments.kind[rows], segments.metres[rows], len(keys) * kinds
    ).reshape(-1, kinds)
    bridged = np.zeros(len(keys), dtype=bool)
    shut = np.flatnonzero(closed(segments.kind[rows]))
    if len(shut) and len(town.bridges):
        _, near = shapely.STRtree(segments.lines(rows[shut])).query(
            town.bridges, predicate="dwithin", distance=BRIDGE_REACH_M
        )
        bridged[pair[shut[near]]] = True
    pairs = np.column_stack([keys // count, keys % count]).astype(np.int64)
    return pairs, np.asarray(metres, dtype=float), bridged
