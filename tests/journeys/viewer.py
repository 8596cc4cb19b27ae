"""A place, the application over it, and a real Chromium to look at it with."""

from __future__ import annotations

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


BESIDE_MARKS = """([west, south, step]) => {
  const { map } = wangge;
  const layers = ['incidents', 'cameras'].filter((id) => map.getLayer(id));
  for (let place = 0; place < 49; place += 1) {
    const at = [west + step * (0.2 + 0.1 * (place % 7)),
      south + step * (0.2 + 0.1 * Math.floor(place / 7))];
    const { x, y } = map.project(at);
    const reach = [[x - 8, y - 8], [x + 8, y + 8]];
    if (map.queryRenderedFeatures(reach, { layers }).length === 0) return at;
  }
  return null;
}"""


def beside_marks(page: Page, number: int) -> tuple[float, float]:
    """A place in a grid that no mark lies on, where a click asks about the grid alone."""
    corner = [WEST + number % SIDE * STEP, SOUTH + number // SIDE * STEP]
    lon, lat = page.evaluate(BESIDE_MARKS, [*corner, STEP])
    return lon, lat


CONTRAST = """() => {
  const parse = (text) => (text.match(/[\\d.]+/g) ?? []).map(Number);
  const light = ([r, g, b]) => [r, g, b].map((v) => v / 255)
    .map((v) => (v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4))
    .reduce((sum, v, i) => sum + v * [0.2126, 0.7152, 0.0722][i], 0);
  const found = [];
  const parts = '#header *, #panel *, #place *, #repeats *, #over *';
  for (const element of document.querySelectorAll(parts)) {
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
