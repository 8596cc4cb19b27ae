"""The embedded cluster: starts, recovers, is shared, and says what is missing."""

from __future__ import annotations

import multiprocessing
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
import sqlalchemy as sa

from gis import cluster as cluster_module
from gis.cluster import Cluster, ClusterError, find_bin
from gis.errors import Missing

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture
def folder() -> Iterator[Path]:
    # Not tmp_path: root's PostgreSQL account cannot enter pytest's private folders.
    base = Path("/dev/shm") if os.access("/dev/shm", os.W_OK) else Path(tempfile.gettempdir())
    path = Path(tempfile.mkdtemp(prefix="wangge-cluster-", dir=base))
    path.chmod(0o755)
    yield path / "cluster"
    Cluster(path / "cluster").stop()
    shutil.rmtree(path)


def ask(url: str, sql: str) -> object:
    engine = sa.create_engine(url, poolclass=sa.NullPool)
    with engine.begin() as connection:
        result = connection.execute(sa.text(sql))
        return result.scalar() if result.returns_rows else None


def test_started_used_and_stopped_by_the_last_user(folder: Path) -> None:
    first, second = Cluster(folder, durable=False), Cluster(folder, durable=False)
    url = first.start()
    assert second.start() == url
    assert ask(url, "SELECT 1") == 1
    assert ask(url, "SHOW listen_addresses") == ""
    assert ask(url, "SHOW log_error_verbosity") == "terse"  # no row of anybody in the log
    first.release()
    assert second.is_running()
    second.release()
    assert not second.is_running()


def test_socket_folder_is_closed_to_others(folder: Path) -> None:
    cluster = Cluster(folder, durable=False)
    cluster.start()
    assert cluster.socket_folder.stat().st_mode & 0o077 == 0
    assert cluster.folder.stat().st_mode & 0o077 == 0
    cluster.release()


def test_long_path_gets_a_short_socket(folder: Path) -> None:
    cluster = Cluster(folder / ("long" * 30), durable=False)
    assert len(os.fsencode(cluster.socket_folder)) < 80
    url = cluster.start()
    assert ask(url, "SELECT 1") == 1
    cluster.release()
    shutil.rmtree(cluster.socket_folder)


def test_data_survives_kill_9_of_the_server(folder: Path) -> None:
    cluster = Cluster(folder)
    url = cluster.start()
    ask(url, "CREATE TABLE kept (n int)")
    ask(url, "INSERT INTO kept SELECT generate_series(1, 1000)")
    cluster.kill(signal.SIGKILL)
    while cluster.is_running():
        time.sleep(0.02)
    again = Cluster(folder)
    assert ask(again.start(), "SELECT count(*) FROM kept") == 1000
    again.release()
    cluster.release()


def test_a_server_that_dies_is_started_again(folder: Path) -> None:
    cluster = Cluster(folder)
    url = cluster.start()
    ask(url, "CREATE TABLE kept AS SELECT 1 AS n")
    stopping = threading.Event()
    keeper = threading.Thread(
        target=cluster.keep_running, args=(stopping,), kwargs={"every_s": 0.1}
    )
    keeper.start()
    before = cluster._server_pid()
    cluster.kill(signal.SIGKILL)
    deadline = time.monotonic() + 300
    while cluster._server_pid() in {None, before} and time.monotonic() < deadline:
        time.sleep(0.05)
    stopping.set()
    keeper.join()
    assert ask(url, "SELECT n FROM kept") == 1
    cluster.release()
    assert not cluster.is_running()


def test_kill_9_of_wangge_leaves_nothing_that_blocks(folder: Path) -> None:
    program = (
        "import sys, time; from pathlib import Path; from gis.cluster import Cluster\n"
        "Cluster(Path(sys.argv[1]), durable=False).start(); print('up', flush=True)\n"
        "time.sleep(60)"
    )
    with subprocess.Popen(
        [sys.executable, "-c", program, str(folder)], stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "up\n"
        process.kill()
    cluster = Cluster(folder, durable=False)
    assert ask(cluster.start(), "SELECT 1") == 1
    cluster.release()
    # The killed process is no user any more, so the last one could stop the server.
    assert not cluster.is_running()


def _start(folder: Path, answers: multiprocessing.Queue[object]) -> None:
    cluster = Cluster(folder, durable=False)
    answers.put(ask(cluster.start(), "SELECT count(*) FROM pg_database WHERE datname = 'wangge'"))
    cluster.release()


def test_starts_at_once_do_not_corrupt(folder: Path) -> None:
    context = multiprocessing.get_context("spawn")
    answers: multiprocessing.Queue[object] = context.Queue()
    several = [context.Process(target=_start, args=(folder, answers)) for _ in range(4)]
    for process in several:
        process.start()
    got = [answers.get(timeout=300) for _ in several]
    for process in several:
        process.join()
    assert got == [1, 1, 1, 1]
    assert [process.exitcode for process in several] == [0, 0, 0, 0]


def test_half_made_cluster_is_made_anew(folder: Path) -> None:
    (folder / "pgdata.new").mkdir(parents=True)
    (folder / "pgdata.new" / "PG_VERSION").write_text("15\n")
    cluster = Cluster(folder, durable=False)
    assert ask(cluster.start(), "SELECT 1") == 1
    cluster.release()


def test_stale_pid_file_of_a_reused_process_id_does_not_block(folder: Path) -> None:
    cluster = Cluster(folder, durable=False)
    cluster.start()
    cluster.release()
    (cluster.pgdata / "postmaster.pid").write_text(f"{os.getpid()}\n{cluster.pgdata}\n")
    assert not cluster.is_running()
    again = Cluster(folder, durable=False)
    assert ask(again.start(), "SELECT 1") == 1
    again.release()


def test_data_of_another_major_version_names_the_package(folder: Path) -> None:
    cluster = Cluster(folder, durable=False)
    cluster.start()
    cluster.release()
    (cluster.pgdata / "PG_VERSION").write_text("14\n")
    with pytest.raises(Missing, match=r"made by PostgreSQL 14.*pg_upgrade"):
        Cluster(folder, durable=False).start()
    (cluster.pgdata / "PG_VERSION").write_text("99\n")
    with pytest.raises(Missing, match="made by PostgreSQL 99") as caught:
        Cluster(folder, durable=False).start()
    assert caught.value.install == "apt-get install -y postgresql-99-postgis-3"
    (cluster.pgdata / "PG_VERSION").write_text("15\n")


def test_no_postgresql_names_the_package(monkeypatch: pytest.MonkeyPatch) -> None:
    real_glob = Path.glob

    def none_found(path: Path, pattern: str) -> Iterator[Path]:
        return iter(()) if "initdb" in pattern else real_glob(path, pattern)

    monkeypatch.setattr(cluster_module.Path, "glob", none_found)
    with pytest.raises(Missing, match="15 or newer is not installed") as caught:
        find_bin()
    assert "postgresql-15-postgis-3" in caught.value.install


def test_no_postgis_names_the_package(monkeypatch: pytest.MonkeyPatch) -> None:
    real_exists = Path.exists
    monkeypatch.setattr(
        cluster_module.Path,
        "exists",
        lambda path: False if path.name == "postgis.control" else real_exists(path),
    )
    with pytest.raises(Missing, match="without PostGIS") as caught:
        find_bin()
    assert "postgis-3" in caught.value.install


@pytest.mark.skipif(os.geteuid() != 0, reason="only root runs the server as another account")
def test_private_home_is_refused_with_a_remedy() -> None:
    home = Path(tempfile.mkdtemp(prefix="wangge-private-"))
    home.chmod(0o700)
    try:
        with pytest.raises(ClusterError, match="choose a folder outside it"):
            Cluster(home / "data").start()
    finally:
        shutil.rmtree(home)
