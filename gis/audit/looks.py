"""Who looked at one's own tracks, patrols, phone or id number."""

from __future__ import annotations

import uuid
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Final

import sqlalchemy as sa

from gis.audit.entries import own_area, read
from gis.errors import BadInput, Problem

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sqlalchemy.orm import Session

FIELDS: Final = ("action", "actor", "purpose", "role")


@dataclass(frozen=True, slots=True)
class Look:
    """Somebody looked: when, as what, who, in which way, at which fields, and what for.

    ``role`` is None for whoever had none; of the command line, it is ``owner``.
    """

    id: int
    at: datetime
    role: str | None
    name: str
    action: str
    object_kind: str
    fields: tuple[str, ...]
    purpose: str


def page(
    session: Session, *, limit: int, before: int | None = None
) -> tuple[Sequence[Look], int | None]:
    """A page of looks at the person of whoever was let in, newest first; an entry of its own.

    The database knows the person, and shows no entry that concerns somebody else alone. Looks of
    the person's own accounts are left out; where there is no person, there is no look.

    Parameters
    ----------
    before
        Only looks with a smaller id: what came back beside the page before, None after the last.

    Raises
    ------
    BadInput
        The limit is none.
    """
    if limit < 1:
        raise BadInput(Problem("the limit is not positive", "Give 1 or more", field="limit"))
    rows = session.execute(
        sa.text("SELECT * FROM wangge_looks(CAST(:before AS bigint), :most)"),
        {"before": before, "most": limit + 1},
    ).all()
    found = [
        Look(
            row.id,
            row.at,
            row.role,
            row.name,
            row.action,
            row.object_kind,
            tuple(row.fields.split(",")) if row.fields else (),
            row.purpose,
        )
        for row in rows[:limit]
    ]
    read(
        session,
        object_kind="audit",
        fields=FIELDS,
        counts={own_area(session): len(found)},
        action="search",
        before=before,
        own=True,
    )
    return found, found[-1].id if len(rows) > limit else None


def be(session: Session, person_id: uuid.UUID) -> None:
    """Ask for a person in the owner's name, as when they come to the office and want to know.

    Only on the command line, whose connections carry the whole scope anyway.
    """
    session.execute(
        sa.text("SELECT set_config('wangge.person', :person, true)"), {"person": str(person_id)}
    )
