"""A resident scans a sign: the page on a phone, in a real Chromium."""

from __future__ import annotations

import re
from contextlib import contextmanager
from typing import TYPE_CHECKING

import pytest
import sqlalchemy as sa
from playwright.sync_api import expect

from grids.incidents import intake
from maps.poster import address as printed
from tests.journeys.test_signing_in import address as address  # noqa: PLC0414 - a fixture
from tests.journeys.viewer import SOUTH, STEP, VILLAGE, WEST
from tests.journeys.viewer import browser as browser  # noqa: PLC0414 - a fixture

if TYPE_CHECKING:
    from collections.abc import Iterator

    from playwright.sync_api import Browser, Page

    from gis.database import Database

pytestmark = pytest.mark.browser
# Of the first three grids, from the west.
MIDDLES = [(WEST + (place + 0.5) * STEP, SOUTH + STEP / 2) for place in range(3)]


@contextmanager
def phone(browser: Browser, base: str, code: str, language: str = "zh-CN") -> Iterator[Page]:
    """A phone that scanned a sign; what it asks for stays here, and nothing fails unseen."""
    lon, lat = MIDDLES[2]
    context = browser.new_context(
        locale=language, viewport={"width": 390, "height": 844}, has_touch=True,
        geolocation={"longitude": lon, "latitude": lat, "accuracy": 25},
        permissions=["geolocation"],
    )  # fmt: skip
    page = context.new_page()
    complaints: list[str] = []
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    page.on("pageerror", lambda error: complaints.append(str(error)))
    page.on(
        "console",
        lambda said: complaints.append(said.text) if said.type in {"error", "warning"} else None,
    )
    page.goto(printed(code, base))
    yield page
    known = re.compile(r"a status of (404|422)|net::ERR_INTERNET_DISCONNECTED")
    assert [said for said in complaints if not known.search(said)] == []
    assert [url for url in asked if not url.startswith(base)] == []
    # The sign is told to the service in bodies only.
    assert [url for url in asked if code in url.partition("#")[0]] == []
    context.close()


@pytest.fixture
def code(database: Database, address: str) -> str:
    lon, lat = MIDDLES[1]
    with database.transaction() as session:
        return intake.put_up(session, "东苑小区北门", lon=lon, lat=lat, actor="test").code


def fill(page: Page, text: str) -> None:
    page.select_option("#intake-category", "neighbour")
    page.fill("#intake-text", text)


def test_a_report_from_the_street(
    browser: Browser, address: str, code: str, database: Database
) -> None:
    with phone(browser, address, code) as page:
        expect(page.locator("h2").first).to_have_text("东苑小区北门")
        fill(page, "楼道堆物")
        # What is typed outlives a change of language.
        page.click("#header button")
        expect(page.locator("h1")).to_have_text("Report")
        expect(page.locator("#intake-text")).to_have_value("楼道堆物")
        page.click("#header button")
        page.get_by_text("用手机定位").click()
        expect(page.get_by_text("手机所在处,精度 25 m")).to_be_visible()
        page.fill("#intake-phone", "13800138000")
        page.click("#intake-send")
        expect(page.locator("#intake-done h2")).to_have_text("已收到")
        expect(page.locator("#intake-done")).to_contain_text("已报告")
        # Nothing is wider than the phone.
        assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
        with database.transaction() as session:
            found = session.execute(
                sa.text("SELECT i.method, g.code FROM incidents i "
                        "JOIN grid_shapes g USING (edition_id, grid_id) WHERE source = 'sign'")
            ).one()  # fmt: skip
        assert tuple(found) == ("gps", f"{VILLAGE}003")
        # Scanned again later, the phone knows its receipts.
        page.reload()
        expect(page.get_by_text("本机上报过的(1)")).to_be_visible()
        page.get_by_text("看进展").click()
        expect(page.locator(".mine")).to_contain_text("已报告")


def test_without_network_nothing_is_lost(browser: Browser, address: str, code: str) -> None:
    with phone(browser, address, code, "en-GB") as page:
        fill(page, "noise at night")
        page.context.set_offline(True)
        page.click("#intake-send")
        expect(page.locator("#intake-problem")).to_contain_text("No network")
        page.context.set_offline(False)
        page.click("#intake-send")
        expect(page.locator("#intake-done h2")).to_have_text("Received")


@pytest.mark.parametrize("scanned", ["0123456789ab", ""])
def test_a_sign_that_is_not_in_use(browser: Browser, address: str, scanned: str) -> None:
    with phone(browser, address, scanned or "#", "en-GB") as page:
        expect(page.locator("#intake-problem")).to_contain_text("no longer in use")
