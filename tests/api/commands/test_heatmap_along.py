"""``wangge heatmap --along``: every format, the database's streets, and what is refused."""

from __future__ import annotations

from typing import TYPE_CHECKING

import geopandas as gpd
import pandas as pd
import pytest
import sqlalchemy as sa
from shapely import LineString

from tests import factories
from tests.api.commands.test_heatmap import import_some

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from gis.database import Database
    from tests.api.commands.conftest import Done

    Run = Callable[..., Done]


@pytest.fixture
def given(tmp_path: Path) -> list[object]:
    """Ten events along a street, two far from it, and the street."""
    lon, lat = factories.middle(0)
    places = [lon + 0.0005 * step for step in range(10)] + [lon + 1, lon + 1]
    times = pd.date_range("2026-01-01", periods=12, freq="D")
    pd.DataFrame({"lon": places, "lat": lat, "time": times}).to_csv(
        tmp_path / "events.csv", index=False
    )
    line = LineString([(lon - 0.01, lat), (lon + 0.02, lat)])
    gpd.GeoDataFrame(geometry=[line], crs=4326).to_file(tmp_path / "streets.gpkg")
    return ["heatmap", "--points", tmp_path / "events.csv", "--along", tmp_path / "streets.gpkg"]


@pytest.mark.parametrize(
    ("name", "magic"), [("m.html", b"<!DOCTYPE html>"), ("m.png", b"\x89PNG"), ("m.pdf", b"%PDF")]
)
def test_a_drawing(
    wangge: Run, tmp_path: Path, given: list[object], name: str, magic: bytes
) -> None:
    done = wangge(*given, "--out", tmp_path / name)
    assert done.code == 0, done.err
    assert "10 events on 2.4 km of street" in done.out
    assert "Not counted: 2 farther than 50\u00a0m from any street." in done.out
    assert (tmp_path / name).read_bytes().startswith(magic)


def test_events_of_one_moment_are_of_a_day(
    wangge: Run, tmp_path: Path, given: list[object]
) -> None:
    events = pd.read_csv(tmp_path / "events.csv").assign(time="2026-01-01 12:00")
    events.to_csv(tmp_path / "events.csv", index=False)
    done = wangge(*given, "--out", tmp_path / "m.geojson")
    assert done.code == 0, done.err
    made = gpd.read_file(tmp_path / "m.geojson")
    # Ten of a day are 300 per 30 days, on 2.4 km of street; as of a second, some millions.
    assert made["value"].mean() == pytest.approx(300 / 2.4, rel=0.2)


def test_one_event_on_paper_of_a3(wangge: Run, tmp_path: Path, given: list[object]) -> None:
    done = wangge(*given, "--out", tmp_path / "m.pdf", "--paper", "A3", "--to", "2026-01-02")
    assert done.code == 0, done.err
    assert "1 event on 2.4 km of street" in done.out
    assert b"/MediaBox [ 0 0 1190" in (tmp_path / "m.pdf").read_bytes()
    refused = wangge(*given, "--out", tmp_path / "m.pdf", "--paper", "A2")
    assert refused.code != 0
    assert "A4 or A3" in refused.err


@pytest.mark.parametrize("name", ["m.gpkg", "m.geojson"])
def test_lines_hold_the_events(wangge: Run, tmp_path: Path, given: list[object], name: str) -> None:
    done = wangge(*given, "--out", tmp_path / name, "--kernel", "gaussian", "--bandwidth", 100)
    assert done.code == 0, done.err
    lines = gpd.read_file(tmp_path / name)
    assert lines["events"].sum() == pytest.approx(10, abs=1e-9)
    assert (lines["value"] * lines["length_m"]).sum() > 0
    assert set(lines["unit"]) == {"incidents per km of street per 30 days"}


@pytest.mark.parametrize(
    ("more", "words"),
    [
        (["--shared"], "may not leave the case team"),
        (["--per", "households"], "--per households does not go with --along"),
        (["--bandwidth", "auto"], "no bandwidth along streets"),
        (["--kernel", "box"], "'box' is no kernel"),
        (["--category", "a"], "--category-column"),
        (["--from", "2030-01-01", "--to", "2030-02-01"], "no event with a place in the period"),
    ],
)
def test_refused(
    wangge: Run, tmp_path: Path, given: list[object], more: list[str], words: str
) -> None:
    done = wangge(*given, "--out", tmp_path / "m.png", *more)
    assert done.code == 1
    assert words in done.err
    assert not (tmp_path / "m.png").exists()


def test_streets_of_the_database(
    wangge: Run, here: Database, county: factories.County, tmp_path: Path
) -> None:
    import_some(here)
    asked = ("heatmap", "--along", "database", "--out", tmp_path / "m.geojson")
    refused = wangge(*asked)
    assert refused.code == 1
    assert "wangge import barriers" in refused.err
    with here.transaction() as session:
        session.execute(
            sa.text(
                "INSERT INTO barriers (county_code, kind, geom, source, external_id) "
                "SELECT DISTINCT ON (geom) :county, 'street', ST_MakeLine(geom, "
                "ST_Translate(geom, 0.01, 0)), 'test', id::text FROM incidents "
                "WHERE geom IS NOT NULL"
            ),
            {"county": factories.COUNTY},
        )
    done = wangge(*asked)
    assert done.code == 0, done.err
    assert len(gpd.read_file(tmp_path / "m.geojson"))
