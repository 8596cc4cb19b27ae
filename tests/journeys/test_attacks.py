"""Attacks on the service as it runs: it stays up, answers others, and writes down none of it."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import time
import uuid
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import httpx2
import pytest

from api.auth import COOKIE
from api.document import operations
from gis.database import execute
from tests import conftest, factories, hidden, hostile

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from gis.cluster import Cluster
    from gis.database import Database

PATIENCE_S = 120
PHONE = "13987654321"
SAID = f"张三家门口 {PHONE} GEHEIM"
WHERE = "幸福路 7号 GEHEIM"
SMUGGLED = (
    b"POST /api/v1/incidents HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n"
    b"Transfer-Encoding: chunked\r\n\r\n0\r\n\r\nGET /smuggled HTTP/1.1\r\n\r\n"
)
TOKEN = "GEHEIM-token-0123456789"


@dataclass
class Live:
    """The service in a process of its own, and what it writes."""

    client: httpx2.Client
    process: subprocess.Popen[bytes]
    written: Path
    database: Database
    document: dict[str, Any]

    def is_up(self) -> bool:
        """Whether it is the same process as ever, and answers a stranger to it all."""
        assert self.process.poll() is None, self.written.read_text()[-2000:]
        answer = self.client.get("/api/v1/locate", params={"lon": 117.01, "lat": 45.01})
        return answer.status_code == 200


@pytest.fixture(scope="module")
def live(
    test_cluster: Cluster, template: str, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Live]:
    for database in conftest.fresh(test_cluster, template):
        with database.transaction() as session:
            county = factories.county(session)
            hidden.rows(session, county)
            key = factories.key(session, factories.account(session, "dispatcher"))
        written = tmp_path_factory.mktemp("live") / "written.txt"
        environment = {
            **os.environ,
            "WANGGE_DATABASE_URL": database.url.render_as_string(hide_password=False),
            "PYTHONUNBUFFERED": "1",
        }
        with written.open("wb") as output:
            process = subprocess.Popen(
                [sys.executable, "-m", "api.cli", "up"],
                env=environment, stdout=output, stderr=subprocess.STDOUT,
            )  # fmt: skip
        try:
            address = _address(process, written)
            headers = {"Authorization": f"Bearer {key}"}
            with httpx2.Client(base_url=address, headers=headers, timeout=60) as client:
                document = client.get("/openapi.json").json()
                yield Live(client, process, written, database, document)
        finally:
            process.terminate()
            process.wait(PATIENCE_S)


def _address(process: subprocess.Popen[bytes], written: Path) -> str:
    deadline = time.monotonic() + PATIENCE_S
    while time.monotonic() < deadline and process.poll() is None:
        found = re.search(r"http://127\.0\.0\.1:\d+", written.read_text())
        if found:
            return found.group()
        time.sleep(0.05)
    raise AssertionError(written.read_text())


@pytest.mark.parametrize("name", sorted(hostile.CORPUS))
def test_hostile_value_stops_nothing(live: Live, name: str) -> None:
    """In the body as it is, within a text, in an address, in a file of its own."""
    _, data = hostile.CORPUS[name]()
    raw = data if isinstance(data, bytes) else data.encode()
    part = raw[:6_000].decode("latin-1")
    sent = {"id": str(uuid.uuid4()), "category": "neighbour", "text": raw.decode("latin-1")}
    # A text of brackets is a text, when it is not too long for one.
    told = live.client.post("/api/v1/incidents", json=sent)
    assert told.status_code in {201, 413, 422}, told.text[:500]
    answers = [
        live.client.post("/api/v1/incidents", content=raw),
        live.client.get("/api/v1/incidents", params={"bbox": part}),
        live.client.get("/api/v1/incidents", params={"cursor": part, "filter": part}),
        live.client.get("/api/v1/locate", params={"lon": 117, "lat": 45, "crs": part}),
        live.client.post("/api/v1/incidents", files={"file": ("a.geojson", raw)}),
    ]
    for answer in answers:
        assert answer.status_code in {404, 413, 414, 422}, answer.text[:500]
        assert answer.headers["content-type"] == "application/problem+json"
    assert live.is_up()


def test_server_says_nothing_of_itself(live: Live) -> None:
    headers = live.client.get("/health/live").headers
    assert "server" not in headers
    assert "x-powered-by" not in headers


def test_raw_requests_that_are_none(live: Live) -> None:
    """Straight to the socket: what no client library would send."""
    import socket  # noqa: PLC0415

    host, port = live.client.base_url.host, live.client.base_url.port
    assert port is not None
    for sent in (
        b"\x16\x03\x01\x02\x00",
        b"GET / HTTP/1.1\r\nHost: a\r\nX: " + b"x" * 200_000,
        b"GET / HTTP/1.1\r\n" + b"".join(b"H%d: 1\r\n" % n for n in range(5_000)),
        SMUGGLED,
        b"POST /api/v1/incidents HTTP/1.1\r\nHost: a\r\nContent-Length: -1\r\n\r\n",
        b"GET /\r\nX: 1 HTTP/1.1\r\n\r\n",
    ):
        with socket.create_connection((host, port), timeout=30) as connection:
            try:
                connection.sendall(sent)
                connection.shutdown(socket.SHUT_WR)
                answer = connection.recv(4096)
            except OSError:  # hung up on, at whichever of the three
                answer = b""
        assert not answer.startswith(b"HTTP/1.1 2"), (sent[:60], answer[:200])
        assert not answer.startswith(b"HTTP/1.1 5"), (sent[:60], answer[:200])
    assert live.is_up()


def test_nothing_of_anybody_is_written_down(live: Live, test_cluster: Cluster) -> None:
    """Not in the log of the service or the database, nor in what is refused.

    Every operation, with credentials that fail and that hold, with bodies that are taken, refused,
    repeated, and that meet an error nobody foresaw.
    """
    example = {
        "id": str(uuid.uuid4()), "category": "neighbour", "text": SAID, "address": WHERE,
        "source": "phone", "external_id": PHONE, "lon": 117.01, "lat": 45.01,
    }  # fmt: skip
    bodies: list[Any] = [
        example, example, {**example, "text": f"{SAID} 2"},
        {**example, "id": str(uuid.uuid4()), "text": f"{SAID} 3"},
        {**example, "id": SAID}, {**example, "severity": WHERE}, {"text": SAID, "beside": WHERE},
        {**example, "id": str(uuid.uuid4()), "external_id": None, "category": "no such"},
    ]  # fmt: skip
    strangers = [
        {"Authorization": f"Bearer {TOKEN}"},
        {"Authorization": f"Basic {TOKEN}"},
        {"Authorization": "", "Cookie": f"{COOKIE}={TOKEN}", "X-CSRF-Token": TOKEN},
    ]
    refused: list[str] = []
    so_far = test_cluster.log.stat().st_size

    def ask(method: str, path: str, **more: Any) -> None:
        answer = live.client.request(method, path, **more)
        if answer.status_code >= 400:
            refused.append(answer.text)

    def ask_everything() -> None:
        for path, method, _ in operations(live.document):
            filled = re.sub(r"\{[^}]*\}", "1", path).replace("{incident_id}", example["id"])
            for headers in strangers:
                ask(method, filled, headers=headers)
            if method == "get":
                ask(method, filled, headers={"User-Agent": SAID.encode()})
            else:
                for body in bodies:
                    ask(method, filled, json=body)

    ask_everything()
    with live.database.transaction() as session:
        execute(session, "ALTER TABLE incident_events RENAME TO elsewhere")
    try:
        before = len(refused)
        ask_everything()
        assert any('"status":500' in text for text in refused[before:])
    finally:
        with live.database.transaction() as session:
            execute(session, "ALTER TABLE elsewhere RENAME TO incident_events")
    assert live.is_up()
    written = live.written.read_text()
    assert "unforeseen" in written  # the log is there, and tells of it
    assert "wangge.refused status=401 reason=NotSignedIn who=key:? " in written
    told = test_cluster.log.read_bytes()[so_far:].decode(errors="replace")
    assert "incident_events" in told
    for canary in (PHONE, "GEHEIM", "张三", "幸福路"):
        assert canary not in written
        assert canary not in told
        if canary != PHONE:  # a client's own number of a report may be named back to it
            assert not [text for text in refused if canary in text]
