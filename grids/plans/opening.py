"""Make a plan: of a draft, or of a branch of an edition."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import sqlalchemy as sa

from boundaries import editions
from boundaries.models import Edition
from gis import audit
from gis.errors import Problem
from grids.models import Cell, GridShape
from grids.plans import notes
from grids.plans.adopting import Remark, give_cells
from grids.plans.changes import count
from grids.plans.errors import MoveRefused, PlanClosed, PlanNotFound
from grids.plans.members import FIGURES
from grids.plans.models import PlanRow
from grids.plans.parts import put_part
from grids.service import copy_rows

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sqlalchemy.orm import Session

LEAST_TOLERANCE = 1e-9
"""Stands for 0: no more than the slack with which grids are counted."""
MOST_REMARKS = 200
CLEANER = "wangge"
"""Who leaves the comments on grids that were drawn elsewhere."""


def get(session: Session, edition_id: int) -> PlanRow:
    """The plan of a number, which is that of its edition.

    Raises
    ------
    PlanNotFound
        There is none, or none that the caller sees.
    """
    plan = session.get(PlanRow, edition_id)
    if plan is None:
        raise PlanNotFound(f"there is no plan {edition_id}")
    return plan


def plans(session: Session) -> Sequence[tuple[PlanRow, Edition]]:
    """Plans of the caller's area, the newest first."""
    rows = session.execute(
        sa.select(PlanRow, Edition)
        .join(Edition, Edition.id == PlanRow.edition_id)
        .order_by(PlanRow.edition_id.desc())
    )
    return [(row[0], row[1]) for row in rows]


def open_draft(session: Session, edition_id: int, *, author: str) -> PlanRow:
    """Take a draft under work; a plan already stays as it is.

    Raises
    ------
    PlanClosed
        It is no draft.
    MoveRefused
        It has no cells to move, such as one that was imported.
    """
    known = session.get(PlanRow, edition_id)
    if known is not None:
        return known
    edition = editions.get(session, edition_id)
    if edition.status != "draft":
        raise PlanClosed(
            f"edition {edition_id} is {edition.status}: make a branch of it, which is a new draft"
        )
    if not _has_cells(session, edition_id):
        raise MoveRefused(
            Problem(
                f"edition {edition_id} was not drawn here: it has no cells to move",
                f"Make a branch of it, which gives it some: wangge plan branch {edition_id}",
                field="edition",
            )
        )
    asked = edition.rules.get("tolerance")
    plan = PlanRow(
        edition_id=edition_id,
        county_code=edition.county_code,
        area_code=edition.area_code,
        # None asked for is not 0, and the column holds what is above 0.
        tolerance=None if asked is None else max(float(asked), LEAST_TOLERANCE),
        created_by=author,
        version=0, head=0, moves=0, state="open",
        grids=0, households=0, unassigned=0, within_tolerance=0, deviation_sum=0,
        compactness_sum=0,
    )  # fmt: skip
    for row in _rows(session, edition_id):
        count(plan, row)
    plan.unassigned = int(
        session.scalar(
            sa.select(sa.func.count()).where(Cell.edition_id == edition_id, Cell.grid_id.is_(None))
        )
        or 0
    )
    session.add(plan)
    audit.record(
        session,
        actor=author,
        action="plan.open",
        object_kind="edition",
        object_id=edition_id,
        county_code=edition.county_code,
        grids=plan.grids,
    )
    session.flush()
    return plan


def branch(
    session: Session, edition_id: int, *, title: str, author: str, part: int | None = None
) -> PlanRow:
    """A plan that begins as an edition is; its grids keep their identities.

    Grids that were not drawn here are given cells (`adopting`), with what was found as comments.

    Parameters
    ----------
    part
        Edition or draft of a township or village within it: its grids take the place of those
        there (`parts`), and everything else stays as it is.

    Raises
    ------
    MoveRefused
        There are no buildings to draw cells of, or it is one of micro or exclusive grids. Or the
        part lies elsewhere, or was drawn with other buildings.
    """
    edition = editions.get(session, edition_id)
    if edition.kind != "base":
        raise MoveRefused(
            Problem(
                f"edition {edition_id} is one of {edition.kind} grids, which are not drawn here",
                "Change the file and import it: wangge import grids FILE "
                f"--grid-kind {edition.kind} --commit",
                field="edition",
            )
        )
    copy = Edition(
        area_code=edition.area_code,
        kind=edition.kind,
        title=title.strip() or edition.title,
        rules=edition.rules,
        note=f"branch of edition {edition.id}" + (f" with {part}" if part else ""),
        based_on_id=edition.id,
        author=author,
    )
    session.add(copy)
    session.flush()
    copy_rows(session, edition.id, copy.id)
    remarks: list[Remark] = []
    if not _has_cells(session, copy.id):
        session.execute(sa.delete(Cell).where(Cell.edition_id == copy.id))
        remarks = give_cells(session, edition, copy)
    if part is not None:
        remarks += put_part(session, copy, part)
    plan = open_draft(session, copy.id, author=author)
    for each in remarks[:MOST_REMARKS]:
        notes.comment(session, plan, each.words, author=CLEANER, place=(each.lon, each.lat))
    return plan


def _has_cells(session: Session, edition_id: int) -> bool:
    """Whether every cell of an edition knows its neighbours, and there are some."""
    ready, cells = session.execute(
        sa.select(sa.func.count().filter(Cell.neighbours.is_not(None)), sa.func.count()).where(
            Cell.edition_id == edition_id
        )
    ).one()
    return bool(cells) and ready == cells


def _rows(session: Session, edition_id: int) -> list[dict[str, Any]]:
    wanted = (getattr(GridShape, name) for name in FIGURES)
    rows = session.execute(sa.select(*wanted).where(GridShape.edition_id == edition_id))
    return [dict(row) for row in rows.mappings()]
