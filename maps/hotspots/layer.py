"""Hot spots and attention lists as layers of grids, for files, for QGIS and for the map."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, cast

import geopandas as gpd
import numpy as np
import pandas as pd
import shapely

from gis.errors import BadInput, Problem
from maps.hotspots import texts
from maps.hotspots.findings import TO_METRE, Class, Findings, Way
from maps.hotspots.texts import Said

if TYPE_CHECKING:
    from maps.hotspots.checks import Floats
    from maps.hotspots.service import Listed
    from maps.hotspots.study import Study

CLASSES: Final[dict[Class, Said]] = {
    Class.HOT: Said("热点", "hot"),
    Class.COLD: Said("冷点", "cold"),
    Class.HIGH_HIGH: Said("高值聚集", "high among high"),
    Class.LOW_HIGH: Said("高值中的低值", "low among high"),
    Class.LOW_LOW: Said("低值聚集", "low among low"),
    Class.HIGH_LOW: Said("低值中的高值", "high among low"),
    Class.CLUSTER: Said("聚集区内", "in a cluster"),
    Class.EMERGING: Said("新出现", "emerging"),
    Class.PERSISTING: Said("持续", "persisting"),
    Class.FADING: Said("消退", "fading"),
    Class.SPORADIC: Said("时有时无", "sporadic"),
    Class.NONE: Said("不显著", "not significant"),
    Class.UNTESTED: Said("未检验（无户数）", "not tested (no households)"),
}

# ColorBrewer's RdBu, and others whose lightness tells them apart too.
COLOURS: Final[dict[Class, str]] = {
    Class.HOT: "#b2182b",
    Class.COLD: "#2166ac",
    Class.HIGH_HIGH: "#b2182b",
    Class.LOW_HIGH: "#92c5de",
    Class.LOW_LOW: "#2166ac",
    Class.HIGH_LOW: "#f4a582",
    Class.CLUSTER: "#b2182b",
    Class.EMERGING: "#f1711f",
    Class.PERSISTING: "#8c0f1f",
    Class.FADING: "#5aa2cf",
    Class.SPORADIC: "#fdd49e",
    Class.NONE: "#f7f7f7",
    Class.UNTESTED: "#bdbdbd",
}

FIRST: Final = 5
"""Grids told apart from the rest of the list: those with most to be expected per area."""

LIST_CLASSES: Final[dict[str, tuple[Said, str]]] = {
    "first": (Said(f"首先关注（前{FIRST}个）", f"first of all (ranks 1 to {FIRST})"), "#7f2704"),
    "listed": (Said("关注（清单其余）", "the rest of the list"), "#f1711f"),
    "none": (Said("不在清单上", "not on the list"), "#f7f7f7"),
}

WAYS: Final[dict[Way, Said]] = {
    Way.HOT_GRIDS: Said("热点网格（精确检验）", "Hot grids (exact test)"),
    Way.GI_STAR: Said("Gi*", "Gi*"),
    Way.LOCAL_MORAN: Said("局部莫兰指数", "Local Moran's I"),
    Way.SCAN: Said("扫描统计", "Scan statistic"),
    Way.EMERGING: Said("热点变化", "Emerging and fading hot spots"),
    Way.NEAR_REPEAT: Said("近邻重复", "Near repeats"),
    Way.REPEAT_ADDRESSES: Said("重复地点", "Repeat addresses"),
}

STATISTICS: Final[dict[Way, Said]] = {
    Way.HOT_GRIDS: Said("实际与预期之比", "observed over expected"),
    Way.GI_STAR: Said("z值", "z"),
    Way.LOCAL_MORAN: Said("I值", "I"),
    Way.SCAN: Said("对数似然比", "log likelihood ratio"),
    Way.EMERGING: Said("标准化趋势", "standardised trend"),
}


def findings_layer(found: Findings) -> gpd.GeoDataFrame:
    """One row per grid, or per place of the repeat addresses; WGS 84.

    Figures that the way does not have are missing values.

    Raises
    ------
    BadInput
        The near-repeat table is no layer.
    """
    if found.way is Way.NEAR_REPEAT:
        raise BadInput(
            Problem("a near-repeat table is no layer", "Ask for the JSON answer", field="method")
        )
    if found.way is Way.REPEAT_ADDRESSES:
        return gpd.GeoDataFrame(
            places_table(found),
            geometry=shapely.points(places_of(found)),
            crs=4326,
        )
    n = found.study.ground.n
    made = _grids(found.study)
    made["events"] = found.counts
    made["class"] = [each.value for each in found.classes]
    made["class_zh"] = [CLASSES[each].zh for each in found.classes]
    made["class_en"] = [CLASSES[each].en for each in found.classes]
    for name in ("statistic", "p", "q", "observed", "expected"):
        values: Floats | None = getattr(found, name)
        made[name] = np.full(n, np.nan) if values is None else values
    number = pd.array([None] * n, dtype="Int64")
    for at, each in enumerate(found.clusters, start=1):
        number[each.rows] = at
    made["cluster"] = number
    return made


def list_layer(listed: Listed) -> gpd.GeoDataFrame:
    """One row per grid with the incidents to be expected; rank and reason where it is listed."""
    made, forecast = _grids(listed.study), listed.attention
    n = len(made)
    made["expected"], made["low"], made["high"] = forecast.expected, forecast.low, forecast.high
    made["class"] = "none"
    made["rank"] = pd.array([None] * n, dtype="Int64")
    for name in ("reason", "reason_zh", "reason_en"):
        made[name] = pd.array([None] * n, dtype="object")
    for rank, why in enumerate(forecast.reasons, start=1):
        made.loc[why.row, ["class", "rank", "reason", "reason_zh", "reason_en"]] = [
            "first" if rank <= FIRST else "listed", rank, why.key.value, texts.reason(why, "zh"),
            texts.reason(why, "en"),
        ]  # fmt: skip
    return made


def records(layer: gpd.GeoDataFrame) -> list[dict[str, Any]]:
    """The rows without their geometry, missing values as None, infinite ones too."""
    table = pd.DataFrame(layer.drop(columns="geometry")).astype(object)
    plain = table.where(table.notna() & ~table.isin([np.inf, -np.inf]), None)
    return plain.to_dict("records")


def places_of(found: Findings) -> list[tuple[float, float]]:
    """Longitudes and latitudes of the repeat addresses."""
    if found.places is None:
        return []
    return cast("list[tuple[float, float]]", list(found.places.addresses))


def places_table(found: Findings) -> pd.DataFrame:
    """The repeat addresses, those with most incidents first; times in UTC."""
    places = found.places
    if places is None:
        return pd.DataFrame()
    inside = found.study.events.grid >= 0
    rows = dict(
        zip(
            zip(
                found.study.events.lon[inside].round(TO_METRE).tolist(),
                found.study.events.lat[inside].round(TO_METRE).tolist(),
                strict=True,
            ),
            found.study.events.grid[inside].tolist(),
            strict=True,
        )
    )
    at = places_of(found)
    return pd.DataFrame(
        {
            "lon": [lon for lon, _ in at],
            "lat": [lat for _, lat in at],
            "code": [found.study.ground.codes[rows[place]] for place in at],
            "events": places.events,
            "first": pd.to_datetime(places.first_day * 86_400, unit="s", utc=True).round("s"),
            "last": pd.to_datetime(places.last_day * 86_400, unit="s", utc=True).round("s"),
            "median_gap_days": places.median_gap_days,
        }
    )


def _grids(study: Study) -> gpd.GeoDataFrame:
    on = study.ground
    return gpd.GeoDataFrame(
        {
            "id": on.ids,
            "code": on.codes,
            "name": on.names,
            "unit": on.units,
            "households": on.households.astype(np.int64),
            "area_m2": on.area_m2,
        },
        geometry=on.shapes,
        crs=4326,
    )
