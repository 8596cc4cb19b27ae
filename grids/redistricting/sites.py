"""Places that must stay whole: buildings, or buildings that stand in one another."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import shapely
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components
from scipy.spatial import cKDTree

from grids.redistricting.compiled import Floats, Ints
from grids.redistricting.inputs import Geometries, Town, to_lonlat
from grids.redistricting.plan import Finding
from grids.redistricting.rules import NODE_M

SAME_PLACE_M = 0.25
"""Building points nearer to each other than this are one place."""

OVERLAP_SHARE = 0.01
"""Footprints that overlap by more than this share of the smaller one are one place; less is
inexact drawing, and the strip goes to the building that comes first."""

SAMPLES = 24
"""Points along a footprint's outline that its Voronoi cell is built from, about; corners extra."""

SAMPLE_M = (3.0, 30.0)
"""Smallest and largest spacing of these points, in metres."""


@dataclass(frozen=True)
class Sites:
    """Places that no border may cut.

    Attributes
    ----------
    of_building
        Site of each building of the town.
    geometry
        A point or polygon per site, metres.
    unit
        Row of the unit each lies in.
    households
        Households of each.
    """

    of_building: Ints
    geometry: Geometries
    unit: Ints
    households: Ints

    @property
    def middle(self) -> Geometries:
        """Point inside each site."""
        return np.asarray(shapely.point_on_surface(self.geometry), dtype=object)


def gather_sites(town: Town) -> Sites:
    """Join buildings that share a place; tells which ones in the town's findings."""
    count = len(town.footprints)
    solid = shapely.get_dimensions(town.footprints) == 2
    shapes = town.footprints.copy()
    shapes[solid] = shapely.set_precision(shapes[solid], NODE_M)
    lost = shapely.is_empty(shapes)  # a footprint thinner than the noding grid
    shapes[lost] = shapely.point_on_surface(town.footprints[lost])
    solid &= ~lost
    left, right = _points_at_one_place(shapes, solid)
    a, b = _footprints_in_one_another(shapes, solid)
    left, right = np.concatenate([left, a]), np.concatenate([right, b])
    same = town.unit_of[left] == town.unit_of[right]
    left, right = left[same], right[same]
    graph = coo_array((np.ones(len(left)), (left, right)), shape=(count, count))
    number, component = connected_components(graph, directed=False)
    of_building: Ints = np.asarray(component, dtype=np.int64)
    first = np.full(int(number), count)
    np.minimum.at(first, of_building, np.arange(count))
    geometry = shapes[first]
    size = np.bincount(of_building, minlength=number)
    order = np.argsort(of_building, kind="stable")
    starts = np.concatenate([[0], np.cumsum(size)])
    for site in np.flatnonzero(size > 1):
        members = order[starts[site] : starts[site + 1]]
        polygons = shapes[members][solid[members]]
        if len(polygons):
            geometry[site] = shapely.union_all(polygons, grid_size=NODE_M)
    households = np.bincount(of_building, town.households, number).astype(np.int64)
    sites = Sites(of_building, geometry, town.unit_of[first], households)
    for site in np.flatnonzero(size > 1):
        members = order[starts[site] : starts[site + 1]]
        names = ", ".join(town.ids[members][:8]) + (", ..." if len(members) > 8 else "")
        lon, lat = to_lonlat(shapely.point_on_surface(geometry[[site]]), town.metres)[0]
        town.findings.append(
            Finding(
                "buildings_share_a_place",
                str(town.ids[members[0]]),
                f"{len(members)} buildings stand on one place and stay together: {names}",
                f"{len(members)} 栋建筑位于同一处，划在一起： {names}",
                float(households[site]),
                lon,
                lat,
            )
        )
    return sites


def _points_at_one_place(shapes: Geometries, solid: npt.NDArray[np.bool_]) -> tuple[Ints, Ints]:
    loose = np.flatnonzero(~solid)
    if len(loose) < 2:
        return np.empty(0, np.int64), np.empty(0, np.int64)
    xy = shapely.get_coordinates(shapes[loose])
    # Of many points at one spot each is tied to the first only: pairs would be quadratic.
    spots, inverse = np.unique(np.round(xy / NODE_M), axis=0, return_inverse=True)
    first = np.full(len(spots), len(xy))
    np.minimum.at(first, inverse.ravel(), np.arange(len(xy)))
    pairs = cKDTree(spots * NODE_M).query_pairs(SAME_PLACE_M, output_type="ndarray")
    left = np.concatenate([loose, loose[first[pairs[:, 0]]]])
    right = np.concatenate([loose[first[inverse.ravel()]], loose[first[pairs[:, 1]]]])
    return left, right


def _footprints_in_one_another(
    shapes: Geometries, solid: npt.NDArray[np.bool_]
) -> tuple[Ints, Ints]:
    walls = np.flatnonzero(solid)
    if not len(walls):
        return np.empty(0, np.int64), np.empty(0, np.int64)
    tree = shapely.STRtree(shapes[walls])
    other, wall = tree.query(shapes, predicate="intersects")
    wall = walls[wall]
    points = ~solid[other]
    keep = points | (other < wall)
    other, wall, points = other[keep], wall[keep], points[keep]
    overlap = np.zeros(len(other))
    both = ~points
    common = shapely.intersection(shapes[other[both]], shapes[wall[both]])
    smaller = np.minimum(shapely.area(shapes[other[both]]), shapely.area(shapes[wall[both]]))
    overlap[both] = shapely.area(common) / smaller
    joined = points | (overlap > OVERLAP_SHARE)
    return other[joined], wall[joined]


def outline_samples(sites: Sites) -> tuple[Floats, Ints]:
    """Points standing for the sites, and the site of each: itself, or its outline densified."""
    solid = shapely.get_dimensions(sites.geometry) == 2
    rings = np.asarray(shapely.boundary(sites.geometry[solid]), dtype=object)
    rings = shapely.segmentize(rings, np.clip(shapely.length(rings) / SAMPLES, *SAMPLE_M))
    xy, index = shapely.get_coordinates(rings, return_index=True)
    points = shapely.get_coordinates(sites.geometry[~solid])
    return (
        np.concatenate([points, xy]),
        np.concatenate([np.flatnonzero(~solid), np.flatnonzero(solid)[index]]),
    )
