"""The whole demo place: drawn in local metres, handed over as frames in WGS 84."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any

import geopandas as gpd
import numpy as np
import pandas as pd
import shapely

from data.sample import buildings as built
from data.sample import names
from data.sample.cameras import cameras
from data.sample.communities import communities
from data.sample.countryside import settle
from data.sample.county import Unit, divide, name_units, outline, upper_units
from data.sample.frame import SNAP_M, Geometries, project, snap
from data.sample.incidents import incidents
from data.sample.key_places import key_places
from data.sample.patrols import checkpoints, patrol_routes, tracks
from data.sample.town import HOUSEHOLDS, Street, lay_out

DEFAULT_UNTIL = date(2026, 6, 30)
KINDS = {"lane": "street"}
# No footprint stands nearer than this to a line it must not cut, metres.
LEAST_CLEAR_M = 2.0


@dataclass(frozen=True)
class DemoPlace:
    """Everything about the made-up 示范旗 Demo Banner, WGS 84.

    The columns of each frame are the names the importers know; see `data.sample.files`.
    """

    until: date
    units: gpd.GeoDataFrame
    buildings: gpd.GeoDataFrame
    lines: gpd.GeoDataFrame
    bridges: gpd.GeoDataFrame
    borders: gpd.GeoDataFrame
    routes: gpd.GeoDataFrame
    checkpoints: gpd.GeoDataFrame
    tracks: pd.DataFrame
    cameras: pd.DataFrame
    incidents: pd.DataFrame
    places: gpd.GeoDataFrame


def build(seed: int = 1, until: date = DEFAULT_UNTIL) -> DemoPlace:
    """Make the demo place.

    Parameters
    ----------
    seed
        Another seed gives another town of the same kind; the same seed the same bytes.
    until
        Last day of the two years of incidents and the thirty days of patrol tracks.

    Returns
    -------
    Frames in WGS 84 lon/lat; every name in them is invented and says so.
    """
    rng = np.random.default_rng(seed)
    town = lay_out(rng)
    town_built = built.build_up(town, rng)
    homes = _calibrated(town_built.buildings)
    per_block = np.bincount(
        town_built.blocks, weights=[b.households for b in homes], minlength=len(town.blocks)
    ).astype(np.int64)
    edge, border = outline(rng)
    parts, villages = divide(edge, communities(town, per_block), rng)
    county = name_units(parts, villages, edge, border)
    great = tuple(s for s in town.streets if s.rank in ("river", "rail", "arterial"))
    country = settle(county.villages, great, rng)

    streets = _within([*town.streets, *country.streets], edge)
    lines, bridges = _barriers(streets, list(town_built.walls))
    units = _unit_frame([*upper_units(county), *county.villages])
    buildings = _building_frame([*homes, *country.buildings], county.villages, streets, until, rng)
    routes = patrol_routes(border, county, rng)
    on_earth = _projected(buildings)
    return DemoPlace(
        until=until,
        units=units,
        buildings=on_earth,
        lines=_projected(lines),
        bridges=_projected(bridges),
        borders=_projected(_border_frame(border)),
        routes=_projected(routes),
        checkpoints=_projected(checkpoints(routes, rng)),
        tracks=tracks(routes, until, rng),
        cameras=cameras(streets, bridges, town_built, buildings, routes, rng=rng),
        incidents=incidents(buildings, streets, edge, until, rng),
        places=key_places(on_earth, units),
    )


def _calibrated(made: tuple[built.Building, ...]) -> list[built.Building]:
    """The town's buildings with slabs and towers filled so that the total is what it should be."""
    total = sum(b.households for b in made)
    dense = sum(b.households for b in made if b.kind in ("slab", "tower"))
    factor = 1 + (HOUSEHOLDS - total) / dense
    limits = {"slab": (20, 60), "tower": (100, 420)}
    return [
        built.Building(
            b.footprint, b.kind, b.floors,
            int(np.clip(round(b.households * factor), *limits[b.kind])), b.street, b.estate,
            b.label,
        )
        if b.kind in limits
        else b
        for b in made
    ]  # fmt: skip


def _within(streets: list[Street], edge: Any) -> list[Street]:
    """The streets cut off at the county's edge, whole lines of one piece each."""
    return [
        Street(street.name, street.rank, piece)
        for street in streets
        for piece in shapely.get_parts(shapely.intersection(street.line, edge))
        if piece.geom_type == "LineString" and piece.length > 1
    ]


def _barriers(
    streets: list[Street], walls: list[tuple[str, Any]]
) -> tuple[gpd.GeoDataFrame, gpd.GeoDataFrame]:
    """Barrier lines, noded with each other, and bridge points where roads cross river and rail."""
    originals = np.array([s.line for s in streets], dtype=object)
    noded = shapely.get_parts(shapely.union_all(originals, grid_size=SNAP_M))
    middle = shapely.line_interpolate_point(noded, 0.5, normalized=True)
    owner = _owners(middle, originals)
    rows = []
    for index, street in enumerate(streets):
        mine = noded[owner == index]
        if len(mine) == 0:
            continue
        merged = shapely.line_merge(shapely.union_all(mine))
        rows += [
            (KINDS.get(street.rank, street.rank), street.name, part)
            for part in shapely.get_parts(merged)
        ]
    rows += [("wall", name, snap(line)) for name, line in walls]
    frame = gpd.GeoDataFrame(rows, columns=["kind", "name", "geometry"], geometry="geometry")
    frame.insert(0, "id", [f"DL{n:05d}" for n in range(1, len(frame) + 1)])

    crossings = []
    roads = frame[frame["kind"].isin(["arterial", "street"])]
    for kind, title in (("river", "桥"), ("rail", "立交桥")):
        for barrier in frame.loc[frame["kind"] == kind, "geometry"]:
            near = roads[roads.intersects(barrier)]
            # A street that ends at the water has no bridge there: only one that goes on.
            crossings += [
                ("bridge", f"{name}{title}", point)
                for name, road in zip(near["name"], near["geometry"], strict=True)
                for point in shapely.get_parts(shapely.intersection(road, barrier))
                if point.geom_type == "Point" and point.distance(shapely.boundary(road)) > 5
            ]
    unique = {(round(p.x, 1), round(p.y, 1)): (k, n, p) for k, n, p in crossings}
    bridges = gpd.GeoDataFrame(
        [unique[key] for key in sorted(unique)],
        columns=["kind", "name", "geometry"],
        geometry="geometry",
    )
    bridges.insert(0, "id", [f"DQ{n:03d}" for n in range(1, len(bridges) + 1)])
    return frame, bridges


def _owners(middle: Geometries, originals: Geometries) -> Any:
    """Which of the lines each point lies on: the nearest, the first when several."""
    tree = shapely.STRtree(originals)
    point, line = tree.query_nearest(middle, all_matches=True)
    owner = np.full(len(middle), len(originals))
    np.minimum.at(owner, point, line)
    return owner


def _unit_frame(units: list[Unit]) -> gpd.GeoDataFrame:
    """Units as a frame in WGS 84."""
    columns = ["code", "name", "name_en", "level", "parent", "area_type"]
    frame = pd.DataFrame([[getattr(u, c) for c in columns] for u in units], columns=columns)
    frame["source"] = "demo"
    return gpd.GeoDataFrame(frame, geometry=project([u.shape for u in units]), crs="EPSG:4326")


def _building_frame(
    made: list[built.Building],
    villages: tuple[Unit, ...],
    streets: list[Street],
    until: date,
    rng: np.random.Generator,
) -> gpd.GeoDataFrame:
    """Buildings with ids, addresses and counts, in local metres; none cut by a line."""
    feet = np.empty(len(made), dtype=object)
    feet[:] = [snap(b.footprint) for b in made]
    clear = _clear(feet, streets, villages)
    made = [b for b, free in zip(made, clear, strict=True) if free]
    feet = feet[clear]
    unit, which = shapely.STRtree(feet).query([v.shape for v in villages], predicate="covers")
    owner = np.full(len(feet), -1)
    owner[which] = unit
    order = np.lexsort((np.arange(len(feet)), owner))
    order = order[owner[order] >= 0]
    made, feet, owner = [made[i] for i in order], feet[order], owner[order]
    lines = built.line_by_name([(s.name, s.line) for s in streets])
    numbers = _numbers(made, feet, owner, lines)
    registered, resident, occupied = _counts(made, rng)
    counted = until.replace(day=1) - timedelta(days=1)
    return gpd.GeoDataFrame(
        {
            "id": [f"DB{n:06d}" for n in range(1, len(made) + 1)],
            "name": [_name(b, n) for b, n in zip(made, numbers, strict=True)],
            "address": [
                _address(b, n, villages[o]) for b, n, o in zip(made, numbers, owner, strict=True)
            ],
            "unit": [villages[o].code for o in owner],
            "kind": [b.kind for b in made],
            "floors": [b.floors for b in made],
            "households_registered": registered,
            "households_resident": resident,
            "households_occupied": occupied,
            "counted_on": counted.isoformat(),
        },
        geometry=feet,
    )


def _clear(feet: Geometries, streets: list[Street], villages: tuple[Unit, ...]) -> Any:
    """Which footprints stand clear of every line, unit border and earlier footprint."""
    borders = [v.shape.exterior for v in villages]
    tree = shapely.STRtree([*(s.line for s in streets), *borders])
    free = np.ones(len(feet), dtype=bool)
    free[tree.query(feet, predicate="dwithin", distance=LEAST_CLEAR_M)[0]] = False
    a, b = shapely.STRtree(feet).query(feet, predicate="intersects")
    free[b[(a < b) & free[a]]] = False
    return free


def _numbers(
    made: list[built.Building], feet: Geometries, owner: Any, lines: dict[str, Any]
) -> list[int]:
    """House numbers: one for each house, one for all buildings of an estate."""
    places: dict[tuple[str, str], int] = {}
    first: list[int] = []
    slot = []
    for i, b in enumerate(made):
        key = (b.street, b.estate) if b.street and b.estate else (str(i), "")
        if key not in places:
            places[key] = len(first)
            first.append(i)
        slot.append(places[key])
    on_street = [i for i in first if made[i].street]
    given = dict(
        zip(
            on_street,
            built.house_numbers(feet[on_street], [made[i].street for i in on_street], lines),
            strict=True,
        )
    )
    count: dict[tuple[int, str], int] = {}
    numbers = []
    for i, b in enumerate(made):
        if b.street:
            numbers.append(given[first[slot[i]]])
        else:
            # Villages number their houses through, group by group.
            group = (int(owner[i]), b.estate)
            count[group] = count.get(group, 0) + 1
            numbers.append(count[group])
    return numbers


def _name(building: built.Building, number: int) -> str:
    if building.estate and building.label:
        return f"{building.estate}{building.label}"
    if building.label:
        return building.label
    if building.estate in ("村委会", "嘎查委员会"):
        return building.estate
    return f"{building.street or building.estate}{number}号"


def _address(building: built.Building, number: int, village: Unit) -> str:
    """示范旗 + township + street and number + estate and building, as Chinese addresses run."""
    township = {code: han for code, han, _ in (names.STREET_OFFICE, *names.TOWNS, *names.SUMUS)}
    head = f"示范旗{township[village.parent]}"
    if building.street:
        return f"{head}{building.street}{number}号{building.estate}{building.label}"
    if building.label or building.estate in ("村委会", "嘎查委员会"):
        return f"{head}{village.name}{building.estate}{building.label}"
    return f"{head}{village.name}{building.estate}{number}号"


def _counts(made: list[built.Building], rng: np.random.Generator) -> tuple[Any, Any, Any]:
    """Registered, resident and occupied households: towers fill late, villages empty out."""
    resident = np.array([b.households for b in made], dtype=np.int64)
    kind = np.array([b.kind for b in made])
    share = np.select(
        [kind == "tower", kind == "slab", kind == "camp"], [0.72, 0.93, 1.0], default=1.04
    )
    registered = rng.poisson(resident * share)
    registered = np.where(resident <= 2, np.where(rng.random(len(made)) < 0.92, resident, 1),
                          registered)  # fmt: skip
    registered = np.where(resident == 0, 0, registered)
    lived_in = np.select([kind == "tower", kind == "slab"], [0.83, 0.93], default=0.9)
    return registered, resident, rng.binomial(resident, lived_in)


def _border_frame(border: Any) -> gpd.GeoDataFrame:
    """The border in two stretches, drawn in opposite directions, as two surveys would."""
    west = shapely.ops.substring(border, 0, 0.55, normalized=True)
    east = shapely.ops.substring(border, 0.55, 1, normalized=True)
    return gpd.GeoDataFrame(
        {
            "id": ["DJ01", "DJ02"],
            "name": [f"{names.BORDER}西段", f"{names.BORDER}东段"],
            "side": ["right", "left"],
        },
        geometry=[west, shapely.reverse(east)],
    )


def _projected(frame: gpd.GeoDataFrame) -> gpd.GeoDataFrame:
    """The same frame in WGS 84, marked as the demo."""
    moved = frame.copy()
    moved["source"] = "demo"
    return moved.set_geometry(project(frame.geometry.to_numpy())).set_crs("EPSG:4326")
