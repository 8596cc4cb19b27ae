"""Reporting, listing, reading and moving incidents over HTTP."""

from __future__ import annotations

import asyncio
import json
import uuid
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, ClassVar

import pytest
import sqlalchemy as sa

from grids.incidents import service
from tests import factories

if TYPE_CHECKING:
    import httpx

    from tests.api.conftest import Town

URL = "/api/v1/incidents"


def body(**fields: Any) -> dict[str, Any]:
    lon, lat = factories.middle(1)
    given = {"id": str(uuid.uuid4()), "category": "neighbour", "lon": lon, "lat": lat}
    given |= fields
    return {name: value for name, value in given.items() if value is not ...}


def post(town: Town, **fields: Any) -> httpx.Response:
    return town.client.post(URL, json=body(**fields))


def rows(town: Town, sql: str, **values: Any) -> list[Any]:
    with town.database.transaction() as session:
        return list(session.execute(sa.text(sql), values).all())


def problem(answer: httpx.Response, status: int = 422) -> dict[str, Any]:
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    return answer.json()


def test_report_is_stored_with_its_grid_and_worker(town: Town) -> None:
    sent = body(text="楼道堆物", severity="difficult", accuracy_m=12, external_id="A-1")
    answer = town.client.post(URL, json=sent)
    assert answer.status_code == 201
    assert answer.headers["location"] == f"{URL}/{sent['id']}"
    made = answer.json()
    code = factories.grid_code(1)
    assert made["grid"]["code"] == code
    assert made["responsible"]["person_id"] == str(town.county.workers[code])
    assert made["responsible"]["reason"]["code"] == "primary_worker"
    assert made["review"] is None
    assert made["state"] == "reported"
    assert made["text"] == "楼道堆物"
    assert [event["kind"] for event in made["events"]] == ["reported"]
    kept = town.client.get(answer.headers["location"]).json()
    assert kept | {"possible_duplicates": []} == made
    # The event and the entry of the log are committed with it, in one transaction.
    (event,) = rows(
        town, "SELECT xid::text, actor FROM incident_events WHERE incident_id = :id", id=sent["id"]
    )
    (entry,) = rows(
        town,
        "SELECT xid::text, actor, action FROM audit_log WHERE object_id = :id AND action <> 'read'",
        id=sent["id"],
    )
    assert event.xid == entry.xid
    assert entry.action == "incident.report"


def test_retry_with_the_same_content_changes_nothing(town: Town) -> None:
    sent = body(text="一", occurred_at="2026-03-01T10:00:00+08:00", external_id="retry-1")
    first = town.client.post(URL, json=sent)
    # The same moment, written in another zone, is the same content.
    again = town.client.post(URL, json=sent | {"occurred_at": "2026-03-01T10:00:00+08:00"})
    assert (first.status_code, again.status_code) == (201, 200)
    assert again.json() == first.json()
    assert rows(
        town, "SELECT count(*) FROM incident_events WHERE incident_id = :id", id=sent["id"]
    ) == [(1,)]
    assert rows(
        town,
        "SELECT action, count(*) FROM audit_log WHERE object_id = :id GROUP BY 1 ORDER BY 1",
        id=sent["id"],
    ) == [("incident.report", 1), ("read", 2)]


def test_same_moment_in_another_zone_is_the_same_content(town: Town) -> None:
    sent = body(occurred_at="2026-03-01T10:00:00+08:00")
    assert town.client.post(URL, json=sent).status_code == 201
    sent["occurred_at"] = "2026-03-01T02:00:00Z"
    assert town.client.post(URL, json=sent).status_code == 200


@pytest.mark.parametrize(
    "other", [{"text": "another"}, {"lon": 117.011}, {"category": "hazard"}, {"severity": "major"}]
)
def test_id_used_for_something_else_is_a_conflict(town: Town, other: dict[str, Any]) -> None:
    sent = body(text="one")
    town.client.post(URL, json=sent)
    told = problem(town.client.post(URL, json=sent | other), 409)
    assert sent["id"] in told["detail"]
    assert "new id" in told["detail"]
    assert rows(town, "SELECT text FROM incidents WHERE id = :id", id=sent["id"]) == [("one",)]


def test_source_number_used_before_is_a_conflict(town: Town) -> None:
    first = body(source="12345", external_id="N-7")
    assert town.client.post(URL, json=first).status_code == 201
    told = problem(post(town, source="12345", external_id="N-7"), 409)
    assert "N-7" in told["detail"]
    # Another source may use the same number.
    assert post(town, source="app", external_id="N-7").status_code == 201


def test_ten_at_once_make_one(own_town: Town) -> None:
    sent = body(external_id="at-once")
    with ThreadPoolExecutor(10) as threads:
        answers = list(threads.map(lambda _: own_town.client.post(URL, json=sent), range(10)))
    assert sorted(each.status_code for each in answers) == [200] * 9 + [201]
    assert len({each.text for each in answers}) == 1
    assert rows(own_town, "SELECT count(*) FROM incidents") == [(1,)]
    assert rows(own_town, "SELECT count(*) FROM incident_events") == [(1,)]


def test_ten_ids_with_one_number_make_one(own_town: Town) -> None:
    with ThreadPoolExecutor(10) as threads:
        answers = list(threads.map(lambda _: post(own_town, external_id="the one"), range(10)))
    assert sorted(each.status_code for each in answers) == [201] + [409] * 9
    assert rows(own_town, "SELECT count(*) FROM incidents") == [(1,)]


def test_numbers_are_of_a_county(own_town: Town) -> None:
    # Two counties count for themselves; a clash in one is found although the other has it too.
    with own_town.database.transaction() as session:
        session.execute(
            sa.text(
                "INSERT INTO admin_units (code, level, parent_code, name, source) "
                "VALUES ('990122', 6, '9901', '邻旗', 'test')"
            )
        )
    for county in (factories.COUNTY, "990122"):
        answer = post(own_town, lon=..., lat=..., external_id="1", source="s", county_code=county)
        assert answer.status_code == 201, answer.text
    problem(
        post(own_town, lon=..., lat=..., external_id="1", source="s", county_code="990122"), 409
    )
    told = problem(post(own_town, lon=..., lat=...))
    assert told["problems"][0]["field"] == "county_code"
    told = problem(post(own_town, lon=..., lat=..., county_code="123456"))
    assert "990121, 990122" in told["problems"][0]["remedy"]


class TestRefused:
    """What cannot be taken is named, field by field, and nothing is kept."""

    @pytest.mark.parametrize(
        ("fields", "field", "words"),
        [
            ({"category": "quarrel"}, "category", "marriage_family"),
            ({"name": "张三"}, "name", "Leave it out"),
            ({"lat": ...}, "lon,lat", "Give both"),
            ({"lon": ...}, "lon,lat", "Give both"),
            ({"lon": 45.01, "lat": 117.01}, "lon,lat", "Did you mean lon=117.01, lat=45.01"),
            ({"crs": "gcj-20"}, "crs", "gcj02"),
            ({"id": "42"}, "id", "UUID"),
            ({"id": ...}, "id", "Give it"),
            ({"category": ...}, "category", "Give it"),
            ({"severity": "huge"}, "severity", "simple"),
            ({"occurred_at": "2026-03-01T10:00:00"}, "occurred_at", "timezone"),
            ({"accuracy_m": 0}, "accuracy_m", "greater than 0"),
            ({"text": "a\0b"}, "text", "NUL"),
            ({"source": "  "}, "source", "at least 1"),
            ({"county_code": "99"}, "county_code", "pattern"),
            ({"text": "字" * 10_001}, "text", "10000"),
            ({"lon": True, "lat": [1]}, "lat", "number"),
        ],
    )
    def test_by_name_and_remedy(
        self, town: Town, fields: dict[str, Any], field: str, words: str
    ) -> None:
        sent = body(**fields)
        told = problem(town.client.post(URL, json=sent))
        named = [each for each in told["problems"] if each["field"] == field]
        assert named, told
        assert words in f"{named[0]['reason']} {named[0]['remedy']}"
        if "id" in sent:
            assert rows(town, "SELECT 1 FROM incidents WHERE id::text = :id", id=sent["id"]) == []

    def test_all_at_once(self, town: Town) -> None:
        told = problem(post(town, severity="huge", accuracy_m=-1, name="x"))
        assert {each["field"] for each in told["problems"]} == {"severity", "accuracy_m", "name"}

    @pytest.mark.parametrize("value", ["NaN", "Infinity", "1e999"])
    def test_not_a_number(self, town: Town, value: str) -> None:
        text = json.dumps(body(lon=0)).replace('"lon": 0', f'"lon": {value}')
        answer = town.client.post(URL, content=text, headers={"content-type": "application/json"})
        assert problem(answer)["problems"][0]["field"] == "lon"

    def test_value_that_only_the_database_refuses(self, town: Town) -> None:
        # It passes the schema (above 0) and is too small for a real.
        told = problem(post(town, accuracy_m=1e-300))
        assert "out of range" in told["detail"]
        assert "INSERT" not in json.dumps(told)

    def test_half_a_character(self, town: Town) -> None:
        text = json.dumps(body(text="MARK")).replace("MARK", "\\ud800")
        answer = town.client.post(URL, content=text, headers={"content-type": "application/json"})
        problem(answer)


class TestReview:
    """What nobody can place by rule is kept, and put before a person."""

    def test_outside_goes_to_the_nearest_county(self, town: Town) -> None:
        made = post(town, lon=factories.WEST - 0.1, lat=45.01).json()
        assert made["review"] == "outside"
        assert made["grid"] is None
        assert made["responsible"] is None
        assert rows(town, "SELECT county_code FROM incidents WHERE id = :id", id=made["id"]) == [
            (factories.COUNTY,)
        ]

    def test_no_place_in_the_only_county(self, town: Town) -> None:
        made = post(town, lon=..., lat=..., address="西街 3 号").json()
        assert made["review"] == "no_place"
        assert (made["lon"], made["lat"]) == (None, None)

    def test_nobody_on_duty(self, own_town: Town) -> None:
        with own_town.database.transaction() as session:
            session.execute(sa.text("DELETE FROM assignments"))
        made = post(own_town).json()
        assert made["review"] == "nobody"
        assert made["grid"]["code"] == factories.grid_code(1)

    def test_in_gcj02_keeps_what_was_given(self, town: Town) -> None:
        made = post(town, lon=117.0362, lat=45.0115, crs="GCJ-02").json()
        (stored,) = rows(
            town,
            "SELECT source_crs, source_x, source_y FROM incidents WHERE id = :id",
            id=made["id"],
        )
        assert tuple(stored) == ("gcj02", 117.0362, 45.0115)
        assert made["lon"] != 117.0362
        assert abs(made["lon"] - 117.0362) < 0.01


def test_a_failure_inside_leaves_nothing(own_town: Town) -> None:
    # The event is written after the incident, the log after both: the last one fails.
    with own_town.database.transaction() as session:
        session.execute(
            sa.text(
                "ALTER TABLE audit_log ADD CONSTRAINT full_up CHECK (action <> 'incident.report')"
            )
        )
    sent = body()
    told = problem(own_town.client.post(URL, json=sent), 500)
    assert "nothing was changed" in told["detail"]
    assert "INSERT" not in json.dumps(told)
    for table in ("incidents", "incident_events"):
        assert rows(own_town, f"SELECT count(*) FROM {table}") == [(0,)]
    with own_town.database.transaction() as session:
        session.execute(sa.text("ALTER TABLE audit_log DROP CONSTRAINT full_up"))
    assert own_town.client.post(URL, json=sent).status_code == 201


def test_answered_means_committed(town: Town) -> None:
    """Another connection sees the row when the first byte of the answer is sent."""
    sent = body()
    seen: list[int] = []

    async def call() -> None:
        given = [{"type": "http.request", "body": json.dumps(sent).encode(), "more_body": False}]

        async def receive() -> dict[str, Any]:
            return given.pop() if given else {"type": "http.disconnect"}

        async def send(message: Any) -> None:
            if message["type"] == "http.response.start":
                found = rows(town, "SELECT 1 FROM incidents WHERE id = :id", id=sent["id"])
                seen.append(len(found))
                assert message["status"] == 201

        scope = {
            "type": "http", "asgi": {"version": "3.0"}, "http_version": "1.1", "method": "POST",
            "scheme": "http", "path": URL, "raw_path": URL.encode(), "query_string": b"",
            "root_path": "", "client": ("127.0.0.1", 1), "server": ("127.0.0.1", 80),
            "headers": [
                (b"content-type", b"application/json"),
                (b"authorization", town.client.headers["authorization"].encode()),
            ],
        }  # fmt: skip
        await town.client.app(scope, receive, send)

    asyncio.run(call())
    assert seen == [1]


class TestSteps:
    """One state machine, told by events."""

    def step(self, town: Town, number: str, to_state: str, **more: Any) -> httpx.Response:
        return town.client.post(f"{URL}/{number}/events", json={"to_state": to_state, **more})

    def test_from_report_to_close(self, town: Town) -> None:
        number = post(town).json()["id"]
        for state in ("accepted", "handling", "resolved", "closed"):
            answer = self.step(town, number, state, note=f"到 {state}")
            assert answer.status_code == 201
            assert answer.json()["state"] == state
        events = answer.json()["events"]
        assert [each["to_state"] for each in events] == [
            "reported", "accepted", "handling", "resolved", "closed",
        ]  # fmt: skip
        assert [each["from_state"] for each in events[1:]] == [
            each["to_state"] for each in events[:-1]
        ]
        assert events[-1]["note"] == "到 closed"

    def test_step_that_is_not_allowed_names_those_that_are(self, town: Town) -> None:
        number = post(town).json()["id"]
        told = problem(self.step(town, number, "evaluated"), 409)
        assert "reported cannot become evaluated" in told["detail"]
        assert "accepted, closed, dispatched, handling, merged, rejected" in told["detail"]
        assert town.client.get(f"{URL}/{number}").json()["state"] == "reported"

    def test_two_at_once(self, town: Town) -> None:
        number = post(town).json()["id"]
        with ThreadPoolExecutor(2) as threads:
            answers = list(threads.map(lambda _: self.step(town, number, "dispatched"), range(2)))
        assert sorted(each.status_code for each in answers) == [201, 409]

    def test_unknown(self, town: Town) -> None:
        number = uuid.uuid4()
        assert str(number) in problem(self.step(town, str(number), "closed"), 404)["detail"]
        problem(town.client.get(f"{URL}/{number}"), 404)
        problem(town.client.get(f"{URL}/42"), 422)

    def test_unknown_state(self, town: Town) -> None:
        number = post(town).json()["id"]
        assert problem(self.step(town, number, "done"))["problems"][0]["field"] == "to_state"


@pytest.fixture(scope="module")
def listed(town: Town) -> Town:
    """Twelve more incidents in February, two at each moment, each third without a place."""
    with town.database.transaction() as session:
        for number in range(12):
            lon, lat = factories.middle(number % 4)
            placed = number % 3 != 2
            service.record(
                session,
                service.Report(
                    id=uuid.UUID(int=number + 1),
                    category="consumer" if number % 2 else "tourism",
                    source="listed",
                    reported_at=datetime(2026, 2, 1, tzinfo=UTC) + timedelta(days=number // 2),
                    x=lon if placed else None,
                    y=lat if placed else None,
                ),
                actor="test",
            )
    return town


class TestList:
    """Newest first, page by page."""

    PERIOD: ClassVar = {"start": "2026-02-01T00:00:00Z", "end": "2026-02-07T00:00:00Z"}

    def page(self, town: Town, **query: Any) -> dict[str, Any]:
        answer = town.client.get(URL, params=self.PERIOD | query)
        assert answer.status_code == 200, answer.text
        return answer.json()

    def test_order_and_count(self, listed: Town) -> None:
        found = self.page(listed)
        assert found["count"] == 12
        assert found["next"] is None
        assert [uuid.UUID(each["id"]).int for each in found["items"]] == list(range(12, 0, -1))

    @pytest.mark.parametrize("limit", [1, 2, 5, 12])
    def test_pages_lose_and_repeat_nothing_while_others_report(
        self, listed: Town, limit: int
    ) -> None:
        cursor, ids = None, []
        while True:
            page = self.page(listed, limit=limit, **({"cursor": cursor} if cursor else {}))
            assert len(page["items"]) <= limit
            ids += [uuid.UUID(each["id"]).int for each in page["items"]]
            assert post(listed).status_code == 201  # somebody reports between two pages
            cursor = page["next"]
            if cursor is None:
                break
        assert ids == list(range(12, 0, -1))

    def test_newer_rows_do_not_shift_the_next_page(self, listed: Town) -> None:
        first = listed.client.get(URL, params={"limit": 3}).json()
        fresh = post(listed).json()["id"]
        second = listed.client.get(URL, params={"limit": 3, "cursor": first["next"]}).json()
        ids = [each["id"] for each in (*first["items"], *second["items"])]
        assert len(set(ids)) == len(ids)
        assert fresh not in ids

    def test_period_is_half_open(self, listed: Town) -> None:
        day = {"start": "2026-02-02T00:00:00Z", "end": "2026-02-03T00:00:00Z"}
        found = listed.client.get(URL, params=day).json()
        assert {uuid.UUID(each["id"]).int for each in found["items"]} == {3, 4}

    def test_period_without_a_zone_is_local(self, listed: Town) -> None:
        found = listed.client.get(URL, params={"start": "2026-02-02", "end": "2026-02-03"}).json()
        assert found["count"] == 2

    def test_category_and_review(self, listed: Town) -> None:
        assert self.page(listed, category="tourism")["count"] == 6
        assert self.page(listed, category=["tourism", "consumer"])["count"] == 12
        assert self.page(listed, category="labour")["count"] == 0
        review = self.page(listed, review=True)
        assert {each["review"] for each in review["items"]} == {"no_place"}
        assert review["count"] == 4
        assert self.page(listed, review=False)["count"] == 8

    def test_bbox(self, listed: Town) -> None:
        west, south = factories.WEST, factories.SOUTH
        box = f"{west},{south},{west + factories.STEP},{factories.NORTH}"
        found = self.page(listed, bbox=box)
        assert {each["grid"]["code"] for each in found["items"]} == {factories.grid_code(0)}

    @pytest.mark.parametrize(
        "bbox", ["1,2,3", "west", "117,45,116,46", "nan,45,118,46", "-inf,0,inf,1", "", "1,2,3,400"]
    )
    def test_no_bbox(self, listed: Town, bbox: str) -> None:
        told = problem(listed.client.get(URL, params={"bbox": bbox}))
        assert told["problems"][0]["field"] == "bbox"

    @pytest.mark.parametrize("limit", [1001, 10**6, 10**30])
    def test_limit_is_cut(self, listed: Town, limit: int) -> None:
        assert self.page(listed, limit=limit)["count"] == 12

    @pytest.mark.parametrize("limit", [0, -1, "many"])
    def test_no_limit(self, listed: Town, limit: object) -> None:
        told = problem(listed.client.get(URL, params={"limit": limit}))
        assert told["problems"][0]["field"] == "limit"

    @pytest.mark.parametrize(
        "cursor",
        [
            "x", "é", "W10=", "WzEsMl0=", "bnVsbA==", "W1tbW1tb" * 900,
            "WyJub3ciLCJub3ciXQ==", "eyJhIjoxLCJiIjoyfQ==",
        ],
    )  # fmt: skip
    def test_no_cursor(self, listed: Town, cursor: str) -> None:
        told = problem(listed.client.get(URL, params={"cursor": cursor}))
        assert told["problems"][0]["field"] == "cursor"

    def test_period_that_ends_before_it_begins(self, listed: Town) -> None:
        answer = listed.client.get(URL, params={"start": "2026-02-02", "end": "2026-02-02"})
        assert problem(answer)["problems"][0]["field"] == "end"

    def test_nul_in_a_filter(self, listed: Town) -> None:
        problem(listed.client.get(URL, params={"category": "a\0b"}))
