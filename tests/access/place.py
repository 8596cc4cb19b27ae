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
import json
import re
import uuid
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, Final

import geopandas as gpd
import sqlalchemy as sa
from shapely import box

from gis import audit
from gis.database import execute
from grids import service as editions
from grids.incidents import reporters
from grids.incidents import service as incidents
from grids.people import duty
from grids.people import service as people
from tests import factories
from tests.access.planned import (
    address_rows,
    duty_rows,
    lineage_rows,
    plan_rows,
    sign_row,
)

if TYPE_CHECKING:
    from collections.abc import Iterable

    from sqlalchemy.orm import Session

    from gis.secrets import Keyring

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


EXPORTED: Final = {
    "township": ("people",), "dispatcher": ("incidents", "cameras"), "planner": ("grids",),
    "analyst": ("incidents",),
}  # fmt: skip
"""What each role that may has asked to export."""


def build(session: Session, keyring: Keyring) -> Place:
    """Make the place, its rows and an account of every role in every area."""
    place = Place()
    _units(session, place)
    workers = {}
    for county in COUNTIES:
        workers |= _edition(session, place, county)
        _draft(session, place, county)
    _ground(session, place)
    _patrols(session, place, workers)
    _accounts(session, place, workers)
    _incidents(session, place, keyring)
    for county in COUNTIES:
        row = Row("audit", county, (county,))
        mark = place.add(row, table="audit_log")
        # With a space it is somebody's own words, which are kept apart from the log.
        words = f"{word('purpose', county)} 核实"
        place.add(Row("purpose", county, (county,)), table="audit_purposes", key=words)
        audit.record(session, actor="test", action="test", object_kind="test", object_id=mark,
                     county_code=county, purpose=words)  # fmt: skip
    return place


def _units(session: Session, place: Place) -> None:
    for code in (PROVINCE, PREFECTURE, *COUNTIES, *TOWNSHIPS, *VILLAGES):
        west, east = span(code)
        place.add(Row("unit", code, (code,)), table="admin_units", key=code)
        parent = {4: code[:2], 6: code[:4], 9: code[:6], 12: code[:9]}.get(len(code))
        execute(
            session,
            "INSERT INTO admin_units (code, level, parent_code, name, geom, source) VALUES "
            "(:code, :level, :parent, :name, "
            "ST_Multi(ST_MakeEnvelope(:west, :south, :east, :north, 4326)), 'test')",
            code=code, level=len(code), parent=parent, name=f"单元{code}",
            west=west, south=SOUTH, east=east, north=NORTH,
        )  # fmt: skip


def _frame(county: str, *, shift: int, kind: str) -> gpd.GeoDataFrame:
    codes = [grid for grid in GRIDS if grid.startswith(county)]
    shown = [f"{code[:12]}{int(code[12:]) + shift:03d}" for code in codes]
    return gpd.GeoDataFrame(
        {
            "code": shown,
            "name": [word(kind, code) for code in shown],
            "unit": [code[:12] for code in codes],
            "households": 300,
            "buildings": 20,
            "target": 300,
        },
        geometry=[box(span(code)[0], SOUTH, span(code)[1], NORTH) for code in codes],
        crs=4326,
    )


def _edition(session: Session, place: Place, county: str) -> dict[str, uuid.UUID]:
    """An edition in force, a worker in charge of each of its grids, a leave that is over."""
    title = place.add(Row("edition", county, (county,)), table="editions")
    frame = _frame(county, shift=0, kind="grid")
    edition = editions.save_draft(session, county, frame, title=title, author="test")
    editions.publish(session, edition.id, approver="approver", effective=SINCE)
    workers = {}
    for code in frame["code"]:
        village = code[:12]
        row = Row("grid", code, (village,), span(code), grid=code)
        place.add(row, code, table="grid_shapes", key=code)
        shape = people.grid_by_code(session, code, SINCE)
        place.ids[row.mark] = shape.grid_id
        place.add(Row("identity", code, (county,)), table="grids", key=shape.grid_id)
        row = Row("person", code, (county, village), person=code)
        person = people.add(session, word(*row.mark), county_code=county, actor="test")
        place.add(row, person.id, table="persons", key=person.id)
        row = Row("assignment", code, (village,), person=code)
        mark = place.add(row, table="assignments")
        people.assign(session, person, shape, actor=mark, since=SINCE)
        mark = place.add(Row("leave", code, (county, village), person=code), table="leaves")
        people.take_leave(session, person, actor=mark, since=SINCE, until=SINCE + timedelta(days=3))
        workers[code] = person.id
    # Somebody of the county who answers for nothing.
    row = Row("person", county, (county,))
    person = people.add(session, word(*row.mark), county_code=county, actor="test")
    place.add(row, person.id, table="persons", key=person.id)
    return workers


def _draft(session: Session, place: Place, county: str) -> None:
    title = place.add(Row("draft edition", county, (county,)), table="editions")
    frame = _frame(county, shift=10, kind="draft")
    draft = editions.save_draft(session, county, frame, title=title, author="test", note=title)
    for number, code in enumerate(frame["code"], 1):
        row = Row("draft", code, (code[:12],))
        place.add(row, code, table="grid_shapes", key=code)
        grid = execute(
            session,
            "INSERT INTO cells (edition_id, cell_id, county_code, grid_id, unit_code, block, "
            "households, geom) SELECT edition_id, :number, county_code, grid_id, unit_code, 1, "
            "households, geom FROM grid_shapes WHERE edition_id = :edition AND code = :code "
            "RETURNING grid_id",
            number=number, edition=draft.id, code=code,
        ).scalar_one()  # fmt: skip
        place.add(Row("identity", code, (county,)), table="grids", key=grid)
        place.add(Row("cell", code, (code[:12],)), table="cells", key=grid)
    place.ids["plan", county] = draft.id
    place.ids["department", county] = duty_rows(
        session, county, lambda kind, table: place.add(Row(kind, county, (county,)), table=table)
    )
    place.ids["edition", county] = lineage_rows(
        session, county, draft.id,
        lambda code: place.add(Row("lineage", code, (code[:12],)), table="grid_lineage"),
    )  # fmt: skip
    place.ids["plan comment", county] = plan_rows(
        session, draft.id, county,
        lambda kind, table: place.add(Row(kind, county, (county,)), table=table),
    )  # fmt: skip


def _ground(session: Session, place: Place) -> None:
    """Buildings and cameras of each village and of the county, barriers and borders."""
    for code in (*VILLAGES, *COUNTIES):
        county, village = code[:6], code if len(code) == 12 else None
        lon, lat = middle(code[:12] if village else code)
        # What belongs to the county alone lies beside all of its villages.
        lat = lat if village else NORTH + 0.02
        lon -= 0.005
        row = Row("building", code, (code,), (lon, lon), is_in_row=village is not None)
        mark = place.add(row, table="buildings")
        execute(
            session,
            "INSERT INTO buildings (county_code, unit_code, name, address, households_registered, "
            "geom, source, external_id) VALUES (:county, :unit, :mark, :mark, 7, "
            "ST_SetSRID(ST_MakePoint(:lon, :lat), 4326), 'test', :mark)",
            county=county, unit=village, mark=mark, lon=lon, lat=lat,
        )  # fmt: skip
        place.ids["address review", code] = address_rows(
            session, code, (lon, lat),
            lambda kind, table, code=code: place.add(Row(kind, code, (code,)), table=table),
        )  # fmt: skip
        place.ids["address alias", code] = execute(
            session, "SELECT id FROM address_aliases WHERE area_code = :code", code=code
        ).scalar_one()
        row = Row("camera", code, (code,), (lon, lon), is_in_row=village is not None)
        mark = place.add(row, table="cameras")
        place.ids[row.mark] = execute(
            session,
            "INSERT INTO cameras (county_code, name, heading_deg, hfov_deg, range_m, geom, source, "
            "external_id) VALUES (:county, :mark, 90, 60, 100, "
            "ST_SetSRID(ST_MakePoint(:lon, :lat), 4326), 'test', :mark) RETURNING id",
            county=county, mark=mark, lon=lon, lat=lat,
        ).scalar_one()  # fmt: skip
    for county in COUNTIES:
        west, east = span(county)
        values = {"county": county, "west": west + 0.001, "east": east - 0.001, "lat": MIDDLE}
        mark = place.add(Row("barrier", county, (county,), (west, east)), table="barriers")
        execute(
            session,
            "INSERT INTO barriers (county_code, kind, name, geom, source, external_id) VALUES "
            "(:county, 'arterial', :mark, ST_SetSRID(ST_MakeLine(ST_MakePoint(:west, :lat), "
            "ST_MakePoint(:east, :lat)), 4326), 'test', :mark)",
            mark=mark, **values,
        )  # fmt: skip
        mark = place.add(Row("border", county, (county,), (west, east)), table="border_lines")
        execute(
            session,
            "INSERT INTO border_lines (county_code, name, our_side, geom, source, external_id) "
            "VALUES (:county, :mark, 'left', ST_SetSRID(ST_MakeLine(ST_MakePoint(:west, :lat), "
            "ST_MakePoint(:east, :lat)), 4326), 'test', :mark)",
            mark=mark, **values,
        )  # fmt: skip


def _patrols(session: Session, place: Place, workers: dict[str, uuid.UUID]) -> None:
    """A route through each village, township and county, walked by the worker of its first grid."""
    for code in (*VILLAGES, *TOWNSHIPS, *COUNTIES):
        west, east = span(code)
        row = Row("route", code, (code,), (west + 0.001, east - 0.001))
        route = execute(
            session,
            "INSERT INTO patrol_routes (county_code, name, means, interval_days, geom, source, "
            "external_id) VALUES (:county, :mark, 'horse', 7, ST_SetSRID(ST_MakeLine("
            "ST_MakePoint(:west, :lat), ST_MakePoint(:east, :lat)), 4326), 'test', :mark) "
            "RETURNING id",
            county=code[:6], mark=place.add(row, table="patrol_routes"), west=row.span[0],
            east=row.span[1], lat=MIDDLE,
        ).scalar_one()  # fmt: skip
        row = Row("checkpoint", code, (code,), (west + 0.001, west + 0.001))
        execute(
            session,
            "INSERT INTO checkpoints (county_code, route_id, seq, name, geom) VALUES (:county, "
            ":route, 1, :mark, ST_SetSRID(ST_MakePoint(:lon, :lat), 4326))",
            county=code[:6], route=route, mark=place.add(row, table="checkpoints"),
            lon=row.span[0], lat=MIDDLE,
        )  # fmt: skip
        walker = next(grid for grid in GRIDS if grid.startswith(code))
        row = Row("patrol", code, (code,), person=walker)
        patrol = execute(
            session,
            "INSERT INTO patrols (county_code, route_id, team, started_at, ended_at, state, source,"
            " external_id, person_id) VALUES (:county, :route, :mark, '2026-02-01', '2026-02-02', "
            "'done', 'test', :mark, :person) RETURNING id",
            county=code[:6], route=route, mark=place.add(row, table="patrols"),
            person=workers[walker],
        ).scalar_one()  # fmt: skip
        place.add(Row("fix", code, (code,), person=walker), table="track_fixes", key=patrol)
        execute(
            session,
            "INSERT INTO track_fixes (patrol_id, fixed_at, county_code, geom) VALUES (:patrol, "
            "'2026-02-01T06:00Z', :county, ST_SetSRID(ST_MakePoint(:lon, :lat), 4326))",
            patrol=patrol, county=code[:6], lon=west + 0.002, lat=MIDDLE,
        )  # fmt: skip
        row = Row("summary", code, (code,), person=walker)
        place.add(row, table="track_summaries", key=patrol)
        execute(
            session,
            "INSERT INTO track_summaries (patrol_id, county_code, area_code, fixes, first_at, "
            "last_at, geom) SELECT id, county_code, area_code, 1, started_at, ended_at, "
            "ST_SetSRID(ST_Multi(ST_MakePoint(:lon, :lat)), 4326) FROM patrols "
            "WHERE id = :patrol",
            patrol=patrol, lon=west + 0.002, lat=MIDDLE,
        )  # fmt: skip


def _officers(session: Session, place: Place) -> dict[str, uuid.UUID]:
    """An officer for each account of a department, by the key of its person."""
    officers = {}
    for caller in CALLERS:
        if caller.office is None or caller.person is None:
            continue
        row = Row("person", caller.person, (caller.office,), person=caller.person)
        person = people.add(session, word(*row.mark), county_code=caller.office, actor="test")
        place.add(row, person.id, table="persons", key=person.id)
        row = Row("assignment", caller.person, (caller.office,), person=caller.person)
        mark = place.add(row, table="assignments")
        office = duty.department(session, place.ids["department", caller.office])
        duty.link(session, person, role="officer", department=office, actor=mark, since=SINCE)
        officers[caller.person] = person.id
    return officers


def _accounts(session: Session, place: Place, workers: dict[str, uuid.UUID]) -> None:
    workers = workers | _officers(session, place)
    for caller in CALLERS:
        areas = (caller.area,)
        row = Row("account", caller.login, areas, person=caller.person, by=caller.login)
        account = factories.account(
            session, caller.role, caller.area, login=caller.login,
            person=workers[caller.person] if caller.person else None,
        )  # fmt: skip
        account.name = word(*row.mark)
        place.add(row, account.id, caller.login, table="accounts", key=account.id)
        place.ids[row.mark] = account.id
        place.tokens[caller.login] = factories.key(session, account)
        factories.token(session, account)
        for table, column in (("sessions", "agent"), ("api_keys", "name")):
            mark = place.add(Row(table, caller.login, areas, by=caller.login), table=table)
            session.execute(
                sa.text(f"UPDATE {table} SET {column} = :mark WHERE account_id = :account"),
                {"mark": mark, "account": account.id},
            )
            place.ids[table, caller.login] = session.scalar(
                sa.text(f"SELECT id FROM {table} WHERE account_id = :account"),
                {"account": account.id},
            )
        for collection in EXPORTED.get(caller.role, ()):
            row = Row("exports", f"{caller.login} {collection}", areas, by=caller.login)
            place.ids[row.mark] = execute(
                session,
                "INSERT INTO exports (account_id, login, area_code, collection, format, filters, "
                "is_shared, purpose, rows, state, expires_at) VALUES (:account, :login, :area, "
                ":collection, 'csv', CAST(:filters AS jsonb), false, :mark, 1000, 'ready', "
                "now() + interval '1 day') RETURNING id",
                account=account.id, login=caller.login, area=caller.area, collection=collection,
                filters='{"start": null, "end": null, "categories": [], "unit": null}',
                mark=place.add(row, table="exports"),
            ).scalar_one()  # fmt: skip
        # Over and done with: it lets nobody see anything.
        mark = place.add(Row("area_grants", caller.login, areas, by=caller.login),
                         table="area_grants")  # fmt: skip
        place.ids["area_grants", caller.login] = execute(
            session,
            "INSERT INTO area_grants (account_id, area_code, kind, reason, valid, given_by) "
            "VALUES (:account, :area, 'grant', :mark, '[2026-01-01, 2026-02-01)', 'test') "
            "RETURNING id",
            account=account.id, area=B12, mark=mark,
        ).scalar_one()  # fmt: skip
    for village in VILLAGES:
        name = place.add(Row("sign", village, (village,)), table="signs")
        sign_row(session, village, sign_code(village), middle(village), name)


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


def _incidents(session: Session, place: Place, keyring: Keyring) -> None:
    """One in each grid, one without a place in each county, and those that accounts reported."""
    wanted = [
        Row("incident", grid, (grid[:12],), (middle(grid)[0],) * 2, grid=grid, person=grid,
            category=("neighbour", "labour")[number % 2])
        for number, grid in enumerate(GRIDS)
    ] + [Row("incident", county, (county,), category="other") for county in COUNTIES] + [
        Row("incident", login, (grid[:12],), (middle(grid)[0] + 0.002,) * 2, grid=grid,
            person=grid, by=login, category="hazard")
        for login, grid in REPORTED.items()
    ]  # fmt: skip
    for number, each in enumerate(wanted):
        at = SINCE + timedelta(days=30, hours=number)
        row = replace(each, at=at, sent=row_county(each) if number % 3 == 0 else None)
        sent = report(row)
        place.add(row, sent["id"], table="incidents", key=sent["id"])
        same = {"grid": row.grid, "person": row.person, "by": row.by, "sent": row.sent}
        place.add(Row("said", row.key, row.areas, **same))
        given = {("x" if k == "lon" else "y" if k == "lat" else k): v for k, v in sent.items()}
        given |= {"id": uuid.UUID(sent["id"]), "reported_at": at}
        # Whoever is let in is the one who reports.
        reporter = str(place.ids["account", row.by]) if row.by else ""
        execute(session, "SELECT set_config('wangge.account', :id, true)", id=reporter)
        stored = incidents.record(session, incidents.Report(**given), actor="test")
        execute(session, "SELECT set_config('wangge.account', '', true)")
        execute(
            session,
            "INSERT INTO incident_events (incident_id, county_code, at, actor, kind, note, data) "
            "VALUES (:id, :county, :at, 'test', 'note', :mark, CAST(:data AS jsonb))",
            id=sent["id"], county=row.areas[0][:6], at=at, mark=word("said", row.key),
            data=json.dumps({"departments": {"lead": place.ids["department", row.sent]}}
                            if row.sent else {}),
        )  # fmt: skip
        tables = {"incident_events": "event", "reporters": "reporter"}
        if row.sent:
            tables["incident_departments"] = "sending"
        for table, kind in tables.items():
            place.add(Row(kind, row.key, row.areas, **same), table=table, key=sent["id"])
        if row.span is None:
            # It came with an address: what it may be is asked.
            asked = Row("asked", row.key, row.areas, **same)
            place.add(asked, table="address_reviews", key=sent["address"])
        who = reporters.Identity(name=word("reporter", row.key), phone=None)
        reporters.keep(session, stored.incident, who, keyring=keyring)


def row_county(row: Row) -> str:
    """The county that a row is kept under."""
    return row.areas[0][:6]


def overlapping(rows: Iterable[Row], west: float, east: float) -> list[Row]:
    """Rows whose place reaches into these longitudes."""
    return [row for row in rows if row.span and row.span[0] <= east and row.span[1] >= west]
