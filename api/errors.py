"""Errors as RFC 9457 problem details: one table maps each kind to its HTTP status."""

from __future__ import annotations

import logging
import math
from http import HTTPStatus
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Final

import sqlalchemy as sa
from fastapi.encoders import jsonable_encoder
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException

from api import phrases, refusals
from boundaries.errors import NotAllowed
from gis.errors import (
    BadInput,
    Conflict,
    Forbidden,
    Missing,
    NotFound,
    Problem,
    TooMany,
    Unauthenticated,
    Unavailable,
    WanggeError,
)
from grids.plans.errors import Placed

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from fastapi import FastAPI, Request

log = logging.getLogger("wangge.api")

STATUS: Final[dict[type[WanggeError], HTTPStatus]] = {
    BadInput: HTTPStatus.UNPROCESSABLE_ENTITY,
    NotFound: HTTPStatus.NOT_FOUND,
    Conflict: HTTPStatus.CONFLICT,
    Unauthenticated: HTTPStatus.UNAUTHORIZED,
    Forbidden: HTTPStatus.FORBIDDEN,
    TooMany: HTTPStatus.TOO_MANY_REQUESTS,
    Missing: HTTPStatus.SERVICE_UNAVAILABLE,
    Unavailable: HTTPStatus.SERVICE_UNAVAILABLE,
}
MEDIA_TYPE: Final = "application/problem+json"
INSUFFICIENT_PRIVILEGE: Final = "42501"
"""What PostgreSQL answers when a policy or a missing grant refuses."""


def status_of(error: WanggeError) -> HTTPStatus:
    """HTTP status of an error, by the kind it descends from."""
    for kind in type(error).__mro__:
        if kind in STATUS:
            return STATUS[kind]
    return HTTPStatus.INTERNAL_SERVER_ERROR


def problem_response(
    status: HTTPStatus,
    detail: str,
    *,
    kind: str = "about:blank",
    problems: Sequence[Problem] = (),
    headers: dict[str, str] | None = None,
    request: Request | None = None,
    more: Mapping[str, Any] = MappingProxyType({}),
) -> JSONResponse:
    """A problem details document; ``problems`` names each field and what to do about it.

    Where the request asks for Chinese, what is known in it is said in it.
    """
    accepted = "" if request is None else request.headers.get("accept-language", "")
    if phrases.wants_chinese(accepted):
        detail, problems = phrases.told(detail, problems)
        headers = {**(headers or {}), "Content-Language": "zh"}
    body: dict[str, Any] = {
        "type": kind,
        "title": status.phrase,
        "status": status.value,
        "detail": detail,
        **more,
    }
    if problems:
        body["problems"] = [
            {"field": each.field, "reason": each.reason, "remedy": each.remedy}
            | ({} if each.row is None else {"row": each.row})
            for each in problems
        ]
    return JSONResponse(
        jsonable_encoder(body), status_code=status.value, media_type=MEDIA_TYPE, headers=headers
    )


def install(app: FastAPI) -> None:
    """Answer every error of the application in one form."""

    @app.exception_handler(WanggeError)
    def _ours(request: Request, error: WanggeError) -> JSONResponse:
        rights = error.rights if isinstance(error, NotAllowed) else ()
        refusals.note(request, status_of(error), type(error).__name__, rights)
        problems = error.problems if isinstance(error, BadInput) else ()
        return problem_response(
            status_of(error),
            str(error),
            kind=f"urn:wangge:error:{type(error).__name__}",
            problems=problems,
            headers=_headers(error),
            request=request,
            # For a map to show: which grids and cells of a plan it is about.
            more={"grids": error.grids, "cells": error.cells} if isinstance(error, Placed) else {},
        )

    @app.exception_handler(RequestValidationError)
    def _malformed(request: Request, error: RequestValidationError) -> JSONResponse:
        problems = [
            Problem(
                _reason(each),
                _remedy(each),
                field=_field(each),
            )
            for each in error.errors()
        ]
        return problem_response(
            HTTPStatus.UNPROCESSABLE_ENTITY,
            "; ".join(f"{each.field}: {each.reason}" for each in problems),
            kind="urn:wangge:error:BadInput",
            problems=problems,
            request=request,
        )

    @app.exception_handler(HTTPException)
    def _http(request: Request, error: HTTPException) -> JSONResponse:
        if error.status_code == HTTPStatus.BAD_REQUEST:
            # The framework's only one: a body that its parser gave up on, as one number of a mile.
            return problem_response(
                HTTPStatus.UNPROCESSABLE_ENTITY,
                "the body cannot be read",
                kind="urn:wangge:error:BadInput",
                problems=[Problem("it is no JSON that can be read", "Send JSON", field="body")],
                request=request,
            )
        return problem_response(
            HTTPStatus(error.status_code), str(error.detail), headers=dict(error.headers or {})
        )

    @app.exception_handler(sa.exc.DataError)
    def _unkeepable(_request: Request, error: sa.exc.DataError) -> JSONResponse:
        # A value that passed every check and that the database still cannot hold.
        log.warning("the database refused a value: %s", type(error.orig).__name__)
        problem = Problem(
            "a value is out of range, or holds a character that text cannot have",
            "Leave out NUL characters and absurdly large or small numbers",
        )
        return problem_response(
            HTTPStatus.UNPROCESSABLE_ENTITY,
            str(problem),
            kind="urn:wangge:error:BadInput",
            problems=[problem],
        )

    @app.exception_handler(sa.exc.ProgrammingError)
    def _refused(request: Request, error: sa.exc.ProgrammingError) -> JSONResponse:
        if getattr(error.orig, "sqlstate", None) != INSUFFICIENT_PRIVILEGE:
            raise error
        refusals.note(request, HTTPStatus.FORBIDDEN, "RowRefused")
        # Row-level security refused a row: what the service allowed lies outside the caller's area.
        return problem_response(
            HTTPStatus.FORBIDDEN,
            "it lies outside the area of this account, or its role does not allow it; "
            "nothing was changed",
            kind="urn:wangge:error:Forbidden",
        )

    @app.exception_handler(sa.exc.OperationalError)
    @app.exception_handler(sa.exc.InterfaceError)
    @app.exception_handler(sa.exc.TimeoutError)
    def _database(request: Request, error: sa.exc.SQLAlchemyError) -> JSONResponse:
        # The driver's text can hold values of the statement: neither answered nor logged.
        cause = getattr(error, "orig", None) or error
        log.error("the database did not answer: %s", type(cause).__name__)
        return problem_response(
            HTTPStatus.SERVICE_UNAVAILABLE,
            "the database does not answer, or the request took too long; nothing was changed",
            kind="urn:wangge:error:Unavailable",
            headers={"Retry-After": "5"},
            request=request,
        )


def _headers(error: WanggeError) -> dict[str, str] | None:
    if isinstance(error, Unauthenticated):
        # Not Basic: a browser would open its own window for it.
        return {"WWW-Authenticate": 'Bearer realm="wangge"'}
    if isinstance(error, TooMany):
        return {"Retry-After": str(math.ceil(error.after_s))}
    if isinstance(error, Unavailable):
        return {"Retry-After": "5"}
    return None


def _reason(each: dict[str, Any]) -> str:
    return str(each["msg"]).removeprefix("Value error, ")


def _field(each: dict[str, Any]) -> str:
    where, *parts = each["loc"]
    # The place in a body that is no JSON is a count of characters, not the name of a field.
    return ".".join(str(part) for part in parts if each["type"] != "json_invalid") or str(where)


def _remedy(each: dict[str, Any]) -> str:
    if each["type"] == "missing":
        return "Give it"
    if each["type"] == "json_invalid":
        return f"Send JSON; it breaks off at character {each['loc'][-1]}"
    if each["type"] == "extra_forbidden":
        return "Leave it out"
    limits = each.get("ctx", {})
    for name, words in _LIMITS.items():
        if name in limits:
            limit = limits[name]
            is_whole = isinstance(limit, float) and limit.is_integer()
            return words.format(int(limit) if is_whole else limit)
    return "Give a number" if each["type"] in _NO_NUMBER else ""


_LIMITS: Final = {
    "expected": "One of: {}", "gt": "Give a value above {}", "ge": "Give {} at the least",
    "lt": "Give a value below {}", "le": "Give {} at the most",
    "max_length": "Shorten it to {}", "min_length": "Give {} at the least",
}  # fmt: skip
_NO_NUMBER: Final = frozenset({"float_parsing", "float_type", "int_parsing", "finite_number"})
