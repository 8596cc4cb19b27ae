"""An office of accounts with a role each, over a small county, and clients signed in as them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from api.app import create_app
from api.settings import ServerSettings
from gis.database import execute
from grids.incidents import service as incidents
from tests import factories
from tests.api.accounts import browser, person, sign_in

if TYPE_CHECKING:
    import uuid
    from collections.abc import Callable, Iterator

    from gis.database import Database
    from tests.api.conftest import TestClient

    As = Callable[[str], TestClient]

WEST_VILLAGE, EAST_VILLAGE = factories.VILLAGES


@pytest.fixture
def place(database: Database) -> Database:
    with database.transaction() as session:
        factories.county(session)
        for number in range(4):
            lon, lat = factories.middle(number)
            incidents.record(
                session,
                incidents.Report(
                    id=factories.uuid_of(number), category="other", source="s", x=lon, y=lat
                ),
                actor="t",
            )
    for role, area in (
        ("system_admin", ""), ("security_admin", ""), ("audit_admin", ""),
        ("community", WEST_VILLAGE), ("township", factories.TOWNSHIP), ("integrator", WEST_VILLAGE),
        (None, WEST_VILLAGE),
    ):  # fmt: skip
        person(database, role, area, login=role or "newcomer")
    return database


@pytest.fixture
def as_(place: Database) -> Iterator[As]:
    """Clients that are signed in, by login."""
    app, clients = create_app(ServerSettings(), place), {}
    stack: list[Any] = []

    def get(login: str) -> TestClient:
        if login not in clients:
            stack.append(browser(app))
            clients[login] = stack[-1].__enter__()
            answer = sign_in(clients[login], login)
            assert answer.status_code == 201, answer.text
        return clients[login]

    yield get
    for each in stack:
        each.__exit__(None, None, None)


def id_of(place: Database, login: str) -> uuid.UUID:
    with place.transaction() as session:
        found = execute(session, "SELECT id FROM accounts WHERE login = :login", login=login)
        return found.scalar_one()


def seen(client: TestClient) -> list[int]:
    """Places of the incidents that a client sees, 0 in the west to 3."""
    items = client.get("/api/v1/incidents").json()["items"]
    return sorted(int(each["id"][-1]) for each in items)
