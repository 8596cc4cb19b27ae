"""Ready-made grids: polygons into a draft edition, with every gap and overlap reported."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import geopandas as gpd
import numpy as np
import pandas as pd
import shapely

from data.importers import units, values, writing
from data.importers.work import Kind, Work, county_of
from gis.database import execute
from gis.errors import BadInput, Problem
from gis.wording import counted
from grids import service
from grids.checking import check
from grids.redistricting import AREA_TYPES

if TYPE_CHECKING:
    from datetime import datetime

    from sqlalchemy.orm import Session

# Households that a grid of each kind of area should have.
TARGETS: Final = {name: norm.target for name, norm in AREA_TYPES.items()}
CODE_DIGITS: Final = 3
GRID_KINDS: Final = ("base", "micro", "exclusive")


def check_kind(grid_kind: str, kind: str) -> None:
    """Refuse a kind of grids that there is not, or one that is said of something else."""
    if grid_kind not in GRID_KINDS:
        raise BadInput(
            Problem(f"there are no grids of kind '{grid_kind}'", f"One of: {', '.join(GRID_KINDS)}",
                    field="--grid-kind")
        )  # fmt: skip
    if grid_kind != "base" and kind != "grids":
        raise BadInput(
            Problem(f"{kind} are no grids", "Leave --grid-kind out", field="--grid-kind")
        )


def prepare(work: Work) -> None:
    """Codes, counts and area types; grids in several parts rejected."""
    report = work.report
    frame = pd.DataFrame(index=work.frame.index)
    for name in ("code", "unit"):
        pairs = [values.code(v) for v in work.column(name)]
        frame[name] = pd.Series([code for code, _ in pairs], index=frame.index, dtype=object)
        for row, (_, why) in zip(frame.index, pairs, strict=True):
            if why is not None:
                report.reject(
                    [row], why, "Keep codes as text.", field=work.field(name),
                    group=f"the {name} is wrong",
                )  # fmt: skip
    frame["name"] = values.texts(work.column("name"))
    for name in ("households", "buildings"):
        frame[name] = values.counts(work.column(name), report, work.field(name))
    frame["area_type"] = values.chosen(
        work.column("area_type"), report, work.field("area_type"), units.AREA_WORDS,
        allowed=tuple(AREA_TYPES),
    )  # fmt: skip
    shapes = work.geom.copy()
    single = shapely.get_num_geometries(shapes) == 1
    shapes[single] = shapely.get_geometry(shapes[single], 0)
    parts = (shapely.get_type_id(shapes) == 6) & ~single
    if parts.any():
        report.reject(
            work.rows[parts],
            [f"the grid has {n} parts that do not touch" for n in
             shapely.get_num_geometries(shapes[parts])],
            "A grid is of one piece: give each part its own row.",
            field="geometry", group="the grid has several parts",
        )  # fmt: skip
    frame["geom"] = shapes
    doubled = frame["code"].duplicated(keep=False) & frame["code"].notna()
    if doubled.any():
        report.reject(
            frame.index[doubled],
            [f"the code {code} stands twice" for code in frame["code"][doubled]],
            "Give each grid its own code.", field=work.field("code"),
            group="the code stands in several rows",
        )  # fmt: skip
    work.records["grids"] = frame[report.stands(frame.index)]


def store(work: Work, session: Session) -> None:
    """Make a draft edition of the grids, unless the same one is a draft already."""
    report = work.report
    county = county_of(work, session)
    assert county is not None
    frame = _with_units(work, session, county)
    if frame.empty:
        return
    frame = _counted(session, frame, county)
    frame["code"] = _codes(work, frame, _in_force(session, county, work.options.grid_kind))
    frame = frame[report.stands(frame.index)]
    if frame.empty:
        return
    title = f"import of {work.options.source}"
    grid_kind = work.options.grid_kind
    same = _same_draft(session, county, title, frame, grid_kind)
    if same is not None:
        report.note(f"the same grids are draft edition {same} already")
        writing.count(report, writing.Outcome(0, 0, len(frame)))
        return
    kept = gpd.GeoDataFrame(
        frame.drop(columns="geom"), geometry=np.array(list(frame["geom"]), dtype=object), crs=4326
    )
    edition = service.save_draft(
        session, county, kept, title=title, author=work.options.actor,
        note=f"{report.file}: {counted(len(frame), 'ready-made grid')}",
        rules={"targets": TARGETS, "source": work.options.source}, kind=grid_kind,
    )  # fmt: skip
    if work.options.commit:
        report.note(
            f"the grids are draft edition {edition.id}; it answers nothing until it is published",
            f"Look at it, then run: wangge plan publish {edition.id}",
        )
    else:
        report.note("the grids would become a draft, which answers nothing until it is published")
    for problem in check(session, edition, _now(session)):
        report.add("warned", problem.reason, problem.remedy, field="geometry")
    writing.count(report, writing.Outcome(len(frame), 0, 0))


def _now(session: Session) -> datetime:
    now: datetime = execute(session, "SELECT now()").scalar_one()
    return now


def _with_units(work: Work, session: Session, county: str) -> pd.DataFrame:
    """Each grid's village or community: said, part of its code, else where most of it lies."""
    report = work.report
    frame = work.records["grids"].copy()
    rows = execute(
        session,
        "SELECT code, area_type, ST_AsBinary(geom) AS wkb FROM admin_units "
        "WHERE level = 12 AND county_code = :county AND upper_inf(valid) ORDER BY code",
        county=county,
    ).all()
    known = [row.code for row in rows]
    shaped = [row for row in rows if row.wkb is not None]
    shapes = shapely.from_wkb([bytes(row.wkb) for row in shaped])
    tree = shapely.STRtree(shapes)
    found: list[str | None] = []
    for row, unit, code, shape in frame[["unit", "code", "geom"]].itertuples(name=None):
        by_code = code[:12] if code is not None and len(code) > 12 else None
        said = unit or (by_code if by_code in known else None)
        if said is None:
            near = np.sort(tree.query(shape, predicate="intersects"))
            if len(near):
                shared = shapely.area(shapely.intersection(shape, shapes[near]))
                said = shaped[near[int(np.argmax(shared))]].code
        if said is None or said not in known:
            what = (
                "lies in no village or community that is known"
                if said is None
                else (f"names the unit {said}, which is not known in county {county}")
            )
            report.reject(
                [row], f"the grid {what}", "Import the units of the county first.",
                field=work.field("unit"), group="the grid's unit is not known",
            )  # fmt: skip
        found.append(said)
    frame["unit"] = values.objects(found, frame.index)
    types = {row.code: row.area_type for row in rows}
    fallback = frame["unit"].map(types)
    if work.options.grid_kind == "micro":  # of about 100 households in town
        fallback = fallback.fillna("urban").replace("urban", "micro")
    frame["area_type"] = frame["area_type"].where(frame["area_type"].notna(), fallback)
    frame["area_type"] = frame["area_type"].fillna("urban")
    frame["target"] = frame["area_type"].map(TARGETS)
    return frame[report.stands(frame.index)]


def _counted(session: Session, frame: pd.DataFrame, county: str) -> pd.DataFrame:
    """Households and buildings where the file says none: counted from the known buildings."""
    lacking = frame["households"].isna() | frame["buildings"].isna()
    if not lacking.any():
        return frame
    rows = execute(
        session,
        "SELECT households, ST_X(point) AS lon, ST_Y(point) AS lat FROM buildings "
        "WHERE county_code = :county",
        county=county,
    ).all()
    points = shapely.points([r.lon for r in rows], [r.lat for r in rows])
    homes = np.array([r.households for r in rows], dtype=np.int64)
    shapes = np.array(list(frame["geom"]), dtype=object)
    at, building = shapely.STRtree(points).query(shapes, predicate="covers")
    # A building on the line between two grids is counted once, in the first.
    _, once = np.unique(building, return_index=True)
    at, building = at[once], building[once]
    households = np.bincount(at, weights=homes[building], minlength=len(frame))
    buildings = np.bincount(at, minlength=len(frame)).astype(float)
    frame = frame.copy()
    for name, found in (("households", households), ("buildings", buildings)):
        frame[name] = frame[name].where(frame[name].notna(), found)
    return frame


def _in_force(session: Session, county: str, grid_kind: str) -> set[str]:
    """Codes that grids of another kind have, now or in an edition to come: one code, one grid."""
    rows = execute(
        session,
        "SELECT s.code FROM grid_shapes AS s JOIN editions AS e ON e.id = s.edition_id "
        "WHERE e.county_code = :county AND e.kind <> :kind AND e.status <> 'draft' "
        "AND e.valid && tstzrange(now(), NULL)",
        county=county,
        kind=grid_kind,
    )
    return {row.code for row in rows}


def _codes(work: Work, frame: pd.DataFrame, elsewhere: set[str]) -> pd.Series[Any]:
    """Codes as given; short ones completed by the unit, missing ones numbered.

    Those of `elsewhere` are not given anew. Numbers run west to east, then north to south, within a
    unit (rows of half a grid's height).
    """
    codes = frame["code"].copy()
    short = codes.notna() & (codes.str.len() <= CODE_DIGITS)
    codes[short] = frame.loc[short, "unit"] + codes[short].str.zfill(CODE_DIGITS)
    if short.any():
        work.report.add(
            "repaired", "short grid codes were completed by the code of their unit",
            rows=frame.index[short], field=work.field("code"),
        )  # fmt: skip
    pairs = zip(codes, frame["unit"], strict=True)
    wrong = codes.notna() & ~pd.Series(
        [c is not None and u is not None and c.startswith(u) and len(c) > len(u) for c, u in pairs],
        index=frame.index,
    )
    if wrong.any():
        work.report.reject(
            frame.index[wrong],
            [f"the code {c} is that of a unit: a grid's has a number after it" if c == u
             else f"the code {c} does not begin with that of its unit, {u}" for c, u in
             frame.assign(code=codes).loc[wrong, ["code", "unit"]].itertuples(index=False)],
            "Correct the code or the unit, or leave the code empty to have it numbered.",
            field=work.field("code"), group="the code does not fit its unit",
        )  # fmt: skip
    missing = codes.isna()
    if missing.any():
        # The planner's package loads numba and scipy, more than half of the start of every import
        # (2.4 of 5.4 s of CPU where this was measured), and few files need its numbering.
        from grids.redistricting.numbering import number_grids  # noqa: PLC0415

        taken = elsewhere | set(codes.dropna())
        lacking = frame[missing]
        centres = shapely.point_on_surface(np.array(list(lacking["geom"]), dtype=object))
        order = number_grids(gpd.GeoSeries(centres, crs=4326), list(lacking["unit"]), CODE_DIGITS)
        # In the order of the numbering, the next number that no given code has.
        for _, row in sorted(zip(order, lacking.index, strict=True)):
            number = 1
            while (code := f"{lacking.at[row, 'unit']}{number:0{CODE_DIGITS}d}") in taken:
                number += 1
            codes[row] = code
            taken.add(code)
        work.report.note(
            f"{counted(int(missing.sum()), 'grid')} had no code: numbered within the unit, west to "
            "east, then north to south",
            field=work.field("code"),
        )
    return codes


def _same_draft(
    session: Session, county: str, title: str, frame: pd.DataFrame, grid_kind: str
) -> int | None:
    """Number of a draft of the same source with the same grids; None when there is none."""
    drafts = execute(
        session,
        "SELECT id FROM editions WHERE area_code = :county AND title = :title AND status = 'draft' "
        "AND kind = :kind ORDER BY id DESC",
        county=county,
        kind=grid_kind,
        title=title,
    ).all()
    shapes = shapely.to_wkb(np.array(list(frame["geom"]), dtype=object))
    wanted = {
        (code, int(households), int(buildings), bytes(wkb))
        for code, households, buildings, wkb in zip(
            frame["code"], frame["households"], frame["buildings"], shapes, strict=True
        )
    }
    for draft in drafts:
        have = {
            (row.code, row.households, row.buildings, bytes(row.wkb))
            for row in execute(
                session,
                "SELECT code, households, buildings, ST_AsBinary(geom) AS wkb FROM grid_shapes "
                "WHERE edition_id = :id",
                id=draft.id,
            )
        }
        if have == wanted:
            return int(draft.id)
    return None


KIND: Final = Kind(
    name="grids",
    fields=("code", "name", "unit", "households", "buildings", "area_type"),
    families=("polygon",),
    needs_place=True,
    prepare=prepare,
    store=store,
    layers=("grid", "网格"),
    no_update="Grids change by a new draft: send all of them again.",
)
