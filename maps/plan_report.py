"""A plan, or two side by side, on one page in both languages that opens without a network."""

from __future__ import annotations

from html import escape
from itertools import groupby
from typing import TYPE_CHECKING, Any

from gis.wording import counted, verb
from grids.redistricting.plan import RULES
from maps import plan_drawings as drawings
from maps.heatmap_text import MADE_BY
from maps.output import replacing

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    import geopandas as gpd
    import numpy as np
    import pandas as pd
    from numpy.typing import NDArray

    from grids.plans.comparison import Comparison
    from grids.redistricting import Finding, Plan

_STYLE = """
body { font: 15px/1.5 "Noto Sans CJK SC", "Microsoft YaHei", sans-serif; color: #22303c;
  max-width: 62rem; margin: 2rem auto; padding: 0 1rem; }
h1 { font-size: 1.5rem; } h2 { font-size: 1.1rem; margin: 2rem 0 .4rem; }
[lang=en] { color: #5a6a78; } h1 [lang=en], h2 [lang=en] { font-weight: normal; }
table { border-collapse: collapse; width: 100%; table-layout: fixed; }
table.figures { width: auto; table-layout: auto; }
table.figures th { padding-right: 2rem; }
table.figures + p { margin-top: .8rem; }
table.flows { table-layout: auto; font-size: .87em; } table.flows th [lang=en] { display: block; }
.code { width: 10.5rem; } .place { width: 11.5rem; }
td, th { text-align: left; vertical-align: top; padding: .35rem .8rem .35rem 0;
  border-top: 1px solid #dde3e8; }
svg { width: 100%; height: auto; font: 11px sans-serif; fill: #22303c; }
svg.histogram { max-width: 44rem; } .code-on-map { font-size: 9px; }
.legend { list-style: none; display: flex; flex-wrap: wrap; gap: .3rem 1.2rem; padding: 0; }
.legend i { display: inline-block; width: 1.4em; height: .9em; margin-right: .4em;
  border: 1px solid #5a6a78; vertical-align: -.05em; }
.two { display: grid; grid-template-columns: 1fr 1fr; gap: 1.2rem; }
summary { cursor: pointer; font-weight: bold; margin: 2rem 0 .4rem; }
tr.drawn { background: #eef3f7; }
td.number { white-space: nowrap; font-variant-numeric: tabular-nums; }
p { margin: 0; } footer { margin: 2rem 0; color: #5a6a78; }
@media print { body { margin: 0; font-size: 12px; } td, th { padding-right: .4rem; }
  h2 { break-after: avoid; } tr { break-inside: avoid; } }
"""


def write_report(plan: Plan, path: Path, *, title: str = "") -> None:
    """Write the figures of a plan and all of its findings, by rule, the worst first.

    Texts of the plan and the title are escaped. The page appears whole or not at all.
    """
    grids = plan.grids
    deviation = grids["deviation"].abs()
    figures: tuple[tuple[str, str, str], ...] = (
        ("网格数", "Grids", f"{len(grids):,}"),
        ("户数", "Households", f"{grids['households'].sum():,}"),
        ("在容差之内", "Within tolerance", f"{plan.within_tolerance:.1%}"),
        ("平均偏差", "Mean deviation", f"{deviation.mean():.1%}"),
        ("最大偏差", "Largest deviation", f"{deviation.max():.1%}"),
        ("平均紧凑度", "Mean compactness", f"{grids['compactness'].mean():.2f}"),
    )
    if plan.lineage is not None:
        moved = f"{plan.settings['households_moved']:,}"
        figures = (*figures, ("更换网格的户数", "Households that change their grid", moved))
    if "households_apart" in plan.settings:
        apart = "{households_apart:,} / {households_with_camp:,}".format(**plan.settings)
        figures = (
            *figures,
            ("营地在别的网格的户数", "Households with a camp in another grid, of all with camps",
             apart),
        )  # fmt: skip
    rows = "".join(
        f"<tr><th>{zh} <span lang='en'>{en}</span></th><td class='number'>{value}</td></tr>"
        for zh, en, value in figures
    )
    sections = "".join(
        _section(rule, list(found)) for rule, found in groupby(plan.findings, lambda f: f.rule)
    )
    nothing = "<p>没有需要说明的问题。<span lang='en'>There is nothing to remark.</span></p>"
    heading = escape(title) or "网格划分说明"
    share = (grids["households"] / grids["target"] - 1).to_numpy()
    tolerance = float(grids["tolerance"].median()) if "tolerance" in grids else 0.1
    _write(
        path,
        heading,
        "Report of the plan",
        f"<table class='figures'>{rows}</table>"
        f"{_h2('户数偏差', 'Grids by household deviation')}{drawings.legend()}"
        f"{drawings.deviation_map(grids.to_crs(4326))}"
        f"{_h2('偏差分布', 'How many grids deviate by how much')}"
        f"{drawings.histogram(share, tolerance)}"
        f"{'' if plan.lineage is None else _lineage(plan.lineage)}"
        f"{'' if plan.curve is None else _curve(plan.curve)}"
        f"{sections or nothing}{_all_grids(grids, share)}",
    )


def write_comparison(
    found: Comparison,
    frames: tuple[gpd.GeoDataFrame, gpd.GeoDataFrame],
    ground: Sequence[dict[str, Any]],
    path: Path,
) -> None:
    """Write two editions side by side: maps, what moves, how even the work is before and after.

    Parameters
    ----------
    frames
        Grids of the first and of the second edition: ``code``, ``households``, ``target``,
        ``geometry`` (WGS 84).
    ground
        Pieces that change hands, as ``difference`` gives them.
    """
    before, after = found.loads
    figures = "".join(
        f"<tr><th>{zh} <span lang='en'>{en}</span></th><td class='number'>{a}</td>"
        f"<td class='number'>{b}</td></tr>"
        for zh, en, a, b in (
            ("网格数", "Grids", f"{before.grids:,}", f"{after.grids:,}"),
            ("户数", "Households", f"{before.households:,}", f"{after.households:,}"),
            ("在规范之内", "Within the norm of their area type", f"{before.within_tolerance:.1%}",
             f"{after.within_tolerance:.1%}"),
            ("平均偏差", "Mean deviation", f"{before.mean_deviation:.1%}",
             f"{after.mean_deviation:.1%}"),
            ("最少至最多户数", "Fewest to most households", f"{before.fewest:,}–{before.most:,}",
             f"{after.fewest:,}–{after.most:,}"),
            ("户数变异系数", "Spread of households", f"{before.spread:.3f}", f"{after.spread:.3f}"),
        )
    )  # fmt: skip
    moved = (
        f"<p>{found.households_moved:,} 户、{found.buildings_moved:,} 栋楼更换网格，"
        f"涉及 {found.workers_concerned:,} 名网格员。<span lang='en'>"
        f"{counted(found.households_moved, 'household')} in "
        f"{counted(found.buildings_moved, 'building')} "
        f"{verb(found.households_moved, 'gets', 'get')} another grid; "
        f"{counted(found.workers_concerned, 'worker is', 'workers are')} concerned.</span></p>"
        + _with_them(found)
    )
    flows = "".join(
        f"<tr><td class='number'>{escape(flow.from_code or '—')}</td>"
        f"<td>{escape(flow.worker_before or '—')}</td>"
        f"<td class='number'>{escape(flow.to_code or '—')}</td>"
        f"<td>{escape(flow.worker_after or '—')}</td><td class='number'>{flow.households:,}</td>"
        f"<td class='number'>{flow.buildings:,}</td>"
        f"<td class='number'>{_known(flow.incidents)}</td>"
        f"<td class='number'>{_known(flow.cameras)}</td>"
        f"<td class='number'>{flow.places:,}</td></tr>"
        for flow in found.flows
    )
    maps_ = "".join(
        f"<div><h3>{found.first if number == 0 else found.second}</h3>"
        f"{drawings.deviation_map(frame, drawings.WIDTH / 2)}</div>"
        for number, frame in enumerate(frames)
    )
    head = "".join(
        f"<th>{zh} <span lang='en'>{en}</span></th>"
        for zh, en in (
            ("原网格", "From"), ("原网格员", "Worker"), ("新网格", "To"), ("新网格员", "Worker"),
            ("户数", "Households"), ("楼栋", "Buildings"), ("未结事件", "Open incidents"),
            ("摄像头", "Cameras"), ("重点场所", "Key places"),
        )
    )  # fmt: skip
    _write(
        path,
        f"网格方案对比 {found.first} → {found.second}",
        "Two editions compared",
        f"<table class='figures'><tr><th></th><th>{found.first}</th><th>{found.second}</th></tr>"
        f"{figures}</table>{moved}"
        f"{_h2('变更地块', 'Ground that changes hands')}"
        f"{drawings.difference_map(frames[1], ground)}"
        f"{_h2('前后对比', 'Side by side')}{drawings.legend()}<div class='two'>{maps_}</div>"
        f"{_h2('调整清单', 'What moves')}<table class='flows'><tr>{head}</tr>{flows}</table>",
    )


def _known(count: int | None) -> str:
    """A count, or a dash for what the reader may not see."""
    return "—" if count is None else f"{count:,}"


def _with_them(found: Comparison) -> str:
    """What else changes hands with the households."""
    incidents, cameras = found.incidents_moved, found.cameras_moved
    return (
        f"<p>随之变更：未结事件 {_known(incidents)} 件、摄像头 {_known(cameras)} 个、"
        f"重点场所 {found.places_moved:,} 处。<span lang='en'>With them go "
        f"{_known(incidents)} open {verb(incidents or 0, 'incident', 'incidents')}, "
        f"{_known(cameras)} {verb(cameras or 0, 'camera', 'cameras')} and "
        f"{counted(found.places_moved, 'key place')}.</span></p>"
    )


def _write(path: Path, heading: str, english: str, body: str) -> None:
    page = (
        f"<!DOCTYPE html><html lang='zh-CN'><meta charset='utf-8'><title>{heading}</title>"
        "<meta name='viewport' content='width=device-width'>"
        f"<style>{_STYLE}</style><h1>{heading} <span lang='en'>{english}</span></h1>"
        f"{body}<footer>{MADE_BY}</footer></html>\n"
    )
    path.parent.mkdir(parents=True, exist_ok=True)
    with replacing(path) as fresh:
        fresh.write_text(page, encoding="utf-8")


def _h2(zh: str, en: str) -> str:
    return f"<h2>{zh} <span lang='en'>{en}</span></h2>"


_FATES = {
    "split": ("拆分", "split"),
    "merged": ("并入其他网格", "merged"),
    "gone": ("撤销", "gone"),
    "new": ("新设", "new"),
    "kept": ("保留", "kept"),
}


def _lineage(lineage: pd.DataFrame) -> str:
    """What became of the grids before; those that nobody moves out of are counted only."""
    shown = lineage[(lineage["fate"] != "kept") | (lineage["moved"] > 0)]
    still = len(lineage) - len(shown)
    order = list(_FATES)
    listed = sorted(
        shown.itertuples(index=False), key=lambda row: (order.index(row.fate), row.code)
    )
    rows = "".join(
        f"<tr><td class='number'>{escape(row.code)}</td><td>{_FATES[row.fate][0]} "
        f"<span lang='en'>{_FATES[row.fate][1]}</span></td>"
        f"<td>{_codes([*row.predecessors, *row.successors], row.code)}</td>"
        f"<td class='number'>{row.households:,}</td><td class='number'>{row.moved:,}</td></tr>"
        for row in listed
    )
    head = "".join(
        f"<th>{zh} <span lang='en'>{en}</span></th>"
        for zh, en in (
            ("编号", "Code"), ("变化", "What became of it"), ("来自或去向", "From or to"),
            ("户数", "Households"), ("更换网格的户数", "Of them with another grid"),
        )
    )  # fmt: skip
    return (
        f"{_h2('与原方案的关系', 'Beside the plan before')}"
        f"<p>{still:,} 个网格没有住户迁出。<span lang='en'>"
        f"{counted(still, 'grid keeps all of its', 'grids keep all of their')} "
        f"households.</span></p><table><tr>{head}</tr>{rows}</table>"
    )


def _codes(codes: Sequence[str], but: str) -> str:
    return ", ".join(escape(each) for each in codes if each != but) or "—"


_THIS_PLAN = " ← 本方案 <span lang='en'>this plan</span>"


def _curve(curve: pd.DataFrame) -> str:
    rows = "".join(
        f"<tr{' class=drawn' if row.drawn else ''}><td class='number'>{row.keep:g}</td>"
        f"<td class='number'>{row.grids:,}</td><td class='number'>{row.within:.1%}</td>"
        f"<td class='number'>{row.moved:,} "
        f"({row.moved_share:.1%}){_THIS_PLAN if row.drawn else ''}</td></tr>"
        for row in curve.itertuples()
    )
    head = "".join(
        f"<th>{zh} <span lang='en'>{en}</span></th>"
        for zh, en in (
            ("每户调整代价", "Price of a household moved"), ("网格数", "Grids"),
            ("在容差之内", "Within tolerance"), ("更换网格的户数", "Households moved"),
        )
    )  # fmt: skip
    return (
        f"{_h2('少调整的代价', 'What less change costs')}"
        f"{drawings.change_curve(curve['moved_share'], curve['within'], curve['drawn'])}"
        f"<table class='figures'><tr>{head}</tr>{rows}</table>"
    )


def _all_grids(grids: gpd.GeoDataFrame, share: NDArray[np.float64]) -> str:
    rows = "".join(
        f"<tr><td class='number'>{escape(str(row.code))}</td><td class='number'>{row.households:,}"
        f"</td><td class='number'>{row.buildings:,}</td><td class='number'>{deviation:+.1%}</td>"
        f"<td class='number'>{row.compactness:.2f}</td></tr>"
        for row, deviation in zip(grids.itertuples(index=False), share, strict=True)
    )
    head = "".join(
        f"<th>{zh} <span lang='en'>{en}</span></th>"
        for zh, en in (
            ("编号", "Code"), ("户数", "Households"), ("楼栋", "Buildings"), ("偏差", "Deviation"),
            ("紧凑度", "Compactness"),
        )
    )  # fmt: skip
    return (
        f"<details><summary>全部网格 <span lang='en'>All {counted(len(grids), 'grid')}</span>"
        "</summary>"
        f"<table><tr>{head}</tr>{rows}</table></details>"
    )


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
