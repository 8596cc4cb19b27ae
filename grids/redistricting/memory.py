"""Memory that is no longer needed, given back to the system.

Millions of small geometries come and go while cells are drawn. The C library keeps their room in
pieces, which what comes next does not always fit into: a third of a city's peak was such room.
"""

from __future__ import annotations

import ctypes
from typing import TYPE_CHECKING, Final

import shapely

if TYPE_CHECKING:
    from grids.redistricting.inputs import Geometries

AT_ONCE: Final = 10_000
"""Geometries made anew at once."""


def give_back() -> None:
    """Return freed room to the system, where the C library is glibc; else nothing happens."""
    trim = getattr(ctypes.CDLL(None), "malloc_trim", None)
    if trim is not None:
        trim(0)


def pack(shapes: Geometries) -> None:
    """Make geometries anew, in their place, each with no more room than it takes.

    What noding leaves is scattered and keeps room for coordinates that never came.
    """
    for begin in range(0, len(shapes), AT_ONCE):
        some = slice(begin, begin + AT_ONCE)
        shapes[some] = shapely.from_wkb(shapely.to_wkb(shapes[some]))
    give_back()
