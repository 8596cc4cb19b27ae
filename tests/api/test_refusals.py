"""What is refused is written down: who, what right, which route; never what was sent."""

from __future__ import annotations

import logging
import time
import uuid
from typing import TYPE_CHECKING, Any

import pytest
import sqlalchemy as sa

from api.app import create_app
from api.refusals import EVERY_S, MOST_STRANGERS, Refusal, Refusals
from api.settings import ServerSettings
from boundaries.access import Credential
from gis import audit
from tests import factories
from tests.api import accounts
from tests.api.conftest import TestClient

if TYPE_CHECKING:
    from collections.abc import Iterator

    from gis.database import Database
    from tests.api.conftest import Town

INCIDENTS = "/api/v1/incidents"
SAID = "13987654321-GEHEIM"


@pytest.fixture
def stranger(own_town: Town) -> Iterator[TestClient]:
    """A client without a credential, of an application that has refused nothing yet."""
    app = create_app(ServerSettings(), own_town.database)
    with TestClient(app, raise_server_exceptions=False, client=("10.1.2.3", 5)) as client:
        yield client


@pytest.fixture
def analyst(own_town: Town, stranger: TestClient) -> TestClient:
    """May neither take a step of an incident nor see cameras."""
    with own_town.database.transaction() as session:
        account = factories.account(session, "analyst", factories.COUNTY, login="analyst")
        stranger.headers["Authorization"] = f"Bearer {factories.key(session, account)}"
    return stranger


@pytest.fixture(autouse=True)
def _from_warnings(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.WARNING, "wangge.refused")


def lines(caplog: pytest.LogCaptureFixture) -> list[dict[str, str]]:
    """Lines of refusals, taken apart."""
    return [
        dict(part.split("=", 1) for part in record.getMessage().split(" "))
        for record in caplog.records
        if record.name == "wangge.refused" and record.levelno == logging.WARNING
    ]


def entered(database: Database) -> list[Any]:
    with database.transaction() as session:
        sql = "SELECT * FROM audit_log WHERE action = 'request.refused' ORDER BY id"
        return list(session.execute(sa.text(sql)).all())


def test_a_right_that_is_missing(
    own_town: Town, analyst: TestClient, caplog: pytest.LogCaptureFixture
) -> None:
    path = f"{INCIDENTS}/{uuid.uuid4()}/events"
    assert analyst.post(path, json={"to_state": "closed", "note": SAID}).status_code == 403
    (line,) = lines(caplog)
    (entry,) = entered(own_town.database)
    assert line == {
        "status": "403", "reason": "NotAllowed", "who": f"account:{entry.account_id}",
        "role": "analyst", "right": line["right"], "method": "POST",
        "route": f"{INCIDENTS}/{{incident_id}}/events", "origin": "10.1.2.3", "count": "1",
    }  # fmt: skip
    assert "incidents." in line["right"]
    assert (entry.actor, entry.role, entry.origin) == ("analyst", "analyst", "10.1.2.3")
    assert (entry.object_kind, entry.object_id) == ("route", line["route"])
    assert (entry.county_code, entry.count, entry.fields) == (factories.COUNTY, 1, "")
    assert entry.key_id is not None
    assert entry.detail["rights"] == line["right"].split("|")
    assert SAID not in caplog.text


def test_a_layer_names_its_own_right(analyst: TestClient, caplog: pytest.LogCaptureFixture) -> None:
    """The route asks for none; the layer does."""
    assert analyst.get("/tiles/cameras/10/844/368").status_code == 403
    (line,) = lines(caplog)
    assert line["right"] == "cameras.read"
    assert line["route"] == "/tiles/{layer}/{z}/{x}/{y}"


def test_a_row_that_is_hidden_or_not_there(
    own_town: Town, caplog: pytest.LogCaptureFixture
) -> None:
    """Trying ids shows, though nobody is told which of them are there."""
    for _ in range(3):
        assert own_town.client.get(f"{INCIDENTS}/{uuid.uuid4()}").status_code == 404
    own_town.client.app.state.refusals.flush(is_last=True)  # type: ignore[attr-defined]
    assert [each["count"] for each in lines(caplog)] == ["1", "2"]
    assert [each.count for each in entered(own_town.database)] == [1, 2]
    assert {each["reason"] for each in lines(caplog)} == {"IncidentNotFound"}


def test_a_key_that_was_revoked(own_town: Town, caplog: pytest.LogCaptureFixture) -> None:
    """Nobody is let in, so there is no account to name: the key is told by its hash."""
    with own_town.database.transaction() as session:
        secret = factories.key(session, factories.account(session, "analyst"))
        session.execute(sa.text("UPDATE api_keys SET ended_at = now(), ended_by = 't'"))
    headers = {"Authorization": f"Bearer {secret}"}
    assert own_town.client.get(INCIDENTS, headers=headers).status_code == 401
    (line,) = lines(caplog)
    digits = line["who"].removeprefix("key:")
    with own_town.database.transaction() as session:
        found = session.scalars(
            sa.text("SELECT key_hash FROM api_keys WHERE encode(key_hash, 'hex') LIKE :digits"),
            {"digits": f"{digits}%"},
        ).one()
    assert bytes(found) == Credential.of(secret, is_key=True).hash
    assert line["reason"] == "NotSignedIn"
    assert secret[4:] not in caplog.text
    assert entered(own_town.database) == []


@pytest.mark.parametrize(
    ("headers", "who"),
    [
        ({"Authorization": f"Bearer {SAID}"}, "key:?"),
        ({"Cookie": f"wangge_session={SAID}"}, "session:"),
        ({"Authorization": f"Basic {SAID}"}, "-"),
        ({}, "-"),
    ],
)
def test_whoever_is_not_let_in(
    stranger: TestClient, headers: dict[str, str], who: str, caplog: pytest.LogCaptureFixture
) -> None:
    stranger.base_url = "http://127.0.0.1:8000"  # type: ignore[assignment]
    assert stranger.get(INCIDENTS, params={"bbox": SAID}, headers=headers).status_code == 401
    (line,) = lines(caplog)
    assert line["who"].startswith(who)
    assert (line["origin"], line["role"]) == ("10.1.2.3", "-")
    assert SAID not in caplog.text


def test_a_sign_in_that_fails_and_a_page_that_only_looks(
    own_town: Town, stranger: TestClient, caplog: pytest.LogCaptureFixture
) -> None:
    assert stranger.get("/api/v1/session").status_code == 401
    assert lines(caplog) == []
    # A login that is nobody's has no entry of its own in the audit log; the line is there.
    answer = accounts.sign_in(stranger, SAID)
    assert answer.status_code == 401
    (line,) = lines(caplog)
    assert (line["reason"], line["route"]) == ("SignInRefused", "/api/v1/session")
    assert SAID not in caplog.text
    assert entered(own_town.database) == []


def test_another_page(own_town: Town, caplog: pytest.LogCaptureFixture) -> None:
    accounts.person(own_town.database, "dispatcher", login="li")
    with accounts.browser(own_town.client.app) as client:
        assert accounts.sign_in(client, "li").status_code == 201
        del client.headers["X-CSRF-Token"]
        assert client.delete("/api/v1/session").status_code == 403
    (line,) = lines(caplog)
    assert line["reason"] == "OtherSite"
    assert line["who"].startswith("session:")


def test_too_often_and_too_long(
    own_town: Town, stranger: TestClient, caplog: pytest.LogCaptureFixture
) -> None:
    with own_town.database.transaction() as session:
        account = factories.account(session, "dispatcher")
        secret = factories.key(session, account, per_minute=1)
    headers = {"Authorization": f"Bearer {secret}"}
    answers = [stranger.get("/api/v1/meta", headers=headers).status_code for _ in range(3)]
    assert answers == [200, 429, 429]
    assert stranger.get("/" + "a" * 9000).status_code == 414
    assert [(each["status"], each["reason"]) for each in lines(caplog)] == [
        ("429", "TooMany"), ("414", "TooLong"),
    ]  # fmt: skip


def test_a_body_that_would_end_the_parser(
    stranger: TestClient, caplog: pytest.LogCaptureFixture
) -> None:
    deep = b"[" * 100 + b"]" * 100
    assert stranger.post(INCIDENTS, content=deep).status_code == 422
    assert stranger.post(INCIDENTS, content=b"x" * 3_000_000).status_code == 413
    assert [(each["status"], each["reason"], each["origin"]) for each in lines(caplog)] == [
        ("422", "Hostile", "10.1.2.3"), ("413", "TooLarge", "10.1.2.3"),
    ]  # fmt: skip


def test_what_the_database_refuses(own_town: Town, caplog: pytest.LogCaptureFixture) -> None:
    """A place outside the caller's area, by the service's own check or by the policy."""
    with own_town.database.transaction() as session:
        account = factories.account(session, "dispatcher", "990122", login="other")
        secret = factories.key(session, account)
    lon, lat = factories.middle(1)
    body = {"id": str(uuid.uuid4()), "category": "neighbour", "lon": lon, "lat": lat}
    headers = {"Authorization": f"Bearer {secret}"}
    assert own_town.client.post(INCIDENTS, json=body, headers=headers).status_code == 403
    (line,) = lines(caplog)
    assert line["who"] == f"account:{account.id}"


def test_the_answer_stands_when_it_cannot_be_entered(
    own_town: Town, analyst: TestClient, caplog: pytest.LogCaptureFixture
) -> None:
    with own_town.database.transaction() as session:
        session.execute(
            sa.text(
                "ALTER TABLE audit_log ADD CONSTRAINT full_up CHECK (action <> 'request.refused') "
                "NOT VALID"
            )
        )
    assert analyst.get("/tiles/cameras/10/844/368").status_code == 403
    assert len(lines(caplog)) >= 1
    assert "was not entered" in caplog.text


class TestFlood:
    """A minute's refusals of one kind are two lines: the first, and the number of the others."""

    def refusal(self, who: str = "-", **more: Any) -> Refusal:
        return Refusal(403, "NotAllowed", who=who, **more)

    def test_one_line_a_minute(self) -> None:
        noted, now = Refusals(), time.monotonic()
        kind = self.refusal()
        assert noted.count(kind, now=now) == [(kind, 1)]
        assert [noted.count(kind, now=now + 1) for _ in range(500)] == [[]] * 500
        # Those that waited and the one that begins the next minute.
        assert noted.count(kind, now=now + EVERY_S) == [(kind, 501)]
        assert noted.count(kind, now=now + EVERY_S + 1) == []

    def test_another_kind_brings_the_rest_of_the_first(self) -> None:
        noted, now = Refusals(), time.monotonic()
        kind, other = self.refusal(), self.refusal("key:1")
        noted.count(kind, now=now)
        noted.count(kind, now=now)
        assert noted.count(other, now=now + EVERY_S) == [(kind, 1), (other, 1)]

    def test_strangers_cannot_fill_it_nor_hide_a_caller(self) -> None:
        noted, now = Refusals(), time.monotonic()
        written = sum(
            len(noted.count(self.refusal(f"key:{number}"), now=now))
            for number in range(10 * MOST_STRANGERS)
        )
        assert written == MOST_STRANGERS + 1
        known = self.refusal(caller=audit.Context(actor="li"))
        assert noted.count(known, now=now) == [(known, 1)]

    def test_what_waits_is_written_at_the_end(self, caplog: pytest.LogCaptureFixture) -> None:
        noted = Refusals()
        for _ in range(3):
            noted.note(self.refusal())
        noted.flush()
        assert [each["count"] for each in lines(caplog)] == ["1"]
        noted.flush(is_last=True)
        assert [each["count"] for each in lines(caplog)] == ["1", "2"]
