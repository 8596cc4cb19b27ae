"""Incidents and grids of files, for the commands on hot spots that work without a database."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import timedelta
from typing import TYPE_CHECKING

import geopandas as gpd
import numpy as np
import pandas as pd
import shapely

from api.commands.layers import read_points, read_times
from api.commands.shared import server_settings
from data.importers import values
from data.importers.report import Report
from gis.crs import from_wgs84, metric_crs
from gis.errors import BadInput, Problem
from gis.locator import Locator

if TYPE_CHECKING:
    from datetime import datetime
    from pathlib import Path

    from maps.hotspots.checks import Floats, Ints

WEEK = timedelta(days=7)
SQUARES_M = (50.0, 20_000.0)


@dataclass(frozen=True, slots=True, eq=False)
class Reports:
    """Points of the period, WGS 84, with the weeks between each and its end; what has no place."""

    source: str
    start: datetime
    end: datetime
    lon: Floats
    lat: Floats
    weeks_ago: Ints
    unknown: int

    @property
    def weeks(self) -> int:
        """Whole weeks of the period, counted back from its end."""
        return (self.end - self.start) // WEEK


@dataclass(frozen=True, slots=True, eq=False)
class Events:
    """Reports on the grids: ``grid`` is the row of each, -1 outside."""

    reports: Reports
    grid: Ints

    @property
    def outside(self) -> int:
        """Reports in no grid."""
        return int((self.grid < 0).sum())

    def counts(self, n: int) -> Ints:
        """Events of the whole period per grid."""
        return np.bincount(self.grid[self.grid >= 0], minlength=n)

    def weekly(self, n: int) -> Ints:
        """Events per grid and whole week, the oldest first."""
        weeks, ago = self.reports.weeks, self.reports.weeks_ago
        made = np.zeros((n, weeks), dtype=np.int64)
        inside = (self.grid >= 0) & (ago < weeks)
        np.add.at(made, (self.grid[inside], weeks - 1 - ago[inside]), 1)
        return made


def reports(
    points: Path,
    names: tuple[str | None, str | None, str | None],
    crs: str,
    timezone: str | None,
    period: tuple[datetime | None, datetime | None],
) -> Reports:
    """The points of a file in a period; an open end is that of the points themselves.

    Parameters
    ----------
    names
        Columns of longitude, latitude and time; None finds the usual ones.

    Raises
    ------
    BadInput
        No time can be read, or the period ends before it begins.
    """
    frame, lon, lat = read_points(points, lon=names[0], lat=names[1], crs=crs)
    zone = timezone or server_settings().timezone
    moments = read_times(frame, points, names[2], zone)
    dated = moments.notna()
    if not dated.any() and None in period:
        raise BadInput(
            Problem("no row has a time that can be read",
                    "Name its column with --time, or give --from and --to", source=points.name)
        )  # fmt: skip
    start = period[0] or moments.min().tz_convert(zone).normalize().to_pydatetime()
    # Up to midnight, so that the last day is a whole one.
    end = (
        period[1]
        or (moments.max().tz_convert(zone).normalize() + pd.DateOffset(days=1)).to_pydatetime()
    )
    if start >= end:
        raise BadInput(
            Problem(f"the period ends at {end} before it begins", "Give a later day", field="--to")
        )
    known = (dated & (moments >= start) & (moments < end)).to_numpy()
    placed = np.isfinite(lon) & np.isfinite(lat)
    taken = known & placed
    weeks_ago = np.ceil(((end - moments[taken]) / WEEK).to_numpy(float)).astype(np.int64) - 1
    unknown = int((~dated).sum()) + int((known & ~placed).sum())
    return Reports(points.name, start, end, lon[taken], lat[taken], weeks_ago, unknown)


def located(found: Reports, layer: gpd.GeoDataFrame, source: str) -> Events:
    """The reports on the grids of a layer.

    Raises
    ------
    BadInput
        The layer has shapes that no point can be looked up in; names the file.
    """
    flat = layer.to_crs(4326).geometry.to_numpy()
    try:
        locator = Locator.build(flat, np.arange(len(flat)))
    except BadInput as error:
        raise BadInput(replace(each, source=source) for each in error.problems) from None
    return Events(found, locator.locate(found.lon, found.lat))


def squares(found: Reports, side_m: float, *, last_weeks: int) -> gpd.GeoDataFrame:
    """Squares that had any report before the last weeks, in the local metric CRS.

    What was never built on is no area to be searched, and what first happens somewhere in the
    weeks to be judged was not known before them. Later reports elsewhere are on no list.

    Raises
    ------
    BadInput
        The side is out of range, or there is no report to draw one around.
    """
    if not SQUARES_M[0] <= side_m <= SQUARES_M[1]:
        raise BadInput(
            Problem(
                f"squares of {side_m:g} m", f"Give {SQUARES_M[0]:g} to {SQUARES_M[1]:g} metres",
                field="--squares",
            )
        )  # fmt: skip
    known = found.weeks_ago >= last_weeks
    if not known.any():
        raise BadInput(
            Problem(
                f"nothing was reported before the last {last_weeks} weeks",
                "Give a longer period", source=found.source, field="--from",
            )
        )  # fmt: skip
    lon, lat = found.lon[known], found.lat[known]
    crs = metric_crs((lon.min(), lat.min(), lon.max(), lat.max()))
    cells = np.unique(np.floor(np.column_stack(from_wgs84(lon, lat, crs)) / side_m), axis=0)
    west, south = cells.T * side_m
    return gpd.GeoDataFrame(
        {"code": [f"{x:.0f}-{y:.0f}" for x, y in cells]},
        geometry=shapely.box(west, south, west + side_m, south + side_m),
        crs=crs,
    )


def households_of(layer: gpd.GeoDataFrame, path: Path, name: str) -> Floats:
    """A column of households as numbers, NaN where there is none.

    Raises
    ------
    BadInput
        There is no such column, or it holds what is no number.
    """
    _present(layer, path, name, "--households")
    report = Report("grids", path.name, path.stem)
    found: Floats = np.asarray(values.numbers(layer[name], report, name), dtype=np.float64)
    if report.problems:
        raise BadInput(report.problems)
    return found


def ids_of(layer: gpd.GeoDataFrame, path: Path, name: str) -> list[str]:
    """A column of ids as text.

    Raises
    ------
    BadInput
        There is no such column.
    """
    _present(layer, path, name, "--id")
    return [str(each) for each in layer[name]]


def _present(layer: gpd.GeoDataFrame, path: Path, name: str, option: str) -> None:
    if name not in layer:
        raise BadInput(
            Problem(
                f"there is no column '{name}'",
                f"Name it with {option}; there are: {', '.join(map(str, layer.columns))}",
                source=path.name,
            )
        )


def of_file(problem: Problem, source: str, households: str | None) -> Problem:
    """The problem under the names of the files."""
    names = {"exposure": households, "households": households, "polygons": "geometry"}
    return replace(problem, source=source, field=names.get(problem.field or "", problem.field))
