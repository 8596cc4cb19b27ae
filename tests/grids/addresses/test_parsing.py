"""Addresses are taken apart as people write them, and what is not understood is told."""

from __future__ import annotations

from typing import Any

import pytest
import sqlalchemy as sa
from hypothesis import given
from hypothesis import strategies as st

from gis.database import Database
from grids.addresses.parsing import (
    UNIT_WORDS,
    lexicon_of,
    name_key,
    parse,
    short_forms,
    unit_stem,
    whole_key,
)
from grids.addresses.parts import NO_LEXICON, Address, Lexicon, number_of
from grids.addresses.subjects import subject_of
from tests.conftest import REAL_DATA
from tests.grids.addresses.cases import CASES, SPLIT, Case, split_of, units

TOWN = [
    ("99", "示范自治区"), ("9901", "示范盟"), ("990121", "示范旗"), ("990121100", "样例镇"),
    ("990121100001", "样一村民委员会"), ("990121001", "和平街道"), ("990121001001", "和平社区"),
    ("990121002", "科尔沁左翼后旗"),
]  # fmt: skip


def kinds(found: Address) -> dict[str, str]:
    """Kinds to values; divisions apart."""
    return {each.kind: each.value for each in found.parts if each.kind != "division"}


def divisions(found: Address) -> list[str]:
    return [each.text for each in found.divisions]


@pytest.mark.real
@pytest.mark.skipif(not REAL_DATA.is_dir(), reason="no real data here")
@pytest.mark.parametrize("case", CASES, ids=lambda case: case.county)
def test_the_seven_addresses_of_the_seed_places(case: Case) -> None:
    """County, town and village, and the split below, of engineering notes' small trial."""
    register = units(REAL_DATA)
    found = parse(case.text, lexicon_of(register))
    names = dict(register)
    (code,) = found.codes
    assert (names[code[:6]], names[code[:9]]) == (case.county, case.town)
    assert case.village is None or case.village in divisions(found)
    assert split_of(found) == case.split


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("标高街27号标高家园3栋2单元501室",
         {"street": "标高街", "number": "27", "estate": "标高家园", "building": "3", "unit": "2",
          "room": "501"}),
        ("人民路二十七号", {"street": "人民路", "number": "27"}),
        ("人民路一〇五号", {"street": "人民路", "number": "105"}),
        ("人民路12", {"street": "人民路", "number": "12"}),
        ("人民路５号３－２－５０１",
         {"street": "人民路", "number": "5", "building": "3", "unit": "2", "room": "501"}),
        ("幸福小区五号楼二单元三楼301",
         {"estate": "幸福小区", "building": "5", "unit": "2", "floor": "3", "room": "301"}),
        ("幸福小区B座1502室", {"estate": "幸福小区", "building": "b", "room": "1502"}),
        ("一号路5号", {"street": "一号路", "number": "5"}),
        ("示范一号县道12号", {"street": "示范一号县道", "number": "12"}),
        ("人民大街北三巷7号", {"street": "北三巷", "number": "7"}),
        ("大房身村三组12号", {"group": "3", "number": "12"}),
        ("和平路和平小区甲3号", {"street": "和平路", "estate": "和平小区", "number": "3"}),
        ("示范街道格点街5号示范中学2号楼",
         {"street": "格点街", "number": "5", "place": "示范中学", "building": "2"}),
        ("没有名字12号", {"street": "没有名字", "number": "12"}),
    ],
)  # fmt: skip
def test_chinese_parts(text: str, wanted: dict[str, str]) -> None:
    assert kinds(parse(text)) == wanted


@pytest.mark.parametrize(
    ("text", "tail"),
    [("人民路12号之2", "2"), ("人民路12-3号", "3"), ("人民路12号附1号", "1"),

     ("人民路甲12号", "甲"), ("人民路12甲号", "甲"), ("人民路12A号", "a"),
     ("样一村11号牧点", "牧点"), ("人民路12号", "")],
)  # fmt: skip
def test_tails_of_numbers(text: str, tail: str) -> None:
    part = parse(text, lexicon_of(TOWN)).part("number")
    assert part is not None
    assert (part.value, part.tail) == ("11" if "牧" in text else "12", tail)


@pytest.mark.parametrize(
    ("text", "names", "code"),
    [
        ("示范自治区示范盟示范旗样例镇样一村",
         ["示范自治区", "示范盟", "示范旗", "样例镇", "样一村"], "990121100001"),
        ("示范旗样例样一村", ["示范旗", "样例", "样一村"], "990121100001"),
        ("样一村民委员会", ["样一村民委员会"], "990121100001"),
        ("科左后旗", ["科左后旗"], "990121002"),
        ("样例镇", ["样例镇"], "990121100"),
    ],
)  # fmt: skip
def test_divisions_with_and_without_their_word(text: str, names: list[str], code: str) -> None:
    found = parse(text, lexicon_of(TOWN))
    assert divisions(found) == names
    assert found.codes == (code,)
    assert found.rest == ()


def test_a_street_named_like_a_unit_is_no_unit() -> None:
    found = parse("和平路12号", lexicon_of(TOWN))
    assert divisions(found) == []
    assert kinds(found) == {"street": "和平路", "number": "12"}


def test_units_that_do_not_lie_within_one_another_are_passed_over() -> None:
    lexicon = lexicon_of([*TOWN, ("990122", "邻旗"), ("990122100", "邻镇")])
    assert parse("示范旗邻镇", lexicon).codes == ("990121",)
    # Of a name that several units have, the one within the county that is named.
    lexicon = lexicon_of([*TOWN, ("990122", "邻旗"), ("990122100", "样例镇")])
    assert parse("样例镇", lexicon).codes == ("990121100", "990122100")
    assert parse("邻旗样例镇", lexicon).codes == ("990122100",)


@pytest.mark.parametrize(
    ("text", "rest"),
    [
        ("东街社区市场21区通道", ("市场21区通道",)),
        ("标高街27号北侧50米", ("北侧", "50米")),
        ("人民路与和平街交叉口", ("与", "交叉口")),
        ("大房身村三组老裴家", ("老裴家",)),
        ("？？？", ("???",)),
        ("", ()),
    ],
)  # fmt: skip
def test_what_is_not_understood_is_kept(text: str, rest: tuple[str, ...]) -> None:
    lexicon = Lexicon(names={"人民路": "street", "和平街": "street"})
    assert parse(text, lexicon).rest == rest


@pytest.mark.parametrize(
    ("text", "wanted", "rest"),
    [
        ("123 N Main St Apt 4", {"number": "123", "street": "north main street", "room": "4"}, ()),
        ("123 North Main Street #4", {"number": "123", "street": "north main street", "room": "4"},
         ()),
        ("1500 5th St", {"number": "1500", "street": "5th street"}, ()),
        ("12 bis Rue Grimaldi", {"number": "12", "street": "rue grimaldi"}, ()),
        ("Avenue Saint-Martin 7", {"number": "7", "street": "avenue saint martin"}, ()),
        ("7 av. St Martin", {"number": "7", "street": "avenue saint martin"}, ()),
        ("1 Dr Carlton B Goodlett Pl, San Francisco, CA 94102",
         {"number": "1", "street": "doctor carlton b goodlett place", "postcode": "94102"},
         ("san francisco", "ca")),
        ("Market St", {"street": "market street"}, ()),
        ("behind the old mill", {}, ("behind the old mill",)),
    ],
)  # fmt: skip
def test_latin_parts(text: str, wanted: dict[str, str], rest: tuple[str, ...]) -> None:
    found = parse(text)
    assert kinds(found) == wanted
    assert found.rest == rest


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("N. Main St", "north main street"), ("Boulevard des Moulins", "bd des Moulins"),
        ("Allée Lazare Sauvaigo", "All. Lazare Sauvaigo"), ("标高街", "标高 街"),
        ("O'Farrell Street", "O’Farrell St"), ("ＡＢ座", "ab座"),
    ],
)  # fmt: skip
def test_names_that_are_compared_alike(one: str, other: str) -> None:
    assert name_key(one) == name_key(other) != ""


def test_names_of_signs_alone_have_no_key() -> None:
    assert name_key("——、，") == name_key("") == ""


@pytest.mark.parametrize(
    ("text", "number"),
    [("二十一", 21), ("十", 10), ("十二", 12), ("一百零五", 105), ("一百二十三", 123),

     ("三千", 3000), ("一二三", 123), ("〇五", 5), ("27", 27), ("百", None),
     ("二二十", None), ("十百", None)],
)  # fmt: skip
def test_numerals(text: str, number: int | None) -> None:
    assert number_of(text) == number


@given(st.integers(1, 9999))
def test_numerals_of_any_number(number: int) -> None:
    digits = "零一二三四五六七八九"
    words = ""
    for power, word in ((1000, "千"), (100, "百"), (10, "十"), (1, "")):
        digit = number // power % 10
        if digit:
            words += digits[digit] + word
        elif words and number % power and not words.endswith("零"):
            words += "零"
    assert number_of(words) == number


def test_short_forms_of_units() -> None:
    assert short_forms("土默特左旗") == ["土左旗", "土默特左"]
    assert "科左后旗" in short_forms("科尔沁左翼后旗")
    assert short_forms("大房身村民委员会") == ["大房身村", "大房身"]
    assert short_forms("市") == []
    assert short_forms("东旗") == []
    # 人民路 is the street to whoever says it.
    assert short_forms("人民路街道") == []


ALPHABET = "标高街路号栋单元室区旗镇村市组弄一二十百甲0123aAbz -#,，()之附东侧\x00\ud7ff\u3000"


@given(st.text(alphabet=ALPHABET, max_size=60) | st.text(max_size=300))
def test_any_text_is_taken_apart(text: str) -> None:
    """No text fails, every part stands in the text, and reading it again gives the same."""
    lexicon = Lexicon({"标高": ("990121",)}, {"标高街": "street", "高街": "estate"})
    for known in (NO_LEXICON, lexicon):
        found = parse(text, known)
        squeezed = found.text.replace(" ", "")
        for each in found.parts:
            if found.is_han:
                assert each.text.replace(" ", "") in squeezed
        assert parse(found.text, known) == found
        subject_of(found)
        assert len(whole_key(text)) <= 2 * len(found.text)


@given(
    street=st.sampled_from(["标高街", "人民路", "新华大街"]),
    number=st.integers(1, 9999),
    building=st.integers(1, 99),
    unit=st.integers(1, 9),
    room=st.integers(101, 3204),
)
def test_whatever_is_put_together_is_taken_apart(
    street: str, number: int, building: int, unit: int, room: int
) -> None:
    text = f"样例镇{street}{number}号标高家园{building}栋{unit}单元{room}室"
    wanted = (street, number, "标高家园", building, unit, room)
    values = tuple(None if each is None else str(each) for each in wanted)
    assert tuple(parse(text).value(kind) for kind in SPLIT) == values


def test_the_database_cuts_names_of_units_alike(shared_database: Database) -> None:
    names: list[Any] = [f"样例{word}" for word in UNIT_WORDS] + [
        "样例",
        "大房身村民委员会",
        "村",
        "",
    ]
    with shared_database.engine.connect() as connection:
        cut = [connection.scalar(sa.text("SELECT wangge_unit_stem(:n)"), {"n": n}) for n in names]
    assert cut == [unit_stem(name) for name in names]
