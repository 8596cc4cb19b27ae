"""Whether an edition may be in force: base grids tile, exclusive ones lie over them, micro nest."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import shapely
import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import ARRAY

from boundaries import areas, editions
from boundaries.models import Edition
from gis.errors import Problem
from grids.models import GridShape
from grids.overlays import exclusive_problems, micro_problems
from grids.tiling import tiling_problems

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from numpy.typing import NDArray
    from sqlalchemy.orm import Session

    Grids = tuple[list[str], list[str], NDArray[np.object_]]


def check(session: Session, edition: Edition, at: datetime) -> list[Problem]:
    """Every breach of the rules of its kind in an edition, drafts included.

    Base grids tile the area; exclusive ones lie in it without overlapping one another; micro grids
    each lie in one base grid of those in force at that moment. A code means one grid: none is in
    force in an edition of another kind.
    """
    codes, units, shapes = grids = _grids(session, GridShape.edition_id == edition.id)
    if edition.kind == "micro":
        base = _grids(
            session,
            *_in_force(edition, "base", at),
            GridShape.geom.op("&&")(
                sa.select(sa.func.ST_SetSRID(sa.func.ST_Extent(GridShape.geom), 4326))
                .where(GridShape.edition_id == edition.id)
                .scalar_subquery()
            ),
        )
        problems = micro_problems(*grids, base)
    else:
        area = areas.planning_area(session, edition.area_code, at)
        outlines = dict(zip(area["code"], area.geometry, strict=True))
        rule = exclusive_problems if edition.kind == "exclusive" else tiling_problems
        problems = rule(codes, units, shapes, outlines)
    return problems + _taken(session, edition, codes, at)


def unnested(session: Session, base: Edition, at: datetime) -> list[Problem]:
    """Micro grids in force from `at` on that do not nest in the base edition there, by name."""
    return [
        Problem(f"edition {micro.id}: {each.reason}", each.remedy)
        for micro in editions.overlapping(session, base.area_code, "micro", at)
        for each in check(session, micro, _begins(micro, at))
    ]


def _begins(edition: Edition, at: datetime) -> datetime:
    """When an edition holds first, counted from a moment on."""
    first = edition.valid.lower if edition.valid else None
    return at if first is None else max(at, first)


def _grids(session: Session, *conditions: Any) -> Grids:
    """Codes, units and polygons, by code."""
    rows = session.execute(
        sa.select(
            GridShape.code,
            GridShape.unit_code,
            sa.func.ST_AsBinary(GridShape.geom).label("wkb"),
        )
        .join(Edition, Edition.id == GridShape.edition_id)
        .where(*conditions)
        .order_by(GridShape.code)
    ).all()
    shapes = shapely.from_wkb([bytes(row.wkb) for row in rows])
    return [row.code for row in rows], [row.unit_code for row in rows], np.asarray(shapes, object)


def _in_force(edition: Edition, kind: str, at: datetime) -> Sequence[Any]:
    """Conditions for the grids of another kind on the ground of an edition."""
    span = sa.func.wangge_code_range
    return (
        Edition.kind == kind,
        Edition.status != "draft",
        Edition.valid.contains(at),
        span(Edition.area_code).op("&&")(span(edition.area_code)),
    )


def _taken(session: Session, edition: Edition, codes: Sequence[str], at: datetime) -> list[Problem]:
    """Codes that grids of another kind have."""
    others = {"base", "micro", "exclusive"} - {edition.kind}
    rows = session.execute(
        sa.select(GridShape.code, Edition.kind)
        .join(Edition, Edition.id == GridShape.edition_id)
        .where(
            *_in_force(edition, "base", at)[1:],
            Edition.kind.in_(others),
            GridShape.code == sa.any_(sa.cast(list(codes), ARRAY(sa.Text))),
        )
        .order_by(GridShape.code)
    ).all()
    return [
        Problem(f"the code {row.code} is that of a {row.kind} grid in force", "Give it another one")
        for row in rows
    ]
