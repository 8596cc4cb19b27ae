"""Incidents by grid: counts and rates with their doubt, as figures and as GeoJSON."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import pandas as pd
from fastapi import APIRouter, Depends, Query, Request, Response
from pydantic import BaseModel, Field

from api.dependencies import PeriodIn, SettingsIn
from api.kept_maps import (
    KNOWN,
    Asked,
    Both,
    Category,
    Reading,
    Shared,
    in_force,
    is_shared,
    today,
    wanted,
)
from maps import palettes
from maps.gridmaps import words
from maps.gridmaps.classes import FEWEST, MOST, USUAL, Scheme
from maps.gridmaps.gridmap import GridMap, Measure
from maps.gridmaps.service import incident_gridmap
from maps.gridmaps.table import table

if TYPE_CHECKING:
    from sqlalchemy.orm import Session

    from grids.incidents.repository import Filter

router = APIRouter(prefix="/api/v1", tags=["gridmaps"])

MeasureIn = Annotated[
    Measure,
    Query(
        description="count; rate per 1,000 households per 30 days; the same shrunk towards all "
        "grids (smoothed) or towards the neighbours (local), by empirical Bayes"
    ),
]
SchemeIn = Annotated[Scheme, Query(description="How classes are cut")]
ClassesIn = Annotated[int, Query(ge=FEWEST, le=MOST, description="Classes above zero")]
UnitIn = Annotated[
    str | None,
    Query(pattern="^[0-9]{2,12}$", description="Code of a unit; all grids when left out",
          examples=["990121101"]),
]  # fmt: skip


def _asked(
    request: Request,
    access: Reading,
    settings: SettingsIn,
    period: PeriodIn,
    category: Category = None,
    unit: UnitIn = None,
    measure: MeasureIn = "smoothed",
    scheme: SchemeIn = "quantiles",
    classes: ClassesIn = USUAL,
    *,
    shared: Shared = False,
) -> Asked[GridMap]:
    access.caller.require("grids.read")
    may_leave = is_shared(access, shared=shared)

    def make(session: Session, of: Filter) -> GridMap:
        return incident_gridmap(
            session,
            of,
            shared=may_leave,
            unit=unit,
            measure=measure,
            scheme=scheme,
            classes=classes,
            timezone=settings.timezone,
        )

    made_by = (may_leave, unit, measure, scheme, classes, in_force(access.session), today(settings))
    return Asked(request, access, wanted(access, period, category), ("gridmap", *made_by), make)


AskedIn = Annotated[Asked[GridMap], Depends(_asked)]


class ClassOut(BaseModel):
    """A class of the legend: 0 for nothing at all, then those above it."""

    number: int = Field(alias="class")
    above: float | None
    up_to: float
    color: str
    label: str


class GridOut(BaseModel):
    """A grid. What is hidden or unknown is null, never zero."""

    code: str
    name: str
    unit_code: str
    households: int | None
    incidents: int | None
    value: float | None
    low: float | None
    high: float | None
    number: int | None = Field(alias="class")
    state: str = Field(description="shown, hidden, or unknown: no households are known")


class GridmapOut(BaseModel):
    """A grid map with all that its legend has to say."""

    measure: str
    unit: Both
    scheme: str
    start: str
    end: str
    timezone: str
    shared: bool = Field(description="Whether small counts are hidden")
    n: int = Field(description="Incidents of the grids that are shown")
    n_hidden_grids: int
    n_outside: int | None
    n_without_place: int | None
    n_carried: int | None = Field(
        description="Counted by their point, for they were given a grid of another edition"
    )
    legend: list[ClassOut]
    note: Both
    grids: list[GridOut]


@router.get(
    "/gridmaps",
    summary="Incidents by grid, as counts or rates",
    response_model=GridmapOut,
    responses=KNOWN,
)
def gridmap(response: Response, asked: AskedIn) -> Any:
    """Counts and rates with 95 % intervals, in classes, of the grids in force at the end."""
    made, headers = asked.made()
    if made is None:
        return Response(status_code=304, headers=headers)
    response.headers.update(headers)
    return _figures(made)


@router.get(
    "/gridmaps.geojson",
    summary="The same with the polygons of the grids",
    response_class=Response,
    responses={200: {"content": {"application/geo+json": {}}}, **KNOWN},
)
def geojson(asked: AskedIn) -> Response:
    """A feature for each grid, as in the files of ``wangge gridmap``."""
    made, headers = asked.made()
    if made is None:
        return Response(status_code=304, headers=headers)
    text = table(made).to_json(drop_id=True, ensure_ascii=False)
    return Response(text, media_type="application/geo+json", headers=headers)


def _figures(made: GridMap) -> GridmapOut:
    about = made.about
    rows = table(made)
    grids = [
        GridOut.model_validate({name: _plain(row[name]) for name in _FIELDS})
        for row in rows[list(_FIELDS)].to_dict("records")
    ]
    bounds = [None, *made.edges[:-1]]
    legend = [
        ClassOut.model_validate(
            {
                "class": number,
                "above": bounds[number],
                "up_to": made.edges[number] if made.edges else 0.0,
                "color": palettes.hex_colour(colour),
                "label": label,
            }
        )
        for number, (colour, label) in enumerate(zip(made.colours, made.labels, strict=True))
    ]
    return GridmapOut(
        measure=made.measure,
        unit=Both(zh=words.unit(made, "zh"), en=words.unit(made, "en")),
        scheme=made.scheme,
        start=about.start.isoformat(),
        end=about.end.isoformat(),
        timezone=about.timezone,
        shared=made.shared,
        n=made.n,
        n_hidden_grids=int(made.hidden.sum()),
        n_outside=made.n_outside,
        n_without_place=made.n_without_place,
        n_carried=made.n_carried,
        legend=legend,
        note=Both(zh=" ".join(words.notes(made, "zh")), en=" ".join(words.notes(made, "en"))),
        grids=grids,
    )


_FIELDS = (
    "code", "name", "unit_code", "households", "incidents", "value", "low", "high", "class",
    "state",
)  # fmt: skip


def _plain(value: Any) -> Any:
    """A value without pandas' and numpy's own ways of saying that there is none."""
    return None if pd.isna(value) else value
