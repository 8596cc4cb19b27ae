"""What each column holds: public, internal, personal, sensitive, secret candidate, or a credential.

The classes are rows of ``column_classes``. Exports and answers ask here what may leave, so that a
column that is added without a class leaves nowhere (and a test fails).
"""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING, Final

import sqlalchemy as sa

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    from sqlalchemy.orm import Session


class ColumnClass(StrEnum):
    """The classes, from what everybody may see to what nobody is shown."""

    PUBLIC = "public"
    INTERNAL = "internal"
    PERSONAL = "personal"
    SENSITIVE = "sensitive"
    SECRET_CANDIDATE = "secret_candidate"  # noqa: S105 - of the state, not of ours
    CREDENTIAL = "credential"


OPEN: Final = frozenset({ColumnClass.PUBLIC, ColumnClass.INTERNAL})
"""What those who may see a row are shown of it without any further right."""


def classes_of(session: Session, table: str) -> Mapping[str, ColumnClass]:
    """Class of each column of a table; empty for a table that has none."""
    rows = session.execute(
        sa.text("SELECT column_name, class FROM column_classes WHERE table_name = :table"),
        {"table": table},
    )
    return {row.column_name: ColumnClass(row[1]) for row in rows}


def columns_within(
    session: Session, table: str, allowed: Collection[ColumnClass] = OPEN
) -> list[str]:
    """Columns of a table that may be shown to somebody who may see these classes, by name."""
    found = classes_of(session, table)
    return sorted(name for name, each in found.items() if each in allowed)


def unclassed(session: Session) -> list[str]:
    """Columns that are in the database and have no class, or the other way round."""
    return list(
        session.scalars(
            sa.text(
                """
                WITH there AS (
                    SELECT c.relname::text AS table_name, a.attname::text AS column_name
                    FROM pg_class AS c JOIN pg_attribute AS a ON a.attrelid = c.oid
                    WHERE c.relnamespace = 'public'::regnamespace AND c.relkind IN ('r', 'p')
                        AND NOT c.relispartition AND a.attnum > 0 AND NOT a.attisdropped
                )
                SELECT concat(table_name, '.', column_name)
                FROM there FULL JOIN column_classes AS k USING (table_name, column_name)
                WHERE there IS NULL OR k IS NULL
                ORDER BY 1
                """
            )
        )
    )
