"""What a locator tells of a point, beside which polygon answers."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray


class Shares(NamedTuple):
    """Where the true position of a doubtful point may lie.

    Attributes
    ----------
    positions
        Of the polygons, in the order given to the build; the likeliest first, then by id.
    shares
        Probability of each.
    outside
        Probability that the position lies in none.
    """

    positions: NDArray[np.int64]
    shares: NDArray[np.float64]
    outside: float


class Nearest(NamedTuple):
    """The polygon nearest to a point, the distance, and the point on its border."""

    position: int
    distance_m: float
    lon: float
    lat: float


class Border(NamedTuple):
    """How far the border of the answering polygon is, where, and who is beyond it (-1 nobody)."""

    position: int
    distance_m: float
    neighbour: int
    lon: float
    lat: float
