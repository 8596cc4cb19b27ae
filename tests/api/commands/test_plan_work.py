"""A plan on the command line, from a draft to the edition in force and back."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import geopandas as gpd
import openpyxl
import pandas as pd
import pyogrio
import pytest
import sqlalchemy as sa

from grids import planning
from tests import factories

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from gis.database import Database
    from tests.api.commands.conftest import Done

    Run = Callable[..., Done]


def test_the_whole_life(wangge: Run, draft: str, tmp_path: Path) -> None:
    def plan(*words: str, code: int = 0) -> Done:
        done = wangge("plan", *words)
        assert done.code == code, done.err
        return done

    opened = plan("open", draft, "--json").document
    assert opened["state"] == "open"
    listed = plan("grids", draft, "--json").document
    first = listed[0]["code"]
    halves = plan("split", draft, first, "--parts", "2", "--json").document
    codes = [each["code"] for each in halves["grids"]]
    assert first in codes
    assert "gone" in plan("merge", draft, *codes).out
    plan("save-point", draft, "初稿")
    assert plan("undo", draft, "--json").document["figures"] == halves["figures"]
    plan("redo", draft)
    assert "the plan as it began: " in plan("go-to", draft, "--move", "0").out
    plan("go-to", draft, "--save-point", "初稿")
    assert "merge" in plan("history", draft).out
    plan("comment", draft, "这里有学校", "--lon", "117.01", "--lat", "45.01")
    assert "117.010000, 45.010000" in plan("comments", draft).out
    assert "no place" in plan("comment", draft, "x", "--lon", "200", "--lat", "1", code=1).err
    assert "1 grid locked" in plan("lock", draft, first).out
    assert "locked" in plan("split", draft, first, "--parts", "2", code=1).err
    plan("unlock", draft)
    plan("submit", draft)
    assert "another person" in plan("publish", draft, code=1).err
    assert "worked on plan" in plan("approve", draft, "--actor", "wang", code=1).err
    plan("return", draft, "--note", "看看河边", "--actor", "zhao")
    plan("submit", draft)
    plan("approve", draft, "--actor", "zhao")
    assert plan("publish", draft, "--json").document["incidents"] == 0
    assert "first of its area" in plan("lineage", draft).out
    assert "nobody is in charge" in plan("to-do", draft).out

    other = str(plan("branch", draft, "--title", "B", "--json").document["id"])
    assert "0 households" in plan("compare", draft, other).out
    near = [each["code"] for each in plan("grids", other, "--json").document]
    west = [code for code in near if code.startswith(factories.VILLAGES[0])]
    for one in west[1:]:
        done = wangge("plan", "merge", other, west[0], one)
        if done.code == 0:
            break
    else:
        pytest.fail("no neighbour")
    letters, ground = tmp_path / "letters.csv", tmp_path / "changed.geojson"
    told = plan("compare", draft, other, "--letters", str(letters), "--out", str(ground)).out
    assert "merged:" in told
    rows = letters.read_text(encoding="utf-8-sig").splitlines()
    assert rows[0].startswith("楼栋编号 building,名称 name,")
    assert len(rows) > 1
    assert "from_grid" in ground.read_text(encoding="utf-8")
    plan("submit", other)
    plan("approve", other, "--actor", "zhao")
    plan("publish", other)
    fates = {(r["predecessor"], r["fate"]) for r in plan("lineage", other, "--json").document}
    assert len([fate for _, fate in fates if fate == "merged"]) == 1
    assert "merged" in plan("lineage", other).out
    assert "grid goes on" in plan("lineage", other, "--code", near[0]).out


def test_drawn_anew_around_what_is_locked(wangge: Run, draft: str, tmp_path: Path) -> None:
    def grids(number: str) -> dict[str, Any]:
        return {g["code"]: g for g in wangge("plan", "grids", number, "--json").document}

    assert wangge("plan", "open", draft).code == 0
    before = grids(draft)
    held = sorted(before)[:2]
    assert wangge("plan", "lock", draft, *held).code == 0
    report = tmp_path / "r.html"
    done = wangge(
        "plan", "draw", "--unit", factories.COUNTY, "--before", draft, "--target", "200",
        "--tolerance", "0.1", "--keep", "0.01", "--curve", "--report", report, "--json",
    )  # fmt: skip
    assert done.code == 0, done.err
    told = done.document
    assert told["households_moved"] > 0
    assert [row["keep"] for row in told["curve"]] == [0.0, 0.01, 0.03, 0.1, 0.3, 1.0]
    (own,) = (row for row in told["curve"] if row["drawn"])
    assert (own["keep"], own["grids"]) == (0.01, told["grids"])
    assert own["moved"] == told["households_moved"]
    assert round(own["within"], 4) == told["within_tolerance"]
    assert {row["code"] for row in told["lineage"] if row["fate"] != "new"} == set(before)
    assert "What less change costs" in report.read_text(encoding="utf-8")
    after = grids(str(told["edition"]))
    assert len(after) > len(before)
    assert [code for code, grid in after.items() if grid.get("locked by")] == held
    for code in held:
        assert after[code]["households"] == before[code]["households"]


def test_codes_that_live_on_are_the_same_grids(here: Database, wangge: Run, draft: str) -> None:
    done = wangge("plan", "draw", "--unit", factories.COUNTY, "--before", draft, "--seed", "9",
                  "--target", "300", "--json")  # fmt: skip
    assert done.code == 0, done.err
    with here.transaction() as session:
        rows = [
            {row.code: row.grid_id for row in session.execute(
                sa.text("SELECT code, grid_id FROM grid_shapes WHERE edition_id = :e"), {"e": each}
            )}
            for each in (int(draft), done.document["edition"])
        ]  # fmt: skip
        base = sa.text("SELECT based_on_id FROM editions WHERE id = :e")
        assert session.scalar(base, {"e": done.document["edition"]}) == int(draft)
    shared = set(rows[0]) & set(rows[1])
    assert shared
    assert {rows[0][code] for code in shared} == {rows[1][code] for code in shared}
    assert not set(rows[0].values()) & {rows[1][code] for code in set(rows[1]) - shared}


def test_other_work_is_balanced_after_the_households(
    here: Database, wangge: Run, draft: str
) -> None:
    with here.transaction() as session:
        # Two key places beside each building of the first village, and one too far from any.
        session.execute(
            sa.text(
                "INSERT INTO places (county_code, area_code, kind, name, geom, source, external_id)"
                " SELECT county_code, county_code, 'shop', 'p', point, 't', id::text || n "
                "FROM buildings, generate_series(1, 2) AS n WHERE unit_code = :village UNION ALL "
                "SELECT '990121', '990121', 'shop', 'p', ST_Point(117.2, 45.2, 4326), 't', 'far'"
            ),
            {"village": factories.VILLAGES[0]},
        )
    with here.transaction() as session:
        read = planning.read_layers(session, factories.COUNTY, second="places")
        houses = read.frames["buildings"]
        assert set(houses["places"]) == {0, 2}
        assert houses["places"].sum() == len(houses)  # two for each in one of two villages alike
    for second in ("incidents", "places", "area_m2"):
        done = wangge("plan", "draw", "--unit", factories.COUNTY, "--second", second, "--effort",
                      "quick", "--json")  # fmt: skip
        assert done.code == 0, done.err
    done = wangge("plan", "draw", "--unit", factories.COUNTY, "--second", "rooms")
    assert done.code == 1
    assert "--second" in done.err or "field second" in done.err


def test_pins_and_camps_from_files(wangge: Run, draft: str, tmp_path: Path) -> None:
    pins, camps = tmp_path / "pins.csv", tmp_path / "camps.geojson"
    assert wangge("plan", "open", draft).code == 0
    code = wangge("plan", "grids", draft, "--json").document[0]["code"]
    pins.write_text(f"external_id,code\n0-0.3,{code}\n", encoding="utf-8")
    gpd.GeoDataFrame(
        {"external_id": ["0-0.3", "1-0.3"], "season": ["summer", None]},
        geometry=gpd.points_from_xy([117.01, 117.03], [45.015, 45.005]),
        crs=4326,
    ).to_file(camps)
    given = ("plan", "draw", "--unit", factories.COUNTY, "--before", draft, "--effort", "quick")
    done = wangge(*given, "--pinned", pins, "--camps", camps, "--json")
    assert done.code == 0, done.err
    assert done.document["households_with_camp"] > 0
    pins.write_text(f"external_id,code\n0-0.3,{code}\nnobody,x\n", encoding="utf-8")
    done = wangge(*given, "--pinned", pins, "--camps", camps)
    assert done.code == 1
    assert "pins.csv, row 2, field external_id: no buildings have the id nobody" in done.err
    assert "pins.csv, row 2, field code" in done.err


@pytest.mark.parametrize(
    ("words", "code", "says"),
    [
        (("--count", "0"), 1, "count is 0"),
        (("--minimum", "9", "--maximum", "2"), 1, "minimum 9 is above maximum 2"),
        (("--effort", "soon"), 1, "effort is 'soon'"),
        (("--effort", "-1"), 1, "effort is -1"),
        (("--seed", "-1"), 1, "seed is -1"),
        (("--prices", "lunar"), 1, "prices is 'lunar'"),
        (("--keep", "nan"), 1, "keep is nan"),
        (("--compactness-floor", "2"), 1, "compactness_floor is 2"),
        (("--walk-m", "-5"), 1, "walk_m is -5"),
        (("--before", "plan.gpkg"), 1, "'plan.gpkg' is no number"),
        (("--before", "999"), 1, "no edition 999"),
        (("--curve",), 2, "give --before"),
        (("--locked", "x.gpkg"), 2, "are for files"),
    ],
)
def test_wishes_that_cannot_be_met(
    wangge: Run, draft: str, words: tuple[str, ...], code: int, says: str
) -> None:
    done = wangge("plan", "draw", "--unit", factories.COUNTY, *words)
    assert done.code == code, done.err
    assert says in " ".join(done.err.split())


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (("split", "{draft}", "1", "--parts", "2"), "has no grid 1"),
        (("move", "{draft}", "none", "--cells", "a,b"), "no ids of cells"),
        (("compare", "{draft}", "999"), "no edition 999"),
        (("compare", "{draft}", "{draft}", "--letters", "x.doc"), "Use one of"),
        (("undo", "999"), "no plan 999"),
        (("go-to", "{draft}", "--move", "7"), "no move 7"),
    ],
)
def test_what_is_wrong_is_said(wangge: Run, draft: str, words: tuple[str, ...], says: str) -> None:
    assert wangge("plan", "open", draft).code == 0
    done = wangge("plan", *(word.format(draft=draft) for word in words))
    assert done.code == 1
    assert says in done.err


def test_what_is_exported(wangge: Run, draft: str, tmp_path: Path) -> None:
    cells, grids = tmp_path / "cells.csv", tmp_path / "grids.shz"
    done = wangge("plan", "export", draft, "--out", grids, "--cells", cells)
    assert done.code == 0, done.err
    shapes = pyogrio.read_dataframe(grids)
    listed = pd.read_csv(cells, dtype={"grid": str, "unit": str})
    assert set(listed["grid"]) == set(shapes["code"])
    assert listed["households"].sum() == shapes["households"].sum()
    counted = listed.groupby("grid")["households"].sum()
    assert counted.to_dict() == dict(zip(shapes["code"], shapes["households"], strict=True))
    assert shapes["name"].str.len().gt(0).all()
    assert wangge("plan", "export", draft, "--cells", tmp_path / "x.doc").code == 1
    assert wangge("plan", "export", draft).code == 2


def test_a_list_of_cells_goes_out_and_comes_back(wangge: Run, draft: str, tmp_path: Path) -> None:
    def cells(name: str) -> pd.DataFrame:
        path = tmp_path / name
        assert wangge("plan", "export", draft, "--cells", path).code == 0
        return pd.read_csv(path, dtype=str)

    assert wangge("plan", "open", draft).code == 0
    before = cells("before.csv")
    first = wangge("plan", "grids", draft, "--json").document[0]["code"]
    assert wangge("plan", "split", draft, first, "--parts", "2").code == 0
    after = cells("after.csv")
    assert after["grid"].nunique() == before["grid"].nunique() + 1
    # The whole list as it was brings the grid back together: one move, to be taken back as one.
    done = wangge("plan", "assign", draft, tmp_path / "before.csv", "--json")
    assert done.code == 0, done.err
    assert len(done.document["gone"]) == 1
    assert cells("again.csv").equals(before)
    assert wangge("plan", "undo", draft).code == 0
    assert cells("undone.csv").equals(after)

    # A spreadsheet that saves in the system's own encoding and took the codes for numbers.
    bad = before.head(4).copy()
    bad.loc[0, "grid"], bad.loc[1, "cell_id"] = "9.90121E+14", "77777"
    bad.loc[3, "cell_id"] = bad.loc[2, "cell_id"]
    bad.assign(说明="改").to_csv(tmp_path / "bad.csv", index=False, encoding="gb18030")
    done = wangge("plan", "assign", draft, tmp_path / "bad.csv")
    assert done.code == 1
    for each in (
        "bad.csv, row 1, field grid: plan", "format the column as text",
        "bad.csv, row 2, field cell_id: plan", "has no cell 77777",
        "row 4, field cell_id: cell", "is there before",
    ):  # fmt: skip
        assert each in " ".join(done.err.split())
    # Numbers of cells are a plan's own: a list of another plan is noticed.
    before.assign(households="999").head(1).to_csv(tmp_path / "other.csv", index=False)
    done = wangge("plan", "assign", draft, tmp_path / "other.csv")
    assert "row 1, field households: cell 0 has households" in " ".join(done.err.split())
    before[["cell_id"]].to_csv(tmp_path / "less.csv", index=False)
    done = wangge("plan", "assign", draft, tmp_path / "less.csv")
    assert "there is no column grid" in done.err
    assert wangge("plan", "assign", draft, tmp_path / "none.csv").code == 1
    assert cells("at last.csv").equals(after)


@pytest.mark.parametrize("name", ["网格.gpkg", "网格.geojson", "网格.shp", "网格.zip", "网格.shz"])
def test_what_was_exported_is_the_same_plan_when_it_comes_back(
    wangge: Run, draft: str, tmp_path: Path, name: str
) -> None:
    path = tmp_path / name
    assert wangge("plan", "export", draft, "--out", path).code == 0
    done = wangge("import", "grids", path, "--county", factories.COUNTY, "--commit")
    assert done.code == 0, done.err
    back = str(wangge("plan", "list", "--json").document[0]["edition"])
    assert back != draft
    told = wangge("plan", "compare", draft, back, "--json").document
    assert (told["households_moved"], told["flows"]) == (0, [])
    mine, its = (wangge("plan", "export", each, "--out", tmp_path / f"{each}.csv")
                 and pd.read_csv(tmp_path / f"{each}.csv", dtype={"code": str, "name": str})
                 for each in (draft, back))  # fmt: skip
    same = ["code", "name", "households", "buildings"]
    assert mine[same].equals(its[same])


def test_letters_are_safe_in_a_spreadsheet_and_by_worker(
    here: Database, wangge: Run, draft: str, tmp_path: Path
) -> None:
    with here.transaction() as session:
        session.execute(
            sa.text("UPDATE buildings SET name = '=HYPERLINK(1)', address = '河东路1号'")
        )
    other = str(wangge("plan", "branch", draft, "--json").document["id"])
    grids = [each["code"] for each in wangge("plan", "grids", other, "--json").document]
    assert wangge("plan", "split", other, grids[0], "--parts", "2").code == 0
    csv, book = tmp_path / "l.csv", tmp_path / "l.xlsx"
    for path in (csv, book):
        assert wangge("plan", "compare", draft, other, "--letters", path).code == 0
    assert csv.read_bytes().startswith(b"\xef\xbb\xbf")
    listed = pd.read_csv(csv, dtype=str)
    assert listed.columns.tolist() == [
        "楼栋编号 building", "名称 name", "地址 address", "户数 households", "原网格 from_grid",
        "原网格员 from_worker", "新网格 to_grid", "新网格员 to_worker",
    ]  # fmt: skip
    assert set(listed["名称 name"]) == {"'=HYPERLINK(1)"}
    sheet = openpyxl.load_workbook(book).active
    rows = list(sheet.iter_rows(values_only=True))
    assert len(rows) == len(listed) + 1
    assert rows[0] == tuple(listed.columns)
    # Codes stay text, figure by figure, and nothing is a formula.
    assert rows[1][4] == grids[0] == listed["原网格 from_grid"].iloc[0]
    assert "f" not in {cell.data_type for row in sheet.iter_rows() for cell in row}
    assert sheet.freeze_panes == "A2"
