"""From a text to places: structure first, then likeness of names; never surer than it may be."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Final

from gis.errors import BadInput
from grids.addresses import crossings, han, latin, matching, rounds
from grids.addresses.candidates import NEAR_M, Candidate, likeness, ranked
from grids.addresses.matching import LEAST_LIKE, STREET_ALONE, Asked
from grids.addresses.parsing import (
    is_told_by_signs,
    lexicon_of,
    name_key,
    parse,
    unit_stem,
    whole_key,
)
from grids.addresses.parts import Address, Lexicon, half_width, is_han, key
from grids.addresses.rounds import Query
from grids.addresses.subjects import Subject, subject_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sqlalchemy.orm import Session

    from grids.addresses.rounds import Steps

LIMIT: Final = 5
DIVISION_ALONE: Final = 0.4
LONGEST_KEY: Final = 100
LEAST_CHARACTERS: Final = 2
MOST_UNITS: Final = 20


def understand(session: Session, text: str) -> Address:
    """An address taken apart by the names that the gazetteer has of it.

    Empty text has no parts.
    """
    return rounds.one(session, _understood(text))


def understand_many(session: Session, texts: Sequence[str]) -> list[Address]:
    """The same of many texts, in a few rounds of queries for all of them."""
    return rounds.many(session, [_understood(each) for each in texts])


def _understood(text: str) -> Steps[Address]:
    return parse(text, (yield from _lexicon(text)))


def search(
    session: Session,
    text: str,
    near: tuple[float, float] | None = None,
    limit: int = LIMIT,
    *,
    within_m: float = NEAR_M,
) -> list[Candidate]:
    """Places that a text may mean, the likeliest first.

    Parameters
    ----------
    text
        An address as somebody wrote it; the first 200 characters count.
    near
        Longitude and latitude (WGS 84, degrees) of somewhere close to it, where that is known.
    limit
        Candidates at the most.
    within_m
        How far from ``near`` it may be, metres: the radius in which a reporter's position and the
        place of the matter may differ, with the accuracy of the position in it.

    Returns
    -------
    Candidates within what the session sees, each with its score, method, what agreed and what was
    not used. The first is marked confident only where a person said so, or the number, building or
    place that was written is there, the next candidate stays well behind and the place lies no
    farther from ``near`` than it may; else a person should choose (`review.enqueue`).
    Nothing found, or an empty text: an empty list.

    Raises
    ------
    BadInput
        ``limit`` is less than 1, or ``within_m`` is no positive number of metres.
    """
    if limit < 1:
        raise BadInput("limit is less than 1", "Ask for at least one candidate.")
    address = understand(session, text)
    return found(session, address, near=near, limit=limit, within_m=within_m)


def found(
    session: Session,
    address: Address,
    *,
    near: tuple[float, float] | None = None,
    limit: int = LIMIT,
    within_m: float = NEAR_M,
) -> list[Candidate]:
    """The same of an address that was taken apart already."""
    if not (within_m > 0 and math.isfinite(within_m)):
        raise BadInput(
            f"within_m is {within_m}, which is no distance",
            "Say how many metres from `near` the place may be, such as 500.",
        )
    rows = rounds.one(session, _candidates(address))
    return ranked(rows, near=near, limit=limit, within_m=within_m)


def found_many(
    session: Session, addresses: Sequence[Address], *, limit: int = LIMIT
) -> list[list[Candidate]]:
    """The same of many addresses, in a few rounds of queries for all of them."""
    found = rounds.many(session, [_candidates(each) for each in addresses])
    return [ranked(each, near=None, limit=limit) for each in found]


def _candidates(address: Address) -> Steps[list[Candidate]]:
    whole = whole_key(address.text)
    if not whole:
        return []
    return (
        (yield from _remembered(whole))
        or (yield from crossings.find(address))
        or (yield from _of_subject(address))
        or (yield from _of_rest(address))
        or (yield from _of_divisions(address))
    )


def _lexicon(text: str) -> Steps[Lexicon]:
    """Names of the gazetteer that stand in a text: units, streets, estates, places."""
    plain = half_width(text)
    if not is_han(plain):
        pieces = plain.replace(";", ",").split(",")
        pieces += [half for each in pieces for half in latin.JOINING.split(latin.folded(each))]
        keys = {name_key(each.strip(" .")) for each in pieces} - {""}
        kinds = {row.key: row.kind for row in (yield Query("names", (tuple(sorted(keys)),)))}
        return Lexicon(names=kinds)
    words = {
        plain[first:last]
        for first in range(len(plain))
        for last in range(first + LEAST_CHARACTERS, first + han.LONGEST_NAME + 1)
        if last <= len(plain)
    }
    keys = {key(word) for word in words} - {""}
    said = keys | ({whole_key(word) for word in words} - {""} if is_told_by_signs(plain) else set())
    stems = {unit_stem(word) for word in words} - {""}
    rows = list((yield Query("units_named", (tuple(sorted(stems)), tuple(sorted(said))))))
    if patterns := _patterns(words):
        rows += yield Query("banners_like", (tuple(patterns),))
    names: dict[str, str] = {}
    for row in (yield Query("names", (tuple(sorted(keys)),))):
        if row.kind == "street" or row.key not in names:
            names[row.key] = row.kind
    return lexicon_of([(row.code, row.name) for row in rows], names)


def _patterns(words: set[str]) -> list[str]:
    """Of LIKE, for banners in short: 土左旗 is 土%左旗."""
    sides = {side: side for side in han.SIDES}
    return sorted(
        {f"{word[0]}%{word[-2:]}" for word in words if word[-2:] in sides and 3 <= len(word) <= 5}
    )


def _remembered(whole: str) -> Steps[list[Candidate]]:
    return [
        Candidate(
            label=row.label, lon=row.lon, lat=row.lat, score=1.0, method="exact",
            matched=("alias",), area_code=row.area_code,
        )
        for row in (yield Query("aliases", (whole,)))
    ]  # fmt: skip


def _of_subject(address: Address) -> Steps[list[Candidate]]:
    subject = subject_of(address)
    asked = yield from _asked(address, subject, subject.street_key, subject.estate_key)
    if not asked.streets and not asked.estates:
        # What was taken for one may be the other.
        asked = yield from _asked(address, subject, subject.estate_key, subject.street_key)
    out: list[Candidate] = []
    if asked.streets:
        rows = yield Query("on_streets", (tuple(sorted(asked.streets)), subject.number))
        out += matching.at_numbers(asked, rows)
    if asked.estates:
        rows = yield Query("in_estates", (tuple(sorted(asked.estates)), subject.building))
        out += matching.in_estates(asked, rows)
    names = yield Query("names", (tuple(sorted({*asked.streets, *asked.estates})),))
    return out + matching.by_name(asked, names)


def _asked(
    address: Address, subject: Subject, street: str | None, estate: str | None
) -> Steps[Asked]:
    streets = yield from _names(street, ("street",))
    estates = yield from _names(estate, ("estate", "place"))
    return Asked(address, subject, streets, estates)


def _names(wanted: str | None, kinds: tuple[str, ...]) -> Steps[dict[str, float]]:
    """Keys that a name may be, with their likeness; the name itself alone where it is there."""
    if not wanted or not LEAST_CHARACTERS <= len(wanted) <= LONGEST_KEY:
        return {}
    there = yield Query("names", ((wanted,),))
    if any(row.kind in kinds for row in there):
        return {wanted: 1.0}
    likely = {each: likeness(wanted, each) for each in (yield Query("like_keys", (wanted, kinds)))}
    return {each: share for each, share in likely.items() if share >= LEAST_LIKE}


def _of_rest(address: Address) -> Steps[list[Candidate]]:
    """Names like what no rule understood."""
    out = []
    for words in sorted(address.rest, key=len, reverse=True)[:2]:
        likely = yield from _names(name_key(words), ("street", "estate", "place"))
        asked = Asked(address, Subject())
        for row in (yield Query("names", (tuple(sorted(likely)),))):
            score = likely[row.key] * STREET_ALONE
            out.append(asked.candidate(row, score, "trigram", (), accuracy_m=300.0))
    return out


def _of_divisions(address: Address) -> Steps[list[Candidate]]:
    """The units alone: better than nothing to whoever has to ask back."""
    asked = Asked(address, Subject())
    return [
        asked.candidate(row, DIVISION_ALONE, "division", (), accuracy_m=row.reach_m)
        for row in (yield Query("units", (tuple(address.codes[:MOST_UNITS]),)))
    ]
