"""Batches of places on their way in: JSON or an Arrow stream to columns, every bad row named."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final, Literal

import numpy as np

from api.dependencies import parse_time
from gis.crs import parse_name, to_wgs84
from gis.errors import BadInput, Problem, WanggeError
from grids.incidents.responsibility import no_position
from grids.locating.batches import MOST_NEAREST, MOST_POINTS, Points

if TYPE_CHECKING:
    from api.settings import ServerSettings

JSON: Final = "application/json"
ARROW: Final = "application/vnd.apache.arrow.stream"
ROWS_NAMED: Final = 100
WORST_ACCURACY_M: Final = 100_000.0
LONGEST_ID: Final = 200
FIELDS: Final = ("id", "lon", "lat", "accuracy_m", "at")
EARLIEST_S: Final = datetime(1, 1, 2, tzinfo=UTC).timestamp()
LATEST_S: Final = datetime(9999, 12, 30, tzinfo=UTC).timestamp()

People = Literal["first", "all"]
Ids = Sequence[str | int | None]


@dataclass(frozen=True, slots=True)
class Common:
    """What holds for all places of a batch, unless a place says otherwise."""

    crs: str = "wgs84"
    at: str | None = None
    category: str | None = None
    people: People = "first"
    nearest: bool = False


@dataclass(frozen=True, slots=True)
class Batch:
    """Places in WGS 84, the ids that came with them, and what holds for all."""

    points: Points
    ids: Any
    """A list, or an Arrow column; None where none were given."""
    common: Common
    at: datetime


@dataclass(slots=True)
class Faults:
    """Bad rows, 1-based: the first hundred with what is wrong, and how many there are."""

    problems: list[Problem] = field(default_factory=list)
    rows: set[int] = field(default_factory=set)

    def note(self, row: int, name: str, reason: str, remedy: str) -> None:
        """Note what is wrong with a row, if it is one of the first."""
        self.rows.add(row)
        if len(self.problems) < ROWS_NAMED:
            self.problems.append(Problem(reason, remedy, row=row, field=name))

    def refuse(self, count: int) -> None:
        """Refuse everything where any row is bad.

        Raises
        ------
        BadInput
            The first problem says how many rows are bad, the others which.
        """
        if self.rows:
            bad, named = len(self.rows), len(self.problems)
            named_text = f"; the first {named} problems are named" if named >= ROWS_NAMED else ""
            summary = Problem(
                f"{bad:,} of {count:,} points cannot be taken, so none was answered{named_text}",
                "Correct them or leave them out, and send the rest again",
                field="points",
            )
            self.problems.sort(key=lambda each: each.row or 0)
            raise BadInput([summary, *self.problems])


def columns(given: Points, crs: str, faults: Faults) -> Points:
    """Points in WGS 84 of what came in; whatever is no place, moment or accuracy is refused.

    Parameters
    ----------
    given
        With easting (longitude) and northing in ``crs``; NaN where what came in was noted already,
        as in ``at``.

    Raises
    ------
    BadInput
        The system is unknown, or rows are bad: all of them are told at once.
    """
    x, y, at, accuracy_m = given.lon, given.lat, given.at, given.accuracy_m
    try:
        system = parse_name(crs)
    except BadInput as error:
        raise BadInput(replace(each, field="crs") for each in error.problems) from None
    lon, lat = to_wgs84(x, y, system)
    bad = ~((np.abs(lon) <= 180) & (np.abs(lat) <= 90))
    for row in (np.flatnonzero(bad) + 1).tolist():
        if not (np.isnan(x[row - 1]) or np.isnan(y[row - 1])):
            told = no_position(float(x[row - 1]), float(y[row - 1]), crs)
            faults.note(row, "lon,lat", told.reason, told.remedy)
    wrong = ~np.isnan(accuracy_m) & ~((accuracy_m > 0) & (accuracy_m <= WORST_ACCURACY_M))
    for row in (np.flatnonzero(wrong) + 1).tolist():
        faults.note(
            row, "accuracy_m", f"{accuracy_m[row - 1]} is no accuracy",
            f"Give metres above 0, up to {WORST_ACCURACY_M:,.0f}, or leave it out",
        )  # fmt: skip
    never = ~((at >= EARLIEST_S) & (at <= LATEST_S))
    for row in (np.flatnonzero(never) + 1).tolist():
        if not np.isnan(at[row - 1]):
            faults.note(row, "at", "it is no moment of the years 1 to 9999", "Write it as ISO 8601")
    faults.refuse(len(x))
    return Points(lon, lat, at, accuracy_m)


def check_count(count: int, common: Common) -> None:
    """Refuse more points than are answered at once.

    Raises
    ------
    BadInput
        Names the limit.
    """
    most = MOST_NEAREST if common.nearest else MOST_POINTS
    if count > most:
        why = " that also ask for the nearest grid" if common.nearest else ""
        raise BadInput(
            Problem(
                f"at most {most:,} points{why} are answered at once, and these are {count:,}",
                "Send them in parts",
                field="points",
            )
        )


def from_json(body: bytes, common: Common, settings: ServerSettings) -> Batch:
    """Read a batch from JSON.

    Raises
    ------
    BadInput
        It is no JSON, or no batch; names what and where.
    """
    try:
        # A function of ours for each object: the interpreter may turn to other threads between
        # two of them, which within the parser it never does.
        document = json.loads(body, object_pairs_hook=_object)
    except (ValueError, RecursionError) as error:
        place = f", at character {error.pos}" if isinstance(error, json.JSONDecodeError) else ""
        raise BadInput(
            Problem(f"the body is no JSON that can be read{place}", "Send JSON", field="body")
        ) from None
    if not isinstance(document, dict) or not isinstance(document.get("points"), list):
        raise BadInput(
            Problem(
                "the body is no batch",
                'Send {"points": [{"lon": 116.6, "lat": 44.9}, ...]}',
                field="points",
            )
        )
    common = _common(document, common)
    rows = document["points"]
    check_count(len(rows), common)
    now = datetime.now(UTC)
    moment = parse_time(common.at, "at", settings) if common.at else now
    faults = Faults()
    reader = _Rows(moment.timestamp(), settings, faults)
    for number, row in enumerate(rows, 1):
        reader.take(number, row)
    x, y, at, accuracy_m = (
        np.array(each, dtype=np.float64)
        for each in (reader.x, reader.y, reader.at, reader.accuracy_m)
    )
    points = columns(Points(x, y, at, accuracy_m), common.crs, faults)
    return Batch(points, reader.ids if reader.has_ids else None, common, moment)


class _Twice(dict[str, Any]):
    """An object of which a name was given twice."""


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    return found if len(found) == len(pairs) else _Twice(found)


class _Rows:
    """Columns of rows that come one by one."""

    def __init__(self, moment: float, settings: ServerSettings, faults: Faults) -> None:
        self._moment, self._settings, self._faults = moment, settings, faults
        self._moments: dict[str, float] = {}
        self.ids: list[str | int | None] = []
        self.has_ids = False
        self.x: list[float] = []
        self.y: list[float] = []
        self.at: list[float] = []
        self.accuracy_m: list[float] = []

    def take(self, number: int, row: Any) -> None:
        """Read a row, or note what is wrong with it."""
        note = self._faults.note
        if not isinstance(row, dict) or isinstance(row, _Twice):
            note(number, "points", "it is no object with each name once", "Give lon and lat")
            row = _NO_PLACE
        elif not row.keys() <= _KNOWN:
            for name in sorted(row.keys() - _KNOWN):
                note(number, name[:64], "there is no such field", f"One of: {', '.join(FIELDS)}")
        for name, kept in (("lon", self.x), ("lat", self.y)):
            kept.append(math.nan if row is _NO_PLACE else self._number(number, row.get(name), name))
        accuracy = row.get("accuracy_m")
        self.accuracy_m.append(
            math.nan if accuracy is None else self._number(number, accuracy, "accuracy_m")
        )
        at = row.get("at")
        self.at.append(self._moment if at is None else self._time(number, at))
        id_ = row.get("id")
        if id_ is not None:
            self.has_ids = True
            is_whole = isinstance(id_, int) and not isinstance(id_, bool) and abs(id_) < 2**63
            if not is_whole and not (isinstance(id_, str) and len(id_) <= LONGEST_ID):
                note(number, "id", "it is neither a text nor a whole number",
                     f"Give up to {LONGEST_ID} characters, or leave it out")  # fmt: skip
        self.ids.append(id_)

    def _number(self, row: int, value: Any, name: str) -> float:
        if isinstance(value, int | float) and not isinstance(value, bool):
            try:
                number = float(value)
            except OverflowError:
                number = math.inf
            if math.isfinite(number):
                return number
        reason = "it is missing" if value is None else "it is no number"
        self._faults.note(row, name, reason, "Give a finite number")
        return math.nan

    def _time(self, row: int, value: Any) -> float:
        if not isinstance(value, str):
            self._faults.note(row, "at", "it is no text", "Write a moment as ISO 8601")
            return self._moment
        found = self._moments.get(value)
        if found is None:
            try:
                found = parse_time(value, "at", self._settings).timestamp()
            except (WanggeError, ValueError, OverflowError):
                self._faults.note(
                    row, "at", f"'{value[:40]}' is no time",
                    "Write it as 2026-06-30 or 2026-06-30T21:30:00+08:00",
                )  # fmt: skip
                return self._moment
            self._moments[value] = found
        return found


_KNOWN: Final = frozenset(FIELDS)
_NO_PLACE: Final[dict[str, Any]] = {}
_COMMON: Final = {
    "crs": lambda value: isinstance(value, str),
    "at": lambda value: isinstance(value, str),
    "category": lambda value: isinstance(value, str) and len(value) <= 50,
    "people": lambda value: value in ("first", "all"),
    "nearest": lambda value: isinstance(value, bool),
}
_EXPECTED: Final = {
    "crs": "The name of a system, such as wgs84",
    "at": "A moment as ISO 8601",
    "category": "The code of a category",
    "people": "One of: first, all",
    "nearest": "One of: true, false",
}


def _common(document: dict[str, Any], common: Common) -> Common:
    """What the body says for all of its places, before what the address says."""
    problems = []
    given = {}
    for name, value in document.items():
        if name == "points":
            continue
        if name not in _COMMON:
            one_of = ", ".join(["points", *_COMMON])
            problems.append(Problem("there is no such field", f"One of: {one_of}", field=name[:64]))
        elif value is not None:
            if _COMMON[name](value):
                given[name] = value
            else:
                problems.append(Problem("it cannot be taken as such", _EXPECTED[name], field=name))
    if isinstance(document, _Twice):
        problems.append(Problem("a name is given twice", "Give each once", field="body"))
    if problems:
        raise BadInput(problems)
    return replace(common, **given)
