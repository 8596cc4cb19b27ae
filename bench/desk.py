"""How the planners' page bears a plan of 4,000 grids: ``python -m bench.desk``.

The plan of `bench.plans` with 3,969 grids of 36 cells, their outlines with 80 vertices each, as
drawn ones have; the application serves it to a headless Chromium without a graphics card. How long
until the plan is drawn whole; and, of moves of one cell, from the click on the grid it goes to
until the figures of the answer stand in the panel, and until the map is at rest again.
"""

from __future__ import annotations

import os
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import sqlalchemy as sa
from playwright.sync_api import sync_playwright

from bench.plans import CELLS, STEP, fill, grids_of_cells
from boundaries.accounts.models import Account
from data import schema
from gis import hardening
from gis.database import Database
from gis.settings import DatabaseSettings
from tests import factories
from tests.journeys.viewer import ARGUMENTS, CHROMIUM, TOKENS, on_page, serving, visit

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

SIDE = 63
VERTICES = 80
MOVES = 12
SEGMENTS = """
UPDATE grid_shapes SET geom = ST_Segmentize(geom, :longest) WHERE edition_id = :edition
"""


def settled(page: Page) -> None:
    """Wait until a step has been taken and drawn."""
    page.wait_for_selector("body[data-busy=false]")
    page.wait_for_selector("#map[data-map=idle]")


def measure(browser: Browser, database: Database, address: str, edition: int) -> None:
    """Print what was found."""
    with database.transaction() as session:
        grid_of = grids_of_cells(session, edition)
        code_of = {
            row.grid_id: row.code
            for row in session.execute(
                sa.text("SELECT grid_id, code FROM grid_shapes WHERE edition_id = :edition"),
                {"edition": edition},
            )
        }
    started = time.perf_counter()
    width = SIDE * CELLS
    dice = np.random.default_rng(1)
    figures, drawn = [], []
    with visit(browser, address, f"plan#plan={edition}") as page:
        print(f"plan drawn whole: {time.perf_counter() - started:.1f} s")
        asked = "performance.getEntriesByType('resource').filter((e) => e.name.includes('/shapes'))"
        sizes = page.evaluate(f"{asked}.map((e) => e.transferSize)")
        took = page.evaluate(f"{asked}.map((e) => e.duration)")
        print(f"shapes: {sum(sizes) / 1e6:.1f} MB in {len(sizes)} answers, {sum(took):.0f} ms")
        for _ in range(MOVES):
            column, row = int(dice.integers(1, SIDE - 1)), int(dice.integers(0, SIDE))
            x, y = column * CELLS + CELLS - 1, row * CELLS + 2
            page.fill("#desk-find", code_of[grid_of[y * width + x]])
            page.press("#desk-find", "Enter")
            page.wait_for_selector("#desk-all")
            settled(page)
            for dx in (0.5, 1.5):
                place = on_page(page, 117 + (x + dx) * STEP, 45 + (y + 0.5) * STEP)
                if dx < 1:
                    page.mouse.click(*place)
                    page.wait_for_selector("#desk-move")
                    page.click("#desk-move")
                    page.wait_for_selector("#desk-cancel")
                    head = page.get_attribute("body", "data-head")
                    settled(page)
                else:
                    begun = time.perf_counter()
                    page.mouse.click(*place)
            page.wait_for_selector(f"body:not([data-head='{head}'])")
            figures.append(time.perf_counter() - begun)
            settled(page)
            drawn.append(time.perf_counter() - begun)
    for name, values in (("figures", figures), ("map at rest", drawn)):
        p50, p95 = (1000 * np.percentile(values, p) for p in (50, 95))
        print(f"a move, until {name}: p50 {p50:.0f} ms, p95 {p95:.0f} ms")


def main() -> None:
    """Make the plan, serve it, and look at it."""
    memory = Path("/dev/shm")
    folder = memory if os.access(memory, os.W_OK) else None
    with tempfile.TemporaryDirectory(prefix="wangge-bench-", dir=folder) as name:
        Path(name).chmod(0o755)  # root runs PostgreSQL as another account
        settings = DatabaseSettings(data_dir=Path(name) / "cluster", durable=False)
        with Database.open(settings) as database:
            schema.upgrade(database)
            hardening.apply(database)
            edition, _ = fill(database, SIDE)
            with database.transaction(timeout_s=0) as session:
                session.execute(
                    sa.text(SEGMENTS),
                    {"longest": 4 * CELLS * STEP / VERTICES, "edition": edition},
                )
                planner = session.scalars(sa.select(Account)).one()
                token = factories.token(session, planner)
            with serving(database) as address, sync_playwright() as playwright:
                TOKENS[address] = token
                browser = playwright.chromium.launch(executable_path=CHROMIUM, args=ARGUMENTS)
                measure(browser, database, address, edition)
                browser.close()


if __name__ == "__main__":
    main()
