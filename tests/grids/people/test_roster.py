"""Who answers, in order: the same in memory as in the database, whatever the roster."""

from __future__ import annotations

import uuid
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest
import sqlalchemy as sa
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from gis.database import execute
from gis.errors import BadInput
from grids.errors import AssignmentConflict, DepartmentNotFound, DutyConflict
from grids.people import duty, rosters, service
from grids.people.answering import answering, explained, responsible
from grids.people.roster import Away, Department, Duty, Emergency, Roster
from tests import factories

if TYPE_CHECKING:
    from sqlalchemy.orm import Session

    from grids.people.models import Person

DAY = timedelta(days=1)
NOW = factories.SINCE + 10 * DAY
VILLAGE = factories.VILLAGES[0]
UNITS = (VILLAGE, VILLAGE[:9], VILLAGE[:6])
CATEGORIES = ("neighbour", "labour")

times = st.tuples(st.integers(-3, 3), st.integers(1, 4)).map(
    lambda t: (NOW + t[0] * DAY, NOW + (t[0] + t[1]) * DAY)
)
who = st.integers(0, 4)
duties = st.lists(
    st.tuples(
        who,
        st.sampled_from(
            ["primary", "grid_worker", "deputy", "grid_head", "unit_head", "leader", "officer"]
        ),
        st.integers(0, 2),
        st.sampled_from(["any", "normal", "emergency"]),
        times,
    ),
    max_size=8,
)
leaves = st.lists(st.tuples(who, st.none() | who, times), max_size=3)
emergencies = st.lists(st.tuples(st.sampled_from(UNITS), times), max_size=1)


@dataclass
class Stage:
    """Grids of a village, one of them taken for a micro grid, five people, two departments."""

    session: Session
    grids: tuple[int, int, int]
    people: list[Person]
    departments: list[Any] = field(default_factory=list)


@pytest.fixture
def stage(session: Session) -> Stage:
    county = factories.county(session)
    execute(session, "UPDATE incident_categories SET routed_by = 'matter' WHERE code = 'labour'")
    people = [
        service.add(session, name, county_code=factories.COUNTY, actor="t")
        for name in ("王", "李", "赵", "钱", "孙")
    ]
    made = Stage(
        session,
        tuple(county.grids[factories.grid_code(place)] for place in range(3)),  # type: ignore[arg-type]
        people,
    )
    execute(session, "UPDATE assignments SET valid = tstzrange(lower(valid), :end)",
            end=factories.SINCE + DAY)  # fmt: skip
    for name, area in (("住建局", VILLAGE[:6]), ("镇政法办", VILLAGE[:9])):
        made.departments.append(duty.add_department(session, name, area=area, actor="t"))
    duty.set_matters(session, made.departments[0], {"neighbour": True, "labour": True}, actor="t")
    duty.set_matters(session, made.departments[1], {"labour": False}, actor="t")
    return made


def place(stage: Stage, rows: Any, away: Any, modes: Any) -> None:
    """Write what the database takes of a random roster; what it refuses is left out."""
    session = stage.session
    for person, role, target, mode, (since, until) in rows:
        given: dict[str, Any] = {"grid": None, "unit": None, "department": None, "level": None}
        if role in {"unit_head", "leader"}:
            given["unit"] = UNITS[target]
            given["level"] = target + 1 if role == "leader" else None
        elif role == "officer":
            given["department"] = stage.departments[target % 2].id
        else:
            given["grid"] = stage.grids[target]
        try:
            with session.begin_nested():
                execute(
                    session,
                    "INSERT INTO assignments (county_code, person_id, role, is_primary, grid_id, "
                    "unit_code, department_id, link_level, mode, valid, author) VALUES ('990121', "
                    ":person, :role, :primary, :grid, :unit, :department, :level, :mode, "
                    "tstzrange(:since, :until), 't')",
                    person=stage.people[person].id, primary=role == "primary", mode=mode,
                    role="grid_worker" if role == "primary" else role, since=since, until=until,
                    **given,
                )  # fmt: skip
        except sa.exc.IntegrityError:
            continue
    for person, deputy, (since, until) in away:
        try:
            with session.begin_nested():
                service.take_leave(
                    session, stage.people[person], since=since, until=until, actor="t",
                    deputy=None if deputy is None else stage.people[deputy],
                )  # fmt: skip
        except (AssignmentConflict, BadInput):
            continue
    for area, (since, until) in modes:
        duty.begin_emergency(session, area, reason="flood", actor="t", since=since, until=until)


@settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(rows=duties, away=leaves, modes=emergencies, hours=st.integers(-72, 120))
def test_memory_and_database_agree(
    stage: Stage, rows: Any, away: Any, modes: Any, hours: int
) -> None:
    session, at = stage.session, NOW + timedelta(hours=hours)
    outer = session.begin_nested()
    try:
        place(stage, rows, away, modes)
        roster = rosters.load(session)
        near = rosters.load(session, grids=stage.grids, unit=VILLAGE)
        for grid, exclusive, micro in ((0, None, None), (1, 0, 2), (0, 0, None), (0, None, 2)):
            for matter in (None, *CATEGORIES):
                asked: dict[str, Any] = {
                    "grid": stage.grids[grid],
                    "unit": VILLAGE,
                    "exclusive": None if exclusive is None else stage.grids[exclusive],
                    "micro": None if micro is None else stage.grids[micro],
                    "matter": matter,
                }
                kept = answering(session, at=at, **asked)
                told = roster.answering(at=at.timestamp(), **asked)
                assert [
                    (e.assignment_id, e.person_id, e.name, e.reason, e.grid_id, e.unit_code,
                     e.department_id) for e in kept
                ] == [
                    (e.assignment, e.person, e.name, e.reason, e.grid, e.unit, e.department)
                    for e in told
                ]  # fmt: skip
                assert near.answering(at=at.timestamp(), **asked) == told
                considered = roster.considered(at=at.timestamp(), **asked)
                called = {"answers", "stands_in"}
                assert {(c.assignment, c.person) for c in considered if c.verdict in called} == {
                    (e.assignment, e.person) for e in told
                }
        alone = responsible(session, stage.grids[0], at)
        whole = answering(session, grid=stage.grids[0], unit=VILLAGE, at=at)
        assert [e.person_id for e in alone] == [e.person_id for e in whole if e.grid_id is not None]
    finally:
        outer.rollback()


ONE, TWO, THREE = (uuid.UUID(int=number) for number in (1, 2, 3))
FOREVER = {"since": float("-inf"), "until": float("inf")}


def test_matter_goes_before_place_where_it_decides() -> None:
    roster = Roster(
        [
            Duty(1, ONE, "grid_worker", is_primary=True, grid=7, **FOREVER),
            Duty(2, TWO, "officer", department=3, **FOREVER),
        ],
        departments=[Department(3, "d", "990121", "resident", matters={"a": True, "b": True},
                                **FOREVER)],
        by_matter=["b"],
    )  # fmt: skip

    def first(matter: str | None) -> list[uuid.UUID]:
        found = roster.answering(grid=7, unit=VILLAGE, at=0, matter=matter)
        return [each.person for each in found]

    assert first("a") == [ONE, TWO]
    assert first("b") == [TWO, ONE]
    assert first("c") == first(None) == [ONE]


def test_people_of_a_micro_grid_come_after_those_of_the_grid_and_before_the_heads() -> None:
    roster = Roster(
        [
            Duty(1, ONE, "unit_head", unit=VILLAGE, **FOREVER),
            Duty(2, TWO, "grid_worker", is_primary=True, grid=8, **FOREVER),
            Duty(3, THREE, "grid_head", grid=7, since=0, until=5),
        ]
    )

    def told(at: float, micro: int | None = 8) -> list[tuple[uuid.UUID, str]]:
        found = roster.answering(grid=7, unit=VILLAGE, at=at, micro=micro)
        return [(each.person, each.reason) for each in found]

    assert told(1) == [(THREE, "grid_head"), (TWO, "micro_grid"), (ONE, "unit_head")]
    assert told(9) == [(TWO, "micro_grid"), (ONE, "unit_head")]
    assert told(9, None) == [(ONE, "unit_head")]


def test_why_nobody_was_called() -> None:
    roster = Roster(
        [
            Duty(1, ONE, "grid_worker", is_primary=True, grid=7, **FOREVER),
            Duty(2, TWO, "grid_worker", grid=7, since=50, until=99),
            Duty(3, TWO, "deputy", grid=7, mode="emergency", **FOREVER),
            Duty(4, TWO, "grid_head", grid=7, since=0, until=5),
        ],
        [Away(ONE, TWO, 0, 20), Away(TWO, None, 0, 20)],
        emergencies=[Emergency("990121101", 60, 70)],
    )
    told = roster.considered(grid=7, unit=VILLAGE, at=10)
    assert [(each.assignment, each.verdict) for each in told] == [
        (1, "on_leave"), (1, "deputy_on_leave"), (2, "not_yet"), (3, "other_mode"), (4, "ended"),
    ]  # fmt: skip
    assert roster.answering(grid=7, unit=VILLAGE, at=10) == []
    assert roster.is_emergency(VILLAGE, 65)
    assert not roster.is_emergency("990121102001", 65)


class TestDuty:
    """Links, departments and the switch, and what is refused."""

    def test_a_leader_of_the_county_is_named_to_who_sees_the_village(self, stage: Stage) -> None:
        session, people = stage.session, stage.people
        duty.link(
            session, people[0], actor="t", role="leader", unit=VILLAGE[:6], level=1, since=NOW
        )
        duty.link(session, people[1], actor="t", role="unit_head", unit=VILLAGE, since=NOW)
        sees = "SELECT set_config('wangge.lo', :lo, true), set_config('wangge.hi', :hi, true), "
        sees += "set_config('wangge.rights', ',grids.read,', true)"
        asked: dict[str, Any] = {"grid": stage.grids[0], "unit": VILLAGE, "at": NOW}
        with session.begin_nested():
            execute(session, sees, lo=VILLAGE, hi=VILLAGE[:-1] + chr(ord(VILLAGE[-1]) + 1))
            named = [each.reason for each in answering(session, **asked)]
            assert named == ["unit_head", "leader"]
            lo = session.scalar(sa.text("SELECT current_setting('wangge.lo')"))
            assert lo == VILLAGE, "what the caller sees is as before"
            assert answering(session, **asked | {"unit": factories.VILLAGES[1]}) == []
            execute(session, "SELECT set_config('wangge.rights', ',incidents.read,', true)")
            assert answering(session, **asked) == []

    @pytest.mark.parametrize(
        ("given", "says"),
        [
            ({"role": "king", "unit": VILLAGE}, "unknown role 'king'"),
            ({"role": "unit_head"}, "answers for a unit"),
            ({"role": "leader", "unit": VILLAGE}, "level is None"),
            ({"role": "leader", "unit": VILLAGE, "level": 5}, "level is 5"),
            ({"role": "unit_head", "unit": VILLAGE, "level": 1}, "level is 1"),
            ({"role": "unit_head", "unit": "990199"}, "no unit 990199"),
            ({"role": "unit_head", "unit": VILLAGE, "mode": "war"}, "mode is 'war'"),
            ({"role": "unit_head", "unit": VILLAGE, "until": NOW - DAY}, "ends before it begins"),
        ],
    )
    def test_links_that_cannot_be(self, stage: Stage, given: dict[str, Any], says: str) -> None:
        with pytest.raises(BadInput, match=says):
            duty.link(stage.session, stage.people[0], actor="t", since=NOW, **given)

    def test_once_is_enough(self, stage: Stage) -> None:
        given: dict[str, Any] = {"actor": "t", "role": "officer", "since": NOW,
                                 "department": stage.departments[0]}  # fmt: skip
        duty.link(stage.session, stage.people[0], **given)
        with pytest.raises(AssignmentConflict, match="already"):
            duty.link(stage.session, stage.people[0], **given)
        with pytest.raises(DepartmentNotFound):
            duty.department(stage.session, 10**9)
        with pytest.raises(BadInput, match="no category 'xyz'"):
            duty.set_matters(stage.session, stage.departments[0], {"xyz": True}, actor="t")
        with pytest.raises(BadInput, match="attendance is 'never'"):
            duty.add_department(stage.session, "x", area="990121", attendance="never", actor="t")

    def test_the_switch(self, stage: Stage) -> None:
        session, people = stage.session, stage.people
        for mode, person in (("normal", 0), ("emergency", 1)):
            execute(
                session,
                "INSERT INTO assignments (county_code, person_id, role, is_primary, grid_id, mode, "
                "valid, author) VALUES ('990121', :person, 'grid_worker', true, :grid, :mode, "
                "tstzrange(:since, NULL), 't')",
                person=people[person].id, grid=stage.grids[0], mode=mode, since=NOW,
            )  # fmt: skip
        duty.begin_emergency(session, "990121", reason="flood", actor="t", since=NOW + DAY)
        with pytest.raises(DutyConflict, match="already"):
            duty.begin_emergency(session, "990121", reason="x", actor="t", since=NOW + 2 * DAY)
        duty.end_emergency(session, "990121", actor="t", at=NOW + 3 * DAY)
        with pytest.raises(DutyConflict, match="not in emergency"):
            duty.end_emergency(session, "990121", actor="t", at=NOW + 4 * DAY)

        def first(days: int) -> str:
            return responsible(session, stage.grids[0], NOW + days * DAY)[0].name

        assert [first(days) for days in (0, 1, 2, 3)] == ["王", "李", "李", "王"]
        told = explained(session, grid=stage.grids[0], unit=VILLAGE, at=NOW + DAY)
        assert told.is_emergency
        assert [(c.name, c.verdict) for c in told.considered if c.name in "王李"] == [
            ("王", "other_mode"), ("李", "answers"),
        ]  # fmt: skip
        assert duty.emergencies(session, datetime.now(UTC)) == []
