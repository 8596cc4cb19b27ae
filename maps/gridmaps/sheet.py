"""A grid map on a sheet of A4 or A3 to print and hand on, as PNG or PDF."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final
from zoneinfo import ZoneInfo

import numpy as np
import shapely
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.patheffects import withStroke
from pyproj import CRS

from gis.crs import metric_crs, transformer
from gis.errors import BadInput
from maps import print_furniture as furniture
from maps import print_words
from maps.bulk import bulk_box
from maps.fonts import font_properties
from maps.gridmaps import words
from maps.gridmaps.gridmap import bounds
from maps.heatmap_text import MADE_BY
from maps.output import replacing
from maps.palettes import NOT_KNOWN, NOT_KNOWN_MARK, hex_colour
from maps.print_furniture import GREY, HATCHED, INK, PAPER, STIPPLED

if TYPE_CHECKING:
    import geopandas as gpd
    from matplotlib.axes import Axes
    from shapely.geometry.base import BaseGeometry

    from maps.gridmaps.gridmap import GridMap
    from maps.heatmap_text import Language

DPI: Final = 200
_A4_IN: Final = (11.69, 8.27)
# The map frame and the column beside it, as shares of the sheet: left, bottom, width, height.
_MAP: Final = (0.035, 0.085, 0.685, 0.785)
_COLUMN_X: Final = 0.745
_COLUMN_WIDTH: Final = 0.22
_ROW: Final = 0.0305
_BINS: Final = 100
_GROUND: Final = "#e4e5e3"
_BORDER: Final = "#8b857c"


@dataclass(frozen=True, slots=True)
class _Sheet:
    """What the parts of the sheet are drawn with."""

    made: GridMap
    language: Language
    figure: Figure
    axes: Axes
    crs: CRS


def write_sheet(
    made: GridMap,
    path: Path | str,
    *,
    units: gpd.GeoDataFrame | None = None,
    language: Language = "zh",
    paper: furniture.Paper = "A4",
) -> None:
    """Write the map as a landscape sheet: PNG at 200 dpi, or PDF by the suffix.

    Parameters
    ----------
    units
        Polygons with a CRS (none: WGS 84), drawn as borders, with their `name` if they have one.

    Raises
    ------
    BadInput
        Another suffix, language or paper; a folder that does not exist.
    Missing
        The machine has no font with Chinese characters.
    """
    suffix = Path(path).suffix.lower()
    if problems := furniture.check_sheet(path, language, paper):
        raise BadInput(problems)
    figure = Figure(figsize=_A4_IN, dpi=DPI, facecolor=PAPER)
    FigureCanvasAgg(figure)
    sheet = _Sheet(made, language, figure, figure.add_axes(_MAP), metric_crs(bounds(made.grids)))
    shapes = _to_metres(sheet.crs, made.grids.shapes)
    _frame(sheet, shapes)
    _draw_grids(sheet, shapes)
    furniture.scale_bar(sheet.axes)
    furniture.north_arrow(sheet.axes, sheet.crs, words.word("north", language))
    _draw_title(sheet)
    below = _draw_column(sheet, has_units=units is not None)
    inset = _draw_enlarged(sheet, shapes, below)
    if units is not None:
        frame = units if units.crs is not None else units.set_crs(4326)
        frame = frame.to_crs(sheet.crs).reset_index(drop=True)
        if inset is not None:
            _draw_units(replace(sheet, axes=inset), frame, named=False)
        _draw_units(sheet, frame, named=True)
    _draw_footer(sheet)
    furniture.enlarge(figure, paper)
    with replacing(path) as temporary:
        # No dates in the file: the same map is the same bytes.
        metadata = {"CreationDate": None} if suffix == ".pdf" else {"Software": None}
        figure.savefig(temporary, format=suffix[1:], metadata=metadata)


def _to_metres(crs: CRS, shapes: Any) -> Any:
    to_metres = transformer("EPSG:4326", crs)
    return shapely.transform(
        shapes, lambda xy: np.column_stack(to_metres.transform(xy[:, 0], xy[:, 1]))
    )


def _frame(sheet: _Sheet, shapes: Any) -> None:
    """Fit all grids with a margin into the frame, metres alike in both directions."""
    west, south, east, north = shapely.total_bounds(shapes)
    width, height = (_MAP[2 + i] * _A4_IN[i] for i in (0, 1))
    metres = 1.06 * max((east - west) / width, (north - south) / height)
    x, y = (west + east) / 2, (south + north) / 2
    sheet.axes.set_xlim(x - metres * width / 2, x + metres * width / 2)
    sheet.axes.set_ylim(y - metres * height / 2, y + metres * height / 2)
    sheet.axes.set_xticks([])
    sheet.axes.set_yticks([])
    sheet.axes.set_facecolor(_GROUND)
    for spine in sheet.axes.spines.values():
        spine.set_color(INK)
        spine.set_linewidth(0.8)


def _draw_grids(sheet: _Sheet, shapes: Any) -> None:
    made = sheet.made
    line = {"edgecolor": _BORDER, "linewidth": 0.35}
    for number, colour in enumerate(made.colours):
        chosen = shapes[made.classes == number]
        if len(chosen):
            furniture.polygons(sheet.axes, chosen, facecolor=hex_colour(colour), zorder=3, **line)
    for where, pattern in ((made.hidden, "/////"), (made.unknown, "....")):
        if where.any():
            furniture.polygons(
                sheet.axes, shapes[where], facecolor=hex_colour(NOT_KNOWN), hatch=pattern,
                edgecolor=hex_colour(NOT_KNOWN_MARK), linewidth=0.35, zorder=3,
            )  # fmt: skip
            furniture.polygons(sheet.axes, shapes[where], facecolor="none", zorder=4, **line)


def _draw_enlarged(sheet: _Sheet, shapes: Any, below: float) -> Axes | None:
    """Draw beside the map, larger, where most households are; None where there is no such place."""
    made = sheet.made
    west, south, east, north = shapely.total_bounds(shapes)
    middles = shapely.get_coordinates(shapely.point_on_surface(shapes))
    homes, _, _ = np.histogram2d(
        middles[:, 1], middles[:, 0], bins=_BINS, range=((south, north), (west, east)),
        weights=np.nan_to_num(made.grids.households),
    )  # fmt: skip
    box = bulk_box(homes, (west, south, east, north), 2 * max(east - west, north - south) / _BINS)
    if box is None:
        return None
    room = (_COLUMN_WIDTH, max(0.0, below - 0.03 - _MAP[1]))
    inset = furniture.enlarged(sheet.axes, box, (_COLUMN_X, _MAP[1]), room)
    if inset is None:
        return None
    inset.set_facecolor(_GROUND)
    told = words.word("enlarged", sheet.language)
    at = (_COLUMN_X, inset.get_position().y1 + 0.03)
    furniture.paragraph(sheet.figure, told, at, _COLUMN_WIDTH, size=9)
    _draw_grids(replace(sheet, axes=inset), shapes)
    furniture.scale_bar(inset, small=True)
    return inset


def _draw_units(sheet: _Sheet, frame: gpd.GeoDataFrame, *, named: bool) -> None:
    furniture.lines(sheet.axes, frame.geometry.boundary, color="#1d2430", linewidth=1.0, zorder=6)
    column = "name_en" if sheet.language == "en" and "name_en" in frame.columns else "name"
    if not named or column not in frame.columns:
        return
    for name, shape in zip(frame[column], frame.geometry, strict=True):
        if isinstance(name, str) and not shape.is_empty:
            at = _middle(shape)
            sheet.axes.text(
                at.x, at.y, name, ha="center", va="center", color=INK, zorder=8, clip_on=True,
                fontproperties=font_properties(7.5),
                path_effects=[withStroke(linewidth=2, foreground="white")],
            )  # fmt: skip


def _middle(shape: BaseGeometry) -> Any:
    return shape.representative_point()


def _draw_title(sheet: _Sheet) -> None:
    heading = words.heading(sheet.made, sheet.language)
    print_words.title(sheet.figure, _MAP[0], heading, words.subtitle(sheet.made, sheet.language))


def _draw_column(sheet: _Sheet, *, has_units: bool) -> float:
    """Draw the column on the right: meaning of the colours, facts; return the `y` below."""
    made, language = sheet.made, sheet.language

    def write(text: str, y: float, *, size: float, **style: Any) -> float:
        at = (_COLUMN_X, y)
        return furniture.paragraph(sheet.figure, text, at, _COLUMN_WIDTH, size=size, **style)

    y = write(words.measure(made, language), _MAP[1] + _MAP[3], size=12, bold=True)
    y = write(words.unit(made, language), y + 0.008, size=9, colour=GREY) - 0.008
    rows = [(hex_colour(colour), label) for colour, label in made.legend][::-1]
    if made.hidden.any():
        rows.append((HATCHED, words.word("hidden", language)))
    if made.unknown.any():
        rows.append((STIPPLED, words.word("unknown", language)))
    for colour, label in rows:
        furniture.swatch(sheet.figure, _COLUMN_X, y, colour)
        y = _label(sheet, label, y)
    if has_units:
        furniture.swatch(sheet.figure, _COLUMN_X, y, INK, line=1.0)
        y = _label(sheet, words.word("units", language), y)
    y -= 0.015
    told = words.facts(made, language)
    y = print_words.facts(sheet.figure, (_COLUMN_X, y), _COLUMN_WIDTH, told)
    y -= 0.01
    for sentence in words.notes(made, language):
        y = write(sentence, y, size=8, colour=GREY)
    return y


def _label(sheet: _Sheet, label: str, y: float) -> float:
    """Write beside a swatch, in two lines where it is long; return the `y` below."""
    x = _COLUMN_X + 0.042
    below = furniture.paragraph(sheet.figure, label, (x, y - 0.004), _COLUMN_WIDTH - 0.042, size=9)
    return min(y - _ROW, below)


def _draw_footer(sheet: _Sheet) -> None:
    made, language = sheet.made, sheet.language
    day = made.made_on.astimezone(ZoneInfo(made.about.timezone))
    code = sheet.crs.to_epsg()
    parts = [
        (words.word("source", language), made.about.source),
        (
            words.word("crs", language),
            f"{sheet.crs.name} (EPSG:{code})" if code else sheet.crs.name,
        ),
        (words.word("made", language), f"{day:%Y-%m-%d}"),
        (words.word("made_by", language), MADE_BY),
    ]
    print_words.footer(sheet.figure, _MAP[0], parts, language)
