# ruff: noqa: S608 - names of tables and columns are the importers' own; values are bound or copied
"""Records into a table: copied beside it, compared, then inserted or updated in a few statements.

Table and column names here are those of the importers' own code, never a file's.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import pandas as pd
import shapely

from gis.database import execute

if TYPE_CHECKING:
    from sqlalchemy.orm import Session

    from data.importers.report import Report

KEY: Final = ("county_code", "source", "external_id")


@dataclass(frozen=True, slots=True)
class Outcome:
    """Records by what became of them; `absent` were of the same source and are not in the file."""

    new: int
    changed: int
    unchanged: int
    absent: int = 0


def stage(session: Session, table: str, records: pd.DataFrame, *, name: str = "incoming") -> None:
    """Copy records into a temporary table with columns of `table` and the file's ``row``.

    Parameters
    ----------
    records
        Columns named as in the table; the index is the row of the file. Geometry (column ``geom``)
        is shapely, WGS 84. None, NaN and NaT become NULL.
    """
    columns = list(records.columns)
    listed = ", ".join(columns)
    execute(session, f"DROP TABLE IF EXISTS {name}")
    execute(
        session,
        f"CREATE TEMPORARY TABLE {name} ON COMMIT DROP AS "
        f"SELECT {listed}, 0 AS file_row FROM {table} WITH NO DATA",
    )
    values: list[Any] = []
    for column in columns:
        if column == "geom":
            geom = np.asarray(records[column], dtype=object)
            values.append(shapely.to_wkb(shapely.set_srid(geom, 4326), hex=True, include_srid=True))
        else:
            values.append(_plain(records[column]))
    values.append([int(row) for row in records.index])
    connection = session.connection().connection.driver_connection
    assert connection is not None
    with (
        connection.cursor() as cursor,
        cursor.copy(f"COPY {name} ({listed}, file_row) FROM STDIN") as copy,
    ):
        for record in zip(*values, strict=True):
            copy.write_row(record)
    execute(session, f"ANALYZE {name}")


def _plain(series: pd.Series[Any]) -> list[Any]:
    """Values as psycopg takes them: Python objects, None for nothing."""
    if pd.api.types.is_float_dtype(series.dtype):
        # A column of whole numbers with a gap is one of floats to pandas; PostgreSQL takes "3"
        # for every type of number, and "3.0" not for an integer.
        return [
            None if np.isnan(v) else int(v) if v.is_integer() and abs(v) < 1e15 else v
            for v in series.to_numpy(dtype=float).tolist()
        ]
    values = series.astype(object).tolist()
    return [None if is_nothing(v) else v for v in values]


def is_nothing(value: Any) -> bool:
    """Whether a value stands for NULL: None, NaN, NaT, NA."""
    return (
        value is None
        or value is pd.NaT
        or value is pd.NA
        or (isinstance(value, float) and np.isnan(value))
    )


def whole(values: np.ndarray[Any, np.dtype[np.float64]]) -> list[int | None]:
    """Whole numbers held as floats as ints, NaN as None."""
    return [None if np.isnan(v) else int(v) for v in values]


def refuse_invalid(session: Session, report: Report, *, name: str = "incoming") -> None:
    """Reject what PostGIS, which has the last word, finds invalid where shapely did not."""
    bad = execute(
        session,
        f"DELETE FROM {name} WHERE NOT ST_IsValid(geom) "
        "RETURNING file_row, ST_IsValidReason(geom) AS why",
    ).all()
    if bad:
        report.reject(
            [row.file_row for row in bad],
            [f"PostGIS finds the geometry invalid ({row.why})" for row in bad],
            "Draw it again.",
            field="geometry",
            group="PostGIS finds the geometry invalid",
        )


def merge(
    session: Session,
    table: str,
    columns: Sequence[str],
    *,
    key: Sequence[str] = KEY,
    name: str = "incoming",
    keep: Sequence[str] = (),
    among: str | None = None,
) -> Outcome:
    """Insert staged records that are not there by key, update those with other content.

    Parameters
    ----------
    columns
        All staged columns.
    keep
        Columns where a staged NULL leaves what is there.
    among
        Column that parts the table into layers: only records whose value in it is staged, too, are
        missed when they are not in the file.
    """
    content = [c for c in columns if c not in key]
    same_key = " AND ".join(f"t.{c} = i.{c}" for c in key)
    coming = {c: f"COALESCE(i.{c}, t.{c})" if c in keep else f"i.{c}" for c in content}
    absent = 0
    alike = f"AND t.{among} IN (SELECT {among} FROM {name}) " if among else ""
    if tuple(key) == KEY:
        absent = int(
            execute(
                session,
                f"SELECT count(*) FROM {table} t WHERE (county_code, source) IN "
                f"(SELECT DISTINCT county_code, source FROM {name}) {alike}"
                f"AND NOT EXISTS (SELECT 1 FROM {name} i WHERE {same_key})",
            ).scalar_one()
        )
    total = int(execute(session, f"SELECT count(*) FROM {name}").scalar_one())
    changed = 0
    if content:
        sets = ", ".join(f"{c} = {value}" for c, value in coming.items())
        old = ", ".join(f"t.{c}" for c in content)
        fresh = ", ".join(coming.values())
        result = execute(
            session,
            f"UPDATE {table} t SET {sets} FROM {name} i WHERE {same_key} "
            f"AND ROW({old}) IS DISTINCT FROM ROW({fresh})",
        )
        changed = int(result.rowcount)  # type: ignore[attr-defined]
    listed = ", ".join(columns)
    inserted = execute(
        session,
        f"INSERT INTO {table} ({listed}) SELECT {listed} FROM {name} i "
        f"WHERE NOT EXISTS (SELECT 1 FROM {table} t WHERE {same_key}) ORDER BY file_row",
    )
    new = int(inserted.rowcount)  # type: ignore[attr-defined]
    if new:
        # Without fresh figures the next import would compare row by row in a nested loop.
        execute(session, f"ANALYZE {table}")
    return Outcome(new, changed, total - new - changed, absent)


def write(
    session: Session,
    table: str,
    records: pd.DataFrame,
    columns: Sequence[str],
    report: Report,
    *,
    among: str | None = None,
) -> None:
    """Stage records, reject what PostGIS finds invalid, merge the rest, and count it all."""
    stage(session, table, records[list(columns)])
    refuse_invalid(session, report)
    count(report, merge(session, table, columns, among=among))


def count(report: Report, outcome: Outcome) -> None:
    """Add an outcome to the report's counts."""
    report.new = (report.new or 0) + outcome.new
    report.changed = (report.changed or 0) + outcome.changed
    report.unchanged = (report.unchanged or 0) + outcome.unchanged
    report.absent = (report.absent or 0) + outcome.absent
