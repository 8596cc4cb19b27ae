"""The rank of the polygon that answers for a point, from the words of the cells."""

# Compiled functions take positional arguments only.
# ruff: noqa: PLR0917

from __future__ import annotations

from typing import Final

import numpy as np

from gis.locator.cells import (
    BORDER,
    FINER,
    MANY_RUNS,
    PLACE,
    Frame,
    anchor,
    cell_at,
    finer_frame,
)
from gis.locator.compiled import Body, Floats, Ints, Words, kernel, part, signed
from gis.locator.predicates import moved_left, side

# The head of the body, in 64-bit places: extent of the polygons (west, south, east, north), the
# frame, and where each array begins, counted in its own items.
HEAD: Final = 32
BLOCK: Final = 512
EXTENT, FRAME, COLUMNS, ROWS, WORDS, XY, POSITIONS, POLYGONS = 0, 4, 10, 11, 12, 13, 14, 15


@part
def frame_of(body: Body) -> Frame:
    """The first cells."""
    f = body.view(np.float64)
    return Frame(
        f[FRAME],
        f[FRAME + 1],
        f[FRAME + 2],
        f[FRAME + 3],
        f[FRAME + 4],
        f[FRAME + 5],
        signed(body[COLUMNS]),
        signed(body[ROWS]),
    )


@part
def _crossing(
    ux: float, uy: float, vx: float, vy: float, ax: float, ay: float, px: float, py: float
) -> tuple[bool, bool]:
    """Whether the path from the anchor crosses an edge, and whether the point is on it."""
    odd, on = False, False
    across = (uy > ay) != (vy > ay)
    along = (ux > px) != (vx > px)
    if across or along:
        corner = moved_left(ux, uy, vx, vy, px, ay)
        if across:
            odd = corner != moved_left(ux, uy, vx, vy, ax, ay)
        if along:
            odd ^= corner != moved_left(ux, uy, vx, vy, px, py)
    if min(ux, vx) <= px <= max(ux, vx) and min(uy, vy) <= py <= max(uy, vy):
        on = side(ux, uy, vx, vy, px, py) == 0
    return odd, on


@kernel
def _from_record(
    words: Words, place: int, xy: Floats, ax: float, ay: float, px: float, py: float
) -> int:
    """Rank of the answering polygon in a border cell, -1 for none."""
    while True:
        head = signed(words[place])
        runs, candidates = head & MANY_RUNS, (head >> 12) & 15
        bits, more = (head >> 16) & 255, head >> 24
        place += 1
        if runs == MANY_RUNS:
            runs = signed(words[place])
            place += 1
        ranks = place
        place += candidates
        touched = 0
        for run in range(runs):
            e = 2 * signed(words[place + 2 * run])
            tail = signed(words[place + 2 * run + 1])
            mask = tail >> 24
            ux, uy = xy[e], xy[e + 1]
            for k in range(tail & 0xFFFFFF):
                vx, vy = xy[e + 2 * k + 2], xy[e + 2 * k + 3]
                odd, on = _crossing(ux, uy, vx, vy, ax, ay, px, py)
                if odd:
                    bits ^= mask
                if on:
                    touched |= mask
                ux, uy = vx, vy
        bits |= touched
        if bits:
            lowest = 0
            while not (bits >> lowest) & 1:
                lowest += 1
            return signed(words[ranks + lowest])
        if not more:
            return -1
        place += 2 * runs


@part
def _rank_within(
    words: Words, xy: Floats, frame: Frame, column: int, row: int, word: int, x: float, y: float
) -> int:
    """Rank of the answering polygon, -1 for none, from the word of the first cell."""
    while word >= FINER:
        place = word & PLACE
        frame = finer_frame(frame, column, row, signed(words[place]))
        column, row = cell_at(frame, x, y)
        word = signed(words[place + 1 + row * frame.columns + column])
    if word < BORDER:
        return word - 1
    ax, ay = anchor(frame, column, row)
    return _from_record(words, word & PLACE, xy, ax, ay, x, y)


@kernel
def locate_one(body: Body, x: float, y: float) -> int:
    """Position of the answering polygon in the order given to the build, -1 for none."""
    f = body.view(np.float64)
    if not (f[0] <= x <= f[2] and f[1] <= y <= f[3]):
        return -1
    whole = body.view(np.uint32)
    words, xy = whole[body[WORDS] :], f[body[XY] :]
    frame = frame_of(body)
    column, row = cell_at(frame, x, y)
    word = signed(words[row * frame.columns + column])
    rank = _rank_within(words, xy, frame, column, row, word, x, y)
    if rank < 0:
        return -1
    return signed(whole[body[POSITIONS] + np.uint64(rank)])


@kernel
def locate_many(body: Body, x: Floats, y: Floats, found: Ints) -> None:
    """Positions of the answering polygons for many points, -1 for none.

    The cells of a block of points are read first, without a branch, and then what the words of
    border cells point to: the processor fetches many of them at a time.
    """
    f = body.view(np.float64)
    whole = body.view(np.uint32)
    words, xy = whole[body[WORDS] :], f[body[XY] :]
    positions = whole[body[POSITIONS] :]
    frame = frame_of(body)
    west, south, east, north = f[0], f[1], f[2], f[3]
    open_points = np.empty(BLOCK, dtype=np.int64)
    fetched = np.empty(BLOCK, dtype=np.float64)
    for start in range(0, len(x), BLOCK):
        end = min(start + BLOCK, len(x))
        count = 0
        for k in range(start, end):
            within = west <= x[k] <= east and south <= y[k] <= north
            column, row = cell_at(frame, x[k] if within else west, y[k] if within else south)
            word = signed(words[row * frame.columns + column]) if within else 0
            found[k] = word - 1
            open_points[count] = k
            count += 1 if word >= BORDER else 0
        for k in open_points[:count]:
            word = found[k] + 1
            if word < FINER:
                place = word & PLACE
                candidates = (signed(words[place]) >> 12) & 15
                fetched[k - start] = xy[2 * signed(words[place + 1 + candidates])]
        for k in open_points[:count]:
            column, row = cell_at(frame, x[k], y[k])
            found[k] = _rank_within(words, xy, frame, column, row, found[k] + 1, x[k], y[k])
        for k in range(start, end):
            if found[k] >= 0:
                found[k] = positions[found[k]]
