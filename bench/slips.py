"""Typing errors, made by a seeded generator: one in an address, in any of its parts."""

from __future__ import annotations

import random
import re
from typing import TYPE_CHECKING, Final

from grids.addresses import latin

if TYPE_CHECKING:
    from collections.abc import Callable

# Neighbours on the keyboard.
_ROWS: Final = ("qwertyuiop", "asdfghjkl", "zxcvbnm")
_NEXT: Final = {
    c: "".join(row[max(0, i - 1) : i] + row[i + 1 : i + 2])
    for row in _ROWS
    for i, c in enumerate(row)
}
_HAN: Final = "东西南北中大小新民和平安兴建设光明华文路街巷图格标高"
_DIVISION: Final = re.compile(r"示范旗|示范街道|..镇|..苏木|..嘎查")
_SUFFIX: Final = re.compile(r"(?<=.)(?:大街|街|路|巷|号|组|村|小区|栋|单元|嘎查)")


def _beside(c: str, rng: random.Random) -> str:
    if c.isdigit():
        return rng.choice([d for d in "0123456789" if d != c])
    if c.isascii():
        return rng.choice(_NEXT.get(c.lower(), "e") or "e")
    return rng.choice([h for h in _HAN if h != c])


def wrong(text: str, rng: random.Random) -> str:
    """A character struck beside, or heard wrongly."""
    at = rng.choice([i for i, c in enumerate(text) if c.isalnum()])
    return text[:at] + _beside(text[at], rng) + text[at + 1 :]


def missing(text: str, rng: random.Random) -> str:
    """A character left out."""
    at = rng.choice([i for i, c in enumerate(text) if c.isalnum()])
    return text[:at] + text[at + 1 :]


def twice(text: str, rng: random.Random) -> str:
    """A character doubled."""
    at = rng.choice([i for i, c in enumerate(text) if c.isalnum()])
    return text[:at] + text[at] + text[at:]


def exchanged(text: str, rng: random.Random) -> str:
    """Two neighbours of a name exchanged."""
    pairs = [i for i in range(len(text) - 1)
             if text[i].isalpha() and text[i + 1].isalpha() and text[i] != text[i + 1]]  # fmt: skip
    if not pairs:
        return text
    at = rng.choice(pairs)
    return text[:at] + text[at + 1] + text[at] + text[at + 2 :]


def figures(text: str, rng: random.Random) -> str:
    """Two figures of a number exchanged."""
    pairs = [i for i in range(len(text) - 1)
             if text[i].isdigit() and text[i + 1].isdigit() and text[i] != text[i + 1]]  # fmt: skip
    if not pairs:
        return text
    at = rng.choice(pairs)
    return text[:at] + text[at + 1] + text[at] + text[at + 2 :]


def division(text: str, rng: random.Random) -> str:
    """One of the divisions left out."""
    found = list(_DIVISION.finditer(text))
    if not found:
        return text
    one = rng.choice(found)
    return text[: one.start()] + text[one.end() :]


def suffix(text: str, rng: random.Random) -> str:
    """The word for what something is left out: of a street, a number, a building."""
    found = list(_SUFFIX.finditer(text))
    if found:
        one = rng.choice(found)
        return text[: one.start()] + text[one.end() :]
    words = text.split(" ")
    at = [i for i, w in enumerate(words) if latin.folded(w) in latin.STREET_WORDS]
    if not at:
        return text
    del words[rng.choice(at)]
    return " ".join(words)


def of_number(number: int) -> dict[str, set[str]]:
    """What each slip of one figure makes of a number, by what happened to the figure."""
    text = str(number)
    pairs = range(len(text) - 1)
    return {
        "wrong": {text[:i] + d + text[i + 1 :] for i in range(len(text)) for d in "0123456789"}
        - {text},
        "missing": {text[:i] + text[i + 1 :] for i in range(len(text))},
        "added": {text[:i] + d + text[i:] for i in range(len(text) + 1) for d in "0123456789"},
        "doubled": {text[:i] + text[i] + text[i:] for i in range(len(text))},
        "exchanged": {text[:i] + text[i + 1] + text[i] + text[i + 2 :] for i in pairs} - {text},
    }


KINDS: Final[dict[str, Callable[[str, random.Random], str]]] = {
    "a character wrong": wrong,
    "a character missing": missing,
    "a character doubled": twice,
    "neighbours exchanged": exchanged,
    "figures exchanged": figures,
    "a division left out": division,
    "a suffix left out": suffix,
}


def any_slip(text: str, rng: random.Random) -> tuple[str, str]:
    """The kind of a slip, each as likely as the others that the text allows, and what it makes."""
    for kind in rng.sample(sorted(KINDS), len(KINDS)):
        made = KINDS[kind](text, rng)
        if made not in (text, ""):
            return kind, made
    return "none", text
