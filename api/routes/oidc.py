"""Signing in through an OpenID provider, where one is set."""

from __future__ import annotations

from http import HTTPStatus
from typing import TYPE_CHECKING, Annotated, Final

from fastapi import APIRouter, Query, Request
from fastapi.responses import RedirectResponse
from pydantic import BaseModel

from api import refusals
from api.auth import is_secure
from api.client import device_of
from api.dependencies import DatabaseIn, KeyringIn, SettingsIn
from api.routes.session import begin as begin_session
from boundaries.errors import SignInRefused
from gis.errors import Unavailable

if TYPE_CHECKING:
    from boundaries.accounts.oidc import Provider

router = APIRouter(prefix="/api/v1/oidc", tags=["session"])
# There is no way to a provider where none is set.
flow = APIRouter(prefix="/api/v1/oidc", tags=["session"])
COOKIE: Final = "wangge_oidc"
PATH: Final = "/api/v1/oidc"
LASTS_S: Final = 600


class ProviderOut(BaseModel):
    """The provider that one may sign in through; null where there is none."""

    name: str | None


@router.get("", summary="The provider that one may sign in through")
def show(settings: SettingsIn) -> ProviderOut:
    """For the page that asks for a login; open to everybody."""
    return ProviderOut(name=settings.oidc_name if settings.oidc_issuer else None)


@flow.get("/login", status_code=303, response_class=RedirectResponse, summary="Go to the provider")
def login(request: Request, keyring: KeyringIn) -> RedirectResponse:
    """Send the browser to the provider, with a cookie that it has to bring back."""
    begun = _provider(request).begin(keyring)
    answer = RedirectResponse(begun.address, status_code=303)
    # Lax: the way back from the provider is a link of another site's.
    answer.set_cookie(
        COOKIE, begun.cookie, max_age=LASTS_S, path=PATH, httponly=True, samesite="lax",
        secure=is_secure(request),
    )  # fmt: skip
    return answer


@flow.get(
    "/callback",
    status_code=303,
    response_class=RedirectResponse,
    summary="Come back from the provider",
)
def callback(
    request: Request,
    database: DatabaseIn,
    settings: SettingsIn,
    keyring: KeyringIn,
    state: Annotated[str, Query(max_length=500)] = "",
    code: Annotated[str, Query(max_length=4000)] = "",
) -> RedirectResponse:
    """Open a session and show the page; whatever was refused is told there."""
    provider = _provider(request)
    answer = RedirectResponse("../../../", status_code=303)
    try:
        opened = provider.finish(
            database,
            keyring,
            cookie=request.cookies.get(COOKIE, ""),
            code=code,
            state=state,
            device=device_of(request),
            limits=settings.sign_in_limits,
        )
    except (SignInRefused, Unavailable) as error:
        # The page is told, so no handler of errors sees it.
        if isinstance(error, SignInRefused):
            refusals.note(request, HTTPStatus.UNAUTHORIZED, type(error).__name__)
        answer = RedirectResponse("../../../?provider=refused", status_code=303)
    else:
        begin_session(opened, request, answer)
    answer.delete_cookie(COOKIE, path=PATH, httponly=True, samesite="lax")
    return answer


def _provider(request: Request) -> Provider:
    provider: Provider = request.app.state.provider
    return provider
