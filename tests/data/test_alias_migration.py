"""What people said of addresses before signs between figures counted keeps its meaning."""

from __future__ import annotations

from typing import TYPE_CHECKING

import sqlalchemy as sa

from data import schema
from tests import conftest
from tests.data.upgrading import at_revision

if TYPE_CHECKING:
    from gis.cluster import Cluster

OLD = (
    "INSERT INTO address_aliases (county_code, area_code, key, text, label, geom, author,"
    " ended_at, ended_by) VALUES "
    "('990121', '990121', '人民路123号', '人民路12-3号', 'a', 'SRID=4326;POINT(117 45)', 'li',"
    " now(), 'wu'), "
    "('990121', '990121', '人民路123号', '人民路123号', 'b', 'SRID=4326;POINT(117 45)', 'wu',"
    " NULL, NULL), "
    "('990121', '990121', '12 3 rue grimaldi', '12-3 Rue Grimaldi', 'c',"
    " 'SRID=4326;POINT(117 45)', 'li', NULL, NULL)"
)


def test_keys_of_before(test_cluster: Cluster) -> None:
    for database in conftest.fresh(test_cluster, "template0"):
        at_revision(database, "0016")
        with database.transaction() as session:
            session.execute(sa.text(OLD))
        schema.upgrade(database)
        with database.transaction() as session:
            rows = session.execute(
                sa.text("SELECT key, ended_by FROM address_aliases ORDER BY id")
            ).all()
        assert [tuple(row) for row in rows] == [
            ("人民路12-3号", "wu"), ("人民路123号", None), ("12-3 rue grimaldi", None),
        ]  # fmt: skip
