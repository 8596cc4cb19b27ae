"""Backups that are checked when made, and restores that never touch what works until they are done.

A backup is one tar file: ``manifest.json`` (release, schema, rows of each table, checksum) and
``database.dump`` in PostgreSQL's custom format.
"""

from __future__ import annotations

import hashlib
import json
import logging
import os
import re
import shutil
import subprocess
import tarfile
import tempfile
import uuid
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, Final

import sqlalchemy as sa

from data import schema
from data.foreign_backups import BackupDamaged, refuse_foreign
from gis import guards, hardening
from gis.cluster import find_bin
from gis.database import Database
from gis.errors import BadInput, Conflict, Problem, Unavailable

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from gis.settings import DatabaseSettings

log = logging.getLogger("wangge.backup")

FORMAT: Final = "wangge-backup-1"
BLOCK: Final = 2**20
# The restored rows are written twice, once to the server's log, which takes some room besides.
LOG_ROOM: Final = 64 * 2**20
# With the token of a restore: an advisory lock that it holds for as long as it runs.
RESTORE_LOCK: Final = 0x77616E67


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
    bytes: int  # of the database on the server's disk

    def as_json(self) -> dict[str, Any]:
        """As written to the file."""
        return {
            "format": FORMAT,
            "release": self.release,
            "revision": self.revision,
            "made_at": self.made_at,
            "dump_sha256": self.dump_sha256,
            "rows": self.rows,
            "bytes": self.bytes,
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
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix=".wangge-backup-", dir=path.parent) as folder:
            return _backup(database, path, Path(folder))
    except OSError as error:
        raise Unavailable(f"the backup failed: {error.strerror}; nothing was written") from error


def _backup(database: Database, path: Path, folder: Path) -> Manifest:
    dump, whole = folder / "database.dump", folder / "whole.tar"
    with database.engine.connect() as connection:
        # The rows are counted in the very snapshot that is dumped.
        connection.execute(sa.text("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY"))
        connection.execute(sa.text("SET LOCAL statement_timeout = 0"))
        snapshot = connection.scalar(sa.text("SELECT pg_export_snapshot()"))
        _run(
            database,
            "pg_dump",
            ["--format=custom", "--no-owner", f"--snapshot={snapshot}", "-f", str(dump)],
            "the backup failed, nothing was written",
        )
        rows = count_rows(connection)
        size = connection.scalar(sa.text("SELECT pg_database_size(current_database())"))
    manifest = Manifest(
        release=version("wangge"),
        revision=str(schema.status(database).current),
        made_at=datetime.now(UTC).isoformat(timespec="seconds"),
        dump_sha256=_sha256(dump),
        rows=rows,
        bytes=int(size or 0),
    )
    described = folder / "manifest.json"
    described.write_text(json.dumps(manifest.as_json(), indent=2), encoding="utf-8")
    with tarfile.open(whole, "w") as tar:
        for file in (described, dump):
            tar.add(file, arcname=file.name)
    with whole.open("rb") as written:
        os.fsync(written.fileno())
    verify(whole)
    if path.exists():
        raise Conflict(f"{path} is there already: backups are not overwritten")
    whole.rename(path)
    return manifest


def verify(path: Path) -> Manifest:
    """Read a backup through and compare it with its manifest.

    Raises
    ------
    BackupDamaged
        Says what is wrong with it.
    """
    with _opened(path) as (manifest, dump):
        digest = hashlib.sha256()
        while block := dump.read(BLOCK):
            digest.update(block)
    if digest.hexdigest() != manifest.dump_sha256:
        raise BackupDamaged(
            Problem(
                "its content was changed or damaged since it was made",
                "Use another backup",
                source=str(path),
            )
        )
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
    names, in one transaction, and the old one goes. Whatever fails before leaves the database as
    it was. It takes no room but the database's own: the file is read as it is restored.

    Raises
    ------
    BackupDamaged
        The file is not whole.
    RestoreFailed
        It did not go through, or this release is too old for it; the text says why.
    """
    say("checking the file")
    manifest = verify(path)
    if manifest.revision not in schema.revisions():
        raise RestoreFailed(
            f"the backup has tables of revision {manifest.revision}, made by wangge "
            f"{manifest.release}: this release does not know it, use that one or a newer one"
        )
    clear_leftovers(database)
    _check_room(database, manifest)
    name = str(database.url.database)
    token = uuid.uuid4().hex[:12]
    # PostgreSQL cuts names at 63 bytes, and two that are cut alike would be one.
    fresh, old = f"{name[:40]}_restore_{token}", f"{name[:40]}_before_{token}"
    admin = _admin(database)
    running = admin.connect()
    _lock(running, token, wait=True)
    try:
        with admin.connect() as connection:
            # A dump names the role in its grants, and does not make it.
            hardening.ensure_role(connection)
            connection.execute(sa.text(f'CREATE DATABASE "{fresh}" TEMPLATE template0'))
        _fill(database, settings, fresh, path=path, manifest=manifest, say=say)
        say("changing over")
        database.dispose()
        with admin.connect() as connection:
            _change_over(connection, name, fresh, old)
    except sa.exc.DBAPIError as error:
        raise RestoreFailed(
            f"the restore failed, the database is as it was: {str(error.orig).strip()}"
        ) from error
    finally:
        _drop(admin, fresh, old)
        running.close()
        admin.dispose()
    return manifest


def clear_leftovers(database: Database) -> list[str]:
    """Drop what restores of this database left that were killed or whose server died.

    Those that still run hold a lock on theirs and keep it. A server that does not let us drop
    them keeps them too; that is logged, and is no failure.

    Returns
    -------
    Names of the databases that are gone.
    """
    ours = re.compile(
        re.escape(str(database.url.database)[:40]) + "_(restore|before)_([0-9a-f]{12})"
    )
    gone = []
    admin = _admin(database)
    try:
        with admin.connect() as connection:
            for name in connection.scalars(sa.text("SELECT datname FROM pg_database")).all():
                found = ours.fullmatch(name)
                if found and _lock(connection, found[2], wait=False):
                    connection.execute(sa.text(f'DROP DATABASE IF EXISTS "{name}" WITH (FORCE)'))
                    gone.append(name)
    except sa.exc.DBAPIError as error:
        log.warning("what is left over from a restore was not cleared: %s", error.orig)
    finally:
        admin.dispose()
    return gone


def _lock(connection: sa.Connection, token: str, *, wait: bool) -> bool:
    """Lock a restore until the connection is closed; False when it runs and we do not wait."""
    function = "pg_advisory_lock" if wait else "pg_try_advisory_lock"
    locked = connection.scalar(
        sa.text(f"SELECT {function}(:key, hashtext(:token))"),
        {"key": RESTORE_LOCK, "token": token},
    )
    return wait or bool(locked)


def _check_room(database: Database, manifest: Manifest) -> None:
    """Refuse what would fill the disk of our own server: without room for its log it goes down."""
    if database.cluster is None:
        return
    free = shutil.disk_usage(database.cluster.folder).free
    wanted = 2 * manifest.bytes + LOG_ROOM
    if free < wanted:
        raise RestoreFailed(
            f"the restore needs {wanted / 1e6:,.0f} MB of room in {database.cluster.folder}, and "
            f"there are {free / 1e6:,.0f} MB; the database is as it was"
        )


def _fill(
    database: Database,
    settings: DatabaseSettings,
    fresh: str,
    *,
    path: Path,
    manifest: Manifest,
    say: Callable[[str], None],
) -> None:
    """Restore into the fresh database, count and migrate it."""
    beside = Database(
        database.url.set(database=fresh).render_as_string(hide_password=False), settings
    )
    try:
        say("restoring beside the present database")
        with _opened(path) as (_, dump):
            _run(
                beside,
                "pg_restore",
                ["--no-owner", "--exit-on-error", "--single-transaction"],
                "the restore failed, the database is as it was",
                given=dump,
            )
        say("comparing with what was backed up")
        with beside.engine.connect() as connection:
            connection.execute(sa.text("SET LOCAL statement_timeout = 0"))
            found = count_rows(connection)
        different = [
            f"{table}: {found.get(table, 0)} instead of {rows}"
            for table, rows in sorted(manifest.rows.items())
            if found.get(table, 0) != rows
        ]
        if different:
            raise RestoreFailed(
                "the restore failed, the database is as it was: rows differ from the backup's, "
                + ", ".join(different)
            )
        schema.upgrade(beside)
        _end_sessions(beside)
    finally:
        beside.dispose()


def _end_sessions(beside: Database) -> None:
    """End every session: one that was ended since the backup was made must not come back."""
    with beside.engine.begin() as connection:
        connection.execute(
            sa.text(
                "UPDATE sessions SET ended_at = clock_timestamp(), ended_by = 'restore' "
                "WHERE ended_at IS NULL"
            )
        )


def _change_over(connection: sa.Connection, name: str, fresh: str, old: str) -> None:
    """Let the fresh database take the name, while nobody can come in between."""
    connection.execute(sa.text(f'ALTER DATABASE "{name}" ALLOW_CONNECTIONS false'))
    try:
        for database in (name, fresh):
            connection.execute(
                sa.text(
                    "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity "
                    "WHERE datname = :name AND pid <> pg_backend_pid()"
                ),
                {"name": database},
            )
        connection.execute(sa.text("BEGIN"))
        connection.execute(sa.text(f'ALTER DATABASE "{name}" RENAME TO "{old}"'))
        connection.execute(sa.text(f'ALTER DATABASE "{fresh}" RENAME TO "{name}"'))
        connection.execute(sa.text("COMMIT"))
    except sa.exc.DBAPIError:
        connection.execute(sa.text("ROLLBACK"))
        connection.execute(sa.text(f'ALTER DATABASE "{name}" ALLOW_CONNECTIONS true'))
        raise


def _drop(admin: sa.Engine, *names: str) -> None:
    """Drop what is left of a restore; a server that is gone keeps it, and that is no failure."""
    try:
        with admin.connect() as connection:
            for name in names:
                connection.execute(sa.text(f'DROP DATABASE IF EXISTS "{name}" WITH (FORCE)'))
    except sa.exc.OperationalError as error:
        log.warning(
            "left over from the restore until the next start: %s (%s)", ", ".join(names), error.orig
        )


@contextmanager
def _opened(path: Path) -> Iterator[tuple[Manifest, IO[bytes]]]:
    """The manifest of a backup, and its dump to read from.

    Raises
    ------
    BackupDamaged
        It is no backup of ours, or cut short; also while it is read.
    """
    refuse_foreign(path)
    try:
        with tarfile.open(path, "r:") as tar:
            text = _member(tar, "manifest.json").read(BLOCK)
            if guards.fault(text, "json") is not None:
                raise KeyError("manifest.json")
            document = json.loads(text)
            if not isinstance(document, dict) or document.get("format") != FORMAT:
                raise KeyError(f"the format {FORMAT}")
            manifest = Manifest(**{name: document[name] for name in Manifest.__slots__})
            yield manifest, _member(tar, "database.dump")
    except (tarfile.TarError, KeyError, ValueError, EOFError) as error:
        why = f"{error.args[0]} is missing" if isinstance(error, KeyError) else str(error)
        raise BackupDamaged(
            Problem(
                f"this tar file is no whole backup of wangge's ({why})",
                "Copy it again if it was cut short, or use another backup.",
                source=str(path),
            )
        ) from error
    except OSError as error:
        raise BadInput(Problem(f"it cannot be read: {error.strerror}", source=str(path))) from error


def _member(tar: tarfile.TarFile, name: str) -> IO[bytes]:
    """A file within a backup; KeyError with its name when it is not there."""
    try:
        member = tar.extractfile(name)
    except KeyError:
        member = None
    if member is None:
        raise KeyError(name)
    return member


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
    database: Database,
    program: str,
    options: list[str],
    failure: str,
    *,
    given: IO[bytes] | None = None,
) -> None:
    """Run one of PostgreSQL's programs against a database; its password goes by environment."""
    url = database.url
    host = url.host or str(url.query.get("host", ""))
    command = [str(_program(database, program)), "-w", "-d", str(url.database)]
    command += ["-h", host] if host else []
    command += ["-p", str(url.port)] if url.port else []
    command += ["-U", url.username] if url.username else []
    environment = {"PATH": os.environ.get("PATH", "/usr/bin:/bin"), "LC_ALL": "C.UTF-8"}
    if url.password:
        environment["PGPASSWORD"] = str(url.password)
    with tempfile.TemporaryFile() as said:
        running = subprocess.Popen(  # noqa: S603 - our own programs, no shell
            [*command, *options],
            env=environment,
            stdin=subprocess.DEVNULL if given is None else subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=said,
        )
        with running:
            if given is not None and running.stdin is not None:
                # A program that stops reading has said why.
                with suppress(BrokenPipeError), running.stdin as pipe:
                    shutil.copyfileobj(given, pipe, BLOCK)
        said.seek(0)
        text = said.read().decode("utf-8", "replace")
    if running.returncode != 0:
        lines = [line for line in text.splitlines() if "error" in line.lower()]
        raise RestoreFailed(f"{failure}: {'; '.join(lines[:3]) or text.strip()}")


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
