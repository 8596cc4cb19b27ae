"""Cells over the arcs: which polygon answers in each, or what must be looked at there.

The extent is cut into even cells; a cell that many edges cross is cut again, and so on. Each cell
is one 32-bit word:

- below 2^31: the rank of the polygon that answers everywhere in the cell, plus 1; 0 is none;
- ``BORDER`` + place: a record at that place tells more;
- ``FINER`` + place: there lies the number of cells per side, and then the words of the finer cells.

A record is a header, ranks of up to eight candidate polygons (smallest first) and runs of
edges. The header holds the number of runs, the number of candidates, whether another record
follows (with greater ranks; it counts when nothing of this one covers the point), and a bit for
each candidate that covers the cell's anchor. A run is its first edge and a word: how many edges,
and the bits of the candidates on whose border they lie.

A candidate covers a point when its edges between the anchor and the point are even in number and
it covers the anchor, or odd and it does not; or when the point lies on one of its edges. The anchor
is on the west side of the cell, halfway up; the path goes east or west to the point's meridian and
then along that to the point (``lookup.py``). This holds for any set of polygons, overlapping or
not. A polygon with no edge in a cell covers all of it or nothing; what has a greater rank than one
that covers all is left out.

An edge is entered in every cell that it comes near, by a thousandth of a cell: rounding cannot put
a point in a cell and its edge in another only.
"""

# Compiled functions take positional arguments only.
# ruff: noqa: PLR0917

from __future__ import annotations

import math
from typing import Final, NamedTuple

import numpy as np

from gis.locator.compiled import Floats, Ints, Ranks, Words, kernel, part
from gis.locator.predicates import moved_left

BORDER: Final = 1 << 31
FINER: Final = 3 << 30
PLACE: Final = (1 << 30) - 1
GROUP: Final = 8
"""Candidates of one record, a bit each."""
MANY_RUNS: Final = 4095
"""From so many runs on their number is in a word of its own."""
CROWDED: Final = 24
"""A cell that more edges than this come near is cut again. Fewer make the index larger and hardly
faster (bench/README.md, Locate)."""
DEEPEST: Final = 12
NEAR: Final = 1e-3
"""How near, in cells, an edge is entered."""


class Frame(NamedTuple):
    """Even cells: south-west corner, size of a cell, its reciprocal, number of cells."""

    x: float
    y: float
    width: float
    height: float
    per_x: float
    per_y: float
    columns: int
    rows: int


@part
def finer_frame(frame: Frame, column: int, row: int, sides: int) -> Frame:
    """The cells into which one is cut; ``sides`` is a power of two."""
    return Frame(
        frame.x + column * frame.width,
        frame.y + row * frame.height,
        frame.width / sides,
        frame.height / sides,
        frame.per_x * sides,
        frame.per_y * sides,
        sides,
        sides,
    )


@part
def cell_at(frame: Frame, x: float, y: float) -> tuple[int, int]:
    """Column and row of the cell of a point."""
    column = int((x - frame.x) * frame.per_x)
    row = int((y - frame.y) * frame.per_y)
    return (
        min(max(column, 0), frame.columns - 1),
        min(max(row, 0), frame.rows - 1),
    )


@part
def anchor(frame: Frame, column: int, row: int) -> tuple[float, float]:
    """The anchor of a cell."""
    return frame.x + column * frame.width, frame.y + (row + 0.5) * frame.height


@kernel
def _rows_of(frame: Frame, uy: float, vy: float) -> tuple[int, int]:
    a, b = (uy - frame.y) * frame.per_y, (vy - frame.y) * frame.per_y
    low = math.floor(min(a, b) - NEAR)
    high = math.floor(max(a, b) + NEAR)
    return max(low, 0), min(high, frame.rows - 1)


@kernel
def _columns_of(
    frame: Frame, ux: float, uy: float, vx: float, vy: float, row: int
) -> tuple[int, int]:
    """Columns of a row that an edge comes near."""
    ax, ay = (ux - frame.x) * frame.per_x, (uy - frame.y) * frame.per_y
    bx, by = (vx - frame.x) * frame.per_x, (vy - frame.y) * frame.per_y
    low, high = min(ax, bx), max(ax, bx)
    rise = by - ay
    # An edge that hardly rises is entered along its whole length: there division is unsure.
    if abs(rise) > 0.01:
        at_low = min(max((row - NEAR - ay) / rise, 0.0), 1.0)
        at_high = min(max((row + 1 + NEAR - ay) / rise, 0.0), 1.0)
        a, b = ax + at_low * (bx - ax), ax + at_high * (bx - ax)
        low, high = max(low, min(a, b)), min(high, max(a, b))
    first = math.floor(low - NEAR)
    last = math.floor(high + NEAR)
    return max(first, 0), min(last, frame.columns - 1)


@kernel
def edges_of(starts: Ints) -> Ints:
    """Numbers of all edges: every vertex but the last of each arc."""
    edges = np.empty(starts[-1] - (len(starts) - 1), dtype=np.int64)
    used = 0
    for arc in range(len(starts) - 1):
        for k in range(starts[arc], starts[arc + 1] - 1):
            edges[used] = k
            used += 1
    return edges


@kernel
def _entered(frame: Frame, xy: Floats, edges: Ints) -> tuple[Ints, Ints]:
    """Edges that come near each cell: starts by cell, and the edges in the order given."""
    starts = np.zeros(frame.columns * frame.rows + 2, dtype=np.int64)
    for e in edges:
        ux, uy, vx, vy = xy[e, 0], xy[e, 1], xy[e + 1, 0], xy[e + 1, 1]
        low, high = _rows_of(frame, uy, vy)
        for row in range(low, high + 1):
            first, last = _columns_of(frame, ux, uy, vx, vy, row)
            for column in range(first, last + 1):
                starts[row * frame.columns + column + 2] += 1
    for cell in range(1, len(starts)):
        starts[cell] += starts[cell - 1]
    entries = np.empty(starts[-1], dtype=np.int64)
    for e in edges:
        ux, uy, vx, vy = xy[e, 0], xy[e, 1], xy[e + 1, 0], xy[e + 1, 1]
        low, high = _rows_of(frame, uy, vy)
        for row in range(low, high + 1):
            first, last = _columns_of(frame, ux, uy, vx, vy, row)
            for column in range(first, last + 1):
                cell = row * frame.columns + column + 1
                entries[starts[cell]] = e
                starts[cell] += 1
    return starts[:-1], entries


class Layer(NamedTuple):
    """Vertices, and the polygons beside the arcs as the build asks for them."""

    xy: Floats
    arc_of: Ranks
    owner_starts: Ints
    owners: Ranks


@kernel
def arc_of_vertices(starts: Ints) -> Ranks:
    """The arc of each vertex."""
    arc_of = np.empty(starts[-1], dtype=np.int32)
    for arc in range(len(starts) - 1):
        arc_of[starts[arc] : starts[arc + 1]] = arc
    return arc_of


@kernel
def _cross(layer: Layer, edge: int, inside: Ranks, count: int) -> int:
    """Cross an edge: who was inside is outside now and the other way; how many are inside."""
    arc = layer.arc_of[edge]
    for k in range(layer.owner_starts[arc], layer.owner_starts[arc + 1]):
        rank = layer.owners[k] >> 1
        found = -1
        for m in range(count):
            if inside[m] == rank:
                found = m
                break
        if found >= 0:
            count -= 1
            inside[found] = inside[count]
        else:
            inside[count] = rank
            count += 1
    return count


@kernel
def _go_east(
    layer: Layer, edges: Ints, x: float, to: float, y: float, inside: Ranks, count: int
) -> int:
    """Cross the edges between two points of one latitude."""
    for e in edges:
        ux, uy, vx, vy = layer.xy[e, 0], layer.xy[e, 1], layer.xy[e + 1, 0], layer.xy[e + 1, 1]
        if (uy > y) != (vy > y) and (
            moved_left(ux, uy, vx, vy, x, y) != moved_left(ux, uy, vx, vy, to, y)
        ):
            count = _cross(layer, e, inside, count)
    return count


@kernel
def _go_north(
    layer: Layer, edges: Ints, x: float, y: float, to: float, inside: Ranks, count: int
) -> int:
    """Cross the edges between two points of one meridian."""
    for e in edges:
        ux, uy, vx, vy = layer.xy[e, 0], layer.xy[e, 1], layer.xy[e + 1, 0], layer.xy[e + 1, 1]
        if (ux > x) != (vx > x) and (
            moved_left(ux, uy, vx, vy, x, y) != moved_left(ux, uy, vx, vy, x, to)
        ):
            count = _cross(layer, e, inside, count)
    return count


@kernel
def _candidates(layer: Layer, edges: Ints) -> tuple[Ranks, int]:
    """Ranks of the polygons beside these edges, in order; owners of all edges together."""
    total = 0
    for e in edges:
        arc = layer.arc_of[e]
        total += layer.owner_starts[arc + 1] - layer.owner_starts[arc]
    ranks = np.empty(total, dtype=np.int32)
    count, last_arc = 0, -1
    for e in edges:
        arc = layer.arc_of[e]
        if arc == last_arc:
            continue
        last_arc = arc
        for k in range(layer.owner_starts[arc], layer.owner_starts[arc + 1]):
            rank = layer.owners[k] >> 1
            place = count
            while place > 0 and ranks[place - 1] > rank:
                place -= 1
            if place > 0 and ranks[place - 1] == rank:
                continue
            for m in range(count, place, -1):
                ranks[m] = ranks[m - 1]
            ranks[place] = rank
            count += 1
    return ranks[:count], total


@kernel
def _runs(layer: Layer, edges: Ints, group: Ranks, words: Words, used: int) -> tuple[int, int]:
    """Write the runs of edges on the borders of a group; how many, and where the words end."""
    runs, last_arc, last_edge = 0, -1, -2
    bits = 0
    for e in edges:
        arc = layer.arc_of[e]
        if arc != last_arc:
            last_arc = arc
            bits = 0
            for k in range(layer.owner_starts[arc], layer.owner_starts[arc + 1]):
                for m in range(len(group)):
                    if group[m] == layer.owners[k] >> 1:
                        bits |= 1 << m
        if bits == 0:
            continue
        if e == last_edge + 1:
            words[used - 1] += 1
        else:
            words[used] = e
            words[used + 1] = 1 | (bits << 24)
            used += 2
            runs += 1
        last_edge = e
    return runs, used


@kernel
def _record(
    layer: Layer, edges: Ints, ranks: Ranks, inside: Ranks, count: int, words: Words, used: int
) -> int:
    """Write the record or records of a cell; where the words end."""
    scratch = np.empty(2 * len(edges), dtype=np.uint32)
    for begin in range(0, len(ranks), GROUP):
        group = ranks[begin : begin + GROUP]
        runs, size = _runs(layer, edges, group, scratch, 0)
        bits = 0
        for m in range(len(group)):
            for k in range(count):
                if inside[k] == group[m]:
                    bits |= 1 << m
        more = 1 if begin + GROUP < len(ranks) else 0
        words[used] = min(runs, MANY_RUNS) | (len(group) << 12) | (bits << 16) | (more << 24)
        used += 1
        if runs >= MANY_RUNS:
            words[used] = runs
            used += 1
        for m in range(len(group)):
            words[used + m] = group[m]
        used += len(group)
        words[used : used + size] = scratch[:size]
        used += size
    return used


@kernel
def _grown(words: Words, needed: int) -> Words:
    if needed <= len(words):
        return words
    larger = np.empty(max(needed, len(words) + len(words) // 2), dtype=np.uint32)
    larger[: len(words)] = words
    return larger


@kernel
def _settled(ranks: Ranks, inside: Ranks, count: int) -> int:
    """Smallest rank that covers the whole cell: inside and no candidate; none is 2^31 - 1."""
    best = (1 << 31) - 1
    for k in range(count):
        if inside[k] < best:
            known = False
            for rank in ranks:
                if rank == inside[k]:
                    known = True
            if not known:
                best = inside[k]
    return best


@kernel
def _sides(edges: int) -> int:
    """Into how many cells per side a crowded cell is cut."""
    sides = 2
    while sides < 16 and sides * sides * 2 < edges:
        sides *= 2
    return sides


class Task(NamedTuple):
    """A frame to fill: its cells, edges near it, who is inside at a place, where its words go."""

    frame: Frame
    edges: Ints
    x: float
    y: float
    inside: Ranks
    place: int
    depth: int


@kernel
def _fill(
    layer: Layer, task: Task, capacity: int, least: float, words: Words, used: int
) -> tuple[Words, int, int, list[Task]]:
    """Fill the words of one frame.

    Returns the words, where they end, how often polygons were found over one another, and the
    crowded cells that are to be filled yet.
    """
    frame = task.frame
    starts, entries = _entered(frame, layer.xy, task.edges)
    later = [task][:0]
    hidden = 0
    inside = np.empty(capacity, dtype=np.int32)
    for row in range(frame.rows):
        x, y = anchor(frame, 0, row)
        count = len(task.inside)
        inside[:count] = task.inside
        if task.depth:  # west of the first cells there is nothing
            count = _go_north(layer, task.edges, x, task.y, y, inside, count)
        for column in range(frame.columns):
            cell = row * frame.columns + column
            edges = entries[starts[cell] : starts[cell + 1]]
            ranks, owned = _candidates(layer, edges)
            settled = _settled(ranks, inside, count)
            known = len(ranks)
            while known > 0 and ranks[known - 1] > settled:
                known -= 1
            hidden += len(ranks) - known + max(count - 1, 0)
            x, y = anchor(frame, column, row)
            if known == 0:
                word = settled + 1 if settled < (1 << 31) - 1 else 0
            elif (
                len(edges) > CROWDED
                and task.depth < DEEPEST
                and min(frame.width, frame.height) > least
            ):
                sides = _sides(len(edges))
                words = _grown(words, used + sides * sides + 1)
                words[used] = sides
                later.append(
                    Task(
                        finer_frame(frame, column, row, sides),
                        edges.copy(),
                        x,
                        y,
                        inside[:count].copy(),
                        used + 1,
                        task.depth + 1,
                    )
                )
                word = FINER + used
                used += sides * sides + 1
            else:
                if settled < (1 << 31) - 1:
                    ranks = np.append(ranks[:known], np.int32(settled))
                words = _grown(words, used + 4 * owned + 2 * len(edges) + 16)
                word = BORDER + used
                used = _record(layer, edges, ranks, inside, count, words, used)
            words[task.place + cell] = word
            if len(edges):
                count = _go_east(
                    layer, edges, x, anchor(frame, column + 1, row)[0], y, inside, count
                )
    return words, used, hidden, later


@kernel
def fill(layer: Layer, frame: Frame, edges: Ints, capacity: int, least: float) -> tuple[Words, int]:
    """Words of all cells, those of the frame first; and how often polygons overlapped there.

    ``capacity`` is the number of polygons, ``least`` the size of cell that is not cut again.
    """
    cells = frame.columns * frame.rows
    words = np.empty(2 * cells + 1024, dtype=np.uint32)
    used = cells
    x, y = anchor(frame, 0, 0)
    todo = [Task(frame, edges, x, y, np.empty(0, dtype=np.int32), 0, 0)]
    hidden = 0
    while todo:
        words, used, more, later = _fill(layer, todo.pop(), capacity, least, words, used)
        hidden += more
        todo.extend(later)
    return words[:used].copy(), hidden
