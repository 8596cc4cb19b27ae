"""Grid maps of the incidents that are in the database."""

from __future__ import annotations

from collections import defaultdict
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import shapely
import sqlalchemy as sa

from boundaries.errors import UnitNotFound
from boundaries.models import AdminUnit, Edition
from gis.errors import BadInput, Problem
from grids.models import GridShape
from maps import sharing
from maps.gridmaps.classes import USUAL
from maps.gridmaps.gridmap import About, Found, GridMap, Grids, build, hidden_of
from maps.service import named_categories, place_name, reported_period

if TYPE_CHECKING:
    from collections.abc import Sequence

    import geopandas as gpd
    from sqlalchemy.orm import Session

    from grids.incidents.repository import Filter
    from maps.gridmaps.classes import Scheme
    from maps.gridmaps.gridmap import Measure

MOST_NAMED: Final = 40
"""Names of units that fit on a sheet."""
_COUNTS: Final = sa.text(
    "SELECT grid_id, category, has_place, incidents, carried FROM wangge_grid_counts(:start, :end)"
)
_SHARED: Final = sa.text(
    "SELECT code, unit_code, category, incidents, carried FROM wangge_shared_counts(:start, :end)"
)


def incident_gridmap(
    session: Session,
    wanted: Filter,
    *,
    shared: bool = False,
    unit: str | None = None,
    measure: Measure = "smoothed",
    scheme: Scheme = "quantiles",
    classes: int = USUAL,
    timezone: str = "Asia/Shanghai",
    title: str = "",
    now: datetime | None = None,
) -> GridMap:
    """Incidents by the grids that were in force at the end of the period, or are now.

    Incidents that were given a grid of another edition are counted by their point, and the map says
    how many these are.

    Parameters
    ----------
    wanted
        Period, categories and scope; an open period is that of the incidents themselves.
    shared
        Whether the map leaves the case team: it is then of the finished quarter that the
        period covers most, and the same for everybody who sees its grids, also without the right
        to see incidents.
    unit
        Code of the unit to map; every grid of the scope when left out.
    now
        Aware; the present when left out.

    Raises
    ------
    BadInput
        An unknown category, no grids in force then, what ``sharing.quarter`` and ``build`` refuse.
    UnitNotFound
        No grid in force lies in the unit.
    """
    names = named_categories(session, wanted.categories)
    sharing.check_years(wanted.start, wanted.end)
    moment = now or datetime.now(UTC)
    asked = None
    if shared:
        quarter = sharing.quarter(wanted.start, wanted.end, timezone=timezone, now=moment)
        start, end = quarter.start, quarter.end
        asked = sharing.changed(wanted.start, wanted.end, quarter)
    else:
        start, end = reported_period(session, wanted)
    categories = tuple(wanted.categories)
    grids, ids, editions = _grids(session, wanted, end, unit)
    if shared:
        found, gone = shared_counts(session, start, end)
    else:
        found, gone = _counts(session, start, end, ids, categories, whole=unit is None), None
    return build(
        grids,
        found,
        about=About(
            start=start,
            end=end,
            timezone=timezone,
            asked=asked,
            title=title,
            category="、".join(names[code].name_zh for code in categories),
            category_en=", ".join(names[code].name_en for code in categories),
            made_on=moment,
            **_place(session, unit, grids, end),
            source="、".join(editions),
        ),
        category=categories,
        gone=gone,
        measure=measure,
        scheme=scheme,
        classes=classes,
    )


def shared_counts(session: Session, start: datetime, end: datetime) -> tuple[Found, frozenset[str]]:
    """Counts of a quarter of the caller's whole counties, and what of them is hidden.

    Parameters
    ----------
    start, end
        Of a ``sharing.Quarter``.
    """
    by_grid: defaultdict[tuple[str, str], int] = defaultdict(int)
    units, carried = {}, 0
    for row in session.execute(_SHARED, {"start": start, "end": end}):
        by_grid[row.code, row.category] += row.incidents
        units[row.code] = row.unit_code
        carried += row.carried
    found = Found(by_grid=by_grid, units=units, carried=carried)
    return found, hidden_of(found)


def _counts(
    session: Session,
    start: datetime,
    end: datetime,
    ids: dict[int, str],
    categories: Sequence[str],
    *,
    whole: bool,
) -> Found:
    """Counts of what the caller sees; what lies in no grid is told where no unit was asked for."""
    by_grid: defaultdict[tuple[str, str], int] = defaultdict(int)
    outside = without = carried = 0
    for row in session.execute(_COUNTS, {"start": start, "end": end}):
        if categories and row.category not in categories:
            continue
        if row.grid_id in ids:
            by_grid[ids[row.grid_id], row.category] += row.incidents
            carried += row.carried
        elif row.has_place:
            outside += row.incidents
        else:
            without += row.incidents
    if not whole:
        outside = without = 0
    return Found(by_grid=by_grid, outside=outside, without_place=without, carried=carried)


def in_force(end: datetime) -> sa.ColumnElement[bool]:
    """That an edition holds the base grids of a period that ends then: at its end, or now."""
    last = sa.func.least(end - timedelta(microseconds=1), sa.func.now())
    return sa.and_(Edition.kind == "base", Edition.status != "draft", Edition.valid.contains(last))


def _grids(
    session: Session, wanted: Filter, end: datetime, unit: str | None
) -> tuple[Grids, dict[int, str], list[str]]:
    statement = (
        sa.select(
            GridShape.grid_id, GridShape.code, GridShape.name, GridShape.unit_code,
            GridShape.households, sa.func.ST_AsBinary(GridShape.geom).label("wkb"),
            Edition.title,
        )
        .join(Edition, Edition.id == GridShape.edition_id)
        .where(in_force(end), wanted.scope.condition(GridShape.unit_code))
        .order_by(GridShape.code)
    )  # fmt: skip
    if unit is not None:
        statement = statement.where(sa.func.starts_with(GridShape.unit_code, unit))
    rows = session.execute(statement).all()
    if not rows and unit is not None:
        raise UnitNotFound(f"no grid in force lies in a unit {unit}: there is nothing to map")
    if not rows:
        raise BadInput(
            Problem(
                "no grids were in force at the end of the period",
                "Choose a later one, or publish an edition",
                field="end",
            )
        )
    return (
        Grids(
            codes=[row.code for row in rows],
            names=[row.name for row in rows],
            units=[row.unit_code for row in rows],
            shapes=shapely.from_wkb([bytes(row.wkb) for row in rows]),
            households=np.array([row.households for row in rows], dtype=np.float64),
        ),
        {row.grid_id: row.code for row in rows},
        sorted({row.title for row in rows}),
    )


def _place(session: Session, unit: str | None, grids: Grids, end: datetime) -> dict[str, Any]:
    """Names of the unit, or of the counties that the grids lie in."""
    codes = [unit] if unit else sorted({each[:6] for each in grids.units})
    units = session.scalars(
        sa.select(AdminUnit)
        .where(AdminUnit.code.in_(codes), AdminUnit.valid.contains(end))
        .order_by(AdminUnit.code)
    ).all()
    return {"place": place_name(units, "zh"), "place_en": place_name(units, "en")}


def unit_borders(session: Session, made: GridMap) -> gpd.GeoDataFrame | None:
    """Polygons of the lowest units that the grids of a map are parts of; None if there are none.

    Townships where more than `MOST_NAMED` units would be named.
    """
    import geopandas as gpd  # noqa: PLC0415  (slow to load)

    levels = [sorted({each[:length] for each in made.grids.units}) for length in (12, 9, 6)]
    codes = next((each for each in levels if len(each) <= MOST_NAMED), levels[-1])
    rows = session.execute(
        sa.select(
            AdminUnit.name, AdminUnit.name_en, sa.func.ST_AsBinary(AdminUnit.geom).label("wkb")
        )
        .where(
            AdminUnit.code.in_(codes),
            AdminUnit.geom.is_not(None),
            AdminUnit.valid.contains(made.about.end),
        )
        .order_by(AdminUnit.code)
    ).all()
    if not rows:
        return None
    return gpd.GeoDataFrame(
        {
            "name": [row.name for row in rows],
            "name_en": [row.name_en or row.name for row in rows],
        },
        geometry=gpd.GeoSeries.from_wkb([bytes(row.wkb) for row in rows], crs=4326),
    )
