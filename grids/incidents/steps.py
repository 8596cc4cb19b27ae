"""Move incidents on: from state to state, to the departments that work on them, into another."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final

import sqlalchemy as sa

from gis import audit
from gis.errors import BadInput, Problem
from grids.incidents.errors import IncidentNotFound, StepNotAllowed
from grids.incidents.models import Incident, IncidentEvent, IncidentTransition
from grids.people.models import Department

if TYPE_CHECKING:
    import uuid
    from collections.abc import Sequence

    from sqlalchemy.orm import Session

MERGED: Final = "merged"


@dataclass(frozen=True, slots=True)
class Sending:
    """Departments that an incident is sent to: the one that leads it, and those that join in.

    Whoever had it before keeps it in sight.
    """

    lead: int | None = None
    joint: Sequence[int] = ()


def step(
    session: Session,
    incident_id: uuid.UUID,
    to_state: str,
    *,
    actor: str,
    at: datetime | None = None,
    note: str = "",
    sent_to: Sending | None = None,
    into: uuid.UUID | None = None,
) -> Incident:
    """Move an incident one step on.

    Parameters
    ----------
    sent_to
        Departments that see it and work on it from now on.
    into
        Of the step ``merged`` alone: the incident that goes on for both. ``reopened`` undoes it.

    Raises
    ------
    IncidentNotFound
        No such incident.
    BadInput
        A department that does not serve the incident's place, or an incident that this one cannot
        be merged into.
    StepNotAllowed
        The state machine has no step from its present state to that one.
    """
    incident = session.get(Incident, incident_id, with_for_update=True)
    if incident is None:
        raise IncidentNotFound(f"there is no incident {incident_id}")
    allowed = session.scalars(
        sa.select(IncidentTransition.to_state)
        .where(IncidentTransition.from_state == incident.state)
        .order_by(IncidentTransition.to_state)
    ).all()
    if to_state not in allowed:
        raise StepNotAllowed(
            f"an incident that is {incident.state} cannot become {to_state}; "
            f"it can become: {', '.join(allowed) or 'nothing'}"
        )
    when = at or datetime.now(UTC)
    problems = _sending_problems(session, incident, sent_to, when)
    problems += _merging_problems(session, incident, to_state, into)
    if problems:
        raise BadInput(problems)
    data: dict[str, Any] = {}
    if sent_to is not None and (sent_to.lead is not None or sent_to.joint):
        data["departments"] = {"lead": sent_to.lead, "joint": sorted(set(sent_to.joint))}
    if into is not None:
        data["into"] = str(into)
    session.add(
        IncidentEvent(
            incident_id=incident.id,
            county_code=incident.county_code,
            at=when,
            actor=actor,
            kind="state",
            from_state=incident.state,
            to_state=to_state,
            note=note,
            data=data,
        )
    )
    audit.record(
        session,
        actor=actor,
        action="incident.step",
        object_kind="incident",
        object_id=incident.id,
        county_code=incident.county_code,
        to_state=to_state,
        lead=sent_to.lead if sent_to else None,
        joint=data.get("departments", {}).get("joint") or None,
        into=data.get("into"),
    )
    session.flush()
    session.refresh(incident)
    return incident


def _sending_problems(
    session: Session, incident: Incident, sent_to: Sending | None, at: datetime
) -> list[Problem]:
    if sent_to is None:
        return []
    wanted = {each for each in (sent_to.lead, *sent_to.joint) if each is not None}
    known = set(
        session.scalars(
            sa.select(Department.id).where(
                Department.id.in_(wanted),
                Department.valid.contains(at),
                sa.func.starts_with(incident.area_code, Department.area_code),
            )
        )
    )
    return [
        Problem(
            f"there is no department {each} that serves the place of this incident",
            "GET /api/v1/departments and 'wangge duty departments' list them",
            field="lead_department" if each == sent_to.lead else "joint_departments",
        )
        for each in sorted(wanted - known)
    ]


def _merging_problems(
    session: Session, incident: Incident, to_state: str, into: uuid.UUID | None
) -> list[Problem]:
    if to_state != MERGED:
        if into is None:
            return []
        return [Problem("only a merged incident goes into another", "Leave it out", field="into")]
    if into is None:
        return [
            Problem(
                "an incident is merged into another one",
                "Name the one that goes on: /incidents/{id}/duplicates offers some",
                field="into",
            )
        ]
    other = session.get(Incident, into)
    if other is None:
        reason, remedy = f"there is no incident {into}", "Name one that you see"
    elif other.id == incident.id:
        reason, remedy = "it cannot be merged into itself", "Name the other one"
    elif other.state in {MERGED, "rejected"}:
        reason, remedy = f"incident {into} is {other.state} itself", "Name one that goes on"
    else:
        return []
    return [Problem(reason, remedy, field="into")]
