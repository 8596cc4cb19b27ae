"""Heat maps of the incidents that are in the database."""

from __future__ import annotations

from collections import OrderedDict
from datetime import datetime, timedelta
from threading import Lock
from typing import TYPE_CHECKING, Any, Literal

import geopandas as gpd
import sqlalchemy as sa

from boundaries.access import sight
from boundaries.errors import UnitNotFound
from boundaries.models import AdminUnit, Edition
from boundaries.service import INVENTED_SOURCE
from gis.errors import BadInput, Problem
from grids.incidents import repository
from grids.incidents.models import Incident, IncidentEvent
from grids.models import Building, GridShape
from maps.heatmap import Heatmap, build

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from shapely.geometry.base import BaseGeometry
    from sqlalchemy.orm import Session

    from boundaries.access import Scope


def incident_heatmap(
    session: Session,
    wanted: repository.Filter,
    *,
    bandwidth_m: float | Literal["auto"] = 300,
    cell_m: float | None = None,
    per: Literal["km2", "households"] = "km2",
    unit: str | None = None,
    timezone: str = "Asia/Shanghai",
    case_team: bool = True,
    title: str = "",
    within: Callable[[BaseGeometry | None], BaseGeometry | None] | None = None,
) -> Heatmap:
    """The density of incidents over the counties that are known.

    Parameters
    ----------
    wanted
        Period, categories and scope; an open period is that of the incidents themselves.
    unit
        Code of the unit to map; every county of the scope when left out, or the units that the
        scope is made of where those are smaller: what is not seen is not drawn as empty.
    cell_m
        Side of a cell, metres; a sixth of the bandwidth when left out.
    within
        Narrows the area, WGS 84, to what is inhabited of it; None: all of it.

    Raises
    ------
    BadInput
        No incident matches, or what ``maps.heatmap.build`` refuses.
    """
    names = {each.code: each for each in repository.categories(session)}
    unknown = [code for code in wanted.categories if code not in names]
    if unknown:
        raise BadInput(
            Problem(
                f"unknown category '{unknown[0]}'",
                f"One of: {', '.join(sorted(names))}",
                field="category",
            )
        )
    start, end = _period(session, wanted)
    wanted = repository.Filter(
        start=start, end=end, categories=wanted.categories, scope=wanted.scope
    )
    lon, lat, without = repository.places(session, wanted)
    counties = session.execute(
        sa.select(
            AdminUnit.name,
            AdminUnit.name_en,
            AdminUnit.source,
            sa.func.ST_AsBinary(AdminUnit.geom).label("wkb"),
        ).where(
            AdminUnit.code == unit if unit else _whole_units(wanted.scope),
            AdminUnit.geom.is_not(None),
            AdminUnit.valid.contains(end),
        )
    ).all()
    if unit and not counties:
        raise UnitNotFound(f"no unit {unit} with a polygon: there is nothing to map")
    area: BaseGeometry | None = None
    if counties:
        area = gpd.GeoSeries.from_wkb([bytes(row.wkb) for row in counties], crs=4326).union_all()
    if within is not None:
        area = within(area)
    nowhere = [float("nan")] * without
    return build(
        [*lon, *nowhere],
        [*lat, *nowhere],
        start=start,
        end=end,
        area=area,
        bandwidth_m=bandwidth_m,
        cell_m=cell_m,
        per=per,
        households=_households(session) if per == "households" else None,
        title=title,
        timezone=timezone,
        case_team=case_team,
        category="、".join(names[code].name_zh for code in wanted.categories),
        category_en=", ".join(names[code].name_en for code in wanted.categories),
        place=_place(counties, "zh"),
        place_en=_place(counties, "en"),
    )


def _whole_units(scope: Scope) -> sa.ColumnElement[bool]:
    """The counties of a scope, and the smaller units it names."""
    smaller = [code for code in (scope.area, *scope.also) if len(code) > 6]
    counties = sa.and_(AdminUnit.level == 6, scope.condition(AdminUnit.code))
    return counties if not smaller else sa.or_(counties, AdminUnit.code.in_(smaller))


class HeatmapCache:
    """The last few heat maps, so that a page's legend and its picture are computed once.

    An entry holds as long as nothing was reported since: its key carries the last event's number.
    It carries the caller's whole sight as well, so that no account is shown what another sees: an
    account's own reports are in its map alone. Two requests for the same one at once compute it
    twice, and agree.
    """

    def __init__(self, size: int = 16) -> None:
        self._kept: OrderedDict[tuple[object, ...], Heatmap] = OrderedDict()
        self._size, self._lock = size, Lock()

    def get(
        self, session: Session, wanted: repository.Filter, *, bandwidth_m: float, timezone: str
    ) -> Heatmap:
        """As ``incident_heatmap``."""
        version = session.scalar(sa.select(sa.func.max(IncidentEvent.id)))
        key = (sight(session), version, wanted, bandwidth_m, timezone)
        with self._lock:
            if key in self._kept:
                self._kept.move_to_end(key)
                return self._kept[key]
        made = incident_heatmap(session, wanted, bandwidth_m=bandwidth_m, timezone=timezone)
        with self._lock:
            self._kept[key] = made
            while len(self._kept) > self._size:
                self._kept.popitem(last=False)
        return made


def _place(units: Sequence[Any], language: str) -> str:
    """Names of the units on the map; what is invented says so."""
    invented = any(unit.source == INVENTED_SOURCE for unit in units)
    if language == "zh":
        return "、".join(unit.name for unit in units[:3]) + ("(虚构示范)" if invented else "")
    names = ", ".join(unit.name_en or unit.name for unit in units[:3])
    return names + (" (invented)" if invented else "")


def _period(session: Session, wanted: repository.Filter) -> tuple[datetime, datetime]:
    first, last = session.execute(
        sa.select(sa.func.min(Incident.reported_at), sa.func.max(Incident.reported_at)).where(
            *repository.Filter(categories=wanted.categories, scope=wanted.scope).conditions()
        )
    ).one()
    if first is None:
        raise BadInput(Problem("there are no incidents yet", "Import or report some"))
    # The end is the first moment that no longer belongs to the period.
    return wanted.start or first, wanted.end or last + timedelta(seconds=1)


def _households(session: Session) -> tuple[list[float], list[float], list[int]]:
    """Longitudes, latitudes and households of all buildings that have some."""
    rows = session.execute(
        sa.select(
            sa.func.ST_X(Building.point), sa.func.ST_Y(Building.point), Building.households
        ).where(Building.households > 0)
    ).all()
    if not rows:
        raise BadInput(
            Problem(
                "no building with households is known, so there is no rate per household",
                "Import some with 'wangge import buildings', or ask for --per km2",
                field="per",
            )
        )
    return [row[0] for row in rows], [row[1] for row in rows], [row[2] for row in rows]


def current_grids(session: Session) -> gpd.GeoDataFrame | None:
    """Outlines of the base grids in force now, with code and name; None when there are none."""
    rows = session.execute(
        sa.select(GridShape.code, GridShape.name, sa.func.ST_AsBinary(GridShape.geom).label("wkb"))
        .join(Edition, Edition.id == GridShape.edition_id)
        .where(
            Edition.kind == "base", Edition.status != "draft", Edition.valid.contains(sa.func.now())
        )
        .order_by(GridShape.code)
    ).all()
    if not rows:
        return None
    return gpd.GeoDataFrame(
        {"code": [row.code for row in rows], "name": [row.name for row in rows]},
        geometry=gpd.GeoSeries.from_wkb([bytes(row.wkb) for row in rows], crs=4326),
    )
