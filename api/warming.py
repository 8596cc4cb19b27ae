"""Compile what is asked for first, in a thread, so that no request has to wait for the compiler.

On a new machine this takes minutes of one core; the machine code is kept, and the next start loads
it in seconds.
"""

from __future__ import annotations

import logging
import time
from importlib import import_module
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from threading import Event

log = logging.getLogger("wangge.api")

PARTS: Final = ("gis.locator.warming", "grids.redistricting.warming", "maps.warming")
"""Modules with ``calls``, the most urgent first; imported late, for each loads the compiler."""


def warm(stopping: Event) -> None:
    """Make every call of every part until told to stop; for a thread of the server."""
    began = time.monotonic()
    for part in PARTS:
        if not make(import_module(part).calls(), stopping):
            return
    log.info("all is compiled, after %.1f s", time.monotonic() - began)


def make(calls: Iterable[Callable[[], object]], stopping: Event) -> bool:
    """Make calls until told to stop; whether all were made."""
    for call in calls:
        if stopping.is_set():
            return False
        call()
    return True
