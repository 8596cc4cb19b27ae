"""What every request passes on its way in and out: limits before anything reads it, and headers."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Mapping
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, Final

from api.errors import problem_response
from gis import guards
from gis.errors import Problem

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Message, Receive, Scope, Send

    from api.refusals import Refusals

log = logging.getLogger("wangge.api")

WITHOUT_BODY: Final = frozenset({"GET", "HEAD", "OPTIONS"})
MAX_TARGET_BYTES: Final = 8 * 1024
MAX_PARAMETERS: Final = 100
MAX_HEADER_BYTES: Final = 16 * 1024
MAX_HEADERS: Final = 100
BODY_DEPTH: Final = 32
LARGE_AT_ONCE: Final = 4
NOT_JSON: Final = (
    b"multipart/", b"application/x-www-form-urlencoded", b"application/vnd.apache.arrow.stream",
)  # fmt: skip
BODY_TIMEOUT_S: Final = 20.0
SEND_TIMEOUT_S: Final = 30.0
HSTS: Final = (b"strict-transport-security", b"max-age=31536000; includeSubDomains")
# Everything else tells somebody something of their own.
PUBLIC_FILES: Final = ("/viewer/",)
PAGES: Final = frozenset({"/", "/plan", "/q"})


class SecurityHeaders:
    """Headers that every answer carries; what is not a file of the viewer's is not to be kept."""

    def __init__(self, app: ASGIApp, headers: dict[str, str]) -> None:
        self.app = app
        self.headers = [(name.lower().encode(), value.encode()) for name, value in headers.items()]

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Add them as the answer starts."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        path = scope["path"]
        is_file = path in PAGES or path.startswith(PUBLIC_FILES)

        async def with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                given = {name for name, _ in message["headers"]}
                ours = [each for each in self.headers if each[0] not in given]
                headers = [*message["headers"], *ours]
                # Only now: a proxy's word on it may have been taken on the way in.
                if scope.get("scheme") == "https":
                    headers.append(HSTS)
                names = {name for name, _ in headers}
                if b"cache-control" not in names:
                    headers.append((b"cache-control", b"no-cache" if is_file else b"no-store"))
                if not is_file:
                    headers.append((b"vary", b"Cookie, Authorization"))
                message["headers"] = headers
            await send(message)

        await self.app(scope, receive, with_headers)


class LastResort:
    """Answers errors that nobody foresaw, and keeps the connection; only the log is told of them.

    Starlette's own raises the error again, whereupon the server closes the connection under the
    client's next request.
    """

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Hand on, and answer for whoever fails."""
        started = False

        async def noting(message: Message) -> None:
            nonlocal started
            started = True
            await send(message)

        try:
            await self.app(scope, receive, noting)
        except Exception as error:
            if scope["type"] != "http" or started:
                raise
            log.exception("unforeseen %s on %s", type(error).__name__, scope["path"])
            refusal = problem_response(
                HTTPStatus.INTERNAL_SERVER_ERROR,
                "something went wrong in the server; nothing was changed",
            )
            await refusal(scope, receive, send)


class RequestLimits:
    """Refuses an address, a query or headers longer than anybody needs."""

    def __init__(self, app: ASGIApp, refusals: Refusals | None = None) -> None:
        self.app, self.refusals = app, refusals

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Count, and hand on."""
        if scope["type"] == "http" and (refused := self._refused(scope)) is not None:
            status, detail = refused
            _note(self.refusals, scope, status, "TooLong")
            await problem_response(status, detail)(scope, receive, send)
            return
        await self.app(scope, receive, send)

    @staticmethod
    def _refused(scope: Scope) -> tuple[HTTPStatus, str] | None:
        query: bytes = scope["query_string"]
        target = len(scope.get("raw_path") or scope["path"].encode()) + len(query)
        if target > MAX_TARGET_BYTES:
            return HTTPStatus.REQUEST_URI_TOO_LONG, f"the address is over {MAX_TARGET_BYTES} bytes"
        if query.count(b"&") >= MAX_PARAMETERS:
            return (
                HTTPStatus.UNPROCESSABLE_ENTITY,
                f"the address has more than {MAX_PARAMETERS} parameters",
            )
        headers = scope["headers"]
        size = sum(len(name) + len(value) for name, value in headers)
        if size > MAX_HEADER_BYTES or len(headers) > MAX_HEADERS:
            return (
                HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE,
                f"the headers are over {MAX_HEADER_BYTES} bytes, or more than {MAX_HEADERS}",
            )
        return None


class BodyLimit:
    """Refuses bodies too large, too slow, or nested too deep for a parser, before one sees them.

    Parameters
    ----------
    smaller
        Limits of the addresses under a path, in bytes, where less than `max_bytes` is enough.
    larger
        Limits of single addresses where more is needed. Of bodies over `max_bytes` only
        `LARGE_AT_ONCE` are held at once, since whoever sends one need not be anybody.
    """

    def __init__(
        self,
        app: ASGIApp,
        max_bytes: int,
        smaller: Mapping[str, int],
        timeout_s: float = BODY_TIMEOUT_S,
        refusals: Refusals | None = None,
        *,
        larger: Mapping[str, int] | None = None,
    ) -> None:
        self.app, self.max_bytes, self.timeout_s = app, max_bytes, timeout_s
        self.refusals = refusals
        self.smaller = tuple(smaller.items())
        self.larger = dict(larger or {})
        self.large = 0
        """Bodies over `max_bytes` that are held now."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Read the body up to the limit, look at it, then hand it on."""
        if scope["type"] != "http" or scope["method"] in WITHOUT_BODY:
            await self.app(scope, receive, send)
            return
        limit = min(
            [self.max_bytes, *(n for path, n in self.smaller if scope["path"].startswith(path))]
        )
        room = _Room(self, limit, self.larger.get(scope["path"], limit))
        try:
            try:
                async with asyncio.timeout(self.timeout_s):
                    body = await _read(receive, room)
            except TimeoutError:
                _note(self.refusals, scope, HTTPStatus.REQUEST_TIMEOUT, "TooSlow")
                refusal = problem_response(
                    HTTPStatus.REQUEST_TIMEOUT,
                    f"the body did not arrive within {self.timeout_s:g} s; nothing was changed",
                    headers={"Connection": "close"},
                )
                await refusal(scope, receive, send)
                return
            if room.is_full:
                await self._refuse_large(scope, receive, send)
                return
            await self._hand_on(scope, receive, send, body, room.limit)
        finally:
            room.leave()

    async def _refuse_large(self, scope: Scope, receive: Receive, send: Send) -> None:
        _note(self.refusals, scope, HTTPStatus.SERVICE_UNAVAILABLE, "TooManyAtOnce")
        refusal = problem_response(
            HTTPStatus.SERVICE_UNAVAILABLE,
            "too many large requests are being worked on; nothing was changed",
            kind="urn:wangge:error:Unavailable",
            headers={"Retry-After": "2", "Connection": "close"},
        )
        await refusal(scope, receive, send)

    async def _hand_on(
        self, scope: Scope, receive: Receive, send: Send, body: bytes | None, limit: int
    ) -> None:
        if body is None:
            return  # the client hung up
        if len(body) > limit:
            _note(self.refusals, scope, HTTPStatus.REQUEST_ENTITY_TOO_LARGE, "TooLarge")
            refusal = problem_response(
                HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
                f"the body is larger than {limit} bytes",
                problems=[Problem("too large", "Send it in parts")],
            )
            await refusal(scope, receive, send)
            return
        fault = None
        if not _is_binary(scope):
            # A large body is looked at beside the other requests.
            look = asyncio.to_thread if len(body) > self.max_bytes else _at_once
            fault = await look(_fault, body, limit)
        if fault is not None:
            _note(self.refusals, scope, HTTPStatus.UNPROCESSABLE_ENTITY, "Hostile")
            refusal = problem_response(
                HTTPStatus.UNPROCESSABLE_ENTITY,
                f"the body {fault}",
                kind="urn:wangge:error:BadInput",
                problems=[Problem(f"it {fault}", "Send it in a simpler form", field="body")],
            )
            await refusal(scope, receive, send)
            return
        sent = False

        async def replay() -> Message:
            nonlocal sent
            if sent:
                return await receive()
            sent = True
            return {"type": "http.request", "body": body, "more_body": False}

        await self.app(scope, replay, send)


def _note(refusals: Refusals | None, scope: Scope, status: HTTPStatus, reason: str) -> None:
    if refusals is not None:
        refusals.note_early(scope, status, reason)


class _Room:
    """How large a body may become; beyond what all may send there is room for a few."""

    def __init__(self, door: BodyLimit, limit: int, larger: int) -> None:
        self._door, self._larger, self._holds = door, larger, False
        self.limit, self.is_full = limit, False

    def takes(self, size: int) -> bool:
        """Whether a body of so many bytes may go on; takes one of the places of large ones."""
        if size <= self.limit:
            return True
        if self.limit == self._larger or self._holds:
            return False
        if self._door.large >= LARGE_AT_ONCE:
            self.is_full = True
            return False
        self._door.large += 1
        self._holds, self.limit = True, self._larger
        return size <= self.limit

    def leave(self) -> None:
        """Let another in."""
        self._door.large -= self._holds
        self._holds = False


async def _read(receive: Receive, room: _Room) -> bytes | None:
    """The body, or a little more than there is room for; None when the client hung up."""
    parts: list[bytes] = []
    size, more = 0, True
    while more and room.takes(size):
        message = await receive()
        if message["type"] != "http.request":
            return None
        parts.append(message.get("body", b""))
        size += len(parts[-1])
        more = message.get("more_body", False)
    room.takes(size)
    return b"".join(parts)


def _is_binary(scope: Scope) -> bool:
    """Whether the body is of a form that this door cannot look into: its parser takes care."""
    kind = next((value for name, value in scope["headers"] if name == b"content-type"), b"")
    return kind.startswith(NOT_JSON)


async def _at_once(function: Callable[..., str | None], *values: Any) -> str | None:
    return function(*values)


def _fault(body: bytes, limit: int) -> str | None:
    try:
        body.decode()
    except UnicodeDecodeError as error:
        return f"is no UTF-8: byte {error.start} cannot be read"
    return guards.fault(body, "json", guards.Limits(bytes=limit, depth=BODY_DEPTH))


class AtOnce:
    """Works on so many requests at once; whoever comes beyond them is asked to come back."""

    def __init__(
        self,
        app: ASGIApp,
        limit: int,
        send_timeout_s: float = SEND_TIMEOUT_S,
        refusals: Refusals | None = None,
    ) -> None:
        self.app, self.limit, self.send_timeout_s = app, limit, send_timeout_s
        self.refusals = refusals
        self.working = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Count this one in, and out again."""
        if scope["type"] != "http" or scope["path"].startswith("/health/"):
            await self.app(scope, receive, send)
            return
        if self.working >= self.limit:
            _note(self.refusals, scope, HTTPStatus.SERVICE_UNAVAILABLE, "TooManyAtOnce")
            refusal = problem_response(
                HTTPStatus.SERVICE_UNAVAILABLE,
                "too many requests are being worked on; nothing was changed",
                kind="urn:wangge:error:Unavailable",
                headers={"Retry-After": "1"},
            )
            await refusal(scope, receive, send)
            return

        async def in_time(message: Message) -> None:
            # A client that does not read its answer would hold its place for ever.
            async with asyncio.timeout(self.send_timeout_s):
                await send(message)

        self.working += 1
        try:
            await self.app(scope, receive, in_time)
        finally:
            self.working -= 1
