"""Accounts and what belongs to them, as the caller may see them: row-level security decides."""

from __future__ import annotations

import uuid
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import sqlalchemy as sa

from boundaries.accounts.models import Account, ApiKey, AreaGrant, Role, RoleRight, SignedIn
from boundaries.errors import AccountNotFound, GrantNotFound
from boundaries.models import AdminUnit
from gis.errors import BadInput, Problem

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sqlalchemy.orm import Session


def accounts(session: Session) -> Sequence[tuple[Account, datetime | None]]:
    """Every account, each with the moment until which its sign-ins are refused; by login."""
    locked = sa.func.wangge_locked_until(Account.id)
    rows = session.execute(sa.select(Account, locked).order_by(Account.login))
    return [(row[0], row[1]) for row in rows]


def account(session: Session, who: str | uuid.UUID) -> Account:
    """An account by its login or id.

    Raises
    ------
    AccountNotFound
        There is none, or none that the caller may see.
    """
    is_id = isinstance(who, uuid.UUID)
    condition = Account.id == who if is_id else Account.login == str(who).strip().lower()
    statement = sa.select(Account).where(condition).execution_options(populate_existing=True)
    found = session.scalars(statement).one_or_none()
    if found is None:
        raise AccountNotFound(f"there is no account {who}")
    return found


def named_account(session: Session, login: str) -> Account:
    """The account that a field of a request names.

    Raises
    ------
    BadInput
        There is none, or none that the caller may see.
    """
    try:
        return account(session, login)
    except AccountNotFound:
        raise BadInput(
            Problem("there is no such account", "Give the login of one", field="login")
        ) from None


def is_empty(session: Session) -> bool:
    """Whether nobody has an account yet."""
    return not session.scalar(sa.select(sa.exists(sa.select(Account.id))))


def roles(session: Session) -> Sequence[Role]:
    """All roles, in their order."""
    return session.scalars(sa.select(Role).order_by(Role.place)).all()


def rights_of(session: Session, role: str | None) -> set[str]:
    """Keys of the rights of a role."""
    return set(session.scalars(sa.select(RoleRight.right_key).where(RoleRight.role == role)))


def area_problems(session: Session, code: str, field: str = "area_code") -> list[Problem]:
    """What is wrong with an area: '' is the whole installation, else there has to be a unit."""
    if code == "":
        return []
    is_known = sa.exists(sa.select(AdminUnit.id).where(AdminUnit.code == code))
    if len(code) in {2, 4, 6, 9, 12} and session.scalar(sa.select(is_known)):
        return []
    return [
        Problem(f"there is no unit {code}", "Give the code of one, of 2 to 12 digits", field=field)
    ]


def open_sessions(session: Session, account_id: uuid.UUID) -> Sequence[SignedIn]:
    """Devices on which an account is signed in, the last seen first."""
    now = datetime.now(UTC)
    statement = (
        sa.select(SignedIn)
        .where(
            SignedIn.account_id == account_id,
            SignedIn.ended_at.is_(None),
            SignedIn.expires_at > now,
            SignedIn.last_seen_at + sa.func.make_interval(0, 0, 0, 0, 0, 0, SignedIn.idle_s) > now,
        )
        .order_by(SignedIn.last_seen_at.desc())
    )
    return session.scalars(statement).all()


def keys(session: Session, account_id: uuid.UUID | None = None) -> Sequence[tuple[ApiKey, str]]:
    """API keys, each with the login of its account; the newest first."""
    statement = (
        sa.select(ApiKey, Account.login)
        .join(Account, Account.id == ApiKey.account_id)
        .order_by(ApiKey.created_at.desc())
    )
    if account_id is not None:
        statement = statement.where(ApiKey.account_id == account_id)
    return [(row[0], row[1]) for row in session.execute(statement)]


def key(session: Session, key_id: uuid.UUID) -> ApiKey:
    """An API key by its id."""
    found = session.get(ApiKey, key_id)
    if found is None:
        raise GrantNotFound(f"no key {key_id} is in force")
    return found


def grants(session: Session, *, only_in_force: bool = False) -> Sequence[tuple[AreaGrant, str]]:
    """Grants of access to other areas, each with its account's login; the newest first."""
    statement = (
        sa.select(AreaGrant, Account.login)
        .join(Account, Account.id == AreaGrant.account_id)
        .order_by(AreaGrant.created_at.desc())
    )
    if only_in_force:
        statement = statement.where(
            AreaGrant.ended_at.is_(None), sa.func.upper(AreaGrant.valid) > datetime.now(UTC)
        )
    return [(row[0], row[1]) for row in session.execute(statement)]


def grant(session: Session, grant_id: uuid.UUID) -> AreaGrant:
    """A grant by its id."""
    statement = sa.select(AreaGrant).where(AreaGrant.id == grant_id)
    found = session.scalars(statement.execution_options(populate_existing=True)).one_or_none()
    if found is None:
        raise GrantNotFound(f"no grant {grant_id} is in force")
    return found
