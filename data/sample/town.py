"""The demo town's skeleton: river, railway, arterials, streets, and the blocks between them.

The great lines are drawn by hand and shaken a little by the seed; the land between them is cut
again and again across its longer side, each district in its own direction, until the blocks have
the size that their use asks for. That gives the irregular pattern of a grown town.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import shapely
from shapely.geometry import LineString, Point, Polygon
from shapely.ops import split, substring

from data.sample.frame import SNAP_M, Array, chaikin, snap, spline
from data.sample.names import ARTERIALS, RAILWAY, street_names

# Half the width kept clear of buildings on either side of a line, metres.
CLEAR_M = {"river": 42.0, "rail": 24.0, "arterial": 21.0, "street": 10.0, "lane": 5.0}

DANGLE_M = 160.0
QUARTER_M2 = 85_000.0
# The lines below were drawn at a larger scale; this is the size that holds 40,000 households.
SCALE = 0.81
HOUSEHOLDS = 40_000
TOWER_HOUSEHOLDS = 13_500
OLD_HOUSEHOLDS = 6_500
CORE = (-120.0, -180.0)
# Households per hectare of a quarter, streets included: what the blocks hold once built up.
DENSITY_PER_HA = {
    "old": 47.0,
    "slab": 77.0,
    "tower": 152.0,
    "commercial": 17.5,
    "public": 0.0,
    "park": 0.0,
    "industry": 0.0,
    "fringe": 4.0,
}
BLOCK_M2 = {
    "old": 15_000.0,
    "slab": 30_000.0,
    "tower": 46_000.0,
    "commercial": 17_000.0,
    "public": 32_000.0,
    "park": 90_000.0,
    "industry": 85_000.0,
    "fringe": 42_000.0,
}

# Control points in local metres, west to east or north to south; the long ones cross the county.
_RIVER = (
    (-43000, 10500), (-26000, 7800), (-18000, 6000), (-10000, 4300), (-5200, 1900), (-3300, 1050),
    (-2250, 760), (-1500, 640), (-850, 240), (-250, 130), (350, 400), (950, 540), (1500, 230),
    (2350, 330), (3600, 1050), (6500, 1700), (12000, 1300), (18500, -2200), (24000, -5200),
    (42000, -6500),
)  # fmt: skip
_RAIL = (
    (-43000, -10500), (-24000, -7400), (-14000, -5000), (-6000, -2300), (-3500, -1250),
    (-2200, -900), (-1000, -720), (0, -690), (1000, -850), (2200, -1350), (3600, -2050),
    (8000, -4700), (15000, -10500), (20000, -17000), (27000, -31000),
)  # fmt: skip
_ARTERIALS: dict[str, tuple[tuple[float, float], ...]] = {
    "main": (
        (-43000, -3800), (-24000, -2400), (-12000, -1000), (-5200, -200), (-3400, -120),
        (-2200, -190), (-1000, -290), (0, -250), (850, -210), (2100, -460), (3400, -640),
        (6000, -1000), (15000, -2500), (23000, -1200), (42000, -2600),
    ),
    "middle": (
        (4300, 25300), (2300, 15000), (600, 8000), (250, 3900), (90, 2500), (-30, 1500),
        (-120, 420), (-170, -250), (-130, -780), (-100, -1500), (-30, -2500), (300, -5000),
        (2000, -12000), (1500, -31000),
    ),
    "west": ((-1310, 1500), (-1150, 620), (-1060, -290), (-1010, -820), (-1090, -1380)),
    "east": ((815, 1520), (800, 1000), (750, 500), (830, -210), (815, -900), (890, -1450)),
    "far_east": ((1600, 1360), (1570, 850), (1480, 240), (1500, -370)),
    "north": ((-2230, 1130), (-1250, 960), (-80, 860), (800, 1010), (1580, 860), (2300, 770)),
    "ring_north": ((-2100, 1330), (-1290, 1470), (-40, 1400), (820, 1490), (1600, 1330)),
    "ring_south": ((-2000, -1290), (-1080, -1350), (-100, -1290), (880, -1420), (1900, -1640)),
    "diagonal": ((-170, -251), (240, -440), (840, -690)),
    "diagonal_north": ((-1245, 985), (-740, 640), (-95, 480)),
    "county_west": ((-8600, -500), (-8900, -5200), (-7400, -12000), (-8600, -31000)),
    "county_east": ((12500, -2000), (13800, -8000), (12700, -15000), (14800, -31000)),
    "county_steppe": ((-15500, -1400), (-17500, 5200), (-15800, 12000), (-17600, 20500)),
}  # fmt: skip
_OUTLINE = (
    (-2150, 1020), (-2260, 300), (-2300, -400), (-2150, -1060), (-1520, -1530), (-300, -1520),
    (900, -1620), (1760, -1760), (2180, -1420), (2240, -420), (2330, 300), (2240, 900),
    (1700, 1480), (900, 1630), (-200, 1560), (-1300, 1620), (-1960, 1460),
)  # fmt: skip
# The arterials that have a bridge over the river inside the town; the railway is crossed by three.
_SHAKEN = ("west", "east", "far_east", "north", "ring_north", "ring_south")


@dataclass(frozen=True)
class Street:
    """A named line: river, railway, arterial, street or lane (`rank`), in local metres."""

    name: str
    rank: str
    line: Any


@dataclass(frozen=True)
class Block:
    """Land between streets: `face` to the middle of the streets, `use`, and its quarter."""

    face: Any
    use: str
    quarter: int


@dataclass(frozen=True)
class Town:
    """The skeleton: outline, all lines (the great ones in full length), blocks."""

    outline: Any
    streets: tuple[Street, ...]
    blocks: tuple[Block, ...]


def great_lines(rng: np.random.Generator) -> list[Street]:
    """River, railway and arterials, a little different for every seed."""
    lines = [
        Street("示范河", "river", LineString(_meandering(spline(SCALE * np.array(_RIVER))))),
        Street(RAILWAY, "rail", LineString(spline(SCALE * np.array(_RAIL)))),
    ]
    drawn: dict[str, LineString] = {}
    for key, points in _ARTERIALS.items():
        knots = SCALE * np.array(points, dtype=np.float64)
        if key in _SHAKEN:
            knots[1:-1] += rng.uniform(-28, 28, (len(knots) - 2, 2))
        if key == "diagonal":
            # It leaves from the middle of the crossing, not from a corner beside it.
            knots[0] = shapely.get_coordinates(drawn["main"].intersection(drawn["middle"]))[0]
        elif key.startswith("county"):
            start = shapely.shortest_line(drawn["main"], Point(knots[0]))
            knots[0] = start.coords[0]
        drawn[key] = LineString(spline(knots))
    lines += [Street(ARTERIALS[key], "arterial", line) for key, line in drawn.items()]
    return lines


def _meandering(river: Array) -> Array:
    """The river with bends in the open country; inside the town it keeps its bed."""
    x = river[:, 0]
    swing = np.clip((np.abs(x) - 2_600) / 4_000, 0, 1)
    bend = 330 * np.sin(x / 610) + 210 * np.sin(x / 1370 + 1) + 120 * np.sin(x / 290 + 2)
    return np.column_stack([x, river[:, 1] + swing * bend])


def outline(rng: np.random.Generator) -> Polygon:
    """The edge of the built-up town."""
    ring = SCALE * np.array(_OUTLINE, dtype=np.float64)
    halfway = (ring + np.roll(ring, -1, axis=0)) / 2
    ring = np.column_stack([ring, halfway]).reshape(-1, 2)
    ring += rng.uniform(-42, 42, ring.shape)
    closed = np.vstack([ring, ring[:1]])
    # A closed curve: begin in the middle of a side, so that the seam is smooth.
    seam = (closed[0] + closed[1]) / 2
    return Polygon(chaikin(np.vstack([seam, closed[1:], seam]), rounds=2))


def lay_out(rng: np.random.Generator) -> Town:
    """Draw the town."""
    edge = snap(outline(rng))
    great = great_lines(rng)
    river = great[0].line
    inside = [
        Street(s.name, s.rank, piece)
        for s in great
        for piece in shapely.get_parts(shapely.intersection(s.line, edge))
        if piece.length > 1
    ]
    bank = shapely.intersection(shapely.offset_curve(river, -105), edge.buffer(30))
    bank = max(shapely.get_parts(shapely.line_merge(bank)), key=lambda line: line.length)
    inside.append(Street(ARTERIALS["bank"], "street", bank))
    inside = _trimmed(inside, edge)
    faces = enclosed([edge.exterior, *(s.line for s in inside)])

    streets = list(inside)
    blocks: list[tuple[Any, str, int]] = []
    street_name, lane_name = street_names("街"), street_names("巷")
    rail = great[1].line
    districts = [
        district
        for face in sorted(faces, key=lambda f: (round(f.centroid.x, 2), round(f.centroid.y, 2)))
        for district in cut(face, QUARTER_M2, rng, streets, names=street_name, rank="street")
    ]
    uses = _balanced(districts, [_use(d, edge, river, rail, rng) for d in districts], rng)
    for quarter, (district, use) in enumerate(zip(districts, uses, strict=True)):
        rank, source = ("lane", lane_name) if use == "old" else ("street", street_name)
        pieces = cut(district, BLOCK_M2[use], rng, streets, names=source, rank=rank)
        blocks += [(piece, use, quarter) for piece in pieces]
    outside = [
        Street(s.name, s.rank, piece)
        for s in great
        for piece in shapely.get_parts(shapely.difference(s.line, edge))
        if piece.length > 400
    ]
    streets = [s for s in streets if s.line.length > 1]
    return Town(edge, tuple(streets + outside), _noded_blocks(edge, streets, blocks))


def _trimmed(streets: list[Street], edge: Any) -> list[Street]:
    """Streets without the short ends that stick out past their last crossing."""
    lines = np.array([s.line for s in streets], dtype=object)
    trimmed = []
    for i, street in enumerate(streets):
        others = shapely.union_all([*np.delete(lines, i), edge.exterior])
        marks = np.sort(
            shapely.line_locate_point(
                street.line, shapely.get_parts(shapely.intersection(street.line, others))
            )
        )
        start, end = 0.0, street.line.length
        ends = shapely.distance([Point(street.line.coords[i]) for i in (0, -1)], edge.exterior)
        if len(marks) > 1 and ends[0] > 1 and marks[0] < DANGLE_M:
            start = float(marks[0])
        if len(marks) > 1 and ends[1] > 1 and end - marks[-1] < DANGLE_M:
            end = float(marks[-1])
        line = substring(street.line, start, end)
        trimmed.append(Street(street.name, street.rank, line))
    return trimmed


def enclosed(lines: list[Any]) -> list[Any]:
    """The faces that the lines enclose, noded on the centimetre grid."""
    noded = shapely.union_all(np.array(lines, dtype=object), grid_size=SNAP_M)
    return list(shapely.get_parts(shapely.polygonize(shapely.get_parts(noded))))


def cut(
    land: Any,
    target_m2: float,
    rng: np.random.Generator,
    streets: list[Street],
    *,
    names: Iterator[str],
    rank: str,
) -> list[Any]:
    """Cut land across its longer side until the pieces are near the target size.

    The cuts are appended to `streets`, each with the next of `names` and the `rank`.
    """
    if land.area < target_m2 * rng.uniform(1.25, 1.7):
        return [land]
    corners = np.array(shapely.minimum_rotated_rectangle(land).exterior.coords)[:4]
    sides = np.diff(corners, axis=0)[:2]
    lengths = np.hypot(sides[:, 0], sides[:, 1])
    long = int(np.argmax(lengths))
    along = sides[long] / lengths[long]
    middle = np.array(land.centroid.coords[0]) + along * lengths[long] * rng.uniform(-0.1, 0.1)
    turn = np.radians(rng.uniform(-5, 5))
    across = np.array([-along[1], along[0]])
    across = np.array(
        [
            across[0] * np.cos(turn) - across[1] * np.sin(turn),
            across[0] * np.sin(turn) + across[1] * np.cos(turn),
        ]
    )
    reach = lengths[1 - long] + lengths[long]
    knife = LineString([middle - across * reach, middle + across * reach])
    pieces = [p for p in split(land, knife).geoms if p.area > 1]
    if len(pieces) < 2 or min(p.area for p in pieces) < target_m2 * 0.25:
        return [land]
    streets += [
        Street(next(names), rank, line)
        for line in shapely.get_parts(shapely.intersection(knife, land))
        if line.geom_type == "LineString" and line.length > 1
    ]
    return [
        leaf
        for piece in pieces
        for leaf in cut(piece, target_m2, rng, streets, names=names, rank=rank)
    ]


def _use(land: Any, edge: Any, river: Any, rail: Any, rng: np.random.Generator) -> str:
    """What a quarter is used for, by where it lies."""
    middle = land.centroid
    compact = 4 * np.pi * land.area / land.length**2
    if (
        land.distance(river) < 1
        and (compact < 0.4 or land.area < 45_000)
        and middle.distance(river) < 75
    ):
        return "park"
    from_core = float(np.hypot(middle.x - CORE[0], middle.y - CORE[1]))
    to_edge = float(middle.distance(edge.exterior))
    north = middle.y > _y_at(river, middle.x)
    south = middle.y < _y_at(rail, middle.x)
    if to_edge < 170:
        odds = {"fringe": 0.62, "slab": 0.16, "industry": 0.1, "tower": 0.12}
    elif south:
        odds = {"industry": 0.36, "slab": 0.34, "old": 0.14, "tower": 0.08, "public": 0.08}
    elif north:
        odds = {"tower": 0.3, "slab": 0.38, "public": 0.12, "old": 0.06, "park": 0.07}
        odds["fringe"] = 0.07
    elif from_core < 420:
        odds = {"old": 0.42, "commercial": 0.34, "slab": 0.24}
    elif from_core < 950:
        odds = {"old": 0.44, "slab": 0.33, "commercial": 0.08, "public": 0.09, "tower": 0.06}
    else:
        odds = {"slab": 0.5, "old": 0.16, "tower": 0.14, "public": 0.12, "park": 0.08}
    weights = np.array(list(odds.values()))
    return str(rng.choice(list(odds), p=weights / weights.sum()))


def _balanced(districts: list[Any], uses: list[str], rng: np.random.Generator) -> list[str]:
    """Uses changed one by one until towers, old quarters and the whole town hold their share.

    Towers grow from the edge inwards and old quarters from the core outwards, as they do.
    """
    uses = list(uses)
    hectares = np.array([d.area for d in districts]) / 1e4
    middle = shapely.get_coordinates(shapely.centroid(districts))
    from_core = np.hypot(*(middle - np.array(CORE)).T) + rng.normal(0, 220, len(uses))
    outwards = np.argsort(from_core, kind="stable")
    inwards = outwards[::-1]
    inwards_built = [i for i in inwards if from_core[i] < 1750]

    def held(kinds: tuple[str, ...]) -> float:
        return sum(
            float(area) * DENSITY_PER_HA[use]
            for area, use in zip(hectares, uses, strict=True)
            if use in kinds
        )

    # Kinds that are counted, what they should hold, what an excess turns into and from which
    # end, what a want is met from and from which end.
    steps = (
        (("tower",), TOWER_HOUSEHOLDS, "slab", outwards, ("slab", "public"), inwards_built),
        (("old",), OLD_HOUSEHOLDS, "slab", inwards, ("slab",), outwards),
        (tuple(DENSITY_PER_HA), HOUSEHOLDS, "fringe", inwards, ("fringe", "public"), outwards),
    )
    for kinds, wanted, spill, spill_order, sources, source_order in steps:
        kind = kinds[0] if len(kinds) == 1 else "slab"
        for i in spill_order:
            step = hectares[i] * (DENSITY_PER_HA[kind] - DENSITY_PER_HA[spill])
            if uses[i] == kind and held(kinds) - wanted > step / 2:
                uses[i] = spill
        for i in source_order:
            step = hectares[i] * DENSITY_PER_HA[kind]
            if uses[i] in sources and wanted - held(kinds) > step / 2:
                uses[i] = kind
    return uses


def _y_at(line: Any, x: float) -> float:
    """Where a west-east line passes at x: its northing, metres."""
    knife = LineString([(x, -30_000), (x, 30_000)])
    hits = shapely.get_parts(shapely.intersection(line, knife))
    return float(Point(hits[0]).y)


def _noded_blocks(
    edge: Any, streets: list[Street], pieces: list[tuple[Any, str, int]]
) -> tuple[Block, ...]:
    """Node all lines together, so that blocks share every vertex with their neighbours."""
    tree = shapely.STRtree([piece for piece, _, _ in pieces])
    blocks = []
    for face in enclosed([edge.exterior, *(s.line for s in streets)]):
        hit = int(tree.nearest(shapely.point_on_surface(face)))
        _, use, quarter = pieces[hit]
        blocks.append(Block(face, use, quarter))
    return tuple(sorted(blocks, key=lambda b: (b.face.bounds[0], b.face.bounds[1])))
