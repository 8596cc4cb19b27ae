"""What can be wrong with reviews of addresses."""

from __future__ import annotations

from gis.errors import Conflict, NotFound


class ReviewNotFound(NotFound):
    """There is no such review, or none in the caller's area."""


class ReviewDecided(Conflict):
    """Somebody has decided it already."""
