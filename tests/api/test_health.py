"""Alive and ready are two questions."""

from __future__ import annotations

from typing import TYPE_CHECKING

import sqlalchemy as sa

from api.app import create_app
from api.settings import ServerSettings
from data import schema
from tests.api.conftest import TestClient

if TYPE_CHECKING:
    from gis.database import Database
    from tests.api.conftest import Town


def test_live_and_ready(town: Town) -> None:
    assert town.client.get("/health/live").json() == {"status": "live"}
    answer = town.client.get("/health/ready")
    assert answer.status_code == 200
    assert answer.json()["status"] == "ready"
    assert answer.json()["checks"]["database"] == "ok"
    assert answer.headers["cache-control"] == "no-store"


def test_tables_of_another_release_are_not_ready(database: Database) -> None:
    head = schema.status(database).head
    app = create_app(ServerSettings(), database, revision=head)
    with TestClient(app) as client:
        assert client.get("/health/ready").status_code == 200
        with database.transaction() as session:
            session.execute(sa.text("UPDATE alembic_version SET version_num = '0000'"))
        answer = client.get("/health/ready")
    assert answer.status_code == 503
    assert answer.json()["checks"]["schema"] == f"is 0000, this release needs {head}"


def test_empty_database_is_not_ready(database: Database) -> None:
    with database.transaction() as session:
        session.execute(sa.text("DROP TABLE alembic_version"))
    with TestClient(create_app(ServerSettings(), database)) as client:
        answer = client.get("/health/ready")
        assert client.get("/health/live").status_code == 200
    assert answer.status_code == 503
    assert "wangge db upgrade" in answer.json()["checks"]["schema"]
