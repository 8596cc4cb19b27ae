"""How likely two reports tell of one incident: evidence for and against, part by part.

After I. P. Fellegi and A. B. Sunter, "A Theory for Record Linkage", Journal of the American
Statistical Association 64 (1969): each part gives the logarithm of how much likelier what is seen
is of two reports of one incident than of two incidents nearby. The parts are added to the odds
before anything was seen, and the sum is a probability. What is not known of either says nothing.
"""

from __future__ import annotations

import math
import re
import unicodedata
from collections import Counter
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Final, Literal

from grids.addresses.candidates import distance_m

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

PartName = Literal["place", "time", "category", "text", "address"]

# Of the reports within reach and time of one, about this share tells of the same.
PRIOR: Final = 0.02
REACH_M: Final = 500.0
"""Radius of what is looked at; two incidents there lie anywhere in it."""
WITHIN_DAYS: Final = 14.0
"""Before and after: two incidents come at any time of it."""
# Radius that holds 68 % of a position whose accuracy nobody told: a house and its neighbours.
UNTOLD_ACCURACY_M: Final = 40.0
# Two people who tell of one incident stand where they see it from, not where it is.
STANDING_M: Final = 20.0
SIGMA_PER_RADIUS: Final = 1 / math.sqrt(-2 * math.log(1 - 0.68))
"""Of a circular normal error whose radius holds 68 %."""
LATER_H: Final = 30.0
"""Mean time from one report of an incident to another."""
# Shares of pairs with the same category, one of the same kind, one of another: of one incident, and
# of two that are near each other.
SAME_CATEGORY: Final = (0.85, 0.20)
SAME_KIND: Final = (0.12, 0.50)
OTHER_KIND: Final = (0.03, 0.30)
# Points of a text are a line through its similarity: of texts on one matter that tell of different
# things it is mostly below 0.15, of one thing in other words mostly above 0.3.
TEXT_EVEN: Final = 0.22
TEXT_SLOPE: Final = 22.0
TEXT_LIMITS: Final = (-4.0, 4.0)
SHORTEST_TEXT: Final = 4
"""Words; a shorter text says nothing."""
ADDRESS_EVEN: Final = 0.7
ADDRESS_SLOPE: Final = 10.0
ADDRESS_LIMITS: Final = (-3.0, 3.0)
OTHER_NUMBERS: Final = 0.5
# An address that agrees repeats much of what a place has said already; one that does not, corrects.
ADDRESS_BESIDE_PLACE: Final = 0.3
MOST_BY_PLACE: Final = 3.5
"""Incidents gather at some houses: two at one place are not as rare as on even ground."""
LEAST_POINTS: Final = -8.0
# A Han character, or a word of other letters and figures.
_WORD: Final = re.compile(
    r"[\u3400-\u9fff\U00020000-\U0003ffff]|[^\W\u3400-\u9fff\U00020000-\U0003ffff_]+"
)
_NUMBER: Final = re.compile(r"\d+")


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """What a report says.

    ``lon`` and ``lat`` in WGS 84 degrees, both None without a place; ``accuracy_m`` the radius that
    holds 68 %; ``kind`` that of the category (dispute, hazard, service, other).
    """

    at: datetime
    category: str
    kind: str
    text: str = ""
    address: str = ""
    lon: float | None = None
    lat: float | None = None
    accuracy_m: float | None = None


@dataclass(frozen=True, slots=True)
class Part:
    """One part of the evidence.

    Attributes
    ----------
    value
        Metres between the places, hours between the times, similarity of the texts or addresses
        (0 to 1); of the category 1 the same, 0.5 one of the same kind, 0 another.
    points
        Natural logarithm of how much likelier it is of one incident than of two; below 0 it speaks
        against.
    """

    value: float
    points: float


@dataclass(frozen=True, slots=True)
class Likeness:
    """The probability that two reports tell of one incident, and what it is made of."""

    score: float
    parts: Mapping[PartName, Part]


def likeness(one: Told, other: Told, weight: Mapping[str, float] | None = None) -> Likeness:
    """Weigh two reports against each other; the order does not matter.

    Parameters
    ----------
    weight
        Of words, as `weights` makes them; alike for all where it is None.
    """
    parts = _bare(one, other)
    similar = similarity(one.text, other.text, weight)
    if similar is not None:
        parts["text"] = Part(similar, _line(similar, TEXT_EVEN, TEXT_SLOPE, TEXT_LIMITS))
    same = _address(one.address, other.address)
    if same is not None:
        points = _line(same, ADDRESS_EVEN, ADDRESS_SLOPE, ADDRESS_LIMITS)
        if points > 0 and "place" in parts:
            points *= ADDRESS_BESIDE_PLACE
        parts["address"] = Part(same, points)
    return Likeness(_score(part.points for part in parts.values()), parts)


def at_most(one: Told, other: Told) -> float:
    """The probability if text and address were to agree in full: cheap, since neither is read."""
    points = [part.points for part in _bare(one, other).values()]
    return _score([*points, TEXT_LIMITS[1], ADDRESS_LIMITS[1]])


def _bare(one: Told, other: Told) -> dict[PartName, Part]:
    """What place, time and category say."""
    parts: dict[PartName, Part] = {}
    if (place := _place(one, other)) is not None:
        parts["place"] = place
    hours = abs((one.at - other.at).total_seconds()) / 3600
    spread = math.log(WITHIN_DAYS * 24 / LATER_H) - hours / LATER_H
    parts["time"] = Part(hours, max(spread, LEAST_POINTS))
    parts["category"] = _category(one, other)
    return parts


def _score(points: Iterable[float]) -> float:
    return 1 / (1 + math.exp(-math.log(PRIOR / (1 - PRIOR)) - sum(points)))


def words(text: str) -> Counter[str]:
    """What a text is compared by, each with how often it comes: Han characters, and other words.

    Somebody else tells the same in other words of the same characters (房屋漏雨无人管,
    房子漏雨没有人来管), which pairs or triples of characters mostly miss. Full and half width and
    capitals are not told apart. No locale of a database has a say in it.
    """
    folded = unicodedata.normalize("NFKC", text).casefold()
    return Counter(_WORD.findall(folded))


def weights(texts: Iterable[str]) -> dict[str, float]:
    """How much each word says, the rarer the more: what every text has says next to nothing.

    Parameters
    ----------
    texts
        Of reports around and of late. A word that none of them has weighs 1.
    """
    seen: Counter[str] = Counter()
    total = 0
    for text in texts:
        seen.update(words(text).keys())
        total += 1
    most = math.log(total + 2)
    return {word: math.log((total + 2) / (count + 1)) / most for word, count in seen.items()}


def similarity(one: str, other: str, weight: Mapping[str, float] | None = None) -> float | None:
    """How alike two texts are, 0 to 1: their common words, each by its weight.

    The mean of their share of both texts (Dice) and of the shorter one (overlap): a text may tell
    the same and more. None where either is too short to say anything.
    """
    first, second = words(one), words(other)
    if min(first.total(), second.total()) < SHORTEST_TEXT:
        return None
    known = weight or {}
    common, *sizes = (
        sum(count * known.get(word, 1.0) for word, count in each.items())
        for each in (first & second, first, second)
    )
    if not min(sizes):
        return 0.0
    return common / sum(sizes) + common / min(sizes) / 2


def _address(one: str, other: str) -> float | None:
    """How alike two addresses are; two that name other numbers are those of other houses."""
    same = similarity(one, other)
    if same is None:
        return None
    numbers = [_NUMBER.findall(unicodedata.normalize("NFKC", each)) for each in (one, other)]
    # One may go on where the other stops: a stairway, a flat.
    agree = all(a == b for a, b in zip(*numbers, strict=False))
    return same if agree else min(same, OTHER_NUMBERS)


def _place(one: Told, other: Told) -> Part | None:
    """Places of one incident scatter around it; those of two lie anywhere within reach."""
    if one.lon is None or one.lat is None or other.lon is None or other.lat is None:
        return None
    metres = distance_m(one.lon, one.lat, other.lon, other.lat)
    spread = 2 * STANDING_M**2 + sum(
        ((UNTOLD_ACCURACY_M if each.accuracy_m is None else each.accuracy_m) * SIGMA_PER_RADIUS)
        ** 2
        for each in (one, other)
    )
    points = math.log(REACH_M**2 / (2 * spread)) - metres**2 / (2 * spread)
    return Part(metres, min(max(points, LEAST_POINTS), MOST_BY_PLACE))


def _category(one: Told, other: Told) -> Part:
    if one.category == other.category:
        value, (of_one, of_two) = 1.0, SAME_CATEGORY
    elif one.kind == other.kind:
        value, (of_one, of_two) = 0.5, SAME_KIND
    else:
        value, (of_one, of_two) = 0.0, OTHER_KIND
    return Part(value, math.log(of_one / of_two))


def _line(value: float, even: float, slope: float, limits: tuple[float, float]) -> float:
    low, high = limits
    return min(max(slope * (value - even), low), high)
