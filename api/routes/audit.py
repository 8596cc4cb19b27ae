"""The audit log, for the audit administrator of an area."""

from __future__ import annotations

import uuid
from datetime import datetime
from typing import Annotated, Any

from fastapi import APIRouter, Query, Response
from pydantic import BaseModel, Field

from api.auth import Access, needs
from api.dependencies import PeriodIn
from gis.audit import listing

router = APIRouter(prefix="/api/v1/audit", tags=["audit"])
MAX_PAGE = 1000


class AuditEntryOut(BaseModel):
    """Who, as what, where from, did what to which objects, and which of their fields."""

    id: int
    stream: str = Field(description="The chain it stands in: county, month and shard")
    seq: int = Field(description="Its place there, from 1")
    at: datetime
    actor: str = Field(description="Login, or the system's user on the command line")
    account_id: uuid.UUID | None
    role: str | None
    scope: str | None = Field(description="Area of the account, then those granted to it")
    purpose: str = Field(description="What for; '(erased)' where the words are gone")
    action: str = Field(examples=["read", "incident.step"])
    object_kind: str = Field(examples=["incident"])
    object_id: str = Field(description="Empty where it is about several, or none")
    county_code: str | None
    fields: list[str] = Field(description="Names of the fields that were shown or changed")
    count: int | None = Field(description="How many objects")
    origin: str = Field(description="Network address, or os:NAME")
    session_id: uuid.UUID | None
    key_id: uuid.UUID | None
    detail: dict[str, Any] = Field(description="Ids, codes and counts; never what a field holds")
    hash: str = Field(description="SHA-256 of the entry before it and of this one, hex")


class AuditPage(BaseModel):
    """Entries, newest first."""

    items: list[AuditEntryOut]
    next: int | None = Field(description="`before` of the next page; null on the last one")


@router.get("", summary="Who saw and changed what, newest first")
def index(
    access: Annotated[Access, needs("audit.read")],
    response: Response,
    period: PeriodIn,
    actor: Annotated[str | None, Query(max_length=200)] = None,
    action: Annotated[
        str | None, Query(max_length=200, description="`incident.` for every action on incidents")
    ] = None,
    object_kind: Annotated[str | None, Query(max_length=200)] = None,
    object_id: Annotated[str | None, Query(max_length=200)] = None,
    limit: Annotated[int, Query(ge=1, description="At most 1000; more is cut to that")] = 100,
    before: Annotated[
        int | None, Query(ge=1, le=2**63 - 1, description="`next` of the page before")
    ] = None,
) -> AuditPage:
    """Entries of the caller's area. Reading them is an entry, too."""
    response.headers["Cache-Control"] = "no-store"
    wanted = listing.Filter(
        actor=actor,
        action=action,
        object_kind=object_kind,
        object_id=object_id,
        start=period[0],
        end=period[1],
    )
    found = listing.page(access.session, wanted, limit=min(limit, MAX_PAGE), before=before)
    return AuditPage(
        items=[
            AuditEntryOut(
                **{name: getattr(each, name) for name in AuditEntryOut.model_fields}
                | {
                    "purpose": found.purpose_of(each),
                    "fields": each.fields.split(",") if each.fields else [],
                    "hash": each.hash.hex(),
                }
            )
            for each in found.entries
        ],
        next=found.following,
    )
