"""Grid codes: the unit's code and a number, west to east, then north to south."""

from __future__ import annotations

from collections.abc import Sequence

import geopandas as gpd
import numpy as np
import numpy.typing as npt

from gis.errors import BadInput, Problem


def number_grids(
    points: npt.ArrayLike | gpd.GeoSeries, unit_codes: Sequence[str], digits: int = 3
) -> list[str]:
    """Give each grid its code: the unit's code followed by `digits` digits from 1.

    Inside a unit grids are numbered as a page is read: along a row from west to east, then the
    next row to the south. Rows are bands of equal height from the unit's northernmost to its
    southernmost point; there are ``round(sqrt(n * height / width))`` of them (at least 1, at most
    n), so that a band is about one grid high. A point on the line between two bands belongs to
    the northern one. Points of equal easting in a band go north first, then in the order given.

    Parameters
    ----------
    points
        One point per grid: an (n, 2) array of easting and northing in one unit of length, or a
        GeoSeries of points (longitude is then scaled by the cosine of the middle latitude).
    unit_codes
        Code of each grid's unit, as text; may be empty text.
    digits
        Digits of the number, 2 to 5.

    Returns
    -------
    list of str
        Codes in the order of `points`, leading zeros kept.

    Raises
    ------
    BadInput
        A unit has more grids than `digits` can number, a point is not finite, or the lengths
        differ.
    """
    xy = _coordinates(points)
    codes = [str(code) for code in unit_codes]
    problems = []
    if len(codes) != len(xy):
        problems.append(
            Problem(f"{len(xy)} points but {len(codes)} unit codes", "give one code per point")
        )
    if not 2 <= digits <= 5:
        problems.append(Problem(f"digits is {digits}", "choose 2 to 5", field="digits"))
    problems += [
        Problem("the point is not finite", "give easting and northing", row=int(i) + 1)
        for i in np.flatnonzero(~np.isfinite(xy).all(axis=1))
    ]
    if problems:
        raise BadInput(problems)
    result = [""] * len(codes)
    units = np.array(codes, dtype=object)
    for unit in sorted(set(codes)):
        rows = np.flatnonzero(units == unit)
        if len(rows) >= 10**digits:
            problems.append(
                Problem(
                    f"unit {unit or '(no code)'} has {len(rows)} grids, "
                    f"more than {digits} digits can number",
                    f"number with digits={len(str(len(rows)))}",
                    field="digits",
                )
            )
            continue
        for number, row in enumerate(rows[_reading_order(xy[rows])], start=1):
            result[row] = f"{unit}{number:0{digits}d}"
    if problems:
        raise BadInput(problems)
    return result


def number_around(
    points: npt.NDArray[np.float64],
    unit_codes: Sequence[str],
    digits: int,
    taken: set[str],
) -> list[str]:
    """Codes of new grids beside grids whose codes are `taken`: in reading order, free ones only."""
    reading = number_grids(points, unit_codes, 5)
    result = [""] * len(reading)
    last: dict[str, int] = {}
    for row in sorted(range(len(reading)), key=reading.__getitem__):
        unit = str(unit_codes[row])
        number = last.get(unit, 0) + 1
        while f"{unit}{number:0{digits}d}" in taken:
            number += 1
        last[unit] = number
        result[row] = f"{unit}{number:0{digits}d}"
    return result


def _coordinates(points: npt.ArrayLike | gpd.GeoSeries) -> npt.NDArray[np.float64]:
    if not isinstance(points, gpd.GeoSeries):
        return np.asarray(points, dtype=float).reshape(-1, 2)
    xy = np.column_stack([points.x.to_numpy(), points.y.to_numpy()]).astype(float)
    if points.crs is not None and points.crs.is_geographic and len(xy):
        xy[:, 0] *= np.cos(np.radians((xy[:, 1].min() + xy[:, 1].max()) / 2))
    return xy


def _reading_order(xy: npt.NDArray[np.float64]) -> npt.NDArray[np.intp]:
    x, y = xy[:, 0], xy[:, 1]
    width, height = np.ptp(x), np.ptp(y)
    rows = 1
    if height > 0:
        rows = len(xy) if width == 0 else round(np.sqrt(len(xy) * height / width))
        rows = int(np.clip(rows, 1, len(xy)))
    depth = (y.max() - y) * (rows / height) if height > 0 else np.zeros(len(xy))
    # Each band is closed to the south, so that its southern line is its own.
    band = np.clip(np.ceil(depth) - 1, 0, rows - 1)
    return np.lexsort((-y, x, band))
