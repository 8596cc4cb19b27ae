# ruff: noqa: S608 - names of tables and columns are our own; values are bound
"""Records that a complete file no longer has: deleted or ended where nothing refers to them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from data.importers.history import enter, names_of
from gis.database import execute
from gis.wording import counted

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sqlalchemy.orm import Session

    from data.importers.work import Work

# What may stand in the way of ending a unit. Grids of editions that held once are history and
# keep the code of their unit, as it was.
_USES_OF_UNITS: Final = (
    (
        "units below it",
        "SELECT FROM admin_units AS b WHERE b.parent_code = t.code AND upper_inf(b.valid)",
    ),
    ("buildings", "SELECT FROM buildings AS b WHERE b.unit_code = t.code"),
    (
        "grids",
        (
            "SELECT FROM grid_shapes AS s JOIN editions AS e ON e.id = s.edition_id "
            "WHERE (e.status = 'draft' OR e.valid && tstzrange(now(), NULL)) "
            "AND s.unit_code = t.code"
        ),
    ),
    (
        "editions",
        (
            "SELECT FROM editions AS e "
            "WHERE (e.status = 'draft' OR e.valid && tstzrange(now(), NULL)) "
            "AND e.area_code = t.code"
        ),
    ),
)


def delete(session: Session, work: Work, table: str, gone: str, **values: Any) -> tuple[int, int]:
    """Delete the stored records (``t``) for which the condition `gone` is true.

    Those that a foreign key of another table points to stay, and the report names them.

    Returns
    -------
    Number deleted, number left.
    """
    if not _may_go(work):
        return 0, count_gone(session, table, gone, **values)
    keys = execute(
        session,
        "SELECT c.conrelid::regclass::text AS used_by, a.attname AS used_as "
        "FROM pg_constraint AS c JOIN pg_attribute AS a "
        "ON a.attrelid = c.conrelid AND a.attnum = c.conkey[1] "
        "WHERE c.confrelid = CAST(:table AS regclass) AND c.contype = 'f' "
        # What goes along with its record (checkpoints with their route) is no obstacle.
        "AND c.confdeltype <> 'c' AND c.conparentid = 0 ORDER BY 1, 2",
        table=table,
    ).all()
    uses = [
        (key.used_by, f"SELECT FROM {key.used_by} AS f WHERE f.{key.used_as} = t.id")
        for key in keys
    ]
    left = _find(session, work, table, gone, uses=uses, values=values, done="removed")
    _keep(session, work, table, "import.remove")
    result = execute(
        session,
        f"DELETE FROM {table} AS t USING leaving AS l WHERE l.id = t.id AND l.uses = '{{}}'",
    )
    return int(result.rowcount), left  # type: ignore[attr-defined]


def end_units(session: Session, work: Work, gone: str, **values: Any) -> tuple[int, int]:
    """End, as of now, the units in force (``t``) for which the condition `gone` is true.

    Those with units below them, buildings, or grids in force or in a draft stay, and the report
    names them; villages go first, so that a township whose last village ends can end as well.

    Returns
    -------
    Number ended, number left.
    """
    gone = f"upper_inf(t.valid) AND {gone}"
    if not _may_go(work):
        return 0, count_gone(session, "admin_units", gone, **values)
    ended = left = 0
    for level in (12, 9, 6):
        left += _find(
            session, work, "admin_units", f"t.level = {level} AND {gone}", uses=_USES_OF_UNITS,
            values=values, done="ended",
        )  # fmt: skip
        _keep(session, work, "admin_units", "import.end")
        result = execute(
            session,
            "UPDATE admin_units AS t SET valid = tstzrange(lower(t.valid), now()) "
            "FROM leaving AS l WHERE l.id = t.id AND l.uses = '{}'",
        )
        ended += int(result.rowcount)  # type: ignore[attr-defined]
    return ended, left


def _may_go(work: Work) -> bool:
    """Whether records may go: those of rejected rows would look as if they were gone."""
    count = work.report.rejected
    if count == 0:
        return True
    work.report.add(
        "warned",
        f"{counted(count, 'row is', 'rows are')} rejected, so it cannot be told which records are "
        "gone: all stay",
        "Mend them and send the whole file again.",
    )
    return False


def count_gone(session: Session, table: str, gone: str, **values: Any) -> int:
    """Number of stored records (``t``) for which the condition `gone` is true."""
    return int(
        execute(session, f"SELECT count(*) FROM {table} AS t WHERE {gone}", **values).scalar_one()
    )


def _find(
    session: Session,
    work: Work,
    table: str,
    gone: str,
    *,
    uses: Sequence[tuple[str, str]],
    values: dict[str, Any],
    done: str,
) -> int:
    """List records in the table ``leaving`` with what refers to them; number that must stay."""
    kind, label = names_of(table)
    used = " || ".join(
        ["ARRAY[]::text[]"]
        + [f"CASE WHEN EXISTS ({sql}) THEN ARRAY['{what}'] ELSE '{{}}' END" for what, sql in uses]
    )
    execute(session, "DROP TABLE IF EXISTS leaving")
    execute(
        session,
        f"CREATE TEMPORARY TABLE leaving ON COMMIT DROP AS SELECT t.id, t.{label} AS label, "
        f"t.name, t.county_code, {used} AS uses FROM {table} AS t WHERE {gone}",
        **values,
    )
    left = 0
    for row in execute(session, "SELECT label, name, uses FROM leaving ORDER BY label"):
        name = f" ({row.name})" if row.name and row.name != row.label else ""
        who = f"{kind} {row.label}{name}"
        if row.uses:
            left += 1
            work.report.add(
                "warned",
                f"{who} is gone from the file and stays: {' and '.join(dict.fromkeys(row.uses))} "
                "refer to it",
                "Let them refer to another one first, or end them.",
                group="gone from the file, but referred to",
            )
        else:
            work.report.add(
                "removed", f"{who} is gone from the file: {done}", group="gone from the file"
            )
    return left


def _keep(session: Session, work: Work, table: str, action: str) -> None:
    """Keep every record that goes as it was, geometry as EWKB in hexadecimal digits."""
    placed = table != "persons"
    shape = "|| jsonb_build_object('geom', encode(ST_AsEWKB(t.geom), 'hex'))" if placed else ""
    gone = execute(
        session,
        "INSERT INTO import_changes (actor, action, object_kind, object_id, county_code, file, "
        "detail) SELECT :actor, :action, :kind, t.id, t.county_code, :file, jsonb_build_object("
        f"'record', to_jsonb(t) - 'geom' - 'point' - 'phone' - 'id_number' {shape}) "
        f"FROM {table} AS t JOIN leaving AS l ON l.id = t.id AND l.uses = '{{}}' ORDER BY t.id",
        actor=work.options.actor,
        action=action,
        kind=names_of(table)[0],
        file=work.report.file,
    )
    enter(session, work, action, names_of(table)[0], count=int(gone.rowcount))  # type: ignore[attr-defined]
