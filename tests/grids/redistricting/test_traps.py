"""Places and layers that break planners, each by name."""

import geopandas as gpd
import numpy as np
import pytest
import shapely

from gis.errors import BadInput
from grids.redistricting import AREA_TYPES, draw, number_grids, score
from grids.redistricting.plan import RULES
from tests.towns import METRES, Town, town


def plan_of(place: Town, **options):
    return draw(place.area, place.buildings, place.barriers, **{"target": 60, **options})


def rules(plan) -> set[str]:
    return {finding.rule for finding in plan.findings}


RIVER = """
    3 3 3 3 3 3
    = = = {} = =
    3 3 3 3 3 3
"""


def test_river_without_bridge_is_never_inside_a_grid():
    place = town(RIVER.format("="))
    plan = plan_of(place, target=90)
    figures = score(plan.grids, target=90, buildings=place.buildings, barriers=place.barriers)
    assert figures.inside_m["river"] == 0
    assert figures.not_on_foot == 0
    assert "cut_off_on_foot" in rules(plan)


def test_bridge_lets_a_grid_reach_over_the_river():
    few = """
        1 . . . 1
        = = X = =
        1 . . . 1
    """
    one = plan_of(town(few), target=40)
    assert len(one.grids) == 1
    two = plan_of(town(few.replace("X", "=")), target=40)
    assert len(two.grids) == 2
    assert "cut_off_on_foot" in rules(two)


def test_ground_between_two_tracks_is_not_a_grid_of_nobody():
    place = town("""
        3 3 3 3 3 3
        + + + + + +
        . . . . . .
        + + + + + +
        3 3 3 3 3 3
    """)
    plan = plan_of(place, target=90)
    assert (plan.grids["households"] > 0).all()
    joined = list(plan.broken("nobody_lives_across"))
    # Once for a grid, however many pieces of that ground it was given.
    assert len({finding.place for finding in joined}) == len(joined) > 0
    between_m2 = 6 * 100 * 100 * 2  # two rows of cells of 100 m
    assert sum(finding.value for finding in joined) == pytest.approx(between_m2, rel=0.01)


def test_ground_of_no_size_across_a_track_is_not_a_finding():
    # The track touches the edge of the area: 20 m of it lie 2 cm inside.
    place = town("""
        3 3 3 3
        3 3 3 3
    """)
    west, _, _, north = place.area.to_crs(METRES).total_bounds
    course = [(50, 5), (50, -0.02), (70, -0.02), (70, 5)]
    track = shapely.LineString([(west + x, north + y) for x, y in course])
    rail = gpd.GeoDataFrame({"kind": ["rail"]}, geometry=[track], crs=METRES)
    plan = draw(place.area, place.buildings, rail, target=60)
    assert "nobody_lives_across" not in rules(plan)


def test_the_worst_of_each_rule_comes_first():
    plan = plan_of(town("A 3 3 B 3 3 C", legend={"A": 500, "B": 900, "C": 700}))
    large = list(plan.broken("building_above_tolerance"))
    assert [finding.value for finding in large] == pytest.approx([14, 32 / 3, 22 / 3])
    order = [list(RULES).index(finding.rule) for finding in plan.findings]
    assert order == sorted(order)


def test_units_are_never_crossed_though_that_would_balance():
    place = town("4 4 4 4 4 4", units="a a b b b b")
    plan = plan_of(place, target=120)
    assert sorted(plan.grids["households"]) == [80, 160]
    assert set(plan.grids["unit"]) == {"a", "b"}


def test_one_building_of_five_thousand_households_is_reported_apart():
    plan = plan_of(town("3 3 A 3 3", legend={"A": 5000}))
    found = list(plan.broken("building_above_tolerance"))
    assert len(found) == 1
    assert "5,000 households" in found[0].text
    assert plan.grids["households"].sum() == 5120


def test_all_buildings_on_one_point_are_one_cell():
    place = town("3 3 3\n3 3 3")
    spot = place.buildings.geometry.iloc[0]
    place.buildings["geometry"] = [spot] * len(place.buildings)
    plan = plan_of(place)
    assert len(plan.grids) == 1
    assert plan.grids["households"].iloc[0] == 180
    assert "buildings_share_a_place" in rules(plan)
    (found,) = plan.broken("building_above_tolerance")
    assert "6 buildings on one place have 180 households and are never parted" in found.text
    assert "6 栋建筑共 180 户" in found.text_zh


def test_target_above_the_total_gives_one_grid_and_says_so():
    plan = plan_of(town("3 3 3"), target=10_000)
    assert len(plan.grids) == 1
    assert {"out_of_tolerance", "unit_not_divisible"} <= rules(plan)


def test_tolerance_zero_is_answered():
    plan = plan_of(town("3 3 3 3\n3 3 3 3"), tolerance=0.0)
    assert plan.grids["households"].sum() == 240
    assert plan.within_tolerance == 1.0


def test_unit_where_nobody_lives_is_one_grid():
    plan = plan_of(town("0 0 3 3", units="a a b b"))
    empty = plan.grids[plan.grids["unit"] == "a"]
    assert len(empty) == 1
    assert "no_households" in rules(plan)


def test_nobody_living_anywhere_is_one_grid_that_says_so():
    plan = plan_of(town("0 0 0\n0 0 0"))
    assert plan.grids["households"].tolist() == [0]
    assert plan.grids["buildings"].tolist() == [6]
    assert "no_households" in rules(plan)
    figures = score(plan.grids, target=60)
    assert (figures.grids, figures.multipart) == (1, 0)


def test_area_in_pieces_with_a_hole_gets_single_polygons():
    place = town(
        "3 3 3 . 3 3\n3 . 3 . . .\n3 3 3 . 3 3", units="a a a . a a\na . a . . .\na a a . a a"
    )
    plan = plan_of(place)
    shapes = plan.grids.geometry
    assert (shapes.geom_type == "Polygon").all()
    figures = score(plan.grids, target=60, area=place.area)
    assert figures.gaps_m2 == figures.outside_m2 == 0


def test_building_outside_is_named_with_its_households():
    place = town("3 3 3 7", units="a a a .")
    plan = plan_of(place)
    found = list(plan.broken("building_outside"))
    assert [finding.place for finding in found] == ["B0-3"]
    assert found[0].value == 70
    assert plan.grids["households"].sum() == 90


def test_barriers_that_dangle_repeat_cross_and_touch_are_taken():
    place = town("3 3 3 3\n3 3 3 3\n3 3 3 3")
    west, south, east, north = place.area.to_crs(METRES).total_bounds
    x, y = (west + east) / 2, (south + north) / 2
    lines = [
        shapely.LineString([(west + 20, y), (x, y)]),
        shapely.LineString([(west + 20, y), (x, y)]),
        shapely.LineString([(x, south - 50), (x, north + 50)]),
        shapely.LineString([(west - 9, south - 9), (east + 9, north + 9)]),
        shapely.LineString([(x, y), (x + 30, y + 11)]),
        shapely.MultiLineString([[(x, y), (east, y)], [(x, y + 0.004), (east, y + 0.004)]]),
    ]
    kinds = ["street", "arterial", "street", "wall", "rail", "street"]
    barriers = gpd.GeoDataFrame({"kind": kinds}, geometry=lines, crs=METRES)
    plan = draw(place.area, place.buildings, barriers, target=60)
    figures = score(plan.grids, target=60, buildings=place.buildings, area=place.area)
    assert figures.gaps_m2 == figures.overlaps_m2 == figures.multipart == 0


def test_overlapping_and_touching_footprints_stay_whole():
    place = town("3 3 3 3\n3 3 3 3", cell_m=50, footprint_m=50)
    wide = town("3 3 3 3\n3 3 3 3", cell_m=50, footprint_m=58)
    touching = plan_of(place)
    assert score(touching.grids, target=60, buildings=place.buildings).buildings_cut == 0
    assert len(touching.cells) >= 8
    joined = plan_of(wide)
    assert score(joined.grids, target=60, buildings=wide.buildings).buildings_cut == 0


def test_layers_in_feet_and_degrees_give_the_same_grids():
    place = town("3 3 3 3 3 3\n# # # # # #\n3 3 3 3 3 3")
    feet = "+proj=tmerc +lat_0=40 +lon_0=116 +units=us-ft +ellps=WGS84"
    plan = plan_of(place)
    other = draw(place.area.to_crs(feet), place.buildings, place.barriers, target=60)
    assert other.grids.crs.axis_info[0].unit_name == "US survey foot"
    assert other.grids["households"].tolist() == plan.grids["households"].tolist()
    assert np.allclose(other.grids["area_m2"], plan.grids["area_m2"], rtol=1e-4)


def test_units_that_overlap_by_a_sliver_are_drawn_and_said():
    a, b = shapely.box(0, 0, 200, 200), shapely.box(199.97, 0, 400, 200)
    area = gpd.GeoDataFrame({"code": ["1", "2"]}, geometry=[a, b], crs=METRES)
    area["geometry"] = area.translate(500_000, 4_500_000)
    spots = gpd.points_from_xy([500_050, 500_150, 500_250, 500_350], [4_500_100] * 4)
    buildings = gpd.GeoDataFrame({"households": [30] * 4}, geometry=spots, crs=METRES)
    plan = draw(area, buildings, target=60)
    assert plan.grids["households"].tolist() == [60, 60]
    assert "units_overlap" in rules(plan)
    assert score(plan.grids, target=60).overlaps_m2 == 0


def test_every_problem_is_told_at_once():
    place = town("3 3 3 3 3")
    bad = place.buildings.rename(columns={"households": "hushold"})
    with pytest.raises(BadInput) as told:
        draw(place.area.set_crs(None, allow_override=True), bad, target=0, tolerance=2)
    text = str(told.value)
    assert len(told.value.problems) == 4
    for part in ("coordinate system", "column households", "hushold", "target", "tolerance"):
        assert part in text


@pytest.mark.parametrize(
    ("value", "reason"),
    [
        (-3, "negative (-3)"),
        (2.5, "fractional (2.5)"),
        ("12", "not a number ('12')"),
        (None, "missing"),
        (float("inf"), "not finite"),
        (True, "not a number (True)"),
    ],
)
def test_households_that_are_none_are_named_by_row(value, reason):
    place = town("3 3 3")
    place.buildings["households"] = place.buildings["households"].astype(object)
    place.buildings.loc[1, "households"] = value
    with pytest.raises(BadInput) as told:
        plan_of(place)
    (problem,) = told.value.problems
    assert reason in problem.reason
    assert (problem.row, problem.field) == (2, "households")


def test_a_column_of_text_is_told_once():
    place = town("3 3 3")
    place.buildings["households"] = ["十", "12", "9"]
    with pytest.raises(BadInput) as told:
        plan_of(place)
    (problem,) = told.value.problems
    assert problem.reason == "households is text in every row ('十', '12', '9')"
    assert problem.row is None


def test_coordinates_that_are_none_of_their_system_are_told_alike():
    place = town("3 3 3")
    metres = place.buildings.to_crs(METRES).set_crs(4326, allow_override=True)
    swapped = place.area.copy()
    swapped["geometry"] = shapely.transform(place.area.geometry.to_numpy(), lambda xy: xy[:, ::-1])
    with pytest.raises(BadInput) as told:
        draw(swapped, metres)
    assert [(each.source, each.row) for each in told.value.problems] == [
        ("area", 1), ("buildings", 1), ("buildings", 2), ("buildings", 3),
    ]  # fmt: skip
    assert len({each.reason for each in told.value.problems[1:]}) == 1
    assert "are no longitude and latitude, as EPSG:4326 says they are" in str(told.value)
    # In range, and out of the reach of metres around the area.
    far = place.buildings.copy()
    far.loc[1, "geometry"] = shapely.Point(26, 0)
    with pytest.raises(BadInput, match="no place in metres around the area") as told:
        draw(place.area, far)
    assert [each.row for each in told.value.problems] == [2]


def test_the_180th_meridian_is_not_drawn_across():
    halves = [shapely.box(179.99, 65, 180, 65.01), shapely.box(-180, 65, -179.99, 65.01)]
    area = gpd.GeoDataFrame({"code": ["1", "2"]}, geometry=halves, crs=4326)
    homes = gpd.GeoDataFrame({"households": [3]}, geometry=[shapely.Point(180, 65.005)], crs=4326)
    with pytest.raises(BadInput, match=r"from -180 to 180 degrees of longitude.*on its own"):
        draw(area, homes)


@pytest.mark.filterwarnings("error")
def test_barriers_on_another_side_of_the_earth_are_none_of_the_area():
    place = town("3 3 3 3")
    far = gpd.GeoDataFrame(
        {"kind": ["river", "bridge"]},
        geometry=[shapely.LineString([(26, 0), (27, 1)]), shapely.Point(26, 0)], crs=4326,
    )  # fmt: skip
    plan = draw(place.area, place.buildings, far, target=60)
    assert plan.grids.to_wkb().equals(plan_of(place).grids.to_wkb())


def test_ids_and_kinds_that_are_missing_are_said_to_be():
    place = town("3 3 3")
    place.buildings["id"] = ["x", None, None]
    walls = gpd.GeoDataFrame(
        {"kind": ["wall", None]}, geometry=[shapely.LineString([(0, 0), (1, 1)])] * 2, crs=4326
    )
    with pytest.raises(BadInput) as told:
        draw(place.area, place.buildings, walls)
    assert [(each.source, each.row, each.reason) for each in told.value.problems] == [
        ("buildings", 2, "the id is missing"),
        ("buildings", 3, "the id is missing"),
        ("barriers", 2, "kind is missing"),
    ]


def test_duplicate_ids_wrong_kinds_and_invalid_units_are_refused():
    place = town("3 3 3")
    place.buildings["id"] = ["x", "y", "x"]
    bow = shapely.Polygon([(0, 0), (1, 1), (1, 0), (0, 1)])
    area = gpd.GeoDataFrame({"code": ["u"]}, geometry=[bow], crs=4326)
    moat = gpd.GeoDataFrame(
        {"kind": ["moat"]}, geometry=[shapely.LineString([(0, 0), (1, 1)])], crs=4326
    )
    with pytest.raises(BadInput) as told:
        draw(area, place.buildings, moat)
    text = str(told.value)
    for part in ("id x is there before", "Self-intersection", "'moat'"):
        assert part in text


def test_overlapping_units_are_refused_by_code():
    shapes = [shapely.box(116, 40, 116.02, 40.02), shapely.box(116.01, 40, 116.03, 40.02)]
    area = gpd.GeoDataFrame({"code": ["left", "right"]}, geometry=shapes, crs=4326)
    with pytest.raises(BadInput, match="units left and right overlap"):
        draw(area, town("3 3").buildings)


def test_no_building_inside_the_area_is_refused():
    place = town("3 3 3")
    far = town("3 3 3", origin=(117.0, 41.0))
    with pytest.raises(BadInput, match="none of the buildings lies inside"):
        draw(place.area, far.buildings)


def test_no_buildings_at_all_is_refused():
    place = town("3 3 3")
    with pytest.raises(BadInput, match="buildings: has no rows"):
        draw(place.area, place.buildings.iloc[:0])


def test_score_finds_what_is_wrong_with_a_hand_drawn_layer():
    place = town("3 3 3 3", footprint_m=60)
    west, south, east, north = place.area.to_crs(METRES).total_bounds
    third = (east - west) / 4
    shapes = [
        shapely.box(west, south, west + 1.5 * third, north),
        shapely.box(west + 1.4 * third, south, west + 2 * third, north),
        shapely.box(west + 3 * third, south, east, north),
    ]
    drawn = gpd.GeoDataFrame({"code": ["1", "2", "3"]}, geometry=shapes, crs=METRES)
    figures = score(
        drawn, target=60, buildings=place.buildings.to_crs(METRES), area=place.area.to_crs(METRES)
    )
    assert figures.overlaps_m2 == pytest.approx(0.1 * third * (north - south), rel=1e-3)
    assert figures.gaps_m2 == pytest.approx(third * (north - south), rel=1e-3)
    assert figures.buildings_cut == 1
    assert figures.households_unassigned == 30
    assert figures.grids == 3


def test_score_names_every_problem_of_its_layers():
    place = town("3 3 3")
    grids = place.area.assign(households=["12"])
    roads = place.area[["geometry"]]
    lines = place.area.assign(geometry=place.area.boundary)
    with pytest.raises(BadInput) as told:
        score(grids, target=0, area=lines, barriers=roads)
    assert [(each.source, each.row, each.field) for each in told.value.problems] == [
        ("grids", 1, "households"),
        ("area", 1, "geometry"),
        ("barriers", None, "kind"),
        (None, None, "target"),
    ]


def test_numbers_run_west_to_east_then_north_to_south():
    points = [(0, 10), (10, 10), (0, 0), (10, 0), (5, 5)]
    # Two rows; the point on the line between them belongs to the northern one.
    assert number_grids(points, ["15"] * 5) == ["15001", "15003", "15004", "15005", "15002"]
    assert number_grids(points[:2], ["07", "08"], digits=2) == ["0701", "0801"]
    assert number_grids([], []) == []
    with pytest.raises(BadInput, match="more than 2 digits"):
        number_grids(np.zeros((100, 2)), ["1"] * 100, digits=2)


def test_norms_by_area_type_are_data():
    assert {name: norm.target for name, norm in AREA_TYPES.items()} == {
        "urban": 300,
        "micro": 100,
        "rural": 40,
        "pastoral": 25,
    }


TWO_UNITS = """
    3 3 3 3 3 3
    3 3 3 3 3 3
    3 3 3 3 3 3
    3 3 3 3 3 3
"""


def test_units_of_two_norms_are_divided_each_by_its_own():
    place = town(TWO_UNITS, units="\n".join(["a a a b b b"] * 4))
    area = place.area.assign(target=[180, 60], tolerance=[0.1, None])
    plan = draw(area, place.buildings, place.barriers, target=300, tolerance=0.2)
    by_unit = plan.grids.groupby("unit")
    assert by_unit.size().tolist() == [2, 6]
    assert by_unit["target"].first().tolist() == [180, 60]
    assert by_unit["tolerance"].first().tolist() == [0.1, 0.2]
    assert plan.within_tolerance == 1
    assert shapely.coverage_is_valid(plan.grids.geometry.to_numpy())


def test_wrong_norms_of_units_are_named_with_their_rows():
    place = town(TWO_UNITS, units="\n".join(["a a a b b b"] * 4))
    area = place.area.assign(target=[0, "many"], tolerance=[0.1, 1.5])
    with pytest.raises(BadInput) as caught:
        draw(area, place.buildings)
    assert [(p.row, p.field) for p in caught.value.problems] == [
        (1, "target"),
        (2, "target"),
        (2, "tolerance"),
    ]
