"""A session after signing in: its cookie and token, other sites, encryption, and devices."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from api.app import create_app
from api.auth import COOKIE, CSRF_HEADER, csrf_token
from api.settings import ServerSettings
from tests import factories
from tests.api.accounts import (
    OTHER,
    PASSWORD,
    app,
    browser,
    change,
    cheaply,
    client,
    person,
    read,
    sign_in,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

    from fastapi import FastAPI

    from gis.database import Database
    from tests.api.conftest import TestClient

__all__ = ["app", "cheaply", "client"]


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
