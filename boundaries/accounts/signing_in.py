"""Signing in: an attempt is counted, then the password is checked, then the code, then it opens.

Attempts are counted before they are made, in a transaction of their own: what fails stays counted,
and many at once do not slip past. Known and unknown logins take the same way and the same time.
"""

from __future__ import annotations

import hashlib
import secrets
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, Final

from boundaries.access import Credential
from boundaries.accounts import passwords, totp
from boundaries.errors import CodeNeeded, CodeRefused, SignInRefused
from gis import audit
from gis.database import execute
from gis.errors import TooMany, Unavailable

if TYPE_CHECKING:
    import uuid

    import sqlalchemy as sa
    from sqlalchemy.orm import Session

    from gis.database import Database
    from gis.secrets import Keyring

SECRET_BYTES: Final = 32
REFUSED: Final = "the login or the password is wrong"


@dataclass(frozen=True, slots=True)
class Slowing:
    """How failed attempts slow the next ones down.

    After ``free`` failures within ``remembered`` each further one doubles the wait, from
    ``first_s`` to ``longest_s``. It slows and never shuts out: whoever knows a login could
    otherwise keep its owner out.
    """

    free: int
    first_s: int
    longest_s: int
    remembered: timedelta


BY_LOGIN: Final = Slowing(5, 30, 900, timedelta(days=1))
# An office may share one address.
BY_ADDRESS: Final = Slowing(50, 10, 300, timedelta(hours=1))


@dataclass(frozen=True, slots=True)
class Device:
    """Where a request came from: its network address, and what the browser says it is."""

    address: str = ""
    agent: str = ""


@dataclass(frozen=True, slots=True)
class Limits:
    """How long a session lasts at all, and without a request; how far a code's clock is off."""

    lasts: timedelta = timedelta(hours=12)
    idle: timedelta = timedelta(minutes=30)
    code_off_s: float = 0


@dataclass(frozen=True, slots=True)
class Opened:
    """A session that was opened; its token is told once."""

    session_id: uuid.UUID
    account_id: uuid.UUID
    login: str
    token: str


def normal_login(login: str) -> str:
    """A login as accounts keep it: lower case, nothing around it."""
    return login.strip().lower()


def sign_in(
    database: Database,
    keyring: Keyring | None,
    *,
    login: str,
    password: str,
    code: str | None = None,
    device: Device | None = None,
    limits: Limits | None = None,
) -> Opened:
    """Let somebody in by password and, where the account has one, second factor.

    Raises
    ------
    SignInRefused
        Login or password are wrong, or the account is closed.
    CodeNeeded, CodeRefused
        The account asks for a code; it was missing or wrong.
    TooMany
        Too many attempts have failed, by this login or from this address.
    """
    login, device, limits = normal_login(login), device or Device(), limits or Limits()
    with database.service_transaction() as session:
        count_attempt(session, login, device)
        account = look_up(session, login)
    kept = account.password_hash if account is not None else None
    if not passwords.matches(kept, password) or account is None:
        if account is not None:
            _record_refusal(database, account, device, "password")
        raise SignInRefused(REFUSED)
    if not account.is_open:
        _record_refusal(database, account, device, "closed")
        raise SignInRefused("the account is closed, or outside its time of service")
    if account.is_totp_confirmed and not code:
        with database.service_transaction() as session:
            forgive(session, login, device, wholly=False)
        raise CodeNeeded("enter the code of the authenticator as well")
    rehashed = passwords.hash_password(password) if passwords.is_outdated(str(kept)) else None
    with database.service_transaction() as session:
        by = "password"
        if account.is_totp_confirmed:
            by = _use_code(session, keyring, account, str(code), off_s=limits.code_off_s)
        if by != "refused":
            forgive(session, login, device, wholly=True)
            if rehashed is not None:
                execute(
                    session,
                    "SELECT wangge_rehash_password(:account, :before, :after)",
                    account=account.id, before=kept, after=rehashed,
                )  # fmt: skip
            return open_session(session, account, by=by, device=device, limits=limits)
    _record_refusal(database, account, device, "code")
    raise CodeRefused("the code is wrong, has run out, or was used before: enter the one shown now")


def open_session(
    session: Session,
    account: sa.Row[Any],
    *,
    by: str,
    device: Device | None = None,
    limits: Limits | None = None,
) -> Opened:
    """Open a session of an account that has shown who it is.

    Parameters
    ----------
    account
        A row with its ``id`` and ``login``.
    by
        What it showed: password, totp, recovery, provider, provider_mfa or demo.
    """
    device, limits = device or Device(), limits or Limits()
    token = secrets.token_urlsafe(SECRET_BYTES)
    opened = execute(
        session,
        "SELECT wangge_open_session(:account, :hash, :lasts, :idle, :second, :address, :agent)",
        account=account.id,
        hash=Credential.of(token, is_key=False).hash,
        lasts=limits.lasts,
        idle=limits.idle,
        second=by in {"totp", "recovery", "provider_mfa"},
        address=device.address,
        agent=device.agent,
    ).scalar_one()
    if opened is None:
        raise SignInRefused("the account is closed, or outside its time of service")
    audit.record(
        session,
        actor=account.login,
        action="session.opened",
        object_kind="session",
        object_id=opened,
        by=by,
        address=device.address,
    )
    return Opened(opened, account.id, account.login, token)


def end_by_token(session: Session, token: str) -> None:
    """End the session of a token, if there is one: whoever holds it may."""
    execute(
        session, "SELECT wangge_end_session(:hash)", hash=Credential.of(token, is_key=False).hash
    )


def count_attempt(session: Session, login: str, device: Device) -> None:
    """Count an attempt before it is made.

    Raises
    ------
    TooMany
        Too many have failed before; says how long to wait.
    """
    # The address first, always: two transactions that lock the same two rows never cross.
    subjects = [(_subject("login", login), BY_LOGIN)]
    if device.address:
        subjects.insert(0, (_subject("address", device.address), BY_ADDRESS))
    for subject, slowing in subjects:
        wait = execute(
            session,
            "SELECT wangge_count_attempt(:who, :free, :first, :longest, :remembered)",
            who=subject,
            free=slowing.free,
            first=slowing.first_s,
            longest=slowing.longest_s,
            remembered=slowing.remembered,
        ).scalar_one()
        if wait:
            raise TooMany(f"too many attempts have failed: try again in {wait} s", wait)


def forgive(session: Session, login: str, device: Device, *, wholly: bool) -> None:
    """Take an attempt back that did not fail.

    Parameters
    ----------
    wholly
        Forget the failures of this login before it as well. Those of the address stay: whoever has
        an account of their own must not clear the way for guessing others'.
    """
    if device.address:
        _forgive(session, _subject("address", device.address), wholly=False)
    _forgive(session, _subject("login", login), wholly=wholly)


def _forgive(session: Session, subject: bytes, *, wholly: bool) -> None:
    execute(session, "SELECT wangge_forgive_attempt(:who, :wholly)", who=subject, wholly=wholly)


def _subject(kind: str, text: str) -> bytes:
    """As ``wangge_login_subject`` of the database."""
    return hashlib.sha256(f"{kind}:{text}".encode()).digest()


def look_up(session: Session, login: str) -> sa.Row[Any] | None:
    """What a sign-in needs to know of an account; None where there is none."""
    found = execute(session, "SELECT * FROM wangge_sign_in_account(:login, NULL)", login=login)
    return found.one_or_none()


def _use_code(
    session: Session, keyring: Keyring | None, account: sa.Row[Any], code: str, *, off_s: float
) -> str:
    """Use a code up; by what it was: totp or recovery, else 'refused'."""
    plain = totp.plain_code(code)
    if len(plain) == totp.DIGITS and plain.isdigit():
        if keyring is None:
            raise Unavailable(
                "second factors cannot be checked: the keys of this server are missing"
            )
        secret = keyring.decrypt(account.totp_secret, context=totp.context(account.id)).decode()
        step = totp.step_of(secret, plain, datetime.now(UTC), off_s=off_s)
        if step is None:
            return "refused"
        used = execute(
            session, "SELECT wangge_use_totp_step(:id, :step)", id=account.id, step=step
        ).scalar_one()
        return "totp" if used else "refused"
    used = execute(
        session,
        "SELECT wangge_use_recovery_code(:id, :hash)",
        id=account.id,
        hash=totp.recovery_hash(plain),
    ).scalar_one()
    return "recovery" if used else "refused"


def _record_refusal(database: Database, account: sa.Row[Any], device: Device, why: str) -> None:
    with database.service_transaction() as session:
        audit.record(
            session,
            actor=account.login,
            action="session.refused",
            object_kind="account",
            object_id=account.id,
            why=why,
            address=device.address,
        )
