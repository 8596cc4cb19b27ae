"""Grids of a plan with their shapes: all of them, or those that changed since a version."""

from __future__ import annotations

import json
from typing import Annotated, Any, Final

import sqlalchemy as sa
from fastapi import APIRouter, Query, Response

from api.auth import Access, needs
from api.routes.plans import PlanId, shown_plan
from api.schemas.plans import grid_of
from grids.models import GridShape
from grids.plans import locks, opening
from grids.plans.changes import tolerance_of
from grids.plans.members import FIGURES
from grids.plans.models import PlanRow, PlanStep

router = APIRouter(prefix="/api/v1/plans", tags=["plans"])
MAX_PAGE: Final = 2000
DECIMALS: Final = 6
"""Of a degree: 0.1 m, less than a line on the screen is wide."""


@router.get(
    "/{plan_id}/shapes",
    summary="Grids of a plan with their shapes, as GeoJSON",
    response_class=Response,
    responses={200: {"content": {"application/geo+json": {}}, "description": "Polygons, WGS 84"}},
)
def shapes(
    plan_id: PlanId,
    access: Annotated[Access, needs("drafts.read", heavy=True)],
    since: Annotated[
        int | None,
        Query(ge=0, le=2**31 - 1, description="Only grids that steps after this version touched"),
    ] = None,
    limit: Annotated[int, Query(ge=1, description="At most 2000; more is cut to that")] = 1000,
    cursor: Annotated[str | None, Query(max_length=30, description="`next` of the page before")] = (
        None
    ),
) -> Response:
    """By code, with figures, lock, and a place inside (``lon``, ``lat``) for the label.

    ``plan`` is the plan as it is now, with its version and figures. With ``since``, ``gone`` are
    the numbers of grids that are no more, and ``steps`` what was done, by whom, the newest first:
    a page on the wall asks with the version it shows and draws what comes back.
    """
    plan = opening.get(access.session, plan_id)
    size = min(limit, MAX_PAGE)
    steps: list[PlanStep] = []
    statement = (
        sa.select(
            GridShape.grid_id,
            *(getattr(GridShape, name) for name in FIGURES),
            sa.func.ST_AsGeoJSON(GridShape.geom, DECIMALS).label("shape"),
            sa.func.ST_X(sa.func.ST_PointOnSurface(GridShape.geom)).label("lon"),
            sa.func.ST_Y(sa.func.ST_PointOnSurface(GridShape.geom)).label("lat"),
        )
        .where(GridShape.edition_id == plan_id, GridShape.code > (cursor or ""))
        .order_by(GridShape.code)
        .limit(size + 1)
    )
    gone: list[int] = []
    if since is not None:
        steps = list(
            access.session.scalars(
                sa.select(PlanStep)
                .where(PlanStep.edition_id == plan_id, PlanStep.version > since)
                .order_by(PlanStep.version.desc())
            )
        )
        touched = {grid for each in steps for grid in each.grids}
        there = access.session.scalars(
            sa.select(GridShape.grid_id).where(
                GridShape.edition_id == plan_id, GridShape.grid_id.in_(touched)
            )
        ).all()
        gone = sorted(touched - set(there))
        statement = statement.where(GridShape.grid_id.in_(there))
    rows = access.session.execute(statement).mappings().all()
    shown = rows[:size]
    locked = {each.grid_id: each.author for each in locks.locks(access.session, plan)}
    head: dict[str, Any] = {
        "type": "FeatureCollection",
        "plan": shown_plan(access, plan).model_dump(mode="json"),
        "gone": gone,
        "steps": [
            {
                "version": each.version,
                "at": each.at.isoformat(),
                "author": each.author,
                "kind": each.kind,
                "grids": each.grids,
            }
            for each in steps
        ],
        "next": shown[-1]["code"] if len(rows) > size else None,
    }
    features = ",".join(_feature(row, plan, locked) for row in shown)
    # Put together as text: reading megabytes of coordinates only to write them again takes longer
    # than the database needs for them.
    body = f'{json.dumps(head)[:-1]}, "features": [{features}]}}'
    return Response(body, media_type="application/geo+json")


def _feature(row: Any, plan: PlanRow, locked: dict[int, str]) -> str:
    figures = grid_of(row, plan, locked.get(row["grid_id"])).model_dump()
    number = figures.pop("id")
    properties = {
        **figures, "area_type": row["area_type"], "tolerance": tolerance_of(plan, row["area_type"]),
        "lon": round(row["lon"], DECIMALS), "lat": round(row["lat"], DECIMALS),
    }  # fmt: skip
    return (
        f'{{"type": "Feature", "id": {number}, "properties": {json.dumps(properties)}, '
        f'"geometry": {row["shape"]}}}'
    )
