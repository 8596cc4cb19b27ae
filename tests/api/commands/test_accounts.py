"""Every step of administration on the command line."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import pytest
import sqlalchemy as sa

from api.app import create_app
from api.settings import ServerSettings
from tests import factories
from tests.api.accounts import OTHER, browser, kind, person, sign_in

if TYPE_CHECKING:
    from collections.abc import Callable

    from gis.database import Database
    from tests.api.commands.conftest import Done

    Run = Callable[..., Done]

VILLAGE = factories.VILLAGES[0]


def lasting(client: Any, login: str, one_time: str) -> None:
    """Sign in with a one-time password and change it."""
    assert sign_in(client, login, one_time).status_code == 201
    body = {"current": one_time, "new": OTHER}
    assert client.put("/api/v1/password", json=body).status_code == 204


def test_an_account_from_its_opening_to_its_end(
    wangge: Run, here: Database, county: factories.County
) -> None:
    done = wangge("accounts", "add", "Wang.Yi", "--name", "王一", "--area", VILLAGE, "--json")
    assert done.code == 0, done.err
    made = done.document
    assert (made["login"], made["role"], made["area_code"]) == ("wang.yi", None, VILLAGE)
    with browser(create_app(ServerSettings(), here)) as client:
        lasting(client, "wang.yi", made["one_time_password"])
        assert client.get("/api/v1/incidents").status_code == 403

        done = wangge("accounts", "role", "wang.yi", "community", "--json")
        assert (done.code, done.document["role"]) == (0, "community")
        assert done.document["area_code"] == VILLAGE, "stays where none is given"
        assert client.get("/api/v1/incidents").status_code == 200, "at the next request"

        assert len(wangge("accounts", "sessions", "wang.yi", "--json").document) == 1
        assert wangge("accounts", "disable", "wang.yi").code == 0
        assert client.get("/api/v1/incidents").status_code == 401
        assert sign_in(client, "wang.yi", OTHER).status_code == 401
        assert wangge("accounts", "enable", "wang.yi").code == 0
        assert sign_in(client, "wang.yi", OTHER).status_code == 201

        done = wangge("accounts", "sign-out", "wang.yi", "--json")
        assert done.document == {"login": "wang.yi", "ended": 1}
        assert client.get("/api/v1/meta").status_code == 401

        done = wangge("accounts", "password", "wang.yi")
        new = re.search(r"([a-z0-9]{4}-){3}[a-z0-9]{4}", done.out)
        assert new is not None, done.out
        assert sign_in(client, "wang.yi", OTHER).status_code == 401
        assert sign_in(client, "wang.yi", new.group()).json()["must_change_password"] is True
    listed = wangge("accounts", "list", "--json").document
    assert [each["login"] for each in listed] == ["wang.yi"]
    assert "password to change" in wangge("accounts", "list").out
    with here.transaction() as session:
        actions = session.scalars(
            sa.text("SELECT DISTINCT action FROM audit_log WHERE action LIKE 'account.%'")
        ).all()
    assert set(actions) == {
        "account.added", "account.role_assigned", "account.disabled", "account.enabled",
        "account.password_changed", "account.password_reset",
    }  # fmt: skip


def test_a_worker_s_account_belongs_to_a_person(
    wangge: Run, here: Database, county: factories.County
) -> None:
    add = ("accounts", "add", "w1", "--name", "x", "--area", VILLAGE, "--role", "grid_worker")
    refused = wangge(*add)
    assert refused.code == 1
    assert "belongs to a person" in refused.err
    assert wangge("accounts", "list", "--json").document == [], "nothing is kept of it"
    done = wangge(*add, "--person", "网格员1", "--json")
    assert done.code == 0, done.err
    assert done.document["person_id"] == str(county.workers[factories.grid_code(0)])
    again = wangge("accounts", "add", "w2", "--name", "x", "--area", VILLAGE, "--person", "网格员1")
    assert again.code == 1
    assert "has an account already" in again.err


def test_a_lost_second_factor(wangge: Run, here: Database) -> None:
    who = person(here, "dispatcher", login="li")
    with here.transaction() as session:
        session.execute(sa.text("UPDATE accounts SET totp_secret = 'x', totp_confirmed_at = now()"))
    with browser(create_app(ServerSettings(), here)) as client:
        assert kind(sign_in(client, "li")) == "CodeNeeded"
        assert wangge("accounts", "totp-reset", who.login).code == 0
        assert sign_in(client, "li").status_code == 201


def test_keys(wangge: Run, here: Database, county: factories.County) -> None:
    add = ("accounts", "add", "hotline", "--name", "12345", "--area", factories.COUNTY)
    assert wangge(*add, "--program", "--role", "integrator").code == 0
    issue = ("keys", "issue", "hotline", "--name", "orders")
    done = wangge(*issue, "--right", "incidents.report", "--area", VILLAGE, "--json")
    assert done.code == 0, done.err
    secret = {"Authorization": f"Bearer {done.document['key']}"}
    with browser(create_app(ServerSettings(), here)) as client:
        said = client.get("/api/v1/session", headers=secret).json()
        assert (said["rights"], said["area_code"]) == (["incidents.report"], VILLAGE)
        assert done.document["key"] not in wangge("keys", "list", "--json").out
        assert wangge("keys", "revoke", done.document["id"]).code == 0
        assert client.get("/api/v1/session", headers=secret).status_code == 401
    assert "revoked by" in wangge("keys", "list").out
    assert wangge("keys", "revoke", done.document["id"]).code == 1
    for more, words in (
        (("--right", "incidents.read"), "no right incidents.read"),
        (("--days", "401"), "400"), (("--area", "150121"), "outside"),
    ):  # fmt: skip
        refused = wangge(*issue, *more)
        assert refused.code in {1, 2}
        assert words in refused.err


def test_grants(wangge: Run, here: Database, county: factories.County) -> None:
    person(here, "community", VILLAGE, login="li")
    give = ("grants", "give", "li", factories.VILLAGES[1], "--reason", "joint case 17")
    done = wangge(*give, "--until", "2099-01-01")
    assert done.code == 1
    assert "366 days" in done.err
    with here.transaction() as session:
        until = session.scalar(sa.text("SELECT (now() + interval '2 days')::text"))
    done = wangge(*give, "--until", until, "--json")
    assert done.code == 0, done.err
    with browser(create_app(ServerSettings(), here)) as client:
        sign_in(client, "li")
        assert client.get("/api/v1/session").json()["also"] == [factories.VILLAGES[1]]
        glass = {"area_code": factories.TOWNSHIP, "reason": "fire behind the border"}
        broken = client.post("/api/v1/grants/break-glass", json=glass).json()
        assert "NOT SEEN YET" in wangge("grants", "list").out
        assert wangge("grants", "seen", broken["id"]).code == 0
        assert "NOT SEEN YET" not in wangge("grants", "list").out
        assert wangge("grants", "revoke", done.document["id"]).code == 0
        assert client.get("/api/v1/session").json()["also"] == [factories.TOWNSHIP]
    in_force = wangge("grants", "list", "--in-force", "--json").document
    assert [each["kind"] for each in in_force] == ["break_glass"]


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("accounts", "role", "nobody", "analyst"), "there is no account nobody"),
        (("accounts", "password", "nobody"), "there is no account nobody"),
        (("accounts", "add", "x y", "--name", "x"), "no login"),
        (("accounts", "add", "xy", "--name", "x", "--area", "12"), "there is no unit 12"),
        (("accounts", "add", "xy", "--name", "x", "--role", "king"), "there is no role 'king'"),
        (("accounts", "add", "xy", "--name", "x", "--person", "y"), "county"),
        (("keys", "revoke", "7"), "'7' is no id"),
        (("grants", "revoke", "7c9e6679-7425-40de-944b-e07fc1f90ae7"), "no grant"),
        (("grants", "give", "xy", "12", "--until", "soon", "--reason", "x"), "'soon' is no time"),
    ],
)
def test_refused_by_name(
    wangge: Run, here: Database, arguments: tuple[str, ...], words: str
) -> None:
    done = wangge(*arguments)
    assert done.code == 1
    assert words in done.err
    assert "Traceback" not in done.err


@pytest.mark.parametrize("group", ["accounts", "keys", "grants"])
def test_every_command_has_an_example(wangge: Run, group: str) -> None:
    listed = wangge(group, "--help").out.split("Commands:")[1]
    commands = re.findall(r"^ {2}([a-z-]+) ", listed, re.M)
    assert len(commands) >= 3
    for name in commands:
        text = wangge(group, name, "--help").out
        assert f"Example: wangge {group} {name}" in " ".join(text.split()), name
        assert "--json" in text, name
