"""What can be wrong with reviews of addresses, and with what people said of them."""

from __future__ import annotations

from gis.errors import Conflict, NotFound


class ReviewNotFound(NotFound):
    """There is no such review, or none in the caller's area."""


class ReviewDecided(Conflict):
    """Somebody has decided it already."""


class AliasNotFound(NotFound):
    """There is no such alias, or none in the caller's area."""


class AliasEnded(Conflict):
    """It holds no longer already."""
