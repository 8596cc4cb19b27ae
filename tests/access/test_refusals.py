"""What a refusal tells: nothing that an unknown id, a taken number or an empty place would not."""

from __future__ import annotations

import base64
import json
import statistics
import time
import uuid
from typing import TYPE_CHECKING, Any

import pytest
import sqlalchemy as sa

from tests.access import rules
from tests.access.place import (
    A1,
    A11,
    A12,
    A22,
    B11,
    GRIDS,
    MIDDLE,
    A,
    Caller,
    middle,
    report,
    word,
)  # fmt: skip
from tests.maps.test_tiles import address

if TYPE_CHECKING:
    from tests.access.conftest import Answer, Marked
    from tests.access.place import Row

TOWNSHIP = Caller("township", A1)
INCIDENTS = "/api/v1/incidents"
HIDDEN = GRIDS[8]  # in B11


def post(marked: Marked, caller: Caller, **fields: Any) -> Answer:
    """Report something new; fields that are None are left out."""
    lon, lat = middle(A11 + "001")
    sent = {"id": str(uuid.uuid4()), "category": "other", "lon": lon, "lat": lat} | fields
    body = json.dumps({name: value for name, value in sent.items() if value is not None})
    return marked.ask(caller, "POST", INCIDENTS, body=body.encode())


def incident(marked: Marked, key: str) -> Row:
    """The incident of a grid."""
    return next(row for row in marked.place.rows["incident"] if row.key == key)


def stored(marked: Marked, answer: Answer) -> Any:
    """What the table holds of an incident that was answered."""
    with marked.database.transaction() as session:
        return session.execute(
            sa.text("SELECT area_code, grid_id, review, reported_by FROM incidents WHERE id = :id"),
            {"id": json.loads(answer.body)["id"]},
        ).one()


def count(marked: Marked) -> int:
    with marked.database.transaction() as session:
        return session.scalar(sa.text("SELECT count(*) FROM incidents"))


@pytest.mark.parametrize("role", ["community", "township", "department", "integrator"])
def test_a_place_inside_is_taken_and_one_outside_is_refused_in_words(
    marked: Marked, role: str
) -> None:
    caller = Caller(role, A1)
    inside = post(marked, caller)
    assert inside.status == 201, inside.body
    assert stored(marked, inside).area_code == A11
    before = count(marked)
    for village in (A22, B11):
        lon, lat = middle(village + "001")
        outside = post(marked, caller, lon=lon, lat=lat)
        told = json.loads(outside.body)
        assert (outside.status, told["type"]) == (403, "urn:wangge:error:PlaceOutsideArea")
        assert "outside the area of this account" in told["detail"]
    assert count(marked) == before


def test_without_a_place_it_belongs_to_whoever_took_it_down(marked: Marked) -> None:
    answer = post(marked, TOWNSHIP, lon=None, lat=None, county_code=A)
    assert answer.status == 201, answer.body
    assert stored(marked, answer).area_code == A1
    path = f"{INCIDENTS}/{json.loads(answer.body)['id']}"
    assert marked.ask(Caller("community", A1), "GET", path).status == 200
    assert marked.ask(Caller("community", A), "GET", path).status == 200
    assert marked.ask(Caller("community", A11), "GET", path).status == 404
    # The county's own centre takes it for the county.
    answer = post(marked, Caller("dispatcher", A), lon=None, lat=None, county_code=A)
    assert stored(marked, answer).area_code == A


def test_a_county_that_is_not_ones_own_is_refused(marked: Marked) -> None:
    before = count(marked)
    answer = post(marked, TOWNSHIP, lon=None, lat=None, county_code="990122")
    assert answer.status == 403
    assert count(marked) == before


def test_a_taken_id_or_number_is_refused_in_the_same_words_whoevers_it_is(marked: Marked) -> None:
    seen, sibling = incident(marked, GRIDS[0]), incident(marked, GRIDS[6])
    hidden = incident(marked, HIDDEN)
    for first, second in (
        ({"id": report(seen)["id"]}, {"id": report(hidden)["id"]}),
        ({"external_id": word(*seen.mark)}, {"external_id": word(*sibling.mark)}),
    ):
        answers = []
        for taken in (first, second):
            sent = {"id": str(uuid.uuid4()), "source": "test"} | taken
            answer = post(marked, TOWNSHIP, **sent)
            assert answer.status == 409
            told = answer.body.decode().replace(sent["id"], "ID")
            answers.append(told.replace(sent.get("external_id", "-"), "NUMBER"))
            lengths = {name: value for name, value in answer.headers if name != b"content-length"}
            answers.append(str(lengths))
        assert answers[:2] == answers[2:]
    # Numbers are a county's own: another county's are free here.
    assert post(marked, TOWNSHIP, source="test", external_id=word(*hidden.mark)).status == 201


def test_the_time_of_a_404_does_not_tell_either(marked: Marked) -> None:
    """Medians, taken in turn; a look-up that went further for a hidden row would be seen."""
    taken: dict[str, list[float]] = {"hidden": [], "unknown": []}
    hidden = report(incident(marked, HIDDEN))["id"]
    for _ in range(60):
        for kind, id_ in (("hidden", hidden), ("unknown", str(uuid.uuid4()))):
            started = time.perf_counter()
            assert marked.ask(TOWNSHIP, "GET", f"{INCIDENTS}/{id_}").status == 404
            taken[kind].append(time.perf_counter() - started)
    first, second = (statistics.median(each) for each in taken.values())
    assert max(first, second) < 3 * min(first, second)


def test_another_callers_cursor_shows_ones_own_rows_only(marked: Marked) -> None:
    whole = marked.ask(Caller("dispatcher", ""), "GET", INCIDENTS, "limit=5")
    cursor = json.loads(whole.body)["next"]
    at, _ = json.loads(base64.urlsafe_b64decode(cursor))
    caller = Caller("community", A12)
    page = marked.ask(caller, "GET", INCIDENTS, f"cursor={cursor}")
    wanted = {
        report(row)["id"]
        for row in rules.visible(marked.place, caller, "incident")
        if row.at is not None and row.at.isoformat() < at
    }
    assert wanted
    assert {item["id"] for item in json.loads(page.body)["items"]} == wanted


def tile(
    marked: Marked, caller: Caller, lon: float, lat: float, tag: bytes | None = None
) -> Answer:
    """A tile of incidents, z14."""
    z, x, y = address(14, lon, lat)
    headers = ((b"if-none-match", tag),) if tag else ()
    return marked.ask(caller, "GET", f"/tiles/incidents/{z}/{x}/{y}", headers=headers)


def tag_of(answer: Answer) -> bytes:
    return dict(answer.headers)[b"etag"]


def test_a_tag_of_somebody_elses_tile_is_no_key_to_it(marked: Marked) -> None:
    there = middle(HIDDEN)
    theirs = tile(marked, Caller("dispatcher", "990122"), *there)
    assert theirs.status == 200
    # Whoever has got hold of their tag is told what somebody is told who asks for an empty place.
    desert = tile(marked, TOWNSHIP, 40.0, 20.0, tag_of(theirs))
    hidden = tile(marked, TOWNSHIP, *there, tag_of(theirs))
    assert (hidden.status, hidden.headers, hidden.body) == (204, desert.headers, b"")
    assert desert.status == 204
    # And a star, which stands for any tag, tells as little.
    for place in (there, (40.0, 20.0)):
        assert tile(marked, TOWNSHIP, *place, b"*").headers == hidden.headers
    # What both see is the same tile.
    here = middle(GRIDS[0])
    mine, whole = tile(marked, TOWNSHIP, *here), tile(marked, Caller("dispatcher", A), *here)
    assert mine.status == 200
    assert tag_of(mine) == tag_of(whole)
    assert tile(marked, TOWNSHIP, *here, tag_of(whole)).status == 304


def test_nothing_that_is_kept_may_be_kept_by_others(marked: Marked) -> None:
    """No answer to a caller may lie in a cache that serves another."""
    for path in (INCIDENTS, "/api/v1/meta", "/api/v1/people", "/api/v1/session",
                 "/tiles/grids/9/422/184",
                 "/api/v1/heatmaps.png", "/api/v1/gridmaps"):  # fmt: skip
        headers = dict(marked.ask(Caller("dispatcher", A), "GET", path).headers)
        kept = headers.get(b"cache-control", b"")
        assert b"private" in kept or b"no-store" in kept, path
        assert b"public" not in kept, path


@pytest.mark.parametrize("lat", [MIDDLE, 52.0])
def test_locate_outside_the_area_does_not_tell_whether_a_grid_is_there(
    marked: Marked, lat: float
) -> None:
    query = f"lon={middle(HIDDEN)[0]}&lat={lat}"
    found = json.loads(marked.ask(TOWNSHIP, "GET", "/api/v1/locate", query).body)
    assert found["reason"]["code"] == "outside_area"
    assert found["reason"]["zh"]
    assert found["inside"] is False
    assert found["edition"] is found["grid"] is found["distance_to_border_m"] is None
    assert found["nearest"] is None or found["nearest"]["code"].startswith(A1)
