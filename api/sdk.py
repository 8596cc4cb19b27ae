"""A client of wangge's HTTP interface, in one file that may be copied: it needs Python and httpx2.

::

    from api.sdk import Client, Point

    with Client("https://wangge.example.cn", key="wgk_...") as wangge:
        found = wangge.locate(116.6, 44.9, accuracy_m=30)
        print(found.grid.code, [each.name for each in found.responsible])
        many = wangge.locate_many([Point(116.6, 44.9, id="a"), Point(116.7, 44.9, id="b")])
        case = wangge.report_incident("neighbour", lon=116.6, lat=44.9, text="...")

Whatever may be asked again is: a connection that breaks, an answer 429, 502, 503 or 504, with
pauses that grow and that follow ``Retry-After``. Nothing happens twice: reports carry an id.
"""

from __future__ import annotations

import random
import time
import uuid
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass, field
from datetime import datetime
from itertools import islice
from types import TracebackType
from typing import Any, Final, Literal, Self

import httpx2

AGAIN: Final = frozenset({429, 502, 503, 504})
AT_ONCE: Final = 50_000
"""Places in one request; more are sent in several."""
FIRST_PAUSE_S: Final = 0.2
LONGEST_PAUSE_S: Final = 30.0


class WanggeError(Exception):
    """Root of what this client raises."""


class Unreachable(WanggeError):
    """No answer came, however often it was asked."""


class Refused(WanggeError):
    """The service refused.

    Attributes
    ----------
    status
        HTTP status: 401 the key is not known or ended, 403 it may not, 409 the id was used for
        something else, 422 what was sent cannot be taken, 429 too often, 503 not now.
    problems
        What is wrong, where and what to do; ``row`` counts from 1 within one request.
    """

    def __init__(self, status: int, detail: str, problems: Iterable[Problem] = ()) -> None:
        super().__init__(f"{status}: {detail}")
        self.status, self.detail, self.problems = status, detail, tuple(problems)


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing that is wrong, where, and what to do about it."""

    field: str | None
    reason: str
    remedy: str = ""
    row: int | None = None


@dataclass(frozen=True, slots=True)
class Point:
    """A place to be located; ``accuracy_m`` is the radius that holds it with 68 %."""

    lon: float
    lat: float
    id: str | int | None = None
    accuracy_m: float | None = None
    at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Person:
    """Somebody who answers, and why."""

    id: uuid.UUID
    name: str
    role: str
    reason: str


@dataclass(frozen=True, slots=True)
class Grid:
    """A grid: ``id`` outlives its shapes, ``code`` is that of the moment."""

    id: int
    code: str
    unit_code: str | None = None
    name: str = ""


@dataclass(frozen=True, slots=True)
class Candidate:
    """A grid that may hold the true place, with its share of the probability."""

    grid: Grid
    share: float


@dataclass(frozen=True, slots=True)
class Nearest:
    """The grid nearest to a place outside of all grids."""

    grid: Grid
    distance_m: float


@dataclass(frozen=True, slots=True)
class Located:
    """The answer to one place.

    Attributes
    ----------
    reason
        ``in_grid``, ``on_border``, ``nobody``, ``outside``, ``outside_area``, ``across_border``,
        ``no_edition`` or, in a batch while the database is away, ``not_told``: it lies in no grid
        that the key sees, and why is to be asked again.
    ask_back, ask_back_text
        Whether the place is too vague to send somebody, and what to ask whoever told it. The text
        and ``candidates`` come with single answers only.
    border_m
        How far it lies across the national border; None if it does not.
    raw
        Everything that was answered.
    """

    id: str | int | None
    reason: str
    grid: Grid | None
    edition_id: int | None
    responsible: tuple[Person, ...]
    distance_to_border_m: float | None
    confidence: float | None
    ask_back: bool
    ask_back_text: str | None = None
    candidates: tuple[Candidate, ...] = ()
    nearest: Nearest | None = None
    border_m: float | None = None
    raw: Mapping[str, Any] = field(default_factory=dict, repr=False, compare=False)

    @property
    def inside(self) -> bool:
        """Whether it lies in a grid."""
        return self.grid is not None


@dataclass(frozen=True, slots=True)
class Incident:
    """A report that is stored; ``is_new`` is False where it was stored before."""

    id: uuid.UUID
    is_new: bool
    state: str
    grid: Grid | None
    responsible: Person | None
    review: str | None
    raw: Mapping[str, Any] = field(default_factory=dict, repr=False, compare=False)


class Client:
    """Asks one installation of wangge. Use it as a context manager, from one thread at a time.

    Parameters
    ----------
    address
        Of the installation, such as ``https://wangge.example.cn``.
    key
        API key, ``wgk_...``; keep it out of the source.
    language
        Of sentences.
    tries
        How often a request is sent at the most.
    transport
        Another way to send requests, as httpx2 has them.
    """

    def __init__(
        self,
        address: str,
        key: str,
        *,
        language: Literal["zh", "en"] = "zh",
        timeout_s: float = 30.0,
        tries: int = 5,
        transport: httpx2.BaseTransport | None = None,
    ) -> None:
        self._http = httpx2.Client(
            base_url=address.rstrip("/"),
            headers={"Authorization": f"Bearer {key}", "Accept-Language": language},
            timeout=timeout_s,
            transport=transport,
        )
        self._tries = max(tries, 1)
        self._random = random.Random()  # noqa: S311 - spreads pauses, guards nothing

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close the connections."""
        self._http.close()

    def locate(
        self,
        lon: float,
        lat: float,
        *,
        at: datetime | None = None,
        accuracy_m: float | None = None,
        crs: str = "wgs84",
        category: str | None = None,
        explain: bool = False,
    ) -> Located:
        """Which grid a place belongs to at a moment, and who answers for it.

        Parameters
        ----------
        lon, lat
            Longitude (easting) and latitude (northing) in ``crs``: wgs84, cgcs2000, gcj02, bd09
            or EPSG:n.
        at
            Aware; now when left out.
        category
            Of an incident: its departments answer too.
        explain
            Also who could have been called and was not, in ``raw["explanation"]``.

        Raises
        ------
        Refused
            What was sent cannot be taken, or the key may not.
        Unreachable
            No answer came.
        """
        asked = {
            "lon": lon, "lat": lat, "at": _time(at), "accuracy_m": accuracy_m, "crs": crs,
            "category": category, "explain": "true" if explain else None,
        }  # fmt: skip
        answer = self._send("GET", "/api/v1/locate", params=_given(asked))
        return _single(answer.json())

    def locate_many(
        self,
        points: Iterable[Point | tuple[float, float]],
        *,
        at: datetime | None = None,
        crs: str = "wgs84",
        category: str | None = None,
        people: Literal["first", "all"] = "first",
    ) -> list[Located]:
        """Answers to many places, in their order; as many requests as it takes.

        Raises
        ------
        Refused
            One bad place is enough: ``problems`` names each, counted within its request.
        Unreachable
            No answer came.
        """
        common = {"at": _time(at), "crs": crs, "category": category, "people": people}
        found: list[Located] = []
        for part in _parts(points):
            body = _given(common) | {"points": [_point(each) for each in part]}
            answer = self._send("POST", "/api/v1/locate", json=body)
            found += [_one_of_many(each) for each in answer.json()["answers"]]
        return found

    def report_incident(
        self,
        category: str,
        *,
        lon: float | None = None,
        lat: float | None = None,
        crs: str = "wgs84",
        accuracy_m: float | None = None,
        text: str = "",
        address: str = "",
        severity: Literal["simple", "general", "difficult", "major"] = "simple",
        occurred_at: datetime | None = None,
        source: str = "api",
        external_id: str | None = None,
        id: uuid.UUID | None = None,  # noqa: A002 - the service's name for it
    ) -> Incident:
        """Report an incident; when this returns it is stored.

        Parameters
        ----------
        id
            Made here when left out. Whoever keeps it may report again after a crash: the same id
            with the same content is stored once.
        external_id
            The source's own number, unique within ``source`` and county.

        Raises
        ------
        Refused
            What was sent cannot be taken; 409: the id was used for something else.
        Unreachable
            No answer came: it may be stored or not, so report it again with the same id.
        """
        body = {
            "id": str(id or uuid.uuid4()), "category": category, "lon": lon, "lat": lat, "crs": crs,
            "accuracy_m": accuracy_m, "text": text, "address": address, "severity": severity,
            "occurred_at": _time(occurred_at), "source": source, "external_id": external_id,
        }  # fmt: skip
        answer = self._send("POST", "/api/v1/incidents", json=_given(body))
        found = answer.json()
        grid, person = found["grid"], found["responsible"]
        return Incident(
            id=uuid.UUID(found["id"]),
            is_new=answer.status_code == httpx2.codes.CREATED,
            state=found["state"],
            grid=grid and Grid(grid["id"], grid["code"], name=grid["name"]),
            responsible=person and _person(person),
            review=found["review"],
            raw=found,
        )

    def _send(self, method: str, path: str, **content: Any) -> httpx2.Response:
        """Send a request until it is answered for good."""
        for attempt in range(1, self._tries + 1):
            answer, cause = None, None
            try:
                answer = self._http.request(method, path, **content)
            except httpx2.TransportError as error:
                cause = error
            if answer is not None and answer.is_success:
                return answer
            is_last = attempt == self._tries
            if answer is not None and (is_last or answer.status_code not in AGAIN):
                raise _refused(answer)
            if is_last:
                raise Unreachable(f"{self._http.base_url} does not answer: {cause}") from cause
            time.sleep(self._pause_s(attempt, answer))
        raise AssertionError  # the last attempt returned or raised

    def _pause_s(self, attempt: int, answer: httpx2.Response | None) -> float:
        """How long to wait: up to twice as long each time, and no shorter than was asked for."""
        pause = min(FIRST_PAUSE_S * 2 ** (attempt - 1), LONGEST_PAUSE_S)
        pause *= self._random.uniform(0.5, 1.0)
        after = answer.headers.get("Retry-After", "") if answer is not None else ""
        return max(pause, min(float(after), LONGEST_PAUSE_S)) if after.isdigit() else pause


def _refused(answer: httpx2.Response) -> Refused:
    try:
        told = answer.json()
        problems = [
            Problem(each["field"], each["reason"], each["remedy"], each.get("row"))
            for each in told.get("problems") or ()
        ]
        return Refused(answer.status_code, str(told["detail"]), problems)
    except (ValueError, KeyError, TypeError, AttributeError):  # what stands before it answered
        return Refused(answer.status_code, answer.text[:200])


def _parts(
    points: Iterable[Point | tuple[float, float]],
) -> Iterator[list[Point | tuple[float, float]]]:
    rest = iter(points)
    while part := list(islice(rest, AT_ONCE)):
        yield part


def _point(each: Point | tuple[float, float]) -> dict[str, Any]:
    if not isinstance(each, Point):
        return {"lon": each[0], "lat": each[1]}
    return _given(asdict(each) | {"at": _time(each.at)})


def _given(values: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in values.items() if value is not None}


def _time(moment: datetime | None) -> str | None:
    if moment is not None and moment.tzinfo is None:
        raise ValueError(f"{moment} has no time zone: give an aware datetime")
    return None if moment is None else moment.isoformat()


def _person(each: Mapping[str, Any]) -> Person:
    reason = each["reason"]
    code = reason if isinstance(reason, str) else reason["code"]
    return Person(uuid.UUID(each["person_id"]), each["name"], each["role"], code)


def _single(told: Mapping[str, Any]) -> Located:
    grid, nearest, border = told["grid"], told["nearest"], told.get("border")
    unit = told["units"][-1]["code"] if told["units"] else None
    return Located(
        id=None,
        reason=told["reason"]["code"],
        grid=grid and Grid(grid["id"], grid["code"], unit, grid["name"]),
        edition_id=told["edition"] and told["edition"]["id"],
        responsible=tuple(map(_person, told["responsible"])),
        distance_to_border_m=told["distance_to_border_m"],
        confidence=told["confidence"],
        ask_back=told["ask_back"],
        ask_back_text=told.get("ask_back_text"),
        candidates=tuple(
            Candidate(Grid(each["grid_id"], each["code"], name=each.get("name", "")), each["share"])
            for each in told["candidates"]
        ),
        nearest=nearest
        and Nearest(
            Grid(nearest["grid_id"], nearest["code"], name=nearest["name"]), nearest["distance_m"]
        ),
        border_m=border and border["distance_m"],
        raw=told,
    )


def _one_of_many(told: Mapping[str, Any]) -> Located:
    grid, nearest, border = told["grid"], told["nearest"], told["border"]
    return Located(
        id=told["id"],
        reason=told["reason"],
        grid=grid and Grid(grid["id"], grid["code"], told["unit_code"]),
        edition_id=told["edition_id"],
        responsible=tuple(map(_person, told["responsible"])),
        distance_to_border_m=told["distance_to_border_m"],
        confidence=told["confidence"],
        ask_back=told["ask_back"],
        nearest=nearest
        and Nearest(
            Grid(nearest["id"], nearest["code"], nearest["unit_code"]), nearest["distance_m"]
        ),
        border_m=border and border["distance_m"],
        raw=told,
    )
