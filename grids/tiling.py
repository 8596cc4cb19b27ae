"""Whether grids tile their area: every gap, overlap and stray piece by name and size."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import shapely
from pyproj import Geod

from gis.errors import Problem

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

# Strips narrower than this are the planner's noding on a 1 cm grid, not ground without a grid.
SLIVER_WIDTH_M: Final = 0.03
DEGREE_M: Final = 111_320
GEOD: Final = Geod(ellps="WGS84")


def tiling_problems(
    codes: Sequence[str],
    units: Sequence[str],
    shapes: NDArray[np.object_],
    areas: dict[str, shapely.Geometry],
) -> list[Problem]:
    """Every breach of the tiling rule among the grids of an edition.

    Parameters
    ----------
    codes, units, shapes
        Code, unit code and WGS 84 polygon of each grid.
    areas
        WGS 84 polygon of each unit that must be covered, by code.

    Returns
    -------
    list of Problem
        Empty when the grids cover the units exactly: no gap, no overlap, single valid parts,
        shared vertices along shared borders, none across a unit's line.
    """
    problems = shape_problems(codes, shapes)
    if problems:
        return problems
    plane = Plane(shapes)
    flat = plane.onto(np.asarray(shapes, dtype=object))
    problems += overlaps(codes, flat, plane)
    unit_of = np.asarray(units, dtype=object)
    for unit, area in sorted(areas.items()):
        outline = plane.onto(area)
        mine = flat[unit_of == unit]
        if not mine.size:
            problems.append(
                Problem(
                    f"unit {unit} has no grid ({_area_m2(area) / 1e6:.3f} km2 uncovered)",
                    "Draw grids for it",
                )
            )
            continue
        cover = shapely.union_all(mine)
        problems += [
            Problem(f"gap in unit {unit}: {where}", "Give it to a grid")
            for where in plane.wide_pieces(shapely.difference(outline, cover))
        ]
        problems += [
            Problem(f"grids of unit {unit} reach over its line: {where}", "Cut them at the line")
            for where in plane.wide_pieces(shapely.difference(cover, outline))
        ]
    for unit in sorted(set(units) - set(areas)):
        problems.append(
            Problem(f"unit {unit} is not known, but has grids", "Import its polygon first")
        )
    if not problems and not shapely.coverage_is_valid(shapes):
        edges = shapely.coverage_invalid_edges(shapes)
        bad = [code for code, edge in zip(codes, edges, strict=True) if not edge.is_empty]
        problems.append(
            Problem(
                f"neighbouring grids do not share their vertices: {', '.join(bad[:10])}"
                + (f" and {len(bad) - 10} more" if len(bad) > 10 else ""),
                "Draw them anew, or clean the layer before importing it",
            )
        )
    return problems


def shape_problems(codes: Sequence[str], shapes: NDArray[np.object_]) -> list[Problem]:
    """That there are no grids at all, or some are no valid polygons of one part."""
    if not len(codes):
        return [Problem("the edition has no grids", "Draw or import some")]
    return [
        Problem(
            f"grid {code} is {shapely.is_valid_reason(shape)}"
            if shape.geom_type == "Polygon"
            else f"grid {code} is a {shape.geom_type}, not a polygon of one part",
            "Redraw it",
        )
        for code, shape in zip(codes, shapes, strict=True)
        if not shape.is_valid or shape.geom_type != "Polygon"
    ]


class Plane:
    """Degrees stretched to about a metre: straight edges stay straight, so nothing tears.

    In a projection the edge between two far vertices bends, and a border that one grid keeps in
    one piece and its neighbour in two would seem to gape.
    """

    def __init__(self, shapes: NDArray[np.object_]) -> None:
        _, south, _, north = shapely.total_bounds(shapes)
        self.scale = np.array(
            [DEGREE_M * max(math.cos(math.radians((south + north) / 2)), 0.01), DEGREE_M]
        )

    def onto(self, shapes: Any) -> Any:
        """From degrees."""
        return shapely.transform(shapes, lambda xy: xy * self.scale)

    def wide_pieces(self, ground: shapely.Geometry) -> list[str]:
        """Size and place of each piece of ground that is more than a sliver."""
        parts = shapely.get_parts(ground)
        parts = parts[shapely.get_dimensions(parts) == 2]
        # Something must be left when slivers are shaved off the sides.
        parts = parts[~shapely.is_empty(shapely.buffer(parts, -SLIVER_WIDTH_M / 2))]
        degrees = shapely.transform(parts, lambda xy: xy / self.scale)
        return [f"{_area_m2(each):,.2f} m2 at {_place(each)}" for each in degrees]


def _area_m2(shape: shapely.Geometry) -> float:
    """Area on the ellipsoid of a shape in degrees."""
    area, _ = GEOD.geometry_area_perimeter(shape)
    return abs(area)


def _place(shape: shapely.Geometry) -> str:
    point = shapely.point_on_surface(shape)
    return f"{point.x:.6f}, {point.y:.6f}"


def overlaps(codes: Sequence[str], flat: NDArray[np.object_], plane: Plane) -> list[Problem]:
    """Pairs of shapes of a plane that share more ground than a sliver, with size and place."""
    left, right = shapely.STRtree(flat).query(flat, predicate="intersects")
    first = left < right
    left, right = left[first], right[first]
    shared = shapely.intersection(flat[left], flat[right])
    return [
        Problem(f"grids {codes[a]} and {codes[b]} overlap: {where}", "Give it to one of them")
        for a, b, ground in zip(left, right, shared, strict=True)
        for where in plane.wide_pieces(ground)
    ]
