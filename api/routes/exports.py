"""Exports: files that leave the installation, with a purpose, a mark and, if large, approval."""

from __future__ import annotations

import uuid
from datetime import datetime
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Query, Response
from pydantic import AwareDatetime, BaseModel, ConfigDict, Field

from api.auth import Access, needs
from api.dependencies import SettingsIn
from maps.exports import service
from maps.exports.collections import COLLECTIONS, Filters

router = APIRouter(prefix="/api/v1/exports", tags=["exports"])
Asking = Annotated[Access, needs("exports.make")]
Either = Annotated[Access, needs("exports.make", "exports.approve")]


class FiltersIn(BaseModel):
    """Which rows; empty means all that the caller may see."""

    model_config = ConfigDict(extra="forbid")

    start: AwareDatetime | None = Field(default=None, description="First moment, of incidents")
    end: AwareDatetime | None = Field(default=None, description="First moment after it")
    categories: list[Annotated[str, Field(max_length=64)]] = Field(default=[], max_length=100)
    unit: str | None = Field(
        default=None, pattern="^([0-9]{6}|[0-9]{9}|[0-9]{12})$", description="And all below it"
    )


class ExportIn(BaseModel):
    """What is wanted, and what for."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={
            "example": {
                "collection": "incident_counts",
                "format": "xlsx",
                "filters": {"start": "2026-01-01T00:00:00+08:00"},
                "purpose": "monthly report to the league",
                "shared": True,
            }
        },
    )

    collection: Literal[tuple(COLLECTIONS)]  # type: ignore[valid-type]
    format: service.Format = "xlsx"
    filters: FiltersIn = FiltersIn()
    purpose: str = Field(max_length=500, description="An approver and an auditor read it")
    shared: bool = Field(
        default=False,
        description="In the form that may leave the case team: small counts hidden, no exact place",
    )


class DecisionIn(BaseModel):
    """Approve it or not, and why."""

    model_config = ConfigDict(extra="forbid")

    approve: bool
    note: str = Field(default="", max_length=500)


class ExportOut(BaseModel):
    """One entry of the register."""

    model_config = ConfigDict(from_attributes=True)

    id: uuid.UUID
    login: str
    collection: str
    format: str
    filters: dict[str, Any]
    is_shared: bool
    purpose: str
    rows: int
    state: Literal["ready", "waiting", "refused"]
    decided_by: str | None
    decided_at: datetime | None
    decision_note: str
    created_at: datetime
    expires_at: datetime
    downloads: int


@router.post("", status_code=201, summary="Ask for an export")
def ask(body: ExportIn, access: Asking, settings: SettingsIn, response: Response) -> ExportOut:
    """Ready at once up to a number of rows; above it, somebody else has to approve it."""
    export = service.ask(
        access.session,
        access.caller,
        body.collection,
        body.format,
        Filters(
            start=body.filters.start,
            end=body.filters.end,
            categories=tuple(body.filters.categories),
            unit=body.filters.unit,
        ),
        purpose=body.purpose,
        shared=body.shared,
        free_rows=settings.export_free_rows,
        timezone=settings.timezone,
    )
    response.headers["Location"] = f"/api/v1/exports/{export.id}"
    return ExportOut.model_validate(export)


@router.get("", summary="One's exports, and those that wait for one's approval")
def index(access: Either, limit: Annotated[int, Query(ge=1, le=1000)] = 100) -> list[ExportOut]:
    """Newest first."""
    return [ExportOut.model_validate(each) for each in service.listed(access.session, limit=limit)]


@router.get("/{export_id}", summary="One entry of the register")
def show(export_id: uuid.UUID, access: Either) -> ExportOut:
    """Of one's own, or one that may be approved."""
    return ExportOut.model_validate(service.get(access.session, export_id))


@router.post("/{export_id}/decision", summary="Approve or refuse")
def decide(
    export_id: uuid.UUID,
    body: DecisionIn,
    access: Annotated[Access, needs("exports.approve")],
) -> ExportOut:
    """Nobody decides on their own."""
    export = service.decide(
        access.session, access.caller, export_id, approve=body.approve, note=body.note
    )
    return ExportOut.model_validate(export)


@router.get(
    "/{export_id}/file",
    summary="The file",
    response_class=Response,
    responses={200: {"content": {each: {} for each in service.MEDIA_TYPES.values()}}},
)
def file(export_id: uuid.UUID, access: Asking) -> Response:
    """Made now, of what the caller may see now, with its mark; every fetch is logged."""
    export, content = service.fetch(access.session, access.caller, export_id)
    return Response(
        content,
        media_type=service.MEDIA_TYPES[export.format],
        headers={
            "Content-Disposition": f'attachment; filename="{service.file_name(export)}"',
            "Cache-Control": "no-store",
        },
    )
