"""Made towns: street blocks, arterials, a railway, a river with few bridges, parks, villages."""

from __future__ import annotations

import geopandas as gpd
import numpy as np
import shapely

METRES = 4526  # any metre CRS does; the towns are made at its false origin
CORNER = (38_500_000.0, 4_500_000.0)

PROFILES = {
    "urban": [
        (0.08, 0.0, 0.0, 0.0, 0),
        (0.25, 350.0, 1.3, 0.5, 8),
        (0.42, 900.0, 12.0, 0.6, 60),
        (0.25, 2600.0, 60.0, 0.7, 420),
    ],
    "old town": [
        (0.06, 0.0, 0.0, 0.0, 0),
        (0.84, 260.0, 2.0, 0.7, 20),
        (0.10, 800.0, 14.0, 0.6, 80),
    ],
    "high-rise": [
        (0.12, 0.0, 0.0, 0.0, 0),
        (0.28, 1100.0, 20.0, 0.6, 120),
        (0.60, 3200.0, 110.0, 0.5, 420),
    ],
    # Villages of one-family houses among fields, a few blocks of flats in the market town.
    "rural": [
        (0.55, 0.0, 0.0, 0.0, 0),
        (0.40, 3000.0, 1.0, 0.3, 3),
        (0.05, 2500.0, 4.0, 0.6, 24),
    ],
    # Herders' yards, far from one another, and a sumu centre.
    "pastoral": [
        (0.60, 0.0, 0.0, 0.0, 0),
        (0.38, 400_000.0, 1.0, 0.2, 2),
        (0.02, 60_000.0, 6.0, 0.6, 20),
    ],
}
"""Share of blocks, ground per building in m2, median, spread and most of its households."""

NORMS = {"rural": (40, 0.25), "pastoral": (25, 0.20)}
"""Target and tolerance where they are not 300 and 10 %."""

BLOCKS_M = {"rural": (260.0, 320.0), "pastoral": (1500.0, 1900.0)}
BLOCK_M = (110.0, 150.0)


Layers = tuple[gpd.GeoDataFrame, gpd.GeoDataFrame, gpd.GeoDataFrame]


def made_town(households: int, seed: int, profile: str = "urban") -> Layers:
    """Area, buildings and barriers of a made town of about that many households."""
    asked = households
    for _ in range(3):
        layers = _made_town(asked, seed, profile)
        asked = int(asked * households / layers[1]["households"].sum())
    return layers


def _made_town(households: int, seed: int, profile: str) -> Layers:
    dice = np.random.default_rng(seed)
    kinds = PROFILES[profile]
    across_m, down_m = BLOCKS_M.get(profile, BLOCK_M)
    per_m2 = (
        sum(
            share * min(median * np.exp(spread**2 / 2), top) / ground
            for share, ground, median, spread, top in kinds
            if ground
        )
        * 0.8
    )
    blocks = households / (per_m2 * across_m * down_m)
    rows = max(4, round(np.sqrt(blocks)))
    columns = max(4, round(blocks / rows))
    xs = np.concatenate([[0], np.cumsum(dice.uniform(0.75, 1.25, columns) * across_m)])
    ys = np.concatenate([[0], np.cumsum(dice.uniform(0.75, 1.25, rows) * down_m)])
    # Corners are shaken so that no street is straight; the rim stays a rectangle.
    grid = np.stack(np.meshgrid(xs, ys), axis=-1)
    grid[1:-1, 1:-1] += dice.normal(0, 9.0, grid[1:-1, 1:-1].shape)
    lines: list[shapely.LineString] = []
    names: list[str] = []
    every = int(dice.integers(4, 7))
    for column in range(1, columns):
        lines.append(shapely.LineString(grid[:, column]))
        names.append("arterial" if column % every == 0 else "street")
    for row in range(1, rows):
        lines.append(shapely.LineString(grid[row]))
        names.append("arterial" if row % every == 0 else "street")
    width, height = xs[-1], ys[-1]
    along = np.linspace(0, 1, 60)
    river = np.column_stack(
        [along * width, height * (0.35 + 0.1 * np.sin(along * 5 + dice.uniform(0, 6)))]
    )
    rail = np.column_stack([width * (0.62 + 0.12 * along), along * height])
    for name, course in (("river", river), ("rail", rail)):
        line = shapely.LineString(course)
        lines.append(line)
        names.append(name)
        for at in np.sort(dice.uniform(0.05, 0.95, max(3, int(line.length // 900)))):
            lines.append(line.interpolate(at, normalized=True))
            names.append("bridge")
    ids, counts, places = [], [], []
    chances = np.array([kind[0] for kind in kinds])
    water = shapely.LineString(river).buffer(12)
    for row in range(rows):
        for column in range(columns):
            corners = [
                grid[row, column],
                grid[row, column + 1],
                grid[row + 1, column + 1],
                grid[row + 1, column],
            ]
            block = shapely.Polygon(corners).buffer(-8)
            # Like stands beside like: the mix drifts from the middle outwards.
            near = np.hypot(column / columns - 0.5, row / rows - 0.5)
            weight = chances * np.exp(-np.arange(len(kinds)) * (near - 0.35) * 1.5)
            _, ground, median, spread, top = kinds[dice.choice(len(kinds), p=weight / weight.sum())]
            if not ground or block.is_empty:
                continue
            number = max(1, int(block.area / ground * dice.uniform(0.7, 1.0)))
            west, south, east, north = block.bounds
            across = max(1, round(np.sqrt(number * (east - west) / (north - south))))
            down = -(-number // across)
            u, v = np.meshgrid(np.arange(across) + 0.5, np.arange(down) + 0.5)
            spots = np.column_stack(
                [
                    west + u.ravel() / across * (east - west),
                    south + v.ravel() / down * (north - south),
                ]
            )[:number]
            spots += dice.normal(0, 2.0, spots.shape)
            for spot in spots:
                if block.contains(shapely.Point(spot)) and not water.contains(shapely.Point(spot)):
                    ids.append(f"b{len(ids):06d}")
                    drawn = np.exp(dice.normal(np.log(median), spread))
                    counts.append(int(np.clip(round(drawn), 1, top)))
                    places.append(shapely.Point(spot))

    def layer(columns: dict[str, list], geometry: list) -> gpd.GeoDataFrame:
        frame = gpd.GeoDataFrame(columns, geometry=geometry, crs=METRES)
        return frame.set_geometry(frame.geometry.translate(*CORNER)).to_crs(4326)

    return (
        layer({"code": ["150121001001"]}, [shapely.box(0, 0, width, height)]),
        layer({"id": ids, "households": counts}, places),
        layer({"kind": names}, lines),
    )


def made_camps(buildings: gpd.GeoDataFrame, area: gpd.GeoDataFrame, seed: int) -> gpd.GeoDataFrame:
    """Summer camps of two in three yards, some 2 to 5 km off: neighbours move the same way.

    Where the way would lead out of the area the camp lies as far the other way, or is none.
    """
    dice = np.random.default_rng([seed, 7])
    yards = np.flatnonzero((dice.random(len(buildings)) < 2 / 3) & (buildings["households"] < 6))
    places = buildings.geometry.to_crs(METRES).iloc[yards]
    west, south, east, north = area.to_crs(METRES).total_bounds
    home = np.column_stack([places.x.to_numpy(), places.y.to_numpy()])
    # Pastures of 8 km, each with a direction and distance of its own.
    pasture = np.floor((home - [west, south]) / 8000).astype(int)
    key = np.unique(pasture, axis=0, return_inverse=True)[1].reshape(-1)
    turn = dice.uniform(0, 2 * np.pi, key.max() + 1)[key]
    away = dice.uniform(2000, 5000, key.max() + 1)[key]
    step = np.column_stack([np.cos(turn), np.sin(turn)]) * away[:, None]
    step += dice.normal(0, 400, step.shape)

    def inside(xy: np.ndarray) -> np.ndarray:
        return (xy > [west + 50, south + 50]).all(axis=1) & (xy < [east - 50, north - 50]).all(
            axis=1
        )

    camp = np.where(inside(home + step)[:, None], home + step, home - step)
    kept = inside(camp)
    return gpd.GeoDataFrame(
        {"building_id": buildings["id"].to_numpy()[yards[kept]], "season": "summer"},
        geometry=gpd.points_from_xy(*camp[kept].T),
        crs=METRES,
    )
