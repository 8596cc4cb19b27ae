"""``wangge heatmap``: the density of points or of the database's incidents, in real units."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, cast

import typer

from api.commands import heatmap_along
from api.commands.heatmap_sources import Bandwidth, Events, of_database, of_file
from api.commands.layers import read_layer
from api.commands.shared import DataDir, moment, out, server_settings
from gis.errors import BadInput, Problem
from maps import heatmap_text, raster, series, sharing
from maps.contours import contours, differences
from maps.folium_map import write_html
from maps.layer_files import write_layer
from maps.print_furniture import SCALES
from maps.print_map import write_png
from maps.print_series import write_animation, write_sheet

if TYPE_CHECKING:
    import geopandas as gpd

    from maps.heatmap import Heatmap
    from maps.heatmap_text import Language
    from maps.print_furniture import Paper
    from maps.series import Series

app = typer.Typer(rich_markup_mode=None)

MAX_CATEGORIES = 12
"""Maps by category: the most frequent ones."""


@app.command(
    epilog="Example: wangge heatmap --category neighbour --from 2026-01-01 --to 2026-07-01 "
    "--out map.html    or, from a file: wangge heatmap --points crimes.parquet --time time "
    "--area city.gpkg --by month --out months.pdf"
)
def _heatmap(
    out_file: Annotated[
        Path,
        typer.Option(
            "--out",
            help=".html (opens offline), .png, .pdf, .tif, .gpkg, .geojson; moving: .gif, .webp",
        ),
    ],
    points: Annotated[Path | None, typer.Option(help="File of points; else the database")] = None,
    area: Annotated[Path | None, typer.Option(help="Where events can happen")] = None,
    mask: Annotated[
        Path | None,
        typer.Option(help="Inhabited part of the area: no water, no empty steppe"),
    ] = None,
    inhabited: Annotated[
        bool,
        typer.Option("--inhabited", help="The same without a file: 500 m around buildings"),
    ] = False,
    unit: Annotated[
        str | None, typer.Option(help="Code of the unit to map; the whole county when left out")
    ] = None,
    category: Annotated[list[str] | None, typer.Option(help="May be repeated")] = None,
    category_column: Annotated[
        str | None, typer.Option(help="Column of the points with their category")
    ] = None,
    since: Annotated[str | None, typer.Option("--from", help="First day or moment")] = None,
    until: Annotated[
        str | None, typer.Option("--to", help="First day or moment after the period")
    ] = None,
    bandwidth: Annotated[
        str, typer.Option(help="Of the Gaussian kernel, metres; or auto: found from the events")
    ] = "300",
    cell: Annotated[
        float | None, typer.Option(help="Side of a raster cell, piece of street: metres")
    ] = None,
    along: Annotated[
        Path | None,
        typer.Option(help="Density along streets: a file of lines, or the word database"),
    ] = None,
    kernel: Annotated[
        str, typer.Option(help="Along streets: quartic (the bandwidth is its reach) or gaussian")
    ] = "quartic",
    per: Annotated[str, typer.Option(help="km2 or households (per 1,000)")] = "km2",
    buildings: Annotated[
        Path | None, typer.Option(help="With households, for --per households with --points")
    ] = None,
    households: Annotated[
        str, typer.Option(help="Column of the buildings with their households")
    ] = "households",
    by: Annotated[
        str | None,
        typer.Option(
            help="month, week or category: maps side by side (.png, .pdf), or on a "
            "page with a slider (.html)"
        ),
    ] = None,
    animate: Annotated[
        str | None, typer.Option(help="month or week: one after another (.gif, .webp, .png)")
    ] = None,
    grids: Annotated[Path | None, typer.Option(help="Outlines to draw on it")] = None,
    title: Annotated[str, typer.Option(help="Heading of the map")] = "",
    place: Annotated[str, typer.Option(help="Name of the place, with --points")] = "",
    language: Annotated[str, typer.Option(help="zh or en; HTML has both")] = "zh",
    paper: Annotated[str, typer.Option(help="A4 or A3, for .png and .pdf")] = "A4",
    polygon_crs: Annotated[
        str, typer.Option(help="Of polygons in .gpkg: EPSG:n, or metric as the raster's")
    ] = "EPSG:4326",
    lon: Annotated[str | None, typer.Option(help="Column of the points")] = None,
    lat: Annotated[str | None, typer.Option(help="Column of the points")] = None,
    time: Annotated[str | None, typer.Option(help="Column of the points")] = None,
    crs: Annotated[str, typer.Option(help="auto, wgs84, cgcs2000, gcj02, bd09, EPSG:n")] = "auto",
    timezone: Annotated[
        str | None, typer.Option(help="Zone of times without one, of --from and --to as well")
    ] = None,
    shared: Annotated[
        bool,
        typer.Option(
            "--share", "--shared", help="Leaves the case team: a whole quarter, small counts hidden"
        ),
    ] = False,
    data_dir: DataDir = None,
) -> None:
    """Density of incidents per km2 (or per 1,000 households) per 30 days, corrected at edges."""
    metres = _check(per, language, paper, bandwidth, by, animate, out_file)
    sheet = cast("Paper", paper)
    if shared and along is None:
        metres = _check_shared(metres, by or animate)
    period = moment(since, "--from", timezone), moment(until, "--to", timezone)
    if along is not None:
        heatmap_along.run(
            heatmap_along.Wanted(
                along,
                out_file,
                points,
                (lon, lat, time, category_column),
                crs,
                timezone or server_settings().timezone,
                period,
                tuple(category or ()),
                metres,
                cell,
                kernel,
                title,
                place,
                "en" if language == "en" else "zh",
                sheet,
                polygon_crs,
                data_dir,
            ),
            unused={
                "--shared": shared,
                "--by": by,
                "--animate": animate,
                "--area": area,
                "--mask": mask,
                "--inhabited": inhabited,
                "--unit": unit,
                "--grids": grids,
                "--buildings": buildings,
                "--per households": per == "households",
            },
        )
        return
    if points is not None and inhabited:
        raise BadInput(
            Problem(
                "the buildings of the database tell nothing of a file of points",
                "Give polygons of the inhabited part with --mask",
                field="--inhabited",
            )
        )
    outlines = read_layer(grids) if grids else None
    zone = timezone or server_settings().timezone
    source = (
        of_file(
            points, area=area, mask=mask, buildings=buildings, households=households,
            columns=(lon, lat, time, category_column), crs=crs, timezone=zone, period=period,
            per=per, categories=category or [], case_team=not shared, title=title, place=place,
            at_once=bool(by or animate),
        )
        if points is not None
        else of_database(
            data_dir, mask=mask, is_inhabited=inhabited, unit=unit, timezone=zone, period=period,
            per=per, categories=category or [], case_team=not shared, title=title,
        )
    )  # fmt: skip
    with source as events:
        made = events.make(None, None, None, metres, cell)
        many = _series(events, made, by or animate) if by or animate else None
        if outlines is None:
            outlines = events.grids()
    if many is None:
        _write(made, out_file, outlines, language, sheet, polygon_crs)
    else:
        _write_series(
            many, out_file, outlines, cast("Language", language), sheet, moving=bool(animate)
        )
    how = "" if made.chosen is None else f" ({made.chosen.reason})"
    highest = f"highest {made.maximum:.3g} {heatmap_text.unit(made, 'en')}"
    out.print(
        f"{heatmap_text.events(made)}; {heatmap_text.period(made, 'en')}; bandwidth "
        f"{made.bandwidth_m:g} m{how}; {'all hidden' if made.suppressed else highest}"
    )
    out.print(" ".join(heatmap_text.notes(made, "en")))
    out.print(f"written to {out_file}")


def _check(
    per: str, language: str, paper: str, bandwidth: str, by: str | None, animate: str | None,
    path: Path,
) -> Bandwidth:  # fmt: skip
    """Return the bandwidth; raise BadInput with all that is wrong with the words given."""
    problems = []
    if per not in {"km2", "households"}:
        problems.append(Problem(f"'{per}' is no denominator", "km2 or households", field="--per"))
    if language not in {"zh", "en"}:
        problems.append(
            Problem(f"'{language}' is no language here", "zh or en", field="--language")
        )
    if paper not in SCALES:
        problems.append(Problem(f"'{paper}' is no paper here", "A4 or A3", field="--paper"))
    metres = 0.0
    try:
        metres = 0.0 if bandwidth == "auto" else float(bandwidth)
    except ValueError:
        problems.append(
            Problem(
                f"a bandwidth of '{bandwidth}'",
                "Give metres, such as 150, 300 or 600, or auto",
                field="--bandwidth",
            )
        )
    suffix = path.suffix.lower()
    for name, given, words, suffixes in (
        ("--by", by, ("month", "week", "category"), (".png", ".pdf", ".html", ".htm")),
        ("--animate", animate, ("month", "week"), (".gif", ".webp", ".png")),
    ):
        if given is None:
            continue
        if given not in words:
            problems.append(Problem(f"'{given}'", f"One of: {', '.join(words)}", field=name))
        if suffix not in suffixes:
            problems.append(
                Problem(
                    f"{name} cannot be written as '{suffix}'",
                    f"Use one of: {', '.join(suffixes)}",
                    field="--out",
                )
            )
    if by and animate:
        problems.append(Problem("--by and --animate", "Give one of them", field="--animate"))
    if problems:
        raise BadInput(problems)
    return "auto" if bandwidth == "auto" else metres


def _check_shared(metres: Bandwidth, many: str | None) -> float:
    """Return the bandwidth of a map that leaves the case team; raise BadInput for a series."""
    if many is not None:
        raise BadInput(
            Problem(
                "a shared map is of one quarter and of all categories",
                "Leave --by and --animate out: parts could be subtracted from one another",
                field="--shared",
            )
        )
    return sharing.bandwidth_m(metres)


def _series(events: Events, whole: Heatmap, by: str | None) -> Series:
    """The maps of the weeks, months or categories, in the scale of the whole."""
    scale = whole.bandwidth_m, whole.cell_m
    if by != "category":
        cut = cast("series.By", by)
        return series.in_time(whole, cut, lambda a, b: events.make(a, b, None, *scale))
    parts = [
        series.Part(events.make(whole.start, whole.end, code, *scale), zh, en)
        for code, zh, en in events.categories()[:MAX_CATEGORIES]
    ]
    return series.together(whole, parts)


def _write_series(
    many: Series,
    path: Path,
    outlines: gpd.GeoDataFrame | None,
    language: Language,
    paper: Paper,
    *,
    moving: bool,
) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    if moving:
        write_animation(many, path, grids=outlines, language=language)
    elif path.suffix.lower() in {".html", ".htm"}:
        write_html(many.whole, path, grids=outlines, series=many)
    else:
        write_sheet(many, path, language=language, paper=paper)


def _write(
    made: Heatmap,
    path: Path,
    outlines: gpd.GeoDataFrame | None,
    language: str,
    paper: Paper,
    crs: str,
) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    match path.suffix.lower():
        case ".html" | ".htm":
            write_html(made, path, grids=outlines)
        case ".png" | ".pdf":
            spoken: Language = "en" if language == "en" else "zh"
            write_png(made, path, grids=outlines, language=spoken, paper=paper)
        case ".tif" | ".tiff":
            raster.write_geotiff(made, path)
        case ".gpkg" | ".geojson" | ".parquet":
            write_layer(contours(made, crs=crs), path, layer="density")
            if made.score is not None:
                beside = path.with_name(f"{path.stem}.tolerance{path.suffix}")
                write_layer(differences(made, crs=crs), beside, layer="tolerance")
                out.print(f"where it differs from the mean: {beside}")
        case other:
            raise BadInput(
                Problem(
                    f"cannot write '{other}'",
                    "Use .html, .png, .pdf, .tif, .gpkg or .geojson; .gif or .webp with --animate",
                    field="--out",
                )
            )
