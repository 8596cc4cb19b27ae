"""Addresses over HTTP: found, told of a point, decided; and what of it is entered in the log."""

from __future__ import annotations

import uuid
from typing import TYPE_CHECKING, Any

import pytest
import sqlalchemy as sa

from grids.addresses import review
from grids.addresses.search import search
from tests import factories
from tests.grids.addresses import town as place

if TYPE_CHECKING:
    from tests.api.conftest import Town

API = "/api/v1/addresses"
TEXT = "人名路11号老裴家"


@pytest.fixture
def filled(own_town: Town) -> Town:
    with own_town.database.transaction() as session:
        place.build(session, with_units=False)
    return own_town


def keep(town: Town, text: str = TEXT) -> int:
    with town.database.transaction() as session:
        found = search(session, text)
        return review.enqueue(
            session, text, found, county_code=factories.COUNTY, actor="caller"
        ).id  # fmt: skip


def entries(town: Town) -> list[Any]:
    with town.database.transaction() as session:
        sql = "SELECT * FROM audit_log WHERE object_kind LIKE 'address%' ORDER BY id"
        return list(session.execute(sa.text(sql)).all())


def test_an_address_is_found(filled: Town) -> None:
    asked = {"text": "示范旗示范镇人民路5号和平小区2栋3单元", "limit": 3}
    told = filled.client.post(f"{API}/search", json=asked).json()
    assert told["confident"]
    assert told["units"] == [factories.TOWNSHIP]
    assert [(each["kind"], each["value"]) for each in told["understood"]] == [
        ("division", "示范旗"), ("division", "示范镇"), ("street", "人民路"), ("number", "5"),
        ("estate", "和平小区"), ("building", "2"), ("unit", "3"),
    ]  # fmt: skip
    best = told["candidates"][0]
    assert (best["method"], best["label"]) == ("building", "示范旗示范镇人民路5号和平小区2栋")
    assert best["ignored"] == ["3单元"]
    # Names of streets are nobody's: nothing is entered.
    assert entries(filled) == []


def test_a_point_is_told(filled: Town) -> None:
    told = filled.client.get(f"{API}/reverse", params={"lon": 117.001, "lat": 45.01}).json()
    assert (told["method"], told["name"]) == ("address", "示范旗示范镇人民路1号")
    assert told["distance_m"] == 0
    assert told["divisions"][-1]["code"] == place.WEST_VILLAGE


def test_a_review_is_decided_and_remembered(filled: Town) -> None:
    number = keep(filled)
    (item,) = filled.client.get(f"{API}/reviews").json()["items"]
    assert (item["id"], item["text"], item["outcome"]) == (number, TEXT, None)
    done = filled.client.post(f"{API}/reviews/{number}", json={"candidate": 0})
    assert done.status_code == 200
    assert done.json()["outcome"] == "candidate"
    assert done.json()["lon"] == item["candidates"][0]["lon"]
    again = filled.client.post(f"{API}/reviews/{number}", json={})
    assert again.status_code == 409
    told = filled.client.post(f"{API}/search", json={"text": TEXT}).json()
    assert told["confident"]
    assert told["candidates"][0]["method"] == "exact"
    log = entries(filled)
    assert [(each.action, each.object_kind) for each in log] == [
        ("search", "address_review"), ("address.decide", "address_review"), ("search", "address"),
    ]  # fmt: skip
    assert {each.county_code for each in log} == {factories.COUNTY}
    assert set(log[0].fields.split(",")) == {"text", "candidates"}
    assert not [each for each in log if "老裴" in str(each)]


def test_what_was_said_is_listed_and_ended(filled: Town) -> None:
    filled.client.post(f"{API}/reviews/{keep(filled)}", json={"candidate": 0})
    told = filled.client.get(f"{API}/aliases").json()
    (said,) = told["items"]
    assert (said["text"], said["unit_code"], said["ended_at"], told["next"]) == (
        TEXT, None, None, None,
    )  # fmt: skip
    other = headers(filled, "community", place.EAST_VILLAGE)
    assert filled.client.get(f"{API}/aliases", headers=other).json()["items"] == []
    one = f"{API}/aliases/{said['id']}"
    assert filled.client.delete(one, headers=other).status_code == 404
    done = filled.client.delete(one)
    assert done.status_code == 200
    assert done.json()["ended_by"]
    assert filled.client.delete(one).status_code == 409
    assert filled.client.get(f"{API}/aliases").json()["items"] == []
    (kept,) = filled.client.get(f"{API}/aliases", params={"with_ended": True}).json()["items"]
    assert (kept["author"], kept["ended_by"]) == (said["author"], done.json()["ended_by"])
    asked = filled.client.post(f"{API}/search", json={"text": TEXT}).json()
    assert not asked["confident"]
    log = [(each.action, each.object_kind) for each in entries(filled)]
    assert log.count(("address.alias_end", "address_alias")) == 1
    assert log.count(("search", "address_alias")) == 4
    assert not [each for each in entries(filled) if "老裴" in str(each)]


def test_two_villages_may_mean_two_places_by_the_same_words(filled: Town) -> None:
    """Neither sees what the other said, and neither is kept from saying it."""
    for area, lon in ((place.WEST_VILLAGE, 117.03), (place.EAST_VILLAGE, 117.06)):
        with filled.database.transaction() as session:
            number = review.enqueue(
                session, "小区门口", [], county_code=factories.COUNTY, actor="caller",
                area_code=area,
            ).id  # fmt: skip
        by = headers(filled, "community", area)
        body = {"lon": lon, "lat": 45.01}
        done = filled.client.post(f"{API}/reviews/{number}", json=body, headers=by)
        assert done.status_code == 200
        told = filled.client.post(f"{API}/search", json={"text": "小区门口"}, headers=by).json()
        assert [each["lon"] for each in told["candidates"]] == [lon]
        assert told["confident"]
    # Who sees both is asked.
    told = filled.client.post(f"{API}/search", json={"text": "小区门口"}).json()
    assert len(told["candidates"]) == 2
    assert not told["confident"]


def test_reviews_of_another_village_are_not_there(filled: Town) -> None:
    number = keep(filled)
    with filled.database.transaction() as session:
        made = factories.account(session, "community", place.EAST_VILLAGE)
        headers = {"Authorization": f"Bearer {factories.key(session, made)}"}
    assert filled.client.get(f"{API}/reviews", headers=headers).json() == {
        "items": [], "count": 0, "next": None,
    }  # fmt: skip
    answer = filled.client.post(f"{API}/reviews/{number}", json={}, headers=headers)
    assert answer.status_code == 404
    told = filled.client.post(f"{API}/search", json={"text": "人民路3号"}, headers=headers).json()
    assert [each["label"] for each in told["candidates"]] == ["人民路"]


def headers(town: Town, role: str, area: str, person: uuid.UUID | None = None) -> dict[str, str]:
    with town.database.transaction() as session:
        secret = factories.key(session, factories.account(session, role, area, person=person))
    return {"Authorization": f"Bearer {secret}"}


def incident(address: str) -> dict[str, Any]:
    return {"id": str(uuid.uuid4()), "category": "neighbour", "address": address}


@pytest.mark.parametrize("role", ["integrator", "resident"])
def test_an_incident_by_its_address_waits_and_is_placed(filled: Town, role: str) -> None:
    reporter = headers(filled, role, factories.COUNTY)
    sent = incident("示范镇市场21区通道")
    made = filled.client.post("/api/v1/incidents", json=sent, headers=reporter)
    assert made.status_code == 201, made.text
    told = made.json()
    assert (told["review"], told["placed"], told["lon"]) == ("no_place", None, None)
    assert told["address"] == sent["address"]
    # A retry asks nothing again.
    assert filled.client.post("/api/v1/incidents", json=sent, headers=reporter).status_code == 200
    (item,) = filled.client.get(f"{API}/reviews").json()["items"]
    assert (item["incident_id"], item["area_code"]) == (sent["id"], factories.TOWNSHIP)
    choice = {"lon": 117.03, "lat": 45.005, "label": "市场通道"}
    clerk = headers(filled, "township", factories.TOWNSHIP)
    done = filled.client.post(f"{API}/reviews/{item['id']}", json=choice, headers=clerk)
    assert done.status_code == 200, done.text
    told = filled.client.get(f"/api/v1/incidents/{sent['id']}", headers=reporter).json()
    assert (told["review"], told["lon"], told["lat"]) == (None, 117.03, 45.005)
    assert told["placed"] == {"method": "map", "accuracy_m": 30.0, "score": None}
    assert [each["kind"] for each in told["events"]] == ["reported", "relocated"]
    assert told["events"][1]["actor"].startswith("township")


def test_others_that_ask_the_same_wait_until_somebody_says_so(filled: Town) -> None:
    reporter = headers(filled, "integrator", factories.COUNTY)
    # Spaced otherwise it is the same; in another village, or of another door, it is not.
    texts = (
        "示范镇市场21区通道",
        "示范镇 市场21区，通道",
        "示范镇市场２１区通道",
        "示范镇市场22区通道",
    )
    sent = [incident(text) for text in texts]
    for each in sent:
        made = filled.client.post("/api/v1/incidents", json=each, headers=reporter)
        assert made.json()["review"] == "no_place", made.text
    one, two, three, other = filled.client.get(f"{API}/reviews").json()["items"]
    clerk = headers(filled, "township", factories.TOWNSHIP)
    choice = {"lon": 117.03, "lat": 45.005}
    shown = [filled.client.get(f"{API}/reviews/{each['id']}").json() for each in (one, other)]
    assert [each["same_waiting"] for each in shown] == [2, 0]
    done = filled.client.post(f"{API}/reviews/{one['id']}", json=choice, headers=clerk).json()
    assert (done["same_settled"], done["same_waiting"]) == (0, 2)
    done = filled.client.post(
        f"{API}/reviews/{two['id']}", json=choice | {"apply_to_same": True}, headers=clerk
    ).json()
    assert (done["same_settled"], done["same_waiting"]) == (1, 0)
    (left,) = filled.client.get(f"{API}/reviews").json()["items"]
    assert left["id"] == other["id"]
    told = filled.client.get(f"/api/v1/incidents/{sent[2]['id']}", headers=reporter).json()
    assert (told["lon"], told["lat"]) == (117.03, 45.005)
    assert told["events"][1]["actor"].startswith("township")
    decided = [each for each in entries(filled) if each.action == "address.decide"]
    assert [int(each.object_id) for each in decided] == [one["id"], two["id"], three["id"]]
    assert len({each.actor for each in decided}) == 1
    # Three decisions by one person, and one word on the text.
    said = filled.client.get(f"{API}/aliases", params={"with_ended": True}).json()["items"]
    assert [each["text"] for each in said] == [texts[0]]


def test_an_incident_by_its_address_is_placed_at_once(filled: Town) -> None:
    reporter = headers(filled, "integrator", factories.COUNTY)
    made = filled.client.post("/api/v1/incidents", json=incident("人民路3号"), headers=reporter)
    told = made.json()
    assert told["placed"] == {"method": "address", "accuracy_m": 20.0, "score": 1.0}
    assert told["grid"]["code"] == factories.grid_code(0)
    assert filled.client.get(f"{API}/reviews").json()["count"] == 0


def test_a_place_in_another_area_is_refused_and_changes_nothing(filled: Town) -> None:
    reporter = headers(filled, "integrator", place.EAST_VILLAGE)
    sent = incident("天上人间")
    assert filled.client.post("/api/v1/incidents", json=sent, headers=reporter).status_code == 201
    clerk = headers(filled, "community", place.EAST_VILLAGE)
    (item,) = filled.client.get(f"{API}/reviews", headers=clerk).json()["items"]
    path = f"{API}/reviews/{item['id']}"
    west, east = {"lon": 117.03, "lat": 45.005}, {"lon": 117.05, "lat": 45.005}
    assert filled.client.post(path, json=west, headers=clerk).status_code == 403
    assert filled.client.get(path, headers=clerk).json()["review"]["outcome"] is None
    assert filled.client.post(path, json=east, headers=clerk).status_code == 200
    # What was said of a case is not shown to a worker whose case it is not.
    sent = incident("别处")
    assert filled.client.post("/api/v1/incidents", json=sent, headers=reporter).status_code == 201
    person = filled.county.workers[factories.grid_code(2)]
    worker = headers(filled, "grid_worker", place.EAST_VILLAGE, person)
    assert filled.client.get(f"{API}/reviews", headers=worker).json()["count"] == 0
    (item,) = filled.client.get(f"{API}/reviews", headers=clerk).json()["items"]
    path = f"{API}/reviews/{item['id']}"
    assert filled.client.get(path, headers=worker).status_code == 404
    assert filled.client.post(path, json=east, headers=worker).status_code == 404


def test_a_review_shows_its_candidates_on_the_map(filled: Town) -> None:
    number = keep(filled)
    told = filled.client.get(f"{API}/reviews/{number}").json()
    assert told["review"]["text"] == TEXT
    assert told["candidates"]["type"] == "FeatureCollection"
    kept = told["review"]["candidates"]
    assert len(kept) > 1
    for feature, one in zip(told["candidates"]["features"], kept, strict=True):
        assert feature["geometry"] == {"type": "Point", "coordinates": [one["lon"], one["lat"]]}
        assert feature["properties"]["label"] == one["label"]
    assert [f["id"] for f in told["candidates"]["features"]] == list(range(len(kept)))
    assert entries(filled)[-1].action == "read"
    assert filled.client.get(f"{API}/reviews/999999").status_code == 404


def test_the_queue_page_by_page(filled: Town) -> None:
    numbers = [keep(filled, f"{TEXT}{n}") for n in range(3)]
    first = filled.client.get(f"{API}/reviews", params={"limit": 2}).json()
    assert ([each["id"] for each in first["items"]], first["count"]) == (numbers[:2], 3)
    rest = filled.client.get(f"{API}/reviews", params={"limit": 2, "after": first["next"]}).json()
    assert ([each["id"] for each in rest["items"]], rest["next"]) == (numbers[2:], None)


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("/search", {}),
        ("/search", {"text": ""}),
        ("/search", {"text": "x" * 201}),
        ("/search", {"text": "x", "limit": 0}),
        ("/search", {"text": "x", "near": {"lon": 400, "lat": 45}}),
        ("/search", {"text": "x", "near": {"lon": 117, "lat": 45, "within_m": 0}}),
        ("/reviews/1", {"lon": 117}),
        ("/reviews/1", {"candidate": 0, "lon": 117, "lat": 45}),
        ("/reviews/0", {}),
    ],
)
def test_what_cannot_be_asked(town: Town, path: str, body: dict[str, Any]) -> None:
    assert town.client.post(f"{API}{path}", json=body).status_code == 422


def test_what_is_no_point(town: Town) -> None:
    for query in ({"lon": 400, "lat": 45}, {"lon": "nan", "lat": 45}, {"lon": 117}):
        assert town.client.get(f"{API}/reverse", params=query).status_code == 422
