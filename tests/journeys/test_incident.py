"""A dispatcher's way: the phone rings, a worker is named, the matter is closed, the map shows it.

Through HTTP only, as the viewer does it.
"""

from __future__ import annotations

import uuid
from typing import TYPE_CHECKING

from tests import factories
from tests.api.conftest import own_town, settled

if TYPE_CHECKING:
    from tests.api.conftest import Town

__all__ = ["own_town", "settled"]


def test_from_the_call_to_the_map(own_town: Town) -> None:
    client = own_town.client
    assert client.get("/health/ready").status_code == 200
    about = client.get("/api/v1/meta").json()
    assert [unit["code"] for unit in about["counties"]] == [factories.COUNTY]
    assert about["incidents"]["count"] == 0
    # The caller stands between two grids: who is asked, and is it sure?
    lon, lat = factories.WEST + factories.STEP + 0.0001, 45.01
    asked = client.get("/api/v1/locate", params={"lon": lon, "lat": lat, "accuracy_m": 50})
    assert asked.json()["ask_back"] is True
    lon += 0.005
    asked = client.get("/api/v1/locate", params={"lon": lon, "lat": lat, "accuracy_m": 50})
    assert asked.json()["ask_back"] is False
    worker = asked.json()["responsible"][0]["name"]
    sent = {
        "id": str(uuid.uuid4()), "category": about["categories"][0]["code"], "lon": lon,
        "lat": lat, "source": "12345", "external_id": "20260630-1", "text": "楼道堆物",
    }  # fmt: skip
    made = client.post("/api/v1/incidents", json=sent)
    assert made.status_code == 201
    assert made.json()["responsible"]["name"] == worker
    # The line breaks before the answer comes: the same is sent again.
    assert client.post("/api/v1/incidents", json=sent).status_code == 200
    for state in ("dispatched", "accepted", "handling", "resolved", "evaluated", "closed"):
        step = {"to_state": state}
        assert client.post(f"{made.headers['location']}/events", json=step).status_code == 201
    told = client.get(made.headers["location"]).json()
    assert told["state"] == "closed"
    assert len(told["events"]) == 7
    listed = client.get("/api/v1/incidents").json()
    assert (listed["count"], listed["items"][0]["id"]) == (1, sent["id"])
    assert client.get("/api/v1/meta").json()["incidents"]["count"] == 1
    tile = client.get("/tiles/incidents/14/13517/5897")
    assert tile.status_code in {200, 204}
    density = client.get("/api/v1/heatmaps").json()
    assert density["n"] == 1
    assert client.get(density["image"]).headers["content-type"] == "image/png"
