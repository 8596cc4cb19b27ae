"""The bytes of an entry, and the hash that chains it to the one before: with no database.

An entry is the sequence of its twenty fields in the order of ``FIELDS``. Each is four bytes of
length, big-endian, and so many bytes; a missing one is the length -1 (``ff ff ff ff``) and nothing.
So no two entries have the same bytes. By kind:

text
    UTF-8.
int8
    Eight bytes, big-endian, two's complement.
time
    Microseconds since 2000-01-01T00:00:00Z, as int8.
uuid
    Its sixteen bytes.
json
    One byte ``01``, then the text of an object in UTF-8 as PostgreSQL's jsonb writes it: keys in
    order of their length in bytes, then of their bytes; ``", "`` and ``": "`` between; only what
    must be is escaped. The log holds whole numbers, true, false, texts and lists of these.

It is what ``COPY ... (FORMAT binary)`` sends for these columns, so that a verifier hashes what the
server sends as it is. The hash of an entry is SHA-256 of ``00``, the hash of the entry before it in
its stream, and its bytes; before the first entry stands SHA-256 of ``wangge audit 1 `` and the
stream's name.
"""

from __future__ import annotations

import hashlib
import json
import struct
import uuid
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Mapping

FIELDS: Final[dict[str, str]] = {
    "stream": "text",
    "seq": "int8",
    "id": "int8",
    "xid": "int8",
    "at": "time",
    "actor": "text",
    "account_id": "uuid",
    "role": "text",
    "scope": "text",
    "purpose": "text",
    "action": "text",
    "object_kind": "text",
    "object_id": "text",
    "county_code": "text",
    "fields": "text",
    "count": "int8",
    "origin": "text",
    "session_id": "uuid",
    "key_id": "uuid",
    "detail": "json",
}
"""Name and kind of each field, in the order of their bytes."""
HASH_BYTES: Final = 32
EPOCH: Final = datetime(2000, 1, 1, tzinfo=UTC)


def genesis(stream: str) -> bytes:
    """What stands before the first entry of a stream."""
    return hashlib.sha256(f"wangge audit 1 {stream}".encode()).digest()


def chained(previous: bytes, content: bytes) -> bytes:
    """The hash of an entry: of the one before it and of its own bytes."""
    return hashlib.sha256(b"\0" + previous + content).digest()


def canonical(entry: Mapping[str, Any]) -> bytes:
    """The bytes of an entry, whose values are of Python's own kinds; times are aware."""
    parts = []
    for name, kind in FIELDS.items():
        value = entry[name]
        if value is None:
            parts.append(b"\xff\xff\xff\xff")
            continue
        encoded = _encode(kind, value)
        parts.append(struct.pack(">i", len(encoded)) + encoded)
    return b"".join(parts)


def decode(content: bytes) -> dict[str, Any]:
    """The entry of its bytes; the inverse of ``canonical``.

    Raises
    ------
    ValueError
        They are none of an entry.
    """
    entry: dict[str, Any] = {}
    place = 0
    try:
        for name, kind in FIELDS.items():
            (length,) = struct.unpack_from(">i", content, place)
            place += 4
            if length < 0:
                entry[name] = None
                continue
            value = content[place : place + length]
            if len(value) != length:
                raise ValueError("it breaks off")
            entry[name] = _decode(kind, value)
            place += length
    except (struct.error, ValueError, OverflowError) as error:
        raise ValueError(f"these bytes are no entry: {error}") from None
    if place != len(content):
        raise ValueError("these bytes are no entry: something follows it")
    return entry


def _encode(kind: str, value: Any) -> bytes:
    if kind == "text":
        return str(value).encode()
    if kind == "int8":
        return struct.pack(">q", int(value))
    if kind == "time":
        return struct.pack(">q", (value - EPOCH) // timedelta(microseconds=1))
    if kind == "uuid":
        return uuid.UUID(str(value)).bytes
    return b"\x01" + jsonb_text(value).encode()


def _decode(kind: str, value: bytes) -> Any:
    if kind == "text":
        return value.decode()
    if kind == "int8":
        return struct.unpack(">q", value)[0]
    if kind == "time":
        return EPOCH + timedelta(microseconds=struct.unpack(">q", value)[0])
    if kind == "uuid":
        return uuid.UUID(bytes=value)
    return json.loads(value[1:])


def jsonb_text(value: Any) -> str:
    """A value as PostgreSQL's jsonb writes it; fractions are not among them."""
    if isinstance(value, dict):
        keys = sorted(value, key=lambda key: (len(key.encode()), key.encode()))
        return "{" + ", ".join(f"{_quoted(key)}: {jsonb_text(value[key])}" for key in keys) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(jsonb_text(each) for each in value) + "]"
    return _quoted(value) if isinstance(value, str) else json.dumps(value)


def _quoted(text: str) -> str:
    # Both escape quotes, backslashes and what is below a blank; and nothing else.
    return json.dumps(text, ensure_ascii=False)
