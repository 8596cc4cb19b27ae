"""Departments that an incident may be sent to, and the matters that they answer for."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated, Literal

from fastapi import APIRouter, Query
from pydantic import BaseModel, Field

from api.auth import Access, needs
from grids.people import duty

if TYPE_CHECKING:
    from collections.abc import Mapping

    from grids.people.models import Department

router = APIRouter(prefix="/api/v1/departments", tags=["people"])


class MatterOut(BaseModel):
    """A category of incidents that a department answers for."""

    category: str
    is_lead: bool = Field(description="It leads them; false: it joins in")


class DepartmentOut(BaseModel):
    """A department in force."""

    id: int = Field(description="As `lead_department` and `joint_departments` of a step take it")
    name: str
    area_code: str = Field(description="The unit that it serves, with all beneath")
    attendance: Literal["resident", "rotating", "on_call"]
    matters: list[MatterOut]

    @classmethod
    def of(cls, row: Department, matters: Mapping[str, bool]) -> DepartmentOut:
        """From the row, and its categories."""
        return cls.model_validate(
            {
                "id": row.id, "name": row.name, "area_code": row.area_code,
                "attendance": row.attendance,
                "matters": [
                    {"category": category, "is_lead": leads}
                    for category, leads in sorted(matters.items())
                ],
            }
        )  # fmt: skip


class DepartmentsOut(BaseModel):
    """Departments by area and name."""

    items: list[DepartmentOut]


@router.get("", summary="Departments that a case may be sent to")
def departments(
    access: Annotated[Access, needs("incidents.step")],
    area: Annotated[
        str,
        Query(
            pattern=r"^([0-9]{6}|[0-9]{9}|[0-9]{12})?$",
            description="`area_code` of an incident: only those that serve it",
            examples=["990121101001"],
        ),
    ] = "",
) -> DepartmentsOut:
    """Those in force now, of the caller's area and of the units above it. Names no person."""
    known = duty.matters(access.session)
    rows = duty.serving(access.session, datetime.now(UTC), area)
    return DepartmentsOut(items=[DepartmentOut.of(each, known.get(each.id, {})) for each in rows])
