"""Cameras: where they stand, where they look and how far; never how to log in to them."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import pandas as pd

from data.importers import osm, values, writing
from data.importers.work import Kind, Work, county_of, own_ids
from gis.wording import counted, verb

if TYPE_CHECKING:
    from sqlalchemy.orm import Session

# GB/T 28181 direction types, "looking towards": 1 east ... 8 north-west.
GB_DIRECTIONS: Final = {1: 90, 2: 270, 3: 180, 4: 0, 5: 135, 6: 45, 7: 225, 8: 315}
_POINTS: Final = (
    "n", "nne", "ne", "ene", "e", "ese", "se", "sse",
    "s", "ssw", "sw", "wsw", "w", "wnw", "nw", "nnw",
)  # fmt: skip
COMPASS: Final = {name: 22.5 * i for i, name in enumerate(_POINTS)} | {
    "north": 0, "east": 90, "south": 180, "west": 270, "北": 0, "东北": 45, "东": 90,
    "东南": 135, "南": 180, "西南": 225, "西": 270, "西北": 315,
}  # fmt: skip
KIND_WORDS: Final = {
    "枪机": "fixed", "枪": "fixed", "固定": "fixed", "固定枪机": "fixed", "筒机": "fixed",
    "半球": "fixed", "固定摄像机": "fixed", "bullet": "fixed", "box": "fixed",
    "dome": "dome", "半球机": "fixed", "球机": "ptz", "球": "ptz", "快球": "ptz", "高速球": "ptz",
    "云台": "ptz", "panning": "ptz", "pan": "ptz",
}  # fmt: skip
STATUS_WORDS: Final = {
    "on": "online", "ok": "online", "1": "online", "在线": "online", "正常": "online",
    "off": "offline", "0": "offline", "离线": "offline", "故障": "offline", "停用": "offline",
    "未知": "unknown",
}  # fmt: skip
OPTICS_WORDS: Final = {"实测": "measured", "测量": "measured", "估计": "assumed", "默认": "assumed"}
# By kind: horizontal field of view in degrees and range in metres of common street models. A fixed
# camera with a 4-6 mm lens sees about 60 degrees and knows a person at some 50 m; a PTZ turns.
DEFAULTS: Final = {"fixed": (60.0, 50.0), "ptz": (360.0, 150.0)}
_STORED: Final = (
    "county_code", "source", "external_id", "national_id", "name", "kind", "heading_deg",
    "hfov_deg", "range_m", "height_m", "tilt_deg", "optics", "status", "geom",
)  # fmt: skip


def prepare(work: Work) -> None:
    """Ids, kinds, headings and optics; what is not said is assumed by kind and flagged."""
    report = work.report
    ids = own_ids(work, ("name",))
    frame = pd.DataFrame(index=work.frame.index)
    frame["external_id"] = ids
    frame["national_id"] = frame["external_id"].where(
        frame["external_id"].str.fullmatch(r"[0-9]{20}").fillna(value=False), None
    )
    names = values.texts(work.column("name"))
    frame["name"] = names.where(names.notna(), frame["external_id"])
    kinds = values.chosen(
        work.column("kind"), report, work.field("kind"), KIND_WORDS, allowed=("fixed", "ptz"),
        default="fixed",
    )  # fmt: skip
    kinds = kinds.fillna("fixed")
    heading, fov = _headings(work)
    # A dome housing hides whether it turns; one whose direction is known is taken as fixed.
    dome = (kinds == "dome").to_numpy()
    frame["kind"] = kinds.mask(kinds == "dome", np.where(np.isnan(heading), "ptz", "fixed"))
    if dome.any():
        report.note(
            f"{counted(int(dome.sum()), 'dome camera')}: taken as fixed where a direction is "
            "given, else as turning (ptz)",
            field=work.field("kind"),
        )
    frame["heading_deg"] = heading
    hfov = values.numbers(
        work.column("hfov_deg"), report, work.field("hfov_deg"), low=1, high=360, unit="degrees"
    )
    hfov = np.where(np.isnan(hfov), fov, hfov)
    reach = values.numbers(
        work.column("range_m"), report, work.field("range_m"), low=1, high=20_000, unit="metres"
    )
    assumed = np.isnan(hfov) | np.isnan(reach)
    for column, given, which in (("hfov_deg", hfov, 0), ("range_m", reach, 1)):
        by_kind = frame["kind"].map(lambda kind, which=which: DEFAULTS[kind][which])
        frame[column] = np.where(np.isnan(given), by_kind.to_numpy(dtype=float), given)
    frame["height_m"] = values.numbers(
        work.column("height_m"), report, work.field("height_m"), low=-100, high=1000, unit="metres"
    )
    frame["tilt_deg"] = values.numbers(
        work.column("tilt_deg"), report, work.field("tilt_deg"), low=-90, high=90, unit="degrees"
    )
    said = values.chosen(
        work.column("optics"), report, work.field("optics"), OPTICS_WORDS,
        allowed=("measured", "assumed"), default="measured",
    )  # fmt: skip
    frame["optics"] = said.mask(pd.Series(assumed, index=frame.index), "assumed")
    frame["status"] = values.chosen(
        work.column("status"), report, work.field("status"), STATUS_WORDS,
        allowed=("online", "offline", "unknown"), default="unknown",
    )  # fmt: skip
    frame["geom"] = work.geom
    frame = frame[report.stands(frame.index)]
    count = int((frame["optics"] == "assumed").sum())
    if count and not work.options.update:
        report.note(
            f"{counted(count, 'camera has', 'cameras have')} assumed optics (fixed "
            f"{DEFAULTS['fixed'][0]:g}° and {DEFAULTS['fixed'][1]:g} m, ptz "
            f"{DEFAULTS['ptz'][1]:g} m all round)",
            "Give hfov_deg and range_m where they are known.",
        )
    blind = int(((frame["kind"] == "fixed") & frame["heading_deg"].isna()).sum())
    if blind and not work.options.update:
        those = counted(blind, "fixed camera does", "fixed cameras do")
        report.add("warned", f"{those} not say where {verb(blind, 'it looks', 'they look')}")
    work.records["cameras"] = frame


def _headings(work: Work) -> tuple[Any, Any]:
    """Degrees clockwise from north, and the field of view where a range of directions is given."""
    report = work.report
    heading = values.numbers(
        work.column("heading_deg"), report, work.field("heading_deg"), low=-360, high=360,
        unit="degrees clockwise from north",
    )  # fmt: skip
    heading = np.where(heading == 360, 0, heading) % 360
    fov = np.full(len(heading), np.nan)
    if not work.has("direction"):
        return heading, fov
    series = values.texts(work.column("direction"))
    given = set(series.dropna())
    by_type = bool(given) and given <= {str(n) for n in GB_DIRECTIONS}
    if by_type:
        report.note(
            "directions 1 to 8 were read as GB/T 28181 types (1: looks east)",
            "Say --map heading_deg=COLUMN if they are degrees.",
            field=work.field("direction"),
        )
    bad = []
    for position, (row, text) in enumerate(series.items()):
        if text is None or not np.isnan(heading[position]):
            continue
        if by_type:
            heading[position] = GB_DIRECTIONS[int(text)]
            continue
        found = direction(text)
        if found is None:
            bad.append((row, f"{text!r} is no direction"))
        else:
            heading[position], fov[position] = found
    if bad:
        report.add(
            "warned", [why for _, why in bad],
            "Write degrees from north, N, NE ..., or 1 to 8 by GB/T 28181.",
            rows=[row for row, _ in bad],
            field=work.field("direction"), group="the direction could not be read",
        )  # fmt: skip
    return heading, fov


def direction(text: str) -> tuple[float, float] | None:
    """Heading and, of a range such as ``45-90``, its width; None when it is no direction.

    Degrees clockwise from north; a width that is not said is NaN. ``350-10`` passes north.
    """
    plain = text.strip().lower().removesuffix("°")
    if plain in COMPASS:
        return float(COMPASS[plain]), float("nan")
    if match := re.fullmatch(r"(\d+(?:\.\d+)?)\s*[-–~]\s*(\d+(?:\.\d+)?)", plain):
        first, last = float(match[1]), float(match[2])
        width = (last - first) % 360
        return ((first + width / 2) % 360, width) if width else None
    try:
        degrees = float(plain)
    except ValueError:
        return None
    return (degrees % 360, float("nan")) if -360 <= degrees <= 360 else None


def store(work: Work, session: Session) -> None:
    """Write the cameras."""
    frame = work.records["cameras"].assign(
        county_code=county_of(work, session), source=work.options.source
    )
    writing.write(session, work, "cameras", frame, _STORED)


KIND: Final = Kind(
    name="cameras",
    fields=(
        "id", "name", "lon", "lat", "heading_deg", "direction", "hfov_deg", "range_m", "height_m",
        "tilt_deg", "kind", "status", "optics",
    ),
    families=("point",),
    needs_place=True,
    prepare=prepare,
    store=store,
    from_osm=osm.cameras,
    layers=("camera", "摄像头", "监控点位", "surveillance"),
    corrects={
        "name": "name", "kind": "kind", "heading_deg": "heading_deg", "direction": "heading_deg",
        "hfov_deg": "hfov_deg", "range_m": "range_m", "height_m": "height_m",
        "tilt_deg": "tilt_deg", "optics": "optics", "status": "status",
    },
    takes_back=True,
)  # fmt: skip
