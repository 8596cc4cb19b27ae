"""What holds for every plan: drawn on small made towns of every kind."""

import hashlib
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import shapely
from hypothesis import given, settings
from hypothesis import strategies as st

from grids.redistricting import Plan, draw, score
from tests.towns import Town, random_town

TARGET = 60


def plan_of(town: Town, seed: int = 1, target: float = TARGET) -> Plan:
    return draw(town.area, town.buildings, town.barriers, target=target, seed=seed)


def check(town: Town, plan: Plan) -> None:
    """Everything that must hold whatever the input."""
    grids = plan.grids.geometry.to_numpy()
    assert (shapely.get_type_id(grids) == 3).all()
    assert shapely.is_valid(grids).all()
    assert shapely.coverage_is_valid(grids)
    assert shapely.coverage_is_valid(plan.cells.geometry.to_numpy())
    assert plan.grids["code"].is_unique
    assert plan.grids["households"].sum() == town.buildings["households"].sum()
    assert plan.cells["households"].sum() == town.buildings["households"].sum()
    held = [identity for ids in plan.cells["building_ids"] for identity in ids]
    assert sorted(held) == sorted(town.buildings["id"])
    figures = score(
        plan.grids,
        target=TARGET,
        buildings=town.buildings,
        area=town.area,
        barriers=town.barriers,
    )
    assert figures.gaps_m2 == 0
    assert figures.overlaps_m2 == 0
    assert figures.outside_m2 == 0
    assert figures.across_units == 0
    assert figures.multipart == figures.invalid == 0
    assert figures.buildings_cut == 0
    assert figures.households_unassigned == 0
    assert figures.not_on_foot == 0


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 10**6), st.booleans(), st.booleans(), st.sampled_from([4326, 32650, 4549]))
def test_every_plan_tiles_its_town(seed, river, two_units, crs):
    town = random_town(seed, river=river, two_units=two_units, crs=crs)
    check(town, plan_of(town))


@settings(max_examples=15, deadline=None)
@given(st.integers(0, 10**6), st.floats(0.2, 1.6))
def test_no_footprint_is_ever_cut(seed, size):
    town = random_town(seed, width=9, height=8)
    metres = town.buildings.estimate_utm_crs()
    squares = town.buildings.to_crs(metres)
    spacing = 60 * size
    squares["geometry"] = squares.buffer(spacing / 2, cap_style="square")
    wide = Town(town.area, squares.to_crs(4326), town.barriers, town.points)
    figures = score(plan_of(wide).grids, target=TARGET, buildings=wide.buildings, area=wide.area)
    # Footprints are cut only where a unit's line crosses them: then grids of two units hold them.
    lines = wide.area.to_crs(metres).boundary.union_all().buffer(0.02)
    crossing = int(wide.buildings.to_crs(metres).intersects(lines).sum())
    assert figures.buildings_cut <= crossing
    assert figures.gaps_m2 == figures.overlaps_m2 == 0


@pytest.mark.parametrize("seed", [1, 2])
def test_same_seed_same_plan_byte_for_byte(seed):
    town = random_town(7, width=16, height=14)
    first, second = plan_of(town, seed), plan_of(town, seed)
    assert first.grids.to_wkb().equals(second.grids.to_wkb())
    assert first.cells.to_wkb().equals(second.cells.to_wkb())
    assert first.findings == second.findings


def test_another_process_draws_the_same_plan():
    """Sets in another order, another number of threads: nothing of it is in a plan."""
    told = (
        "from tests.grids.redistricting.test_plan_properties import drawn_hash;print(drawn_hash())"
    )
    other = {"PYTHONHASHSEED": "7", "OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}
    done = subprocess.run(
        [sys.executable, "-c", told],
        env=os.environ | other | {"PYTHONPATH": str(Path(__file__).parents[3])},
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert done.stdout.strip() == drawn_hash()


def drawn_hash() -> str:
    """Of the grids of a town drawn anew, and of that town drawn from them for another target."""
    town = random_town(7, width=16, height=14)
    first = plan_of(town)
    second = draw(town.area, town.buildings, town.barriers, target=50, before=first)
    shapes = [*first.grids.to_wkb().geometry, *second.grids.to_wkb().geometry]
    return hashlib.sha256(b"".join(shapes)).hexdigest()


def test_order_of_rows_does_not_unbalance_a_plan():
    town = random_town(11, width=16, height=14, river=False)
    dice = np.random.default_rng(3)
    mixed = town.buildings.iloc[dice.permutation(len(town.buildings))]
    plan = draw(town.area, mixed, town.barriers, target=TARGET)
    check(Town(town.area, mixed, town.barriers, town.points), plan)
