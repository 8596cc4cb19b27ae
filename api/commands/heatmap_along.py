"""``wangge heatmap --along``: the density of incidents along streets."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final, cast

from api.commands.heatmap_sources import Bandwidth, Period
from api.commands.layers import read_layer, read_points, read_times
from api.commands.shared import open_database, out
from gis.errors import BadInput, Problem
from gis.wording import counted
from grids.incidents.repository import Filter
from maps import heatmap_text
from maps.layer_files import write_layer
from maps.looks import enter_places
from maps.network import density, words
from maps.network.layer import pieces
from maps.network.page import write_html
from maps.network.service import incident_density
from maps.network.sheet import write_png
from maps.service import closed

if TYPE_CHECKING:
    from maps.heatmap_text import Language
    from maps.print_furniture import Paper

DATABASE: Final = Path("database")
"""Stands for a file where the streets of the database are meant."""
_SUFFIXES: Final = (".html", ".htm", ".png", ".pdf", ".gpkg", ".geojson", ".parquet")


@dataclass(frozen=True, slots=True)
class Wanted:
    """What was asked for; `columns` are longitude, latitude, time and category of the points."""

    along: Path
    path: Path
    points: Path | None
    columns: tuple[str | None, str | None, str | None, str | None]
    crs: str
    timezone: str
    period: Period
    categories: tuple[str, ...]
    bandwidth: Bandwidth
    lixel_m: float | None
    kernel: str
    title: str
    place: str
    language: Language
    paper: Paper
    line_crs: str
    data_dir: Path | None


def run(wanted: Wanted, *, unused: Mapping[str, object]) -> None:
    """Make and write the map.

    Raises
    ------
    BadInput
        An option of `unused` is given, which such a map has not; all that is wrong at once.
    """
    _check(wanted, unused)
    made = _of_database(wanted) if wanted.points is None else _of_file(wanted, wanted.points)
    wanted.path.parent.mkdir(parents=True, exist_ok=True)
    match wanted.path.suffix.lower():
        case ".html" | ".htm":
            write_html(made, wanted.path)
        case ".png" | ".pdf":
            write_png(made, wanted.path, language=wanted.language, paper=wanted.paper)
        case _:
            write_layer(pieces(made, wanted.line_crs), wanted.path, layer="density")
    out.print(
        f"{counted(made.n, 'event')} on "
        f"{made.length_m.sum() / 1000:,.1f} km of street; "
        f"{heatmap_text.period(made, 'en')}; bandwidth {made.bandwidth_m:g} m; highest "
        f"{made.maximum:.3g} {words.word('unit', 'en')}"
    )
    out.print(" ".join(words.notes(made, "en")))
    out.print(f"written to {wanted.path}")


def _check(wanted: Wanted, unused: Mapping[str, object]) -> None:
    problems = [
        Problem(
            "a density along streets shows single incidents, and may not leave the case team",
            "Leave --along out: a shared map is a density per km2"
            if name == "--shared"
            else f"Leave {name} out, or --along",
            field=name,
        )
        if name == "--shared"
        else Problem(f"{name} does not go with --along", "Leave one of them out", field=name)
        for name, given in unused.items()
        if given
    ]
    if wanted.bandwidth == "auto":
        problems.append(
            Problem(
                "no bandwidth along streets is found from the events",
                "Give metres, such as 150 or 300",
                field="--bandwidth",
            )
        )
    if wanted.kernel not in density.KERNELS:
        problems.append(
            Problem(f"'{wanted.kernel}' is no kernel", "quartic or gaussian", field="--kernel")
        )
    if wanted.path.suffix.lower() not in _SUFFIXES:
        problems.append(
            Problem(
                f"cannot write '{wanted.path.suffix}'",
                f"Use one of: {', '.join(_SUFFIXES)}",
                field="--out",
            )
        )
    if wanted.points is not None and wanted.along == DATABASE:
        problems.append(
            Problem(
                "points from a file, streets from the database",
                "Give the streets as a file too, or leave --points out",
                field="--along",
            )
        )
    if wanted.categories and wanted.points is not None and wanted.columns[3] is None:
        problems.append(
            Problem(
                "--category asks for some, and no column of the points is named for it",
                "Name it with --category-column",
                field="--category",
            )
        )
    if problems:
        raise BadInput(problems)


def _of_database(wanted: Wanted) -> density.NetworkDensity:
    lines = None if wanted.along == DATABASE else read_layer(wanted.along)
    with open_database(wanted.data_dir) as database, database.transaction(timeout_s=0) as session:
        asked = Filter(start=wanted.period[0], end=wanted.period[1], categories=wanted.categories)
        enter_places(session, asked)
        return incident_density(
            session,
            asked,
            lines,
            bandwidth_m=cast("float", wanted.bandwidth),
            kernel=cast("density.Kernel", wanted.kernel),
            lixel_m=wanted.lixel_m,
            timezone=wanted.timezone,
            title=wanted.title,
        )


def _of_file(wanted: Wanted, points: Path) -> density.NetworkDensity:
    lon_name, lat_name, time, category = wanted.columns
    lines = read_layer(wanted.along)
    frame, lon, lat = read_points(points, lon=lon_name, lat=lat_name, crs=wanted.crs)
    moments = read_times(frame, points, time, wanted.timezone)
    if not moments.notna().any():
        raise BadInput(
            Problem(
                "no row has a time that can be read", "Name its column with --time", points.name
            )
        )
    start, end = closed(*wanted.period, moments.min(), moments.max())
    chosen = moments.notna() & (moments >= start) & (moments < end)
    if category is not None and category not in frame.columns:
        raise BadInput(
            Problem(
                f"there is no column '{category}'",
                f"There are: {', '.join(map(str, frame.columns))}",
                points.name,
                field="--category-column",
            )
        )
    if wanted.categories:
        chosen &= frame[category].astype(str).isin(wanted.categories)
    inside = chosen.to_numpy()
    return density.along(
        lon[inside],
        lat[inside],
        lines,
        start=start,
        end=end,
        bandwidth_m=cast("float", wanted.bandwidth),
        kernel=cast("density.Kernel", wanted.kernel),
        lixel_m=wanted.lixel_m,
        timezone=wanted.timezone,
        title=wanted.title,
        place=wanted.place,
        category="、".join(wanted.categories),
        category_en=", ".join(wanted.categories),
        source=f"{points.name}, {wanted.along.name}",
    )
