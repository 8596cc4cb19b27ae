"""Likely duplicates and addresses that come again, over HTTP: offered to those who may read."""

from __future__ import annotations

import uuid
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa

from tests import factories
from tests.api.test_audit import as_account
from tests.api.test_incidents import URL, body, problem

if TYPE_CHECKING:
    from tests.api.conftest import Town

LEAK = "楼上漏水泡坏楼下顶棚,希望网格员上门了解"
LEAK_AGAIN = "来电人称楼上家里漏水,把楼下天花板泡坏了"


def report(town: Town, headers: dict[str, str] | None = None, **fields: Any) -> dict[str, Any]:
    answer = town.client.post(URL, json=body(accuracy_m=15, **fields), headers=headers or {})
    assert answer.status_code == 201, answer.text
    made: dict[str, Any] = answer.json()
    return made


def entries(town: Town, action: str) -> list[Any]:
    with town.database.transaction() as session:
        sql = "SELECT * FROM audit_log WHERE action = :action ORDER BY id DESC"
        return list(session.execute(sa.text(sql), {"action": action}).all())


def test_offered_with_the_answer_and_merged_by_a_person(own_town: Town) -> None:
    first = report(own_town, text=LEAK)
    assert first["possible_duplicates"] == []
    sent = body(text=LEAK_AGAIN, accuracy_m=15)
    second = own_town.client.post(URL, json=sent).json()
    (offered,) = second["possible_duplicates"]
    assert offered["id"] == first["id"]
    assert 0.8 <= offered["score"] <= 1
    assert entries(own_town, "compare")[0].detail["like"] == second["id"]
    # A retry is answered without looking again.
    assert own_town.client.post(URL, json=sent).json()["possible_duplicates"] == []

    found = own_town.client.get(f"{URL}/{second['id']}/duplicates").json()
    (item,) = found["items"]
    assert (item["id"], item["score"]) == (first["id"], offered["score"])
    assert {part["part"] for part in item["parts"]} == {"place", "time", "category", "text"}
    points = [abs(part["points"]) for part in item["parts"]]
    assert points == sorted(points, reverse=True)
    assert entries(own_town, "compare")[0].object_id == first["id"]
    assert LEAK not in str(entries(own_town, "compare"))

    events = f"{URL}/{second['id']}/events"
    told = problem(own_town.client.post(events, json={"to_state": "merged"}))
    assert told["problems"][0]["field"] == "into"
    unknown = {"to_state": "merged", "into": str(uuid.uuid4())}
    assert own_town.client.post(events, json=unknown).status_code == 422
    done = own_town.client.post(events, json={"to_state": "merged", "into": first["id"]})
    assert done.json()["state"] == "merged"
    assert done.json()["events"][-1]["into"] == first["id"]
    assert own_town.client.get(f"{URL}/{first['id']}/duplicates").json()["items"] == []
    again = own_town.client.post(events, json={"to_state": "reopened"})
    assert again.json()["state"] == "reopened"


def test_somebody_says_that_they_are_not_the_same(own_town: Town) -> None:
    first, second = (report(own_town, text=text)["id"] for text in (LEAK, LEAK_AGAIN))

    def offered(one: str) -> list[str]:
        found = own_town.client.get(f"{URL}/{one}/duplicates").json()["items"]
        return [each["id"] for each in found]

    def say(one: str, other: str, headers: dict[str, str] | None = None, **body: Any) -> Any:
        path = f"{URL}/{one}/duplicates/{other}"
        return own_town.client.put(path, json=body, headers=headers or {})

    assert (offered(first), offered(second)) == ([second], [first])
    assert say(first, second, unlike=False).json() == {"unlike": False, "actor": None, "at": None}
    said = say(second, first, unlike=True, note="三楼和五楼").json()
    assert said["unlike"]
    assert (offered(first), offered(second)) == ([], [])
    # Said again, from either side, nothing is added.
    assert say(first, second, unlike=True).json() == said
    (event,) = own_town.client.get(f"{URL}/{second}").json()["events"][1:]
    assert (event["kind"], event["unlike"], event["note"]) == ("note", first, "三楼和五楼")
    assert event["actor"] == said["actor"]
    assert len(own_town.client.get(f"{URL}/{first}").json()["events"]) == 1
    (entry,) = entries(own_town, "incident.unlike")
    assert (entry.object_id, entry.detail["other"]) == (second, first)
    assert "三楼" not in str(entry)
    # Taken back from the other side, the pair is offered again; both words stay.
    assert not say(first, second, unlike=False).json()["unlike"]
    assert (offered(first), offered(second)) == ([second], [first])
    assert own_town.client.get(f"{URL}/{first}").json()["events"][-1]["alike"] == second
    assert own_town.client.get(f"{URL}/{second}").json()["events"][-1]["unlike"] == first
    assert say(first, first, unlike=True).status_code == 422
    assert say(first, str(uuid.uuid4()), unlike=True).status_code == 404
    for role in ("analyst", "resident", "planner"):
        headers = as_account(own_town, role, factories.COUNTY)
        assert say(first, second, headers, unlike=True).status_code == 403
    elsewhere = as_account(own_town, "community", factories.VILLAGES[1])
    assert say(first, second, elsewhere, unlike=True).status_code == 404


def test_nothing_is_offered_that_the_caller_does_not_see(own_town: Town) -> None:
    report(own_town, text=LEAK)
    for role in ("integrator", "resident", "department"):
        headers = as_account(own_town, role, factories.COUNTY)
        assert report(own_town, headers, text=LEAK)["possible_duplicates"] == []
    headers = as_account(own_town, "analyst", factories.COUNTY)
    assert own_town.client.get(f"{URL}/repeats", headers=headers).status_code == 403


def test_a_step_sends_it_to_a_department(own_town: Town) -> None:
    with own_town.database.transaction() as session:
        number = session.scalar(
            sa.text(
                "INSERT INTO departments (county_code, area_code, name, source, external_id) "
                "VALUES ('990121', '990121', '住建局', 't', '1') RETURNING id"
            )
        )
    made = report(own_town)
    events = f"{URL}/{made['id']}/events"
    sent = {"to_state": "dispatched", "lead_department": number}
    told = own_town.client.post(events, json=sent)
    assert told.status_code == 201, told.text
    assert told.json()["events"][-1]["lead_department"] == number
    wrong = {"to_state": "accepted", "joint_departments": [10**9]}
    assert problem(own_town.client.post(events, json=wrong))["problems"][0]["field"] == (
        "joint_departments"
    )


def test_addresses_that_come_again(own_town: Town) -> None:
    for number in range(4):
        report(own_town, address="滨河路12号", category=("neighbour", "labour")[number % 2])
        report(own_town, address=f"滨河路{number + 20}号")
    found = own_town.client.get(f"{URL}/repeats").json()
    (item,) = found["items"]
    assert (item["label"], item["count"]) == ("滨河路12号", 4)
    assert item["categories"] == {"labour": 2, "neighbour": 2}
    (entry,) = entries(own_town, "search")
    assert (entry.count, entry.county_code) == (4, factories.COUNTY)
    first = own_town.client.get(f"{URL}/repeats", params={"by": "place", "limit": 1}).json()
    assert (first["items"][0]["count"], first["next"]) == (8, None)
    assert own_town.client.get(f"{URL}/repeats", params={"start": "2026-02-01", "end": "2026-02-02"}
                               ).json() == {"items": [], "next": None}  # fmt: skip
    problem(own_town.client.get(f"{URL}/repeats", params={"cursor": "x"}))
    problem(own_town.client.get(f"{URL}/repeats", params={"by": "moon"}))
