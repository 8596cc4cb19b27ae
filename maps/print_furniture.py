"""Parts of a printed map that know nothing of what it shows: bars, arrows, wrapped words."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any, Final, Literal, TypeAlias

import numpy as np
import shapely
from matplotlib.collections import Collection, LineCollection, PathCollection
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import FancyBboxPatch, Patch, Polygon, Rectangle
from matplotlib.path import Path
from matplotlib.text import Text
from pyproj import CRS
from shapely.geometry.base import BaseGeometry

from gis.crs import transformer
from gis.errors import Problem
from maps.fonts import font_properties
from maps.heatmap_text import LANGUAGES
from maps.palettes import NOT_KNOWN, NOT_KNOWN_MARK, hex_colour, number

if TYPE_CHECKING:
    import pathlib

    from matplotlib.axes import Axes

    from maps.smoothing import Bbox

INK = "#1d2430"
GREY = "#5b6470"
PAPER = "#ffffff"
Paper: TypeAlias = Literal["A4", "A3"]
SCALES: Final[Mapping[Paper, float]] = {"A4": 1.0, "A3": 2**0.5}
"""Sides of sheets beside those of A4 (ISO 216)."""
_BAR_IN: Final = 0.052
Dashes: TypeAlias = Literal["solid", "dashed"]
HATCHED, STIPPLED = "hatched", "stippled"
"""Stand for a colour where `swatch` is to draw the stripes of "hidden", the dots of "no data"."""


def enlarge(figure: Figure, paper: Paper) -> None:
    """Turn a finished sheet of A4 into the same one on larger paper: letters and lines grow alike.

    Everything else lies at shares of the sheet, and sheets of both sizes have one shape.
    """
    scale = SCALES[paper]
    if scale == 1:
        return
    figure.set_size_inches(*(side * scale for side in figure.get_size_inches()))
    for artist in figure.findobj():
        if isinstance(artist, Text):
            artist.set_fontsize(float(artist.get_fontsize()) * scale)
        elif isinstance(artist, Line2D | Patch):
            artist.set_linewidth(artist.get_linewidth() * scale)
        elif isinstance(artist, Collection):
            artist.set_linewidth([scale * each for each in np.atleast_1d(artist.get_linewidth())])


def check_sheet(path: pathlib.Path | str, language: str, paper: str) -> list[Problem]:
    """What is wrong with how a sheet was asked for."""
    problems = []
    name = str(path)
    if not name.lower().endswith((".png", ".pdf")):
        problems.append(Problem(f"{name} is not .png or .pdf", field="path"))
    if language not in LANGUAGES:
        problems.append(Problem(f"language {language!r}", "Give zh or en.", field="language"))
    if paper not in SCALES:
        problems.append(Problem(f"paper {paper!r}", "Give A4 or A3.", field="paper"))
    return problems


def enlarged(
    axes: Axes, box_m: Bbox, corner: tuple[float, float], size: tuple[float, float]
) -> Axes | None:
    """A frame beside the map that shows a part of it larger, and an outline of that part on it.

    Parameters
    ----------
    box_m
        The part, in the coordinates of the map. More is shown where the frame has another shape.
    corner, size
        Lower left corner, and width and height that are free there, as shares of the sheet.

    Returns
    -------
    axes
        Without anything in it; None where the part would not be twice as large as on the map.
    """
    figure = axes.get_figure()
    assert isinstance(figure, Figure)
    west, south, east, north = box_m
    width_in = size[0] * figure.get_figwidth()
    height_in = size[1] * figure.get_figheight()
    high_in = min(height_in, width_in * (north - south) / (east - west))
    metres = max((east - west) / width_in, (north - south) / max(high_in, 1e-9))
    if 2 * metres > _metres_per_inch(axes):
        return None
    high = high_in / figure.get_figheight()
    frame = figure.add_axes((*corner, size[0], high))
    x, y = (west + east) / 2, (south + north) / 2
    frame.set_xlim(x - metres * width_in / 2, x + metres * width_in / 2)
    frame.set_ylim(y - metres * high_in / 2, y + metres * high_in / 2)
    frame.set_xticks([])
    frame.set_yticks([])
    for spine in frame.spines.values():
        spine.set_color(INK)
        spine.set_linewidth(0.8)
        spine.set_zorder(9)
    (x0, x1), (y0, y1) = frame.get_xlim(), frame.get_ylim()
    axes.add_patch(
        Rectangle(
            (x0, y0), x1 - x0, y1 - y0, facecolor="none", edgecolor=INK, linewidth=0.8, zorder=8.5
        )
    )
    return frame


def drawn_size_mm(axes: Axes, shapes: Any) -> Any:
    """The longer side of each shape's box on the sheet, millimetres of A4."""
    west, south, east, north = shapely.bounds(shapes).T
    return np.maximum(east - west, north - south) / _metres_per_inch(axes) * 25.4


def _metres_per_inch(axes: Axes) -> float:
    figure = axes.get_figure()
    assert isinstance(figure, Figure)
    left, right = axes.get_xlim()
    return float((right - left) / (axes.get_position().width * figure.get_figwidth()))


def scale_bar(axes: Axes, *, small: bool = False) -> None:
    """Draw a bar of a readable length, about a fifth of the frame, in the lower left corner.

    A small frame has room for the length of the whole bar alone.
    """
    left, right = axes.get_xlim()
    bottom, _ = axes.get_ylim()
    wanted = (right - left) / (3 if small else 5)
    power = 10 ** np.floor(np.log10(wanted))
    length = max(step * power for step in (1, 2, 5) if step * power <= wanted)
    # As thick on the sheet in every frame, for its letters are.
    height = _BAR_IN * _metres_per_inch(axes)
    x, y = left + (right - left) * 0.025, bottom + height * (2.2 if small else 4.4)
    axes.add_patch(
        FancyBboxPatch(
            (x - height * (0 if small else 1), y - height),
            length + (0 if small else 6) * height,
            height * 5.5,
            boxstyle=f"round,pad={height}",
            facecolor=PAPER,
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
                facecolor=INK if part % 2 == 0 else PAPER,
                edgecolor=INK,
                linewidth=0.6,
                zorder=10,
            )
        )
    unit = "km" if length >= 1000 else "m"
    for share in (0.5,) if small else (0.0, 0.5, 1.0):
        shown = 1.0 if small else share
        value = number(shown * length / (1000 if unit == "km" else 1))
        axes.text(
            x + share * length,
            y + 1.7 * height,
            f"{value} {unit}" if shown == 1 else value,
            ha="center",
            va="bottom",
            color=INK,
            fontproperties=font_properties(7.5),
            zorder=10,
        )


def north_arrow(axes: Axes, crs: CRS, label: str, *, small: bool = False) -> None:
    """Draw an arrow towards true north at the middle of the map; larger in a small frame."""
    left, right = axes.get_xlim()
    bottom, top = axes.get_ylim()
    to_wgs84 = transformer(crs, "EPSG:4326")
    lon, lat = to_wgs84.transform((left + right) / 2, (bottom + top) / 2)
    x, y = to_wgs84.transform([lon, lon], [lat, lat + 0.01], direction="INVERSE")
    angle = np.arctan2(x[1] - x[0], y[1] - y[0])
    share = 1.3 if small else 1.0
    size = (top - bottom) * 0.042 * share
    letters = (6.5 if small else 9) / 72 * _metres_per_inch(axes)
    centre = np.array(
        [
            right - (right - left) * 0.045 * share,
            top - (top - bottom) * 0.02 - 1.1 * letters - 1.15 * size,
        ]
    )
    # On whatever lies below: half of the arrow is as dark as the darkest class.
    half, under = 0.62 * size, 1.25 * size
    axes.add_patch(
        FancyBboxPatch(
            (centre[0] - half, centre[1] - under),
            2 * half,
            under + 1.2 * size + 1.4 * letters,
            boxstyle=f"round,pad={0.12 * size}",
            facecolor=PAPER,
            edgecolor="none",
            alpha=0.85,
            zorder=9,
        )
    )
    turn = np.array([[np.cos(angle), np.sin(angle)], [-np.sin(angle), np.cos(angle)]])
    for side, colour in ((-1, INK), (1, PAPER)):
        corners = np.array([(0, 1.0), (side * 0.42, -1.0), (0, -0.55)]) * size @ turn.T + centre
        axes.add_patch(Polygon(corners, facecolor=colour, edgecolor=INK, linewidth=0.8, zorder=10))
    tip = np.array([0.0, 1.15 * size]) @ turn.T + centre
    axes.text(
        tip[0],
        tip[1],
        label,
        ha="center",
        va="bottom",
        color=INK,
        fontproperties=font_properties(6.5 if small else 9, bold=True),
        zorder=10,
    )


def swatch(
    figure: Figure, x: float, y: float, colour: str, *, line: float = 0, dashes: Dashes = "solid"
) -> None:
    """Draw a box of colour, or a line that many points wide, at shares of the sheet."""
    if line:
        figure.add_artist(
            Line2D(
                [x, x + 0.032],
                [y - 0.0135] * 2,
                color=colour,
                linewidth=max(line, 0.8),
                linestyle=dashes,
            )
        )
        return
    pattern = {HATCHED: "/////", STIPPLED: "...."}.get(colour)
    figure.add_artist(
        Rectangle(
            (x, y - 0.026),
            0.032,
            0.025,
            transform=figure.transFigure,
            facecolor=hex_colour(NOT_KNOWN) if pattern else colour,
            edgecolor=hex_colour(NOT_KNOWN_MARK) if pattern else GREY,
            hatch=pattern,
            linewidth=0.5,
        )
    )


def caption(
    figure: Figure, words: str, at: tuple[float, float], width: float, *, size: float
) -> None:
    """Write one bold line, its middle at `at`; in smaller letters where it would be too wide."""
    canvas: Any = figure.canvas  # matplotlib's own types stop at the canvas
    measure = canvas.get_renderer().get_text_width_height_descent
    wide = measure(words, font_properties(size, bold=True), ismath=False)[0]
    room = width * figure.get_figwidth() * figure.dpi
    font = font_properties(size * min(1.0, room / wide), bold=True)
    figure.text(*at, words, va="center", color=INK, fontproperties=font)


def paragraph(
    figure: Figure,
    words: str,
    at: tuple[float, float],
    width: float,
    *,
    size: float,
    bold: bool = False,
    colour: str = INK,
) -> float:
    """Write wrapped words; return the `y` below them.

    Parameters
    ----------
    at, width
        Top left corner and width, as shares of the sheet.
    size
        Of the letters, points.
    """
    font = font_properties(size, bold=bold)
    # Any: matplotlib's own types stop at the canvas.
    canvas: Any = figure.canvas
    measure = canvas.get_renderer().get_text_width_height_descent
    sheet_height = figure.get_figheight() * 72
    width_px = width * figure.get_figwidth() * figure.dpi
    # Chinese breaks between any two characters but not before a full stop or the like; figures and
    # Latin words stay whole.
    pieces = re.findall(r"(?:[\w.,:°²%\u00a0-]+|.)[，。；：、）)]?", words, re.ASCII) or [""]
    lines = [""]
    for piece in pieces:
        longer = lines[-1] + piece
        if lines[-1] and measure(longer.rstrip(), font, ismath=False)[0] > width_px:
            lines.append(piece.lstrip(" "))
        else:
            lines[-1] = longer
    # Line by line from the baseline: a block aligned at its top would hang from its tallest letter.
    for i, line in enumerate(lines):
        baseline = at[1] - (0.9 + 1.5 * i) * size / sheet_height
        figure.text(at[0], baseline, line, va="baseline", color=colour, fontproperties=font)
    return float(at[1] - len(lines) * size * 1.5 / sheet_height - 0.006)


def lines(axes: Axes, geometries: Iterable[BaseGeometry], **style: Any) -> None:
    """Draw lines in the coordinates of the axes."""
    parts = shapely.get_parts(list(geometries))
    axes.add_collection(
        LineCollection([shapely.get_coordinates(part) for part in parts], **style), autolim=False
    )


def polygons(axes: Axes, geometries: Iterable[BaseGeometry], **style: Any) -> None:
    """Draw polygons in the coordinates of the axes."""
    paths = [path(g) for g in geometries if not g.is_empty]
    axes.add_collection(PathCollection(paths, **style), autolim=False)


def path(geometry: BaseGeometry) -> Path:
    """Return the polygons of a geometry as one path with holes."""
    parts = [p for p in shapely.get_parts(geometry) if p.geom_type == "Polygon"]
    rings = [ring for p in parts for ring in (p.exterior, *p.interiors)]
    return Path.make_compound_path(
        *(Path(shapely.get_coordinates(ring), closed=True) for ring in rings)
    )
