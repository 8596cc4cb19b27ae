"""Divide a bare graph of units with weights, where there is no geometry at all."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from scipy.sparse import csr_array
from scipy.sparse.csgraph import connected_components, dijkstra

from gis.errors import BadInput, Problem
from grids.redistricting.compiled import Floats, Ints
from grids.redistricting.graph import build_graph
from grids.redistricting.limits import counts_for, effort_of
from grids.redistricting.rules import BARRIER_KINDS, Effort, Prices
from grids.redistricting.search import Progress, divide


def divide_graph(
    pairs: npt.ArrayLike,
    weights: npt.ArrayLike,
    *,
    lengths: npt.ArrayLike | None = None,
    areas: npt.ArrayLike | None = None,
    target: float = 300,
    count: int | None = None,
    tolerance: float = 0.10,
    seed: int = 1,
    prices: Prices | None = None,
    effort: Effort | str | float | None = None,
    progress: Progress | None = None,
) -> Ints:
    """Give every unit of a graph a district: contiguous, of equal weight, with short borders.

    Parameters
    ----------
    pairs
        (n, 2) units that touch, each pair once, numbered from 0.
    weights
        Households or people of each unit, whole numbers.
    lengths
        Length of each pair's common line, any unit; all the same when left out.
    areas
        Ground of each unit in the square of that unit; all the same when left out.
    count
        Districts, exactly; the target is then the weight divided by it.

    Returns
    -------
    array of int64
        District of each unit, from 0.

    Raises
    ------
    BadInput
        Pairs that name no unit, weights that are no whole numbers, or a count that cannot be met.
    """
    ends = np.asarray(pairs, dtype=np.int64).reshape(-1, 2)
    people = np.asarray(weights)
    ends = ends[ends[:, 0] != ends[:, 1]]
    if not len(people) or not np.all((people >= 0) & (people == np.floor(people))):
        raise BadInput(Problem("weights are missing, negative or fractional", field="weights"))
    if len(ends) and not (ends.min() >= 0 and ends.max() < len(people)):
        raise BadInput(Problem("a pair names a unit that is not there", field="pairs"))
    metres = np.ones(len(ends)) if lengths is None else np.asarray(lengths, dtype=float)
    ground = np.ones(len(people)) if areas is None else np.asarray(areas, dtype=float)
    # Lines and ground in one measure: a unit of mean size has sides of 100 m.
    ground = ground * (1e4 / max(float(ground.mean()), 1e-12))
    if len(metres):
        metres = np.maximum(metres * (100.0 / max(float(metres.mean()), 1e-12)), 1.0)
    x, y = _places(ends, len(people))
    kinds = np.zeros((len(ends), 1 + len(BARRIER_KINDS)))
    kinds[:, 0] = metres
    graph = build_graph(
        ends,
        kinds,
        np.zeros(len(ends), dtype=bool),
        households=people.astype(np.int64),
        area_m2=ground,
        x=x,
        y=y,
        unit=np.zeros(len(people), dtype=np.int64),
        block=np.arange(len(people)),
    )
    counts = None
    if count is not None:
        counts = counts_for(graph, graph.households.astype(float), count)
        target = max(1.0, float(people.sum()) / count)
    search, is_over = effort_of(effort)
    division = divide(
        graph,
        target=float(target),
        tolerance=tolerance,
        generator=np.random.default_rng(seed),
        prices=prices or Prices(),
        effort=search,
        progress=progress,
        counts=counts,
        is_over=is_over,
    )
    return division.label.astype(np.int64)


def _places(pairs: Ints, size: int) -> tuple[Floats, Floats]:
    """Places to lay the units out by: steps from two far ends of each part, in 100 m."""
    graph = csr_array((np.ones(len(pairs)), (pairs[:, 0], pairs[:, 1])), shape=(size, size))
    _, part = connected_components(graph, directed=False)
    first = np.unique(part, return_index=True)[1]
    x, y = np.zeros(size), np.zeros(size)
    for number, start in enumerate(first.tolist()):
        mine = np.flatnonzero(part == number)

        def steps(origin: int, cells: Ints = mine) -> Floats:
            away = dijkstra(graph, directed=False, indices=np.array([origin]), unweighted=True)
            return np.asarray(away)[0, cells]

        one = int(mine[np.argmax(steps(start))])
        away = steps(one)
        other = int(mine[np.argmax(away)])
        x[mine] = 50 * (away - steps(other))
        # The second axis starts where both ends are equally far, at the side.
        side = int(mine[np.argmax(np.minimum(away, steps(other)))])
        y[mine] = 100 * steps(side)
    return x, y
