"""Codes of the grids of a plan: taken over from an older plan, or new numbers in rows."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import shapely

from grids.redistricting.compiled import Ints, Labels
from grids.redistricting.layout import Layout
from grids.redistricting.lineage import heirs
from grids.redistricting.numbering import number_around, number_grids
from grids.redistricting.pins import pinned_heirs

Codes = npt.NDArray[np.object_]


def units_of(ground: Layout, label: Labels) -> Ints:
    """Unit of each grid."""
    unit = np.zeros(int(label.max()) + 1, dtype=np.int64)
    unit[label] = ground.cells.unit
    return unit


def inherited_codes(ground: Layout, label: Labels, unit: Ints) -> Codes:
    """Code that each grid has from a locked grid or the older plan; None for a new grid."""
    locked = ground.is_locked[unit]
    codes = np.full(len(unit), None, dtype=object)
    own = np.array(ground.town.unit_codes, dtype=object)
    codes[locked] = own[unit[locked]]
    taken = set(codes[locked].tolist())
    if ground.older is None:
        return codes
    heir = heirs(label, ground.older, ground.cells.households, ground.graph.area_m2)
    if ground.pins is not None:
        heir = pinned_heirs(heir, label, ground.pins.wanted)
    heir[locked] = -1
    for grid in np.flatnonzero(heir >= 0).tolist():
        if ground.older_codes[heir[grid]] not in taken:
            codes[grid] = ground.older_codes[heir[grid]]
    return codes


def grid_codes(ground: Layout, label: Labels, unit: Ints, outlines: Any) -> tuple[Any, int]:
    """Code of each grid, and the digits of new numbers.

    A code of the older plan or of a locked grid is never given to another grid.
    """
    parents = np.array(ground.parents, dtype=object)
    places = shapely.get_coordinates(shapely.point_on_surface(outlines))
    digits = max(3, len(str(int(np.bincount(unit).max()))))
    codes = inherited_codes(ground, label, unit)
    new = np.flatnonzero([code is None for code in codes])
    taken = set(codes.tolist()) - {None} | set(ground.older_codes)
    if taken:
        codes[new] = number_around(places[new], list(parents[unit[new]]), digits, taken)
    else:
        codes[new] = number_grids(places, list(parents[unit]), digits)
    return codes, digits


def households_moved(ground: Layout, label: Labels, unit: Ints) -> int:
    """Households that were in a grid before and whose grid has another code now."""
    assert ground.older is not None
    before = np.array([*ground.older_codes, None], dtype=object)[ground.older]
    changed = (ground.older >= 0) & (inherited_codes(ground, label, unit)[label] != before)
    return int(ground.cells.households[changed].sum())
