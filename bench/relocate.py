"""Incidents against a new edition: ``python -m bench.relocate``.

A made county of square grids with a worker each, a school's exclusive grid, an edition whose
borders lie a third of a grid further east, and incidents at random, of two days. Seconds of the
clock and CPU seconds of this process and of the database, for looking and for writing an event of
each that moves, a day each: here, and by the workers of a Dask cluster. The memory is the highest
that this process comes to.
"""

from __future__ import annotations

import argparse
import os
import resource
import tempfile
import time
from contextlib import ExitStack
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import geopandas as gpd
import numpy as np
import shapely

from data import schema
from data.bulk import cluster
from data.bulk.incidents import Workers
from gis.cluster import Cluster
from gis.database import Database, execute
from gis.settings import DatabaseSettings
from grids import service
from grids.incidents.relocating import Wanted, relocate
from grids.locating import store
from tests import factories

if TYPE_CHECKING:
    from sqlalchemy.orm import Session

DAY = datetime(2026, 6, 1, tzinfo=UTC)
"""Of the first half of the incidents; the others are of the next."""


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


def incidents(session: Session, count: int) -> None:
    """Incidents at random in the grids of the edition in force, half of them a day later."""
    execute(session, "SELECT setseed(.5)")
    execute(
        session,
        "INSERT INTO incidents (id, county_code, source, category, reported_at, geom, "
        "source_crs, method, reason, request_sha256, edition_id, grid_id) "
        "SELECT gen_random_uuid(), '990121', 'b', 'neighbour', p.at, p.geom, 'wgs84', 'map', "
        "'in_grid', repeat('0', 64), g.edition_id, g.grid_id "
        "FROM (SELECT ST_SetSRID(ST_MakePoint(117 + .08 * random(), 45 + .02 * random()), 4326)"
        " AS geom, CAST('2026-06-01Z' AS timestamptz) + n % 2 * interval '1 day' AS at "
        "FROM generate_series(1, :count) AS n) AS p "
        "JOIN LATERAL (SELECT * FROM grid_shapes AS s WHERE s.geom && p.geom "
        "AND ST_Covers(s.geom, p.geom) ORDER BY s.code LIMIT 1) AS g ON true",
        count=count,
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--incidents", type=int, default=200_000)
    parser.add_argument("--side", type=int, default=15, help="of a village, in grids")
    parser.add_argument("--scheduler", default="", help="such as local:2, beside")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(dir="/dev/shm") as name:
        Path(name).chmod(0o755)
        server = Cluster(Path(name) / "cluster", durable=False)
        settings = DatabaseSettings(database_url=server.start().replace("+psycopg", ""))
        try:
            with Database.open(settings) as database:
                schema.upgrade(database)
                measure(database, Path(name), options.incidents, options.side, options.scheduler)
        finally:
            server.stop()


def measure(database: Database, folder: Path, count: int, side: int, scheduler: str) -> None:
    with database.transaction(timeout_s=0) as session:
        factories.units(session)
        first = service.save_draft(
            session, factories.COUNTY, grids(side, 0), title="first", author="b"
        )
        service.publish(session, first.id, approver="a", effective=factories.SINCE)
        incidents(session, count)
        second = service.save_draft(
            session, factories.COUNTY, grids(side, 0.3), title="second", author="b"
        )
        service.publish(session, second.id, approver="a")
        school = {factories.VILLAGES[0] + "901": shapely.box(117.01, 45.005, 117.012, 45.007)}
        factories.lay_over(session, "exclusive", school)
        workers(session)
    with database.transaction(timeout_s=0) as session:
        store.editions(session, folder / "index")
        for table in ("incidents", "assignments", "persons"):
            execute(session, f"ANALYZE {table}")
    print(f"{count:,} incidents, {2 * side * side} grids, load {os.getloadavg()[0]:.1f}")
    for way, day in (("here", DAY), (scheduler, DAY + timedelta(days=1))):
        if not way:
            continue
        # The first finds nothing and loads the kernels.
        nothing = Wanted(until=DAY)
        wanted = Wanted(since=day, until=day + timedelta(hours=1))
        with ExitStack() as stack:
            more: dict[str, Any] = {}
            if way != "here":
                more["placing"] = Workers(stack.enter_context(cluster.connected(way)))
            run(database, folder, f"{way} kernels", nothing, more)
            for what in ("look", "look", "write", "again"):
                written = {} if what == "look" else {"commit": True, "reason": "bench"}
                run(database, folder, f"{way} {what}", wanted, more | written)


def run(database: Database, folder: Path, told: str, wanted: Wanted, more: dict[str, Any]) -> None:
    theirs, mine, clock = spent(database), time.process_time(), time.perf_counter()
    done = relocate(database, folder / "index", wanted, actor="bench", **more)
    seconds, mine = time.perf_counter() - clock, time.process_time() - mine
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e3
    print(
        f"  {told:16} {seconds:6.2f} s, CPU of this process {mine:5.2f} s, of the database "
        f"{spent(database) - theirs:5.2f} s; {done.looked_at:,} looked at, "
        f"{done.moved.total():,} moved, {done.written:,} events; peak {peak:.0f} MB",
        flush=True,
    )


def spent(database: Database) -> float:
    """CPU seconds of the database's processes that serve connections, so far."""
    with database.transaction() as session:
        pids = execute(
            session,
            "SELECT pid FROM pg_stat_activity WHERE datname = current_database() "
            "AND backend_type = 'client backend'",
        ).scalars()
        fields = [Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split() for pid in pids]
    return sum(int(each[11]) + int(each[12]) for each in fields) / os.sysconf("SC_CLK_TCK")


def workers(session: Session) -> None:
    """One in charge of each grid that is in force."""
    execute(
        session,
        "WITH made AS (INSERT INTO persons (id, county_code, name, external_id, source) "
        "SELECT gen_random_uuid(), '990121', 'w' || g.grid_id, g.grid_id::text, 'b' "
        "FROM grid_shapes AS g JOIN editions AS e ON e.id = g.edition_id "
        "WHERE e.valid @> now() RETURNING id, external_id) "
        "INSERT INTO assignments "
        "(county_code, person_id, role, grid_id, is_primary, valid, author) "
        "SELECT '990121', id, 'grid_worker', external_id::bigint, true, "
        "tstzrange('2026-01-01', NULL), 'b' FROM made",
    )


if __name__ == "__main__":
    main()
