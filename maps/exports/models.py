"""The register of exports."""

from __future__ import annotations

import uuid
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column

from boundaries.models import Code
from gis.database import Base


class Export(Base):
    """A file that was asked for: who, what, what for, and what became of it."""

    __tablename__ = "exports"
    id: Mapped[uuid.UUID] = mapped_column(
        sa.Uuid, primary_key=True, server_default=sa.text("gen_random_uuid()")
    )
    account_id: Mapped[uuid.UUID] = mapped_column(
        sa.ForeignKey("accounts.id"), server_default=sa.text("wangge_account()")
    )
    login: Mapped[str] = mapped_column(sa.Text)
    area_code: Mapped[str] = mapped_column(Code)
    collection: Mapped[str] = mapped_column(sa.Text)
    format: Mapped[str] = mapped_column(sa.Text)
    filters: Mapped[dict[str, Any]] = mapped_column(JSONB)
    is_shared: Mapped[bool] = mapped_column(sa.Boolean)
    purpose: Mapped[str] = mapped_column(sa.Text)
    rows: Mapped[int] = mapped_column(sa.Integer)
    state: Mapped[str] = mapped_column(sa.Text)
    decided_by: Mapped[str | None] = mapped_column(sa.Text)
    decided_at: Mapped[datetime | None] = mapped_column(sa.DateTime(timezone=True))
    decision_note: Mapped[str] = mapped_column(sa.Text, server_default="")
    created_at: Mapped[datetime] = mapped_column(
        sa.DateTime(timezone=True), server_default=sa.func.now()
    )
    expires_at: Mapped[datetime] = mapped_column(sa.DateTime(timezone=True))
    downloads: Mapped[int] = mapped_column(sa.Integer, server_default="0")
