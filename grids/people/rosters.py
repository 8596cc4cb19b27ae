"""Read the roster from the database: all of it for a snapshot, or what concerns one place."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Final

from gis.database import execute
from grids.people.roster import Away, Department, Duty, Emergency, Roster

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sqlalchemy.orm import Session

_DUTIES: Final = """
SELECT a.id, a.person_id, a.role, a.is_primary, a.mode, a.link_level, a.grid_id, a.unit_code,
    a.department_id, extract(epoch FROM lower(a.valid))::float8 AS since,
    extract(epoch FROM upper(a.valid))::float8 AS until
FROM assignments AS a
"""
_ALL: Final = _DUTIES + "WHERE num_nonnulls(a.grid_id, a.unit_code, a.department_id) = 1"
# Each by its own index: with OR between them every assignment would be read.
_NEAR: Final = " UNION ALL ".join(
    _DUTIES + where
    for where in (
        "WHERE a.grid_id = ANY(CAST(:grids AS bigint[]))",
        "WHERE a.unit_code = ANY(:units)",
        (
            "WHERE a.department_id IN "
            "(SELECT d.id FROM departments AS d WHERE d.area_code = ANY(:units))"
        ),
    )
)
_LEAVES: Final = """
SELECT person_id, deputy_id, extract(epoch FROM lower(during))::float8 AS since,
    extract(epoch FROM upper(during))::float8 AS until
FROM leaves
WHERE CAST(:people AS uuid[]) IS NULL OR person_id = ANY(:people)
    OR person_id IN (SELECT deputy_id FROM leaves WHERE person_id = ANY(:people))
"""
_NAMES: Final = """
SELECT id, name FROM persons WHERE CAST(:people AS uuid[]) IS NULL OR id = ANY(:people)
"""
_EMERGENCIES: Final = """
SELECT area_code, extract(epoch FROM lower(valid))::float8 AS since,
    extract(epoch FROM upper(valid))::float8 AS until
FROM duty_modes
"""
_DEPARTMENTS: Final = """
SELECT id, name, area_code, attendance, extract(epoch FROM lower(valid))::float8 AS since,
    extract(epoch FROM upper(valid))::float8 AS until
FROM departments
"""


def load(session: Session, *, grids: Sequence[int] = (), unit: str | None = None) -> Roster:
    """Duties, leaves, departments and emergencies of all time, within the caller's sight.

    Parameters
    ----------
    grids, unit
        Only what concerns these grids, this unit and those above it; all where it is None.
    """
    units = None if unit is None else sorted({unit, unit[:9], unit[:6]})
    near = {"units": units, "grids": list(grids)}
    rows = execute(session, _ALL) if units is None else execute(session, _NEAR, **near)
    duties = [
        Duty(
            id=row.id,
            person=row.person_id,
            role=row.role,
            since=_since(row.since),
            until=_until(row.until),
            is_primary=row.is_primary,
            mode=row.mode,
            link_level=row.link_level,
            grid=row.grid_id,
            unit=row.unit_code,
            department=row.department_id,
        )
        for row in rows
    ]
    people = None if unit is None else [each.person for each in duties]
    leaves = [
        Away(row.person_id, row.deputy_id, _since(row.since), _until(row.until))
        for row in execute(session, _LEAVES, people=people)
    ]
    if people is not None:
        people += [each.deputy for each in leaves if each.deputy is not None]
    emergencies = [
        Emergency(row.area_code, _since(row.since), _until(row.until))
        for row in execute(session, _EMERGENCIES)
    ]
    categories = execute(session, "SELECT code, routed_by FROM incident_categories").all()
    return Roster(
        duties,
        leaves,
        departments=_departments(session),
        emergencies=emergencies,
        names={row.id: row.name for row in execute(session, _NAMES, people=people)},
        by_matter=[each.code for each in categories if each.routed_by == "matter"],
        categories=[each.code for each in categories],
    )


def departments(session: Session) -> Roster:
    """A roster of departments alone."""
    return Roster((), departments=_departments(session))


def _departments(session: Session) -> list[Department]:
    matters: dict[int, dict[str, bool]] = {}
    for row in execute(session, "SELECT department_id, category, is_lead FROM department_matters"):
        matters.setdefault(row.department_id, {})[row.category] = row.is_lead
    return [
        Department(
            id=row.id,
            name=row.name,
            area=row.area_code,
            attendance=row.attendance,
            since=_since(row.since),
            until=_until(row.until),
            matters=matters.get(row.id, {}),
        )
        for row in execute(session, _DEPARTMENTS)
    ]


def _since(seconds: float | None) -> float:
    return -math.inf if seconds is None else seconds


def _until(seconds: float | None) -> float:
    return math.inf if seconds is None else seconds
