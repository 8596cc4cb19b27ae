"""Places, house numbers, names, what people decided, and what is to be decided."""

from __future__ import annotations

import uuid
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from geoalchemy2 import Geometry
from sqlalchemy.dialects.postgresql import ARRAY, JSONB
from sqlalchemy.orm import Mapped, mapped_column

from boundaries.models import Code
from gis.database import Base
from grids.incidents.models import Incident


class Place(Base):
    """A place with a name of its own: a school, a police room, a market."""

    __tablename__ = "places"
    id: Mapped[int] = mapped_column(sa.BigInteger, sa.Identity(always=True), primary_key=True)
    county_code: Mapped[str] = mapped_column(Code)
    area_code: Mapped[str] = mapped_column(Code, server_default=sa.FetchedValue())
    kind: Mapped[str] = mapped_column(sa.Text)
    name: Mapped[str] = mapped_column(sa.Text)
    aliases: Mapped[list[str]] = mapped_column(ARRAY(sa.Text), server_default="{}")
    geom: Mapped[Any] = mapped_column(Geometry("POINT", 4326, spatial_index=False))
    radius_m: Mapped[float | None] = mapped_column(sa.Double)
    source: Mapped[str] = mapped_column(sa.Text)
    external_id: Mapped[str] = mapped_column(sa.Text)


class AddressPoint(Base):
    """A house number at a point, or those from ``number`` to ``number_to`` along a line."""

    __tablename__ = "addresses"
    id: Mapped[int] = mapped_column(sa.BigInteger, sa.Identity(always=True), primary_key=True)
    county_code: Mapped[str] = mapped_column(Code)
    area_code: Mapped[str] = mapped_column(Code, server_default=sa.FetchedValue())
    label: Mapped[str] = mapped_column(sa.Text)
    street: Mapped[str | None] = mapped_column(sa.Text)
    street_key: Mapped[str | None] = mapped_column(Code)
    number: Mapped[int | None] = mapped_column(sa.Integer)
    number_tail: Mapped[str] = mapped_column(sa.Text, server_default="")
    number_to: Mapped[int | None] = mapped_column(sa.Integer)
    parity: Mapped[str | None] = mapped_column(sa.Text)
    estate: Mapped[str | None] = mapped_column(sa.Text)
    estate_key: Mapped[str | None] = mapped_column(Code)
    building: Mapped[str | None] = mapped_column(sa.Text)
    unit: Mapped[str | None] = mapped_column(sa.Text)
    geom: Mapped[Any] = mapped_column(Geometry("GEOMETRY", 4326, spatial_index=False))
    building_id: Mapped[int | None] = mapped_column(sa.ForeignKey("buildings.id"))
    source: Mapped[str] = mapped_column(sa.Text)
    external_id: Mapped[str] = mapped_column(sa.Text)


class AddressName(Base):
    """A street, estate or place in an area that it reaches into, by the key of its name."""

    __tablename__ = "address_names"
    id: Mapped[int] = mapped_column(sa.BigInteger, sa.Identity(always=True), primary_key=True)
    county_code: Mapped[str] = mapped_column(Code)
    area_code: Mapped[str] = mapped_column(Code)
    kind: Mapped[str] = mapped_column(sa.Text)
    key: Mapped[str] = mapped_column(Code)
    name: Mapped[str] = mapped_column(sa.Text)
    geom: Mapped[Any] = mapped_column(Geometry("POINT", 4326, spatial_index=False))
    place_id: Mapped[int | None] = mapped_column(sa.ForeignKey(Place.id))


class AddressAlias(Base):
    """What a person said that a text means, until it ends: a point, or a unit's other name."""

    __tablename__ = "address_aliases"
    id: Mapped[int] = mapped_column(sa.BigInteger, sa.Identity(always=True), primary_key=True)
    county_code: Mapped[str] = mapped_column(Code)
    area_code: Mapped[str] = mapped_column(Code)
    key: Mapped[str] = mapped_column(Code)
    text: Mapped[str] = mapped_column(sa.Text)
    label: Mapped[str] = mapped_column(sa.Text)
    unit_code: Mapped[str | None] = mapped_column(Code)
    geom: Mapped[Any | None] = mapped_column(Geometry("POINT", 4326, spatial_index=False))
    author: Mapped[str] = mapped_column(sa.Text)
    at: Mapped[datetime] = mapped_column(sa.DateTime(timezone=True), server_default=sa.func.now())
    ended_at: Mapped[datetime | None] = mapped_column(sa.DateTime(timezone=True))
    ended_by: Mapped[str | None] = mapped_column(sa.Text)


class AddressReview(Base):
    """An address that no search was sure of, its candidates, and what a person made of it."""

    __tablename__ = "address_reviews"
    id: Mapped[int] = mapped_column(sa.BigInteger, sa.Identity(always=True), primary_key=True)
    county_code: Mapped[str] = mapped_column(Code)
    area_code: Mapped[str] = mapped_column(Code)
    text: Mapped[str] = mapped_column(sa.Text)
    candidates: Mapped[list[dict[str, Any]]] = mapped_column(JSONB)
    incident_id: Mapped[uuid.UUID | None] = mapped_column(sa.ForeignKey(Incident.id))
    at: Mapped[datetime] = mapped_column(sa.DateTime(timezone=True), server_default=sa.func.now())
    author: Mapped[str] = mapped_column(sa.Text)
    outcome: Mapped[str | None] = mapped_column(sa.Text)
    label: Mapped[str | None] = mapped_column(sa.Text)
    geom: Mapped[Any | None] = mapped_column(Geometry("POINT", 4326, spatial_index=False))
    decided_at: Mapped[datetime | None] = mapped_column(sa.DateTime(timezone=True))
    decided_by: Mapped[str | None] = mapped_column(sa.Text)
