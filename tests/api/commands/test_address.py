"""Addresses from the command line: taken apart, found, left to a person, decided."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from tests import factories
from tests.grids.addresses import town

if TYPE_CHECKING:
    from collections.abc import Callable

    from gis.database import Database


@pytest.fixture
def place(here: Database) -> Database:
    with here.transaction() as session:
        town.build(session)
    return here


@pytest.mark.usefixtures("place")
def test_from_a_text_to_a_decision(wangge: Callable[..., Any]) -> None:
    done = wangge("address", "search", "人民路5号和平小区2栋")
    assert done.code == 0, done.err
    assert "示范旗示范镇人民路5号和平小区2栋" in done.out
    assert "sure: take the first" in done.out
    told = wangge("address", "search", "人名路11号", "--ask", "--json").document
    assert not told["confident"]
    number = told["review"]
    assert "人名路11号" in wangge("address", "reviews").out
    assert wangge("address", "decide", number).code == 2
    done = wangge("address", "decide", number, "--candidate", 0)
    assert done.code == 0, done.err
    assert wangge("address", "decide", number, "--nowhere").code == 1
    assert wangge("address", "search", "人名路11号", "--json").document["confident"]
    assert wangge("address", "reviews").out.strip() == "no address waits"


@pytest.mark.usefixtures("place")
def test_others_of_the_same_text(wangge: Callable[..., Any]) -> None:
    asked = ("address", "search", "天上人间", "--ask", "--county", factories.COUNTY, "--json")
    first, second, _ = (wangge(*asked).document["review"] for _ in range(3))
    done = wangge("address", "decide", first, "--nowhere")
    assert "2 others of this text and area still waiting" in done.out
    done = wangge("address", "decide", second, "--nowhere", "--all-same")
    assert "and 1 other of this text and area" in done.out
    assert wangge("address", "reviews").out.strip() == "no address waits"


@pytest.mark.usefixtures("place")
def test_what_was_said_is_listed_and_ended(wangge: Callable[..., Any]) -> None:
    assert wangge("address", "alias", "老二村", town.EAST_VILLAGE).code == 0
    (said,) = wangge("address", "aliases", "--json").document
    assert "老二村" in wangge("address", "aliases").out
    done = wangge("address", "end-alias", said["id"])
    assert done.code == 0, done.err
    assert "老二村 no longer means" in done.out
    assert wangge("address", "end-alias", said["id"]).code == 1
    assert wangge("address", "aliases", "--json").document == []
    (kept,) = wangge("address", "aliases", "--ended", "--json").document
    assert kept["ended_by"]


@pytest.mark.usefixtures("place")
def test_parts_points_and_names(wangge: Callable[..., Any]) -> None:
    told = wangge("address", "parse", "老二村人民路二号老李家", "--json").document
    assert told["ignored"] == ["老李家"]
    assert told["units"] == []
    assert wangge("address", "alias", "老二村", town.EAST_VILLAGE).code == 0
    told = wangge("address", "parse", "老二村人民路二号", "--json").document
    assert told["units"] == [town.EAST_VILLAGE]
    assert "not understood: 老李家" in wangge("address", "parse", "人民路2号老李家").out
    done = wangge("address", "reverse", "117.001", "45.01")
    assert "示范旗示范镇人民路1号" in done.out
    assert "(address, 0 m away)" in done.out
    done = wangge("address", "refresh")
    assert factories.COUNTY in done.out
    assert wangge("address", "alias", "x", "99").code == 1


@pytest.mark.usefixtures("place")
def test_nothing_found(wangge: Callable[..., Any]) -> None:
    assert "nothing was found" in wangge("address", "search", "天上人间").out
    done = wangge("address", "search", "天上人间", "--ask")
    assert done.code == 1
    assert "Say --county CODE" in done.err
    done = wangge("address", "search", "天上人间", "--ask", "--county", factories.COUNTY)
    assert "kept as review" in done.out
