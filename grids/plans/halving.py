"""Divide the cells of a few grids into a number of parts of about equal households."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import shapely

from gis.crs import from_wgs84_geometry, metric_crs
from gis.errors import Problem
from gis.wording import counted
from grids.plans.errors import MoveRefused

if TYPE_CHECKING:
    from collections.abc import Mapping

    from grids.plans.members import Member
    from grids.redistricting.graph import CellGraph

SEED = 1
# As near to even as the cells allow; the search stops when it is reached.
TOLERANCE = 0.02


def divided(mine: Mapping[int, Member], parts: int) -> list[set[int]]:
    """Parts of the cells, each in one piece, found by the planner's own search.

    Raises
    ------
    MoveRefused
        Nobody lives there, or the ground cannot be divided so.
    """
    # Here, not above: the search brings its compiler, which no other move needs.
    from grids.redistricting.rules import Effort, Prices  # noqa: PLC0415
    from grids.redistricting.search import divide  # noqa: PLC0415

    ids = np.array(sorted(mine), dtype=np.int64)
    people = sum(each.households for each in mine.values())
    graph = graph_of(mine)
    if people == 0 or int(graph.component.max()) > 0:
        raise MoveRefused(
            Problem(
                "nobody lives there"
                if people == 0
                else "a river or a railway without a bridge lies between its parts",
                "Draw a line, or move cells",
                field="parts",
            )
        )
    division = divide(
        graph,
        target=people / parts,
        tolerance=TOLERANCE,
        generator=np.random.default_rng(SEED),
        prices=Prices(),
        effort=Effort(sweeps=400, rounds=30),
    )
    label = division.label
    found = [set(ids[label == number].tolist()) for number in range(int(label.max()) + 1)]
    if len(found) != parts:
        raise MoveRefused(
            Problem(
                f"it divides into {counted(len(found), 'part')}, not into {parts}: a building "
                "has more households than a part of that size",
                f"Ask for {len(found)}, draw a line, or move cells",
                field="parts",
            )
        )
    return found


def graph_of(mine: Mapping[int, Member]) -> CellGraph:
    """The planner's graph of some cells, numbered from 0 in the order of their ids."""
    from grids.redistricting.graph import build_graph  # noqa: PLC0415
    from grids.redistricting.rules import BARRIER_KINDS  # noqa: PLC0415

    ids = sorted(mine)
    number = {cell: place for place, cell in enumerate(ids)}
    shapes = np.array([mine[cell].geom for cell in ids], dtype=object)
    flat = from_wgs84_geometry(shapes, metric_crs(tuple(shapely.total_bounds(shapes))))
    pairs = np.array(
        [
            (number[cell], number[other])
            for cell in ids
            for other in sorted(mine[cell].neighbours)
            if other in number and cell < other
        ],
        dtype=np.int64,
    ).reshape(-1, 2)
    line = shapely.length(shapely.intersection(flat[pairs[:, 0]], flat[pairs[:, 1]]))
    is_door = np.array(
        [ids[b] in mine[ids[a]].doors for a, b in pairs.tolist()], dtype=bool
    ).reshape(-1)
    metres = np.zeros((len(pairs), 1 + len(BARRIER_KINDS)))
    metres[:, 0] = np.where(is_door, np.maximum(line, 1.0), 0.0)
    metres[:, 1 + BARRIER_KINDS.index("river")] = np.where(is_door, 0.0, np.maximum(line, 1.0))
    middles = shapely.get_coordinates(shapely.centroid(flat))
    return build_graph(
        pairs,
        metres,
        np.zeros(len(pairs), dtype=bool),
        households=np.array([mine[cell].households for cell in ids], dtype=np.int64),
        area_m2=shapely.area(flat),
        x=middles[:, 0].copy(),
        y=middles[:, 1].copy(),
        unit=np.zeros(len(ids), dtype=np.int64),
        block=np.array([mine[cell].block for cell in ids], dtype=np.int64),
    )
