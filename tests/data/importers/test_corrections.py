"""What a second file may change, correct and take back, and what it leaves behind in the audit."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
import shapely

from data.importers.run import run_import
from gis.database import Database, execute
from gis.errors import BadInput
from tests.data.importers.conftest import COUNTY, SQUARES, TOWN, VILLAGES, Writer, rows_of

if TYPE_CHECKING:
    from data.importers.report import Report


def _run(kind: str, path: object, database: Database, **more: Any) -> Report:
    told = {"commit": True, "actor": "planner", **more}
    return run_import(kind, path, database=database, **told)  # type: ignore[arg-type]


def _findings(report: Report, level: str) -> list[tuple[int | None, str | None, str]]:
    return [
        (f.problem.row, f.problem.field, f.problem.reason)
        for f in report.findings
        if f.level == level
    ]


def _audit(database: Database, action: str) -> list[tuple[Any, ...]]:
    """What was changed or taken away, as it was before; the audit log says only that it was."""
    entered = "SELECT count FROM audit_log WHERE action = '{}'"
    sql = "SELECT actor, object_kind, detail FROM import_changes WHERE action = '{}' ORDER BY id"
    kept = rows_of(database, sql.format(action))
    assert sum(row[0] for row in rows_of(database, entered.format(action))) == len(kept)
    return kept


# ---------------------------------------------------------------- changed rows


def test_a_changed_row_says_old_and_new_and_leaves_them_in_the_audit(
    csv: Writer, place: Database
) -> None:
    text = "编号,名称,经度,纬度,户数\na,{},110.001,40.001,{}\nb,乙楼,{},40.002,4\n"
    first = text.format("甲楼", 3, 110.002)
    _run("buildings", csv("h.csv", first), place, actor="clerk")
    second = csv("h.csv", text.format("甲座", "", 110.0021))
    dry = _run("buildings", second, place, commit=False)
    assert rows_of(place, "SELECT name FROM buildings ORDER BY external_id") == [
        ("甲楼",), ("乙楼",),
    ]  # fmt: skip
    assert _audit(place, "import.change") == []
    report = _run("buildings", second, place)
    assert (report.new, report.changed, report.unchanged) == (0, 2, 0)
    expected = [
        (1, "名称", "a: was '甲楼', now '甲座'"),
        (1, "户数", "a: was 3, now nothing"),
        (2, "geometry", "b: another shape, its middle 8.5 m away"),
    ]
    assert sorted(_findings(report, "changed"), key=str) == sorted(expected, key=str)
    assert _findings(dry, "changed") == _findings(report, "changed")
    (a, b) = _audit(place, "import.change")
    assert a == (
        "planner", "building",
        {"row": 1, "label": "a",
         "changed": {"name": ["甲楼", "甲座"], "households_resident": [3, None]}},
    )  # fmt: skip
    # The old place can be put back from the audit.
    old = shapely.from_wkb(b[2]["changed"]["geom"][0])
    assert old.equals(shapely.Point(110.002, 40.002))


def test_new_ids_that_another_source_has_are_named(csv: Writer, place: Database) -> None:
    text = "编号,名称,经度,纬度\nc1,北门,110.001,40.001\n"
    _run("cameras", csv("2024.csv", text), place)
    report = _run("cameras", csv("2025.csv", text + "c2,南门,110.002,40.001\n"), place)
    assert report.new == 2
    (warned,) = [each for each in _findings(report, "warned") if "in common" in each[2]]
    assert warned[2] == ("1 new camera has its id in common with the source '2024' (such as c1)")


# ---------------------------------------------------------------- --update


def test_a_map_layer_gives_the_right_name_with_update(
    csv: Writer, drawn: Writer, database: Database
) -> None:
    table = csv("codes.csv", f"code,name\n{VILLAGES[0]},东沟嘎查\n")
    _run("units", table, database)
    layer = drawn("shapes.parquet", SQUARES, {"code": VILLAGES, "name": ["东沟村", "新村"]})
    kept = _run("units", layer, database, commit=False)
    assert any("Say --update" in f.problem.remedy for f in kept.findings)
    report = _run("units", layer, database, update=True)
    # Nothing is added by an update.
    assert {p.row: p.reason for p in report.problems} == {
        2: f"there is no unit {VILLAGES[1]} to correct"
    }
    assert (report.new, report.changed) == (0, 1)
    assert (1, "name", f"{VILLAGES[0]}: was '东沟嘎查', now '东沟村'") in _findings(
        report, "changed"
    )
    assert rows_of(database, "SELECT name, source, geom IS NULL FROM admin_units") == [
        ("东沟村", "codes", False)
    ]


def test_an_update_needs_no_place_and_leaves_what_it_does_not_say(
    csv: Writer, place: Database
) -> None:
    _run(
        "cameras",
        csv("cams.csv", "编号,名称,经度,纬度,类型,方位角,视场角,可视距离\n"
            "c1,北们,110.001,40.001,枪机,90,40,80\nc2,南门,110.002,40.001,球机,,,\n"),
        place,
    )  # fmt: skip
    before = rows_of(place, "SELECT to_jsonb(c) - 'name' - 'status' FROM cameras c ORDER BY id")
    fix = csv("fix.csv", "编号,名称,状态\nc1,北门,\nc2,,故障\nc3,西门,\n")
    refused = _run("cameras", fix, place, update=True, commit=False)
    assert refused.kept == 0
    assert "known from the source 'cams': say --source cams." in refused.problems[0].remedy
    report = _run("cameras", fix, place, update=True, source="cams")
    assert (report.new, report.changed, report.absent, report.rejected) == (0, 2, 0, 1)
    (problem,) = report.problems
    assert (problem.row, problem.reason) == (3, "there is no camera 'c3' of the source 'cams'")
    assert "leave --update out to add it" in problem.remedy
    assert rows_of(place, "SELECT name, status FROM cameras ORDER BY id") == [
        ("北门", "unknown"), ("南门", "offline"),
    ]  # fmt: skip
    after = rows_of(place, "SELECT to_jsonb(c) - 'name' - 'status' FROM cameras c ORDER BY id")
    assert after == before


def test_a_moved_building_finds_its_unit_anew(csv: Writer, place: Database) -> None:
    _run("buildings", csv("h.csv", "编号,经度,纬度,户数\na,110.001,40.001,3\n"), place)
    report = _run(
        "buildings", csv("h.csv", "编号,经度,纬度\na,110.015,40.001\n"), place, update=True
    )
    assert report.changed == 1
    assert rows_of(place, "SELECT unit_code, households FROM buildings") == [(VILLAGES[1], 3)]


def test_a_person_gets_another_name_and_the_assignment_another_end(
    csv: Writer,
    grids: Database,
) -> None:
    code = f"{VILLAGES[0]}001"
    staff = csv("staff.csv", f"工号,姓名,网格编码,主责,开始日期\n1,张三,{code},是,2024-01-01\n")
    _run("workers", staff, grids)
    renamed = csv("new.csv", "工号,姓名\n1,张叁\n9,李四\n")
    report = _run("workers", renamed, grids, update=True, source="staff")
    assert _findings(report, "changed") == [(1, "姓名", "1: was '张三', now '张叁'")]
    assert [p.reason for p in report.problems] == ["there is no person '9' of the source 'staff'"]
    assert rows_of(grids, "SELECT name FROM persons") == [("张叁",)]
    ended = csv(
        "new.csv",
        f"工号,姓名,网格编码,主责,开始日期,结束日期\n1,张叁,{code},是,2024-01-01,2024-12-31\n"
        f"1,张叁,{code},是,2025-06-01,\n",
    )
    report = _run("workers", ended, grids, update=True, source="staff")
    assert (1, "结束日期", "张叁: was nothing, now 2024-12-31T16:00+00:00") in _findings(
        report, "changed"
    )
    assert [(p.row, p.reason) for p in report.problems] == [
        (2, "张叁 has no such assignment that begins on that day to correct")
    ]
    assert ("planner", "assignment") in [row[:2] for row in _audit(grids, "import.change")]


def test_routes_and_borders_are_corrected_without_their_lines(csv: Writer, place: Database) -> None:
    line = '"LINESTRING (110 40.01, 110.02 40.01)"'
    _run(
        "routes",
        csv("r.csv", f"编号,名称,方式,周期,wkt\nR1,北线,骑马,3,{line}\n"),
        place,
        crs="wgs84",
    )
    _run("borders", csv("b.csv", f"编号,名称,我侧,wkt\nB1,北界,右,{line}\n"), place, crs="wgs84")
    _run("routes", csv("r.csv", "编号,周期\nR1,5\n"), place, update=True)
    _run("borders", csv("b.csv", "编号,名称\nB1,北界线\n"), place, update=True)
    assert rows_of(place, "SELECT name, means, interval_days FROM patrol_routes") == [
        ("北线", "horse", 5)
    ]
    assert rows_of(place, "SELECT name, our_side FROM border_lines") == [("北界线", "right")]


def test_an_update_of_routes_leaves_their_checkpoints(xlsx: Writer, place: Database) -> None:
    sheets = {
        "checkpoints": {"route": ["R1"], "seq": [1], "经度": [110], "纬度": [40.01], "名称": ["卡"]}
    }
    line = ["LINESTRING (110 40.01, 110.02 40.01)"]
    first = xlsx("routes.xlsx", {"id": ["R1"], "name": ["北线"], "wkt": line}, **sheets)
    _run("routes", first, place, crs="wgs84")
    sheets["checkpoints"]["名称"] = ["别的"]
    report = _run("routes", xlsx("routes.xlsx", {"id": ["R1"], "name": ["北路"]}, **sheets), place,
                  update=True)  # fmt: skip
    assert (report.changed, report.rejected) == (1, 0)
    assert rows_of(place, "SELECT r.name, c.name FROM patrol_routes r, checkpoints c") == [
        ("北路", "卡")
    ]


def test_an_update_without_ids_or_without_a_value_is_refused(csv: Writer, place: Database) -> None:
    path = csv("c.csv", "编号,名称,经度,纬度\nc1,北门,110.001,40.001\n")
    _run("cameras", path, place)
    report = _run("cameras", csv("c.csv", "编号,名称\n,南门\n"), place, update=True)
    assert [p.reason for p in report.problems] == ["there is no id, and an update needs one"]
    with pytest.raises(BadInput, match="the file has nothing to correct: besides the id"):
        _run("cameras", csv("c.csv", "编号,名称\nc1,\n"), place, update=True)


@pytest.mark.parametrize(
    ("kind", "words"),
    [("incidents", "add an event to it"), ("grids", "by a new draft"),
     ("barriers", "under the same --source"), ("tracks", "replaces its first")],
)  # fmt: skip
def test_what_no_update_corrects(csv: Writer, place: Database, kind: str, words: str) -> None:
    with pytest.raises(BadInput) as refused:
        _run(kind, csv("x.csv", "id,lon,lat\n1,110,40\n"), place, update=True)
    assert f"{kind} are not corrected by --update" in str(refused.value)
    assert words in str(refused.value)
    assert "It corrects units, buildings, borders, cameras, routes, workers, places." in str(
        refused.value
    )


# ---------------------------------------------------------------- --complete


def test_what_a_complete_file_lacks_is_taken_back_unless_something_refers_to_it(
    csv: Writer, place: Database
) -> None:
    rows = "".join(f"{i},{i}号楼,110.00{i},40.001,{i}\n" for i in range(1, 5))
    head = "编号,名称,经度,纬度,户数\n"
    _run("buildings", csv("h.csv", head + rows), place)
    _run("buildings", csv("other.csv", head + rows), place)
    with place.transaction() as session:
        execute(
            session,
            "WITH p AS (INSERT INTO persons (county_code, name, source, external_id) "
            f"VALUES ('{COUNTY}', '甲', 's', '1') RETURNING id) INSERT INTO assignments "
            "(county_code, person_id, role, building_id, valid, author) "
            f"SELECT '{COUNTY}', p.id, 'building_head', b.id, '[2024-01-01,)', 't' FROM p, "
            "buildings b WHERE b.source = 'h' AND b.external_id = '2'",
        )
    fewer = csv("h.csv", head + rows.split("\n")[0] + "\n")
    plain = _run("buildings", fewer, place, commit=False)
    assert (plain.absent, plain.removed) == (3, 0)
    dry = _run("buildings", fewer, place, complete=True, commit=False)
    assert rows_of(place, "SELECT count(*) FROM buildings") == [(8,)]
    report = _run("buildings", fewer, place, complete=True)
    for each in (dry, report):
        assert (each.unchanged, each.absent, each.removed) == (1, 1, 2)
        assert [text for _, _, text in _findings(each, "removed")] == [
            "building 3 (3号楼) is gone from the file: removed",
            "building 4 (4号楼) is gone from the file: removed",
        ]
        (stays,) = [t for _, _, t in _findings(each, "warned") if "gone from the file" in t]
        assert stays == (
            "building 2 (2号楼) is gone from the file and stays: assignments refer to it"
        )
    assert "records: 0 new, 0 changed, 1 unchanged, 2 removed" in "\n".join(report.lines())
    # Another source's records are not this file's to take.
    assert rows_of(place, "SELECT source, external_id FROM buildings ORDER BY 1, 2") == [
        ("h", "1"), ("h", "2"), ("other", "1"), ("other", "2"), ("other", "3"), ("other", "4"),
    ]  # fmt: skip
    removed = _audit(place, "import.remove")
    assert [(row[0], row[2]["record"]["name"]) for row in removed] == [
        ("planner", "3号楼"), ("planner", "4号楼"),
    ]  # fmt: skip
    place_of = removed[0][2]["record"]["geom"]
    assert shapely.from_wkb(place_of).equals(shapely.Point(110.003, 40.001))


def test_nothing_is_taken_back_while_rows_are_rejected(csv: Writer, place: Database) -> None:
    head = "编号,经度,纬度,户数\n"
    _run("buildings", csv("h.csv", head + "1,110.001,40.001,1\n2,110.002,40.001,1\n"), place)
    report = _run("buildings", csv("h.csv", head + "1,110.001,40.001,1\n2,110.002,40.001,-1\n"),
                  place, complete=True)  # fmt: skip
    assert (report.removed, report.absent, report.rejected) == (0, 1, 1)
    assert any("1 row is rejected, so it cannot be told" in t
               for _, _, t in _findings(report, "warned"))  # fmt: skip
    assert rows_of(place, "SELECT count(*) FROM buildings") == [(2,)]


def test_units_that_are_gone_end_and_can_come_back(drawn: Writer, place: Database) -> None:
    # Two villages become one, under a new code: it takes the ground of those that end.
    whole = drawn("place.parquet", [shapely.union_all(SQUARES)],
                  {"code": [f"{TOWN}003"], "name": ["合村"]})  # fmt: skip
    plain = _run("units", whole, place, commit=False)
    assert "which is in the database" in plain.problems[0].reason
    report = _run("units", whole, place, complete=True)
    assert (report.new, report.removed, report.rejected) == (1, 2, 0)
    assert rows_of(
        place,
        "SELECT code, upper_inf(valid), upper(valid) <= now() FROM admin_units "
        "WHERE level = 12 ORDER BY 1",
    ) == [(VILLAGES[0], False, True), (VILLAGES[1], False, True), (f"{TOWN}003", True, None)]
    assert [row[1] for row in _audit(place, "import.end")] == ["unit", "unit"]
    back = drawn("place.parquet", SQUARES, {"code": VILLAGES, "name": ["东村", "西村"]})
    again = _run("units", back, place, complete=True)
    assert (again.new, again.removed) == (2, 1)
    in_force = "SELECT code FROM admin_units WHERE upper_inf(valid) AND level = 12 ORDER BY 1"
    assert rows_of(place, in_force) == [(VILLAGES[0],), (VILLAGES[1],)]


def test_units_with_buildings_or_grids_stay(
    csv: Writer,
    drawn: Writer,
    grids: Database,
) -> None:
    _run("buildings", csv("h.csv", "编号,经度,纬度,户数\n1,110.001,40.001,1\n"), grids)
    path = drawn("place.parquet", [shapely.box(110.03, 40, 110.04, 40.01)],
                 {"code": [f"{TOWN}009"], "name": ["北村"]})  # fmt: skip
    report = _run("units", path, grids, complete=True, commit=False)
    stay = [t for _, _, t in _findings(report, "warned") if "gone from the file" in t]
    assert stay == [
        f"unit {code} is gone from the file and stays: {uses} refer to it"
        for code, uses in (
            (f"{VILLAGES[0]} (东村)", "buildings and grids"), (f"{VILLAGES[1]} (西村)", "grids"),
        )
    ]  # fmt: skip
    assert (report.removed, report.absent) == (0, 2)


def test_ways_that_contradict_one_another(csv: Writer, place: Database) -> None:
    path = csv("h.csv", "编号,经度,纬度,户数\n1,110.001,40.001,1\n")
    for words, more in (
        ("Say one of them", {"update": True, "complete": True}),
        ("rows left out by --where would count as gone", {"where": ["户数>0"], "complete": True}),
    ):
        with pytest.raises(BadInput, match=words):
            _run("buildings", path, place, **more)
    with pytest.raises(BadInput, match="incidents are never taken back by a file"):
        _run("incidents", path, place, complete=True)


# ---------------------------------------------------------------- bridges before rivers


def test_a_dry_run_of_bridges_before_the_rivers_says_what_it_did_not_check(
    drawn: Writer, place: Database
) -> None:
    deck = [shapely.box(110.001, 40.004, 110.005, 40.0041), shapely.Point(110.002, 40.004)]
    path = drawn("bridges.parquet", deck, {"id": ["d", "p"]})
    for database, why in ((place, f"county {COUNTY} has no river or rail line yet"),
                          (None, "there is no database to look in")):  # fmt: skip
        report = run_import("bridges", path, database=database)
        assert report.rejected == 0
        (text,) = [t for _, _, t in _findings(report, "warned")]
        assert text == (
            "1 bridge is drawn as an area or line, and it was not checked what it crosses: " + why
        )
    # What is written is checked.
    assert [p.row for p in _run("bridges", path, place, commit=True).problems] == [1]
    river = drawn("rivers.parquet", [shapely.LineString([(110.003, 40), (110.003, 40.01)])],
                  {"id": ["r"], "kind": ["river"]})  # fmt: skip
    _run("barriers", river, place)
    report = _run("bridges", path, place, commit=False)
    assert (report.rejected, report.new) == (0, 1)
    assert _findings(report, "warned") == []


def test_many_kinds_on_one_connection(csv: Writer, place: Database) -> None:
    """The driver keeps plans of statements that come again; the staged columns are not the same."""
    for number in range(4):
        name = f"{number}楼"
        house = csv("h.csv", f"编号,名称,经度,纬度,户数\na,{name},110.001,40.001,3\n")
        worker = csv("w.csv", f"工号,姓名\n1,甲{number}\n")
        for kind, path in (("buildings", house), ("workers", worker)):
            report = _run(kind, path, place)
            if kind == "buildings":
                assert report.changed == (1 if number else 0)
    assert rows_of(place, "SELECT name FROM persons") == [("甲3",)]
