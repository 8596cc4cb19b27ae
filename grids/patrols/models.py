"""Routes, checkpoints, patrols and track fixes."""

from __future__ import annotations

import uuid
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from geoalchemy2 import Geometry
from sqlalchemy.dialects.postgresql import TSTZRANGE, Range
from sqlalchemy.orm import Mapped, mapped_column

from boundaries.models import Code
from gis.database import Base


class PatrolRoute(Base):
    """A line to be patrolled every so many days."""

    __tablename__ = "patrol_routes"
    id: Mapped[int] = mapped_column(sa.BigInteger, sa.Identity(always=True), primary_key=True)
    county_code: Mapped[str] = mapped_column(Code)
    area_code: Mapped[str] = mapped_column(Code, server_default=sa.FetchedValue())
    name: Mapped[str] = mapped_column(sa.Text)
    means: Mapped[str] = mapped_column(sa.Text)
    interval_days: Mapped[int] = mapped_column(sa.SmallInteger)
    geom: Mapped[Any] = mapped_column(Geometry("LINESTRING", 4326, spatial_index=False))
    valid: Mapped[Range[datetime]] = mapped_column(
        TSTZRANGE, server_default=sa.text("tstzrange(NULL, NULL)")
    )
    source: Mapped[str] = mapped_column(sa.Text)
    external_id: Mapped[str] = mapped_column(sa.Text)


class Checkpoint(Base):
    """A numbered place on a route that a patrol has to reach."""

    __tablename__ = "checkpoints"
    id: Mapped[int] = mapped_column(sa.BigInteger, sa.Identity(always=True), primary_key=True)
    county_code: Mapped[str] = mapped_column(Code)
    area_code: Mapped[str] = mapped_column(Code, server_default=sa.FetchedValue())
    route_id: Mapped[int] = mapped_column(sa.ForeignKey("patrol_routes.id"))
    seq: Mapped[int] = mapped_column(sa.SmallInteger)
    name: Mapped[str] = mapped_column(sa.Text)
    geom: Mapped[Any] = mapped_column(Geometry("POINT", 4326, spatial_index=False))


class Patrol(Base):
    """One run of a route."""

    __tablename__ = "patrols"
    id: Mapped[int] = mapped_column(sa.BigInteger, sa.Identity(always=True), primary_key=True)
    county_code: Mapped[str] = mapped_column(Code)
    area_code: Mapped[str] = mapped_column(Code, server_default=sa.FetchedValue())
    route_id: Mapped[int | None] = mapped_column(sa.ForeignKey("patrol_routes.id"))
    team: Mapped[str | None] = mapped_column(sa.Text)
    person_id: Mapped[uuid.UUID | None] = mapped_column(sa.ForeignKey("persons.id"))
    planned: Mapped[Range[datetime] | None] = mapped_column(TSTZRANGE)
    started_at: Mapped[datetime | None] = mapped_column(sa.DateTime(timezone=True))
    ended_at: Mapped[datetime | None] = mapped_column(sa.DateTime(timezone=True))
    state: Mapped[str] = mapped_column(sa.Text, server_default="planned")
    source: Mapped[str] = mapped_column(sa.Text)
    external_id: Mapped[str] = mapped_column(sa.Text)


class TrackFix(Base):
    """A position of a patrol; the table is partitioned by month."""

    __tablename__ = "track_fixes"
    patrol_id: Mapped[int] = mapped_column(sa.ForeignKey("patrols.id"), primary_key=True)
    fixed_at: Mapped[datetime] = mapped_column(sa.DateTime(timezone=True), primary_key=True)
    county_code: Mapped[str] = mapped_column(Code)
    area_code: Mapped[str] = mapped_column(Code, server_default=sa.FetchedValue())
    accuracy_m: Mapped[float | None] = mapped_column(sa.REAL)
    geom: Mapped[Any] = mapped_column(Geometry("POINT", 4326, spatial_index=False))
