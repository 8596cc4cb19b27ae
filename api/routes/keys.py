"""API keys of programs."""

from __future__ import annotations

import uuid
from datetime import timedelta
from typing import Annotated

from fastapi import APIRouter, Response

from api.auth import Access, needs
from api.schemas.accounts import KeyBody, KeyOut, KeysOut, NewKeyOut
from boundaries.accounts import credentials, repository

router = APIRouter(prefix="/api/v1/keys", tags=["keys"])
Manager = Annotated[Access, needs("keys.manage")]


@router.get("", summary="API keys")
def index(access: Manager) -> KeysOut:
    """Every key of the caller's area, ended ones too, the newest first."""
    return KeysOut(keys=[KeyOut.of(*each) for each in repository.keys(access.session)])


@router.post(
    "",
    status_code=201,
    summary="Issue an API key",
    responses={404: {"description": "There is no such account in the caller's area"}},
)
def issue(body: KeyBody, access: Manager, response: Response) -> NewKeyOut:
    """The key is told once, in this answer. It never reaches further than its account."""
    account = repository.named_account(access.session, body.login)
    key, secret = credentials.issue_key(
        access.session,
        account,
        body.name,
        author=access.actor,
        lasts=timedelta(days=body.days),
        per_minute=body.per_minute,
        rights=body.rights,
        area_code=body.area_code,
    )
    response.headers["Cache-Control"] = "no-store"
    return NewKeyOut.told(key, account.login, secret)


@router.delete("/{key_id}", status_code=204, summary="Revoke an API key")
def revoke(key_id: uuid.UUID, access: Manager) -> None:
    """It is worth nothing from the next request on."""
    credentials.revoke_key(access.session, key_id, author=access.actor)
