"""Lines of streets joined to a network: edges between crossings and dead ends."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeVar

import numpy as np
import numpy.typing as npt
import shapely

from gis.crs import metric_crs
from gis.errors import BadInput, Problem

if TYPE_CHECKING:
    import geopandas as gpd
    from pyproj import CRS

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]
Number = TypeVar("Number", np.int64, np.float64)

VERTEX_M = 0.01
"""Vertices that fall on one point of a grid of a centimetre are one: files round differently."""


@dataclass(frozen=True, slots=True, eq=False)
class Streets:
    """A network of streets in metres.

    Attributes
    ----------
    crs
        Local metric CRS (easting, northing).
    edges
        Line strings between nodes: crossings, dead ends, and one point of a ring without either.
    ends
        Shape (edges, 2): the nodes an edge starts and ends at.
    length_m
        Of each edge.
    n_empty, n_repeated
        Lines left out for having no length, and pieces of lines drawn a second time.
    """

    crs: CRS
    edges: npt.NDArray[np.object_]
    ends: Ints
    length_m: Floats
    n_empty: int
    n_repeated: int


def streets_of(lines: gpd.GeoDataFrame | gpd.GeoSeries) -> Streets:
    """Join lines to a network where they share a vertex.

    Lines that cross without a common vertex, as under a bridge, stay apart; so does a line that
    ends beside another one.

    Parameters
    ----------
    lines
        (Multi)LineStrings with a CRS. Lines without length are left out and counted.

    Raises
    ------
    BadInput
        No CRS, no lines, geometries of another kind (with their rows), coordinates that do not fit
        the CRS.
    """
    series = lines.geometry
    problems = []
    if series.crs is None:
        problems.append(
            Problem("the streets name no coordinate system", "Save them with theirs", field="crs")
        )
    there = ~(shapely.is_missing(series.array) | shapely.is_empty(series.array))
    shapes = np.asarray(series.array)
    kinds = shapely.get_type_id(shapes)
    problems += [
        Problem(
            f"a street is a {shapes[row].geom_type}, not a line",
            "Give lines; areas of roads have none",
            row=int(row) + 1,
            field="geometry",
        )
        for row in np.flatnonzero(there & ~np.isin(kinds, (1, 2, 5)))
    ]
    if not there.any():
        problems.append(Problem("there are no streets", "Give a layer of lines", field="along"))
    if problems:
        raise BadInput(problems)
    degrees = series[there].to_crs(4326)
    west, south, east, north = degrees.total_bounds
    # Negated, so that the infinity of a failed projection is refused as well.
    if not (west >= -180 and south >= -90 and east <= 180 and north <= 90):
        raise BadInput(
            Problem(
                f"the streets do not fit their coordinate system, {series.crs.name}",
                "Declare the system that their coordinates are in",
                field="crs",
            )
        )
    crs = metric_crs((west, south, east, north))
    parts = shapely.get_parts(np.asarray(degrees.to_crs(crs).array))
    points, owner = shapely.get_coordinates(parts, return_index=True)
    xy, vertex = numbered(np.round(points / VERTEX_M).astype(np.int64))
    joined = owner[1:] == owner[:-1]
    pairs = np.column_stack([vertex[:-1], vertex[1:]])[joined]
    has_length = pairs[:, 0] != pairs[:, 1]
    n_empty = len(parts) - np.unique(owner[1:][joined][has_length]).size
    pairs = np.sort(pairs[has_length], axis=1)
    segments, _ = numbered(pairs)
    if not len(segments):
        raise BadInput(
            Problem(
                f"all {len(parts)} streets have no length",
                "Give lines of more than one point",
                field="along",
            )
        )
    walked, first = _chains(segments, len(xy))
    edges = shapely.linestrings(
        xy[walked] * VERTEX_M, indices=np.repeat(np.arange(len(first) - 1), np.diff(first))
    )
    _, ends = np.unique(
        np.column_stack([walked[first[:-1]], walked[first[1:] - 1]]), return_inverse=True
    )
    return Streets(
        crs,
        np.asarray(edges),
        ends.reshape(-1, 2).astype(np.int64),
        shapely.length(edges),
        n_empty,
        len(pairs) - len(segments),
    )


def numbered(pairs: npt.NDArray[Number]) -> tuple[npt.NDArray[Number], Ints]:
    """Return the different rows of shape (n, 2) in order, and which of them each row is.

    As ``numpy.unique`` does along an axis, which takes four times as long.
    """
    order = np.lexsort((pairs[:, 1], pairs[:, 0]))
    ordered = pairs[order]
    is_new = np.ones(len(pairs), dtype=np.bool_)
    is_new[1:] = (ordered[1:] != ordered[:-1]).any(axis=1)
    number = np.empty(len(pairs), dtype=np.int64)
    number[order] = np.cumsum(is_new) - 1
    return ordered[is_new], number


def _chains(segments: Ints, vertices: int) -> tuple[Ints, Ints]:
    """Follow segments from node to node, in order of their vertices; then what is left: rings.

    Returns the vertices of all chains, and where each of them begins and ends among these.
    """
    from maps.network.kernels import chained  # noqa: PLC0415  (loads the compiler)

    both = np.concatenate([segments, segments[:, ::-1]])
    order = np.lexsort((both[:, 1], both[:, 0]))
    first = np.searchsorted(both[order, 0], np.arange(vertices + 1))
    degree = np.diff(first)
    starts = np.concatenate(
        [np.flatnonzero((degree != 2) & (degree > 0)), np.flatnonzero(degree == 2)]
    )
    walked, many = chained(first, both[order, 1], order % len(segments), starts)
    return walked, many
