"""A plan on the command line, from a draft to the edition in force and back."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import geopandas as gpd
import pandas as pd
import pyogrio
import pytest
import sqlalchemy as sa

from grids import planning
from tests import factories
from tests.grids.plans.conftest import town

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from gis.database import Database
    from tests.api.commands.conftest import Done

    Run = Callable[..., Done]


@pytest.fixture
def draft(here: Database) -> str:
    """Number of a draft of the made town."""
    with here.transaction(timeout_s=0) as session:
        town(session)
        _, edition = planning.draw_draft(session, factories.COUNTY, author="wang", target=300)
        return str(edition.id)


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
    assert rows[0].startswith("building,name,address,households,from_grid")
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


def test_incidents_are_balanced_after_the_households(wangge: Run, draft: str) -> None:
    done = wangge("plan", "draw", "--unit", factories.COUNTY, "--second", "incidents", "--json")
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
