"""Every read of personal data is in the log, and the log is its administrator's alone."""

from __future__ import annotations

import uuid
from typing import TYPE_CHECKING, Any

import pytest
import sqlalchemy as sa

from boundaries.access import Credential, enter
from gis import audit
from gis.audit import verify
from maps.tile_layers import LAYERS
from tests import factories
from tests.api import test_audit_changes as changes
from tests.api.test_heatmaps_streets import lay_street

if TYPE_CHECKING:
    import httpx

    from tests.api.conftest import Town

URL = "/api/v1/audit"
OTHER = "990122"
# At zoom 10: the tile over the county, and one in the south of China.
HERE, EMPTY = "10/844/368", "10/830/440"
SECRETS = ("王老五", "二单元东户", "打架要赔钱", "网格员1")

# What an answer of each route enters in the log: kind, fields that must be among those named. None:
# nothing, for the reason that docs/audit.md gives. A route that is added is missing here.
LOGGED: dict[str, tuple[str, set[str]] | None] = {
    "GET /health/live": None,
    "GET /health/ready": None,
    "GET /api/v1/session": None,
    "GET /api/v1/meta": None,
    "GET /api/v1/heatmaps": ("incident", {"place"}),
    "GET /api/v1/heatmaps.png": ("incident", {"place"}),
    "GET /api/v1/heatmaps.geojson": ("incident", {"place"}),
    "GET /tiles/heatmap/{z}/{x}/{y}.png": ("tile", {"place"}),
    "GET /tiles/heatmap/{z}/{x}/{y}": ("tile", {"place"}),
    "GET /tiles/streets/{z}/{x}/{y}": ("tile", {"place"}),
    "GET /api/v1/heatmaps/streets": ("incident", {"place"}),
    "GET /api/v1/heatmaps/streets.geojson": ("incident", {"place"}),
    "GET /api/v1/gridmaps": None,
    "GET /api/v1/gridmaps.geojson": None,
    # Counts of grids; the places of repeat addresses are entered: test_hotspots.
    "GET /api/v1/hotspots": None,
    "GET /api/v1/hotspots.geojson": None,
    "GET /tiles/{layer}": None,
    "GET /tiles/{layer}/{z}/{x}/{y}": ("tile", {"worker"}),
    "GET /api/v1/locate": ("person", {"name"}),
    "POST /api/v1/locate": ("person", {"name"}),
    "GET /api/v1/incidents": ("incident", {"place", "responsible.name"}),
    "GET /api/v1/incidents/{incident_id}": ("incident", {"text", "address", "events.note"}),
    "POST /api/v1/incidents": ("incident", {"responsible.name"}),
    "POST /api/v1/incidents/{incident_id}/events": ("incident", {"text", "address"}),
    "GET /api/v1/audit": ("audit", {"actor"}),
    "GET /api/v1/accounts": ("account", {"name"}),
    "GET /api/v1/accounts/{account_id}": ("account", {"name"}),
    "GET /api/v1/accounts/{account_id}/sessions": ("account", {"address", "agent"}),
    "GET /api/v1/sessions": None,
    "GET /api/v1/oidc": None,
    "GET /api/v1/keys": None,
    "GET /api/v1/grants": None,
    "GET /api/v1/departments": None,
    "GET /api/v1/exports": None,
    "GET /api/v1/signs": None,
    "GET /api/v1/people": ("person", {"name", "phone_last4"}),
    "POST /api/v1/people/search": ("person", {"name", "phone_last4"}),
    "GET /api/v1/me/tracks": ("patrol", {"place", "times"}),
    "GET /api/v1/me/looks": ("audit", {"actor", "purpose"}),
}
# What is entered by requests that change something: test_audit_changes.
ELSEWHERE = set(changes.LOGGED) - set(LOGGED) | {
    "GET /api/v1/exports/{export_id}",  # one line of the list
    # What strangers send by a sign, and the poster of one, name nobody: test_signs.
    "POST /api/v1/intake", "POST /api/v1/intake/sign", "POST /api/v1/intake/receipt",
    "GET /api/v1/signs/{sign_code}/poster.pdf",
    # Counts that need weeks of reports: test_hotspots.
    "GET /api/v1/attention", "GET /api/v1/attention.geojson", "GET /api/v1/attention/backtest",
    "GET /attention/backtest",
    # Which may be one, and where they come again: test_incident_duplicates.
    "GET /api/v1/incidents/repeats", "GET /api/v1/incidents/{incident_id}/duplicates",
    # Editions name nobody but in what is left to do: test_editions.
    "GET /api/v1/editions", "GET /api/v1/editions/{edition_id}/lineage",
    "GET /api/v1/editions/{edition_id}/breaches", "GET /api/v1/editions/{edition_id}/to-do",
    "POST /api/v1/editions/{edition_id}/publish", "POST /api/v1/editions/{edition_id}/rollback",
    "POST /api/v1/editions/{edition_id}/withdraw",
    # Reviews of addresses, and what people said of them: test_addresses.
    "POST /api/v1/addresses/search", "GET /api/v1/addresses/reverse",
    "GET /api/v1/addresses/aliases", "DELETE /api/v1/addresses/aliases/{alias_id}",
    "GET /api/v1/addresses/reviews", "GET /api/v1/addresses/reviews/{review_id}",
    "POST /api/v1/addresses/reviews/{review_id}",
    # Plans, which name nobody but in a comparison: test_plans.
    "GET /api/v1/plans", "POST /api/v1/plans", "POST /api/v1/plans/drawings",
    "GET /api/v1/plans/{plan_id}", "GET /api/v1/plans/{plan_id}/cells",
    *(f"GET /api/v1/plans/{{plan_id}}/{each}" for each in (
        "grids", "moves", "comments", "save-points", "reviews", "comparison", "difference",
        "letters", "export", "shapes",
    )),
    *(f"POST /api/v1/plans/{{plan_id}}/{each}" for each in (
        "moves", "undo", "redo", "go-to", "locks", "unlock", "comments", "save-points", "submit",
        "comments/{comment_id}/close", "approve", "return", "publish",
    )),
}  # fmt: skip
TILES: dict[str, set[str] | None] = {
    "units": None,
    "borders": None,
    "barriers": None,
    "buildings": None,
    "grids": {"worker"},
    "cameras": {"place"},
    "routes": {"course", "checkpoints"},
    "incidents": {"place", "category"},
}

CAMERA = (
    "INSERT INTO cameras (county_code, name, hfov_deg, range_m, geom, source, external_id) "
    "VALUES ('990121', 'c', 60, 100, 'SRID=4326;POINT(117.01 45.01)', 's', '1')"
)
ROUTE = (
    "INSERT INTO patrol_routes (county_code, name, means, interval_days, geom, source, external_id)"
    " VALUES ('990121', 'r', 'horse', 3, "
    "'SRID=4326;LINESTRING(117.01 45.01,117.03 45.01)', 's', '1')"
)


# Of the first grid's worker, whose account the caller's is.
PATROL = (
    "INSERT INTO patrols (county_code, started_at, ended_at, state, source, external_id, person_id)"
    " VALUES ('990121', now() - interval '1 day', now(), 'done', 's', '1', :person)"
)


def entries(town: Town, where: str = "true", **values: Any) -> list[Any]:
    with town.database.transaction() as session:
        sql = f"SELECT * FROM audit_log WHERE {where} ORDER BY id"
        return list(session.execute(sa.text(sql), values).all())


def newest(town: Town) -> int:
    with town.database.transaction() as session:
        return int(session.scalar(sa.text("SELECT coalesce(max(id), 0) FROM audit_log")) or 0)


def report(town: Town, place: int = 1, **fields: Any) -> str:
    lon, lat = factories.middle(place)
    number = str(uuid.uuid4())
    body = {"id": number, "category": "neighbour", "lon": lon, "lat": lat, **fields}
    assert town.client.post("/api/v1/incidents", json=body).status_code == 201
    return number


def as_account(town: Town, role: str, area: str = "", **more: Any) -> dict[str, str]:
    with town.database.transaction() as session:
        login = f"{role.replace('_', '-')}.{uuid.uuid4().hex[:8]}"
        made = factories.account(session, role, area, login=login, **more)
        return {"Authorization": f"Bearer {factories.key(session, made)}"}


def ask(town: Town, route: str, incident: str) -> httpx.Response:
    lon, lat = factories.middle(1)
    method, _, path = route.partition(" ")
    with town.database.transaction() as session:
        account = session.scalar(sa.text("SELECT id FROM accounts WHERE login = 'tester'"))
    path = path.format(incident_id=incident, account_id=account, layer="grids", z=10, x=844, y=368)
    if method == "GET":
        given = {"lon": lon, "lat": lat} if path.endswith("/locate") else {}
        return town.client.get(path, params=given)
    body: dict[str, Any] = {"to_state": "dispatched"}
    if path.endswith("/search"):
        body = {"name": "网格员"}
    elif path.endswith("/locate"):
        body = {"points": [{"lon": lon, "lat": lat}]}
    elif not path.endswith("/events"):
        body = {"id": str(uuid.uuid4()), "category": "neighbour", "lon": lon, "lat": lat}
    return town.client.post(path, json=body)


def test_every_route_is_decided_upon(town: Town) -> None:
    document = town.client.get("/openapi.json").json()
    routes = {
        f"{method.upper()} {path}" for path, item in document["paths"].items() for method in item
    }
    assert routes == set(LOGGED) | ELSEWHERE
    assert not set(LOGGED) & ELSEWHERE
    assert set(LAYERS) == set(TILES)


@pytest.mark.parametrize("route", LOGGED)
def test_a_route_enters_what_it_shows(own_town: Town, route: str) -> None:
    incident = report(own_town, text="打架要赔钱", address="二单元东户")
    if "/streets" in route:
        lay_street(own_town)
    if "/me/" in route:
        person = own_town.county.workers[factories.grid_code(0)]
        with own_town.database.transaction() as session:
            own = "UPDATE accounts SET person_id = :person WHERE login = 'tester'"
            session.execute(sa.text(own), {"person": person})
            session.execute(sa.text(PATROL), {"person": person})
    before = newest(own_town)
    answer = ask(own_town, route, incident)
    assert answer.status_code in {200, 201}, answer.text
    found = [e for e in entries(own_town, "id > :before", before=before) if e.action != "x"]
    expected = LOGGED[route]
    if expected is None:
        assert found == []
        return
    kind, fields = expected
    (entry,) = [each for each in found if each.action in {"read", "search"}]
    assert entry.object_kind == kind
    assert fields <= set(entry.fields.split(","))
    assert (entry.actor, entry.role, entry.scope) == ("tester", "all", "")
    assert entry.account_id is not None
    assert entry.key_id is not None
    assert entry.origin == "testclient"
    if kind != "audit":
        assert entry.count > 0
    if kind not in {"audit", "account"}:
        assert entry.county_code == factories.COUNTY


@pytest.mark.parametrize("layer", TILES)
def test_a_tile_is_one_entry(own_town: Town, layer: str) -> None:
    report(own_town)
    report(own_town, 2)
    with own_town.database.transaction() as session:
        session.execute(sa.text(CAMERA))
        session.execute(sa.text(ROUTE))
    before = newest(own_town)
    first = own_town.client.get(f"/tiles/{layer}/{HERE}?category=%E7%BA%A0%E7%BA%B7")
    assert first.status_code in {200, 204}
    known = {"If-None-Match": first.headers["etag"]}
    again = own_town.client.get(f"/tiles/{layer}/{HERE}", headers=known)
    empty = own_town.client.get(f"/tiles/{layer}/{EMPTY}")
    assert empty.status_code == 204
    found = entries(own_town, "id > :before", before=before)
    fields = TILES[layer]
    if fields is None:
        assert found == []
        return
    assert all(each.object_kind == "tile" and each.action == "read" for each in found)
    here = [each for each in found if each.object_id == f"{layer}/{HERE}"]
    # A tile that the client holds already is looked at again: 304 is no excuse.
    assert again.status_code in {200, 304}
    assert len(here) == 2
    assert fields <= set(here[0].fields.split(","))
    assert here[1].county_code == factories.COUNTY
    assert here[1].count == {"grids": 4, "incidents": 2, "cameras": 1, "routes": 1}[layer]
    nothing = [each for each in found if each.object_id == f"{layer}/{EMPTY}"]
    # That there is no camera is worth knowing; a tile of grids without people names nobody.
    assert [each.count for each in nothing] == ([] if layer == "grids" else [0])


@pytest.mark.parametrize("name", ["heatmap", "streets"])
def test_a_density_is_entered_as_what_it_shows(own_town: Town, name: str) -> None:
    lay_street(own_town)
    report(own_town)
    report(own_town, 2)
    before = newest(own_town)
    here = own_town.client.get(f"/tiles/{name}/{HERE}")
    known = {"If-None-Match": here.headers["etag"]}
    assert own_town.client.get(f"/tiles/{name}/{HERE}", headers=known).status_code == 304
    own_town.client.get(f"/tiles/{name}/{EMPTY}")
    report(own_town)
    own_town.client.get(f"/tiles/{name}/{HERE}", headers=known)
    found = entries(own_town, "id > :before AND object_kind = 'tile'", before=before)
    assert [(each.object_id, each.count) for each in found] == [
        (f"{name}/{HERE}", 2), (f"{name}/{HERE}", 2), (f"{name}/{EMPTY}", 0), (f"{name}/{HERE}", 3),
    ]  # fmt: skip


def test_a_shared_density_hides_places_and_is_not_entered(own_town: Town) -> None:
    report(own_town)
    before = newest(own_town)
    query = {"shared": "true", "start": "2026-04-01", "end": "2026-07-01"}
    answer = own_town.client.get("/api/v1/heatmaps", params=query)
    assert answer.status_code == 200, answer.text
    assert entries(own_town, "id > :before", before=before) == []


def test_nothing_that_was_said_is_in_the_log(own_town: Town) -> None:
    incident = report(own_town, text="王老五打架要赔钱", address="二单元东户", source="王老五")
    for route in LOGGED:
        ask(own_town, route, incident)
    for layer in TILES:
        own_town.client.get(f"/tiles/{layer}/{HERE}")
    own_town.client.get(URL, params={"actor": "王老五", "object_id": "打架要赔钱"})
    own_town.client.get("/api/v1/incidents", params={"category": "王老五"})
    with own_town.database.transaction() as session:
        said = " ".join(session.scalars(sa.text("SELECT l::text FROM audit_log AS l")))
    assert not [each for each in SECRETS if each in said]


def test_a_list_says_which_and_how_many(own_town: Town) -> None:
    ids = {report(own_town, place) for place in (0, 1, 3)}
    before = newest(own_town)
    answer = own_town.client.get(
        "/api/v1/incidents",
        params={"bbox": "117,45,117.08,45.02", "category": "neighbour", "start": "2026-01-01"},
    )
    assert len(answer.json()["items"]) == 3
    (entry,) = entries(own_town, "id > :before", before=before)
    assert (entry.action, entry.count) == ("search", 3)
    assert set(entry.detail["ids"]) == ids
    assert entry.detail["bbox"] == "117.000000,45.000000,117.080000,45.020000"
    assert entry.detail["category"] == ["neighbour"]
    assert entry.detail["start"] == "2026-01-01T00:00:00+08:00"


def test_no_entry_no_answer(own_town: Town) -> None:
    """What cannot be entered is not handed out."""
    incident = report(own_town, text="打架要赔钱")
    with own_town.database.transaction() as session:
        session.execute(
            sa.text(
                "ALTER TABLE audit_log ADD CONSTRAINT full_up CHECK (action <> 'read') NOT VALID"
            )
        )
    for path in (f"/api/v1/incidents/{incident}", f"/tiles/incidents/{HERE}"):
        answer = own_town.client.get(path)
        assert answer.status_code == 500
        assert "打架要赔钱" not in answer.text


def test_what_is_refused_shows_nothing_and_enters_no_reading(town: Town) -> None:
    before = newest(town)
    refused = as_account(town, "analyst")
    assert town.client.get(f"/tiles/cameras/{HERE}", headers=refused).status_code == 403
    assert town.client.get(f"/api/v1/incidents/{uuid.uuid4()}").status_code == 404
    found = entries(town, "id > :before", before=before)
    assert [(e.action, e.fields) for e in found] == [("request.refused", "")] * 2


@pytest.mark.parametrize(
    "role",
    [
        "grid_worker", "community", "township", "department", "dispatcher", "planner",
        "patrol_leader", "analyst", "integrator", "system_admin", "security_admin", "resident",
    ],
)  # fmt: skip
def test_nobody_else_reads_the_log(town: Town, role: str) -> None:
    worker = town.county.workers[factories.grid_code(0)] if role == "grid_worker" else None
    headers = as_account(town, role, person=worker)
    answer = town.client.get(URL, headers=headers)
    assert answer.status_code == 403
    with town.database.service_transaction() as session:
        # Nor by any query of the service's.
        secret = headers["Authorization"].removeprefix("Bearer ")
        enter(session, Credential.of(secret, is_key=True))
        assert session.scalar(sa.text("SELECT count(*) FROM audit_log")) == 0
        assert session.scalar(sa.text("SELECT count(*) FROM audit_purposes")) == 0


def test_the_anonymous_do_not(town: Town) -> None:
    assert town.client.get(URL, headers={"Authorization": ""}).status_code == 401


def test_an_audit_administrator_reads_its_area_only(own_town: Town) -> None:
    with own_town.database.transaction() as session:
        for county in (factories.COUNTY, OTHER, None):
            audit.record(
                session, actor="t", action="x.y", object_kind="thing", object_id=county or "none",
                county_code=county, purpose="核实",
            )  # fmt: skip
    seen = {
        area: {
            item["object_id"]
            for item in own_town.client.get(
                URL,
                params={"action": "x."},
                headers=as_account(own_town, "audit_admin", area),
            ).json()["items"]
        }
        for area in ("", "99", factories.COUNTY, OTHER, f"{factories.COUNTY}101")
    }
    assert seen == {
        "": {factories.COUNTY, OTHER, "none"},
        "99": {factories.COUNTY, OTHER},
        factories.COUNTY: {factories.COUNTY},
        OTHER: {OTHER},
        f"{factories.COUNTY}101": set(),
    }
    (item,) = own_town.client.get(
        URL, params={"action": "x."}, headers=as_account(own_town, "audit_admin", OTHER)
    ).json()["items"]
    assert item["purpose"] == "核实"
    with own_town.database.transaction() as session:
        session.execute(sa.text("DELETE FROM audit_purposes"))
    (item,) = own_town.client.get(
        URL, params={"action": "x."}, headers=as_account(own_town, "audit_admin", OTHER)
    ).json()["items"]
    assert item["purpose"] == "(erased)"


def test_reading_the_log_is_in_the_log(own_town: Town) -> None:
    headers = as_account(own_town, "audit_admin", factories.COUNTY)
    own_town.client.get(URL, headers=headers, params={"actor": "tester", "start": "2026-05-01"})
    (entry,) = entries(own_town, "object_kind = 'audit'")
    assert (entry.action, entry.role, entry.county_code) == (
        "search",
        "audit_admin",
        factories.COUNTY,
    )
    assert entry.detail["of_actor"] == "tester"
    assert entry.detail["of_start"].startswith("2026-05-01")


def test_pages_follow_one_another_while_others_write(own_town: Town) -> None:
    for _ in range(7):
        report(own_town)
    wanted = {"action": "incident.report", "limit": 3}
    got: list[int] = []
    before: int | None = None
    while True:
        asked = wanted | ({"before": before} if before else {})
        answer = own_town.client.get(URL, params=asked).json()
        got += [item["id"] for item in answer["items"]]
        report(own_town)
        before = answer["next"]
        if before is None:
            break
    assert got == sorted(got, reverse=True)
    assert len(got) == len(set(got)) == 7


@pytest.mark.parametrize(
    "asked",
    [{"limit": 0}, {"before": 0}, {"before": "x"}, {"start": "2026-02-01", "end": "2026-01-01"}],
)
def test_what_cannot_be_asked(town: Town, asked: dict[str, Any]) -> None:
    assert town.client.get(URL, params=asked).status_code == 422


def test_requests_leave_whole_chains(own_town: Town) -> None:
    for place in range(4):
        incident = report(own_town, place)
        ask(own_town, "GET /api/v1/incidents/{incident_id}", incident)
    report_ = verify.verify(own_town.database)
    assert report_.breaches == []
    assert report_.rows == len(entries(own_town))


def test_seen_by_a_grant_is_told_apart(own_town: Town) -> None:
    """An account of another county that was granted this one: its reads say `outside`."""
    incident = report(own_town)
    with own_town.database.transaction() as session:
        session.execute(
            sa.text(
                "INSERT INTO admin_units (code, level, parent_code, name, source) "
                "VALUES (:code, 6, '9901', '邻旗', 'test')"
            ),
            {"code": OTHER},
        )
        made = factories.account(session, "dispatcher", OTHER)
        session.execute(
            sa.text(
                "INSERT INTO area_grants (account_id, area_code, kind, reason, valid, given_by) "
                "VALUES (:id, :area, 'grant', 'joint case', "
                "tstzrange(now(), now() + interval '1 day'), 't')"
            ),
            {"id": made.id, "area": factories.COUNTY},
        )
        cookie = factories.token(session, made)
    own_town.client.headers.pop("Authorization")
    answer = own_town.client.get(
        f"/api/v1/incidents/{incident}", headers={"Cookie": f"wangge_session={cookie}"}
    )
    assert answer.status_code == 200
    entry = entries(own_town, "action = 'read'")[-1]
    assert entry.scope == f"{OTHER},{factories.COUNTY}"
    assert entry.detail["outside"] == 1
    assert entry.county_code == factories.COUNTY
    assert entry.session_id is not None
