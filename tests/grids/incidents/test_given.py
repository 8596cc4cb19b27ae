"""Whom an incident is given to: the same in memory, in the database, alone and among many.

::

        990121101001          990121101002
    +---------+---------+---------+---------+
    |       +-+-+       |       +-+-+       |    a school over two grids of one village,
    | ...01 | S | ...02 |  ...01| M | ...02 |    a mall over two villages' line in M's place:
    |       +-+-+     +-+-+     +-+-+       |    each kept under the first village
    +---------+-------+-P-+-----+---+-------+
"""

from __future__ import annotations

import uuid
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import pytest
import sqlalchemy as sa
from hypothesis import given, settings
from hypothesis import strategies as st
from shapely import box

from boundaries.access import Scope
from gis.database import execute
from grids import service as editions
from grids.incidents import service
from grids.incidents.responsibility import answer
from grids.locating import store
from grids.people import duty
from grids.people import service as people
from grids.plans import changeover
from tests import conftest, factories
from tests.factories import NORTH, SOUTH, STEP, VILLAGES, WEST

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sqlalchemy.orm import Session

    from gis.cluster import Cluster
    from gis.database import Database
    from grids.locating.snapshot import Snapshot

SCHOOL, PARK, MALL = (f"{VILLAGES[0]}90{number}" for number in (1, 2, 3))
HIGH = NORTH - SOUTH
LAID = {
    SCHOOL: box(WEST + 0.8 * STEP, SOUTH + 0.2 * HIGH, WEST + 1.2 * STEP, SOUTH + 0.8 * HIGH),
    PARK: box(WEST + 1.8 * STEP, SOUTH, WEST + 2.2 * STEP, SOUTH + 0.5 * HIGH),
    MALL: box(WEST + 2.8 * STEP, SOUTH + 0.2 * HIGH, WEST + 3.2 * STEP, SOUTH + 0.8 * HIGH),
}
DAY = timedelta(days=1)
OPENED = factories.SINCE + 3 * DAY
KEPT = ("edition_id", "grid_id", "exclusive_grid_id", "assignment_id", "person_id", "reason")


@pytest.fixture(scope="module")
def town(test_cluster: Cluster, template: str) -> Iterator[Database]:
    """Grids over grids, and people whose duties, modes and leaves are drawn by lot."""
    random = np.random.default_rng(20)
    for database in conftest.fresh(test_cluster, template):
        with database.transaction() as session:
            county = factories.county(session)
            execute(session, "DELETE FROM assignments")
            laid = factories.lay_over(
                session, "exclusive", {code: LAID[code] for code in (SCHOOL, PARK)}, since=OPENED
            )
            execute(session, "UPDATE incident_categories SET routed_by = 'matter' "
                    "WHERE code = 'labour'")  # fmt: skip
            bureau = duty.add_department(session, "人社局", area=factories.COUNTY, actor="t")
            duty.set_matters(session, bureau, {"labour": True, "neighbour": True}, actor="t")
            known = [
                people.add(session, f"人{number}", county_code=factories.COUNTY, actor="t")
                for number in range(9)
            ]
            duty.link(session, known[0], role="officer", department=bureau, actor="t",
                      since=factories.SINCE)  # fmt: skip
            duty.link(session, known[1], role="unit_head", unit=VILLAGES[0], actor="t",
                      since=factories.SINCE)  # fmt: skip
            grids = [*county.grids.values(), *laid.values()]
            for _ in range(60):
                role = ("grid_worker", "grid_worker", "deputy", "grid_head")[random.integers(4)]
                since = factories.SINCE + int(random.integers(0, 8)) * DAY
                _try(
                    session,
                    "INSERT INTO assignments (county_code, person_id, role, is_primary, grid_id, "
                    "mode, valid, author) VALUES ('990121', :person, :role, :primary, :grid, "
                    ":mode, tstzrange(:since, :until), 't')",
                    person=known[random.integers(9)].id,
                    role=role,
                    primary=role == "grid_worker" and bool(random.integers(2)),
                    grid=grids[random.integers(len(grids))],
                    mode=("any", "normal", "emergency")[random.integers(3)],
                    since=since,
                    until=since + int(random.integers(1, 6)) * DAY,
                )
            for _ in range(14):
                who, other = random.choice(9, 2, replace=False)
                since = factories.SINCE + int(random.integers(0, 12)) * DAY
                _try(
                    session,
                    "INSERT INTO leaves (county_code, person_id, deputy_id, during, author) VALUES "
                    "('990121', :who, :other, tstzrange(:since, :until), 't')",
                    who=known[who].id,
                    other=known[other].id if random.integers(3) else None,
                    since=since,
                    until=since + int(random.integers(1, 3)) * DAY,
                )
            for area, day in ((VILLAGES[1], 4), (factories.COUNTY, 8)):
                duty.begin_emergency(
                    session, area, reason="flood", actor="t", since=factories.SINCE + day * DAY,
                    until=factories.SINCE + (day + 2) * DAY,
                )  # fmt: skip
        yield database


def _try(session: Session, sql: str, **values: Any) -> bool:
    """Write it if the constraints allow what was drawn; whether they do."""
    try:
        with session.begin_nested():
            execute(session, sql, **values)
    except sa.exc.IntegrityError:
        return False
    return True


@pytest.fixture(scope="module")
def memory(town: Database, tmp_path_factory: pytest.TempPathFactory) -> Snapshot:
    with town.transaction() as session:
        return store.load(session, tmp_path_factory.mktemp("index"))


edges = st.sampled_from([x for each in LAID.values() for x in (each.bounds[0], each.bounds[2])])
points = st.tuples(
    st.floats(WEST + 0.6 * STEP, WEST + 3.4 * STEP) | edges,
    st.floats(SOUTH, NORTH) | st.sampled_from([SOUTH + 0.2 * HIGH, SOUTH + 0.5 * HIGH]),
)
moments = st.integers(0, 14 * 24).map(lambda hours: factories.SINCE + timedelta(hours=hours))
categories = st.sampled_from(["labour", "neighbour", "other"])


@settings(max_examples=40, deadline=None)
@given(reports=st.lists(st.tuples(points, moments, categories), min_size=1, max_size=8))
def test_one_answer_four_ways(
    town: Database,
    memory: Snapshot,
    reports: list[tuple[tuple[float, float], datetime, str]],
) -> None:
    with town.engine.connect() as connection:
        session = sa.orm.Session(connection)
        said = []
        for number, ((lon, lat), at, category) in enumerate(reports):
            told = memory.answer(lon, lat, at=at)
            kept = answer(session, lon, lat, at=at)
            assert told is not None
            assert kept.grid is not None
            assert told.grid is not None
            assert [(e.assignment_id, e.person_id, e.reason) for e in told.responsible] == [
                (e.assignment_id, e.person_id, e.reason) for e in kept.responsible
            ]
            assert kept.exclusive == told.exclusive
            given = told.given
            said.append((
                told.edition.id if told.edition else None, told.grid.grid_id,
                told.exclusive.grid_id if told.exclusive else None,
                given.assignment_id if given else None, given.person_id if given else None,
                given.reason if given else "nobody",
            ))  # fmt: skip
            service.record(
                session,
                service.Report(
                    id=uuid.uuid4(), category=category, source="alone", reported_at=at, x=lon,
                    y=lat, external_id=f"{number:03d}",
                ),
                actor="t",
            )  # fmt: skip
        lon, lat = zip(*(where for where, _, _ in reports), strict=True)
        service.record_many(
            session,
            pd.DataFrame({
                "county_code": factories.COUNTY, "source": "many", "source_crs": "wgs84",
                "external_id": [f"{number:03d}" for number in range(len(reports))],
                "category": [category for _, _, category in reports], "method": "import",
                "reported_at": [at for _, at, _ in reports],
                "lon": lon, "lat": lat, "source_x": lon, "source_y": lat,
            }),
            actor="t",
        )  # fmt: skip
        for source in ("alone", "many"):
            rows = execute(
                session,
                f"SELECT {', '.join(KEPT)} FROM incidents WHERE source = :s ORDER BY external_id",
                s=source,
            )
            assert [tuple(row) for row in rows] == said
        session.close()
        connection.rollback()


def test_exclusive_grids_are_met(town: Database, memory: Snapshot) -> None:
    """The drawing by lot gives people to both kinds of grid, else the comparison says nothing."""
    given = [
        (told.exclusive is not None, told.exclusive and told.given
         and told.given.grid_id == told.exclusive.grid_id, told.given is None)
        for hour in range(0, 14 * 24, 6)
        for told in [memory.answer(WEST + STEP, SOUTH + 0.5 * HIGH,
                                   at=factories.SINCE + timedelta(hours=hour))]
        if told is not None
    ]  # fmt: skip
    assert {is_over for is_over, _, _ in given} == {True, False}
    assert {bool(is_theirs) for is_over, is_theirs, _ in given if is_over} == {True, False}


class TestInTheSchool:
    """What is given to the school's people stays in the grid below it."""

    def test_the_base_grid_is_kept_and_nothing_is_rewritten(self, session: Session) -> None:
        county = factories.county(session)
        lon, lat = factories.middle(0)[0] + 0.45 * STEP, factories.middle(0)[1]
        before = _report(session, lon, lat)
        changeover.change_over(session, author="t")
        laid = factories.lay_over(session, "exclusive", {SCHOOL: LAID[SCHOOL]})
        guard = people.add(session, "校警", county_code=factories.COUNTY, actor="t")
        shape = people.grid_by_code(session, SCHOOL, datetime.now(UTC))
        people.assign(session, guard, shape, actor="t", since=factories.SINCE)
        assert changeover.change_over(session, author="t")[shape.edition_id] == 1
        after = _report(session, lon, lat)
        grid = county.grids[factories.grid_code(0)]
        assert (before.grid_id, before.exclusive_grid_id) == (grid, None)
        assert before.person_id == county.workers[factories.grid_code(0)]
        assert (after.grid_id, after.exclusive_grid_id) == (grid, laid[SCHOOL])
        assert after.person_id == guard.id
        (data,) = session.scalars(
            sa.text("SELECT data FROM incident_events WHERE kind = 'reassigned'")
        )
        assert (data["exclusive"], data["person"]) == (laid[SCHOOL], str(guard.id))
        assert (data["from_exclusive"], data["grid"]) == (None, grid)
        with pytest.raises(sa.exc.DBAPIError, match="stays"), session.begin_nested():
            execute(session, "UPDATE incidents SET exclusive_grid_id = NULL WHERE id = :id",
                    id=after.id)  # fmt: skip
        # The next edition has no school: its ground goes back to the grid below.
        draft = editions.save_draft(
            session, factories.COUNTY, factories.overlays({PARK: LAID[PARK]}), title="t",
            author="a", kind="exclusive",
        )  # fmt: skip
        editions.publish(session, draft.id, approver="b")
        assert changeover.change_over(session, author="t") == {draft.id: 2}

    def test_without_people_the_grid_below_answers(self, session: Session) -> None:
        county = factories.county(session)
        laid = factories.lay_over(session, "exclusive", {SCHOOL: LAID[SCHOOL]})
        stored = _report(session, factories.middle(0)[0] + 0.45 * STEP, factories.middle(0)[1])
        assert stored.exclusive_grid_id == laid[SCHOOL]
        assert stored.person_id == county.workers[factories.grid_code(0)]

    def test_told_to_whoever_sees_the_grid_below(self, session: Session) -> None:
        """The park is kept under the first village, and reaches into the second."""
        factories.county(session)
        factories.lay_over(session, "exclusive", {PARK: LAID[PARK]})
        account = factories.account(session, "community", VILLAGES[1])
        execute(session, "SET ROLE wangge_app")
        try:
            execute(
                session,
                "SELECT set_config('wangge.lo', :lo, true), set_config('wangge.hi', :hi, true), "
                "set_config('wangge.rights', ',grids.read,incidents.report,', true), "
                "set_config('wangge.account', :account, true)",
                lo=VILLAGES[1], hi=f"{VILLAGES[1][:-1]}3", account=str(account.id),
            )  # fmt: skip
            found = answer(session, WEST + 2.1 * STEP, SOUTH + 0.1 * HIGH, at=datetime.now(UTC),
                           scope=Scope(VILLAGES[1]))  # fmt: skip
        finally:
            execute(session, "RESET ROLE")
        assert found.exclusive is not None
        assert found.exclusive.code == PARK


def _report(session: Session, lon: float, lat: float) -> service.Incident:
    return service.record(
        session,
        service.Report(id=uuid.uuid4(), category="other", source="t", x=lon, y=lat),
        actor="t",
    ).incident
