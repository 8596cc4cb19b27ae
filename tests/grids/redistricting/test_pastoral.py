"""Herders: seasonal camps, travel time over steppe and roads, rivers crossed at bridges."""

from dataclasses import replace

import geopandas as gpd
import numpy as np
import pytest
import shapely

from bench.planner.towns import made_camps, made_town
from gis.errors import BadInput
from grids.redistricting import PRICES, Speeds, draw
from grids.redistricting.cells import draw_cells
from grids.redistricting.inputs import read_town
from grids.redistricting.travel import Travel, draw_ways
from tests.grids.redistricting.test_plan_properties import check
from tests.towns import METRES, Town, town

STEPPE = """
    3 . 3 . 3 . 3 .
    . . . . . . . .
    3 . 3 . 3 . 3 .
    . . . . . . . .
"""


def camps_at(place: Town, of: dict[str, tuple[float, float]], **columns) -> gpd.GeoDataFrame:
    """Camps in characters of the map from its north-west corner."""
    west, _, _, north = place.area.to_crs(METRES).total_bounds
    cell = 1000.0
    spots = [shapely.Point(west + x * cell, north - y * cell) for x, y in of.values()]
    return gpd.GeoDataFrame({"building_id": list(of), **columns}, geometry=spots, crs=METRES)


def steppe(text: str = STEPPE, **options) -> Town:
    return town(text, cell_m=1000.0, scale=1, **options)


def pastoral(place: Town, **options):
    chosen = {"target": 6, "tolerance": 0.2, "prices": "pastoral", **options}
    return draw(place.area, place.buildings, place.barriers, **chosen)


def test_camps_decide_which_neighbours_go_together():
    # Rows lie as near to each other as columns do: only the camps say which.
    place = steppe("3 . 3\n. . .\n3 . 3")
    down = {"B0-0": (0.6, 1.7), "B0-2": (2.4, 1.7), "B2-0": (0.4, 1.3), "B2-2": (2.6, 1.3)}
    across = {"B0-0": (1.7, 0.6), "B0-2": (1.3, 0.4), "B2-0": (1.7, 2.4), "B2-2": (1.3, 2.6)}
    for camps, together in ((down, {"B0-0", "B2-0"}), (across, {"B0-0", "B0-2"})):
        plan = pastoral(place, camps=camps_at(place, camps), seed=3)
        held = plan.cells.explode("building_ids").dropna(subset="building_ids")
        homes = held.groupby("grid")["building_ids"].agg(set)
        assert together in homes.tolist()
        assert plan.settings["households_apart"] == 0
        assert not list(plan.broken("camp_apart"))
        check(place, plan)


def test_camps_are_places_without_households_and_no_buildings():
    place = steppe()
    camps = camps_at(place, {"B0-0": (7.5, 3.5)}, season=["summer"])
    plan = pastoral(place, camps=camps)
    assert plan.grids["households"].sum() == 24
    assert plan.grids["buildings"].sum() == 8
    check(place, plan)
    (found,) = plan.broken("camp_apart")
    assert found.place == "B0-0"
    assert "their summer camp lies in" in found.text
    assert plan.settings["households_with_camp"] == plan.settings["households_apart"] == 3


def test_camps_that_no_grid_can_hold_say_why():
    place = steppe("3 3 .\n= = =\n3 3 .")
    outside = camps_at(place, {"B0-0": (0.5, 2.5), "B0-1": (40, 40)})
    plan = pastoral(place, camps=outside)
    told = {finding.place: finding.text for finding in plan.broken("camp_apart")}
    assert "rail or river without a bridge" in told["B0-0"]
    assert "lies outside the area" in told["B0-1"]
    units = steppe("3 3\n3 3", units="A B\nA B")
    plan = pastoral(units, camps=camps_at(units, {"B0-0": (1.5, 0.8)}))
    (found,) = plan.broken("camp_apart")
    assert "different units" in found.text


def test_camps_of_nobody_are_refused_with_their_rows():
    place = steppe()
    camps = camps_at(place, {"B0-0": (1, 1), "B9-9": (2, 2)})
    with pytest.raises(BadInput, match=r"camps.*row 2, field building_id: no building has the id"):
        pastoral(place, camps=camps)
    with pytest.raises(BadInput, match="no column building_id"):
        pastoral(place, camps=camps.drop(columns="building_id"))
    with pytest.raises(BadInput, match="open_kmh is 0"):
        pastoral(place, speeds=Speeds(open_kmh=0))
    with pytest.raises(BadInput, match="travel_min is 0"):
        pastoral(place, travel_min=0)


def minutes(place: Town, one: str, other: str, speeds: Speeds) -> float:
    read = read_town(place.area, place.buildings, place.barriers, target=60, tolerance=0.1)
    cells = draw_cells(read)
    travel = Travel(draw_ways(read, cells, speeds), [cells.households > 0], np.inf)
    at = {str(name): cell for name, cell in zip(read.ids, cells.of_building, strict=True)}
    return float(travel.between(np.array([at[one], at[other]]))[0, 1])


def test_time_over_steppe_is_distance_by_speed():
    place = steppe("3 3 3 3 3 3 3")
    slow, fast = (minutes(place, "B0-0", "B0-6", Speeds(open_kmh=v)) for v in (15.0, 30.0))
    # 6 km as the crow flies, a little more by way of the corners of cells.
    assert 24 <= slow <= 24 * 1.35
    assert slow == pytest.approx(2 * fast)


def test_roads_are_faster_than_steppe():
    road = steppe("3 . . . . . . 3\n% % % % % % % %\n3 . . . . . . 3")
    by_road = minutes(road, "B0-0", "B0-7", Speeds(20, 40, 80))
    on_steppe = minutes(road, "B0-0", "B0-7", Speeds(20, 20, 20))
    assert by_road < 0.7 * on_steppe


def test_rivers_are_crossed_at_bridges_only():
    river = "3 . . . . . . 3\n= = = = = = = {}\n3 . . . . . . 3"
    shut = minutes(steppe(river.format("=")), "B0-0", "B2-0", Speeds())
    round_by_bridge = minutes(steppe(river.format("X")), "B0-0", "B2-0", Speeds())
    assert np.isinf(shut)
    # 2 km apart, but 7 km to the bridge and as many back.
    assert 14 / 20 * 60 < round_by_bridge < 14 / 20 * 60 * 1.4


def test_grids_keep_to_a_time_of_travel_or_are_named():
    layers = made_town(1500, 7, "pastoral")
    common = {"target": 25, "tolerance": 0.2, "prices": "pastoral"}
    free = draw(*layers, **common, speeds=Speeds())
    held = draw(*layers, **common, travel_min=22)
    again = draw(*layers, **common, travel_min=22)
    assert held.grids.to_wkb().equals(again.grids.to_wkb())
    assert "travel_too_long" not in {finding.rule for finding in free.findings}
    assert held.within_tolerance >= 0.95
    assert len(list(held.broken("travel_too_long"))) <= 1
    hopeless = draw(*layers, **common, travel_min=1)
    # A limit that nothing can keep ruins no grid, and names all but single places.
    assert hopeless.within_tolerance >= 0.95
    assert hopeless.grids["compactness"].mean() > free.grids["compactness"].mean() - 0.01
    assert len(list(hopeless.broken("travel_too_long"))) >= 0.9 * len(hopeless.grids)
    finding = next(hopeless.broken("travel_too_long"))
    assert "minutes from b" in finding.text
    assert "more than 1" in finding.text


@pytest.mark.parametrize("seed", [3, 4])
def test_paying_for_camps_brings_households_and_camps_together(seed):
    area, buildings, barriers = made_town(1500, seed, "pastoral")
    camps = made_camps(buildings, area, seed)
    apart = {}
    for price in (0.0, 0.6):
        prices = replace(PRICES["pastoral"], apart=price)
        plan = draw(area, buildings, barriers, target=25, tolerance=0.2, prices=prices, camps=camps)
        assert plan.within_tolerance >= 0.95
        apart[price] = plan.settings["households_apart"] / plan.settings["households_with_camp"]
    assert apart[0.6] < 0.8 * apart[0.0]
