"""What can be exported: each collection with its rights, its columns by class, and its query.

Queries run in the caller's own transaction, so that row-level security says which rows leave.
Columns are those whose class may leave; what a right opens beyond that is said here once.
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any, Final

import sqlalchemy as sa

from gis.classes import OPEN, ColumnClass, classes_of
from gis.errors import BadInput, Problem
from maps import sharing
from maps.disclosure import K
from maps.gridmaps.gridmap import WHOLE, cell, tree
from maps.gridmaps.service import shared_counts

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from sqlalchemy.orm import Session

    from boundaries.access import Caller
    from maps.gridmaps.gridmap import Found


@dataclass(frozen=True, slots=True, kw_only=True)
class Filters:
    """Which rows: a period (half-open, aware times), categories, a unit and what lies below it."""

    start: datetime | None = None
    end: datetime | None = None
    categories: Sequence[str] = ()
    unit: str | None = None

    def values(self) -> dict[str, Any]:
        """As bound values of the queries."""
        return {
            "start": self.start,
            "end": self.end,
            "categories": list(self.categories) or None,
            "unit": self.unit,
        }

    def as_json(self) -> dict[str, Any]:
        """As kept in the register."""
        return {
            "start": self.start.isoformat() if self.start else None,
            "end": self.end.isoformat() if self.end else None,
            "categories": list(self.categories),
            "unit": self.unit,
        }

    @classmethod
    def from_json(cls, document: Mapping[str, Any]) -> Filters:
        """Back from the register."""
        return cls(
            start=datetime.fromisoformat(document["start"]) if document["start"] else None,
            end=datetime.fromisoformat(document["end"]) if document["end"] else None,
            categories=tuple(document["categories"]),
            unit=document["unit"],
        )


@dataclass(frozen=True, slots=True)
class Table:
    """Rows ready to be written; ``wkb`` holds a geometry for each, or is empty."""

    columns: Sequence[str]
    rows: Sequence[Sequence[Any]]
    wkb: Sequence[bytes | None] = ()
    notes: Sequence[str] = ()


@dataclass(frozen=True, slots=True)
class Collection:
    """Something that can be exported.

    Attributes
    ----------
    table
        Whose columns, by class, may leave.
    rights
        All of them are needed beside ``exports.make``.
    personal
        The right that opens the personal columns; empty where none does.
    may_be_shared
        Whether a form of it may leave the case team.
    where
        SQL conditions on the rows, with the values of ``Filters``.
    """

    name_zh: str
    name_en: str
    table: str
    rights: tuple[str, ...]
    where: str
    geometry: str = ""
    personal: str = ""
    may_be_shared: bool = False
    restricted: bool = False


_PERIOD = (
    "(CAST(:start AS timestamptz) IS NULL OR t.reported_at >= :start) "
    "AND (CAST(:end AS timestamptz) IS NULL OR t.reported_at < :end) "
    "AND (CAST(:categories AS text[]) IS NULL OR t.category = ANY(:categories)) "
)
_UNIT = "(CAST(:unit AS text) IS NULL OR starts_with(t.{column}, :unit)) "

COLLECTIONS: Final[Mapping[str, Collection]] = {
    "incidents": Collection(
        "事件", "incidents", "incidents", ("incidents.read",),
        _PERIOD + "AND " + _UNIT.format(column="area_code"),
        geometry="geom", personal="incidents.detail", may_be_shared=True,
    ),
    "grids": Collection(
        "现行网格", "grids in force", "grid_shapes", ("grids.read",),
        _UNIT.format(column="unit_code") + "AND EXISTS (SELECT FROM editions AS e "
        "WHERE e.id = t.edition_id AND e.status <> 'draft' AND e.valid @> now())",
        geometry="geom", may_be_shared=True,
    ),
    "buildings": Collection(
        "楼栋", "buildings", "buildings", ("buildings.read",),
        _UNIT.format(column="area_code"), geometry="geom",
    ),
    "people": Collection(
        "人员", "people", "persons", ("people.read",),
        "(CAST(:unit AS text) IS NULL OR EXISTS (SELECT FROM unnest(t.area_codes) AS c (code) "
        "WHERE starts_with(c.code, :unit)))",
        personal="people.read",
    ),
    "cameras": Collection(
        "摄像头", "cameras", "cameras", ("cameras.read",), _UNIT.format(column="area_code"),
        geometry="geom", restricted=True,
    ),
    "routes": Collection(
        "巡逻路线", "patrol routes", "patrol_routes", ("patrols.read",),
        _UNIT.format(column="area_code"), geometry="geom", restricted=True,
    ),
    "incident_counts": Collection(
        "各网格事件数", "incidents by grid", "incidents", ("incidents.read",),
        _PERIOD + "AND " + _UNIT.format(column="area_code"), may_be_shared=True,
    ),
}  # fmt: skip


def collection(name: str) -> Collection:
    """Find a collection by its name.

    Raises
    ------
    BadInput
        There is none; the text names those there are.
    """
    if name not in COLLECTIONS:
        raise BadInput(
            Problem(
                f"there is no collection '{name}' to export",
                f"One of: {', '.join(COLLECTIONS)}",
                field="collection",
            )
        )
    return COLLECTIONS[name]


def count(session: Session, name: str, filters: Filters) -> int:
    """How many rows of it the caller may take along."""
    wanted = collection(name)
    sql = f"SELECT count(*) FROM {wanted.table} AS t WHERE {wanted.where}"  # noqa: S608 - our own
    return int(session.scalar(sa.text(sql), filters.values()) or 0)


def columns(session: Session, caller: Caller, wanted: Collection, *, shared: bool) -> list[str]:
    """Columns that may leave: by class, and by what the caller's rights open beyond."""
    allowed = set(OPEN)
    if not shared:
        if wanted.personal and caller.may(wanted.personal):
            allowed.add(ColumnClass.PERSONAL)
        if wanted.restricted:
            allowed.add(ColumnClass.SECRET_CANDIDATE)
    found = classes_of(session, wanted.table)
    return sorted(
        each
        for each, kind in found.items()
        if kind in allowed and each not in {wanted.geometry, "point", *NEVER}
    )


NEVER: Final = frozenset({"request_sha256", "xid"})
"""Of no use to a reader of the file."""
SHARED_INCIDENT: Final = ("category", "incidents", "quarter_from", "quarter_to", "grid_code")
"""What is left of incidents that leave the case team: how many of a kind in a grid."""


def read(session: Session, caller: Caller, name: str, filters: Filters, *, shared: bool) -> Table:
    """The rows of a collection as the caller may take them along.

    Parameters
    ----------
    shared
        In the form that leaves the case team, of the quarter that ``shareable`` made of the period:
        incidents are counted by grid and category; counts below five are hidden, with those that
        would give them away, as on the maps of the quarter.
    """
    wanted = collection(name)
    if name == "incident_counts":
        return (
            _shared_counts(session, caller, filters)
            if shared
            else _counts(session, filters, wanted)
        )
    if name == "incidents" and shared:
        return _shared_incidents(session, filters)
    listed = columns(session, caller, wanted, shared=shared)
    # A place is personal where the whole row speaks of somebody's trouble.
    shows_place = wanted.geometry and (name != "incidents" or caller.may(wanted.personal))
    place = f", ST_AsBinary(t.{wanted.geometry})" if shows_place else ", NULL::bytea"
    sql = (
        f"SELECT {', '.join(f't.{each}' for each in listed)}{place} "  # noqa: S608 - our own names
        f"FROM {wanted.table} AS t WHERE {wanted.where} ORDER BY 1"
    )
    rows = session.execute(sa.text(sql), filters.values()).all()
    return Table(
        listed,
        [row[:-1] for row in rows],
        [bytes(row[-1]) if row[-1] is not None else None for row in rows] if shows_place else (),
    )


def shareable(filters: Filters, *, timezone: str, now: datetime) -> Filters:
    """What a shared export of incidents is made of: a whole quarter, one category or all.

    Raises
    ------
    BadInput
        No finished quarter touches the period, or several categories were asked for.
    """
    quarter = sharing.quarter(filters.start, filters.end, timezone=timezone, now=now)
    return Filters(
        start=quarter.start,
        end=quarter.end,
        categories=sharing.one_category(filters.categories),
        unit=filters.unit,
    )


def _quarter(session: Session, filters: Filters) -> tuple[Found, frozenset[str]]:
    if filters.start is None or filters.end is None:
        raise ValueError("a shared export is of a quarter")  # see shareable
    return shared_counts(session, filters.start, filters.end)


def _shared_incidents(session: Session, filters: Filters) -> Table:
    found, gone = _quarter(session, filters)
    points = {
        row.code: bytes(row.wkb)
        for row in session.execute(
            sa.text(
                "SELECT s.code, ST_AsBinary(ST_PointOnSurface(s.geom)) AS wkb "
                "FROM grid_shapes AS s JOIN editions AS e ON e.id = s.edition_id "
                "WHERE e.kind = 'base' AND e.status <> 'draft' "
                "AND e.valid @> LEAST(CAST(:end AS timestamptz) - interval '1 microsecond', now()) "
                "AND (CAST(:unit AS text) IS NULL OR starts_with(s.unit_code, :unit))"
            ),
            {"end": filters.end, "unit": filters.unit},
        )
    }
    kept = [
        (category, number, filters.start, filters.end, code)
        for (code, category), number in sorted(found.by_grid.items())
        if code in points
        and not {code, cell(code, category)} & gone
        and (not filters.categories or category in filters.categories)
    ]
    return Table(
        SHARED_INCIDENT,
        kept,
        [points[row[-1]] for row in kept],
        [
            (
                "Places are the inner point of each grid, not where it happened. Left out: "
                f"incidents without a grid, counts below {K}, and those that would give them away."
            ),
            f"位置为网格内点,并非事发地;无网格者、不足{K}件者及可由合计推出者未列出。",
        ],
    )


def _shared_counts(session: Session, caller: Caller, filters: Filters) -> Table:
    """Counts by grid, and for all categories together by unit, of what the caller sees."""
    found, gone = _quarter(session, filters)
    counts, parents = tree(found)
    wanted = filters.categories[0] if filters.categories else None
    rows: list[tuple[Any, ...]] = []
    for code in sorted(set(counts) - {WHOLE}):
        grid, _, category = code.partition("/")
        if category != (wanted or "") or not caller.scope.covers(found.units.get(grid, grid)):
            continue
        if filters.unit and not found.units.get(grid, grid).startswith(filters.unit):
            continue
        is_hidden = bool({grid if wanted else code, code} & gone)
        whole = parents[code] if not wanted else parents[grid]
        rows.append(
            (grid, "" if whole == WHOLE else whole, None if is_hidden else counts[code], is_hidden)
        )
    notes = [
        (
            f"Counts below {K}, and those that would give them away, are hidden. Of the quarter "
            f"from {filters.start:%Y-%m-%d} up to {filters.end:%Y-%m-%d}."
        ),
        f"不足{K}件及可由合计推出者隐去;时段为整季。",
    ]
    return Table(_COUNTED, rows, notes=notes)


_COUNTED: Final = ("code", "part_of", "incidents", "hidden")


def _counts(session: Session, filters: Filters, wanted: Collection) -> Table:
    sql = (
        "SELECT s.code, s.unit_code, count(*) "  # noqa: S608 - our own text
        "FROM incidents AS t JOIN grid_shapes AS s "
        "ON s.edition_id = t.edition_id AND s.grid_id = t.grid_id "
        f"WHERE {wanted.where} GROUP BY 1, 2 ORDER BY 1"
    )
    counts: dict[str, int] = {}
    parents: dict[str, str] = {}
    for code, unit, number in session.execute(sa.text(sql), filters.values()):
        # The same grid may have had the same code in two editions.
        counts[code] = counts.get(code, 0) + number
        parents[code] = unit
        above = [unit[:length] for length in (12, 9, 6) if length <= len(unit)]
        parents |= dict(itertools.pairwise(above))
        for each in dict.fromkeys(above):
            counts[each] = counts.get(each, 0) + number
    roots = {each for each in counts if each not in parents}
    if len(roots) > 1:
        for root in roots:
            parents[root] = "all"
        counts["all"] = sum(counts[root] for root in roots)
    rows = [(code, parents.get(code, ""), number, False) for code, number in sorted(counts.items())]
    return Table(_COUNTED, rows)
