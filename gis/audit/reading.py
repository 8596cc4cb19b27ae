"""Read chains from the database as bytes, and check each entry against the one before it.

The server sends each row in its own message of COPY's binary format; what is hashed is a slice of
that message. Python's share is about two microseconds an entry.
"""

from __future__ import annotations

import hashlib
import struct
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING, Any, Final

from psycopg import sql

from gis.audit import merkle
from gis.audit.canonical import FIELDS, HASH_BYTES, decode, genesis
from gis.errors import Unavailable

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

HEADER: Final = b"PGCOPY\n\xff\r\n\0"
HEADER_BYTES: Final = len(HEADER) + 8
TRAILER: Final = b"\xff\xff"
HASH_PART: Final = 4 + HASH_BYTES
TOLD_EVERY: Final = 5_000
TOLD_BREACHES: Final = 1_000
"""Where all is broken the first ones tell."""
_SEQ: Final = struct.Struct(">q")


@dataclass(frozen=True, slots=True, order=True)
class Breach:
    """One thing that is wrong with the log: where, of when, and what.

    ``at`` is the time that the log, or the anchor that knows better, gives; None where nobody does.
    """

    stream: str
    seq: int | None
    reason: str
    id: int | None = None
    at: datetime | None = None

    def __str__(self) -> str:
        """In one line."""
        place = f"stream {self.stream}" if self.stream else "anchors"
        if self.seq is not None:
            place += f", entry {self.seq}"
        if self.id is not None:
            place += f" (id {self.id})"
        if self.at is not None:
            place += f", {self.at:%Y-%m-%d %H:%M:%S} UTC"
        return f"{place}: {self.reason}"


@dataclass(frozen=True, slots=True)
class Claim:
    """What an anchor says of a stretch of a stream."""

    number: int
    first_seq: int
    last_seq: int
    root: bytes
    head: bytes
    at: datetime


@dataclass(slots=True)
class Read:
    """What the log showed: how much was read, what is wrong, and where each stream ended."""

    rows: int = 0
    breaches: list[Breach] = field(default_factory=list)
    ends: dict[str, tuple[int, bytes]] = field(default_factory=dict)


def read_log(
    connection: Any,
    claims: Mapping[str, Sequence[Claim]],
    told: Callable[[int], None] = lambda _: None,
) -> Read:
    """Check the whole log over a psycopg connection, in its present transaction.

    Parameters
    ----------
    claims
        What anchors say of each stream, in order.
    told
        Called with the number of entries that were read, now and then.
    """
    query = sql.SQL(
        "COPY (SELECT {columns}, hash FROM audit_log ORDER BY stream, seq) "
        "TO STDOUT (FORMAT binary, ENCODING 'UTF8')"
    ).format(columns=sql.SQL(", ").join(map(sql.Identifier, FIELDS)))
    with connection.cursor() as cursor, cursor.copy(query) as copy:
        found = _check(_rows(connection.pgconn.get_copy_data), claims, told)
        # What is left is the end of the answer, which psycopg has to see.
        copy.read()
    told(found.rows)
    return found


def _rows(next_message: Callable[[int], tuple[int, memoryview]]) -> Iterator[bytes]:
    """Each row of the answer as it was sent.

    Below psycopg's own iterator, which would take longer than all the rest.
    """
    while True:
        length, message = next_message(0)
        if length <= 0:
            raise Unavailable("the database broke off while the log was read; try again")
        row = bytes(message)
        if row.startswith(HEADER):
            row = row[HEADER_BYTES:]
        if row == TRAILER:
            return
        yield row


def _check(
    rows: Iterator[bytes], claims: Mapping[str, Sequence[Claim]], told: Callable[[int], None]
) -> Read:
    """Every row against the one before it; what is rare is left to the stream: this is the loop."""
    sha256, number_at = hashlib.sha256, _SEQ.unpack_from
    stream = _Stream("", {}, found := Read())
    # No row begins like this: the first one begins a stream.
    prefix, seq_at, expected, previous, until, last = b"\xff", 0, 1, b"", 0, b""
    leaves: list[bytes] = []
    count = 0
    for row in rows:
        if not row.startswith(prefix):
            stream.end(expected - 1, previous)
            length = struct.unpack_from(">i", row, 2)[0]
            stream = _Stream(row[6 : 6 + length].decode(errors="replace"), claims, found)
            prefix, seq_at = row[: 6 + length], 6 + length + 4
            expected, previous, last = 1, genesis(stream.name), b""
            leaves, until = [], stream.next_claim()
        seq = number_at(row, seq_at)[0]
        stored = row[-HASH_BYTES:]
        if seq != expected:
            stream.out_of_order(expected, seq, last, row)
        elif sha256(b"\0" + previous + row[2:-HASH_PART]).digest() != stored:
            stream.changed(row)
        expected, previous, last = seq + 1, stored, row
        count += 1
        if until:
            leaves.append(stored)
            if seq >= until:
                until = stream.check_claim(seq, stored, leaves)
                leaves = []
        if not count % TOLD_EVERY:
            told(count)
    stream.end(expected - 1, previous)
    found.rows = count
    return found


class _Stream:
    """A stream as it is read: what anchors claim of it, and what is wrong with it."""

    def __init__(self, name: str, claims: Mapping[str, Sequence[Claim]], found: Read) -> None:
        self.name, self.found = name, found
        self._claims = iter(claims.get(name, ())) if name else iter(())
        self._claim: Claim | None = None

    def next_claim(self) -> int:
        """Go on to the next claim; the number of its last entry, 0 where there is none."""
        self._claim = next(self._claims, None)
        return self._claim.last_seq if self._claim else 0

    def check_claim(self, seq: int, stored: bytes, leaves: Sequence[bytes]) -> int:
        """Hold what was read against the claim that has been reached; go on to the next one."""
        claim = self._claim
        if claim is not None and claim.last_seq == seq:
            is_whole = len(leaves) == claim.last_seq - claim.first_seq + 1
            if stored != claim.head:
                self._keep(_denied(self.name, claim))
            elif is_whole and merkle.root(leaves) != claim.root:
                self._keep(
                    Breach(
                        self.name,
                        claim.first_seq,
                        f"anchor {claim.number} has another root over the entries up to "
                        f"{claim.last_seq}",
                        at=claim.at,
                    )
                )
            return self.next_claim()
        # The entry that it ends with is missing: so it was said, and the anchor adds when.
        while self._claim is not None and self._claim.last_seq <= seq:
            self._keep(_denied(self.name, self._claim))
            self.next_claim()
        return self._claim.last_seq if self._claim else 0

    def out_of_order(self, expected: int, seq: int, before: bytes, row: bytes) -> None:
        """Name what is missing before a row, or that it is there twice."""
        if seq < expected:
            self._row(row, "its number is there twice, or stands out of order")
            return
        first, last = expected, seq - 1
        missing = f"entry {first} is" if first == last else f"entries {first} to {last} are"
        earlier, later = _decoded(before), _decoded(row)
        self._keep(
            Breach(
                self.name,
                first,
                f"{missing} missing, after {_moment(earlier)} and before {_moment(later)}",
                at=later["at"] if later else None,
            )
        )

    def changed(self, row: bytes) -> None:
        """Name a row that is not the one that was chained."""
        self._row(row, "its content was changed, or it does not follow the entry before it")

    def _row(self, row: bytes, reason: str) -> None:
        about = _decoded(row)
        if about is None:
            self._keep(Breach(self.name, None, f"{reason}; it cannot be read"))
        else:
            self._keep(Breach(self.name, about["seq"], reason, about["id"], about["at"]))

    def _keep(self, breach: Breach) -> None:
        if len(self.found.breaches) < TOLD_BREACHES:
            self.found.breaches.append(breach)

    def end(self, seq: int, stored: bytes) -> None:
        """Note where it ended."""
        if self.name:
            self.found.ends[self.name] = seq, stored


def _decoded(row: bytes) -> dict[str, Any] | None:
    try:
        return decode(row[2:-HASH_PART])
    except ValueError:
        return None


def _moment(entry: dict[str, Any] | None) -> str:
    return f"{entry['at']:%Y-%m-%d %H:%M:%S}" if entry else "an entry that is not there"


def _denied(stream: str, claim: Claim) -> Breach:
    return Breach(
        stream,
        claim.first_seq,
        f"entries {claim.first_seq} to {claim.last_seq} are not what was anchored "
        f"(anchor {claim.number}): one of them, or one before them, was changed, added or removed",
        at=claim.at,
    )


def cut_back(stream: str, last: int, claim: Claim) -> Breach:
    """Name what an anchor knows beyond the end of a stream."""
    return Breach(
        stream,
        last + 1,
        f"the log ends at entry {last}, and anchor {claim.number} says that it had "
        f"{claim.last_seq}: it was cut back, or an old copy stands in its place",
        at=claim.at,
    )
