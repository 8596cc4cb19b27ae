"""``wangge heatmap``: every format, from files and from the database."""

from __future__ import annotations

import uuid
from typing import TYPE_CHECKING, Any

import geopandas as gpd
import numpy as np
import pandas as pd
import pytest
import rasterio
import shapely
from shapely import box

from api.commands import heatmap_sources, layers
from grids.incidents import service as incidents
from tests import factories

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from gis.database import Database
    from tests.api.commands.conftest import Done

    Run = Callable[..., Done]

FORMATS = {
    "map.html": b"<!DOCTYPE html>", "map.png": b"\x89PNG", "map.pdf": b"%PDF",
    "map.tif": b"II*\0", "map.gpkg": b"SQLite format 3", "map.geojson": b"{",
}  # fmt: skip


class TestHeatmap:
    """Every format, from a file and from the database."""

    @pytest.mark.parametrize("name", FORMATS)
    def test_from_a_file(self, wangge: Run, tmp_path: Path, name: str) -> None:
        random = np.random.default_rng(1)
        lon, lat = factories.middle(0)
        source = tmp_path / "events.csv"
        pd.DataFrame(
            {
                "lon": random.normal(lon, 0.003, 60),
                "lat": random.normal(lat, 0.002, 60),
                "time": pd.date_range("2026-01-01", periods=60, freq="D"),
            }
        ).to_csv(source, index=False)
        out = tmp_path / name
        done = wangge("heatmap", "--points", source, "--out", out, "--bandwidth", 200)
        assert done.code == 0, done.err
        assert out.read_bytes().startswith(FORMATS[name])
        assert "60" in done.out
        assert "km" in done.out

    def test_by_month_category_and_moving(self, wangge: Run, tmp_path: Path) -> None:
        source, area = some_events(tmp_path)
        given = ("--points", source, "--area", area, "--bandwidth", "auto")
        for more, name, magic in (
            (("--by", "month"), "months.pdf", b"%PDF"),
            (("--by", "week"), "weeks.html", b"<!DOCTYPE html>"),
            (("--by", "category", "--category-column", "kind"), "kinds.png", b"\x89PNG"),
            (("--animate", "month"), "months.gif", b"GIF89a"),
        ):
            done = wangge("heatmap", *given, *more, "--out", tmp_path / name)
            assert done.code == 0, done.err
            assert (tmp_path / name).read_bytes().startswith(magic)
        assert "places with events: too few" in done.out or "likelihood" in done.out

    def test_a_mask_leaves_out_where_nobody_lives(self, wangge: Run, tmp_path: Path) -> None:
        source, area = some_events(tmp_path)
        lon, lat = factories.middle(0)
        west = gpd.GeoDataFrame(geometry=[shapely.box(lon - 0.02, lat - 0.02, lon, lat + 0.02)],
                                crs=4326)  # fmt: skip
        west.to_file(tmp_path / "inhabited.gpkg")
        given = ("--points", source, "--area", area, "--mask", tmp_path / "inhabited.gpkg")
        done = wangge("heatmap", *given, "--out", tmp_path / "map.geojson")
        assert done.code == 0, done.err
        polygons = gpd.read_file(tmp_path / "map.geojson")
        assert len(polygons)
        assert west.geometry[0].buffer(1e-6).covers(polygons.union_all())
        west.translate(5).to_file(tmp_path / "far.gpkg")
        refused = wangge("heatmap", *given[:4], "--mask", tmp_path / "far.gpkg",
                         "--out", tmp_path / "none.tif")  # fmt: skip
        assert refused.code == 1
        assert "nothing of the mask lies in the area" in refused.err

    def test_a_long_file_in_parts_gives_the_same_map(
        self, wangge: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        source, area = some_events(tmp_path)
        frame = pd.read_csv(source)
        frame.to_parquet(tmp_path / "events.parquet", row_group_size=50)
        given = ("--points", tmp_path / "events.parquet", "--area", area, "--from", "2026-01-05")
        whole = wangge("heatmap", *given, "--out", tmp_path / "whole.tif")
        monkeypatch.setattr(layers, "LONG_ROWS", 100)
        batches = layers.point_batches
        monkeypatch.setattr(
            heatmap_sources, "point_batches", lambda *a, **k: batches(*a, rows=64, **k)
        )
        parts = wangge("heatmap", *given, "--out", tmp_path / "parts.tif")
        assert (whole.code, parts.code) == (0, 0), parts.err
        assert parts.out.replace("parts.tif", "whole.tif") == whole.out
        with rasterio.open(tmp_path / "whole.tif") as a, rasterio.open(tmp_path / "parts.tif") as b:
            np.testing.assert_allclose(a.read(1), b.read(1), rtol=1e-5, atol=1e-9)

    def test_households_need_their_column(self, wangge: Run, tmp_path: Path) -> None:
        source, area = some_events(tmp_path)
        lon, lat = factories.middle(0)
        homes = gpd.GeoDataFrame(
            {"flats": [40, None, 90]},
            geometry=gpd.points_from_xy([lon, lon, lon + 0.004], [lat, lat, lat]), crs=4326,
        )  # fmt: skip
        homes.to_file(tmp_path / "homes.gpkg")
        given = (
            "--points", source, "--area", area, "--per", "households", "--buildings",
            tmp_path / "homes.gpkg", "--out", tmp_path / "rate.gpkg",
        )  # fmt: skip
        refused = wangge("heatmap", *given)
        assert refused.code == 1
        assert "no column 'households'" in refused.err
        assert "flats" in refused.err
        done = wangge("heatmap", *given, "--households", "flats")
        assert done.code == 0, done.err
        assert "The mean of the area is" in done.out
        assert (tmp_path / "rate.tolerance.gpkg").exists()

    @pytest.mark.parametrize(
        ("more", "words"),
        [
            (("--by", "day"), "month, week, category"), (("--by", "month"), "'.tif'"),
            (("--animate", "week"), "'.tif'"), (("--bandwidth", "wide"), "or auto"),
            (("--bandwidth", "0"), "more than 0"), (("--bandwidth", "50000"), "at most 20,000 m"),
            (("--category", "quarrel"), "--category-column"),
            (("--category", "quarrel", "--category-column", "kind"), "no row is of category"),
            (("--category", "a", "--category-column", "what"), "there is no column 'what'"),
            (("--cell", "0.05"), "the largest possible is 4,096 x 4,096"),
        ],
    )  # fmt: skip
    def test_a_file_refused(
        self, wangge: Run, tmp_path: Path, more: tuple[str, ...], words: str
    ) -> None:
        source, area = some_events(tmp_path)
        done = wangge("heatmap", "--points", source, "--area", area, "--out",
                      tmp_path / "map.tif", *more)  # fmt: skip
        assert done.code == 1
        assert words in done.err
        assert not (tmp_path / "map.tif").exists()

    def test_from_the_database(
        self, wangge: Run, here: Database, county: factories.County, tmp_path: Path
    ) -> None:
        out = tmp_path / "map.tif"
        refused = wangge("heatmap", "--out", out)
        assert refused.code == 1
        assert "no incident has been reported yet" in refused.err
        assert not out.exists()
        import_some(here)
        done = wangge("heatmap", "--out", out, "--category", "neighbour")
        assert done.code == 0, done.err
        assert out.read_bytes().startswith(b"II*\0")

    @pytest.mark.parametrize(
        ("more", "words"),
        [
            (("--per", "acre"), "acre"), (("--language", "fr"), "fr"),
            (("--bandwidth", "-3"), "bandwidth"), (("--category", "quarrel"), "quarrel"),
            (("--from", "soon"), "soon"),
        ],
    )  # fmt: skip
    def test_refused(  # noqa: PLR0917 - a fixture each
        self, wangge: Run, here: Database, county: factories.County, tmp_path: Path, more: Any,
        words: str,
    ) -> None:  # fmt: skip
        import_some(here)
        done = wangge("heatmap", "--out", tmp_path / "map.tif", *more)
        assert done.code in {1, 2}
        assert words in done.err
        assert list(tmp_path.iterdir()) == []


def some_events(folder: Path) -> tuple[Path, Path]:
    """Three hundred events of two kinds over four months, and the area they lie in."""
    random = np.random.default_rng(1)
    lon, lat = factories.middle(0)
    pd.DataFrame(
        {
            "lon": random.normal(lon, 0.004, 300),
            "lat": random.normal(lat, 0.003, 300),
            "time": pd.date_range("2026-01-01", periods=300, freq="9h"),
            "kind": ["noise", "water", "water"] * 100,
        }
    ).to_csv(folder / "events.csv", index=False)
    around = box(lon - 0.02, lat - 0.02, lon + 0.02, lat + 0.02)
    gpd.GeoDataFrame(geometry=[around], crs=4326).to_file(folder / "area.gpkg")
    return folder / "events.csv", folder / "area.gpkg"


def import_some(database: Database) -> None:
    with database.transaction() as session:
        for number in range(3):
            lon, lat = factories.middle(number)
            incidents.record(
                session,
                incidents.Report(
                    id=uuid.UUID(int=number), category="neighbour", source="s",
                    x=lon, y=lat,
                ),
                actor="t",
            )  # fmt: skip
