"""Queries on administrative units."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import distinct_on

from boundaries.models import AdminUnit

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from sqlalchemy.orm import Session


def point(lon: float, lat: float) -> sa.ColumnElement[object]:
    """A bound WGS 84 point."""
    return sa.func.ST_SetSRID(sa.func.ST_MakePoint(lon, lat), 4326)


def covers(shape: Any, place: Any) -> sa.ColumnElement[bool]:
    """That a shape covers a place, found by the index under a row-level policy too.

    ``ST_Covers`` alone brings its index along, but is not leakproof: a policy would be asked of
    every row before it. ``&&``, written out, is (``gis.hardening``).
    """
    return sa.and_(shape.op("&&")(place), sa.func.ST_Covers(shape, place))


def units_covering(session: Session, lon: float, lat: float, at: datetime) -> Sequence[AdminUnit]:
    """Units whose polygon covers the point at that time, from province down.

    Where several of one level share the border the point lies on, the smallest code answers.
    """
    statement = (
        sa.select(AdminUnit)
        .ext(distinct_on(AdminUnit.level))
        .where(
            covers(AdminUnit.geom, point(lon, lat)),
            AdminUnit.valid.contains(at),
        )
        .order_by(AdminUnit.level, AdminUnit.code)
    )
    return session.scalars(statement).all()


def units_by_code(session: Session, codes: Sequence[str], at: datetime) -> Sequence[AdminUnit]:
    """The units of these codes at that time, from province down; unknown codes are left out."""
    statement = (
        sa.select(AdminUnit)
        .where(AdminUnit.code.in_(codes), AdminUnit.valid.contains(at))
        .order_by(AdminUnit.level, AdminUnit.code)
    )
    return session.scalars(statement).all()


def counties(session: Session, at: datetime) -> Sequence[AdminUnit]:
    """Every county-level unit known at that time."""
    statement = (
        sa.select(AdminUnit)
        .where(AdminUnit.level == 6, AdminUnit.valid.contains(at))
        .order_by(AdminUnit.code)
    )
    return session.scalars(statement).all()
