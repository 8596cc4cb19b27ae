"""Verify on the whole database what must always hold, and name each breach."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime
from importlib.resources import files
from typing import TYPE_CHECKING, Final

import sqlalchemy as sa
from sqlalchemy.orm import Session

from boundaries import editions
from boundaries.models import Edition
from gis import hardening
from gis.errors import Problem
from grids import checking

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from gis.database import Database

# A check that finds thousands of rows says so by their number; the first ones show what they are.
SHOWN: Final = 20


@dataclass(frozen=True, slots=True)
class Finding:
    """One invariant: its name, and every breach of it."""

    name: str
    breaches: Sequence[Problem] = field(default=())

    @property
    def is_kept(self) -> bool:
        """Whether nothing broke it."""
        return not self.breaches


def invariants() -> Iterator[tuple[str, str, str]]:
    """Name, remedy and query of each invariant that SQL can tell, from ``sql/invariants.sql``."""
    text = files("data").joinpath("sql/invariants.sql").read_text(encoding="utf-8")
    for part in text.split("-- invariant: ")[1:]:
        name, remedy, query = part.split("\n", 2)
        yield name, remedy.removeprefix("-- remedy: "), query.strip().rstrip(";")


def check(database: Database, say: Callable[[str], None] | None = None) -> list[Finding]:
    """Every invariant with its breaches; reads only.

    Parameters
    ----------
    say
        Told the name of each invariant before it is looked at.
    """
    reading = database.engine.execution_options(
        isolation_level="REPEATABLE READ", postgresql_readonly=True
    )
    with Session(reading) as session:
        session.execute(sa.text("SET LOCAL statement_timeout = 0"))
        return findings(session, say)


def findings(session: Session, say: Callable[[str], None] | None = None) -> list[Finding]:
    """The same within a transaction of the caller's."""
    found = []
    for name, remedy, sql in invariants():
        if say:
            say(name)
        rows = session.scalars(sa.text(sql)).all()
        breaches = [Problem(row, remedy) for row in rows[:SHOWN]]
        if len(rows) > SHOWN:
            breaches.append(Problem(f"and {len(rows) - SHOWN} more like these", remedy))
        found.append(Finding(name, breaches))
    found.append(_editions(session, say))
    found.append(_security(session, say))
    found.append(characters(session, say))
    return found


def characters(session: Session, say: Callable[[str], None] | None = None) -> Finding:
    """Whether names in Chinese have trigrams: a character type of C knows ASCII alone."""
    name = "the database knows letters beyond A to Z"
    if say:
        say(name)
    kind, is_known = session.execute(
        sa.text(
            "SELECT datctype, cardinality(show_trgm('人民路')) > 0 FROM pg_database "
            "WHERE datname = current_database()"
        )
    ).one()
    if is_known:
        return Finding(name)
    problem = Problem(
        f"its character type is {kind}: names of streets that are like another are not found by "
        "their trigrams",
        "Back it up, make the database anew with "
        "createdb --template=template0 --encoding=UTF8 --lc-ctype=C.UTF-8, and restore it",
    )
    return Finding(name, [problem])


def _security(session: Session, say: Callable[[str], None] | None) -> Finding:
    name = "row-level security holds on every table of an area"
    if say:
        say(name)
    connection = session.connection()
    problems = [Problem(each, "Run 'wangge db upgrade'") for each in hardening.breaches(connection)]
    if hardening.is_leakproof(connection) is False:
        problems.append(
            Problem(
                "spatial queries under a policy use no index",
                f"Have a superuser run: ALTER FUNCTION {hardening.OVERLAPS} LEAKPROOF",
            )
        )
    return Finding(name, problems)


def _editions(session: Session, say: Callable[[str], None] | None) -> Finding:
    name = "the grids of every edition in force keep the rules of their kind"
    if say:
        say(name)
    now = datetime.now(UTC)
    breaches: list[Problem] = []
    # Not by `active`: while a later edition waits, the one in force has an end and is superseded.
    statement = (
        sa.select(Edition.id)
        .where(Edition.status != "draft", Edition.valid.contains(now))
        .order_by(Edition.id)
    )
    for number in session.scalars(statement).all():
        edition = editions.get(session, number)
        breaches += [
            Problem(f"edition {number}: {each.reason}", each.remedy)
            for each in checking.check(session, edition, now)
        ]
    return Finding(name, breaches)
