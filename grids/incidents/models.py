"""Incidents, their events, and the dictionary of categories."""

from __future__ import annotations

import uuid
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from geoalchemy2 import Geometry
from sqlalchemy.dialects.postgresql import ARRAY, JSONB
from sqlalchemy.orm import Mapped, mapped_column

from boundaries.models import Code, Edition
from gis.database import Base
from grids.models import Grid
from grids.people.models import Assignment, Person


class IncidentCategory(Base):
    """A kind of incident, with the site's local and the national code where known."""

    __tablename__ = "incident_categories"
    code: Mapped[str] = mapped_column(sa.Text, primary_key=True)
    name_zh: Mapped[str] = mapped_column(sa.Text)
    name_en: Mapped[str] = mapped_column(sa.Text)
    kind: Mapped[str] = mapped_column(sa.Text)
    national_code: Mapped[str | None] = mapped_column(sa.Text)
    local_code: Mapped[str | None] = mapped_column(sa.Text)
    routed_by: Mapped[str] = mapped_column(sa.Text, server_default="place")


class IncidentTransition(Base):
    """A step that the one state machine allows."""

    __tablename__ = "incident_transitions"
    from_state: Mapped[str] = mapped_column(sa.Text, primary_key=True)
    to_state: Mapped[str] = mapped_column(sa.Text, primary_key=True)


class Incident(Base):
    """What was reported, where, and the grid and worker who answered for it then."""

    __tablename__ = "incidents"
    __table_args__ = (
        sa.ForeignKeyConstraint(
            ["edition_id", "grid_id"], ["grid_shapes.edition_id", "grid_shapes.grid_id"]
        ),
    )
    id: Mapped[uuid.UUID] = mapped_column(sa.Uuid, primary_key=True)
    county_code: Mapped[str] = mapped_column(Code)
    source: Mapped[str] = mapped_column(sa.Text)
    external_id: Mapped[str | None] = mapped_column(sa.Text)
    category: Mapped[str] = mapped_column(sa.ForeignKey("incident_categories.code"))
    severity: Mapped[str] = mapped_column(sa.Text, server_default="simple")
    text: Mapped[str] = mapped_column(sa.Text, server_default="")
    address: Mapped[str] = mapped_column(sa.Text, server_default="")
    occurred_at: Mapped[datetime | None] = mapped_column(sa.DateTime(timezone=True))
    reported_at: Mapped[datetime] = mapped_column(sa.DateTime(timezone=True))
    received_at: Mapped[datetime] = mapped_column(
        sa.DateTime(timezone=True), server_default=sa.func.now()
    )
    geom: Mapped[Any | None] = mapped_column(Geometry("POINT", 4326, spatial_index=False))
    source_crs: Mapped[str | None] = mapped_column(sa.Text)
    source_x: Mapped[float | None] = mapped_column(sa.Double)
    source_y: Mapped[float | None] = mapped_column(sa.Double)
    accuracy_m: Mapped[float | None] = mapped_column(sa.REAL)
    method: Mapped[str | None] = mapped_column(sa.Text)
    edition_id: Mapped[int | None] = mapped_column(sa.ForeignKey(Edition.id))
    grid_id: Mapped[int | None] = mapped_column(sa.ForeignKey(Grid.id))
    exclusive_grid_id: Mapped[int | None] = mapped_column(sa.ForeignKey(Grid.id))
    assignment_id: Mapped[int | None] = mapped_column(sa.ForeignKey(Assignment.id))
    person_id: Mapped[uuid.UUID | None] = mapped_column(sa.ForeignKey(Person.id))
    reason: Mapped[str] = mapped_column(sa.Text)
    review: Mapped[str | None] = mapped_column(sa.Text)
    anonymised_at: Mapped[datetime | None] = mapped_column(sa.DateTime(timezone=True))
    area_code: Mapped[str] = mapped_column(Code, server_default=sa.FetchedValue())
    reported_by: Mapped[uuid.UUID | None] = mapped_column(
        sa.Uuid, server_default=sa.text("wangge_account()")
    )
    # Those it was sent to; written by the database.
    department_ids: Mapped[list[int]] = mapped_column(
        ARRAY(sa.BigInteger), server_default=sa.FetchedValue()
    )
    state: Mapped[str] = mapped_column(sa.Text, server_default="reported")
    request_sha256: Mapped[str] = mapped_column(sa.Text)


class IncidentDepartment(Base):
    """A department that an incident was sent to, by its matter or by an event."""

    __tablename__ = "incident_departments"
    department_id: Mapped[int] = mapped_column(sa.ForeignKey("departments.id"), primary_key=True)
    incident_id: Mapped[uuid.UUID] = mapped_column(sa.ForeignKey("incidents.id"), primary_key=True)
    county_code: Mapped[str] = mapped_column(Code)
    area_code: Mapped[str] = mapped_column(Code)
    is_lead: Mapped[bool] = mapped_column(sa.Boolean)
    event_id: Mapped[int | None] = mapped_column(sa.ForeignKey("incident_events.id"))
    at: Mapped[datetime] = mapped_column(sa.DateTime(timezone=True))


class IncidentEvent(Base):
    """Something that happened to an incident; append-only, and the source of its state."""

    __tablename__ = "incident_events"
    __table_args__ = (
        sa.ForeignKeyConstraint(
            ["from_state", "to_state"],
            ["incident_transitions.from_state", "incident_transitions.to_state"],
        ),
    )
    id: Mapped[int] = mapped_column(sa.BigInteger, sa.Identity(always=True), primary_key=True)
    xid: Mapped[str] = mapped_column(sa.Text, server_default=sa.text("pg_current_xact_id()"))
    incident_id: Mapped[uuid.UUID] = mapped_column(sa.ForeignKey("incidents.id"))
    county_code: Mapped[str] = mapped_column(Code)
    area_code: Mapped[str] = mapped_column(Code, server_default=sa.FetchedValue())
    at: Mapped[datetime] = mapped_column(sa.DateTime(timezone=True))
    recorded_at: Mapped[datetime] = mapped_column(
        sa.DateTime(timezone=True), server_default=sa.func.now()
    )
    actor: Mapped[str] = mapped_column(sa.Text)
    kind: Mapped[str] = mapped_column(sa.Text)
    from_state: Mapped[str | None] = mapped_column(sa.Text)
    to_state: Mapped[str | None] = mapped_column(sa.Text)
    note: Mapped[str] = mapped_column(sa.Text, server_default="")
    data: Mapped[dict[str, Any]] = mapped_column(JSONB, server_default="{}")


class Reporter(Base):
    """Who reported an incident, apart from it; name and phone are encrypted."""

    __tablename__ = "reporters"
    incident_id: Mapped[uuid.UUID] = mapped_column(sa.ForeignKey("incidents.id"), primary_key=True)
    county_code: Mapped[str] = mapped_column(Code)
    area_code: Mapped[str] = mapped_column(Code, server_default=sa.FetchedValue())
    name: Mapped[bytes | None] = mapped_column(sa.LargeBinary)
    phone: Mapped[bytes | None] = mapped_column(sa.LargeBinary)
    phone_hash: Mapped[bytes | None] = mapped_column(sa.LargeBinary)
    phone_last4: Mapped[str | None] = mapped_column(sa.Text)
    created_at: Mapped[datetime] = mapped_column(
        sa.DateTime(timezone=True), server_default=sa.func.now()
    )


class Sign(Base):
    """A sign in the street whose code a resident scans to report without an account."""

    __tablename__ = "signs"
    code: Mapped[str] = mapped_column(Code, primary_key=True)
    account_id: Mapped[uuid.UUID] = mapped_column(sa.Uuid)
    county_code: Mapped[str] = mapped_column(Code)
    area_code: Mapped[str] = mapped_column(Code)
    place_name: Mapped[str] = mapped_column(sa.Text)
    geom: Mapped[Any] = mapped_column(Geometry("POINT", srid=4326, spatial_index=False))
    created_at: Mapped[datetime] = mapped_column(
        sa.DateTime(timezone=True), server_default=sa.func.now()
    )
    created_by: Mapped[str] = mapped_column(sa.Text)
    ended_at: Mapped[datetime | None] = mapped_column(sa.DateTime(timezone=True))
    ended_by: Mapped[str | None] = mapped_column(sa.Text)
