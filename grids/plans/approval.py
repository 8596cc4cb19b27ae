"""From a plan to an edition: submitted, looked at by somebody else, approved, put in force."""

from __future__ import annotations

from typing import TYPE_CHECKING

import sqlalchemy as sa

from boundaries import editions
from gis.errors import Conflict, Forbidden, Problem
from gis.wording import counted
from grids import service
from grids.checking import check
from grids.errors import TilingBroken
from grids.plans.changes import plan_for_change, step
from grids.plans.errors import PlanNotFound
from grids.plans.models import PlanRow, PlanStep

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from sqlalchemy.orm import Session


class PlanState(Conflict):
    """The plan is not in the state that the step needs."""


class OwnPlan(Forbidden):
    """Whoever worked on a plan does not approve it."""


def submit(session: Session, edition_id: int, *, author: str, at: datetime) -> PlanRow:
    """Hand a plan in for approval; it takes no moves until it is returned.

    Raises
    ------
    TilingBroken
        Ground has no grid, or the grids do not tile the area; all breaches are named.
    """
    plan = plan_for_change(session, edition_id)
    problems = check(session, editions.get(session, edition_id), at)
    if plan.unassigned:
        problems.insert(
            0,
            Problem(
                counted(plan.unassigned, "cell has no grid", "cells have no grid"),
                "Move what has none to a grid, or 'repair'",
                field="plan",
            ),
        )
    if problems:
        raise TilingBroken(problems)
    plan.state = "submitted"
    step(session, plan, "submit", author=author, grids=[])
    return plan


def approve(session: Session, edition_id: int, *, approver: str, note: str = "") -> PlanRow:
    """Approve a submitted plan; it can be put in force then.

    Raises
    ------
    PlanState
        It is not submitted.
    OwnPlan
        The approver made it, or a move of it.
    """
    plan = _in_state(session, edition_id, "submitted")
    if approver in authors(session, plan):
        raise OwnPlan(f"{approver} worked on plan {edition_id}: another person has to approve it")
    plan.state = "approved"
    step(session, plan, "approve", author=approver, grids=[], note=note)
    return plan


def give_back(session: Session, edition_id: int, *, author: str, note: str) -> PlanRow:
    """Take a submitted or approved plan back to the table, with remarks.

    Raises
    ------
    PlanState
        It is on the table.
    """
    plan = _in_state(session, edition_id, "submitted", "approved")
    plan.state = "open"
    step(session, plan, "return", author=author, grids=[], note=note)
    return plan


def authors(session: Session, plan: PlanRow) -> set[str]:
    """Everybody who made the plan what it is."""
    worked = session.scalars(
        sa.select(PlanStep.author)
        .where(
            PlanStep.edition_id == plan.edition_id,
            PlanStep.kind.in_(("do", "undo", "redo", "lock", "unlock", "submit")),
        )
        .distinct()
    )
    return {plan.created_by, editions.get(session, plan.edition_id).author, *worked}


def publish(
    session: Session, edition_id: int, *, publisher: str, effective: datetime | None = None
) -> service.Published:
    """Put an approved plan in force; a draft that nobody made a plan of is published as it is.

    The edition's approver is who approved the plan.

    Raises
    ------
    PlanState
        The plan is not approved.
    """
    plan = session.get(PlanRow, edition_id, with_for_update=True)
    if plan is None:
        return service.publish(session, edition_id, approver=publisher, effective=effective)
    if plan.state != "approved":
        raise PlanState(
            f"plan {edition_id} is {plan.state}: it is published when another person has "
            "approved it"
        )
    approver = session.scalar(
        sa.select(PlanStep.author)
        .where(PlanStep.edition_id == edition_id, PlanStep.kind == "approve")
        .order_by(PlanStep.version.desc())
        .limit(1)
    )
    return service.publish(session, edition_id, approver=approver or publisher, effective=effective)


def steps(session: Session, plan: PlanRow) -> Sequence[PlanStep]:
    """Submissions, approvals and returns with their remarks, newest first."""
    return session.scalars(
        sa.select(PlanStep)
        .where(
            PlanStep.edition_id == plan.edition_id,
            PlanStep.kind.in_(("submit", "approve", "return")),
        )
        .order_by(PlanStep.version.desc())
    ).all()


def _in_state(session: Session, edition_id: int, *states: str) -> PlanRow:
    plan = session.scalars(
        sa.select(PlanRow)
        .where(PlanRow.edition_id == edition_id)
        .with_for_update()
        .execution_options(populate_existing=True)
    ).one_or_none()
    if plan is None:
        raise PlanNotFound(f"there is no plan {edition_id}")
    if plan.state not in states:
        raise PlanState(f"plan {edition_id} is {plan.state}, not {' or '.join(states)}")
    if editions.get(session, edition_id).status != "draft":
        raise PlanState(f"plan {edition_id} was published: make a branch of it")
    return plan
