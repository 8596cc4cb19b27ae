"""Where two streets meet: 人民路与和平街交叉口, Main Street & Second Avenue."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

from grids.addresses import han
from grids.addresses.candidates import Candidate, likeness
from grids.addresses.matching import LEAST_LIKE, STREET_ALONE, Asked
from grids.addresses.parsing import name_key
from grids.addresses.rounds import Query
from grids.addresses.subjects import Subject

if TYPE_CHECKING:
    from grids.addresses.parts import Address
    from grids.addresses.rounds import Steps

JOINING: Final = frozenset({"与", "及", "路口", "交叉口", "交汇处"})
"""What is left over of an address in Chinese that speaks of two streets at once."""
SIGNS: Final = frozenset("/、&")
AND: Final = frozenset("和跟同")
LEAST_MOUTH: Final = 2
MOUTHS: Final = tuple(f"{word}口" for word in han.STREETS)
CORNER_M: Final = 20.0
"""From the meeting of the middle lines to the corner where somebody stands: two wide lanes each."""


@dataclass(frozen=True, slots=True)
class Crossing:
    """Keys of the two streets that meet, and what of the address's rest says so."""

    streets: tuple[str, str]
    used: frozenset[str] = frozenset()


def crossing_of(address: Address) -> Crossing | None:
    """The two streets that an address says meet; None where it speaks of no crossing.

    An address with a house number, an estate or a place speaks of that, whatever streets it names.
    """
    if any(address.part(kind) for kind in ("number", "estate", "place", "building")):
        return None
    keys: list[str] = []
    used = {each for each in address.rest if each in JOINING}
    is_joined = not address.is_han or bool(used) or bool(SIGNS & set(address.text))
    keys += [each.value for each in address.parts if each.kind == "street"]
    for each in address.rest:
        # 长青路人民路口: the mouth of the second. 长青路和人民路路口: what the grammar left of it.
        if each.endswith(MOUTHS) and len(each) > LEAST_MOUTH:
            keys.append(name_key(each.removesuffix("口")))
        elif each[0] in AND and each.endswith(han.STREETS):
            keys.append(name_key(each))
        else:
            continue
        used.add(each)
        is_joined = True
    if not is_joined or len(keys) != 2 or keys[0] == keys[1]:
        return None
    return Crossing((keys[0], keys[1]), frozenset(used))


def find(address: Address) -> Steps[list[Candidate] | None]:
    """Where the two streets of an address meet; None where it speaks of no crossing.

    Where they do not meet, or one of them is not known as a line, each that is known is a candidate
    by itself, none of them sure: what is said is that they cross.
    """
    said = crossing_of(address)
    if said is None:
        return None
    one, other = said.streets
    alike = [(yield from _alike(one)), (yield from _alike(other))]
    asked = Asked(address, Subject())
    lines = yield Query("street_lines", ())
    spelled = [
        {name: names[key] for name in lines if (key := name_key(name)) in names} for names in alike
    ]
    out = []
    met = yield Query("meetings", (tuple(sorted(spelled[0])), tuple(sorted(spelled[1]))))
    for row in met:
        # As sure as the less sure of the two: either one, if it is another, is another crossing.
        score = min(spelled[0][row.one], spelled[1][row.other])
        at = asked.candidate(row, score, "crossing", ("street",))
        ignored = tuple(each for each in at.ignored if each not in said.used)
        beside = at.accuracy_m - CORNER_M if ignored else 0.0
        out.append(replace(at, ignored=ignored, accuracy_m=CORNER_M + max(0.0, beside)))
    return out or (yield from _apart(asked, said, alike))


def _alike(key: str) -> Steps[dict[str, float]]:
    # 和 may be a word or begin a name (和平街): what the gazetteer has decides.
    for each in (key, key[1:] if key[0] in AND else key):
        there = yield Query("names", ((each,),))
        if any(row.kind == "street" for row in there):
            return {each: 1.0}
    likely = {each: likeness(key, each) for each in (yield Query("like_keys", (key, ("street",))))}
    return {each: share for each, share in likely.items() if share >= LEAST_LIKE}


def _apart(asked: Asked, said: Crossing, alike: list[dict[str, float]]) -> Steps[list[Candidate]]:
    """The streets by themselves, the other one told as what was not used."""
    out = []
    for names, other in zip(alike, reversed(said.streets), strict=True):
        for row in (yield Query("names", (tuple(sorted(names)),))):
            if row.kind != "street":
                continue
            method = "street" if names[row.key] == 1.0 else "trigram"
            at = asked.candidate(
                row, names[row.key] * STREET_ALONE, method, ("street",), accuracy_m=300.0
            )
            rest = tuple(each for each in at.ignored if each not in said.used)
            out.append(replace(at, ignored=(other, *rest)))
    return out
