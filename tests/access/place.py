"""Two counties, two townships in each, two villages in each, two grids in each; every row marked.

::

    county          990121 (A)                          990122 (B)
    township     ..101     ..102                     ..101     ..102
    village    001  002  001  002                  001  002  001  002
    grid       1 2  1 2  1 2  1 2                  1 2  1 2  1 2  1 2
    lon      117.00                          117.16                     117.32   lat 45.00 - 45.02

Every row of every table carries a mark: a word that stands nowhere else, or its own id or code. So
what an answer shows is found by looking for marks in its bytes, whatever its form.
"""

from __future__ import annotations

import hashlib
import re
import uuid
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Iterable

WHOLE, PROVINCE, PREFECTURE = "", "99", "9901"
COUNTIES = A, B = "990121", "990122"
TOWNSHIPS = A1, A2, B1, B2 = tuple(c + t for c in COUNTIES for t in ("101", "102"))
VILLAGES = A11, A12, A21, A22, B11, B12, B21, B22 = tuple(
    t + v for t in TOWNSHIPS for v in ("001", "002")
)
GRIDS: Final = tuple(v + g for v in VILLAGES for g in ("001", "002"))
AREAS: Final = (WHOLE, PROVINCE, A, A1, A11, A12, A2, B, B11)
"""Areas of the accounts: of village A11, each is inside, a parent, a sibling or elsewhere."""
ROLES: Final = (
    "resident", "grid_worker", "community", "township", "department", "dispatcher", "planner",
    "patrol_leader", "analyst", "integrator", "system_admin", "security_admin", "audit_admin",
)  # fmt: skip
# Whose account a grid worker's is. The last one's grid lies outside its account's area.
WORKS_IN: Final = {
    WHOLE: GRIDS[15], PROVINCE: GRIDS[14], A: GRIDS[7], A1: GRIDS[1], A11: GRIDS[0],
    A12: GRIDS[2], A2: GRIDS[4], B: GRIDS[8], B11: GRIDS[10],
}  # fmt: skip
WEST, SOUTH, NORTH, STEP = 117.0, 45.0, 45.02, 0.02
MIDDLE = (SOUTH + NORTH) / 2
SINCE = datetime(2026, 1, 1, tzinfo=UTC)

Mark = tuple[str, str]
"""Kind of a row and its key."""

_WORD = re.compile(rb"zq[0-9a-f]{12}")
_UUID = re.compile(rb"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}")
_GRID = re.compile(rb"(?<!\d)9901\d{11}(?!\d)")


def word(kind: str, key: str) -> str:
    """A word that stands for a row and nowhere else."""
    return f"zq{hashlib.sha256(f'{kind} {key}'.encode()).hexdigest()[:12]}"


def sign_code(village: str) -> str:
    """Code of the sign of a village."""
    return hashlib.sha256(village.encode()).hexdigest()[:12]


def span(code: str) -> tuple[float, float]:
    """Longitudes that a unit or grid reaches from and to."""
    places = [place for place, grid in enumerate(GRIDS) if grid.startswith(code)]
    return WEST + places[0] * STEP, WEST + (places[-1] + 1) * STEP


def middle(code: str) -> tuple[float, float]:
    """Longitude and latitude of the middle of a unit or grid."""
    west, east = span(code)
    return (west + east) / 2, MIDDLE


@dataclass(frozen=True, slots=True)
class Row:
    """One row, as the test knows it.

    Attributes
    ----------
    areas
        Codes of the units it belongs to.
    span
        Longitudes it reaches from and to; None without a place.
    grid, person
        Codes of the grid it was given, and of the grid whose worker it belongs to.
    by
        Login of the account that reported it, or that it belongs to.
    at
        When it was reported.
    """

    kind: str
    key: str
    areas: tuple[str, ...]
    span: tuple[float, float] | None = None
    grid: str | None = None
    person: str | None = None
    by: str | None = None
    at: datetime | None = None
    category: str | None = None
    sent: str | None = None
    """County whose department it was sent to."""
    is_in_row: bool = True
    """Whether it lies in the row of villages, or beside it."""

    @property
    def mark(self) -> Mark:
        """What it is found by."""
        return self.kind, self.key


@dataclass(frozen=True, slots=True)
class Caller:
    """An account of the test: a role in an area; ``person`` is the code of its worker's grid.

    That of a department is an officer of the department of the county ``office``.
    """

    role: str
    area: str
    person: str | None = None
    also: tuple[str, ...] = ()
    office: str | None = None

    @property
    def login(self) -> str:
        """Name of its account."""
        return f"{self.role}.{self.area or 'all'}".replace("_", "-")


# Whose officers accounts of departments are. The last one's lies outside its account's area.
OFFICES: Final = {area: area[:6] or A for area in AREAS} | {PROVINCE: B, B11: A}


def _caller(role: str, area: str) -> Caller:
    match role:
        case "grid_worker":
            return Caller(role, area, WORKS_IN[area])
        case "department":
            return Caller(role, area, f"officer {area}", office=OFFICES[area])
        case _:
            return Caller(role, area)


CALLERS: Final = tuple(_caller(role, area) for role in ROLES for area in AREAS)
# Who reported something: the last one has moved from B11 to A11 since.
REPORTED: Final = {
    "resident.990121101001": GRIDS[0],
    "integrator.990121101": GRIDS[2],
    "analyst.990121101001": GRIDS[8],
}
EXPORTED: Final = {
    "township": ("people",), "dispatcher": ("incidents", "cameras"), "planner": ("grids",),
    "analyst": ("incidents",),
}  # fmt: skip
"""What each role that may has asked to export."""


@dataclass
class Place:
    """What was made: rows by kind, and what each mark means."""

    rows: dict[str, list[Row]] = field(default_factory=dict)
    known: dict[str, Mark] = field(default_factory=dict)
    keys: dict[tuple[str, str], Mark] = field(default_factory=dict)
    """Table and text of its key column -> the row."""
    ids: dict[Mark, Any] = field(default_factory=dict)
    tokens: dict[str, str] = field(default_factory=dict)
    """Login -> API key."""

    def add(self, row: Row, *marks: object, table: str = "", key: object = None) -> str:
        """Note a row, and everything it may be found by; the word for it."""
        if row not in self.rows.setdefault(row.kind, []):
            self.rows[row.kind].append(row)
        for each in (word(*row.mark), *marks):
            self.known[str(each)] = row.mark
        if table:
            self.keys[table, str(key if key is not None else word(*row.mark))] = row.mark
        return word(*row.mark)

    def found(self, data: bytes) -> set[Mark]:
        """Rows whose marks stand in these bytes."""
        words = {
            each.decode() for pattern in (_WORD, _UUID, _GRID) for each in pattern.findall(data)
        }
        return {self.known[each] for each in words if each in self.known}


def shared_address(row: Row) -> str | None:
    """The address that an account's report has in common with that of its grid; else None."""
    grids = sorted(REPORTED.values())
    return f"house {grids.index(row.grid) + 1}" if row.grid in grids else None


def report(row: Row) -> dict[str, Any]:
    """What was sent when an incident was reported; sent again, it is a retry."""
    sent = {
        "id": str(uuid.uuid5(uuid.NAMESPACE_OID, row.key)),
        "category": row.category,
        "text": f"text {word('said', row.key)}",
        "address": shared_address(row) or f"address {word('said', row.key)}",
        "source": "test",
        "external_id": word(*row.mark),
    }
    if row.span is None:
        return sent | {"county_code": row.areas[0]}
    return sent | {"lon": row.span[0], "lat": MIDDLE}


def row_county(row: Row) -> str:
    """The county that a row is kept under."""
    return row.areas[0][:6]


def overlapping(rows: Iterable[Row], west: float, east: float) -> list[Row]:
    """Rows whose place reaches into these longitudes."""
    return [row for row in rows if row.span and row.span[0] <= east and row.span[1] >= west]
