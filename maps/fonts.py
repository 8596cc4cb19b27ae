"""Fonts with Chinese characters for pictures that are made without a browser."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

from gis.errors import Missing

if TYPE_CHECKING:
    from matplotlib.font_manager import FontPath, FontProperties

# Fonts with Simplified Chinese, best first, as Debian's packages install them.
_CANDIDATES = (
    "NotoSansCJK-Regular.ttc",
    "NotoSansSC-Regular.otf",
    "SourceHanSansSC-Regular.otf",
    "wqy-microhei.ttc",
    "DroidSansFallbackFull.ttf",
)
_FOLDERS = (Path("/usr/share/fonts"), Path("/usr/local/share/fonts"), Path.home() / ".fonts")


def chinese_font(*, bold: bool = False, folders: tuple[Path, ...] = _FOLDERS) -> Path:
    """Return the file of a font that has Chinese characters.

    Parameters
    ----------
    bold
        The bold file, if the machine has one; else the regular one.
    folders
        Where to look, with all folders below.

    Raises
    ------
    Missing
        The machine has none.
    """
    for name in _CANDIDATES:
        wanted = [name.replace("Regular", "Bold"), name] if bold else [name]
        for file in wanted:
            for folder in folders:
                found = sorted(folder.rglob(file)) if folder.is_dir() else []
                if found:
                    return found[0]
    raise Missing(
        "no font with Chinese characters, which printed maps need",
        "apt-get install -y fonts-noto-cjk",
    )


def font_properties(size: float, *, bold: bool = False) -> FontProperties:
    """Return the Chinese font for matplotlib, in points."""
    from matplotlib.font_manager import FontProperties  # noqa: PLC0415  (slow to load)

    return FontProperties(fname=_face(bold), size=size)


@lru_cache(maxsize=2)
def _face(bold: bool) -> FontPath:  # noqa: FBT001  (the cache's key)
    """Find the font and the face in it.

    A collection file holds Japanese, Korean and Chinese drawings of the same characters; the one
    for Simplified Chinese is chosen.
    """
    from matplotlib.font_manager import FontPath  # noqa: PLC0415
    from matplotlib.ft2font import FT2Font  # noqa: PLC0415

    file = str(chinese_font(bold=bold))
    face = 0
    if file.endswith(".ttc"):
        names = [FT2Font(file, face_index=i).family_name for i in range(5)]
        face = next((i for i, name in enumerate(names) if name.endswith(" SC")), 0)
    return FontPath(file, face)
