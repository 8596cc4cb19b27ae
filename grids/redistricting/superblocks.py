"""Superblocks: the ground between arterials, walls, rail and river, and how many grids each holds.

A superblock that makes a whole number of grids is divided on its own, so that no grid has to reach
over its edge. One that does not is joined to neighbours until together they make a whole number:
what is left over of both meets in one grid across their common line.
"""

from __future__ import annotations

import heapq
from dataclasses import dataclass, field

import numpy as np

from grids.redistricting.compiled import Ints
from grids.redistricting.graph import CellGraph, connected
from grids.redistricting.rules import BARRIER_KINDS, CLOSED_KINDS, Prices


def group_superblocks(
    graph: CellGraph, weight: Ints, target: float, slack: float, prices: Prices
) -> Ints:
    """Group of each cell: superblocks joined until their grids come within `slack` of the target.

    Parameters
    ----------
    weight
        Households of each cell, a building too large for a grid counted as one grid.
    slack
        Share by which the mean grid of a group may deviate from `target`.
    prices
        Kinds of barrier that cost as much inside a grid as a border along them bound superblocks.

    Returns
    -------
    array of int64
        Number from 0; every group is connected on the walk graph.
    """
    walls = [kind for kind in BARRIER_KINDS if prices.inside[kind] >= prices.border]
    block = _superblocks(graph, walls)
    groups = _Groups.of(graph, block, weight, target)
    groups.join(slack)
    return np.unique(
        np.array([groups.home(b) for b in range(len(groups.load))])[block], return_inverse=True
    )[1].astype(np.int64)


def _superblocks(graph: CellGraph, walls: list[str]) -> Ints:
    """Parts that can be walked through without crossing what bounds a superblock."""
    left = np.repeat(np.arange(graph.size), np.diff(graph.starts))
    barred = graph.metres[:, [1 + BARRIER_KINDS.index(kind) for kind in walls]].sum(axis=1)
    free = graph.walk & (barred < 0.5 * graph.metres.sum(axis=1))
    return connected(left[free], graph.ends[free], graph.size)


@dataclass
class _Groups:
    """Groups of superblocks while they are being joined.

    `near` holds metres of line that can be crossed to each neighbour, `shut` those of it that are
    rail or river under a bridge.
    """

    target: float
    load: list[float]
    near: list[dict[int, float]]
    shut: list[dict[int, float]]
    parent: list[int] = field(default_factory=list)

    @classmethod
    def of(cls, graph: CellGraph, block: Ints, weight: Ints, target: float) -> _Groups:
        count = int(block.max()) + 1
        load = np.bincount(block, weight, count)
        left = np.repeat(np.arange(graph.size), np.diff(graph.starts))
        a, b = block[left], block[graph.ends]
        between = graph.walk & (a < b)
        keys, at = np.unique(a[between] * count + b[between], return_inverse=True)
        metres = np.bincount(at, graph.metres[between].sum(axis=1), len(keys))
        barred = graph.metres[:, [1 + BARRIER_KINDS.index(kind) for kind in CLOSED_KINDS]]
        barred_m = np.bincount(at, barred[between].sum(axis=1), len(keys))
        near: list[dict[int, float]] = [{} for _ in range(count)]
        shut: list[dict[int, float]] = [{} for _ in range(count)]
        for key, length, closed in zip(
            keys.tolist(), metres.tolist(), barred_m.tolist(), strict=True
        ):
            one, other = divmod(key, count)
            near[one][other] = near[other][one] = length
            shut[one][other] = shut[other][one] = closed
        return cls(target, load.tolist(), near, shut, list(range(count)))

    def home(self, block: int) -> int:
        while self.parent[block] != block:
            self.parent[block] = self.parent[self.parent[block]]
            block = self.parent[block]
        return block

    def off(self, load: float) -> float:
        """Share by which the mean grid of so many households deviates from the target."""
        few = max(1, int(load / self.target))
        return min(abs(load / k / self.target - 1) for k in (few, few + 1))

    def join(self, slack: float) -> None:
        """Join groups, the smallest misfit first, until none is left that can be joined."""
        waiting = [(load, group) for group, load in enumerate(self.load) if self.off(load) > slack]
        heapq.heapify(waiting)
        while waiting:
            load, group = heapq.heappop(waiting)
            if self.parent[group] != group or load != self.load[group] or not self.near[group]:
                continue
            other = self._best_neighbour(group, slack)
            self._merge(group, other)
            if self.off(self.load[group]) > slack:
                heapq.heappush(waiting, (self.load[group], group))

    def _best_neighbour(self, group: int, slack: float) -> int:
        """Neighbour with which most is won: itself a misfit, together a whole number."""

        def price(other: int) -> tuple[float, float, int]:
            together = max(0.0, self.off(self.load[group] + self.load[other]) - slack)
            alone = max(0.0, self.off(self.load[other]) - slack)
            small = self.load[group] < 0.6 * self.target
            length = self.near[group][other]
            # Over a bridge only where there is no other way: the grid across would hold the river.
            over_bridge = self.shut[group][other] > 0.5 * length
            return (
                (together > 0) - 0.5 * (alone > 0) + 2.0 * over_bridge,
                -length if small else self.load[other],
                other,
            )

        return min(self.near[group], key=price)

    def _merge(self, group: int, other: int) -> None:
        self.parent[other] = group
        self.load[group] += self.load[other]
        for third, length in self.near[other].items():
            del self.near[third][other]
            if third != group:
                self.near[third][group] = self.near[third].get(group, 0.0) + length
                self.near[group][third] = self.near[third][group]
                barred = self.shut[third].get(group, 0.0) + self.shut[third][other]
                self.shut[third][group] = self.shut[group][third] = barred
        self.near[other] = {}
