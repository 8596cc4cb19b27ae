"""The application over the marked place, asked in process."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pytest

from api.app import create_app
from api.settings import ServerSettings
from gis.secrets import Keyring
from tests import conftest
from tests.access.place import Caller, Place
from tests.access.rows import build

if TYPE_CHECKING:
    from collections.abc import Iterator

    from fastapi import FastAPI

    from gis.cluster import Cluster
    from gis.database import Database


@dataclass(frozen=True, slots=True)
class Answer:
    """An answer as it went over the wire."""

    status: int
    headers: tuple[tuple[bytes, bytes], ...]
    body: bytes

    @property
    def whole(self) -> bytes:
        """Every byte of it."""
        return b"\n".join([*(name + b": " + value for name, value in self.headers), self.body])


class Asker:
    """Asks an application without a network between, one question after the other."""

    def __init__(self, app: FastAPI, tokens: dict[str, str]) -> None:
        self.app, self.tokens = app, tokens
        self.loop = asyncio.new_event_loop()

    def __call__(
        self,
        caller: Caller | str | None,
        method: str,
        path: str,
        query: str = "",
        *,
        body: bytes | None = None,
        headers: tuple[tuple[bytes, bytes], ...] = (),
    ) -> Answer:
        """Ask as an account, by its login, or as nobody."""
        login = caller.login if isinstance(caller, Caller) else caller
        if login is not None:
            headers = (*headers, (b"authorization", f"Bearer {self.tokens[login]}".encode()))
        if body is not None:
            headers = (*headers, (b"content-type", b"application/json"))
        return self.loop.run_until_complete(self._ask(method, path, query, body or b"", headers))

    async def _ask(self, method: str, path: str, query: str, body: bytes, headers: Any) -> Answer:
        scope = {
            "type": "http", "asgi": {"version": "3.0"}, "http_version": "1.1", "method": method,
            "scheme": "http", "path": path, "raw_path": path.encode(), "root_path": "",
            "query_string": query.encode(), "headers": [(b"host", b"localhost"), *headers],
            "client": ("127.0.0.1", 1), "server": ("localhost", 80),
        }  # fmt: skip
        sent: list[Any] = []
        asked = False

        async def receive() -> dict[str, Any]:
            nonlocal asked
            if asked:
                await asyncio.Event().wait()
            asked = True
            return {"type": "http.request", "body": body, "more_body": False}

        async def send(message: Any) -> None:
            sent.append(message)

        try:
            await self.app(scope, receive, send)
        except Exception:
            # The server logs it; the answer, a 500, has been sent before.
            if not sent:
                raise
        start, *rest = sent
        whole = b"".join(message.get("body", b"") for message in rest)
        return Answer(start["status"], tuple(start["headers"]), whole)


@dataclass(frozen=True)
class Marked:
    """The place, its database, and how to ask."""

    place: Place
    database: Database
    ask: Asker


@pytest.fixture(scope="module")
def marked(test_cluster: Cluster, template: str) -> Iterator[Marked]:
    """The marked place of a module; its tests leave it as it was."""
    for database in conftest.fresh(test_cluster, template):
        with database.transaction() as session:
            place = build(session, Keyring.open(database.settings.secrets_path))
        ask = Asker(create_app(ServerSettings(), database), place.tokens)
        yield Marked(place, database, ask)
        ask.loop.run_until_complete(ask.loop.shutdown_default_executor())
        ask.loop.close()
