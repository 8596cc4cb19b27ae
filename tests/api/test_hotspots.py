"""Hot spots, the attention list and its back-test over HTTP."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest
import sqlalchemy as sa

from tests import factories
from tests.maps.hotspots.reported import AFTER, MONDAY, WEEKS, fill

if TYPE_CHECKING:
    from tests.api.conftest import Town

PERIOD = {"start": MONDAY.isoformat(), "end": AFTER.isoformat()}


@pytest.fixture(scope="module")
def busy(town: Town) -> Town:
    with town.database.transaction() as session:
        fill(session)
    return town


def told(town: Town, path: str, **query: Any) -> dict[str, Any]:
    answer = town.client.get(f"/api/v1/{path}", params=query)
    assert answer.status_code == 200, answer.text
    return answer.json()


def test_figures_of_each_grid(busy: Town) -> None:
    found = told(busy, "hotspots", **PERIOD)
    assert (found["n"], found["n_outside"], found["n_without_place"]) == (4 * WEEKS, 0, 0)
    first, second = found["grids"][:2]
    assert first["code"] == factories.grid_code(0)
    assert (first["events"], first["class"]) == (48, "hot")
    assert (first["observed"], first["expected"]) == (48, pytest.approx(32))
    assert first["p"] <= first["q"] < 0.05 < second["q"]
    assert [(each["key"], each["count"]) for each in found["legend"]] == [("hot", 1), ("none", 3)]
    assert found["statistic"]["en"] == "observed over expected"
    assert any("by the time of the report" in note["en"] for note in found["notes"])


def test_every_method_answers_and_is_a_layer(busy: Town) -> None:
    for method in (
        "hot_grids", "gi_star", "local_moran", "scan", "emerging", "near_repeat",
        "repeat_addresses",
    ):  # fmt: skip
        found = told(busy, "hotspots", method=method, **PERIOD)
        assert found["method"] == method
        assert (found["pairs"] is not None) == (method == "near_repeat")
        answer = busy.client.get("/api/v1/hotspots.geojson", params=PERIOD | {"method": method})
        if method == "near_repeat":
            assert answer.status_code == 422
            continue
        assert answer.headers["content-type"] == "application/geo+json"
        layer = answer.json()
        if method == "repeat_addresses":
            assert [place["events"] for place in found["places"]] == [48, 16]
            assert layer["features"][0]["geometry"]["coordinates"] == pytest.approx(
                list(factories.middle(0))
            )
            continue
        assert len(layer["features"]) == len(found["grids"]) == 4
        shown = layer["features"][0]
        assert shown["geometry"]["type"] == "Polygon"
        assert shown["properties"]["class"] == found["grids"][0]["class"]
    weekly = told(busy, "hotspots", method="scan", weekly=True, **PERIOD)
    assert weekly["clusters"][0]["last_week"] == WEEKS - 1


def test_a_unit_and_an_account_of_a_village_see_its_grids(busy: Town) -> None:
    village = factories.VILLAGES[1]
    with busy.database.transaction() as session:
        secret = factories.key(session, factories.account(session, "analyst", village))
    own = {"Authorization": f"Bearer {secret}"}
    for path in ("hotspots", "attention", "attention/backtest"):
        query = PERIOD if path == "hotspots" else {}
        query |= {"weeks": 3} if path == "attention/backtest" else {}
        mine = busy.client.get(f"/api/v1/{path}", params=query, headers=own)
        assert mine.status_code == 200, mine.text
        unit = busy.client.get(f"/api/v1/{path}", params=query | {"unit": village})
        assert mine.json() == unit.json()
        assert unit.json() != told(busy, path, **query)
    assert [each["events"] for each in told(busy, "hotspots", unit=village, **PERIOD)["grids"]] == [
        0, 16,
    ]  # fmt: skip
    page = busy.client.get("/attention/backtest?weeks=3", headers=own)
    assert "示范村2" in page.text
    assert "示范村1" not in page.text
    other = busy.client.get("/api/v1/hotspots", params={"unit": factories.VILLAGES[0]}, headers=own)
    assert other.status_code == 422
    assert busy.client.get("/api/v1/hotspots?unit=990199").status_code == 404


PATHS = (
    "/api/v1/hotspots", "/api/v1/hotspots.geojson", "/api/v1/attention",
    "/api/v1/attention.geojson", "/api/v1/attention/backtest", "/attention/backtest",
)  # fmt: skip


def test_nothing_of_it_leaves_the_case_team(busy: Town) -> None:
    with busy.database.transaction() as session:
        account = factories.account(session, "analyst", factories.COUNTY)
        blind = factories.key(session, account, rights=["heatmaps.read", "grids.read"])
    own = {"Authorization": f"Bearer {blind}"}
    for path in PATHS:
        for query in ({}, {"shared": True}):
            refused = busy.client.get(path, params=query, headers=own)
            assert refused.status_code == 403, path
            assert "incidents.read" in refused.text
        asked = busy.client.get(path, params={"shared": True})
        assert asked.status_code == 422, path
        [problem] = asked.json()["problems"]
        assert problem["field"] == "shared"
        assert "/api/v1/gridmaps?shared=true" in problem["remedy"]


def test_places_that_are_told_are_entered_in_the_log(busy: Town) -> None:
    with busy.database.transaction() as session:
        before = session.scalar(sa.text("SELECT coalesce(max(id), 0) FROM audit_log"))
    told(busy, "hotspots", method="hot_grids", **PERIOD)
    told(busy, "attention")
    told(busy, "attention.geojson")
    told(busy, "attention/backtest", weeks=4)
    assert busy.client.get("/attention/backtest?weeks=4").status_code == 200
    for path in ("hotspots", "hotspots.geojson"):  # the second one from what is kept
        told(busy, path, method="repeat_addresses", **PERIOD)
    with busy.database.transaction() as session:
        found = session.execute(
            sa.text(
                "SELECT action, object_kind, fields, count FROM audit_log "
                "WHERE id > :before AND action <> 'request.refused'"
            ),
            {"before": before},
        ).all()
    assert [tuple(row) for row in found] == [("search", "incident", "place", 64)] * 2


def test_list_with_reasons(busy: Town) -> None:
    found = told(busy, "attention", week="2026-04-30", share=0.3)
    assert found["week"] == "2026-04-27"
    assert found["expected"] == pytest.approx(4, rel=0.1)
    [first] = found["grids"]
    assert (first["rank"], first["code"]) == (1, factories.grid_code(0))
    assert first["low"] <= first["expected"] <= first["high"]
    assert "近4周12件" in first["text"]["zh"]
    assert "12 in the last 4 weeks" in first["text"]["en"]
    layer = told(busy, "attention.geojson", week="2026-04-30", share=0.3)
    assert [each["properties"]["rank"] for each in layer["features"]] == [1, None, None, None]
    assert layer["features"][0]["properties"]["class"] == "first"


def test_back_test_as_figures_and_as_a_page(busy: Town) -> None:
    found = told(busy, "attention/backtest", weeks=4)
    assert found["weeks"] == ["2026-03-30", "2026-04-06", "2026-04-13", "2026-04-20"]
    assert found["events"] == [4] * 4
    ways = {each["key"]: each["pai"] for each in found["shares"][1]["ways"]}
    assert ways["attention"] == ways["naive"] == pytest.approx(3)
    assert "no better than the naive count" in found["verdict"]["en"]
    page = busy.client.get("/attention/backtest?weeks=4&language=en")
    assert page.headers["content-type"].startswith("text/html")
    assert found["verdict"]["en"] in page.text
    assert found["verdict"]["zh"] in page.text
    policy = page.headers["content-security-policy"]
    assert policy.startswith("default-src 'none'")
    assert "unsafe" not in policy


@pytest.mark.parametrize(
    ("path", "query", "field"),
    [
        ("hotspots", {"method": "hottest"}, "method"),
        ("hotspots", {"category": "quarrel"}, "category"),
        ("hotspots", {"unit": "99012"}, "unit"),
        ("hotspots", {"level": 0.9}, "level"),
        ("hotspots", {"level": "nan"}, "level"),
        ("hotspots", {"start": "0001-01-01", "end": "0001-01-02"}, "start"),
        ("hotspots", {"start": "1900-01-01", "method": "emerging"}, "start"),
        ("hotspots", {"start": "2026-04-20", "method": "emerging"}, "start"),
        ("attention", {"share": 0}, "share"),
        ("attention", {"week": "0001-01-01"}, "week"),
        ("attention", {"week": "9999-12-31"}, "week"),
        ("attention", {"week": "2026-02-02"}, "week"),
        ("attention/backtest", {"weeks": 50}, "weeks"),
        ("attention/backtest", {"category": "tourism"}, "week"),
    ],
)
def test_what_cannot_be(busy: Town, path: str, query: dict[str, Any], field: str) -> None:
    answer = busy.client.get(f"/api/v1/{path}", params=query)
    assert answer.status_code == 422, answer.text
    assert answer.json()["problems"][0]["field"] == field


def test_a_report_changes_the_answer_at_once(own_town: Town) -> None:
    now = datetime.now(UTC)
    query = {"start": (now - timedelta(weeks=60)).isoformat(),
             "end": (now + timedelta(weeks=1)).isoformat()}  # fmt: skip
    assert told(own_town, "hotspots", **query)["n"] == 0
    lon, lat = factories.middle(2)
    sent = {"id": str(factories.uuid_of(7)), "category": "other", "lon": lon, "lat": lat}
    assert own_town.client.post("/api/v1/incidents", json=sent).status_code == 201
    assert told(own_town, "hotspots", **query)["n"] == 1
