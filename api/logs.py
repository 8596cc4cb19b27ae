"""What the service writes down of itself: one line for each event, without anybody's data.

An error's own words can hold what a person sent, or a row of the database, so of an error that was
not foreseen only its kind and the lines of code are written.
"""

from __future__ import annotations

import logging
import sys
import traceback
import warnings
from datetime import UTC, datetime
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from types import TracebackType

LEVEL = logging.WARNING


class Line(logging.Formatter):
    """Time in UTC, level, where from, what: in one line, whatever is in it."""

    def format(self, record: logging.LogRecord) -> str:
        """One line; a traceback follows it, indented."""
        at = datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds")
        line = f"{at} {record.levelname} {record.name} {_one_line(record.getMessage())}"
        if record.exc_info and record.exc_info[1] is not None:
            line += "\n" + self.formatException(record.exc_info)
        return line

    def formatException(  # noqa: N802 - the name is logging's
        self,
        ei: tuple[type[BaseException], BaseException, TracebackType | None]
        | tuple[None, None, None],
    ) -> str:
        """Kinds of the error and of what caused it, and the lines of code; never their words."""
        lines: list[str] = []
        error = ei[1]
        while error is not None and len(lines) < 200:
            lines.append(f"    {type(error).__module__}.{type(error).__qualname__}")
            lines += [
                f"      {frame.filename}:{frame.lineno} {frame.name}"
                for frame in traceback.extract_tb(error.__traceback__)
            ]
            error = error.__cause__ or (None if error.__suppress_context__ else error.__context__)
        return "\n".join(lines)


def _one_line(text: str) -> str:
    """Control characters as escapes: nobody writes a line of the log but us."""
    return "".join(
        each if each.isprintable() else each.encode("unicode_escape").decode() for each in text
    )


def configure(level: int = LEVEL) -> None:
    """Write warnings and errors of everything to standard error, in our form."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(Line())
    root = logging.getLogger()
    root.handlers = [handler]
    root.setLevel(level)
    # rasterio hides its own warning while it places a raster in memory, by a list of filters that
    # all threads share: two tiles at once, and it shows. Our rasters are placed.
    warnings.filterwarnings("ignore", message="Dataset has no geotransform", category=UserWarning)
    for name in ("uvicorn", "uvicorn.error", "uvicorn.access"):
        theirs = logging.getLogger(name)
        theirs.handlers, theirs.propagate = [], True
