"""Departments see the cases sent to them: by their matter, or by somebody's step."""

from __future__ import annotations

import uuid
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pandas as pd
import pytest
import sqlalchemy as sa

from boundaries.access import Credential, enter
from gis.database import execute
from gis.errors import BadInput
from grids.incidents import repository, service, steps
from grids.incidents.models import Incident
from grids.people import duty
from grids.people import service as people
from tests import factories

if TYPE_CHECKING:
    from sqlalchemy.orm import Session

    from grids.people.models import Department, Person

DAY = timedelta(days=1)
AT = factories.SINCE + 20 * DAY
TOWN = factories.TOWNSHIP


@dataclass
class Desk:
    """A bureau that leads labour, an office of the town that joins in, and an officer of each."""

    session: Session
    bureau: Department
    office: Department
    officers: dict[int, Person]
    keys: dict[int, str]

    def report(self, category: str = "labour", **fields: Any) -> Incident:
        lon, lat = factories.middle(0)
        told: dict[str, Any] = {"x": lon, "y": lat, "reported_at": AT} | fields
        return service.record(
            self.session,
            service.Report(id=uuid.uuid4(), category=category, source="t", **told),
            actor="t",
        ).incident

    def sees(self, department: Department) -> set[uuid.UUID]:
        """What an officer sees, by the policies alone and by the list of the service."""
        with self.session.begin_nested() as inner:
            execute(self.session, "SET LOCAL ROLE wangge_app")
            enter(self.session, Credential.of(self.keys[department.id], is_key=True))
            bare = set(self.session.scalars(sa.select(Incident.id)))
            rows, _ = repository.page(self.session, repository.Filter(only_sent=True), limit=100)
            execute(self.session, "RESET ROLE")
            inner.rollback()
        self.session.expire_all()
        assert bare == {row.incident.id for row in rows}
        return bare


@pytest.fixture
def desk(session: Session) -> Desk:
    factories.county(session)
    execute(session, "UPDATE incident_categories SET routed_by = 'matter' WHERE code = 'labour'")
    bureau = duty.add_department(session, "人社局", area=factories.COUNTY, actor="t")
    office = duty.add_department(session, "镇政法办", area=TOWN, actor="t")
    duty.set_matters(session, bureau, {"labour": True, "neighbour": True}, actor="t")
    duty.set_matters(session, office, {"labour": False}, actor="t")
    officers, keys = {}, {}
    for each in (bureau, office):
        officer = people.add(session, each.name, county_code=factories.COUNTY, actor="t")
        duty.link(session, officer, role="officer", department=each, actor="t",
                  since=factories.SINCE)  # fmt: skip
        account = factories.account(session, "department", factories.COUNTY, person=officer.id,
                                    login=f"department-{each.id}")  # fmt: skip
        officers[each.id], keys[each.id] = officer, factories.key(session, account)
    return Desk(session, bureau, office, officers, keys)


def rows(desk: Desk, incident: Incident) -> list[tuple[int, bool, bool]]:
    """Departments it was sent to, whether they lead, whether an event says so."""
    found = execute(
        desk.session,
        "SELECT department_id, is_lead, event_id IS NOT NULL FROM incident_departments "
        "WHERE incident_id = :id ORDER BY NOT is_lead, department_id",
        id=incident.id,
    )
    return [tuple(row) for row in found]


def test_by_matter_where_it_decides(desk: Desk) -> None:
    labour, neighbour = desk.report("labour"), desk.report("neighbour")
    assert rows(desk, labour) == [(desk.bureau.id, True, False), (desk.office.id, False, False)]
    assert labour.department_ids == [desk.bureau.id, desk.office.id]
    assert (rows(desk, neighbour), neighbour.department_ids) == ([], [])
    assert desk.sees(desk.bureau) == desk.sees(desk.office) == {labour.id}


def test_many_at_once_as_each_alone(desk: Desk) -> None:
    lon, lat = factories.middle(0)
    service.record_many(
        desk.session,
        pd.DataFrame({
            "county_code": factories.COUNTY, "source": "many", "source_crs": "wgs84",
            "external_id": ["1", "2"], "category": ["labour", "other"], "method": "import",
            "reported_at": AT, "lon": lon, "lat": lat, "source_x": lon, "source_y": lat,
        }),
        actor="t",
    )  # fmt: skip
    sent = dict(
        desk.session.execute(sa.select(Incident.external_id, Incident.department_ids)).all()
    )
    assert sent == {"1": [desk.bureau.id, desk.office.id], "2": []}


def test_sent_by_a_step(desk: Desk) -> None:
    incident = desk.report("neighbour")
    assert desk.sees(desk.bureau) == set()
    steps.step(
        desk.session, incident.id, "dispatched", actor="t", at=AT + DAY,
        sent_to=steps.Sending(lead=desk.office.id),
    )  # fmt: skip
    assert rows(desk, incident) == [(desk.office.id, True, True)]
    assert (desk.sees(desk.office), desk.sees(desk.bureau)) == ({incident.id}, set())
    # Another takes the lead: who had it keeps it in sight, since they have worked on it.
    steps.step(
        desk.session, incident.id, "transferred", actor="t", at=AT + 2 * DAY,
        sent_to=steps.Sending(lead=desk.bureau.id, joint=[desk.office.id, desk.office.id]),
    )  # fmt: skip
    assert rows(desk, incident) == [(desk.bureau.id, True, True), (desk.office.id, False, True)]
    assert desk.sees(desk.office) == desk.sees(desk.bureau) == {incident.id}


def test_a_department_moves_on_what_was_sent_to_it(desk: Desk) -> None:
    mine, other = desk.report("labour").id, desk.report("other").id
    session = desk.session
    with session.begin_nested() as inner:
        execute(session, "SET LOCAL ROLE wangge_app")
        enter(session, Credential.of(desk.keys[desk.bureau.id], is_key=True))
        session.expunge_all()
        assert steps.step(session, mine, "accepted", actor="o", at=AT + DAY).state == "accepted"
        with pytest.raises(steps.IncidentNotFound):
            steps.step(session, other, "accepted", actor="o", at=AT + DAY)
        with pytest.raises(sa.exc.DBAPIError, match="refused"), session.begin_nested():
            execute(session, "UPDATE incidents SET department_ids = '{}'")
        execute(session, "RESET ROLE")
        inner.rollback()


def test_nobody_is_told_of_departments_elsewhere(desk: Desk) -> None:
    incident = desk.report("neighbour")
    away = duty.add_department(desk.session, "邻村调解室", area=factories.VILLAGES[1], actor="t")
    with pytest.raises(BadInput) as refused:
        steps.step(
            desk.session, incident.id, "dispatched", actor="t", at=AT + DAY,
            sent_to=steps.Sending(lead=away.id, joint=[10**9, desk.bureau.id]),
        )  # fmt: skip
    assert [(each.field, str(each.reason).split()[4]) for each in refused.value.problems] == [
        ("lead_department", str(away.id)), ("joint_departments", str(10**9)),
    ]  # fmt: skip


def test_only_officers_on_duty(desk: Desk) -> None:
    """An officer on leave still sees them, as does who stands in; one relieved does not."""
    incident = desk.report("labour")
    session, officer = desk.session, desk.officers[desk.bureau.id]
    deputy = desk.officers[desk.office.id]
    execute(session, "UPDATE assignments SET valid = tstzrange(lower(valid), now()) "
            "WHERE person_id = :deputy", deputy=deputy.id)  # fmt: skip
    assert desk.sees(desk.office) == set()
    execute(
        session,
        "INSERT INTO leaves (county_code, person_id, deputy_id, during, author) VALUES ('990121', "
        ":who, :deputy, tstzrange(now() - interval '1 day', now() + interval '1 day'), 't')",
        who=officer.id, deputy=deputy.id,
    )  # fmt: skip
    assert desk.sees(desk.office) == desk.sees(desk.bureau) == {incident.id}


def test_routed_anew_when_it_gets_its_place(desk: Desk) -> None:
    """Without a place it belongs to the county, whose bureau gets it; the town's joins in later."""
    incident = desk.report("labour", x=None, y=None, county_code=factories.COUNTY)
    assert incident.department_ids == [desk.bureau.id]
    shape = people.grid_by_code(desk.session, factories.grid_code(0), AT)
    execute(
        desk.session,
        "UPDATE incidents SET geom = ST_SetSRID(ST_MakePoint(:lon, :lat), 4326), method = 'map', "
        "source_crs = 'wgs84', review = NULL, edition_id = :edition, grid_id = :grid "
        "WHERE id = :id",
        lon=factories.middle(0)[0], lat=factories.middle(0)[1], edition=shape.edition_id,
        grid=shape.grid_id, id=incident.id,
    )  # fmt: skip
    desk.session.expire_all()
    assert incident.department_ids == [desk.bureau.id, desk.office.id]
    areas = execute(desk.session, "SELECT DISTINCT area_code FROM incident_departments").scalars()
    assert list(areas) == [factories.VILLAGES[0]]
