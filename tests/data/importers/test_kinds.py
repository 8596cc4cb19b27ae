"""What is peculiar to each kind: words, references to other records, repeated imports."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import geopandas as gpd
import pandas as pd
import pytest
import shapely

from data.importers import cameras, osm
from data.importers.run import KINDS, run_import
from gis.database import Database
from gis.errors import BadInput
from grids import service
from tests.data.importers.conftest import COUNTY, SQUARES, VILLAGES, Writer, rows_of

# ---------------------------------------------------------------- units


def test_polygons_after_codes_keep_the_names(
    csv: Writer, drawn: Writer, database: Database
) -> None:
    table = csv(
        "codes.csv", f"code,village,areaCode,county\n{VILLAGES[0]},东沟嘎查,990001,示范旗\n"
    )
    run_import("units", table, database=database, commit=True)
    shapes = drawn("shapes.parquet", SQUARES[:1], {"code": VILLAGES[:1], "name": ["东沟"]})
    report = run_import("units", shapes, database=database, commit=True)
    assert (report.new, report.changed) == (0, 1)
    assert any("'东沟嘎查' kept, '东沟' in this file" in g for g in report.counts_by_group("noted"))
    assert rows_of(database, "SELECT code, name, geom IS NULL FROM admin_units ORDER BY code") == [
        ("990001", "示范旗", True),
        (VILLAGES[0], "东沟嘎查", False),
    ]
    again = run_import("units", table, database=database, commit=True)
    assert (again.new, again.changed, again.unchanged) == (0, 0, 2)


def test_a_new_unit_needs_a_name(drawn: Writer, database: Database) -> None:
    path = drawn("u.parquet", SQUARES, {"code": VILLAGES, "name": ["东村", None]})
    report = run_import("units", path, database=database, commit=True)
    assert [p.reason for p in report.problems] == [f"unit {VILLAGES[1]} is new and has no name"]
    assert report.new == 1


# ---------------------------------------------------------------- barriers and borders


def test_barriers_in_parts_outlines_and_bridges(drawn: Writer, place: Database) -> None:
    lake = shapely.box(110.002, 40.002, 110.004, 40.008)
    road = shapely.MultiLineString([[(110, 40), (110.001, 40)], [(110.002, 40), (110.003, 40)]])
    lines = drawn(
        "b.gpkg", [lake, road, shapely.Point(1, 1)],
        {"id": ["l", "r", "p"], "kind": ["水系", "主干路", "street"]}, layer="lines",
    )  # fmt: skip
    deck = shapely.box(110.001, 40.004, 110.005, 40.0041)
    away = shapely.box(111, 41, 111.001, 41.001)
    drawn("b.gpkg", [deck, away], {"id": ["d", "x"], "name": ["长桥", "旱桥"]}, layer="bridges")
    report = run_import("barriers", lines, database=place, commit=True)
    assert [p.reason for p in report.problems] == [
        "a street cannot be drawn as a point",
        "the bridge crosses no river or rail line that is known",
    ]
    found = rows_of(
        place,
        "SELECT external_id, kind, round(ST_X(ST_Centroid(geom))::numeric, 3)::float "
        "FROM barriers ORDER BY 1",
    )
    assert found == [
        ("d/1", "bridge", 110.002),  # both banks of the water are crossed
        ("d/2", "bridge", 110.004),
        ("l", "river", 110.003),
        ("r/1", "arterial", 110.001),
        ("r/2", "arterial", 110.003),
    ] or [row[:2] for row in found] == [
        ("d/1", "bridge"), ("d/2", "bridge"), ("l", "river"), ("r/1", "arterial"),
        ("r/2", "arterial"),
    ]  # fmt: skip
    again = run_import("barriers", lines, database=place, commit=True)
    assert (again.new, again.changed, again.unchanged) == (0, 0, 5)


def test_streets_that_share_an_id_are_told_apart(drawn: Writer, place: Database) -> None:
    segments = [shapely.LineString([(110, 40), (110.001, 40)]),
                shapely.LineString([(110.001, 40), (110.002, 40)])]  # fmt: skip
    path = drawn("s.parquet", segments, {"id": ["S1", "S1"], "name": ["东街"] * 2})
    report = run_import("barriers", path, mapping={"kind": "=street"}, database=place, commit=True)
    assert (report.new, report.rejected) == (2, 0)


def test_barriers_without_a_kind(drawn: Writer) -> None:
    path = drawn("s.parquet", [shapely.LineString([(110, 40), (110.1, 40)])], {"id": ["a"]})
    (problem,) = run_import("barriers", path).problems
    assert problem.reason == "there is no kind of barrier"
    assert "--map kind==river" in problem.remedy


def test_a_border_needs_a_side_and_one_line(drawn: Writer, place: Database) -> None:
    stretch = shapely.LineString([(110, 40.01), (110.01, 40.01)])
    apart = shapely.MultiLineString([[(111, 40), (112, 40)], [(113, 40), (114, 40)]])
    path = drawn("b.parquet", [stretch, stretch, apart],
                {"id": list("abc"), "side": ["右侧", None, "left"]})  # fmt: skip
    report = run_import("borders", path, database=place, commit=True)
    assert {p.row: p.reason for p in report.problems} == {
        2: "it is not said on which side of the line we are",
        3: "the line has 2 parts that do not meet",
    }
    assert rows_of(place, "SELECT external_id, our_side FROM border_lines") == [("a", "right")]


# ---------------------------------------------------------------- cameras


@pytest.mark.parametrize(
    ("text", "heading", "width"),
    [("N", 0, None), ("nne", 22.5, None), ("东南", 135, None), ("240", 240, None), ("360", 0, None),
     ("-90", 270, None), ("45-90", 67.5, 45), ("350-10", 0, 20), ("90°", 90, None)],
)  # fmt: skip
def test_directions(text: str, heading: float, width: float | None) -> None:
    found = cameras.direction(text)
    assert found is not None
    assert found[0] == heading
    assert (found[1] == width) if width else found[1] != found[1]


def test_what_is_no_direction() -> None:
    assert cameras.direction("upwards") is None
    assert cameras.direction("720") is None
    assert cameras.direction("10-10") is None


def test_cameras_by_the_national_catalogue(csv: Writer, place: Database) -> None:
    path = csv(
        "c.csv",
        "DeviceID,Name,Longitude,Latitude,DirectionType,类型,状态,Password,IPAddress,证书序列号\n"
        "15012100001320000001,北门,110.001,40.001,1,枪机,在线,secret,10.0.0.1,abc\n"
        "c2,广场,110.002,40.002,8,球机,故障,secret,10.0.0.2,abc\n",
    )
    report = run_import("cameras", path, database=place, commit=True)
    warned = report.counts_by_group("warned")
    assert any("'Password' is not kept: passwords, certificates" in g for g in warned)
    assert any("'证书序列号' is not kept" in g for g in warned)
    assert any("GB/T 28181 types (1: looks east)" in g for g in report.counts_by_group("noted"))
    assert "secret" not in report.to_json()
    assert rows_of(
        place,
        "SELECT external_id, national_id, kind, heading_deg, hfov_deg, range_m, optics, status "
        "FROM cameras ORDER BY name",
    ) == [
        ("15012100001320000001", "15012100001320000001", "fixed", 90, 60, 50, "assumed", "online"),
        ("c2", None, "ptz", 315, 360, 150, "assumed", "offline"),
    ]


def test_osm_tags_are_unpacked() -> None:
    assert osm.tags('"a"=>"1","b:c"=>"x \\"y\\", z","d"=>""') == {
        "a": "1", "b:c": 'x "y", z', "d": "",
    }  # fmt: skip
    assert osm.tags(None) == {}


# ---------------------------------------------------------------- grids and workers


def test_grids_become_a_draft_numbered_west_to_east(grids: Database) -> None:
    assert rows_of(
        grids, "SELECT code, households, target, unit_code FROM grid_shapes ORDER BY code"
    ) == [
        (f"{VILLAGES[0]}001", 300, 300, VILLAGES[0]),
        (f"{VILLAGES[0]}002", 310, 300, VILLAGES[0]),
        (f"{VILLAGES[1]}001", 290, 300, VILLAGES[1]),
    ]


def test_gaps_overlaps_and_parts_of_grids_are_reported(drawn: Writer, place: Database) -> None:
    apart = shapely.MultiPolygon([shapely.box(110.011, 40, 110.012, 40.01),
                                  shapely.box(110.013, 40, 110.014, 40.01)])  # fmt: skip
    path = drawn(
        "g.parquet",
        [shapely.box(110, 40, 110.006, 40.01), shapely.box(110.005, 40, 110.009, 40.01), apart],
        {"code": ["1", "2", "3"]},
    )
    report = run_import("grids", path, database=place)
    assert [p.reason for p in report.problems] == ["the grid has 2 parts that do not touch"]
    warned = " ".join(report.counts_by_group("warned"))
    assert "overlap" in warned
    assert "gap" in warned
    assert rows_of(place, "SELECT count(*) FROM editions") == [(0,)]


def test_grids_of_another_kind_keep_to_its_rules(grids: Database, drawn: Writer) -> None:
    """A school over two base grids, without a code: numbered past those in force."""
    path = drawn(
        "school.parquet", [shapely.box(110.001, 40.001, 110.007, 40.004)], {"name": ["校"]}
    )
    report = run_import("grids", path, database=grids, commit=True, grid_kind="exclusive")
    assert report.counts_by_group("warned") == {}
    again = run_import("grids", path, database=grids, commit=True, grid_kind="exclusive")
    assert again.kept == report.kept == 1
    assert rows_of(
        grids,
        "SELECT s.code, e.kind, g.kind FROM grid_shapes AS s JOIN editions AS e "
        "ON e.id = s.edition_id JOIN grids AS g ON g.id = s.grid_id WHERE e.kind <> 'base'",
    ) == [(f"{VILLAGES[0]}003", "exclusive", "exclusive")]
    wide = run_import("grids", path, database=grids, grid_kind="micro")
    assert "crosses the border of base grid" in " ".join(wide.counts_by_group("warned"))
    for kind, grid_kind, says in (
        ("grids", "round", "no grids of kind"), ("units", "micro", "units are no grids"),
    ):  # fmt: skip
        with pytest.raises(BadInput, match=says):
            run_import(kind, path, database=grids, grid_kind=grid_kind)


def test_units_sent_as_grids_are_rejected(place: Database, drawn: Writer) -> None:
    # Their codes are those of units, with no number of a grid.
    path = drawn("u.parquet", SQUARES, {"code": VILLAGES, "name": ["东村", "西村"]})
    report = run_import("grids", path, database=place, commit=True)
    assert [p.reason for p in report.problems] == [
        f"the code {code} is that of a unit: a grid's has a number after it" for code in VILLAGES
    ]
    assert not report.committed


def test_workers_leave_and_deputies(xlsx: Writer, grids: Database) -> None:
    code = f"{VILLAGES[0]}001"
    path = xlsx(
        "w.xlsx",
        {
            "工号": ["1", "2", "3", "4", "5"],
            "姓名": ["甲山", "乙河", "丙云", "丁星", "戊林"],
            "角色": ["网格员", "副网格员", "网格员", "网格员", "楼栋长"],
            "网格编码": [code, code, code, "150121001001999", code],
            "主责": ["是", "否", "是", "是", "否"],
            "开始日期": ["2024-01-01"] * 5,
            "请假开始": ["2024-05-01", None, None, None, None],
            "请假结束": ["2024-05-03", None, None, None, None],
            "代理人": ["乙河", None, None, None, None],
            "手机号": ["13800000000"] * 5,
            "身份证号": ["150121199001010000"] * 5,
        },
    )
    report = run_import("workers", path, database=grids, commit=True)
    assert {p.row: p.reason for p in report.problems} == {
        3: f"the grid {code} has a primary worker at that time",
        4: "there is no grid '150121001001999'",
        5: "a building_head answers for a building, but the row names a grid",
    }
    # Phones are kept encrypted; the id number has a check digit that does not fit.
    assert any("id number is none, and is not kept" in g for g in report.counts_by_group("warned"))
    assert not {"13800000000", "150121199001010000"} & set(report.to_json().split('"'))
    kept = rows_of(grids, "SELECT phone_last4, id_number, p::text FROM persons AS p")
    assert {row[:2] for row in kept} == {("0000", None)}
    assert "13800000000" not in str(kept)
    again = run_import("workers", path, database=grids, commit=True)
    assert "0 phones and id numbers are new" in again.to_json()
    assert rows_of(
        grids,
        "SELECT p.name, a.role, a.is_primary FROM assignments a JOIN persons p "
        "ON p.id = a.person_id ORDER BY p.external_id",
    ) == [("甲山", "grid_worker", True), ("乙河", "deputy", False)]
    # The last day of a leave is a day of leave, in local time.
    assert rows_of(
        grids,
        "SELECT d.name, lower(l.during), upper(l.during) FROM leaves l "
        "JOIN persons d ON d.id = l.deputy_id",
    ) == [("乙河", datetime(2024, 4, 30, 16, tzinfo=UTC), datetime(2024, 5, 3, 16, tzinfo=UTC))]
    again = run_import("workers", path, database=grids, commit=True)
    assert (again.new, again.changed, again.unchanged) == (0, 0, 3)


def test_workers_while_the_next_edition_waits(csv: Writer, drawn: Writer, grids: Database) -> None:
    """They go to the grids in force; those that only come with the next edition are known too."""
    numbers = rows_of(grids, "SELECT code, grid_id FROM grid_shapes")
    now = datetime.now(UTC)
    with grids.transaction() as session:
        following = service.save_draft(
            session,
            COUNTY,
            gpd.GeoDataFrame(
                {"code": [f"{VILLAGES[0]}009", f"{VILLAGES[1]}001"], "unit": VILLAGES,
                 "households": 300, "buildings": 20, "target": 300},
                geometry=list(SQUARES), crs=4326,
            ),
            title="next", author="a",
        )  # fmt: skip
        service.publish(session, following.id, approver="b", effective=now + timedelta(days=30))
    path = csv(
        "w.csv",
        "工号,姓名,角色,网格编码,主责\n"
        f"1,甲山,网格员,{VILLAGES[0]}002,是\n"
        f"2,乙河,副网格员,{VILLAGES[0]}009,否\n"
        f"3,丙云,网格员,{VILLAGES[1]}001,是\n",
    )
    report = run_import("workers", path, database=grids, commit=True)
    assert report.problems == []
    assigned = dict(
        rows_of(
            grids,
            "SELECT p.external_id, a.grid_id FROM assignments a JOIN persons p "
            "ON p.id = a.person_id",
        )
    )
    # The next edition joins the two grids of the first village under a new code.
    assert assigned["1"] == assigned["2"] == dict(numbers)[f"{VILLAGES[0]}002"]
    assert assigned["3"] == dict(numbers)[f"{VILLAGES[1]}001"]
    # The number stays taken, though it is of the edition that ends.
    yard = drawn("yard.parquet", [shapely.box(110.001, 40.001, 110.002, 40.002)], {"name": ["院"]})
    run_import("grids", yard, database=grids, commit=True, grid_kind="exclusive")
    assert rows_of(
        grids,
        "SELECT code FROM grid_shapes JOIN editions AS e ON e.id = edition_id "
        "WHERE e.kind = 'exclusive'",
    ) == [(f"{VILLAGES[0]}003",)]


# ---------------------------------------------------------------- all kinds


def test_which_county(csv: Writer, database: Database) -> None:
    path = csv("i.csv", "id,category,lon,lat,time\n1,邻里,110,40,2024-03-05\n")
    with pytest.raises(BadInput, match="it has none yet: import units first"):
        run_import("incidents", path, database=database)
    with pytest.raises(BadInput, match="the county '15' is not 6 digits"):
        run_import("incidents", path, county="15", database=database)
    two = csv("u.csv", "code,name\n150121,左旗\n150122,托县\n")
    run_import("units", two, database=database, commit=True)
    with pytest.raises(BadInput, match="it has 150121, 150122"):
        run_import("incidents", path, database=database)


def test_a_failure_halfway_leaves_nothing(
    drawn: Writer, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = drawn("u.parquet", SQUARES, {"code": VILLAGES, "name": ["a", "b"]})

    def fail(*_: object, **__: object) -> None:
        raise RuntimeError("the power went out")

    monkeypatch.setattr("data.importers.run.audit.record", fail)
    with pytest.raises(RuntimeError, match="power"):
        run_import("units", path, database=database, commit=True)
    assert rows_of(database, "SELECT (SELECT count(*) FROM admin_units), "
                           "(SELECT count(*) FROM imports)") == [(0, 0)]  # fmt: skip


def test_every_kind_of_the_command_line_is_there() -> None:
    wanted = "units buildings barriers borders cameras routes workers incidents tracks grids"
    assert set(wanted.split()) <= set(KINDS)


def test_rows_without_an_id_get_a_stable_one(
    drawn: Writer, place: Database, tmp_path: Path
) -> None:
    points = shapely.points([[110.001, 40.001], [110.002, 40.002]])
    first = drawn("a.parquet", points, {"户数": [1, 2]})
    report = run_import("buildings", first, source="town", database=place, commit=True)
    assert any("2 rows have no id" in g for g in report.counts_by_group("noted"))
    frame = gpd.read_parquet(first).iloc[::-1]
    frame.to_file(tmp_path / "b.geojson")
    again = run_import("buildings", tmp_path / "b.geojson", source="town", database=place)
    assert (again.new, again.changed, again.unchanged) == (0, 0, 2)


def test_excel_keeps_codes_and_dates(xlsx: Writer, place: Database) -> None:
    path = xlsx(
        "b.xlsx",
        {
            "编号": ["01", "02"],
            "经度": [110.001, 110.015],
            "纬度": [40.001, 40.001],
            "所属社区代码": [float(VILLAGES[0]), VILLAGES[1]],
            "户数": [3, 4],
            "统计日期": [pd.Timestamp("2024-03-05"), pd.Timestamp("2024-03-06")],
        },
    )
    assert run_import("buildings", path, database=place, commit=True).new == 2
    assert rows_of(
        place,
        "SELECT external_id, unit_code, counted_on::text, county_code FROM buildings ORDER BY 1",
    ) == [("01", VILLAGES[0], "2024-03-05", COUNTY), ("02", VILLAGES[1], "2024-03-06", COUNTY)]
