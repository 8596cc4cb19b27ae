"""``wangge db``: the database itself."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path
from typing import Annotated, Any

import sqlalchemy as sa
import typer
from rich.prompt import Confirm

from api.commands.shared import (
    AsJson,
    DataDir,
    database_settings,
    open_database,
    out,
    print_json,
    print_table,
    progress,
)
from data import backup as backups
from data import check as checks
from data import schema
from gis import audit
from gis.cluster import find_bin
from gis.database import Database
from gis.errors import BadInput, Missing, Problem
from gis.wording import counted

app = typer.Typer(no_args_is_help=True, rich_markup_mode=None)


@app.command(epilog="Example: wangge db status --json")
def status(data_dir: DataDir = None, as_json: AsJson = False) -> None:
    """Where the database is, its version, its tables and how much is in them."""
    settings = database_settings(data_dir)
    with Database.open(settings) as database:
        stand = schema.status(database)
        with database.engine.connect() as connection:
            server = connection.scalar(sa.text("SHOW server_version"))
            size = connection.scalar(sa.text("SELECT pg_database_size(current_database())"))
            rows = backups.count_rows(connection) if stand.current else {}
        about = {
            "database": database.url.render_as_string(hide_password=True),
            "embedded": str(settings.data_dir) if database.cluster else None,
            "server": server,
            "size_mb": round(int(size or 0) / 1e6, 1),
            "schema": stand.current,
            "release_schema": stand.head,
            "current": stand.is_current,
        }
        if as_json:
            print_json({**about, "rows": rows})
            return
        print_table(["", ""], about.items())
        out.print()
        print_table(["table", "rows"], rows.items())
        if not stand.is_current:
            out.print("\nRun 'wangge db upgrade' to bring its tables up to this release.")


@app.command(epilog="Example: wangge db upgrade")
def upgrade(data_dir: DataDir = None) -> None:
    """Make or migrate the tables, in one transaction."""
    with Database.open(database_settings(data_dir)) as database:
        before = schema.upgrade(database)
        if before.is_current:
            out.print(f"nothing to do: the database is at {before.head}")
        else:
            out.print(f"migrated from {before.current or 'nothing'} to {before.head}")


@app.command(epilog="Example: wangge db backup /srv/backups/wangge-2026-06-30.tar")
def backup(file: Path, data_dir: DataDir = None) -> None:
    """Write a backup, read it back and check it."""
    with open_database(data_dir) as database:
        _enter(database, "database.backup")
        manifest = backups.backup(database, file)
    out.print(
        f"{file}: {file.stat().st_size / 1e6:.1f} MB, "
        f"{counted(sum(manifest.rows.values()), 'row')} of "
        f"{counted(len(manifest.rows), 'table')}, checked"
    )


@app.command(epilog="Example: wangge db restore /srv/backups/wangge-2026-06-30.tar --yes")
def restore(
    file: Path,
    data_dir: DataDir = None,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask")] = False,
) -> None:
    """Put a backup in the place of the database; what fails leaves it as it was."""
    settings = database_settings(data_dir)
    with Database.open(settings) as database:
        manifest = backups.verify(file)
        if not yes and schema.status(database).current is not None:
            question = f"Replace {database.url.database} by the backup of {manifest.made_at}?"
            if not Confirm.ask(question, console=progress, default=False):
                raise typer.Exit(1)
        backups.restore(database, settings, file, say=progress.print)
        _enter(database, "database.restore", backup=manifest.dump_sha256)
    out.print(f"restored {counted(sum(manifest.rows.values()), 'row')} of {manifest.made_at}")
    out.print(
        "The audit log is that of the backup. Where anchors know more: wangge audit anchor "
        "--after-restore REASON"
    )


def _enter(database: Database, action: str, **detail: Any) -> None:
    """Enter what is done with the whole database, before or after it: committed on its own."""
    with database.transaction() as session:
        audit.record(
            session,
            actor=audit.Context.command_line().actor,
            action=action,
            object_kind="database",
            object_id="",
            fields=("*",),
            **detail,
        )


@app.command(epilog="Example: wangge db check --json")
def check(data_dir: DataDir = None, as_json: AsJson = False) -> None:
    """Verify every invariant on the whole database; exit 1 when one is broken."""
    with open_database(data_dir) as database, progress.status("checking") as shown:
        findings = checks.check(database, lambda name: shown.update(f"checking: {name}"))
    if as_json:
        print_json(
            [
                {"invariant": each.name, "breaches": [one.reason for one in each.breaches]}
                for each in findings
            ]
        )
    else:
        for each in findings:
            out.print(
                f"[{'green' if each.is_kept else 'bold red'}]"
                f"{'kept  ' if each.is_kept else 'BROKEN'}[/] {each.name}"
            )
            for breach in each.breaches:
                out.print(f"       {breach}", markup=False)
    if not all(each.is_kept for each in findings):
        raise typer.Exit(1)


@app.command(
    epilog="Example: wangge db psql -- -c 'SELECT count(*) FROM incidents'",
    context_settings={"allow_extra_args": True, "ignore_unknown_options": True},
)
def psql(context: typer.Context, data_dir: DataDir = None) -> None:
    """Open psql on the database; what follows -- goes to psql."""
    with Database.open(database_settings(data_dir)) as database:
        if schema.status(database).is_current:
            _enter(database, "database.open")
        url = database.url.set(drivername="postgresql")
        environment = {**os.environ}
        if url.password:
            environment["PGPASSWORD"] = str(url.password)
        program = find_bin() / "psql"
        if not program.exists():
            raise Missing("psql is not installed", "apt-get install -y postgresql-client-15")
        target = url.set(password=None).render_as_string()
        done = subprocess.run(  # noqa: S603 - our own program, no shell
            [str(program), target, *context.args], env=environment, check=False
        )
    if done.returncode:
        raise BadInput(Problem(f"psql ended with {done.returncode}"))
