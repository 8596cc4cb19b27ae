"""Read chains from the database as bytes, and check each entry against the one before it.

The server sends each row in its own message of COPY's binary format; what is hashed is a slice of
that message. Python's share is about two microseconds an entry.
"""

from __future__ import annotations

import hashlib
import struct
from bisect import bisect_left
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING, Any, Final

from psycopg import sql

from gis.audit import merkle
from gis.audit.canonical import FIELDS, HASH_BYTES, decode, genesis
from gis.errors import Unavailable

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

HEADER: Final = b"PGCOPY\n\xff\r\n\0"
HEADER_BYTES: Final = len(HEADER) + 8
TRAILER: Final = b"\xff\xff"
HASH_PART: Final = 4 + HASH_BYTES
TOLD_EVERY: Final = 5_000
TOLD_BREACHES: Final = 1_000
"""Of one piece of the log; where all is broken the first ones tell."""
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


@dataclass(frozen=True, slots=True)
class Piece:
    """A part of the log, from one (stream, seq) up to, not including, another; None: the end."""

    start: tuple[str, int]
    stop: tuple[str, int] | None


@dataclass(slots=True)
class Read:
    """What a piece showed: how much was read, what is wrong, and where each stream ended."""

    rows: int = 0
    breaches: list[Breach] = field(default_factory=list)
    ends: dict[str, tuple[int, bytes]] = field(default_factory=dict)


def read_piece(
    connection: Any,
    piece: Piece,
    claims: Mapping[str, Sequence[Claim]],
    told: Callable[[int], None] = lambda _: None,
) -> Read:
    """Check one piece of the log over a psycopg connection, in its present transaction.

    Parameters
    ----------
    claims
        Of each stream, in order; those whose last entry lies in the piece are checked.
    told
        Called with the number of entries since it was called last.
    """
    stream, seq = piece.start
    where = sql.SQL("(stream, seq) >= ({}, {})").format(stream, seq - 1)
    if piece.stop is not None:
        where += sql.SQL(" AND (stream, seq) < ({}, {})").format(*piece.stop)
    query = sql.SQL(
        "COPY (SELECT {columns}, hash FROM audit_log WHERE {where} ORDER BY stream, seq) "
        "TO STDOUT (FORMAT binary, ENCODING 'UTF8')"
    ).format(columns=sql.SQL(", ").join(map(sql.Identifier, FIELDS)), where=where)
    chain = _Chain(claims, continues=piece.start if seq > 1 else None)
    done = 0
    with connection.cursor() as cursor, cursor.copy(query) as copy:
        # Below psycopg's own iterator, which would take longer than all the rest.
        next_message = connection.pgconn.get_copy_data
        while True:
            length, message = next_message(0)
            if length <= 0:
                raise Unavailable("the database broke off while the log was read; try again")
            row = bytes(message)
            if row.startswith(HEADER):
                row = row[HEADER_BYTES:]
            if row == TRAILER:
                copy.read()
                break
            chain.add(row)
            if chain.read.rows - done >= TOLD_EVERY:
                told(chain.read.rows - done)
                done = chain.read.rows
    chain.end()
    told(chain.read.rows - done)
    return chain.read


class _Chain:
    """The rows of a piece, one after another."""

    def __init__(
        self, claims: Mapping[str, Sequence[Claim]], continues: tuple[str, int] | None
    ) -> None:
        self.read = Read()
        self._all_claims = claims
        # No row begins like this: the first one begins a stream.
        self._stream, self._prefix, self._seq_at = "", b"\xff", 0
        self._expected, self._previous = 1, b""
        self._leaves: list[bytes] = []
        self._claims: Sequence[Claim] = ()
        self._next_claim, self._claim_at = 0, 0
        self._last_row = b""
        if continues is not None:
            # The row before the piece is read for its hash alone.
            self._begin(continues[0], continues[1])
            self._previous, self._expected = b"", continues[1] - 1

    def _begin(self, stream: str, first: int) -> None:
        self._stream = stream
        name = stream.encode()
        self._prefix = struct.pack(">hi", len(FIELDS) + 1, len(name)) + name
        self._seq_at = len(self._prefix) + 4
        self._expected, self._previous, self._last_row = 1, genesis(stream), b""
        self._claims = self._all_claims.get(stream, ())
        self._next_claim = bisect_left(self._claims, first, key=lambda each: each.last_seq)
        self._set_claim()

    def _set_claim(self) -> None:
        self._leaves = []
        rest = self._next_claim < len(self._claims)
        self._claim_at = self._claims[self._next_claim].last_seq if rest else 0

    def add(self, row: bytes) -> None:
        """Check the next row."""
        if not row.startswith(self._prefix):
            self.end()
            length = struct.unpack_from(">i", row, 2)[0]
            self._begin(row[6 : 6 + length].decode(errors="replace"), 1)
        seq = _SEQ.unpack_from(row, self._seq_at)[0]
        stored = row[-HASH_BYTES:]
        if seq != self._expected:
            self._out_of_order(seq, row)
        elif not self._previous:
            # What comes before this piece is another piece's to check.
            self._previous, self._expected = stored, seq + 1
            return
        elif hashlib.sha256(b"\0" + self._previous + row[2:-HASH_PART]).digest() != stored:
            self._breach(row, "its content was changed, or it does not follow the entry before it")
        self._previous, self._expected, self._last_row = stored, seq + 1, row
        self.read.rows += 1
        if self._claim_at:
            self._leaves.append(stored)
            if seq >= self._claim_at:
                self._check_claim(seq, stored)

    def _out_of_order(self, seq: int, row: bytes) -> None:
        if seq < self._expected:
            self._breach(row, "its number is there twice, or stands out of order")
            return
        first, last = self._expected, seq - 1
        missing = f"entry {first} is" if first == last else f"entries {first} to {last} are"
        before, after = self._decoded(self._last_row), self._decoded(row)
        self._keep(
            Breach(
                self._stream,
                first,
                f"{missing} missing, after {_moment(before)} and before {_moment(after)}",
                at=after["at"] if after else None,
            )
        )

    def _decoded(self, row: bytes) -> dict[str, Any] | None:
        try:
            return decode(row[2:-HASH_PART])
        except ValueError:
            return None

    def _breach(self, row: bytes, reason: str) -> None:
        about = self._decoded(row)
        if about is None:
            self._keep(Breach(self._stream, None, f"{reason}; it cannot be read"))
        else:
            self._keep(Breach(self._stream, about["seq"], reason, about["id"], about["at"]))

    def _keep(self, breach: Breach) -> None:
        if len(self.read.breaches) < TOLD_BREACHES:
            self.read.breaches.append(breach)

    def _check_claim(self, seq: int, stored: bytes) -> None:
        claim = self._claims[self._next_claim]
        if seq == claim.last_seq:
            wanted = claim.last_seq - claim.first_seq + 1
            if stored != claim.head:
                self._keep(_denied(self._stream, claim))
            elif len(self._leaves) == wanted and merkle.root(self._leaves) != claim.root:
                self._keep(
                    Breach(
                        self._stream, claim.first_seq,
                        f"anchor {claim.number} has another root over the entries up to "
                        f"{claim.last_seq}", at=claim.at,
                    )
                )  # fmt: skip
            self._next_claim += 1
        else:
            # The entry that it ends with is missing: so it was said, and the anchor adds when.
            while (
                self._next_claim < len(self._claims)
                and self._claims[self._next_claim].last_seq <= seq
            ):
                self._keep(_denied(self._stream, self._claims[self._next_claim]))
                self._next_claim += 1
        self._set_claim()

    def end(self) -> None:
        """Close the stream that was read last."""
        if self._stream and self._previous:
            self.read.ends[self._stream] = self._expected - 1, self._previous


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
