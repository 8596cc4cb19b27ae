"""Limits on a plan: numbers of grids to meet, shapes to keep to, and when to stop."""

from __future__ import annotations

import heapq
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from gis.errors import BadInput, Problem, WanggeError
from gis.wording import counted
from grids.redistricting.compiled import Floats, Ints
from grids.redistricting.graph import CellGraph
from grids.redistricting.rules import EFFORTS, PRICES, Effort, Prices

Cancel = Callable[[], bool] | threading.Event


class Cancelled(WanggeError):
    """The drawing was called off from outside; nothing came of it."""


@dataclass(frozen=True, slots=True)
class Limits:
    """What a plan must come to beside balance.

    Attributes
    ----------
    count
        Grids, exactly; the target is then the households divided by it.
    minimum, maximum
        Fewest and most grids.
    compactness
        Lowest Polsby-Popper a grid should have; 0 for any.
    walk_m
        Longest way on foot a grid should have between the middles of two of its cells, metres.
    travel_min
        Longest time a grid should have between two of its households, minutes.
    """

    count: int | None = None
    minimum: int | None = None
    maximum: int | None = None
    compactness: float = 0.0
    walk_m: float = np.inf
    travel_min: float = np.inf

    def problems(self) -> list[Problem]:
        """Figures that cannot be used."""
        found = [
            Problem(f"{name} is {value}", "Give a whole number of grids, 1 or more", field=name)
            for name, value in (
                ("count", self.count),
                ("minimum", self.minimum),
                ("maximum", self.maximum),
            )
            if value is not None and (not float(value).is_integer() or value < 1)
        ]
        if not found and (self.minimum or 1) > (self.maximum or np.inf):
            found.append(
                Problem(
                    f"minimum {self.minimum} is above maximum {self.maximum}",
                    "Exchange them, or leave one out",
                    field="minimum",
                )
            )
        if not 0 <= self.compactness < 1:
            found.append(
                Problem(
                    f"compactness_floor is {self.compactness}",
                    "Give a share from 0 to 0.99; a square has 0.79",
                    field="compactness_floor",
                )
            )
        if not self.walk_m > 0:
            found.append(
                Problem(f"walk_m is {self.walk_m}", "Give metres, above 0", field="walk_m")
            )
        if not self.travel_min > 0:
            found.append(
                Problem(
                    f"travel_min is {self.travel_min}",
                    "Give minutes, above 0",
                    field="travel_min",
                )
            )
        return found

    def asked(self, natural: int) -> int | None:
        """Number of grids to meet exactly when `natural` would be drawn; None for no number."""
        if self.count is not None:
            return self.count
        held = max(self.minimum or 1, min(natural, self.maximum or natural))
        return None if held == natural else held


def effort_of(effort: Effort | str | float | None) -> tuple[Effort, Callable[[], bool]]:
    """The effort meant, and the question whether its time is up.

    A number is seconds of this machine: only then does the plan depend on its speed.
    """
    if effort is None or isinstance(effort, Effort):
        return effort or Effort(), lambda: False
    if isinstance(effort, str):
        if effort not in EFFORTS:
            remedy = f"Use one of {', '.join(EFFORTS)}, or seconds"
            raise BadInput(Problem(f"effort is {effort!r}", remedy, field="effort"))
        return EFFORTS[effort], lambda: False
    if not effort > 0:
        raise BadInput(Problem(f"effort is {effort}", "Give seconds, above 0", field="effort"))
    end = time.monotonic() + effort
    return EFFORTS["thorough"], lambda: time.monotonic() > end


def prices_of(prices: Prices | str | None) -> Prices:
    """Prices by the name of an area type, or as given."""
    if isinstance(prices, str):
        if prices not in PRICES:
            remedy = f"Use one of {', '.join(PRICES)}"
            raise BadInput(Problem(f"prices is {prices!r}", remedy, field="prices"))
        return PRICES[prices]
    return prices or Prices()


def counts_for(graph: CellGraph, demand: Floats, number: int, locked: int = 0) -> Ints:
    """Exactly `number` grids shared out to the components by their demand, each at least one.

    Parameters
    ----------
    locked
        Grids beside them that stay as they are, for the texts.

    Raises
    ------
    BadInput
        There are more parts that cannot be joined than grids, or fewer cells.
    """
    parts = np.bincount(graph.component, demand)
    cells = np.bincount(graph.component)
    asked = asked_for(number, locked)
    ground = "the ground that is not locked" if locked else "the area"
    if number < len(parts):
        raise BadInput(
            Problem(
                f"{asked}, but {ground} falls into "
                f"{counted(len(parts), 'part')} that "
                "no grid can join: units, and ground that cannot be reached on foot",
                f"Ask for at least {len(parts)}, or add the bridges that are missing",
                field="count",
            )
        )
    if number > graph.size:
        raise BadInput(
            Problem(
                f"{asked}, but {ground} has {counted(graph.size, 'cell')}, never "
                "cut (buildings with their ground, and blocks where nobody lives)",
                f"Ask for at most {graph.size}",
                field="count",
            )
        )
    counts = np.ones(len(parts), dtype=np.int64)
    waiting = [(-people / 3, part) for part, people in enumerate(parts) if cells[part] > 1]
    heapq.heapify(waiting)
    for _ in range(number - len(parts)):
        _, part = heapq.heappop(waiting)
        counts[part] += 1
        if counts[part] < cells[part]:
            heapq.heappush(waiting, (-parts[part] / (2 * counts[part] + 1), part))
    return counts


def asked_for(number: int, locked: int) -> str:
    """So many grids were asked for, beside those that are locked: the beginning of a sentence."""
    beside = f" beside {counted(locked, 'locked one')}" if locked else ""
    return f"{counted(number, 'grid was', 'grids were')} asked for{beside}"
