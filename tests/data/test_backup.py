"""Backups are whole or refused; a restore puts all back or leaves all as it was."""

from __future__ import annotations

import hashlib
import io
import json
import re
import tarfile
import uuid
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import sqlalchemy as sa

from boundaries.access import Credential, enter
from boundaries.errors import NotSignedIn
from data import backup, check, schema
from data.backup import Manifest, RestoreFailed
from gis import audit
from gis.database import Database
from gis.errors import BadInput, Conflict, Unavailable
from gis.settings import DatabaseSettings
from grids.incidents import service as incidents
from tests import factories

if TYPE_CHECKING:
    pass

SETTINGS = DatabaseSettings()
# One row for each table that the county itself leaves empty.
ROWS = """
INSERT INTO imports (kind, source, file_name, file_sha256, actor, kept, changed, rejected, report)
    VALUES ('units', 's', 'f', repeat('a', 64), 't', 1, 0, 0, '{}');
INSERT INTO border_lines (county_code, name, our_side, geom, source, external_id)
    VALUES ('990121', '界', 'left', 'SRID=4326;LINESTRING(117 45.1,117.1 45.1)', 's', '1');
INSERT INTO buildings (county_code, unit_code, households_resident, geom, source, external_id)
    VALUES ('990121', '990121101001', 3, 'SRID=4326;POINT(117.01 45.01)', 's', '1');
INSERT INTO barriers (county_code, kind, geom, source, external_id)
    VALUES ('990121', 'river', 'SRID=4326;LINESTRING(117 45,117.1 45.1)', 's', '1');
INSERT INTO cameras (county_code, name, hfov_deg, range_m, geom, source, external_id)
    VALUES ('990121', 'c', 60, 100, 'SRID=4326;POINT(117 45)', 's', '1');
INSERT INTO patrol_routes (county_code, name, means, interval_days, geom, source, external_id)
    VALUES ('990121', 'r', 'horse', 3, 'SRID=4326;LINESTRING(117 45.1,117.1 45.1)', 's', '1');
INSERT INTO checkpoints (county_code, route_id, seq, name, geom)
    SELECT '990121', id, 1, 'p', 'SRID=4326;POINT(117 45.1)' FROM patrol_routes;
INSERT INTO patrols (county_code, route_id, source, external_id, state, started_at, ended_at)
    SELECT '990121', id, 's', '1', 'done', '2026-02-03T00:00Z', '2026-02-03T02:00Z'
    FROM patrol_routes;
SELECT wangge_track_partition('2026-02-03T00:00:00Z');
INSERT INTO track_fixes (patrol_id, fixed_at, county_code, geom)
    SELECT id, '2026-02-03T00:00:00Z', '990121', 'SRID=4326;POINT(117 45.1)' FROM patrols;
INSERT INTO audit_roots (number, kind, stream, first_seq, last_seq, root, head, at, previous,
    public_key, signature)
    SELECT 1, 'root', '-.202602.00', 1, 1, h.bytes, h.bytes, now(), h.bytes, h.bytes,
        h.bytes || h.bytes
    FROM (SELECT sha256('x') AS bytes) AS h;
INSERT INTO import_changes (actor, action, object_kind, object_id, file, detail)
    VALUES ('t', 'import.change', 'camera', '1', 'f', '{}');
INSERT INTO leaves (county_code, person_id, during, author)
    SELECT '990121', id, '[2026-02-01,2026-02-02)', 't' FROM persons LIMIT 1;
INSERT INTO cells (edition_id, cell_id, county_code, grid_id, unit_code, block, households, geom)
    SELECT e.id, 1, '990121', g.grid_id, g.unit_code, 0, 3, g.geom
    FROM editions AS e JOIN grid_shapes AS g ON g.edition_id = e.id
    WHERE e.status = 'draft' LIMIT 1;
INSERT INTO accounts (login, name, role, area_code, created_by)
    VALUES ('li', 'l', 'integrator', '990121', 't');
INSERT INTO sessions (account_id, token_hash, expires_at, idle_s, second_factor)
    SELECT id, sha256('old'), now() + interval '1 day', 9999, false FROM accounts;
INSERT INTO api_keys (account_id, name, key_hash, per_minute, expires_at, created_by)
    SELECT id, 'k', sha256('key'), 9, now() + interval '1 day', 't' FROM accounts;
INSERT INTO signs (code, account_id, county_code, area_code, place_name, geom, created_by)
    SELECT '0123456789ab', id, '990121', '990121', 'gate', 'SRID=4326;POINT(117 45)', 't'
    FROM accounts;
INSERT INTO area_grants (account_id, area_code, kind, reason, valid, given_by)
    SELECT id, '990122', 'grant', 'joint case', '[2026-01-01,2026-02-01)', 't' FROM accounts;
INSERT INTO sign_in_failures VALUES (sha256('x'), 1, now(), NULL);
INSERT INTO reporters (incident_id, county_code, area_code, name)
    SELECT id, '990121', '990121', 'x' FROM incidents LIMIT 1;
INSERT INTO exports (account_id, login, area_code, collection, format, filters, is_shared, purpose,
    rows, state, expires_at)
    SELECT id, login, '990121', 'grids', 'csv', '{}', false, 'for a test', 1, 'ready', now()
    FROM accounts;
INSERT INTO track_summaries
    SELECT id, '990121', '990121', 1, now(), now(), 'SRID=4326;MULTIPOINT((117 45))' FROM patrols;
INSERT INTO plans (edition_id, county_code, area_code, tolerance, grids, households, unassigned,
    within_tolerance, deviation_sum, compactness_sum, created_by)
    SELECT id, county_code, area_code, 0.1, 0, 0, 0, 0, 0, 0, 't' FROM editions
    WHERE status = 'draft';
INSERT INTO plan_moves (edition_id, seq, parent, county_code, area_code, author, kind, detail,
    cells, grids_before, grids_after, before, after)
    SELECT edition_id, 1, 0, county_code, area_code, 't', 'move', '{}', '{1}', '{0}', '{2}', '{}',
        '{"2": null}' FROM plans;
INSERT INTO plan_steps (edition_id, version, county_code, area_code, author, kind, grids)
    SELECT edition_id, 1, county_code, area_code, 't', 'lock', '{2}' FROM plans;
INSERT INTO plan_locks (edition_id, grid_id, county_code, area_code, author)
    SELECT p.edition_id, g.grid_id, p.county_code, p.area_code, 't'
    FROM plans AS p JOIN grid_shapes AS g USING (edition_id);
INSERT INTO plan_comments (edition_id, county_code, area_code, author, words)
    SELECT edition_id, county_code, area_code, 't', 'w' FROM plans;
INSERT INTO plan_save_points (edition_id, name, county_code, area_code, seq, author)
    SELECT edition_id, 'n', county_code, area_code, 0, 't' FROM plans;
INSERT INTO departments (county_code, area_code, name, source, external_id)
    VALUES ('990121', '990121', 'd', 't', 'd');
INSERT INTO department_matters (department_id, category, county_code, area_code, author)
    SELECT id, 'tourism', county_code, area_code, 't' FROM departments;
INSERT INTO incident_events (incident_id, county_code, at, actor, kind, data)
    SELECT i.id, i.county_code, now(), 't', 'note',
        jsonb_build_object('departments', jsonb_build_object('lead', d.id))
    FROM incidents AS i, departments AS d;
INSERT INTO duty_modes (county_code, area_code, valid, reason, author)
    VALUES ('990121', '990121', '[2020-01-01, 2020-01-02)', 'r', 't');
INSERT INTO grid_lineage (edition_id, before_id, predecessor, successor, county_code, unit_code,
    predecessor_code, successor_code, households, buildings, area_m2)
    SELECT g.edition_id, (SELECT min(id) FROM editions WHERE id <> g.edition_id), g.grid_id,
        g.grid_id, g.county_code, g.unit_code, g.code, g.code, 1, 1, 1 FROM grid_shapes AS g
    WHERE (SELECT count(*) FROM editions) > 1 LIMIT 1;
INSERT INTO places (county_code, kind, name, geom, source, external_id)
    VALUES ('990121', 'school', '一中', 'SRID=4326;POINT(117.01 45.01)', 's', '1');
INSERT INTO addresses (county_code, label, street, street_key, number, geom, source, external_id)
    VALUES ('990121', '格街7号', '格街', '格街', 7, 'SRID=4326;POINT(117.01 45.01)', 's', '1');
INSERT INTO address_names (county_code, area_code, kind, key, name, geom)
    SELECT county_code, area_code, 'street', street_key, street, geom FROM addresses;
INSERT INTO address_aliases (county_code, area_code, key, text, label, geom, author)
    SELECT county_code, area_code, '老裴家', '老裴家', label, geom, 't' FROM addresses;
INSERT INTO address_reviews (county_code, area_code, text, candidates, author)
    SELECT county_code, area_code, '格街7号', '[]', 't' FROM addresses;
INSERT INTO retention_runs (actor, report) VALUES ('t', '{}');
"""

TWO_IN_FORCE = (
    "INSERT INTO editions (area_code, status, valid, title, author, approver, published_at) "
    "VALUES ('990121', 'active', '[2026-01-01,)', 't', 'a', 'b', now())"
)


def report(number: int) -> incidents.Report:
    lon, lat = factories.middle(1)
    return incidents.Report(
        id=uuid.UUID(int=number), category="other", source="s", text="楼道", x=lon, y=lat
    )


def fill(database: Database) -> None:
    with database.transaction() as session:
        county = factories.county(session)
        factories.service.save_draft(
            session, factories.COUNTY, factories.squares(), title="draft", author="t"
        )
        incidents.record(session, report(1), actor="t")
        for statement in ROWS.strip().split(";\n"):
            session.execute(sa.text(statement.rstrip(";")))
        audit.record(
            session,
            actor="t",
            action="x",
            object_kind="y",
            object_id=county.edition,
            purpose="说明",
        )


def contents(database: Database) -> dict[str, str]:
    """A digest of every table's rows."""
    with database.engine.connect() as connection:
        return {
            table: connection.scalar(
                sa.text(f"SELECT md5(string_agg(t::text, '|' ORDER BY t::text)) FROM {table} AS t")
            )
            for table in backup.count_rows(connection)
        }


def names(database: Database) -> list[str]:
    """Databases that a restore of this one could have left."""
    name = str(database.url.database)
    with database.engine.connect() as connection:
        found = connection.scalars(sa.text("SELECT datname FROM pg_database")).all()
    return [each for each in found if each.startswith((f"{name}_restore", f"{name}_before"))]


def test_round_trip(database: Database, tmp_path: Path) -> None:
    fill(database)
    before = contents(database)
    assert {table for table, digest in before.items() if digest is None} == set()
    file = tmp_path / "some" / "folder" / "wangge.tar"
    made = backup.backup(database, file)
    assert set(made.rows) == set(before)
    assert made.revision == schema.status(database).head
    assert [each.name for each in file.parent.iterdir()] == [file.name]
    with database.transaction() as session:
        incidents.record(session, report(2), actor="t")
    said: list[str] = []
    restored = backup.restore(database, SETTINGS, file, say=said.append)
    assert restored == made
    assert len(said) == 4
    after = contents(database)
    assert after.pop("sessions") != before.pop("sessions")
    assert after == before
    with database.service_transaction() as session, pytest.raises(NotSignedIn, match="was ended"):
        # Whoever was signed in when the backup was made is not signed in again by it.
        enter(session, Credential(hashlib.sha256(b"old").digest(), is_key=False))
    assert names(database) == []
    findings = check.check(database)
    assert [str(breach) for each in findings for breach in each.breaches] == []
    # What guards the rows is back too, and new rows go on from where numbers were.
    for statement in (
        "DELETE FROM audit_log", "UPDATE incident_events SET note = 'x'", "TRUNCATE incidents",
        "DELETE FROM incidents", "UPDATE grid_shapes SET name = 'x' WHERE edition_id = 1",
        TWO_IN_FORCE,
    ):  # fmt: skip
        with pytest.raises(sa.exc.DBAPIError), database.transaction() as session:
            session.execute(sa.text(statement))
    with database.transaction() as session:
        assert incidents.record(session, report(3), actor="t").is_new


def test_restore_into_an_empty_database(database: Database, tmp_path: Path) -> None:
    file = tmp_path / "b.tar"
    backup.backup(database, file)
    with database.transaction() as session:
        session.execute(sa.text("DROP SCHEMA public CASCADE; CREATE SCHEMA public"))
    assert schema.status(database).current is None
    backup.restore(database, SETTINGS, file)
    assert schema.status(database).is_current


def test_file_that_is_there_is_not_overwritten(database: Database, tmp_path: Path) -> None:
    file = tmp_path / "b.tar"
    file.write_text("mine")
    with pytest.raises(Conflict, match="not overwritten"):
        backup.backup(database, file)
    assert file.read_text() == "mine"


@pytest.fixture(scope="module")
def whole(shared_database: Database, tmp_path_factory: pytest.TempPathFactory) -> bytes:
    file = tmp_path_factory.mktemp("whole") / "b.tar"
    backup.backup(shared_database, file)
    return file.read_bytes()


def refused(database: Database, file: Path, words: str) -> None:
    revision = schema.status(database).current
    with pytest.raises((BadInput, RestoreFailed), match=words) as caught:
        backup.restore(database, SETTINGS, file)
    assert str(file) in str(caught.value) or isinstance(caught.value, RestoreFailed)
    assert schema.status(database).current == revision
    assert names(database) == []
    assert [each for each in file.parent.iterdir() if each != file] == []


@pytest.mark.parametrize("share", [0.01, 0.1, 0.5, 0.9])
def test_cut_short(shared_database: Database, tmp_path: Path, whole: bytes, share: float) -> None:
    file = tmp_path / "b.tar"
    file.write_bytes(whole[: int(len(whole) * share)])
    refused(shared_database, file, "no whole backup")


@pytest.mark.parametrize("share", [0.2, 0.5, 0.8])
def test_flipped_bit(shared_database: Database, tmp_path: Path, whole: bytes, share: float) -> None:
    file = tmp_path / "b.tar"
    content = bytearray(whole)
    content[int(len(content) * share)] ^= 4
    file.write_bytes(content)
    refused(shared_database, file, "changed or damaged")


def tar(manifest: Any, dump: bytes | None) -> bytes:
    content = io.BytesIO()
    with tarfile.open(fileobj=content, mode="w") as made:
        for name, part in (
            ("manifest.json", json.dumps(manifest).encode()), ("database.dump", dump),
        ):  # fmt: skip
            if part is not None:
                about = tarfile.TarInfo(name)
                about.size = len(part)
                made.addfile(about, io.BytesIO(part))
    return content.getvalue()


@pytest.mark.parametrize(
    "content",
    [
        tar([], b""),
        tar({"format": "somebody-else-1"}, b""),
        tar({"format": backup.FORMAT}, b""),
        tar({"format": backup.FORMAT}, None),
    ],
)
def test_tar_that_is_no_backup(shared_database: Database, tmp_path: Path, content: bytes) -> None:
    file = tmp_path / "b.tar"
    file.write_bytes(content)
    refused(shared_database, file, "no whole backup")


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "this is an empty file, no backup of wangge's. The copy failed"),
        (b"hello", "this is a text file, no backup of wangge's"),
        ("备份".encode() * 1000, "this is a text file"),
        (b"set client_encoding = 'UTF8';\ncreate table a ();", "text that looks like SQL"),
        (b"PK\x03\x04", "a zip archive or an Office file"),
        (b"\x1f\x8b\x08", "a file packed by gzip, no backup of wangge's. Unpack it with gunzip"),
        (b"SQLite format 3\x00", "a SQLite file or GeoPackage, no backup of wangge's. Bring map"),
        (b"\xff\x00\x01", "a file of unknown content"),
    ],
)
def test_foreign_file(
    shared_database: Database, tmp_path: Path, content: bytes, words: str
) -> None:
    file = tmp_path / "b.tar"
    file.write_bytes(content)
    refused(shared_database, file, re.escape(words))


@pytest.mark.parametrize(
    ("form", "words"),
    [
        ("plain", "a plain SQL dump of pg_dump, no backup of wangge's. To use it, restore it into"),
        ("custom", "a dump of pg_dump's custom format"),
        ("tar", "a dump of pg_dump's tar format"),
        ("directory", "a folder of pg_dump's directory format"),
    ],
)  # fmt: skip
def test_dump_of_another_tool(
    shared_database: Database, tmp_path: Path, form: str, words: str
) -> None:
    file = tmp_path / "dump"
    backup._run(shared_database, "pg_dump", [f"--format={form}", "-f", str(file)], "no dump")
    refused(shared_database, file, re.escape(words))
    if form != "plain":
        refused(shared_database, file, "pg_restore --no-owner -d NAME FILE")


def changed(whole: bytes, **fields: Any) -> bytes:
    with tarfile.open(fileobj=io.BytesIO(whole)) as old:
        manifest = json.load(old.extractfile("manifest.json"))  # type: ignore[arg-type]
        dump = old.extractfile("database.dump").read()  # type: ignore[union-attr]
    return tar(manifest | fields, dump)


def test_backup_of_a_newer_release(shared_database: Database, tmp_path: Path, whole: bytes) -> None:
    file = tmp_path / "b.tar"
    file.write_bytes(changed(whole, revision="0999", release="9.9"))
    refused(shared_database, file, r"revision 0999, made by wangge 9\.9")


def test_rows_that_do_not_come_back(
    shared_database: Database, tmp_path: Path, whole: bytes
) -> None:
    file = tmp_path / "b.tar"
    file.write_bytes(changed(whole, rows={"incidents": 7}))
    refused(shared_database, file, "incidents: 0 instead of 7")


def test_dump_that_is_none(shared_database: Database, tmp_path: Path) -> None:
    file = tmp_path / "b.tar"
    digest = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
    about = Manifest("0.1.0", schema.status(shared_database).head, "now", digest, {}, 0)
    file.write_bytes(tar(about.as_json(), b""))
    refused(shared_database, file, "the restore failed, the database is as it was")


def test_no_file(shared_database: Database, tmp_path: Path) -> None:
    for path in (tmp_path / "not-there.tar", tmp_path / "no" / "folder.tar"):
        with pytest.raises(BadInput, match="cannot be read"):
            backup.restore(shared_database, SETTINGS, path)
    with pytest.raises(BadInput, match="this is a folder, no backup"):
        backup.restore(shared_database, SETTINGS, tmp_path)


def test_folder_that_cannot_be_written(shared_database: Database, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(Unavailable, match="nothing was written"):
        backup.backup(shared_database, tmp_path / "file" / "b.tar")


def test_restore_while_a_server_holds_connections(database: Database, tmp_path: Path) -> None:
    fill(database)
    file = tmp_path / "b.tar"
    backup.backup(database, file)
    serving = Database(database.url.render_as_string(hide_password=False), SETTINGS)
    held = [serving.engine.connect() for _ in range(3)]
    for connection in held:
        connection.execute(sa.text("SELECT count(*) FROM incidents"))
    held[0].execute(sa.text("LOCK TABLE incidents IN ACCESS SHARE MODE"))
    backup.restore(database, SETTINGS, file)
    # The server's old connections are cut; the next request gets a new one by itself.
    with pytest.raises(sa.exc.OperationalError):
        held[0].execute(sa.text("SELECT 1"))
    for connection in held:
        connection.invalidate()
        connection.close()
    with serving.transaction() as session:
        assert session.scalar(sa.text("SELECT count(*) FROM incidents")) == 1
    serving.close()
    assert names(database) == []


def test_leftovers_go_but_not_those_of_a_restore_that_runs(
    database: Database, tmp_path: Path
) -> None:
    name = database.url.database
    left = [f"{name}_restore_{1:012x}", f"{name}_before_{2:012x}"]
    others = [f"{name}_restore_by_hand", f"x{name}_restore_{3:012x}"]
    admin = backup._admin(database)
    with admin.connect() as connection:
        for each in (*left, *others):
            connection.execute(sa.text(f'CREATE DATABASE "{each}" TEMPLATE template0'))
    try:
        with admin.connect() as running:
            backup._lock(running, f"{1:012x}", wait=True)
            assert backup.clear_leftovers(database) == left[1:]
        file = tmp_path / "b.tar"
        backup.backup(database, file)

        def clear_beside_it(step: str) -> None:
            if step != "checking the file":  # from then on there is something of its own
                assert backup.clear_leftovers(database) == []

        backup.restore(database, SETTINGS, file, say=clear_beside_it)
        assert schema.status(database).is_current
        assert names(database) == others[:1]
    finally:
        backup._drop(admin, *left, *others)
