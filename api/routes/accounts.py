"""Accounts, as the system administrator and the security administrator change them."""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from typing import Annotated

from fastapi import APIRouter, Response

from api.auth import Access, needs
from api.schemas.accounts import (
    AccountBody,
    AccountOut,
    AccountsOut,
    DeviceOut,
    DevicesOut,
    EndedOut,
    NewAccountOut,
    RoleBody,
    StateBody,
)
from boundaries.accounts import repository, service
from boundaries.accounts.models import Account
from gis import audit

router = APIRouter(prefix="/api/v1/accounts", tags=["accounts"])
Administrator = Annotated[
    Access, needs("accounts.manage", "roles.assign", "grants.give", "keys.manage")
]
Manager = Annotated[Access, needs("accounts.manage")]
# The system administrator appoints the first of the others; the database says which.
Assigner = Annotated[Access, needs("roles.assign", "accounts.manage")]


@router.get("", summary="Accounts of the caller's area")
def index(access: Administrator) -> AccountsOut:
    """Every account that the caller administers, by login."""
    found = repository.accounts(access.session)
    _enter(access, [account for account, _ in found])
    return AccountsOut(accounts=[AccountOut.of(account, locked) for account, locked in found])


@router.post(
    "",
    status_code=201,
    summary="Open an account",
    responses={409: {"description": "The login, the person or the subject has one already"}},
)
def add(body: AccountBody, access: Manager, response: Response) -> NewAccountOut:
    """Without a role it may do nothing: the security administrator gives it one.

    The one-time password is told once, in this answer; it has to be changed at the first sign-in.
    """
    account, password = service.add(
        access.session,
        login=body.login,
        name=body.name,
        area_code=body.area_code,
        person_id=body.person_id,
        valid_until=body.valid_until,
        external_subject=body.external_subject,
        with_password=body.with_password,
        actor=access.actor,
    )
    response.headers["Cache-Control"] = "no-store"
    return NewAccountOut.with_password(account, password)


@router.get("/{account_id}", summary="An account")
def show(account_id: uuid.UUID, access: Administrator) -> AccountOut:
    """One that the caller administers; others are not found."""
    found = repository.account(access.session, account_id)
    _enter(access, [found])
    return AccountOut.of(found)


@router.put("/{account_id}/role", summary="Give an account its role and area")
def assign_role(account_id: uuid.UUID, body: RoleBody, access: Assigner) -> AccountOut:
    """It holds from the account's next request on. Nobody gives themselves one."""
    account = repository.account(access.session, account_id)
    return AccountOut.of(
        service.assign_role(access.session, account, body.role, body.area_code, actor=access.actor)
    )


@router.put("/{account_id}/state", summary="Shut an account out, or let it in again")
def set_state(account_id: uuid.UUID, body: StateBody, access: Manager) -> AccountOut:
    """Shutting out ends its sessions at once."""
    account = repository.account(access.session, account_id)
    return AccountOut.of(
        service.disable(access.session, account, actor=access.actor, is_disabled=body.disabled)
    )


@router.post(
    "/{account_id}/password", status_code=201, summary="Give an account a new one-time password"
)
def reset_password(account_id: uuid.UUID, access: Manager, response: Response) -> NewAccountOut:
    """Told once, in this answer; the account's sessions end, and failed attempts are forgotten."""
    account = repository.account(access.session, account_id)
    password = service.reset_password(access.session, account, actor=access.actor)
    response.headers["Cache-Control"] = "no-store"
    return NewAccountOut.with_password(repository.account(access.session, account_id), password)


@router.delete("/{account_id}/totp", status_code=204, summary="Remove an account's second factor")
def remove_totp(account_id: uuid.UUID, access: Manager) -> None:
    """For a lost device, when no recovery code is left; its sessions end."""
    account = repository.account(access.session, account_id)
    service.remove_totp(access.session, account, actor=access.actor)


@router.get("/{account_id}/sessions", summary="Devices of an account")
def devices(account_id: uuid.UUID, access: Manager) -> DevicesOut:
    """Devices on which an account is signed in."""
    account = repository.account(access.session, account_id)
    found = repository.open_sessions(access.session, account.id)
    _enter(access, [account], "address", "agent")
    return DevicesOut(sessions=[DeviceOut.of(each, access.caller.session_id) for each in found])


@router.delete("/{account_id}/sessions", summary="Sign an account out everywhere")
def sign_out(account_id: uuid.UUID, access: Manager) -> EndedOut:
    """End every session of an account."""
    account = repository.account(access.session, account_id)
    return EndedOut(ended=service.end_sessions(access.session, account, actor=access.actor))


def _enter(access: Access, shown: Sequence[Account], *fields: str) -> None:
    """Enter in the audit log whose accounts are shown."""
    audit.read(
        access.session,
        object_kind="account",
        fields=fields or ("name", "person_id"),
        seen=[(account.id, account.area_code) for account in shown],
    )
