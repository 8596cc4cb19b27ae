"""``wangge incidents duplicates``, ``merge``, ``unlike`` and ``repeats``."""

from __future__ import annotations

import uuid
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pytest

from grids.incidents import service
from tests import factories

if TYPE_CHECKING:
    from collections.abc import Callable

    from gis.database import Database
    from tests.api.commands.conftest import Done

    Run = Callable[..., Done]

LEAK = "楼上漏水泡坏楼下顶棚"


@pytest.fixture
def leaks(here: Database, county: factories.County) -> list[str]:
    """The same leak told three times."""
    lon, lat = factories.middle(0)
    made = []
    assert county.grids
    with here.transaction() as session:
        for hours, text in ((9, LEAK), (4, f"来电人称{LEAK}请处理"), (1, LEAK)):
            told = service.Report(
                id=uuid.uuid4(), category="neighbour", source="t", text=text, x=lon, y=lat,
                address="滨河路12号", reported_at=datetime.now(UTC) - timedelta(hours=hours),
            )  # fmt: skip
            made.append(str(service.record(session, told, actor="t").incident.id))
    return made


def test_found_merged_and_counted(wangge: Run, leaks: list[str]) -> None:
    first, second, third = leaks
    found = wangge("incidents", "duplicates", second, "--json").document
    assert {each["id"] for each in found} == {first, third}
    assert set(found[0]["parts"]) == {"place", "time", "category", "text", "address"}
    told = wangge("incidents", "duplicates", second).out
    assert first in told
    assert "place 0 m (+" in told
    (again,) = wangge("incidents", "repeats", "--json").document
    assert (again["label"], again["count"], again["categories"]) == (
        "滨河路12号", 3, {"neighbour": 3},
    )  # fmt: skip
    assert "is merged into" in wangge("incidents", "merge", second, first).out
    assert "none has 3 incidents" in wangge("incidents", "repeats").out
    assert wangge("incidents", "merge", third, second).code == 1
    assert wangge("incidents", "repeats", "--by", "moon").code == 1
    assert wangge("incidents", "duplicates", "7").code == 1


def test_said_not_to_be_the_same_and_taken_back(wangge: Run, leaks: list[str]) -> None:
    first, second, third = leaks

    def offered() -> set[str]:
        found = wangge("incidents", "duplicates", second, "--json").document
        return {each["id"] for each in found}

    words = ("incidents", "unlike", first, second)
    assert "no longer offered" in wangge(*words, "--note", "two floors").out
    assert offered() == {third}
    assert "offered again" in wangge(*words, "--undo").out
    assert offered() == {first, third}
    assert wangge("incidents", "unlike", first, first).code == 1
    assert wangge("incidents", "unlike", first, str(uuid.uuid4())).code == 1
