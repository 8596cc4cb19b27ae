"""Vector tiles over HTTP: what is cached, what is packed, what is not there."""

from __future__ import annotations

import gzip
from typing import TYPE_CHECKING

import pytest

from maps import tiles

if TYPE_CHECKING:
    import httpx2

    from tests.api.conftest import Town

# At zoom 10: the tile over the county, and one in the south of China.
HERE, EMPTY = "10/844/368", "10/830/440"


def get(town: Town, address: str, **headers: str) -> httpx2.Response:
    given = {"accept-encoding": "identity"} | {
        name.replace("_", "-"): value for name, value in headers.items()
    }
    return town.client.get(f"/tiles/{address}", headers=given)


def test_tile_is_what_the_service_makes(town: Town) -> None:
    answer = get(town, f"grids/{HERE}?at=2026-03-01T00:00:00Z")
    assert answer.status_code == 200
    assert answer.headers["content-type"] == "application/vnd.mapbox-vector-tile"
    assert answer.headers["vary"] == "Accept-Encoding, Cookie, Authorization"
    assert "no-cache" in answer.headers["cache-control"]
    assert b"grids" in answer.content
    assert "content-encoding" not in answer.headers


def test_empty_tile_has_no_body(town: Town) -> None:
    answer = get(town, f"grids/{EMPTY}")
    assert (answer.status_code, answer.content) == (204, b"")


def test_before_the_edition_there_is_nothing(town: Town) -> None:
    assert get(town, f"grids/{HERE}?at=2025-01-01").status_code == 204


@pytest.mark.parametrize("encoding", ["gzip", "br, gzip", "GZIP;q=0.5", "*"])
def test_gzip_where_the_client_takes_it(town: Town, encoding: str) -> None:
    plain = get(town, f"grids/{HERE}")
    packed = get(town, f"grids/{HERE}", accept_encoding=encoding)
    assert packed.headers["content-encoding"] == "gzip"
    assert packed.content == plain.content  # unpacked by the client
    assert int(packed.headers["content-length"]) == len(gzip.compress(plain.content, 1, mtime=0))
    assert packed.headers["etag"] == plain.headers["etag"]


@pytest.mark.parametrize("encoding", ["gzip;q=0", "gzip; q=0.0", "br", "identity", ""])
def test_no_gzip_where_it_does_not(town: Town, encoding: str) -> None:
    answer = get(town, f"grids/{HERE}", accept_encoding=encoding)
    assert "content-encoding" not in answer.headers


def test_known_tile_is_not_sent_again(town: Town) -> None:
    tag = get(town, f"grids/{HERE}").headers["etag"]
    for known in (tag, tag.removeprefix("W/"), f'"other", {tag}', "*"):
        answer = get(town, f"grids/{HERE}", if_none_match=known)
        assert (answer.status_code, answer.content) == (304, b""), known
        assert answer.headers["etag"] == tag
        assert answer.headers["vary"] == "Accept-Encoding, Cookie, Authorization"
    assert get(town, f"grids/{HERE}", if_none_match='"other"').status_code == 200


def test_changed_tile_is_sent_again(own_town: Town) -> None:
    tag = get(own_town, f"incidents/{HERE}").headers["etag"]
    sent = {"id": "7c9e6679-7425-40de-944b-e07fc1f90ae7", "category": "other"}
    sent |= {"lon": 117.01, "lat": 45.01}  # type: ignore[dict-item]
    assert own_town.client.post("/api/v1/incidents", json=sent).status_code == 201
    answer = get(own_town, f"incidents/{HERE}", if_none_match=tag)
    assert answer.status_code == 200
    assert get(own_town, f"incidents/{HERE}?category=hazard").status_code == 204


@pytest.mark.parametrize("layer", sorted(tiles.LAYERS))
def test_tilejson_of_each_layer(town: Town, layer: str) -> None:
    answer = town.client.get(f"/tiles/{layer}")
    assert answer.status_code == 200
    (address,) = answer.json()["tiles"]
    assert address == f"http://testserver/tiles/{layer}/{{z}}/{{x}}/{{y}}"
    assert get(town, f"{layer}/{HERE}").status_code in {200, 204}


@pytest.mark.parametrize(
    ("address", "status"),
    [
        ("nothing/0/0/0", 404),
        ("nothing", 404),
        ("grids/3/8/0", 422),
        ("grids/-1/0/0", 422),
        ("grids/99/0/0", 422),
        (f"grids/1/{10**30}/0", 422),
        ("grids/x/0/0", 422),
        ("grids/0/0/0?at=soon", 422),
        ("grids/0/0/0?start=2026-02-02&end=2026-02-01", 422),
    ],
)
def test_tile_that_cannot_be(town: Town, address: str, status: int) -> None:
    answer = get(town, address)
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == "application/problem+json"
