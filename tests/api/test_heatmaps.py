"""Densities over HTTP: the figures and the picture are of the same thing."""

from __future__ import annotations

import io
import tempfile
import uuid
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any

import geopandas as gpd
import matplotlib.image
import numpy as np
import pytest
import shapely
import sqlalchemy as sa

from grids.incidents import service
from maps import palettes
from tests import factories

if TYPE_CHECKING:
    from tests.api.conftest import Town

FIRST = datetime(2026, 2, 1, tzinfo=UTC)
ADDRESSES = (
    "/api/v1/heatmaps", "/api/v1/heatmaps.png", "/api/v1/heatmaps.geojson",
    "/tiles/heatmap/9/422/184.png", "/tiles/heatmap/9/422/184",
)  # fmt: skip
QUERY = {"start": "2026-02-01T00:00:00Z", "end": "2026-03-03T00:00:00Z"}


@pytest.fixture(scope="module")
def busy(town: Town) -> Town:
    """Thirty disputes in the first grid, one outside and one without a place."""
    with town.database.transaction() as session:
        for number in range(32):
            lon, lat = factories.middle(0) if number < 30 else (116.5, 45.01)
            service.record(
                session,
                service.Report(
                    id=uuid.uuid4(),
                    category="neighbour" if number < 20 else "tourism",
                    source="s",
                    reported_at=FIRST + timedelta(hours=number),
                    x=None if number == 31 else lon,
                    y=None if number == 31 else lat,
                ),
                actor="t",
            )
    return town


def figures(town: Town, **query: Any) -> dict[str, Any]:
    answer = town.client.get("/api/v1/heatmaps", params=QUERY | query)
    assert answer.status_code == 200, answer.text
    return answer.json()


def picture(town: Town, address: str) -> np.ndarray:
    answer = town.client.get(address)
    assert answer.status_code == 200, answer.text
    assert answer.headers["content-type"] == "image/png"
    return matplotlib.image.imread(io.BytesIO(answer.content), format="png")


def test_figures_and_picture_agree(busy: Town) -> None:
    told = figures(busy)
    assert (told["n"], told["n_outside"], told["n_without_place"]) == (30, 1, 1)
    assert told["suppressed"] is False
    assert "km" in told["unit"]["en"]
    assert told["unit"]["zh"]
    west, south, east, north = told["bounds"]
    assert west <= factories.WEST < east
    assert south <= factories.SOUTH < north
    shown = picture(busy, told["image"])
    # The most opaque colour lies where all incidents are.
    lon, lat = factories.middle(0)
    column = int((lon - west) / (east - west) * shown.shape[1])
    row = int((north - lat) / (north - south) * shown.shape[0])
    top = told["legend"][-1]["color"]
    colour = palettes.hex_colour(tuple(round(float(v) * 255) for v in shown[row, column, :3]))
    assert colour.lower() == top.lower()
    assert shown[row, column, 3] == pytest.approx(told["opacity"], abs=0.005)
    assert shown[row, -2, 3] < shown[row, column, 3]


def test_tiles_are_of_the_picture_and_known_ones_are_not_sent_again(busy: Town) -> None:
    told = figures(busy)
    lon, lat = factories.middle(0)
    top = told["legend"][-1]["color"]
    for z in (10, 13, 16):
        x, y = (
            (lon + 180) / 360 * 2**z,
            (1 - np.arcsinh(np.tan(np.radians(lat))) / np.pi) / 2 * 2**z,
        )
        address = told["tiles"].format(z=z, x=int(x), y=int(y))
        shown = picture(busy, address)
        colour = shown[int(y % 1 * 256), int(x % 1 * 256)]
        assert palettes.hex_colour(tuple(round(float(v) * 255) for v in colour[:3])) == top
        assert colour[3] == pytest.approx(told["opacity"], abs=0.005)
    tag = busy.client.get(address).headers["etag"]
    again = busy.client.get(address, headers={"if-none-match": tag})
    assert (again.status_code, again.content) == (304, b"")


def test_rates_per_household(own_town: Town) -> None:
    lon, lat = factories.middle(1)
    for number in range(6):
        sent = {"id": str(factories.uuid_of(number)), "category": "other", "lon": lon, "lat": lat}
        assert own_town.client.post("/api/v1/incidents", json=sent).status_code == 201
    query = {"per": "households", "bandwidth_m": 600}
    for address in ADDRESSES:
        refused = own_town.client.get(address, params=query)
        assert refused.status_code == 422, address
        assert refused.json()["problems"][0]["field"] == "per"
        assert "no building with households" in refused.text
    with own_town.database.transaction() as session:
        session.execute(
            sa.text(
                "INSERT INTO buildings (county_code, unit_code, households_resident, geom, source, "
                "external_id) VALUES (:county, :unit, 400, ST_Buffer(ST_SetSRID(ST_Point(:lon, "
                ":lat), 4326)::geography, 5)::geometry, 'test', '1')"
            ),
            {"county": factories.COUNTY, "unit": factories.VILLAGES[0], "lon": lon, "lat": lat},
        )
    told = own_town.client.get("/api/v1/heatmaps", params=query).json()
    assert told["unit"]["en"] == "incidents per 1,000 households per 30 days"
    assert "per=households" in told["image"]
    assert "fewer than 20 households" in told["note"]["en"]
    assert "line" not in told["note"]["en"]  # none is in the picture
    assert picture(own_town, told["image"])[..., 3].max() > 0
    shapes = own_town.client.get(told["contours"]).json()["features"]
    assert {each["properties"]["unit"] for each in shapes} == {told["unit"]["en"]}
    # Known households are cut at the account's area; a shared map is the same for all.
    with own_town.database.transaction() as session:
        secret = factories.key(
            session, factories.account(session, "analyst", factories.VILLAGES[0])
        )
    own = {"Authorization": f"Bearer {secret}"}
    refused = own_town.client.get("/api/v1/heatmaps", params=query | {"shared": True}, headers=own)
    assert refused.status_code == 422
    assert "whole counties" in refused.text


def test_a_tile_that_cannot_be(busy: Town) -> None:
    for address in ("/tiles/heatmap/3/8/0.png", "/tiles/heatmap/3/8/0", "/tiles/streets/3/8/0"):
        answer = busy.client.get(address, params=QUERY)
        assert answer.status_code == 422
        assert "x 8 is outside 0..7" in answer.text


def test_polygons_are_the_classes_of_the_legend(busy: Town) -> None:
    told = figures(busy)
    answer = busy.client.get(told["contours"])
    assert answer.status_code == 200, answer.text
    assert answer.headers["content-type"] == "application/geo+json"
    found = [each["properties"] for each in answer.json()["features"]]
    assert [(p["from"], p["to"], p["color"]) for p in found] == [
        (each["from"], each["to"], each["color"]) for each in told["legend"]
    ]
    assert {p["unit"] for p in found} == {told["unit"]["en"]}


def decode(data: bytes, layer: str, z: int, x: int, y: int) -> gpd.GeoDataFrame:
    """Features of a vector tile in the local metric system of the place."""
    path = Path(tempfile.mkdtemp()) / f"{y}.mvt"
    path.write_bytes(data)
    found = gpd.read_file(f"MVT:{path}", layer=layer, X=x, Y=y, Z=z, engine="pyogrio")
    return found.set_crs(3857, allow_override=True)


def address_of(lon: float, lat: float, z: int) -> tuple[int, int]:
    down = (1 - np.arcsinh(np.tan(np.radians(lat))) / np.pi) / 2
    return int((lon + 180) / 360 * 2**z), int(down * 2**z)


def test_vector_tiles_hold_the_polygons_at_every_zoom(busy: Town) -> None:
    told = figures(busy)
    whole = gpd.GeoDataFrame.from_features(
        busy.client.get(told["contours"]).json(), crs=4326
    ).to_crs(3857)
    for z in (9, 12, 14):
        x, y = address_of(*factories.middle(0), z)
        address = told["contour_tiles"].format(z=z, x=x, y=y)
        answer = busy.client.get(address)
        assert answer.headers["content-type"] == "application/vnd.mapbox-vector-tile"
        found = decode(answer.content, "heatmap", z, x, y)
        side = 2 * np.pi * 6_378_137 / 2**z
        west, north = x * side - np.pi * 6_378_137, np.pi * 6_378_137 - y * side
        box = shapely.box(west, north - side, west + side, north)
        for _, one in found.iterrows():
            mine = whole[np.isclose(whole["from"], one["from"])].intersection(box)
            off = one.geometry.intersection(box).symmetric_difference(mine.union_all()).area
            # A unit of the tile along all of the border, half of it on either side.
            assert off <= side / 4096 * (mine.length.sum() + side / 4096)
            assert one["color"] in set(whole["color"])
            assert one["unit"] == told["unit"]["en"]
        assert len(found) == sum(whole.intersects(box))
    # A cache must not hand what is packed to a client that cannot unpack it.
    plain = busy.client.get(address, headers={"accept-encoding": "identity"})
    assert (answer.headers["content-encoding"], plain.headers.get("content-encoding")) == (
        "gzip", None,
    )  # fmt: skip
    assert "Accept-Encoding" in plain.headers["vary"]
    tag = answer.headers["etag"]
    assert tag.startswith("W/")
    again = busy.client.get(address, headers={"if-none-match": tag})
    assert (again.status_code, again.content) == (304, b"")
    assert busy.client.get(told["contour_tiles"].format(z=12, x=0, y=0)).status_code == 204


def test_inhabited_ground_alone(own_town: Town) -> None:
    lon, lat = factories.middle(2)
    sent = {"id": str(uuid.uuid4()), "category": "other", "lon": lon, "lat": lat}
    assert own_town.client.post("/api/v1/incidents", json=sent).status_code == 201
    with own_town.database.transaction() as session:
        session.execute(
            sa.text(
                "INSERT INTO buildings (county_code, unit_code, households_resident, geom, source,"
                " external_id) SELECT county_code, area_code, 3, ST_Buffer(geom, 0.0001), 's', '1' "
                "FROM incidents LIMIT 1"
            )
        )
    whole = own_town.client.get("/api/v1/heatmaps").json()
    made = own_town.client.get("/api/v1/heatmaps", params={"inhabited": True}).json()
    assert "500" in made["note"]["en"]
    assert "inhabited=true" in made["tiles"]
    assert made["bounds"][2] - made["bounds"][0] < whole["bounds"][2] - whole["bounds"][0]


def test_legend_goes_up_without_a_gap(busy: Town) -> None:
    legend = figures(busy)["legend"]
    for low, high in pairwise(legend):
        assert low["to"] == high["from"]
        assert low["from"] < low["to"]
    assert legend[-1]["to"] is None


def test_categories_and_period_select(busy: Town) -> None:
    assert figures(busy, category="neighbour")["n"] == 20
    assert figures(busy, category=["neighbour", "tourism"])["n"] == 30
    some = figures(busy, end="2026-02-01T05:00:00Z")
    assert some["n"] == 5
    assert "end=2026-02-01T05" in some["image"]


def test_no_incident_in_the_period(busy: Town) -> None:
    answer = busy.client.get(
        "/api/v1/heatmaps", params={"start": "2026-05-01", "end": "2026-05-02"}
    )
    assert answer.status_code == 200, answer.text
    assert answer.json()["n"] == 0
    assert answer.json()["legend"] == []
    shown = picture(busy, answer.json()["image"])
    assert np.ptp(shown[..., 3]) <= 1


def test_none_at_all_is_told(own_town: Town) -> None:
    for address in ADDRESSES:
        answer = own_town.client.get(address)
        assert answer.status_code == 422
        assert "no incident has been reported yet" in answer.json()["detail"]


def test_one_incident_makes_a_map(own_town: Town) -> None:
    lon, lat = factories.middle(2)
    sent = {"id": str(uuid.uuid4()), "category": "other", "lon": lon, "lat": lat}
    assert own_town.client.post("/api/v1/incidents", json=sent).status_code == 201
    answer = own_town.client.get("/api/v1/heatmaps")
    assert answer.status_code == 200, answer.text
    told = answer.json()
    assert told["n"] == 1
    # Of a day, not of the second in which it was reported: 30 / (2 pi 0.3^2) at its top.
    assert told["legend"][-1]["from"] == 50
    assert picture(own_town, answer.json()["image"])[..., 3].max() > 0


def test_a_new_incident_is_in_the_next_picture(own_town: Town) -> None:
    lon, lat = factories.middle(2)
    sent = {"category": "other", "lon": lon, "lat": lat}

    def seen(tag: str) -> tuple[int, str]:
        known = {"If-None-Match": tag}
        answer = own_town.client.get("/api/v1/heatmaps.png", params=period, headers=known)
        return answer.status_code, answer.headers["etag"]

    def send() -> None:
        answer = own_town.client.post("/api/v1/incidents", json={"id": str(uuid.uuid4())} | sent)
        assert answer.status_code == 201

    send()
    # Closed, so that the period of the second one is that of the first.
    period = {"start": "2026-01-01", "end": "2100-01-01"}
    code, first = seen("")
    assert code == 200
    assert seen(first) == (304, first)
    send()
    code, second = seen(first)
    assert (code, second != first) == (200, True)
    assert own_town.client.get("/api/v1/heatmaps", params=period).json()["n"] == 2


@pytest.mark.parametrize(
    ("query", "field"),
    [
        ({"bandwidth_m": 10}, "bandwidth_m"),
        ({"bandwidth_m": "nan"}, "bandwidth_m"),
        ({"bandwidth_m": 0}, "bandwidth_m"),
        ({"bandwidth_m": 50_000}, "bandwidth_m"),
        ({"per": "people"}, "per"),
        ({"bandwidth_m": 1e9}, "bandwidth_m"),
        ({"category": "quarrel"}, "category"),
        ({"start": "2026-04-01", "end": "2026-03-01"}, "end"),
        ({"start": "soon"}, "start"),
    ],
)
def test_what_cannot_be(busy: Town, query: dict[str, Any], field: str) -> None:
    for address in ADDRESSES:
        answer = busy.client.get(address, params=QUERY | query)
        assert answer.status_code == 422, answer.text
        assert answer.json()["problems"][0]["field"] == field
