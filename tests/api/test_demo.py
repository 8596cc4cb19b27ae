"""The demo's own doors: open on this machine, in an invented place, and nowhere else."""

from __future__ import annotations

import stat
from typing import TYPE_CHECKING

import pytest

from api.app import create_app
from api.auth import COOKIE, CSRF_HEADER
from api.routes.demo import door
from api.settings import ServerSettings
from data import demo_accounts
from gis.database import execute
from tests import factories
from tests.api.accounts import browser, sign_in

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from gis.database import Database
    from tests.api.conftest import TestClient


@pytest.fixture
def file(database: Database, tmp_path: Path) -> Path:
    with database.transaction() as session:
        factories.county(session)
    return demo_accounts.ensure(database, tmp_path)


@pytest.fixture
def client(database: Database, file: Path) -> Iterator[TestClient]:
    known = demo_accounts.listed(database)
    app = create_app(ServerSettings(), database, demo=door(database, known))
    with browser(app) as made:
        yield made


def test_an_account_for_each_role_in_areas_that_show_a_scope(
    database: Database, file: Path
) -> None:
    found = {each.role: each for each in demo_accounts.listed(database)}
    with database.transaction() as session:
        roles = set(execute(session, "SELECT key FROM roles").scalars())
    assert set(found) == roles
    assert {len(each.area_code) for each in found.values()} == {0, 6, 9, 12}
    assert found["grid_worker"].person_id is not None
    assert demo_accounts.listed(database)[0].role == "dispatcher"


def test_passwords_are_this_installation_s_own_and_nobody_else_reads_them(
    database: Database, file: Path
) -> None:
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    lines = [line.split() for line in file.read_text(encoding="utf-8").splitlines()]
    assert len({password for _, password, *_ in lines}) == len(lines) == 13
    before = file.read_text(encoding="utf-8")
    demo_accounts.ensure(database, file.parent)
    assert file.read_text(encoding="utf-8") == before, "a second start makes nothing anew"
    with browser(create_app(ServerSettings(), database)) as client:
        answer = sign_in(client, lines[0][0], lines[0][1])
        assert (answer.status_code, answer.json()["must_change_password"]) == (201, False)
        assert answer.json()["demo"] is False
        # Without the demo its doors are not there.
        assert client.get("/api/v1/demo/accounts").status_code == 404
        assert client.post("/api/v1/demo/session", json={}).status_code == 404


def test_its_page_signs_in_by_itself_once(client: TestClient) -> None:
    page = client.get("/")
    assert page.status_code == 200
    assert "HttpOnly" in page.headers["set-cookie"]
    first = client.cookies[COOKIE]
    said = client.get("/api/v1/session").json()
    assert (said["login"], said["demo"]) == ("demo.dispatcher", True)
    assert "set-cookie" not in client.get("/").headers
    assert client.cookies[COOKIE] == first
    client.headers[CSRF_HEADER] = said["csrf"]
    assert client.delete("/api/v1/session").status_code == 204
    assert "set-cookie" not in client.get("/?signin").headers, "the way to the page of others"


def test_one_may_be_anybody_of_the_demo_and_nobody_else(
    client: TestClient, database: Database
) -> None:
    client.get("/")
    accounts = client.get("/api/v1/demo/accounts").json()["accounts"]
    assert accounts[0]["area_name"]["zh"] == "示范旗"
    for each in accounts:
        answer = client.post("/api/v1/demo/session", json={"login": each["login"]})
        assert (answer.status_code, answer.json()["role"]) == (201, each["role"])
    with database.transaction() as session:
        factories.account(session, "dispatcher", login="real.person")
    for login in ("real.person", "nobody", ""):
        answer = client.post("/api/v1/demo/session", json={"login": login})
        assert answer.status_code == 404


@pytest.mark.parametrize(
    "headers",
    [
        {"Host": "evil.example"}, {"Host": "192.168.1.7:8000"},
        {"Origin": "https://evil.example"}, {"Sec-Fetch-Site": "cross-site"},
    ],
)  # fmt: skip
def test_pages_from_elsewhere_get_in_by_no_door(
    client: TestClient, headers: dict[str, str]
) -> None:
    body = {"login": "demo.dispatcher"}
    answer = client.post("/api/v1/demo/session", json=body, headers=headers)
    assert answer.status_code == 403
    if "Host" in headers:
        # A name server of somebody else's may say that its name is this machine.
        assert "set-cookie" not in client.get("/", headers=headers).headers
