"""``wangge attention``: where to look first this week, and how such lists have done."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Annotated
from zoneinfo import ZoneInfo

import geopandas as gpd
import typer

from api.commands.hotspot_files import (
    Events,
    Reports,
    households_of,
    located,
    of_file,
    reports,
    squares,
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
from maps.hotspots import backtest, neighbours_of, texts
from maps.hotspots.layer import list_layer
from maps.hotspots.page import Page, html, page_of
from maps.hotspots.service import (
    MOST_LISTED,
    WEEKS_JUDGED,
    Listed,
    attention_list,
    back_test,
    weeks_problem,
)
from maps.hotspots.study import Asked
from maps.hotspots.texts import Language, Said
from maps.layer_files import write_layer
from maps.output import replacing

if TYPE_CHECKING:
    from collections.abc import Iterable

app = typer.Typer(rich_markup_mode=None)
SHOWN = 10


@app.command(
    epilog="Example: wangge attention --out list.gpkg    wangge attention --backtest --out "
    "backtest.html    or, from files: wangge attention --backtest --points incidents.csv "
    "--squares 500 --out backtest.html"
)
def _attention(
    out_file: Annotated[
        Path | None,
        typer.Option("--out", help="The list: .gpkg, .geojson, .csv, ...; the back-test: .html"),
    ] = None,
    is_test: Annotated[
        bool, typer.Option("--backtest", help="Judge the lists of the last weeks")
    ] = False,
    weeks: Annotated[int, typer.Option(help="Judged by --backtest")] = WEEKS_JUDGED,
    week: Annotated[
        str | None, typer.Option(help="Any day of the week of the list; this week when left out")
    ] = None,
    share: Annotated[float, typer.Option(help="Of the area that the list may cover")] = 0.05,
    most: Annotated[int, typer.Option(help="Grids listed at most")] = MOST_LISTED,
    category: Annotated[list[str] | None, typer.Option(help="May be repeated")] = None,
    unit: Annotated[str | None, typer.Option(help="Code of a unit")] = None,
    language: Annotated[str, typer.Option(help="zh or en; the page has both")] = "zh",
    points: Annotated[
        Path | None, typer.Option(help="With --backtest: points with times; else the database")
    ] = None,
    grids: Annotated[Path | None, typer.Option(help="With --points: layer of grids")] = None,
    squares_m: Annotated[
        float | None,
        typer.Option("--squares", help="With --points, instead of grids: squares of this side, m"),
    ] = None,
    households: Annotated[str | None, typer.Option(help="Column of the grids")] = None,
    since: Annotated[str | None, typer.Option("--from", help="With --points: first day")] = None,
    until: Annotated[
        str | None, typer.Option("--to", help="With --points: first day after the period")
    ] = None,
    place: Annotated[str, typer.Option(help="With --points: name of the place")] = "",
    note: Annotated[
        list[str] | None, typer.Option(help="With --points: what else a reader has to know")
    ] = None,
    lon: Annotated[str | None, typer.Option(help="Column of the points")] = None,
    lat: Annotated[str | None, typer.Option(help="Column of the points")] = None,
    time: Annotated[str | None, typer.Option(help="Column: when it was reported")] = None,
    crs: Annotated[str, typer.Option(help="auto, wgs84, cgcs2000, gcj02, bd09, EPSG:n")] = "auto",
    timezone: Annotated[
        str | None,
        typer.Option(help="With files: zone of times without one, of --from and --to as well"),
    ] = None,
    data_dir: DataDir = None,
) -> None:
    """Where to look first in the week, each grid with its reason; or how such lists have done."""
    if language not in {"zh", "en"}:
        raise BadInput(Problem(f"'{language}' is no language here", "zh or en", field="--language"))
    tongue: Language = "en" if language == "en" else "zh"
    if is_test and out_file is not None and out_file.suffix.lower() not in {".html", ".htm"}:
        raise BadInput(
            Problem(f"cannot write '{out_file.suffix}'", "The back-test is .html", field="--out")
        )
    if points is not None:
        if not is_test:
            raise BadInput(
                Problem("--points goes with --backtest", "The list of files: 'wangge hotspots'",
                        field="--points")
            )  # fmt: skip
        period = moment(since, "--from", timezone), moment(until, "--to", timezone)
        found = reports(points, (lon, lat, time), crs, timezone, period)
        page = _of_files(
            found, grids, squares_m, households=households, weeks=weeks, place=place or points.stem
        )
        page = replace(page, notes=(*page.notes, *(Said(each, each) for each in note or ())))
        _tell(page, out_file, tongue)
        return
    asked = Asked(
        wanted=Filter(categories=tuple(category or ())),
        unit=unit,
        timezone=server_settings().timezone,
    )
    day = _day(week)
    if is_test:
        with open_database(data_dir) as database, database.transaction(timeout_s=0) as session:
            tested = back_test(session, asked, week=day, weeks=weeks)
        _tell(page_of(tested, made_on=_today()), out_file, tongue)
    else:
        with open_database(data_dir) as database, database.transaction(timeout_s=0) as session:
            listed = attention_list(session, asked, week=day, share=share, most=most)
        _list(listed, out_file, tongue)


def _list(listed: Listed, out_file: Path | None, language: Language) -> None:
    forecast, study = listed.attention, listed.study
    _say(study.notes, language)
    out.print(
        f"week of {listed.week}: {forecast.expected.sum():,.1f} incidents are expected; "
        f"listed: {len(forecast.reasons)} of {counted(study.ground.n, 'grid')}, learnt from "
        f"{counted(study.weeks, 'week')}"
    )
    print_table(
        ("grid", "expected", "why"),
        [
            (study.ground.codes[why.row], f"{why.expected:.1f}", texts.reason(why, language))
            for why in forecast.reasons[:SHOWN]
        ],
    )
    if out_file is not None:
        write_layer(list_layer(listed), out_file, layer="attention")
        out.print(f"for those who work on the cases (small counts); written to {out_file}")


def _of_files(
    found: Reports,
    grids: Path | None,
    squares_m: float | None,
    *,
    households: str | None,
    weeks: int,
    place: str,
) -> Page:
    if too_short := weeks_problem(weeks, found.weeks, field="--weeks", source=found.source):
        raise BadInput(too_short)
    homes, notes = None, []
    if squares_m is not None and grids is None:
        layer, source = squares(found, squares_m, last_weeks=weeks), found.source
        notes.append(Said(
            f"网格为边长{squares_m:g}米的方格，只取评判期之前有过事件的方格。",
            f"The grids are squares of {squares_m:g} m, those that had any incident before the "
            "weeks judged.",
        ))  # fmt: skip
    elif grids is not None and squares_m is None:
        layer, source = read_layer(grids), grids.name
        homes = None if households is None else households_of(layer, grids, households)
    else:
        raise BadInput(
            Problem("with --points, one of --grids and --squares", "Give one", field="--grids")
        )
    events = located(found, layer, source)
    notes += _notes(events, weeks, has_households=homes is not None)
    flat: gpd.GeoSeries = layer.to_crs(layer.estimate_utm_crs()).geometry
    try:
        neighbours = neighbours_of(layer.geometry.to_numpy(), contact="ground")
        test = backtest(
            events.weekly(len(layer)), neighbours, households=homes,
            area_m2=flat.area.to_numpy(), weeks=weeks,
        )  # fmt: skip
    except BadInput as error:
        raise BadInput(of_file(each, source, households) for each in error.problems) from None
    last = found.end.date()
    return Page(
        test=test,
        mondays=tuple(last - timedelta(days=7 * ago) for ago in range(weeks, 0, -1)),
        place=Said(place, place),
        category=Said("", ""),
        source=Said(found.source, found.source),
        grids=len(layer),
        weeks_before=found.weeks - weeks,
        notes=tuple(notes),
        made_on=_today(),
    )


def _notes(events: Events, weeks: int, *, has_households: bool) -> list[Said]:
    notes = []
    if not has_households:
        notes.append(Said("没有户数资料，按网格计。", "No households are given: risk is per grid."))
    judged = events.reports.weeks_ago < weeks
    lost = int((judged & (events.grid < 0)).sum())
    if lost:
        notes.append(Said(
            f"评判期内另有{lost:,}件不在任何网格内，任何名单都未包括。",
            "In no grid, and so on no list in the weeks judged: "
            f"{counted(lost, 'more incident')}.",
        ))  # fmt: skip
    if events.reports.unknown:
        notes.append(Said(
            f"{events.reports.unknown:,}件没有位置或时间，未计入。",
            "Not counted, for want of a place or time: "
            f"{counted(events.reports.unknown, 'incident')}.",
        ))  # fmt: skip
    return notes


def _tell(page: Page, out_file: Path | None, language: Language) -> None:
    _say(page.notes, language)
    out.print(texts.headline(page.test, language), markup=False)
    for line in texts.verdict(page.test, language):
        out.print(f"  {line}", markup=False)
    if out_file is not None:
        with replacing(out_file) as fresh:
            fresh.write_text(html(page, language), encoding="utf-8")
        out.print(f"written to {out_file}")


def _say(notes: Iterable[Said], language: Language) -> None:
    for note in notes:
        out.print(f"  {note.zh if language == 'zh' else note.en}", markup=False)


def _today() -> date:
    """The day in the installation's zone, whatever the machine's."""
    return datetime.now(ZoneInfo(server_settings().timezone)).date()


def _day(text: str | None) -> date | None:
    if text is None:
        return None
    try:
        return date.fromisoformat(text)
    except ValueError:
        raise BadInput(
            Problem(f"'{text}' is no day", "Write it as 2026-06-29", field="--week")
        ) from None
