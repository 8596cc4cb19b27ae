"""The national border: whether a place lies across it, how far, and by which stretch."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Literal

import numpy as np
import shapely
import sqlalchemy as sa
from pyproj import Geod

from boundaries.models import BorderLine

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray
    from sqlalchemy.orm import Session

ACROSS_WITHIN_M: Final = 50_000.0
"""Farther off, stretches of a border that is known in part do not tell the side."""
# No degree of latitude is shorter, and none of longitude than this times the latitude's cosine.
DEGREE_M: Final = 110_574.0
ALIKE_M: Final = 1e-3
GEOD: Final = Geod(ellps="WGS84")


@dataclass(frozen=True, slots=True)
class Across:
    """The stretch of the border that a place lies across, and its distance in metres."""

    name: str
    distance_m: float


@dataclass(frozen=True, slots=True)
class Stretch:
    """A line of the border; ``vertices`` (n, 2) in WGS 84, longitude first."""

    name: str
    our_side: Literal["left", "right"]
    vertices: NDArray[np.float64]


class BorderLines:
    """Stretches of the border, asked from many places."""

    def __init__(self, stretches: Sequence[Stretch]) -> None:
        self._stretches = stretches
        self._bounds = np.array(
            [(*each.vertices.min(axis=0), *each.vertices.max(axis=0)) for each in stretches]
        ).reshape(-1, 4)

    def __bool__(self) -> bool:
        """Whether there are any."""
        return bool(self._stretches)

    def across(self, lon: float, lat: float) -> Across | None:
        """The stretch that a place lies across, seen from our side.

        Returns
        -------
        None on our side and on the line, farther than 50 km, and where the nearest point of the
        border is the loose end of a stretch: what lies behind an end is on neither side.
        """
        wide = 1 / max(math.cos(math.radians(min(abs(lat) + 0.5, 89.9))), 0.01)
        reach = ACROSS_WITHIN_M / DEGREE_M
        west, south, east, north = self._bounds.T
        near = np.flatnonzero(
            (west <= lon + reach * wide) & (east >= lon - reach * wide)
            & (south <= lat + reach) & (north >= lat - reach)
        )  # fmt: skip
        if not near.size:
            return None
        # Metres from the place: what is straight in degrees is so here, but for centimetres.
        scale = np.array([math.cos(math.radians(lat)), 1.0]) * DEGREE_M
        lines = [(self._stretches[int(each)].vertices - (lon, lat)) * scale for each in near]
        starts = np.concatenate([line[:-1] for line in lines])
        steps = np.concatenate([np.diff(line, axis=0) for line in lines])
        stretch = np.repeat(near, [len(line) - 1 for line in lines])
        length = np.einsum("ij,ij->i", steps, steps)
        share = np.clip(-np.einsum("ij,ij->i", starts, steps) / np.maximum(length, 1e-12), 0, 1)
        feet = starts + share[:, None] * steps
        away = np.hypot(feet[:, 0], feet[:, 1])
        # At a vertex two edges are as near: the one that the place lies farther aside of decides.
        alike = np.flatnonzero(away <= away.min() + ALIKE_M)
        aside = steps[alike, 1] * starts[alike, 0] - steps[alike, 0] * starts[alike, 1]
        aside /= np.sqrt(np.maximum(length[alike], 1e-12))
        best = alike[np.argmax(np.abs(aside))]
        left = float(aside[np.argmax(np.abs(aside))])
        if len(alike) == 1 and not 0 < share[best] < 1:
            return None
        foot = feet[best] / scale + (lon, lat)
        distance_m = float(GEOD.inv(lon, lat, *foot)[2])
        found = self._stretches[int(stretch[best])]
        ours = left > 0 if found.our_side == "left" else left < 0
        if ours or left == 0 or distance_m > ACROSS_WITHIN_M:
            return None
        return Across(found.name, distance_m)


def border_lines(session: Session, near: tuple[float, float] | None = None) -> BorderLines:
    """The stretches that are known; only those within reach of a place where one is given."""
    statement = sa.select(
        BorderLine.name, BorderLine.our_side, sa.func.ST_AsBinary(BorderLine.geom).label("wkb")
    ).order_by(BorderLine.id)
    if near is not None:
        lon, lat = near
        high = ACROSS_WITHIN_M / DEGREE_M
        wide = high / max(math.cos(math.radians(min(abs(lat) + high, 89.9))), 0.01)
        box = sa.func.ST_MakeEnvelope(lon - wide, lat - high, lon + wide, lat + high, 4326)
        statement = statement.where(BorderLine.geom.op("&&")(box))
    return BorderLines(
        [
            Stretch(row.name, row.our_side, shapely.get_coordinates(shapely.from_wkb(row.wkb)))
            for row in session.execute(statement)
        ]
    )
