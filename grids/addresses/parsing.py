"""From a text to an address taken apart: Chinese and Latin, with or without a gazetteer.

Pure: the names that are known come in as a `Lexicon`. Without any, units are told by the words that
end their names (县, 镇, 村) and have no codes.
"""

from __future__ import annotations

import re
from typing import Final

from grids.addresses import han, latin
from grids.addresses.parts import DROPPED, NO_LEXICON, Address, Lexicon, half_width, is_han, key

SHORTEST_NAME: Final = 2
UNIT_WORDS: Final = tuple(sorted({*han.DIVISIONS, *han.OFFICES}, key=lambda w: (-len(w), w)))
"""What ends names of units; migration 0005 has the same list."""
_BEFORE_FIGURE: Final = re.compile(r"- ?(?=\d)")
_BETWEEN_FIGURES: Final = re.compile(rf"(?<=\d){DROPPED}(?=\d)")
_STEM: Final = re.compile(f"(?:{'|'.join(UNIT_WORDS)})$")


def parse(text: str, lexicon: Lexicon = NO_LEXICON) -> Address:
    """Take an address apart.

    Parameters
    ----------
    text
        As somebody wrote it. Full-width characters are taken as half-width; beyond 200
        characters nothing is looked at. Empty gives an address without parts.
    lexicon
        Names that are known; they go before the grammar.

    Returns
    -------
    What was understood, part by part, and the rest. Nothing is an error: what no rule knows is
    the rest.
    """
    plain = half_width(text)
    if is_han(plain):
        return han.parse(plain, lexicon)
    return latin.parse(plain, lexicon)


def name_key(name: str) -> str:
    """A name as it is compared, whichever its letters; '' for one of signs alone."""
    plain = half_width(name)
    return key(plain) if is_han(plain) else latin.street_key(plain)


def whole_key(text: str) -> str:
    """A whole address as it is compared: what a person's choice is remembered by.

    Signs and blanks are left out as far as the figures stay: 人民路12-3号, 人民路12、3号 and
    人民路123号 are three addresses, as are 人民路-5号 and 人民路5号.
    """
    plain = half_width(text)
    if is_han(plain):
        marked = _BEFORE_FIGURE.sub("\x01", plain)
        marked = _BETWEEN_FIGURES.sub("\x02", marked)
        return re.sub(DROPPED, "", marked).lower().replace("\x01", "-").replace("\x02", " ")
    words = re.findall(r"(?:- ?(?=\d))?[^\W_]+", latin.folded(plain))
    return " ".join(words).replace("- ", "-").replace(" -", "-")


def is_told_by_signs(text: str) -> bool:
    """Whether signs or blanks between figures tell a text from another."""
    return bool(_BEFORE_FIGURE.search(text) or _BETWEEN_FIGURES.search(text))


def short_forms(name: str) -> list[str]:
    """What a unit is called besides its name: without the word for what it is; banners in short.

    ``锡林郭勒盟`` is 锡林郭勒, ``土默特左旗`` 土左旗, ``科尔沁左翼后旗`` 科左后旗. Names of one
    character are never cut.
    """
    forms = []
    for side in han.SIDES:
        if name.endswith(side) and len(name) > len(side) + 1:
            middle = "左" if "左翼" in name else "右" if "右翼" in name else ""
            forms += [name[0] + middle + side, name[0] + side]
    for office, unit in han.OFFICES.items():
        if name.endswith(office) and len(name) > len(office):
            forms.append(name.removesuffix(office) + unit)
            name_of_unit = forms[-1]
            break
    else:
        name_of_unit = name
    word = han.division_word(name_of_unit)
    short = name_of_unit.removesuffix(word)
    # 人民路 of 人民路街道 is the street, and not the unit, to whoever says it.
    if word and len(short) >= SHORTEST_NAME and not short.endswith(han.STREETS):
        forms.append(short)
    for nation in ("壮族", "回族", "维吾尔"):
        if name.endswith(f"{nation}自治区"):
            forms.append(name.removesuffix(f"{nation}自治区"))
    return list(dict.fromkeys(form for form in forms if form != name))


def unit_stem(name: str) -> str:
    """A unit's name without the words for what it is, as ``wangge_unit_stem`` makes it in SQL."""
    return _STEM.sub("", name)


def lexicon_of(units: list[tuple[str, str]], names: dict[str, str] | None = None) -> Lexicon:
    """A lexicon of units (code, name) with their short forms, and of keys of other names."""
    divisions: dict[str, set[str]] = {}
    for code, name in units:
        for form in (name, *short_forms(name)):
            divisions.setdefault(form, set()).add(code)
    return Lexicon({form: tuple(sorted(codes)) for form, codes in divisions.items()}, names or {})
