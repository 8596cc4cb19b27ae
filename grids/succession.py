"""What became of the grids of an edition when another took its place: written down for good."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from gis.database import execute

if TYPE_CHECKING:
    from sqlalchemy.orm import Session

    from boundaries.models import Edition

Fate = Literal["kept", "split", "merged", "new"]

_RECORD = """
WITH ground AS (
    SELECT o.grid_id AS predecessor, n.grid_id AS successor, o.code AS predecessor_code,
        n.code AS successor_code, n.unit_code, n.county_code,
        ST_Area(shared.geom::geography) AS area_m2
    FROM grid_shapes AS n
    JOIN grid_shapes AS o ON o.edition_id = :old AND o.geom && n.geom
    CROSS JOIN LATERAL (
        SELECT CASE WHEN ST_OrderingEquals(n.geom, o.geom) THEN n.geom
            ELSE ST_CollectionExtract(ST_Intersection(n.geom, o.geom), 3) END AS geom
    ) AS shared
    WHERE n.edition_id = :new AND NOT ST_IsEmpty(shared.geom)
), housed AS (
    SELECT o.grid_id AS predecessor, n.grid_id AS successor, count(*) AS buildings,
        sum(b.households) AS households
    FROM buildings AS b
    CROSS JOIN LATERAL (
        SELECT g.grid_id FROM grid_shapes AS g WHERE g.edition_id = :old
        AND g.geom && b.point AND ST_Covers(g.geom, b.point) ORDER BY g.code LIMIT 1
    ) AS o
    CROSS JOIN LATERAL (
        SELECT g.grid_id FROM grid_shapes AS g WHERE g.edition_id = :new
        AND g.geom && b.point AND ST_Covers(g.geom, b.point) ORDER BY g.code LIMIT 1
    ) AS n
    WHERE b.county_code = :county
    GROUP BY 1, 2
)
INSERT INTO grid_lineage (edition_id, before_id, predecessor, successor, county_code, unit_code,
    predecessor_code, successor_code, households, buildings, area_m2)
SELECT :new, :old, g.predecessor, g.successor, g.county_code, g.unit_code, g.predecessor_code,
    g.successor_code, coalesce(h.households, 0), coalesce(h.buildings, 0), g.area_m2
FROM ground AS g LEFT JOIN housed AS h USING (predecessor, successor)
WHERE g.area_m2 >= 1 OR h.buildings > 0
"""


@dataclass(frozen=True, slots=True)
class Succession:
    """A grid of the edition before and one of this that share ground, and what is on it.

    Attributes
    ----------
    fate
        Of the predecessor's part: ``kept`` (the same grid), ``merged`` (into another that was
        there before), ``split`` (to a new grid, while the predecessor goes on) or ``new`` (to a
        new grid, and the predecessor is gone).
    """

    predecessor: str
    successor: str
    fate: Fate
    households: int
    buildings: int
    area_m2: float


def record(session: Session, new: Edition, old: Edition) -> None:
    """Write down what each grid of `old` goes on as in `new`, once its identities are settled."""
    execute(session, _RECORD, new=new.id, old=old.id, county=new.county_code)


def lineage(
    session: Session,
    edition_id: int,
    *,
    code: str | None = None,
    after: tuple[str, str] = ("", ""),
    limit: int | None = None,
) -> list[Succession]:
    """What an edition's grids come from, by code of the predecessor and of the successor.

    Parameters
    ----------
    code
        Only what concerns the grid of this code, before or since.
    after, limit
        Codes of the last one that is known, and how many more at most.
    """
    rows = execute(
        session,
        """
        SELECT l.predecessor_code, l.successor_code, l.households, l.buildings, l.area_m2,
            CASE WHEN l.predecessor = l.successor THEN 'kept'
                WHEN EXISTS (SELECT FROM grid_lineage AS o
                    WHERE o.edition_id = l.edition_id AND o.predecessor = l.successor) THEN 'merged'
                WHEN EXISTS (SELECT FROM grid_lineage AS o WHERE o.edition_id = l.edition_id
                    AND o.predecessor = l.predecessor AND o.successor = l.predecessor) THEN 'split'
                ELSE 'new' END AS fate
        FROM grid_lineage AS l
        WHERE l.edition_id = :edition
            AND (CAST(:code AS text) IS NULL OR :code IN (l.predecessor_code, l.successor_code))
            AND (l.predecessor_code, l.successor_code) > (:after_a, :after_b)
        ORDER BY l.predecessor_code, l.successor_code
        LIMIT :limit
        """,
        edition=edition_id,
        code=code,
        after_a=after[0],
        after_b=after[1],
        limit=limit,
    )
    return [
        Succession(
            row.predecessor_code, row.successor_code, row.fate,
            row.households, row.buildings, row.area_m2,
        )
        for row in rows
    ]  # fmt: skip
