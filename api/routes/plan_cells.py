"""Cells of a plan, which a planner's program moves from grid to grid; cells and grids as files."""

from __future__ import annotations

import json
from functools import partial
from typing import Annotated, Final, Literal, get_args

import sqlalchemy as sa
from fastapi import APIRouter, Query, Response

from api.auth import Access, needs
from api.routes.plans import PlanId, Reader
from grids import planning
from grids.models import Cell, GridShape
from grids.plans import opening
from maps.layer_files import MEDIA_TYPES, as_bytes, write_layer

router = APIRouter(prefix="/api/v1/plans", tags=["plans"])
MAX_PAGE: Final = 2000
Format = Literal["gpkg", "geojson", "shz", "zip", "parquet", "csv"]
FORMATS: Final = get_args(Format)
"""Those of `maps.layer_files.WRITERS` that are whole in one file."""


@router.get(
    "/{plan_id}/cells",
    summary="Cells of a plan, as GeoJSON",
    response_class=Response,
    responses={200: {"content": {"application/geo+json": {}}, "description": "Polygons, WGS 84"}},
)
def cells(
    plan_id: PlanId,
    access: Reader,
    grid: Annotated[
        str | None, Query(max_length=30, description="Code of a grid; all cells when left out")
    ] = None,
    limit: Annotated[int, Query(ge=1, description="At most 2000; more is cut to that")] = 500,
    cursor: Annotated[
        int | None, Query(ge=0, le=2**31 - 1, description="`next` of the page before")
    ] = None,
    *,
    free: Annotated[bool, Query(description="Only ground that no grid has")] = False,
) -> Response:
    """By number, with households, buildings, the grid's code, neighbours, and ways on foot.

    ``version`` is the plan's: a move names it, and is refused if the grids it touches have changed
    since. ``next`` asks for the cells after these.
    """
    plan = opening.get(access.session, plan_id)
    size = min(limit, MAX_PAGE)
    statement = (
        sa.select(
            Cell.cell_id,
            Cell.unit_code,
            Cell.households,
            sa.func.cardinality(Cell.building_ids).label("buildings"),
            Cell.neighbours,
            Cell.doors,
            GridShape.code,
            sa.func.ST_AsGeoJSON(Cell.geom, 7).label("shape"),
        )
        .outerjoin(
            GridShape,
            sa.and_(GridShape.edition_id == Cell.edition_id, GridShape.grid_id == Cell.grid_id),
        )
        .where(Cell.edition_id == plan_id)
        .order_by(Cell.cell_id)
        .limit(size + 1)
    )
    if cursor is not None:
        statement = statement.where(Cell.cell_id > cursor)
    if grid is not None:
        statement = statement.where(GridShape.code == grid)
    if free:
        statement = statement.where(Cell.grid_id.is_(None))
    rows = access.session.execute(statement).all()
    shown = rows[:size]
    features = [
        {
            "type": "Feature",
            "id": row.cell_id,
            "properties": {
                "grid": row.code,
                "unit_code": row.unit_code,
                "households": row.households,
                "buildings": row.buildings,
                "neighbours": row.neighbours,
                "on_foot": row.doors,
            },
            "geometry": json.loads(row.shape),
        }
        for row in shown
    ]
    whole = {
        "type": "FeatureCollection",
        "version": plan.version,
        "next": shown[-1].cell_id if len(rows) > size else None,
        "features": features,
    }
    return Response(json.dumps(whole), media_type="application/geo+json")


@router.get(
    "/{plan_id}/export",
    summary="Grids or cells of a plan as a file",
    response_class=Response,
    responses={
        200: {
            "content": {MEDIA_TYPES[form]: {} for form in FORMATS},
            "description": "WGS 84; shz and zip are a Shapefile in one file, csv has no geometry",
        }
    },
)
def export(
    plan_id: PlanId,
    access: Annotated[Access, needs("drafts.read", heavy=True)],
    layer: Annotated[
        Literal["grids", "cells"],
        Query(description="Grids with their figures, or which cell belongs to which grid"),
    ] = "grids",
    form: Annotated[Format, Query(alias="format")] = "gpkg",
) -> Response:
    """The same files as of `wangge plan export`."""
    opening.get(access.session, plan_id)
    made = {"grids": planning.grids_frame, "cells": planning.cells_frame}[layer]
    frame = made(access.session, plan_id)
    return Response(
        as_bytes(partial(write_layer, frame, layer=layer), f".{form}"),
        media_type=MEDIA_TYPES[form],
        headers={"Content-Disposition": f'attachment; filename="{layer}-{plan_id}.{form}"'},
    )
