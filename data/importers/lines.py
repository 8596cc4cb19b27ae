"""Lines: those in parts put together, and the points where a bridge crosses them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import shapely

from gis.wording import counted

if TYPE_CHECKING:
    from data.importers.work import Geometries, Work


def single_lines(work: Work) -> Geometries:
    """The work's geometry as single lines; parts that meet are joined, others rejected."""
    out = work.geom.copy()
    many = shapely.get_type_id(out) == 5
    out[many] = shapely.line_merge(out[many])
    apart = shapely.get_type_id(out) == 5
    if apart.any():
        work.report.reject(
            work.rows[apart],
            [f"the line has {shapely.get_num_geometries(g)} parts that do not meet"
             for g in out[apart]],
            "Join the parts, or give each its own row.",
            field="geometry", group="the line has parts that do not meet",
        )  # fmt: skip
        out[apart] = None
    joined = int(np.sum(many & ~apart))
    if joined:
        which = counted(joined, "line in parts that meet was", "lines in parts that meet were")
        work.report.note(f"{which} joined")
    return out


def crossings(bridge: Any, lines: Any) -> list[Any]:
    """Points where a bridge (area or line) crosses lines, one for each stretch, west to east."""
    if len(lines) == 0:
        return []
    shared = shapely.intersection(bridge, shapely.union_all(lines))
    if shared.geom_type in ("MultiLineString", "GeometryCollection"):
        shared = shapely.union_all(shapely.get_parts(shared))
        if shared.geom_type == "MultiLineString":
            shared = shapely.line_merge(shared)
    points = [
        part if part.geom_type == "Point" else part.interpolate(0.5, normalized=True)
        for part in shapely.get_parts(shared)
        if not part.is_empty
    ]
    return sorted(points, key=lambda point: (point.x, point.y))
