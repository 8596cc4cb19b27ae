"""The contract of the service: complete, and its examples are true."""

from __future__ import annotations

import base64
import hashlib
import re
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from tests.api.conftest import Town

METHODS = {"get", "post", "put", "patch", "delete"}
PUBLIC = {
    "GET /health/live", "GET /health/ready", "POST /api/v1/session", "GET /api/v1/oidc",
    "POST /api/v1/intake", "POST /api/v1/intake/sign", "POST /api/v1/intake/receipt",
}  # fmt: skip
REFUSED = {
    # What is a person's own is not done by the key that asks here.
    "DELETE /api/v1/session", "DELETE /api/v1/sessions", "POST /api/v1/session",
    # Those of the tests have no weeks of reports to learn from.
    "GET /api/v1/attention", "GET /api/v1/attention.geojson", "GET /api/v1/attention/backtest",
    "GET /attention/backtest",
    # The towns of the tests have no buildings.
    "POST /api/v1/plans/drawings",
    # Nor have they streets.
    "GET /api/v1/heatmaps/streets", "GET /api/v1/heatmaps/streets.geojson",
    "GET /tiles/streets/{z}/{x}/{y}",
    # Only one incident is shown, and it is not the same as itself.
    "PUT /api/v1/incidents/{incident_id}/duplicates/{other_id}",
    # Its code is drawn when a sign is put up: the one that is shown is nobody's.
    "DELETE /api/v1/signs/{sign_code}", "GET /api/v1/signs/{sign_code}/poster.pdf",
}  # fmt: skip
"""Operations whose examples are well-formed and name something that no test town has."""


@pytest.fixture(scope="module")
def document(town: Town) -> dict[str, Any]:
    answer = town.client.get("/openapi.json")
    assert answer.status_code == 200
    return answer.json()


def resolved(document: dict[str, Any], schema: dict[str, Any]) -> dict[str, Any]:
    while "$ref" in schema:
        schema = document["components"]["schemas"][schema["$ref"].rsplit("/", 1)[1]]
    return schema


def operations(document: dict[str, Any]) -> list[tuple[str, dict[str, Any]]]:
    return [
        (f"{method.upper()} {path}", operation)
        for path, item in document["paths"].items()
        for method, operation in item.items()
        if method in METHODS
    ]


def test_paths_of_the_contract_are_there(document: dict[str, Any]) -> None:
    assert set(document["paths"]) >= {
        "/api/v1/locate", "/api/v1/incidents", "/api/v1/incidents/{incident_id}",
        "/api/v1/incidents/{incident_id}/events", "/api/v1/heatmaps", "/api/v1/heatmaps.png",
        "/api/v1/meta", "/tiles/{layer}", "/tiles/{layer}/{z}/{x}/{y}", "/health/live",
        "/health/ready",
    }  # fmt: skip


def test_every_operation_says_what_it_answers(document: dict[str, Any]) -> None:
    found = operations(document)
    assert len(found) >= 12
    for name, operation in found:
        assert operation["summary"], name
        assert operation["description"], name
        assert operation["tags"], name
    numbers = [operation["operationId"] for _, operation in found]
    assert len(set(numbers)) == len(numbers)


def test_every_refusal_is_declared(document: dict[str, Any]) -> None:
    problem = {"schema": {"$ref": "#/components/schemas/ProblemDetails"}}
    for name, operation in operations(document):
        if "/health/" in name:
            continue
        answers = operation["responses"]
        wanted = {"422", "503"}
        if operation.get("security"):
            wanted |= {"401", "403", "429"}
        if "{" in name:
            wanted |= {"404"}
        if "requestBody" in operation:
            wanted |= {"408", "413"}
        assert wanted <= set(answers), name
        for status, answer in answers.items():
            if status[0] in "45":
                assert answer["content"] == {"application/problem+json": problem}, (name, status)
                assert answer["description"], (name, status)
            if status in {"429", "503"}:
                assert "Retry-After" in answer["headers"], (name, status)
    assert "HTTPValidationError" not in document["components"]["schemas"]


def test_every_operation_but_the_public_ones_says_how_to_be_let_in(
    document: dict[str, Any],
) -> None:
    schemes = set(document["components"]["securitySchemes"])
    public = {name for name, operation in operations(document) if not operation.get("security")}
    assert public == PUBLIC
    for _, operation in operations(document):
        for each in operation.get("security", []):
            assert set(each) <= schemes


def test_every_example_is_taken(own_town: Town) -> None:
    """Nothing that is shown is refused as malformed, and what is asked for by it is there."""
    document = own_town.client.get("/openapi.json").json()
    tried = 0
    # What is made comes first, so that what asks for it finds it.
    ordered = sorted(
        operations(document), key=lambda each: (not each[0].startswith("POST"), each[0])
    )
    for name, operation in ordered:
        method, path = name.split(" ")
        shown = {
            (each["in"], each["name"]): each["schema"]["examples"][0]
            for each in operation.get("parameters", [])
            if "examples" in each["schema"]
        } | {
            (each["in"], each["name"]): each["example"]
            for each in operation.get("parameters", [])
            if "example" in each
        }
        content = operation.get("requestBody", {}).get("content", {}).get("application/json")
        body = None
        if content is not None:
            body = resolved(document, content["schema"]).get("example")
        lacking = {
            (each["in"], each["name"])
            for each in operation.get("parameters", [])
            if each.get("required")
        } - set(shown)
        if lacking or (content is not None and body is None):
            continue
        for (where, key), value in shown.items():
            if where == "path":
                path = path.replace(f"{{{key}}}", str(value))
        query = {key: value for (where, key), value in shown.items() if where == "query"}
        answer = own_town.client.request(method, path, params=query, json=body)
        assert answer.status_code < 300 or name in REFUSED, (name, answer.text)
        tried += 1
    assert tried >= 10


def test_every_reference_leads_somewhere(document: dict[str, Any]) -> None:
    schemas = document["components"]["schemas"]
    references = re.findall(r"'\$ref': '#/components/schemas/([^']+)'", str(document))
    assert references
    assert set(references) <= set(schemas)


def test_policy_lets_the_page_s_import_map_run_and_nothing_else(town: Town) -> None:
    answer = town.client.get("/")
    policy = dict(
        part.strip().split(" ", 1) for part in answer.headers["content-security-policy"].split(";")
    )
    inline = re.findall(r"<script(?![^>]*\bsrc=)[^>]*>(.*?)</script>", answer.text, re.DOTALL)
    assert len(inline) == 1
    wanted = base64.b64encode(hashlib.sha256(inline[0].encode()).digest()).decode()
    assert policy["script-src"].split() == ["'self'", f"'sha256-{wanted}'"]
    # What the page itself says is no wider, and allows the same import map.
    assert f"'sha256-{wanted}'" in answer.text
    assert policy["default-src"] == "'self'"
    assert "http:" not in answer.headers["content-security-policy"]
    assert "https:" not in answer.headers["content-security-policy"]
    assert not re.search(r"(src|href)=\"(https?:)?//", answer.text)
