"""Barriers: streets, rails, rivers and walls as lines, and the places where one can cross them."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import pandas as pd
import shapely

from data.importers import osm, values, writing
from data.importers.lines import crossings
from data.importers.work import Kind, Work, county_of, stable_ids
from gis.database import execute
from gis.wording import counted, verb

if TYPE_CHECKING:
    from sqlalchemy.orm import Session

KINDS: Final = ("street", "arterial", "rail", "river", "wall", "bridge")
WORDS: Final = {
    word: kind
    for kind, words in {
        "street": (
            "road", "lane", "residential", "tertiary", "tertiary_link", "unclassified",
            "living_street", "pedestrian", "街道", "街", "路", "道路", "支路", "巷", "胡同",
            "小区道路", "村道", "乡道",
        ),
        "arterial": (
            "major", "main", "motorway", "motorway_link", "trunk", "trunk_link", "primary",
            "primary_link", "secondary", "secondary_link", "主干路", "主干道", "次干路", "次干道",
            "干路", "快速路", "高速", "高速公路", "国道", "省道", "县道",
        ),
        "rail": ("railway", "light_rail", "subway", "铁路", "轨道", "轻轨"),
        "river": ("canal", "stream", "water", "waterway", "河", "河流", "水系", "渠", "运河", "沟"),
        "wall": ("fence", "city_wall", "围墙", "城墙", "围栏", "栅栏", "网围栏"),
        "bridge": ("crossing", "桥", "桥梁", "跨线桥", "道口", "过街桥"),
    }.items()
    for word in words
}  # fmt: skip
# What a shape of each kind may be drawn as; everything else is a mistake of the layer.
_A: Final = {kind: f"{'an' if kind == 'arterial' else 'a'} {kind}" for kind in KINDS}
_OUTLINED: Final = ("river", "wall")
_CROSSED: Final = ("river", "rail")
_NO_UPDATE: Final = "Send the whole file again under the same --source: changed rows change it."
_STORED: Final = ("county_code", "source", "external_id", "kind", "name", "geom")


def prepare(work: Work) -> None:
    """Kinds and ids; multipart lines in parts; outlines of water as river lines."""
    report = work.report
    frame = pd.DataFrame(index=work.frame.index)
    frame["external_id"] = stable_ids(work, ("kind", "name"))
    default = "bridge" if work.kind.name == "bridges" else None
    frame["kind"] = values.chosen(
        work.column("kind"), report, work.field("kind"), WORDS, allowed=KINDS, default=default
    )
    frame["name"] = values.texts(work.column("name"))
    lacking = frame["kind"].isna() & report.stands(frame.index)
    if lacking.any():
        report.reject(
            frame.index[lacking], "there is no kind of barrier",
            "Say --map kind=COLUMN, or one kind for all rows, such as --map kind==river.",
            field=work.field("kind"),
        )  # fmt: skip
    frame["geom"] = work.geom
    frame = frame[report.stands(frame.index)]
    frame = _own_ids(work, frame)
    frame = _fitting(work, frame)
    bridges = frame["kind"] == "bridge"
    work.records["lines"] = _lines(work, frame[~bridges])
    work.records["bridges"] = frame[bridges]


def _own_ids(work: Work, frame: pd.DataFrame) -> pd.DataFrame:
    """Ids that are the same in several rows (streets in segments) told apart by their geometry."""
    doubled = frame["external_id"].duplicated(keep=False)
    if not doubled.any():
        return frame
    frame = frame.copy()
    frame.loc[doubled, "external_id"] = [
        f"{identity}#{hashlib.sha256(shapely.to_wkb(shape)).hexdigest()[:8]}"
        for identity, shape in frame.loc[doubled, ["external_id", "geom"]].itertuples(index=False)
    ]
    work.report.add(
        "repaired",
        f"{int(doubled.sum())} rows have ids that stand several times; each was given one of its "
        "own from its geometry",
        field=work.field("id"),
    )
    again = frame["external_id"].duplicated()
    if again.any():
        work.report.add(
            "repaired", "the row repeats another one exactly and was left out",
            rows=frame.index[again],
        )  # fmt: skip
    return frame[~again]


def _fitting(work: Work, frame: pd.DataFrame) -> pd.DataFrame:
    """Reject shapes that cannot be a barrier of their kind, such as a street as a point."""
    types = pd.Series([shape.geom_type for shape in frame["geom"]], index=frame.index, dtype=object)
    line = types.str.endswith("LineString")
    polygon = types.str.endswith("Polygon")
    bridge = frame["kind"] == "bridge"
    fits = bridge | line | (polygon & frame["kind"].isin(_OUTLINED))
    for row in frame.index[~fits]:
        work.report.reject(
            [row],
            f"{_A[frame.at[row, 'kind']]} cannot be drawn as a {types[row].lower()}",
            "Draw it as a line.",
            field="geometry",
            group="the barrier is not drawn as a line",
        )
    outlines = int((polygon & frame["kind"].isin(_OUTLINED)).sum())
    if outlines:
        which = counted(outlines, "area (water, walled ground) became a line along its edge",
                        "areas (water, walled ground) became lines along their edges")  # fmt: skip
        work.report.note(which)
    return frame[fits]


def _lines(work: Work, frame: pd.DataFrame) -> pd.DataFrame:
    """One record for each single line: ``id`` when there is one, else ``id/1``, ``id/2`` ..."""
    if frame.empty:
        return frame
    shapes = np.array(list(frame["geom"]), dtype=object)
    areas = np.isin(shapely.get_type_id(shapes), [3, 6])
    shapes[areas] = shapely.boundary(shapes[areas])
    many = np.isin(shapely.get_type_id(shapes), [5])
    shapes[many] = shapely.line_merge(shapes[many])
    parts, index = shapely.get_parts(shapes, return_index=True)
    long_enough = shapely.length(parts) > 0
    parts, index = parts[long_enough], index[long_enough]
    out = frame.iloc[index].copy()
    out["geom"] = parts
    each = np.bincount(index, minlength=len(frame))[index]
    order = pd.Series(index).groupby(index).cumcount().to_numpy() + 1
    out["external_id"] = [
        identity if n == 1 else f"{identity}/{k}"
        for identity, n, k in zip(out["external_id"], each, order, strict=True)
    ]
    if len(out) > len(frame):
        many_parts = int((np.bincount(index) > 1).sum())
        work.report.note(
            counted(many_parts, "line of several parts was", "lines of several parts were")
            + " taken apart"
        )
    return out


def store(work: Work, session: Session) -> None:
    """Write the lines, then the bridges at the river and rail lines that they cross."""
    county = county_of(work, session)
    lines, bridges = work.records["lines"], work.records["bridges"]
    crossed = _crossed_lines(session, lines, bridges, county)
    if not len(crossed) and not work.options.commit and not _knows_lines(session, county):
        unchecked(work, f"county {county} has no river or rail line yet")
        bridges = _drawn(bridges)
    bridges = _on_lines(work, bridges, crossed)
    records = pd.concat([part for part in (lines, bridges) if len(part)] or [lines])
    if records.empty:
        return
    records = records.assign(county_code=county, source=work.options.source)
    writing.write(session, work, "barriers", records, _STORED, among="kind")


def unchecked(work: Work, why: str = "there is no database to look in") -> None:
    """Say which bridges could not be held against the river and rail lines that they cross."""
    bridges = work.records["bridges"]
    count = len(bridges) - len(_drawn(bridges))
    if count:
        which = counted(count, "bridge is", "bridges are")
        work.report.add(
            "warned",
            f"{which} drawn as an area or line, and it was not checked what "
            f"{verb(count, 'it crosses', 'they cross')}: {why}",
            "Commit the rivers and rails first and try again, or send them in the same file, as a "
            "layer of its own.",
            field="geometry",
        )


def _drawn(bridges: pd.DataFrame) -> pd.DataFrame:
    """The bridges that are drawn as points."""
    shapes = np.array(list(bridges["geom"]), dtype=object)
    return bridges[shapely.get_type_id(shapes) == 0]


def _knows_lines(session: Session, county: str | None) -> bool:
    return bool(
        execute(
            session,
            "SELECT EXISTS (SELECT FROM barriers WHERE county_code = :county "
            "AND kind = ANY(:kinds))",
            county=county,
            kinds=list(_CROSSED),
        ).scalar_one()
    )


def _crossed_lines(
    session: Session, lines: pd.DataFrame, bridges: pd.DataFrame, county: str | None
) -> Any:
    """River and rail lines of this file and of the database, near the bridges."""
    mine = list(lines.loc[lines["kind"].isin(_CROSSED), "geom"]) if len(lines) else []
    areas = [g for g in bridges["geom"] if g.geom_type != "Point"] if len(bridges) else []
    if areas:
        west, south, east, north = shapely.total_bounds(np.array(areas, dtype=object))
        known = execute(
            session,
            "SELECT ST_AsBinary(geom) AS wkb FROM barriers WHERE county_code = :county "
            "AND kind = ANY(:kinds) AND geom && ST_MakeEnvelope(:w, :s, :e, :n, 4326)",
            county=county, kinds=list(_CROSSED), w=west, s=south, e=east, n=north,
        ).all()  # fmt: skip
        mine += list(shapely.from_wkb([bytes(row.wkb) for row in known]))
    return np.array(mine, dtype=object)


def _on_lines(work: Work, bridges: pd.DataFrame, lines: Any) -> pd.DataFrame:
    """Bridges as points: drawn ones as they are, areas and lines at what they cross."""
    if bridges.empty:
        return bridges
    drawn = _drawn(bridges)
    wide = bridges.drop(drawn.index)
    if wide.empty:
        return bridges
    tree = shapely.STRtree(lines)
    rows: list[tuple[Any, Any]] = []
    lost: list[int] = []
    for row, shape in wide["geom"].items():
        near = lines[np.sort(tree.query(shape, predicate="intersects"))]
        points = crossings(shape, near)
        rows += [(row, point) for point in points]
        if not points:
            lost.append(row)
    if lost:
        work.report.reject(
            lost, "the bridge crosses no river or rail line that is known",
            "Import the rivers and rails first, and commit them; a bridge over a street crosses no "
            "barrier and is not needed.",
            field="geometry",
        )  # fmt: skip
    index = [row for row, _ in rows]
    points = wide.loc[index].copy()
    points["geom"] = [point for _, point in rows]
    order = points.groupby("external_id").cumcount() + 1
    each = points.groupby("external_id")["external_id"].transform("size")
    points["external_id"] = [
        identity if n == 1 else f"{identity}/{k}"
        for identity, n, k in zip(points["external_id"], each, order, strict=True)
    ]
    if len(points):
        which = counted(len(wide) - len(lost), "bridge drawn as an area or line became",
                        "bridges drawn as areas or lines became")  # fmt: skip
        work.report.note(
            f"{which} {counted(len(points), 'point')} on the river and rail lines crossed"
        )
    return pd.concat([drawn, points])


KIND: Final = Kind(
    name="barriers",
    fields=("id", "kind", "name"),
    families=("line", "polygon", "point"),
    needs_place=True,
    prepare=prepare,
    store=store,
    from_osm=osm.barriers,
    layers=("barrier", "lines", "roads", "streets"),
    companions=("bridges",),
    no_update=_NO_UPDATE,
    takes_back=True,
    unchecked=unchecked,
)
BRIDGES: Final = Kind(
    name="bridges",
    fields=("id", "kind", "name"),
    families=("line", "polygon", "point"),
    needs_place=True,
    prepare=prepare,
    store=store,
    layers=("bridge", "crossings"),
    no_update=_NO_UPDATE,
    takes_back=True,
    unchecked=unchecked,
)
