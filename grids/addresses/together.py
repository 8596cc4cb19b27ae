"""Queries on the gazetteer for many searches at once: each as in `repository`, a list of them.

Rows, their order and their limit are those that each question would get by itself.
"""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING, Any

from gis.database import execute
from grids.addresses.repository import ADDRESS, LIKE_NAMES, MOST_ROWS, NEIGHBOURS

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from sqlalchemy import Row
    from sqlalchemy.orm import Session

Rows = list["Row[Any]"]


def _by(rows: Iterable[Row[Any]], *columns: str) -> dict[Any, Rows]:
    """Rows by what they were asked for, in the order in which they come."""
    found: dict[Any, Rows] = defaultdict(list)
    for row in rows:
        key = tuple(getattr(row, each) for each in columns)
        found[key if len(key) > 1 else key[0]].append(row)
    return found


def units_named(
    session: Session, asked: Sequence[tuple[Sequence[str], Sequence[str]]]
) -> list[Rows]:
    """Stems and words of each to units: ``code, name``."""
    stems = {each for those, _ in asked for each in those}
    words = {each for _, those in asked for each in those}
    by_stem = _by(
        execute(
            session,
            "SELECT code, name, wangge_unit_stem(name) AS stem FROM admin_units "
            "WHERE wangge_unit_stem(name) = ANY(:stems) AND valid @> now()",
            stems=sorted(stems),
        ),
        "stem",
    )
    by_word = _by(
        execute(
            session,
            "SELECT unit_code AS code, text AS name, key FROM address_aliases "
            "WHERE key = ANY(:words) AND unit_code IS NOT NULL AND ended_at IS NULL",
            words=sorted(words),
        ),
        "key",
    )
    return [
        [row for each in some if each in by_stem for row in by_stem[each]]
        + [row for each in others if each in by_word for row in by_word[each]]
        for some, others in asked
    ]


def names(session: Session, asked: Sequence[tuple[Sequence[str]]]) -> list[Rows]:
    """Keys of each to names."""
    keys = {key for (those,) in asked for key in those}
    by_key = _by(
        execute(
            session,
            """
            SELECT r.* FROM unnest(CAST(:keys AS text[])) AS q (key), LATERAL (
                SELECT n.kind, n.key, n.name AS label, n.area_code, n.place_id, p.radius_m,
                    ST_X(n.geom) AS lon, ST_Y(n.geom) AS lat, n.id
                FROM address_names AS n LEFT JOIN places AS p ON p.id = n.place_id
                WHERE n.key = q.key COLLATE "C"
                ORDER BY n.area_code, n.id LIMIT :most
            ) AS r ORDER BY r.area_code, r.id
            """,
            keys=sorted(keys), most=MOST_ROWS,
        ),
        "key",
    )  # fmt: skip
    return [
        [row for key in sorted(set(those)) if key in by_key for row in by_key[key]][:MOST_ROWS]
        for (those,) in asked
    ]


def like_keys(session: Session, asked: Sequence[tuple[str, Sequence[str]]]) -> list[list[str]]:
    """A key and kinds of each to keys that are like it, the likest first."""
    by_kinds: dict[tuple[str, ...], list[str]] = defaultdict(list)
    for key, kinds in asked:
        by_kinds[tuple(kinds)].append(key)
    found: dict[tuple[str, tuple[str, ...]], list[str]] = {}
    for kinds, keys in by_kinds.items():
        rows = execute(
            session,
            """
            WITH known AS MATERIALIZED (
                SELECT DISTINCT key FROM address_names WHERE kind = ANY(:kinds)
            )
            SELECT q.place, r.key FROM unnest(CAST(:keys AS text[])) WITH ORDINALITY
                AS q (key, place), LATERAL (
                SELECT k.key, greatest(
                    similarity(k.key, q.key),
                    1 - levenshtein(k.key, q.key)::float / greatest(length(k.key), length(q.key))
                ) AS alike
                FROM known AS k ORDER BY alike DESC, k.key LIMIT :most
            ) AS r ORDER BY q.place, r.alike DESC, r.key
            """,
            keys=keys, kinds=list(kinds), most=LIKE_NAMES,
        )  # fmt: skip
        by_place = _by(rows, "place")
        for place, key in enumerate(keys, 1):
            found[key, kinds] = [row.key for row in by_place.get(place, [])]
    return [found[key, tuple(kinds)] for key, kinds in asked]


def on_streets(session: Session, asked: Sequence[tuple[Sequence[str], int | None]]) -> list[Rows]:
    """Streets and a number of each to house numbers, and stretches of numbers that hold it."""
    pairs = sorted({(key, number) for keys, number in asked if number is not None for key in keys})
    own = f'{ADDRESS} WHERE street_key = q.key COLLATE "C"'
    by_pair = _by(
        execute(
            session,
            f"""
            SELECT q.key AS asked_key, q.number AS asked, r.*
            FROM unnest(CAST(:keys AS text[]), CAST(:numbers AS int[])) AS q (key, number),
            LATERAL (
                (SELECT 1 AS turn, a.* FROM ({own} AND number = q.number AND number_to IS NULL
                 ORDER BY id LIMIT :most) AS a)
                UNION ALL
                (SELECT 2, a.* FROM ({own} AND number_to IS NULL
                 AND number BETWEEN q.number - :near AND q.number + :near AND number <> q.number
                 ORDER BY id LIMIT :most) AS a)
                UNION ALL
                (SELECT 3, a.* FROM ({own} AND number_to IS NOT NULL
                 AND q.number BETWEEN least(number, number_to) AND greatest(number, number_to)
                 ORDER BY id LIMIT :most) AS a)
            ) AS r ORDER BY r.turn, r.id
            """,  # noqa: S608 - of constants
            keys=[key for key, _ in pairs], numbers=[number for _, number in pairs],
            near=NEIGHBOURS, most=MOST_ROWS,
        ),
        "asked_key", "asked",
    )  # fmt: skip
    out = []
    for keys, number in asked:
        those = [row for key in set(keys) for row in by_pair.get((key, number), [])]
        turns = _by(sorted(those, key=lambda row: (row.turn, row.id)), "turn")
        out.append([row for turn in (1, 2, 3) for row in turns.get(turn, [])[:MOST_ROWS]])
    return out


def in_estates(session: Session, asked: Sequence[tuple[Sequence[str], str | None]]) -> list[Rows]:
    """Estates and a building of each to buildings."""
    pairs = sorted({(key, no or "", no is None) for keys, no in asked for key in keys})
    by_pair = _by(
        execute(
            session,
            f"""
            SELECT q.key AS asked_key, q.building AS asked, q.every, r.*
            FROM unnest(CAST(:keys AS text[]), CAST(:numbers AS text[]), CAST(:every AS boolean[]))
                AS q (key, building, every), LATERAL (
                {ADDRESS} WHERE estate_key = q.key COLLATE "C"
                    AND (q.every OR building = q.building)
                ORDER BY id LIMIT :most
            ) AS r ORDER BY r.id
            """,  # noqa: S608 - as above
            keys=[key for key, _, _ in pairs], numbers=[no for _, no, _ in pairs],
            every=[every for _, _, every in pairs], most=MOST_ROWS,
        ),
        "asked_key", "asked", "every",
    )  # fmt: skip
    out = []
    for keys, no in asked:
        those = [row for key in set(keys) for row in by_pair.get((key, no or "", no is None), [])]
        out.append(sorted(those, key=lambda row: row.id)[:MOST_ROWS])
    return out


def aliases(session: Session, asked: Sequence[tuple[str]]) -> list[Rows]:
    """A whole text each to what people said that it means."""
    by_key = _by(
        execute(
            session,
            "SELECT key, label, area_code, ST_X(geom) AS lon, ST_Y(geom) AS lat "
            "FROM address_aliases WHERE key = ANY(:keys) AND geom IS NOT NULL "
            "AND ended_at IS NULL ORDER BY id",
            keys=[key for (key,) in asked],
        ),
        "key",
    )
    return [by_key.get(key, []) for (key,) in asked]
