"""What hot spots, the attention list and its back-test say in words, in Chinese and English."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, Literal, NamedTuple, TypeAlias

from gis.wording import counted
from maps.hotspots.attention import LOOK_BACK_WEEKS
from maps.hotspots.backtest import METHODS, Method, Verdict
from maps.hotspots.forecast import Part

if TYPE_CHECKING:
    from maps.hotspots.attention import Reason
    from maps.hotspots.backtest import BackTest

Language: TypeAlias = Literal["zh", "en"]


class Said(NamedTuple):
    """A sentence or name in both languages."""

    zh: str
    en: str


_KEYS: dict[Part, tuple[str, str]] = {
    Part.STEADY: ("长期以来事件偏多", "events are many here over the long run"),
    Part.RECENT: ("最近几周本网格事件增多", "events have been many here in the last weeks"),
    Part.MONTHS: ("近几个月本网格事件偏多", "events have been many here in the last months"),
    Part.NEARBY: ("最近几周相邻网格事件偏多", "events have been many next door in the last weeks"),
    Part.FLARE: (
        "最近几周本网格及相邻网格事件明显多于平常",
        "events here and next door are well above their usual number",
    ),
}

_METHODS: dict[Method, tuple[str, str]] = {
    Method.ATTENTION: ("关注清单", "attention list"),
    Method.NAIVE: ("历史总数排序", "naive count of all history"),
    Method.LAST_WEEKS: ("最近四周计数", "count of the last four weeks"),
}
_LITTLE_GROUND: Final = (
    "预计件数不高于网格平均，因面积小、名单按单位面积排序而列入",
    "no more is expected than of a usual grid, but on little ground, and the list goes by area",
)


def reason(why: Reason, language: Language) -> str:
    """Why a grid is on the list, in two sentences."""
    at = 0 if language == "zh" else 1
    key = (_KEYS[why.key] if why.expected > why.average else _LITTLE_GROUND)[at]
    expected = f"{why.expected:.1f}" if why.expected >= 0.05 else f"{why.expected:.1g}"
    if language == "zh":
        homes = "" if why.households is None else f"（{why.households:,.0f}户）"
        return (
            f"{key}：近{LOOK_BACK_WEEKS}周{why.last_weeks}件（平常{why.usual:.1f}件），"
            f"相邻网格{why.nearby_last_weeks}件。"
            f"本周预计{expected}件（{why.low}至{why.high}件），"
            f"全域每网格平均{why.average:.2f}件{homes}。"
        )
    homes = "" if why.households is None else f"; {counted(round(why.households), 'household')}"
    return (
        f"{key[0].upper()}{key[1:]}: {why.last_weeks} in the last {LOOK_BACK_WEEKS} weeks "
        f"(usually {why.usual:.1f}), {why.nearby_last_weeks} next door. "
        f"Expected this week: {expected} ({why.low} to {why.high}), "
        f"against {why.average:.2f} per grid on the whole map{homes}."
    )


def method(which: Method, language: Language) -> str:
    """Name of a way of choosing where to look."""
    return _METHODS[which][0 if language == "zh" else 1]


def verdict(test: BackTest, language: Language) -> list[str]:
    """What the back-test comes to: a sentence for each share of the area and each other way.

    It says so where the other way is better, and where the weeks do not tell them apart.
    """
    if not test.events.sum():
        return [
            "回测期间没有事件，无从比较。"
            if language == "zh"
            else "There were no events in the weeks tested: nothing can be compared."
        ]
    lines = []
    for s, share in enumerate(test.shares.tolist()):
        ours = test.pai[0, s]
        for other in (Method.NAIVE, Method.LAST_WEEKS):
            theirs = test.pai[METHODS.index(other), s]
            found = test.verdict(other, s)
            lines.append(_sentence(found, other, language, share=share, ours=ours, theirs=theirs))
    return lines


def is_beaten(test: BackTest) -> bool:
    """Whether another way did better than the attention list at any share of the area."""
    return any(
        test.verdict(other, s) is Verdict.WORSE
        for s in range(len(test.shares))
        for other in METHODS[1:]
    )


def headline(test: BackTest, language: Language) -> str:
    """The back-test in one sentence: what to go by."""
    at = 0 if language == "zh" else 1
    shares = range(len(test.shares))

    def where(found: Verdict, other: Method) -> list[str]:
        return [f"{test.shares[s]:.0%}" for s in shares if test.verdict(other, s) is found]

    beaten = [(other, where(Verdict.WORSE, other)) for other in METHODS[1:]]
    beaten_by = [(method(other, language), parts) for other, parts in beaten if parts]
    beats_at = where(Verdict.BETTER, Method.NAIVE)
    if not test.events.sum():
        said = "没有事件，无从评判。", "no events, so nothing can be said."
    elif beaten_by:
        name, parts = beaten_by[0]
        said = (
            f"查看面积的{'、'.join(parts)}时，{name}胜过关注清单，请用{name}。",
            f"at {' and '.join(parts)} of the area the {name} beat the attention list. Use that.",
        )
    elif beats_at:
        said = (
            f"查看面积的{'、'.join(beats_at)}时，关注清单胜过历史总数排序。",
            f"the attention list beat the naive count at {' and '.join(beats_at)} of the area.",
        )
    else:
        said = (
            "关注清单不比历史总数排序更好；要简单，用历史总数即可。",
            "the attention list is no better than the naive count, which is simpler: use that.",
        )
    return said[at]


def _sentence(
    found: Verdict,
    other: Method,
    language: Language,
    *,
    share: float,
    ours: float,
    theirs: float,
) -> str:
    name = method(other, language)
    if language == "zh":
        close = {
            Verdict.BETTER: "关注清单更好。",
            Verdict.LEVEL: "两者分不出高下。",
            Verdict.WORSE: f"{name}更好：请直接使用{name}。",
        }[found]
        return f"查看面积的{share:.0%}：关注清单PAI为{ours:.2f}，{name}为{theirs:.2f}，{close}"
    close = {
        Verdict.BETTER: "the attention list is better.",
        Verdict.LEVEL: "these weeks do not tell the two apart.",
        Verdict.WORSE: f"the {name} is better. Use that.",
    }[found]
    return (
        f"Looking at {share:.0%} of the area, the attention list has PAI {ours:.2f}, "
        f"the {name} {theirs:.2f}: {close}"
    )
