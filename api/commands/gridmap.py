"""``wangge gridmap``: incidents by grid, as counts or rates with their doubt."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final, cast

import numpy as np
import pandas as pd
import typer

from api.commands.layers import read_layer, read_points, read_times
from api.commands.shared import DataDir, moment, open_database, out, server_settings
from data.importers import columns
from gis.errors import BadInput, Problem
from gis.wording import counted
from grids.incidents.repository import Filter
from maps import sharing
from maps.gridmaps import words
from maps.gridmaps.classes import USUAL
from maps.gridmaps.gridmap import About, GridMap, Grids, build, count_points, hidden_of
from maps.gridmaps.page import write_page
from maps.gridmaps.service import incident_gridmap, unit_borders
from maps.gridmaps.sheet import write_sheet
from maps.gridmaps.table import table
from maps.layer_files import write_layer
from maps.service import closed

if TYPE_CHECKING:
    import geopandas as gpd

    from maps.gridmaps.classes import Scheme
    from maps.gridmaps.gridmap import Measure
    from maps.heatmap_text import Language
    from maps.print_furniture import Paper

app = typer.Typer(rich_markup_mode=None)

FIELDS: Final = ("code", "name", "unit", "households")


@app.command(
    epilog="Example: wangge gridmap --category neighbour --from 2026-04-01 --share --out map.pdf   "
    " or, from files: wangge gridmap --grids grids.gpkg --points incidents.csv --out map.html"
)
def _gridmap(
    out_file: Annotated[
        Path,
        typer.Option(
            "--out", help=".html (opens offline), .png, .pdf, .gpkg, .geojson, .parquet, .csv"
        ),
    ],
    points: Annotated[
        Path | None, typer.Option(help="File of incidents, with --grids; else the database")
    ] = None,
    grids: Annotated[
        Path | None, typer.Option(help="Grids: code, and if known name, unit, households")
    ] = None,
    units: Annotated[Path | None, typer.Option(help="Borders to draw on it")] = None,
    unit: Annotated[
        str | None, typer.Option(help="Code of the unit to map; every grid when left out")
    ] = None,
    category: Annotated[list[str] | None, typer.Option(help="May be repeated")] = None,
    since: Annotated[str | None, typer.Option("--from", help="First day or moment")] = None,
    until: Annotated[
        str | None, typer.Option("--to", help="First day or moment after the period")
    ] = None,
    measure: Annotated[
        str, typer.Option(help="count, rate, smoothed (towards all grids), local (neighbours)")
    ] = "smoothed",
    scheme: Annotated[str, typer.Option(help="quantiles, natural (breaks), nice (numbers)")] = (
        "quantiles"
    ),
    classes: Annotated[int, typer.Option(help="5 to 7")] = USUAL,
    title: Annotated[str, typer.Option(help="Heading of the map")] = "",
    place: Annotated[str, typer.Option(help="Name of the place, with --points")] = "",
    language: Annotated[str, typer.Option(help="zh or en; HTML has both")] = "zh",
    paper: Annotated[str, typer.Option(help="A4 or A3")] = "A4",
    lon: Annotated[str | None, typer.Option(help="Column of the points")] = None,
    lat: Annotated[str | None, typer.Option(help="Column of the points")] = None,
    time: Annotated[str | None, typer.Option(help="Column of the points")] = None,
    kind: Annotated[str | None, typer.Option(help="Column of the points' category")] = None,
    crs: Annotated[str, typer.Option(help="auto, wgs84, cgcs2000, gcj02, bd09, EPSG:n")] = "auto",
    timezone: Annotated[
        str | None, typer.Option(help="Zone of times without one, of --from and --to as well")
    ] = None,
    shared: Annotated[
        bool,
        typer.Option("--share", help="Leaves the case team: a whole quarter, small counts hidden"),
    ] = False,
    data_dir: DataDir = None,
) -> None:
    """Incidents by grid: counts, or rates per 1,000 households per 30 days, in classes."""
    period = moment(since, "--from", timezone), moment(until, "--to", timezone)
    zone = timezone or server_settings().timezone
    if (points is None) != (grids is None):
        raise BadInput(
            Problem(
                "a map from files needs the points and the grids",
                "Give both, or neither to map what is in the database",
                field="--points, --grids",
            )
        )
    borders = read_layer(units) if units else None
    # Checked where they are used, all at once.
    asked = cast("Measure", measure), cast("Scheme", scheme)
    if points is not None and grids is not None:
        made = _of_files(
            points, grids, period, (lon, lat, time, kind), crs, zone, asked,
            classes=classes, category=category or [], shared=shared, title=title, place=place,
        )  # fmt: skip
    else:
        with open_database(data_dir) as database, database.transaction(timeout_s=0) as session:
            made = incident_gridmap(
                session,
                Filter(start=period[0], end=period[1], categories=tuple(category or ())),
                shared=shared,
                unit=unit,
                measure=asked[0],
                scheme=asked[1],
                classes=classes,
                timezone=zone,
                title=title,
            )
            if borders is None:
                borders = unit_borders(session, made)
    _write(made, out_file, borders, language, paper)
    hidden = f", {int(made.hidden.sum())} hidden" if made.shared else ""
    if made.unknown.any():
        hidden += f", {int(made.unknown.sum())} without known households"
    out.print(
        f"{counted(made.n, 'incident')} in {counted(len(made.grids.codes), 'grid')}{hidden}; "
        f"{words.period(made, 'en')}; {words.unit(made, 'en')}"
    )
    if said := words.notes(made, "en"):
        out.print(" ".join(said))
    out.print(f"written to {out_file}")


def _of_files(
    points: Path,
    layer: Path,
    period: tuple[datetime | None, datetime | None],
    names: tuple[str | None, str | None, str | None, str | None],
    crs: str,
    timezone: str,
    asked: tuple[Measure, Scheme],
    *,
    classes: int,
    category: list[str],
    shared: bool,
    title: str,
    place: str,
) -> GridMap:
    grids = _grids(layer)
    frame, lon, lat = read_points(points, lon=names[0], lat=names[1], crs=crs)
    moments = read_times(frame, points, names[2], timezone)
    known = moments.notna()
    if not known.any():
        raise BadInput(
            Problem("no row has a time that can be read", "Name its column with --time",
                    source=points.name)
        )  # fmt: skip
    kinds = _kinds(frame, points, names[3], category)
    if shared:
        quarter = sharing.quarter(*period, timezone=timezone, now=datetime.now(UTC))
        start, end, asked_for = quarter.start, quarter.end, sharing.changed(*period, quarter)
    else:
        asked_for = None
        start, end = closed(*period, moments[known].min(), moments[known].max())
    inside = (known & (moments >= start) & (moments < end)).to_numpy()
    # A shared map hides by what there is of all categories.
    wanted = inside if shared or not category else inside & np.isin(kinds.astype(str), category)
    found = count_points(grids, lon[wanted], lat[wanted], kinds[wanted])
    return build(
        grids,
        found,
        about=About(
            start=start,
            end=end,
            timezone=timezone,
            asked=asked_for,
            title=title,
            category=", ".join(category),
            place=place,
            source=points.name,
        ),
        category=tuple(category),
        gone=hidden_of(found) if shared else None,
        measure=asked[0],
        scheme=asked[1],
        classes=classes,
    )


def _grids(path: Path) -> Grids:
    """The grids of a file, by code."""
    layer = read_layer(path).to_crs(4326)
    present = [str(each) for each in layer.columns if each != layer.geometry.name]
    found = columns.resolve("grids", FIELDS, present, {}, file=path.name).columns
    if "code" not in found:
        raise BadInput(
            Problem(
                "there is no column of codes",
                columns.nearest_text("code", present, "The columns are"),
                source=path.name,
                field="code",
            )
        )
    codes = layer[found["code"]].astype(str)
    layer = layer.assign(_code=codes).sort_values("_code")
    texts = {
        name: layer[found[name]].fillna("").astype(str).tolist()
        if name in found
        else [""] * len(layer)
        for name in ("name", "unit")
    }
    households = np.full(len(layer), np.nan)
    if "households" in found:
        households = pd.to_numeric(layer[found["households"]], errors="coerce").to_numpy(float)
    codes = layer["_code"].tolist()
    units = [
        unit or (code[:12] if code.isdecimal() and len(code) == 15 else "")
        for unit, code in zip(texts["unit"], codes, strict=True)
    ]
    return Grids(
        codes=codes,
        names=texts["name"],
        units=units,
        shapes=layer.geometry.to_numpy(),
        households=households,
    )


def _kinds(frame: pd.DataFrame, path: Path, name: str | None, category: list[str]) -> np.ndarray:
    """Category of each point; all the same where none is known and none was asked for."""
    present = [str(each) for each in frame.columns]
    told = {"category": name} if name is not None else {}
    found = columns.resolve("incidents", ("category",), present, told, file=path.name).columns
    if "category" not in found:
        if category:
            raise BadInput(
                Problem(
                    "there is no column of categories",
                    f"Name it with --kind; there are: {', '.join(present)}",
                    source=path.name,
                    field="--category",
                )
            )
        return np.full(len(frame), "", dtype=object)
    kinds = frame[found["category"]].fillna("").astype(str).to_numpy(dtype=object)
    missing = sorted(set(category) - set(kinds))
    if missing:
        seen = sorted(set(kinds) - {""})
        raise BadInput(
            Problem(
                f"no point is of the category '{missing[0]}'",
                f"There are: {', '.join(seen[:20])}{' ...' if len(seen) > 20 else ''}",
                source=path.name,
                field="--category",
            )
        )
    return kinds


def _write(
    made: GridMap, path: Path, borders: gpd.GeoDataFrame | None, language: str, paper: str
) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    spoken = cast("Language", language)  # checked by whoever writes it
    match path.suffix.lower():
        case ".html" | ".htm":
            write_page(made, path, units=borders)
        case ".png" | ".pdf":
            write_sheet(made, path, units=borders, language=spoken, paper=cast("Paper", paper))
        case _:
            write_layer(table(made), path, layer="gridmap")
