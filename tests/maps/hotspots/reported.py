"""Sixteen weeks of reports in the county of ``tests.factories``."""

from __future__ import annotations

import uuid
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from grids.incidents import service as incidents
from tests import factories

if TYPE_CHECKING:
    from sqlalchemy.orm import Session

MONDAY = datetime(2026, 1, 5, tzinfo=UTC)
WEEKS = 16
AFTER = MONDAY + timedelta(weeks=WEEKS)


def report(
    session: Session,
    place: int | None,
    at: datetime,
    *,
    happened: datetime | None = None,
    category: str = "neighbour",
    off: float = 0.0,
) -> None:
    lon, lat = factories.middle(place) if place is not None else (None, None)
    incidents.record(
        session,
        incidents.Report(
            id=uuid.uuid4(), category=category, source="test", reported_at=at,
            occurred_at=happened, x=None if lon is None else lon + off, y=lat,
        ),
        actor="test",
    )  # fmt: skip


def fill(session: Session) -> None:
    """Three reports a week in the westernmost grid and one in the easternmost."""
    for week in range(WEEKS):
        for day in (0, 2, 4):
            report(session, 0, MONDAY + timedelta(weeks=week, days=day))
        report(session, 3, MONDAY + timedelta(weeks=week, days=3))
