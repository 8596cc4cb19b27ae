"""Incidents that come with an address and no point: placed where it is sure, else asked about."""

from __future__ import annotations

import uuid
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pandas as pd
import pytest
import sqlalchemy as sa

from gis.errors import BadInput
from grids.addresses import gazetteer, review
from grids.addresses.review import Choice
from grids.incidents import placing, service
from grids.incidents.models import IncidentEvent
from grids.people import service as people
from grids.people.models import Person
from tests import factories
from tests.grids.addresses import town

if TYPE_CHECKING:
    from sqlalchemy.orm import Session

    from grids.incidents.models import Incident

AT = datetime(2026, 3, 1, tzinfo=UTC)
SURE = "示范旗示范镇人民路3号"
UNSURE = "示范镇市场21区通道老裴家"


@pytest.fixture
def place(session: Session) -> factories.County:
    county = factories.county(session)
    town.build(session, with_units=False)
    return county


def report(session: Session, address: str, **more: Any) -> Incident:
    given = {"id": uuid.uuid4(), "category": "other", "source": "phone", "reported_at": AT}
    made = service.Report(**(given | {"address": address} | more))
    return service.record(session, made, actor="clerk").incident


def lonlat(session: Session, incident: Incident) -> tuple[float, float] | None:
    found = session.execute(
        sa.text("SELECT ST_X(geom), ST_Y(geom) FROM incidents WHERE id = :id"),
        {"id": incident.id},
    ).one()
    return None if found[0] is None else (found[0], found[1])


def events(session: Session, incident: Incident) -> list[IncidentEvent]:
    return list(
        session.scalars(
            sa.select(IncidentEvent)
            .where(IncidentEvent.incident_id == incident.id)
            .order_by(IncidentEvent.id)
        )
    )


def test_what_is_sure_is_the_place(session: Session, place: factories.County) -> None:
    made = report(session, SURE)
    assert lonlat(session, made) == pytest.approx((117.0015, town.LAT))
    assert (made.method, made.accuracy_m, made.review) == ("address", 20.0, None)
    assert made.grid_id == place.grids[factories.grid_code(0)]
    assert made.person_id == place.workers[factories.grid_code(0)]
    (event,) = events(session, made)
    assert event.data["address"] == {"method": "street_number", "score": 1.0, "label": SURE}
    assert review.waiting(session).count == 0
    # What stands beside it is kept, and the place is as vague as it says.
    beside = report(session, f"{SURE}北侧50米")
    assert (beside.address, beside.accuracy_m) == (f"{SURE}北侧50米", 70.0)
    assert report(session, f"{SURE}对面").accuracy_m == 50.0


def test_a_retry_is_the_same_whatever_the_gazetteer_says_now(
    session: Session, place: factories.County
) -> None:
    said = service.Report(
        id=uuid.uuid4(), category="other", source="phone", reported_at=AT, address=SURE
    )
    assert service.record(session, said, actor="clerk").is_new
    session.execute(sa.text("DELETE FROM addresses"))
    session.execute(sa.text("DELETE FROM address_names"))
    assert not service.record(session, said, actor="clerk").is_new


def test_what_is_not_sure_waits_in_the_area_that_it_names(
    session: Session, place: factories.County
) -> None:
    made = report(session, UNSURE)
    assert lonlat(session, made) is None
    assert (made.review, made.method, made.address) == ("no_place", None, UNSURE)
    assert made.area_code == factories.TOWNSHIP
    (waiting,) = review.waiting(session).rows
    assert (waiting.incident_id, waiting.text, waiting.area_code, waiting.author) == (
        made.id, UNSURE, factories.TOWNSHIP, "clerk",
    )  # fmt: skip
    assert [each["label"] for each in waiting.candidates] == ["示范镇"]
    # Two units, or none, name no area: the county's people decide.
    assert report(session, "天上人间").area_code == factories.COUNTY
    assert review.waiting(session).rows[1].candidates == []
    # Nothing to look for is no question.
    report(session, " ？ ")
    report(session, "")
    assert review.waiting(session).count == 2


def test_a_place_in_another_county_than_said_is_asked_about(
    session: Session, place: factories.County
) -> None:
    session.execute(
        sa.text("INSERT INTO admin_units (code, level, parent_code, name, source) "
                "VALUES ('990122', 6, '9901', '别旗', 't')")
    )  # fmt: skip
    made = report(session, SURE, county_code="990122")
    assert (lonlat(session, made), made.area_code) == (None, "990122")
    assert review.waiting(session).rows[0].area_code == "990122"


@pytest.mark.parametrize(
    ("places", "is_sure"), [((117.0197, 117.0203), False), ((117.0193, 117.0199), True)]
)
def test_an_address_that_is_there_twice(
    session: Session, place: factories.County, places: tuple[float, float], is_sure: bool
) -> None:
    for lon in places:  # 47 m apart; a border of grids runs at 117.02
        session.execute(
            sa.text(
                "INSERT INTO buildings (county_code, unit_code, address, households_resident, "
                "geom, source, external_id) VALUES (:county, :village, '示范旗示范镇市场街5号', 1, "
                "ST_SetSRID(ST_MakePoint(:lon, 45.01), 4326), 't', :id)"
            ),
            {"county": factories.COUNTY, "village": factories.VILLAGES[0], "lon": lon,
             "id": f"twice {lon}"},
        )  # fmt: skip
    gazetteer.refresh(session, factories.COUNTY)
    made = report(session, "示范镇市场街5号", county_code=factories.COUNTY)
    if is_sure:
        assert made.grid_id == place.grids[factories.grid_code(0)]
        assert review.waiting(session).count == 0
    else:
        assert (made.grid_id, made.review) == (None, "no_place")
        (waiting,) = review.waiting(session).rows
        assert {each["lon"] for each in waiting.candidates[:2]} == set(places)
        placing.decide(session, waiting.id, Choice(candidate=1), actor="chief")
        session.refresh(made)
        assert made.grid_id is not None


def test_a_choice_places_it_as_of_its_report(session: Session, place: factories.County) -> None:
    code = factories.grid_code(0)
    deputy = people.add(session, "代理", county_code=factories.COUNTY, actor="t")
    away = session.get_one(Person, place.workers[code])
    people.take_leave(session, away, since=AT - timedelta(days=1), until=AT + timedelta(days=1),
                      actor="t", deputy=deputy)  # fmt: skip
    made = report(session, "人名路11号老裴家")
    (waiting,) = review.waiting(session).rows
    labels = [each["label"] for each in waiting.candidates]
    chosen = labels.index("示范旗示范镇人民路11号")
    done = placing.decide(session, waiting.id, Choice(candidate=chosen), actor="chief")
    assert done.outcome == "candidate"
    assert lonlat(session, made) == pytest.approx((117.0035, town.LAT))
    assert (made.method, made.review, made.grid_id) == ("address", None, place.grids[code])
    # Who stood in then, and not who is there now.
    assert (made.person_id, made.reason) == (deputy.id, "deputy_during_leave")
    assert made.area_code == town.WEST_VILLAGE
    first, second = events(session, made)
    assert (first.kind, first.data) == ("reported", {"reason": "no_place"})
    assert (second.kind, second.actor) == ("relocated", "chief")
    assert second.data["address"]["label"] == labels[chosen]
    assert second.data["address"]["score"] == waiting.candidates[chosen]["score"]
    # The same words are found from now on.
    again = report(session, "人名路 11号，老裴家")
    assert again.method == "address"
    assert events(session, again)[0].data["address"]["method"] == "exact"


def test_by_hand_and_nowhere(session: Session, place: factories.County) -> None:
    made, lost = report(session, UNSURE), report(session, "天上人间")
    first, second = review.waiting(session).rows
    lon, lat = factories.middle(2)
    placing.decide(session, first.id, Choice(lon=lon, lat=lat), actor="chief")
    assert (made.method, made.accuracy_m) == ("map", placing.BY_HAND_M)
    assert made.grid_id == place.grids[factories.grid_code(2)]
    placing.decide(session, second.id, Choice(), actor="chief")
    assert (lost.review, lonlat(session, lost)) == ("no_place", None)
    assert len(events(session, lost)) == 1
    assert review.waiting(session).count == 0


def test_where_it_cannot_be(session: Session, place: factories.County) -> None:
    made = report(session, UNSURE)
    (waiting,) = review.waiting(session).rows
    session.execute(
        sa.text("INSERT INTO admin_units (code, level, parent_code, name, source, geom) VALUES "
                "('990122', 6, '9901', '别旗', 't', "
                "ST_Multi(ST_MakeEnvelope(118, 45, 118.1, 45.1, 4326)))")
    )  # fmt: skip
    with pytest.raises(BadInput, match="county 990122"), session.begin_nested():
        placing.decide(session, waiting.id, Choice(lon=118.05, lat=45.05), actor="chief")
    session.expire_all()
    assert lonlat(session, made) is None
    assert [each.id for each in review.waiting(session).rows] == [waiting.id]


def frame(addresses: list[str]) -> pd.DataFrame:
    return pd.DataFrame(
        {
            "external_id": [f"{n:02d}" for n in range(len(addresses))],
            "county_code": factories.COUNTY, "source": "many", "category": "other",
            "reported_at": AT, "address": addresses,
        }
    )  # fmt: skip


def test_many_as_each_alone(session: Session, place: factories.County) -> None:
    said = [SURE, UNSURE, "天上人间", "", f"{SURE}北侧50米", SURE, "和平小区2栋", "人民路7号"]
    for number, address in enumerate(said):
        report(session, address, source="alone", external_id=f"{number:02d}",
               county_code=factories.COUNTY)  # fmt: skip
    done = service.record_many(session, frame(said), actor="clerk")
    assert (done.new, done.by_address, dict(done.review)) == (8, 4, {"no_place": 4})
    columns = ("external_id, area_code, ST_AsText(geom), source_crs, source_x, accuracy_m, method, "
               "grid_id, person_id, reason, review")  # fmt: skip
    sql = sa.text(f"SELECT {columns} FROM incidents WHERE source = :source ORDER BY 1")
    asked = sa.text(
        "SELECT i.external_id, r.text, r.candidates, r.area_code, r.author FROM address_reviews "
        "AS r JOIN incidents AS i ON i.id = r.incident_id WHERE i.source = :source ORDER BY 1"
    )
    told = sa.text(
        "SELECT i.external_id, e.kind, e.data FROM incident_events AS e JOIN incidents AS i "
        "ON i.id = e.incident_id WHERE i.source = :source ORDER BY 1"
    )
    for one in (sql, asked, told):
        many, alone = (session.execute(one, {"source": s}).all() for s in ("many", "alone"))
        assert many == alone
        assert many
    # The same file again, when a person has decided: nothing is new, and nothing contradicts.
    for each in review.waiting(session).rows:
        placing.decide(session, each.id, Choice(lon=117.03, lat=45.01), actor="chief")
    done = service.record_many(session, frame(said), actor="clerk")
    assert (done.new, done.unchanged, list(done.conflicting), done.by_address) == (0, 8, [], 0)
    assert review.waiting(session).count == 0
