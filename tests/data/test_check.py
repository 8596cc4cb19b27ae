"""``wangge db check``: each rule is broken on purpose, past the constraints, and is named."""

from __future__ import annotations

import uuid
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import geopandas as gpd
import pytest
import sqlalchemy as sa
from shapely import box

from data import check
from grids import service
from grids.incidents import service as incidents
from grids.incidents import steps
from grids.redistricting import draw
from tests import conftest, factories

if TYPE_CHECKING:
    from collections.abc import Iterator

    from gis.cluster import Cluster
    from gis.database import Database

NUMBER = uuid.UUID(int=1)
AREA = (
    "INSERT INTO editions (area_code, status, valid, title, author, approver, published_at) VALUES "
)
ALL_ON_ONE_GRID = (
    "ALTER TABLE assignments DROP CONSTRAINT assignments_one_primary; "
    "UPDATE assignments SET grid_id = (SELECT min(grid_id) FROM grid_shapes)"
)
LONG_BUILDING = (
    "UPDATE buildings SET geom = ST_SetSRID(ST_MakeEnvelope(117.002, 45.01, 117.021, 45.012), "
    "4326) WHERE external_id = 'b0'"
)
FIX_WITHOUT_A_MONTH = (
    "INSERT INTO patrols (county_code, area_code, source, external_id, state, started_at) "
    "VALUES ('990121', '990121', 's', '1', 'under_way', '2026-02-03'); "
    "INSERT INTO track_fixes (patrol_id, fixed_at, county_code, area_code, geom) "
    "SELECT id, '2026-02-03', '990121', '990121', 'SRID=4326;POINT(117 45)' FROM patrols"
)
FIX_OFF_DUTY = "SELECT wangge_track_partition('2026-02-03'); " + FIX_WITHOUT_A_MONTH.replace(
    "'under_way', '2026-02-03'", "'under_way', '2026-02-04'"
)
GRID_OVER_GRID = (
    "UPDATE grid_shapes SET geom = ST_SetSRID(ST_MakeEnvelope(117.01, 45, 117.04, 45.02), 4326) "
    "WHERE code = '990121101001002'"
)


@pytest.fixture(scope="module")
def county(test_cluster: Cluster, template: str) -> Iterator[Database]:
    """A clean county with a building in each grid and an incident on its way."""
    for database in conftest.fresh(test_cluster, template):
        with database.transaction() as session:
            factories.county(session)
            lon, lat = factories.middle(0)
            incidents.record(
                session,
                incidents.Report(id=NUMBER, category="other", source="s", x=lon, y=lat),
                actor="t",
            )
            steps.step(session, NUMBER, "accepted", actor="t")
            for place in range(4):
                lon, lat = factories.middle(place)
                session.execute(
                    sa.text(
                        "INSERT INTO buildings (county_code, unit_code, households_resident, "
                        "geom, source, external_id) VALUES ('990121', :unit, 300, "
                        "ST_SetSRID(ST_MakeEnvelope(:x, :y, :x + 0.001, :y + 0.001), 4326), "
                        "'s', :id)"
                    ),
                    {
                        "unit": factories.grid_code(place)[:12],
                        "x": lon,
                        "y": lat,
                        "id": f"b{place}",
                    },
                )
        yield database


def breaches(database: Database) -> dict[str, list[str]]:
    return {
        each.name: [str(one) for one in each.breaches]
        for each in check.check(database)
        if not each.is_kept
    }


def test_clean_county_breaks_nothing(county: Database) -> None:
    said: list[str] = []
    findings = check.check(county, said.append)
    assert breaches(county) == {}
    assert said == [each.name for each in findings]
    assert len(said) == len(set(said)) == len(list(check.invariants())) + 3


def test_empty_database_breaks_nothing(database: Database) -> None:
    assert breaches(database) == {}


@pytest.mark.parametrize(
    ("name", "sql", "words"),
    [
        (
            "one edition in force for each ground and moment",
            "ALTER TABLE editions DROP CONSTRAINT editions_one_answer; " + AREA
            + "('990121101', 'active', '[2026-02-01,)', 't', 'a', 'b', now())",
            "are both in force",
        ),
        (
            "one worker in charge of each grid at any moment",
            ALL_ON_ONE_GRID,
            "both in charge of grid",
        ),
        (
            "every unit's parent is known",
            "DELETE FROM admin_units WHERE level = 9",
            "unit 990121101001 names the parent 990121101, which is not there",
        ),
        (
            "every building with households lies in exactly one grid in force",
            "UPDATE buildings SET geom = 'SRID=4326;POINT(118 45)' WHERE external_id = 'b2'",
            "building b2 (300 households) lies in 0 grids",
        ),
        (
            "no building is cut by a grid in force",
            LONG_BUILDING,
            "building b0 is cut by grid 990121101001001",
        ),
        (
            "every incident's grid covers its place",
            "UPDATE incidents SET geom = 'SRID=4326;POINT(117.07 45.01)'",
            f"incident {NUMBER} does not lie in its grid 990121101001001",
        ),
        (
            "every incident's edition was in force at its report time",
            "UPDATE incidents SET reported_at = '2025-12-31T00:00:00Z'",
            f"incident {NUMBER} was reported at 2025-12-31",
        ),
        (
            "every incident's state is what its events say",
            "UPDATE incidents SET state = 'closed'",
            f"incident {NUMBER} is closed, its events say accepted",
        ),
        (
            "every incident's steps follow one another",
            "UPDATE incident_events SET from_state = 'handling' WHERE to_state = 'accepted'",
            "starts from handling, the one before ended in reported",
        ),
        (
            "every track fix lies in the partition of its month",
            FIX_WITHOUT_A_MONTH,
            "1 fixes lie in no month's partition",
        ),
        (
            "every track fix was taken while its patrol was under way",
            FIX_OFF_DUTY,
            "has 1 fixes from outside it",
        ),
        (
            "every chain of the audit log ends where its head says, with nothing missing",
            "DELETE FROM audit_log WHERE seq = (SELECT max(seq) FROM audit_log)",
            "and its head says",
        ),
        (
            "every chain of the audit log ends where its head says, with nothing missing",
            "DELETE FROM audit_log WHERE seq = 1",
            "and its head says",
        ),
        (
            "every chain of the audit log ends where its head says, with nothing missing",
            "UPDATE audit_log SET hash = sha256('x') WHERE seq = (SELECT max(seq) FROM audit_log)",
            "and its head says",
        ),
        (
            "every chain of the audit log ends where its head says, with nothing missing",
            "DELETE FROM audit_heads",
            "and its head says nothing",
        ),
        (
            "append-only tables are guarded",
            "DROP TRIGGER audit_heads_onward ON audit_heads",
            "table audit_heads has no guard against being turned back",
        ),
        (
            "append-only tables are guarded",
            "ALTER TABLE audit_log DISABLE TRIGGER audit_log_append_only",
            "table audit_log has no guard",
        ),
        (
            "append-only tables are guarded",
            "DROP TRIGGER incidents_history ON incidents",
            "table incidents has no guard",
        ),
        (
            "append-only tables are guarded",
            "ALTER TABLE imports DISABLE TRIGGER imports_no_truncate",
            "table imports has no guard",
        ),
        (
            "constraints are validated",
            "ALTER TABLE persons ADD CONSTRAINT later CHECK (name <> '') NOT VALID",
            "constraint later of persons is not validated",
        ),
        (
            "the grids of every edition in force keep the rules of their kind",
            "DELETE FROM grid_shapes WHERE code = '990121101002002'",
            "gap in unit 990121101002",
        ),
        (
            "the grids of every edition in force keep the rules of their kind",
            GRID_OVER_GRID,
            "990121101001001",
        ),
    ],
)  # fmt: skip
def test_each_breach_is_named(county: Database, name: str, sql: str, words: str) -> None:
    with county.engine.connect() as connection:
        # As a hand on the tables would do it: triggers and foreign keys look away. Nothing of it
        # is committed; the check reads within the same transaction.
        connection.execute(sa.text("SET LOCAL session_replication_role = replica"))
        for statement in sql.split("; "):
            connection.execute(sa.text(statement))
        with sa.orm.Session(connection) as session:
            found = {
                each.name: [str(one) for one in each.breaches]
                for each in check.findings(session)
                if not each.is_kept
            }
        connection.rollback()
    assert name in found, found
    assert any(words in each for each in found[name]), found[name]
    assert all(". " in each for each in found[name])  # what to do about it


@pytest.mark.parametrize(
    ("sql", "words"),
    [
        (
            "UPDATE buildings SET geom = 'SRID=4326;POINT(118 45)' WHERE external_id = 'b2'",
            "building b2 (300 households) lies in 0 grids",
        ),
        (LONG_BUILDING, "building b0 is cut by grid 990121101001001"),
        (
            (
                "DELETE FROM grid_shapes WHERE code = '990121101002002' AND edition_id = "
                "(SELECT min(id) FROM editions)"
            ),
            "gap in unit 990121101002",
        ),
    ],
)
def test_the_edition_in_force_is_looked_at_while_the_next_waits(
    county: Database, sql: str, words: str
) -> None:
    with county.engine.connect() as connection:
        with sa.orm.Session(connection) as session:
            draft = service.save_draft(
                session, factories.COUNTY, factories.squares(), title="next", author="t"
            )
            then = datetime.now(UTC) + timedelta(days=30)
            service.publish(session, draft.id, approver="b", effective=then)
            connection.execute(sa.text("SET LOCAL session_replication_role = replica"))
            connection.execute(sa.text(sql))
            found = [str(one) for each in check.findings(session) for one in each.breaches]
        connection.rollback()
    assert any(words in each for each in found), found


def test_many_breaches_are_counted(county: Database) -> None:
    with county.engine.connect() as connection:
        connection.execute(
            sa.text(
                "INSERT INTO buildings (county_code, unit_code, households_resident, geom, source, "
                "external_id) SELECT '990121', '990121101001', 1, 'SRID=4326;POINT(118 45)', 'x', "
                "n::text FROM generate_series(1, 50) AS n"
            )
        )
        with sa.orm.Session(connection) as session:
            (found,) = [each for each in check.findings(session) if not each.is_kept]
        connection.rollback()
    assert len(found.breaches) == check.SHOWN + 1
    assert "and 30 more" in str(found.breaches[-1])


def test_planner_s_own_output_is_accepted(database: Database) -> None:
    with database.transaction() as session:
        factories.units(session)
        rows = [
            {"x": factories.WEST + 0.0005 + 0.002 * column, "y": 45.0005 + 0.002 * row}
            for column in range(39)
            for row in range(9)
        ]
        buildings = gpd.GeoDataFrame(
            {"households": [4] * len(rows), "id": range(1, len(rows) + 1)},
            geometry=[box(r["x"], r["y"], r["x"] + 0.0004, r["y"] + 0.0003) for r in rows],
            crs=4326,
        )
        session.execute(
            sa.text(
                "INSERT INTO buildings (county_code, unit_code, households_resident, geom, source, "
                "external_id) VALUES ('990121', :unit, 4, ST_GeomFromText(:wkt, 4326), 's', :id)"
            ),
            [
                {
                    "unit": factories.VILLAGES[int(r["x"] >= factories.WEST + 2 * factories.STEP)],
                    "wkt": shape.wkt,
                    "id": str(number),
                }
                for number, (r, shape) in enumerate(zip(rows, buildings.geometry, strict=True))
            ],
        )
        area = gpd.GeoDataFrame(
            {"code": list(factories.VILLAGES)},
            geometry=[
                box(
                    factories.WEST + 2 * k * factories.STEP, factories.SOUTH,
                    factories.WEST + 2 * (k + 1) * factories.STEP, factories.NORTH,
                )
                for k in range(2)
            ],
            crs=4326,
        )  # fmt: skip
        plan = draw(area, buildings, None, target=100, tolerance=0.2, seed=1)
        assert len(plan.grids) > 8
        edition = service.save_draft(
            session, factories.COUNTY, plan.grids, title="drawn", author="t"
        )
        service.publish(
            session, edition.id, approver="t", effective=datetime(2026, 1, 1, tzinfo=UTC)
        )
    assert breaches(database) == {}


def test_a_database_that_knows_no_chinese_letters_is_named(test_cluster: Cluster) -> None:
    url = sa.make_url(test_cluster.url)
    admin = sa.create_engine(
        url.set(database="postgres"), isolation_level="AUTOCOMMIT", poolclass=sa.NullPool
    )
    with admin.connect() as connection:
        connection.execute(
            sa.text("CREATE DATABASE plain TEMPLATE template0 LC_CTYPE 'C' LC_COLLATE 'C'")
        )
    try:
        engine = sa.create_engine(url.set(database="plain"), poolclass=sa.NullPool)
        with sa.orm.Session(engine) as session:
            session.execute(sa.text("CREATE EXTENSION pg_trgm"))
            (problem,) = check.characters(session).breaches
        assert "character type is C:" in problem.reason
        assert "--lc-ctype=C.UTF-8" in problem.remedy
    finally:
        with admin.connect() as connection:
            connection.execute(sa.text("DROP DATABASE plain WITH (FORCE)"))
