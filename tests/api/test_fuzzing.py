"""The whole OpenAPI document tried against the service, as every role and as nobody.

A bounded run, the same each time. For the long form say how many cases each operation gets for each
caller: ``WANGGE_FUZZ_EXAMPLES=200 pytest tests/api/test_fuzzing.py``.
"""

from __future__ import annotations

import os
import zlib
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pytest
import schemathesis
import sqlalchemy as sa
from hypothesis import HealthCheck, Phase, given, seed, settings
from schemathesis import Case, GenerationMode
from schemathesis.checks import not_a_server_error
from schemathesis.config import SchemathesisConfig
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from api.app import create_app
from api.settings import ServerSettings
from tests import conftest, factories, hidden
from tests.access import rules

if TYPE_CHECKING:
    from collections.abc import Iterator

    from schemathesis import APIOperation
    from schemathesis.openapi import OpenApiSchema

    from gis.cluster import Cluster

EXAMPLES = int(os.environ.get("WANGGE_FUZZ_EXAMPLES", "0"))
CASES = 1_200
"""Of the bounded run, all operations and callers together; but two of each at the least."""
CHECKS = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_schema_conformance,
]
ROLES = (
    "resident", "grid_worker", "community", "township", "department", "dispatcher", "planner",
    "patrol_leader", "analyst", "integrator", "system_admin", "security_admin", "audit_admin",
)  # fmt: skip
NOBODY = "nobody"
MALFORMED_BY = 2
"""So many of the roles that may ask an operation send it what it does not take."""


@dataclass(frozen=True)
class Place:
    """The service's document, and the headers of each caller of one village."""

    schema: OpenApiSchema
    callers: dict[str, dict[str, str]]


@pytest.fixture(scope="module")
def place(test_cluster: Cluster, template: str) -> Iterator[Place]:
    for database in conftest.fresh(test_cluster, template):
        with database.transaction() as session:
            county = factories.county(session)
            hidden.rows(session, county)
            assert set(session.scalars(sa.text("SELECT key FROM roles"))) == set(ROLES)
            callers: dict[str, dict[str, str]] = {NOBODY: {}}
            for role in ROLES:
                person = county.workers[factories.grid_code(0)] if role == "grid_worker" else None
                who = factories.account(session, role, factories.VILLAGES[0], person=person)
                callers[role] = {"Authorization": f"Bearer {factories.key(session, who)}"}
        app = create_app(ServerSettings(), database)
        config = SchemathesisConfig.from_dict({})
        yield Place(schemathesis.openapi.from_asgi("/openapi.json", app, config=config), callers)


def _try(
    operation: APIOperation, caller: str, headers: dict[str, str], mode: GenerationMode, number: int
) -> None:
    @seed(zlib.crc32(f"{operation.label} {caller} {mode}".encode()))
    @settings(
        max_examples=number, derandomize=False, database=None, deadline=None,
        phases=[Phase.generate], suppress_health_check=list(HealthCheck),
    )  # fmt: skip
    @given(case=operation.as_strategy(generation_mode=mode))
    def ask(case: Case) -> None:
        answer = case.call(headers=headers)
        case.validate_response(answer, checks=CHECKS, headers=headers)
        told = answer.content + repr(answer.headers).encode()
        assert hidden.CANARY.encode() not in told, case.as_curl_command()
        if caller == NOBODY and operation.definition.raw.get("security"):
            # Malformed and foreign requests may be told so before it is asked who sends them.
            assert answer.status_code in {401, 403, 405, 414, 422}, case.as_curl_command()

    ask()


@pytest.mark.slow
@pytest.mark.parametrize("caller", [NOBODY, *ROLES])
def test_every_operation_answers_as_it_says(place: Place, caller: str) -> None:
    """No 5xx, a declared status and shape, and no byte of a row that the caller may not see."""
    operations = [found.ok() for found in place.schema.get_all_operations()]
    assert len(operations) >= 12
    number = EXAMPLES or max(2, CASES // (len(operations) * len(place.callers) * 2))
    for operation in operations:
        for mode in GenerationMode:
            if mode is GenerationMode.NEGATIVE and not (
                _takes_anything(operation) and (EXAMPLES or caller in _in_turn(operation))
            ):
                continue
            _try(operation, caller, place.callers[caller], mode, number)


def _in_turn(operation: APIOperation) -> set[str]:
    """Who sends an operation what it does not take: nobody, a role that may not ask, some that may.

    What is read is refused by the same code for all of them; what each of them sees is asked in a
    good form.
    """
    table = rules.table(rules.DOORS).get(rules.door(operation.method.upper(), operation.path))
    may = [role for role in ROLES if table is None or table[role] == "yes"]
    others = [role for role in ROLES if role not in may]
    first = zlib.crc32(operation.label.encode())
    return {
        NOBODY,
        *(may[(first + number) % len(may)] for number in range(MALFORMED_BY) if may),
        *(others[first % len(others)] for _ in others[:1]),
    }


def _takes_anything(operation: APIOperation) -> bool:
    raw = operation.definition.raw
    return bool(raw.get("parameters") or raw.get("requestBody"))
