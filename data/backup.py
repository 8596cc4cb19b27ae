"""Backups that are checked when made, and restores that never touch what works until they are done.

A backup is one tar file: ``manifest.json`` (release, schema, rows of each table, checksum) and
``database.dump`` in PostgreSQL's custom format.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import subprocess
import tarfile
import tempfile
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import sqlalchemy as sa

from data import schema
from gis.cluster import find_bin
from gis.database import Database
from gis.errors import BadInput, Conflict, Problem, Unavailable

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from gis.settings import DatabaseSettings

FORMAT: Final = "wangge-backup-1"
BLOCK: Final = 2**20


class BackupDamaged(BadInput):
    """The file is no backup of ours, is cut short, or was changed."""


class RestoreFailed(Unavailable):
    """The restore did not go through; the database is as it was."""


@dataclass(frozen=True, slots=True)
class Manifest:
    """What a backup holds."""

    release: str
    revision: str
    made_at: str
    dump_sha256: str
    rows: dict[str, int]

    def as_json(self) -> dict[str, Any]:
        """As written to the file."""
        return {
            "format": FORMAT,
            "release": self.release,
            "revision": self.revision,
            "made_at": self.made_at,
            "dump_sha256": self.dump_sha256,
            "rows": self.rows,
        }


def backup(database: Database, path: Path) -> Manifest:
    """Write a backup; the file appears only when it is whole.

    Raises
    ------
    Conflict
        The file is there already.
    Unavailable
        The dump failed, or the disk is full; nothing is left behind.
    """
    if path.exists():
        raise Conflict(f"{path} is there already: backups are not overwritten")
    path.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=".wangge-backup-", dir=path.parent) as folder:
        dump = Path(folder) / "database.dump"
        with database.engine.connect() as connection:
            # The rows are counted in the very snapshot that is dumped.
            connection.execute(
                sa.text("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY")
            )
            snapshot = connection.scalar(sa.text("SELECT pg_export_snapshot()"))
            _run(
                database,
                "pg_dump",
                ["--format=custom", "--no-owner", f"--snapshot={snapshot}", "-f", str(dump)],
                "the backup failed",
            )
            rows = count_rows(connection)
        manifest = Manifest(
            release=version("wangge"),
            revision=str(schema.status(database).current),
            made_at=datetime.now(UTC).isoformat(timespec="seconds"),
            dump_sha256=_sha256(dump),
            rows=rows,
        )
        described = Path(folder) / "manifest.json"
        described.write_text(json.dumps(manifest.as_json(), indent=2), encoding="utf-8")
        whole = Path(folder) / "whole.tar"
        try:
            with tarfile.open(whole, "w") as tar:
                for file in (described, dump):
                    tar.add(file, arcname=file.name)
            with whole.open("rb") as written:
                os.fsync(written.fileno())
        except OSError as error:
            raise Unavailable(
                f"the backup failed: {error.strerror}; nothing was written"
            ) from error
        verify(whole)
        whole.rename(path)
    return manifest


def verify(path: Path) -> Manifest:
    """Read a backup through and compare it with its manifest.

    Raises
    ------
    BackupDamaged
        Says what is wrong with it.
    """
    with _unpacked(path, keep_dump=False) as (manifest, _):
        return manifest


def restore(
    database: Database,
    settings: DatabaseSettings,
    path: Path,
    *,
    say: Callable[[str], None] = lambda _: None,
) -> Manifest:
    """Put a backup in the place of the database.

    It is restored beside the present one, migrated and counted; only then do the two change
    names, and the old one goes. Whatever fails before leaves the database as it was.

    Raises
    ------
    BackupDamaged
        The file is not whole.
    RestoreFailed
        It did not go through; the text says why.
    """
    name = str(database.url.database)
    fresh = f"{name}_restore_{os.getpid()}"
    old = f"{name}_before_{os.getpid()}"
    say("checking the file")
    with _unpacked(path, keep_dump=True) as (manifest, dump):
        admin = _admin(database)
        try:
            with admin.connect() as connection:
                connection.execute(sa.text(f'CREATE DATABASE "{fresh}" TEMPLATE template0'))
            beside = Database(
                database.url.set(database=fresh).render_as_string(hide_password=False), settings
            )
            try:
                say("restoring beside the present database")
                _run(
                    beside,
                    "pg_restore",
                    ["--no-owner", "--exit-on-error", "--single-transaction", str(dump)],
                    "the restore failed",
                    dbname=True,
                )
                say("comparing with what was backed up")
                with beside.engine.connect() as connection:
                    found = count_rows(connection)
                different = {
                    table: (rows, found.get(table, 0))
                    for table, rows in manifest.rows.items()
                    if found.get(table, 0) != rows
                }
                if different:
                    raise RestoreFailed(f"restored rows differ from the backup's: {different}")
                schema.upgrade(beside)
            finally:
                beside.engine.dispose()
            say("changing over")
            database.engine.dispose()
            with admin.connect() as connection:
                _change_over(connection, name, fresh, old)
        except (sa.exc.DBAPIError, RestoreFailed) as error:
            with admin.connect() as connection:
                connection.execute(sa.text(f'DROP DATABASE IF EXISTS "{fresh}" WITH (FORCE)'))
            if isinstance(error, RestoreFailed):
                raise
            raise RestoreFailed(
                f"the restore failed, the database is as it was: {error.orig}"
            ) from error
        finally:
            admin.dispose()
    return manifest


def _change_over(connection: sa.Connection, name: str, fresh: str, old: str) -> None:
    for database in (name, fresh):
        connection.execute(
            sa.text(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
                "WHERE datname = :name AND pid <> pg_backend_pid()"
            ),
            {"name": database},
        )
    connection.execute(sa.text(f'ALTER DATABASE "{name}" RENAME TO "{old}"'))
    try:
        connection.execute(sa.text(f'ALTER DATABASE "{fresh}" RENAME TO "{name}"'))
    except sa.exc.DBAPIError:
        connection.execute(sa.text(f'ALTER DATABASE "{old}" RENAME TO "{name}"'))
        raise
    connection.execute(sa.text(f'DROP DATABASE "{old}" WITH (FORCE)'))


@contextmanager
def _unpacked(path: Path, *, keep_dump: bool) -> Iterator[tuple[Manifest, Path]]:
    with tempfile.TemporaryDirectory(prefix=".wangge-restore-", dir=path.parent) as folder:
        target = Path(folder) / "database.dump"
        try:
            with tarfile.open(path, "r:") as tar:
                described = tar.extractfile("manifest.json")
                if described is None:
                    raise KeyError("manifest.json")
                document = json.loads(described.read(BLOCK))
                if document.get("format") != FORMAT:
                    raise KeyError("format")
                manifest = Manifest(
                    **{name: document[name] for name in Manifest.__slots__},
                )
                digest = hashlib.sha256()
                source = tar.extractfile("database.dump")
                if source is None:
                    raise KeyError("database.dump")
                with target.open("wb") if keep_dump else Path(os.devnull).open("wb") as copy:
                    while block := source.read(BLOCK):
                        digest.update(block)
                        copy.write(block)
        except (tarfile.TarError, KeyError, ValueError, EOFError) as error:
            raise BackupDamaged(
                Problem(f"this is no whole backup of wangge's ({error})", source=str(path))
            ) from error
        except FileNotFoundError:
            raise BadInput(Problem("there is no such file", source=str(path))) from None
        except OSError as error:
            raise RestoreFailed(
                f"unpacking {path} failed: {error.strerror}; the database is as it was"
            ) from error
        if digest.hexdigest() != manifest.dump_sha256:
            raise BackupDamaged(
                Problem(
                    "its content was changed or damaged since it was made",
                    "Use another backup",
                    source=str(path),
                )
            )
        yield manifest, target


def _admin(database: Database) -> sa.Engine:
    """An engine on the maintenance database of the same server."""
    return sa.create_engine(
        database.url.set(database="postgres"), isolation_level="AUTOCOMMIT", poolclass=sa.NullPool
    )


def count_rows(connection: sa.Connection) -> dict[str, int]:
    """Rows of each of our tables."""
    names = connection.scalars(
        sa.text(
            "SELECT c.relname FROM pg_class AS c WHERE c.relnamespace = 'public'::regnamespace "
            "AND c.relkind IN ('r', 'p') AND NOT c.relispartition "
            "AND c.relname NOT IN ('spatial_ref_sys', 'alembic_version') ORDER BY 1"
        )
    ).all()
    return {
        name: int(connection.scalar(sa.text(f'SELECT count(*) FROM "{name}"')) or 0)  # noqa: S608
        for name in names
    }


def _run(
    database: Database, program: str, options: list[str], failure: str, *, dbname: bool = False
) -> None:
    """Run one of PostgreSQL's programs against a database; its password goes by environment."""
    url = database.url
    host = url.host or str(url.query.get("host", ""))
    command = [str(_program(database, program)), "-w"]
    command += ["-h", host] if host else []
    command += ["-p", str(url.port)] if url.port else []
    command += ["-U", url.username] if url.username else []
    command += ["-d", str(url.database)] if dbname or program == "pg_dump" else []
    environment = {"PATH": os.environ.get("PATH", "/usr/bin:/bin"), "LC_ALL": "C.UTF-8"}
    if url.password:
        environment["PGPASSWORD"] = str(url.password)
    done = subprocess.run(  # noqa: S603 - our own programs, no shell
        [*command, *options],
        env=environment,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode != 0:
        lines = [line for line in done.stderr.splitlines() if "error" in line.lower()]
        raise RestoreFailed(
            f"{failure}, the database is as it was: {'; '.join(lines[:3]) or done.stderr.strip()}"
        )


def _program(database: Database, name: str) -> Path:
    """The program of the server's own major version, else whichever the machine has."""
    with database.engine.connect() as connection:
        major = int(connection.scalar(sa.text("SHOW server_version_num")) or 0) // 10_000
    own = Path(f"/usr/lib/postgresql/{major}/bin/{name}")
    if own.exists():
        return own
    found = shutil.which(name)
    return Path(found) if found else find_bin() / name


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
