"""Shapes of incidents."""

from __future__ import annotations

import uuid
from datetime import datetime
from typing import Annotated, Literal, Self

from pydantic import AfterValidator, AwareDatetime, BaseModel, ConfigDict, Field, StringConstraints

from api.schemas.places import GridBrief, ResponsibleOut
from grids.incidents.models import IncidentEvent


def _without_nul(text: str) -> str:
    if "\x00" in text:
        raise ValueError("it holds a NUL character, which no text can have")
    return text


EXAMPLE_ID = "7c9e6679-7425-40de-944b-e07fc1f90ae7"
Text = Annotated[str, StringConstraints(strip_whitespace=True), AfterValidator(_without_nul)]
State = Literal[
    "reported", "dispatched", "accepted", "consulting", "handling", "resolved", "evaluated",
    "closed", "returned", "transferred", "extended", "escalated", "reopened", "merged", "rejected",
]  # fmt: skip


DepartmentId = Annotated[int, Field(ge=1, le=2**53)]


class ReporterIn(BaseModel):
    """Who reports; kept encrypted and apart. Leave it out where it is not needed."""

    model_config = ConfigDict(extra="forbid")

    name: Text | None = Field(default=None, max_length=100)
    phone: Text | None = Field(default=None, max_length=40)


class IncidentIn(BaseModel):
    """An incident as it is reported. Names of residents belong in ``reporter`` and nowhere else."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={
            "example": {
                "id": EXAMPLE_ID,
                "category": "neighbour",
                "severity": "simple",
                "text": "楼道堆物引发争执",
                "lon": 116.6,
                "lat": 44.9,
                "crs": "wgs84",
                "accuracy_m": 12,
                "method": "gps",
                "source": "phone",
            }
        },
    )

    id: uuid.UUID = Field(description="Made by the client; the same id again changes nothing")
    category: Text = Field(max_length=64)
    severity: Literal["simple", "general", "difficult", "major"] = "simple"
    text: Text = Field(default="", max_length=10_000)
    address: Text = Field(default="", max_length=500)
    occurred_at: AwareDatetime | None = None
    lon: float | None = Field(default=None, allow_inf_nan=False)
    lat: float | None = Field(default=None, allow_inf_nan=False)
    crs: Text = Field(default="wgs84", max_length=32)
    accuracy_m: float | None = Field(default=None, gt=0, le=100_000, allow_inf_nan=False)
    method: Literal["gps", "map", "address", "operator"] = "operator"
    source: Text = Field(default="api", min_length=1, max_length=64)
    external_id: Text | None = Field(default=None, min_length=1, max_length=128)
    county_code: str | None = Field(default=None, pattern="^[0-9]{6}$")
    reporter: ReporterIn | None = Field(
        default=None, description="Stored with the incident; that of a retry is not looked at"
    )


class IncidentOut(BaseModel):
    """What became of a report."""

    id: uuid.UUID
    state: State
    category: str
    severity: str
    reported_at: datetime
    occurred_at: datetime | None
    lon: float | None
    lat: float | None
    grid: GridBrief | None
    responsible: ResponsibleOut | None
    review: str | None = Field(description="Why a person has to look at it; null: nothing open")


class ReasonIn(BaseModel):
    """Why something is shown; an auditor reads it."""

    reason: str = Field(min_length=1, max_length=500, examples=["call back on order 20260630-1"])


class ReporterOut(BaseModel):
    """Who reported."""

    name: str | None
    phone: str | None


class EventOut(BaseModel):
    """Something that happened to an incident."""

    at: datetime
    recorded_at: datetime
    actor: str
    kind: str
    from_state: str | None
    to_state: str | None
    note: str | None = Field(description="Null to those who may not read what was said")
    lead_department: int | None = Field(default=None, description="The department it was sent to")
    joint_departments: list[int] = Field(default=[], description="Those that were to join in")
    into: uuid.UUID | None = Field(default=None, description="The incident it was merged into")
    unlike: uuid.UUID | None = Field(
        default=None, description="Of a note: the incident that it was said not to be the same as"
    )
    alike: uuid.UUID | None = Field(
        default=None, description="Of a note: the incident of which that was taken back"
    )

    @classmethod
    def of(cls, event: IncidentEvent, *, with_note: bool) -> Self:
        """From the row, with or without its note."""
        sent = event.data.get("departments", {})
        return cls(
            at=event.at,
            recorded_at=event.recorded_at,
            actor=event.actor,
            kind=event.kind,
            from_state=event.from_state,
            to_state=event.to_state,
            note=event.note if with_note else None,
            lead_department=sent.get("lead"),
            joint_departments=sent.get("joint", []),
            into=event.data.get("into"),
            unlike=event.data.get("unlike"),
            alike=event.data.get("alike"),
        )


class PlacedOut(BaseModel):
    """How the place of an incident is known."""

    method: Literal["gps", "map", "address", "import", "operator", "sign"]
    accuracy_m: float | None = Field(description="68 % radius of its error, where it is known")
    score: float | None = Field(
        description="Of the address that it was found by, 0 to 1; null where it was not"
    )


class IncidentDetail(IncidentOut):
    """One incident with its text and its history."""

    placed: PlacedOut | None = Field(
        description="Null without a place: where it came with an address, a person looks for it"
    )

    text: str | None = Field(description="Null to those who may not read what was said")
    address: str | None = Field(description="As the text")
    source: str
    external_id: str | None
    reporter_phone_last4: str | None = Field(
        description="Of who reported; null where none is kept, and to those who may not know"
    )
    events: list[EventOut]


class IncidentPage(BaseModel):
    """Some incidents, newest first; ``next`` asks for those before them."""

    items: list[IncidentOut]
    count: int = Field(description="All that match, not only those on this page")
    next: str | None


class StepIn(BaseModel):
    """The next step of an incident."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={"example": {"to_state": "dispatched", "note": "请先到现场查看"}},
    )

    to_state: State
    note: Text = Field(default="", max_length=10_000)
    lead_department: DepartmentId | None = Field(
        default=None, description="Number of the department that leads it from now on"
    )
    joint_departments: list[DepartmentId] = Field(
        default=[], max_length=20, description="Numbers of those that join in"
    )
    into: uuid.UUID | None = Field(
        default=None, description="Of the step merged: the incident that goes on for both"
    )
