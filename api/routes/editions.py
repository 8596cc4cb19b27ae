"""Editions: what became of each grid when one took the place of another."""

from __future__ import annotations

from typing import Annotated, Final, Literal

from fastapi import APIRouter, Path, Query
from pydantic import BaseModel, Field

from api.auth import Access, needs
from boundaries import editions
from gis.errors import BadInput, Problem
from grids import succession

router = APIRouter(prefix="/api/v1/editions", tags=["plans"])
MAX_PAGE: Final = 5000


class SuccessionOut(BaseModel):
    """A grid of the edition before and one of this that share ground."""

    predecessor: str
    successor: str
    fate: Literal["kept", "merged", "split", "new"] = Field(
        description="Of this part: the same grid; into a grid that was there; to a new grid while "
        "the predecessor goes on; to a new grid, and the predecessor is gone"
    )
    households: int
    buildings: int
    area_m2: float


class LineageOut(BaseModel):
    """Some of them by code; ``next`` asks for those after them."""

    items: list[SuccessionOut]
    next: str | None


@router.get(
    "/{edition_id}/lineage",
    summary="What the grids of an edition come from",
    responses={404: {"description": "There is no such edition in the caller's area"}},
)
def lineage(
    edition_id: Annotated[int, Path(ge=1, le=2**53)],
    access: Annotated[Access, needs("grids.read")],
    code: Annotated[
        str | None, Query(pattern=r"^\d{1,20}$", description="Of one grid, before or since")
    ] = None,
    limit: Annotated[int, Query(ge=1, description="At most 5000; more is cut to that")] = 1000,
    cursor: Annotated[
        str | None, Query(max_length=50, description="`next` of the page before")
    ] = None,
) -> LineageOut:
    """As it was written down on publishing; counts are those of that day."""
    editions.get(access.session, edition_id)
    first, found, second = (cursor or "|").partition("|")
    if not found:
        raise BadInput(Problem("this is no cursor", "Send `next` as it came", field="cursor"))
    size = min(limit, MAX_PAGE)
    rows = succession.lineage(
        access.session, edition_id, code=code, after=(first, second), limit=size + 1
    )
    shown = rows[:size]
    last = f"{shown[-1].predecessor}|{shown[-1].successor}" if len(rows) > size else None
    return LineageOut(
        items=[
            SuccessionOut(
                predecessor=each.predecessor,
                successor=each.successor,
                fate=each.fate,
                households=each.households,
                buildings=each.buildings,
                area_m2=each.area_m2,
            )
            for each in shown
        ],
        next=last,
    )
