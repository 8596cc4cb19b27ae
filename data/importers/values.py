"""Values of columns as they come from files, made into the types of the database, or refused."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable
from datetime import date, datetime
from typing import TYPE_CHECKING, Any, Final, TypeAlias

import numpy as np
import pandas as pd
from numpy.typing import NDArray

if TYPE_CHECKING:
    from collections.abc import Callable

    from data.importers.report import Report

Series: TypeAlias = "pd.Series[Any]"

# What people and programs write where they have nothing.
NOTHING: Final = frozenset({"", "null", "none", "nan", "na", "n/a", "#n/a", "-", "--", "无", "\\n"})
TRUE: Final = frozenset({"是", "有", "对", "true", "t", "yes", "y", "1", "1.0", "√", "✓"})
FALSE: Final = frozenset({"否", "无", "不是", "false", "f", "no", "n", "0", "0.0", "×", "✗", "-"})

MAX_COUNT: Final = 100_000


def text_of(value: Any) -> str | None:
    """A value as text without padding; None for nothing; whole floats without their ``.0``."""
    if value is None or value is pd.NaT or value is pd.NA:
        return None
    if isinstance(value, float | np.floating):
        number = float(value)
        if not math.isfinite(number):
            return None
        return str(int(number)) if number.is_integer() and abs(number) < 1e15 else repr(number)
    if isinstance(value, bool | np.bool_):
        return "true" if value else "false"
    if isinstance(value, datetime | date):
        return value.isoformat()
    text = str(value).replace("\u3000", " ").replace("\x00", "").strip()
    return None if text.lower() in NOTHING else text


def texts(series: Series) -> Series:
    """Every value as text or None."""
    if series.isna().all():
        return objects([None] * len(series), series.index)
    return pd.Series([text_of(v) for v in series], index=series.index, dtype=object)


def objects(items: Iterable[Any], index: pd.Index[Any]) -> Series:
    """Items as a column in which None stays None: pandas would make NaN of it among texts."""
    return pd.Series(list(items), index=index, dtype=object)


def _judge(
    series: Series,
    report: Report,
    field: str,
    remedy: str,
    parse: Callable[[str], float | str],
) -> NDArray[np.float64]:
    """Numbers by `parse`, which answers a number or the reason why not; rejects the rest."""
    out = np.full(len(series), np.nan)
    known: dict[str, float | str] = {}
    bad: dict[str, list[tuple[int, str]]] = {}
    for position, value in enumerate(series):
        text = text_of(value)
        if text is None:
            if isinstance(value, float | np.floating) and math.isinf(value):
                bad.setdefault("is not finite", []).append(
                    (int(series.index[position]), "inf is not finite")
                )
            continue
        if text not in known:
            known[text] = parse(text)
        result = known[text]
        if isinstance(result, str):
            group = result.partition(": ")[0]
            bad.setdefault(group, []).append((int(series.index[position]), result))
        else:
            out[position] = result
    for group, found in bad.items():
        report.reject(
            [row for row, _ in found],
            [reason for _, reason in found],
            remedy,
            field=field,
            group=f"{field} {group}",
        )
    return out


def _finite(text: str, units: str) -> float | str:
    """A finite number, its unit (alternatives of a pattern) cut off; or the reason for none."""
    found = number(re.sub(rf"\s*(?:{units})$", "", text))
    if found is None:
        return f"is text: {text!r}"
    return found if math.isfinite(found) else f"is not finite: {text}"


def number(text: str) -> float | None:
    """The number that a text is, separators of thousands allowed; None when it is none."""
    plain = text.replace(",", "").replace("，", "").replace("％", "%")
    try:
        return float(plain)
    except ValueError:
        return None


def counts(series: Series, report: Report, field: str) -> NDArray[np.float64]:
    """Whole numbers from 0 (NaN: nothing said); negative, fractional and textual ones rejected."""

    def parse(text: str) -> float | str:
        number = _finite(text, "户")
        if isinstance(number, str):
            return number
        if number < 0:
            return f"is negative: {text}"
        if number != int(number):
            return f"is a fraction: {text}"
        if number > MAX_COUNT:
            return f"is more than {MAX_COUNT}: {text}"
        return number

    return _judge(series, report, field, "Give a whole number from 0, or leave it empty.", parse)


def numbers(
    series: Series,
    report: Report,
    field: str,
    *,
    low: float = -math.inf,
    high: float = math.inf,
    unit: str = "",
) -> NDArray[np.float64]:
    """Finite numbers between the limits, both allowed (NaN: nothing said); the rest rejected."""

    def parse(text: str) -> float | str:
        number = _finite(text, "米|度|m|°")
        if isinstance(number, str):
            return number
        if not low <= number <= high:
            return f"is not between {low:g} and {high:g}: {text}"
        return number

    plain = _plain_numbers(series)
    if plain is not None and ((plain >= low) & (plain <= high)).all():
        return plain
    remedy = f"Give a number{' in ' + unit if unit else ''}, or leave it empty."
    return _judge(series, report, field, remedy, parse)


def _plain_numbers(series: Series) -> NDArray[np.float64] | None:
    """A column of nothing but finite numbers, at once; None where one has to be looked at."""
    if pd.api.types.is_bool_dtype(series.dtype) or pd.api.types.is_object_dtype(series.dtype):
        return None
    try:
        found = series.astype(float).to_numpy(dtype=float)
    except (TypeError, ValueError):
        return None
    return found if np.isfinite(found).all() else None


def booleans(series: Series, report: Report, field: str, *, default: bool) -> Series:
    """是/否, yes/no, true/false, 1/0; `default` where nothing is said; the rest rejected."""
    out: list[bool] = []
    bad: list[tuple[int, str]] = []
    for row, value in series.items():
        text = "" if value is None else str(value).strip().lower()
        if text in TRUE:
            out.append(True)
        elif text in FALSE:
            out.append(False)
        else:
            if text_of(value) is not None:
                bad.append((int(row), text))
            out.append(default)
    if bad:
        report.reject(
            [row for row, _ in bad],
            [f"{text!r} is neither yes nor no" for _, text in bad],
            "Write 是 or 否, yes or no.",
            field=field,
            group=f"{field} is neither yes nor no",
        )
    return pd.Series(out, index=series.index, dtype=bool)


_SCIENTIFIC: Final = re.compile(r"^(\d)(?:\.(\d+))?[eE]\+?(\d+)$")
_FLOAT: Final = re.compile(r"^(\d+)\.0+$")


def code(value: Any) -> tuple[str | None, str | None]:
    """A code as text, and the reason when Excel has spoilt it for good.

    ``150121.0`` and ``1.50121E5`` are whole and become ``150121``; ``1.50121E+11`` has lost its
    last digits and is refused.
    """
    text = text_of(value)
    if text is None:
        return None, None
    text = text.lstrip("'").replace(" ", "")
    if match := _FLOAT.match(text):
        return match[1], None
    if match := _SCIENTIFIC.match(text):
        digits, exponent = match[1] + (match[2] or ""), int(match[3])
        if len(digits) == exponent + 1:
            return digits, None
        return None, (
            f"{text} was shortened by a spreadsheet: only {len(digits)} of its {exponent + 1} "
            "digits are left"
        )
    if not text.isascii() or not text.isdigit():
        return None, f"{text!r} is not made of digits"
    return text, None


def chosen(
    series: Series,
    report: Report,
    field: str,
    meanings: dict[str, str],
    *,
    default: str | None = None,
    allowed: Iterable[str] = (),
) -> Series:
    """Words as one of the allowed ones, by `meanings` (lower case); the rest rejected."""
    known = {word.lower(): word for word in allowed} | meanings
    out: list[str | None] = []
    bad = []
    for row, value in series.items():
        text = text_of(value)
        word = default if text is None else known.get(text.lower())
        if word is None and text is not None:
            bad.append((int(row), text))
        out.append(word)
    if bad:
        listed = ", ".join(sorted(set(known.values())))
        report.reject(
            [row for row, _ in bad],
            [f"{text!r} is not known" for _, text in bad],
            f"Write one of: {listed}.",
            field=field,
            group=f"{field} is not known",
        )
    return pd.Series(out, index=series.index, dtype=object)
