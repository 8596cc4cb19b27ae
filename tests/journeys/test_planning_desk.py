"""Planners redraw grids by hand on the map: the real application in a real Chromium."""

from __future__ import annotations

import re
from contextlib import contextmanager
from typing import TYPE_CHECKING

import pytest
import sqlalchemy as sa
from geoalchemy2.shape import to_shape
from playwright.sync_api import expect

from boundaries.accounts.models import Account
from grids import planning
from grids.models import Cell, GridShape
from grids.plans import changes, kinds, opening
from grids.plans.members import members, members_by_id, pieces
from tests import conftest, factories
from tests.grids.plans.conftest import town
from tests.journeys.viewer import CONTRAST, TOKENS, at_rest, on_page, serving, visit
from tests.journeys.viewer import browser as browser  # noqa: PLC0414 - a fixture

if TYPE_CHECKING:
    from collections.abc import Iterator

    from playwright.sync_api import Browser, Page

    from gis.cluster import Cluster
    from gis.database import Database

pytestmark = pytest.mark.browser


@pytest.fixture(scope="module")
def drawn(test_cluster: Cluster, template: str) -> Iterator[Database]:
    for database in conftest.fresh(test_cluster, template):
        with database.transaction(timeout_s=0) as session:
            town(session)
            for login in ("wang", "zhao"):
                factories.account(session, "planner", factories.COUNTY, login=login)
            planning.draw_draft(session, factories.COUNTY, author="wang", target=300)
        yield database


@pytest.fixture(scope="module")
def address(drawn: Database) -> Iterator[str]:
    with serving(drawn) as address:
        yield address


@pytest.fixture
def plan(drawn: Database) -> int:
    """A plan of its own for each test, as it was drawn."""
    with drawn.transaction(timeout_s=0) as session:
        first = session.scalar(sa.text("SELECT min(id) FROM editions"))
        assert first is not None
        return opening.branch(session, first, title="城东调整", author="wang").edition_id


@contextmanager
def at_desk(
    browser: Browser, address: str, plan: int, login: str = "wang", *, language: str = "zh-CN",
    width: int = 1280, database: Database, forgive: str | None = None,
) -> Iterator[Page]:  # fmt: skip
    """The plan on the map, before a planner."""
    with database.transaction() as session:
        who = session.scalars(sa.select(Account).where(Account.login == login)).one()
        token = factories.token(session, who)
    before = TOKENS[address]
    TOKENS[address] = token
    try:
        with visit(
            browser, address, f"plan#plan={plan}", language=language, width=width, forgive=forgive
        ) as page:
            yield page
    finally:
        TOKENS[address] = before


def settled(page: Page) -> None:
    """The step has been taken, or refused, and what it changed is drawn."""
    expect(page.locator("body")).to_have_attribute("data-busy", "false")
    at_rest(page)


class Table:
    """What stands in the database, for a hand to aim at."""

    def __init__(self, database: Database, plan: int) -> None:
        self.database, self.plan = database, plan

    def grid(self, number: int) -> GridShape:
        with self.database.transaction() as session:
            rows = session.scalars(
                sa.select(GridShape)
                .where(GridShape.edition_id == self.plan)
                .order_by(GridShape.code)
            ).all()
            session.expunge_all()
        return rows[number]

    def home(self, cell: int) -> int | None:
        with self.database.transaction() as session:
            return session.scalar(
                sa.select(Cell.grid_id).where(Cell.edition_id == self.plan, Cell.cell_id == cell)
            )

    def middle(self, cell: int) -> tuple[float, float]:
        with self.database.transaction() as session:
            x, y = session.execute(
                sa.select(
                    sa.func.ST_X(sa.func.ST_PointOnSurface(Cell.geom)),
                    sa.func.ST_Y(sa.func.ST_PointOnSurface(Cell.geom)),
                ).where(Cell.edition_id == self.plan, Cell.cell_id == cell)
            ).one()
        return x, y

    def at_edge(self, grid: int) -> tuple[int, int]:
        """A cell that may leave its grid, and one beside it of the grid that it may go to."""
        with self.database.transaction() as session:
            mine = members(session, self.plan, [grid])
            near = members_by_id(
                session, self.plan, {c for each in mine.values() for c in each.neighbours}
            )
        return next(
            (cell, beside)
            for cell, each in sorted(mine.items())
            for beside in sorted(each.neighbours - mine.keys())
            if near[beside].unit_code == each.unit_code
            and len(pieces([other for other in mine.values() if other.cell_id != cell])) == 1
        )


def click(page: Page, place: tuple[float, float]) -> None:
    page.mouse.click(*on_page(page, *place))


def test_cells_go_to_another_grid_by_hand(
    browser: Browser, address: str, drawn: Database, plan: int
) -> None:
    table = Table(drawn, plan)
    grid = table.grid(2)
    # A refusal is a line of the browser's console, too.
    with at_desk(browser, address, plan, database=drawn, forgive="status of 4") as page:
        figures = page.locator("#desk-figures").inner_text()
        expect(page.locator("#desk-title")).to_have_text("城东调整")
        page.fill("#desk-find", grid.code)
        page.press("#desk-find", "Enter")
        settled(page)
        expect(page.locator("#desk-grid")).to_contain_text(f"{grid.households} 户（标准 300）")
        assert page.evaluate(CONTRAST) == []

        cell, beside = table.at_edge(grid.grid_id)
        other = table.home(beside)
        click(page, table.middle(cell))
        expect(page.locator("#desk-chosen")).to_contain_text("已选 1 个地块")
        page.click("#desk-move")
        click(page, table.middle(beside))
        expect(page.locator("body")).not_to_have_attribute("data-version", "0")
        settled(page)
        assert table.home(cell) == other
        expect(page.locator("#desk-figures")).not_to_have_text(figures)
        page.keyboard.press("Control+z")
        expect(page.locator("#desk-redo")).to_be_enabled()
        settled(page)
        assert table.home(cell) == grid.grid_id
        assert page.locator("#desk-figures").inner_text() == figures
        page.keyboard.press("Control+Shift+Z")
        expect(page.locator("#desk-redo")).to_be_disabled()
        settled(page)
        page.click("#desk-tab-history")
        expect(page.locator("#desk-moves .head")).to_contain_text("移动地块（1 个地块）")
        page.click("#desk-go-0")
        settled(page)
        assert page.locator("#desk-figures").inner_text() == figures

        # Taken out of its grid it is ground without one, until that is taken back.
        page.click("#desk-tab-grid")
        click(page, table.middle(cell))
        page.click("#desk-release")
        expect(page.locator("#desk-redo")).to_be_disabled()
        settled(page)
        free = "wangge.map.querySourceFeatures('desk-free').map(({ id }) => id)"
        assert set(page.evaluate(free)) == {cell}
        page.click("#desk-undo")
        expect(page.locator("#desk-redo")).to_be_enabled()
        settled(page)
        assert page.evaluate(free) == []

        # What would be cut off is named, shown, and taken along if the planner says so.
        box = to_shape(grid.geom).bounds
        third = (box[3] - box[1]) / 3
        left, top = on_page(page, box[0], box[3] - third)
        right, bottom = on_page(page, box[2], box[1] + third)
        page.keyboard.down("Shift")
        page.mouse.move(left - 5, top)
        page.mouse.down()
        page.mouse.move(right + 5, bottom, steps=3)
        page.mouse.up()
        page.keyboard.up("Shift")
        chosen = page.locator("#desk-chosen")
        expect(chosen).to_contain_text(re.compile("已选 ([2-9]|1[0-9]) 个地块"))
        page.click("#desk-move")
        click(page, table.middle(beside))
        expect(page.locator("#desk-refusal")).to_contain_text(f"网格 {grid.code} 会断成")
        settled(page)
        marks = page.evaluate(
            "wangge.map.querySourceFeatures('desk-marks', { filter: ['==', ['get', 'mark'],"
            " 'wrong'] }).map(({ id }) => id)"
        )
        assert grid.grid_id in marks
        assert page.evaluate("wangge.map.getFilter('desk-cells-wrong')[2][1].length") > 0
        expect(chosen).to_contain_text("已选")

        # Meanwhile somebody else moves a cell of the same grid.
        theirs, to = table.at_edge(grid.grid_id)
        with drawn.transaction() as session:
            under = changes.plan_for_change(session, plan)
            change = kinds.move(session, under, [theirs], table.home(to))
            changes.carry_out(session, under, change, author="zhao", version=under.version)
        page.click("#desk-again")
        refusal = page.locator("#desk-refusal")
        expect(refusal).to_contain_text("zhao：改动网格")
        expect(refusal).to_contain_text(grid.code)
        settled(page)
        expect(chosen).to_contain_text("已选")


def test_a_plan_by_keyboard_from_the_list_to_its_approval(
    browser: Browser, address: str, drawn: Database, plan: int
) -> None:
    table = Table(drawn, plan)
    grid = table.grid(4)
    with at_desk(browser, address, plan, language="en-GB", database=drawn) as page:
        page.press("#desk-leave", "Enter")
        expect(page.locator("#desk-plans")).to_contain_text("城东调整")
        page.press(f"#desk-open-{plan}", "Enter")
        at_rest(page)
        page.fill("#desk-find", grid.code)
        page.press("#desk-find", "Enter")
        settled(page)
        page.press("#desk-lock", "Enter")
        expect(page.locator("#desk-grid")).to_contain_text("locked by wang")
        settled(page)
        page.press("#desk-lock", "Enter")
        expect(page.locator("#desk-grid")).to_contain_text("not locked")
        settled(page)
        # Along a line whose ends are where the map's centre is when Enter is pressed.
        page.press("#desk-line", "Enter")
        west, south, east, north = page.evaluate(
            "(() => { const b = wangge.map.getBounds(); return [b.getWest(), b.getSouth(),"
            " b.getEast(), b.getNorth()] })()"
        )
        lat = page.evaluate("wangge.map.getCenter().lat")
        for place in ((west, lat + (north - south) / 40), (east, lat - (north - south) / 40)):
            page.evaluate("([lon, lat]) => wangge.map.jumpTo({ center: [lon, lat] })", list(place))
            page.locator(".maplibregl-canvas").press("Enter")
        page.press("#desk-finish", "Enter")
        expect(page.locator("body")).to_have_attribute("data-version", "3")
        settled(page)
        # A comment pinned at the centre, and dealt with.
        page.press("#desk-tab-grid", "ArrowLeft")
        expect(page.locator("#desk-tab-review")).to_be_focused()
        page.keyboard.press("ArrowLeft")
        expect(page.locator("#desk-tab-talk")).to_be_focused()
        page.press("#desk-pin", "Enter")
        page.locator(".maplibregl-canvas").press("Enter")
        expect(page.locator("#desk-words")).to_be_focused()
        page.keyboard.type("School gate")
        page.press("#desk-comment", "Enter")
        expect(page.locator(".talk")).to_contain_text("School gate")
        page.locator("[id^=desk-close-]").press("Enter")
        expect(page.locator("#desk-closed-comments")).to_have_text("Dealt with (1)")
        settled(page)
        page.click("#desk-tab-review")
        page.press("#desk-compare", "Enter")
        expect(page.locator("#desk-comparison")).to_contain_text("edition 1")
        settled(page)
        page.press("#desk-submit", "Enter")
        expect(page.locator("#desk-state")).to_have_text("handed in")
        expect(page.locator("#desk-closed")).to_be_visible()
        settled(page)
    with at_desk(browser, address, plan, "zhao", width=390, database=drawn) as page:
        page.click("#desk-tab-review")
        page.fill("#desk-approve-words", "同意")
        page.press("#desk-approve", "Enter")
        expect(page.locator("#desk-state")).to_have_text("已批准")
        expect(page.locator("#desk-reviews")).to_contain_text("同意")
        # Nothing is wider than the phone.
        assert page.evaluate("document.documentElement.scrollWidth") <= 390


def test_who_may_not_plan_is_told(browser: Browser, address: str, drawn: Database) -> None:
    assert drawn
    with visit(browser, address, "?#layers=units") as page:
        expect(page.locator("#desk-link")).to_have_count(0)
        page.goto(address + "plan")
        expect(page.locator("#desk-not-allowed")).to_contain_text("您的角色不能查看网格方案")
