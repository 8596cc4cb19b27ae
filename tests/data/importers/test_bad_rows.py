"""Rows that cannot be kept, and rows that can be mended: each says why, where and what to do."""

from __future__ import annotations

from datetime import UTC, date, datetime

import geopandas as gpd
import numpy as np
import pandas as pd
import pytest
import shapely
from hypothesis import given
from hypothesis import strategies as st

from data.importers import geometry_checks, moments, values
from data.importers.report import Report
from data.importers.run import run_import
from gis.database import Database, execute
from gis.errors import BadInput
from tests.data.importers.conftest import COUNTY, SQUARES, TOWN, VILLAGES, Writer


def _reasons(report: Report) -> dict[int, str]:
    return {p.row: p.reason for p in report.problems if p.row is not None}


def _report() -> Report:
    return Report("units", "a.csv", "a")


# ---------------------------------------------------------------- codes


@pytest.mark.parametrize(
    ("written", "kept"),
    [
        (150121.0, "150121"),
        ("1.50121E5", "150121"),
        ("150121.0", "150121"),
        ("'150121", "150121"),
        (" 150121 ", "150121"),
        (150121001001, "150121001001"),
    ],
)
def test_codes_that_a_spreadsheet_touched_but_did_not_spoil(written: object, kept: str) -> None:
    assert values.code(written) == (kept, None)


def test_codes_that_a_spreadsheet_spoilt(csv: Writer) -> None:
    path = csv("u.csv", "code,name\n1.50121E+11,a\n15012100100A,b\n,c\n150121,左旗\n")
    report = run_import("units", path)
    reasons = _reasons(report)
    assert "was shortened by a spreadsheet: only 6 of its 12 digits are left" in reasons[1]
    assert "'15012100100A' is not made of digits" in reasons[2]
    assert reasons[3] == "there is no code"
    assert report.kept == 1


def test_a_lost_leading_zero_is_put_back_only_when_something_proves_it(csv: Writer) -> None:
    path = csv("u.csv", "code,name\n25017001001,Riverside\n")
    reasons = _reasons(run_import("units", path))
    assert "has 11 digits; a zero at its beginning was probably lost" in reasons[1]
    for proof in ({"county": "025017"}, {"parent": "025017001"}):
        report = run_import("units", path, **proof)
        assert report.kept == 1
        assert report.counts_by_group("repaired").total() == 1
    levels = csv("l.csv", "code,name,level\n25017001001,Riverside,12\n")
    assert run_import("units", levels).kept == 1


def test_short_codes_are_completed_by_their_parent(csv: Writer, database: Database) -> None:
    path = csv("u.csv", "code,name\n7,甲\n12,乙\n990001001013,丙\n990002001001,丁\n")
    report = run_import("units", path, parent=TOWN, database=database, commit=True)
    assert "does not begin with that of its parent, 990001001" in _reasons(report)[4]
    with database.transaction() as session:
        codes = execute(session, "SELECT code FROM admin_units ORDER BY code").scalars().all()
    assert codes == [f"{TOWN}007", f"{TOWN}012", f"{TOWN}013"]


def test_padding_zeros_are_cut(csv: Writer, database: Database) -> None:
    path = csv("u.csv", "adcode,name\n150000,内蒙古自治区\n150100,呼和浩特市\n150102,新城区\n")
    run_import("units", path, database=database, commit=True)
    with database.transaction() as session:
        rows = execute(session, "SELECT code, parent_code FROM admin_units ORDER BY code").all()
    assert rows == [("15", None), ("1501", "15"), ("150102", "1501")]


def test_codes_doubled_or_with_a_wrong_prefix_or_level(csv: Writer) -> None:
    path = csv(
        "u.csv",
        "code,name,parent,level\n"
        "150121,左旗,1501,6\n150122,托县,1501,6\n150122,和林,1501,6\n"
        "150205,石拐,1501,6\n150123,清水河,1501,9\n150124,武川,1501,皇朝\n",
    )
    report = run_import("units", path)
    reasons = _reasons(report)
    assert report.kept == 1
    assert reasons[2] == reasons[3] == "the code 150122 stands in rows 2, 3 with different names"
    assert "150205 does not begin with that of its parent, 1501" in reasons[4]
    assert "the level is 9, but the code 150123 has 6 digits" in reasons[5]
    assert "the level '皇朝' is not known" in reasons[6]


def test_the_county_column_must_begin_the_code(csv: Writer) -> None:
    path = csv("v.csv", "code,village,areaCode,county\n150102001001,社区,150103,回民区\n")
    reasons = _reasons(run_import("units", path))
    assert "150102001001 does not begin with 150103, said to be above it" in reasons[1]


# ---------------------------------------------------------------- households


def test_households_negative_fractional_textual(csv: Writer) -> None:
    path = csv(
        "b.csv",
        "id,lon,lat,户数\na,110.1,40.1,-3\nb,110.1,40.2,2.5\nc,110.1,40.3,三户\n"
        "d,110.1,40.4,1e9\ne,110.1,40.5,inf\nf,110.1,40.6,12户\ng,110.1,40.7,\nh,110.1,40.8,7.0\n",
    )
    report = run_import("buildings", path)
    reasons = _reasons(report)
    assert reasons[1] == "is negative: -3"
    assert reasons[2] == "is a fraction: 2.5"
    assert reasons[3] == "is text: '三户'"
    assert reasons[4] == "is more than 100000: 1e9"
    assert reasons[5] == "is not finite: inf"
    assert report.kept == 3
    problem = report.problems[0]
    assert (problem.source, problem.row, problem.field) == ("b.csv", 1, "户数")
    assert problem.remedy == "Give a whole number from 0, or leave it empty."


def test_empty_counts_are_told_unless_they_are_meant(csv: Writer) -> None:
    rows = "".join(f"{n},110.1,40.{n},{n % 2 or ''}\n" for n in range(14))
    path = csv("b.csv", "id,lon,lat,户数\n" + rows)
    (text,) = run_import("buildings", path).counts_by_group("warned")
    assert text == (
        "7 rows have no household count and count as 0 households (rows 1, 3, 5, 7, 9, ...)"
    )
    assert not run_import("buildings", path, defaults={"households": "0"}).counts_by_group("warned")
    registered = csv("r.csv", "id,lon,lat,户数,户籍户数\na,110.1,40.1,,3\nb,110.1,40.2,,\n")
    (text,) = run_import("buildings", registered).counts_by_group("warned")
    assert text == "1 row has no household count and counts as 0 households (row 2)"


def test_footprints_of_many_hectares_are_named(drawn: Writer) -> None:
    shapes = [shapely.box(110, 40, 110 + d, 40 + d) for d in (0.0001, 0.01, 0.003)]
    path = drawn("b.parquet", shapes, {"id": list("abc"), "households": [1, 900, 3]})
    report = run_import("buildings", path)
    assert report.rejected == 0
    found = [
        (f.problem.row, f.problem.reason)
        for f in report.findings
        if f.group == "the footprint covers more than 5 ha"
    ]
    assert found == [(2, "the footprint covers 94.9 ha"), (3, "the footprint covers 8.5 ha")]


@given(st.integers(0, values.MAX_COUNT))
def test_every_count_survives_every_way_of_writing_it(count: int) -> None:
    ways = pd.Series([count, float(count), str(count), f"{count}.0", f" {count}户"], dtype=object)
    assert list(values.counts(ways, _report(), "户数")) == [count] * 5


# ---------------------------------------------------------------- geometry


def test_self_crossing_zero_area_empty_and_broken_polygons(drawn: Writer) -> None:
    eight = shapely.Polygon([(110, 40), (110.01, 40.01), (110.01, 40), (110, 40.01)])
    # Two squares that touch in one vertex, drawn in one ring: mended without a change of area.
    touching = shapely.Polygon(
        [(110, 40), (110.01, 40), (110.01, 40.01), (110.02, 40.01), (110.02, 40.02),
         (110.01, 40.02), (110.01, 40.01), (110, 40.01)]
    )  # fmt: skip
    line = shapely.Polygon([(110, 40), (110.01, 40), (110.02, 40)])
    path = drawn("b.parquet", [eight, touching, line, shapely.Polygon()], {"id": list("abcd")})
    report = run_import("buildings", path)
    reasons = _reasons(report)
    assert "the polygon is invalid (Self-intersection" in reasons[1]
    assert "mending it would change its area" in reasons[1]
    assert 2 not in reasons
    (mended,) = (f for f in report.findings if f.level == "repaired")
    assert mended.problem.row == 2
    assert "the polygon was invalid (Ring Self-intersection" in mended.problem.reason
    assert reasons[3] == "the polygon has no area"
    assert reasons[4] in ("the geometry is empty", "there is no geometry")


def test_a_polygon_without_area_that_is_valid(drawn: Writer) -> None:
    thin = shapely.box(110, 40, 110 + 1e-9, 40 + 1e-9)
    report = run_import("buildings", drawn("b.parquet", [thin], {"id": ["a"]}))
    assert _reasons(report)[1] == "the polygon has no area"


@given(st.integers(3, 12), st.integers(0, 10_000))
def test_a_mended_polygon_covers_what_it_covered(corners: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    ring = shapely.Polygon(rng.random((corners, 2)))
    mended, change = geometry_checks.mend(ring)
    if mended is None:
        assert change > geometry_checks.SAFE_AREA_CHANGE
    else:
        assert mended.is_valid
        assert abs(mended.area - ring.area) <= 1.1e-6 * ring.area


def test_nan_infinity_and_null_island(csv: Writer) -> None:
    path = csv(
        "c.csv",
        "id,lon,lat\na,NaN,40\nb,inf,40\nc,0,0\nd,110,\ne,200,40\nf,abc,40\ng,40.1,110.1\n"
        "h,110,40\ni,110.1,40\nj,110.2,40\n",
    )
    report = run_import("cameras", path)
    reasons = _reasons(report)
    assert report.kept == 3
    assert reasons[1] == reasons[4] == "only one of longitude and latitude is given"
    assert "is not finite: inf" in reasons[2]
    assert reasons[3] == "the position is 0, 0"
    assert reasons[5] == "the position is not on the globe"
    assert reasons[6] == "is text: 'abc'"
    assert reasons[7] == "longitude and latitude seem to be swapped"


def test_nan_within_a_polygon(drawn: Writer) -> None:
    with np.errstate(invalid="ignore"):
        broken = shapely.Polygon([(110, 40), (110.01, float("nan")), (110.01, 40.01), (110, 40)])
    report = run_import("buildings", drawn("b.parquet", [broken, SQUARES[0]], {"id": ["a", "b"]}))
    assert _reasons(report) == {1: "a coordinate is NaN or infinite"}


def test_mixed_geometry_types(drawn: Writer) -> None:
    shapes = [SQUARES[0], shapely.Point(110, 40), shapely.GeometryCollection([SQUARES[1]])]
    path = drawn("u.parquet", shapes, {"code": [*VILLAGES, f"{TOWN}003"], "name": list("abc")})
    report = run_import("units", path)
    reasons = _reasons(report)
    mixed = "the file mixes collection, point, polygon geometries"
    assert reasons[2] == f"the geometry is a point, not a polygon; {mixed}"
    assert reasons[3] == f"the geometry is a collection, not a polygon; {mixed}"
    assert report.kept == 1


def test_overlapping_units_are_rejected_both_and_gaps_are_not(
    drawn: Writer, place: Database
) -> None:
    shapes = [
        shapely.box(111, 40, 111.01, 40.01),
        shapely.box(111.005, 40, 111.015, 40.01),
        shapely.box(112, 40, 112.01, 40.01),
        shapely.box(110.012, 40.002, 110.018, 40.008),
    ]
    codes = [f"{TOWN}{n:03d}" for n in (11, 12, 13, 14)]
    path = drawn("u.parquet", shapes, {"code": codes, "name": list("abcd")})
    report = run_import("units", path, database=place, commit=True)
    reasons = _reasons(report)
    assert "overlaps 990001001012 (row 2) by" in reasons[1]
    assert "50% of the smaller" in reasons[1]
    assert "overlaps 990001001011 (row 1)" in reasons[2]
    assert "overlaps 990001001002, which is in the database" in reasons[4]
    assert (report.kept, report.new) == (1, 1)


def test_slivers_between_neighbours_are_kept_and_counted(drawn: Writer) -> None:
    shapes = [shapely.box(110, 40, 110.01, 40.01), shapely.box(110.00999, 40, 110.02, 40.01)]
    path = drawn("u.parquet", shapes, {"code": VILLAGES, "name": list("ab")})
    report = run_import("units", path)
    assert report.kept == 2
    assert any(
        "1 pair of neighbouring units overlaps by a sliver" in g
        for g in report.counts_by_group("warned")
    )


def test_any_crs_lands_in_the_same_place(drawn: Writer, database: Database) -> None:
    points = gpd.GeoSeries(shapely.points([[111.7, 40.8], [111.71, 40.81]]), crs=4326)
    for crs in (4326, 4490, 4546, 3857):
        path = drawn(f"p{crs}.parquet", points.to_crs(crs), {"id": ["a", "b"]}, crs=f"EPSG:{crs}")
        run_import("buildings", path, county=COUNTY, database=database, commit=True)
    with database.transaction() as session:
        worst = execute(
            session,
            "SELECT max(ST_Distance(a.geom::geography, b.geom::geography)) FROM buildings a "
            "JOIN buildings b USING (external_id)",
        ).scalar_one()
    assert worst < 0.001


# ---------------------------------------------------------------- dates


@pytest.mark.parametrize(
    "text",
    [
        "2024-03-05 08:07", "2024/3/5 8:07:00", "2024年3月5日8时7分", "2024年03月05日 08:07",
        "202403050807", "2024-03-05T08:07:00", "2024.3.5 08:07", "2024-03-05T00:07:00Z",
        "2024-03-05 01:07:00+01:00", "2024-03-05 上午8:07", "1709597220", "1709597220000",
    ],
)  # fmt: skip
def test_every_way_of_writing_a_moment(text: str) -> None:
    found = moments.parse_time(text, moments.zone("Asia/Shanghai"))
    assert isinstance(found, tuple), found
    assert found[0].astimezone(UTC) == datetime(2024, 3, 5, 0, 7, tzinfo=UTC)


def test_afternoon_excel_days_and_day_first() -> None:
    zone = moments.zone("Asia/Shanghai")
    afternoon = moments.parse_time("2024年3月5日下午3:20", zone)
    assert afternoon == (datetime(2024, 3, 5, 15, 20, tzinfo=zone), False, "text")
    noon = datetime(2024, 3, 5, 12, tzinfo=zone)
    assert moments.parse_time("45356.5", zone) == (noon, False, "excel")
    assert moments.parse_time("25/3/2024", zone) == (
        datetime(2024, 3, 25, tzinfo=zone),
        False,
        "text",
    )
    assert "can be read in two ways" in moments.parse_time("3/5/2024", zone)
    assert "is no date" in moments.parse_time("2024-13-05", zone)
    assert "is no date" in moments.parse_time("昨天", zone)


@pytest.mark.parametrize(
    ("text", "ways"),
    [
        ("2030010108", "as an hour or as seconds (2034-04-30)"),  # 2030-01-01 08:00, or Unix time
        ("20243", "as a month or as Excel's day 1955-06-03"),
    ],
)
def test_numbers_that_can_be_read_in_two_ways(text: str, ways: str) -> None:
    found = moments.parse_time(text, moments.zone("UTC"))
    assert found == f"can be read in two ways, {ways}: {text}"


def test_numbers_read_as_times_are_noted_with_what_they_became(csv: Writer) -> None:
    head = "id,category,lon,lat,发生时间,上报时间\n"
    rows = "".join(
        f"{n},邻里,110,40,{a},{b}\n"
        for n, (a, b) in enumerate(
            [("45356.5", "1709597220"), ("45357", "1709597220000"), ("2024-03-05", "1709597221")]
        )
    )
    report = run_import("incidents", csv("i.csv", head + rows))
    days, seconds, milliseconds = (g for g in report.counts_by_group("noted") if "read as" in g)
    assert days == (
        "2 numbers of '发生时间' were read as Excel's count of days: 45356.5 is 2024-03-05 12:00"
    )
    assert seconds == (
        "2 numbers of '上报时间' were read as seconds since 1970 (Unix time): "
        "1709597220 is 2024-03-05 08:07"
    )
    assert milliseconds == (
        "1 number of '上报时间' was read as milliseconds since 1970 (Unix time): "
        "1709597220000 is 2024-03-05 08:07"
    )
    # Days, which need no zone, are told of as well.
    text = "id,lon,lat,户数,统计日期\na,110,40,1,45356\n"
    noted = run_import("buildings", csv("b.csv", text)).counts_by_group("noted")
    assert any("45356 is 2024-03-05" in g for g in noted)
    assert not any("no zone" in g for g in noted)


@given(
    st.datetimes(
        min_value=datetime(1950, 1, 1),  # noqa: DTZ001 - hypothesis adds the zone
        max_value=datetime(2099, 12, 31),  # noqa: DTZ001
        allow_imaginary=False,
    ).map(lambda d: d.replace(microsecond=0))
)
def test_a_moment_survives_text_and_excel(moment: datetime) -> None:
    zone = moments.zone("UTC")
    aware = moment.replace(tzinfo=UTC)
    for text in (moment.isoformat(), moment.strftime("%Y/%m/%d %H:%M:%S").rjust(19, "0")):
        found = moments.parse_time(text, zone)
        assert isinstance(found, tuple)
        assert found[0] == aware
    days = (aware - moments.EXCEL_EPOCH).total_seconds() / 86_400
    assert abs((moments.excel_time(days, zone) - aware).total_seconds()) < 0.01


def test_dates_in_three_formats_and_without_zone(csv: Writer, database: Database) -> None:
    path = csv(
        "i.csv",
        "id,category,lon,lat,发生时间\n1,邻里,110,40,2024-03-05 08:07\n"
        "2,邻里,110,40,2024年3月5日8时7分\n3,邻里,110,40,45356.3381944444\n"
        "4,邻里,110,40,3/5/2024\n5,邻里,110,40,2024-03-05T08:07:00+09:00\n",
    )
    report = run_import("incidents", path, county=COUNTY, database=database, commit=True)
    assert any("carry no zone and were taken as Asia/Shanghai" in g
               for g in report.counts_by_group("noted"))  # fmt: skip
    assert "can be read in two ways" in report.lines()[-1] or report.rejected == 1
    with database.transaction() as session:
        times = execute(
            session, "SELECT reported_at FROM incidents ORDER BY external_id"
        ).scalars().all()  # fmt: skip
    eight = datetime(2024, 3, 5, 0, 7, tzinfo=UTC)
    assert times[:3] == [eight] * 3
    assert times[3] == datetime(2024, 3, 4, 23, 7, tzinfo=UTC)


def test_the_day_of_a_count_is_the_local_day() -> None:
    series = pd.Series(["2024-03-05", "2024年3月5日", date(2024, 3, 5), None], dtype=object)
    days = moments.dates(series, _report(), "统计日期", timezone="Asia/Shanghai")
    assert list(days) == [date(2024, 3, 5)] * 3 + [None]


def test_booleans() -> None:
    report = _report()
    series = pd.Series(
        ["是", "否", "yes", "N", 1, 0.0, None, "也许"], dtype=object, index=range(1, 9)
    )
    found = values.booleans(series, report, "主责", default=False)
    assert list(found) == [True, False, True, False, True, False, False, False]
    assert _reasons(report) == {8: "'也许' is neither yes nor no"}


def test_an_unknown_time_zone() -> None:
    with pytest.raises(BadInput, match="no time zone 'Mars/Olympus'"):
        moments.zone("Mars/Olympus")


# ---------------------------------------------------------------- the report


def test_rejected_rows_go_back_with_their_reason(csv: Writer, tmp_path) -> None:  # type: ignore[no-untyped-def]
    path = csv("b.csv", "id,lon,lat,户数,备注\na,110.1,40.1,-3,=1+1\nb,110.1,40.2,4,好\n")
    report = run_import("buildings", path)
    out = tmp_path / "back.csv"
    assert report.write_rejected(out) == 1
    frame = pd.read_csv(out, dtype=str)
    assert list(frame["row"]) == ["1"]
    assert list(frame["reason"]) == ["户数: is negative: -3"]
    # A formula that came in does not go out as one; a negative number stays a number.
    assert list(frame["备注"]) == ["'=1+1"]
    assert list(frame["户数"]) == ["-3"]
    book = tmp_path / "back.xlsx"
    report.write_rejected(book)
    assert list(pd.read_excel(book, dtype=str)["id"]) == ["a"]
    with pytest.raises(BadInput, match=r"cannot be written as '.pdf'"):
        report.write_rejected(tmp_path / "back.pdf")


def test_the_report_says_everything_in_lines_and_json(csv: Writer) -> None:
    rows = "".join(f"{n},110.1,40.1,-1\n" for n in range(9))
    report = run_import("buildings", csv("b.csv", "id,lon,lat,户数\n" + rows))
    text = "\n".join(report.lines(limit=2))
    assert "buildings from b.csv (dry run, nothing written)" in text
    assert "rows: 9 read, 0 kept, 9 rejected" in text
    assert "9 x 户数 is negative" in text
    assert "... and 7 more" in text
    assert '"rejected": 9' in report.to_json()
    assert len(report.to_dict()["findings"][0]["rows"]) == 9
