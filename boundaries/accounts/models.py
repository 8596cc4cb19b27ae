"""Accounts, their roles and rights, sessions, API keys and grants."""

from __future__ import annotations

import uuid
from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import ARRAY, TSTZRANGE, Range
from sqlalchemy.orm import Mapped, mapped_column

from boundaries.models import Code
from gis.database import Base

Moment = sa.DateTime(timezone=True)


class Right(Base):
    """One thing that can be allowed."""

    __tablename__ = "rights"
    key: Mapped[str] = mapped_column(sa.Text, primary_key=True)
    name_zh: Mapped[str] = mapped_column(sa.Text)
    name_en: Mapped[str] = mapped_column(sa.Text)
    is_personal: Mapped[bool] = mapped_column(sa.Boolean, server_default=sa.false())


class Role(Base):
    """What an account is: a name for a set of rights."""

    __tablename__ = "roles"
    key: Mapped[str] = mapped_column(sa.Text, primary_key=True)
    name_zh: Mapped[str] = mapped_column(sa.Text)
    name_en: Mapped[str] = mapped_column(sa.Text)
    is_administrator: Mapped[bool] = mapped_column(sa.Boolean, server_default=sa.false())
    place: Mapped[int] = mapped_column(sa.SmallInteger, unique=True)


class RoleRight(Base):
    """A right that a role has; what is not listed is not allowed."""

    __tablename__ = "role_rights"
    role: Mapped[str] = mapped_column(sa.ForeignKey("roles.key"), primary_key=True)
    right_key: Mapped[str] = mapped_column(sa.ForeignKey("rights.key"), primary_key=True)


class Account(Base):
    """Who may sign in: one role, in one area; secrets are not loaded with it.

    ``area_code`` is '' for the whole installation. An account without a role may do nothing.
    """

    __tablename__ = "accounts"
    id: Mapped[uuid.UUID] = mapped_column(
        sa.Uuid, primary_key=True, server_default=sa.text("gen_random_uuid()")
    )
    login: Mapped[str] = mapped_column(Code, unique=True)
    name: Mapped[str] = mapped_column(sa.Text)
    role: Mapped[str | None] = mapped_column(sa.ForeignKey("roles.key"))
    area_code: Mapped[str] = mapped_column(Code)
    # Of persons; the mapped class lives above this package.
    person_id: Mapped[uuid.UUID | None] = mapped_column(sa.Uuid, unique=True)
    valid: Mapped[Range[datetime]] = mapped_column(
        TSTZRANGE, server_default=sa.text("tstzrange(now(), NULL)")
    )
    disabled_at: Mapped[datetime | None] = mapped_column(Moment)
    password_hash: Mapped[str | None] = mapped_column(sa.Text, deferred=True)
    password_set_at: Mapped[datetime | None] = mapped_column(Moment)
    must_change_password: Mapped[bool] = mapped_column(sa.Boolean, server_default=sa.true())
    totp_secret: Mapped[bytes | None] = mapped_column(sa.LargeBinary, deferred=True)
    totp_confirmed_at: Mapped[datetime | None] = mapped_column(Moment)
    totp_last_step: Mapped[int] = mapped_column(sa.BigInteger, server_default="0", deferred=True)
    recovery_hashes: Mapped[list[bytes]] = mapped_column(
        ARRAY(sa.LargeBinary), server_default="{}", deferred=True
    )
    external_subject: Mapped[str | None] = mapped_column(sa.Text, unique=True)
    last_signed_in_at: Mapped[datetime | None] = mapped_column(Moment)
    created_at: Mapped[datetime] = mapped_column(Moment, server_default=sa.func.now())
    created_by: Mapped[str] = mapped_column(sa.Text)


class SignedIn(Base):
    """A session: a device that is signed in. Only the hash of its token is kept."""

    __tablename__ = "sessions"
    id: Mapped[uuid.UUID] = mapped_column(
        sa.Uuid, primary_key=True, server_default=sa.text("gen_random_uuid()")
    )
    account_id: Mapped[uuid.UUID] = mapped_column(sa.ForeignKey("accounts.id"))
    token_hash: Mapped[bytes] = mapped_column(sa.LargeBinary, unique=True, deferred=True)
    created_at: Mapped[datetime] = mapped_column(Moment, server_default=sa.func.now())
    last_seen_at: Mapped[datetime] = mapped_column(Moment, server_default=sa.func.now())
    expires_at: Mapped[datetime] = mapped_column(Moment)
    idle_s: Mapped[int] = mapped_column(sa.Integer)
    second_factor: Mapped[bool] = mapped_column(sa.Boolean)
    address: Mapped[str] = mapped_column(sa.Text, server_default="")
    agent: Mapped[str] = mapped_column(sa.Text, server_default="")
    ended_at: Mapped[datetime | None] = mapped_column(Moment)
    ended_by: Mapped[str | None] = mapped_column(sa.Text)


class ApiKey(Base):
    """What an integrator's program shows; it may narrow its account's rights and area."""

    __tablename__ = "api_keys"
    id: Mapped[uuid.UUID] = mapped_column(
        sa.Uuid, primary_key=True, server_default=sa.text("gen_random_uuid()")
    )
    account_id: Mapped[uuid.UUID] = mapped_column(sa.ForeignKey("accounts.id"))
    name: Mapped[str] = mapped_column(sa.Text)
    key_hash: Mapped[bytes] = mapped_column(sa.LargeBinary, unique=True, deferred=True)
    rights: Mapped[list[str] | None] = mapped_column(ARRAY(sa.Text))
    area_code: Mapped[str | None] = mapped_column(Code)
    per_minute: Mapped[int] = mapped_column(sa.Integer)
    expires_at: Mapped[datetime] = mapped_column(Moment)
    last_used_at: Mapped[datetime | None] = mapped_column(Moment)
    created_at: Mapped[datetime] = mapped_column(Moment, server_default=sa.func.now())
    created_by: Mapped[str] = mapped_column(sa.Text)
    ended_at: Mapped[datetime | None] = mapped_column(Moment)
    ended_by: Mapped[str | None] = mapped_column(sa.Text)


class AreaGrant(Base):
    """Access to another area for a time, listed and revocable; break-glass access is self-given."""

    __tablename__ = "area_grants"
    id: Mapped[uuid.UUID] = mapped_column(
        sa.Uuid, primary_key=True, server_default=sa.text("gen_random_uuid()")
    )
    account_id: Mapped[uuid.UUID] = mapped_column(sa.ForeignKey("accounts.id"))
    area_code: Mapped[str] = mapped_column(Code)
    kind: Mapped[str] = mapped_column(sa.Text)
    reason: Mapped[str] = mapped_column(sa.Text)
    valid: Mapped[Range[datetime]] = mapped_column(TSTZRANGE)
    given_by: Mapped[str] = mapped_column(sa.Text)
    created_at: Mapped[datetime] = mapped_column(Moment, server_default=sa.func.now())
    ended_at: Mapped[datetime | None] = mapped_column(Moment)
    ended_by: Mapped[str | None] = mapped_column(sa.Text)
    seen_at: Mapped[datetime | None] = mapped_column(Moment)
    seen_by: Mapped[str | None] = mapped_column(sa.Text)
