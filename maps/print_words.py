"""What every printed map says in the same place: its title, its figures, and its last line."""

from __future__ import annotations

from typing import TYPE_CHECKING

from maps.fonts import font_properties
from maps.print_furniture import GREY, INK, paragraph

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from matplotlib.figure import Figure

    from maps.heatmap_text import Language

_TITLE_Y, _SUBTITLE_Y, _FOOTER_Y = 0.945, 0.897, 0.045
_GAP = 0.008


def title(figure: Figure, x: float, heading: str, subtitle: Sequence[str]) -> None:
    """Write the heading and what follows it, place, category and period, from a share `x` on."""
    figure.text(x, _TITLE_Y, heading, color=INK, va="center",
                fontproperties=font_properties(20, bold=True))  # fmt: skip
    figure.text(x, _SUBTITLE_Y, "  ·  ".join(subtitle), color=GREY, va="center",
                fontproperties=font_properties(11))  # fmt: skip


def facts(
    figure: Figure, at: tuple[float, float], width: float, told: Sequence[tuple[str, str]]
) -> float:
    """Write labels, each above its value, in two columns; return the `y` below them.

    Parameters
    ----------
    at, width
        Top left corner and width of both columns, as shares of the sheet.
    """
    x, y = at
    for i in range(0, len(told), 2):
        lowest = y
        for side, (label, value) in enumerate(told[i : i + 2]):
            corner, wide = (x + side * width / 2, y), width / 2 - _GAP
            below = paragraph(figure, label, corner, wide, size=7.5, colour=GREY)
            below = paragraph(figure, value, (corner[0], below + 0.004), wide, size=10)
            lowest = min(lowest, below)
        y = lowest
    return y


def footer(figure: Figure, x: float, parts: Iterable[tuple[str, str]], language: Language) -> None:
    """Write labels and their values in a line at the bottom; without value, neither."""
    separator = "：" if language == "zh" else ": "
    line = "    ".join(f"{label}{separator}{value}" for label, value in parts if value)
    figure.text(x, _FOOTER_Y, line, color=GREY, va="center", fontproperties=font_properties(8))
