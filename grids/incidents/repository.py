"""Queries on incidents."""

from __future__ import annotations

import base64
import json
import uuid
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import numpy.typing as npt
import sqlalchemy as sa

from boundaries.access import EVERYWHERE, Scope
from gis.database import planned_for_its_values
from gis.errors import BadInput, Problem
from grids.incidents.models import Incident, IncidentCategory, IncidentDepartment, IncidentEvent
from grids.models import GridShape
from grids.people.models import Assignment, Person

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sqlalchemy.orm import Session

Floats = npt.NDArray[np.float64]
_WKB_POINT: Final = np.dtype([("order", "u1"), ("type", "<u4"), ("xy", "<f8", 2)])
"""A point in Well-Known Binary, least byte first."""
_PLACED: Final = "placed_by_area"
"""Key in a session's ``info``: incidents whose places were read last, and how many by area."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Filter:
    """Which incidents are meant; None and empty mean all.

    ``only_sent``: the caller sees those sent to its departments and its own reports alone. The
    policies say so already; said here, they are looked up instead of read through.
    """

    start: datetime | None = None
    end: datetime | None = None
    categories: Sequence[str] = ()
    bbox: tuple[float, float, float, float] | None = None
    review: bool | None = None
    scope: Scope = EVERYWHERE
    only_sent: bool = False

    def conditions(self) -> list[sa.ColumnElement[bool]]:
        """As SQL conditions on ``incidents``."""
        found = self._wanted()
        if self.only_sent:
            found.append(Incident.id.in_(_sent_or_own()))
        elif self.scope != EVERYWHERE:
            # The area, said again beside the policy so that its index is used; and one's own.
            found.append(sa.or_(self.scope.condition(Incident.area_code), _is_own()))
        return found

    def parts(self) -> list[list[sa.ColumnElement[bool]]]:
        """The same as parts that have no incident in common, each looked up by one index.

        With an OR between them neither can be counted from its index alone.
        """
        if self.only_sent or self.scope == EVERYWHERE:
            return [self.conditions()]
        here = self.scope.condition(Incident.area_code)
        wanted = self._wanted()
        return [[here, *wanted], [_is_own(), sa.not_(here), *wanted]]

    def _wanted(self) -> list[sa.ColumnElement[bool]]:
        """What was asked for, whoever asks."""
        found: list[sa.ColumnElement[bool]] = []
        if self.start is not None:
            found.append(Incident.reported_at >= self.start)
        if self.end is not None:
            found.append(Incident.reported_at < self.end)
        if self.categories:
            found.append(Incident.category.in_(self.categories))
        if self.bbox is not None:
            found.append(Incident.geom.op("&&")(sa.func.ST_MakeEnvelope(*self.bbox, 4326)))
        if self.review is not None:
            found.append(Incident.review.is_not(None) if self.review else Incident.review.is_(None))
        return found


def _is_own() -> sa.ColumnElement[bool]:
    return Incident.reported_by == sa.func.wangge_account()


def _sent_or_own() -> sa.CompoundSelect[Any]:
    """Ids of what was sent to the caller's departments, and of what it reported itself."""
    return sa.union(
        sa.select(IncidentDepartment.incident_id).where(
            IncidentDepartment.department_id == sa.any_(sa.func.wangge_departments())
        ),
        sa.select(Incident.id).where(_is_own()),
    )


@dataclass(frozen=True, slots=True)
class Row:
    """An incident with its grid as of its report time and the person who answered then."""

    incident: Incident
    lon: float | None
    lat: float | None
    shape: GridShape | None
    person: Person | None
    assignment: Assignment | None


def _rows() -> sa.Select[Any]:
    return (
        sa.select(
            Incident,
            sa.func.ST_X(Incident.geom),
            sa.func.ST_Y(Incident.geom),
            GridShape,
            Person,
            Assignment,
        )
        .outerjoin(
            GridShape,
            (GridShape.edition_id == Incident.edition_id) & (GridShape.grid_id == Incident.grid_id),
        )
        .outerjoin(Person, Person.id == Incident.person_id)
        .outerjoin(Assignment, Assignment.id == Incident.assignment_id)
    )


def get(session: Session, incident_id: uuid.UUID) -> Row | None:
    """One incident, or None."""
    row = session.execute(_rows().where(Incident.id == incident_id)).first()
    return Row(*row) if row else None


def events(session: Session, incident_id: uuid.UUID) -> Sequence[IncidentEvent]:
    """Everything that happened to it, in the order it was recorded."""
    statement = (
        sa.select(IncidentEvent)
        .where(IncidentEvent.incident_id == incident_id)
        .order_by(IncidentEvent.id)
    )
    return session.scalars(statement).all()


def page(
    session: Session, wanted: Filter, *, limit: int, cursor: str | None = None
) -> tuple[list[Row], str | None]:
    """A page of incidents, newest first, and the cursor of the next one.

    The cursor is the last row's own key, so that nothing is lost or doubled while others report.

    Raises
    ------
    BadInput
        The cursor is none of ours.
    """
    statement = _rows().where(*wanted.conditions())
    if cursor is not None:
        at, last = _decode(cursor)
        statement = statement.where(
            sa.tuple_(Incident.reported_at, Incident.id) < sa.tuple_(at, last)
        )
    found = session.execute(
        statement.order_by(Incident.reported_at.desc(), Incident.id.desc()).limit(limit + 1)
    ).all()
    rows = [Row(*row) for row in found[:limit]]
    more = _encode(rows[-1].incident) if len(found) > limit and rows else None
    return rows, more


def count(session: Session, wanted: Filter) -> int:
    """How many incidents match."""
    counts = [
        sa.select(sa.func.count()).select_from(Incident).where(*part).scalar_subquery()
        for part in wanted.parts()
    ]
    return sum(session.execute(sa.select(*counts)).one())


def places(session: Session, wanted: Filter) -> tuple[Floats, Floats, int]:
    """Longitudes and latitudes of matching incidents, WGS 84, and how many more have no place.

    As one value for each area: a row for each of a hundred thousand would take longer than finding
    them. How many there are in each is kept for the session, see `placed_by_area`.
    """
    statement = (
        sa.select(
            Incident.area_code,
            sa.func.string_agg(sa.func.ST_AsBinary(Incident.geom, "NDR"), sa.literal(b"")),
            sa.func.count(Incident.geom),
            sa.func.count() - sa.func.count(Incident.geom),
        )
        .where(*wanted.conditions())
        .group_by(Incident.area_code)
    )
    with planned_for_its_values(session):
        rows = session.execute(statement).all()
    session.info[_PLACED] = (wanted, {area: placed for area, _, placed, _ in rows if placed})
    points = b"".join(bytes(each) for _, each, _, _ in rows if each is not None)
    table = np.frombuffer(points, dtype=_WKB_POINT)["xy"]
    without = sum(each for *_, each in rows)
    return np.ascontiguousarray(table[:, 0]), np.ascontiguousarray(table[:, 1]), without


def placed_by_area(session: Session, wanted: Filter) -> dict[str, int]:
    """How many of the matching incidents have a place, by area code.

    Of those whose places were read last in this session not counted again: with a million, that
    takes as long as reading them.
    """
    known, counts = session.info.get(_PLACED, (None, {}))
    if known == wanted:
        return dict(counts)
    statement = (
        sa.select(Incident.area_code, sa.func.count())
        .where(*wanted.conditions(), Incident.geom.is_not(None))
        .group_by(Incident.area_code)
    )
    return {row[0]: row[1] for row in session.execute(statement)}


def categories(session: Session) -> Sequence[IncidentCategory]:
    """The dictionary of categories, disputes first."""
    statement = sa.select(IncidentCategory).order_by(IncidentCategory.kind, IncidentCategory.code)
    return session.scalars(statement).all()


def categories_of(session: Session, wanted: Filter) -> list[IncidentCategory]:
    """Categories of matching incidents, the most frequent first."""
    statement = (
        sa.select(IncidentCategory)
        .join(Incident, Incident.category == IncidentCategory.code)
        .where(*wanted.conditions())
        .group_by(IncidentCategory.code)
        .order_by(sa.func.count().desc(), IncidentCategory.code)
    )
    return list(session.scalars(statement))


def _encode(incident: Incident) -> str:
    text = json.dumps([incident.reported_at.isoformat(), str(incident.id)])
    return base64.urlsafe_b64encode(text.encode()).decode()


def _decode(cursor: str) -> tuple[datetime, uuid.UUID]:
    try:
        at, last = json.loads(base64.urlsafe_b64decode(cursor.encode()))
        return datetime.fromisoformat(at), uuid.UUID(last)
    except (ValueError, TypeError, AttributeError, RecursionError):
        raise BadInput(
            Problem(
                "this cursor is none of ours",
                "Take it from 'next' of the page before, unchanged",
                field="cursor",
            )
        ) from None
