"""Exports: asked for with a purpose, approved by somebody else when large, marked and counted."""

from __future__ import annotations

import uuid
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Final, Literal

import sqlalchemy as sa

from gis import audit
from gis.errors import BadInput, Conflict, Forbidden, NotFound, Problem
from maps.exports import collections
from maps.exports.collections import Filters
from maps.exports.models import Export
from maps.exports.writing import MEDIA_TYPES, write

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sqlalchemy.orm import Session

    from boundaries.access import Caller

Format = Literal["csv", "xlsx", "geojson", "gpkg"]
SHORTEST_PURPOSE: Final = 8
LASTS: Final = timedelta(hours=24)
MOST_ROWS: Final = 200_000
"""One file holds no more; a larger extract is a backup, and has its own command."""


class ExportNotFound(NotFound):
    """There is no such export, or it is somebody else's."""


class ExportNotReady(Conflict):
    """It waits for approval, was refused, or has expired."""


def ask(
    session: Session,
    caller: Caller,
    name: str,
    form: Format,
    filters: Filters,
    *,
    purpose: str,
    shared: bool,
    free_rows: int,
    timezone: str = "Asia/Shanghai",
) -> Export:
    """Ask for an export; up to ``free_rows`` rows it is ready, above it waits for approval.

    Parameters
    ----------
    timezone
        IANA name of the zone that the weeks of a shared export are cut in.

    Raises
    ------
    BadInput
        Unknown collection, a purpose that says nothing, too many rows, a form that cannot be
        shared, no finished quarter to share.
    NotAllowed
        The caller may not see the collection.
    """
    wanted = collections.collection(name)
    for right in wanted.rights:
        caller.require(right)
    problems = []
    said = " ".join(purpose.split())
    if len(said) < SHORTEST_PURPOSE:
        problems.append(
            Problem(
                "the purpose is too short to be understood later",
                f"Say in {SHORTEST_PURPOSE} characters or more what the file is needed for",
                field="purpose",
            )
        )
    if shared and not wanted.may_be_shared:
        problems.append(
            Problem(
                f"{wanted.name_en} never leave the case team", "Leave 'shared' out", field="shared"
            )
        )
    if shared and wanted.table == "incidents":
        filters = collections.shareable(filters, timezone=timezone, now=datetime.now(UTC))
    rows = collections.count(session, name, filters)
    if rows > MOST_ROWS:
        problems.append(
            Problem(
                f"{rows:,} rows are more than one file holds ({MOST_ROWS:,})",
                "Choose a shorter period or a smaller unit",
                field="filters",
            )
        )
    if problems:
        raise BadInput(problems)
    export = Export(
        login=caller.login,
        area_code=caller.scope.area,
        collection=name,
        format=form,
        filters=filters.as_json(),
        is_shared=shared,
        purpose=said,
        rows=rows,
        state="ready" if rows <= free_rows else "waiting",
        expires_at=datetime.now(UTC) + LASTS,
    )
    session.add(export)
    session.flush()
    audit.record(
        session,
        actor=caller.login,
        action="export.ask",
        object_kind="export",
        object_id=export.id,
        collection=name,
        count=rows,
        shared=shared,
        state=export.state,
        purpose=said,
    )
    return export


def listed(session: Session, *, limit: int) -> Sequence[Export]:
    """The caller's exports, and those it may approve, newest first."""
    statement = sa.select(Export).order_by(Export.created_at.desc(), Export.id).limit(limit)
    return session.scalars(statement).all()


def get(session: Session, export_id: uuid.UUID) -> Export:
    """One entry of the register.

    Raises
    ------
    ExportNotFound
        There is none within the caller's sight.
    """
    export = session.get(Export, export_id)
    if export is None:
        raise ExportNotFound(f"there is no export {export_id}")
    return export


def decide(
    session: Session, caller: Caller, export_id: uuid.UUID, *, approve: bool, note: str
) -> Export:
    """Approve or refuse an export that waits; never one's own.

    Raises
    ------
    ExportNotFound
        There is none within the caller's sight.
    Forbidden
        It is the caller's own.
    Conflict
        It was decided before.
    """
    answer = session.scalar(
        sa.text("SELECT wangge_decide_export(:id, :decider, :approve, :note, :lasts)"),
        {
            "id": export_id,
            "decider": caller.login,
            "approve": approve,
            "note": note,
            "lasts": LASTS,
        },
    )
    if answer == "unknown":
        raise ExportNotFound(f"there is no export {export_id}")
    if answer == "own":
        raise Forbidden("somebody else has to approve it")
    if answer != "decided":
        raise Conflict(f"export {export_id} does not wait for approval: it is {answer}")
    audit.record(
        session,
        actor=caller.login,
        action="export.approve" if approve else "export.refuse",
        object_kind="export",
        object_id=export_id,
        purpose=note,
    )
    export = get(session, export_id)
    session.refresh(export)
    return export


def fetch(session: Session, caller: Caller, export_id: uuid.UUID) -> tuple[Export, bytes]:
    """The file of one's own export, made now from what the caller may see now.

    Raises
    ------
    ExportNotFound
        There is none, or it is somebody else's.
    ExportNotReady
        It waits, was refused, has expired, or has grown beyond what was approved.
    """
    export = get(session, export_id)
    if export.account_id != caller.account_id:
        raise ExportNotFound(f"there is no export {export_id}")
    if export.state != "ready":
        raise ExportNotReady(f"export {export_id} is {export.state}: {export.decision_note}")
    if export.expires_at <= datetime.now(UTC):
        raise ExportNotReady(f"export {export_id} has expired: ask again")
    for right in collections.collection(export.collection).rights:
        caller.require(right)
    filters = Filters.from_json(export.filters)
    rows = collections.count(session, export.collection, filters)
    if rows > export.rows:
        raise ExportNotReady(
            f"{rows} rows match by now and {export.rows} were asked for: ask again"
        )
    table = collections.read(session, caller, export.collection, filters, shared=export.is_shared)
    mark = {
        "id": str(export.id),
        "by": caller.login,
        "at": datetime.now(UTC).isoformat(timespec="seconds"),
        "purpose": export.purpose,
        "collection": export.collection,
        "rows": str(len(table.rows)),
        "shared": "yes" if export.is_shared else "no: for the case team only",
        "approved_by": export.decided_by or "",
        "crs": "EPSG:4326, longitude first",
    }
    content = write(table, export.format, mark)
    session.execute(
        sa.update(Export)
        .where(Export.id == export.id)
        .values(downloads=Export.downloads + 1)
        .execution_options(synchronize_session=False)
    )
    audit.record(
        session,
        actor=caller.login,
        action="export.fetch",
        object_kind="export",
        object_id=export.id,
        collection=export.collection,
        count=len(table.rows),
        fields=table.columns,
        shared=export.is_shared,
        purpose=export.purpose,
        bytes=len(content),
    )
    return export, content


def file_name(export: Export) -> str:
    """Name of the file: what it holds and its mark."""
    shared = "-shared" if export.is_shared else ""
    return f"wangge-{export.collection}{shared}-{str(export.id)[:8]}.{export.format}"


__all__ = ["MEDIA_TYPES", "Export", "ask", "decide", "fetch", "file_name", "get", "listed"]
