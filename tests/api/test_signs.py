"""Signs, and what residents report by them without an account."""

from __future__ import annotations

import uuid
from typing import TYPE_CHECKING, Any

import pytest
import sqlalchemy as sa
from sqlalchemy.exc import DBAPIError

from api.auth import RateLimits
from boundaries.access import Credential, enter
from gis.errors import TooMany
from grids.incidents import intake
from tests import factories
from tests.api.test_incidents import problem, rows

if TYPE_CHECKING:
    import httpx

    from tests.api.conftest import Town

NOBODY = {"Authorization": ""}


def put_up(town: Town, place: int = 1, **fields: Any) -> str:
    lon, lat = factories.middle(place)
    answer = town.client.post(
        "/api/v1/signs", json={"place_name": "东苑北门", "lon": lon, "lat": lat, **fields}
    )
    assert answer.status_code == 201, answer.text
    return str(answer.json()["code"])


def send(town: Town, code: str, **fields: Any) -> httpx.Response:
    body = {"code": code, "id": str(uuid.uuid4()), "category": "neighbour", "text": "楼道堆物"}
    return town.client.post("/api/v1/intake", json=body | fields, headers=NOBODY)


def as_role(town: Town, role: str, area: str) -> dict[str, str]:
    with town.database.transaction() as session:
        login = f"{role}-{uuid.uuid4().hex[:6]}"
        account = factories.account(session, role, area, login=login)
        return {"Authorization": f"Bearer {factories.key(session, account)}"}


def test_a_resident_reports_where_the_sign_hangs(own_town: Town) -> None:
    code = put_up(own_town)
    desk = own_town.client.post("/api/v1/intake/sign", json={"code": code}, headers=NOBODY).json()
    assert desk["place_name"] == "东苑北门"
    assert {each["code"] for each in desk["categories"]} >= {"neighbour"}
    receipt = send(own_town, code, reporter={"name": "王老五", "phone": "13800138000"})
    assert receipt.status_code == 201, receipt.text
    told = receipt.json()
    assert set(told) == {"id", "state", "category", "reported_at", "grid"}
    assert told["state"] == "reported"
    (row,) = rows(
        own_town,
        "SELECT i.source, i.method, i.accuracy_m, i.address, g.code, i.person_id, a.login, a.role "
        "FROM incidents i JOIN grid_shapes g USING (edition_id, grid_id) "
        "JOIN accounts a ON a.id = i.reported_by WHERE i.id = :id",
        id=told["id"],
    )
    assert (row.source, row.method, row.accuracy_m) == ("sign", "sign", intake.NEAR_SIGN_M)
    assert (row.address, row.code) == ("东苑北门", factories.grid_code(1))
    assert row.person_id == own_town.county.workers[factories.grid_code(1)]
    assert (row.login, row.role) == (f"residents-{factories.COUNTY}", "resident")
    (kept,) = rows(own_town, "SELECT name, phone_last4 FROM reporters")
    assert kept.phone_last4 == "8000"
    assert "王老五".encode() not in kept.name
    # Who works in the area sees it, and moves it on; the resident sees that.
    incident = own_town.client.get(f"/api/v1/incidents/{told['id']}").json()
    assert incident["text"] == "楼道堆物"
    own_town.client.post(f"/api/v1/incidents/{told['id']}/events", json={"to_state": "dispatched"})
    asked = {"code": code, "id": told["id"]}
    seen = own_town.client.post("/api/v1/intake/receipt", json=asked, headers=NOBODY)
    assert seen.json()["state"] == "dispatched"


def test_a_phone_tells_where_it_is(own_town: Town) -> None:
    code = put_up(own_town, 0)
    lon, lat = factories.middle(3)
    made = send(own_town, code, lon=lon, lat=lat, accuracy_m=18)
    (row,) = rows(own_town, "SELECT g.code, i.method FROM incidents i "
                  "JOIN grid_shapes g USING (edition_id, grid_id)")  # fmt: skip
    assert (row.code, row.method) == (factories.grid_code(3), "gps")
    assert made.json()["grid"] == factories.grid_code(3)


def test_a_lost_answer_is_asked_for_again(own_town: Town) -> None:
    code, number = put_up(own_town), str(uuid.uuid4())
    assert send(own_town, code, id=number).status_code == 201
    assert send(own_town, code, id=number).status_code == 200
    assert send(own_town, code, id=number, text="another").status_code == 409
    assert len(rows(own_town, "SELECT id FROM incidents")) == 1


def test_a_typed_code_is_read_as_it_was_printed(own_town: Town) -> None:
    code = put_up(own_town)
    typed = f"{code[:4]}-{code[4:8]} {code[8:]}".upper().replace("0", "O").replace("1", "I")
    assert send(own_town, typed).status_code == 201


def test_a_sign_shows_nothing_else(own_town: Town) -> None:
    """Nothing of other reports, and nothing by the function that lets a sign in."""
    code = put_up(own_town)
    lon, lat = factories.middle(1)
    number = str(uuid.uuid4())
    body = {"id": number, "category": "neighbour", "lon": lon, "lat": lat, "text": "not theirs"}
    assert own_town.client.post("/api/v1/incidents", json=body).status_code == 201
    asked = {"code": code, "id": number}
    answer = own_town.client.post("/api/v1/intake/receipt", json=asked, headers=NOBODY)
    assert problem(answer, 404)["type"] == "urn:wangge:error:IncidentNotFound"
    with own_town.database.service_transaction() as session:
        intake.enter(session, code)
        for table in ("incidents", "incident_events", "reporters", "accounts", "signs", "cameras"):
            seen = session.scalar(sa.text(f"SELECT count(*) FROM {table}"))
            assert seen == (1 if table == "accounts" else 0), table
        with pytest.raises(DBAPIError):
            session.execute(sa.text("SELECT wangge_residents_account('990121', 't')"))


@pytest.mark.parametrize("code", ["", "'; DROP TABLE signs", "x" * 21, 7, None])
def test_what_is_no_code(town: Town, code: Any) -> None:
    answer = problem(send(town, code))
    assert [each["field"] for each in answer["problems"]] == ["code"]


@pytest.mark.parametrize("code", ["0123456789ab", "x" * 12])
def test_a_sign_that_never_was(town: Town, code: str) -> None:
    assert problem(send(town, code), 404)["type"] == "urn:wangge:error:SignNotFound"
    for path in ("sign", "receipt"):
        body = {"code": code} | ({"id": str(uuid.uuid4())} if path == "receipt" else {})
        assert (
            town.client.post(f"/api/v1/intake/{path}", json=body, headers=NOBODY).status_code == 404
        )


def test_a_sign_that_was_taken_down(own_town: Town) -> None:
    code = put_up(own_town)
    for _ in range(2):
        assert own_town.client.delete(f"/api/v1/signs/{code}").status_code == 204
    assert send(own_town, code).status_code == 404
    (sign,) = own_town.client.get("/api/v1/signs").json()["signs"]
    assert sign["ended_by"] == "tester"
    with own_town.database.transaction() as session:
        account = factories.account(session, "dispatcher", factories.COUNTY, login="centre")
        secret = factories.key(session, account)
    again = "UPDATE signs SET ended_at = NULL, ended_by = NULL RETURNING code"
    with own_town.database.service_transaction() as session:
        enter(session, Credential.of(secret, is_key=True))
        with pytest.raises(DBAPIError, match="row-level security"):
            session.execute(sa.text(again))


def test_an_account_of_residents_that_is_shut_out(own_town: Town) -> None:
    code = put_up(own_town)
    rows(own_town, "UPDATE accounts SET disabled_at = now() "
         "WHERE role = 'resident' RETURNING id")  # fmt: skip
    assert send(own_town, code).status_code == 404


def test_a_place_outside_the_county(own_town: Town) -> None:
    code = put_up(own_town)
    answer = send(own_town, code, lon=100.0, lat=30.0, accuracy_m=10)
    # Nowhere at all: kept for a person to look at. In another county: refused, in one's own words.
    assert answer.status_code in {201, 403}
    assert rows(own_town, "SELECT id FROM incidents WHERE review IS NULL") == []


@pytest.mark.parametrize(
    ("fields", "names"),
    [
        ({"text": ""}, "text"), ({"text": "   "}, "text"), ({"text": "x" * 2001}, "text"),
        ({"category": "nothing"}, "category"), ({"lon": 117.0}, ""),
        ({"lon": 117.0, "lat": 45.0}, ""), ({"lon": 200, "lat": 45, "accuracy_m": 5}, "lon"),
        ({"accuracy_m": 5}, ""), ({"id": "1"}, "id"),
        ({"reporter": {"phone": "12"}}, "phone"), ({"severity": "major"}, "severity"),
        ({"text": "a\x00b"}, "text"),
    ],
)  # fmt: skip
def test_what_cannot_be_taken_is_named(own_town: Town, fields: dict[str, Any], names: str) -> None:
    code = put_up(own_town)
    answer = problem(send(own_town, code, **fields))
    assert any(names in (each["field"] or "") for each in answer["problems"]), answer
    assert rows(own_town, "SELECT id FROM incidents") == []


@pytest.mark.parametrize(
    ("fields", "names"),
    [
        ({"place_name": ""}, "place_name"), ({"place_name": " "}, "place_name"),
        ({"place_name": "x" * 101}, "place_name"), ({"lat": 91}, "lat"),
        ({"lon": 10.0, "lat": 50.0}, "lon"),
    ],
)  # fmt: skip
def test_a_sign_that_cannot_be(town: Town, fields: dict[str, Any], names: str) -> None:
    body = {"place_name": "x", "lon": 117.01, "lat": 45.01} | fields
    answer = problem(town.client.post("/api/v1/signs", json=body))
    assert any(names in (each["field"] or "") for each in answer["problems"])


def test_another_sites_page_may_not_send_for_a_visitor(own_town: Town) -> None:
    body = {"code": put_up(own_town)}
    for headers in ({"Sec-Fetch-Site": "cross-site"}, {"Origin": "https://elsewhere.example"}):
        answer = own_town.client.post("/api/v1/intake/sign", json=body, headers=NOBODY | headers)
        assert answer.status_code == 403


def test_a_flood_is_slowed_down(own_town: Town) -> None:
    code = put_up(own_town)
    answers = [send(own_town, code).status_code for _ in range(22)]
    assert answers == [201] * 20 + [429] * 2
    later = send(own_town, code)
    assert int(later.headers["Retry-After"]) > 60
    assert len(rows(own_town, "SELECT id FROM incidents")) == 20


def test_buckets_are_forgotten_when_they_are_full_again() -> None:
    limits = RateLimits(kept=100)
    for number in range(100):
        limits.take(number, 2, within_s=10, now=float(number))
    limits.take("one", 1, within_s=1_000_000, now=100.0)
    limits.take("more", 1, within_s=10, now=100.0)
    assert len(limits._left) <= 51
    with pytest.raises(TooMany):
        limits.take("one", 1, within_s=1_000_000, now=101.0)


def test_what_was_done_is_in_the_log(own_town: Town) -> None:
    code = put_up(own_town)
    number = send(own_town, code).json()["id"]
    own_town.client.delete(f"/api/v1/signs/{code}")
    found = {
        (each.action, each.object_id): each
        for each in rows(own_town, "SELECT * FROM audit_log WHERE action ~ '^(sign|incident)'")
    }
    assert found["sign.put_up", code].actor == "tester"
    assert found["sign.taken_down", code].actor == "tester"
    reported = found["incident.report", number]
    assert (reported.actor, reported.role) == (f"residents-{factories.COUNTY}", "resident")
    assert reported.origin == "testclient"


def test_a_community_puts_up_its_own(own_town: Town) -> None:
    mine, other = (as_role(own_town, "community", area) for area in factories.VILLAGES)
    lon, lat = factories.middle(0)
    body = {"place_name": "村口", "lon": lon, "lat": lat}
    assert own_town.client.post("/api/v1/signs", json=body, headers=other).status_code == 403
    made = own_town.client.post("/api/v1/signs", json=body, headers=mine).json()
    assert made["area_code"] == factories.VILLAGES[0]
    assert len(own_town.client.get("/api/v1/signs", headers=mine).json()["signs"]) == 1
    assert own_town.client.get("/api/v1/signs", headers=other).json()["signs"] == []
    path = f"/api/v1/signs/{made['code']}"
    assert own_town.client.delete(path, headers=other).status_code == 404


def test_a_poster_is_a_page_to_print(own_town: Town) -> None:
    code = put_up(own_town)
    answer = own_town.client.get(f"/api/v1/signs/{code}/poster.pdf")
    assert answer.headers["content-type"] == "application/pdf"
    assert answer.headers["content-disposition"] == f'inline; filename="wangge-sign-{code}.pdf"'
    assert answer.content.startswith(b"%PDF")
    assert len(answer.content) > 10_000


def test_the_page_may_ask_where_the_phone_is_and_no_other(town: Town) -> None:
    page = town.client.get("/q", headers=NOBODY)
    assert page.status_code == 200
    assert "geolocation=(self)" in page.headers["permissions-policy"]
    assert len(page.headers.get_list("permissions-policy")) == 1
    assert "geolocation=()" in town.client.get("/", headers=NOBODY).headers["permissions-policy"]
    assert "frame-ancestors 'none'" in page.headers["content-security-policy"]
