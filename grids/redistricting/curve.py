"""What less change costs: households moved against grids in tolerance, by the price of a move."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict, dataclass

import numpy as np
import pandas as pd

from grids.redistricting.codes import households_moved, units_of
from grids.redistricting.compiled import Labels
from grids.redistricting.layout import Layout


@dataclass(frozen=True, slots=True)
class Point:
    """What one price brings.

    Attributes
    ----------
    keep
        Price of each household that changes its grid.
    grids
        Number of grids.
    within
        Share of grids within tolerance.
    moved, moved_share
        Households whose grid has another code than before, and their share of all.
    drawn
        Whether this is the price that the plan itself was drawn at.
    """

    keep: float
    grids: int
    within: float
    moved: int
    moved_share: float
    drawn: bool


def point_of(ground: Layout, label: Labels, keep: float, *, is_drawn: bool = False) -> Point:
    """Measure a division as the plan drawn of it would be."""
    unit = units_of(ground, label)
    load = np.bincount(label, ground.cells.households)
    off = np.abs(load / ground.town.targets[unit] - 1)
    moved = households_moved(ground, label, unit)
    return Point(
        keep=keep,
        grids=len(load),
        within=float((off <= ground.town.tolerances[unit] + 1e-9).mean()),
        moved=moved,
        moved_share=moved / max(1, int(ground.cells.households.sum())),
        drawn=is_drawn,
    )


def curve_of(points: Iterable[Point]) -> pd.DataFrame:
    """One row per point by rising price, its columns the attributes of `Point`."""
    return pd.DataFrame([asdict(each) for each in sorted(points, key=lambda each: each.keep)])
