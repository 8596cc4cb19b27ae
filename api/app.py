"""The HTTP application, made from its settings and an open database."""

from __future__ import annotations

import base64
import hashlib
import re
from importlib.metadata import version
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING

from fastapi import Depends, FastAPI, Request
from fastapi.responses import FileResponse
from fastapi.staticfiles import StaticFiles

from api import errors
from api.auth import RateLimits
from api.client import BehindProxy
from api.document import Service, only_known_parameters
from api.early import Early
from api.middleware import AtOnce, BodyLimit, LastResort, RequestLimits, SecurityHeaders
from api.refusals import Refusals
from api.routes import (
    accounts,
    addresses,
    audit,
    departments,
    editions,
    exports,
    grants,
    gridmaps,
    health,
    heatmaps,
    heatmaps_streets,
    hotspots,
    incident_duplicates,
    incidents,
    keys,
    locate,
    me,
    meta,
    oidc,
    people,
    plan_cells,
    plan_comparison,
    plan_drawings,
    plan_shapes,
    plans,
    session,
    signs,
    tiles,
)
from api.routes import demo as demo_routes
from api.settings import ServerSettings
from api.thin import Thin, ThinLocate
from maps.service import MapCache

if TYPE_CHECKING:
    from api.routes.demo import DemoDoor
    from boundaries.accounts.oidc import Provider
    from gis.database import Database

CONTENT_SECURITY_POLICY = (
    "default-src 'self'; img-src 'self' data: blob:; style-src 'self'; "
    "script-src 'self' {script}; worker-src 'self' blob:; connect-src 'self'; object-src 'none'; "
    "base-uri 'none'; frame-ancestors 'none'; form-action 'self'"
)
# What a page could be made to ask for and ours never does.
PERMISSIONS = "geolocation=(), camera=(), microphone=(), payment=(), usb=(), serial=()"
# The page of a scanned sign asks where the phone is, if the resident says so.
ASKS_PLACE = PERMISSIONS.replace("geolocation=()", "geolocation=(self)")
# What anybody may send before it is known who they are.
SMALL_BODIES = dict.fromkeys(
    ("/api/v1/session", "/api/v1/intake", "/api/v1/intake/sign", "/api/v1/intake/receipt"),
    16 * 2**10,
)
# A hundred thousand places with their ids, accuracies and moments.
LARGE_BODIES = {"/api/v1/locate": 16 * 2**20}
KEPT_COUNTS = 1_000
"""Maps and tiles of which it is kept how many incidents they show, by area code."""
DESCRIPTION = """
Which grid does a place belong to, who answers for it now, who else, and how sure are we?

Coordinates are longitude first. Times are ISO 8601; without a zone they are local to the
installation. Errors are problem details (RFC 9457) naming each field and its remedy.
"""


def create_app(
    settings: ServerSettings,
    database: Database,
    *,
    revision: str | None = None,
    demo: DemoDoor | None = None,
) -> FastAPI:
    """The application; opens and closes nothing, so that tests and servers share it.

    Parameters
    ----------
    revision
        Of the tables that this release needs; ``/health/ready`` compares. None: any will do.
    demo
        Lets whoever opens the page in without a password: for an invented place on loopback only.
    """
    app = Service(
        title="wangge",
        version=version("wangge"),
        description=DESCRIPTION,
        docs_url=None,
        redoc_url=None,
        dependencies=[Depends(only_known_parameters)],
    )
    app.state.settings, app.state.database, app.state.revision = settings, database, revision
    app.state.maps, app.state.rate_limits = MapCache(), RateLimits()
    app.state.map_counts = MapCache(KEPT_COUNTS)
    app.state.hot_spots = MapCache()
    app.state.located = None  # set by whoever serves: see api.thin
    app.state.demo, app.state.provider = demo, _provider(settings)
    app.state.refusals, app.state.early_refusals = Refusals(database), Refusals()
    errors.install(app)
    for module in (
        health,
        session,
        oidc,
        accounts,
        keys,
        grants,
        meta,
        locate,
        addresses,
        departments,
        incident_duplicates,  # before an incident by its id
        incidents,
        signs,
        people,
        plan_drawings,
        plan_cells,
        plan_comparison,
        plan_shapes,
        plans,
        editions,
        me,
        exports,
        heatmaps,
        heatmaps_streets,
        gridmaps,
        hotspots,
        tiles,
        audit,
    ):
        app.include_router(module.router)
    if demo is not None:
        app.include_router(demo_routes.router)
    if app.state.provider is not None:
        app.include_router(oidc.flow)
    viewer = Path(str(files("maps").joinpath("viewer")))
    app.mount("/viewer", StaticFiles(directory=viewer), name="viewer")

    @app.get("/", include_in_schema=False)
    def _index(request: Request) -> FileResponse:
        page = FileResponse(viewer / "index.html", headers={"Cache-Control": "no-cache"})
        if demo is not None:
            demo_routes.greet(request, page)
        return page

    @app.get("/plan", include_in_schema=False)
    def _desk(request: Request) -> FileResponse:
        page = FileResponse(viewer / "plan.html", headers={"Cache-Control": "no-cache"})
        if demo is not None:
            demo_routes.greet(request, page)
        return page

    @app.get("/q", include_in_schema=False)
    def _scanned() -> FileResponse:
        # Which sign it was stands behind the '#', which a browser keeps to itself.
        headers = {"Cache-Control": "no-cache", "Permissions-Policy": ASKS_PLACE}
        return FileResponse(viewer / "intake.html", headers=headers)

    # The last one added is the first that a request meets.
    early = app.state.early_refusals
    app.add_middleware(AtOnce, limit=settings.max_concurrent, refusals=early)
    app.add_middleware(
        BodyLimit,
        max_bytes=settings.max_body_bytes,
        smaller=SMALL_BODIES,
        larger=LARGE_BODIES,
        refusals=early,
    )
    app.add_middleware(RequestLimits, refusals=early)
    thin = Thin(app.state)
    app.add_middleware(ThinLocate, thin=thin)
    app.add_middleware(LastResort)
    if settings.behind_proxy:
        app.add_middleware(BehindProxy)
    headers = _security_headers(viewer / "index.html")
    app.add_middleware(SecurityHeaders, headers=headers)
    app.state.early = Early(thin, headers, behind_proxy=settings.behind_proxy)
    return app


def _security_headers(index: Path) -> dict[str, str]:
    return {
        "Content-Security-Policy": _policy(index),
        "X-Content-Type-Options": "nosniff",
        "Referrer-Policy": "no-referrer",
        "Cross-Origin-Opener-Policy": "same-origin",
        "Cross-Origin-Resource-Policy": "same-origin",
        "Permissions-Policy": PERMISSIONS,
    }


def _policy(index: Path) -> str:
    """The page's own inline import map is allowed by its hash; nothing else inline runs."""
    page = index.read_text(encoding="utf-8")
    hashes = [
        base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
        for script in re.findall(r"<script[^>]*type=\"importmap\"[^>]*>(.*?)</script>", page, re.S)
    ]
    return CONTENT_SECURITY_POLICY.format(script=" ".join(f"'sha256-{each}'" for each in hashes))


def _provider(settings: ServerSettings) -> Provider | None:
    if not (settings.oidc_issuer and settings.oidc_client_secret and settings.oidc_redirect_uri):
        return None
    # Here, not above: it brings an HTTP client, which a start without a provider does not need.
    from boundaries.accounts.oidc import Client, Provider  # noqa: PLC0415

    return Provider(
        Client(
            settings.oidc_issuer,
            settings.oidc_client_id,
            settings.oidc_client_secret.get_secret_value(),
            settings.oidc_redirect_uri,
        )
    )
