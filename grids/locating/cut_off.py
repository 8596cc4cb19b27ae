"""Many places while the database is away: what the snapshot can vouch for, and no more.

Why a place lies outside of all grids (abroad, another's area, no edition) is not guessed: only the
database can tell. Readings go to the journal, which enters them when it is back.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from gis.errors import Unavailable
from grids.locating import batches

if TYPE_CHECKING:
    from datetime import datetime

    from boundaries.access import Scope
    from gis.audit import Context
    from gis.audit.journal import Journal
    from grids.locating.batches import Answers, Points
    from grids.locating.snapshot import Snapshot

NOT_TOLD: Final = "not_told"
"""Why a place lies in none of the grids that the caller sees, while nothing can be asked."""


def locate(
    snapshot: Snapshot, points: Points, *, as_of: datetime, scope: Scope, matter: str | None
) -> Answers:
    """Which grid each place belongs to, as it was known when the database was last there.

    Places in no grid that the caller sees are answered as just that, with the reason
    ``not_told`` and without a confidence.

    Raises
    ------
    Unavailable
        Every place is such a one: there is nothing to answer.
    """
    found = batches.locate(None, snapshot, points, scope=scope, matter=matter)
    unknown = batches.outside(found)
    if unknown and len(unknown) == len(points):
        raise Unavailable(
            f"the database is away since {as_of.isoformat(timespec='seconds')}, and none of the "
            f"{len(points):,} points lies in a grid of this area; only it can tell why"
        )
    if unknown:
        found.groups.append(batches.Group(NOT_TOLD))
        found.group[unknown] = len(found.groups) - 1
    return found


def note(journal: Journal, reader: str, context: Context, answers: Answers, *, first: bool) -> None:
    """Write down whom the answers name; of each group all, or only the first.

    Raises
    ------
    OSError
        It could not be written: nothing must be answered.
    """
    told: dict[tuple[str, int, str], None] = {}
    for each in answers.groups:
        people = " ".join(str(one.person_id) for one in each.responsible[: 1 if first else None])
        if each.grid is not None and people:
            told[each.grid.unit_code, each.grid.grid_id, people] = None
    for unit, grid, people in told:
        journal.note(reader, context, unit, grid, people)
