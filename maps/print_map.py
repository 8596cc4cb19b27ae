"""A heat map on a sheet of A4 to print and hand on, as PNG or PDF."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

import numpy as np
import shapely
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.patches import PathPatch
from matplotlib.patheffects import withStroke
from shapely.geometry.base import BaseGeometry

from gis.crs import transformer
from gis.errors import BadInput
from maps import heatmap_text as text
from maps import print_furniture as furniture
from maps import print_words
from maps.contours import differences
from maps.fonts import font_properties
from maps.heatmap import Heatmap
from maps.heatmap_text import Language, word
from maps.output import replacing
from maps.palettes import (
    hatched,
    hex_colour,
    labels,
    nice_breaks,
    number,
    over,
    ramp,
    rgba,
    stippled,
)
from maps.print_furniture import GREY, HATCHED, INK, PAPER, STIPPLED
from maps.raster import gaps, sample

if TYPE_CHECKING:
    import geopandas as gpd
    import numpy.typing as npt
    from matplotlib.axes import Axes

    from maps.smoothing import Bbox

A4_LANDSCAPE_IN = (11.69, 8.27)
DPI = 200

# The map frame and the column beside it, as shares of the sheet: left, bottom, width, height.
_MAP = (0.035, 0.085, 0.685, 0.785)
_COLUMN_X = 0.745
_COLUMN_WIDTH = 0.22
INSIDE = "#fbfaf6"
OUTSIDE = "#e4e5e3"
_WATER = "#c4dcea"
_ROAD = "#a8a195"
_GRID = "#3f5f86"
_UNIT = "#3a4350"
OPACITY = 0.85
_MOVING_INSET = 0.18
TINY_MM = 1.5
"""Grids smaller than that on the sheet would be all border, and hide the density."""
_DIFFERENCE: dict[str, dict[str, Any]] = {
    "higher": {"color": INK, "linewidth": 1.5, "linestyle": "solid"},
    "lower": {"color": "#1f5f99", "linewidth": 1.5, "linestyle": "dashed"},
}


@dataclass(frozen=True, slots=True)
class _Sheet:
    """What the parts of the sheet are drawn with."""

    heatmap: Heatmap
    language: Language
    breaks: list[float]
    figure: Figure
    axes: Axes
    layers: tuple[tuple[str, str, float], ...]
    """Word, colour and line width (0: an area) of each layer that is drawn besides."""


def write_png(
    heatmap: Heatmap,
    path: Path | str,
    *,
    grids: gpd.GeoDataFrame | None = None,
    units: gpd.GeoDataFrame | None = None,
    roads: gpd.GeoDataFrame | None = None,
    water: gpd.GeoDataFrame | None = None,
    language: Language = "zh",
    breaks: list[float] | None = None,
    paper: furniture.Paper = "A4",
) -> None:
    """Write the map as a landscape sheet: PNG at 200 dpi, or PDF by the suffix.

    Parameters
    ----------
    path
        Ends in ``.png`` or ``.pdf``.
    grids, units, roads, water
        Layers with a CRS (none: WGS 84) drawn under or over the density: grid outlines, units with
        their `name` if they have that column, road lines, water polygons.
    language
        Of all words but those given with the heat map.
    breaks
        Lower class bounds; the same ones on two sheets make them comparable. Readable numbers for
        this map when left out.
    paper
        A3 has everything larger, nothing more.

    Raises
    ------
    BadInput
        Another suffix, language or paper, a folder that does not exist.
    Missing
        The machine has no font with Chinese characters.
    """
    if problems := furniture.check_sheet(path, language, paper):
        raise BadInput(problems)

    figure = draw(
        heatmap, grids=grids, units=units, roads=roads, water=water, language=language,
        breaks=breaks, dpi=round(DPI * furniture.SCALES[paper]),
    )  # fmt: skip
    furniture.enlarge(figure, paper)
    with replacing(path) as temporary:
        figure.savefig(
            temporary,
            dpi=DPI,
            metadata={"Title": text.heading(heatmap, language)},
        )


def draw(
    heatmap: Heatmap,
    *,
    grids: gpd.GeoDataFrame | None = None,
    units: gpd.GeoDataFrame | None = None,
    roads: gpd.GeoDataFrame | None = None,
    water: gpd.GeoDataFrame | None = None,
    language: Language = "zh",
    breaks: list[float] | None = None,
    dpi: int = DPI,
    bulk_m: Bbox | None = None,
) -> Figure:
    """Return the sheet of `write_png` as a figure with an Agg canvas.

    What lies in `bulk_m` is shown larger beside it, in one size for all frames of an animation;
    where that is left out, the heat map's own, as large as there is room.
    """
    figure = Figure(figsize=A4_LANDSCAPE_IN, dpi=dpi, facecolor=PAPER)
    FigureCanvasAgg(figure)
    axes = figure.add_axes(_MAP)
    used = nice_breaks(heatmap.maximum) if breaks is None else breaks
    bare = _Sheet(heatmap, language, used, figure, axes, ())
    _frame(bare)
    grids_key = "grids" if grids is None or _large(bare, grids).all() else "large_grids"
    drawn = (
        (units, "units", _UNIT, 0.9),
        (grids, grids_key, _GRID, 0.5),
        (roads, "roads", _ROAD, 0.6),
        (water, "water", _WATER, 0.0),
    )
    layers = tuple((key, colour, line) for layer, key, colour, line in drawn if layer is not None)
    sheet = replace(bare, layers=layers)
    shown = {"grids": grids, "units": units, "roads": roads, "water": water}
    _draw_map(sheet, **shown)
    if heatmap.suppressed:
        _say_suppressed(sheet)
    furniture.scale_bar(axes)
    furniture.north_arrow(axes, heatmap.crs, word("north", language))
    _draw_title(sheet)
    below = _draw_legend(sheet)
    box = bulk_m or heatmap.bulk_m
    if box is not None and not heatmap.suppressed:
        # Notes differ from frame to frame of an animation; what is enlarged must stay where it is.
        most = 1.0 if bulk_m is None else _MOVING_INSET
        room = (_COLUMN_WIDTH, min(most, max(0.0, below - 0.03 - _MAP[1])))
        inset = furniture.enlarged(axes, box, (_COLUMN_X, _MAP[1]), room)
        if inset is not None:
            at = (_COLUMN_X, inset.get_position().y1 + 0.03)
            furniture.paragraph(figure, word("enlarged", language), at, _COLUMN_WIDTH, size=9)
            _draw_map(replace(sheet, axes=inset), **shown)
            furniture.scale_bar(inset, small=True)
    _draw_footer(sheet)
    return figure


def _draw_map(
    sheet: _Sheet,
    *,
    grids: gpd.GeoDataFrame | None,
    units: gpd.GeoDataFrame | None,
    roads: gpd.GeoDataFrame | None,
    water: gpd.GeoDataFrame | None,
) -> None:
    heatmap, axes = sheet.heatmap, sheet.axes
    outline = None if heatmap.area is None else to_metres(heatmap, heatmap.area)
    axes.set_facecolor(INSIDE if outline is None else OUTSIDE)
    if outline is not None:
        furniture.polygons(axes, [outline], facecolor=INSIDE, edgecolor="none", zorder=1)
    if water is not None:
        furniture.polygons(axes, _layer(sheet, water), facecolor=_WATER, edgecolor="none", zorder=2)
    _draw_density(sheet, outline)
    if roads is not None:
        furniture.lines(axes, _layer(sheet, roads), color=_ROAD, linewidth=0.6, zorder=4)
    if grids is not None:
        seen = _outlines(sheet, grids)[_large(sheet, grids)]
        thin = {} if axes is sheet.figure.axes[0] else {"alpha": 0.6}
        furniture.lines(axes, seen, color=_GRID, linewidth=0.5, zorder=5, **thin)
    if units is not None:
        furniture.lines(axes, _outlines(sheet, units), color=_UNIT, linewidth=0.9, zorder=6)
        _unit_names(sheet, units)
    if outline is not None:
        furniture.lines(axes, [outline.boundary], color=INK, linewidth=1.1, zorder=7)


def _frame(sheet: _Sheet) -> None:
    """Fit the raster's box with a margin into the frame, metres alike in both directions."""
    west, south, east, north = sheet.heatmap.bbox_m
    width_in = _MAP[2] * A4_LANDSCAPE_IN[0]
    height_in = _MAP[3] * A4_LANDSCAPE_IN[1]
    metres_per_inch = 1.06 * max((east - west) / width_in, (north - south) / height_in)
    x, y = (west + east) / 2, (south + north) / 2
    sheet.axes.set_xlim(x - metres_per_inch * width_in / 2, x + metres_per_inch * width_in / 2)
    sheet.axes.set_ylim(y - metres_per_inch * height_in / 2, y + metres_per_inch * height_in / 2)
    sheet.axes.set_xticks([])
    sheet.axes.set_yticks([])
    for spine in sheet.axes.spines.values():
        spine.set_color(INK)
        spine.set_linewidth(0.8)


def _draw_density(sheet: _Sheet, outline: BaseGeometry | None) -> None:
    """Draw the density, sampled at each dot of the print and cut along the outline."""
    heatmap, axes = sheet.heatmap, sheet.axes
    left, right = axes.get_xlim()
    bottom, top = axes.get_ylim()
    frame = axes.get_position()
    nx = round(frame.width * A4_LANDSCAPE_IN[0] * sheet.figure.dpi)
    ny = round(frame.height * A4_LANDSCAPE_IN[1] * sheet.figure.dpi)
    x = left + (np.arange(nx) + 0.5) * (right - left) / nx
    y = top - (np.arange(ny) + 0.5) * (top - bottom) / ny
    values = sample(heatmap, *np.meshgrid(x, y), beyond_edge=outline is not None)
    picture = rgba(values, sheet.breaks, opacity=OPACITY)
    if heatmap.no_data.any() or heatmap.hidden.any():
        no_data, hidden = gaps(heatmap, *np.meshgrid(x, y))
        picture[no_data] = stippled(no_data, period_px=14)[no_data]
        picture[hidden] = hatched(hidden, period_px=14)[hidden]
    image = axes.imshow(
        picture,
        extent=(left, right, bottom, top),
        interpolation="nearest",
        zorder=3,
        aspect="auto",
    )
    if outline is not None:
        image.set_clip_path(PathPatch(furniture.path(outline), transform=axes.transData))
    for name, shape in _differing(heatmap).items():
        style = _DIFFERENCE[name]
        halo = withStroke(linewidth=style["linewidth"] + 1.4, foreground="white")
        furniture.lines(axes, [shape.boundary], zorder=7.5, path_effects=[halo], **style)


def _say_suppressed(sheet: _Sheet) -> None:
    sheet.axes.text(
        0.5,
        0.5,
        text.notes(sheet.heatmap, sheet.language)[0],
        transform=sheet.axes.transAxes,
        ha="center",
        va="center",
        color=INK,
        fontproperties=font_properties(15, bold=True),
        bbox={"facecolor": PAPER, "edgecolor": INK, "boxstyle": "round,pad=0.6"},
        zorder=11,
    )


def _differing(heatmap: Heatmap) -> dict[str, BaseGeometry]:
    """Return where a rate is ``higher`` or ``lower`` than chance explains, in metres."""
    frame = differences(heatmap, crs="metric")
    return dict(zip(frame["difference"], frame.geometry, strict=True))


def _draw_title(sheet: _Sheet) -> None:
    heading = text.heading(sheet.heatmap, sheet.language)
    print_words.title(sheet.figure, _MAP[0], heading, text.subtitle(sheet.heatmap, sheet.language))


def _draw_legend(sheet: _Sheet) -> float:
    """Draw the column on the right: unit and classes, then the facts; return the `y` below."""
    heatmap, language, figure = sheet.heatmap, sheet.language, sheet.figure

    def write(words: str, y: float, **style: Any) -> float:
        return furniture.paragraph(figure, words, (_COLUMN_X, y), _COLUMN_WIDTH, **style)

    y = write(text.measure(heatmap, language), _MAP[1] + _MAP[3], size=12, bold=True)
    y = write(text.unit(heatmap, language), y + 0.008, size=9, colour=GREY) - 0.008
    ground = (int(INSIDE[1:3], 16), int(INSIDE[3:5], 16), int(INSIDE[5:7], 16))
    colours = ramp(len(sheet.breaks)) if sheet.breaks else []
    rows = [
        (hex_colour(over(colour, ground, OPACITY)), label)
        for colour, label in zip(colours, labels(sheet.breaks), strict=True)
    ][::-1]
    if sheet.breaks:
        rows.append((INSIDE, f"{word('below', language)} {number(sheet.breaks[0])}"))
    elif np.isfinite(heatmap.values).any():
        rows.append((INSIDE, "0"))
    if heatmap.no_data.any():
        rows.append((STIPPLED, word("no_data", language)))
    if heatmap.hidden.any():
        rows.append((HATCHED, word("hidden", language)))
    if heatmap.area is not None:
        rows.append((OUTSIDE, word("outside", language)))
    for colour, label in rows:
        furniture.swatch(figure, _COLUMN_X, y, colour)
        figure.text(
            _COLUMN_X + 0.042,
            y - 0.0135,
            label,
            va="center",
            color=INK,
            fontproperties=font_properties(9.5),
        )
        y -= 0.0305
    lines = [(name, str(_DIFFERENCE[name]["color"]), 1.5) for name in _differing(heatmap)]
    for key, colour, line in (*lines, *sheet.layers):
        dashes: furniture.Dashes = "dashed" if key == "lower" else "solid"
        furniture.swatch(figure, _COLUMN_X, y, colour, line=line, dashes=dashes)
        figure.text(
            _COLUMN_X + 0.042,
            y - 0.0135,
            word(key, language),
            va="center",
            color=INK,
            fontproperties=font_properties(9.5),
        )
        y -= 0.0305
    y -= 0.015
    facts = [("events", text.count(heatmap, language))]
    if sheet.breaks:
        facts.append(("maximum", f"{heatmap.maximum:.3g}"))
    facts += [
        ("bandwidth", text.distance(heatmap.bandwidth_m)),
        ("cell", text.distance(heatmap.cell_m)),
    ]
    told = [(word(key, language), value) for key, value in facts]
    y = print_words.facts(figure, (_COLUMN_X, y), _COLUMN_WIDTH, told)
    y -= 0.012
    for sentence in text.notes(heatmap, language):
        y = write(sentence, y, size=8, colour=GREY)
    return y


def _draw_footer(sheet: _Sheet) -> None:
    heatmap, language = sheet.heatmap, sheet.language
    made: datetime = heatmap.made_on.astimezone(ZoneInfo(heatmap.timezone))
    parts = [
        (word("source", language), heatmap.source),
        (word("crs", language), text.crs_name(heatmap)),
        (word("made", language), f"{made:%Y-%m-%d}"),
        (word("made_by", language), text.MADE_BY),
    ]
    print_words.footer(sheet.figure, _MAP[0], parts, language)


def _unit_names(sheet: _Sheet, units: gpd.GeoDataFrame) -> None:
    if "name" not in units.columns:
        return
    units = units.reset_index(drop=True)
    (left, right), (bottom, top) = sheet.axes.get_xlim(), sheet.axes.get_ylim()
    shown = shapely.box(left, bottom, right, top)
    for row, geometry in _layer(sheet, units).items():
        place, name = geometry.intersection(shown), units["name"].loc[row]
        if place.is_empty or not isinstance(name, str):
            continue
        at = place.representative_point()
        sheet.axes.text(
            at.x,
            at.y,
            name,
            ha="center",
            va="center",
            color=INK,
            fontproperties=font_properties(8),
            path_effects=[withStroke(linewidth=2, foreground="white")],
            zorder=8,
            clip_on=True,
        )


def _layer(sheet: _Sheet, frame: gpd.GeoDataFrame) -> gpd.GeoSeries:
    """Return the geometries of a layer that has any, in the metric CRS of the map."""
    series = frame.geometry if frame.crs is not None else frame.geometry.set_crs(4326)
    # Asked of shapely: geopandas warns of a change of its own wherever there are empty shapes.
    missing = shapely.is_missing(series.array) | shapely.is_empty(series.array)
    return series[~missing].to_crs(sheet.heatmap.crs)


def _outlines(sheet: _Sheet, frame: gpd.GeoDataFrame) -> gpd.GeoSeries:
    return _layer(sheet, frame).boundary


def _large(sheet: _Sheet, grids: gpd.GeoDataFrame) -> npt.NDArray[np.bool_]:
    """Which of the grids that have a shape are large enough on the sheet to have a border."""
    sizes = furniture.drawn_size_mm(sheet.axes, _layer(sheet, grids).to_numpy())
    large: npt.NDArray[np.bool_] = sizes >= TINY_MM
    return large


def to_metres(heatmap: Heatmap, geometry: BaseGeometry) -> BaseGeometry:
    """Return a geometry in WGS 84 in the metric CRS of the heat map."""
    to_metres = transformer("EPSG:4326", heatmap.crs)
    return shapely.transform(
        geometry, lambda xy: np.column_stack(to_metres.transform(xy[:, 0], xy[:, 1]))
    )
