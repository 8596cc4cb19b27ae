"""``wangge hotspots``: hot grids, what they do over the weeks, and next week's attention list."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, replace
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import geopandas as gpd
import numpy as np
import pandas as pd
import typer

from api.commands.layers import read_layer, read_points, read_times, write_layer
from api.commands.shared import moment, out, print_table, server_settings
from data.importers import values
from data.importers.report import Report
from gis.errors import BadInput, Problem
from gis.locator import Locator
from maps.hotspots import (
    Kind,
    Neighbours,
    attention,
    backtest,
    emerging,
    hot_grids,
    neighbours_of,
    texts,
)
from maps.hotspots.forecast import MIN_WEEKS

if TYPE_CHECKING:
    from datetime import datetime

    from maps.hotspots.checks import Floats, Ints

app = typer.Typer(rich_markup_mode=None)

WEEK = timedelta(days=7)
WEEKS_JUDGED = 8
SHOWN = 5


@dataclass(frozen=True, slots=True)
class Events:
    """Events of the period on the grids: ``grid`` -1 outside; weeks counted back from the end."""

    start: datetime
    end: datetime
    grid: Ints
    weeks_ago: Ints
    unknown: int

    def counts(self, n: int) -> Ints:
        """Events of the whole period per grid."""
        return np.bincount(self.grid[self.grid >= 0], minlength=n)

    def weekly(self, n: int) -> Ints:
        """Events per grid and whole week, the oldest first."""
        weeks = (self.end - self.start) // WEEK
        made = np.zeros((n, weeks), dtype=np.int64)
        inside = (self.grid >= 0) & (self.weeks_ago < weeks)
        np.add.at(made, (self.grid[inside], weeks - 1 - self.weeks_ago[inside]), 1)
        return made


@app.command(
    epilog="Example: wangge hotspots --grids grids.gpkg --points incidents.csv "
    "--households households --from 2026-01-01 --to 2026-07-01 --out hotspots.gpkg"
)
def _hotspots(
    grids: Annotated[Path, typer.Option(help="Layer of grids: FILE or 'FILE|LAYER'")],
    points: Annotated[Path, typer.Option(help="Points with times, the same")],
    out_file: Annotated[Path, typer.Option("--out", help=".gpkg, .geojson, .parquet, .csv, .shz")],
    households: Annotated[
        str | None, typer.Option(help="Column of the grids; every grid alike when left out")
    ] = None,
    since: Annotated[str | None, typer.Option("--from", help="First day or moment")] = None,
    until: Annotated[
        str | None, typer.Option("--to", help="First day or moment after the period")
    ] = None,
    id_column: Annotated[str, typer.Option("--id", help="Column of the grids")] = "code",
    lon: Annotated[str | None, typer.Option(help="Column of the points")] = None,
    lat: Annotated[str | None, typer.Option(help="Column of the points")] = None,
    time: Annotated[str | None, typer.Option(help="Column: when it was reported")] = None,
    crs: Annotated[str, typer.Option(help="auto, wgs84, cgcs2000, gcj02, bd09, EPSG:n")] = "auto",
    timezone: Annotated[str | None, typer.Option(help="Zone of times without one")] = None,
) -> None:
    """Grids with more events than chance explains, and the list for the week after the period.

    The list, and what hot spots do over the weeks, need 12 whole weeks. The file holds small
    counts: it is for those who work on the cases.
    """
    period = moment(since, "--from"), moment(until, "--to")
    layer = read_layer(grids)
    homes = None if households is None else _households(layer, grids, households)
    ids = _ids(layer, grids, id_column)
    events = _events(layer, grids, points, (lon, lat, time), crs, timezone, period)
    try:
        # A file may have a grid's corner in the middle of another's edge.
        neighbours = neighbours_of(layer.geometry.to_numpy(), contact="ground")
        made = _tested(layer, neighbours, events, homes, ids)
    except BadInput as error:
        raise BadInput(_of_file(each, grids, households) for each in error.problems) from None
    write_layer(made, out_file, layer="hotspots")
    out.print(f"for those who work on the cases (small counts); written to {out_file}")


def _tested(
    layer: gpd.GeoDataFrame,
    neighbours: Neighbours,
    events: Events,
    homes: Floats | None,
    ids: list[str],
) -> gpd.GeoDataFrame:
    n = len(layer)
    counts, weekly = events.counts(n), events.weekly(n)
    outside = int((events.grid < 0).sum())
    out.print(
        f"{counts.sum():,} events in {n:,} grids from {events.start:%Y-%m-%d} to before "
        f"{events.end:%Y-%m-%d %H:%M}; {outside:,} outside all grids, "
        f"{events.unknown:,} without place or time"
    )
    if len(neighbours.islands):
        out.print(f"{len(neighbours.islands):,} grids touch no other: each is judged by itself")
    if homes is None:
        out.print("no households are given: a grid may be hot only because many people live there")
    found = hot_grids(counts, neighbours, exposure=homes)
    untested = int((~found.tested).sum())
    if untested:
        out.print(
            f"{untested:,} grids with unknown or no households are not tested; "
            f"{found.left_out:,} events lie there"
        )
    made = layer.assign(
        events=counts, window=found.observed, expected=found.expected, ratio=found.ratio,
        p=found.p, q=found.q, hot=found.hot,
    )  # fmt: skip
    out.print(f"{int(found.hot.sum()):,} hot grids (on at most 5 % of quiet maps there are any)")
    weeks = weekly.shape[1]
    if weeks < MIN_WEEKS:
        out.print(f"{weeks} whole weeks: too few for a list or a trend, which need {MIN_WEEKS}")
        return made
    kinds = emerging(weekly, neighbours, exposure=homes).kinds
    number = Counter(kinds)
    out.print(", ".join(f"{number[kind]:,} {kind}" for kind in Kind if kind is not Kind.NONE))
    area = layer.to_crs(layer.estimate_utm_crs()).area.to_numpy()
    listed = attention(weekly, neighbours, households=homes, area_m2=area)
    made = made.assign(
        kind=[str(kind) for kind in kinds], next_week=listed.expected,
        next_low=listed.low, next_high=listed.high, rank=pd.array([pd.NA] * n, dtype="Int64"),
        reason_zh="", reason_en="",
    )  # fmt: skip
    rows = [why.row for why in listed.reasons]
    for name, cells in (
        ("rank", range(1, len(rows) + 1)),
        ("reason_zh", [texts.reason(why, "zh") for why in listed.reasons]),
        ("reason_en", [texts.reason(why, "en") for why in listed.reasons]),
    ):
        made.iloc[rows, made.columns.get_loc(name)] = list(cells)
    out.print(f"next week {listed.expected.sum():,.1f} events are expected; where to look first:")
    print_table(
        ("grid", "expected", "why"),
        [
            (ids[why.row], f"{why.expected:.1f}", texts.reason(why, "en"))
            for why in listed.reasons[:SHOWN]
        ],
    )
    if weeks >= MIN_WEEKS + WEEKS_JUDGED:
        tested = backtest(weekly, neighbours, households=homes, area_m2=area, weeks=WEEKS_JUDGED)
        out.print(f"the last {WEEKS_JUDGED} weeks, each forecast from those before it:")
        for line in texts.verdict(tested, "en"):
            out.print(f"  {line}", markup=False)
    return made


def _events(
    layer: gpd.GeoDataFrame,
    grids: Path,
    points: Path,
    names: tuple[str | None, str | None, str | None],
    crs: str,
    timezone: str | None,
    period: tuple[datetime | None, datetime | None],
) -> Events:
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
    flat = layer.to_crs(4326).geometry.to_numpy()
    try:
        locator = Locator.build(flat, np.arange(len(flat)))
    except BadInput as error:
        raise BadInput(replace(each, source=grids.name) for each in error.problems) from None
    weeks_ago = np.ceil(((end - moments[taken]) / WEEK).to_numpy(float)).astype(np.int64) - 1
    unknown = int((~dated).sum()) + int((known & ~placed).sum())
    return Events(start, end, locator.locate(lon[taken], lat[taken]), weeks_ago, unknown)


def _households(layer: gpd.GeoDataFrame, path: Path, name: str) -> Floats:
    _present(layer, path, name, "--households")
    report = Report("grids", path.name, path.stem)
    found: Floats = np.asarray(values.numbers(layer[name], report, name), dtype=np.float64)
    if report.problems:
        raise BadInput(report.problems)
    return found


def _ids(layer: gpd.GeoDataFrame, path: Path, name: str) -> list[str]:
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


def _of_file(problem: Problem, grids: Path, households: str | None) -> Problem:
    """The problem under the names of the files."""
    names = {"exposure": households, "households": households, "polygons": "geometry"}
    return replace(problem, source=grids.name, field=names.get(problem.field or "", problem.field))
