"""What the search works on, as its compiled kernels take it: the cells, and who is in which grid.

Named tuples of arrays: numba passes them whole, and the arrays in them are changed in place.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from grids.redistricting.compiled import Flags, Floats, Ints, Labels


class Network(NamedTuple):
    """The cells and their neighbours, in compressed rows; nothing in it changes.

    Attributes
    ----------
    starts, ends
        Row starts (n + 1) and neighbours.
    walk
        Whether each edge can be crossed on foot.
    price
        Price of each edge when it is border rather than inside a grid.
    households
        Of each cell.
    """

    starts: Ints
    ends: Labels
    walk: Flags
    price: Floats
    households: Ints


class Division(NamedTuple):
    """A division of the cells into grids while it is being worked on.

    Attributes
    ----------
    label
        Grid of each cell.
    load, members
        Households and cells of each grid; a grid without cells does not exist.
    centre, low, high
        Fair load of each grid and the band it should lie in.
    """

    label: Labels
    load: Ints
    members: Ints
    centre: Floats
    low: Floats
    high: Floats

    def beyond(self) -> Ints:
        """Grids whose load lies outside their band."""
        off = (self.load < self.low) | (self.load > self.high)
        return np.flatnonzero(off & (self.members > 1))
