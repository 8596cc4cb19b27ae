"""Persons, what they answer for and when, and their leaves."""

from __future__ import annotations

import uuid
from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import ARRAY, INT4RANGE, TSTZRANGE, Range
from sqlalchemy.orm import Mapped, mapped_column

from boundaries.models import Code
from gis.database import Base
from grids.models import Building, Grid
from grids.patrols.models import PatrolRoute


class Person(Base):
    """Somebody who answers for a place.

    Phone and id number are kept encrypted, are not loaded with the row, and are shown only by an
    act of revealing them; ``area_codes`` are the county and the units of what the person answers
    for, kept by the database.
    """

    __tablename__ = "persons"
    id: Mapped[uuid.UUID] = mapped_column(
        sa.Uuid, primary_key=True, server_default=sa.text("gen_random_uuid()")
    )
    county_code: Mapped[str] = mapped_column(Code)
    name: Mapped[str] = mapped_column(sa.Text)
    employment: Mapped[str] = mapped_column(sa.Text, server_default="full")
    source: Mapped[str] = mapped_column(sa.Text)
    external_id: Mapped[str] = mapped_column(sa.Text)
    area_codes: Mapped[list[str]] = mapped_column(ARRAY(Code), server_default=sa.FetchedValue())
    phone: Mapped[bytes | None] = mapped_column(sa.LargeBinary, deferred=True)
    phone_hash: Mapped[bytes | None] = mapped_column(sa.LargeBinary, deferred=True)
    phone_last4: Mapped[str | None] = mapped_column(sa.Text)
    id_number: Mapped[bytes | None] = mapped_column(sa.LargeBinary, deferred=True)
    id_number_hash: Mapped[bytes | None] = mapped_column(sa.LargeBinary, deferred=True)
    id_number_last4: Mapped[str | None] = mapped_column(sa.Text)


class Assignment(Base):
    """A person's role on one grid, building, route, unit or department for a time."""

    __tablename__ = "assignments"
    id: Mapped[int] = mapped_column(sa.BigInteger, sa.Identity(always=True), primary_key=True)
    county_code: Mapped[str] = mapped_column(Code)
    area_code: Mapped[str] = mapped_column(Code, server_default=sa.FetchedValue())
    person_id: Mapped[uuid.UUID] = mapped_column(sa.ForeignKey("persons.id"))
    role: Mapped[str] = mapped_column(sa.Text)
    grid_id: Mapped[int | None] = mapped_column(sa.ForeignKey(Grid.id))
    building_id: Mapped[int | None] = mapped_column(sa.ForeignKey(Building.id))
    route_id: Mapped[int | None] = mapped_column(sa.ForeignKey(PatrolRoute.id))
    unit_code: Mapped[str | None] = mapped_column(Code)
    department_id: Mapped[int | None] = mapped_column(sa.ForeignKey("departments.id"))
    link_level: Mapped[int | None] = mapped_column(sa.SmallInteger)
    mode: Mapped[str] = mapped_column(sa.Text, server_default="any")
    mode_span: Mapped[Range[int]] = mapped_column(
        INT4RANGE,
        sa.Computed(
            "CASE mode WHEN 'normal' THEN int4range(0, 1) WHEN 'emergency' THEN int4range(1, 2) "
            "ELSE int4range(0, 2) END",
            persisted=True,
        ),
    )
    is_primary: Mapped[bool] = mapped_column(sa.Boolean, server_default=sa.false())
    valid: Mapped[Range[datetime]] = mapped_column(TSTZRANGE)
    author: Mapped[str] = mapped_column(sa.Text)
    created_at: Mapped[datetime] = mapped_column(
        sa.DateTime(timezone=True), server_default=sa.func.now()
    )


class Leave(Base):
    """A time in which a person does not answer, and who does instead."""

    __tablename__ = "leaves"
    id: Mapped[int] = mapped_column(sa.BigInteger, sa.Identity(always=True), primary_key=True)
    county_code: Mapped[str] = mapped_column(Code)
    area_codes: Mapped[list[str]] = mapped_column(ARRAY(Code), server_default=sa.FetchedValue())
    person_id: Mapped[uuid.UUID] = mapped_column(sa.ForeignKey("persons.id"))
    deputy_id: Mapped[uuid.UUID | None] = mapped_column(sa.ForeignKey("persons.id"))
    during: Mapped[Range[datetime]] = mapped_column(TSTZRANGE)
    author: Mapped[str] = mapped_column(sa.Text)
    created_at: Mapped[datetime] = mapped_column(
        sa.DateTime(timezone=True), server_default=sa.func.now()
    )


class Department(Base):
    """A department that serves a unit: which matters are its, in `department_matters`."""

    __tablename__ = "departments"
    id: Mapped[int] = mapped_column(sa.BigInteger, sa.Identity(always=True), primary_key=True)
    county_code: Mapped[str] = mapped_column(Code)
    area_code: Mapped[str] = mapped_column(Code)
    name: Mapped[str] = mapped_column(sa.Text)
    attendance: Mapped[str] = mapped_column(sa.Text, server_default="on_call")
    valid: Mapped[Range[datetime]] = mapped_column(
        TSTZRANGE, server_default=sa.text("tstzrange(NULL, NULL)")
    )
    source: Mapped[str] = mapped_column(sa.Text)
    external_id: Mapped[str] = mapped_column(sa.Text)


class DepartmentMatter(Base):
    """A category of incidents that a department leads or joins in."""

    __tablename__ = "department_matters"
    department_id: Mapped[int] = mapped_column(sa.ForeignKey(Department.id), primary_key=True)
    category: Mapped[str] = mapped_column(
        sa.ForeignKey("incident_categories.code"), primary_key=True
    )
    county_code: Mapped[str] = mapped_column(Code)
    area_code: Mapped[str] = mapped_column(Code)
    is_lead: Mapped[bool] = mapped_column(sa.Boolean, server_default=sa.true())
    author: Mapped[str] = mapped_column(sa.Text)


class DutyMode(Base):
    """A time in which an area, and all beneath it, is in emergency."""

    __tablename__ = "duty_modes"
    id: Mapped[int] = mapped_column(sa.BigInteger, sa.Identity(always=True), primary_key=True)
    county_code: Mapped[str] = mapped_column(Code)
    area_code: Mapped[str] = mapped_column(Code)
    mode: Mapped[str] = mapped_column(sa.Text, server_default="emergency")
    valid: Mapped[Range[datetime]] = mapped_column(TSTZRANGE)
    reason: Mapped[str] = mapped_column(sa.Text)
    author: Mapped[str] = mapped_column(sa.Text)
    created_at: Mapped[datetime] = mapped_column(
        sa.DateTime(timezone=True), server_default=sa.func.now()
    )
