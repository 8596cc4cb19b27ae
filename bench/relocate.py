"""Incidents against a new edition: ``python -m bench.relocate``.

A made county of square grids, an edition whose grids begin half a grid further east, and incidents
at random. CPU seconds of this process and of the database's, for looking and for writing an event
of each that moves; the memory is the highest that this process comes to.
"""

from __future__ import annotations

import argparse
import resource
import tempfile
import time
from pathlib import Path

import geopandas as gpd
import numpy as np
import shapely

from data import schema
from gis.cluster import Cluster
from gis.database import Database, execute
from gis.settings import DatabaseSettings
from grids import service
from grids.incidents.relocating import Wanted, relocate
from grids.locating import store
from tests import factories


def grids(side: int, shift: float) -> gpd.GeoDataFrame:
    """Bands of squares over both villages of the small county, borders moved to the east."""
    found = []
    for village in range(2):
        west = factories.WEST + 2 * village * factories.STEP
        wide = 2 * factories.STEP / side
        borders = np.array([0, *(np.arange(1, side) + shift), side]) * wide + west
        rows = np.linspace(factories.SOUTH, factories.NORTH, side + 1)
        x, y = np.meshgrid(np.arange(side), np.arange(side))
        shapes = shapely.box(borders[x], rows[y], borders[x + 1], rows[y + 1])
        code = [f"{factories.VILLAGES[village]}{n:03}" for n in range(1, side * side + 1)]
        found.append((code, shapes.ravel(), [factories.VILLAGES[village]] * side * side))
    count = 2 * side * side
    return gpd.GeoDataFrame(
        {
            "code": [each for code, _, _ in found for each in code],
            "unit": [each for _, _, unit in found for each in unit],
            "households": [300] * count, "buildings": [20] * count, "target": [300] * count,
        },
        geometry=np.concatenate([shapes for _, shapes, _ in found]), crs=4326,
    )  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--incidents", type=int, default=200_000)
    parser.add_argument("--side", type=int, default=15, help="of a village, in grids")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(dir="/dev/shm") as name:
        Path(name).chmod(0o755)
        cluster = Cluster(Path(name) / "cluster", durable=False)
        settings = DatabaseSettings(database_url=cluster.start().replace("+psycopg", ""))
        try:
            with Database.open(settings) as database:
                schema.upgrade(database)
                measure(database, Path(name), options.incidents, options.side)
        finally:
            cluster.stop()


def measure(database: Database, folder: Path, count: int, side: int) -> None:
    with database.transaction(timeout_s=0) as session:
        factories.units(session)
        first = service.save_draft(
            session, factories.COUNTY, grids(side, 0), title="first", author="b"
        )
        service.publish(session, first.id, approver="a", effective=factories.SINCE)
        execute(session, "SELECT setseed(.5)")
        execute(
            session,
            "INSERT INTO incidents (id, county_code, source, category, reported_at, geom, "
            "source_crs, method, reason, request_sha256, edition_id, grid_id) "
            "SELECT gen_random_uuid(), '990121', 'b', 'neighbour', now(), p.geom, 'wgs84', 'map', "
            "'in_grid', repeat('0', 64), g.edition_id, g.grid_id "
            "FROM (SELECT ST_SetSRID(ST_MakePoint(117 + .08 * random(), 45 + .02 * random()), 4326)"
            " AS geom FROM generate_series(1, :count)) AS p "
            "JOIN LATERAL (SELECT * FROM grid_shapes AS s WHERE s.geom && p.geom "
            "AND ST_Covers(s.geom, p.geom) ORDER BY s.code LIMIT 1) AS g ON true",
            count=count,
        )
        second = service.save_draft(
            session, factories.COUNTY, grids(side, 0.3), title="second", author="b"
        )
        service.publish(session, second.id, approver="a")
    with database.transaction(timeout_s=0) as session:
        store.editions(session, folder / "index")
        execute(session, "ANALYZE incidents")
    print(f"{count:,} incidents, {2 * side * side} grids")
    for what, more in (
        ("look", {}),
        ("write", {"commit": True, "reason": "bench"}),
        ("again", {"commit": True, "reason": "bench"}),
    ):
        start, clock = time.process_time(), time.perf_counter()
        done = relocate(database, folder / "index", Wanted(), actor="bench", **more)  # type: ignore[arg-type]
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e3
        print(
            f"  {what:6} {time.perf_counter() - clock:6.1f} s, CPU of this process "
            f"{time.process_time() - start:5.1f} s; {done.moved.total():,} moved, "
            f"{done.written:,} events; peak {peak:.0f} MB",
            flush=True,
        )


if __name__ == "__main__":
    main()
