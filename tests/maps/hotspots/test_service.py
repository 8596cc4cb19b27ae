"""Hot spots, the attention list and its back-test of the incidents in the database."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, datetime, timedelta
from typing import TYPE_CHECKING

import numpy as np
import pytest

from boundaries import editions
from boundaries.access import Scope
from boundaries.errors import UnitNotFound
from gis.errors import BadInput
from grids import service as grids
from grids.incidents.repository import Filter
from maps.hotspots import service
from maps.hotspots.findings import Class, Way
from maps.hotspots.layer import findings_layer, list_layer, records
from maps.hotspots.repository import Clock, Ground
from maps.hotspots.study import Asked, before_week, over_period
from tests import factories
from tests.maps.hotspots.reported import AFTER, MONDAY, WEEKS, fill, report

if TYPE_CHECKING:
    from sqlalchemy.orm import Session


def asked(
    start: datetime | None = None, end: datetime | None = None, *, unit: str | None = None,
    scope: Scope | None = None, category: str | None = None, now: datetime = AFTER,
) -> Asked:  # fmt: skip
    return Asked(
        wanted=Filter(
            start=start, end=end, categories=(category,) if category else (),
            scope=scope or Scope(""),
        ),
        unit=unit, timezone="UTC", now=now,
    )  # fmt: skip


@pytest.fixture
def busy(session: Session) -> Session:
    """Sixteen weeks with three reports each in the westernmost grid and one in the easternmost."""
    factories.county(session)
    fill(session)
    return session


def test_events_are_counted_when_they_happened_and_forecasts_when_reported(
    session: Session,
) -> None:
    factories.county(session)
    report(session, 1, MONDAY + timedelta(days=9), happened=MONDAY + timedelta(days=6))
    report(session, 2, MONDAY + timedelta(days=3))
    first_week = asked(MONDAY, MONDAY + timedelta(days=7))
    by_event = over_period(session, first_week, Clock.EVENT)
    assert by_event.counts.tolist() == [0, 1, 1, 0]
    assert any("when it happened: 1 incident." in n.en for n in by_event.notes)
    assert over_period(session, first_week, Clock.REPORT).counts.tolist() == [0, 0, 1, 0]


def test_weeks_begin_on_monday_by_the_local_clock(session: Session) -> None:
    factories.county(session)
    report(session, 0, MONDAY)
    sunday_night = AFTER - timedelta(hours=4)
    report(session, 1, sunday_night)
    here = before_week(session, asked(), date(2026, 4, 30))
    assert (here.start, here.end, here.weeks) == (MONDAY, AFTER, WEEKS)
    assert here.weekly()[1].tolist() == [0] * (WEEKS - 1) + [1]
    # Eight hours further east it is Monday already: no part of what was known before it began.
    east = Asked(wanted=Filter(), timezone="Asia/Shanghai", now=AFTER)
    assert before_week(session, east, date(2026, 4, 30)).counts.tolist() == [1, 0, 0, 0]


def test_a_new_edition_takes_the_counts_by_point_and_says_so(session: Session) -> None:
    factories.county(session)
    changed = MONDAY + timedelta(days=30)
    report(session, 0, MONDAY)
    report(session, 0, MONDAY + timedelta(days=1), off=0.009)
    moved = factories.squares()
    west, south, _, north = moved.total_bounds
    line, middle = west + factories.STEP - 0.005, west + 2 * factories.STEP
    moved.geometry = [
        factories.box(west, south, line, north),
        factories.box(line, south, middle, north),
        *moved.geometry[2:],
    ]
    draft = grids.save_draft(session, factories.COUNTY, moved, title="second", author="planner")
    editions.activate(session, draft, approver="approver", at=changed)
    report(session, 1, changed + timedelta(days=1))
    end = changed + timedelta(days=5)
    new = over_period(session, asked(MONDAY, end), Clock.EVENT)
    assert new.counts.tolist() == [1, 2, 0, 0]
    assert new.events.carried == 2
    assert any(
        "given to a grid of another edition when reported: 2 incidents." in n.en for n in new.notes
    )
    old = over_period(session, asked(MONDAY, changed), Clock.EVENT)
    assert old.counts.tolist() == [2, 0, 0, 0]
    assert old.events.carried == 0
    assert not any("edition" in note.en for note in old.notes)


def test_before_the_first_edition_the_present_one_counts(session: Session) -> None:
    factories.county(session, since=MONDAY)
    report(session, 0, MONDAY - timedelta(days=20))
    made = over_period(
        session, asked(MONDAY - timedelta(days=30), MONDAY - timedelta(days=10)), Clock.EVENT
    )
    assert made.counts.sum() == 1
    assert "No edition was in force then" in made.notes[0].en


def test_no_grids_at_all_are_refused(session: Session) -> None:
    factories.units(session)
    with pytest.raises(BadInput, match="no grids in force"):
        service.hot_spots(session, asked(), Way.HOT_GRIDS)


def test_a_scope_and_a_unit_see_their_grids_only(busy: Session) -> None:
    village = factories.VILLAGES[0]
    whole = service.hot_spots(busy, asked(MONDAY, AFTER), Way.HOT_GRIDS)
    assert whole.study.place.en == "Demo Banner"
    assert whole.total == 4 * WEEKS
    for part in (asked(MONDAY, AFTER, scope=Scope(village)), asked(MONDAY, AFTER, unit=village)):
        made = service.hot_spots(busy, part, Way.HOT_GRIDS)
        assert made.study.ground.codes == (factories.grid_code(0), factories.grid_code(1))
        assert made.counts.tolist() == [3 * WEEKS, 0]
        assert made.study.place.en == "Demo Village 1"
    with pytest.raises(UnitNotFound):
        service.hot_spots(busy, asked(unit="990199"), Way.HOT_GRIDS)


def test_open_period_is_twelve_weeks_up_to_the_last_report(busy: Session) -> None:
    study = over_period(busy, asked(), Clock.EVENT)
    last = MONDAY + timedelta(weeks=WEEKS - 1, days=4)
    assert study.end == last + timedelta(days=1)
    assert study.end - study.start == timedelta(weeks=12)


def test_every_way_answers(busy: Session) -> None:
    period = asked(MONDAY, AFTER)
    for way in Way:
        made = service.hot_spots(busy, period, way)
        assert made.total == 4 * WEEKS
        if way is Way.NEAR_REPEAT:
            assert made.pairs is not None
            assert made.pairs.observed[0].sum() > 0
            with pytest.raises(BadInput, match="no layer"):
                findings_layer(made)
            continue
        rows = records(findings_layer(made))
        if way is Way.REPEAT_ADDRESSES:
            assert [row["events"] for row in rows] == [3 * WEEKS, WEEKS]
            assert rows[0]["code"] == factories.grid_code(0)
            assert (rows[0]["lon"], rows[0]["lat"]) == pytest.approx(factories.middle(0))
        else:
            assert [row["events"] for row in rows] == [48, 0, 0, 16]
            assert all(row["class_zh"] and row["p"] is not None for row in rows)
    found = service.hot_spots(busy, period, Way.HOT_GRIDS)
    assert found.classes[0] is Class.HOT
    assert found.observed.tolist() == [48, 48, 16, 16]
    assert found.expected.tolist() == pytest.approx([32, 48, 48, 32])
    assert service.hot_spots(busy, period, Way.SCAN, weekly=True).clusters[0].last_week == WEEKS - 1


def test_a_period_to_come_is_said_to_be_one(busy: Session) -> None:
    later = asked(AFTER + timedelta(days=400), AFTER + timedelta(days=430))
    told = {}
    for now in (AFTER, AFTER + timedelta(days=500)):
        study = over_period(busy, replace(later, now=now), Clock.EVENT)
        told[now] = [(note.zh, note.en) for note in study.notes]
        assert ("本时段内无事件。", "No incidents in this period.") in told[now]
    first, last = (
        any("has not begun" in en and "尚未开始" in zh for zh, en in said) for said in told.values()
    )
    assert (first, last) == (True, False)


def test_a_category_never_seen_is_a_quiet_map(busy: Session) -> None:
    for way in Way:
        made = service.hot_spots(busy, asked(MONDAY, AFTER, category="tourism"), way)
        assert made.total == 0
        assert set(made.classes) == {Class.NONE}
    with pytest.raises(BadInput, match="unknown category 'quarrel'"):
        service.hot_spots(busy, asked(category="quarrel"), Way.HOT_GRIDS)


@pytest.mark.parametrize(
    ("households", "expected", "said"),
    [
        ([0, 300, 300, 300], Class.UNTESTED, "In grids that are not tested: 48 incidents."),
        ([0, 0, 0, 0], Class.HOT, "No households are known"),
    ],
)
def test_unknown_households_are_said(
    session: Session, households: list[int], expected: Class, said: str
) -> None:
    factories.units(session)
    drawn = factories.squares().assign(households=households)
    draft = grids.save_draft(session, factories.COUNTY, drawn, title="t", author="planner")
    grids.publish(session, draft.id, approver="approver", effective=factories.SINCE)
    fill(session)
    made = service.hot_spots(session, asked(MONDAY, AFTER), Way.HOT_GRIDS)
    assert made.classes[0] is expected
    assert any(said in note.en for note in made.notes)


def test_too_short_a_period_names_the_field(busy: Session) -> None:
    with pytest.raises(BadInput, match="5 whole weeks") as caught:
        service.hot_spots(busy, asked(AFTER - timedelta(weeks=5), AFTER), Way.EMERGING)
    assert caught.value.problems[0].field == "start"


def test_list_of_the_week(busy: Session) -> None:
    listed = service.attention_list(busy, asked(), share=0.3)
    assert listed.week == AFTER.date()
    assert listed.attention.expected.sum() == pytest.approx(4, rel=0.1)
    first = records(list_layer(listed))[0]
    assert (first["rank"], first["code"]) == (1, factories.grid_code(0))
    assert "件" in first["reason_zh"]
    assert "12 in the last 4 weeks" in first["reason_en"]
    assert [
        len(service.attention_list(busy, asked(), share=1, most=most).attention.reasons)
        for most in (1, 2)
    ] == [1, 1]  # no more grids stand out from the map
    # What comes in during the week changes nothing about its list.
    report(busy, 2, AFTER + timedelta(days=1))
    later = service.attention_list(busy, asked(now=AFTER + timedelta(days=2)), share=0.3)
    assert later.attention.expected.tolist() == listed.attention.expected.tolist()


def test_list_after_a_long_silence_is_of_the_week_after_the_last_report(busy: Session) -> None:
    listed = service.attention_list(busy, asked(now=AFTER + timedelta(days=60)))
    assert listed.week == AFTER.date()
    assert "Nothing has been reported since 2026-04-24" in listed.study.notes[0].en


def test_list_needs_weeks_that_are_over(busy: Session) -> None:
    with pytest.raises(BadInput, match="7 whole weeks before the week of 2026-02-23"):
        service.attention_list(busy, asked(), week=date(2026, 2, 25))
    with pytest.raises(BadInput, match="has not begun"):
        service.attention_list(busy, asked(), week=AFTER.date() + timedelta(days=7))
    with pytest.raises(BadInput, match="share"):
        service.attention_list(busy, asked(), share=0)
    with pytest.raises(BadInput, match="nothing has been reported"):
        service.attention_list(busy, asked(category="tourism"))


def test_back_test_judges_the_last_weeks(busy: Session) -> None:
    tested = service.back_test(busy, asked(), weeks=4)
    assert tested.mondays[0] == date(2026, 3, 30)
    assert tested.mondays[-1] == date(2026, 4, 20)
    assert tested.weeks_before == 12
    assert tested.test.events.tolist() == [4, 4, 4, 4]
    # One grid of four holds three of four events: a twentieth of the area catches a fifth of them.
    assert tested.test.pai[:, 1] == pytest.approx(3)
    assert not any("differ much in size" in note.en for note in tested.study.notes)
    with pytest.raises(BadInput, match="Give 1 to 4"):
        service.back_test(busy, asked())


def test_vast_grids_beside_small_ones_are_warned_of() -> None:
    def noted(areas: list[float]) -> tuple[object, ...]:
        n = np.arange(len(areas))
        names = tuple(map(str, n))
        ground = Ground(
            n, n, names, names, names, n * 1.0, np.array(areas), np.empty(0, dtype=object), None
        )
        return service._uneven(ground)

    assert noted([1] * 100) == ()
    [said] = noted([1] * 60 + [100] * 40)
    assert "5% of the area can hold 61 of 100 grids" in said.en
