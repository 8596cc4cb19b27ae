"""Who is calling and what they may see: the credential, the caller, and the scope of its area.

The database decides: ``enter`` asks it once at the beginning of a transaction, and its row-level
security holds from then on. ``Scope`` says the same in a query's own conditions, so that its
indexes are used, and for what no policy can reach.
"""

from __future__ import annotations

import hashlib
import uuid
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import sqlalchemy as sa

from boundaries.errors import NotAllowed, NotSignedIn
from gis import audit

if TYPE_CHECKING:
    from sqlalchemy.orm import Session

WHY: Final = {
    "unknown": "sign in first: the session or key is not known here",
    "ended": "sign in again: the session or key was ended",
    "expired": "sign in again: the session or key has expired",
    "idle": "sign in again: nothing was asked for too long",
    "closed": "the account is closed, or outside its time of service",
}
# Everything that the policies read of a transaction; a test compares it with their functions.
SETTINGS: Final = ("lo", "hi", "also", "rights", "account", "person", "grids", "departments")
# First text after every code: ':' follows '9'.
AFTER_ALL: Final = ":"


@dataclass(frozen=True, slots=True)
class Credential:
    """What a request shows: the token of a session, or an API key. Only its hash goes further."""

    hash: bytes
    is_key: bool

    @classmethod
    def of(cls, secret: str, *, is_key: bool) -> Credential:
        """The credential of a secret; secrets are random, so one round of SHA-256 will do."""
        return cls(hashlib.sha256(secret.encode()).digest(), is_key)


@dataclass(frozen=True, slots=True)
class Scope:
    """The areas a caller sees: its own subtree of units, and those granted beyond it for a time.

    ``area`` is a code of 2 to 12 digits, or '' for the whole installation.
    """

    area: str
    also: tuple[str, ...] = ()

    def ranges(self) -> list[tuple[str, str]]:
        """Half-open ranges of codes, one for each area."""
        return [_range(code) for code in (self.area, *self.also)]

    def covers(self, code: str) -> bool:
        """Whether a unit's code lies in it."""
        return any(code.startswith(area) for area in (self.area, *self.also))

    def condition(self, column: Any) -> sa.ColumnElement[bool]:
        """That a row's area lies in it, as ranges that an index in collation "C" answers."""
        if self.area == "":
            return sa.true()
        return sa.or_(*(sa.and_(column >= first, column < after) for first, after in self.ranges()))


EVERYWHERE: Final = Scope("")


def _range(code: str) -> tuple[str, str]:
    if code == "":
        return "0", AFTER_ALL
    return code, code[:-1] + chr(ord(code[-1]) + 1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Caller:
    """An account that was let in, for one transaction.

    Attributes
    ----------
    rights
        Keys of what it may do; none while its password has to be changed.
    session_id, key_id
        What it came by; one of them is None.
    per_minute
        Requests a minute that its key allows; None for a session.
    """

    account_id: uuid.UUID
    login: str
    name: str
    role: str | None
    scope: Scope
    rights: frozenset[str]
    person_id: uuid.UUID | None
    must_change_password: bool
    session_id: uuid.UUID | None
    key_id: uuid.UUID | None
    per_minute: int | None

    def may(self, right: str) -> bool:
        """Whether it has a right."""
        return right in self.rights

    def require_own_password(self) -> None:
        """Refuse everything while its password is one that was given to it.

        Raises
        ------
        NotAllowed
            It has to be changed first.
        """
        if self.must_change_password:
            raise NotAllowed("change the password first: this one was given for a single use")

    def require(self, *rights: str) -> None:
        """Refuse when it has none of them.

        Raises
        ------
        NotAllowed
            Says which right is missing, never what is there.
        """
        self.require_own_password()
        if not any(right in self.rights for right in rights):
            raise NotAllowed(
                f"the role {self.role or 'of this account'} does not allow it "
                f"(it needs {' or '.join(rights)})",
                rights,
            )


def enter(session: Session, credential: Credential, *, origin: str = "") -> Caller:
    """Let a caller in: from here on the transaction sees its area and what its role allows.

    What is entered in the audit log from here on is entered under its name.

    Parameters
    ----------
    origin
        Network address that it calls from.

    Raises
    ------
    NotSignedIn
        The credential is unknown, ended, expired, idle for too long, or its account is closed.
    """
    hashes = {
        "session": None if credential.is_key else credential.hash,
        "key": credential.hash if credential.is_key else None,
    }
    row = session.execute(
        sa.text("SELECT * FROM wangge_enter(CAST(:session AS bytea), CAST(:key AS bytea))"), hashes
    ).one()
    if row.reason is not None:
        raise NotSignedIn(WHY[row.reason])
    caller = caller_of(row)
    audit.come_in(
        session,
        audit.Context(
            actor=caller.login,
            account_id=caller.account_id,
            role=caller.role,
            area=caller.scope.area,
            also=caller.scope.also,
            origin=origin,
            session_id=caller.session_id,
            key_id=caller.key_id,
        ),
    )
    return caller


def caller_of(row: Any) -> Caller:
    """The caller that a row of ``wangge_enter`` lets in."""
    return Caller(
        account_id=row.account_id,
        login=row.login,
        name=row.name,
        role=row.role,
        scope=Scope(row.area_code, tuple(filter(None, (row.also or "").split(",")))),
        rights=frozenset(filter(None, (row.rights or "").split(","))),
        person_id=row.person_id,
        must_change_password=row.must_change_password,
        session_id=row.session_id,
        key_id=row.key_id,
        per_minute=row.per_minute,
    )


def sight(session: Session) -> tuple[str | None, ...]:
    """What decides, in this transaction, which rows are seen: the key of whatever is kept of them.

    Two transactions of the same sight see the same rows; two accounts never have the same, for
    each sees what it reported itself.
    """
    read = (sa.func.wangge_setting(name) for name in SETTINGS)
    return tuple(session.execute(sa.select(*read)).one())
