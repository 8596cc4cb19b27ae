"""Shapes of editions."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Literal, Self

from pydantic import BaseModel, ConfigDict, Field

if TYPE_CHECKING:
    from boundaries.models import Edition
    from gis.errors import Problem

Kind = Literal["base", "micro", "exclusive"]


class EditionOut(BaseModel):
    """A dated, complete set of grids of one kind of an area."""

    id: int
    area_code: str
    kind: Kind
    status: Literal["draft", "active", "superseded", "withdrawn"]
    title: str
    note: str
    valid_from: datetime | None
    valid_until: datetime | None
    based_on: int | None
    grids: int
    withdrawn_at: datetime | None = Field(
        description="When it was taken back, before it came into force; it never was in force"
    )
    withdrawn_by: str | None
    withdrawn_note: str

    @classmethod
    def of(cls, edition: Edition, grids: int) -> Self:
        """From the row and the number of its grids."""
        return cls.model_validate(
            {
                "id": edition.id,
                "area_code": edition.area_code,
                "kind": edition.kind,
                "status": edition.status,
                "title": edition.title,
                "note": edition.note,
                "valid_from": edition.valid.lower if edition.valid else None,
                "valid_until": edition.valid.upper if edition.valid else None,
                "based_on": edition.based_on_id,
                "grids": grids,
                "withdrawn_at": edition.withdrawn_at,
                "withdrawn_by": edition.withdrawn_by,
                "withdrawn_note": edition.withdrawn_note or "",
            }
        )


class EditionsOut(BaseModel):
    """Some editions, the newest first; ``next`` asks for those before them."""

    items: list[EditionOut]
    next: int | None


class BreachOut(BaseModel):
    """A rule that grids break, and what to do."""

    reason: str
    remedy: str

    @classmethod
    def of(cls, each: Problem) -> Self:
        """From what was found."""
        return cls(reason=each.reason, remedy=each.remedy)


class WithdrawnOut(BaseModel):
    """An edition that was taken back before its day."""

    edition: int
    effective: datetime = Field(description="From when on it would have been in force")
    going_on: list[int] = Field(description="Editions that go on, which it was to replace")


class RollbackIn(BaseModel):
    """Why."""

    model_config = ConfigDict(extra="forbid", json_schema_extra={"example": {"note": "as before"}})

    note: str = Field(default="", max_length=1000)
