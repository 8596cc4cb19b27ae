"""Buildings of the demo town: footprints in rows along their street, by the use of the block."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import count
from typing import Any

import numpy as np
import shapely
from shapely import affinity
from shapely.geometry import LineString

from data.sample import names
from data.sample.frame import Array, Geometries
from data.sample.town import CLEAR_M, Block, Town

WALL_INSET_M = 4.0
GATE_M = 14.0


@dataclass(frozen=True)
class Building:
    """One footprint in local metres.

    `estate` and `label` make the end of the address: 标高家园 3栋, or no estate and 27号.
    """

    footprint: Any
    kind: str
    floors: int
    households: int
    street: str
    estate: str
    label: str


@dataclass(frozen=True)
class Gate:
    """A gap in an estate's wall: where it is and the bearing that looks out of it, degrees."""

    point: Any
    estate: str
    kind: str


@dataclass(frozen=True)
class _Titles:
    """Names still free for estates, and numbers for everything else with a title."""

    estates: Iterator[str]
    numbers: Iterator[int]


@dataclass(frozen=True)
class BuiltTown:
    """What stands on the blocks: buildings with the index of their block, walls, gates."""

    buildings: tuple[Building, ...]
    blocks: tuple[int, ...]
    walls: tuple[tuple[str, Any], ...]
    gates: tuple[Gate, ...]


def rows(
    land: Any,
    angle_deg: float,
    rng: np.random.Generator,
    *,
    width_m: tuple[float, float],
    depth_m: float,
    gap_m: tuple[float, float],
    pitch_m: float,
    keep: float = 1.0,
    phases: int = 1,
) -> Geometries:
    """Rectangles in parallel rows, wholly inside the land.

    Parameters
    ----------
    land
        Polygon in metres.
    angle_deg
        Direction of the rows, anticlockwise from east.
    width_m, gap_m
        Least and greatest width of a building along its row, and gap to the next, metres.
    depth_m, pitch_m
        Depth of a building and distance from row to row, metres; pitch exceeds depth.
    keep
        Share of the rectangles that are really built.
    phases
        How many positions of the pattern to try; the fullest wins.

    Returns
    -------
    Array of polygons, row by row; empty when nothing fits.
    """
    none: Geometries = np.empty(0, dtype=object)
    if land.is_empty:
        return none
    centre = land.centroid
    straight = affinity.rotate(land, -angle_deg, origin=centre)
    shapely.prepare(straight)
    west, south, east, north = straight.bounds
    best = none
    for phase in range(phases):
        y = np.arange(south + pitch_m * phase / phases, north - depth_m + 0.01, pitch_m)
        places = int((east - west) / (width_m[0] + gap_m[0])) + 1
        widths = rng.uniform(*width_m, (len(y), places))
        gaps = rng.uniform(*gap_m, (len(y), places))
        ends = west + np.cumsum(widths + gaps, axis=1) - gaps
        # The last gap of a row that does not fill its land is shared out at both ends.
        ends += (rng.random((len(y), 1)) * 0.5) * (width_m[0] + gap_m[0])
        low = np.repeat(y[:, None], places, axis=1)
        boxes = shapely.box(ends - widths, low, ends, low + depth_m).ravel()
        boxes = boxes[shapely.contains_properly(straight, boxes)]
        if len(boxes) > len(best):
            best = boxes
    best = best[rng.random(len(best)) < keep]
    if len(best) == 0:
        return none
    cos, sin = np.cos(np.radians(angle_deg)), np.sin(np.radians(angle_deg))
    pivot = np.array([centre.x, centre.y])
    turn = np.array([[cos, sin], [-sin, cos]])
    return np.asarray(shapely.transform(best, lambda xy: (xy - pivot) @ turn + pivot))


def direction_deg(land: Any) -> float:
    """The side of the land that runs nearest to west-east, so that houses look south."""
    corners = np.array(shapely.minimum_rotated_rectangle(land).exterior.coords)[:3]
    dx, dy = corners[1] - corners[0]
    angle = float(np.degrees(np.arctan2(dy, dx)))
    return (angle + 45) % 90 - 45


def build_up(town: Town, rng: np.random.Generator) -> BuiltTown:
    """Put buildings on every block of the town."""
    clear = shapely.buffer(
        [s.line for s in town.streets], [CLEAR_M[s.rank] for s in town.streets], quad_segs=4
    )
    clear_tree = shapely.STRtree(clear)
    street_tree = shapely.STRtree([s.line for s in town.streets])
    addressable = np.array([s.rank not in ("river", "rail") for s in town.streets])
    titles = _Titles(_estate_names(), count(1))
    buildings: list[Building] = []
    of_block: list[int] = []
    walls: list[tuple[str, Any]] = []
    gates: list[Gate] = []
    for index, block in enumerate(town.blocks):
        near = clear[np.sort(clear_tree.query(block.face, predicate="intersects"))]
        land = shapely.difference(block.face, shapely.union_all(near)).buffer(-1.0)
        if block.use != "fringe":
            land = land.difference(town.outline.exterior.buffer(12))
        parts = [p for p in shapely.get_parts(land) if p.area > 300]
        for part in parts:
            candidates = street_tree.query(part, predicate="dwithin", distance=70.0)
            candidates = np.sort(candidates[addressable[candidates]])
            if len(candidates) == 0:
                candidates = np.flatnonzero(addressable)
            lines = [town.streets[i] for i in candidates]
            made, wall, gate = _fill(part, block, lines, titles, rng)
            buildings += made
            of_block += [index] * len(made)
            walls += wall
            gates += gate
    return BuiltTown(tuple(buildings), tuple(of_block), tuple(walls), tuple(gates))


def _estate_names() -> Iterator[str]:
    for suffix in ("家园", "花园", "苑", "小区", "新村", "里"):
        for stem in names.street_names(""):
            if len(stem) > 2:
                break
            yield f"{stem}{suffix}"


def _fill(
    land: Any, block: Block, lines: list[Any], titles: _Titles, rng: np.random.Generator
) -> tuple[list[Building], list[tuple[str, Any]], list[Gate]]:
    """Buildings, walls and gates on one piece of land."""
    angle = direction_deg(land)
    if block.use in ("slab", "tower"):
        return _estate(land, block.use, angle, lines, name=next(titles.estates), rng=rng)
    if block.use == "public":
        return _public(land, angle, lines, titles, rng)
    if block.use in ("old", "fringe"):
        return _houses(land, angle, block.use, lines, rng), [], []
    return _works(land, angle, block.use, lines, titles=titles, rng=rng), [], []


def _estate(
    land: Any,
    use: str,
    angle: float,
    lines: list[Any],
    *,
    name: str,
    rng: np.random.Generator,
) -> tuple[list[Building], list[tuple[str, Any]], list[Gate]]:
    """A walled estate of six-storey slabs or of towers, with one or two gates."""
    yard = land.buffer(-WALL_INSET_M - 5)
    if use == "slab":
        feet = rows(
            yard, angle, rng, width_m=(32, 62), depth_m=12.0, gap_m=(9, 13),
            pitch_m=float(rng.uniform(27, 32)), keep=0.95, phases=4,
        )  # fmt: skip
    else:
        feet = rows(
            yard, angle, rng, width_m=(26, 44), depth_m=17.0, gap_m=(26, 40),
            pitch_m=float(rng.uniform(60, 72)), keep=0.9, phases=5,
        )  # fmt: skip
    street = _street_of(land, lines)
    plan_floors = int(rng.choice([11, 18, 18, 24, 26, 33])) if use == "tower" else 6
    made = []
    for number, foot in enumerate(feet, start=1):
        sides = np.array(foot.exterior.coords)
        width = max(float(np.hypot(*(sides[i + 1] - sides[i]))) for i in (0, 1))
        if use == "slab":
            floors = int(rng.choice([5, 6, 6, 6]))
            homes = floors * 2 * max(2, round(width / 14))
        else:
            floors = max(11, plan_floors + int(rng.integers(-2, 3)))
            homes = floors * (4 if width < 32 else 6 if width < 40 else 8)
            homes = max(100, min(420, homes))
        made.append(Building(foot, use, floors, homes, street, name, f"{number}栋"))
    if len(made) < 2:
        return [_lone(b) for b in made], [], []
    wall, gates = _walled(land.buffer(-WALL_INSET_M), lines, name, use, rng)
    return made, wall, gates


def _lone(building: Building) -> Building:
    """A building too lonely to be an estate has a number on the street only."""
    return Building(
        building.footprint, building.kind, building.floors, building.households,
        building.street, "", "",
    )  # fmt: skip


def _walled(
    yard: Any, lines: list[Any], name: str, kind: str, rng: np.random.Generator
) -> tuple[list[tuple[str, Any]], list[Gate]]:
    """The wall around a yard with gates towards the nearest streets."""
    if yard.geom_type != "Polygon" or yard.area < 2_000:
        return [], []
    ring = yard.exterior.simplify(0.5)
    wanted = 2 if ring.length > 520 else 1
    by_distance = sorted(lines, key=lambda s: (s.rank != "arterial", s.line.distance(ring)))
    gates = []
    wall = ring
    for street in by_distance[:wanted]:
        side = shapely.intersection(ring, street.line.buffer(CLEAR_M[street.rank] + 12))
        parts = [p for p in shapely.get_parts(side) if p.length > 2 * GATE_M]
        if not parts:
            continue
        longest = max(parts, key=lambda p: p.length)
        point = longest.interpolate(float(rng.uniform(0.4, 0.6)), normalized=True)
        wall = shapely.difference(wall, point.buffer(GATE_M / 2))
        gates.append(Gate(point, name, kind))
    if not gates:
        point = ring.interpolate(0.1, normalized=True)
        wall = shapely.difference(wall, point.buffer(GATE_M / 2))
        gates.append(Gate(point, name, kind))
    pieces = shapely.get_parts(shapely.line_merge(wall))
    return [(f"{name}围墙", piece) for piece in pieces if piece.length > 5], gates


def _public(
    land: Any, angle: float, lines: list[Any], titles: _Titles, rng: np.random.Generator
) -> tuple[list[Building], list[tuple[str, Any]], list[Gate]]:
    """A school, a hospital or offices: nobody lives there."""
    kind = str(rng.choice(["school", "school", "hospital", "office", "office"]))
    what = {"school": "学校", "hospital": "医院", "office": "机关院"}[kind]
    title = f"示范第{next(titles.numbers)}{what}"
    feet = rows(
        land.buffer(-9), angle, rng, width_m=(46, 74), depth_m=15.0, gap_m=(16, 24), pitch_m=44.0,
        keep=0.62, phases=3,
    )  # fmt: skip
    street = _street_of(land, lines)
    made = [
        Building(foot, kind, int(rng.integers(3, 6)), 0, street, title, f"{n}栋")
        for n, foot in enumerate(feet, start=1)
    ]
    if len(made) < 2:
        return made, [], []
    wall, gates = _walled(land.buffer(-WALL_INSET_M), lines, title, kind, rng)
    return made, wall, gates


def _houses(
    land: Any, angle: float, use: str, lines: list[Any], rng: np.random.Generator
) -> list[Building]:
    """Single-storey houses: close in the old quarters, loose at the edge of town."""
    if use == "old":
        feet = rows(
            land, angle, rng, width_m=(9, 15), depth_m=7.5, gap_m=(0.8, 2.6),
            pitch_m=float(rng.uniform(15.5, 18.5)), keep=0.93, phases=2,
        )  # fmt: skip
        odds = [0.34, 0.34, 0.2, 0.12]
    else:
        field = land.buffer(-4)
        feet = rows(
            field, angle, rng, width_m=(11, 16), depth_m=8.0, gap_m=(7, 11), pitch_m=30.0,
            keep=float(rng.uniform(0.15, 0.75)),
        )  # fmt: skip
        odds = [0.7, 0.3, 0.0, 0.0]
    made = []
    for foot in feet:
        homes = int(rng.choice([1, 2, 3, 4], p=odds))
        street = _street_of(foot, lines)
        made.append(Building(foot, "house", 1 if homes < 3 else 2, homes, street, "", ""))
    return made


def _works(
    land: Any,
    angle: float,
    use: str,
    lines: list[Any],
    *,
    titles: _Titles,
    rng: np.random.Generator,
) -> list[Building]:
    """Shops with flats above, factory halls, park pavilions."""
    street = _street_of(land, lines)
    if use == "industry":
        feet = rows(
            land.buffer(-10), angle, rng, width_m=(58, 120), depth_m=34.0, gap_m=(18, 30),
            pitch_m=58.0, keep=0.72, phases=3,
        )  # fmt: skip
        trade = rng.choice(["乳品", "毛纺", "农机", "建材"])
        title = f"示范第{next(titles.numbers)}{trade}厂"
        return [
            Building(f, "factory", 1, 0, street, title, f"{n}号车间") for n, f in enumerate(feet, 1)
        ]
    if use == "park":
        feet = rows(
            land.buffer(-25), angle, rng, width_m=(9, 12), depth_m=9.0, gap_m=(90, 160),
            pitch_m=140.0, keep=0.5,
        )  # fmt: skip
        title = f"示范第{next(titles.numbers)}公园"
        return [
            Building(f, "pavilion", 1, 0, street, title, f"{n}号亭") for n, f in enumerate(feet, 1)
        ]
    feet = rows(
        land, angle, rng, width_m=(16, 30), depth_m=14.0, gap_m=(1.5, 5), pitch_m=25.0, keep=0.9,
        phases=2,
    )  # fmt: skip
    made = []
    for foot in feet:
        floors = int(rng.integers(2, 6))
        homes = int(rng.integers(0, 3)) * (floors - 1)
        made.append(Building(foot, "shop", floors, homes, _street_of(foot, lines), "", ""))
    return made


def _street_of(place: Any, lines: list[Any]) -> str:
    """The name of the nearest street; arterials win a tie of a few metres."""
    return str(
        min(lines, key=lambda s: s.line.distance(place) - (8 if s.rank == "arterial" else 0)).name
    )


def house_numbers(footprints: Geometries, streets: list[str], lines: dict[str, Any]) -> list[int]:
    """Numbers along each street in the order of its line, odd on its left, even on its right.

    Parameters
    ----------
    footprints
        Polygons, local metres.
    streets
        The street name of each.
    lines
        The line of each street.
    """
    numbers = [0] * len(streets)
    by_street: dict[str, list[int]] = {}
    for i, street in enumerate(streets):
        by_street.setdefault(street, []).append(i)
    for street, members in by_street.items():
        line = lines[street]
        points = shapely.centroid(footprints[members])
        along = shapely.line_locate_point(line, points)
        foot = shapely.get_coordinates(shapely.line_interpolate_point(line, along))
        ahead = shapely.get_coordinates(shapely.line_interpolate_point(line, along + 1.0))
        xy: Array = shapely.get_coordinates(points)
        turn = (ahead - foot)[:, 0] * (xy - foot)[:, 1] - (ahead - foot)[:, 1] * (xy - foot)[:, 0]
        left, right = 1, 2
        for place in np.argsort(along, kind="stable"):
            if turn[place] >= 0:
                numbers[members[place]], left = left, left + 2
            else:
                numbers[members[place]], right = right, right + 2
    return numbers


def line_by_name(named: list[tuple[str, Any]]) -> dict[str, Any]:
    """One line for each name, the pieces end to end in the order given."""
    pieces: dict[str, list[Any]] = {}
    for name, line in named:
        pieces.setdefault(name, []).append(line)
    joined = {}
    for name, parts in pieces.items():
        merged = shapely.line_merge(shapely.union_all(np.array(parts, dtype=object)))
        if merged.geom_type != "LineString":
            merged = LineString(np.vstack([np.array(p.coords) for p in shapely.get_parts(merged)]))
        joined[name] = merged
    return joined
