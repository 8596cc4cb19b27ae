"""Patrols: routes with their checkpoints, and tracks of those who walked them."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from data import retention
from data.importers.run import run_import
from gis.database import Database, execute
from grids.people import service as people
from tests.data.importers.conftest import COUNTY, Writer, rows_of


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
    assert rows_of(routes, "SELECT name, means, interval_days FROM patrol_routes") == [
        ("北线", "horse", 3)
    ]
    assert rows_of(routes, "SELECT seq, name FROM checkpoints ORDER BY seq") == [
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
    assert rows_of(routes, "SELECT external_id, state, started_at, ended_at FROM patrols") == [
        ("P1", "done", datetime(2024, 1, 31, 23, 59, tzinfo=UTC),
         datetime(2024, 2, 1, 0, 2, tzinfo=UTC)),
    ]  # fmt: skip
    counts = "SELECT (SELECT count(*) FROM track_fixes_202401), (SELECT count(*) FROM {})"
    assert rows_of(routes, counts.format("track_fixes_202402")) == [(1, 3)]
    assert rows_of(routes, counts.format("track_fixes_other")) == [(1, 0)]
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
    assert rows_of(
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
    assert rows_of(
        routes,
        "SELECT external_id, state, ended_at - started_at, fixes FROM patrols "
        "JOIN track_summaries ON patrol_id = id ORDER BY 1",
    ) == [("P1", "done", timedelta(minutes=10), 2), ("P2", "cancelled", timedelta(minutes=5), 2)]
    assert rows_of(routes, "SELECT count(*) FROM track_fixes") == [(1,)]
