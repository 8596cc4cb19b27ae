"""Densities along streets over HTTP: figures, pieces and tiles are of the same thing."""

from __future__ import annotations

import uuid
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pytest
import sqlalchemy as sa

from grids.incidents import service
from tests import factories
from tests.api.test_heatmaps import address_of, decode

if TYPE_CHECKING:
    from tests.api.conftest import Town

FIRST = datetime(2026, 2, 1, tzinfo=UTC)
QUERY = {"start": "2026-02-01T00:00:00Z", "end": "2026-03-03T00:00:00Z"}


def lay_street(town: Town) -> None:
    """A street of some 3 km along the middle of the first grid."""
    lon, lat = factories.middle(0)
    with town.database.transaction() as session:
        session.execute(
            sa.text(
                "INSERT INTO barriers (county_code, kind, geom, source, external_id) VALUES "
                "(:county, 'street', ST_SetSRID(ST_MakeLine(ST_Point(:west, :lat), "
                "ST_Point(:east, :lat)), 4326), 'test', :id)"
            ),
            {
                "county": factories.COUNTY,
                "west": lon - 0.02,
                "east": lon + 0.02,
                "lat": lat,
                "id": str(uuid.uuid4()),
            },
        )


def report(town: Town, number: int, lon: float | None, lat: float | None) -> None:
    with town.database.transaction() as session:
        service.record(
            session,
            service.Report(
                id=uuid.uuid4(),
                category="neighbour",
                source="s",
                reported_at=FIRST + timedelta(hours=number),
                x=lon,
                y=lat,
            ),
            actor="t",
        )


@pytest.fixture(scope="module")
def busy(town: Town) -> Town:
    """Six disputes on a street, one far from it and one without a place."""
    lay_street(town)
    lon, lat = factories.middle(0)
    for number in range(6):
        report(town, number, lon, lat)
    report(town, 6, lon, lat + 0.005)
    report(town, 7, None, None)
    return town


def test_figures_pieces_and_tiles_agree(busy: Town) -> None:
    answer = busy.client.get("/api/v1/heatmaps/streets", params=QUERY)
    assert answer.status_code == 200, answer.text
    told = answer.json()
    assert (told["n"], told["n_far"], told["n_without_place"]) == (6, 1, 1)
    assert told["unit"]["en"] == "incidents per km of street per 30 days"
    assert "1\u00a0farther" in told["note"]["en"] or "1 farther" in told["note"]["en"]
    assert [each["from"] for each in told["legend"]] == [None] + [
        each["to"] for each in told["legend"][:-1]
    ]
    pieces = busy.client.get(told["lines"]).json()["features"]
    assert sum(each["properties"]["events"] for each in pieces) == pytest.approx(6, abs=1e-9)
    highest = max(pieces, key=lambda each: each["properties"]["value"])["properties"]
    assert highest["color"] == told["legend"][-1]["color"]
    z = 15
    x, y = address_of(*factories.middle(0), z)
    tile = busy.client.get(told["tiles"].format(z=z, x=x, y=y))
    assert tile.headers["content-type"] == "application/vnd.mapbox-vector-tile"
    found = decode(tile.content, "streets", z, x, y)
    assert set(found["color"]) <= {each["color"] for each in told["legend"]}
    assert highest["color"] in set(found["color"])
    lowest = found[found["color"] == told["legend"][0]["color"]]
    assert lowest["from"].isna().all() if "from" in lowest else lowest.empty
    tag = tile.headers["etag"]
    again = busy.client.get(told["tiles"].format(z=z, x=x, y=y), headers={"if-none-match": tag})
    assert (again.status_code, again.content) == (304, b"")


def test_an_incident_or_a_street_more_is_seen_at_once(own_town: Town) -> None:
    lay_street(own_town)
    lon, lat = factories.middle(0)
    report(own_town, 0, lon, lat)

    def told() -> dict[str, float]:
        answer = own_town.client.get("/api/v1/heatmaps/streets", params=QUERY)
        assert answer.status_code == 200, answer.text
        return answer.json()

    first = told()
    report(own_town, 1, lon, lat)
    assert (first["n"], told()["n"]) == (1, 2)
    with own_town.database.transaction() as session:
        session.execute(sa.text("UPDATE barriers SET geom = ST_Scale(geom, 1, 1.0000001)"))
        session.execute(
            sa.text(
                "INSERT INTO barriers (county_code, kind, geom, source, external_id) "
                "SELECT county_code, 'arterial', ST_Translate(geom, 0, 0.001), source, 'more' "
                "FROM barriers"
            )
        )
    assert told()["street_km"] == pytest.approx(2 * first["street_km"], rel=1e-3)


def test_what_is_not_there_is_told(own_town: Town) -> None:
    for address in ("/api/v1/heatmaps/streets", "/api/v1/heatmaps/streets.geojson",
                    "/tiles/streets/9/422/184"):  # fmt: skip
        answer = own_town.client.get(address)
        assert answer.status_code == 422
        assert "no incident has been reported yet" in answer.text
    report(own_town, 0, *factories.middle(0))
    answer = own_town.client.get("/api/v1/heatmaps/streets")
    assert answer.status_code == 422
    assert "the database has no streets" in answer.text


def test_only_for_who_may_read_incidents_and_only_their_own_area(own_town: Town) -> None:
    lay_street(own_town)
    report(own_town, 0, *factories.middle(0))
    with own_town.database.transaction() as session:
        account = factories.account(session, "analyst", factories.VILLAGES[0])
        blind = factories.key(session, account, rights=["heatmaps.read"])
        seeing = factories.key(session, account)
    whole = own_town.client.get("/api/v1/heatmaps/streets").json()
    refused = own_town.client.get(
        "/api/v1/heatmaps/streets", headers={"Authorization": f"Bearer {blind}"}
    )
    assert refused.status_code == 403
    part = own_town.client.get(
        "/api/v1/heatmaps/streets", headers={"Authorization": f"Bearer {seeing}"}
    )
    assert part.status_code == 200, part.text
    assert part.json()["street_km"] < whole["street_km"]
