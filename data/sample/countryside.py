"""Villages and herder camps of the demo county: houses, lanes, and roads to the next arterial."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import shapely
from shapely.geometry import LineString, Point, Polygon

from data.sample.buildings import Building, direction_deg, rows
from data.sample.county import Unit
from data.sample.frame import Array, chaikin
from data.sample.town import CLEAR_M, Street, cut

# Land that a farmhouse takes with its yard and its share of the lanes, square metres.
PLOT_M2 = 800.0
LANE_BLOCK_M2 = 13_000.0
HOUSEHOLDS_PER_VILLAGE = (130, 480)
CAMPS_PER_GACHA = (22, 78)
CAMP_SPACING_M = 650.0
LONGEST_LINK_M = 7_500.0


@dataclass(frozen=True)
class Countryside:
    """Buildings outside the town with the code of their village, and the lanes and roads."""

    buildings: tuple[Building, ...]
    codes: tuple[str, ...]
    streets: tuple[Street, ...]


def settle(
    villages: tuple[Unit, ...], great: tuple[Street, ...], rng: np.random.Generator
) -> Countryside:
    """Build villages and camps clear of the great lines."""
    # Ten metres do not matter for where a village lies; the bends in the lines cost time.
    coarse = {s: s.line.simplify(10.0) for s in great}
    obstacles = shapely.union_all(list(coarse.values()))
    roads = shapely.union_all([line for s, line in coarse.items() if s.rank == "arterial"])
    walls = shapely.union_all([s.line for s in great if s.rank in ("river", "rail")])
    exact = shapely.union_all([s.line for s in great if s.rank == "arterial"])
    for geometry in (obstacles, roads, walls, exact):
        shapely.prepare(geometry)
    buildings: list[Building] = []
    codes: list[str] = []
    streets: list[Street] = []
    for unit in villages:
        if unit.area_type == "rural":
            made, lanes = _village(unit, obstacles, (roads, exact), walls, rng)
            streets += lanes
        elif unit.area_type == "pastoral":
            made = _camps(unit, obstacles, rng)
        else:
            continue
        buildings += made
        codes += [unit.code] * len(made)
    return Countryside(tuple(buildings), tuple(codes), tuple(streets))


def _village(
    unit: Unit, obstacles: Any, roads: tuple[Any, Any], walls: Any, rng: np.random.Generator
) -> tuple[list[Building], list[Street]]:
    """One to three clusters of farmhouses with lanes, each with a road out."""
    total = int(rng.integers(*HOUSEHOLDS_PER_VILLAGE))
    count = 1 if total < 200 else int(rng.integers(1, 4))
    shares = rng.dirichlet([4.0] * count) if count > 1 else np.array([1.0])
    made: list[Building] = []
    streets: list[Street] = []
    for group, (centre, share) in enumerate(
        zip(_sites(unit.shape, obstacles, roads[0], count, rng), shares, strict=False), start=1
    ):
        area = _patch(centre, max(45.0, total * share) * PLOT_M2, rng)
        lanes: list[Street] = []
        han = unit.name.removesuffix("村")
        source = (f"{han}{group}组{n}巷" for n in range(1, 1000))
        blocks = cut(area, LANE_BLOCK_M2, rng, lanes, names=source, rank="lane")
        lane_area = shapely.union_all([s.line for s in lanes]).buffer(CLEAR_M["lane"] + 1)
        for block in blocks:
            land = block.difference(lane_area)
            for part in shapely.get_parts(land):
                feet = rows(
                    part, direction_deg(part), rng, width_m=(11, 15), depth_m=8.0, gap_m=(5, 9),
                    pitch_m=27.0, keep=0.93, phases=2,
                )  # fmt: skip
                made += [
                    Building(foot, "house", 1, 1 + int(rng.random() < 0.12), "", f"{group}组", "")
                    for foot in feet
                ]
        link = _link(unit, area, lanes, roads=roads[1], walls=walls, rng=rng)
        streets += [*lanes, *link]
    if made:
        first = made[len(made) // 2]
        made[len(made) // 2] = Building(first.footprint, "office", 1, 0, "", "村委会", "")
    return made, streets


def _sites(
    shape: Any, obstacles: Any, roads: Any, count: int, rng: np.random.Generator
) -> list[Array]:
    """Places for the clusters: inside, clear of rivers and roads, yet not far from a road."""
    room = shape.buffer(-650)
    if room.is_empty:
        room = shape.buffer(-420)
    west, south, east, north = room.bounds
    draws = rng.uniform((west, south), (east, north), (300, 2))
    draws = draws[shapely.contains_xy(room, draws[:, 0], draws[:, 1])]
    points = shapely.points(draws)
    clear = shapely.distance(points, obstacles)
    draws, points = draws[clear > 430], points[clear > 430]
    draws = draws[np.argsort(shapely.distance(points, roads) + rng.normal(0, 900, len(points)))]
    chosen: list[Array] = []
    for place in draws:
        if all(np.hypot(*(place - c)) > 1_300 for c in chosen):
            chosen.append(place)
        if len(chosen) == count:
            break
    return chosen


def _patch(centre: Array, area_m2: float, rng: np.random.Generator) -> Any:
    """A rounded, irregular patch of land of about that area."""
    turn = rng.uniform(0, np.pi)
    stretch = rng.uniform(1.1, 1.8)
    radius = np.sqrt(area_m2 / np.pi)
    angle = np.linspace(0, 2 * np.pi, 11)[:-1]
    reach = radius * rng.uniform(0.85, 1.15, 10)
    x, y = reach * np.cos(angle) * np.sqrt(stretch), reach * np.sin(angle) / np.sqrt(stretch)
    ring = np.column_stack(
        [x * np.cos(turn) - y * np.sin(turn), x * np.sin(turn) + y * np.cos(turn)]
    )
    ring = np.vstack([ring, ring[:1]]) + centre
    return Polygon(chaikin(ring, rounds=2))


def _link(
    unit: Unit,
    area: Any,
    lanes: list[Street],
    *,
    roads: Any,
    walls: Any,
    rng: np.random.Generator,
) -> list[Street]:
    """The village road to the nearest arterial, unless a river or railway lies between."""
    ends = [Point(s.line.coords[i]) for s in lanes for i in (0, -1)]
    edge = [p for p in ends if p.distance(area.exterior) < 1.0]
    if not edge:
        return []
    start = min(edge, key=lambda p: p.distance(roads))
    straight = shapely.shortest_line(start, roads)
    if straight.length > LONGEST_LINK_M or straight.length < 50:
        return []
    a, b = np.array(straight.coords)
    across = np.array([-(b - a)[1], (b - a)[0]])
    bends = [a + (b - a) * t + across * rng.uniform(-0.06, 0.06) for t in (0.3, 0.65)]
    line = LineString(chaikin(np.array([a, *bends, b]), rounds=3))
    if line.intersects(walls) or line.intersection(area).length > 40:
        return []
    return [Street(f"{unit.name}村道", "street", line)]


def _camps(unit: Unit, obstacles: Any, rng: np.random.Generator) -> list[Building]:
    """Herder camps scattered over a gacha: a house, sometimes a second, often a shed."""
    room = unit.shape.buffer(-300)
    west, south, east, north = room.bounds
    wanted = int(rng.integers(*CAMPS_PER_GACHA))
    places: list[Array] = []
    for place in rng.uniform((west, south), (east, north), (wanted * 12, 2)):
        if len(places) == wanted:
            break
        if not shapely.contains_xy(room, *place) or Point(place).distance(obstacles) < 150:
            continue
        if all(np.hypot(*(place - p)) > CAMP_SPACING_M for p in places):
            places.append(place)
    made = []
    for number, place in enumerate(places, start=1):
        turn = rng.uniform(-20, 20)
        homes = 2 if rng.random() < 0.08 else 1
        label = f"{number}号牧点"
        made.append(Building(_box(place, 13, 7, turn), "camp", 1, homes, "", "", label))
        if rng.random() < 0.7:
            shed = place + np.array([rng.uniform(22, 40), rng.uniform(12, 25)])
            made.append(Building(_box(shed, 24, 9, turn), "shed", 1, 0, "", "", label + "棚圈"))
    if made:
        seat = np.array(unit.shape.representative_point().coords[0])
        if all(np.hypot(*(seat - p)) > 120 for p in places):
            made.append(Building(_box(seat, 26, 12, 0.0), "office", 1, 0, "", "嘎查委员会", ""))
    return made


def _box(centre: Array, width_m: float, depth_m: float, turn_deg: float) -> Any:
    """A rectangle around a point, turned anticlockwise from west-east."""
    x, y = np.array([-1, 1, 1, -1]) * width_m / 2, np.array([-1, -1, 1, 1]) * depth_m / 2
    cos, sin = np.cos(np.radians(turn_deg)), np.sin(np.radians(turn_deg))
    return Polygon(np.column_stack([x * cos - y * sin, x * sin + y * cos]) + centre)
