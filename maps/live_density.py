"""A density that is kept up to date: an event more or less changes its surroundings alone."""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt

from gis.errors import BadInput, Problem
from maps.smoothing import TAIL, Bbox, Floats, Mask, Order, PointField, kernel_mass

__all__ = ["LiveDensity"]


class LiveDensity:
    """Events per square metre of a changing set of events.

    Parameters
    ----------
    xy_m, bbox_m, shape, bandwidth_m, mask
        As for `maps.smoothing.density`.

    Attributes
    ----------
    values
        Shape (ny, nx), as `maps.smoothing.density` of the events there are now. Not to be written.
    n
        How many events there are.

    Notes
    -----
    A changed event is spread as the first ones were, by the same spline, on a raster of its own as
    wide as its kernel, and added: the result is that of computing everything anew, but for
    rounding.
    """

    def __init__(
        self,
        xy_m: npt.ArrayLike,
        bbox_m: Bbox,
        shape: tuple[int, int],
        bandwidth_m: float,
        *,
        mask: Mask | None = None,
    ) -> None:
        points = np.asarray(xy_m, dtype=np.float64).reshape(-1, 2)
        field = PointField(bbox_m, shape, bandwidth_m)
        self._order: Order = field.order_for(len(points))
        field.add(points)
        self.values = field.density(mask=mask)
        self.n = len(points)
        self._bbox_m, self._shape, self._bandwidth_m = bbox_m, field.shape, field.bandwidth_m
        self._dx_m, self._dy_m = field.dx_m, field.dy_m
        self._mass = None
        if mask is not None:
            cells = (bandwidth_m / field.dy_m, bandwidth_m / field.dx_m)
            self._mass = np.where(mask, kernel_mass(mask, cells), np.nan)

    def add(self, xy_m: npt.ArrayLike) -> None:
        """Add events, shape (n, 2), metres."""
        self._change(xy_m, 1)

    def remove(self, xy_m: npt.ArrayLike) -> None:
        """Take out events that were added before; that they were is the caller's to know.

        Raises
        ------
        BadInput
            There are not that many.
        """
        self._change(xy_m, -1)

    def _change(self, xy_m: npt.ArrayLike, sign: int) -> None:
        points = np.asarray(xy_m, dtype=np.float64).reshape(-1, 2)
        if self.n + sign * len(points) < 0:
            raise BadInput(
                Problem(
                    f"{len(points)} events to be taken out of {self.n}",
                    "Take out only what was added.",
                    field="xy_m",
                )
            )
        if not np.isfinite(points).all():
            raise BadInput(
                Problem("an event has no place", "Leave out events without one.", field="xy_m")
            )
        for x, y in points:
            self._stamp(x, y, sign)
        self.n += sign * len(points)

    def _stamp(self, x: float, y: float, sign: int) -> None:
        west, south = self._bbox_m[:2]
        reach_x = math.ceil(TAIL * self._bandwidth_m / self._dx_m) + 2
        reach_y = math.ceil(TAIL * self._bandwidth_m / self._dy_m) + 2
        column = math.floor((x - west) / self._dx_m)
        row = math.floor((y - south) / self._dy_m)
        first_column, last_column = max(0, column - reach_x), column + reach_x + 1
        first_row, last_row = max(0, row - reach_y), row + reach_y + 1
        last_column, last_row = min(self._shape[1], last_column), min(self._shape[0], last_row)
        if first_column >= last_column or first_row >= last_row:
            return  # Too far outside to reach in.
        box = (
            west + first_column * self._dx_m,
            south + first_row * self._dy_m,
            west + last_column * self._dx_m,
            south + last_row * self._dy_m,
        )
        shape = (last_row - first_row, last_column - first_column)
        field = PointField(box, shape, self._bandwidth_m, order=self._order)
        field.add([[x, y]])
        kernel: Floats = field.density()
        part = (slice(first_row, last_row), slice(first_column, last_column))
        if self._mass is not None:
            kernel = kernel / self._mass[part]
        # What is taken out leaves rounding errors of either sign where nothing else is.
        self.values[part] = np.maximum(self.values[part] + sign * kernel, 0.0)
