"""A worker's own tracks: kept on duty only, shown to nobody else, reduced after a month."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest
import sqlalchemy as sa

from boundaries.access import Credential, enter
from data import retention
from tests.api.patrols import NOW, fix, headers, patrol, worker

if TYPE_CHECKING:
    from tests.api.conftest import Town

TRACKS = "/api/v1/me/tracks"


# Only while on duty


@pytest.mark.parametrize("minutes", [-1, 61])
def test_a_fix_from_before_or_after_the_patrol_is_refused(own_town: Town, minutes: int) -> None:
    number = patrol(own_town, worker(own_town, 0), NOW - timedelta(days=1))
    with (
        pytest.raises(sa.exc.IntegrityError, match="not under way"),
        own_town.database.transaction() as session,
    ):
        fix(session, number, NOW - timedelta(days=1) + timedelta(minutes=minutes))


@pytest.mark.parametrize("state", ["planned", "cancelled"])
def test_a_fix_of_a_patrol_that_did_not_take_place_is_refused(own_town: Town, state: str) -> None:
    number = patrol(own_town, worker(own_town, 0), NOW - timedelta(days=1), fixes=0)
    with own_town.database.transaction() as session:
        session.execute(sa.text("UPDATE patrols SET state = :state"), {"state": state})
    with (
        pytest.raises(sa.exc.IntegrityError, match="not under way"),
        own_town.database.transaction() as session,
    ):
        fix(session, number, NOW - timedelta(days=1))


def test_a_fix_cannot_be_moved_out_of_its_patrol(own_town: Town) -> None:
    patrol(own_town, worker(own_town, 0), NOW - timedelta(days=1))
    with (
        pytest.raises(sa.exc.IntegrityError, match="not under way"),
        own_town.database.transaction() as session,
    ):
        session.execute(sa.text("UPDATE track_fixes SET fixed_at = fixed_at + interval '2 hours'"))


# One's own tracks


def test_tracks_ask_for_the_right_and_a_credential(town: Town) -> None:
    assert town.client.get(TRACKS, headers={"Authorization": ""}).status_code == 401
    for role in ("dispatcher", "patrol_leader", "audit_admin"):
        answer = town.client.get(TRACKS, headers=headers(town, role, person=worker(town, 0)))
        assert answer.status_code == 403, role


def test_no_patrols_are_an_empty_collection(town: Town) -> None:
    empty = {"type": "FeatureCollection", "features": [], "kept_days": 30, "next": None}
    for role, person in (("grid_worker", worker(town, 3)), ("all", None)):
        who = headers(town, role, person=person)
        assert town.client.get(TRACKS, headers=who).json() == empty


def test_a_track_has_places_times_and_accuracy(own_town: Town) -> None:
    started = NOW - timedelta(days=1)
    number = patrol(own_town, worker(own_town, 0), started)
    answer = own_town.client.get(
        TRACKS, headers=headers(own_town, "grid_worker", person=worker(own_town, 0))
    )
    assert answer.headers["cache-control"] == "no-store"
    (feature,) = answer.json()["features"]
    assert feature["type"] == "Feature"
    assert feature["geometry"] == {
        "type": "MultiPoint",
        "coordinates": [[117.0, 45.01], [117.001, 45.01], [117.002, 45.01]],
    }
    told = feature["properties"]
    times = [datetime.fromisoformat(each) for each in told["times"]]
    assert times == [started + timedelta(minutes=10 * step) for step in range(3)]
    assert all(each.tzinfo is not None for each in times)
    assert told["accuracy_m"] == [5.5, 5.5, 5.5]
    assert (told["patrol"], told["fixes"], told["reduced"]) == (number, 3, False)
    assert (told["team"], told["state"]) == ("一组", "done")


def test_only_ones_own_person(own_town: Town) -> None:
    """The colleague of the same area sees theirs, and neither sees the one of nobody."""
    numbers = {
        place: patrol(own_town, worker(own_town, place), NOW - timedelta(days=1))
        for place in (0, 1)
    }
    patrol(own_town, None, NOW - timedelta(days=1))
    for place, number in numbers.items():
        who = headers(own_town, "grid_worker", person=worker(own_town, place))
        features = own_town.client.get(TRACKS, headers=who).json()["features"]
        assert [each["properties"]["patrol"] for each in features] == [number]
        refused = own_town.client.get(TRACKS, headers=who, params={"cursor": numbers[1 - place]})
        assert refused.status_code == 422
        # And by no query of the service's: the database decides.
        secret = who["Authorization"].removeprefix("Bearer ")
        with own_town.database.service_transaction() as session:
            enter(session, Credential.of(secret, is_key=True))
            assert list(session.scalars(sa.text("SELECT id FROM patrols"))) == [number]
            seen = sa.text("SELECT DISTINCT patrol_id FROM track_fixes")
            assert list(session.scalars(seen)) == [number]


def test_whoever_sees_all_is_shown_their_own_here(own_town: Town) -> None:
    """Also where the role would see everybody's: this list is about oneself."""
    patrol(own_town, worker(own_town, 1), NOW - timedelta(days=1))
    mine = patrol(own_town, worker(own_town, 0), NOW - timedelta(days=1))
    who = headers(own_town, "all", "", person=worker(own_town, 0))
    features = own_town.client.get(TRACKS, headers=who).json()["features"]
    assert [each["properties"]["patrol"] for each in features] == [mine]


def test_reduced_tracks_say_so(own_town: Town) -> None:
    """Half of a patrol is older than thirty days, another one whole."""
    me, now = worker(own_town, 0), datetime.now(UTC)
    whole = patrol(own_town, me, now - timedelta(days=40))
    half = patrol(own_town, me, now - timedelta(days=30, minutes=15), fixes=4)
    retention.run(own_town.database, actor="test", commit=True)
    who = headers(own_town, "grid_worker", person=me)
    features = own_town.client.get(TRACKS, headers=who).json()["features"]
    told = [
        (each["properties"]["patrol"], each["properties"]["reduced"], each["properties"]["fixes"])
        for each in features
    ]
    assert told == [(half, True, 2), (half, False, 2), (whole, True, 3)]
    for each in features:
        reduced = each["properties"]["reduced"]
        assert (each["properties"]["times"] is None) == reduced
        assert (each["properties"]["accuracy_m"] is None) == reduced
        assert (each["properties"]["reduced_at"] is not None) == reduced
        exact = [117.002, 45.01] in each["geometry"]["coordinates"]
        assert exact == (not reduced)


def test_pages_lose_and_double_nothing(own_town: Town) -> None:
    me = worker(own_town, 0)
    wanted = [patrol(own_town, me, NOW - timedelta(days=day), fixes=1) for day in range(1, 6)]
    # Two that began at the same moment.
    wanted.insert(0, patrol(own_town, me, NOW - timedelta(days=1), fixes=0))
    who = headers(own_town, "grid_worker", person=me)
    got: list[int] = []
    cursor: str | None = None
    while True:
        asked = {"limit": 2} | ({"cursor": cursor} if cursor else {})
        page = own_town.client.get(TRACKS, headers=who, params=asked).json()
        got += [each["properties"]["patrol"] for each in page["features"]]
        cursor = page["next"]
        if cursor is None:
            break
    assert got == wanted


def test_a_span_takes_whole_patrols_that_went_on_in_it(own_town: Town) -> None:
    me = worker(own_town, 0)
    early, late = (patrol(own_town, me, NOW - timedelta(days=day)) for day in (3, 1))
    who = headers(own_town, "grid_worker", person=me)

    def asked(since: datetime | None, until: datetime | None) -> list[int]:
        span = {"start": since, "end": until}
        given = {name: at.isoformat() for name, at in span.items() if at is not None}
        page = own_town.client.get(TRACKS, headers=who, params=given)
        return [each["properties"]["patrol"] for each in page.json()["features"]]

    begin = NOW - timedelta(days=1)
    middle = begin + timedelta(minutes=5)
    assert asked(middle, middle + timedelta(minutes=1)) == [late]
    assert asked(None, begin) == [early]
    assert asked(begin + timedelta(minutes=61), None) == []
    assert asked(None, None) == [late, early]
    ever = (datetime(1, 1, 1, tzinfo=UTC), datetime(9999, 12, 31, tzinfo=UTC))
    assert asked(*ever) == [late, early]


@pytest.mark.parametrize(
    "asked",
    [
        {"limit": 0},
        {"cursor": "x"},
        {"cursor": "9" * 40},
        {"cursor": "٣"},
        {"start": "x"},
        {"start": "2026-02-01", "end": "2026-01-01"},
        {"from": "2026-02-01"},
    ],
)
def test_what_cannot_be_asked(town: Town, asked: dict[str, Any]) -> None:
    who = headers(town, "grid_worker", person=worker(town, 0))
    answer = town.client.get(TRACKS, headers=who, params=asked)
    assert answer.status_code == 422
    if "to" in asked:
        assert "Give from before to" in answer.text
