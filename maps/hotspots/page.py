"""The back-test as a page of its own: one HTML file, both languages, no script, nothing fetched."""

from __future__ import annotations

import base64
import hashlib
import re
from dataclasses import dataclass
from html import escape
from typing import TYPE_CHECKING, Final

import numpy as np

from gis.wording import counted
from maps.heatmap_text import MADE_BY
from maps.hotspots import texts
from maps.hotspots.backtest import METHODS, Method
from maps.hotspots.forecast import MIN_WEEKS
from maps.hotspots.texts import Said

if TYPE_CHECKING:
    from datetime import date

    from maps.hotspots.backtest import BackTest
    from maps.hotspots.checks import Floats
    from maps.hotspots.service import Tested
    from maps.hotspots.texts import Language

# Okabe and Ito's colours, told apart by colour-blind eyes; and by marks and dashes in print.
_LINES: Final = {
    Method.ATTENTION: ("#0072b2", "", "circle"),
    Method.NAIVE: ("#d55e00", "7 4", "square"),
    Method.LAST_WEEKS: ("#009e73", "2 4", "triangle"),
}
_WIDTH, _HEIGHT, _LEFT, _TOP, _BOTTOM = 720, 250, 46, 14, 40
_FAINT, _INK, _BARS = "#d5d9dd", "#4a5560", "#c9d3dc"
_MOST_LABELS = 14

STYLE: Final = """
body { font: 16px/1.6 "Noto Sans CJK SC", "Microsoft YaHei", "PingFang SC", system-ui, sans-serif;
  color: #1d2b36; background: #fff; margin: 0 auto; max-width: 50rem; padding: 1rem 1.2rem 3rem; }
h1 { font-size: 1.6rem; line-height: 1.3; margin: .6rem 0 .2rem; }
h2 { font-size: 1.15rem; margin: 1.8rem 0 .4rem; }
.facts { color: #4a5560; margin: 0; }
.verdict { border-left: .4rem solid #0072b2; background: #eef4f8; padding: .7rem 1rem; margin: 1rem 0; }
.verdict.worse { border-color: #d55e00; background: #fdf1e8; }
.verdict strong { font-size: 1.15rem; }
.verdict ul { margin: .5rem 0 0; padding-left: 1.2rem; }
table { border-collapse: collapse; width: 100%; font-variant-numeric: tabular-nums; }
th, td { text-align: right; padding: .3rem .6rem; border-bottom: 1px solid #d5d9dd; }
th:first-child, td:first-child { text-align: left; }
td.best { font-weight: 700; }
thead th { border-bottom: 2px solid #4a5560; }
figure { margin: .5rem 0; }
figcaption, .note { color: #4a5560; font-size: .92rem; }
figure > svg { width: 100%; height: auto; }
.key { vertical-align: -1px; }
.choice { position: absolute; opacity: 0; }
.languages { float: right; }
.languages label { padding: .15rem .7rem; border: 1px solid #4a5560; cursor: pointer; }
#zh:checked ~ .languages label[for=zh], #en:checked ~ .languages label[for=en] {
  background: #1d2b36; color: #fff; }
.choice:focus-visible ~ .languages { outline: 3px solid #0072b2; }
#zh:checked ~ .en, #en:checked ~ .zh { display: none; }
time { white-space: nowrap; }
.wide { overflow-x: auto; }
@media print { .languages { display: none; } body { max-width: none; } h2 { break-after: avoid; } }
"""  # noqa: E501

STYLE_HASH: Final = "sha256-" + base64.b64encode(hashlib.sha256(STYLE.encode()).digest()).decode()
"""Of the page's own style, for a Content-Security-Policy that lets nothing else in."""

_WORDS: Final[dict[str, tuple[str, str]]] = {
    "title": ("关注清单回测", "Back-test of the attention list"),
    "verdict": ("结论", "Verdict"),
    "figures": ("命中情况", "What was caught"),
    "way": ("看哪里的依据", "Where to look, by"),
    "weekly": ("逐周命中率", "Week by week"),
    "numbers": ("逐周数字", "The numbers by week"),
    "week": ("周（起始日）", "Week from"),
    "events": ("上报件数", "Reported"),
    "expected": ("预计件数", "Expected"),
    "caught": ("命中率", "Share caught"),
    "meaning": ("怎么读", "How to read it"),
    "notes": ("说明", "Notes"),
}

_MEANING: Final[dict[Language, tuple[str, ...]]] = {
    "zh": (
        "每一周只用该周开始之前已经上报的事件排出名单，再看该周实际上报的事件有多少落在名单上。",
        (
            "PAI：命中的事件比例除以所看的面积比例。1等于碰运气；面积的5%上PAI为5，"
            "即看二十分之一的地方、遇上四分之一的事件。"
        ),
        "PEI：命中数除以同样面积最多可能命中的数。1等于未卜先知。",
        (
            "两种对照人人都会：按历史总数排序；按最近四周计数。"
            "逐周差值的均值超过两个标准误，才算分出高下。"
        ),
        ("这些数字只宜在同一地图上比较各种办法，不宜拿来比较不同地方：面积里空地越多，数字越高。"),
    ),
    "en": (
        (
            "Each week the list is made of nothing but what had been reported before it began; "
            "then we look how much of what was reported in the week fell on it."
        ),
        (
            "PAI: the share of incidents caught over the share of the area looked at. 1 is chance; "
            "5 at 5 % means that a twentieth of the area held a quarter of the incidents."
        ),
        "PEI: what was caught over the most that as much area could have held. 1 is foresight.",
        (
            "Two ways anyone can do by hand stand beside it: all incidents so far, and those of "
            "the last four weeks. One is called better only where the mean weekly difference is at "
            "least two standard errors."
        ),
        (
            "Compare ways on one map with these figures, never maps: the more empty ground is "
            "counted as area, the higher they are."
        ),
    ),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Page:
    """What the page tells.

    Attributes
    ----------
    test, mondays
        The back-test, and the days on which its weeks began.
    place, category, source
        In words; the category is empty for all.
    grids, weeks_before
        Number of grids; of weeks before the first one judged.
    notes
        What a reader has to know of how it was counted.
    made_on
        The day on which the page was made.
    """

    test: BackTest
    mondays: tuple[date, ...]
    place: Said
    category: Said
    source: Said
    grids: int
    weeks_before: int
    notes: tuple[Said, ...]
    made_on: date


def page_of(tested: Tested, *, made_on: date) -> Page:
    """The page of a back-test on the database."""
    return Page(
        test=tested.test,
        mondays=tested.mondays,
        place=tested.study.place,
        category=tested.study.category,
        source=Said("本系统的事件", "incidents of this installation"),
        grids=tested.study.ground.n,
        weeks_before=tested.weeks_before,
        notes=tested.study.notes,
        made_on=made_on,
    )


def html(page: Page, language: Language = "zh") -> str:
    """The whole page; `language` is the one that is shown at first, the other is a click away."""
    checked = {each: " checked" if each == language else "" for each in ("zh", "en")}
    return (
        f'<!doctype html>\n<html lang="{"zh-CN" if language == "zh" else "en"}">\n<head>\n'
        '<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"<title>{escape(_word('title', language))}</title>\n<style>{STYLE}</style>\n"
        "</head>\n<body>\n"
        f'<input class="choice" type="radio" name="language" id="zh"{checked["zh"]}>'
        f'<input class="choice" type="radio" name="language" id="en"{checked["en"]}>\n'
        '<p class="languages"><label for="zh" lang="zh-CN">中文</label>'
        '<label for="en" lang="en">English</label></p>\n'
        f"{_body(page, 'zh')}{_body(page, 'en')}</body>\n</html>\n"
    )


def _body(page: Page, language: Language) -> str:
    test = page.test
    tag = "zh-CN" if language == "zh" else "en"
    has_events = bool(test.events.sum())
    worse = texts.is_beaten(test) if has_events else False
    sentences = "".join(f"<li>{_text(line)}</li>" for line in texts.verdict(test, language))
    charts = "".join(_chart(page, at, language) for at in range(len(test.shares)))
    meaning = "".join(f"<p>{_text(each)}</p>" for each in _MEANING[language])
    notes = "".join(f"<li>{_text(_of(each, language))}</li>" for each in page.notes)
    return (
        f'<main class="{language}" lang="{tag}">\n'
        f"<h1>{escape(_word('title', language))}</h1>\n"
        f'<p class="facts">{_text(_facts(page, language))}</p>\n'
        f'<section class="verdict{" worse" if worse else ""}">'
        f"<strong>{_word('verdict', language)}{'：' if language == 'zh' else ': '}"
        f"{_text(texts.headline(test, language))}</strong>"
        f"<ul>{sentences}</ul></section>\n"
        f"<h2>{_word('figures', language)}</h2>\n{_figures(test, language)}"
        f'<p class="note">{_text(_coverage(test, language))}</p>\n'
        f"<h2>{_word('weekly', language)}</h2>\n{charts}"
        f"<details><summary>{_word('numbers', language)}</summary>"
        f"{_by_week(page, language)}</details>\n"
        f"<h2>{_word('meaning', language)}</h2>\n{meaning}\n"
        + (f"<h2>{_word('notes', language)}</h2><ul>{notes}</ul>\n" if notes else "")
        + f'<p class="note">{_text(_origin(page, language))}</p>\n</main>\n'
    )


def _facts(page: Page, language: Language) -> str:
    category = _of(page.category, language)
    first, last = page.mondays[0], page.mondays[-1]
    n, total = len(page.mondays), page.test.events.sum()
    if language == "zh":
        return (
            f"{page.place.zh}；{category or '全部类别'}；{page.grids:,}个网格；"
            f"评判{first}起至{last}起的{n}周（{total:,.0f}件），此前有{page.weeks_before}周可学。按上报时间。"
        )
    return (
        f"{page.place.en}; {category or 'all categories'}; {counted(page.grids, 'grid')}; "
        f"{counted(n, 'week')} judged, "
        f"from that of {first} to that of {last} ({counted(int(total), 'incident')}), after "
        f"{page.weeks_before} weeks to learn from. By the time of the report."
    )


def _coverage(test: BackTest, language: Language) -> str:
    expected, seen = test.expected.sum(), test.events.sum()
    if language == "zh":
        return (
            f"清单预计{expected:,.0f}件，实际{seen:,.0f}件；"
            f"90%区间包含了{test.within:.1%}的网格周。"
        )
    return (
        f"Incidents expected by the list: {expected:,.0f}; reported: {seen:,.0f}. Its 90 % "
        f"intervals held {test.within:.1%} of grids and weeks."
    )


def _origin(page: Page, language: Language) -> str:
    if language == "zh":
        return (
            f"数据：{page.source.zh}。{page.made_on}由{MADE_BY}制作。至少{MIN_WEEKS}周后方可预测。"
        )
    return (
        f"Data: {page.source.en}. Made on {page.made_on} by {MADE_BY}. Nothing is forecast from "
        f"fewer than {MIN_WEEKS} weeks."
    )


def _figures(test: BackTest, language: Language) -> str:
    heads = "".join(
        f"<th>{name}<br>{_part(share, language)}</th>"
        for share in test.shares.tolist()
        for name in ("PAI", "PEI")
    )
    rows = []
    for m, method in enumerate(METHODS):
        cells = "".join(
            _cell(values[m, s], values[:, s])
            for s in range(len(test.shares))
            for values in (test.pai, test.pei)
        )
        rows.append(f"<tr><td>{_key(method)} {escape(texts.method(method, language))}</td>{cells}")
    return (
        f"<table><thead><tr><th>{_word('way', language)}</th>{heads}</tr></thead>"
        f"<tbody>{''.join(rows)}</tbody></table>\n"
    )


def _part(share: float, language: Language) -> str:
    return f"面积的{share:.0%}" if language == "zh" else f"{share:.0%} of the area"


def _cell(value: float, among: Floats) -> str:
    if not np.isfinite(value):
        return "<td>–</td>"
    best = ' class="best"' if f"{value:.2f}" == f"{np.nanmax(among):.2f}" else ""
    return f"<td{best}>{value:.2f}</td>"


def _by_week(page: Page, language: Language) -> str:
    test = page.test
    heads = "".join(
        f"<th>{_part(share, language)}<br>{escape(texts.method(method, language))}</th>"
        for share in test.shares.tolist()
        for method in METHODS
    )
    rows = []
    for at, monday in enumerate(page.mondays):
        caught = "".join(
            f"<td>{_share(test.caught[m, s, at], test.events[at])}</td>"
            for s in range(len(test.shares))
            for m in range(len(METHODS))
        )
        rows.append(
            f"<tr><td><time>{monday}</time></td><td>{test.events[at]:,.0f}</td>"
            f"<td>{test.expected[at]:,.1f}</td>{caught}"
        )
    # Wider than a phone: it is pushed aside by itself, also by keyboard, and the text stays.
    return (
        f'<div class="wide" tabindex="0" role="region" aria-label="{_word("numbers", language)}">'
        f"<table><thead><tr><th>{_word('week', language)}</th><th>{_word('events', language)}</th>"
        f"<th>{_word('expected', language)}</th>{heads}</tr></thead>"
        f"<tbody>{''.join(rows)}</tbody></table></div>"
    )


def _share(caught: float, events: float) -> str:
    return f"{caught / events:.0%}" if events else "–"


def _chart(page: Page, share: int, language: Language) -> str:
    """Share of the week's incidents caught, a line for each way, over bars of their number."""
    test = page.test
    weeks, events = len(page.mondays), test.events
    with np.errstate(invalid="ignore", divide="ignore"):
        caught = np.where(events > 0, test.caught[:, share] / events, np.nan)
    top = _round_up(float(np.nanmax(caught, initial=0.01)))
    wide = (_WIDTH - _LEFT - 10) / weeks
    floor, tall = _HEIGHT - _BOTTOM, _HEIGHT - _BOTTOM - _TOP

    def x(at: int) -> float:
        return _LEFT + (at + 0.5) * wide

    def y(value: float) -> float:
        return floor - value / top * tall

    parts = []
    most = max(float(events.max(initial=0)), 1.0)
    for at in range(weeks):
        high = events[at] / most * tall * 0.35
        parts.append(
            f'<rect x="{x(at) - wide * 0.3:.1f}" y="{floor - high:.1f}" width="{wide * 0.6:.1f}" '
            f'height="{high:.1f}" fill="{_BARS}"><title>{page.mondays[at]}: {events[at]:,.0f}'
            "</title></rect>"
        )
    for step in range(5):
        value = top * step / 4
        parts.append(
            f'<line x1="{_LEFT}" x2="{_WIDTH - 10}" y1="{y(value):.1f}" y2="{y(value):.1f}" '
            f'stroke="{_FAINT}"/><text x="{_LEFT - 6}" y="{y(value) + 4:.1f}" text-anchor="end" '
            f'font-size="12" fill="{_INK}">{value:.{0 if top >= 0.2 else 1}%}</text>'
        )
    every = -(-weeks // _MOST_LABELS)
    parts += [
        f'<text x="{x(at):.1f}" y="{floor + 18}" text-anchor="middle" font-size="12" '
        f'fill="{_INK}">{page.mondays[at]:%m-%d}</text>'
        for at in range(0, weeks, every)
    ]
    for m, method in reversed(list(enumerate(METHODS))):
        points = [(x(at), y(v)) for at, v in enumerate(caught[m].tolist()) if np.isfinite(v)]
        parts.append(_line(points, method))
    part = f"{test.shares[share]:.0%}"
    caption = (
        f"查看面积的{part}，每周命中的事件比例（折线）；灰柱为每周上报件数，最高{most:,.0f}件。"
        if language == "zh"
        else f"Looking at {part} of the area: share of each week's incidents caught (lines); grey "
        f"bars are the incidents reported, {most:,.0f} at most."
    )
    keys = " ".join(
        f"{_key(each)} {escape(texts.method(each, language))}&ensp;" for each in METHODS
    )
    return (
        f'<figure><svg viewBox="0 0 {_WIDTH} {_HEIGHT}" role="img" '
        f'aria-label="{escape(caption)}">{"".join(parts)}</svg>'
        f"<figcaption>{keys}<br>{_text(caption)}</figcaption></figure>\n"
    )


def _line(points: list[tuple[float, float]], method: Method, *, first: int = 0) -> str:
    """A way's line with its marks; as many points as `first` have none at either end."""
    colour, dashes, _ = _LINES[method]
    path = " ".join(f"{x:.1f},{y:.1f}" for x, y in points)
    dashed = f' stroke-dasharray="{dashes}"' if dashes else ""
    marks = "".join(_mark(x, y, method) for x, y in points[first : len(points) - first])
    return (
        f'<polyline points="{path}" fill="none" stroke="{colour}" stroke-width="2.2"{dashed}/>'
        f"{marks}"
    )


def _mark(x: float, y: float, method: Method) -> str:
    colour, _, shape = _LINES[method]
    match shape:
        case "circle":
            return f'<circle cx="{x:.1f}" cy="{y:.1f}" r="4" fill="{colour}"/>'
        case "square":
            return (
                f'<rect x="{x - 3.5:.1f}" y="{y - 3.5:.1f}" width="7" height="7" fill="#fff" '
                f'stroke="{colour}" stroke-width="2"/>'
            )
        case _:
            ends = f"{x:.1f},{y - 4.5:.1f} {x + 4.5:.1f},{y + 3.5:.1f} {x - 4.5:.1f},{y + 3.5:.1f}"
            return f'<polygon points="{ends}" fill="{colour}"/>'


def _key(method: Method) -> str:
    """The sign that stands for a way in the charts; its size is its own, not the page's."""
    return (
        '<svg class="key" width="30" height="12" viewBox="0 0 30 12" aria-hidden="true">'
        f"{_line([(1.0, 6.0), (15.0, 6.0), (29.0, 6.0)], method, first=1)}</svg>"
    )


def _round_up(value: float) -> float:
    """The next of 4, 8, 12, 20, 40, 60, 80 and 100 %."""
    return next((each for each in (0.04, 0.08, 0.12, 0.2, 0.4, 0.6, 0.8) if value <= each), 1.0)


def _text(line: str) -> str:
    """Text of the page in which no line ends within a date or between a number and its sign."""
    whole = re.sub(r"\d{4}-\d{2}-\d{2}", r"<time>\g<0></time>", escape(line))
    return re.sub(r"(?<=\d) %", "&nbsp;%", whole)


def _word(key: str, language: Language) -> str:
    return _of(_WORDS[key], language)


def _of(said: tuple[str, str], language: Language) -> str:
    return said[0] if language == "zh" else said[1]
