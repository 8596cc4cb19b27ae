"""Patrol routes along the invented border and in the steppe, checkpoints, and patrols' fixes."""

from __future__ import annotations

from datetime import date, datetime, time, timedelta, timezone
from typing import Any

import geopandas as gpd
import numpy as np
import pandas as pd
import shapely
from shapely.geometry import LineString
from shapely.ops import substring

from data.sample.county import County
from data.sample.frame import Array, chaikin, spline, to_lonlat

CHINA_TIME = timezone(timedelta(hours=8))
TRACK_DAYS = 30
FIX_INTERVAL_S = 60
# Mean speed over ground with the usual short halts, metres per second.
SPEED_M_S = {"motorbike": 3.3, "horse": 1.6, "foot": 1.1, "vehicle": 4.4}
_BORDER_ROUTES = (("motorbike", 2), ("horse", 2), ("motorbike", 3), ("foot", 3), ("vehicle", 1))
_STEPPE_ROUTES: tuple[tuple[str, int, str, tuple[tuple[float, float], ...]], ...] = (
    ("horse", 5, "西草原", ((-25500, 9500), (-22500, 12500), (-19500, 11200), (-15500, 13400))),
    ("motorbike", 7, "中草原",
     ((-9500, 10500), (-6500, 13500), (-2500, 12300), (800, 15500), (2000, 17600))),
    ("vehicle", 7, "东草原",
     ((5500, 12000), (9500, 14800), (14000, 13000), (18500, 15200), (23500, 12600))),
)  # fmt: skip


def patrol_routes(border: Any, county: County, rng: np.random.Generator) -> gpd.GeoDataFrame:
    """Eight routes, in local metres: id, name, means, interval_days, geometry."""
    # Corners are cut first, so that the path a little inside never doubles back on itself.
    inside = shapely.offset_curve(border.simplify(450), -600, join_style="round", quad_segs=2)
    inside = shapely.intersection(inside, county.outline.buffer(-100))
    inside = max(shapely.get_parts(inside), key=lambda part: part.length)
    if inside.coords[0][0] > inside.coords[-1][0]:
        inside = shapely.reverse(inside)
    track = LineString(chaikin(np.array(inside.segmentize(700).coords)))
    rows = []
    # The foot route is the shortest, the vehicle's the longest.
    share = np.array([1.04, 0.94, 1.04, 0.83, 1.15])
    ends = np.concatenate([[0.0], np.cumsum(share / share.sum())])
    for number, (means, days) in enumerate(_BORDER_ROUTES, start=1):
        line = substring(track, ends[number - 1], ends[number], normalized=True)
        rows.append((f"示范边境{number}号线", means, days, line))
    for number, (means, days, place, points) in enumerate(_STEPPE_ROUTES, start=6):
        knots = np.array(points, dtype=np.float64)
        knots = knots + rng.uniform(-500, 500, knots.shape)
        rows.append(
            (f"示范{place}{number}号线", means, days, LineString(spline(knots, step_m=150)))
        )
    frame = gpd.GeoDataFrame(
        rows, columns=["name", "means", "interval_days", "geometry"], geometry="geometry"
    )
    frame.insert(0, "id", [f"XL{n:02d}" for n in range(1, len(frame) + 1)])
    return frame


def checkpoints(routes: gpd.GeoDataFrame, rng: np.random.Generator) -> gpd.GeoDataFrame:
    """Four to seven checkpoints on each route, in local metres: id, route, seq, name, geometry."""
    rows = []
    for route in routes.itertuples():
        count = max(4, min(7, round(route.geometry.length / 3_200) + 1))
        places = np.linspace(0.01, 0.99, count)
        places[1:-1] += rng.uniform(-0.04, 0.04, count - 2)
        for seq, place in enumerate(places, start=1):
            point = route.geometry.interpolate(place, normalized=True)
            rows.append((f"{route.id}-{seq:02d}", route.id, seq, f"{route.name}{seq}号卡点", point))
    return gpd.GeoDataFrame(
        rows, columns=["id", "route", "seq", "name", "geometry"], geometry="geometry"
    )


def tracks(routes: gpd.GeoDataFrame, until: date, rng: np.random.Generator) -> pd.DataFrame:
    """Fixes of the patrols of the last thirty days, in WGS 84.

    One row a minute while a patrol runs, with what really happens: lost signal (no rows), detours,
    short cuts that miss a stretch, patrols that turn back early, and days on which nobody rode.

    Returns
    -------
    patrol, route, time (ISO 8601, +08:00), lon, lat, accuracy_m (radius of 68 %).
    """
    frames = []
    first = until - timedelta(days=TRACK_DAYS - 1)
    for route in routes.itertuples():
        offset = int(rng.integers(0, route.interval_days))
        for run, day in enumerate(range(offset, TRACK_DAYS, route.interval_days)):
            if rng.random() < 0.08:
                continue
            started = datetime.combine(
                first + timedelta(days=day), time(6, 0), CHINA_TIME
            ) + timedelta(minutes=int(rng.integers(0, 170)))
            xy = _ridden(route.geometry, route.means, run, rng)
            keep = _signal(len(xy), rng)
            accuracy = np.round(np.clip(rng.lognormal(2.0, 0.45, len(xy)), 3, 60), 1)
            # The 68 % radius of a circular normal error is 1.515 standard deviations.
            xy = xy + rng.normal(0, 1, xy.shape) * (accuracy / 1.515)[:, None]
            lonlat = np.round(to_lonlat(xy), 6)
            times = [
                (started + timedelta(seconds=FIX_INTERVAL_S * int(i))).isoformat()
                for i in np.flatnonzero(keep)
            ]
            frames.append(
                pd.DataFrame(
                    {
                        "patrol": f"{route.id}-{started:%Y%m%d}",
                        "route": route.id,
                        "time": times,
                        "lon": lonlat[keep, 0],
                        "lat": lonlat[keep, 1],
                        "accuracy_m": accuracy[keep],
                    }
                )
            )
    return pd.concat(frames, ignore_index=True)


def with_riders(tracks: pd.DataFrame, people: pd.DataFrame) -> pd.DataFrame:
    """The fixes with `worker`, the id of who rode: the guards of a route take turns."""
    guards = people[people["role"] == "border_guard"].groupby("route")["id"].agg(list)
    patrols = tracks.drop_duplicates("patrol")
    turns = patrols.groupby("route").cumcount()
    riders = {
        patrol: guards[route][turn % len(guards[route])]
        for patrol, route, turn in zip(patrols["patrol"], patrols["route"], turns, strict=True)
    }
    return tracks.assign(worker=tracks["patrol"].map(riders))


def _ridden(line: Any, means: str, run: int, rng: np.random.Generator) -> Array:
    """Where the patrol was, minute by minute, local metres."""
    length = float(line.length)
    speed = SPEED_M_S[means] * float(rng.uniform(0.85, 1.15))
    reach = length if rng.random() > 0.14 else length * float(rng.uniform(0.55, 0.85))
    steps = np.maximum(0, rng.normal(1, 0.25, int(reach / (speed * FIX_INTERVAL_S) * 1.6) + 60))
    for place in rng.uniform(0, 0.6, int(rng.integers(2, 5))):
        # Halts at checkpoints and camps, with binoculars or tea.
        start = int(place * len(steps))
        steps[start : start + int(rng.integers(3, 9))] = 0
    along = np.cumsum(steps) * speed * FIX_INTERVAL_S
    along = along[along <= reach]
    if means in ("motorbike", "vehicle") or reach < length:
        # Motor patrols ride out and back; so does anyone who turned round early.
        along = np.concatenate([along, along[::-1]])
    if run % 2:
        along = length - along
    xy: Array = shapely.get_coordinates(shapely.line_interpolate_point(line, along))
    if rng.random() < 0.3:
        xy = _detoured(line, along, xy, rng)
    if rng.random() < 0.16:
        # A short cut: straight from one place to another, the stretch between not seen.
        low = float(rng.uniform(0.2, 0.5)) * length
        high = low + float(rng.uniform(2_500, 4_500))
        between = (along > low) & (along < high)
        a, b = shapely.get_coordinates(shapely.line_interpolate_point(line, [low, high]))
        t = ((along[between] - low) / (high - low))[:, None]
        bulge = np.array([(b - a)[1], -(b - a)[0]]) * 0.16
        xy[between] = a + (b - a) * t + bulge * np.sin(np.pi * t)
    return xy


def _detoured(line: Any, along: Array, xy: Array, rng: np.random.Generator) -> Array:
    """The way round a washed-out stretch: a bow of some hundred metres to the south."""
    middle = float(rng.uniform(0.2, 0.8)) * line.length
    half = float(rng.uniform(500, 1_300))
    t = np.clip((along - middle) / half, -1, 1)
    bow = float(rng.uniform(220, 620)) * (1 + np.cos(np.pi * t)) / 2
    moved = xy.copy()
    moved[:, 1] -= bow
    return moved


def _signal(count: int, rng: np.random.Generator) -> Any:
    """Which minutes had a fix: about one patrol in two loses the signal for a while."""
    keep = rng.random(count) > 0.015
    if rng.random() < 0.5 and count > 40:
        for _ in range(int(rng.integers(1, 3))):
            start = int(rng.integers(5, count - 20))
            keep[start : start + int(rng.integers(6, 22))] = False
    keep[0] = True
    return keep
