"""A network of streets cut into lixels, ready for the events of any period."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np
import numpy.typing as npt
import shapely
from pyproj import Transformer

from gis.errors import BadInput, Problem
from maps.network.streets import Floats, Ints, Streets, streets_of

if TYPE_CHECKING:
    import geopandas as gpd

MAX_LIXELS: Final = 2_000_000
AT_CUT_M: Final = 1e-6
"""A vertex nearer than this to a cut is the cut."""


@dataclass(frozen=True, slots=True, eq=False)
class Network:
    """Streets with their lixels: all of a density that does not depend on events.

    Attributes
    ----------
    streets, lixels
        Edges, and how many lixels each has.
    lixel_m
        Longest piece that was asked for.
    lines, length_m
        Shape (lixels,): each piece in metres, and its length.
    to_metres
        From WGS 84 degrees to metres.
    tree
        Of the edges.
    halves, first_half
        Half ``2 e`` is edge ``e`` walked from its start, ``2 e + 1`` from its end: those that leave
        each node, one node after the other, and where each node's begin.
    """

    streets: Streets
    lixels: Lixels
    lixel_m: float
    lines: npt.NDArray[np.object_]
    length_m: Floats
    to_metres: Transformer
    tree: shapely.STRtree
    halves: Ints
    first_half: Ints


def network_of(lines: gpd.GeoDataFrame | gpd.GeoSeries, lixel_m: float) -> Network:
    """Join streets and cut them into pieces of at most so many metres.

    Parameters
    ----------
    lines
        Streets, as for ``streets_of``.

    Raises
    ------
    BadInput
        What ``streets_of`` refuses; more than 2,000,000 pieces.
    """
    streets = streets_of(lines)
    total_m = float(streets.length_m.sum())
    if total_m / lixel_m + len(streets.edges) > MAX_LIXELS:
        raise BadInput(
            Problem(
                f"{total_m / 1000:,.0f} km of street in pieces of {lixel_m:g} m",
                f"At most {MAX_LIXELS:,} pieces: give fewer streets or longer pieces",
                field="lixel_m",
            )
        )
    lixels = cut(streets, lixel_m)
    leaving = streets.ends.ravel()
    halves = np.argsort(leaving, kind="stable")
    return Network(
        streets,
        lixels,
        lixel_m,
        lixels.lines(streets),
        np.repeat(lixels.length_m, np.diff(lixels.first)),
        Transformer.from_crs("EPSG:4326", streets.crs, always_xy=True),
        shapely.STRtree(streets.edges),
        halves,
        np.searchsorted(leaving[halves], np.arange(leaving.max() + 2)).astype(np.int64),
    )


@dataclass(frozen=True, slots=True, eq=False)
class Lixels:
    """Pieces of edges of one length each ("linear pixels").

    Attributes
    ----------
    first
        Shape (edges + 1): where the lixels of an edge begin among all.
    length_m
        Of one lixel of each edge.
    """

    first: Ints
    length_m: Floats

    def lines(self, streets: Streets) -> npt.NDArray[np.object_]:
        """Line strings of all lixels, in the order of edges and along them.

        Each begins exactly where the one before it on its edge ends.
        """
        many = np.diff(self.first)
        edge = np.repeat(np.arange(len(many)), many)
        step = self.length_m[edge]
        begins_m = (np.arange(len(edge)) - self.first[edge]) * step
        xy, owner = shapely.get_coordinates(streets.edges, return_index=True)
        is_first = np.ones(len(xy), dtype=np.bool_)
        is_first[1:] = owner[1:] != owner[:-1]
        last = np.append(np.flatnonzero(is_first)[1:], len(xy)) - 1
        starts = shapely.get_coordinates(
            shapely.line_interpolate_point(streets.edges[edge], begins_m)
        )
        stops = np.concatenate([starts[1:], xy[last[-1:]]])
        stops[self.first[1:] - 1] = xy[last]
        # Vertices between the two ends of an edge go to the lixel they lie in; at a cut to none.
        at_m = np.zeros(len(xy))
        at_m[1:] = np.cumsum(np.hypot(*(xy[1:] - xy[:-1]).T) * ~is_first[1:])
        at_m -= at_m[is_first][owner]
        inner = ~is_first
        inner[last] = False
        of, along = owner[inner], at_m[inner] / self.length_m[owner[inner]]
        between = np.abs(along - np.round(along)) * self.length_m[of] > AT_CUT_M
        of, along, bends = of[between], along[between], xy[inner][between]
        piece = self.first[of] + np.clip(along.astype(np.int64), 0, many[of] - 1)
        numbers = np.arange(len(edge))
        pieces = np.concatenate([numbers, piece, numbers])
        # Stable: the start of a lixel stays before its bends, these in their order, then its stop.
        order = np.argsort(pieces, kind="stable")
        drawn = shapely.linestrings(
            np.concatenate([starts, bends, stops])[order], indices=pieces[order]
        )
        return np.asarray(drawn)


def cut(streets: Streets, lixel_m: float) -> Lixels:
    """Cut each edge into the fewest equal pieces of at most so many metres."""
    many = np.maximum(1, np.ceil(streets.length_m / lixel_m - 1e-9)).astype(np.int64)
    return Lixels(np.concatenate([[0], np.cumsum(many)]), streets.length_m / many)
