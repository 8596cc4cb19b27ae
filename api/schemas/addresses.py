"""Shapes of addresses: what is asked, what was understood, candidates, reviews."""

from __future__ import annotations

import uuid
from datetime import datetime
from typing import Any, Literal, Self

from geoalchemy2.shape import to_shape
from pydantic import BaseModel, Field, model_validator

from grids.addresses.candidates import NEAR_M, Candidate
from grids.addresses.models import AddressAlias, AddressReview
from grids.addresses.parts import MAX_LENGTH, Address, Part
from grids.addresses.reverse import Reverse
from grids.addresses.review import Choice

Method = Literal[
    "exact",
    "street_number",
    "building",
    "place",
    "crossing",
    "interpolated",
    "street",
    "trigram",
    "division",
]
LON = Field(ge=-180, le=180, description="WGS 84 degrees", examples=[117.01])
LAT = Field(ge=-90, le=90, description="WGS 84 degrees", examples=[45.01])


class NearIn(BaseModel):
    """Somewhere close to the place that is looked for."""

    lon: float = LON
    lat: float = LAT
    within_m: float = Field(
        NEAR_M, gt=0, le=1_000_000, allow_inf_nan=False,
        description="How far from it the place may be, metres: what lies farther is never sure",
    )  # fmt: skip


class SearchIn(BaseModel):
    """An address as somebody wrote it."""

    text: str = Field(
        min_length=1, max_length=MAX_LENGTH, examples=["示范旗样例镇标高街27号标高家园3栋2单元"]
    )
    near: NearIn | None = Field(
        None, description="Candidates far from it count a little less, too far ones are never sure"
    )
    limit: int = Field(5, ge=1, le=20)


class PartOut(BaseModel):
    """One thing that an address says."""

    kind: str = Field(examples=["street"])
    text: str = Field(description="As it was written")
    value: str = Field(description="As it is compared: names without signs, numbers in digits")
    tail: str = Field(description="What follows a house number: 之2, 甲, bis")
    known: bool = Field(description="Whether the gazetteer has the name as it is written")

    @classmethod
    def of(cls, part: Part) -> PartOut:
        """From the parser's part."""
        return cls(
            kind=part.kind, text=part.text, value=part.value, tail=part.tail, known=part.is_known
        )


class CandidateOut(BaseModel):
    """A place that an address may mean."""

    label: str
    lon: float
    lat: float
    score: float = Field(ge=0, le=1)
    method: Method
    matched: list[str] = Field(description="Kinds of parts that agree")
    ignored: list[str] = Field(description="What of the text was not used")
    accuracy_m: float = Field(description="How far from the point the true place may well be")
    area_code: str

    @classmethod
    def of(cls, found: Candidate) -> CandidateOut:
        """From the search's candidate."""
        return cls.model_validate(found.as_json())


class SearchOut(BaseModel):
    """What was understood, and where it may be."""

    understood: list[PartOut]
    ignored: list[str] = Field(description="What no rule understood, in the order of the text")
    units: list[str] = Field(description="Codes of the finest units that the divisions agree upon")
    confident: bool = Field(description="Whether to take the first candidate without asking")
    candidates: list[CandidateOut]

    @classmethod
    def of(cls, address: Address, found: list[Candidate]) -> SearchOut:
        """From the parser's and the search's answers."""
        return cls(
            understood=[PartOut.of(each) for each in address.parts],
            ignored=list(address.rest),
            units=list(address.codes),
            confident=bool(found) and found[0].is_confident,
            candidates=[CandidateOut.of(each) for each in found],
        )


class DivisionOut(BaseModel):
    """A unit that a point lies in."""

    code: str
    name: str


class ReverseOut(BaseModel):
    """What a point is called."""

    text: str = Field(examples=["示范自治区示范盟示范旗样例镇标高街27号"])
    method: Literal["address", "place", "street", "division", "none"]
    name: str | None = Field(description="The house number, place or street by itself")
    distance_m: float | None = Field(description="From the point to it")
    divisions: list[DivisionOut]

    @classmethod
    def of(cls, found: Reverse) -> ReverseOut:
        """From the service's answer."""
        return cls.model_validate(
            {
                "text": found.text, "method": found.method, "name": found.name,
                "distance_m": found.distance_m,
                "divisions": [{"code": code, "name": name} for code, name in found.divisions],
            }
        )  # fmt: skip


class ReviewOut(BaseModel):
    """An address that waits for a person, or what one made of it."""

    id: int
    text: str
    candidates: list[CandidateOut]
    incident_id: uuid.UUID | None
    area_code: str
    at: datetime
    outcome: Literal["candidate", "elsewhere", "nowhere"] | None
    label: str | None
    lon: float | None
    lat: float | None
    decided_at: datetime | None
    decided_by: str | None

    @classmethod
    def of(cls, row: AddressReview) -> ReviewOut:
        """From the table's row."""
        place = None if row.geom is None else to_shape(row.geom)
        return cls.model_validate(
            {
                "id": row.id, "text": row.text, "candidates": row.candidates,
                "incident_id": row.incident_id, "area_code": row.area_code, "at": row.at,
                "outcome": row.outcome, "label": row.label,
                "lon": None if place is None else place.x,
                "lat": None if place is None else place.y, "decided_at": row.decided_at,
                "decided_by": row.decided_by,
            }
        )  # fmt: skip


class DecidedOut(ReviewOut):
    """A review as it was decided, and the others that asked the same."""

    same_settled: int = Field(description="Others of this text and area that were decided with it")
    same_waiting: int = Field(
        description="Others of this text and area that wait; `apply_to_same` decides them"
    )


class ReviewsOut(BaseModel):
    """Reviews that nobody has decided, the oldest first."""

    items: list[ReviewOut]
    count: int = Field(description="All that wait in the caller's area, on this page or not")
    next: int | None = Field(description="`after` of the next page; null: this is the last")


class AliasOut(BaseModel):
    """What a person said that a text means: a place, or a unit."""

    id: int
    text: str = Field(description="As it was written")
    label: str = Field(description="What it means")
    unit_code: str | None = Field(description="Of a name of a unit; null: it means a place")
    lon: float | None = Field(description="WGS 84 degrees; null: it means a unit")
    lat: float | None
    area_code: str
    author: str
    at: datetime
    ended_at: datetime | None = Field(description="Since when it holds no longer; null: it holds")
    ended_by: str | None

    @classmethod
    def of(cls, row: AddressAlias) -> AliasOut:
        """From the table's row."""
        place = None if row.geom is None else to_shape(row.geom)
        return cls(
            id=row.id, text=row.text, label=row.label, unit_code=row.unit_code,
            lon=None if place is None else place.x, lat=None if place is None else place.y,
            area_code=row.area_code, author=row.author, at=row.at, ended_at=row.ended_at,
            ended_by=row.ended_by,
        )  # fmt: skip


class AliasesOut(BaseModel):
    """What people said, the oldest first."""

    items: list[AliasOut]
    next: int | None = Field(description="`after` of the next page; null: this is the last")


class PointOut(BaseModel):
    """A GeoJSON point."""

    type: Literal["Point"] = "Point"
    coordinates: tuple[float, float] = Field(description="Longitude, latitude; WGS 84 degrees")


class CandidateProperties(BaseModel):
    """What a candidate is, beside its place."""

    candidate: int = Field(description="What to choose it by")
    label: str
    score: float = Field(ge=0, le=1)
    method: Method
    matched: list[str]
    ignored: list[str]
    accuracy_m: float
    area_code: str


class CandidateFeature(BaseModel):
    """A candidate as a GeoJSON feature."""

    type: Literal["Feature"] = "Feature"
    id: int
    geometry: PointOut
    properties: CandidateProperties

    @classmethod
    def of(cls, place: int, candidate: dict[str, Any]) -> CandidateFeature:
        """From what is kept with a review, and its place in the list."""
        rest = {name: value for name, value in candidate.items() if name not in {"lon", "lat"}}
        return cls(
            id=place,
            geometry=PointOut(coordinates=(candidate["lon"], candidate["lat"])),
            properties=CandidateProperties(candidate=place, **rest),
        )


class CandidatesOut(BaseModel):
    """Candidates as a GeoJSON collection, the likeliest first."""

    type: Literal["FeatureCollection"] = "FeatureCollection"
    features: list[CandidateFeature]


class ReviewMapOut(BaseModel):
    """One review, and its candidates on the map."""

    review: ReviewOut
    candidates: CandidatesOut
    same_waiting: int = Field(
        description="Others of this text and area that wait; `apply_to_same` decides them with it"
    )

    @classmethod
    def of(cls, row: AddressReview, same_waiting: int) -> ReviewMapOut:
        """From the table's row, and how many others ask the same."""
        features = [CandidateFeature.of(place, each) for place, each in enumerate(row.candidates)]
        return cls(
            review=ReviewOut.of(row),
            candidates=CandidatesOut(features=features),
            same_waiting=same_waiting,
        )


class ChoiceIn(BaseModel):
    """What a person made of an address: a candidate, another place, or (empty) nowhere."""

    candidate: int | None = Field(None, ge=0, description="Its place in the list, from 0")
    lon: float | None = Field(None, ge=-180, le=180)
    lat: float | None = Field(None, ge=-90, le=90)
    label: str | None = Field(None, min_length=1, max_length=MAX_LENGTH)
    apply_to_same: bool = Field(
        default=False, description="Decide the other waiting reviews of this text and area alike"
    )

    @model_validator(mode="after")
    def _one_answer(self) -> Self:
        if (self.lon is None) != (self.lat is None):
            raise ValueError("give lon and lat, or neither")
        if self.candidate is not None and self.lon is not None:
            raise ValueError("give a candidate or a position, not both")
        return self

    @property
    def choice(self) -> Choice:
        """For the service."""
        return Choice(candidate=self.candidate, lon=self.lon, lat=self.lat, label=self.label)
