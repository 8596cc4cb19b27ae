"""Workers kept, assigned, relieved and away: what contradicts is refused by name."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pytest
import sqlalchemy as sa

from gis import audit
from gis.errors import BadInput
from grids.errors import AssignmentConflict, GridNotFound, PersonNotFound
from grids.people import service
from grids.people.answering import responsible
from grids.people.models import Person
from tests import factories

if TYPE_CHECKING:
    from sqlalchemy.orm import Session

    from grids.models import GridShape

AT = datetime(2026, 3, 1, tzinfo=UTC)
DAY = timedelta(days=1)


@pytest.fixture
def county(session: Session) -> factories.County:
    return factories.county(session)


def shape(session: Session, place: int = 0) -> GridShape:
    return service.grid_by_code(session, factories.grid_code(place), AT)


def worker(session: Session, county: factories.County, place: int = 0) -> Person:
    return session.get_one(Person, county.workers[factories.grid_code(place)])


def new(session: Session, name: str = "新人", **more: str) -> Person:
    return service.add(session, name, county_code=factories.COUNTY, actor="t", **more)


def test_two_in_charge_are_refused(session: Session, county: factories.County) -> None:
    with pytest.raises(AssignmentConflict, match="has a worker in charge"):
        service.assign(session, new(session), shape(session), actor="t", since=AT)
    # The session goes on: only the refused row is undone.
    service.assign(session, new(session), shape(session), actor="t", since=AT, is_primary=False)
    assert len(responsible(session, shape(session).grid_id, AT)) == 2


def test_the_same_role_twice_is_refused(session: Session, county: factories.County) -> None:
    who = new(session)
    service.assign(session, who, shape(session), actor="t", role="deputy", since=AT)
    with pytest.raises(AssignmentConflict, match="has 新人 as deputy"):
        service.assign(session, who, shape(session), actor="t", role="deputy", since=AT + DAY)
    service.assign(session, who, shape(session), actor="t", role="grid_head", since=AT)


def test_one_after_the_other_without_a_gap(session: Session, county: factories.County) -> None:
    (held,) = service.assignments_of(session, shape(session).grid_id, AT)
    service.relieve(session, held, actor="t", at=AT)
    who = new(session)
    service.assign(session, who, shape(session), actor="t", since=AT)
    grid = shape(session).grid_id
    assert [each.name for each in responsible(session, grid, AT - DAY)] == ["网格员1"]
    assert [each.name for each in responsible(session, grid, AT)] == ["新人"]


def test_relieving_twice_or_before_the_start(session: Session, county: factories.County) -> None:
    (held,) = service.assignments_of(session, shape(session).grid_id, AT)
    with pytest.raises(AssignmentConflict, match="begins after"):
        service.relieve(session, held, actor="t", at=factories.SINCE)
    service.relieve(session, held, actor="t", at=AT)
    with pytest.raises(AssignmentConflict, match="has ended"):
        service.relieve(session, held, actor="t", at=AT + DAY)


@pytest.mark.parametrize("until", [AT, AT - DAY])
def test_time_that_ends_before_it_begins(
    session: Session, county: factories.County, until: datetime
) -> None:
    with pytest.raises(BadInput, match="ends before it begins"):
        service.assign(session, new(session), shape(session), actor="t", since=AT, until=until)
    with pytest.raises(BadInput, match="ends before it begins"):
        service.take_leave(session, worker(session, county), since=AT, until=until, actor="t")


def test_role_that_is_none_on_a_grid(session: Session, county: factories.County) -> None:
    for role in ("border_guard", "boss"):
        with pytest.raises(BadInput, match="grid_worker, deputy, grid_head"):
            service.assign(session, new(session), shape(session), actor="t", role=role)


def test_own_deputy(session: Session, county: factories.County) -> None:
    who = worker(session, county)
    with pytest.raises(BadInput, match="cannot stand in for themselves"):
        service.take_leave(session, who, since=AT, until=AT + DAY, actor="t", deputy=who)


def test_leaves_that_overlap(session: Session, county: factories.County) -> None:
    who = worker(session, county)
    service.take_leave(session, who, since=AT, until=AT + 2 * DAY, actor="t")
    with pytest.raises(AssignmentConflict, match="on leave in that time already"):
        service.take_leave(session, who, since=AT + DAY, until=AT + 3 * DAY, actor="t")
    service.take_leave(session, who, since=AT + 2 * DAY, until=AT + 3 * DAY, actor="t")


def test_deputy_who_answers_anyway_is_named_once(
    session: Session, county: factories.County
) -> None:
    other = worker(session, county, 1)
    service.assign(session, other, shape(session), actor="t", since=AT, is_primary=False)
    service.take_leave(
        session, worker(session, county), since=AT, until=AT + DAY, actor="t", deputy=other
    )
    found = responsible(session, shape(session).grid_id, AT)
    assert [(each.person_id, each.reason) for each in found] == [(other.id, "deputy_during_leave")]


def test_unassigned(session: Session, county: factories.County) -> None:
    assert service.unassigned(session, AT) == []
    assert service.unassigned(session, factories.SINCE - DAY) == []
    for place in (3, 1):
        (held,) = service.assignments_of(session, shape(session, place).grid_id, AT)
        service.relieve(session, held, actor="t", at=AT)
    assert [each.code for each in service.unassigned(session, AT)] == [
        factories.grid_code(1),
        factories.grid_code(3),
    ]
    assert service.unassigned(session, AT - DAY) == []


def test_finding_people_and_grids(session: Session, county: factories.County) -> None:
    found = service.person_by_name(session, "网格员2", factories.COUNTY)
    assert service.person_by_name(session, "w1", factories.COUNTY) is found
    with pytest.raises(PersonNotFound, match="no persons 'nobody'"):
        service.person_by_name(session, "nobody", factories.COUNTY)
    with pytest.raises(PersonNotFound, match="no persons"):
        service.person_by_name(session, "网格员2", "990122")
    new(session, "网格员2")
    with pytest.raises(PersonNotFound, match="2 persons"):
        service.person_by_name(session, "网格员2", factories.COUNTY)
    with pytest.raises(GridNotFound, match="990121101001999"):
        service.grid_by_code(session, "990121101001999", AT)
    with pytest.raises(GridNotFound):
        service.grid_by_code(session, factories.grid_code(0), factories.SINCE - DAY)


def test_every_change_is_in_the_log(session: Session, county: factories.County) -> None:
    who = new(session)
    done = service.assign(
        session, who, shape(session), actor="王", role="deputy", since=AT, is_primary=False
    )
    service.relieve(session, done, actor="王", at=AT + DAY)
    service.take_leave(session, who, since=AT, until=AT + DAY, actor="王")
    audit.flush(session)
    actions = session.scalars(
        sa.text("SELECT action FROM audit_log WHERE actor = '王' ORDER BY id")
    ).all()
    assert actions == ["person.assign", "person.relieve", "person.leave"]
