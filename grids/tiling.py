"""Whether grids tile their area: every gap, overlap and stray piece by name and size."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np
import shapely

from gis.crs import from_wgs84_geometry, metric_crs
from gis.errors import Problem

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

# The planner nodes on a 1 cm grid, so its outline may lie up to that far from the area's.
SNAP_M: Final = 0.01
# Slivers narrower than the noding grid are the snapping itself, not ground without a grid.
SLIVER_WIDTH_M: Final = 0.03


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
    if not len(codes):
        return [Problem("the edition has no grids", "Draw or import some")]
    problems = [
        Problem(f"grid {code} is {shapely.is_valid_reason(shape)}", "Redraw it")
        for code, shape in zip(codes, shapes, strict=True)
        if not shape.is_valid or shape.geom_type != "Polygon"
    ]
    if problems:
        return problems
    crs = metric_crs(tuple(shapely.total_bounds(shapes)))
    flat = from_wgs84_geometry(np.asarray(shapes, dtype=object), crs)
    problems += _overlaps(codes, flat)
    unit_of = np.asarray(units, dtype=object)
    for unit, area in sorted(areas.items()):
        outline = from_wgs84_geometry(area, crs)
        mine = flat[unit_of == unit]
        if not mine.size:
            problems.append(
                Problem(
                    f"unit {unit} has no grid ({outline.area / 1e6:.3f} km2 uncovered)",
                    "Draw grids for it",
                )
            )
            continue
        cover = shapely.union_all(mine)
        problems += _pieces(outline, cover, f"gap in unit {unit}", "Give it to a grid")
        problems += _pieces(
            cover, outline, f"grids of unit {unit} reach over its line", "Cut them at the line"
        )
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


def _overlaps(codes: Sequence[str], flat: NDArray[np.object_]) -> list[Problem]:
    left, right = shapely.STRtree(flat).query(flat, predicate="intersects")
    first = left < right
    left, right = left[first], right[first]
    shared = shapely.intersection(flat[left], flat[right])
    area = shapely.area(shared)
    return [
        Problem(
            f"grids {codes[a]} and {codes[b]} overlap by {size:.2f} m2",
            "Give the ground to one of them",
        )
        for a, b, size, where in zip(left, right, area, shared, strict=True)
        if size > 0 and _is_wide(where)
    ]


def _pieces(
    whole: shapely.Geometry, part: shapely.Geometry, what: str, remedy: str
) -> list[Problem]:
    rest = shapely.get_parts(shapely.difference(whole, part))
    rest = rest[shapely.get_dimensions(rest) == 2]
    return [
        Problem(f"{what}: {piece.area:.2f} m2 near {_place(piece)} (local metres)", remedy)
        for piece in rest
        if _is_wide(piece)
    ]


def _is_wide(piece: shapely.Geometry) -> bool:
    """Whether something is left of a piece when slivers are shaved off its sides."""
    return not shapely.buffer(piece, -SLIVER_WIDTH_M / 2).is_empty


def _place(piece: shapely.Geometry) -> str:
    point = shapely.point_on_surface(piece)
    return f"{point.x:.0f}, {point.y:.0f}"
