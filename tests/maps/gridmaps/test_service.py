"""Grid maps of the database when the grids changed within the period."""

from __future__ import annotations

import uuid
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pytest
import sqlalchemy as sa
from shapely import box

from gis.errors import BadInput
from grids import service as editions
from grids.incidents import service as incidents
from grids.incidents.repository import Filter
from maps.gridmaps import words
from maps.gridmaps.service import incident_gridmap, unit_borders
from tests import factories

if TYPE_CHECKING:
    from sqlalchemy.orm import Session

CHANGED = datetime(2026, 2, 16, tzinfo=UTC)
PERIOD = Filter(start=datetime(2026, 2, 2, tzinfo=UTC), end=datetime(2026, 3, 2, tzinfo=UTC))
NOW = datetime(2026, 4, 10, tzinfo=UTC)


def report(session: Session, place: int, count: int, *, after: bool) -> None:
    lon, lat = factories.middle(place)
    for number in range(count):
        incidents.record(
            session,
            incidents.Report(
                id=uuid.uuid4(), category="neighbour", source="s", x=lon, y=lat,
                reported_at=CHANGED + timedelta(hours=number + 1 if after else -number - 1),
            ),
            actor="t",
        )  # fmt: skip


@pytest.fixture
def changed(session: Session) -> Session:
    """The second village's two grids become one halfway; events before and after in all."""
    factories.county(session)
    for place, count in ((0, 7), (2, 3), (3, 9)):
        report(session, place, count, after=False)
    frame = factories.squares().iloc[:3].copy()
    west = factories.WEST + 2 * factories.STEP
    frame.loc[2, "geometry"] = box(
        west, factories.SOUTH, factories.WEST + 4 * factories.STEP, factories.NORTH
    )
    frame.loc[2, "households"] = 600
    second = editions.save_draft(session, factories.COUNTY, frame, title="second", author="planner")
    later = datetime.now(UTC) + timedelta(hours=1)
    editions.publish(session, second.id, approver="approver", effective=later)
    # Nobody publishes into the past; here the change is brought back into a finished quarter.
    session.execute(sa.text("ALTER TABLE editions DISABLE TRIGGER editions_history"))
    for which, valid in (("<", "[2026-01-01, 2026-02-16)"), ("=", "[2026-02-16,)")):
        session.execute(
            sa.text(
                "UPDATE editions SET valid = CAST(:valid AS tstzrange), status = "
                f"CASE WHEN id = :id THEN 'active' ELSE 'superseded' END WHERE id {which} :id"
            ),
            {"id": second.id, "valid": valid},
        )
    for place, count in ((0, 2), (3, 5)):
        report(session, place, count, after=True)
    return session


def test_counts_are_carried_by_point_when_the_edition_changed(changed: Session) -> None:
    made = incident_gridmap(changed, PERIOD, measure="count", now=NOW)
    assert made.counts.tolist() == [9, 0, 17]
    assert made.n_carried == 19
    assert "in force at its end: 19 incidents." in " ".join(words.notes(made, "en"))
    # Before the change it is another map, of other grids, and nothing is carried.
    before = Filter(start=PERIOD.start, end=CHANGED)
    made = incident_gridmap(changed, before, measure="count", now=NOW)
    assert (made.counts.tolist(), made.n_carried) == ([7, 0, 3, 9], 0)


def test_so_are_those_of_a_shared_map(changed: Session) -> None:
    made = incident_gridmap(changed, PERIOD, measure="count", shared=True, now=NOW)
    assert (made.about.start.date().isoformat(), made.about.end.date().isoformat()) == (
        "2025-12-29", "2026-03-30",
    )  # fmt: skip
    assert made.counts.tolist() == [9, 0, 17]
    assert made.n_carried == 15
    borders = unit_borders(changed, made)
    assert borders is not None
    assert borders["name"].tolist() == ["示范村1", "示范村2"]


def test_before_the_first_edition_there_is_nothing_to_map(changed: Session) -> None:
    early = Filter(start=datetime(2025, 1, 1, tzinfo=UTC), end=datetime(2025, 2, 1, tzinfo=UTC))
    with pytest.raises(BadInput, match="no grids were in force"):
        incident_gridmap(changed, early, now=NOW)
