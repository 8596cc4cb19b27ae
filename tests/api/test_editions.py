"""Editions over HTTP: their history, what keeps one back, published and taken back."""

from __future__ import annotations

from typing import TYPE_CHECKING

from shapely import box

from grids import service
from grids.plans import changeover
from tests import factories
from tests.api.test_incidents import body, problem
from tests.factories import SOUTH, STEP, VILLAGES, WEST

if TYPE_CHECKING:
    from shapely import Polygon

    from tests.api.conftest import Town

URL = "/api/v1/editions"
SCHOOL, ROW = f"{VILLAGES[0]}901", f"{VILLAGES[0]}00101"
LAID = box(WEST + 1.2 * STEP, SOUTH, WEST + 1.8 * STEP, SOUTH + STEP)


def draft(town: Town, kind: str, shapes: dict[str, Polygon]) -> int:
    with town.database.transaction() as session:
        return service.save_draft(
            session, factories.COUNTY, factories.overlays(shapes), title="t", author="a", kind=kind
        ).id


def test_exclusive_grids_in_force_and_back(own_town: Town) -> None:
    before = own_town.client.post("/api/v1/incidents", json=body()).json()
    with own_town.database.transaction() as session:
        changeover.change_over(session, author="t")  # to the base grids
    first = draft(own_town, "exclusive", {SCHOOL: LAID})
    assert own_town.client.get(f"{URL}/{first}/breaches").json() == []
    done = own_town.client.post(f"{URL}/{first}/publish", json={})
    assert done.status_code == 200, done.text
    told = done.json()
    assert (told["grids"], told["replaced"], told["unnested"]) == (1, [], [])
    assert [each["code"] for each in told["to_do"] if each["kind"] == "nobody"] == [SCHOOL]
    left = own_town.client.get(f"{URL}/{first}/to-do")
    assert left.json() == told["to_do"]
    assert told["incidents"] == 1
    (event,) = [
        each
        for each in own_town.client.get(f"/api/v1/incidents/{before['id']}").json()["events"]
        if each["kind"] == "reassigned"
    ]
    assert event["note"] == ""
    lon, lat = factories.middle(1)
    where = own_town.client.get("/api/v1/locate", params={"lon": lon, "lat": lat}).json()
    assert where["exclusive"]["code"] == SCHOOL
    problem(own_town.client.post(f"{URL}/{first}/publish", json={}), 409)
    problem(own_town.client.post(f"{URL}/{first}/rollback", json={}), 409)
    second = draft(own_town, "exclusive", {f"{VILLAGES[0]}902": LAID})
    assert own_town.client.post(f"{URL}/{second}/publish", json={}).json()["kept"] == 1
    back = own_town.client.post(f"{URL}/{second}/rollback", json={"note": "wrong file"})
    assert back.json()["replaced"] == [second]
    listed = own_town.client.get(URL, params={"kind": "exclusive", "limit": 2}).json()
    assert [(each["status"], each["kind"], each["grids"]) for each in listed["items"]] == [
        ("active", "exclusive", 1), ("superseded", "exclusive", 1),
    ]  # fmt: skip
    rest = own_town.client.get(URL, params={"kind": "exclusive", "cursor": listed["next"]}).json()
    assert [each["id"] for each in rest["items"]] == [first]


def test_what_keeps_it_back_is_named(own_town: Town) -> None:
    wide = draft(own_town, "micro", {ROW: box(WEST + 0.5 * STEP, SOUTH, WEST + 1.5 * STEP, 45.01)})
    (breach,) = own_town.client.get(f"{URL}/{wide}/breaches").json()
    assert f"micro grid {ROW} crosses the border of base grid" in breach["reason"]
    told = problem(own_town.client.post(f"{URL}/{wide}/publish", json={}))
    assert told["problems"][0]["reason"] == breach["reason"]
    for path in ("publish", "rollback"):
        assert own_town.client.post(f"{URL}/{10**9}/{path}", json={}).status_code == 404
