"""Codes of administrative units: cut, completed, told from levels, or refused.

A code has 2, 4, 6, 9 or 12 digits, from province to village; spreadsheets drop the zero at its
beginning and shorten it to ``1.5E+11``, tables pad it with zeros or leave the parent's part out.
"""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING, Any, Final

from data.importers import values
from gis.wording import counted

if TYPE_CHECKING:
    import pandas as pd

    from data.importers.work import Work

LEVELS: Final = (2, 4, 6, 9, 12)
_BELOW: Final = dict(pairwise(LEVELS))
LEVEL_WORDS: Final = {
    "province": 2, "省": 2, "省级": 2, "自治区": 2, "直辖市": 2,
    "prefecture": 4, "city": 4, "league": 4, "市": 4, "盟": 4, "地级": 4, "市级": 4, "地级市": 4,
    "county": 6, "banner": 6, "district": 6, "县": 6, "旗": 6, "区": 6, "县级": 6, "区县": 6,
    "township": 9, "town": 9, "sumu": 9, "street": 9, "乡": 9, "镇": 9, "街道": 9, "苏木": 9,
    "乡级": 9, "乡镇": 9,
    "village": 12, "community": 12, "村": 12, "社区": 12, "嘎查": 12, "村级": 12,
}  # fmt: skip
_REMEDY_TEXT: Final = "Format the column as text before typing or pasting codes, and export again."


def trimmed(code: str) -> str:
    """A code without the zeros that pad it to 6, 9 or 12 digits: ``150100`` is ``1501``.

    No unit of any level has the number 00 or 000, so nothing is lost.
    """
    for level in LEVELS:
        if len(code) in (6, 9, 12) and level < len(code) and set(code[level:]) == {"0"}:
            return code[:level]
    return code


def own_codes(work: Work) -> list[str | None]:
    """The code of each row: its own column, else that of the lowest level it names."""
    columns = [work.column("code")] if work.has("code") else []
    columns += [
        work.column(f"code_{level}") for level in reversed(LEVELS) if work.has(f"code_{level}")
    ]
    parents = work.column("parent").tolist()
    levels = work.column("level").tolist()
    given = list(zip(*(column.tolist() for column in columns), strict=True))
    completed: list[int] = []
    padded: list[int] = []
    shortened: list[int] = []
    bad: list[tuple[int, str, str]] = []
    out: list[str | None] = []
    for position, row in enumerate(work.rows):
        value = next((v for v in given[position] if values.text_of(v)), None)
        raw, why = values.code(value)
        if raw is None:
            bad.append((row, why or "there is no code", _REMEDY_TEXT if why else "Give it one."))
            out.append(None)
            continue
        parent = work.options.parent or _trimmed_or_none(parents[position])
        code, problem = _completed(raw, parent, work.options.county, _level(levels[position]))
        if problem is not None:
            bad.append((row, *problem))
            code = None
        elif code != raw and len(code or "") < len(raw):
            shortened.append(row)
        elif code != raw:
            (completed if work.options.parent else padded).append(row)
        out.append(code)
    field = work.field("code")
    if bad:
        for row, why, remedy in bad:
            work.report.reject([row], why, remedy, field=field, group="the code is wrong")
    if completed:
        work.report.add(
            "repaired",
            f"short codes were completed to children of {work.options.parent}",
            rows=completed, field=field,
        )  # fmt: skip
    if padded:
        work.report.add(
            "repaired", "a lost leading zero was put back into the code", rows=padded, field=field
        )
    if shortened:
        work.report.add(
            "repaired", "zeros that pad the code were cut off", rows=shortened, field=field
        )
    return out


def check_level(work: Work, frame: pd.DataFrame) -> None:
    """Reject rows whose level column says something else than the length of their code."""
    if not work.has("level"):
        return
    bad: list[tuple[int, str]] = []
    for (row, value), have, code in zip(
        work.column("level").items(), frame["level"], frame["code"], strict=True
    ):
        text = values.text_of(value)
        said = _level(value)
        if text is None or code is None:
            continue
        if said is None:
            bad.append((row, f"the level {text!r} is not known"))
        elif said != have:
            bad.append((row, f"the level is {text}, but the code {code} has {have} digits"))
    work.report.reject_each(
        bad, "Levels are 2, 4, 6, 9, 12, the number of digits of the code.",
        field=work.field("level"), group="the level does not fit the code",
    )  # fmt: skip


def _trimmed_or_none(value: Any) -> str | None:
    text, _ = values.code(value)
    return None if text is None or set(text) == {"0"} else trimmed(text)


def _level(value: Any) -> int | None:
    text = values.text_of(value)
    if text is None:
        return None
    return int(text) if text in map(str, LEVELS) else LEVEL_WORDS.get(text.lower())


def _completed(
    raw: str, parent: str | None, county: str | None, level: int | None
) -> tuple[str, None] | tuple[None, tuple[str, str]]:
    """The full code, or the reason and remedy for having none."""
    if parent is not None:
        return _under(raw, parent)
    code = trimmed(raw)
    if len(code) in LEVELS:
        return code, None
    padded = f"0{raw}"
    if len(padded) not in LEVELS:
        return None, (
            f"the code {raw} has {counted(len(raw), 'digit')}; codes have 2, 4, 6, 9 or 12",
            "Give the full code, or say --parent CODE to complete short ones.",
        )
    # One zero may be missing; only something else that is known of the unit can prove it.
    if (county is not None and padded.startswith(county)) or level == len(padded):
        return padded, None
    why = (
        f"the code {raw} has {counted(len(raw), 'digit')}; a zero at its beginning was probably "
        "lost in a spreadsheet"
    )
    return None, (why, _REMEDY_TEXT)


def _under(raw: str, parent: str) -> tuple[str, None] | tuple[None, tuple[str, str]]:
    """A code as that of a child of a known parent."""
    child = _BELOW.get(len(parent), 0)
    code = trimmed(raw)
    if code.startswith(parent) and len(code) in LEVELS and len(code) > len(parent):
        return code, None
    if child and len(raw) <= child - len(parent):
        return parent + raw.zfill(child - len(parent)), None
    if child and len(raw) == child - 1 and f"0{raw}".startswith(parent):
        return f"0{raw}", None
    why = f"the code {raw} does not begin with that of its parent, {parent}"
    return None, (why, "Correct the code or the parent.")
