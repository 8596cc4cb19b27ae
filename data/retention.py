"""Personal data is kept as long as its rule says, and then deleted, emptied or made coarse."""

from __future__ import annotations

import json
from dataclasses import dataclass
from importlib.resources import files
from typing import TYPE_CHECKING, Final

import sqlalchemy as sa

from gis import audit
from gis.errors import BadInput, Problem

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sqlalchemy.orm import Session

    from gis.database import Database

# Two runs at once would wait for one another's rows; one is enough.
LOCK: Final = 0x77616E7274


@dataclass(frozen=True, slots=True)
class Rule:
    """How long something is kept, counted from when, on which basis, and what happens then."""

    entity: str
    action: str
    days: int
    counted_from: str
    basis_zh: str
    basis_en: str


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a rule took, or would take: how many rows."""

    rule: Rule
    rows: int


def rules(session: Session) -> list[Rule]:
    """Every rule, by entity."""
    rows = session.execute(
        sa.text(
            "SELECT entity, action, days, counted_from, basis_zh, basis_en "
            "FROM retention_rules ORDER BY entity"
        )
    )
    return [Rule(*row) for row in rows]


def statements() -> dict[str, tuple[str, str]]:
    """Of each entity the query that counts what is due, and the statement that acts."""
    text = files("data").joinpath("sql/retention.sql").read_text(encoding="utf-8")
    found = {}
    for part in text.split("-- entity: ")[1:]:
        entity, rest = part.split("\n", 1)
        due, act = rest.removeprefix("-- due:\n").split("-- act:\n")
        found[entity] = (due.strip().rstrip(";"), act.strip().rstrip(";"))
    return found


def set_days(session: Session, entity: str, days: int, *, actor: str) -> None:
    """Change how long something is kept.

    Raises
    ------
    BadInput
        There is no such rule.
    """
    changed = session.execute(
        sa.text("UPDATE retention_rules SET days = :days WHERE entity = :entity RETURNING entity"),
        {"days": days, "entity": entity},
    ).first()
    if changed is None:
        known = ", ".join(sorted(statements()))
        raise BadInput(Problem(f"there is no rule '{entity}'", f"One of: {known}", field="entity"))
    audit.record(
        session,
        actor=actor,
        action="retention.rule",
        object_kind="retention_rule",
        object_id=entity,
        days=days,
    )


def run(database: Database, *, actor: str, commit: bool) -> Sequence[Outcome]:
    """Apply every rule in one transaction, or only count what is due.

    A dry run changes nothing. A run that finds another one under way waits for it.
    """
    known = statements()
    outcomes = []
    with database.transaction(timeout_s=0) as session:
        session.execute(sa.text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": LOCK})
        session.execute(sa.text("SELECT set_config('wangge.retention', 'on', true)"))
        for rule in rules(session):
            due, act = known[rule.entity]
            rows = int(session.scalar(sa.text(due), {"days": rule.days}) or 0)
            outcomes.append(Outcome(rule, rows))
            if not commit or rows == 0:
                continue
            session.execute(sa.text(act), {"days": rule.days})
            audit.record(
                session,
                actor=actor,
                action=f"retention.{rule.action}",
                object_kind=rule.entity,
                object_id=rule.entity,
                count=rows,
                days=rule.days,
            )
        if commit:
            session.execute(
                sa.text(
                    "INSERT INTO retention_runs (actor, report) VALUES "
                    "(:actor, CAST(:report AS jsonb))"
                ),
                {
                    "actor": actor,
                    "report": json.dumps({each.rule.entity: each.rows for each in outcomes}),
                },
            )
    return outcomes
