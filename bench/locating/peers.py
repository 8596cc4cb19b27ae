"""Point to polygon with other tools: each is prepared with the grids and then asked for points.

Every one answers with the smallest number among the grids that cover the point, -1 for none.
"""

from __future__ import annotations

import os
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import geopandas as gpd
import numpy as np
import pandas as pd
import psycopg
import shapely
from numpy.typing import NDArray

from gis.cluster import Cluster

Ask = Callable[[NDArray[np.float64], NDArray[np.float64]], NDArray[np.int64]]
Clock = Callable[[], float]


class Absent(Exception):
    """The peer is not on this machine."""


def _smallest(count: int, points: NDArray[np.int64], grids: NDArray[Any]) -> NDArray[np.int64]:
    none = np.iinfo(np.int64).max
    found = np.full(count, none)
    np.minimum.at(found, points, grids)
    return np.where(found == none, -1, found)


@contextmanager
def by_shapely(shapes: NDArray[np.object_]) -> Iterator[tuple[Ask, Clock]]:
    shapely.prepare(shapes)
    tree = shapely.STRtree(shapes)

    def ask(x: NDArray[np.float64], y: NDArray[np.float64]) -> NDArray[np.int64]:
        points, grids = tree.query(shapely.points(x, y), predicate="intersects")
        return _smallest(len(x), points, grids)

    yield ask, time.process_time


@contextmanager
def by_geopandas(shapes: NDArray[np.object_]) -> Iterator[tuple[Ask, Clock]]:
    grids = gpd.GeoDataFrame({"grid": np.arange(len(shapes))}, geometry=shapes, crs=4326)

    def ask(x: NDArray[np.float64], y: NDArray[np.float64]) -> NDArray[np.int64]:
        points = gpd.GeoDataFrame(geometry=gpd.points_from_xy(x, y), crs=4326)
        joined = gpd.sjoin(points, grids, predicate="intersects")
        return _smallest(len(x), joined.index.to_numpy(), joined["grid"].to_numpy())

    yield ask, time.process_time


@contextmanager
def by_duckdb(shapes: NDArray[np.object_]) -> Iterator[tuple[Ask, Clock]]:
    try:
        import duckdb  # noqa: PLC0415
    except ImportError as error:
        raise Absent("duckdb is not installed") from error
    connection = duckdb.connect()
    connection.execute("SET threads = 1")
    try:
        connection.execute(f"LOAD '{_duckdb_spatial()}'")
    except duckdb.Error as error:
        raise Absent("duckdb's spatial extension is not here") from error
    made = pd.DataFrame({"grid": np.arange(len(shapes)), "wkb": shapely.to_wkb(shapes)})
    connection.register("made", made)
    connection.execute("CREATE TABLE grids AS SELECT grid, ST_GeomFromWKB(wkb) AS geom FROM made")

    def ask(x: NDArray[np.float64], y: NDArray[np.float64]) -> NDArray[np.int64]:
        points = pd.DataFrame({"n": np.arange(len(x)), "x": x, "y": y})
        connection.register("asked", points)
        rows = connection.execute(
            "SELECT p.n, min(g.grid) AS grid FROM (SELECT n, ST_Point(x, y) AS geom FROM asked) p "
            "JOIN grids g ON ST_Intersects(g.geom, p.geom) GROUP BY p.n"
        ).fetchnumpy()
        return _smallest(len(x), np.asarray(rows["n"]), np.asarray(rows["grid"]))

    yield ask, time.process_time
    connection.close()


def _duckdb_spatial() -> str:
    """The extension: a file that a package brings along, else the one that was installed."""
    try:
        import duckdb_extension_spatial as package  # noqa: PLC0415
    except ImportError:
        return "spatial"
    return str(next(Path(package.__file__).parent.rglob("spatial.duckdb_extension")))


@contextmanager
def by_sedonadb(shapes: NDArray[np.object_]) -> Iterator[tuple[Ask, Clock]]:
    try:
        import sedona.db  # noqa: PLC0415
    except ImportError as error:
        raise Absent("sedonadb is not installed") from error
    sedona_db = sedona.db.connect()
    grids = gpd.GeoDataFrame({"grid": np.arange(len(shapes))}, geometry=shapes, crs=4326)
    sedona_db.create_data_frame(grids).to_view("grids", overwrite=True)

    def ask(x: NDArray[np.float64], y: NDArray[np.float64]) -> NDArray[np.int64]:
        points = gpd.GeoDataFrame(
            {"n": np.arange(len(x))}, geometry=gpd.points_from_xy(x, y), crs=4326
        )
        sedona_db.create_data_frame(points).to_view("asked", overwrite=True)
        rows = sedona_db.sql(
            "SELECT p.n, min(g.grid) AS grid FROM asked p "
            "JOIN grids g ON ST_Intersects(g.geometry, p.geometry) GROUP BY p.n"
        ).to_pandas()
        return _smallest(len(x), rows["n"].to_numpy(), rows["grid"].to_numpy())

    yield ask, time.process_time


@contextmanager
def by_postgis(shapes: NDArray[np.object_]) -> Iterator[tuple[Ask, Clock]]:
    memory = "/dev/shm" if os.access("/dev/shm", os.W_OK) else None
    with tempfile.TemporaryDirectory(dir=memory) as folder:
        Path(folder).chmod(0o755)  # for the account that the server runs under
        cluster = Cluster(Path(folder) / "cluster", durable=False)
        url = cluster.start().replace("+psycopg", "")
        try:
            with psycopg.connect(url, autocommit=True) as connection:
                _fill_postgis(connection, shapes)
                yield _ask_postgis(connection)
        finally:
            cluster.stop()


def _fill_postgis(connection: psycopg.Connection, shapes: NDArray[np.object_]) -> None:
    connection.execute("CREATE EXTENSION IF NOT EXISTS postgis")
    connection.execute("CREATE TABLE locate_grids (grid int, geom geometry(Geometry, 4326))")
    hexes = shapely.to_wkb(shapely.set_srid(shapes, 4326), hex=True, include_srid=True)
    with connection.cursor().copy("COPY locate_grids FROM STDIN") as copy:
        for row in enumerate(hexes):
            copy.write_row(row)
    connection.execute("CREATE INDEX ON locate_grids USING gist (geom)")
    connection.execute("ANALYZE locate_grids")
    connection.execute("SET max_parallel_workers_per_gather = 0")
    connection.execute("SET jit = off")


def _ask_postgis(connection: psycopg.Connection) -> tuple[Ask, Clock]:
    process = Path(f"/proc/{connection.info.backend_pid}/stat")
    tick = os.sysconf("SC_CLK_TCK")

    def clock() -> float:
        """CPU seconds of this process and of the server's for it."""
        fields = process.read_text().rpartition(")")[2].split()
        return time.process_time() + (int(fields[11]) + int(fields[12])) / tick

    def ask(x: NDArray[np.float64], y: NDArray[np.float64]) -> NDArray[np.int64]:
        rows = connection.execute(
            "SELECT p.n, min(g.grid) FROM unnest(%s::float8[], %s::float8[]) WITH ORDINALITY "
            "AS p (x, y, n) JOIN locate_grids AS g "
            "ON ST_Covers(g.geom, ST_SetSRID(ST_MakePoint(p.x, p.y), 4326)) GROUP BY p.n",
            (x.tolist(), y.tolist()),
        ).fetchall()
        numbers = np.array(rows, dtype=np.int64).reshape(-1, 2)
        return _smallest(len(x), numbers[:, 0] - 1, numbers[:, 1])

    return ask, clock


PEERS = {
    "shapely STRtree": (by_shapely, 200_000),
    "geopandas sjoin": (by_geopandas, 200_000),
    "duckdb spatial": (by_duckdb, 200_000),
    "sedonadb": (by_sedonadb, 200_000),
    "PostGIS": (by_postgis, 40_000),
}
"""Each peer and how many points it is asked for at once."""
