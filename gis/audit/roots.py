"""The lines of anchors: what is signed, how they follow one another, and the files they are in."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from gis.audit.canonical import HASH_BYTES
from gis.errors import BadInput, Problem

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

NOTHING: Final = b"\0" * HASH_BYTES


@dataclass(frozen=True, slots=True)
class Root:
    """A line: what a stretch of a stream was, or that one was given up.

    Attributes
    ----------
    kind
        ``root``, or ``loss``: what was anchored from ``first_seq`` on no longer holds, somebody
        has said why, and the stream goes on from there.
    root
        Merkle root over the hashes of the entries ``first_seq`` to ``last_seq``; zeros of a loss.
    head
        Hash of the entry ``last_seq``, that is of the whole chain up to it; zeros of a loss.
    previous
        SHA-256 of the line before this one; zeros before the first.
    """

    number: int
    kind: str
    stream: str
    first_seq: int
    last_seq: int
    root: bytes
    head: bytes
    at: datetime
    note: str
    previous: bytes
    public_key: bytes
    signature: bytes = b""

    def _content(self) -> dict[str, Any]:
        return {
            "number": self.number,
            "kind": self.kind,
            "stream": self.stream,
            "first_seq": self.first_seq,
            "last_seq": self.last_seq,
            "root": self.root.hex(),
            "head": self.head.hex(),
            "at": self.at.astimezone(UTC).isoformat(timespec="microseconds"),
            "note": self.note,
            "previous": self.previous.hex(),
            "public_key": self.public_key.hex(),
        }

    def message(self) -> bytes:
        """What is signed: the line without its signature."""
        return _json(self._content()).encode()

    def line(self) -> str:
        """As written: JSON with its keys in order and nothing between, without its end."""
        return _json(self._content() | {"signature": self.signature.hex()})

    def digest(self) -> bytes:
        """What the next line carries of this one."""
        return hashlib.sha256(self.line().encode()).digest()

    def is_signed(self) -> bool:
        """Whether the signature is that of the key it names."""
        try:
            Ed25519PublicKey.from_public_bytes(self.public_key).verify(
                self.signature, self.message()
            )
        except (InvalidSignature, ValueError):
            return False
        return True

    @classmethod
    def parse(cls, text: str) -> Root:
        """The line of its text.

        Raises
        ------
        ValueError
            It is none.
        """
        try:
            given = json.loads(text)
            hexed = ("root", "head", "previous", "public_key", "signature")
            values = given | {name: bytes.fromhex(given[name]) for name in hexed}
            made = cls(**values | {"at": datetime.fromisoformat(given["at"])})
            if made.line() == text:
                return made
        except (AttributeError, KeyError, TypeError, RecursionError, ValueError):
            pass
        raise ValueError("this is no line of an anchor")


def _json(content: dict[str, Any]) -> str:
    return json.dumps(content, sort_keys=True, separators=(",", ":"), ensure_ascii=False)


def standing(roots: Iterable[Root]) -> dict[str, list[Root]]:
    """What is claimed of each stream, in order; what was given up is claimed no more."""
    claims: dict[str, list[Root]] = {}
    for each in roots:
        held = claims.setdefault(each.stream, [])
        if each.kind == "loss":
            held[:] = [one for one in held if one.last_seq < each.first_seq]
        else:
            held.append(each)
    return {stream: held for stream, held in claims.items() if held}


# -- files ----------------------------------------------------------------------------------


def file_of(folder: Path, root: Root) -> Path:
    """The file of a folder that a line belongs to: one a month."""
    return folder / f"roots-{root.at:%Y%m}.jsonl"


def cut_torn_line(file: Any) -> None:
    """Drop what a crash left of a line that was never whole: its successor stands in its place."""
    file.seek(0)
    whole = file.read()
    end = whole.rfind(b"\n") + 1
    if end != len(whole):
        file.truncate(end)


def newest_in(folder: Path) -> Root | None:
    """The last whole line of a folder; None where there is none."""
    for file in sorted(folder.glob("*.jsonl"), reverse=True):
        for text in reversed(file.read_text(encoding="utf-8").split("\n")[:-1]):
            return _parse(text, file)
    return None


def read_folder(folder: Path) -> list[Root]:
    """Every whole line of a folder, in order of their numbers as written.

    Raises
    ------
    BadInput
        A line is none of ours; what a crash left of the last one is passed over.
    """
    found = []
    for file in sorted(folder.glob("*.jsonl")):
        found += [
            _parse(text, file, row)
            for row, text in enumerate(file.read_text(encoding="utf-8").split("\n")[:-1], start=1)
        ]
    return found


def _parse(text: str, file: Path, row: int | None = None) -> Root:
    try:
        return Root.parse(text)
    except ValueError as error:
        raise BadInput(
            Problem(f"{error}: it was changed", "Use another copy of it", source=str(file), row=row)
        ) from None
