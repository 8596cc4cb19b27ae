"""What the planners' page asks of a plan: shapes, what changed since, refusals with their place."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import shapely
import shapely.geometry

from tests.api.test_incidents import problem
from tests.api.test_plans import URL
from tests.api.test_plans import desk as desk  # noqa: PLC0414 - a fixture
from tests.api.test_plans import drawn as drawn  # noqa: PLC0414 - a fixture

if TYPE_CHECKING:
    from tests.api.test_plans import Desk

ENGLISH = re.compile(r"[A-Za-z]{2,}")


def refused(desk: Desk, path: str, status: int, **body: Any) -> dict[str, Any]:
    """A refusal as a Chinese page reads it: nothing English is left in it."""
    answer = desk.client.post(
        f"{URL}/{desk.edition}{path}", json=body, headers={"Accept-Language": "zh-CN"}
    )
    told = problem(answer, status)
    said = [each[part] for each in told.get("problems", ()) for part in ("reason", "remedy")]
    for each in said or [told["detail"]]:
        assert not ENGLISH.search(each.replace("tester", "")), each
    return told


def test_shapes_come_page_by_page_with_their_figures(desk: Desk) -> None:
    plan = desk.open()
    seen: list[dict[str, Any]] = []
    cursor = None
    while True:
        page = desk.get("/shapes", limit=3, **({} if cursor is None else {"cursor": cursor}))
        seen += page["features"]
        assert (page["gone"], page["steps"]) == ([], [])
        assert page["plan"] == desk.get()
        assert page["plan"]["area_name"]["zh"]
        if (cursor := page["next"]) is None:
            break
    listed = desk.get("/grids")["items"]
    assert len(seen) == plan["figures"]["grids"] > 3
    for feature, grid in zip(seen, listed, strict=True):
        told = {"id": feature["id"], **feature["properties"]}
        assert grid.items() <= told.items()
        assert told["in_tolerance"] == (abs(told["deviation"]) <= told["tolerance"] + 1e-9)
        shape = shapely.geometry.shape(feature["geometry"])
        assert shape.contains(shapely.Point(told["lon"], told["lat"]))


def test_what_changed_since_a_version(desk: Desk) -> None:
    desk.open()
    first, second, *_ = desk.get("/grids")["items"]
    seen = desk.version
    done = desk.post("/moves", kind="split", version=seen, grid=first["id"], parts=2)
    desk.post("/locks", status=200, grids=[second["id"]])
    news = desk.get("/shapes", since=seen)
    parts = {each["id"] for each in done["grids"]}
    assert {each["id"] for each in news["features"]} == parts | {second["id"]}
    assert {each["kind"] for each in news["steps"]} == {"do", "lock"}
    assert {each["author"] for each in news["steps"]} == {"tester"}
    (locked,) = [each for each in news["features"] if each["id"] == second["id"]]
    assert locked["properties"]["locked_by"] == "tester"
    seen = news["plan"]["version"]
    assert seen == desk.version
    assert desk.get("/shapes", since=seen)["features"] == []
    desk.post("/moves", kind="merge", version=seen, grids=sorted(parts))
    news = desk.get("/shapes", since=seen)
    (kept,) = news["features"]
    assert news["gone"] == sorted(parts - {kept["id"]})


def test_a_refusal_names_its_cells_and_grids(desk: Desk) -> None:
    desk.open()
    cells = desk.cells()
    mine: dict[int, set[int]] = {}
    for number, cell in cells.items():
        assert cell.grid_id is not None
        mine.setdefault(cell.grid_id, set()).add(number)
    grid, other = sorted(mine)[:2]
    # All but two cells that do not touch: the grid would be in two pieces.
    left, right = next(
        (a, b)
        for a in sorted(mine[grid])
        for b in sorted(mine[grid])
        if a < b and b not in cells[a].neighbours
    )
    taken = sorted(mine[grid] - {left, right})
    told = refused(
        desk, "/moves", 422, kind="release", version=desk.version, cells=taken
    )  # fmt: skip
    assert told["grids"] == [grid]
    assert len(told["cells"]) == 1
    assert set(told["cells"]) < {left, right}
    abroad = next(c for c, each in cells.items() if each.unit_code != cells[left].unit_code)
    told = refused(
        desk, "/moves", 422, kind="move", version=desk.version, cells=[abroad], to=grid
    )  # fmt: skip
    assert abroad in told["cells"]
    assert grid in told["grids"]

    desk.post("/locks", status=200, grids=[grid])
    told = refused(desk, "/moves", 409, kind="split", version=desk.version, grid=grid, parts=2)
    assert (told["grids"], told["cells"]) == ([grid], [])
    desk.post("/unlock", status=200, grids=[grid])
    old = desk.version
    desk.post("/moves", kind="split", version=old, grid=other, parts=2)
    told = refused(desk, "/moves", 409, kind="split", version=old, grid=other, parts=3)
    assert told["grids"] == [other]


def test_refusals_and_checks_are_told_in_chinese(desk: Desk) -> None:
    desk.open()
    grid = desk.get("/grids")["items"][0]
    version = desk.version
    for body in (
        {"kind": "merge", "grids": [grid["id"]]},
        {"kind": "merge", "grids": [10**9, grid["id"]]},
        {"kind": "split", "grid": grid["id"], "line": [[0, 0], [1, 1]]},
        {"kind": "split", "grid": 10**9, "parts": 2},
        {"kind": "repair"},
        {"kind": "move", "cells": [10**6], "to": grid["id"]},
        {"kind": "rebalance", "grids": [grid["id"]]},
        {"kind": "border", "polygon": [[0, 0], [1, 0], [1, 1]]},
    ):
        refused(desk, "/moves", 422, version=version, **body)
    refused(desk, "/undo", 422, version=version)
    (free, *_) = [c for c, each in desk.cells().items() if each.grid_id == grid["id"]]
    desk.post("/moves", kind="release", version=version, cells=[free])
    refused(desk, "/submit", 422)
    breaches = f"/api/v1/editions/{desk.edition}/breaches"
    told = desk.client.get(breaches, headers={"Accept-Language": "zh-CN"}).json()
    assert "空缺" in told[0]["reason"]
    assert not ENGLISH.search("".join(each["reason"] + each["remedy"] for each in told))
    assert "gap in unit" in desk.client.get(breaches).json()[0]["reason"]


def test_a_day_without_a_zone_begins_where_the_installation_is(desk: Desk) -> None:
    desk.open()
    desk.post("/submit", status=200)
    zhao = desk.as_role("planner")
    url = f"{URL}/{desk.edition}"
    assert desk.client.post(f"{url}/approve", json={}, headers=zhao).status_code == 200
    done = desk.post("/publish", status=200, effective="2099-12-01T00:00:00")
    begins = datetime.fromisoformat(done["valid_from"])
    assert begins == datetime(2099, 11, 30, 16, tzinfo=UTC)


def test_the_page(desk: Desk) -> None:
    answer = desk.client.get("/plan")
    assert answer.headers["content-type"].startswith("text/html")
    assert answer.headers["cache-control"] == "no-cache"
    policy = answer.headers["content-security-policy"]
    (allowed,) = re.findall(r"'sha256-[^']+'", policy)
    assert allowed in answer.text
    assert "unsafe" not in policy
    assert desk.client.get("/viewer/desk/desk.js").status_code == 200
