"""Where the bulk of a density lies, so that a map of a wide area can open there."""

from __future__ import annotations

import numpy as np

from maps.smoothing import Bbox, Floats

BULK = 2 / 3
"""Share of the events that the box of their bulk holds at least."""

_STEPS = 128  # A side is trimmed by this share of the raster at a time, or by one cell.
_LARGE = 0.25  # Of the raster's area: a box larger than that is not worth a view of its own.


def bulk_box(events: Floats, bbox_m: Bbox, margin_m: float) -> Bbox | None:
    """Return a box that holds most of the events, or None if there is none much smaller.

    The raster is trimmed from the side that loses fewest events for its area, as long as two
    thirds of them are left: a lone incident far out does not widen the box, two towns keep each
    other in it.

    Parameters
    ----------
    events
        Density of events, shape (ny, nx), row 0 south; NaN counts as none.
    bbox_m
        Outer edges of the raster, metres.
    margin_m
        Added on each side, within the raster.

    Returns
    -------
    west, south, east, north in metres; None for no events, or if the box would be more than a
    quarter of the whole.
    """
    mass = np.nan_to_num(events)
    needed = BULK * mass.sum()
    if needed <= 0:
        return None
    ny, nx = mass.shape
    step_y, step_x = max(1, ny // _STEPS), max(1, nx // _STEPS)
    bottom, top, left, right = 0, ny, 0, nx
    held = float(mass.sum())
    while True:
        window = mass[bottom:top, left:right]
        height, width = window.shape
        strips = {
            "bottom": (float(window[:step_y].sum()), step_y * width),
            "top": (float(window[-step_y:].sum()), step_y * width),
            "left": (float(window[:, :step_x].sum()), step_x * height),
            "right": (float(window[:, -step_x:].sum()), step_x * height),
        }
        tall, wide = height > step_y, width > step_x
        allowed = {
            side: lost / area
            for side, (lost, area) in strips.items()
            if held - lost >= needed and (tall if side in {"bottom", "top"} else wide)
        }
        if not allowed:
            break
        side = min(allowed, key=lambda each: allowed[each])
        held -= strips[side][0]
        bottom += step_y * (side == "bottom")
        top -= step_y * (side == "top")
        left += step_x * (side == "left")
        right -= step_x * (side == "right")
    west, south, east, north = bbox_m
    cell_x, cell_y = (east - west) / nx, (north - south) / ny
    box = (
        max(west, west + left * cell_x - margin_m),
        max(south, south + bottom * cell_y - margin_m),
        min(east, west + right * cell_x + margin_m),
        min(north, south + top * cell_y + margin_m),
    )
    share = (box[2] - box[0]) * (box[3] - box[1]) / ((east - west) * (north - south))
    return None if share > _LARGE else box
