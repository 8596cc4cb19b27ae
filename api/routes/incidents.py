"""Incidents: reported, listed, read, moved on."""

from __future__ import annotations

import uuid
from typing import TYPE_CHECKING, Annotated, Any

from fastapi import APIRouter, Path, Query, Response

from api.auth import Access, needs
from api.dependencies import KeyringIn, PeriodIn
from api.schemas.incident_duplicates import DuplicateBrief, ReportedOut
from api.schemas.incidents import (
    EXAMPLE_ID,
    EventOut,
    IncidentDetail,
    IncidentIn,
    IncidentOut,
    IncidentPage,
    PlacedOut,
    ReasonIn,
    ReporterOut,
    StepIn,
)
from api.schemas.places import GridBrief, ResponsibleOut, Sentence
from gis import audit
from gis.errors import BadInput, Problem
from grids.incidents import duplicates, reporters, repository, service, steps
from grids.incidents.errors import IncidentNotFound

if TYPE_CHECKING:
    from collections.abc import Sequence

    from grids.incidents.models import Incident, IncidentEvent

router = APIRouter(prefix="/api/v1/incidents", tags=["incidents"])
MAX_PAGE = 1000
MOST_ALIKE = 5
IncidentId = Annotated[uuid.UUID, Path(examples=[EXAMPLE_ID])]
# Row-level security tells which incidents; these tell who may ask at all.
SEEN_BY = ("incidents.read", "incidents.own", "incidents.sent", "incidents.report")
Seeing = Annotated[Access, needs(*SEEN_BY)]


@router.post(
    "",
    status_code=201,
    summary="Report an incident",
    responses={
        200: {"model": ReportedOut, "description": "A retry: it was stored before, unchanged"},
        403: {"description": "The place lies outside the area of the account"},
        409: {"description": "The id or the source's number was used for another report"},
    },
)
def report(
    body: IncidentIn,
    access: Annotated[Access, needs("incidents.report")],
    keyring: KeyringIn,
    response: Response,
) -> ReportedOut:
    """Store an incident with the grid and the worker who answer for its place now.

    The client makes the id, so that a request can be repeated until it is answered: the same id
    with the same content changes nothing. Answered means committed.

    With an `address` and no coordinates it is placed by the gazetteer where that is sure (`placed`
    says how). Where it is not, it is stored without a place (`review` is `no_place`) and waits in
    `GET /api/v1/addresses/reviews` for a person.
    """
    stored = service.record(
        access.session,
        service.Report(
            id=body.id,
            category=body.category,
            severity=body.severity,
            text=body.text,
            address=body.address,
            occurred_at=body.occurred_at,
            x=body.lon,
            y=body.lat,
            crs=body.crs,
            accuracy_m=body.accuracy_m,
            method=body.method,
            source=body.source,
            external_id=body.external_id,
            county_code=body.county_code,
        ),
        actor=access.actor,
        scope=access.caller.scope,
    )
    if not stored.is_new:
        response.status_code = 200
    elif body.reporter is not None:
        identity = reporters.Identity(body.reporter.name, body.reporter.phone)
        reporters.keep(access.session, stored.incident, identity, keyring=keyring)
    response.headers["Location"] = f"/api/v1/incidents/{stored.incident.id}"
    detail = _detail(access, stored.incident.id)
    return ReportedOut(**detail.model_dump(), possible_duplicates=_alike(access, stored))


def _alike(access: Access, stored: service.Stored) -> list[DuplicateBrief]:
    """What a new report may tell of again, of what the caller sees."""
    if not stored.is_new:
        return []
    found = duplicates.duplicates(access.session, stored.incident.id, limit=MOST_ALIKE)
    if found:
        audit.read(
            access.session,
            object_kind="incident",
            fields=("likeness",),
            seen=[(each.incident.id, each.incident.area_code) for each in found],
            action="compare",
            like=stored.incident.id,
        )
    return [
        DuplicateBrief(id=each.incident.id, score=round(each.likeness.score, 3)) for each in found
    ]


@router.get("", summary="Incidents, newest first")
def index(
    access: Seeing,
    period: PeriodIn,
    category: Annotated[
        list[str] | None, Query(description="May be repeated", examples=[["neighbour"]])
    ] = None,
    bbox: Annotated[
        str | None,
        Query(
            description="west,south,east,north in WGS 84 degrees", examples=["116.2,44.7,118,45.2"]
        ),
    ] = None,
    review: Annotated[
        bool | None, Query(description="true: only those a person has to look at")
    ] = None,
    limit: Annotated[int, Query(ge=1, description="At most 1000; more is cut to that")] = 100,
    cursor: Annotated[str | None, Query(description="`next` of the page before")] = None,
) -> IncidentPage:
    """By report time. `count` is the number of all that match."""
    wanted = repository.Filter(
        start=period[0],
        end=period[1],
        categories=tuple(category or ()),
        bbox=_bbox(bbox),
        review=review,
        scope=access.caller.scope,
        only_sent=access.caller.may("incidents.sent") and not access.caller.may("incidents.read"),
    )
    rows, following = repository.page(
        access.session, wanted, limit=min(limit, MAX_PAGE), cursor=cursor
    )
    audit.read(
        access.session,
        object_kind="incident",
        fields=("place", "responsible.name"),
        seen=[(row.incident.id, row.incident.area_code) for row in rows],
        action="search",
        start=wanted.start,
        end=wanted.end,
        category=[each for each in wanted.categories if audit.is_code(each)] or None,
        bbox=wanted.bbox and ",".join(f"{each:.6f}" for each in wanted.bbox),
        review=review,
        cursor=cursor if cursor and audit.is_code(cursor) else None,
    )
    return IncidentPage(
        items=[_brief(row) for row in rows],
        count=repository.count(access.session, wanted),
        next=following,
    )


@router.get("/{incident_id}", summary="One incident with its history")
def show(incident_id: IncidentId, access: Seeing) -> IncidentDetail:
    """Grid and responsible person are those of its report time."""
    return _detail(access, incident_id)


@router.post(
    "/{incident_id}/events",
    status_code=201,
    summary="Move an incident one step on",
    responses={409: {"description": "The state machine has no such step from where it is"}},
)
def step(
    incident_id: IncidentId,
    body: StepIn,
    access: Annotated[Access, needs("incidents.step")],
) -> IncidentDetail:
    """Add an event; the incident's state follows it.

    A step may send it to departments, which see it from then on. ``merged`` names the incident that
    goes on for both; ``reopened`` undoes it.
    """
    steps.step(
        access.session,
        incident_id,
        body.to_state,
        actor=access.actor,
        note=body.note,
        sent_to=steps.Sending(body.lead_department, body.joint_departments),
        into=body.into,
    )
    return _detail(access, incident_id)


@router.post("/{incident_id}/reporter/reveal", summary="Who reported it, for a reason")
def reveal_reporter(
    incident_id: uuid.UUID,
    body: ReasonIn,
    access: Annotated[Access, needs("reporters.reveal")],
    keyring: KeyringIn,
    response: Response,
) -> ReporterOut:
    """Logged with who asked and why. Answers are never cached."""
    response.headers["Cache-Control"] = "no-store"
    who = reporters.reveal(
        access.session, incident_id, reason=body.reason, keyring=keyring, actor=access.actor
    )
    return ReporterOut(name=who.name, phone=who.phone)


def _detail(access: Access, incident_id: uuid.UUID) -> IncidentDetail:
    row = repository.get(access.session, incident_id)
    if row is None:
        raise IncidentNotFound(f"there is no incident {incident_id}")
    # What was said is personal: those who count incidents do not read them.
    told = access.caller.may("incidents.detail") or (
        row.incident.reported_by == access.caller.account_id
    )
    said = ("text", "address", "events.note") if told else ()
    events = repository.events(access.session, incident_id)
    audit.read(
        access.session,
        object_kind="incident",
        fields=("place", "external_id", "responsible.name", "events.actor", *said),
        seen=[(row.incident.id, row.incident.area_code)],
    )
    return IncidentDetail(
        **_brief(row).model_dump(),
        placed=_placed(row.incident, events),
        text=row.incident.text if told else None,
        address=row.incident.address if told else None,
        source=row.incident.source,
        external_id=row.incident.external_id,
        reporter_phone_last4=(
            reporters.last4(access.session, incident_id)
            if access.caller.may("reporters.read")
            else None
        ),
        events=[EventOut.of(each, with_note=told) for each in events],
    )


def _placed(incident: Incident, events: Sequence[IncidentEvent]) -> PlacedOut | None:
    if incident.method is None:
        return None
    found: dict[str, Any] = next(
        (each.data["address"] for each in reversed(events) if "address" in each.data), {}
    )
    return PlacedOut.model_validate(
        {
            "method": incident.method,
            "accuracy_m": incident.accuracy_m,
            "score": found.get("score"),
        }
    )


def _brief(row: repository.Row) -> IncidentOut:
    incident = row.incident
    responsible = None
    if row.person is not None and row.assignment is not None:
        responsible = ResponsibleOut(
            person_id=row.person.id,
            name=row.person.name,
            role=row.assignment.role,
            primary=row.assignment.is_primary,
            reason=Sentence.of(incident.reason),
        )
    return IncidentOut.model_validate(
        {
            "id": incident.id,
            "state": incident.state,
            "category": incident.category,
            "severity": incident.severity,
            "reported_at": incident.reported_at,
            "occurred_at": incident.occurred_at,
            "lon": row.lon,
            "lat": row.lat,
            "grid": GridBrief.of(row.shape) if row.shape else None,
            "responsible": responsible,
            "review": incident.review,
        }
    )


def _bbox(text: str | None) -> tuple[float, float, float, float] | None:
    if text is None:
        return None
    try:
        west, south, east, north = (float(part) for part in text.split(","))
    except ValueError:
        west = south = east = north = float("nan")
    if not (-180 <= west <= east <= 180 and -90 <= south <= north <= 90):
        raise BadInput(
            Problem(
                f"'{text}' is no bounding box",
                "Write west,south,east,north in degrees, such as 116.2,44.7,116.9,45.2",
                field="bbox",
            )
        )
    return west, south, east, north
