"""Answers that the connection writes itself: the bytes of the layers, in the order of requests."""

from __future__ import annotations

import re
import socket
import time
from typing import TYPE_CHECKING

import pytest

from api import logs, serving
from tests import factories
from tests.api.conftest import listening
from tests.api.test_thin import MIDDLE, URL, Service, service, unhurried
from tests.grids.locating.test_snapshot import wait_for

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Iterator

__all__ = ["service", "unhurried"]
TARGET = f"{URL}?lon={MIDDLE['lon']}&lat={MIDDLE['lat']}"
PATIENCE_S = 120
ANSWER = re.compile(rb"HTTP/1.1 (\d+) [^\r]*\r\n(.*?)\r\n\r\n", re.DOTALL)


class Wire:
    """Raw requests to a real server, and its answers."""

    def __init__(self, service: Service, port: int) -> None:
        self.service, self.port = service, port
        self.key = service.key("integrator", "")["Authorization"]
        self.early = 0

    def request(self, target: str = TARGET, *more: str, method: str = "GET") -> bytes:
        lines = [f"{method} {target} HTTP/1.1", "Host: x", f"Authorization: {self.key}", *more]
        return "\r\n".join([*lines, "", ""]).encode()

    def __call__(self, *requests: bytes, answers: int = 1) -> list[tuple[int, dict[str, str]]]:
        """Send all at once; status and headers of each answer, with the body as ``body``."""
        with socket.create_connection(("127.0.0.1", self.port)) as wire:
            wire.settimeout(PATIENCE_S)
            wire.sendall(b"".join(requests))
            got, found = b"", []
            while len(found) < answers:
                match = ANSWER.match(got)
                if match is None:
                    got += self.received(wire)
                    continue
                headers = dict(
                    line.split(": ", 1) for line in match[2].decode("latin-1").split("\r\n")
                )
                size = int(headers.get("content-length", 0))
                got = got[match.end() :]
                while len(got) < size:
                    got += self.received(wire)
                found.append((int(match[1]), headers | {"body": got[:size].decode()}))
                got = got[size:]
            return found

    @staticmethod
    def received(wire: socket.socket) -> bytes:
        part = wire.recv(1 << 16)
        assert part, "it hung up"
        return part


@pytest.fixture
def wire(service: Service, unhurried: None, monkeypatch: pytest.MonkeyPatch) -> Iterator[Wire]:
    monkeypatch.setattr(logs, "configure", lambda: None)
    with listening(service.client.app) as port:  # type: ignore[arg-type]
        yield from _counting(Wire(service, port), monkeypatch)


def _counting(made: Wire, monkeypatch: pytest.MonkeyPatch) -> Iterator[Wire]:
    """With the number of answers that the connection wrote itself."""
    early = made.service.client.app.state.early  # type: ignore[attr-defined]
    plain = early.answer

    def counted(*values: object) -> object:
        found = plain(*values)
        made.early += found is not None
        return found

    monkeypatch.setattr(early, "answer", counted)
    wait_for(lambda: "server-timing" in made(made.request())[0][1])
    made.early = 0
    yield made


def test_the_same_bytes_as_through_the_layers(wire: Wire) -> None:
    ((status, early),) = wire(wire.request())
    assert (status, wire.early) == (200, 1)
    # A header that says there may be a body is enough to go the long way.
    ((status, layers),) = wire(wire.request(TARGET, "Content-Length: 0"))
    assert (status, wire.early) == (200, 1)
    assert "server-timing" in layers
    varying = {"server-timing", "date", "body", "content-length"}
    assert early["etag"] == layers["etag"]
    assert {k: v for k, v in early.items() if k not in varying | {"vary"}} == {
        k: v for k, v in layers.items() if k not in varying | {"vary"}
    }
    assert early.keys() == layers.keys()
    assert early["vary"] == "Accept-Language, Cookie, Authorization"
    ((status, again),) = wire(wire.request(TARGET, f"If-None-Match: {early['etag']}"))
    assert (status, again["body"], wire.early) == (304, "", 2)


def test_an_idle_connection_is_closed_and_one_that_asks_is_not(
    wire: Wire, monkeypatch: pytest.MonkeyPatch
) -> None:
    plain = serving.Connection.connection_made

    def impatient(self: serving.Connection, transport: asyncio.Transport) -> None:
        plain(self, transport)
        self.timeout_keep_alive = 1

    monkeypatch.setattr(serving.Connection, "connection_made", impatient)
    for _ in range(30):
        wire.early = 0
        with socket.create_connection(("127.0.0.1", wire.port)) as connection:
            connection.settimeout(PATIENCE_S)
            pauses, asked = [], time.monotonic()
            for _ in range(4):  # longer in all than it may be idle
                time.sleep(0.5)
                last, asked = asked, time.monotonic()
                try:
                    connection.sendall(wire.request())
                    answer = connection.recv(1 << 16)
                except ConnectionError:
                    answer = b""
                pauses.append(time.monotonic() - last)
                if not answer:
                    break
                assert answer.startswith(b"HTTP/1.1 200")
            if answer:
                assert connection.recv(1) == b""
                assert time.monotonic() - asked > 0.9, "not before it was idle for a second"
                break
            # It was this machine that stood still meanwhile.
            assert max(pauses) > 0.9
    assert wire.early == 4


def test_one_connection_after_the_other_request(wire: Wire) -> None:
    """Answers come in the order of the requests, whoever writes them."""
    explained = wire.request(f"{TARGET}&lon=1")
    live = wire.request("/health/live")
    found = wire(wire.request(), wire.request(), live, wire.request(), explained, answers=5)
    assert [status for status, _ in found] == [200, 200, 200, 200, 422]
    assert "server-timing" in found[0][1]
    assert "server-timing" in found[3][1]
    assert "grid" not in found[2][1]["body"]
    assert 2 <= wire.early <= 3


@pytest.mark.parametrize(
    ("more", "method"),
    [(("Connection: close",), "GET"), (("Expect: 100-continue",), "GET"), ((), "HEAD"),
     ((), "DELETE")],
)  # fmt: skip
def test_what_is_not_plain_goes_the_long_way(
    wire: Wire, more: tuple[str, ...], method: str
) -> None:
    with socket.create_connection(("127.0.0.1", wire.port)) as connection:
        connection.settimeout(PATIENCE_S)
        connection.sendall(wire.request(TARGET, *more, method=method))
        assert connection.recv(1 << 16).startswith(b"HTTP/1.1 ")
    assert wire.early == 0


def test_a_client_that_hangs_up_is_harmless(wire: Wire) -> None:
    """While it asks, while it sends a batch, while it should read the answer."""
    points = ",".join('{"lon":117.01,"lat":45.01}' for _ in range(90_000))
    body = f'{{"points":[{points}],"people":"all"}}'.encode()
    head = wire.request(
        URL, "Content-Type: application/json", f"Content-Length: {len(body)}", method="POST"
    )
    for sent in (wire.request()[:40], wire.request(), head + body[: len(body) // 2], head + body,
                 head):  # fmt: skip
        for _ in range(5):
            with socket.create_connection(("127.0.0.1", wire.port)) as connection:
                connection.sendall(sent)
    until = time.monotonic() + 120
    while (status := wire(head + body)[0][0]) == 503:  # those that hung up are worked on
        assert time.monotonic() < until
        time.sleep(0.1)
    assert status == 200
    ((status, _),) = wire(wire.request())
    assert status == 200
    assert factories.grid_code(1) in wire(wire.request())[0][1]["body"]
