"""What can be wrong with an incident."""

from __future__ import annotations

from gis.errors import BadInput, Conflict, Forbidden, NotFound


class IncidentNotFound(NotFound):
    """No incident of that id."""


class IncidentConflict(Conflict):
    """The id was used before for something else."""


class StepNotAllowed(Conflict):
    """The state machine has no such step from the incident's present state."""


class UnknownCategory(BadInput):
    """The category is not in the dictionary."""


class PlaceOutsideArea(Forbidden):
    """It happened where the account that reports it does not work."""


class SignNotFound(NotFound):
    """No sign of that code, or it was taken down."""
