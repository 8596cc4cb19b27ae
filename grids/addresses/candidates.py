"""Places that an address may mean, and how sure that is."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Final

from grids.addresses import latin

if TYPE_CHECKING:
    from collections.abc import Sequence

# By evaluation on the half of bench/addresses.py that is there to choose on: how near to one
# another the names may be, and how far behind the next candidate has to stay, for the first to be
# called certain. One step above the least pair that is wrong of less than 1 in 100 in every set.
LEAST_SCORE: Final = 0.85
LEAST_LEAD: Final = 0.15
ROUNDING: Final = 1e-9
OTHER_NUMBER: Final = 0.6
STREET_WORD: Final = 0.65
NO_WORD: Final = 0.8
SAME_PLACE_M: Final = 100.0
"""Candidates nearer to one another than this do not contradict each other."""
NEAR_M: Final = 5000.0
"""How far from where it is said to be near a place may be, where nothing else is said."""
SURE: Final = frozenset({"exact", "street_number", "place", "building", "crossing"})
"""Methods by which a number or a whole name was really found."""
_EARTH_RADIUS_M: Final = 6_371_008.8  # IUGG mean radius


@dataclass(frozen=True, slots=True, kw_only=True)
class Candidate:
    """A place that an address may mean.

    Attributes
    ----------
    label
        The address or name of the place, as the gazetteer has it.
    lon, lat
        WGS 84, degrees.
    score
        0 to 1: what of the text agrees with the place, and how well.
    method
        ``exact``: a person said so of this very text. ``street_number``: this house number.
        ``building``: this building of the estate. ``place``: a place of that name. ``crossing``:
        where two streets meet. ``interpolated``: between house numbers. ``street``: the street or
        estate alone. ``trigram``: a name like it. ``division``: the unit alone.
    matched
        Kinds of parts that agree.
    ignored
        What of the text was not used, in its order.
    accuracy_m
        How far from the point the true place may well be.
    area_code
        Unit that the place lies in.
    is_confident
        Whether to take it without asking. Never for more than the first of a list.
    twins
        Longitude and latitude of other places of the same label, as likely and nearer than
        `SAME_PLACE_M`: they are taken for one place, which a border may run through.
    """

    label: str
    lon: float
    lat: float
    score: float
    method: str
    matched: tuple[str, ...] = ()
    ignored: tuple[str, ...] = ()
    accuracy_m: float = 20.0
    area_code: str = ""
    is_confident: bool = False
    twins: tuple[tuple[float, float], ...] = ()

    def as_json(self) -> dict[str, Any]:
        """As it is kept with a review."""
        return {
            "label": self.label, "lon": self.lon, "lat": self.lat, "score": self.score,
            "method": self.method, "matched": list(self.matched), "ignored": list(self.ignored),
            "accuracy_m": self.accuracy_m, "area_code": self.area_code,
        }  # fmt: skip


def distance_m(lon: float, lat: float, other_lon: float, other_lat: float) -> float:
    """Metres between two places not far from one another, on a sphere (haversine)."""
    a, b = math.radians(lat), math.radians(other_lat)
    half = (
        math.sin((b - a) / 2) ** 2
        + math.cos(a) * math.cos(b) * math.sin(math.radians(other_lon - lon) / 2) ** 2
    )
    return 2 * _EARTH_RADIUS_M * math.asin(math.sqrt(min(1.0, half)))


def similarity(one: str, other: str) -> float:
    """How alike two keys are, 1 when they are the same.

    1 less the share of characters that have to be put in, left out, replaced or exchanged with
    their neighbour (optimal string alignment) of the longer one. Names that differ in a number
    (5th and 6th Street, groups 2 and 22) are never more than `OTHER_NUMBER` alike.
    """
    if one == other:
        return 1.0
    most = 1.0 if re.findall(r"\d+", one) == re.findall(r"\d+", other) else OTHER_NUMBER
    if not one or not other:
        return 0.0
    before: list[int] = []
    row = list(range(len(other) + 1))
    for i, a in enumerate(one, 1):
        last, before = before, row
        row = [i]
        for j, b in enumerate(other, 1):
            cost = min(before[j] + 1, row[j - 1] + 1, before[j - 1] + (a != b))
            if i > 1 and j > 1 and a == other[j - 2] and one[i - 2] == b:
                cost = min(cost, last[j - 2] + 1)
            row.append(cost)
    return min(most, 1 - row[-1] / max(len(one), len(other)))


def likeness(one: str, other: str) -> float:
    """How alike two names are: their keys, and half of it without the words for a street.

    Bush Street and Russ Street have all but two characters in common, and are not alike. Green
    alone is like Green Street, and never more than `NO_WORD`: it may be Green Lane.
    """
    whole = similarity(one, other)
    if " " not in one and " " not in other:
        return whole
    alike = (whole + similarity(_bare(one), _bare(other))) / 2
    return min(alike, NO_WORD) if (" " in one) != (" " in other) else alike


@lru_cache(maxsize=16_384)
def _bare(key: str) -> str:
    """A key without its word for a street, at its end or beginning, though it may have a slip."""
    words = key.split()
    for place in (-1, 0):
        alike = (similarity(words[place], each) for each in latin.STREET_WORDS)
        if len(words) > 1 and max(alike) >= STREET_WORD:
            del words[place]
            break
    return " ".join(words)


def ranked(
    found: Sequence[Candidate],
    *,
    near: tuple[float, float] | None,
    limit: int,
    within_m: float = NEAR_M,
) -> list[Candidate]:
    """The best candidates, one for each place, the first marked when it is certain.

    Parameters
    ----------
    near
        Longitude and latitude of somewhere close: candidates ``within_m`` and more away lose a
        tenth.
    within_m
        How far from ``near`` the place may be, metres. A first candidate that lies farther, by
        more than its own accuracy, contradicts it and is not certain, whatever the text says.
    """
    if near is not None:
        found = [
            replace(each, score=each.score
                    * (1 - 0.1 * min(1.0, distance_m(each.lon, each.lat, *near) / within_m)))
            for each in found
        ]  # fmt: skip
    ordered = sorted(found, key=lambda each: (-each.score, each.label, each.lon, each.lat))
    kept: list[Candidate] = []
    for each in ordered:
        if len(kept) > limit:
            break
        place = next((n for n, other in enumerate(kept) if _same(each, other)), None)
        if place is None:
            kept.append(replace(each, score=round(each.score, 4)))
        elif kept[place].score - each.score < LEAST_LEAD - ROUNDING:
            twins = (*kept[place].twins, (each.lon, each.lat))
            kept[place] = replace(kept[place], twins=twins)
    if not kept:
        return []
    first = kept[0]
    is_far = (
        near is not None and distance_m(first.lon, first.lat, *near) > within_m + first.accuracy_m
    )
    return [replace(first, is_confident=not is_far and _is_certain(kept)), *kept[1:limit]]


def _same(one: Candidate, other: Candidate) -> bool:
    apart = distance_m(one.lon, one.lat, other.lon, other.lat)
    return apart < SAME_PLACE_M and (apart < 1 or one.label == other.label)


def _is_certain(kept: Sequence[Candidate]) -> bool:
    first = kept[0]
    if first.method not in SURE or first.score < LEAST_SCORE:
        return False
    return all(
        first.score - each.score >= LEAST_LEAD - ROUNDING
        or distance_m(first.lon, first.lat, each.lon, each.lat) < SAME_PLACE_M
        for each in kept[1:]
    )
