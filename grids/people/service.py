"""Who answers for what: persons kept, assigned, relieved, and away on leave."""

from __future__ import annotations

import uuid
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import Range

from boundaries.models import Edition
from gis import audit
from gis.errors import BadInput, Problem
from grids.errors import AssignmentConflict, GridNotFound, PersonNotFound
from grids.models import GridShape
from grids.people.models import Assignment, Leave, Person

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sqlalchemy.orm import Session

GRID_ROLES: Final = ("grid_worker", "deputy", "grid_head")


def grid_by_code(session: Session, code: str, at: datetime) -> GridShape:
    """The grid that has this code in the edition in force at a moment.

    Raises
    ------
    GridNotFound
        None has.
    """
    statement = (
        sa.select(GridShape)
        .join(Edition, Edition.id == GridShape.edition_id)
        .where(GridShape.code == code, Edition.status != "draft", Edition.valid.contains(at))
    )
    shape = session.scalars(statement).first()
    if shape is None:
        raise GridNotFound(f"no grid {code} in the edition in force at {at.isoformat()}")
    return shape


def person_by_name(session: Session, name: str, county_code: str) -> Person:
    """The one person of that name or external id in a county.

    Raises
    ------
    PersonNotFound
        There is none, or several.
    """
    found = session.scalars(
        sa.select(Person).where(
            Person.county_code == county_code,
            (Person.name == name) | (Person.external_id == name),
        )
    ).all()
    if len(found) != 1:
        what = "no" if not found else f"{len(found)}"
        raise PersonNotFound(
            f"there are {what} persons '{name}' in county {county_code}; "
            "name one by the id of its source"
        )
    return found[0]


def page(
    session: Session, *, part: str | None = None, limit: int, cursor: str | None = None
) -> tuple[list[Person], str | None]:
    """People within the caller's sight by name, and the cursor of those after them.

    Raises
    ------
    BadInput
        The cursor is none of ours.
    """
    statement = sa.select(Person).order_by(Person.name, Person.id).limit(limit + 1)
    if part is not None:
        statement = statement.where(Person.name.icontains(part, autoescape=True))
    if cursor is not None:
        try:
            after = session.get(Person, uuid.UUID(cursor))
        except ValueError:
            after = None
        if after is None:
            raise BadInput(
                Problem(
                    "this cursor is none of ours",
                    "Take it from 'next' of the page before, unchanged",
                    field="cursor",
                )
            )
        statement = statement.where(sa.tuple_(Person.name, Person.id) > (after.name, after.id))
    people = list(session.scalars(statement))
    more = str(people[limit - 1].id) if len(people) > limit else None
    return people[:limit], more


def add(
    session: Session,
    name: str,
    *,
    county_code: str,
    actor: str,
    employment: str = "full",
    source: str = "wangge",
    external_id: str | None = None,
) -> Person:
    """Keep a person; nothing but the name and how they are employed."""
    person = Person(
        name=name,
        county_code=county_code,
        employment=employment,
        source=source,
        external_id=external_id or str(uuid.uuid4()),
    )
    session.add(person)
    session.flush()
    audit.record(
        session,
        actor=actor,
        action="person.add",
        object_kind="person",
        object_id=person.id,
        county_code=county_code,
    )
    return person


def assign(
    session: Session,
    person: Person,
    shape: GridShape,
    *,
    actor: str,
    role: str = "grid_worker",
    is_primary: bool = True,
    since: datetime | None = None,
    until: datetime | None = None,
) -> Assignment:
    """Let a person answer for a grid from a moment on.

    Raises
    ------
    BadInput
        No role on a grid, or the time ends before it begins.
    AssignmentConflict
        The grid has a primary worker then, or the person has that role there already.
    """
    first = since or datetime.now(UTC)
    problems = _period_problems(first, until)
    if role not in GRID_ROLES:
        problems.append(
            Problem(f"unknown role '{role}'", f"One of: {', '.join(GRID_ROLES)}", field="role")
        )
    if problems:
        raise BadInput(problems)
    assignment = Assignment(
        person_id=person.id,
        county_code=shape.county_code,
        grid_id=shape.grid_id,
        role=role,
        is_primary=is_primary and role == "grid_worker",
        valid=Range(first, until),
        author=actor,
    )
    try:
        with session.begin_nested():
            session.add(assignment)
    except sa.exc.IntegrityError as error:
        constraint = error.orig.diag.constraint_name if error.orig else None  # type: ignore[attr-defined]
        if constraint not in {"assignments_one_primary", "assignments_once_grid"}:
            raise
        why = (
            "has a worker in charge in that time; relieve that one first, or assign this one "
            "without charge of it (--no-primary)"
            if constraint == "assignments_one_primary"
            else f"has {person.name} as {role} in that time already"
        )
        raise AssignmentConflict(f"grid {shape.code} {why}") from error
    audit.record(
        session,
        actor=actor,
        action="person.assign",
        object_kind="grid",
        object_id=shape.grid_id,
        county_code=shape.county_code,
        person=str(person.id),
        role=role,
    )
    return assignment


def relieve(session: Session, assignment: Assignment, *, actor: str, at: datetime) -> None:
    """End an assignment at a moment; what it answered before stays."""
    if assignment.valid.upper is not None and assignment.valid.upper <= at:
        raise AssignmentConflict(f"assignment {assignment.id} has ended before {at.isoformat()}")
    if assignment.valid.lower is not None and assignment.valid.lower >= at:
        raise AssignmentConflict(f"assignment {assignment.id} begins after {at.isoformat()}")
    assignment.valid = Range(assignment.valid.lower, at)
    session.flush()
    audit.record(
        session,
        actor=actor,
        action="person.relieve",
        object_kind="assignment",
        object_id=assignment.id,
        county_code=assignment.county_code,
    )


def take_leave(
    session: Session,
    person: Person,
    *,
    since: datetime,
    until: datetime,
    actor: str,
    deputy: Person | None = None,
) -> Leave:
    """Record that a person is away, and who answers instead.

    Raises
    ------
    BadInput
        The leave ends before it begins, or the person would stand in for themselves.
    AssignmentConflict
        The person is away then already.
    """
    problems = _period_problems(since, until)
    if deputy is not None and deputy.id == person.id:
        problems.append(
            Problem(f"{person.name} cannot stand in for themselves", "Name another deputy")
        )
    if problems:
        raise BadInput(problems)
    leave = Leave(
        person_id=person.id,
        county_code=person.county_code,
        deputy_id=deputy.id if deputy else None,
        during=Range(since, until),
        author=actor,
    )
    try:
        with session.begin_nested():
            session.add(leave)
    except sa.exc.IntegrityError as error:
        raise AssignmentConflict(f"{person.name} is on leave in that time already") from error
    audit.record(
        session,
        actor=actor,
        action="person.leave",
        object_kind="person",
        object_id=person.id,
        county_code=person.county_code,
    )
    return leave


def _period_problems(since: datetime, until: datetime | None) -> list[Problem]:
    if until is None or since < until:
        return []
    return [
        Problem(
            f"the time from {since.isoformat()} to {until.isoformat()} ends before it begins",
            "Give since before until",
            field="until",
        )
    ]


def assignments_of(session: Session, grid_id: int, at: datetime) -> Sequence[Assignment]:
    """Assignments to a grid that hold at a moment, the one in charge first."""
    statement = (
        sa.select(Assignment)
        .where(Assignment.grid_id == grid_id, Assignment.valid.contains(at))
        .order_by(Assignment.is_primary.desc(), Assignment.id)
    )
    return session.scalars(statement).all()


def unassigned(session: Session, at: datetime) -> Sequence[GridShape]:
    """Grids in force that nobody answers for at a moment, in order of code."""
    statement = (
        sa.select(GridShape)
        .join(Edition, Edition.id == GridShape.edition_id)
        .where(
            Edition.kind.in_(("base", "exclusive")),
            Edition.status != "draft",
            Edition.valid.contains(at),
            ~sa.exists().where(
                Assignment.grid_id == GridShape.grid_id, Assignment.valid.contains(at)
            ),
        )
        .order_by(GridShape.code)
    )
    return session.scalars(statement).all()
