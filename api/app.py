"""The HTTP application, made from its settings and an open database."""

from __future__ import annotations

import base64
import hashlib
import re
from http import HTTPStatus
from importlib.metadata import version
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING, Any

from fastapi import FastAPI
from fastapi.responses import FileResponse
from fastapi.staticfiles import StaticFiles

from api import errors
from api.auth import RateLimits
from api.errors import MEDIA_TYPE, problem_response
from api.routes import audit, health, heatmaps, incidents, locate, meta, session, tiles
from api.schemas.problems import ProblemDetails
from api.settings import ServerSettings
from gis.errors import Problem
from maps.service import HeatmapCache

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Message, Receive, Scope, Send

    from gis.database import Database

CONTENT_SECURITY_POLICY = (
    "default-src 'self'; img-src 'self' data: blob:; style-src 'self' 'unsafe-inline'; "
    "script-src 'self' {script}; worker-src 'self' blob:; connect-src 'self'; object-src 'none'; "
    "base-uri 'none'; frame-ancestors 'none'; form-action 'self'"
)
DESCRIPTION = """
Which grid does a place belong to, who answers for it now, who else, and how sure are we?

Coordinates are longitude first. Times are ISO 8601; without a zone they are local to the
installation. Errors are problem details (RFC 9457) naming each field and its remedy.
"""


def create_app(
    settings: ServerSettings, database: Database, *, revision: str | None = None
) -> FastAPI:
    """The application; opens and closes nothing, so that tests and servers share it.

    Parameters
    ----------
    revision
        Of the tables that this release needs; ``/health/ready`` compares. None: any will do.
    """
    app = Service(
        title="wangge",
        version=version("wangge"),
        description=DESCRIPTION,
        docs_url=None,
        redoc_url=None,
    )
    app.state.settings, app.state.database, app.state.revision = settings, database, revision
    app.state.heatmaps, app.state.rate_limits = HeatmapCache(), RateLimits()
    errors.install(app)
    for module in (health, session, meta, locate, incidents, heatmaps, tiles, audit):
        app.include_router(module.router)
    viewer = Path(str(files("maps").joinpath("viewer")))
    app.mount("/viewer", StaticFiles(directory=viewer), name="viewer")

    @app.get("/", include_in_schema=False)
    def _index() -> FileResponse:
        return FileResponse(viewer / "index.html", headers={"Cache-Control": "no-cache"})

    app.state.security_headers = _security_headers(viewer / "index.html")
    app.add_middleware(BodyLimit, max_bytes=settings.max_body_bytes)
    app.add_middleware(SecurityHeaders, headers=app.state.security_headers)
    return app


class Service(FastAPI):
    """FastAPI whose document shows errors as they are answered: as problem details."""

    def openapi(self) -> dict[str, Any]:
        """The OpenAPI document, made once."""
        if self.openapi_schema is not None:
            return self.openapi_schema
        document = super().openapi()
        described = ProblemDetails.model_json_schema(ref_template="#/components/schemas/{model}")
        schemas = document["components"]["schemas"]
        schemas |= described.pop("$defs") | {"ProblemDetails": described}
        for name in ("HTTPValidationError", "ValidationError"):
            schemas.pop(name, None)
        content = {MEDIA_TYPE: {"schema": {"$ref": "#/components/schemas/ProblemDetails"}}}
        for path, item in document["paths"].items():
            for operation in item.values():
                for status, answer in operation["responses"].items():
                    if status[0] in "45" and not path.startswith("/health/"):
                        answer["content"] = content
                        answer["description"] = answer["description"].replace(
                            "Validation Error", "What came in cannot be taken; each field is named"
                        )
        return document


def _security_headers(index: Path) -> dict[str, str]:
    return {
        "Content-Security-Policy": _policy(index),
        "X-Content-Type-Options": "nosniff",
        "Referrer-Policy": "no-referrer",
        "Cross-Origin-Opener-Policy": "same-origin",
        "Cross-Origin-Resource-Policy": "same-origin",
    }


def _policy(index: Path) -> str:
    """The page's own inline import map is allowed by its hash; nothing else inline runs."""
    page = index.read_text(encoding="utf-8")
    hashes = [
        base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
        for script in re.findall(r"<script[^>]*type=\"importmap\"[^>]*>(.*?)</script>", page, re.S)
    ]
    return CONTENT_SECURITY_POLICY.format(script=" ".join(f"'sha256-{each}'" for each in hashes))


class SecurityHeaders:
    """Headers that every answer carries."""

    def __init__(self, app: ASGIApp, headers: dict[str, str]) -> None:
        self.app = app
        self.headers = [(name.lower().encode(), value.encode()) for name, value in headers.items()]

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Add them as the answer starts."""

        async def with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                message["headers"] = [*message["headers"], *self.headers]
            await send(message)

        await self.app(scope, receive, with_headers if scope["type"] == "http" else send)


class BodyLimit:
    """Refuses bodies larger than a limit, whether or not their length was told."""

    def __init__(self, app: ASGIApp, max_bytes: int) -> None:
        self.app, self.max_bytes = app, max_bytes

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Read the body up to the limit, then hand it on."""
        if scope["type"] != "http" or scope["method"] in {"GET", "HEAD", "OPTIONS"}:
            await self.app(scope, receive, send)
            return
        parts: list[bytes] = []
        size, more = 0, True
        while more:
            message = await receive()
            if message["type"] != "http.request":
                return  # the client hung up
            parts.append(message.get("body", b""))
            size += len(parts[-1])
            more = message.get("more_body", False)
            if size > self.max_bytes:
                refusal = problem_response(
                    HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
                    f"the body is larger than {self.max_bytes} bytes",
                    problems=[Problem("too large", "Send it in parts")],
                )
                await refusal(scope, receive, send)
                return
        whole = b"".join(parts)
        sent = False

        async def replay() -> Message:
            nonlocal sent
            if sent:
                return await receive()
            sent = True
            return {"type": "http.request", "body": whole, "more_body": False}

        await self.app(scope, replay, send)
