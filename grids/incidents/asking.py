"""What to ask back when a place is not known well enough, in the caller's language."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, Literal

if TYPE_CHECKING:
    from collections.abc import Sequence

    from boundaries.border import Across
    from grids.incidents.responsibility import Answer, Candidate

Language = Literal["zh", "en"]

_BETWEEN: Final = {
    "zh": "位置可能在{first},也可能在{second}。请向报告人核实门牌号、楼栋或最近的路口。",
    "en": "The place may lie in {first} or in {second}. "
    "Ask for the house number, the building or the nearest crossing.",
}
_ELSEWHERE: Final = {"zh": "其他地方({share})", "en": "none that you see ({share})"}
_GRID: Final = {"zh": "网格{code}{name}({share})", "en": "grid {code}{name} ({share})"}
_ACROSS: Final = {
    "zh": "位置在国境线“{name}”以外{away}。请核实坐标是否有误;确在境外的,按涉外事项处理。",
    "en": "The place lies {away} across the national border ({name}). Check the coordinates; "
    "if they are right, it is a matter for the border authorities.",
}
_UNITS: Final = {"zh": ("米", "公里"), "en": (" m", " km")}


def sentence(answer: Answer, language: Language) -> str | None:
    """What to ask back; None where the place is known well enough."""
    if answer.across is not None:
        return abroad(answer.across, language)
    return doubt(answer.candidates, language) if answer.ask_back and answer.candidates else None


def doubt(candidates: Sequence[Candidate], language: Language) -> str:
    """The sentence for a place that may lie in several grids: the two likeliest, and what to ask.

    Parameters
    ----------
    candidates
        The likeliest first, at least one. With only one the rest of the probability is elsewhere.
    """
    told = [_told(each, language) for each in candidates[:2]]
    if len(told) < 2:
        rest = 1 - sum(each.share for each in candidates)
        told.append(_ELSEWHERE[language].format(share=_percent(rest)))
    return _BETWEEN[language].format(first=told[0], second=told[1])


def abroad(across: Across, language: Language) -> str:
    """The sentence for a place across the national border."""
    metres, kilometres = _UNITS[language]
    away = across.distance_m
    text = f"{away:,.0f}{metres}" if away < 1000 else f"{away / 1000:,.1f}{kilometres}"
    return _ACROSS[language].format(name=across.name, away=text)


def _told(each: Candidate, language: Language) -> str:
    name = f" {each.name}" if each.name and each.name != each.code else ""
    return _GRID[language].format(code=each.code, name=name, share=_percent(each.share))


def _percent(share: float) -> str:
    return f"{share:.0%}"
