"""Hide small counts of units and grids that leave the case team, so that no total gives them away.

Counts form a tree: a unit's count is the sum of its parts'. A count from 1 to ``k - 1`` is hidden;
and so are, beside it, others that are needed so that no hidden count can be worked out from what is
shown. Zero is shown: that nothing happened is no secret.

In a tree all that is told of the hidden counts is this: below each shown unit, the hidden counts
that are parts of nothing hidden or of hidden units alone add up to what is left of its own count.
These sums have no count in common. A hidden count keeps its secret when its sum, less one for each
count in it, is ``k - 1`` or more: it can then still be any number from 1 to ``k``. (A sum of five
in five parts, none of them zero, would tell them all.)
"""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

K: Final = 5
"""Counts below this are hidden wherever a map or table leaves the case team."""


def hidden(counts: Mapping[str, int], parents: Mapping[str, str], *, k: int = K) -> set[str]:
    """Codes whose counts must be hidden when all the others are shown.

    Parameters
    ----------
    counts
        Whole numbers by code, not negative: of grids, and of every unit above them.
    parents
        Code of the unit that each code is a part of; none for the whole.
    k
        Counts from 1 to ``k - 1`` are small.

    Raises
    ------
    ValueError
        A count is negative, or a unit's is not the sum of its parts'.
    """
    parts: defaultdict[str, list[str]] = defaultdict(list)
    for code, parent in parents.items():
        parts[parent].append(code)
    for code, number in counts.items():
        if number < 0 or (code in parts and number != sum(counts[each] for each in parts[code])):
            raise ValueError(f"the count of {code} is not the sum of its parts")
    gone = {code for code, number in counts.items() if 0 < number < k}
    cover(counts, parts, gone, k)
    return gone


def cover(
    counts: Mapping[str, int], parts: Mapping[str, Sequence[str]], gone: set[str], k: int
) -> None:
    """Hide beside what is hidden already whatever would give it away.

    Parameters
    ----------
    parts
        Codes that each unit is the sum of.
    gone
        What is hidden; more is added to it.
    """
    # Hidden counts below each unit that no shown unit lies over.
    loose: dict[str, set[str]] = {}
    for unit in _lowest_first(parts):
        found = loose[unit] = set()
        shown = []
        for each in sorted(parts[unit], key=lambda code: (counts[code], code)):
            if each in gone:
                found |= loose[each] if each in parts else {each}
            elif counts[each]:
                shown.append(each)
        while found and unit not in gone and not _is_covered(counts, found, k):
            if shown:
                found |= _hide(shown.pop(0), counts, parts, gone, loose)
            else:
                gone.add(unit)


def _is_covered(counts: Mapping[str, int], together: set[str], k: int) -> bool:
    """Whether each of the hidden counts with this sum can still be any number from 1 to k."""
    total = sum(counts[code] for code in together)
    return len(together) > 1 and total - len(together) >= k - 1


def _hide(
    code: str,
    counts: Mapping[str, int],
    parts: Mapping[str, Sequence[str]],
    gone: set[str],
    loose: dict[str, set[str]],
) -> set[str]:
    """Hide a count, and of a unit's parts so much that it does not follow from them."""
    gone.add(code)
    if code not in parts:
        return {code}
    if not loose[code]:
        least = min((counts[each], each) for each in parts[code] if counts[each])[1]
        loose[code] |= _hide(least, counts, parts, gone, loose)
    return loose[code]


def _lowest_first(parts: Mapping[str, Sequence[str]]) -> list[str]:
    """Units in an order in which each comes after its parts."""
    below = {each for codes in parts.values() for each in codes}
    order: list[str] = []
    waiting = sorted(unit for unit in parts if unit not in below)
    while waiting:
        unit = waiting.pop()
        order.append(unit)
        waiting += [each for each in parts[unit] if each in parts]
    return order[::-1]
