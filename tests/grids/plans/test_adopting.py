"""Grids drawn by hand, with a gap, an overlap and a cut building, become a plan."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import geopandas as gpd
import pytest
from shapely import box

from gis.database import execute
from grids import service
from grids.plans import kinds, notes, opening
from grids.plans.errors import MoveRefused
from tests import factories
from tests.grids.plans.test_moves import holds, make

if TYPE_CHECKING:
    from tests.grids.plans.conftest import Table

WEST, SOUTH, NORTH, STEP = factories.WEST, factories.SOUTH, factories.NORTH, factories.STEP


def drawn_by_hand(table: Table) -> int:
    """Two grids a village: the first two overlap, of the others a strip is in none."""
    middle = WEST + STEP
    shapes = {
        factories.grid_code(0): box(WEST, SOUTH, middle + 0.004, NORTH),
        factories.grid_code(1): box(middle - 0.003, SOUTH, WEST + 2 * STEP, NORTH),
        factories.grid_code(2): box(WEST + 2 * STEP, SOUTH, WEST + 2.7 * STEP, NORTH),
        factories.grid_code(3): box(WEST + 3.1 * STEP, SOUTH, WEST + 4 * STEP, NORTH),
    }
    frame = gpd.GeoDataFrame(
        {
            "code": list(shapes),
            "unit": [code[:12] for code in shapes],
            "households": 300,
            "buildings": 20,
            "target": 300,
        },
        geometry=list(shapes.values()),
        crs=4326,
    )
    return service.save_draft(
        table.session, factories.COUNTY, frame, title="by hand", author="li"
    ).id


def test_it_is_found_shown_and_cleaned(table: Table) -> None:
    edition = drawn_by_hand(table)
    with pytest.raises(MoveRefused, match="plan branch"):
        opening.open_draft(table.session, edition, author="li")
    plan = opening.branch(table.session, edition, title="clean", author="li")
    mine = type(table)(table.session, plan.edition_id)
    known = execute(
        table.session, "SELECT grid_id FROM grid_shapes WHERE edition_id = :e", e=edition
    )
    assert set(mine.grids()) == set(known.scalars())
    assert mine.plan.unassigned > 0
    said = notes.comments(table.session, mine.plan)
    assert {each.author for each in said} == {"wangge"}
    gaps = [each for each in said if each.words.startswith("no grid")]
    assert len(gaps) == mine.plan.unassigned
    assert all(re.fullmatch(r"no grid: [\d,]+ households?", each.words) for each in gaps)
    holds(mine)
    make(mine, kinds.repair(table.session, mine.plan))
    assert mine.plan.unassigned == 0
    holds(mine)
    # What was drawn by hand stays as it was.
    assert execute(
        table.session, "SELECT count(*) FROM cells WHERE edition_id = :e", e=edition
    ).scalar_one() == 0  # fmt: skip


def test_without_buildings_there_are_no_cells(table: Table) -> None:
    edition = drawn_by_hand(table)
    execute(table.session, "DELETE FROM buildings")
    with pytest.raises(MoveRefused, match="Import buildings"):
        opening.branch(table.session, edition, title="x", author="li")
