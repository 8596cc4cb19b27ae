"""The mapped classes say what the migrations made, and the constraints hold."""

from __future__ import annotations

import uuid
from typing import TYPE_CHECKING

import pytest
import sqlalchemy as sa
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext

from boundaries import models as _boundaries
from boundaries.accounts import models as _accounts
from data import schema
from gis import audit
from gis.database import Base, Database, execute
from grids import models as _grids
from grids.addresses import models as _addresses
from grids.cameras import models as _cameras
from grids.incidents import models as _incidents
from grids.patrols import models as _patrols
from grids.people import models as _people
from maps.exports import models as _exports

if TYPE_CHECKING:
    from sqlalchemy.orm import Session

ALL_MODELS = (
    _boundaries,
    _accounts,
    audit,
    _grids,
    _addresses,
    _cameras,
    _incidents,
    _patrols,
    _people,
    _exports,
)
KINDS = {"add_table", "remove_table", "add_column", "remove_column"}
SQUARE = "SRID=4326;POLYGON((117 45,117.01 45,117.01 45.01,117 45.01,117 45))"


@pytest.mark.filterwarnings("ignore:Did not recognize type 'xid8'")
def test_classes_and_tables_agree(shared_database: Database) -> None:
    mapped = set(Base.metadata.tables)
    assert len(mapped) > len(ALL_MODELS)

    def ours(name: str | None, kind: str, _parents: object) -> bool:
        # Constraints and indexes live in the migrations only; partitions have no class.
        if kind == "table":
            return name in mapped
        return kind in {"schema", "column", "foreign_key_constraint"}

    with shared_database.engine.connect() as connection:
        context = MigrationContext.configure(
            connection,
            opts={
                "include_name": ours,
                "compare_type": True,
                "target_metadata": Base.metadata,
            },
        )
        changes = compare_metadata(context, Base.metadata)
    flat = [one for change in changes for one in (change if isinstance(change, list) else [change])]
    # Constraints, indexes and comments are the migrations' own.
    different = [
        str(one)
        for one in flat
        if one[0] in KINDS or str(one[0]).startswith(("modify_type", "modify_null"))
    ]
    assert different == []


def test_every_area_owned_table_has_a_county_code(shared_database: Database) -> None:
    # Dictionaries and logs of the installation as a whole belong to no area.
    without = {
        "accounts",
        "admin_levels",
        "alembic_version",
        "api_keys",
        "area_grants",
        "column_classes",
        "exports",
        "imports",
        "incident_categories",
        "incident_transitions",
        "retention_rules",
        "retention_runs",
        "rights",
        "role_rights",
        "roles",
        "sessions",
        "sign_in_failures",
        "snapshot_changes",
        "spatial_ref_sys",
    }
    with shared_database.engine.connect() as connection:
        tables = set(
            connection.scalars(
                sa.text(
                    "SELECT c.relname FROM pg_class AS c JOIN pg_namespace AS n "
                    "ON n.oid = c.relnamespace "
                    "WHERE n.nspname = 'public' AND c.relkind IN ('r', 'p')"
                )
            )
        )
        owned = set(
            connection.scalars(
                sa.text(
                    "SELECT table_name FROM information_schema.columns "
                    "WHERE table_schema = 'public' AND column_name = 'county_code'"
                )
            )
        )
    assert tables - owned == without


def test_migrating_twice_changes_nothing(database: Database) -> None:
    assert schema.upgrade(database).is_current
    assert schema.status(database).is_current


def test_newer_database_is_refused(database: Database) -> None:
    with database.transaction() as session:
        execute(session, "UPDATE alembic_version SET version_num = '9999'")
    with pytest.raises(schema.SchemaTooNew, match="9999"):
        schema.upgrade(database)


def edition(session: Session, area: str = "990121", **values: object) -> int:
    names = {"area_code": area, "title": "t", "author": "a", **values}
    columns = ", ".join(names)
    marks = ", ".join(f":{name}" for name in names)
    sql = f"INSERT INTO editions ({columns}) VALUES ({marks}) RETURNING id"
    return int(session.execute(sa.text(sql), names).scalar_one())


def grid(session: Session, edition_id: int, code: str, geom: str = SQUARE) -> int:
    number = session.execute(
        sa.text("INSERT INTO grids (county_code) VALUES ('990121') RETURNING id")
    ).scalar_one()
    session.execute(
        sa.text(
            "INSERT INTO grid_shapes (edition_id, grid_id, county_code, code, unit_code, "
            "area_type, households, buildings, target, compactness, area_m2, geom) VALUES "
            "(:edition, :grid, '990121', :code, left(:code, 12), 'urban', 300, 10, 300, .8, 1e6, "
            ":geom)"
        ),
        {"edition": edition_id, "grid": number, "code": code, "geom": geom},
    )
    return int(number)


def published(session: Session, area: str, valid: str, status: str = "active") -> int:
    return edition(
        session, area, status=status, valid=valid, approver="b", published_at="2026-01-01T00:00Z"
    )


@pytest.mark.parametrize(
    ("area", "valid"),
    [
        ("990121", "[2026-03-01,)"),  # the same county
        ("990121101", "[2026-03-01,)"),  # a town of it
        ("990121101001", "[2020-01-01,)"),  # a village of it, from before
    ],
)
def test_two_editions_in_force_on_one_ground_cannot_be(
    session: Session, area: str, valid: str
) -> None:
    published(session, "990121", "[2026-01-01,)")
    with pytest.raises(sa.exc.IntegrityError, match="editions_one_answer"):
        published(session, area, valid)


def test_editions_of_neighbours_or_of_other_times_can_be(session: Session) -> None:
    published(session, "990121", "[2026-01-01,)")
    published(session, "990122", "[2026-01-01,)")
    published(session, "990121", "[2025-01-01,2026-01-01)", status="superseded")


@pytest.mark.parametrize(
    "values",
    [
        {"status": "active"},
        {"status": "active", "valid": "[2026-01-01,2027-01-01)", "approver": "b"},
        {"status": "draft", "valid": "[2026-01-01,)"},
        {"status": "superseded", "valid": "[2026-01-01,)", "approver": "b"},
        {"area": "99012"},
        {"title": " "},
    ],
)
def test_wrong_editions_are_refused(session: Session, values: dict[str, str]) -> None:
    with pytest.raises(sa.exc.IntegrityError):
        edition(session, **values)


@pytest.mark.parametrize(
    ("geom", "words"),
    [
        ("SRID=4326;POLYGON((0 0,1 1,1 0,0 1,0 0))", "grid_shapes_geom_valid"),
        ("SRID=4326;MULTIPOLYGON(((0 0,1 0,1 1,0 0)))", "Geometry type"),
        ("SRID=3857;POLYGON((0 0,1 0,1 1,0 0))", "SRID"),
        ("SRID=4326;POLYGON EMPTY", "grid_shapes_geom_valid"),
    ],
)
def test_wrong_shapes_are_refused(session: Session, geom: str, words: str) -> None:
    number = edition(session)
    with pytest.raises(sa.exc.DBAPIError, match=words):
        grid(session, number, "990121101001001", geom)


def test_a_published_edition_keeps_its_shapes(session: Session) -> None:
    number = edition(session)
    grid(session, number, "990121101001001")
    execute(
        session,
        "UPDATE editions SET status = 'active', valid = '[2026-01-01,)', approver = 'b', "
        "published_at = now() WHERE id = :id",
        id=number,
    )
    for statement in (
        "UPDATE grid_shapes SET households = 1",
        "DELETE FROM grid_shapes",
        "DELETE FROM editions",
        "UPDATE editions SET status = 'draft', valid = NULL",
        "UPDATE editions SET approver = 'somebody else'",
    ):
        with pytest.raises(sa.exc.DBAPIError, match=r"stay|superseded"), session.begin_nested():
            execute(session, statement)


@pytest.mark.parametrize("table", ["audit_log", "incident_events", "imports"])
@pytest.mark.parametrize("verb", ["UPDATE {} SET actor = 'x'", "DELETE FROM {}", "TRUNCATE {}"])
def test_history_is_append_only(session: Session, table: str, verb: str) -> None:
    audit.record(session, actor="a", action="b", object_kind="c", object_id="d")
    audit.flush(session)
    incident = uuid.uuid4()
    report(session, incident)
    execute(
        session,
        "INSERT INTO imports (kind, source, file_name, file_sha256, actor, kept, changed, rejected,"
        " report) VALUES ('units', 's', 'f', repeat('0', 64), 'a', 0, 0, 0, '{}')",
    )
    with pytest.raises(sa.exc.DBAPIError, match=r"append-only|cannot truncate"):
        execute(session, verb.format(table))


def report(session: Session, incident: uuid.UUID) -> None:
    execute(
        session,
        "INSERT INTO incidents (id, county_code, source, category, reported_at, reason, review, "
        "request_sha256) VALUES (:id, '990121', 's', 'neighbour', now(), 'no_place', 'no_place', "
        "repeat('0', 64))",
        id=incident,
    )
    execute(
        session,
        "INSERT INTO incident_events (incident_id, county_code, at, actor, kind, to_state) "
        "VALUES (:id, '990121', now(), 'a', 'reported', 'reported')",
        id=incident,
    )


def move(session: Session, incident: uuid.UUID, before: str, after: str) -> None:
    execute(
        session,
        "INSERT INTO incident_events (incident_id, county_code, at, actor, kind, from_state, "
        "to_state) VALUES (:id, '990121', now(), 'a', 'state', :before, :after)",
        id=incident,
        before=before,
        after=after,
    )


def test_the_state_follows_the_events(session: Session) -> None:
    incident = uuid.uuid4()
    report(session, incident)
    move(session, incident, "reported", "dispatched")
    move(session, incident, "dispatched", "accepted")
    state = execute(session, "SELECT state FROM incidents WHERE id = :id", id=incident)
    assert state.scalar() == "accepted"


def test_a_step_the_machine_does_not_know_is_refused(session: Session) -> None:
    incident = uuid.uuid4()
    report(session, incident)
    with pytest.raises(sa.exc.IntegrityError, match="incident_events_allowed"):
        move(session, incident, "reported", "evaluated")


def test_a_step_from_a_state_it_has_left_is_refused(session: Session) -> None:
    incident = uuid.uuid4()
    report(session, incident)
    move(session, incident, "reported", "dispatched")
    with pytest.raises(sa.exc.DBAPIError, match="no longer reported"):
        move(session, incident, "reported", "accepted")


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE incidents SET state = 'closed'",
        "UPDATE incidents SET text = 'another'",
        "UPDATE incidents SET reported_at = now() + interval '1 day'",
        "DELETE FROM incidents",
    ],
)
def test_an_incident_is_not_rewritten(session: Session, statement: str) -> None:
    report(session, uuid.uuid4())
    with pytest.raises(sa.exc.DBAPIError, match=r"stays|by an event only|never deleted"):
        execute(session, statement)


@pytest.mark.parametrize(
    ("code", "level", "parent", "fits"),
    [
        ("990121", 6, "9901", True),
        ("990121", 6, None, True),
        ("990121", 9, None, False),
        ("99012", 6, None, False),
        ("990121", 6, "9902", False),
        ("99o121", 6, "9901", False),
    ],
)
def test_unit_codes_are_checked(
    session: Session, code: str, level: int, parent: str | None, fits: bool
) -> None:
    def insert() -> None:
        execute(
            session,
            "INSERT INTO admin_units (code, level, parent_code, name, source) "
            "VALUES (:code, :level, :parent, '示范旗', 't')",
            code=code,
            level=level,
            parent=parent,
        )

    if fits:
        insert()
    else:
        with pytest.raises(sa.exc.IntegrityError, match="admin_units"):
            insert()


def test_two_workers_in_charge_of_one_grid_cannot_be(session: Session) -> None:
    number = grid(session, edition(session), "990121101001001")
    for name in ("a", "b"):
        execute(
            session,
            "INSERT INTO persons (county_code, name, source, external_id) "
            "VALUES ('990121', :name, 's', :name)",
            name=name,
        )
    take = (
        "INSERT INTO assignments (county_code, person_id, role, grid_id, is_primary, valid, author)"
        " SELECT '990121', id, 'grid_worker', :grid, true, '[2026-01-01,)', 'x' FROM persons "
        "WHERE name = :name"
    )
    execute(session, take, grid=number, name="a")
    with pytest.raises(sa.exc.IntegrityError, match="assignments_one_primary"):
        execute(session, take, grid=number, name="b")


def test_camera_sector_looks_where_it_should(session: Session) -> None:
    row = execute(
        session,
        "SELECT ST_Area(s::geography) AS area, "
        "degrees(ST_Azimuth(ST_SetSRID(ST_Point(117, 45), 4326)::geography, "
        "ST_Centroid(s)::geography)) AS azimuth, ST_IsValid(s) AS fine "
        "FROM wangge_sector(ST_SetSRID(ST_Point(117, 45), 4326), 90, 60, 150) AS s",
    ).one()
    assert row.fine
    assert row.azimuth == pytest.approx(90, abs=0.1)
    # A sixth of a disc of 150 m, less the segments between arc points 5 degrees apart.
    assert row.area == pytest.approx(11781, rel=0.005)
