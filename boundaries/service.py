"""Administrative units: which ones a place lies in."""

from __future__ import annotations

from typing import TYPE_CHECKING

from boundaries import repository

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from sqlalchemy.orm import Session

    from boundaries.models import AdminUnit

LEVEL_DIGITS = (2, 4, 6, 9, 12)
# Units of this source are invented; whatever shows them says so.
INVENTED_SOURCE = "demo"


def ancestors(code: str) -> list[str]:
    """Codes of the units a code lies under, and itself, from province down.

    Only codes are cut, never ground: whether such a unit exists is asked of the table.
    """
    return [code[:digits] for digits in LEVEL_DIGITS if digits <= len(code)]


def chain(
    session: Session, lon: float, lat: float, at: datetime, unit_code: str | None = None
) -> Sequence[AdminUnit]:
    """Units that a place lies in, from province down.

    Parameters
    ----------
    unit_code
        The unit of the grid that answered, when one did: its ancestors complete the chain where
        a level has codes but no polygons.
    """
    found = {unit.level: unit for unit in repository.units_covering(session, lon, lat, at)}
    deepest = unit_code or (found[max(found)].code if found else None)
    if deepest is not None:
        # The grid's own unit wins over a neighbour that shares the border the point lies on.
        for unit in repository.units_by_code(session, ancestors(deepest), at):
            found[unit.level] = unit
    return [found[level] for level in sorted(found)]
