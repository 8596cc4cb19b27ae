"""Writing a map file: whole or not at all."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from gis.errors import BadInput, Problem


@contextmanager
def replacing(path: Path | str) -> Iterator[Path]:
    """Give a path to write to that takes the place of `path` when the block ends well.

    The temporary file lies in the same folder and keeps the suffix. If the block fails, an older
    file of the name stays as it was and nothing else is left behind.

    Raises
    ------
    BadInput
        The folder does not exist, or the path is a folder.
    """
    target = Path(path)
    if not target.parent.is_dir():
        raise BadInput(
            Problem(f"the folder {target.parent} does not exist", "Make it first.", field="path")
        )
    if target.is_dir():
        raise BadInput(Problem(f"{target} is a folder", "Give a file name.", field="path"))
    temporary = target.with_name(f".{target.stem}.{os.getpid()}{target.suffix}")
    try:
        yield temporary
        temporary.replace(target)
    finally:
        temporary.unlink(missing_ok=True)
