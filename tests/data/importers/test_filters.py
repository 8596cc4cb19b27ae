"""``--where``: which rows are taken, and conditions that cannot be meant."""

from __future__ import annotations

from datetime import datetime

import pandas as pd
import pytest

from data.importers import filters
from data.importers.run import run_import
from gis.errors import BadInput
from tests.data.importers.conftest import Writer

FRAME = pd.DataFrame(
    {
        "编号": ["01", "1", "2", "10"],
        "户 数": ["3", "", "约10", "12.0"],
        "kind": ["住宅", None, "商铺", "住宅"],
        "Date": ["2024-03-05", "2024年3月6日", "3/5/2024", None],
        "when": [datetime(2024, 3, 5), None, datetime(2024, 3, 7), None],  # noqa: DTZ001 - as Excel has it
        "level": [1.0, 2.0, 3.0, None],
    },
    index=range(1, 5),
)
FIELDS = {"households": "户 数", "id": "编号"}


def _kept(*conditions: str) -> list[int]:
    kept, _ = filters.keep(
        FRAME, filters.parse(conditions), FIELDS, file="f.csv", timezone="Asia/Shanghai"
    )
    return list(FRAME.index[kept])


@pytest.mark.parametrize(
    ("condition", "rows"),
    [
        ("编号 = 1", [2]),  # a text, not a number: 01 is another code
        ("编号=01", [1]),
        ("编号 begins 1", [2, 4]),
        ("编号 not begins 1", [1, 3]),
        ("编号 in (01, 2)", [1, 3]),
        ("编号 IN 01，2", [1, 3]),
        ("编号 not in 01,2", [2, 4]),
        ("编号 > 1", [3, 4]),  # orders compare numbers
        ("kind = 住宅", [1, 4]),
        ("kind != 住宅", [2, 3]),  # an empty cell is unlike every value
        ("kind = ''", [2]),
        ("kind !=", [1, 3, 4]),
        ("households >= 3", [1, 4]),
        ("户数 < 12", [1]),  # spaces of the column do not matter
        ('"户 数" <= 12', [1, 4]),
        ("level = 2", [2]),
        ("Date >= 2024-03-06", [2]),
        ("when > 2024年3月5日12时", [3]),
    ],
)
def test_conditions(condition: str, rows: list[int]) -> None:
    assert _kept(condition) == rows


def test_all_conditions_hold_at_once() -> None:
    assert _kept("kind = 住宅", "households > 3") == [4]
    with pytest.raises(BadInput, match="no row fulfils all conditions at once"):
        _kept("kind = 商铺", "households > 3")


def test_cells_that_cannot_be_compared_are_counted() -> None:
    conditions = filters.parse(["户数 > 1"])
    _, notes = filters.keep(FRAME, conditions, FIELDS, file="f", timezone="UTC")
    assert notes == ["1 cell of '户 数' cannot be compared with 1: its row was left out"]


@pytest.mark.parametrize(
    ("condition", "words"),
    [
        ("kinds = 住宅", "there is no column 'kinds'. The nearest names are: kind."),
        ("kind = 宅", "no row fulfils it. The column holds: 住宅, (empty), 商铺."),
        ("户数 > many", "'many' is neither a number nor a date. Write COLUMN OP VALUE"),
        ("kind", "'kind' is no condition. Write COLUMN OP VALUE, OP one of"),
        ("kind like 宅%", "'kind like 宅%' is no condition"),
        ("= 3", "'= 3' is no condition"),
        ("kind begins", "is no condition"),
        ("", "'' is no condition"),
    ],
)
def test_what_is_no_condition(condition: str, words: str) -> None:
    with pytest.raises(BadInput) as refused:
        _kept(condition)
    assert words in str(refused.value)
    assert "--where" in str(refused.value)


def test_rows_left_out_are_counted_and_the_others_keep_their_numbers(csv: Writer) -> None:
    path = csv("b.csv", "id,lon,lat,户数,镇\na,110.1,40.1,1,东镇\nb,110.2,40.1,-1,西镇\n"
                        "c,110.3,40.1,-1,东镇\n")  # fmt: skip
    report = run_import("buildings", path, where=["镇 = 东镇"])
    assert (report.read, report.left_out, report.kept) == (2, 1, 1)
    assert [p.row for p in report.problems] == [3]
    assert "rows: 2 read, 1 kept, 1 rejected, 1 left out by --where" in report.lines()[1]
    assert list(report.rejected_frame()["id"]) == ["c"]


def test_a_filter_of_a_map_layer_takes_the_geometry_along(drawn: Writer) -> None:
    # pyogrio's own filter is never asked: a condition means the same for every format.
    import shapely  # noqa: PLC0415

    points = shapely.points([[110.1, 40.1], [110.2, 40.1], [110.3, 40.1]])
    path = drawn("c.gpkg", points, {"id": ["a", "b", "c"], "kind": ["x", None, "y"]})
    report = run_import("cameras", path, mapping={"kind": "=枪机"}, where=["kind != x"])
    assert (report.read, report.left_out, report.rejected) == (2, 1, 0)
