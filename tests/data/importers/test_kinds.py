"""What is peculiar to each kind: words, references to other records, repeated imports."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import geopandas as gpd
import pandas as pd
import pytest
import shapely
import sqlalchemy as sa

from data import retention
from data.importers import cameras, osm
from data.importers.run import KINDS, run_import
from gis.crs import from_wgs84
from gis.database import Database, execute
from gis.errors import BadInput
from grids import service
from grids.addresses import gazetteer
from grids.incidents import steps
from grids.people import service as people
from tests.data.importers.conftest import COUNTY, SQUARES, VILLAGES, Writer


def _rows(database: Database, sql: str) -> list[tuple[object, ...]]:
    with database.transaction() as session:
        return [tuple(row) for row in execute(session, sql)]


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
    assert _rows(database, "SELECT code, name, geom IS NULL FROM admin_units ORDER BY code") == [
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
    found = _rows(
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
    assert _rows(place, "SELECT external_id, our_side FROM border_lines") == [("a", "right")]


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
    assert _rows(
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


# ---------------------------------------------------------------- routes and tracks


@pytest.fixture
def routes(xlsx: Writer, place: Database) -> Database:
    """A route and its checkpoints, in two sheets of one book."""
    path = xlsx(
        "routes.xlsx",
        {"id": ["R1"], "name": ["北线"], "方式": ["骑马"], "周期": [3],
         "wkt": ["LINESTRING (110 40.01, 110.02 40.01)"]},
        checkpoints={"route": ["R1", "北线", "南线"], "seq": [1, 2, 1],
                     "经度": [110, 110.02, 110.01], "纬度": [40.01, 40.01, 40]},
    )  # fmt: skip
    report = run_import("routes", path, crs="wgs84", database=place, commit=True)
    assert (report.new, report.rejected) == (3, 1)
    # The rows of the second layer follow those of the first.
    assert [(p.row, p.reason) for p in report.problems] == [(4, "there is no route '南线'")]
    assert run_import("routes", path, crs="wgs84", database=place).unchanged == 3
    return place


def test_routes_come_with_their_checkpoints(routes: Database) -> None:
    assert _rows(routes, "SELECT name, means, interval_days FROM patrol_routes") == [
        ("北线", "horse", 3)
    ]
    assert _rows(routes, "SELECT seq, name FROM checkpoints ORDER BY seq") == [
        (1, "R1-1"), (2, "北线-2"),
    ]  # fmt: skip


def test_tracks_in_disorder(csv: Writer, routes: Database) -> None:
    path = csv(
        "t.csv",
        "patrol,route,time,lon,lat,accuracy_m\n"
        "P1,R1,2024-01-31T23:59:00+00:00,110.000,40.01,5\n"
        "P1,R1,2024-02-01T00:01:00+00:00,110.002,40.01,5\n"
        "P1,R1,2024-02-01T00:00:00+00:00,110.001,40.01,5\n"  # back in time
        "P1,R1,2024-02-01T00:00:00+00:00,110.001,40.01,5\n"  # a repeat
        "P1,R1,2024-02-01T00:01:00+00:00,110.900,40.01,5\n"  # elsewhere at once
        "P1,R1,2024-02-01T00:02:00+00:00,111.500,40.01,5\n"  # a jump of 128 km
        "P2,Rx,2024-02-01T00:02:00+00:00,110.001,40.01,\n"
        ",R1,2024-02-01T00:02:00+00:00,110.001,40.01,\n"
        "P3,,,110.001,40.01,\n",
    )
    report = run_import("tracks", path, database=routes, commit=True)
    assert {p.row: p.reason for p in report.problems} == {
        5: "the patrol is somewhere else at the same moment in an earlier row",
        7: "there is no route 'Rx'",
        8: "the fix names no patrol",
        9: "the fix has no time",
    }
    repaired = [(f.problem.row, f.group) for f in report.findings if f.level == "repaired"]
    assert (3, "the time goes backwards; the fixes were put in order of time") in repaired
    assert (4, "the fix repeats another one and was left out") in repaired
    (jump,) = (f.problem for f in report.findings if f.group == "the position jumps")
    assert jump.row == 6
    assert "in 60 s from the fix before" in jump.reason
    assert _rows(routes, "SELECT external_id, state, started_at, ended_at FROM patrols") == [
        ("P1", "done", datetime(2024, 1, 31, 23, 59, tzinfo=UTC),
         datetime(2024, 2, 1, 0, 2, tzinfo=UTC)),
    ]  # fmt: skip
    counts = "SELECT (SELECT count(*) FROM track_fixes_202401), (SELECT count(*) FROM {})"
    assert _rows(routes, counts.format("track_fixes_202402")) == [(1, 3)]
    assert _rows(routes, counts.format("track_fixes_other")) == [(1, 0)]
    again = run_import("tracks", path, database=routes)
    assert (again.new, again.changed, again.unchanged) == (0, 0, 4)


def test_tracks_belong_to_who_walked_them(csv: Writer, routes: Database) -> None:
    with routes.transaction() as session:
        for number, name in (("w1", "王一"), ("w2", "李二"), ("w3", "李二")):
            people.add(session, name, county_code=COUNTY, actor="t", external_id=number)
    path = csv(
        "t.csv",
        "patrol,工号,time,lon,lat\n"
        "P1,W1,2024-01-31T08:00:00+00:00,110.000,40.01\n"
        "P1,,2024-01-31T08:01:00+00:00,110.000,40.01\n"
        "P1,w2,2024-01-31T08:02:00+00:00,110.000,40.01\n"  # another one's
        "P2,王一,2024-01-31T09:00:00+00:00,110.000,40.01\n"
        "P3,,2024-01-31T10:00:00+00:00,110.000,40.01\n"
        "P4,李二,2024-01-31T11:00:00+00:00,110.000,40.01\n"  # one of two
        "P5,w9,2024-01-31T12:00:00+00:00,110.000,40.01\n",
    )
    report = run_import("tracks", path, database=routes, commit=True)
    assert {p.row: p.reason for p in report.problems} == {
        3: "the patrol is another worker's in an earlier row",
        6: "there are 2 workers '李二'",
        7: "there is no worker 'w9'",
    }
    assert _rows(
        routes,
        "SELECT p.external_id, w.external_id, (SELECT count(*) FROM track_fixes AS f "
        "WHERE f.patrol_id = p.id) FROM patrols AS p LEFT JOIN persons AS w ON w.id = p.person_id "
        "ORDER BY 1",
    ) == [("P1", "w1", 2), ("P2", "w1", 1), ("P3", None, 1)]


def test_nobody_is_followed_off_duty_nor_again_once_reduced(csv: Writer, routes: Database) -> None:
    def rows(patrol: str, *minutes: int) -> str:
        return "".join(f"{patrol},2024-01-31T08:{m:02d}:00+00:00,110.0,40.01\n" for m in minutes)

    head = "patrol,time,lon,lat\n"
    path = csv("t.csv", head + rows("P1", 0, 5) + rows("P2", 0, 5))
    run_import("tracks", path, database=routes, commit=True)
    retention.run(routes, actor="t", commit=True)
    with routes.transaction() as session:
        execute(session, "UPDATE patrols SET state = 'cancelled' WHERE external_id = 'P2'")
    more = csv("t.csv", head + rows("P1", 0, 5, 10) + rows("P2", 10))
    report = run_import("tracks", more, database=routes, commit=True)
    assert {p.row: p.reason for p in report.problems} == {
        4: "the patrol was cancelled, so that nobody was on duty"
    }
    assert report.new == 1
    reduced = "the fix was reduced to a coarse place long ago and was left out"
    assert [f.problem.row for f in report.findings if f.group == reduced] == [1, 2]
    assert _rows(
        routes,
        "SELECT external_id, state, ended_at - started_at, fixes FROM patrols "
        "JOIN track_summaries ON patrol_id = id ORDER BY 1",
    ) == [("P1", "done", timedelta(minutes=10), 2), ("P2", "cancelled", timedelta(minutes=5), 2)]
    assert _rows(routes, "SELECT count(*) FROM track_fixes") == [(1,)]


# ---------------------------------------------------------------- grids and workers


def test_grids_become_a_draft_numbered_west_to_east(grids: Database) -> None:
    assert _rows(
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
    assert _rows(place, "SELECT count(*) FROM editions") == [(0,)]


def test_grids_of_another_kind_keep_to_its_rules(grids: Database, drawn: Writer) -> None:
    """A school over two base grids, without a code: numbered past those in force."""
    path = drawn(
        "school.parquet", [shapely.box(110.001, 40.001, 110.007, 40.004)], {"name": ["校"]}
    )
    report = run_import("grids", path, database=grids, commit=True, grid_kind="exclusive")
    assert report.counts_by_group("warned") == {}
    again = run_import("grids", path, database=grids, commit=True, grid_kind="exclusive")
    assert again.kept == report.kept == 1
    assert _rows(
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
    kept = _rows(grids, "SELECT phone_last4, id_number, p::text FROM persons AS p")
    assert {row[:2] for row in kept} == {("0000", None)}
    assert "13800000000" not in str(kept)
    again = run_import("workers", path, database=grids, commit=True)
    assert "0 phones and id numbers are new" in again.to_json()
    assert _rows(
        grids,
        "SELECT p.name, a.role, a.is_primary FROM assignments a JOIN persons p "
        "ON p.id = a.person_id ORDER BY p.external_id",
    ) == [("甲山", "grid_worker", True), ("乙河", "deputy", False)]
    # The last day of a leave is a day of leave, in local time.
    assert _rows(
        grids,
        "SELECT d.name, lower(l.during), upper(l.during) FROM leaves l "
        "JOIN persons d ON d.id = l.deputy_id",
    ) == [("乙河", datetime(2024, 4, 30, 16, tzinfo=UTC), datetime(2024, 5, 3, 16, tzinfo=UTC))]
    again = run_import("workers", path, database=grids, commit=True)
    assert (again.new, again.changed, again.unchanged) == (0, 0, 3)


def test_workers_while_the_next_edition_waits(csv: Writer, drawn: Writer, grids: Database) -> None:
    """They go to the grids in force; those that only come with the next edition are known too."""
    numbers = _rows(grids, "SELECT code, grid_id FROM grid_shapes")
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
        _rows(
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
    assert _rows(
        grids,
        "SELECT code FROM grid_shapes JOIN editions AS e ON e.id = edition_id "
        "WHERE e.kind = 'exclusive'",
    ) == [(f"{VILLAGES[0]}003",)]


# ---------------------------------------------------------------- incidents


def test_incidents_in_many_systems_and_none(csv: Writer, grids: Database) -> None:
    true = (110.002, 40.005)
    shifted = [from_wgs84(*true, crs) for crs in ("gcj02", "bd09")]
    path = csv(
        "i.csv",
        "编号,类型,经度,纬度,坐标系,发生时间,来源\n"
        f"1,邻里纠纷,{true[0]},{true[1]},wgs84,2024-03-05,12345\n"
        f"2,neighbour,{shifted[0][0]!r},{shifted[0][1]!r},GCJ-02,2024-03-05,12345\n".replace(
            "np.float64(", "").replace(")", "")
        + f"3,邻里,{shifted[1][0]!r},{shifted[1][1]!r},bd09,2024-03-05,12345\n".replace(
            "np.float64(", "").replace(")", "")
        + "4,邻里,,,,2024-03-05,12345\n"
        "5,邻里,0,0,wgs84,2024-03-05,12345\n"
        "6,邻里,100,20,wgs84,2024-03-05,12345\n"
        "7,邻居,110,40,wgs84,2024-03-05,12345\n"
        "8,邻里,110,40,mars,2024-03-05,12345\n"
        "9,邻里,110,40,wgs84,,12345\n",
    )  # fmt: skip
    report = run_import("incidents", path, database=grids, commit=True)
    reasons = {p.row: p for p in report.problems}
    assert reasons[7].reason == "there is no category '邻居'"
    assert "邻里" in reasons[7].remedy
    assert "no coordinate system is called 'mars'" in reasons[8].reason
    assert reasons[9].reason == "there is neither a time of report nor of the event"
    assert (report.new, report.rejected) == (6, 3)
    assert report.review["no_place"] == 2
    assert report.review["outside"] == 1
    rows = _rows(
        grids,
        "SELECT i.external_id, i.source_crs, s.code, round(ST_X(i.geom)::numeric, 8)::float "
        "FROM incidents i LEFT JOIN grid_shapes s ON s.grid_id = i.grid_id "
        "WHERE i.external_id < '5' ORDER BY 1",
    )
    grid = f"{VILLAGES[0]}001"
    assert rows == [
        ("1", "wgs84", grid, true[0]), ("2", "gcj02", grid, true[0]),
        ("3", "bd09", grid, true[0]), ("4", None, None, None),
    ]  # fmt: skip
    again = run_import("incidents", path, database=grids, commit=True)
    assert (again.new, again.unchanged) == (0, 6)


def test_a_category_for_all_rows_or_for_the_empty_ones(csv: Writer, place: Database) -> None:
    path = csv("i.csv", "id,kind,lon,lat,time\n1,,110,40,2024-03-05\n")
    (problem,) = run_import("incidents", path, database=place).problems
    assert problem.reason == "there is no category"
    assert run_import("incidents", path, mapping={"category": "=hazard"}, database=place).new == 1
    assert run_import("incidents", path, defaults={"category": "other"}, database=place).new == 1


def test_an_incident_stored_before_with_other_words_stays(csv: Writer, place: Database) -> None:
    text = "id,category,text,lon,lat,time\n1,邻里,{},110,40,2024-03-05\n"
    run_import("incidents", csv("i.csv", text.format("吵")), database=place, commit=True)
    report = run_import("incidents", csv("i.csv", text.format("打")), database=place, commit=True)
    assert (report.new, report.unchanged) == (0, 1)
    assert any(
        "stays: an incident is never rewritten" in g for g in report.counts_by_group("warned")
    )
    assert _rows(place, "SELECT text FROM incidents") == [("吵",)]


def test_an_incident_closed_since_is_closed_by_the_next_file(csv: Writer, place: Database) -> None:
    rows = (
        "id,category,lon,lat,time,办结时间\n"
        "1,邻里,110,40,2024-03-05,{}\n2,邻里,110,40,2024-03-05,\n"
    )
    run_import("incidents", csv("i.csv", rows.format("")), database=place, commit=True)
    for changed in (1, 0):
        later = csv("i.csv", rows.format("2024-03-07 18:00"))
        report = run_import("incidents", later, database=place, commit=True)
        assert (report.new, report.changed, report.unchanged) == (0, changed, 2 - changed)
    assert _rows(place, "SELECT state FROM incidents ORDER BY external_id") == [
        ("closed",),
        ("reported",),
    ]
    rows = rows.replace("1,邻里", "3,邻里")
    run_import("incidents", csv("i.csv", rows.format("")), database=place, commit=True)
    with place.transaction() as session:
        (number,) = session.scalars(sa.text("SELECT id FROM incidents WHERE external_id = '3'"))
        steps.step(session, number, "handling", actor="t")
    report = run_import("incidents", csv("i.csv", rows.format("2024-03-07 18:00")), database=place)
    (warned,) = report.counts_by_group("warned")
    assert "its steps here do not lead there" in warned


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


# ---------------------------------------------------------------- all kinds


def test_a_failure_halfway_leaves_nothing(
    drawn: Writer, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = drawn("u.parquet", SQUARES, {"code": VILLAGES, "name": ["a", "b"]})

    def fail(*_: object, **__: object) -> None:
        raise RuntimeError("the power went out")

    monkeypatch.setattr("data.importers.run.audit.record", fail)
    with pytest.raises(RuntimeError, match="power"):
        run_import("units", path, database=database, commit=True)
    assert _rows(database, "SELECT (SELECT count(*) FROM admin_units), "
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
    assert _rows(
        place,
        "SELECT external_id, unit_code, counted_on::text, county_code FROM buildings ORDER BY 1",
    ) == [("01", VILLAGES[0], "2024-03-05", COUNTY), ("02", VILLAGES[1], "2024-03-06", COUNTY)]


def test_incidents_by_their_addresses(csv: Writer, grids: Database) -> None:
    with grids.transaction() as session:
        execute(
            session,
            "INSERT INTO buildings (county_code, unit_code, address, geom, source, external_id) "
            "VALUES ('990001', '990001001001', '东大街3号', "
            "ST_SetSRID(ST_MakePoint(110.004, 40.005), 4326), 't', 'by address')",
        )
        gazetteer.refresh(session, "990001")
    text = (
        "id,category,address,reported_at\n"
        "1,other,东大街3号,2026-03-07 18:00\n2,other,天上人间,2026-03-07 18:00\n"
        "3,other,,2026-03-07 18:00\n4,other,东大街三号,2026-03-07 18:00\n"
    )
    path = csv("i.csv", text)
    report = run_import("incidents", path, database=grids, commit=True)
    assert (report.new, report.review) == (4, {"no_place": 2, "nobody": 2})
    notes = report.counts_by_group("noted")
    assert "2 rows were placed by their addresses" in notes
    warned = report.counts_by_group("warned")
    assert warned["there is no position; the row's place is looked for by its address"] == 3
    assert warned["there is no position; the row is kept for review without a place"] == 1
    found = _rows(grids, "SELECT method, address FROM incidents WHERE source <> 'x' "
                         "AND external_id IN ('1', '2', '4') ORDER BY external_id")  # fmt: skip
    assert found == [("address", "东大街3号"), (None, "天上人间"), ("address", "东大街三号")]
    assert _rows(grids, "SELECT text FROM address_reviews") == [("天上人间",)]
    again = run_import("incidents", path, database=grids, commit=True)
    assert (again.new, again.unchanged) == (0, 4)
