"""Whether grids lie rightly over base grids: exclusive ones in the area, micro ones each in one."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import shapely

from gis.errors import Problem
from grids.tiling import Plane, overlaps, shape_problems

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

SHOWN = 3
"""Grids named where a piece of ground lies in many."""


def exclusive_problems(
    codes: Sequence[str],
    units: Sequence[str],
    shapes: NDArray[np.object_],
    areas: dict[str, shapely.Geometry],
) -> list[Problem]:
    """Every breach of the rules of exclusive grids (专属网格: a school, a mall, a park).

    They lie within the area, over whatever base grids are there, need not cover it and must not
    overlap one another; each reaches into the unit that it is kept under.

    Parameters
    ----------
    codes, units, shapes
        Code, unit code and WGS 84 polygon of each grid.
    areas
        WGS 84 polygon of each unit of the area, by code.

    Returns
    -------
    list of Problem
        Empty when they keep to them. Strips narrower than `grids.tiling.SLIVER_WIDTH_M` count
        neither as overlap nor as reaching out.
    """
    problems = shape_problems(codes, shapes)
    if problems:
        return problems
    plane = Plane(shapes)
    flat = plane.onto(shapes)
    problems += overlaps(codes, flat, plane)
    outlines = {code: plane.onto(area) for code, area in areas.items()}
    whole = shapely.union_all(list(outlines.values()))
    for code, unit, shape in zip(codes, units, flat, strict=True):
        if unit not in outlines:
            problems.append(
                Problem(f"grid {code} is kept under {unit}, which is not known", "Name its unit")
            )
        elif not plane.wide_pieces(shapely.intersection(shape, outlines[unit])):
            problems.append(
                Problem(f"grid {code} lies outside its unit {unit}", "Keep it under the one there")
            )
        problems += [
            Problem(f"grid {code} reaches out of the area: {where}", "Cut it at the line")
            for where in plane.wide_pieces(shapely.difference(shape, whole))
        ]
    return problems


def micro_problems(
    codes: Sequence[str],
    units: Sequence[str],
    shapes: NDArray[np.object_],
    base: tuple[Sequence[str], Sequence[str], NDArray[np.object_]],
) -> list[Problem]:
    """Every breach of the rules of micro grids (微网格: a stairwell, a row of houses).

    Each lies in exactly one base grid, under the same unit, crosses no border of one, and overlaps
    no other. They may leave ground: there the base grid alone is told.

    Parameters
    ----------
    codes, units, shapes
        Code, unit code and WGS 84 polygon of each grid.
    base
        The same of the base grids in force.

    Returns
    -------
    list of Problem
        Empty when they nest: along shared edges exactly, or to `grids.tiling.SLIVER_WIDTH_M`, the
        width of what noding on the planner's grid of 1 cm can leave. Ground beyond is named by
        size, place and the base grid that it lies in.
    """
    problems = shape_problems(codes, shapes)
    if problems:
        return problems
    base_codes, base_units, base_shapes = base
    if not len(base_codes):
        return [
            Problem("no base grids are in force for micro grids to lie in", "Publish those first")
        ]
    plane = Plane(shapes)
    flat, ground = plane.onto(shapes), plane.onto(base_shapes)
    problems += overlaps(codes, flat, plane)
    micro, under = shapely.STRtree(ground).query(flat, predicate="intersects")
    shared = shapely.area(shapely.intersection(flat[micro], ground[under]))
    for place, (code, unit, shape) in enumerate(zip(codes, units, flat, strict=True)):
        mine = micro == place
        if not shared[mine].sum() > 0:
            problems.append(Problem(f"micro grid {code} lies in no base grid", "Move or drop it"))
            continue
        near = under[mine]
        host = int(near[np.argmax(shared[mine])])
        others = [
            base_codes[each]
            for each in np.sort(near)
            if each != host and plane.wide_pieces(shapely.intersection(shape, ground[each]))
        ]
        problems += [
            Problem(
                f"micro grid {code} crosses the border of base grid {base_codes[host]}: {where}",
                f"Cut it there{_beyond(others)}",
            )
            for where in plane.wide_pieces(shapely.difference(shape, ground[host]))
        ]
        if unit != base_units[host]:
            problems.append(
                Problem(
                    f"micro grid {code} is kept under {unit}, its base grid {base_codes[host]} "
                    f"under {base_units[host]}",
                    "Keep it under the unit of its base grid",
                )
            )
    return problems


def _beyond(codes: Sequence[str]) -> str:
    """What is to be done about ground in other base grids, in words."""
    if not codes:
        return ": no other base grid lies there"
    more = f" and {len(codes) - SHOWN} more" if len(codes) > SHOWN else ""
    return f", or make grids of their own of what lies in {', '.join(codes[:SHOWN])}{more}"
