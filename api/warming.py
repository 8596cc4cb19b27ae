"""Compile what is asked for first, in a thread, so that no request has to wait for the compiler.

On a new machine this takes minutes of one core; the machine code is kept, and the next start loads
it in seconds.
"""

from __future__ import annotations

import logging
import time
from importlib import import_module
from threading import Event, Thread
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

log = logging.getLogger("wangge.api")

PARTS: Final = ("gis.locator.warming", "grids.redistricting.warming", "maps.warming")
"""Modules with ``calls``, the most urgent first; imported late, for each loads the compiler."""

LOOK_S: Final = 0.1
"""Between two looks at whether to stop."""


def warm(stopping: Event) -> None:
    """Make every call of every part until told to stop; for a thread of the server."""
    began = time.monotonic()
    for part in PARTS:
        if not make(import_module(part).calls(), stopping):
            return
    log.info("all is compiled, after %.1f s", time.monotonic() - began)


def make_aside(calls: Callable[[], Iterable[Callable[[], object]]], stopping: Event) -> bool:
    """Make calls in a thread of their own; whether all were made.

    Told to stop, it does not wait for them: the compiler does not stop in the middle of a function,
    which is 18 s on a busy machine, and what it makes is not needed any more.
    """
    made, done = [], Event()

    def run() -> None:
        try:
            made.append(make(calls(), stopping))
        finally:
            done.set()

    Thread(target=run, daemon=True).start()
    while not done.wait(LOOK_S):
        if stopping.is_set():
            return False
    return made == [True]


def make(calls: Iterable[Callable[[], object]], stopping: Event) -> bool:
    """Make calls until told to stop; whether all were made."""
    for call in calls:
        if stopping.is_set():
            return False
        call()
    return True
