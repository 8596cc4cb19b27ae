"""What somebody with every right on the database could do to the audit log.

Each takes a session in which triggers look away, a stream and a source of chance; and answers the
numbers of the entries that a verification has to name.
"""

from __future__ import annotations

import json
from random import Random
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa

from gis.audit import canonical
from gis.database import execute

if TYPE_CHECKING:
    from sqlalchemy.orm import Session

COLUMNS = [*canonical.FIELDS, "hash"]
Row = dict[str, Any]


def rows(session: Session, stream: str) -> list[Row]:
    found = execute(
        session,
        f"SELECT {', '.join(COLUMNS)} FROM audit_log WHERE stream = :stream ORDER BY seq",
        stream=stream,
    )
    return [dict(row._mapping) for row in found]


def rewrite(session: Session, stream: str, entries: list[Row]) -> None:
    """Put these in the place of a stream, numbered and chained anew, with the head that fits."""
    previous = canonical.genesis(stream)
    for seq, entry in enumerate(entries, start=1):
        entry["seq"] = seq
        entry["hash"] = canonical.chained(previous, canonical.canonical(entry))
        previous = entry["hash"]
    replace(session, stream, entries)
    execute(
        session,
        "UPDATE audit_heads SET seq = :seq, hash = :hash WHERE stream = :stream",
        seq=len(entries), hash=previous, stream=stream,
    )  # fmt: skip


def replace(session: Session, stream: str, entries: list[Row]) -> None:
    execute(session, "DELETE FROM audit_log WHERE stream = :stream", stream=stream)
    marks = ", ".join(
        f"CAST(:{name} AS {'xid8' if name == 'xid' else 'jsonb' if name == 'detail' else kind})"
        for name, kind in zip(
            COLUMNS,
            (
                {"int8": "bigint", "time": "timestamptz"}.get(kind, kind)
                for kind in (*canonical.FIELDS.values(), "bytea")
            ),
            strict=True,
        )
    )
    for each in entries:
        execute(
            session,
            f"INSERT INTO audit_log ({', '.join(COLUMNS)}) VALUES ({marks})",
            **each | {"detail": json.dumps(each["detail"]), "xid": str(each["xid"])},
        )


def forged(chance: Random, entry: Row) -> Row:
    """The entry with one field that says something else."""
    name, value = chance.choice(
        [
            ("actor", "zhao"), ("object_id", "0"), ("count", 0), ("fields", "x"),
            ("action", "incident.read"), ("role", None), ("origin", "10.9.9.9"),
            ("detail", {"a": 1}), ("scope", "99"), ("purpose", ""), ("county_code", None),
        ]
    )  # fmt: skip
    if entry[name] == value:
        name, value = "object_id", "forged"
    return entry | {name: value}


def edit(session: Session, stream: str, chance: Random) -> set[int]:
    entries = rows(session, stream)
    place = chance.randrange(len(entries))
    entries[place] = forged(chance, entries[place])
    replace(session, stream, entries)
    return {place + 1}


def edit_with_its_hash(session: Session, stream: str, chance: Random) -> set[int]:
    entries = rows(session, stream)
    place = chance.randrange(len(entries) - 1)
    entries[place] = forged(chance, entries[place])
    before = entries[place - 1]["hash"] if place else canonical.genesis(stream)
    entries[place]["hash"] = canonical.chained(before, canonical.canonical(entries[place]))
    replace(session, stream, entries)
    return {place + 2}


def edit_and_rechain(session: Session, stream: str, chance: Random) -> set[int]:
    entries = rows(session, stream)
    place = chance.randrange(len(entries))
    entries[place] = forged(chance, entries[place])
    rewrite(session, stream, entries)
    return set()


def delete(session: Session, stream: str, chance: Random) -> set[int]:
    entries = rows(session, stream)
    place = chance.randrange(len(entries) - 1)
    del entries[place]
    replace(session, stream, entries)
    return {place + 1}


def delete_and_rechain(session: Session, stream: str, chance: Random) -> set[int]:
    entries = rows(session, stream)
    del entries[chance.randrange(len(entries))]
    rewrite(session, stream, entries)
    return set()


def insert_and_rechain(session: Session, stream: str, chance: Random) -> set[int]:
    entries = rows(session, stream)
    place = chance.randrange(len(entries))
    entries.insert(place, forged(chance, entries[place]) | {"id": 10**6})
    rewrite(session, stream, entries)
    return set()


def swap(session: Session, stream: str, chance: Random) -> set[int]:
    entries = rows(session, stream)
    one, other = sorted(chance.sample(range(len(entries)), 2))
    entries[one], entries[other] = entries[other], entries[one]
    for place in (one, other):
        entries[place] |= {"seq": place + 1}
    replace(session, stream, entries)
    return {one + 1, other + 1}


def swap_and_rechain(session: Session, stream: str, chance: Random) -> set[int]:
    entries = rows(session, stream)
    one, other = chance.sample(range(len(entries)), 2)
    entries[one], entries[other] = entries[other], entries[one]
    rewrite(session, stream, entries)
    return set()


def cut_back(session: Session, stream: str, chance: Random) -> set[int]:
    entries = rows(session, stream)
    left = chance.randrange(1, len(entries))
    rewrite(session, stream, entries[:left])
    return {left + 1}


def truncate_all(session: Session, stream: str, chance: Random) -> set[int]:
    for table in ("audit_log", "audit_heads", "audit_roots"):
        execute(session, f"DELETE FROM {table}")
    return {1}


def old_copy(session: Session, stream: str, chance: Random) -> set[int]:
    """All four tables as they were when an earlier anchor was signed: nothing in them disagrees."""
    number = chance.choice((3, 6))
    execute(session, "DELETE FROM audit_roots WHERE number > :number", number=number)
    ends = dict(
        execute(session, "SELECT stream, max(last_seq) FROM audit_roots GROUP BY stream").all()  # type: ignore[arg-type]
    )
    for name in session.scalars(sa.text("SELECT stream FROM audit_heads")).all():
        rewrite(session, name, rows(session, name)[: ends.get(name, 0)])
    execute(session, "DELETE FROM audit_heads WHERE seq = 0")
    return set()


def drop_stream(session: Session, stream: str, chance: Random) -> set[int]:
    for table in ("audit_log", "audit_heads", "audit_roots"):
        execute(session, f"DELETE FROM {table} WHERE stream = :stream", stream=stream)
    return {1}


TAMPERS = (
    edit, edit_with_its_hash, edit_and_rechain, delete, delete_and_rechain, insert_and_rechain,
    swap, swap_and_rechain, cut_back, truncate_all, old_copy, drop_stream,
)  # fmt: skip
INSIDE = {edit, edit_with_its_hash, delete, swap, edit_and_rechain, insert_and_rechain}
"""Those that the database's own heads and anchors give away."""
