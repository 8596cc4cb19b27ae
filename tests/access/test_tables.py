"""Each table shows each account exactly what the table of sight says, whatever the query."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
import sqlalchemy as sa

from boundaries.access import Credential, enter
from tests.access import rules
from tests.access.place import CALLERS, Caller

if TYPE_CHECKING:
    from tests.access.conftest import Marked

ASK = " UNION ALL ".join(
    f"SELECT '{table}', {column}::text FROM {table}" for table, column in rules.TABLES.items()
)


def shown(marked: Marked, session: sa.orm.Session) -> dict[str, set[tuple[str, str]]]:
    """Rows that a transaction sees, by kind."""
    found: dict[str, set[tuple[str, str]]] = {}
    for table, key in session.execute(sa.text(ASK)):
        mark = marked.place.keys.get((table, key))
        if mark is not None:
            found.setdefault(mark[0], set()).add(mark)
        else:
            # Rows without a mark are the database's own, and nobody's but the auditor's.
            assert table in {"audit_log", "audit_purposes"}, (table, key)
    return found


@pytest.mark.parametrize("caller", CALLERS, ids=lambda caller: caller.login)
def test_tables_show_what_the_table_of_sight_says(marked: Marked, caller: Caller) -> None:
    with marked.database.service_transaction() as session:
        enter(session, Credential.of(marked.place.tokens[caller.login], is_key=True))
        found = shown(marked, session)
    for kind in {mark[0] for mark in marked.place.keys.values()}:
        wanted = rules.marks(rules.visible(marked.place, caller, kind))
        assert found.get(kind, set()) == wanted, kind


def test_nobody_sees_nothing_but_boundaries(marked: Marked) -> None:
    with marked.database.service_transaction() as session:
        assert set(shown(marked, session)) == {"unit", "border"}
