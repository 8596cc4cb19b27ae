"""An address that nobody was sure of is settled on the map, by keyboard and by hand."""

from __future__ import annotations

import uuid
from typing import TYPE_CHECKING

import pytest
from playwright.sync_api import expect

from gis.database import execute
from grids.addresses import gazetteer
from grids.incidents import service
from tests.journeys.viewer import (
    CONTRAST,
    COUNTY,
    SOUTH,
    STEP,
    VILLAGE,
    WEST,
    WORKERS,
    at_rest,
    middle_of,
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


def ask(database: Database, *texts: str) -> list[uuid.UUID]:
    """Two streets a slip apart, and incidents whose addresses may be in either."""
    with database.transaction() as session:
        for number, name in enumerate(("人民大街", "人和大街")):
            execute(
                session,
                "INSERT INTO buildings (county_code, unit_code, address, households_resident, geom,"
                " source, external_id) VALUES (:c, :u, :a, 1,"
                " ST_SetSRID(ST_MakePoint(:x, :y), 4326), 't', :a) ON CONFLICT DO NOTHING",
                c=COUNTY, u=VILLAGE, a=f"{name}7号", x=WEST + (number * 2 + 0.5) * STEP,
                y=SOUTH + 0.5 * STEP,
            )  # fmt: skip
        gazetteer.refresh(session, COUNTY)
        stored = [
            service.record(
                session,
                service.Report(id=uuid.uuid4(), category="other", source="phone", address=text,
                               text="<b>井盖</b>"),
                actor="phone",
            )
            for text in texts
        ]  # fmt: skip
        assert [each.incident.review for each in stored] == ["no_place"] * len(texts)
        return [each.incident.id for each in stored]


def test_settle_addresses(browser: Browser, address: str, place: Database) -> None:
    chosen, pointed = ask(place, "人民名大街7号", "天上人间")
    with visit(browser, address, language="en-GB") as page:
        button = page.locator("#queue-open")
        expect(button.locator(".badge")).to_have_text("2")
        button.press("Enter")
        expect(page.locator("#queue-text")).to_have_text("人民名大街7号")
        expect(page.locator("#queue h2")).to_be_focused()
        expect(page.locator("#queue .asking")).to_contain_text("<b>井盖</b>")
        labels = page.locator("#queue .candidates .label")
        expect(labels.first).to_have_text("人民大街7号")
        assert page.locator(".candidate-pin").count() == labels.count() > 1
        at_rest(page)
        assert page.evaluate(CONTRAST.replace("#place *", "#queue *")) == []
        # The number on the map leads to the line of the list, and the other way round.
        page.locator(".candidate-pin").nth(1).click()
        expect(page.locator("#queue-choose-1")).to_be_focused()
        expect(page.locator(".candidate-pin.chosen")).to_have_text("2")
        page.locator("#queue-choose-0").press("Enter")
        expect(page.locator("#queue .settled")).to_contain_text("人民大街7号")
        expect(button.locator(".badge")).to_have_text("1")
        # None of them: pointed at by keyboard, and set only when the button is pressed.
        expect(page.locator("#queue-text")).to_have_text("天上人间")
        page.locator(".maplibregl-canvas").press("Enter")
        expect(page.locator("#queue-set")).to_be_focused()
        expect(page.locator("#queue-text")).to_have_text("天上人间")
        page.mouse.click(*on_page(page, *middle_of(5)))
        page.locator("#language").click()
        expect(page.locator("#queue h2")).to_have_text("待核地址")
        page.locator("#queue-set").press("Enter")
        expect(page.locator("#queue-empty")).to_have_text("没有等待核对的地址")
        page.keyboard.press("Escape")
        expect(page.locator("#queue")).to_be_hidden()
        expect(button).to_be_hidden()
        at_rest(page)
    with place.transaction() as session:
        rows = {
            row.id: row
            for row in execute(
                session,
                "SELECT i.id, i.method, p.name, e.actor, e.kind FROM incidents AS i "
                "JOIN persons AS p ON p.id = i.person_id JOIN incident_events AS e "
                "ON e.incident_id = i.id AND e.kind <> 'reported' WHERE i.id = ANY(:ids)",
                ids=[chosen, pointed],
            )
        }
    assert (rows[chosen].method, rows[chosen].name) == ("address", WORKERS[0])
    assert (rows[pointed].method, rows[pointed].name) == ("map", WORKERS[5])
    assert {row.kind for row in rows.values()} == {"relocated"}
    assert all("dispatcher" in row.actor for row in rows.values())


def test_settle_the_same_words_alike(browser: Browser, address: str, place: Database) -> None:
    # However it is spaced it is the same.
    ask(place, "人和名大街7号", "人和名大街 7号")
    with visit(browser, address, language="en-GB") as page:
        page.locator("#queue-open").press("Enter")
        expect(page.locator("#queue-text")).to_have_text("人和名大街7号")
        page.get_by_label("with the same words").check()
        page.locator("#queue-choose-0").press("Enter")
        expect(page.locator("#queue .settled")).to_contain_text("Settled alike with it: 1.")
        expect(page.locator("#queue-empty")).to_be_visible()
