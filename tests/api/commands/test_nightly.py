"""The night's work comes once a night, and again after a failure."""

from __future__ import annotations

import time
from datetime import UTC, datetime
from threading import Event, Thread
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

import pytest
import sqlalchemy as sa

from api.commands import nightly
from gis.errors import Unavailable
from tests import factories

if TYPE_CHECKING:
    from gis.database import Database

SHANGHAI = ZoneInfo("Asia/Shanghai")


@pytest.mark.parametrize(
    ("now", "run"),
    [
        ("2026-07-01T03:29:59+08:00", "2026-07-01T03:30:00+08:00"),
        ("2026-07-01T03:30:00+08:00", "2026-07-02T03:30:00+08:00"),
        ("2026-12-31T23:59:00+08:00", "2027-01-01T03:30:00+08:00"),
        ("2026-06-30T20:00:00+00:00", "2026-07-01T19:30:00+00:00"),
    ],
)
def test_next_night(now: str, run: str) -> None:
    found = nightly.next_run(datetime.fromisoformat(now), SHANGHAI)
    assert found == datetime.fromisoformat(run)


def test_night_that_the_clocks_change() -> None:
    zone = ZoneInfo("Europe/Berlin")
    run = nightly.next_run(datetime(2026, 3, 28, 12, tzinfo=UTC), zone)
    assert run == datetime(2026, 3, 29, 1, 30, tzinfo=UTC)


def test_runs_when_it_is_due_and_again_after_a_failure(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    stopping, tries = Event(), []
    real = nightly.retention.run

    def run(*args: object, **named: object) -> object:
        tries.append(named)
        if len(tries) == 1:
            raise Unavailable("the disk is full")
        done = real(*args, **named)  # type: ignore[arg-type]
        stopping.set()
        return done

    monkeypatch.setattr(nightly.retention, "run", run)
    monkeypatch.setattr(nightly, "next_run", lambda now, _zone: now)
    monkeypatch.setattr(nightly, "RETRY", nightly.timedelta(0))
    thread = Thread(
        target=nightly.every_night, args=(database, stopping), kwargs={"timezone": "Asia/Shanghai"}
    )
    thread.start()
    thread.join(60)
    assert not thread.is_alive()
    assert len(tries) == 2
    with database.transaction() as session:
        assert session.scalar(sa.text("SELECT count(*) FROM retention_runs")) == 1


def test_an_edition_that_begins_is_followed(database: Database) -> None:
    stopping = Event()
    thread = Thread(
        target=nightly.when_editions_begin, args=(database, stopping), kwargs={"look_s": 0.05}
    )
    with database.transaction() as session:
        county = factories.county(session)
        session.execute(sa.text("UPDATE editions SET changed_over_at = NULL"))
    thread.start()
    waiting = sa.text("SELECT changed_over_at FROM editions WHERE id = :id")
    for _ in range(2000):
        with database.transaction() as session:
            if session.scalar(waiting, {"id": county.edition}) is not None:
                break
        time.sleep(0.05)
    else:
        pytest.fail("nobody looked")
    stopping.set()
    thread.join(60)
    assert not thread.is_alive()
