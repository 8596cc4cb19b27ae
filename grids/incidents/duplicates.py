"""Which incidents may be one, and which places have them again and again: offered to a person.

Nothing is merged by itself: `grids.incidents.steps.step` does it for whoever decides so. Everything
is looked for within what the session's caller sees.
"""

from __future__ import annotations

import base64
import json
import math
import uuid
from dataclasses import dataclass
from datetime import datetime, timedelta
from importlib.resources import files
from typing import TYPE_CHECKING, Any, Final, Literal

import sqlalchemy as sa

from gis.database import execute
from gis.errors import BadInput, Problem
from grids.incidents import unlike
from grids.incidents.errors import IncidentNotFound
from grids.incidents.likeness import (
    REACH_M,
    SIGMA_PER_RADIUS,
    WITHIN_DAYS,
    Likeness,
    Told,
    at_most,
    likeness,
    weights,
)
from grids.incidents.models import Incident, IncidentCategory

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from sqlalchemy.orm import Session

# Finds 98 % of the second reports that bench/duplicates.py makes; of its offers 85 % are right.
THRESHOLD: Final = 0.8
# Of a busy place the latest are looked at, as many as are read in a few milliseconds.
MOST_CANDIDATES: Final = 200
MOST_REACH_M: Final = 2_000.0
LATE_TEXTS: Final = 100
"""Reports of late that tell which words say little."""
LEAST_DEGREE_M: Final = 110_574.0
"""The shortest degree of latitude, at the equator."""

By = Literal["address", "building", "place"]
# About 300 m2: a house and its yard. Of places told by satellite one in three is farther off.
PLACE_SIDE_M: Final = math.sqrt(300)
FEWEST: Final = 3


@dataclass(frozen=True, slots=True)
class Duplicate:
    """An incident that may be the same as another, and why."""

    incident: Incident
    likeness: Likeness


@dataclass(frozen=True, slots=True)
class Repeat:
    """An address, building or place with several incidents.

    Attributes
    ----------
    label
        The address as it was told last, the building's, or the middle of the place as lon,lat.
    categories
        How many of each category.
    incidents
        Their ids, the latest first, up to 20.
    lon, lat
        Mean place, WGS 84 degrees; None where none of them has one.
    apart_m
        Diagonal of the box around their places, metres: a text such as "on the road" is no place.
    """

    key: str
    label: str
    county_code: str
    count: int
    categories: Mapping[str, int]
    first_at: datetime
    last_at: datetime
    lon: float | None
    lat: float | None
    apart_m: float | None
    incidents: Sequence[uuid.UUID]


def duplicates(
    session: Session,
    incident_id: uuid.UUID,
    *,
    threshold: float = THRESHOLD,
    limit: int = 20,
) -> list[Duplicate]:
    """Incidents that may be the same as one, the likeliest first.

    Looked for within 500 m (farther where the place is vague) and 14 days before and after; for
    one without a place, at the same address. Merged ones are not offered: what they were merged
    into is. Nor are those that somebody said are not the same.

    Parameters
    ----------
    threshold
        Least probability to be offered, 0 to 1.

    Raises
    ------
    IncidentNotFound
        No such incident.
    """
    incident = session.execute(_rows().where(Incident.id == incident_id)).one_or_none()
    if incident is None:
        raise IncidentNotFound(f"there is no incident {incident_id}")
    asked = _told(incident)
    near = [(row, _told(row)) for row in _candidates(session, incident)]
    # Most are too far away or too long ago, whatever they say.
    near = [each for each in near if at_most(asked, each[1]) >= threshold]
    if not near:
        return []
    common = weights([incident.text, *(told.text for _, told in near), *_late(session)])
    found = [(likeness(asked, told, common), row.id) for row, told in near]
    found = [each for each in found if each[0].score >= threshold]
    said = unlike.said(session, incident_id, [number for _, number in found]) if found else {}
    found = sorted(
        (each for each in found if each[1] not in said or not said[each[1]].unlike),
        key=lambda each: (-each[0].score, each[1]),
    )[:limit]
    return [Duplicate(session.get_one(Incident, number), like) for like, number in found]


def _rows() -> sa.Select[Any]:
    """What is compared of incidents: they are many, and their other columns are not read."""
    return sa.select(
        Incident.id,
        Incident.county_code,
        sa.func.coalesce(Incident.occurred_at, Incident.reported_at).label("at"),
        Incident.reported_at,
        Incident.category,
        IncidentCategory.kind,
        Incident.text,
        Incident.address,
        sa.func.ST_X(Incident.geom).label("lon"),
        sa.func.ST_Y(Incident.geom).label("lat"),
        Incident.accuracy_m,
    ).join(IncidentCategory, IncidentCategory.code == Incident.category)


def _told(row: Any) -> Told:
    return Told(
        at=row.at,
        category=row.category,
        kind=row.kind,
        text=row.text,
        address=row.address,
        lon=row.lon,
        lat=row.lat,
        accuracy_m=row.accuracy_m,
    )


def _candidates(session: Session, incident: Any) -> Sequence[Any]:
    """Incidents near in place and time, the latest first."""
    away = timedelta(days=WITHIN_DAYS)
    # The time of report is indexed; what happened may have happened a good while before.
    statement = (
        _rows()
        .where(
            Incident.id != incident.id,
            Incident.county_code == incident.county_code,
            Incident.state.not_in(("merged", "rejected")),
            Incident.reported_at >= incident.at - away,
            Incident.reported_at < incident.reported_at + away,
        )
        .order_by(Incident.reported_at.desc())
        .limit(MOST_CANDIDATES)
    )
    if incident.lon is not None:
        reach = max(REACH_M, 3 * SIGMA_PER_RADIUS * (incident.accuracy_m or 0))
        box = _box(incident.lon, incident.lat, min(reach, MOST_REACH_M))
        statement = statement.where(Incident.geom.op("&&")(box))
    elif incident.address:
        statement = statement.where(Incident.address == incident.address)
    else:
        return []
    return session.execute(statement).all()


def _box(lon: float, lat: float, reach_m: float) -> sa.Function[Any]:
    high = reach_m / LEAST_DEGREE_M
    wide = high / max(math.cos(math.radians(min(abs(lat) + high, 89.9))), 0.01)
    return sa.func.ST_MakeEnvelope(lon - wide, lat - high, lon + wide, lat + high, 4326)


def _late(session: Session) -> Sequence[str]:
    """What was said of late, whatever of it the caller sees."""
    return session.scalars(
        sa.select(Incident.text).order_by(Incident.reported_at.desc()).limit(LATE_TEXTS)
    ).all()


def repeats(
    session: Session,
    *,
    start: datetime,
    end: datetime,
    by: By = "address",
    categories: Sequence[str] = (),
    fewest: int = FEWEST,
    limit: int = 100,
    cursor: str | None = None,
) -> tuple[list[Repeat], str | None]:
    """Addresses, buildings or places with several incidents in a period, the most first.

    Merged and rejected ones are not counted.

    Parameters
    ----------
    start, end
        By report time, from the first and before the second.
    by
        ``address``: the same text, whatever its spaces, signs and width. ``building``: the one that
        the place lies in, or the nearest within 15 m; only buildings that the caller sees.
        ``place``: a square of 300 m2.
    fewest
        Incidents that an entry has at least.
    cursor
        Where the page before ended.

    Raises
    ------
    BadInput
        The period is empty, or the cursor is none of ours.
    """
    if not start < end:
        raise BadInput(
            Problem("the period ends before it begins", "Give start before end", field="end")
        )
    count, key = _decode(cursor) if cursor is not None else (None, "")
    rows = execute(
        session,
        files("grids.incidents").joinpath("sql/repeats.sql").read_text(encoding="utf-8"),
        start=start,
        end=end,
        by=by,
        categories=list(categories) or None,
        fewest=max(fewest, 2),
        side=PLACE_SIDE_M,
        after_count=count,
        after_key=key,
        limit=limit + 1,
    ).all()
    found = [Repeat(**row._asdict()) for row in rows[:limit]]
    return found, _encode(found[-1]) if len(rows) > limit else None


def _encode(last: Repeat) -> str:
    return base64.urlsafe_b64encode(json.dumps([last.count, last.key]).encode()).decode()


def _decode(cursor: str) -> tuple[int, str]:
    try:
        count, key = json.loads(base64.urlsafe_b64decode(cursor.encode()))
        if not isinstance(key, str) or "\x00" in key or not 0 <= int(count) < 2**31:
            raise ValueError
        return int(count), key
    except (ValueError, TypeError, AttributeError, RecursionError, OverflowError):
        raise BadInput(
            Problem(
                "this cursor is none of ours",
                "Take it from 'next' of the page before, unchanged",
                field="cursor",
            )
        ) from None
