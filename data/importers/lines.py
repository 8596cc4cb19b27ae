"""Lines that must be of one piece: patrol routes and border stretches."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import shapely

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
        work.report.note(f"{joined} lines in parts that meet were joined")
    return out
