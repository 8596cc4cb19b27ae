"""Many accounts over few connections, with errors, timeouts, cancels and lost clients between."""

from __future__ import annotations

import random
import threading
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

import sqlalchemy as sa

from boundaries.access import SETTINGS, Credential, enter
from gis.database import SERVICE_ROLE, Database
from gis.settings import DatabaseSettings
from tests.access import rules
from tests.access.place import AREAS, CALLERS, Caller

if TYPE_CHECKING:
    from sqlalchemy.orm import Session

    from tests.access.place import Mark, Place

_ROLES: Final = (
    "community", "township", "department", "planner", "patrol_leader", "analyst", "integrator",
)  # fmt: skip
_LOGINS: Final = {
    *(Caller("dispatcher", area).login for area in AREAS),
    *(Caller(role, area).login for role, area in zip(_ROLES, AREAS[1:], strict=False)),
}
USERS: Final = tuple(each for each in CALLERS if each.login in _LOGINS)
"""Sixteen accounts, no two of which see the same."""
CONNECTIONS: Final = 4
READ: Final = {"incidents": "id", "grid_shapes": "code", "cameras": "name", "buildings": "name"}


@dataclass
class Storm:
    """What came of it.

    ``crossed`` counts rows of somebody else's, ``missing`` rows that were not shown to who sees
    them, ``unscoped`` rows shown to nobody in particular; ``done`` the requests, by kind.
    """

    crossed: int = 0
    missing: int = 0
    unscoped: int = 0
    done: Counter[str] = field(default_factory=Counter)
    lock: threading.Lock = field(default_factory=threading.Lock)

    def add(self, **counts: int) -> None:
        """Count, from any thread."""
        with self.lock:
            for name, number in counts.items():
                setattr(self, name, getattr(self, name) + number)

    def count(self, kind: str) -> None:
        """Count a request of a kind."""
        with self.lock:
            self.done[kind] += 1


def blow(database: Database, place: Place, requests: int) -> Storm:
    """Let every user ask its share of so many requests, all at once, over four connections."""
    found = Storm()
    url = database.url.render_as_string(hide_password=False)
    with Database(url, DatabaseSettings(pool_size=CONNECTIONS // 2)) as few:
        assert few.service.pool.size() * 2 == CONNECTIONS  # as many again when they are not enough
        _blow(few, place, requests, found)
        _look_at_all(few, found)
    return found


def _blow(few: Database, place: Place, requests: int, found: Storm) -> None:
    with ThreadPoolExecutor(len(USERS)) as pool:
        jobs = [
            pool.submit(_ask, few, place, user, found, times=requests // len(USERS))
            for user in USERS
        ]
        for job in jobs:
            job.result()


def _ask(database: Database, place: Place, user: Caller, found: Storm, *, times: int) -> None:
    chance = random.Random(user.login)
    credential = Credential.of(place.tokens[user.login], is_key=True)
    kinds = {"incidents": "incident", "grid_shapes": "grid", "cameras": "camera",
             "buildings": "building"}  # fmt: skip
    expected = {
        table: rules.marks(rules.visible(place, user, kind)) for table, kind in kinds.items()
    }
    if user.role == "planner":
        expected["grid_shapes"] |= rules.marks(rules.visible(place, user, "draft"))
    for _ in range(times):
        kind = chance.choices(
            ("read", "error", "timeout", "cancel", "lost", "nobody"), (80, 6, 3, 2, 2, 7)
        )[0]
        try:
            with suppress(sa.exc.DBAPIError), database.service_transaction() as session:
                if kind == "nobody":
                    found.add(unscoped=sum(len(_rows(session, table)) for table in READ))
                else:
                    table = chance.choice(list(READ))
                    _one(session, place, credential, table, expected[table], found=found)
                if kind not in {"read", "nobody"}:
                    _break(session, database, kind)
        except sa.exc.TimeoutError:
            # Its turn for a connection did not come within half a minute: it is told to come again.
            kind = "turned away"
        found.count(kind)


def _one(
    session: Session,
    place: Place,
    credential: Credential,
    table: str,
    expected: set[Mark],
    *,
    found: Storm,
) -> None:
    """Read a table as somebody."""
    enter(session, credential)
    shown = {place.keys[table, key] for key in _rows(session, table)}
    found.add(crossed=len(shown - expected), missing=len(expected - shown))


def _rows(session: Session, table: str) -> list[str]:
    return list(session.scalars(sa.text(f"SELECT {READ[table]}::text FROM {table}")))


def _break(session: Session, database: Database, kind: str) -> None:
    """Leave a transaction that has let somebody in, in one of the ways there are."""
    if kind == "error":
        session.execute(sa.text("SELECT 1 / 0"))
    elif kind == "timeout":
        session.execute(sa.text("SET LOCAL statement_timeout = '2ms'"))
        session.execute(sa.text("SELECT pg_sleep(1)"))
    elif kind == "cancel":
        pid = session.scalar(sa.text("SELECT pg_backend_pid()"))
        timer = threading.Timer(0.005, _cancel, (database, pid))
        timer.start()
        session.execute(sa.text("SELECT pg_sleep(1)"))
        timer.join()
    else:
        driver: Any = session.connection().connection.driver_connection
        driver.close()
        session.execute(sa.text("SELECT 1"))


def _cancel(database: Database, pid: int) -> None:
    with database.engine.connect() as connection:
        connection.execute(sa.text("SELECT pg_cancel_backend(:pid)"), {"pid": pid})


def _look_at_all(database: Database, found: Storm) -> None:
    """Every connection that went back to the pool: nothing is set, nothing is shown."""
    connections = [database.service.connect() for _ in range(CONNECTIONS)]
    for connection in connections:
        assert connection.scalar(sa.text("SELECT current_user")) == SERVICE_ROLE
        for name in SETTINGS:
            left = connection.scalar(sa.text(f"SELECT current_setting('wangge.{name}', true)"))
            assert not left, name
        for table in READ:
            count = connection.scalar(sa.text(f"SELECT count(*) FROM {table}"))
            found.add(unscoped=int(count or 0))
        connection.close()
