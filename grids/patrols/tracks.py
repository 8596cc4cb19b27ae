"""One's own patrols with their fixes, exact as long as they are kept, and coarse afterwards."""

from __future__ import annotations

import uuid
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING

import sqlalchemy as sa

from gis import audit
from gis.errors import BadInput, Problem
from grids.patrols.models import Patrol, TrackFix

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sqlalchemy.orm import Session


@dataclass(frozen=True, slots=True)
class Fix:
    """A position, WGS 84 longitude and latitude in degrees, with its accuracy in metres."""

    at: datetime
    lon: float
    lat: float
    accuracy_m: float | None


@dataclass(frozen=True, slots=True)
class Reduced:
    """What is left of fixes: how many, from when to when, and where, to about 500 m."""

    fixes: int
    first_at: datetime
    last_at: datetime
    reduced_at: datetime
    places: tuple[tuple[float, float], ...]


@dataclass(frozen=True, slots=True)
class Track:
    """A patrol, its fixes in order of time, and what is left of those that were reduced."""

    patrol: Patrol
    fixes: list[Fix] = field(default_factory=list)
    reduced: Reduced | None = None


def kept_days(session: Session) -> int:
    """For how many days fixes are kept before they are reduced."""
    days = session.scalar(sa.text("SELECT days FROM retention_rules WHERE entity = 'track_fixes'"))
    return int(days or 0)


def own(
    session: Session,
    person_id: uuid.UUID | None,
    *,
    start: datetime | None = None,
    end: datetime | None = None,
    limit: int,
    cursor: str | None = None,
) -> tuple[list[Track], str | None]:
    """Patrols of a person that have begun, newest first, and the cursor of those before them.

    Entered in the audit log, as every reading of tracks. Row-level security asks for ``tracks.own``
    and the caller's own person beside.

    Parameters
    ----------
    person_id
        Of the caller; None, who is nobody's account, has no patrols.
    start, end
        Only patrols that went on at some time from ``start`` up to, not including, ``end``.

    Raises
    ------
    BadInput
        The cursor is none of ours.
    """
    statement = sa.select(Patrol).where(
        Patrol.person_id == person_id, Patrol.started_at.is_not(None)
    )
    if start is not None:
        statement = statement.where(sa.or_(Patrol.ended_at.is_(None), Patrol.ended_at >= start))
    if end is not None:
        statement = statement.where(Patrol.started_at < end)
    if cursor is not None:
        last = _of_cursor(session, person_id, cursor)
        statement = statement.where(
            sa.tuple_(Patrol.started_at, Patrol.id) < sa.tuple_(last.started_at, last.id)
        )
    found = session.scalars(
        statement.order_by(Patrol.started_at.desc(), Patrol.id.desc()).limit(limit + 1)
    ).all()
    patrols = found[:limit]
    reduced = _reduced(session, patrols)
    tracks = {each.id: Track(each, reduced=reduced.get(each.id)) for each in patrols}
    _add_fixes(session, tracks)
    audit.read(
        session,
        object_kind="patrol",
        fields=("accuracy_m", "place", "team", "times"),
        seen=[(each.id, each.area_code) for each in patrols],
        start=start,
        end=end,
    )
    return list(tracks.values()), str(patrols[-1].id) if len(found) > limit else None


def _of_cursor(session: Session, person_id: uuid.UUID | None, cursor: str) -> Patrol:
    number = int(cursor) if cursor.isascii() and cursor.isdecimal() and len(cursor) < 19 else None
    found = session.scalars(
        sa.select(Patrol).where(
            Patrol.id == number, Patrol.person_id == person_id, Patrol.started_at.is_not(None)
        )
    ).first()
    if found is None:
        raise BadInput(
            Problem(
                "this cursor is none of ours",
                "Take it from 'next' of the page before, unchanged",
                field="cursor",
            )
        )
    return found


def _add_fixes(session: Session, tracks: dict[int, Track]) -> None:
    if not tracks:
        return
    starts = [each.patrol.started_at for each in tracks.values() if each.patrol.started_at]
    ends = [each.patrol.ended_at for each in tracks.values()]
    statement = sa.select(
        TrackFix.patrol_id,
        TrackFix.fixed_at,
        sa.func.ST_X(TrackFix.geom),
        sa.func.ST_Y(TrackFix.geom),
        TrackFix.accuracy_m,
        # Said beside the patrols' numbers, so that only their months are read.
    ).where(TrackFix.patrol_id.in_(tracks), TrackFix.fixed_at >= min(starts))
    closed = [each for each in ends if each is not None]
    if len(closed) == len(ends):
        statement = statement.where(TrackFix.fixed_at <= max(closed))
    for number, at, lon, lat, accuracy_m in session.execute(
        statement.order_by(TrackFix.patrol_id, TrackFix.fixed_at)
    ):
        tracks[number].fixes.append(Fix(at, lon, lat, accuracy_m))


def _reduced(session: Session, patrols: Sequence[Patrol]) -> dict[int, Reduced]:
    rows = session.execute(
        sa.text(
            "SELECT patrol_id, fixes, first_at, last_at, reduced_at, "
            "array_agg(ST_X(d.geom) ORDER BY d.path) AS lon, "
            "array_agg(ST_Y(d.geom) ORDER BY d.path) AS lat "
            "FROM track_summaries AS s, ST_Dump(s.geom) AS d WHERE patrol_id = ANY(:ids) "
            "GROUP BY patrol_id"
        ),
        {"ids": [each.id for each in patrols]},
    )
    return {
        row.patrol_id: Reduced(
            row.fixes,
            row.first_at,
            row.last_at,
            row.reduced_at,
            tuple(zip(row.lon, row.lat, strict=True)),
        )
        for row in rows
    }
