"""Signing in and out over HTTP: passwords, guessing them, and changing them."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any

import pytest
import sqlalchemy as sa

from api.app import create_app
from api.auth import COOKIE
from api.settings import ServerSettings
from boundaries.accounts import passwords, service, signing_in
from tests import factories
from tests.api.accounts import (
    OTHER,
    PASSWORD,
    REAL,
    app,
    browser,
    change,
    cheaply,
    client,
    kept,
    kind,
    person,
    read,
    sign_in,
)

if TYPE_CHECKING:
    from fastapi import FastAPI

    from gis.database import Database
    from tests.api.conftest import TestClient

WRONG = "not the password at all"

__all__ = ["app", "cheaply", "client"]


class TestPassword:
    """By login and password."""

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
        assert "cameras" in said["tilesets"]
        cookie = answer.headers["set-cookie"]
        assert cookie.startswith(f"{COOKIE}=")
        for part in ("HttpOnly", "SameSite=strict", "Path=/", "Max-Age=43200"):
            assert part in cookie
        assert "Secure" not in cookie, "plain HTTP on this machine itself"
        assert answer.headers["cache-control"] == "no-store"
        assert client.cookies[COOKIE] not in answer.text
        assert client.get("/api/v1/session").json()["csrf"] == said["csrf"]
        assert client.get("/api/v1/incidents").status_code == 200

    def test_known_and_unknown_logins_are_refused_alike(
        self, client: TestClient, database: Database
    ) -> None:
        person(database, "dispatcher", login="zhang")
        with_account, without = sign_in(client, "zhang", WRONG), sign_in(client, "nobody", WRONG)
        assert with_account.status_code == without.status_code == 401
        assert with_account.json() == without.json()
        assert kind(without) == "SignInRefused"
        assert "set-cookie" not in with_account.headers
        # Nor does an account without a password, as of a program, tell that it is there.
        with database.transaction() as session:
            factories.account(session, "integrator", login="program")
        assert sign_in(client, "program", WRONG).json() == without.json()
        assert sign_in(client, "program", "").json() == without.json()

    @pytest.mark.parametrize(
        "sql",
        [
            "UPDATE accounts SET disabled_at = now()",
            "UPDATE accounts SET valid = tstzrange('2020-01-01', now())",
            "UPDATE accounts SET valid = tstzrange(now() + interval '1 day', NULL)",
        ],
    )
    def test_a_closed_account_is_not_let_in(
        self, client: TestClient, database: Database, sql: str
    ) -> None:
        person(database, "dispatcher", login="zhang")
        change(database, sql)
        answer = sign_in(client, "zhang")
        assert answer.status_code == 401
        assert "closed" in answer.json()["detail"]
        # Without the password nobody learns that.
        assert "closed" not in sign_in(client, "zhang", WRONG).text

    @pytest.mark.parametrize(
        "body",
        [
            {}, {"login": "zhang"}, {"login": "zhang", "password": 7},
            {"login": "zhang", "password": "x", "remember": True}, {"login": "", "password": "x"},
            {"login": "z" * 201, "password": "x"}, {"login": "zhang", "password": "x" * 300},
            {"login": "zhang", "password": "x", "code": "1" * 41}, [], "zhang",
        ],
    )  # fmt: skip
    def test_malformed(self, client: TestClient, body: Any) -> None:
        answer = client.post("/api/v1/session", json=body)
        assert answer.status_code == 422
        assert "x" * 300 not in answer.text, "no answer repeats a password"

    @pytest.mark.parametrize("login", ["zh\x00ang", "'; DROP TABLE accounts; --", "张", "a" * 200])
    def test_odd_logins_are_nobody_s(self, client: TestClient, login: str) -> None:
        assert sign_in(client, login, WRONG).status_code in {401, 422}

    def test_hashes_of_a_lower_cost_are_renewed(
        self, client: TestClient, database: Database, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        person(database, "dispatcher", login="zhang")
        assert "m=64," in read(database, "SELECT password_hash FROM accounts")
        monkeypatch.setattr(passwords, "_hasher", REAL)
        assert sign_in(client, "zhang").status_code == 201
        assert "m=65536" in read(database, "SELECT password_hash FROM accounts")
        assert sign_in(client, "zhang").status_code == 201


class TestBruteForce:
    """Guessing slows down, by login and by address, and many at once are all counted."""

    def test_a_login_is_slowed_and_its_owner_let_in_afterwards(
        self, client: TestClient, database: Database
    ) -> None:
        person(database, "dispatcher", login="zhang")
        for _ in range(signing_in.BY_LOGIN.free):
            assert sign_in(client, "zhang", WRONG).status_code == 401
        slowed = sign_in(client, "zhang")
        assert slowed.status_code == 429, "not even the right password"
        assert 0 < int(slowed.headers["retry-after"]) <= signing_in.BY_LOGIN.first_s
        # The next wait is twice as long, and it never grows beyond a quarter of an hour.
        waits = []
        for _ in range(8):
            change(database, "UPDATE sign_in_failures SET locked_until = now()")
            assert sign_in(client, "zhang", WRONG).status_code == 401
            waits.append(int(sign_in(client, "zhang").headers["retry-after"]))
        assert waits[:4] == pytest.approx([60, 120, 240, 480], abs=2)
        assert max(waits) <= signing_in.BY_LOGIN.longest_s
        change(database, "UPDATE sign_in_failures SET locked_until = now()")
        assert sign_in(client, "zhang").status_code == 201
        assert sign_in(client, "zhang", WRONG).status_code == 401
        assert sign_in(client, "zhang").status_code == 201, "success forgets the failures"

    def test_a_login_that_is_nobody_s_is_slowed_as_well(self, client: TestClient) -> None:
        statuses = [
            sign_in(client, "nobody", WRONG).status_code
            for _ in range(signing_in.BY_LOGIN.free + 1)
        ]
        assert statuses == [401] * signing_in.BY_LOGIN.free + [429]

    def test_an_address_is_slowed_over_many_logins(self, app: FastAPI, database: Database) -> None:
        person(database, "dispatcher", login="zhang")
        subject = signing_in._subject("address", "203.0.113.9")
        with browser(app, host="203.0.113.9") as attacker, browser(app) as client:
            assert sign_in(attacker, "someone", WRONG).status_code == 401
            change(
                database,
                "UPDATE sign_in_failures SET failures = :n WHERE subject = :who",
                n=signing_in.BY_ADDRESS.free - 1, who=subject,
            )  # fmt: skip
            assert sign_in(attacker, "someone-else", WRONG).status_code == 401
            assert sign_in(attacker, "zhang").status_code == 429
            assert sign_in(client, "zhang").status_code == 201, "others are not"
            # A success of one's own does not clear the way for guessing on.
            assert read(
                database, "SELECT failures FROM sign_in_failures WHERE subject = :who", who=subject
            ) == signing_in.BY_ADDRESS.free  # fmt: skip

    def test_many_at_once_do_not_slip_past(self, app: FastAPI, database: Database) -> None:
        person(database, "dispatcher", login="zhang")
        statuses: list[int] = []

        def guess() -> None:
            with browser(app) as client:
                statuses.append(sign_in(client, "zhang", WRONG).status_code)

        threads = [threading.Thread(target=guess) for _ in range(12)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert statuses.count(401) == signing_in.BY_LOGIN.free
        assert statuses.count(429) == 12 - signing_in.BY_LOGIN.free

    def test_typed_logins_are_kept_as_hashes_only(
        self, client: TestClient, database: Database
    ) -> None:
        typed = "my-password-in-the-wrong-field"
        sign_in(client, typed, WRONG)
        dump = read(
            database,
            "SELECT string_agg(t, ' ') FROM (SELECT f::text AS t FROM sign_in_failures AS f "
            "UNION ALL SELECT a::text FROM audit_log AS a) AS every",
        )
        assert typed not in dump
        assert read(database, "SELECT count(*) FROM sign_in_failures") == 2


class TestChangePassword:
    @pytest.mark.parametrize(
        ("current", "new", "field"),
        [
            (WRONG, OTHER, "current"), (PASSWORD, "short", "new"),
            (PASSWORD, "zhang-20261125", "new"), (PASSWORD, "password123456", "new"),
            (PASSWORD, PASSWORD, "new"),
        ],
    )  # fmt: skip
    def test_refused(
        self, client: TestClient, database: Database, current: str, new: str, field: str
    ) -> None:
        person(database, "dispatcher", login="zhang")
        sign_in(client, "zhang")
        answer = client.put("/api/v1/password", json={"current": current, "new": new})
        assert answer.status_code == 422
        assert {each["field"] for each in answer.json()["problems"]} == {field}
        assert read(database, "SELECT password_hash FROM accounts") == kept()

    def test_guessing_the_present_one_is_slowed(
        self, client: TestClient, database: Database
    ) -> None:
        """Whoever sits down at a screen that was left open does not get to guess."""
        person(database, "dispatcher", login="zhang")
        sign_in(client, "zhang")
        body = {"current": WRONG, "new": OTHER}
        statuses = [
            client.put("/api/v1/password", json=body).status_code
            for _ in range(signing_in.BY_LOGIN.free + 1)
        ]
        assert statuses == [422] * signing_in.BY_LOGIN.free + [429]


def test_keys_do_not_act_for_persons(client: TestClient, database: Database) -> None:
    who = person(database, "dispatcher", login="zhang")
    with database.transaction() as session:
        client.headers["Authorization"] = f"Bearer {factories.key(session, who)}"
    assert client.get("/api/v1/session").json()["csrf"] is None
    body = {"current": PASSWORD, "new": OTHER}
    assert client.put("/api/v1/password", json=body).status_code == 403
    assert client.post("/api/v1/totp", json={"current": PASSWORD}).status_code == 403
    assert client.delete("/api/v1/sessions").status_code == 403


def test_sign_ins_are_audited(client: TestClient, database: Database) -> None:
    who = person(database, "dispatcher", login="zhang")
    sign_in(client, "zhang", WRONG)
    sign_in(client, "zhang")
    client.delete("/api/v1/session")
    with database.transaction() as session:
        rows = session.execute(
            sa.text("SELECT actor, action, object_id FROM audit_log ORDER BY id")
        ).all()
    assert [tuple(row)[:2] for row in rows] == [
        ("zhang", "session.refused"), ("zhang", "session.opened"), ("zhang", "session.ended"),
    ]  # fmt: skip
    assert rows[0].object_id == str(who.id)


def test_the_service_itself_reads_no_secret(database: Database) -> None:
    """What an injected statement could not read: hashes, and what belongs to the functions."""
    person(database, "dispatcher", login="zhang")
    for sql in (
        "SELECT password_hash FROM accounts", "SELECT totp_secret FROM accounts",
        "SELECT recovery_hashes FROM accounts", "SELECT * FROM accounts",
        "SELECT token_hash FROM sessions", "SELECT key_hash FROM api_keys",
        "SELECT * FROM sign_in_failures", "UPDATE accounts SET role = 'system_admin'",
        "INSERT INTO area_grants DEFAULT VALUES", "DELETE FROM sessions",
        "INSERT INTO sessions DEFAULT VALUES", "INSERT INTO api_keys DEFAULT VALUES",
    ):  # fmt: skip
        with (
            database.service_transaction() as session,
            pytest.raises(sa.exc.ProgrammingError) as no,
        ):
            session.execute(sa.text(sql))
        assert no.value.orig.sqlstate == "42501", sql


def test_first_administrator_is_made_once(database: Database) -> None:
    with database.transaction() as session:
        password = service.first_administrator(session)
        assert password is not None
    with database.transaction() as session:
        assert service.first_administrator(session) is None
    with browser(create_app(ServerSettings(), database)) as client:
        answer = sign_in(client, "admin", password)
        assert answer.status_code == 201
        assert (answer.json()["role"], answer.json()["must_change_password"]) == (
            "system_admin",
            True,
        )
        assert answer.json()["rights"] == []
