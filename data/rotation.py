"""Change the keys that phones, id numbers and names of reporters are encrypted and found with."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import sqlalchemy as sa

from gis import audit
from gis.secrets import Keyring

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from gis.database import Database

# Table, column, key column: every value that is encrypted with the keyring, and its context is
# always "<table>.<column>:<key>".
SEALED: Final = (
    ("persons", "phone", "id"),
    ("persons", "id_number", "id"),
    ("reporters", "name", "incident_id"),
    ("reporters", "phone", "incident_id"),
    ("accounts", "totp_secret", "id"),
)
# Columns that a keyed hash stands beside, named "<column>_hash".
HASHED: Final = frozenset({"phone", "id_number"})
BATCH: Final = 1000


@dataclass(frozen=True, slots=True)
class Rotated:
    """How many values were encrypted anew, and whether the old keys are gone."""

    values: int
    old_keys_dropped: bool


def count_by_key(database: Database) -> dict[str, int]:
    """How many values each key holds, by the key's id in hex."""
    found: dict[str, int] = {}
    with database.transaction(timeout_s=0) as session:
        for table, column, _ in SEALED:
            rows = session.execute(
                sa.text(
                    f"SELECT encode(substr({column}, 2, 4), 'hex') AS key, count(*) AS n "  # noqa: S608
                    f"FROM {table} WHERE {column} IS NOT NULL GROUP BY 1"
                )
            )
            for row in rows:
                found[row.key] = found.get(row.key, 0) + row.n
    return found


def rotate(
    database: Database,
    path: Path,
    *,
    actor: str,
    drop_old: bool = False,
    say: Callable[[int], None] = lambda _: None,
) -> Rotated:
    """Make a new key, encrypt every value and make every hash with it.

    The new key is in the file before the first value names it, and the old ones stay there until
    no value does; so it can be broken off and started again at any moment. Old backups need the
    old keys: ``drop_old`` takes them out of the file.

    Raises
    ------
    KeyMissing, ValueDamaged
        A value cannot be read with the keys there are; it and its batch stay as they were.
    """
    keyring = Keyring.open(path).with_new_key()
    keyring.save(path)
    done = 0
    for table, column, key in SEALED:
        while True:
            with database.transaction(timeout_s=0) as session:
                rows = session.execute(
                    sa.text(
                        f"SELECT {key} AS id, {column} AS value FROM {table} "  # noqa: S608
                        f"WHERE {column} IS NOT NULL AND substr({column}, 2, 4) <> :newest "
                        f"ORDER BY {key} LIMIT :batch FOR UPDATE"
                    ),
                    {"newest": keyring.newest_id, "batch": BATCH},
                ).all()
                for row in rows:
                    place = f"{table}.{column}:{row.id}"
                    plain = keyring.decrypt(row.value, context=place)
                    new = {column: keyring.encrypt(plain, context=place)}
                    if column in HASHED:
                        new[f"{column}_hash"] = keyring.search_hash(plain.decode(), kind=column)
                    named = ", ".join(f"{each} = :{each}" for each in new)
                    session.execute(
                        sa.text(f"UPDATE {table} SET {named} WHERE {key} = :key_value"),  # noqa: S608
                        {**new, "key_value": row.id},
                    )
                done += len(rows)
            say(done)
            if not rows:
                break
    with database.transaction() as session:
        audit.record(
            session,
            actor=actor,
            action="secrets.rotate",
            object_kind="keyring",
            object_id=keyring.newest_id.hex(),
            count=done,
        )
    if drop_old:
        keyring.only_newest().save(path)
    return Rotated(done, drop_old)
