"""Hot spots, the attention list and its back-test, as they are answered."""

from __future__ import annotations

from datetime import date, datetime

from pydantic import BaseModel, Field

from maps.hotspots.findings import Class, Way


class Both(BaseModel):
    """A text in both languages."""

    zh: str
    en: str


class LegendEntry(BaseModel):
    """A class of grids: what it is called, its colour, and how many there are."""

    key: str
    text: Both
    color: str = Field(description="Told apart by colour-blind eyes")
    count: int


class GridFinding(BaseModel):
    """A grid; what is not told, or what the method does not have, is null."""

    id: int
    code: str
    name: str
    unit: str
    households: int
    events: int | None = Field(description="In the grid alone; null where it is not told")
    class_: Class = Field(alias="class")
    statistic: float | None
    p: float | None = Field(description="Of as much by chance")
    q: float | None = Field(description="p corrected for looking at every grid")
    observed: float | None = Field(description="Incidents of the grid and those that touch it")
    expected: float | None = Field(description="Incidents to be expected there")
    cluster: int | None = Field(description="Number of the scan's cluster that it is part of")


class ClusterOut(BaseModel):
    """A circle, or circle and weeks, with more incidents than chance explains."""

    number: int
    centre: str = Field(description="Code of the grid in its middle")
    radius_m: float
    grids: int
    first_week: int | None = Field(description="Of the period, from 0; null without weeks")
    last_week: int | None
    observed: int
    expected: float
    relative_risk: float | None = Field(description="null: nothing happened elsewhere")
    p: float


class PairsOut(BaseModel):
    """Pairs of incidents by distance and days apart; rows are distances, columns days."""

    distances_m: list[float] = Field(description="Upper ends; the first, 0, is the same place")
    days: list[float] = Field(description="Upper ends")
    observed: list[list[int]]
    expected: list[list[float]] = Field(description="If times were dealt out anew among places")
    ratio: list[list[float | None]]
    p: list[list[float]]


class PlaceAgain(BaseModel):
    """A place with three incidents or more."""

    lon: float
    lat: float
    code: str = Field(description="Of its grid")
    events: int
    first: datetime
    last: datetime
    median_gap_days: float


class HotSpotsOut(BaseModel):
    """What one method found on the incidents of a period."""

    method: Way
    title: Both
    statistic: Both | None = Field(description="What `statistic` of the grids is")
    place: Both
    category: Both = Field(description="Empty for all")
    start: datetime
    end: datetime = Field(description="The first moment after the period")
    level: float = Field(description="Highest share of quiet maps with any false alarm")
    n: int = Field(description="Incidents in the grids")
    n_outside: int
    n_without_place: int
    legend: list[LegendEntry]
    grids: list[GridFinding]
    clusters: list[ClusterOut]
    pairs: PairsOut | None
    places: list[PlaceAgain] | None
    notes: list[Both]


class Listing(BaseModel):
    """A grid to attend to, and why."""

    id: int
    code: str
    name: str
    unit: str
    rank: int
    class_: str = Field(alias="class", description="first: ranks 1 to 5; listed")
    expected: float = Field(description="Incidents to be reported in the week")
    low: int
    high: int
    reason: str = Field(description="steady, recent, months, nearby or flare")
    text: Both


class AttentionOut(BaseModel):
    """Where to look first in a week."""

    week: date = Field(description="The Monday on which it begins")
    place: Both
    category: Both = Field(description="Empty for all")
    expected: float = Field(description="Incidents to be reported in all grids")
    confidence: float = Field(description="Of the intervals")
    share: float = Field(description="Of the area that the list may cover")
    weeks: int = Field(description="Whole weeks of reports that it was learnt from")
    weights: dict[str, float] = Field(description="Of the parts of the expected counts")
    legend: list[LegendEntry]
    grids: list[Listing] = Field(description="In the order of their ranks")
    notes: list[Both]


class WayTested(BaseModel):
    """How one way of choosing where to look did, over all weeks and week by week."""

    key: str
    text: Both
    pai: float | None = Field(description="Share of incidents caught over share of area; 1: chance")
    pei: float | None = Field(description="Caught over the most that could be; 1: foresight")
    caught: list[float] = Field(description="Incidents caught in each week")


class ShareTested(BaseModel):
    """What was caught on a part of the area."""

    share: float
    ways: list[WayTested]


class BackTestOut(BaseModel):
    """What the attention lists of the last weeks would have caught."""

    place: Both
    category: Both = Field(description="Empty for all")
    verdict: Both
    sentences: list[Both]
    weeks: list[date] = Field(description="The Mondays of the weeks judged")
    weeks_before: int
    events: list[int] = Field(description="Incidents reported in each week")
    expected: list[float] = Field(description="What the list had expected")
    within: float | None = Field(description="Part of grids and weeks inside the 90 % interval")
    shares: list[ShareTested]
    notes: list[Both]
