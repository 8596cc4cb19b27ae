"""What a map of the density along streets says of itself, in Chinese and English."""

from __future__ import annotations

from typing import TYPE_CHECKING

from gis.wording import counted, verb
from maps import heatmap_text as text

if TYPE_CHECKING:
    from maps.heatmap_text import Language
    from maps.network.density import NetworkDensity

_WORDS = {
    "heading": ("沿街事件密度", "Incidents along streets"),
    "density": ("沿街密度", "Density along streets"),
    "unit": ("每公里街道每30天件数", "incidents per km of street per 30 days"),
    "events": ("件数", "Incidents"),
    "bandwidth": ("带宽", "Bandwidth"),
    "lixel": ("街段", "Piece of street"),
    "maximum": ("最高值", "Highest value"),
    "streets": ("街道", "Streets"),
}


def word(key: str, language: Language) -> str:
    """Return a label in a language."""
    return _WORDS[key][language == "en"]


def heading(density: NetworkDensity, language: Language) -> str:
    """Return the title, or what the map is when it has none."""
    return density.title or word("heading", language)


def facts(density: NetworkDensity, language: Language) -> list[tuple[str, str]]:
    """Return labels and values of what was counted and how."""
    return [
        (word("events", language), f"{density.n:,}"),
        (word("maximum", language), f"{density.maximum:.3g}"),
        (word("bandwidth", language), text.distance(density.bandwidth_m)),
        (word("lixel", language), f"≤ {text.distance(round(density.lixel_m, 1))}"),
        (word("streets", language), f"{density.length_m.sum() / 1000:,.1f}\u00a0km"),
    ]


def notes(density: NetworkDensity, language: Language) -> list[str]:
    """Return the sentences below the legend: the kernel, dead ends, and what was left out."""
    chinese = language == "zh"
    within = text.distance(density.max_distance_m)
    name = {
        "quartic": ("四次核（带宽即其作用范围）", "Quartic kernel, whose reach is the bandwidth"),
        "gaussian": (
            "高斯核（带宽为标准差，截于3倍）",
            "Gaussian kernel, cut at three bandwidths (standard deviations)",
        ),
    }[density.kernel][language == "en"]
    said = [
        f"{name}，沿街道量距，路口处均分至前方各路。仅供办案人员使用，不得外传。"
        if chinese
        else f"{name}; distances along streets, split equally among the arms ahead at crossings. "
        "For the case team only."
    ]
    share = density.lost / density.n
    if share >= 0.0005:
        said.append(
            f"断头路以外部分截去，占总量{share:.1%}。"
            if chinese
            else f"Cut off at dead ends: {share:.1%} of all.".replace("%", "\u00a0%")
        )
    if density.dropped / density.n >= 0.0005:
        share = density.dropped / density.n
        said.append(
            f"过细分支未计，占总量{share:.1%}。"
            if chinese
            else f"Not followed into the thinnest branches: {share:.1%} of all."
        )
    left = [
        (density.n_far, f"距街道超过{within}者", f"farther than {within} from any street"),
        (density.n_without_place, "无坐标", "without coordinates"),
    ]
    words = [(zh + f"{n:,}件") if chinese else f"{n:,} {en}" for n, zh, en in left if n]
    if words:
        said.append(
            f"未计入：{'、'.join(words)}。" if chinese else f"Not counted: {', '.join(words)}."
        )
    if density.n_empty:
        said.append(
            f"{density.n_empty}条零长度街道已略去。"
            if chinese
            else f"{counted(density.n_empty, 'street')} without length "
            f"{verb(density.n_empty, 'was', 'were')} left out."
        )
    return said
