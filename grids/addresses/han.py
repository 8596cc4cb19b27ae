"""The grammar of Chinese addresses: divisions, street and number, estate, building, unit, room.

Names come before the word for what they are (格点 + 街), numbers before theirs (27 + 号), so the
text is read from the left until such a word ends what has been gathered. What the gazetteer knows
goes before the grammar, the longest first.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Final

from grids.addresses.parts import NUMERALS, Address, Lexicon, Part, agreed, key, number_of

# Levels are the numbers of digits of codes; a word that serves several levels names them in order.
DIVISIONS: Final = {
    "特别行政区": (2,), "自治区": (2,), "省": (2,), "自治州": (4,), "地区": (4,), "盟": (4,),
    "市": (2, 4, 6), "自治县": (6,), "自治旗": (6,), "新区": (6,), "林区": (6,), "县": (6,),
    "旗": (6,), "区": (6,), "街道办事处": (9,), "街道": (9,), "苏木": (9,), "民族乡": (9,),
    "镇": (9,), "乡": (9,), "嘎查村": (12,), "嘎查": (12,), "社区居委会": (12,), "社区": (12,),
    "居委会": (12,), "行政村": (12,), "村": (12,),
}  # fmt: skip
# Registers name the committee of a village or community; addresses name the place.
OFFICES: Final = {
    "社区居民委员会": "社区", "社区居委会": "社区", "嘎查村民委员会": "嘎查", "村民委员会": "村",
    "村委会": "村", "嘎查委员会": "嘎查", "居民委员会": "社区", "居委会": "社区",
    "街道办事处": "街道",
}  # fmt: skip
# Words that end names of banners; the rest of a long name is left out in speech.
SIDES: Final = ("左旗", "右旗", "前旗", "中旗", "后旗")
STREETS: Final = (
    "大街", "大道", "大路", "斜街", "环路", "公路", "国道", "省道", "县道", "乡道", "胡同", "路",
    "街", "巷",
)  # fmt: skip
ESTATES: Final = (
    "小区", "花园", "家园", "公寓", "花苑", "新苑", "嘉苑", "佳苑", "家属院", "家属楼", "大院",
    "宿舍",
    "新村", "佳园", "名苑", "庭院", "雅居", "公馆", "苑", "大厦", "广场",
)  # fmt: skip
PLACES: Final = (
    "中学", "小学", "学校", "幼儿园", "医院", "卫生院", "卫生室", "派出所", "警务室", "法庭",
    "法院",
    "调解室", "调解委员会", "司法所", "村委会", "嘎查委员会", "人民政府", "政府", "综治中心",
    "党群服务中心", "服务中心", "银行", "信用社", "超市", "商店", "商场", "饭店", "宾馆", "酒店",
    "车站", "公园", "公司", "市场", "厂", "卡点",
)  # fmt: skip
# What says where something is from a place, and is no name.
RELATIVE: Final = re.compile(
    r"(?:[东南西北]{1,2}(?:侧|边|面|门|口|头|段|行)|对面|对过|斜对面|旁边|旁|附近|门口|门前|后面|前面|"
    r"后门|前门|路口|交叉口|交汇处|往[东南西北里前后]|以[东南西北]|里面|楼下|与|及|约?\d+米)"
)
_COUNT: Final = rf"(?:\d{{1,6}}|[{NUMERALS}]{{1,7}})"
_TAIL: Final = rf"(?:[-附之](?P<tail>\d{{1,4}}|[{NUMERALS}]{{1,3}})(?:号)?)?"
_STEM: Final = re.compile(r"[甲乙丙丁]?")
# Kind of part to the pattern of its number and word; the first that fits. The word of a street may
# begin right behind a number (一号路): then it is a name.
_HOUSE: Final = (
    rf"(?P<stem>[甲乙丙丁])?(?P<n>{_COUNT}){_TAIL}(?P<letter>[A-Za-z甲乙丙丁])?号"
    r"(?!楼|路|街|大街|县道|国道|省道|线)(?:院|房|(?P<camp>牧点))?"
    rf"(?:[-附之](?P<after>{_COUNT})号?)?"
)
_NUMBERED: Final = (
    ("building", rf"(?P<n>{_COUNT}|[A-Za-z]\d{{0,2}})(?:号楼|栋|幢|座|#楼?)"),
    ("unit", rf"(?P<n>{_COUNT}|[A-Za-z])单元"),
    ("lane", rf"(?P<n>{_COUNT})弄"),
    ("group", rf"(?P<n>{_COUNT})(?:村民小组|组|社(?!区))"),
    ("number", _HOUSE),
    ("floor", rf"(?P<n>{_COUNT})(?:层|楼)"),
    ("room", rf"(?P<n>[A-Za-z]?\d{{1,5}}|[{NUMERALS}]{{1,7}})(?:室|房间|房|户)"),
)  # fmt: skip
NUMBERED: Final = tuple((kind, re.compile(pattern)) for kind, pattern in _NUMBERED)
_SHORT: Final = re.compile(r"(\d{1,3})-(?:(\d{1,2})-)?(\d{2,4})(?!\d)(?:室|号)?")
_BARE: Final = re.compile(r"(\d{1,5})(?![\d米])")
LONGEST_NAME: Final = 16


@dataclass
class _State:
    """What has been read so far."""

    text: str
    lexicon: Lexicon
    parts: list[Part] = field(default_factory=list)
    rest: list[str] = field(default_factory=list)
    name: str = ""
    level: int = 0

    def has(self, *kinds: str) -> bool:
        return any(each.kind in kinds for each in self.parts)

    @property
    def is_down(self) -> bool:
        """Whether a street or something finer was read: no division follows."""
        return self.has("street", "number", "estate", "building", "unit", "room", "place")

    def add(self, kind: str, text: str, value: str, **more: object) -> None:
        self.parts.append(Part(kind, text, value, **more))  # type: ignore[arg-type]

    def drop(self) -> None:
        """What was gathered is no name of anything."""
        if name := self.name.strip():
            self.rest.append(name)
        self.name = ""


def division_word(name: str) -> str:
    """The word for what it is that ends a unit's name; '' where there is none."""
    return max((each for each in DIVISIONS if name.endswith(each)), key=len, default="")


def parse(text: str, lexicon: Lexicon) -> Address:
    """Take a Chinese address apart; never fails, what is not understood is the rest."""
    state = _State(text, lexicon)
    at = 0
    while at < len(text):
        at = _step(state, at)
    _leave(state)
    parts = tuple(state.parts)
    found = agreed(each for each in parts if each.kind == "division")
    return Address(text, parts, tuple(state.rest), found)


def _step(state: _State, at: int) -> int:
    """Read something at a place; where it ends."""
    text = state.text
    if text[at] in " ,.;:、，。()":
        _leave(state)
        return at + 1
    return (
        _known(state, at)
        or _numbered(state, at)
        or _relative(state, at)
        or _gather(state, at)
    )  # fmt: skip


def _known(state: _State, at: int) -> int:
    """A name of the gazetteer that begins here, where no other has begun."""
    if state.name:
        return 0
    text, lexicon = state.text, state.lexicon
    for end in range(min(len(text), at + LONGEST_NAME), at + 1, -1):
        word = text[at:end]
        kind = lexicon.names.get(key(word))
        if kind is not None and not _goes_on(text, end, kind):
            state.add(kind, word, key(word), is_known=True)
            return end
        codes = lexicon.divisions.get(word, ())
        fits = tuple(c for c in codes if len(c) > state.level)
        if fits and not state.is_down and not _begins_name(text, end, word):
            state.add("division", word, word, is_known=True, codes=fits)
            state.level = min(map(len, fits))
            return end
    return 0


def _goes_on(text: str, end: int, kind: str) -> bool:
    """Whether a street's name goes on behind the part that is known: 示范路 + 口, 街 + 道."""
    return kind == "street" and text[end : end + 1] in {"道", "口"}


def _begins_name(text: str, end: int, word: str) -> bool:
    """Whether a division without its word is rather the beginning of another name (和平 + 路)."""
    if any(word.endswith(each) for each in DIVISIONS):
        return text.startswith(("道", "场"), end) and not text.startswith("道路", end)
    words = (*STREETS, *ESTATES, *PLACES, *DIVISIONS)
    return any(text.startswith(each, end) for each in words)


def _numbered(state: _State, at: int) -> int:
    text = state.text
    if state.has("street", "number", "estate", "lane", "building", "place") or state.name:
        short = _SHORT.match(text, at)
        if short and not (short[2] is None and not state.has("number", "estate", "building")):
            _flush_name(state)
            state.add("building", short[1], str(int(short[1])))
            if short[2]:
                state.add("unit", short[2], str(int(short[2])))
            state.add("room", short[3], short[3])
            return short.end()
    for kind, pattern in NUMBERED:
        found = pattern.match(text, at)
        if not found:
            continue
        value = _value(found["n"])
        if value is None or (kind == "floor" and found[0].endswith("楼") and not state.is_down):
            continue
        return _take(state, kind, found, value)
    bare = _BARE.match(text, at)
    if bare and not state.name and not text.startswith(("区", "路", "街", "道"), bare.end()):
        # A number without its word: a house behind a street, a flat behind its stairway.
        before = state.parts[-1].kind if state.parts else ""
        if before in {"street", "group"}:
            state.add("number", bare[0], str(int(bare[0])))
            return bare.end()
        if before in {"unit", "building", "floor"} and len(bare[0]) >= 2:
            state.add("room", bare[0], bare[0])
            return bare.end()
    return 0


def _take(state: _State, kind: str, found: re.Match[str], value: str) -> int:
    if kind == "number":
        if state.has("building", "unit") or (state.has("number") and not state.name):
            _leave(state)
            state.add("room", found[0], value)
            return found.end()
        _flush_name(state)
        tails = (found["stem"], found["tail"], found["letter"], found["camp"], found["after"])
        tail = "".join(_value(each) or each for each in tails if each).lower()
        state.add("number", found[0], value, tail=tail)
        return found.end()
    if kind == "building":
        _flush_name(state)
    elif kind == "floor" and not state.has("building") and found[0].endswith("楼"):
        # 5楼 behind an estate is its fifth building, behind a building the fifth floor.
        _flush_name(state)
        kind = "building" if state.has("estate") or state.has("number") else "floor"
    else:
        _leave(state)
    state.add(kind, found[0], value)
    return found.end()


def _value(text: str) -> str | None:
    """A number in digits; a letter as it is; None for numerals that make no number."""
    if text.isascii():
        return str(int(text)) if text.isdigit() else text.lower()
    if text in "甲乙丙丁":
        return text
    number = number_of(text)
    return None if number is None else str(number)


def _relative(state: _State, at: int) -> int:
    found = RELATIVE.match(state.text, at)
    if not found or (state.name and not state.is_down and found[0][0] in "东南西北"):
        return 0
    if any(state.text.startswith(word, found.end()) for word in (*STREETS, *ESTATES, *DIVISIONS)):
        return 0
    _leave(state)
    state.rest.append(found[0])
    return found.end()


def _gather(state: _State, at: int) -> int:
    """One more character of a name; the name is whole when a word for what it is ends it."""
    state.name += state.text[at]
    end = at + 1
    name, text = state.name, state.text
    for words, taken in ((DIVISIONS, _division), (STREETS, _street), (ESTATES, _estate),
                         (PLACES, _place)):  # fmt: skip
        word = max((each for each in words if name.endswith(each)), key=len, default=None)
        if word is not None and len(name) > len(word) and taken(state, word, text[end:]):
            state.name = ""
            return end
    return end


# Where a name goes on behind its word, it is no name of a unit: 市场, 村委会; or of a longer one.
_LONGER: Final = {
    "市": ("场", "政", "民"), "街": ("道",), "社": ("区",), "嘎查": ("村",), "村": ("委", "民"),
    "区": ("域",), "县": ("道",), "乡": ("道",), "街道": ("办事处",), "社区": ("居委会",),
}  # fmt: skip


def _division(state: _State, word: str, after: str) -> bool:
    name = state.name
    if state.is_down or any(c.isdigit() for c in name) or len(name) > LONGEST_NAME:
        return False
    if after.startswith(_LONGER.get(word, ())):
        return False
    if name.endswith(("小区", "校区", "园区", "库区", "片区", "营区", "景区")):
        return False
    level = next((each for each in DIVISIONS[word] if each > state.level), None)
    if level is None:
        return False
    codes = tuple(c for c in state.lexicon.divisions.get(name, ()) if len(c) > state.level)
    if word == "市" and state.level == 0:
        level = 4
    state.add("division", name, name, is_known=bool(codes), codes=codes)
    state.level = min(map(len, codes)) if codes else level
    return True


def _street(state: _State, word: str, after: str) -> bool:
    if after.startswith(("道", "口", "街", "路", "胡同", "巷") if word in {"路", "街"} else ()):
        return False
    if not state.is_down and after.startswith(
        ("社区", "村", "嘎查", "居委会", "街道", "镇", "乡", "苏木")
    ):
        return False
    if len(state.name) > LONGEST_NAME or state.name == word:
        return False
    _named(state, "street")
    return True


def _estate(state: _State, word: str, after: str) -> bool:
    if state.name == word or after.startswith(("路", "街", "社区", "巷", "镇", "乡")):
        return False
    _named(state, "estate")
    return True


def _place(state: _State, _word: str, after: str) -> bool:
    if after.startswith(("路", "街", "社区", "巷", "小区", "家属", "宿舍", "镇", "乡", "村")):
        return False
    _named(state, "place")
    return True


def _named(state: _State, kind: str) -> None:
    value = key(state.name)
    known = state.lexicon.names.get(value)
    state.add(known or kind, state.name, value, is_known=known is not None)


def _flush_name(state: _State) -> None:
    """A name without a word for what it is, before a number: a street, or behind one an estate."""
    name, state.name = state.name.strip(), ""
    if not name:
        return
    known = state.lexicon.names.get(key(name))
    if len(key(name)) < 2 and known is None:
        # A single character is a slip (嘎查查32号), and no name.
        state.rest.append(name)
        return
    kind = "estate" if state.has("street", "estate", "number") else "street"
    state.add(known or kind, name, key(name), is_known=known is not None)


def _leave(state: _State) -> None:
    """The name ends here: it may be known as a whole, else it is part of the rest."""
    name = state.name.strip()
    if name and (kind := state.lexicon.names.get(key(name))):
        state.add(kind, name, key(name), is_known=True)
        state.name = ""
    else:
        state.drop()
