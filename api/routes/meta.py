"""What this installation holds: for the viewer's first request."""

from __future__ import annotations

from datetime import UTC, datetime
from importlib.metadata import version
from typing import Annotated, Literal

import sqlalchemy as sa
from fastapi import APIRouter
from pydantic import BaseModel

from api.auth import Access, needs
from api.dependencies import SettingsIn
from api.schemas.places import EditionBrief, Unit
from boundaries import editions, repository
from boundaries.service import INVENTED_SOURCE
from grids.incidents import repository as incidents
from grids.incidents.models import Incident
from grids.models import GridShape

router = APIRouter(prefix="/api/v1", tags=["meta"])


class Names(BaseModel):
    """A name in both languages."""

    zh: str
    en: str


class CategoryOut(BaseModel):
    """A category of incidents."""

    code: str
    name_zh: str
    name_en: str
    kind: Literal["dispute", "hazard", "service", "other"]


class EditionOut(EditionBrief):
    """The edition in force, and how many grids it has."""

    grids: int


class IncidentsOut(BaseModel):
    """How many incidents there are, and from when to when they were reported."""

    count: int
    first: datetime | None
    last: datetime | None


class MetaOut(BaseModel):
    """What is here."""

    name: Names
    demo: bool
    version: str
    bbox: tuple[float, float, float, float] | None
    counties: list[Unit]
    categories: list[CategoryOut]
    edition: EditionOut | None
    incidents: IncidentsOut
    now: datetime
    timezone: str


@router.get("/meta", summary="What this installation holds")
def meta(access: Annotated[Access, needs()], settings: SettingsIn) -> MetaOut:
    """Names, extent, categories, edition in force and period of incidents."""
    session, now = access.session, datetime.now(UTC)
    counties = repository.counties(session, now)
    in_force = editions.in_force(session, now)
    ids = [edition.id for edition in in_force]
    box = session.execute(
        sa.text(
            "SELECT ST_XMin(b), ST_YMin(b), ST_XMax(b), ST_YMax(b) FROM ("
            "SELECT coalesce("
            "(SELECT ST_Extent(geom) FROM grid_shapes WHERE edition_id = ANY(:ids)), "
            "(SELECT ST_Extent(geom) FROM admin_units WHERE code = :area), "
            "(SELECT ST_Extent(geom) FROM admin_units WHERE level = 6)) AS b) AS extent "
            "WHERE b IS NOT NULL"
        ),
        {"ids": ids, "area": access.caller.scope.area},
    ).first()
    grids = session.scalar(sa.select(sa.func.count()).where(GridShape.edition_id.in_(ids)))
    first, last, count = session.execute(
        sa.select(
            sa.func.min(Incident.reported_at), sa.func.max(Incident.reported_at), sa.func.count()
        ).where(*incidents.Filter(scope=access.caller.scope).conditions())
    ).one()
    return MetaOut(
        name=Names(
            zh="、".join(unit.name for unit in counties[:3]) or "网格",
            en=", ".join(unit.name_en or unit.name for unit in counties[:3]) or "wangge",
        ),
        demo=any(unit.source == INVENTED_SOURCE for unit in counties),
        version=version("wangge"),
        bbox=tuple(box) if box else None,
        counties=[Unit.of(unit) for unit in counties],
        categories=[
            CategoryOut.model_validate(each, from_attributes=True)
            for each in incidents.categories(session)
        ],
        edition=EditionOut(**EditionBrief.of(in_force[0]).model_dump(), grids=int(grids or 0))
        if in_force
        else None,
        incidents=IncidentsOut(count=count, first=first, last=last),
        now=now,
        timezone=settings.timezone,
    )
