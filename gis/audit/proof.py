"""A proof of one entry: that it was in the log when an anchor was signed, checked without it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from gis import audit
from gis.audit import merkle
from gis.audit.anchors import hashes, kept_roots
from gis.audit.canonical import FIELDS, canonical, chained, decode, genesis
from gis.audit.roots import Root, standing
from gis.database import execute
from gis.errors import BadInput, Conflict, NotFound, Problem

if TYPE_CHECKING:
    from sqlalchemy.orm import Session


class EntryNotFound(NotFound):
    """There is no entry of that number."""


class NotAnchored(Conflict):
    """The entry is younger than the last anchor."""


def prove(session: Session, entry_id: int) -> dict[str, Any]:
    """The proof of an entry, as JSON can hold it.

    Raises
    ------
    EntryNotFound
        No entry has that id.
    NotAnchored
        No anchor covers it yet.
    """
    columns = ", ".join(FIELDS)
    row = execute(session, f"SELECT {columns}, hash FROM audit_log WHERE id = :id", id=entry_id)  # noqa: S608
    found = row.mappings().first()
    if found is None:
        raise EntryNotFound(f"the audit log has no entry {entry_id}")
    stream, seq = found["stream"], found["seq"]
    covering = [
        each
        for each in standing(kept_roots(session)).get(stream, ())
        if each.first_seq <= seq <= each.last_seq
    ]
    if not covering:
        raise NotAnchored(f"entry {entry_id} is not anchored yet: run 'wangge audit anchor'")
    audit.read(
        session,
        object_kind="audit",
        object_id=entry_id,
        fields=FIELDS,
        counts={audit.own_area(session): 1},
    )
    root = covering[0]
    leaves = hashes(session, stream, root.first_seq, root.last_seq)
    before = hashes(session, stream, seq - 1, seq - 1)
    return {
        "entry": canonical(dict(found)).hex(),
        "previous": (before[0] if before else genesis(stream)).hex(),
        "siblings": [each.hex() for _, each in merkle.path(leaves, seq - root.first_seq)],
        "anchor": root.line(),
    }


def check(proof: dict[str, Any], keys: set[bytes]) -> tuple[dict[str, Any], Root]:
    """What a proof proves: the entry, and the anchor it was under; needs no database.

    Parameters
    ----------
    keys
        Public keys (32 bytes) that are trusted.

    Raises
    ------
    BadInput
        It proves nothing; says why.
    """
    try:
        content = bytes.fromhex(proof["entry"])
        entry = decode(content)
        root = Root.parse(proof["anchor"])
        leaf = chained(bytes.fromhex(proof["previous"]), content)
        siblings = [bytes.fromhex(each) for each in proof["siblings"]]
        place, leaves = entry["seq"] - root.first_seq, root.last_seq - root.first_seq + 1
        if entry["stream"] != root.stream or not 0 <= place < leaves:
            raise ValueError("the anchor is of other entries")
        if merkle.climb(leaf, place, leaves, siblings) != root.root:
            raise ValueError("the entry is not under the anchor's root")
        if not root.is_signed():
            raise ValueError("the anchor is not signed by the key that it names")
        if root.public_key not in keys:
            raise ValueError("the anchor is signed with a key that is not known here")
    except (KeyError, TypeError, ValueError) as error:
        raise BadInput(Problem(f"this proves nothing: {error}", "Ask for the proof anew")) from None
    return entry, root
