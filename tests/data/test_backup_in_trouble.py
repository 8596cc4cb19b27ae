"""A backup or restore whose server dies or whose disk fills leaves all as it was."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
import time
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from data import backup, schema
from data.backup import RestoreFailed
from gis.cluster import Cluster
from gis.database import Database
from gis.errors import Unavailable
from gis.settings import DatabaseSettings
from tests import conftest, factories
from tests.data.test_backup import contents, names

if TYPE_CHECKING:
    from collections.abc import Iterator


def test_server_that_dies_during_a_restore() -> None:
    with tempfile.TemporaryDirectory(prefix="wangge-dies-", dir=conftest.MEMORY) as folder:
        Path(folder).chmod(0o755)
        settings = DatabaseSettings(data_dir=Path(folder) / "data", durable=False)
        with Database.open(settings) as database:
            assert database.cluster is not None
            schema.upgrade(database)
            file = Path(folder) / "b.tar"
            backup.backup(database, file)

            def die(step: str) -> None:
                if "comparing" in step:
                    database.cluster.kill()
                    while database.cluster.is_running():
                        time.sleep(0.01)

            with pytest.raises(RestoreFailed):
                backup.restore(database, settings, file, say=die)
            database.cluster.start()
            database.engine.dispose()
            left = names(database)
            assert len(left) == 1
            assert backup.clear_leftovers(database) == left
            assert names(database) == []


@contextmanager
def small_disk(megabytes: int, place: Path) -> Iterator[Path]:
    """A file system of that size, where this process may mount one."""
    place.mkdir(mode=0o755, exist_ok=True)
    if os.geteuid() != 0:
        pytest.skip("a small disk is mounted by root only: run this test as root")
    options = f"size={megabytes}m,mode=0755"
    done = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", options, "tmpfs", str(place)],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    if done.returncode:
        pytest.skip(f"this machine does not let us mount a small disk: {done.stderr.strip()}")
    try:
        yield place
    finally:
        subprocess.run(["umount", "-l", str(place)], check=True)


def test_disk_that_fills_during_a_backup(shared_database: Database, tmp_path: Path) -> None:
    with small_disk(1, tmp_path / "disk") as disk:
        (disk / "other").write_bytes(b"x" * (900 << 10))
        with pytest.raises(Unavailable, match="nothing was written") as caught:
            backup.backup(shared_database, disk / "b.tar")
        assert "No space left" in str(caught.value)
        assert [each.name for each in disk.iterdir()] == ["other"]


def test_disk_that_fills_during_a_restore(monkeypatch: pytest.MonkeyPatch) -> None:
    with (
        tempfile.TemporaryDirectory(prefix="wangge-full-", dir=conftest.MEMORY) as folder,
        small_disk(220, Path(folder) / "disk") as disk,
    ):
        Path(folder).chmod(0o755)
        cluster = Cluster(disk / "data", durable=False)
        cluster.start()
        # The server's own log lies elsewhere: it is the tables that find no room.
        cluster.stop()
        log = Path(folder) / "log"
        subprocess.run(["mv", str(cluster.pgdata / "pg_wal"), str(log)], check=True)
        (cluster.pgdata / "pg_wal").symlink_to(log)
        settings = DatabaseSettings(data_dir=disk / "data")
        with Database(cluster.start(), settings, cluster) as database:
            schema.upgrade(database)
            with database.transaction() as session:
                factories.county(session)
            file = Path(folder) / "b.tar"
            backup.backup(database, file)
            before = contents(database)
            with (disk / "other").open("wb") as other:
                free = shutil.disk_usage(disk).free
                # Room for the empty copy that a restore begins with, not for what goes into it.
                other.write(b"x" * max(0, free - (12 << 20)))
            with pytest.raises(RestoreFailed, match="MB of room") as caught:
                backup.restore(database, settings, file)
            assert "the database is as it was" in str(caught.value)
            monkeypatch.setattr(backup, "_check_room", lambda *_: None)
            with pytest.raises(RestoreFailed, match="No space left"):
                backup.restore(database, settings, file)
            assert contents(database) == before
            assert names(database) == []
            (disk / "other").unlink()
            backup.restore(database, settings, file)
            assert contents(database) == before
