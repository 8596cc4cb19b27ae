"""Density of 1024 x 1024 cells: wangge beside the ways it is usually done.

Run: ``python -m bench.density [--bandwidth 300] [--rounds 5] [--streets]``. Peers run in turns
with wangge in one process, so that a busy machine slows all alike: the ratio counts. Error is
against exact sums of Gaussians at 200 cells, relative to the highest exact value there. Peers that
are not installed are named and left out.
"""

from __future__ import annotations

import argparse
import importlib.util
import math
import os
import time
from collections.abc import Callable
from datetime import UTC, datetime
from functools import partial
from typing import TYPE_CHECKING

import geopandas as gpd
import numpy as np
import numpy.typing as npt
import shapely
from pyproj import Transformer
from scipy import fft, ndimage
from scipy.integrate import quad

from maps.network.density import NetworkDensity, along, usual_lixel_m
from maps.network.lixels import Network, network_of
from maps.smoothing import density, kernel_mass

if TYPE_CHECKING:
    import networkx

Floats = npt.NDArray[np.float64]

CELLS = 1024
CELL_M = 50.0
SIDE_M = CELLS * CELL_M
PROBES = 200
SIZES = (100_000, 1_000_000, 10_000_000)
BUDGET_S = 30.0
MOST_BY_NETWORKX = 10_000


def towns(n: int, rng: np.random.Generator) -> Floats:
    """Half the events around 40 centres, half spread evenly: neither the best nor worst case."""
    centres = rng.uniform(0.1, 0.9, (40, 2)) * SIDE_M
    around = centres[rng.integers(0, 40, n // 2)] + rng.normal(0, 1_500, (n // 2, 2))
    everywhere = rng.random((n - n // 2, 2)) * SIDE_M
    # All lie inside, so that the peers need no test of their own.
    return np.concatenate([around, everywhere]) % SIDE_M


def exact(xy: Floats, probes: Floats, bandwidth_m: float) -> Floats:
    values = np.empty(len(probes))
    for i, (x, y) in enumerate(probes):
        near = xy[np.abs(xy[:, 0] - x) < 8 * bandwidth_m]
        squared = (near[:, 0] - x) ** 2 + (near[:, 1] - y) ** 2
        values[i] = np.exp(squared / (-2 * bandwidth_m**2)).sum()
    return values / (2 * math.pi * bandwidth_m**2)


def wangge(xy: Floats, bandwidth_m: float) -> Floats:
    return density(xy, (0, 0, SIDE_M, SIDE_M), (CELLS, CELLS), bandwidth_m)


def _binned(xy: Floats) -> Floats:
    """Count per cell, each event at the centre of its cell."""
    column = (xy[:, 0] * (1 / CELL_M)).astype(np.int32)
    row = (xy[:, 1] * (1 / CELL_M)).astype(np.int32)
    counts = np.bincount(row * np.int32(CELLS) + column, minlength=CELLS * CELLS)
    return counts.reshape(CELLS, CELLS).astype(np.float64)


def bincount_fft(xy: Floats, bandwidth_m: float) -> Floats:
    sigma = bandwidth_m / CELL_M
    size = fft.next_fast_len(CELLS + math.ceil(10 * sigma), real=True)
    spectrum = fft.rfft2(_binned(xy), (size, size), workers=-1)
    along = np.exp(-2 * (math.pi * sigma * fft.fftfreq(size)) ** 2)
    half = np.exp(-2 * (math.pi * sigma * fft.rfftfreq(size)) ** 2)
    spectrum *= along[:, None] * half
    return fft.irfft2(spectrum, (size, size), workers=-1)[:CELLS, :CELLS] / CELL_M**2


def bincount_filter(xy: Floats, bandwidth_m: float) -> Floats:
    smoothed = ndimage.gaussian_filter(
        _binned(xy), bandwidth_m / CELL_M, mode="constant", truncate=5
    )
    return smoothed / CELL_M**2


def datashader_filter(xy: Floats, bandwidth_m: float) -> Floats:
    import datashader  # noqa: PLC0415
    import pandas as pd  # noqa: PLC0415

    canvas = datashader.Canvas(CELLS, CELLS, (0, SIDE_M), (0, SIDE_M))
    counts = canvas.points(pd.DataFrame({"x": xy[:, 0], "y": xy[:, 1]}), "x", "y").to_numpy()
    smoothed = ndimage.gaussian_filter(
        counts.astype(np.float64), bandwidth_m / CELL_M, mode="constant", truncate=5
    )
    return smoothed / CELL_M**2


def kdepy(xy: Floats, bandwidth_m: float) -> Floats:
    from KDEpy import FFTKDE  # noqa: PLC0415

    inside = xy[((xy > CELL_M / 2) & (xy < SIDE_M - CELL_M / 2)).all(axis=1)]
    at = (np.arange(CELLS) + 0.5) * CELL_M
    grid = np.stack(np.meshgrid(at, at, indexing="ij"), axis=-1).reshape(-1, 2)
    values = FFTKDE(kernel="gaussian", bw=bandwidth_m).fit(inside).evaluate(grid)
    return values.reshape(CELLS, CELLS).T * len(inside)


def peers() -> dict[str, Callable[[Floats, float], Floats]]:
    ways: dict[str, Callable[[Floats, float], Floats]] = {
        "wangge": wangge,
        "bincount + FFT": bincount_fft,
        "bincount + scipy gaussian_filter": bincount_filter,
    }
    for module, name, way in (
        ("datashader", "datashader + gaussian_filter", datashader_filter),
        ("KDEpy", "KDEpy FFTKDE", kdepy),
    ):
        if importlib.util.find_spec(module):
            ways[name] = way
        else:
            print(f"{module} is not installed: left out")
    return ways


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--bandwidth", type=float, default=300.0, help="metres; a cell has 50")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--streets", action="store_true", help="only the density along streets")
    options = parser.parse_args()
    bandwidth_m: float = options.bandwidth
    if options.streets:
        along_streets(bandwidth_m, options.rounds)
        return
    began = time.perf_counter()
    rng = np.random.default_rng(20)
    ways = peers()
    print(
        f"{CELLS} x {CELLS} cells of {CELL_M:g} m, bandwidth {bandwidth_m:g} m, "
        f"{len(os.sched_getaffinity(0))} cores"
    )
    print(
        f"{'points':>11}  {'way':34} {'median ms':>9} {'CPU ms':>8} "
        f"{'median err':>11} {'max err':>9}"
    )
    for n in SIZES:
        xy = towns(n, rng)
        rows, columns = rng.integers(0, CELLS, (2, PROBES))
        truth = exact(xy, np.column_stack([columns, rows]) * CELL_M + CELL_M / 2, bandwidth_m)
        wall: dict[str, list[float]] = {name: [] for name in ways}
        cpu: dict[str, list[float]] = {name: [] for name in ways}
        errors: dict[str, Floats] = {}
        for turn in range(options.rounds + 1):
            for name, way in ways.items():
                if turn > 1 and time.perf_counter() - began > BUDGET_S:
                    continue
                start, start_cpu = time.perf_counter(), time.process_time()
                values = way(xy, bandwidth_m)
                if turn:  # The first round warms caches and compiles.
                    wall[name].append(time.perf_counter() - start)
                    cpu[name].append(time.process_time() - start_cpu)
                errors[name] = np.abs(values[rows, columns] - truth) / truth.max()
        for name in ways:
            print(
                f"{n:>11,}  {name:34} {np.median(wall[name]) * 1e3:>9.1f} "
                f"{np.median(cpu[name]) * 1e3:>8.1f} {np.median(errors[name]):>11.1e} "
                f"{errors[name].max():>9.1e}"
            )
    _edge_correction(bandwidth_m)


def along_streets(bandwidth_m: float, rounds: int) -> None:
    """Time the density along 100 x 100 streets that cross every 100 m, networkx beside it.

    In turns, twice each: from nothing, and on the streets as they were made before. From nothing
    wangge begins with lines that only cross: it projects them, joins them, cuts them into pieces of
    a sixth of the bandwidth, and finds the street of every event. networkx is given the graph's
    nodes and edges by counting, in pieces of 50 m, and the node of every event, and no shapes. What
    PROJ and the compiler need once in a process is done before.
    """
    at = np.arange(100) * 100.0
    corners = np.stack(np.meshgrid(500_000 + at, 4_400_000 + at, indexing="ij"), axis=-1)
    lines = gpd.GeoSeries(
        shapely.linestrings(np.concatenate([corners, corners.transpose(1, 0, 2)])), crs=32650
    )
    rng = np.random.default_rng(20)
    to_degrees = Transformer.from_crs(32650, 4326, always_xy=True)
    days = [datetime(2026, month, 1, tzinfo=UTC) for month in (1, 4)]
    has_networkx = importlib.util.find_spec("networkx") is not None
    network = network_of(lines, usual_lixel_m(bandwidth_m))
    graph = lattice() if has_networkx else None
    for n in (100, 1_000, 10_000, 100_000):
        xy = rng.random((n, 2)) * 9_900 + (500_000, 4_400_000)
        xy[:, 1] = 4_400_000 + np.round((xy[:, 1] - 4_400_000) / 100) * 100
        lon, lat = to_degrees.transform(xy[:, 0], xy[:, 1])

        def ours(
            streets: gpd.GeoSeries | Network, at: tuple[Floats, Floats] = (lon, lat)
        ) -> NetworkDensity:
            return along(*at, streets, start=days[0], end=days[1], bandwidth_m=bandwidth_m)

        ways: dict[str, Callable[[], object]] = {
            "wangge from lines": partial(ours, lines),
            "the same and a shape for each piece": lambda ours=ours: ours(lines).lines.shapes(),
            "wangge on its network": partial(ours, network),
        }
        if has_networkx and n <= MOST_BY_NETWORKX:
            ways["networkx from counted nodes"] = lambda xy=xy: shortest_paths(
                lattice(), xy, bandwidth_m
            )
            ways["networkx on its graph"] = partial(shortest_paths, graph, xy, bandwidth_m)
        ours(network)  # Loads the compiled loops.
        took: dict[str, list[float]] = {name: [] for name in ways}
        for _ in range(rounds):
            for name, way in ways.items():
                start = time.process_time()
                way()
                took[name].append(time.process_time() - start)
        print(
            f"{n:>9,} events, CPU s: "
            + ", ".join(f"{name} {np.median(each):.3f}" for name, each in took.items())
        )
        made = ours(network)
        kept = made.mass.sum() + made.lost + made.dropped
        print(
            f"{'':>9} {made.length_m.sum() / 1000:,.0f} km in {len(made.values):,} pieces, "
            f"mass off by {abs(kept - n) / n:.0e}"
        )
    _along_exactly(bandwidth_m)


LATTICE = 199
"""Nodes along a side: crossings every 100 m, and the middles between them."""


def lattice() -> networkx.Graph:
    """Make the streets as a graph of nodes 50 m apart."""
    import networkx  # noqa: PLC0415

    graph = networkx.Graph()
    for row in range(0, LATTICE, 2):
        for column in range(LATTICE - 1):
            here = row * LATTICE + column
            graph.add_edge(here, here + 1, weight=50.0)
            here = column * LATTICE + row
            graph.add_edge(here, here + LATTICE, weight=50.0)
    return graph


def shortest_paths(graph: networkx.Graph, xy: Floats, bandwidth_m: float) -> dict[int, float]:
    """Sum quartic kernels over shortest paths to the middles of pieces of 50 m, in plain networkx.

    The usual way in Python, beside the same streets. It does not split at crossings, so that it
    puts more than one incident on the streets for each; only its time is compared.
    """
    import networkx  # noqa: PLC0415

    value: dict[int, float] = {}
    for x, y in xy - (500_000, 4_400_000):
        row = 2 * round(y / 100)
        node = row * LATTICE + min(round(x / 50), LATTICE - 1)
        near = networkx.single_source_dijkstra_path_length(graph, node, cutoff=bandwidth_m)
        for piece, metres in near.items():
            kernel = 15 / (16 * bandwidth_m) * (1 - (metres / bandwidth_m) ** 2) ** 2
            value[piece] = value.get(piece, 0.0) + kernel
    return value


def _along_exactly(bandwidth_m: float) -> None:
    """Compare one event on the lattice of streets with the sum over all ways that never turn."""
    at = np.arange(-10, 11) * 100.0
    origin = np.array([500_000.0, 4_400_000.0])
    grid = np.stack(np.meshgrid(at, at, indexing="ij"), axis=-1) + origin
    lines = gpd.GeoSeries(
        shapely.linestrings(np.concatenate([grid, grid.transpose(1, 0, 2)])), crs=32650
    )
    lon, lat = Transformer.from_crs(32650, 4326, always_xy=True).transform(
        origin[0] + 50, origin[1]
    )
    days = [datetime(2026, month, 1, tzinfo=UTC) for month in (1, 2)]
    made = along([lon], [lat], lines, start=days[0], end=days[1], bandwidth_m=bandwidth_m,
                 lixel_m=101.0)  # fmt: skip
    # UTM to the metric CRS of the map is a scale that differs from 1 by less than a thousandth.
    side_m = float(np.median(made.length_m))

    def quartic(metres: float) -> float:
        return 15 / (16 * bandwidth_m) * (1 - (metres / bandwidth_m) ** 2) ** 2

    truth: dict[tuple[int, int], float] = {}

    def walk(place: tuple[int, int], step: tuple[int, int], near_m: float, share: float) -> None:
        """Go from a crossing along one street: the middle between two crossings names it."""
        far_m = min(near_m + side_m, bandwidth_m)
        if far_m <= near_m:
            return
        street = (2 * place[0] + step[0], 2 * place[1] + step[1])
        truth[street] = truth.get(street, 0.0) + share * quad(quartic, near_m, far_m)[0]
        ahead = (place[0] + step[0], place[1] + step[1])
        for way in ((1, 0), (-1, 0), (0, 1), (0, -1)):
            if way != (-step[0], -step[1]):
                walk(ahead, way, near_m + side_m, share / 3)

    half_m = side_m / 2
    truth[1, 0] = 2 * quad(quartic, 0, half_m)[0]
    for place, back in (((1, 0), (-1, 0)), ((0, 0), (1, 0))):
        for way in ((1, 0), (-1, 0), (0, 1), (0, -1)):
            if way != back:
                walk(place, way, half_m, 1 / 3)
    found = np.sort(made.mass[made.mass > 1e-12])[::-1]
    exactly = np.sort([value for value in truth.values() if value > 1e-12])[::-1]
    error = np.abs(found - exactly).max() / exactly.max()
    print(
        f"one event on {len(exactly)} streets, every way walked: off by {error:.0e} of the highest"
    )


def _edge_correction(bandwidth_m: float) -> None:
    """Compare the share of kernels over a half plane of cells with the error function."""
    mask = np.zeros((CELLS, CELLS), dtype=np.bool_)
    mask[:, CELLS // 2 :] = True
    start = time.perf_counter()
    sigma = bandwidth_m / CELL_M
    share = kernel_mass(mask, (sigma, sigma))[CELLS // 2]
    took = time.perf_counter() - start
    distance = np.arange(CELLS) + 0.5 - CELLS // 2
    truth = np.array([0.5 * (1 + math.erf(d / sigma / math.sqrt(2))) for d in distance])
    checked = mask[CELLS // 2] & (distance < CELLS // 4)
    error = np.abs(share - truth)[checked] / truth[checked]
    print(f"edge correction of the whole raster: {took * 1e3:.1f} ms, max error {error.max():.1e}")


if __name__ == "__main__":
    main()
