# ruff: noqa: S608 - names of tables and columns are the importers' own; values are bound
"""Changes to what is stored: old and new value into the report, and with the author into the audit.

An import may change many records at once; each leaves an audit entry of its own, so that what was
there before can be read, and put back, later.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any, Final

from gis import audit
from gis.database import execute

if TYPE_CHECKING:
    from sqlalchemy.orm import Session

    from data.importers.work import Work

# By table: what one record is called, and the column that people know it by.
_RECORDS: Final = {
    "addresses": ("address", "external_id"),
    "admin_units": ("unit", "code"),
    "barriers": ("barrier", "external_id"),
    "border_lines": ("border", "external_id"),
    "buildings": ("building", "external_id"),
    "cameras": ("camera", "external_id"),
    "checkpoints": ("checkpoint", "name"),
    "patrol_routes": ("route", "external_id"),
    "patrols": ("patrol", "external_id"),
    "places": ("place", "external_id"),
    "persons": ("person", "external_id"),
}
# Columns that the file's fields are called otherwise.
_FIELDS: Final = {
    "unit_code": "unit",
    "our_side": "side",
    "households_resident": "households",
    "geom": "geometry",
}


def names_of(table: str) -> tuple[str, str]:
    """What one record of a table is called, and the column that people know it by."""
    return _RECORDS[table]


def update(session: Session, work: Work, table: str, same: str, coming: Mapping[str, str]) -> int:
    """Give stored records (``t``) the values staged for them (``incoming i``) where they differ.

    Parameters
    ----------
    same
        Condition under which a stored and a staged record are the same.
    coming
        Column of the table to the SQL of its new value.

    Returns
    -------
    Number of records changed. The report gets a finding for each field, the audit an entry for
    each record: old and new values, of geometry the old one (EWKB in hexadecimal digits).
    """
    sets = ", ".join(f"{column} = {value}" for column, value in coming.items())
    old = ", ".join(f"t.{column}" for column in coming)
    differs = f"ROW({old}) IS DISTINCT FROM ROW({', '.join(coming.values())})"
    if table not in _RECORDS:
        # Fixes of tracks come by the million and have no id: the import's own entry counts them.
        result = execute(
            session, f"UPDATE {table} AS t SET {sets} FROM incoming AS i WHERE {same} AND {differs}"
        )
        return int(result.rowcount)  # type: ignore[attr-defined]
    kind, label = _RECORDS[table]
    pairs = ", ".join(
        "('geom', to_jsonb(encode(ST_AsEWKB(t.geom), 'hex')), CAST(NULL AS jsonb), "
        f"t.geom IS DISTINCT FROM {value})"
        if column == "geom"
        else f"('{column}', to_jsonb(t.{column}), to_jsonb({value}), "
        f"t.{column} IS DISTINCT FROM {value})"
        for column, value in coming.items()
    )
    moved = (
        f"ST_Distance(ST_Centroid(t.geom)::geography, ST_Centroid({coming['geom']})::geography)"
        if "geom" in coming
        else "NULL"
    )
    # Of the same types whatever the kind: the driver keeps plans of statements that come again.
    execute(session, "DROP TABLE IF EXISTS changing")
    execute(
        session,
        f"""
        CREATE TEMPORARY TABLE changing ON COMMIT DROP AS
        SELECT t.id, i.file_row, t.{label}::text AS label, t.county_code,
            CAST({moved} AS double precision) AS moved_m,
            (SELECT jsonb_object_agg(f.name, jsonb_build_array(f.old, f.new))
             FROM (VALUES {pairs}) AS f (name, old, new, differs) WHERE f.differs) AS fields
        FROM {table} AS t JOIN incoming AS i ON {same}
        WHERE {differs}
        """,
    )
    found = execute(
        session,
        "SELECT file_row, label, moved_m, fields - 'geom' AS fields, "
        "jsonb_exists(fields, 'geom') AS has_moved FROM changing ORDER BY file_row, label",
    ).all()
    if not found:
        return 0
    _report_changes(work, found)
    execute(
        session,
        "INSERT INTO import_changes (actor, action, object_kind, object_id, county_code, file, "
        "detail) SELECT :actor, 'import.change', :kind, id, county_code, :file, jsonb_build_object("
        "'row', file_row, 'label', label, 'changed', fields) FROM changing ORDER BY file_row",
        actor=work.options.actor,
        kind=kind,
        file=work.report.file,
    )
    enter(session, work, "import.change", kind, count=len(found), fields=sorted(coming))
    execute(
        session,
        f"UPDATE {table} AS t SET {sets} FROM incoming AS i, changing AS c "
        f"WHERE t.id = c.id AND {same}",
    )
    return len(found)


def record_one(
    session: Session,
    work: Work,
    kind: str,
    number: int,
    row: int,
    *,
    county: str | None,
    label: str,
    changed: Mapping[str, tuple[Any, Any]],
) -> None:
    """Report and audit the change of one record: field to old and new value, those that differ."""
    differing = {field: pair for field, pair in changed.items() if pair[0] != pair[1]}
    for field, (old, new) in differing.items():
        text = f"{label}: was {_shown(old)}, now {_shown(new)}"
        work.report.add("changed", [text], rows=[row], field=work.field(field), group=field)
    execute(
        session,
        "INSERT INTO import_changes (actor, action, object_kind, object_id, county_code, file, "
        "detail) VALUES (:actor, 'import.change', :kind, :id, :county, :file, "
        "CAST(:detail AS jsonb))",
        actor=work.options.actor,
        kind=kind,
        id=str(number),
        county=county,
        file=work.report.file,
        detail=json.dumps(
            {
                "row": row,
                "label": label,
                "changed": {f: [_plain(old), _plain(new)] for f, (old, new) in differing.items()},
            },
            ensure_ascii=False,
        ),
    )
    enter(session, work, "import.change", kind, count=1, fields=sorted(differing))


def enter(
    session: Session, work: Work, action: str, kind: str, *, count: int, fields: Sequence[str] = ()
) -> None:
    """Enter into the audit log that records were changed, and which of their fields; no values."""
    audit.record(
        session,
        actor=work.options.actor,
        action=action,
        object_kind=kind,
        object_id="",
        count=count,
        fields=fields,
    )


def _plain(value: Any) -> Any:
    return value if isinstance(value, bool | None) else str(value)


def _report_changes(work: Work, found: Any) -> None:
    by_field: dict[str, list[tuple[int, str]]] = {}
    for row in found:
        for column, (old, new) in (row.fields or {}).items():
            text = f"{row.label}: was {_shown(old)}, now {_shown(new)}"
            by_field.setdefault(column, []).append((row.file_row, text))
        if row.has_moved:
            text = f"{row.label}: another shape"
            if row.moved_m is not None:
                text += f", its middle {row.moved_m:,.1f} m away"
            by_field.setdefault("geom", []).append((row.file_row, text))
    for column, changes in by_field.items():
        field = _FIELDS.get(column, column)
        work.report.add(
            "changed", [text for _, text in changes],
            rows=[row for row, _ in changes],
            field=work.field(field), group=field,
        )  # fmt: skip


def _shown(value: Any) -> str:
    if isinstance(value, datetime):
        return value.isoformat(timespec="minutes")
    if value is None:
        return "nothing"
    return repr(value) if isinstance(value, str) else str(value)
