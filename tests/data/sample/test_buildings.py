"""Footprints stand in their unit, apart from each other and from every line that must not cut."""

from __future__ import annotations

import numpy as np
import pytest
import shapely

LIMITS = {"house": (1, 4), "slab": (20, 60), "tower": (100, 420), "camp": (1, 2)}


def test_the_unit_is_the_polygon_that_covers(place, villages):
    shape = dict(zip(villages["code"], villages.geometry, strict=True))
    buildings = place.buildings
    for unit, feet in buildings.groupby("unit").geometry:
        shapely.prepare(shape[unit])
        assert shapely.contains_properly(shape[unit], feet.to_numpy()).all()


def test_no_two_overlap(place):
    feet = place.buildings.geometry.to_numpy()
    first, second = shapely.STRtree(feet).query(feet, predicate="intersects")
    assert (first == second).all()
    assert len(first) == len(feet)


@pytest.mark.parametrize("kind", ["street", "arterial", "river", "rail", "wall"])
def test_no_line_cuts_one(place, kind):
    lines = place.lines[place.lines["kind"] == kind].geometry.to_numpy()
    hits = shapely.STRtree(place.buildings.geometry.to_numpy()).query(lines, predicate="intersects")
    assert len(lines) > 0
    assert hits.shape[1] == 0


def test_all_are_valid_rectangles_of_a_believable_size(place, local):
    feet = local(place.buildings.geometry)
    assert shapely.is_valid(feet).all()
    assert (shapely.get_num_coordinates(feet) == 5).all()
    area = shapely.area(feet)
    assert area.min() > 50
    assert area.max() < 4_200


def test_the_town_has_forty_thousand_households(place):
    town = place.buildings[place.buildings["unit"].str.startswith("990121001")]
    assert 38_000 <= town["households_resident"].sum() <= 42_000
    per_unit = town.groupby("unit")["households_resident"].sum()
    assert per_unit.min() >= 950
    assert per_unit.max() <= 3_000


def test_villages_and_gachas_have_the_size_of_their_kind(place):
    per_unit = place.buildings.groupby("unit")["households_resident"].sum()
    rural = per_unit[per_unit.index.str[6] == "1"]
    pastoral = per_unit[per_unit.index.str[6] == "2"]
    assert len(rural) == 30
    assert rural.between(100, 600).all()
    assert len(pastoral) == 12
    assert pastoral.between(20, 90).all()


@pytest.mark.parametrize(("kind", "limits"), LIMITS.items())
def test_households_fit_the_kind(place, kind, limits):
    counts = place.buildings.loc[place.buildings["kind"] == kind, "households_resident"]
    assert len(counts) > 50
    assert counts.between(*limits).all()


def test_nobody_lives_in_schools_and_factories(place):
    empty = place.buildings["kind"].isin(["school", "hospital", "factory", "shed", "pavilion"])
    columns = ["households_registered", "households_resident", "households_occupied"]
    assert empty.sum() > 100
    assert (place.buildings.loc[empty, columns] == 0).all(axis=None)


def test_occupied_never_exceeds_resident(place):
    b = place.buildings
    assert (b["households_occupied"] <= b["households_resident"]).all()
    assert (b[["households_registered", "households_occupied"]] >= 0).all(axis=None)


def test_ids_and_addresses_are_unique_and_addresses_name_their_township(place):
    b = place.buildings
    assert b["id"].is_unique
    assert b["address"].is_unique
    names = dict(zip(place.units["code"], place.units["name"], strict=True))
    heads = "示范旗" + b["unit"].str[:9].map(names)
    starts = [a.startswith(h) for a, h in zip(b["address"], heads, strict=True)]
    assert all(starts)


def test_houses_on_a_street_are_odd_on_one_side_and_even_on_the_other(place, local):
    houses = place.buildings[place.buildings["unit"].str.startswith("990121001")]
    houses = houses[houses["kind"] == "house"]
    numbers = houses["name"].str.extract(r"(\d+)号$")[0].astype(int)
    lane = houses["name"].str.replace(r"\d+号$", "", regex=True)
    checked = 0
    for name in lane.value_counts().index[:20]:
        assert numbers[lane == name].is_unique
        lines = place.lines[place.lines["name"] == name].geometry.to_numpy()
        if len(lines) != 1 or not name.endswith("巷"):
            continue
        (ax, ay), *_, (bx, by) = shapely.get_coordinates(local(lines))
        x, y = shapely.get_coordinates(shapely.centroid(local(houses[lane == name].geometry))).T
        left = (bx - ax) * (y - ay) - (by - ay) * (x - ax) > 0
        odd = (numbers[lane == name] % 2 == 1).to_numpy()
        assert (left == odd).all() or (left != odd).all()
        checked += 1
    assert checked > 3


def test_herder_camps_are_far_apart(place, local):
    camps = place.buildings[place.buildings["kind"] == "camp"]
    one = camps["unit"].value_counts().index[0]
    points = shapely.centroid(local(camps[camps["unit"] == one].geometry))
    distance = shapely.distance(points[:, None], points[None, :])
    np.fill_diagonal(distance, np.inf)
    assert distance.min() > 500
