"""Exclusive and micro grids over base ones: what is refused and why, and that ground may change."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

import numpy as np
import pytest
import shapely
from shapely import box

from grids import going_back, planning, service
from grids.checking import check, unnested
from grids.errors import RollbackRefused, TilingBroken
from grids.overlays import exclusive_problems, micro_problems
from grids.people import service as people
from grids.plans import opening
from grids.plans.errors import MoveRefused
from tests import factories
from tests.factories import NORTH, SOUTH, STEP, VILLAGES, WEST

if TYPE_CHECKING:
    from shapely import Geometry
    from sqlalchemy.orm import Session

EAST = WEST + 4 * STEP
# About 1 cm and 10 cm from west to east, at 45 degrees north.
CM, DM = 1.27e-7, 1.27e-6
AREAS = {
    code: box(WEST + 2 * place * STEP, SOUTH, WEST + 2 * (place + 1) * STEP, NORTH)
    for place, code in enumerate(VILLAGES)
}
BASE = (
    [factories.grid_code(place) for place in range(4)],
    [VILLAGES[place // 2] for place in range(4)],
    np.array([box(WEST + p * STEP, SOUTH, WEST + (p + 1) * STEP, NORTH) for p in range(4)]),
)
SCHOOL, MALL = f"{VILLAGES[0]}901", f"{VILLAGES[0]}902"
ROW, YARD = f"{VILLAGES[0]}00101", f"{VILLAGES[0]}00102"


def at(west: float, east: float, south: float = 0.2, north: float = 0.8) -> Geometry:
    """A box by widths of a grid from the west, and shares of its height."""
    high = NORTH - SOUTH
    return box(WEST + west * STEP, SOUTH + south * high, WEST + east * STEP, SOUTH + north * high)


def shapes(*each: Geometry) -> np.ndarray:
    return np.array(each, dtype=object)


class TestExclusive:
    """Over whatever is below, in the area, apart from one another."""

    @pytest.mark.parametrize(
        "laid",
        [
            [at(0.5, 1.5)],  # over two base grids
            [at(1.5, 2.5)],  # and over the line of two villages
            [at(0.2, 0.5), at(0.5, 0.8)],  # sharing an edge
            [box(WEST - CM, SOUTH, WEST + 0.1 * STEP, NORTH)],  # a sliver over the line
        ],
    )
    def test_allowed(self, laid: list[Geometry]) -> None:
        codes = [SCHOOL, MALL][: len(laid)]
        found = exclusive_problems(codes, [VILLAGES[0]] * len(laid), shapes(*laid), AREAS)
        assert found == []

    @pytest.mark.parametrize(
        ("laid", "unit", "says"),
        [
            ([at(0.2, 0.6), at(0.5, 0.8)], VILLAGES[0], f"{SCHOOL} and {MALL} overlap: "),
            ([at(-0.2, 0.5)], VILLAGES[0], f"{SCHOOL} reaches out of the area: "),
            ([at(3.2, 3.5)], VILLAGES[0], f"{SCHOOL} lies outside its unit {VILLAGES[0]}"),
            ([at(0.2, 0.5)], "990121101009", "990121101009, which is not known"),
            ([shapely.union(at(0.1, 0.2), at(0.4, 0.5))], VILLAGES[0], "not a polygon of one part"),
            ([shapely.Polygon([(117, 45), (117.01, 45.01), (117.01, 45), (117, 45.01)])],
             VILLAGES[0], "Self-intersection"),
            ([], VILLAGES[0], "the edition has no grids"),
        ],
    )  # fmt: skip
    def test_refused(self, laid: list[Geometry], unit: str, says: str) -> None:
        codes = [SCHOOL, MALL][: len(laid)]
        found = exclusive_problems(codes, [unit] * len(laid), shapes(*laid), AREAS)
        assert len(found) == 1
        assert says in found[0].reason


class TestMicro:
    """Each in one base grid, to the sliver that noding leaves."""

    @pytest.mark.parametrize(
        "laid",
        [
            [at(0, 1, 0, 0.5), at(0, 1, 0.5, 1)],  # all of the base grid, along its edges
            [at(0.2, 0.5)],  # ground is left
            [box(WEST + 0.5 * STEP, SOUTH, WEST + STEP + CM, NORTH)],
            [at(0.2, 0.5), at(1.2, 1.5)],
        ],
    )
    def test_allowed(self, laid: list[Geometry]) -> None:
        codes = [ROW, YARD][: len(laid)]
        assert micro_problems(codes, [VILLAGES[0]] * len(laid), shapes(*laid), BASE) == []

    @pytest.mark.parametrize(
        ("laid", "unit", "says"),
        [
            ([at(0.5, 1.2)], VILLAGES[0], f"{ROW} crosses the border of base grid {BASE[0][0]}: "),
            ([box(WEST + 0.5 * STEP, SOUTH, WEST + STEP + DM, NORTH)], VILLAGES[0],
             "crosses the border"),
            ([at(-0.2, 0.5)], VILLAGES[0], "crosses the border"),
            ([at(0.2, 0.6), at(0.5, 0.8)], VILLAGES[0], f"{ROW} and {YARD} overlap"),
            ([at(-2, -1)], VILLAGES[0], "lies in no base grid"),
            ([at(2.2, 2.5)], VILLAGES[0], f"under {VILLAGES[0]}, its base grid {BASE[0][2]} under"),
            ([], VILLAGES[0], "the edition has no grids"),
        ],
    )  # fmt: skip
    def test_refused(self, laid: list[Geometry], unit: str, says: str) -> None:
        codes = [ROW, YARD][: len(laid)]
        found = micro_problems(codes, [unit] * len(laid), shapes(*laid), BASE)
        assert len(found) == 1
        assert says in found[0].reason

    def test_says_which_other_grid_and_where(self) -> None:
        (found,) = micro_problems([ROW], [VILLAGES[0]], shapes(at(0.5, 1.2)), BASE)
        assert f"what lies in {BASE[0][1]}" in found.remedy
        lon, lat = map(float, found.reason.rsplit(" at ", 1)[1].split(", "))
        assert at(1, 1.2).covers(shapely.Point(lon, lat))
        (found,) = micro_problems([ROW], [VILLAGES[0]], shapes(at(-0.2, 0.5)), BASE)
        assert "no other base grid lies there" in found.remedy

    def test_nothing_to_lie_in(self) -> None:
        none: tuple[list[str], list[str], np.ndarray] = ([], [], shapes())
        (found,) = micro_problems([ROW], [VILLAGES[0]], shapes(at(0.2, 0.5)), none)
        assert "no base grids are in force" in found.reason


def test_published_each_beside_the_others(session: Session) -> None:
    county = factories.county(session)
    school = factories.lay_over(session, "exclusive", {SCHOOL: at(0.5, 1.5)})
    rows = factories.lay_over(session, "micro", {ROW: at(0, 0.5), YARD: at(0.5, 1)})
    assert {*school.values()}.isdisjoint({*rows.values(), *county.grids.values()})
    # The second edition of a kind takes the place of the first of it, and of nothing else.
    again = factories.overlays({SCHOOL: at(0.4, 1.5), MALL: at(2.1, 2.2)}, unit=VILLAGES[0])
    again.loc[1, "code"], again.loc[1, "unit"] = f"{VILLAGES[1]}901", VILLAGES[1]
    draft = service.save_draft(
        session, factories.COUNTY, again, title="t", author="a", kind="exclusive"
    )
    done = service.publish(session, draft.id, approver="b")
    assert (done.grids, done.kept, done.unassigned, len(done.replaced)) == (2, 1, 2, 1)
    now = datetime.now(UTC)
    assert people.grid_by_code(session, SCHOOL, now).grid_id == school[SCHOOL]
    assert [each.code for each in people.unassigned(session, now)] == [
        SCHOOL, f"{VILLAGES[1]}901",
    ]  # fmt: skip
    back = going_back.roll_back(session, done.edition.id, actor="c")
    assert back.grids == 1
    with pytest.raises(RollbackRefused):
        going_back.roll_back(session, county.edition, actor="c")


def test_a_code_means_one_grid(session: Session) -> None:
    factories.county(session)
    with pytest.raises(TilingBroken, match="that of a base grid in force"):
        factories.lay_over(session, "exclusive", {factories.grid_code(0): at(0.2, 0.5)})


def test_a_new_base_edition_lists_what_no_longer_nests(session: Session) -> None:
    county = factories.county(session)
    factories.lay_over(session, "micro", {ROW: at(0.2, 0.9), YARD: at(1.6, 1.9)})
    moved = factories.squares()
    line = WEST + 0.7 * STEP
    moved.loc[0, "geometry"] = box(WEST, SOUTH, line, NORTH)
    moved.loc[1, "geometry"] = box(line, SOUTH, WEST + 2 * STEP, NORTH)
    draft = service.save_draft(session, factories.COUNTY, moved, title="t", author="a")
    done = service.publish(session, draft.id, approver="b")
    assert len(done.unnested) == 1
    assert f"micro grid {ROW} crosses the border of base grid" in done.unnested[0].reason
    # It is told until the micro grids are redrawn, or the ground is as it was.
    now = datetime.now(UTC)
    assert unnested(session, done.edition, now) == list(done.unnested)
    back = going_back.roll_back(session, done.edition.id, actor="c")
    assert back.unnested == []
    assert planning.grids_frame(session, county.edition)["code"].size == 4


def test_micro_grids_do_not_come_back_over_other_ground(session: Session) -> None:
    factories.county(session)
    factories.lay_over(session, "micro", {ROW: at(0.2, 0.9)})
    moved = factories.squares()
    line = WEST + 0.7 * STEP
    moved.loc[0, "geometry"] = box(WEST, SOUTH, line, NORTH)
    moved.loc[1, "geometry"] = box(line, SOUTH, WEST + 2 * STEP, NORTH)
    base = service.save_draft(session, factories.COUNTY, moved, title="t", author="a")
    service.publish(session, base.id, approver="b")
    fitting = factories.overlays({ROW: at(0.2, 0.7)})
    draft = service.save_draft(
        session, factories.COUNTY, fitting, title="t", author="a", kind="micro"
    )
    done = service.publish(session, draft.id, approver="b")
    assert check(session, done.edition, datetime.now(UTC)) == []
    with pytest.raises(TilingBroken, match="crosses the border"):
        going_back.roll_back(session, done.edition.id, actor="c")


def test_no_plan_is_made_of_them(session: Session) -> None:
    factories.county(session)
    frame = factories.overlays({SCHOOL: at(0.2, 0.5)})
    draft = service.save_draft(
        session, factories.COUNTY, frame, title="t", author="a", kind="exclusive"
    )
    with pytest.raises(MoveRefused, match="are not drawn here"):
        opening.branch(session, draft.id, title="", author="a")
