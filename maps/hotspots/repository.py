"""Grids in force and incidents on them, as the tests of hot spots take them."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
import shapely
import sqlalchemy as sa

from boundaries.models import Edition
from gis.crs import from_wgs84, metric_crs
from gis.locator import Locator
from grids.incidents.models import Incident
from grids.models import GridShape
from maps.hotspots.checks import Floats, Ints
from maps.hotspots.neighbours import Neighbours, neighbours_of

if TYPE_CHECKING:
    from sqlalchemy.orm import Session

    from boundaries.access import Scope
    from grids.incidents.repository import Filter


class Clock(StrEnum):
    """By which of an incident's times it is counted."""

    EVENT = "event"
    """When it happened; where that is not known, when it was reported."""
    REPORT = "report"
    """When it was reported: what was known on a day."""


@dataclass(frozen=True, eq=False)
class Ground:
    """The base grids in force at a moment, ordered by code.

    Attributes
    ----------
    ids, editions
        Shape (n,): numbers of the grids and of the editions they are taken from.
    codes, names, units
        Of the same length: code, name and code of the unit.
    households, area_m2
        Shape (n,). 0 households are none, or none known.
    shapes
        Shape (n,), object: polygons, WGS 84.
    since
        When the newest of the editions came into force; None without grids.
    """

    ids: Ints
    editions: Ints
    codes: tuple[str, ...]
    names: tuple[str, ...]
    units: tuple[str, ...]
    households: Floats
    area_m2: Floats
    shapes: npt.NDArray[np.object_]
    since: datetime | None

    @property
    def n(self) -> int:
        """Number of grids."""
        return len(self.codes)

    @cached_property
    def neighbours(self) -> Neighbours:
        """Which touch; the grids of an edition share the vertices of their common borders."""
        return neighbours_of(self.shapes)

    @cached_property
    def exposure(self) -> Floats | None:
        """Households of each grid, NaN where there are none; None if no grid has any."""
        known = self.households > 0
        return np.where(known, self.households, np.nan) if known.any() else None

    @cached_property
    def middles_m(self) -> Floats:
        """Middles of the grids, easting and northing in metres of a local CRS, shape (n, 2)."""
        middle = shapely.centroid(self.shapes)
        return self.to_metres(shapely.get_x(middle), shapely.get_y(middle))

    def to_metres(self, lon: npt.ArrayLike, lat: npt.ArrayLike) -> Floats:
        """Positions in the local metric CRS of these grids, shape (m, 2)."""
        west, south, east, north = shapely.total_bounds(self.shapes).tolist()
        return np.column_stack(from_wgs84(lon, lat, metric_crs((west, south, east, north))))


@dataclass(frozen=True, slots=True, eq=False)
class Events:
    """Incidents that have a place, in the order of their times.

    Attributes
    ----------
    grid
        Shape (m,): row of the grid that covers each, -1 for none.
    lon, lat
        Shape (m,), WGS 84.
    times
        Shape (m,), float64: seconds since 1970 in UTC, by the clock asked for.
    carried
        How many were given to a grid of another edition when they were reported, and are counted
        here where their point lies now.
    without_place, without_event_time
        How many more have no point; how many of all are counted by their report for want of the
        time of the event (0 on the report's clock).
    """

    grid: Ints
    lon: Floats
    lat: Floats
    times: Floats
    carried: int
    without_place: int
    without_event_time: int


def ground(session: Session, at: datetime, scope: Scope, part: Scope) -> Ground:
    """The base grids in force at a moment, within a scope and a part of it."""
    rows = session.execute(
        sa.select(
            GridShape.grid_id, GridShape.edition_id, GridShape.code, GridShape.name,
            GridShape.unit_code, GridShape.households, GridShape.area_m2,
            sa.func.ST_AsBinary(GridShape.geom).label("wkb"),
            sa.func.lower(Edition.valid).label("since"),
        )
        .join(Edition, Edition.id == GridShape.edition_id)
        .where(
            Edition.kind == "base", Edition.status != "draft", Edition.valid.contains(at),
            scope.condition(GridShape.unit_code), part.condition(GridShape.unit_code),
        )
        .order_by(GridShape.code)
    ).all()  # fmt: skip
    return Ground(
        ids=np.array([row.grid_id for row in rows], dtype=np.int64),
        editions=np.array([row.edition_id for row in rows], dtype=np.int64),
        codes=tuple(row.code for row in rows),
        names=tuple(row.name for row in rows),
        units=tuple(row.unit_code for row in rows),
        households=np.array([row.households for row in rows], dtype=np.float64),
        area_m2=np.array([row.area_m2 for row in rows], dtype=np.float64),
        shapes=shapely.from_wkb([bytes(row.wkb) for row in rows]).astype(np.object_)
        if rows
        else np.empty(0, dtype=np.object_),
        since=max((row.since for row in rows), default=None),
    )


def reported(session: Session, wanted: Filter, part: Scope) -> tuple[datetime, datetime] | None:
    """The first and the last report of a part, of incidents that match; None without any."""
    found: Any = session.execute(
        sa.select(
            sa.func.min(Incident.reported_at).label("first"),
            sa.func.max(Incident.reported_at).label("last"),
        ).where(*wanted.conditions(), part.condition(Incident.area_code))
    ).one()
    return None if found.first is None else (found.first, found.last)


def events(session: Session, wanted: Filter, on: Ground, clock: Clock, part: Scope) -> Events:
    """Incidents of a period by the clock asked for, each on the grid of `on` that covers it.

    An incident that was given to one of these grids when it was reported stays with it; any other
    is found by its point. What is on none of them counts where its area lies in `part`.
    """
    moment: sa.ColumnElement[datetime] = Incident.reported_at.expression
    conditions = wanted.conditions()
    if clock is Clock.EVENT:
        moment = sa.func.coalesce(Incident.occurred_at, Incident.reported_at)
        conditions = [
            *replace(wanted, start=None, end=None).conditions(),
            *([moment >= wanted.start] if wanted.start else []),
            *([moment < wanted.end] if wanted.end else []),
        ]
    rows = session.execute(
        sa.select(
            sa.func.ST_X(Incident.geom), sa.func.ST_Y(Incident.geom),
            sa.extract("epoch", moment), Incident.edition_id, Incident.grid_id,
            Incident.occurred_at.is_(None), Incident.area_code,
        )
        .where(*conditions)
        .order_by(moment, Incident.id)
    ).all()  # fmt: skip
    placed = [row for row in rows if row[0] is not None]
    lon = np.array([row[0] for row in placed], dtype=np.float64)
    lat = np.array([row[1] for row in placed], dtype=np.float64)
    at = {
        key: row for row, key in enumerate(zip(on.editions.tolist(), on.ids.tolist(), strict=True))
    }
    grid = np.array([at.get((row[3], row[4]), -1) for row in placed], dtype=np.int64)
    elsewhere = grid < 0
    if on.n and elsewhere.any():
        locator = Locator.build(on.shapes, np.arange(on.n))
        grid[elsewhere] = locator.locate(lon[elsewhere], lat[elsewhere])
    kept = (grid >= 0) | np.array([part.covers(row[6]) for row in placed], dtype=np.bool_)
    was_in_grid = np.array([row[4] is not None for row in placed], dtype=np.bool_)
    untimed = np.array([bool(row[5]) for row in placed], dtype=np.bool_)
    return Events(
        grid=grid[kept],
        lon=lon[kept],
        lat=lat[kept],
        times=np.array([float(row[2]) for row in placed], dtype=np.float64)[kept],
        carried=int((was_in_grid & elsewhere & (grid >= 0)).sum()),
        without_place=sum(row[0] is None and part.covers(row[6]) for row in rows),
        without_event_time=int((untimed & kept).sum()) if clock is Clock.EVENT else 0,
    )
