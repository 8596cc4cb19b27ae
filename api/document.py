"""The OpenAPI document as the service keeps it: every answer an operation can give, and no other.

What holds for all operations is written here once: who is not let in, what is not there, what
cannot be taken, what comes too often. A route declares only what is its own.
"""

from __future__ import annotations

from collections.abc import Iterator
from difflib import get_close_matches
from typing import Any, Final

from fastapi import APIRouter, FastAPI, Request

from api.errors import MEDIA_TYPE
from api.schemas.batches import BatchIn
from api.schemas.problems import ProblemDetails
from gis.errors import BadInput, Problem

Parameters = dict[str, bool]
"""Names of query parameters, and whether each may be repeated."""

_REFUSED: Final = {
    401: "Nobody is signed in, or no longer: an unknown, expired or ended session or key",
    403: "The caller's role or area does not allow it, or the X-CSRF-Token header is missing",
    404: "There is no such thing, or it lies outside the caller's area: the two read the same",
    408: "The body did not arrive in time",
    413: "The body is too large",
    414: "The address is over 8192 bytes: ask for less at once",
    422: "What came in cannot be taken; each field is named, and each parameter that is unknown",
    429: "This key or address asks too often; Retry-After says when to return",
    503: "Too much is going on, or the database does not answer; Retry-After says when to return",
}
_RETRY_AFTER: Final = {
    "Retry-After": {"description": "Seconds to wait", "schema": {"type": "integer", "minimum": 1}}
}


_MADE: Final[dict[tuple[int, ...], tuple[list[APIRouter], dict[str, Any]]]] = {}
"""Documents of this process by the identities of their routers, which are kept alive with them."""


class Service(FastAPI):
    """FastAPI with a complete document, which also says what parameters it takes.

    Routes belong to their modules and are the same in every application of a process, so that
    the document is made once for all that serve the same ones: it takes half a second.
    """

    _parameters: dict[tuple[str, str], Parameters] | None = None
    _routers: list[APIRouter] | None = None

    def include_router(self, router: APIRouter, *args: Any, **more: Any) -> None:
        """Serve the routes of a module."""
        self._routers = [*(self._routers or []), router]
        super().include_router(router, *args, **more)

    def openapi(self) -> dict[str, Any]:
        """The OpenAPI document; not to be changed, others read it too."""
        if self.openapi_schema is None:
            routers = self._routers or []
            key = tuple(map(id, routers))
            if key not in _MADE:
                complete(super().openapi())
                _MADE[key] = routers, super().openapi()
            self.openapi_schema = _MADE[key][1]
        return self.openapi_schema

    @property
    def parameters(self) -> dict[tuple[str, str], Parameters]:
        """Query parameters of each operation, by its path and method."""
        if self._parameters is None:
            self._parameters = {
                (path, method.upper()): {
                    each["name"]: _is_list(each["schema"])
                    for each in operation.get("parameters", [])
                    if each["in"] == "query"
                }
                for path, method, operation in operations(self.openapi())
            }
        return self._parameters


def operations(document: dict[str, Any]) -> Iterator[tuple[str, str, dict[str, Any]]]:
    """Path, method and description of every operation."""
    for path, item in document["paths"].items():
        for method, operation in item.items():
            yield path, method, operation


def complete(document: dict[str, Any]) -> None:
    """Add to each operation the refusals that it can answer with, as problem details."""
    described = ProblemDetails.model_json_schema(ref_template="#/components/schemas/{model}")
    schemas = document["components"]["schemas"]
    schemas |= described.pop("$defs") | {"ProblemDetails": described}
    batch = BatchIn.model_json_schema(ref_template="#/components/schemas/{model}")
    schemas |= batch.pop("$defs") | {"BatchIn": batch}
    for name in ("HTTPValidationError", "ValidationError"):
        schemas.pop(name, None)
    content = {MEDIA_TYPE: {"schema": {"$ref": "#/components/schemas/ProblemDetails"}}}
    for path, _, operation in operations(document):
        if path.startswith("/health/"):
            continue
        answers = operation["responses"]
        for status in _possible(path, operation):
            own = answers.get(str(status), {})
            is_own = status != 422 and "description" in own
            answers[str(status)] = {
                "description": own["description"] if is_own else _REFUSED[status]
            }
        for status, answer in answers.items():
            if status[0] in "45":
                answer["content"] = content
            if status in {"429", "503"}:
                answer["headers"] = _RETRY_AFTER
        operation["responses"] = dict(sorted(answers.items()))


def _possible(path: str, operation: dict[str, Any]) -> list[int]:
    found = [422, 503]
    if operation.get("security"):
        found += [401, 403, 429]
    if "{" in path:
        found.append(404)
    if operation.get("parameters"):
        found.append(414)
    if "requestBody" in operation:
        found += [408, 413]
    return found


def _is_list(schema: dict[str, Any]) -> bool:
    return schema.get("type") == "array" or any(
        each.get("type") == "array" for each in schema.get("anyOf", [])
    )


async def only_known_parameters(request: Request) -> None:
    """Refuse a query parameter that the operation does not have, or one given twice.

    A filter that is misspelt and passed over would answer with more than was asked for, and no one
    would know.

    Raises
    ------
    BadInput
        Names each, with the nearest name that there is.
    """
    service: Service = request.app
    known = service.parameters.get((request.scope["route"].path, request.method))
    if known is None or request.url.path.startswith("/health/"):
        return
    problems = []
    names = [name for name, _ in request.query_params.multi_items()]
    for name in dict.fromkeys(names):
        if name not in known:
            near = get_close_matches(name[:64], known, n=1)
            remedy = f"Did you mean {near[0]}?" if near else "Leave it out"
            problems.append(Problem("there is no such parameter", remedy, field=name[:64]))
        elif names.count(name) > 1 and not known[name]:
            problems.append(Problem("it is given more than once", "Give it once", field=name))
    if problems:
        raise BadInput(problems)
