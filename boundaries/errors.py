"""What can be wrong with units and editions."""

from __future__ import annotations

from gis.errors import Conflict, NotFound


class UnitNotFound(NotFound):
    """No administrative unit of that code at that time."""


class EditionNotFound(NotFound):
    """No edition of that number, or none in force for that area."""


class EditionConflict(Conflict):
    """The edition is not in the state that the step needs."""
