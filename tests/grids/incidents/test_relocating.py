"""Incidents against the grids of a new edition: what moves, and events that say so, once."""

from __future__ import annotations

import uuid
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest
from shapely import box

from boundaries.errors import UnitNotFound
from data import retention
from gis.database import execute
from gis.errors import BadInput
from grids import service
from grids.incidents import present, relocating, steps
from grids.incidents import service as incidents
from grids.incidents.relocating import NotInForce, Outcome, Wanted, relocate
from grids.people import service as people
from grids.plans import changeover
from tests import factories
from tests.factories import NORTH, SOUTH, STEP, WEST, grid_code

if TYPE_CHECKING:
    from pathlib import Path

    from gis.database import Database

OLD = datetime(2026, 3, 1, tzinfo=UTC)
A, B, C, D = (grid_code(place) for place in range(4))
# In the first edition: in A; in A, and in B by the second; in C; nowhere; without a place.
PLACES = {1: 117.002, 2: 117.018, 3: 117.05, 4: 116.9, 5: None}


@pytest.fixture
def county(database: Database) -> factories.County:
    """Two editions: in the second B reaches a half further west. Five incidents of the first."""
    with database.transaction() as session:
        made = factories.county(session)
        execute(session, "UPDATE editions SET changed_over_at = now()")
        for number, lon in PLACES.items():
            report(session, number, lon)
        grids = factories.squares()
        grids.geometry = [
            box(WEST, SOUTH, WEST + STEP / 2, NORTH),
            box(WEST + STEP / 2, SOUTH, WEST + 2 * STEP, NORTH),
            *grids.geometry[2:],
        ]
        second = service.save_draft(
            session, factories.COUNTY, grids, title="second", author="t", identities=made.grids
        )
        service.publish(session, second.id, approver="a")
    return made


def report(session: Any, number: int, lon: float | None, **more: Any) -> None:
    incidents.record(
        session,
        incidents.Report(
            id=factories.uuid_of(number), category="neighbour", source="t",
            external_id=str(number), x=lon, y=None if lon is None else 45.01, reported_at=OLD,
            county_code=factories.COUNTY, **more,
        ),
        actor="t",
    )  # fmt: skip


def events(database: Database, kind: str = "reassigned") -> list[tuple[int, Any]]:
    with database.transaction() as session:
        rows = execute(
            session,
            "SELECT incident_id, actor, note, data FROM incident_events WHERE kind = :kind "
            "ORDER BY incident_id, id",
            kind=kind,
        ).all()
    return [(row.incident_id.int, row) for row in rows]


def run(database: Database, folder: Path, wanted: Wanted | None = None, **more: Any) -> Outcome:
    return relocate(database, folder, wanted or Wanted(), actor="li", **more)


def commit(database: Database, folder: Path, wanted: Wanted | None = None) -> Outcome:
    return run(database, folder, wanted, commit=True, reason="第二版启用")


def test_looks_and_changes_nothing(
    database: Database, county: factories.County, tmp_path: Path
) -> None:
    found = run(database, tmp_path)
    assert found.looked_at == 5
    assert (found.unchanged, found.outside, found.without_place) == (2, 1, 1)
    assert dict(found.moved) == {(A, B): 1}
    assert (found.written, events(database)) == (0, [])
    earlier = run(database, tmp_path, at=OLD)
    assert (earlier.unchanged, earlier.moved.total()) == (3, 0)
    assert run(database, tmp_path, at=datetime(2025, 1, 1, tzinfo=UTC)).outside == 4


def test_writes_an_event_once_and_leaves_the_past(
    database: Database, county: factories.County, tmp_path: Path
) -> None:
    done = commit(database, tmp_path)
    assert done.written == 1
    ((number, event),) = events(database)
    assert (number, event.actor, event.note) == (2, "li", "第二版启用")
    assert event.data["code"] == B
    assert event.data["grid"] == county.grids[B]
    assert event.data["person"] == str(county.workers[B])
    assert event.data["from_grid"] == county.grids[A]
    assert event.data["from_person"] == str(county.workers[A])
    with database.transaction() as session:
        stored = execute(
            session, "SELECT grid_id, person_id FROM incidents WHERE id = :i",
            i=factories.uuid_of(2),
        ).one()  # fmt: skip
        log = execute(
            session,
            "SELECT action, count, detail FROM audit_log WHERE action LIKE 'incident.relocate%' "
            "ORDER BY id",
        ).all()
    assert tuple(stored) == (county.grids[A], county.workers[A])
    assert [(row.action, row.count) for row in log] == [
        ("incident.relocate", 0), ("incident.relocated", 1),
    ]  # fmt: skip
    assert log[1].detail["looked_at"] == 5
    again = commit(database, tmp_path)
    assert (again.unchanged, again.moved.total(), again.written) == (3, 0, 0)
    assert len(events(database)) == 1


def test_change_over_and_this_agree(
    database: Database, county: factories.County, tmp_path: Path
) -> None:
    with database.transaction() as session:
        assert sum(changeover.change_over(session, author="t").values()) == 1
    assert commit(database, tmp_path).written == 0
    ((number, event),) = events(database)
    assert (number, event.data["code"]) == (2, B)


def correct(database: Database) -> None:
    """Persons say where three of them are: in D, in A after all, and in B."""
    with database.transaction() as session:
        for number, lon in ((1, 117.07), (2, 117.001), (5, 117.03)):
            execute(
                session,
                "INSERT INTO incident_events (incident_id, county_code, at, actor, kind, data) "
                "VALUES (:i, '990121', now(), 't', 'relocated', jsonb_build_object("
                "'lon', CAST(:lon AS float8), 'lat', 45.01))",
                i=factories.uuid_of(number), lon=lon,
            )  # fmt: skip


def test_a_corrected_place_is_the_one_that_counts(
    database: Database, county: factories.County, tmp_path: Path
) -> None:
    correct(database)
    done = commit(database, tmp_path)
    assert dict(done.moved) == {(A, D): 1, (None, B): 1}
    assert {number: row.data["code"] for number, row in events(database)} == {1: D, 5: B}


def test_change_over_takes_the_corrected_place(
    database: Database, county: factories.County, tmp_path: Path
) -> None:
    correct(database)
    with database.transaction() as session:
        assert sum(changeover.change_over(session, author="t").values()) == 2
    told = {number: row.data for number, row in events(database)}
    assert {number: data["code"] for number, data in told.items()} == {1: D, 5: B}
    assert told[5]["person"] == str(county.workers[B])
    assert (told[5]["from_grid"], told[1]["from_grid"]) == (None, county.grids[A])
    assert commit(database, tmp_path).written == 0


def test_a_corrected_place_in_an_exclusive_grid(
    database: Database, county: factories.County, tmp_path: Path
) -> None:
    correct(database)
    with database.transaction() as session:
        school = factories.VILLAGES[1] + "901"
        shape = box(117.06, SOUTH, 117.08, NORTH)
        ids = factories.lay_over(session, "exclusive", {school: shape}, unit=factories.VILLAGES[1])
        guard = people.add(session, "门卫", county_code=factories.COUNTY, actor="t")
        there = people.grid_by_code(session, school, datetime.now(UTC))
        people.assign(session, guard, there, actor="t", since=OLD)
    commit(database, tmp_path)
    told = {number: row.data for number, row in events(database)}
    assert (told[1]["code"], told[1]["exclusive"]) == (D, ids[school])
    assert told[1]["person"] == str(guard.id)
    assert (told[5]["exclusive"], told[5]["person"]) == (None, str(county.workers[B]))


def test_a_place_corrected_meanwhile_is_left_to_the_next_run(
    database: Database, county: factories.County, tmp_path: Path
) -> None:
    class Late(present.Here):
        """Persons are quicker than the write."""

        def placed(self, *arguments: Any) -> Any:
            for each in super().placed(*arguments):
                correct(database)
                yield each

    done = run(database, tmp_path, commit=True, reason="x", placing=Late())
    assert dict(done.moved) == {(A, B): 1}
    assert (done.written, events(database)) == (0, [])
    assert dict(commit(database, tmp_path).moved) == {(A, D): 1, (None, B): 1}


def test_of_what_is_over_nobody_is_in_charge(
    database: Database, county: factories.County, tmp_path: Path
) -> None:
    with database.transaction() as session:
        steps.step(session, factories.uuid_of(2), "closed", actor="t")
    assert run(database, tmp_path, Wanted(open_only=True)).looked_at == 4
    done = commit(database, tmp_path)
    assert (done.moved.total(), done.moved_open.total()) == (1, 0)
    ((_, event),) = events(database)
    assert (event.data["grid"], event.data["person"], event.data["reason"]) == (
        county.grids[B], None, "over",
    )  # fmt: skip


def test_only_those_wanted(database: Database, county: factories.County, tmp_path: Path) -> None:
    assert run(database, tmp_path, Wanted(area=factories.VILLAGES[0])).looked_at == 2
    assert run(database, tmp_path, Wanted(since=OLD)).looked_at == 5
    assert run(database, tmp_path, Wanted(until=OLD)).looked_at == 0
    assert run(database, tmp_path, Wanted(since=OLD + timedelta(days=1))).looked_at == 0
    with pytest.raises(UnitNotFound, match="990199"):
        run(database, tmp_path, Wanted(area="990199"))
    with pytest.raises(BadInput, match="need a reason"):
        run(database, tmp_path, commit=True, reason=" ")
    with pytest.raises(NotInForce, match=r"edition \d+ \(first\) is not in force now"):
        run(database, tmp_path, at=OLD, commit=True, reason="x")
    assert events(database) == []


def test_goes_on_after_it_was_ended(
    database: Database, county: factories.County, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(relocating, "SIZE", 2)
    with database.transaction() as session:
        for number in range(10, 17):
            report(session, number, 117.012 + number * 1e-4)

    def ended(done: int, total: int) -> None:
        assert total == 12
        if done == 8:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run(database, tmp_path, commit=True, reason="x", on_page=ended)
    written = [number for number, _ in events(database)]
    assert written == [2, 10, 11, 12]
    assert commit(database, tmp_path).written == 4
    assert [number for number, _ in events(database)] == [2, *range(10, 17)]


def test_the_anonymous_keep_what_is_known_and_time_goes_on(
    database: Database, county: factories.County, tmp_path: Path
) -> None:
    with database.transaction() as session:
        steps.step(session, factories.uuid_of(2), "closed", actor="t")
    commit(database, tmp_path)
    with database.transaction() as session:
        execute(session, "ALTER TABLE incident_events DISABLE TRIGGER incident_events_append_only")
        execute(
            session, "UPDATE incident_events SET recorded_at = '2015-01-01' "
            "WHERE kind <> 'reassigned'",
        )  # fmt: skip
        execute(session, "ALTER TABLE incident_events ENABLE TRIGGER incident_events_append_only")
    done = retention.run(database, actor="t", commit=True)
    texts = next(each.rows for each in done if each.rule.entity == "incident_texts")
    assert texts == 1, "an event of a new edition does not keep texts for longer"
    again = commit(database, tmp_path)
    assert (again.looked_at, again.written) == (4, 0)


def test_the_person_is_that_of_now(
    database: Database, county: factories.County, tmp_path: Path
) -> None:
    with database.transaction() as session:
        shape = people.grid_by_code(session, B, datetime.now(UTC))
        (assignment,) = people.assignments_of(session, shape.grid_id, datetime.now(UTC))
        people.relieve(session, assignment, actor="t", at=datetime.now(UTC))
    commit(database, tmp_path)
    ((_, event),) = events(database)
    assert (event.data["person"], event.data["reason"]) == (None, "nobody")
    assert isinstance(uuid.UUID(event.data["from_person"]), uuid.UUID)
