"""From the cell graph to a grid for every cell: seed, anneal, recombine, polish.

Knows nothing of polygons or files: this is the part that is measured against graph partitioners.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from grids.redistricting.annealing import anneal
from grids.redistricting.compiled import Floats, Ints, Labels, random_state
from grids.redistricting.division import Division, Network
from grids.redistricting.graph import CellGraph
from grids.redistricting.recombination import recombine
from grids.redistricting.rules import BARRIER_KINDS, Effort, Prices
from grids.redistricting.seeding import lay_out

Progress = Callable[[str, float], None]

_RELUCTANCE = {"street": 0.4, "arterial": 1.2, "wall": 1.2, "rail": 2.0, "river": 2.0}
"""What a tree edge over a barrier is put back by, in lengths of the random keys' range."""


def fair_counts(graph: CellGraph, target: float, tolerance: float) -> tuple[Ints, Floats]:
    """Number of grids and fair load of each component of the walk graph.

    A cell above the band makes a grid of its own; the rest is divided into the number of grids
    whose mean deviates least from the target.
    """
    number = int(graph.component.max()) + 1
    large = graph.households > target * (1 + tolerance)
    alone = np.bincount(graph.component[large], minlength=number)
    rest = np.bincount(graph.component, np.where(large, 0, graph.households), number)
    settled = np.bincount(graph.component, graph.households > 0, number) - alone
    few = np.clip(np.floor(rest / target), 1, None)
    with np.errstate(divide="ignore"):
        many_is_nearer = np.abs(rest / (few + 1) / target - 1) < np.abs(rest / few / target - 1)
    count = np.minimum(few + many_is_nearer, np.maximum(settled, 1))
    # What is left beside a large building is a grid only when it comes to half of one.
    scraps = (rest < 0.5 * target) & (alone > 0)
    count = np.where(scraps, 0, count)
    fair = np.where(count > 0, rest / np.maximum(count, 1), target)
    return np.maximum(count + alone, 1).astype(np.int64), fair


def divide(
    graph: CellGraph,
    *,
    target: float,
    tolerance: float,
    generator: np.random.Generator,
    prices: Prices,
    effort: Effort,
    progress: Progress | None = None,
) -> Division:
    """Give every cell a grid; each grid is contiguous on the walk graph.

    Grids are numbered from 0 without gaps, in no particular order. The same graph, figures and
    generator state give the same division.
    """
    tell = progress or (lambda _stage, _share: None)
    state = random_state(generator)
    count, fair = fair_counts(graph, target, tolerance)
    weighted = graph.border_prices(prices)
    order = np.argsort(graph.component, kind="stable").astype(np.int32)
    bounds = np.searchsorted(graph.component[order], np.arange(len(count) + 1))
    tell("laying out", 0.0)
    label = lay_out(
        order,
        bounds,
        count,
        graph.starts,
        graph.ends,
        graph.walk,
        graph.step_lengths(prices),
        weighted,
        graph.households,
        graph.area_m2,
        graph.x,
        graph.y,
        4,
        prices.balance,
        state,
    )
    division = _division(graph, label, fair, target, tolerance)
    price = _scaled(graph, weighted, division)
    network = Network(graph.starts, graph.ends, graph.walk, price, graph.households)
    steep = np.array([prices.balance, prices.beyond, prices.broken])
    everywhere = np.arange(graph.size, dtype=np.int32)

    def polish(sweeps: int, hot: float, cold: float) -> None:
        anneal(
            network,
            division,
            float(target),
            steep,
            everywhere,
            sweeps * graph.size,
            hot,
            (cold / hot) ** (1 / 64),
            state,
        )

    tell("annealing", 0.1)
    polish(effort.sweeps, 0.6, 0.02)
    reluctance = _reluctance(graph)
    fewest, idle = graph.size, 0
    for turn in range(effort.rounds):
        tell("recombining", 0.5 + 0.5 * turn / effort.rounds)
        out = division.beyond()
        idle = 0 if len(out) < fewest else idle + 1
        fewest = min(fewest, len(out))
        if not len(out) or idle > effort.patience:
            break
        hot = max(0.03, 0.25 * 0.9**turn)
        recombine(
            generator.permutation(out),
            network,
            reluctance,
            division,
            float(target),
            steep,
            effort.trees,
            effort.polish,
            3,
            hot,
            (0.02 / max(hot, 0.021)) ** (1 / 64),
            0.05,
            state,
        )
        if turn % 4 == 3:
            polish(effort.polish // 4, min(hot, 0.08), 0.02)
    # Cold enough that no grid leaves its band any more: evens loads out and straightens borders.
    polish(effort.sweeps // 2, 0.15, 0.002)
    tell("done", 1.0)
    label = np.unique(division.label, return_inverse=True)[1].astype(np.int32)
    return _division(graph, label, fair, target, tolerance)


def _division(
    graph: CellGraph, label: Labels, fair: Floats, target: float, tolerance: float
) -> Division:
    grids = int(label.max()) + 1
    room = grids + 8 + grids // 10
    component = np.zeros(room, dtype=np.int64)
    component[label] = graph.component
    centre = fair[component]
    low = np.full(room, target * (1 - tolerance) - 1e-6)
    high = np.full(room, target * (1 + tolerance) + 1e-6)
    # A place whose households do not divide into grids of the target is divided evenly.
    uneven = (centre < low) | (centre > high)
    low[uneven] = centre[uneven] * (1 - tolerance) - 1e-6
    high[uneven] = centre[uneven] * (1 + tolerance) + 1e-6
    return Division(
        label=label,
        load=np.bincount(label, graph.households, room).astype(np.int64),
        members=np.bincount(label, minlength=room).astype(np.int64),
        centre=centre,
        low=low,
        high=high,
    )


def _scaled(graph: CellGraph, weighted: Floats, division: Division) -> Floats:
    """Edge prices in sides of the ideal square grid of their place, dense or thin."""
    ground = np.bincount(division.label, graph.area_m2, len(division.load))
    side = np.sqrt(np.maximum(ground, 1.0))[division.label]
    left = np.repeat(np.arange(graph.size), np.diff(graph.starts))
    return np.asarray(weighted * 2 / (side[left] + side[graph.ends]))


def _reluctance(graph: CellGraph) -> Floats:
    weights = np.array([0.0] + [_RELUCTANCE[kind] for kind in BARRIER_KINDS])
    share = graph.metres / np.maximum(graph.metres.sum(axis=1, keepdims=True), 1e-9)
    return np.asarray(share @ weights + np.where(graph.same_block, 0.0, 0.1))
