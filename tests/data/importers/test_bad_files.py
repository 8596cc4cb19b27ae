"""Files that cannot be taken as a whole: each is refused in clear words, with a remedy."""

from __future__ import annotations

import gzip
import io
import json
import os
import subprocess
import sys
import zipfile
from pathlib import Path

import geopandas as gpd
import pandas as pd
import pytest
import shapely

from data.importers import guards, tables
from data.importers.reading import from_wkb, read
from data.importers.run import run_import
from gis.database import Database, execute
from gis.errors import BadInput, NotFound
from tests.data.importers.conftest import SQUARES, VILLAGES, Writer


def _refused(kind: str, path: Path, **options: object) -> str:
    with pytest.raises(BadInput) as refused:
        run_import(kind, path, **options)  # type: ignore[arg-type]
    return str(refused.value)


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(NotFound, match="there is no file"):
        run_import("units", tmp_path / "nothing.gpkg")


def test_a_type_that_is_not_read(csv: Writer) -> None:
    text = _refused("units", csv("plan.docx", "words"))
    assert "files ending in '.docx' are not read" in text
    assert "Copy its table into a spreadsheet and save that as .xlsx" in text
    text = _refused("units", csv("plan.xyz", "words"))
    assert ".gpkg" in text
    assert ".xlsx" in text
    assert "save it as .xlsx" in _refused("units", csv("old.xls", "words"))
    assert "Name the .shp file" in _refused("units", csv("u.dbf", "words"))


@pytest.mark.parametrize(
    ("name", "content", "seen"),
    [
        ("a.gpkg", b"PK\x03\x04rest", "a ZIP archive or an Office file"),
        ("a.xlsx", b"\xd0\xcf\x11\xe0rest", "an old Excel or Word file (.xls, .doc)"),
        ("a.csv", b"PK\x03\x04\x00\x00", "a ZIP archive or an Office file"),
        ("a.geojson", b"<html>login</html>", "an HTML or XML file"),
        ("a.parquet", b"code,name\n", "something else"),
        ("a.shp", b"%PDF-1.7", "a PDF document"),
        ("a.osm.pbf", b"<osm version='0.6'/>", "an HTML or XML file"),
        ("a.gpx", b"\x00\x01\x02", "something else"),
    ],
)
def test_a_file_that_is_not_what_its_name_says(
    tmp_path: Path, name: str, content: bytes, seen: str
) -> None:
    path = tmp_path / name
    path.write_bytes(content)
    text = _refused("units", path)
    assert f"{name} is not what its name says" in text
    assert seen in text


@pytest.mark.parametrize("name", ["empty.csv", "empty.gpkg", "empty.xlsx", "empty.geojson"])
def test_an_empty_file(tmp_path: Path, name: str) -> None:
    (tmp_path / name).touch()
    assert f"{name} is empty (0 bytes)" in _refused("units", tmp_path / name)


def test_a_table_with_a_header_only(csv: Writer, xlsx: Writer, drawn: Writer) -> None:
    assert "head.csv has no rows" in _refused("units", csv("head.csv", "code,name\n"))
    assert "head.xlsx has no rows" in _refused("units", xlsx("head.xlsx", {"code": [], "name": []}))
    empty = drawn("head.gpkg", [], {"code": []})
    assert "head.gpkg has no rows" in _refused("units", empty)


def test_a_missing_column_with_the_nearest_names(csv: Writer) -> None:
    text = _refused("units", csv("u.csv", "coode,naem\n150121,土默特左旗\n"))
    assert "there is no column for the field 'code'" in text
    assert "The nearest names are: coode" in text
    assert "--map code=COLUMN" in text


def test_every_missing_column_is_named_at_once(csv: Writer) -> None:
    text = _refused("tracks", csv("t.csv", "lon,lat\n110,40\n"))
    assert "'patrol'" in text
    assert "'time'" in text


def test_a_mapping_to_a_column_that_is_not_there(csv: Writer) -> None:
    path = csv("u.csv", "code,name\n150121,左旗\n")
    text = _refused("units", path, mapping={"name": "nmae", "colour": "x"})
    assert "there is no column 'nmae' for the field 'name'" in text
    assert "The nearest names are: name" in text
    assert "units have no field 'colour'" in text


def test_an_unknown_kind() -> None:
    with pytest.raises(BadInput, match=r"no import of 'bildings'.*\n?.*buildings"):
        run_import("bildings", Path("a.csv"))


def test_several_layers_and_none_chosen(drawn: Writer) -> None:
    drawn("many.gpkg", SQUARES, layer="first")
    path = drawn("many.gpkg", SQUARES, layer="second")
    text = _refused("units", path)
    assert "has 2 layers and none was chosen" in text
    assert "first, second" in text


def test_a_sheet_that_is_not_there(xlsx: Writer) -> None:
    path = xlsx("many.xlsx", {"code": VILLAGES}, more={"code": VILLAGES})
    text = _refused("units", path, layer="third")
    assert "has no layer 'third'" in text
    assert "many, more" in text
    assert "has 2 layers and none was chosen" in _refused("units", path)


def test_no_crs(drawn: Writer) -> None:
    path = drawn("no.shp", SQUARES, {"code": VILLAGES, "name": ["a", "b"]})
    path.with_suffix(".prj").unlink()
    text = _refused("units", path)
    assert "declares no coordinate system (no CRS)" in text
    assert "look like longitude and latitude" in text
    assert "--crs wgs84" in text
    metres = [shapely.box(500_000, 4_400_000, 500_100, 4_400_100)]
    path = drawn("m.parquet", metres, {"code": VILLAGES[:1], "name": ["a"]}, crs=None)
    assert "look like metres" in _refused("units", path)


def test_swapped_axes_of_a_whole_file(csv: Writer, database: Database) -> None:
    path = csv("b.csv", "id,lon,lat,households\na,40.1,110.2,3\nb,40.2,110.3,4\n")
    text = _refused("buildings", path, database=database, county="990001", commit=True)
    assert "longitude and latitude seem to be swapped in 2 of 2 rows" in text
    assert "Exchange --map lon and --map lat" in text
    with database.transaction() as session:
        assert execute(session, "SELECT count(*) FROM buildings").scalar_one() == 0


def test_gbk_read_as_utf8_and_the_other_way(csv: Writer) -> None:
    # Saved once by a program that read GBK as Latin-1, and once UTF-8 as GBK.
    as_latin = "code,name\n150121," + "土默特左旗".encode("gbk").decode("latin-1") + "\n"
    text = _refused("units", csv("l.csv", as_latin))
    assert "was read in the wrong encoding" in text
    assert "土默特左旗" in text
    as_gbk = "code,name\n150121," + "土默特左旗镇".encode().decode("gb18030") + "\n"
    text = _refused("units", csv("g.csv", as_gbk))
    assert "it should probably be '土默特左旗镇'" in text
    lost = _refused("units", csv("x.csv", "code,name\n150121,锟斤拷锟斤拷\n"))
    assert "characters are lost" in lost
    assert "--encoding" in lost


def test_text_of_no_encoding(tmp_path: Path) -> None:
    path = tmp_path / "x.csv"
    path.write_bytes(b"code,name\n150121,\xff\xff\x80\n")
    assert "neither UTF-8 (byte 17) nor GBK" in _refused("units", path)
    assert "there is no encoding 'klingon'" in _refused("units", path, encoding="klingon")


def test_a_file_of_2_gb(tmp_path: Path) -> None:
    path = tmp_path / "big.csv"
    with path.open("wb") as file:
        file.write(b"code,name\n")
        os.truncate(file.fileno(), 2_100_000_000)  # a hole: takes no space
    text = _refused("units", path)
    assert "is 2.10 GB, more than the 2.00 GB that one import takes" in text
    assert "Cut it into parts" in text


def test_zip_bombs(tmp_path: Path) -> None:
    bomb = tmp_path / "bomb.zip"
    with zipfile.ZipFile(bomb, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("a.shp", b"\x00" * 20_000_000)
    assert "zip bomb" in _refused("units", bomb)
    sheet = tmp_path / "bomb.xlsx"
    sheet.write_bytes(bomb.read_bytes())
    assert "zip bomb" in _refused("units", sheet)
    packed = tmp_path / "bomb.csv.gz"
    packed.write_bytes(gzip.compress(b"0" * 20_000_000))
    assert "zip bomb" in _refused("units", packed)


@pytest.mark.parametrize(
    "name", ["../../etc/cron.d/x.shp", "/etc/x.shp", "C:\\x.shp", "a\\..\\..\\b"]
)
def test_an_archive_that_leaves_its_folder(tmp_path: Path, name: str) -> None:
    path = tmp_path / "a.zip"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr(name, b"x")
    assert "would land outside its folder" in _refused("units", path)


def test_an_archive_without_a_shapefile_says_what_is_in_it(tmp_path: Path) -> None:
    path = tmp_path / "a.zip"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("villages.xlsx", b"x")
    text = _refused("units", path)
    assert "a.zip holds no Shapefile (.shp), but villages.xlsx. Unpack it" in text


def test_an_archive_with_a_link_a_lock_or_too_many_files(tmp_path: Path) -> None:
    path = tmp_path / "a.zip"
    link = zipfile.ZipInfo("a.shp")
    link.external_attr = 0o120777 << 16
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr(link, "/etc/passwd")
    assert "a link to another file" in _refused("units", path)
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("a.shp", b"x")
    locked = bytearray(path.read_bytes())
    locked[locked.index(b"PK\x01\x02") + 8] |= 1  # the flag of encryption, in the directory
    path.write_bytes(locked)
    assert "locked with a password" in _refused("units", path)
    with zipfile.ZipFile(path, "w") as archive:
        for number in range(guards.MAX_MEMBERS + 1):
            archive.writestr(f"{number}", b"")
    assert "holds 10001 files" in _refused("units", path)


@pytest.mark.parametrize("name", ["$(touch x).csv", "; rm -rf x.csv", "-o x.csv", "a'b\"c.csv"])
def test_a_name_is_a_name(tmp_path: Path, name: str) -> None:
    """Whatever a file is called, it is opened and nothing else is done."""
    (tmp_path / name).write_text("code,name\n150121,左旗\n", encoding="utf-8")
    report = run_import("units", tmp_path / name)
    assert (report.kept, report.file) == (1, name)
    assert [each.name for each in tmp_path.iterdir()] == [name]


@pytest.mark.parametrize("name", ["/vsicurl/http:", "link.geojson", "pipe.csv"])
def test_what_is_no_plain_file(tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    if name.startswith("pipe"):
        os.mkfifo(path)
        assert "is not a file" in _refused("units", path)
        return
    if name.startswith("link"):
        (tmp_path / "folder").mkdir()
        path.symlink_to(tmp_path / "folder")
        assert "is not a file" in _refused("units", path)
        return
    with pytest.raises(NotFound):
        run_import("units", Path("/vsicurl/http://127.0.0.1:1/a.geojson"))


def test_damaged_archives(tmp_path: Path) -> None:
    whole = io.BytesIO()
    with zipfile.ZipFile(whole, "w") as archive:
        archive.writestr("a.shp", b"x" * 1000)
    path = tmp_path / "a.zip"
    path.write_bytes(whole.getvalue()[:-30])
    assert "a.zip is a damaged archive" in _refused("units", path)
    packed = tmp_path / "a.csv.gz"
    packed.write_bytes(gzip.compress(b"code,name\n" * 1000)[:-12])
    assert "a.csv.gz is a damaged gzip file" in _refused("units", packed)
    table = tmp_path / "a.parquet"
    table.write_bytes(b"PAR1garbagePAR1")
    assert "damaged Parquet file" in _refused("units", table)
    package = tmp_path / "a.gpkg"
    package.write_bytes(b"SQLite format 3\x00" + b"\x00" * 200)
    assert "a.gpkg cannot be read" in _refused("units", package)


def test_geojson_nested_without_end(tmp_path: Path) -> None:
    path = tmp_path / "deep.geojson"
    path.write_text('{"type":"FeatureCollection","features":' + "[" * 30_000 + "]" * 30_000 + "}")
    assert "levels deep or more; geometry needs 8" in _refused("units", path)


def test_brackets_within_texts_are_no_nesting(tmp_path: Path) -> None:
    feature = {
        "type": "Feature",
        "properties": {"code": VILLAGES[0], "name": "[" * 100},
        "geometry": shapely.geometry.mapping(SQUARES[0]),
    }
    path = tmp_path / "texts.geojson"
    path.write_text(json.dumps({"type": "FeatureCollection", "features": [feature]}))
    assert run_import("units", path).kept == 1


def test_nested_wkb_never_reaches_the_parser() -> None:
    # Not collections alone: whatever has parts is read by calls within calls.
    deep = [bytes([1, kind]) + b"\x00\x00\x00\x01\x00\x00\x00" for kind in (4, 5, 6, 7)]
    point = shapely.to_wkb(shapely.Point(1, 2))
    geometry, unread = from_wkb([*(each * 60_000 for each in deep), point, b"\x01\x01", None])
    assert [g is None for g in geometry] == [True] * 4 + [False, True, True]
    assert set(unread) == {1, 2, 3, 4, 6}
    assert {unread[row] for row in (1, 2, 3, 4)} == {
        "the geometry is nested more than 32 levels deep"
    }


def test_nested_wkt_is_rejected_by_its_row(csv: Writer) -> None:
    deep = "GEOMETRYCOLLECTION(" * 30_000 + "POINT(1 1)" + ")" * 30_000
    path = csv("w.csv", f'code,name,wkt\n{VILLAGES[0]},a,"{deep}"\n{VILLAGES[1]},b,"POINT (1"\n')
    report = run_import("units", path, crs="wgs84")
    assert [p.reason[:26] for p in report.problems] == [
        "the geometry is nested mor", "this is no WKT geometry: P",
    ]  # fmt: skip


def test_xml_entities_are_refused(csv: Writer) -> None:
    text = '<?xml version="1.0"?><!DOCTYPE gpx [<!ENTITY a SYSTEM "file:///etc/passwd">]><gpx/>'
    assert "declares XML entities" in _refused("tracks", csv("t.gpx", text))


def test_gdal_runs_with_one_driver_and_dies_alone(tmp_path: Path, drawn: Writer) -> None:
    # A VRT would make GDAL read other files: under any name, it is not opened.
    source = drawn("secret.gpkg", SQUARES)
    vrt = f'<OGRVRTDataSource><OGRVRTLayer name="secret"><SrcDataSource>{source}</SrcDataSource>'
    path = tmp_path / "a.kml"
    path.write_text(vrt + "</OGRVRTLayer></OGRVRTDataSource>")
    assert "a.kml cannot be read" in _refused("units", path)


def test_the_child_process_is_limited() -> None:
    code = (
        "from data.importers.child import _limit\n"
        "_limit(1 << 30, 10, 1 << 20)\n"
        "try:\n    bytearray(2 << 30)\nexcept MemoryError:\n    print('limited')\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "limited"


def test_a_table_with_a_column_twice_or_too_many_fields(csv: Writer) -> None:
    assert "several columns named 'code'" in _refused("units", csv("a.csv", "code,code\n1,2\n"))
    assert "no regular table" in _refused("units", csv("b.csv", "code,name\n15,a,b,c,d\n16,b\n"))


def test_points_for_a_kind_without_a_place(csv: Writer) -> None:
    text = _refused("buildings", csv("b.csv", "id,户数\na,3\n"))
    assert "has no geometry" in text
    assert "--map lon=COLUMN" in text


def test_commit_needs_a_database(csv: Writer) -> None:
    text = _refused("units", csv("u.csv", "code,name\n15,内蒙古\n"), commit=True)
    assert "nothing can be written without a database" in text


def test_strict_refuses_the_file_for_one_row(csv: Writer, database: Database) -> None:
    path = csv("u.csv", "code,name\n15,内蒙古\n1x,错\n")
    text = _refused("units", path, database=database, commit=True, strict=True)
    assert "row 2" in text
    with database.transaction() as session:
        assert execute(session, "SELECT count(*) FROM admin_units").scalar_one() == 0


def test_parquet_and_geoparquet_and_zipped_shapefiles_are_read(tmp_path: Path) -> None:
    frame = gpd.GeoDataFrame(
        {"code": VILLAGES, "name": ["东村", "西村"]}, geometry=list(SQUARES), crs=4326
    )
    geo = tmp_path / "u.parquet"
    frame.to_parquet(geo)
    table = read(geo)
    assert table.crs in ("EPSG:4326", "OGC:CRS84")
    assert run_import("units", geo).kept == 2
    plain = tmp_path / "p.parquet"
    pd.DataFrame({"code": VILLAGES, "name": ["东村", "西村"]}).to_parquet(plain)
    assert run_import("units", plain).kept == 2
    zipped = tmp_path / "u.shp.zip"
    frame.to_file(tmp_path / "u.shp", encoding="utf-8")
    with zipfile.ZipFile(zipped, "w") as archive:
        for part in tmp_path.glob("u.[scdp]??"):
            archive.write(part, part.name)
    report = run_import("units", zipped)
    assert (report.kept, report.source) == (2, "u.shp")


@pytest.mark.parametrize(
    ("written", "declared", "found", "note"),
    [
        ("gbk", "GBK", "GB18030", None),
        ("gbk", None, "GB18030", "found to be GBK"),
        ("gbk", "UTF-8", "GB18030", "the text is GBK"),
        ("utf-8", "UTF-8", "UTF-8", None),
        ("utf-8", None, "UTF-8", "found UTF-8"),
        ("utf-8", "GBK", "UTF-8", "its text is UTF-8"),
    ],
)
def test_the_encoding_of_a_shapefile_is_that_of_its_bytes(
    tmp_path: Path, written: str, declared: str | None, *, found: str, note: str | None
) -> None:
    path = _shapefile(tmp_path, written, declared)
    encoding, notes = tables.dbf_encoding(guards.check_file(path))
    assert encoding == found
    assert [note in text for text in notes] == ([] if note is None else [True])


@pytest.mark.parametrize(("written", "declared"), [("gbk", "UTF-8"), ("utf-8", "GBK")])
def test_shapefiles_that_declare_another_encoding_keep_their_names(
    tmp_path: Path, written: str, declared: str
) -> None:
    table = read(_shapefile(tmp_path, written, declared))
    assert list(table.frame["名称"]) == ["东沟嘎查", "西沟嘎查"]
    assert len(table.notes) == 1


def _shapefile(folder: Path, written: str, declared: str | None) -> Path:
    """Two villages, their names in one encoding and the .cpg naming another, or not there."""
    path = folder / "u.shp"
    gpd.GeoDataFrame(
        {"code": VILLAGES, "名称": ["东沟嘎查", "西沟嘎查"]}, geometry=list(SQUARES), crs=4326
    ).to_file(path, encoding=written)
    (folder / "u.cpg").unlink()
    if declared is not None:
        (folder / "u.cpg").write_text(declared)
    return path


def test_chinese_column_names_that_a_shapefile_cut_within_a_character(tmp_path: Path) -> None:
    path = tmp_path / "u.shp"
    with pytest.warns(RuntimeWarning, match="laundered"):
        gpd.GeoDataFrame(
            {"网格编码": VILLAGES, "名称": ["东沟嘎查", "西沟嘎查"], "n": [1, 2]},
            geometry=list(SQUARES),
            crs=4326,
        ).to_file(path, encoding="utf-8")
    table = read(path)
    assert list(table.frame.columns) == ["网格编", "名称", "n"]
    assert list(table.frame["网格编"]) == list(VILLAGES)
    assert list(table.frame["名称"]) == ["东沟嘎查", "西沟嘎查"]
    assert list(table.frame["n"]) == [1, 2]
    assert "--map" in table.notes[0]
