"""``wangge plan`` on files: which file, layer and row is wrong, and what is said of a plan."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING

import geopandas as gpd
import pyogrio
import pytest
from shapely import LineString, Point, box

from api.commands.layers import read_layer
from gis.errors import BadInput
from maps.layer_files import write_layer
from tests.towns import town

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.api.commands.conftest import Done

    Run = Callable[..., Done]

TOWN = """
    3 3 3 3 3 3
    # # # # # #
    3 3 3 3 3 3
    = = = = = =
    3 3 3 A 3 3
"""


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """One GeoPackage with the layers of a small town."""
    place = town(TOWN, legend={"A": 400})
    path = tmp_path / "town.gpkg"
    place.area.to_file(path, layer="units", driver="GPKG")
    place.buildings.to_file(path, layer="houses", driver="GPKG")
    for kind in ("street", "river"):
        place.barriers[place.barriers["kind"] == kind].to_file(path, layer=kind, driver="GPKG")
    return path


def drawing(file: Path, **options: object) -> list[object]:
    given = {
        "--area": f"{file}|units",
        "--buildings": f"{file}|houses",
        "--out": file.parent / "grids.gpkg",
        "--target": 60,
    } | {f"--{name}": value for name, value in options.items()}
    return ["plan", "draw", *(word for pair in given.items() for word in pair)]


def lines(done: Done) -> list[str]:
    return [" ".join(line.split()) for line in done.err.splitlines() if line.strip()]


class TestLayers:
    """A layer of a file is ``FILE|LAYER``."""

    def test_both_ways_of_writing_it(self, wangge: Run, file: Path) -> None:
        barriers = ["--barriers", f"{file}|street", "--barriers", f"{file}|layername=river"]
        done = wangge(*drawing(file), *barriers)
        assert done.code == 0, done.err
        done = wangge(
            "plan", "score", file.parent / "grids.gpkg", "--target", 60,
            "--area", f"{file}|units", *barriers, "--json",
        )  # fmt: skip
        assert done.code == 0, done.err
        assert (done.document["gaps_m2"], done.document["inside_m"]["river"]) == (0, 0)

    def test_none_or_a_wrong_one_named(self, wangge: Run, file: Path) -> None:
        done = wangge(*drawing(file, area=file, buildings=f"{file}|house"))
        assert done.code == 1
        several, wrong = lines(done)
        names = "it has: units, houses, street, river."
        assert "has 4 layers and none was chosen" in several
        assert several.endswith(f"Name one, as in 'town.gpkg|LAYER'; {names}")
        assert wrong == f"refused town.gpkg has no layer 'house'. {names.capitalize()}"

    def test_a_file_whose_own_name_has_the_sign(self, wangge: Run, file: Path) -> None:
        odd = file.parent / "a|b.gpkg"
        gpd.read_file(file, layer="units").to_file(odd, driver="GPKG")
        assert wangge(*drawing(file, area=odd)).code == 0


class TestNames:
    """Columns may be called as in the files people have; what is taken for what is said."""

    @pytest.mark.parametrize("declares", [True, False])
    def test_chinese_names_in_gbk(self, wangge: Run, file: Path, declares: bool) -> None:
        houses, units = file.parent / "楼栋.shp", file.parent / "社区.shp"
        given = gpd.read_file(file, layer="houses")
        given = given.rename(columns={"households": "户数", "id": "楼栋编号"})
        given.assign(名称="东大街一号楼").to_file(houses, encoding="GBK")
        area = gpd.read_file(file, layer="units").rename(columns={"code": "区划代码"})
        area.to_file(units, encoding="GBK")
        if not declares:
            houses.with_suffix(".cpg").unlink()
        done = wangge(*drawing(file, area=units, buildings=houses), "--json")
        assert done.code == 0, done.err
        assert done.document["households"] == 17 * 30 + 400
        assert lines(done) == [
            "社区.shp: column 区划代码 is taken for code",
            "楼栋.shp: column 楼栋编号 is taken for id",
            "楼栋.shp: column 户数 is taken for households",
        ]
        (code,) = area["区划代码"]
        grids = gpd.read_file(file.parent / "grids.gpkg")
        assert grids["code"].str.startswith(code).all()

    def test_a_column_of_its_own_name_goes_before(self, wangge: Run, file: Path) -> None:
        given = gpd.read_file(file, layer="houses").assign(户数=1, 编号=7)
        given.to_file(file.parent / "h.gpkg")
        # Codes that are not each row's own are none.
        area = gpd.read_file(file, layer="units").drop(columns="code").assign(区划代码=None)
        area.to_file(file.parent / "a.gpkg")
        done = wangge(*drawing(file, area=file.parent / "a.gpkg", buildings=file.parent / "h.gpkg"))
        assert done.code == 0, done.err
        assert "is taken for" not in done.err


class TestProblems:
    """Each problem in its line, with file, layer, row and field."""

    def test_of_every_file_at_once(self, wangge: Run, file: Path, tmp_path: Path) -> None:
        lost = tmp_path / "lost.shp"
        track = gpd.GeoDataFrame(
            {"kind": ["rail"]}, geometry=[LineString([(0, 0), (1, 1)])], crs=4326
        )
        track.to_file(lost)
        lost.with_suffix(".prj").unlink()
        done = wangge(*drawing(file, buildings=tmp_path / "no.csv", barriers=lost))
        assert done.code == 1
        assert "no.csv" in done.err
        (tmp_path / "no.csv").write_text("id,households\n1,3\n")
        done = wangge(*drawing(file, buildings=tmp_path / "no.csv", barriers=lost))
        assert lines(done)[0].startswith("refused no.csv: the file has no geometry")
        assert lines(done)[1].startswith("refused lost.shp: the file names no coordinate system")
        assert not (tmp_path / "grids.gpkg").exists()

    def test_rows_are_those_of_their_own_file(self, wangge: Run, file: Path) -> None:
        houses = gpd.read_file(file, layer="houses").rename(columns={"households": "hush"})
        houses.to_file(file, layer="houses", driver="GPKG")
        rail = gpd.GeoDataFrame(
            {"kind": ["rail", "moat"]},
            geometry=[LineString([(116, 40), (116.1, 40)]), Point(116, 40)], crs=4326,
        )  # fmt: skip
        rail.to_file(file.parent / "rail.geojson")
        done = wangge(
            *drawing(file, target=0, tolerance=1),
            "--barriers", f"{file}|street", "--barriers", file.parent / "rail.geojson",
        )  # fmt: skip
        assert done.code == 1
        told = lines(done)
        assert [line.split(": ")[0] for line in told] == [
            "refused field --target",
            "refused field --tolerance",
            "refused town.gpkg|houses, field households",
            "refused rail.geojson, row 2, field kind",
        ]
        assert "Nearest names here: hush" in told[2]

    @pytest.mark.parametrize(
        ("spoil", "words"),
        [
            (lambda f: f.assign(households=-f["households"]),
             r"houses, rows 1, 2, 3, 4, 5 and 12 more, field households: .* negative \(-30\)"),
            (lambda f: f.assign(geometry=[LineString([(p.x, p.y), (p.x + 1e-4, p.y)])
                                          for p in f.geometry]),
             r"houses, rows 1, 2, 3, 4, 5 and 13 more, field geometry: the geometry is a LineS"),
            (lambda f: f.assign(geometry=f.translate(1.0)), "none of the buildings lies inside"),
        ],
        ids=["negative households", "lines", "another place"],
    )  # fmt: skip
    def test_of_buildings(
        self, wangge: Run, file: Path, spoil: Callable[..., gpd.GeoDataFrame], words: str
    ) -> None:
        houses = spoil(gpd.read_file(file, layer="houses"))
        houses.to_file(file, layer="houses", driver="GPKG")
        done = wangge(*drawing(file))
        assert done.code == 1
        assert re.search(words, " ".join(lines(done)))
        assert not (file.parent / "grids.gpkg").exists()

    def test_an_ending_that_is_none_costs_no_drawing(self, wangge: Run, file: Path) -> None:
        for option, name in (("out", "g.xyz"), ("cells", "c.doc"), ("report", "r.pdf")):
            done = wangge(*drawing(file, **{option: file.parent / name}))
            assert done.code == 1
            assert f"field --{option}: cannot write" in done.err
        for option, ending in (("out", "gpkg"), ("cells", "csv"), ("report", "html")):
            done = wangge(*drawing(file, **{option: file / f"x.{ending}"}))
            assert done.code == 1
            assert f"field --{option}: cannot write {file}/x.{ending}" in done.err
        assert sorted(each.name for each in file.parent.iterdir()) == ["town.gpkg"]

    def test_a_file_that_gdal_cannot_write(self, file: Path) -> None:
        units = gpd.read_file(file, layer="units")
        with pytest.raises(BadInput, match=r"x\.gpkg: it cannot be written"):
            write_layer(units, Path("/proc/x.gpkg"), layer="units")

    def test_of_a_layer_to_measure(self, wangge: Run, tmp_path: Path) -> None:
        path = tmp_path / "hand.gpkg"
        frame = gpd.GeoDataFrame(
            {"households": ["3", "many"]},
            geometry=[box(116, 40, 116.1, 40.1), Point(116, 40)], crs=4326,
        )  # fmt: skip
        frame.to_file(path, driver="GPKG")
        done = wangge("plan", "score", path)
        assert done.code == 1
        assert [line.split(": ")[0] for line in lines(done)] == [
            "refused hand.gpkg, row 2, field geometry",
            "refused hand.gpkg, field households",
        ]


class TestFindings:
    """Told by kind, the worst named; all of them in the report and the JSON."""

    def test_in_the_text_the_report_and_the_json(self, wangge: Run, file: Path) -> None:
        report = file.parent / "report.html"
        done = wangge(*drawing(file, target=35, tolerance=0.01))
        assert done.code == 0, done.err
        found = wangge(*drawing(file, target=35, tolerance=0.01), "--json").document["findings"]
        off = [each for each in found if each["rule"] == "out_of_tolerance"]
        assert len(off) > 3
        assert f"grids out of tolerance: {len(off)}" in done.out
        assert [each["place"] in done.out for each in off[:3]] == [True] * 3
        assert f"and {len(off) - 3} more" in done.out
        assert "grids of one building too large: 1" in done.out
        assert f"--report FILE.html or --json lists all {len(found)}" in done.out
        done = wangge(*drawing(file, target=35, tolerance=0.01, report=report, title="<b>甲</b>"))
        assert "--json" not in done.out
        page = report.read_text(encoding="utf-8")
        assert "&lt;b&gt;甲&lt;/b&gt;" in page
        for each in found:
            assert each["text"] in page
            assert each["text_zh"] in page
        assert not re.search(r"(src|href)=", page), "nothing is loaded from elsewhere"


class TestWritten:
    """A layer with Chinese names and texts, in every format."""

    @pytest.fixture
    def frame(self) -> gpd.GeoDataFrame:
        return gpd.GeoDataFrame(
            {"去年矛盾纠纷数量": [3, 4], "去年矛盾纠纷数目": [5, 6],
             "name": ["河东社区第3网格", "嘎查"]},
            geometry=[box(116, 40, 116.1, 40.1), box(116.1, 40, 116.2, 40.1)], crs=4326,
        )  # fmt: skip

    @pytest.mark.parametrize("name", ["格.shp", "格.zip", "格.shz", "格.gpkg", "格.geojson"])
    def test_and_read_back(self, frame: gpd.GeoDataFrame, tmp_path: Path, name: str) -> None:
        path = tmp_path / name
        write_layer(frame, path, layer="grids")
        back = gpd.read_file(path)
        names = [str(each) for each in back.columns.drop("geometry")]
        short = name.endswith(("shp", "zip", "shz"))
        assert names == (["去年矛", "去年矛2", "name"] if short else frame.columns[:3].tolist())
        assert back["name"].tolist() == frame["name"].tolist()
        assert back.iloc[:, 1].tolist() == [5, 6]
        assert back.crs == 4326
        assert pyogrio.read_info(path)["encoding"] == "UTF-8"
        assert [each.suffix for each in tmp_path.iterdir() if each.name.startswith(".")] == []
        if name.endswith("shp"):
            assert path.with_suffix(".cpg").read_text().strip() == "UTF-8"
        assert read_layer(path).shape == frame.shape

    def test_texts_that_would_be_cut_are_refused(
        self, frame: gpd.GeoDataFrame, tmp_path: Path
    ) -> None:
        ids = frame.assign(building_ids=[list(range(100)), [1]])
        with pytest.raises(BadInput, match=r"row 1, field building_ids: 289 bytes.*GeoPackage"):
            write_layer(ids, tmp_path / "c.shp", layer="cells")
        assert list(tmp_path.iterdir()) == []
        write_layer(ids, tmp_path / "c.gpkg", layer="cells")
