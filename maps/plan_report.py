"""What is to be said of a plan, on one page in both languages that opens without a network."""

from __future__ import annotations

from html import escape
from itertools import groupby
from typing import TYPE_CHECKING

from grids.redistricting.plan import RULES
from maps.heatmap_text import MADE_BY
from maps.output import replacing

if TYPE_CHECKING:
    from pathlib import Path

    from grids.redistricting import Finding, Plan

_STYLE = """
body { font: 15px/1.5 "Noto Sans CJK SC", "Microsoft YaHei", sans-serif; color: #22303c;
  max-width: 62rem; margin: 2rem auto; padding: 0 1rem; }
h1 { font-size: 1.5rem; } h2 { font-size: 1.1rem; margin: 2rem 0 .4rem; }
[lang=en] { color: #5a6a78; } h1 [lang=en], h2 [lang=en] { font-weight: normal; }
table { border-collapse: collapse; width: 100%; table-layout: fixed; }
table.figures { width: auto; table-layout: auto; }
table.figures th { padding-right: 2rem; }
.code { width: 10.5rem; } .place { width: 11.5rem; }
td, th { text-align: left; vertical-align: top; padding: .35rem .8rem .35rem 0;
  border-top: 1px solid #dde3e8; }
td.number { white-space: nowrap; font-variant-numeric: tabular-nums; }
p { margin: 0; } footer { margin: 2rem 0; color: #5a6a78; }
@media print { body { margin: 0; } h2 { break-after: avoid; } tr { break-inside: avoid; } }
"""


def write_report(plan: Plan, path: Path, *, title: str = "") -> None:
    """Write the figures of a plan and all of its findings, by rule, the worst first.

    Texts of the plan and the title are escaped. The page appears whole or not at all.
    """
    grids = plan.grids
    deviation = grids["deviation"].abs()
    figures = (
        ("网格数", "Grids", f"{len(grids):,}"),
        ("户数", "Households", f"{grids['households'].sum():,}"),
        ("在容差之内", "Within tolerance", f"{plan.within_tolerance:.1%}"),
        ("平均偏差", "Mean deviation", f"{deviation.mean():.1%}"),
        ("最大偏差", "Largest deviation", f"{deviation.max():.1%}"),
        ("平均紧凑度", "Mean compactness", f"{grids['compactness'].mean():.2f}"),
    )
    rows = "".join(
        f"<tr><th>{zh} <span lang='en'>{en}</span></th><td class='number'>{value}</td></tr>"
        for zh, en, value in figures
    )
    sections = "".join(
        _section(rule, list(found)) for rule, found in groupby(plan.findings, lambda f: f.rule)
    )
    nothing = "<p>没有需要说明的问题。<span lang='en'>There is nothing to remark.</span></p>"
    heading = escape(title) or "网格划分说明"
    page = (
        f"<!DOCTYPE html><html lang='zh-CN'><meta charset='utf-8'><title>{heading}</title>"
        "<meta name='viewport' content='width=device-width'>"
        f"<style>{_STYLE}</style><h1>{heading} <span lang='en'>Report of the plan</span></h1>"
        f"<table class='figures'>{rows}</table>{sections or nothing}"
        f"<footer>{MADE_BY}</footer></html>\n"
    )
    path.parent.mkdir(parents=True, exist_ok=True)
    with replacing(path) as fresh:
        fresh.write_text(page, encoding="utf-8")


def _section(rule: str, found: list[Finding]) -> str:
    zh, en = RULES[rule]
    rows = "".join(
        f"<tr><td class='number'>{escape(each.place)}</td><td><p>{escape(each.text_zh)}</p>"
        f"<p lang='en'>{escape(each.text)}</p></td><td class='number'>{_place(each)}</td></tr>"
        for each in found
    )
    return (
        f"<h2>{zh}：{len(found):,} <span lang='en'>{en}</span></h2><table><tr>"
        "<th class='code'>编号 <span lang='en'>Code</span></th>"
        "<th>说明 <span lang='en'>What is so</span></th>"
        f"<th class='place'>经纬度 <span lang='en'>Lon, lat</span></th></tr>{rows}</table>"
    )


def _place(finding: Finding) -> str:
    if finding.lon is None or finding.lat is None:
        return ""
    return f"{finding.lon:.6f}, {finding.lat:.6f}"
