"""Shapes of signs, and of what residents report by them."""

from __future__ import annotations

import uuid
from datetime import datetime
from typing import Annotated, Self

from geoalchemy2.shape import to_shape
from pydantic import BaseModel, ConfigDict, Field, StringConstraints, model_validator
from shapely.geometry import Point

from api.schemas.incidents import EXAMPLE_ID, ReporterIn, State, Text
from grids.incidents.models import Sign

EXAMPLE_CODE = "4k7m2p9xh3vd"
SignCode = Annotated[
    str,
    StringConstraints(strip_whitespace=True, pattern=r"^[0-9A-Za-z -]{12,20}$"),
    Field(description="As it stands under the sign's square code", examples=[EXAMPLE_CODE]),
]


class SignIn(BaseModel):
    """A sign to put up."""

    model_config = ConfigDict(extra="forbid")

    place_name: Text = Field(min_length=1, max_length=100, examples=["东苑小区北门"])
    lon: float = Field(ge=-180, le=180, allow_inf_nan=False)
    lat: float = Field(ge=-90, le=90, allow_inf_nan=False)


class SignOut(BaseModel):
    """A sign, where it hangs, and whether it still does."""

    code: str
    place_name: str
    area_code: str
    lon: float
    lat: float
    created_at: datetime
    created_by: str
    ended_at: datetime | None
    ended_by: str | None

    @classmethod
    def of(cls, sign: Sign) -> Self:
        """From the row."""
        place = to_shape(sign.geom)
        assert isinstance(place, Point)
        return cls(
            code=sign.code,
            place_name=sign.place_name,
            area_code=sign.area_code,
            lon=place.x,
            lat=place.y,
            created_at=sign.created_at,
            created_by=sign.created_by,
            ended_at=sign.ended_at,
            ended_by=sign.ended_by,
        )


class SignsOut(BaseModel):
    """Signs, those in use first."""

    signs: list[SignOut]


class ScanIn(BaseModel):
    """A sign that was scanned."""

    model_config = ConfigDict(extra="forbid")

    code: SignCode


class CategoryBrief(BaseModel):
    """What can be reported."""

    code: str
    name_zh: str
    name_en: str
    kind: str


class DeskOut(BaseModel):
    """Where the sign hangs, and what can be reported there."""

    place_name: str
    unit_zh: str
    unit_en: str | None
    lon: float
    lat: float
    categories: list[CategoryBrief]


class IntakeIn(BaseModel):
    """What a resident reports; name and phone need not be told, and are kept encrypted."""

    model_config = ConfigDict(extra="forbid")

    code: SignCode
    id: uuid.UUID = Field(
        description="Made by the page; the same id again changes nothing, and is the receipt",
        examples=[EXAMPLE_ID],
    )
    category: Text = Field(max_length=64)
    text: Text = Field(min_length=1, max_length=2000)
    lon: float | None = Field(default=None, ge=-180, le=180, allow_inf_nan=False)
    lat: float | None = Field(default=None, ge=-90, le=90, allow_inf_nan=False)
    accuracy_m: float | None = Field(default=None, gt=0, le=10_000, allow_inf_nan=False)
    reporter: ReporterIn | None = None

    @model_validator(mode="after")
    def _place_is_whole(self) -> Self:
        given = [each is not None for each in (self.lon, self.lat, self.accuracy_m)]
        if any(given) and not all(given):
            raise ValueError("lon, lat and accuracy_m come together, as the phone has them")
        return self

    @property
    def position(self) -> tuple[float, float, float] | None:
        """Longitude, latitude (WGS 84 degrees) and accuracy (metres), if the phone told."""
        if self.lon is None or self.lat is None or self.accuracy_m is None:
            return None
        return self.lon, self.lat, self.accuracy_m


class ReceiptIn(BaseModel):
    """A receipt that is asked about."""

    model_config = ConfigDict(extra="forbid")

    code: SignCode
    id: uuid.UUID = Field(examples=[EXAMPLE_ID])


class ReceiptOut(BaseModel):
    """What became of a report; nothing of who handles it."""

    id: uuid.UUID
    state: State
    category: str
    reported_at: datetime
    grid: str | None = Field(
        description="Name of the grid that answers, else its code; null: being looked at"
    )
