"""Who is let in while a slow request of the same key or session goes on: everybody, at once."""

from __future__ import annotations

import math
from contextlib import contextmanager
from typing import TYPE_CHECKING

import pytest
import sqlalchemy as sa
from fastapi.testclient import TestClient

from tests import factories
from tests.api.test_thin import MIDDLE, URL, Service, confirmed_anew, service, unhurried

if TYPE_CHECKING:
    from collections.abc import Iterator

    from gis.database import Database

__all__ = ["service", "unhurried"]


@contextmanager
def held_by_a_request(database: Database, login: str) -> Iterator[None]:
    """Hold a key that was last used long ago, like a slow request's note of when it was here."""
    of = f"WHERE account_id = (SELECT id FROM accounts WHERE login = '{login}')"
    while True:
        with database.transaction() as session:
            old = f"UPDATE api_keys SET last_used_at = now() - interval '5 minutes' {of}"
            session.execute(sa.text(old))
        with database.transaction() as session:
            still = f"SELECT id FROM api_keys {of} AND last_used_at < now() - interval '1 minute'"
            # Not, if somebody noted it in between.
            if session.scalar(sa.text(f"{still} FOR UPDATE")) is not None:
                yield
                return


@pytest.mark.usefixtures("unhurried")
def test_a_key_that_a_slow_request_holds_keeps_nobody_waiting(service: Service) -> None:
    keys = [service.key(role, "") for role in ("integrator", "analyst", "planner")]
    for headers in keys:
        service.thinly(headers)
    admitted = list(map(service.admitted, keys))
    for each in admitted:
        each.used_at = math.inf  # they go on asking
    with held_by_a_request(service.database, "analyst-1"):
        confirmed_anew(*admitted)
        service.located.admissions.forget()
        answer = service.ask(keys[1])
    assert answer.status_code == 200
    assert "server-timing" not in answer.headers, "by the database"


@pytest.mark.usefixtures("unhurried")
def test_a_session_that_a_slow_request_holds_keeps_nobody_waiting(service: Service) -> None:
    with service.database.transaction() as session:
        account = factories.account(session, "dispatcher", "", login="d-1")
        token = factories.token(session, account)
        session.execute(sa.text("UPDATE sessions SET last_seen_at = now() - interval '5 minutes'"))
    with service.database.transaction() as session:
        session.execute(sa.text("SELECT FROM sessions FOR UPDATE"))
        cookie = {"Cookie": f"wangge_session={token}"}
        answer = TestClient(service.client.app, headers=cookie).get(URL, params=MIDDLE)
    assert answer.status_code == 200
