"""Incidents: places in many systems, categories, what was stored before, addresses."""

from __future__ import annotations

import sqlalchemy as sa

from data.importers.run import run_import
from gis.crs import from_wgs84
from gis.database import Database, execute
from grids.addresses import gazetteer
from grids.incidents import steps
from tests.data.importers.conftest import VILLAGES, Writer, rows_of


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
    rows = rows_of(
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
    assert rows_of(place, "SELECT text FROM incidents") == [("吵",)]


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
    assert rows_of(place, "SELECT state FROM incidents ORDER BY external_id") == [
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
    found = rows_of(grids, "SELECT method, address FROM incidents WHERE source <> 'x' "
                         "AND external_id IN ('1', '2', '4') ORDER BY external_id")  # fmt: skip
    assert found == [("address", "东大街3号"), (None, "天上人间"), ("address", "东大街三号")]
    assert rows_of(grids, "SELECT text FROM address_reviews") == [("天上人间",)]
    again = run_import("incidents", path, database=grids, commit=True)
    assert (again.new, again.unchanged) == (0, 4)
