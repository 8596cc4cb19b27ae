"""Two years of invented incidents: seasons, hot spots, repeat addresses, three systems."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any

import geopandas as gpd
import numpy as np
import numpy.typing as npt
import pandas as pd
import shapely

from data.sample.dispute_texts import ENDINGS, MARK, SPRING_FESTIVAL, TYPES
from data.sample.frame import Array, to_lonlat
from data.sample.town import Street
from gis.crs import from_wgs84

Ints = npt.NDArray[np.int64]

COUNT = 18_000
DAYS = 730
HOTSPOTS, REPEATS = 11, 70
UNPLACED, OUTSIDE = 20, 10
CRS_SHARES = {"wgs84": 0.75, "gcj02": 0.20, "bd09": 0.05}
SOURCES = {"hotline12345": 0.36, "grid_app": 0.29, "walk_in": 0.16, "police": 0.12, "qr": 0.07}
SEVERITIES = {"simple": 0.63, "general": 0.27, "difficult": 0.085, "major": 0.015}
# Median days until a case of each severity is closed.
CLOSED_DAYS = {"simple": 1.5, "general": 6.0, "difficult": 24.0, "major": 55.0}
# Monday to Sunday; hours 0 to 23 for offices and for the police.
WEEKDAYS = (1.18, 1.1, 1.05, 1.04, 1.08, 0.82, 0.73)
OFFICE_HOURS = (0, 0, 0, 0, 0, 0, 1, 3, 9, 12, 11, 8, 4, 5, 9, 11, 10, 8, 5, 4, 3, 2, 1, 0)
ANY_HOURS = (3, 2, 1, 1, 1, 1, 2, 4, 6, 6, 6, 6, 6, 6, 6, 6, 7, 9, 10, 11, 12, 11, 8, 5)
RURAL_TYPES = ("land_forest",)
NIGHT = "police"


@dataclass(frozen=True)
class _Drawn:
    """Category, day and place (local metres, building index or -1) of each incident."""

    category: Ints
    day: Ints
    building: Ints
    xy: Array


def incidents(
    buildings: gpd.GeoDataFrame,
    streets: list[Street],
    edge: Any,
    until: date,
    rng: np.random.Generator,
) -> pd.DataFrame:
    """Incidents of the 730 days that end with `until`.

    Parameters
    ----------
    buildings
        As `data.sample.place` makes them, local metres.
    streets, edge
        Lines and county outline, local metres.

    Returns
    -------
    id, source, category, severity, text, address, lon, lat, crs, accuracy_m, occurred_at,
    reported_at, closed_at; lon and lat are in the system that `crs` names and empty in about 20
    rows; closed_at is empty while a case is open. Sorted by time of report.
    """
    first = until - timedelta(days=DAYS - 1)
    days = pd.date_range(first.isoformat(), periods=DAYS, freq="D")
    drawn = _draw(buildings, streets, days, rng)
    count = len(drawn.day)
    source = rng.choice(list(SOURCES), count, p=list(SOURCES.values()))
    category = np.array(list(TYPES))[drawn.category]
    source = np.where((category == "traffic") & (rng.random(count) < 0.6), NIGHT, source)
    severity = rng.choice(list(SEVERITIES), count, p=list(SEVERITIES.values()))

    start = np.datetime64(first.isoformat(), "m")
    reported = start + (drawn.day * 1440 + _minutes(source, rng)).astype("timedelta64[m]")
    lag = np.where(source == NIGHT, rng.exponential(14, count), rng.exponential(160, count))
    occurred = np.maximum(reported - lag.astype(np.int64).astype("timedelta64[m]"), start)
    end = np.datetime64((until + timedelta(days=1)).isoformat(), "m") - np.timedelta64(1, "m")
    median = np.array([CLOSED_DAYS[s] for s in severity])
    closed = reported + (median * rng.lognormal(0, 0.7, count) * 1440 + 30).astype(np.int64).astype(
        "timedelta64[m]"
    )
    is_open = (closed > end) | (rng.random(count) < 0.004)

    xy, accuracy = _reported_place(drawn, source, rng)
    outside = rng.choice(count, OUTSIDE, replace=False)
    xy[outside] = _beyond(edge, rng)
    address = _addresses(drawn, buildings, rng)
    address[outside] = "示范旗境外(虚构)"
    lonlat = to_lonlat(xy)
    system = rng.choice(list(CRS_SHARES), count, p=list(CRS_SHARES.values()))
    for crs in ("gcj02", "bd09"):
        here = system == crs
        lon, lat = from_wgs84(lonlat[here, 0], lonlat[here, 1], crs)
        lonlat[here] = np.column_stack([lon, lat])
    lonlat = np.round(lonlat, 6)
    placed = np.isin(np.arange(count), outside)
    lonlat[rng.choice(np.flatnonzero(~placed & (drawn.building >= 0)), UNPLACED, False)] = np.nan  # noqa: FBT003

    frame = pd.DataFrame(
        {
            "source": source,
            "category": category,
            "severity": severity,
            "text": _texts(drawn.category, rng),
            "address": address,
            "lon": lonlat[:, 0],
            "lat": lonlat[:, 1],
            "crs": system,
            "accuracy_m": np.where(np.isnan(lonlat[:, 0]), np.nan, accuracy),
            "occurred_at": _iso(occurred),
            "reported_at": _iso(reported),
            "closed_at": np.where(is_open, "", _iso(closed)),
        }
    )
    frame = frame.iloc[np.lexsort((np.arange(count), reported))].reset_index(drop=True)
    day = frame["reported_at"].str[:10].str.replace("-", "")
    serial = frame.groupby(day).cumcount() + 1
    frame.insert(0, "id", "SF" + day + serial.map("{:04d}".format))
    return frame


def _iso(moments: Any) -> Any:
    """ISO 8601 with China's offset; the moments are local time."""
    return np.char.add(np.datetime_as_string(moments, unit="s"), "+08:00").astype(object)


def _draw(
    buildings: gpd.GeoDataFrame,
    streets: list[Street],
    days: pd.DatetimeIndex,
    rng: np.random.Generator,
) -> _Drawn:
    """Quiet background, hot spots and repeat addresses."""
    weights = np.array([w for w, _, _ in TYPES.values()])
    hot = _hotspots(buildings, days, rng)
    repeat = _repeats(buildings, days, rng)
    rest = COUNT - len(hot.day) - len(repeat.day)
    category = rng.choice(len(TYPES), rest, p=weights / weights.sum())
    day = np.zeros(rest, dtype=np.int64)
    building = np.full(rest, -1)
    xy = np.empty((rest, 2))
    centre = shapely.get_coordinates(shapely.centroid(buildings.geometry.to_numpy()))
    for number, code in enumerate(TYPES):
        here = np.flatnonzero(category == number)
        day[here] = rng.choice(len(days), len(here), p=_day_odds(code, days))
        if code == "traffic":
            xy[here] = _on_roads(streets, len(here), rng)
            continue
        odds = _building_odds(code, buildings)
        building[here] = rng.choice(len(buildings), len(here), p=odds)
        xy[here] = centre[building[here]]
    background = _Drawn(category, day, building, xy)
    return _Drawn(
        *(
            np.concatenate([getattr(part, name) for part in (background, hot, repeat)])
            for name in ("category", "day", "building", "xy")
        )
    )


def _day_odds(code: str, days: pd.DatetimeIndex) -> Array:
    """The probability of each day for a type: season, weekday, and the festival for wages."""
    season = np.array(TYPES[code][2])
    odds = season[days.month - 1] * np.array(WEEKDAYS)[days.day_of_week]
    if code == "migrant_wages":
        for year, (month, day) in SPRING_FESTIVAL.items():
            before = (pd.Timestamp(year, month, day) - days).days
            odds = odds * np.where((before > 0) & (before <= 45), 3.2, 1.0)
    result: Array = odds / odds.sum()
    return result


def _building_odds(code: str, buildings: gpd.GeoDataFrame) -> Array:
    """The probability of each building for a type."""
    households = buildings["households_resident"].to_numpy(dtype=float)
    kind = buildings["kind"].to_numpy()
    rural = (buildings["unit"].str[6] != "0").to_numpy()
    pastoral = (buildings["unit"].str[6] == "2").to_numpy()
    odds = households.copy()
    if code in RURAL_TYPES:
        odds = households * np.where(pastoral, 3.0, np.where(rural, 1.0, 0.01))
    elif code == "tourism":
        odds = households * np.where(pastoral, 6.0, 0.02) + 6.0 * (kind == "shop")
    elif code in ("property_management",):
        odds = households * np.isin(kind, ["slab", "tower"])
    elif code in ("business", "consumer", "labour", "contract"):
        odds = households * 0.5 + 14.0 * (kind == "shop") + 10.0 * (kind == "factory")
    elif code == "medical":
        odds = households * 0.05 + 60.0 * (kind == "hospital")
    elif code == "migrant_wages":
        odds = households * 0.35 + 9.0 * (kind == "factory") + 30.0 * (kind == "tower")
    elif code == "housing":
        odds = households * np.where(kind == "house", 2.5, 0.6)
    elif code == "land_acquisition":
        odds = households * np.where(rural, 1.0, 0.3)
    return np.asarray(odds / odds.sum())


def _hotspots(
    buildings: gpd.GeoDataFrame, days: pd.DatetimeIndex, rng: np.random.Generator
) -> _Drawn:
    """Eleven places where one type gathers for some weeks or months."""
    themes = (
        "property_management", "neighbour", "migrant_wages", "land_acquisition", "tourism",
        "property_management", "consumer", "land_forest", "environment", "neighbour", "housing",
    )  # fmt: skip
    codes = list(TYPES)
    centre = shapely.get_coordinates(shapely.centroid(buildings.geometry.to_numpy()))
    tree = shapely.STRtree(buildings.geometry.to_numpy())
    parts = []
    for theme in themes[:HOTSPOTS]:
        odds = _building_odds(theme, buildings)
        heart = int(rng.choice(len(buildings), p=odds))
        radius = float(rng.uniform(90, 260)) * (6 if theme in ("tourism", "land_forest") else 1)
        near = np.sort(
            tree.query(shapely.points(centre[heart]), predicate="dwithin", distance=radius)
        )
        share = odds[near] + 1e-9
        count = int(rng.integers(70, 190))
        length = int(rng.integers(35, 190))
        # Trouble gathers when its season is on.
        until_day = np.concatenate([[0.0], np.cumsum(_day_odds(theme, days))])
        pull = (until_day[length:] - until_day[:-length]) ** 2
        start = int(rng.choice(len(pull), p=pull / pull.sum()))
        if theme == "migrant_wages":
            # It ends a week before the last Spring Festival of the period.
            year = int(days[-30].year)
            month, day = SPRING_FESTIVAL.get(year, (2, 5))
            festival = (pd.Timestamp(year, month, day) - days[0]).days
            start = int(np.clip(festival - 60, 0, len(days) - 60))
            length = 53
        spot = rng.choice(near, count, p=share / share.sum())
        parts.append(
            _Drawn(
                np.full(count, codes.index(theme)),
                start + np.floor(rng.beta(1.6, 1.9, count) * length).astype(np.int64),
                spot,
                centre[spot],
            )
        )
    return _Drawn(
        *(
            np.concatenate([getattr(p, name) for p in parts])
            for name in ("category", "day", "building", "xy")
        )
    )


def _repeats(
    buildings: gpd.GeoDataFrame, days: pd.DatetimeIndex, rng: np.random.Generator
) -> _Drawn:
    """Addresses that come back: three to twelve times, one after the other."""
    codes = list(TYPES)
    usual = [codes.index(c) for c in ("neighbour", "marriage_family", "property_management")]
    centre = shapely.get_coordinates(shapely.centroid(buildings.geometry.to_numpy()))
    odds = buildings["households_resident"].to_numpy(dtype=float)
    homes = rng.choice(len(buildings), REPEATS, replace=False, p=odds / odds.sum())
    times = rng.integers(3, 13, REPEATS)
    building = np.repeat(homes, times)
    category = np.repeat(rng.choice(usual, REPEATS), times)
    start = np.repeat(rng.integers(0, len(days) - 200, REPEATS), times)
    after = np.concatenate([np.cumsum(rng.exponential(16, n)) for n in times])
    day = np.minimum(start + after.astype(np.int64), len(days) - 1)
    return _Drawn(category, day, building, centre[building])


def _on_roads(streets: list[Street], count: int, rng: np.random.Generator) -> Array:
    """Points on arterials and streets, denser in town and near crossings."""
    roads = [s for s in streets if s.rank in ("arterial", "street")]
    lines = np.array([s.line for s in roads], dtype=object)
    length = shapely.length(lines)
    town = np.abs(shapely.get_coordinates(shapely.centroid(lines))).max(axis=1) < 2_500
    busy = np.array([3.0 if s.rank == "arterial" else 0.7 for s in roads])
    odds = np.minimum(length, 4_000) * np.where(town, 1.0, 0.12) * busy
    chosen = rng.choice(len(roads), count, p=odds / odds.sum())
    place = rng.random(count)
    xy = shapely.get_coordinates(
        shapely.line_interpolate_point(lines[chosen], place, normalized=True)
    )
    # A third of the crashes happen within some metres of where two arterials meet.
    arterials = [s for s in roads if s.rank == "arterial"]
    name = np.array([s.name for s in arterials])
    main = shapely.STRtree([s.line for s in arterials])
    one, other = main.query(main.geometries, predicate="intersects")
    pair = name[one] < name[other]
    met = shapely.intersection(main.geometries[one[pair]], main.geometries[other[pair]])
    crossings = shapely.get_coordinates(met[shapely.get_type_id(met) == 0])
    # The closer to the core, the busier.
    pull = np.exp(-np.hypot(crossings[:, 0], crossings[:, 1]) / 1_500) + 0.01
    at = rng.choice(len(crossings), count, p=pull / pull.sum())
    near = crossings[at] + rng.normal(0, 14, (count, 2))
    return np.where((rng.random(count) < 0.33)[:, None], near, xy)


def _minutes(source: Any, rng: np.random.Generator) -> Ints:
    """Minute of the day of each report, by who takes it."""
    count = len(source)
    office = np.array(OFFICE_HOURS, dtype=float)
    whole = np.array(ANY_HOURS, dtype=float)
    hour = np.where(
        source == NIGHT,
        rng.choice(24, count, p=whole / whole.sum()),
        rng.choice(24, count, p=office / office.sum()),
    )
    return np.asarray(hour * 60 + rng.integers(0, 60, count), dtype=np.int64)


def _reported_place(drawn: _Drawn, source: Any, rng: np.random.Generator) -> tuple[Array, Array]:
    """Where the report says it was, with the error of its kind, and that error's radius."""
    count = len(drawn.day)
    accuracy = np.select(
        [source == "hotline12345", source == "qr", source == "walk_in"],
        [
            rng.choice([30.0, 50.0, 80.0], count),
            np.full(count, 5.0),
            rng.choice([20.0, 30.0], count),
        ],
        default=np.round(np.clip(rng.lognormal(2.2, 0.5, count), 4, 60), 0),
    )
    # Half the stated radius: the sources err on the safe side.
    xy = drawn.xy + rng.normal(0, 1, (count, 2)) * (accuracy / 1.515 / 2)[:, None]
    return xy, accuracy


def _beyond(edge: Any, rng: np.random.Generator) -> Array:
    """Points half a kilometre to six outside the county, never over the border in the north."""
    places: list[Array] = []
    while len(places) < OUTSIDE:
        west, south, east, _ = edge.bounds
        point = rng.uniform((west - 6_000, south - 6_000), (east + 6_000, 15_000))
        distance = edge.distance(shapely.points(point))
        if 500 < distance < 6_000:
            places.append(point)
    return np.array(places)


def _addresses(drawn: _Drawn, buildings: gpd.GeoDataFrame, rng: np.random.Generator) -> Any:
    """The address as told: the building's, for half of the flats with the stairway."""
    known = np.append(buildings["address"].to_numpy(dtype=object), "示范旗道路上(虚构)")
    flats = np.append(buildings["kind"].isin(["slab", "tower"]).to_numpy(), False)
    stair = np.array(["1单元", "2单元", "3单元"], dtype=object)[rng.integers(0, 3, len(drawn.day))]
    told = known[drawn.building]
    with_stair = flats[drawn.building] & (rng.random(len(drawn.day)) < 0.5)
    return np.where(with_stair, told + stair, told)


def _texts(category: Ints, rng: np.random.Generator) -> list[str]:
    """One sentence for each incident, marked as invented."""
    pieces = [what for _, what, _ in TYPES.values()]
    first = rng.random(len(category))
    last = rng.integers(0, len(ENDINGS), len(category))
    return [
        f"{MARK}{pieces[c][int(f * len(pieces[c]))]},{ENDINGS[e]}。"
        for c, f, e in zip(category, first, last, strict=True)
    ]
