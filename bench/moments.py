"""Answers for any moment, over many editions: ``python -m bench.moments [--editions 1 20 200]``.

A made county of 12,090 square grids (thirteen villages, a worker for each grid), of which one
edition after another is put into the database, a month each from 2010 on. For each number of
editions a process of its own tells

- *first* and *again*: seconds to load a snapshot where nothing is compiled, and where all is;
- *refresh*: seconds until the snapshot holds a change of somebody's duty;
- *private*: memory of the process that it shares with no other, beside what it takes with nothing
  loaded; *files*: what is mapped;
- *one*: CPU microseconds for whole answers to places and moments at random, and at one moment;
  *grid* the same for the grid alone;
- *many*: thousand points a CPU second, of batches of 100,000 at random places and moments.

Where `wrk` is installed ``wangge up`` serves the same database, and is asked by 16 connections for
places at random: at one moment, then at moments at random.
"""

from __future__ import annotations

import argparse
import gc
import json
import os
import random
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from bench.locate_http import cpu_s
from data import schema
from gis.database import Database, execute
from gis.settings import DatabaseSettings
from grids.locating import batches, store
from tests import factories

if TYPE_CHECKING:
    from collections.abc import Callable

    from sqlalchemy.orm import Session

PORT = 8979
VILLAGES, COLUMNS, ROWS = 13, 30, 31
"""Villages from west to east, and grids of each, from west to east and from south to north."""
BEGAN = datetime(2010, 1, 1, tzinfo=UTC)
MONTH_S = 30 * 86_400
ASKED = 20_000
BATCH = 100_000
SCRIPT = """
math.randomseed(7)
request = function()
  local at = os.date("!%%Y-%%m-%%dT%%H:%%M:%%SZ", %d + math.random(%d))
  return wrk.format("GET", string.format("/api/v1/locate?lon=%%.6f&lat=%%.6f&at=%%s",
    117 + math.random() * 0.08, 45 + math.random() * 0.02, at), {["Authorization"] = "Bearer %s"})
end
"""
_GRIDS = """
INSERT INTO grid_shapes (edition_id, grid_id, county_code, code, unit_code, name, area_type,
    households, buildings, target, compactness, area_m2, geom)
SELECT :edition, g.id, '990121', g.unit_code || lpad((n + 1)::text, 3, '0'), g.unit_code, '',
    'urban',
    -- Counted anew for each edition: one of ten grids has other figures than before.
    300 + (n * 7 + CASE WHEN (n + :edition) % 10 = 0 THEN :edition ELSE 0 END) % 30,
    20, 300, 0.7, 2000,
    ST_MakeEnvelope(west + wide * (n % :columns), 45 + high * (n / :columns),
        west + wide * (n % :columns + 1), 45 + high * (n / :columns + 1), 4326)
FROM bench_grids AS g
CROSS JOIN LATERAL (SELECT g.place AS n, 0.08::float8 / :villages / :columns AS wide,
    0.02::float8 / :rows AS high) AS d
CROSS JOIN LATERAL (
    SELECT 117 + 0.08::float8 * (right(g.unit_code, 3)::int - 1) / :villages AS west) AS v
"""


def prepare(database: Database) -> str:
    """Units, identities of grids, and a worker for each; a key that sees all."""
    with database.transaction(timeout_s=0) as session:
        factories.units(session)
        execute(
            session,
            "INSERT INTO admin_units (code, level, parent_code, name, source) "
            "SELECT :town || lpad(n::text, 3, '0'), 12, :town, 'v' || n, 'b' "
            "FROM generate_series(3, :villages) AS n",
            town=factories.TOWNSHIP, villages=VILLAGES,
        )  # fmt: skip
        execute(
            session,
            "CREATE TABLE bench_grids AS SELECT row_number() OVER (ORDER BY code, n) AS id, "
            "n AS place, code AS unit_code FROM admin_units "
            "CROSS JOIN generate_series(0, :count - 1) AS n WHERE level = 12",
            count=COLUMNS * ROWS,
        )
        execute(session, "SET LOCAL session_replication_role = replica")
        execute(
            session,
            "INSERT INTO grids (id, county_code) OVERRIDING SYSTEM VALUE "
            "SELECT id, '990121' FROM bench_grids",
        )
        execute(
            session,
            "INSERT INTO persons (county_code, name, source, external_id) "
            "SELECT '990121', 'w' || id, 'b', id::text FROM bench_grids",
        )
        execute(
            session,
            "INSERT INTO assignments (county_code, person_id, role, grid_id, is_primary, valid, "
            "author, area_code) SELECT '990121', p.id, 'grid_worker', g.id, true, "
            "tstzrange('2010-01-01', NULL), 'b', g.unit_code "
            "FROM persons AS p JOIN bench_grids AS g ON g.id = p.external_id::bigint",
        )
        return factories.key(session, factories.account(session, "integrator"))


def put(database: Database, number: int, count: int) -> None:
    """Editions up to a number of them, one after the other."""
    with database.transaction(timeout_s=0) as session:
        # The table's triggers ask of each of millions of rows whether its edition is a draft.
        execute(session, "SET LOCAL session_replication_role = replica")
        for each in range(number, count):
            edition = execute(
                session,
                "INSERT INTO editions (area_code, title, author, approver, published_at) "
                "VALUES ('990121', :title, 'b', 'a', now()) RETURNING id",
                title=f"edition {each}",
            ).scalar_one()
            execute(
                session, _GRIDS, edition=edition, villages=VILLAGES, columns=COLUMNS, rows=ROWS,
            )  # fmt: skip
        execute(session, "UPDATE editions SET status = 'draft', valid = NULL")
        execute(
            session,
            "UPDATE editions AS e SET "
            "status = CASE WHEN n < :count THEN 'superseded' ELSE 'active' END, "
            "valid = tstzrange(to_timestamp(:began + (n - 1) * :month), "
            "CASE WHEN n < :count THEN to_timestamp(:began + n * :month) END) "
            "FROM (SELECT id, row_number() OVER (ORDER BY id) AS n FROM editions) AS o "
            "WHERE o.id = e.id",
            began=BEGAN.timestamp(), month=MONTH_S, count=count,
        )  # fmt: skip
    with database.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        connection.exec_driver_sql("VACUUM ANALYZE")


def private_mb() -> float:
    """Memory that this process alone has."""
    text = Path("/proc/self/smaps_rollup").read_text()
    return sum(int(n) for n in re.findall(r"Private_(?:Dirty|Clean): +(\d+)", text)) / 1e3


def timed(call: Callable[[], Any]) -> tuple[float, Any]:
    start = time.perf_counter()
    done = call()
    return time.perf_counter() - start, done


def measure(data: Path, count: int) -> dict[str, float]:
    """What one process says of so many editions."""
    with Database.open(DatabaseSettings(data_dir=data)) as database:
        folder = data / "index"

        def load(before: Any = None) -> Any:
            with database.transaction(timeout_s=0) as session:
                return store.load(session, folder, before)

        shutil.rmtree(folder, ignore_errors=True)
        first, snapshot = timed(load)
        answers(count, ASKED, snapshot.find)  # kernels
        del snapshot
        gc.collect()
        before = private_mb()
        again, snapshot = timed(load)
        gc.collect()
        grown = private_mb() - before
        with database.transaction(timeout_s=0) as session:
            change(session)
        refresh, snapshot = timed(lambda: load(snapshot))

        def asked(lon: float, lat: float, at: float) -> object:
            return snapshot.answer(lon, lat, at=datetime.fromtimestamp(at, UTC))

        answers(count, 1000, asked)
        found = {
            "grid": answers(count, ASKED, snapshot.find),
            "one": answers(count, ASKED, asked),
            "one moment": answers(count, ASKED, asked, spread=False),
            "many": many(snapshot, count),
        }
        size = sum(each.stat().st_size for each in folder.glob("*.wgl")) / 1e6
    return {
        "first": first, "again": again, "refresh": refresh, "private": grown, "files": size, **found
    }  # fmt: skip


def change(session: Session) -> None:
    """Somebody's leave, which the snapshot has to know."""
    execute(
        session,
        "INSERT INTO leaves (person_id, county_code, during, author) SELECT id, county_code, "
        "tstzrange(now(), now() + interval '1 day'), 'b' FROM persons "
        "WHERE id NOT IN (SELECT person_id FROM leaves) ORDER BY id LIMIT 1",
    )


def answers(count: int, asked: int, ask: Callable[..., Any], *, spread: bool = True) -> float:
    """CPU microseconds of one answer, at random moments of all editions or at one."""
    rng = random.Random(7)
    span = count * MONTH_S
    places = [
        (117 + 0.08 * rng.random(), 45 + 0.02 * rng.random(),
         BEGAN.timestamp() + (span * rng.random() if spread else span / 2))
        for _ in range(asked)
    ]  # fmt: skip
    start = time.process_time()
    for lon, lat, at in places:
        assert ask(lon, lat, at)
    return 1e6 * (time.process_time() - start) / asked


def many(snapshot: Any, count: int) -> float:
    """Thousand points a CPU second, the best of three batches."""
    rng = np.random.default_rng(7)
    points = batches.Points(
        117 + 0.08 * rng.random(BATCH), 45 + 0.02 * rng.random(BATCH),
        BEGAN.timestamp() + count * MONTH_S * rng.random(BATCH), np.full(BATCH, np.nan),
    )  # fmt: skip
    spent = []
    for _ in range(3):
        start = time.process_time()
        batches.locate(None, snapshot, points)
        spent.append(time.process_time() - start)
    return BATCH / 1e3 / min(spent)


def served(data: Path, key: str, count: int, seconds: int) -> None:
    """What `wrk` sees of a server of this database, and requests per CPU second of both."""
    command = [sys.executable, "-m", "api.cli", "up", "--data-dir", str(data), "--port", str(PORT)]
    server = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    try:
        assert server.stdout is not None
        for line in server.stdout:
            if "is up" in line:
                break
        time.sleep(3)  # until it answers from memory
        for told, span in (("one moment", 1), ("any moment", count * MONTH_S)):
            print(f"  HTTP, {told}: {loaded(data, key, span, seconds, server.pid)}", flush=True)
    finally:
        server.send_signal(signal.SIGINT)
        server.wait(60)


def loaded(data: Path, key: str, span: int, seconds: int, server: int) -> str:
    script = data.with_name("moments.lua")
    script.write_text(SCRIPT % (BEGAN.timestamp(), span, key))
    ask = ["wrk", "-t1", "-c16", f"-d{seconds}s", "--latency", "-s", str(script),
           f"http://127.0.0.1:{PORT}"]  # fmt: skip
    subprocess.run(ask, capture_output=True, check=True)
    before = cpu_s(data, server)
    text = subprocess.run(ask, capture_output=True, text=True, check=True).stdout
    spent = cpu_s(data, server) - before
    asked = int(re.findall(r"(\d+) requests in", text)[0])
    refused = "".join(re.findall(r"Non-2xx.*: \d+", text))
    p50, p99 = (re.findall(rf"\n +{share}%\s+(\S+)", text)[0] for share in (50, 99))
    return (
        f"{asked / seconds:10,.0f}/s {asked / spent:10,.0f} per CPU s, p50 {p50}, p99 {p99} "
        f"{refused}"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--editions", type=int, nargs="*", default=[1, 20, 200])
    parser.add_argument("--seconds", type=int, default=5, help="of wrk; 0 leaves it out")
    parser.add_argument("--measure", type=Path, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.measure:
        print(json.dumps(measure(options.measure, options.editions[0])))
        return
    with tempfile.TemporaryDirectory(prefix="wangge-bench-", dir="/var/tmp") as name:
        Path(name).chmod(0o755)  # root runs PostgreSQL as another account
        data = Path(name) / "data"
        with Database.open(DatabaseSettings(data_dir=data, durable=False)) as database:
            schema.upgrade(database)
            key, number = prepare(database), 0
            for count in sorted(options.editions):
                put(database, number, count)
                number = count
                told = json.loads(
                    subprocess.run(
                        [sys.executable, "-m", "bench.moments", "--measure", str(data),
                         "--editions", str(count)],
                        stdout=subprocess.PIPE, text=True, check=True,
                    ).stdout
                )  # fmt: skip
                print(f"{count} editions, load {os.getloadavg()[0]:.1f}")
                print(
                    "  load: first {first:.2f} s, again {again:.2f} s, refresh {refresh:.2f} s; "
                    "private {private:.0f} MB, files {files:.0f} MB\n"
                    "  one {one:.1f} us (at one moment {one moment:.1f}), grid {grid:.2f} us; "
                    "many {many:.0f} thousand/s".format(**told),
                    flush=True,
                )
                if options.seconds and shutil.which("wrk"):
                    served(data, key, count, options.seconds)


if __name__ == "__main__":
    main()
