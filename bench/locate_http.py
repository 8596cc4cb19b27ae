"""``GET /api/v1/locate`` under load: ``python -m bench.locate_http``.

Serves the invented county in a process of its own, asks it with `wrk` on one thread from points at
random by three API keys, with the audit log on, and tells requests a second, requests per CPU
second of the server and of its database together, and how long they took. Beside it the route that
asks the database (``explain=true`` always goes there, and asks a little more).
"""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

PORT = 8977
SECONDS = 10
CONNECTIONS = (1, 16)
SCRIPT = """
local keys = {%s}
local n = 0
math.randomseed(7)
request = function()
  n = n + 1
  local lon, lat = 116.60 + math.random() * 0.02, 44.885 + math.random() * 0.02
  return wrk.format("GET", string.format("/api/v1/locate?lon=%%.6f&lat=%%.6f%s", lon, lat),
                    {["Authorization"] = "Bearer " .. keys[n %% 3 + 1]})
end
"""
TICKS = os.sysconf("SC_CLK_TCK")


def cpu_s(folder: Path, server: int) -> float:
    """CPU seconds of the server and of every PostgreSQL process of its cluster."""
    total = 0.0
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = stat.read_text().rpartition(")")[2].split()
            line = (stat.parent / "cmdline").read_bytes()
            parent = int(fields[1])
            is_ours = int(stat.parent.name) == server or str(folder).encode() in line
            is_ours = is_ours or str(folder).encode() in (
                Path(f"/proc/{parent}/cmdline").read_bytes()
            )
        except (OSError, ValueError):
            continue
        if is_ours:
            total += (int(fields[11]) + int(fields[12])) / TICKS
    return total


def load(keys: list[str], more: str, connections: int, folder: Path) -> str:
    """What `wrk` says of some seconds."""
    script = folder.with_name("ask.lua")
    script.write_text(SCRIPT % (", ".join(f'"{key}"' for key in keys), more))
    done = subprocess.run(
        ["wrk", "-t1", f"-c{connections}", f"-d{SECONDS}s", "--latency", "-s", str(script),
         f"http://127.0.0.1:{PORT}"], capture_output=True, text=True, check=True,
    )  # fmt: skip
    return done.stdout


def main() -> None:
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
            keys = []
            for number in range(3):
                told = subprocess.run(
                    [*command, "keys", "issue", "demo.integrator", "--name", f"bench {number}",
                     "--per-minute", "100000", "--json", *at],
                    capture_output=True, text=True, check=True,
                )  # fmt: skip
                keys.append(json.loads(told.stdout)["key"])
            time.sleep(3)
            print(f"{'':28}{'requests/s':>12}{'per CPU-s':>12}{'p50':>10}{'p99':>10}")
            for label, more in (("from memory", ""), ("from the database", "&explain=true")):
                for connections in CONNECTIONS:
                    load(keys, more, connections, folder)  # the first seconds warm it up
                    before = cpu_s(folder, server.pid)
                    text = load(keys, more, connections, folder)
                    spent = cpu_s(folder, server.pid) - before
                    count = int(re.findall(r"(\d+) requests in", text)[0])
                    if bad := re.findall(r"Non-2xx.*: (\d+)", text):
                        print(f"{bad[0]} of them refused")
                    p50, p99 = (re.findall(rf"{p}%\s+(\S+)", text)[0] for p in (50, 99))
                    print(
                        f"{label + f', {connections} at once':28}{count / SECONDS:12,.0f}"
                        f"{count / spent:12,.0f}{p50:>10}{p99:>10}"
                    )
        finally:
            server.send_signal(signal.SIGINT)
            server.wait(30)


if __name__ == "__main__":
    main()
