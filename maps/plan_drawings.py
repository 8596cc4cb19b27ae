"""Drawings of plans as SVG: the map, the histogram of deviations, ground that changes hands."""

from __future__ import annotations

import math
from html import escape
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import shapely

if TYPE_CHECKING:
    from collections.abc import Sequence

    import geopandas as gpd
    import pandas as pd
    from numpy.typing import NDArray

# Lower bound of the deviation, colour, words: as in the viewer's legend. Lightness falls to both
# sides, so that it reads the same in grey and to people with colour-blindness.
CLASSES: Final = (
    (-math.inf, "#01665e", "低于 −20%", "below −20%"),
    (-0.2, "#8fd3c7", "−20% 至 −10%", "−20% to −10%"),
    (-0.1, "#fbfbf8", "±10% 以内", "within ±10%"),
    (0.1, "#e3c98a", "+10% 至 +20%", "+10% to +20%"),
    (0.2, "#8c510a", "高于 +20%", "above +20%"),
)
DARK: Final = frozenset({CLASSES[0][1], CLASSES[4][1]})
WIDTH, TALLEST = 920.0, 900.0
LINE, INK, QUIET, CHANGED = "#5a6a78", "#22303c", "#5a6a78", "#b2182b"
LABEL_PX: Final = 9.0
NICE_M: Final = (50, 100, 200, 500, 1000, 2000, 5000, 10_000, 20_000, 50_000)
BIN: Final = 0.025
DEGREE_M: Final = 111_320.0


class Sheet:
    """Paper for shapes in WGS 84: the same scale both ways at their middle latitude."""

    def __init__(self, bounds: Sequence[float], width: float = WIDTH) -> None:
        west, south, east, north = bounds
        self.shrink = math.cos(math.radians((south + north) / 2))
        across, up = max((east - west) * self.shrink, 1e-9), max(north - south, 1e-9)
        self.scale = min(width / across, TALLEST / up)
        self.west, self.north = west, north
        self.width, self.height = across * self.scale, up * self.scale

    def onto(self, shapes: Any) -> Any:
        """Shapes in pixels, without what is smaller than a third of one."""
        drawn = shapely.transform(
            shapes,
            lambda xy: np.column_stack(
                [(xy[:, 0] - self.west) * self.shrink * self.scale,
                 (self.north - xy[:, 1]) * self.scale]
            ),
        )  # fmt: skip
        return shapely.simplify(drawn, 0.33, preserve_topology=False)

    def frame(self, inside: str) -> str:
        """The drawing, with a bar of length and an arrow to the north."""
        metre = self.scale / DEGREE_M
        longest = max(
            (each for each in NICE_M if each * metre <= self.width / 4), default=NICE_M[0]
        )
        length = longest * metre
        label = f"{longest // 1000} km" if longest >= 1000 else f"{longest} m"
        y, x = self.height + 18, self.width - 14
        return (
            f"<svg viewBox='-2 -2 {self.width + 4:.0f} {self.height + 36:.0f}' "
            f"xmlns='http://www.w3.org/2000/svg'>{inside}"
            f"<path d='M4 {y - 6:.1f}V{y:.1f}H{4 + length:.1f}V{y - 6:.1f}' fill='none' "
            f"stroke='{INK}'/><text x='{8 + length:.1f}' y='{y:.1f}'>{label}</text>"
            f"<path d='M{x:.1f} {y - 14:.1f}l5 14l-5 -4l-5 4z' fill='{INK}'/>"
            f"<text x='{x - 8:.1f}' y='{y:.1f}' text-anchor='end'>北 N</text></svg>"
        )


def deviation_map(grids: gpd.GeoDataFrame, width: float = WIDTH) -> str:
    """Grids coloured by their deviation from the target, with the last figures of their codes.

    Parameters
    ----------
    grids
        ``code``, ``households``, ``target``, ``geometry`` in WGS 84.
    """
    sheet = Sheet(grids.total_bounds, width)
    shapes = sheet.onto(grids.geometry.to_numpy())
    share = grids["households"].to_numpy() / grids["target"].to_numpy() - 1
    parts = []
    for shape, code, households, deviation in zip(
        shapes, grids["code"], grids["households"], share, strict=True
    ):
        words = f"{code}: {households:,} 户 households, {deviation:+.1%}"
        parts.append(
            f"<path d='{path_of(shape)}' fill='{colour_of(deviation)}' stroke='{LINE}' "
            f"stroke-width='.6'><title>{escape(words)}</title></path>"
        )
    return sheet.frame("".join(parts) + _labels(shapes, grids["code"], share))


def difference_map(
    grids: gpd.GeoDataFrame, ground: Sequence[dict[str, Any]], width: float = WIDTH
) -> str:
    """Outlines of grids, and over them the ground that goes from one to another.

    Parameters
    ----------
    ground
        ``from_grid``, ``to_grid``, ``area_m2`` and ``wkb`` (WGS 84) of each piece.
    """
    changed = shapely.from_wkb([each["wkb"] for each in ground])
    if ground:
        # Only where something changes, with what lies around it.
        touched = shapely.union_all(changed).envelope
        near = grids.geometry.intersects(touched.buffer(0.3 * touched.length / 4))
        grids = grids[near.to_numpy()]
    sheet = Sheet(grids.total_bounds, width)
    shapes = sheet.onto(grids.geometry.to_numpy())
    parts = [
        f"<path d='{path_of(shape)}' fill='#fbfbf8' stroke='{LINE}' stroke-width='.6'/>"
        for shape in shapes
    ]
    pieces = sheet.onto(changed) if ground else []
    for shape, each in zip(pieces, ground, strict=True):
        way = f"{each['from_grid'] or '—'} → {each['to_grid'] or '—'}"
        words = f"{way}: {each['area_m2']:,.0f} m²"
        parts.append(
            f"<path d='{path_of(shape)}' fill='{CHANGED}' fill-opacity='.55' stroke='{CHANGED}'>"
            f"<title>{escape(words)}</title></path>"
        )
    return sheet.frame("".join(parts) + _labels(shapes, grids["code"], np.zeros(len(grids))))


def histogram(share: NDArray[np.float64], tolerance: float) -> str:
    """How many grids deviate by how much: bars of 2.5 %, those beyond 30 % in the outermost."""
    edge = 0.3
    bins = np.round(np.arange(-edge, edge + BIN / 2, BIN), 6)
    counts, _ = np.histogram(np.clip(share, -edge, edge - 1e-9), bins)
    high, bar, tall = max(int(counts.max()), 1), 24.0, 150.0
    parts = []
    for number, count in enumerate(counts.tolist()):
        length = count / high * tall
        middle = (bins[number] + bins[number + 1]) / 2
        parts.append(
            f"<rect x='{30 + number * bar:.1f}' y='{20 + tall - length:.1f}' width='{bar - 3}' "
            f"height='{length:.1f}' fill='{colour_of(float(middle))}' stroke='{LINE}'>"
            f"<title>{count}</title></rect>"
        )
        if count:
            parts.append(
                f"<text x='{30 + number * bar + bar / 2 - 1.5:.1f}' y='{16 + tall - length:.1f}' "
                f"text-anchor='middle'>{count}</text>"
            )
    base = 20 + tall
    width = 30 + len(counts) * bar
    for value in (-0.3, -0.2, -0.1, 0.0, 0.1, 0.2, 0.3):
        x = 30 + (value + edge) / BIN * bar - 1.5
        sign = "≤" if value == -edge else "≥" if value == edge else ""
        parts.append(
            f"<text x='{x:.1f}' y='{base + 16:.1f}' text-anchor='middle'>{sign}{value:+.0%}</text>"
        )
    for value in (-tolerance, tolerance):
        x = 30 + (value + edge) / BIN * bar - 1.5
        parts.append(f"<path d='M{x:.1f} 8V{base:.1f}' stroke='{INK}' stroke-dasharray='4 3'/>")
    return (
        f"<svg viewBox='0 0 {width + 30:.0f} {base + 24:.0f}' xmlns='http://www.w3.org/2000/svg' "
        f"class='histogram'><path d='M30 {base:.1f}H{width:.1f}' stroke='{INK}'/>"
        f"{''.join(parts)}</svg>"
    )


def change_curve(moved: pd.Series, within: pd.Series, drawn: pd.Series) -> str:
    """Shares of grids within tolerance over shares of households moved, both 0 to 1.

    A ring stands around the points of which `drawn` is true: the plan's own.
    """
    left, top, wide, tall = 64.0, 20.0, 420.0, 150.0
    right = max(math.ceil(float(moved.max()) * 100) / 100, 0.01)
    low = max(0.0, math.floor(float(within.min()) * 100 - 1) / 100)
    order = np.argsort(moved.to_numpy(), kind="stable")
    x = left + moved.to_numpy()[order] / right * wide
    y = top + (1 - within.to_numpy()[order]) / (1 - low) * tall
    dots = "".join(
        f"<circle cx='{a:.1f}' cy='{b:.1f}' r='3.5'/>" for a, b in zip(x, y, strict=True)
    )
    rings = "".join(
        f"<circle cx='{a:.1f}' cy='{b:.1f}' r='7' fill='none' stroke='{INK}'/>"
        for a, b, mine in zip(x, y, drawn.to_numpy()[order], strict=True)
        if mine
    )
    line = " ".join(f"{a:.1f},{b:.1f}" for a, b in zip(x, y, strict=True))
    base = top + tall
    ticks = "".join(
        f"<text x='{left + share * wide:.1f}' y='{base + 16:.1f}' text-anchor='middle'>"
        f"{share * right:.1%}</text>"
        for share in (0.0, 0.5, 1.0)
    ) + "".join(
        f"<text x='{left - 6:.1f}' y='{top + (1 - share) * tall + 4:.1f}' text-anchor='end'>"
        f"{low + share * (1 - low):.1%}</text>"
        for share in (0.0, 0.5, 1.0)
    )
    return (
        f"<svg viewBox='0 0 {left + wide + 40:.0f} {base + 44:.0f}' class='histogram' "
        "xmlns='http://www.w3.org/2000/svg'>"
        f"<path d='M{left} {top}V{base:.1f}H{left + wide}' fill='none' stroke='{INK}'/>{ticks}"
        f"<text x='{left + wide / 2:.1f}' y='{base + 36:.1f}' text-anchor='middle'>"
        "更换网格的户数占比 · share of households moved</text>"
        f"<text x='{left + 8:.1f}' y='{top + 2:.1f}'>"
        "在容差之内的网格 · grids within tolerance</text>"
        f"<polyline points='{line}' fill='none' stroke='{CLASSES[0][1]}' stroke-width='1.5'/>"
        f"<g fill='{CLASSES[0][1]}'>{dots}</g>{rings}</svg>"
    )


def legend() -> str:
    """The classes of the map with their colours, in both languages."""
    items = "".join(
        f"<li><i style='background:{colour}'></i>{zh} <span lang='en'>{en}</span></li>"
        for _, colour, zh, en in CLASSES
    )
    return f"<ul class='legend'>{items}</ul>"


def colour_of(deviation: float) -> str:
    """Colour of a deviation's class; what lies on a line between two is in the one nearer to 0."""
    if deviation < 0:
        return next(colour for low, colour, *_ in reversed(CLASSES[:3]) if deviation >= low - 1e-9)
    return next(colour for low, colour, *_ in reversed(CLASSES[2:]) if deviation > low + 1e-9)


def path_of(shape: Any) -> str:
    """The `d` of a polygon or several, in pixels to a tenth."""
    rings = [
        ring
        for part in shapely.get_parts(shape)
        if part.geom_type == "Polygon" and not part.is_empty
        for ring in (part.exterior, *part.interiors)
    ]
    return "".join(
        "M" + "L".join(f"{x:.1f} {y:.1f}" for x, y in ring.coords[:-1]) + "Z" for ring in rings
    )


def _labels(shapes: Sequence[Any], codes: Any, share: NDArray[np.float64]) -> str:
    """Last three figures of each code, where they fit into their grid."""
    out = []
    for shape, code, deviation in zip(shapes, codes, share, strict=True):
        spot = shapely.maximum_inscribed_circle(shape, tolerance=2.0) if shape.area else None
        if spot is None or spot.length < LABEL_PX:
            continue
        x, y = spot.coords[0]
        ink = "#fff" if colour_of(deviation) in DARK else INK
        out.append(
            f"<text x='{x:.1f}' y='{y + 3:.1f}' text-anchor='middle' fill='{ink}' "
            f"class='code-on-map'>{escape(str(code)[-3:])}</text>"
        )
    return "".join(out)
