"""Shapes of incidents that may be one, and of places that have them again and again."""

from __future__ import annotations

import uuid
from datetime import datetime
from typing import TYPE_CHECKING, Literal, Self

from pydantic import BaseModel, ConfigDict, Field

from api.schemas.incidents import IncidentDetail, State, Text

if TYPE_CHECKING:
    from grids.incidents.duplicates import Duplicate, Repeat
    from grids.incidents.likeness import Part
    from grids.incidents.unlike import Word


class PartOut(BaseModel):
    """One part of the evidence."""

    part: Literal["place", "time", "category", "text", "address"]
    value: float = Field(
        description="Metres of the place, hours of the time, similarity of text and address; of "
        "the category 1 the same, 0.5 one of the same kind, 0 another"
    )
    points: float = Field(
        description="Natural logarithm of how much likelier it is of one incident than of two; "
        "below 0 it speaks against"
    )

    @classmethod
    def of(cls, name: str, part: Part) -> Self:
        """Rounded to what can be told."""
        return cls.model_validate(
            {"part": name, "value": round(part.value, 2), "points": round(part.points, 2)}
        )


class DuplicateBrief(BaseModel):
    """An incident that may be the same."""

    id: uuid.UUID
    score: float = Field(description="Probability that both tell of one incident")


class DuplicateOut(DuplicateBrief):
    """An incident that may be the same, and why."""

    state: State
    category: str
    reported_at: datetime
    parts: list[PartOut]

    @classmethod
    def of(cls, each: Duplicate) -> Self:
        """With its parts, what speaks loudest first."""
        parts = sorted(each.likeness.parts.items(), key=lambda part: -abs(part[1].points))
        return cls.model_validate(
            {
                "id": each.incident.id,
                "score": round(each.likeness.score, 3),
                "state": each.incident.state,
                "category": each.incident.category,
                "reported_at": each.incident.reported_at,
                "parts": [PartOut.of(name, part) for name, part in parts],
            }
        )


class DuplicatesOut(BaseModel):
    """Incidents that may be the same as one, the likeliest first: a person decides."""

    items: list[DuplicateOut]
    threshold: float


class UnlikeIn(BaseModel):
    """Whether two incidents are not the same, as a person says."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={"example": {"unlike": True, "note": "一家在三楼,一家在五楼"}},
    )

    unlike: bool = Field(description="False takes it back: the pair is offered again")
    note: Text = Field(default="", max_length=10_000)


class UnlikeOut(BaseModel):
    """What holds of two incidents, and who said so."""

    unlike: bool
    actor: str | None = Field(description="Null where nobody ever said anything of the two")
    at: datetime | None

    @classmethod
    def of(cls, word: Word | None) -> Self:
        """From what was said."""
        if word is None:
            return cls(unlike=False, actor=None, at=None)
        return cls(unlike=word.unlike, actor=word.actor, at=word.at)


class ReportedOut(IncidentDetail):
    """What became of a report, and which others may tell of the same."""

    possible_duplicates: list[DuplicateBrief] = Field(
        description="Of a new report; only incidents that the caller sees. Nothing is merged: "
        "look at /incidents/{id}/duplicates"
    )


class RepeatOut(BaseModel):
    """An address, building or place with several incidents."""

    key: str
    label: str = Field(description="The address as told last, or the middle as lon,lat")
    count: int
    categories: dict[str, int]
    first_at: datetime
    last_at: datetime
    lon: float | None
    lat: float | None
    apart_m: float | None = Field(description="Diagonal of the box around their places, metres")
    incidents: list[uuid.UUID] = Field(description="The latest, up to 20")

    @classmethod
    def of(cls, each: Repeat) -> Self:
        """From what was counted."""
        return cls.model_validate({name: getattr(each, name) for name in cls.model_fields})


class RepeatsOut(BaseModel):
    """Some of them, those with the most incidents first; ``next`` asks for those after them."""

    items: list[RepeatOut]
    next: str | None
