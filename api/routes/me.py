"""What is kept of the caller's own person: where they were on duty, and who looked."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Literal

from fastapi import APIRouter, Query, Response
from pydantic import BaseModel, Field

from api.auth import Access, needs
from api.dependencies import PeriodIn
from api.schemas.tracks import TrackPage
from gis.audit import looks
from grids.patrols import tracks

router = APIRouter(prefix="/api/v1/me", tags=["me"])
MAX_PATROLS = 50
MAX_LOOKS = 1000


class LookOut(BaseModel):
    """Somebody looked: when, as what, who, in which way, at what, and what for."""

    id: int
    at: datetime
    role: str | None = Field(description="`owner` is whoever runs the server's command line")
    name: str
    action: str = Field(examples=["read", "person.reveal"])
    object_kind: Literal["person", "patrol", "tile"] = Field(
        description="A tile shows routes and when each was walked last, and names nobody"
    )
    fields: list[str] = Field(description="Names of the fields that were shown")
    purpose: str = Field(description="As it was said; '(erased)' where the words are gone")


class LookPage(BaseModel):
    """Looks, newest first."""

    items: list[LookOut]
    next: int | None = Field(description="`cursor` of the next page; null on the last one")


@router.get("/tracks", summary="One's own patrols with their fixes, newest first")
def own_tracks(
    access: Annotated[Access, needs("tracks.own")],
    period: PeriodIn,
    response: Response,
    limit: Annotated[int, Query(ge=1, description="Patrols; at most 50, more is cut to that")] = 10,
    cursor: Annotated[
        str | None, Query(max_length=40, description="`next` of the page before")
    ] = None,
) -> TrackPage:
    """Whole patrols of the caller's own person that went on at some time of the period."""
    response.headers["Cache-Control"] = "no-store"
    found, following = tracks.own(
        access.session,
        access.caller.person_id,
        start=period[0],
        end=period[1],
        limit=min(limit, MAX_PATROLS),
        cursor=cursor,
    )
    return TrackPage.of(found, kept_days=tracks.kept_days(access.session), following=following)


@router.get("/looks", summary="Who looked at one's tracks, patrols, phone or id number")
def own_looks(
    access: Annotated[Access, needs(heavy=True)],
    response: Response,
    limit: Annotated[int, Query(ge=1, description="At most 1000; more is cut to that")] = 100,
    cursor: Annotated[
        int | None, Query(ge=1, le=2**63 - 1, description="`next` of the page before")
    ] = None,
) -> LookPage:
    """As long as the audit log is kept, newest first; one's own looks are left out."""
    response.headers["Cache-Control"] = "no-store"
    found, following = looks.page(access.session, limit=min(limit, MAX_LOOKS), before=cursor)
    return LookPage(
        items=[
            LookOut.model_validate({name: getattr(each, name) for name in LookOut.model_fields})
            for each in found
        ],
        next=following,
    )
