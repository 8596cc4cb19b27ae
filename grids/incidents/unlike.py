"""What people said of two incidents that look like one: that they are not, and that it was wrong.

A note in the history of the one that was looked at, with author and time; nothing is written over.
The latest that was said of a pair, from either side, holds.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from importlib.resources import files
from typing import TYPE_CHECKING, Any

from gis import audit
from gis.database import execute
from gis.errors import BadInput, Problem
from grids.incidents.errors import IncidentNotFound
from grids.incidents.models import Incident, IncidentEvent

if TYPE_CHECKING:
    import uuid
    from collections.abc import Iterable, Mapping

    from sqlalchemy.orm import Session


@dataclass(frozen=True, slots=True)
class Word:
    """What somebody said of two incidents."""

    unlike: bool
    actor: str
    at: datetime


def say(
    session: Session,
    incident_id: uuid.UUID,
    other_id: uuid.UUID,
    *,
    unlike: bool,
    actor: str,
    note: str = "",
) -> Word | None:
    """Say that two incidents are not the same, or take that back. Flushed, not committed.

    What holds already is not said again.

    Parameters
    ----------
    unlike
        False: they may be the same after all, and are offered again.
    note
        Why, for whoever reads the history.

    Returns
    -------
    What holds now, and who said so; None where nobody ever said anything.

    Raises
    ------
    IncidentNotFound
        The caller does not see one of them.
    BadInput
        Both are one.
    """
    # One after the other: what two say at once is said once.
    incident = session.get(Incident, incident_id, with_for_update=True)
    for number, found in ((incident_id, incident), (other_id, session.get(Incident, other_id))):
        if found is None:
            raise IncidentNotFound(f"there is no incident {number}")
    assert incident is not None
    if incident_id == other_id:
        raise BadInput(
            Problem("an incident is the same as itself", "Name another one", field="other_id")
        )
    holds = said(session, incident_id, [other_id]).get(other_id)
    if unlike == (holds is not None and holds.unlike):
        return holds
    word = Word(unlike, actor, datetime.now(UTC))
    data: dict[str, Any] = {"unlike" if unlike else "alike": str(other_id)}
    session.add(
        IncidentEvent(
            incident_id=incident.id,
            county_code=incident.county_code,
            at=word.at,
            actor=actor,
            kind="note",
            note=note,
            data=data,
        )
    )
    audit.record(
        session,
        actor=actor,
        action="incident.unlike" if unlike else "incident.alike",
        object_kind="incident",
        object_id=incident.id,
        county_code=incident.county_code,
        other=str(other_id),
    )
    session.flush()
    return word


def said(
    session: Session, incident_id: uuid.UUID, others: Iterable[uuid.UUID]
) -> Mapping[uuid.UUID, Word]:
    """The latest that was said of an incident and each of some others; of most nothing was."""
    rows = execute(
        session,
        files("grids.incidents").joinpath("sql/unlike.sql").read_text(encoding="utf-8"),
        one=incident_id,
        others=list(others),
    )
    return {row.other: Word(row.unlike, row.actor, row.at) for row in rows}
