"""Keys are changed without a value being lost, even when it is broken off half way."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
import sqlalchemy as sa

from data import rotation
from gis.database import Database
from gis.secrets import KeyMissing, Keyring
from grids.people import personal, service
from tests import factories

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "keys" / "secrets.json"


@pytest.fixture
def people(database: Database, path: Path) -> dict[str, object]:
    """Ids of twelve people by the phone that is kept of each."""
    keyring = Keyring.open(path)
    made = {}
    with database.transaction() as session:
        for number in range(12):
            phone = f"139000000{number:02d}"
            who = service.add(session, f"p{number}", county_code=factories.COUNTY, actor="test")
            personal.keep(session, who, "phone", phone, keyring=keyring, actor="test")
            made[phone] = who.id
    return made


def phones(database: Database, people: dict[str, object], path: Path) -> set[str]:
    keyring = Keyring.open(path)
    with database.transaction() as session:
        return {
            str(
                personal.reveal(
                    session, who, "phone", reason="count them all", keyring=keyring, actor="t"
                )
            )
            for who in people.values()
        }


def found(database: Database, people: dict[str, object], path: Path) -> set[str]:
    """The phones that are found by their hash."""
    keyring = Keyring.open(path)
    with database.transaction() as session:
        return {
            phone
            for phone, who in people.items()
            if [each.id for each in personal.find(session, "phone", phone, keyring=keyring)]
            == [who]
        }


def test_every_value_is_read_with_the_new_key_alone(
    database: Database, people: dict[str, object], path: Path
) -> None:
    old = Keyring.open(path).newest_id.hex()
    assert rotation.count_by_key(database) == {old: 12}
    done = rotation.rotate(database, path, actor="test", drop_old=True)
    assert (done.values, done.old_keys_dropped) == (12, True)
    new = Keyring.open(path).newest_id.hex()
    assert new != old
    assert rotation.count_by_key(database) == {new: 12}
    assert phones(database, people, path) == set(people)
    assert found(database, people, path) == set(people), "the hashes are of the new key alone"
    assert path.stat().st_mode & 0o777 == 0o600


def test_broken_off_and_started_again(
    database: Database, people: dict[str, object], path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rotation, "BATCH", 5)

    def stop(done: int) -> None:
        if done >= 5:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        rotation.rotate(database, path, actor="test", say=stop)
    assert sorted(rotation.count_by_key(database).values()) == [5, 7]
    assert phones(database, people, path) == set(people)
    assert found(database, people, path) == set(people), "half the hashes are of the old key"
    rotation.rotate(database, path, actor="test", drop_old=True)
    assert list(rotation.count_by_key(database).values()) == [12]
    assert phones(database, people, path) == set(people)


def test_value_without_its_key_stops_it_and_loses_nothing(
    database: Database, people: dict[str, object], path: Path, tmp_path: Path
) -> None:
    with database.transaction() as session:
        before = session.execute(sa.text("SELECT id, phone FROM persons ORDER BY id")).all()
    foreign = tmp_path / "other" / "secrets.json"
    with pytest.raises(KeyMissing, match="missing"):
        rotation.rotate(database, foreign, actor="test")
    with database.transaction() as session:
        assert session.execute(sa.text("SELECT id, phone FROM persons ORDER BY id")).all() == before
    assert phones(database, people, path) == set(people)


def test_every_hash_is_of_a_column_that_is_rotated(database: Database) -> None:
    with database.transaction() as session:
        hashed = session.execute(
            sa.text(
                "SELECT table_name, left(column_name, -5) FROM information_schema.columns WHERE "
                "table_name IN ('persons', 'reporters', 'accounts') AND column_name ~ '_hash$' "
                "AND column_name <> 'password_hash'"
            )
        ).all()
    assert {(table, column) for table, column in hashed} == {
        (table, column) for table, column, _ in rotation.SEALED if column in rotation.HASHED
    }


def test_every_encrypted_column_is_rotated(database: Database) -> None:
    with database.transaction() as session:
        sealed = session.execute(
            sa.text(
                "SELECT table_name, column_name FROM information_schema.columns WHERE "
                "table_schema = 'public' AND data_type = 'bytea' "
                "AND column_name !~ '_hash$' "
                "AND table_name !~ '^(audit_|sign_in_)'"
            )
        ).all()
    assert {(table, column) for table, column in sealed} == {
        (table, column) for table, column, _ in rotation.SEALED
    }
