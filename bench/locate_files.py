"""Files of points to grids, memory and workers: ``python -m bench.locate_files``.

Made points are written to a file and located in a tiling of 12,000 grids. *Memory* is the highest
that a process of its own comes to, beside what it takes for a file of a thousand points. *Workers*
is the clock's time from the first piece to the last, in turns, over Dask with one and two processes
of one thread each, and without Dask.
"""

from __future__ import annotations

import argparse
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import geopandas as gpd
import numpy as np
import pyarrow as pa
import pyarrow.csv as pa_csv
import pyarrow.parquet as pq

from bench.locating.layers import DEGREES, SOUTH, WEST, tiling
from data.bulk import cluster
from data.bulk.run import locate_file
from gis.locator import Locator

GRIDS = 12_000
BATCH = 1 << 18


def make(path: Path, count: int) -> None:
    """Points with a number and a text, as CSV or Parquet."""
    rng = np.random.default_rng(1)
    writer = None
    for start in range(0, count, BATCH):
        size = min(BATCH, count - start)
        table = pa.table(
            {
                "id": np.arange(start, start + size),
                "lon": np.round(WEST + DEGREES * rng.random(size), 7),
                "lat": np.round(SOUTH + DEGREES * rng.random(size), 7),
                "category": np.array(["neighbour", "land", "family"])[rng.integers(0, 3, size)],
            }
        )
        if writer is None and path.suffix == ".csv":
            writer = pa_csv.CSVWriter(path, table.schema)
        elif writer is None:
            writer = pq.ParquetWriter(path, table.schema)
        writer.write_table(table)
    if writer is not None:
        writer.close()


def memory(folder: Path, grids: Path, sizes: list[int]) -> None:
    print(f"\n{'points':>12} {'from':8} {'to':8} {'s':>6} {'CPU s':>6} {'peak MB':>8}")
    for ending, result in ((".csv", "out.csv"), (".parquet", "out"), (".parquet", "out.parquet")):
        for size in (1000, *sizes):
            points, out = folder / f"points{ending}", folder / result
            make(points, size)
            start = time.perf_counter()
            child = subprocess.Popen(
                [sys.executable, "-m", "api.cli", "locate", "--grids", grids, "--points", points,
                 "--out", out],
                stdout=subprocess.DEVNULL,
            )  # fmt: skip
            _, status, used = os.wait4(child.pid, 0)
            seconds = time.perf_counter() - start
            assert status == 0
            print(
                f"{size:12,} {ending:8} {out.suffix or 'folder':8} {seconds:6.1f} "
                f"{used.ru_utime + used.ru_stime:6.1f} {used.ru_maxrss / 1e3:8.0f}",
                flush=True,
            )
            points.unlink()
            shutil.rmtree(out) if out.is_dir() else out.unlink()


class Clock:
    """When the first piece is asked for, and how much processor this process takes from then on."""

    start = cpu = 0.0

    def begun(self, total: int | None, done: int) -> None:  # noqa: ARG002, D102 - see Watcher
        self.start, self.cpu = time.perf_counter(), time.process_time()

    def advanced(self, amount: int, rows: int) -> None:
        """Nothing to tell."""


def workers(folder: Path, locator: Locator, count: int, rounds: int) -> None:
    for ending in (".csv", ".parquet"):
        points = folder / f"points{ending}"
        make(points, count)
        runs: dict[str, list[tuple[float, float, float]]] = {"local:1": [], "local:2": []}
        with cluster.connected("local:1") as one, cluster.connected("local:2") as two:
            clients = {"local:1": one, "local:2": two}
            for turn in range(rounds + 1):
                for name, client in clients.items():
                    clock, out = Clock(), folder / "out"
                    before = sum(client.run(time.process_time).values())
                    locate_file(
                        points, out, locator, id_column="code", watcher=clock,
                        spread=cluster.Workers(client, locator),
                    )  # fmt: skip
                    seconds, mine = time.perf_counter() - clock.start, time.process_time()
                    theirs = sum(client.run(time.process_time).values()) - before
                    if turn:  # the first is to load the kernels
                        runs[name].append((seconds, mine - clock.cpu, theirs))
                    shutil.rmtree(out)
        print(f"\n{count:,} points of {ending} to a folder, load {os.getloadavg()[0]:.1f}")
        for name, each in runs.items():
            clocks, mine, theirs = (statistics.median(column) for column in zip(*each, strict=True))
            told = ", ".join(f"{one[0]:.2f}" for one in each)
            print(
                f"  {name}: {clocks:.2f} s (best {min(each)[0]:.2f}; {told}), CPU s: "
                f"workers {theirs:.2f}, this process with the scheduler {mine:.2f}"
            )
        ratios = [a[0] / b[0] for a, b in zip(runs["local:1"], runs["local:2"], strict=True)]
        best = min(runs["local:1"])[0] / min(runs["local:2"])[0]
        print(
            f"  two workers are {statistics.median(ratios):.2f} times one, {best:.2f} by the best",
            flush=True,
        )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--memory", type=int, nargs="*", default=[10_000_000, 50_000_000])
    parser.add_argument("--workers", type=int, default=5_000_000, help="points; 0 for none")
    parser.add_argument("--rounds", type=int, default=5)
    options = parser.parse_args()
    shapes = tiling(GRIDS)
    codes = np.array([f"{n:06}" for n in range(GRIDS)])
    with tempfile.TemporaryDirectory(dir="/var/tmp") as name:
        folder = Path(name)
        if options.memory:
            grids = folder / "grids.parquet"
            gpd.GeoDataFrame({"code": codes}, geometry=shapes, crs=4326).to_parquet(grids)
            memory(folder, grids, options.memory)
        if options.workers:
            workers(folder, Locator.build(shapes, codes), options.workers, options.rounds)


if __name__ == "__main__":
    main()
