"""Take an edition back that was published for a later day, before that day."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, NamedTuple

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import Range

from boundaries.errors import EditionNotFound
from boundaries.models import Edition
from gis import audit
from grids.errors import WithdrawalRefused

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sqlalchemy.orm import Session


class Withdrawn(NamedTuple):
    """What was taken back: the edition, from when it would have held, and what goes on instead."""

    edition: Edition
    effective: datetime
    going_on: Sequence[Edition]


def withdraw(session: Session, edition_id: int, *, actor: str, note: str = "") -> Withdrawn:
    """Take back an edition whose day has not come; the one that it was to replace goes on.

    It stays, as ``withdrawn``, with who published it and who took it back, and was in force at no
    moment. Its grids can be worked on in a branch.

    Raises
    ------
    EditionNotFound
        There is none.
    WithdrawalRefused
        It is a draft, was withdrawn, holds or held already, or a later one is to follow it.
    """
    edition = session.scalars(
        sa.select(Edition)
        .where(Edition.id == edition_id)
        .with_for_update()
        .execution_options(populate_existing=True)
    ).one_or_none()
    if edition is None:
        raise EditionNotFound(f"there is no edition {edition_id}")
    begins = _to_come(session, edition)
    before = session.scalars(
        sa.select(Edition)
        .where(
            Edition.area_code.startswith(edition.area_code),
            Edition.kind == edition.kind,
            Edition.status == "superseded",
            sa.func.upper(Edition.valid) == begins,
        )
        .with_for_update()
    ).all()
    edition.status, edition.valid = "withdrawn", Range(empty=True)
    edition.withdrawn_at, edition.withdrawn_by = datetime.now(UTC), actor
    edition.withdrawn_note = note
    session.flush()  # before the others: no moment may have two
    for old in before:
        old.status, old.valid = "active", Range(old.valid.lower if old.valid else None, None)
    session.flush()
    audit.record(
        session,
        actor=actor,
        action="edition.withdraw",
        object_kind="edition",
        object_id=edition.id,
        county_code=edition.county_code,
        effective=begins.isoformat(),
        going_on=[old.id for old in before],
        kind=edition.kind,
    )
    return Withdrawn(edition, begins, before)


def _to_come(session: Session, edition: Edition) -> datetime:
    """From when an edition holds, if that is still to come and nothing is to follow it."""
    number, now = edition.id, datetime.now(UTC)
    if edition.status == "draft":
        raise WithdrawalRefused(f"edition {number} is a draft: it was not published")
    if edition.withdrawn_at is not None:
        raise WithdrawalRefused(
            f"edition {number} was withdrawn by {edition.withdrawn_by} at "
            f"{edition.withdrawn_at.isoformat(' ', 'seconds')}"
        )
    begins = edition.valid.lower if edition.valid else None
    if begins is None or begins <= now:
        raise WithdrawalRefused(
            f"edition {number} is {edition.status} and not still to come: 'wangge plan rollback' "
            "goes back from the one in force"
        )
    if edition.status == "superseded":
        follower = session.scalar(
            sa.select(Edition.id).where(
                Edition.area_code == edition.area_code,
                Edition.kind == edition.kind,
                sa.func.lower(Edition.valid) == (edition.valid.upper if edition.valid else None),
            )
        )
        raise WithdrawalRefused(
            f"edition {follower} is to take the place of edition {number}: withdraw that one first"
        )
    return begins
