"""Heat maps of the incidents in the database, and what is kept of maps between requests."""

from __future__ import annotations

import hashlib
from collections import OrderedDict
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from threading import Lock
from typing import TYPE_CHECKING, Any, Final, Literal, TypeVar

import geopandas as gpd
import numpy as np
import sqlalchemy as sa

from boundaries.access import EVERYWHERE, sight
from boundaries.errors import UnitNotFound
from boundaries.models import AdminUnit, Edition
from boundaries.service import INVENTED_SOURCE
from gis.errors import BadInput, Problem
from grids.incidents import repository
from grids.incidents.models import Incident, IncidentCategory
from grids.models import Building, GridShape
from maps import sharing
from maps.heatmap import Heatmap, build, cut_to
from maps.heatmap_text import MADE_BY
from maps.inhabited import REACH_M, inhabited

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from shapely.geometry.base import BaseGeometry
    from sqlalchemy.orm import Session

    from boundaries.access import Scope
    from maps.smoothing import Floats

Made = TypeVar("Made")

SOURCE: Final = "本系统事件库 Incident database"
"""Where incidents come from, on a map of those in the database."""
SHORTEST: Final = timedelta(days=1)
"""Period of a density when nobody said how long it is."""


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
    is_inhabited: bool = False,
    now: datetime | None = None,
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
    case_team
        False makes the map that may leave it: of the finished quarter that the period covers most,
        of all categories, with a bandwidth of ``sharing.BANDWIDTHS_M``, cut out of the map of its
        whole counties, and the same whoever asks, also without the right to see incidents.
    within
        Narrows the area, WGS 84, to what is inhabited of it; None: all of it. Not for a map that
        leaves the case team.
    is_inhabited
        Narrows it to the ground near buildings (`maps.inhabited`); not for such a map either.
    now
        Aware; the present when left out.

    Raises
    ------
    BadInput
        No incident matches, or what ``maps.heatmap.build`` refuses; a shared rate for a scope that
        does not see the households of whole counties.
    """
    names = named_categories(session, wanted.categories)
    asked = None
    if case_team:
        start, end = reported_period(session, wanted)
        wanted = repository.Filter(
            start=start, end=end, categories=wanted.categories, scope=wanted.scope
        )
        lon, lat, without = repository.places(session, wanted)
    else:
        quarter = sharing.quarter(
            wanted.start, wanted.end, timezone=timezone, now=now or datetime.now(UTC)
        )
        start, end, without = quarter.start, quarter.end, 0
        asked = sharing.changed(wanted.start, wanted.end, quarter)
        bandwidth_m, cell_m = sharing.bandwidth_m(bandwidth_m), None
        sharing.no_category(wanted.categories)
        if within is not None or is_inhabited:
            raise BadInput(
                Problem(
                    "a shared density is of whole counties",
                    "Leave the mask out: two maps of different ground could be subtracted",
                    field="inhabited" if is_inhabited else "mask",
                )
            )
        if per == "households" and wanted.scope != EVERYWHERE:
            raise BadInput(
                Problem(
                    "a shared rate needs the households of whole counties, and this account sees "
                    "those of its own area",
                    "Ask for per=km2, or for a shared grid map, which has rates",
                    field="per",
                )
            )
        lon, lat = _shared_places(session, start, end)
    drawn = units_drawn(session, AdminUnit.code == unit if unit else whole_units(wanted.scope), end)
    if unit and not drawn:
        raise UnitNotFound(f"no unit {unit} with a polygon: there is nothing to map")
    counties = drawn if case_team else _counties(session, drawn, end)
    area: BaseGeometry | None = area_of(counties).union_all()
    if within is not None:
        area = within(area)
    if is_inhabited:
        area = inhabited(session, area)
    nowhere = np.full(without, np.nan)
    made = build(
        np.concatenate([lon, nowhere]),
        np.concatenate([lat, nowhere]),
        start=start,
        end=end,
        area=area,
        bandwidth_m=bandwidth_m,
        cell_m=cell_m,
        per=per,
        households=_households(session) if per == "households" else None,
        title=title,
        source=SOURCE,
        timezone=timezone,
        case_team=case_team,
        category="、".join(names[code].name_zh for code in wanted.categories),
        category_en=", ".join(names[code].name_en for code in wanted.categories),
        place=place_name(drawn, "zh"),
        place_en=place_name(drawn, "en"),
    )
    uncounted = _uncounted(session) if per == "households" else 0
    made = replace(
        made, asked=asked, uncounted=uncounted, inhabited_m=REACH_M if is_inhabited else None
    )
    if {each.code for each in drawn} == {each.code for each in counties}:
        return made
    # Maps of a county and of its parts by themselves would, subtracted, show what lies at the edge.
    return cut_to(made, area_of(drawn), (lon, lat))


def _counties(session: Session, drawn: Sequence[Any], moment: datetime) -> Sequence[Any]:
    """The whole counties that units lie in: a shared density is of these, whatever is drawn."""
    codes = sorted({each.code[:6] for each in drawn})
    return units_drawn(session, AdminUnit.code.in_(codes), moment)


def units_drawn(session: Session, which: sa.ColumnElement[bool], moment: datetime) -> Sequence[Any]:
    """Units with a polygon at a moment: code, name, name_en, source and wkb, in order of codes."""
    return session.execute(
        sa.select(
            AdminUnit.code,
            AdminUnit.name,
            AdminUnit.name_en,
            AdminUnit.source,
            sa.func.ST_AsBinary(AdminUnit.geom).label("wkb"),
        )
        .where(which, AdminUnit.geom.is_not(None), AdminUnit.valid.contains(moment))
        .order_by(AdminUnit.code)
    ).all()


def area_of(units: Sequence[Any]) -> gpd.GeoSeries:
    """Polygons of `units_drawn`, WGS 84."""
    return gpd.GeoSeries.from_wkb([bytes(row.wkb) for row in units], crs=4326)


def named_categories(session: Session, asked: Sequence[str]) -> Mapping[str, IncidentCategory]:
    """The dictionary of categories by code.

    Raises
    ------
    BadInput
        One that was asked for is not in it.
    """
    names = {each.code: each for each in repository.categories(session)}
    unknown = [code for code in asked if code not in names]
    if unknown:
        raise BadInput(
            Problem(
                f"unknown category '{unknown[0]}'",
                f"One of: {', '.join(sorted(names))}",
                field="category",
            )
        )
    return names


def _shared_places(session: Session, start: datetime, end: datetime) -> tuple[Floats, Floats]:
    points = session.scalar(
        sa.text(
            "SELECT string_agg(float8send(lon) || float8send(lat), '') "
            "FROM wangge_shared_places(:start, :end)"
        ),
        {"start": start, "end": end},
    )
    # Sent with the greatest byte first.
    table = np.frombuffer(points or b"", dtype=">f8").astype(np.float64).reshape(-1, 2)
    return table[:, 0], table[:, 1]


def whole_units(scope: Scope) -> sa.ColumnElement[bool]:
    """The counties of a scope, and the smaller units it names."""
    smaller = [code for code in (scope.area, *scope.also) if len(code) > 6]
    counties = sa.and_(AdminUnit.level == 6, scope.condition(AdminUnit.code))
    return counties if not smaller else sa.or_(counties, AdminUnit.code.in_(smaller))


class MapCache:
    """The last few maps, so that a page's legend and its picture are computed once.

    An entry holds as long as nothing that it is made of was changed by a transaction that has been
    committed since: its key carries ``wangge_maps_version``, which is asked at every request,
    before anything is computed. It carries the caller's whole sight as well, so that no account is
    shown what another sees: an account's own reports are in its map alone. Two requests for the
    same one at once compute it twice, and agree.
    """

    def __init__(self, size: int = 16) -> None:
        self._kept: OrderedDict[tuple[object, ...], Any] = OrderedDict()
        self._size, self._lock = size, Lock()

    def key(self, session: Session, *asked: object) -> tuple[object, ...]:
        """What tells this map, as it is now and for this caller, from every other."""
        version = session.scalar(sa.text("SELECT wangge_maps_version()"))
        return (sight(session), version, *asked)

    def get(self, key: tuple[object, ...], make: Callable[[], Made]) -> Made:
        """The map of a key; made if it is not kept.

        The key must have been asked for before what ``make`` reads: what is reported between the
        two is then in the map, and the next request makes it anew.
        """
        with self._lock:
            if key in self._kept:
                self._kept.move_to_end(key)
                kept: Made = self._kept[key]
                return kept
        made = make()
        with self._lock:
            self._kept[key] = made
            while len(self._kept) > self._size:
                self._kept.popitem(last=False)
        return made


def tag(key: tuple[object, ...]) -> str:
    """An HTTP entity tag of a map, which tells nothing of what it is made of."""
    return f'"{hashlib.sha256(repr((MADE_BY, key)).encode()).hexdigest()[:32]}"'


def place_name(units: Sequence[Any], language: str) -> str:
    """Names of the units on the map; what is invented says so."""
    invented = any(unit.source == INVENTED_SOURCE for unit in units)
    if language == "zh":
        return "、".join(unit.name for unit in units[:3]) + ("(虚构示范)" if invented else "")
    names = ", ".join(unit.name_en or unit.name for unit in units[:3])
    return names + (" (invented)" if invented else "")


def reported_period(session: Session, wanted: repository.Filter) -> tuple[datetime, datetime]:
    """The period asked for, its open ends closed by the first and the last report.

    Raises
    ------
    BadInput
        An end is open, and no incident of the categories has ever been reported.
    """
    if wanted.start is not None and wanted.end is not None:
        return wanted.start, wanted.end
    first, last = session.execute(
        sa.select(sa.func.min(Incident.reported_at), sa.func.max(Incident.reported_at)).where(
            *repository.Filter(categories=wanted.categories, scope=wanted.scope).conditions()
        )
    ).one()
    of_these = f" of {', '.join(wanted.categories)}" if wanted.categories else ""
    if first is None:
        raise BadInput(
            Problem(
                f"no incident{of_these} has been reported yet: there is no period to take",
                "Import or report some, or give both start and end for a map that is empty",
                field="start",
            )
        )
    return closed(wanted.start, wanted.end, first, last)


def closed(
    start: datetime | None, end: datetime | None, first: datetime, last: datetime
) -> tuple[datetime, datetime]:
    """A period with its open ends at the first and the last event, a day long at least.

    One event in the second in which it was reported would be some million per 30 days.
    """
    # The end is the first moment that no longer belongs to the period.
    until = end or max(last + timedelta(seconds=1), (start or first) + SHORTEST)
    return start or min(first, until - SHORTEST), until


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


def _uncounted(session: Session) -> int:
    """Buildings that the caller sees without any count of households."""
    counts = (
        Building.households_resident,
        Building.households_registered,
        Building.households_occupied,
    )
    unknown = sa.and_(*(each.is_(None) for each in counts))
    return session.scalar(sa.select(sa.func.count()).select_from(Building).where(unknown)) or 0


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
