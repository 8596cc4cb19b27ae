"""Under row-level security the lookups keep their indexes."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
import sqlalchemy as sa

from boundaries.access import Credential, enter
from tests import factories
from tests.grids.addresses import town

if TYPE_CHECKING:
    from gis.database import Database


@pytest.mark.parametrize(
    ("sql", "index"),
    [
        ("SELECT FROM address_names WHERE key = ANY('{人民路,示范路}')", "address_names_key"),
        ("SELECT FROM addresses WHERE street_key = ANY('{人民路}') AND number = 3",
         "addresses_street"),
        ("SELECT FROM addresses WHERE estate_key = ANY('{和平小区}')", "addresses_estate"),
        ("SELECT FROM addresses WHERE geom && ST_MakeEnvelope(117, 45, 117.001, 45.01, 4326)",
         "addresses_geom"),
        ("SELECT FROM address_aliases WHERE key = '老裴家'", "address_aliases_key"),
        ("SELECT FROM admin_units WHERE wangge_unit_stem(name) = ANY('{示范}')",
         "admin_units_stem"),
    ],
)  # fmt: skip
def test_lookups_use_their_index(database: Database, sql: str, index: str) -> None:
    with database.transaction() as session:
        town.build(session)
        account = factories.account(session, "dispatcher", factories.COUNTY)
        secret = factories.key(session, account)
    with database.service_transaction() as session:
        enter(session, Credential.of(secret, is_key=True))
        # So few rows are read whole otherwise; what matters is that the policy leaves the way open.
        session.execute(sa.text("SET LOCAL enable_seqscan = off"))
        plan = "\n".join(session.scalars(sa.text(f"EXPLAIN {sql}")))
    assert index in plan
    assert "Index Cond" in plan
