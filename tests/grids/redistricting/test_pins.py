"""Locks of single cells: buildings that must lie in a given grid of the plan before."""

import geopandas as gpd
import numpy as np
import pandas as pd
import pytest
import shapely
from hypothesis import given, settings
from hypothesis import strategies as st

from gis.errors import BadInput
from grids.redistricting import draw
from tests.grids.redistricting.test_plan_properties import TARGET, check
from tests.towns import METRES, random_town, town

SQUARE = """
    3 3 3 3 3 3 3 3
    3 3 3 3 3 3 3 3
    3 3 3 3 3 3 3 3
    3 3 3 3 3 3 3 3
"""


def grid_of(plan) -> dict[str, str]:
    """Grid of each building."""
    held = plan.cells.explode("building_ids").dropna(subset="building_ids")
    return dict(zip(held["building_ids"], held["grid"], strict=True))


def pins(of: dict[str, str]) -> pd.DataFrame:
    return pd.DataFrame({"building_id": list(of), "code": list(of.values())})


def test_a_building_goes_to_the_grid_it_is_pinned_to_and_the_grid_stays_whole():
    place = town(SQUARE)
    before = draw(place.area, place.buildings, target=120)
    at = grid_of(before)
    # A corner and the grid of the far corner: the way leads through grids between.
    wanted = {"B0-0": at["B3-7"], "B0-1": at["B0-1"]}
    after = draw(
        place.area, place.buildings, target=120, tolerance=0.3, before=before, pinned=pins(wanted)
    )
    now = grid_of(after)
    assert {name: now[name] for name in wanted} == wanted
    assert not list(after.broken("pin_not_kept"))
    assert after.grids["households"].sum() == 32 * 30
    check(place, after)


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 10**6), st.booleans(), st.integers(1, 8))
def test_every_pin_is_kept_or_told(seed, river, count):
    place = random_town(seed, river=river, two_units=bool(seed % 2))
    before = draw(place.area, place.buildings, place.barriers, target=TARGET)
    dice = np.random.default_rng(seed)
    names = dice.choice(place.buildings["id"], min(count, len(place.buildings)), replace=False)
    codes = dice.choice(before.grids["code"], len(names))
    wanted = dict(zip(names.tolist(), codes.tolist(), strict=True))
    after = draw(
        place.area,
        place.buildings,
        place.barriers,
        target=TARGET,
        before=before,
        pinned=pins(wanted),
        compactness_floor=0.3 if seed % 3 else 0,
    )
    check(place, after)
    now = grid_of(after)
    told = {finding.place for finding in after.broken("pin_not_kept")}
    assert told == {name for name, code in wanted.items() if now[name] != code}
    again = draw(
        place.area,
        place.buildings,
        place.barriers,
        target=TARGET,
        before=before,
        pinned=pins(wanted),
        compactness_floor=0.3 if seed % 3 else 0,
    )
    assert again.grids.to_wkb().equals(after.grids.to_wkb())


def test_pins_stay_where_they_are_while_the_rest_is_drawn_anew():
    place = town("\n".join(["3 3 3 3 3 3 3 3"] * 8))
    before = draw(place.area, place.buildings, target=120)
    at = grid_of(before)
    fixed = {name: code for name, code in at.items() if name.startswith("B3")}
    after = draw(place.area, place.buildings, target=90, before=before, keep=0, pinned=pins(fixed))
    now = grid_of(after)
    assert {name: now[name] for name in fixed} == fixed
    assert len(after.grids) > len(before.grids)


def test_ground_where_nobody_lives_is_pinned_by_a_point():
    place = town("3 3 3 # . # 3 3 3\n3 3 3 # . # 3 3 3")
    before = draw(place.area, place.buildings, place.barriers, target=180)
    at = grid_of(before)
    west, south, _, _ = place.area.to_crs(METRES).total_bounds
    park = shapely.Point(west + 450, south + 100)
    for code in {at["B0-0"], at["B0-8"]}:
        pinned = gpd.GeoDataFrame({"code": [code]}, geometry=[park], crs=METRES)
        after = draw(
            place.area, place.buildings, place.barriers, target=180, before=before, pinned=pinned
        )
        inside = after.grids.to_crs(METRES).set_index("code").intersects(park)
        assert inside[inside].index.tolist() == [code]


def test_pins_that_cannot_be_kept_say_why():
    place = town("3 3 3\n= = =\n3 3 3")
    before = draw(place.area, place.buildings, place.barriers, target=90)
    at = grid_of(before)
    common = {"target": 90, "before": before}
    over = pins({"B0-0": at["B2-0"]})
    plan = draw(place.area, place.buildings, place.barriers, pinned=over, **common)
    (found,) = plan.broken("pin_not_kept")
    assert "cannot be reached on foot" in found.text
    units = town("3 3\n3 3", units="A B\nA B")
    old = draw(units.area, units.buildings, target=60)
    to = grid_of(old)["B0-1"]
    plan = draw(units.area, units.buildings, target=60, before=old, pinned=pins({"B0-0": to}))
    (found,) = plan.broken("pin_not_kept")
    assert "another unit" in found.text
    locked = old.grids[old.grids["code"] == to]
    plan = draw(
        units.area,
        units.buildings,
        target=60,
        before=old,
        locked=locked,
        pinned=pins({"B0-1": grid_of(old)["B0-0"]}),
    )
    (found,) = plan.broken("pin_not_kept")
    assert "locked grid" in found.text


def test_too_many_households_pinned_are_named_as_the_cause():
    place = town(SQUARE)
    before = draw(place.area, place.buildings, target=120)
    code = grid_of(before)["B0-0"]
    many = pins({f"B{row}-{column}": code for row in (0, 1) for column in range(4)})
    plan = draw(place.area, place.buildings, target=120, before=before, pinned=many)
    assert {grid_of(plan)[name] for name in many["building_id"]} == {code}
    causes = [found.text for found in plan.broken("out_of_tolerance") if found.place == code]
    assert "pinned to it have 240 households" in causes[0]


def test_pins_of_nothing_there_is_are_refused():
    place = town(SQUARE)
    before = draw(place.area, place.buildings, target=120)
    code = str(before.grids["code"].iloc[0])

    def refused(match, pinned, **options):
        with pytest.raises(BadInput, match=match):
            draw(place.area, place.buildings, target=120, pinned=pinned, **options)

    refused("pins name grids of a plan before", pins({"B0-0": code}))
    refused("row 1, field building_id", pins({"B77-0": code}), before=before)
    refused("no grid of the plan before has the code Z9", pins({"B0-0": "Z9"}), before=before)
    refused("no column code", pins({"B0-0": code}).drop(columns="code"), before=before)
    refused("no column building_id", pd.DataFrame({"code": [code]}), before=before)
    both = pd.DataFrame(
        {"building_id": ["B0-0"] * 2, "code": before.grids["code"].iloc[:2].tolist()}
    )
    refused("B0-0 is pinned to .* but B0-0 in the same place to", both, before=before)
    away = gpd.GeoDataFrame({"code": [code]}, geometry=[shapely.Point(0, 0)], crs=4326)
    refused("row 1 lies outside the area", away, before=before)
