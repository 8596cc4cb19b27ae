"""Point and moment to grid and people: which grid answers, who, why, and how sure we are."""

from __future__ import annotations

import math
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import shapely
import sqlalchemy as sa
from sqlalchemy.orm import aliased

from boundaries.access import EVERYWHERE
from boundaries.border import border_lines
from boundaries.models import Edition
from boundaries.repository import covers, point, units_by_code
from boundaries.service import chain
from gis.crs import from_wgs84_geometry, metric_crs, parse_name, to_wgs84
from gis.errors import BadInput, Problem
from grids.locating.facts import GridFacts
from grids.models import GridShape
from grids.people.answering import answering, concerned, explained, tell_people

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from datetime import datetime

    from sqlalchemy.orm import Session

    from boundaries.access import Scope
    from boundaries.border import Across
    from boundaries.models import AdminUnit
    from grids.locating.facts import EditionFacts, UnitFacts
    from grids.people.answering import Duties, Responsible
    from grids.people.roster import Department

# Share of the position's probability below which the caller is asked to ask back.
ASK_BACK_BELOW: Final = 0.80
# Radius of a circular normal error that holds 68 %: r = sigma * sqrt(-2 ln(1 - 0.68)).
SIGMA_PER_RADIUS: Final = 1 / math.sqrt(-2 * math.log(1 - 0.68))
RINGS, RAYS = 96, 192
EDGE_STEP_DEG: Final = 0.01
# A nearest grid farther away than this says nothing about who should be asked.
NEAREST_WITHIN_M: Final = 500_000
# The shortest degree of latitude, at the equator, and the ellipsoid's radius there.
LEAST_DEGREE_M: Final = 110_574.0
EQUATOR_RADIUS_M: Final = 6_378_137.0

REASONS: Final[dict[str, tuple[str, str]]] = {
    "primary_worker": ("该网格的主责网格员", "grid worker in charge of this grid"),
    "deputy_during_leave": ("主责人请假,由代理人负责", "stands in during a leave"),
    "team_worker": ("该网格的其他网格员", "another worker of this grid"),
    "deputy": ("该网格的副职", "deputy of this grid"),
    "micro_grid": ("所在微网格的人员,协助该网格", "of the micro grid here, who help this grid"),
    "grid_head": ("该网格的网格长", "head of this grid"),
    "unit_head": ("所属村(社区)或乡镇的负责人", "head of the village, community or township"),
    "leader": ("包联领导", "leader linked to this unit"),
    "officer": ("该类事项的牵头部门", "of the department that leads this matter"),
    "joint_officer": ("该类事项的协办部门", "of a department that joins in this matter"),
    "in_grid": ("位置在该网格内", "the place lies in this grid"),
    "on_border": (
        "位置恰在网格边界上,由编号最小的网格负责",
        "the place lies on a border: the grid with the lowest code answers",
    ),
    "nobody": ("该网格此刻无人负责,请联系所属村(社区)", "nobody is on duty for this grid now"),
    "outside": ("位置不在任何网格内", "the place lies in no grid"),
    "across_border": ("位置在国境线之外", "the place lies across the national border"),
    "outside_area": (
        "位置在本账号的辖区之外,那里有无网格不作回答",
        "the place lies outside this account's area: whether a grid is there is not told",
    ),
    "no_edition": ("该时刻没有生效的网格版本", "no edition of grids was in force at that time"),
    "no_place": ("没有坐标,待人工定位", "no coordinates: to be placed by a person"),
}


@dataclass(frozen=True, slots=True)
class Candidate:
    """A grid that may hold the true position, and its share of the probability."""

    grid_id: int
    code: str
    share: float
    name: str = ""


@dataclass(frozen=True, slots=True)
class Nearest:
    """The grid nearest to a place outside all grids, and how far it is.

    ``unit`` is the grid's village or community; None where it was not known at that moment.
    """

    grid_id: int
    code: str
    name: str
    unit_code: str
    distance_m: float
    unit: AdminUnit | None = None


@dataclass(frozen=True, slots=True)
class Answer:
    """What wangge says of a place at a moment."""

    lon: float
    lat: float
    at: datetime
    reason: str
    grid: GridShape | GridFacts | None = None
    edition: Edition | EditionFacts | None = None
    units: Sequence[AdminUnit | UnitFacts] = ()
    responsible: Sequence[Responsible] = ()
    distance_to_border_m: float | None = None
    confidence: float | None = None
    candidates: Sequence[Candidate] = field(default=())
    nearest: Nearest | None = None
    micro: GridShape | GridFacts | None = None
    exclusive: GridShape | GridFacts | None = None
    departments: Sequence[Department] = ()
    duties: Duties | None = None
    across: Across | None = None

    @property
    def given(self) -> Responsible | None:
        """Whom an incident there is given to: everybody else is told only."""
        return next(_given(self.responsible, self.exclusive, self.grid), None)

    @property
    def ask_back(self) -> bool:
        """Whether the position is too vague to send one worker without asking."""
        return self.confidence is not None and self.confidence < ASK_BACK_BELOW


def is_on_duty(people: Sequence[Responsible], *grids: GridShape | GridFacts | None) -> bool:
    """Whether any of these people answers for one of these grids."""
    return next(_given(people, *grids), None) is not None


def _given(
    people: Sequence[Responsible], *grids: GridShape | GridFacts | None
) -> Iterator[Responsible]:
    own = {each.grid_id for each in grids if each is not None}
    return (each for each in people if each.grid_id in own)


def position(x: float, y: float, crs: str) -> tuple[float, float]:
    """Longitude and latitude in WGS 84 of a position in any system, easting first.

    Raises
    ------
    BadInput
        Unknown system, or no position in it; a swapped pair is recognised.
    """
    try:
        system = parse_name(crs)
    except BadInput as error:
        raise BadInput(replace(each, field="crs") for each in error.problems) from None
    lon, lat = (float(value) for value in to_wgs84(x, y, system))
    if -180 <= lon <= 180 and -90 <= lat <= 90:  # False for NaN
        return lon, lat
    raise BadInput(no_position(x, y, crs))


def no_position(x: float, y: float, crs: str) -> Problem:
    """What is wrong with a pair that is no position of a system; a swapped one is recognised."""
    remedy = "Longitude lies within -180..180 and latitude within -90..90; longitude comes first"
    if abs(x) <= 90 < abs(y) <= 180:
        remedy = f"Did you mean lon={y}, lat={x}?"
    return Problem(f"({x}, {y}) is no position in {crs}", remedy, field="lon,lat")


def answer(
    session: Session,
    lon: float,
    lat: float,
    *,
    at: datetime,
    accuracy_m: float | None = None,
    scope: Scope = EVERYWHERE,
    matter: str | None = None,
    explain: bool = False,
) -> Answer:
    """Which grid a place belongs to at a moment, and who answers for it.

    Parameters
    ----------
    lon, lat
        WGS 84 degrees.
    at
        Aware time; edition, assignments and leaves are those of that moment.
    accuracy_m
        68 % radius of the position's error, metres. With it the answer carries each candidate
        grid's share of the probability, ``confidence`` and ``ask_back``.
    scope
        What the session's caller sees: of a place outside it nothing is said.
    matter
        Category of an incident: its departments are named too.
    explain
        Also who could have been called and was not.
    """
    # First the shapes, of all editions, by their index: a planner that cannot see through the
    # policies might go through the editions instead, one after the other.
    here = sa.select(GridShape).where(covers(GridShape.geom, point(lon, lat)))
    found = aliased(GridShape, here.cte("here").prefix_with("MATERIALIZED"))
    covering = session.execute(
        sa.select(found, Edition)
        .join(Edition, Edition.id == found.edition_id)
        .where(Edition.kind == "base", Edition.status != "draft", Edition.valid.contains(at))
        .order_by(found.code)
        .limit(1)
    ).first()
    if covering is None:
        return _outside(session, lon, lat, at, accuracy_m, scope=scope)
    shape, edition = covering
    over = _over(session, lon, lat, at)
    micro, exclusive = over.get("micro"), over.get("exclusive")
    place: dict[str, Any] = {
        "grid": shape.grid_id, "unit": shape.unit_code, "at": at, "matter": matter,
        "exclusive": exclusive.grid_id if exclusive else None,
        "micro": micro.grid_id if micro else None,
    }  # fmt: skip
    people = answering(session, **place)
    is_manned = is_on_duty(people, shape, exclusive)
    border = sa.func.ST_Boundary(GridShape.geom)
    is_on_border, border_m = session.execute(
        sa.select(
            sa.func.ST_Intersects(border, point(lon, lat)), _distance_m(border, lon, lat)
        ).where(GridShape.edition_id == edition.id, GridShape.grid_id == shape.grid_id)
    ).one()
    if is_on_border:
        border_m = 0.0
    candidates = _candidates(session, lon, lat, at, accuracy_m) if accuracy_m else ()
    share = {candidate.grid_id: candidate.share for candidate in candidates}
    return Answer(
        lon=lon,
        lat=lat,
        at=at,
        reason=(("on_border" if is_on_border else "in_grid") if is_manned else "nobody"),
        grid=shape,
        edition=edition,
        units=chain(session, lon, lat, at, shape.unit_code),
        responsible=people,
        distance_to_border_m=border_m,
        confidence=share.get(shape.grid_id, 0.0) if accuracy_m else None,
        candidates=candidates,
        micro=micro,
        exclusive=exclusive,
        departments=concerned(session, shape.unit_code, matter, at),
        duties=explained(session, **place) if explain else None,
    )


def _over(session: Session, lon: float, lat: float, at: datetime) -> dict[str, GridFacts]:
    """The micro and the exclusive grid at a place in a grid that the caller sees, by kind."""
    rows = session.execute(
        sa.text("SELECT * FROM wangge_over(ST_SetSRID(ST_MakePoint(:lon, :lat), 4326), :at)"),
        {"lon": lon, "lat": lat, "at": at},
    )
    return {
        row.kind: GridFacts(
            row.grid_id, row.code, row.name, row.unit_code, row.county_code, row.area_type,
            row.households, row.target, row.deviation,
        )
        for row in rows
    }  # fmt: skip


def _distance_m(shape: Any, lon: float, lat: float) -> sa.Function[float]:
    """Geodesic metres from a shape, whose edges are straight in longitude and latitude.

    PostGIS takes an edge of a geography for a great circle, which leaves the straight line by
    50 m over 50 km; cut to hundredths of a degree, by 2 cm at the most.
    """
    edges = sa.func.geography(sa.func.ST_Segmentize(shape, EDGE_STEP_DEG))
    return sa.func.ST_Distance(edges, sa.func.geography(point(lon, lat)))


def told(session: Session, found: Answer, *, actor: str | None = None) -> Answer:
    """The answer as it is handed out: the names in it are entered in the audit log."""
    if found.grid is not None:
        considered = found.duties.considered if found.duties else ()
        people = [each.person_id for each in found.responsible]
        people += [each.person for each in considered if each.person not in set(people)]
        tell_people(session, found.grid, people, actor=actor)
    return found


def _outside(
    session: Session,
    lon: float,
    lat: float,
    at: datetime,
    accuracy_m: float | None,
    *,
    scope: Scope,
) -> Answer:
    nearest = nearest_grid(session, lon, lat, at)
    candidates = _candidates(session, lon, lat, at, accuracy_m) if accuracy_m else ()
    units = chain(session, lon, lat, at)
    across = None if units else border_lines(session, (lon, lat)).across(lon, lat)
    if across is not None:
        reason = "across_border"
    elif scope != EVERYWHERE and not any(scope.covers(unit.code) for unit in units):
        # There may be a grid that the caller does not see: that there is none is not for us to say.
        reason = "outside_area"
    elif nearest is not None or _any_edition(session, at):
        reason = "outside"
    else:
        reason = "no_edition"
    return Answer(
        lon=lon,
        lat=lat,
        at=at,
        reason=reason,
        units=units,
        nearest=nearest,
        confidence=1 - sum(each.share for each in candidates) if accuracy_m else None,
        candidates=candidates,
        across=across,
    )


def _any_edition(session: Session, at: datetime) -> bool:
    statement = sa.select(
        sa.exists().where(
            Edition.kind == "base", Edition.status != "draft", Edition.valid.contains(at)
        )
    )
    return bool(session.scalar(statement))


def nearest_grid(session: Session, lon: float, lat: float, at: datetime) -> Nearest | None:
    """The grid nearest to a place, within 500 km; None where there is none.

    Of grids equally far, to the millimetre, the one with the lowest code. A grid beyond the
    180th meridian is not looked for.
    """
    # The index orders by degrees, which are shorter from west to east: the best of a handful is
    # how far the nearest can be at the most, and the box of that reach holds whatever is nearer.
    in_force = (Edition.kind == "base", Edition.status != "draft", Edition.valid.contains(at))
    handful = (
        sa.select(GridShape.geom)
        .join(Edition, Edition.id == GridShape.edition_id)
        .where(*in_force)
        .order_by(GridShape.geom.op("<->")(point(lon, lat)))
        .limit(16)
        .subquery()
    )
    reach_m = session.scalar(sa.select(sa.func.min(_distance_m(handful.c.geom, lon, lat))))
    if reach_m is None:
        return None
    distance = sa.func.round(sa.cast(_distance_m(GridShape.geom, lon, lat), sa.Numeric), 3)
    row = session.execute(
        sa.select(
            GridShape.grid_id,
            GridShape.code,
            GridShape.name,
            GridShape.unit_code,
            distance.label("distance_m"),
        )
        .join(Edition, Edition.id == GridShape.edition_id)
        .where(*in_force, GridShape.geom.op("&&")(_box(lon, lat, min(reach_m, NEAREST_WITHIN_M))))
        .order_by("distance_m", GridShape.code)
        .limit(1)
    ).first()
    if row is None or row.distance_m > NEAREST_WITHIN_M:
        return None
    unit = next(iter(units_by_code(session, [row.unit_code], at)), None)
    distance_m = float(row.distance_m)
    return Nearest(row.grid_id, row.code, row.name, row.unit_code, distance_m, unit)


def _box(lon: float, lat: float, reach_m: float) -> sa.Function[Any]:
    """An envelope in degrees that no way of `reach_m` from the place leaves."""
    high = (reach_m + 1) / LEAST_DEGREE_M  # a metre for edges that are not quite straight
    furthest = min(abs(lat) + high, 90.0)
    degree_m = math.radians(EQUATOR_RADIUS_M * math.cos(math.radians(furthest)))
    wide = min((reach_m + 1) / max(degree_m, 1.0), 360.0)
    return sa.func.ST_MakeEnvelope(lon - wide, lat - high, lon + wide, lat + high, 4326)


def _candidates(
    session: Session, lon: float, lat: float, at: datetime, accuracy_m: float
) -> list[Candidate]:
    """Each grid's share of a circular normal error around the point, largest first.

    The error is sampled at the quantiles of its radius and at even angles, every sample with the
    same weight: error below 1e-3 for borders that are straight over the radius.
    """
    sigma_m = accuracy_m * SIGMA_PER_RADIUS
    # The outermost ring; beyond it lies less than a hundredth of a percent.
    reach_m = sigma_m * math.sqrt(-2 * math.log(0.5 / RINGS)) + 1
    near = (
        sa.select(
            GridShape.edition_id, GridShape.grid_id, GridShape.code, GridShape.name, GridShape.geom
        )
        .where(
            sa.func.ST_DWithin(
                sa.func.geography(GridShape.geom), sa.func.geography(point(lon, lat)), reach_m
            ),
            # The geography test has no index of its own; the box has.
            GridShape.geom.op("&&")(
                sa.func.ST_Expand(
                    point(lon, lat),
                    reach_m / 110_000 / max(math.cos(math.radians(lat)), 0.01),
                    reach_m / 110_000,
                )
            ),
        )
        .cte("near")
        .prefix_with("MATERIALIZED")
    )
    rows = session.execute(
        sa.select(
            near.c.grid_id, near.c.code, near.c.name, sa.func.ST_AsBinary(near.c.geom).label("wkb")
        )
        .join(Edition, Edition.id == near.c.edition_id)
        .where(Edition.kind == "base", Edition.status != "draft", Edition.valid.contains(at))
        .order_by(near.c.code)
    ).all()
    if not rows:
        return []
    crs = metric_crs((lon, lat, lon, lat))
    shapes = from_wgs84_geometry(shapely.from_wkb([bytes(row.wkb) for row in rows]), crs)
    centre = from_wgs84_geometry(shapely.Point(lon, lat), crs)
    quantiles = (np.arange(RINGS) + 0.5) / RINGS
    radius = sigma_m * np.sqrt(-2 * np.log(1 - quantiles))
    # Every other ring is turned by half a step, which breaks up alignment with straight borders.
    angle = 2 * np.pi * (np.arange(RAYS) + (np.arange(RINGS) % 2)[:, None] / 2) / RAYS
    x = centre.x + radius[:, None] * np.cos(angle)
    y = centre.y + radius[:, None] * np.sin(angle)
    samples = shapely.points(x.ravel(), y.ravel())
    inside, holder = shapely.STRtree(shapes).query(samples, predicate="intersects")
    # On a shared border the grid of the lowest code, the first in order, counts.
    first = np.full(samples.size, len(rows))
    np.minimum.at(first, inside, holder)
    counts = np.bincount(first, minlength=len(rows) + 1)[: len(rows)]
    shares = [
        Candidate(row.grid_id, row.code, float(count) / samples.size, row.name)
        for row, count in zip(rows, counts, strict=True)
        if count
    ]
    return sorted(shares, key=lambda each: (-each.share, each.code))
