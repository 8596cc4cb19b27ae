"""Incidents that may be one, and places that have them again and again: offered, never merged."""

from __future__ import annotations

import uuid
from collections import Counter
from datetime import UTC, datetime, timedelta
from typing import Annotated, Final

from fastapi import APIRouter, Path, Query

from api.auth import Access, needs
from api.dependencies import PeriodIn
from api.routes.incidents import IncidentId
from api.schemas.incident_duplicates import (
    DuplicateOut,
    DuplicatesOut,
    RepeatOut,
    RepeatsOut,
    UnlikeIn,
    UnlikeOut,
)
from gis import audit
from grids.incidents import duplicates as looking
from grids.incidents import unlike

router = APIRouter(prefix="/api/v1/incidents", tags=["incidents"])
MAX_PAGE: Final = 500
LATELY: Final = timedelta(days=90)
# What was said takes part in the comparison.
Reading = Annotated[Access, needs("incidents.detail")]


@router.get("/repeats", summary="Addresses with several incidents")
def repeats(
    access: Reading,
    period: PeriodIn,
    by: Annotated[
        looking.By,
        Query(description="The address as told, the building, or a place of 300 m2"),
    ] = "address",
    category: Annotated[
        list[str] | None, Query(description="May be repeated", examples=[["neighbour"]])
    ] = None,
    fewest: Annotated[int, Query(ge=2, le=1000, description="Incidents at least")] = looking.FEWEST,
    limit: Annotated[int, Query(ge=1, description="At most 500; more is cut to that")] = 100,
    cursor: Annotated[
        str | None, Query(max_length=4000, description="`next` of the page before")
    ] = None,
) -> RepeatsOut:
    """By report time; the last 90 days when no period is given. Merged ones count once."""
    end = period[1] or datetime.now(UTC)
    start = period[0] or end - LATELY
    found, following = looking.repeats(
        access.session,
        start=start,
        end=end,
        by=by,
        categories=tuple(category or ()),
        fewest=fewest,
        limit=min(limit, MAX_PAGE),
        cursor=cursor,
    )
    counts: Counter[str] = Counter()
    for each in found:
        counts[each.county_code] += each.count
    audit.read(
        access.session,
        object_kind="incident",
        fields=("address", "place"),
        counts=counts,
        action="search",
        start=start,
        end=end,
        by=by,
        category=[each for each in category or () if audit.is_code(each)] or None,
    )
    return RepeatsOut(items=[RepeatOut.of(each) for each in found], next=following)


@router.get(
    "/{incident_id}/duplicates",
    summary="Incidents that may be the same",
    responses={404: {"description": "There is no such incident in the caller's sight"}},
)
def duplicates(
    incident_id: IncidentId,
    access: Reading,
    threshold: Annotated[
        float, Query(ge=0, le=1, allow_inf_nan=False, description="Least probability")
    ] = looking.THRESHOLD,
    limit: Annotated[int, Query(ge=1, le=100)] = 20,
) -> DuplicatesOut:
    """By place, time, category and what was said, each part with its share in the score.

    Somebody who finds them the same merges one: the step ``merged`` with the other's id.
    """
    found = looking.duplicates(access.session, incident_id, threshold=threshold, limit=limit)
    audit.read(
        access.session,
        object_kind="incident",
        fields=("place", "text", "address"),
        seen=[(each.incident.id, each.incident.area_code) for each in found],
        action="compare",
        like=incident_id,
    )
    return DuplicatesOut(items=[DuplicateOut.of(each) for each in found], threshold=threshold)


@router.put(
    "/{incident_id}/duplicates/{other_id}",
    summary="Say that two incidents are not the same",
    responses={404: {"description": "One of them is not in the caller's sight"}},
)
def say_unlike(
    incident_id: IncidentId,
    other_id: Annotated[uuid.UUID, Path(examples=["0b1c2d3e-4f50-4a61-8b72-93a4b5c6d7e8"])],
    body: UnlikeIn,
    access: Annotated[Access, needs("incidents.step")],
) -> UnlikeOut:
    """The pair is no longer offered, from either side, until somebody takes it back.

    It stands as a note in the history of the first. Said again, nothing is added.
    """
    word = unlike.say(
        access.session,
        incident_id,
        other_id,
        unlike=body.unlike,
        actor=access.actor,
        note=body.note,
    )
    return UnlikeOut.of(word)
