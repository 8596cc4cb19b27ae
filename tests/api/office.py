"""An office of accounts with a role each, over a small county, and clients signed in as them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from api.app import create_app
from api.auth import COOKIE, CSRF_HEADER, csrf_token
from api.settings import ServerSettings
from boundaries.accounts import repository, signing_in
from gis.database import execute
from grids.incidents import service as incidents
from tests import conftest, factories
from tests.api.accounts import browser, person

if TYPE_CHECKING:
    import uuid
    from collections.abc import Callable, Iterator

    from gis.cluster import Cluster
    from gis.database import Database
    from tests.api.conftest import TestClient

    As = Callable[[str], TestClient]

WEST_VILLAGE, EAST_VILLAGE = factories.VILLAGES


@pytest.fixture(scope="module")
def furnished(test_cluster: Cluster, template: str) -> Iterator[str]:
    """Name of a database with the office in it, to copy from."""
    for database in conftest.fresh(test_cluster, template):
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
            ("community", WEST_VILLAGE), ("township", factories.TOWNSHIP),
            ("integrator", WEST_VILLAGE), (None, WEST_VILLAGE),
        ):  # fmt: skip
            person(database, role, area, login=role or "newcomer")
        database.dispose()
        yield str(database.url.database)


@pytest.fixture
def place(test_cluster: Cluster, furnished: str) -> Iterator[Database]:
    """A county with four incidents, and an account of each of some roles."""
    yield from conftest.fresh(test_cluster, furnished)


@pytest.fixture
def as_(place: Database) -> Iterator[As]:
    """Clients that are signed in, by login."""
    app, clients = create_app(ServerSettings(), place), {}
    stack: list[Any] = []

    def get(login: str) -> TestClient:
        if login not in clients:
            stack.append(browser(app))
            client = clients[login] = stack[-1].__enter__()
            # As after signing in, without the time that a password takes.
            with place.transaction() as session:
                account = repository.account(session, login)
                token = signing_in.open_session(session, account, by="password").token
            client.cookies.set(COOKIE, token, domain="127.0.0.1")
            client.headers[CSRF_HEADER] = csrf_token(token)
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
