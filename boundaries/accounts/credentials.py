"""API keys: made here, told once, kept as hashes. A program has an account of its own."""

from __future__ import annotations

import secrets
from datetime import timedelta
from typing import TYPE_CHECKING, Final

from boundaries.access import Credential
from boundaries.accounts import repository
from boundaries.errors import GrantNotFound
from gis import audit
from gis.database import execute
from gis.errors import BadInput, Problem

if TYPE_CHECKING:
    import uuid
    from collections.abc import Sequence

    from sqlalchemy.orm import Session

    from boundaries.accounts.models import Account, ApiKey

KEY_PREFIX: Final = "wgk_"
"""Of every API key, so that a scan for secrets finds one that was committed by mistake."""
SECRET_BYTES: Final = 32
LONGEST: Final = timedelta(days=400)
PER_MINUTE: Final = 60
MOST_PER_MINUTE: Final = 100_000
ROLE: Final = "integrator"


def issue_key(
    session: Session,
    account: Account,
    name: str,
    *,
    author: str,
    lasts: timedelta,
    per_minute: int = PER_MINUTE,
    rights: Sequence[str] | None = None,
    area_code: str | None = None,
) -> tuple[ApiKey, str]:
    """Issue an API key; the row, and the key itself, which is told once and not kept.

    Parameters
    ----------
    rights, area_code
        Fewer rights and a smaller area than the account's; None: the account's.

    Raises
    ------
    BadInput
        It would reach further than its account, last longer than 400 days, or belong to a person.
    """
    problems = list(
        _problems(
            session,
            account,
            name=name,
            lasts=lasts,
            per_minute=per_minute,
            rights=rights,
            area_code=area_code,
        )
    )
    if problems:
        raise BadInput(problems)
    secret = KEY_PREFIX + secrets.token_urlsafe(SECRET_BYTES)
    made = execute(
        session,
        "SELECT wangge_issue_key(:account, :name, :hash, :rights, :area, :per_minute, :lasts, "
        ":author)",
        account=account.id,
        name=name.strip(),
        hash=Credential.of(secret, is_key=True).hash,
        rights=sorted(rights) if rights is not None else None,
        area=area_code,
        per_minute=per_minute,
        lasts=lasts,
        author=author,
    ).scalar_one()
    audit.record(
        session,
        actor=author,
        action="key.issued",
        object_kind="api_key",
        object_id=made,
        login=account.login,
        rights=sorted(rights) if rights is not None else None,
        area_code=area_code,
        per_minute=per_minute,
    )
    return repository.key(session, made), secret


def _problems(
    session: Session,
    account: Account,
    *,
    name: str,
    lasts: timedelta,
    per_minute: int,
    rights: Sequence[str] | None,
    area_code: str | None,
) -> list[Problem]:
    found = []
    if account.role != ROLE:
        found.append(
            Problem(
                f"{account.login} is no program's account, but {account.role or 'without a role'}",
                f"Make an account with the role {ROLE} for the program",
                field="login",
            )
        )
    if not name.strip():
        found.append(Problem("the key has no name", "Say what it is for", field="name"))
    if not timedelta() < lasts <= LONGEST:
        found.append(
            Problem(
                f"a key lasts 1 to {LONGEST.days} days", "Issue a new one in time", field="days"
            )
        )
    if not 1 <= per_minute <= MOST_PER_MINUTE:
        found.append(
            Problem(
                f"{per_minute} requests a minute", f"1 to {MOST_PER_MINUTE}", field="per_minute"
            )
        )
    if rights is not None:
        more = sorted(set(rights) - repository.rights_of(session, account.role))
        if more or not rights:
            found.append(
                Problem(
                    f"the account has no right {', '.join(more)}" if more else "no right is named",
                    "A key narrows its account's rights and never widens them",
                    field="rights",
                )
            )
    if area_code is not None and not area_code.startswith(account.area_code):
        found.append(
            Problem(
                f"{area_code} lies outside the account's area {account.area_code}",
                "A key narrows its account's area and never widens it",
                field="area_code",
            )
        )
    elif area_code:
        found += repository.area_problems(session, area_code)
    return found


def revoke_key(session: Session, key_id: uuid.UUID, *, author: str) -> None:
    """End a key at once.

    Raises
    ------
    GrantNotFound
        There is none in force that is the caller's to end.
    """
    ended = execute(
        session,
        "UPDATE api_keys SET ended_at = clock_timestamp(), ended_by = :author "
        "WHERE id = :id AND ended_at IS NULL RETURNING id",
        id=key_id,
        author=author,
    ).first()
    if ended is None:
        raise GrantNotFound(f"no key {key_id} is in force")
    audit.record(
        session, actor=author, action="key.revoked", object_kind="api_key", object_id=key_id
    )
