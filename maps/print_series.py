"""Heat maps side by side on one sheet to print, with one legend; and one after another, moving."""

from __future__ import annotations

import math
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final
from zoneinfo import ZoneInfo

import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.patches import PathPatch
from PIL import Image

from gis.errors import BadInput, Problem
from maps import heatmap_text as text
from maps import print_furniture as furniture
from maps import print_words
from maps.fonts import font_properties
from maps.heatmap_text import Language, word
from maps.output import replacing
from maps.palettes import hatched, hex_colour, labels, number, over, ramp, rgba, stippled
from maps.print_furniture import GREY, HATCHED, INK, PAPER, STIPPLED
from maps.print_map import (
    A4_LANDSCAPE_IN,
    DPI,
    INSIDE,
    OPACITY,
    OUTSIDE,
    draw,
    to_metres,
)
from maps.raster import gaps, sample
from maps.series import Part, Series

if TYPE_CHECKING:
    import geopandas as gpd
    from matplotlib.axes import Axes

MAX_PANELS: Final = 24
"""More maps on a sheet of A4 are too small to be read."""
FRAME_DPI: Final = 100
FRAME_MS: Final = 900

_LEFT, _RIGHT, _TOP, _BOTTOM = 0.035, 0.80, 0.865, 0.085
_GAP, _CAPTION = 0.008, 0.034


def write_sheet(
    series: Series,
    path: Path | str,
    *,
    language: Language = "zh",
    paper: furniture.Paper = "A4",
) -> None:
    """Write all maps of a series on one landscape sheet, PNG at 200 dpi or PDF.

    Each has its name and number of events; the classes, the unit, the bandwidth and the scale
    are the same for all and stand once.

    Raises
    ------
    BadInput
        Another suffix, language or paper, more than 24 maps, a folder that does not exist.
    Missing
        The machine has no font with Chinese characters.
    """
    problems = furniture.check_sheet(path, language, paper)
    if len(series.parts) > MAX_PANELS:
        problems.append(
            Problem(
                f"{len(series.parts)} maps on one sheet",
                f"At most {MAX_PANELS}; take months instead of weeks, a shorter period, or a page "
                "with a slider (.html).",
                field="by",
            )
        )
    if problems:
        raise BadInput(problems)
    figure = Figure(figsize=A4_LANDSCAPE_IN, dpi=DPI, facecolor=PAPER)
    FigureCanvasAgg(figure)
    columns, rows = _layout(series)
    width = (_RIGHT - _LEFT) / columns
    height = (_TOP - _BOTTOM) / rows
    axes = None
    for i, part in enumerate(series.parts):
        left = _LEFT + (i % columns) * width
        bottom = _TOP - (i // columns + 1) * height
        box = (left + _GAP / 2, bottom + _GAP, width - _GAP, height - _CAPTION - _GAP)
        axes = figure.add_axes(box)
        _panel(axes, part, series, box, dpi=round(DPI * furniture.SCALES[paper]))
        label = part.zh if language == "zh" else part.en
        count = text.count(part.heatmap, language)
        furniture.caption(
            figure,
            f"{label}    n = {count}",
            (left + _GAP / 2, bottom + height - _CAPTION / 2),
            width - _GAP,
            size=9 if columns < 5 else 7.5,
        )
    if axes is not None:
        furniture.scale_bar(axes, small=True)
        furniture.north_arrow(figure.axes[0], series.whole.crs, word("north", language), small=True)
    _words(figure, series, language)
    furniture.enlarge(figure, paper)
    with replacing(path) as temporary:
        figure.savefig(temporary, dpi=DPI, metadata={"Title": text.heading(series.whole, language)})


def _layout(series: Series) -> tuple[int, int]:
    """Return columns and rows that make the maps as large as may be."""
    west, south, east, north = series.whole.bbox_m
    n = len(series.parts)

    def scale(columns: int) -> float:
        rows = math.ceil(n / columns)
        wide = (_RIGHT - _LEFT) / columns * A4_LANDSCAPE_IN[0]
        high = ((_TOP - _BOTTOM) / rows - _CAPTION) * A4_LANDSCAPE_IN[1]
        return min(wide / (east - west), high / (north - south))

    columns = max(range(1, n + 1), key=scale)
    return columns, math.ceil(n / columns)


def _panel(
    axes: Axes, part: Part, series: Series, box: tuple[float, float, float, float], *, dpi: int
) -> None:
    """Draw one map, all on the same extent."""
    heatmap = part.heatmap
    west, south, east, north = heatmap.bbox_m
    size_in = box[2] * A4_LANDSCAPE_IN[0], box[3] * A4_LANDSCAPE_IN[1]
    per_inch = 1.04 * max((east - west) / size_in[0], (north - south) / size_in[1])
    centre = (west + east) / 2, (south + north) / 2
    axes.set_xlim(*(centre[0] + side * per_inch * size_in[0] / 2 for side in (-1, 1)))
    axes.set_ylim(*(centre[1] + side * per_inch * size_in[1] / 2 for side in (-1, 1)))
    axes.set_xticks([])
    axes.set_yticks([])
    for spine in axes.spines.values():
        spine.set_color(GREY)
        spine.set_linewidth(0.5)
    axes.set_facecolor(OUTSIDE)
    assert heatmap.area is not None  # a series has one
    outline = to_metres(heatmap, heatmap.area)
    furniture.polygons(axes, [outline], facecolor=INSIDE, edgecolor="none", zorder=1)
    (left, right), (bottom, top) = axes.get_xlim(), axes.get_ylim()
    nx, ny = (round(side * dpi) for side in size_in)
    x = left + (np.arange(nx) + 0.5) * (right - left) / nx
    y = top - (np.arange(ny) + 0.5) * (top - bottom) / ny
    at = np.meshgrid(x, y)
    picture = rgba(sample(heatmap, *at, beyond_edge=True), series.breaks, opacity=OPACITY)
    no_data, hidden = gaps(heatmap, *at)
    picture[no_data] = stippled(no_data, period_px=14)[no_data]
    picture[hidden] = hatched(hidden, period_px=14)[hidden]
    image = axes.imshow(
        picture,
        extent=(left, right, bottom, top),
        interpolation="nearest",
        zorder=3,
        aspect="auto",
    )
    image.set_clip_path(PathPatch(furniture.path(outline), transform=axes.transData))
    furniture.lines(axes, [outline.boundary], color=INK, linewidth=0.7, zorder=7)


def _words(figure: Figure, series: Series, language: Language) -> None:
    """Write the title, the one legend, and what holds for all maps."""
    whole = series.whole
    print_words.title(figure, _LEFT, text.heading(whole, language), text.subtitle(whole, language))
    x, width = _RIGHT + 0.018, 0.158
    y = furniture.paragraph(
        figure, text.measure(whole, language), (x, _TOP), width, size=12, bold=True
    )
    y = furniture.paragraph(
        figure, text.unit(whole, language), (x, y + 0.008), width, size=9, colour=GREY
    )
    ground = (int(INSIDE[1:3], 16), int(INSIDE[3:5], 16), int(INSIDE[5:7], 16))
    colours = ramp(len(series.breaks)) if series.breaks else []
    rows = [
        (hex_colour(over(colour, ground, OPACITY)), label)
        for colour, label in zip(colours, labels(series.breaks), strict=True)
    ][::-1]
    if series.breaks:
        rows.append((INSIDE, f"{word('below', language)} {number(series.breaks[0])}"))
    maps = [part.heatmap for part in series.parts]
    if any(each.no_data.any() for each in maps):
        rows.append((STIPPLED, word("no_data", language)))
    if any(each.hidden.any() or each.suppressed for each in maps):
        rows.append((HATCHED, word("hidden", language)))
    rows.append((OUTSIDE, word("outside", language)))
    for colour, label in rows:
        furniture.swatch(figure, x, y, colour)
        figure.text(
            x + 0.042, y - 0.0135, label, va="center", color=INK,
            fontproperties=font_properties(9.5),
        )  # fmt: skip
        y -= 0.0305
    y -= 0.012
    highest = [f"{word('maximum_of_all', language)} {series.maximum:.3g}"] if series.breaks else []
    facts = (
        *highest,
        f"{word('events', language)} {text.count(whole, language)}",
        f"{word('bandwidth', language)} {text.distance(whole.bandwidth_m)}",
        f"{word('cell', language)} {text.distance(whole.cell_m)}",
    )
    for fact in facts:
        y = furniture.paragraph(figure, fact, (x, y), width, size=9)
    y -= 0.006
    left_out = [word("short_parts", language)] if series.short_parts else []
    for sentence in (
        word("one_legend", language),
        *left_out,
        *text.notes(whole, language, has_lines=False),
    ):
        y = furniture.paragraph(figure, sentence, (x, y), width, size=7.5, colour=GREY)
    made = whole.made_on.astimezone(ZoneInfo(whole.timezone))
    parts = [
        (word("source", language), whole.source),
        (word("crs", language), text.crs_name(whole)),
        (word("made", language), f"{made:%Y-%m-%d}"),
        (word("made_by", language), text.MADE_BY),
    ]
    print_words.footer(figure, _LEFT, parts, language)


def write_animation(
    series: Series,
    path: Path | str,
    *,
    grids: gpd.GeoDataFrame | None = None,
    language: Language = "zh",
    frame_ms: int = FRAME_MS,
) -> None:
    """Write the maps of a series one after another: animated GIF, WebP or PNG by the suffix.

    Every frame is the printed sheet of its map, with its period and the legend of all.

    Parameters
    ----------
    frame_ms
        How long each is shown, 100 to 10,000; the last one twice as long.

    Raises
    ------
    BadInput
        Another suffix, an unknown language, a folder that does not exist.
    Missing
        The machine has no font with Chinese characters.
    """
    problems = []
    if Path(path).suffix.lower() not in {".gif", ".webp", ".png"}:
        problems.append(
            Problem(f"{Path(path).name} does not move", "Use .gif, .webp or .png", field="path")
        )
    if language not in text.LANGUAGES:
        problems.append(Problem(f"language {language!r}", "Give zh or en.", field="language"))
    if not 100 <= frame_ms <= 10_000:
        problems.append(Problem(f"{frame_ms} ms", "Give 100 to 10,000.", field="frame_ms"))
    if problems:
        raise BadInput(problems)
    frames = []
    for part in series.parts:
        figure = draw(
            part.heatmap, grids=grids, language=language, breaks=series.breaks, dpi=FRAME_DPI,
            bulk_m=series.whole.bulk_m,  # the same in every frame
        )  # fmt: skip
        canvas: Any = FigureCanvasAgg(figure)  # matplotlib's own types stop at the canvas
        canvas.draw()
        # 256 colours of their own: a sheet has few, and files are a tenth as large.
        picture = Image.fromarray(np.asarray(canvas.buffer_rgba())[..., :3].copy())
        frames.append(picture.quantize(256, dither=Image.Dither.NONE))
    if Path(path).suffix.lower() != ".gif":
        frames = [frame.convert("RGB") for frame in frames]
    shown = [frame_ms] * (len(frames) - 1) + [2 * frame_ms]
    with replacing(path) as temporary:
        frames[0].save(
            temporary, save_all=True, append_images=frames[1:], duration=shown, loop=0,
            lossless=True,  # of WebP; the others always are
        )  # fmt: skip
