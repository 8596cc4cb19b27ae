"""Take incidents in, one or many; each is geocoded and stored in the caller's transaction."""

from __future__ import annotations

import hashlib
import json
import uuid
from collections import Counter
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from importlib.resources import files
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import pandas as pd
import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import insert

from boundaries.access import EVERYWHERE, Scope
from boundaries.border import border_lines
from boundaries.models import AdminUnit
from gis import audit
from gis.crs import parse_crs
from gis.errors import BadInput, Problem
from grids.incidents import addressed
from grids.incidents.categories import check_category
from grids.incidents.errors import IncidentConflict, PlaceOutsideArea
from grids.incidents.models import Incident, IncidentEvent
from grids.incidents.responsibility import Answer, answer, position

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from sqlalchemy.orm import Session


# An incident without a client's id gets one from its source, the same at every import.
NAMESPACE: Final = uuid.UUID("6c1c1a52-5a0e-5b43-9f4e-0d5f8c0f7a11")
REVIEWED: Final = frozenset({"no_place", "outside", "no_edition", "nobody"})
SEVERITIES: Final = ("simple", "general", "difficult", "major")

STAGED: Final[dict[str, str]] = {
    "id": "uuid",
    "county_code": "text",
    "source": "text",
    "external_id": "text",
    "category": "text",
    "severity": "text",
    "text": "text",
    "address": "text",
    "occurred_at": "timestamptz",
    "reported_at": "timestamptz",
    "closed_at": "timestamptz",
    "lon": "double precision",
    "lat": "double precision",
    "source_crs": "text",
    "source_x": "double precision",
    "source_y": "double precision",
    "accuracy_m": "real",
    "method": "text",
    "request_sha256": "text",
}
# What the gazetteer adds, which is no part of what was said.
ADDED: Final[dict[str, str]] = {"area_code": "text", "told": "jsonb"}
# What makes two reports the same; the id and the time of receipt do not.
CONTENT: Final = tuple(name for name in STAGED if name not in {"id", "request_sha256", "closed_at"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """An incident as it is reported, before anybody knows where it belongs.

    ``x`` and ``y`` are in ``crs``, longitude or easting first; both None when there is no place.
    """

    id: uuid.UUID
    category: str
    source: str
    severity: str = "simple"
    text: str = ""
    address: str = ""
    occurred_at: datetime | None = None
    reported_at: datetime | None = None
    x: float | None = None
    y: float | None = None
    crs: str = "wgs84"
    accuracy_m: float | None = None
    method: str = "operator"
    external_id: str | None = None
    county_code: str | None = None

    def digest(self) -> str:
        """SHA-256 of what was said, so that a retry is told from a second report."""
        content = {
            # One moment is one moment, whatever zone it was written in.
            name: value.astimezone(UTC).isoformat() if isinstance(value, datetime) else value
            for name in self.__slots__
            if (value := getattr(self, name)) is not None and name not in {"id", "reported_at"}
        }
        text = json.dumps(content, sort_keys=True, ensure_ascii=False)
        return hashlib.sha256(text.encode()).hexdigest()


@dataclass(frozen=True, slots=True)
class Stored:
    """What became of a report: the incident, its answer, and whether it was new."""

    incident: Incident
    answer: Answer | None
    is_new: bool


@dataclass(frozen=True, slots=True)
class Recorded:
    """What became of many reports.

    ``closed`` counts those stored before that got their closing event now, ``review`` the new ones
    that a person has to look at, by reason; ``by_address`` the new ones whose place is that of
    their address. ``conflicting`` names external ids that were stored before with other content,
    which stays; ``not_closed`` those with a closing time that their steps do not lead to.
    """

    new: int
    unchanged: int
    closed: int = 0
    review: Mapping[str, int] = field(default_factory=dict)
    conflicting: Sequence[str] = ()
    not_closed: Sequence[str] = ()
    by_address: int = 0


def record(session: Session, report: Report, *, actor: str, scope: Scope = EVERYWHERE) -> Stored:
    """Store one incident with the grid and the worker who answer at its report time.

    A retry with the same id and the same content changes nothing and returns what was stored. One
    with an address and no coordinates is placed by its address where that is sure; else it is
    stored without a place, and the address waits for a person.

    Parameters
    ----------
    scope
        What the session's caller sees; a place outside it is refused.

    Raises
    ------
    BadInput
        Unknown category or system, a position that is none, no county to put it under.
    IncidentConflict
        The id, or the source's own number, was used before for something else.
    PlaceOutsideArea
        Another area's: those who work there report it.
    """
    earlier = session.get(Incident, report.id)
    if earlier is not None:
        return _replayed(earlier, report)
    lon, lat = _position(report)
    check_category(session, report.category)
    reported_at = report.reported_at or datetime.now(UTC)
    said, guess = report, None
    if lon is None:
        guess = addressed.guess(session, report.address, county_code=report.county_code)
        report, lon, lat = _by_address(report, guess)
    found = (
        answer(session, lon, lat, at=reported_at, accuracy_m=report.accuracy_m, scope=scope)
        if lon is not None and lat is not None
        else None
    )
    if guess is not None and found is not None and found.reason == "outside_area":
        # Whoever reports said no place: nothing is refused for what the gazetteer makes of it.
        guess, report, lon, lat, found = replace(guess, sure=None), said, None, None, None
    if found is not None and found.reason == "outside_area":
        raise PlaceOutsideArea(
            "the place lies outside the area of this account, so nothing was stored: check the "
            "coordinates, or hand it to the centre of that area"
        )
    first = found.given if found is not None else None
    reason = first.reason if first else (found.reason if found else "no_place")
    review = "outside" if reason == "across_border" else reason
    county_code = _county(session, report, found, reported_at)
    statement = (
        insert(Incident)
        .values(
            id=report.id,
            county_code=county_code,
            source=report.source,
            external_id=report.external_id,
            category=report.category,
            severity=report.severity,
            text=report.text,
            address=report.address,
            occurred_at=report.occurred_at,
            reported_at=reported_at,
            geom=None if lon is None else sa.func.ST_SetSRID(sa.func.ST_MakePoint(lon, lat), 4326),
            source_crs=None if lon is None else parse_crs(report.crs).name,
            source_x=report.x,
            source_y=report.y,
            accuracy_m=report.accuracy_m,
            method=None if lon is None else report.method,
            edition_id=found.edition.id if found and found.edition else None,
            grid_id=found.grid.grid_id if found and found.grid else None,
            exclusive_grid_id=found.exclusive.grid_id if found and found.exclusive else None,
            assignment_id=first.assignment_id if first else None,
            person_id=first.person_id if first else None,
            reason=reason,
            review=review if review in REVIEWED else None,
            area_code=guess.area_code if guess else None,
            request_sha256=said.digest(),
        )
        .on_conflict_do_nothing()
        .returning(Incident.id)
    )
    if session.scalar(statement) is None:
        # Another request stored it between our look and our insert, or the number is taken.
        return _replayed(_clashing(session, said, county_code), said)
    incident = session.get_one(Incident, report.id)
    session.add(
        IncidentEvent(
            incident_id=incident.id,
            county_code=incident.county_code,
            at=reported_at,
            actor=actor,
            kind="reported",
            to_state="reported",
            data={"reason": reason} | (guess.told if guess else {}),
        )
    )
    session.flush()
    if guess is not None and guess.sure is None:
        addressed.ask(session, {incident.id: guess}, actor=actor)
    audit.record(
        session,
        actor=actor,
        action="incident.report",
        object_kind="incident",
        object_id=incident.id,
        county_code=incident.county_code,
        grid=incident.grid_id,
    )
    session.flush()
    return Stored(incident, found, is_new=True)


def _replayed(earlier: Incident | None, report: Report) -> Stored:
    if earlier is None or earlier.id != report.id or earlier.request_sha256 != report.digest():
        # In words of its own: the same whether the caller sees the other one or does not.
        number = f", or number {report.external_id} of its source," if report.external_id else ""
        raise IncidentConflict(
            f"id {report.id}{number} was used before for another report: "
            "send a new id for a new incident"
        )
    return Stored(earlier, None, is_new=False)


def _clashing(session: Session, report: Report, county_code: str) -> Incident | None:
    """The incident that holds the id, else the source's number; None: one that is not seen."""
    statement = (
        sa.select(Incident)
        .where(
            (Incident.id == report.id)
            | (Incident.county_code == county_code)
            & (Incident.source == report.source)
            & (Incident.external_id == report.external_id)
        )
        .order_by((Incident.id == report.id).desc())
        .limit(1)
    )
    return session.scalars(statement.execution_options(populate_existing=True)).one_or_none()


def _position(report: Report) -> tuple[float | None, float | None]:
    if report.x is None or report.y is None:
        if report.x is not report.y:
            raise BadInput(
                Problem("only one coordinate is given", "Give both, or neither", field="lon,lat")
            )
        return None, None
    return position(report.x, report.y, report.crs)


def _by_address(
    report: Report, guess: addressed.Guess | None
) -> tuple[Report, float | None, float | None]:
    """A report without coordinates at the place of its address, where that is sure."""
    if guess is None or guess.sure is None:
        return report, None, None
    sure = guess.sure
    placed = replace(
        report, x=sure.lon, y=sure.lat, crs=addressed.CRS, method=addressed.METHOD,
        accuracy_m=report.accuracy_m if report.accuracy_m is not None else sure.accuracy_m,
    )  # fmt: skip
    return placed, sure.lon, sure.lat


def _county(session: Session, report: Report, found: Answer | None, at: datetime) -> str:
    """The county that keeps it: its grid's, its unit's, the nearest's, or the only one."""
    if found is not None:
        if found.grid is not None:
            return found.grid.county_code
        counties = [unit.code for unit in found.units if unit.level == 6]
        if counties:
            return counties[0]
        if found.nearest is not None:
            return found.nearest.unit_code[:6]
    known = session.scalars(
        sa.select(AdminUnit.code)
        .where(AdminUnit.level == 6, AdminUnit.valid.contains(at))
        .order_by(AdminUnit.code)
    ).all()
    if report.county_code is not None:
        if known and report.county_code not in known:
            raise BadInput(
                Problem(
                    f"county {report.county_code} is not known here",
                    f"One of: {', '.join(known[:10])}{', ...' if len(known) > 10 else ''}",
                    field="county_code",
                )
            )
        return report.county_code
    if len(known) == 1:
        return known[0]
    raise BadInput(
        Problem(
            "it has no place, or none in a known county, and there are several counties"
            if known
            else "no county is known yet: import units first (wangge import units FILE --commit)",
            "Name it with county_code",
            field="county_code",
        )
    )


def record_many(session: Session, frame: pd.DataFrame, *, actor: str) -> Recorded:
    """Store many incidents at once, each with the grid and worker of its own report time.

    Parameters
    ----------
    frame
        Columns of ``STAGED`` but ``request_sha256``; ``id`` and any other column may be missing or
        empty. ``lon``, ``lat`` are WGS 84 (NaN: no place, kept for review), times are aware.
        Categories must be known: the importer has looked.

    Returns
    -------
    Recorded
        Rows stored before (same source and external id, or same id) count as unchanged, and as
        conflicting where the content differs: incidents are never rewritten. One that was never
        closed and has a closing time now is closed by an event, once, if its state leads there.
    """
    staged = _staged(frame)
    if staged.empty:
        return Recorded(0, 0)
    asked = addressed.fill(session, staged)
    connection = session.connection()
    kinds = STAGED | ADDED
    columns = ", ".join(f"{name} {kind}" for name, kind in kinds.items())
    session.execute(sa.text(f"CREATE TEMP TABLE incoming_incidents ({columns}) ON COMMIT DROP"))
    driver: Any = connection.connection.driver_connection
    with (
        driver.cursor() as cursor,
        cursor.copy(f"COPY incoming_incidents ({', '.join(kinds)}) FROM STDIN") as copy,
    ):
        for row in staged.itertuples(index=False):
            copy.write_row(row)
    session.execute(
        sa.text(
            "ALTER TABLE incoming_incidents ADD COLUMN geom geometry(Point, 4326) "
            "GENERATED ALWAYS AS (ST_SetSRID(ST_MakePoint(lon, lat), 4326)) STORED, "
            "ADD COLUMN is_across boolean NOT NULL DEFAULT false"
        )
    )
    session.execute(sa.text("ANALYZE incoming_incidents"))
    _mark_across(session)
    rows = session.execute(sa.text(_sql("record_many")), {"actor": actor}).all()
    endings = session.execute(sa.text(_sql("endings"))).all()
    ended = [row for row in endings if row.leads_there]
    _close(session, ended, actor)
    new = {row.id for row in rows}
    fresh = {number: each for key, each in asked.items() if (number := uuid.UUID(key)) in new}
    addressed.ask(
        session, {key: each for key, each in fresh.items() if each.sure is None}, actor=actor
    )
    closed = sum(row.id not in new for row in ended)
    not_closed = sorted(row.name for row in endings if not row.leads_there)
    conflicting = session.scalars(
        sa.text(
            "SELECT coalesce(i.external_id, i.id::text) FROM incoming_incidents AS i "
            "JOIN incidents AS s ON s.id = i.id OR (s.county_code, s.source, s.external_id) "
            "= (i.county_code, i.source, i.external_id) "
            "WHERE s.request_sha256 <> i.request_sha256 ORDER BY 1"
        )
        if len(rows) < len(staged)
        else sa.text("SELECT NULL WHERE false")
    ).all()
    session.execute(sa.text("DROP TABLE incoming_incidents"))
    review = Counter(row.review for row in rows if row.review is not None)
    unchanged = len(staged) - len(rows) - closed
    placed = sum(each.sure is not None for each in fresh.values())
    return Recorded(len(rows), unchanged, closed, dict(review), conflicting, not_closed, placed)


def _mark_across(session: Session) -> None:
    """Mark the staged incidents whose place lies across the national border, in no unit of ours."""
    lines = border_lines(session)
    if not lines:
        return
    lost = session.execute(sa.text(_sql("unplaced"))).all()
    across = [row.id for row in lost if lines.across(row.lon, row.lat) is not None]
    session.execute(
        sa.text("UPDATE incoming_incidents SET is_across = true WHERE id = ANY(:ids)"),
        {"ids": across},
    )


def _close(session: Session, ended: Sequence[Any], actor: str) -> None:
    """Close each of the incidents by an event at its own moment."""
    if not ended:
        return
    session.execute(
        sa.text(
            "INSERT INTO incident_events "
            "(incident_id, county_code, at, actor, kind, from_state, to_state) "
            "SELECT id, county_code, at, :actor, 'state', state, 'closed' "
            "FROM unnest(CAST(:ids AS uuid[]), CAST(:counties AS text[]), "
            "CAST(:moments AS timestamptz[]), CAST(:states AS text[])) "
            "WITH ORDINALITY AS ended (id, county_code, at, state, place) ORDER BY place"
        ),
        {
            "actor": actor,
            "ids": [row.id for row in ended],
            "counties": [row.county_code for row in ended],
            "moments": [row.closed_at for row in ended],
            "states": [row.state for row in ended],
        },
    )


def _sql(name: str) -> str:
    return files("grids.incidents").joinpath(f"sql/{name}.sql").read_text(encoding="utf-8")


def _staged(frame: pd.DataFrame) -> pd.DataFrame:
    """Every staged column as text for COPY, None where empty, ids and digests filled in."""
    staged = pd.DataFrame(index=frame.index)
    for name, kind in STAGED.items():
        column = frame.get(name)
        staged[name] = _as_text(column, kind) if column is not None else None
    for name, default in (("severity", "simple"), ("text", ""), ("address", "")):
        staged[name] = staged[name].fillna(default)
    staged = staged.astype(object)
    staged = staged.where(staged.notna(), None)
    spoken = [staged[name].map(str).tolist() for name in CONTENT]
    contents = ["\x1f".join(row) for row in zip(*spoken, strict=True)]
    staged["request_sha256"] = [hashlib.sha256(each.encode()).hexdigest() for each in contents]
    staged["id"] = [
        known or str(uuid.uuid5(NAMESPACE, f"{county}/{source}/{number}" if number else content))
        for known, county, source, number, content in zip(
            *(staged[name] for name in ("id", "county_code", "source", "external_id")),
            contents,
            strict=True,
        )
    ]
    return staged


def _as_text(column: pd.Series, kind: str) -> pd.Series:
    """A column as PostgreSQL reads it: times in UTC, numbers in full, NaN where empty."""
    if kind == "timestamptz":
        moments = pd.to_datetime(column, utc=True)
        naive = moments.dt.tz_localize(None).to_numpy(dtype="datetime64[us]")
        text = pd.Series(np.datetime_as_string(naive), index=column.index, dtype=object) + "Z"
    else:
        text = column.astype(object).map(str, na_action="ignore")
    return text.where(column.notna())
