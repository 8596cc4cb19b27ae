"""The report of unusual use: each rule at, below and above its threshold, the same every time."""

from __future__ import annotations

import json
import uuid
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest

from gis.audit import unusual
from gis.database import execute
from gis.errors import BadInput

if TYPE_CHECKING:
    from pathlib import Path

    from sqlalchemy.orm import Session

ZONE = "Asia/Shanghai"
START, END = datetime(2026, 5, 1, tzinfo=UTC), datetime(2026, 6, 1, tzinfo=UTC)
NOON = datetime(2026, 5, 10, 4, tzinfo=UTC)  # 12:00 in the zone
EVENING = datetime(2026, 5, 10, 14, tzinfo=UTC)  # 22:00, when the night begins


def enter(session: Session, at: datetime, **fields: Any) -> None:
    entry = {
        "actor": "wang", "role": "township", "scope": "990121101", "action": "read",
        "object_kind": "person", "object_id": "", "county_code": "990121", "count": 1,
        "account_id": str(uuid.UUID(int=1)), "origin": "10.0.0.7",
    } | fields  # fmt: skip
    execute(
        session, "SELECT wangge_audit_chain(CAST(:e AS jsonb), :at)", e=json.dumps([entry]), at=at
    )


def found(session: Session, rule: str, **more: Any) -> list[unusual.Finding]:
    every = unusual.unusual(session, START, END, zone=ZONE, **more)
    assert every == unusual.unusual(session, START, END, zone=ZONE, **more)
    return [each for each in every if each.rule == rule]


def test_night(session: Session) -> None:
    for number in range(19):
        enter(session, EVENING + timedelta(minutes=number))
    # One more outside the hours, before and after: it is still below the threshold.
    enter(session, EVENING - timedelta(seconds=1))
    enter(session, EVENING + timedelta(hours=8))
    assert found(session, "night") == []
    enter(session, EVENING + timedelta(hours=8, seconds=-1))
    (one,) = found(session, "night")
    assert (one.actor, one.entries, one.first) == ("wang", 20, EVENING)
    assert one.last == EVENING + timedelta(hours=8, seconds=-1)
    assert "20" in one.why["zh"]
    assert "threshold 20" in one.why["en"]
    # The dispatcher works at night.
    for number in range(30):
        enter(session, EVENING + timedelta(minutes=number), actor="li", role="dispatcher")
    assert found(session, "night") == [one]


def test_mass(session: Session) -> None:
    enter(session, NOON, count=299)
    # The next hour is another one.
    enter(session, NOON + timedelta(hours=1), count=299)
    assert found(session, "mass") == []
    enter(session, NOON + timedelta(minutes=59), count=1)
    (one,) = found(session, "mass")
    assert (one.objects, one.entries, one.object_kind) == (300, 2, "person")
    enter(session, NOON, actor="system", role="integrator", count=100_000)
    enter(session, NOON, action="person.add", count=100_000)
    assert found(session, "mass") == [one]
    enter(session, NOON, object_kind="reporter", count=50)
    assert [each.object_kind for each in found(session, "mass")] == ["person", "reporter"]


def test_outside_the_own_area(session: Session) -> None:
    enter(session, NOON, detail={"ids": ["1"]})
    enter(session, NOON, action="incident.step", object_kind="incident")
    # Of the whole installation nothing is outside.
    enter(session, NOON, action="incident.step", scope="", county_code="990122")
    assert found(session, "outside") == []
    enter(session, NOON, detail={"outside": 2}, scope="990121101,990122", county_code="990122")
    enter(session, NOON, action="incident.step", object_kind="incident", county_code="990122")
    assert [(each.object_kind, each.objects) for each in found(session, "outside")] == [
        ("incident", 1),
        ("person", 2),
    ]


def test_the_same_person_again(session: Session) -> None:
    for day in (0, 4, 8):
        enter(session, NOON + timedelta(days=day), action="reveal", object_id="p1")
        enter(session, NOON, action="reveal", object_id=f"other-{day}")
        enter(session, NOON, action="reveal", object_id="p1", actor=f"colleague-{day}")
    assert found(session, "reveal") == []
    enter(session, NOON + timedelta(days=10), action="person.reveal", object_id="p1")
    (one,) = found(session, "reveal")
    assert (one.actor, one.object_id, one.entries) == ("wang", "p1", 3)


def test_nothing_before_or_after_the_period(session: Session) -> None:
    for at in (START - timedelta(seconds=1), END):
        enter(session, at, count=10_000, detail={"outside": 1})
    assert unusual.unusual(session, START, END, zone=ZONE) == []


def test_thresholds_are_data(session: Session, tmp_path: Path) -> None:
    enter(session, NOON, count=10)
    file = tmp_path / "mine.toml"
    text = unusual.files("gis.audit").joinpath("unusual.toml").read_text(encoding="utf-8")
    file.write_text(text.replace("person = 300", "person = 10"), encoding="utf-8")
    (one,) = found(session, "mass", limits=unusual.thresholds(file))
    assert "10" in one.why["en"]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("[night]\nfrom_hour = 22", r"\[night\] has not the keys"),
        ("", r"\[reveal\] has not the keys"),
        ("[night", "no TOML"),
    ],
)
def test_a_file_of_thresholds_that_is_none(tmp_path: Path, text: str, words: str) -> None:
    file = tmp_path / "mine.toml"
    file.write_text(text, encoding="utf-8")
    with pytest.raises(BadInput, match=words):
        unusual.thresholds(file)
