"""Moments and days from what files write: texts of many kinds, Excel's days, Unix seconds."""

from __future__ import annotations

import re
from datetime import UTC, date, datetime, time, timedelta
from typing import TYPE_CHECKING, Any, Final, Literal, NamedTuple
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import numpy as np
import pandas as pd

from data.importers import values
from gis.errors import BadInput
from gis.wording import counted, verb

if TYPE_CHECKING:
    from data.importers.report import Report
    from data.importers.values import Series

# Days of Excel count from here; its day 60 is a 29 February 1900 that never was.
EXCEL_EPOCH: Final = datetime(1899, 12, 30, tzinfo=UTC)
EXCEL_DAYS: Final = (18_264, 73_051)  # 1950-01-01 to 2100-01-01
EARLIEST: Final = pd.Timestamp("1900-01-01", tz="UTC")
LATEST: Final = pd.Timestamp("2100-01-01", tz="UTC")

How = Literal["text", "excel", "seconds", "milliseconds"]
_READ_AS: Final[dict[How, str]] = {
    "excel": "Excel's count of days",
    "seconds": "seconds since 1970 (Unix time)",
    "milliseconds": "milliseconds since 1970 (Unix time)",
}


class Moment(NamedTuple):
    """A moment, whether what it was read from named its zone, and how that was written."""

    at: datetime
    has_zone: bool
    how: How = "text"


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


def parse_time(text: str, zone_: ZoneInfo) -> Moment | str:
    """A moment from text; or the reason why not.

    Understood: ISO 8601 and its like (``2024-3-5 8:07``, ``2024/03/05T08:07:30+08:00``), Chinese
    (``2024年3月5日8时7分``, ``下午3:20``), compact (``20240305``, ``202403050807``), Excel's count
    of days (``45356.33``), seconds and milliseconds since 1970. Not understood, since they can be
    read in two ways: ``3/5/2024``, ``2024030508`` (an hour, or seconds), ``20243`` (a month, or
    a day of Excel's).
    """
    if match := _CHINESE_DATE.match(text):
        return _assemble(match, text, zone_)
    if match := _COMPACT.match(text):
        parts = [int(part) for part in match.groups(default="0")]
        return _moment(parts, zone_, text)
    number = values.number(text)
    if number is not None:
        return _from_number(number, text, zone_)
    if match := _DAY_FIRST.match(text):
        first, second = int(match[1]), int(match[2])
        if first > 12 >= second or second > 12 >= first:
            day, month = (first, second) if first > 12 else (second, first)
            iso = f"{match[3]}-{month}-{day} {match[4] or ''}".strip()
            return parse_time(iso, zone_)
        return f"can be read in two ways, day or month first: {text}"
    return f"is no date: {text!r}"


# What a number may also be: an hour written as 2024030508, a month written as 20243.
_HOUR: Final = re.compile(r"^(19|20)\d\d(0[1-9]|1[0-2])(0[1-9]|[12]\d|3[01])([01]\d|2[0-3])$")
_MONTH: Final = re.compile(r"^(19|20)\d\d[1-9]$")


def _from_number(number: float, text: str, zone_: ZoneInfo) -> Moment | str:
    """A count of days or seconds as a moment; the reason when it is neither, or could be both."""
    if EXCEL_DAYS[0] <= number < EXCEL_DAYS[1]:
        at = excel_time(number, zone_)
        if _MONTH.match(text):
            return f"can be read in two ways, as a month or as Excel's day {at:%Y-%m-%d}: {text}"
        return Moment(at, has_zone=False, how="excel")
    for how, unit in (("seconds", 1), ("milliseconds", 1000)):
        if 10**9 <= number / unit < 5 * 10**9:
            at = datetime.fromtimestamp(number / unit, UTC)
            if _HOUR.match(text):
                return f"can be read in two ways, as an hour or as seconds ({at:%Y-%m-%d}): {text}"
            return Moment(at, has_zone=True, how=how)  # type: ignore[arg-type]
    return f"is no date: {text}"


def _assemble(match: re.Match[str], text: str, zone_: ZoneInfo) -> Moment | str:
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
        return Moment(moment.replace(tzinfo=zone_), has_zone=False)
    if offset in ("Z", "UTC", "GMT"):
        return Moment(moment, has_zone=True)
    sign = -1 if offset[0] == "-" else 1
    digits = offset[1:].replace(":", "").ljust(4, "0")
    shift = timedelta(hours=int(digits[:2]), minutes=int(digits[2:]))
    return Moment(moment - sign * shift, has_zone=True)


def _moment(parts: list[int], zone_: ZoneInfo, text: str) -> Moment | str:
    try:
        return Moment(datetime(*parts, tzinfo=zone_), has_zone=False)  # type: ignore[arg-type,misc]
    except ValueError as error:
        return f"is no date: {text} ({error})"


def excel_time(days: float, zone_: ZoneInfo) -> datetime:
    """The local time that Excel counts as this many days since 1900, to the millisecond."""
    moment = EXCEL_EPOCH + timedelta(milliseconds=round(days * 86_400_000))
    return moment.replace(tzinfo=zone_)


def times(
    series: Series,
    report: Report,
    field: str,
    *,
    timezone: str,
    reject: bool = True,
    say_zone: bool = True,
) -> Series:
    """Moments in UTC (NaT: nothing said); times without a zone are taken in `timezone`, said so.

    Numbers that were read as days or seconds are noted with an example. Unreadable values are
    rejected, or with ``reject=False`` warned about and left out. ``say_zone=False`` is for days,
    which need no zone.
    """
    zone_ = zone(timezone)
    dtype = series.dtype
    if isinstance(dtype, pd.DatetimeTZDtype):
        return series.dt.tz_convert("UTC").dt.as_unit("us")
    if np.issubdtype(dtype, np.datetime64) if isinstance(dtype, np.dtype) else False:
        if say_zone:
            _say_zone(report, field, timezone, len(series))
        local = series.dt.as_unit("us").dt.tz_localize(
            zone_, ambiguous=np.zeros(len(series), dtype=bool), nonexistent="shift_forward"
        )
        return local.dt.tz_convert("UTC")
    known: dict[Any, Moment | str | None] = {}
    moments: list[datetime | None] = []
    bad: list[tuple[int, str]] = []
    numbers: dict[How, list[tuple[Any, datetime]]] = {}
    assumed = 0
    for row, value in series.items():
        key = value if is_date(value) else values.text_of(value)
        if key not in known:
            known[key] = moment_of(key, zone_)
        found = known[key]
        if isinstance(found, str):
            bad.append((int(row), found))
            found = None
        moments.append(found.at if found else None)
        if found is not None:
            assumed += not found.has_zone
            if found.how != "text":
                numbers.setdefault(found.how, []).append((key, found.at))
    _say_numbers(report, field, numbers, zone_)
    if assumed and say_zone:
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


def is_date(value: Any) -> bool:
    """Whether a value is a date or time already, not the text of one."""
    return isinstance(value, date) and value is not pd.NaT


def moment_of(value: Any, zone_: ZoneInfo) -> Moment | str | None:
    """The moment (in UTC) of a date, time or text; the reason why not; None for nothing."""
    if value is None or value is pd.NaT:
        return None
    found: Moment | str
    if isinstance(value, datetime):
        has_zone = value.tzinfo is not None
        found = Moment(value if has_zone else value.replace(tzinfo=zone_), has_zone)
    elif isinstance(value, date):
        found = Moment(datetime.combine(value, time(), zone_), has_zone=False)
    else:
        found = parse_time(value, zone_)
    if isinstance(found, str):
        return found
    at = found.at.astimezone(UTC)
    if not EARLIEST <= at < LATEST:
        return f"is not between 1900 and 2100: {values.text_of(value)}"
    return found._replace(at=at)


def _say_numbers(
    report: Report, field: str, numbers: dict[How, list[tuple[Any, datetime]]], zone_: ZoneInfo
) -> None:
    for how, found in numbers.items():
        first, at = found[0]
        which = counted(len(found), "number")
        report.note(
            f"{which} of {field!r} {verb(len(found), 'was', 'were')} read as {_READ_AS[how]}: "
            f"{first} is {at.astimezone(zone_):%Y-%m-%d %H:%M}",
            "Write dates as 2024-03-05 08:07 if that is wrong.",
            field=field,
        )


def _say_zone(report: Report, field: str, timezone: str, count: int) -> None:
    report.note(
        f"{counted(count, 'time')} of {field!r} {verb(count, 'carries', 'carry')} no zone and "
        f"{verb(count, 'was', 'were')} taken as {timezone}",
        "Say --timezone NAME if that is wrong.",
        field=field,
    )


def dates(series: Series, report: Report, field: str, *, timezone: str) -> Series:
    """Calendar days (None: nothing said); a moment counts as its day in `timezone`."""
    moments = times(series, report, field, timezone=timezone, say_zone=False)
    local = moments.dt.tz_convert(timezone)
    return pd.Series(
        [None if pd.isna(v) else v.date() for v in local], index=series.index, dtype=object
    )
