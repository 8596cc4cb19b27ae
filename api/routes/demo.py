"""The demo's own doors: anybody on this machine may look at the invented place as anybody."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated

from fastapi import APIRouter, Request, Response
from pydantic import BaseModel

from api.auth import Access, cookie_name, needs, refuse_other_sites
from api.client import device_of
from api.dependencies import DatabaseIn
from api.routes.session import SessionOut, area_names, begin
from api.schemas.accounts import Names
from api.settings import LOOPBACK
from boundaries.access import Credential, enter
from boundaries.accounts import signing_in
from boundaries.errors import AccountNotFound, NotAllowed, NotSignedIn

if TYPE_CHECKING:
    from collections.abc import Sequence

    from boundaries.accounts.models import Account
    from gis.database import Database

router = APIRouter(prefix="/api/v1/demo", tags=["demo"])


class DemoBody(BaseModel):
    """Whom to be."""

    login: str


class DemoAccountOut(BaseModel):
    """An account of the demo."""

    login: str
    name: str
    role: str | None
    area_code: str
    area_name: Names | None


@dataclass(frozen=True, slots=True)
class DemoDoor:
    """What an application of the demo is made with: whom one may be, its page's own first."""

    accounts: Sequence[DemoAccountOut]


class DemoAccountsOut(BaseModel):
    """Accounts of the demo."""

    accounts: list[DemoAccountOut]


@router.get("/accounts", summary="Accounts of the demo")
def index(request: Request, _access: Annotated[Access, needs()]) -> DemoAccountsOut:
    """Whom one may be here. They are invented, as everything is."""
    return DemoAccountsOut(accounts=list(_door(request).accounts))


@router.post("/session", status_code=201, summary="Be another account of the demo")
def become(
    body: DemoBody, request: Request, response: Response, database: DatabaseIn
) -> SessionOut:
    """Open a session without a password: on this machine, in the demo, only."""
    refuse_other_sites(request)
    refuse_other_hosts(request)
    if body.login not in {each.login for each in _door(request).accounts}:
        raise AccountNotFound(f"the demo has no account {body.login}")
    return begin(_open(database, body.login, request), request, response)


def door(database: Database, accounts: Sequence[Account]) -> DemoDoor:
    """The door to these accounts; the page signs in as the first of them."""
    with database.transaction() as session:
        names = area_names(session, [each.area_code for each in accounts])
    return DemoDoor(
        [
            DemoAccountOut(
                login=each.login,
                name=each.name,
                role=each.role,
                area_code=each.area_code,
                area_name=names.get(each.area_code),
            )
            for each in accounts
        ]
    )


def greet(request: Request, response: Response) -> None:
    """Sign whoever opens the page in, unless it is signed in already."""
    database: Database = request.app.state.database
    if "signin" in request.query_params:
        return
    try:
        refuse_other_hosts(request)
        with database.service_transaction() as session:
            enter(
                session, Credential.of(request.cookies.get(cookie_name(request), ""), is_key=False)
            )
    except NotSignedIn:
        begin(_open(database, _door(request).accounts[0].login, request), request, response)
    except NotAllowed:
        return


def refuse_other_hosts(request: Request) -> None:
    """Refuse a name that only somebody else's name server says is this machine.

    Raises
    ------
    NotAllowed
        The page was asked for by such a name.
    """
    if request.url.hostname not in LOOPBACK:
        raise NotAllowed("the demo is for this machine only")


def _door(request: Request) -> DemoDoor:
    door: DemoDoor = request.app.state.demo
    return door


def _open(database: Database, login: str, request: Request) -> signing_in.Opened:
    limits = request.app.state.settings.sign_in_limits
    with database.service_transaction() as session:
        account = signing_in.look_up(session, login)
        if account is None:
            raise AccountNotFound(f"the demo has no account {login} any more")
        return signing_in.open_session(
            session, account, by="demo", device=device_of(request), limits=limits
        )
