"""Moves on a plan: what they do, what they refuse, and that the tiling holds after each."""

from __future__ import annotations

import contextlib
from functools import partial
from typing import TYPE_CHECKING

import numpy as np
import pytest
import shapely
import sqlalchemy as sa
from geoalchemy2.shape import to_shape
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from grids import service
from grids.checking import check
from grids.plans import changes, history, kinds, locks
from grids.plans.errors import GridLocked, MoveRefused, PlanConflict
from grids.plans.members import members, pieces

if TYPE_CHECKING:
    from tests.grids.plans.conftest import Table


def edge_cell(table: Table) -> tuple[int, int, int]:
    """A cell at the edge of its grid, its grid, and the grid beside it of the same unit."""
    cells = table.cells()
    for cell in cells.values():
        for other in cell.neighbours or ():
            near = cells[other]
            if near.grid_id != cell.grid_id and near.unit_code == cell.unit_code:
                mine = members(table.session, table.edition, [cell.grid_id or 0])
                rest = [each for each in mine.values() if each.cell_id != cell.cell_id]
                if len(pieces(rest)) == 1:
                    assert cell.grid_id
                    assert near.grid_id
                    return cell.cell_id, cell.grid_id, near.grid_id
    raise AssertionError("no such cell")


def make(table: Table, change: changes.Change, *, author: str = "wang") -> changes.Done:
    plan = table.plan
    return changes.carry_out(table.session, plan, change, author=author, version=plan.version)


def holds(table: Table) -> None:
    """The plan tiles its area, and its figures are those of its rows."""
    edition = table.session.get_one(service.Edition, table.edition)
    plan, grids, cells = table.plan, table.grids(), table.cells()
    if plan.unassigned == 0:
        assert check(table.session, edition, edition.created_at) == []
    for grid, shape in grids.items():
        mine = [cell for cell in cells.values() if cell.grid_id == grid]
        assert shape.households == sum(cell.households for cell in mine)
        assert shape.buildings == sum(len(cell.building_ids) for cell in mine)
        ground = shapely.union_all([to_shape(cell.geom) for cell in mine])
        assert to_shape(shape.geom).symmetric_difference(ground).area < 1e-14
        assert {cell.unit_code for cell in mine} == {shape.unit_code}
    shares = [abs(each.households / each.target - 1) for each in grids.values()]
    assert plan.grids == len(grids)
    assert plan.households == sum(each.households for each in grids.values())
    assert plan.within_tolerance == sum(share <= 0.1 + 1e-9 for share in shares)
    assert plan.deviation_sum == sum(round(share * 1e9) for share in shares)
    assert plan.compactness_sum == sum(round(each.compactness * 1e6) for each in grids.values())
    assert plan.unassigned == sum(cell.grid_id is None for cell in cells.values())


def test_a_cell_goes_to_the_grid_beside_it(table: Table) -> None:
    cell, old, new = edge_cell(table)
    before = table.grids()
    counts = {grid: before[grid].households for grid in (old, new)}
    households = table.cells()[cell].households
    told = make(table, kinds.move(table.session, table.plan, [cell], new))
    assert {row["grid_id"] for row in told.touched} == {old, new}
    after = table.grids()
    assert after[old].households == counts[old] - households
    assert after[new].households == counts[new] + households
    assert table.cells()[cell].grid_id == new
    holds(table)


def test_undo_and_redo_give_back_every_byte(table: Table) -> None:
    begin = table.state()
    cell, _, new = edge_cell(table)
    make(table, kinds.move(table.session, table.plan, [cell], new))
    moved = table.state()
    history.undo(table.session, table.plan, author="li", version=table.plan.version)
    assert table.state() == begin
    history.redo(table.session, table.plan, author="li", version=table.plan.version)
    assert table.state() == moved
    with pytest.raises(MoveRefused, match="no move to make again"):
        history.redo(table.session, table.plan, author="li", version=table.plan.version)


def test_a_split_and_a_merge(table: Table) -> None:
    begin = table.state()
    grid = next(iter(table.grids()))
    code = table.grids()[grid].code
    told = make(table, kinds.split(table.session, table.plan, grid, 2))
    assert len(told.touched) == 2
    assert told.touched[0]["code"] == code
    halves = [row["households"] for row in told.touched]
    assert min(halves) > 0.4 * sum(halves)
    holds(table)
    made = [row["grid_id"] for row in told.touched]
    merged = make(table, kinds.merge(table.session, table.plan, made))
    assert len(merged.gone) == 1
    holds(table)
    for _ in range(2):
        history.undo(table.session, table.plan, author="li", version=table.plan.version)
    assert table.state() == begin


def test_a_split_along_a_line(table: Table) -> None:
    grid, shape = next(iter(table.grids().items()))
    west, south, east, north = to_shape(shape.geom).bounds
    middle = (west + east) / 2
    line = shapely.LineString([(middle, south - 0.01), (middle + 0.0001, north + 0.01)])
    told = make(table, kinds.split_by_line(table.session, table.plan, grid, line))
    assert len(told.touched) >= 2
    holds(table)
    aside = shapely.LineString([(west - 0.1, south), (west - 0.1, north)])
    with pytest.raises(MoveRefused, match="one side"):
        kinds.split_by_line(table.session, table.plan, grid, aside)


def test_a_new_border_drawn_by_hand(table: Table) -> None:
    cell, _, new = edge_cell(table)
    shape = to_shape(table.cells()[cell].geom).buffer(1e-6)
    change = kinds.border(table.session, table.plan, shape, new)
    assert set(change.to) == {cell}
    make(table, change)
    holds(table)
    # A whole grid and a little of what lies around it: a new one, with a code of its own.
    shape = to_shape(table.grids()[new].geom).buffer(1e-6)
    codes = {each.code for each in table.grids().values()}
    told = make(table, kinds.border(table.session, table.plan, shape, None))
    assert [each["code"] for each in told.touched if each["code"] not in codes]
    assert len(told.gone) == 1
    holds(table)
    with pytest.raises(MoveRefused, match="no cell lies"):
        kinds.border(table.session, table.plan, shapely.box(0, 0, 1, 1), None)


def test_a_selection_is_balanced_anew(table: Table) -> None:
    cell, old, new = edge_cell(table)
    near = [
        cell,
        *[c for c, m in members(table.session, table.edition, [old]).items() if c != cell][:4],
    ]
    make(table, kinds.move(table.session, table.plan, near[:1], new))
    counts = [table.grids()[grid].households for grid in (old, new)]
    make(table, kinds.rebalance(table.session, table.plan, [old, new]))
    after = [table.grids()[grid].households for grid in (old, new)]
    assert sum(after) == sum(counts)
    assert abs(after[0] - after[1]) <= abs(counts[0] - counts[1]) + 10
    holds(table)


def test_released_ground_finds_a_grid_again(table: Table) -> None:
    cell, old, _ = edge_cell(table)
    make(table, kinds.move(table.session, table.plan, [cell], None))
    assert table.plan.unassigned == 1
    holds(table)
    make(table, kinds.repair(table.session, table.plan))
    assert table.plan.unassigned == 0
    assert old
    holds(table)
    with pytest.raises(MoveRefused, match="nothing to mend"):
        kinds.repair(table.session, table.plan)


def test_what_would_break_a_rule_is_refused_and_changes_nothing(table: Table) -> None:
    begin = table.state()
    grids = table.grids()
    units = {shape.unit_code: grid for grid, shape in grids.items()}
    cells = table.cells()
    of_first = next(c for c, each in cells.items() if each.unit_code == min(units))
    with pytest.raises(MoveRefused, match="over the line"):
        make(table, kinds.move(table.session, table.plan, [of_first], units[max(units)]))
    grid = cells[of_first].grid_id
    far = next(
        g for g, shape in grids.items()
        if shape.unit_code == min(units) and g != grid
        and not {cells[n].grid_id for n in cells[of_first].neighbours or ()} & {g}
    )  # fmt: skip
    with pytest.raises(MoveRefused, match="pieces"):
        make(table, kinds.move(table.session, table.plan, [of_first], far))
    for bad, why in (
        (changes.Change("move", {10**6: far}, {}), "no cell 1000000"),
        (changes.Change("move", {of_first: 10**9}, {}), "no grid "),
        (changes.Change("move", {of_first: grid or 0}, {}), "nothing would change"),
    ):
        with pytest.raises(MoveRefused, match=why):
            make(table, bad)
    with pytest.raises(MoveRefused, match="no grid"):
        kinds.split(table.session, table.plan, 10**9, 2)
    with pytest.raises(MoveRefused, match="cannot become"):
        kinds.split(table.session, table.plan, far, 1)
    with pytest.raises(MoveRefused, match="two or more"):
        kinds.merge(table.session, table.plan, [far])
    even = changes.Change("rebalance", {of_first: grid or 0}, {})
    with pytest.raises(MoveRefused, match="do not divide more evenly"):
        make(table, even)
    assert table.state() == begin


def test_a_piece_is_taken_along(table: Table) -> None:
    """A cell whose going cuts its grid in two goes with what it cuts off."""
    cells = table.cells()
    for cell in cells.values():
        mine = members(table.session, table.edition, [cell.grid_id or 0])
        rest = [each for each in mine.values() if each.cell_id != cell.cell_id]
        beside = {
            cells[n].grid_id for n in cell.neighbours or ()
            if cells[n].unit_code == cell.unit_code
        } - {cell.grid_id}  # fmt: skip
        if len(pieces(rest)) > 1 and beside:
            to = min(grid for grid in beside if grid)
            with pytest.raises(MoveRefused, match="cut off"):
                make(table, kinds.move(table.session, table.plan, [cell.cell_id], to))
            change = kinds.move(table.session, table.plan, [cell.cell_id], to, take_along=True)
            assert len(change.to) > 1
            make(table, change)
            holds(table)
            return
    pytest.fail("no cell holds its grid together")


def test_a_move_over_a_river_says_so(table: Table) -> None:
    """In one piece by its lines, and not on foot: allowed, for people know their places; told."""
    cells = table.cells()
    for cell in cells.values():
        over = {
            cells[n].grid_id for n in set(cell.neighbours or ()) - set(cell.doors or ())
            if cells[n].unit_code == cell.unit_code
        } - {cell.grid_id} - {cells[n].grid_id for n in cell.doors or ()}  # fmt: skip
        if not over or not cell.households:
            continue
        to = min(grid for grid in over if grid)
        with contextlib.suppress(MoveRefused):
            told = make(table, kinds.move(table.session, table.plan, [cell.cell_id], to))
            assert list(told.apart) == [table.grids()[to].code]
            mended = make(table, kinds.repair(table.session, table.plan, [to]))
            assert list(mended.apart) == []
            return
    pytest.fail("no cell lies at the river")


def test_locks_hold(table: Table) -> None:
    cell, old, new = edge_cell(table)
    locks.lock(table.session, table.plan, [old], author="zhao")
    change = kinds.move(table.session, table.plan, [cell], new)
    with pytest.raises(GridLocked, match=r"zhao"):
        make(table, change)
    locks.unlock(table.session, table.plan, [old], author="zhao")
    make(table, change)
    locks.lock(table.session, table.plan, None, author="zhao")
    with pytest.raises(GridLocked):
        history.undo(table.session, table.plan, author="wang", version=table.plan.version)
    locks.unlock(table.session, table.plan, None, author="zhao")
    history.undo(table.session, table.plan, author="wang", version=table.plan.version)


def test_two_planners_at_once(table: Table) -> None:
    cell, old, new = edge_cell(table)
    seen = table.plan.version
    far = [g for g, s in table.grids().items() if g not in {old, new}]
    # Somebody else splits a grid far away: no hindrance.
    made = kinds.split(table.session, table.plan, far[0], 2)
    changes.carry_out(table.session, table.plan, made, author="li", version=seen)
    change = kinds.move(table.session, table.plan, [cell], new)
    changes.carry_out(table.session, table.plan, change, author="wang", version=seen)
    # But on the same grids it is.
    back = kinds.move(table.session, table.plan, [cell], old)
    with pytest.raises(PlanConflict, match=r"wang: do at .* \(version"):
        changes.carry_out(table.session, table.plan, back, author="li", version=seen)
    with pytest.raises(PlanConflict, match="load it anew"):
        changes.carry_out(table.session, table.plan, back, author="li", version=10**6)


def any_change(table: Table, dice: np.random.Generator) -> changes.Change:
    """One move of any kind, somewhere; many that are tried cannot be."""
    session, plan, cells, grids = table.session, table.plan, table.cells(), table.grids()
    cell = cells[int(dice.choice(list(cells)))]
    grid = int(dice.choice(list(grids)))
    beside = {
        cells[n].grid_id
        for c in cells.values() if c.grid_id == grid
        for n in c.neighbours or () if cells[n].unit_code == grids[grid].unit_code
    } - {grid, None}  # fmt: skip
    pair = [grid, min(g for g in beside if g)]
    shape = to_shape(grids[grid].geom)
    west, south, east, north = shape.bounds
    middle = west + float(dice.uniform(0.3, 0.7)) * (east - west)
    line = shapely.LineString([(middle, south - 0.01), (middle, north + 0.01)])
    half = shapely.box(west, south, middle, north)
    to = cells[int(dice.choice(cell.neighbours or [cell.cell_id]))].grid_id
    some = {
        "move": partial(kinds.move, session, plan, [cell.cell_id], to, take_along=True),
        "release": partial(kinds.move, session, plan, [cell.cell_id], None),
        "split": partial(kinds.split, session, plan, grid, 3),
        "line": partial(kinds.split_by_line, session, plan, grid, line),
        "merge": partial(kinds.merge, session, plan, pair),
        "border": partial(kinds.border, session, plan, to_shape(cell.geom).buffer(1e-6), pair[1]),
        "new": partial(kinds.border, session, plan, half, None),
        "rebalance": partial(kinds.rebalance, session, plan, pair),
        "repair": partial(kinds.repair, session, plan),
        "list": partial(kinds.assign, session, plan, {cell.cell_id: to}),
    }
    return some[str(dice.choice(list(some)))]()


@settings(
    max_examples=8, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(st.integers(0, 10**6))
def test_any_sequence_can_be_taken_back_to_any_move(table: Table, seed: int) -> None:
    dice = np.random.default_rng(seed)
    aside = table.session.begin_nested()
    try:
        states = {0: table.state()}
        for _ in range(14):
            plan = table.plan
            try:
                if dice.random() < 0.25:
                    turn = history.undo if dice.random() < 0.6 else history.redo
                    turn(table.session, plan, author="li", version=plan.version)
                    continue
                make(table, any_change(table, dice))
            except MoveRefused:
                continue
            states[table.plan.head] = table.state()
            holds(table)
        assert len(states) > 3
        for seq in (0, *dice.permutation(list(states)).tolist(), 0):
            history.go_to(table.session, table.plan, seq, author="li", version=table.plan.version)
            assert table.plan.head == seq
            assert table.state() == states[seq]
    finally:
        aside.rollback()
        table.session.expire_all()


def test_every_move_has_an_author_and_stays(table: Table) -> None:
    cell, _, new = edge_cell(table)
    make(table, kinds.move(table.session, table.plan, [cell], new), author="zhao")
    history.undo(table.session, table.plan, author="qian", version=table.plan.version)
    (move,) = history.moves(table.session, table.plan, limit=10, before=None)
    assert (move.author, move.kind) == ("zhao", "move")
    assert history.line_of(table.session, table.plan) == set()
    with pytest.raises(sa.exc.DBAPIError, match="append-only"):
        table.session.execute(sa.text("UPDATE plan_moves SET author = 'x'"))
