"""A person's way through the viewer: the real application in a real Chromium."""

from __future__ import annotations

import re
import uuid
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pytest
from playwright.sync_api import expect

from gis.database import execute
from tests.journeys.viewer import (
    CONTRAST,
    INCIDENTS,
    REPEATED,
    SOUTH,
    STEP,
    VIEW,
    VILLAGE,
    WEST,
    WORKERS,
    at_rest,
    beside_marks,
    middle_of,
    on_page,
    serving,
    visit,
)
from tests.journeys.viewer import address as address  # noqa: PLC0414 - a fixture
from tests.journeys.viewer import browser as browser  # noqa: PLC0414 - a fixture
from tests.journeys.viewer import place as place  # noqa: PLC0414 - a fixture

if TYPE_CHECKING:
    from playwright.sync_api import Browser

    from gis.database import Database

pytestmark = pytest.mark.browser


def test_click_a_grid_and_see_who_answers(browser: Browser, address: str) -> None:
    with visit(browser, address) as page:
        expect(page).to_have_title("示范6 · 虚构示范")
        page.mouse.click(*on_page(page, *middle_of(5)))
        answer = page.locator("#answer")
        expect(answer).to_contain_text(f"{VILLAGE}006")
        expect(answer.locator(".who .first")).to_contain_text(WORKERS[5])
        expect(answer).to_contain_text("示范6 › 示范9 › 示范12")
        expect(answer).to_contain_text("270 / 300")
        expect(answer).to_contain_text("−10%")
        # The address holds the view, and nobody's id or name.
        assert re.search(r"#map=13\.30/44\.91\d+/116\.61\d+&layers=grids,incidents,", page.url)
        assert not re.search(r"[0-9a-f]{8}-[0-9a-f]{4}|甲|%E7%94%B2|person", page.url)
        page.select_option("#accuracy", "300")
        expect(page.locator(".sureness")).to_contain_text("属于本网格的可能性")
        # Nobody is said to be nobody.
        page.mouse.click(*on_page(page, *middle_of(15)))
        expect(page.locator(".nobody")).to_contain_text("现在没有人负责")
        page.keyboard.press("Escape")
        expect(page.locator("#place")).to_be_hidden()
        # The map itself carries code and worker of every grid that has one.
        labels = page.evaluate(
            "wangge.map.queryRenderedFeatures({ layers: ['grid-labels'] })"
            ".map(({ properties }) => properties.worker)"
        )
        assert set(WORKERS) & set(labels)


# What lies under each mark of incidents: the labels whose box, as placed, reaches into it.
UNDER_MARKS = """() => {
  const { map } = wangge;
  const names = ['grid-labels', 'unit-names', 'village-names', 'street-names']
    .filter((id) => map.getLayer(id));
  const found = { several: 0, labels: 0, covered: [] };
  found.labels = map.queryRenderedFeatures({ layers: names }).length;
  for (const { properties, geometry } of map.queryRenderedFeatures({ layers: ['incidents'] })) {
    const { x, y } = map.project(geometry.coordinates);
    const reach = properties.n > 1 ? 5 : 3.5; // a square within the smallest round mark
    found.several += properties.n > 1 ? 1 : 0;
    const box = [[x - reach, y - reach], [x + reach, y + reach]];
    for (const label of map.queryRenderedFeatures(box, { layers: names })) {
      found.covered.push(`${label.properties.short_code ?? label.properties.name}/${properties.n}`);
    }
  }
  return found;
}"""


@pytest.mark.parametrize("language", ["zh-CN", "en-GB"])
def test_no_label_lies_on_a_mark_at_any_zoom(browser: Browser, address: str, language: str) -> None:
    with visit(browser, address, language=language) as page:
        seen = {}
        for zoom in (11, 12, 13, 13.5, 14, 15, 16, 17):
            page.evaluate(
                "([lon, lat, zoom]) => wangge.map.jumpTo({ center: [lon, lat], zoom })",
                [*REPEATED, zoom],
            )
            at_rest(page)
            seen[zoom] = page.evaluate(UNDER_MARKS)
        assert {zoom: found["covered"] for zoom, found in seen.items() if found["covered"]} == {}
        # And that is not because there was nothing to see.
        assert all(found["several"] for found in seen.values())
        assert all(found["labels"] for zoom, found in seen.items() if zoom >= 13)


def test_a_label_is_the_code_and_the_worker_joins_it_further_in(
    browser: Browser, address: str
) -> None:
    # A second line makes a label reach further down; text drawn in a picture cannot be read.
    reach = """([lon, lat]) => {
      const { x, y } = wangge.map.project([lon, lat]);
      const hit = (down) => wangge.map.queryRenderedFeatures(
        [[x - 3, y + down - 1], [x + 3, y + down + 1]], { layers: ['grid-labels'] }).length > 0;
      return [0, 15].map(hit);
    }"""
    only_grids = VIEW.replace("grids,incidents,units,context,cameras", "grids")
    with visit(browser, address, only_grids) as page:
        seen = {}
        for zoom in (13, 14.5, 15.5, 16.5):
            page.evaluate(
                "([lon, lat, zoom]) => wangge.map.jumpTo({ center: [lon, lat], zoom })",
                [*middle_of(5), zoom],
            )
            at_rest(page)
            labels = page.evaluate(
                "wangge.map.queryRenderedFeatures({ layers: ['grid-labels'] }).map("
                "({ geometry, properties }) => [geometry.coordinates, properties.short_code])"
            )
            at = next(place for place, code in labels if code == "006")
            seen[zoom] = page.evaluate(reach, at)
        assert seen == {
            13: [True, False], 14.5: [True, False], 15.5: [True, True], 16.5: [True, True],
        }  # fmt: skip


def test_shares_and_titles_are_written_one_way(browser: Browser, address: str) -> None:
    with visit(browser, address) as page:
        asked = (
            "async (language) => { const i18n = await import('./viewer/i18n.js');"
            " i18n.setLanguage(language);"
            " return ["
            "[0.077, -0.02, -0.104, 0, -0.004, 1.5].map((v) => i18n.percent(v, { signed: true })),"
            "[0.077, 0.002, 0.998, 0, 1].map((v) => i18n.percent(v)),"
            "['示范旗网格(虚构) Demo grids (invented)', 'Demo 2026 / 示范 2026', '2026年网格',"
            " 'First plan', 'E1', '网格 V2'].map((v) => i18n.ownPart(v))] }"
        )
        signed = ["+8%", "−2%", "−10%", "0%", "0%", "+150%"]
        shares = ["8%", "<1%", ">99%", "0%", "100%"]
        assert page.evaluate(asked, "zh") == [
            signed, shares,
            ["示范旗网格(虚构)", "示范 2026", "2026年网格", "First plan", "E1", "网格 V2"],
        ]  # fmt: skip
        assert page.evaluate(asked, "en") == [
            signed, shares,
            ["Demo grids (invented)", "Demo 2026", None, "First plan", "E1", None],
        ]  # fmt: skip


@pytest.mark.parametrize(
    ("language", "title", "other"),
    [("zh-CN", "示范网格，", "Demo grids"), ("en-GB", "Demo grids, in force since", "示范网格")],
)
def test_the_panel_speaks_one_language_and_writes_percent_one_way(
    browser: Browser, address: str, language: str, title: str, other: str
) -> None:
    with visit(browser, address, language=language) as page:
        expect(page.locator("#panel .edition")).to_contain_text(title)
        expect(page.locator("#panel .edition")).not_to_contain_text(other)
        page.mouse.click(*on_page(page, *middle_of(5)))
        page.select_option("#accuracy", "300")
        expect(page.locator(".sureness li").nth(1)).to_be_visible()
        said = page.locator("body").inner_text()
        shares = re.findall(r"\S*\s?%", said)
        assert len(shares) > 8
        for share in shares:
            assert re.fullmatch(r"[^\d]*[+−±<>]?\d+%", share), share
        # A rough position may be in many grids; the far ones are summed up.
        assert page.locator(".sureness li").count() <= 6


def test_outside_every_grid_and_when_nothing_answers(browser: Browser, address: str) -> None:
    with visit(browser, address, language="en-GB", forgive="net::ERR_FAILED") as page:
        page.mouse.click(*on_page(page, WEST + 2.5 * STEP, SOUTH - STEP / 2))
        answer = page.locator("#answer")
        expect(answer).to_contain_text("Outside every grid")
        nearest = rf"Nearest grid: {VILLAGE}003 Demo 12, 27\d m away"
        expect(answer).to_contain_text(re.compile(nearest))
        page.route("**/api/v1/locate?*", lambda route: route.abort())
        page.mouse.click(*on_page(page, *middle_of(5)))
        expect(page.locator("#place .problem")).to_contain_text("The server does not answer")


def test_take_an_incident_and_see_it(browser: Browser, address: str, place: Database) -> None:
    # Far enough out to have them all in view and count, near enough to have each for itself.
    with visit(browser, address, VIEW.replace("13.30", "14.00"), height=1000) as page:
        figure = page.locator("#panel .figure strong")
        expect(figure).to_have_text(str(INCIDENTS))
        page.mouse.click(*on_page(page, *middle_of(6)))
        page.click("#add-incident")
        page.click("#incident-send")  # nothing chosen: the form itself says so, nothing is sent
        expect(page.locator("#stored")).to_have_count(0)
        page.select_option("#incident-category", "hazard")
        page.fill("#incident-text", "<b>路灯</b>不亮")
        page.click("#incident-send")
        expect(page.locator("#stored")).to_contain_text(WORKERS[6])
        expect(page.locator("#stored")).to_contain_text(f"{VILLAGE}007")
        stored = uuid.UUID(page.locator("#stored-id").inner_text())
        with place.transaction() as session:
            row = execute(
                session, "SELECT category, text, state FROM incidents WHERE id = :i", i=stored
            ).one()
        assert row == ("hazard", "<b>路灯</b>不亮", "reported")
        page.click("#stored-close")
        # In the period: the map may have moved aside for the panel, and one be out of view.
        expect(page.locator("#panel .figure")).to_contain_text(f"{INCIDENTS + 1} ")
        at_rest(page)
        page.click("#place .close")
        page.mouse.click(*on_page(page, *middle_of(6)))
        card = page.locator("#place .card")
        expect(card).to_contain_text("安全隐患")
        expect(card).to_contain_text("<b>路灯</b>不亮")


def test_choose_period_and_categories(browser: Browser, address: str) -> None:
    with visit(browser, address, language="en-GB") as page:
        figure = page.locator("#panel .figure")
        page.click("#panel .buttons button:has-text('None')")
        expect(figure).to_contain_text("None in this period")
        page.click("label:has-text('Labour and wages')")
        expect(figure.locator("strong")).to_have_text(str(INCIDENTS // 4))
        assert "cat=labour,migrant_wages" in page.url
        day = (datetime.now(UTC) + timedelta(hours=8)).date()
        page.select_option("#period", "custom")
        page.fill("#period-from", (day - timedelta(days=6)).isoformat())
        expect(figure.locator("strong")).not_to_have_text(str(INCIDENTS // 4))
        at_rest(page)
        page.reload()
        at_rest(page)
        expect(page.locator("#period")).to_have_value("custom")
        expect(page.locator("label:has-text('Labour and wages') input")).to_be_checked()


def test_tiles_that_did_not_change_do_not_hold_up_the_next_choice(
    browser: Browser, address: str
) -> None:
    with visit(browser, address) as page:
        marks = (
            "wangge.map.queryRenderedFeatures({ layers: ['incidents'] })"
            ".reduce((sum, { properties }) => sum + properties.n, 0)"
        )
        before = page.evaluate(marks)
        # All are of the last month, so the server has nothing new for any of these.
        for period in ("90d", "12m", "all"):
            page.select_option("#period", period)
            at_rest(page)
            assert page.evaluate(marks) == before
        page.click("label:has-text('劳动与工资')")
        at_rest(page)
        assert page.evaluate(marks) == before - INCIDENTS // 4


def test_read_the_density(browser: Browser, address: str) -> None:
    with visit(browser, address, language="en-GB", first=True) as page:
        page.click("#task-density")
        legend = page.locator("#density-legend")
        # The first density of a new machine waits for its kernels to be compiled.
        expect(legend.locator(".ramp li").first).to_be_visible(timeout=180_000)
        expect(legend).to_contain_text("per km²")
        expect(legend).to_contain_text("300 m")
        expect(legend.locator("dl")).to_contain_text(re.compile(r"Incidents n\s*4\d"))
        at_rest(page)
        assert page.evaluate("wangge.map.getLayer('density') !== undefined")
        # Tiles, not one picture that is stretched: asked for anew from as near as one likes.
        assert page.evaluate("wangge.map.getSource('density').type") == "raster"
        page.wait_for_function("wangge.map.isSourceLoaded('density')")
        assert page.evaluate(
            "wangge.map.getLayoutProperty('grid-areas', 'visibility') === 'none'"
        ), "two colourings of one ground"
        page.click("label:has-text('600 m')")
        expect(legend.locator("dl")).to_contain_text("600 m")
        assert "bandwidth=600" in page.url
        page.click("#layer-density")
        page.wait_for_function("wangge.map.getLayer('density') === undefined")


RANKS_SEEN = """async () => {
  const { showHotspots } = await import('./viewer/layers/hotspots.js');
  const { map } = wangge;
  map.jumpTo({ center: [116.6, 44.9], zoom: 9 });
  const grid = (rank, east, side) => ({
    type: 'Feature', properties: { rank, class: 'first' },
    geometry: { type: 'Polygon', coordinates: [[[0, 0], [1, 0], [1, 1], [0, 1], [0, 0]].map(
      ([x, y]) => [116.6 + east + x * side, 44.9 + y * side])] },
  });
  const features = [grid(2, 0, 0.01), grid(1, 0.01, 0.0005), grid(3, 0.2, 0.01)];
  const layer = { type: 'FeatureCollection', features };
  showHotspots(map, { legend: [{ key: 'first', color: '#7f2704' }], layer }, undefined);
  await map.once('idle');
  const seen = map.queryRenderedFeatures({ layers: ['hotspots-ranks'] });
  return [...new Set(seen.map(({ properties }) => properties.rank))].sort();
}"""
"""Lays out three ranks, two of them at one place, and tells which are drawn."""


def test_look_for_hot_spots(browser: Browser, address: str) -> None:
    # Its incidents are of three weeks, and a list needs twelve: refused, in words.
    with visit(browser, address, language="en-GB", forgive="422") as page:
        page.click("#layer-hotspots")
        legend = page.locator("#hotspot-legend")
        expect(legend.locator(".problem")).to_contain_text("12 are needed", timeout=30_000)
        # The page's language, whatever the browser's; and a refusal that stands there is told anew.
        page.click("#language")
        expect(legend.locator(".problem")).to_contain_text("至少需要 12 周")
        page.click("#language")
        expect(legend.locator(".problem")).to_contain_text("12 are needed")
        page.select_option("#method", "hot_grids")
        expect(legend.locator(".entries")).to_contain_text("not significant", timeout=180_000)
        expect(legend.locator("dl")).to_contain_text("5%")
        assert "method=hot_grids" in page.url
        at_rest(page)
        assert page.evaluate("wangge.map.getLayer('hotspots') !== undefined")
        page.mouse.click(*on_page(page, *beside_marks(page, 0)))
        expect(page.locator("#place .card")).to_contain_text("seen / expected")
        page.click("#layer-density")
        expect(page.locator("#layer-hotspots")).not_to_be_checked()
        page.wait_for_function("wangge.map.getLayer('hotspots') === undefined")
        # Of ranks that would overlap the first is read, be its grid smaller than a pixel.
        assert page.evaluate(RANKS_SEEN) == [1, 3]


def test_read_the_map_by_grid(browser: Browser, address: str) -> None:
    """Rates with their classes; shared, what is hidden is striped, and its number is nowhere."""
    with visit(browser, address, language="en-GB", forgive="422") as page:
        page.click("#layer-gridmap")
        legend = page.locator("#gridmap-legend")
        expect(legend).to_contain_text("incidents per 1,000 households per 30 days")
        expect(legend.locator("dl")).to_contain_text(re.compile(r"Incidents n\s*[34]\d"))
        at_rest(page)
        page.mouse.move(*on_page(page, *middle_of(10)))
        tip = page.locator("#map .tip")
        expect(tip).to_contain_text(re.compile(r"Incidents\s*\d+.*95% interval\s*\S+ – \S+"))
        page.check("input[name=measure][value=count]")
        expect(legend.locator(".unit")).to_have_text("incidents per grid")
        assert "measure=count" in page.url
        at_rest(page)
        page.mouse.click(*on_page(page, *beside_marks(page, 10)))
        expect(page.locator("#place .card")).to_contain_text("95% interval")
        expect(tip).to_have_count(0)  # the card tells the same
        # A mark is what a click on it asks about; the grid that it lies in comes after.
        page.mouse.click(*on_page(page, *REPEATED))
        expect(page.locator("#place .card").first).to_contain_text(
            re.compile(r"\d+ incidents here")
        )
        expect(page.locator("#place .card").last).to_contain_text("95% interval")
        # The last quarter that is over holds none of it, so that it begins before the incidents.
        page.click("#gridmap-shared")
        expect(legend).to_contain_text(re.compile("shared map|no quarter"), timeout=30_000)
        assert "shared=true" in page.url
        page.click("#layer-density")
        expect(page.locator("#layer-gridmap")).not_to_be_checked()
        assert page.evaluate("wangge.map.getLayer('gridmap') === undefined")


def test_two_languages(browser: Browser, address: str) -> None:
    with visit(browser, address, language="zh-CN") as page:
        assert page.get_attribute("html", "lang") == "zh-CN"
        page.mouse.click(*on_page(page, *middle_of(2)))
        expect(page.locator("#answer")).to_contain_text("网格员")
        page.click("#language")
        expect(page.locator("#answer")).to_contain_text("grid worker")
        expect(page).to_have_title("Demo 6 · invented demo place")
        assert page.get_attribute("html", "lang") == "en-GB"
        han = re.findall(r"[\u4e00-\u9fff]+", page.locator("#panel").inner_text())
        assert han == []
        missing = page.evaluate(
            "[...document.body.innerText.matchAll(/\\b[a-z]+\\.[a-z_]+\\b/g)].map(([key]) => key)"
        )
        assert missing == []
        assert "lang=en" in page.url
        page.goto(address + "?again")  # remembered without the address
        expect(page.locator("#language")).to_have_text("中文")


def test_by_keyboard_alone(browser: Browser, address: str) -> None:
    with visit(browser, address, language="en-GB") as page:
        page.keyboard.press("Tab")
        expect(page.locator(".skip")).to_be_focused()
        page.keyboard.press("Enter")
        expect(page.locator(".maplibregl-canvas")).to_be_focused()
        page.keyboard.press("Enter")
        expect(page.locator("#answer")).to_contain_text(VILLAGE)
        expect(page.locator("#place h2")).to_be_focused()
        named = page.evaluate(
            "[...document.querySelectorAll('button, input, select, canvas')].filter((e) =>"
            " !(e.ariaLabel || e.innerText?.trim() || e.labels?.length)).map((e) => e.outerHTML)"
        )
        assert named == []


def test_text_stands_out_as_wcag_aa_wants(browser: Browser, address: str) -> None:
    with visit(browser, address, first=True) as page:
        assert page.evaluate(CONTRAST) == []  # of the card with the tasks
        page.click(".tasks .close")
        page.click("#layer-density")
        for number in (0, 5, 8, 12, 15):
            page.mouse.click(*on_page(page, *middle_of(number)))
            expect(page.locator("#answer")).to_contain_text(f"{VILLAGE}{number + 1:03d}")
            assert page.evaluate(CONTRAST) == []


def test_on_a_phone(browser: Browser, address: str) -> None:
    with visit(browser, address, width=390, height=844) as page:
        expect(page.locator("#panel")).to_be_hidden()
        page.click("#show-panel")
        expect(page.locator("#panel")).to_be_visible()
        page.click("#panel .close")
        expect(page.locator("#panel")).to_be_hidden()
        lon, lat = middle_of(1)  # low on the page, where the sheet with the answer will lie
        page.mouse.click(*on_page(page, lon, lat))
        expect(page.locator("#answer")).to_contain_text(WORKERS[1])
        at_rest(page)
        _, y = on_page(page, lon, lat)
        sheet = page.locator("#place").bounding_box()
        assert sheet is not None
        assert y < sheet["y"], "the place is under the sheet"
        assert page.evaluate("document.documentElement.scrollWidth") == 390


def test_without_grids_it_says_what_to_do(browser: Browser, database: Database) -> None:
    with serving(database) as address, visit(browser, address, "", language="en-GB") as page:
        expect(page.locator(".empty")).to_contain_text("wangge demo")
