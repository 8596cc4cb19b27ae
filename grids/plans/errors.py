"""What can be wrong with a plan, and with a move."""

from __future__ import annotations

from typing import TYPE_CHECKING

from gis.errors import BadInput, Conflict, NotFound

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from gis.errors import Problem


class Placed:
    """An error that says where it is: numbers of grids and cells, for a map to show.

    Attributes
    ----------
    grids, cells
        Empty where the error is about the plan as a whole.
    """

    grids: Sequence[int] = ()
    cells: Sequence[int] = ()


class PlanNotFound(NotFound):
    """No plan of that number, or none that the caller sees."""


class PlanConflict(Conflict, Placed):
    """Somebody else changed what the move is about since the version it was made on."""

    def __init__(self, text: str, *, grids: Iterable[int] = ()) -> None:
        self.grids = sorted(grids)
        super().__init__(text)


class PlanClosed(Conflict):
    """The plan is submitted, approved or in force, and takes no moves."""


class GridLocked(Conflict, Placed):
    """The move touches a grid that is locked."""

    def __init__(self, text: str, *, grids: Iterable[int] = ()) -> None:
        self.grids = sorted(grids)
        super().__init__(text)


class MoveRefused(BadInput, Placed):
    """The move would break a rule that no plan may break; nothing was changed."""

    def __init__(
        self,
        problems: Problem | Iterable[Problem],
        *,
        grids: Iterable[int] = (),
        cells: Iterable[int] = (),
    ) -> None:
        self.grids, self.cells = sorted(grids), sorted(cells)
        super().__init__(problems)
