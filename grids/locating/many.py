"""Many points at once against the compiled editions that are in force at a moment."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from datetime import datetime

    from numpy.typing import ArrayLike, NDArray

    from gis.locator import Locator
    from grids.locating.snapshot import Compiled


class Found(NamedTuple):
    """Which edition (its place among those asked, -1 none) and grid answers for each point."""

    places: NDArray[np.int64]
    positions: NDArray[np.int64]


def in_force(compiled: Iterable[Compiled], at: datetime, kind: str = "base") -> list[Compiled]:
    """The editions of a kind that are in force at a moment, by id."""
    seconds = at.timestamp()
    return [
        each
        for each in compiled
        if each.edition.kind == kind and each.edition.since <= seconds < each.edition.until
    ]


def locate(asked: Sequence[Locator], lon: ArrayLike, lat: ArrayLike) -> Found:
    """The grid that answers for each point.

    Parameters
    ----------
    asked
        Of editions in force at one moment, as `grids.locating.store` makes them: they share no
        ground but their borders, on which the lowest code answers, as within one.
    lon, lat
        WGS 84 degrees, arrays of one length; NaN lies in no grid.
    """
    x, y = np.asarray(lon, dtype=np.float64), np.asarray(lat, dtype=np.float64)
    places = np.full(x.shape, -1, dtype=np.int64)
    positions = np.full(x.shape, -1, dtype=np.int64)
    for place, each in enumerate(asked):
        west, south, east, north = each.metadata["bounds"]
        near = np.flatnonzero((x >= west) & (x <= east) & (y >= south) & (y <= north))
        if not len(near):
            continue
        found = each.locate(x[near], y[near])
        near, found = near[found >= 0], found[found >= 0]
        taken = places[near] >= 0
        if taken.any():
            both, theirs = near[taken], found[taken]
            wins = np.array(
                [
                    each.ids[mine] < asked[places[point]].ids[positions[point]]
                    for point, mine in zip(both.tolist(), theirs.tolist(), strict=True)
                ]
            )
            near = np.concatenate([near[~taken], both[wins]])
            found = np.concatenate([found[~taken], theirs[wins]])
        places[near], positions[near] = place, found
    return Found(places, positions)
