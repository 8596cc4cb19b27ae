"""Points a second and error of the shifted systems, beside the usual one-step subtraction.

Run ``python -m bench.crs``. One core; the median of three runs over one million points of all China
(3.8-53.6 N, 73.4-135.1 E). The peer is the published formula in numpy, sine by sine, inverted as
most converters do it: subtract the offset found at the shifted point.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from gis.crs import from_wgs84, to_wgs84

Floats = NDArray[np.float64]
Pair = tuple[Floats, Floats]

N = 1_000_000
RUNS = 3


def gcj_plain(lon: Floats, lat: Floats) -> Pair:
    """The published formula as it is usually written."""
    pi, a, ee = np.pi, 6378245.0, 0.00669342162296594323
    x, y = lon - 105.0, lat - 35.0
    both = (20 * np.sin(6 * x * pi) + 20 * np.sin(2 * x * pi)) * 2 / 3
    north = -100 + 2 * x + 3 * y + 0.2 * y * y + 0.1 * x * y + 0.2 * np.sqrt(np.abs(x)) + both
    north += (20 * np.sin(y * pi) + 40 * np.sin(y / 3 * pi)) * 2 / 3
    north += (160 * np.sin(y / 12 * pi) + 320 * np.sin(y * pi / 30)) * 2 / 3
    east = 300 + x + 2 * y + 0.1 * x * x + 0.1 * x * y + 0.1 * np.sqrt(np.abs(x)) + both
    east += (20 * np.sin(x * pi) + 40 * np.sin(x / 3 * pi)) * 2 / 3
    east += (150 * np.sin(x / 12 * pi) + 300 * np.sin(x / 30 * pi)) * 2 / 3
    phi = lat / 180 * pi
    magic = 1 - ee * np.sin(phi) ** 2
    root = np.sqrt(magic)
    north = north * 180 / (a * (1 - ee) / (magic * root) * pi)
    east = east * 180 / (a / root * np.cos(phi) * pi)
    return lon + east, lat + north


def gcj_one_step(lon: Floats, lat: Floats) -> Pair:
    """Invert by one subtraction."""
    x, y = gcj_plain(lon, lat)
    return 2 * lon - x, 2 * lat - y


def error_m(lon: Floats, lat: Floats, found: Pair) -> float:
    east = (found[0] - lon) * 111_320 * np.cos(np.radians(lat))
    return float(np.hypot(east, (found[1] - lat) * 111_320).max())


def rate(work: Callable[[Floats, Floats], Pair], lon: Floats, lat: Floats) -> float:
    """Million points per second of CPU time, median of the runs."""
    seconds = []
    for _ in range(RUNS):
        start = time.process_time()
        work(lon, lat)
        seconds.append(time.process_time() - start)
    return len(lon) / statistics.median(seconds) / 1e6


def main() -> None:
    rng = np.random.default_rng(1)
    lon, lat = rng.uniform(73.4, 135.1, N), rng.uniform(3.8, 53.6, N)
    start = time.perf_counter()
    for name in ("gcj02", "bd09"):
        to_wgs84(*from_wgs84(111.0, 40.0, name), name)
    print(f"first call, numba and kernels loaded or compiled: {time.perf_counter() - start:.1f} s")
    print(f"{'':28}{'forward':>12}{'inverse':>12}{'worst inverse':>16}")
    print(f"{'':28}{'M points/s':>12}{'M points/s':>12}{'m':>16}")
    for name in ("gcj02", "bd09"):
        there = from_wgs84(lon, lat, name)
        forward = rate(lambda x, y, name=name: from_wgs84(x, y, name), lon, lat)
        inverse = rate(lambda x, y, name=name: to_wgs84(x, y, name), *there)
        worst = error_m(lon, lat, to_wgs84(*there, name))
        print(f"{'wangge ' + name:28}{forward:12.1f}{inverse:12.1f}{worst:16.1e}")
    there = gcj_plain(lon, lat)
    forward, inverse = rate(gcj_plain, lon, lat), rate(gcj_one_step, *there)
    worst = error_m(lon, lat, gcj_one_step(*there))
    print(f"{'numpy gcj02, one step':28}{forward:12.1f}{inverse:12.1f}{worst:16.1e}")


if __name__ == "__main__":
    main()
