"""Addresses in Latin letters: number and street in either order, directions, kinds of street, flat.

The short forms are those that mail is addressed with in English and French.
"""

from __future__ import annotations

import re
import unicodedata
from typing import Final

from grids.addresses.parts import Address, Lexicon, Part, agreed

DIRECTIONS: Final = {
    "n": "north", "s": "south", "e": "east", "w": "west", "ne": "northeast", "nw": "northwest",
    "se": "southeast", "sw": "southwest",
}  # fmt: skip
TYPES: Final = {
    "st": "street", "str": "street", "ave": "avenue", "av": "avenue", "aven": "avenue",
    "blvd": "boulevard", "bd": "boulevard", "bld": "boulevard", "boul": "boulevard",
    "bvd": "boulevard", "rd": "road", "dr": "drive", "ln": "lane", "ct": "court", "pl": "place",
    "sq": "square", "ter": "terrace", "terr": "terrace", "hwy": "highway", "pkwy": "parkway",
    "aly": "alley", "al": "alley", "cir": "circle", "plz": "plaza", "imp": "impasse",
    "che": "chemin", "esc": "escalier", "all": "allee", "qu": "quai", "r": "rue",
    "rte": "route", "pass": "passage", "prom": "promenade", "sta": "santa",
}  # fmt: skip
STREET_WORDS: Final = frozenset(TYPES.values()) | {
    "way", "rue", "row", "mews", "walk", "pier", "embarcadero", "descente", "ruelle", "sentier",
}  # fmt: skip
# Of these a name may begin with the short form, as French ones do.
FIRST: Final = frozenset(
    {"ave", "av", "bd", "bld", "blvd", "boul", "bvd", "r", "imp", "che", "esc", "all", "qu", "rte",
     "pl", "sq", "prom", "pass"}
)  # fmt: skip
FLATS: Final = {
    "apt": "room", "apartment": "room", "unit": "room", "suite": "room", "ste": "room",
    "room": "room", "rm": "room", "appt": "room", "flat": "room", "floor": "floor",
    "fl": "floor", "etage": "floor", "bldg": "building", "building": "building",
    "batiment": "building", "bat": "building",
}  # fmt: skip
_NUMBER: Final = re.compile(
    r"(\d{1,6})(?:\s*-\s*\d{1,6})?([a-z]|\s?(?:bis|ter|quater|1/2))?(?![a-z0-9])"
)
_ORDINAL: Final = re.compile(r"\d+(?:st|nd|rd|th|e|er|eme)")
_FLAT: Final = re.compile(
    rf"(?:\b({'|'.join(sorted(FLATS, key=len, reverse=True))})"
    r"\.?\s*#?\s*([a-z]?\d{1,5}[a-z]?|[a-z])\b"
    r"|#\s*([a-z]?\d{1,5}[a-z]?))"
)  # fmt: skip
# Between the streets of a crossing: Main Street & Second Avenue.
JOINING: Final = re.compile(r"\s*(?:[&/@]|\b(?:and|at|et)\b)\s*")
_POSTCODE: Final = re.compile(r"\b(\d{5})(?:-\d{4})?$")


def folded(text: str) -> str:
    """Lower case without accents: ``Café`` and ``cafe`` alike."""
    plain = unicodedata.normalize("NFKD", text)
    return "".join(c for c in plain if not unicodedata.combining(c)).lower()


def street_key(name: str) -> str:
    """A street's name as it is compared: short forms written out, accents and signs left out.

    ``N. Main St`` and ``North Main Street`` are alike; ``St`` is a saint where a name follows.
    """
    words = re.findall(r"[a-z0-9]+", folded(name).replace("'", " ").replace("’", " "))
    out = []
    for place, word in enumerate(words):
        is_last = place == len(words) - 1 or all(w in DIRECTIONS for w in words[place + 1 :])
        if word in {"st", "ste"} and not is_last:
            out.append("saint" if word == "st" else "sainte")
        elif word in TYPES and len(words) > 1 and (is_last or (place == 0 and word in FIRST)):
            out.append(TYPES[word])
        elif word == "dr" and not is_last:
            out.append("doctor")
        elif word in DIRECTIONS and (place == 0 or is_last) and len(words) > 1:
            out.append(DIRECTIONS[word])
        else:
            out.append(word)
    return " ".join(out)


def parse(text: str, lexicon: Lexicon) -> Address:
    """Take an address in Latin letters apart; what stands behind the street is the rest."""
    parts: list[Part] = []
    rest: list[str] = []
    plain = folded(text)
    flat = _FLAT.search(plain)
    if flat and flat.start() > 0:
        kind = FLATS[flat[1]] if flat[1] else "room"
        shown = text[flat.start() : flat.end()] if len(plain) == len(text) else flat[0]
        parts.append(Part(kind, shown.strip(), flat[2] or flat[3]))
        plain = f"{plain[: flat.start()]},{plain[flat.end() :]}"
    pieces = [piece for each in re.split(r"[,;]", plain) if (piece := each.strip(" ."))]
    street_seen = False
    for place, piece in enumerate(pieces):
        found = [] if street_seen else _street(piece, is_first=place == 0, lexicon=lexicon)
        if found:
            parts += found
            street_seen = any(each.kind == "street" for each in found)
        else:
            rest += _behind(piece, lexicon, parts)
    order = ("division", "number", "street", "building", "floor", "room", "postcode", "place")
    parts.sort(key=lambda each: order.index(each.kind))
    codes = agreed(each for each in parts if each.kind == "division")
    return Address(text, tuple(parts), tuple(rest), codes, is_han=False)


def _street(piece: str, *, is_first: bool, lexicon: Lexicon) -> list[Part]:
    """House number and street of a piece, the number on either side; a known name alone."""
    number = _NUMBER.match(piece)
    if number and not _ORDINAL.match(piece):
        name = piece[number.end() :].strip(" .")
        if re.search("[a-z]", name):
            return [_numbered(number), _named(name, lexicon)]
        if not name and is_first:
            return [_numbered(number)]
    if tail := re.search(r"[\s](\d{1,6})\s?([a-z]|bis|ter)?$", piece):
        name = piece[: tail.start()].strip(" .")
        if re.search("[a-z]", name) and len(tail[1]) < 5:
            return [_numbered(tail), _named(name, lexicon)]
    alone = _named(piece, lexicon)
    halves = [_named(half, lexicon) for half in JOINING.split(piece.removeprefix("corner of "))
              if half]  # fmt: skip
    if (
        len(halves) == 2
        and not alone.is_known
        and all(each.is_known or set(each.value.split()) & STREET_WORDS for each in halves)
    ):
        return halves
    words = set(alone.value.split())
    return [alone] if alone.is_known or (is_first and words & STREET_WORDS) else []


def _numbered(found: re.Match[str]) -> Part:
    return Part("number", found[0].strip(), str(int(found[1])), tail=(found[2] or "").strip())


def _named(name: str, lexicon: Lexicon) -> Part:
    value = street_key(name)
    return Part(lexicon.names.get(value, "street"), name, value, is_known=value in lexicon.names)


def _behind(piece: str, lexicon: Lexicon, parts: list[Part]) -> list[str]:
    """Town, state and postcode: divisions where they are known."""
    if code := _POSTCODE.search(piece):
        parts.append(Part("postcode", code[0], code[1]))
        piece = piece[: code.start()].strip()
    codes = lexicon.divisions.get(piece, ())
    if codes:
        parts.append(Part("division", piece, piece, is_known=True, codes=codes))
        return []
    return [piece] if piece else []
