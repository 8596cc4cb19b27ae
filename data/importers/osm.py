"""OpenStreetMap extracts (``.osm.pbf``): tags and layers into tables of canonical columns."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import pandas as pd
import shapely

from data.importers.lines import crossings
from data.importers.reading import Geometries, Table, ask_gdal, from_wkb
from gis.errors import BadInput

if TYPE_CHECKING:
    from data.importers.guards import Checked

_TAG: Final = re.compile(r'"((?:[^"\\]|\\.)*)"=>"((?:[^"\\]|\\.)*)"')


def tags(text: str | None) -> dict[str, str]:
    """Tags that GDAL packs into one column: ``"addr:street"=>"Main","floors"=>"3"``."""
    if not text:
        return {}
    return {_unescaped(k): _unescaped(v) for k, v in _TAG.findall(text)}


def _unescaped(text: str) -> str:
    return re.sub(r"\\(.)", r"\1", text)


def layer(checked: Checked, name: str, where: str) -> tuple[pd.DataFrame, Geometries]:
    """Rows of one of GDAL's OSM layers; every tag a column; ids ``node/1``, ``way/2``."""
    answer = ask_gdal(checked, name, where=where)
    assert answer.table is not None
    arrow = answer.table
    geometry, _ = from_wkb(arrow.column(answer.geometry).to_pylist())
    frame = arrow.drop_columns([answer.geometry]).to_pandas().astype(object)
    frame = frame.where(frame.notna(), None)
    other = pd.DataFrame.from_records([tags(t) for t in frame.pop("other_tags")])
    if len(other.columns):
        other = other.astype(object).where(other.notna(), None)
        fresh = [c for c in other.columns if c not in frame.columns]
        frame = pd.concat([frame, other[fresh].set_axis(frame.index)], axis=1).copy()
    if name == "multipolygons":
        way = frame["osm_way_id"].notna()
        ids = np.where(way, "way/", "relation/") + frame["osm_way_id"].where(
            way, frame["osm_id"]
        ).astype(str)
    else:
        prefix = {"points": "node/", "lines": "way/"}.get(name, "relation/")
        ids = prefix + frame["osm_id"].astype(str)
    return frame.assign(id=ids), geometry


def tag(frame: pd.DataFrame, name: str) -> pd.Series[Any]:
    """A tag's values, None where it is not set."""
    if name in frame:
        return frame[name]
    return pd.Series([None] * len(frame), index=frame.index, dtype=object)


def table(frame: pd.DataFrame, geometry: Geometries, checked: Checked, what: str) -> Table:
    """A table in the form of `reading.read`.

    Raises
    ------
    BadInput
        There is nothing of the kind in the extract.
    """
    if len(frame) == 0:
        raise BadInput(f"{checked.path.name} holds no {what}", "Is it an extract of this place?")
    frame = frame.set_axis(pd.RangeIndex(1, len(frame) + 1))
    return Table(frame, geometry, "EPSG:4326", None, [], "osm")


def buildings(checked: Checked) -> Table:
    """Buildings with address and floors; OSM counts no households, so they are left unknown."""
    frame, geometry = layer(checked, "multipolygons", "building IS NOT NULL")
    standing = ~tag(frame, "building").isin(["no", "ruins", "collapsed", "construction"])
    frame, geometry = frame[standing], geometry[standing.to_numpy()]
    out = pd.DataFrame(
        {
            "id": frame["id"],
            "name": frame["name"],
            "address": _addresses(frame),
            "kind": frame["building"],
            "floors": tag(frame, "building:levels"),
        }
    )
    result = table(out, geometry, checked, "buildings")
    result.notes.append("OpenStreetMap counts no households: they are left unknown")
    return result


def _addresses(frame: pd.DataFrame) -> list[str | None]:
    """House number and street, in the order of the language of the street's name."""
    out: list[str | None] = []
    full, street, place, number = (
        tag(frame, f"addr:{part}") for part in ("full", "street", "place", "housenumber")
    )
    for whole, road, spot, no in zip(full, street, place, number, strict=True):
        where = road or spot
        if whole:
            out.append(whole)
        elif where and no:
            chinese = any("\u4e00" <= c <= "\u9fff" for c in where)
            out.append(f"{where}{no}{'' if no.endswith('号') else '号'}" if chinese
                       else f"{no} {where}")  # fmt: skip
        else:
            out.append(where)
    return out


# ------------------------------------------------------------------------------------------
# Barriers
# ------------------------------------------------------------------------------------------

ARTERIAL: Final = frozenset(
    f"{road}{link}"
    for road in ("motorway", "trunk", "primary", "secondary")
    for link in ("", "_link")
)
STREET: Final = frozenset(
    {"tertiary", "tertiary_link", "residential", "unclassified", "living_street", "pedestrian"}
)
RAIL: Final = frozenset({"rail", "light_rail", "subway", "narrow_gauge"})
RIVER: Final = frozenset({"river", "canal", "stream"})
WALL: Final = frozenset({"wall", "city_wall", "fence"})
# Ways that nobody may walk on are no way across.
NOT_WALKED: Final = frozenset({"motorway", "motorway_link", "construction", "proposed", "platform"})


def barriers(checked: Checked) -> Table:
    """Roads by class, rails, rivers and walls as lines; bridges and level crossings as points.

    What runs in a tunnel or culvert bars nobody. A bridge is a point where a way on a bridge
    crosses a river or rail line; a level crossing counts as one.
    """
    frame, geometry = layer(
        checked,
        "lines",
        "highway IS NOT NULL OR railway IS NOT NULL OR waterway IS NOT NULL OR barrier IS NOT NULL",
    )
    highway, railway = tag(frame, "highway"), tag(frame, "railway")
    kind = pd.Series([None] * len(frame), index=frame.index, dtype=object)
    kind[tag(frame, "barrier").isin(WALL)] = "wall"
    kind[tag(frame, "waterway").isin(RIVER)] = "river"
    kind[railway.isin(RAIL)] = "rail"
    kind[highway.isin(STREET)] = "street"
    kind[highway.isin(ARTERIAL)] = "arterial"
    hidden = tag(frame, "tunnel").notna() & (tag(frame, "tunnel") != "no")
    hidden |= tag(frame, "covered") == "yes"
    kept = (kind.notna() & ~hidden).to_numpy()
    lines = pd.DataFrame({"id": frame["id"], "kind": kind, "name": frame["name"]})[kept]

    crossed = np.flatnonzero(kept & kind.isin(["river", "rail"]).to_numpy())
    carried = tag(frame, "bridge").notna() & (tag(frame, "bridge") != "no")
    walked = highway.notna() & ~highway.isin(NOT_WALKED)
    bridges = np.flatnonzero((carried & walked).to_numpy())
    tree = shapely.STRtree(geometry[crossed])
    rows: list[tuple[str, str, str | None]] = []
    points: list[Any] = []
    for position in bridges:
        near = geometry[crossed][tree.query(geometry[position], predicate="crosses")]
        for number, point in enumerate(crossings(geometry[position], near), start=1):
            rows.append((f"{frame['id'].iloc[position]}@{number}", "bridge",
                         frame["name"].iloc[position]))  # fmt: skip
            points.append(point)
    level, places = layer(checked, "points", "other_tags LIKE '%\"railway\"=>%crossing%'")
    if len(level):
        at = tag(level, "railway").isin(["level_crossing", "crossing"]).to_numpy()
        # Trams have crossings, too, but bar nobody: only those on a rail that is kept count.
        rails = geometry[kept & (kind == "rail").to_numpy()]
        near = shapely.STRtree(rails).query(places, predicate="dwithin", distance=1e-7)[0]
        at = at & np.isin(np.arange(len(places)), near)
        rows += [(identity, "bridge", "level crossing") for identity in level["id"][at]]
        points += list(places[at])
    spans = pd.DataFrame(rows, columns=["id", "kind", "name"])
    shapes = np.empty(int(kept.sum()) + len(points), dtype=object)
    shapes[: int(kept.sum())] = geometry[kept]
    shapes[int(kept.sum()) :] = points
    return table(pd.concat([lines, spans]), shapes, checked, "roads, rails, rivers or walls")


def cameras(checked: Checked) -> Table:
    """Surveillance and speed cameras, with their direction and type."""
    frame, geometry = layer(
        checked,
        "points",
        "man_made = 'surveillance' OR highway = 'speed_camera'",
    )
    is_camera = tag(frame, "surveillance:type").isna() | (
        tag(frame, "surveillance:type").str.lower() == "camera"
    )
    frame, geometry = frame[is_camera], geometry[is_camera.to_numpy()]
    direction = tag(frame, "camera:direction")
    out = pd.DataFrame(
        {
            "id": frame["id"],
            "name": tag(frame, "name"),
            "direction": direction.where(direction.notna(), tag(frame, "direction")),
            "kind": tag(frame, "camera:type"),
            "height_m": tag(frame, "height"),
        }
    )
    return table(out, geometry, checked, "cameras")
