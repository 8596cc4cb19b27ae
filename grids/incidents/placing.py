"""A place for an incident that came without one: said by a person, entered by an event.

The grid and the worker are those of the report time, as if the place had been known then.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final

import sqlalchemy as sa

from boundaries.access import EVERYWHERE, Scope
from boundaries.repository import point
from gis import audit
from gis.errors import BadInput, Problem
from grids.addresses import review
from grids.incidents import addressed
from grids.incidents.errors import IncidentNotFound, PlaceOutsideArea
from grids.incidents.models import Incident, IncidentEvent
from grids.incidents.responsibility import answer
from grids.incidents.service import REVIEWED

if TYPE_CHECKING:
    import uuid

    from sqlalchemy.orm import Session

    from grids.addresses.models import AddressReview

BY_HAND_M: Final = 30.0
"""How exactly a person points at a house on a map: about the house next door."""
COUNTY: Final = 6


def decide(
    session: Session,
    review_id: int,
    choice: review.Choice,
    *,
    actor: str,
    scope: Scope = EVERYWHERE,
) -> AddressReview:
    """Decide an address, and place the incident that asked it, if one did; flushed, not committed.

    Raises
    ------
    ReviewNotFound, ReviewDecided, BadInput
        As `grids.addresses.review.decide`.
    IncidentNotFound, PlaceOutsideArea, BadInput
        As `place`; nothing is decided then.
    """
    done = review.decide(session, review_id, choice, actor=actor)
    if done.incident_id is None or done.geom is None:
        return done
    if choice.candidate is not None:
        chosen = done.candidates[choice.candidate]
        lon, lat = float(chosen["lon"]), float(chosen["lat"])
        accuracy_m, method = float(chosen["accuracy_m"]), addressed.METHOD
        told = {"method": chosen["method"], "score": chosen["score"], "label": done.label}
    else:
        assert choice.lon is not None
        assert choice.lat is not None
        lon, lat, accuracy_m, method = choice.lon, choice.lat, BY_HAND_M, "map"
        told = {"method": "map", "label": done.label}
    place(
        session, done.incident_id, lon, lat, accuracy_m=accuracy_m, method=method,
        told={"review": done.id, "address": told}, actor=actor, scope=scope,
    )  # fmt: skip
    return done


def decide_same(
    session: Session,
    done: AddressReview,
    choice: review.Choice,
    *,
    actor: str,
    scope: Scope = EVERYWHERE,
) -> int:
    """Decide the waiting reviews of the same text and area as one that was decided; how many.

    Each gets its own event and its own entry in the audit log. Those that somebody else is deciding
    at the moment are left to them. Flushed, not committed.

    Parameters
    ----------
    done, choice
        What `decide` gave back, and was given.

    Raises
    ------
    IncidentNotFound, PlaceOutsideArea, BadInput
        As `decide`, of any of them: the caller rolls back.
    """
    others = review.same(session, done, lock=True)
    for each in others:
        carried = review.carried(choice, done, each)
        decide(session, each.id, carried, actor=actor, scope=scope)
    return len(others)


def place(
    session: Session,
    incident_id: uuid.UUID,
    lon: float,
    lat: float,
    *,
    accuracy_m: float,
    method: str,
    told: dict[str, Any],
    actor: str,
    scope: Scope = EVERYWHERE,
) -> Incident:
    """Give an incident without a place one: an event says so, by whom and when. Flushed.

    An incident that has a place keeps it: the question came too late, and nothing changes.

    Parameters
    ----------
    lon, lat
        WGS 84 degrees.
    accuracy_m
        68 % radius of its error.
    told
        What the event keeps beside the place.
    scope
        What the caller sees.

    Raises
    ------
    IncidentNotFound
        No such incident within what the caller may move on.
    PlaceOutsideArea
        The place lies outside the caller's area.
    BadInput
        It lies in another county than the one that keeps the incident.
    """
    incident = session.get(Incident, incident_id, with_for_update=True)
    if incident is None:
        raise IncidentNotFound(f"there is no incident {incident_id}")
    if incident.geom is not None:
        return incident
    found = answer(session, lon, lat, at=incident.reported_at, accuracy_m=accuracy_m, scope=scope)
    if found.reason == "outside_area":
        raise PlaceOutsideArea(
            "the place lies outside the area of this account, so nothing was changed: hand the "
            "incident to the centre of that area"
        )
    counties = [unit.code for unit in found.units if unit.level == COUNTY]
    if counties and incident.county_code not in counties:
        raise BadInput(
            Problem(
                f"the place lies in county {counties[0]}, and county {incident.county_code} keeps "
                "the incident",
                "Say that it is nowhere here, and report it anew in that county",
                field="lon, lat",
            )
        )
    first = found.given
    reason = first.reason if first else found.reason
    session.execute(
        sa.update(Incident)
        .where(Incident.id == incident_id)
        .values(
            geom=point(lon, lat),
            source_crs=addressed.CRS,
            source_x=lon,
            source_y=lat,
            accuracy_m=accuracy_m,
            method=method,
            edition_id=found.edition.id if found.edition else None,
            grid_id=found.grid.grid_id if found.grid else None,
            exclusive_grid_id=found.exclusive.grid_id if found.exclusive else None,
            assignment_id=first.assignment_id if first else None,
            person_id=first.person_id if first else None,
            reason=reason,
            review=reason if reason in REVIEWED else None,
        )
    )
    session.add(
        IncidentEvent(
            incident_id=incident_id,
            county_code=incident.county_code,
            at=datetime.now(UTC),
            actor=actor,
            kind="relocated",
            data={"lon": lon, "lat": lat, "accuracy_m": accuracy_m, "reason": reason} | told,
        )
    )
    audit.record(
        session,
        actor=actor,
        action="incident.place",
        object_kind="incident",
        object_id=incident_id,
        county_code=incident.county_code,
        grid=found.grid.grid_id if found.grid else None,
    )
    session.flush()
    session.refresh(incident)
    return incident
