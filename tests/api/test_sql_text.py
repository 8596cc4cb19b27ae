"""No word of a request ever stands in the text of a statement: values are bound, names are ours."""

from __future__ import annotations

import uuid
from typing import TYPE_CHECKING, Any

import pytest
import sqlalchemy as sa

from api.document import operations

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.api.conftest import Town

MARKER = "M4RK3R"
ATTACKS = (
    f"{MARKER}'",
    f"{MARKER}' OR '1'='1",
    f'{MARKER}"; DROP TABLE incidents; --',
    f"{MARKER}) UNION SELECT password_hash FROM accounts --",
    f"{MARKER}%(x)s :x $1 {{x}}",
    f"{MARKER}\\'; SELECT pg_sleep(9) --",
)


@pytest.fixture
def statements(town: Town) -> Iterator[list[str]]:
    """Every statement's text that the service sends, whoever writes it."""
    sent: list[str] = []

    def note(_connection: Any, _cursor: Any, statement: str, *_: Any) -> None:
        sent.append(statement)

    engine = town.database.service
    sa.event.listen(engine, "before_cursor_execute", note)
    yield sent
    sa.event.remove(engine, "before_cursor_execute", note)


def _resolve(schema: dict[str, Any], document: dict[str, Any]) -> dict[str, Any]:
    while "$ref" in schema:
        schema = document["components"]["schemas"][schema["$ref"].rsplit("/", 1)[1]]
    return schema


def _takes_text(schema: dict[str, Any]) -> bool:
    options = schema.get("anyOf", [schema])
    return any(
        each.get("type") == "string" or each.get("items", {}).get("type") == "string"
        for each in options
    )


def _body(operation: dict[str, Any], document: dict[str, Any], attack: str) -> list[dict[str, Any]]:
    """The example of a body, once for each of its texts with the attack in it."""
    content = operation.get("requestBody", {}).get("content", {}).get("application/json")
    if content is None:
        return []
    schema = _resolve(content["schema"], document)
    example = schema.get("example", {})
    texts = [
        name
        for name, each in schema.get("properties", {}).items()
        if _takes_text(_resolve(each, document))
    ]
    return [
        {**example, **({"id": str(uuid.uuid4())} if "id" in example else {}), name: attack}
        for name in texts
    ]


def _every_request(town: Town, document: dict[str, Any], attack: str) -> int:
    """Send the attack in every place of every operation; how many requests that were."""
    count = 0
    for path, method, operation in operations(document):
        parameters = operation.get("parameters", [])
        sound = {
            each["name"]: each["schema"].get("examples", ["1"])[0]
            for each in parameters
            if each.get("required")
        }
        # A tile of a layer that exists, so that its other parameters come to be used.
        sound |= {"layer": "incidents", "z": "12", "x": "3379", "y": "1469"}
        places: list[tuple[str, dict[str, str]]] = []
        for each in parameters:
            name, where = each["name"], each["in"]
            if where == "path":
                places.append((path.replace(f"{{{name}}}", attack), {}))
            elif where == "query":
                places.append((path, {name: attack}))
        places.append((path, {attack: attack}))
        for address, asked in places:
            filled = address
            for name, value in sound.items():
                filled = filled.replace(f"{{{name}}}", str(value))
            needed = {
                each["name"]: str(sound[each["name"]])
                for each in parameters
                if each["in"] == "query" and each.get("required")
            }
            bodies = _body(operation, document, attack) if method != "get" else []
            for body in bodies or [None]:
                answer = town.client.request(
                    method, filled, params={**needed, **asked}, json=body,
                    headers={"If-None-Match": attack, "X-CSRF-Token": attack, "User-Agent": attack},
                )  # fmt: skip
                assert answer.status_code < 500, (method, filled, asked, body, answer.text)
                count += 1
    return count


@pytest.mark.parametrize("attack", ATTACKS)
def test_nothing_of_a_request_is_in_a_statement(
    town: Town, statements: list[str], attack: str
) -> None:
    document = town.client.get("/openapi.json").json()
    assert _every_request(town, document, attack) > 40
    assert len(statements) > 40
    assert not [each for each in statements if MARKER in each]


def test_marker_reached_the_database_as_a_value(town: Town, statements: list[str]) -> None:
    """Else the test above would look at statements that never had anything to do with it."""
    sent = {
        "id": str(uuid.uuid4()), "category": "neighbour", "text": ATTACKS[2], "address": ATTACKS[1],
        "source": ATTACKS[0], "external_id": ATTACKS[3], "lon": 117.01, "lat": 45.01,
    }  # fmt: skip
    answer = town.client.post("/api/v1/incidents", json=sent)
    assert answer.status_code == 201, answer.text
    assert answer.json()["text"] == ATTACKS[2]
    with town.database.transaction() as session:
        kept = session.execute(
            sa.text("SELECT text, address, source, external_id FROM incidents WHERE id = :id"),
            {"id": sent["id"]},
        ).one()
    assert tuple(kept) == (ATTACKS[2], ATTACKS[1], ATTACKS[0], ATTACKS[3])
    assert not [each for each in statements if MARKER in each]
