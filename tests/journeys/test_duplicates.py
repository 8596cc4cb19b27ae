"""Two reports of one leak: offered on the card of an incident, merged by a person, and undone."""

from __future__ import annotations

import uuid
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pytest
from playwright.sync_api import expect

from gis.database import execute
from grids.incidents import service
from tests.journeys.viewer import (
    CONTRAST,
    REPEATED,
    SOUTH,
    STEP,
    WEST,
    at_rest,
    on_page,
    visit,
)
from tests.journeys.viewer import address as address  # noqa: PLC0414 - a fixture
from tests.journeys.viewer import browser as browser  # noqa: PLC0414 - a fixture
from tests.journeys.viewer import place as place  # noqa: PLC0414 - a fixture

if TYPE_CHECKING:
    from playwright.sync_api import Browser

    from gis.database import Database

pytestmark = pytest.mark.browser

LEAK = (WEST + 1.2 * STEP, SOUTH + 3.7 * STEP)
"""No other incident of the place lies near."""
TEXTS = (
    "楼上漏水泡坏楼下顶棚,希望网格员上门了解",
    "来电人称楼上家里<b>漏水</b>,把楼下天花板泡坏了",
)


def report(database: Database) -> list[uuid.UUID]:
    """The same leak twice, three hours and some metres apart."""
    with database.transaction() as session:
        return [
            service.record(
                session,
                service.Report(
                    id=uuid.uuid4(), category="hazard", source="phone", text=text, accuracy_m=15,
                    x=LEAK[0] + 0.0001 * number, y=LEAK[1],
                    reported_at=datetime.now(UTC) - timedelta(hours=6 - 3 * number),
                ),
                actor="phone",
            ).incident.id
            for number, text in enumerate(TEXTS)
        ]  # fmt: skip


def test_addresses_that_come_again(browser: Browser, address: str, place: Database) -> None:
    """The last four incidents of the place; in the period and the categories of the map."""
    with visit(browser, address, language="en-GB") as page:
        page.locator("#repeats-open").press("Enter")
        panel = page.locator("#repeats")
        expect(panel).to_contain_text("None has three incidents or more.")
        panel.locator("#repeats-by").select_option("place")
        line = panel.locator(".repeats > li").filter(has_text="4 incidents")
        expect(line).to_have_count(1)
        line.get_by_role("button", name="Show on the map").press("Enter")
        at_rest(page)
        lon, lat = page.evaluate("wangge.map.getCenter().toArray()")
        assert (lon, lat) == pytest.approx(REPEATED, abs=0.003)
        assert page.evaluate(CONTRAST) == []
        page.locator("#language").click()
        expect(line).to_have_count(0)
        expect(panel).to_contain_text("4 件")
        page.keyboard.press("Escape")
        expect(panel).to_be_hidden()
        expect(page.locator("#repeats-open")).to_be_focused()


def test_merge_two_reports_of_one_leak(browser: Browser, address: str, place: Database) -> None:
    first, second = report(place)

    def states() -> dict[uuid.UUID, str]:
        with place.transaction() as session:
            rows = execute(
                session, "SELECT id, state FROM incidents WHERE id = ANY(:ids)", ids=[first, second]
            )
            return {row.id: row.state for row in rows}

    def notes() -> list[str | None]:
        """Which incidents the notes of the second say that it is not."""
        with place.transaction() as session:
            return list(
                execute(
                    session, "SELECT data ->> 'unlike' FROM incident_events "
                    "WHERE incident_id = :id AND kind = 'note' ORDER BY id", id=second,
                ).scalars()
            )  # fmt: skip

    with visit(browser, address, language="en-GB") as page:
        page.mouse.click(*on_page(page, *LEAK))
        # Both lie under one mark; the second is opened from its list.
        lines = page.locator("#place .incident-list button")
        expect(lines).to_have_count(2)
        lines.first.press("Enter")
        offered = page.locator("#place .duplicates")
        expect(offered.locator("li")).to_have_count(1)
        expect(offered).to_contain_text(TEXTS[0])
        expect(offered.locator(".reason")).to_contain_text("8 m apart")
        expect(offered.locator(".reason")).to_contain_text("3 h between them")
        assert set(states().values()) == {"reported"}
        # Somebody says that they are not the same, and takes it back.
        offered.get_by_role("button", name="Not the same").press("Enter")
        expect(offered.get_by_role("status")).to_contain_text("no longer offered")
        assert notes() == [str(first)]
        assert set(states().values()) == {"reported"}
        at_rest(page)
        assert page.evaluate(CONTRAST) == []
        offered.get_by_role("button", name="Take it back").press("Enter")
        expect(offered.get_by_role("status")).to_contain_text("offered again")
        assert notes() == [str(first), None]
        # In the other language the answer is asked anew; the earlier one is opened this time.
        page.locator("#language").click()
        expect(lines).to_have_count(2)
        lines.last.press("Enter")
        expect(offered).to_contain_text(TEXTS[1])
        button = offered.get_by_role("button", name="是同一件：此件并入本件")
        button.press("Enter")
        expect(offered.get_by_role("status")).to_contain_text("已并入")
        # The later report went into the earlier one.
        assert states() == {first: "reported", second: "merged"}
        expect(offered.get_by_role("button")).to_be_focused()
        offered.get_by_role("button", name="撤销并案").press("Enter")
        expect(offered.get_by_role("status")).to_contain_text("重新办理")
        assert states() == {first: "reported", second: "reopened"}
        at_rest(page)
