"""Shapes of batches: many places in, an answer for each out."""

from __future__ import annotations

import uuid
from datetime import datetime
from typing import Any, Final, Literal

from pydantic import BaseModel, ConfigDict, Field

from api.batches import ARROW, JSON, LONGEST_ID, WORST_ACCURACY_M
from api.schemas.places import BorderOut
from grids.locating.batches import MOST_NEAREST, MOST_POINTS


class PointIn(BaseModel):
    """A place, and what is known of it."""

    model_config = ConfigDict(extra="forbid")

    id: str | int | None = Field(
        None, description=f"Comes back with the answer; texts up to {LONGEST_ID} characters"
    )
    lon: float = Field(description="Longitude or easting", examples=[116.6])
    lat: float = Field(description="Latitude or northing", examples=[44.9])
    accuracy_m: float | None = Field(
        None, gt=0, le=WORST_ACCURACY_M, description="68 % radius of the position's error, metres"
    )
    at: str | None = Field(None, description="The moment that is asked about, if not the common")


class BatchIn(BaseModel):
    """Many places; what holds for all of them may stand in the address as well."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={
            "example": {
                "points": [
                    {"id": "a", "lon": 117.01, "lat": 45.01, "accuracy_m": 30},
                    {"id": "b", "lon": 117.03, "lat": 45.01, "at": "2026-06-30T21:30:00+08:00"},
                ],
                "crs": "wgs84",
                "people": "first",
            }
        },
    )

    points: list[PointIn] = Field(
        max_length=MOST_POINTS, description=f"At most {MOST_POINTS:,}; answered whole or not at all"
    )
    crs: str | None = Field(
        None, description="wgs84 (when left out), cgcs2000, gcj02, bd09, EPSG:n"
    )
    at: str | None = Field(None, description="ISO 8601; now when left out")
    category: str | None = Field(
        None, max_length=50, description="Of an incident: its departments answer too"
    )
    people: Literal["first", "all"] | None = Field(
        None, description="The first to be called of each place (when left out), or all"
    )
    nearest: bool | None = Field(
        None,
        description="Also the nearest grid of places outside; then at most "
        f"{MOST_NEAREST:,} points",
    )


class NamedOut(BaseModel):
    """A person who answers."""

    person_id: uuid.UUID
    name: str
    role: str
    reason: str = Field(examples=["primary_worker"])


class GridRef(BaseModel):
    """A grid: its lasting identity, and its code at the moment."""

    id: int
    code: str


class NearRef(BaseModel):
    """The grid nearest to a place outside."""

    id: int
    code: str
    unit_code: str
    distance_m: float


class PlaceOut(BaseModel):
    """The answer to one place; reasons are those of ``GET /api/v1/locate``, and ``not_told``."""

    id: str | int | None
    inside: bool
    reason: str = Field(examples=["in_grid"])
    grid: GridRef | None
    unit_code: str | None
    edition_id: int | None
    distance_to_border_m: float | None
    confidence: float | None = Field(description="Only when accuracy_m was given")
    ask_back: bool
    responsible: list[NamedOut]
    nearest: NearRef | None = None
    border: BorderOut | None = None


class BatchOut(BaseModel):
    """Answers in the order of the places."""

    at: datetime = Field(description="The common moment")
    as_of: datetime = Field(description="When the server knew it to be so")
    count: int
    inside: int = Field(description="How many of them lie in a grid")
    answers: list[PlaceOut]


REQUEST: Final[dict[str, Any]] = {
    "requestBody": {
        "required": True,
        "content": {
            JSON: {"schema": {"$ref": "#/components/schemas/BatchIn"}},
            ARROW: {
                "schema": {
                    "type": "string",
                    "format": "binary",
                    "description": "An uncompressed Arrow IPC stream with columns lon, lat, and "
                    "id, accuracy_m, at where they are known",
                }
            },
        },
    }
}
"""The request body of a batch for the document, which FastAPI cannot see: the route reads it."""
