"""``GET /locate`` from memory: the same answer, to the same people, written down as well."""

from __future__ import annotations

import threading
import time
from contextlib import contextmanager
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest
import sqlalchemy as sa
from fastapi.testclient import TestClient
from shapely import box

from api import admission, thin
from api.app import create_app
from api.settings import ServerSettings
from boundaries.access import Credential
from grids.locating import keeper
from grids.people import duty
from grids.people import service as people
from grids.people.models import Person
from tests import factories
from tests.api.conftest import everything
from tests.factories import SOUTH, STEP, WEST
from tests.grids.locating.test_snapshot import wait_for

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from gis.database import Database

URL = "/api/v1/locate"
MIDDLE = dict(zip(("lon", "lat"), factories.middle(1), strict=True))


class Service:
    """An application that answers from memory, and keys that see it."""

    def __init__(self, client: TestClient, database: Database, county: factories.County) -> None:
        self.client, self.database, self.county = client, database, county
        self.located: thin.Located = client.app.state.located  # type: ignore[attr-defined]

    def ask(self, headers: dict[str, str] | None = None, **params: Any) -> Any:
        return self.client.get(URL, params=MIDDLE | params, headers=headers)

    def thinly(self, headers: dict[str, str] | None = None, **params: Any) -> Any:
        """Ask until the answer comes from memory: the first lets the key in."""
        for _ in range(200):
            answer = self.ask(headers, **params)
            if "server-timing" in answer.headers:
                return answer
            time.sleep(0.01)
        raise AssertionError(answer.text)

    def key(self, role: str, area: str, **more: Any) -> dict[str, str]:
        with self.database.transaction() as session:
            account = factories.account(session, role, area, login=f"{role}-1")
            secret = factories.key(session, account, **more)
        return {"Authorization": f"Bearer {secret}"}

    def admitted(self, headers: dict[str, str]) -> admission.Admitted:
        """What is kept of a key that was let in."""
        secret = headers["Authorization"].removeprefix("Bearer ")
        return self.located.admissions._admitted[Credential.of(secret, is_key=True)]

    def log(self) -> list[Any]:
        self.located.journal.enter()
        with self.database.transaction() as session:
            rows = "SELECT * FROM audit_log WHERE detail ? 'journal' ORDER BY id"
            return list(session.execute(sa.text(rows)).all())


@pytest.fixture
def service(
    database: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Service]:
    monkeypatch.setattr(database, "settings", database.settings.model_copy(
        update={"data_dir": tmp_path}
    ))  # fmt: skip
    with database.transaction() as session:
        county = factories.county(session)
    app = create_app(ServerSettings(), database)
    stopping = threading.Event()
    threads = thin.begin(app.state, database, stopping)
    wait_for(lambda: app.state.located.keeper.is_current)
    headers = everything(database)
    with TestClient(app, headers=headers, raise_server_exceptions=False) as client:
        yield Service(client, database, county)
    stopping.set()
    for thread in threads:
        thread.join(20)
        assert not thread.is_alive()


@pytest.fixture
def unhurried(monkeypatch: pytest.MonkeyPatch) -> None:
    """Answers come from memory though the machine stood still for longer than a second or two."""
    monkeypatch.setattr(admission, "ADMITTED_S", 600)
    monkeypatch.setattr(keeper, "FRESH_S", 600)


def plain(found: dict[str, Any]) -> dict[str, Any]:
    return {
        name: value
        for name, value in found.items()
        if name not in {"at", "as_of", "distance_to_border_m"}
    }


@pytest.mark.parametrize(
    "params",
    [
        {}, {"category": "tourism"}, {"at": "2026-03-01T00:00:00Z"}, {"at": "2026-03-01"},
        {"lon": WEST + 1e-4, "lat": SOUTH + 1e-4}, {"crs": "EPSG:4490"},
    ],
)  # fmt: skip
def test_it_says_what_the_route_says(service: Service, params: dict[str, Any]) -> None:
    told = service.thinly(**params).json()
    service.located.admissions.forget()
    kept = service.ask(**params)
    assert "server-timing" not in kept.headers
    assert plain(told) == plain(kept.json())
    assert told["distance_to_border_m"] == pytest.approx(
        kept.json()["distance_to_border_m"], abs=0.01
    )


def test_doubt(service: Service) -> None:
    near = {"lon": WEST + STEP + 1e-5, "lat": 45.01, "accuracy_m": 40}
    told = service.thinly(**near).json()
    service.located.admissions.forget()
    kept = service.ask(**near).json()
    assert told["ask_back"] == kept["ask_back"] is True
    assert [each["code"] for each in told["candidates"]] == [
        each["code"] for each in kept["candidates"]
    ]
    assert told["confidence"] == pytest.approx(kept["confidence"], abs=2e-3)


@pytest.mark.parametrize(
    ("params", "status"),
    [
        ({"lon": "nan"}, 422), ({"lon": "inf"}, 422), ({"lon": 400}, 422), ({"lon": "x"}, 422),
        ({"lon": 45.01, "lat": 117.015}, 422), ({"accuracy_m": -1}, 422),
        ({"accuracy_m": 1e9}, 422), ({"crs": "mars"}, 422), ({"category": "xyz"}, 422),
        ({"at": "soon"}, 422), ({"what": 1}, 422), ({"lon": 100}, 200),
        ({"lon": WEST + STEP}, 200), ({"explain": "maybe"}, 422),
    ],
)  # fmt: skip
def test_everything_else_is_the_routes(
    service: Service, params: dict[str, Any], status: int
) -> None:
    service.thinly()
    answer = service.ask(**params)
    assert answer.status_code == status, answer.text
    assert "server-timing" not in answer.headers


def test_only_keys_that_the_database_has_let_in(service: Service) -> None:
    service.thinly()
    for headers in ({"Authorization": "Bearer wgk_" + "x" * 43}, {"Authorization": ""},
                    {"Authorization": "Basic x"}):  # fmt: skip
        answer = service.client.get(URL, params=MIDDLE, headers=headers)
        assert answer.status_code == 401
    elsewhere = service.key("integrator", factories.VILLAGES[1])
    service.ask(elsewhere)
    answer = service.ask(elsewhere)
    assert answer.json()["reason"]["code"] == "outside_area"
    assert "server-timing" not in answer.headers
    assert "网格员2" not in answer.text


@pytest.mark.parametrize("area", ["", factories.COUNTY, factories.VILLAGES[0]])
@pytest.mark.usefixtures("unhurried")
def test_explained_to_those_who_see_the_county(service: Service, area: str) -> None:
    since = factories.SINCE
    with service.database.transaction() as session:
        head, officer = (
            people.add(session, name, county_code=factories.COUNTY, actor="t")
            for name in ("旗领导", "科员")
        )
        duty.link(session, head, actor="t", role="leader", unit=factories.COUNTY, level=1,
                  since=since)  # fmt: skip
        office = duty.add_department(session, "文旅局", area=factories.COUNTY, actor="t")
        duty.set_matters(session, office, {"tourism": True}, actor="t")
        duty.link(session, officer, actor="t", role="officer", department=office, since=since)
    headers = service.key("integrator", area)
    wait_for(lambda: "旗领导" in service.thinly(headers).text)
    asked = {"explain": "true", "category": "tourism"}
    told = service.ask(headers, **asked)
    assert ("server-timing" in told.headers) == (area != factories.VILLAGES[0])
    service.located.admissions.forget()
    kept = service.ask(headers, **asked)
    assert "server-timing" not in kept.headers
    assert told.json()["explanation"] == kept.json()["explanation"]
    names = [each["name"] for each in told.json()["explanation"]["considered"]]
    assert ("旗领导" in names) == (area != factories.VILLAGES[0])
    assert "网格员2" in names
    entered = " ".join(str(each.detail) + each.object_id for each in service.log())
    assert ("server-timing" not in told.headers) or str(head.id) in entered


def test_sessions_too_and_no_longer_than_they_last(service: Service) -> None:
    with service.database.transaction() as session:
        account = factories.account(session, "dispatcher", "", login="d-1")
        token = factories.token(session, account)
    cookie = {"Authorization": "", "Cookie": f"other=1; wangge_session={token}"}
    del cookie["Authorization"]
    asker = TestClient(service.client.app, headers=cookie)

    def thinly() -> Any:
        answer = asker.get(URL, params=MIDDLE)
        assert answer.status_code == 200, answer.text
        return "server-timing" in answer.headers

    wait_for(thinly)
    # A token that is shown as a key, and a key that is shown as a token, are neither.
    assert service.ask({"Authorization": f"Bearer {token}"}).status_code == 401
    two = {"Cookie": f"wangge_session={token}; wangge_session={token}x"}
    assert "server-timing" not in TestClient(service.client.app).get(
        URL, params=MIDDLE, headers=two
    ).headers  # fmt: skip
    service.located.journal.enter()
    with service.database.transaction() as session:
        row = session.execute(
            sa.text("SELECT * FROM audit_log WHERE detail ? 'journal' ORDER BY id DESC LIMIT 1")
        ).one()
        assert (row.actor, row.key_id) == ("d-1", None)
        assert row.session_id is not None
        session.execute(sa.text("UPDATE sessions SET ended_at = now(), ended_by = 't'"))
    time.sleep(admission.ADMITTED_S)
    assert asker.get(URL, params=MIDDLE).status_code == 401


def confirmed_anew(*admitted: admission.Admitted) -> None:
    """Wait until the database has been asked for each once more."""
    since = time.monotonic()
    wait_for(lambda: min(each.at for each in admitted) > since)


@pytest.mark.usefixtures("unhurried")
def test_who_asks_on_is_let_in_beside_the_requests(service: Service) -> None:
    """No request waits for it; rights and areas that change are followed."""
    headers = service.key("integrator", "")
    service.thinly(headers)
    mine = service.admitted(headers)
    for _ in range(3):
        confirmed_anew(mine)
        assert "server-timing" in service.ask(headers).headers
    with service.database.transaction() as session:
        session.execute(
            sa.text("UPDATE api_keys SET area_code = :area WHERE account_id = "
                    "(SELECT id FROM accounts WHERE login = 'integrator-1')"),
            {"area": factories.VILLAGES[1]},
        )  # fmt: skip
    # Long before it would have to be let in anew.
    wait_for(lambda: service.ask(headers).json()["reason"]["code"] == "outside_area", within_s=60)


def test_what_is_asked_back_in_two_languages(service: Service) -> None:
    near = {"lon": WEST + STEP + 1e-5, "lat": 45.01, "accuracy_m": 40}
    codes = [factories.grid_code(0), factories.grid_code(1)]
    for language, words in (("en-GB,zh;q=0.5", "Ask for the house number"), ("zh", "请向报告人")):
        headers = {"Accept-Language": language}
        told = service.thinly(headers, **near)
        service.located.admissions.forget()
        kept = service.ask(headers, **near)
        assert "server-timing" not in kept.headers
        for answer in (told, kept):
            assert answer.json()["ask_back"] is True
            assert words in answer.json()["ask_back_text"]
            assert all(code in answer.json()["ask_back_text"] for code in codes)
            assert "Accept-Language" in answer.headers["vary"]
    assert service.thinly(accuracy_m=5).json()["ask_back_text"] is None


def test_an_ended_key_is_out_within_a_second(service: Service) -> None:
    headers = service.key("integrator", "")
    service.thinly(headers)
    with service.database.transaction() as session:
        session.execute(
            sa.text(
                "UPDATE api_keys SET ended_at = now(), ended_by = 't' WHERE account_id = "
                "(SELECT id FROM accounts WHERE login = 'integrator-1')"
            )
        )
    time.sleep(admission.ADMITTED_S)
    assert service.ask(headers).status_code == 401


def test_its_limit_holds(service: Service) -> None:
    # One more may be asked every 20 s, should so many pass.
    headers = service.key("integrator", "", per_minute=3)
    statuses = [service.ask(headers).status_code for _ in range(8)]
    assert statuses[:3] == [200] * 3
    assert statuses.count(429) >= 4


def test_a_known_answer_is_not_sent_again(service: Service) -> None:
    first = service.thinly()
    tag = {"If-None-Match": first.headers["etag"]}
    again = service.client.get(URL, params=MIDDLE, headers=tag)
    assert (again.status_code, again.content) == (304, b"")
    with service.database.transaction() as session:
        worker = session.get_one(Person, service.county.workers[factories.grid_code(1)])
        worker.name = "改名"
    wait_for(lambda: "改名" in service.thinly().text)
    assert service.client.get(URL, params=MIDDLE, headers=tag).status_code == 200


def test_who_was_told_is_entered(service: Service) -> None:
    service.located.journal.enter()
    before = len(service.log())
    for _ in range(5):
        service.thinly()
    entries = service.log()[before:]
    assert sum(each.count for each in entries) >= 1
    one = entries[0]
    assert (one.actor, one.object_kind, one.fields) == ("tester", "person", "name,role")
    assert one.origin == "testclient"
    worker = str(service.county.workers[factories.grid_code(1)])
    assert worker in (one.object_id, *one.detail.get("ids", []))
    assert service.log()[before:] == entries, "once"


def test_what_a_killed_process_left_is_entered(service: Service) -> None:
    service.thinly()
    journal = service.located.journal
    service.thinly()
    with journal._lock:
        left = journal._path
        content = left.read_text()
    if not content:
        pytest.skip("it was entered meanwhile")
    dead = left.with_name(f"4194304-{'a' * 32}.open")
    dead.write_text(content)
    journal.recover()
    journal.enter()
    assert not dead.exists()
    names = {each.detail["journal"] for each in service.log()}
    assert "a" * 16 in names


@contextmanager
def cut_off(service: Service) -> Iterator[None]:
    """The database ends every connection and takes no other."""
    database = service.database
    admin = sa.create_engine(
        database.url.set(database="postgres"), isolation_level="AUTOCOMMIT", poolclass=sa.NullPool
    )
    end = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = :name"
    name = database.url.database
    with admin.connect() as connection:
        connection.execute(sa.text(f'ALTER DATABASE "{name}" ALLOW_CONNECTIONS false'))
        connection.execute(sa.text(end), {"name": name})
        try:
            wait_for(lambda: service.located.keeper.is_cut_off)
            yield
        finally:
            connection.execute(sa.text(f'ALTER DATABASE "{name}" ALLOW_CONNECTIONS true'))
    wait_for(lambda: service.located.keeper.is_current)


def test_without_a_database_it_goes_on_and_says_as_of_when(service: Service) -> None:
    first = service.thinly().json()
    with cut_off(service):
        told = service.ask().json()
        assert plain(told) == plain(first)
        assert told["as_of"] < told["at"]
        with pytest.raises(sa.exc.DBAPIError):
            service.located.journal.enter()
    assert service.log()


def test_batches_go_on_without_a_database(service: Service) -> None:
    body: dict[str, Any] = {"points": [MIDDLE, MIDDLE | {"id": "b", "accuracy_m": 20}]}
    key = service.key("integrator", factories.VILLAGES[0])
    stranger = service.key("community", factories.VILLAGES[1])
    first = service.client.post(URL, json=body, headers=key).json()
    service.located.journal.enter()
    before = len(service.log())

    def post(headers: dict[str, str], **more: Any) -> Any:
        return service.client.post(URL, json=body | more, headers=headers)

    with cut_off(service):
        answer = post(key)
        assert answer.status_code == 200, answer.text
        told = answer.json()
        assert told["answers"] == first["answers"]
        assert told["as_of"] < told["at"]
        assert post(stranger).status_code == 503, "never let in"
        assert "unknown category" in post(key, category="x").text
        away = post(key, points=[MIDDLE, {"lon": WEST - 1, "lat": SOUTH}])
        within, beyond = away.json()["answers"]
        assert (away.status_code, away.json()["inside"]) == (200, 1)
        assert within == first["answers"][0]
        assert (beyond["inside"], beyond["grid"], beyond["confidence"]) == (False, None, None)
        assert (beyond["reason"], beyond["responsible"]) == ("not_told", [])
        none = post(key, points=[{"lon": WEST - 1, "lat": SOUTH}])
        assert (none.status_code, none.headers["retry-after"]) == (503, "5")
        assert "none of the 1 points lies in a grid" in none.json()["detail"]
    (entry,) = service.log()[before:]
    assert (entry.actor, entry.object_id) == (
        "integrator-1", str(service.county.workers[factories.grid_code(1)])
    )  # fmt: skip


def test_people_of_a_micro_grid_are_told_after_those_of_the_grid(service: Service) -> None:
    lon, lat = MIDDLE["lon"], MIDDLE["lat"]
    code = f"{factories.VILLAGES[0]}801"
    ends = factories.SINCE + timedelta(days=9)
    with service.database.transaction() as session:
        shape = box(lon - 1e-3, lat - 1e-3, lon + 1e-3, lat + 1e-3)
        laid = factories.lay_over(session, "micro", {code: shape})
        helper = people.add(session, "楼长", county_code=factories.COUNTY, actor="t")
        grid = people.grid_by_code(session, code, factories.SINCE)
        people.assign(session, helper, grid, actor="t", since=factories.SINCE,
                      until=ends)  # fmt: skip
    before, after = ends - timedelta(hours=1), ends + timedelta(hours=1)

    def told(found: Any) -> list[tuple[str, str]]:
        return [(each["reason"]["code"], each["answers_for"]) for each in found["responsible"]]

    def many(**one: Any) -> list[list[str]]:
        points = [MIDDLE | one, MIDDLE | one | {"lat": lat + 2e-3}]
        answer = service.client.post(URL, json={"points": points, "people": "all"}).json()
        return [[each["reason"] for each in one["responsible"]] for one in answer["answers"]]

    wait_for(lambda: len(service.thinly(at=before.isoformat()).json()["responsible"]) == 2)
    thin_ = service.thinly(at=before.isoformat()).json()
    assert thin_["micro"]["id"] == laid[code]
    assert told(thin_) == [("primary_worker", "grid"), ("micro_grid", "micro_grid")]
    assert len(told(service.thinly(at=after.isoformat()).json())) == 1, "it is kept no longer"
    assert many(at=before.isoformat()) == [["primary_worker", "micro_grid"], ["primary_worker"]]
    assert many(at=after.isoformat()) == [["primary_worker"]] * 2
    explained = service.thinly(at=before.isoformat(), explain="true").json()["explanation"]
    assert {each["name"] for each in explained["considered"]} >= {"楼长"}
    service.located.admissions.forget()
    assert plain(service.ask(at=before.isoformat()).json()) == plain(thin_)


def test_a_leave_begins_while_answers_are_kept(service: Service) -> None:
    service.thinly()
    with service.database.transaction() as session:
        worker = session.get_one(Person, service.county.workers[factories.grid_code(1)])
        now = session.scalar(sa.text("SELECT now()"))
        assert now is not None
        people.take_leave(
            session,
            worker,
            since=now + timedelta(seconds=2),
            until=now + timedelta(hours=1),
            actor="t",
        )
    wait_for(lambda: service.thinly().json()["reason"]["code"] == "nobody")


def test_a_folder_that_cannot_be_written_is_no_reason_to_fail(
    database: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").touch()
    settings = database.settings.model_copy(update={"data_dir": tmp_path / "file"})
    monkeypatch.setattr(database, "settings", settings)
    app = create_app(ServerSettings(), database)
    assert thin.begin(app.state, database, threading.Event()) == []
    assert app.state.located is None
