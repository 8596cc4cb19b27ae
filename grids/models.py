"""Grids, their shapes in each edition, the cells they are made of, buildings and barriers."""

from __future__ import annotations

from datetime import date, datetime
from typing import Any

import sqlalchemy as sa
from geoalchemy2 import Geometry
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.orm import Mapped, mapped_column

from boundaries.models import Code, Edition
from gis.database import Base


class Grid(Base):
    """The identity of a grid, which outlives its shapes."""

    __tablename__ = "grids"
    id: Mapped[int] = mapped_column(sa.BigInteger, sa.Identity(always=True), primary_key=True)
    county_code: Mapped[str] = mapped_column(Code)
    kind: Mapped[str] = mapped_column(sa.Text, server_default="base")
    created_at: Mapped[datetime] = mapped_column(
        sa.DateTime(timezone=True), server_default=sa.func.now()
    )


class GridShape(Base):
    """What a grid is in one edition: code, polygon and compiled figures."""

    __tablename__ = "grid_shapes"
    edition_id: Mapped[int] = mapped_column(sa.ForeignKey(Edition.id), primary_key=True)
    grid_id: Mapped[int] = mapped_column(sa.ForeignKey("grids.id"), primary_key=True)
    county_code: Mapped[str] = mapped_column(Code)
    code: Mapped[str] = mapped_column(Code)
    unit_code: Mapped[str] = mapped_column(Code)
    name: Mapped[str] = mapped_column(sa.Text, server_default="")
    area_type: Mapped[str] = mapped_column(sa.Text)
    households: Mapped[int] = mapped_column(sa.Integer)
    buildings: Mapped[int] = mapped_column(sa.Integer)
    target: Mapped[int] = mapped_column(sa.Integer)
    deviation: Mapped[float] = mapped_column(
        sa.Double, sa.Computed("households::double precision / target - 1")
    )
    compactness: Mapped[float] = mapped_column(sa.Double)
    area_m2: Mapped[float] = mapped_column(sa.Double)
    geom: Mapped[Any] = mapped_column(Geometry("POLYGON", 4326, spatial_index=False))


class GridLineage(Base):
    """Ground that a grid of one edition and one of the edition before share, and what was on it."""

    __tablename__ = "grid_lineage"
    edition_id: Mapped[int] = mapped_column(sa.ForeignKey(Edition.id), primary_key=True)
    before_id: Mapped[int] = mapped_column(sa.ForeignKey(Edition.id))
    predecessor: Mapped[int] = mapped_column(sa.ForeignKey("grids.id"), primary_key=True)
    successor: Mapped[int] = mapped_column(sa.ForeignKey("grids.id"), primary_key=True)
    county_code: Mapped[str] = mapped_column(Code)
    unit_code: Mapped[str] = mapped_column(Code)
    predecessor_code: Mapped[str] = mapped_column(Code)
    successor_code: Mapped[str] = mapped_column(Code)
    households: Mapped[int] = mapped_column(sa.Integer)
    buildings: Mapped[int] = mapped_column(sa.Integer)
    area_m2: Mapped[float] = mapped_column(sa.Double)


class Building(Base):
    """A building: where it is and how many households it holds, by three counts."""

    __tablename__ = "buildings"
    id: Mapped[int] = mapped_column(sa.BigInteger, sa.Identity(always=True), primary_key=True)
    county_code: Mapped[str] = mapped_column(Code)
    unit_code: Mapped[str | None] = mapped_column(Code)
    area_code: Mapped[str] = mapped_column(
        Code, sa.Computed("COALESCE(unit_code, county_code)", persisted=True)
    )
    name: Mapped[str | None] = mapped_column(sa.Text)
    address: Mapped[str | None] = mapped_column(sa.Text)
    kind: Mapped[str | None] = mapped_column(sa.Text)
    floors: Mapped[int | None] = mapped_column(sa.SmallInteger)
    households_registered: Mapped[int | None] = mapped_column(sa.Integer)
    households_resident: Mapped[int | None] = mapped_column(sa.Integer)
    households_occupied: Mapped[int | None] = mapped_column(sa.Integer)
    households: Mapped[int] = mapped_column(
        sa.Integer,
        sa.Computed("COALESCE(households_resident, households_registered, households_occupied, 0)"),
    )
    counted_on: Mapped[date | None] = mapped_column(sa.Date)
    geom: Mapped[Any] = mapped_column(Geometry("GEOMETRY", 4326, spatial_index=False))
    point: Mapped[Any] = mapped_column(
        Geometry("POINT", 4326, spatial_index=False), sa.Computed("ST_PointOnSurface(geom)")
    )
    source: Mapped[str] = mapped_column(sa.Text)
    external_id: Mapped[str] = mapped_column(sa.Text)


class Barrier(Base):
    """What people do not cross easily (a line), or where they can (a bridge, a point)."""

    __tablename__ = "barriers"
    id: Mapped[int] = mapped_column(sa.BigInteger, sa.Identity(always=True), primary_key=True)
    county_code: Mapped[str] = mapped_column(Code)
    kind: Mapped[str] = mapped_column(sa.Text)
    name: Mapped[str | None] = mapped_column(sa.Text)
    geom: Mapped[Any] = mapped_column(Geometry("GEOMETRY", 4326, spatial_index=False))
    source: Mapped[str] = mapped_column(sa.Text)
    external_id: Mapped[str] = mapped_column(sa.Text)


class Cell(Base):
    """The smallest piece a planner moves: a building's or block's share of the ground."""

    __tablename__ = "cells"
    __table_args__ = (
        sa.ForeignKeyConstraint(
            ["edition_id", "grid_id"], ["grid_shapes.edition_id", "grid_shapes.grid_id"]
        ),
    )
    edition_id: Mapped[int] = mapped_column(sa.ForeignKey(Edition.id), primary_key=True)
    cell_id: Mapped[int] = mapped_column(sa.Integer, primary_key=True)
    county_code: Mapped[str] = mapped_column(Code)
    # None in a draft: ground that no grid has yet.
    grid_id: Mapped[int | None] = mapped_column(sa.BigInteger)
    unit_code: Mapped[str] = mapped_column(Code)
    block: Mapped[int] = mapped_column(sa.Integer)
    households: Mapped[int] = mapped_column(sa.Integer)
    building_ids: Mapped[list[int]] = mapped_column(ARRAY(sa.BigInteger), server_default="{}")
    # Cells that share a line with it, and those of them that one can walk to; None: not worked out.
    neighbours: Mapped[list[int] | None] = mapped_column(ARRAY(sa.Integer))
    doors: Mapped[list[int] | None] = mapped_column(ARRAY(sa.Integer))
    geom: Mapped[Any] = mapped_column(Geometry("POLYGON", 4326, spatial_index=False))
