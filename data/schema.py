"""Bring the database's tables up to this release, and tell where they stand."""

from __future__ import annotations

from dataclasses import dataclass
from importlib.resources import files
from typing import TYPE_CHECKING, Final

import sqlalchemy as sa
from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory

from gis import hardening
from gis.errors import Conflict

if TYPE_CHECKING:
    from gis.database import Database

# Any constant will do, as long as no other program takes the same advisory lock here.
MIGRATION_LOCK: Final = 0x77616E676765


@dataclass(frozen=True, slots=True)
class SchemaStatus:
    """Where the tables stand: the revision found (None: empty) and the one of this release."""

    current: str | None
    head: str

    @property
    def is_current(self) -> bool:
        """Whether nothing has to be migrated."""
        return self.current == self.head


class SchemaTooNew(Conflict):
    """The database was made by a newer release than this one."""


def _config() -> Config:
    config = Config()
    config.set_main_option("script_location", str(files("data.migrations")))
    return config


def revisions() -> set[str]:
    """Every revision of the tables that this release knows."""
    return {script.revision for script in ScriptDirectory.from_config(_config()).walk_revisions()}


def _current(connection: sa.Connection) -> str | None:
    return MigrationContext.configure(connection).get_current_revision()


def status(database: Database) -> SchemaStatus:
    """Where the tables of this database stand."""
    head = ScriptDirectory.from_config(_config()).get_current_head()
    with database.engine.connect() as connection:
        return SchemaStatus(current=_current(connection), head=str(head))


def upgrade(database: Database) -> SchemaStatus:
    """Migrate to this release in one transaction; the status before it.

    Two processes may call it at once: the second waits and then finds nothing to do.

    Raises
    ------
    SchemaTooNew
        The database holds a revision that this release does not know.
    """
    before = status(database)
    if not before.is_current:
        with database.engine.begin() as connection:
            upgrade_within(connection)
    hardening.apply(database)
    return before


def upgrade_within(connection: sa.Connection) -> None:
    """Migrate to this release in the transaction of a connection, which may then be rolled back.

    Raises
    ------
    SchemaTooNew
        The database holds a revision that this release does not know.
    """
    config = _config()
    head = ScriptDirectory.from_config(config).get_current_head()
    current = _current(connection)
    if current == head:
        return
    if current is not None and current not in revisions():
        raise SchemaTooNew(
            f"the database is at revision {current}, which this release "
            f"(up to {head}) does not know: use the release that made it, or a newer one"
        )
    connection.execute(sa.text("SET LOCAL statement_timeout = 0"))
    connection.execute(sa.text("SELECT pg_advisory_xact_lock(:key)"), {"key": MIGRATION_LOCK})
    if _current(connection) != head:
        config.attributes["connection"] = connection
        command.upgrade(config, "head")
