"""Rows of the gazetteer as candidates: what of an address each agrees with, and how well."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, field, replace
from itertools import pairwise
from typing import TYPE_CHECKING, Any, Final

from grids.addresses import han
from grids.addresses.candidates import Candidate, distance_m, likeness

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sqlalchemy import Row

    from grids.addresses.parts import Address
    from grids.addresses.subjects import Subject

# What is left of a score where a part that was asked for lacks, or is another.
NO_NUMBER: Final = 0.5
OTHER_TAIL: Final = 0.93
ON_RANGE: Final = 0.85
BETWEEN: Final = 0.78
NO_BUILDING: Final = 0.75
UNNUMBERED_BUILDINGS: Final = 0.97
OTHER_DIVISION: Final = 0.6
OTHER_ESTATE: Final = 0.85
UNKNOWN_ESTATE: Final = 0.93
NO_GROUP: Final = 0.75
OTHER_NUMBER: Final = 0.75
STREET_ALONE: Final = 0.6
DOUBTFUL: Final = 0.75
SECOND_NAME: Final = 0.25
"""Weight of the second of two names that agree: a slip in one of them then counts less."""
LEAST_LIKE: Final = 0.5
"""Names less alike than this are not another spelling."""
FARTHEST_NEIGHBOURS_M: Final = 400.0
_DIVIDING: Final = re.compile(r"[^\d\s] ?[-\u2010-\u2015] ?[^\d\s]")
BESIDE_M: Final = 30.0
"""What stands beside, before or opposite a house is within a street's width and a plot of it."""


@dataclass(frozen=True)
class Asked:
    """An address with the names of the gazetteer that its own may be.

    Attributes
    ----------
    streets, estates
        Key to its likeness to what was written, 1 for the same.
    """

    address: Address
    subject: Subject
    streets: dict[str, float] = field(default_factory=dict)
    estates: dict[str, float] = field(default_factory=dict)

    def agrees(self, area_code: str) -> float:
        """What the divisions of the address make of a place in an area."""
        codes = self.address.codes
        # Of a place whose own village is not known the division is, if anything, a part.
        if not codes or any(area_code.startswith(c) or c.startswith(area_code) for c in codes):
            return 1.0
        return OTHER_DIVISION

    def candidate(
        self, row: Any, score: float, method: str, kinds: Sequence[str], *, accuracy_m: float = 20.0
    ) -> Candidate:
        """A row that agrees in these kinds of parts; its area is judged here."""
        agreed = self.agrees(row.area_code)
        score *= DOUBTFUL if has_slip(self.address) else 1.0
        matched = (("division",) if self.address.codes and agreed == 1.0 else ()) + tuple(kinds)
        return Candidate(
            label=row.label, lon=row.lon, lat=row.lat, score=score * agreed, method=method,
            matched=matched, ignored=self.ignored(matched),
            accuracy_m=round(accuracy_m + beside_m(self.address), 1),
            area_code=row.area_code,
        )  # fmt: skip

    def ignored(self, matched: Sequence[str]) -> tuple[str, ...]:
        """Texts that had no part in finding a place."""
        used = set(matched)
        if self.address.part("street") is None and "street" in used:
            used |= {"group", "lane", "division"}
        if "estate" in used:
            used.add("place")
        if "street" in used:
            used.add("lane")
        unused = [each.text for each in self.address.parts if each.kind not in used]
        return (*unused, *self.address.rest)


def beside_m(address: Address) -> float:
    """How far from the place that an address names what it says besides may lie, metres.

    The metres that stand there (3号北侧50米), else `BESIDE_M` for a word that says where from a
    place something is (3号对面); 0 for none.
    """
    if not address.is_han:
        return 0.0
    said = [han.RELATIVE.fullmatch(each) for each in address.rest]
    metres = [float(found[0].strip("约米")) for found in said
              if found and found[0].endswith("米")]  # fmt: skip
    return sum(metres) if metres else BESIDE_M * any(said)


def has_slip(address: Address) -> bool:
    """Whether an address bears the marks of a slip, so that its number may be another.

    A figure left over (11号3 for 113号) or a number that begins with 0 (0100 Larkin Street for
    1000). In Chinese also a single character left over (等距巷东13号), or figures within a name
    that nobody knows (嘎2查4号), or a number with a sign (标高街-5号 for 15号, 5.5号).
    """
    number = address.part("number")
    if any(each.isdigit() for each in address.rest) or (
        number is not None and number.text.startswith("0")
    ):
        return True
    return address.is_han and (
        (number is not None and _is_signed(address.text, number.text))
        or any(len(each) == 1 and not han.RELATIVE.fullmatch(each) for each in address.rest)
        or any(
            each.kind in {"street", "estate"}
            and not each.is_known
            and any(c.isdigit() for c in each.text)
            for each in address.parts
        )
    )


def _is_signed(text: str, number: str) -> bool:
    """Whether a number stands behind a minus or before a fraction.

    Where such a sign stands between names as well (示范镇-标高街-5号) it only divides.
    """
    written = re.escape(number)
    if re.search(rf"{written}(?:\.\d|-号)", text):
        return True
    signed = re.search(rf"(?<!\d)[-\u2010-\u2015\u2212+] ?{written}", text)
    return signed is not None and not _DIVIDING.search(text)


def at_numbers(asked: Asked, rows: Sequence[Row[Any]]) -> list[Candidate]:
    """House numbers that were asked for: as they are, on stretches, between their neighbours."""
    number = asked.subject.number
    if number is None:
        return []
    exact = [row for row in rows if row.number == number and row.number_to is None]
    stretches = [row for row in rows if row.number_to is not None]
    out = [_at_number(asked, row) for row in exact]
    for row in stretches:
        if (place := along(row, number)) is not None:
            lon, lat, length_m = place
            score = asked.streets[row.street_key] * ON_RANGE
            at = asked.candidate(row, score, "interpolated", ("street", "number"),
                                 accuracy_m=max(30.0, length_m / 6))  # fmt: skip
            out.append(replace(at, lon=lon, lat=lat, label=f"{row.label} ({number})"))
    done = {(row.street_key, row.area_code) for row in (*exact, *stretches)}
    rest = [row for row in rows if (row.street_key, row.area_code) not in done]
    return out + _between(asked, rest, number)


def _at_number(asked: Asked, row: Any) -> Candidate:
    subject = asked.subject
    score, kinds, method = asked.streets[row.street_key], ["street", "number"], "street_number"
    if row.number_tail != subject.tail:
        score *= OTHER_TAIL
    if subject.estate_key and row.estate_key:
        alike = max(
            likeness(subject.estate_key, row.estate_key), asked.estates.get(row.estate_key, 0.0)
        )
        if alike >= LEAST_LIKE:
            kinds.append("estate")
            score = _of_two(score, alike)
        else:
            score *= OTHER_ESTATE
    elif subject.estate_key:
        # An estate that stands elsewhere is not here; of one that is nowhere nothing is known.
        score *= NO_BUILDING if asked.estates else UNKNOWN_ESTATE
    if asked.address.part("street") and asked.address.part("group"):
        score *= NO_GROUP
    if subject.building and row.building == subject.building:
        kinds.append("building")
        method = "building"
    elif subject.building:
        score *= NO_BUILDING if row.building else UNNUMBERED_BUILDINGS
    return asked.candidate(row, score, method, kinds)


def _of_two(first: float, second: float) -> float:
    return float(first ** (1 - SECOND_NAME) * second**SECOND_NAME)


def along(row: Any, number: int) -> tuple[float, float, float] | None:
    """Where a number lies on a stretch of numbers, and the stretch's length; None: not on it.

    Numbers are spread evenly from the line's beginning to its end, by metres.
    """
    if row.parity != "both" and (number % 2 == 1) != (row.parity == "odd"):
        return None
    points = json.loads(row.line)["coordinates"]
    lengths = [distance_m(*a, *b) for a, b in pairwise(points)]
    span = row.number_to - row.number
    left = sum(lengths) * (0.5 if span == 0 else (number - row.number) / span)
    for (a, b), length in zip(pairwise(points), lengths, strict=True):
        if left <= length or b is points[-1]:
            share = min(1.0, left / length) if length else 0.0
            lon, lat = a[0] + (b[0] - a[0]) * share, a[1] + (b[1] - a[1]) * share
            return lon, lat, sum(lengths)
        left -= length
    return None


def _between(asked: Asked, rows: Sequence[Row[Any]], number: int) -> list[Candidate]:
    """A place between the nearest house numbers of the same side, below and above."""
    by_street: dict[tuple[str, str], list[Row[Any]]] = {}
    for row in rows:
        if (row.number - number) % 2 == 0:
            by_street.setdefault((row.street_key, row.area_code), []).append(row)
    out = []
    for (street, _), those in by_street.items():
        below = max((r for r in those if r.number < number), key=lambda r: r.number, default=None)
        above = min((r for r in those if r.number > number), key=lambda r: r.number, default=None)
        if below is None or above is None:
            continue
        apart = distance_m(below.lon, below.lat, above.lon, above.lat)
        if apart > FARTHEST_NEIGHBOURS_M:
            continue
        share = (number - below.number) / (above.number - below.number)
        at = asked.candidate(below, asked.streets[street] * BETWEEN, "interpolated", ("street",),
                             accuracy_m=max(30.0, apart / 2))  # fmt: skip
        out.append(
            replace(
                at,
                lon=below.lon + (above.lon - below.lon) * share,
                lat=below.lat + (above.lat - below.lat) * share,
                label=f"{below.label} - {above.label}",
            )
        )
    return out


def in_estates(asked: Asked, rows: Sequence[Row[Any]]) -> list[Candidate]:
    """Buildings of estates that were asked for, whatever the street says."""
    subject = asked.subject
    out = []
    for row in rows:
        if subject.building is None or row.building != subject.building:
            continue
        score, kinds = asked.estates[row.estate_key], ["estate", "building"]
        if subject.street_key and row.street_key:
            if row.street_key in asked.streets:
                kinds.append("street")
                score = _of_two(score, asked.streets[row.street_key])
            else:
                score *= OTHER_ESTATE
            if subject.number is not None and row.number == subject.number:
                kinds.append("number")
            elif subject.number is not None and row.number is not None:
                score *= OTHER_NUMBER
        out.append(asked.candidate(row, score, "building", kinds))
    return out


def by_name(asked: Asked, rows: Sequence[Row[Any]]) -> list[Candidate]:
    """Places by their name; streets and estates without the number or building that was asked."""
    subject = asked.subject
    out = []
    for row in rows:
        names = asked.streets if row.kind == "street" else asked.estates
        score = names.get(row.key, 0.0)
        if not score:
            continue
        is_same, accuracy_m = score == 1.0, 300.0
        if row.kind == "place":
            method = "place" if is_same else "trigram"
            score *= NO_BUILDING if subject.building else 1.0
            accuracy_m = row.radius_m or 60.0
        else:
            method = "street" if is_same else "trigram"
            is_asked = subject.number is not None or subject.building is not None
            score *= NO_NUMBER if is_asked else STREET_ALONE
        kind = "street" if row.kind == "street" else "estate"
        out.append(asked.candidate(row, score, method, (kind,), accuracy_m=accuracy_m))
    return out
