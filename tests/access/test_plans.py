"""Under row-level security no query of the service reads a big table from end to end."""

from __future__ import annotations

import re
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import sqlalchemy as sa

from bench.access import QUERIES
from boundaries.access import Credential, enter
from gis import hardening
from grids.people.answering import answering, explained
from tests import conftest
from tests.access import province

if TYPE_CHECKING:
    from collections.abc import Iterator

    from gis.cluster import Cluster
    from gis.database import Database

pytestmark = pytest.mark.slow
# Counting what an area has means reading it: at full scope that is the whole table.
COUNTING = "list of incidents"
BIG = re.compile(r"Seq Scan on (grid_shapes|incidents|incident_events|persons|assignments)\b")


@pytest.fixture(scope="module")
def big(test_cluster: Cluster, template: str) -> Iterator[tuple[Database, dict[int, str]]]:
    """A database of 100,000 grids, and the API keys of the shares."""
    for database in conftest.fresh(test_cluster, template):
        yield database, province.fill(database)


@contextmanager
def plans(session: sa.orm.Session) -> Iterator[list[str]]:
    """Collect the plan of each statement that the session sends."""
    connection, sent = session.connection(), []

    def note(_c: Any, _cursor: Any, statement: str, parameters: Any, *_: Any) -> None:
        if not statement.startswith(("EXPLAIN", "SAVEPOINT")):
            sent.append((statement, parameters))

    found: list[str] = []
    sa.event.listen(connection, "before_cursor_execute", note)
    yield found
    sa.event.remove(connection, "before_cursor_execute", note)
    for statement, parameters in sent:
        for mode in ("force_custom_plan", "force_generic_plan"):
            session.execute(sa.text(f"SET LOCAL plan_cache_mode = {mode}"))
            rows = connection.exec_driver_sql(f"EXPLAIN {statement}", parameters)
            found.append("\n".join(rows.scalars()))


def scanned(database: Database, key: str, name: str, share: int) -> list[str]:
    """Plans of a query that read a big table from end to end."""
    with database.service_transaction() as session:
        enter(session, Credential.of(key, is_key=True))
        with plans(session) as found:
            QUERIES[name](session, province.SCOPES[share], np.random.default_rng(1))
    assert found
    return [plan for plan in found if BIG.search(plan)]


@pytest.mark.parametrize("share", province.SCOPES)
@pytest.mark.parametrize("name", QUERIES)
def test_no_query_reads_a_table_from_end_to_end(
    big: tuple[Database, dict[int, str]], name: str, share: int
) -> None:
    database, keys = big
    found = scanned(database, keys[share], name, share)
    if name == COUNTING and share > 1:
        found = [plan for plan in found if "Aggregate" not in plan]
    assert not found, "\n\n".join(found)


@pytest.mark.parametrize("name", ["bbox", "incidents in a box", "tile of incidents, z12", "locate"])
def test_without_the_leakproof_flag_it_would(
    big: tuple[Database, dict[int, str]], name: str
) -> None:
    """The test above can fail: this is the flag that it guards."""
    database, keys = big
    with database.engine.begin() as connection:
        connection.execute(sa.text(f"ALTER FUNCTION {hardening.OVERLAPS} NOT LEAKPROOF"))
    try:
        database.service.dispose()
        assert scanned(database, keys[100], name, 100)
    finally:
        hardening.apply(database)
    database.service.dispose()
    with database.engine.connect() as connection:
        assert hardening.is_leakproof(connection)
    assert not scanned(database, keys[100], name, 100)


def test_who_answers_is_looked_up(big: tuple[Database, dict[int, str]]) -> None:
    """Within functions, whose plans nobody sees: no assignment is read that is not asked for."""
    database, _ = big
    read = sa.text(
        "SELECT seq_scan, seq_tup_read FROM pg_stat_xact_user_tables WHERE relname = 'assignments'"
    )
    with database.transaction() as session:
        grid, unit = session.execute(
            sa.text("SELECT grid_id, unit_code FROM grid_shapes LIMIT 1")
        ).one()
        at = datetime(2026, 6, 1, tzinfo=UTC)
        assert answering(session, grid=grid, unit=unit, at=at, matter="tourism")
        assert explained(session, grid=grid, unit=unit, at=at).considered
        assert session.execute(read).one() == (0, 0)


def test_a_point_that_is_no_plain_column_costs_the_index(
    big: tuple[Database, dict[int, str]],
) -> None:
    """Why points are made in a materialised table of their own before they are joined."""
    database, keys = big
    joined = (
        "EXPLAIN {} SELECT count(*) FROM p JOIN grid_shapes AS g ON g.geom && {} "
        "AND ST_Covers(g.geom, {})"
    )
    made = "ST_SetSRID(ST_MakePoint(x, y), 4326)"
    bare = joined.format("WITH p AS (SELECT 110.1 AS x, n * 0.01 + 35 AS y "
                         "FROM generate_series(1, 30) AS n)", made, made)  # fmt: skip
    plain = joined.format(
        f"WITH p AS MATERIALIZED (SELECT {made} AS geom FROM (SELECT 110.1 AS x, "
        "n * 0.01 + 35 AS y FROM generate_series(1, 30) AS n) AS n)", "p.geom", "p.geom",
    )  # fmt: skip
    with database.service_transaction() as session:
        enter(session, Credential.of(keys[100], is_key=True))
        assert BIG.search("\n".join(session.scalars(sa.text(bare))))
        assert not BIG.search("\n".join(session.scalars(sa.text(plain))))
