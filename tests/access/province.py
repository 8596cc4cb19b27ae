"""A province of 100,000 grids, made in seconds: for plans and figures under row-level security.

::

    prefecture   9901  9902 ... 9910      10, side by side
    county       990101 ... 990110        10 in each, from south to north
    village      12 digits                10 in each, of 100 grids

A grid is a square of 0.01 degrees with 64 vertices, has a worker and an incident in its middle.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import sqlalchemy as sa

from boundaries.access import Scope
from tests import factories

if TYPE_CHECKING:
    from gis.database import Database

GRIDS: Final = 100_000
SCOPES: Final = {1: Scope("990101"), 10: Scope("9901"), 100: Scope("99")}
"""Share of the grids in percent -> the area that holds them."""
WEST, SOUTH, SIDE = 110.0, 35.0, 0.01
COLUMNS, ROWS = 25, 40
"""Of grids in a county."""
WIDTH, HEIGHT = COLUMNS * SIDE, ROWS * SIDE
"""Of a county, degrees."""

FILL = """
-- Triggers and foreign keys are left aside: what they would write is written here.
SET LOCAL session_replication_role = replica;
CREATE TEMP TABLE made ON COMMIT DROP AS
SELECT n, lpad((n / 10000 + 1)::text, 2, '0') AS prefecture,
       lpad((n / 1000 % 10 + 1)::text, 2, '0') AS county,
       lpad((n / 100 % 10 + 1)::text, 3, '0') AS village,
       lpad((n % 100 + 1)::text, 3, '0') AS grid,
       :west + (n / 10000 * 25 + n % 1000 % 25) * :side AS x,
       :south + (n / 1000 % 10 * 40 + n % 1000 / 25) * :side AS y
FROM generate_series(0, 99999) AS n;
ALTER TABLE made ADD COLUMN county_code text, ADD COLUMN unit_code text, ADD COLUMN edition bigint;
UPDATE made SET county_code = '99' || prefecture || county,
    unit_code = '99' || prefecture || county || '101' || village,
    edition = n / 1000 + 1;

INSERT INTO admin_units (code, level, parent_code, name, geom, source)
SELECT left(unit_code, level), level, CASE WHEN level > 2 THEN left(unit_code, parent) END,
       '单元' || left(unit_code, level),
       CASE WHEN level IN (6, 12) THEN ST_Multi(ST_MakeEnvelope(
           min(x), min(y), max(x) + :side, max(y) + :side, 4326)) END,
       'bench'
FROM made, (VALUES (2, 0), (4, 2), (6, 4), (9, 6), (12, 9)) AS l (level, parent)
GROUP BY left(unit_code, level), level, left(unit_code, parent);

INSERT INTO editions (id, area_code, status, valid, title, author, approver, published_at)
OVERRIDING SYSTEM VALUE
SELECT DISTINCT edition, county_code, 'active', tstzrange('2026-01-01', NULL), 'bench', 'bench',
       'bench', now()
FROM made;
INSERT INTO grids (id, county_code) OVERRIDING SYSTEM VALUE SELECT n + 1, county_code FROM made;
INSERT INTO grid_shapes (edition_id, grid_id, county_code, code, unit_code, name, area_type,
    households, buildings, target, compactness, area_m2, geom)
SELECT edition, n + 1, county_code, unit_code || grid, unit_code, 'grid ' || n, 'rural', 40, 20, 40,
       0.78, 1000000, ST_Segmentize(ST_MakeEnvelope(x, y, x + :side, y + :side, 4326), :side / 16)
FROM made;
INSERT INTO persons (id, county_code, area_codes, name, source, external_id)
SELECT md5('person' || n)::uuid, county_code, ARRAY[county_code, unit_code], 'worker ' || n,
       'bench', n::text
FROM made;
INSERT INTO assignments (county_code, area_code, person_id, role, grid_id, is_primary, valid,
    author)
SELECT county_code, unit_code, md5('person' || n)::uuid, 'grid_worker', n + 1, true,
       tstzrange('2026-01-01', NULL), 'bench'
FROM made;
INSERT INTO incidents (id, county_code, area_code, source, external_id, category, reported_at, geom,
    source_crs, source_x, source_y, method, edition_id, grid_id, person_id, reason, request_sha256)
SELECT md5('incident' || n)::uuid, county_code, unit_code, 'bench', n::text, 'neighbour',
       timestamptz '2026-02-01' + (n * 7919 % 100000) * interval '1 minute',
       ST_SetSRID(ST_MakePoint(x + :side / 2, y + :side / 2), 4326), 'EPSG:4326', x, y, 'import',
       edition, n + 1, md5('person' || n)::uuid, 'primary_worker', repeat('0', 64)
FROM made;
INSERT INTO incident_events (incident_id, county_code, area_code, at, actor, kind, to_state)
SELECT id, county_code, area_code, reported_at, 'bench', 'reported', 'reported' FROM incidents;
SET LOCAL session_replication_role = origin;
"""


def fill(database: Database) -> dict[int, str]:
    """Make the province; an API key for the dispatcher of each share, by percent."""
    values = {"west": WEST, "south": SOUTH, "side": SIDE}
    with database.transaction(timeout_s=0) as session:
        for statement in FILL.split(";\n"):
            if statement.strip():
                session.execute(sa.text(statement), values)
        keys = {
            share: factories.key(session, factories.account(session, "dispatcher", scope.area))
            for share, scope in SCOPES.items()
        }
    with database.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        connection.execute(sa.text("VACUUM ANALYZE"))
    return keys
