"""Take moves back and make them again: every row as it was, to the byte."""

from __future__ import annotations

from typing import TYPE_CHECKING

import sqlalchemy as sa
from sqlalchemy.orm import undefer

from gis.errors import BadInput, Problem
from grids.plans.changes import Done, check_locks, check_version, done, step, write
from grids.plans.errors import MoveRefused
from grids.plans.models import PlanMove, PlanRow

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from sqlalchemy.orm import Session

    from grids.plans.members import Row


def undo(session: Session, plan: PlanRow, *, author: str, version: int) -> Done:
    """Take the last move back.

    Raises
    ------
    MoveRefused
        There is none.
    PlanConflict, GridLocked
        Others made a step since, or locked a grid of it.
    """
    if plan.head == 0:
        raise MoveRefused(Problem("there is no move to take back", "", field="plan"))
    return _turn(session, plan, plan.head, "undo", author=author, version=version)


def redo(session: Session, plan: PlanRow, *, author: str, version: int) -> Done:
    """Make again what was taken back last; of several that were, the newest.

    Raises
    ------
    MoveRefused
        Nothing was taken back here.
    PlanConflict, GridLocked
        Others made a step since, or locked a grid of it.
    """
    seq = session.scalar(
        sa.select(sa.func.max(PlanMove.seq)).where(
            PlanMove.edition_id == plan.edition_id, PlanMove.parent == plan.head
        )
    )
    if seq is None:
        raise MoveRefused(Problem("there is no move to make again", "", field="plan"))
    return _turn(session, plan, seq, "redo", author=author, version=version)


def go_to(session: Session, plan: PlanRow, seq: int, *, author: str, version: int) -> Done:
    """Bring the plan to how it was after a move (0: as it began), along its branches.

    Raises
    ------
    BadInput
        There is no such move.
    """
    parents = {0: 0} | {
        row.seq: row.parent
        for row in session.execute(
            sa.select(PlanMove.seq, PlanMove.parent).where(PlanMove.edition_id == plan.edition_id)
        )
    }
    if seq not in parents:
        raise BadInput(
            Problem(f"plan {plan.edition_id} has no move {seq}", "See its history", field="seq")
        )
    up, down = _line(parents, plan.head), _line(parents, seq)
    common = max(set(up) & set(down))
    told: Done = Done(plan, [], [], plan.head or None)
    rows: dict[int, Row] = {}
    gone: set[str] = set()
    for each in up[: up.index(common)]:
        told = _turn(session, plan, each, "undo", author=author, version=version)
        version = plan.version
        _gather(rows, gone, told)
    for each in reversed(down[: down.index(common)]):
        told = _turn(session, plan, each, "redo", author=author, version=version)
        version = plan.version
        _gather(rows, gone, told)
    return Done(plan, list(rows.values()), sorted(gone), told.seq)


def moves(session: Session, plan: PlanRow, *, limit: int, before: int | None) -> Sequence[PlanMove]:
    """Moves of a plan, those taken back too, newest first."""
    wanted = sa.select(PlanMove).where(PlanMove.edition_id == plan.edition_id)
    if before is not None:
        wanted = wanted.where(PlanMove.seq < before)
    return session.scalars(wanted.order_by(PlanMove.seq.desc()).limit(limit)).all()


def line_of(session: Session, plan: PlanRow) -> set[int]:
    """Moves that the plan holds at present."""
    return set(
        session.scalars(
            sa.text(
                "WITH RECURSIVE line AS ("
                "SELECT seq, parent FROM plan_moves WHERE edition_id = :plan AND seq = :head "
                "UNION ALL SELECT m.seq, m.parent FROM plan_moves AS m JOIN line ON "
                "m.edition_id = :plan AND m.seq = line.parent) SELECT seq FROM line"
            ),
            {"plan": plan.edition_id, "head": plan.head},
        )
    )


def _gather(rows: dict[int, Row], gone: set[str], told: Done) -> None:
    for row in told.touched:
        rows[row["grid_id"]] = row
    gone |= set(told.gone)
    for grid in [grid for grid, row in rows.items() if row["code"] in set(told.gone)]:
        del rows[grid]
    gone -= {row["code"] for row in rows.values()}


def _line(parents: Mapping[int, int], seq: int) -> list[int]:
    found = [seq]
    while found[-1]:
        found.append(parents[found[-1]])
    return found


def _move(session: Session, plan: PlanRow, seq: int) -> PlanMove:
    return session.get_one(
        PlanMove,
        (plan.edition_id, seq),
        options=[undefer(PlanMove.before), undefer(PlanMove.after)],
    )


def _turn(
    session: Session, plan: PlanRow, seq: int, kind: str, *, author: str, version: int
) -> Done:
    move = _move(session, plan, seq)
    is_undo = kind == "undo"
    sides = (move.after, move.before) if is_undo else (move.before, move.after)
    before, after = ({int(grid): row for grid, row in side.items()} for side in sides)
    check_version(session, plan, version, after)
    check_locks(session, plan, {g: r or before[g] or {} for g, r in after.items()})
    to = move.grids_before if is_undo else move.grids_after
    _count_unassigned(plan, move, back=is_undo)
    write(session, plan, dict(zip(move.cells, to, strict=True)), before, after)
    plan.head = move.parent if is_undo else move.seq
    step(session, plan, kind, author=author, seq=move.seq, grids=after)
    return done(plan, before, after, move.seq)


def _count_unassigned(plan: PlanRow, move: PlanMove, *, back: bool) -> None:
    change = move.grids_after.count(0) - move.grids_before.count(0)
    plan.unassigned += -change if back else change
