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
from maps.disclosure import K, hidden

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from sqlalchemy.orm import Session

    from boundaries.access import Caller


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
SHARED_INCIDENT: Final = ("category", "severity", "state", "reported_on", "grid_code")
"""What is left of an incident that leaves the case team: no id, no moment, no person."""


def read(session: Session, caller: Caller, name: str, filters: Filters, *, shared: bool) -> Table:
    """The rows of a collection as the caller may take them along.

    Parameters
    ----------
    shared
        In the form that leaves the case team: incidents lie at the inner point of their grid with
        their day alone; counts below five are hidden, with those that would give them away.
    """
    wanted = collection(name)
    if name == "incident_counts":
        return _counts(session, filters, wanted, shared=shared)
    if name == "incidents" and shared:
        return _shared_incidents(session, filters, wanted)
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


def _shared_incidents(session: Session, filters: Filters, wanted: Collection) -> Table:
    sql = (
        "SELECT t.category, t.severity, t.state, CAST(t.reported_at AS date), s.code, "  # noqa: S608
        "ST_AsBinary(ST_PointOnSurface(s.geom)) "
        "FROM incidents AS t JOIN grid_shapes AS s "
        "ON s.edition_id = t.edition_id AND s.grid_id = t.grid_id "
        f"WHERE {wanted.where} ORDER BY s.code, t.reported_at"
    )
    rows = session.execute(sa.text(sql), filters.values()).all()
    by_grid: dict[str, int] = {}
    for row in rows:
        by_grid[row[4]] = by_grid.get(row[4], 0) + 1
    # Where a grid holds fewer than five in all, each of them would point to somebody.
    kept = [row for row in rows if by_grid[row[4]] >= K]
    left_out = count(session, "incidents", filters) - len(kept)
    return Table(
        SHARED_INCIDENT,
        [row[:5] for row in kept],
        [bytes(row[5]) for row in kept],
        [
            (
                "Places are the inner point of each grid, not where it happened; left out: "
                f"{left_out} incidents without a grid, or in grids with fewer than {K} of them."
            ),
            f"位置为网格内点,并非事发地;无网格或所在网格不足{K}件的{left_out}件未列出。",
        ],
    )


def _counts(session: Session, filters: Filters, wanted: Collection, *, shared: bool) -> Table:
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
    gone = hidden(counts, parents) if shared else set()
    rows = [
        (code, parents.get(code, ""), None if code in gone else number, code in gone)
        for code, number in sorted(counts.items())
    ]
    notes = [
        f"Counts below {K}, and those that would give them away, are hidden.",
        f"不足{K}件及可由合计推出者隐去。",
    ]
    return Table(("code", "part_of", "incidents", "hidden"), rows, notes=notes if shared else ())
