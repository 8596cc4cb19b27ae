"""Draw a plan of an area, anew or from an edition before."""

from __future__ import annotations

import threading
from typing import Annotated, Final

from fastapi import APIRouter

from api.auth import Access, needs
from api.schemas.plan_drawings import CurvePointOut, DrawIn, DrawnOut, FateOut, FindingOut
from api.schemas.plans import PlanOut
from boundaries.errors import UnitNotFound
from gis.database import execute
from gis.errors import BadInput, TooMany
from grids import planning
from grids.plans import opening

router = APIRouter(prefix="/api/v1/plans", tags=["plans"])
MOST_BUILDINGS: Final = 30_000
"""What is drawn within a request; more takes minutes, and the command line has them."""
_drawing: Final = threading.Lock()


@router.post(
    "/drawings",
    status_code=201,
    summary="Draw a plan",
    responses={
        404: {"description": "There is no such unit or edition in the caller's area"},
        429: {"description": "Another plan is being drawn; Retry-After says when to ask again"},
    },
)
def draw(body: DrawIn, access: Annotated[Access, needs("drafts.write", heavy=True)]) -> DrawnOut:
    """One at a time, up to 30,000 buildings; larger areas by `wangge plan draw --unit`.

    The draft is a plan at once, to be changed move by move. The same data and seed give the same
    plan, unless the effort is in seconds.
    """
    if not access.caller.scope.covers(body.area):
        raise UnitNotFound(f"there is no unit {body.area} with a polygon")
    if not _drawing.acquire(blocking=False):
        raise TooMany("a plan is being drawn, and one is drawn at a time", after_s=20)
    try:
        # The connection waits while the planner works.
        execute(access.session, "SET LOCAL idle_in_transaction_session_timeout = '15min'")
        plan, edition = planning.draw_draft(
            access.session,
            body.area,
            author=access.actor,
            target=body.target,
            tolerance=body.tolerance,
            seed=body.seed,
            title=body.title.strip() or None,
            before=body.before,
            pinned=body.pins(),
            camps=body.camp_points(),
            most_buildings=MOST_BUILDINGS,
            **body.wishes(),
        )
    except BadInput as error:
        raise BadInput(map(body.placed, error.problems)) from None
    finally:
        _drawing.release()
    row = opening.open_draft(access.session, edition.id, author=access.actor)
    fates = [] if plan.lineage is None else plan.lineage.to_dict("records")
    return DrawnOut(
        plan=PlanOut.of(row, edition),
        households_moved=plan.settings.get("households_moved"),
        households_with_camp=plan.settings.get("households_with_camp"),
        households_apart=plan.settings.get("households_apart"),
        curve=None
        if plan.curve is None
        else [CurvePointOut.model_validate(each) for each in plan.curve.to_dict("records")],
        lineage=[FateOut.model_validate(each) for each in fates],
        findings=[
            FindingOut(
                rule=each.rule,
                place=each.place,
                text=each.text,
                text_zh=each.text_zh,
                lon=each.lon,
                lat=each.lat,
            )
            for each in plan.findings
        ],
    )
