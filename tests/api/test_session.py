"""Signing in and out over HTTP: passwords, cookies, devices, and attacks on all of them."""

from __future__ import annotations

import threading
import time
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pyotp
import pytest
import sqlalchemy as sa

from api.app import create_app
from api.auth import COOKIE, CSRF_HEADER, csrf_token
from api.settings import ServerSettings
from boundaries.accounts import service, signing_in
from gis.database import execute
from tests import factories
from tests.api.accounts import OTHER, PASSWORD, browser, kept, kind, person, sign_in

if TYPE_CHECKING:
    from collections.abc import Iterator

    from fastapi import FastAPI

    from gis.database import Database
    from tests.api.conftest import TestClient

WRONG = "not the password at all"


@pytest.fixture
def app(database: Database) -> FastAPI:
    return create_app(ServerSettings(totp_off_s=90), database)


@pytest.fixture
def client(app: FastAPI) -> Iterator[TestClient]:
    with browser(app) as made:
        yield made


def change(database: Database, sql: str, **values: Any) -> None:
    with database.transaction() as session:
        execute(session, sql, **values)


def read(database: Database, sql: str, **values: Any) -> Any:
    with database.transaction() as session:
        return execute(session, sql, **values).scalar()


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
        self, client: TestClient, database: Database
    ) -> None:
        person(database, "dispatcher", login="zhang")
        from argon2 import PasswordHasher  # noqa: PLC0415 - the one test that hashes cheaply

        cheap = PasswordHasher(time_cost=1, memory_cost=8192, parallelism=1).hash(PASSWORD)
        change(database, "UPDATE accounts SET password_hash = :hash", hash=cheap)
        assert sign_in(client, "zhang").status_code == 201
        assert "m=65536" in read(database, "SELECT password_hash FROM accounts")
        assert sign_in(client, "zhang").status_code == 201


class TestOneTimePassword:
    """Whoever came in with one can change it, and do nothing else."""

    @pytest.fixture
    def newcomer(self, client: TestClient, database: Database) -> TestClient:
        person(database, "system_admin", login="admin", must_change=True)
        assert sign_in(client, "admin").json()["must_change_password"] is True
        return client

    def test_nothing_else_is_answered(self, newcomer: TestClient, app: FastAPI) -> None:
        allowed = {
            ("GET", "/api/v1/session"), ("POST", "/api/v1/session"), ("DELETE", "/api/v1/session"),
            ("PUT", "/api/v1/password"),
        }  # fmt: skip
        asked = 0
        for path, item in app.openapi()["paths"].items():
            for method in item:
                if (method.upper(), path) in allowed or path.startswith(
                    ("/health", "/api/v1/oidc")
                ):
                    continue
                address = path.replace("{layer}", "units").replace("{z}/{x}/{y}", "0/0/0")
                for name in ("incident_id", "account_id", "session_id", "key_id", "grant_id"):
                    address = address.replace(f"{{{name}}}", "7c9e6679-7425-40de-944b-e07fc1f90ae7")
                answer = newcomer.request(method.upper(), address)
                assert answer.status_code in {403, 422}, f"{method} {path}: {answer.status_code}"
                asked += answer.status_code == 403
        assert asked > 20

    def test_after_the_change_everything_is(self, newcomer: TestClient) -> None:
        answer = newcomer.put("/api/v1/password", json={"current": PASSWORD, "new": OTHER})
        assert answer.status_code == 204
        assert newcomer.get("/api/v1/accounts").status_code == 200
        assert newcomer.get("/api/v1/session").json()["must_change_password"] is False

    def test_it_is_not_kept(self, newcomer: TestClient) -> None:
        answer = newcomer.put("/api/v1/password", json={"current": PASSWORD, "new": PASSWORD})
        assert answer.status_code == 422
        assert newcomer.get("/api/v1/accounts").status_code == 403


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


class TestToken:
    """Forged, expired, reused, fixed."""

    @pytest.mark.parametrize(
        "token", ["", "x", "a" * 43, "' OR 1=1 --", "%00", "wgk_" + "a" * 43, "ö" * 20]
    )
    def test_forged(self, client: TestClient, token: str) -> None:
        headers = {"Cookie": f"{COOKIE}={token}".encode()}
        answer = client.get("/api/v1/session", headers=headers)
        assert answer.status_code == 401
        assert "sign in" in answer.json()["detail"]

    @pytest.mark.parametrize(
        ("sql", "words"),
        [
            ("UPDATE sessions SET expires_at = now()", "expired"),
            ("UPDATE sessions SET last_seen_at = now() - interval '31 minutes'", "too long"),
            ("UPDATE sessions SET ended_at = now()", "ended"),
            ("UPDATE accounts SET disabled_at = now()", "closed"),
            ("UPDATE accounts SET valid = tstzrange('2020-01-01', now())", "closed"),
        ],
    )
    def test_expired_idle_ended_or_closed_at_the_next_request(
        self, client: TestClient, database: Database, sql: str, words: str
    ) -> None:
        person(database, "dispatcher", login="zhang")
        sign_in(client, "zhang")
        assert client.get("/api/v1/meta").status_code == 200
        change(database, sql)
        answer = client.get("/api/v1/meta")
        assert answer.status_code == 401
        assert words in answer.json()["detail"]

    def test_lengths_of_a_session_are_settings(self, database: Database) -> None:
        person(database, "dispatcher", login="zhang")
        settings = ServerSettings(session_hours=2, session_idle_minutes=5)
        with browser(create_app(settings, database)) as client:
            assert "Max-Age=7200" in sign_in(client, "zhang").headers["set-cookie"]
        lasts, idle = read(
            database,
            "SELECT ARRAY[extract(epoch FROM expires_at - created_at), idle_s] FROM sessions",
        )
        assert (lasts, idle) == (7200, 300)

    def test_a_token_that_was_planted_is_not_taken_over(
        self, client: TestClient, database: Database
    ) -> None:
        """Session fixation: whatever the browser held before, the token is a fresh one."""
        person(database, "dispatcher", login="zhang")
        client.cookies.set(COOKIE, "planted-by-somebody-else", domain="127.0.0.1")
        sign_in(client, "zhang")
        client_tokens = [c.value for c in client.cookies.jar if c.name == COOKIE]
        assert "planted-by-somebody-else" not in client_tokens
        assert client.get("/api/v1/session").status_code == 200

    def test_signing_in_again_ends_the_session_before(
        self, client: TestClient, database: Database
    ) -> None:
        person(database, "dispatcher", login="zhang")
        sign_in(client, "zhang")
        first = client.cookies[COOKIE]
        sign_in(client, "zhang")
        assert client.cookies[COOKIE] != first
        answer = client.get("/api/v1/session", headers={"Cookie": f"{COOKIE}={first}"})
        assert answer.status_code == 401

    def test_signing_out_ends_it_for_whoever_copied_the_token(
        self, client: TestClient, database: Database
    ) -> None:
        person(database, "dispatcher", login="zhang")
        sign_in(client, "zhang")
        token = client.cookies[COOKIE]
        answer = client.delete("/api/v1/session")
        assert answer.status_code == 204
        assert answer.headers["clear-site-data"] == '"cache"'
        assert COOKIE not in client.cookies
        answer = client.get("/api/v1/meta", headers={"Cookie": f"{COOKIE}={token}"})
        assert answer.status_code == 401
        assert "ended" in answer.json()["detail"]

    def test_a_token_is_no_key_and_a_key_no_token(
        self, client: TestClient, database: Database
    ) -> None:
        who = person(database, "dispatcher", login="zhang")
        with database.transaction() as session:
            key, token = factories.key(session, who), factories.token(session, who)
        as_key = {"Authorization": f"Bearer {token}"}
        assert client.get("/api/v1/session", headers=as_key).status_code == 401
        as_token = {"Cookie": f"{COOKIE}={key}"}
        assert client.get("/api/v1/session", headers=as_token).status_code == 401

    def test_no_token_is_taken_from_an_address(
        self, client: TestClient, database: Database
    ) -> None:
        who = person(database, "dispatcher", login="zhang")
        with database.transaction() as session:
            key, token = factories.key(session, who), factories.token(session, who)
        for name in (COOKIE, "token", "key", "api_key", "access_token", "session"):
            for value in (token, key):
                # Unknown parameters are refused before anything is read.
                assert client.get("/api/v1/meta", params={name: value}).status_code == 422
                answer = client.get("/api/v1/locate", params={"lon": "1", "lat": "1", "crs": value})
                assert answer.status_code == 401

    def test_only_hashes_are_kept(self, client: TestClient, database: Database) -> None:
        person(database, "dispatcher", login="zhang")
        sign_in(client, "zhang")
        dump = read(
            database,
            "SELECT string_agg(t, ' ') FROM (SELECT s::text AS t FROM sessions AS s "
            "UNION ALL SELECT a::text FROM accounts AS a "
            "UNION ALL SELECT l::text FROM audit_log AS l) AS every",
        )
        assert client.cookies[COOKIE] not in dump
        assert PASSWORD not in dump


class TestOtherSites:
    """Requests that another page makes a browser send (CSRF)."""

    @pytest.fixture
    def signed_in(self, client: TestClient, database: Database) -> TestClient:
        person(database, "dispatcher", login="zhang")
        sign_in(client, "zhang")
        return client

    @pytest.mark.parametrize("sent", [None, "", "x", "a" * 43, "ü" * 4])
    def test_changes_need_the_header(self, signed_in: TestClient, sent: str | None) -> None:
        del signed_in.headers[CSRF_HEADER]
        headers = {} if sent is None else {CSRF_HEADER: sent.encode()}
        for method, path in (
            ("DELETE", "/api/v1/session"), ("DELETE", "/api/v1/sessions"),
            ("PUT", "/api/v1/password"), ("POST", "/api/v1/incidents"), ("POST", "/api/v1/totp"),
        ):  # fmt: skip
            answer = signed_in.request(method, path, headers=headers, json={})
            assert answer.status_code == 403, path
            assert CSRF_HEADER in answer.json()["detail"]
        assert signed_in.get("/api/v1/session").status_code == 200, "still signed in"

    def test_the_header_of_another_session_is_wrong(
        self, signed_in: TestClient, database: Database
    ) -> None:
        with database.transaction() as session:
            who = factories.account(session, "dispatcher", login="attacker")
            theirs = csrf_token(factories.token(session, who))
        answer = signed_in.delete("/api/v1/sessions", headers={CSRF_HEADER: theirs})
        assert answer.status_code == 403

    @pytest.mark.parametrize(
        "headers",
        [
            {"Origin": "https://evil.example"}, {"Origin": "null"},
            {"Origin": "http://127.0.0.1:8001"}, {"Sec-Fetch-Site": "cross-site"},
            {"Sec-Fetch-Site": "same-site", "Origin": "http://127.0.0.1:8000"},
        ],
    )  # fmt: skip
    def test_another_origin_is_refused_even_with_the_header(
        self, signed_in: TestClient, headers: dict[str, str]
    ) -> None:
        answer = signed_in.delete("/api/v1/sessions", headers=headers)
        assert answer.status_code == 403
        assert "another site" in answer.json()["detail"]
        # Nor can it sign the browser in as somebody else.
        body = {"login": "zhang", "password": PASSWORD}
        assert signed_in.post("/api/v1/session", json=body, headers=headers).status_code == 403

    @pytest.mark.parametrize(
        "headers",
        [{"Origin": "http://127.0.0.1:8000"}, {"Sec-Fetch-Site": "same-origin"}, {}],
    )
    def test_its_own_pages_are_served(self, signed_in: TestClient, headers: dict[str, str]) -> None:
        assert signed_in.delete("/api/v1/sessions", headers=headers).status_code == 200

    def test_a_form_of_another_page_cannot_sign_in(self, client: TestClient) -> None:
        """Forms send no JSON; a text that looks like it is not read as such."""
        for media in ("text/plain", "application/x-www-form-urlencoded"):
            answer = client.post(
                "/api/v1/session",
                content=f'{{"login": "zhang", "password": "{PASSWORD}"}}',
                headers={"Content-Type": media},
            )
            assert answer.status_code == 422


class TestEncryption:
    """Which cookies are for HTTPS only, and whose word about it is believed."""

    @pytest.mark.parametrize(
        ("settings", "headers", "is_secure"),
        [
            ({}, {}, False),
            ({}, {"X-Forwarded-Proto": "https"}, False),
            ({"behind_proxy": True}, {"X-Forwarded-Proto": "https"}, True),
            ({"behind_proxy": True}, {"X-Forwarded-Proto": "https, http"}, False),
            ({"behind_proxy": True, "host": "0.0.0.0"}, {}, True),
        ],
    )
    def test_secure(
        self, database: Database, settings: Any, headers: dict[str, str], is_secure: bool
    ) -> None:
        person(database, "dispatcher", login="zhang")
        with browser(create_app(ServerSettings(**settings), database)) as client:
            body = {"login": "zhang", "password": PASSWORD}
            answer = client.post("/api/v1/session", json=body, headers=headers)
        assert answer.status_code == 201
        assert ("; Secure" in answer.headers["set-cookie"]) is is_secure
        # By this prefix a browser refuses one that another host, or plain HTTP, has set.
        assert answer.headers["set-cookie"].startswith("__Host-") is is_secure

    def test_a_cookie_of_plain_http_is_none_over_https(self, database: Database) -> None:
        who = person(database, "dispatcher", login="zhang")
        with database.transaction() as session:
            token = factories.token(session, who)
        with browser(create_app(ServerSettings(behind_proxy=True), database)) as client:
            headers = {"X-Forwarded-Proto": "https", "Cookie": f"{COOKIE}={token}"}
            assert client.get("/api/v1/session", headers=headers).status_code == 401
            headers["Cookie"] = f"__Host-{COOKIE}={token}"
            assert client.get("/api/v1/session", headers=headers).status_code == 200

    @pytest.mark.parametrize(
        ("behind_proxy", "said", "address"),
        [
            (False, "198.51.100.7", "127.0.0.1"),
            (True, "198.51.100.7", "198.51.100.7"),
            (True, "10.9.9.9, 198.51.100.7", "198.51.100.7"),
            (True, "nonsense", "127.0.0.1"),
            (True, "[2001:db8::7]", "2001:db8::7"),
        ],
    )
    def test_address(self, database: Database, behind_proxy: bool, said: str, address: str) -> None:
        """The last word is the proxy's own; what stands before it anybody can have written."""
        person(database, "dispatcher", login="zhang")
        settings = ServerSettings(behind_proxy=behind_proxy)
        with browser(create_app(settings, database)) as client:
            body = {"login": "zhang", "password": PASSWORD}
            client.post("/api/v1/session", json=body, headers={"X-Forwarded-For": said})
        assert read(database, "SELECT address FROM sessions") == address


class TestDevices:
    """The devices of an account, and what ends them."""

    @pytest.fixture
    def two(self, app: FastAPI, database: Database) -> Iterator[tuple[TestClient, TestClient]]:
        person(database, "dispatcher", login="zhang")
        with browser(app) as here, browser(app, host="10.1.2.3") as there:
            there.headers["User-Agent"] = "Mozilla/5.0 (Android) Firefox/140"
            sign_in(here, "zhang")
            sign_in(there, "zhang")
            yield here, there

    def test_listed_with_address_and_agent(self, two: tuple[TestClient, TestClient]) -> None:
        listed = two[0].get("/api/v1/sessions").json()["sessions"]
        assert [(each["is_this"], each["address"]) for each in listed] == [
            (False, "10.1.2.3"), (True, "127.0.0.1"),
        ]  # fmt: skip
        assert "Firefox" in listed[0]["agent"]
        assert "token" not in str(listed)

    def test_one_is_ended(self, two: tuple[TestClient, TestClient]) -> None:
        here, there = two
        other = here.get("/api/v1/sessions").json()["sessions"][0]["id"]
        assert here.delete(f"/api/v1/sessions/{other}").status_code == 204
        assert there.get("/api/v1/meta").status_code == 401
        assert here.get("/api/v1/meta").status_code == 200
        assert here.delete(f"/api/v1/sessions/{other}").status_code == 404

    def test_all_others_are_ended(self, two: tuple[TestClient, TestClient]) -> None:
        here, there = two
        assert here.delete("/api/v1/sessions").json() == {"ended": 1}
        assert there.get("/api/v1/meta").status_code == 401
        assert here.get("/api/v1/meta").status_code == 200

    def test_a_change_of_password_ends_all_others(self, two: tuple[TestClient, TestClient]) -> None:
        here, there = two
        body = {"current": PASSWORD, "new": OTHER}
        assert here.put("/api/v1/password", json=body).status_code == 204
        assert there.get("/api/v1/meta").status_code == 401
        assert here.get("/api/v1/meta").status_code == 200
        assert sign_in(there, "zhang").status_code == 401
        assert sign_in(there, "zhang", OTHER).status_code == 201

    def test_nobody_ends_another_s(
        self, two: tuple[TestClient, TestClient], app: FastAPI, database: Database
    ) -> None:
        person(database, "dispatcher", login="li")
        other = two[0].get("/api/v1/sessions").json()["sessions"][0]["id"]
        with browser(app) as client:
            sign_in(client, "li")
            assert client.delete(f"/api/v1/sessions/{other}").status_code == 404
            assert len(client.get("/api/v1/sessions").json()["sessions"]) == 1
        assert two[1].get("/api/v1/meta").status_code == 200


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


class TestSecondFactor:
    """TOTP: enrolled, asked for, taken once; recovery codes; lost devices."""

    @pytest.fixture
    def enrolled(self, client: TestClient, database: Database) -> tuple[pyotp.TOTP, list[str]]:
        person(database, "dispatcher", login="zhang")
        sign_in(client, "zhang")
        answer = client.post("/api/v1/totp", json={"current": PASSWORD})
        assert answer.status_code == 201, answer.text
        begun = answer.json()
        authenticator = pyotp.TOTP(begun["secret"])
        assert begun["secret"] in begun["address"]
        assert begun["secret"].encode() not in read(database, "SELECT totp_secret FROM accounts")
        assert sign_in(client, "zhang").status_code == 201, "not asked for before it is confirmed"
        wrong = client.put("/api/v1/totp", json={"code": "000000"})
        assert wrong.status_code == 422
        answer = client.put("/api/v1/totp", json={"code": authenticator.now()})
        assert answer.status_code == 200, answer.text
        assert read(database, "SELECT count(*) FROM sessions WHERE ended_at IS NULL") == 1
        # The code that confirmed is used up; go on as if half a minute had passed.
        change(database, "UPDATE accounts SET totp_last_step = totp_last_step - 5")
        return authenticator, answer.json()["recovery_codes"]

    def test_a_code_is_asked_for(
        self, client: TestClient, enrolled: tuple[pyotp.TOTP, list[str]], database: Database
    ) -> None:
        answer = sign_in(client, "zhang")
        assert (answer.status_code, kind(answer)) == (401, "CodeNeeded")
        wrong = sign_in(client, "zhang", code="000000")
        assert (wrong.status_code, kind(wrong)) == (401, "CodeRefused")
        answer = sign_in(client, "zhang", code=f" {enrolled[0].now()[:3]} {enrolled[0].now()[3:]} ")
        assert answer.status_code == 201
        assert answer.json()["has_second_factor"] is True
        assert read(database, "SELECT second_factor FROM sessions ORDER BY created_at DESC LIMIT 1")
        # Whoever has no password is not told that there is a second factor.
        assert kind(sign_in(client, "zhang", WRONG)) == "SignInRefused"

    def test_a_code_is_taken_once(
        self, client: TestClient, enrolled: tuple[pyotp.TOTP, list[str]]
    ) -> None:
        code = enrolled[0].now()
        assert sign_in(client, "zhang", code=code).status_code == 201
        again = sign_in(client, "zhang", code=code)
        assert (again.status_code, kind(again)) == (401, "CodeRefused")
        # Nor an older one that was never used.
        before = enrolled[0].at(datetime.now(UTC) - timedelta(seconds=60))
        assert sign_in(client, "zhang", code=before).status_code == 401

    @pytest.mark.parametrize(("off", "status"), [(-85, 201), (85, 201), (-180, 401), (180, 401)])
    def test_a_clock_that_is_off(
        self, client: TestClient, enrolled: tuple[pyotp.TOTP, list[str]], off: int, status: int
    ) -> None:
        code = enrolled[0].at(datetime.now(UTC) + timedelta(seconds=off))
        assert sign_in(client, "zhang", code=code).status_code == status

    def test_a_code_lives_its_own_half_minute_unless_told_otherwise(
        self, enrolled: tuple[pyotp.TOTP, list[str]], database: Database
    ) -> None:
        with browser(create_app(ServerSettings(), database)) as client:
            for off in (-30, 30):
                # Aimed at the middle of a step, so that none begins meanwhile.
                now = datetime.now(UTC).timestamp()
                time.sleep(max(0, 2 - now % 30, 30 - now % 30 if now % 30 > 27 else 0))
                code = enrolled[0].at(datetime.now(UTC) + timedelta(seconds=off))
                answer = sign_in(client, "zhang", code=code)
                assert (answer.status_code, kind(answer)) == (401, "CodeRefused")
            assert sign_in(client, "zhang", code=enrolled[0].now()).status_code == 201

    def test_one_code_sent_twice_at_once_opens_one_session(
        self, app: FastAPI, enrolled: tuple[pyotp.TOTP, list[str]]
    ) -> None:
        code, statuses = enrolled[0].now(), []

        def try_it() -> None:
            with browser(app) as client:
                statuses.append(sign_in(client, "zhang", code=code).status_code)

        threads = [threading.Thread(target=try_it) for _ in range(3)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert sorted(statuses) == [201, 401, 401]

    def test_guessing_codes_is_slowed(
        self, client: TestClient, enrolled: tuple[pyotp.TOTP, list[str]]
    ) -> None:
        statuses = [
            sign_in(client, "zhang", code=f"{number:06d}").status_code
            for number in range(signing_in.BY_LOGIN.free + 1)
        ]
        assert statuses[-1] == 429
        # Asking for the code itself, with the right password, is no failure.
        assert statuses.count(401) == signing_in.BY_LOGIN.free

    def test_a_lost_device_by_recovery_code(
        self, client: TestClient, enrolled: tuple[pyotp.TOTP, list[str]], database: Database
    ) -> None:
        codes = enrolled[1]
        assert sign_in(client, "zhang", code=codes[3].upper()).status_code == 201
        assert sign_in(client, "zhang", code=codes[3]).status_code == 401, "each for one use"
        assert read(database, "SELECT cardinality(recovery_hashes) FROM accounts") == 9
        assert sign_in(client, "zhang", code=codes[4]).status_code == 201
        assert codes[5] not in read(database, "SELECT accounts::text FROM accounts")
        # With it one gets in, and removes what was lost.
        answer = client.post("/api/v1/totp/removal", json={"current": PASSWORD})
        assert answer.status_code == 204
        assert sign_in(client, "zhang").status_code == 201
        assert sign_in(client, "zhang", code=codes[5]).status_code == 201, "no code is asked for"
        assert read(database, "SELECT cardinality(recovery_hashes) FROM accounts") == 0

    def test_removing_and_beginning_ask_for_the_password(
        self, client: TestClient, enrolled: tuple[pyotp.TOTP, list[str]]
    ) -> None:
        assert sign_in(client, "zhang", code=enrolled[0].now()).status_code == 201
        wrong = {"current": WRONG}
        assert client.post("/api/v1/totp/removal", json=wrong).status_code == 422
        assert client.post("/api/v1/totp", json=wrong).status_code == 422
        # One cannot put one's own over the one that is on.
        begun = client.post("/api/v1/totp", json={"current": PASSWORD})
        assert begun.status_code == 409
        assert client.put("/api/v1/totp", json={"code": "123456"}).status_code == 409

    def test_a_secret_moved_to_another_account_does_not_open(
        self, client: TestClient, enrolled: tuple[pyotp.TOTP, list[str]], database: Database
    ) -> None:
        person(database, "dispatcher", login="li")
        change(
            database,
            "UPDATE accounts AS a SET totp_secret = z.totp_secret, totp_confirmed_at = now() "
            "FROM accounts AS z WHERE a.login = 'li' AND z.login = 'zhang'",
        )
        answer = sign_in(client, "li", code=enrolled[0].now())
        assert answer.status_code == 503
        assert COOKIE not in answer.headers.get("set-cookie", "")


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
