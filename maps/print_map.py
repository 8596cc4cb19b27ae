"""A heat map on a sheet of A4 to print and hand on, as PNG or PDF."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

import numpy as np
import shapely
from pyproj import Transformer
from shapely.geometry.base import BaseGeometry

from gis.errors import BadInput, Problem
from maps import heatmap_text as text
from maps.fonts import font_properties
from maps.heatmap import Heatmap
from maps.heatmap_text import Language, word
from maps.output import replacing
from maps.palettes import hex_colour, labels, nice_breaks, number, ramp, rgba
from maps.raster import sample

if TYPE_CHECKING:
    import geopandas as gpd
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

A4_LANDSCAPE_IN = (11.69, 8.27)
DPI = 200

# The map frame and the column beside it, as shares of the sheet: left, bottom, width, height.
_MAP = (0.035, 0.085, 0.685, 0.785)
_COLUMN_X = 0.745
_COLUMN_WIDTH = 0.22
_PAPER = "#ffffff"
_INSIDE = "#fbfaf6"
_OUTSIDE = "#e4e5e3"
_INK = "#1d2430"
_GREY = "#5b6470"
_WATER = "#c4dcea"
_ROAD = "#b4afa6"
_GRID = "#8a8f96"
_UNIT = "#3a4350"


@dataclass(frozen=True, slots=True)
class _Sheet:
    """What the parts of the sheet are drawn with."""

    heatmap: Heatmap
    language: Language
    breaks: list[float]
    figure: Figure
    axes: Axes
    has_grids: bool


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
) -> None:
    """Write the map as a sheet of A4 landscape: PNG at 200 dpi, or PDF by the suffix.

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

    Raises
    ------
    BadInput
        Another suffix, an unknown language, a folder that does not exist.
    Missing
        The machine has no font with Chinese characters.
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg  # noqa: PLC0415  (slow to load)
    from matplotlib.figure import Figure  # noqa: PLC0415

    suffix = Path(path).suffix.lower()
    problems = []
    if suffix not in {".png", ".pdf"}:
        problems.append(Problem(f"{Path(path).name} is not .png or .pdf", field="path"))
    if language not in text.LANGUAGES:
        problems.append(Problem(f"language {language!r}", "Give zh or en.", field="language"))
    if problems:
        raise BadInput(problems)

    figure = Figure(figsize=A4_LANDSCAPE_IN, dpi=DPI, facecolor=_PAPER)
    FigureCanvasAgg(figure)
    axes = figure.add_axes(_MAP)
    used = nice_breaks(heatmap.maximum) if breaks is None else breaks
    sheet = _Sheet(heatmap, language, used, figure, axes, grids is not None)
    _draw_map(sheet, grids=grids, units=units, roads=roads, water=water)
    _draw_scale_bar(sheet)
    _draw_north(sheet)
    _draw_title(sheet)
    _draw_legend(sheet)
    _draw_footer(sheet)
    with replacing(path) as temporary:
        figure.savefig(
            temporary,
            dpi=DPI,
            metadata={"Title": text.heading(heatmap, language)},
        )


def _draw_map(
    sheet: _Sheet,
    *,
    grids: gpd.GeoDataFrame | None,
    units: gpd.GeoDataFrame | None,
    roads: gpd.GeoDataFrame | None,
    water: gpd.GeoDataFrame | None,
) -> None:
    heatmap, axes = sheet.heatmap, sheet.axes
    _frame(sheet)
    outline = None if heatmap.area is None else _to_metres(heatmap, heatmap.area)
    axes.set_facecolor(_INSIDE if outline is None else _OUTSIDE)
    if outline is not None:
        _polygons(axes, [outline], facecolor=_INSIDE, edgecolor="none", zorder=1)
    if water is not None:
        _polygons(axes, _layer(sheet, water), facecolor=_WATER, edgecolor="none", zorder=2)
    _draw_density(sheet, outline)
    if roads is not None:
        _lines(axes, _layer(sheet, roads), color=_ROAD, linewidth=0.45, zorder=4)
    if grids is not None:
        _lines(axes, _layer(sheet, grids, outlines=True), color=_GRID, linewidth=0.35, zorder=5)
    if units is not None:
        _lines(axes, _layer(sheet, units, outlines=True), color=_UNIT, linewidth=0.8, zorder=6)
        _unit_names(sheet, units)
    if outline is not None:
        _lines(axes, [outline.boundary], color=_INK, linewidth=1.1, zorder=7)


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
        spine.set_color(_INK)
        spine.set_linewidth(0.8)


def _draw_density(sheet: _Sheet, outline: BaseGeometry | None) -> None:
    """Draw the density, sampled at each dot of the print and cut along the outline."""
    heatmap, axes = sheet.heatmap, sheet.axes
    if not sheet.breaks:
        return
    left, right = axes.get_xlim()
    bottom, top = axes.get_ylim()
    nx = round(_MAP[2] * A4_LANDSCAPE_IN[0] * DPI)
    ny = round(_MAP[3] * A4_LANDSCAPE_IN[1] * DPI)
    x = left + (np.arange(nx) + 0.5) * (right - left) / nx
    y = top - (np.arange(ny) + 0.5) * (top - bottom) / ny
    values = sample(heatmap, *np.meshgrid(x, y), beyond_edge=outline is not None)
    image = axes.imshow(
        rgba(values, sheet.breaks, opacity=0.82),
        extent=(left, right, bottom, top),
        interpolation="nearest",
        zorder=3,
        aspect="auto",
    )
    if outline is not None:
        from matplotlib.patches import PathPatch  # noqa: PLC0415

        image.set_clip_path(PathPatch(_path(outline), transform=axes.transData))


def _draw_scale_bar(sheet: _Sheet) -> None:
    """Draw a bar of a readable length, about a fifth of the frame, in the lower left corner."""
    axes = sheet.axes
    left, right = axes.get_xlim()
    bottom, top = axes.get_ylim()
    wanted = (right - left) / 5
    power = 10 ** np.floor(np.log10(wanted))
    length = max(step * power for step in (1, 2, 5) if step * power <= wanted)
    height = (top - bottom) * 0.008
    x, y = left + (right - left) * 0.025, bottom + (top - bottom) * 0.035
    from matplotlib.patches import FancyBboxPatch, Rectangle  # noqa: PLC0415

    axes.add_patch(
        FancyBboxPatch(
            (x - height, y - height),
            length + 6 * height,
            height * 5.5,
            boxstyle=f"round,pad={height}",
            facecolor=_PAPER,
            edgecolor="none",
            alpha=0.85,
            zorder=9,
        )
    )
    for part in range(4):
        axes.add_patch(
            Rectangle(
                (x + part * length / 4, y),
                length / 4,
                height,
                facecolor=_INK if part % 2 == 0 else _PAPER,
                edgecolor=_INK,
                linewidth=0.6,
                zorder=10,
            )
        )
    unit = "km" if length >= 1000 else "m"
    for share in (0.0, 0.5, 1.0):
        value = number(share * length / (1000 if unit == "km" else 1))
        axes.text(
            x + share * length,
            y + 1.7 * height,
            f"{value} {unit}" if share == 1 else value,
            ha="center",
            va="bottom",
            color=_INK,
            fontproperties=font_properties(7.5),
            zorder=10,
        )


def _draw_north(sheet: _Sheet) -> None:
    """Draw an arrow towards true north at the middle of the map."""
    heatmap, axes = sheet.heatmap, sheet.axes
    left, right = axes.get_xlim()
    bottom, top = axes.get_ylim()
    to_wgs84 = Transformer.from_crs(heatmap.crs, "EPSG:4326", always_xy=True)
    lon, lat = to_wgs84.transform((left + right) / 2, (bottom + top) / 2)
    x, y = to_wgs84.transform([lon, lon], [lat, lat + 0.01], direction="INVERSE")
    angle = np.arctan2(x[1] - x[0], y[1] - y[0])
    centre = np.array([right - (right - left) * 0.045, top - (top - bottom) * 0.085])
    size = (top - bottom) * 0.042
    turn = np.array([[np.cos(angle), np.sin(angle)], [-np.sin(angle), np.cos(angle)]])
    from matplotlib.patches import Polygon  # noqa: PLC0415

    for side, colour in ((-1, _INK), (1, _PAPER)):
        corners = np.array([(0, 1.0), (side * 0.42, -1.0), (0, -0.55)]) * size @ turn.T + centre
        axes.add_patch(Polygon(corners, facecolor=colour, edgecolor=_INK, linewidth=0.8, zorder=10))
    label = np.array([0.0, 1.15 * size]) @ turn.T + centre
    axes.text(
        *label,
        word("north", sheet.language),
        ha="center",
        va="bottom",
        color=_INK,
        fontproperties=font_properties(9, bold=True),
        zorder=10,
    )


def _draw_title(sheet: _Sheet) -> None:
    heatmap, language, figure = sheet.heatmap, sheet.language, sheet.figure
    figure.text(
        _MAP[0],
        0.945,
        text.heading(heatmap, language),
        color=_INK,
        va="center",
        fontproperties=font_properties(20, bold=True),
    )
    parts = [heatmap.place, heatmap.category, text.period(heatmap, language)]
    figure.text(
        _MAP[0],
        0.897,
        "  ·  ".join(part for part in parts if part),
        color=_GREY,
        va="center",
        fontproperties=font_properties(11),
    )


def _draw_legend(sheet: _Sheet) -> None:
    """Draw the column on the right: unit and classes, then the facts of the map."""
    heatmap, language, figure = sheet.heatmap, sheet.language, sheet.figure
    y = _MAP[1] + _MAP[3]
    y = _column_text(figure, word("density", language), y, size=12, bold=True)
    y = _column_text(figure, text.unit(heatmap, language), y + 0.008, size=9, colour=_GREY)
    y -= 0.008
    colours = [hex_colour(colour) for colour in ramp(max(1, len(sheet.breaks)))]
    rows = list(zip(colours, labels(sheet.breaks), strict=False))[::-1]
    if sheet.breaks:
        rows.append((_INSIDE, f"{word('below', language)} {number(sheet.breaks[0])}"))
    elif not heatmap.suppressed:
        rows.append((_INSIDE, "0"))
    if heatmap.area is not None:
        rows.append((_OUTSIDE, word("outside", language)))
    for colour, label in rows:
        _swatch(figure, y, colour)
        figure.text(
            _COLUMN_X + 0.042,
            y - 0.0135,
            label,
            va="center",
            color=_INK,
            fontproperties=font_properties(9.5),
        )
        y -= 0.0305
    y -= 0.015
    facts = [
        (
            "events",
            f"n = {text.count(heatmap, language)}"
            if heatmap.n is not None
            else text.count(heatmap, language),
        ),
        ("period", text.period(heatmap, language)),
        ("bandwidth", text.distance(heatmap.bandwidth_m)),
        ("cell", text.distance(heatmap.cell_m)),
        ("category", heatmap.category),
        ("place", heatmap.place),
    ]
    if sheet.breaks:
        facts.insert(1, ("maximum", f"{heatmap.maximum:.3g}"))
    for key, value in facts:
        if value:
            y = _column_text(figure, word(key, language), y, size=7.5, colour=_GREY)
            y = _column_text(figure, value, y + 0.004, size=10)
    y -= 0.012
    for sentence in text.notes(heatmap, language):
        y = _column_text(figure, sentence, y, size=8, colour=_GREY)


def _draw_footer(sheet: _Sheet) -> None:
    heatmap, language = sheet.heatmap, sheet.language
    made: datetime = heatmap.made_on.astimezone(ZoneInfo(heatmap.timezone))
    parts = [
        (word("source", language), heatmap.source),
        (word("crs", language), text.crs_name(heatmap, language)),
        (word("made", language), f"{made:%Y-%m-%d}"),
        (word("made_by", language), text.MADE_BY),
    ]
    separator = "：" if language == "zh" else ": "
    sheet.figure.text(
        _MAP[0],
        0.045,
        "    ".join(f"{name}{separator}{value}" for name, value in parts if value),
        color=_GREY,
        va="center",
        fontproperties=font_properties(8),
    )


def _swatch(figure: Figure, y: float, colour: str) -> None:
    from matplotlib.patches import Rectangle  # noqa: PLC0415

    figure.add_artist(
        Rectangle(
            (_COLUMN_X, y - 0.026),
            0.032,
            0.025,
            transform=figure.transFigure,
            facecolor=colour,
            edgecolor=_GREY,
            linewidth=0.5,
        )
    )


def _column_text(
    figure: Figure, words: str, y: float, *, size: float, bold: bool = False, colour: str = _INK
) -> float:
    """Write wrapped words at the top `y` of the column; return the `y` below them."""
    from matplotlib.textpath import TextPath  # noqa: PLC0415

    font = font_properties(size, bold=bold)
    width_pt = _COLUMN_WIDTH * A4_LANDSCAPE_IN[0] * 72
    # Chinese breaks between any two characters, English between words.
    pieces = words.split(" ") if words.isascii() or " " in words else list(words)
    joint = " " if words.isascii() or " " in words else ""
    lines = [""]
    for piece in pieces:
        longer = f"{lines[-1]}{joint}{piece}" if lines[-1] else piece
        if lines[-1] and TextPath((0, 0), longer, prop=font).get_extents().width > width_pt:
            lines.append(piece)
        else:
            lines[-1] = longer
    figure.text(
        _COLUMN_X,
        y,
        "\n".join(lines),
        va="top",
        color=colour,
        fontproperties=font,
        linespacing=1.35,
    )
    return y - len(lines) * size * 1.5 / 72 / A4_LANDSCAPE_IN[1] - 0.006


def _unit_names(sheet: _Sheet, units: gpd.GeoDataFrame) -> None:
    if "name" not in units.columns:
        return
    from matplotlib.patheffects import withStroke  # noqa: PLC0415

    shown = _box(sheet)
    for name, geometry in zip(units["name"], _layer(sheet, units), strict=True):
        place = geometry.intersection(shown)
        if place.is_empty or not isinstance(name, str):
            continue
        at = place.representative_point()
        sheet.axes.text(
            at.x,
            at.y,
            name,
            ha="center",
            va="center",
            color=_INK,
            fontproperties=font_properties(8),
            path_effects=[withStroke(linewidth=2, foreground="white")],
            zorder=8,
            clip_on=True,
        )


def _box(sheet: _Sheet) -> BaseGeometry:
    (left, right), (bottom, top) = sheet.axes.get_xlim(), sheet.axes.get_ylim()
    return shapely.box(left, bottom, right, top)


def _layer(sheet: _Sheet, frame: gpd.GeoDataFrame, *, outlines: bool = False) -> list[BaseGeometry]:
    """Return the geometries of a layer in the metric CRS of the map."""
    series = frame.geometry if frame.crs is not None else frame.geometry.set_crs(4326)
    series = series.to_crs(sheet.heatmap.crs)
    return list(series.boundary if outlines else series)


def _to_metres(heatmap: Heatmap, geometry: BaseGeometry) -> BaseGeometry:
    to_metres = Transformer.from_crs("EPSG:4326", heatmap.crs, always_xy=True)
    return shapely.transform(
        geometry, lambda xy: np.column_stack(to_metres.transform(xy[:, 0], xy[:, 1]))
    )


def _lines(axes: Axes, geometries: list[BaseGeometry], **style: Any) -> None:
    from matplotlib.collections import LineCollection  # noqa: PLC0415

    parts = shapely.get_parts([g for g in geometries if g is not None and not g.is_empty])
    axes.add_collection(
        LineCollection([shapely.get_coordinates(part) for part in parts], **style), autolim=False
    )


def _polygons(axes: Axes, geometries: list[BaseGeometry], **style: Any) -> None:
    from matplotlib.collections import PathCollection  # noqa: PLC0415

    paths = [_path(g) for g in geometries if g is not None and not g.is_empty]
    axes.add_collection(PathCollection(paths, **style), autolim=False)


def _path(geometry: BaseGeometry) -> Any:
    """Return the polygons of a geometry as one path with holes."""
    from matplotlib.path import Path as DrawnPath  # noqa: PLC0415

    polygons = [p for p in shapely.get_parts(geometry) if p.geom_type == "Polygon"]
    rings = [ring for p in polygons for ring in (p.exterior, *p.interiors)]
    return DrawnPath.make_compound_path(
        *(DrawnPath(shapely.get_coordinates(ring), closed=True) for ring in rings)
    )
