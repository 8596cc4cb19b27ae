"""A root over a stretch of entries, and the short proof that one of them is under it.

Leaves are the hashes of the entries. A node is SHA-256 of ``01`` and its two children; a last child
without a sibling goes up as it is. How many leaves there are is signed with the root, so that the
shape is known and no node passes for a leaf.
"""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence


def root(leaves: Sequence[bytes]) -> bytes:
    """The root over one leaf or more."""
    level = list(leaves)
    while len(level) > 1:
        level = _above(level)
    return level[0]


def _above(level: list[bytes]) -> list[bytes]:
    sha256 = hashlib.sha256
    above = [
        sha256(b"\x01" + left + right).digest()
        for left, right in zip(level[::2], level[1::2], strict=False)
    ]
    if len(level) % 2:
        above.append(level[-1])
    return above


def path(leaves: Sequence[bytes], place: int) -> list[tuple[str, bytes]]:
    """Siblings on the way from a leaf to the root, each with its side: left or right."""
    level = list(leaves)
    found = []
    while len(level) > 1:
        sibling = place ^ 1
        if sibling < len(level):
            found.append(("left" if sibling < place else "right", level[sibling]))
        level, place = _above(level), place // 2
    return found


def climb(leaf: bytes, place: int, leaves: int, siblings: Sequence[bytes]) -> bytes:
    """The root that a leaf at a place of so many, with these siblings, is under.

    Raises
    ------
    ValueError
        Too few or too many siblings for that place.
    """
    left = list(siblings)
    node = leaf
    while leaves > 1:
        if place ^ 1 < leaves:
            if not left:
                raise ValueError("the proof is too short")
            sibling = left.pop(0)
            pair = sibling + node if place % 2 else node + sibling
            node = hashlib.sha256(b"\x01" + pair).digest()
        place, leaves = place // 2, (leaves + 1) // 2
    if left:
        raise ValueError("the proof is too long")
    return node
