"""A person is told who looked at their tracks, patrols, phone or id number, and nobody else is."""

from __future__ import annotations

import uuid
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest
import sqlalchemy as sa

from gis import audit
from gis.secrets import Keyring
from grids.people import personal
from grids.people.models import Person
from tests import factories
from tests.api.patrols import NOW, entries, headers, patrol, route, worker

if TYPE_CHECKING:
    from tests.api.conftest import Town

TRACKS, LOOKS = "/api/v1/me/tracks", "/api/v1/me/looks"
# At zoom 10: the tile over the county, and one in the south of China.
HERE, EMPTY = "10/844/368", "10/830/440"
REASON = "call back on order 7"


def looks(town: Town, who: dict[str, str], **asked: Any) -> list[dict[str, Any]]:
    answer = town.client.get(LOOKS, headers=who, params=asked)
    assert answer.status_code == 200, answer.text
    found: list[dict[str, Any]] = answer.json()["items"]
    return found


def test_nobody_looked(town: Town) -> None:
    assert town.client.get(LOOKS, headers={"Authorization": ""}).status_code == 401
    for role, person in (("grid_worker", worker(town, 3)), ("all", None)):
        answer = town.client.get(LOOKS, headers=headers(town, role, person=person))
        assert answer.json() == {"items": [], "next": None}


@pytest.fixture
def known(own_town: Town) -> uuid.UUID:
    """A worker with a phone and an id number."""
    keyring = Keyring.open(own_town.database.settings.secrets_path)
    me = worker(own_town, 0)
    with own_town.database.transaction() as session:
        who = session.get_one(Person, me)
        personal.keep(session, who, "phone", "13800138000", keyring=keyring, actor="test")
        personal.keep(
            session, who, "id_number", "11010519491231002X", keyring=keyring, actor="test"
        )
    return me


def test_a_reveal_is_told_with_who_and_why(own_town: Town, known: uuid.UUID) -> None:
    by = headers(own_town, "dispatcher")
    answer = own_town.client.post(
        f"/api/v1/people/{known}/reveal",
        headers=by,
        json={"field": "id_number", "reason": REASON},
    )
    assert answer.status_code == 200
    page = own_town.client.get(LOOKS, headers=headers(own_town, "grid_worker", person=known))
    assert page.headers["cache-control"] == "no-store"
    (look,) = page.json()["items"]
    assert (look["role"], look["name"]) == ("dispatcher", f"dispatcher {factories.COUNTY}")
    assert (look["action"], look["object_kind"]) == ("person.reveal", "person")
    assert (look["fields"], look["purpose"]) == (["id_number"], REASON)
    assert datetime.fromisoformat(look["at"]).tzinfo is not None
    assert set(look) == {
        "id", "at", "role", "name", "action", "object_kind", "fields", "purpose",
    }  # fmt: skip
    assert "testclient" not in page.text
    # Words that were erased are gone for the worker, too.
    with own_town.database.transaction() as session:
        session.execute(sa.text("DELETE FROM audit_purposes"))
    (look,) = looks(own_town, headers(own_town, "grid_worker", person=known))
    assert look["purpose"] == "(erased)"


def test_nobody_is_told_of_looks_at_others(own_town: Town, known: uuid.UUID) -> None:
    by = headers(own_town, "dispatcher")
    own_town.client.post(
        f"/api/v1/people/{known}/reveal", headers=by, json={"field": "phone", "reason": REASON}
    )
    assert looks(own_town, headers(own_town, "grid_worker", person=worker(own_town, 1))) == []
    assert looks(own_town, headers(own_town, "audit_admin")) == []
    assert looks(own_town, by) == []


def test_ones_own_looks_are_left_out(own_town: Town, known: uuid.UUID) -> None:
    patrol(own_town, known, NOW - timedelta(days=1))
    me = headers(own_town, "dispatcher", person=known)
    own_town.client.post(
        f"/api/v1/people/{known}/reveal", headers=me, json={"field": "phone", "reason": REASON}
    )
    me = headers(own_town, "grid_worker", person=known)
    own_town.client.get(TRACKS, headers=me)
    assert entries(own_town, "action = 'person.reveal'")
    assert entries(own_town, "object_kind = 'patrol' AND action = 'read'")
    assert looks(own_town, me) == []


def test_being_found_by_phone_or_listed_is_a_look(own_town: Town, known: uuid.UUID) -> None:
    by = headers(own_town, "patrol_leader")
    for body in (
        {"phone": "13800138000"}, {"phone": "13900139000"}, {"name": "员1"}, {"name": "员2"},
    ):  # fmt: skip
        answer = own_town.client.post("/api/v1/people/search", headers=by, json=body)
        assert answer.status_code == 200
    found = looks(own_town, headers(own_town, "grid_worker", person=known))
    assert [(each["action"], each["fields"]) for each in found] == [
        ("search", ["name", "phone_last4"]),
        ("search", ["name", "phone"]),
    ]


def test_who_answers_for_a_grid_is_no_look(own_town: Town, known: uuid.UUID) -> None:
    lon, lat = factories.middle(0)
    answer = own_town.client.get(
        "/api/v1/locate", params={"lon": lon, "lat": lat}, headers=headers(own_town, "dispatcher")
    )
    assert str(known) in answer.text
    assert looks(own_town, headers(own_town, "grid_worker", person=known)) == []


def tile(town: Town, by: dict[str, str], address: str = HERE, **asked: str) -> None:
    answer = town.client.get(f"/tiles/routes/{address}", headers=by, params=asked)
    assert answer.status_code in {200, 204}


def test_a_tile_of_routes_is_a_look_at_whoever_walked_them(own_town: Town) -> None:
    mine, other = route(own_town, 0), route(own_town, 1)
    patrol(own_town, worker(own_town, 0), NOW - timedelta(days=2), route_id=mine)
    patrol(own_town, worker(own_town, 1), NOW - timedelta(days=2), route_id=other)
    patrol(own_town, worker(own_town, 2), NOW - timedelta(days=2))
    tile(own_town, headers(own_town, "patrol_leader"))
    for place, number in ((0, 1), (1, 1), (2, 0), (3, 0)):
        who = headers(own_town, "grid_worker", person=worker(own_town, place))
        found = looks(own_town, who)
        assert len(found) == number, place
        for look in found:
            assert (look["role"], look["object_kind"]) == ("patrol_leader", "tile")
            assert "last_patrol" in look["fields"]


def test_a_tile_elsewhere_or_of_another_area_or_time_is_none(own_town: Town) -> None:
    mine = route(own_town, 0)
    patrol(own_town, worker(own_town, 0), NOW - timedelta(days=2), route_id=mine)
    who = headers(own_town, "grid_worker", person=worker(own_town, 0))
    leader = headers(own_town, "patrol_leader")
    tile(own_town, leader, EMPTY)
    # Of the day before that patrol nobody was shown it.
    tile(own_town, leader, at=(NOW - timedelta(days=3)).isoformat())
    # A tile of the county with another route in it, three kilometres east.
    route(own_town, 2)
    tile(own_town, leader, "14/13519/5893")
    # The leader of the next village is shown the route there, and not this one.
    tile(own_town, headers(own_town, "patrol_leader", factories.VILLAGES[1]))
    assert [each.count for each in entries(own_town, "object_kind = 'tile'")] == [0, 1, 1, 1]
    assert looks(own_town, who) == []
    tile(own_town, leader)
    assert len(looks(own_town, who)) == 1


def test_long_ago_only_the_last_walk_is_looked_at(own_town: Town) -> None:
    mine = route(own_town, 0)
    patrol(own_town, worker(own_town, 0), NOW - timedelta(days=50), route_id=mine)
    patrol(own_town, worker(own_town, 1), NOW - timedelta(days=45), route_id=mine)
    tile(own_town, headers(own_town, "patrol_leader"))
    told = [
        len(looks(own_town, headers(own_town, "grid_worker", person=worker(own_town, place))))
        for place in (0, 1)
    ]
    assert told == [0, 1]


def test_a_reading_of_tracks_names_its_patrols(own_town: Town) -> None:
    """A list that names them is a look at each; one too long to name them, at all of the county."""
    me = worker(own_town, 0)
    number = patrol(own_town, me, NOW - timedelta(days=1))
    other = patrol(own_town, worker(own_town, 1), NOW - timedelta(days=1))
    who = headers(own_town, "grid_worker", person=me)

    def read(numbers: list[int]) -> int:
        before = len(looks(own_town, who))
        with own_town.database.transaction() as session:
            audit.read(
                session, object_kind="patrol", fields=("place",),
                seen=[(each, factories.COUNTY) for each in numbers],
            )  # fmt: skip
        return len(looks(own_town, who)) - before

    assert read([number]) == 1
    assert read([other]) == 0
    assert read([other, number]) == 1
    assert read([other, other + 100]) == 0
    assert read(list(range(number + 1000, number + 1101))) == 1
    assert looks(own_town, who)[0]["role"] == "owner"


def test_looks_are_paged_and_entered(own_town: Town, known: uuid.UUID) -> None:
    by = headers(own_town, "dispatcher")
    for _ in range(5):
        own_town.client.post(
            f"/api/v1/people/{known}/reveal",
            headers=by,
            json={"field": "phone", "reason": REASON},
        )
    who = headers(own_town, "grid_worker", person=known)
    got: list[int] = []
    cursor: int | None = None
    while True:
        asked = {"limit": 2} | ({"cursor": cursor} if cursor else {})
        page = own_town.client.get(LOOKS, headers=who, params=asked).json()
        got += [each["id"] for each in page["items"]]
        cursor = page["next"]
        if cursor is None:
            break
    assert got == sorted(set(got), reverse=True)
    assert len(got) == 5
    reads = entries(own_town, "object_kind = 'audit' AND role = 'grid_worker'")
    assert [each.count for each in reads] == [2, 2, 1]
    assert all(each.detail["own"] is True for each in reads)


@pytest.mark.parametrize("asked", [{"limit": 0}, {"cursor": 0}, {"cursor": "x"}])
def test_what_cannot_be_asked_of_looks(town: Town, asked: dict[str, Any]) -> None:
    who = headers(town, "grid_worker", person=worker(town, 0))
    assert town.client.get(LOOKS, headers=who, params=asked).status_code == 422


def test_the_question_reads_the_looks_alone(own_town: Town) -> None:
    """Not the whole log, most of which is about something else."""
    with own_town.database.transaction() as session:
        for number in range(3000):
            audit.read(session, object_kind="incident", fields=("place",),
                       seen=[(number, factories.COUNTY)])  # fmt: skip
    with own_town.database.transaction() as session:
        session.execute(sa.text("ANALYZE audit_log"))
        plan = "\n".join(
            session.scalars(
                sa.text(
                    "EXPLAIN SELECT * FROM audit_log AS e WHERE wangge_audit_is_look("
                    "e.object_kind, e.object_id, e.fields, e.action) ORDER BY e.id DESC LIMIT 100"
                )
            )
        )
    assert "audit_log_looks" in plan
