"""What can be wrong with units, editions, and with who is asking."""

from __future__ import annotations

from gis.errors import Conflict, Forbidden, NotFound, Unauthenticated


class UnitNotFound(NotFound):
    """No administrative unit of that code at that time."""


class EditionNotFound(NotFound):
    """No edition of that number, or none in force for that area."""


class EditionConflict(Conflict):
    """The edition is not in the state that the step needs."""


class NotSignedIn(Unauthenticated):
    """Nobody, or nobody any more: the credential is missing, unknown, ended or expired."""


class NotAllowed(Forbidden):
    """The caller's role has no such right."""
