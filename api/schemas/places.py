"""Shapes of places: units, grids, editions, and who answers."""

from __future__ import annotations

import uuid
from datetime import UTC, datetime
from typing import Literal

from pydantic import BaseModel, Field

from boundaries.models import AdminUnit, Edition
from grids.incidents import asking
from grids.incidents.responsibility import REASONS, Answer, Candidate, Nearest
from grids.locating.facts import EditionFacts, GridFacts, UnitFacts
from grids.models import GridShape
from grids.people.answering import Responsible
from grids.people.roster import VERDICTS, Considered, Department


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
    def of(cls, unit: AdminUnit | UnitFacts) -> Unit:
        """From the table's row."""
        return cls(code=unit.code, level=unit.level, name=unit.name, name_en=unit.name_en)


class EditionBrief(BaseModel):
    """Which edition of grids an answer is from."""

    id: int
    title: str
    valid_from: datetime | None

    @classmethod
    def of(cls, edition: Edition | EditionFacts) -> EditionBrief:
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
    def of(
        cls, shape: GridShape | GridFacts, kind: Literal["base", "micro", "exclusive"] = "base"
    ) -> GridBrief:
        """From the table's row."""
        return cls(
            kind=kind,
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
    answers_for: Literal["grid", "exclusive_grid", "micro_grid", "unit", "department"] = "grid"
    code: str | None = Field(default=None, description="Of the unit, or number of the department")

    @classmethod
    def of(
        cls, each: Responsible, *, exclusive: int | None = None, micro: int | None = None
    ) -> ResponsibleOut:
        """From the answer's row."""
        target: Literal["grid", "exclusive_grid", "micro_grid", "unit", "department"] = "grid"
        code = None
        if each.unit_code is not None:
            target, code = "unit", each.unit_code
        elif each.department_id is not None:
            target, code = "department", str(each.department_id)
        elif each.grid_id is not None and each.grid_id == exclusive:
            target = "exclusive_grid"
        elif each.grid_id is not None and each.grid_id == micro:
            target = "micro_grid"
        return cls(
            person_id=each.person_id,
            name=each.name,
            role=each.role,
            primary=each.is_primary,
            reason=Sentence.of(each.reason),
            answers_for=target,
            code=code,
        )


class DepartmentOut(BaseModel):
    """A department that a matter belongs to."""

    id: int
    name: str
    unit_code: str = Field(description="The unit it serves")
    attendance: Literal["resident", "rotating", "on_call"]
    leads: bool = Field(description="Leads the matter, else joins in")

    @classmethod
    def of(cls, each: Department, matter: str) -> DepartmentOut:
        """From the roster's row."""
        return cls.model_validate(
            {
                "id": each.id, "name": each.name, "unit_code": each.area,
                "attendance": each.attendance, "leads": each.matters[matter],
            }
        )  # fmt: skip


class ConsideredOut(BaseModel):
    """Somebody who could have been called, and what became of it."""

    person_id: uuid.UUID
    name: str
    role: str
    verdict: Sentence

    @classmethod
    def of(cls, each: Considered) -> ConsideredOut:
        """From the roster's row."""
        zh, en = VERDICTS[each.verdict]
        verdict = Sentence(code=each.verdict, zh=zh, en=en)
        return cls(person_id=each.person, name=each.name, role=each.role, verdict=verdict)


class DutiesOut(BaseModel):
    """Why these and no others: what an inspection asks."""

    mode: Literal["normal", "emergency"]
    considered: list[ConsideredOut] = Field(description="Within the caller's sight")


class PointOut(BaseModel):
    """A place in WGS 84, and the system it was given in."""

    lon: float
    lat: float
    crs: str = Field(description="The system it was given in")


class CandidateOut(BaseModel):
    """A grid that may hold the true place."""

    grid_id: int
    code: str
    name: str
    share: float = Field(description="Share of the position's probability, 0 to 1")

    @classmethod
    def of(cls, each: Candidate) -> CandidateOut:
        """From the answer's row."""
        return cls(grid_id=each.grid_id, code=each.code, name=each.name, share=each.share)


class BorderOut(BaseModel):
    """The stretch of the national border that a place lies across."""

    name: str
    distance_m: float


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
    as_of: datetime = Field(
        description="When the server last knew it to be so: now, unless its database is away"
    )
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
    ask_back_text: str | None = Field(
        default=None,
        description="What to ask whoever told the place, in the language of Accept-Language "
        "(zh or en): where it may lie in two grids, or lies across the national border",
    )
    border: BorderOut | None = Field(
        default=None, description="Only across the national border, up to 50 km"
    )
    nearest: NearestOut | None = Field(description="Only outside all grids")
    micro: GridBrief | None = Field(
        default=None, description="The micro grid that the place lies in"
    )
    exclusive: GridBrief | None = Field(
        None, description="The exclusive grid over it, whose people come first"
    )
    departments: list[DepartmentOut] = Field(
        default=[], description="Only when a category was given"
    )
    explanation: DutiesOut | None = Field(
        default=None, description="Only when asked for by explain"
    )

    @classmethod
    def of(
        cls,
        answer: Answer,
        crs: str,
        matter: str | None = None,
        *,
        as_of: datetime | None = None,
        language: asking.Language = "zh",
    ) -> LocateOut:
        """From the service's answer."""
        over = {
            kind: grid.grid_id
            for kind, grid in (("exclusive", answer.exclusive), ("micro", answer.micro))
            if grid is not None
        }
        return cls(
            at=answer.at,
            as_of=as_of or datetime.now(UTC),
            point=PointOut(lon=answer.lon, lat=answer.lat, crs=crs),
            inside=answer.grid is not None,
            grid=GridBrief.of(answer.grid) if answer.grid else None,
            edition=EditionBrief.of(answer.edition) if answer.edition else None,
            units=[Unit.of(unit) for unit in answer.units],
            responsible=[ResponsibleOut.of(each, **over) for each in answer.responsible],
            reason=Sentence.of(answer.reason),
            distance_to_border_m=answer.distance_to_border_m,
            confidence=answer.confidence,
            candidates=[CandidateOut.of(each) for each in answer.candidates],
            ask_back=answer.ask_back,
            ask_back_text=asking.sentence(answer, language),
            border=BorderOut(name=answer.across.name, distance_m=answer.across.distance_m)
            if answer.across
            else None,
            nearest=NearestOut.of(answer.nearest) if answer.nearest else None,
            micro=GridBrief.of(answer.micro, "micro") if answer.micro else None,
            exclusive=GridBrief.of(answer.exclusive, "exclusive") if answer.exclusive else None,
            departments=[DepartmentOut.of(each, matter or "") for each in answer.departments],
            explanation=DutiesOut(
                mode="emergency" if answer.duties.is_emergency else "normal",
                considered=[ConsideredOut.of(each) for each in answer.duties.considered],
            )
            if answer.duties
            else None,
        )
