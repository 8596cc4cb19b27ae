"""Tracks: the fixes of patrols, each patrol made when its first fix comes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np
import pandas as pd
import shapely

from data.importers import moments, values, writing
from data.importers.geometry_checks import METRES_PER_DEGREE
from data.importers.routes import find_targets, known_routes
from data.importers.work import Kind, Work, county_of
from gis.database import execute
from gis.wording import counted

if TYPE_CHECKING:
    import uuid

    from sqlalchemy.orm import Session

# Faster than a vehicle on a steppe road, and than a boat: the position jumped.
JUMP_M_S: Final = 60.0
# A jump shorter than this is the scatter of one bad fix, not another place.
LEAST_JUMP_M: Final = 200.0
_FIXES: Final = ("patrol_id", "fixed_at", "county_code", "accuracy_m", "geom")


def prepare(work: Work) -> None:
    """Patrol, time and place of every fix; doubles dropped, disorder and jumps reported."""
    report = work.report
    frame = pd.DataFrame(index=work.frame.index)
    frame["patrol"] = values.texts(work.column("patrol"))
    frame["route"] = values.texts(work.column("route"))
    frame["team"] = values.texts(work.column("team"))
    frame["worker"] = values.texts(work.column("worker"))
    frame["fixed_at"] = moments.times(
        work.column("time"), report, work.field("time"), timezone=work.options.timezone
    )
    frame["accuracy_m"] = values.numbers(
        work.column("accuracy_m"), report, work.field("accuracy_m"), low=0, high=1e6, unit="metres"
    )
    frame["geom"] = work.geom
    alive = report.stands(frame.index)
    for name, what in (("patrol", "the fix names no patrol"), ("fixed_at", "the fix has no time")):
        lacking = frame[name].isna() & alive
        if lacking.any():
            field = work.field("time" if name == "fixed_at" else name)
            report.reject(frame.index[lacking], what, "Give it.", field=field)
    frame = frame[report.stands(frame.index)]
    if frame.empty:
        work.records["fixes"] = frame
        return
    frame = _of_one_worker(work, frame)
    _report_disorder(work, frame)
    frame = _without_doubles(work, frame)
    frame = frame.sort_values(["patrol", "fixed_at"], kind="stable")
    _report_jumps(work, frame)
    work.records["fixes"] = frame


def _of_one_worker(work: Work, frame: pd.DataFrame) -> pd.DataFrame:
    """Reject fixes of another worker than the one whom their patrol names first."""
    first = frame.groupby("patrol", sort=False)["worker"].transform("first").astype(object)
    first = first.where(first.notna(), None)
    other = frame["worker"].notna() & (frame["worker"] != first)
    if other.any():
        work.report.reject(
            frame.index[other], "the patrol is another worker's in an earlier row",
            "Give each worker a patrol of their own.", field=work.field("worker"),
        )  # fmt: skip
    return frame[~other].assign(worker=first[~other])


def _report_disorder(work: Work, frame: pd.DataFrame) -> None:
    """Say where a patrol's fixes go back in time; they are put in order."""
    before = frame.groupby("patrol", sort=False)["fixed_at"].shift()
    back = (frame["fixed_at"] < before).fillna(value=False)
    if back.any():
        work.report.add(
            "repaired", "the time goes backwards; the fixes were put in order of time",
            rows=frame.index[back], field=work.field("time"),
        )  # fmt: skip


def _without_doubles(work: Work, frame: pd.DataFrame) -> pd.DataFrame:
    """One fix for each patrol and moment: repeats left out, contradictions rejected."""
    doubled = frame.duplicated(["patrol", "fixed_at"], keep="first")
    if not doubled.any():
        return frame
    first = frame[~doubled].set_index(["patrol", "fixed_at"])["geom"]
    later = frame[doubled]
    keys = list(later[["patrol", "fixed_at"]].itertuples(index=False, name=None))
    same = np.array(
        [shape.equals(first[key]) for shape, key in zip(later["geom"], keys, strict=True)]
    )
    if same.any():
        work.report.add(
            "repaired", "the fix repeats another one and was left out", rows=later.index[same]
        )
    if (~same).any():
        work.report.reject(
            later.index[~same], "the patrol is somewhere else at the same moment in an earlier row",
            "Give each device its own patrol.", field=work.field("time"),
        )  # fmt: skip
    return frame[~doubled]


def _report_jumps(work: Work, frame: pd.DataFrame) -> None:
    """Say which fixes lie so far from the one before that nobody could have got there."""
    shapes = np.array(list(frame["geom"]), dtype=object)
    lon, lat = shapely.get_x(shapes), shapely.get_y(shapes)
    same = (frame["patrol"] == frame["patrol"].shift()).to_numpy()
    east = np.diff(lon, prepend=lon[:1]) * np.cos(np.radians(lat))
    metres = np.hypot(east, np.diff(lat, prepend=lat[:1])) * METRES_PER_DEGREE
    seconds = frame["fixed_at"].diff().dt.total_seconds().to_numpy()
    with np.errstate(divide="ignore", invalid="ignore"):
        speed = metres / seconds
    jumped = same & (metres > LEAST_JUMP_M) & (speed > JUMP_M_S)
    if jumped.any():
        work.report.add(
            "warned",
            [f"{m:,.0f} m in {s:.0f} s from the fix before" for m, s in
             zip(metres[jumped], seconds[jumped], strict=True)],
            "Kept as it is; the coverage counts it as off the route.",
            rows=frame.index[jumped], field="geometry", group="the position jumps",
        )  # fmt: skip


def store(work: Work, session: Session) -> None:
    """Make the months' partitions and the patrols, then write the fixes."""
    county = county_of(work, session)
    frame = work.records["fixes"]
    report = work.report
    found = find_targets(work, frame["route"], known_routes(session, county), "route", "route")
    walkers = find_targets(
        work, frame["worker"], _known_people(session, county), "worker", "worker"
    )
    frame = frame.assign(route_id=found, person_id=walkers)[report.stands(frame.index)]
    if frame.empty:
        return
    for month in sorted(frame["fixed_at"].dt.strftime("%Y-%m-01T00:00:00Z").unique()):
        execute(session, "SELECT wangge_track_partition(CAST(:at AS timestamptz))", at=month)
    patrols = frame.drop_duplicates("patrol")
    patrols = patrols.assign(
        county_code=county, source=work.options.source, external_id=patrols["patrol"]
    )
    columns = ("county_code", "source", "external_id", "route_id", "team", "person_id")
    writing.stage(session, "patrols", patrols[list(columns)])
    made = writing.merge(session, work, "patrols", columns, keep=("route_id", "team", "person_id"))
    report.note(
        f"{counted(made.new, 'patrol is', 'patrols are')} new, {made.changed} changed, "
        f"{made.unchanged} as before"
    )
    frame = _to_be_kept(work, session, frame, county)
    if frame.empty:
        return
    fixes = frame.assign(county_code=county)
    writing.stage(session, "track_fixes", fixes[list(_FIXES)])
    # A patrol lasts from its first fix to its last, whatever files they came in.
    execute(
        session,
        """
        UPDATE patrols p SET started_at = least(p.started_at, f.first),
            ended_at = greatest(p.ended_at, f.last), state = 'done'
        FROM (SELECT patrol_id, min(fixed_at) AS first, max(fixed_at) AS last FROM incoming
              GROUP BY patrol_id) f
        WHERE p.id = f.patrol_id AND (p.started_at, p.ended_at, p.state) IS DISTINCT FROM
              (least(p.started_at, f.first), greatest(p.ended_at, f.last), 'done')
        """,
    )
    writing.count(
        report,
        writing.merge(session, work, "track_fixes", _FIXES, key=("patrol_id", "fixed_at")),
    )


def _known_people(session: Session, county: str | None) -> dict[str, list[uuid.UUID]]:
    """Ids of the county's people by external id and by name, each in lower case."""
    out: dict[str, list[uuid.UUID]] = {}
    for row in execute(
        session,
        "SELECT id, external_id, name FROM persons WHERE county_code = :county ORDER BY id",
        county=county,
    ):
        for key in {row.external_id.lower(), row.name.lower()}:
            out.setdefault(key, []).append(row.id)
    return out


def _to_be_kept(
    work: Work, session: Session, frame: pd.DataFrame, county: str | None
) -> pd.DataFrame:
    """Fixes with the number of their patrol, without those cancelled or reduced before."""
    patrols = {
        row.external_id: row
        for row in execute(
            session,
            "SELECT p.id, p.external_id, p.state, s.last_at AS reduced_to FROM patrols AS p "
            "LEFT JOIN track_summaries AS s ON s.patrol_id = p.id "
            "WHERE p.county_code = :county AND p.source = :source",
            county=county,
            source=work.options.source,
        )
    }
    found = [patrols[name] for name in frame["patrol"]]
    cancelled = np.array([each.state == "cancelled" for each in found])
    if cancelled.any():
        work.report.reject(
            frame.index[cancelled], "the patrol was cancelled, so that nobody was on duty",
            "Positions are kept of patrols that took place only.", field=work.field("patrol"),
        )  # fmt: skip
    reduced = ~cancelled & np.array(
        [
            each.reduced_to is not None and at <= each.reduced_to
            for each, at in zip(found, frame["fixed_at"], strict=True)
        ]
    )
    if reduced.any():
        work.report.add(
            "repaired", "the fix was reduced to a coarse place long ago and was left out",
            rows=frame.index[reduced],
        )  # fmt: skip
    return frame.assign(patrol_id=[each.id for each in found])[~(cancelled | reduced)]


KIND: Final = Kind(
    name="tracks",
    fields=("patrol", "route", "team", "worker", "time", "lon", "lat", "accuracy_m"),
    required=("patrol", "time"),
    families=("point",),
    needs_place=True,
    prepare=prepare,
    store=store,
    layers=("track", "track_points", "fixes", "轨迹"),
    no_update="Send the fixes again under the same --source: a changed one replaces its first.",
)
