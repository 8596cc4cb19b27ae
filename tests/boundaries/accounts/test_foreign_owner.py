"""A foreign database whose owner is no superuser: its policies hold for its own functions too."""

from __future__ import annotations

import uuid
from typing import TYPE_CHECKING

import pytest
import sqlalchemy as sa

from api.app import create_app
from api.settings import ServerSettings
from data import schema
from gis.database import Database
from gis.settings import DatabaseSettings
from tests import factories
from tests.api.accounts import OTHER, PASSWORD, browser, live_code, person, sign_in

if TYPE_CHECKING:
    from collections.abc import Iterator

    from gis.cluster import Cluster

WEST, EAST = factories.VILLAGES
LEAVE = "GRANT SET ON PARAMETER wangge.lo, wangge.hi, wangge.rights TO {name}"


def run(url: sa.URL, *statements: str) -> None:
    engine = sa.create_engine(url, isolation_level="AUTOCOMMIT", poolclass=sa.NullPool)
    with engine.connect() as connection:
        for statement in statements:
            connection.execute(sa.text(statement))


@pytest.fixture
def owned(test_cluster: Cluster, template: str) -> Iterator[Database]:
    """An empty database of a role that may do nothing else; PostGIS is there."""
    name = f"owner_{uuid.uuid4().hex}"
    url = sa.make_url(test_cluster.url)
    admin, place = url.set(database="postgres"), url.set(database=name)
    # The role of the service is there: the template was made.
    run(admin, f"CREATE ROLE {name} LOGIN", f"GRANT wangge_app TO {name}")
    run(admin, f"CREATE DATABASE {name} OWNER {name} TEMPLATE template0")
    run(
        place, "CREATE EXTENSION postgis", "CREATE EXTENSION btree_gist",
        "CREATE EXTENSION pg_trgm", f"ALTER SCHEMA public OWNER TO {name}",
        f"ALTER TABLE spatial_ref_sys OWNER TO {name}",
    )  # fmt: skip
    database = Database(
        place.set(username=name).render_as_string(hide_password=False),
        DatabaseSettings(data_dir=test_cluster.folder),
    )
    yield database
    database.dispose()
    run(admin, f"DROP DATABASE {name} WITH (FORCE)", f"DROP OWNED BY {name}", f"DROP ROLE {name}")


def test_says_which_leave_is_missing(owned: Database) -> None:
    with pytest.raises(Exception, match=r"may not set wangge\.lo") as no:
        schema.upgrade(owned)
    name = owned.url.username
    assert LEAVE.format(name=name) in str(no.value)


def test_everything_that_accounts_need(owned: Database) -> None:
    run(owned.url.set(username="wangge"), LEAVE.format(name=owned.url.username))
    schema.upgrade(owned)
    with owned.transaction() as session:
        assert session.scalar(sa.text("SELECT current_setting('is_superuser')")) == "off"
        factories.county(session)
    for login, area in (
        ("system_admin", ""), ("security_admin", ""), ("community", WEST), ("integrator", WEST),
    ):  # fmt: skip
        person(owned, login, area, login=login)
    app = create_app(ServerSettings(), owned)
    with browser(app) as system, browser(app) as security, browser(app) as one:
        for client, login in (
            (system, "system_admin"), (security, "security_admin"), (one, "community"),
        ):  # fmt: skip
            assert sign_in(client, login).status_code == 201
        new = {"login": "new", "name": "n", "area_code": WEST}
        made = system.post("/api/v1/accounts", json=new).json()["id"]
        body = {"role": "analyst", "area_code": WEST}
        assert system.put(f"/api/v1/accounts/{made}/role", json=body).status_code == 403
        assert security.put(f"/api/v1/accounts/{made}/role", json=body).status_code == 200
        assert system.post(f"/api/v1/accounts/{made}/password").status_code == 201
        state = {"disabled": True}
        assert system.put(f"/api/v1/accounts/{made}/state", json=state).status_code == 200
        key = security.post("/api/v1/keys", json={"login": "integrator", "name": "k"})
        assert security.delete(f"/api/v1/keys/{key.json()['id']}").status_code == 204
        glass = {"area_code": EAST, "reason": "fire behind the border"}
        broken = one.post("/api/v1/grants/break-glass", json=glass).json()["id"]
        assert one.get("/api/v1/session").json()["also"] == [EAST]
        assert security.post(f"/api/v1/grants/{broken}/seen").status_code == 204
        assert one.delete(f"/api/v1/grants/{broken}").status_code == 204
        begun = one.post("/api/v1/totp", json={"current": PASSWORD}).json()
        code = {"code": live_code(begun["secret"])}
        assert one.put("/api/v1/totp", json=code).status_code == 200
        body = {"current": PASSWORD, "new": OTHER}
        assert one.put("/api/v1/password", json=body).status_code == 204
        assert len(system.get("/api/v1/accounts").json()["accounts"]) == 5
        assert one.get("/api/v1/accounts").status_code == 403
        assert one.delete("/api/v1/session").status_code == 204
        for _ in range(5):
            sign_in(one, "community", "not the password")
        assert sign_in(one, "community", OTHER).status_code == 429
