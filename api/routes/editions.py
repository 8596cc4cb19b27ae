"""Editions of base, micro and exclusive grids: their history, put in force, taken back."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated, Final, Literal

import sqlalchemy as sa
from fastapi import APIRouter, Path, Query, Request
from pydantic import BaseModel, Field

from api import phrases
from api.auth import Access, needs
from api.dependencies import SettingsIn
from api.schemas.editions import BreachOut, EditionOut, EditionsOut, Kind, RollbackIn, WithdrawnOut
from api.schemas.plan_reviews import PublishedOut, PublishIn, TaskOut
from boundaries import editions
from boundaries.models import Edition
from gis import audit
from gis.errors import BadInput, Problem
from grids import going_back, succession, withdrawal
from grids.checking import check
from grids.models import GridShape
from grids.plans import approval, changeover

if TYPE_CHECKING:
    from grids.service import Published

router = APIRouter(prefix="/api/v1/editions", tags=["plans"])
MAX_PAGE: Final = 5000
MOST_EDITIONS: Final = 500


EditionId = Annotated[int, Path(ge=1, le=2**53)]
Approver = Annotated[Access, needs("editions.publish", heavy=True)]
NOT_THERE: Final[dict[int | str, dict[str, str]]] = {
    404: {"description": "There is no such edition in the caller's area"}
}


@router.get("", summary="Editions of the area, newest first")
def index(
    access: Annotated[Access, needs("grids.read")],
    kind: Annotated[Kind | None, Query(description="Of one kind")] = None,
    limit: Annotated[int, Query(ge=1, description="At most 500; more is cut to that")] = 100,
    cursor: Annotated[
        int | None, Query(ge=1, le=2**53, description="`next` of the page before")
    ] = None,
) -> EditionsOut:
    """In force, superseded, and drafts to those who see them; grids are those in sight."""
    size = min(limit, MOST_EDITIONS)
    statement = sa.select(Edition).order_by(Edition.id.desc()).limit(size + 1)
    if kind is not None:
        statement = statement.where(Edition.kind == kind)
    if cursor is not None:
        statement = statement.where(Edition.id < cursor)
    found = access.session.scalars(statement).all()
    shown = found[:size]
    counted = access.session.execute(
        sa.select(GridShape.edition_id, sa.func.count().label("grids"))
        .where(GridShape.edition_id.in_([each.id for each in shown]))
        .group_by(GridShape.edition_id)
    )
    counts = {row.edition_id: row.grids for row in counted}
    return EditionsOut(
        items=[EditionOut.of(each, counts.get(each.id, 0)) for each in shown],
        next=shown[-1].id if len(found) > size else None,
    )


@router.get(
    "/{edition_id}/breaches",
    summary="What keeps an edition from being in force",
    responses=NOT_THERE,
)
def breaches(
    edition_id: EditionId,
    access: Annotated[Access, needs("drafts.read", heavy=True)],
    request: Request,
) -> list[BreachOut]:
    """Every rule of its kind that its grids break, now, with size and place; none: it may be.

    In Chinese to who asks for it, as refusals are.
    """
    edition = editions.get(access.session, edition_id)
    found = check(access.session, edition, datetime.now(UTC))
    if phrases.wants_chinese(request.headers.get("accept-language", "")):
        _, found = phrases.told("", found)
    return [BreachOut.of(each) for each in found]


@router.get(
    "/{edition_id}/to-do",
    summary="What a change-over leaves for people to decide",
    responses=NOT_THERE,
)
def to_do(
    edition_id: EditionId, access: Annotated[Access, needs("editions.publish", heavy=True)]
) -> list[TaskOut]:
    """Grids without anybody, and people of grids that are gone, as it is now."""
    edition = editions.get(access.session, edition_id)
    return _tasks(access, edition, datetime.now(UTC))


@router.post(
    "/{edition_id}/publish",
    summary="Put a draft in force",
    responses={
        **NOT_THERE,
        409: {"description": "It is no draft, its plan is not approved, or another stands there"},
    },
)
def publish(
    edition_id: EditionId, body: PublishIn, access: Approver, settings: SettingsIn
) -> PublishedOut:
    """Imported base, micro or exclusive grids; a plan under work has to be approved first."""
    editions.get(access.session, edition_id)
    done = approval.publish(
        access.session, edition_id, publisher=access.actor, effective=body.moment(settings)
    )
    return published(access, done)


@router.post(
    "/{edition_id}/rollback",
    summary="Go back to the edition before",
    responses={**NOT_THERE, 409: {"description": "It is not in force, or there is none before"}},
)
def rollback(edition_id: EditionId, body: RollbackIn, access: Approver) -> PublishedOut:
    """By a copy that is in force from now on: what was answered meanwhile stays as it was."""
    editions.get(access.session, edition_id)
    done = going_back.roll_back(access.session, edition_id, actor=access.actor, note=body.note)
    return published(access, done)


@router.post(
    "/{edition_id}/withdraw",
    summary="Take back an edition that is still to come",
    responses={**NOT_THERE, 409: {"description": "It is a draft, in force, or was so already"}},
)
def withdraw(edition_id: EditionId, body: RollbackIn, access: Approver) -> WithdrawnOut:
    """Before the day for which it was published; the edition that it was to replace goes on."""
    editions.get(access.session, edition_id)
    done = withdrawal.withdraw(
        access.session, edition_id, actor=access.actor, note=body.note.strip()
    )
    return WithdrawnOut(
        edition=edition_id,
        effective=done.effective,
        going_on=[each.id for each in done.going_on],
    )


def published(access: Access, done: Published) -> PublishedOut:
    """What a change-over did, and what it leaves for people to do; open incidents follow it."""
    number = done.edition.id
    followed = changeover.change_over(access.session, author=access.actor)
    begins = done.edition.valid.lower if done.edition.valid else None
    assert begins is not None
    return PublishedOut(
        edition=number,
        valid_from=begins,
        replaced=[each.id for each in done.replaced],
        grids=done.grids,
        kept=done.kept,
        incidents=followed.get(number, 0),
        unnested=[BreachOut.of(each) for each in done.unnested],
        to_do=_tasks(access, done.edition, begins),
    )


def _tasks(access: Access, edition: Edition, at: datetime) -> list[TaskOut]:
    left = changeover.tasks(access.session, edition.id, at=at)
    audit.read(
        access.session, object_kind="edition", fields=("name",),
        counts={edition.area_code: len(left)}, object_id=edition.id,
    )  # fmt: skip
    return [
        TaskOut.model_validate({name: getattr(each, name) for name in TaskOut.model_fields})
        for each in left
    ]


class SuccessionOut(BaseModel):
    """A grid of the edition before and one of this that share ground."""

    predecessor: str
    successor: str
    fate: Literal["kept", "merged", "split", "new"] = Field(
        description="Of this part: the same grid; into a grid that was there; to a new grid while "
        "the predecessor goes on; to a new grid, and the predecessor is gone"
    )
    households: int
    buildings: int
    area_m2: float


class LineageOut(BaseModel):
    """Some of them by code; ``next`` asks for those after them."""

    items: list[SuccessionOut]
    next: str | None


@router.get(
    "/{edition_id}/lineage",
    summary="What the grids of an edition come from",
    responses=NOT_THERE,
)
def lineage(
    edition_id: EditionId,
    access: Annotated[Access, needs("grids.read")],
    code: Annotated[
        str | None, Query(pattern=r"^\d{1,20}$", description="Of one grid, before or since")
    ] = None,
    limit: Annotated[int, Query(ge=1, description="At most 5000; more is cut to that")] = 1000,
    cursor: Annotated[
        str | None, Query(max_length=50, description="`next` of the page before")
    ] = None,
) -> LineageOut:
    """As it was written down on publishing; counts are those of that day."""
    editions.get(access.session, edition_id)
    first, found, second = (cursor or "|").partition("|")
    if not found:
        raise BadInput(Problem("this is no cursor", "Send `next` as it came", field="cursor"))
    size = min(limit, MAX_PAGE)
    rows = succession.lineage(
        access.session, edition_id, code=code, after=(first, second), limit=size + 1
    )
    shown = rows[:size]
    last = f"{shown[-1].predecessor}|{shown[-1].successor}" if len(rows) > size else None
    return LineageOut(
        items=[
            SuccessionOut(
                predecessor=each.predecessor,
                successor=each.successor,
                fate=each.fate,
                households=each.households,
                buildings=each.buildings,
                area_m2=each.area_m2,
            )
            for each in shown
        ],
        next=last,
    )
