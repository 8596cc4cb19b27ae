"""``wangge locate``: one place on the database, or a file of points against a file of grids."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer

from api.commands.locate_files import locate_files
from api.commands.shared import AsJson, DataDir, moment, open_database, out, print_json
from api.schemas.places import LocateOut
from gis.wording import counted
from grids.incidents import asking
from grids.incidents.categories import check_category
from grids.incidents.responsibility import REASONS, Answer, Nearest, answer, position, told
from grids.people.roster import VERDICTS

app = typer.Typer(rich_markup_mode=None)


@app.command(
    epilog="Example: wangge locate 116.6 44.9 --accuracy 20    or: wangge locate --grids "
    "grids.gpkg --points incidents.csv --out located.csv --id code",
    context_settings={"ignore_unknown_options": True},
)
def _locate(
    lon: Annotated[float | None, typer.Argument(help="Longitude or easting")] = None,
    lat: Annotated[float | None, typer.Argument(help="Latitude or northing")] = None,
    crs: Annotated[str, typer.Option(help="wgs84, cgcs2000, gcj02, bd09, EPSG:n")] = "auto",
    accuracy: Annotated[
        float | None, typer.Option(help="68 % radius of the position's error, metres")
    ] = None,
    at: Annotated[str | None, typer.Option(help="At which moment; now when left out")] = None,
    category: Annotated[
        str | None, typer.Option(help="Of an incident: its departments answer too")
    ] = None,
    explain: Annotated[
        bool, typer.Option("--explain", help="Also who could have been called, and why not")
    ] = False,
    grids: Annotated[Path | None, typer.Option(help="Layer of grids: FILE or 'FILE|LAYER'")] = None,
    points: Annotated[
        Path | None, typer.Option(help="Points: the same, or a folder of Parquet files")
    ] = None,
    out_file: Annotated[
        Path | None, typer.Option("--out", help=".csv or .parquet, else a folder of Parquet files")
    ] = None,
    id_column: Annotated[str, typer.Option("--id", help="Column of the grids")] = "code",
    lon_column: Annotated[str | None, typer.Option("--lon", help="Column of the points")] = None,
    lat_column: Annotated[str | None, typer.Option("--lat", help="Column of the points")] = None,
    resume: Annotated[
        bool, typer.Option("--resume", help="Go on with a run on files that was ended")
    ] = False,
    scheduler: Annotated[
        str | None,
        typer.Option(help="Files over Dask: tcp://HOST:8786, or local:N for N processes"),
    ] = None,
    data_dir: DataDir = None,
    as_json: AsJson = False,
) -> None:
    """Which grid a place belongs to, and who answers for it.

    On a shared border the grid with the smallest code (or --id) answers.
    """
    if accuracy is not None and not 0 < accuracy <= 100_000:  # NaN too
        raise typer.BadParameter("give metres above 0, up to 100,000", param_hint="--accuracy")
    if lon is not None and lat is not None:
        _one(
            lon, lat, crs, accuracy, at, data_dir,
            category=category, explain=explain, as_json=as_json,
        )  # fmt: skip
    elif grids is not None and points is not None and out_file is not None:
        locate_files(
            grids, points, out_file, id_column=id_column, lon=lon_column, lat=lat_column, crs=crs,
            resumes=resume, scheduler=scheduler, as_json=as_json,
        )  # fmt: skip
    else:
        raise typer.BadParameter("give either LON LAT, or --grids, --points and --out")


def _one(
    lon: float,
    lat: float,
    crs: str,
    accuracy: float | None,
    at: str | None,
    data_dir: Path | None,
    *,
    category: str | None,
    explain: bool,
    as_json: bool,
) -> None:
    system = "wgs84" if crs == "auto" else crs
    x, y = position(lon, lat, system)
    when = moment(at, "--at") or datetime.now(UTC)
    with open_database(data_dir) as database, database.transaction() as session:
        if category is not None:
            check_category(session, category)
        found = answer(
            session, x, y, at=when, accuracy_m=accuracy, matter=category, explain=explain
        )
        found = told(session, found)
        if as_json:
            print_json(LocateOut.of(found, system, category).model_dump(mode="json"))
        else:
            _tell(found, category)


def _tell(found: Answer, category: str | None) -> None:
    place = " > ".join(unit.name for unit in found.units) or "no known unit"
    out.print(f"{found.lon:.6f}, {found.lat:.6f}  {place}")
    if found.grid is None:
        out.print(f"[bold]no grid[/]: {REASONS[found.reason][1]}")
        if found.nearest is not None:
            out.print(_nearest(found.nearest), markup=False)
    else:
        grid = found.grid
        out.print(
            f"grid [bold]{grid.code}[/] {grid.name}: {counted(grid.households, 'household')}, "
            f"{found.distance_to_border_m:,.0f} m to the border"
        )
        for over, words in ((found.exclusive, ", which has priority"), (found.micro, " (micro)")):
            if over is not None:
                out.print(f"within {over.code} {over.name}{words}", markup=False)
        _tell_people(found, category)
        if found.duties is not None:
            out.print("emergency roster" if found.duties.is_emergency else "normal roster")
            for one in found.duties.considered:
                out.print(f"  {one.name} ({one.role}) {VERDICTS[one.verdict][1]}", markup=False)
    if (asked := asking.sentence(found, "en")) is not None:
        out.print(asked, markup=False)
    if found.confidence is not None:
        out.print(f"confidence {found.confidence:.1%}" + (": ask back" if found.ask_back else ""))
        for candidate in found.candidates[:5]:
            out.print(f"  {candidate.code} {candidate.share:.1%}")


def _tell_people(found: Answer, category: str | None) -> None:
    if found.reason == "nobody":
        out.print(f"  {REASONS['nobody'][1]}")
    for each in found.responsible:
        out.print(f"  {each.name} ({each.role}): {REASONS[each.reason][1]}", markup=False)
    for department in found.departments:
        leads = "leads" if department.matters[category or ""] else "joins in"
        out.print(f"  {department.name} {leads} this matter", markup=False)


def _nearest(found: Nearest) -> str:
    """The nearest grid by code and names, as ``示范村1 (Demo Village 1)``."""
    names = [found.name] if found.name else []
    if found.unit is not None:
        other = f" ({found.unit.name_en})" if found.unit.name_en else ""
        names.append(f"{found.unit.name}{other}")
    words = " ".join([f"nearest grid {found.code}", ", ".join(names)]).rstrip()
    return f"{words}, {found.distance_m:,.0f} m away"
