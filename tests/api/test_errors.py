"""Every error is a problem document, tells what to do, and gives nothing of the inside away."""

from __future__ import annotations

import json
import uuid
from typing import TYPE_CHECKING, Any

import pytest
import sqlalchemy as sa

from api.app import create_app
from api.errors import status_of
from api.settings import ServerSettings
from gis.database import Database
from gis.errors import BadInput, Conflict, Forbidden, Missing, NotFound, Unavailable, WanggeError
from gis.settings import DatabaseSettings
from grids.errors import TilingBroken
from tests import conftest
from tests.api.conftest import TestClient, everything

if TYPE_CHECKING:
    from collections.abc import Iterator

    import httpx2

    from gis.cluster import Cluster
    from tests.api.conftest import Town

SECURITY = {
    "x-content-type-options": "nosniff",
    "referrer-policy": "no-referrer",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    "permissions-policy": (
        "geolocation=(), camera=(), microphone=(), payment=(), usb=(), serial=()"
    ),
}


def problem(answer: httpx2.Response, status: int) -> dict[str, Any]:
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    told = answer.json()
    assert told["status"] == status
    assert set(told) <= {"type", "title", "status", "detail", "problems"}
    assert told["title"]
    assert told["detail"]
    for words in ("Traceback", "SELECT", "INSERT", "psycopg", "sqlalchemy", "/api/", ".py"):
        assert words not in answer.text
    secured(answer)
    return told


def secured(answer: httpx2.Response) -> None:
    for name, value in SECURITY.items():
        assert answer.headers.get_list(name) == [value], (name, answer.url)
    assert len(answer.headers.get_list("content-security-policy")) == 1


def test_unknown_address(town: Town) -> None:
    for path in ("/nowhere", "/api/v1/nowhere", "/viewer/nowhere.js", "/viewer/../api/app.py"):
        problem(town.client.get(path), 404)


@pytest.mark.parametrize("path", ["/docs", "/redoc", "/docs/oauth2-redirect"])
def test_pages_that_load_from_elsewhere_are_off(town: Town, path: str) -> None:
    problem(town.client.get(path), 404)


def test_wrong_method_names_the_right_ones(town: Town) -> None:
    answer = town.client.delete("/api/v1/locate")
    problem(answer, 405)
    assert answer.headers["allow"] == "GET"


@pytest.mark.parametrize("sent", ["{", "", "[1,", '{"id": }', "null", "[]", '"text"'])
def test_malformed_body(town: Town, sent: str) -> None:
    answer = town.client.post(
        "/api/v1/incidents",
        content=sent.encode("latin-1"),
        headers={"content-type": "application/json"},
    )
    told = problem(answer, 422)
    assert told["problems"][0]["field"] == "body"


@pytest.mark.parametrize("sent", [b"\xff", b'{"text":' + b"[" * 200_000, b"1" * 5_000])
def test_body_that_cannot_even_be_read(town: Town, sent: bytes) -> None:
    answer = town.client.post(
        "/api/v1/incidents", content=sent, headers={"content-type": "application/json"}
    )
    assert problem(answer, 422)["problems"][0]["field"] == "body"


def test_body_that_is_no_json(town: Town) -> None:
    answer = town.client.post("/api/v1/incidents", data={"id": "1"})
    problem(answer, 422)


@pytest.mark.parametrize("told", [True, False], ids=["length told", "in chunks"])
def test_body_over_the_limit(town: Town, told: bool) -> None:
    size = ServerSettings().max_body_bytes + 1
    content: Any = b" " * size if told else iter([b" " * 2**16] * (size // 2**16 + 1))
    answer = town.client.post("/api/v1/incidents", content=content)
    assert "Send it in parts" in problem(answer, 413)["problems"][0]["remedy"]


def test_body_at_the_limit_is_read(town: Town) -> None:
    content = b" " * ServerSettings().max_body_bytes
    answer = town.client.post(
        "/api/v1/incidents", content=content, headers={"content-type": "application/json"}
    )
    problem(answer, 422)


@pytest.fixture
def broken(database: Database) -> Iterator[TestClient]:
    """An application whose tables are gone: nothing that is foreseen."""
    headers = everything(database)
    with database.transaction() as session:
        session.execute(sa.text("DROP TABLE editions CASCADE"))
    with TestClient(
        create_app(ServerSettings(), database), headers=headers, raise_server_exceptions=False
    ) as client:
        yield client


def test_unforeseen_error_tells_nothing_of_the_inside(broken: TestClient) -> None:
    answer = broken.get("/api/v1/locate", params={"lon": 117, "lat": 45})
    told = problem(answer, 500)
    assert "editions" not in json.dumps(told)


class TestDatabaseDown:
    """The database is not there: everything says so and asks to come back."""

    @pytest.fixture
    def client(self, tmp_path: Any) -> Iterator[TestClient]:
        database = Database(
            f"postgresql+psycopg://nobody:s3cret@/nothing?host={tmp_path}", DatabaseSettings()
        )
        app = create_app(ServerSettings(), database)
        headers = {"Authorization": "Bearer wgk_whoever"}
        with TestClient(app, headers=headers, raise_server_exceptions=False) as client:
            yield client
        database.close()

    @pytest.mark.parametrize(
        "path",
        [
            "/api/v1/locate?lon=117&lat=45",
            "/api/v1/incidents",
            f"/api/v1/incidents/{uuid.UUID(int=1)}",
            "/api/v1/meta",
            "/api/v1/heatmaps",
            "/api/v1/heatmaps.png",
            "/tiles/grids/12/3379/1469",
        ],
    )
    def test_reading(self, client: TestClient, path: str) -> None:
        answer = client.get(path)
        told = problem(answer, 503)
        assert int(answer.headers["retry-after"]) > 0
        assert "s3cret" not in json.dumps(told)
        assert "nobody" not in json.dumps(told)

    def test_reporting(self, client: TestClient) -> None:
        sent = {"id": str(uuid.uuid4()), "category": "other", "lon": 117, "lat": 45}
        answer = client.post("/api/v1/incidents", json=sent)
        assert "nothing was changed" in problem(answer, 503)["detail"]

    def test_health(self, client: TestClient) -> None:
        assert client.get("/health/live").status_code == 200
        answer = client.get("/health/ready")
        assert answer.status_code == 503
        assert answer.json() == {
            "status": "not ready",
            "checks": {"database": "does not answer"},
        }
        assert "retry-after" in answer.headers


def test_connections_that_are_all_taken(test_cluster: Cluster, template: str) -> None:
    for fresh in conftest.fresh(test_cluster, template):
        settings = DatabaseSettings(pool_size=1)
        database = Database(fresh.url.render_as_string(hide_password=False), settings)
        database.service.pool._timeout = 0.05
        app = create_app(ServerSettings(), database)
        headers = everything(fresh)
        with (
            TestClient(app, headers=headers, raise_server_exceptions=False) as client,
            database.service.connect(),
            database.service.connect(),
        ):
            problem(client.get("/api/v1/meta"), 503)
            assert client.get("/health/ready").status_code == 503
        database.close()


def test_statement_that_takes_too_long(test_cluster: Cluster, template: str) -> None:
    for fresh in conftest.fresh(test_cluster, template):
        headers = everything(fresh)
        with fresh.engine.connect() as other:
            other.execute(sa.text("LOCK TABLE editions IN ACCESS EXCLUSIVE MODE"))
            settings = DatabaseSettings(statement_timeout_s=0.2)
            database = Database(fresh.url.render_as_string(hide_password=False), settings)
            app = create_app(ServerSettings(), database)
            with TestClient(app, headers=headers, raise_server_exceptions=False) as client:
                answer = client.get("/api/v1/locate", params={"lon": 117, "lat": 45})
            told = problem(answer, 503)
            assert "too long" in told["detail"]
            other.rollback()
        database.close()


@pytest.mark.parametrize(
    "path", ["/", "/viewer/viewer.js", "/health/live", "/api/v1/meta", "/openapi.json"]
)
def test_every_answer_carries_the_security_headers(town: Town, path: str) -> None:
    answer = town.client.get(path)
    assert answer.status_code == 200
    secured(answer)


@pytest.mark.parametrize(
    ("error", "status"),
    [
        (BadInput("x"), 422), (NotFound("x"), 404), (Conflict("x"), 409), (Forbidden("x"), 403),
        (Missing("x"), 503), (Unavailable("x"), 503), (TilingBroken("x"), 422),
        (WanggeError("x"), 500),
    ],
)  # fmt: skip
def test_status_of_each_kind(error: WanggeError, status: int) -> None:
    assert status_of(error) == status
