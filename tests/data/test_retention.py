"""What is due goes, what is not stays, and nobody but the retention job can empty history."""

from __future__ import annotations

import uuid
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest
import sqlalchemy as sa

from boundaries.access import Credential, enter
from data import check, retention
from gis.secrets import Keyring
from grids.incidents import reporters, service, steps
from grids.people import personal
from grids.people import service as people
from grids.people.models import Person
from tests import factories

if TYPE_CHECKING:
    from gis.database import Database
    from tests.factories import County

NOW = datetime.now(UTC)


@pytest.fixture
def county(database: Database) -> County:
    with database.transaction() as session:
        return factories.county(session)


def report(database: Database, *, closed: bool) -> uuid.UUID:
    """An incident with a text, a note and a reporter."""
    lon, lat = factories.middle(0)
    keyring = Keyring.open(database.settings.secrets_path)
    with database.transaction() as session:
        stored = service.record(
            session,
            service.Report(
                id=uuid.uuid4(), category="neighbour", source="test", text="王家楼下",
                address="1 号楼", x=lon + 0.003, y=lat + 0.003,
            ),
            actor="test",
        )  # fmt: skip
        reporters.keep(
            session, stored.incident, reporters.Identity("王", "13900000000"), keyring=keyring
        )
        if closed:
            steps.step(session, stored.incident.id, "closed", actor="test", note="王家说好了")
        return stored.incident.id


def age(database: Database, **moments: datetime) -> None:
    """Let everything that happened have been recorded at another time."""
    with database.transaction() as session:
        for table, moment in moments.items():
            column = {"incident_events": "recorded_at", "imports": "at"}[table]
            trigger = f"{table}_append_only"
            session.execute(sa.text(f"ALTER TABLE {table} DISABLE TRIGGER {trigger}"))
            session.execute(sa.text(f"UPDATE {table} SET {column} = :at"), {"at": moment})
            session.execute(sa.text(f"ALTER TABLE {table} ENABLE TRIGGER {trigger}"))


def rows(database: Database, sql: str, **values: Any) -> list[Any]:
    with database.transaction() as session:
        result = session.execute(sa.text(sql), values)
        return list(result) if result.returns_rows else []


def run(database: Database, *, commit: bool = True) -> dict[str, int]:
    done = retention.run(database, actor="test", commit=commit)
    return {each.rule.entity: each.rows for each in done if each.rows}


def test_every_rule_has_its_statements(database: Database) -> None:
    with database.transaction() as session:
        assert {rule.entity for rule in retention.rules(session)} == set(retention.statements())


def test_nothing_is_due_in_a_new_place(database: Database, county: County) -> None:
    report(database, closed=True)
    assert run(database) == {}


def test_texts_and_reporters_of_closed_incidents_go(database: Database, county: County) -> None:
    open_, closed = report(database, closed=False), report(database, closed=True)
    with database.transaction() as session:
        session.execute(
            sa.text(
                "INSERT INTO address_reviews "
                "(county_code, area_code, text, candidates, incident_id, author) "
                "SELECT county_code, area_code, '老裴家', '[]', id, 't' FROM incidents"
            )
        )
    age(database, incident_events=NOW - timedelta(days=1826))
    assert run(database, commit=False) == {"reporters": 1, "incident_texts": 1}
    assert len(rows(database, "SELECT FROM reporters")) == 2, "a dry run changes nothing"
    assert run(database) == {"reporters": 1, "incident_texts": 1}
    assert run(database) == {}
    stay = rows(database, "SELECT text, address FROM incidents WHERE id = :i", i=open_)
    assert stay == [("王家楼下", "1 号楼")]
    (gone,) = rows(
        database,
        "SELECT text, address, state, grid_id, person_id, source_x, anonymised_at IS NOT NULL AS "
        "emptied, ST_X(geom) AS lon FROM incidents WHERE id = :i",
        i=closed,
    )
    assert (gone.text, gone.address, gone.state, gone.source_x) == ("", "", "closed", None)
    assert gone.emptied
    assert gone.grid_id == county.grids[factories.grid_code(0)]
    assert gone.lon == pytest.approx(factories.middle(0)[0], abs=1e-6)
    notes = rows(database, "SELECT note, to_state FROM incident_events WHERE incident_id = :i",
                 i=closed)  # fmt: skip
    assert sorted(notes) == [("", "closed"), ("", "reported")]
    # What was asked of its address goes with it.
    assert rows(database, "SELECT incident_id FROM address_reviews") == [(open_,)]
    with database.transaction() as session:
        findings = {each.name: each.breaches for each in check.findings(session)}
    assert not any(findings.values()), findings


def test_what_an_address_was_said_to_mean_goes(database: Database, county: County) -> None:
    said = (
        "INSERT INTO address_aliases (county_code, area_code, key, text, label, geom, unit_code, "
        "author, at) VALUES ('990121', '990121', :key, '老裴家', 'x', "
        "CASE WHEN CAST(:unit AS text) IS NULL THEN ST_SetSRID(ST_MakePoint(117, 45), 4326) END, "
        "CAST(:unit AS text), 't', :at)"
    )
    asked = (
        "INSERT INTO address_reviews (county_code, area_code, text, candidates, author, at, "
        "outcome, decided_at, decided_by) VALUES ('990121', '990121', :text, '[]', 't', :old, "
        "'nowhere', :at, 't')"
    )
    old, young = NOW - timedelta(days=1826), NOW - timedelta(days=1824)
    rows(database, said, key="old", unit=None, at=old)
    rows(database, said, key="young", unit=None, at=young)
    rows(database, said, key="unit", unit="990121", at=old)
    rows(database, asked, text="old", old=old, at=old)
    rows(database, asked, text="young", old=old, at=young)
    assert run(database, commit=False) == {"address_aliases": 2}
    assert run(database) == {"address_aliases": 2}
    left = rows(database, "SELECT key FROM address_aliases ORDER BY key")
    assert left == [("unit",), ("young",)]
    assert rows(database, "SELECT text FROM address_reviews") == [("young",)]
    assert run(database) == {}


def test_contacts_of_who_left_go(database: Database, county: County) -> None:
    keyring = Keyring.open(database.settings.secrets_path)
    left, stays = county.workers[factories.grid_code(0)], county.workers[factories.grid_code(1)]
    with database.transaction() as session:
        for who in (left, stays):
            person = session.get_one(Person, who)
            personal.keep(session, person, "phone", "13900000000", keyring=keyring, actor="t")
        shape = people.grid_by_code(session, factories.grid_code(0), NOW)
        (assignment,) = people.assignments_of(session, shape.grid_id, NOW)
        people.relieve(session, assignment, actor="t", at=NOW - timedelta(days=181))
    assert run(database) == {"person_contacts": 1}
    assert rows(database, "SELECT id FROM persons WHERE phone IS NOT NULL") == [(stays,)]


def test_tracks_become_coarse(database: Database, county: County) -> None:
    with database.transaction() as session:
        session.execute(
            sa.text(
                "INSERT INTO patrols (county_code, source, external_id, state, started_at) "
                "VALUES (:c, 't', '1', 'under_way', now() - interval '60 days')"
            ),
            {"c": factories.COUNTY},
        )
        session.execute(sa.text("SELECT wangge_track_partition(now() - interval '40 days')"))
        for number, days in enumerate((45, 40, 40, 5)):
            session.execute(
                sa.text(
                    "INSERT INTO track_fixes (patrol_id, fixed_at, county_code, geom) "
                    "SELECT id, now() - make_interval(days => :d, secs => :n), county_code, "
                    "ST_SetSRID(ST_MakePoint(117.0123456 + :n * 0.01, 45.0123456), 4326) "
                    "FROM patrols"
                ),
                {"d": days, "n": number},
            )
    assert run(database) == {"track_fixes": 3}
    assert len(rows(database, "SELECT FROM track_fixes")) == 1
    (left,) = rows(
        database,
        "SELECT fixes, ST_NumGeometries(geom) AS places, ST_X(ST_GeometryN(geom, 1)) AS lon, "
        "last_at - first_at AS lasted FROM track_summaries",
    )
    assert (left.fixes, left.places) == (3, 3)
    assert left.lon == pytest.approx(round(left.lon / 0.006) * 0.006)
    assert left.lasted.days in {4, 5}
    # What is reduced later joins what was reduced before.
    with database.transaction() as session:
        retention.set_days(session, "track_fixes", 1, actor="test")
    assert run(database) == {"track_fixes": 1}
    assert rows(database, "SELECT fixes FROM track_summaries") == [(4,)]


def test_reports_of_old_imports_keep_their_counts(database: Database) -> None:
    with database.transaction() as session:
        session.execute(
            sa.text(
                "INSERT INTO imports (kind, source, file_name, file_sha256, actor, kept, changed, "
                "rejected, report) VALUES ('units', 's', 'f', repeat('0', 64), 'a', 3, 0, 1, "
                '\'{"rejected": ["王"]}\')'
            )
        )
    age(database, imports=NOW - timedelta(days=366))
    assert run(database) == {"import_reports": 1}
    assert rows(database, "SELECT kept, rejected, report FROM imports") == [(3, 1, {})]


def test_runs_and_changed_rules_are_on_record(database: Database) -> None:
    with database.transaction() as session:
        retention.set_days(session, "sessions", 400, actor="wang")
        with pytest.raises(retention.BadInput, match="track_fixes"):
            retention.set_days(session, "everything", 1, actor="wang")
    run(database, commit=False)
    assert rows(database, "SELECT FROM retention_runs") == []
    run(database)
    assert rows(database, "SELECT actor FROM retention_runs") == [("test",)]
    assert rows(
        database, "SELECT actor, object_id FROM audit_log WHERE action = 'retention.rule'"
    ) == [("wang", "sessions")]


@pytest.mark.parametrize(
    "change",
    [
        "UPDATE incidents SET text = ''",
        "UPDATE incidents SET address = ''",
        "UPDATE incidents SET anonymised_at = now()",
        "UPDATE incident_events SET note = '', data = '{}'",
    ],
)
def test_nobody_else_empties_history(database: Database, county: County, change: str) -> None:
    report(database, closed=True)
    with pytest.raises(sa.exc.DBAPIError, match=r"append-only|stays"):
        rows(database, change)


@pytest.mark.parametrize(
    "change",
    [
        "UPDATE incidents SET text = 'other', anonymised_at = now()",
        "UPDATE incidents SET text = '', address = '', anonymised_at = now(), reported_at = now()",
        "UPDATE incident_events SET note = 'other'",
        "UPDATE incident_events SET note = '', data = '{}', actor = 'other'",
        "DELETE FROM incident_events",
        "DELETE FROM incidents",
    ],
)
def test_retention_itself_only_empties(database: Database, county: County, change: str) -> None:
    report(database, closed=True)
    with database.transaction() as session:
        session.execute(sa.text("SELECT set_config('wangge.retention', 'on', true)"))
        with pytest.raises(sa.exc.DBAPIError, match=r"append-only|only empties|stays|never"):
            session.execute(sa.text(change))
        session.rollback()


def test_service_cannot_claim_to_be_the_retention_job(database: Database, county: County) -> None:
    report(database, closed=True)
    with database.transaction() as session:
        token = factories.token(session, factories.account(session, "dispatcher"))
    with database.service_transaction() as session:
        enter(session, Credential.of(token, is_key=False))
        session.execute(sa.text("SELECT set_config('wangge.retention', 'on', true)"))
        assert session.scalar(sa.text("SELECT wangge_is_retention()")) is False
