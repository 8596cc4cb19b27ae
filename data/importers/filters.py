"""Which rows of a file are taken: ``COLUMN OP VALUE``, one condition each, all of which must hold.

The language is small on purpose. GDAL's and SQL's own filters drop rows with empty cells from
``<>``, know other types for each format, and run functions; here a condition means the same for a
CSV as for a GeoPackage.
"""

from __future__ import annotations

import operator
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from data.importers import moments, values
from data.importers.columns import nearest_text, plain
from gis.errors import BadInput, Problem
from gis.wording import counted, verb

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from zoneinfo import ZoneInfo

    import pandas as pd
    from numpy.typing import NDArray

_CONDITION: Final = re.compile(
    r"""^\s*(?:"(?P<quoted>[^"]+)"|(?P<column>[^"=<>!]+?))\s*"""
    r"(?P<op>!=|<=|>=|=|<|>|\s(?:not\s+)?(?:in|begins)\b)\s*(?P<value>.*?)\s*$",
    re.IGNORECASE | re.DOTALL,
)
_ORDERS: Final[dict[str, Callable[[Any, Any], Any]]] = {
    "<": operator.lt, "<=": operator.le, ">": operator.gt, ">=": operator.ge,
}  # fmt: skip
_OPTION: Final = "--where"
_REMEDY: Final = (
    "Write COLUMN OP VALUE, OP one of = != < <= > >= in begins, such as --where '户数 >= 1'."
)


@dataclass(frozen=True, slots=True)
class Condition:
    """One condition: `column` as the user wrote it, a lower-case operator, the text to compare."""

    text: str
    column: str
    op: str
    value: str


def parse(conditions: Sequence[str]) -> list[Condition]:
    """Conditions from their texts.

    Raises
    ------
    BadInput
        Every text that is none, and every order that compares with neither number nor date.
    """
    out: list[Condition] = []
    problems: list[Problem] = []
    for text in conditions:
        match = _CONDITION.match(text)
        if match is None:
            problems.append(Problem(f"{text!r} is no condition", _REMEDY, field=_OPTION))
            continue
        value = match["value"]
        op = " ".join(match["op"].lower().split())
        if op not in ("in", "not in") and len(value) > 1 and value[0] == value[-1] in "'\"":
            value = value[1:-1]
        if op.endswith("begins") and not value:
            problems.append(
                Problem(f"{text!r} is no condition: begins with what?", _REMEDY, field=_OPTION)
            )
            continue
        out.append(Condition(text, (match["quoted"] or match["column"]).strip(), op, value))
    if problems:
        raise BadInput(problems)
    return out


def keep(
    frame: pd.DataFrame,
    conditions: Sequence[Condition],
    fields: Mapping[str, str],
    *,
    file: str,
    timezone: str,
) -> tuple[NDArray[np.bool_], list[str]]:
    """Whether each row of a frame fulfils all conditions, and notes on cells that say nothing.

    ``=``, ``!=``, ``in`` and ``begins`` compare texts as a report shows them (a whole number
    without ``.0``); an empty value means an empty cell, and an empty cell is unlike every other
    value. ``<`` and its like compare numbers, or moments when the value is a date; cells that are
    neither do not fulfil them.

    Parameters
    ----------
    fields
        Canonical field to the column that stands for it; a condition may name either.
    timezone
        Zone of dates that name none.

    Raises
    ------
    BadInput
        A column that is not there (with the nearest names), an order that compares with neither
        number nor date, or no row that fulfils the conditions.
    """
    present = [str(column) for column in frame.columns]
    zone = moments.zone(timezone)
    kept = np.ones(len(frame), dtype=bool)
    notes: list[str] = []
    problems: list[Problem] = []
    for condition in conditions:
        column = _column(condition.column, present, fields)
        if column is None:
            problems.append(
                Problem(
                    f"{condition.text!r}: there is no column {condition.column!r}",
                    nearest_text(condition.column, present, "The columns are"),
                    file, None, _OPTION,
                )
            )  # fmt: skip
            continue
        if condition.op in _ORDERS:
            found = _ordered(frame[column], condition, zone)
            if found is None:
                reason = f"{condition.text!r}: {condition.value!r} is neither a number nor a date"
                problems.append(Problem(reason, _REMEDY, file, None, _OPTION))
                continue
            fulfilled, unread = found
            if unread:
                which = counted(unread, "cell")
                notes.append(
                    f"{which} of {column!r} cannot be compared with {condition.value}: "
                    f"{verb(unread, 'its row was', 'their rows were')} left out"
                )
        else:
            fulfilled = _alike(values.texts(frame[column]), condition)
        if not fulfilled.any():
            problems.append(
                Problem(
                    f"{condition.text!r}: no row fulfils it",
                    _seen(frame[column]),
                    file,
                    None,
                    _OPTION,
                )
            )
        kept &= fulfilled
    if not problems and not kept.any():
        problems.append(Problem("no row fulfils all conditions at once", "", file, None, _OPTION))
    if problems:
        raise BadInput(problems)
    return kept, notes


def _column(name: str, present: Sequence[str], fields: Mapping[str, str]) -> str | None:
    if name in present:
        return name
    if name in fields:
        return fields[name]
    alike = [column for column in present if plain(column) == plain(name)]
    return alike[0] if len(alike) == 1 else None


def _alike(texts: pd.Series[Any], condition: Condition) -> NDArray[np.bool_]:
    op, value = condition.op, condition.value
    if op.endswith("in"):
        inner = value.strip().removeprefix("(").removesuffix(")")
        listed = {part.strip().strip("'\"") for part in re.split(r"[,，]", inner)}
        found = np.array([(text or "") in listed for text in texts], dtype=bool)
    elif op.endswith("begins"):
        found = np.array([(text or "").startswith(value) for text in texts], dtype=bool)
    else:
        found = np.array([(text or "") == value for text in texts], dtype=bool)
    return ~found if op.startswith(("!", "not")) else found


def _ordered(
    series: pd.Series[Any], condition: Condition, zone: ZoneInfo
) -> tuple[NDArray[np.bool_], int] | None:
    """Which cells stand in this order to the value, and how many filled ones can not; or None."""
    compare = _ORDERS[condition.op]
    number = values.number(condition.value)
    if number is not None:
        limit: Any = number
        cells: list[Any] = [
            None if (text := values.text_of(cell)) is None else values.number(text)
            for cell in series
        ]
    else:
        moment = moments.moment_of(condition.value, zone)
        if not isinstance(moment, moments.Moment):
            return None
        limit = moment.at
        found = [
            moments.moment_of(cell if moments.is_date(cell) else values.text_of(cell), zone)
            for cell in series
        ]
        cells = [each.at if isinstance(each, moments.Moment) else None for each in found]
    fulfilled = np.array([cell is not None and bool(compare(cell, limit)) for cell in cells])
    unread = sum(
        cell is None and values.text_of(raw) is not None
        for cell, raw in zip(cells, series, strict=True)
    )
    return fulfilled, unread


def _seen(series: pd.Series[Any]) -> str:
    """What a column holds, the most frequent first."""
    texts = values.texts(series).fillna("(empty)")
    frequent = texts.value_counts().index[:5]
    more = ", ..." if texts.nunique() > 5 else ""
    return f"The column holds: {', '.join(map(str, frequent))}{more}."
