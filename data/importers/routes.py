"""Patrol routes and their checkpoints."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import pandas as pd

from data.importers import values, writing
from data.importers.lines import single_lines
from data.importers.work import Kind, Work, county_of, own_ids
from gis.database import execute

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from sqlalchemy.orm import Session

MEANS: Final = ("foot", "horse", "motorbike", "vehicle", "boat")
MEANS_WORDS: Final = {
    "步行": "foot", "徒步": "foot", "walk": "foot", "骑马": "horse", "马": "horse", "马匹": "horse",
    "摩托": "motorbike", "摩托车": "motorbike", "motorcycle": "motorbike", "车": "vehicle",
    "汽车": "vehicle", "车辆": "vehicle", "乘车": "vehicle", "car": "vehicle", "船": "boat",
    "船艇": "boat", "乘船": "boat",
}  # fmt: skip
_STORED: Final = (
    "county_code", "source", "external_id", "name", "means", "interval_days", "geom",
)  # fmt: skip
DEFAULT_MEANS: Final = "foot"
DEFAULT_INTERVAL_DAYS: Final = 7


def prepare(work: Work) -> None:
    """Ids, names, means and intervals; every route one line."""
    report = work.report
    ids = own_ids(work, ("name",))
    frame = pd.DataFrame(index=work.frame.index)
    frame["external_id"] = ids
    names = values.texts(work.column("name"))
    frame["name"] = names.where(names.notna(), frame["external_id"])
    frame["means"] = values.chosen(
        work.column("means"), report, work.field("means"), MEANS_WORDS, allowed=MEANS,
        default=DEFAULT_MEANS,
    )  # fmt: skip
    days = values.numbers(
        work.column("interval_days"), report, work.field("interval_days"), low=1, high=366,
        unit="days",
    )  # fmt: skip
    frame["interval_days"] = pd.Series(
        [DEFAULT_INTERVAL_DAYS if d != d else int(d) for d in days.tolist()],  # noqa: PLR0124 - NaN
        index=frame.index, dtype=object,
    )  # fmt: skip
    for field, default in (
        ("means", DEFAULT_MEANS),
        ("interval_days", f"{DEFAULT_INTERVAL_DAYS} days"),
    ):
        if not work.has(field) and not work.options.update:
            report.add("warned", f"{field} is not said: {default} was assumed", field=field)
    frame["geom"] = single_lines(work)
    work.records["routes"] = frame[report.stands(frame.index)]


def store(work: Work, session: Session) -> None:
    """Write the routes."""
    frame = work.records["routes"].assign(
        county_code=county_of(work, session), source=work.options.source
    )
    writing.write(session, work, "patrol_routes", frame, _STORED)


def known_routes(session: Session, county: str | None) -> dict[str, list[int]]:
    """Numbers of the county's routes by external id and by name, each in lower case."""
    out: dict[str, list[int]] = {}
    for row in execute(
        session,
        "SELECT id, external_id, name FROM patrol_routes WHERE county_code = :county ORDER BY id",
        county=county,
    ):
        for key in {row.external_id.lower(), row.name.lower()}:
            out.setdefault(key, []).append(row.id)
    return out


def find_targets(
    work: Work, series: pd.Series[Any], known: Mapping[str, Sequence[Any]], field: str, what: str
) -> pd.Series[Any]:
    """Keys of what the texts name; rejects the unknown and the ambiguous ones."""
    out: list[Any] = []
    bad: list[tuple[Any, str]] = []
    for row, text in series.items():
        found = [] if text is None else known.get(text.lower(), [])
        if text is not None and not found:
            bad.append((row, f"there is no {what} {text!r}"))
        elif len(found) > 1:
            bad.append((row, f"there are {len(found)} {what}s {text!r}"))
        out.append(found[0] if len(found) == 1 else None)
    work.report.reject_each(
        bad, f"Import the {what}s first, or correct the name; ids are safer than names.",
        field=work.field(field), group=f"the {what} is not known",
    )  # fmt: skip
    return pd.Series(out, index=series.index, dtype=object)


def prepare_checkpoints(work: Work) -> None:
    """Route, order and name of every checkpoint."""
    report = work.report
    frame = pd.DataFrame(index=work.frame.index)
    frame["route"] = values.texts(work.column("route"))
    lacking = frame["route"].isna()
    if lacking.any():
        report.reject(
            frame.index[lacking], "the checkpoint names no route", "Give its route.",
            field=work.field("route"),
        )  # fmt: skip
    seq = values.numbers(
        work.column("seq"), report, work.field("seq"), low=1, high=32_000, unit="order"
    )
    frame["seq"] = writing.whole(seq)
    unnumbered = frame["seq"].isna()
    if unnumbered.any():
        order = frame.groupby("route", dropna=False).cumcount() + 1
        frame["seq"] = frame["seq"].where(~unnumbered, order)
        report.note("checkpoints without a number were numbered in the order of their rows")
    names = values.texts(work.column("name"))
    frame["name"] = [
        name or f"{route}-{n}"
        for name, route, n in zip(names, frame["route"], frame["seq"], strict=True)
    ]
    doubled = frame.duplicated(["route", "seq"], keep=False) & ~lacking
    if doubled.any():
        report.reject(
            frame.index[doubled], "the number stands twice on its route", "Number them anew.",
            field=work.field("seq"),
        )  # fmt: skip
    frame["geom"] = work.geom
    work.records["checkpoints"] = frame[report.stands(frame.index)]


def store_checkpoints(work: Work, session: Session) -> None:
    """Write the checkpoints of routes that are known."""
    county = county_of(work, session)
    frame = work.records["checkpoints"]
    frame = frame.assign(
        route_id=find_targets(
            work, frame["route"], known_routes(session, county), "route", "route"
        ),
        county_code=county,
    )
    frame = frame[work.report.stands(frame.index)]
    if frame.empty:
        return
    columns = ("county_code", "route_id", "seq", "name", "geom")
    writing.stage(session, "checkpoints", frame[list(columns)])
    writing.count(
        work.report,
        writing.merge(
            session, work, "checkpoints", columns, key=("county_code", "route_id", "seq")
        ),
    )


KIND: Final = Kind(
    name="routes",
    fields=("id", "name", "means", "interval_days"),
    families=("line",),
    needs_place=True,
    prepare=prepare,
    store=store,
    layers=("route", "patrol_routes", "巡逻路线"),
    corrects={"name": "name", "means": "means", "interval_days": "interval_days"},
    takes_back=True,
    companions=("checkpoints",),
)
CHECKPOINTS: Final = Kind(
    name="checkpoints",
    fields=("route", "seq", "name"),
    required=("route",),
    families=("point",),
    needs_place=True,
    prepare=prepare_checkpoints,
    store=store_checkpoints,
    layers=("checkpoint", "卡点"),
    no_update="Send it again: the number on its route tells which checkpoint a row changes.",
)
