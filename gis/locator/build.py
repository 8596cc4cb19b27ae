"""From polygons to the body of an index: one array of 64-bit places that the kernels read."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final, NamedTuple

import numpy as np
import shapely
from numpy.typing import NDArray

from gis.errors import BadInput, Problem
from gis.locator import arcs, cells, lookup
from gis.locator.compiled import Body, Flags, Floats, Ints
from gis.locator.file import Arrays
from gis.locator.predicates import LARGEST, SMALLEST

FEWEST_CELLS: Final = 1024.0
LEAST_CELL: Final = 2.0**-36
"""No cell is cut that is smaller than this share of the largest coordinate: doubles near it are
still many thousand to a cell."""


class Rings(NamedTuple):
    """Closed rings of polygons: coordinates, starts, polygon of each, and whether it is a hole."""

    xy: Floats
    starts: Ints
    polygon: Ints
    hole: Flags


def check(shapes: NDArray[np.object_], ids: NDArray[Any], *, geographic: bool) -> None:
    """Refuse what no index can be made of, every problem named."""
    problems = []
    if len(shapes) != len(ids):
        problems.append(Problem(f"{len(shapes)} geometries but {len(ids)} ids"))
    values, counts = np.unique(ids, return_counts=True)
    problems += [
        Problem(f"id {value} appears {count} times", "Ids are unique in a layer")
        for value, count in zip(values[counts > 1], counts[counts > 1], strict=True)
    ]
    kinds = shapely.get_type_id(shapes)
    unfit = shapely.is_missing(shapes) | shapely.is_empty(shapes) | ~np.isin(kinds, (3, 6))
    with np.errstate(invalid="ignore"):  # told of NaN, which makes a polygon invalid
        unfit[~unfit] |= ~shapely.is_valid(shapes[~unfit])
    problems += [
        Problem(_wrong(shapes[k]), "Repair or leave it out", row=int(k) + 1)
        for k in np.flatnonzero(unfit)
    ]
    problems += [
        Problem(reason, remedy, row=int(k) + 1)
        for k, reason, remedy in _out_of_range(shapes, ~unfit, geographic=geographic)
    ]
    if problems:
        raise BadInput(problems)


def _wrong(shape: shapely.Geometry | None) -> str:
    if shape is None or shape.is_empty:
        return "the geometry is empty"
    if shape.geom_type not in {"Polygon", "MultiPolygon"}:
        return f"a {shape.geom_type} covers nothing"
    return f"the geometry is invalid: {shapely.is_valid_reason(shape)}"


def _out_of_range(
    shapes: NDArray[np.object_], fit: Flags, *, geographic: bool
) -> Sequence[tuple[int, str, str]]:
    """Row, what is wrong and the remedy for coordinates that are none or cannot be compared."""
    rows = np.flatnonzero(fit)
    xy, index = shapely.get_coordinates(shapes[rows], return_index=True)
    size = np.abs(xy)
    tiny = ((size > 0) & (size < SMALLEST)).any(axis=1)
    huge = (size > LARGEST).any(axis=1)
    found = [
        (int(rows[k]), "a coordinate is so small that it can only be a mistake", "Round it")
        for k in np.unique(index[tiny])
    ]
    if geographic:
        beyond = (size[:, 0] > 180) | (size[:, 1] > 90)
        bad, first = np.unique(index[beyond], return_index=True)
        found += [
            (
                int(rows[k]),
                f"({x}, {y}) is no longitude and latitude",
                "Longitude comes first; for metres build with geographic=False",
            )
            for k, (x, y) in zip(bad, xy[beyond][first].tolist(), strict=True)
        ]
    else:
        found += [
            (int(rows[k]), "a coordinate is larger than 5.6e14", "Give metres or degrees")
            for k in np.unique(index[huge])
        ]
    return found


def rings_of(shapes: NDArray[np.object_]) -> Rings:
    """All rings, in the order of the polygons; exterior of each part first, then its holes."""
    parts, polygon_of_part = shapely.get_parts(shapes, return_index=True)
    rings, part_of_ring = shapely.get_rings(parts, return_index=True)
    xy, ring_of_vertex = shapely.get_coordinates(rings, return_index=True)
    xy += 0.0  # a negative zero is a zero
    # A vertex twice in a row makes no edge.
    kept = np.ones(len(xy), dtype=bool)
    kept[1:] = (xy[1:] != xy[:-1]).any(axis=1) | (ring_of_vertex[1:] != ring_of_vertex[:-1])
    xy, ring_of_vertex = np.ascontiguousarray(xy[kept]), ring_of_vertex[kept]
    starts = np.searchsorted(ring_of_vertex, np.arange(len(rings) + 1)).astype(np.int64)
    hole = np.ones(len(rings), dtype=bool)
    hole[np.searchsorted(part_of_ring, np.arange(len(parts)))] = False
    return Rings(xy, starts, polygon_of_part[part_of_ring].astype(np.int64), hole)


def _nearby_order(rings: Rings) -> Ints:
    """Rings along bands of their first vertices, so that neighbours lie near each other."""
    at = rings.xy[rings.starts[:-1]]
    low, extent = at.min(axis=0), np.maximum(np.ptp(at, axis=0), 1e-300)
    bands = max(1, int(np.sqrt(len(at) / 8)))
    band = np.minimum(((at[:, 1] - low[1]) / extent[1] * bands).astype(np.int64), bands - 1)
    return np.lexsort((at[:, 0], band)).astype(np.int64)


def _frame(laid: arcs.Arcs, edges: Ints, cells_per_edge: float) -> cells.Frame:
    """Even cells over all, in number as the edges and in shape as these run."""
    low, high = laid.xy.min(axis=0), laid.xy.max(axis=0)
    extent = high - low
    step = np.abs(laid.xy[edges + 1] - laid.xy[edges]).mean(axis=0)
    wanted = max(cells_per_edge * len(edges), FEWEST_CELLS)
    across = extent / np.maximum(step, 1e-300)
    columns = float(np.sqrt(wanted * across[0] / across[1]))
    columns = min(max(columns, 1.0), wanted)
    # A cell is many thousand doubles wide, or there is but one.
    most = extent / (LEAST_CELL * np.abs(laid.xy).max())
    count = np.ceil(np.minimum([columns, wanted / columns], np.maximum(most, 1.0))).astype(int)
    # Room on each side: no rounding takes a point of the extent out of the cells, and west of the
    # first ones there is nothing.
    origin = np.minimum(low - extent / count * 0.01, np.nextafter(low, -np.inf))
    size = (extent + 2 * (low - origin)) / count
    return cells.Frame(
        float(origin[0]),
        float(origin[1]),
        float(size[0]),
        float(size[1]),
        float(1.0 / size[0]),
        float(1.0 / size[1]),
        int(count[0]),
        int(count[1]),
    )


def body_of(rings: Rings, order: Ints, cells_per_edge: float) -> tuple[Body, Arrays, int]:
    """The index of polygons that come in the order of their ids.

    Parameters
    ----------
    rings
        Of the polygons, smallest id first.
    order
        Position of each in the order given by the caller.
    cells_per_edge
        How many cells to begin with, as a multiple of the edges.

    Returns
    -------
    The body for the kernels of lookups; further arrays for borders and shapes; and how
    often polygons were found over one another: 0 for layers without overlap.
    """
    if not len(order):
        return _nothing()
    laid = arcs.arcs_of(rings.xy, rings.starts, rings.polygon, rings.hole, _nearby_order(rings))
    edges = cells.edges_of(laid.starts)
    layer = cells.Layer(laid.xy, cells.arc_of_vertices(laid.starts), laid.owner_starts, laid.owners)
    frame = _frame(laid, edges, cells_per_edge)
    least = LEAST_CELL * float(np.abs(laid.xy).max())
    words, hidden = cells.fill(layer, frame, edges, len(order), least)
    if len(words) > cells.PLACE:
        raise BadInput(f"{len(order):,} polygons are too many for one index", "Build several")
    body = _joined(laid.xy, words, frame, order)
    further: Arrays = {
        "arc_starts": laid.starts.astype(np.uint32),
        "owner_starts": laid.owner_starts.astype(np.uint32),
        "owners": laid.owners,
        "ring_starts": laid.ring_starts.astype(np.uint32),
        "ring_arcs": laid.ring_arcs,
        "polygon_rings": np.searchsorted(rings.polygon, np.arange(len(order) + 1)).astype(
            np.uint32
        ),
        "ring_hole": rings.hole.astype(np.uint8),
    }
    return body, further, hidden


def _nothing() -> tuple[Body, Arrays, int]:
    """The index of no polygons: an extent that holds no point."""
    body = np.zeros(lookup.HEAD, dtype=np.uint64)
    body.view(np.float64)[0:4] = [np.inf, np.inf, -np.inf, -np.inf]
    one, none = np.zeros(1, dtype=np.uint32), np.empty(0, dtype=np.int32)
    further: Arrays = {
        "arc_starts": one,
        "owner_starts": one,
        "owners": none,
        "ring_starts": one,
        "ring_arcs": none,
        "polygon_rings": one,
        "ring_hole": np.empty(0, dtype=np.uint8),
    }
    return body, further, 0


def _joined(xy: Floats, words: NDArray[np.uint32], frame: cells.Frame, order: Ints) -> Body:
    """Head, vertices, words and positions in one array."""
    size = lookup.HEAD + xy.size + (len(words) + len(order) + 1) // 2
    body = np.zeros(size, dtype=np.uint64)
    floats, whole = body.view(np.float64), body.view(np.uint32)
    floats[0:4] = [*xy.min(axis=0), *xy.max(axis=0)]
    floats[lookup.FRAME : lookup.FRAME + 6] = frame[:6]
    at_words = 2 * (lookup.HEAD + xy.size)
    body[lookup.COLUMNS : lookup.POLYGONS + 1] = [
        frame.columns,
        frame.rows,
        at_words,
        lookup.HEAD,
        at_words + len(words),
        len(order),
    ]
    floats[lookup.HEAD : lookup.HEAD + xy.size] = xy.ravel()
    whole[at_words : at_words + len(words)] = words
    whole[at_words + len(words) :][: len(order)] = order
    return body
