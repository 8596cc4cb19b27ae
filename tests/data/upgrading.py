"""A database as an older release left it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from alembic import command

from data import schema

if TYPE_CHECKING:
    from gis.database import Database


def at_revision(database: Database, revision: str) -> None:
    """Bring an empty database up to a revision, and no further."""
    config = schema._config()
    with database.engine.begin() as connection:
        config.attributes["connection"] = connection
        command.upgrade(config, revision)
