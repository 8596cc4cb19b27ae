"""What addresses are looked up in: house numbers of buildings, and every name there is."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from gis.database import execute
from grids.addresses.parsing import lexicon_of, name_key, parse
from grids.addresses.subjects import subject_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from sqlalchemy.orm import Session

    from grids.addresses.parts import Lexicon

OF_BUILDINGS: Final = ":buildings"
"""Source of house numbers that were read off buildings; theirs alone is rewritten."""
MAX_NAME: Final = 100
MAX_NUMBER: Final = 999_999


def refresh(session: Session, county_code: str) -> dict[str, int]:
    """Read the addresses of a county's buildings anew, and all of its names.

    To be called when buildings, streets, places or address points have changed; the importers do.
    What people decided stays.

    Returns
    -------
    Counts: ``buildings`` with an address, ``read`` of them, ``names``.
    """
    lexicon = _lexicon(session, county_code)
    rows = execute(
        session,
        "SELECT id, area_code, btrim(address) AS address, name, ST_AsEWKB(point) AS geom "
        "FROM buildings WHERE county_code = :county AND btrim(address) <> '' ORDER BY id",
        county=county_code,
    ).all()
    records = [record for row in rows if (record := _record(row, lexicon)) is not None]
    execute(
        session,
        "DELETE FROM addresses WHERE county_code = :county AND source = :source",
        county=county_code, source=OF_BUILDINGS,
    )  # fmt: skip
    _insert(session, "addresses", records, {
        "area_code": "text", "label": "text", "street": "text", "street_key": "text",
        "number": "integer", "number_tail": "text", "estate": "text", "estate_key": "text",
        "building": "text", "unit": "text", "geom": "geometry", "building_id": "bigint",
        "external_id": "text",
    }, county_code=county_code, source=OF_BUILDINGS)  # fmt: skip
    names = _rename(session, county_code)
    return {"buildings": len(rows), "read": len(records), "names": names}


def _record(row: Any, lexicon: Lexicon) -> dict[str, Any] | None:
    """The house number of a building; None where its address names nothing."""
    found = subject_of(parse(row.address, lexicon))
    if not found.is_known or (found.number or 0) > MAX_NUMBER:
        return None
    return {
        "area_code": row.area_code, "label": row.address[:300], "street": found.street,
        "street_key": found.street_key, "number": found.number, "number_tail": found.tail,
        "estate": found.estate, "estate_key": found.estate_key, "building": found.building,
        "unit": found.unit, "geom": row.geom, "building_id": row.id, "external_id": str(row.id),
    }  # fmt: skip


def _lexicon(session: Session, county_code: str) -> Lexicon:
    """Units of a county and above it, and the names of its streets and places."""
    units = execute(
        session,
        "SELECT code, name FROM admin_units WHERE upper_inf(valid) AND "
        "(county_code = :county OR starts_with(:county, code))",
        county=county_code,
    ).all()
    names = {name_key(name): "street" for name in _streets(session, county_code)}
    placed = execute(
        session,
        "SELECT name, aliases FROM places WHERE county_code = :county",
        county=county_code,
    )
    names |= {name_key(each): "place" for row in placed for each in (row.name, *row.aliases)}
    names.pop("", None)
    return lexicon_of([(row.code, row.name) for row in units], names)


def _streets(session: Session, county_code: str) -> list[str]:
    return [
        row.name
        for row in execute(
            session,
            "SELECT DISTINCT name FROM barriers WHERE county_code = :county "
            "AND kind IN ('street', 'arterial') AND name IS NOT NULL",
            county=county_code,
        )
    ]


def _rename(session: Session, county_code: str) -> int:
    """Make the names of a county anew: one row for a name in each area that it reaches into."""
    execute(session, "DELETE FROM address_names WHERE county_code = :c", c=county_code)
    for kind in ("street", "estate"):
        execute(
            session,
            # The name that most of its house numbers write.
            f"INSERT INTO address_names (county_code, area_code, kind, key, name, geom) "  # noqa: S608 - a column of ours
            f"SELECT county_code, area_code, '{kind}', {kind}_key, "
            f"mode() WITHIN GROUP (ORDER BY {kind}), "
            "ST_Centroid(ST_Collect(ST_PointOnSurface(geom))) "
            f"FROM addresses WHERE county_code = :c AND length({kind}_key) <= :longest "
            f"AND {kind}_key IS NOT NULL GROUP BY county_code, area_code, {kind}_key",
            c=county_code, longest=MAX_NAME,
        )  # fmt: skip
    lines = execute(
        session,
        "SELECT b.name, wangge_unit_of(p.geom, b.county_code) AS area_code, "
        "ST_AsEWKB(p.geom) AS geom "
        "FROM barriers AS b, LATERAL (SELECT ST_PointOnSurface(b.geom) AS geom) AS p "
        "WHERE b.county_code = :c AND b.kind IN ('street', 'arterial') "
        "AND b.name IS NOT NULL ORDER BY ST_Length(b.geom) DESC",
        c=county_code,
    ).all()
    named = {
        (row.kind, row.area_code, row.key)
        for row in execute(
            session,
            "SELECT kind, area_code, key FROM address_names WHERE county_code = :c",
            c=county_code,
        )
    }
    fresh = []
    for row in lines:
        key = name_key(row.name)
        if 0 < len(key) <= MAX_NAME and ("street", row.area_code, key) not in named:
            named.add(("street", row.area_code, key))
            fresh.append({"area_code": row.area_code, "kind": "street", "key": key,
                          "name": row.name, "geom": row.geom, "place_id": None})  # fmt: skip
    placed = execute(
        session,
        "SELECT id, area_code, name, aliases, ST_AsEWKB(geom) AS geom FROM places "
        "WHERE county_code = :c ORDER BY id",
        c=county_code,
    )
    for row in placed:
        keys = dict.fromkeys(name_key(each) for each in (row.name, *row.aliases))
        fresh += [
            {"area_code": row.area_code, "kind": "place", "key": key, "name": row.name,
             "geom": row.geom, "place_id": row.id}
            for key in keys
            if 0 < len(key) <= MAX_NAME
        ]  # fmt: skip
    _insert(session, "address_names", fresh, {
        "area_code": "text", "kind": "text", "key": "text", "name": "text", "geom": "geometry",
        "place_id": "bigint",
    }, county_code=county_code)  # fmt: skip
    return len(named) + sum(each["kind"] == "place" for each in fresh)


def _insert(
    session: Session,
    table: str,
    records: Sequence[dict[str, Any]],
    columns: dict[str, str],
    **constants: str,
) -> None:
    """Insert records, a column an array: one statement for any number of them."""
    if not records:
        return
    listed = ", ".join((*constants, *columns))
    fixed = "".join(f"CAST(:{name} AS text), " for name in constants)
    values = ", ".join(
        f"ST_GeomFromEWKB(r.{name})" if kind == "geometry" else f"r.{name}"
        for name, kind in columns.items()
    )
    arrays = ", ".join(
        f"CAST(:{name} AS {'bytea' if kind == 'geometry' else kind}[])"
        for name, kind in columns.items()
    )
    execute(
        session,
        f"INSERT INTO {table} ({listed}) SELECT {fixed}{values} "  # noqa: S608 - names of ours
        f"FROM unnest({arrays}) AS r ({', '.join(columns)})",
        **constants,
        **{name: _column(records, name) for name in columns},
    )


def _column(records: Iterable[dict[str, Any]], name: str) -> list[Any]:
    return [bytes(v) if isinstance(v := each[name], memoryview) else v for each in records]
