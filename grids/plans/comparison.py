"""What would be different: two editions or plans side by side, by what stands on the ground.

A household moves when the grid of its building has another identity in the second edition. Where
neither was made from the other, identities are told by the households they share: more than half of
both is the same grid, as it will be on publishing.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final, Literal

import numpy as np
import shapely
import sqlalchemy as sa

from boundaries import editions
from gis.database import execute
from gis.errors import BadInput, Problem
from grids.models import GridShape
from grids.redistricting import AREA_TYPES
from grids.service import SAME_GRID_SHARE

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import datetime

    from numpy.typing import NDArray
    from sqlalchemy.orm import Session

    from boundaries.models import Edition

Kind = Literal["kept", "split", "merged", "new", "gone"]
# Ground that changed hands and is smaller than this is the noding of two drawings, m2.
LEAST_GROUND_M2: Final = 1.0
LETTER: Final = (
    "building", "name", "address", "households", "from_grid", "from_worker", "to_grid", "to_worker",
)  # fmt: skip
"""Columns of the list that letters to workers are written from."""


@dataclass(frozen=True, slots=True)
class Load:
    """How evenly the work is shared in one edition.

    Attributes
    ----------
    within_tolerance
        Share of grids whose deviation passes by the norm of their area type, whatever either
        edition was drawn by.
    mean_deviation
        Mean of the grids' absolute deviations from their targets, as a share.
    spread
        Coefficient of variation of households per grid: 0 is perfectly even.
    fewest, most
        Households of the smallest and the largest grid.
    """

    grids: int
    households: int
    within_tolerance: float
    mean_deviation: float
    spread: float
    fewest: int
    most: int


@dataclass(frozen=True, slots=True)
class Flow:
    """What goes from one grid to another; a code is None for ground without a grid.

    ``incidents`` (open ones) and ``cameras`` are None for who may not see them; ``places`` are key
    places, such as schools and police rooms.
    """

    from_code: str | None
    to_code: str | None
    households: int
    buildings: int
    incidents: int | None
    cameras: int | None
    worker_before: str | None
    worker_after: str | None
    places: int = 0


@dataclass(frozen=True, slots=True)
class Line:
    """What becomes of a grid: `codes` are those that it goes on as, or that it comes from."""

    code: str
    kind: Kind
    codes: tuple[str, ...]


@dataclass(frozen=True)
class Comparison:
    """The first edition beside the second, on the ground of `area_code`, which both are of."""

    first: int
    second: int
    loads: tuple[Load, Load]
    flows: Sequence[Flow]
    lineage: Sequence[Line]
    households_moved: int
    buildings_moved: int
    incidents_moved: int | None
    cameras_moved: int | None
    workers_concerned: int
    grid_of: Mapping[int, int] = field(default_factory=dict, repr=False)
    places_moved: int = 0
    area_code: str = ""


def compare(session: Session, first: int, second: int, *, at: datetime) -> Comparison:
    """Compare two editions, drafts or not, where both are: a township in the county's edition.

    Parameters
    ----------
    at
        Moment of the assignments and open incidents that are counted.

    Raises
    ------
    EditionNotFound
        One of them is not there.
    BadInput
        They have no ground in common.
    """
    old, new = editions.get(session, first), editions.get(session, second)
    area = _common(old, new)
    shapes = {each: _shapes(session, each, area) for each in (old.id, new.id)}
    grounds = (_Ground(session, old.id, area), _Ground(session, new.id, area))
    buildings = _joined(
        session, grounds,
        "SELECT point AS geom, households AS weight FROM buildings "
        "WHERE county_code = :county", old.county_code,
    )  # fmt: skip
    same = _identities(shapes[old.id], shapes[new.id], buildings)
    counted: dict[tuple[int, int], dict[str, int]] = defaultdict(lambda: defaultdict(int))
    for a, b, rows, weight in buildings:
        counted[a, b]["buildings"] += rows
        counted[a, b]["households"] += weight
    seen = {
        "incidents": _may(session, "incidents.read"),
        "cameras": _may(session, "cameras.read"),
    }
    if seen["incidents"]:
        for a, b, rows, _ in _joined(
            session, grounds,
            "SELECT geom, 1 AS weight FROM incidents WHERE county_code = :county "
            "AND geom IS NOT NULL AND state NOT IN ('closed', 'rejected', 'merged', 'evaluated')",
            old.county_code,
        ):  # fmt: skip
            counted[a, b]["incidents"] += rows
    if seen["cameras"]:
        for a, b, rows, _ in _joined(
            session, grounds,
            "SELECT geom, 1 AS weight FROM cameras WHERE county_code = :county", old.county_code,
        ):  # fmt: skip
            counted[a, b]["cameras"] += rows
    for a, b, rows, _ in _joined(
        session, grounds,
        "SELECT geom, 1 AS weight FROM places WHERE county_code = :county", old.county_code,
    ):  # fmt: skip
        counted[a, b]["places"] += rows
    workers = _workers(session, at)
    heir = {b: a for a, b in same.items()}  # identity that a grid of the second has on publishing
    flows = []
    for (a, b), numbers in sorted(counted.items()):
        if a == b == 0 or (a and same.get(a) == b):
            continue
        flows.append(
            Flow(
                _code(shapes[old.id], a), _code(shapes[new.id], b),
                numbers["households"], numbers["buildings"],
                numbers["incidents"] if seen["incidents"] else None,
                numbers["cameras"] if seen["cameras"] else None,
                workers.get(a), workers.get(heir.get(b, 0)), numbers["places"],
            )
        )  # fmt: skip
    flows.sort(key=lambda flow: (-flow.households, flow.from_code or "", flow.to_code or ""))
    concerned = {name for flow in flows for name in (flow.worker_before, flow.worker_after) if name}
    return Comparison(
        old.id,
        new.id,
        (_load(shapes[old.id]), _load(shapes[new.id])),
        flows,
        _lineage(shapes[old.id], shapes[new.id], same, counted),
        sum(flow.households for flow in flows),
        sum(flow.buildings for flow in flows),
        sum(flow.incidents or 0 for flow in flows) if seen["incidents"] else None,
        sum(flow.cameras or 0 for flow in flows) if seen["cameras"] else None,
        len(concerned),
        same,
        sum(flow.places for flow in flows),
        area,
    )


def _common(old: Edition, new: Edition) -> str:
    """Area that two editions both divide: the smaller one's."""
    small, large = sorted((old.area_code, new.area_code), key=len, reverse=True)
    if not small.startswith(large):
        raise BadInput(
            Problem(
                f"edition {old.id} is of {old.area_code} and edition {new.id} of {new.area_code}: "
                "they have no ground in common",
                "Compare editions of one area, or of an area and a part of it",
                field="beside",
            )
        )
    return small


def letters(session: Session, found: Comparison, *, at: datetime) -> list[dict[str, Any]]:
    """A row for each building whose grid changes: what its old and its new worker have to know.

    Returns
    -------
    list of dict
        ``building``, ``name``, ``address``, ``households``, ``from_grid``, ``from_worker``,
        ``to_grid``, ``to_worker``; by old worker, new worker and building.
    """
    workers = _workers(session, at)
    heir = {b: a for a, b in found.grid_of.items()}
    first, second = (
        _Ground(session, each, found.area_code) for each in (found.first, found.second)
    )
    homes = execute(
        session,
        "SELECT id, ST_X(point) AS lon, ST_Y(point) AS lat FROM buildings "
        "WHERE county_code = (SELECT county_code FROM editions WHERE id = :first)",
        first=found.first,
    ).all()
    points = shapely.points([(row.lon, row.lat) for row in homes] or np.empty((0, 2)))
    moving = {
        row.id: (a, b)
        for row, a, b in zip(
            homes, first.at(points).tolist(), second.at(points).tolist(), strict=True
        )
        if (a or b) and not (a and found.grid_of.get(a) == b)
    }
    rows = execute(
        session,
        "SELECT id, name, address, households FROM buildings "
        "WHERE id = ANY(CAST(:ids AS bigint[]))",
        ids=list(moving),
    )
    out = []
    for row in rows:
        a, b = moving[row.id]
        out.append(
            {
                "building": row.id,
                "name": row.name,
                "address": row.address,
                "households": row.households,
                "from_grid": first.codes.get(a),
                "from_worker": workers.get(a),
                "to_grid": second.codes.get(b),
                "to_worker": workers.get(heir.get(b, 0)),
            }
        )
    return sorted(
        out, key=lambda row: (row["from_worker"] or "", row["to_worker"] or "", row["building"])
    )


BARE: Final = """CASE WHEN EXISTS (
                SELECT FROM grid_shapes AS o WHERE o.edition_id = {other} AND o.geom = {shape}
            ) THEN ST_GeomFromText('POLYGON EMPTY', 4326) ELSE ST_CollectionExtract(coalesce(
                ST_Difference({shape}, (
                    SELECT ST_Union(o.geom) FROM grid_shapes AS o
                    WHERE o.edition_id = {other} AND o.geom && {shape}
                )), {shape}), 3) END"""
"""Ground of a shape that no grid of another edition has; most grids are the same in both."""


def difference(session: Session, found: Comparison) -> list[dict[str, Any]]:
    """Ground that changes hands, a polygon each: the difference map.

    Returns
    -------
    list of dict
        ``from_grid``, ``to_grid`` (codes; None where the ground has no grid), ``area_m2`` and
        ``wkb`` (WGS 84).
    """
    pairs = sorted(found.grid_of.items())
    rows = execute(
        session,
        """
        SELECT a.code AS from_grid, z.code AS to_grid,
            ST_Area(s.shared::geography) AS area_m2, ST_AsBinary(s.shared) AS wkb
        FROM grid_shapes AS a
        JOIN grid_shapes AS z ON z.edition_id = :second AND z.geom && a.geom
        CROSS JOIN LATERAL (
            SELECT ST_CollectionExtract(ST_Intersection(a.geom, z.geom), 3) AS shared
        ) AS s
        WHERE a.edition_id = :first AND a.unit_code LIKE :below AND z.unit_code LIKE :below
            AND NOT ST_IsEmpty(s.shared)
            AND NOT EXISTS (
                SELECT FROM unnest(CAST(:old AS bigint[]), CAST(:new AS bigint[])) AS m (old, new)
                WHERE m.old = a.grid_id AND m.new = z.grid_id
            )
        UNION ALL
        SELECT a.code, NULL, ST_Area(s.bare::geography), ST_AsBinary(s.bare)
        FROM grid_shapes AS a CROSS JOIN LATERAL (
            SELECT {gone} AS bare
        ) AS s
        WHERE a.edition_id = :first AND a.unit_code LIKE :below AND NOT ST_IsEmpty(s.bare)
        UNION ALL
        SELECT NULL, z.code, ST_Area(s.bare::geography), ST_AsBinary(s.bare)
        FROM grid_shapes AS z CROSS JOIN LATERAL (
            SELECT {come} AS bare
        ) AS s
        WHERE z.edition_id = :second AND z.unit_code LIKE :below AND NOT ST_IsEmpty(s.bare)
        ORDER BY from_grid, to_grid
        """.format(  # noqa: S608 - fixed texts
            gone=BARE.format(shape="a.geom", other=":second"),
            come=BARE.format(shape="z.geom", other=":first"),
        ),
        first=found.first,
        second=found.second,
        below=f"{found.area_code}%",
        old=[a for a, _ in pairs],
        new=[b for _, b in pairs],
    ).all()
    return [
        {"from_grid": r.from_grid, "to_grid": r.to_grid, "area_m2": r.area_m2, "wkb": bytes(r.wkb)}
        for r in rows
        if r.area_m2 >= LEAST_GROUND_M2
    ]


def _shapes(session: Session, edition_id: int, area_code: str) -> dict[int, Any]:
    rows = session.execute(
        sa.select(
            GridShape.grid_id,
            GridShape.code,
            GridShape.households,
            GridShape.target,
            GridShape.area_type,
        ).where(GridShape.edition_id == edition_id, GridShape.unit_code.startswith(area_code))
    )
    return {row.grid_id: row for row in rows}


class _Ground:
    """Grids of an edition by place: on a shared border that with the lowest code answers.

    Here and not by the database: a look-up for each building of a county takes seconds there.
    """

    def __init__(self, session: Session, edition_id: int, area_code: str) -> None:
        rows = execute(
            session,
            "SELECT grid_id, code, ST_AsBinary(geom) AS wkb FROM grid_shapes "
            "WHERE edition_id = :edition AND unit_code LIKE :below ORDER BY code",
            edition=edition_id, below=f"{area_code}%",
        ).all()  # fmt: skip
        self.tree = shapely.STRtree(shapely.from_wkb([bytes(row.wkb) for row in rows]))
        self.ids = np.array([*(row.grid_id for row in rows), 0], dtype=np.int64)
        self.codes = {row.grid_id: row.code for row in rows}

    def at(self, points: NDArray[np.object_]) -> NDArray[np.int64]:
        """Grid of each point, 0 where there is none."""
        first = np.full(len(points), len(self.ids) - 1)
        point, place = self.tree.query(points, predicate="covered_by")
        np.minimum.at(first, point, place)
        return self.ids[first]


def _joined(
    session: Session, grounds: tuple[_Ground, _Ground], places: str, county: str
) -> list[tuple[int, int, int, int]]:
    """Grid in the first, grid in the second (0: none), number of places, their weight."""
    rows = execute(
        session,
        f"SELECT ST_X(p.geom) AS lon, ST_Y(p.geom) AS lat, p.weight FROM ({places}) AS p "  # noqa: S608 - texts of this module
        "WHERE NOT ST_IsEmpty(p.geom)",
        county=county,
    ).all()
    if not rows:
        return []
    table = np.array([tuple(row) for row in rows], dtype=np.float64)
    points = shapely.points(table[:, :2])
    pairs = np.column_stack([ground.at(points) for ground in grounds])
    found, pair = np.unique(pairs, axis=0, return_inverse=True)
    counts, weights = np.bincount(pair), np.bincount(pair, table[:, 2])
    return [
        (int(a), int(b), int(count), int(weight))
        for (a, b), count, weight in zip(found, counts, weights, strict=True)
    ]


def _identities(
    old: Mapping[int, Any],
    new: Mapping[int, Any],
    buildings: Sequence[tuple[int, int, int, int]],
) -> dict[int, int]:
    """Grid of the second for each of the first that goes on."""
    same = {grid: grid for grid in old.keys() & new.keys()}
    total_old: dict[int, int] = defaultdict(int)
    total_new: dict[int, int] = defaultdict(int)
    for a, b, _, weight in buildings:
        total_old[a] += weight
        total_new[b] += weight
    for a, b, _, weight in buildings:
        if a and b and a not in same and b not in same:
            is_most = weight > SAME_GRID_SHARE * max(total_old[a], total_new[b])
            if is_most:
                same[a] = b
    return same


def _lineage(
    old: Mapping[int, Any],
    new: Mapping[int, Any],
    same: Mapping[int, int],
    counted: Mapping[tuple[int, int], Mapping[str, int]],
) -> list[Line]:
    """What becomes of each grid of the first, and where the new ones come from."""
    to: dict[int, set[int]] = defaultdict(set)
    come_from: dict[int, set[int]] = defaultdict(set)
    for (a, b), numbers in counted.items():
        if a and b and numbers["households"]:
            to[a].add(b)
            come_from[b].add(a)
    heirs = set(same.values())
    lines = []
    for grid, row in old.items():
        if grid in same:
            fresh = sorted(new[b].code for b in to[grid] if b not in heirs)
            kind: Kind = "split" if fresh else "kept"
            lines.append(Line(row.code, kind, (new[same[grid]].code, *fresh)))
        else:
            kind = "merged" if to[grid] & heirs else "gone"
            lines.append(Line(row.code, kind, tuple(sorted(new[b].code for b in to[grid]))))
    lines += [
        Line(row.code, "new", tuple(sorted(old[a].code for a in come_from[grid])))
        for grid, row in new.items()
        if grid not in heirs
    ]
    return sorted(lines, key=lambda line: (line.code, line.kind))


def _load(shapes: Mapping[int, Any]) -> Load:
    if not shapes:
        return Load(0, 0, 0.0, 0.0, 0.0, 0, 0)
    households = np.array([row.households for row in shapes.values()], dtype=float)
    share = np.abs(households / np.array([row.target for row in shapes.values()]) - 1)
    norms = np.array([AREA_TYPES[row.area_type].tolerance for row in shapes.values()])
    mean = households.mean()
    return Load(
        len(shapes),
        int(households.sum()),
        float((share <= norms + 1e-9).mean()),
        float(share.mean()),
        float(households.std() / mean) if mean else 0.0,
        int(households.min()),
        int(households.max()),
    )


def _workers(session: Session, at: datetime) -> dict[int, str]:
    """Name of who is in charge of each grid at a moment."""
    rows = execute(
        session,
        "SELECT a.grid_id, p.name FROM assignments AS a JOIN persons AS p ON p.id = a.person_id "
        "WHERE a.grid_id IS NOT NULL AND a.is_primary AND a.mode <> 'emergency' "
        "AND a.valid @> CAST(:at AS timestamptz)",
        at=at,
    )
    return {row.grid_id: row.name for row in rows}


def _may(session: Session, right: str) -> bool:
    return bool(session.scalar(sa.select(sa.func.wangge_may(right))))


def _code(shapes: Mapping[int, Any], grid: int) -> str | None:
    row = shapes.get(grid)
    return row.code if row is not None else None
