"""Who is let in without asking the database each time: let in by it a moment ago, and asked anew.

A thread asks for all that were used of late, in one statement, several times a second and at once
when somebody's access has changed. Whoever it does not confirm within a second is out.
"""

from __future__ import annotations

import logging
import threading
import time
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Final

import sqlalchemy as sa

from boundaries.access import Caller, Credential, caller_of
from gis.database import execute

if TYPE_CHECKING:
    from gis.audit import Context
    from gis.database import Database

log = logging.getLogger("wangge.api")

RIGHT: Final = "grids.read"
AGAIN_S: Final = 0.4
"""So often everybody is asked for anew, beside the requests."""
ADMITTED_S: Final = 1.0
"""Whoever was not confirmed for so long is let in by the database itself."""
USED_S: Final = 10.0
"""Whoever has not asked for so long is no longer asked for."""
CUT_OFF_S: Final = 900.0
"""How long a key is believed while the database is away; a session is not."""
KEPT: Final = 50_000

_AGAIN: Final = """
SELECT h.hash, h.is_key, c.*
FROM unnest(CAST(:hashes AS bytea[]), CAST(:are_keys AS boolean[])) AS h (hash, is_key),
    LATERAL wangge_enter(
        CASE WHEN NOT h.is_key THEN h.hash END, CASE WHEN h.is_key THEN h.hash END
    ) AS c
"""


@dataclass(slots=True)
class Admitted:
    """Somebody who was let in, when, and when they last asked (monotonic seconds).

    Attributes
    ----------
    origins
        By network address: what tells this caller from there in the journal, and as whom it acts.
    """

    caller: Caller
    context: Context
    at: float
    used_at: float
    origins: dict[str, tuple[str, Context]] = field(default_factory=dict)

    def seen_from(self, origin: str) -> tuple[str, Context]:
        """Name in the journal and context of requests from a network address."""
        known = self.origins.get(origin)
        if known is None:
            who = self.caller.key_id or self.caller.session_id
            known = self.origins[origin] = (f"{who}@{origin}", replace(self.context, origin=origin))
        return known


class Admissions:
    """Keys and sessions that were let in just now, by what they are and their hash."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._admitted: dict[Credential, Admitted] = {}
        self._changed = threading.Event()

    def admit(self, credential: Credential, caller: Caller, context: Context) -> None:
        """Somebody was let in by the database just now."""
        if caller.may(RIGHT) and not caller.must_change_password:
            if len(self._admitted) >= KEPT:
                self._admitted.clear()
            now = time.monotonic()
            self._admitted[credential] = Admitted(caller, replace(context, origin=""), now, now)

    def entry(self, credential: Credential, *, cut_off: bool = False) -> Admitted | None:
        """Whom a credential lets in, if the database said so just now.

        Parameters
        ----------
        cut_off
            The database is away: keys are believed a while longer.
        """
        found = self._admitted.get(credential)
        if found is None:
            return None
        now = time.monotonic()
        age = now - found.at
        if cut_off:
            return found if age < CUT_OFF_S and credential.is_key else None
        if age > ADMITTED_S:
            return None
        found.used_at = now
        return found

    def forget(self) -> None:
        """Let everybody be let in by the database."""
        self._admitted.clear()

    def look_again(self) -> None:
        """Somebody's access may have changed: ask for everybody at once."""
        self._changed.set()

    def renew(self) -> None:
        """Ask the database for everybody who was here of late.

        Raises
        ------
        DBAPIError
            It does not answer.
        """
        now = time.monotonic()
        known = {
            credential: each
            for credential, each in list(self._admitted.items())
            if now - each.used_at < USED_S
        }
        if not known:
            return
        with self._database.service_transaction() as session:
            rows = execute(
                session,
                _AGAIN,
                hashes=[each.hash for each in known],
                are_keys=[each.is_key for each in known],
            ).all()
        for row in rows:
            credential = Credential(bytes(row.hash), row.is_key)
            caller = None if row.reason is not None else caller_of(row)
            before = known[credential]
            if caller is None or not caller.may(RIGHT) or caller.must_change_password:
                self._admitted.pop(credential, None)
            elif caller == before.caller:
                before.at = max(before.at, now)
            else:
                context = replace(
                    before.context,
                    actor=caller.login, role=caller.role, area=caller.scope.area,
                    also=caller.scope.also,
                )  # fmt: skip
                self._admitted[credential] = Admitted(caller, context, now, before.used_at)

    def keep_renewing(self, stopping: threading.Event) -> None:
        """Ask anew until told to stop; for a thread of the server."""
        is_told = False
        while not stopping.is_set():
            self._changed.wait(AGAIN_S)
            self._changed.clear()
            try:
                self.renew()
                is_told = False
            except sa.exc.SQLAlchemyError as error:
                if not is_told:
                    log.warning("nobody is confirmed: %s", type(error).__name__)
                is_told = True
