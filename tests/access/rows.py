"""Writes the marked place: a row of every table for each of its units, and all its accounts."""

from __future__ import annotations

import json
import uuid
from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING

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
from tests.access.place import (
    B12,
    CALLERS,
    COUNTIES,
    EXPORTED,
    GRIDS,
    MIDDLE,
    NORTH,
    PREFECTURE,
    PROVINCE,
    REPORTED,
    SINCE,
    SOUTH,
    TOWNSHIPS,
    VILLAGES,
    Place,
    Row,
    middle,
    report,
    row_county,
    sign_code,
    span,
    word,
)
from tests.access.planned import address_rows, duty_rows, lineage_rows, plan_rows, sign_row

if TYPE_CHECKING:
    from sqlalchemy.orm import Session

    from gis.secrets import Keyring


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
