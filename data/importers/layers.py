"""Which layer of a file, or sheet of a book, is meant.

The child process that runs GDAL asks this, too: nothing heavy is imported here.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from gis.errors import BadInput

if TYPE_CHECKING:
    from collections.abc import Sequence


class LayerNotChosen(BadInput):
    """A file has several layers and none of them was named.

    Attributes
    ----------
    names
        All of them, in one text.
    """

    def __init__(self, file: str, names: Sequence[str]) -> None:
        self.names = ", ".join(names)
        super().__init__(
            f"{file} has {len(names)} layers and none was chosen",
            f"Say --layer NAME; it has: {self.names}.",
        )


def pick(names: Sequence[str], wanted: str | None, preferred: Sequence[str]) -> str | None:
    """The layer wanted, the only one, or the first one preferred; None when there is no telling.

    `preferred` names are lower case.
    """
    if wanted is not None:
        return wanted if wanted in names else None
    if len(names) == 1:
        return names[0]
    by_lower = {name.lower(): name for name in reversed(names)}
    return next((by_lower[name] for name in preferred if name in by_lower), None)


def choose(names: Sequence[str], wanted: str | None, preferred: Sequence[str], *, file: str) -> str:
    """The layer that `pick` finds.

    Raises
    ------
    LayerNotChosen
        Several, and no telling which is meant.
    BadInput
        None at all, or none of that name.
    """
    picked = pick(names, wanted, preferred)
    if picked is not None:
        return picked
    if not names:
        raise BadInput(f"{file} has no layer", "Export it again.")
    if wanted is not None:
        raise BadInput(f"{file} has no layer {wanted!r}", f"It has: {', '.join(names)}.")
    raise LayerNotChosen(file, names)
