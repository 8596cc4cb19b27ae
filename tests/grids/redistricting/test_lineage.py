"""Drawn anew from an older plan: little moves, and what becomes of each grid is told."""

import re

import geopandas as gpd
import numpy as np
import pandas as pd
import pytest
import shapely
from hypothesis import given, settings
from hypothesis import strategies as st

from gis.errors import BadInput
from grids.redistricting import Cancelled, draw
from tests.grids.redistricting.test_plan_properties import TARGET, check
from tests.towns import Town, random_town, town

SQUARE = "\n".join(["3 " * 10] * 8)


def grown(place: Town, seed: int, share: float = 0.05) -> gpd.GeoDataFrame:
    """Buildings after some years: here and there an estate of twice the households."""
    dice = np.random.default_rng(seed)
    buildings = place.buildings.copy()
    spots = buildings.to_crs(32650).geometry
    middle = spots.iloc[int(dice.integers(len(spots)))]
    near = spots.distance(middle).rank() <= max(1, share * len(buildings))
    buildings.loc[near, "households"] *= 2
    return buildings


def test_nothing_changes_when_nothing_changed():
    place = town(SQUARE)
    first = draw(place.area, place.buildings, target=60)
    again = draw(place.area, place.buildings, target=60, before=first)
    assert again.grids["code"].tolist() == first.grids["code"].tolist()
    assert again.settings["households_moved"] == 0
    assert again.grids["households"].tolist() == first.grids["households"].tolist()
    assert set(again.lineage["fate"]) == {"kept"}


def test_new_estates_move_few_and_codes_live_on():
    place = town(SQUARE)
    first = draw(place.area, place.buildings, target=60)
    buildings = grown(place, 3)
    plan = draw(place.area, buildings, target=60, before=first)
    fresh = draw(place.area, buildings, target=60)
    assert plan.within_tolerance >= fresh.within_tolerance - 0.05
    table = plan.lineage.set_index("code")
    assert set(table.index) == set(first.grids["code"]) | set(plan.grids["code"])
    assert (table["fate"] == "kept").mean() > 0.6
    assert plan.settings["households_moved"] == table["moved"].sum()
    assert table["moved"].sum() < 0.15 * buildings["households"].sum()
    new = table[table["fate"] == "new"]
    # A code that was in use is never given to another grid.
    assert set(new.index).isdisjoint(first.grids["code"])
    assert all(new["predecessors"].str.len() >= 1)
    check(Town(place.area, buildings, place.barriers, place.points), plan)


def test_households_moved_are_those_whose_code_changed():
    place = town(SQUARE)
    first = draw(place.area, place.buildings, target=60)
    buildings = grown(place, 5, 0.15)
    plan = draw(place.area, buildings, target=60, before=first)
    was, now = (
        pd.Series({i: g for ids, g in zip(t["building_ids"], t["grid"], strict=True) for i in ids})
        for t in (first.cells, plan.cells)
    )
    people = buildings.set_index("id")["households"]
    moved = people[(was[people.index] != now[people.index]).to_numpy()].sum()
    assert plan.settings["households_moved"] == moved


def test_the_curve_trades_moves_for_balance():
    place = town(SQUARE)
    first = draw(place.area, place.buildings, target=60)
    told = []
    plan = draw(
        place.area,
        grown(place, 3, 0.2),
        before=first,
        target=60,
        keep=0.05,
        keeps=(0.0, 100.0),
        progress=lambda stage, share: told.append((share, stage)),
    )
    curve = plan.curve
    assert curve["keep"].tolist() == [0.0, 0.05, 100.0]
    assert curve["drawn"].tolist() == [False, True, False]
    moved = curve["moved"].tolist()
    assert moved[0] >= moved[1] >= moved[2]
    assert curve["within"].iloc[0] >= curve["within"].iloc[2]
    assert (curve["moved_share"] <= 1).all()
    assert max(share for share, _ in told) == 1
    assert told[-1] == (1.0, "done")
    assert "trying a price of 100" in {stage for _, stage in told}


def test_each_point_of_the_curve_is_the_plan_of_its_price():
    place = town(SQUARE)
    first = draw(place.area, place.buildings, target=60)
    buildings = grown(place, 3, 0.2)
    buildings["shops"] = np.arange(len(buildings)) % 3
    corner = first.grids.geometry.to_crs(32650).centroid.x.idxmin()
    held = first.grids.loc[[corner]]
    others = first.grids["code"].drop(corner).tolist()
    ids = [dict(zip(first.cells["grid"], first.cells["building_ids"], strict=True))[code][0]
           for code in others]  # fmt: skip
    spots = buildings.geometry.to_crs(32650).centroid.to_crs(buildings.crs)
    asked = {
        "before": first,
        "target": 60,
        "locked": held,
        # Each in the grid it was in, but one, which goes to that of another.
        "pinned": pd.DataFrame({"building_id": ids[:3], "code": [*others[:2], others[3]]}),
        "camps": gpd.GeoDataFrame(
            {"building_id": buildings["id"].iloc[:5]}, geometry=spots.iloc[-5:].tolist(),
            crs=buildings.crs,
        ),
        "second": "shops",
        "maximum": 45,
        "compactness_floor": 0.4,
    }  # fmt: skip
    curve = draw(place.area, buildings, keep=0.1, keeps=(0.0, 0.02, 1.0), **asked).curve
    assert len(curve) == 4
    assert curve["moved"].nunique() > 1
    for point in curve.itertuples():
        plan = draw(place.area, buildings, keep=point.keep, **asked)
        assert point.moved == plan.settings["households_moved"]
        assert point.grids == len(plan.grids)
        assert point.within == pytest.approx(plan.within_tolerance)


def test_a_curve_is_called_off_between_its_prices_and_within_them():
    place = town(SQUARE)
    first = draw(place.area, place.buildings, target=60)
    stages = []

    def stop():
        return stages[-1:] == ["trying a price of 1"]

    with pytest.raises(Cancelled):
        draw(
            place.area,
            place.buildings,
            before=first,
            target=60,
            keeps=(0.0, 1.0, 2.0),
            progress=lambda stage, _share: stages.append(stage),
            cancel=stop,
        )
    assert stages.count("trying a price of 1") == 1
    assert "trying a price of 2" not in stages


def test_a_curve_without_a_plan_before_or_with_a_price_below_0_is_refused():
    place = town("3 3 3 3")
    with pytest.raises(BadInput, match="compares with an older plan"):
        draw(place.area, place.buildings, keeps=(0.1,))
    with pytest.raises(BadInput, match=r"keeps is -1\.0"):
        draw(place.area, place.buildings, before=place.area, keeps=(-1,))


def test_as_many_grids_as_a_new_target_asks_for():
    place = town(SQUARE)
    first = draw(place.area, place.buildings, target=240)
    plan = draw(place.area, place.buildings, target=60, before=first, keep=0)
    assert len(first.grids) == 10
    assert len(plan.grids) == 40
    assert plan.within_tolerance == 1


def test_what_a_price_too_high_keeps_is_told_with_one_that_is_not():
    place = town(SQUARE)
    first = draw(place.area, place.buildings, target=120)
    asked = {"target": 60, "before": first}
    plan = draw(place.area, place.buildings, keep=100, **asked)
    assert len(plan.grids) == 20
    told = list(plan.broken("out_of_tolerance"))
    assert len(told) == 20
    assert "keeps 20 grids of 120 where 40 grids of 60 would fit" in told[0].text
    assert "about 1200 households moved" in told[0].text
    price = float(re.search(r"price \(keep\) of ([\d.]+) or less", told[0].text)[1])
    cheaper = draw(place.area, place.buildings, keep=price, **asked)
    assert cheaper.within_tolerance == 1


def test_a_plan_drawn_by_hand_with_gaps_is_mended_first():
    place = town("3 3 3 3\n3 3 3 3")
    rows = place.area.to_crs(32650)
    west, south, _, north = rows.total_bounds
    hand = gpd.GeoDataFrame(
        {"code": ["A", "B"]},
        geometry=[
            shapely.box(west, south, west + 190, north),
            shapely.box(west + 310, south, west + 400, north),
        ],
        crs=32650,
    )
    plan = draw(place.area, place.buildings, target=120, before=hand)
    assert plan.grids["code"].tolist() == ["A", "B"]
    assert plan.grids["households"].tolist() == [120, 120]
    assert plan.settings["households_moved"] == 0


def test_merged_and_gone_grids_name_their_successors():
    place = town("1 1 1 1 1 1")
    fine = draw(place.area, place.buildings, target=10)
    coarse = draw(place.area, place.buildings, target=60, before=fine, tolerance=0.2)
    table = coarse.lineage.set_index("code")
    (code,) = coarse.grids["code"]
    olds = table.loc[fine.grids["code"]]
    assert set(olds["fate"]) <= {"kept", "merged"}
    assert all(each == [code] for each in olds["successors"])


def test_an_older_plan_without_codes_or_with_one_twice_is_refused():
    place = town("3 3 3 3")
    with pytest.raises(BadInput, match="column code"):
        draw(place.area, place.buildings, before=place.area[["geometry"]])
    twice = pd.concat([place.area, place.area])
    with pytest.raises(BadInput, match="there twice"):
        draw(place.area, place.buildings, before=twice)


@settings(max_examples=12, deadline=None)
@given(st.integers(0, 10**6), st.booleans(), st.booleans(), st.floats(0, 1))
def test_every_plan_from_an_older_one_tiles_its_town(seed, river, two_units, keep):
    place = random_town(seed, river=river, two_units=two_units)
    first = draw(place.area, place.buildings, place.barriers, target=TARGET)
    buildings = grown(place, seed, 0.2)
    plan = draw(
        place.area, buildings, place.barriers, target=TARGET, before=first, keep=keep, seed=seed
    )
    check(Town(place.area, buildings, place.barriers, place.points), plan)
    again = draw(
        place.area, buildings, place.barriers, target=TARGET, before=first, keep=keep, seed=seed
    )
    assert again.grids.to_wkb().equals(plan.grids.to_wkb())
    pd.testing.assert_frame_equal(again.lineage, plan.lineage)
