"""Go back to the edition before the one in force, by a copy of it."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Final

import sqlalchemy as sa

from boundaries import editions
from boundaries.models import Edition
from gis import audit
from grids import service, succession
from grids.checking import check, unnested
from grids.errors import RollbackRefused, TilingBroken
from grids.models import GridShape

if TYPE_CHECKING:
    from sqlalchemy.orm import Session

    from grids.service import Published

PERIOD: Final = timedelta(days=90)
"""For so long one person may go back to the base grids before; afterwards that is a plan like
another, which somebody else approves."""


def roll_back(session: Session, edition_id: int, *, actor: str, note: str = "") -> Published:
    """Go back to the edition before this one, by a copy that is in force from now on.

    What the edition answered while it was in force stays as it was.

    Raises
    ------
    RollbackRefused
        It is not the one in force, there is none before it, or its base grids are in force
        for longer than `PERIOD`.
    """
    edition = editions.get(session, edition_id)
    now = datetime.now(UTC)
    first, last = (edition.valid.lower, edition.valid.upper) if edition.valid else (None, None)
    if edition.status != "draft" and first is not None and first > now:
        raise RollbackRefused(
            f"edition {edition.id} is in force from {first.isoformat()} on: before that there is "
            f"nothing to roll back, but it can be withdrawn: wangge plan withdraw {edition.id}"
        )
    if edition.status == "superseded" and last is not None and last > now:
        raise RollbackRefused(
            f"edition {edition.id} is in force until {last.isoformat()}, when another takes its "
            "place: until then nothing else can"
        )
    if edition.status != "active":
        raise RollbackRefused(
            f"edition {edition.id} is {edition.status}: only the one in force can be rolled back"
        )
    before = session.scalars(
        sa.select(Edition)
        .where(
            Edition.area_code == edition.area_code,
            Edition.kind == edition.kind,
            Edition.status == "superseded",
        )
        .order_by(sa.func.upper(Edition.valid).desc())
        .limit(1)
    ).first()
    if before is None:
        raise RollbackRefused(
            f"there is no edition of {edition.area_code} before {edition.id}"
            + _of_parts(session, edition)
        )
    if edition.kind == "base" and first is not None and now - first > PERIOD:
        raise RollbackRefused(
            f"edition {edition.id} is in force since {first.isoformat()}, for more than "
            f"{PERIOD.days} days: work has settled in its grids, and one person cannot "
            "undo that. Have a branch of the edition before approved: "
            f"wangge plan branch {before.id}"
        )
    copy = Edition(
        area_code=before.area_code,
        kind=before.kind,
        title=before.title,
        rules=before.rules,
        note=note or f"back to edition {before.id}",
        based_on_id=before.id,
        author=actor,
    )
    session.add(copy)
    session.flush()
    service.copy_rows(session, before.id, copy.id)
    succession.record(session, copy, edition)
    at = datetime.now(UTC)
    # The ground below may have changed since: what lay rightly over it then need not do so now.
    if copy.kind != "base" and (problems := check(session, copy, at)):
        raise TilingBroken(problems)
    replaced = editions.activate(session, copy, approver=actor, at=at)
    loose = unnested(session, copy, at) if copy.kind == "base" else []
    total = session.scalar(sa.select(sa.func.count()).where(GridShape.edition_id == copy.id))
    audit.record(
        session,
        actor=actor,
        action="edition.rollback",
        object_kind="edition",
        object_id=copy.id,
        county_code=copy.county_code,
        rolled_back=edition.id,
        back_to=before.id,
        unnested=len(loose),
    )
    return service.Published(
        copy,
        replaced,
        int(total or 0),
        int(total or 0),
        service.unassigned(session, copy, at),
        loose,
    )


def _of_parts(session: Session, edition: Edition) -> str:
    """How to come back to the editions of parts that an edition took the place of, if it did."""
    parts = session.scalars(
        sa.select(Edition.id)
        .where(
            Edition.area_code.startswith(edition.area_code),
            Edition.kind == edition.kind,
            sa.func.upper(Edition.valid) == (edition.valid.lower if edition.valid else None),
        )
        .order_by(Edition.area_code)
    ).all()
    if not parts or edition.kind != "base":
        return ""
    return (
        f": it took the place of editions of its parts ({', '.join(map(str, parts))}). Put the "
        f"grids of each into a branch of it, then of that branch, and publish the last: "
        f"wangge plan branch {edition.id} --part {parts[0]}"
    )
