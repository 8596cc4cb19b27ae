"""What the tests of hot spots refuse: all that is wrong with the arrays at once."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeAlias

import numpy as np
import numpy.typing as npt

from gis.errors import BadInput, Problem

if TYPE_CHECKING:
    from collections.abc import Iterable

Floats: TypeAlias = npt.NDArray[np.float64]
Ints: TypeAlias = npt.NDArray[np.int64]
Rows: TypeAlias = npt.NDArray[np.int32]
Mask: TypeAlias = npt.NDArray[np.bool_]

MAX_SIMULATIONS = 99_999
MAX_EVENTS = 1_000_000_000
"""More than any county reports; a larger total is a mistake of units."""


def refuse(problems: Iterable[Problem]) -> None:
    """Raise BadInput with all of them, if there are any."""
    found = tuple(problems)
    if found:
        raise BadInput(found)


def numbers(
    values: npt.ArrayLike,
    field: str,
    shape: tuple[int, ...] | None = None,
    *,
    whole: bool = False,
    unknown: bool = False,
    negative: bool = False,
) -> tuple[Floats, list[Problem]]:
    """The values as float64, and what is wrong with them.

    Parameters
    ----------
    values, field
        Numbers, and the name under which the caller knows them.
    shape
        The shape they must have; any one-dimensional when left out.
    whole, unknown, negative
        Whether they must be whole numbers; whether NaN, and numbers below 0, are let through.
    """
    try:
        array = np.asarray(values, dtype=np.float64)
    except (TypeError, ValueError):
        return np.zeros(shape or (0,)), [
            Problem("not all values are numbers", "Give numbers only.", field=field)
        ]
    if (shape is None and array.ndim != 1) or (shape is not None and array.shape != shape):
        wanted = "one dimension" if shape is None else f"the shape {shape}"
        return np.zeros(shape or (0,)), [
            Problem(
                f"the shape is {array.shape}",
                f"Give an array of {wanted}: one row per grid, in the order of the grids.",
                field=field,
            )
        ]
    finite = np.isfinite(array)
    problems = []
    for bad, reason, remedy in (
        (
            ~(finite | (unknown & np.isnan(array))),
            "unknown or infinite",
            "Leave the grid out, or give 0 where nothing happened.",
        ),
        (finite & (array < 0) & (not negative), "negative", "Give 0 or more."),
        (
            finite & (array != np.floor(array)) & whole,
            "fractional",
            "Give whole numbers of events, not rates or weighted sums.",
        ),
    ):
        where = np.flatnonzero(bad.any(axis=tuple(range(1, array.ndim))) if array.ndim > 1 else bad)
        if where.size:
            first = array[where[0]][bad[where[0]]][0] if array.ndim > 1 else array[where[0]]
            problems.append(
                Problem(
                    f"{int(bad.sum())} values are {reason}, the first is {first:g}",
                    remedy,
                    row=int(where[0]) + 1,
                    field=field,
                )
            )
    if whole and not problems and array.sum() > MAX_EVENTS:
        problems.append(
            Problem(f"{array.sum():,.0f} events", f"At most {MAX_EVENTS:,} are taken.", field=field)
        )
    return array, problems


def exposures(values: npt.ArrayLike | None, n: int) -> tuple[Floats, list[Problem]]:
    """Households or the like per grid; 1 for each grid when there are none to go by.

    NaN (unknown) and 0 are let through: such grids are not tested.
    """
    if values is None:
        return np.ones(n), []
    return numbers(values, "exposure", (n,), unknown=True)


def fraction(value: float, field: str, highest: float = 1.0) -> list[Problem]:
    """What is wrong with a number that must lie above 0 and at or below `highest`."""
    if 0 < value <= highest:
        return []
    return [
        Problem(
            f"{value:g} is out of range", f"Give more than 0, at most {highest:g}.", field=field
        )
    ]


def simulations_problems(simulations: int, field: str = "simulations") -> list[Problem]:
    """What is wrong with a number of simulations or permutations."""
    if 19 <= simulations <= MAX_SIMULATIONS:
        return []
    return [
        Problem(
            f"{simulations} of them",
            f"Give 19 (p = 0.05 at best) to {MAX_SIMULATIONS:,}; 999 is usual.",
            field=field,
        )
    ]
