"""A plan on the command line, from a draft to the edition in force and back."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pandas as pd
import pyogrio
import pytest

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
    plan("go-to", draft, "--move", "0")
    plan("go-to", draft, "--save-point", "初稿")
    assert "merge" in plan("history", draft).out
    plan("comment", draft, "这里有学校", "--lon", "117.01", "--lat", "45.01")
    assert "117.010000, 45.010000" in plan("comments", draft).out
    assert "1 grids locked" in plan("lock", draft, first).out
    assert "locked" in plan("split", draft, first, "--parts", "2", code=1).err
    plan("unlock", draft)
    plan("submit", draft)
    assert "another person" in plan("publish", draft, code=1).err
    assert "worked on plan" in plan("approve", draft, "--actor", "wang", code=1).err
    plan("return", draft, "--note", "看看河边", "--actor", "zhao")
    plan("submit", draft)
    plan("approve", draft, "--actor", "zhao")
    assert plan("publish", draft, "--json").document["incidents"] == 0
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
