"""Drafts, change-over and roll back: whole or not at all, and the past stays."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import TYPE_CHECKING

import pandas as pd
import pytest
import sqlalchemy as sa
from shapely import Polygon, box

from boundaries import editions
from boundaries.errors import EditionConflict, EditionNotFound, UnitNotFound
from gis import audit
from gis.errors import BadInput
from grids import going_back, planning, service, succession
from grids.errors import RollbackRefused, TilingBroken
from grids.incidents.responsibility import answer
from tests import factories

if TYPE_CHECKING:
    from collections.abc import Callable

    import geopandas as gpd
    from sqlalchemy.orm import Session

    Change = Callable[[gpd.GeoDataFrame], gpd.GeoDataFrame | None]


def draft(session: Session, grids: object = None, area: str = factories.COUNTY) -> int:
    frame = factories.squares() if grids is None else grids
    return service.save_draft(session, area, frame, title="t", author="planner").id


def test_published_edition_answers_from_its_moment_on(session: Session) -> None:
    county = factories.county(session)
    lon, lat = factories.middle(1)
    before = answer(session, lon, lat, at=factories.SINCE - timedelta(seconds=1))
    after = answer(session, lon, lat, at=factories.SINCE)
    assert before.reason == "no_edition"
    assert after.grid is not None
    assert after.grid.code == factories.grid_code(1)
    assert after.edition is not None
    assert after.edition.id == county.edition


def test_next_edition_closes_the_one_before_and_keeps_identities(session: Session) -> None:
    county = factories.county(session)
    # The line between the first two grids moves a little: both stay who they are.
    moved = factories.squares()
    line = factories.WEST + 1.2 * factories.STEP
    moved.loc[0, "geometry"] = box(factories.WEST, factories.SOUTH, line, factories.NORTH)
    moved.loc[1, "geometry"] = box(
        line, factories.SOUTH, factories.WEST + 2 * factories.STEP, factories.NORTH
    )
    done = service.publish(session, draft(session, moved), approver="b")
    assert done.kept == 4
    assert [old.id for old in done.replaced] == [county.edition]
    assert done.unassigned == 0
    old = editions.get(session, county.edition)
    assert old.status == "superseded"
    assert old.valid is not None
    assert done.edition.valid is not None
    assert old.valid.upper == done.edition.valid.lower
    now = answer(session, *factories.middle(0), at=datetime.now(UTC))
    assert now.grid is not None
    assert now.grid.grid_id == county.grids[factories.grid_code(0)]
    assert [each.person_id for each in now.responsible] == [county.workers[factories.grid_code(0)]]


def test_grid_cut_to_pieces_loses_its_identity(session: Session) -> None:
    county = factories.county(session)
    grids = factories.squares()
    low, high = factories.SOUTH, factories.NORTH
    west, east = factories.WEST, factories.WEST + factories.STEP
    # The first grid is cut in three: no part is more than half of it.
    cuts = [low, 45.007, 45.014, high]
    strips = [box(west, a, east, b) for a, b in pairwise(cuts)]
    grids.loc[0, "geometry"] = strips[0]
    others = pd.concat([grids.iloc[[0]]] * 2).assign(
        code=[f"{factories.VILLAGES[0]}008", f"{factories.VILLAGES[0]}009"]
    )
    others["geometry"] = strips[1:]
    # The neighbour gets the corners they share, so that vertices match.
    further = east + factories.STEP
    grids.loc[1, "geometry"] = Polygon(
        [(east, low), (further, low), (further, high), (east, high), (east, 45.014), (east, 45.007)]
    )
    done = service.publish(session, draft(session, pd.concat([grids, others])), approver="b")
    assert done.grids == 6
    assert done.kept == 3
    assert done.unassigned == 3
    present = planning.grids_frame(session, done.edition.id).set_index("code")["grid_id"]
    assert county.grids[factories.grid_code(0)] not in set(present)
    told = succession.lineage(session, done.edition.id)
    cut = [each for each in told if each.predecessor == factories.grid_code(0)]
    assert {each.successor[-3:] for each in cut} == {"001", "008", "009"}
    assert {each.fate for each in cut} == {"new"}
    assert [each.fate for each in told if each not in cut] == ["kept"] * 3
    assert sum(each.area_m2 for each in cut) == pytest.approx(cut[0].area_m2 * 20 / 7, rel=1e-3)
    assert succession.lineage(session, done.edition.id, code=factories.grid_code(1)) == told[-3:-2]
    first = told[0]
    rest = succession.lineage(session, done.edition.id, after=(first.predecessor, first.successor))
    assert rest == told[1:]
    with pytest.raises(sa.exc.DBAPIError), session.begin_nested():
        session.execute(sa.text("UPDATE grid_lineage SET households = 1"))


def test_rollback_copies_the_edition_before(session: Session) -> None:
    county = factories.county(session)
    grids = factories.squares(households=310)
    second = service.publish(session, draft(session, grids), approver="b").edition
    back = going_back.roll_back(session, second.id, actor="c")
    assert back.edition.based_on_id == county.edition
    assert back.unassigned == 0
    told = succession.lineage(session, back.edition.id)
    assert [(each.predecessor, each.fate) for each in told] == [
        (factories.grid_code(place), "kept") for place in range(4)
    ]
    old = planning.grids_frame(session, county.edition)
    new = planning.grids_frame(session, back.edition.id)
    assert old.drop(columns="geometry").equals(new.drop(columns="geometry"))
    assert old.geometry.geom_equals_exact(new.geometry, 0).all()
    assert editions.get(session, second.id).status == "superseded"


def test_rollback_without_a_predecessor_is_refused(session: Session) -> None:
    county = factories.county(session)
    with pytest.raises(RollbackRefused, match="no edition of 990121 before"):
        going_back.roll_back(session, county.edition, actor="c")


def test_rollback_before_a_later_edition_is_in_force_is_refused(session: Session) -> None:
    county = factories.county(session)
    then = datetime.now(UTC) + timedelta(days=30)
    later = service.publish(session, draft(session), approver="b", effective=then)
    with pytest.raises(RollbackRefused, match="until then nothing else can"):
        going_back.roll_back(session, county.edition, actor="c")
    with pytest.raises(RollbackRefused, match="before that there is nothing to roll back"):
        going_back.roll_back(session, later.edition.id, actor="c")


def test_rollback_goes_within_a_period_only(
    session: Session, monkeypatch: pytest.MonkeyPatch
) -> None:
    county = factories.county(session)
    second = service.publish(session, draft(session), approver="b").edition
    with monkeypatch.context() as patched:
        patched.setattr(going_back, "PERIOD", timedelta(0))
        with pytest.raises(RollbackRefused, match=f"wangge plan branch {county.edition}"):
            going_back.roll_back(session, second.id, actor="c")
    assert timedelta(days=30) <= going_back.PERIOD
    assert going_back.roll_back(session, second.id, actor="c").edition.based_on_id == county.edition


def test_rollback_of_a_draft_is_refused(session: Session) -> None:
    factories.county(session)
    with pytest.raises(RollbackRefused, match="is draft"):
        going_back.roll_back(session, draft(session), actor="c")


def test_publishing_twice_is_refused(session: Session) -> None:
    county = factories.county(session)
    with pytest.raises(EditionConflict, match="not a draft"):
        service.publish(session, county.edition, approver="b")


def test_publishing_nothing_is_refused(session: Session) -> None:
    with pytest.raises(EditionNotFound, match="no edition 12345"):
        service.publish(session, 12345, approver="b")


def test_second_edition_cannot_begin_in_the_past(session: Session) -> None:
    factories.county(session)
    yesterday = datetime.now(UTC) - timedelta(days=1)
    with pytest.raises(BadInput, match="what was answered since cannot be changed"):
        service.publish(session, draft(session), approver="b", effective=yesterday)


def test_second_edition_can_begin_in_the_future(session: Session) -> None:
    county = factories.county(session)
    then = datetime.now(UTC) + timedelta(days=30)
    done = service.publish(session, draft(session), approver="b", effective=then)
    now = answer(session, *factories.middle(0), at=datetime.now(UTC))
    later = answer(session, *factories.middle(0), at=then)
    assert now.edition is not None
    assert later.edition is not None
    assert (now.edition.id, later.edition.id) == (county.edition, done.edition.id)
    assert done.edition.published_at is not None
    assert done.edition.published_at < then  # decided today


def test_edition_of_a_part_of_an_area_in_force_is_refused(session: Session) -> None:
    factories.county(session)
    town = draft(session, area=factories.TOWNSHIP)
    with pytest.raises(EditionConflict, match=r"wangge plan branch \d+ --part \d+"):
        service.publish(session, town, approver="b")


def test_area_without_polygons_is_named(session: Session) -> None:
    number = draft(session, area=factories.COUNTY)
    with pytest.raises(UnitNotFound, match="wangge import units"):
        service.publish(session, number, approver="b")


def broken(session: Session, change: Change) -> str:
    """Text of the refusal when the four squares are changed and published."""
    factories.units(session)
    grids = factories.squares()
    changed = change(grids)
    grids = grids if changed is None else changed
    number = draft(session, grids)
    with pytest.raises(TilingBroken) as caught:
        service.publish(session, number, approver="b")
    assert editions.get(session, number).status == "draft"
    return str(caught.value)


def test_gap_is_named_with_its_unit_and_size(session: Session) -> None:
    def shrink(grids: gpd.GeoDataFrame) -> None:
        grids.loc[3, "geometry"] = box(117.06, 45.0, 117.07, 45.02)

    text = broken(session, shrink)
    assert "gap in unit 990121101002: 1,7" in text  # 1.7 km2, in m2
    assert "Give it to a grid" in text


def test_overlap_is_named_with_both_grids(session: Session) -> None:
    def grow(grids: gpd.GeoDataFrame) -> None:
        grids.loc[0, "geometry"] = box(117.0, 45.0, 117.025, 45.02)

    assert f"grids {factories.grid_code(0)} and {factories.grid_code(1)} overlap" in broken(
        session, grow
    )


def test_grid_over_the_unit_line_is_named(session: Session) -> None:
    def cross(grids: gpd.GeoDataFrame) -> None:
        grids.loc[1, "geometry"] = box(117.02, 45.0, 117.05, 45.02)
        grids.loc[2, "geometry"] = box(117.05, 45.0, 117.06, 45.02)

    text = broken(session, cross)
    assert "grids of unit 990121101001 reach over its line" in text
    assert "gap in unit 990121101002" in text


def test_neighbours_that_do_not_share_vertices_are_named(session: Session) -> None:
    def split_edge(grids: gpd.GeoDataFrame) -> None:
        # One side of a shared edge has a vertex more, a hair off the line.
        grids.loc[0, "geometry"] = box(117.0, 45.0, 117.02, 45.02).union(
            box(117.01, 45.005, 117.02 + 1e-9, 45.01)
        )

    assert "do not share their vertices" in broken(session, split_edge)


def test_unit_without_grids_is_named(session: Session) -> None:
    def drop(grids: gpd.GeoDataFrame) -> gpd.GeoDataFrame:
        return grids.iloc[:2]

    assert "unit 990121101002 has no grid" in broken(session, drop)


def test_repeated_code_and_foreign_unit_are_refused_together(session: Session) -> None:
    grids = factories.squares()
    grids.loc[1, "code"] = grids.loc[0, "code"]
    grids.loc[3, "unit"] = "990122101002"
    with pytest.raises(BadInput) as caught:
        draft(session, grids)
    assert len(caught.value.problems) == 2


def test_every_step_is_in_the_audit_log(session: Session) -> None:
    county = factories.county(session)
    second = service.publish(session, draft(session), approver="b").edition
    going_back.roll_back(session, second.id, actor="c")
    audit.flush(session)
    rows = session.execute(
        sa.text("SELECT action, actor FROM audit_log WHERE object_kind = 'edition' ORDER BY id")
    ).all()
    assert [tuple(row) for row in rows] == [
        ("edition.draft", "planner"),
        ("edition.publish", "approver"),
        ("edition.draft", "planner"),
        ("edition.publish", "b"),
        ("edition.rollback", "c"),
    ]
    assert county.edition < second.id
