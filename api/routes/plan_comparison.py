"""A plan beside another edition: what would be different, on a map, and in letters."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from functools import partial
from typing import Annotated, Literal

import shapely
from fastapi import APIRouter, Query, Response

from api.auth import Access, needs
from api.routes.plans import PlanId
from api.schemas.plan_reviews import ComparisonOut
from boundaries import editions
from gis import audit
from grids.plans import comparison, opening
from maps.layer_files import MEDIA_TYPES, as_bytes, write_letters

router = APIRouter(prefix="/api/v1/plans", tags=["plans"])
Looker = Annotated[Access, needs("drafts.read", heavy=True)]
Beside = Annotated[
    int | None,
    Query(ge=1, le=2**53, description="Edition; what the plan is a branch of when left out"),
]


@router.get("/{plan_id}/comparison", summary="A plan beside another edition")
def compare(
    plan_id: PlanId,
    access: Looker,
    beside: Beside = None,
) -> ComparisonOut:
    """Households, buildings, open incidents and cameras that go elsewhere, and how even it gets."""
    found = _comparison(access, plan_id, beside)
    _enter(access, plan_id, found)
    return ComparisonOut.of(found)


@router.get(
    "/{plan_id}/difference",
    summary="Ground that changes hands, as GeoJSON",
    response_class=Response,
    responses={200: {"content": {"application/geo+json": {}}, "description": "Polygons, WGS 84"}},
)
def difference(
    plan_id: PlanId,
    access: Looker,
    beside: Beside = None,
) -> Response:
    """Each with the codes it goes from and to, and its area in m2."""
    found = _comparison(access, plan_id, beside)
    features = [
        {
            "type": "Feature",
            "properties": {name: each[name] for name in ("from_grid", "to_grid", "area_m2")},
            "geometry": json.loads(shapely.to_geojson(shapely.from_wkb(each["wkb"]))),
        }
        for each in comparison.difference(access.session, found)
    ]
    whole = {"type": "FeatureCollection", "features": features}
    return Response(json.dumps(whole), media_type="application/geo+json")


@router.get(
    "/{plan_id}/letters",
    summary="What letters to workers are written from",
    response_class=Response,
    responses={
        200: {
            "content": {MEDIA_TYPES["csv"]: {}, MEDIA_TYPES["xlsx"]: {}},
            "description": "A row for each building that moves, with both workers",
        }
    },
)
def letters(
    plan_id: PlanId,
    access: Looker,
    beside: Beside = None,
    form: Annotated[Literal["csv", "xlsx"], Query(alias="format")] = "csv",
) -> Response:
    """By the worker who has it, then by who would get it."""
    found = _comparison(access, plan_id, beside)
    rows = comparison.letters(access.session, found, at=datetime.now(UTC))
    _enter(access, plan_id, found)
    return Response(
        as_bytes(partial(write_letters, rows), f".{form}"),
        media_type=MEDIA_TYPES[form],
        headers={"Content-Disposition": f'attachment; filename="letters-{plan_id}.{form}"'},
    )


def _comparison(access: Access, plan_id: int, beside: int | None) -> comparison.Comparison:
    plan = opening.get(access.session, plan_id)
    edition = editions.get(access.session, plan.edition_id)
    first = beside or edition.based_on_id or edition.id
    return comparison.compare(access.session, first, plan_id, at=datetime.now(UTC))


def _enter(access: Access, plan_id: int, found: comparison.Comparison) -> None:
    """Names of workers stand in a comparison."""
    plan = opening.get(access.session, plan_id)
    audit.read(
        access.session,
        object_kind="edition",
        fields=("worker.name",),
        counts={plan.area_code: found.workers_concerned},
        object_id=plan_id,
    )
