"""From a text to places: structure first, then likeness of names; never surer than it may be."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from gis.errors import BadInput
from grids.addresses import crossings, han, latin, matching, repository
from grids.addresses.candidates import Candidate, likeness, ranked
from grids.addresses.matching import LEAST_LIKE, STREET_ALONE, Asked
from grids.addresses.parsing import lexicon_of, name_key, parse, unit_stem, whole_key
from grids.addresses.parts import Address, Lexicon, half_width, is_han, key
from grids.addresses.subjects import Subject, subject_of

if TYPE_CHECKING:
    from sqlalchemy.orm import Session

LIMIT: Final = 5
DIVISION_ALONE: Final = 0.4
LONGEST_KEY: Final = 100
LEAST_CHARACTERS: Final = 2
MOST_UNITS: Final = 20


def understand(session: Session, text: str) -> Address:
    """An address taken apart by the names that the gazetteer has of it.

    Empty text has no parts.
    """
    return parse(text, lexicon(session, text))


def search(
    session: Session, text: str, near: tuple[float, float] | None = None, limit: int = LIMIT
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

    Returns
    -------
    Candidates within what the session sees, each with its score, method, what agreed and what was
    not used. The first is marked confident only where a person said so, or the number, building or
    place that was written is there and the next candidate stays well behind; else a person should
    choose (`review.enqueue`). Nothing found, or an empty text: an empty list.

    Raises
    ------
    BadInput
        ``limit`` is less than 1.
    """
    if limit < 1:
        raise BadInput("limit is less than 1", "Ask for at least one candidate.")
    return found(session, understand(session, text), near=near, limit=limit)


def found(
    session: Session,
    address: Address,
    *,
    near: tuple[float, float] | None = None,
    limit: int = LIMIT,
) -> list[Candidate]:
    """The same of an address that was taken apart already."""
    whole = whole_key(address.text)
    if not whole:
        return []
    candidates = (
        _remembered(session, whole)
        or crossings.find(session, address)
        or _of_subject(session, address)
        or _of_rest(session, address)
        or _of_divisions(session, address)
    )
    return ranked(candidates, near=near, limit=limit)


def lexicon(session: Session, text: str) -> Lexicon:
    """Names of the gazetteer that stand in a text: units, streets, estates, places."""
    plain = half_width(text)
    if not is_han(plain):
        pieces = plain.replace(";", ",").split(",")
        pieces += [half for each in pieces for half in latin.JOINING.split(latin.folded(each))]
        keys = {name_key(each.strip(" .")) for each in pieces} - {""}
        kinds = {row.key: row.kind for row in repository.names(session, sorted(keys))}
        return Lexicon(names=kinds)
    words = {
        plain[first:last]
        for first in range(len(plain))
        for last in range(first + LEAST_CHARACTERS, first + han.LONGEST_NAME + 1)
        if last <= len(plain)
    }
    keys = {key(word) for word in words} - {""}
    stems = {unit_stem(word) for word in words} - {""}
    rows = list(repository.units_named(session, sorted(stems), sorted(keys)))
    if patterns := _patterns(words):
        rows += repository.banners_like(session, patterns)
    names: dict[str, str] = {}
    for row in repository.names(session, sorted(keys)):
        if row.kind == "street" or row.key not in names:
            names[row.key] = row.kind
    return lexicon_of([(row.code, row.name) for row in rows], names)


def _patterns(words: set[str]) -> list[str]:
    """Of LIKE, for banners in short: 土左旗 is 土%左旗."""
    sides = {side: side for side in han.SIDES}
    return sorted(
        {f"{word[0]}%{word[-2:]}" for word in words if word[-2:] in sides and 3 <= len(word) <= 5}
    )


def _remembered(session: Session, whole: str) -> list[Candidate]:
    return [
        Candidate(
            label=row.label, lon=row.lon, lat=row.lat, score=1.0, method="exact",
            matched=("alias",), area_code=row.area_code,
        )
        for row in repository.aliases(session, whole)
    ]  # fmt: skip


def _of_subject(session: Session, address: Address) -> list[Candidate]:
    subject = subject_of(address)
    asked = _asked(session, address, subject, subject.street_key, subject.estate_key)
    if not asked.streets and not asked.estates:
        # What was taken for one may be the other.
        asked = _asked(session, address, subject, subject.estate_key, subject.street_key)
    out: list[Candidate] = []
    if asked.streets:
        rows = repository.on_streets(session, sorted(asked.streets), subject.number)
        out += matching.at_numbers(asked, rows)
    if asked.estates:
        rows = repository.in_estates(session, sorted(asked.estates), subject.building)
        out += matching.in_estates(asked, rows)
    names = repository.names(session, sorted({*asked.streets, *asked.estates}))
    return out + matching.by_name(asked, names)


def _asked(
    session: Session, address: Address, subject: Subject, street: str | None, estate: str | None
) -> Asked:
    return Asked(
        address,
        subject,
        _names(session, street, ("street",)),
        _names(session, estate, ("estate", "place")),
    )


def _names(session: Session, wanted: str | None, kinds: tuple[str, ...]) -> dict[str, float]:
    """Keys that a name may be, with their likeness; the name itself alone where it is there."""
    if not wanted or not LEAST_CHARACTERS <= len(wanted) <= LONGEST_KEY:
        return {}
    if any(row.kind in kinds for row in repository.names(session, [wanted])):
        return {wanted: 1.0}
    likely = {each: likeness(wanted, each) for each in repository.like_keys(session, wanted, kinds)}
    return {each: share for each, share in likely.items() if share >= LEAST_LIKE}


def _of_rest(session: Session, address: Address) -> list[Candidate]:
    """Names like what no rule understood."""
    out = []
    for words in sorted(address.rest, key=len, reverse=True)[:2]:
        likely = _names(session, name_key(words), ("street", "estate", "place"))
        asked = Asked(address, Subject())
        for row in repository.names(session, sorted(likely)):
            score = likely[row.key] * STREET_ALONE
            out.append(asked.candidate(row, score, "trigram", (), accuracy_m=300.0))
    return out


def _of_divisions(session: Session, address: Address) -> list[Candidate]:
    """The units alone: better than nothing to whoever has to ask back."""
    asked = Asked(address, Subject())
    return [
        asked.candidate(row, DIVISION_ALONE, "division", (), accuracy_m=row.reach_m)
        for row in repository.units(session, address.codes[:MOST_UNITS])
    ]
