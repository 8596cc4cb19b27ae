"""How connections are served: uvicorn, with the patience it has to be told."""

from __future__ import annotations

import asyncio
import sys
from typing import TYPE_CHECKING, Any, Final

import uvicorn
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from api import logs
from api.early import TARGET, first_line
from api.middleware import MAX_HEADER_BYTES, MAX_TARGET_BYTES

if TYPE_CHECKING:
    from fastapi import FastAPI

    from api.early import Early
    from api.settings import ServerSettings

HEADER_TIMEOUT_S: Final = 10.0
KEEP_ALIVE_S: Final = 5
# Connections that wait, read or write beside the requests that are worked on.
CONNECTIONS_PER_REQUEST: Final = 8
SWITCH_S: Final = 0.0005
WITH_BODY: Final = frozenset({b"content-length", b"transfer-encoding", b"expect"})


class Connection(HttpToolsProtocol):
    """Uvicorn's protocol, which hangs up on who is slow with its headers, and answers some itself.

    Uvicorn's own timeout ends with the first byte, so a client that sends one every few seconds
    holds its connection for ever; and nothing bounds what it sends before they are complete.

    What ``api.early`` answers is written as the headers are read: a task, and a look at each layer
    of middleware, take longer than the answer.
    """

    header_timeout_s = HEADER_TIMEOUT_S
    _deadline: asyncio.TimerHandle | None = None
    _head_bytes = 0
    _is_begun = True
    _is_answered = False
    _idle: asyncio.TimerHandle | None = None
    _answered_at = 0.0

    def __init__(self, config: uvicorn.Config, *args: Any, **more: Any) -> None:
        super().__init__(config, *args, **more)
        app: Any = config.app
        self._early: Early | None = getattr(getattr(app, "state", None), "early", None)
        self._date: tuple[Any, bytes] = (None, b"")

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Begin to wait."""
        super().connection_made(transport)
        self._wait()

    def data_received(self, data: bytes) -> None:
        """Read on, unless the headers have become longer than anybody's."""
        self._head_bytes += len(data)
        super().data_received(data)
        if self._is_begun:
            self._wait()
            if self._head_bytes > MAX_TARGET_BYTES + MAX_HEADER_BYTES:
                self._stop_waiting()
                self.send_400_response("The request line and headers are too long.")

    def on_message_begin(self) -> None:
        """Note a request whose first byte is there."""
        super().on_message_begin()
        if not self._is_begun:
            self._is_begun, self._head_bytes = True, 0
        self._is_answered = False

    def on_headers_complete(self) -> None:
        """Wait no more: they are there. Answer at once what can be."""
        self._is_begun = False
        self._stop_waiting()
        if self.url.startswith(TARGET) and self._answer():
            self._is_answered = True
        else:
            super().on_headers_complete()

    def on_body(self, body: bytes) -> None:
        """Take a part of the body; one that was answered before has none."""
        if not self._is_answered:
            super().on_body(body)

    def on_message_complete(self) -> None:
        """Go on to the next request."""
        if not self._is_answered:
            super().on_message_complete()
        elif not self.transport.is_closing():
            self.server_state.total_requests += 1
            self._answered_at = self.loop.time()
            if self._idle is None:
                self._idle = self.loop.call_later(self.timeout_keep_alive, self._hang_up_idle)

    def connection_lost(self, exc: Exception | None) -> None:
        """Wait no more."""
        self._stop_waiting()
        if self._idle is not None:
            self._idle.cancel()
        super().connection_lost(exc)

    def _answer(self) -> bool:
        """Answer the request now, if nothing stands before it and it is a plain one."""
        parser = self.parser
        cycle: Any = self.cycle  # None before the first request
        if (
            self._early is None
            or parser.get_method() != b"GET"
            or parser.get_http_version() != "1.1"
            or not parser.should_keep_alive()
            or parser.should_upgrade()
            or (cycle is not None and not cycle.response_complete)
            or self.flow.write_paused
            or self.root_path
            or (self.limit_concurrency or 0) <= len(self.connections)
        ):
            return False
        for name, _ in self.headers:
            if name in WITH_BODY:
                return False
        client, scheme = self.client[0] if self.client else "", self.scheme or "http"
        answer = self._early.answer(self.url, self.headers, client, scheme)
        if answer is None:
            return False
        status, rest = answer
        self.transport.write(b"".join((first_line(status), self._general(), rest)))
        return True

    def _general(self) -> bytes:
        """Headers that uvicorn gives every answer: the date, which changes each second."""
        given = self.server_state.default_headers
        if self._date[0] is not given:
            self._date = (given, b"".join(b"%b: %b\r\n" % each for each in given))
        return self._date[1]

    def _hang_up_idle(self) -> None:
        """Close a connection that asked nothing for long; one timer serves many answers.

        While a request comes in or is worked on there is another: its own, or uvicorn's after it.
        """
        cycle: Any = self.cycle
        is_busy = self._is_begun or (cycle is not None and not cycle.response_complete)
        self._idle = None
        if is_busy or self.timeout_keep_alive_task is not None:
            return
        left_s = self._answered_at + self.timeout_keep_alive - self.loop.time()
        if left_s > 0:
            self._idle = self.loop.call_later(left_s, self._hang_up_idle)
        else:
            self.transport.close()

    def _wait(self) -> None:
        if self._deadline is None:
            self._head_bytes = 0
            self._deadline = self.loop.call_later(self.header_timeout_s, self.transport.close)

    def _stop_waiting(self) -> None:
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None


def config(app: FastAPI, settings: ServerSettings, **more: Any) -> uvicorn.Config:
    """Uvicorn's settings for an application: no name of the server, no addresses in the log."""
    logs.configure()
    # Threads that work beside the connections let them come to their turn within half a
    # millisecond, instead of five.
    sys.setswitchinterval(SWITCH_S)
    return uvicorn.Config(
        app,
        host=settings.host,
        port=settings.port,
        http=Connection,
        loop="uvloop",
        ws="none",
        log_config=None,
        access_log=False,
        server_header=False,
        timeout_keep_alive=KEEP_ALIVE_S,
        timeout_graceful_shutdown=5,
        limit_concurrency=settings.max_concurrent * CONNECTIONS_PER_REQUEST,
        **more,
    )
