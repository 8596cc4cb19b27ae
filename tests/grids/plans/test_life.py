"""The working life of a plan: branches, comparison, approval, change-over, notes."""

from __future__ import annotations

import uuid
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pytest
import shapely
from geoalchemy2.shape import to_shape

from gis.database import execute
from gis.errors import BadInput
from grids import service
from grids.errors import TilingBroken
from grids.incidents import service as incidents
from grids.people import service as people
from grids.plans import (
    approval,
    changeover,
    changes,
    comparison,
    kinds,
    locks,
    notes,
    opening,
)
from grids.plans.errors import MoveRefused, PlanClosed, PlanNotFound
from tests.grids.plans.test_moves import edge_cell, make

if TYPE_CHECKING:
    from tests.grids.plans.conftest import Table

NOW = datetime(2026, 7, 1, tzinfo=UTC)


def approved(table: Table) -> None:
    approval.submit(table.session, table.edition, author="wang", at=NOW)
    approval.approve(table.session, table.edition, approver="zhao")


def in_force(table: Table, **more: object) -> service.Published:
    approved(table)
    return approval.publish(table.session, table.edition, publisher="zhao", **more)  # type: ignore[arg-type]


def test_a_branch_keeps_identities_and_leaves_the_edition_alone(table: Table) -> None:
    in_force(table)
    plan = opening.branch(table.session, table.edition, title="B", author="li")
    assert plan.edition_id != table.edition
    branch = type(table)(table.session, plan.edition_id)
    assert set(branch.grids()) == set(table.grids())
    cell, _, new = edge_cell(branch)
    before = table.cells()[cell].grid_id
    make(branch, kinds.move(branch.session, branch.plan, [cell], new))
    assert branch.cells()[cell].grid_id == new
    assert table.cells()[cell].grid_id == before
    with pytest.raises(PlanClosed, match="approved"):
        changes.plan_for_change(table.session, table.edition)


def test_ground_given_up_is_in_the_difference(table: Table) -> None:
    in_force(table)
    plan = opening.branch(table.session, table.edition, title="B", author="li")
    branch = type(table)(table.session, plan.edition_id)
    cell, _, _ = edge_cell(branch)
    code = branch.grids()[branch.cells()[cell].grid_id].code
    make(branch, kinds.move(branch.session, branch.plan, [cell], 0))
    for pair, way in (((table, branch), (code, None)), ((branch, table), (None, code))):
        found = comparison.compare(table.session, *(each.edition for each in pair), at=NOW)
        (piece,) = comparison.difference(table.session, found)
        assert (piece["from_grid"], piece["to_grid"]) == way


def test_tolerance_0_is_no_missing_tolerance(table: Table) -> None:
    asked = "UPDATE editions SET rules = rules || '{\"tolerance\": 0}' WHERE id = :e"
    execute(table.session, asked, e=table.edition)
    table.session.expire_all()
    plan = opening.branch(table.session, table.edition, title="B", author="li")
    exact = sum(row.households == row.target for row in table.grids().values())
    assert plan.within_tolerance == exact
    assert 0 < (plan.tolerance or 1) < 1e-6


def test_grids_of_villages_are_judged_by_their_own_norm(table: Table) -> None:
    execute(table.session, "UPDATE grid_shapes SET target = round(households / 1.22) "
            "WHERE edition_id = :e", e=table.edition)  # fmt: skip
    shares = [abs(row.households / row.target - 1) for row in table.grids().values()]
    found = {}
    for kind, norm in (("urban", 0.10), ("rural", 0.25), ("pastoral", 0.20)):
        execute(table.session, "UPDATE grid_shapes SET area_type = :k WHERE edition_id = :e",
                k=kind, e=table.edition)  # fmt: skip
        table.session.expire_all()
        plan = opening.branch(table.session, table.edition, title=kind, author="li")
        assert plan.tolerance is None
        found[kind] = plan.within_tolerance
        assert found[kind] == sum(share <= norm + 1e-9 for share in shares)
        told = comparison.compare(table.session, table.edition, plan.edition_id, at=NOW).loads[0]
        assert told.within_tolerance == pytest.approx(found[kind] / len(shares))
    assert found["urban"] == found["pastoral"] == 0 < found["rural"]


def test_imported_grids_have_no_cells_to_move(table: Table) -> None:
    execute(table.session, "UPDATE cells SET neighbours = NULL, doors = NULL WHERE edition_id = :e",
            e=table.edition)  # fmt: skip
    copy = service.Edition(area_code="990121", title="x", author="t", rules={})
    table.session.add(copy)
    table.session.flush()
    with pytest.raises(MoveRefused, match="plan branch"):
        opening.open_draft(table.session, copy.id, author="t")
    with pytest.raises(PlanNotFound):
        opening.get(table.session, copy.id)


def test_what_moves_is_counted_by_flow(table: Table) -> None:
    in_force(table)
    plan = opening.branch(table.session, table.edition, title="B", author="li")
    branch = type(table)(table.session, plan.edition_id)
    cell, old, new = edge_cell(branch)
    moved = branch.cells()[cell]
    codes = {grid: shape.code for grid, shape in branch.grids().items()}
    at = to_shape(moved.geom).representative_point()
    incidents.record(
        table.session,
        incidents.Report(id=uuid.uuid4(), category="neighbour", source="t", x=at.x, y=at.y),
        actor="t",
    )
    wang = people.add(table.session, "王一", county_code="990121", actor="t")
    execute(
        table.session,
        "INSERT INTO assignments (county_code, person_id, role, grid_id, is_primary, valid, author)"
        " VALUES ('990121', :p, 'grid_worker', :g, true, '[2026-01-01,)', 't')",
        p=wang.id, g=old,
    )  # fmt: skip
    same = comparison.compare(table.session, table.edition, plan.edition_id, at=NOW)
    assert same.flows == []
    assert {line.kind for line in same.lineage} == {"kept"}
    make(branch, kinds.move(branch.session, branch.plan, [cell], new))
    found = comparison.compare(table.session, table.edition, plan.edition_id, at=NOW)
    (flow,) = found.flows
    assert (flow.from_code, flow.to_code) == (codes[old], codes[new])
    assert flow.households == moved.households == found.households_moved
    assert flow.buildings == len(moved.building_ids)
    assert flow.incidents == 1
    assert (flow.worker_before, flow.worker_after) == ("王一", None)
    listed = comparison.letters(table.session, found, at=NOW)
    assert {row["building"] for row in listed} == set(moved.building_ids)
    assert {row["from_worker"] for row in listed} == {"王一"}
    (ground,) = comparison.difference(table.session, found)
    shared = shapely.from_wkb(ground["wkb"])
    assert shared.symmetric_difference(to_shape(moved.geom)).area < 1e-13
    assert [load.households for load in found.loads] == [same.loads[0].households] * 2


def test_lineage_tells_splits_and_merges(table: Table) -> None:
    in_force(table)
    plan = opening.branch(table.session, table.edition, title="B", author="li")
    branch = type(table)(table.session, plan.edition_id)
    _, old, new = edge_cell(branch)
    codes = {grid: shape.code for grid, shape in branch.grids().items()}
    merged = make(branch, kinds.merge(branch.session, branch.plan, [old, new]))
    far = next(g for g in branch.grids() if g not in {old, new})
    parts = make(branch, kinds.split(branch.session, branch.plan, far, 2))
    fresh = next(r["code"] for r in parts.touched if r["code"] not in codes.values())
    found = comparison.compare(table.session, table.edition, plan.edition_id, at=NOW)
    kinds_of = {line.code: (line.kind, line.codes) for line in found.lineage}
    assert kinds_of[merged.gone[0]][0] == "merged"
    assert kinds_of[codes[far]] == ("split", (codes[far], fresh))
    assert kinds_of[fresh] == ("new", (codes[far],))


def test_a_branch_goes_on_with_its_own_identities(table: Table) -> None:
    """A grid that took most of a larger one's ground stays itself, and so do its people."""
    in_force(table)
    plan = opening.branch(table.session, table.edition, title="B", author="li")
    branch = type(table)(table.session, plan.edition_id)
    _, old, new = edge_cell(branch)
    merged = make(branch, kinds.merge(branch.session, branch.plan, [old, new]))
    kept = merged.touched[0]["grid_id"]
    gone = ({old, new} - {kept}).pop()
    far = next(g for g in branch.grids() if g not in {old, new})
    make(branch, kinds.split(branch.session, branch.plan, far, 2))
    before = set(branch.grids())
    done = in_force(branch)
    assert set(branch.grids()) == before
    assert gone not in before
    assert done.grids == len(before)
    assert done.kept == len(before) - 1


def test_a_fresh_drawing_is_compared_by_what_it_shares(table: Table) -> None:
    """Two drawings of the same town with the same seed differ in their numbers only."""
    area = table.session.get_one(service.Edition, table.edition)
    copy = service.Edition(area_code=area.area_code, title="again", author="t", rules={})
    table.session.add(copy)
    table.session.flush()
    execute(
        table.session,
        "WITH made AS (INSERT INTO grids (county_code) SELECT county_code FROM grid_shapes "
        "WHERE edition_id = :old RETURNING id), n AS (SELECT id, row_number() OVER (ORDER BY id) "
        "AS k FROM made), o AS (SELECT *, row_number() OVER (ORDER BY code) AS k FROM grid_shapes "
        "WHERE edition_id = :old) INSERT INTO grid_shapes (edition_id, grid_id, county_code, code, "
        "unit_code, name, area_type, households, buildings, target, compactness, area_m2, geom) "
        "SELECT :new, n.id, o.county_code, o.code, o.unit_code, o.name, o.area_type, o.households,"
        " o.buildings, o.target, o.compactness, o.area_m2, o.geom FROM o JOIN n USING (k)",
        old=table.edition, new=copy.id,
    )  # fmt: skip
    found = comparison.compare(table.session, table.edition, copy.id, at=NOW)
    assert found.flows == []
    assert comparison.difference(table.session, found) == []


def test_another_person_approves(table: Table) -> None:
    cell, _, new = edge_cell(table)
    make(table, kinds.move(table.session, table.plan, [cell], new), author="li")
    with pytest.raises(approval.PlanState, match="is open"):
        approval.approve(table.session, table.edition, approver="zhao")
    with pytest.raises(approval.PlanState, match="another person"):
        approval.publish(table.session, table.edition, publisher="zhao")
    approval.submit(table.session, table.edition, author="wang", at=NOW)
    with pytest.raises(PlanClosed, match="submitted"):
        changes.plan_for_change(table.session, table.edition)
    for who in ("wang", "li"):
        with pytest.raises(approval.OwnPlan):
            approval.approve(table.session, table.edition, approver=who)
    plan = approval.give_back(table.session, table.edition, author="zhao", note="河边再看看")
    assert plan.state == "open"
    approval.submit(table.session, table.edition, author="li", at=NOW)
    approval.approve(table.session, table.edition, approver="zhao", note="同意")
    told = [(each.kind, each.author, each.note) for each in approval.steps(table.session, plan)]
    assert told[0] == ("approve", "zhao", "同意")
    assert ("return", "zhao", "河边再看看") in told
    done = approval.publish(table.session, table.edition, publisher="qian")
    assert done.edition.approver == "zhao"
    with pytest.raises(approval.PlanState, match="was published"):
        approval.give_back(table.session, table.edition, author="zhao", note="")


def test_ground_without_a_grid_is_not_handed_in(table: Table) -> None:
    cell, _, _ = edge_cell(table)
    make(table, kinds.move(table.session, table.plan, [cell], None))
    with pytest.raises(TilingBroken, match="1 cell has no grid"):
        approval.submit(table.session, table.edition, author="wang", at=NOW)


def test_open_incidents_follow_and_the_past_stays(table: Table) -> None:
    in_force(table)
    changeover.change_over(table.session, author="t")
    plan = opening.branch(table.session, table.edition, title="B", author="li")
    branch = type(table)(table.session, plan.edition_id)
    cell, old, new = edge_cell(branch)
    at = to_shape(branch.cells()[cell].geom).representative_point()
    ids = [uuid.uuid4() for _ in range(3)]
    for number, each in enumerate(ids):
        incidents.record(
            table.session,
            incidents.Report(
                id=each, category="neighbour", source="t", x=at.x + number * 1e-7, y=at.y,
                external_id=str(number),
            ),
            actor="t",
        )  # fmt: skip
    wang = people.add(table.session, "王一", county_code="990121", actor="t")
    execute(
        table.session,
        "INSERT INTO assignments (county_code, person_id, role, grid_id, is_primary, valid, author)"
        " VALUES ('990121', :p, 'grid_worker', :g, true, '[2026-01-01,)', 't')",
        p=wang.id, g=new,
    )  # fmt: skip
    make(branch, kinds.move(branch.session, branch.plan, [cell], new), author="li")
    in_force(branch)
    assert changeover.change_over(table.session, author="t") == {plan.edition_id: 3}
    assert changeover.change_over(table.session, author="t") == {}
    rows = execute(
        table.session,
        "SELECT i.grid_id, i.edition_id, v.data FROM incidents i JOIN incident_events v "
        "ON v.incident_id = i.id WHERE v.kind = 'reassigned'",
    ).all()
    assert len(rows) == 3
    for row in rows:
        assert (row.grid_id, row.edition_id) == (old, table.edition)
        assert row.data["grid"] == new
        assert row.data["person"] == str(wang.id)
        assert row.data["from_grid"] == old


def test_nothing_changes_over_before_its_time(table: Table) -> None:
    in_force(table, effective=datetime.now(UTC) + timedelta(days=1))
    assert changeover.change_over(table.session, author="t") == {}


def test_the_to_do_list(table: Table) -> None:
    in_force(table)
    grids = table.grids()
    first, second = list(grids)[:2]
    wang = people.add(table.session, "王一", county_code="990121", actor="t")
    execute(
        table.session,
        "INSERT INTO assignments (county_code, person_id, role, grid_id, is_primary, valid, author)"
        " VALUES ('990121', :p, 'grid_worker', :g, true, '[2026-01-01,)', 't')",
        p=wang.id, g=first,
    )  # fmt: skip
    found = changeover.tasks(table.session, table.edition, at=NOW)
    assert {task.kind for task in found} == {"nobody"}
    assert grids[first].code not in {task.code for task in found}
    assert grids[second].code in {task.code for task in found}
    plan = opening.branch(table.session, table.edition, title="B", author="li")
    branch = type(table)(table.session, plan.edition_id)
    mine = {c for c, each in branch.cells().items() if each.grid_id == first}
    near = next(
        branch.cells()[n].grid_id
        for c in mine for n in branch.cells()[c].neighbours or ()
        if branch.cells()[n].grid_id != first
        and branch.cells()[n].unit_code == grids[first].unit_code
    )  # fmt: skip
    make(branch, kinds.move(branch.session, branch.plan, mine, near))
    gone = [t for t in changeover.tasks(table.session, plan.edition_id, at=NOW)
            if t.kind == "grid_gone"]  # fmt: skip
    assert [(task.code, task.name) for task in gone] == [(grids[first].code, "王一")]


def test_notes_and_names(table: Table) -> None:
    made = notes.comment(
        table.session, table.plan, " 这里是学校 ", author="li", place=(117.01, 45.01)
    )
    assert made.words == "这里是学校"
    notes.close(table.session, table.plan, made.id, author="wang")
    (found,) = notes.comments(table.session, table.plan)
    assert found.closed_by == "wang"
    with pytest.raises(notes.CommentNotFound):
        notes.close(table.session, table.plan, 10**9, author="wang")
    for words in ("", "  ", "x" * 2001):
        with pytest.raises(BadInput):
            notes.comment(table.session, table.plan, words, author="li")
    notes.save_point(table.session, table.plan, "初稿", author="li")
    cell, _, new = edge_cell(table)
    make(table, kinds.move(table.session, table.plan, [cell], new))
    notes.save_point(table.session, table.plan, "二稿", author="li")
    assert notes.named(table.session, table.plan, "初稿").seq == 0
    assert notes.named(table.session, table.plan, "二稿").seq == 1
    with pytest.raises(notes.SavePointNotFound):
        notes.named(table.session, table.plan, "三稿")
    with pytest.raises(BadInput):
        notes.save_point(table.session, table.plan, "x", author="li", seq=99)
    assert [each.name for each in notes.save_points(table.session, table.plan)]
    assert locks.locks(table.session, table.plan) == []
