"""What planners leave for one another: comments pinned to places, and names for states."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import insert

from boundaries.repository import point
from gis import audit
from gis.errors import BadInput, NotFound, Problem
from grids.plans.models import PlanComment, PlanMove, SavePoint

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sqlalchemy.orm import Session

    from grids.plans.models import PlanRow

LONGEST_WORDS, LONGEST_NAME = 2000, 100


class CommentNotFound(NotFound):
    """No such comment on this plan."""


class SavePointNotFound(NotFound):
    """No state of this plan has that name."""


def comment(
    session: Session,
    plan: PlanRow,
    words: str,
    *,
    author: str,
    place: tuple[float, float] | None = None,
) -> PlanComment:
    """Leave a comment, pinned to a place (longitude, latitude) or to the whole plan.

    Raises
    ------
    BadInput
        It says nothing, or too much, or its place is none.
    """
    text = words.strip()
    if not 0 < len(text) <= LONGEST_WORDS:
        raise BadInput(
            Problem(
                f"a comment has 1 to {LONGEST_WORDS} characters", "Say it shorter", field="words"
            )
        )
    if place is not None and not (abs(place[0]) <= 180 and abs(place[1]) <= 90):
        raise BadInput(
            Problem(
                f"{place[0]:g}, {place[1]:g} is no place",
                "Give longitude and latitude in degrees, WGS 84",
                field="lon",
            )
        )
    made = PlanComment(
        edition_id=plan.edition_id,
        county_code=plan.county_code,
        area_code=plan.area_code,
        author=author,
        words=text,
        geom=None if place is None else point(*place),
    )
    session.add(made)
    session.flush()
    session.refresh(made)
    _record(session, plan, "plan.comment", author, comment=made.id)
    return made


def close(session: Session, plan: PlanRow, comment_id: int, *, author: str) -> PlanComment:
    """Say that a comment is dealt with; it stays to be read.

    Raises
    ------
    CommentNotFound
        There is none of that number on this plan.
    """
    found = session.get(PlanComment, comment_id)
    if found is None or found.edition_id != plan.edition_id:
        raise CommentNotFound(f"there is no comment {comment_id} on plan {plan.edition_id}")
    if found.closed_at is None:
        found.closed_at, found.closed_by = datetime.now(UTC), author
        session.flush()
        _record(session, plan, "plan.comment_closed", author, comment=comment_id)
    return found


def comments(session: Session, plan: PlanRow) -> Sequence[PlanComment]:
    """All comments, open ones first, each kind by time."""
    return session.scalars(
        sa.select(PlanComment)
        .where(PlanComment.edition_id == plan.edition_id)
        .order_by(PlanComment.closed_at.is_not(None), PlanComment.at, PlanComment.id)
    ).all()


def save_point(
    session: Session, plan: PlanRow, name: str, *, author: str, seq: int | None = None
) -> SavePoint:
    """Name the plan as it is now, or as it was after a move; a name used again is moved.

    Raises
    ------
    BadInput
        No name, or no such move.
    """
    called = " ".join(name.split())
    at = plan.head if seq is None else seq
    problems = []
    if not 0 < len(called) <= LONGEST_NAME:
        problems.append(
            Problem(f"a name has 1 to {LONGEST_NAME} characters", "Give another", field="name")
        )
    if at and session.get(PlanMove, (plan.edition_id, at)) is None:
        problems.append(
            Problem(f"plan {plan.edition_id} has no move {at}", "See its history", field="seq")
        )
    if problems:
        raise BadInput(problems)
    statement = insert(SavePoint).values(
        edition_id=plan.edition_id,
        name=called,
        county_code=plan.county_code,
        area_code=plan.area_code,
        seq=at,
        author=author,
    )
    session.execute(
        statement.on_conflict_do_update(
            index_elements=["edition_id", "name"],
            set_={"seq": at, "author": author, "at": sa.func.now()},
        )
    )
    _record(session, plan, "plan.save_point", author, move=at)
    return session.get_one(SavePoint, (plan.edition_id, called), populate_existing=True)


def named(session: Session, plan: PlanRow, name: str) -> SavePoint:
    """The state of that name.

    Raises
    ------
    SavePointNotFound
        There is none.
    """
    found = session.get(SavePoint, (plan.edition_id, " ".join(name.split())))
    if found is None:
        raise SavePointNotFound(f"plan {plan.edition_id} has no save point '{name}'")
    return found


def save_points(session: Session, plan: PlanRow) -> Sequence[SavePoint]:
    """All names, newest first."""
    return session.scalars(
        sa.select(SavePoint)
        .where(SavePoint.edition_id == plan.edition_id)
        .order_by(SavePoint.at.desc(), SavePoint.name)
    ).all()


def _record(session: Session, plan: PlanRow, action: str, actor: str, **detail: Any) -> None:
    audit.record(
        session,
        actor=actor,
        action=action,
        object_kind="edition",
        object_id=plan.edition_id,
        county_code=plan.county_code,
        **detail,
    )
