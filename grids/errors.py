"""What can be wrong with grids and the people on them."""

from __future__ import annotations

from gis.errors import BadInput, Conflict, NotFound


class GridNotFound(NotFound):
    """No such grid, or none of that code in the edition in force."""


class TilingBroken(BadInput):
    """Base grids do not tile their area, or others do not lie rightly over them; all is named."""


class RollbackRefused(Conflict):
    """There is nothing to go back to."""


class WithdrawalRefused(Conflict):
    """The edition is not one that is still to come."""


class AssignmentConflict(Conflict):
    """The person or the grid is already taken for that time."""


class AssignmentNotFound(NotFound):
    """The person does not answer for that at that time."""


class DepartmentNotFound(NotFound):
    """No such department."""


class DutyConflict(Conflict):
    """The area is in that mode already, or is not."""


class PersonNotFound(NotFound):
    """No such person."""
