"""Incidents in bulk: every row is kept; what cannot be placed waits in the review list."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import pandas as pd
import shapely

from data.importers import moments, values
from data.importers.columns import nearest_text
from data.importers.work import Kind, Work, county_of
from gis import crs as gis_crs
from gis.database import execute
from gis.errors import BadInput
from gis.wording import counted
from grids.incidents.service import SEVERITIES, record_many

if TYPE_CHECKING:
    from sqlalchemy.orm import Session

SEVERITY_WORDS: Final = {
    "简单": "simple", "一级": "simple", "轻微": "simple", "低": "simple", "low": "simple",
    "一般": "general", "普通": "general", "中": "general", "medium": "general",
    "疑难": "difficult", "较大": "difficult", "复杂": "difficult", "高": "difficult",
    "high": "difficult", "重大": "major", "特大": "major", "critical": "major",
}  # fmt: skip
_REVIEWED: Final = "the row is kept for review without a place"
_BY_ADDRESS: Final = "the row's place is looked for by its address"


def prepare(work: Work) -> None:
    """Ids, words and times; positions in WGS 84, each from its own system."""
    report = work.report
    frame = pd.DataFrame(index=work.frame.index)
    frame["external_id"] = _ids(work)
    sources = values.texts(work.column("source"))
    frame["source"] = sources.where(sources.notna(), work.options.source)
    _refuse_repeated(work, frame)
    frame["category"] = values.texts(work.column("category"))
    frame["severity"] = values.chosen(
        work.column("severity"), report, work.field("severity"), SEVERITY_WORDS,
        allowed=SEVERITIES, default="simple",
    )  # fmt: skip
    for name in ("text", "address"):
        texts = values.texts(work.column(name))
        frame[name] = texts.where(texts.notna(), "")
    # The time that decides who answers must be read; the others may be left out.
    decisive = "reported_at" if work.has("reported_at") else "occurred_at"
    for name in ("occurred_at", "reported_at", "closed_at"):
        frame[name] = moments.times(
            work.column(name), report, work.field(name), timezone=work.options.timezone,
            reject=name == decisive,
        )  # fmt: skip
    _settle_times(work, frame)
    frame["accuracy_m"] = values.numbers(
        work.column("accuracy_m"), report, work.field("accuracy_m"), low=0, high=1e6, unit="metres"
    )
    for name, column in _positions(work, (frame["address"] != "").to_numpy()).items():
        frame[name] = column
    placed = frame["lon"].notna()
    frame["method"] = values.objects(["import" if p else None for p in placed], frame.index)
    nameless = frame["category"].isna() & report.stands(frame.index)
    if nameless.any():
        report.reject(
            frame.index[nameless], "there is no category",
            "Say --map category=COLUMN, --map category==other for all rows, or "
            "--default category=other for the empty ones.",
            field=work.field("category"),
        )  # fmt: skip
    work.records["incidents"] = frame[report.stands(frame.index)]


def _ids(work: Work) -> pd.Series[Any]:
    """The id column; where there is none, an id of the whole row as the file has it.

    Rows that are the same to the last column are still two incidents: they are numbered.
    """
    ids = values.texts(work.column("id"))
    lacking = ids.isna().to_numpy()
    if not lacking.any():
        return ids
    raw = work.report.raw
    assert raw is not None
    content = raw.loc[work.frame.index[lacking]]
    columns = [[repr(v) for v in content[c].tolist()] for c in content.columns]
    lines = ["\x1f".join(cells) for cells in zip(*columns, strict=True)]
    lines = lines or [""] * int(lacking.sum())
    shapes = shapely.to_wkb(work.geom[lacking])
    digests = [
        hashlib.sha256(line.encode() + (shape or b"")).hexdigest()[:24]
        for line, shape in zip(lines, shapes, strict=True)
    ]
    repeat = pd.Series(digests).groupby(digests).cumcount().to_numpy()
    ids = ids.copy()
    ids[lacking] = [
        f"auto-{d}" if n == 0 else f"auto-{d}-{n + 1}" for d, n in zip(digests, repeat, strict=True)
    ]
    same = int((repeat > 0).sum())
    twins = "; " + counted(
        same, "row repeats another one in all columns and is kept as a further incident",
        "rows repeat another one in all columns and are kept as further incidents",
    )  # fmt: skip
    work.report.note(
        f"{counted(int(lacking.sum()), 'row has', 'rows have')} no id: one was made from the "
        "content of the row" + (twins if same else ""),
        "Give an id column with --map id=COLUMN, or a change of a row makes a new incident.",
        field=work.field("id"),
    )
    return ids


def _refuse_repeated(work: Work, frame: pd.DataFrame) -> None:
    doubled = frame.duplicated(["source", "external_id"], keep="first")
    if doubled.any():
        first = frame[~doubled].reset_index().set_index(["source", "external_id"]).iloc[:, 0]
        keys = list(
            frame.loc[doubled, ["source", "external_id"]].itertuples(index=False, name=None)
        )
        work.report.reject(
            frame.index[doubled],
            [f"the id {key[1]!r} stood before, in row {first[key]}" for key in keys],
            "Give every incident its own id; the first row was kept.",
            field=work.field("id"), group="the id stands in several rows",
        )  # fmt: skip


def _settle_times(work: Work, frame: pd.DataFrame) -> None:
    """Every incident needs a time of report; one that is not said is that of the event."""
    report = work.report
    lacking = frame["reported_at"].isna()
    frame["reported_at"] = frame["reported_at"].where(~lacking, frame["occurred_at"])
    filled = lacking & frame["reported_at"].notna()
    if filled.any():
        report.note(
            f"{counted(int(filled.sum()), 'row names', 'rows name')} no time of report: the time "
            "it happened was taken",
            field=work.field("reported_at"),
        )
    timeless = frame["reported_at"].isna() & report.stands(frame.index)
    if timeless.any():
        report.reject(
            frame.index[timeless], "there is neither a time of report nor of the event",
            "Give one of them: who answers depends on the moment.",
            field=work.field("reported_at"),
        )  # fmt: skip
    early = (frame["closed_at"] < frame["reported_at"]).fillna(value=False)
    if early.any():
        report.add(
            "warned", "closed before it was reported: the time of closing was left out",
            rows=frame.index[early], field=work.field("closed_at"),
        )  # fmt: skip
        frame["closed_at"] = frame["closed_at"].mask(early)


def _positions(work: Work, addressed: Any) -> dict[str, Any]:
    """WGS 84 and source coordinates of every row; NaN, and said so, where there is no place.

    ``addressed`` tells the rows that have an address to look for.
    """
    report, count = work.report, len(work.frame)
    x, y = np.full(count, np.nan), np.full(count, np.nan)
    if work.x is not None and work.y is not None:
        x, y = work.x.copy(), work.y.copy()
    else:
        points = shapely.get_type_id(work.geom) == 0
        points &= ~shapely.is_empty(work.geom)
        x[points], y[points] = shapely.get_x(work.geom[points]), shapely.get_y(work.geom[points])
    systems = _systems(work)
    lon, lat = x.copy(), y.copy()
    names = np.full(count, None, dtype=object)
    for name in dict.fromkeys(s for s in systems if s is not None):
        crs = gis_crs.parse_crs(name)
        here = np.array([s == name for s in systems])
        if crs.kind.value != "identity":
            lon[here], lat[here] = gis_crs.to_wgs84(x[here], y[here], crs)
        names[here] = crs.name
    said = np.isfinite(x) | np.isfinite(y)
    kinds = gis_crs.check_lonlat(lon, lat, expected=work.expected)
    # 0/0 is looked for before the conversion as well, which moves it away.
    kinds[(np.abs(x) < 1e-6) & (np.abs(y) < 1e-6)] = gis_crs.LonLatKind.NULL_ISLAND
    lost = kinds != gis_crs.LonLatKind.OK
    alive = report.stands(work.rows)
    for kind in np.unique(kinds[lost & alive]):
        reason, remedy = gis_crs.LONLAT_PROBLEMS[gis_crs.LonLatKind(int(kind))]
        here = (kinds == kind) & alive
        if kind == gis_crs.LonLatKind.NAN and not (here & said).any():
            reason = "there is no position"
        for those, then in ((here & ~addressed, _REVIEWED), (here & addressed, _BY_ADDRESS)):
            if those.any():
                report.add(
                    "warned", f"{reason}; {then}", remedy, rows=work.rows[those],
                    field=work.field("lon"),
                )  # fmt: skip
    for values_ in (lon, lat, x, y):
        values_[lost] = np.nan
    names[lost] = None
    return {"lon": lon, "lat": lat, "source_crs": names, "source_x": x, "source_y": y}


def _systems(work: Work) -> list[str | None]:
    """The system of each row: its own column, else that of the file; rejects unknown names."""
    if not work.has("crs"):
        return [work.crs] * len(work.frame)
    given = values.texts(work.column("crs"))
    unknown: dict[str, str] = {}
    for name in dict.fromkeys(given.dropna()):
        try:
            gis_crs.parse_name(name)
        except BadInput as error:
            unknown[name] = error.problems[0].reason
    bad = given.isin(list(unknown))
    if bad.any():
        work.report.reject(
            given.index[bad], [unknown[name] for name in given[bad]],
            f"Write one of {', '.join(gis_crs.NAMES)} or EPSG:n.",
            field=work.field("crs"), group="the coordinate system is not known",
        )  # fmt: skip
    return [
        None if name in unknown else (name or work.crs) for name in given.where(given.notna(), None)
    ]


def store(work: Work, session: Session) -> None:
    """Store the incidents, each with the grid and worker of its own report time."""
    report = work.report
    frame = work.records["incidents"].assign(county_code=county_of(work, session))
    frame = _known_categories(work, frame, session)
    if frame.empty:
        return
    recorded = record_many(session, frame, actor=work.options.actor)
    report.new = (report.new or 0) + recorded.new
    report.unchanged = (report.unchanged or 0) + recorded.unchanged
    report.changed = (report.changed or 0) + recorded.closed
    report.review = dict(recorded.review)
    if recorded.by_address:
        report.note(
            counted(
                recorded.by_address, "row was placed by its address",
                "rows were placed by their addresses",
            ),
            "What was not sure waits in 'wangge address reviews'.",
            field=work.field("address"),
        )  # fmt: skip
    if recorded.closed:
        report.note(
            counted(
                recorded.closed,
                "incident stored before is closed now",
                "incidents stored before are closed now",
            ),
            field=work.field("closed_at"),
        )
    if recorded.not_closed:
        report.add(
            "warned",
            "it is closed in the file, but its steps here do not lead there: it stays open",
            "Move it on by its own steps first.",
            rows=frame.index[frame["external_id"].isin(recorded.not_closed)],
            field=work.field("closed_at"),
        )  # fmt: skip
    if recorded.conflicting:
        rows = frame.index[frame["external_id"].isin(recorded.conflicting)]
        report.add(
            "warned",
            "it is stored with other content, which stays: an incident is never rewritten",
            "Add an event to the incident instead.",
            rows=rows, field=work.field("id"),
        )  # fmt: skip


def _known_categories(work: Work, frame: pd.DataFrame, session: Session) -> pd.DataFrame:
    """Categories as their codes; unknown ones rejected with the nearest names."""
    known: dict[str, str] = {}
    shown = []
    for row in execute(
        session, "SELECT code, name_zh, name_en, national_code, local_code FROM incident_categories"
    ):
        shown += [row.code, row.name_zh]
        for word in row:
            if word:
                known.setdefault(str(word).lower(), row.code)
                known.setdefault(str(word).lower().removesuffix("纠纷"), row.code)
    plain = frame["category"].str.lower()
    codes = plain.map(known)
    codes = codes.where(codes.notna(), plain.str.removesuffix("纠纷").map(known))
    unknown = codes.isna()
    for word, group in frame[unknown].groupby("category"):
        work.report.reject(
            list(group.index), f"there is no category {word!r}",
            f"{nearest_text(str(word), shown, 'The categories are')} Or say --map category==CODE.",
            field=work.field("category"),
        )  # fmt: skip
    return frame[~unknown].assign(category=codes[~unknown])


KIND: Final = Kind(
    name="incidents",
    fields=(
        "id", "source", "category", "severity", "text", "address", "lon", "lat", "crs",
        "accuracy_m", "occurred_at", "reported_at", "closed_at",
    ),
    families=("point",),
    prepare=prepare,
    store=store,
    layers=("incident", "events", "事件", "案件"),
    place_later=True,
    no_update="An incident is never rewritten: add an event to it that says what is right.",
)  # fmt: skip
