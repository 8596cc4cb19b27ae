"""Files that leave: asked for, approved, marked, without what must not leave."""

from __future__ import annotations

import csv
import io
import re
import sqlite3
import uuid
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import openpyxl
import pyogrio
import pytest
import sqlalchemy as sa

from api.app import create_app
from api.settings import ServerSettings
from gis.secrets import Keyring
from grids.incidents import service
from grids.people import personal
from grids.people.models import Person
from tests import factories
from tests.api.conftest import TestClient

if TYPE_CHECKING:
    from pathlib import Path

    from tests.api.conftest import Town

PURPOSE = "monthly report to the league"
URL = "/api/v1/exports"
A_DAY = {"start": "2026-02-03T00:00:00Z", "end": "2026-02-04T00:00:00Z"}


def caller(town: Town, role: str, area: str = "", *, free_rows: int = 500) -> TestClient:
    """A client of somebody with a role in an area."""
    with town.database.transaction() as session:
        who = factories.account(session, role, area, login=f"{role[:8]}-{uuid.uuid4().hex[:8]}")
        secret = factories.key(session, who)
    app = create_app(ServerSettings(export_free_rows=free_rows), town.database)
    return TestClient(
        app, headers={"Authorization": f"Bearer {secret}"}, raise_server_exceptions=False
    )


@pytest.fixture(scope="module", autouse=True)
def incidents(town: Town) -> None:
    """Seven in the first grid, six in the third, two in the second; texts that are formulas."""
    for place, number in ((0, 7), (1, 2), (2, 6)):
        lon, lat = factories.middle(place)
        for each in range(number):
            with town.database.transaction() as session:
                service.record(
                    session,
                    service.Report(
                        id=uuid.uuid4(), category="neighbour", source="s", x=lon + each * 1e-4,
                        y=lat + 0.003, text='=HYPERLINK("x")', address="甲村 1 号",
                        reported_at=datetime(2026, 2, 2, tzinfo=UTC),
                    ),
                    actor="t",
                )  # fmt: skip


@pytest.fixture
def dispatcher(town: Town) -> TestClient:
    return caller(town, "dispatcher")


def fetched(client: TestClient, **wanted: Any) -> Any:
    asked = client.post(URL, json={"purpose": PURPOSE, **wanted})
    assert asked.status_code == 201, asked.text
    assert asked.json()["state"] == "ready"
    answer = client.get(f"{asked.headers['location']}/file")
    assert answer.status_code == 200, answer.text
    assert answer.headers["cache-control"] == "no-store"
    assert "attachment" in answer.headers["content-disposition"]
    return answer


def table(answer: Any) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(answer.content.decode("utf-8-sig"))))


def test_incidents_for_the_case_team(dispatcher: TestClient) -> None:
    rows = table(fetched(dispatcher, collection="incidents", format="csv"))
    assert len(rows) == 15
    assert {row["address"] for row in rows} == {"甲村 1 号"}
    assert {row["text"] for row in rows} == {'\'=HYPERLINK("x")'}, "no formula is run"
    assert len({row["export_mark"] for row in rows}) == 1
    assert float(rows[0]["lon"]) == pytest.approx(117, abs=0.1)
    assert "request_sha256" not in rows[0]


def test_analyst_takes_no_texts_and_no_places_along(town: Town) -> None:
    rows = table(fetched(caller(town, "analyst"), collection="incidents", format="csv"))
    assert len(rows) == 15
    assert {"text", "address", "lon", "lat", "source_x"}.isdisjoint(rows[0])
    refused = caller(town, "analyst").post(
        URL, json={"collection": "incidents", "format": "gpkg", "purpose": PURPOSE}
    )
    file = caller(town, "analyst").get(f"{refused.headers['location']}/file")
    assert file.status_code == 404, "another account's export"


def test_shared_incidents_lie_inside_their_grid_and_not_where_they_happened(
    dispatcher: TestClient,
) -> None:
    answer = fetched(
        dispatcher, collection="incidents", format="geojson", shared=True, filters=A_DAY
    )
    document = answer.json()
    told = [each["properties"] for each in document["features"]]
    # The first grid would tell the two of the second, by the sum of their village.
    assert [(each["grid_code"], each["incidents"]) for each in told] == [
        (factories.grid_code(2), 6)
    ]
    assert (told[0]["quarter_from"][:10], told[0]["quarter_to"][:10]) == (
        "2025-12-29", "2026-03-30",
    )  # fmt: skip
    for each in document["features"]:
        lon, lat = each["geometry"]["coordinates"]
        place = [factories.grid_code(n) for n in range(4)].index(each["properties"]["grid_code"])
        assert (lon, lat) == pytest.approx(factories.middle(place), abs=1e-3)
        assert set(each["properties"]) == {
            "category", "incidents", "quarter_from", "quarter_to", "grid_code", "export_mark",
        }  # fmt: skip
    assert "counts below 5" in document["wangge_export"]["notes"][0]
    assert document["wangge_export"]["purpose"] == PURPOSE


def test_shared_counts_hide_small_ones_and_what_gives_them_away(dispatcher: TestClient) -> None:
    answer = fetched(
        dispatcher, collection="incident_counts", format="csv", shared=True, filters=A_DAY
    )
    rows = {row["code"]: row for row in table(answer)}
    first, second, third = (factories.grid_code(n) for n in range(3))
    assert rows[second]["incidents"] == rows[first]["incidents"] == ""
    assert rows[second]["hidden"] == "True"
    assert rows[third]["incidents"] == "6"
    assert rows[factories.VILLAGES[0]]["incidents"] == "9"
    assert rows[factories.COUNTY]["incidents"] == "15"
    whole = table(fetched(dispatcher, collection="incident_counts", format="csv"))
    assert {row["code"]: row["incidents"] for row in whole}[second] == "2"


def test_excel_says_whose_it_is(dispatcher: TestClient) -> None:
    answer = fetched(dispatcher, collection="incidents", format="xlsx")
    book = openpyxl.load_workbook(io.BytesIO(answer.content))
    about = dict(book["about"].iter_rows(values_only=True))
    assert about["purpose"] == PURPOSE
    assert about["by"].startswith("dispatch")
    heads = [cell.value for cell in next(book["data"].rows)]
    cell = book["data"].cell(2, heads.index("text") + 1)
    assert (cell.data_type, cell.value[0]) == ("s", "'")


def test_geopackage_opens_and_carries_its_mark(dispatcher: TestClient, tmp_path: Path) -> None:
    path = tmp_path / "grids.gpkg"
    path.write_bytes(fetched(dispatcher, collection="grids", format="gpkg").content)
    frame = pyogrio.read_dataframe(path)
    assert len(frame) == 4
    assert frame.crs == 4326
    assert sorted(frame["code"]) == [factories.grid_code(n) for n in range(4)]
    with sqlite3.connect(path) as connection:
        told = str(connection.execute("SELECT metadata FROM gpkg_metadata").fetchall())
    connection.close()
    assert PURPOSE in told


def test_people_leave_without_phones(town: Town, dispatcher: TestClient) -> None:
    keyring = Keyring.open(town.database.settings.secrets_path)
    with town.database.transaction() as session:
        who = session.get_one(Person, town.county.workers[factories.grid_code(0)])
        personal.keep(session, who, "phone", "13900001111", keyring=keyring, actor="t")
    answer = fetched(dispatcher, collection="people", format="csv")
    assert {row["name"] for row in table(answer)} == {f"网格员{n}" for n in range(1, 5)}
    assert "phone" not in answer.text
    assert "1111" not in answer.text


def test_only_the_own_area_leaves(town: Town) -> None:
    township = caller(town, "township", factories.VILLAGES[1])
    rows = table(fetched(township, collection="incidents", format="csv"))
    assert {row["area_code"] for row in rows} == {factories.VILLAGES[1]}
    assert len(rows) == 6


def test_unit_and_period_narrow_it(dispatcher: TestClient) -> None:
    narrowed = {"unit": factories.VILLAGES[0], "categories": ["neighbour"]}
    answer = fetched(dispatcher, collection="incidents", format="csv", filters=narrowed)
    assert len(table(answer)) == 9
    none = {"end": "2020-01-01T00:00:00Z"}
    assert table(fetched(dispatcher, collection="incidents", format="csv", filters=none)) == []


class TestApproval:
    @pytest.fixture
    def waiting(self, town: Town) -> tuple[TestClient, str]:
        client = caller(town, "dispatcher", free_rows=3)
        asked = client.post(
            URL, json={"collection": "incidents", "format": "csv", "purpose": PURPOSE}
        )
        assert asked.json()["state"] == "waiting"
        return client, asked.headers["location"]

    def test_waits_then_is_approved_by_another(
        self, town: Town, waiting: tuple[TestClient, str]
    ) -> None:
        client, address = waiting
        refused = client.get(f"{address}/file")
        assert refused.status_code == 409
        assert "waiting" in refused.json()["detail"]
        approver = caller(town, "security_admin")
        assert any(URL + "/" + each["id"] == address for each in approver.get(URL).json())
        assert approver.get(f"{address}/file").status_code == 403, "who approves does not read"
        done = approver.post(f"{address}/decision", json={"approve": True, "note": "ok"})
        assert done.json()["state"] == "ready"
        assert len(table(client.get(f"{address}/file"))) == 15
        assert client.get(address).json()["downloads"] == 1
        again = approver.post(f"{address}/decision", json={"approve": False})
        assert again.status_code == 409

    def test_refused(self, town: Town, waiting: tuple[TestClient, str]) -> None:
        client, address = waiting
        body = {"approve": False, "note": "too much"}
        caller(town, "security_admin").post(f"{address}/decision", json=body)
        answer = client.get(f"{address}/file")
        assert (answer.status_code, "too much" in answer.text) == (409, True)

    def test_nobody_decides_on_their_own(self, town: Town) -> None:
        asked = town.client.post(
            URL, json={"collection": "incidents", "format": "csv", "purpose": PURPOSE}
        )
        with town.database.transaction() as session:
            session.execute(sa.text("UPDATE exports SET state = 'waiting'"))
        answer = town.client.post(f"{asked.headers['location']}/decision", json={"approve": True})
        assert answer.status_code == 403

    def test_another_area_does_not_decide(
        self, town: Town, waiting: tuple[TestClient, str]
    ) -> None:
        other = caller(town, "security_admin", factories.VILLAGES[0])
        answer = other.post(f"{waiting[1]}/decision", json={"approve": True})
        assert answer.status_code == 404

    def test_asker_cannot_change_the_state_past_it(
        self, town: Town, waiting: tuple[TestClient, str]
    ) -> None:
        client, address = waiting
        assert client.post(f"{address}/decision", json={"approve": True}).status_code == 403


@pytest.mark.parametrize("form", ["csv", "xlsx", "geojson", "gpkg"])
def test_the_name_of_the_file_is_the_service_s(dispatcher: TestClient, form: str) -> None:
    """Of known words and figures: nothing of it is to be encoded, whatever the purpose says."""
    answer = fetched(
        dispatcher, collection="incidents", format=form, shared=True, purpose='a";filename="../x'
    )
    told = re.fullmatch(r'attachment; filename="([a-z0-9.-]+)"',
                        answer.headers["content-disposition"])  # fmt: skip
    assert told
    assert re.fullmatch(rf"wangge-incidents-shared-[0-9a-f]{{8}}\.{form}", told[1])


@pytest.mark.parametrize(
    ("wanted", "field"),
    [
        ({"purpose": "x"}, "purpose"),
        ({"purpose": "         "}, "purpose"),
        ({"collection": "people", "shared": True}, "shared"),
        ({"collection": "everything"}, "collection"),
        ({"format": "exe"}, "format"),
        ({"filters": {"unit": "1' OR true"}}, "filters.unit"),
        ({"filters": {"start": "2026-01-01"}}, "filters.start"),
        ({"path": "../../etc/passwd"}, "path"),
    ],
)
def test_refused(dispatcher: TestClient, wanted: dict[str, Any], field: str) -> None:
    body = {"collection": "incidents", "format": "csv", "purpose": PURPOSE, **wanted}
    answer = dispatcher.post(URL, json=body)
    assert answer.status_code == 422
    assert field in {each["field"] for each in answer.json()["problems"]}


def test_map_of_what_has_no_place(dispatcher: TestClient) -> None:
    asked = dispatcher.post(
        URL, json={"collection": "people", "format": "gpkg", "purpose": PURPOSE}
    )
    answer = dispatcher.get(f"{asked.headers['location']}/file")
    assert (answer.status_code, answer.json()["problems"][0]["field"]) == (422, "format")


@pytest.mark.parametrize(
    ("role", "collection", "status"),
    [
        ("dispatcher", "cameras", 201), ("planner", "cameras", 403), ("planner", "incidents", 403),
        ("analyst", "buildings", 403), ("community", "incidents", 403),
        ("integrator", "grids", 403),
        ("audit_admin", "people", 403), ("system_admin", "grids", 403), ("township", "routes", 403),
    ],
)  # fmt: skip
def test_who_may_take_what(town: Town, role: str, collection: str, status: int) -> None:
    answer = caller(town, role).post(
        URL, json={"collection": collection, "format": "csv", "purpose": PURPOSE}
    )
    assert answer.status_code == status, answer.text


def test_what_has_grown_since_is_asked_for_again(own_town: Town) -> None:
    client = caller(own_town, "dispatcher")
    asked = client.post(URL, json={"collection": "incidents", "format": "csv", "purpose": PURPOSE})
    lon, lat = factories.middle(0)
    sent = {"id": str(uuid.uuid4()), "category": "other", "lon": lon, "lat": lat}
    assert own_town.client.post("/api/v1/incidents", json=sent).status_code == 201
    answer = client.get(f"{asked.headers['location']}/file")
    assert (answer.status_code, "ask again" in answer.json()["detail"]) == (409, True)


def test_every_step_is_logged(own_town: Town) -> None:
    client = caller(own_town, "dispatcher")
    fetched(client, collection="grids", format="csv")
    with own_town.database.transaction() as session:
        logged = session.execute(
            sa.text(
                "SELECT action, count, fields, words FROM audit_log "
                "LEFT JOIN audit_purposes ON commitment = purpose "
                "WHERE action LIKE 'export.%' ORDER BY id"
            )
        ).all()
    assert [each.action for each in logged] == ["export.ask", "export.fetch"]
    assert logged[0].words == PURPOSE
    assert logged[1].count == 4
    assert "code" in logged[1].fields.split(",")
    assert "geom" not in logged[1].fields
