"""What a grid map says of itself, in Chinese and English."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from gis.wording import counted
from maps.disclosure import K
from maps.heatmap_text import MADE_BY, Language, span
from maps.palettes import number
from maps.sharing import words_of_change, words_of_future

if TYPE_CHECKING:
    from maps.gridmaps.gridmap import GridMap

__all__ = ["MADE_BY", "Language"]

_WORDS: Final = {
    "heading": ("网格事件图", "Incidents by grid"),
    "period": ("时段", "Period"),
    "counted": ("件数", "Incidents"),
    "counted_shown": ("件数（所示网格）", "Incidents in shown grids"),
    "grids": ("网格数", "Grids"),
    "hidden_grids": ("其中隐去", "of them hidden"),
    "unknown_grids": ("其中无户数", "of them no households known"),
    "highest": ("最高值", "Highest value"),
    "scheme": ("分级", "Classes"),
    "quantiles": ("分位数", "quantiles"),
    "natural": ("自然断点", "natural breaks"),
    "nice": ("整齐数值", "round numbers"),
    "source": ("数据来源", "Source"),
    "crs": ("坐标系", "Coordinates"),
    "made": ("制图日期", "Made on"),
    "made_by": ("制图", "Made by"),
    "hidden": (f"隐去（少于{K}件，或可由合计推出）", f"hidden (under {K}, or told by a sum)"),
    "unknown": ("无户数，无法计算", "no households known: no rate"),
    "north": ("北", "N"),
    "units": ("行政区边界", "Unit borders"),
    "enlarged": ("放大：住户集中处", "Enlarged: where most households are"),
    "interval": ("95%区间", "95 % interval"),
    "households": ("户", "households"),
}
_TITLES: Final = {
    "count": ("件数", "Incidents"),
    "rate": ("发生率", "Rate"),
    "smoothed": ("平滑发生率", "Smoothed rate"),
    "local": ("邻域平滑发生率", "Rate smoothed by neighbours"),
}


def word(key: str, language: Language) -> str:
    """Return a label in a language."""
    chinese, english = _WORDS[key]
    return chinese if language == "zh" else english


def heading(made: GridMap, language: Language) -> str:
    """Return the title, or the words for a grid map when it has none."""
    return made.about.title or word("heading", language)


def measure(made: GridMap, language: Language) -> str:
    """Return what the colours show."""
    chinese, english = _TITLES[made.measure]
    return chinese if language == "zh" else english


def unit(made: GridMap, language: Language) -> str:
    """Return the unit of the values."""
    if made.measure == "count":
        return "件，每网格" if language == "zh" else "incidents per grid"
    if language == "zh":
        return "每千户每30天件数"
    return "incidents per 1,000 households per 30 days"


def place(made: GridMap, language: Language) -> str:
    """Return the name of the area."""
    about = made.about
    return (about.place_en or about.place) if language == "en" else about.place


def subtitle(made: GridMap, language: Language) -> list[str]:
    """Return place, category and period, as far as they are known."""
    about = made.about
    category = (about.category_en or about.category) if language == "en" else about.category
    return [each for each in (place(made, language), category, period(made, language)) if each]


def period(made: GridMap, language: Language) -> str:
    """Return the period as on every map."""
    about = made.about
    return span(about.start, about.end, about.timezone, language)


def facts(made: GridMap, language: Language) -> list[tuple[str, str]]:
    """Return labels and numbers that stand beside the legend."""
    found = [
        (word("counted_shown" if made.shared else "counted", language), f"{made.n:,}"),
        (word("grids", language), f"{len(made.grids.codes):,}"),
    ]
    if made.shared:
        found.append((word("hidden_grids", language), f"{int(made.hidden.sum()):,}"))
    if made.unknown.any():
        found.append((word("unknown_grids", language), f"{int(made.unknown.sum()):,}"))
    if made.edges:
        # On a shared map the value itself may tell of one grid more than its class does.
        found.append((word("highest", language), f"≤ {number(made.edges[-1])}"))
    found.append((word("scheme", language), word(made.scheme, language)))
    return found


def notes(made: GridMap, language: Language) -> list[str]:
    """Return the sentences a reader needs in order not to misread the map."""
    zh = language == "zh"
    sentences = []
    if not made.n and not made.hidden.any():
        sentences.append("本时段内无事件。" if zh else "No incidents in this period.")
    about = made.about
    if future := words_of_future(about.start, about.end, made.made_on, language):
        sentences.append(future)
    if made.measure in {"smoothed", "local"}:
        sentences.append(
            "户少的网格，其发生率偶然性大：按Marshall 1991的经验贝叶斯法向"
            f"{'全部网格' if made.measure == 'smoothed' else '相邻网格'}的平均水平收缩。"
            if zh
            else "A rate of few households is mostly chance: rates are moved towards the mean of "
            f"{'all grids' if made.measure == 'smoothed' else 'the neighbouring grids'}, "
            "by empirical Bayes after Marshall 1991."
        )
        if made.is_even:
            sentences.append(
                "各网格发生率相差不到一成，看不出偶然之外的差别，故只作一级。"
                if zh
                else "The rates of all grids lie within a tenth of each other: no difference "
                "beyond chance is seen, so there is one class."
            )
        if made.n_alone:
            sentences.append(
                f"{made.n_alone:,}个网格没有可比的相邻网格，保留其自身发生率，未作平滑。"
                if zh
                else "Not moved, for want of a neighbour with a rate: "
                f"{counted(made.n_alone, 'grid')}."
            )
    elif made.measure == "rate":
        sentences.append(
            "未作平滑：户少的网格数值忽高忽低，多属偶然。"
            if zh
            else "Not smoothed: grids with few households stand out by chance."
        )
    if made.shared:
        sentences.append(
            f"对外提供的图：少于{K}件者，以及可由合计推算出者，隐去并以斜线表示；斜线不代表零。"
            if zh
            else f"A shared map: counts under {K}, and those that sums would tell, are hidden "
            "(stripes). Stripes are not zero."
        )
    if made.about.asked is not None:
        sentences.append(words_of_change(made.about.asked, made.about.timezone, language))
    if made.n_carried != 0:
        carried = _few(made.n_carried, language, at_least=made.shared)
        sentences.append(
            f"时段内网格版本有变更：{carried}件按坐标归入期末有效的网格。"
            if zh
            else "The grids changed within the period. Counted by their point in the grids in "
            f"force at its end: {carried} incident{'' if made.n_carried == 1 else 's'}."
        )
    left_out = [
        (
            f"{chinese}{_few(n, language, at_least=made.shared)}件"
            if zh
            else f"{_few(n, language, at_least=made.shared)} {english}"
        )
        for n, chinese, english in (
            (made.n_outside, "网格外", "in no grid"),
            (made.n_without_place, "无坐标", "without coordinates"),
        )
        if n != 0
    ]
    if left_out:
        text = ("、" if zh else ", ").join(left_out)
        sentences.append(f"未计入：{text}。" if zh else f"Not counted: {text}.")
    return sentences


def _few(number_of: int | None, language: Language, *, at_least: bool) -> str:
    if number_of is None:
        return f"少于{K}" if language == "zh" else f"fewer than {K}"
    if at_least:
        return f"至少{number_of:,}" if language == "zh" else f"at least {number_of:,}"
    return f"{number_of:,}"
