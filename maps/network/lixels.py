"""A network of streets cut into lixels, ready for the events of any period."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np
import numpy.typing as npt
import shapely
from pyproj import Transformer

from gis.crs import transformer
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
        Each piece in metres, and its length, shape (lixels,).
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
    lines: Lines
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
        transformer("EPSG:4326", streets.crs),
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

    def lines(self, streets: Streets) -> Lines:
        """All lixels, in the order of edges and along them.

        Each begins exactly where the one before it on its edge ends.
        """
        many = np.diff(self.first)
        edge = np.repeat(np.arange(len(many)), many)
        numbers = np.arange(len(edge))
        xy, owner = shapely.get_coordinates(streets.edges, return_index=True)
        is_first = np.ones(len(xy), dtype=np.bool_)
        is_first[1:] = owner[1:] != owner[:-1]
        last = np.append(np.flatnonzero(is_first)[1:], len(xy)) - 1
        step_m = np.zeros(len(xy))
        step_m[1:] = np.hypot(*(xy[1:] - xy[:-1]).T)
        step_m[is_first] = 0.0
        at_m = np.cumsum(step_m)
        at_m -= at_m[is_first][owner]
        # Places on their edges, in lixels: as numbers that rise over all edges, vertices are
        # between cuts where they belong.
        place = self.first[owner] + np.minimum(at_m / self.length_m[owner], many[owner])
        after = np.searchsorted(place, numbers, side="right")
        before = after - 1
        share = (numbers - place[before]) / (place[after] - place[before])
        starts = xy[before] + share[:, None] * (xy[after] - xy[before])
        starts[self.first[:-1]] = xy[is_first]
        stops = np.concatenate([starts[1:], xy[last[-1:]]])
        stops[self.first[1:] - 1] = xy[last]
        # Vertices between the two ends of an edge go to the lixel they lie in; at a cut to none.
        inner = ~is_first
        inner[last] = False
        inner &= np.abs(place - np.round(place)) * self.length_m[owner] > AT_CUT_M
        pieces = np.concatenate([numbers, place[inner].astype(np.int64), numbers])
        # Stable: the start of a lixel stays before its bends, these in their order, then its stop.
        order = np.argsort(pieces, kind="stable")
        return Lines(
            np.concatenate([starts, xy[inner], stops])[order],
            np.concatenate([[0], np.cumsum(np.bincount(pieces, minlength=len(edge)))]),
        )


def cut(streets: Streets, lixel_m: float) -> Lixels:
    """Cut each edge into the fewest equal pieces of at most so many metres."""
    many = np.maximum(1, np.ceil(streets.length_m / lixel_m - 1e-9)).astype(np.int64)
    return Lixels(np.concatenate([[0], np.cumsum(many)]), streets.length_m / many)


@dataclass(frozen=True, slots=True, eq=False)
class Lines:
    """Line strings as arrays: an object for each would take longer than all that is asked of them.

    Attributes
    ----------
    xy
        Shape (vertices, 2), metres: those of one line after those of the other.
    first
        Shape (lines + 1): where each line's begin.
    """

    xy: Floats
    first: Ints

    def shapes(self) -> npt.NDArray[np.object_]:
        """Make a line string of each."""
        made: npt.NDArray[np.object_] = shapely.from_ragged_array(
            shapely.GeometryType.LINESTRING, self.xy, (self.first,)
        )
        return made

    def together(self) -> shapely.MultiLineString:
        """Make one shape of all."""
        (made,) = shapely.from_ragged_array(
            shapely.GeometryType.MULTILINESTRING,
            self.xy,
            (self.first, np.array([0, len(self.first) - 1])),
        )
        return made

    def chosen(self, which: npt.NDArray[np.bool_]) -> Lines:
        """Leave out all lines but some: shape (lines,)."""
        many = np.diff(self.first)
        return Lines(self.xy[np.repeat(which, many)], np.concatenate([[0], np.cumsum(many[which])]))
