"""Who is signed in here, and what they may do."""

from __future__ import annotations

import uuid
from typing import Annotated

from fastapi import APIRouter, Request, Response
from pydantic import BaseModel

from api.auth import COOKIE, Access, csrf_token, needs

router = APIRouter(prefix="/api/v1/session", tags=["session"])


class SessionOut(BaseModel):
    """The caller: its account, role, area and rights.

    ``csrf`` goes into the ``X-CSRF-Token`` header of every request that changes something by the
    session's cookie; null for an API key, which needs none.
    """

    account_id: uuid.UUID
    login: str
    name: str
    role: str | None
    area_code: str
    also: list[str]
    rights: list[str]
    must_change_password: bool
    csrf: str | None


@router.get("", summary="Who is calling, and what they may do")
def show(request: Request, response: Response, access: Annotated[Access, needs()]) -> SessionOut:
    """For a page's first request: 401 where nobody is signed in."""
    response.headers["Cache-Control"] = "no-store"
    caller, token = access.caller, request.cookies.get(COOKIE)
    return SessionOut(
        account_id=caller.account_id,
        login=caller.login,
        name=caller.name,
        role=caller.role,
        area_code=caller.scope.area,
        also=list(caller.scope.also),
        rights=sorted(caller.rights),
        must_change_password=caller.must_change_password,
        csrf=csrf_token(token) if token and caller.session_id is not None else None,
    )
