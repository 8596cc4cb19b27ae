"""Signing in and out over HTTP: passwords, cookies, devices, and attacks on all of them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from api.app import create_app
from api.auth import COOKIE
from api.settings import ServerSettings
from tests.api.accounts import browser, person, sign_in

if TYPE_CHECKING:
    from collections.abc import Iterator

    from gis.database import Database
    from tests.api.conftest import TestClient


@pytest.fixture
def client(database: Database) -> Iterator[TestClient]:
    with browser(create_app(ServerSettings(), database)) as made:
        yield made


class TestPassword:
    def test_opens_a_session_by_a_cookie_that_no_script_reads(
        self, client: TestClient, database: Database
    ) -> None:
        person(database, "dispatcher", login="zhang")
        assert client.get("/api/v1/session").status_code == 401
        answer = sign_in(client, " Zhang ")
        assert answer.status_code == 201, answer.text
        said = answer.json()
        assert (said["login"], said["role"], said["area_code"]) == ("zhang", "dispatcher", "")
        assert "incidents.read" in said["rights"]
        cookie = answer.headers["set-cookie"]
        assert cookie.startswith(f"{COOKIE}=")
        for part in ("HttpOnly", "SameSite=strict", "Path=/", "Max-Age=43200"):
            assert part in cookie
        assert "Secure" not in cookie, "plain HTTP on this machine itself"
        assert answer.headers["cache-control"] == "no-store"
        assert client.get("/api/v1/session").json()["csrf"] == said["csrf"]
        assert client.get("/api/v1/incidents").status_code == 200
