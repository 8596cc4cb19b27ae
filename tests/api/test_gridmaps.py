"""Grid maps over HTTP: what they say, when they are made anew, and who is shown which."""

from __future__ import annotations

import uuid
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest

from boundaries.accounts.models import Account
from grids.incidents import service
from tests import factories

if TYPE_CHECKING:
    from tests.api.conftest import Town

URL = "/api/v1/gridmaps"
FIRST = datetime(2026, 2, 2, tzinfo=UTC)
QUERY = {"start": "2026-02-01T00:00:00Z", "end": "2026-03-03T00:00:00Z", "measure": "count"}


def report(town: Town, place: int, count: int, category: str = "neighbour", **changes: Any) -> None:
    lon, lat = factories.middle(place)
    with town.database.transaction() as session:
        for number in range(count):
            given = {
                "id": uuid.uuid4(), "category": category, "source": "s", "x": lon, "y": lat,
                "reported_at": FIRST + timedelta(hours=number),
            }  # fmt: skip
            service.record(session, service.Report(**given | changes), actor="t")


def fill(town: Town) -> Town:
    """Thirty disputes in the first grid, three in the second, seven in the fourth."""
    for place, count in ((0, 20), (1, 3), (3, 7)):
        report(town, place, count)
    report(town, 0, 10, "tourism")
    return town


@pytest.fixture(scope="module")
def busy(town: Town) -> Town:
    """For tests that report nothing."""
    return fill(town)


@pytest.fixture
def changing(own_town: Town) -> Town:
    """For a test that does."""
    return fill(own_town)


def asked(town: Town, *, client: Any = None, status: int = 200, **query: Any) -> Any:
    answer = (client or town.client).get(URL, params=QUERY | query)
    assert answer.status_code == status, answer.text
    return answer.json()


def column(told: Any, name: str) -> list[Any]:
    return [each[name] for each in told["grids"]]


def test_counts_by_grid_with_a_legend_that_covers_them(busy: Town) -> None:
    told = asked(busy)
    assert column(told, "incidents") == [30, 3, 0, 7]
    assert column(told, "value") == [30, 3, 0, 7]
    assert (told["n"], told["shared"], told["n_hidden_grids"]) == (40, False, 0)
    for grid in told["grids"]:
        legend = told["legend"][grid["class"]]
        assert (legend["above"] or -1) < grid["value"] <= legend["up_to"]
    assert told["unit"]["en"] == "incidents per grid"


def test_rates_are_per_thousand_households_and_thirty_days(busy: Town) -> None:
    told = asked(busy, measure="rate")
    # 300 households over 30 days.
    assert column(told, "value") == pytest.approx([100, 10, 0, 7 / 0.3])
    shrunk = asked(busy, measure="smoothed")
    assert column(shrunk, "value")[2] > 0
    assert shrunk["grids"][0]["low"] < shrunk["grids"][0]["value"] < shrunk["grids"][0]["high"]


def test_categories_and_units_select(busy: Town) -> None:
    assert column(asked(busy, category="tourism"), "incidents") == [10, 0, 0, 0]
    part = asked(busy, unit=factories.VILLAGES[1])
    assert column(part, "incidents") == [0, 7]
    assert asked(busy, category="quarrel", status=422)["problems"][0]["field"] == "category"
    assert "nothing to map" in asked(busy, unit="15", status=404)["detail"]


def test_no_events_are_zeros(busy: Town) -> None:
    told = asked(busy, start="2026-05-01", end="2026-05-02")
    assert column(told, "incidents") == [0] * 4
    assert [each["label"] for each in told["legend"]] == ["0"]
    assert "No incidents in this period." in told["note"]["en"]
    assert asked(busy, start="2025-05-01", end="2025-05-02", status=422)["problems"][0][
        "field"
    ] == ("end")


def test_a_shared_map_is_of_a_quarter_and_hides_small_counts_and_their_like(busy: Town) -> None:
    told = asked(busy, shared=True, start="2026-02-03", end="2026-02-04")
    assert (told["start"][:10], told["end"][:10]) == ("2025-12-29", "2026-03-30")
    # Three of the second grid are hidden; the first, beside it, would tell them.
    assert column(told, "state") == ["hidden", "hidden", "shown", "shown"]
    assert column(told, "incidents") == [None, None, 0, 7]
    assert told["n"] == 7
    assert "changed to a whole quarter" in told["note"]["en"]
    some = asked(busy, shared=True, category=["tourism", "housing"])
    assert column(some, "incidents") == [None, None, 0, 0]


def test_who_may_not_read_incidents_is_shown_the_shared_map_alone(busy: Town) -> None:
    with busy.database.transaction() as session:
        account = factories.account(session, "analyst", factories.TOWNSHIP, login="an.alyst")
        key = factories.key(session, account, rights=["heatmaps.read", "grids.read"])
    headers = {"Authorization": f"Bearer {key}"}
    answer = busy.client.get(URL, params=QUERY, headers=headers)
    assert answer.status_code == 200, answer.text
    assert answer.json()["shared"] is True
    assert column(answer.json(), "incidents") == [None, None, 0, 7]
    with busy.database.transaction() as session:
        account = session.get_one(Account, account.id)
        key = factories.key(session, account, rights=["heatmaps.read"])
    refused = busy.client.get(URL, params=QUERY, headers={"Authorization": f"Bearer {key}"})
    assert refused.status_code == 403


def test_the_same_map_is_not_sent_again_and_a_new_incident_makes_another(changing: Town) -> None:
    first = changing.client.get(URL, params=QUERY)
    tag = first.headers["etag"]
    again = changing.client.get(URL, params=QUERY, headers={"If-None-Match": f'"other", {tag}'})
    assert (again.status_code, again.content) == (304, b"")
    assert again.headers["etag"] == tag
    report(changing, 2, 1)
    fresh = changing.client.get(URL, params=QUERY, headers={"If-None-Match": tag})
    assert fresh.status_code == 200
    assert fresh.headers["etag"] != tag
    assert column(fresh.json(), "incidents") == [30, 3, 1, 7]
    density = changing.client.get("/api/v1/heatmaps", params={"shared": True})
    known = {"If-None-Match": density.headers["etag"]}
    again = changing.client.get("/api/v1/heatmaps", params={"shared": True}, headers=known)
    assert again.status_code == 304


def test_what_commits_late_is_seen_though_its_number_is_lower(changing: Town) -> None:
    """The last number is no version: numbers are given out before they can be seen."""
    lon, lat = factories.middle(2)
    with changing.database.transaction() as slow:
        late = service.Report(id=uuid.uuid4(), category="other", source="s", reported_at=FIRST,
                              x=lon, y=lat)  # fmt: skip
        service.record(slow, late, actor="t")
        report(changing, 2, 1)
        assert column(asked(changing), "incidents")[2] == 1
    assert column(asked(changing), "incidents")[2] == 2


def test_nobody_is_shown_a_map_that_was_made_for_another(busy: Town) -> None:
    """Many ask at once, of two areas and with and without the right to see incidents."""
    with busy.database.transaction() as session:
        keys = {}
        for area in (factories.VILLAGES[0], factories.VILLAGES[1], factories.COUNTY):
            account = factories.account(session, "analyst", area, login=f"an.{area}")
            keys[area, "sees"] = factories.key(session, account, per_minute=10_000)
            keys[area, "blind"] = factories.key(
                session, account, rights=["heatmaps.read", "grids.read"], per_minute=10_000
            )

    def ask(who: tuple[str, str]) -> tuple[tuple[str, str], str]:
        answer = busy.client.get(
            URL, params=QUERY, headers={"Authorization": f"Bearer {keys[who]}"}
        )
        assert answer.status_code == 200, answer.text
        return who, str(column(answer.json(), "incidents"))

    with ThreadPoolExecutor(8) as pool:
        told = set(pool.map(ask, sorted(keys) * 12))
    assert told == {
        ((factories.VILLAGES[0], "sees"), "[30, 3]"),
        ((factories.VILLAGES[1], "sees"), "[0, 7]"),
        ((factories.COUNTY, "sees"), "[30, 3, 0, 7]"),
        ((factories.VILLAGES[0], "blind"), "[None, None]"),
        ((factories.VILLAGES[1], "blind"), "[0, 7]"),
        ((factories.COUNTY, "blind"), "[None, None, 0, 7]"),
    }


def test_geojson_has_the_polygons(busy: Town) -> None:
    answer = busy.client.get(f"{URL}.geojson", params=QUERY | {"shared": True})
    assert answer.headers["content-type"] == "application/geo+json"
    features = answer.json()["features"]
    assert [each["properties"]["incidents"] for each in features] == [None, None, 0, 7]
    assert features[0]["geometry"]["type"] == "Polygon"


@pytest.mark.parametrize(
    ("query", "field"),
    [
        ({"classes": 4}, "classes"),
        ({"scheme": "equal"}, "scheme"),
        ({"measure": "mood"}, "measure"),
        ({"unit": "x"}, "unit"),
        ({"start": "2026-04-01", "end": "2026-03-01"}, "end"),
        ({"start": "2100-01-01", "end": "2100-02-01", "shared": True}, "start"),
    ],
)
def test_what_cannot_be(busy: Town, query: dict[str, Any], field: str) -> None:
    assert asked(busy, status=422, **query)["problems"][0]["field"] == field
