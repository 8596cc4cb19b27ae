"""A heat map after a new incident: ``python -m bench.fresh_maps``.

A made county of 450 grids, incidents at random in its period, and an analyst with an API key, whom
row-level security holds. After each new incident the figures of the map are asked for, then its
picture, then the figures once more, which nothing has changed since: milliseconds of the clock, by
the application in this process and a database of its own, medians and the longest.
"""

from __future__ import annotations

import argparse
import os
import statistics
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING

from fastapi.testclient import TestClient

from api.app import create_app
from api.settings import ServerSettings
from bench.relocate import grids, incidents
from data import schema
from gis.cluster import Cluster
from gis.database import Database, execute
from gis.settings import DatabaseSettings
from grids import service
from tests import factories

if TYPE_CHECKING:
    from collections.abc import Sequence

SIDE = 15
PERIOD = {"start": "2026-05-01", "end": "2026-07-01"}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--incidents", type=int, nargs="+", default=[100_000, 1_000_000])
    parser.add_argument("--rounds", type=int, default=11)
    options = parser.parse_args()
    for count in options.incidents:
        with tempfile.TemporaryDirectory(dir="/dev/shm") as name:
            Path(name).chmod(0o755)
            server = Cluster(Path(name) / "cluster", durable=False)
            settings = DatabaseSettings(database_url=server.start().replace("+psycopg", ""))
            try:
                with Database.open(settings) as database:
                    schema.upgrade(database)
                    measure(database, count, options.rounds)
            finally:
                server.stop()


def measure(database: Database, count: int, rounds: int) -> None:
    with database.transaction(timeout_s=0) as session:
        factories.units(session)
        edition = service.save_draft(
            session, factories.COUNTY, grids(SIDE, 0), title="b", author="b"
        )
        service.publish(session, edition.id, approver="a", effective=factories.SINCE)
        incidents(session, count)
        secret = factories.key(session, factories.account(session, "analyst", factories.COUNTY))
    with database.transaction(timeout_s=0) as session:
        execute(session, "ANALYZE")
    took: dict[str, list[float]] = {"figures": [], "picture": [], "figures again": []}
    with TestClient(
        create_app(ServerSettings(), database), headers={"Authorization": f"Bearer {secret}"}
    ) as client:
        ask(client, "/api/v1/heatmaps")  # loads the kernels
        for made in range(rounds):
            with database.transaction(timeout_s=0) as session:
                incidents(session, 1)
            told, seconds = ask(client, "/api/v1/heatmaps")
            assert told["n"] == count + made + 1, "fresh"
            took["figures"].append(seconds)
            took["picture"].append(ask(client, told["image"])[1])
            took["figures again"].append(ask(client, "/api/v1/heatmaps")[1])
    print(f"{count:,} incidents, load {os.getloadavg()[0]:.1f}")
    for name, seconds in took.items():
        print(f"  {name:14} {milliseconds(seconds)}")


def ask(client: TestClient, path: str) -> tuple[dict[str, object], float]:
    begun = time.perf_counter()
    answer = client.get(path, params=None if "?" in path else PERIOD)
    took = time.perf_counter() - begun
    assert answer.status_code == 200, answer.text
    is_json = answer.headers["content-type"] == "application/json"
    return (answer.json() if is_json else {}), took


def milliseconds(seconds: Sequence[float]) -> str:
    return f"median {statistics.median(seconds) * 1e3:6,.0f} ms, longest {max(seconds) * 1e3:6,.0f}"


if __name__ == "__main__":
    main()
