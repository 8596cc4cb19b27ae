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

from data.importers import history, leaving
from data.importers.values import texts
from gis.database import execute
from gis.errors import BadInput, Problem
from gis.wording import counted

if TYPE_CHECKING:
    from sqlalchemy.orm import Session

    from data.importers.report import Report
    from data.importers.work import Work

KEY: Final = ("county_code", "source", "external_id")


@dataclass(frozen=True, slots=True)
class Outcome:
    """Records by what became of them.

    `absent` were of the same source and are not in the file; `removed` were taken back for that.
    """

    new: int
    changed: int
    unchanged: int
    absent: int = 0
    removed: int = 0


def stage(session: Session, table: str, records: pd.DataFrame) -> None:
    """Copy records into the temporary table ``incoming``, with columns of `table` and ``file_row``.

    Parameters
    ----------
    records
        Columns named as in the table; the index is the row of the file. Geometry (column ``geom``)
        is shapely, WGS 84. None, NaN and NaT become NULL.
    """
    columns = list(records.columns)
    listed = ", ".join(columns)
    execute(session, "DROP TABLE IF EXISTS incoming")
    execute(
        session,
        "CREATE TEMPORARY TABLE incoming ON COMMIT DROP AS "
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
        cursor.copy(f"COPY incoming ({listed}, file_row) FROM STDIN") as copy,
    ):
        for record in zip(*values, strict=True):
            copy.write_row(record)
    execute(session, "ANALYZE incoming")


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


def refuse_invalid(session: Session, report: Report) -> None:
    """Reject what PostGIS, which has the last word, finds invalid where shapely did not."""
    bad = execute(
        session,
        "DELETE FROM incoming WHERE NOT ST_IsValid(geom) "
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


def given(
    work: Work, records: pd.DataFrame, columns: Sequence[str]
) -> tuple[pd.DataFrame, tuple[str, ...]]:
    """Of an update, the columns that the file has, None where its cell is empty; else all of them.

    What an importer assumes where nothing is said must not replace what is known.
    """
    if not work.options.update or records.empty:
        return records, tuple(columns)
    out = records[[column for column in KEY if column in columns]].copy()
    for column in columns:
        said = np.zeros(len(records), dtype=bool)
        for field, corrected in work.kind.corrects.items():
            if corrected == column and work.has(field):
                said |= texts(work.frame[field].reindex(records.index)).notna().to_numpy()
        if said.any():
            out[column] = records[column].astype(object).where(said, None)
    if "geom" in columns and not shapely.is_missing(np.array(list(records["geom"]))).all():
        out["geom"] = records["geom"]
    if set(out.columns) <= set(KEY):
        raise BadInput(
            Problem(
                "the file has nothing to correct: besides the id, none of "
                f"{', '.join(dict.fromkeys(work.kind.corrects))} has a value",
                "Say --map FIELD=COLUMN.",
                work.report.file,
            )
        )
    return out, tuple(out.columns)


def merge(
    session: Session,
    work: Work,
    table: str,
    columns: Sequence[str],
    *,
    key: Sequence[str] = KEY,
    keep: Sequence[str] = (),
    among: str | None = None,
) -> Outcome:
    """Insert staged records that are not there by key, update those with other content.

    An update inserts none; a complete file also takes back what it lacks.

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
    same = " AND ".join(f"t.{c} = i.{c}" for c in key)
    is_update = work.options.update
    coming = {c: f"COALESCE(i.{c}, t.{c})" if is_update or c in keep else f"i.{c}" for c in content}
    if is_update:
        _refuse_unknown(session, work, table, same)
    total = int(execute(session, "SELECT count(*) FROM incoming").scalar_one())
    changed = history.update(session, work, table, same, coming) if content else 0
    if is_update:
        return Outcome(0, changed, total - changed)
    if tuple(key) == KEY:
        _warn_of_twins(session, work, table, same)
    new = insert(session, table, columns, same)
    outcome = Outcome(new, changed, total - new - changed)
    if tuple(key) != KEY:
        return outcome
    alike = f"AND t.{among} IN (SELECT {among} FROM incoming) " if among else ""
    gone = (
        f"(t.county_code, t.source) IN (SELECT DISTINCT county_code, source FROM incoming) {alike}"
        f"AND NOT EXISTS (SELECT FROM incoming AS i WHERE {same})"
    )
    return without(session, work, table, outcome, gone)


def insert(session: Session, table: str, columns: Sequence[str], same: str) -> int:
    """Insert the staged records for which no stored one is the `same`; their number."""
    listed = ", ".join(columns)
    inserted = execute(
        session,
        f"INSERT INTO {table} ({listed}) SELECT {listed} FROM incoming i "
        f"WHERE NOT EXISTS (SELECT 1 FROM {table} t WHERE {same}) ORDER BY file_row",
    )
    new = int(inserted.rowcount)  # type: ignore[attr-defined]
    if new:
        # Without fresh figures the next import would compare row by row in a nested loop.
        execute(session, f"ANALYZE {table}")
    return new


def without(session: Session, work: Work, table: str, outcome: Outcome, gone: str) -> Outcome:
    """The outcome with the records (``t``) that are `gone`: counted, or deleted if told to."""
    if work.options.complete and work.kind.takes_back:
        removed, absent = leaving.delete(session, work, table, gone)
    else:
        removed, absent = 0, leaving.count_gone(session, table, gone)
    return Outcome(outcome.new, outcome.changed, outcome.unchanged, absent, removed)


def _refuse_unknown(session: Session, work: Work, table: str, same: str) -> None:
    """Reject the rows of an update whose record is not there, and say under which source it is."""
    kind, _ = history.names_of(table)
    unknown = execute(
        session,
        f"DELETE FROM incoming AS i WHERE NOT EXISTS (SELECT FROM {table} AS t WHERE {same}) "
        f"RETURNING file_row, external_id, ARRAY(SELECT t.source FROM {table} AS t "
        "WHERE t.county_code = i.county_code AND t.external_id = i.external_id "
        "ORDER BY 1) AS known",
    ).all()
    for sources in dict.fromkeys(tuple(row.known) for row in unknown):
        rows = [row for row in unknown if tuple(row.known) == sources]
        work.report.reject(
            [row.file_row for row in rows],
            [f"there is no {kind} {row.external_id!r} of the source {work.options.source!r}"
             for row in rows],
            f"It is known from the source {' and '.join(map(repr, sources))}: say --source "
            f"{sources[0] if len(sources) == 1 else 'NAME'}."
            if sources
            else "Correct the id, name the source with --source, or leave --update out to add it.",
            field=work.field("id"), group=f"there is no such {kind} to correct",
        )  # fmt: skip


def _warn_of_twins(session: Session, work: Work, table: str, same: str) -> None:
    """Warn of new records whose id another source has as well: they may be the same things."""
    kind, _ = history.names_of(table)
    for row in execute(
        session,
        f"SELECT t.source, count(*) AS n, min(i.external_id) AS first FROM incoming AS i "
        f"JOIN {table} AS t ON t.county_code = i.county_code AND t.external_id = i.external_id "
        f"AND t.source <> i.source WHERE NOT EXISTS (SELECT FROM {table} AS t WHERE {same}) "
        "GROUP BY 1 ORDER BY 1",
    ):
        work.report.add(
            "warned",
            f"{counted(row.n, f'new {kind} has its', f'new {kind}s have their')} id in common with "
            f"the source {row.source!r} (such as {row.first})",
            f"If these are the same {kind}s, say --source {row.source} to change them.",
            field=work.field("id"),
        )


def write(
    session: Session,
    work: Work,
    table: str,
    records: pd.DataFrame,
    columns: Sequence[str],
    *,
    among: str | None = None,
) -> None:
    """Stage records, reject what PostGIS finds invalid, merge the rest, and count it all."""
    records, columns = given(work, records, columns)
    stage(session, table, records[list(columns)])
    if "geom" in columns:
        refuse_invalid(session, work.report)
    count(work.report, merge(session, work, table, columns, among=among))


def count(report: Report, outcome: Outcome) -> None:
    """Add an outcome to the report's counts."""
    report.new = (report.new or 0) + outcome.new
    report.changed = (report.changed or 0) + outcome.changed
    report.unchanged = (report.unchanged or 0) + outcome.unchanged
    report.absent = (report.absent or 0) + outcome.absent
    report.removed = (report.removed or 0) + outcome.removed
