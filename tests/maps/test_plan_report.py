"""The pages of plans: whole, escaped, in both languages, and with the maps in them."""

from __future__ import annotations

import re
from html.parser import HTMLParser
from types import MappingProxyType
from typing import TYPE_CHECKING

import geopandas as gpd
import numpy as np
import pandas as pd
import pytest
import shapely
from shapely import box

from grids.plans.comparison import Comparison, Flow, Line, Load
from grids.redistricting.plan import Finding, Plan
from maps import plan_drawings
from maps.plan_report import write_comparison, write_report

if TYPE_CHECKING:
    from pathlib import Path


def frame(households: list[int]) -> gpd.GeoDataFrame:
    count = len(households)
    return gpd.GeoDataFrame(
        {
            "code": [f"990121101001{n + 1:03d}" for n in range(count)],
            "households": households,
            "buildings": 3,
            "target": 300,
            "tolerance": 0.1,
            "deviation": [each / 300 - 1 for each in households],
            "compactness": 0.78,
        },
        geometry=[box(117 + n * 0.01, 45, 117.01 + n * 0.01, 45.01) for n in range(count)],
        crs=4326,
    )


class Whole(HTMLParser):
    """Counts elements, and finds those that were left open."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.seen: dict[str, int] = {}

    def handle_starttag(self, tag: str, _attrs: object) -> None:
        self.seen[tag] = self.seen.get(tag, 0) + 1
        if tag not in {"meta", "html"}:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        if tag != "html":
            assert self.open.pop() == tag


def read(path: Path) -> tuple[str, Whole]:
    page = path.read_text(encoding="utf-8")
    parser = Whole()
    parser.feed(page)
    assert parser.open == []
    # Nothing is asked of the network.
    assert re.findall(r"(?:src|href)=", page) == []
    assert "http" not in page.replace("http://www.w3.org/2000/svg", "")
    return page, parser


def test_a_report_has_map_histogram_table_and_rules(tmp_path: Path) -> None:
    grids = frame([300, 350, 200, 310])
    finding = Finding("out_of_tolerance", "<b>", "too few & lost", "太少", 0.3)
    write_report(Plan(grids, grids, (finding,)), tmp_path / "r.html", title="<i>&")
    page, parser = read(tmp_path / "r.html")
    assert parser.seen["svg"] == 2
    assert "&lt;i&gt;&amp;" in page
    assert "too few &amp; lost" in page
    assert page.count("<title>990121101001") == 4
    assert "990121101001003" in page
    assert all(colour in page for _, colour, _, _ in plan_drawings.CLASSES)


def test_a_report_tells_what_became_of_the_plan_before(tmp_path: Path) -> None:
    grids = frame([300, 350])
    lineage = pd.DataFrame(
        {
            "code": ["old<1>", "n2", "k3"],
            "fate": ["merged", "new", "kept"],
            "successors": [["n2"], [], ["k3"]],
            "predecessors": [[], ["old<1>"], []],
            "households": [310, 350, 40],
            "moved": [310, 0, 0],
        }
    )
    settings = MappingProxyType(
        {"households_moved": 310, "households_apart": 33, "households_with_camp": 1061}
    )
    curve = pd.DataFrame(
        {"keep": [0.0, 1.0], "grids": [2, 2], "within": [1.0, 0.5], "moved": [310, 0],
         "moved_share": [0.25, 0.0], "drawn": [True, False]}
    )  # fmt: skip
    plan = Plan(grids, grids, (), settings, lineage, curve)
    write_report(plan, tmp_path / "r.html")
    page, parser = read(tmp_path / "r.html")
    assert parser.seen["svg"] == 3
    assert "old&lt;1&gt;" in page
    assert "1 grid keeps all of its" in page
    assert "310 (25.0%)" in page
    assert re.search(r"camp in another grid.*?<td class='number'>33 / 1,061</td>", page)
    # Two points, and a ring around that of the plan.
    assert page.count("<circle") == 3
    assert len(re.findall(r"this plan</span></td>", page)) == 1


def test_a_comparison_shows_what_moves(tmp_path: Path) -> None:
    before, after = frame([300, 300]), frame([280, 320])
    load = Load(2, 600, 1.0, 0.0, 0.0, 300, 300)
    flow = Flow("990121101001001", None, 20, 1, None, 7, "王<一>", None, 3)
    found = Comparison(
        1, 2, (load, load), [flow], [Line("x", "kept", ("x",))], 20, 1, None, 7, 1, {}, 3
    )
    ground = [{"from_grid": "a", "to_grid": "b", "area_m2": 12.0,
               "wkb": shapely.to_wkb(box(117.005, 45, 117.01, 45.01))}]  # fmt: skip
    write_comparison(found, (before, after), ground, tmp_path / "c.html")
    page, parser = read(tmp_path / "c.html")
    assert parser.seen["svg"] == 3
    assert "王&lt;一&gt;" in page
    assert "a → b: 12 m²" in page
    # Incidents that the reader may not see are a dash, not none.
    assert "未结事件 — 件、摄像头 7 个、重点场所 3 处" in page
    assert "With them go — open incidents, 7 cameras and 3 key places." in page
    assert re.search(r"<th>摄像头 .*<td class='number'>—</td><td class='number'>7</td>", page)
    # Nothing moves: the page says so by an empty list, and draws the grids.
    write_comparison(
        Comparison(1, 2, (load, load), [], [], 0, 0, 0, 0, 0), (before, after), [],
        tmp_path / "same.html",
    )  # fmt: skip
    assert read(tmp_path / "same.html")[1].seen["svg"] == 3


@pytest.mark.parametrize(
    ("deviation", "number"),
    [
        (-0.5, 0),
        (-0.21, 0),
        (-0.2, 1),
        (-0.11, 1),
        (-0.1, 2),
        (0, 2),
        (0.1, 2),
        (0.11, 3),
        (0.2, 3),
        (0.21, 4),
    ],
)
def test_what_lies_on_the_tolerance_is_within_it(deviation: float, number: int) -> None:
    assert plan_drawings.colour_of(deviation) == plan_drawings.CLASSES[number][1]


def test_the_histogram_counts_every_grid() -> None:
    share = np.array([-0.9, -0.3, 0.0, 0.01, 0.1, 0.299, 0.3, 2.0])
    drawn = plan_drawings.histogram(share, 0.1)
    assert sum(int(each) for each in re.findall(r"<title>(\d+)</title>", drawn)) == len(share)
