"""``wangge import``: files in, a dry run unless told to commit."""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import Annotated

import typer

from api.commands.shared import (
    Actor,
    AsJson,
    DataDir,
    actor_name,
    database_settings,
    open_database,
    out,
    progress,
    server_settings,
)
from data.importers.columns import parse_map
from data.importers.report import check_rejected_name
from data.importers.run import KINDS, run_import
from gis.cluster import Cluster
from gis.database import Database
from gis.wording import counted

app = typer.Typer(rich_markup_mode=None)


def _database(
    data_dir: Path | None, *, commit: bool, wanted: bool
) -> AbstractContextManager[Database | None]:
    """The database to write to or look in; None where none is wanted, or a dry run finds none.

    A dry run makes neither the embedded database nor tables in an empty one.
    """
    if not wanted:
        return nullcontext()
    if commit:
        return open_database(data_dir)
    settings = database_settings(data_dir)
    if settings.database_url is None and not Cluster(settings.data_dir).exists():
        return nullcontext()
    return Database.open(settings)


@app.command(
    epilog="Example: wangge import buildings parcels.gpkg --map id=ML --map households=units "
    "--county 990121 --commit",
    help="Import a file. Kinds: "
    + ", ".join(KINDS)
    + ".\n\nA dry run with a report unless --commit. Then everything that passed is written in one "
    "transaction; the same file a second time changes nothing. Columns are known by their usual "
    "Chinese and English names (docs/importing.md); --map names the others.",
)
def _import(
    kind: Annotated[str, typer.Argument(help="What the file holds, such as units")],
    file: Annotated[Path, typer.Argument(help="Map layer, CSV, Excel, Parquet or .osm.pbf")],
    layer: Annotated[
        str | None, typer.Option(help="Layer or sheet; found when there is one, or one so named")
    ] = None,
    crs: Annotated[str, typer.Option(help="auto, wgs84, cgcs2000, gcj02, bd09 or EPSG:n")] = "auto",
    mapping: Annotated[
        list[str] | None,
        typer.Option("--map", help="field=column; field==text gives every row that text"),
    ] = None,
    default: Annotated[
        list[str] | None, typer.Option("--default", help="field=text where a cell is empty")
    ] = None,
    county: Annotated[
        str | None, typer.Option(help="6-digit county of the rows; not needed when there is one")
    ] = None,
    parent: Annotated[
        str | None, typer.Option(help="Code that short local unit codes are completed with")
    ] = None,
    source: Annotated[
        str | None, typer.Option(help="Name of the source; the file's name when left out")
    ] = None,
    encoding: Annotated[str | None, typer.Option(help="Of text, such as gbk or utf-8")] = None,
    timezone: Annotated[
        str | None, typer.Option(help="Zone of times without one; the installation's")
    ] = None,
    against: Annotated[
        Path | None, typer.Option(help="Layer known to be WGS 84, to tell a shifted file by")
    ] = None,
    commit: Annotated[bool, typer.Option("--commit", help="Write; otherwise a dry run")] = False,
    strict: Annotated[
        bool, typer.Option("--strict", help="Refuse the whole file when one row is rejected")
    ] = False,
    update: Annotated[
        bool,
        typer.Option(
            "--update", help="Correct records that are there by the fields of the file; add none"
        ),
    ] = False,
    complete: Annotated[
        bool,
        typer.Option(
            "--complete", help="The file is all of its source and county: take back what it lacks"
        ),
    ] = False,
    grid_kind: Annotated[
        str, typer.Option(help="What grids are: base, micro (in one base grid) or exclusive")
    ] = "base",
    where: Annotated[
        list[str] | None,
        typer.Option(help="Take only these rows: COLUMN OP VALUE, OP = != < <= > >= in begins"),
    ] = None,
    no_database: Annotated[
        bool, typer.Option("--no-database", help="Check the file alone")
    ] = False,
    rejected: Annotated[
        Path | None,
        typer.Option(
            help="Write the rejected rows there (.csv, .xlsx), each with reason and remedy"
        ),
    ] = None,
    data_dir: DataDir = None,
    actor: Actor = None,
    as_json: AsJson = False,
) -> None:
    if rejected is not None:
        check_rejected_name(rejected)
    with (
        _database(data_dir, commit=commit, wanted=not no_database) as database,
        progress.status("reading") as shown,
    ):
        report = run_import(
            kind,
            file,
            layer=layer,
            crs=crs,
            mapping=parse_map(mapping or ()),
            defaults=parse_map(default or (), option="--default"),
            county=county,
            parent=parent,
            source=source,
            encoding=encoding,
            timezone=timezone or server_settings().timezone,
            against=against,
            database=database,
            commit=commit,
            strict=strict,
            update=update,
            complete=complete,
            grid_kind=grid_kind,
            where=where or (),
            actor=actor_name(actor),
            progress=lambda step, share: shown.update(f"{step} {share:.0%}"),
        )
        if database is None and not no_database:
            report.note(
                "there is no database yet: only the file was checked, not what it refers to",
                "--commit makes one.",
            )
    written = None if rejected is None else report.write_rejected(rejected)
    nothing_kept = report.read > 0 and report.kept == 0
    if as_json:
        typer.echo(report.to_json())
        if nothing_kept:
            raise typer.Exit(1)
        return
    for line in report.lines():
        out.print(line, markup=False)
    if written is not None:
        which = counted(written, "rejected row is", "rejected rows are")
        out.print(f"{which} in {rejected}.", markup=False)
    if nothing_kept:
        every = "its only row is" if report.read == 1 else "every row is"
        out.print(f"Nothing can be written: {every} rejected.")
        raise typer.Exit(1)
    if not commit:
        out.print("Nothing was written. Add --commit to write it.")
