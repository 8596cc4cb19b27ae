"""When an edition comes into force: open incidents, and what is left for people to do."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from boundaries import editions
from gis import audit
from gis.database import execute

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from sqlalchemy.orm import Session


@dataclass(frozen=True, slots=True)
class Task:
    """Something that nobody can decide but a person.

    Attributes
    ----------
    kind
        ``nobody``: a grid that nobody is in charge of. ``grid_gone``: somebody answers for a grid
        that the edition does not have any more.
    code
        Of the grid; for one that is gone, the one it had last.
    name
        Of the person, for ``grid_gone``.
    """

    kind: str
    code: str
    unit_code: str
    households: int
    name: str | None = None


def change_over(session: Session, *, author: str) -> dict[int, int]:
    """Let open incidents follow every edition that has come into force since the last time.

    Each gains an event with the grid and the person that answer now, where these are others; its
    grid and person of the report time stay. Nothing is done twice.

    Returns
    -------
    dict
        Number of incidents by edition.
    """
    rows = execute(session, "SELECT * FROM wangge_change_over(:author)", author=author).all()
    for row in rows:
        audit.record(
            session,
            actor=author,
            action="edition.change_over",
            object_kind="edition",
            object_id=row.edition,
            county_code=editions.get(session, row.edition).county_code,
            count=row.incidents,
        )
    return {row.edition: row.incidents for row in rows}


def tasks(session: Session, edition_id: int, *, at: datetime) -> Sequence[Task]:
    """What has to be decided by people for an edition: a to-do list, by code.

    Raises
    ------
    EditionNotFound
        There is none.
    """
    edition = editions.get(session, edition_id)
    rows = execute(
        session,
        """
        SELECT 'nobody' AS kind, g.code, g.unit_code, g.households, NULL AS name
        FROM grid_shapes AS g
        WHERE g.edition_id = :edition AND NOT EXISTS (
            SELECT FROM assignments AS a
            WHERE a.grid_id = g.grid_id AND a.is_primary AND a.valid @> CAST(:at AS timestamptz)
        )
        UNION ALL
        SELECT 'grid_gone', was.code, was.unit_code, was.households, p.name
        FROM assignments AS a
        JOIN persons AS p ON p.id = a.person_id
        JOIN LATERAL (
            SELECT s.code, s.unit_code, s.households FROM grid_shapes AS s
            JOIN editions AS e ON e.id = s.edition_id
            WHERE s.grid_id = a.grid_id AND e.status <> 'draft' AND NOT isempty(e.valid)
                AND e.area_code = :area
            ORDER BY s.edition_id DESC LIMIT 1
        ) AS was ON true
        WHERE a.valid @> CAST(:at AS timestamptz) AND NOT EXISTS (
            SELECT FROM grid_shapes AS g
            WHERE g.edition_id = :edition AND g.grid_id = a.grid_id
        )
        ORDER BY 1 DESC, 2, 5
        """,
        edition=edition_id,
        area=edition.area_code,
        at=at,
    )
    return [Task(row.kind, row.code, row.unit_code, row.households, row.name) for row in rows]
