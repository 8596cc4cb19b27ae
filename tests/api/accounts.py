"""Accounts with passwords, and clients of theirs, for tests of signing in."""

from __future__ import annotations

import time
from contextlib import contextmanager
from functools import cache
from typing import TYPE_CHECKING, Any, Final

import pyotp
import pytest
from argon2 import PasswordHasher

from api.app import create_app
from api.auth import CSRF_HEADER
from api.settings import ServerSettings
from boundaries.accounts import passwords, totp
from gis.database import execute
from tests import factories
from tests.api.conftest import TestClient

if TYPE_CHECKING:
    import uuid
    from collections.abc import Iterator

    from fastapi import FastAPI

    from boundaries.accounts.models import Account
    from gis.database import Database

PASSWORD = "copper-ferry-lantern-91"  # of every account that is made here
OTHER = "velvet orchard in the rain"


REAL: Final = passwords._hasher
CHEAP: Final = PasswordHasher(time_cost=1, memory_cost=64, parallelism=1)


@pytest.fixture
def cheaply(monkeypatch: pytest.MonkeyPatch) -> None:
    """Passwords are hashed in no time: what they shall cost is tested with passwords themselves.

    On a busy machine a dozen at once would be told to come again, as they should.
    """
    monkeypatch.setattr(passwords, "_hasher", CHEAP)
    monkeypatch.setattr(passwords, "_nobodys", cache(lambda: CHEAP.hash("of nobody")))


def kept() -> str:
    """The hash of the password: hashed once, since each takes its time."""
    return _kept(passwords._hasher)


@cache
def _kept(hasher: PasswordHasher) -> str:
    return hasher.hash(passwords.normal(PASSWORD))


def person(
    database: Database,
    role: str | None,
    area: str = "",
    *,
    login: str | None = None,
    must_change: bool = False,
    person_id: uuid.UUID | None = None,
) -> Account:
    """An account that signs in with the password above."""
    with database.transaction() as session:
        made = factories.account(session, role, area, login=login, person=person_id)
        execute(
            session,
            "UPDATE accounts SET password_hash = :hash, must_change_password = :must "
            "WHERE id = :id",
            hash=kept(),
            must=must_change,
            id=made.id,
        )
    return made


@contextmanager
def browser(app: Any, *, host: str = "127.0.0.1") -> Iterator[TestClient]:
    """A client with a cookie jar of its own, at an address of its own."""
    with TestClient(
        app, base_url="http://127.0.0.1:8000", client=(host, 5), raise_server_exceptions=False
    ) as client:
        yield client


def sign_in(client: TestClient, login: str, password: str = PASSWORD, **more: Any) -> Any:
    """Sign in; on success the client sends the CSRF header from then on."""
    client.headers.pop(CSRF_HEADER, None)
    answer = client.post("/api/v1/session", json={"login": login, "password": password, **more})
    if answer.status_code == 201:
        client.headers[CSRF_HEADER] = answer.json()["csrf"]
    return answer


def live_code(secret: str) -> str:
    """A code of the second factor with half its life before it, however slow the machine is.

    Codes live their own half minute: one made in the last second of it is refused, and rightly.
    """
    gone = time.time() % totp.STEP_S
    if gone > totp.STEP_S / 2:
        time.sleep(totp.STEP_S - gone)
    return pyotp.TOTP(secret).now()


def kind(answer: Any) -> str:
    """Which error an answer is: the name of its class."""
    return answer.json()["type"].rpartition(":")[2]


@pytest.fixture
def app(database: Database, cheaply: None) -> FastAPI:
    """The application, whose clock of one-time passwords may be off by some."""
    return create_app(ServerSettings(totp_off_s=90), database)


@pytest.fixture
def client(app: FastAPI) -> Iterator[TestClient]:
    """A browser in which nobody has signed in."""
    with browser(app) as made:
        yield made


def change(database: Database, sql: str, **values: Any) -> None:
    """Change something in the database."""
    with database.transaction() as session:
        execute(session, sql, **values)


def read(database: Database, sql: str, **values: Any) -> Any:
    """Ask the database for one value."""
    with database.transaction() as session:
        return execute(session, sql, **values).scalar()
