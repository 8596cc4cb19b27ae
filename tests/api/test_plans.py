"""A plan over HTTP, from its opening to the edition in force."""

from __future__ import annotations

import io
import uuid
from typing import TYPE_CHECKING, Any

import geopandas as gpd
import pandas as pd
import pytest
import sqlalchemy as sa
from fastapi.testclient import TestClient
from geoalchemy2.shape import to_shape

from api.app import create_app
from api.routes import plan_cells, plan_drawings
from api.settings import ServerSettings
from grids import planning
from grids.models import Cell
from tests import conftest, factories
from tests.api.conftest import everything
from tests.api.test_incidents import problem
from tests.grids.plans.conftest import town as made_town

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from gis.cluster import Cluster
    from gis.database import Database

URL = "/api/v1/plans"


class Desk:
    """A drawn draft, and an application that serves it."""

    def __init__(self, client: TestClient, database: Database, edition: int) -> None:
        self.client, self.database, self.edition = client, database, edition
        self.version = 0

    def open(self) -> dict[str, Any]:
        answer = self.client.post(URL, json={"edition": self.edition, "branch": False})
        assert answer.status_code == 201, answer.text
        found: dict[str, Any] = answer.json()
        self.version = found["version"]
        return found

    def post(self, path: str, *, status: int = 201, **body: Any) -> dict[str, Any]:
        answer = self.client.post(f"{URL}/{self.edition}{path}", json=body)
        assert answer.status_code == status, answer.text
        found: dict[str, Any] = answer.json()
        self.version = found.get("version", self.version)
        return found

    def get(self, path: str = "", **params: Any) -> Any:
        answer = self.client.get(f"{URL}/{self.edition}{path}", params=params)
        assert answer.status_code == 200, answer.text
        return answer.json()

    def cells(self) -> dict[int, Cell]:
        with self.database.transaction() as session:
            rows = session.scalars(sa.select(Cell).where(Cell.edition_id == self.edition)).all()
            session.expunge_all()
        return {row.cell_id: row for row in rows}

    def as_role(self, role: str, area: str = factories.COUNTY) -> dict[str, str]:
        with self.database.transaction() as session:
            login = f"{role}-{uuid.uuid4().hex[:6]}"
            account = factories.account(session, role, area, login=login)
            return {"Authorization": f"Bearer {factories.key(session, account)}"}


@pytest.fixture(scope="module")
def drawn(test_cluster: Cluster, template: str) -> Iterator[str]:
    """Name of a database with a drawn draft, to be copied by each test."""
    for database in conftest.fresh(test_cluster, template):
        with database.transaction(timeout_s=0) as session:
            made_town(session)
            planning.draw_draft(session, factories.COUNTY, author="wang", target=300)
        name = str(database.url.database)
        database.dispose()
        yield name


@pytest.fixture
def desk(test_cluster: Cluster, drawn: str) -> Iterator[Desk]:
    for database in conftest.fresh(test_cluster, drawn):
        with database.transaction() as session:
            edition = session.scalar(sa.text("SELECT max(id) FROM editions"))
        app = create_app(ServerSettings(), database)
        with TestClient(app, headers=everything(database), raise_server_exceptions=False) as client:
            yield Desk(client, database, int(edition))


def test_cells_come_page_by_page_and_by_grid(desk: Desk) -> None:
    desk.open()
    stored, seen, cursor = desk.cells(), [], None
    while True:
        more = {} if cursor is None else {"cursor": cursor}
        page = desk.get("/cells", limit=7, **more)
        seen += page["features"]
        assert page["version"] == desk.version
        if (cursor := page["next"]) is None:
            break
    assert [each["id"] for each in seen] == sorted(stored)
    assert sum(e["properties"]["households"] for e in seen) == sum(
        cell.households for cell in stored.values()
    )
    first = seen[0]
    assert first["geometry"]["type"] == "Polygon"
    assert first["properties"]["neighbours"] == stored[first["id"]].neighbours
    mine = desk.get("/cells", grid=first["properties"]["grid"], limit=2000)["features"]
    grid = stored[first["id"]].grid_id
    assert [e["id"] for e in mine] == sorted(i for i, c in stored.items() if c.grid_id == grid)
    assert desk.get("/cells", free=True)["features"] == []
    freed = first["id"]
    desk.post("/moves", kind="release", version=desk.version, cells=[freed])
    (found,) = desk.get("/cells", free=True)["features"]
    assert (found["id"], found["properties"]["grid"]) == (freed, None)
    # Back by a list of cells, beside one that stays where it is.
    places = [grid, stored[seen[1]["id"]].grid_id]
    desk.post(
        "/moves", kind="assign", version=desk.version, cells=[freed, seen[1]["id"]], places=places
    )
    assert desk.get("/cells", free=True)["features"] == []
    assert {i: c.grid_id for i, c in desk.cells().items()} == {
        i: c.grid_id for i, c in stored.items()
    }


def test_a_plan_from_its_opening_to_its_edition(desk: Desk) -> None:
    plan = desk.open()
    assert plan["state"] == "open"
    assert plan["figures"]["unassigned"] == 0
    assert 0 < plan["figures"]["mean_deviation"] < 0.2
    assert desk.open() == plan
    listed = desk.get("/grids")
    assert len(listed["items"]) == plan["figures"]["grids"]
    page = desk.get("/grids", limit=2)
    assert [each["code"] for each in page["items"]] == [g["code"] for g in listed["items"][:2]]
    assert desk.get("/grids", limit=2, cursor=page["next"])["items"][0] == listed["items"][2]

    first = listed["items"][0]
    done = desk.post("/moves", kind="split", version=desk.version, grid=first["id"], parts=2)
    assert done["figures"]["grids"] == plan["figures"]["grids"] + 1
    made = [each["id"] for each in done["grids"]]
    back = desk.post("/undo", status=200, version=desk.version)
    assert back["figures"] == plan["figures"]
    again = desk.post("/redo", status=200, version=desk.version)
    assert again["figures"] == done["figures"]
    merged = desk.post("/moves", kind="merge", version=desk.version, grids=made)
    assert merged["figures"]["households"] == plan["figures"]["households"]
    moves = desk.get("/moves")["items"]
    assert [(each["kind"], each["holds"]) for each in moves] == [("merge", True), ("split", True)]

    desk.post("/save-points", name="初稿")
    desk.post("/go-to", status=200, version=desk.version, move=0)
    assert desk.get()["figures"] == plan["figures"]
    desk.post("/go-to", status=200, version=desk.version, save_point="初稿")
    assert desk.get()["head"] == 2

    assert desk.post("/locks", status=200, grids=None)["grids"]
    refused = desk.client.post(f"{URL}/{desk.edition}/undo", json={"version": desk.version})
    assert problem(refused, 409)["type"] == "urn:wangge:error:GridLocked"
    assert {each["locked_by"] for each in desk.get("/grids")["items"]} == {"tester"}
    desk.post("/unlock", status=200, grids=None)

    said = desk.post("/comments", words="这里有学校", lon=117.01, lat=45.01)
    desk.post(f"/comments/{said['id']}/close", status=200)
    assert desk.get("/comments")["comments"][0]["closed_by"] == "tester"

    assert desk.post("/submit", status=200)["state"] == "submitted"
    refused = desk.client.post(
        f"{URL}/{desk.edition}/moves", json={"kind": "repair", "version": desk.version}
    )
    assert problem(refused, 409)["type"] == "urn:wangge:error:PlanClosed"
    refused = desk.client.post(f"{URL}/{desk.edition}/approve", json={})
    assert problem(refused, 403)["type"] == "urn:wangge:error:OwnPlan"
    zhao = desk.as_role("planner")
    answer = desk.client.post(f"{URL}/{desk.edition}/approve", json={"note": "同意"}, headers=zhao)
    assert answer.json()["state"] == "approved"
    done = desk.post("/publish", status=200)
    assert done["grids"] == plan["figures"]["grids"]
    assert {task["kind"] for task in done["to_do"]} == {"nobody"}
    assert desk.get()["state"] == "published"
    assert desk.get("/reviews")["steps"][0]["note"] == "同意"
    with desk.database.transaction() as session:
        rows = session.execute(
            sa.text("SELECT action, actor FROM audit_log WHERE object_id = :plan"),
            {"plan": str(desk.edition)},
        ).all()
    done_by = {row.action: row.actor for row in rows}
    assert set(done_by) >= {
        "plan.open", "plan.do", "plan.undo", "plan.redo", "plan.save_point", "plan.lock",
        "plan.unlock", "plan.comment", "plan.comment_closed", "plan.submit", "plan.approve",
        "edition.publish", "edition.change_over",
    }  # fmt: skip
    assert done_by["plan.approve"].startswith("planner-")
    assert done_by["plan.do"] == "tester"


def test_a_branch_beside_what_it_came_from(desk: Desk) -> None:
    with desk.database.transaction() as session:
        planning.service.publish(session, desk.edition, approver="zhao")
        # A key place beside each building, so that as many of both move.
        session.execute(
            sa.text(
                "INSERT INTO places (county_code, area_code, kind, name, geom, source, external_id)"
                " SELECT county_code, county_code, 'shop', 'p', point, 't', id::text FROM buildings"
            )
        )
        session.execute(sa.text("UPDATE buildings SET name = '=1+1'"))
    lon, lat = factories.middle(0)
    body = {"id": str(uuid.uuid4()), "category": "neighbour", "lon": lon, "lat": lat}
    assert desk.client.post("/api/v1/incidents", json=body).status_code == 201
    before = desk.edition
    desk.edition = desk.client.post(URL, json={"edition": before, "title": "B"}).json()["id"]
    same = desk.get("/comparison")
    assert (same["first"], same["flows"]) == (before, [])
    cells = desk.cells()
    at = next(c for c in cells.values() if to_shape(c.geom).contains(
        to_shape(c.geom).representative_point()) and any(
        cells[n].grid_id != c.grid_id and cells[n].unit_code == c.unit_code
        for n in c.neighbours or ()))  # fmt: skip
    to = next(
        cells[n].grid_id for n in at.neighbours or ()
        if cells[n].grid_id != at.grid_id and cells[n].unit_code == at.unit_code
    )  # fmt: skip
    desk.post(
        "/moves", kind="move", version=desk.get()["version"], cells=[at.cell_id], to=to,
        take_along=True,
    )  # fmt: skip
    found = desk.get("/comparison", beside=before)
    assert found["households_moved"] == sum(flow["households"] for flow in found["flows"]) > 0
    assert found["places_moved"] == found["buildings_moved"] > 0
    ground = desk.get("/difference")
    assert ground["features"]
    assert {f["properties"]["from_grid"] for f in ground["features"]} == {
        flow["from_code"] for flow in found["flows"]
    }
    for form, read in (("csv", pd.read_csv), ("xlsx", pd.read_excel)):
        answer = desk.client.get(f"{URL}/{desk.edition}/letters", params={"format": form})
        letters = read(io.BytesIO(answer.content))
        assert letters["户数 households"].sum() == found["households_moved"]
        assert len(letters) == found["buildings_moved"]
        # A name that a spreadsheet would run.
        assert set(letters["名称 name"]) == {"'=1+1"}
    # Who may not see incidents and cameras is not told how many move.
    answer = desk.client.get(f"{URL}/{desk.edition}/comparison", headers=desk.as_role("planner"))
    assert answer.json()["incidents_moved"] is None
    assert found["incidents_moved"] is not None
    with desk.database.transaction() as session:
        seen = session.scalars(
            sa.text("SELECT fields FROM audit_log WHERE action = 'read' AND object_id = :plan"),
            {"plan": str(desk.edition)},
        ).all()
    # Names of workers stand in a comparison and in letters, and in no map of it.
    assert seen == ["worker.name"] * 5


@pytest.mark.parametrize("form", plan_cells.FORMATS)
def test_a_plan_as_a_file(desk: Desk, tmp_path: Path, form: str) -> None:
    desk.open()
    with desk.database.transaction() as session:
        session.execute(sa.text("UPDATE grid_shapes SET name = '东大街第一网格'"))
    plan = {each["code"]: each["households"] for each in desk.get("/grids")["items"]}
    cells = desk.cells()
    for layer, expected in (("grids", plan), ("cells", cells)):
        answer = desk.client.get(
            f"{URL}/{desk.edition}/export", params={"layer": layer, "format": form}
        )
        assert answer.status_code == 200, answer.text
        assert f'filename="{layer}-{desk.edition}.{form}"' in answer.headers["content-disposition"]
        path = tmp_path / f"{layer}.{form}"
        path.write_bytes(answer.content)
        match form:
            case "csv":
                frame = pd.read_csv(path, dtype={"code": str})
            case "parquet":
                frame = gpd.read_parquet(path)
            case _:
                frame = gpd.read_file(path)
        assert len(frame) == len(expected)
        if layer == "grids":
            assert dict(zip(frame["code"], frame["households"], strict=True)) == plan
            assert set(frame["name"]) == {"东大街第一网格"}
        if form != "csv":
            assert frame.crs == 4326
            assert frame.geometry.is_valid.all()


@pytest.mark.parametrize(
    ("body", "says"),
    [
        ({"kind": "move", "version": 0}, "needs cells and to"),
        ({"kind": "assign", "version": 0, "cells": [0, 0], "places": [1, 1]}, "each cell once"),
        ({"kind": "assign", "version": 0, "cells": [0, 1], "places": [1]}, "a place for each"),
        ({"kind": "assign", "version": 0, "cells": [0], "places": [10**9]}, "no grid 1000000000"),
        ({"kind": "split", "version": 0, "grid": 1}, "parts or line"),
        ({"kind": "split", "version": 0, "grid": 10**9, "parts": 2}, "no grid"),
        ({"kind": "merge", "version": 0, "grids": [1]}, "two or more"),
        ({"kind": "merge", "version": 0, "grids": [1, 2], "to": 3}, "takes no to"),
        ({"kind": "border", "version": 0, "polygon": [[0, 0], [1, 0], [1, 1]]}, "no cell lies"),
        ({"kind": "border", "version": 0, "polygon": [[200, 0], [1, 0], [1, 1]]}, "less than"),
        ({"kind": "border", "version": 0,
          "polygon": [[117, 45], [117.1, 45.1], [117.1, 45], [117, 45.1]]}, "crosses itself"),
        ({"kind": "repair", "version": 0}, "nothing to mend"),
        ({"kind": "move", "version": 0, "cells": [10**6], "to": 1}, "no cell 1000000"),
        ({"kind": "fly", "version": 0}, "should be"),
        ({"kind": "repair", "version": -1}, "greater than"),
    ],
)  # fmt: skip
def test_what_cannot_be_done_is_named(desk: Desk, body: dict[str, Any], says: str) -> None:
    before = desk.open()
    answer = desk.client.post(f"{URL}/{desk.edition}/moves", json=body)
    assert says in str(problem(answer)["problems"]), answer.text
    assert desk.get() == before


def test_a_border_over_the_line_of_a_village(desk: Desk) -> None:
    desk.open()
    grids = desk.get("/grids")["items"]
    mine = next(g["id"] for g in grids if g["unit_code"] == factories.VILLAGES[0])
    west, south, east, north = factories.WEST, 45.0, factories.WEST + 4 * factories.STEP, 45.02
    middle = factories.WEST + 2 * factories.STEP
    other = [[middle + 0.003, south], [east, south], [east, north], [middle + 0.003, north]]
    body = {"kind": "border", "version": 0, "polygon": other, "to": mine}
    url = f"{URL}/{desk.edition}/moves"
    (told,) = problem(desk.client.post(url, json=body))["problems"]
    assert f"none of them in {factories.VILLAGES[0]}" in told["reason"]
    zh = desk.client.post(url, json=body, headers={"Accept-Language": "zh"})
    (told,) = problem(zh)["problems"]
    assert f"都不属于该网格所在的社区（村）{factories.VILLAGES[0]}" in told["reason"]
    assert told["remedy"].startswith("请改选")
    # Those of its own village go, the others stay and are counted.
    whole = [[west - 0.1, 44.9], [east + 0.1, 44.9], [east + 0.1, 45.1], [west - 0.1, 45.1]]
    done = desk.post("/moves", **body | {"polygon": whole})
    assert done["left_out"] > 0
    assert {grid["id"] for grid in done["grids"]} == {mine}


def test_an_older_version_is_told(desk: Desk) -> None:
    desk.open()
    grid = desk.get("/grids")["items"][0]["id"]
    body = {"kind": "split", "version": 0, "grid": grid, "parts": 2}
    desk.post("/moves", **body)
    answer = desk.client.post(f"{URL}/{desk.edition}/moves", json=body | {"parts": 3})
    told = problem(answer, 409)
    assert told["type"] == "urn:wangge:error:PlanConflict"
    assert "tester: do at" in told["detail"]


def test_who_may_not(desk: Desk) -> None:
    desk.open()
    for role in ("dispatcher", "community", "analyst"):
        headers = desk.as_role(role)
        assert desk.client.get(URL, headers=headers).status_code == 403
        answer = desk.client.post(
            f"{URL}/{desk.edition}/undo", json={"version": 0}, headers=headers
        )
        assert answer.status_code == 403
    # A planner of another county finds nothing.
    headers = desk.as_role("planner", "990122")
    assert desk.client.get(URL, headers=headers).json() == {"plans": []}
    assert desk.client.get(f"{URL}/{desk.edition}", headers=headers).status_code == 404


def test_no_such_plan(desk: Desk) -> None:
    assert problem(desk.client.get(f"{URL}/999999"), 404)["type"].endswith("PlanNotFound")
    answer = desk.client.post(URL, json={"edition": 999999})
    assert problem(answer, 404)["type"].endswith("EditionNotFound")


def test_a_plan_is_drawn(desk: Desk) -> None:
    desk.open()
    held = desk.get("/grids")["items"][0]
    desk.post("/locks", status=200, grids=[held["id"]])
    asked = {"area": factories.COUNTY, "before": desk.edition, "target": 200, "keep": 0.01}
    answer = desk.client.post(f"{URL}/drawings", json=asked | {"curve": True})
    assert answer.status_code == 201, answer.text
    drawn = answer.json()
    curve = {each["keep"]: each for each in drawn["curve"]}
    assert list(curve) == [0.0, 0.01, 0.03, 0.1, 0.3, 1.0]
    assert curve[1.0]["moved"] < curve[0.0]["moved"]
    assert [price for price, each in curve.items() if each["drawn"]] == [0.01]
    assert curve[0.01]["moved"] == drawn["households_moved"]
    assert curve[0.01]["grids"] == drawn["plan"]["figures"]["grids"]
    assert drawn["plan"]["based_on"] == desk.edition
    assert drawn["plan"]["state"] == "open"
    assert drawn["households_moved"] > 0
    assert drawn["lineage"]
    number = drawn["plan"]["id"]
    items = desk.client.get(f"{URL}/{number}/grids").json()["items"]
    assert [each["id"] for each in items if each["locked_by"]] == [held["id"]]
    # The same data and seed: the same grids.
    again = desk.client.post(f"{URL}/drawings", json=asked).json()
    assert again["curve"] is None
    others = desk.client.get(f"{URL}/{again['plan']['id']}/grids").json()["items"]
    assert [each["households"] for each in others] == [each["households"] for each in items]


def test_pins_and_camps_of_a_drawing(desk: Desk) -> None:
    desk.open()
    cells = sorted(desk.cells().values(), key=lambda each: each.cell_id)
    lived = [each for each in cells if each.households]
    here, other = lived[0], next(
        each for each in lived
        if each.unit_code == lived[0].unit_code and each.grid_id != lived[0].grid_id
    )  # fmt: skip
    codes = {grid["id"]: grid["code"] for grid in desk.get("/grids")["items"]}
    asked = {
        "area": factories.COUNTY,
        "before": desk.edition,
        "prices": "pastoral",
        "effort": "quick",
        "pinned": [{"building": here.building_ids[0], "grid": codes[other.grid_id]}],
        "camps": [
            {"external_id": "0-0.3", "lon": 117.03, "lat": 45.005, "season": "summer"},
            {"building": other.building_ids[0], "lon": 120, "lat": 45},
        ],
    }
    answer = desk.client.post(f"{URL}/drawings", json=asked)
    assert answer.status_code == 201, answer.text
    drawn = answer.json()
    told = {each["rule"]: each for each in drawn["findings"]}
    assert told["camp_apart"]["place"]
    assert drawn["households_with_camp"] > 0
    assert "pin_not_kept" not in told
    desk.edition = drawn["plan"]["id"]
    grids = {grid["id"]: grid["code"] for grid in desk.get("/grids")["items"]}
    (held,) = (c for c in desk.cells().values() if here.building_ids[0] in c.building_ids)
    assert grids[held.grid_id] == codes[other.grid_id]


def test_every_pin_and_camp_that_cannot_be_is_told_at_once(desk: Desk) -> None:
    desk.open()
    mine = desk.get("/grids")["items"][0]["code"]
    place = {"lon": 117.01, "lat": 45.01}
    asked = {
        "area": factories.COUNTY,
        "before": desk.edition,
        "minimum": 3,
        "maximum": 2,
        "pinned": [{"building": 999_999, "grid": "x9"}, {"external_id": "none", "grid": mine}],
        "camps": [{"external_id": "0-0.3", **place}, {"building": 888_888, **place}],
    }
    answer = desk.client.post(f"{URL}/drawings", json=asked)
    fields = [each["field"] for each in problem(answer, 422)["problems"]]
    assert sorted(fields) == [
        "camps.1.building", "minimum", "pinned.0.building", "pinned.0.grid",
        "pinned.1.external_id",
    ]  # fmt: skip
    malformed = {"camps": [{"lon": 117.01, "lat": 45.01}, {"building": 1, "lon": 200, "lat": 45}]}
    answer = desk.client.post(f"{URL}/drawings", json={"area": factories.COUNTY} | malformed)
    fields = [each["field"] for each in problem(answer, 422)["problems"]]
    assert fields == ["camps.0", "camps.1.lon"]
    alone = {"area": factories.COUNTY, "pinned": [{"building": 1, "grid": mine}]}
    answer = desk.client.post(f"{URL}/drawings", json=alone)
    assert [each["field"] for each in problem(answer, 422)["problems"]] == ["pinned"]


@pytest.mark.parametrize(
    ("body", "status", "says"),
    [
        ({"area": "x"}, 422, "area"),
        ({"area": factories.COUNTY, "count": 0}, 422, "count"),
        ({"area": factories.COUNTY, "effort": "soon"}, 422, "effort"),
        ({"area": factories.COUNTY, "minimum": 3, "maximum": 2}, 422, "minimum"),
        ({"area": factories.COUNTY, "count": 100_000}, 422, "count"),
        ({"area": "990199"}, 404, "990199"),
        ({"area": factories.COUNTY, "before": 999}, 404, "999"),
        ({"area": factories.COUNTY, "curve": True}, 422, "give before as well"),
        (
            {"area": factories.COUNTY, "before": 1, "curve": True, "effort": 18},
            422,
            "at most 17 seconds",
        ),
    ],
)
def test_a_drawing_that_cannot_be(desk: Desk, body: dict[str, Any], status: int, says: str) -> None:
    answer = desk.client.post(f"{URL}/drawings", json=body)
    assert says in str(problem(answer, status))
    with desk.database.transaction() as session:
        assert session.scalar(sa.text("SELECT max(id) FROM editions")) == desk.edition


def test_one_plan_is_drawn_at_a_time(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    with plan_drawings._drawing:
        answer = desk.client.post(f"{URL}/drawings", json={"area": factories.COUNTY})
    problem(answer, 429)
    assert int(answer.headers["Retry-After"]) > 0
    monkeypatch.setattr(plan_drawings, "MOST_BUILDINGS", 10)
    answer = desk.client.post(f"{URL}/drawings", json={"area": factories.COUNTY})
    assert "wangge plan draw --unit" in str(problem(answer, 422))
