"""``wangge heatmap``: the density of points or of the database's incidents, in real units."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from api.commands.layers import read_layer, read_points, read_times, write_layer
from api.commands.shared import DataDir, moment, open_database, out, server_settings
from gis.errors import BadInput, Problem
from grids.incidents.repository import Filter
from maps import heatmap_text, raster
from maps.contours import contours
from maps.folium_map import write_html
from maps.heatmap import Heatmap, build
from maps.print_map import write_png
from maps.service import current_grids, incident_heatmap

if TYPE_CHECKING:
    from datetime import datetime

    import geopandas as gpd

app = typer.Typer(rich_markup_mode=None)


@app.command(
    epilog="Example: wangge heatmap --category neighbour --from 2026-01-01 --to 2026-07-01 "
    "--out map.html    or, from a file: wangge heatmap --points crimes.parquet --time time "
    "--area city.gpkg --out map.png"
)
def _heatmap(
    out_file: Annotated[
        Path,
        typer.Option("--out", help=".html (opens offline), .png, .pdf, .tif, .gpkg, .geojson"),
    ],
    points: Annotated[Path | None, typer.Option(help="File of points; else the database")] = None,
    area: Annotated[Path | None, typer.Option(help="Where events can happen")] = None,
    unit: Annotated[
        str | None, typer.Option(help="Code of the unit to map; the whole county when left out")
    ] = None,
    category: Annotated[list[str] | None, typer.Option(help="May be repeated")] = None,
    since: Annotated[str | None, typer.Option("--from", help="First day or moment")] = None,
    until: Annotated[
        str | None, typer.Option("--to", help="First day or moment after the period")
    ] = None,
    bandwidth: Annotated[float, typer.Option(help="Of the Gaussian kernel, metres")] = 300,
    cell: Annotated[float | None, typer.Option(help="Side of a raster cell, metres")] = None,
    per: Annotated[str, typer.Option(help="km2 or households (per 1,000)")] = "km2",
    buildings: Annotated[
        Path | None, typer.Option(help="With households, for --per households with --points")
    ] = None,
    grids: Annotated[Path | None, typer.Option(help="Outlines to draw on it")] = None,
    title: Annotated[str, typer.Option(help="Heading of the map")] = "",
    place: Annotated[str, typer.Option(help="Name of the place, with --points")] = "",
    language: Annotated[str, typer.Option(help="zh or en; HTML has both")] = "zh",
    lon: Annotated[str | None, typer.Option(help="Column of the points")] = None,
    lat: Annotated[str | None, typer.Option(help="Column of the points")] = None,
    time: Annotated[str | None, typer.Option(help="Column of the points")] = None,
    crs: Annotated[str, typer.Option(help="auto, wgs84, cgcs2000, gcj02, bd09, EPSG:n")] = "auto",
    timezone: Annotated[str | None, typer.Option(help="Zone of times without one")] = None,
    shared: Annotated[
        bool, typer.Option("--shared", help="Leaves the case team: counts under 5 are hidden")
    ] = False,
    data_dir: DataDir = None,
) -> None:
    """Density of incidents per km2 (or per 1,000 households) per 30 days, corrected at edges."""
    if per not in {"km2", "households"}:
        raise BadInput(Problem(f"'{per}' is no denominator", "km2 or households", field="--per"))
    if language not in {"zh", "en"}:
        raise BadInput(Problem(f"'{language}' is no language here", "zh or en", field="--language"))
    period = moment(since, "--from"), moment(until, "--to")
    outlines = read_layer(grids) if grids else None
    if points is not None:
        made = _of_file(
            points, area, buildings, (lon, lat, time), crs, timezone, period,
            bandwidth_m=bandwidth, cell_m=cell or max(10.0, bandwidth / 6), per=per,
            case_team=not shared, title=title, place=place,
        )  # fmt: skip
    else:
        with open_database(data_dir) as database, database.transaction(timeout_s=0) as session:
            made = incident_heatmap(
                session,
                Filter(start=period[0], end=period[1], categories=tuple(category or ())),
                bandwidth_m=bandwidth,
                cell_m=cell,
                unit=unit,
                per="households" if per == "households" else "km2",
                timezone=timezone or server_settings().timezone,
                case_team=not shared,
                title=title,
            )
            if outlines is None:
                outlines = current_grids(session)
    _write(made, out_file, outlines, language)
    out.print(
        f"{heatmap_text.count(made, 'en')} events; {heatmap_text.period(made, 'en')}; bandwidth "
        f"{bandwidth:g} m; highest {made.maximum:.3g} {heatmap_text.unit(made, 'en')}"
    )
    out.print(f"written to {out_file}")


def _of_file(
    points: Path,
    area: Path | None,
    buildings: Path | None,
    names: tuple[str | None, str | None, str | None],
    crs: str,
    timezone: str | None,
    period: tuple[datetime | None, datetime | None],
    **options: Any,
) -> Heatmap:
    frame, lon, lat = read_points(points, lon=names[0], lat=names[1], crs=crs)
    moments = read_times(frame, points, names[2], timezone or server_settings().timezone)
    known = moments.notna()
    if not known.any():
        raise BadInput(
            Problem("no row has a time that can be read", "Name its column with --time",
                    source=points.name)
        )  # fmt: skip
    start = period[0] or moments[known].min()
    end = period[1] or moments[known].max() + timedelta(seconds=1)
    inside = (known & (moments >= start) & (moments < end)).to_numpy()
    homes = None
    if options["per"] == "households":
        if buildings is None:
            raise BadInput(
                Problem("households are not known", "Give them with --buildings", field="--per")
            )
        layer = read_layer(buildings).to_crs(4326)
        middle = layer.geometry.representative_point()
        homes = (middle.x.to_numpy(), middle.y.to_numpy(), layer["households"].to_numpy(float))
    return build(
        lon[inside],
        lat[inside],
        start=start,
        end=end,
        area=read_layer(area).to_crs(4326).geometry if area else None,
        households=homes,
        timezone=timezone or server_settings().timezone,
        source=points.name,
        **options,
    )


def _write(made: Heatmap, path: Path, outlines: gpd.GeoDataFrame | None, language: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    match path.suffix.lower():
        case ".html" | ".htm":
            write_html(made, path, grids=outlines)
        case ".png" | ".pdf":
            write_png(made, path, grids=outlines, language="en" if language == "en" else "zh")
        case ".tif" | ".tiff":
            raster.write_geotiff(made, path)
        case ".gpkg" | ".geojson" | ".parquet":
            write_layer(contours(made), path, layer="density")
        case other:
            raise BadInput(
                Problem(
                    f"cannot write '{other}'", "Use .html, .png, .pdf, .tif, .gpkg or .geojson",
                    field="--out",
                )
            )  # fmt: skip
