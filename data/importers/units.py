"""Administrative units: polygons and code tables, of one level or of all five in columns."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import pandas as pd
import shapely

from data.importers import geometry_checks, history, leaving, values, writing
from data.importers.columns import missing
from data.importers.unit_codes import LEVELS, check_level, own_codes, trimmed
from data.importers.work import Kind, Work, put_together
from gis.database import execute
from gis.errors import BadInput, Problem
from gis.wording import counted
from grids.redistricting import AREA_TYPES

if TYPE_CHECKING:
    from sqlalchemy.orm import Session

AREA_WORDS: Final = {
    "城市": "urban", "城镇": "urban", "城区": "urban", "微网格": "micro", "农村": "rural",
    "乡村": "rural", "农区": "rural", "牧区": "pastoral",
}  # fmt: skip
_SLIVERS: Final = "pairs of neighbouring units overlap by slivers"
_STORED: Final = ("code", "level", "parent_code", "name", "name_en", "area_type", "geom", "source")


def prepare(work: Work) -> None:
    """Codes, names and levels of every row, then of the units above it that the row names."""
    report = work.report
    parent = work.options.parent
    if parent is not None and not (parent.isascii() and parent.isdigit()):
        raise BadInput(Problem(f"the parent {parent!r} is not made of digits"))
    if not work.has("code") and not any(work.has(f"code_{level}") for level in LEVELS):
        present = [] if report.raw is None else list(map(str, report.raw.columns))
        raise BadInput(missing("units", "code", present, file=report.file))
    frame = pd.DataFrame(index=work.frame.index)
    frame["code"] = values.objects(own_codes(work), frame.index)
    frame["level"] = [0 if code is None else len(code) for code in frame["code"]]
    names = {level: values.texts(work.column(f"name_{level}")) for level in LEVELS}
    titles = {level: column.tolist() for level, column in names.items()}
    given = values.texts(work.column("name"))
    named = [
        own if own is not None else (titles[level][position] if level in titles else None)
        for position, (own, level) in enumerate(zip(given, frame["level"], strict=True))
    ]
    frame["name"] = values.objects(named, frame.index)
    frame["name_en"] = values.texts(work.column("name_en"))
    frame["area_type"] = values.chosen(
        work.column("area_type"),
        report,
        work.field("area_type"),
        AREA_WORDS,
        allowed=tuple(AREA_TYPES),
    )
    frame["geom"] = work.geom
    check_level(work, frame)
    frame = frame[report.stands(frame.index)]
    above = _above(work, frame, names)
    frame = frame[report.stands(frame.index)]
    frame = _put_together(work, frame)
    frame = _refuse_overlaps(work, frame)
    frame["is_above"] = False
    above = above[~above["code"].isin(frame["code"]) & above.index.isin(frame.index)]
    units = pd.concat([frame, above]) if len(above) else frame
    units["parent_code"] = [
        None if level == 2 else code[: LEVELS[LEVELS.index(level) - 1]]
        for code, level in zip(units["code"], units["level"], strict=True)
    ]
    work.records["units"] = units


def _above(work: Work, frame: pd.DataFrame, names: dict[int, pd.Series[Any]]) -> pd.DataFrame:
    """The units above that rows name, each once; rejects rows whose code does not begin so."""
    seen: dict[str, dict[str, Any]] = {}
    bad: dict[int, str] = {}
    for level in LEVELS[:-1]:
        codes = work.column(f"code_{level}").reindex(frame.index)
        titles = names[level].reindex(frame.index)
        if codes.isna().all() and titles.isna().all():
            continue
        for row, code, own_level, value, title in zip(
            frame.index, frame["code"], frame["level"], codes, titles, strict=True
        ):
            if own_level <= level:
                continue
            said, _ = values.code(value)
            if said is not None and trimmed(said) != code[:level]:
                if len(trimmed(said)) == level or not code.startswith(trimmed(said)):
                    bad[row] = f"the code {code} does not begin with {said}, said to be above it"
                continue
            if title is not None:
                seen.setdefault(
                    code[:level],
                    {"row": row, "code": code[:level], "level": level, "name": title},
                )
    if bad:
        work.report.reject(
            list(bad), list(bad.values()), "Correct one of the two codes.",
            field=work.field("code"), group="the code does not begin with that of the unit above",
        )  # fmt: skip
    out = pd.DataFrame.from_records(
        list(seen.values()), columns=["row", "code", "level", "name"]
    ).set_index("row")
    for column in ("name_en", "area_type", "geom"):
        out[column] = pd.Series([None] * len(out), index=out.index, dtype=object)
    out["is_above"] = True
    return out


def _put_together(work: Work, frame: pd.DataFrame) -> pd.DataFrame:
    """One record for each code: parts of one unit united, true doubles dropped or rejected."""
    doubled = frame["code"].duplicated(keep=False)
    if not doubled.any():
        return frame
    report = work.report
    keep: dict[Any, Any] = {}
    united: list[int] = []
    dropped: list[int] = []
    for code, group in frame[doubled].groupby("code", sort=False):
        listed = ", ".join(str(row) for row in group.index[:5])
        if group["name"].nunique(dropna=False) > 1:
            report.reject(
                list(group.index),
                f"the code {code} stands in rows {listed} with different names",
                "Give each unit its own code.",
                field=work.field("code"), group="the code stands in several rows",
            )  # fmt: skip
            continue
        shapes = [shape for shape in group["geom"] if shape is not None]
        keep[group.index[0]] = shapely.union_all(shapes) if shapes else None
        (united if len(shapes) > 1 else dropped).extend(group.index[1:])
    if united:
        report.add(
            "repaired", "further parts of a unit were put together with its first row",
            rows=united, field=work.field("code"),
        )  # fmt: skip
    if dropped:
        report.add(
            "repaired", "the row repeats a unit and was left out",
            rows=dropped, field=work.field("code"),
        )  # fmt: skip
    return put_together(frame, doubled, keep)


def _refuse_overlaps(work: Work, frame: pd.DataFrame) -> pd.DataFrame:
    """Reject units of one level that cover the same ground; slivers are only counted."""
    report = work.report
    slivers, worst = 0, 0.0
    for _, group in frame.groupby("level"):
        shapes = np.array(list(group["geom"]), dtype=object)
        codes, rows = list(group["code"]), list(group.index)
        for a, b, area, share in geometry_checks.overlaps(shapes):
            if share <= geometry_checks.SLIVER_SHARE:
                slivers += 1
                worst = max(worst, area)
                continue
            for mine, other in ((a, b), (b, a)):
                report.reject(
                    [rows[mine]],
                    f"unit {codes[mine]} overlaps {codes[other]} (row {rows[other]}) by "
                    f"{area:,.0f} m², {share:.0%} of the smaller",
                    "Draw one border between the two; it cannot be told which is right.",
                    field="geometry",
                    group="units overlap",
                )
    if slivers:
        report.add(
            "warned",
            f"{counted(slivers, 'pair of neighbouring units overlaps by a sliver', _SLIVERS)}, the "
            f"largest of {worst:,.0f} m²; kept as drawn",
            field="geometry",
        )
    return frame[report.stands(frame.index)].copy()


def store(work: Work, session: Session) -> None:
    """Write the units; what a row does not say (name, geometry) leaves what is there."""
    report = work.report
    frame = work.records["units"].copy()
    if frame.empty:
        return
    frame["source"] = work.options.source
    frame["geom"] = [
        None if shape is None
        else shape if shape.geom_type == "MultiPolygon" else shapely.multipolygons([shape])
        for shape in frame["geom"]
    ]  # fmt: skip
    # Staged against a nullable copy, since a polygon may come without the name that is known.
    writing.stage(session, "admin_units", frame[list(_STORED)])
    execute(session, "ALTER TABLE incoming ADD COLUMN is_above boolean NOT NULL DEFAULT false")
    execute(
        session,
        "UPDATE incoming SET is_above = true WHERE code = ANY(:codes)",
        codes=list(frame.loc[frame["is_above"], "code"]),
    )
    # Units that are gone go first: one that takes their ground (villages merge) overlaps no more.
    removed, absent = (0, 0) if work.options.update else _without(session, work)
    writing.refuse_invalid(session, report)
    _refuse_overlaps_with_known(work, session)
    if not work.options.update:
        _refuse_nameless(work, session)
    writing.count(report, replace(_merge(session, work), removed=removed, absent=absent))
    orphans = execute(
        session,
        "SELECT DISTINCT i.parent_code AS code FROM incoming i WHERE i.parent_code IS NOT NULL "
        "AND NOT EXISTS (SELECT 1 FROM admin_units u WHERE u.code = i.parent_code) ORDER BY 1",
    ).all()
    if orphans:
        listed = ", ".join(row.code for row in orphans[:5])
        more = ", ..." if len(orphans) > 5 else ""
        which = counted(len(orphans), "unit above these is", "units above these are")
        report.note(
            f"{which} not known ({listed}{more})",
            "Import them as well, so that the chain of units is whole.",
        )


def _refuse_overlaps_with_known(work: Work, session: Session) -> None:
    found = execute(
        session,
        """
        WITH pairs AS (
            SELECT i.file_row, i.code, u.code AS other,
                   ST_Area(ST_Intersection(i.geom, u.geom)::geography) AS shared,
                   least(ST_Area(i.geom::geography), ST_Area(u.geom::geography)) AS smaller
            FROM incoming i JOIN admin_units u
              ON u.level = i.level AND u.code <> i.code AND upper_inf(u.valid)
             AND u.geom && i.geom AND ST_Relate(u.geom, i.geom, '2********')
            WHERE NOT EXISTS (
                SELECT 1 FROM incoming o WHERE o.code = u.code AND o.geom IS NOT NULL
            )
        )
        SELECT * FROM pairs WHERE shared > :least AND shared > :share * smaller ORDER BY file_row
        """,
        least=geometry_checks.LEAST_OVERLAP_M2,
        share=geometry_checks.SLIVER_SHARE,
    ).all()
    for row in found:
        work.report.reject(
            [row.file_row],
            f"unit {row.code} overlaps {row.other}, which is in the database, by "
            f"{row.shared:,.0f} m², {row.shared / row.smaller:.0%} of the smaller",
            "Correct its border, or import the two together.",
            field="geometry",
            group="units overlap",
        )
    _drop(session, {row.file_row for row in found})


def _drop(session: Session, rows: set[int]) -> None:
    if rows:
        execute(session, "DELETE FROM incoming WHERE file_row = ANY(:rows)", rows=sorted(rows))


def _refuse_nameless(work: Work, session: Session) -> None:
    nameless = execute(
        session,
        "DELETE FROM incoming i WHERE name IS NULL AND NOT EXISTS "
        "(SELECT 1 FROM admin_units u WHERE u.code = i.code AND upper_inf(u.valid)) "
        "RETURNING file_row, code",
    ).all()
    if nameless:
        work.report.reject(
            [row.file_row for row in nameless],
            [f"unit {row.code} is new and has no name" for row in nameless],
            "Give it a name, or import the table of names first.",
            field=work.field("name"),
            group="the unit is new and has no name",
        )


def _merge(session: Session, work: Work) -> writing.Outcome:
    """Insert and update by code.

    A name is overwritten by the source that gave it, by code tables and by an update; the names
    that a map layer brings along are often shortened, so they do not replace another source's.
    """
    is_update = work.options.update
    wins = "true" if is_update else "t.source = i.source OR NOT i.is_above AND i.geom IS NULL"
    if is_update:
        _refuse_unknown(session, work)
    else:
        _say_kept(session, work)
    same = "t.code = i.code AND upper_inf(t.valid)"
    total = int(execute(session, "SELECT count(*) FROM incoming").scalar_one())
    changed = history.update(
        session, work, "admin_units", same,
        {
            "name": f"CASE WHEN i.name IS NOT NULL AND ({wins}) THEN i.name ELSE t.name END",
            **{c: f"COALESCE(i.{c}, t.{c})" for c in ("name_en", "area_type", "geom")},
        },
    )  # fmt: skip
    if is_update:
        return writing.Outcome(0, changed, total - changed)
    # A unit that comes back after it was ended begins anew; the time between stays empty.
    execute(session, "ALTER TABLE incoming ADD COLUMN valid tstzrange")
    execute(
        session,
        "UPDATE incoming AS i SET valid = tstzrange(CASE WHEN EXISTS "
        "(SELECT FROM admin_units AS t WHERE t.code = i.code) THEN now() END, NULL)",
    )
    new = writing.insert(session, "admin_units", (*_STORED, "valid"), same)
    return writing.Outcome(new, changed, total - new - changed)


def _without(session: Session, work: Work) -> tuple[int, int]:
    """Units of the source, its counties and levels, that the file lacks: ended, left."""
    gone = (
        "t.source = :source AND t.county_code IN (SELECT left(code, 6) FROM incoming "
        "WHERE level >= 6) AND t.level IN (SELECT level FROM incoming) "
        "AND NOT EXISTS (SELECT FROM incoming AS i WHERE i.code = t.code)"
    )
    if work.options.complete:
        return leaving.end_units(session, work, gone, source=work.options.source)
    return 0, leaving.count_gone(
        session, "admin_units", f"upper_inf(t.valid) AND {gone}", source=work.options.source
    )


def _say_kept(session: Session, work: Work) -> None:
    kept = execute(
        session,
        """
        SELECT count(*) AS n, min(u.code) AS code,
               (array_agg(u.name ORDER BY u.code))[1] AS name,
               (array_agg(i.name ORDER BY u.code))[1] AS other
        FROM incoming i JOIN admin_units u ON u.code = i.code AND upper_inf(u.valid)
        WHERE i.name <> u.name AND u.source <> i.source AND (i.is_above OR i.geom IS NOT NULL)
        """,
    ).one()
    if kept.n:
        which = counted(kept.n, "name differs from the known one", "names differ from known ones")
        work.report.note(
            f"{which}, and what is known was kept (such as {kept.code}: {kept.name!r} kept, "
            f"{kept.other!r} in this file)",
            "Say --update if the names of this file are the right ones.",
            field=work.field("name"),
        )


def _refuse_unknown(session: Session, work: Work) -> None:
    """Reject the rows of an update whose unit is not there; unknown units above are left out."""
    unknown = execute(
        session,
        "DELETE FROM incoming i WHERE NOT EXISTS "
        "(SELECT FROM admin_units u WHERE u.code = i.code AND upper_inf(u.valid)) "
        "RETURNING file_row, code, is_above",
    ).all()
    own = [row for row in unknown if not row.is_above]
    work.report.reject_each(
        [(row.file_row, f"there is no unit {row.code} to correct") for row in own],
        "Correct the code, or leave --update out to add the unit.",
        field=work.field("code"), group="there is no such unit to correct",
    )  # fmt: skip


KIND: Final = Kind(
    name="units",
    fields=(
        "code", "name", "name_en", "level", "parent", "area_type",
        *(f"{what}_{level}" for level in reversed(LEVELS) for what in ("code", "name")),
    ),
    families=("polygon",),
    prepare=prepare,
    store=store,
    corrects={name: name for name in ("name", "name_en", "area_type")},
    takes_back=True,
    layers=("unit", "admin_units", "counties", "villages", "neighborhoods", "行政区划", "社区"),
)  # fmt: skip
