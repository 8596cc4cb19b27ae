"""Addresses are found by what they say; what is not sure says so."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
import sqlalchemy as sa
from hypothesis import given, settings
from hypothesis import strategies as st

from gis.errors import BadInput
from grids.addresses import gazetteer
from grids.addresses.candidates import Candidate, distance_m, likeness, ranked, similarity
from grids.addresses.search import found_many, search, understand, understand_many
from tests import factories
from tests.grids.addresses import town

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sqlalchemy.orm import Session

    from gis.database import Database


@pytest.fixture(scope="module")
def place(shared_database: Database) -> Iterator[Session]:
    """The county of `town`, never committed; tests here only read."""
    with shared_database.engine.connect() as connection:
        session = sa.orm.Session(bind=connection, info={"counts": None})
        session.info["counts"] = town.build(session)
        yield session
        session.rollback()


def first(session: Session, text: str) -> Candidate:
    return search(session, text)[0]


def test_what_refreshing_counts(place: Session) -> None:
    # 人民路 in two villages, 市场街, 示范村1二组, 长青路; 和平小区; the school by two names.
    assert place.info["counts"] == {"buildings": 9, "read": 8, "names": 8}
    with place.begin_nested() as before:
        count = sa.text("SELECT count(*) FROM addresses")
        rows = place.scalar(count)
        assert gazetteer.refresh(place, factories.COUNTY)["read"] == 8
        assert place.scalar(count) == rows
        # What is taken from the buildings goes with them.
        place.execute(sa.text("DELETE FROM buildings WHERE address LIKE '%人民路1号'"))
        assert first(place, "人民路1号").method != "street_number"
        before.rollback()


@pytest.mark.parametrize(
    ("text", "method", "label", "lon"),
    [
        ("示范旗示范镇人民路3号", "street_number", "示范旗示范镇人民路3号", 117.0015),
        ("人民路三号", "street_number", "示范旗示范镇人民路3号", 117.0015),
        ("人民路３号", "street_number", "示范旗示范镇人民路3号", 117.0015),
        ("人名路11号", "street_number", None, None),
        ("人民路5号和平小区2栋3单元501室", "building", "示范旗示范镇人民路5号和平小区2栋", 117.002),
        ("和平小区2号楼", "building", "示范旗示范镇人民路5号和平小区2栋", 117.002),
        ("示范村1二组3号", "street_number", "示范旗示范镇示范村1二组3号", 117.02),
        ("示范一中", "place", "示范第一中学", town.SCHOOL[0]),
        ("人民路10号", "interpolated", "人民路 2-20 (10)", None),
        ("人民路7号", "interpolated", "示范旗示范镇人民路5号和平小区1栋 - 示范旗示范镇人民路9号",
         117.0025),
        ("人民路", "street", "人民路", None),
        ("长青路", "street", "长青路", 117.07),
        ("示范旗示范镇示范村2", "division", "示范村2", None),
        ("长清路", "trigram", "长青路", 117.07),
    ],
)  # fmt: skip
def test_methods(
    place: Session, text: str, method: str, label: str | None, lon: float | None
) -> None:
    found = first(place, text)
    assert found.method == method
    assert label is None or found.label == label
    assert lon is None or found.lon == pytest.approx(lon, abs=2e-4)
    assert 0 < found.score <= 1


@pytest.mark.parametrize(
    ("text", "is_sure"),
    [
        ("示范旗示范镇人民路3号", True),
        ("和平小区2栋", True),
        ("示范第一中学", True),
        ("示范镇人民路3号北侧50米", True),
        # One of three characters is another: it may be another street.
        ("人名路11号", False),
        ("人民路7号", False),
        ("人民路10号", False),
        ("人民路", False),
        ("示范旗", False),
        ("和平小区7栋", False),
        ("人民路3号和平小区2栋", False),
        ("人民路99号", False),
        # The marks of a slip: 13号, 30号, 人民东路3号 may have been meant.
        ("人民路1号3", False),
        ("人民路03号", False),
        ("人民路东3号", False),
        ("人民路-3号", False),
        ("人民路－3号", False),
        ("人民路−3号", False),
        ("人民路 - 3号", False),
        ("人民路3.5号", False),
        ("人民路3-号", False),
        # Between names, too, the sign divides.
        ("示范旗-示范镇-人民路-3号", True),
        ("人民路3号老李家", True),
    ],
)
def test_only_what_is_there_is_sure(place: Session, text: str, is_sure: bool) -> None:
    assert first(place, text).is_confident == is_sure


@pytest.mark.parametrize("text", ["", "   ", "？！", "甲", "天上人间", "123 Main Street", "\x00"])
def test_nothing_is_found_of_nothing(place: Session, text: str) -> None:
    assert search(place, text) == []


def test_what_agrees_and_what_is_left_is_told(place: Session) -> None:
    found = first(place, "示范旗示范镇人民路3号老李家")
    assert found.matched == ("division", "street", "number")
    assert found.ignored == ("老李家",)
    found = first(place, "和平小区2栋3单元501室")
    assert found.matched == ("estate", "building")
    assert found.ignored == ("3单元", "501室")


PARTS = [
    "示范旗", "示范镇", "示范村1二组", "人民路", "人名路", "市场街", "长青路", "和平小区",
    "示范一中", "3号", "5号", "10号", "99号", "2栋", "2单元", "老李家", "与", "交叉口", "１", "é",
]  # fmt: skip


@given(texts=st.lists(st.lists(st.sampled_from(PARTS), max_size=4).map("".join), max_size=12))
@settings(max_examples=40)
def test_many_come_to_what_each_does_alone(place: Session, texts: list[str]) -> None:
    parsed = understand_many(place, texts)
    assert parsed == [understand(place, each) for each in texts]
    assert found_many(place, parsed) == [search(place, each) for each in texts]


def test_many_take_as_many_queries_as_the_longest(place: Session) -> None:
    asked: list[str] = []
    connection = place.connection()
    sa.event.listen(connection, "before_cursor_execute", lambda *a: asked.append(a[2]))
    found_many(place, understand_many(place, [f"示范镇人民路{n}号" for n in range(50)]))
    assert len(asked) < 20


def test_a_number_of_a_stretch_lies_where_it_should(place: Session) -> None:
    west, east = town.RANGE
    for number, share in ((2, 0), (11, None), (20, 1), (10, 8 / 18)):
        those = [each for each in search(place, f"人民路{number}号") if "2-20" in each.label]
        if share is None:  # odd: the other side of the street
            assert those == []
        else:
            assert those[0].lon == pytest.approx(west + (east - west) * share, abs=1e-7)


def test_another_division_than_the_text_says_is_no_match(place: Session) -> None:
    here = first(place, "示范村1人民路3号")
    elsewhere = first(place, "示范村2人民路3号")
    assert here.is_confident
    assert not elsewhere.is_confident
    assert elsewhere.score < here.score


def test_two_alike_are_asked_about(place: Session) -> None:
    with place.begin_nested() as before:
        place.execute(
            sa.text(
                "INSERT INTO addresses (county_code, label, street, street_key, number, geom, "
                "source, external_id) VALUES ('990121', '人民路3号', '人民路', '人民路', 3, "
                "'SRID=4326;POINT(117.075 45.01)', 't', 'twin')"
            )
        )
        both = search(place, "人民路3号")
        near = search(place, "人民路3号", near=(117.075, 45.01))
        before.rollback()
    assert [each.score for each in both[:2]] == [1.0, 1.0]
    assert not both[0].is_confident
    assert near[0].lon == pytest.approx(117.075)
    assert near[0].score > near[1].score


@pytest.mark.parametrize(
    ("lon", "within_m", "is_sure"),
    [
        # 人民路3号 lies at 117.0015, 79 m for each thousandth of a degree here.
        (117.0015, 5.0, True),
        (117.0085, 500.0, False),
        (117.0085, 600.0, True),
        (117.06, 5000.0, True),
        (117.07, 5000.0, False),
    ],
)
def test_what_lies_too_far_from_the_reporter_is_asked_about(
    place: Session, lon: float, within_m: float, is_sure: bool
) -> None:
    found = search(place, "示范镇人民路3号", near=(lon, town.LAT), within_m=within_m)[0]
    assert found.label == "示范旗示范镇人民路3号"
    assert found.is_confident == is_sure


def test_what_a_person_said_is_asked_about_far_away() -> None:
    said = Candidate(label="门口", lon=117.0, lat=45.0, score=1.0, method="exact")
    assert ranked([said], near=(117.0, 45.04), limit=5)[0].is_confident
    assert not ranked([said], near=(117.0, 45.05), limit=5)[0].is_confident


def test_limits(place: Session) -> None:
    for within_m in (0.0, -5.0, float("nan"), float("inf")):
        with pytest.raises(BadInput, match="within_m"):
            search(place, "人民路8号", near=(117, 45), within_m=within_m)
    assert len(search(place, "人民路8号", limit=1)) == 1
    with pytest.raises(BadInput, match="limit"):
        search(place, "人民路8号", limit=0)


def test_units_are_understood_by_the_database_s_names(place: Session) -> None:
    found = understand(place, "示范自治区示范盟示范示范镇示范村2")
    assert [each.text for each in found.divisions] == [
        "示范自治区", "示范盟", "示范", "示范镇", "示范村2",
    ]  # fmt: skip
    assert found.codes == (town.EAST_VILLAGE,)


def test_similarity() -> None:
    assert similarity("标高街", "标高街") == 1
    assert similarity("main", "mian") == 0.75
    assert similarity("标高街", "标搞街") == pytest.approx(2 / 3)
    assert similarity("5th street", "6th street") == 0.6
    assert similarity("", "a") == 0


@given(st.text("abc12", max_size=8), st.text("abc12", max_size=8))
def test_similarity_is_even_and_a_share(one: str, other: str) -> None:
    assert similarity(one, other) == similarity(other, one)
    assert 0 <= similarity(one, other) <= 1
    assert (similarity(one, other) == 1) == (one == other)


def test_distances_are_those_of_the_sphere() -> None:
    assert distance_m(0, 0, 1, 0) == pytest.approx(111_195, rel=1e-4)
    assert distance_m(117, 45, 117, 45) == 0


def test_streets_are_alike_by_their_names() -> None:
    assert likeness("bush street", "bsh street") > 0.8
    assert likeness("bush steet", "bush street") > 0.8
    assert likeness("bush street", "russ street") < 0.7
    assert likeness("rue de la poste", "rue de la costa") < 0.85
    assert likeness("street", "street") == 1


def test_the_second_decides_whether_the_first_is_sure() -> None:
    def at(lon: float, score: float, method: str = "street_number") -> Candidate:
        return Candidate(label=f"{lon}", lon=lon, lat=45.0, score=score, method=method)

    assert ranked([at(117, 0.95)], near=None, limit=5)[0].is_confident
    assert ranked([at(117, 0.95), at(117.1, 0.8)], near=None, limit=5)[0].is_confident
    assert not ranked([at(117, 0.95), at(117.1, 0.9)], near=None, limit=5)[0].is_confident
    # A neighbour's house is no contradiction.
    assert ranked([at(117, 0.95), at(117.0005, 0.9)], near=None, limit=5)[0].is_confident
    assert not ranked([at(117, 0.7)], near=None, limit=5)[0].is_confident
    assert not ranked([at(117, 1.0, "interpolated")], near=None, limit=5)[0].is_confident
    assert ranked([], near=None, limit=5) == []
    # The rival counts though it is not shown.
    assert not ranked([at(117, 0.95), at(117.1, 0.9)], near=None, limit=1)[0].is_confident
