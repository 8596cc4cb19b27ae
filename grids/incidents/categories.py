"""Categories of incidents: that one is kept."""

from __future__ import annotations

from typing import TYPE_CHECKING

import sqlalchemy as sa

from gis.errors import Problem
from grids.incidents.errors import UnknownCategory
from grids.incidents.models import IncidentCategory

if TYPE_CHECKING:
    from collections.abc import Collection

    from sqlalchemy.orm import Session


def check_category(session: Session, code: str) -> None:
    """Refuse a category that is not kept.

    Raises
    ------
    UnknownCategory
        With those that are.
    """
    if session.get(IncidentCategory, code) is None:
        known = session.scalars(sa.select(IncidentCategory.code)).all()
        check_known_category(known, code)


def check_known_category(known: Collection[str], code: str) -> None:
    """Refuse a category that is none of these.

    Raises
    ------
    UnknownCategory
        With those that are.
    """
    if code not in known:
        raise UnknownCategory(
            Problem(
                f"unknown category '{code}'",
                f"One of: {', '.join(sorted(known))}",
                field="category",
            )
        )
