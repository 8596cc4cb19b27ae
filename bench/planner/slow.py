"""Regionalisers and splitters that take long: each in a process of its own, with a time limit."""

from __future__ import annotations

import multiprocessing
import tempfile
import time
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from queue import Empty
from typing import Any

import geopandas as gpd
import numpy as np
import shapely
from sqlalchemy import create_engine, text

from bench.planner.towns import Layers
from gis.cluster import Cluster
from grids.redistricting.cells import Cells
from grids.redistricting.graph import CellGraph
from grids.redistricting.projection import metre_crs
from grids.redistricting.search import fair_counts

try:
    import fmtm_splitter
except ImportError:
    fmtm_splitter = None
try:
    import gerrychain
except ImportError:
    gerrychain = None
try:
    import spopt
except ImportError:
    spopt = None

Norm = tuple[float, float]
Peer = Callable[[CellGraph, int, Norm], np.ndarray]


def found() -> dict[str, Peer]:
    """Name those that are installed."""
    peers = {
        "GerryChain": (gerrychain, by_gerrychain),
        "spopt Max-P": (spopt, by_max_p),
        "spopt SKATER": (spopt, by_skater),
    }
    for name, (module, _) in peers.items():
        if module is None:
            print(f"{name} is not installed and left out")
    return {name: method for name, (module, method) in peers.items() if module is not None}


def limited(method: Callable[[], np.ndarray], limit_s: float) -> tuple[np.ndarray | str, float]:
    """Label of each cell, or why there is none, and the seconds it took."""
    context = multiprocessing.get_context("fork")
    answers: Any = context.Queue()
    child = context.Process(target=_answer, args=(method, answers))
    start = time.monotonic()
    child.start()
    try:
        answer = answers.get(timeout=limit_s)
    except Empty:
        answer = f"does not finish in {limit_s:.0f} s"
    child.kill()
    child.join()
    return answer, time.monotonic() - start


def _answer(method: Callable[[], np.ndarray], answers: Any) -> None:
    warnings.simplefilter("ignore")
    try:
        answers.put(method())
    except Exception as error:  # noqa: BLE001 - whatever a peer fails with is its result
        answers.put(f"fails: {type(error).__name__}: {str(error)[:80]}")


def _edges(graph: CellGraph) -> np.ndarray:
    """Pairs of cells that one can walk between, each once."""
    left = np.repeat(np.arange(graph.size), np.diff(graph.starts))
    once = graph.walk & (left < graph.ends)
    return np.column_stack([left[once], graph.ends[once]])


def by_gerrychain(graph: CellGraph, seed: int, norm: Norm) -> np.ndarray:
    """Recursive cuts of random spanning trees, each part within the tolerance."""
    import networkx  # noqa: PLC0415
    from gerrychain.partition import recursive_tree_part  # noqa: PLC0415

    target, tolerance = norm
    counts, _ = fair_counts(graph, target, tolerance)
    label = np.zeros(graph.size, dtype=int)
    done = 0
    for part, count in enumerate(counts.tolist()):
        cells = np.flatnonzero(graph.component == part)
        whole = networkx.Graph()
        whole.add_nodes_from((int(c), {"people": int(graph.households[c])}) for c in cells)
        edges = _edges(graph)
        whole.add_edges_from(edges[graph.component[edges[:, 0]] == part].tolist())
        districts = recursive_tree_part(
            gerrychain.Graph.from_networkx(whole),
            parts=range(count),
            pop_target=float(graph.households[cells].sum()) / count,
            pop_col="people",
            epsilon=tolerance,
            rng=seed,
        )
        for cell, district in districts.items():
            label[cell] = done + district
        done += count
    return label


def _layer(graph: CellGraph) -> tuple[gpd.GeoDataFrame, Any]:
    """Cells as spopt takes them, with their neighbours on foot."""
    import libpysal  # noqa: PLC0415

    near: dict[int, list[int]] = {cell: [] for cell in range(graph.size)}
    for a, b in _edges(graph).tolist():
        near[a].append(b)
        near[b].append(a)
    layer = gpd.GeoDataFrame(
        {"people": graph.households, "x": graph.x, "y": graph.y},
        geometry=shapely.points(graph.x, graph.y),
    )
    return layer, libpysal.weights.W(near, silence_warnings=True)


def by_max_p(graph: CellGraph, seed: int, norm: Norm) -> np.ndarray:
    """As many compact regions as there can be with the fewest households allowed."""
    target, tolerance = norm
    layer, weights = _layer(graph)
    np.random.seed(seed)  # noqa: NPY002 - spopt draws from the global generator
    model = spopt.region.MaxPHeuristic(
        layer, weights, ["x", "y"], "people", target * (1 - tolerance), 1
    )
    model.solve()
    return np.asarray(model.labels_, dtype=int)


def by_skater(graph: CellGraph, seed: int, norm: Norm) -> np.ndarray:
    """As many regions as wanted, by cutting the tree that joins the nearest cells."""
    del seed  # it draws nothing
    counts, _ = fair_counts(graph, *norm)
    layer, weights = _layer(graph)
    model = spopt.region.Skater(layer, weights, ["x", "y"], n_clusters=int(counts.sum()))
    model.solve()
    return np.asarray(model.labels_, dtype=int)


FMTM_TAGS = {"street": "highway", "arterial": "highway", "rail": "railway", "river": "waterway"}


@contextmanager
def database() -> Iterator[str]:
    """URL of a PostGIS in memory for as long as it is needed."""
    with tempfile.TemporaryDirectory(dir="/dev/shm") as folder:
        Path(folder).chmod(0o755)
        cluster = Cluster(Path(folder) / "fmtm", durable=False)
        try:
            url = cluster.start()
            with create_engine(url).begin() as connection:
                connection.execute(text("CREATE EXTENSION IF NOT EXISTS postgis"))
            yield url.replace("+psycopg", "")
        finally:
            cluster.stop()


def by_fmtm(graph: CellGraph, norm: Norm, layers: Layers, cells: Cells, url: str) -> np.ndarray:
    """Tasks of as many buildings as a grid has on average; it knows no households.

    It divides the ground itself; each cell is counted to the task its middle lies in.
    """
    from fmtm_splitter.splitter import split_by_sql  # noqa: PLC0415

    area, buildings, barriers = layers
    counts, _ = fair_counts(graph, *norm)
    metres = buildings.estimate_utm_crs()
    houses = buildings.to_crs(metres)
    houses = houses.set_geometry(houses.buffer(5, cap_style="square")).to_crs(4326)
    features = [
        {
            "type": "Feature",
            "properties": {"osm_id": row, "tags": {"building": "yes"}},
            "geometry": shapely.geometry.mapping(shape),
        }
        for row, shape in enumerate(houses.geometry)
    ]
    features += [
        {
            "type": "Feature",
            "properties": {"osm_id": len(features) + row, "tags": {FMTM_TAGS[kind]: "yes"}},
            "geometry": shapely.geometry.mapping(shape),
        }
        for row, (kind, shape) in enumerate(zip(barriers["kind"], barriers.geometry, strict=True))
        if kind in FMTM_TAGS
    ]
    aoi = {"type": "Feature", "properties": {}, "geometry": area.geometry[0].__geo_interface__}
    tasks = split_by_sql(
        {"type": "FeatureCollection", "features": [aoi]},
        url,
        num_buildings=max(1, round(len(buildings) / int(counts.sum()))),
        osm_extract={"type": "FeatureCollection", "features": features},
    )
    drawn = gpd.GeoDataFrame.from_features(tasks["features"], crs=4326)
    drawn = drawn.to_crs(metre_crs(area.geometry)).geometry.to_numpy()
    cell, task = shapely.STRtree(drawn).query(
        shapely.point_on_surface(cells.polygons), predicate="intersects"
    )
    # Ground in no task is one of its own.
    label = np.full(graph.size, len(drawn), dtype=int)
    label[cell] = task
    return label
