"""A real town from dirty parcels to grids: Cambridge, Massachusetts."""

from pathlib import Path

import geopandas as gpd
import pandas as pd
import pytest
import shapely

from grids.redistricting import Plan, draw, score

pytestmark = [pytest.mark.real, pytest.mark.slow]


def cambridge(folder: Path) -> tuple[gpd.GeoDataFrame, gpd.GeoDataFrame, gpd.GeoDataFrame]:
    """Area, buildings and barriers, cleaned as the data's README asks.

    Units are counted once per ``ML``: the largest of its polygons carries them. Invalid polygons
    are made valid and their largest part kept. Parcels without a tax row are roads, tracks and
    water, not buildings.
    """

    def layer(name: str) -> gpd.GeoDataFrame:
        return gpd.read_file(folder / "town_cambridge" / "cambridge.gpkg", layer=name)

    area = layer("neighborhoods")
    area["code"] = "250171" + area["N_HOOD"].astype(int).astype(str).str.zfill(6)
    parcels = layer("parcels_units_fy2014")
    parcels["geometry"] = [
        max(shapely.get_parts(g), key=shapely.area) for g in shapely.make_valid(parcels.geometry)
    ]
    parcels = parcels[parcels["units"].notna() & (parcels.geom_type == "Polygon")]
    parcels = parcels[~parcels.is_empty]
    size = parcels.geometry.to_crs(26986).area
    parcels = parcels.loc[size.sort_values(ascending=False, kind="stable").index]
    parcels = parcels.drop_duplicates("ML").sort_values("ML", kind="stable")
    parcels["households"] = parcels["units"].astype(int)
    buildings = parcels[["ML", "households", "geometry"]].rename(columns={"ML": "id"})
    major = layer("major_roads")
    bridges = layer("bridges")
    sources = {
        "street": layer("street_centerlines"),
        "arterial": major[major["MAJORROAD"] == 1],
        "rail": layer("rail").query("GRADE == 'At-Grade' and TYPE != 'RAIL-ABANDON'"),
        "river": layer("water").query("TYPE in ('STREAM', 'WATER')"),
        "bridge": bridges,
    }
    barriers = gpd.GeoDataFrame(
        pd.concat([rows[["geometry"]].assign(kind=kind) for kind, rows in sources.items()]),
        crs=area.crs,
    )
    barriers["geometry"] = barriers.force_2d()
    return area, buildings.reset_index(drop=True), barriers.reset_index(drop=True)


@pytest.fixture(scope="module")
def layers(real_data):
    return cambridge(real_data)


@pytest.fixture(scope="module")
def plan(layers) -> Plan:
    return draw(*layers)


def test_a_real_town_is_tiled_by_whole_grids(layers, plan):
    area, buildings, barriers = layers
    figures = score(plan.grids, buildings=buildings, area=area, barriers=barriers)
    assert 120 <= figures.grids <= 150
    assert figures.within > 0.9
    assert figures.mean_deviation < 0.06
    assert figures.gaps_m2 < 1
    assert figures.overlaps_m2 == 0
    assert figures.multipart == figures.invalid == figures.across_units == 0
    assert figures.not_on_foot == 0


def test_every_parcel_is_in_the_plan_or_named_outside(layers, plan):
    buildings = layers[1]
    held = {identity for ids in plan.cells["building_ids"] for identity in ids}
    outside = {finding.place for finding in plan.broken("building_outside")}
    assert held.isdisjoint(outside)
    assert held | outside == set(buildings["id"])
    inside = buildings[buildings["id"].isin(held)]
    assert plan.grids["households"].sum() == inside["households"].sum()
