"""Put the demo place into a database, through the importers that real files go through."""

from __future__ import annotations

import tempfile
from datetime import UTC, date, datetime, time, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Final
from zoneinfo import ZoneInfo

import sqlalchemy as sa

from boundaries import editions
from data.demo import LOADED
from data.importers.run import run_import
from data.sample.files import write, write_table, write_workers
from data.sample.patrols import with_riders
from data.sample.people import workers
from data.sample.place import build
from gis import audit
from gis.errors import BadInput, Conflict
from grids import planning, service

if TYPE_CHECKING:
    from collections.abc import Callable

    from gis.database import Database

COUNTY: Final = "990121"
SOURCE: Final = "demo"
ZONE: Final = ZoneInfo("Asia/Shanghai")
# The first edition begins before the first incident, so that each has a grid.
EDITION_DAYS: Final = 365 * 2 + 30


class NotEmpty(Conflict):
    """The database holds a real place; invented data never goes beside it."""


def load(
    database: Database,
    *,
    actor: str,
    say: Callable[[str], None] = lambda _: None,
    until: date | None = None,
    seed: int = 1,
) -> None:
    """Build the demo place, import its files, draw and publish its grids, assign its workers.

    Broken off, it goes on where it stopped when called again: imports are idempotent.

    Parameters
    ----------
    until
        Last day of the two years of incidents; yesterday when left out.

    Raises
    ------
    NotEmpty
        Units of another source are in the database.
    """
    _refuse_real_data(database)
    # Of today's incidents some would be to come.
    last = until or datetime.now(ZONE).date() - timedelta(days=1)
    say("inventing the place")
    place = build(seed=seed, until=last)
    with tempfile.TemporaryDirectory(prefix="wangge-demo-") as folder:
        say("writing its files")
        files = write(place, Path(folder))

        def bring(kind: str, path: Path) -> None:
            say(f"importing {kind}")
            report = run_import(
                kind,
                path,
                database=database,
                commit=True,
                strict=True,
                source=SOURCE,
                actor=actor,
                county=None if kind == "units" else COUNTY,
            )
            if report.rejected:
                raise BadInput(report.problems)

        bring("units", files["units"])
        bring("borders", files["borders"])
        bring("buildings", files["buildings"])
        bring("barriers", files["barriers"])
        bring("places", files["places"])
        _publish_grids(database, last, actor=actor, say=say)
        bring("routes", files["routes"])
        bring("cameras", files["cameras"])
        with database.transaction() as session:
            edition = editions.in_force(session, datetime.now(UTC))[0]
            grids = planning.grids_frame(session, edition.id)
        people = Path(folder) / "workers.xlsx"
        peopled = workers(grids, place=place, seed=seed, until=last)
        write_workers(peopled, people)
        bring("workers", people)
        bring("incidents", files["incidents"])
        write_table(with_riders(place.tracks, peopled), files["tracks"])
        bring("tracks", files["tracks"])
    with database.transaction(timeout_s=0) as session:
        audit.record(
            session,
            actor=actor,
            action=LOADED,
            object_kind="county",
            object_id=COUNTY,
            county_code=COUNTY,
            until=last.isoformat(),
        )
    with database.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        connection.execute(sa.text("ANALYZE"))


def _refuse_real_data(database: Database) -> None:
    with database.transaction() as session:
        other = session.scalar(
            sa.text("SELECT count(*) FROM admin_units WHERE source <> :demo"), {"demo": SOURCE}
        )
    if other:
        raise NotEmpty(
            f"this database holds {other:,} units of a real place: the demo goes into a database "
            "of its own (leave WANGGE_DATABASE_URL unset, or name an empty one)"
        )


def _publish_grids(
    database: Database, last: date, *, actor: str, say: Callable[[str], None]
) -> None:
    with database.transaction(timeout_s=0) as session:
        if editions.in_force(session, datetime.now(UTC)):
            return
        say("drawing grids")
        _, edition = planning.draw_draft(
            session, COUNTY, author=actor, title="示范旗网格(虚构) Demo grids (invented)"
        )
        start = datetime.combine(last - timedelta(days=EDITION_DAYS), time(), tzinfo=ZONE)
        say("publishing them")
        service.publish(session, edition.id, approver=actor, effective=start)
