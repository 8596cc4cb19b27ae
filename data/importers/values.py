"""Values of columns as they come from files, made into the types of the database, or refused."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable
from datetime import UTC, date, datetime, time, timedelta
from typing import TYPE_CHECKING, Any, Final, TypeAlias
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from gis.errors import BadInput

if TYPE_CHECKING:
    from collections.abc import Callable

    from data.importers.report import Report

Series: TypeAlias = "pd.Series[Any]"

# What people and programs write where they have nothing.
NOTHING: Final = frozenset({"", "null", "none", "nan", "na", "n/a", "#n/a", "-", "--", "无", "\\n"})
TRUE: Final = frozenset({"是", "有", "对", "true", "t", "yes", "y", "1", "1.0", "√", "✓"})
FALSE: Final = frozenset({"否", "无", "不是", "false", "f", "no", "n", "0", "0.0", "×", "✗", "-"})

# Days of Excel count from here; its day 60 is a 29 February 1900 that never was.
EXCEL_EPOCH: Final = datetime(1899, 12, 30, tzinfo=UTC)
EXCEL_DAYS: Final = (18_264, 73_051)  # 1950-01-01 to 2100-01-01
EARLIEST: Final = pd.Timestamp("1900-01-01", tz="UTC")
LATEST: Final = pd.Timestamp("2100-01-01", tz="UTC")

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
    number = _number(re.sub(rf"\s*(?:{units})$", "", text))
    if number is None:
        return f"is text: {text!r}"
    return number if math.isfinite(number) else f"is not finite: {text}"


def _number(text: str) -> float | None:
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


# ------------------------------------------------------------------------------------------
# Codes
# ------------------------------------------------------------------------------------------

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


# ------------------------------------------------------------------------------------------
# Time
# ------------------------------------------------------------------------------------------


def zone(name: str) -> ZoneInfo:
    """The time zone of this name.

    Raises
    ------
    BadInput
        There is none.
    """
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError) as error:
        raise BadInput(
            f"there is no time zone {name!r}", "Say for example Asia/Shanghai or UTC."
        ) from error


_CHINESE_DATE: Final = re.compile(
    r"^(\d{4})\s*[年./-]\s*(\d{1,2})\s*[月./-]\s*(\d{1,2})\s*日?"
    r"(?:[\sT]*(上午|下午|AM|PM|am|pm)?\s*(\d{1,2})\s*[时点:]\s*(\d{1,2})?\s*分?"
    r"(?:\s*[:]?\s*(\d{1,2})(\.\d+)?\s*秒?)?\s*(AM|PM|am|pm)?)?"
    r"\s*(Z|UTC|GMT|[+-]\d{2}:?\d{2}|[+-]\d{2})?$"
)
_COMPACT: Final = re.compile(r"^(\d{4})(\d{2})(\d{2})(?:(\d{2})(\d{2})(\d{2})?)?$")
_DAY_FIRST: Final = re.compile(r"^(\d{1,2})[./-](\d{1,2})[./-](\d{4})(?:\s+(.*))?$")


def parse_time(text: str, zone_: ZoneInfo) -> tuple[datetime, bool] | str:  # noqa: PLR0911
    """A moment from text, and whether the text named its zone; or the reason why not.

    Understood: ISO 8601 and its like (``2024-3-5 8:07``, ``2024/03/05T08:07:30+08:00``), Chinese
    (``2024年3月5日8时7分``, ``下午3:20``), compact (``20240305``, ``202403050807``), Excel's count
    of days (``45356.33``). Not understood, since it can be read in two ways: ``3/5/2024``.
    """
    if match := _CHINESE_DATE.match(text):
        return _assemble(match, text, zone_)
    if match := _COMPACT.match(text):
        parts = [int(part) for part in match.groups(default="0")]
        return _moment(parts, 0, zone_, text), False
    number = _number(text)
    if number is not None:
        if EXCEL_DAYS[0] <= number < EXCEL_DAYS[1]:
            return excel_time(number, zone_), False
        if 10**9 <= number < 5 * 10**9:
            return datetime.fromtimestamp(number, UTC), True
        if 10**12 <= number < 5 * 10**12:
            return datetime.fromtimestamp(number / 1000, UTC), True
        return f"is no date: {text}"
    if match := _DAY_FIRST.match(text):
        first, second = int(match[1]), int(match[2])
        if first > 12 >= second or second > 12 >= first:
            day, month = (first, second) if first > 12 else (second, first)
            iso = f"{match[3]}-{month}-{day} {match[4] or ''}".strip()
            return parse_time(iso, zone_)
        return f"can be read in two ways, day or month first: {text}"
    return f"is no date: {text!r}"


def _assemble(match: re.Match[str], text: str, zone_: ZoneInfo) -> tuple[datetime, bool] | str:
    year, month, day, before, hour, minute, second, fraction, after, offset = match.groups()
    half = (before or after or "").lower()
    hours = int(hour or 0)
    if half in ("下午", "pm") and hours < 12:
        hours += 12
    elif half in ("上午", "am") and hours == 12:
        hours = 0
    try:
        moment = datetime(
            int(year), int(month), int(day), hours, int(minute or 0), int(second or 0),
            int(float(fraction or 0) * 1e6), tzinfo=UTC,
        )  # fmt: skip
    except ValueError as error:
        return f"is no date: {text} ({error})"
    if offset is None:
        return moment.replace(tzinfo=zone_), False
    if offset in ("Z", "UTC", "GMT"):
        return moment, True
    sign = -1 if offset[0] == "-" else 1
    digits = offset[1:].replace(":", "").ljust(4, "0")
    shift = timedelta(hours=int(digits[:2]), minutes=int(digits[2:]))
    return moment - sign * shift, True


def _moment(parts: list[int], micros: int, zone_: ZoneInfo, text: str) -> Any:
    try:
        return datetime(*parts, micros, tzinfo=zone_)  # type: ignore[arg-type,misc]
    except ValueError as error:
        return f"is no date: {text} ({error})"


def excel_time(days: float, zone_: ZoneInfo) -> datetime:
    """The local time that Excel counts as this many days since 1900, to the millisecond."""
    moment = EXCEL_EPOCH + timedelta(milliseconds=round(days * 86_400_000))
    return moment.replace(tzinfo=zone_)


def times(
    series: Series, report: Report, field: str, *, timezone: str, reject: bool = True
) -> Series:
    """Moments in UTC (NaT: nothing said); times without a zone are taken in `timezone`, said so.

    Unreadable ones are rejected, or with ``reject=False`` warned about and left out.
    """
    zone_ = zone(timezone)
    dtype = series.dtype
    if isinstance(dtype, pd.DatetimeTZDtype):
        return series.dt.tz_convert("UTC").dt.as_unit("us")
    if np.issubdtype(dtype, np.datetime64) if isinstance(dtype, np.dtype) else False:
        _say_zone(report, field, timezone, len(series))
        local = series.dt.as_unit("us").dt.tz_localize(
            zone_, ambiguous=np.zeros(len(series), dtype=bool), nonexistent="shift_forward"
        )
        return local.dt.tz_convert("UTC")
    known: dict[Any, tuple[datetime, bool] | str | None] = {}
    moments: list[datetime | None] = []
    bad: list[tuple[int, str]] = []
    assumed = 0
    for row, value in series.items():
        key = value if isinstance(value, date) else text_of(value)
        if key not in known:
            known[key] = _moment_of(key, zone_)
        found = known[key]
        if isinstance(found, str):
            bad.append((int(row), found))
            found = None
        moments.append(found[0] if found else None)
        assumed += found is not None and not found[1]
    if assumed:
        _say_zone(report, field, timezone, assumed)
    if bad:
        report.add(
            "rejected" if reject else "warned",
            [reason for _, reason in bad],
            "Write dates as 2024-03-05 08:07, with +08:00 when another zone is meant.",
            rows=[row for row, _ in bad],
            field=field,
            group=f"{field} is no clear date",
        )
    return pd.Series(moments, index=series.index, dtype="datetime64[us, UTC]")


def _moment_of(value: Any, zone_: ZoneInfo) -> tuple[datetime, bool] | str | None:
    """A value's moment in UTC and whether it named its zone; the reason why not; None for none."""
    if value is None or value is pd.NaT:
        return None
    found: tuple[datetime, bool] | str
    if isinstance(value, datetime):
        found = (value.replace(tzinfo=zone_), False) if value.tzinfo is None else (value, True)
    elif isinstance(value, date):
        found = datetime.combine(value, time(), zone_), False
    else:
        found = parse_time(value, zone_)
    if isinstance(found, str):
        return found
    moment, named = found[0].astimezone(UTC), found[1]
    if not EARLIEST <= moment < LATEST:
        return f"is not between 1900 and 2100: {text_of(value)}"
    return moment, named


def _say_zone(report: Report, field: str, timezone: str, count: int) -> None:
    report.note(
        f"{count} times of {field!r} carry no zone and were taken as {timezone}",
        "Say --timezone NAME if that is wrong.",
        field=field,
    )


def dates(series: Series, report: Report, field: str, *, timezone: str) -> Series:
    """Calendar days (None: nothing said); a moment counts as its day in `timezone`."""
    before = len(report.findings)
    moments = times(series, report, field, timezone=timezone)
    # A day needs no zone: what `times` said of it is not worth a reader's time.
    report.findings[before:] = [f for f in report.findings[before:] if f.level != "noted"]
    local = moments.dt.tz_convert(timezone)
    return pd.Series(
        [None if pd.isna(v) else v.date() for v in local], index=series.index, dtype=object
    )


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
