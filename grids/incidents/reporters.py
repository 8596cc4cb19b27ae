"""Who reported an incident: kept apart from it, encrypted, shown for a reason."""

from __future__ import annotations

import uuid
from dataclasses import dataclass
from typing import TYPE_CHECKING

import sqlalchemy as sa

from gis import audit
from gis.errors import BadInput, Problem
from grids.incidents.errors import IncidentNotFound
from grids.incidents.models import Incident, Reporter
from grids.people.personal import check_reason, sealed

if TYPE_CHECKING:
    from sqlalchemy.orm import Session

    from gis.secrets import Keyring

LONGEST_NAME = 100


@dataclass(frozen=True, slots=True)
class Identity:
    """Who reported, as far as it was told."""

    name: str | None = None
    phone: str | None = None


def keep(session: Session, incident: Incident, who: Identity, *, keyring: Keyring) -> None:
    """Keep who reported an incident, beside it; nothing when nothing was told.

    Raises
    ------
    BadInput
        The phone is none, or the name is too long.
    """
    name = " ".join((who.name or "").split())
    if len(name) > LONGEST_NAME:
        raise BadInput(
            Problem(f"longer than {LONGEST_NAME} characters", "Shorten it", field="reporter.name")
        )
    values = {}
    if name:
        values["name"] = keyring.encrypt(name.encode(), context=f"reporters.name:{incident.id}")
    if who.phone:
        values |= sealed(keyring, "phone", who.phone, context=f"reporters.phone:{incident.id}")
    if values:
        session.execute(
            sa.insert(Reporter)
            .inline()
            .values(incident_id=incident.id, county_code=incident.county_code, **values)
        )


def last4(session: Session, incident_id: uuid.UUID) -> str | None:
    """Last digits of the reporter's phone, for those who may see that there is one."""
    return session.scalar(
        sa.select(Reporter.phone_last4).where(Reporter.incident_id == incident_id)
    )


def reveal(
    session: Session, incident_id: uuid.UUID, *, reason: str, keyring: Keyring, actor: str
) -> Identity:
    """Who reported an incident, in plain text. Logged with its reason.

    Raises
    ------
    BadInput
        The reason says nothing.
    IncidentNotFound
        There is no such incident within the caller's sight, or nobody is kept for it.
    """
    why = check_reason(reason)
    row = session.execute(
        sa.select(Reporter.county_code, Reporter.name, Reporter.phone).where(
            Reporter.incident_id == incident_id
        )
    ).one_or_none()
    if row is None:
        raise IncidentNotFound(f"nobody is kept as having reported incident {incident_id}")
    audit.record(
        session,
        actor=actor,
        action="reporter.reveal",
        object_kind="incident",
        object_id=incident_id,
        county_code=row.county_code,
        fields=("name", "phone"),
        purpose=why,
    )

    def plain(value: bytes | None, field: str) -> str | None:
        if value is None:
            return None
        return keyring.decrypt(value, context=f"reporters.{field}:{incident_id}").decode()

    return Identity(plain(row.name, "name"), plain(row.phone, "phone"))
