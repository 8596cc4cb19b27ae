"""Entries that the first release wrote are carried into the chain, at the times they were made."""

from __future__ import annotations

from typing import TYPE_CHECKING

import sqlalchemy as sa

from data import schema
from gis.audit import verify
from tests import conftest
from tests.data.upgrading import at_revision

if TYPE_CHECKING:
    from gis.cluster import Cluster

OLD = (
    "INSERT INTO audit_log (actor, action, object_kind, object_id, county_code, detail, at) VALUES "
    "('王', 'import', 'import', '1', '990121', '{\"kept\": 3}', '2026-03-31T23:59:59Z'), "
    "('li', 'person.add', 'person', 'x', NULL, '{}', '2026-04-01T00:00:00Z'), "
    "('li', 'person.add', 'person', 'y', '990121', '{}', '2026-04-01T00:00:01Z')"
)


def test_old_entries_are_chained(test_cluster: Cluster) -> None:
    for database in conftest.fresh(test_cluster, "template0"):
        at_revision(database, "0001")
        with database.transaction() as session:
            session.execute(sa.text(OLD))
        schema.upgrade(database)
        report = verify.verify(database)
        assert report.breaches == []
        with database.transaction() as session:
            rows = session.execute(
                sa.text(
                    "SELECT stream, seq, actor, object_id, detail, at FROM audit_log ORDER BY id"
                )
            ).all()
        assert [(row.stream, row.seq, row.actor, row.object_id) for row in rows] == [
            ("990121.202603.00", 1, "王", "1"),
            ("-.202604.00", 1, "li", "x"),
            ("990121.202604.00", 1, "li", "y"),
        ]
        assert rows[0].detail == {"kept": 3}
        assert rows[0].at.isoformat() == "2026-03-31T23:59:59+00:00"
