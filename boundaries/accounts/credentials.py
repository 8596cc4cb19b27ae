"""Secrets of sessions and API keys: made here, told once, kept as hashes."""

from __future__ import annotations

import secrets
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Final

from boundaries.access import Credential
from boundaries.accounts.models import Account, ApiKey, SignedIn

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sqlalchemy.orm import Session

SESSION_LASTS: Final = timedelta(hours=12)
SESSION_IDLE: Final = timedelta(minutes=30)
KEY_PREFIX: Final = "wgk_"
"""Of every API key, so that a scan for secrets finds one that was committed by mistake."""
SECRET_BYTES: Final = 32


def open_session(
    session: Session,
    account: Account,
    *,
    second_factor: bool,
    address: str = "",
    agent: str = "",
    lasts: timedelta = SESSION_LASTS,
    idle: timedelta = SESSION_IDLE,
) -> tuple[SignedIn, str]:
    """Sign an account in on a device; the session and its token, which is not kept."""
    token = secrets.token_urlsafe(SECRET_BYTES)
    signed_in = SignedIn(
        account_id=account.id,
        token_hash=Credential.of(token, is_key=False).hash,
        expires_at=datetime.now(UTC) + lasts,
        idle_s=int(idle.total_seconds()),
        second_factor=second_factor,
        address=address[:100],
        agent=agent[:300],
    )
    session.add(signed_in)
    session.flush()
    return signed_in, token


def issue_key(
    session: Session,
    account: Account,
    name: str,
    *,
    author: str,
    lasts: timedelta,
    per_minute: int,
    rights: Sequence[str] | None = None,
    area_code: str | None = None,
) -> tuple[ApiKey, str]:
    """Issue an API key; the row, and the key itself, which is told once and not kept."""
    secret = KEY_PREFIX + secrets.token_urlsafe(SECRET_BYTES)
    key = ApiKey(
        account_id=account.id,
        name=name,
        key_hash=Credential.of(secret, is_key=True).hash,
        rights=list(rights) if rights is not None else None,
        area_code=area_code,
        per_minute=per_minute,
        expires_at=datetime.now(UTC) + lasts,
        created_by=author,
    )
    session.add(key)
    session.flush()
    return key, secret
