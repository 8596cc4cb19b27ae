"""Points to grids, wangge beside its peers: ``python -m bench.locate``.

Made tilings of 400, 12,000 and 100,000 grids of some 78 vertices. Rates are million points per CPU
second, the median of three runs, of points at random and of the same sorted along bands; the CPU
time of PostGIS is that of the server's process and this one. *Wrong* is out of 40,000 hard points
(vertices, middles of edges, places on edges, as they are or moved by a unit in the last place or
1e-12 degrees) told by rational arithmetic.

``--province N`` builds N sheets of 100,000 grids each as one file per sheet and asks all of them:
45 are a province of 4.5 million grids.
"""

from __future__ import annotations

import argparse
import resource
import statistics
import tempfile
import time
from pathlib import Path

import numpy as np
import shapely
from numpy.typing import NDArray

from bench.locating.layers import DEGREES, SOUTH, WEST, tiling
from bench.locating.peers import PEERS, Absent, Ask, Clock
from gis.locator import Locator
from tests.gis.rational import Oracle, hard_points

SIZES = (400, 12_000, 100_000)
HARD_SIZE = 12_000
HARD = 40_000
POINTS = 2_000_000
RUNS = 3
Floats = NDArray[np.float64]


def points(count: int, seed: int = 1) -> tuple[Floats, Floats]:
    rng = np.random.default_rng(seed)
    return WEST + DEGREES * rng.random(count), SOUTH + DEGREES * rng.random(count)


def along_bands(x: Floats, y: Floats) -> tuple[Floats, Floats]:
    order = np.lexsort((x, (y * 500).astype(np.int64)))
    return x[order].copy(), y[order].copy()


def rate(ask: Ask, clock: Clock, x: Floats, y: Floats) -> float:
    """Million points per CPU second."""
    seconds = []
    for _ in range(RUNS):
        start = clock()
        ask(x, y)
        seconds.append(clock() - start)
    return len(x) / statistics.median(seconds) / 1e6


def single(locator: Locator) -> float:
    """Microseconds for one point from Python, over places of all kinds."""
    x, y = points(20_000, 3)
    pairs = list(zip(x.tolist(), y.tolist(), strict=True))
    start = time.process_time()
    for lon, lat in pairs:
        locator.locate_one(lon, lat)
    return (time.process_time() - start) / len(pairs) * 1e6


def doubt(locator: Locator) -> tuple[float, float]:
    """Microseconds for the shares of a point known to 20 m, and for its nearest border."""
    x, y = points(2_000, 4)
    pairs = list(zip(x.tolist(), y.tolist(), strict=True))
    times = []
    for ask in (lambda lon, lat: locator.share(lon, lat, 20), locator.border_distance):
        ask(*pairs[0])
        start = time.process_time()
        for pair in pairs:
            ask(*pair)
        times.append((time.process_time() - start) / len(pairs) * 1e6)
    return times[0], times[1]


def opening_ms(locator: Locator) -> float:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "grids.locator"
        locator.save(path)
        start = time.perf_counter()
        Locator.open(path).locate_one(WEST, SOUTH)
        return (time.perf_counter() - start) * 1e3


def measure(count: int, peers: list[str], hard: int) -> None:
    shapes = tiling(count)
    vertices = shapely.get_num_coordinates(shapes).mean()
    seconds = []
    for _ in range(RUNS):
        start = time.process_time()
        locator = Locator.build(shapes, np.arange(count))
        seconds.append(time.process_time() - start)
    x, y = points(POINTS)
    print(f"\n{count:,} grids of {vertices:.0f} vertices")
    print(f"  build {statistics.median(seconds):.2f} CPU s, ", end="")
    print(f"{locator.nbytes / count * 1e4 / 1e6:.1f} MB per 10,000 grids, ", end="")
    print(f"opened in {opening_ms(locator):.1f} ms, one point {single(locator):.2f} us, ", end="")
    print("shares {:.0f} us, border {:.0f} us".format(*doubt(locator)))
    print(f"  {'':18}{'random':>9}{'sorted':>9}{'wrong of ' + f'{hard:,}':>18}")
    told, asked = None, None
    if count == HARD_SIZE and hard:
        asked = hard_points(shapes, hard)
        oracle = Oracle(shapes, np.arange(count))
        told = np.array([oracle.locate(*each) for each in asked.tolist()])

    def line(name: str, ask: Ask, clock: Clock, size: int) -> None:
        random = rate(ask, clock, x[:size], y[:size])
        in_order = rate(ask, clock, *along_bands(x[:size], y[:size]))
        wrong = "" if told is None or asked is None else f"{(ask(*asked.T) != told).sum():,}"
        same = (ask(x[:5000], y[:5000]) == locator.locate(x[:5000], y[:5000])).all()
        note = "" if same else "  other answers at random points"
        print(f"  {name:18}{random:9.3f}{in_order:9.3f}{wrong:>18}{note}", flush=True)

    locator.locate(x[:10], y[:10])
    line("wangge", locator.locate, time.process_time, POINTS)
    for name in peers:
        make, size = PEERS[name]
        try:
            with make(shapes) as (ask, clock):
                line(name, ask, clock, size)
        except Absent as absent:
            print(f"  {name:18}{absent}")


def province(sheets: int, cells_per_edge: float) -> None:
    """One sheet made, and moved east for each of the others."""
    shapes = tiling(100_000)
    built, size, files = 0.0, 0, []
    with tempfile.TemporaryDirectory(dir="/var/tmp") as folder:
        for sheet in range(sheets):
            shift = np.array([DEGREES * sheet, 0.0])
            moved = shapely.transform(shapes, lambda xy, by=shift: xy + by)
            start = time.process_time()
            locator = Locator.build(
                moved, np.arange(len(moved)), geographic=False, cells_per_edge=cells_per_edge
            )
            built += time.process_time() - start
            size += locator.nbytes
            files.append(Path(folder) / f"{sheet}.locator")
            locator.save(files[-1])
            del locator, moved
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6
        start = time.perf_counter()
        opened = [Locator.open(each) for each in files]
        opening = time.perf_counter() - start
        x, y = points(POINTS)
        x = WEST + (x - WEST) * sheets
        seconds = []
        for _ in range(RUNS):
            start = time.process_time()
            sheet_of = np.minimum(((x - WEST) / DEGREES).astype(np.int64), sheets - 1)
            order = np.argsort(sheet_of, kind="stable")
            ends = np.searchsorted(sheet_of[order], np.arange(sheets + 1))
            for sheet, locator in enumerate(opened):
                part = order[ends[sheet] : ends[sheet + 1]]
                locator.locate(x[part], y[part])
            seconds.append(time.process_time() - start)
    print(f"\n{sheets * 100_000:,} grids in {sheets} sheets, cells per edge {cells_per_edge}")
    print(f"  {size / 1e9:.2f} GB, build {built:.0f} CPU s with a peak of {peak:.1f} GB, ", end="")
    print(f"all opened in {opening * 1e3:.0f} ms, ", end="")
    print(f"{POINTS / statistics.median(seconds) / 1e6:.1f} M points per CPU s")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--sizes", type=int, nargs="*", default=SIZES)
    parser.add_argument("--peers", nargs="*", default=list(PEERS), choices=list(PEERS))
    parser.add_argument("--hard", type=int, default=HARD)
    parser.add_argument("--province", type=int, metavar="SHEETS", default=0)
    parser.add_argument("--cells-per-edge", type=float, default=0.25)
    options = parser.parse_args()
    warm = tiling(50)
    start = time.perf_counter()
    locator = Locator.build(warm, range(50))
    locator.locate([116.0], [44.0])
    locator.locate_one(116.0, 44.0)
    locator.share(117.0, 45.0, 20)
    print(f"kernels compiled or loaded in {time.perf_counter() - start:.1f} s")
    for count in options.sizes:
        measure(count, options.peers, options.hard)
    if options.province:
        province(options.province, options.cells_per_edge)


if __name__ == "__main__":
    main()
