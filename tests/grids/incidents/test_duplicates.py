"""What is offered as the same incident, why, and to whom; and addresses that come again."""

from __future__ import annotations

import math
import uuid
from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gis.database import execute
from gis.errors import BadInput
from grids.incidents import service, steps
from grids.incidents.duplicates import duplicates, repeats
from grids.incidents.errors import IncidentNotFound
from grids.incidents.likeness import Told, likeness, similarity, weights
from tests import factories

if TYPE_CHECKING:
    from sqlalchemy.orm import Session

AT = factories.SINCE + timedelta(days=40)
LON, LAT = factories.middle(0)
METRE = 1 / 111_320
LEAK = "楼上漏水泡坏楼下顶棚,希望网格员上门了解"
LEAK_AGAIN = "来电人称楼上家里跑水,把楼下天花板泡了"
NOISE = "夜间噪音扰民,多次沟通未果"
TOLD = Told(at=AT, category="neighbour", kind="dispute", text=LEAK, address="示范街道滨河路12号3栋",
            lon=LON, lat=LAT, accuracy_m=15)  # fmt: skip


def report(session: Session, text: str = LEAK, **fields: Any) -> uuid.UUID:
    east = fields.pop("east_m", 0) * METRE / math.cos(math.radians(LAT))
    hours = fields.pop("hours", 0)
    given: dict[str, Any] = {
        "x": LON + east, "y": LAT, "accuracy_m": 15, "reported_at": AT + timedelta(hours=hours),
        "category": "neighbour", "source": "t",
    }  # fmt: skip
    told = service.Report(id=uuid.uuid4(), text=text, **(given | fields))
    return service.record(session, told, actor="t").incident.id


class TestLikeness:
    """Evidence, part by part."""

    def test_the_same_in_other_words(self) -> None:
        other = replace(TOLD, text=LEAK_AGAIN, at=AT + timedelta(hours=5), lon=LON + 30 * METRE)
        found = likeness(TOLD, other, weights([LEAK, LEAK_AGAIN, *[NOISE] * 20]))
        assert found.score > 0.9
        assert set(found.parts) == {"place", "time", "category", "text", "address"}
        assert found.parts["place"].value == pytest.approx(21, abs=1)
        assert found.parts["time"].value == 5
        odds = sum(part.points for part in found.parts.values())
        assert found.score == pytest.approx(1 / (1 + 49 * math.exp(-odds)))

    @pytest.mark.parametrize(
        "change",
        [
            {"text": NOISE},
            {"lon": LON + 400 * METRE},
            {"at": AT + timedelta(days=10)},
            {"category": "other", "kind": "other", "text": NOISE},
            {"address": "示范街道滨河路12号9栋", "text": NOISE},
        ],
    )
    def test_what_speaks_against_it(self, change: dict[str, Any]) -> None:
        base = replace(TOLD, text=LEAK_AGAIN)
        assert likeness(TOLD, replace(base, **change)).score < likeness(TOLD, base).score

    def test_a_vague_place_says_less_for_and_against(self) -> None:
        points = [
            [
                likeness(
                    replace(TOLD, accuracy_m=accuracy),
                    replace(TOLD, lon=LON + metres * METRE, accuracy_m=accuracy),
                ).parts["place"].points
                for metres in (0, 150)
            ]
            for accuracy in (10, 100, 300)
        ]  # fmt: skip
        here, away = zip(*points, strict=True)
        assert here[0] > here[1] > here[2] > 0
        assert away[0] < 0 < away[2]

    def test_what_is_not_known_says_nothing(self) -> None:
        bare = replace(TOLD, lon=None, lat=None, text="", address="")
        assert set(likeness(TOLD, bare).parts) == {"time", "category"}

    def test_other_numbers_are_other_houses(self) -> None:
        def points(address: str) -> float:
            return likeness(TOLD, replace(TOLD, address=address)).parts["address"].points

        assert points("示范街道滨河路12号3栋2单元") > 0 > points("示范街道滨河路12号4栋")
        assert points("示范街道滨河路12号3栋") > 0

    @given(st.text(max_size=40), st.text(max_size=40), st.integers(-400, 400))
    def test_in_either_order(self, one: str, other: str, hours: int) -> None:
        first = replace(TOLD, text=one)
        second = replace(TOLD, text=other, at=AT + timedelta(hours=hours), address=one)
        found = likeness(first, second), likeness(second, first)
        assert found[0].score == pytest.approx(found[1].score)
        assert 0 <= found[0].score <= 1

    def test_width_capitals_and_signs_are_the_same(self) -> None:
        assert similarity("Leak in flat 12, again", "LEAK in flat 12 again!") == 1
        assert similarity("漏水", "漏水了") is None
        assert similarity("楼上漏水", "夜间噪音") == 0


class TestOffered:
    """From the database, within reach, time and sight."""

    def test_the_likeliest_first(self, session: Session) -> None:
        factories.county(session)
        first = report(session)
        second = report(session, LEAK_AGAIN, hours=6, east_m=25)
        report(session, NOISE, hours=3)
        report(session, hours=4, east_m=1_500)
        report(session, hours=24 * 20)
        found = duplicates(session, second, threshold=0)
        assert (found[0].incident.id, len(found)) == (first, 2)
        assert [each.incident.id for each in duplicates(session, second)] == [first]
        assert [each.incident.id for each in duplicates(session, first)] == [second]
        with pytest.raises(IncidentNotFound):
            duplicates(session, uuid.uuid4())

    def test_without_a_place_by_its_address(self, session: Session) -> None:
        factories.county(session)
        nowhere: dict[str, Any] = {"x": None, "y": None, "accuracy_m": None}
        nowhere |= {"county_code": factories.COUNTY, "address": "滨河路12号3栋"}
        first = report(session, **nowhere)
        second = report(session, LEAK_AGAIN, hours=2, **nowhere)
        report(session, hours=2, **(nowhere | {"address": "滨河路14号"}))
        report(session, hours=2, **(nowhere | {"address": ""}))
        assert [each.incident.id for each in duplicates(session, second, threshold=0)] == [first]

    def test_merged_by_a_person_and_undone(self, session: Session) -> None:
        factories.county(session)
        first, second = report(session), report(session, LEAK_AGAIN, hours=6)
        third = report(session, hours=7)

        def step(which: uuid.UUID, to: str, **fields: Any) -> str:
            return steps.step(session, which, to, actor="t", **fields).state

        for into, says in (
            (None, "merged into another one"), (uuid.uuid4(), "there is no incident"),
            (second, "into itself"),
        ):  # fmt: skip
            with pytest.raises(BadInput, match=says):
                step(second, "merged", into=into)
        with pytest.raises(BadInput, match="only a merged"):
            step(second, "accepted", into=first)
        assert step(second, "merged", into=first) == "merged"
        assert {each.incident.id for each in duplicates(session, third, threshold=0)} == {first}
        with pytest.raises(BadInput, match="is merged itself"):
            step(third, "merged", into=second)
        assert step(second, "reopened") == "reopened"
        assert {each.incident.id for each in duplicates(session, third, threshold=0)} == {
            first, second,
        }  # fmt: skip


class TestRepeats:
    """The same address, building or place, in a period."""

    def test_by_each_way(self, session: Session) -> None:
        factories.county(session)
        execute(
            session,
            "INSERT INTO buildings (county_code, unit_code, address, geom, source, external_id) "
            "VALUES ('990121', '990121101001', '滨河路12号', "
            "ST_SetSRID(ST_MakePoint(:lon, :lat), 4326), 's', '1')",
            lon=LON, lat=LAT,
        )  # fmt: skip
        for number, (address, category) in enumerate(
            [("滨河路12号", "neighbour"), ("滨河路 12 号。", "neighbour"),
             ("滨河路12号", "labour"), ("滨河路13号", "labour"), ("", "labour")]
        ):  # fmt: skip
            report(session, address=address, category=category, hours=number, east_m=number / 10)
        report(session, address="滨河路12号", hours=24 * 9)
        period = {"start": AT, "end": AT + timedelta(days=5)}
        (found,), following = repeats(session, **period)
        assert (found.count, found.categories) == (3, {"labour": 1, "neighbour": 2})
        assert (found.label, following) == ("滨河路12号", None)
        assert found.first_at == AT
        assert len(found.incidents) == 3
        assert found.apart_m == pytest.approx(0.2, abs=0.02)
        (house,), _ = repeats(session, by="building", **period)
        assert (house.label, house.count) == ("滨河路12号", 5)
        (place,), _ = repeats(session, by="place", **period)
        assert (place.count, place.lon) == (5, pytest.approx(LON, abs=1e-5))
        assert repeats(session, categories=["labour"], **period) == ([], None)
        (two,), _ = repeats(session, categories=["labour"], by="place", **period)
        assert two.count == 3

    def test_page_by_page(self, session: Session) -> None:
        factories.county(session)
        for number in range(7):
            for _ in range(2 + number % 2):
                report(session, address=f"{number}号院")
        period = {"start": AT, "end": AT + timedelta(days=1), "fewest": 2}
        whole, _ = repeats(session, **period)
        assert [each.count for each in whole] == [3, 3, 3, 2, 2, 2, 2]
        pages, cursor = [], None
        while True:
            page, cursor = repeats(session, **period, limit=2, cursor=cursor)
            pages += page
            if cursor is None:
                break
        assert pages == whole
        with pytest.raises(BadInput, match="none of ours"):
            repeats(session, **period, cursor="x")
        with pytest.raises(BadInput, match="before it begins"):
            repeats(session, start=AT, end=AT)
