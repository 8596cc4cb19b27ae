"""The density along streets on a sheet of A4 to print, as PNG or PDF."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

import shapely
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from gis.errors import BadInput
from maps import heatmap_text as text
from maps import print_furniture as furniture
from maps import print_words
from maps.fonts import font_properties
from maps.network import words
from maps.network.layer import bulk, classes, colours, width
from maps.output import replacing
from maps.palettes import labels, nice_breaks, number
from maps.print_furniture import GREY, INK, PAPER
from maps.print_map import A4_LANDSCAPE_IN, DPI, INSIDE

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from maps.heatmap_text import Language
    from maps.network.density import NetworkDensity

_MAP = (0.035, 0.085, 0.685, 0.785)
_COLUMN_X, _COLUMN_WIDTH = 0.745, 0.22


def write_png(
    density: NetworkDensity,
    path: Path | str,
    *,
    language: Language = "zh",
    paper: furniture.Paper = "A4",
) -> None:
    """Write the map as a landscape sheet, PNG at 200 dpi or PDF by the suffix.

    Raises
    ------
    BadInput
        Another suffix, language or paper, a folder that does not exist.
    Missing
        The machine has no font with Chinese characters.
    """
    if problems := furniture.check_sheet(path, language, paper):
        raise BadInput(problems)
    figure = Figure(figsize=A4_LANDSCAPE_IN, dpi=DPI, facecolor=PAPER)
    FigureCanvasAgg(figure)
    axes = figure.add_axes(_MAP)
    breaks = nice_breaks(density.maximum)
    _frame(axes, density)
    drawn = _classes(density, breaks)
    _streets(axes, drawn, breaks)
    furniture.scale_bar(axes)
    furniture.north_arrow(axes, density.crs, text.word("north", language))
    title = words.heading(density, language)
    print_words.title(figure, _MAP[0], title, text.subtitle(density, language))
    below = _legend(figure, density, breaks, language)
    box = bulk(density)
    room = (_COLUMN_WIDTH, max(0.0, below - 0.03 - _MAP[1]))
    if box and (inset := furniture.enlarged(axes, box, (_COLUMN_X, _MAP[1]), room)):
        inset.set_facecolor(INSIDE)
        at = (_COLUMN_X, inset.get_position().y1 + 0.03)
        furniture.paragraph(figure, text.word("enlarged", language), at, _COLUMN_WIDTH, size=9)
        _streets(inset, drawn, breaks)
        furniture.scale_bar(inset, small=True)
    _footer(figure, density, language)
    furniture.enlarge(figure, paper)
    with replacing(path) as temporary:
        figure.savefig(temporary, dpi=DPI, metadata={"Title": title})


def _streets(
    axes: Axes, drawn: tuple[list[int], list[shapely.Geometry]], breaks: list[float]
) -> None:
    inks = colours(breaks)
    for each, shape in zip(*drawn, strict=True):
        furniture.lines(
            axes, [shape], color=inks[each], linewidth=width(each), zorder=3 + each / 10
        )


def _classes(
    density: NetworkDensity, breaks: list[float]
) -> tuple[list[int], list[shapely.Geometry]]:
    frame = classes(density, breaks)
    return [int(each) for each in frame["number"]], list(frame.geometry)


def _frame(axes: Axes, density: NetworkDensity) -> None:
    west, south, east, north = density.lines.together().bounds
    across, up = _MAP[2] * A4_LANDSCAPE_IN[0], _MAP[3] * A4_LANDSCAPE_IN[1]
    scale = 1.06 * max((east - west) / across, (north - south) / up) / 2
    x, y = (west + east) / 2, (south + north) / 2
    axes.set_xlim(x - scale * across, x + scale * across)
    axes.set_ylim(y - scale * up, y + scale * up)
    axes.set_xticks([])
    axes.set_yticks([])
    axes.set_facecolor(INSIDE)
    for spine in axes.spines.values():
        spine.set_color(INK)
        spine.set_linewidth(0.8)


def _legend(
    figure: Figure, density: NetworkDensity, breaks: list[float], language: Language
) -> float:
    def write(said: str, y: float, size: float, *, bold: bool = False, colour: str = INK) -> float:
        return furniture.paragraph(
            figure, said, (_COLUMN_X, y), _COLUMN_WIDTH, size=size, bold=bold, colour=colour
        )

    y = write(words.word("density", language), _MAP[1] + _MAP[3], 12, bold=True)
    y = write(words.word("unit", language), y + 0.008, 9, colour=GREY) - 0.008
    below = f"{text.word('below', language)} {number(breaks[0])}" if breaks else "0"
    rows = list(enumerate(zip(colours(breaks), [below, *labels(breaks)], strict=True)))
    for each, (colour, label) in rows[::-1]:
        furniture.swatch(figure, _COLUMN_X, y, colour, line=1.5 * width(each))
        figure.text(_COLUMN_X + 0.042, y - 0.0135, label, va="center", color=INK,
                    fontproperties=font_properties(9.5))  # fmt: skip
        y -= 0.0305
    y -= 0.015
    y = print_words.facts(figure, (_COLUMN_X, y), _COLUMN_WIDTH, words.facts(density, language))
    y -= 0.012
    for sentence in words.notes(density, language):
        y = write(sentence, y, 8, colour=GREY)
    return y


def _footer(figure: Figure, density: NetworkDensity, language: Language) -> None:
    made = density.made_on.astimezone(ZoneInfo(density.timezone))
    parts = [
        (text.word("source", language), density.source),
        (text.word("crs", language), text.crs_name(density)),
        (text.word("made", language), f"{made:%Y-%m-%d}"),
        (text.word("made_by", language), text.MADE_BY),
    ]
    print_words.footer(figure, _MAP[0], parts, language)
