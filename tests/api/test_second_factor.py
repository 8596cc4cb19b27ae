"""One-time passwords and the second factor, over HTTP."""

from __future__ import annotations

import threading
import time
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pyotp
import pytest

from api.app import create_app
from api.auth import COOKIE
from api.settings import ServerSettings
from boundaries.accounts import signing_in, totp
from tests.api.accounts import (
    OTHER,
    PASSWORD,
    app,
    browser,
    change,
    cheaply,
    client,
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

    @pytest.fixture
    def moment(
        self, enrolled: tuple[pyotp.TOTP, list[str]], monkeypatch: pytest.MonkeyPatch
    ) -> datetime:
        """The middle of a half minute, at which the server's clock of codes stands still."""
        step = int(time.time()) // totp.STEP_S
        still = datetime.fromtimestamp((step + 0.5) * totp.STEP_S, UTC)
        asked = totp.step_of
        monkeypatch.setattr(
            totp, "step_of", lambda secret, code, _now, **more: asked(secret, code, still, **more)
        )
        return still

    @pytest.mark.parametrize(("off", "status"), [(-90, 201), (90, 201), (-120, 401), (120, 401)])
    def test_a_clock_that_is_off(
        self, client: TestClient, enrolled: tuple[pyotp.TOTP, list[str]], moment: datetime,
        off: int, status: int,
    ) -> None:  # fmt: skip
        code = enrolled[0].at(moment + timedelta(seconds=off))
        assert sign_in(client, "zhang", code=code).status_code == status

    def test_a_code_lives_its_own_half_minute_unless_told_otherwise(
        self, enrolled: tuple[pyotp.TOTP, list[str]], moment: datetime, database: Database
    ) -> None:
        with browser(create_app(ServerSettings(), database)) as client:
            for off in (-16, 16):
                answer = sign_in(client, "zhang", code=enrolled[0].at(moment + timedelta(0, off)))
                assert (answer.status_code, kind(answer)) == (401, "CodeRefused")
            code = enrolled[0].at(moment + timedelta(seconds=14))
            assert sign_in(client, "zhang", code=code).status_code == 201

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
