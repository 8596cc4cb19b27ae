"""Signing in and out, one's devices, password and second factor."""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Annotated

from fastapi import APIRouter, Request, Response
from pydantic import BaseModel
from sqlalchemy.orm import Session

from api.auth import Access, cookie_name, csrf_token, is_secure, needs, refuse_other_sites
from api.client import device_of
from api.dependencies import DatabaseIn, KeyringIn, SettingsIn
from api.schemas.accounts import (
    CodeBody,
    ConfirmBody,
    DeviceOut,
    DevicesOut,
    EndedOut,
    Names,
    PasswordBody,
    RecoveryOut,
    SignInBody,
    TotpOut,
)
from boundaries.access import Credential, enter
from boundaries.accounts import repository, service, signing_in
from boundaries.accounts.models import Account, Role
from boundaries.accounts.totp import qr_rows
from boundaries.errors import NotAllowed
from boundaries.repository import units_by_code
from maps.tile_layers import LAYERS

router = APIRouter(prefix="/api/v1", tags=["session"])
# Whoever is signed in, also with a one-time password that is still to be changed.
Anybody = Annotated[Access, needs(before_password=True)]
Owner = Annotated[Access, needs()]


class SessionOut(BaseModel):
    """The caller: its account, role, area and rights.

    ``csrf`` goes into the ``X-CSRF-Token`` header of every request that changes something by the
    session's cookie; null for an API key, which needs none. ``tilesets`` are the layers whose
    tiles the caller may ask for.
    """

    account_id: uuid.UUID
    login: str
    name: str
    role: str | None
    role_name: Names | None
    area_code: str
    area_name: Names | None
    also: list[str]
    rights: list[str]
    tilesets: list[str]
    must_change_password: bool
    has_second_factor: bool
    csrf: str | None
    demo: bool


@router.post(
    "/session",
    status_code=201,
    summary="Sign in",
    responses={
        401: {"description": "Wrong, closed, or a code is asked for: see `type`"},
        429: {"description": "Too many attempts have failed; Retry-After says how long to wait"},
    },
)
def sign_in(
    body: SignInBody,
    request: Request,
    response: Response,
    database: DatabaseIn,
    settings: SettingsIn,
    keyring: KeyringIn,
) -> SessionOut:
    """Open a session; its token comes as a cookie that no script can read.

    `type` of a 401 tells what is asked for: `urn:wangge:error:CodeNeeded` where the account has a
    second factor, `...:SignInRefused` or `...:CodeRefused` where something is wrong.
    """
    refuse_other_sites(request)
    opened = signing_in.sign_in(
        database,
        keyring,
        login=body.login,
        password=body.password.get_secret_value(),
        code=body.code,
        device=device_of(request),
        limits=settings.sign_in_limits,
    )
    return begin(opened, request, response)


def begin(opened: signing_in.Opened, request: Request, response: Response) -> SessionOut:
    """Hand the token of a new session over, and end the one that was there before."""
    database, settings = request.app.state.database, request.app.state.settings
    credential = Credential.of(opened.token, is_key=False)
    with database.service_transaction() as session:
        before = request.cookies.get(cookie_name(request))
        if before:
            signing_in.end_by_token(session, before)
        caller = enter(session, credential)
        shown = _shown(Access(caller, session), opened.token, is_demo=_is_demo(request))
    response.set_cookie(
        cookie_name(request),
        opened.token,
        max_age=int(settings.sign_in_limits.lasts.total_seconds()),
        path="/",
        httponly=True,
        samesite="strict",
        secure=is_secure(request),
    )
    response.headers["Cache-Control"] = "no-store"
    return shown


@router.get("/session", summary="Who is calling, and what they may do")
def show(request: Request, response: Response, access: Anybody) -> SessionOut:
    """For a page's first request: 401 where nobody is signed in."""
    response.headers["Cache-Control"] = "no-store"
    return _shown(access, request.cookies.get(cookie_name(request)), is_demo=_is_demo(request))


def _shown(access: Access, token: str | None, *, is_demo: bool) -> SessionOut:
    caller = access.caller
    account = repository.account(access.session, caller.account_id)
    role = access.session.get(Role, caller.role) if caller.role else None
    return SessionOut(
        account_id=caller.account_id,
        login=caller.login,
        name=caller.name,
        role=caller.role,
        role_name=Names(zh=role.name_zh, en=role.name_en) if role is not None else None,
        area_code=caller.scope.area,
        area_name=area_names(access.session, [caller.scope.area]).get(caller.scope.area),
        also=list(caller.scope.also),
        rights=sorted(caller.rights),
        tilesets=[
            name
            for name, layer in LAYERS.items()
            if not layer.rights or any(caller.may(right) for right in layer.rights)
        ],
        must_change_password=caller.must_change_password,
        has_second_factor=account.totp_confirmed_at is not None,
        csrf=csrf_token(token) if token and caller.session_id is not None else None,
        demo=is_demo,
    )


def area_names(session: Session, codes: Sequence[str]) -> dict[str, Names]:
    """Names of units by their codes; those that are no unit are left out."""
    units = units_by_code(session, codes, datetime.now(UTC))
    return {unit.code: Names(zh=unit.name, en=unit.name_en or unit.name) for unit in units}


def _is_demo(request: Request) -> bool:
    return request.app.state.demo is not None


@router.delete("/session", status_code=204, summary="Sign out")
def sign_out(request: Request, response: Response, access: Anybody) -> None:
    """End this session at once; its token is worth nothing from then on."""
    service.end_sessions(
        access.session, _own(access), actor=access.actor, only=access.caller.session_id
    )
    response.delete_cookie(
        cookie_name(request),
        path="/",
        httponly=True,
        samesite="strict",
        secure=is_secure(request),
    )
    # Signing out leaves nothing behind in the browser's own store either.
    response.headers["Clear-Site-Data"] = '"cache"'


@router.get("/sessions", summary="Devices that are signed in")
def devices(access: Owner) -> DevicesOut:
    """Devices on which the caller is signed in, the last seen first."""
    found = repository.open_sessions(access.session, access.caller.account_id)
    return DevicesOut(sessions=[DeviceOut.of(each, access.caller.session_id) for each in found])


@router.delete("/sessions", summary="Sign out everywhere else")
def end_others(access: Owner) -> EndedOut:
    """End every session of the caller's but this one."""
    own = _own(access)
    ended = service.end_sessions(
        access.session, own, actor=access.actor, but=access.caller.session_id
    )
    return EndedOut(ended=ended)


@router.delete("/sessions/{session_id}", status_code=204, summary="Sign out on a device")
def end_one(session_id: uuid.UUID, access: Owner) -> None:
    """End one session of the caller's."""
    service.end_sessions(access.session, _own(access), actor=access.actor, only=session_id)


@router.put("/password", status_code=204, summary="Change one's own password")
def change_password(
    body: PasswordBody, request: Request, access: Anybody, database: DatabaseIn
) -> None:
    """The present one is asked for again; every other session of the account ends."""
    service.change_password(
        access.session,
        database,
        _own(access),
        current=body.current.get_secret_value(),
        new=body.new.get_secret_value(),
        session_id=access.caller.session_id,
        device=device_of(request),
    )


@router.post(
    "/totp",
    status_code=201,
    summary="Begin a second factor",
    responses={409: {"description": "There is one already: remove it first"}},
)
def begin_totp(
    body: ConfirmBody,
    request: Request,
    access: Owner,
    database: DatabaseIn,
    keyring: KeyringIn,
) -> TotpOut:
    """A new secret for an authenticator. It asks for nothing before it is confirmed."""
    own = _own(access)
    service.confirm_password(
        access.session, database, own, body.current.get_secret_value(), device=device_of(request)
    )
    secret, address = service.begin_totp(access.session, keyring, own)
    return TotpOut(secret=secret, address=address, qr=qr_rows(address))


@router.put(
    "/totp",
    summary="Confirm a second factor",
    responses={409: {"description": "None was begun, or it is on already"}},
)
def confirm_totp(
    body: CodeBody, access: Owner, keyring: KeyringIn, settings: SettingsIn
) -> RecoveryOut:
    """Turn it on with a first code; the recovery codes are told once. Other sessions end."""
    own = _own(access)
    codes = service.confirm_totp(access.session, keyring, own, body.code, off_s=settings.totp_off_s)
    service.end_sessions(access.session, own, actor=access.actor, but=access.caller.session_id)
    return RecoveryOut(recovery_codes=codes)


@router.post("/totp/removal", status_code=204, summary="Remove one's second factor")
def remove_totp(body: ConfirmBody, request: Request, access: Owner, database: DatabaseIn) -> None:
    """The password is asked for again."""
    own = _own(access)
    service.confirm_password(
        access.session, database, own, body.current.get_secret_value(), device=device_of(request)
    )
    service.remove_totp(access.session, own, actor=access.actor)


def _own(access: Access) -> Account:
    """The caller's own account; what is the person's is not done by a key."""
    if access.caller.session_id is None:
        raise NotAllowed("this is for a person who is signed in, not for an API key")
    return repository.account(access.session, access.caller.account_id)
