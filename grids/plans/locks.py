"""Locks: grids that are settled, and that no move may touch until somebody unlocks them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import insert

from gis.errors import Problem
from grids.models import GridShape
from grids.plans.changes import step
from grids.plans.errors import MoveRefused
from grids.plans.models import PlanLock

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from sqlalchemy.orm import Session

    from grids.plans.models import PlanRow


def lock(
    session: Session, plan: PlanRow, grids: Collection[int] | None, *, author: str
) -> list[int]:
    """Lock grids; all of the plan for None. Those locked before keep who locked them.

    Returns
    -------
    list of int
        What is locked now and was not before.

    Raises
    ------
    MoveRefused
        One of them is no grid of the plan.
    """
    wanted = _grids(session, plan, grids)
    statement = (
        insert(PlanLock)
        .values(
            [
                {
                    "edition_id": plan.edition_id, "grid_id": grid, "author": author,
                    "county_code": plan.county_code, "area_code": plan.area_code,
                }
                for grid in wanted
            ]
        )
        .on_conflict_do_nothing()
        .returning(PlanLock.grid_id)
    )  # fmt: skip
    made = sorted(session.scalars(statement)) if wanted else []
    if made:
        step(session, plan, "lock", author=author, grids=made)
    return made


def unlock(
    session: Session, plan: PlanRow, grids: Collection[int] | None, *, author: str
) -> list[int]:
    """Unlock grids, whoever locked them; all of the plan for None.

    Returns
    -------
    list of int
        What was locked and is not any more.
    """
    gone = sa.delete(PlanLock).where(PlanLock.edition_id == plan.edition_id)
    if grids is not None:
        gone = gone.where(PlanLock.grid_id.in_(list(grids)))
    freed = sorted(session.scalars(gone.returning(PlanLock.grid_id)))
    if freed:
        step(session, plan, "unlock", author=author, grids=freed)
    return freed


def locks(session: Session, plan: PlanRow) -> Sequence[PlanLock]:
    """What is locked, and by whom."""
    return session.scalars(
        sa.select(PlanLock).where(PlanLock.edition_id == plan.edition_id).order_by(PlanLock.grid_id)
    ).all()


def _grids(session: Session, plan: PlanRow, grids: Collection[int] | None) -> list[int]:
    known = set(
        session.scalars(sa.select(GridShape.grid_id).where(GridShape.edition_id == plan.edition_id))
    )
    missing = sorted(set(grids or ()) - known)
    if missing:
        raise MoveRefused(
            Problem(
                f"there is no grid {', '.join(map(str, missing[:5]))} in plan {plan.edition_id}",
                "Look at the plan anew",
                field="grids",
            )
        )
    return sorted(known if grids is None else set(grids))
