from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import folium
import numpy as np
import pytest
from matplotlib.image import imread
from playwright.sync_api import Page, sync_playwright

from gis.errors import BadInput
from maps.folium_map import write_html
from tests.maps.heatmaps import HOT_SPOT, a_heatmap, events, some_grids

CHROMIUM = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-dev-shm-usage",
]


class Seen:
    """What a page did while it was open."""

    def __init__(self, page: Page) -> None:
        self.page = page
        self.requests: list[str] = []
        self.complaints: list[str] = []
        page.on("request", lambda request: self.requests.append(request.url))
        page.on("console", lambda message: self.complaints.append(message.text))
        page.on("pageerror", lambda error: self.complaints.append(str(error)))

    def open(self, path: Path) -> Page:
        self.page.goto(path.as_uri())
        self.page.wait_for_selector(".leaflet-container .leaflet-control-scale-line")
        return self.page


@pytest.fixture(scope="module")
def chromium() -> Iterator[Page]:
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path="/usr/bin/chromium", args=CHROMIUM)
        yield browser.new_page(viewport={"width": 1100, "height": 800})
        browser.close()


@pytest.mark.browser
def test_a_name_is_shown_and_never_run(chromium: Page, tmp_path: Path) -> None:
    path = tmp_path / "map.html"
    name = "<img src=x onerror=\"document.title='run'\"></script><script>alert(1)</script>"
    grids = some_grids()
    grids["name"] = name
    write_html(a_heatmap(), path, grids=grids)
    seen = Seen(chromium)
    page = seen.open(path)
    box = page.locator(".leaflet-image-layer").bounding_box()
    assert box is not None
    page.mouse.move(box["x"] + box["width"] * 0.1, box["y"] + box["height"] * 0.1)
    assert name in page.locator(".leaflet-tooltip").inner_text()
    assert page.title() != "run"
    assert seen.complaints == []


@pytest.mark.browser
def test_the_page_opens_from_the_file_alone(chromium: Page, tmp_path: Path) -> None:
    path = tmp_path / "map.html"
    write_html(a_heatmap(), path, grids=some_grids(), points=events(50))
    seen = Seen(chromium)
    page = seen.open(path)

    assert page.locator("h1").first.inner_text() == "邻里纠纷热力图"
    assert page.get_by_text("每平方公里每30天件数").is_visible()
    assert page.get_by_text("2025年7月1日至2025年7月31日（31天）").is_visible()
    assert not page.get_by_text("incidents per km²").is_visible()
    page.get_by_role("button", name="English").click()
    assert page.get_by_text("incidents per km² per 30 days").is_visible()
    assert not page.get_by_text("每平方公里每30天件数").is_visible()
    assert page.evaluate("document.documentElement.lang") == "en"

    # Over a grid its code and worker are shown.
    box = page.locator(".leaflet-image-layer").bounding_box()
    assert box is not None
    page.mouse.move(box["x"] + box["width"] * 0.1, box["y"] + box["height"] * 0.1)
    assert "152522000" in page.locator(".leaflet-tooltip").inner_text()

    assert [url for url in seen.requests if not url.startswith("data:")] == [path.as_uri()]
    assert seen.complaints == []


@pytest.mark.browser
def test_the_density_lies_where_the_events_are(chromium: Page, tmp_path: Path) -> None:
    path = tmp_path / "map.html"
    write_html(a_heatmap(), path, language="zh")
    page = Seen(chromium).open(path)
    name = re.search(r"var (map_\w+) = L\.map", path.read_text())
    assert name is not None
    # The picture's corners on the screen are those of its bounds, and the darkest spot of what
    # is seen is the hot spot.
    lon, lat = HOT_SPOT
    x, y = page.evaluate(
        f"(() => {{ const p = {name[1]}.latLngToContainerPoint([{lat}, {lon}]);"
        "return [p.x, p.y]; })()"
    )
    page.wait_for_function("document.querySelector('.leaflet-image-layer').complete")
    shot = tmp_path / "shot.png"
    page.screenshot(path=shot)
    pixels = imread(shot)[:, 320:, :3]
    dark = pixels[..., 0] + pixels[..., 1] < 0.95  # The purple of the highest class.
    dark &= pixels[..., 2] < 0.5
    dark &= pixels[..., 0] > pixels[..., 1] + 0.1
    rows, columns = np.nonzero(dark)
    assert len(rows) > 50
    assert np.hypot(columns.mean() + 320 - x, rows.mean() - y) < 25


@pytest.mark.browser
def test_few_events_are_not_drawn(chromium: Page, tmp_path: Path) -> None:
    path = tmp_path / "map.html"
    write_html(a_heatmap(4), path, language="en")
    seen = Seen(chromium)
    page = seen.open(path)
    assert page.get_by_text("Fewer than 5 events: not shown.").is_visible()
    assert page.get_by_text("fewer than 5", exact=True).is_visible()
    assert page.get_by_role("button", name="English").count() == 0
    assert seen.complaints == []


def test_no_address_is_loaded_from_and_folium_is_left_as_it_was(tmp_path: Path) -> None:
    before = list(folium.Map.default_js)
    write_html(a_heatmap(), tmp_path / "map.html")
    page = (tmp_path / "map.html").read_text()
    assert re.findall(r"<(?:script|link|img|iframe)[^>]*(?:src|href)=", page) == []
    assert before == folium.Map.default_js != []


def test_words_from_outside_are_text_not_markup(tmp_path: Path) -> None:
    write_html(a_heatmap(title="<script>alert(1)</script>", place="A & B"), tmp_path / "map.html")
    page = (tmp_path / "map.html").read_text()
    assert "<script>alert" not in page
    assert "A &amp; B" in page


def test_wrong_requests_are_named_together(tmp_path: Path) -> None:
    many = np.zeros(20_001)
    with pytest.raises(BadInput) as caught:
        write_html(a_heatmap(), tmp_path / "map.txt", language="mn", points=(many, many))  # type: ignore[arg-type]
    assert {p.field for p in caught.value.problems} == {"path", "language", "points"}
    assert list(tmp_path.iterdir()) == []


def test_grids_without_shapes_or_names(tmp_path: Path) -> None:
    grids = some_grids().drop(columns=["code", "worker"])
    write_html(a_heatmap(), tmp_path / "map.html", grids=grids)
    write_html(a_heatmap(), tmp_path / "none.html", grids=grids.iloc[:0])
