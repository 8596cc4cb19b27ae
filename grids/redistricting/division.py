"""What the search works on, as its compiled kernels take it: the cells, and who is in which grid.

Named tuples of arrays: numba passes them whole, and the arrays in them are changed in place.
"""

# Compiled kernels take plain arrays, many of them.
# ruff: noqa: PLR0917

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from grids.redistricting.compiled import Flags, Floats, Ints, Labels, kernel


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
    home, stay
        Grid each cell should stay in (-1 for none) and the price of its being elsewhere.
    """

    starts: Ints
    ends: Labels
    walk: Flags
    price: Floats
    households: Ints
    home: Labels
    stay: Floats


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

    def is_out(self) -> Flags:
        """Whether each grid there is lies outside its band."""
        return ((self.load < self.low) | (self.load > self.high)) & (self.members > 0)

    def copy(self) -> Division:
        """A division of its own that may be changed."""
        return Division(
            self.label.copy(),
            self.load.copy(),
            self.members.copy(),
            self.centre.copy(),
            self.low.copy(),
            self.high.copy(),
        )

    def become(self, other: Division) -> None:
        """Take another division over, array by array."""
        self.label[:], self.load[:], self.members[:] = other.label, other.load, other.members
        self.centre[:], self.low[:], self.high[:] = other.centre, other.low, other.high


class Scratch(NamedTuple):
    """Room for walking through grids, kept between calls: one entry a cell.

    Attributes
    ----------
    stamp, queue
        Last walk that met each cell, and cells waiting in this one.
    marks
        One number: the largest stamp given so far.
    """

    stamp: Ints
    queue: Labels
    marks: Ints


def scratch_for(size: int) -> Scratch:
    """Room for `size` cells."""
    return Scratch(
        np.zeros(size, dtype=np.int64), np.empty(size + 1, dtype=np.int32), np.ones(1, np.int64)
    )


class Roll(NamedTuple):
    """Members of each grid as linked lists, so that a grid is read without reading the plan.

    Attributes
    ----------
    first
        First cell of each grid, -1 for none.
    following, previous
        Cell after and before each cell, -1 at the ends.
    """

    first: Labels
    following: Labels
    previous: Labels


def empty_roll(division: Division) -> Roll:
    """Room for the members of a division; `enrol` fills it."""
    size = len(division.label)
    return Roll(
        np.full(len(division.load), -1, dtype=np.int32),
        np.full(size, -1, dtype=np.int32),
        np.full(size, -1, dtype=np.int32),
    )


@kernel
def link(cell: int, grid: int, roll: Roll) -> None:
    """Put a cell at the head of a grid's list."""
    head = roll.first[grid]
    roll.following[cell] = head
    roll.previous[cell] = -1
    if head >= 0:
        roll.previous[head] = cell
    roll.first[grid] = cell


@kernel
def enrol(label: Labels, roll: Roll) -> None:
    """Write the lists anew from the labels."""
    roll.first[:] = -1
    for cell in range(len(label) - 1, -1, -1):
        link(cell, label[cell], roll)


@kernel
def unlink(cell: int, grid: int, roll: Roll) -> None:
    """Take a cell out of a grid's list."""
    before, after = roll.previous[cell], roll.following[cell]
    if before >= 0:
        roll.following[before] = after
    else:
        roll.first[grid] = after
    if after >= 0:
        roll.previous[after] = before


@kernel
def transfer(
    cell: int, sink: int, households: Ints, label: Labels, load: Ints, members: Ints, roll: Roll
) -> None:
    """Move a cell to another grid, with its households and in the lists."""
    source = label[cell]
    unlink(cell, source, roll)
    link(cell, sink, roll)
    label[cell] = sink
    load[source] -= households[cell]
    load[sink] += households[cell]
    members[source] -= 1
    members[sink] += 1
