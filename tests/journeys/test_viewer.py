"""A person's way through the viewer: the real application in a real Chromium."""

from __future__ import annotations

import re
import threading
import uuid
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pytest
import shapely
import sqlalchemy as sa
import uvicorn
from playwright.sync_api import Page, expect, sync_playwright

from api.app import create_app
from api.auth import COOKIE
from api.settings import ServerSettings
from gis.database import Database, execute
from gis.settings import DatabaseSettings
from tests import factories

if TYPE_CHECKING:
    from collections.abc import Iterator

    from playwright.sync_api import Browser
    from sqlalchemy.orm import Session

    from gis.cluster import Cluster

pytestmark = pytest.mark.browser
expect.set_options(timeout=20_000)  # machines are shared; a slow minute is no failure

CHROMIUM = "/usr/bin/chromium"
ARGUMENTS = [
    "--no-sandbox",
    "--use-angle=swiftshader",
    "--enable-unsafe-swiftshader",
    "--disable-dev-shm-usage",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
]
COUNTY = "990121"
VILLAGE = COUNTY + "001001"
WEST, SOUTH, STEP = 116.60, 44.90, 0.005
SIDE = 4
WORKERS = tuple(f"甲山{letter}" for letter in "河云星林原草泉石岭川野风雪松柏")
INCIDENTS = 40
REPEATED = (WEST + 2.5 * STEP, SOUTH + 2.5 * STEP)
"""The address of the last four, in the middle of a grid: where its label would be."""
VIEW = "#map=13.30/44.91000/116.61000&layers=grids,incidents,units,context,cameras"


def load_place(session: Session) -> None:
    """Four by four grids, a worker on each but the last, incidents of three weeks, a camera."""
    whole = shapely.box(WEST, SOUTH, WEST + SIDE * STEP, SOUTH + SIDE * STEP)
    levels = [("99", 2), ("9901", 4), (COUNTY, 6), (COUNTY + "001", 9), (VILLAGE, 12)]
    for (code, level), parent in zip(levels, [None, *(code for code, _ in levels)], strict=False):
        execute(
            session,
            "INSERT INTO admin_units (code, level, parent_code, name, name_en, geom, source)"
            " VALUES (:c, :l, :p, :n, :e, ST_Multi(ST_GeomFromText(:g, 4326)), 'demo')",
            c=code, l=level, p=parent, n=f"示范{level}", e=f"Demo {level}", g=whole.wkt,
        )  # fmt: skip
    edition = execute(
        session,
        "INSERT INTO editions (area_code, title, author) VALUES (:c, :t, 't') RETURNING id",
        c=COUNTY, t="示范网格 Demo grids",
    ).scalar_one()  # fmt: skip
    for number in range(SIDE * SIDE):
        west, south = WEST + number % SIDE * STEP, SOUTH + number // SIDE * STEP
        grid = execute(
            session, "INSERT INTO grids (county_code) VALUES (:c) RETURNING id", c=COUNTY
        ).scalar_one()
        execute(
            session,
            "INSERT INTO grid_shapes (edition_id, grid_id, county_code, code, unit_code, area_type,"
            " households, buildings, target, compactness, area_m2, geom) VALUES (:e, :g, :c, :code,"
            " :u, 'urban', :h, 1, 300, 0.8, 1, ST_GeomFromText(:geom, 4326))",
            e=edition, g=grid, c=COUNTY, code=f"{VILLAGE}{number + 1:03d}", u=VILLAGE,
            h=200 + 14 * number, geom=shapely.box(west, south, west + STEP, south + STEP).wkt,
        )  # fmt: skip
        if number < len(WORKERS):
            person = execute(
                session,
                "INSERT INTO persons (county_code, name, source, external_id)"
                " VALUES (:c, :n, 'demo', :n) RETURNING id",
                c=COUNTY, n=WORKERS[number],
            ).scalar_one()  # fmt: skip
            execute(
                session,
                "INSERT INTO assignments (county_code, person_id, role, grid_id, is_primary,"
                " valid, author) VALUES (:c, :p, 'grid_worker', :g, true, '[2025-01-01,)', 't')",
                c=COUNTY, p=person, g=grid,
            )  # fmt: skip
    execute(
        session,
        "UPDATE editions SET status = 'active', valid = '[2025-01-01,)', approver = 'a',"
        " published_at = now() WHERE id = :e",
        e=edition,
    )
    for number in range(INCIDENTS):
        lon, lat = WEST + (number * 7 % 39 + 0.5) * STEP / 10, SOUTH + (number + 0.5) * STEP / 10.5
        if number >= INCIDENTS - 4:
            lon, lat = REPEATED
        execute(
            session,
            "INSERT INTO incidents (id, county_code, source, category, reported_at, geom,"
            " source_crs, source_x, source_y, method, reason, request_sha256) VALUES (:i, :c,"
            " 'test', :k, :t, ST_SetSRID(ST_MakePoint(:x, :y), 4326), 'wgs84', :x, :y, 'map',"
            " 'assigned', repeat('0', 64))",
            i=uuid.uuid4(), c=COUNTY, k="labour" if number % 4 == 0 else "neighbour", x=lon, y=lat,
            t=datetime.now(UTC) - timedelta(days=number / 2 + 1),
        )  # fmt: skip
        execute(
            session,
            "INSERT INTO buildings (county_code, unit_code, households_resident, geom, source,"
            " external_id) VALUES (:c, :u, 20, ST_SetSRID(ST_MakePoint(:x, :y), 4326), 'demo', :e)",
            c=COUNTY, u=VILLAGE, x=lon, y=lat, e=str(number),
        )  # fmt: skip
    execute(
        session,
        "INSERT INTO cameras (county_code, name, heading_deg, hfov_deg, range_m, status, geom,"
        " source, external_id) VALUES (:c, '1', 90, 70, 150, 'online',"
        " ST_SetSRID(ST_MakePoint(:x, :y), 4326), 'demo', '1')",
        c=COUNTY, x=WEST + STEP, y=SOUTH + STEP,
    )  # fmt: skip


TOKENS: dict[str, str] = {}
"""Tokens of a session at each address: of a dispatcher who sees the whole place."""


@contextmanager
def serving(database: Database) -> Iterator[str]:
    """The address of the application over this database, on a free port of this machine."""
    app = create_app(ServerSettings(), database)
    server = uvicorn.Server(uvicorn.Config(app, host="127.0.0.1", port=0, log_level="warning"))
    thread = threading.Thread(target=server.run)
    thread.start()
    while not server.started:
        thread.join(0.02)
        assert thread.is_alive(), "the server did not start"
    port = server.servers[0].sockets[0].getsockname()[1]
    with database.transaction() as session:
        who = factories.account(session, "dispatcher", login=f"dispatcher-{port}")
        TOKENS[f"http://127.0.0.1:{port}/"] = factories.token(session, who)
    yield f"http://127.0.0.1:{port}/"
    server.should_exit = True
    thread.join()


@pytest.fixture(scope="module")
def place(test_cluster: Cluster, template: str) -> Iterator[Database]:
    """A database of this module's own, with a place in it."""
    name = f"test_{uuid.uuid4().hex}"
    url = sa.make_url(test_cluster.url)
    admin = sa.create_engine(
        url.set(database="postgres"), isolation_level="AUTOCOMMIT", poolclass=sa.NullPool
    )
    with admin.connect() as connection:
        connection.execute(sa.text(f'CREATE DATABASE "{name}" TEMPLATE "{template}"'))
    database = Database(
        url.set(database=name).render_as_string(hide_password=False),
        DatabaseSettings(data_dir=test_cluster.folder),
    )
    with database.transaction() as session:
        load_place(session)
    yield database
    database.dispose()
    with admin.connect() as connection:
        connection.execute(sa.text(f'DROP DATABASE "{name}" WITH (FORCE)'))
    admin.dispose()


@pytest.fixture(scope="module")
def address(place: Database) -> Iterator[str]:
    with serving(place) as address:
        yield address


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=ARGUMENTS)
        yield browser
        browser.close()


@contextmanager
def visit(
    browser: Browser, address: str, hash_: str = VIEW, *, width: int = 1280, height: int = 800,
    language: str = "zh-CN", first: bool = False, forgive: str | None = None,
) -> Iterator[Page]:  # fmt: skip
    """An open page at rest; when left, nothing may have gone out and nothing been complained of."""
    context = browser.new_context(
        viewport={"width": width, "height": height}, locale=language, timezone_id="Asia/Shanghai"
    )
    context.add_cookies([{"name": COOKIE, "value": TOKENS[address], "url": address}])
    page = context.new_page()
    complaints: list[str] = []
    outside: list[str] = []
    page.on(
        "console",
        lambda said: complaints.append(said.text) if said.type in {"error", "warning"} else None,
    )
    page.on("pageerror", lambda error: complaints.append(str(error)))
    page.on(
        "request",
        lambda sent: (
            outside.append(sent.url)
            if not sent.url.startswith((address, "data:", "blob:"))
            else None
        ),
    )
    if not first:
        page.add_init_script("localStorage.setItem('wangge.tasks_seen', '1')")
    page.goto(address + hash_)
    at_rest(page)
    yield page
    # A driver of software rendering speaks of its own slowness; that is not the page's doing.
    forgiven = ("GL Driver Message", forgive or "GL Driver Message")
    assert [said for said in complaints if not any(each in said for each in forgiven)] == []
    assert outside == []
    context.close()


def at_rest(page: Page) -> None:
    expect(page.locator("body")).to_have_attribute("data-ready", "true", timeout=30_000)
    expect(page.locator("#map")).to_have_attribute("data-map", "idle", timeout=30_000)


def on_page(page: Page, lon: float, lat: float) -> tuple[float, float]:
    """Where a place is on the page, in CSS pixels."""
    x, y = page.evaluate(
        "([lon, lat]) => { const { x, y } = wangge.map.project([lon, lat]);"
        " const box = wangge.map.getContainer().getBoundingClientRect();"
        " return [x + box.left, y + box.top] }",
        [lon, lat],
    )
    return x, y


def middle_of(number: int) -> tuple[float, float]:
    return (
        WEST + (number % SIDE + 0.52) * STEP,
        SOUTH + (number // SIDE + 0.48) * STEP,
    )


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
        assert page.evaluate("wangge.map.isSourceLoaded('density')")
        assert page.evaluate(
            "wangge.map.getLayoutProperty('grid-areas', 'visibility') === 'none'"
        ), "two colourings of one ground"
        page.click("label:has-text('600 m')")
        expect(legend.locator("dl")).to_contain_text("600 m")
        assert "bandwidth=600" in page.url
        page.click("#layer-density")
        assert page.evaluate("wangge.map.getLayer('density') === undefined")


def test_look_for_hot_spots(browser: Browser, address: str) -> None:
    # Its incidents are of three weeks, and a list needs twelve: refused, in words.
    with visit(browser, address, language="en-GB", forgive="422") as page:
        page.click("#layer-hotspots")
        legend = page.locator("#hotspot-legend")
        expect(legend.locator(".problem")).to_contain_text("12 are needed", timeout=30_000)
        page.select_option("#method", "hot_grids")
        expect(legend.locator(".entries")).to_contain_text("not significant", timeout=180_000)
        expect(legend.locator("dl")).to_contain_text("5%")
        assert "method=hot_grids" in page.url
        at_rest(page)
        assert page.evaluate("wangge.map.getLayer('hotspots') !== undefined")
        page.mouse.click(*on_page(page, *middle_of(0)))
        expect(page.locator("#place .card").first).to_contain_text("seen / expected")
        page.click("#layer-density")
        expect(page.locator("#layer-hotspots")).not_to_be_checked()
        assert page.evaluate("wangge.map.getLayer('hotspots') === undefined")


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


CONTRAST = """() => {
  const parse = (text) => (text.match(/[\\d.]+/g) ?? []).map(Number);
  const light = ([r, g, b]) => [r, g, b].map((v) => v / 255)
    .map((v) => (v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4))
    .reduce((sum, v, i) => sum + v * [0.2126, 0.7152, 0.0722][i], 0);
  const found = [];
  for (const element of document.querySelectorAll('#header *, #panel *, #place *, #over *')) {
    const own = [...element.childNodes].some((n) => n.nodeType === 3 && n.data.trim());
    if (!own || !element.checkVisibility() || element.tagName === 'OPTION') continue;
    let under = element, back = [0, 0, 0, 0];
    while (under && (back.length === 4 && back[3] === 0)) {
      back = parse(getComputedStyle(under).backgroundColor);
      under = under.parentElement;
    }
    const both = [light(parse(getComputedStyle(element).color)), light(back)];
    const [a, b] = both.sort((x, y) => y - x);
    const ratio = (a + 0.05) / (b + 0.05);
    if (ratio < 4.5) found.push(`${element.innerText}: ${ratio.toFixed(2)}`);
  }
  return found;
}"""


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
