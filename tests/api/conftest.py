"""The application over a small committed county: read-only per module, or a test's own."""

from __future__ import annotations

import threading
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pytest
import sqlalchemy as sa
import uvicorn
from fastapi.testclient import TestClient

from api import serving
from api.app import create_app
from api.settings import ServerSettings
from tests import conftest, factories

if TYPE_CHECKING:
    from collections.abc import Iterator

    from fastapi import FastAPI

    from gis.cluster import Cluster
    from gis.database import Database


@dataclass(frozen=True)
class Town:
    """An application with what it serves."""

    client: TestClient
    database: Database
    county: factories.County


def everything(database: Database) -> dict[str, str]:
    """Headers of a caller who sees the whole place and may do everything.

    What a test of an endpoint needs; who may do less is the subject of the access matrix.
    """
    with database.transaction() as session:
        session.execute(
            sa.text(
                "INSERT INTO roles (key, name_zh, name_en, place) VALUES ('all', '全', 'all', 99)"
            )
        )
        session.execute(sa.text("INSERT INTO role_rights SELECT 'all', key FROM rights"))
        secret = factories.key(session, factories.account(session, "all", login="tester"))
    return {"Authorization": f"Bearer {secret}"}


@contextmanager
def listening(app: FastAPI) -> Iterator[int]:
    """A real server of an application on this machine; its port."""
    config = serving.config(app, ServerSettings(port=1))
    config.port = 0
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run)
    thread.start()
    while not server.started:
        thread.join(0.02)
        assert thread.is_alive()
    yield server.servers[0].sockets[0].getsockname()[1]
    server.should_exit = True
    thread.join()


@dataclass(frozen=True)
class Settled:
    """A database with a county in it, to copy from; nobody is connected to it."""

    name: str
    county: factories.County
    headers: dict[str, str]


@pytest.fixture(scope="session")
def settled(test_cluster: Cluster, template: str) -> Iterator[Settled]:
    """The county of all towns, made once: to make one takes longer than to copy it."""
    for database in conftest.fresh(test_cluster, template):
        with database.transaction() as session:
            county = factories.county(session)
        headers = everything(database)
        database.dispose()
        yield Settled(str(database.url.database), county, headers)


@contextmanager
def serve(database: Database, settled: Settled) -> Iterator[Town]:
    """The application over a copy."""
    app = create_app(ServerSettings(), database)
    with TestClient(app, headers=settled.headers, raise_server_exceptions=False) as client:
        yield Town(client, database, settled.county)


@pytest.fixture(scope="module")
def town(test_cluster: Cluster, settled: Settled) -> Iterator[Town]:
    """A county for tests that only read, or whose rows do not disturb each other."""
    for database in conftest.fresh(test_cluster, settled.name):
        with serve(database, settled) as made:
            yield made


@pytest.fixture
def own_town(test_cluster: Cluster, settled: Settled) -> Iterator[Town]:
    """A county of this test's own."""
    for database in conftest.fresh(test_cluster, settled.name):
        with serve(database, settled) as made:
            yield made
