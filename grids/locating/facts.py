"""What an answer shows of a grid, its edition and its units, as plain values."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from math import isinf


@dataclass(frozen=True, slots=True)
class GridFacts:
    """A grid in one edition, without its polygon."""

    grid_id: int
    code: str
    name: str
    unit_code: str
    county_code: str
    area_type: str
    households: int
    target: int
    deviation: float


@dataclass(frozen=True, slots=True)
class Span:
    """A time from ``lower`` on, before ``upper``; None where it is open."""

    lower: datetime | None
    upper: datetime | None

    @classmethod
    def of(cls, since: float, until: float) -> Span:
        """From seconds since 1970."""
        return cls(moment(since), moment(until))


@dataclass(frozen=True, slots=True)
class EditionFacts:
    """A published edition; ``since`` and ``until`` are seconds since 1970."""

    id: int
    area_code: str
    kind: str
    title: str
    since: float
    until: float

    @property
    def valid(self) -> Span:
        """The time in which it is in force."""
        return Span.of(self.since, self.until)


@dataclass(frozen=True, slots=True)
class UnitFacts:
    """An administrative unit for a time."""

    code: str
    level: int
    name: str
    name_en: str | None
    since: float
    until: float


def moment(seconds: float) -> datetime | None:
    """Seconds since 1970 as a time; None for the infinite."""
    return None if isinf(seconds) else datetime.fromtimestamp(seconds, UTC)
