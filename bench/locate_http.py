"""Locate over HTTP under load: ``python -m bench.locate_http [--seconds 10] [--tipg PYTHON]``.

Serves the invented county in a process of its own, asks it with `wrk` on one thread from points at
random by twelve API keys, with the audit log on, and tells requests a second, requests per CPU
second of the server and of its database together, and how long they took. ``--tipg`` names a Python
that has tipg, which is asked for the grid at the same points, one worker, over the same database.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import quote

import httpx2
import numpy as np
import pyarrow as pa

PORT, PEER_PORT = 8977, 8978
CONNECTIONS = (1, 16)
KEYS = 12
"""So many that none comes near the most a key may ask in a minute."""
WEST, SOUTH, SIDE = 116.60, 44.885, 0.02
TOWNSHIP = "990121001"
"""Holds most of the points; its keys do not see the county: the database explains to them."""
BATCH = 100_000
ARROW = "application/vnd.apache.arrow.stream"
SCRIPT = """
local keys = {%s}
local n = 0
math.randomseed(7)
request = function()
  n = n + 1
  local lon, lat = %s + math.random() * %s, %s + math.random() * %s
  return wrk.format("GET", string.format("%s", lon, lat),
                    {["Authorization"] = "Bearer " .. keys[n %% %d + 1]})
end
"""
TARGET = "/api/v1/locate?lon=%.6f&lat=%.6f"
PEER_TARGET = (
    "/collections/public.grid_shapes/items?filter-lang=cql2-text&properties=code&limit=1&filter="
    "S_INTERSECTS%%28geom%%2CPOINT%%28%.6f%%20%.6f%%29%%29"
)
TICKS = os.sysconf("SC_CLK_TCK")


class Load(NamedTuple):
    """What is asked of a server, and the processes whose time counts."""

    folder: Path
    server: int
    port: int
    keys: list[str]
    target: str
    seconds: int


def cpu_s(folder: Path, server: int) -> float:
    """CPU seconds of the server and of every PostgreSQL process of its cluster."""
    total = 0.0
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = stat.read_text().rpartition(")")[2].split()
            line = (stat.parent / "cmdline").read_bytes()
            parent = int(fields[1])
            is_ours = int(stat.parent.name) == server
            for each in (line, Path(f"/proc/{parent}/cmdline").read_bytes()):
                is_ours = is_ours or (b"postgres" in each and str(folder).encode() in each)
        except (OSError, ValueError):
            continue
        if is_ours:
            total += (int(fields[11]) + int(fields[12])) / TICKS
    return total


def wrk(load: Load, connections: int) -> str:
    """What `wrk` says of some seconds."""
    script = load.folder.with_name("ask.lua")
    keys = ", ".join(f'"{key}"' for key in load.keys)
    script.write_text(SCRIPT % (keys, WEST, SIDE, SOUTH, SIDE, load.target, len(load.keys)))
    done = subprocess.run(
        ["wrk", "-t1", f"-c{connections}", f"-d{load.seconds}s", "--latency", "-s", str(script),
         f"http://127.0.0.1:{load.port}"], capture_output=True, text=True, check=True,
    )  # fmt: skip
    return done.stdout


def measure(label: str, load: Load) -> None:
    """A line for each number of connections."""
    for connections in CONNECTIONS:
        wrk(load, connections)  # the first seconds warm it up
        before = cpu_s(load.folder, load.server)
        text = wrk(load, connections)
        spent = cpu_s(load.folder, load.server) - before
        count = int(re.findall(r"(\d+) requests in", text)[0])
        if bad := re.findall(r"Non-2xx.*: (\d+)", text):
            print(f"{bad[0]} of them refused")
        found = [re.findall(rf"\n +{share}%\s+(\S+)", text)[0] for share in (50, 90, 99)]
        times = "".join(f"{each:>10}" for each in found)
        print(
            f"{f'{label}, {connections} at once':44}{count / load.seconds:12,.0f}"
            f"{count / spent:12,.0f}{times}",
            flush=True,
        )


def batches(load: Load) -> None:
    """A hundred thousand points in a request, median of three."""
    random = np.random.default_rng(7)
    lon, lat = WEST + SIDE * random.random(BATCH), SOUTH + SIDE * random.random(BATCH)
    rounded = zip(lon.round(6).tolist(), lat.round(6).tolist(), strict=True)
    points = [{"lon": x, "lat": y} for x, y in rounded]
    bodies = {
        "JSON": (json.dumps({"points": points}).encode(), "application/json"),
        "Arrow": (stream(lon=lon, lat=lat), ARROW),
        "Arrow, known to 30 m": (stream(lon=lon, lat=lat, accuracy_m=np.full(BATCH, 30.0)), ARROW),
    }
    for label, (body, kind) in bodies.items():
        rates = []
        for _ in range(3):
            before = cpu_s(load.folder, load.server)
            answer = httpx2.post(
                f"http://127.0.0.1:{load.port}/api/v1/locate",
                content=body,
                headers={"Authorization": f"Bearer {load.keys[0]}", "Content-Type": kind},
                timeout=300,
            )
            answer.raise_for_status()
            rates.append(BATCH / (cpu_s(load.folder, load.server) - before))
        print(f"{f'{BATCH:,} at once as {label}':44}{np.median(rates):24,.0f} points", flush=True)


def stream(**columns: Any) -> bytes:
    """An Arrow stream."""
    table = pa.table(columns)
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, table.schema) as writer:
        writer.write_table(table)
    return sink.getvalue().to_pybytes()


@contextmanager
def peer(python: str, folder: Path) -> Iterator[int]:
    """The same cluster served by tipg; its process."""
    host = quote(str(folder / "socket"), safe="")
    told = {"DATABASE_URL": f"postgresql://wangge@{host}/wangge", "TIPG_DB_SCHEMAS": '["public"]'}
    command = [python, "-m", "uvicorn", "tipg.main:app", "--port", str(PEER_PORT)]
    server = subprocess.Popen(
        [*command, "--log-level", "error"], env=os.environ | told, cwd=folder.parent
    )
    try:
        for _ in range(100):
            try:
                httpx2.get(f"http://127.0.0.1:{PEER_PORT}/healthz").raise_for_status()
                break
            except httpx2.HTTPError:
                time.sleep(0.2)
        yield server.pid
    finally:
        server.terminate()
        server.wait(30)


def main() -> None:
    options = argparse.ArgumentParser()
    options.add_argument("--seconds", type=int, default=10)
    options.add_argument("--tipg", help="a Python that has tipg")
    given = options.parse_args()
    if shutil.which("wrk") is None:
        sys.exit("wrk is not installed: apt-get install wrk")
    with tempfile.TemporaryDirectory(prefix="wangge-bench-", dir="/var/tmp") as name:
        Path(name).chmod(0o755)  # root runs PostgreSQL as another account
        folder = Path(name) / "data"
        command = [sys.executable, "-m", "api.cli"]
        at = ["--data-dir", str(folder)]
        server = subprocess.Popen(
            [*command, "demo", *at, "--port", str(PORT)], stdout=subprocess.PIPE, text=True
        )
        assert server.stdout is not None
        for line in server.stdout:
            if "is up" in line:
                break
        try:
            issue = [*command, "keys", "issue", "demo.integrator", "--per-minute", "100000"]
            keys = []
            for number, area in enumerate([[]] * KEYS + [["--area", TOWNSHIP]]):
                told = subprocess.run(
                    [*issue, "--name", f"bench {number}", "--json", *area, *at],
                    capture_output=True, text=True, check=True,
                )  # fmt: skip
                keys.append(json.loads(told.stdout)["key"])
            time.sleep(3)
            print(f"{'':44}{'requests/s':>12}{'per CPU-s':>12}{'p50':>10}{'p90':>10}{'p99':>10}")
            load = Load(folder, server.pid, PORT, keys[:KEYS], TARGET, given.seconds)
            measure("from memory", load)
            measure("known to 30 m", load._replace(target=f"{TARGET}&accuracy_m=30"))
            explained = load._replace(target=f"{TARGET}&explain=true")
            measure("with explain", explained)
            measure("with explain, from the database", explained._replace(keys=keys[KEYS:]))
            batches(load)
            if given.tipg:
                with peer(given.tipg, folder) as pid:
                    measure("tipg", load._replace(
                        server=pid, port=PEER_PORT, target=PEER_TARGET
                    ))  # fmt: skip
        finally:
            server.send_signal(signal.SIGINT)
            server.wait(30)


if __name__ == "__main__":
    main()
