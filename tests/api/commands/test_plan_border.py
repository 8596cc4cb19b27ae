"""A border drawn by hand in any GIS, and what planners leave for one another, as commands."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import geopandas as gpd
import pytest
import shapely
from sqlalchemy import text

from tests import factories

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from gis.database import Database
    from tests.api.commands.conftest import Done

    Run = Callable[..., Done]


def grids(wangge: Run, plan: str) -> dict[str, int]:
    return {g["code"]: g["households"] for g in wangge("plan", "grids", plan, "--json").document}


@pytest.fixture
def plan(wangge: Run, draft: str) -> str:
    """Number of a plan of the made town, under work."""
    assert wangge("plan", "open", draft).code == 0
    return draft


def ground_of(here: Database, plan: str) -> gpd.GeoDataFrame:
    with here.transaction() as session:
        return gpd.read_postgis(
            text("SELECT code, unit_code, geom FROM grid_shapes WHERE edition_id = :plan"),
            session.connection(),
            params={"plan": int(plan)},
        ).set_index("code")


@pytest.fixture
def shapes(here: Database, plan: str) -> gpd.GeoDataFrame:
    """Grids of the plan with their ground, by code."""
    return ground_of(here, plan)


def file_of(shapes: list[Any], path: Path, crs: int | str = 4326) -> Path:
    gpd.GeoDataFrame(geometry=shapes, crs=4326).to_crs(crs).to_file(path)
    return path


# In degrees, metres and US survey feet.
@pytest.mark.parametrize(
    "kind",
    [("b.geojson", 4326), ("b.gpkg", 32650), ("b.shp", "+proj=utm +zone=50 +units=us-ft")],
)
def test_a_border_from_a_file_becomes_a_new_grid_and_goes_back(
    here: Database, wangge: Run, plan: str, tmp_path: Path, kind: tuple[str, int | str]
) -> None:
    name, crs = kind
    before = grids(wangge, plan)
    code, ground = next((each.Index, each.geom) for each in ground_of(here, plan).itertuples())
    # A half that leaves the other whole: that of a split.
    assert wangge("plan", "split", plan, code, "--parts", "2").code == 0
    half = ground_of(here, plan).geometry.drop(list(before)).iloc[0]
    assert wangge("plan", "undo", plan).code == 0
    done = wangge("plan", "border", plan, file_of([half], tmp_path / name, crs), "--new", "--json")
    assert done.code == 0, done.err
    told = done.document
    after = grids(wangge, plan)
    (new,) = set(after) - set(before)
    assert {each["code"] for each in told["grids"]} == {code, new}
    assert after[new] + after[code] == before[code]
    # The whole of the grid, to the grid that it was: as it began, but for the codes.
    whole = file_of([ground.buffer(1e-6)], tmp_path / ("whole" + name), crs)
    assert wangge("plan", "border", plan, whole, "--to", code).code == 0
    assert grids(wangge, plan) == before
    assert wangge("plan", "undo", plan).code == 0
    assert grids(wangge, plan) == after
    assert "border" in wangge("plan", "history", plan).out


def test_a_border_over_the_line_of_a_village_tells_what_stays(
    wangge: Run, plan: str, shapes: gpd.GeoDataFrame
) -> None:
    mine = shapes[shapes["unit_code"] == factories.VILLAGES[0]].index[0]
    outline = ", ".join(f"{x} {y}" for x, y in shapely.box(*shapes.total_bounds).exterior.coords)
    done = wangge("plan", "border", plan, "--polygon", outline, "--to", mine)
    assert done.code == 0, done.err
    assert "in the polygon stay: of other units" in done.out
    after = grids(wangge, plan)
    assert [c for c in after if c.startswith(factories.VILLAGES[0])] == [mine]
    assert len(after) > 1


def test_borders_that_cannot_be(
    wangge: Run, plan: str, shapes: gpd.GeoDataFrame, tmp_path: Path
) -> None:
    code, other = shapes.index[0], shapes[shapes["unit_code"] == factories.VILLAGES[1]].index[0]
    mine = shapes.geometry.loc[code]
    bow = shapely.Polygon([(117, 45), (117.1, 45.1), (117.1, 45), (117, 45.1)])
    before = grids(wangge, plan)
    assert wangge("plan", "lock", plan, code).code == 0
    (tmp_path / "no crs.csv").write_text("a\n1\n")
    for name, given, words in (
        ("two.gpkg", [mine, mine.buffer(1)], "there are 2 features, and one is a move"),
        ("line.geojson", [mine.exterior], "it is a LineString. Give one polygon"),
        ("bow.gpkg", [bow], "crosses itself"),
        ("far.gpkg", [shapely.box(1, 1, 2, 2)], "no cell lies in the polygon"),
        ("locked.gpkg", [mine], "locked"),
    ):
        done = wangge("plan", "border", plan, file_of(given, tmp_path / name), "--new")
        assert done.code == 1, name
        assert words in " ".join(done.err.split()), done.err
    path = file_of([mine], tmp_path / "mine.gpkg")
    for given, words in (
        ((path, "--to", other), f"none of them in {factories.VILLAGES[1]}, the unit of the grid"),
        ((path, "--to", "9"), f"plan {plan} has no grid 9"),
        ((tmp_path / "no crs.csv", "--new"), "has no geometry"),
        ((tmp_path / "none.gpkg", "--new"), "there is no file"),
        (("--polygon", "1 2, 3", "--new"), "is no polygon"),
        (("--polygon", "117 45, 117 nan, 118 45", "--new"), "is no polygon"),
        (("--polygon", "45 117, 45 118, 46 118", "--new"), "is no polygon"),
    ):
        done = wangge("plan", "border", plan, *given)
        assert done.code == 1, given
        assert words in " ".join(done.err.split()), done.err
    for given in (("--new",), (path,), (path, "--to", code, "--new"), (path, "--polygon", "1 1")):
        assert wangge("plan", "border", plan, *given).code == 2
    assert grids(wangge, plan) == before


def test_where_a_plan_stands_and_what_was_said_of_it(wangge: Run, plan: str) -> None:
    told = wangge("plan", "show", plan)
    assert "it is open, as it began" in told.out
    code = next(iter(grids(wangge, plan)))
    assert wangge("plan", "split", plan, code, "--parts", "2").code == 0
    assert wangge("plan", "save-point", plan, "初稿").code == 0
    assert "初稿" in wangge("plan", "save-points", plan).out
    (point,) = wangge("plan", "save-points", plan, "--json").document
    assert (point["name"], point["move"]) == ("初稿", 1)
    assert wangge("plan", "comment", plan, "学校").code == 0
    (said,) = wangge("plan", "comments", plan, "--json").document
    done = wangge("plan", "close-comment", plan, said["id"], "--actor", "zhao")
    assert "is closed by zhao" in done.out
    assert "closed by zhao" in wangge("plan", "comments", plan).out
    missing = wangge("plan", "close-comment", plan, "999999")
    assert missing.code == 1
    assert "there is no comment 999999" in missing.err
    assert wangge("plan", "submit", plan).code == 0
    assert wangge("plan", "return", plan, "--note", "看河边", "--actor", "zhao").code == 0
    shown = wangge("plan", "show", plan)
    assert "it is open, after move 1" in shown.out
    assert "看河边" in shown.out
    document = wangge("plan", "show", plan, "--json").document
    assert [each["kind"] for each in document["reviews"]] == ["return", "submit"]
    assert document["head"] == 1
    assert wangge("plan", "show", "999").code == 1
