"""The append-only record of who changed what; written in the transaction of the change."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column

from gis.database import Base

if TYPE_CHECKING:
    from sqlalchemy.orm import Session


class AuditEntry(Base):
    """One change: actor, action, object, and what is worth knowing of it."""

    __tablename__ = "audit_log"
    id: Mapped[int] = mapped_column(sa.BigInteger, sa.Identity(always=True), primary_key=True)
    xid: Mapped[str] = mapped_column(sa.Text, server_default=sa.text("pg_current_xact_id()"))
    at: Mapped[datetime] = mapped_column(
        sa.DateTime(timezone=True), server_default=sa.text("clock_timestamp()")
    )
    actor: Mapped[str] = mapped_column(sa.Text)
    action: Mapped[str] = mapped_column(sa.Text)
    object_kind: Mapped[str] = mapped_column(sa.Text)
    object_id: Mapped[str] = mapped_column(sa.Text)
    county_code: Mapped[str | None] = mapped_column(sa.Text(collation="C"))
    detail: Mapped[dict[str, Any]] = mapped_column(JSONB, server_default="{}")


def record(
    session: Session,
    *,
    actor: str,
    action: str,
    object_kind: str,
    object_id: object,
    county_code: str | None = None,
    **detail: object,
) -> None:
    """Write one entry; it commits or vanishes with the change it speaks of."""
    # Without RETURNING: who writes the log does not read it.
    session.execute(
        sa.insert(AuditEntry)
        .inline()
        .values(
            actor=actor,
            action=action,
            object_kind=object_kind,
            object_id=str(object_id),
            county_code=county_code,
            detail=detail,
        )
    )
