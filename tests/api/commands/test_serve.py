"""``wangge up`` serves, and leaves nothing running when it is told to stop."""

from __future__ import annotations

import json
import os
import re
import signal
import socket
import stat
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import sqlalchemy as sa

from gis.cluster import Cluster
from tests import conftest

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.api.commands.conftest import Done

    Run = Callable[..., Done]

PATIENCE_S = 180


def get(address: str) -> Any:
    with urllib.request.urlopen(address, timeout=30) as answer:
        assert answer.status == 200
        return json.load(answer)


def databases(cluster: Cluster, statement: str | None = None) -> list[str]:
    """Names of all databases, after a statement."""
    url = sa.make_url(cluster.url).set(database="postgres")
    engine = sa.create_engine(url, isolation_level="AUTOCOMMIT", poolclass=sa.NullPool)
    with engine.connect() as connection:
        if statement is not None:
            connection.execute(sa.text(statement))
        return list(connection.scalars(sa.text("SELECT datname FROM pg_database")))


def left_by_a_restore(cluster: Cluster) -> str:
    """A database as a restore leaves it when its server dies."""
    name = "wangge_restore_0123456789ab"
    assert name in databases(cluster, f"CREATE DATABASE {name} TEMPLATE template0")
    return name


@pytest.mark.parametrize("sig", [signal.SIGINT, signal.SIGTERM])
def test_serves_until_told_to_stop(sig: signal.Signals) -> None:
    with tempfile.TemporaryDirectory(prefix="wangge-up-", dir=conftest.MEMORY) as folder:
        Path(folder).chmod(0o755)
        data = Path(folder) / "data"
        said = Path(folder) / "said.txt"
        environment = {**os.environ, "WANGGE_DURABLE": "false", "PYTHONUNBUFFERED": "1"}
        environment.pop("WANGGE_DATABASE_URL", None)
        cluster = Cluster(data, durable=False)
        cluster.start()
        left = left_by_a_restore(cluster)
        cluster.release()
        with said.open("w") as output:
            running = subprocess.Popen(
                [sys.executable, "-m", "api.cli", "up", "--data-dir", str(data)],
                env=environment, stdout=output, stderr=subprocess.STDOUT,
            )  # fmt: skip
        try:
            address, deadline = "", time.monotonic() + PATIENCE_S
            while time.monotonic() < deadline and running.poll() is None:
                found = re.search(r"http://127\.0\.0\.1:\d+", said.read_text())
                if found:
                    address = found.group()
                    try:
                        if get(f"{address}/health/ready")["status"] == "ready":
                            break
                    except urllib.error.URLError:
                        pass  # it says where before it listens
                time.sleep(0.1)
            else:
                pytest.fail(f"not up: {said.read_text()}")
            # What goes into a file stays there, so no password is among it.
            told = data / "first-sign-in.txt"
            assert stat.S_IMODE(told.stat().st_mode) == 0o600
            login, password = told.read_text().split()
            assert login == "admin"
            assert password not in said.read_text()
            assert str(told) in "".join(said.read_text().split())
            assert get(f"{address}/openapi.json")["info"]["title"] == "wangge"
            assert cluster.is_running()
            assert left not in databases(cluster)
            running.send_signal(sig)
            assert running.wait(60) == 0, said.read_text()
        finally:
            if running.poll() is None:
                running.kill()
                running.wait()
            still = cluster.is_running()
            cluster.stop()
        assert not still
        assert "Traceback" not in said.read_text()


def test_a_port_in_use_is_named_before_anything_is_made(wangge: Run, tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        done = wangge("up", "--port", port, "--data-dir", tmp_path / "data")
    assert done.code == 1
    assert f"cannot listen on 127.0.0.1:{port}" in done.err
    assert "--port" in done.err
    assert "wangge is up" not in done.out
    assert not (tmp_path / "data").exists()
