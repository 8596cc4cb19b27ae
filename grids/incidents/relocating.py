"""Incidents against the grids of another moment: what moves, and events that say so.

What an incident was given at its report time stays. Where it lies *now* is its last event of kind
``reassigned`` (`grids.plans.changeover` writes such, too), else the grid of its report time.
"""

from __future__ import annotations

import uuid
from collections import Counter
from dataclasses import dataclass, field
from datetime import UTC, datetime
from importlib.resources import files
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from boundaries import repository as boundaries
from boundaries.errors import UnitNotFound
from gis import audit
from gis.database import execute
from gis.errors import BadInput, Conflict, Problem
from grids.locating import many, store

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from sqlalchemy.orm import Session

    from gis.database import Database
    from grids.locating.snapshot import Compiled, Hit

SIZE: Final = 5_000
"""Incidents of a transaction."""
LOCK: Final = 0x77670001
OVER: Final = frozenset({"closed", "rejected", "merged"})


class NotInForce(Conflict):
    """What is written is what holds now; another moment can only be looked at."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """Which incidents are meant: ``since`` is within, ``until`` is not; '' is every area."""

    area: str = ""
    since: datetime | None = None
    until: datetime | None = None
    open_only: bool = False


@dataclass(slots=True)
class Outcome:
    """What became of the incidents.

    Attributes
    ----------
    looked_at
        All of them.
    without_place
        Without coordinates.
    outside
        With a place that no grid in force covers; nothing is written of them.
    unchanged
        In the grid that they are known to be in.
    moved
        How many go from which grid to which, by their codes; None where there was none.
    moved_open
        Those of them that are not over.
    written
        Events written; fewer than moved when others changed something meanwhile.
    """

    at: datetime
    editions: Sequence[int]
    looked_at: int = 0
    without_place: int = 0
    outside: int = 0
    unchanged: int = 0
    moved: Counter[tuple[str | None, str]] = field(default_factory=Counter)
    moved_open: Counter[tuple[str | None, str]] = field(default_factory=Counter)
    written: int = 0


def relocate(
    database: Database,
    folder: Path,
    wanted: Wanted,
    *,
    actor: str,
    at: datetime | None = None,
    commit: bool = False,
    reason: str = "",
    on_page: Callable[[int, int], None] | None = None,
) -> Outcome:
    """Find the grid that incidents lie in at a moment, and note it where it is another.

    Incidents are taken in pages by id, each a transaction of its own. What a run that was ended has
    written stands, and the next one writes what is left: nothing is written twice. What was made
    anonymous keeps what is known of it.

    Parameters
    ----------
    folder
        Where compiled editions are kept.
    at
        Moment of the edition that counts; None is now.
    commit
        Write events; otherwise only look.
    reason
        Why, in the author's words; kept with every event and with the audit log.
    on_page
        Told after each page how many were looked at, of how many.

    Raises
    ------
    NotInForce
        An edition of that moment is not in force now, and events were to be written.
    UnitNotFound
        No unit of that code is known.
    BadInput
        Events were to be written without a reason.
    """
    now = datetime.now(UTC)
    moment = at or now
    if commit and not reason.strip():
        raise BadInput(
            Problem("events need a reason", "Say why, as --reason '...'", field="--reason")
        )
    with database.transaction(timeout_s=0) as session:
        if wanted.area and not boundaries.units_by_code(session, [wanted.area], moment):
            raise UnitNotFound(f"there is no unit {wanted.area}")
        asked = many.in_force(store.editions(session, folder), moment)
        total = _count(session, wanted)
    outcome = Outcome(moment, [each.edition.id for each in asked])
    run = uuid.uuid4()
    if commit:
        current = {each.edition.id for each in many.in_force(asked, now)}
        if strangers := [each.edition for each in asked if each.edition.id not in current]:
            raise NotInForce(
                f"edition {strangers[0].id} ({strangers[0].title}) is not in force now: leave "
                "--at out to write what holds now, or --commit to look"
            )
        # Before anything is written, so that a run that is ended is on record, too.
        _enter(database, "incident.relocate", wanted, outcome, actor=actor, reason=reason, run=run)
    last = uuid.UUID(int=0)
    while True:
        with database.transaction(timeout_s=0) as session:
            last, count = _page(
                session, wanted, last, asked, outcome,
                actor=actor, reason=reason, moment=now, commit=commit,
            )  # fmt: skip
        if on_page is not None:
            on_page(outcome.looked_at, total)
        if count < SIZE:
            break
    if commit:
        _enter(database, "incident.relocated", wanted, outcome, actor=actor, reason=reason, run=run)
    return outcome


def _count(session: Session, wanted: Wanted) -> int:
    return int(
        execute(
            session,
            "SELECT count(*) FROM incidents WHERE anonymised_at IS NULL "
            "AND starts_with(area_code, :area) "
            "AND (CAST(:since AS timestamptz) IS NULL OR reported_at >= :since) "
            "AND (CAST(:until AS timestamptz) IS NULL OR reported_at < :until) "
            "AND (NOT :open_only OR state NOT IN ('closed', 'rejected', 'merged'))",
            **_values(wanted),
        ).scalar_one()
    )


def _values(wanted: Wanted) -> dict[str, Any]:
    return {
        "area": wanted.area, "since": wanted.since, "until": wanted.until,
        "open_only": wanted.open_only,
    }  # fmt: skip


def _page(
    session: Session,
    wanted: Wanted,
    after: uuid.UUID,
    asked: Sequence[Compiled],
    outcome: Outcome,
    *,
    actor: str,
    reason: str,
    moment: datetime,
    commit: bool,
) -> tuple[uuid.UUID, int]:
    """Look at the incidents after one, and write what moves; the last of them, and how many."""
    if commit:
        # Two runs at once take turns: the second sees what the first has written.
        execute(session, "SELECT pg_advisory_xact_lock(:lock)", lock=LOCK)
    rows = execute(session, _sql("relocate_page"), after=after, size=SIZE, **_values(wanted)).all()
    lon = np.array([row.lon for row in rows], dtype=np.float64)
    lat = np.array([row.lat for row in rows], dtype=np.float64)
    moved: list[tuple[Any, Hit]] = []
    for row, hit in zip(rows, many.locate(asked, lon, lat).hits(asked), strict=True):
        outcome.looked_at += 1
        if row.lon is None:
            outcome.without_place += 1
        elif hit is None:
            outcome.outside += 1
        elif hit.grid.grid_id == row.grid_id:
            outcome.unchanged += 1
        else:
            pair = (row.code, hit.grid.code)
            outcome.moved[pair] += 1
            outcome.moved_open[pair] += row.state not in OVER
            moved.append((row, hit))
    if commit and moved:
        written: Any = execute(
            session,
            _sql("relocate_write"),
            moment=moment,
            actor=actor,
            reason=reason,
            ids=[row.id for row, _ in moved],
            editions=[hit.compiled.edition.id for _, hit in moved],
            grids=[hit.grid.grid_id for _, hit in moved],
            codes=[hit.grid.code for _, hit in moved],
        )
        outcome.written += written.rowcount
    return (rows[-1].id if rows else after), len(rows)


def _enter(
    database: Database,
    action: str,
    wanted: Wanted,
    outcome: Outcome,
    *,
    actor: str,
    reason: str,
    run: uuid.UUID,
) -> None:
    told: dict[str, Any] = {"editions": list(outcome.editions), **_values(wanted)}
    if action == "incident.relocated":
        told |= {"looked_at": outcome.looked_at, "outside": outcome.outside}
    with database.transaction() as session:
        audit.record(
            session,
            actor=actor,
            action=action,
            object_kind="relocation",
            object_id=run,
            county_code=audit.county_of(wanted.area),
            count=outcome.written,
            purpose=reason,
            **told,
        )


def _sql(name: str) -> str:
    return files("grids.incidents").joinpath(f"sql/{name}.sql").read_text(encoding="utf-8")
