"""Hide small counts of units and grids that leave the case team, so that no total gives them away.

Counts form a tree: a unit's count is the sum of its parts'. A count from 1 to ``k - 1`` is hidden;
and so are, beside it, the smallest others that are needed so that no hidden count can be worked
out from what is shown, and that what is hidden within a unit adds up to no small number. Zero is
shown: that nothing happened is no secret.

Each sum is a node of a graph and each count an edge: between the sum it is a part of and the sum of
its own parts; a grid has no parts, and the whole is part of nothing: those ends meet in one more
node. What is shown drops out of the sums. A hidden count is then fixed exactly by the others when
its edge lies on no cycle of hidden edges (a bridge), and is protected by hiding the cheapest path
that closes one.
"""

from __future__ import annotations

import heapq
from collections import defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

K: Final = 5
"""Counts below this are hidden wherever a map or table leaves the case team."""
OUTSIDE: Final = ""
"""The node where grids and the whole end; no code is empty."""


@dataclass(frozen=True, slots=True)
class _Edge:
    """A count as an edge between two sums."""

    code: str
    ends: tuple[str, str]
    cost: int


def hidden(counts: Mapping[str, int], parents: Mapping[str, str], *, k: int = K) -> set[str]:
    """Codes whose counts must be hidden when all the others are shown.

    Parameters
    ----------
    counts
        Whole numbers by code, not negative: of grids, and of every unit above them.
    parents
        Code of the unit that each code is a part of; none for the whole.
    k
        Counts from 1 to ``k - 1`` are small.

    Raises
    ------
    ValueError
        A count is negative, or a unit's is not the sum of its parts'.
    """
    parts: defaultdict[str, list[str]] = defaultdict(list)
    for code, parent in parents.items():
        parts[parent].append(code)
    for code, number in counts.items():
        if number < 0 or (code in parts and number != sum(counts[each] for each in parts[code])):
            raise ValueError(f"the count of {code} is not the sum of its parts")
    edges = {
        code: _Edge(
            code,
            (parents.get(code, OUTSIDE), code if code in parts else OUTSIDE),
            # A shown zero is given up last: it says least and hides least.
            number if number else sum(counts.values()) + 1,
        )
        for code, number in counts.items()
    }
    gone = {code for code, number in counts.items() if 0 < number < k}
    while True:
        more = _unprotected(edges, gone) or _small_sum(counts, parts, gone, k)
        if more is None:
            return gone
        gone |= more


def _unprotected(edges: Mapping[str, _Edge], gone: set[str]) -> set[str] | None:
    """What to hide so that fewer counts can be worked out; None when none can be."""
    ways = _ways(edges.values())
    more: set[str] = set()
    on_a_cycle: set[str] = set()
    for bridge in _bridges([edges[code] for code in sorted(gone)]):
        if bridge.code in on_a_cycle:
            continue
        path = _cheapest_path(ways, gone, more, bridge)
        if path is not None:
            on_a_cycle |= path
            more |= path - gone
    return more or None


def _small_sum(
    counts: Mapping[str, int], parts: Mapping[str, list[str]], gone: set[str], k: int
) -> set[str] | None:
    """One more part of a unit whose shown count tells that its hidden parts are few."""
    for unit, codes in sorted(parts.items()):
        lost = sum(counts[code] for code in codes if code in gone)
        if unit in gone or not 0 < lost < k:
            continue
        shown = [code for code in codes if code not in gone and counts[code]]
        if shown:
            return {min(shown, key=lambda code: (counts[code], code))}
        return {unit}
    return None


def _ways(edges: Iterable[_Edge]) -> Mapping[str, list[tuple[str, _Edge]]]:
    """From each sum its neighbours, and the count between."""
    ways: defaultdict[str, list[tuple[str, _Edge]]] = defaultdict(list)
    for edge in edges:
        one, other = edge.ends
        ways[one].append((other, edge))
        ways[other].append((one, edge))
    return ways


def _cheapest_path(
    ways: Mapping[str, list[tuple[str, _Edge]]], gone: set[str], more: set[str], around: _Edge
) -> set[str] | None:
    """The counts of the cheapest way between the ends of an edge beside it (Dijkstra)."""
    start, goal = around.ends
    best: dict[str, float] = {start: 0}
    came: dict[str, tuple[str, str]] = {}
    queue: list[tuple[float, str]] = [(0, start)]
    while queue:
        cost, node = heapq.heappop(queue)
        if node == goal:
            path = set()
            while node != start:
                node, code = came[node]
                path.add(code)
            return path
        if cost > best[node]:
            continue
        for onward, edge in ways[node]:
            if edge is around:
                continue
            is_free = edge.code in gone or edge.code in more
            further = cost + (0 if is_free else edge.cost)
            if further < best.get(onward, float("inf")):
                best[onward], came[onward] = further, (node, edge.code)
                heapq.heappush(queue, (further, onward))
    return None


def _bridges(edges: list[_Edge]) -> list[_Edge]:
    """The edges that lie on no cycle, found by a depth-first search (Tarjan 1974)."""
    found = []
    ways = _ways(edges)
    order: dict[str, int] = {}
    low: dict[str, int] = {}
    for start in ways:
        if start in order:
            continue
        order[start] = low[start] = len(order)
        stack: list[tuple[str, _Edge | None, Any]] = [(start, None, iter(ways[start]))]
        while stack:
            node, came_by, rest = stack[-1]
            step = next(rest, None)
            if step is None:
                stack.pop()
                if came_by is not None:
                    above = stack[-1][0]
                    low[above] = min(low[above], low[node])
                    if low[node] > order[above]:
                        found.append(came_by)
                continue
            onward, edge = step
            if came_by is not None and edge.code == came_by.code:
                continue
            if onward in order:
                low[node] = min(low[node], order[onward])
            else:
                order[onward] = low[onward] = len(order)
                stack.append((onward, edge, iter(ways[onward])))
    return found
