"""Communities (社区) of the demo town: neighbouring quarters joined until each holds enough."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import shapely

from data.sample.town import Town

# Between 990 and 1,080 households no number of grids of 300 comes within 10 %.
LEAST_HOUSEHOLDS = 1_090
MOST_HOUSEHOLDS = 2_600
# A border worth less than this has a river or a railway along much of it.
ACROSS = -450.0
# What a metre of shared border is worth in households when two quarters may join, by what runs
# along it: nobody is governed across a river or a railway where it can be helped.
_WORTH_PER_M = {"river": -8.0, "rail": -8.0, "arterial": -0.8, "street": 1.2}


def communities(town: Town, households: npt.NDArray[np.int64]) -> list[Any]:
    """Polygons of the communities, which tile the town and share vertices with its blocks.

    Parameters
    ----------
    town
        The skeleton.
    households
        Households on each block.

    Returns
    -------
    Polygons from west to east, north to south; 1,090 to about 2,900 households each.
    """
    faces = np.array([b.face for b in town.blocks], dtype=object)
    group = np.array([b.quarter for b in town.blocks])
    labels = np.unique(group)
    group = np.searchsorted(labels, group)
    held = np.bincount(group, weights=households).astype(float)
    shapes = [shapely.coverage_union_all(faces[group == g]) for g in range(len(labels))]
    worth = _worth(town, shapes)
    alive = set(range(len(shapes)))
    while True:
        small = sorted((g for g in alive if held[g] < LEAST_HOUSEHOLDS), key=lambda g: (held[g], g))
        joined = False
        for g in small:
            if not worth[g]:
                continue
            # Across a river or railway only when there is nobody else, too large only when
            # nothing smaller is left, and otherwise along the longest common streets.
            _, _, _, into = min(
                (
                    value < ACROSS,
                    max(0.0, held[o] + held[g] - MOST_HOUSEHOLDS),
                    held[o] - 2 * value,
                    o,
                )
                for o, value in worth[g].items()
            )
            held[into] += held[g]
            shapes[into] = shapely.coverage_union(shapes[into], shapes[g])
            for o, value in worth.pop(g).items():
                del worth[o][g]
                if o != into:
                    worth[into][o] = worth[o][into] = worth[into].get(o, 0.0) + value
            alive.remove(g)
            joined = True
            break
        if not joined:
            break
    polygons = [shapes[g] for g in alive]
    return sorted(polygons, key=lambda p: (round(p.centroid.x / 700), -p.centroid.y))


def _worth(town: Town, shapes: list[Any]) -> dict[int, dict[int, float]]:
    """For each pair of neighbours: how good it would be to join them, in households."""
    lines = {
        rank: shapely.union_all([s.line for s in town.streets if s.rank == rank]).buffer(1.0)
        for rank in ("river", "rail", "arterial")
    }
    for area in lines.values():
        shapely.prepare(area)
    tree = shapely.STRtree(shapes)
    left, right = tree.query(shapes, predicate="touches")
    worth: dict[int, dict[int, float]] = {g: {} for g in range(len(shapes))}
    shared = shapely.intersection(np.take(shapes, left), np.take(shapes, right))
    for a, b, border in zip(left, right, shared, strict=True):
        length = border.length
        if a >= b or length < 1:
            continue
        value = _WORTH_PER_M["street"] * length - (200.0 if length < 60 else 0.0)
        for rank, area in lines.items():
            along = shapely.intersection(border, area).length
            value += along * (_WORTH_PER_M[rank] - _WORTH_PER_M["street"])
        worth[int(a)][int(b)] = worth[int(b)][int(a)] = value
    return worth
