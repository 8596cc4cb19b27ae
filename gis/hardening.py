"""What the database server has to be told besides its tables, and what no dump brings along.

No function of PostGIS is marked leakproof, so under a row-level policy every spatial query would
lose its index (0.1 -> 60 ms on 100,000 grids). ``geometry_overlaps`` compares boxes and says
nothing of what it compared, and is the only one marked here; ``ST_Intersects`` and its relatives
print coordinates of hidden rows in their errors and must never be. ``&&`` has to be written beside
them, and what it is compared with has to be a literal, a parameter or a plain column: a function
over another table's column, such as ``ST_MakePoint(p.x, p.y)``, stands between index and policy.
The flag belongs to the extension: a restore and an upgrade of PostGIS lose it, so it is set
again at every start.
"""

from __future__ import annotations

import logging
from typing import Final

import sqlalchemy as sa

from gis.database import SERVICE_ROLE, Database

log = logging.getLogger("wangge.database")

OVERLAPS: Final = "geometry_overlaps(geometry, geometry)"


def ensure_role(connection: sa.Connection) -> None:
    """Make the role of the service where the server does not have it: before a restore."""
    connection.execute(
        sa.text(
            f"DO $$ BEGIN CREATE ROLE {SERVICE_ROLE} LOGIN; "
            "EXCEPTION WHEN duplicate_object OR unique_violation THEN NULL; END $$"
        )
    )


def apply(database: Database) -> None:
    """Mark ``&&`` leakproof when it is not; without a superuser, say what that costs."""
    with database.engine.begin() as connection:
        if is_leakproof(connection) is not False:
            return
        try:
            with connection.begin_nested():
                connection.execute(sa.text(f"ALTER FUNCTION {OVERLAPS} LEAKPROOF"))
        except sa.exc.ProgrammingError:
            log.warning(
                "queries over HTTP will be slow: have a superuser of the database run: "
                "ALTER FUNCTION %s LEAKPROOF",
                OVERLAPS,
            )


def is_leakproof(connection: sa.Connection) -> bool | None:
    """Whether ``&&`` keeps its index under a policy; None where there is no PostGIS yet."""
    return connection.scalar(
        sa.text("SELECT proleakproof FROM pg_proc WHERE oid = to_regprocedure(:name)"),
        {"name": OVERLAPS},
    )


def breaches(connection: sa.Connection) -> list[str]:
    """What lets rows past the policies, each as a sentence; asked over any connection."""
    found = []
    role = connection.execute(
        sa.text("SELECT rolsuper OR rolbypassrls FROM pg_roles WHERE rolname = :role"),
        {"role": SERVICE_ROLE},
    ).scalar()
    if role is None:
        found.append(f"the role {SERVICE_ROLE} is missing")
    elif role:
        found.append(f"the role {SERVICE_ROLE} bypasses row-level security")
    found += connection.scalars(
        sa.text(
            """
            SELECT format('table %s holds rows of an area and has no forced policy', c.relname)
            FROM pg_class AS c
            WHERE c.relnamespace = 'public'::regnamespace AND c.relkind IN ('r', 'p')
                AND NOT c.relispartition
                AND NOT (c.relrowsecurity AND c.relforcerowsecurity)
                AND EXISTS (
                    SELECT FROM pg_attribute AS a
                    WHERE a.attrelid = c.oid AND NOT a.attisdropped
                        AND a.attname IN ('county_code', 'area_code', 'area_codes', 'account_id')
                )
            UNION ALL
            SELECT format('view %s shows rows with the rights of its owner', c.relname)
            FROM pg_class AS c
            WHERE c.relnamespace = 'public'::regnamespace AND c.relkind IN ('v', 'm')
                AND NOT COALESCE(c.reloptions @> ARRAY['security_invoker=true'], false)
                AND NOT EXISTS (
                    SELECT FROM pg_depend AS d WHERE d.objid = c.oid AND d.deptype = 'e'
                )
            UNION ALL
            SELECT format('%s may read partition %s past its table', CAST(:role AS text), c.relname)
            FROM pg_class AS c
            WHERE c.relnamespace = 'public'::regnamespace AND c.relispartition
                AND has_table_privilege(CAST(:role AS text), c.oid, 'SELECT')
            UNION ALL
            SELECT format('function %s is marked leakproof and is not', p.oid::regprocedure)
            FROM pg_proc AS p
            WHERE p.proleakproof AND p.pronamespace = 'public'::regnamespace
                AND p.oid <> to_regprocedure(:overlaps)
            ORDER BY 1
            """
        ),
        {"role": SERVICE_ROLE if role is not None else "postgres", "overlaps": OVERLAPS},
    ).all()
    return found
