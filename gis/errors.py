"""The errors of wangge: one tree, named for the fact, free of HTTP.

::

    WanggeError
    ├── BadInput        what came in cannot be taken; carries every Problem found
    ├── NotFound        no such thing, or not within the caller's scope
    ├── Conflict        true elsewhere: overlapping validity, stale version, repeated id
    ├── Unauthenticated who is asking is not known, or no longer let in
    ├── Forbidden       the caller's role does not allow it
    ├── TooMany         the caller asks more often than it may; carries when to come back
    ├── Missing         the machine lacks something; carries the line that installs it
    └── Unavailable     a part of the system does not answer now; trying again may help

Packages derive their own from these. ``api/errors.py`` maps each kind to an HTTP status and
``api/cli.py`` to an exit code; nothing else needs to know either.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Final

ROWS_NAMED: Final = 5
"""Rows of one problem that are named before the others are only counted."""


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing that is wrong, where, and what to do about it.

    Attributes
    ----------
    reason
        What is wrong, as a sentence fragment: ``households is negative (-3)``.
    remedy
        What the person who sent it can do.
    source
        File (and layer), or the request, it was found in.
    row
        1-based row of the data, not counting the header; None for the whole file.
    field
        Column or parameter name; None for the whole row.
    """

    reason: str
    remedy: str = ""
    source: str | None = None
    row: int | None = None
    field: str | None = None

    def __str__(self) -> str:
        """Where, what and what to do, in one line."""
        return self.line("" if self.row is None else f"row {self.row}")

    def line(self, rows: str) -> str:
        """The same of other rows, in these words."""
        field = f"field {self.field}" if self.field else ""
        place = ", ".join(part for part in (self.source, rows, field) if part)
        text = f"{place}: {self.reason}" if place else self.reason
        return f"{text}. {self.remedy}" if self.remedy else text


def listed(problems: Iterable[Problem]) -> list[str]:
    """Each problem in a line; those that differ in nothing but their row in one."""
    together: dict[Problem, list[int]] = {}
    for each in problems:
        rows = together.setdefault(replace(each, row=None), [])
        if each.row is not None:
            rows.append(each.row)
    return [problem.line(_rows(rows)) for problem, rows in together.items()]


def _rows(rows: Sequence[int]) -> str:
    if len(rows) <= 1:
        return "".join(f"row {row}" for row in rows)
    named = ", ".join(str(row) for row in rows[:ROWS_NAMED])
    more = len(rows) - ROWS_NAMED
    return f"rows {named}" + (f" and {more:,} more" if more > 0 else "")


class WanggeError(Exception):
    """Root of all errors that wangge raises on purpose."""


class BadInput(WanggeError):
    """What came in cannot be taken; nothing was kept of it."""

    def __init__(self, problems: Problem | str | Iterable[Problem], remedy: str = "") -> None:
        if isinstance(problems, str):
            problems = Problem(problems, remedy)
        self.problems: Sequence[Problem] = (
            (problems,) if isinstance(problems, Problem) else tuple(problems)
        )
        super().__init__("\n".join(str(problem) for problem in self.problems))


class NotFound(WanggeError):
    """No such thing, or none within the caller's scope: the two read the same."""


class Conflict(WanggeError):
    """It contradicts what is already true: a validity, a version, an id."""


class Unauthenticated(WanggeError):
    """Who is asking is not known, or is no longer let in."""


class TooMany(WanggeError):
    """The caller asks more often than it may.

    Parameters
    ----------
    after_s
        Seconds after which it may try again.
    """

    def __init__(self, text: str, after_s: float) -> None:
        self.after_s = after_s
        super().__init__(text)


class Forbidden(WanggeError):
    """The caller's role does not allow it."""


class Missing(WanggeError):
    """The machine lacks something.

    Parameters
    ----------
    what
        What is missing and what it is needed for.
    install
        The exact line that a person can run to get it.
    """

    def __init__(self, what: str, install: str = "") -> None:
        self.what, self.install = what, install
        super().__init__(f"{what}\nInstall it with:  {install}" if install else what)


class Unavailable(WanggeError):
    """A part of the system does not answer now; the same call may go through later."""
