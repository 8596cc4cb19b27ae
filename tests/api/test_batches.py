"""``POST /api/v1/locate``: what single answers say, many at once; whole or not at all."""

from __future__ import annotations

import io
import json
import math
import threading
import time
import uuid
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pytest
import sqlalchemy as sa
from fastapi.testclient import TestClient

from api import middleware, thin
from api.app import create_app
from api.batches import ARROW
from api.schemas.batches import BatchOut
from api.settings import ServerSettings
from grids.locating.batches import MOST_FROM_DATABASE, MOST_NEAREST, MOST_POINTS
from tests import conftest, factories
from tests.api.conftest import everything
from tests.factories import NORTH, SOUTH, STEP, WEST
from tests.grids.locating.test_snapshot import wait_for

if TYPE_CHECKING:
    from collections.abc import Iterator

    from gis.cluster import Cluster
    from gis.database import Database

URL = "/api/v1/locate"
LINE = NORTH + 0.01
"""A national border a kilometre north of the county; we are to the south of it."""


class Service:
    """An application that answers from memory, or from the database alone."""

    def __init__(self, client: TestClient, database: Database, county: factories.County) -> None:
        self.client, self.database, self.county = client, database, county

    def without_memory(self, monkeypatch: pytest.MonkeyPatch) -> None:
        state = self.client.app.state  # type: ignore[attr-defined]
        monkeypatch.setitem(state._state, "located", None)

    def post(self, points: Any, headers: dict[str, str] | None = None, **common: Any) -> Any:
        body = {"points": points, **common}
        return self.client.post(URL, content=json.dumps(body), headers={
            "Content-Type": "application/json", **(headers or {})
        })  # fmt: skip

    def answers(self, points: Any, headers: dict[str, str] | None = None, **common: Any) -> Any:
        answer = self.post(points, headers, **common)
        assert answer.status_code == 200, answer.text
        BatchOut.model_validate_json(answer.content)
        return answer.json()["answers"]

    def arrow(self, columns: dict[str, Any], query: str = "", **headers: str) -> Any:
        return self.client.post(
            f"{URL}{query}", content=stream(pa.table(columns)),
            headers={"Content-Type": ARROW, **headers},
        )  # fmt: skip

    def one(self, headers: dict[str, str] | None = None, **params: Any) -> dict[str, Any]:
        answer = self.client.get(URL, params=params, headers=headers)
        assert answer.status_code == 200, answer.text
        found: dict[str, Any] = answer.json()
        return found

    def key(self, role: str, area: str, **more: Any) -> dict[str, str]:
        with self.database.transaction() as session:
            login = f"{role}.{area or 'all'}.{time.monotonic_ns()}"
            account = factories.account(session, role, area, login=login.replace("_", "-"))
            return {"Authorization": f"Bearer {factories.key(session, account, **more)}"}


def stream(table: pa.Table, **options: Any) -> bytes:
    sink = io.BytesIO()
    with pa.ipc.new_stream(sink, table.schema, **options) as writer:
        writer.write_table(table)
    return sink.getvalue()


@pytest.fixture(scope="module")
def service(
    test_cluster: Cluster, template: str, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Service]:
    for database in conftest.fresh(test_cluster, template):
        folder = {"data_dir": tmp_path_factory.mktemp("data")}
        database.settings = database.settings.model_copy(update=folder)
        with database.transaction() as session:
            county = factories.county(session)
            session.execute(
                sa.text(
                    "INSERT INTO border_lines "
                    "(county_code, name, our_side, geom, source, external_id) "
                    "VALUES ('990121', '北界', 'right', ST_GeomFromText(:line, 4326), 't', '1')"
                ),
                {"line": f"LINESTRING({WEST - 1} {LINE},{WEST + 1} {LINE})"},
            )
        app = create_app(ServerSettings(), database)
        stopping = threading.Event()
        threads = thin.begin(app.state, database, stopping)
        keeper = app.state.located.keeper
        wait_for(lambda keeper=keeper: keeper.is_current)
        headers = everything(database)
        with TestClient(app, headers=headers, raise_server_exceptions=False) as client:
            yield Service(client, database, county)
        stopping.set()
        for thread in threads:
            thread.join(20)


PLACES = [
    *(factories.middle(place) for place in range(4)),
    (WEST + STEP, 45.01), (WEST + 2 * STEP, SOUTH), (WEST, SOUTH), (WEST + 0.3, 45.01),
    (WEST + 0.01, SOUTH - 0.02), (WEST + 0.01, LINE + 0.01), (112.0, 16.0),
]  # fmt: skip


@pytest.mark.parametrize("memory", [True, False], ids=["memory", "database"])
@pytest.mark.parametrize("area", ["", factories.VILLAGES[0]])
def test_it_says_what_single_answers_say(
    service: Service, monkeypatch: pytest.MonkeyPatch, area: str, memory: bool
) -> None:
    if not memory:
        service.without_memory(monkeypatch)
    headers = service.key("integrator", area)
    points = [{"id": k, "lon": lon, "lat": lat} for k, (lon, lat) in enumerate(PLACES)]
    points[0] |= {"accuracy_m": 30, "at": "2025-12-31T23:00:00Z"}
    points[1] |= {"accuracy_m": 2000}
    points[8] |= {"accuracy_m": 1500}
    told = service.answers(points, headers, at="2026-03-01T00:00:00Z", people="all", nearest=True)
    assert [each["id"] for each in told] == list(range(len(PLACES)))
    reasons = set()
    for point, each in zip(points, told, strict=True):
        asked = {"at": "2026-03-01T00:00:00Z"} | {k: v for k, v in point.items() if k != "id"}
        single = service.one(headers, **asked)
        assert each["reason"] == single["reason"]["code"], point
        reasons.add(each["reason"])
        for name in ("id", "code"):
            assert (each["grid"] or {}).get(name) == (single["grid"] or {}).get(name), point
        assert [e["person_id"] for e in each["responsible"]] == [
            e["person_id"] for e in single["responsible"]
        ]
        assert each["ask_back"] == single["ask_back"]
        for name, within in (("distance_to_border_m", 0.01), ("confidence", 2e-3)):
            assert each[name] == pytest.approx(single[name], abs=within), (name, point)
        near = single["nearest"]
        assert (each["nearest"] or {}).get("code") == (near or {}).get("code"), point
        if near:
            assert each["nearest"]["distance_m"] == pytest.approx(near["distance_m"], abs=0.01)
        assert each["border"] == pytest.approx(single["border"])
    wanted = {"in_grid", "on_border", "across_border"}
    assert reasons >= wanted | ({"outside_area"} if area else {"outside", "no_edition"})


def test_an_incident_across_the_border_is_looked_at(service: Service) -> None:
    body = {
        "id": str(uuid.uuid4()),
        "category": "neighbour",
        "lon": WEST + 0.01,
        "lat": LINE + 0.01,
    }
    made = service.client.post("/api/v1/incidents", json=body)
    assert (made.status_code, made.json()["review"]) == (201, "outside")
    told = service.one({"Accept-Language": "en"}, lon=body["lon"], lat=body["lat"])
    assert told["ask_back_text"].startswith(
        "The place lies 1.1 km across the national border (北界)"
    )


def test_arrow_in_and_out(service: Service) -> None:
    lon, lat = np.array(PLACES).T
    answer = service.arrow(
        {
            "id": pa.array([f"p{k}" for k in range(len(lon))]).dictionary_encode(),
            "lon": lon,
            "lat": lat,
            "accuracy_m": pa.array([30.0] + [None] * (len(lon) - 1)),
            "at": pa.array([None, *[1772323200] * (len(lon) - 1)], pa.timestamp("s", "UTC")),
        },
        "?at=2026-03-01T08:00:00%2B08:00&nearest=true",
    )
    assert answer.status_code == 200, answer.text
    assert answer.headers["content-type"] == ARROW
    table = pa.ipc.open_stream(answer.content).read_all()
    points = [{"id": f"p{k}", "lon": x, "lat": y} for k, (x, y) in enumerate(PLACES)]
    points[0]["accuracy_m"] = 30
    told = service.answers(points, at="2026-03-01T00:00:00Z", nearest=True)
    rows = table.to_pylist()
    assert [row["id"] for row in rows] == [each["id"] for each in told]
    for row, each in zip(rows, told, strict=True):
        assert row["reason"] == each["reason"]
        assert row["grid_code"] == (each["grid"] or {}).get("code")
        assert row["edition_id"] == each["edition_id"]
        first = (each["responsible"] or [{}])[0]
        assert (row["person_id"], row["person_name"]) == (first.get("person_id"), first.get("name"))
        assert row["confidence"] == each["confidence"]
        assert row["distance_to_border_m"] == each["distance_to_border_m"]
        assert row["nearest_code"] == (each["nearest"] or {}).get("code")
        assert row["border_m"] == (each["border"] or {}).get("distance_m")
    mixed = service.arrow({"lon": lon, "lat": lat}, Accept="application/json")
    assert mixed.json()["count"] == len(PLACES)
    every = service.arrow({"lon": lon, "lat": lat}, "?people=all")
    people = pa.ipc.open_stream(every.content).read_all()["responsible"].to_pylist()
    assert people[0][0]["name"] == "网格员1"


def test_nothing_and_a_hundred_thousand(service: Service) -> None:
    assert service.answers([]) == []
    random = np.random.default_rng(1)
    lon = random.uniform(WEST - 0.01, WEST + 4 * STEP, MOST_POINTS)
    lat = random.uniform(SOUTH, NORTH, MOST_POINTS)
    answer = service.arrow({"lon": lon, "lat": lat})
    codes = pa.ipc.open_stream(answer.content).read_all()["grid_code"].to_pylist()
    places = np.floor((lon - WEST) / STEP).astype(int)
    assert codes == [factories.grid_code(p) if p >= 0 else None for p in places.tolist()]
    over = service.arrow({"lon": [*lon, 117.0], "lat": [*lat, 45.0]})
    assert over.status_code == 422
    assert "at most 100,000 points" in over.text
    assert "100,001" in over.text
    points = [{"lon": 117.0, "lat": 45.0}] * (MOST_POINTS + 1)
    assert "100,001" in service.post(points).text
    many = service.post(points[: MOST_NEAREST + 1], nearest=True)
    assert many.status_code == 422
    assert f"{MOST_NEAREST:,} points that also ask for the nearest" in many.text


BAD = [
    ({"lon": math.nan, "lat": 45.0}, "lon", "no number"),
    ({"lon": 117.0, "lat": math.inf}, "lat", "no number"),
    ({"lon": 45.01, "lat": 117.0}, "lon,lat", "Did you mean lon=117.0, lat=45.01?"),
    ({"lon": 400, "lat": 45.0}, "lon,lat", "no position"),
    ({"lat": 45.0}, "lon", "missing"),
    ({"lon": "117", "lat": 45.0}, "lon", "no number"),
    ({"lon": True, "lat": 45.0}, "lon", "no number"),
    ({"lon": 117.0, "lat": 45.0, "accuracy_m": -3}, "accuracy_m", "Give metres above 0"),
    ({"lon": 117.0, "lat": 45.0, "accuracy_m": 1e9}, "accuracy_m", "up to 100,000"),
    ({"lon": 117.0, "lat": 45.0, "at": "soon"}, "at", "'soon' is no time"),
    ({"lon": 117.0, "lat": 45.0, "at": 3}, "at", "no text"),
    ({"lon": 117.0, "lat": 45.0, "id": [1]}, "id", "neither a text nor"),
    ({"lon": 117.0, "lat": 45.0, "what": 1}, "what", "no such field"),
    (7, "points", "no object"),
]


def test_every_bad_row_is_named_and_none_answered(service: Service) -> None:
    good = {"lon": 117.01, "lat": 45.01}
    rows: list[Any] = []
    for bad, _, _ in BAD:
        rows += [good, bad]
    answer = service.post(rows)
    assert answer.status_code == 422
    first, *problems = answer.json()["problems"]
    assert first["reason"].startswith(f"{len(BAD)} of {len(rows)} points cannot be taken")
    for k, (_, name, words) in enumerate(BAD):
        (told,) = (each for each in problems if each["row"] == 2 * k + 2)
        assert told["field"] == name
        assert words in told["reason"] + told["remedy"]
    assert "answers" not in answer.json()


def test_a_hundred_of_many_bad_rows(service: Service) -> None:
    for answer in (
        service.post([{"lon": 45.0, "lat": 117.0}] * 250),
        service.arrow({"lon": [45.0] * 250, "lat": [117.0] * 250}),
    ):
        first, *problems = answer.json()["problems"]
        assert "250 of 250" in first["reason"]
        assert [each["row"] for each in problems] == list(range(1, 101))


@pytest.mark.parametrize(
    ("body", "words"),
    [
        (b"", "no JSON"), (b"[1", "no JSON"), (b"[]", "no batch"), (b'{"points": 3}', "no batch"),
        (b'{"points": [], "crs": "mars"}', "mars"), (b'{"points": [], "people": "some"}', "first"),
        (b'{"points": [], "sort": 1}', "no such field"), (b'{"points": [], "at": "x"}', "no time"),
        (b'{"points": [], "points": []}', "twice"), (b'{"points": [{"lon": 1e999}]}', "number"),
        (b'{"points": [{"lon": ' + b"9" * 6000 + b"}]}", "no JSON"),
        (b'{"points": [], "category": "nothing"}', "category"),
        (b'{"points": ' + b"[" * 50 + b"]" * 50 + b"}", "nested"), (b"\xff\xfe", "UTF-8"),
    ],
)  # fmt: skip
def test_what_is_no_batch(service: Service, body: bytes, words: str) -> None:
    answer = service.client.post(URL, content=body, headers={"Content-Type": "application/json"})
    assert answer.status_code == 422, answer.text
    assert words in answer.text


LON, LAT = pa.array([117.01, 117.03]), pa.array([45.01, 45.01])


@pytest.mark.parametrize(
    ("columns", "words"),
    [
        ({"lon": LON}, "the column is missing"), ({"lon": ["a", "b"], "lat": LAT}, "it is string"),
        ({"lon": LON, "lat": LAT, "weight": LAT}, "no such column"),
        ({"lon": LON, "lat": LAT, "id": LAT}, "texts or whole numbers"),
        ({"lon": LON, "lat": LAT, "at": LAT}, "timestamps"),
        ({"lon": LON, "lat": LAT, "at": ["soon", None]}, "'soon' is no time"),
        ({"lon": pa.array([117.01, None]), "lat": LAT}, "no finite number"),
        ({"lon": pa.array([117.01, math.nan]), "lat": LAT}, "no finite number"),
        ({"lon": LON, "lat": LAT, "accuracy_m": [math.nan, 1.0]}, "Give metres above 0"),
        ({"lon": LON, "lat": LAT, "at": pa.array([2**60, 0], pa.timestamp("s", "UTC"))}, "years"),
        ({"lon": LON, "lat": LAT, "id": ["x" * 300, "y"]}, "200 characters"),
        ({"lon": pa.array([[1.0], [2.0]]), "lat": LAT}, "it is list"),
    ],
)  # fmt: skip
def test_arrow_with_wrong_columns(service: Service, columns: dict[str, Any], words: str) -> None:
    answer = service.arrow(columns)
    assert answer.status_code == 422, answer.text
    assert words in answer.text


def test_arrow_that_is_none(service: Service) -> None:
    whole = stream(pa.table({"lon": LON, "lat": LAT}))
    packed = stream(
        pa.table({"lon": LON, "lat": LAT}), options=pa.ipc.IpcWriteOptions(compression="zstd")
    )
    random = np.random.default_rng(3)
    for size in range(0, len(whole), 13):
        cut = service.client.post(URL, content=whole[:size], headers={"Content-Type": ARROW})
        assert cut.status_code == 422, size
    for _ in range(60):
        bytes_ = bytearray(whole)
        for at in random.integers(0, len(whole), 3):
            bytes_[at] = int(random.integers(256))
        answer = service.client.post(URL, content=bytes(bytes_), headers={"Content-Type": ARROW})
        assert answer.status_code in {200, 422}, answer.text
    answer = service.client.post(URL, content=packed, headers={"Content-Type": ARROW})
    assert "compressed" in answer.text
    other = service.client.post(URL, content=b"lon,lat", headers={"Content-Type": "text/csv"})
    assert other.json()["problems"][0]["field"] == "Content-Type"


def test_who_is_told_is_entered(service: Service) -> None:
    def entries() -> list[Any]:
        with service.database.transaction() as session:
            # Each connection fills a page of its own, so the newest row need not lie last.
            sql = "SELECT * FROM audit_log WHERE detail ? 'asked' AND NOT detail ? 'journal' "
            sql += "ORDER BY id"
            return list(session.execute(sa.text(sql)).all())

    before = len(entries())
    lon, lat = zip(*(factories.middle(place) for place in range(4)), strict=True)
    assert service.arrow({"lon": lon, "lat": lat}).status_code == 200
    (entry,) = entries()[before:]
    assert (entry.object_kind, entry.fields, entry.count) == ("person", "name,role", 4)
    assert set(entry.detail["ids"]) == {str(each) for each in service.county.workers.values()}
    assert service.post([{"lon": 45.0, "lat": 117.0}]).status_code == 422
    assert len(entries()) == before + 1


def test_its_limits(service: Service, monkeypatch: pytest.MonkeyPatch) -> None:
    headers = service.key("integrator", "", per_minute=10)
    points = [{"lon": 117.01, "lat": 45.01}] * 5000
    statuses = [service.post(points, headers).status_code for _ in range(3)]
    assert statuses == [200, 429, 200] or statuses[-1] == 429  # five thousand are six requests
    assert statuses.count(200) < 3
    service.without_memory(monkeypatch)
    many = service.post([{"lon": 117.01, "lat": 45.01}] * (MOST_FROM_DATABASE + 1))
    assert many.status_code == 503
    assert int(many.headers["retry-after"]) > 0


def test_large_bodies_have_room_for_a_few(
    service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    padding = " " * (3 << 20)
    large = json.dumps({"points": []})[:-1] + padding + "}"
    json_type = {"Content-Type": "application/json"}
    assert service.client.post(URL, content=large, headers=json_type).status_code == 200
    elsewhere = service.client.post("/api/v1/incidents", content=large, headers=json_type)
    assert elsewhere.status_code == 413
    huge = service.client.post(URL, content=" " * (17 << 20), headers=json_type)
    assert huge.status_code == 413
    assert f"{16 << 20} bytes" in huge.text
    monkeypatch.setattr(middleware, "LARGE_AT_ONCE", 0)
    full = service.client.post(URL, content=large, headers=json_type)
    assert (full.status_code, full.headers["retry-after"]) == (503, "2")


def test_strangers_and_those_who_may_not(service: Service) -> None:
    for headers, status in (
        ({"Authorization": "Bearer wgk_" + "x" * 43}, 401),
        (service.key("audit_admin", ""), 403),
    ):
        assert service.post([{"lon": 1, "lat": 1}], headers).status_code == status
