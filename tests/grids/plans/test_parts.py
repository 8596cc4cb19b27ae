"""A village that is drawn by itself, put into a branch of the edition of its county."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
import shapely
import sqlalchemy as sa

from boundaries import editions
from boundaries.errors import EditionConflict
from gis.database import execute
from gis.errors import BadInput
from grids import going_back, planning, service
from grids.checking import check
from grids.errors import RollbackRefused
from grids.plans import approval, comparison, opening
from grids.plans.errors import MoveRefused
from tests import factories
from tests.grids.plans.test_life import NOW, in_force

if TYPE_CHECKING:
    from tests.grids.plans.conftest import Table

VILLAGE = factories.VILLAGES[0]


def drawn_alone(table: Table, **more: object) -> int:
    _, edition = planning.draw_draft(
        table.session,
        VILLAGE,
        author="li",
        target=200,
        effort="quick",
        **more,  # type: ignore[arg-type]
    )
    return edition.id


def test_the_rest_stays_to_the_byte(table: Table) -> None:
    in_force(table)
    alone = drawn_alone(table)
    with pytest.raises(EditionConflict, match=f"branch {table.edition} --part {alone}"):
        service.publish(table.session, alone, approver="zhao")
    drawn = type(table)(table.session, alone).grids().values()
    plan = opening.branch(table.session, table.edition, title="", author="li", part=alone)
    branch = type(table)(table.session, plan.edition_id)

    def told(grids: object) -> set[tuple[object, ...]]:
        return {(g.grid_id, g.code, g.households, g.target, bytes(g.geom.data)) for g in grids}  # type: ignore[attr-defined]

    outside = [g for g in table.grids().values() if not g.unit_code.startswith(VILLAGE)]
    now = branch.grids().values()
    assert told(g for g in now if not g.unit_code.startswith(VILLAGE)) == told(outside)
    assert {(g.code, g.households, g.target) for g in now if g.unit_code == VILLAGE} == {
        (g.code, g.households, g.target) for g in drawn
    }
    assert plan.unassigned == 0
    assert check(table.session, editions.get(table.session, plan.edition_id), NOW) == []
    approval.submit(table.session, plan.edition_id, author="li", at=NOW)
    approval.approve(table.session, plan.edition_id, approver="zhao")
    done = approval.publish(table.session, plan.edition_id, publisher="zhao")
    assert [old.id for old in done.replaced] == [table.edition]
    assert done.kept >= len(outside)


def test_a_part_is_compared_on_its_own_ground(table: Table) -> None:
    in_force(table)
    alone = drawn_alone(table)
    village = [g for g in table.grids().values() if g.unit_code == VILLAGE]
    for first, second in ((table.edition, alone), (alone, table.edition)):
        found = comparison.compare(table.session, first, second, at=NOW)
        assert found.area_code == VILLAGE
        assert {load.households for load in found.loads} == {sum(g.households for g in village)}
        assert all(flow.from_code and flow.to_code for flow in found.flows)
        letters = comparison.letters(table.session, found, at=NOW)
        assert sum(row["households"] for row in letters) == found.households_moved
        ground = comparison.difference(table.session, found)
        assert all(piece["from_grid"] and piece["to_grid"] for piece in ground)
    _, other = planning.draw_draft(
        table.session, factories.VILLAGES[1], author="li", target=200, effort="quick"
    )
    with pytest.raises(BadInput, match="no ground in common"):
        comparison.compare(table.session, alone, other.id, at=NOW)


def test_households_are_those_of_now(table: Table) -> None:
    in_force(table)
    execute(
        table.session,
        "UPDATE buildings SET households_resident = households_resident + 5 WHERE unit_code = :v",
        v=VILLAGE,
    )
    alone = drawn_alone(table)
    plan = opening.branch(table.session, table.edition, title="", author="li", part=alone)
    branch = type(table)(table.session, plan.edition_id)
    assert {g.code: g.households for g in branch.grids().values() if g.unit_code == VILLAGE} == {
        g.code: g.households for g in type(table)(table.session, alone).grids().values()
    }
    assert plan.households == sum(g.households for g in branch.grids().values())


def test_buildings_of_neighbours_in_the_same_box_are_not_told_as_lost(table: Table) -> None:
    # The border of the two villages runs aslant: the box of each reaches over the other.
    west, east = factories.WEST, factories.WEST + 4 * factories.STEP
    south, north, middle = factories.SOUTH, factories.NORTH, factories.WEST + 2 * factories.STEP
    aslant = [(middle - 0.004, south), (middle + 0.004, north)]
    for code, corners in (
        (factories.VILLAGES[0], [(west, south), *aslant, (west, north)]),
        (factories.VILLAGES[1], [(east, south), *aslant, (east, north)]),
    ):
        execute(
            table.session,
            "UPDATE admin_units SET geom = ST_Multi(ST_GeomFromText(:wkt, 4326)) "
            "WHERE code = :code",
            wkt=shapely.Polygon(corners).wkt, code=code,
        )  # fmt: skip
    execute(
        table.session,
        "UPDATE buildings AS b SET unit_code = u.code FROM admin_units AS u "
        "WHERE u.level = 12 AND ST_Covers(u.geom, b.point)",
    )
    plan, _ = planning.draw_draft(table.session, VILLAGE, author="li", target=200, effort="quick")
    assert not list(plan.broken("building_outside"))
    assert plan.grids["households"].sum() == table.session.scalar(
        sa.text("SELECT sum(households) FROM buildings WHERE unit_code = :v"), {"v": VILLAGE}
    )
    # One that is said to be of the village, and lies in the other, is told.
    execute(
        table.session,
        "UPDATE buildings SET unit_code = :v WHERE id = (SELECT max(id) FROM buildings "
        "WHERE unit_code <> :v AND ST_X(point) < :east)",
        v=VILLAGE, east=middle + 0.003,
    )  # fmt: skip
    plan, _ = planning.draw_draft(table.session, VILLAGE, author="li", target=200, effort="quick")
    assert len(list(plan.broken("building_outside"))) == 1


def test_refused(table: Table) -> None:
    in_force(table)
    alone = drawn_alone(table)

    def branch(edition: int, part: int) -> None:
        opening.branch(table.session, edition, title="", author="li", part=part)

    with pytest.raises(MoveRefused, match="no part of 990121"):
        branch(table.edition, table.edition)
    with pytest.raises(MoveRefused, match="no part of"):
        branch(alone, table.edition)


def build(table: Table, shape: str) -> None:
    """A house of 9 households, of a shape made from a cell of the village that nobody lives in."""
    execute(
        table.session,
        "INSERT INTO buildings (county_code, unit_code, households_resident, geom, source, "
        f"external_id) SELECT '990121', unit_code, 9, {shape}, 't', 'new' FROM cells "
        "WHERE edition_id = :e AND unit_code = :v ORDER BY cardinality(building_ids), cell_id "
        "LIMIT 1",
        e=table.edition,
        v=VILLAGE,
    )


def test_a_new_building_goes_to_the_cell_that_covers_it(table: Table) -> None:
    in_force(table)
    build(table, "ST_PointOnSurface(geom)")
    alone = drawn_alone(table)
    plan = opening.branch(table.session, table.edition, title="", author="li", part=alone)
    (new,) = table.session.scalars(sa.text("SELECT id FROM buildings WHERE external_id = 'new'"))
    holders = table.session.execute(
        sa.text("SELECT households FROM cells WHERE edition_id = :e AND :b = ANY(building_ids)"),
        {"e": plan.edition_id, "b": new},
    ).all()
    assert len(holders) == 1
    assert holders[0].households >= 9
    total = "SELECT sum(households) FROM buildings"
    assert plan.households == table.session.scalar(sa.text(total))


def test_a_new_building_over_borders_of_cells_is_refused(table: Table) -> None:
    in_force(table)
    build(table, "ST_Buffer(ST_StartPoint(ST_ExteriorRing(geom)), 2e-5)")
    with pytest.raises(MoveRefused, match=r"1 building that no cell of edition \d+ covers whole"):
        opening.branch(table.session, table.edition, title="", author="li", part=drawn_alone(table))


def test_editions_of_parts_give_way_to_one_of_the_whole(table: Table) -> None:
    parts = []
    for village in factories.VILLAGES[:2]:
        _, edition = planning.draw_draft(
            table.session, village, author="li", target=200, effort="quick"
        )
        service.publish(table.session, edition.id, approver="zhao")
        parts.append(edition.id)
    done = in_force(table)
    assert [old.id for old in done.replaced] == parts
    with pytest.raises(RollbackRefused, match="branch of it, then of that branch") as refused:
        going_back.roll_back(table.session, table.edition, actor="zhao")
    assert f"wangge plan branch {table.edition} --part {parts[0]}" in str(refused.value)
    number = table.edition
    for part in parts:
        number = opening.branch(table.session, number, title="", author="li", part=part).edition_id
    before = {grid for n in parts for grid in type(table)(table.session, n).grids()}
    assert set(type(table)(table.session, number).grids()) == before
