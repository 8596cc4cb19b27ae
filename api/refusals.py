"""Requests that were refused: a line of the service's log, and an entry of the audit log.

Who tries what it may not is worth knowing; a flood of it must fill neither log. So of one kind of
refusal the first is written at once, and those of the minute after it as one, with their number.
Nothing of what was sent is written: neither address, nor query, nor body, nor credential.
"""

from __future__ import annotations

import logging
import time
from dataclasses import dataclass
from http import HTTPStatus
from threading import Lock
from typing import TYPE_CHECKING, Any, Final

import sqlalchemy as sa

from gis import audit

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from threading import Event

    from fastapi import Request

    from gis.database import Database

log = logging.getLogger("wangge.refused")

EVERY_S: Final = 60.0
# Kinds that are told apart within a minute; beyond them only reasons are. Strangers have a bound of
# their own, so that they cannot hide what an account does.
MOST_STRANGERS: Final = 100
MOST_CALLERS: Final = 1000
ANSWERS: Final = frozenset(
    {
        HTTPStatus.UNAUTHORIZED,
        HTTPStatus.FORBIDDEN,
        # What lies outside the caller's area reads as what is not there, here too.
        HTTPStatus.NOT_FOUND,
        HTTPStatus.TOO_MANY_REQUESTS,
    }
)
# Not refused: a step on the way in.
STEPS: Final = frozenset({"CodeNeeded"})


@dataclass(frozen=True, slots=True)
class Refusal:
    """A kind of refusal: who was refused what, and why.

    Attributes
    ----------
    reason
        Name of the error, as in ``type`` of the answer.
    caller
        Whom the database let in; None: nobody.
    who
        Of a credential that was not let in, its kind and the first digits of its hash.
    rights
        What the route asks for, any of them.
    route
        Its template, never the address; '-' where the request did not come so far.
    """

    status: int
    reason: str
    caller: audit.Context | None = None
    who: str = "-"
    rights: tuple[str, ...] = ()
    method: str = "-"
    route: str = "-"
    origin: str = "-"

    def line(self, times: int) -> str:
        """The same in a line: names and values, with no blanks in them."""
        caller = self.caller
        told = {
            "status": self.status,
            "reason": self.reason,
            "who": f"account:{caller.account_id}" if caller is not None else self.who,
            "role": (caller.role if caller is not None else None) or "-",
            "right": "|".join(self.rights) or "-",
            "method": self.method,
            "route": self.route,
            "origin": self.origin,
            "count": times,
        }
        return " ".join(f"{name}={value}" for name, value in told.items())


class Refusals:
    """What was refused within the last minute, and what of it is still to be written.

    Parameters
    ----------
    database
        Where entries of the audit log go; None: none are made, and nothing waits for a database.
    """

    def __init__(self, database: Database | None = None) -> None:
        self._database = database
        # By their first moment, in order; how many came after the one that was written.
        self._noted: dict[Refusal, tuple[float, int]] = {}
        self._lock = Lock()

    def note(self, refusal: Refusal) -> None:
        """Count one, and write what is due."""
        self.write(self.count(refusal))

    def note_early(self, scope: Mapping[str, Any], status: int, reason: str) -> None:
        """Count what was refused of a request before anybody looked who asks, and write."""
        self.note(Refusal(status, reason, method=scope["method"], origin=_origin(scope)))

    def count(self, refusal: Refusal, *, now: float | None = None) -> list[tuple[Refusal, int]]:
        """Count one; what is to be written now, with how many times it happened."""
        moment = time.monotonic() if now is None else now
        with self._lock:
            due = self._due(moment)
            if refusal not in self._noted and self._is_full(of_strangers=refusal.caller is None):
                refusal = Refusal(refusal.status, refusal.reason, who="many")
            if refusal in self._noted:
                first, more = self._noted[refusal]
                self._noted[refusal] = (first, more + 1)
            else:
                self._noted[refusal] = (moment, 0)
                # Its minute has just ended: those of it and this one are one line.
                due[refusal] = due.get(refusal, 0) + 1
        return list(due.items())

    def flush(self, *, is_last: bool = False) -> None:
        """Write those whose minute is over; for the last time, all."""
        with self._lock:
            due = self._due(time.monotonic() + (EVERY_S if is_last else 0))
        self.write(list(due.items()))

    def _is_full(self, *, of_strangers: bool) -> bool:
        alike = sum(1 for each in self._noted if (each.caller is None) == of_strangers)
        return alike >= (MOST_STRANGERS if of_strangers else MOST_CALLERS)

    def _due(self, moment: float) -> dict[Refusal, int]:
        due = {}
        for refusal, (first, more) in list(self._noted.items()):
            if moment - first < EVERY_S:
                break
            del self._noted[refusal]
            if more:
                due[refusal] = more
        return due

    def write(self, due: list[tuple[Refusal, int]]) -> None:
        """Write lines of the log, and entries of those that are known by name."""
        for refusal, times in due:
            log.warning("%s", refusal.line(times))
            if self._database is not None and refusal.caller is not None:
                self._enter(self._database, refusal, refusal.caller, times)

    @staticmethod
    def _enter(database: Database, refusal: Refusal, caller: audit.Context, times: int) -> None:
        """In a transaction of its own: the one that was refused is gone."""
        try:
            with database.service_transaction() as session:
                audit.come_in(session, caller)
                audit.record(
                    session,
                    actor=caller.actor,
                    action="request.refused",
                    object_kind="route",
                    object_id=refusal.route,
                    county_code=audit.county_of(caller.area or ""),
                    count=times,
                    method=refusal.method,
                    status=refusal.status,
                    reason=refusal.reason,
                    rights=list(refusal.rights) or None,
                )
        except sa.exc.SQLAlchemyError as error:
            # It stays refused, and its line is written.
            log.error("a refusal was not entered: %s", type(error).__name__)  # noqa: TRY400


def note(request: Request, status: int, reason: str, rights: Sequence[str] = ()) -> None:
    """Note what was refused of a request, if it is worth it."""
    refusal = of_request(request.scope, status, reason, rights)
    if refusal is not None:
        request.app.state.refusals.note(refusal)


def of_request(
    scope: Mapping[str, Any], status: int, reason: str, rights: Sequence[str] = ()
) -> Refusal | None:
    """What was refused of a request; None where it is no refusal that anybody has to know of.

    Parameters
    ----------
    scope
        The request's, of ASGI, with what ``api.auth.needs`` has left in its state.
    rights
        Those that were missing, where the error knows; else those of the route.
    """
    state: Mapping[str, Any] = scope.get("state", {})
    who, caller = state.get("shown", "-"), state.get("caller")
    if status not in ANSWERS or reason in STEPS:
        return None
    if status == HTTPStatus.NOT_FOUND and caller is None:
        return None
    found = Refusal(
        status,
        reason,
        caller=caller,
        who=who,
        rights=tuple(rights) or state.get("rights", ()),
        method=scope["method"],
        route=getattr(scope.get("route"), "path", "-"),
        origin=_origin(scope),
    )
    # Each page asks first whether somebody is signed in.
    is_first_look = who == "-" and (found.method, found.route) == ("GET", "/api/v1/session")
    return None if is_first_look and status == HTTPStatus.UNAUTHORIZED else found


def _origin(scope: Mapping[str, Any]) -> str:
    client = scope.get("client")
    return client[0] if client else "-"


def keep_writing(
    refusals: Sequence[Refusals], stopping: Event, *, every_s: float = EVERY_S
) -> None:
    """Write what is due now and again until told to stop; for a thread of a process that serves."""
    while not stopping.wait(every_s):
        for each in refusals:
            each.flush()
    for each in refusals:
        each.flush(is_last=True)
