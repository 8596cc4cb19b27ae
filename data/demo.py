"""Whether a database holds the demo place: light, so that a second start is quick."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import sqlalchemy as sa

from gis.audit import AuditEntry

if TYPE_CHECKING:
    from gis.database import Database

LOADED: Final = "demo.loaded"


def is_loaded(database: Database) -> bool:
    """Whether the demo place was loaded to its end."""
    with database.transaction() as session:
        statement = sa.select(sa.exists().where(AuditEntry.action == LOADED))
        return bool(session.scalar(statement))
