"""Who answers besides the workers of a grid: heads, leaders, departments; the switch."""

from __future__ import annotations

import uuid
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import Range, insert

from boundaries.repository import units_by_code
from gis import audit
from gis.errors import BadInput, Problem
from grids.errors import AssignmentConflict, DepartmentNotFound, DutyConflict
from grids.people.models import Assignment, Department, DepartmentMatter, DutyMode

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from sqlalchemy.orm import Session

    from grids.people.models import Person

MODES: Final = ("any", "normal", "emergency")
LEVELS: Final = (1, 2, 3, 4)
ATTENDANCE: Final = ("resident", "rotating", "on_call")


def link(
    session: Session,
    person: Person,
    *,
    actor: str,
    role: str,
    unit: str | None = None,
    department: Department | None = None,
    level: int | None = None,
    mode: str = "any",
    since: datetime | None = None,
    until: datetime | None = None,
) -> Assignment:
    """Let a person answer for a unit or a department from a moment on.

    Parameters
    ----------
    role
        ``unit_head`` or ``leader`` of a unit, ``officer`` of a department.
    level
        Of a leader (四级包联): 1 leads the county, 2 takes an area, 3 a bureau, 4 the unit itself.
    mode
        Of which roster: ``any``, ``normal`` or ``emergency``.

    Raises
    ------
    BadInput
        The role does not fit what it is for, there is no such unit, or the time is empty.
    AssignmentConflict
        The person has that role there in that time already.
    """
    first = since or datetime.now(UTC)
    problems = list(_link_problems(role, unit, department, level, mode))
    if until is not None and until <= first:
        problems.append(
            Problem("the time ends before it begins", "Give since before until", field="until")
        )
    if unit is not None and not units_by_code(session, [unit], first):
        problems.append(
            Problem(f"there is no unit {unit}", "Give the code of a county, township or village",
                    field="unit")
        )  # fmt: skip
    if problems:
        raise BadInput(problems)
    where = unit if unit is not None else str(department.id if department else "")
    assignment = Assignment(
        person_id=person.id,
        county_code=person.county_code,
        unit_code=unit,
        department_id=department.id if department else None,
        role=role,
        link_level=level,
        mode=mode,
        valid=Range(first, until),
        author=actor,
    )
    try:
        with session.begin_nested():
            session.add(assignment)
    except sa.exc.IntegrityError as error:
        if _constraint(error) not in {"assignments_once_unit", "assignments_once_department"}:
            raise
        raise AssignmentConflict(
            f"{person.name} is {role} of {where} in that time already"
        ) from error
    audit.record(
        session,
        actor=actor,
        action="person.assign",
        object_kind="unit" if unit else "department",
        object_id=where,
        county_code=person.county_code,
        person=str(person.id),
        role=role,
    )
    return assignment


def _constraint(error: sa.exc.IntegrityError) -> str | None:
    """Name of what the database would not have."""
    return error.orig.diag.constraint_name if error.orig else None  # type: ignore[attr-defined]


def _link_problems(
    role: str, unit: str | None, department: Department | None, level: int | None, mode: str
) -> list[Problem]:
    found = []
    wanted = {"unit_head": "unit", "leader": "unit", "officer": "department"}.get(role)
    if wanted is None:
        remedy = "One of: unit_head, leader (of a unit), officer (of a department)"
        found.append(Problem(f"unknown role '{role}'", remedy, field="role"))
    elif (wanted == "unit") != (unit is not None) or (wanted == "department") != (
        department is not None
    ):
        found.append(Problem(f"a {role} answers for a {wanted}", "Give that alone", field=wanted))
    if (role == "leader") != (level is not None):
        remedy = "Give 1 (leads the county) to 4 (takes the unit itself) for a leader, else none"
        found.append(Problem(f"level is {level} for a {role}", remedy, field="level"))
    elif level is not None and level not in LEVELS:
        found.append(Problem(f"level is {level}", "Give 1, 2, 3 or 4", field="level"))
    if mode not in MODES:
        found.append(Problem(f"mode is '{mode}'", f"One of: {', '.join(MODES)}", field="mode"))
    return found


def add_department(
    session: Session,
    name: str,
    *,
    area: str,
    actor: str,
    attendance: str = "on_call",
    source: str = "wangge",
    external_id: str | None = None,
) -> Department:
    """Keep a department of a unit.

    Raises
    ------
    BadInput
        There is no such unit, or no such kind of attendance.
    """
    problems = []
    if not name.strip():
        problems.append(Problem("the name is empty", "Say what it is called", field="name"))
    if attendance not in ATTENDANCE:
        remedy = f"One of: {', '.join(ATTENDANCE)}"
        problems.append(Problem(f"attendance is '{attendance}'", remedy, field="attendance"))
    if len(area) < 6 or not units_by_code(session, [area], datetime.now(UTC)):
        remedy = "Give the code of a county, township or village"
        problems.append(Problem(f"there is no unit {area}", remedy, field="area"))
    if problems:
        raise BadInput(problems)
    department = Department(
        county_code=area[:6],
        area_code=area,
        name=name.strip(),
        attendance=attendance,
        source=source,
        external_id=external_id or str(uuid.uuid4()),
    )
    session.add(department)
    session.flush()
    audit.record(
        session,
        actor=actor,
        action="department.add",
        object_kind="department",
        object_id=department.id,
        county_code=department.county_code,
    )
    return department


def department(session: Session, department_id: int) -> Department:
    """The department of a number.

    Raises
    ------
    DepartmentNotFound
        There is none, or none that the caller sees.
    """
    found = session.get(Department, department_id)
    if found is None:
        raise DepartmentNotFound(f"there is no department {department_id}")
    return found


def departments(session: Session) -> Sequence[Department]:
    """Departments within the caller's sight, by area and name."""
    order = (Department.area_code, Department.name, Department.id)
    return session.scalars(sa.select(Department).order_by(*order)).all()


def serving(session: Session, at: datetime, area: str = "") -> list[Department]:
    """Departments in force that the caller sees; of those, the ones that serve a unit, if given."""
    return [
        each
        for each in departments(session)
        if at in each.valid and (not area or area.startswith(each.area_code))
    ]


def matters(session: Session) -> dict[int, dict[str, bool]]:
    """Categories of each department: True where it leads them."""
    found: dict[int, dict[str, bool]] = {}
    for row in session.scalars(sa.select(DepartmentMatter)):
        found.setdefault(row.department_id, {})[row.category] = row.is_lead
    return found


def set_matters(
    session: Session, chosen: Department, categories: Mapping[str, bool], *, actor: str
) -> None:
    """Say which matters are a department's: True where it leads them, False where it joins in.

    Raises
    ------
    BadInput
        There is no such category.
    """
    known = set(session.scalars(sa.text("SELECT code FROM incident_categories")))
    problems = [
        Problem(
            f"there is no category '{each}'",
            f"One of: {', '.join(sorted(known))}",
            field="category",
        )
        for each in sorted(set(categories) - known)
    ]
    if problems:
        raise BadInput(problems)
    gone = sa.delete(DepartmentMatter).where(DepartmentMatter.department_id == chosen.id)
    session.execute(gone.where(DepartmentMatter.category.not_in(list(categories))))
    if categories:
        rows = [
            {
                "department_id": chosen.id, "category": category, "is_lead": leads,
                "county_code": chosen.county_code, "area_code": chosen.area_code, "author": actor,
            }
            for category, leads in sorted(categories.items())
        ]  # fmt: skip
        statement = insert(DepartmentMatter).values(rows)
        session.execute(
            statement.on_conflict_do_update(
                index_elements=["department_id", "category"],
                set_={"is_lead": statement.excluded.is_lead, "author": statement.excluded.author},
            )
        )
    audit.record(
        session,
        actor=actor,
        action="department.matters",
        object_kind="department",
        object_id=chosen.id,
        county_code=chosen.county_code,
        count=len(categories),
    )


def begin_emergency(
    session: Session,
    area: str,
    *,
    reason: str,
    actor: str,
    since: datetime | None = None,
    until: datetime | None = None,
) -> DutyMode:
    """Switch an area, and all beneath it, to the emergency roster.

    Raises
    ------
    BadInput
        There is no such unit, no reason is given, or the time is empty.
    DutyConflict
        It is in emergency in that time already.
    """
    first = since or datetime.now(UTC)
    problems = []
    if len(area) < 6 or not units_by_code(session, [area], first):
        remedy = "Give the code of a county, township or village"
        problems.append(Problem(f"there is no unit {area}", remedy, field="area"))
    if not reason.strip():
        problems.append(Problem("no reason is given", "Say what has happened", field="reason"))
    if until is not None and until <= first:
        remedy = "Give since before until"
        problems.append(Problem("the time ends before it begins", remedy, field="until"))
    if problems:
        raise BadInput(problems)
    mode = DutyMode(
        county_code=area[:6],
        area_code=area,
        valid=Range(first, until),
        reason=reason.strip(),
        author=actor,
    )
    try:
        with session.begin_nested():
            session.add(mode)
    except sa.exc.IntegrityError as error:
        if _constraint(error) != "duty_modes_once":
            raise
        raise DutyConflict(f"{area} is in emergency in that time already") from error
    _record_mode(session, mode, "duty.emergency_begun", actor)
    return mode


def end_emergency(
    session: Session, area: str, *, actor: str, at: datetime | None = None
) -> DutyMode:
    """Switch an area back to the normal roster.

    Raises
    ------
    DutyConflict
        It is not in emergency then.
    """
    moment = at or datetime.now(UTC)
    mode = session.scalar(
        sa.select(DutyMode).where(DutyMode.area_code == area, DutyMode.valid.contains(moment))
    )
    if mode is None or mode.valid.lower == moment:
        raise DutyConflict(f"{area} is not in emergency at {moment.isoformat()}")
    mode.valid = Range(mode.valid.lower, moment)
    session.flush()
    _record_mode(session, mode, "duty.emergency_ended", actor)
    return mode


def _record_mode(session: Session, mode: DutyMode, action: str, actor: str) -> None:
    audit.record(
        session,
        actor=actor,
        action=action,
        object_kind="unit",
        object_id=mode.area_code,
        county_code=mode.county_code,
    )


def emergencies(session: Session, at: datetime) -> Sequence[DutyMode]:
    """What is in emergency at a moment, or will be, by area."""
    statement = sa.select(DutyMode).where(
        sa.or_(sa.func.upper(DutyMode.valid).is_(None), sa.func.upper(DutyMode.valid) > at)
    )
    return session.scalars(statement.order_by(DutyMode.area_code, DutyMode.id)).all()
