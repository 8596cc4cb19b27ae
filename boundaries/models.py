"""Administrative units, border lines and editions, as the migrations made them."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import sqlalchemy as sa
from geoalchemy2 import Geometry
from sqlalchemy.dialects.postgresql import JSONB, TSTZRANGE, Range
from sqlalchemy.orm import Mapped, mapped_column

from gis.database import Base

Code = sa.Text(collation="C")


class AdminLevel(Base):
    """A level of administrative units; ``level`` is the number of digits of its codes."""

    __tablename__ = "admin_levels"
    level: Mapped[int] = mapped_column(sa.SmallInteger, primary_key=True)
    key: Mapped[str] = mapped_column(sa.Text, unique=True)
    name_zh: Mapped[str] = mapped_column(sa.Text)
    name_en: Mapped[str] = mapped_column(sa.Text)


class AdminUnit(Base):
    """A province, league, banner, sumu, gacha, ... for the time it was valid."""

    __tablename__ = "admin_units"
    id: Mapped[int] = mapped_column(sa.BigInteger, sa.Identity(always=True), primary_key=True)
    code: Mapped[str] = mapped_column(Code)
    level: Mapped[int] = mapped_column(sa.ForeignKey("admin_levels.level"))
    parent_code: Mapped[str | None] = mapped_column(Code)
    county_code: Mapped[str | None] = mapped_column(
        Code, sa.Computed("CASE WHEN level >= 6 THEN left(code, 6) END", persisted=True)
    )
    name: Mapped[str] = mapped_column(sa.Text)
    name_en: Mapped[str | None] = mapped_column(sa.Text)
    area_type: Mapped[str | None] = mapped_column(sa.Text)
    geom: Mapped[Any | None] = mapped_column(Geometry("MULTIPOLYGON", 4326, spatial_index=False))
    valid: Mapped[Range[datetime]] = mapped_column(
        TSTZRANGE, server_default=sa.text("tstzrange(NULL, NULL)")
    )
    source: Mapped[str] = mapped_column(sa.Text)


class BorderLine(Base):
    """A stretch of the national border, and which side of the line is ours."""

    __tablename__ = "border_lines"
    id: Mapped[int] = mapped_column(sa.BigInteger, sa.Identity(always=True), primary_key=True)
    county_code: Mapped[str] = mapped_column(Code)
    name: Mapped[str] = mapped_column(sa.Text)
    our_side: Mapped[str] = mapped_column(sa.Text)
    geom: Mapped[Any] = mapped_column(Geometry("LINESTRING", 4326, spatial_index=False))
    source: Mapped[str] = mapped_column(sa.Text)
    external_id: Mapped[str] = mapped_column(sa.Text)


class Edition(Base):
    """A dated, complete set of grids of one area: draft, active, superseded or withdrawn."""

    __tablename__ = "editions"
    id: Mapped[int] = mapped_column(sa.BigInteger, sa.Identity(always=True), primary_key=True)
    area_code: Mapped[str] = mapped_column(Code)
    county_code: Mapped[str] = mapped_column(Code, sa.Computed("left(area_code, 6)"))
    kind: Mapped[str] = mapped_column(sa.Text, server_default="base")
    status: Mapped[str] = mapped_column(sa.Text, server_default="draft")
    valid: Mapped[Range[datetime] | None] = mapped_column(TSTZRANGE)
    title: Mapped[str] = mapped_column(sa.Text)
    rules: Mapped[dict[str, Any]] = mapped_column(JSONB, server_default="{}")
    note: Mapped[str] = mapped_column(sa.Text, server_default="")
    based_on_id: Mapped[int | None] = mapped_column(sa.ForeignKey("editions.id"))
    author: Mapped[str] = mapped_column(sa.Text)
    created_at: Mapped[datetime] = mapped_column(
        sa.DateTime(timezone=True), server_default=sa.func.now()
    )
    approver: Mapped[str | None] = mapped_column(sa.Text)
    published_at: Mapped[datetime | None] = mapped_column(sa.DateTime(timezone=True))
    # When open incidents went over to it; None: not yet, or before there was such a thing.
    changed_over_at: Mapped[datetime | None] = mapped_column(sa.DateTime(timezone=True))
    # Published for a later day and taken back before it; ``valid`` is empty then.
    withdrawn_at: Mapped[datetime | None] = mapped_column(sa.DateTime(timezone=True))
    withdrawn_by: Mapped[str | None] = mapped_column(sa.Text)
    withdrawn_note: Mapped[str] = mapped_column(sa.Text, server_default="")
