"""A sign to print: the name of the place, a square code to scan, and how to use it."""

from __future__ import annotations

import io
from typing import Final

import segno
from matplotlib.backends.backend_pdf import FigureCanvasPdf
from matplotlib.figure import Figure

from maps.fonts import font_properties
from maps.print_furniture import GREY, INK

A5_INCHES: Final = (148 / 25.4, 210 / 25.4)
ACCENT: Final = "#14507a"
# A phone a metre and a half away reads a code of about a tenth of that.
CODE_MM: Final = 96
LONG_NAME: Final = 14


def address(code: str, base_url: str) -> str:
    """What the square code says: the page, and behind '#', which browsers keep, the sign."""
    return f"{base_url.rstrip('/')}/q#{code}"


def shown(code: str) -> str:
    """A code as it is printed, in groups of four that can be typed."""
    return "-".join(code[at : at + 4] for at in range(0, len(code), 4)).upper()


def draw(code: str, place_name: str, base_url: str) -> bytes:
    """One page of PDF, A5.

    Parameters
    ----------
    base_url
        Where residents reach the service, such as ``https://wangge.example.cn``.

    Raises
    ------
    Missing
        The machine has no font with Chinese characters.
    """
    figure = Figure(figsize=A5_INCHES)
    width_mm, height_mm = (side * 25.4 for side in A5_INCHES)

    def say(text: str, y: float, size: float, *, is_bold: bool = False, colour: str = INK) -> None:
        figure.text(
            0.5, y, text, ha="center", va="center", color=colour,
            fontproperties=font_properties(size, bold=is_bold),
        )  # fmt: skip

    say("扫码反映身边事", 0.925, 27, is_bold=True, colour=ACCENT)
    say("Scan to report what is wrong here", 0.88, 12.5, colour=GREY)
    size = 19 if len(place_name) <= LONG_NAME else 19 * LONG_NAME / len(place_name)
    say(place_name, 0.828, max(size, 8), is_bold=True)

    side = CODE_MM / width_mm
    axes = figure.add_axes(((1 - side) / 2, 0.325, side, CODE_MM / height_mm))
    matrix = segno.make_qr(address(code, base_url), error="m").matrix
    axes.imshow(
        [[1 - cell for cell in row] for row in matrix], cmap="gray", vmin=0, vmax=1,
        interpolation="nearest",
    )  # fmt: skip
    axes.set_axis_off()

    say(shown(code), 0.297, 13, colour=INK)
    lines = (
        ("纠纷、隐患、求助都可以上报,由本网格的网格员受理", 0.242, 11.5),
        ("Disputes, hazards, help: the grid worker of this place answers", 0.212, 9),
        ("无需注册;姓名电话可以不填,填了也加密保存", 0.165, 11.5),
        ("No account. Name and phone are optional, and kept encrypted", 0.135, 9),
        ("紧急情况请拨打 110、119、120", 0.083, 13),
        ("In an emergency call 110, 119 or 120", 0.052, 9),
    )
    for text, y, points in lines:
        say(text, y, points, is_bold=text.startswith("紧急"), colour=INK if y > 0 else GREY)

    page = io.BytesIO()
    FigureCanvasPdf(figure)
    figure.savefig(page, format="pdf", metadata={"Title": place_name, "Creator": "wangge"})
    return page.getvalue()
