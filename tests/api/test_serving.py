"""Connections: who is slow with its headers is hung up on; what the log says of errors."""

from __future__ import annotations

import http.client
import json
import logging
import socket
import struct
import threading
import time
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING

import pytest
import uvicorn

from api import logs, serving
from api.app import create_app
from api.commands.serve import _listen
from api.settings import ServerSettings
from tests.api import conftest

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.api.conftest import Town

PATIENCE_S = 0.3


@contextmanager
def listening(
    town: Town, monkeypatch: pytest.MonkeyPatch, *, patience_s: float = 120
) -> Iterator[tuple[str, int]]:
    monkeypatch.setattr(serving.Connection, "header_timeout_s", patience_s)
    monkeypatch.setattr(logs, "configure", lambda: None)
    config = serving.config(town.client.app, ServerSettings(port=1))  # type: ignore[arg-type]
    config.port = 0
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run)
    thread.start()
    while not server.started:
        thread.join(0.02)
        assert thread.is_alive()
    yield "127.0.0.1", server.servers[0].sockets[0].getsockname()[1]
    server.should_exit = True
    thread.join()


@pytest.mark.parametrize("first", [b"", b"GET /health/live HTT"], ids=["nothing", "a little"])
def test_headers_that_do_not_come(
    town: Town, monkeypatch: pytest.MonkeyPatch, first: bytes
) -> None:
    """Each byte that trickles in is no reason to wait on."""
    with (
        listening(town, monkeypatch, patience_s=PATIENCE_S) as address,
        socket.create_connection(address) as slow,
    ):
        slow.sendall(first)
        slow.settimeout(0.05)
        ended = False
        # Far longer than it is waited for, so that a busy machine makes no difference.
        for _ in range(200):
            try:
                if first:
                    slow.sendall(b"P")
                ended = slow.recv(1024) == b""
            except TimeoutError:
                continue
            except ConnectionError:
                ended = True
            if ended:
                break
        assert ended


def test_headers_without_an_end(town: Town, monkeypatch: pytest.MonkeyPatch) -> None:
    """However fast they come, they are not kept."""
    with listening(town, monkeypatch) as address, socket.create_connection(address) as endless:
        endless.settimeout(60)
        endless.sendall(b"GET /health/live HTTP/1.1\r\n")
        answer = b""
        try:
            for _ in range(1000):
                endless.sendall(b"x: " + b"y" * 1000 + b"\r\n")
            answer = endless.recv(1024)
        except ConnectionError:
            pass
        assert answer == b"" or answer.startswith(b"HTTP/1.1 400")


@pytest.mark.parametrize("rest", [b"x y z\r\n\r\n", b"GET / HTTP/1.1\r\nContent-Length: -1\r\n\r\n",
                                  b"GET / HTTP/1.1\r\nA\x00: b\r\n\r\n"])  # fmt: skip
def test_what_is_no_request(town: Town, monkeypatch: pytest.MonkeyPatch, rest: bytes) -> None:
    with listening(town, monkeypatch) as address, socket.create_connection(address) as wrong:
        wrong.settimeout(60)
        wrong.sendall(rest)
        assert wrong.recv(1024).startswith(b"HTTP/1.1 400")


def test_small_answers_are_sent_at_once() -> None:
    """Or each waits 40 ms for the client's delayed acknowledgement."""
    with _listen("127.0.0.1", 0) as listening_socket:
        assert listening_socket.proto == socket.IPPROTO_TCP


def test_connection_is_kept_between_requests_and_while_one_is_worked_on(
    town: Town, monkeypatch: pytest.MonkeyPatch
) -> None:
    with listening(town, monkeypatch, patience_s=PATIENCE_S) as address:
        while True:
            begun = time.monotonic()
            patient = http.client.HTTPConnection(*address)
            with suppress(ConnectionError):
                patient.request("GET", "/health/live")
            if time.monotonic() - begun < PATIENCE_S:
                break
            patient.close()  # this machine was too slow with its headers: hung up on, and rightly
        first = patient.sock
        for number in range(3):
            if number:
                patient.request("GET", "/health/live")
            answer = patient.getresponse()
            answer.read()
            assert answer.status == 200
            time.sleep(PATIENCE_S * 1.5)
        # The headers are there, the body takes its time.
        patient.putrequest("POST", "/api/v1/incidents")
        patient.putheader("Content-Length", "2")
        patient.endheaders()
        time.sleep(PATIENCE_S * 1.5)
        patient.send(b"{}")
        assert patient.getresponse().status == 401
        assert patient.sock is first
        patient.close()


def test_who_hangs_up_keeps_no_place(town: Town, monkeypatch: pytest.MonkeyPatch) -> None:
    """In the middle of a body, or before the answer: the only place is free again."""
    monkeypatch.setattr(logs, "configure", lambda: None)
    body = json.dumps({"points": [{"lon": 117.01, "lat": 45.01}] * 3000}).encode()
    head = (
        f"POST /api/v1/locate HTTP/1.1\r\nHost: x\r\nContent-Length: {len(body)}\r\n"
        f"Content-Type: application/json\r\n"
        f"Authorization: {town.client.headers['Authorization']}\r\n\r\n"
    ).encode()
    app = create_app(ServerSettings(max_concurrent=1), town.database)
    with conftest.listening(app) as port:
        for sent in (head + body[: len(body) // 2], head + body):
            with socket.create_connection(("127.0.0.1", port)) as gone:
                # Closed by a reset, as by a client that is killed.
                gone.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                gone.sendall(sent)
                time.sleep(0.05)
        status = 503
        for _ in range(600):
            asking = http.client.HTTPConnection("127.0.0.1", port)
            asking.request("GET", "/api/v1/meta", headers=dict(town.client.headers))
            status = asking.getresponse().status
            asking.close()
            if status != 503:
                break
            time.sleep(0.05)
        assert status == 200


class TestLog:
    def written(self, record: logging.LogRecord) -> str:
        return logs.Line().format(record)

    def record(self, message: str, *values: object, error: BaseException | None = None) -> str:
        info = (type(error), error, error.__traceback__) if error is not None else None
        return self.written(
            logging.LogRecord("wangge.api", logging.ERROR, __file__, 1, message, values, info)
        )

    def test_nobody_writes_a_line_but_us(self) -> None:
        line = self.record("on %s", "/a\r\n2026-01-01T00:00:00 ERROR forged\x1b[2J\u2028")
        assert len(line.splitlines()) == 1
        assert "\x1b" not in line

    def test_time_is_in_utc(self) -> None:
        assert self.record("x").split(" ")[0].endswith("+00:00")

    def test_errors_are_told_without_their_words(self) -> None:
        def fail(secret: str) -> None:
            try:
                raise KeyError(secret)
            except KeyError as cause:
                raise RuntimeError(f"no {secret}") from cause

        try:
            fail("13912345678")
        except RuntimeError as error:
            text = self.record("unforeseen", error=error)
        assert "RuntimeError" in text
        assert "KeyError" in text
        assert "test_serving.py" in text
        assert "13912345678" not in text
