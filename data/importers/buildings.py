"""Buildings: points or footprints with counts of households, from files or OpenStreetMap."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import numpy as np
import pandas as pd
import shapely

from data.importers import geometry_checks, moments, osm, values, writing
from data.importers.columns import nearest_text
from data.importers.work import Kind, Work, county_of, put_together, stable_ids
from gis.database import execute
from gis.wording import counted

if TYPE_CHECKING:
    from sqlalchemy.orm import Session

COUNTS: Final = (
    "households",
    "households_registered",
    "households_resident",
    "households_occupied",
)
_STORED: Final = (
    "county_code", "source", "external_id", "unit_code", "name", "address", "kind", "floors",
    "households_registered", "households_resident", "households_occupied", "counted_on", "geom",
)  # fmt: skip
# The largest halls and hospitals cover a few hectares; nobody lives in a larger one.
LARGE_HA: Final = 5.0
_REMEDY_PARTS: Final = "Make the rows of one building agree, or give each its own id."


def prepare(work: Work) -> None:
    """Check ids, counts and codes; put the parts of one building together."""
    report = work.report
    frame = pd.DataFrame(index=work.frame.index)
    frame["external_id"] = stable_ids(work, ("name", "address"))
    for name in ("name", "address", "kind"):
        frame[name] = values.texts(work.column(name))
    frame["floors"] = values.objects(_floors(work), frame.index)
    for name in COUNTS:
        frame[name] = values.counts(work.column(name), report, work.field(name))
    frame["counted_on"] = moments.dates(
        work.column("counted_on"), report, work.field("counted_on"), timezone=work.options.timezone
    )
    frame["unit_code"] = values.objects(_unit_codes(work), frame.index)
    if work.has("households"):
        resident = frame["households_resident"]
        frame["households_resident"] = resident.where(resident.notna(), frame["households"])
        report.note(
            f"{work.field('households')!r} was taken as households that live there",
            "Say --map households_registered=COLUMN if it counts registered ones.",
            field=work.field("households"),
        )
    elif not work.options.update and not any(work.has(name) for name in COUNTS):
        names = [] if report.raw is None else [str(name) for name in report.raw.columns]
        report.add(
            "warned",
            "no column of households was found: the buildings count 0 households",
            f"{nearest_text('households', names, 'There are')} Say --map households=COLUMN.",
        )
    frame = frame.drop(columns="households")
    frame["geom"] = work.geom
    frame = frame[report.stands(frame.index)]
    _warn_of_empty_counts(work, frame)
    _warn_of_large(work, frame)
    work.records["buildings"] = _merged(work, frame)


def _warn_of_empty_counts(work: Work, frame: pd.DataFrame) -> None:
    """Say how many buildings count 0 households because no cell says how many."""
    given = [name for name in COUNTS if work.has(name)]
    if not given or work.options.update:
        return
    empty = frame.index[frame[list(COUNTS[1:])].isna().all(axis=1)]
    if len(empty):
        first = ", ".join(map(str, empty[:5]))
        which = counted(len(empty), "row has no household count and counts",
                        "rows have no household count and count")  # fmt: skip
        work.report.add(
            "warned",
            f"{which} as 0 households ({'rows' if len(empty) > 1 else 'row'} {first}"
            f"{', ...' if len(empty) > 5 else ''})",
            f"If that is right, say --default {given[0]}=0.",
            field=work.field(given[0]),
        )


def _warn_of_large(work: Work, frame: pd.DataFrame) -> None:
    """Name the footprints so large that they are rather plots, blocks or whole villages."""
    shapes = np.array(list(frame["geom"]), dtype=object)
    hectares = geometry_checks.areas_m2(shapes) / 10_000 if len(shapes) else np.empty(0)
    large = hectares > LARGE_HA
    if large.any():
        work.report.add(
            "warned", [f"the footprint covers {ha:,.1f} ha" for ha in hectares[large]],
            "Is it a building, or a plot or block? No grid can part the households of one "
            "footprint.",
            rows=frame.index[large], field="geometry",
            group=f"the footprint covers more than {LARGE_HA:g} ha",
        )  # fmt: skip


def _floors(work: Work) -> list[int | None]:
    """Whole floors; halves are rounded up, and what is no number is left out, both said."""
    out: list[int | None] = []
    rounded, unread = [], []
    for row, value in work.column("floors").items():
        text = values.text_of(value)
        try:
            number = None if text is None else float(text.removesuffix("层"))
        except ValueError:
            number = np.nan
        if number is None:
            out.append(None)
        elif not 0 <= number <= 200:
            unread.append((row, text))
            out.append(None)
        else:
            if number != int(number):
                rounded.append(row)
            out.append(int(np.ceil(number)))
    field = work.field("floors")
    if rounded:
        work.report.add("repaired", "floors were rounded up", rows=rounded, field=field)
    if unread:
        work.report.add(
            "repaired",
            [
                f"floors {text!r} are no number from 0 to 200 and were left out"
                for _, text in unread
            ],
            rows=[row for row, _ in unread],
            field=field,
            group="floors could not be read and were left out",
        )
    return out


def _unit_codes(work: Work) -> list[str | None]:
    out: list[str | None] = []
    bad: list[tuple[Any, str]] = []
    for row, value in work.column("unit").items():
        text, why = values.code(value)
        if text is not None and len(text) != 12:
            why = f"{text} has {len(text)} digits; the code of a village or community has 12"
        if why is not None:
            bad.append((row, why))
        out.append(text)
    work.report.reject_each(
        bad,
        "Keep codes as text, or leave the column out: the place decides then.",
        field=work.field("unit"),
        group="the unit code is wrong",
    )
    return out


def _merged(work: Work, frame: pd.DataFrame) -> pd.DataFrame:
    """One record for each id: rows that only differ in geometry are parts of one building."""
    doubled = frame["external_id"].duplicated(keep=False)
    if not doubled.any():
        return frame
    report = work.report
    facts = [c for c in frame.columns if c not in ("geom", "external_id")]
    parts = frame[doubled]
    merged_rows: list[int] = []
    bad: list[tuple[int, str]] = []
    keep: dict[int, Any] = {}
    for identity, group in parts.groupby("external_id", sort=False):
        differing = [c for c in facts if group[c].astype(object).map(_known).nunique() > 1]
        if differing:
            listed = ", ".join(str(r) for r in group.index[:5])
            why = (
                f"the id {identity!r} stands in rows {listed} with different {', '.join(differing)}"
            )
            bad += [(row, why) for row in group.index]
            continue
        shape = shapely.union_all(list(group["geom"])) if group["geom"].notna().any() else None
        if shape is not None and shape.geom_type not in ("Polygon", "MultiPolygon", "Point"):
            bad += [(row, f"the id {identity!r} stands at several points") for row in group.index]
            continue
        keep[group.index[0]] = shape
        merged_rows += list(group.index)
    report.reject_each(
        bad, _REMEDY_PARTS,
        field=work.field("id"), group="rows of one id contradict each other",
    )  # fmt: skip
    if keep:
        report.add(
            "repaired",
            f"{len(merged_rows)} rows of {counted(len(keep), 'repeated id')}: the parts of a "
            "building were put together, its households counted once",
            field=work.field("id"),
        )
    return put_together(frame, doubled, keep)


def _known(value: Any) -> Any:
    return None if writing.is_nothing(value) else value


def store(work: Work, session: Session) -> None:
    """Write the buildings; those without a unit get the village or community they stand in."""
    report = work.report
    county = county_of(work, session)
    frame = work.records["buildings"].copy()
    frame["county_code"] = county
    frame["source"] = work.options.source
    foreign = frame["unit_code"].notna() & ~frame["unit_code"].str.startswith(county, na=False)
    if foreign.any():
        report.reject(
            frame.index[foreign],
            [f"unit {code} is not in county {county}" for code in frame.loc[foreign, "unit_code"]],
            "Import each county by itself, with --county CODE.",
            field=work.field("unit"),
            group="the unit is not in the county",
        )
        frame = frame[~foreign]
    if frame.empty:
        return
    for name in ("households_registered", "households_resident", "households_occupied"):
        frame[name] = pd.Series(
            writing.whole(frame[name].to_numpy(dtype=float)), index=frame.index, dtype=object
        )
    frame, columns = writing.given(work, frame, _STORED)
    if "geom" in columns and "unit_code" not in columns:
        # Where a building was moved to decides its unit anew.
        frame, columns = frame.assign(unit_code=None), (*columns, "unit_code")
    writing.stage(session, "buildings", frame[list(columns)])
    if "geom" in columns:
        writing.refuse_invalid(session, report)
        locate_units(session)
    writing.count(report, writing.merge(session, work, "buildings", columns))
    if work.options.update:
        return
    nowhere = execute(session, "SELECT count(*) FROM incoming WHERE unit_code IS NULL").scalar_one()
    if nowhere:
        which = counted(nowhere, "building stands", "buildings stand")
        report.note(f"{which} in no village or community that is known")


def locate_units(session: Session) -> None:
    """Give staged buildings without a unit that of the village or community they stand in.

    On the line between two the lower code answers, as everywhere.
    """
    execute(
        session,
        """
        UPDATE incoming i SET unit_code = (
            SELECT u.code FROM admin_units u
            WHERE u.level = 12 AND u.county_code = i.county_code AND upper_inf(u.valid)
              AND u.geom && i.geom AND ST_Covers(u.geom, ST_PointOnSurface(i.geom))
            ORDER BY u.code LIMIT 1
        ) WHERE i.unit_code IS NULL
        """,
    )


KIND: Final = Kind(
    name="buildings",
    fields=(
        "id", "name", "address", "unit", "kind", "floors", *COUNTS, "counted_on",
    ),
    families=("point", "polygon"),
    needs_place=True,
    prepare=prepare,
    store=store,
    from_osm=osm.buildings,
    layers=("building", "parcels", "houses", "楼栋", "建筑", "房屋"),
    corrects={
        "name": "name", "address": "address", "unit": "unit_code", "kind": "kind",
        "floors": "floors", "households": "households_resident",
        **{name: name for name in COUNTS[1:]}, "counted_on": "counted_on",
    },
    takes_back=True,
)  # fmt: skip
