"""Plans: drafts of editions that several people change, move by move, until one is in force."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated, Final

import sqlalchemy as sa
from fastapi import APIRouter, Path, Query

from api.auth import Access, needs
from api.dependencies import SettingsIn
from api.routes.editions import published
from api.routes.session import area_names
from api.schemas.plan_reviews import (
    PublishedOut,
    PublishIn,
    ReturnIn,
    ReviewIn,
    ReviewsOut,
    ReviewStepOut,
)
from api.schemas.plans import (
    BranchIn,
    CommentIn,
    CommentOut,
    CommentsOut,
    GoToIn,
    LocksIn,
    LocksOut,
    MoveIn,
    MoveOut,
    MovesOut,
    PlanGridsOut,
    PlanOut,
    PlansOut,
    SavePointIn,
    SavePointOut,
    SavePointsOut,
    StepIn,
    StepOut,
    grid_of,
)
from boundaries import editions
from grids.models import GridShape
from grids.plans import (
    approval,
    changes,
    history,
    kinds,
    locks,
    notes,
    opening,
)
from grids.plans.changes import Change
from grids.plans.members import FIGURES
from grids.plans.models import PlanRow

router = APIRouter(prefix="/api/v1/plans", tags=["plans"])
Reader = Annotated[Access, needs("drafts.read")]
Writer = Annotated[Access, needs("drafts.write")]
Thinker = Annotated[Access, needs("drafts.write", heavy=True)]
Approver = Annotated[Access, needs("editions.publish", heavy=True)]
PlanId = Annotated[int, Path(ge=1, le=2**53, description="Number of its edition")]
MAX_PAGE: Final = 5000
CONFLICT: Final[dict[int | str, dict[str, str]]] = {
    409: {"description": "Changed, locked or closed by somebody else meanwhile: load it anew"}
}


@router.get("", summary="Plans of the area, newest first")
def index(access: Reader) -> PlansOut:
    """Published ones too."""
    found = opening.plans(access.session)
    names = area_names(access.session, [plan.area_code for plan, _ in found])
    return PlansOut(plans=[PlanOut.of(*each, names=names) for each in found])


@router.post(
    "",
    status_code=201,
    summary="Open a plan",
    responses={**CONFLICT, 404: {"description": "There is no such edition in the caller's area"}},
)
def begin(body: BranchIn, access: Thinker) -> PlanOut:
    """Of a draft that was drawn, or as a branch of any edition, whose grids keep their identity."""
    plan = (
        opening.branch(
            access.session, body.edition, title=body.title, author=access.actor, part=body.part
        )
        if body.branch
        else opening.open_draft(access.session, body.edition, author=access.actor)
    )
    return shown_plan(access, plan)


@router.get("/{plan_id}", summary="A plan and its figures")
def show(plan_id: PlanId, access: Reader) -> PlanOut:
    """The figures are kept up with every move."""
    return shown_plan(access, opening.get(access.session, plan_id))


@router.get("/{plan_id}/grids", summary="Grids of a plan, by code")
def grids(
    plan_id: PlanId,
    access: Reader,
    limit: Annotated[int, Query(ge=1, description="At most 5000; more is cut to that")] = 1000,
    cursor: Annotated[str | None, Query(max_length=30, description="`next` of the page before")] = (
        None
    ),
) -> PlanGridsOut:
    """With figures and locks; shapes are in the tiles."""
    plan = opening.get(access.session, plan_id)
    locked = {each.grid_id: each.author for each in locks.locks(access.session, plan)}
    size = min(limit, MAX_PAGE)
    rows = (
        access.session.execute(
            sa.select(GridShape.grid_id, *(getattr(GridShape, name) for name in FIGURES))
            .where(GridShape.edition_id == plan_id, GridShape.code > (cursor or ""))
            .order_by(GridShape.code)
            .limit(size + 1)
        )
        .mappings()
        .all()
    )
    shown = [grid_of(row, plan, locked.get(row["grid_id"])) for row in rows[:size]]
    more = len(rows) > size
    return PlanGridsOut(version=plan.version, items=shown, next=shown[-1].code if more else None)


@router.get("/{plan_id}/moves", summary="History of a plan, newest first")
def moves(
    plan_id: PlanId,
    access: Reader,
    limit: Annotated[int, Query(ge=1, description="At most 1000; more is cut to that")] = 100,
    before: Annotated[
        int | None, Query(ge=1, le=2**31 - 1, description="`next` of the page before")
    ] = None,
) -> MovesOut:
    """Moves that were taken back are there too: nothing is lost."""
    plan = opening.get(access.session, plan_id)
    found = history.moves(access.session, plan, limit=min(limit, 1000) + 1, before=before)
    line = history.line_of(access.session, plan)
    shown = found[: min(limit, 1000)]
    return MovesOut(
        items=[MoveOut.of(each, line) for each in shown],
        next=shown[-1].seq if len(found) > len(shown) else None,
    )


@router.post("/{plan_id}/moves", status_code=201, summary="Make a move", responses=CONFLICT)
def make(plan_id: PlanId, body: MoveIn, access: Thinker) -> StepOut:
    """Refused, with nothing changed, when a grid would be in pieces or cross the line of a unit."""
    plan = changes.plan_for_change(access.session, plan_id)
    change = _change(access, plan, body)
    done = changes.carry_out(
        access.session, plan, change, author=access.actor, version=body.version
    )
    return StepOut.of(done)


def _change(access: Access, plan: PlanRow, body: MoveIn) -> Change:  # noqa: PLR0911 - a kind each
    session = access.session
    match body.kind:
        case "move" | "release":
            return kinds.move(session, plan, body.cells or [], body.to, take_along=body.take_along)
        case "assign":
            pairs = zip(body.cells or [], body.places or [], strict=True)
            return kinds.assign(session, plan, dict(pairs))
        case "split" if body.line is not None:
            return kinds.split_by_line(session, plan, body.grid or 0, body.line_drawn())
        case "split":
            return kinds.split(session, plan, body.grid or 0, body.parts or 2)
        case "merge":
            return kinds.merge(session, plan, body.grids or [])
        case "border":
            return kinds.border(session, plan, body.polygon_drawn(), body.to)
        case "rebalance":
            return kinds.rebalance(session, plan, body.grids or [])
        case _:
            return kinds.repair(session, plan, body.grids)


@router.post("/{plan_id}/undo", summary="Take the last move back", responses=CONFLICT)
def undo(plan_id: PlanId, body: StepIn, access: Writer) -> StepOut:
    """Every figure and every border is as it was before."""
    plan = changes.plan_for_change(access.session, plan_id)
    return StepOut.of(history.undo(access.session, plan, author=access.actor, version=body.version))


@router.post("/{plan_id}/redo", summary="Make a move again", responses=CONFLICT)
def redo(plan_id: PlanId, body: StepIn, access: Writer) -> StepOut:
    """What was taken back last."""
    plan = changes.plan_for_change(access.session, plan_id)
    return StepOut.of(history.redo(access.session, plan, author=access.actor, version=body.version))


@router.post("/{plan_id}/go-to", summary="Go to a state of the history", responses=CONFLICT)
def go_to(plan_id: PlanId, body: GoToIn, access: Thinker) -> StepOut:
    """After a move, at the beginning (0), or at a save point."""
    plan = changes.plan_for_change(access.session, plan_id)
    seq = (
        body.move
        if body.save_point is None
        else notes.named(access.session, plan, body.save_point).seq
    )
    return StepOut.of(
        history.go_to(access.session, plan, seq or 0, author=access.actor, version=body.version)
    )


@router.post("/{plan_id}/locks", summary="Lock grids", responses=CONFLICT)
def lock(plan_id: PlanId, body: LocksIn, access: Writer) -> LocksOut:
    """No move touches a locked grid, nor takes back one that did."""
    plan = changes.plan_for_change(access.session, plan_id)
    made = locks.lock(access.session, plan, body.grids, author=access.actor)
    return LocksOut(version=plan.version, grids=made)


@router.post("/{plan_id}/unlock", summary="Unlock grids", responses=CONFLICT)
def unlock(plan_id: PlanId, body: LocksIn, access: Writer) -> LocksOut:
    """Whoever locked them."""
    plan = changes.plan_for_change(access.session, plan_id)
    freed = locks.unlock(access.session, plan, body.grids, author=access.actor)
    return LocksOut(version=plan.version, grids=freed)


@router.get("/{plan_id}/comments", summary="Comments on a plan")
def comments(plan_id: PlanId, access: Reader) -> CommentsOut:
    """Open ones first."""
    plan = opening.get(access.session, plan_id)
    found = notes.comments(access.session, plan)
    return CommentsOut(comments=[CommentOut.of(each) for each in found])


@router.post("/{plan_id}/comments", status_code=201, summary="Comment on a plan")
def comment(plan_id: PlanId, body: CommentIn, access: Writer) -> CommentOut:
    """Pinned to a place, or to the whole plan."""
    plan = opening.get(access.session, plan_id)
    place = (body.lon, body.lat) if body.lon is not None and body.lat is not None else None
    made = notes.comment(access.session, plan, body.words, author=access.actor, place=place)
    return CommentOut.of(made)


@router.post("/{plan_id}/comments/{comment_id}/close", summary="A comment is dealt with")
def close_comment(
    plan_id: PlanId, comment_id: Annotated[int, Path(ge=1, le=2**53)], access: Writer
) -> CommentOut:
    """It stays to be read."""
    plan = opening.get(access.session, plan_id)
    return CommentOut.of(notes.close(access.session, plan, comment_id, author=access.actor))


@router.get("/{plan_id}/save-points", summary="Save points of a plan")
def save_points(plan_id: PlanId, access: Reader) -> SavePointsOut:
    """The newest first."""
    plan = opening.get(access.session, plan_id)
    found = notes.save_points(access.session, plan)
    return SavePointsOut(save_points=[SavePointOut.of(each) for each in found])


@router.post("/{plan_id}/save-points", status_code=201, summary="Name the plan as it is")
def save_point(plan_id: PlanId, body: SavePointIn, access: Writer) -> SavePointOut:
    """A name that was used before is moved."""
    plan = opening.get(access.session, plan_id)
    return SavePointOut.of(notes.save_point(access.session, plan, body.name, author=access.actor))


@router.post("/{plan_id}/submit", summary="Hand a plan in for approval", responses=CONFLICT)
def submit(plan_id: PlanId, access: Thinker) -> ReviewsOut:
    """Checked whole; it takes no moves until it is returned."""
    plan = approval.submit(access.session, plan_id, author=access.actor, at=datetime.now(UTC))
    return _reviews(access, plan)


@router.get("/{plan_id}/reviews", summary="What reviewers said")
def reviews(plan_id: PlanId, access: Reader) -> ReviewsOut:
    """The newest first."""
    return _reviews(access, opening.get(access.session, plan_id))


@router.post("/{plan_id}/approve", summary="Approve a plan", responses=CONFLICT)
def approve(plan_id: PlanId, body: ReviewIn, access: Approver) -> ReviewsOut:
    """By somebody who did not work on it."""
    plan = approval.approve(access.session, plan_id, approver=access.actor, note=body.note)
    return _reviews(access, plan)


@router.post("/{plan_id}/return", summary="Take a plan back to the table", responses=CONFLICT)
def give_back(plan_id: PlanId, body: ReturnIn, access: Approver) -> ReviewsOut:
    """With remarks."""
    plan = approval.give_back(access.session, plan_id, author=access.actor, note=body.note)
    return _reviews(access, plan)


@router.post(
    "/{plan_id}/publish",
    summary="Put an approved plan in force",
    responses={409: {"description": "It is not approved, or another edition stands in the way"}},
)
def publish(
    plan_id: PlanId, body: PublishIn, access: Approver, settings: SettingsIn
) -> PublishedOut:
    """Open incidents follow by an event, people by the identity of their grid; the rest is told."""
    opening.get(access.session, plan_id)
    done = approval.publish(
        access.session, plan_id, publisher=access.actor, effective=body.moment(settings)
    )
    return published(access, done)


def shown_plan(access: Access, plan: PlanRow) -> PlanOut:
    """The plan with the name of its area."""
    edition = editions.get(access.session, plan.edition_id)
    return PlanOut.of(plan, edition, names=area_names(access.session, [plan.area_code]))


def _reviews(access: Access, plan: PlanRow) -> ReviewsOut:
    told = [ReviewStepOut.of(each) for each in approval.steps(access.session, plan)]
    return ReviewsOut(state=plan.state, steps=told)
