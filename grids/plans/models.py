"""Plans, their moves and steps, locks, comments and save points."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import sqlalchemy as sa
from geoalchemy2 import Geometry
from sqlalchemy.dialects.postgresql import ARRAY, JSONB
from sqlalchemy.orm import Mapped, mapped_column

from boundaries.models import Code, Edition
from gis.database import Base
from grids.models import Grid

Moment = sa.DateTime(timezone=True)


class PlanRow(Base):
    """A draft edition under work, with the figures of the whole."""

    __tablename__ = "plans"
    edition_id: Mapped[int] = mapped_column(sa.ForeignKey(Edition.id), primary_key=True)
    county_code: Mapped[str] = mapped_column(Code)
    area_code: Mapped[str] = mapped_column(Code)
    state: Mapped[str] = mapped_column(sa.Text, server_default="open")
    version: Mapped[int] = mapped_column(sa.Integer, server_default="0")
    head: Mapped[int] = mapped_column(sa.Integer, server_default="0")
    moves: Mapped[int] = mapped_column(sa.Integer, server_default="0")
    tolerance: Mapped[float | None] = mapped_column(sa.Double)
    grids: Mapped[int] = mapped_column(sa.Integer)
    households: Mapped[int] = mapped_column(sa.BigInteger)
    unassigned: Mapped[int] = mapped_column(sa.Integer)
    within_tolerance: Mapped[int] = mapped_column(sa.Integer)
    # Thousand-millionths of the target, and millionths: whole numbers add up exactly.
    deviation_sum: Mapped[int] = mapped_column(sa.BigInteger)
    compactness_sum: Mapped[int] = mapped_column(sa.BigInteger)
    created_at: Mapped[datetime] = mapped_column(Moment, server_default=sa.func.now())
    created_by: Mapped[str] = mapped_column(sa.Text)


class PlanMove(Base):
    """A move, with what it changed, as it was and as it is."""

    __tablename__ = "plan_moves"
    edition_id: Mapped[int] = mapped_column(sa.ForeignKey(PlanRow.edition_id), primary_key=True)
    seq: Mapped[int] = mapped_column(sa.Integer, primary_key=True)
    parent: Mapped[int] = mapped_column(sa.Integer)
    county_code: Mapped[str] = mapped_column(Code)
    area_code: Mapped[str] = mapped_column(Code)
    at: Mapped[datetime] = mapped_column(Moment, server_default=sa.func.now())
    author: Mapped[str] = mapped_column(sa.Text)
    kind: Mapped[str] = mapped_column(sa.Text)
    detail: Mapped[dict[str, Any]] = mapped_column(JSONB)
    cells: Mapped[list[int]] = mapped_column(ARRAY(sa.Integer))
    grids_before: Mapped[list[int]] = mapped_column(ARRAY(sa.BigInteger))
    grids_after: Mapped[list[int]] = mapped_column(ARRAY(sa.BigInteger))
    before: Mapped[dict[str, Any]] = mapped_column(JSONB, deferred=True)
    after: Mapped[dict[str, Any]] = mapped_column(JSONB, deferred=True)


class PlanStep(Base):
    """One step of a plan's history: a move made, taken back or made again, a lock, a state."""

    __tablename__ = "plan_steps"
    edition_id: Mapped[int] = mapped_column(sa.ForeignKey(PlanRow.edition_id), primary_key=True)
    version: Mapped[int] = mapped_column(sa.Integer, primary_key=True)
    county_code: Mapped[str] = mapped_column(Code)
    area_code: Mapped[str] = mapped_column(Code)
    at: Mapped[datetime] = mapped_column(Moment, server_default=sa.func.now())
    author: Mapped[str] = mapped_column(sa.Text)
    kind: Mapped[str] = mapped_column(sa.Text)
    seq: Mapped[int | None] = mapped_column(sa.Integer)
    grids: Mapped[list[int]] = mapped_column(ARRAY(sa.BigInteger))
    note: Mapped[str] = mapped_column(sa.Text, server_default="")


class PlanLock(Base):
    """A grid that no move may touch."""

    __tablename__ = "plan_locks"
    edition_id: Mapped[int] = mapped_column(sa.ForeignKey(PlanRow.edition_id), primary_key=True)
    grid_id: Mapped[int] = mapped_column(sa.ForeignKey(Grid.id), primary_key=True)
    county_code: Mapped[str] = mapped_column(Code)
    area_code: Mapped[str] = mapped_column(Code)
    at: Mapped[datetime] = mapped_column(Moment, server_default=sa.func.now())
    author: Mapped[str] = mapped_column(sa.Text)


class PlanComment(Base):
    """Words about a plan, pinned to a place where they have one."""

    __tablename__ = "plan_comments"
    id: Mapped[int] = mapped_column(sa.BigInteger, sa.Identity(always=True), primary_key=True)
    edition_id: Mapped[int] = mapped_column(sa.ForeignKey(PlanRow.edition_id))
    county_code: Mapped[str] = mapped_column(Code)
    area_code: Mapped[str] = mapped_column(Code)
    at: Mapped[datetime] = mapped_column(Moment, server_default=sa.func.now())
    author: Mapped[str] = mapped_column(sa.Text)
    words: Mapped[str] = mapped_column(sa.Text)
    geom: Mapped[Any | None] = mapped_column(Geometry("POINT", 4326, spatial_index=False))
    closed_at: Mapped[datetime | None] = mapped_column(Moment)
    closed_by: Mapped[str | None] = mapped_column(sa.Text)


class SavePoint(Base):
    """A name for the plan as it was after a move."""

    __tablename__ = "plan_save_points"
    edition_id: Mapped[int] = mapped_column(sa.ForeignKey(PlanRow.edition_id), primary_key=True)
    name: Mapped[str] = mapped_column(sa.Text, primary_key=True)
    county_code: Mapped[str] = mapped_column(Code)
    area_code: Mapped[str] = mapped_column(Code)
    seq: Mapped[int] = mapped_column(sa.Integer)
    at: Mapped[datetime] = mapped_column(Moment, server_default=sa.func.now())
    author: Mapped[str] = mapped_column(sa.Text)
