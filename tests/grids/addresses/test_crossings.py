"""Where two streets meet is a place of its own; where they do not, neither of them is sure."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
import sqlalchemy as sa

from grids.addresses import gazetteer
from grids.addresses.crossings import crossing_of
from grids.addresses.parsing import parse
from grids.addresses.search import search
from tests import factories
from tests.grids.addresses import town

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sqlalchemy.orm import Session

    from gis.database import Database

# Beside 长青路, which lies along 117.07 from 45.001 to 45.019 and ends there.
LINES = (
    ("和平街", "117.065 45.005, 117.075 45.005"),
    # It ends 11 m short of it: a junction drawn apart.
    ("短街", "117.060 45.015, 117.06986 45.015"),
    ("远街", "117.001 45.001, 117.002 45.001"),
    # It meets it twice.
    ("环城路", "117.066 45.004, 117.074 45.004, 117.074 45.016, 117.066 45.016"),
    ("Main Street", "117.010 45.002, 117.020 45.002"),
    ("2nd Avenue", "117.015 45.001, 117.015 45.003"),
)


@pytest.fixture(scope="module")
def place(shared_database: Database) -> Iterator[Session]:
    with shared_database.engine.connect() as connection:
        session = sa.orm.Session(bind=connection)
        town.build(session)
        for number, (name, points) in enumerate(LINES):
            session.execute(
                sa.text(
                    "INSERT INTO barriers (county_code, kind, name, geom, source, external_id) "
                    "VALUES (:county, 'street', :name, ST_GeomFromText(:line, 4326), 't', :id)"
                ),
                {"county": factories.COUNTY, "name": name, "line": f"LINESTRING({points})",
                 "id": f"line {number}"},
            )  # fmt: skip
        gazetteer.refresh(session, factories.COUNTY)
        yield session
        session.rollback()


@pytest.mark.parametrize(
    ("text", "lon", "lat"),
    [
        ("长青路与和平街交叉口", 117.07, 45.005),
        ("和平街与长青路交汇处", 117.07, 45.005),
        ("示范镇长青路和和平街路口", 117.07, 45.005),
        ("长青路和平街口", 117.07, 45.005),
        ("长青路/和平街", 117.07, 45.005),
        ("长青路与短街路口", 117.07, 45.015),
        ("Main St & 2nd Ave", 117.015, 45.002),
        ("corner of 2nd Avenue and Main Street", 117.015, 45.002),
    ],
)
def test_it_lies_where_they_meet(place: Session, text: str, lon: float, lat: float) -> None:
    first = search(place, text)[0]
    assert (first.method, first.is_confident, first.ignored) == ("crossing", True, ())
    assert (first.lon, first.lat) == pytest.approx((lon, lat), abs=2e-4)
    assert first.accuracy_m == 20.0


def test_what_stands_beside_it_makes_it_vaguer(place: Session) -> None:
    first = search(place, "长青路与和平街交叉口北侧80米")[0]
    assert (first.method, first.accuracy_m) == ("crossing", 100.0)
    assert first.ignored == ("北侧", "80米")


def test_where_they_meet_twice_a_person_is_asked(place: Session) -> None:
    both = [each for each in search(place, "长青路与环城路交叉口") if each.method == "crossing"]
    assert sorted(round(each.lat, 3) for each in both) == [45.004, 45.016]
    assert not both[0].is_confident


@pytest.mark.parametrize(
    "text", ["长青路与远街交叉口", "长青路与天上街交叉口", "长青路与人民路路口"]
)
def test_where_they_do_not_meet_neither_is_sure(place: Session, text: str) -> None:
    found = search(place, text)
    assert {each.label for each in found} <= {"长青路", "远街", "人民路"}
    (first,) = [each for each in found if each.label == "长青路"]
    # The other one is told as not used.
    assert first.ignored
    assert not any(each.is_confident for each in found)


def test_a_slip_in_either_street_is_asked_about(place: Session) -> None:
    found = search(place, "长清路与和平街交叉口")
    assert found[0].method == "crossing"
    assert not found[0].is_confident


@pytest.mark.parametrize(
    "text",
    [
        "长青路和平街", "长青路与和平街交叉口7号", "和平街路口", "长青路与长青路交叉口",
        "长青路和平街和平小区2栋", "12 Main Street & 2nd Avenue", "Fish and Chips",
    ],
)  # fmt: skip
def test_what_is_no_crossing(text: str) -> None:
    assert crossing_of(parse(text)) is None
