"""Commands that work on files: locate, plan draw, crs check."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import geopandas as gpd
import pandas as pd
import pytest
from shapely import box

from data.bulk import cluster
from gis.crs import from_wgs84_geometry
from tests import factories

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.api.commands.conftest import Done

    Run = Callable[..., Done]


@pytest.fixture
def grids(tmp_path: Path) -> Path:
    path = tmp_path / "grids.gpkg"
    frame = factories.squares()
    frame["number"] = [10, 9, 8, 11]
    frame.to_file(path, layer="grids", driver="GPKG")
    return path


@pytest.fixture
def points(tmp_path: Path) -> Path:
    """Inside, on two borders, outside, without a place."""
    path = tmp_path / "points.csv"
    step, west = factories.STEP, factories.WEST
    pd.DataFrame(
        {
            "name": ["内", "边", "角", "外", "无"],
            "lon": [west + 0.5 * step, west + step, west + 2 * step, west - 1, None],
            "lat": [45.01, 45.01, factories.SOUTH, 45.01, None],
            "code": ["a", "b", "c", "d", "e"],
        }
    ).to_csv(path, index=False)
    return path


def test_the_remedy_for_a_layer_without_a_system_can_be_followed(
    wangge: Run, tmp_path: Path
) -> None:
    factories.squares().to_file(tmp_path / "grids.shp")
    (tmp_path / "grids.prj").unlink()
    done = wangge("plan", "score", tmp_path / "grids.shp")
    assert done.code == 1
    assert "grids.shp: the file names no coordinate system" in done.err
    assert ".prj" in done.err
    assert "--crs" not in done.err, "the command has no such option"


class TestLocate:
    """A file of points against a file of grids, and one point on the database."""

    def test_ties_go_to_the_smallest_code(
        self, wangge: Run, grids: Path, points: Path, tmp_path: Path
    ) -> None:
        out = tmp_path / "out.csv"
        done = wangge("locate", "--grids", grids, "--points", points, "--out", out)
        assert done.code == 0, done.err
        assert "5 points: 3 in a grid, 1 outside all grids, 1 without coordinates" in done.out
        found = pd.read_csv(out, dtype=str, keep_default_na=False)
        assert list(found.columns) == ["name", "lon", "lat", "code", "grid_code"]
        assert list(found["name"]) == ["内", "边", "角", "外", "无"]
        assert list(found["grid_code"]) == [
            factories.grid_code(0), factories.grid_code(0), factories.grid_code(1), "", "",
        ]  # fmt: skip

    def test_numeric_ids_sort_as_numbers(
        self, wangge: Run, grids: Path, points: Path, tmp_path: Path
    ) -> None:
        out = tmp_path / "out.parquet"
        done = wangge(
            "locate", "--grids", grids, "--points", points, "--out", out, "--id", "number"
        )
        assert done.code == 0, done.err
        found = pd.read_parquet(out)["number"]
        assert found.fillna(-1).astype(int).tolist() == [10, 9, 8, -1, -1]

    @pytest.mark.parametrize(
        ("more", "words"),
        [
            (("--id", "nummer"), "there is no column 'nummer'"),
            (("--lon", "east"), "there is no column 'east' for the field 'lon'"),
            (("--crs", "gcj-20"), "gcj02"),
        ],
    )
    def test_refused(  # noqa: PLR0917 - a fixture each
        self, wangge: Run, grids: Path, points: Path, tmp_path: Path, more: Any, words: str
    ) -> None:
        out = tmp_path / "out.csv"
        done = wangge("locate", "--grids", grids, "--points", points, "--out", out, *more)
        assert done.code == 1
        assert words in done.err
        assert not out.exists()

    def test_grids_that_are_lines_are_named_with_their_file(
        self, wangge: Run, points: Path, tmp_path: Path
    ) -> None:
        lines = factories.squares()
        lines.geometry = lines.boundary
        lines.to_file(tmp_path / "lines.gpkg")
        done = wangge(
            "locate", "--grids", tmp_path / "lines.gpkg", "--points", points, "--out",
            tmp_path / "out.csv",
        )  # fmt: skip
        assert done.code == 1
        assert "refused lines.gpkg, rows 1, 2, 3, 4: a LineString covers nothing" in done.err

    def test_place_that_cannot_be_written(
        self, wangge: Run, grids: Path, points: Path, tmp_path: Path
    ) -> None:
        (tmp_path / "file").write_text("")
        out = tmp_path / "file" / "out.csv"
        done = wangge("locate", "--grids", grids, "--points", points, "--out", out)
        assert done.code == 1
        assert "Traceback" not in done.err
        assert "file" in done.err

    def test_rows_without_a_position_are_named_and_do_not_stop_it(
        self, wangge: Run, grids: Path, tmp_path: Path
    ) -> None:
        points = tmp_path / "points.csv"
        points.write_text(
            "id,x,y\na,117.01,45.01\nb,500000,4930000\nc,,\nd,abc,45\ne,45.01,117.01\n",
            encoding="utf-8",
        )
        out = tmp_path / "out.csv"
        done = wangge("locate", "--grids", grids, "--points", points, "--out", out)
        assert done.code == 0, done.err
        assert (
            "5 points: 1 in a grid, 0 outside all grids, 1 without coordinates, 3 that" in done.out
        )
        assert "without coordinates: rows 3\n" in done.err
        assert "row 2: (500000, 4.93e+06) is no position in wgs84\n" in done.err
        assert "row 4: x is text: 'abc'" in done.err
        assert "row 5: (45.01, 117.01) is no position in wgs84; did you mean lon=117.01" in done.err
        assert pd.read_csv(out, dtype=str)["code"].notna().tolist() == [True] + 4 * [False]
        told = wangge("locate", "--grids", grids, "--points", points, "--out", out, "--json")
        assert told.document["no_positions"]["count"] == 3
        assert told.document["without_coordinates"] == {"count": 1, "first_rows": [3]}

    def test_points_of_one_layer_of_several(self, wangge: Run, grids: Path, tmp_path: Path) -> None:
        places = gpd.GeoDataFrame(geometry=gpd.points_from_xy([117.01], [45.01]), crs=4326)
        for layer in ("a", "b"):
            places.to_file(tmp_path / "points.gpkg", layer=layer)
        points, out = tmp_path / "points.gpkg", tmp_path / "out.csv"
        done = wangge("locate", "--grids", grids, "--points", points, "--out", out)
        assert done.code == 1
        assert "Name one, as in 'points.gpkg|LAYER'; it has: a, b" in done.err
        done = wangge("locate", "--grids", grids, "--points", f"{points}|b", "--out", out)
        assert "1 point: 1 in a grid" in done.out

    def test_without_dask_there_is_no_scheduler(
        self, wangge: Run, grids: Path, points: Path, tmp_path: Path,
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:  # fmt: skip
        def missing(name: str) -> Any:
            raise ImportError(name)

        monkeypatch.setattr(cluster, "import_module", missing)
        done = wangge(
            "locate", "--grids", grids, "--points", points, "--out", tmp_path / "out.csv",
            "--scheduler", "local:2",
        )  # fmt: skip
        assert done.code == 3
        assert "pip install 'wangge[dask]'" in done.err

    def test_one(self, wangge: Run, county: factories.County) -> None:
        lon, lat = factories.middle(1)
        done = wangge("locate", lon, lat, "--accuracy", 20, "--json")
        assert (done.code, done.err) == (0, "")
        assert done.document["grid"]["code"] == factories.grid_code(1)
        assert done.document["confidence"] == pytest.approx(1)
        done = wangge("locate", lon, lat)
        assert factories.grid_code(1) in done.out
        assert "网格员2" in done.out
        told = wangge("locate", 116.9, lat).out
        assert f"nearest grid {factories.grid_code(0)} 示范村1 (Demo Village 1), 7," in told
        done = wangge("locate", -70.5, -33.4, "--json")
        assert done.document["reason"]["code"] == "outside"
        done = wangge("locate", 45.01, 117.01)
        assert done.code == 1
        assert "Did you mean lon=117.01, lat=45.01?" in done.err
        assert wangge("locate", lon, lat, "--at", "2025-06-01", "--json").document["reason"][
            "code"
        ] == ("no_edition")


def test_plan_draw_from_files(wangge: Run, tmp_path: Path) -> None:
    west, south = factories.WEST, factories.SOUTH
    area = gpd.GeoDataFrame(
        {"code": [factories.VILLAGES[0]]}, geometry=[box(west, south, west + 0.02, 45.02)], crs=4326
    )
    area.to_file(tmp_path / "area.gpkg", driver="GPKG")
    places = [(west + 0.0005 + 0.001 * i, south + 0.0005 + 0.001 * j) for i in range(19)
              for j in range(19)]  # fmt: skip
    gpd.GeoDataFrame(
        {"households": [3] * len(places)},
        geometry=[box(x, y, x + 0.0003, y + 0.0002) for x, y in places],
        crs=4326,
    ).to_file(tmp_path / "buildings.gpkg", driver="GPKG")
    out, cells = tmp_path / "grids.gpkg", tmp_path / "cells.parquet"
    done = wangge(
        "plan", "draw", "--area", tmp_path / "area.gpkg", "--buildings",
        tmp_path / "buildings.gpkg", "--out", out, "--cells", cells, "--target", 300, "--json",
    )  # fmt: skip
    assert done.code == 0, done.err
    drawn = gpd.read_file(out)
    assert done.document["grids"] == len(drawn) > 1
    assert done.document["households"] == drawn["households"].sum() == 3 * len(places)
    assert drawn.crs == area.crs
    assert drawn.union_all().symmetric_difference(area.geometry[0]).area < 1e-10
    assert set(gpd.read_parquet(cells)["grid"]) == set(drawn["code"])
    done = wangge("plan", "score", out, "--target", 300, "--json")
    assert done.code == 0, done.err
    assert done.document["grids"] == len(drawn)


def test_plan_draw_with_pins_and_camps(wangge: Run, tmp_path: Path) -> None:
    west, south = factories.WEST, factories.SOUTH
    gpd.GeoDataFrame(
        {"code": [factories.VILLAGES[0]]}, geometry=[box(west, south, west + 0.02, 45.02)], crs=4326
    ).to_file(tmp_path / "area.gpkg", driver="GPKG")
    places = [(west + 0.0015 + 0.002 * i, south + 0.0015 + 0.002 * j) for i in range(9)
              for j in range(9)]  # fmt: skip
    homes = gpd.GeoDataFrame(
        {"building_id": range(1, 82), "households": [3] * 81},
        geometry=gpd.points_from_xy(*zip(*places, strict=True)), crs=4326,
    )  # fmt: skip
    homes.to_file(tmp_path / "homes.gpkg", driver="GPKG")
    camps = homes.iloc[::9].copy()
    camps["season"] = "summer"
    camps[["building_id", "season", "geometry"]].to_file(tmp_path / "camps.gpkg", driver="GPKG")
    given = ("plan", "draw", "--area", tmp_path / "area.gpkg", "--buildings",
             tmp_path / "homes.gpkg", "--target", 25, "--tolerance", 0.2, "--prices",
             "pastoral")  # fmt: skip
    first = tmp_path / "first.gpkg"
    done = wangge(*given, "--camps", tmp_path / "camps.gpkg", "--travel-min", 90, "--out", first)
    assert done.code == 0, done.err
    codes = sorted(gpd.read_file(first)["code"])
    (tmp_path / "pins.csv").write_text(f"building_id,code\n1,{codes[-1]}\n", encoding="utf-8")
    again = tmp_path / "again.parquet"
    done = wangge(
        *given, "--before", first, "--pinned", tmp_path / "pins.csv", "--out",
        tmp_path / "second.gpkg", "--cells", again, "--json",
    )  # fmt: skip
    assert done.code == 0, done.err
    cells = gpd.read_parquet(again)
    holder = cells[["1" in [str(each) for each in ids] for ids in cells["building_ids"]]]
    told = [each["rule"] for each in done.document["findings"]]
    assert list(holder["grid"]) == [codes[-1]] or any("pin" in rule for rule in told)
    (tmp_path / "bad.csv").write_text("a,b\n1,2\n", encoding="utf-8")
    done = wangge(*given, "--before", first, "--pinned", tmp_path / "bad.csv", "--out", first)
    assert done.code == 1
    assert "code" in done.err


def test_crs_check_tells_a_shifted_layer(wangge: Run, tmp_path: Path) -> None:
    known = factories.squares()
    known.to_file(tmp_path / "known.gpkg", driver="GPKG")
    shifted = known.copy()
    shifted.geometry = from_wgs84_geometry(known.geometry.to_numpy(), "gcj02")
    shifted.to_file(tmp_path / "doubt.gpkg", driver="GPKG")
    done = wangge(
        "crs", "check", tmp_path / "doubt.gpkg", "--against", tmp_path / "known.gpkg", "--json"
    )
    assert done.code == 0, done.err
    assert "GCJ-02" in done.document["verdict"]
    done = wangge("crs", "check", tmp_path / "nothing.gpkg", "--against", tmp_path / "known.gpkg")
    assert done.code == 1
    assert "nothing.gpkg" in done.err


@pytest.mark.parametrize(
    ("rows", "words"),
    [
        ("id,x,y\na,500000,4930000\nb,500100,4930000\n", r"look like metres.*--crs.*EPSG"),
        ("id,lon,lat\na,abc,44.5\n", r"row 1: lon is text: 'abc'.*--lon"),
        ("id,east,north\na,117.01,45.01\n", r"no column of longitudes.*--lon.*latitudes.*--lat"),
    ],
)
def test_points_that_are_none_are_named(
    wangge: Run, grids: Path, tmp_path: Path, rows: str, words: str
) -> None:
    points = tmp_path / "wrong.csv"
    points.write_text(rows, encoding="utf-8")
    out = tmp_path / "out.csv"
    done = wangge("locate", "--grids", grids, "--points", points, "--out", out)
    assert done.code == 1
    assert re.search(words, " ".join(done.err.split()))
    assert not out.exists()


def test_an_import_that_keeps_nothing_is_refused(wangge: Run, tmp_path: Path) -> None:
    units = tmp_path / "units.csv"
    units.write_text("code,name\nabc,示范\nxy,示范\n", encoding="utf-8")
    done = wangge("import", "units", units, "--no-database")
    assert done.code == 1
    assert "Nothing can be written" in done.out


def test_a_misspelt_column_of_households_is_named(wangge: Run, tmp_path: Path) -> None:
    homes = tmp_path / "homes.csv"
    homes.write_text("id,lon,lat,housholds\na,117.01,45.01,3\n", encoding="utf-8")
    done = wangge("import", "buildings", homes, "--county", factories.COUNTY, "--no-database")
    assert "nearest names are: housholds" in " ".join(done.out.split())
