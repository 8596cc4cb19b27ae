from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import folium
import numpy as np
import pytest
from matplotlib.image import imread
from playwright.sync_api import Browser, Page, sync_playwright

from gis.errors import BadInput
from maps.folium_map import write_html
from maps.series import Part, together
from tests.maps.heatmaps import COUNTY, HOT_SPOT, a_heatmap, events, rates, some_grids

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
def browser() -> Iterator[Browser]:
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path="/usr/bin/chromium", args=CHROMIUM)
        yield browser
        browser.close()


@pytest.fixture(scope="module")
def chromium(browser: Browser) -> Page:
    return browser.new_page(viewport={"width": 1100, "height": 800})


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
def test_a_slider_shows_one_map_at_a_time_and_asks_nobody(chromium: Page, tmp_path: Path) -> None:
    path = tmp_path / "map.html"
    parts = [
        Part(a_heatmap(n), f"第{n}<b>", f"part {n} </script><script>document.title='run'</script>")
        for n in (100, 300)
    ]
    series = together(a_heatmap(), parts)
    write_html(series.whole, path, series=series)
    seen = Seen(chromium)
    page = seen.open(path)

    def shown() -> list[str]:
        return page.locator(".leaflet-image-layer").evaluate_all(
            "all => all.map(one => getComputedStyle(one).opacity)"
        )

    assert shown() == ["1", "0", "0"]
    assert page.get_by_text("整个时段：400件").is_visible()
    assert page.get_by_text("各图中最高值").is_visible()
    assert page.get_by_text(f"{series.maximum:.3g}", exact=True).first.is_visible()
    page.locator("#wangge-slider").focus()
    page.keyboard.press("ArrowRight")
    page.keyboard.press("ArrowRight")
    assert shown() == ["0", "0", "1"]
    assert page.get_by_text("第300<b>：300件").is_visible()
    page.get_by_role("button", name="English").click()
    assert page.get_by_text("part 300 </script>").is_visible()
    assert page.title() != "run"
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


BOUNDS = """(() => {
  const b = window[Object.keys(window).find((key) => key.startsWith("map_"))].getBounds();
  return [b.getWest(), b.getSouth(), b.getEast(), b.getNorth()];
})()"""


@pytest.mark.browser
@pytest.mark.parametrize("size", [(1100, 800), (390, 844)])
def test_a_county_opens_on_its_town_and_shows_the_whole_on_demand(
    browser: Browser, tmp_path: Path, size: tuple[int, int]
) -> None:
    path = tmp_path / "map.html"
    write_html(a_heatmap(area=COUNTY, cell_m=150), path)
    page = browser.new_page(viewport={"width": size[0], "height": size[1]})
    Seen(page).open(path)
    west, south, east, north = page.evaluate(BOUNDS)
    assert west < HOT_SPOT[0] < east
    assert south < HOT_SPOT[1] < north
    assert east - west < (COUNTY.bounds[2] - COUNTY.bounds[0]) / 3
    page.get_by_role("button", name="全域").click()
    west, south, east, north = page.evaluate(BOUNDS)
    assert west < COUNTY.bounds[0] < COUNTY.bounds[2] < east
    assert south < COUNTY.bounds[1] < COUNTY.bounds[3] < north
    page.get_by_role("button", name="English").click()
    page.get_by_role("button", name="most incidents").click()
    west, _, east, _ = page.evaluate(BOUNDS)
    assert east - west < (COUNTY.bounds[2] - COUNTY.bounds[0]) / 3
    page.close()


@pytest.mark.browser
def test_no_data_and_hidden_are_told_apart_and_a_shared_map_says_what_it_hides(
    chromium: Page, tmp_path: Path
) -> None:
    path = tmp_path / "map.html"
    write_html(rates(), path, language="en")
    page = Seen(chromium).open(path)
    legend = dict(
        page.eval_on_selector_all(
            "#wangge-panel li",
            "(all) => all.map((li) => [li.innerText, li.firstChild.style.background])",
        )
    )
    assert "repeating-linear-gradient" in legend["hidden (fewer than 5)"]
    assert "radial-gradient" in legend["no data"]
    sentence = "fewer than 5 incidents, or none, lie under the"
    assert page.get_by_text(sentence).is_visible()
    write_html(rates(case_team=True), path, language="en")
    page = Seen(chromium).open(path)
    assert page.get_by_text(sentence).count() == 0
    assert page.get_by_text("hidden (fewer than 5)").count() == 0
    assert page.get_by_text("no data", exact=True).is_visible()


@pytest.mark.browser
def test_few_events_are_not_drawn(chromium: Page, tmp_path: Path) -> None:
    path = tmp_path / "map.html"
    write_html(a_heatmap(4, case_team=False), path, language="en")
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
