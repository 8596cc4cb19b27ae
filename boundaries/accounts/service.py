"""Accounts as administrators and their owners change them.

What the caller may do, the functions of the database check; what is asked here is asked so that a
refusal can say why.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import Range

from boundaries.accounts import passwords, repository, totp
from boundaries.accounts.models import Account, Role, SignedIn
from boundaries.accounts.signing_in import Device, count_attempt, forgive, normal_login
from boundaries.errors import AccountConflict, GrantNotFound, NotAllowed
from gis import audit
from gis.database import execute
from gis.errors import BadInput, Problem

if TYPE_CHECKING:
    import uuid

    from sqlalchemy.orm import Session

    from gis.database import Database
    from gis.secrets import Keyring

LOGIN: Final = re.compile(r"[a-z0-9][a-z0-9._@-]{1,63}")
FIRST_LOGIN: Final = "admin"


def add(
    session: Session,
    *,
    login: str,
    name: str,
    area_code: str,
    actor: str,
    person_id: uuid.UUID | None = None,
    valid_until: datetime | None = None,
    external_subject: str | None = None,
    with_password: bool = True,
) -> tuple[Account, str | None]:
    """Add an account without a role; the account, and its one-time password.

    Parameters
    ----------
    area_code
        '' for the whole installation.
    external_subject
        Whom the OpenID provider calls so.
    with_password
        False for programs, and for those who come by the provider only.

    Raises
    ------
    BadInput
        Names every field that cannot be taken.
    AccountConflict
        The login, the person or the subject has an account already.
    """
    login, name = normal_login(login), name.strip()
    problems = repository.area_problems(session, area_code)
    if not LOGIN.fullmatch(login):
        problems.append(
            Problem(
                "this is no login",
                "2 to 64 of a-z, 0-9 and . - _ @, beginning with a letter or figure",
                field="login",
            )
        )
    if not name:
        problems.append(Problem("the name is empty", "Say whose account it is", field="name"))
    if valid_until is not None and valid_until <= datetime.now(UTC):
        problems.append(Problem("it lies in the past", "Give a later time", field="valid_until"))
    if problems:
        raise BadInput(problems)
    password = passwords.one_time() if with_password else None
    try:
        with session.begin_nested():
            made = execute(
                session,
                "SELECT wangge_add_account(:login, :name, :area, CAST(:person AS uuid), :hash, "
                ":subject, tstzrange(now(), CAST(:until AS timestamptz)), :author)",
                login=login,
                name=name,
                area=area_code,
                person=person_id,
                hash=passwords.hash_password(password) if password else None,
                subject=external_subject,
                until=valid_until,
                author=actor,
            ).scalar_one()
    except sa.exc.IntegrityError as error:
        raise _conflict(error, login) from None
    audit.record(
        session,
        actor=actor,
        action="account.added",
        object_kind="account",
        object_id=made,
        login=login,
        area_code=area_code,
    )
    return repository.account(session, made), password


def _conflict(error: sa.exc.IntegrityError, login: str) -> AccountConflict | BadInput:
    constraint = getattr(getattr(error.orig, "diag", None), "constraint_name", "") or ""
    if "fkey" in constraint:
        return BadInput(Problem("there is no such person", "Give another", field="person_id"))
    what = {
        "accounts_login_key": f"the login {login}",
        "accounts_person_id_key": "this person",
        "accounts_external_subject_key": "this subject of the provider",
    }.get(constraint, "one of these")
    return AccountConflict(f"{what} has an account already")


def assign_role(
    session: Session, account: Account, role: str | None, area_code: str, *, actor: str
) -> Account:
    """Give an account its role and area; it holds from the account's next request on.

    Raises
    ------
    BadInput
        There is no such role or unit, or a grid worker is nobody of the people.
    NotAllowed
        It is the caller's own account.
    """
    problems = repository.area_problems(session, area_code)
    if role is not None and session.get(Role, role) is None:
        known = ", ".join(each.key for each in repository.roles(session))
        problems.append(Problem(f"there is no role '{role}'", f"One of: {known}", field="role"))
    if role == "grid_worker" and account.person_id is None:
        problems.append(
            Problem(
                "a grid worker's account belongs to a person, whose grids it sees",
                "Make the account with the person",
                field="role",
            )
        )
    if problems:
        raise BadInput(problems)
    _refuse_own(session, account, "role")
    execute(
        session,
        "SELECT wangge_assign_role(:account, :role, :area)",
        account=account.id,
        role=role,
        area=area_code,
    )
    audit.record(
        session,
        actor=actor,
        action="account.role_assigned",
        object_kind="account",
        object_id=account.id,
        login=account.login,
        role_before=account.role,
        area_before=account.area_code,
        role=role,
        area_code=area_code,
    )
    return repository.account(session, account.id)


def disable(session: Session, account: Account, *, actor: str, is_disabled: bool = True) -> Account:
    """Shut an account out at once and end its sessions, or let it in again."""
    _refuse_own(session, account, "state")
    _refuse_administrator(session, account)
    execute(
        session,
        "SELECT wangge_disable(:account, :disabled)",
        account=account.id,
        disabled=is_disabled,
    )
    if is_disabled:
        end_sessions(session, account, actor=actor)
    audit.record(
        session,
        actor=actor,
        action="account.disabled" if is_disabled else "account.enabled",
        object_kind="account",
        object_id=account.id,
        login=account.login,
    )
    return repository.account(session, account.id)


def reset_password(session: Session, account: Account, *, actor: str) -> str:
    """A one-time password for an account, whose sessions end; told once and not kept."""
    _refuse_own(session, account, "password")
    _refuse_administrator(session, account)
    password = passwords.one_time()
    _set_password(session, account, password)
    _forgive_login(session, account)
    end_sessions(session, account, actor=actor)
    audit.record(
        session,
        actor=actor,
        action="account.password_reset",
        object_kind="account",
        object_id=account.id,
        login=account.login,
    )
    return password


def change_password(
    session: Session,
    database: Database,
    account: Account,
    *,
    current: str,
    new: str,
    session_id: uuid.UUID | None,
    device: Device,
) -> None:
    """Change one's own password; every other session of the account ends.

    Raises
    ------
    BadInput
        The present one is wrong, or the new one is too weak or the same.
    TooMany
        Too many attempts have failed.
    """
    passwords.check(new, login=account.login, name=account.name)
    if passwords.normal(new) == passwords.normal(current):
        raise BadInput(Problem("it is the present password", "Choose another", field="new"))
    confirm_password(session, database, account, current, device=device)
    _set_password(session, account, new)
    end_sessions(session, account, actor=account.login, but=session_id)
    audit.record(
        session,
        actor=account.login,
        action="account.password_changed",
        object_kind="account",
        object_id=account.id,
    )


def _set_password(session: Session, account: Account, password: str) -> None:
    execute(
        session,
        "SELECT wangge_set_password(:account, :hash)",
        account=account.id,
        hash=passwords.hash_password(password),
    )


def confirm_password(
    session: Session, database: Database, account: Account, password: str, *, device: Device
) -> None:
    """Ask for the caller's own password again before something weighty; failures count.

    Raises
    ------
    BadInput
        It is wrong.
    TooMany
        Too many attempts have failed.
    """
    with database.service_transaction() as apart:  # stays counted when this request is undone
        count_attempt(apart, account.login, device)
    kept = execute(session, "SELECT password_hash FROM wangge_own_secrets()").scalar_one()
    if not passwords.matches(kept, password):
        raise BadInput(Problem("the password is wrong", "Enter your present one", field="current"))
    with database.service_transaction() as apart:
        forgive(apart, account.login, device, wholly=True)


def _forgive_login(session: Session, account: Account) -> None:
    forgive(session, account.login, Device(), wholly=True)


def end_sessions(
    session: Session,
    account: Account,
    *,
    actor: str,
    only: uuid.UUID | None = None,
    but: uuid.UUID | None = None,
) -> int:
    """End sessions of an account: all, one, or all but one; how many there were.

    Raises
    ------
    GrantNotFound
        The one is not there, or not the caller's to end.
    """
    statement = (
        sa.update(SignedIn)
        .where(SignedIn.account_id == account.id, SignedIn.ended_at.is_(None))
        .values(ended_at=sa.func.clock_timestamp(), ended_by=actor)
        .returning(SignedIn.id)
        .execution_options(synchronize_session=False)
    )
    if only is not None:
        statement = statement.where(SignedIn.id == only)
    if but is not None:
        statement = statement.where(SignedIn.id != but)
    ended = session.scalars(statement).all()
    if only is not None and not ended:
        raise GrantNotFound(f"no session {only} is open")
    for each in ended:
        audit.record(
            session,
            actor=actor,
            action="session.ended",
            object_kind="session",
            object_id=each,
            login=account.login,
        )
    return len(ended)


# -- the second factor ---------------------------------------------------------------------------


def begin_totp(session: Session, keyring: Keyring, account: Account) -> tuple[str, str]:
    """A new secret for an authenticator: in base 32, and as an ``otpauth:`` address.

    It asks for nothing until it is confirmed with a first code.

    Raises
    ------
    AccountConflict
        There is a second factor already.
    """
    secret = totp.new_secret()
    sealed = keyring.encrypt(secret.encode(), context=totp.context(account.id))
    if not execute(session, "SELECT wangge_begin_totp(:secret)", secret=sealed).scalar_one():
        raise AccountConflict("the account has a second factor already: remove it first")
    return secret, totp.address(secret, account.login)


def confirm_totp(
    session: Session, keyring: Keyring, account: Account, code: str, *, off_s: float = 0
) -> list[str]:
    """Turn the second factor on with a first code; the recovery codes, told once.

    Parameters
    ----------
    off_s
        Seconds that the clock which made the code may be off from ours.

    Raises
    ------
    AccountConflict
        Nothing was begun, or it is on already.
    BadInput
        The code is wrong.
    """
    known = execute(session, "SELECT * FROM wangge_own_secrets()").one()
    if known.totp_secret is None or known.is_totp_confirmed:
        raise AccountConflict("begin a new second factor first")
    secret = keyring.decrypt(known.totp_secret, context=totp.context(account.id)).decode()
    step = totp.step_of(secret, totp.plain_code(code), datetime.now(UTC), off_s=off_s)
    if step is None:
        raise BadInput(
            Problem(
                "the code is wrong",
                "Enter the six figures that are shown now, and see that the clock is right",
                field="code",
            )
        )
    codes = totp.new_recovery_codes()
    hashes = [totp.recovery_hash(each) for each in codes]
    execute(session, "SELECT wangge_confirm_totp(:step, :hashes)", step=step, hashes=hashes)
    audit.record(
        session,
        actor=account.login,
        action="account.totp_confirmed",
        object_kind="account",
        object_id=account.id,
    )
    return codes


def remove_totp(session: Session, account: Account, *, actor: str) -> None:
    """Remove a second factor: the caller's own, or one of an account that it administers."""
    if account.id != _caller(session):
        _refuse_administrator(session, account)
        end_sessions(session, account, actor=actor)
    execute(session, "SELECT wangge_remove_totp(:account)", account=account.id)
    audit.record(
        session,
        actor=actor,
        action="account.totp_removed",
        object_kind="account",
        object_id=account.id,
        login=account.login,
    )


# -- the first account ---------------------------------------------------------------------------


def first_administrator(session: Session) -> str | None:
    """Make ``admin`` where nobody has an account; its one-time password, None when there are some.

    Two servers may start at once: one of them makes it.
    """
    execute(session, "SELECT pg_advisory_xact_lock(hashtext('wangge first account'))")
    if not repository.is_empty(session):
        return None
    account, password = add(
        session, login=FIRST_LOGIN, name="系统管理员 Administrator", area_code="", actor="wangge"
    )
    assign_role(session, account, "system_admin", "", actor="wangge")
    return password


def _caller(session: Session) -> uuid.UUID | None:
    return session.scalar(sa.text("SELECT wangge_account()"))


def _refuse_own(session: Session, account: Account, what: str) -> None:
    if account.id == _caller(session):
        raise NotAllowed(f"nobody changes the {what} of their own account here")


def _refuse_administrator(session: Session, account: Account) -> None:
    """Administrators do not rule each other: only the command line does."""
    if session.scalar(sa.text("SELECT wangge_may('*')")):
        return
    role = session.get(Role, account.role) if account.role else None
    if role is not None and role.is_administrator:
        raise NotAllowed(
            f"{account.login} is an administrator: change the account on the server, with "
            "'wangge accounts'"
        )


def valid_until(account: Account) -> datetime | None:
    """When the account's time of service ends; None: open."""
    valid: Range[datetime] = account.valid
    return valid.upper
