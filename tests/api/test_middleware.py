"""What a request meets before anything reads it, and what every answer carries."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import pytest

from api.app import create_app
from api.middleware import MAX_HEADER_BYTES, MAX_PARAMETERS, MAX_TARGET_BYTES, AtOnce, BodyLimit
from api.settings import ServerSettings
from tests.api.conftest import TestClient
from tests.api.test_errors import problem

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from tests.api.conftest import Town

    Message = dict[str, Any]
    App = Callable[..., Awaitable[None]]

LOCATE = "/api/v1/locate"
HERE = {"lon": "117.01", "lat": "45.01"}


class TestLimits:
    def test_address(self, town: Town) -> None:
        longest = "x" * (MAX_TARGET_BYTES - 60)
        problem(town.client.get(LOCATE, params={**HERE, "crs": longest}), 422)
        problem(town.client.get(LOCATE, params={**HERE, "crs": longest * 2}), 414)
        problem(town.client.get("/viewer/" + "x" * MAX_TARGET_BYTES), 414)

    def test_parameters(self, town: Town) -> None:
        many = [("category", "noise")] * MAX_PARAMETERS
        assert town.client.get("/api/v1/incidents", params=many).status_code == 200
        problem(town.client.get("/api/v1/incidents", params=[*many, many[0]]), 422)

    def test_headers(self, town: Town) -> None:
        problem(town.client.get(LOCATE, headers={"X-Long": "x" * MAX_HEADER_BYTES}), 431)
        many = {f"X-{number}": "1" for number in range(101)}
        problem(town.client.get(LOCATE, headers=many), 431)

    def test_body_of_who_is_not_known_yet(self, town: Town) -> None:
        client = TestClient(town.client.app)
        problem(client.post("/api/v1/session", json={"login": "x" * 20_000}), 413)

    @pytest.mark.parametrize("depth", [33, 200_000])
    def test_depth_of_a_body(self, town: Town, depth: int) -> None:
        sent = b'{"id":' + b"[" * depth + b"]" * depth + b"}"
        answer = town.client.post("/api/v1/incidents", content=sent)
        assert "nested more than 32" in problem(answer, 422)["detail"]

    def test_brackets_of_a_text_are_no_depth(self, town: Town) -> None:
        sent = {
            "id": "6b1f4ad0-9f6d-4a43-8a4c-0d9a1d2b9e11", "category": "neighbour",
            "text": '[{"\\' * 100, "lon": 117.01, "lat": 45.01,
        }  # fmt: skip
        assert town.client.post("/api/v1/incidents", json=sent).status_code == 201


class TestParameters:
    def test_unknown_is_refused_with_the_nearest(self, town: Town) -> None:
        told = problem(town.client.get("/api/v1/incidents?categroy=noise"), 422)
        assert told["problems"] == [
            {"field": "categroy", "reason": "there is no such parameter",
             "remedy": "Did you mean category?"}
        ]  # fmt: skip

    def test_twice_is_refused(self, town: Town) -> None:
        told = problem(town.client.get(f"{LOCATE}?lon=117&lat=45&lon=116"), 422)
        assert [each["field"] for each in told["problems"]] == ["lon"]

    def test_addresses_are_decoded_once(self, town: Town) -> None:
        told = problem(town.client.get(f"{LOCATE}?lon=117&lat=45&crs=%2541"), 422)
        assert "'%41'" in told["problems"][0]["reason"]

    def test_lists_may_be_repeated(self, town: Town) -> None:
        answer = town.client.get("/api/v1/incidents?category=noise&category=neighbour")
        assert answer.status_code == 200

    def test_probes_of_health_may_send_what_they_like(self, town: Town) -> None:
        assert town.client.get("/health/live?t=1").status_code == 200


class TestHeaders:
    @pytest.mark.parametrize(
        "path", [f"{LOCATE}?lon=117&lat=45", "/api/v1/incidents", "/api/v1/meta", "/nowhere",
                 "/api/v1/session", "/api/v1/incidents?x=1"]
    )  # fmt: skip
    def test_answers_are_not_kept(self, town: Town, path: str) -> None:
        answer = town.client.get(path)
        assert answer.headers["cache-control"] == "no-store"
        assert answer.headers["vary"].endswith("Cookie, Authorization")

    def test_files_of_the_page_are_kept_and_asked_for_again(self, town: Town) -> None:
        answer = town.client.get("/viewer/viewer.js")
        assert answer.headers["cache-control"] == "no-cache"
        assert "vary" not in answer.headers

    def test_https_is_remembered_by_the_browser_only_when_it_is_there(self, town: Town) -> None:
        with TestClient(town.client.app, base_url="https://wangge.example") as client:
            told = client.get("/health/live").headers["strict-transport-security"]
        assert told == "max-age=31536000; includeSubDomains"
        assert "strict-transport-security" not in town.client.get("/health/live").headers

    def test_no_style_or_script_of_a_page_is_taken_from_its_text(self, town: Town) -> None:
        policy = town.client.get("/").headers["content-security-policy"]
        assert "unsafe-inline" not in policy
        assert "unsafe-eval" not in policy

    def test_no_other_page_may_read_an_answer(self, town: Town) -> None:
        answer = town.client.get("/api/v1/meta", headers={"Origin": "https://elsewhere.example"})
        assert not [name for name in answer.headers if name.startswith("access-control-")]
        assert answer.headers["cross-origin-resource-policy"] == "same-origin"

    @pytest.mark.parametrize(
        "path", ["/viewer/", "/viewer/layers/", "/viewer/.git/config", "/.git"]
    )
    def test_folders_are_not_listed(self, town: Town, path: str) -> None:
        problem(town.client.get(path), 404)

    def test_no_methods_beside_the_known(self, town: Town) -> None:
        for method in ("TRACE", "PUT", "PATCH", "DELETE", "PROPFIND"):
            problem(town.client.request(method, "/api/v1/incidents"), 405)


async def _answers(app: App, receive: App, method: str = "POST", path: str = "/x") -> list[Message]:
    sent: list[Message] = []

    async def send(message: Message) -> None:
        sent.append(message)

    scope = {
        "type": "http", "method": method, "path": path, "headers": [], "query_string": b"",
    }  # fmt: skip
    await app(scope, receive, send)
    return sent


async def _never() -> Message:
    await asyncio.Event().wait()
    raise AssertionError


def test_body_that_never_comes_is_given_up() -> None:
    async def unreached(*_: Any) -> None:
        raise AssertionError

    limited = BodyLimit(unreached, 1000, {}, timeout_s=0.01)
    assert asyncio.run(_answers(limited, _never))[0]["status"] == 408


def test_beyond_so_many_at_once_one_is_asked_to_come_back() -> None:
    async def scene() -> None:
        go = asyncio.Event()

        async def slow(_scope: Any, _receive: Any, send: Any) -> None:
            await go.wait()
            await send({"type": "http.response.start", "status": 200, "headers": []})

        door = AtOnce(slow, limit=2)
        first = [asyncio.create_task(_answers(door, _never)) for _ in range(2)]
        await asyncio.sleep(0)
        refused = await _answers(door, _never)
        assert refused[0]["status"] == 503
        assert (b"retry-after", b"1") in refused[0]["headers"]
        go.set()
        assert [sent[0]["status"] for sent in await asyncio.gather(*first)] == [200, 200]
        assert (await _answers(door, _never))[0]["status"] == 200
        assert door.working == 0

    asyncio.run(scene())


def test_client_that_does_not_read_loses_its_place() -> None:
    async def scene() -> None:
        async def answering(_scope: Any, _receive: Any, send: Any) -> None:
            await send({"type": "http.response.start", "status": 200, "headers": []})

        async def stuck(_message: Message) -> None:
            await asyncio.Event().wait()

        door = AtOnce(answering, limit=1, send_timeout_s=0.01)
        scope = {"type": "http", "method": "GET", "path": "/x"}
        with pytest.raises(TimeoutError):
            await door(scope, _never, stuck)
        assert door.working == 0

    asyncio.run(scene())


def test_limit_is_that_of_the_settings(town: Town) -> None:
    app = create_app(ServerSettings(max_concurrent=1, max_body_bytes=2048), town.database)
    with TestClient(app) as client:
        problem(client.post("/api/v1/incidents", content=b" " * 3000), 413)
