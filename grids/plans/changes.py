"""Carry a change out: cells to other grids, exact shapes and figures, kept both ways.

A change looks at the grids that it touches and at nothing else, so that it takes as long in a plan
of four thousand grids as in one of ten.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field, replace
from itertools import chain
from typing import TYPE_CHECKING, Any, Final, cast

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import ARRAY

from gis import audit
from gis.database import execute
from gis.errors import Problem
from gis.wording import verb
from grids.plans.errors import (
    GridLocked,
    MoveRefused,
    PlanClosed,
    PlanConflict,
    PlanNotFound,
)
from grids.plans.members import (
    FIGURES,
    NAMED,
    NONE,
    Member,
    Row,
    figures,
    grid_rows,
    members,
    members_by_id,
    pieces,
    some,
)
from grids.plans.models import PlanLock, PlanMove, PlanRow, PlanStep
from grids.plans.naming import first_row
from grids.redistricting import AREA_TYPES

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Sequence

    from sqlalchemy.orm import Session

DEVIATION_UNIT: Final = 1e9
COMPACTNESS_UNIT: Final = 1e6

NOTHING: Final = {
    "move": Problem("nothing would change", "Choose other cells", field="cells"),
    "rebalance": Problem(
        "nothing would change: the buildings of these grids do not divide more evenly",
        "Name a further neighbour, or move cells by hand",
        field="grids",
    ),
}
"""What to say where a move of a kind changes nothing; other kinds as ``move``."""


# Statements are built once: putting one together takes longer than the database needs for it.
_LOCKED_PLAN: Final = (
    sa.select(PlanRow)
    .where(PlanRow.edition_id == sa.bindparam("edition"))
    .with_for_update()
    .execution_options(populate_existing=True)
)
_LOCKS: Final = sa.select(PlanLock.__table__.c.grid_id, PlanLock.__table__.c.author).where(
    PlanLock.__table__.c.edition_id == sa.bindparam("edition"),
    PlanLock.__table__.c.grid_id == sa.any_(sa.bindparam("grids", type_=ARRAY(sa.BigInteger))),
)
_NEW_MOVE: Final = sa.insert(cast("sa.Table", PlanMove.__table__))
_NEW_STEP: Final = sa.insert(cast("sa.Table", PlanStep.__table__))
_NEW_GRIDS: Final = sa.text(
    "INSERT INTO grids (county_code) SELECT :county FROM generate_series(1, :count) RETURNING id"
)
# All of it is ours: names of columns.
_WRITTEN: Final = f"""
WITH kept AS (
    INSERT INTO grid_shapes (edition_id, county_code, grid_id, {", ".join(FIGURES)}, geom)
    SELECT :edition, :county, grid_id, {", ".join(FIGURES)},
        ST_GeomFromWKB(decode(geom, 'hex'), 4326)
    FROM jsonb_to_recordset(CAST(:rows AS jsonb)) AS (
        grid_id bigint, code text, unit_code text, name text, area_type text, households int,
        buildings int, target int, compactness double precision, area_m2 double precision,
        geom text
    )
    ON CONFLICT (edition_id, grid_id) DO UPDATE
    SET {", ".join(f"{name} = excluded.{name}" for name in (*FIGURES, "geom"))}
)
UPDATE cells SET grid_id = nullif(m.grid, 0)
FROM unnest(CAST(:cells AS int[]), CAST(:grids AS bigint[])) AS m (cell, grid)
WHERE edition_id = :edition AND cell_id = m.cell
"""  # noqa: S608


@dataclass(frozen=True)
class Change:
    """Which cells go to which grid.

    Attributes
    ----------
    to
        Grid of each cell that goes elsewhere: an id, `NONE`, or -1, -2 ... for new grids.
    grown_from
        For each new grid the grid that it is a part of: target, area type and name come from it.
    detail
        What was asked for, for the history.
    seen, whole
        Cells that were read on the way, under the plan's lock, and the grids that all cells were
        read of: they are not read again.
    rows
        Rows of grids that were read so.
    """

    kind: str
    to: Mapping[int, int]
    detail: Mapping[str, Any]
    grown_from: Mapping[int, int] = field(default_factory=dict)
    seen: Mapping[int, Member] = field(default_factory=dict, repr=False)
    whole: Collection[int] = ()
    rows: Mapping[int, Row] = field(default_factory=dict, repr=False)


@dataclass(frozen=True)
class Done:
    """What a step did: the plan afterwards, rows of the grids it touched, codes that are gone.

    ``apart`` are codes of grids that a move left with households on both sides of what cannot be
    crossed on foot: that is allowed, and said. ``left_out`` counts cells that were asked for and
    stay, being of other units than the grid they would have gone to.
    """

    plan: PlanRow
    touched: Sequence[Row]
    gone: Sequence[str]
    seq: int | None = None
    apart: Sequence[str] = ()
    left_out: int = 0


def plan_for_change(session: Session, edition_id: int) -> PlanRow:
    """The plan, locked until the transaction ends: steps of two people follow one another.

    Raises
    ------
    PlanNotFound, PlanClosed
        There is none, or it takes no moves any more.
    """
    plan = session.scalars(_LOCKED_PLAN, {"edition": edition_id}).one_or_none()
    if plan is None:
        raise PlanNotFound(f"there is no plan {edition_id}")
    if plan.state != "open":
        raise PlanClosed(
            f"plan {edition_id} is {plan.state}: take it back to the table first ('return')"
        )
    return plan


def carry_out(
    session: Session, plan: PlanRow, change: Change, *, author: str, version: int
) -> Done:
    """Make a move; its figures are those of the shapes that it leaves.

    Parameters
    ----------
    version
        Of the plan that the author looked at. What others did since is no hindrance, unless it
        touched the same grids.

    Raises
    ------
    PlanConflict, GridLocked
        Others changed these grids since, or locked them.
    MoveRefused
        A grid would be in pieces, reach over the line of a unit, or nothing would change.
    """
    edition = plan.edition_id
    unseen = change.to.keys() - change.seen.keys()
    going = {cell: change.seen[cell] for cell in change.to if cell in change.seen}
    if unseen:
        going |= members_by_id(session, edition, unseen)
    missing = sorted(set(change.to) - set(going))
    if missing:
        raise MoveRefused(
            Problem(
                f"there {verb(len(missing), 'is no cell', 'are no cells')} {some(missing)}",
                "Look at the plan anew",
                field="cells",
            )
        )
    going = {cell: each for cell, each in going.items() if each.grid_id != change.to[cell]}
    if not going:
        raise MoveRefused(NOTHING.get(change.kind, NOTHING["move"]))
    touched = {each.grid_id for each in going.values()} | {
        change.to[cell] for cell in going if change.to[cell] > 0
    } | set(change.grown_from.values())  # fmt: skip
    touched.discard(NONE)
    check_version(session, plan, version, touched)
    before = {grid: change.rows[grid] for grid in touched if grid in change.rows}
    if len(before) < len(touched):
        before |= grid_rows(session, edition, touched - before.keys())
    unknown = sorted(touched - set(before))
    if unknown:
        raise MoveRefused(
            Problem(
                f"there {verb(len(unknown), 'is no grid', 'are no grids')} {some(unknown)}",
                "Look at the plan anew",
                field="grid",
            )
        )
    check_locks(session, plan, before)
    inside = {c: each for c, each in change.seen.items() if each.grid_id in change.whole} | going
    if unread := touched - set(change.whole):
        inside |= members(session, edition, unread)
    place = {cell: change.to.get(cell, each.grid_id) for cell, each in inside.items()}
    number = _new_grids(session, plan, place)
    parent_of = {grid: wanted for wanted, grid in number.items()}
    place = {cell: number.get(grid, grid) for cell, grid in place.items()}
    after: dict[int, Row | None] = {}
    problems: list[Problem] = []
    wrong: dict[int, list[int]] = {}
    apart: list[str] = []
    for grid in sorted({*touched, *number.values()}):
        mine = [inside[cell] for cell in sorted(place) if place[cell] == grid]
        if not mine:
            after[grid] = None
            continue
        row = before.get(grid) or first_row(
            session,
            plan,
            mine[0].unit_code,
            before.get(change.grown_from.get(parent_of[grid], NONE)),
            [str(each["code"]) for each in after.values() if each],
        )
        if breach := _breach(row, mine):
            problems.append(breach[0])
            wrong[grid] = breach[1]
        if not problems:
            after[grid] = row | figures(mine)
            if _is_apart(mine):
                apart.append(str(row["code"]))
    if problems:
        raise MoveRefused(
            problems, grids=wrong.keys() & before.keys(), cells=chain.from_iterable(wrong.values())
        )
    whole = {grid: before.get(grid) for grid in after}
    told = _enter(
        session, plan, change, author=author, going=going, place=place, before=whole, after=after
    )
    return replace(told, apart=apart, left_out=int(change.detail.get("left_out", 0)))


def _enter(
    session: Session,
    plan: PlanRow,
    change: Change,
    *,
    author: str,
    going: Mapping[int, Member],
    place: Mapping[int, int],
    before: Mapping[int, Row | None],
    after: Mapping[int, Row | None],
) -> Done:
    """Write a move down: in the plan, in its history, and what it changed."""
    cells = sorted(going)
    old = [going[cell].grid_id for cell in cells]
    new = [place[cell] for cell in cells]
    write(session, plan, dict(zip(cells, new, strict=True)), before, after)
    plan.unassigned += new.count(NONE) - old.count(NONE)
    plan.moves += 1
    seq = plan.moves
    session.execute(
        _NEW_MOVE,
        {
            "edition_id": plan.edition_id, "seq": seq, "parent": plan.head, "author": author,
            "county_code": plan.county_code, "area_code": plan.area_code, "kind": change.kind,
            "detail": dict(change.detail), "cells": cells, "grids_before": old, "grids_after": new,
            "before": {str(grid): row for grid, row in before.items()},
            "after": {str(grid): row for grid, row in after.items()},
        },
    )  # fmt: skip
    plan.head = seq
    step(session, plan, "do", author=author, seq=seq, grids=after)
    return done(plan, before, after, seq)


def check_version(session: Session, plan: PlanRow, version: int, grids: Collection[int]) -> None:
    """Refuse what others have overtaken: steps on the same grids since a version.

    Raises
    ------
    PlanConflict
        Who did what, and when.
    """
    if version > plan.version:
        raise PlanConflict(
            f"plan {plan.edition_id} is at version {plan.version}, not at {version}: load it anew"
        )
    if version == plan.version:
        return
    since = session.scalars(
        sa.select(PlanStep)
        .where(
            PlanStep.edition_id == plan.edition_id,
            PlanStep.version > version,
            PlanStep.grids.overlap(sorted(grids)),
        )
        .order_by(PlanStep.version)
    ).all()
    if since:
        told = "; ".join(
            f"{each.author}: {each.kind} at {each.at:%H:%M:%S} UTC (version {each.version})"
            for each in since[-NAMED:]
        )
        raise PlanConflict(
            f"these grids were changed since version {version}: {told}. Load the plan anew and "
            "try again; nothing of yours or theirs is lost",
            grids={grid for each in since for grid in each.grids} & set(grids),
        )


def check_locks(session: Session, plan: PlanRow, grids: Mapping[int, Row]) -> None:
    """Refuse a move that touches a locked grid.

    Raises
    ------
    GridLocked
        Names the grids and who locked them.
    """
    locks = session.execute(_LOCKS, {"edition": plan.edition_id, "grids": list(grids)}).all()
    if locks:
        told = ", ".join(f"{grids[each.grid_id]['code']} ({each.author})" for each in locks)
        raise GridLocked(
            f"locked: {told}. Unlock them first", grids=[each.grid_id for each in locks]
        )


def step(
    session: Session,
    plan: PlanRow,
    kind: str,
    *,
    author: str,
    grids: Iterable[int],
    seq: int | None = None,
    note: str = "",
) -> None:
    """Enter a step in the plan's history and in the audit log; the version grows."""
    plan.version += 1
    touched = sorted(grids)
    session.execute(
        _NEW_STEP,
        {
            "edition_id": plan.edition_id, "version": plan.version, "author": author,
            "county_code": plan.county_code, "area_code": plan.area_code, "kind": kind, "seq": seq,
            "grids": touched, "note": note,
        },
    )  # fmt: skip
    audit.record(
        session,
        actor=author,
        action=f"plan.{kind}",
        object_kind="edition",
        object_id=plan.edition_id,
        county_code=plan.county_code,
        count=len(touched),
        move=seq,
        version=plan.version,
    )
    session.flush()


def write(
    session: Session,
    plan: PlanRow,
    place: Mapping[int, int],
    before: Mapping[int, Row | None],
    after: Mapping[int, Row | None],
) -> None:
    """Put cells and rows as they are to be; the plan's figures follow by the difference."""
    edition = plan.edition_id
    gone = [grid for grid, row in after.items() if row is None]
    kept = [{"grid_id": grid, **row} for grid, row in after.items() if row is not None]
    if gone:
        # The key of the cells would take them along.
        execute(
            session,
            "UPDATE cells SET grid_id = NULL WHERE edition_id = :edition "
            "AND cell_id = ANY(CAST(:cells AS int[]))",
            edition=edition, cells=list(place),
        )  # fmt: skip
        execute(
            session,
            "DELETE FROM grid_shapes WHERE edition_id = :edition "
            "AND grid_id = ANY(CAST(:gone AS bigint[]))",
            edition=edition, gone=gone,
        )  # fmt: skip
    execute(
        session,
        _WRITTEN,
        edition=edition, county=plan.county_code, cells=list(place), grids=list(place.values()),
        rows=json.dumps(kept),
    )  # fmt: skip
    for sign, rows in ((-1, before), (1, after)):
        for row in rows.values():
            if row is not None:
                count(plan, row, sign)


def count(plan: PlanRow, row: Row, sign: int = 1) -> None:
    """Add a grid's figures to those of its plan, or take them away."""
    share = row["households"] / row["target"] - 1
    plan.grids += sign
    plan.households += sign * row["households"]
    plan.within_tolerance += sign * (abs(share) <= tolerance_of(plan, row["area_type"]) + 1e-9)
    plan.deviation_sum += sign * round(abs(share) * DEVIATION_UNIT)
    plan.compactness_sum += sign * round(row["compactness"] * COMPACTNESS_UNIT)


def tolerance_of(plan: PlanRow, area_type: str) -> float:
    """The largest deviation that passes for a grid, as a share: the plan's own, or the norm."""
    return AREA_TYPES[area_type].tolerance if plan.tolerance is None else plan.tolerance


def done(
    plan: PlanRow,
    before: Mapping[int, Row | None],
    after: Mapping[int, Row | None],
    seq: int | None,
) -> Done:
    """What is told of a step."""
    return Done(
        plan,
        [{"grid_id": grid, **row} for grid, row in after.items() if row is not None],
        [str(row["code"]) for grid, row in before.items() if row and after[grid] is None],
        seq,
    )


def _breach(row: Row, mine: Sequence[Member]) -> tuple[Problem, list[int]] | None:
    """What is wrong with a grid of these cells, and with which of them; None if nothing is."""
    code = row["code"]
    abroad = [each for each in mine if each.unit_code != row["unit_code"]]
    if abroad:
        units = sorted({each.unit_code for each in abroad})
        problem = Problem(
            f"grid {code} would reach over the line of {row['unit_code']} into {', '.join(units)}",
            "Choose cells of its own unit",
            field="cells",
        )
        return problem, [each.cell_id for each in abroad]
    parts = pieces(mine)
    if len(parts) > 1:
        cut = [cell for part in parts[1:] for cell in part]
        problem = Problem(
            f"grid {code} would be in {len(parts)} pieces: "
            f"{verb(len(cut), 'cell', 'cells')} {some(cut)} would be cut off",
            "Take the piece along, or choose cells at its edge",
            field="cells",
        )
        return problem, cut
    return None


def _is_apart(mine: Sequence[Member]) -> bool:
    """Whether people of a grid cannot reach one another on foot within it."""
    people = {each.cell_id for each in mine if each.households}
    return sum(not people.isdisjoint(part) for part in pieces(mine, on_foot=True)) > 1


def _new_grids(session: Session, plan: PlanRow, place: Mapping[int, int]) -> dict[int, int]:
    """An identity for each new grid of a change."""
    wanted = sorted({grid for grid in place.values() if grid < 0}, reverse=True)
    if not wanted:
        return {}
    ids = session.scalars(_NEW_GRIDS, {"county": plan.county_code, "count": len(wanted)})
    return dict(zip(wanted, sorted(ids), strict=True))
