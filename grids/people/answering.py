"""Who answers for a place or a grid, asked of the database, and told by a line in the audit log."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from gis import audit
from gis.database import execute
from grids.people import rosters

if TYPE_CHECKING:
    import uuid
    from collections.abc import Sequence
    from datetime import datetime

    from sqlalchemy.orm import Session

    from grids.locating.facts import GridFacts
    from grids.models import GridShape
    from grids.people.roster import Considered, Department


@dataclass(frozen=True, slots=True)
class Responsible:
    """A person who answers, and why; for a grid, a unit or a department."""

    person_id: uuid.UUID
    assignment_id: int
    name: str
    role: str
    is_primary: bool
    reason: str
    grid_id: int | None = None
    unit_code: str | None = None
    department_id: int | None = None


@dataclass(frozen=True, slots=True)
class Duties:
    """What an inspection asks: who could have been called and was not, in which mode, and why."""

    is_emergency: bool
    considered: Sequence[Considered]


def responsible(session: Session, grid_id: int, at: datetime) -> list[Responsible]:
    """People who answer for a grid at a moment, the first to be called first."""
    rows = execute(
        session,
        "SELECT person_id, assignment_id, name, role, is_primary, reason "
        "FROM wangge_responsible(:grid, :moment)",
        grid=grid_id,
        moment=at,
    )
    return [Responsible(**row._asdict(), grid_id=grid_id) for row in rows]


def answering(
    session: Session,
    *,
    grid: int | None,
    unit: str,
    at: datetime,
    exclusive: int | None = None,
    micro: int | None = None,
    matter: str | None = None,
) -> list[Responsible]:
    """People who answer for a place, its units and its matter, the first to be called first."""
    rows = execute(
        session,
        "SELECT person_id, assignment_id, name, role, is_primary, reason, grid_id, unit_code, "
        "department_id FROM wangge_answering(:exclusive, :grid, :micro, :unit, :matter, :moment)",
        exclusive=exclusive,
        micro=micro,
        grid=grid,
        unit=unit,
        matter=matter,
        moment=at,
    )
    return [Responsible(**row._asdict()) for row in rows]


def concerned(session: Session, unit: str, matter: str | None, at: datetime) -> list[Department]:
    """Departments that a matter in a unit belongs to, those that lead first."""
    if matter is None:
        return []
    return rosters.departments(session).concerned(unit, matter, at.timestamp())


def explained(
    session: Session,
    *,
    grid: int | None,
    unit: str,
    at: datetime,
    exclusive: int | None = None,
    micro: int | None = None,
    matter: str | None = None,
) -> Duties:
    """Who could have been called, within the caller's sight, and what became of each."""
    grids = [each for each in (grid, exclusive, micro) if each is not None]
    roster = rosters.load(session, grids=grids, unit=unit)
    moment = at.timestamp()
    return Duties(
        roster.is_emergency(unit, moment),
        roster.considered(
            grid=grid, unit=unit, at=moment, exclusive=exclusive, micro=micro, matter=matter
        ),
    )


def tell_people(
    session: Session,
    grid: GridShape | GridFacts,
    people: Sequence[uuid.UUID],
    *,
    actor: str | None = None,
) -> None:
    """Enter that it was told who answers for a grid; that nobody does names nobody."""
    if people:
        audit.read(
            session,
            object_kind="person",
            fields=("name", "role"),
            seen=[(each, grid.unit_code) for each in people],
            actor=actor,
            grid=grid.grid_id,
        )
