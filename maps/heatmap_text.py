"""What a heat map says of itself, in Chinese and English."""

from __future__ import annotations

from datetime import datetime, timedelta
from importlib.metadata import version
from typing import TYPE_CHECKING, Literal, TypeAlias
from zoneinfo import ZoneInfo

from gis.wording import counted
from maps.bandwidth import MIN_PLACES
from maps.heatmap import MIN_EVENTS, MIN_HOUSEHOLDS_UNDER_KERNEL
from maps.sharing import rounded, words_of_change, words_of_future
from maps.tolerance import LEVEL

if TYPE_CHECKING:
    from maps.bandwidth import Bandwidth
    from maps.heatmap import Heatmap
    from maps.network.density import NetworkDensity

Language: TypeAlias = Literal["zh", "en"]

LANGUAGES: tuple[Language, ...] = ("zh", "en")

MADE_BY = f"wangge {version('wangge')}"

_WORDS: dict[str, tuple[str, str]] = {
    "heading": ("事件热力图", "Heat map of incidents"),
    "period": ("时段", "Period"),
    "place": ("区域", "Area"),
    "category": ("类别", "Category"),
    "events": ("件数", "Incidents"),
    "bandwidth": ("带宽", "Bandwidth"),
    "cell": ("像元", "Cell"),
    "source": ("数据来源", "Source"),
    "crs": ("坐标系", "Coordinates"),
    "made": ("制图日期", "Made on"),
    "made_by": ("制图", "Made by"),
    "below": ("低于", "below"),
    "outside": ("区域外", "outside the area"),
    "no_data": ("无数据", "no data"),
    "one_legend": (
        "各图同一图例、带宽与比例尺，可以相互比较。",
        "All maps have one legend, bandwidth and scale: they can be compared.",
    ),
    "short_parts": (
        "首尾不足半个步长的时段未单独成图。",
        "A first or last part shorter than half a step has no map of its own.",
    ),
    "whole_period": ("整个时段", "whole period"),
    "higher": ("高于平均（超出偶然）", "higher than chance explains"),
    "lower": ("低于平均（超出偶然）", "lower than chance explains"),
    "hidden": (f"不予显示（少于{MIN_EVENTS}件）", f"hidden (fewer than {MIN_EVENTS})"),
    "show": ("显示范围", "Show"),
    "bulk": ("事件集中处", "most incidents"),
    "whole": ("全域", "whole area"),
    "grids": ("网格边界", "Grid borders"),
    "large_grids": ("网格边界（图上过小者不画）", "Borders of the larger grids"),
    "enlarged": ("放大：事件集中处", "Enlarged: where most incidents lie"),
    "units": ("行政区边界", "Unit borders"),
    "roads": ("道路", "Roads"),
    "water": ("水域", "Water"),
    "points": ("事件", "Incidents"),
    "density": ("密度", "Density"),
    "rate": ("发生率", "Rate"),
    "maximum": ("最高值", "Highest value"),
    "maximum_of_all": ("各图中最高值", "Highest of all maps"),
    "north": ("北", "N"),
    "legend": ("图例", "Legend"),
}


def word(key: str, language: Language) -> str:
    """Return a label in a language."""
    chinese, english = _WORDS[key]
    return chinese if language == "zh" else english


def heading(heatmap: Heatmap, language: Language) -> str:
    """Return the title, or the words "heat map of incidents" when it has none."""
    return heatmap.title or word("heading", language)


def subtitle(heatmap: Heatmap | NetworkDensity, language: Language) -> list[str]:
    """Return place, category and period, as far as they are known."""
    place, category = heatmap.place, heatmap.category
    if language == "en":
        place, category = heatmap.place_en or place, heatmap.category_en or category
    return [part for part in (place, category, period(heatmap, language)) if part]


def measure(heatmap: Heatmap, language: Language) -> str:
    """Return what the values are: a density, or a rate of households."""
    return word("rate" if heatmap.per == "households" else "density", language)


def unit(heatmap: Heatmap, language: Language) -> str:
    """Return the unit of the values."""
    if heatmap.per == "households":
        english, chinese = "incidents per 1,000 households per 30 days", "每千户每30天件数"
    else:
        english, chinese = "incidents per km² per 30 days", "每平方公里每30天件数"
    return chinese if language == "zh" else english


def period(heatmap: Heatmap | NetworkDensity, language: Language) -> str:
    """Return the period as `span` words it."""
    return span(heatmap.start, heatmap.end, heatmap.timezone, language)


def span(first: datetime, after: datetime, timezone: str, language: Language) -> str:
    """Return a period as local dates, the last day included; with times if it cuts a day."""
    zone = ZoneInfo(timezone)
    start, end = first.astimezone(zone), after.astimezone(zone)
    whole = all(moment.timetuple()[3:6] == (0, 0, 0) for moment in (start, end))
    if whole:
        day, last = start.date(), (end - timedelta(microseconds=1)).date()
        days = (last - day).days + 1
        if language == "zh":
            told = _day_zh(day) if day == last else f"{_day_zh(day)}至{_day_zh(last)}"
            return f"{told}（{days}天）"
        told = f"{day}" if day == last else f"{day} to {last}"
        return f"{told} ({days} day{'s' if days > 1 else ''})"
    text = "至" if language == "zh" else "to"
    return f"{start:%Y-%m-%d %H:%M} {text} {end:%Y-%m-%d %H:%M} ({timezone})"


def _day_zh(day: object) -> str:
    year, month, number = str(day).split("-")
    return f"{year}年{int(month)}月{int(number)}日"


def count(heatmap: Heatmap, language: Language) -> str:
    """Return the number of events on the map, or that it is too small to be given."""
    if heatmap.n is None:
        return _few(language)
    if heatmap.shared:
        return f"≥ {heatmap.n:,}" if heatmap.n else "0"
    return f"{heatmap.n:,}"


def events(heatmap: Heatmap) -> str:
    """Return the number of events with its word, in English."""
    return f"{count(heatmap, 'en')} {'event' if heatmap.n == 1 else 'events'}"


def number_of(heatmap: Heatmap, events: int, language: Language) -> str:
    """Return a number of events that are not on the map; where shared, small ones are not given."""
    if not heatmap.shared:
        return f"{events:,}"
    return _few(language) if 0 < events < MIN_EVENTS else f"{rounded(events):,}"


def _few(language: Language) -> str:
    return f"少于{MIN_EVENTS}件" if language == "zh" else f"fewer than {MIN_EVENTS}"


def notes(heatmap: Heatmap, language: Language, *, has_lines: bool = True) -> list[str]:
    """Return the sentences a reader needs in order not to misread the map.

    Parameters
    ----------
    has_lines
        Whether the tolerance contours of a rate are drawn on it, and so have to be explained.
    """
    chinese = language == "zh"
    sentences = []
    if heatmap.suppressed:
        sentences.append(
            f"事件少于{MIN_EVENTS}件，不予显示。"
            if chinese
            else f"Fewer than {MIN_EVENTS} events: not shown."
        )
    elif heatmap.n == 0:
        sentences.append("本时段内无事件。" if chinese else "No events in this period.")
    else:
        bandwidth = distance(heatmap.bandwidth_m)
        sentences.append(
            f"密度由高斯核估计，带宽（标准差）{bandwidth}；小于带宽的细节不可辨。"
            if chinese
            else f"Density by a Gaussian kernel of {bandwidth} standard deviation; "
            "detail finer than that cannot be read from the map."
        )
    if future := words_of_future(heatmap.start, heatmap.end, heatmap.made_on, language):
        sentences.append(future)
    if heatmap.chosen is not None and not heatmap.suppressed:
        sentences.append(_how_chosen(heatmap.chosen, language))
    if heatmap.per == "households" and not heatmap.suppressed:
        sentences += _denominator(heatmap, language)
    if heatmap.shared and heatmap.n:
        sentences.append(
            f"对外提供的图：核范围内事件少于{MIN_EVENTS}件（含0件）处不予显示，数值取两位有效数字。"
            if chinese
            else f"A shared map: where fewer than {MIN_EVENTS} incidents, or none, lie under the "
            "kernel nothing is shown; values have two figures."
        )
    sentences += _elsewhere(heatmap, language)
    if has_lines and heatmap.mean is not None and not heatmap.suppressed:
        sentences.append(difference(heatmap, language))
    left_out = []
    for events, chinese_words, english_words in (
        (heatmap.n_outside, "区域外", "outside the area"),
        (heatmap.n_without_place, "无坐标", "without coordinates"),
    ):
        if events:
            number = number_of(heatmap, events, language)
            left_out.append(
                f"{chinese_words}{number.removesuffix('件')}件"
                if chinese
                else f"{number} {english_words}"
            )
    if left_out:
        sentences.append(
            f"未计入：{'、'.join(left_out)}。"
            if chinese
            else f"Not counted: {', '.join(left_out)}."
        )
    return sentences


def _elsewhere(heatmap: Heatmap, language: Language) -> list[str]:
    """Return where and when the map is, if that is not what its title says."""
    sentences = []
    if heatmap.inhabited_m is not None:
        reach = distance(heatmap.inhabited_m)
        sentences.append(
            f"只绘制距有住户建筑约{reach}以内的地面。"
            if language == "zh"
            else f"Only ground within about {reach} of a building with households is mapped."
        )
    if heatmap.asked is not None:
        sentences.append(words_of_change(heatmap.asked, heatmap.timezone, language))
    return sentences


def _denominator(heatmap: Heatmap, language: Language) -> list[str]:
    chinese, unknown = language == "zh", heatmap.uncounted
    sentences = [
        f"核范围内不足{MIN_HOUSEHOLDS_UNDER_KERNEL}户处不计算。"
        if chinese
        else f"No rate where fewer than {MIN_HOUSEHOLDS_UNDER_KERNEL} households "
        "lie under the kernel."
    ]
    if unknown:
        sentences.append(
            f"有{unknown:,}栋建筑无户数记录，按0户计；其中若有住户，该处比率偏高。"
            if chinese
            else f"{counted(unknown, 'building')} without a count of households: taken for none, "
            "so the rate is too high where people live there."
        )
    return sentences


def difference(heatmap: Heatmap, language: Language) -> str:
    """Return what the tolerance contours of a rate mean, and how they were found."""
    mean, chance = f"{heatmap.mean or 0:.3g}", f"{LEVEL:.0%}".replace("%", "\u00a0%")
    return (
        f"全域平均{mean}。实线内高于平均、虚线内低于平均，超出偶然波动（逐点{chance}，双侧；"
        f"皮尔逊III型，以户数为既定）；即使处处相同，也约有{chance}的地方被圈出。"
        if language == "zh"
        else f"The mean of the area is {mean}. Within a solid line the rate is higher, within a "
        f"broken line lower than chance explains ({chance} at each place, two-sided; Pearson III, "
        f"households taken as known); about {chance} of the places would be ringed by chance."
    )


def _how_chosen(chosen: Bandwidth, language: Language) -> str:
    """Return how a bandwidth came about that was not given."""
    low, high, place = (distance(m) for m in (*chosen.tried_m, round(chosen.place_m)))
    if chosen.reason == "few":
        return (
            f"事件地点少于{MIN_PLACES}处，无法由数据确定带宽，采用常用值。"
            if language == "zh"
            else f"Fewer than {MIN_PLACES} places with events: too few to find a bandwidth from, "
            "so the usual one was taken."
        )
    bound = {"narrowest": ("下限", "the lower bound"), "widest": ("上限", "the upper bound")}
    zh, en = bound.get(chosen.reason, ("", ""))
    return (
        f"带宽由数据确定：似然交叉验证，在{low}至{high}之间选取"
        f"{f'，取到{zh}' if zh else ''}；{place}以内的事件视为同一地点。"
        if language == "zh"
        else f"The bandwidth is found from the data by likelihood cross-validation between {low} "
        f"and {high}{f', and is {en}' if en else ''}; events within {place} count as one place."
    )


def distance(metres: float) -> str:
    """Return a length as ``300 m`` or ``2.5 km``, with a space that does not break."""
    # The space does not break, so that a number stays with its unit.
    return f"{metres / 1000:g}\u00a0km" if metres >= 1000 else f"{metres:.3g}\u00a0m"


def crs_name(heatmap: Heatmap | NetworkDensity) -> str:
    """Return the name of the metric CRS the density was computed in, with its EPSG code if any."""
    code = heatmap.crs.to_epsg()
    return f"{heatmap.crs.name} (EPSG:{code})" if code else heatmap.crs.name
