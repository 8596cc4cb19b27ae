"""Camera points of the demo place: crossings, bridges, estate gates, shops, villages, border."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import geopandas as gpd
import numpy as np
import pandas as pd
import shapely

from data.sample.buildings import BuiltTown
from data.sample.frame import Array, heading_deg, to_lonlat
from data.sample.town import Street

COLUMNS = (
    "id", "name", "lon", "lat", "heading_deg", "hfov_deg", "range_m", "height_m", "tilt_deg",
    "kind", "status", "category", "measured",
)  # fmt: skip
GATES, SHOPS, VILLAGES = 46, 12, 20
# How far from the middle of a crossing the mast stands: on the corner, outside the carriageway.
CORNER_M = 17.0


def cameras(
    streets: list[Street],
    bridges: gpd.GeoDataFrame,
    town: BuiltTown,
    buildings: gpd.GeoDataFrame,
    routes: gpd.GeoDataFrame,
    *,
    rng: np.random.Generator,
) -> pd.DataFrame:
    """About 150 cameras, WGS 84; inputs in local metres.

    The first six of a 20-digit id are the demo county's code, which no real device can carry.
    """
    masts = [
        *_crossings(streets, rng),
        *_bridges(streets, bridges),
        *_gates(town, rng),
        *_fronts(buildings, rng),
        *_posts(routes),
    ]
    lonlat = np.round(to_lonlat(np.array([xy for _, xy, _, _, _ in masts])), 7)
    rows = []
    for n, ((name, _, heading, kind, category), (lon, lat)) in enumerate(
        zip(masts, lonlat, strict=True), start=1
    ):
        measured = rng.random() < 0.6
        ptz = kind == "ptz"
        # An id in the national form has 8 digits of the centre, 2 of the trade, 3 of the type
        # (132 is a network camera), 1 of the network and 6 running.
        number = f"9901210100132{rng.integers(0, 2)}{n:06d}" if rng.random() < 0.7 else f"DC{n:04d}"
        rows.append(
            (
                number, name, lon, lat,
                round(heading, 1) % 360 if measured else float(round(heading / 45) * 45 % 360),
                float(rng.choice([55, 60, 62])) if ptz else float(rng.choice([72, 84, 90, 102])),
                float(rng.choice([300, 400, 500] if category != "border" else [800, 1200]))
                if ptz
                else float(rng.choice([60, 80, 100, 120])),
                float(rng.choice([8, 10, 12, 15])) if ptz else float(rng.choice([3.5, 4, 5, 6])),
                float(rng.choice([-5, -8, -10])) if ptz else float(rng.choice([-12, -15, -20])),
                kind, "offline" if rng.random() < 0.07 else "online", category,
                "measured" if measured else "assumed",
            )
        )  # fmt: skip
    return pd.DataFrame(rows, columns=list(COLUMNS))


Mast = tuple[str, Array, float, str, str]


def _crossings(streets: list[Street], rng: np.random.Generator) -> Iterator[Mast]:
    """Two to four cameras at every crossing of arterials in the town, looking along the streets."""
    arterials = [s for s in streets if s.rank == "arterial"]
    done: list[Array] = []
    for i, first in enumerate(arterials):
        for second in arterials[i + 1 :]:
            if first.name == second.name:
                continue
            for hit in shapely.get_parts(shapely.intersection(first.line, second.line)):
                if hit.geom_type != "Point":
                    continue
                centre = shapely.get_coordinates(hit)[0]
                if any(np.hypot(*(centre - d)) < 60 for d in done):
                    continue
                done.append(centre)
                looks = [*_both_ways(first.line, centre), *_both_ways(second.line, centre)]
                for place in rng.permutation(len(looks))[: int(rng.integers(2, 5))]:
                    xy, heading = looks[place]
                    yield (
                        f"{first.name}{second.name}路口{'东南西北'[round(heading / 90 + 3) % 4]}向",
                        xy, heading, "fixed", "traffic",
                    )  # fmt: skip
                if rng.random() < 0.4:
                    corner = centre + CORNER_M
                    yield (
                        f"{first.name}{second.name}路口球机",
                        corner,
                        0.0,
                        "ptz",
                        "public_security",
                    )


def _both_ways(line: Any, centre: Array) -> Iterator[tuple[Array, float]]:
    """On the corner of a crossing, looking out along a line: place and heading, each way."""
    at = line.line_locate_point(shapely.points(centre))
    for step in (30.0, -30.0):
        if not 0 <= at + step <= line.length:
            continue
        ahead = shapely.get_coordinates(line.interpolate(at + step))[0]
        along = (ahead - centre) / np.hypot(*(ahead - centre))
        side = np.array([along[1], -along[0]])
        yield centre + side * CORNER_M, heading_deg(centre, ahead)


def _bridges(streets: list[Street], bridges: gpd.GeoDataFrame) -> Iterator[Mast]:
    """One camera at each end of a bridge, looking over it."""
    arterials = [s.line for s in streets if s.rank == "arterial"]
    tree = shapely.STRtree(arterials)
    for bridge in bridges.itertuples():
        line = arterials[int(tree.nearest(bridge.geometry))]
        at = line.line_locate_point(bridge.geometry)
        for step, end in ((55.0, "一"), (-55.0, "二")):
            stand = shapely.get_coordinates(line.interpolate(at + step))[0]
            deck = shapely.get_coordinates(bridge.geometry)[0]
            along = (deck - stand) / max(1.0, float(np.hypot(*(deck - stand))))
            xy = stand + np.array([along[1], -along[0]]) * 12
            yield f"{bridge.name}{end}端", xy, heading_deg(stand, deck), "fixed", "traffic"


def _gates(town: BuiltTown, rng: np.random.Generator) -> Iterator[Mast]:
    """Gates of estates and schools, looking out."""
    chosen = rng.permutation(len(town.gates))[:GATES]
    feet = np.array([b.footprint for b in town.buildings], dtype=object)
    tree = shapely.STRtree(feet)
    headings = np.arange(0, 360, 15)
    turn = np.radians(headings)
    ahead = 40 * np.column_stack([np.sin(turn), np.cos(turn)])
    for index in sorted(chosen):
        gate = town.gates[index]
        xy = shapely.get_coordinates(gate.point)[0]
        near = tree.query(gate.point, predicate="dwithin", distance=120.0)
        free = shapely.distance(
            shapely.points(xy + ahead)[:, None], feet[np.sort(near)][None, :]
        ).min(axis=1, initial=120.0)
        best = headings[int(np.argmax(free))]
        category = "school" if gate.kind == "school" else "residential"
        yield f"{gate.estate}大门", xy, float(best), "fixed", category


def _fronts(buildings: gpd.GeoDataFrame, rng: np.random.Generator) -> Iterator[Mast]:
    """Shop fronts in town and the seats of villages and gachas."""
    for kind, count, category in (("shop", SHOPS, "market"), ("office", VILLAGES, "village")):
        pick = buildings[buildings["kind"] == kind]
        if kind == "office":
            pick = pick[pick["name"].str.contains("委会")]
        pick = pick.iloc[np.sort(rng.permutation(len(pick))[:count])]
        for building in pick.itertuples():
            corners = shapely.get_coordinates(building.geometry)[:4]
            corner = corners[int(rng.integers(0, 4))]
            centre = shapely.get_coordinates(shapely.centroid(building.geometry))[0]
            out = (corner - centre) / np.hypot(*(corner - centre))
            xy = corner + out * 1.5
            name = building.name if isinstance(building.name, str) else building.id
            label = f"{building.address}门前" if kind == "office" else f"{name}商铺"
            yield label, xy, heading_deg(centre, corner), "fixed", category


def _posts(routes: gpd.GeoDataFrame) -> Iterator[Mast]:
    """Posts at both ends of the border routes, looking north over the line."""
    for route in routes.itertuples():
        if "边境" not in route.name:
            continue
        for end, place in (("起点", 0), ("终点", -1)):
            xy = np.array(route.geometry.coords[place]) + np.array([20.0, -20.0])
            yield f"{route.name}{end}哨位", xy, 0.0, "ptz", "border"
