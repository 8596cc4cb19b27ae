"""Shapes of places: units, grids, editions, and who answers."""

from __future__ import annotations

import uuid
from datetime import datetime
from typing import Literal

from pydantic import BaseModel, Field

from boundaries.models import AdminUnit, Edition
from grids.incidents.responsibility import REASONS, Answer, Nearest, Responsible
from grids.models import GridShape


class Sentence(BaseModel):
    """A fixed code, and what it means in both languages."""

    code: str = Field(examples=["primary_worker"])
    zh: str = Field(examples=["该网格的主责网格员"])
    en: str = Field(examples=["grid worker in charge of this grid"])

    @classmethod
    def of(cls, code: str) -> Sentence:
        """The sentence of a reason's code."""
        zh, en = REASONS[code]
        return cls(code=code, zh=zh, en=en)


class Unit(BaseModel):
    """An administrative unit."""

    code: str = Field(examples=["990121"])
    level: int = Field(description="Number of digits of its code: 2, 4, 6, 9 or 12")
    name: str
    name_en: str | None

    @classmethod
    def of(cls, unit: AdminUnit) -> Unit:
        """From the table's row."""
        return cls(code=unit.code, level=unit.level, name=unit.name, name_en=unit.name_en)


class EditionBrief(BaseModel):
    """Which edition of grids an answer is from."""

    id: int
    title: str
    valid_from: datetime | None

    @classmethod
    def of(cls, edition: Edition) -> EditionBrief:
        """From the table's row."""
        lower = edition.valid.lower if edition.valid else None
        return cls(id=edition.id, title=edition.title, valid_from=lower)


class GridBrief(BaseModel):
    """A grid in one edition."""

    id: int = Field(description="Identity of the grid; outlives its shapes")
    code: str = Field(examples=["990121001001001"])
    name: str
    kind: Literal["base", "micro", "exclusive"] = "base"
    area_type: str
    households: int
    target: int
    deviation: float = Field(description="households / target - 1")

    @classmethod
    def of(cls, shape: GridShape) -> GridBrief:
        """From the table's row."""
        return cls(
            id=shape.grid_id,
            code=shape.code,
            name=shape.name,
            area_type=shape.area_type,
            households=shape.households,
            target=shape.target,
            deviation=shape.deviation,
        )


class ResponsibleOut(BaseModel):
    """A person who answers, and why."""

    person_id: uuid.UUID
    name: str
    role: str
    primary: bool
    reason: Sentence

    @classmethod
    def of(cls, each: Responsible) -> ResponsibleOut:
        """From the answer's row."""
        return cls(
            person_id=each.person_id,
            name=each.name,
            role=each.role,
            primary=each.is_primary,
            reason=Sentence.of(each.reason),
        )


class PointOut(BaseModel):
    """A place in WGS 84, and the system it was given in."""

    lon: float
    lat: float
    crs: str = Field(description="The system it was given in")


class CandidateOut(BaseModel):
    """A grid that may hold the true place."""

    grid_id: int
    code: str
    share: float = Field(description="Share of the position's probability, 0 to 1")


class NearestOut(BaseModel):
    """The grid nearest to a place outside all grids."""

    grid_id: int
    code: str
    name: str
    unit: Unit | None = Field(description="Its village or community, where that is known")
    distance_m: float

    @classmethod
    def of(cls, nearest: Nearest) -> NearestOut:
        """From the answer's row."""
        return cls(
            grid_id=nearest.grid_id,
            code=nearest.code,
            name=nearest.name,
            unit=Unit.of(nearest.unit) if nearest.unit else None,
            distance_m=nearest.distance_m,
        )


class LocateOut(BaseModel):
    """Which grid, who answers for it, who else, and how sure we are."""

    at: datetime
    point: PointOut
    inside: bool
    grid: GridBrief | None
    edition: EditionBrief | None
    units: list[Unit] = Field(description="From province down")
    responsible: list[ResponsibleOut] = Field(description="The first to be called first")
    reason: Sentence
    distance_to_border_m: float | None
    confidence: float | None = Field(description="Only when accuracy_m was given")
    candidates: list[CandidateOut]
    ask_back: bool
    nearest: NearestOut | None = Field(description="Only outside all grids")

    @classmethod
    def of(cls, answer: Answer, crs: str) -> LocateOut:
        """From the service's answer."""
        return cls(
            at=answer.at,
            point=PointOut(lon=answer.lon, lat=answer.lat, crs=crs),
            inside=answer.grid is not None,
            grid=GridBrief.of(answer.grid) if answer.grid else None,
            edition=EditionBrief.of(answer.edition) if answer.edition else None,
            units=[Unit.of(unit) for unit in answer.units],
            responsible=[ResponsibleOut.of(each) for each in answer.responsible],
            reason=Sentence.of(answer.reason),
            distance_to_border_m=answer.distance_to_border_m,
            confidence=answer.confidence,
            candidates=[
                CandidateOut(grid_id=each.grid_id, code=each.code, share=each.share)
                for each in answer.candidates
            ],
            ask_back=answer.ask_back,
            nearest=NearestOut.of(answer.nearest) if answer.nearest else None,
        )
