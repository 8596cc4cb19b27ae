"""Anchors: what the log's chains were, signed and written down outside the database.

A chain that lives in one database proves nothing against whoever runs it: every few minutes a
Merkle root over the new entries of each stream is signed (Ed25519), kept in ``audit_roots`` and
appended, one line of JSON each, to files elsewhere. Each line carries the hash of the one before
it, so that the last one vouches for all.
"""

from __future__ import annotations

import fcntl
import logging
import os
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final

import sqlalchemy as sa

from gis import audit
from gis.audit import merkle
from gis.audit.keys import signing_key
from gis.audit.roots import (
    NOTHING,
    Root,
    cut_torn_line,
    file_of,
    newest_in,
    read_folder,
    standing,
)
from gis.database import execute
from gis.errors import BadInput, Conflict, Problem, Unavailable

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path
    from threading import Event

    from sqlalchemy.orm import Session

    from gis.database import Database

log = logging.getLogger("wangge.audit")

LOCK: Final = (1463898701, 1000)
"""Of the advisory lock that lets one process anchor at a time; shards have the numbers below."""


class OldCopy(Conflict):
    """The database knows less than what was anchored outside it: it is an older copy."""


@dataclass(frozen=True, slots=True)
class Places:
    """Where the signing key lies, and the folders that anchors are written to."""

    key: Path
    folders: Sequence[Path]


def kept_roots(session: Session, after: int = 0) -> list[Root]:
    """The lines that the database knows, from a number on."""
    rows = execute(
        session,
        "SELECT number, kind, stream, first_seq, last_seq, root, head, at, note, previous, "
        "public_key, signature FROM audit_roots WHERE number > :after ORDER BY number",
        after=after,
    )
    return [Root(**row) for row in rows.mappings()]


def anchor(database: Database, places: Places) -> list[Root]:
    """Sign what was added since the last time, keep it, and write it out; the new lines.

    Raises
    ------
    OldCopy
        A folder holds anchors that the database does not know, or others than it knows.
    Conflict
        A chain does not end where its head says: the others were anchored, it was not.
    Unavailable
        A folder cannot be written to; the others were, and the next time makes up for it.
    """
    with _anchoring(database) as session:
        newest = _newest_line(session)
        for folder in places.folders:
            _check_known(session, folder)
        made, broken = _sign(session, places, newest)
    write_out(database, places)
    _refuse(broken)
    return made


def _refuse(broken: Sequence[str]) -> None:
    if broken:
        raise Conflict(
            f"the audit log does not end where its heads say, in {', '.join(broken)}: run "
            "'wangge audit verify', which names the rows. These streams were not anchored"
        )


@contextmanager
def _anchoring(database: Database) -> Iterator[Session]:
    with database.transaction(timeout_s=0) as session:
        # What is written outside must be on the database's disk: reads commit without waiting for
        # it, and this commit, which waits, comes after all of them.
        execute(session, "SET LOCAL synchronous_commit = on")
        execute(session, "SELECT pg_advisory_xact_lock(:a, :b)", a=LOCK[0], b=LOCK[1])
        yield session


def _newest_line(session: Session) -> Root | None:
    number = execute(session, "SELECT coalesce(max(number), 0) FROM audit_roots").scalar_one()
    found = kept_roots(session, number - 1)
    return found[0] if found else None


def _check_known(session: Session, folder: Path) -> None:
    outside = newest_in(folder)
    if outside is None:
        return
    known = [each for each in kept_roots(session, outside.number - 1) if each == outside]
    if not known:
        raise OldCopy(
            f"{folder} holds anchor {outside.number} of {outside.at:%Y-%m-%d %H:%M} UTC, which the "
            "database does not know: it is an older copy, or not the one that was anchored there. "
            "Run 'wangge audit verify'; after a restore of your own, 'wangge audit anchor "
            "--after-restore REASON'"
        )


def _sign(session: Session, places: Places, newest: Root | None) -> tuple[list[Root], list[str]]:
    """Lines for what has grown; and streams that do not end where their head says."""
    grown = execute(
        session,
        """
        SELECT h.stream, h.county_code, h.seq, h.hash, coalesce(r.covered, 0) AS covered
        FROM audit_heads AS h
        LEFT JOIN (
            SELECT DISTINCT ON (stream) stream,
                   CASE kind WHEN 'root' THEN last_seq ELSE first_seq - 1 END AS covered
            FROM audit_roots ORDER BY stream, number DESC
        ) AS r USING (stream)
        WHERE h.seq > coalesce(r.covered, 0)
        ORDER BY h.stream
        """,
    ).all()
    made: list[Root] = []
    broken: list[str] = []
    for row in grown:
        leaves = hashes(session, row.stream, row.covered + 1, row.seq)
        if len(leaves) != row.seq - row.covered or leaves[-1] != row.hash:
            broken.append(row.stream)
            continue
        newest = _append(
            session,
            places,
            newest,
            kind="root",
            stream=row.stream,
            first_seq=row.covered + 1,
            last_seq=row.seq,
            root=merkle.root(leaves),
            head=bytes(row.hash),
        )
        made.append(newest)
    return made, broken


def hashes(session: Session, stream: str, first: int, last: int) -> list[bytes]:
    """Hashes of a stretch of a stream, in order."""
    rows = session.scalars(
        sa.text(
            "SELECT hash FROM audit_log WHERE stream = :stream AND seq BETWEEN :first AND :last "
            "ORDER BY seq"
        ),
        {"stream": stream, "first": first, "last": last},
    )
    return [bytes(each) for each in rows]


def _append(session: Session, places: Places, newest: Root | None, **said: Any) -> Root:
    """Sign and keep the line after the newest one."""
    key = signing_key(places.key)
    bare = Root(
        number=newest.number + 1 if newest else 1,
        at=datetime.now(UTC),
        previous=newest.digest() if newest else NOTHING,
        public_key=key.public_key().public_bytes_raw(),
        **{"note": "", "root": NOTHING, "head": NOTHING} | said,
    )
    made = replace(bare, signature=key.sign(bare.message()))
    _insert(session, made)
    return made


def _insert(session: Session, root: Root) -> None:
    columns = ", ".join(root.__slots__)
    marks = ", ".join(f":{name}" for name in root.__slots__)
    execute(
        session,
        f"INSERT INTO audit_roots (county_code, {columns}) VALUES (:county, {marks})",  # noqa: S608
        county=_county(root.stream),
        **{name: getattr(root, name) for name in root.__slots__},
    )


def accept_loss(database: Database, places: Places, reason: str) -> list[Root]:
    """Say that anchored entries are gone, why, and go on; the lines that say so.

    For after a restore: what was anchored since the backup was made is not in the database any
    more. It stays in the files, and every ``verify`` from now on tells of the loss.

    Raises
    ------
    BadInput
        The anchors outside are not whole, or none of ours; or no reason is given.
    """
    if len(reason.strip()) < 8:
        raise BadInput(Problem("no reason is given", "Say what was restored, and why"))
    with _anchoring(database) as session:
        known = {each.number: each for each in kept_roots(session)}
        for folder in places.folders:
            for each in read_folder(folder):
                if not each.is_signed():
                    raise BadInput(
                        Problem(f"anchor {each.number} is not signed", source=str(folder))
                    )
                if each.number not in known:
                    known[each.number] = each
                    _insert(session, each)
                elif known[each.number] != each:
                    raise BadInput(
                        Problem(
                            f"anchor {each.number} is another one in the database",
                            "Keep this folder as it is, and write to another one from now on",
                            source=str(folder),
                        )
                    )
        newest = known[max(known)] if known else None
        made: list[Root] = []
        for stream, good, last in _lost(session, known):
            newest = _append(
                session,
                places,
                newest,
                kind="loss",
                stream=stream,
                first_seq=good + 1,
                last_seq=last,
                note=reason.strip(),
            )
            made.append(newest)
        audit.record(
            session,
            actor=audit.Context.command_line().actor,
            action="audit.loss",
            object_kind="audit",
            object_id="",
            count=len(made),
            purpose=reason.strip(),
            streams=[each.stream for each in made],
        )
        audit.flush(session)
        signed, broken = _sign(session, places, newest)
    write_out(database, places)
    _refuse(broken)
    return made + signed


def _county(stream: str) -> str | None:
    county = stream.partition(".")[0]
    return None if county == "-" else county


def _lost(session: Session, known: dict[int, Root]) -> list[tuple[str, int, int]]:
    """Streams of which an anchor does not hold: the last entry that is vouched for, and claimed."""
    found = []
    for stream, claims in standing(known[number] for number in sorted(known)).items():
        good = 0
        for each in claims:
            (head,) = hashes(session, stream, each.last_seq, each.last_seq) or (None,)
            if head != each.head:
                break
            good = each.last_seq
        if good < claims[-1].last_seq:
            found.append((stream, good, claims[-1].last_seq))
    return found


# -- files ----------------------------------------------------------------------------------


def write_out(database: Database, places: Places) -> None:
    """Append to each folder the lines that it does not hold yet.

    Raises
    ------
    Unavailable
        A folder cannot be written to.
    """
    failed = []
    for folder in places.folders:
        try:
            _write_out(database, folder)
        except OSError as error:
            failed.append(f"{folder}: {error.strerror}")
    if failed:
        raise Unavailable(f"anchors could not be written to {'; '.join(failed)}")


def _write_out(database: Database, folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / ".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        newest = newest_in(folder)
        with database.transaction() as session:
            missing = kept_roots(session, newest.number if newest else 0)
        for each in missing:
            with file_of(folder, each).open("ab+") as file:
                cut_torn_line(file)
                file.write(each.line().encode() + b"\n")
                file.flush()
                os.fsync(file.fileno())


def keep_anchoring(
    database: Database, places: Places, stopping: Event, *, every_s: float = 300
) -> None:
    """Anchor now and again until told to stop; for a thread of a process that serves."""
    while True:
        try:
            anchor(database, places)
        except (Conflict, Unavailable, BadInput, OSError, sa.exc.SQLAlchemyError) as error:
            log.warning("the audit log was not anchored: %s", error)
        if stopping.wait(every_s):
            return
