"""Key places of the demo county: schools, hospitals, and a police room and a mediation post each.

They stand where buildings of the place stand; nothing is drawn at random, so that the rest of the
place stays as it was.
"""

from __future__ import annotations

from typing import Final

import geopandas as gpd
import shapely

KINDS: Final = {"school": "school", "hospital": "hospital", "office": "government"}
# Of each village or community, at its first and second building by id.
SERVICES: Final = (("police_room", "警务室"), ("mediation_post", "人民调解室"))
COURT: Final = ("court_point", "示范旗人民法庭巡回点")


def key_places(buildings: gpd.GeoDataFrame, units: gpd.GeoDataFrame) -> gpd.GeoDataFrame:
    """Key places as points.

    Parameters
    ----------
    buildings, units
        Frames of the demo place, WGS 84.

    Returns
    -------
    Columns ``id, name, kind, aliases, radius_m, geometry, source``, sorted by id.
    """
    rows: list[tuple[str, str, str, float, object]] = []
    public = buildings[buildings["kind"].isin(list(KINDS))]
    grounds = public["name"].str.replace(r"\d+栋$", "", regex=True)
    for name, those in public.groupby(grounds, sort=True):
        if not str(name).startswith("示范第"):
            continue
        kind = KINDS[str(those["kind"].iloc[0])]
        shape = shapely.union_all(those.geometry.to_numpy()).convex_hull
        rows.append((str(name), kind, str(name).removeprefix("示范"), 60.0, shape.centroid))
    names = dict(zip(units["code"], units["name"], strict=True))
    for code, those in buildings.sort_values("id").groupby("unit", sort=True):
        points = shapely.point_on_surface(those.geometry.to_numpy()[: len(SERVICES)])
        for (kind, what), point in zip(SERVICES, points, strict=False):
            rows.append((f"{names[code]}{what}", kind, "", 20.0, point))
    first = buildings[buildings["kind"] == "office"].sort_values("id").geometry.iloc[0]
    rows.append((COURT[1], COURT[0], "巡回法庭", 20.0, shapely.point_on_surface(first)))
    frame = gpd.GeoDataFrame(
        rows, columns=["name", "kind", "aliases", "radius_m", "geometry"], geometry="geometry",
        crs=4326,
    )  # fmt: skip
    frame.insert(0, "id", [f"DP{n:04d}" for n in range(1, len(frame) + 1)])
    frame["source"] = "demo"
    return frame
