"""What row-level security costs on 100,000 grids: ``python -m bench.access``.

The same statements as the owner, whom no policy holds, and as the service let in by an API key
with a scope of 1, 10 and 100 % of the grids; in one run, taking turns, medians of the wall clock.
Letting in is outside the time of the statements and has its own lines: a whole call of ``locate``
by an API key and with its entry in the audit log, against the same call without either.
"""

from __future__ import annotations

import os
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import sqlalchemy as sa
from fastapi import FastAPI
from sqlalchemy.orm import Session

from api.app import create_app
from api.dependencies import MomentIn
from api.schemas.places import LocateOut
from api.settings import ServerSettings
from boundaries.access import Credential, Scope, enter
from data import schema
from gis import hardening
from gis.database import Database
from gis.settings import DatabaseSettings
from grids.incidents import repository
from grids.incidents.responsibility import answer, position
from grids.models import GridShape
from maps import tiles
from tests.access import province
from tests.access.conftest import Asker

ROUNDS = 40
AT = datetime(2026, 6, 1, tzinfo=UTC)
POINTS, CALLS = 1_000, 1_000

Query = Callable[[Session, Scope, np.random.Generator], object]


def extent(scope: Scope) -> tuple[float, float, float, float]:
    """West, south, east and north of a scope."""
    wide, high = (10, 10) if scope.area == "99" else (1, 10) if scope.area == "9901" else (1, 1)
    west, south = province.WEST, province.SOUTH
    return west, south, west + wide * province.WIDTH, south + high * province.HEIGHT


def place(scope: Scope, random: np.random.Generator, margin: float = 0.03) -> tuple[float, float]:
    west, south, east, north = extent(scope)
    return (
        float(random.uniform(west + margin, east - margin)),
        float(random.uniform(south + margin, north - margin)),
    )


def bbox(session: Session, scope: Scope, random: np.random.Generator) -> object:
    """Codes of the grids in a box of about 30."""
    lon, lat = place(scope, random)
    box = sa.func.ST_MakeEnvelope(lon - 0.025, lat - 0.025, lon + 0.025, lat + 0.025, 4326)
    return session.execute(
        sa.select(GridShape.code).where(
            GridShape.geom.op("&&")(box), sa.func.ST_Intersects(GridShape.geom, box)
        )
    ).all()


def grid_list(session: Session, scope: Scope, _: np.random.Generator) -> object:
    """The first hundred grids of the area."""
    return session.execute(
        sa.select(GridShape.code, GridShape.name, GridShape.households)
        .where(scope.condition(GridShape.unit_code))
        .order_by(GridShape.unit_code, GridShape.edition_id)
        .limit(100)
    ).all()


def incident_list(session: Session, scope: Scope, _: np.random.Generator) -> object:
    """What ``GET /api/v1/incidents`` asks: a page of a hundred, newest first, and the count."""
    wanted = repository.Filter(scope=scope)
    return repository.page(session, wanted, limit=100), repository.count(session, wanted)


def incident_box(session: Session, scope: Scope, random: np.random.Generator) -> object:
    """The same in a box of about 30."""
    lon, lat = place(scope, random)
    box = (lon - 0.025, lat - 0.025, lon + 0.025, lat + 0.025)
    wanted = repository.Filter(scope=scope, bbox=box)
    return repository.page(session, wanted, limit=100)


def tile(layer: str, z: int) -> Query:
    def make(session: Session, scope: Scope, random: np.random.Generator) -> object:
        lon, lat = place(scope, random)
        count = 2**z
        north = np.arcsinh(np.tan(np.radians(lat))) / np.pi
        x, y = int((lon + 180) / 360 * count), int((1 - north) / 2 * count)
        return tiles.tile(session, layer, z, x, y, at=AT)

    return make


def join(session: Session, scope: Scope, random: np.random.Generator) -> object:
    """The grid of each of 1,000 points."""
    places = [place(scope, random, 0) for _ in range(POINTS)]
    return session.execute(
        sa.text(
            # A point made within the join would be no plain column: a function of PostGIS, which
            # is not leakproof, would stand between the index and the policy.
            "WITH p AS MATERIALIZED (SELECT n, ST_SetSRID(ST_MakePoint(x, y), 4326) AS geom FROM "
            "unnest(CAST(:x AS float8[]), CAST(:y AS float8[])) WITH ORDINALITY AS p (x, y, n)) "
            "SELECT p.n, g.code FROM p JOIN grid_shapes AS g "
            "ON g.geom && p.geom AND ST_Covers(g.geom, p.geom)"
        ),
        {"x": [x for x, _ in places], "y": [y for _, y in places]},
    ).all()


def locate(session: Session, scope: Scope, random: np.random.Generator) -> object:
    """What ``GET /api/v1/locate`` asks."""
    return answer(session, *place(scope, random), at=AT, scope=scope)


QUERIES: dict[str, Query] = {
    "bbox": bbox,
    "list of grids": grid_list,
    "list of incidents": incident_list,
    "incidents in a box": incident_box,
    "tile of grids, z12": tile("grids", 12),
    "tile of grids, z9": tile("grids", 9),
    "tile of incidents, z12": tile("incidents", 12),
    "1,000 points to grids": join,
    "locate": locate,
}


def measure(
    database: Database, keys: dict[int, str], rounds: int = ROUNDS
) -> Iterator[tuple[str, dict[int, tuple[float, float]]]]:
    """Each query with the seconds of the owner and of the service, medians, by share."""
    for name, query in QUERIES.items():
        found = {}
        for share, scope in province.SCOPES.items():
            credential = Credential.of(keys[share], is_key=True)
            taken: tuple[list[float], list[float]] = ([], [])
            for turn in range(rounds + 3):
                for side in (0, 1):
                    random = np.random.default_rng(turn)  # both ask for the same
                    begin = database.service_transaction if side else database.transaction
                    with begin() as session:
                        if side:
                            enter(session, credential)
                        else:
                            session.execute(sa.text("SELECT 1"))
                        started = time.perf_counter()
                        query(session, scope, random)
                        if turn >= 3:  # the first ones warm up both
                            taken[side].append(time.perf_counter() - started)
            found[share] = (statistics.median(taken[0]), statistics.median(taken[1]))
        yield name, found


def application(database: Database) -> FastAPI:
    """The application, with a second ``locate`` that asks for no key and enters nothing."""
    app = create_app(ServerSettings(), database)

    @app.get("/bench/locate")
    def bare(at: MomentIn, lon: float, lat: float) -> LocateOut:
        with database.transaction() as session:
            return LocateOut.of(answer(session, *position(lon, lat, "wgs84"), at=at), "wgs84")

    return app


def calling(
    database: Database, keys: dict[int, str], rounds: int = CALLS
) -> tuple[list[float], list[float]]:
    """Seconds of each locate over HTTP, answered in process: bare, and as it is."""
    ask = Asker(application(database), {"key": keys[1]})
    taken: tuple[list[float], list[float]] = ([], [])
    for turn in range(-50, rounds):
        lon, lat = place(province.SCOPES[1], np.random.default_rng(turn + 50))
        for side, path in enumerate(("/bench/locate", "/api/v1/locate")):
            started = time.perf_counter()
            answered = ask("key" if side else None, "GET", path, f"{lon=}&{lat=}")
            if turn >= 0:
                taken[side].append(time.perf_counter() - started)
            assert answered.status == 200, answered.body
    return taken


def main() -> None:
    memory = Path("/dev/shm")
    folder = memory if os.access(memory, os.W_OK) else None
    with tempfile.TemporaryDirectory(prefix="wangge-bench-", dir=folder) as name:
        Path(name).chmod(0o755)  # root runs PostgreSQL as another account
        settings = DatabaseSettings(data_dir=Path(name) / "cluster", durable=False)
        with Database.open(settings) as database:
            schema.upgrade(database)
            hardening.apply(database)
            started = time.perf_counter()
            keys = province.fill(database)
            print(f"{province.GRIDS:,} grids made in {time.perf_counter() - started:.0f} s")
            print(f"{'':24}" + "".join(f"{f'{share} %':>24}" for share in province.SCOPES))
            for query, by_share in measure(database, keys):
                cells = (
                    f"{1000 * owner:8.2f} {1000 * service:8.2f} {service / owner:5.2f}x"
                    for owner, service in by_share.values()
                )
                print(f"{query:24}" + "".join(f"{each:>24}" for each in cells), flush=True)
            without, with_all = calling(database, keys)
            entries = database.engine.connect().scalar(sa.text("SELECT count(*) FROM audit_log"))
            print(f"GET /api/v1/locate, {CALLS} calls each, {entries:,} entries in the log")
            for share in (50, 95):
                plain, whole = (1000 * np.percentile(each, share) for each in (without, with_all))
                print(f"p{share}: {plain:.2f} bare, {whole:.2f} as it is, {whole / plain:.2f}x")


if __name__ == "__main__":
    main()
