"""Work that a served installation does by itself: every night, and when an edition begins."""

from __future__ import annotations

import logging
from datetime import datetime, time, timedelta
from typing import TYPE_CHECKING, Final
from zoneinfo import ZoneInfo

from sqlalchemy.exc import DBAPIError

from data import retention
from gis.errors import WanggeError
from grids.plans import changeover

if TYPE_CHECKING:
    from threading import Event

    from gis.database import Database

log = logging.getLogger("wangge.nightly")

AT: Final = time(3, 30)
"""When few are at work, and no day's figures are being made."""
RETRY: Final = timedelta(minutes=10)
LOOK_S: Final = 20.0
"""How often it is looked whether an edition has begun."""


def next_run(now: datetime, zone: ZoneInfo, at: time = AT) -> datetime:
    """The next moment of that local time after ``now``; an hour the clocks skip counts as after."""
    local = now.astimezone(zone)
    run = datetime.combine(local.date(), at, zone)
    if run <= local:
        run = datetime.combine(local.date() + timedelta(days=1), at, zone)
    return run.astimezone(now.tzinfo)


def every_night(database: Database, stopping: Event, *, timezone: str) -> None:
    """Apply the rules of retention each night until told to stop; for a thread of the server.

    A night that fails is tried again every ten minutes; what it did not do stays due.
    """
    zone = ZoneInfo(timezone)
    due = next_run(datetime.now(zone), zone)
    while not stopping.wait(min(60.0, max(1.0, (due - datetime.now(zone)).total_seconds()))):
        now = datetime.now(zone)
        if now < due:
            continue
        try:
            outcomes = retention.run(database, actor="wangge nightly", commit=True)
        except (WanggeError, DBAPIError) as error:
            log.warning("retention failed and is tried again: %s", type(error).__name__)
            due = now + RETRY
            continue
        log.info("retention: %s rows", sum(each.rows for each in outcomes))
        due = next_run(now, zone)


def when_editions_begin(database: Database, stopping: Event, *, look_s: float = LOOK_S) -> None:
    """Let open incidents follow each edition that was published for a later day, as it begins.

    For a thread of the server. What fails is tried again the next time; nothing is done twice.
    """
    while not stopping.wait(look_s):
        try:
            with database.transaction() as session:
                followed = changeover.change_over(session, author="wangge change-over")
        except (WanggeError, DBAPIError) as error:
            log.warning("change-over failed and is tried again: %s", type(error).__name__)
            continue
        for edition, incidents in followed.items():
            log.info("edition %s is in force: %s open incidents follow", edition, incidents)
