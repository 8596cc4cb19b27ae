"""Numbers of grids, shapes, locked and exclusive ground, efforts and cancelling."""

import threading

import geopandas as gpd
import numpy as np
import pytest
import shapely

from bench.planner.towns import made_town
from gis.errors import BadInput
from grids.redistricting import EFFORTS, PRICES, Cancelled, draw, score
from tests.grids.redistricting.test_plan_properties import TARGET, check
from tests.towns import METRES, Town, random_town, town

SQUARE = """
    3 3 3 3 3 3
    3 3 3 3 3 3
    3 3 3 3 3 3
    3 3 3 3 3 3
"""


def rules(plan) -> set[str]:
    return {finding.rule for finding in plan.findings}


@pytest.mark.parametrize("count", [1, 3, 7, 12, 24])
def test_exactly_so_many_grids_are_drawn(count):
    place = town(SQUARE)
    plan = draw(place.area, place.buildings, place.barriers, target=60, count=count)
    assert len(plan.grids) == count
    assert plan.grids["households"].sum() == 720
    assert plan.grids["target"].iloc[0] == pytest.approx(720 / count)
    if 24 % count == 0:
        assert plan.within_tolerance == 1


@pytest.mark.parametrize("seed", range(6))
def test_counted_grids_tile_any_town(seed):
    place = random_town(seed, river=bool(seed % 2), two_units=bool(seed % 3))
    plan = draw(place.area, place.buildings, place.barriers, count=9)
    assert len(plan.grids) == 9
    check(place, plan)


def test_too_few_and_too_many_grids_are_refused_with_the_number_that_goes():
    place = town("3 3 3\n= = =\n3 3 3")
    with pytest.raises(BadInput, match=r"falls into 2 parts.*at least 2"):
        draw(place.area, place.buildings, place.barriers, count=1)
    with pytest.raises(BadInput, match=r"but the area has 6 cells.*at most 6"):
        draw(place.area, place.buildings, place.barriers, count=7)


@pytest.mark.parametrize(("bounds", "grids"), [((14, None), 14), ((None, 8), 8), ((10, 14), 12)])
def test_number_of_grids_stays_within_bounds(bounds, grids):
    place = town(SQUARE)
    low, high = bounds
    plan = draw(place.area, place.buildings, target=60, minimum=low, maximum=high)
    assert len(plan.grids) == grids


def test_every_figure_that_cannot_be_used_is_named():
    place = town(SQUARE)
    with pytest.raises(BadInput) as told:
        draw(
            place.area,
            place.buildings,
            count=0,
            minimum=2.5,
            compactness_floor=2,
            walk_m=-1,
            keep=-1,
        )
    named = {problem.field for problem in told.value.problems}
    assert named == {"count", "minimum", "compactness_floor", "walk_m", "keep"}
    with pytest.raises(BadInput, match="minimum 5 is above maximum 3"):
        draw(place.area, place.buildings, minimum=5, maximum=3)
    with pytest.raises(BadInput, match="quick, normal, thorough"):
        draw(place.area, place.buildings, effort="heroic")
    with pytest.raises(BadInput, match="urban, micro, rural, pastoral"):
        draw(place.area, place.buildings, prices="lunar")


@pytest.mark.parametrize("effort", [*EFFORTS, 0.5])
def test_every_effort_ends_in_a_plan(effort):
    place = random_town(5)
    check(place, draw(place.area, place.buildings, place.barriers, target=TARGET, effort=effort))


@pytest.mark.parametrize("name", PRICES)
def test_every_area_type_has_prices_that_make_plans(name):
    place = random_town(6)
    check(place, draw(place.area, place.buildings, place.barriers, target=TARGET, prices=name))


def test_a_drawing_is_called_off():
    place = town(SQUARE)
    stop = threading.Event()
    stages = []

    def progress(stage, share):
        stages.append((stage, share))
        if stage == "annealing":
            stop.set()

    with pytest.raises(Cancelled):
        draw(place.area, place.buildings, target=60, progress=progress, cancel=stop)
    assert stages[-1][0] == "annealing"
    with pytest.raises(Cancelled):
        draw(place.area, place.buildings, cancel=lambda: True)


def block(place: Town, x: float, y: float, size: tuple[float, float]) -> shapely.Polygon:
    """Rectangle of the town's ground, in cells of 100 m from its south-west corner."""
    west, south, _, _ = place.area.to_crs(METRES).total_bounds
    x, y = west + 100 * x, south + 100 * y
    return shapely.box(x, y, x + 100 * size[0], y + 100 * size[1])


def test_locked_grids_stay_as_they_are():
    place = town(SQUARE)
    shapes = [block(place, 0, 0, (2, 1)), block(place, 3, 1, (1, 3))]
    locked = gpd.GeoDataFrame({"code": ["L1", "L2"]}, geometry=shapes, crs=METRES)
    plan = draw(place.area, place.buildings, target=60, locked=locked)
    kept = plan.grids.set_index("code").to_crs(METRES)
    assert kept.loc[["L1", "L2"], "households"].tolist() == [60, 90]
    for code, shape in zip(["L1", "L2"], shapes, strict=True):
        assert kept.loc[code, "geometry"].symmetric_difference(shape).area < 1
    assert set(plan.grids["unit"]) == {"150121001001"}
    assert plan.grids["households"].sum() == 720
    check(place, plan)


def test_locks_that_leave_too_little_say_which_to_open():
    place = town("3 3 3 3 3")
    locked = gpd.GeoDataFrame(
        {"code": ["L1", "L2"]},
        geometry=[block(place, 0, 0, (1, 1)), block(place, 1, 0, (3, 1))],
        crs=METRES,
    )
    plan = draw(place.area, place.buildings, target=60, locked=locked)
    (found,) = plan.broken("locks_leave_uneven")
    assert "30 households are left beside 2 locked grids" in found.text
    assert "unlocking L1 would do" in found.text
    assert set(plan.grids["code"]) >= {"L1", "L2"}


def test_grids_along_a_long_straight_border_can_be_locked():
    # Straight in degrees is bent in metres: by centimetres on these 3 km, along which the grids
    # have vertices of their own.
    place = town("\n".join(["3 " * 30] * 3))
    place.area["geometry"] = shapely.box(*place.area.total_bounds)
    plan = draw(place.area, place.buildings, target=1350)
    again = draw(place.area, place.buildings, target=1350, locked=plan.grids)
    assert again.grids["code"].tolist() == plan.grids["code"].tolist()
    assert again.grids["households"].tolist() == plan.grids["households"].tolist()
    check(place, again)


def test_everything_locked_is_the_plan_already():
    place = town("3 3 3 3")
    locked = gpd.GeoDataFrame(
        {"code": ["L1", "L2"]},
        geometry=[block(place, 0, 0, (2, 1)), block(place, 2, 0, (2, 1))],
        crs=METRES,
    )
    plan = draw(place.area.to_crs(METRES), place.buildings, target=60, locked=locked)
    assert plan.grids["code"].tolist() == ["L1", "L2"]


def test_locks_that_reach_out_or_repeat_a_code_are_refused():
    place = town(SQUARE)
    out = gpd.GeoDataFrame({"code": ["L"]}, geometry=[block(place, -1, 0, (2, 1))], crs=METRES)
    with pytest.raises(BadInput, match=r"locked grid L reaches out of its area row by 10,0.. m²"):
        draw(place.area, place.buildings, locked=out)
    twice = gpd.GeoDataFrame(
        {"code": ["L", "L"]},
        geometry=[block(place, 0, 0, (1, 1)), block(place, 2, 0, (1, 1))],
        crs=METRES,
    )
    with pytest.raises(BadInput, match="row 2, field code: code L is there before"):
        draw(place.area, place.buildings, locked=twice)


def test_a_number_of_grids_that_locks_leave_no_ground_for_is_refused():
    place = town("3 3 3 3")
    west, south, east, north = place.area.to_crs(METRES).total_bounds
    middle = (west + east) / 2
    shapes = [shapely.box(west, south, middle, north), shapely.box(middle, south, east, north)]
    locked = gpd.GeoDataFrame({"code": ["L1", "L2"]}, geometry=shapes, crs=METRES)
    area = place.area.to_crs(METRES)
    for asked in ({"count": 5}, {"minimum": 5}):
        with pytest.raises(BadInput, match="5 grids were asked for beside 2 locked ones, but") as e:
            draw(area, place.buildings, locked=locked, **asked)
        assert e.value.problems[0].field in asked
    # A number that is met is no reason to refuse.
    assert len(draw(area, place.buildings, locked=locked, maximum=3).grids) == 2
    with pytest.raises(BadInput, match="beside 1 locked one, but the ground that is not locked"):
        draw(area, place.buildings, locked=locked.iloc[:1], count=5)


def test_locked_grids_that_overlap_are_refused_by_name():
    place = town(SQUARE)
    locked = gpd.GeoDataFrame(
        {"code": ["L1", "L2"]},
        geometry=[block(place, 0, 0, (2, 1)), block(place, 1, 0, (2, 1))],
        crs=METRES,
    )
    with pytest.raises(
        BadInput, match=r"locked, row 2.*locked grids L1 and L2 overlap by 10,0.. m²"
    ):
        draw(place.area, place.buildings, locked=locked)


def test_ground_that_lies_apart_is_told_with_what_lies_between():
    place = town("3 3 3 3 3")
    between = gpd.GeoDataFrame({"code": ["L"]}, geometry=[block(place, 2, 0, (1, 1))], crs=METRES)
    (found,) = draw(place.area, place.buildings, target=60, locked=between).broken(
        "cut_off_on_foot"
    )
    assert found.text.endswith("unlocking L beside it may join them")
    cut = draw(place.area, place.buildings, target=60, exclusive=between)
    (found,) = cut.broken("cut_off_on_foot")
    assert found.text.endswith("the ground of the unit lies in pieces")


def test_exclusive_ground_is_cut_out_and_its_people_named():
    place = town(SQUARE)
    campus = gpd.GeoDataFrame(geometry=[block(place, 2, 1, (2, 2))], crs=METRES)
    plan = draw(place.area, place.buildings, target=60, exclusive=campus)
    assert plan.grids["households"].sum() == 720 - 120
    inside = list(plan.broken("in_exclusive_ground"))
    assert len(inside) == 4
    assert "building_outside" not in rules(plan)
    assert not plan.grids.to_crs(METRES).intersects(campus.geometry[0].buffer(-0.1)).any()
    with pytest.raises(BadInput, match="no ground is left"):
        draw(place.area, place.buildings, exclusive=place.area)


def test_a_second_measure_is_balanced_too():
    # Incidents lie in the west, households evenly.
    place = town("\n".join(["3 " * 12] * 8))
    west = place.buildings.geometry.x < place.buildings.geometry.x.median()
    buildings = place.buildings.assign(incidents=np.where(west, 9.0, 1.0))
    plain = draw(place.area, buildings, target=240, second="incidents", second_weight=0)
    even = draw(place.area, buildings, target=240, second="incidents", second_weight=1)
    assert even.grids["incidents"].sum() == plain.grids["incidents"].sum() == 480
    assert even.grids["incidents"].std() < plain.grids["incidents"].std()
    assert even.within_tolerance == 1
    with pytest.raises(BadInput, match="no column events"):
        draw(place.area, buildings, second="events")
    buildings.loc[2, "incidents"] = -1
    with pytest.raises(BadInput, match="row 3, field incidents: incidents is -1"):
        draw(place.area, buildings, second="incidents")


def test_ground_is_a_second_measure_that_needs_no_column():
    place = town("\n".join(["3 1 1 3 . . 3 1 1 1 3 . . 3 . . 3 . . 3 1 1 1 3"] * 12))
    asked = {"target": 180, "tolerance": 0.25, "second": "area_m2"}
    plain = draw(place.area, place.buildings, second_weight=0, **asked)
    even = draw(place.area, place.buildings, second_weight=3, **asked)
    assert even.grids["area_m2"].std() < 0.5 * plain.grids["area_m2"].std()
    assert even.within_tolerance == plain.within_tolerance == 1
    with pytest.raises(BadInput, match="field second: households is a figure of the grids already"):
        draw(place.area, place.buildings, second="households")


def test_limits_of_shape_are_kept_or_named():
    place = town(SQUARE)
    plan = draw(place.area, place.buildings, target=120, compactness_floor=0.99, walk_m=90)
    assert len(list(plan.broken("below_compactness"))) == len(plan.grids)
    assert all("more than 90" in found.text for found in plan.broken("walk_too_far"))
    easy = draw(place.area, place.buildings, target=120, compactness_floor=0.2, walk_m=2000)
    assert rules(easy).isdisjoint({"below_compactness", "walk_too_far"})
    assert score(easy.grids, target=120, buildings=place.buildings).within == 1


def test_limits_that_are_kept_anyway_change_nothing():
    area, buildings, barriers = made_town(10_000, 5, "old town")
    free = draw(area, buildings, barriers)
    held = draw(
        area, buildings, barriers, compactness_floor=0.8 * free.grids["compactness"].min(),
        walk_m=2000,
    )  # fmt: skip
    assert held.grids.to_wkb().equals(free.grids.to_wkb())


@pytest.mark.parametrize(("profile", "most"), [("urban", 0.75), ("high-rise", 0.9)])
def test_limits_of_shape_act_where_they_are_broken(profile, most):
    area, buildings, barriers = made_town(40_000, 12, profile)
    free = draw(area, buildings, barriers)
    floor = 0.42
    held = draw(area, buildings, barriers, compactness_floor=floor)
    low = int((free.grids["compactness"] < floor).sum())
    assert low >= 4
    assert len(list(held.broken("below_compactness"))) <= most * low
    assert held.within_tolerance >= free.within_tolerance - 0.01
    # The most part of the plan is as it was, to the last vertex.
    assert held.grids.geometry.to_wkb().isin(free.grids.geometry.to_wkb()).mean() > 0.5


def test_longest_way_on_foot_acts_where_it_is_broken():
    area, buildings, barriers = made_town(20_000, 5, "old town")

    def named(plan):
        return {finding.place for finding in plan.broken("walk_too_far")}

    free = draw(area, buildings, barriers)
    held = draw(area, buildings, barriers, walk_m=420)
    # Locked grids stay as they are: so both plans are measured alike.
    freely, again = (
        named(draw(area, buildings, barriers, locked=plan.grids, walk_m=420))
        for plan in (free, held)
    )
    assert len(freely) >= 4
    assert len(again) <= 0.6 * len(freely)
    assert held.within_tolerance >= free.within_tolerance - 0.01
