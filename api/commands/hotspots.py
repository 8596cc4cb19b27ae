"""``wangge hotspots``: where there were more incidents than chance explains."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import geopandas as gpd
import pandas as pd
import typer

from api.commands.hotspot_files import (
    Events,
    households_of,
    ids_of,
    located,
    of_file,
    reports,
)
from api.commands.layers import read_layer
from api.commands.shared import (
    DataDir,
    moment,
    open_database,
    out,
    print_table,
    server_settings,
)
from gis.errors import BadInput, Problem
from gis.wording import counted
from grids.incidents.repository import Filter
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
from maps.hotspots.findings import Class, Findings, Way
from maps.hotspots.forecast import MIN_WEEKS
from maps.hotspots.layer import CLASSES, WAYS, findings_layer, places_table
from maps.hotspots.looks import enter_repeats
from maps.hotspots.service import hot_spots
from maps.hotspots.sharing import refuse_shared
from maps.hotspots.study import Asked
from maps.layer_files import write_layer

if TYPE_CHECKING:
    from maps.hotspots.checks import Floats

app = typer.Typer(rich_markup_mode=None)

WEEKS_JUDGED = 8
SHOWN = 5


@app.command(
    epilog="Example: wangge hotspots --from 2026-01-01 --to 2026-07-01 --out hotspots.gpkg    "
    "or, from files: wangge hotspots --grids grids.gpkg --points incidents.csv "
    "--households households --out hotspots.gpkg"
)
def _hotspots(
    out_file: Annotated[
        Path | None, typer.Option("--out", help=".gpkg, .geojson, .parquet, .csv, .shp")
    ] = None,
    grids: Annotated[
        Path | None, typer.Option(help="Layer of grids: FILE or 'FILE|LAYER'; else the database")
    ] = None,
    points: Annotated[Path | None, typer.Option(help="Points with times, the same")] = None,
    households: Annotated[
        str | None, typer.Option(help="Column of the grids; every grid alike when left out")
    ] = None,
    method: Annotated[
        str, typer.Option(help=f"Of the database: {', '.join(Way)}")
    ] = Way.HOT_GRIDS.value,
    category: Annotated[
        list[str] | None, typer.Option(help="Of the database; may be repeated")
    ] = None,
    unit: Annotated[str | None, typer.Option(help="Of the database: code of a unit")] = None,
    level: Annotated[float, typer.Option(help="Of the database: false alarms allowed")] = 0.05,
    weekly: Annotated[
        bool, typer.Option("--weekly", help="With scan: circles and weeks up to the last")
    ] = False,
    shared: Annotated[
        bool, typer.Option("--share", "--shared", help="Refused: hot spots do not leave the team")
    ] = False,
    since: Annotated[str | None, typer.Option("--from", help="First day or moment")] = None,
    until: Annotated[
        str | None, typer.Option("--to", help="First day or moment after the period")
    ] = None,
    id_column: Annotated[str, typer.Option("--id", help="Column of the grids")] = "code",
    lon: Annotated[str | None, typer.Option(help="Column of the points")] = None,
    lat: Annotated[str | None, typer.Option(help="Column of the points")] = None,
    time: Annotated[str | None, typer.Option(help="Column: when it was reported")] = None,
    crs: Annotated[str, typer.Option(help="auto, wgs84, cgcs2000, gcj02, bd09, EPSG:n")] = "auto",
    timezone: Annotated[
        str | None, typer.Option(help="Zone of times without one, of --from and --to as well")
    ] = None,
    data_dir: DataDir = None,
) -> None:
    """Grids with more incidents than chance explains: of the database, or of files.

    From files it gives next week's attention list as well, which needs 12 whole weeks; with the
    database that is 'wangge attention'. Small counts are for those who work on the cases.
    """
    if shared:
        refuse_shared("--share")
    period = moment(since, "--from", timezone), moment(until, "--to", timezone)
    if grids is None and points is None:
        _of_database(
            Asked(
                wanted=Filter(start=period[0], end=period[1], categories=tuple(category or ())),
                unit=unit,
                timezone=timezone or server_settings().timezone,
            ),
            _way(method), level=level, weekly=weekly, out_file=out_file, data_dir=data_dir,
        )  # fmt: skip
        return
    if grids is None or points is None or out_file is None:
        missing = [
            name
            for name, given in (("--grids", grids), ("--points", points), ("--out", out_file))
            if given is None
        ]
        raise BadInput(
            Problem(f"{name} is missing", "Files need --grids, --points and --out", field=name)
            for name in missing
        )
    layer = read_layer(grids)
    homes = None if households is None else households_of(layer, grids, households)
    ids = ids_of(layer, grids, id_column)
    events = located(reports(points, (lon, lat, time), crs, timezone, period), layer, grids.name)
    try:
        # A file may have a grid's corner in the middle of another's edge.
        neighbours = neighbours_of(layer.geometry.to_numpy(), contact="ground")
        made = _tested(layer, neighbours, events, homes, ids)
    except BadInput as error:
        raise BadInput(of_file(each, grids.name, households) for each in error.problems) from None
    write_layer(made, out_file, layer="hotspots")
    out.print(f"for those who work on the cases (small counts); written to {out_file}")


def _way(name: str) -> Way:
    try:
        return Way(name)
    except ValueError:
        raise BadInput(
            Problem(f"'{name}' is no method", f"One of: {', '.join(Way)}", field="--method")
        ) from None


def _of_database(
    asked: Asked,
    way: Way,
    *,
    level: float,
    weekly: bool,
    out_file: Path | None,
    data_dir: Path | None,
) -> None:
    with open_database(data_dir) as database, database.transaction(timeout_s=0) as session:
        found = hot_spots(session, asked, way, level=level, weekly=weekly)
        enter_repeats(session, found, asked.wanted.categories)
    study = found.study
    out.print(
        f"{WAYS[way].en}: {counted(found.total, 'incident')} in "
        f"{counted(study.ground.n, 'grid')}, "
        f"{study.start.astimezone(asked.zone):%Y-%m-%d} to before "
        f"{study.end.astimezone(asked.zone):%Y-%m-%d %H:%M}, level {level:g}"
    )
    for note in found.notes:
        out.print(f"  {note.en}", markup=False)
    if found.pairs is not None:
        _print_pairs(found)
    elif found.places is not None:
        table = places_table(found)
        print_table(
            ("grid", "lon", "lat", "incidents", "last"),
            [(r.code, r.lon, r.lat, r.events, f"{r.last:%Y-%m-%d}") for r in table.itertuples()],
        )
    else:
        number = Counter(found.classes)
        out.print(", ".join(f"{number[each]:,} {CLASSES[each].en}" for each in Class
                            if number[each]))  # fmt: skip
        for at, each in enumerate(found.clusters, start=1):
            out.print(
                f"  cluster {at}: {counted(len(each.rows), 'grid')} around "
                f"{study.ground.codes[each.centre]}, {counted(each.observed, 'incident')} for "
                f"{each.expected:.1f}, relative risk {each.relative_risk:.2f}, p {each.p:.3f}"
            )
    if out_file is not None:
        write_layer(findings_layer(found), out_file, layer="hotspots")
        out.print(f"for those who work on the cases (small counts); written to {out_file}")


def _print_pairs(found: Findings) -> None:
    pairs = found.pairs
    if pairs is None:
        return
    out.print("pairs of incidents near in space and time, over what chance makes (p):")
    print_table(
        ("up to", *(f"{day:g} days" for day in pairs.days)),
        [
            (
                f"{far:g} m" if far else "same place",
                *(
                    f"{ratio:.2f} ({p:.3f})"
                    for ratio, p in zip(pairs.ratio[at], pairs.p[at], strict=True)
                ),
            )
            for at, far in enumerate(pairs.distances_m)
        ],
    )


def _tested(
    layer: gpd.GeoDataFrame,
    neighbours: Neighbours,
    events: Events,
    homes: Floats | None,
    ids: list[str],
) -> gpd.GeoDataFrame:
    n = len(layer)
    counts, weekly = events.counts(n), events.weekly(n)
    out.print(
        f"{counted(int(counts.sum()), 'event')} in {counted(n, 'grid')} from "
        f"{events.reports.start:%Y-%m-%d} to before {events.reports.end:%Y-%m-%d %H:%M}; "
        f"{events.outside:,} outside all grids, "
        f"{events.reports.unknown:,} without place or time"
    )
    if len(neighbours.islands):
        out.print(
            "touching no other, and so judged by itself: "
            f"{counted(len(neighbours.islands), 'grid')}"
        )
    if homes is None:
        out.print("no households are given: a grid may be hot only because many people live there")
    found = hot_grids(counts, neighbours, exposure=homes)
    untested = int((~found.tested).sum())
    if untested:
        out.print(
            "not tested, for households are unknown or none: "
            f"{counted(untested, 'grid')} with {counted(int(found.left_out), 'event')}"
        )
    made = layer.assign(
        events=counts, window=found.observed, expected=found.expected, ratio=found.ratio,
        p=found.p, q=found.q, hot=found.hot,
    )  # fmt: skip
    out.print(
        f"{counted(int(found.hot.sum()), 'hot grid')} (on at most 5 % of quiet maps there are any)"
    )
    weeks = weekly.shape[1]
    if weeks < MIN_WEEKS:
        out.print(
            f"{counted(weeks, 'whole week')}: too few for a list or a trend, which need {MIN_WEEKS}"
        )
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
