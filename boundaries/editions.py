"""Editions of grids: draft, then active, then superseded; and which was valid when."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import Range

from boundaries.errors import EditionConflict, EditionNotFound
from boundaries.models import Edition

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sqlalchemy.orm import Session


def get(session: Session, edition_id: int) -> Edition:
    """The edition of this number.

    Raises
    ------
    EditionNotFound
        There is none.
    """
    edition = session.get(Edition, edition_id)
    if edition is None:
        raise EditionNotFound(f"there is no edition {edition_id}")
    return edition


def in_force(session: Session, at: datetime, *, kind: str = "base") -> Sequence[Edition]:
    """Published editions valid at that moment, one per area."""
    statement = (
        sa.select(Edition)
        .where(Edition.kind == kind, Edition.status != "draft", Edition.valid.contains(at))
        .order_by(Edition.area_code)
    )
    return session.scalars(statement).all()


def overlapping(session: Session, area_code: str, kind: str, at: datetime) -> Sequence[Edition]:
    """Published editions that share ground with an area at that moment or later."""
    statement = sa.select(Edition).where(
        Edition.kind == kind,
        Edition.status != "draft",
        Edition.valid.overlaps(Range(at, None)),
        sa.func.wangge_code_range(Edition.area_code).op("&&")(sa.func.wangge_code_range(area_code)),
    )
    return session.scalars(statement).all()


def _way_out(old: Edition, edition: Edition) -> str:
    """How grids of a part of an area can come into force where an edition of the whole is."""
    if edition.kind != "base":
        return f"publish an edition of {old.area_code}"
    return (
        f"put it into one of {old.area_code}, whose other grids stay as they are, and publish "
        f"that: wangge plan branch {old.id} --part {edition.id}"
    )


def activate(session: Session, edition: Edition, *, approver: str, at: datetime) -> list[Edition]:
    """Put a draft in force from ``at`` on and close the edition it replaces.

    Returns
    -------
    list of Edition
        What it replaced: none the first time, else one of the same area, or those of its parts.

    Raises
    ------
    EditionConflict
        It is no draft, or an edition of a larger area is in force.
    """
    if edition.status != "draft":
        raise EditionConflict(f"edition {edition.id} is {edition.status}, not a draft")
    replaced = list(overlapping(session, edition.area_code, edition.kind, at))
    for old in replaced:
        if not old.area_code.startswith(edition.area_code):
            raise EditionConflict(
                f"edition {old.id} of area {old.area_code} is in force and shares ground with "
                f"{edition.area_code}: {_way_out(old, edition)}"
            )
        begins = old.valid.lower if old.valid else None
        if begins is not None and begins >= at:
            raise EditionConflict(
                f"edition {old.id} of {old.area_code} is in force from {begins.isoformat()} on: "
                "a new one can only begin after that"
            )
        if old.valid is not None and old.valid.upper is not None:
            raise EditionConflict(
                f"edition {old.id} is in force until {old.valid.upper.isoformat()}, when another "
                "takes its place: a new one can only begin after that"
            )
        old.valid = Range(begins, at)
        old.status = "superseded"
    session.flush()  # before the new one: no moment may have two
    edition.status, edition.approver = "active", approver
    edition.published_at = datetime.now(UTC)  # when it was decided, not from when it holds
    edition.valid = Range(at, None)
    session.flush()
    return replaced
