"""An address taken apart, and names and numbers in the form in which they are compared."""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

MAX_LENGTH: Final = 200
"""Characters of an address that are looked at: what is longer is no address alone."""

_DIGITS: Final = {c: n for n, c in enumerate("零一二三四五六七八九")} | {
    "〇": 0, "○": 0, "两": 2, "壹": 1, "贰": 2, "叁": 3, "肆": 4, "伍": 5, "陆": 6, "柒": 7,
    "捌": 8, "玖": 9,
}  # fmt: skip
_TENS: Final = {"十": 10, "拾": 10, "百": 100, "佰": 100, "千": 1000, "仟": 1000}
NUMERALS: Final = "".join((*_DIGITS, *_TENS))
DROPPED: Final = r"[\s,.;:!?'\"`´’‘“”()\[\]{}<>/\\|_*~·、，。；：！？（）【】《》-]+"
"""Signs and blanks that are not compared."""


@dataclass(frozen=True, slots=True)
class Part:
    """One thing that an address says.

    Attributes
    ----------
    kind
        ``division``, ``group``, ``street``, ``lane``, ``number``, ``estate``, ``building``,
        ``unit``, ``floor``, ``room``, ``place`` or ``postcode``.
    text
        As it was written, but for width.
    value
        As it is compared: a key of a name, a number in digits.
    tail
        Of a number: what follows it, such as ``之2``, ``甲`` or ``bis``, as it is compared.
    is_known
        Whether the gazetteer has the name as it is written.
    codes
        Of a division that is known: the units it can be, as codes.
    """

    kind: str
    text: str
    value: str
    tail: str = ""
    is_known: bool = False
    codes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Address:
    """An address taken apart.

    Attributes
    ----------
    text
        The whole, in half-width characters.
    parts
        What was understood, in the order of the text.
    rest
        What was not, in the same order: directions, names of people, slips.
    codes
        Codes of the finest units that all divisions agree upon; several where a name is not of one
        unit alone, none where no division is known.
    """

    text: str
    parts: tuple[Part, ...] = ()
    rest: tuple[str, ...] = ()
    codes: tuple[str, ...] = ()
    is_han: bool = True

    def part(self, kind: str) -> Part | None:
        """The last part of a kind; None where there is none."""
        return next((each for each in reversed(self.parts) if each.kind == kind), None)

    def value(self, kind: str) -> str | None:
        """Its value."""
        found = self.part(kind)
        return found.value if found else None

    @property
    def number(self) -> int | None:
        """The house number, without its tail."""
        value = self.value("number")
        return int(value) if value else None

    @property
    def divisions(self) -> tuple[Part, ...]:
        """The divisions, from the largest down."""
        return tuple(each for each in self.parts if each.kind == "division")


@dataclass(frozen=True)
class Lexicon:
    """Names that the gazetteer has.

    Attributes
    ----------
    divisions
        Name, with or without the word for what it is, to the codes of units it can be.
    names
        Key of a street, estate or place to what it is.
    """

    divisions: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    names: Mapping[str, str] = field(default_factory=dict)


NO_LEXICON: Final = Lexicon()


def half_width(text: str) -> str:
    """Without full-width letters, digits and signs, double blanks, and all beyond `MAX_LENGTH`."""
    plain = unicodedata.normalize("NFKC", text)
    # Control characters stand in no address, and PostgreSQL takes no NUL.
    plain = "".join(" " if unicodedata.category(c).startswith("C") else c for c in plain)
    return re.sub(r"\s+", " ", plain).strip()[:MAX_LENGTH]


def is_han(text: str) -> bool:
    """Whether a text is written in Chinese characters."""
    return any("\u4e00" <= c <= "\u9fff" for c in text)


def key(name: str) -> str:
    """A Chinese name as it is compared: lower case, without blanks and signs."""
    return re.sub(DROPPED, "", half_width(name)).lower()


def number_of(text: str) -> int | None:
    """The number that Chinese numerals or digits make; None when they make none.

    ``二十一`` is 21, ``一〇五`` 105, ``百二`` nothing that we would guess at.
    """
    if text.isascii():
        return int(text) if text.isdigit() else None
    if any(c in _TENS for c in text):
        return _counted(text)
    if all(c in _DIGITS for c in text):
        return int("".join(str(_DIGITS[c]) for c in text))
    return None


def _counted(text: str) -> int | None:
    total, digit, last = 0, None, 10_000
    for c in text:
        if c in _TENS:
            ten = _TENS[c]
            if ten >= last or (digit is None and not (ten == 10 and total == 0)):
                return None
            total += (1 if digit is None else digit) * ten
            digit, last = None, ten
        elif c not in _DIGITS or (digit not in (None, 0)):
            return None
        else:
            digit = _DIGITS[c]
    return total + (digit or 0)


def agreed(divisions: Iterable[Part]) -> tuple[str, ...]:
    """The finest codes that divisions agree upon, each within one of the division before it.

    A division that none of the codes so far holds is passed over: it is written wrongly, or is the
    name of something else.
    """
    found: tuple[str, ...] = ()
    for each in divisions:
        if not found:
            found = each.codes
            continue
        inside = tuple(c for c in each.codes if any(c.startswith(above) for above in found))
        found = inside or found
    return tuple(sorted(found))
