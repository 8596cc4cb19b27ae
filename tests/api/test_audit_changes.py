"""Every request that changes something is in the log, under the name of whoever made it."""

from __future__ import annotations

import uuid
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest
import sqlalchemy as sa

from boundaries.accounts.models import Account
from tests import factories
from tests.api import accounts
from tests.api.accounts import PASSWORD

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.api.conftest import TestClient, Town

WHY = "for the test of the audit log"
# Action that each route enters; None: it hands something over that asks for nothing yet. Reports
# and steps of incidents show them as well: test_audit.py.
LOGGED: dict[str, str | None] = {
    "POST /api/v1/incidents": "incident.report",
    "POST /api/v1/incidents/{incident_id}/events": "incident.step",
    "PUT /api/v1/incidents/{incident_id}/duplicates/{other_id}": "incident.unlike",
    "POST /api/v1/incidents/{incident_id}/reporter/reveal": "reporter.reveal",
    "POST /api/v1/people/{person_id}/reveal": "person.reveal",
    "POST /api/v1/session": "session.opened",
    "DELETE /api/v1/session": "session.ended",
    "DELETE /api/v1/sessions": "session.ended",
    "DELETE /api/v1/sessions/{session_id}": "session.ended",
    "PUT /api/v1/password": "account.password_changed",
    "POST /api/v1/totp": None,
    "PUT /api/v1/totp": "account.totp_confirmed",
    "POST /api/v1/totp/removal": "account.totp_removed",
    "POST /api/v1/accounts": "account.added",
    "PUT /api/v1/accounts/{account_id}/role": "account.role_assigned",
    "PUT /api/v1/accounts/{account_id}/state": "account.disabled",
    "POST /api/v1/accounts/{account_id}/password": "account.password_reset",
    "DELETE /api/v1/accounts/{account_id}/totp": "account.totp_removed",
    "DELETE /api/v1/accounts/{account_id}/sessions": "session.ended",
    "POST /api/v1/keys": "key.issued",
    "DELETE /api/v1/keys/{key_id}": "key.revoked",
    "POST /api/v1/grants": "grant.given",
    "POST /api/v1/grants/break-glass": "grant.glass_broken",
    "POST /api/v1/grants/{grant_id}/seen": "grant.seen",
    "DELETE /api/v1/grants/{grant_id}": "grant.revoked",
    "POST /api/v1/signs": "sign.put_up",
    "DELETE /api/v1/signs/{sign_code}": "sign.taken_down",
    "POST /api/v1/exports": "export.ask",
    "POST /api/v1/exports/{export_id}/decision": "export.approve",
    "GET /api/v1/exports/{export_id}/file": "export.fetch",
}


class Walk:
    """Somebody who may do everything, signed in, and what the log says of it."""

    def __init__(self, town: Town, client: TestClient) -> None:
        self.town, self.client = town, client
        self.done: set[str] = set()

    def newest(self) -> int:
        with self.town.database.transaction() as session:
            return int(session.scalar(sa.text("SELECT max(id) FROM audit_log")) or 0)

    def __call__(self, route: str, body: Any = None, by: str = "walker", **fill: Any) -> Any:
        """Ask, and look for the action of the route in the log."""
        method, path = route.split()
        before = self.newest()
        answer = self.client.request(method, path.format(**fill), json=body)
        assert answer.status_code < 300, f"{route}: {answer.text}"
        self.done.add(route)
        action = LOGGED[route]
        if action is not None:
            with self.town.database.transaction() as session:
                rows = session.execute(
                    sa.text("SELECT actor, origin FROM audit_log WHERE id > :n AND action = :a"),
                    {"n": before, "a": action},
                ).all()
            assert rows, f"{route} enters no {action}"
            assert {row.actor for row in rows} == {by}, route
        return answer.json() if answer.text.startswith("{") else None

    def sign_in(self, login: str = "walker", **more: Any) -> None:
        """Open a session by the route that does."""
        self.client.headers.pop("X-CSRF-Token", None)
        body = {"login": login, "password": PASSWORD, **more}
        told = self("POST /api/v1/session", body, by=login)
        self.client.headers["X-CSRF-Token"] = told["csrf"]


@pytest.fixture
def walk(own_town: Town) -> Iterator[Walk]:
    accounts.person(own_town.database, "all", login="walker")
    with accounts.browser(own_town.client.app) as client:
        yield Walk(own_town, client)


def test_what_changes_something_is_no_get() -> None:
    """But for the file of an export, which is counted; test_audit.py has all the others."""
    gets = {route for route, action in LOGGED.items() if action and route.startswith("GET")}
    assert gets == {"GET /api/v1/exports/{export_id}/file"}


def test_every_change_is_in_the_log(walk: Walk) -> None:
    walk.sign_in()
    _incidents(walk)
    _others(walk)
    _exports(walk)
    _oneself(walk)
    assert walk.done == set(LOGGED)


def _incidents(walk: Walk) -> None:
    lon, lat = factories.middle(1)
    number = str(uuid.uuid4())
    reporter = {"name": "王小明", "phone": "0471-6912345"}
    body = {"id": number, "category": "neighbour", "lon": lon, "lat": lat, "reporter": reporter}
    walk("POST /api/v1/incidents", body)
    other = str(uuid.uuid4())
    walk("POST /api/v1/incidents", body | {"id": other})
    walk(
        "PUT /api/v1/incidents/{incident_id}/duplicates/{other_id}",
        {"unlike": True},
        incident_id=number,
        other_id=other,
    )
    walk(
        "POST /api/v1/incidents/{incident_id}/events",
        {"to_state": "dispatched"},
        incident_id=number,
    )
    walk(
        "POST /api/v1/incidents/{incident_id}/reporter/reveal",
        {"reason": WHY},
        incident_id=number,
    )
    sign = walk("POST /api/v1/signs", {"place_name": "东苑小区北门", "lon": lon, "lat": lat})
    walk("DELETE /api/v1/signs/{sign_code}", sign_code=sign["code"])
    worker = walk.town.county.workers[factories.grid_code(1)]
    body = {"field": "phone", "reason": WHY}
    walk("POST /api/v1/people/{person_id}/reveal", body, person_id=worker)


def _others(walk: Walk) -> None:
    """What is done with the accounts of others."""
    opened = walk("POST /api/v1/accounts", {"login": "zhao", "name": "赵", "area_code": ""})
    account = opened["id"]
    role = {"role": "dispatcher", "area_code": factories.COUNTY}
    walk("PUT /api/v1/accounts/{account_id}/role", role, account_id=account)
    walk("POST /api/v1/accounts/{account_id}/password", account_id=account)
    until = (datetime.now(UTC) + timedelta(days=1)).isoformat()
    body = {"login": "zhao", "area_code": "990121101", "reason": WHY, "until": until}
    grant = walk("POST /api/v1/grants", body)["id"]
    walk("DELETE /api/v1/grants/{grant_id}", grant_id=grant)
    with walk.town.database.transaction() as session:
        factories.token(session, session.merge(_account(session, "zhao")))
        session.execute(
            sa.text("UPDATE accounts SET totp_secret = 'x', totp_confirmed_at = now() "
                    "WHERE login = 'zhao'")
        )  # fmt: skip
    walk("DELETE /api/v1/accounts/{account_id}/sessions", account_id=account)
    walk("DELETE /api/v1/accounts/{account_id}/totp", account_id=account)
    walk("PUT /api/v1/accounts/{account_id}/state", {"disabled": True}, account_id=account)
    with walk.town.database.transaction() as session:
        factories.account(session, "integrator", login="program")
    key = walk("POST /api/v1/keys", {"login": "program", "name": "a"})
    walk("DELETE /api/v1/keys/{key_id}", key_id=key["id"])
    accounts.person(walk.town.database, "dispatcher", factories.COUNTY, login="dispatcher")
    walk.sign_in("dispatcher")
    broken = walk(
        "POST /api/v1/grants/break-glass",
        {"area_code": factories.COUNTY, "reason": WHY},
        by="dispatcher",
    )
    walk.sign_in()
    walk("POST /api/v1/grants/{grant_id}/seen", grant_id=broken["id"])


def _exports(walk: Walk) -> None:
    wanted = {"collection": "grids", "format": "csv", "purpose": WHY}
    made = walk("POST /api/v1/exports", wanted)
    walk("GET /api/v1/exports/{export_id}/file", export_id=made["id"])
    with walk.town.database.transaction() as session:
        session.execute(
            sa.text("UPDATE exports SET state = 'waiting', account_id = :other, login = 'other' "
                    "WHERE id = :id"),
            {"id": made["id"], "other": _account(session, "tester").id},
        )  # fmt: skip
    decision = {"approve": True, "note": WHY}
    walk("POST /api/v1/exports/{export_id}/decision", decision, export_id=made["id"])


def _oneself(walk: Walk) -> None:
    secret = walk("POST /api/v1/totp", {"current": PASSWORD})["secret"]
    walk("PUT /api/v1/totp", {"code": accounts.live_code(secret)})
    walk("POST /api/v1/totp/removal", {"current": PASSWORD})
    for route in ("DELETE /api/v1/sessions", "DELETE /api/v1/sessions/{session_id}"):
        with walk.town.database.transaction() as session:
            factories.token(session, _account(session, "walker"))
        devices = walk.client.get("/api/v1/sessions").json()["sessions"]
        other = next(each["id"] for each in devices if not each["is_this"])
        walk(route, session_id=other)
    walk("PUT /api/v1/password", {"current": PASSWORD, "new": accounts.OTHER})
    walk("DELETE /api/v1/session")


def _account(session: Any, login: str) -> Any:
    return session.scalars(sa.select(Account).where(Account.login == login)).one()
