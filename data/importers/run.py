"""One import from end to end: read, map, place, check, store; a dry run unless told otherwise."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import pandas as pd

from data import schema
from data.importers import (
    addresses,
    barriers,
    borders,
    buildings,
    cameras,
    columns,
    filters,
    grids,
    guards,
    incidents,
    places,
    placing,
    routes,
    tracks,
    units,
    workers,
)
from data.importers.reading import Table, read
from data.importers.report import Report
from data.importers.work import Kind, Options, Progress, Work
from gis import audit
from gis.database import execute
from gis.errors import BadInput, Problem
from grids.addresses import gazetteer

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sqlalchemy.orm import Session

    from gis.database import Database

KINDS: Final[dict[str, Kind]] = {
    kind.name: kind
    for kind in (
        units.KIND,
        buildings.KIND,
        barriers.KIND,
        barriers.BRIDGES,
        borders.KIND,
        cameras.KIND,
        routes.KIND,
        routes.CHECKPOINTS,
        workers.KIND,
        incidents.KIND,
        tracks.KIND,
        grids.KIND,
        places.KIND,
        addresses.KIND,
    )
}
# What the gazetteer is made of: names and house numbers are read anew when these change.
GAZETTEER: Final = frozenset({"buildings", "barriers", "places", "addresses"})
# The report in the database keeps this many rows of each group; the rejected file has them all.
STORED_ROWS: Final = 1_000


class _DryRun(Exception):
    """Ends a transaction whose work was only wanted for its checks."""


def run_import(
    kind: str,
    path: Path,
    *,
    layer: str | None = None,
    crs: str = "auto",
    mapping: Mapping[str, str] | None = None,
    defaults: Mapping[str, str] | None = None,
    county: str | None = None,
    parent: str | None = None,
    source: str | None = None,
    encoding: str | None = None,
    timezone: str = "Asia/Shanghai",
    against: Path | None = None,
    database: Database | None = None,
    commit: bool = False,
    strict: bool = False,
    update: bool = False,
    complete: bool = False,
    grid_kind: str = "base",
    where: Sequence[str] = (),
    actor: str = "import",
    max_bytes: int = guards.MAX_BYTES,
    progress: Progress | None = None,
) -> Report:
    """Import one file, or say what importing it would do.

    Parameters
    ----------
    kind
        A key of `KINDS`.
    layer
        Layer or sheet; None takes the only one or the one named like the kind.
    crs
        ``auto`` (declared by the file), or a name for `gis.crs.parse_crs`.
    mapping
        Field to column; ``{"category": "=crime"}`` gives every row the same text.
    defaults
        Field to the text that empty cells get.
    county, parent, source, timezone, against, grid_kind, actor
        See `work.Options`; `source` is the file's name without its ending unless given.
    encoding
        Of text in CSV and Shapefiles; None finds out.
    database
        Where to check against and write to; None checks the file alone.
    commit
        Write. All rows that pass, the ``imports`` row and the audit entry are one transaction.
    strict
        Refuse the file when one row is rejected.
    update
        Correct records that are there, by the fields that the file has; add none.
    complete
        The file has all records of its county and source: take back those that it lacks.
    where
        Conditions on the rows to take, as in `filters`; all must hold.
    progress
        Called with the step and its share done, 0 to 1.

    Returns
    -------
    The report; rows that were rejected are in it, the others were (or would be) kept.

    Raises
    ------
    NotFound
        There is no such file.
    BadInput
        The file as a whole cannot be taken; nothing is written.
    """
    if kind not in KINDS:
        raise BadInput(
            f"there is no import of {kind!r}",
            columns.nearest_text(kind, list(KINDS), "There are"),
        )
    if commit and database is None:
        raise BadInput("nothing can be written without a database", "Leave --commit out.")
    path = Path(path)
    _check_ways(KINDS[kind], update=update, complete=complete, is_filtered=bool(where))
    grids.check_kind(grid_kind, kind)
    conditions = filters.parse(where)
    options = Options(
        crs=crs, county=county, parent=parent, source=source or _stem(path), timezone=timezone,
        against=against, defaults=dict(defaults or {}), actor=actor, update=update,
        complete=complete, grid_kind=grid_kind, commit=commit,
        secrets=database.settings.secrets_path if database is not None else None,
    )  # fmt: skip
    say = progress or _silent
    say("reading", 0.0)
    tables = _tables(KINDS[kind], path, layer, encoding, max_bytes)
    if update:
        tables = tables[:1]  # what comes along with a kind is not corrected along with it
    report = Report(kind, path.name, options.source)
    with suppress(_DryRun), _transaction(database, commit=commit) as session:
        for number, (part, table) in enumerate(tables):
            say(part.name, (number + 1) / (len(tables) + 1))
            told = mapping if number == 0 else None
            chosen = conditions if number == 0 else ()
            work, taken = begin(part, table, told, options, report, conditions=chosen)
            _import_layer(work, taken, session)
            report.refuse_if_strict(strict=strict)
        if session is not None and commit:
            if report.kept == 0:
                raise _DryRun  # there is nothing to write
            _refresh(session, report, options)
            _record(session, path, report, options)
    say("done", 1.0)
    return report


def _check_ways(kind: Kind, *, update: bool, complete: bool, is_filtered: bool) -> None:
    """Refuse ways of importing that a kind does not know, or that contradict one another."""
    problems = []
    if update and not kind.corrects:
        able = ", ".join(name for name, each in KINDS.items() if each.corrects)
        problems.append(
            Problem(
                f"{kind.name} are not corrected by --update",
                f"{kind.no_update} It corrects {able}.".strip(), None, None, "--update",
            )
        )  # fmt: skip
    if complete and not kind.takes_back:
        able = ", ".join(name for name, each in KINDS.items() if each.takes_back)
        problems.append(
            Problem(
                f"{kind.name} are never taken back by a file", f"--complete is for {able}.",
                None, None, "--complete",
            )
        )  # fmt: skip
    if complete and update:
        reason = "--complete says that the file has everything, --update that it only corrects"
        problems.append(Problem(reason, "Say one of them."))
    if complete and is_filtered:
        reason = "rows left out by --where would count as gone with --complete"
        problems.append(Problem(reason, "Say one of them."))
    if problems:
        raise BadInput(problems)


def _silent(step: str, share: float) -> None:  # noqa: ARG001 - the shape of a progress callback
    return


def _stem(path: Path) -> str:
    name = path.name
    ending = guards.ending(path)
    return name[: -len(ending)] if ending and len(name) > len(ending) else name


def _tables(
    kind: Kind, path: Path, layer: str | None, encoding: str | None, max_bytes: int
) -> list[tuple[Kind, Table]]:
    """The layer of this kind, then those of its companions in the same file."""
    checked = guards.check_file(path, max_bytes=max_bytes)
    if checked.format == "osm":
        if kind.from_osm is None:
            from_osm = ", ".join(k.name for k in KINDS.values() if k.from_osm)
            raise BadInput(
                f"{kind.name} are not read from OpenStreetMap extracts", f"Read are: {from_osm}."
            )
        return [(kind, kind.from_osm(checked))]
    preferred = (kind.name, *kind.layers)
    table = read(
        path, layer=layer, preferred=preferred, encoding=encoding, max_bytes=max_bytes
    )  # fmt: skip
    tables = [(kind, table)]
    for name in kind.companions if layer is None else ():
        companion = KINDS[name]
        for candidate in table.layers:
            if candidate.lower() in (name, *companion.layers) and candidate != table.layer:
                extra = read(path, layer=candidate, encoding=encoding, max_bytes=max_bytes)
                tables.append((companion, extra))
                break
    return tables


@contextmanager
def _transaction(database: Database | None, *, commit: bool) -> Iterator[Session | None]:
    """One transaction for it all; a dry run's is rolled back by raising `_DryRun`."""
    if database is None:
        yield None
        return
    with database.transaction(timeout_s=0) as session:
        if not commit:
            # A database without tables, or with those of an older release, is looked at as it
            # would be; the rollback takes the tables away again.
            schema.upgrade_within(session.connection())
        yield session
        if not commit:
            raise _DryRun


def _import_layer(work: Work, table: Table, session: Session | None) -> None:
    placing.geometry_of(work, table)
    work.drop_rejected()
    placing.place(work, table, session)
    work.kind.prepare(work)
    work.drop_rejected()
    if session is not None:
        work.kind.store(work, session)
    elif work.kind.unchecked is not None:
        work.kind.unchecked(work)


def begin(
    kind: Kind,
    table: Table,
    mapping: Mapping[str, str] | None,
    options: Options,
    report: Report,
    *,
    conditions: Sequence[filters.Condition] = (),
) -> tuple[Work, Table]:
    """Map the columns of a table, leave out rows by the conditions, and begin the work on it.

    Returns
    -------
    The work, and the table with the rows that were taken.

    Raises
    ------
    BadInput
        The mapping is wrong, or required columns are missing; all of them named.
    """
    present = [str(column) for column in table.frame.columns]
    fields = kind.fields
    if kind.families:
        places = ("lon", "lat", "wkt") if "point" in kind.families else ("wkt",)
        fields = (*fields, *(f for f in places if f not in fields))
    found = columns.resolve(kind.name, fields, present, mapping, file=report.file)
    has_place = table.geometry is not None
    lacking = [
        columns.missing(kind.name, field, present, file=report.file)
        for field in kind.required
        if field not in found.columns
        and field not in found.constants
        and field not in options.defaults
        and not (field in ("lon", "lat") and has_place)
    ]
    if lacking:
        raise BadInput(lacking)
    for column, why in found.refused.items():
        report.add("warned", f"column {column!r} is {why}", field=column)
    for note in table.notes:
        report.note(note)
    first = report.read + report.left_out
    report.layer = table.layer if first == 0 else report.layer
    report.columns |= found.columns
    if conditions:
        kept, notes = filters.keep(
            table.frame, conditions, found.columns, file=report.file, timezone=options.timezone
        )
        for text in notes:
            report.note(text)
        report.left_out += int((~kept).sum())
        table = table.only(kept)
    frame = table.frame
    if first:
        frame = frame.set_axis(frame.index + first)
    report.read += len(frame)
    report.raw = frame if report.raw is None else pd.concat([report.raw, frame])
    data = {field: frame[column] for field, column in found.columns.items()}
    for field, text in found.constants.items():
        data[field] = pd.Series(text, index=frame.index, dtype=object)
    for field, text in options.defaults.items():
        if field not in fields:
            raise BadInput(Problem(f"{kind.name} have no field {field!r}", field=field))
        given = data.get(field, pd.Series(None, index=frame.index, dtype=object)).astype(object)
        data[field] = given.where(given.notna() & (given.astype(str).str.strip() != ""), text)
    work = Work(
        kind, options, report, pd.DataFrame(data, index=frame.index),
        np.full(len(frame), None, dtype=object), found.columns,
    )  # fmt: skip
    return work, table


def _refresh(session: Session, report: Report, options: Options) -> None:
    """Bring the gazetteer up to what was written."""
    if report.kind not in GAZETTEER or not (report.new or report.changed or report.removed):
        return
    counties = [options.county] if options.county else execute(
        session, "SELECT DISTINCT county_code FROM admin_units "
        "WHERE county_code IS NOT NULL AND upper_inf(valid)",
    ).scalars().all()  # fmt: skip
    for county in counties:
        gazetteer.refresh(session, county)


def _record(session: Session, path: Path, report: Report, options: Options) -> None:
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while chunk := file.read(1 << 20):
            digest.update(chunk)
    report.committed = True
    detail: dict[str, Any] = report.to_dict(limit=STORED_ROWS)
    number = execute(
        session,
        "INSERT INTO imports (kind, source, file_name, file_sha256, actor, kept, changed, "
        "rejected, report) VALUES (:kind, :source, :file, :sha256, :actor, :kept, :changed, "
        ":rejected, CAST(:report AS jsonb)) RETURNING id",
        kind=report.kind,
        source=report.source,
        file=path.name,
        sha256=digest.hexdigest(),
        actor=options.actor,
        kept=report.kept,
        changed=(report.new or 0) + (report.changed or 0) + (report.removed or 0),
        rejected=report.rejected,
        report=json.dumps(detail, ensure_ascii=False).replace("\\u0000", ""),
    ).scalar_one()
    audit.record(
        session,
        actor=options.actor,
        action="import",
        object_kind="import",
        object_id=number,
        county_code=options.county,
        kind=report.kind,
        kept=report.kept,
        new=report.new,
        changed=report.changed,
        unchanged=report.unchanged,
        removed=report.removed,
        rejected=report.rejected,
    )
