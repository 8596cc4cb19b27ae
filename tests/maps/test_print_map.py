from __future__ import annotations

from pathlib import Path

import geopandas as gpd
import numpy as np
import pytest
import shapely
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.image import imread

from gis.errors import BadInput, Missing
from maps import print_furniture as furniture
from maps.fonts import chinese_font, font_properties
from maps.palettes import nice_breaks, over, ramp
from maps.print_map import write_png
from tests.maps.heatmaps import AREA, COUNTY, a_heatmap, rates, some_grids


@pytest.fixture
def words(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """All that is written on the sheet: text in a picture cannot be read back."""
    written: list[str] = []
    draw = Figure.savefig

    def keep(figure: Figure, *args: object, **kwargs: object) -> None:
        written.extend(t.get_text() for t in figure.findobj(match=lambda a: hasattr(a, "get_text")))
        draw(figure, *args, **kwargs)

    monkeypatch.setattr(Figure, "savefig", keep)
    return written


def colours(path: Path) -> set[tuple[int, int, int]]:
    pixels = np.round(imread(path)[..., :3] * 255).astype(int)
    found = np.unique(pixels @ (65536, 256, 1))
    return {(c >> 16, c >> 8 & 255, c & 255) for c in found.tolist()}


def test_the_sheet_is_a4_with_all_it_has_to_say(tmp_path: Path, words: list[str]) -> None:
    heatmap = a_heatmap()
    write_png(heatmap, tmp_path / "map.png", grids=some_grids())
    assert imread(tmp_path / "map.png").shape[:2] == (1654, 2338)
    page = "\n".join(words)
    for text in (
        "邻里纠纷热力图",
        "示范旗",
        "2025年7月1日至2025年7月31日（31天）",
        "每平方公里每30天件数",
        "400",
        "300\N{NO-BREAK SPACE}m",
        "网格边界",
        "北",
        "km",
        "示例数据",
        "EPSG:4548",
        "2025-08-02",
        "wangge",
    ):
        assert text in page
    # The legend shows the colours as they are on the map.
    used = [over(c, (0xFB, 0xFA, 0xF6), 0.85) for c in ramp(len(nice_breaks(heatmap.maximum)))]
    seen = colours(tmp_path / "map.png")
    near = np.array(sorted(seen))
    assert all((np.abs(near - colour).max(axis=1) <= 2).any() for colour in used)


def test_the_sheet_in_english(tmp_path: Path, words: list[str]) -> None:
    write_png(a_heatmap(title=""), tmp_path / "map.png", language="en")
    page = " ".join(" ".join(words).split())
    assert "Heat map of incidents" in page
    assert "incidents per km² per 30 days" in page
    assert "Bandwidth" in page


def test_the_town_of_a_county_is_shown_larger_and_is_not_all_borders(
    tmp_path: Path, words: list[str]
) -> None:
    tiny = [
        shapely.box(AREA.bounds[0] + i / 500, y, AREA.bounds[0] + (i + 1) / 500, y + 0.002)
        for i in range(30)
        for y in np.arange(AREA.bounds[1], AREA.bounds[3], 0.002)
    ]
    grids = gpd.GeoDataFrame(geometry=[COUNTY, *tiny], crs=4326)
    heatmap = a_heatmap(area=COUNTY, cell_m=150)
    write_png(heatmap, tmp_path / "map.png", grids=grids)
    assert "放大：事件集中处" in words
    assert "网格边界（图上过小者不画）" in words
    assert "网格边界" not in words
    assert sum(each.endswith("km") for each in words) == 2  # a scale for each
    ramp_of_it = [
        over(c, (0xFB, 0xFA, 0xF6), 0.85) for c in ramp(len(nice_breaks(heatmap.maximum)))
    ]
    pixels = np.round(imread(tmp_path / "map.png")[..., :3] * 255).astype(int)
    inset = pixels[1000:1500, 1740:2260].reshape(-1, 3)
    for colour in ramp_of_it[-2:]:
        assert (np.abs(inset - colour).max(axis=1) <= 2).sum() > 500
    # Of a place that is nearly all bulk there is nothing to enlarge.
    words.clear()
    write_png(a_heatmap(), tmp_path / "map.png", grids=some_grids())
    assert "放大：事件集中处" not in words


def test_a_caption_is_made_to_fit() -> None:
    figure = Figure(figsize=(10, 5), dpi=100)
    FigureCanvasAgg(figure)
    for words in ("May", "land acquisition and demolition    n = 2,069"):
        furniture.caption(figure, words, (0.1, 0.5), 0.2, size=9)
    short, long = figure.texts
    assert short.get_fontsize() == 9
    assert 5 < long.get_fontsize() < 9
    assert long.get_window_extent().width <= 0.2 * 10 * 100 + 1


def test_few_events_leave_a_hatched_sheet_that_says_so(tmp_path: Path, words: list[str]) -> None:
    write_png(a_heatmap(3, case_team=False), tmp_path / "map.png")
    page = "\n".join(words)
    assert page.count("事件少于5件，不予显示。") == 2
    assert "少于5件" in words
    assert "3" not in words
    assert not colours(tmp_path / "map.png") & set(ramp(6))


def test_no_data_and_hidden_have_a_swatch_each_where_they_occur(
    tmp_path: Path, words: list[str]
) -> None:
    write_png(rates(), tmp_path / "shared.png")
    assert words.count("无数据") == 1
    assert words.count("不予显示（少于5件）") == 1
    assert "事件少于5件（含0件）处不予显示" in "".join(words)
    words.clear()
    write_png(rates(case_team=True), tmp_path / "team.png", language="en")
    assert "no data" in words
    assert "hidden (fewer than 5)" not in words
    words.clear()
    write_png(a_heatmap(3, case_team=False), tmp_path / "few.png", language="en")
    assert "hidden (fewer than 5)" in words
    assert "no data" not in words
    words.clear()
    write_png(a_heatmap(), tmp_path / "density.png", language="en")
    assert {"hidden (fewer than 5)", "no data"} & set(words) == set()


def test_no_events_and_no_area(tmp_path: Path, words: list[str]) -> None:
    write_png(a_heatmap(lon=[], lat=[]), tmp_path / "empty.png")
    assert "本时段内无事件。" in words
    write_png(a_heatmap(area=None), tmp_path / "open.png")
    assert "区域外" not in words[len(words) // 2 :]


def test_layers_with_empty_shapes_and_other_crs(tmp_path: Path, words: list[str]) -> None:
    units = gpd.GeoDataFrame(
        {"name": ["东嘎查", None, "远"]},
        geometry=[AREA, None, shapely.box(10, 10, 11, 11)],
        crs=4326,
    )
    roads = gpd.GeoDataFrame(
        geometry=[shapely.LineString([(116.02, 43.93), (116.08, 43.95)]), shapely.LineString()]
    )
    water = gpd.GeoDataFrame(geometry=[AREA.centroid.buffer(0.004)], crs=4326).to_crs(3857)
    write_png(a_heatmap(), tmp_path / "map.png", units=units, roads=roads, water=water)
    assert "东嘎查" in words
    assert "远" not in words


def test_pdf_by_suffix(tmp_path: Path) -> None:
    write_png(a_heatmap(), tmp_path / "map.pdf")
    assert (tmp_path / "map.pdf").read_bytes().startswith(b"%PDF")


def test_a3_is_the_same_sheet_larger(tmp_path: Path) -> None:
    for paper in ("A4", "A3"):
        write_png(a_heatmap(), tmp_path / f"{paper}.png", paper=paper)
    small, large = (imread(tmp_path / f"{paper}.png")[..., :3] for paper in ("A4", "A3"))
    assert large.shape[:2] == (2339, 3306)
    # Letters, lines and classes have grown alike: taken at the same shares it is one picture.
    rows, columns = (
        np.round((np.arange(n) + 0.5) / n * m - 0.5).astype(int)
        for n, m in zip(small.shape[:2], large.shape[:2], strict=True)
    )
    assert np.abs(large[np.ix_(rows, columns)] - small).mean() < 0.012


def test_other_files_and_languages_are_refused_together(tmp_path: Path) -> None:
    with pytest.raises(BadInput) as caught:
        write_png(a_heatmap(), tmp_path / "map.jpg", language="mn")  # type: ignore[arg-type]
    assert {problem.field for problem in caught.value.problems} == {"path", "language"}
    assert list(tmp_path.iterdir()) == []


def test_a_machine_without_chinese_letters_is_told_what_to_install(tmp_path: Path) -> None:
    with pytest.raises(Missing) as caught:
        chinese_font(folders=(tmp_path, tmp_path / "none"))
    assert caught.value.install == "apt-get install -y fonts-noto-cjk"


def test_the_letters_are_those_of_simplified_chinese() -> None:
    assert font_properties(10).get_name().endswith(" SC")
    assert font_properties(10, bold=True).get_name().endswith(" SC")
