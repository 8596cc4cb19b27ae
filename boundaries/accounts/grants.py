"""Access to another area for a time: given by an administrator, or taken by breaking the glass."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Final

from boundaries.accounts import repository
from boundaries.errors import GrantNotFound, NotAllowed
from gis import audit
from gis.database import execute
from gis.errors import BadInput, Problem

if TYPE_CHECKING:
    import uuid

    from sqlalchemy.orm import Session

    from boundaries.access import Caller
    from boundaries.accounts.models import Account, AreaGrant

SHORTEST_REASON: Final = 8
LONGEST: Final = timedelta(days=366)
LONGEST_BREAK_GLASS: Final = timedelta(hours=4)


def give(
    session: Session,
    account: Account,
    area_code: str,
    *,
    reason: str,
    until: datetime,
    since: datetime | None = None,
    actor: str,
) -> AreaGrant:
    """Let an account see another area until a time, with the rights that its role has.

    Raises
    ------
    BadInput
        There is no such unit, no reason, or it ends before it begins or after a year.
    """
    first = since or datetime.now(UTC)
    problems = _problems(session, area_code, reason)
    if not first < until <= first + LONGEST:
        problems.append(
            Problem(
                f"a grant ends after it begins, {LONGEST.days} days later at the most",
                "Give it again when it is needed for longer",
                field="until",
            )
        )
    if problems:
        raise BadInput(problems)
    made = execute(
        session,
        "SELECT wangge_give_grant(:account, :area, :reason, :since, :until, :author)",
        account=account.id,
        area=area_code,
        reason=reason.strip(),
        since=first,
        until=until,
        author=actor,
    ).scalar_one()
    _record(
        session,
        made,
        "grant.given",
        actor,
        login=account.login,
        area_code=area_code,
        purpose=reason.strip(),
    )
    return repository.grant(session, made)


def break_glass(
    session: Session, caller: Caller, area_code: str, *, reason: str, lasts: timedelta
) -> AreaGrant:
    """See another area at once, for four hours at the most; the security administrator is told.

    Raises
    ------
    BadInput
        There is no such unit, no reason, or it is for too long.
    NotAllowed
        It was asked for with an API key.
    """
    if caller.session_id is None:
        raise NotAllowed("a program does not break glass: sign in as a person")
    problems = _problems(session, area_code, reason)
    if not timedelta() < lasts <= LONGEST_BREAK_GLASS:
        problems.append(
            Problem(
                "break-glass access is for four hours at the most",
                "Ask the security administrator for a grant when it is needed for longer",
                field="minutes",
            )
        )
    if problems:
        raise BadInput(problems)
    made = execute(
        session,
        "SELECT wangge_break_glass(:area, :reason, :lasts, :author)",
        area=area_code,
        reason=reason.strip(),
        lasts=lasts,
        author=caller.login,
    ).scalar_one()
    _record(
        session,
        made,
        "grant.glass_broken",
        caller.login,
        area_code=area_code,
        purpose=reason.strip(),
    )
    return repository.grant(session, made)


def revoke(session: Session, grant_id: uuid.UUID, *, actor: str) -> None:
    """End a grant at once.

    Raises
    ------
    GrantNotFound
        There is none in force that is the caller's to end.
    """
    sql = "SELECT wangge_end_grant(:id, :author)"
    if not execute(session, sql, id=grant_id, author=actor).scalar_one():
        raise GrantNotFound(f"no grant {grant_id} is in force")
    _record(session, grant_id, "grant.revoked", actor)


def mark_seen(session: Session, grant_id: uuid.UUID, *, actor: str) -> None:
    """Say that broken glass was looked at; it is shown until then.

    Raises
    ------
    GrantNotFound
        There is none, it was seen before, or it is the caller's own.
    """
    sql = "SELECT wangge_see_grant(:id, :author)"
    if not execute(session, sql, id=grant_id, author=actor).scalar_one():
        raise GrantNotFound(f"no grant {grant_id} waits to be seen by you")
    _record(session, grant_id, "grant.seen", actor)


def _problems(session: Session, area_code: str, reason: str) -> list[Problem]:
    problems = repository.area_problems(session, area_code)
    if area_code == "":
        problems.append(
            Problem("the whole installation is not granted", "Name a unit", field="area_code")
        )
    if len(reason.strip()) < SHORTEST_REASON:
        problems.append(
            Problem(
                f"the reason is shorter than {SHORTEST_REASON} characters",
                "Say what it is needed for",
                field="reason",
            )
        )
    return problems


def _record(
    session: Session,
    grant_id: uuid.UUID,
    action: str,
    actor: str,
    *,
    login: str | None = None,
    area_code: str | None = None,
    purpose: str = "",
) -> None:
    audit.record(
        session,
        actor=actor,
        action=action,
        object_kind="grant",
        object_id=grant_id,
        purpose=purpose,
        login=login,
        area=area_code,
    )
