"""What a heat map can be asked for: every limit, and the text that names what breaks it."""

from __future__ import annotations

import math
from datetime import datetime
from typing import TYPE_CHECKING, Literal, Required, TypeAlias, TypedDict
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import numpy as np
import numpy.typing as npt
import shapely
from shapely.geometry.base import BaseGeometry

from gis.errors import BadInput, Problem
from maps.smoothing import Bbox, Floats

if TYPE_CHECKING:
    import geopandas as gpd

Per: TypeAlias = Literal["km2", "households"]
Households: TypeAlias = tuple[npt.ArrayLike, npt.ArrayLike, npt.ArrayLike]
Area: TypeAlias = "gpd.GeoSeries | gpd.GeoDataFrame | BaseGeometry | None"

MIN_EVENTS = 5
"""k of the disclosure rule (design 7.4): where a map is shared, one of fewer events is left blank,
and so is every place that fewer lie under the kernel of."""

MAX_BANDWIDTH_M = 20_000
"""A wider kernel smooths whole townships away and shows nothing that a table would not."""


class Options(TypedDict, total=False):
    """Everything but the events; `start` and `end` are needed.

    Attributes
    ----------
    start, end
        Aware times.
    area
        Where events can happen: polygons in WGS 84, or with a CRS of their own. Their union is the
        mask of the edge correction; events outside are counted and left out. Without an area the
        map reaches 3 bandwidths around the events and edges are not corrected.
    bandwidth_m, cell_m
        In metres; the bandwidth must not be smaller than the cell, which is a sixth of it but at
        least 10 m when left out. ``"auto"`` finds it from the events, by `maps.bandwidth`.
    per
        ``"km2"``, or ``"households"``: the density divided by that of `households`, smoothed with
        the same bandwidth, where at least 20 households lie under the kernel.
    households
        Longitudes, latitudes and household counts of buildings or the like.
    timezone
        IANA zone of the dates shown.
    case_team
        True only for readers who may see single cases. Otherwise a map of 1 to 4 events is left
        blank, places where fewer than 5 events lie near are hidden, and the map says so.
    title, category, place, source
        Printed as they are.
    category_en, place_en
        Printed instead on a map in English.
    made_on
        Aware; now if left out.
    """

    start: Required[datetime]
    end: Required[datetime]
    area: Area
    bandwidth_m: float | Literal["auto"]
    cell_m: float | None
    per: Per
    households: Households | None
    timezone: str
    case_team: bool
    title: str
    category: str
    place: str
    source: str
    category_en: str
    place_en: str
    made_on: datetime | None


def check_request(
    *,
    start: datetime,
    end: datetime,
    made_on: datetime,
    timezone: str,
    bandwidth_m: float,
    cell_m: float | None,
    per: Per,
    households: Households | None,
) -> None:
    """Raise BadInput with everything wrong about period, scale and denominator."""
    problems = []
    naive = [
        name
        for name, moment in (("start", start), ("end", end), ("made_on", made_on))
        if moment.tzinfo is None
    ]
    problems += [
        Problem(f"{name} has no time zone", "Give an aware time.", field=name) for name in naive
    ]
    if not naive and end <= start:
        problems.append(
            Problem(
                f"the period from {start.isoformat()} to {end.isoformat()} has no length",
                "The end is exclusive: for one day give the start of the next day.",
                field="end",
            )
        )
    try:
        ZoneInfo(timezone)
    except (ZoneInfoNotFoundError, ValueError):
        problems.append(
            Problem(
                f"{timezone!r} is no time zone", "Give a name like Asia/Shanghai.", field="timezone"
            )
        )
    if not 0 < bandwidth_m <= MAX_BANDWIDTH_M:
        problems.append(
            Problem(
                f"a bandwidth of {bandwidth_m:,g} m",
                f"Give more than 0 and at most {MAX_BANDWIDTH_M:,} m; 150, 300 and 600 are usual.",
                field="bandwidth_m",
            )
        )
    if cell_m is None:
        pass
    elif not (math.isfinite(cell_m) and cell_m > 0):
        problems.append(
            Problem(f"a cell of {cell_m:g} m", "Give a positive number.", field="cell_m")
        )
    elif 0 < bandwidth_m < cell_m:
        problems.append(
            Problem(
                f"a bandwidth of {bandwidth_m:g} m is smaller than the cell of {cell_m:g} m",
                f"Use cells of at most {bandwidth_m:g} m or a bandwidth of at least {cell_m:g} m.",
                field="bandwidth_m",
            )
        )
    if per not in {"km2", "households"}:
        problems.append(Problem(f"per is {per!r}", "Give km2 or households.", field="per"))
    if (per == "households") != (households is not None):
        problems.append(
            Problem(
                "a rate per households needs households, a density per km2 takes none",
                "Give both per='households' and households, or neither.",
                field="households",
            )
        )
    if households is not None:
        problems += _household_problems(households)
    if problems:
        raise BadInput(problems)


def _household_problems(
    households: Households,
) -> list[Problem]:
    counts = np.asarray(households[2], dtype=np.float64)
    if counts.size != np.size(households[0]):
        return [
            Problem(
                f"{counts.size} counts for {np.size(households[0])} places of households",
                "Give one count per place.",
                field="households",
            )
        ]
    bad = np.flatnonzero(~(np.isfinite(counts) & (counts >= 0)))
    if not bad.size:
        return []
    return [
        Problem(
            f"{bad.size} household counts are negative or unknown, the first is {counts[bad[0]]:g}",
            "Leave out places with unknown counts.",
            row=int(bad[0]) + 1,
            field="households",
        )
    ]


def check_bandwidth_fits(bandwidth_m: float, bbox: Bbox) -> None:
    """Raise BadInput if the kernel is wider than the area, a box in metres."""
    longer = max(bbox[2] - bbox[0], bbox[3] - bbox[1])
    if bandwidth_m > longer:
        raise BadInput(
            Problem(
                f"a bandwidth of {bandwidth_m:,g} m is wider than the area ({longer:,.0f} m)",
                f"Give at most {longer:,.0f} m; a tenth of it still shows a pattern.",
                field="bandwidth_m",
            )
        )


def area_polygon(area: Area) -> BaseGeometry | None:
    """Return the union of the area in WGS 84, or None when there is none."""
    if area is None:
        return None
    if isinstance(area, BaseGeometry):
        union = area
    else:
        series = area.geometry
        if series.crs is not None and series.crs.to_epsg() not in {4326, 4490}:
            series = series.to_crs(4326)
        union = series.union_all()
    problem = ""
    if union.is_empty:
        problem = "the area is empty"
    elif union.geom_type not in {"Polygon", "MultiPolygon"}:
        problem = f"the area is a {union.geom_type}, not polygons"
    elif not union.is_valid:
        problem = f"the area is not valid: {shapely.is_valid_reason(union)}"
    else:
        west, south, east, north = union.bounds
        if west < -180 or east > 180 or south < -90 or north > 90:
            problem = "the area is not in degrees of longitude and latitude"
    if problem:
        raise BadInput(Problem(problem, "Give valid polygons in WGS 84.", field="area"))
    return union


def coordinates(
    lon: npt.ArrayLike, lat: npt.ArrayLike, lon_name: str, lat_name: str
) -> tuple[Floats, Floats]:
    """Return longitudes and latitudes as arrays; refuse what cannot be a place on Earth."""
    lons = np.atleast_1d(np.asarray(lon, dtype=np.float64))
    lats = np.atleast_1d(np.asarray(lat, dtype=np.float64))
    if lons.ndim != 1 or lons.shape != lats.shape:
        raise BadInput(
            Problem(
                f"{lons.size} longitudes and {lats.size} latitudes",
                "Give two lists of the same length.",
                field=f"{lon_name}, {lat_name}",
            )
        )
    problems = []
    for values, limit, name in ((lons, 180, lon_name), (lats, 90, lat_name)):
        beyond = np.flatnonzero(np.abs(values) > limit)
        if beyond.size:
            problems.append(
                Problem(
                    f"{beyond.size} values are beyond {limit} degrees, the first is "
                    f"{values[beyond[0]]:g}",
                    "Check the order (longitude first) and the coordinate system.",
                    row=int(beyond[0]) + 1,
                    field=name,
                )
            )
    if problems:
        raise BadInput(problems)
    return lons, lats
