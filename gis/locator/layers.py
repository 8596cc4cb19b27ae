"""Several layers asked in one call: base and micro-grids, exclusive ones, units of all levels."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import numpy as np
    from numpy.typing import ArrayLike, NDArray

    from gis.locator.index import Locator


class Layers:
    """Locators by name.

    Parameters
    ----------
    locators
        Each layer's, by its name.
    first
        Names of the layers that answer before others, in their order: where an exclusive grid
        covers a point it answers, whatever base grid lies below.
    """

    def __init__(self, locators: Mapping[str, Locator], first: Sequence[str] = ()) -> None:
        unknown = [name for name in first if name not in locators]
        if unknown:
            raise KeyError(f"no such layer: {', '.join(unknown)}")
        self.locators, self.first = dict(locators), tuple(first)
        self._asked = [(name, locator.locate_one) for name, locator in self.locators.items()]

    def locate_one(self, lon: float, lat: float) -> dict[str, int]:
        """Position of the polygon that answers for a point in each layer, -1 for none."""
        return {name: ask(lon, lat) for name, ask in self._asked}

    def answer_one(self, lon: float, lat: float) -> tuple[str, int] | None:
        """The first of the layers in order that has a polygon for the point, and its position."""
        for name in self.first:
            position = self.locators[name].locate_one(lon, lat)
            if position >= 0:
                return name, position
        return None

    def locate(self, lon: ArrayLike, lat: ArrayLike) -> dict[str, NDArray[np.int64]]:
        """Positions in each layer for many points; see ``Locator.locate``."""
        return {name: locator.locate(lon, lat) for name, locator in self.locators.items()}
