"""``wangge hotspots`` and ``wangge attention``, on files and on the database; what they refuse."""

from __future__ import annotations

from typing import TYPE_CHECKING

import geopandas as gpd
import numpy as np
import pandas as pd
import pytest
import sqlalchemy as sa
from shapely import box

from tests import factories
from tests.maps.hotspots.reported import WEEKS as WEEKS_REPORTED
from tests.maps.hotspots.reported import fill

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from gis.database import Database
    from tests.api.commands.conftest import Done

    Run = Callable[..., Done]

WEST, SOUTH, STEP = 117.0, 45.0, 0.002
HOT = 44
WEEKS = 26


@pytest.fixture
def grids(tmp_path: Path) -> Path:
    """A town of 10 x 10 grids; the last is an island far off."""
    y, x = np.divmod(np.arange(100), 10)
    x[99] += 5
    shapes = box(WEST + x * STEP, SOUTH + y * STEP, WEST + (x + 1) * STEP, SOUTH + (y + 1) * STEP)
    path = tmp_path / "grids.gpkg"
    frame = gpd.GeoDataFrame(
        {"code": [f"g{place:02d}" for place in range(100)], "households": 300.0},
        geometry=shapes,
        crs=4326,
    )
    frame.loc[99, "households"] = None
    frame.to_file(path, driver="GPKG")
    return path


@pytest.fixture
def points(tmp_path: Path) -> Path:
    """Half an event a week in each grid; in the last six weeks ten more in one. And oddities."""
    random = np.random.default_rng(5)
    rows = []
    for week in range(WEEKS):
        counts = random.poisson(0.5, 100)
        counts[HOT] += 10 if week >= WEEKS - 6 else 0
        place = np.repeat(np.arange(100), counts)
        days = week * 7 + random.random(place.size) * 7
        y, x = np.divmod(place, 10)
        x[place == 99] += 5
        rows.append(
            pd.DataFrame(
                {
                    "lon": WEST + (x + random.random(place.size)) * STEP,
                    "lat": SOUTH + (y + random.random(place.size)) * STEP,
                    "time": pd.Timestamp("2026-01-01", tz="Asia/Shanghai")
                    + pd.to_timedelta(days, unit="D"),
                }
            )
        )
    events = pd.concat(rows, ignore_index=True)
    odd = events.iloc[:3].copy()
    odd["lon"] = [WEST - 1, np.nan, WEST]
    odd["time"] = [odd["time"].iloc[0], odd["time"].iloc[1], pd.NaT]
    path = tmp_path / "points.csv"
    pd.concat([events, odd]).to_csv(path, index=False)
    return path


def test_the_spot_is_hot_emerging_and_first_on_the_list(
    wangge: Run, grids: Path, points: Path, tmp_path: Path
) -> None:
    out = tmp_path / "made.gpkg"
    done = wangge(
        "hotspots", "--grids", grids, "--points", points, "--households", "households",
        "--from", "2026-01-01", "--to", "2026-07-02", "--out", out,
    )  # fmt: skip
    assert done.code == 0, done.err
    total = len(pd.read_csv(points)) - 3
    made = gpd.read_file(out).set_index("code")
    assert made.events.sum() == total
    assert f"{total:,} events in 100 grids" in done.out
    assert "1 outside all grids, 2 without place or time" in done.out
    assert "touching no other, and so judged by itself: 1 grid\n" in done.out
    assert "not tested, for households are unknown or none: 1 grid with" in done.out
    spot = made.loc[f"g{HOT}"]
    assert spot.hot
    assert spot.kind in {"emerging", "persisting"}
    assert spot["rank"] == 1
    assert spot.next_low <= spot.next_week <= spot.next_high
    assert "近4周" in spot.reason_zh
    assert spot.reason_en in done.out
    assert not made.loc[["g00", "g99"]].hot.any()
    # A twentieth of the area: the grids of the north are a little smaller than those of the south.
    assert made["rank"].notna().sum() in {4, 5}
    assert "the last 8 weeks, each forecast from those before it" in done.out
    assert "naive count" in done.out


def test_few_weeks_give_hot_grids_only(
    wangge: Run, grids: Path, points: Path, tmp_path: Path
) -> None:
    out = tmp_path / "made.csv"
    done = wangge(
        "hotspots", "--grids", grids, "--points", points, "--from", "2026-06-01", "--out", out
    )
    assert done.code == 0, done.err
    made = pd.read_csv(out)
    assert made.set_index("code").hot[f"g{HOT}"]
    assert "rank" not in made
    assert "4 whole weeks: too few for a list" in done.out
    assert "no households are given" in done.out
    before = wangge(
        "hotspots", "--grids", grids, "--points", points, "--to", "2025-12-31",
        "--from", "2025-01-01", "--out", out,
    )  # fmt: skip
    assert before.code == 0, before.err
    assert "0 events in 100 grids" in before.out
    assert "0 hot grids" in before.out


@pytest.mark.parametrize(
    ("more", "words"),
    [
        (("--households", "homes"), "there is no column 'homes'"),
        (("--id", "number"), "Name it with --id"),
        (("--time", "when"), "when"),
        (("--from", "2027-01-01"), "before it begins"),
        (("--to", "soon"), "'soon' is no time"),
    ],
)
def test_refused(  # noqa: PLR0917 - a fixture each
    wangge: Run, grids: Path, points: Path, tmp_path: Path, more: tuple[str, str], words: str
) -> None:
    out = tmp_path / "made.gpkg"
    done = wangge("hotspots", "--grids", grids, "--points", points, "--out", out, *more)
    assert done.code == 1
    assert words in done.err
    assert not out.exists()


def test_negative_households_are_named_by_file_row_and_column(
    wangge: Run, grids: Path, points: Path, tmp_path: Path
) -> None:
    frame = gpd.read_file(grids)
    frame.loc[[3, 7], "households"] = -1
    frame.to_file(grids, driver="GPKG")
    done = wangge(
        "hotspots", "--grids", grids, "--points", points, "--households", "households",
        "--out", tmp_path / "made.gpkg",
    )  # fmt: skip
    assert done.code == 1
    assert "grids.gpkg" in done.err
    assert "households" in done.err
    assert "negative" in done.err


@pytest.fixture
def filled(here: Database, monkeypatch: pytest.MonkeyPatch) -> Database:
    monkeypatch.setenv("WANGGE_TIMEZONE", "UTC")
    with here.transaction() as session:
        factories.county(session)
        fill(session)
    return here


@pytest.mark.usefixtures("filled")
def test_of_the_database(wangge: Run, tmp_path: Path) -> None:
    out = tmp_path / "hot.geojson"
    period = ("--from", "2026-01-05", "--to", "2026-04-27")
    done = wangge("hotspots", *period, "--out", out)
    assert done.code == 0, done.err
    assert f"Hot grids (exact test): {4 * WEEKS_REPORTED} incidents in 4 grids" in done.out
    assert "1 hot, 3 not significant" in done.out
    made = gpd.read_file(out)
    assert made.events.tolist() == [48, 0, 0, 16]
    assert (made["class"] == "hot").tolist() == [True, False, False, False]
    shared = wangge("hotspots", *period, "--shared", "--out", out)
    assert shared.code != 0
    assert "wangge gridmap --share" in shared.err
    near = wangge("hotspots", *period, "--method", "near_repeat")
    assert "same place" in near.out
    again = wangge("hotspots", *period, "--method", "repeat_addresses", "--category", "neighbour")
    assert again.out.count(factories.grid_code(0)) == 1
    assert "is no method" in wangge("hotspots", "--method", "hotter").err
    assert "--points" in wangge("hotspots", "--grids", out, "--out", out).err


def test_places_are_entered_in_the_log_and_grids_are_not(wangge: Run, filled: Database) -> None:
    period = ("--from", "2026-01-05", "--to", "2026-04-27", "--category", "neighbour")
    for method in ("hot_grids", "near_repeat", "repeat_addresses"):
        done = wangge("hotspots", *period, "--method", method)
        assert done.code == 0, done.err
    with filled.transaction() as session:
        found = session.execute(
            sa.text(
                "SELECT role, action, object_kind, fields, count FROM audit_log "
                "WHERE object_kind = 'incident' AND action = 'search'"
            )
        ).all()
    assert [tuple(row) for row in found] == [("owner", "search", "incident", "place", 64)]


@pytest.mark.usefixtures("filled")
def test_list_and_back_test_of_the_database(wangge: Run, tmp_path: Path) -> None:
    out, page = tmp_path / "list.gpkg", tmp_path / "page.html"
    done = wangge("attention", "--out", out, "--share", "0.3")
    assert done.code == 0, done.err
    assert "week of 2026-04-27: 4.1 incidents are expected" in done.out
    assert gpd.read_file(out).set_index("code").loc[factories.grid_code(0), "rank"] == 1
    test = wangge("attention", "--backtest", "--weeks", "4", "--language", "en", "--out", page)
    assert test.code == 0, test.err
    assert "no better than the naive count" in test.out
    text = page.read_text(encoding="utf-8")
    assert "Demo Banner" in text
    assert "示范旗" in text
    assert "2026-04-20" in text
    assert "has not begun" in wangge("attention", "--week", "2099-01-01").err
    assert "is no day" in wangge("attention", "--week", "soon").err


def test_back_test_of_files_is_a_page_that_fetches_nothing(
    wangge: Run, grids: Path, points: Path, tmp_path: Path
) -> None:
    page = tmp_path / "page.html"
    period = ("--from", "2026-01-01", "--to", "2026-07-02", "--timezone", "Asia/Shanghai")
    for ground in (("--grids", grids, "--households", "households"), ("--squares", 500)):
        done = wangge(
            "attention", "--backtest", "--points", points, *ground, *period, "--weeks", 6,
            "--place", "<Town> & all", "--note", "by hand", "--out", page,
        )  # fmt: skip
        assert done.code == 0, done.err
        text = page.read_text(encoding="utf-8")
        assert "http" not in text
        assert "src=" not in text
        assert "<Town>" not in text
        assert "&lt;Town&gt; &amp; all" in text
        assert "by hand" in text
        assert "2026-05-21" in text
        assert text.count("<polyline") == 2 * (2 * 3 + 2 * 3 + 3)
    assert "6 of" not in done.err
    short = wangge("attention", "--backtest", "--points", points, "--grids", grids,
                   "--from", "2026-05-01", "--to", "2026-06-26", "--out", page)  # fmt: skip
    assert short.code == 1
    assert f"{points.name}, field --weeks: 8 weeks to be judged of 8 reported. 13" in short.err
    for wrong in ((), ("--squares", 1), ("--squares", 500, "--grids", grids)):
        refused = wangge("attention", "--backtest", "--points", points, *wrong, "--out", page)
        assert refused.code == 1
        assert "squares" in refused.err
