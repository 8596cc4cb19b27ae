"""Places and house numbers from files and OpenStreetMap, and what the gazetteer makes of them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
import shapely

from data.importers import places
from data.importers.run import run_import
from gis.database import execute
from grids.addresses.search import search
from tests.conftest import REAL_DATA
from tests.data.importers.conftest import COUNTY, VILLAGES

if TYPE_CHECKING:
    from gis.database import Database
    from tests.data.importers.conftest import Writer


def rows(database: Database, sql: str) -> list[tuple[object, ...]]:
    with database.transaction() as session:
        return [tuple(row) for row in execute(session, sql)]


def found(database: Database, text: str) -> tuple[str, str, bool]:
    with database.transaction() as session:
        best = search(session, text)[0]
    return best.method, best.label, best.is_confident


def test_places_by_their_chinese_columns(csv: Writer, place: Database) -> None:
    path = csv(
        "places.csv",
        "编号,场所名称,类型,别名,半径,经度,纬度\n"
        "1,东沟小学,小学,沟小、老学校,60,110.005,40.005\n"
        "2,综治警务室,警务室,,,110.015,40.005\n"
        "3,,学校,,,110.015,40.005\n"
        "4,———,学校,,,110.015,40.005\n"
        "5,粮站,粮站,,,110.015,40.005\n"
        "6,菜场,市场,,-3,110.015,40.005\n",
    )
    dry = run_import("places", path, database=place)
    assert (dry.kept, dry.rejected) == (2, 4)
    assert rows(place, "SELECT count(*) FROM places") == [(0,)]
    report = run_import("places", path, database=place, commit=True)
    assert [(each.row, each.reason) for each in report.problems] == [
        (3, "the place has no name"),
        (4, "the name has no letter or figure"),
        (5, "'粮站' is not known"),
        (6, "is not between 1 and 20000: -3"),
    ]
    assert rows(
        place, "SELECT name, kind, aliases, radius_m, area_code FROM places ORDER BY 1"
    ) == [
        ("东沟小学", "school", ["沟小", "老学校"], 60.0, VILLAGES[0]),
        ("综治警务室", "police_room", [], None, VILLAGES[1]),
    ]
    assert found(place, "老学校") == ("place", "东沟小学", True)
    again = run_import("places", path, database=place, commit=True)
    assert (again.new, again.changed, again.unchanged) == (0, 0, 2)
    moved = csv("moved.csv", "编号,别名,经度,纬度\n1,沟小,110.016,40.005\n")
    fixed = run_import("places", moved, database=place, commit=True, update=True, source="places")
    assert fixed.changed == 1
    assert rows(place, "SELECT aliases, area_code FROM places WHERE external_id = '1'") == [
        (["沟小"], VILLAGES[1])
    ]


def test_kinds_of_places_are_those_of_the_table(place: Database) -> None:
    assert set(places.KIND_WORDS.values()) <= set(places.KINDS)
    (check,) = rows(
        place,
        "SELECT pg_get_constraintdef(oid) FROM pg_constraint WHERE conname = 'places_kind_check'",
    )
    assert all(f"'{kind}'" in str(check[0]) for kind in places.KINDS)
    assert str(check[0]).count("::text") == len(places.KINDS)


def test_house_numbers_in_columns_and_in_one(csv: Writer, place: Database) -> None:
    path = csv(
        "doors.csv",
        "门牌编号,街路巷,门牌号,小区,楼号,地址,经度,纬度\n"
        "1,格点街,7,,,,110.001,40.005\n"
        "2,格点街,7-2,,,,110.0011,40.005\n"
        "3,格点街,9号,标高家园,3,,110.002,40.005\n"
        "4,,,,,示范旗东村标高路十二号,110.003,40.005\n"
        "5,格点街,无号,,,,110.004,40.005\n"
        "6,,,,,,110.004,40.005\n"
        "7,,,,,没有名字,110.004,40.005\n",
    )
    report = run_import("addresses", path, database=place, commit=True)
    assert {each.row for each in report.problems} == {5, 6, 7}
    assert [each.reason for each in report.problems] == [
        "'无号' is no house number",
        "nothing is said of the address",
        "'没有名字' names no street, estate or village",
    ]
    assert rows(
        place,
        "SELECT label, street_key, number, number_tail, estate_key, building, area_code "
        "FROM addresses ORDER BY external_id",
    ) == [
        ("格点街7号", "格点街", 7, "", None, None, VILLAGES[0]),
        ("格点街7-2号", "格点街", 7, "2", None, None, VILLAGES[0]),
        ("格点街9号标高家园3栋", "格点街", 9, "", "标高家园", "3", VILLAGES[0]),
        ("示范旗东村标高路十二号", "标高路", 12, "", None, None, VILLAGES[0]),
    ]
    assert found(place, "标高家园3号楼") == ("building", "格点街9号标高家园3栋", True)
    assert found(place, "标高路12号")[0] == "street_number"
    again = run_import("addresses", path, database=place, commit=True)
    assert (again.new, again.changed) == (0, 0)


def test_stretches_of_numbers(drawn: Writer, place: Database) -> None:
    line = shapely.LineString([(110.001, 40.005), (110.005, 40.005)])
    broken = shapely.MultiLineString([[(110, 40), (110.001, 40)], [(110.002, 40), (110.003, 40)]])
    path = drawn(
        "stretches.parquet",
        [line, line, line, shapely.Point(110.001, 40.001), broken],
        {
            "id": ["a", "b", "c", "d", "e"], "street": ["格点街"] * 5,
            "number": ["1", "30", "1", "1", "1"], "number_to": [9, 2, None, 9, 9],
            "parity": [None, "全", None, None, None],
        },
    )  # fmt: skip
    report = run_import("addresses", path, database=place, commit=True)
    assert sorted((each.row, each.reason) for each in report.problems) == [
        (3, "a line was given, and no number at its end"),
        (4, "a range of numbers needs a line, and a point was given"),
        (5, "the stretch is in several pieces"),
    ]
    assert rows(place, "SELECT label, number, number_to, parity FROM addresses ORDER BY 2") == [
        ("格点街 1-9", 1, 9, "odd"), ("格点街 30-2", 30, 2, "both"),
    ]  # fmt: skip
    with place.transaction() as session:
        where = {each.label: each.lon for each in search(session, "格点街5号")}
    assert where["格点街 1-9 (5)"] == pytest.approx(110.003, abs=1e-6)
    assert where["格点街 30-2 (5)"] == pytest.approx(110.001 + 0.004 * 25 / 28, abs=1e-6)


def test_addresses_of_buildings_and_streets_are_used(csv: Writer, place: Database) -> None:
    path = csv(
        "houses.csv",
        "编号,地址,户数,经度,纬度\n1,东村格点街7号,3,110.001,40.005\n2,,3,110.002,40.005\n",
    )
    run_import("buildings", path, database=place, commit=True)
    assert found(place, "格点街7号") == ("street_number", "东村格点街7号", True)
    roads = csv(
        "roads.csv", '编号,类型,名称,几何\n1,街道,长青路,"LINESTRING (110 40, 110.01 40.01)"\n'
    )
    run_import("barriers", roads, database=place, commit=True, crs="wgs84")
    assert found(place, "长青路") == ("street", "长青路", False)
    changed = csv(
        "houses.csv",
        "编号,地址,户数,经度,纬度\n1,东村格点街8号,3,110.001,40.005\n2,,3,110.002,40.005\n",
    )
    run_import("buildings", changed, database=place, commit=True)
    assert found(place, "格点街8号") == ("street_number", "东村格点街8号", True)
    assert found(place, "格点街7号")[0] != "street_number"


def test_a_file_without_a_database_is_checked_alone(csv: Writer) -> None:
    path = csv("a.csv", "id,address,lon,lat\n1,格点街7号,110,40\n2,没有名字,110,40\n")
    report = run_import("addresses", path)
    assert (report.kept, report.rejected) == (1, 1)


@pytest.mark.real
@pytest.mark.skipif(not REAL_DATA.is_dir(), reason="no real data here")
def test_openstreetmap(place: Database) -> None:
    path = REAL_DATA / "osm_monaco" / "monaco.osm.pbf"
    report = run_import("addresses", path, database=place, commit=True, county=COUNTY)
    assert (report.rejected, report.new) == (0, report.kept)
    assert report.kept > 300
    # A house of several numbers is found by each.
    twice = "SELECT count(*) FROM addresses WHERE external_id LIKE '%#2'"
    assert rows(place, twice) != [(0,)]
    named = run_import("places", path, database=place, commit=True, county=COUNTY)
    assert named.rejected == 0
    ((name,),) = rows(
        place, "SELECT name FROM places WHERE kind = 'hospital' ORDER BY length(name) DESC LIMIT 1"
    )
    assert found(place, str(name).upper()) == ("place", name, True)
