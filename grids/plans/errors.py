"""What can be wrong with a plan, and with a move."""

from __future__ import annotations

from gis.errors import BadInput, Conflict, NotFound


class PlanNotFound(NotFound):
    """No plan of that number, or none that the caller sees."""


class PlanConflict(Conflict):
    """Somebody else changed what the move is about since the version it was made on."""


class PlanClosed(Conflict):
    """The plan is submitted, approved or in force, and takes no moves."""


class GridLocked(Conflict):
    """The move touches a grid that is locked."""


class MoveRefused(BadInput):
    """The move would break a rule that no plan may break; nothing was changed."""
