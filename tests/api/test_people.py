"""People over HTTP, and what is shown of them for a reason."""

from __future__ import annotations

import uuid
from typing import TYPE_CHECKING, Any

import pytest
import sqlalchemy as sa

from data import rotation
from gis.secrets import Keyring
from grids.people import personal
from grids.people.models import Person
from tests import factories

if TYPE_CHECKING:
    from tests.api.conftest import Town

PHONE = "138 0013 8000"
ID_NUMBER = "11010519491231002X"  # the standard's own example


@pytest.fixture
def keyring(town: Town) -> Keyring:
    return Keyring.open(town.database.settings.secrets_path)


@pytest.fixture
def person(town: Town, keyring: Keyring) -> uuid.UUID:
    """A worker of the first grid, with a phone and an id number."""
    chosen = town.county.workers[factories.grid_code(0)]
    with town.database.transaction() as session:
        who = session.get_one(Person, chosen)
        personal.keep(session, who, "phone", PHONE, keyring=keyring, actor="test")
        personal.keep(session, who, "id_number", ID_NUMBER, keyring=keyring, actor="test")
    return chosen


def audited(town: Town, action: str) -> list[Any]:
    with town.database.transaction() as session:
        return list(
            session.execute(
                sa.text(
                    "SELECT actor, object_id, detail, purpose, words FROM audit_log "
                    "LEFT JOIN audit_purposes ON commitment = purpose WHERE action = :a ORDER BY id"
                ),
                {"a": action},
            )
        )


def search(town: Town, **body: Any) -> Any:
    return town.client.post("/api/v1/people/search", json=body)


def test_nothing_is_stored_in_plain_text(town: Town, person: uuid.UUID) -> None:
    with town.database.transaction() as session:
        row = session.execute(
            sa.text("SELECT p::text AS whole, p.phone_last4 FROM persons AS p WHERE id = :id"),
            {"id": person},
        ).one()
    assert row.phone_last4 == "8000"
    assert "13800138000" not in row.whole
    assert b"13800138000".hex() not in row.whole
    assert "194912310" not in row.whole


def test_pages_by_name_lose_nobody(town: Town) -> None:
    whole = town.client.get("/api/v1/people").json()
    assert [each["name"] for each in whole["items"]] == [f"网格员{n}" for n in range(1, 5)]
    assert whole["next"] is None
    seen, following = [], {}
    while True:
        page = town.client.get("/api/v1/people", params={"limit": 1, **following}).json()
        seen += [each["id"] for each in page["items"]]
        if page["next"] is None:
            break
        following = {"cursor": page["next"]}
    assert seen == [each["id"] for each in whole["items"]]


def test_part_of_the_name_is_text_not_a_pattern(town: Town) -> None:
    def names(part: str) -> list[str]:
        found = search(town, name=part).json()
        return [each["name"] for each in found["items"]]

    assert names("员3") == ["网格员3"]
    assert names("%") == names("_") == names("' OR true --") == []


@pytest.mark.parametrize("written", [PHONE, "13800138000", "+86 138-0013-8000"])
def test_found_by_the_whole_phone_only(town: Town, person: uuid.UUID, written: str) -> None:
    found = search(town, phone=written).json()["items"]
    assert [each["id"] for each in found] == [str(person)]
    assert found[0]["phone_last4"] == "8000"
    assert "13800138000" not in str(found)
    assert search(town, phone="0013 8000").json()["items"] == []


def test_found_by_the_id_number(town: Town, person: uuid.UUID) -> None:
    found = search(town, id_number=ID_NUMBER.lower()).json()["items"]
    assert [each["id"] for each in found] == [str(person)]
    assert ID_NUMBER not in str(found)


@pytest.mark.parametrize(
    "body", [{}, {"name": ""}, {"name": "a", "phone": "1"}, {"id_number": "1"}, {"limit": 0}]
)
def test_one_thing_is_looked_for(town: Town, body: dict[str, Any]) -> None:
    assert search(town, **body).status_code == 422


def test_keys_that_are_changed_meanwhile_are_read_anew(town: Town, person: uuid.UUID) -> None:
    assert len(search(town, phone=PHONE).json()["items"]) == 1
    path = town.database.settings.secrets_path
    rotation.rotate(town.database, path, actor="test", drop_old=True)
    assert len(search(town, phone=PHONE).json()["items"]) == 1


def test_names_and_phones_are_not_taken_from_an_address(town: Town) -> None:
    for asked in ({"phone": PHONE}, {"q": "员3"}, {"name": "员3"}, {"id_number": ID_NUMBER}):
        assert town.client.get("/api/v1/people", params=asked).status_code == 422


@pytest.mark.parametrize("cursor", ["x", str(uuid.UUID(int=7)), "' --"])
def test_cursor_of_somebody_else(town: Town, cursor: str) -> None:
    assert town.client.get("/api/v1/people", params={"cursor": cursor}).status_code == 422


def test_reveal_is_logged_with_its_reason(town: Town, person: uuid.UUID) -> None:
    answer = town.client.post(
        f"/api/v1/people/{person}/reveal",
        json={"field": "phone", "reason": "call back on order 7"},
    )
    assert answer.json() == {"value": "13800138000"}
    assert answer.headers["cache-control"] == "no-store"
    last = audited(town, "person.reveal")[-1]
    assert (last.actor, last.object_id) == ("tester", str(person))
    assert last.words == "call back on order 7"
    assert last.purpose.startswith("sha256:")
    assert "13800138000" not in str(last)


def test_reveal_asks_for_a_reason(town: Town, person: uuid.UUID) -> None:
    before = len(audited(town, "person.reveal"))
    for reason in ("", "x", "       .      "):
        answer = town.client.post(
            f"/api/v1/people/{person}/reveal", json={"field": "id_number", "reason": reason}
        )
        assert answer.status_code == 422
        assert ID_NUMBER not in answer.text
    assert len(audited(town, "person.reveal")) == before


def test_reveal_of_nobody_and_of_nothing(town: Town) -> None:
    asked = {"field": "phone", "reason": "call back on order 7"}
    unknown = town.client.post(f"/api/v1/people/{uuid.uuid4()}/reveal", json=asked)
    assert unknown.status_code == 404
    other = town.county.workers[factories.grid_code(3)]
    assert town.client.post(f"/api/v1/people/{other}/reveal", json=asked).json() == {"value": None}


@pytest.mark.parametrize(
    ("field", "text"),
    [
        ("phone", "123"), ("phone", "call me"), ("phone", "1" * 16), ("id_number", "1"),
        ("id_number", "110105194912310021"), ("id_number", "11010519491231002Y"),
    ],
)  # fmt: skip
def test_what_is_no_number_is_refused_and_not_repeated(field: personal.Field, text: str) -> None:
    with pytest.raises(personal.BadInput) as refused:
        personal.NORMAL[field](text)
    assert text not in str(refused.value) or text == "1"


def report(town: Town, **reporter: str | None) -> Any:
    lon, lat = factories.middle(1)
    return town.client.post(
        "/api/v1/incidents",
        json={
            "id": str(uuid.uuid4()), "category": "other", "lon": lon, "lat": lat,
            "reporter": reporter,
        },
    )  # fmt: skip


def test_reporter_is_kept_apart_and_shown_for_a_reason(town: Town) -> None:
    made = report(town, name="王 小明", phone="0471-6912345")
    assert made.status_code == 201, made.text
    told = made.json()
    assert told["reporter_phone_last4"] == "2345"
    assert "小明" not in made.text
    with town.database.transaction() as session:
        stored = session.execute(
            sa.text("SELECT r::text, i::text FROM reporters AS r JOIN incidents AS i ON i.id = "
                    "r.incident_id WHERE i.id = :id"), {"id": told["id"]},
        ).one()  # fmt: skip
    assert "小明" not in str(stored)
    assert "6912345" not in str(stored)
    address = f"/api/v1/incidents/{told['id']}/reporter/reveal"
    shown = town.client.post(address, json={"reason": "ask where exactly it is"})
    assert shown.json() == {"name": "王 小明", "phone": "04716912345"}
    assert audited(town, "reporter.reveal")[-1].object_id == told["id"]


def test_reporter_who_said_nothing_is_not_kept(town: Town) -> None:
    told = report(town, name="  ", phone=None).json()
    assert told["reporter_phone_last4"] is None
    address = f"/api/v1/incidents/{told['id']}/reporter/reveal"
    assert town.client.post(address, json={"reason": "ask where it is"}).status_code == 404


def test_report_with_a_wrong_phone_stores_nothing(town: Town) -> None:
    before = town.client.get("/api/v1/incidents").json()["count"]
    answer = report(town, name="王", phone="none")
    assert answer.status_code == 422
    assert answer.json()["problems"][0]["field"] == "phone"
    assert town.client.get("/api/v1/incidents").json()["count"] == before


def test_value_moved_to_another_person_is_noticed(town: Town, person: uuid.UUID) -> None:
    other = town.county.workers[factories.grid_code(2)]
    with town.database.transaction() as session:
        session.execute(
            sa.text("UPDATE persons SET phone = (SELECT phone FROM persons WHERE id = :a), "
                    "phone_hash = 'x', phone_last4 = '8000' WHERE id = :b"),
            {"a": person, "b": other},
        )  # fmt: skip
    answer = town.client.post(
        f"/api/v1/people/{other}/reveal", json={"field": "phone", "reason": "call back on order 7"}
    )
    assert answer.status_code == 503
    assert "moved" in answer.json()["detail"]
