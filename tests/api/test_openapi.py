"""The contract of the service: complete, and its examples are true."""

from __future__ import annotations

import base64
import hashlib
import re
from typing import TYPE_CHECKING, Any

import pytest

from api.schemas.incidents import IncidentIn

if TYPE_CHECKING:
    from tests.api.conftest import Town

METHODS = {"get", "post", "put", "patch", "delete"}


@pytest.fixture(scope="module")
def document(town: Town) -> dict[str, Any]:
    answer = town.client.get("/openapi.json")
    assert answer.status_code == 200
    return answer.json()


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


def test_errors_are_documented_as_they_are_answered(document: dict[str, Any]) -> None:
    for name, operation in operations(document):
        malformed = operation["responses"].get("422")
        if malformed is not None:
            assert list(malformed["content"]) == ["application/problem+json"], name
            schema = malformed["content"]["application/problem+json"]["schema"]
            assert schema == {"$ref": "#/components/schemas/ProblemDetails"}, name
    assert "HTTPValidationError" not in document["components"]["schemas"]


def test_every_reference_leads_somewhere(document: dict[str, Any]) -> None:
    schemas = document["components"]["schemas"]
    references = re.findall(r"'\$ref': '#/components/schemas/([^']+)'", str(document))
    assert references
    assert set(references) <= set(schemas)


def test_example_of_a_report_is_taken(town: Town, document: dict[str, Any]) -> None:
    example = document["components"]["schemas"]["IncidentIn"]["example"]
    IncidentIn.model_validate(example)
    answer = town.client.post("/api/v1/incidents", json=example)
    assert answer.status_code == 201, answer.text


def test_examples_of_parameters_are_taken(town: Town, document: dict[str, Any]) -> None:
    parameters = document["paths"]["/api/v1/locate"]["get"]["parameters"]
    examples = {
        each["name"]: each["schema"]["examples"][0]
        for each in parameters
        if "examples" in each["schema"]
    }
    assert {"lon", "lat"} <= set(examples)
    assert town.client.get("/api/v1/locate", params=examples).status_code == 200


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
