"""Units of the demo county: outline with its made-up border, townships, villages, gachas."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import shapely
from shapely.geometry import LineString, Polygon

from data.sample import names
from data.sample.frame import SNAP_M, Array, chaikin, snap, spline

LATTICE_M = 1_300.0
# The northern edge, west to east: the invented national border. Our side is its right.
_BORDER = (
    (-31000, 20500), (-24000, 23200), (-17000, 21600), (-9000, 24300), (-2500, 22600),
    (3400, 20900), (9500, 22000), (16000, 24600), (22000, 22800), (27500, 24200),
)  # fmt: skip
_REST = (
    (28500, 13000), (26600, 4000), (29200, -6000), (27000, -14500), (20000, -20800),
    (10000, -18800), (0, -20900), (-9000, -19200), (-18000, -20900), (-27500, -18800),
    (-31000, -10000), (-29400, 0), (-32000, 9500),
)  # fmt: skip
# Villages or gachas in each township, in the order of `names.TOWNS` and `names.SUMUS`.
_PARTS = (16, 14, 6, 6)


@dataclass(frozen=True)
class Unit:
    """One administrative unit, in local metres."""

    code: str
    name: str
    name_en: str
    level: str
    parent: str
    area_type: str
    shape: Any


@dataclass(frozen=True)
class County:
    """The county's units, smallest first in `villages`, and its border west to east."""

    outline: Any
    border: Any
    villages: tuple[Unit, ...]


def outline(rng: np.random.Generator) -> tuple[Polygon, LineString]:
    """The county's edge and the stretch of it that is the border."""
    border = _roughened(spline(_BORDER, step_m=420), rng, 130.0)
    rest = _roughened(spline((_BORDER[-1], *_REST, _BORDER[0]), step_m=520), rng, 160.0)
    line = snap(LineString(border))
    edge = np.vstack([np.array(line.coords), rest[1:-1]])
    return Polygon(snap(Polygon(edge))), line


def _roughened(line: Array, rng: np.random.Generator, by_m: float) -> Array:
    """The line with its inner vertices shifted a little, neighbours alike."""
    noise = rng.normal(0, by_m, line.shape)
    noise = (noise + np.roll(noise, 1, axis=0) + np.roll(noise, 2, axis=0)) / 1.7
    noise[0] = noise[-1] = 0
    return line + noise


def divide(
    edge: Any, town_communities: list[Any], rng: np.random.Generator
) -> tuple[list[Any], list[tuple[int, Any]]]:
    """Cut the county outside the town into villages.

    Returns
    -------
    The communities' polygons as they are in the common mesh, and for the villages pairs of
    township number (0-3 as in `names.TOWNS + names.SUMUS`) and polygon. Together they cover the
    county's polygon exactly and share all vertices.
    """
    town_area = shapely.coverage_union_all(np.array(town_communities, dtype=object))
    lattice, label = _labelled_lattice(edge, town_area, rng)
    arcs = _village_arcs(lattice, label)
    arcs = shapely.intersection(arcs, shapely.difference(edge, town_area.buffer(0.5)))
    # An arc stops half a metre short of the town; this joins it to the town's outline.
    reach = [_reached(a, town_area) for a in shapely.get_parts(arcs) if a.length > 1]
    lines = [edge.exterior, *(c.exterior for c in town_communities), *reach]
    mesh = shapely.union_all(np.array(lines, dtype=object), grid_size=SNAP_M)
    faces = shapely.get_parts(shapely.polygonize(shapely.get_parts(mesh)))
    inside = shapely.point_on_surface(faces)
    homes = shapely.STRtree(town_communities)
    community = np.full(len(faces), -1)
    face, owner = homes.query(inside, predicate="within")
    community[face] = owner
    points = shapely.get_coordinates(inside)
    nearest = np.argmin(
        np.hypot(
            points[:, None, 0] - lattice[None, :, 0], points[:, None, 1] - lattice[None, :, 1]
        ),
        axis=1,
    )
    villages = _whole(
        [f for f, c in zip(faces, community, strict=True) if c < 0],
        [int(label[n]) for n, c in zip(nearest, community, strict=True) if c < 0],
    )
    towns = [
        shapely.coverage_union_all(faces[community == c]) for c in range(len(town_communities))
    ]
    starts = np.concatenate([[0], np.cumsum(_PARTS)])
    return towns, [
        (int(np.searchsorted(starts, v, side="right")) - 1, shape) for v, shape in villages
    ]


def _reached(arc: Any, town_area: Any) -> LineString:
    """The arc, prolonged to the town's outline where it ends just before it."""
    xy = np.array(arc.coords)
    for end in (0, -1):
        foot = shapely.shortest_line(shapely.points(xy[end]), town_area.exterior)
        if foot.length < 1.0:
            beyond = np.array(foot.coords[-1]) * 2 - xy[end]
            xy = np.vstack([beyond, xy]) if end == 0 else np.vstack([xy, beyond])
    return LineString(xy)


def _labelled_lattice(
    edge: Any, town_area: Any, rng: np.random.Generator
) -> tuple[Array, npt.NDArray[np.int64]]:
    """Jittered points all over the county and the number of the village that each belongs to."""
    west, south, east, north = edge.buffer(3 * LATTICE_M).bounds
    x, y = np.meshgrid(np.arange(west, east, LATTICE_M), np.arange(south, north, LATTICE_M))
    x[1::2] += LATTICE_M / 2
    points = np.column_stack([x.ravel(), y.ravel()])
    points = points + rng.uniform(-0.36, 0.36, points.shape) * LATTICE_M
    px, py = points[:, 0], points[:, 1]
    township = _township(px, py)
    label = np.zeros(len(points), dtype=np.int64)
    weight = shapely.contains_xy(edge.difference(town_area), px, py)
    start = 0
    for number, parts in enumerate(_PARTS):
        here = township == number
        centres = _k_means(points[here & weight], parts, rng)
        distance = np.hypot(
            px[here, None] - centres[None, :, 0], py[here, None] - centres[None, :, 1]
        )
        label[here] = start + np.argmin(distance, axis=1)
        start += parts
    return points, label


def _township(x: Array, y: Array) -> npt.NDArray[np.int64]:
    """0, 1: farming towns of the south; 2, 3: sumus of the west, north and north-east."""
    bend = 1500 * np.sin(x / 5200) + 900 * np.sin(x / 2300 + 1)
    steppe = (y > 5200 + bend) | (x < -17500 + 1600 * np.sin(y / 4100))
    west = x < -1500 + 1700 * np.sin(y / 3700)
    sample = x < 7200 + 1400 * np.sin(y / 3300)
    return np.where(steppe, np.where(west, 2, 3), np.where(sample, 0, 1))


def _k_means(points: Array, k: int, rng: np.random.Generator) -> Array:
    """Centres of k groups of about the same extent."""
    centres = points[rng.choice(len(points), k, replace=False)]
    for _ in range(25):
        distance = np.hypot(
            points[:, None, 0] - centres[None, :, 0], points[:, None, 1] - centres[None, :, 1]
        )
        nearest = np.argmin(distance, axis=1)
        for g in range(k):
            if (nearest == g).any():
                centres[g] = points[nearest == g].mean(axis=0)
    return np.asarray(centres)


def _village_arcs(lattice: Array, label: npt.NDArray[np.int64]) -> Any:
    """The lines between villages, smoothed, from one meeting point to the next."""
    cells = shapely.get_parts(shapely.voronoi_polygons(shapely.multipoints(lattice), ordered=True))
    shapes = [shapely.coverage_union_all(cells[label == v]) for v in np.unique(label)]
    merged = shapely.line_merge(shapely.union_all(shapely.boundary(shapes)))
    return shapely.multilinestrings(
        [LineString(chaikin(np.array(a.coords))) for a in shapely.get_parts(merged)]
    )


def _whole(faces: list[Any], label: list[int]) -> list[tuple[int, Any]]:
    """One polygon for each label; stray pieces go to the neighbour with the longest border."""
    main: dict[int, int] = {}
    for i, v in enumerate(label):
        if v not in main or faces[i].area > faces[main[v]].area:
            main[v] = i
    pieces = {v: [faces[i]] for v, i in main.items()}
    stray = [i for i in range(len(faces)) if i not in main.values()]
    for i in sorted(stray, key=lambda i: -faces[i].area):
        touching = {
            v: sum(shapely.intersection(faces[i], p).length for p in parts)
            for v, parts in pieces.items()
        }
        pieces[max(touching, key=lambda v: touching[v])].append(faces[i])
    return [
        (v, shapely.coverage_union_all(np.array(parts, dtype=object)))
        for v, parts in sorted(pieces.items())
    ]


def name_units(towns: list[Any], villages: list[tuple[int, Any]], edge: Any, border: Any) -> County:
    """Codes and names: communities 001 and up, then villages of each township, west to east."""
    code, _, _ = names.STREET_OFFICE
    units = [
        Unit(f"{code}{n:03d}", f"{han}社区", f"{english} Community (demo)", "village", code,
             "urban", shape)
        for n, (shape, (han, english)) in enumerate(
            zip(towns, names.COMMUNITIES, strict=False), start=1
        )
    ]  # fmt: skip
    lists = (names.VILLAGES, names.SHOW_VILLAGES, names.GACHAS, names.EXAMPLE_GACHAS)
    for number, (code, _, _) in enumerate(names.TOWNS + names.SUMUS):
        mine = [shape for township, shape in villages if township == number]
        mine.sort(key=lambda s: (round(s.centroid.x / 4000), -s.centroid.y))
        pastoral = number >= len(names.TOWNS)
        kind, english_kind = ("嘎查", "Gacha") if pastoral else ("村", "Village")
        units += [
            Unit(f"{code}{200 + n:03d}", f"{han}{kind}", f"{english} {english_kind} (demo)",
                 "village", code, "pastoral" if pastoral else "rural", shape)
            for n, (shape, (han, english)) in enumerate(
                zip(mine, lists[number], strict=False)
            )
        ]  # fmt: skip
    return County(edge, border, tuple(units))


def upper_units(county: County) -> list[Unit]:
    """Region, league, banner and townships: each exactly the union of what is below it."""
    shapes = {u.code: u.shape for u in county.villages}

    def union(prefix: str) -> Any:
        parts = [shape for code, shape in shapes.items() if code.startswith(prefix)]
        return shapely.coverage_union_all(np.array(parts, dtype=object))

    province, prefecture, banner = names.PROVINCE, names.PREFECTURE, names.COUNTY
    whole = union(banner[0])
    units = [
        Unit(*province, "province", "", "", whole),
        Unit(*prefecture, "prefecture", province[0], "", whole),
        Unit(*banner, "county", prefecture[0], "", whole),
    ]
    for township in (names.STREET_OFFICE, *names.TOWNS, *names.SUMUS):
        kind = {"0": "urban", "1": "rural", "2": "pastoral"}[township[0][6]]
        units.append(Unit(*township, "township", banner[0], kind, union(township[0])))
    return units
