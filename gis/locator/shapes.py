"""From the arrays of an index back to what it was built of: polygons and ids."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import numpy as np
import shapely
from numpy.typing import NDArray

from gis.locator.file import Arrays


def kept_ids(ids: NDArray[Any]) -> Arrays:
    """Ids as arrays of a file: numbers as they are, text as UTF-8 one after another."""
    if ids.dtype.kind != "U":
        return {"ids": ids}
    encoded = [str(each).encode(errors="surrogatepass") for each in ids]
    ends = np.cumsum([0, *map(len, encoded)]).astype(np.uint64)
    return {"ids_text": np.frombuffer(b"".join(encoded), dtype=np.uint8), "ids_ends": ends}


def ids_from(arrays: Arrays) -> NDArray[Any]:
    """The ids that were kept."""
    if "ids" in arrays:
        return arrays["ids"]
    text, ends = arrays["ids_text"].tobytes(), arrays["ids_ends"].tolist()
    return np.array(
        [text[a:b].decode(errors="surrogatepass") for a, b in pairwise(ends)], dtype=np.str_
    )


def polygons_from(
    arrays: Arrays, xy: NDArray[np.float64], positions: NDArray[np.uint32]
) -> NDArray[np.object_]:
    """The polygons in the order given to the build, every coordinate as it was.

    Vertices that stood twice in a row are there once; multipolygons of one part are polygons.
    """
    if not len(positions):
        return np.empty(0, dtype=object)
    ring_starts = arrays["ring_starts"].astype(np.int64)
    arcs, backwards = arrays["ring_arcs"] >> 1, (arrays["ring_arcs"] & 1).astype(bool)
    arc_starts = arrays["arc_starts"].astype(np.int64)
    edges = arc_starts[arcs + 1] - arc_starts[arcs] - 1
    # Of each arc all vertices but the last, which is the first of the next.
    start = np.where(backwards, arc_starts[arcs + 1] - 1, arc_starts[arcs])
    ends = np.cumsum(edges)
    along = np.arange(ends[-1]) - np.repeat(ends - edges, edges)
    vertices = np.repeat(start, edges) + along * np.repeat(np.where(backwards, -1, 1), edges)
    ring_of_edge = np.repeat(np.arange(len(ring_starts) - 1), np.diff(ring_starts))
    ring_of_vertex = np.repeat(ring_of_edge, edges)
    sizes = np.bincount(ring_of_vertex)
    first = np.cumsum(sizes) - sizes
    closed = np.insert(vertices, first + sizes, vertices[first])
    ring_offsets = np.concatenate([[0], np.cumsum(sizes + 1)])
    exteriors = np.flatnonzero(arrays["ring_hole"] == 0)
    part_offsets = np.append(exteriors, len(sizes))
    polygon_offsets = np.searchsorted(exteriors, arrays["polygon_rings"].astype(np.int64))
    whole = shapely.from_ragged_array(
        shapely.GeometryType.MULTIPOLYGON,
        xy[closed],
        (ring_offsets, part_offsets, polygon_offsets),
    )
    single = shapely.get_num_geometries(whole) == 1
    whole[single] = shapely.get_geometry(whole[single], 0)
    shapes = np.empty(len(positions), dtype=object)
    shapes[positions] = whole
    return shapes
