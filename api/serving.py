"""How connections are served: uvicorn, with the patience it has to be told."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, Final

import uvicorn
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from api import logs
from api.middleware import MAX_HEADER_BYTES, MAX_TARGET_BYTES

if TYPE_CHECKING:
    from fastapi import FastAPI

    from api.settings import ServerSettings

HEADER_TIMEOUT_S: Final = 10.0
KEEP_ALIVE_S: Final = 5
# Connections that wait, read or write beside the requests that are worked on.
CONNECTIONS_PER_REQUEST: Final = 8


class Patience(HttpToolsProtocol):
    """Uvicorn's protocol, which closes a connection whose request line and headers do not arrive.

    Uvicorn's own timeout ends with the first byte, so a client that sends one every few seconds
    holds its connection for ever; and nothing bounds what it sends before they are complete.
    """

    header_timeout_s = HEADER_TIMEOUT_S
    _deadline: asyncio.TimerHandle | None = None
    _head_bytes = 0

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Begin to wait."""
        super().connection_made(transport)
        self._wait()

    def data_received(self, data: bytes) -> None:
        """Read on, unless the headers have become longer than anybody's."""
        self._head_bytes += len(data)
        super().data_received(data)
        if self._deadline is not None and self._head_bytes > MAX_TARGET_BYTES + MAX_HEADER_BYTES:
            self._stop_waiting()
            self.send_400_response("The request line and headers are too long.")

    def on_message_begin(self) -> None:
        """Wait for the headers of a request whose first byte is there."""
        super().on_message_begin()
        self._wait()

    def on_headers_complete(self) -> None:
        """Wait no more: they are there."""
        self._stop_waiting()
        super().on_headers_complete()

    def connection_lost(self, exc: Exception | None) -> None:
        """Wait no more."""
        self._stop_waiting()
        super().connection_lost(exc)

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
    return uvicorn.Config(
        app,
        host=settings.host,
        port=settings.port,
        http=Patience,
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
