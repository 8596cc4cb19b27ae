"""Addresses over HTTP: found, told of a point, decided; and what of it is entered in the log."""

from __future__ import annotations

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


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("/search", {}),
        ("/search", {"text": ""}),
        ("/search", {"text": "x" * 201}),
        ("/search", {"text": "x", "limit": 0}),
        ("/search", {"text": "x", "near": {"lon": 400, "lat": 45}}),
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
