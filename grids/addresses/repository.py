"""Queries on the gazetteer. What they see is row-level security's to say."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from gis.database import execute

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sqlalchemy import Row
    from sqlalchemy.orm import Session

LIKE_NAMES: Final = 24
"""Names that are looked at where none is the one that was written."""
NEIGHBOURS: Final = 40
"""House numbers so far below and above are asked for, to find a place between them."""
MOST_ROWS: Final = 2_000
BESIDE_DEG: Final = 0.00015
"""Ends of lines as near as this meet: 17 m of latitude, the width of an arterial."""


def units_named(session: Session, stems: Sequence[str], words: Sequence[str]) -> Sequence[Row[Any]]:
    """Units in force by the stems of their names, or called so by people: ``code, name``."""
    return execute(
        session,
        "SELECT code, name FROM admin_units "
        "WHERE wangge_unit_stem(name) = ANY(:stems) AND valid @> now() "
        "UNION SELECT unit_code, text FROM address_aliases "
        "WHERE key = ANY(:words) AND unit_code IS NOT NULL AND ended_at IS NULL",
        stems=list(stems), words=list(words),
    ).all()  # fmt: skip


def banners_like(session: Session, patterns: Sequence[str]) -> Sequence[Row[Any]]:
    """Banners whose names fit patterns of LIKE: ``code, name``."""
    return execute(
        session,
        "SELECT code, name FROM admin_units WHERE level = 6 AND name LIKE ANY(:patterns) "
        "AND valid @> now()",
        patterns=list(patterns),
    ).all()


def names(session: Session, keys: Sequence[str]) -> Sequence[Row[Any]]:
    """Names of these keys: ``kind, key, label, area_code, lon, lat, radius_m, place_id``."""
    return execute(
        session,
        """
        SELECT n.kind, n.key, n.name AS label, n.area_code, n.place_id, p.radius_m,
            ST_X(n.geom) AS lon, ST_Y(n.geom) AS lat
        FROM address_names AS n LEFT JOIN places AS p ON p.id = n.place_id
        WHERE n.key = ANY(:keys)
        ORDER BY n.key, n.area_code, n.id LIMIT :most
        """,
        keys=list(keys), most=MOST_ROWS,
    ).all()  # fmt: skip


def like_keys(session: Session, key: str, kinds: Sequence[str]) -> list[str]:
    """Keys that are like one, the likest first.

    By trigrams, which find long names whose words are in another order, or by the share of
    characters that differ, which finds short ones: two of three Chinese characters share hardly a
    trigram.
    """
    return [
        row.key
        for row in execute(
            session,
            """
            SELECT key FROM (
                SELECT DISTINCT key FROM address_names WHERE kind = ANY(:kinds)
            ) AS k
            ORDER BY greatest(
                similarity(key, :key),
                1 - levenshtein(key, :key)::float / greatest(length(key), length(:key))
            ) DESC, key
            LIMIT :most
            """,
            key=key, kinds=list(kinds), most=LIKE_NAMES,
        )
    ]  # fmt: skip


def street_lines(session: Session) -> list[str]:
    """Names of streets that are known as lines."""
    return list(
        execute(
            session,
            "SELECT DISTINCT name FROM barriers "
            "WHERE kind IN ('street', 'arterial') AND name IS NOT NULL ORDER BY name",
        ).scalars()
    )


def meetings(session: Session, ones: Sequence[str], others: Sequence[str]) -> Sequence[Row[Any]]:
    """Where streets of some names meet those of others: ``label, area_code, lon, lat, one, other``.

    Lines that end beside one another, as where they were drawn apart, meet as well.
    """
    if not ones or not others:
        return []
    return execute(
        session,
        """
        WITH one AS MATERIALIZED (
            SELECT name, county_code, geom FROM barriers
            WHERE name = ANY(:ones) AND kind IN ('street', 'arterial')
        ), other AS MATERIALIZED (
            SELECT name, county_code, geom FROM barriers
            WHERE name = ANY(:others) AND kind IN ('street', 'arterial')
        ), met AS (
            SELECT DISTINCT a.name AS one, b.name AS other, a.county_code,
                ST_PointOnSurface((ST_Dump(
                    CASE WHEN ST_Intersects(a.geom, b.geom) THEN ST_Intersection(a.geom, b.geom)
                         ELSE ST_ClosestPoint(a.geom, b.geom) END
                )).geom) AS geom
            FROM one AS a
            JOIN other AS b ON b.county_code = a.county_code AND b.name <> a.name
                AND a.geom && ST_Expand(b.geom, CAST(:apart AS float))
                AND ST_DWithin(a.geom, b.geom, CAST(:apart AS float))
        )
        SELECT one || ' / ' || other AS label, one, other,
            wangge_unit_of(geom, county_code) AS area_code, ST_X(geom) AS lon, ST_Y(geom) AS lat
        FROM met ORDER BY one, other, lon, lat LIMIT :most
        """,
        ones=list(ones), others=list(others), apart=BESIDE_DEG, most=MOST_ROWS,
    ).all()  # fmt: skip


ADDRESS: Final = """
    SELECT id, label, street_key, number, number_tail, number_to, parity, estate_key, building,
        unit, area_code, ST_X(ST_PointOnSurface(geom)) AS lon, ST_Y(ST_PointOnSurface(geom)) AS lat,
        CASE WHEN number_to IS NOT NULL THEN ST_AsGeoJSON(geom, 15) END AS line
    FROM addresses
"""


def on_streets(session: Session, keys: Sequence[str], number: int | None) -> Sequence[Row[Any]]:
    """House numbers of streets near a number, and stretches of numbers that hold it."""
    if number is None:
        return []
    return execute(
        session,
        # The number itself first: nothing of it may fall to the limit.
        f"""
        ({ADDRESS} WHERE street_key = ANY(:keys) AND number = :number AND number_to IS NULL
         ORDER BY id LIMIT :most)
        UNION ALL
        ({ADDRESS} WHERE street_key = ANY(:keys) AND number_to IS NULL
            AND number BETWEEN CAST(:number AS int) - :near AND CAST(:number AS int) + :near
            AND number <> :number
         ORDER BY id LIMIT :most)
        UNION ALL
        ({ADDRESS} WHERE street_key = ANY(:keys) AND number_to IS NOT NULL
            AND :number BETWEEN least(number, number_to) AND greatest(number, number_to)
         ORDER BY id LIMIT :most)
        """,
        keys=list(keys), number=number, near=NEIGHBOURS, most=MOST_ROWS,
    ).all()  # fmt: skip


def in_estates(session: Session, keys: Sequence[str], building: str | None) -> Sequence[Row[Any]]:
    """Buildings of estates; those of one number when it is given."""
    return execute(
        session,
        f"{ADDRESS} WHERE estate_key = ANY(:keys) "
        "AND (CAST(:building AS text) IS NULL OR building = :building) ORDER BY id LIMIT :most",
        keys=list(keys), building=building, most=MOST_ROWS,
    ).all()  # fmt: skip


def aliases(session: Session, key: str) -> Sequence[Row[Any]]:
    """What people said that a whole text means: ``label, area_code, lon, lat``."""
    return execute(
        session,
        "SELECT label, area_code, ST_X(geom) AS lon, ST_Y(geom) AS lat "
        "FROM address_aliases WHERE key = :key AND geom IS NOT NULL AND ended_at IS NULL "
        "ORDER BY id",
        key=key,
    ).all()


def units(session: Session, codes: Sequence[str]) -> Sequence[Row[Any]]:
    """Units with a place of their own: ``area_code, label, lon, lat, reach_m``."""
    return execute(
        session,
        """
        SELECT u.code AS area_code, u.name AS label, ST_X(p.at) AS lon, ST_Y(p.at) AS lat,
            sqrt(ST_Area(u.geom::geography) / pi()) AS reach_m
        FROM admin_units AS u, LATERAL (SELECT ST_PointOnSurface(u.geom) AS at) AS p
        WHERE u.code = ANY(:codes) AND u.valid @> now() AND u.geom IS NOT NULL ORDER BY u.code
        """,
        codes=list(codes),
    ).all()
